//! What the journal promises, on storages that can be bent and broken.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::DroppedTail;
use super::writer::AHEAD_FROM_BYTES;
use super::{Chain, FileHeader, Journal, Recorded, Recovery, Wanted, recover};
use crate::error::{Error, ErrorKind, Result};
use crate::format::names::{JOURNAL, journal as path};
use crate::storage::bent::Bend;
use crate::storage::{Disk, Memory, Storage, WriteFile};
use crate::types::Sequence;

const ARCHIVE: [u8; 16] = [1; 16];
const NONCE: [u8; 16] = [2; 16];
/// What follows a commit once it is durable.
const PROOF_BYTES: u64 = 56;

pub(super) fn place() -> Memory {
    let memory = Memory::new();
    memory.make_folder(JOURNAL).unwrap();
    memory
}

pub(super) fn start(
    storage: &dyn Storage,
    number: u64,
    last: u64,
    chain: Chain,
) -> Result<Journal> {
    let (last, manifest) = (Sequence(last), Recorded::default());
    let (archive, nonce, base) = (ARCHIVE, NONCE, last);
    Journal::start(storage, FileHeader { archive, nonce, number, last, chain, base, manifest })
}

pub(super) fn wanted(after: u64, live: bool) -> Wanted {
    Wanted {
        archive: ARCHIVE,
        from: 1,
        to: 1,
        after: Sequence(after),
        manifest: Recorded::default(),
        previous: [0; 32],
        live,
    }
}

pub(super) fn first(storage: &Memory) -> Journal {
    start(storage, 1, 0, Chain::default()).unwrap()
}

/// Distinct, compressible, of many lengths.
pub(super) fn payload(sequence: u64) -> Vec<u8> {
    let length = usize::try_from(sequence * 37 % 300).unwrap();
    format!("commit {sequence} ").into_bytes().into_iter().cycle().take(length).collect()
}

pub(super) fn commit(journal: &Journal, sequences: impl IntoIterator<Item = u64>) {
    for sequence in sequences {
        let _ = journal.append(Sequence(sequence), &payload(sequence)).unwrap();
        journal.wait(Sequence(sequence)).unwrap();
    }
}

pub(super) type Commits = Vec<(u64, Vec<u8>)>;

pub(super) fn read(storage: &Memory, after: u64, live: bool) -> Result<(Recovery, Commits)> {
    let mut commits = Vec::new();
    let mut visit = |sequence: Sequence, _: Chain, payload: &[u8]| {
        commits.push((sequence.0, payload.to_vec()));
        Ok(())
    };
    let recovery = recover(storage, wanted(after, live), &mut visit)?;
    Ok((recovery, commits))
}

fn commits(storage: &Memory) -> Result<Vec<u64>> {
    let (_, commits) = read(storage, 0, false)?;
    for (sequence, found) in &commits {
        assert_eq!(*found, payload(*sequence), "commit {sequence}");
    }
    Ok(commits.into_iter().map(|(sequence, _)| sequence).collect())
}

pub(super) fn resume(storage: &Memory, nonce: u8) -> Journal {
    let (recovery, _) = read(storage, 0, false).unwrap();
    Journal::resume(storage, &wanted(0, false), [nonce; 16], &recovery).unwrap()
}

pub(super) fn content(storage: &Memory, path: &str) -> Vec<u8> {
    let file = storage.open(path).unwrap();
    let mut out = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    file.read_at(0, &mut out).unwrap();
    out
}

pub(super) fn with_content(storage: &Memory, path: &str, bytes: &[u8]) -> Memory {
    let fork = storage.fork();
    fork.remove(path).unwrap();
    fork.create(path).unwrap().write_at(0, bytes).unwrap();
    fork
}

#[test]
fn commits_come_back_in_order_with_what_is_known_about_them() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=40);
    let _ = journal.append(Sequence(50), b"").unwrap();
    let (recovery, commits) = read(&storage, 38, false).unwrap();
    let expected = vec![(39, payload(39)), (40, payload(40)), (50, Vec::new())];
    assert_eq!(commits, expected);
    assert_eq!((recovery.last, recovery.acknowledged), (Sequence(50), Sequence(40)));
    assert!(recovery.unproven.is_some(), "the last commit was not waited for");
    assert_eq!((recovery.chain, recovery.highest, recovery.torn), (journal.chain(), 1, None));
    assert_eq!(recovery.bytes, content(&storage, &path(1)).len() as u64);
}

