//! Lines are the stored bytes, and what was changed can be taken back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::entry::Version;
use crate::format::table::fixture::{World, changed, entry, event, raw_entry, said};

fn written(world: &World, entry: &Entry) -> Lines {
    let mut lines = Lines::default();
    record(entry, &world.context(), &mut lines);
    lines
}

/// The stored bytes of each line, with the notes put back.
fn restored(lines: &Lines, versions: &[Version]) -> Vec<Vec<u8>> {
    let mut notes = lines.breaks.split_inclusive(|byte| *byte == b'\n');
    let text = lines.lines.strip_suffix(b"\n").unwrap_or(&lines.lines);
    let restore_one = |(line, version): (&[u8], &Version)| {
        if memchr2(b'\n', b'\r', version.document.json()).is_none() {
            return line.to_vec();
        }
        let note = notes.next().unwrap();
        let named: Value = serde_json::from_slice(note).unwrap();
        assert_eq!(named["content_address"], version.address.to_string());
        restore(line, note).unwrap()
    };
    text.split(|byte| *byte == b'\n').zip(versions).map(restore_one).collect()
}

#[test]
fn lines_are_the_stored_bytes() {
    let mut world = World::new();
    // A lone surrogate, an escaped line feed, odd white space, a number no float can hold.
    let odd = r#"{ "id" : "1622462400000","x":"\ud800 \n \u000a é","n":12345678901234567890.10}"#;
    let entry =
        raw_entry("1622462400000", [odd.to_owned(), odd.replace("1.10", "1.11")].into_iter());
    assert_eq!(
        written(&world, &entry).lines,
        [entry.versions[1].document.json(), b"\n".as_slice()].concat()
    );
    world.options.versions = true;
    let all = written(&world, &entry);
    assert_eq!(all.lines, format!("{odd}\n{}\n", odd.replace("1.10", "1.11")).into_bytes());
    assert_eq!((all.count, all.changed, all.breaks.len()), (2, 0, 0));
}

#[test]
fn line_breaks_between_tokens_are_noted_and_come_back() {
    let mut world = World::new();
    world.options.versions = true;
    let pretty = "{\r\n  \"id\": \"1622462400000\",\n\r\"a\":\n[1,\r2]}";
    let plain = said(0, "a\nb").to_string();
    let documents = [pretty.to_owned(), plain, pretty.replace('1', "2")];
    let entry = raw_entry("1622462400000", documents.into_iter());
    let lines = written(&world, &entry);
    assert_eq!((lines.count, lines.changed), (3, 2));
    for (line, version) in lines.lines.split(|byte| *byte == b'\n').zip(&entry.versions) {
        let line: Value = serde_json::from_slice(line).unwrap();
        assert_eq!(line, serde_json::from_slice::<Value>(version.document.json()).unwrap());
    }
    let stored: Vec<Vec<u8>> =
        entry.versions.iter().map(|version| version.document.json().to_vec()).collect();
    assert_eq!(restored(&lines, &entry.versions), stored);
}

#[test]
fn a_note_of_another_line_is_refused() {
    let note = br#"{"content_address":"00","cr":[],"lf":[0]}"#;
    assert_eq!(restore(b"{}", note), None);
    assert_eq!(restore(b"", note), None);
    assert_eq!(restore(b"{}", b"nonsense"), None);
}

#[test]
fn events_are_left_out_only_when_that_is_wanted() {
    let mut world = World::new();
    let one = event(0, "tabUpdated", json!({"tabId": "t"}));
    let entry = entry(&[one.clone(), changed(&one, 5, json!({}))]);
    world.options.system_events = SystemEvents::Placeholder;
    assert_eq!(
        written(&world, &entry).lines,
        [entry.versions[1].document.json(), b"\n".as_slice()].concat()
    );
    world.options.system_events = SystemEvents::Omit;
    assert_eq!(written(&world, &entry), Lines::default());
}

fn document() -> impl Strategy<Value = String> {
    let space = "[ \t\r\n]{0,3}";
    (prop::collection::vec((space, "[a-z]{0,4}", space, 0..9_u32), 0..4), space).prop_map(
        |(members, end)| {
            let members = members
                .iter()
                .map(|(a, name, b, value)| format!("{a}\"{name}\\n\"{b}:{value}"))
                .collect::<Vec<_>>();
            format!("{{{}{end}}}", members.join(","))
        },
    )
}

proptest! {
    #[test]
    fn any_document_is_one_line_and_comes_back(documents in prop::collection::vec(document(), 1..5)) {
        let mut world = World::new();
        world.options.versions = true;
        let entry = raw_entry("1622462400000", documents.iter().cloned());
        let lines = written(&world, &entry);
        let breaks = lines.lines.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        prop_assert_eq!(breaks, documents.len());
        let stored: Vec<Vec<u8>> = documents.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(restored(&lines, &entry.versions), stored);
    }
}
