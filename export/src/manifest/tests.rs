//! Texts are canonical, lengths are foretold, lists are as `sha256sum` has them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::digest::{Subject, sha256};

pub(crate) fn head() -> Head {
    Head {
        archive: ArchiveState {
            id: "archive-1".to_owned(),
            log_size: 7,
            ..ArchiveState::default()
        },
        asof: "2021-06-03T00:00:00Z".to_owned(),
        export_id: "00000000-0000-5000-8000-000000000000".to_owned(),
        requested_by: Some("legal \"hold\"".to_owned()),
        selection: Selection {
            chats: vec!["19:b@thread.v2".to_owned(), "19:a@thread.v2".to_owned()],
            more: BTreeMap::from([("filter".to_owned(), json!({"z": 1, "a": [true, null]}))]),
            ..Selection::default()
        },
        tool: Tool { name: "chatvault".to_owned(), ..Tool::default() },
    }
}

fn window() -> WindowText {
    WindowText { end: "2021-04-01".to_owned(), k: 1, of: 2, start: "2021-01-01".to_owned() }
}

fn file(path: &str, size: u64) -> FileRecord {
    let sha256 = hex(&sha256(path.as_bytes()));
    FileRecord { path: path.to_owned(), sha256, size, slice: None, source_blob: None }
}

#[test]
fn canonical_json_is_sorted_and_tight() {
    let value = json!({"b": [1, {"y": "é\n\u{1}", "x": null}], "a": {"é": 1, "z": false}});
    let text = String::from_utf8(canonical(&value).unwrap()).unwrap();
    let expected = r#"{"a":{"z":false,"é":1},"b":[1,{"x":null,"y":"é\n\u0001"}]}"#;
    assert_eq!(text, expected);
}

#[test]
fn a_members_entry_is_canonical() {
    let mut record = file("a \"b\"/ü.txt", 12);
    assert_eq!(file_text(&record), text_of(&record));
    record.source_blob = Some("blake3:00".to_owned());
    let whole = Slice { k: 1, of: 2, path: "p".to_owned(), sha256: "s".to_owned(), size: 9 };
    record.slice = Some(whole);
    assert_eq!(file_text(&record), text_of(&record));
}

#[test]
fn a_manifest_is_canonical_and_read_back() {
    let mut draft = Draft::new(&head(), &window(), 3, Some(&[7; 32]));
    draft.digest.add(&Subject::new("19:a", "1", "2"));
    draft.counts = Counts { messages: 1, versions: 2, ..Counts::default() };
    draft.add_file(&file_text(&file("a.csv", 10)));
    draft.add_file(&file_text(&file("b.csv", 0)));
    let missing = Unavailable {
        attachment: "file:1".to_owned(),
        message: "19:a 1".to_owned(),
        reason: "404".to_owned(),
    };
    draft.add_unavailable(&text_of(&missing));
    for (last, of) in [(Last::Yes, Some(3)), (Last::No, None)] {
        let text = draft.text(last);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text, text_of(&value));
        let read: Manifest = serde_json::from_str(&text).unwrap();
        assert_eq!(read.head, head());
        assert_eq!(read.files, [file("a.csv", 10), file("b.csv", 0)]);
        assert_eq!(read.unavailable, std::slice::from_ref(&missing));
        assert_eq!((read.counts, read.part), (draft.counts, PartNumber { k: 3, of }));
        assert_eq!(read.digest, DigestText::from(&draft.digest));
        assert_eq!(read.previous_part_sha256, Some("07".repeat(32)));
        assert_eq!((read.window, read.schema.as_str()), (window(), "teams-export/1"));
    }
}

#[test]
fn lists_of_checksums_are_escaped_and_sorted_by_bytes() {
    let hash = [0xab; 32];
    let digits = "ab".repeat(32);
    let text = sums_text(vec![("b", hash), ("a\\b\nc\rd", hash), ("ä", hash), ("B", hash)]);
    let expected = format!("{digits}  B\n\\{digits}  a\\\\b\\nc\\rd\n{digits}  b\n{digits}  ä\n");
    assert_eq!(text, expected);
    assert_eq!(sums_line_bytes("a\\b"), sums_line(&hash, "a\\b").len() as u64);
}

proptest! {
    #[test]
    fn the_length_of_a_manifest_is_foretold(
        sizes in prop::collection::vec(any::<u64>(), 0..12),
        counts in prop::array::uniform3(any::<u32>()),
        reasons in prop::collection::vec(".{0,20}", 0..5),
        subjects in 0_u64..120,
    ) {
        let [attachments, messages, omitted] = counts.map(u64::from);
        let facts = Facts {
            counts: Counts { attachments, messages, omitted, ..Counts::default() },
            subjects,
            unavailable_bytes: reasons.iter().map(|reason| text_of(reason).len() as u64 + 1).sum(),
        };
        let files: Vec<String> =
            sizes.iter().map(|size| file_text(&file(&format!("f{size}"), *size))).collect();
        let files_bytes = files.iter().map(|text| text.len() as u64 + 1).sum();
        let mut draft = Draft::new(&head(), &window(), 12, None);
        let foretold = draft.bytes_with(&facts, files_bytes);
        draft.counts = facts.counts;
        for text in &files {
            draft.add_file(text);
        }
        for reason in &reasons {
            draft.add_unavailable(&text_of(reason));
        }
        (0..subjects).for_each(|n| draft.digest.add(&Subject::new("c", &n.to_string(), "")));
        prop_assert_eq!(draft.text(Last::Yes).len() as u64, foretold);
        prop_assert_eq!(draft.bytes_with(&Facts::default(), 0), foretold);
        prop_assert!(draft.text(Last::No).len() as u64 <= foretold);
    }
}
