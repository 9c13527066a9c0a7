//! What readers beside a writer see, which numbers are given, and how journal and manifests prove
//! each other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::tests::{commit, content, first, payload, place, read, resume, wanted, with_content};
use super::{Journal, MAX_IN_FLIGHT, Recorded, Unproven, Wanted, recover};
use crate::error::{Error, ErrorKind, Result};
use crate::format::names::{LOCK, journal as path, manifest};
use crate::storage::bent::Bend;
use crate::storage::{Memory, ReadFile, Storage};
use crate::types::Sequence;

fn seen(storage: &Memory) -> (Vec<u64>, Option<Unproven>) {
    let (recovery, commits) = read(storage, 0, true).unwrap();
    (commits.into_iter().map(|(sequence, _)| sequence).collect(), recovery.unproven)
}

#[test]
fn a_reader_beside_a_writer_sees_what_is_durable_at_once_and_nothing_else() {
    let storage = place();
    let lock = storage.try_lock(LOCK, "the writer").unwrap();
    let journal = first(&storage);
    for sequence in 1..=5 {
        commit(&journal, [sequence]);
        assert_eq!(seen(&storage), ((1..=sequence).collect(), None));
    }
    let _ = journal.append(Sequence(6), &payload(6)).unwrap();
    let _ = journal.append(Sequence(7), b"x").unwrap();
    let bytes = (56 + payload(6).len().min(64)) as u64;
    let (found, unproven) = seen(&storage);
    let unproven = unproven.unwrap();
    assert_eq!(found, [1, 2, 3, 4, 5]);
    assert_eq!((unproven.file, unproven.commits), (path(1), 2));
    assert!(unproven.bytes > bytes, "{}", unproven.bytes);
    journal.wait(Sequence(7)).unwrap();
    assert_eq!(seen(&storage), ((1..=7).collect(), None));
    drop(lock);
}

#[test]
fn a_reader_alone_makes_the_last_commits_durable_before_it_shows_them() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, [1]);
    let _ = journal.append(Sequence(2), b"two").unwrap();
    assert_eq!(seen(&storage), (vec![1, 2], None));
    let syncs = Watched::over(&storage);
    let visited = commits_of(&syncs, wanted(0, true)).unwrap();
    assert_eq!((visited, syncs.syncs.load(Ordering::SeqCst)), (vec![1, 2], 1));
    let cannot = Watched { can_sync: false, ..Watched::over(&storage) };
    assert_eq!(commits_of(&cannot, wanted(0, true)).unwrap(), [1]);
}

fn commits_of(storage: &dyn Storage, wanted: Wanted) -> Result<Vec<u64>> {
    let mut commits = Vec::new();
    let _recovery = recover(storage, wanted, &mut |sequence, _, _| {
        commits.push(sequence.0);
        Ok(())
    })?;
    Ok(commits)
}

#[test]
fn a_frame_that_was_being_written_is_read_again_once_a_later_one_proves_it() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=4);
    let flickering = Watched { wrong_reads: AtomicU64::new(1), ..Watched::over(&storage) };
    assert_eq!(commits_of(&flickering, wanted(0, true)).unwrap(), [1, 2, 3, 4]);
    let damaged = Watched { wrong_reads: AtomicU64::new(100), ..Watched::over(&storage) };
    let error = commits_of(&damaged, wanted(0, true)).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Corrupt, Some(4096)));
}

#[test]
fn numbers_go_on_behind_all_that_may_have_been_given_unless_the_archive_was_closed() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=3);
    let _ = journal.append(Sequence(4), b"lost").unwrap();
    let torn = content(&storage, &path(1));
    let end = usize::try_from(journal.bytes()).unwrap() - 1;
    let storage = with_content(&storage, &path(1), &torn[..end]);
    let jumped = resume(&storage, 3);
    assert_eq!(jumped.base(), Sequence(3 + MAX_IN_FLIGHT));
    // Nothing was committed, but the next opening cannot know.
    let again = resume(&storage, 4);
    assert_eq!(again.base(), Sequence(3 + 2 * MAX_IN_FLIGHT));
    commit(&again, [again.base().0 + 1]);
    again.close().unwrap();
    assert_eq!(resume(&storage, 5).base(), Sequence(4 + 2 * MAX_IN_FLIGHT));
    let (_, commits) = read(&storage, 0, false).unwrap();
    assert_eq!(commits.last().unwrap().0, 4 + 2 * MAX_IN_FLIGHT);
}

#[test]
fn only_so_many_commits_are_in_flight() {
    let storage = place();
    let journal = first(&storage);
    for sequence in 1..=MAX_IN_FLIGHT {
        let _ = journal.append(Sequence(sequence), b"x").unwrap();
    }
    assert_eq!(journal.acknowledged(), Sequence(0));
    let _ = journal.append(Sequence(MAX_IN_FLIGHT + 1), b"x").unwrap();
    assert_eq!(journal.acknowledged(), Sequence(MAX_IN_FLIGHT));
}

