//! Copies of an archive: made beside its writer, stopped, killed, resumed, brought up to date, and
//! refused where they would lose something.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chatvault_engine::{
    Archive, CopyOptions, CopyReport, Depth, ErrorKind, Host, Memory, RecordKind, Result, Storage,
    continue_if,
};
use chatvault_support::storage::{Faulty, Operation, files_in, read_whole};
use chatvault_support::{Draft, SteppingClock};

use crate::kit::{ORIGIN, ada, everything, files, go_on, host, rows, small};

const FOLDERS: [&str; 5] = ["", "manifest", "journal", "segments", "objects"];

fn place() -> Arc<dyn Storage> {
    Arc::new(Memory::new())
}

fn write(archive: &Archive, number: i64) {
    let mut batch = archive.batch(archive.begin_run("copies").unwrap());
    for nth in 0..8 {
        let document = Draft::chat(&format!("19:c{nth}"), number * 1_000 + nth).text("words");
        batch.offer(&ada(), RecordKind::Message, document.json().as_bytes(), ORIGIN);
    }
    batch.offer(&ada(), RecordKind::Message, format!("{{broken {number}").as_bytes(), ORIGIN);
    drop(batch.commit().unwrap());
}

/// Every kind of file, and rows in the journal.
fn archive(place: &Arc<dyn Storage>) -> Archive {
    let archive = Archive::create(host(place), small()).unwrap();
    for number in 1..4 {
        write(&archive, number);
        archive.seal().unwrap();
    }
    let _ = archive.put_object(&mut &vec![7; 400_000][..]).unwrap();
    archive.seal().unwrap();
    write(&archive, 4);
    archive
}

fn copy(archive: &Archive, to: &Arc<dyn Storage>) -> Result<CopyReport> {
    archive.copy_to(&host(to), CopyOptions::default(), &mut go_on)
}

/// Names and bytes of the archive's own files; of a journal only what is used.
fn contents(place: &Arc<dyn Storage>) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (path, _) in FOLDERS.iter().flat_map(|folder| files_in(&**place, folder).unwrap()) {
        let mut bytes = read_whole(&**place, &path).unwrap();
        if path.starts_with("journal") {
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes.truncate(used.next_multiple_of(8));
        }
        if path != "LOCK" {
            drop(all.insert(path, bytes));
        }
    }
    all
}

/// The copy is sound and has what a snapshot of the archive had.
fn check(to: &Arc<dyn Storage>, archive: &Archive, sequence: u64) {
    let copy = Archive::open_read_only(host(to), small()).unwrap();
    let report = copy.verify(Depth::Deep, &mut go_on).unwrap();
    assert_eq!((report.damages, report.strangers), (vec![], vec![]));
    let (theirs, ours) = (copy.snapshot().unwrap(), archive.snapshot().unwrap());
    assert_eq!(theirs.archive(), ours.archive());
    assert_eq!(theirs.sequence().0, sequence);
    let mut expected = rows(&ours, &everything()).unwrap();
    expected.retain(|row| row.sequence.0 <= sequence);
    assert!(rows(&theirs, &everything()).unwrap() == expected, "rows differ");
}

#[test]
fn a_copy_has_every_byte_and_goes_on_as_the_archive_would() {
    let (from, to) = (place(), place());
    let archive = archive(&from);
    let report = copy(&archive, &to).unwrap();
    assert!(report.finished && report.copied_files == report.files && report.files > 6);
    assert_eq!(contents(&to), contents(&from));
    check(&to, &archive, report.sequence.0);
    let again = copy(&archive, &to).unwrap();
    assert_eq!((again.copied_files, again.sequence), (0, report.sequence));
    let reader = Archive::open_read_only(host(&from), small()).unwrap();
    let other = place();
    assert_eq!(copy(&reader, &other).unwrap().sequence, report.sequence);
    let own = Archive::open(host(&other), small()).unwrap();
    write(&own, 5);
    own.close().unwrap();
    assert!(Archive::open(host(&other), small()).unwrap().close().is_ok());
}

#[test]
fn a_copy_is_brought_up_to_date_with_new_files_only() {
    let (from, to) = (place(), place());
    let archive = archive(&from);
    let _ = copy(&archive, &to).unwrap();
    for round in 1..30_i64 {
        write(&archive, 10 + round);
        match round % 5 {
            0 => archive.seal().unwrap(),
            3 => assert!(archive.compact(&mut go_on).unwrap().finished),
            _ => {}
        }
        let report = copy(&archive, &to).unwrap();
        assert!(report.copied_files <= 5, "round {round}: {report:?}");
        assert_eq!(contents(&to), contents(&from), "round {round}");
        check(&to, &archive, report.sequence.0);
    }
}

