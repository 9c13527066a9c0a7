//! What an export says of itself and of its messages: whose it is, which messages, when, by whom.

use std::io::Cursor;
use std::sync::Arc;

use chatvault_engine::{Custodian, Memory};
use chatvault_export::entry::SystemEvents;
use chatvault_export::request::Collected;
use chatvault_export::{Format, Request};
use chatvault_support::Draft;
use mail_parser::MessageParser;

use super::{AT, DAY, FORMATS, HOUR, PICTURE, export, members, request, run};
use crate::kit::{Vault, ada, ben};

const PAIR: &str = "19:ada_ben@unq.gbl.spaces";
const GROUP: &str = "19:group@thread.v2";
const CHANNEL: &str = "19:c@thread.tacv2";

fn empty() -> Vault {
    Vault::create(Arc::new(Memory::new()))
}

fn say(chat: &str, at: i64, who: &str, text: &str) -> Draft {
    Draft::chat(chat, at).from_user(who, &name_of(who)).text(text)
}

fn name_of(who: &str) -> String {
    format!("{}{} Lee", who[..1].to_uppercase(), &who[1..])
}

fn put_all(vault: &mut Vault, custodian: &Custodian, drafts: &[Draft]) {
    let copies: Vec<_> =
        drafts.iter().map(|draft| (custodian.clone(), draft.json().into_bytes())).collect();
    drop(vault.commit(&copies));
}

/// The members of an export, as text.
fn texts(vault: &Vault, asked: Request) -> Vec<(String, String)> {
    let (folder, _) = run(&export(vault, asked), 2);
    let text =
        |(name, bytes): (String, Vec<u8>)| (name, String::from_utf8_lossy(&bytes).into_owned());
    members(&*folder).into_iter().map(text).collect()
}

/// The members with an ending, as text.
fn with_ending(vault: &Vault, asked: Request, ending: &str) -> Vec<(String, String)> {
    let all = texts(vault, asked).into_iter();
    all.filter(|(name, _)| name.ends_with(ending)).collect()
}

/// All of them, one behind the other.
fn text(vault: &Vault, asked: Request, ending: &str) -> String {
    with_ending(vault, asked, ending).into_iter().map(|(_, text)| text).collect()
}

