//! Names, addresses, titles and recipients in exports come from records of the directory, as of each
//! message's time, and from messages where there are none.

use std::sync::Arc;

use chatvault_engine::{Custodian, Host, Memory, Origin, RecordKind};
use chatvault_export::{Format, Request};
use chatvault_support::{Draft, SteppingClock};
use mail_parser::MessageParser;

use super::{AT, DAY, FORMATS, export, members, request, run};
use crate::kit::{Vault, ada};

const PAIR: &str = "19:ada_ben@unq.gbl.spaces";
const GROUP: &str = "19:group@thread.v2";
const CHANNEL: &str = "19:c@thread.tacv2";

/// Messages that say no more than ids, and what the directory said of them on two days.
fn vault() -> Vault {
    let clock = Arc::new(SteppingClock::new(1));
    let host =
        Host { storage: Arc::new(Memory::new()), clock: Arc::<SteppingClock>::clone(&clock) };
    let mut vault = Vault::on(host);
    let say = |chat: &str, at: i64, text: &str| match chat {
        CHANNEL => Draft::channel("team", chat, at, None).set("from", FROM_ADA).text(text),
        _ => Draft::chat(chat, at).set("from", FROM_ADA).text(text),
    };
    let copies = [
        say(PAIR, AT, "to ben"),
        say(GROUP, AT + 1, "early"),
        say(GROUP, AT + 30 * DAY, "late"),
        say(CHANNEL, AT + 2, "post"),
        say(CHANNEL, AT + 30 * DAY + 1, "later post"),
    ];
    let copies: Vec<_> = copies.iter().map(|one| (ada(), one.json().into_bytes())).collect();
    drop(vault.commit(&copies));
    clock.set_ms(AT + DAY);
    on_the_first_day(&vault);
    clock.set_ms(AT + 25 * DAY);
    on_the_second_day(&vault);
    vault
}

fn on_the_first_day(vault: &Vault) {
    records(
        vault,
        &[
            (
                RecordKind::User,
                "",
                r#"{"id":"ada","displayName":"Ada Lee","mail":"ada@contoso.example"}"#,
            ),
            (
                RecordKind::User,
                "",
                r#"{"id":"ben","displayName":"Ben Oß","mail":"ben@exämple.example"}"#,
            ),
            (
                RecordKind::Chat,
                "",
                r#"{"id":"19:group@thread.v2","topic":"Tea","chatType":"group"}"#,
            ),
            (RecordKind::Chat, "", r#"{"id":"19:c@thread.tacv2","displayName":"General"}"#),
            (RecordKind::Team, "", r#"{"id":"team","displayName":"Finance"}"#),
            (
                RecordKind::Member,
                GROUP,
                r#"{"id":"m1","userId":"ada","displayName":"Ada Lee","email":"ada@contoso.example"}"#,
            ),
            (
                RecordKind::Member,
                GROUP,
                r#"{"id":"m2","userId":"cyd","displayName":"Cyd","email":"cyd@contoso.example"}"#,
            ),
            (
                RecordKind::Member,
                GROUP,
                &format!(
                    r#"{{"id":"m3","userId":"dan","displayName":"Dan","email":"dan@contoso.example","visibleHistoryStartDateTime":"{}"}}"#,
                    chatvault_support::stamp(AT + 20 * DAY),
                ),
            ),
        ],
    );
}

fn on_the_second_day(vault: &Vault) {
    records(
        vault,
        &[
            (
                RecordKind::User,
                "",
                r#"{"id":"ada","displayName":"Ada Fox","mail":"fox@contoso.example"}"#,
            ),
            (
                RecordKind::Chat,
                "",
                r#"{"id":"19:group@thread.v2","topic":"Coffee","chatType":"group"}"#,
            ),
            (RecordKind::Team, "", r#"{"id":"team","displayName":"Money"}"#),
        ],
    );
}

const FROM_ADA: &str = r#"{"user":{"id":"ada","displayName":null,"userIdentityType":"aadUser"}}"#;

fn records(vault: &Vault, records: &[(RecordKind, &str, &str)]) {
    let archive = vault.archive();
    let mut batch = archive.batch(archive.begin_run("directory").unwrap());
    for (record, place, json) in records {
        let origin = Origin { source: "test", offset: 0 };
        batch.offer_in(
            &Custodian::user("directory"),
            (*record, Some(place)),
            json.as_bytes(),
            origin,
        );
    }
    assert_eq!(batch.commit().unwrap().counts.stored, records.len() as u64);
}

/// The members of an export with an ending, as text.
fn texts(vault: &Vault, asked: Request, ending: &str) -> Vec<(String, String)> {
    let (folder, _) = run(&export(vault, asked), 2);
    let all = members(&*folder).into_iter().filter(|(name, _)| name.ends_with(ending));
    all.map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned())).collect()
}

#[test]
fn mails_are_from_people_with_addresses_to_those_who_were_there() {
    let vault = vault();
    let mut seen = Vec::new();
    for (_, mail) in texts(&vault, request(Format::Eml), ".eml") {
        assert!(mail.is_ascii(), "{mail}");
        let mail = MessageParser::default().parse(mail.as_bytes()).unwrap();
        let list = |address: Option<&mail_parser::Address<'_>>| -> Vec<String> {
            let all = address.into_iter().flat_map(|list| list.iter());
            let text = |one: &mail_parser::Addr<'_>| {
                format!("{} <{}>", one.name().unwrap_or(""), one.address().unwrap_or(""))
            };
            all.map(text).collect()
        };
        let to = list(mail.to()).join(", ");
        seen.push((mail.subject().unwrap().to_owned(), list(mail.from()).join(", "), to));
    }
    seen.sort();
    let of =
        |subject: &str| seen.iter().filter(|(own, ..)| own == subject).cloned().collect::<Vec<_>>();
    let (lee, fox) = ("Ada Lee <ada@contoso.example>", "Ada Fox <fox@contoso.example>");
    let cyd = "Cyd <cyd@contoso.example>";
    let tea = of("Tea");
    assert_eq!(tea, [("Tea".to_owned(), lee.to_owned(), cyd.to_owned())]);
    let both = format!("{cyd}, Dan <dan@contoso.example>");
    assert_eq!(of("Coffee"), [("Coffee".to_owned(), fox.to_owned(), both)]);
    assert_eq!(of("Finance / General")[0].1, lee);
    assert_eq!(of("Money / General")[0].1, fox);
    let (_, from, to) = seen.iter().find(|(.., to)| to.contains("Ben")).unwrap();
    assert_eq!(from, lee);
    assert!(
        to.starts_with("Ben Oß (ben@exämple.example) <ben@") && to.ends_with(".invalid>"),
        "{to}"
    );
}

