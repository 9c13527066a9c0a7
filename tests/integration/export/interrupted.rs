//! An export that was stopped goes on to the same bytes; one that was changed is found out.

use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Memory, Storage};
use chatvault_export::{Export, Format, Request, Run};
use chatvault_support::Draft;

use super::{AT, CHATS, FORMATS, check, export, files, is_cancelled, request, run, vault};
use crate::kit::ada;

#[test]
fn a_stopped_export_goes_on_to_the_same_bytes() {
    let vault = vault(200);
    for format in FORMATS {
        let asked = Request { window_days: 90, part_bytes: 65_536, ..request(format) };
        let whole = export(&vault, asked);
        let (expected, _) = run(&whole, 1);
        let folder: Arc<dyn Storage> = Arc::new(Memory::new());
        let mut stops = 0;
        loop {
            let mut calls = 0;
            let go_on = &mut |done: &chatvault_export::Progress| {
                calls += 1;
                let stop = done.parts > stops && stops < 6;
                if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let how = Run { resume: true, threads: 1, ..Run::default() };
            match whole.run(Arc::clone(&folder), how, go_on) {
                Ok(index) => {
                    assert!(index.finished);
                    break;
                }
                Err(error) => assert!(is_cancelled(&error), "{error}"),
            }
            stops += 1;
            assert!(calls > 0 && stops < 20);
        }
        assert!(stops > 0, "{format:?} was never stopped");
        assert!(files(&*folder) == files(&*expected), "{format:?} after {stops} stops");
    }
}

#[test]
fn an_export_is_resumed_and_checked_from_its_index_alone() {
    let mut vault = vault(80);
    let asked = Request { part_bytes: 65_536, ..request(Format::Eml) };
    let first = export(&vault, asked);
    let (expected, index) = run(&first, 2);
    drop(vault.put(&ada(), &Draft::chat(CHATS[0], AT + 5).text("later").json()));
    let folder: Arc<dyn Storage> = Arc::new(Memory::new());
    let again = Export::of_index(&vault.archive().snapshot().unwrap(), &index).unwrap();
    let how = Run { resume: true, ..Run::default() };
    let index = again.run(Arc::clone(&folder), how, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(index.finished && files(&*folder) == files(&*expected));
    assert!(check(&again, &expected).is_good());
}

#[test]
fn a_version_that_the_archive_has_and_the_export_has_not_is_found() {
    let vault = vault(80);
    let small = Request { chats: vec![CHATS[0].to_owned()], ..request(Format::Csv) };
    let (folder, _) = run(&export(&vault, small), 1);
    // The same name, another selection: what a manifest would say that was written by a liar.
    let all = export(&vault, request(Format::Csv));
    let report = check(&all, &folder);
    let found = |text: &str| report.findings.iter().any(|one| one.to_string().contains(text));
    assert!(found("not what the archive gives") && found("its export_id is"), "{report:?}");
}

#[test]
fn a_part_that_was_damaged_or_lost_is_named() {
    let vault = vault(120);
    let asked = Request { part_bytes: 65_536, ..request(Format::Eml) };
    let whole = export(&vault, asked);
    let (folder, index) = run(&whole, 1);
    let part = &index.parts[0].name;
    let mut bytes = files(&*folder).remove(part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    folder.remove(part).unwrap();
    folder.create(part).unwrap().write_at(0, &bytes).unwrap();
    let report = check(&whole, &folder);
    assert!(report.findings.iter().any(|one| one.part.as_ref() == Some(part)), "{report:?}");
    folder.remove(part).unwrap();
    let report = check(&whole, &folder);
    assert!(report.findings.iter().any(|one| one.to_string() == format!("{part}: missing")));
}

#[test]
fn another_archive_cannot_go_on_with_an_export() {
    let vault = vault(20);
    let (_, mut index) = run(&export(&vault, request(Format::Csv)), 1);
    index.head.archive.id = "00000000-0000-0000-0000-000000000001".to_owned();
    let error = Export::of_index(&vault.archive().snapshot().unwrap(), &index).unwrap_err();
    assert!(error.is_wrong_request() && error.to_string().starts_with("archive: "), "{error}");
}

#[test]
fn a_second_export_of_the_same_name_is_refused_and_changes_nothing() {
    let vault = vault(20);
    let asked = request(Format::Csv);
    let (folder, _) = run(&export(&vault, asked.clone()), 1);
    let before = files(&*folder);
    let again = export(&vault, Request { text_only: true, ..asked });
    let go_on = &mut |_: &chatvault_export::Progress| ControlFlow::Continue(());
    for resume in [false, true] {
        let how = Run { resume, ..Run::default() };
        let error = again.run(Arc::clone(&folder), how, go_on).unwrap_err();
        assert!(error.to_string().contains("test.index.json"), "{error}");
    }
    assert!(files(&*folder) == before);
}
