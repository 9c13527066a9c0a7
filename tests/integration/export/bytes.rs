//! The same archive, selection and options give the same bytes, and no part is above its cap.

use std::sync::Arc;

use chatvault_engine::{Memory, Storage};
use chatvault_export::{Export, Format, Request, Run};

use super::{FORMATS, PICTURE, export, files, is_part, members, request, run, vault};

#[test]
fn threads_and_merges_change_no_byte() {
    let vault = vault(120);
    for format in FORMATS {
        let asked = Request { window_days: 90, ..request(format) };
        let first = export(&vault, asked.clone());
        let (one, _) = run(&first, 0);
        for threads in [1, 3] {
            let (other, _) = run(&export(&vault, asked.clone()), threads);
            assert!(files(&*one) == files(&*other), "{format:?} with {threads} threads");
        }
    }
    vault.archive().seal().unwrap();
    vault.compact();
    for format in [Format::Eml, Format::Csv, Format::Pdf] {
        let asked = request(format);
        let before = export(&vault, asked.clone());
        let (one, _) = run(&before, 2);
        vault.compact();
        let (other, _) = run(&export(&vault, asked), 2);
        assert!(files(&*one) == files(&*other), "{format:?} after a merge");
    }
}

#[test]
fn long_conversations_come_out_the_same_in_pieces() {
    // Three conversations of 2,100 messages, which threads read and render in pieces.
    let vault = vault(6_300);
    for format in FORMATS {
        for text_only in [true, false] {
            let asked = Request { text_only, part_bytes: 400_000, ..request(format) };
            let first = export(&vault, asked);
            let (one, index) = run(&first, 0);
            assert_eq!(index.counts.messages + index.counts.events, 6_300, "{format:?}");
            let (other, _) = run(&first, 3);
            assert!(files(&*one) == files(&*other), "{format:?}, text only: {text_only}");
        }
    }
}

#[test]
fn conversations_with_many_bytes_of_files_come_out_the_same() {
    let vault = vault(60);
    let noise: Vec<u8> =
        (0..2_500_000_u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let object = vault.archive().put_object(&mut &noise[..]).unwrap();
    let snapshot = vault.archive().snapshot().unwrap();
    let mut batch = vault.archive().batch(vault.run);
    for row in crate::kit::rows(&snapshot, &crate::kit::everything()).unwrap() {
        if row.json.windows(4).any(|part| part == b"\"f1\"") {
            batch.link(&row.key, "f1", object);
        }
    }
    let _report = batch.commit().unwrap();
    for format in [Format::Mbox, Format::Pdf] {
        let first = export(&vault, request(format));
        let (one, index) = run(&first, 0);
        assert_eq!(
            (index.counts.messages + index.counts.events, index.counts.attachments),
            (60, 6)
        );
        let (other, _) = run(&first, 3);
        assert!(files(&*one) == files(&*other), "{format:?}");
    }
}

#[test]
fn no_part_is_above_its_cap_however_small() {
    let vault = vault(150);
    for format in FORMATS {
        for part_bytes in [65_536, 100_000, 1_000_000] {
            let asked = Request { part_bytes, ..request(format) };
            let (folder, index) = run(&export(&vault, asked), 2);
            let largest = files(&*folder)
                .into_iter()
                .filter(|(name, _)| is_part(name))
                .map(|(_, bytes)| bytes.len() as u64)
                .max();
            assert!(largest <= Some(part_bytes) && largest.is_some(), "{format:?} {largest:?}");
            assert_eq!(index.counts.messages + index.counts.events, 150, "{format:?}");
        }
    }
}

#[test]
fn contents_larger_than_a_part_are_cut_and_can_be_joined() {
    let vault = vault(20);
    let noise: Vec<u8> =
        (0..200_000_u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let object = vault.archive().put_object(&mut &noise[..]).unwrap();
    let snapshot = vault.archive().snapshot().unwrap();
    let rows = crate::kit::rows(&snapshot, &crate::kit::everything()).unwrap();
    let names_a_file =
        |row: &&chatvault_engine::Stored| row.json.windows(4).any(|part| part == b"\"f1\"");
    let row = rows.iter().filter(names_a_file).nth(1).unwrap();
    let mut batch = vault.archive().batch(vault.run);
    batch.link(&row.key, "f1", object);
    let _report = batch.commit().unwrap();
    for format in FORMATS {
        let asked = Request { part_bytes: 65_536, ..request(format) };
        let (folder, _) = run(&export(&vault, asked), 2);
        let slices = members(&*folder).into_iter().filter(|(name, _)| name.contains(".part"));
        let bytes: Vec<u8> = slices.flat_map(|(_, bytes)| bytes).collect();
        assert!(bytes.len() >= noise.len(), "{format:?}: {} bytes in slices", bytes.len());
        let raw = bytes.windows(64).any(|part| part == &noise[1_000..1_064]);
        let is_encoded = matches!(format, Format::Eml | Format::Mbox | Format::Rsmf);
        assert!(raw || is_encoded, "{format:?}");
        let notes = members(&*folder).into_iter().filter(|(name, _)| name.ends_with(".REJOIN.txt"));
        assert!(notes.count() > 0, "{format:?}");
    }
}

#[test]
fn what_is_not_had_is_listed_with_its_reason() {
    let vault = vault(100);
    let folder: Arc<dyn Storage> = Arc::new(Memory::new());
    let first = export(&vault, request(Format::Html));
    let how =
        Run { reasons: &|_, link| Some(format!("{link} is behind a door")), ..Run::default() };
    let go_on = &mut |_: &chatvault_export::Progress| std::ops::ControlFlow::Continue(());
    let index = first.run(Arc::clone(&folder), how, go_on).unwrap();
    assert_eq!((index.counts.attachments, index.counts.unavailable), (5, 5));
    let missing: Vec<_> =
        super::manifests(&*folder).into_iter().flat_map(|manifest| manifest.unavailable).collect();
    assert_eq!(missing.len(), 5);
    assert!(missing.iter().all(|one| one.reason == "f1 is behind a door"), "{missing:?}");
    let stored: Vec<_> = members(&*folder)
        .into_iter()
        .filter(|(name, _)| name.starts_with("Attachments/"))
        .collect();
    assert_eq!(stored.len(), 5);
    assert!(
        stored.iter().all(|(name, bytes)| name.ends_with("_a_b_ report_.pdf") && bytes == PICTURE)
    );

    let text_only = Request { text_only: true, ..request(Format::Html) };
    let (folder, index) = run(&export(&vault, text_only), 1);
    assert_eq!((index.counts.attachments, index.counts.omitted), (0, 10));
    assert!(members(&*folder).iter().all(|(name, _)| !name.starts_with("Attachments/")));
}

#[test]
fn what_arrives_later_is_in_no_export_that_was_begun() {
    let mut vault = vault(60);
    let asked = request(Format::Jsonl);
    let first = export(&vault, asked);
    let (before, index) = run(&first, 1);
    let text = super::Draft::chat(super::CHATS[0], super::AT + 77).text("late").json();
    drop(vault.put(&crate::kit::ada(), &text));
    let later = Export::of_index(&vault.archive().snapshot().unwrap(), &index).unwrap();
    let (after, _) = run(&later, 1);
    assert!(files(&*before) == files(&*after));
}
