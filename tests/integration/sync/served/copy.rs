//! `sync` against a served archive makes a second one with the same in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use chatvault_engine::{
    Archive, Clock, ContentAddress, Host, MessageKey, RecordKind, Scan, Versions,
};
use chatvault_fake_graph::{Behaviour, Setup};
use chatvault_ingest::graph::Feed;
use chatvault_ingest::sync::{self, Content, Service, SyncOptions, SyncReport, Which};
use chatvault_support::SteppingClock;
use tempfile::TempDir;

use super::super::kit::{World, assert_complete, empty_archive, unlimited, windowed};
use super::kit::Server;
use crate::kit::small;

const ALL: Content = Content { hosted: true, files: true, meetings: true };

/// An archive of a tenant, and when and where the tenant was.
struct Source {
    folder: TempDir,
    port: u16,
    clock: Arc<SteppingClock>,
    options: SyncOptions,
}

impl Source {
    /// Reads a tenant every few days, all of it, and ends the service.
    fn of(setup: Setup, days: &[u32]) -> Self {
        let world = World::new(setup, Behaviour::default());
        let folder = tempfile::tempdir().unwrap();
        let mut options = world.options();
        options.feeds = windowed();
        options.directory = true;
        options.content = ALL;
        let archive = Archive::create(Host::disk(folder.path().join("a")), small()).unwrap();
        for day in days {
            world.set_day(*day);
            assert!(world.try_sync(&archive, &options).unwrap().finished);
            drop(sync::activate(&archive, &Which::All, true).unwrap());
        }
        assert!(world.try_sync(&archive, &options).unwrap().finished);
        archive.close().unwrap();
        let port = world.fake.origin().rsplit(':').next().unwrap().parse().unwrap();
        let spool = folder.path().join("spool");
        options.spool = spool;
        Self { folder, port, clock: Arc::clone(&world.clock), options }
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("a")
    }

    fn open(&self) -> Archive {
        Archive::open_read_only(Host::disk(self.place()), small()).unwrap()
    }

    /// Where the service was, whose addresses messages name: of a real tenant every client knows them.
    fn serve(&self) -> Server {
        Server::start(&self.place(), self.port)
    }

    fn sync(&self, server: &Server, archive: &Archive, options: &SyncOptions) -> SyncReport {
        let clock: Arc<dyn Clock> = Arc::<SteppingClock>::clone(&self.clock);
        let service = Service { limits: unlimited(), clock, ..Service::new(server.app()) };
        let report =
            sync::sync(archive, &service, options, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(report.finished, "{report:?}");
        report
    }

    fn copy(&self, server: &Server) -> (Archive, SyncReport) {
        let archive = empty_archive();
        drop(self.sync(server, &archive, &self.options));
        drop(sync::activate(&archive, &Which::All, true).unwrap());
        let report = self.sync(server, &archive, &self.options);
        (archive, report)
    }
}

/// A row: which, the exact bytes, and who received it. The number of a version that its document does
/// not state is a matter of the run that first saw it.
type Rows = BTreeMap<(MessageKey, Vec<u8>), (Option<u64>, BTreeSet<String>)>;

fn rows(archive: &Archive, records: &[RecordKind], versions: Versions) -> Rows {
    let snapshot = archive.snapshot().unwrap();
    let mut all = Rows::new();
    for record in records {
        let scan = Scan { record: *record, versions, ..Scan::default() };
        let mut rows = snapshot.scan(&scan).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let stored = row.to_stored().unwrap();
            let states = [RecordKind::Message, RecordKind::CopilotInteraction].contains(record);
            let who = stored.sightings.iter().map(|one| one.custodian.to_string()).collect();
            let version = states.then_some(stored.version);
            assert!(all.insert((stored.key, stored.json), (version, who)).is_none());
        }
    }
    all
}