#[test]
fn a_frame_torn_at_any_byte_is_dropped_and_the_next_file_goes_on_before_it() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=3);
    let before = usize::try_from(journal.bytes()).unwrap();
    let _ = journal.append(Sequence(4), &payload(4)).unwrap();
    let end = usize::try_from(journal.bytes()).unwrap();
    let whole = content(&storage, &path(1));
    for kept in before..end {
        let mut zeroed = whole.clone();
        zeroed[kept..].fill(0);
        let cut = whole[..kept].to_vec();
        for torn in [zeroed, cut] {
            // Where the rest was zero anyway, zeroing it tears nothing.
            if torn.get(..end) != whole.get(..end) {
                check_torn(&with_content(&storage, &path(1), &torn), before, kept);
            }
        }
    }
}

fn check_torn(storage: &Memory, before: usize, kept: usize) {
    let bytes = content(storage, &path(1));
    let left = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let tail = |bytes| DroppedTail { file: path(1), offset: before as u64, bytes };
    let torn = left.checked_sub(before).filter(|bytes| *bytes > 0).map(|bytes| tail(bytes as u64));
    for live in [false, true] {
        assert_eq!(read(storage, 0, live).unwrap().0.torn, torn, "kept {kept}");
    }
    assert_eq!(commits(storage).unwrap(), [1, 2, 3], "kept {kept}");
    commit(&resume(storage, 3), 4..=5);
    assert_eq!(commits(storage).unwrap(), [1, 2, 3, 4, 5], "kept {kept}");
}

#[test]
fn any_flipped_bit_before_the_last_frame_is_lost_data_with_file_and_offset() {
    let storage = place();
    let journal = first(&storage);
    let mut starts = Vec::new();
    for sequence in 1..=5 {
        starts.push(journal.bytes());
        commit(&journal, [sequence]);
        starts.push(journal.bytes() - PROOF_BYTES);
    }
    let whole = content(&storage, &path(1));
    let (first, last) = (starts[0], starts[9]);
    for bit in first * 8..last * 8 {
        let (byte, mask) = (usize::try_from(bit / 8).unwrap(), 1 << (bit % 8));
        let mut damaged = whole.clone();
        damaged[byte] ^= mask;
        let storage = with_content(&storage, &path(1), &damaged);
        let start = starts.iter().rfind(|start| **start <= bit / 8).copied();
        for live in [false, true] {
            let error = read(&storage, 0, live).unwrap_err();
            let found = (error.kind(), error.file(), error.offset());
            assert_eq!(found, (ErrorKind::Corrupt, Some(&*path(1)), start), "bit {bit}");
            assert!(error.to_string().contains("lost acknowledged data"), "{error}");
        }
    }
}

#[test]
fn a_sealed_file_notices_damage_in_its_last_commit_and_behind_its_end() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=2);
    let last = usize::try_from(journal.bytes()).unwrap();
    commit(&journal, [3]);
    let end = usize::try_from(journal.bytes()).unwrap();
    journal.close().unwrap();
    let mut whole = content(&storage, &path(1));
    whole.resize(whole.len() + 4096, 0);
    assert_eq!(commits(&with_content(&storage, &path(1), &whole)).unwrap(), [1, 2, 3]);
    let behind = usize::try_from(journal.bytes()).unwrap();
    for byte in (last..end).chain([behind, whole.len() - 1]) {
        let mut damaged = whole.clone();
        damaged[byte] ^= 1;
        let error = commits(&with_content(&storage, &path(1), &damaged)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {byte}");
        let proof = end - usize::try_from(PROOF_BYTES).unwrap();
        let place = if byte < proof {
            last
        } else if byte < end {
            proof
        } else {
            behind
        };
        assert_eq!(error.offset(), Some(place as u64));
    }
}