#[test]
fn a_copy_that_was_stopped_or_killed_is_finished_by_the_next_one() {
    let from = place();
    let archive = archive(&from);
    let (nothing, earlier) = (Memory::new(), Memory::new());
    let _ = copy(&archive, &(Arc::new(earlier.clone()) as Arc<dyn Storage>)).unwrap();
    write(&archive, 5);
    archive.seal().unwrap();
    assert!(archive.compact(&mut go_on).unwrap().finished);
    write(&archive, 6);
    for before in [&nothing, &earlier] {
        for steps in 0.. {
            let to: Arc<dyn Storage> = Arc::new(before.fork());
            let faulty = Faulty::over(Arc::clone(&to));
            faulty.stop_after(steps);
            let cut = copy(&archive, &faulty.storage());
            if let Ok(copy) = Archive::open_read_only(host(&to), small()) {
                // The copy of before, or all of the new one, whose older manifests come last.
                let damages = copy.verify(Depth::Deep, &mut go_on).unwrap().damages;
                let older = |file: &str| file.starts_with("manifest/");
                assert!(damages.iter().all(|damage| older(&damage.file)), "{steps}: {damages:?}");
            }
            let report = copy(&archive, &to).unwrap();
            assert_eq!(contents(&to), contents(&from), "cut after {steps} steps");
            check(&to, &archive, report.sequence.0);
            if cut.is_ok() {
                break;
            }
        }
    }
    let to = place();
    let mut left = 4;
    let stopped = archive.copy_to(&host(&to), CopyOptions::default(), &mut |_| {
        left -= 1;
        continue_if(left > 0)
    });
    assert!(!stopped.unwrap().finished);
    assert!(Archive::open_read_only(host(&to), small()).is_err());
    let report = copy(&archive, &to).unwrap();
    assert!(report.finished && report.copied_files < report.files);
    check(&to, &archive, report.sequence.0);
}

#[test]
fn a_copy_that_a_newer_manifest_overtook_leaves_nothing_behind() {
    let (from, to) = (place(), place());
    let archive = archive(&from);
    let mut looks = 0;
    let report = archive.copy_to(&host(&to), CopyOptions::default(), &mut |_| {
        looks += 1;
        if looks < 4 {
            write(&archive, 5 + looks);
            archive.seal().unwrap();
        }
        continue_if(true)
    });
    let report = report.unwrap();
    assert!(report.finished && looks > 4);
    assert_eq!(contents(&to), contents(&from));
    check(&to, &archive, report.sequence.0);
}

/// The writer goes on in a new journal file while sealed files are copied, and its seal never comes to
/// an end: no manifest says that there is another moment by now.
#[test]
fn a_journal_file_begun_after_the_copied_moment_is_left_out() {
    let (from, to) = (place(), place());
    let faulty = Faulty::over(Arc::clone(&from));
    let mut options = small();
    options.memtable_bytes = 1;
    let archive = Archive::create(host(&faulty.storage()), options).unwrap();
    write(&archive, 1);
    archive.seal().unwrap();
    write(&archive, 2);
    let newest = |place: &Arc<dyn Storage>| files_in(&**place, "journal").unwrap().pop().unwrap().0;
    let (moment, before) = (archive.snapshot().unwrap().sequence(), newest(&from));
    let report = archive.copy_to(&host(&to), CopyOptions::default(), &mut |_| {
        if newest(&from) == before {
            // The first file that is made is the journal's, the second one the segment's.
            faulty.fail_after(Operation::Create, 1);
            write(&archive, 3);
        }
        continue_if(true)
    });
    let report = report.unwrap();
    assert!(newest(&from) > before, "the writer went on in another file");
    assert_eq!((report.finished, report.sequence, newest(&to)), (true, moment, before));
    check(&to, &archive, moment.0);
}

