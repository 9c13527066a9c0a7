//! People from what messages say of them.

use std::sync::Arc;

use chatvault_base::go_on;
use chatvault_engine::{Archive, Custodian, Host, Memory, Options, Origin};
use serde_json::{Value, json};

use super::*;

fn time(text: &str) -> Timestamp {
    crate::parse_time("x", text).unwrap()
}

/// What an archive says that has these messages.
fn people(messages: &[(&str, Value)]) -> People {
    let host = Host::new(Arc::new(Memory::default()));
    let archive = Archive::create(host, Options::default()).unwrap();
    let mut batch = archive.batch(archive.begin_run("x").unwrap());
    for (number, (at, message)) in (1..).zip(messages) {
        let mut message = message.clone();
        message["id"] = json!(format!("{number}"));
        message["chatId"] = json!("19:a@thread.v2");
        message["createdDateTime"] = json!(format!("{at}T00:00:00Z"));
        message["lastModifiedDateTime"] = json!(format!("{at}T00:00:00Z"));
        let origin = Origin { source: "x", offset: 0 };
        let json = message.to_string();
        batch.offer(&Custodian::user("me"), RecordKind::Message, json.as_bytes(), origin);
    }
    assert_eq!(batch.commit().unwrap().counts.stored, messages.len() as u64);
    People::collect(&archive.snapshot().unwrap(), &[], &mut go_on).unwrap().unwrap()
}

fn from(id: &str, name: &str) -> Value {
    json!({"from": {"user": {"id": id, "displayName": name, "userIdentityType": "aadUser"}}})
}

#[test]
fn a_name_holds_as_long_as_it_was_seen_and_the_nearest_one_beyond() {
    let people = people(&[
        ("2020-01-01", from("a", "Ann Lee")),
        ("2020-03-01", from("a", "Ann Lee")),
        ("2020-06-01", from("a", "Ann Fox")),
        ("2020-07-01", from("a", "Ann Fox")),
        ("2020-12-01", from("a", "Ann Lee")),
        ("2020-02-01", json!({"from": {"user": {"id": "a", "displayName": null}}})),
    ]);
    for (at, name) in [
        ("2019-01-01", "Ann Lee"),
        ("2020-02-01", "Ann Lee"),
        ("2020-06-15", "Ann Fox"),
        ("2020-08-01", "Ann Lee"),
        ("2021-01-01", "Ann Lee"),
    ] {
        assert_eq!(people.name_at("a", time(at)), Some(name), "{at}");
    }
    let names: Vec<_> = people.known_names("a").collect();
    assert_eq!(
        names,
        [
            ("Ann Lee", time("2020-01-01"), time("2020-12-01")),
            ("Ann Fox", time("2020-06-01"), time("2020-07-01")),
        ]
    );
    assert_eq!(people.get("a").unwrap().name(), Some("Ann Lee"));
    assert_eq!((people.name_at("b", time("2020-01-01")), people.len()), (None, 1));
}

#[test]
fn everybody_whom_a_message_names_is_found() {
    let user = |id: &str| json!({"user": {"id": id, "displayName": format!("Name of {id}")}});
    let people = people(&[(
        "2020-01-01",
        json!({
            "from": {"user": null, "application": {"id": "bot", "displayName": "Bot", "applicationIdentityType": "bot"}},
            "onBehalfOf": user("behalf"),
            "mentions": [{"id": 0, "mentioned": user("mentioned")}, {"mentioned": {"conversation": {"id": "chat"}}}, 7],
            "reactions": [{"reactionType": "like", "user": user("reacted")}],
            "messageHistory": [{"reaction": {"user": user("history")}}],
            "eventDetail": {
                "initiator": user("initiator"), "meetingOrganizer": user("organizer"),
                "members": [{"id": "member", "displayName": null, "email": "member@contoso.com"}],
                "conversationMemberUser": {"id": "role", "displayName": "Role"},
                "callParticipants": [{"participant": user("caller")}],
            },
        }),
    )]);
    let ids: Vec<&str> = people.iter().map(|person| person.id.as_str()).collect();
    let expected = [
        "behalf",
        "bot",
        "caller",
        "history",
        "initiator",
        "member",
        "mentioned",
        "organizer",
        "reacted",
        "role",
    ];
    assert_eq!(ids, expected);
    assert_eq!(people.get("bot").unwrap().kind.as_deref(), Some("bot"));
    let member = people.get("member").unwrap();
    assert_eq!((member.name(), member.address()), (None, Some("member@contoso.com")));
}

#[test]
fn a_search_finds_names_of_any_time_addresses_and_ids() {
    let people = people(&[
        ("2020-01-01", from("1", "Ann Lee")),
        ("2020-02-01", from("1", "Ann Fox")),
        ("2020-01-01", from("2", "Joann Smith")),
        ("2020-01-01", from("3", "lee@contoso.com")),
        ("2020-01-01", from("zoë@fabrikam.example", "ZOË")),
    ]);
    let found = |text: &str| -> Vec<&str> {
        people.search(text).into_iter().map(|person| person.id.as_str()).collect()
    };
    assert_eq!(found("ann"), ["1", "2"]);
    assert_eq!(found("LEE"), ["1", "3"]);
    assert_eq!(found("ann lee"), ["1"]);
    assert_eq!(found("zoë"), ["zoë@fabrikam.example"]);
    assert_eq!(found("contoso"), ["3"]);
    assert_eq!(found("3"), ["3"]);
    assert_eq!(found("nobody"), Vec::<&str>::new());
    assert_eq!(found("").len(), 4);
}

#[test]
fn odd_messages_name_nobody() {
    let odd = [
        json!({"from": 7, "mentions": {}, "reactions": [null, [], {"user": 1}]}),
        json!({"from": {"user": {"id": "", "displayName": "x"}}, "eventDetail": [1]}),
        json!({"eventDetail": {"members": [1, {"id": 7}], "initiator": "x"}}),
    ];
    assert!(people(&odd.map(|message| ("2020-01-01", message))).is_empty());
}

#[test]
fn names_without_end_are_cut() {
    let many = (0..1_000).map(|number| ("2020-01-01", from("a", &format!("Name {number}"))));
    let people = people(&many.collect::<Vec<_>>());
    assert_eq!(people.known_names("a").count(), 256);
}