#[test]
fn unacknowledged_frames_behind_a_torn_one_are_no_loss() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=2);
    let torn = usize::try_from(journal.bytes()).unwrap();
    let _ = journal.append(Sequence(3), &payload(3)).unwrap();
    let _ = journal.append(Sequence(4), &payload(4)).unwrap();
    let mut bytes = content(&storage, &path(1));
    bytes[torn + 60] ^= 1;
    let storage = with_content(&storage, &path(1), &bytes);
    assert_eq!(commits(&storage).unwrap(), [1, 2]);
    commit(&resume(&storage, 3), 3..=6);
    assert_eq!(commits(&storage).unwrap(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_chain_goes_through_sealed_files_and_every_missing_one_is_noticed() {
    let storage = place();
    let mut journal = first(&storage);
    for number in 2..=4 {
        let last = journal.acknowledged().0;
        commit(&journal, last + 1..=last + 3);
        journal.close().unwrap();
        journal = start(&storage, number, last + 3, journal.chain()).unwrap();
    }
    assert_eq!(commits(&storage).unwrap(), (1..=9).collect::<Vec<u64>>());
    for number in 1..=3 {
        let storage = storage.fork();
        storage.remove(&path(number)).unwrap();
        let error = commits(&storage).unwrap_err();
        let found = (error.kind(), error.file());
        assert_eq!(found, (ErrorKind::Corrupt, Some(&*path(number))), "{error}");
    }
}

#[test]
fn a_torn_frame_in_a_file_that_has_a_follower_is_lost_data() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=3);
    let end = usize::try_from(journal.bytes() - PROOF_BYTES).unwrap();
    journal.close().unwrap();
    let next = start(&storage, 2, 3, journal.chain()).unwrap();
    commit(&next, 4..=4);
    let cut = content(&storage, &path(1))[..end - 1].to_vec();
    let error = commits(&with_content(&storage, &path(1), &cut)).unwrap_err();
    assert_eq!((error.kind(), error.file()), (ErrorKind::Corrupt, Some(&*path(1))));
}

#[test]
fn what_resuming_wrote_again_survives_the_loss_of_the_unsynced_original() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=2);
    let synced = usize::try_from(journal.bytes()).unwrap();
    for sequence in 3..=9 {
        let _ = journal.append(Sequence(sequence), &payload(sequence)).unwrap();
    }
    let resumed = resume(&storage, 3);
    assert_eq!((resumed.number(), resumed.acknowledged()), (2, Sequence(9)));
    commit(&resumed, 10..=11);
    let expected: Vec<u64> = (1..=11).collect();
    assert_eq!(commits(&storage).unwrap(), expected);
    let cut = content(&storage, &path(1))[..synced].to_vec();
    let storage = with_content(&storage, &path(1), &cut);
    assert_eq!(commits(&storage).unwrap(), expected);
    commit(&resume(&storage, 4), [12]);
    assert_eq!(commits(&storage).unwrap(), (1..=12).collect::<Vec<u64>>());
}

#[test]
fn a_sealed_journal_goes_on_without_writing_anything_again() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=9);
    journal.close().unwrap();
    assert_eq!(read(&storage, 0, false).unwrap().0.unproven, None);
    let resumed = resume(&storage, 3);
    assert_eq!((resumed.number(), resumed.bytes()), (2, 4096));
    assert_eq!(start(&storage, 2, 9, journal.chain()).unwrap_err().kind(), ErrorKind::Exists);
    commit(&resumed, [10]);
    assert_eq!(commits(&storage).unwrap(), (1..=10).collect::<Vec<u64>>());
}