/// The rows of a table, by the names of its columns.
fn rows(vault: &Vault, asked: Request) -> Vec<std::collections::BTreeMap<String, String>> {
    let table = text(vault, Request { bom: false, ..asked }, "messages.csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn the_custodian_asked_for_is_the_custodian_named() {
    let mut vault = empty();
    let drafts = [say(PAIR, AT, "ada", "from ada"), say(PAIR, AT + 1, "ben", "from ben")];
    put_all(&mut vault, &ada(), &drafts);
    put_all(&mut vault, &ben(), &drafts);
    for (asked, name) in [("ada", "Ada Lee"), ("ben", "Ben Lee"), ("user:ben", "Ben Lee")] {
        let custodians = vec![asked.to_owned()];
        let of = |format| Request { custodians: custodians.clone(), ..request(format) };
        let mail = text(&vault, of(Format::Rsmf), ".rsmf");
        assert!(mail.contains(&format!("X-RSMF-Custodian: {name}\r\n")), "{mail}");
        let mail = MessageParser::default().parse(mail.as_bytes()).unwrap();
        assert_eq!(mail.from().unwrap().first().unwrap().name(), Some(name));
        let zip = mail.attachments().next().unwrap().contents().to_vec();
        let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        let manifest = zip.by_name("rsmf_manifest.json").unwrap();
        let manifest: serde_json::Value = serde_json::from_reader(manifest).unwrap();
        let own = asked.trim_start_matches("user:");
        assert_eq!(manifest["conversations"][0]["custodian"], own);
        for event in manifest["events"].as_array().unwrap() {
            let expected = if event["participant"] == own { "outgoing" } else { "incoming" };
            assert_eq!(event["direction"], expected, "{asked}: {event}");
        }
        let table = text(&vault, of(Format::Dat), ".dat");
        let row = table.lines().nth(1).unwrap();
        let cells: Vec<&str> = row.split('\u{14}').map(|cell| cell.trim_matches('þ')).collect();
        assert_eq!(cells[4..6], [name, "Ada Lee; Ben Lee"], "{asked}");
    }
}

#[test]
fn covers_and_manifests_tell_the_selection() {
    let mut vault = empty();
    let renamed = say(GROUP, AT + 1, "ada", "").event("chatRenamed", "\"chatDisplayName\":\"Tea\"");
    put_all(
        &mut vault,
        &ada(),
        &[say(GROUP, AT, "ada", "a"), renamed, say(GROUP, AT + 2, "ben", "b")],
    );
    let asked = |format| Request {
        custodians: vec!["ada".to_owned()],
        senders: vec!["ben".to_owned()],
        system_events: SystemEvents::Omit,
        text_only: true,
        requested_by: Some("A. Judge".to_owned()),
        collected: vec![Collected::until(
            &ada(),
            Some(chatvault_engine::Timestamp::from_ms(AT + DAY)),
        )],
        ..request(format)
    };
    let index = text(&vault, asked(Format::Html), "index.html");
    for words in [
        "Ada Lee (user:ada)",
        "only messages sent by Ben Lee (ben)",
        "events of the service",
        "A. Judge",
        "complete up to 2023-11-15",
    ] {
        assert!(index.contains(words), "{words}: {index}");
    }
    let page = texts(&vault, asked(Format::Html));
    let page = page.iter().find(|(name, _)| name.contains('/') && name.ends_with("html")).unwrap();
    assert!(page.1.contains("a selection, not all messages"), "{}", page.1);
    let (folder, _) = run(&export(&vault, asked(Format::Csv)), 1);
    let words = &super::manifests(&*folder)[0].head.selection.more["words"];
    assert_eq!(words["Selection"], "only messages sent by ben");
    let whole = text(&vault, request(Format::Html), "index.html");
    assert!(whole.contains("every message in the period") && !whole.contains("only messages"));
}

#[test]
fn numbers_agree_wherever_they_stand() {
    let mut vault = empty();
    let drafts = [
        say(GROUP, AT, "ada", "v1").edited(AT + HOUR, "v2"),
        say(GROUP, AT + 1, "ada", "w1").edited(AT + HOUR, "w2").deleted(AT + 2 * HOUR),
        say(GROUP, AT + 2, "ada", "x"),
    ];
    put_all(&mut vault, &ada(), &drafts);
    let (folder, index) = run(&export(&vault, request(Format::Html)), 1);
    assert_eq!((index.counts.messages, index.counts.edited, index.counts.deleted), (3, 2, 1));
    let page = members(&*folder).into_iter().find(|(name, _)| name == "index.html").unwrap().1;
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("1 chat, 3 messages, 2 edited, 1 deleted"), "{page}");
}

#[test]
fn odd_dates_are_exported_as_what_they_are_and_block_nothing() {
    let mut vault = empty();
    let dated = |id: &str, created: &str| {
        let draft = say(GROUP, AT, "ada", id).set("id", &format!("\"{id}\""));
        match created {
            "" => draft.without("createdDateTime"),
            created => draft.set("createdDateTime", &format!("\"{created}\"")),
        }
    };
    let drafts = [
        dated("first", "0001-01-01T00:00:00Z"),
        dated("last", "9999-12-31T23:59:59.9999999Z"),
        dated("far", "9999-12-31T00:00:00Z"),
        dated("none", ""),
        dated("bad", "yesterday"),
        say(GROUP, AT, "ada", "usual"),
    ];
    put_all(&mut vault, &ada(), &drafts);
    for format in FORMATS {
        let asked = Request { window_days: 90, ..request(format) };
        let (_, index) = run(&export(&vault, asked), 2);
        assert_eq!(index.counts.messages, 6, "{format:?}");
        assert_eq!(index.windows.len(), 4, "{format:?}: windows without messages do not count");
    }
    let created = |row: &std::collections::BTreeMap<String, String>| {
        (row["body_text"].clone(), row["created_utc"].clone())
    };
    let rows = rows(&vault, request(Format::Csv));
    let created: std::collections::BTreeMap<String, String> = rows.iter().map(created).collect();
    assert_eq!(created["first"], "0001-01-01T00:00:00.000Z");
    assert_eq!(created["last"], "9999-12-31T23:59:59.999Z");
    assert_eq!((&*created["none"], &*created["bad"]), ("", ""), "nobody knows");
    for (name, mail) in with_ending(&vault, request(Format::Eml), ".eml") {
        let is_known = !name.contains("_none") && !name.contains("_bad");
        assert_eq!(mail.contains("\r\nX-Teams-Created: "), is_known, "{name}");
        assert_eq!(mail.starts_with("Date: "), is_known, "{name}");
    }
    let page = text(&vault, request(Format::Html), ".html");
    assert_eq!(page.matches("time unknown").count(), 2);
}

