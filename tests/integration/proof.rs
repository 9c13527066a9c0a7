//! Journal and manifests prove each other, readers show what is durable, and no writer touches an
//! archive that is not its own any more.

use std::sync::Arc;

use chatvault_engine::{
    Archive, Depth, Error, ErrorKind, Host, MessageKey, Options, RecordKind, Result, Sequence,
    Storage, Stored,
};
use chatvault_support::storage::{
    Faulty, Operation, Survival, Volatile, files_in, flip_bit, read_whole, write_whole,
};
use chatvault_support::{Draft, SteppingClock};

use crate::kit::{ORIGIN, ada, everything, go_on, host, rows, small};

/// Commits a few messages; gives the commit's number.
fn write(archive: &Archive, number: i64) -> Result<Sequence> {
    let mut batch = archive.batch(archive.begin_run("proof")?);
    for nth in 0..4 {
        let text = Draft::chat("19:a", number * 100 + nth + 1).text("some words").json();
        batch.offer(&ada(), RecordKind::Message, text.as_bytes(), ORIGIN);
    }
    Ok(batch.commit()?.sequence)
}

fn link(archive: &Archive, bytes: &[u8]) {
    let object = archive.put_object(&mut &bytes[..]).unwrap();
    let mut batch = archive.batch(archive.begin_run("objects").unwrap());
    let (conversation, id) = ("19:a".to_owned(), "101".to_owned());
    let key = MessageKey { record: RecordKind::Message, conversation, reply_to: None, id };
    batch.link(&key, &format!("{}", bytes.len()), object);
    drop(batch.commit().unwrap());
}

fn all(archive: &Archive) -> Result<Vec<Stored>> {
    rows(&archive.snapshot()?, &everything())
}

type Open = fn(Host, Options) -> Result<Archive>;
const WAYS: [Open; 2] = [Archive::open_read_only, Archive::open];

fn newest(storage: &dyn Storage, folder: &str) -> String {
    files_in(storage, folder).unwrap().pop().unwrap().0
}