/// What messages have: links, and through them every byte of an object.
fn links(archive: &Archive) -> BTreeMap<(MessageKey, String), ContentAddress> {
    let snapshot = archive.snapshot().unwrap();
    let mut all = BTreeMap::new();
    for (key, _) in rows(archive, &RecordKind::ALL, Versions::EveryVariant).into_keys() {
        for (name, address) in snapshot.links(&key).unwrap() {
            let _same = all.insert((key.clone(), name), address);
        }
    }
    all
}

/// Says what is missing or too much in words that can be read.
fn assert_same<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    source: &BTreeMap<K, V>,
    copy: &BTreeMap<K, V>,
) {
    let lost: Vec<_> = source.keys().filter(|key| !copy.contains_key(*key)).collect();
    let strange: Vec<_> = copy.keys().filter(|key| !source.contains_key(*key)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {:?}", lost.len(), source.len(), lost[0]);
    assert!(strange.is_empty(), "{} never were: {:?}", strange.len(), strange[0]);
    for (key, value) in source {
        assert_eq!(&copy[key], value, "{key:?}");
    }
}

#[test]
fn a_served_archive_is_copied_completely() {
    let setup = Setup { days: 12, recordings: 4, targeted: 6, ..Setup::default() };
    let source = Source::of(setup, &[4, 8, 12, 16]);
    let server = source.serve();
    let (copy, report) = source.copy(&server);
    assert_complete(&report);
    let open = source.open();
    let exported = [
        RecordKind::Message,
        RecordKind::CopilotInteraction,
        RecordKind::CallRecording,
        RecordKind::CallTranscript,
    ];
    let of = |archive: &Archive| rows(archive, &exported, Versions::EveryVariant);
    let whole = of(&open);
    let messages = |rows: &Rows| rows.keys().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>();
    assert!(whole.len() > messages(&whole).len() + 50, "several versions of many messages");
    let versions = rows(&open, &exported, Versions::All);
    assert!(whole.len() > versions.len() + 5, "several contents of a version");
    assert_same(&whole, &of(&copy));
    let directory = [RecordKind::Chat, RecordKind::Member, RecordKind::User, RecordKind::Team];
    let of = |archive: &Archive| rows(archive, &directory, Versions::Latest);
    assert_same(&of(&open), &of(&copy));
    let objects = links(&open);
    assert!(objects.len() > 20, "{}", objects.len());
    assert_same(&objects, &links(&copy));
    assert_eq!(open.snapshot().unwrap().content().0, copy.snapshot().unwrap().content().0);
    assert_eq!(source.sync(&server, &copy, &source.options).total.stored, 0, "nothing is new");
}

#[test]
fn deltas_bring_the_newest_versions_and_then_what_has_come_in_since() {
    let setup = Setup { days: 8, recordings: 2, looks: false, ..Setup::default() };
    let source = Source::of(setup, &[3, 8]);
    let server = source.serve();
    let feeds = vec![Feed::ChatsDelta, Feed::RecordingsDelta, Feed::TranscriptsDelta];
    let mut deltas = source.options.clone();
    deltas.feeds = feeds;
    deltas.directory = false;
    let archive = empty_archive();
    drop(source.sync(&server, &archive, &deltas));
    drop(sync::activate(&archive, &Which::All, true).unwrap());
    let first = source.sync(&server, &archive, &deltas);
    assert_complete(&first);
    assert!(first.total.stored > 100, "{:?}", first.total);
    let second = source.sync(&server, &archive, &deltas);
    assert_eq!(second.total.copies, 0, "nothing has come in: {:?}", second.total);
    let recorded = [RecordKind::CallRecording, RecordKind::CallTranscript];
    let of = |archive: &Archive| {
        let mut rows = rows(archive, &recorded, Versions::Latest);
        // Of calls without a meeting there is no delta.
        rows.retain(|(key, _), _| !key.conversation.is_empty());
        rows
    };
    assert_same(&of(&source.open()), &of(&archive));
}