#[test]
fn files_that_were_taken_away_keep_their_names() {
    let mut vault = empty();
    let with_file = |draft: Draft, id: &str, name: &str| {
        let html = format!("<p>see</p><attachment id=\"{id}\"></attachment>");
        let file = format!(
            r#"[{{"id":"{id}","contentType":"reference","contentUrl":"https://x.example/{name}","name":"{name}"}}]"#
        );
        draft.html(&html).set("attachments", &file)
    };
    let deleted = with_file(say(GROUP, AT, "ada", ""), "f1", "deleted.pdf");
    let edited = with_file(say(GROUP, AT + 1, "ada", ""), "f2", "edited.docx");
    let gone = with_file(say(GROUP, AT + 2, "ada", ""), "f3", "never fetched.txt");
    let bare = |draft: &Draft| draft.clone().text("nothing more").set("attachments", "[]");
    let drafts = [
        deleted.clone(),
        bare(&deleted).text("").deleted(AT + HOUR),
        edited.clone(),
        bare(&edited).edited(AT + HOUR, "see nothing"),
        gone.clone(),
        bare(&gone).edited(AT + HOUR, "no more"),
    ];
    put_all(&mut vault, &ada(), &drafts);
    let object = vault.archive().put_object(&mut Cursor::new(PICTURE)).unwrap();
    let snapshot = vault.archive().snapshot().unwrap();
    let mut batch = vault.archive().batch(vault.run);
    for row in crate::kit::rows(&snapshot, &crate::kit::everything()).unwrap() {
        let of = |id: &str| row.key.id == id;
        if of(&AT.to_string()) {
            batch.link(&row.key, "f1", object);
        } else if of(&(AT + 1).to_string()) {
            batch.link(&row.key, "f2", object);
        }
    }
    drop(batch.commit().unwrap());
    for format in FORMATS {
        let (folder, index) = run(&export(&vault, request(format)), 2);
        assert_eq!((index.counts.attachments, index.counts.unavailable), (2, 1), "{format:?}");
        let names = members(&*folder).into_iter().map(|(name, _)| name);
        let files: Vec<String> = names.filter(|name| name.starts_with("Attachments/")).collect();
        let embeds = matches!(format, Format::Eml | Format::Mbox | Format::Rsmf);
        let expected = ["Attachments/0001_deleted.pdf", "Attachments/0002_edited.docx"];
        assert_eq!(files, expected[..if embeds { 0 } else { 2 }], "{format:?}");
    }
    let mail = text(&vault, request(Format::Eml), ".eml");
    for name in
        ["filename=\"deleted.pdf\"", "- edited.docx (of an earlier version, ", "never fetched.txt"]
    {
        assert!(mail.contains(name), "{name}: {mail}");
    }
    let listed = |row: &std::collections::BTreeMap<String, String>| {
        (row["version_no"].clone(), row["attachment_names"].clone())
    };
    let latest: Vec<_> = rows(&vault, request(Format::Csv)).iter().map(listed).collect();
    let names = ["deleted.pdf", "edited.docx", "never fetched.txt"];
    assert_eq!(latest, names.map(|name| ("2".to_owned(), name.to_owned())));
    let all = Request { all_versions: true, ..request(Format::Csv) };
    let all: Vec<_> = rows(&vault, all).iter().map(listed).collect();
    let both = |name: &str| [("1".to_owned(), name.to_owned()), ("2".to_owned(), String::new())];
    assert_eq!(all, names.map(both).concat(), "each version has what it names");
}