/// Without its newest manifest an archive does not open; without its newest journal file it does
/// only if nothing acknowledged was in it.
fn check_losses(disk: &Volatile, expected: &[Stored], what: &str) {
    for open in WAYS {
        let storage = disk.fork().storage();
        let manifest = newest(&*storage, "manifest");
        storage.remove(&manifest).unwrap();
        let error = open(host(&storage), small()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
        let named = error.file() == Some(&*manifest) || manifest.ends_with("01.mft");
        assert!(named, "{what}: {manifest} is gone, told was: {error}");
        let storage = disk.fork().storage();
        let journal = newest(&*storage, "journal");
        storage.remove(&journal).unwrap();
        match open(host(&storage), small()) {
            Ok(archive) => assert!(all(&archive).unwrap() == expected, "{what}: less, silently"),
            Err(error) => {
                let found = (error.kind(), error.file());
                assert_eq!(found, (ErrorKind::Corrupt, Some(&*journal)), "{what}: {error}");
            }
        }
    }
}

#[test]
fn a_lost_newest_manifest_or_journal_file_is_noticed_at_every_step_of_a_life() {
    let disk = Volatile::new();
    let storage = disk.storage();
    let mut archive = Archive::create(host(&storage), small()).unwrap();
    for step in 0..24_i64 {
        match step % 12 {
            0 | 4 | 7 => drop(write(&archive, step).unwrap()),
            1 => link(&archive, &vec![1; usize::try_from(step).unwrap() + 1]),
            2 | 8 => archive.seal().unwrap(),
            5 => link(&archive, b"another object"),
            6 => assert!(archive.compact(&mut go_on).unwrap().finished),
            3 | 10 => {
                drop(archive);
                archive = Archive::open(host(&storage), small()).unwrap();
            }
            _ => {
                archive.close().unwrap();
                check_losses(&disk, &all(&reader(&storage)).unwrap(), &format!("closed {step}"));
                archive = Archive::open(host(&storage), small()).unwrap();
            }
        }
        check_losses(&disk, &all(&archive).unwrap(), &format!("step {step}"));
    }
}

fn reader(storage: &Arc<dyn Storage>) -> Archive {
    Archive::open_read_only(host(storage), small()).unwrap()
}

#[test]
fn an_object_does_not_go_to_the_trash_because_a_manifest_went_missing() {
    let disk = Volatile::new();
    let archive = Archive::create(host(&disk.storage()), small()).unwrap();
    let _ = write(&archive, 1).unwrap();
    link(&archive, b"a picture");
    let storage = disk.fork().storage();
    storage.remove(&newest(&*storage, "manifest")).unwrap();
    assert!(Archive::open(host(&storage), small()).is_err());
    let packs = files_in(&*storage, "objects").unwrap().len();
    assert_eq!((packs, files_in(&*storage, "trash").unwrap()), (1, vec![]));
}

#[test]
fn a_reader_does_not_show_a_commit_whose_sync_failed_and_its_number_is_not_used_again() {
    let disk = Volatile::new();
    let faulty = Faulty::over(disk.storage());
    let archive = Archive::create(host(&faulty.storage()), small()).unwrap();
    let first = write(&archive, 1).unwrap();
    faulty.fail_after(Operation::Sync, 0);
    assert_eq!(write(&archive, 2).unwrap_err().kind(), ErrorKind::Stopped);
    let beside = reader(&disk.storage());
    let unproven = beside.unproven().unwrap();
    assert_eq!((all(&beside).unwrap().len(), unproven.commits), (4, 1));
    let stat = beside.stat().unwrap();
    assert_eq!((stat.commit.sequence, stat.unproven), (first, Some(unproven)));
    assert_eq!((stat.dropped_tail, beside.checkpoint("x").unwrap()), (None, None));
    drop(archive);
    let lost = disk.after_power_cut(Survival::OnlySynced).storage();
    let archive = Archive::open(host(&lost), small()).unwrap();
    assert_eq!(all(&archive).unwrap().len(), 4);
    assert!(write(&archive, 3).unwrap().0 > first.0 + 1000, "somebody may have seen the number");
}

#[test]
fn what_a_reader_has_shown_is_there_after_a_power_cut() {
    let disk = Volatile::new();
    let faulty = Faulty::over(disk.storage());
    let archive = Archive::create(host(&faulty.storage()), small()).unwrap();
    let _ = write(&archive, 1).unwrap();
    // The process is killed between writing and syncing the second commit.
    faulty.fail_after(Operation::Sync, 0);
    drop(write(&archive, 2).unwrap_err());
    drop(archive);
    let shown = all(&reader(&disk.storage())).unwrap();
    assert_eq!(shown.len(), 8);
    let survivor = disk.after_power_cut(Survival::OnlySynced).storage();
    assert!(all(&reader(&survivor)).unwrap() == shown);
    let archive = Archive::open(host(&survivor), small()).unwrap();
    assert!(all(&archive).unwrap() == shown);
}

#[test]
fn damage_in_the_journal_is_found_by_a_reader_too() {
    let disk = Volatile::new();
    let archive = Archive::create(host(&disk.storage()), small()).unwrap();
    let mut ends = Vec::new();
    for number in 1..=5 {
        let _ = write(&archive, number).unwrap();
        let path = newest(&disk, "journal");
        let bytes = read_whole(&disk, &path).unwrap();
        ends.push(bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 - 60);
    }
    let path = newest(&disk, "journal");
    for at in &ends {
        let storage = disk.fork().storage();
        flip_bit(&storage, &path, at * 8).unwrap();
        for open in WAYS {
            let error = open(host(&storage), small()).map(drop).unwrap_err();
            let found = (error.kind(), error.file());
            assert_eq!(found, (ErrorKind::Corrupt, Some(&*path)), "byte {at}: {error}");
        }
        // A reader that has the archive open already finds it when it looks again.
        let storage = disk.fork().storage();
        let open = reader(&storage);
        flip_bit(&storage, &path, at * 8).unwrap();
        assert_eq!(open.snapshot().map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_torn_tail_is_told_with_its_place_and_is_no_damage() {
    let disk = Volatile::new();
    let archive = Archive::create(host(&disk.storage()), small()).unwrap();
    let _ = write(&archive, 1).unwrap();
    assert_eq!((archive.dropped_tail(), archive.unproven()), (None, None));
    let path = newest(&disk, "journal");
    let mut bytes = read_whole(&disk, &path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let start = end.next_multiple_of(8);
    bytes.truncate(start);
    bytes.resize(start + 100, 7);
    let storage = disk.fork().storage();
    write_whole(&*storage, &path, &bytes).unwrap();
    for open in WAYS {
        let archive = open(host(&storage), small()).unwrap();
        let tail = archive.dropped_tail().unwrap();
        assert_eq!((&*tail.file, tail.offset, tail.bytes), (&*path, start as u64, 100));
        assert_eq!(archive.stat().unwrap().dropped_tail, Some(tail.clone()));
        let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
        assert_eq!((report.damages, report.dropped_tail), (vec![], Some(tail)));
    }
    // What is torn behind a closed journal was never written by an archive.
    archive.close().unwrap();
    let path = newest(&disk, "journal");
    let mut bytes = read_whole(&disk, &path).unwrap();
    bytes.extend([7; 8]);
    write_whole(&disk, &path, &bytes).unwrap();
    for open in WAYS {
        let error = open(host(&disk.storage()), small()).map(drop).unwrap_err();
        assert_eq!((error.kind(), error.file()), (ErrorKind::Corrupt, Some(&*path)));
    }
}

/// Nothing tells it from one that a power cut tore in the middle of closing, and nothing is lost by it.
#[test]
fn an_end_frame_that_is_damaged_is_told_as_a_dropped_tail() {
    let disk = Volatile::new();
    let archive = Archive::create(host(&disk.storage()), small()).unwrap();
    let _ = write(&archive, 1).unwrap();
    link(&archive, b"a picture");
    archive.close().unwrap();
    let expected = all(&reader(&disk.storage())).unwrap();
    let path = newest(&disk, "journal");
    let bytes = read_whole(&disk, &path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    let start = end.next_multiple_of(8) - 56;
    for bit in (start * 8..end * 8).step_by(5) {
        let storage = disk.fork().storage();
        flip_bit(&storage, &path, bit).unwrap();
        for open in WAYS {
            let report = reader(&storage).verify(Depth::Deep, &mut go_on).unwrap();
            let archive = open(host(&storage), small()).unwrap();
            let tail = archive.dropped_tail().unwrap();
            assert_eq!((&*tail.file, tail.offset), (&*path, start), "bit {bit}");
            assert_eq!((report.damages, report.dropped_tail), (vec![], Some(tail)), "bit {bit}");
            assert!(all(&archive).unwrap() == expected, "bit {bit}");
        }
    }
}

/// A writer is killed at a folder sync, another goes on, then the power fails.
#[test]
fn names_that_no_sync_made_durable_are_made_so_before_they_are_believed() {
    for after in 0..16 {
        let disk = Volatile::new();
        let faulty = Faulty::over(disk.storage());
        faulty.fail_after(Operation::SyncFolder, after);
        let mut acknowledged = 0;
        let killed = Archive::create(host(&faulty.storage()), small()).and_then(|archive| {
            for number in 1..=6 {
                let _ = write(&archive, number)?;
                acknowledged = number;
                archive.seal()?;
                let _ = archive.put_object(&mut &number.to_le_bytes()[..])?;
                archive.seal()?;
                if number % 2 == 0 {
                    let _ = archive.compact(&mut go_on)?;
                }
            }
            archive.close()
        });
        assert!(killed.is_err() && faulty.has_failed(Operation::SyncFolder));
        let archive = match Archive::open(host(&disk.storage()), small()) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened.unwrap(),
        };
        for number in 10..13 {
            let _ = write(&archive, number).unwrap();
            link(&archive, &number.to_le_bytes());
        }
        let before = all(&archive).unwrap();
        let survivor = disk.after_power_cut(Survival::OnlySynced).storage();
        let archive = Archive::open(host(&survivor), small()).unwrap();
        assert!(all(&archive).unwrap() == before, "killed at folder sync {after}");
        assert!(before.len() >= usize::try_from(acknowledged * 4 + 12).unwrap());
        let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
        assert_eq!(report.damages, [], "killed at folder sync {after}");
    }
}

fn stopped(error: &Error) {
    assert_eq!((error.kind(), error.file()), (ErrorKind::Stopped, Some("LOCK")), "{error}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test moves a folder on disk")]
fn a_writer_whose_archive_was_moved_stops_and_leaves_the_next_one_alone() {
    let place = tempfile::tempdir().unwrap();
    let (old, new) = (place.path().join("a"), place.path().join("b"));
    let writer = Archive::create(Host::disk(&old), small()).unwrap();
    let _ = write(&writer, 1).unwrap();
    std::fs::rename(&old, &new).unwrap();
    let other = Archive::create(Host::disk(&old), small()).unwrap();
    let _ = write(&other, 7).unwrap();
    let before = list(&old);
    stopped(&write(&writer, 2).unwrap_err());
    assert_eq!(writer.seal().unwrap_err().kind(), ErrorKind::Stopped);
    assert_eq!(writer.close().unwrap_err().kind(), ErrorKind::Stopped);
    assert_eq!(list(&old), before, "another archive's files");
    other.close().unwrap();
    for (folder, id) in [(&old, 701), (&new, 101)] {
        let archive = Archive::open(Host::disk(folder), small()).unwrap();
        let found = all(&archive).unwrap();
        assert_eq!((found.len(), &*found[0].key.id), (4, &*id.to_string()));
    }
}

#[expect(clippy::disallowed_methods, reason = "the test looks at a folder on disk")]
fn list(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for inside in ["journal", "manifest", "segments", "objects", "trash"] {
        for entry in std::fs::read_dir(folder.join(inside)).unwrap() {
            names.push(entry.unwrap().path().display().to_string());
        }
    }
    names.sort();
    names
}

#[test]
fn a_writer_whose_lock_was_removed_stops_at_every_kind_of_file() {
    let attempts: [fn(&Archive) -> Result<()>; 3] = [
        |archive| write(archive, 2).map(drop),
        Archive::seal,
        |archive| archive.put_object(&mut &b"x"[..]).and_then(|_| archive.seal()),
    ];
    for attempt in attempts {
        let disk = Volatile::new();
        let archive = Archive::create(host(&disk.storage()), small()).unwrap();
        let _ = write(&archive, 1).unwrap();
        disk.remove("LOCK").unwrap();
        assert_eq!(attempt(&archive).unwrap_err().kind(), ErrorKind::Stopped);
        drop(archive);
        // A stranger may have the lock by now; here it is the next writer.
        let archive = Archive::open(host(&disk.storage()), small()).unwrap();
        assert_eq!(all(&archive).unwrap().len(), 4);
    }
}

#[test]
fn a_reader_that_looks_whether_somebody_writes_keeps_no_writer_out() {
    let folder = tempfile::tempdir().unwrap();
    Archive::create(Host::disk(folder.path()), small()).unwrap().close().unwrap();
    let lock = Host::disk(folder.path()).storage;
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        drop(scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                let _locked = lock.is_locked("LOCK").unwrap();
            }
        }));
        let open = |_| Archive::open(Host::disk(folder.path()), small())?.close();
        let opened: Vec<_> = (0..50).map(open).collect();
        // The thread ends, whatever came of it.
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(opened.iter().all(Result::is_ok), "{opened:?}");
    });
    assert!(!lock.is_locked("LOCK").unwrap());
}

#[test]
fn a_clock_that_jumps_ahead_does_not_empty_the_trash_at_once() {
    let disk = Volatile::new();
    let clock = Arc::new(SteppingClock::new(3));
    let host = || Host { storage: disk.storage(), clock: Arc::<SteppingClock>::clone(&clock) };
    let archive = Archive::create(host(), small()).unwrap();
    for number in 1..=3 {
        let _ = write(&archive, number).unwrap();
        archive.seal().unwrap();
    }
    assert!(archive.compact(&mut go_on).unwrap().finished);
    archive.close().unwrap();
    let trashed = files_in(&disk, "trash").unwrap();
    assert!(trashed.len() >= 3, "{trashed:?}");
    clock.advance_ms(100 * 365 * 24 * 3_600_000);
    drop(Archive::open(host(), small()).unwrap());
    assert_eq!(files_in(&disk, "trash").unwrap(), trashed, "one manifest later");
    for number in 4..=6 {
        let archive = Archive::open(host(), small()).unwrap();
        let _ = write(&archive, number).unwrap();
        archive.close().unwrap();
    }
    drop(Archive::open(host(), small()).unwrap());
    assert_eq!(files_in(&disk, "trash").unwrap(), [], "and two more");
}
