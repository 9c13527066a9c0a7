//! What the tests share: an archive under test with its reference beside it, and short words.

pub(crate) mod child;
pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod server;
mod vault;

use std::io::Write;
use std::sync::Arc;

pub(crate) use chatvault_engine::go_on;
use chatvault_engine::{
    Archive, Custodian, Host, Options, Origin, Result, Scan, Snapshot, Storage,
};
use chatvault_engine::{Sequence, Stored, Versions};
use chatvault_support::model::Row;
use chatvault_support::{SteppingClock, with_cache};

pub(crate) use vault::Vault;

/// Where copies of tests come from.
pub(crate) const ORIGIN: Origin<'static> = Origin { source: "test.json", offset: 7 };

/// Few bytes and nothing in the background: a run is the same each time.
pub(crate) fn small() -> Options {
    let mut options = Options::default();
    options.environment = Some(with_cache(2 << 20));
    options.memtable_bytes = 4 << 20;
    options.recall_bytes = 1 << 20;
    options.background_compaction = false;
    options
}

/// A storage with a clock that a seed decides.
pub(crate) fn host(storage: &Arc<dyn Storage>) -> Host {
    Host { storage: Arc::clone(storage), clock: Arc::new(SteppingClock::new(1)) }
}

pub(crate) fn ada() -> Custodian {
    Custodian::user("ada")
}

pub(crate) fn ben() -> Custodian {
    Custodian::user("ben")
}

/// All rows of a scan, each checked to say the same lent and owned.
pub(crate) fn rows(snapshot: &Snapshot, scan: &Scan) -> Result<Vec<Stored>> {
    let mut rows = snapshot.scan(scan)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let mut stored = row.to_stored()?;
        assert_eq!(row.json(), stored.json);
        assert_eq!((row.conversation(), row.id()), (&*stored.key.conversation, &*stored.key.id));
        assert_eq!(row.reply_to(), stored.key.reply_to.as_deref());
        assert_eq!((row.version(), row.sequence()), (stored.version, stored.sequence));
        assert_eq!((row.created(), row.modified()), (stored.created, stored.modified));
        assert_eq!((row.sender(), row.kind()), (stored.sender.as_deref(), stored.kind));
        stored.sightings.sort();
        all.push(stored);
    }
    Ok(all)
}

/// Every row that is stored.
pub(crate) fn everything() -> Scan {
    Scan { versions: Versions::EveryVariant, ..Scan::default() }
}

/// The bytes of all rows of a scan.
pub(crate) fn texts(snapshot: &Snapshot, scan: &Scan) -> Vec<String> {
    let text = |row: Stored| String::from_utf8(row.json).unwrap();
    rows(snapshot, scan).unwrap().into_iter().map(text).collect()
}

/// A reference row as the engine should give it.
pub(crate) fn expected(row: &Row) -> Stored {
    expected_at(row, Sequence(u64::MAX))
}

/// The same as of a commit.
pub(crate) fn expected_at(row: &Row, until: Sequence) -> Stored {
    Stored {
        key: row.identity.key.clone(),
        version: row.identity.version,
        created: row.identity.created,
        modified: row.identity.modified,
        sender: row.identity.sender.clone(),
        kind: row.identity.kind,
        sequence: row.sequence,
        address: row.address,
        json: row.json.clone(),
        sightings: row.sighted(until).collect(),
    }
}

/// Says what went wrong in words a person can read: whole rows are too long to look at.
pub(crate) fn assert_rows(actual: &[Stored], expected: &[Stored], question: &str) {
    if actual == expected {
        return;
    }
    let first = actual.iter().zip(expected).position(|(left, right)| left != right);
    let at = first.unwrap_or_else(|| actual.len().min(expected.len()));
    let (got, want) = (actual.get(at), expected.get(at));
    let (have, should) = (actual.len(), expected.len());
    assert_eq!(got, want, "{have} rows, should be {should}; row {at} differs; {question}");
}

/// Commits copies of one custodian, in one batch and a run of its own.
pub(crate) fn commit(archive: &Archive, custodian: &Custodian, documents: &[&[u8]]) {
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    for document in documents {
        batch.offer(custodian, chatvault_engine::RecordKind::Message, document, ORIGIN);
    }
    let report = batch.commit().unwrap();
    assert_eq!(report.counts.offered, documents.len() as u64);
}

/// Rounds of a test that takes chances, each with its seed.
pub(crate) fn seeds(rounds: u64) -> impl Iterator<Item = Seed> {
    let times: u64 =
        std::env::var("CHATVAULT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    (1..=rounds * times).map(Seed)
}

/// A seed that makes itself known when its round fails.
#[derive(Debug)]
pub(crate) struct Seed(pub(crate) u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nothing can be done about a standard error that does not take it.
            drop(writeln!(std::io::stderr(), "failed with seed {}", self.0));
        }
    }
}
