//! Bytes that changed on disk: told with file and place, never answered with less.

use std::collections::BTreeSet;
use std::sync::Arc;

use chatvault_engine::{
    Archive, Damage, Depth, Error, ErrorKind, Scan, Storage, Stored, VerifyReport,
};
use chatvault_support::generate::{Shape, Tenant};
use chatvault_support::storage::{
    AUTHORITATIVE, Volatile, files_in, flip_bit, read_whole, write_whole,
};
use chatvault_support::{Draft, Random, with_cache};

use crate::kit::{self, Vault, ada, everything, go_on, host, rows, small};

/// An archive with everything in it, as a power cut leaves it, and what it must answer.
struct Specimen {
    disk: Volatile,
    expected: Vec<Stored>,
    /// The newest journal, and where its last frame starts: that one may be torn without a trace.
    journal: (String, u64),
}

/// Segments, old manifests, an object, a quarantined copy, and rows that are in the journal only.
fn specimen() -> Specimen {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    let shape = Shape { users: 3, conversations: 4, messages: 150, redressed_percent: 5 };
    let tenant = Tenant::new(4, &shape);
    let copies: Vec<_> = tenant.copies().map(|copy| (copy.custodian, copy.json)).collect();
    let _ = vault.archive().put_object(&mut &vec![7; 100_000][..]).unwrap();
    for (at, batch) in copies.chunks(copies.len() / 6 + 1).enumerate() {
        drop(vault.commit(batch));
        match at {
            1 | 3 => vault.archive().seal().unwrap(),
            2 => vault.compact(),
            _ => {}
        }
    }
    drop(vault.put(&ada(), "no json at all"));
    let newest = files_in(&disk, "journal").unwrap().pop().unwrap().0;
    let used = used_bytes(&disk, &newest);
    let mut last = vault.archive().batch(vault.run);
    last.checkpoint("last", b"frame");
    drop(last.commit().unwrap());
    let expected = vault.expect(&everything());
    Specimen { disk: disk.fork(), expected, journal: (newest, used) }
}

fn authoritative(storage: &dyn Storage) -> Vec<(String, u64)> {
    let mut files: Vec<_> =
        AUTHORITATIVE.iter().flat_map(|folder| files_in(storage, folder).unwrap()).collect();
    files.push(("FORMAT".to_owned(), storage.open("FORMAT").unwrap().bytes().unwrap()));
    files
}

/// What is told about an archive: by opening it, or by verifying it.
fn told(storage: &Arc<dyn Storage>) -> Result<(Archive, Vec<Damage>), Error> {
    let archive = Archive::open(host(storage), small())?;
    let report: VerifyReport = archive.verify(Depth::Deep, &mut go_on)?;
    Ok((archive, report.damages))
}

/// An answer is the whole one, or an error.
fn assert_not_shorter(archive: &Archive, expected: &[Stored], what: &str) {
    let answer = archive.snapshot().and_then(|snapshot| rows(&snapshot, &everything()));
    match answer {
        Ok(found) => {
            assert!(found == expected, "{what}: {} rows of {}", found.len(), expected.len());
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}"),
    }
}

#[test]
fn a_flipped_bit_in_any_authoritative_file_is_told_with_its_file() {
    let Specimen { disk, expected, journal } = specimen();
    let files = authoritative(&disk);
    assert!(files.len() >= 5, "the specimen is too plain: {files:?}");
    let mut random = Random::new(6);
    let mut without_place = 0;
    for (path, bytes) in files {
        assert!(bytes > 0, "{path} is empty");
        let used = if path == journal.0 { journal.1 } else { used_bytes(&disk, &path) };
        let bits = (0..14).map(|_| random.below(used * 8));
        for bit in bits.chain([0, 7, used * 8 - 1]) {
            let storage = disk.fork().storage();
            flip_bit(&storage, &path, bit).unwrap();
            let what = format!("{path}, byte {} of {used}, bit {}", bit / 8, bit % 8);
            without_place += u32::from(!told_with_place(&storage, &path, &expected, &what));
        }
    }
    assert_eq!(without_place, 0, "damages were told without their offset");
}

/// Bytes before the zeros of a file that was made larger than needed.
fn used_bytes(storage: &dyn Storage, path: &str) -> u64 {
    let bytes = read_whole(storage, path).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last as u64 + 1)
}

