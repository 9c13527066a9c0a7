//! An archive inside another program: threads deliver what custodians received, an audit reads as of
//! a commit, a reader goes on after a restart, and an export goes to writers of the program's own.
//!
//! `cargo run -p chatvault-export --example embed`

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chatvault_engine::{
    Archive, Custodian, Host, Memory, Options, Origin, RecordKind, Sequence, Snapshot, Timestamp,
};
use chatvault_export::{Export, Format, Request, Run};
use chatvault_query::{Order, Query};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PEOPLE: [&str; 4] = ["ada", "bo", "cy", "di"];
/// Messages that come together. Everybody is in the one chat, so everybody's export has all of them.
const PAGE: usize = 50;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = folder.path().join("team.cvault");
    let archive = Archive::create(Host::disk(&place), Options::default())?;
    let first = deliver(&archive, 1)?;
    let second = deliver(&archive, 2)?;

    // As of: what came later is not in it, though it is stored.
    let snapshot = archive.snapshot()?;
    assert_eq!(Query::default().count(&snapshot.as_of(first))?, PAGE as u64);
    assert_eq!(Query::default().count(&snapshot.as_of(second))?, 2 * PAGE as u64);
    drop(snapshot);

    // A cursor is text. It goes on where it stopped, in another process and years later.
    let (some, cursor) = read(&archive.snapshot()?, None)?;
    archive.close()?;
    let rest = read_rest(&place, cursor)?;
    assert_eq!(some.len() + rest.len(), 2 * PAGE);
    assert!(some.iter().chain(&rest).is_sorted(), "by time, none twice and none missing");

    let archive = Archive::open_read_only(Host::disk(&place), Options::default())?;
    let parts = export(&archive.snapshot()?)?;
    let bytes: usize = parts.values().map(Vec::len).sum();
    writeln!(io::stdout(), "{} messages, {bytes} bytes of export", some.len() + rest.len())?;
    Ok(())
}

/// Each thread has a batch of its own; commits share the disk's syncs. Gives the last commit.
fn deliver(archive: &Archive, page: usize) -> Result<Sequence> {
    let run = archive.begin_run("delivery")?;
    let deliver = |person: &str| -> Result<Sequence> {
        let mut batch = archive.batch(run);
        for number in 0..PAGE {
            let sent = format!("2026-03-{page:02}T10:00:{number:02}Z");
            let message = format!(
                r#"{{"id":"{page}{number:02}","etag":"1","chatId":"19:team","messageType":"message",
                "createdDateTime":"{sent}","lastModifiedDateTime":"{sent}",
                "body":{{"contentType":"text","content":"hello {number}"}}}}"#
            );
            let source = Origin { source: &format!("page {page}"), offset: number as u64 };
            let custodian = Custodian::user(person);
            batch.offer(&custodian, RecordKind::Message, message.as_bytes(), source);
        }
        // Durable from here on: a copy that others have delivered is a duplicate, and counted.
        Ok(batch.commit()?.sequence)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = PEOPLE.map(|person| scope.spawn(move || deliver(person))).into();
        let mut commits =
            threads.into_iter().map(|one| one.join().map_err(|_panic| "it panicked")?);
        commits.try_fold(Sequence::default(), |last, commit| Ok(last.max(commit?)))
    })
}

/// Some messages by time, and where they stop.
fn read(snapshot: &Snapshot, cursor: Option<String>) -> Result<(Vec<String>, Option<String>)> {
    let query = Query { order: Order::Created, limit: Some(30), cursor, ..Query::default() };
    let (mut rows, mut sent) = (query.run(snapshot)?, Vec::new());
    while let Some(row) = rows.next()? {
        sent.push(format!("{:?} {}", row.created(), row.id()));
    }
    let cursor = rows.cursor().map(|cursor| cursor.to_text());
    Ok((sent, cursor))
}

fn read_rest(place: &Path, mut cursor: Option<String>) -> Result<Vec<String>> {
    let archive = Archive::open_read_only(Host::disk(place), Options::default())?;
    let (snapshot, mut all) = (archive.snapshot()?, Vec::new());
    while cursor.is_some() {
        let (more, next) = read(&snapshot, cursor)?;
        all.extend(more);
        cursor = next;
    }
    Ok(all)
}

/// A part that is written to memory: an upload or a response would do as well.
#[derive(Clone, Default)]
struct Part(Arc<Mutex<Vec<u8>>>);

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The parts of an export by name.
fn export(snapshot: &Snapshot) -> Result<BTreeMap<String, Vec<u8>>> {
    let request = Request { format: Format::Csv, all_time: true, ..Request::default() };
    let now = Timestamp::from_ms(1_772_500_000_000);
    let export = Export::new(snapshot, request, now)?;
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    let index = export.write_to(
        Memory::default(),
        &mut |part| {
            let content = parts.entry(part.name.clone()).or_default();
            Ok(Box::new(content.clone()))
        },
        Run::default(),
        &mut |_| ControlFlow::Continue(()),
    )?;
    let taken =
        |part: Part| std::mem::take(&mut *part.0.lock().unwrap_or_else(PoisonError::into_inner));
    let parts: BTreeMap<String, Vec<u8>> =
        parts.into_iter().map(|(name, part)| (name, taken(part))).collect();
    for part in &index.parts {
        assert_eq!(parts.get(&part.name).map(|bytes| bytes.len() as u64), Some(part.bytes));
    }
    Ok(parts)
}

#[test]
fn it_runs() {
    let ran = main();
    assert!(ran.is_ok(), "{ran:?}");
}
