//! The catalog comes back, and whatever is done to its folder it ends up working.

#![expect(
    clippy::disallowed_methods,
    reason = "the catalog is sled's folder: derived, and outside `Storage`"
)]

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const STAMP: Stamp = Stamp { archive: [1; 16], manifest: 7, hash: [2; 32] };
const LATER: Stamp = Stamp { archive: [1; 16], manifest: 8, hash: [3; 32] };

fn place(folder: &Path) -> CatalogFolder {
    CatalogFolder { folder: folder.join("catalog"), trash: folder.join("trash") }
}

fn open(folder: &Path, stamp: &Stamp) -> (Catalog, Opened) {
    Catalog::open(Some(place(folder)), stamp)
}

fn hashes(count: u32, seed: u32) -> RoaringBitmap {
    let hash = |n: u32| crc32fast::hash(&[seed.to_le_bytes(), n.to_le_bytes()].concat());
    (0..count).map(hash).collect()
}

fn summary(seed: u32, conversations: u32) -> Summary {
    let hash = [seed.to_le_bytes()[0]; 32];
    Summary { hash, conversations: hashes(conversations, seed) }
}

/// Puts three segments, stamps, and looks at everything.
fn fill(catalog: &Catalog) {
    for segment in 0..3 {
        catalog.put(u64::from(segment), &summary(segment, 400));
    }
    catalog.stamp(&STAMP);
    assert_full(catalog);
}

fn assert_full(catalog: &Catalog) {
    for segment in 0..3_u8 {
        let expected = summary(u32::from(segment), 400);
        assert_eq!(catalog.get(u64::from(segment), &[segment; 32]), Some(expected));
    }
}

#[test]
fn what_was_put_is_there_after_every_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, opened) = open(folder.path(), &STAMP);
    assert_eq!(opened, Opened::Fresh);
    fill(&catalog);
    catalog.close();
    for round in 0..20 {
        let (catalog, opened) = open(folder.path(), &STAMP);
        assert_eq!((opened, catalog.fault()), (Opened::Current, None), "round {round}");
        assert_full(&catalog);
        drop(catalog);
    }
    assert!(!folder.path().join("trash").exists());
}

#[test]
fn without_a_folder_it_works_in_memory() {
    let (catalog, opened) = Catalog::open(None, &STAMP);
    assert_eq!(opened, Opened::Fresh);
    fill(&catalog);
    catalog.retain(&[1]);
    assert_eq!(catalog.get(0, &[0; 32]), None);
    assert!(catalog.get(1, &[1; 32]).is_some());
    catalog.clear();
    assert_eq!(catalog.get(1, &[1; 32]), None);
    assert_eq!((catalog.disk_bytes(), catalog.fault()), (0, None));
}

#[test]
fn another_file_under_the_same_number_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path(), &STAMP);
    fill(&catalog);
    assert_eq!(catalog.get(1, &[9; 32]), None);
    assert_eq!(catalog.get(77, &[1; 32]), None);
    assert_eq!(catalog.fault(), None);
}

#[test]
fn an_older_or_missing_stamp_makes_it_stale_but_keeps_its_values() {
    let folder = tempfile::tempdir().unwrap();
    fill(&open(folder.path(), &STAMP).0);
    let (catalog, opened) = open(folder.path(), &LATER);
    assert_eq!(opened, Opened::Stale);
    assert_full(&catalog);
    catalog.retain(&[2]);
    catalog.stamp(&LATER);
    drop(catalog);
    let (catalog, opened) = open(folder.path(), &LATER);
    assert_eq!(opened, Opened::Current);
    assert_eq!(catalog.get(0, &[0; 32]), None);
    assert!(catalog.get(2, &[2; 32]).is_some());
    catalog.clear();
    catalog.put(5, &summary(5, 10));
    drop(catalog);
    assert_eq!(open(folder.path(), &LATER).1, Opened::Stale);
}

#[test]
fn the_catalog_of_another_archive_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    fill(&open(folder.path(), &STAMP).0);
    let (catalog, opened) = open(folder.path(), &Stamp { archive: [9; 16], ..STAMP });
    assert_eq!(opened, Opened::MovedAside("it belongs to another archive".to_owned()));
    assert_eq!(catalog.get(1, &[1; 32]), None);
    fill(&catalog);
}