#[test]
fn a_folder_on_disk_holds_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new(folder.path());
    disk.make_folder(JOURNAL).unwrap();
    let journal = start(&disk, 1, 0, Chain::default()).unwrap();
    commit(&journal, 1..=5);
    drop(journal);
    let mut seen = Vec::new();
    let mut visit = |sequence: Sequence, _: Chain, found: &[u8]| {
        seen.push(sequence.0);
        assert_eq!(found, payload(sequence.0));
        Ok(())
    };
    let recovery = recover(&disk, wanted(0, false), &mut visit).unwrap();
    let journal = Journal::resume(&disk, &wanted(0, false), [3; 16], &recovery).unwrap();
    commit(&journal, 6..=7);
    let _recovery = recover(&disk, wanted(5, true), &mut visit).unwrap();
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn sequences_that_went_straight_to_sealed_files_leave_no_gap() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=2);
    journal.close().unwrap();
    let next = start(&storage, 2, 7, journal.chain()).unwrap();
    commit(&next, [8]);
    let (recovery, commits) = read(&storage, 7, false).unwrap();
    assert_eq!(commits, [(8, payload(8))]);
    assert_eq!(recovery.last, Sequence(8));
    let error = read(&storage, 6, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "a manifest too old for the journal: {error}");
}

#[test]
fn a_file_without_a_valid_header_is_damage_and_a_temporary_one_is_nobody() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=2);
    storage.create(&format!("{}.tmp", path(2))).unwrap().write_at(0, b"half").unwrap();
    assert_eq!(commits(&storage).unwrap(), [1, 2]);
    let resumed = resume(&storage, 3);
    assert_eq!(storage.list(JOURNAL).unwrap().len(), 2, "the leftover went");
    assert_eq!(resumed.number(), 2);
    for damaged in [vec![], vec![0; 4095], vec![0; 8192]] {
        let error = commits(&with_content(&storage, &path(2), &damaged)).unwrap_err();
        assert_eq!((error.kind(), error.file()), (ErrorKind::Corrupt, Some(&*path(2))));
    }
}

#[test]
fn a_file_of_another_archive_or_number_is_refused() {
    let storage = place();
    drop(first(&storage));
    let elsewhere =
        recover(&storage, Wanted { archive: [9; 16], ..wanted(0, false) }, &mut |_, _, _| Ok(()));
    assert_eq!(elsewhere.unwrap_err().kind(), ErrorKind::Corrupt);
    storage.rename(&path(1), &path(2)).unwrap();
    let renamed =
        recover(&storage, Wanted { from: 2, to: 2, ..wanted(0, false) }, &mut |_, _, _| Ok(()));
    assert_eq!(renamed.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn what_the_visitor_says_stops_the_reading() {
    let storage = place();
    commit(&first(&storage), 1..=3);
    let mut visit = |sequence: Sequence, _: Chain, _: &[u8]| {
        if sequence == Sequence(2) { Err(Error::invalid("enough")) } else { Ok(()) }
    };
    let error = recover(&storage, wanted(0, false), &mut visit).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn small_commits_do_not_grow_a_long_file_and_large_ones_come_back() {
    let storage = place();
    let journal = first(&storage);
    commit(&journal, 1..=20);
    let length = || content(&storage, &path(1)).len() as u64;
    assert_eq!(length(), journal.bytes(), "a short file has each byte written once");
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    })
    .take(3 << 20)
    .collect();
    let _ = journal.append(Sequence(21), &noise).unwrap();
    assert_eq!(length(), journal.bytes(), "nor is anything written ahead of a large frame");
    let _ = journal.append(Sequence(22), &payload(22)).unwrap();
    let ahead = length() - journal.bytes();
    assert!(ahead > AHEAD_FROM_BYTES / 4 && journal.bytes() > AHEAD_FROM_BYTES, "{ahead}");
    let before = length();
    commit(&journal, 23..=40);
    assert_eq!(length(), before, "a long one does not grow with each frame");
    let (_, commits) = read(&storage, 20, false).unwrap();
    assert!(commits[..2] == [(21, noise), (22, payload(22))] && commits.len() == 20);
}

/// Memory whose writes and syncs count, wait and fail on demand.
#[derive(Clone, Debug)]
struct Faulty {
    memory: Memory,
    faults: Arc<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    writes_fail: AtomicBool,
    syncs_fail: AtomicBool,
    syncs: AtomicU64,
}

impl Faulty {
    fn new() -> Self {
        Self { memory: place(), faults: Arc::default() }
    }

    fn syncs(&self) -> u64 {
        self.faults.syncs.load(Ordering::SeqCst)
    }
}

impl Bend for Faulty {
    fn below(&self) -> &dyn Storage {
        &self.memory
    }
    fn created(&self, path: &str) -> io::Result<Box<dyn WriteFile>> {
        let (file, faults) = (self.memory.create(path)?, Arc::clone(&self.faults));
        Ok(Box::new(FaultyFile { file, faults }))
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn WriteFile>,
    faults: Arc<Faults>,
}

impl WriteFile for FaultyFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.faults.writes_fail.load(Ordering::SeqCst) {
            self.file.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        let _ = self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(2));
        if self.faults.syncs_fail.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is gone"));
        }
        self.file.sync()
    }
}

