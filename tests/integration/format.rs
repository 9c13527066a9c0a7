//! What files look like from outside: names, immutability, the chain, and what is refused.

use std::collections::BTreeMap;
use std::path::Path;

use chatvault_engine::{Archive, ErrorKind, Scan, Storage, continue_if};
use chatvault_support::storage::{Volatile, files_in, read_whole, write_whole};
use chatvault_support::{Draft, Random};

use crate::kit::{self, Vault, ada, go_on, host, small};

/// Commits, seals, merges and reopens, telling the storage after each step.
fn live(vault: &mut Vault, steps: usize, mut look: impl FnMut(usize)) {
    let mut random = Random::new(12);
    for step in 0..steps {
        let at = i64::try_from(step * 100 + 1).unwrap();
        let message = |nth| Draft::chat(&format!("19:{}", nth % 4), at + nth).text("word").json();
        let copies: Vec<_> = (0..20).map(|nth| (ada(), message(nth).into_bytes())).collect();
        drop(vault.commit(&copies));
        match random.below(4) {
            0 => vault.archive().seal().unwrap(),
            1 => vault.compact(),
            2 => vault.reopen(),
            _ => {}
        }
        look(step);
    }
}

fn contents(disk: &Volatile, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let files = files_in(disk, folder).unwrap().into_iter();
    files.map(|(path, _)| (path.clone(), read_whole(disk, &path).unwrap())).collect()
}

#[test]
fn sealed_files_never_change_and_no_name_is_used_twice() {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    live(&mut vault, 60, |step| {
        for folder in ["segments", "manifest"] {
            for (path, bytes) in contents(&disk, folder) {
                let known = seen.entry(path.clone()).or_insert_with(|| bytes.clone());
                assert!(*known == bytes, "{path} changed in step {step}");
            }
        }
    });
    assert!(seen.keys().filter(|path| path.starts_with("segments/")).count() > 5);
}

#[test]
fn a_journal_is_only_ever_appended_to() {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    let written = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    live(&mut vault, 40, |step| {
        for (path, bytes) in contents(&disk, "journal") {
            let before = seen.entry(path.clone()).or_default();
            let sealed = &before[..written(before)];
            assert!(bytes.starts_with(sealed), "{path} was rewritten in step {step}");
            *before = bytes;
        }
    });
    assert!(seen.len() > 1, "a new file for each opening");
}

#[test]
fn the_last_manifests_are_kept_and_no_more() {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    live(&mut vault, 60, |_| {});
    let manifests = files_in(&disk, "manifest").unwrap().len();
    assert!((2..=9).contains(&manifests), "{manifests} manifests");
}

#[test]
fn sealed_rows_leave_the_journal_and_replaced_segments_leave_the_archive() {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    live(&mut vault, 40, |_| {});
    vault.archive().seal().unwrap();
    let stat = vault.archive().stat().unwrap();
    assert_eq!(stat.journal_rows, 0);
    vault.compact();
    let stat = vault.archive().stat().unwrap();
    let files = files_in(&disk, "segments").unwrap();
    let segments = files
        .iter()
        .filter(|(path, _)| Path::new(path).extension() == Some("seg".as_ref()))
        .count();
    assert_eq!(stat.segments, segments as u64);
    vault.check();
    vault.verify();
}

#[test]
fn a_merge_that_is_stopped_changes_nothing() {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    for at in 0..6 {
        let copies: Vec<_> = (1..200)
            .map(|nth| (ada(), Draft::chat("19:a", at * 1_000 + nth).json().into_bytes()))
            .collect();
        drop(vault.commit(&copies));
        vault.archive().seal().unwrap();
    }
    let before = vault.archive().stat().unwrap().segments;
    let report = vault.archive().compact(&mut |_| continue_if(false)).unwrap();
    assert!(!report.finished);
    assert_eq!(vault.archive().stat().unwrap().segments, before);
    vault.check();
    vault.verify();
    let report = vault.archive().compact(&mut go_on).unwrap();
    assert!(report.finished && report.segments_after < report.segments_before);
    assert_eq!((report.segments_before, report.rows), (before, 6 * 199));
    vault.check();
}

#[test]
fn a_manifest_that_was_never_finished_is_not_read() {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    drop(vault.put(&ada(), &Draft::chat("19:a", 1).json()));
    vault.archive().seal().unwrap();
    let (path, _) = files_in(&disk, "manifest").unwrap().pop().unwrap();
    let bytes = read_whole(&disk, &path).unwrap();
    let torn = disk.fork();
    write_whole(&torn, &format!("{path}.tmp"), &bytes[..bytes.len() / 2]).unwrap();
    let archive = Archive::open(host(&torn.storage()), small()).unwrap();
    let found = kit::rows(&archive.snapshot().unwrap(), &Scan::default()).unwrap();
    assert_eq!(found, vault.expect(&Scan::default()));
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let disk = Volatile::new();
    Vault::create(disk.storage()).archive().clone().close().unwrap();
    let text = String::from_utf8(read_whole(&disk, "FORMAT").unwrap()).unwrap();
    assert!(text.ends_with('\n') && text.lines().count() > 1, "people read this file: {text:?}");
    for line in 0..text.lines().count() {
        let changed: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(at, text)| if at == line { format!("{text}9") } else { text.to_owned() })
            .collect();
        let storage = disk.fork().storage();
        write_whole(storage.as_ref(), "FORMAT", (changed.join("\n") + "\n").as_bytes()).unwrap();
        let error = Archive::open(host(&storage), small()).unwrap_err();
        let told = [ErrorKind::Unsupported, ErrorKind::Corrupt];
        assert!(told.contains(&error.kind()), "line {line}: {error}");
        assert_eq!(error.file(), Some("FORMAT"), "line {line}");
        let reader = Archive::open_read_only(host(&storage), small()).unwrap_err();
        assert_eq!(reader.kind(), error.kind());
    }
}

#[test]
fn names_inside_an_archive_follow_one_pattern() {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    live(&mut vault, 20, |_| {});
    let _ = vault.archive().put_object(&mut &b"object"[..]).unwrap();
    vault.archive().seal().unwrap();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-/".contains(c);
    for folder in ["segments", "manifest", "journal", "objects", "trash"] {
        for (path, _) in files_in(&disk, folder).unwrap() {
            assert!(path.chars().all(plain) && !path.contains(".tmp"), "{path}");
        }
    }
    let top: Vec<_> = files_in(&disk, "").unwrap().into_iter().map(|(path, _)| path).collect();
    assert_eq!(top, ["FORMAT", "LOCK"]);
    assert!(disk.list("nowhere").unwrap().is_empty());
}