/// Tells the writer to stop, also when a copy beside it was found wrong.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Commits, seals and merges until told to stop; copies beside it are sound and hold at least what
/// was acknowledged before they began.
fn copy_beside_a_writer(
    from: &Arc<dyn Storage>,
    rounds: usize,
    to: impl Fn(usize) -> Arc<dyn Storage>,
) {
    let mut options = small();
    options.background_compaction = true;
    options.grace_seconds = 0;
    let archive = Archive::create(host(from), options).unwrap();
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 1.. {
                write(&archive, number);
                let sequence = archive.snapshot().unwrap().sequence().0;
                acknowledged.store(sequence, Ordering::SeqCst);
                if number % 9 == 0 {
                    archive.seal().unwrap();
                }
                if number % 100 == 0 {
                    let _ = archive.compact(&mut go_on).unwrap();
                }
                if stop.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let told = Stop(&stop);
        let reader = Archive::open_read_only(host(from), small()).unwrap();
        for round in 0..rounds {
            let to = to(round % 3);
            let before = acknowledged.load(Ordering::SeqCst);
            let source = if round % 2 == 0 { &archive } else { &reader };
            let report = copy(source, &to).unwrap();
            assert!(report.finished && report.sequence.0 >= before, "round {round}: {report:?}");
            check(&to, &archive, report.sequence.0);
        }
        drop(told);
        writer.join().unwrap();
    });
}

#[test]
fn copies_beside_a_writer_in_memory_are_sound() {
    let places = [place(), place(), place()];
    copy_beside_a_writer(&place(), 12, |number| Arc::clone(&places[number]));
    assert!(places.iter().all(|place| place.open("FORMAT").is_ok()));
}

#[test]
fn copies_beside_a_writer_on_disk_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| Host::disk(folder.path().join(name)).storage;
    // Few: each commit waits for a real sync.
    copy_beside_a_writer(&at("archive"), 4, |number| at(&format!("copy{number}")));
    assert!((0..3).all(|number| at(&format!("copy{number}")).open("FORMAT").is_ok()));
}

#[test]
fn what_is_no_earlier_copy_is_refused_and_left_alone() {
    let (from, to) = (place(), place());
    let source = archive(&from);
    let _ = copy(&source, &to).unwrap();
    let own = Archive::open(host(&to), small()).unwrap();
    let locked = copy(&source, &to).unwrap_err();
    assert_eq!(locked.kind(), ErrorKind::Locked, "{locked}");
    write(&own, 77);
    own.close().unwrap();
    let other = place();
    let clock = Arc::new(SteppingClock::new(2));
    let stranger = Host { storage: Arc::clone(&other), clock };
    Archive::create(stranger, small()).unwrap().close().unwrap();
    let odd = place();
    odd.make_folder("").unwrap();
    drop(odd.create("notes.txt").unwrap());
    for place in [&to, &other, &odd] {
        let before = contents(place);
        let refused = copy(&source, place).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Exists, "{refused}");
        assert_eq!(contents(place), before);
    }
    // The archive was put back from an older copy, so this one is ahead of it.
    let (ahead, older) = (place(), place());
    let _ = copy(&source, &older).unwrap();
    write(&source, 88);
    let _ = copy(&source, &ahead).unwrap();
    let older = Archive::open_read_only(host(&older), small()).unwrap();
    let refused = copy(&older, &ahead).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Exists, "{refused}");
}

#[test]
fn damage_in_a_sealed_file_is_told_and_not_copied() {
    let from = place();
    let source = archive(&from);
    for (path, _) in ["segments", "objects"].iter().flat_map(|f| files_in(&*from, f).unwrap()) {
        let whole = read_whole(&*from, &path).unwrap();
        let mut wrong = whole.clone();
        let middle = wrong.len() / 2;
        wrong[middle] ^= 1;
        chatvault_support::storage::write_whole(&*from, &path, &wrong).unwrap();
        let to = place();
        let error = copy(&source, &to).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{path}: {error}");
        assert_eq!(
            Archive::open_read_only(host(&to), small()).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        chatvault_support::storage::write_whole(&*from, &path, &whole).unwrap();
        let _ = copy(&source, &to).unwrap();
    }
}

#[test]
fn sealed_files_can_be_linked_on_one_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("a"), folder.path().join("b"));
    let source = archive(&Host::disk(&from).storage);
    let mut options = CopyOptions::default();
    options.link = true;
    let report = source.copy_to(&Host::disk(&to), options, &mut go_on).unwrap();
    assert!(report.finished);
    check(&Host::disk(&to).storage, &source, report.sequence.0);
    assert!(files::are_one(&from, &to, "segments/0000000000000001.seg"));
    let error = source.copy_to(&host(&place()), options, &mut go_on).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}