#[test]
fn code_that_came_as_a_content_is_text_in_every_format() {
    let mut vault = empty();
    let content = r#"{\"name\":\"a.py\",\"language\":\"Python\",\"codeSnippetUrl\":\"https://graph.microsoft.com/v1.0/chats/c/messages/1/hostedContents/aWQ/$value\"}"#;
    let card = format!(
        r#"[{{"id":"S","contentType":"application/vnd.microsoft.card.codesnippet","content":"{content}"}}]"#
    );
    let html = r#"<p>look</p><attachment id="S"></attachment>"#;
    let draft = say(GROUP, AT, "ada", "").html(html).set("attachments", &card);
    put_all(&mut vault, &ada(), &[draft]);
    let object = vault.archive().put_object(&mut Cursor::new(b"print('forty-two')\n")).unwrap();
    let snapshot = vault.archive().snapshot().unwrap();
    let mut batch = vault.archive().batch(vault.run);
    for row in crate::kit::rows(&snapshot, &crate::kit::everything()).unwrap() {
        batch.link(&row.key, "hostedContents/aWQ", object);
    }
    drop(batch.commit().unwrap());
    for (format, ending) in [
        (Format::Csv, ".csv"),
        (Format::Html, ".html"),
        (Format::Dat, ".dat"),
        (Format::Eml, ".eml"),
    ] {
        let text = text(&vault, request(format), ending);
        assert!(text.contains("print("), "{format:?}: {text}");
        assert!(text.contains("a.py"), "{format:?}: {text}");
    }
}

#[test]
fn names_topics_and_participants_are_those_of_each_message_s_time() {
    let mut vault = empty();
    let event = |at, name: &str, fields: &str| Draft::chat(GROUP, at).event(name, fields);
    let initiator = r#""initiator":{"user":{"id":"ada"}}"#;
    let renamed = |at, topic: &str| {
        event(at, "chatRenamed", &format!(r#""chatDisplayName":"{topic}",{initiator}"#))
    };
    let drafts = [
        Draft::chat(GROUP, AT).from_user("ada", "Ada Single").text("one"),
        renamed(AT + HOUR, "First topic"),
        say(GROUP, AT + 2 * HOUR, "ben", "two"),
        event(AT + DAY, "membersAdded", r#""members":[{"id":"cyd","displayName":"Cyd Lee"}]"#),
        renamed(AT + 2 * DAY, "Second topic"),
        Draft::chat(GROUP, AT + 3 * DAY).from_user("ada", "Ada Married").text("three"),
        say(GROUP, AT + 3 * DAY + 1, "cyd", "four"),
    ];
    put_all(&mut vault, &ada(), &drafts);
    let rows = rows(&vault, request(Format::Csv));
    let topics: Vec<&str> = rows.iter().map(|row| &*row["chat_topic"]).collect();
    let (first, second) = ("First topic", "Second topic");
    assert_eq!(topics, ["", first, first, first, second, second, second]);
    let has_cyd =
        |row: &std::collections::BTreeMap<String, String>| row["participants"].contains("cyd");
    let there: Vec<bool> = rows.iter().map(has_cyd).collect();
    assert_eq!(there, [false, false, false, true, true, true, true]);
    assert!(rows[1]["body_text"].starts_with("Ada Single renamed"), "{}", rows[1]["body_text"]);
    let mails = with_ending(&vault, request(Format::Eml), ".eml").into_iter();
    let subject = |(_, mail): (String, String)| {
        MessageParser::default().parse(mail.as_bytes()).unwrap().subject().unwrap().to_owned()
    };
    let subjects: Vec<String> = mails.map(subject).collect();
    assert_eq!(subjects[1..], [first, first, first, second, second, second]);
    assert!(subjects[0].starts_with("Chat: "), "{subjects:?}");
}

#[test]
fn a_reply_has_the_subject_of_its_post() {
    let mut vault = empty();
    let post = Draft::channel("team", CHANNEL, AT, None).from_user("ada", "Ada Lee").text("who?");
    let root = AT.to_string();
    let reply = Draft::channel("team", CHANNEL, AT + HOUR, Some(&root)).from_user("ben", "Ben Lee");
    put_all(&mut vault, &ada(), &[post.set("subject", "\"Lunch\""), reply.text("me")]);
    let mails = with_ending(&vault, request(Format::Eml), ".eml").into_iter();
    let mails: Vec<String> = mails.map(|(_, mail)| mail).collect();
    assert!(mails[0].contains("\r\nSubject: Lunch\r\n"), "{}", mails[0]);
    assert!(mails[1].contains("\r\nSubject: Re: Lunch\r\n"), "{}", mails[1]);
    assert!(mails[1].contains("\r\nThread-Topic: Lunch\r\n"), "{}", mails[1]);
}