#[test]
fn a_crash_leaves_a_catalog_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path(), &STAMP);
    fill(&catalog);
    // What a killed process leaves: the files of this moment, with no seal.
    let crashed = tempfile::tempdir().unwrap();
    copy(&place(folder.path()).folder, &place(crashed.path()).folder);
    let (catalog, opened) = open(crashed.path(), &STAMP);
    assert_eq!((opened, catalog.fault()), (Opened::Current, None));
    assert_full(&catalog);
}

#[test]
fn a_half_written_snapshot_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path(), &STAMP);
    fill(&catalog);
    let crashed = tempfile::tempdir().unwrap();
    copy(&place(folder.path()).folder, &place(crashed.path()).folder);
    let half = place(crashed.path()).folder.join("sled/snap.0000000000000FFF.generating");
    fs::write(&half, b"half").unwrap();
    let (catalog, opened) = open(crashed.path(), &STAMP);
    assert_eq!(opened, Opened::Current);
    assert!(!half.exists());
    assert_full(&catalog);
}

#[test]
fn a_deleted_folder_is_a_fresh_catalog() {
    let folder = tempfile::tempdir().unwrap();
    fill(&open(folder.path(), &STAMP).0);
    fs::remove_dir_all(place(folder.path()).folder).unwrap();
    let (catalog, opened) = open(folder.path(), &STAMP);
    assert_eq!(opened, Opened::Fresh);
    fill(&catalog);
}

#[test]
fn a_closed_catalog_with_any_change_is_moved_aside_and_never_met_by_sled() {
    let original = tempfile::tempdir().unwrap();
    fill(&open(original.path(), &STAMP).0);
    for damage in damages(&place(original.path()).folder, true) {
        let folder = damaged(original.path(), &damage);
        let (catalog, opened) = open(folder.path(), &STAMP);
        let reason = "its files changed since it was closed".to_owned();
        assert_eq!(opened, Opened::MovedAside(reason), "{damage:?}");
        fill(&catalog);
        drop(catalog);
        assert_eq!(open(folder.path(), &STAMP).1, Opened::Current, "{damage:?}");
    }
}

/// With the seal removed sled itself meets the damage: the line of defence for crashes.
#[test]
fn a_catalog_that_sled_chokes_on_ends_up_working() {
    let original = tempfile::tempdir().unwrap();
    used_for_long(original.path());
    seal::lift(&place(original.path()).folder).unwrap();
    let mut moved = 0;
    for damage in damages(&place(original.path()).folder, false) {
        let folder = damaged(original.path(), &damage);
        let (catalog, opened) = open(folder.path(), &STAMP);
        moved += u32::from(matches!(opened, Opened::MovedAside(_)));
        for segment in 0..3_u8 {
            // A value is right or missing, never another.
            let expected = summary(u32::from(segment), 400);
            let found = catalog.get(u64::from(segment), &[segment; 32]);
            assert!(found.is_none_or(|found| found == expected), "{damage:?}");
        }
        fill(&catalog);
        drop(catalog);
        let (catalog, opened) = open(folder.path(), &STAMP);
        if opened != Opened::Current {
            fill(&catalog);
        }
        assert_full(&catalog);
    }
    assert!(moved > 0, "no damage was noticed at all");
}

/// A catalog with a log of many segments and snapshots, as sessions leave it.
fn used_for_long(folder: &Path) {
    for session in 0..3_u64 {
        let (catalog, _) = open(folder, &STAMP);
        for number in 0..300 {
            catalog.put(100 + number % 10, &summary(u32::try_from(session * number).unwrap(), 20));
        }
        fill(&catalog);
    }
}

#[derive(Debug)]
enum Damage {
    Flip(PathBuf, usize),
    Cut(PathBuf, usize),
    Remove(PathBuf),
}

/// Flipped bits over all files (every 97th byte, at most sixty), cut files, removed files.
fn damages(catalog: &Path, with_removed: bool) -> Vec<Damage> {
    let files = seal::files_below(catalog).unwrap();
    let mut flips = Vec::new();
    for file in &files {
        let name = file.strip_prefix(catalog).unwrap();
        let bytes = usize::try_from(fs::metadata(file).unwrap().len()).unwrap();
        flips.extend((0..bytes).step_by(97).map(|at| Damage::Flip(name.to_owned(), at)));
    }
    let every = flips.len().div_ceil(60);
    let mut out: Vec<Damage> = flips.into_iter().step_by(every).collect();
    for file in files {
        let name = file.strip_prefix(catalog).unwrap();
        let bytes = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
        out.extend([0, bytes / 2, bytes - 1].map(|at| Damage::Cut(name.to_owned(), at)));
        if with_removed && name.starts_with("sled") {
            out.push(Damage::Remove(name.to_owned()));
        }
    }
    out
}