/// Damage of that file is told; was its offset told too?
fn told_with_place(
    storage: &Arc<dyn Storage>,
    path: &str,
    expected: &[Stored],
    what: &str,
) -> bool {
    match told(storage) {
        Ok((archive, damages)) => {
            let damage = damages.iter().find(|damage| damage.file == path);
            assert!(damage.is_some(), "{what}: not told, only {damages:?}");
            assert_not_shorter(&archive, expected, what);
            damage.is_some_and(|damage| damage.offset.is_some())
        }
        Err(error) => {
            let kinds = [ErrorKind::Corrupt, ErrorKind::Unsupported];
            assert!(kinds.contains(&error.kind()), "{what}: {error}");
            assert_eq!(error.file(), Some(path), "{what}: {error}");
            // The one text file is judged as a whole.
            error.offset().is_some() || path == "FORMAT"
        }
    }
}

#[test]
fn damage_in_a_segment_names_conversations_and_leaves_the_others_readable() {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    for chat in ["19:one", "19:two"] {
        let copies: Vec<_> = (1..400)
            .map(|at| {
                (ada(), Draft::chat(chat, at).text(&format!("{at} words")).json().into_bytes())
            })
            .collect();
        drop(vault.commit(&copies));
        vault.archive().seal().unwrap();
    }
    vault.reopen();
    let storage = disk.fork().storage();
    let (path, bytes) = files_in(storage.as_ref(), "segments").unwrap().remove(0);
    flip_bit(&storage, &path, bytes * 3).unwrap();
    let Ok((archive, damages)) = told(&storage) else {
        // Also right: an archive that tells at once.
        assert_eq!(told(&storage).unwrap_err().file(), Some(&*path));
        return;
    };
    assert!(damages.iter().any(|damage| damage.file == path));
    let touched: BTreeSet<_> =
        damages.iter().flat_map(|damage| damage.conversations.clone()).collect();
    assert!(touched.len() <= 1, "only one conversation lives in that file: {touched:?}");
    let snapshot = archive.snapshot().unwrap();
    let answers = ["19:one", "19:two"].map(|chat| {
        let scan = Scan { conversations: vec![chat.to_owned()], ..Scan::default() };
        rows(&snapshot, &scan).map(|found| found.len())
    });
    assert!(answers.iter().flatten().all(|count| *count == 399), "{answers:?}");
    assert!(answers.iter().any(Result::is_ok), "the other segment is as it was: {answers:?}");
}

#[test]
fn a_missing_segment_is_told_and_never_passed_over() {
    let Specimen { disk, expected, .. } = specimen();
    for folder in ["segments", "objects"] {
        for (path, _) in files_in(&disk, folder).unwrap() {
            let storage = disk.fork().storage();
            storage.remove(&path).unwrap();
            match told(&storage) {
                Ok((archive, damages)) => {
                    let named = damages.iter().any(|damage| damage.file == path);
                    assert!(named, "{path} is gone: {damages:?}");
                    assert_not_shorter(&archive, &expected, &path);
                }
                Err(error) => assert_eq!(error.file(), Some(&*path), "{error}"),
            }
        }
    }
}

#[test]
fn cut_and_grown_files_are_told() {
    let Specimen { disk, expected, .. } = specimen();
    for (path, bytes) in authoritative(&disk) {
        if path.starts_with("journal/") {
            continue;
        }
        let whole = read_whole(&disk, &path).unwrap();
        let half = &whole[..whole.len() / 2];
        let longer = [&whole[..], b"more"].concat();
        for changed in [half, &longer[..], b""] {
            let what = format!("{path}: {} bytes instead of {bytes}", changed.len());
            let storage = disk.fork().storage();
            write_whole(storage.as_ref(), &path, changed).unwrap();
            match told(&storage) {
                Ok((archive, damages)) => {
                    assert!(
                        damages.iter().any(|damage| damage.file == path),
                        "{what}: {damages:?}"
                    );
                    assert_not_shorter(&archive, &expected, &what);
                }
                Err(error) => assert_eq!(error.file(), Some(&*path), "{what}: {error}"),
            }
        }
    }
}

/// What follows a commit in the journal once it is durable.
const PROOF_BYTES: u64 = 56;

/// A journal with five commits, and how far it was written after each.
fn journal() -> (Volatile, String, Vec<u64>) {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    let mut ends = Vec::new();
    let newest = || files_in(&disk, "journal").unwrap().pop().unwrap().0;
    for at in 1..=5 {
        let text = Draft::chat("19:a", at).text(&format!("{at} ").repeat(200)).json();
        drop(vault.put(&ada(), &text));
        // Frames are aligned: the zeros behind a payload belong to it.
        ends.push(used_bytes(&disk, &newest()).next_multiple_of(8));
    }
    (disk.fork(), newest(), ends)
}

