//! The catalog is derived: whatever happens to it costs a rebuild and nothing else.

use std::path::Path;

use chatvault_engine::{Archive, Host, Order, Scan, Stored};
use chatvault_support::generate::{Shape, Tenant};
use chatvault_support::{Draft, Random};
use tempfile::TempDir;

use crate::kit::{self, commit, everything, files, go_on, rows, small};

fn open(folder: &Path) -> Archive {
    Archive::open(Host::disk(folder), small()).unwrap()
}

/// An archive on disk of so many segments that it has a catalog, closed; and what it answers.
fn archive() -> (TempDir, Vec<Vec<Stored>>) {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::create(Host::disk(folder.path()), small()).unwrap();
    fill(&archive, 1);
    archive.close().unwrap();
    let answers = answers(&open(folder.path()));
    (folder, answers)
}

/// Sixteen segments, and then a commit that wants their summaries.
fn fill(archive: &Archive, seed: u64) {
    add(archive, seed);
    archive.seal().unwrap();
    for number in 1..16 {
        commit(archive, &kit::ada(), &[Draft::chat("19:more", number).json().as_bytes()]);
        archive.seal().unwrap();
    }
    add(archive, seed + 1);
}

fn add(archive: &Archive, seed: u64) {
    let tenant = Tenant::new(seed, &Shape { messages: 200, ..Shape::SMALL });
    for user in 0..Shape::SMALL.users {
        let export = tenant.export(user);
        let Some(first) = export.first() else { continue };
        let documents: Vec<_> = export.iter().map(|copy| copy.json.as_slice()).collect();
        commit(archive, &first.custodian, &documents);
    }
}

/// Answers that a catalog may help with.
fn answers(archive: &Archive) -> Vec<Vec<Stored>> {
    let snapshot = archive.snapshot().unwrap();
    let all = rows(&snapshot, &everything()).unwrap();
    let row = &all[all.len() / 2];
    let modified = chatvault_engine::TimeRange { from: Some(row.modified), to: None };
    let scans = [
        Scan { conversations: vec![row.key.conversation.clone()], ..Scan::default() },
        Scan { senders: row.sender.iter().cloned().collect(), ..Scan::default() },
        Scan { custodians: vec![row.sightings[0].custodian.clone()], ..Scan::default() },
        Scan { modified, order: Order::Modified, ..Scan::default() },
    ];
    let answers = scans.iter().map(|scan| rows(&snapshot, scan).unwrap());
    std::iter::once(all.clone()).chain(answers).collect()
}

fn check(folder: &Path, expected: &[Vec<Stored>], what: &str) {
    let archive = open(folder);
    let stored = |archive: &Archive| archive.stat().unwrap().counts.stored;
    let before = stored(&archive);
    add(&archive, 1);
    assert_eq!(stored(&archive), before, "all is known: {what}");
    assert!(archive.stat().unwrap().bytes_by_part["catalog"] > 0, "{what}");
    for (found, expected) in answers(&archive).iter().zip(expected) {
        kit::assert_rows(found, expected, what);
    }
    let report = archive.verify(chatvault_engine::Depth::Deep, &mut go_on).unwrap();
    assert_eq!(report.damages, [], "{what}");
    archive.close().unwrap();
}

#[test]
fn a_deleted_catalog_is_built_anew() {
    let (folder, expected) = archive();
    files::remove_folder(&folder.path().join("catalog"));
    check(folder.path(), &expected, "catalog deleted");
}

#[test]
fn an_empty_or_foreign_catalog_is_moved_aside() {
    for text in [&b""[..], b"this is no database", &vec![0xff; 70_000]] {
        let (folder, expected) = archive();
        for path in files::below(&folder.path().join("catalog")) {
            files::write(&path, text);
        }
        check(folder.path(), &expected, "catalog overwritten");
    }
}

#[test]
fn flipped_bits_in_the_catalog_change_no_answer() {
    let (folder, expected) = archive();
    let sound = tempfile::tempdir().unwrap();
    files::copy_folder(folder.path(), sound.path());
    let mut random = Random::new(9);
    for round in 0..12 {
        let copy = tempfile::tempdir().unwrap();
        files::copy_folder(sound.path(), copy.path());
        let parts = files::below(&copy.path().join("catalog"));
        let path = random.pick(&parts).unwrap();
        let mut bytes = files::read(path);
        for _ in 0..=random.below(4) {
            let at = random.index(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        files::write(path, &bytes);
        check(copy.path(), &expected, &format!("round {round}"));
    }
}

#[test]
fn a_catalog_of_earlier_times_is_noticed() {
    let (folder, _) = archive();
    let earlier = tempfile::tempdir().unwrap();
    files::copy_folder(&folder.path().join("catalog"), earlier.path());
    let archive = open(folder.path());
    add(&archive, 3);
    archive.seal().unwrap();
    let expected = answers(&archive);
    archive.close().unwrap();
    files::remove_folder(&folder.path().join("catalog"));
    files::copy_folder(earlier.path(), &folder.path().join("catalog"));
    check(folder.path(), &expected, "stale catalog");
}

#[test]
fn a_catalog_of_another_archive_is_noticed() {
    let (folder, expected) = archive();
    let other = tempfile::tempdir().unwrap();
    let stranger = Archive::create(Host::disk(other.path()), small()).unwrap();
    fill(&stranger, 77);
    stranger.close().unwrap();
    files::remove_folder(&folder.path().join("catalog"));
    files::copy_folder(&other.path().join("catalog"), &folder.path().join("catalog"));
    check(folder.path(), &expected, "foreign catalog");
}

/// The archive is put back from a copy, its catalog is not: the numbers of manifests and segments are
/// equal, what is in them is not.
#[test]
fn a_catalog_of_another_past_is_noticed() {
    let (folder, _) = archive();
    let lost = tempfile::tempdir().unwrap();
    files::copy_folder(folder.path(), lost.path());
    let go_on_with = |place: &Path, seed: u64| {
        let archive = open(place);
        add(&archive, seed);
        archive.seal().unwrap();
        let answers = answers(&archive);
        archive.close().unwrap();
        answers
    };
    drop(go_on_with(lost.path(), 3));
    let expected = go_on_with(folder.path(), 4);
    files::remove_folder(&folder.path().join("catalog"));
    files::copy_folder(&lost.path().join("catalog"), &folder.path().join("catalog"));
    let archive = open(folder.path());
    let before = archive.stat().unwrap().counts;
    add(&archive, 4);
    let after = archive.stat().unwrap().counts;
    assert_eq!((after.stored, after.variants), (before.stored, before.variants), "all is known");
    archive.close().unwrap();
    check(folder.path(), &expected, "catalog of another past");
}

#[test]
fn rebuilding_changes_no_answer_and_counts_the_segments() {
    let (folder, expected) = archive();
    let archive = open(folder.path());
    assert_eq!(archive.rebuild_catalog().unwrap(), archive.stat().unwrap().segments);
    archive.close().unwrap();
    check(folder.path(), &expected, "rebuilt");
}

#[test]
fn a_reader_beside_the_writer_needs_no_catalog() {
    let (folder, expected) = archive();
    let writer = open(folder.path());
    let reader = Archive::open_read_only(Host::disk(folder.path()), small()).unwrap();
    for (found, expected) in answers(&reader).iter().zip(&expected) {
        kit::assert_rows(found, expected, "read beside the writer");
    }
    writer.close().unwrap();
}
