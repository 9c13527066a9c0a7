//! What is whole comes over exactly, what is lost is listed, the original stays as it is.

use std::sync::Arc;

use chatvault_base::{continue_if, go_on};

use super::{RepairReport, Spare, repair};
use crate::archive::tests::{
    Place, bytes, document, offer, offer_the_rest, options, paths, place, replace,
};
use crate::archive::{Archive, Depth, verify};
use crate::error::ErrorKind;
use crate::options::Host;
use crate::scan::{Scan, Versions};
use crate::snapshot::Stored;
use crate::types::ContentAddress;

const PER_CHAT: u64 = 40;
const FOLDERS: [&str; 5] = ["", "manifest", "journal", "segments", "objects"];

fn of_chat(chat: usize) -> Vec<String> {
    (0..PER_CHAT).map(|number| document(chat, number)).collect()
}

/// A segment for each of three chats, then sightings, a refused copy, an object, a journal.
fn specimen() -> Place {
    let place = place();
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    for chat in 0..3 {
        let _ = offer(&archive, "anna", &of_chat(chat));
        archive.seal().unwrap();
    }
    let _ = offer(&archive, "ben", &of_chat(0)[..5]);
    offer_the_rest(&archive);
    archive.seal().unwrap();
    let _ = offer(&archive, "ben", &of_chat(1)[..3]);
    let _ = offer(&archive, "carl", &[document(7, 1), document(2, 0)]);
    drop(archive);
    place
}

fn fork(from: &Place) -> Place {
    let to = place();
    for folder in FOLDERS {
        to.make_folder(folder).unwrap();
    }
    for path in paths(from, &FOLDERS) {
        to.create(&path).unwrap().write_at(0, &bytes(from, &path)).unwrap();
    }
    to
}

fn sealed(place: &Place, suffix: &str) -> Vec<String> {
    paths(place, &FOLDERS).into_iter().filter(|path| path.ends_with(suffix)).collect()
}

/// Turns a bit over in the keys of a segment's first row group.
fn hurt(place: &Place, path: &str) {
    let mut wrong = bytes(place, path);
    wrong[32 + 16 + 5] ^= 1;
    replace(place, path, &wrong);
}

fn wipe(place: &Place, path: &str) {
    let wrong = vec![0x55; bytes(place, path).len()];
    replace(place, path, &wrong);
}

fn answers(place: &Place) -> Vec<Stored> {
    let archive = Archive::open_read_only(Host::new(Arc::clone(place)), options()).unwrap();
    let scan = Scan { versions: Versions::EveryVariant, ..Scan::default() };
    let mut rows = archive.snapshot().unwrap().scan(&scan).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        all.push(row.to_stored().unwrap());
    }
    all
}

/// Repairs, and checks what always holds.
fn repaired(source: &Place, spares: &[&Place]) -> (RepairReport, Place) {
    let spares: Vec<Spare> = spares.iter().map(|place| Spare::Archive(Arc::clone(place))).collect();
    let contents =
        || paths(source, &FOLDERS).iter().map(|path| bytes(source, path)).collect::<Vec<_>>();
    let (before, target) = (contents(), place());
    let hosts = [source, &target].map(|place| Host::new(Arc::clone(place)));
    let report = repair(&hosts[0], &hosts[1], &spares, &mut go_on).unwrap();
    assert!(report.finished);
    assert!(contents() == before, "the original was touched");
    let sound = verify(&hosts[1], &options(), Depth::Deep, &mut go_on).unwrap();
    assert_eq!((sound.damages, sound.strangers), (Vec::new(), Vec::new()));
    let archive = Archive::open(hosts[1].clone(), options()).unwrap();
    assert_eq!(archive.stat().unwrap().repaired, std::slice::from_ref(&report.repaired));
    assert_ne!(archive.snapshot().unwrap().archive(), report.repaired.archive);
    archive.close().unwrap();
    (report, target)
}

#[test]
fn a_whole_archive_comes_over_row_for_row() {
    let source = specimen();
    let (report, target) = repaired(&source, &[]);
    assert_eq!((report.lost, report.repaired.rows_lost, report.objects), (Vec::new(), 0, 1));
    assert!(answers(&source) == answers(&target));
    let archive = Archive::open_read_only(Host::new(Arc::clone(&target)), options()).unwrap();
    let snapshot = archive.snapshot().unwrap();
    assert_eq!(archive.checkpoint("position").unwrap(), Some(b"17".to_vec()));
    assert_eq!(snapshot.quarantine().unwrap().count(), 2);
    assert_eq!(snapshot.custodians().unwrap().len(), 3);
}

#[test]
fn each_lost_file_costs_what_was_in_it_and_is_listed() {
    let sound = specimen();
    let all = answers(&sound);
    for path in sealed(&sound, "")
        .iter()
        .filter(|path| path.starts_with("segments/") || path.starts_with("objects/"))
    {
        let source = fork(&sound);
        source.remove(path).unwrap();
        let (report, target) = repaired(&source, &[]);
        assert!(report.lost.iter().any(|damage| damage.file == *path), "{path}: {report:?}");
        let (lost, there) = (report.repaired.rows_lost, answers(&target));
        let is_segment = sealed(&sound, ".seg").contains(path);
        assert_eq!(lost, if is_segment { PER_CHAT } else { 0 }, "{path}");
        assert_eq!((there.len() as u64) + lost, all.len() as u64, "{path}");
        let same = |row: &Stored| {
            all.iter().any(|one| one.json == row.json && one.sequence == row.sequence)
        };
        assert!(there.iter().all(same), "{path}");
    }
}

