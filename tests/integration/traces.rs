//! What a subscriber of an embedder's own is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chatvault_engine::{Archive, Depth, Host, Memory, Options, Scan, Timestamp, go_on};
use chatvault_export::{Export, Format, Request, Run};
use chatvault_ingest::{ImportOptions, Source, import};
use chatvault_query::Query;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Counts spans and events by name.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<BTreeMap<String, u64>>>);

impl Heard {
    fn add(&self, of: &Metadata<'_>) {
        let (module, _) = of.target().split_once("::").unwrap_or((of.target(), ""));
        if module.starts_with("chatvault") && of.is_span() {
            *self.0.lock().unwrap().entry(of.name().to_owned()).or_default() += 1;
        }
    }
}

impl Subscriber for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.add(span.metadata());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.add(event.metadata());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
#[expect(clippy::disallowed_methods, reason = "makes the files that are imported")]
fn a_subscriber_sees_the_spans_of_what_its_thread_asks_for() {
    let heard = Heard::default();
    tracing::subscriber::with_default(heard.clone(), || {
        let folder = tempfile::tempdir().unwrap();
        let person = folder.path().join("ada");
        std::fs::create_dir(&person).unwrap();
        let message = r#"{"id":"1772438400000","etag":"1772438400000","chatId":"19:a@thread.v2",
            "createdDateTime":"2026-03-02T08:00:00Z","lastModifiedDateTime":"2026-03-02T08:00:00Z"}"#;
        std::fs::write(person.join("page.json"), format!("[{message}]")).unwrap();

        let host = Host::new(Arc::new(Memory::default()));
        let archive = Archive::create(host, Options::default()).unwrap();
        let sources = vec![Source::Folders(folder.path().to_owned())];
        let summary = import(&archive, sources, &ImportOptions::default(), &mut go_on).unwrap();
        assert_eq!(summary.counts.stored, 1);
        archive.seal().unwrap();
        let snapshot = archive.snapshot().unwrap();
        assert_eq!(snapshot.count(&Scan::default()).unwrap(), 1);
        drop(Query::default().run(&snapshot).unwrap());
        let request = Request { format: Format::Jsonl, all_time: true, ..Request::default() };
        let export =
            Export::new(&snapshot, request, Timestamp::from_ms(1_772_500_000_000)).unwrap();
        let to = Arc::new(Memory::default());
        assert!(export.run(to, Run::default(), &mut go_on).unwrap().finished);
        assert!(archive.verify(Depth::Deep, &mut go_on).unwrap().damages.is_empty());
    });
    let heard = heard.0.lock().unwrap();
    for name in ["open", "import", "query", "export", "verify"] {
        assert!(heard.get(name) == Some(&1), "{name}: {heard:?}");
    }
}