fn damaged(original: &Path, damage: &Damage) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let catalog = place(folder.path()).folder;
    copy(&place(original).folder, &catalog);
    match damage {
        Damage::Flip(name, at) => {
            let mut bytes = fs::read(catalog.join(name)).unwrap();
            bytes[*at] ^= 1 << (at % 8);
            fs::write(catalog.join(name), bytes).unwrap();
        }
        Damage::Cut(name, at) => {
            let bytes = fs::read(catalog.join(name)).unwrap();
            fs::write(catalog.join(name), &bytes[..*at]).unwrap();
        }
        Damage::Remove(name) => fs::remove_file(catalog.join(name)).unwrap(),
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in seal::files_below(from).unwrap() {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let _ = fs::copy(file, target).unwrap();
    }
    fs::create_dir_all(to.join("sled/blobs")).unwrap();
}

#[test]
fn a_wrong_value_ends_the_use_of_the_folder_until_it_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path(), &STAMP);
    fill(&catalog);
    catalog.state().run(|keeper| keeper.put(&Key::Segment(1), b"nonsense"));
    assert_eq!(catalog.get(1, &[1; 32]), None);
    assert_eq!(catalog.fault().as_deref(), Some("the value of segment/1 is damaged"));
    assert_eq!(catalog.get(2, &[2; 32]), None);
    fill(&catalog);
    drop(catalog);
    let (catalog, opened) = open(folder.path(), &STAMP);
    assert_eq!(opened, Opened::MovedAside("its files changed since it was closed".to_owned()));
    catalog.state().run(|keeper| keeper.put(&Key::Stamp, b"nonsense"));
    catalog.state().degrade("told to".to_owned());
    catalog.clear();
    assert_eq!(catalog.fault(), None);
    fill(&catalog);
    drop(catalog);
    assert_eq!(open(folder.path(), &STAMP).1, Opened::Current);
}

#[test]
fn no_more_than_three_are_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..6 {
        drop(open(folder.path(), &STAMP));
        fs::write(place(folder.path()).folder.join("SEAL"), b"no").unwrap();
    }
    let mut kept: Vec<_> = fs::read_dir(place(folder.path()).trash)
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["catalog-2", "catalog-3", "catalog-4"]);
}

#[test]
fn a_place_that_cannot_be_used_is_a_fault_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), b"").unwrap();
    let place =
        CatalogFolder { folder: folder.path().join("file/c"), trash: folder.path().join("file/t") };
    let (catalog, opened) = Catalog::open(Some(place), &STAMP);
    assert_eq!(opened, Opened::Fresh);
    assert!(catalog.fault().is_some());
    fill(&catalog);
}

#[test]
fn it_stays_small_through_months_of_seals_and_merges() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path(), &STAMP);
    let mut live = Vec::new();
    for number in 0..80_u32 {
        catalog.put(u64::from(number), &summary(number, 12_000));
        live.push(u64::from(number));
        if live.len() > 8 {
            drop(live.drain(..8));
            catalog.retain(&live);
        }
        catalog.stamp(&STAMP);
    }
    assert_eq!(catalog.fault(), None);
    let values = live.len() as u64 * 32_000;
    drop(catalog);
    let (catalog, opened) = open(folder.path(), &STAMP);
    assert_eq!(opened, Opened::Current);
    let used = catalog.disk_bytes();
    assert!(used < 2 * values + (64 << 10), "{used} bytes for {} segments", live.len());
    for number in live {
        let hash = [number.to_le_bytes()[0]; 32];
        assert_eq!(catalog.get(number, &hash).unwrap().conversations.len(), 12_000);
    }
}

/// What the catalog of an archive of 250,000 versions takes, compacted and right after import.
#[test]
fn a_segment_of_twelve_thousand_conversations_costs_about_32_kb() {
    for (segments, limit) in [(1, 40_000), (8, 290_000)] {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, _) = open(folder.path(), &STAMP);
        for number in 0..segments {
            catalog.put(u64::from(number), &summary(number, 12_000));
        }
        catalog.stamp(&STAMP);
        drop(catalog);
        let used = disk_bytes(&place(folder.path()).folder);
        assert!(used < limit, "{segments} segments: {used} bytes");
    }
}

#[test]
fn it_is_shared_between_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path(), &STAMP);
    fill(&catalog);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            drop(scope.spawn(|| (0..20).for_each(|_| assert_full(&catalog))));
        }
    });
    assert_eq!(catalog.fault(), None);
}
