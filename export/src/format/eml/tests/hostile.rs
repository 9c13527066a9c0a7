//! Names, subjects, ids and texts that try to be something else.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use crate::entry::Answered;
use crate::format::eml::testing::{Case, lines, parsed, stored};

/// Every field that a mail may have.
const FIELDS: [&str; 37] = [
    "Date",
    "From",
    "To",
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Thread-Topic",
    "Thread-Index",
    "MIME-Version",
    "Importance",
    "X-Priority",
    "Auto-Submitted",
    "X-Teams-Recipients-Omitted",
    "X-Teams-Tenant-Id",
    "X-Teams-Chat-Id",
    "X-Teams-Chat-Type",
    "X-Teams-Chat-Topic",
    "X-Teams-Message-Id",
    "X-Teams-Etag",
    "X-Teams-Message-Type",
    "X-Teams-Reply-To-Id",
    "X-Teams-Sender-Id",
    "X-Teams-Sender-Type",
    "X-Teams-Created",
    "X-Teams-Last-Modified",
    "X-Teams-Last-Edited",
    "X-Teams-Deleted",
    "X-Teams-Version",
    "X-Teams-Event",
    "X-Teams-Reactions",
    "X-Teams-Attachments",
    "X-Teams-Attachments-Omitted",
    "X-Archive-Address",
    "X-Archive-Custodians",
    "Content-Type",
    "Content-Transfer-Encoding",
];

fn evil() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\nBcc: x@example.com\r\n".to_owned()),
        Just("\r\n\r\n--=_".to_owned()),
        Just("\n.\n".to_owned()),
        Just("\nFrom ".to_owned()),
        Just("=?utf-8?Q?=0ABcc:_x?=".to_owned()),
        Just("\0\u{85}\u{2028}\u{202e}".to_owned()),
        Just("\" <a@b>, \"\\".to_owned()),
        Just("🏳️‍🌈漢字".to_owned()),
        Just("x".repeat(1_200)),
        "\\PC{0,20}",
        "[ -~]{0,80}",
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn case(evil: &[String; 6]) -> Case {
    let [name, subject, id, text, topic, file] = evil;
    let mut case = Case::of(&[json!({
        "id": id, "etag": name, "messageType": topic, "subject": subject, "replyToId": id,
        "from": {"user": {"id": id, "displayName": name, "userIdentityType": file}},
        "body": {"contentType": "text", "content": text},
        "reactions": [{"reactionType": name, "user": {"user": {"id": id, "displayName": name}}}]
    })]);
    case.chat.topic = Some(topic.clone());
    case.chat.id.clone_from(id);
    case.chat.participants[0].name = Some(name.clone());
    case.chat.participants[1].address = Some(file.clone());
    case.entry.parent = Some(Answered { id: id.clone(), ..Answered::default() });
    case.attach(stored("file:f", Some(0), file, file), b"file");
    case
}

fn words(text: &str) -> Vec<String> {
    let is_gap = |each: char| each.is_control() || each.is_whitespace();
    text.split(is_gap).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_adds_a_field_or_a_part_and_the_text_survives(
        evil in [evil(), evil(), evil(), evil(), evil(), evil()]
    ) {
        let mail = case(&evil).only();
        prop_assert!(mail.is_ascii());
        for line in mail.split(|&byte| byte == b'\n') {
            prop_assert!(line.len() <= 998);
            prop_assert!(!line.starts_with(b"From "));
        }
        prop_assert!(!mail.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'));
        let read = parsed(&mail);
        let known: BTreeSet<&str> = FIELDS.into_iter().collect();
        for (name, _) in read.headers_raw() {
            prop_assert!(known.contains(name), "{name}");
        }
        prop_assert_eq!(read.parts.len(), 3);
        prop_assert_eq!(read.attachment_count(), 1);
        prop_assert_eq!(read.attachments().next().unwrap().contents(), b"file");
        prop_assert_eq!(read.from().unwrap().clone().into_list().len(), 1);
        let subject = words(&evil[1]);
        if evil[1].len() < 2_000 && !subject.is_empty() {
            prop_assert_eq!(words(read.subject().unwrap_or_default()), subject);
        }
        let said = words(&lines(&read)).join(" ");
        let text = words(&evil[3]).join(" ");
        prop_assert!(said.contains(&text), "{said:?} lacks {text:?}");
    }
}