fn count(archive: &Archive) -> u64 {
    archive.snapshot().unwrap().count(&everything()).unwrap()
}

#[test]
fn a_torn_last_frame_is_dropped_and_what_was_before_it_stays() {
    let (disk, path, ends) = journal();
    let whole = read_whole(&disk, &path).unwrap();
    let frame = usize::try_from(ends[3]).unwrap()..usize::try_from(ends[4] - PROOF_BYTES).unwrap();
    for keep in [1, 10, frame.len() / 2, frame.len() - 9] {
        for cut_short in [false, true] {
            let mut torn = whole.clone();
            torn[frame.start + keep..].fill(0);
            if cut_short {
                torn.truncate(frame.start + keep);
            }
            let storage = disk.fork().storage();
            write_whole(storage.as_ref(), &path, &torn).unwrap();
            let reader = Archive::open_read_only(host(&storage), small()).unwrap();
            assert_eq!(count(&reader), 4, "{keep} bytes kept");
            let told_by_reader = reader.dropped_tail().unwrap();
            assert_eq!((&*told_by_reader.file, told_by_reader.offset), (&*path, ends[3]));
            let (archive, damages) = told(&storage).unwrap();
            assert_eq!((count(&archive), damages), (4, vec![]), "{keep} bytes kept");
            kit::commit(&archive, &ada(), &[Draft::chat("19:a", 9).json().as_bytes()]);
            archive.close().unwrap();
            let archive = Archive::open(host(&storage), small()).unwrap();
            assert_eq!(count(&archive), 5);
        }
    }
}

#[test]
fn a_damaged_frame_before_the_last_is_lost_data_and_told() {
    let (disk, path, ends) = journal();
    for frame in 0..3 {
        for part in [0, 1, 2, 3] {
            let (from, to) = (ends[frame], ends[frame + 1]);
            let at = from + (to - from) * part / 4 + 1;
            let storage = disk.fork().storage();
            flip_bit(&storage, &path, at * 8 + 3).unwrap();
            let what = format!("frame {frame}, byte {at}");
            match told(&storage) {
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
                    assert_eq!(error.file(), Some(&*path), "{what}: {error}");
                    let offset = error.offset().unwrap();
                    assert!(offset <= to, "{what}: told at {offset}");
                }
                Ok((_, damages)) => {
                    assert!(
                        damages.iter().any(|damage| damage.file == path),
                        "{what}: {damages:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn foreign_and_temporary_files_are_reported_and_never_read() {
    let Specimen { disk, expected, .. } = specimen();
    let storage = disk.storage();
    let segment = files_in(&disk, "segments").unwrap().remove(0).0;
    let journal = files_in(&disk, "journal").unwrap().remove(0).0;
    let copy = read_whole(&disk, &segment).unwrap();
    let strangers = [
        format!("{segment}.tmp"),
        format!("{segment} (1)"),
        format!("{journal}~"),
        "segments/README".to_owned(),
        "manifest/x.tmp".to_owned(),
        "journal/core".to_owned(),
        "objects/.DS_Store".to_owned(),
        "notes.txt".to_owned(),
    ];
    for path in &strangers {
        storage.make_folder(path.rsplit_once('/').map_or("", |(folder, _)| folder)).unwrap();
        write_whole(storage.as_ref(), path, &copy).unwrap();
    }
    let archive = Archive::open(host(&storage), small()).unwrap();
    let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
    assert_eq!(report.damages, []);
    let reported: BTreeSet<_> = report.strangers.into_iter().collect();
    assert_eq!(reported, strangers.iter().cloned().collect());
    assert_not_shorter(&archive, &expected, "with strangers");
    for path in &strangers {
        assert!(read_whole(storage.as_ref(), path).unwrap() == copy, "{path} was touched");
    }
}

#[test]
fn damage_is_found_by_a_reader_too() {
    let Specimen { disk, expected, .. } = specimen();
    for (path, bytes) in files_in(&disk, "segments").unwrap() {
        let storage = disk.fork().storage();
        flip_bit(&storage, &path, bytes * 4).unwrap();
        let mut options = small();
        options.environment = Some(with_cache(0));
        let read = Archive::open_read_only(host(&storage), options);
        match read {
            Ok(archive) => {
                let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
                assert!(report.damages.iter().any(|damage| damage.file == path), "{path}");
                assert_not_shorter(&archive, &expected, &path);
            }
            Err(error) => assert_eq!(error.file(), Some(&*path), "{error}"),
        }
    }
}