#[test]
fn rows_of_a_damaged_group_are_lost_and_the_others_keep_their_sightings() {
    let sound = specimen();
    let source = fork(&sound);
    let path = sealed(&source, ".seg").remove(0);
    hurt(&source, &path);
    let (report, target) = repaired(&source, &[]);
    let [damage] = &report.lost[..] else { panic!("{:?}", report.lost) };
    assert_eq!((&damage.file, damage.rows), (&path, Some(PER_CHAT)));
    let others = answers(&sound).into_iter();
    let others = others.filter(|row| row.key.conversation != "19:chat0000@thread.v2");
    assert!(answers(&target) == others.collect::<Vec<_>>());
}

#[test]
fn what_is_damaged_in_different_places_here_and_in_a_copy_is_whole_again() {
    let sound = specimen();
    let (source, copy) = (fork(&sound), fork(&sound));
    let segments = sealed(&source, ".seg");
    hurt(&source, &segments[0]);
    let mut wrong = bytes(&copy, &segments[0]);
    let at = wrong.len() - 30;
    wrong[at] ^= 1;
    replace(&copy, &segments[0], &wrong);
    for suffix in [".led", ".qtn", ".pack"] {
        wipe(&source, &sealed(&source, suffix)[0]);
    }
    source.remove(&segments[1]).unwrap();
    wipe(&source, "FORMAT");
    copy.remove(&segments[2]).unwrap();
    let (report, target) = repaired(&source, &[&copy]);
    assert_eq!((report.lost, report.repaired.rows_lost), (Vec::new(), 0));
    assert!(report.from_copies.contains(&segments[0]), "{:?}", report.from_copies);
    assert!(answers(&sound) == answers(&target));
}

#[test]
fn an_object_is_found_by_its_frames_where_the_directory_of_its_pack_is_damaged() {
    let source = specimen();
    let path = sealed(&source, ".pack").remove(0);
    let mut wrong = bytes(&source, &path);
    let end = wrong.len();
    wrong[end - 60 - 20..].fill(0x55);
    replace(&source, &path, &wrong);
    let (report, target) = repaired(&source, &[]);
    assert_eq!((report.lost, report.objects, report.repaired.objects_lost), (Vec::new(), 1, 0));
    let archive = Archive::open_read_only(Host::new(target), options()).unwrap();
    let picture = ContentAddress(*blake3::hash(b"a picture").as_bytes());
    assert_eq!(archive.snapshot().unwrap().object_bytes(&picture).unwrap(), Some(9));
}

#[test]
fn a_damaged_journal_frame_costs_its_commit_and_comes_from_a_copy() {
    let sound = specimen();
    let source = fork(&sound);
    let path = sealed(&source, ".log").pop().unwrap();
    let mut wrong = bytes(&source, &path);
    wrong[4096 + 60] ^= 1;
    replace(&source, &path, &wrong);
    let (report, _) = repaired(&source, &[]);
    assert!(report.lost.iter().any(|damage| damage.file == path), "{report:?}");
    let (report, target) = repaired(&source, &[&sound]);
    assert_eq!(report.lost, Vec::new());
    assert!(answers(&sound) == answers(&target));
}

#[test]
fn a_single_file_of_a_copy_will_do() {
    let sound = specimen();
    let source = fork(&sound);
    let path = sealed(&source, ".seg").remove(1);
    source.remove(&path).unwrap();
    let target = place();
    let hosts = [&source, &target].map(|place| Host::new(Arc::clone(place)));
    let spare = [Spare::File(sound.open(&path).unwrap())];
    let report = repair(&hosts[0], &hosts[1], &spare, &mut go_on).unwrap();
    assert_eq!((report.lost, report.from_copies), (Vec::new(), vec![path]));
    assert!(answers(&sound) == answers(&target));
}

#[test]
fn a_stopped_repair_is_begun_anew_and_other_folders_are_refused() {
    let (source, target, foreign) = (specimen(), place(), place());
    let host = |place: &Place| Host::new(Arc::clone(place));
    let mut calls = 0;
    let stopped = repair(&host(&source), &host(&target), &[], &mut |_| {
        calls += 1;
        continue_if(calls < 3)
    });
    assert!(!stopped.unwrap().finished);
    let unfinished = Archive::open(host(&target), options()).unwrap_err();
    assert_eq!(unfinished.kind(), ErrorKind::NotFound);
    assert!(repair(&host(&source), &host(&target), &[], &mut go_on).unwrap().finished);
    assert!(answers(&source) == answers(&target));
    foreign.make_folder("").unwrap();
    foreign.make_folder("segments").unwrap();
    foreign.create("segments/notes.txt").unwrap().write_at(0, b"mine").unwrap();
    for place in [&target, &foreign] {
        let refused = repair(&host(&source), &host(place), &[], &mut go_on).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Exists);
    }
    assert_eq!(bytes(&foreign, "segments/notes.txt"), b"mine");
}
