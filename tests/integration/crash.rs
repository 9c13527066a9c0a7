//! Processes that are killed while they write: every commit they told of is found, whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chatvault_engine::{Archive, Depth, ErrorKind, Host, Options, RecordKind};
use chatvault_support::{Draft, Random};

use crate::kit::child::{self, Other};
use crate::kit::{ORIGIN, ada, everything, go_on, rows, small};

const PER_BATCH: u64 = 25;
const ROUNDS: usize = 20;

/// Small memory, so that sealing and merging are always going on.
fn busy() -> Options {
    let mut options = small();
    options.memtable_bytes = 128 << 10;
    options.background_compaction = true;
    options
}

/// The documents of a batch say which one it is.
fn document(batch: u64, nth: u64) -> String {
    let at = i64::try_from(1_700_000_000_000 + batch * 1_000 + nth).unwrap();
    let chat = format!("19:chat{}", nth % 5);
    Draft::chat(&chat, at).text(&"some words ".repeat(20)).set("subject", &batch.to_string()).json()
}

fn open_or_create(folder: &Path) -> Archive {
    match Archive::open(Host::disk(folder), busy()) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Archive::create(Host::disk(folder), busy()).unwrap()
        }
        opened => opened.unwrap(),
    }
}

#[test]
#[ignore = "started by a test and killed by it"]
fn another_process_imports() {
    let archive = open_or_create(&child::folder());
    let run = archive.begin_run("import").unwrap();
    for number in child::number()..child::number() + 100_000 {
        let mut batch = archive.batch(run);
        for nth in 0..PER_BATCH {
            let text = document(number, nth);
            batch.offer(&ada(), RecordKind::Message, text.as_bytes(), ORIGIN);
        }
        assert_eq!(batch.commit().unwrap().counts.offered, PER_BATCH);
        child::tell(number);
        match number % 23 {
            7 => archive.seal().unwrap(),
            19 => assert!(archive.compact(&mut go_on).unwrap().finished),
            _ => {}
        }
    }
}

/// How many documents of each batch the archive holds; each is checked for its bytes.
fn batches_found(archive: &Archive) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    for row in rows(&archive.snapshot().unwrap(), &everything()).unwrap() {
        let place = row.version - 1_700_000_000_000;
        let (batch, nth) = (place / 1_000, place % 1_000);
        assert_eq!(row.json, document(batch, nth).as_bytes());
        *found.entry(batch).or_insert(0) += 1;
    }
    found
}

#[test]
fn a_killed_import_loses_no_commit_that_it_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(20);
    let (mut next, mut told_in_all) = (0, 0);
    for round in 0..ROUNDS {
        let mut other = Other::start("crash::another_process_imports", folder.path(), next);
        // Some are killed while they open, most in the middle of their work.
        if round % 4 != 3 {
            assert!(other.listen().is_some(), "round {round}: the import did not start");
            next += 1;
        }
        std::thread::sleep(Duration::from_millis(random.below(250)));
        let first_untold = next;
        let told = other.kill();
        told_in_all += told.len();
        let archive = open_or_create(folder.path());
        let found = batches_found(&archive);
        let whole = found.values().all(|count| *count == PER_BATCH);
        assert!(whole, "round {round}: a commit survived in part: {found:?}");
        let lost: Vec<_> =
            (0..first_untold).chain(told).filter(|batch| !found.contains_key(batch)).collect();
        assert_eq!(lost, [0_u64; 0], "round {round}: told of and lost");
        next = found.keys().next_back().map_or(0, |last| last + 1);
        assert_eq!(found.len() as u64, next, "round {round}: batches are missing in between");
        check_sound(archive, round);
    }
    assert!(told_in_all > ROUNDS, "the kills came too early to mean anything");
}

fn check_sound(archive: Archive, round: usize) {
    // A deep look at each third; the next round often finds an archive that was not closed.
    let depth = if round.is_multiple_of(3) { Depth::Deep } else { Depth::Structure };
    let report = archive.verify(depth, &mut go_on).unwrap();
    assert_eq!(report.damages, [], "round {round}");
    if round.is_multiple_of(2) {
        archive.close().unwrap();
    }
}
