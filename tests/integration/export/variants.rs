//! Different content under one version is handed out on request, and told from what readers get.

use std::sync::Arc;

use chatvault_engine::{Memory, Storage};
use chatvault_export::{Format, Request};
use chatvault_query::{Query, Versions};
use chatvault_support::Draft;
use mail_parser::MessageParser;

use super::{AT, FORMATS, HOUR, export, is_a, joined, manifests, members, request, rows, run};
use crate::kit::{Vault, ada, ben};

/// A message with two contents under its first version and three under its second, and another one.
fn vault() -> Vault {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let draft = Draft::chat("19:a@thread.v2", AT).from_user("ann", "Ann").text("first words");
    let edited = draft.clone().edited(AT + HOUR, "second words");
    for (draft, named) in [
        (&draft, ""),
        (&draft, r#""summary":"a""#),
        (&edited, ""),
        (&edited, r#""summary":"b""#),
        (&edited, r#""summary":"longer""#),
    ] {
        let json = draft.json();
        let json =
            if named.is_empty() { json } else { json.replacen('{', &format!("{{{named},"), 1) };
        drop(vault.put(&ada(), &json));
    }
    drop(vault.put(&ben(), &Draft::chat("19:b@thread.v2", AT).text("alone").json()));
    vault
}

fn asked(format: Format) -> Request {
    Request { all_variants: true, ..request(format) }
}

fn text(folder: &dyn Storage, ending: &str) -> String {
    String::from_utf8(joined(folder, ending)).unwrap()
}

#[test]
fn every_variant_is_handed_out_in_every_format_and_checked() {
    let vault = vault();
    for format in FORMATS {
        let (folder, index) = run(&export(&vault, asked(format)), 2);
        assert_eq!((index.counts.messages, index.counts.versions), (2, 6), "{format:?}");
        assert_eq!(index.digest.subjects, 6, "{format:?}");
        let latest = export(&vault, Request { all_versions: true, ..request(format) });
        let (_, versions) = run(&latest, 2);
        assert_eq!(versions.counts.versions, 3, "{format:?}: without them");
        assert_eq!(manifests(&*folder)[0].head.selection.versions, "variants");
    }
}

#[test]
fn lines_are_every_stored_row() {
    let vault = vault();
    let (folder, _) = run(&export(&vault, asked(Format::Jsonl)), 1);
    let query = Query { versions: Versions::Variants, ..Query::default() };
    let mut expected = rows(&vault.archive().snapshot().unwrap(), &query);
    let found = joined(&*folder, "messages.jsonl");
    let mut found: Vec<&[u8]> =
        found.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn a_variant_is_marked_where_people_and_programs_look() {
    let vault = vault();
    let (folder, _) = run(&export(&vault, asked(Format::Eml)), 1);
    let mut ids = Vec::new();
    let mut marks = Vec::new();
    for (_, bytes) in members(&*folder).into_iter().filter(|(name, _)| is_a(name, "eml")) {
        let mail = MessageParser::default().parse(&bytes).unwrap();
        ids.push(mail.message_id().unwrap().to_owned());
        let mark = mail.header("X-Teams-Variant").and_then(|value| value.as_text());
        let says = mail.body_text(0).unwrap().contains("other content came under the same version");
        marks.push((mark.map(str::to_owned), says));
    }
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((all, ids.len()), (6, 6), "no two mails have one id");
    marks.sort();
    let mark = |text: &str, says| (Some(text.to_owned()), says);
    let expected = [
        (None, false),
        mark("1/2", true),
        mark("1/3", true),
        mark("2/2", false),
        mark("2/3", true),
        mark("3/3", false),
    ];
    assert_eq!(marks, expected);

    let table = text(&*run(&export(&vault, asked(Format::Csv)), 1).0, ".csv");
    assert_eq!((table.matches(",variant,").count(), table.matches(",version,").count()), (3, 1));
    let chosen = table.lines().filter(|line| line.split(',').nth(1) == Some("message"));
    assert_eq!(chosen.count(), 2, "the latest of each");
    let loads = text(&*run(&export(&vault, asked(Format::Dat)), 1).0, ".dat");
    assert_eq!(loads.matches("Message variant").count(), 3);
    let (folder, _) = run(&export(&vault, asked(Format::Html)), 1);
    let pages = members(&*folder).into_iter().filter(|(name, _)| is_a(name, "html"));
    let pages: Vec<u8> = pages.flat_map(|(_, bytes)| bytes).collect();
    let pages = String::from_utf8(pages).unwrap();
    for mark in ["variant 1 of 2 under this version", "variant 1 of 3", "variant 2 of 3"] {
        assert!(pages.contains(mark), "{mark}");
    }
}

#[test]
fn an_archive_of_messages_only_says_nothing_of_other_kinds() {
    let vault = vault();
    let (folder, index) = run(&export(&vault, request(Format::Csv)), 1);
    let request = &index.head.selection.more["request"];
    for field in ["records", "other_records", "all_variants"] {
        assert!(request.get(field).is_none(), "{field}");
    }
    let manifests = members(&*folder).into_iter().filter(|(name, _)| name == "manifest.json");
    for (_, bytes) in manifests {
        let manifest = String::from_utf8(bytes).unwrap();
        assert!(!manifest.contains("copilot") && !manifest.contains("transcript"), "{manifest}");
    }
}