#[test]
fn a_file_that_goes_on_in_another_misses_it() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=3);
    let next = journal.go_on(&storage, [3; 16], Recorded::default()).unwrap();
    assert_eq!((next.number(), next.base()), (2, Sequence(3)));
    assert_eq!(seen(&storage).0, [1, 2, 3]);
    commit(&next, 4..=5);
    assert_eq!(seen(&storage).0, [1, 2, 3, 4, 5]);
    storage.remove(&path(2)).unwrap();
    for live in [false, true] {
        let error = read(&storage, 0, live).unwrap_err();
        assert_eq!((error.kind(), error.file()), (ErrorKind::Corrupt, Some(&*path(2))));
    }
}

#[test]
fn a_manifest_must_be_the_one_that_the_journal_records_or_the_next() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, [1]);
    let of = |number| Recorded { number, hash: [u8::try_from(number).unwrap(); 32] };
    journal.record(of(1)).unwrap();
    journal.record(of(2)).unwrap();
    journal.settle_records().unwrap();
    commit(&journal, [2]);
    let with = |manifest: Recorded, previous: u8| {
        commits_of(&storage, Wanted { manifest, previous: [previous; 32], ..wanted(0, false) })
    };
    assert_eq!(with(of(2), 1).unwrap(), [1, 2]);
    assert_eq!(with(of(3), 2).unwrap(), [1, 2], "its record was not durable");
    let told = |result: Result<Vec<u64>>| {
        let error: Error = result.unwrap_err();
        (error.kind(), error.file().map(str::to_owned))
    };
    let corrupt = |number| (ErrorKind::Corrupt, Some(manifest(number)));
    assert_eq!(told(with(of(1), 0)), corrupt(2), "the newest is gone");
    assert_eq!(told(with(Recorded { hash: [9; 32], ..of(2) }, 1)), corrupt(2), "another one");
    assert_eq!(told(with(of(3), 9)), corrupt(3), "does not follow");
    assert_eq!(told(with(of(4), 3)), corrupt(4), "of another journal");
    let later = manifest(2);
    storage.make_folder("manifest").unwrap();
    drop(storage.create(&later).unwrap());
    assert_eq!(with(of(1), 0).unwrap(), [1, 2], "a writer has published since");
    storage.remove(&later).unwrap();
    // A lost manifest is named even where the one before it needs files that are gone.
    let stale = Wanted { from: 0, to: 0, manifest: of(1), ..wanted(0, false) };
    assert_eq!(told(commits_of(&storage, stale)), corrupt(2));
}

#[test]
fn the_newest_file_that_a_manifest_names_must_be_there() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, [1]);
    drop(journal);
    let resumed = resume(&storage, 3);
    commit(&resumed, [resumed.base().0 + 1]);
    let named = Wanted { to: 2, ..wanted(0, false) };
    assert_eq!(commits_of(&storage, named).unwrap().len(), 2);
    storage.remove(&path(2)).unwrap();
    let error = commits_of(&storage, named).unwrap_err();
    assert_eq!((error.kind(), error.file()), (ErrorKind::Corrupt, Some(&*path(2))));
}

#[test]
fn an_end_frame_proves_every_byte_before_it() {
    let storage = place();
    let journal: Journal = first(&storage);
    commit(&journal, 1..=2);
    journal.record(Recorded { number: 1, hash: [1; 32] }).unwrap();
    journal.close().unwrap();
    let end = usize::try_from(journal.bytes()).unwrap() - 56;
    let whole = content(&storage, &path(1));
    for byte in 4096..end {
        let mut damaged = whole.clone();
        damaged[byte] ^= 4;
        let storage = with_content(&storage, &path(1), &damaged);
        let wanted = Wanted { manifest: Recorded { number: 1, hash: [1; 32] }, ..wanted(0, false) };
        let error = commits_of(&storage, wanted).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {byte}");
    }
}

/// Memory that counts the syncs of readers, and reads the first frame wrong at first.
#[derive(Debug)]
struct Watched {
    memory: Memory,
    syncs: AtomicU64,
    can_sync: bool,
    wrong_reads: AtomicU64,
}

impl Watched {
    fn over(memory: &Memory) -> Self {
        let (syncs, wrong_reads) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { memory: memory.clone(), syncs, can_sync: true, wrong_reads }
    }
}

#[derive(Debug)]
struct WatchedFile(Arc<dyn ReadFile>, AtomicU64);

impl ReadFile for WatchedFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)?;
        let left = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        let frame = usize::try_from(4096_u64.saturating_sub(offset)).unwrap() + 60;
        if left.is_ok() && offset <= 4096 && frame < out.len() {
            out[frame] ^= 1;
        }
        Ok(())
    }
    fn bytes(&self) -> io::Result<u64> {
        self.0.bytes()
    }
}

impl Bend for Watched {
    fn below(&self) -> &dyn Storage {
        &self.memory
    }
    fn opened(&self, path: &str) -> io::Result<Arc<dyn ReadFile>> {
        let wrong = AtomicU64::new(self.wrong_reads.load(Ordering::SeqCst));
        Ok(Arc::new(WatchedFile(self.memory.open(path)?, wrong)))
    }
    fn synced(&self, path: &str) -> io::Result<()> {
        if !self.can_sync {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let _before = self.syncs.fetch_add(1, Ordering::SeqCst);
        self.memory.sync_file(path)
    }
}