#[test]
fn tables_have_addresses_topics_and_participants_of_the_time() {
    let vault = vault();
    let asked = Request { bom: false, ..request(Format::Csv) };
    let table: String =
        texts(&vault, asked, "messages.csv").into_iter().map(|(_, text)| text).collect();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<std::collections::BTreeMap<String, String>> =
        reader.deserialize().map(Result::unwrap).collect();
    let of = |text: &str| rows.iter().find(|row| row["body_text"].trim() == text).unwrap();
    let cells = |text: &str| {
        ["sender_name", "sender_email", "chat_topic"].map(|name| of(text)[name].clone())
    };
    assert_eq!(cells("early"), ["Ada Lee", "ada@contoso.example", "Tea"]);
    assert_eq!(cells("late"), ["Ada Fox", "fox@contoso.example", "Coffee"]);
    assert_eq!(cells("later post"), ["Ada Fox", "fox@contoso.example", "Money / General"]);
    let (before, after) = (&of("early")["participants"], &of("late")["participants"]);
    assert!(
        before.contains("Cyd") && !before.contains("Dan") && after.contains("Dan"),
        "{before} {after}"
    );
}

#[test]
fn pages_files_and_load_files_name_the_silent_and_their_addresses() {
    let vault = vault();
    for (format, ending) in [(Format::Html, ".html"), (Format::Dat, ".dat")] {
        let all: String =
            texts(&vault, request(format), ending).into_iter().map(|(_, text)| text).collect();
        for words in ["Cyd", "Money / General", "Ben Oß", "fox@contoso.example"] {
            assert!(all.contains(words), "{format:?} lacks {words}");
        }
    }
    let rsmf: Vec<_> = texts(&vault, request(Format::Rsmf), ".rsmf");
    assert!(rsmf.iter().any(|(_, mail)| mail.contains("cyd@contoso.example")));
    for format in FORMATS {
        // `run` compares each with the archive, byte for byte.
        assert!(!texts(&vault, request(format), "").is_empty());
    }
}