/// Eight threads commit 25 times each; gives how each thread's last wait ended.
fn commit_together(journal: &Journal) -> Vec<Result<()>> {
    let next = std::sync::Mutex::new(1);
    let one = || {
        let sequence = {
            let mut next = next.lock().unwrap();
            let _ = journal.append(Sequence(*next), &payload(*next))?;
            *next += 1;
            Sequence(*next - 1)
        };
        journal.wait(sequence)?;
        assert!(journal.acknowledged() >= sequence);
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..25).try_for_each(|_| one()))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn threads_that_commit_together_share_syncs() {
    let storage = Faulty::new();
    let journal = start(&storage, 1, 0, Chain::default()).unwrap();
    let before = storage.syncs();
    let ends = commit_together(&journal);
    assert!(ends.iter().all(Result::is_ok), "{ends:?}");
    assert!(storage.syncs() - before < 150, "{} syncs for 200 commits", storage.syncs() - before);
    assert_eq!(commits(&storage.memory).unwrap(), (1..=200).collect::<Vec<u64>>());
}

#[test]
fn a_failed_sync_stops_every_waiter_and_everything_later() {
    let storage = Faulty::new();
    let journal = start(&storage, 1, 0, Chain::default()).unwrap();
    commit(&journal, 1..=3);
    storage.faults.syncs_fail.store(true, Ordering::SeqCst);
    for sequence in 4..=9 {
        let _ = journal.append(Sequence(sequence), b"doomed").unwrap();
    }
    let before = storage.syncs();
    let ends: Vec<Result<()>> = std::thread::scope(|scope| {
        let wait = |sequence| journal.wait(Sequence(sequence));
        let threads: Vec<_> = (4..=9).map(|sequence| scope.spawn(move || wait(sequence))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    storage.faults.syncs_fail.store(false, Ordering::SeqCst);
    let later =
        [journal.wait(Sequence(9)), journal.append(Sequence(10), b"x").map(drop), journal.close()];
    for end in ends.into_iter().chain(later) {
        let error = end.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stopped);
        let cause = std::error::Error::source(&error).and_then(std::error::Error::source);
        let cause = cause.map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("the disk is gone"), "every error keeps the cause");
    }
    assert_eq!(storage.syncs() - before, 1, "no retry");
    assert_eq!(journal.acknowledged(), Sequence(3));
    assert!(journal.wait(Sequence(3)).is_ok(), "what is durable stays acknowledged");
}

#[test]
fn a_full_disk_stops_the_journal_and_loses_nothing_acknowledged() {
    let storage = Faulty::new();
    let journal = start(&storage, 1, 0, Chain::default()).unwrap();
    commit(&journal, 1..=3);
    storage.faults.writes_fail.store(true, Ordering::SeqCst);
    let failed = journal.append(Sequence(4), &payload(4)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Stopped);
    storage.faults.writes_fail.store(false, Ordering::SeqCst);
    let later = journal.append(Sequence(5), &payload(5)).unwrap_err();
    assert_eq!(later.kind(), ErrorKind::Stopped, "no retry");
    assert_eq!(commits(&storage.memory).unwrap(), [1, 2, 3]);
    commit(&resume(&storage.memory, 3), 4..=5);
    assert_eq!(commits(&storage.memory).unwrap(), [1, 2, 3, 4, 5]);
}
