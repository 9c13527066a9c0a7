//! Names of a tenant take little room, and a conversation is found by all that it is called.

use std::sync::Arc;

use chatvault_base::go_on;
use chatvault_engine::{Archive, Custodian, Host, Memory, Options, Origin, RecordKind, Snapshot};

use super::*;

const PEOPLE: usize = 100;
const CHATS: usize = 500;

fn id(number: usize) -> String {
    format!("19:{number:032x}@thread.v2")
}

fn person(number: usize) -> String {
    format!("{number:08x}-ee87-4cde-9f5a-{number:012x}")
}

/// Five people write in each chat, of which every fifth has a topic.
fn snapshot() -> Snapshot {
    let host = Host::new(Arc::new(Memory::new()));
    let archive = Archive::create(host, Options::default()).unwrap();
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    let at = |minute: usize| format!("2024-03-01T{:02}:{:02}:00Z", minute / 60 % 24, minute % 60);
    for chat in 0..CHATS {
        for number in 0..5 {
            let who = (chat * 7 + number) % PEOPLE;
            let event = serde_json::json!({
                "@odata.type": "#microsoft.graph.chatRenamedEventMessageDetail",
                "chatDisplayName": format!("Topic {chat}"),
            });
            let is_event = number == 0 && chat % 5 == 0;
            let json = serde_json::json!({
                "id": (1_709_251_200_000_u64 + (chat * 10 + number) as u64).to_string(),
                "chatId": id(chat), "createdDateTime": at(chat + number),
                "messageType": if is_event { "systemEventMessage" } else { "message" },
                "eventDetail": is_event.then_some(event),
                "from": {"user": {"id": person(who), "displayName": format!("Person Nº {who}z")}},
            });
            let (user, origin) = (Custodian::user("ann"), Origin { source: "test", offset: 0 });
            batch.offer(&user, RecordKind::Message, json.to_string().as_bytes(), origin);
        }
    }
    assert_eq!(batch.commit().unwrap().counts.quarantined, 0);
    archive.snapshot().unwrap()
}

fn known() -> Known {
    let snapshot = snapshot();
    let all = Conversations::collect(&snapshot, &[], &mut go_on).unwrap().unwrap();
    let people = People::collect(&snapshot, &[], &mut go_on).unwrap().unwrap();
    Known::of(people, Arc::new(all), snapshot.sequence().0)
}

#[test]
fn a_conversation_of_five_takes_some_three_hundred_bytes() {
    let known = known();
    let (packed, listed) = (known.conversations.bytes(), known.list.bytes());
    assert!(packed < CHATS * 220, "{} bytes of each are packed", packed / CHATS);
    assert!(listed < CHATS * 180, "{} bytes of each are listed", listed / CHATS);
}

#[test]
fn a_conversation_is_found_by_title_names_id_person_and_kind() {
    let known = known();
    let found = |wanted: &Wanted<'_>| -> Vec<String> {
        let rows = known.find(wanted).into_iter();
        rows.map(|row| known.listed(row).unwrap().id.to_owned()).collect()
    };
    let words =
        |words: &[&'static str]| found(&Wanted { words: words.to_vec(), ..Wanted::default() });
    assert_eq!(words(&[]).len(), CHATS);
    assert_eq!(words(&["topic", "495"]), [id(495)]);
    assert_eq!(words(&["nobody"]), Vec::<String>::new());
    let own = id(7);
    let by_id = found(&Wanted { words: vec![&own], ..Wanted::default() });
    assert_eq!(by_id.join(" "), own);
    // The fifth of those who write is in no title.
    let with = |who: usize| {
        (0..CHATS).filter(|chat| (0..5).any(|number| (chat * 7 + number) % PEOPLE == who)).count()
    };
    assert_eq!(words(&["person", "nº", "42z"]).len(), with(42));
    let who = person(42);
    let wanted = Wanted { person: Some(&who), ..Wanted::default() };
    assert_eq!(found(&wanted).len(), with(42));
    assert_eq!(found(&Wanted { kind: "channel", ..wanted }), Vec::<String>::new());
    let rows = known.find(&Wanted::default());
    let times: Vec<_> = rows.iter().map(|row| known.listed(*row).unwrap().last).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "the latest comes first");
}

#[test]
fn people_and_chats_are_meant_by_id_and_by_name() {
    let known = known();
    assert_eq!(known.person_meant(&person(3)).unwrap(), person(3));
    assert_eq!(known.person_meant("person nº 3z").unwrap(), person(3));
    assert_eq!(known.chat_meant(&id(9)).unwrap(), id(9));
    assert_eq!(known.chat_meant("topic 95").unwrap(), id(95));
    let error = known.chat_meant("topic 9500").unwrap_err().line;
    assert!(error.starts_with("no chat is called \"topic 9500\"; did you mean"), "{error}");
}
