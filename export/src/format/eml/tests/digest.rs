//! Digests: a conversation's day as one mail.

use chatvault_engine::Timestamp;
use mail_parser::MimeHeaders;

use crate::entry::Piece;
use crate::format::eml::Days;
use crate::format::eml::testing::{CREATED_MS, Case, entry, lines, message, parsed, stored};

const DAY_MS: i64 = 86_400_000;

fn digests(case: &Case, messages: &[(i64, &str)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut sink = |piece| {
        pieces.push(piece);
        Ok(())
    };
    let mut days = Days::new(case.context());
    for (at, content) in messages {
        let mut entry = entry("1000", Timestamp::from_ms(*at), &[message(content, "html")]);
        entry.attached.clone_from(&case.entry.attached);
        days.push(&entry, &mut sink).unwrap();
    }
    days.finish(&mut sink).unwrap();
    pieces
}

#[test]
fn each_day_is_a_mail_with_its_people_and_messages_in_order() {
    let mut case = Case::text("");
    case.attach(stored("file:f", Some(0), "a.bin", "application/octet-stream"), b"file");
    let messages = [
        (CREATED_MS, "<p>one</p>"),
        (CREATED_MS + 1_000, "<p>two</p>"),
        (CREATED_MS + DAY_MS, "x"),
    ];
    let pieces = digests(&case, &messages);
    let names: Vec<&str> = pieces.iter().map(|piece| piece.name.as_str()).collect();
    assert_eq!(names, ["Topic_12345678/20210603_001.eml", "Topic_12345678/20210604_001.eml"]);
    let bytes = pieces[0].content.to_vec(&case.objects).unwrap();
    let mail = parsed(&bytes);
    assert_eq!(mail.subject(), Some("Teams chat: Töpic 2021-06-03 part 1 of 1"));
    assert_eq!(mail.date().unwrap().to_rfc3339(), "2021-06-03T23:22:48Z");
    assert_eq!(mail.from().unwrap().first().unwrap().address(), Some("ann@example.com"));
    assert_eq!(mail.to().unwrap().clone().into_list().len(), 3);
    assert_eq!(
        lines(&mail),
        "Participants (3)\nId\tName\tAddress\tJoined\tLeft\tMessages\n\
         ann\tAnn Lee\tann@example.com\t\t\t2\nbob\tBöb\t\t\t\t0\neve\tEve\teve@example.com\t\t\t0\n\n\
         Messages (2)\n\n\
         1000 | 2021-06-03 23:22:47 UTC | Ann\none\nAttached: a.bin\n\n\
         1000 | 2021-06-03 23:22:48 UTC | Ann\ntwo\nAttached: a.bin"
    );
    assert!(mail.body_html(0).unwrap().contains("<td>Böb</td>"));
    let files: Vec<_> = mail.attachments().map(|file| file.contents().to_vec()).collect();
    assert_eq!(files, [b"file", b"file"]);
    assert_eq!(mail.attachments().next().unwrap().attachment_name(), Some("a.bin"));
}

#[test]
fn a_day_of_many_messages_has_numbered_parts() {
    let messages: Vec<(i64, &str)> = (0..10_001).map(|at| (CREATED_MS + at % 7, "hi")).collect();
    let case = Case::text("");
    let pieces = digests(&case, &messages);
    let counts: Vec<(String, bool)> = pieces
        .iter()
        .map(|piece| {
            let bytes = piece.content.to_vec(&case.objects).unwrap();
            let mail = parsed(&bytes);
            let subject = mail.subject().unwrap().rsplit_once("part ").unwrap().1.to_owned();
            (subject, lines(&mail).contains("Messages (10000)"))
        })
        .collect();
    assert_eq!(counts, [("1 of 2".to_owned(), true), ("2 of 2".to_owned(), false)]);
}

#[test]
fn no_messages_make_no_mail() {
    assert!(digests(&Case::text(""), &[]).is_empty());
}
