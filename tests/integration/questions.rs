//! Questions that look into messages: filters, statistics, people, conversations over time, and
//! what versions changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_engine::{Custodian, Memory, Snapshot, Stored, Timestamp, continue_if, go_on};
use chatvault_query::people::{ConversationKind, Conversations, People};
use chatvault_query::statistics::{By, Statistics};
use chatvault_query::{Facts, Filter, Kind, Order, Query, Versions, parse_time};
use chatvault_support::{Draft, Random, quoted};
use serde_json::Value;

use crate::kit::command::{chatvault, done};
use crate::kit::{self, Vault, files, seeds};

const AT: i64 = 1_700_000_000_000;
const DAY: i64 = 86_400_000;
const CHATS: [&str; 4] =
    ["19:a", "19:b@thread.v2", "19:ann_ben@unq.gbl.spaces", "19:c@thread.tacv2"];
const PEOPLE: [&str; 4] = ["ann", "ben", "cyd", "bot"];

/// A message of some chat: from a user, an app or nobody, perhaps edited or deleted.
fn draft(random: &mut Random) -> Draft {
    let at = AT + i64::try_from(random.below(40)).unwrap() * DAY / 4;
    let chat = random.word(&CHATS);
    let mut draft = match chat.strip_suffix("@thread.tacv2") {
        None => Draft::chat(chat, at),
        Some(_) => Draft::channel("team", chat, at, None),
    };
    let who = random.word(&PEOPLE);
    draft = match random.below(8) {
        0 => draft.event("membersAdded", "\"members\":[]"),
        1 => draft.set("messageType", "\"typing\""),
        2 => {
            draft.set("from", &format!(r#"{{"application":{{"id":{}}},"user":null}}"#, quoted(who)))
        }
        3 => draft.set("from", random.word(&["7", "null", "{}", r#"{"user":{"id":7}}"#])),
        _ => draft.from_user(who, who),
    };
    if random.chance(30) {
        draft = draft.set("importance", "\"high\"");
    }
    if random.chance(30) {
        draft = draft.set("subject", &quoted(random.word(&["", "Tea", "it's"])));
    }
    let later = at + i64::try_from(random.below(3)).unwrap() * DAY;
    match random.below(6) {
        0 => draft.deleted(later),
        1 | 2 => draft.edited(later, "edited"),
        _ => draft,
    }
}

/// Some hundred messages in several commits, some of them in segments.
fn vault(random: &mut Random) -> Vault {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    for round in 0..4 {
        let copies: Vec<_> = (0..60)
            .map(|_| (Custodian::user(random.word(&PEOPLE)), draft(random).json().into_bytes()))
            .collect();
        drop(vault.commit(&copies));
        if round == 1 {
            vault.archive().seal().unwrap();
        }
    }
    vault
}

const FILTERS: [&str; 16] = [
    "lastModifiedDateTime gt 2023-11-16T00:00:00Z and lastModifiedDateTime lt 2023-11-21T00:00:00Z",
    "(from/user/id eq 'ann' or from/user/id eq 'ben') and createdDateTime ge 2023-11-17",
    "from/user/id eq 'ann'",
    "from/application/id eq 'ann'",
    "messageType eq 'systemEventMessage'",
    "messageType ne 'systemEventMessage' and importance eq 'high'",
    "messageType eq 'typing' or messageType eq 'message'",
    "not (from/user/id eq null) and not (subject eq null)",
    "subject eq 'it''s' or deletedDateTime ne null",
    "chatId eq '19:a' or channelIdentity/channelId eq '19:c@thread.tacv2'",
    "channelIdentity/teamId eq 'team' and lastEditedDateTime gt createdDateTime",
    "from/user/id eq 'ann' and from/user/id eq 'ben'",
    "createdDateTime lt 2020-01-01T00:00:00Z",
    "not (createdDateTime lt 2023-11-18T00:00:00Z or messageType eq 'message')",
    "chatId eq '19:a' and chatId ne '19:a'",
    "createdDateTime ne 2023-11-14T22:13:20Z",
];

fn query(random: &mut Random) -> Query {
    let some = |random: &mut Random, list: &[&str]| -> Vec<String> {
        if random.chance(70) { Vec::new() } else { vec![random.word(list).to_owned()] }
    };
    Query {
        chats: some(random, &CHATS),
        senders: some(random, &PEOPLE),
        custodians: some(random, &PEOPLE),
        kinds: if random.chance(80) { Vec::new() } else { vec![Kind::Message, Kind::Other] },
        created_from: random.chance(20).then(|| "2023-11-16".to_owned()),
        modified_to: random.chance(20).then(|| "2023-11-22".to_owned()),
        versions: *random.pick(&[Versions::Latest, Versions::All, Versions::Variants]).unwrap(),
        order: *random.pick(&[Order::Conversation, Order::Created, Order::Modified]).unwrap(),
        reverse: random.chance(50),
        ..Query::default()
    }
}

fn rows(query: &Query, snapshot: &Snapshot) -> Vec<Stored> {
    let mut answer = query.run(snapshot).unwrap();
    let mut all = Vec::new();
    while let Some(row) = answer.next().unwrap() {
        all.push(row.to_stored().unwrap());
    }
    all
}

#[test]
fn a_filter_gives_the_rows_that_a_look_at_every_row_gives() {
    for seed in seeds(6) {
        let random = &mut Random::new(seed.0);
        let vault = vault(random);
        let snapshot = vault.archive().snapshot().unwrap();
        for text in FILTERS {
            let plain = query(random);
            let filter: Filter = text.parse().unwrap();
            let mut expected = rows(&plain, &snapshot);
            expected.retain(|row| {
                let (created, modified, kind) = (row.created, row.modified, row.kind);
                let document = &row.document().unwrap();
                filter.matches(Facts { created, modified, kind, document })
            });
            let question = Query { filter: Some(text.to_owned()), ..plain };
            let name = format!("{question:?}");
            kit::assert_rows(&rows(&question, &snapshot), &expected, &name);
            assert_eq!(question.count(&snapshot).unwrap(), expected.len() as u64, "{name}");
            check_pages(&question, &snapshot, &expected);
        }
    }
}

/// Pages joined by their cursors are the whole answer; a limit counts what is given.
fn check_pages(question: &Query, snapshot: &Snapshot, expected: &[Stored]) {
    let mut page = Query { limit: Some(7), ..question.clone() };
    let mut found = Vec::new();
    loop {
        let mut answer = page.run(snapshot).unwrap();
        let before = found.len();
        while let Some(row) = answer.next().unwrap() {
            found.push(row.to_stored().unwrap());
        }
        assert!(found.len() - before <= 7);
        let counted = page.count(snapshot).unwrap();
        assert_eq!(counted, (found.len() - before) as u64, "{page:?}");
        let Some(cursor) = answer.cursor() else { break };
        page.cursor = Some(cursor.to_text());
        if found.len() == before {
            break;
        }
    }
    kit::assert_rows(&found, expected, &format!("in pages: {question:?}"));
}

#[test]
fn groups_have_what_the_query_gives() {
    for seed in seeds(4) {
        let random = &mut Random::new(seed.0);
        let vault = vault(random);
        let snapshot = vault.archive().snapshot().unwrap();
        for by in [By::Conversation, By::Sender, By::Kind, By::Day, By::Month, By::Custodian] {
            let filter = random.chance(40).then(|| random.word(&FILTERS).to_owned());
            let question = Query { filter, ..query(random) };
            let all = rows(&question, &snapshot);
            let statistics = Statistics::count(&question, by, &snapshot).unwrap();
            let found: BTreeMap<_, _> =
                statistics.groups.iter().map(|group| (group.key.clone(), group.count)).collect();
            assert_eq!(found.len(), statistics.groups.len(), "a key comes once");
            assert_eq!(found, groups(&question, by, &all, &snapshot), "{by:?} {question:?}");
            assert_eq!(statistics.total, all.len() as u64);
        }
    }
}

/// The same by looking at every row.
fn groups(
    question: &Query,
    by: By,
    all: &[Stored],
    snapshot: &Snapshot,
) -> BTreeMap<Option<String>, u64> {
    let mut groups = BTreeMap::new();
    if by == By::Custodian {
        for who in PEOPLE.iter().map(|who| format!("user:{who}")) {
            let is_asked = question.custodians.is_empty()
                || question.custodians.iter().any(|own| format!("user:{own}") == who);
            let own = Query { custodians: vec![who.clone()], ..question.clone() };
            let count = if is_asked { rows(&own, snapshot).len() } else { 0 };
            let _ = groups.insert(Some(who), count as u64);
        }
        groups.retain(|_, count| *count > 0);
        return groups;
    }
    for row in all {
        let created = chatvault_query::format_time(row.created);
        let key = match by {
            By::Conversation | By::Custodian => Some(row.key.conversation.clone()),
            By::Sender => row.sender.clone(),
            By::Kind => Some(Kind::name_of(row.kind).to_owned()),
            By::Day => Some(created[..10].to_owned()),
            By::Month => Some(created[..7].to_owned()),
        };
        *groups.entry(key).or_default() += 1;
    }
    groups
}

#[test]
fn what_cuts_groups_at_random_is_refused() {
    let vault = vault(&mut Random::new(1));
    let snapshot = vault.archive().snapshot().unwrap();
    let cursor = {
        let mut answer = Query::default().run(&snapshot).unwrap();
        assert!(answer.next().unwrap().is_some());
        answer.cursor().map(|cursor| cursor.to_text())
    };
    for (question, field) in [
        (Query { limit: Some(3), ..Query::default() }, "limit "),
        (Query { cursor, ..Query::default() }, "cursor "),
    ] {
        let error = Statistics::count(&question, By::Day, &snapshot).unwrap_err();
        assert!(error.is_wrong_query() && error.to_string().starts_with(field), "{error}");
    }
}

#[test]
fn a_plan_tells_what_a_filter_leaves_to_be_looked_up() {
    let vault = vault(&mut Random::new(1));
    let snapshot = vault.archive().snapshot().unwrap();
    let lines = |filter: &str| {
        let question = Query { filter: Some(filter.to_owned()), ..Query::default() };
        question.explain(&snapshot).unwrap().lines.join("\n")
    };
    assert!(!lines(FILTERS[0]).contains("filter:"), "the index answers it alone");
    let last = "filter: each row's message is checked: importance eq 'high'";
    assert!(lines(FILTERS[5]).ends_with(last), "{}", lines(FILTERS[5]));
    let early = Query { filter: Some(FILTERS[12].to_owned()), ..Query::default() };
    let sealed = early.explain(&snapshot).unwrap();
    assert_eq!((sealed.groups_touched, early.count(&snapshot).unwrap()), (0, 0));
}

const GROUP: &str = "19:0123456789abcdef0123456789abcdef@thread.v2";
const MINUTE: i64 = 60_000;

/// A group chat with a history: who came, who left, what it was called; and a channel.
fn story() -> Vault {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let event = |at: i64, name: &str, fields: &str| {
        let ann = r#""initiator":{"user":{"id":"ann","displayName":"Ann Lee"}}"#;
        Draft::chat(GROUP, AT + at * MINUTE).event(name, &format!("{ann},{fields}")).json()
    };
    let said = |at: i64, who: &str, name: &str| {
        Draft::chat(GROUP, AT + at * MINUTE).from_user(who, name).text("Hello").json()
    };
    let channel = |at: i64| Draft::channel("team", "19:x@thread.tacv2", AT + at * MINUTE, None);
    let rename = |topic: &str| format!(r#""chatId":"{GROUP}","chatDisplayName":{topic}"#);
    let news = r#""channelId":"19:x@thread.tacv2","channelDisplayName":"News""#;
    let documents = [
        said(0, "ann", "Ann Lee"),
        event(1, "membersAdded", r#""members":[{"id":"ben"},{"id":"cyd"}]"#),
        event(2, "chatRenamed", &rename("\"Tea\"")),
        said(3, "ben", "Ben Fox"),
        event(4, "membersLeft", r#""members":[{"id":"cyd"}]"#),
        event(5, "chatRenamed", &rename("\"Lunch\"")),
        said(6, "ann", "Ann Lee-Fox"),
        event(7, "chatRenamed", &rename("null")),
        event(8, "membersDeleted", r#""members":[{"id":"ben"}]"#),
        channel(9).from_user("dan@contoso.com", "Dan").json(),
        channel(10).event("channelAdded", news).json(),
    ];
    for document in documents {
        drop(vault.put(&kit::ada(), &document));
    }
    vault
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_ms(AT + minute * MINUTE)
}

#[test]
fn a_conversation_is_known_as_it_was_at_any_time() {
    let vault = story();
    let snapshot = vault.archive().snapshot().unwrap();
    let all = Conversations::collect(&snapshot, &[], &mut go_on).unwrap().unwrap();
    let chat = all.get(GROUP).unwrap();
    assert_eq!((chat.kind, chat.messages, chat.events), (ConversationKind::Group, 9, 6));
    assert_eq!((chat.first, chat.last, chat.participant_count()), (at(0), at(8), 3));
    let topics = [1, 2, 4, 5, 6, 7].map(|minute| chat.topic_at(at(minute)));
    assert_eq!(topics, [None, Some("Tea"), Some("Tea"), Some("Lunch"), Some("Lunch"), None]);
    let members = [0, 1, 4, 8].map(|minute| chat.members_at(at(minute)).join(" "));
    assert_eq!(members, ["ann", "ann ben cyd", "ann ben", "ann"]);
    let ben = chat.participants().find(|one| one.id == "ben").unwrap();
    assert_eq!((ben.joined, ben.left), (Some(at(1)), Some(at(8))));
    assert_eq!((ben.first_sent, ben.last_sent), (Some(at(3)), Some(at(3))));
    let channel = all.get("19:x@thread.tacv2").unwrap();
    assert_eq!((channel.team.as_deref(), channel.topic()), (Some("team"), Some("News")));
    let some = Conversations::collect(&snapshot, &[GROUP.to_owned()], &mut go_on);
    assert_eq!(some.unwrap().unwrap().len(), 1);
}

#[test]
fn people_are_found_by_every_name_they_had() {
    let vault = story();
    let snapshot = vault.archive().snapshot().unwrap();
    let people = People::collect(&snapshot, &[], &mut go_on).unwrap().unwrap();
    assert_eq!(people.name_at("ann", at(0)), Some("Ann Lee"));
    assert_eq!(people.name_at("ann", at(60)), Some("Ann Lee"), "an event used it last");
    assert_eq!(people.name_at("ann", at(6)), Some("Ann Lee-Fox"));
    let found = |text: &str| -> Vec<&str> {
        people.search(text).into_iter().map(|person| person.id.as_str()).collect()
    };
    assert_eq!(found("fox"), ["ann", "ben"]);
    assert_eq!(found("contoso"), ["dan@contoso.com"]);
    assert_eq!(people.get("dan@contoso.com").unwrap().address(), Some("dan@contoso.com"));
    assert_eq!(people.get("cyd").unwrap().name(), None);
    let channel = ["19:x@thread.tacv2".to_owned()];
    let some = People::collect(&snapshot, &channel, &mut go_on).unwrap().unwrap();
    assert!(some.get("ben").is_none() && some.get("dan@contoso.com").is_some());
}

#[test]
fn a_collection_can_be_stopped() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let event = |at: i64| {
        let chat = format!("19:{at:04}");
        Draft::chat(&chat, AT + at).event("membersLeft", "\"members\":[]").json()
    };
    let copies: Vec<_> = (0..150).map(|at| (kit::ada(), event(at).into_bytes())).collect();
    drop(vault.commit(&copies));
    let snapshot = vault.archive().snapshot().unwrap();
    let mut seen = Vec::new();
    let people = People::collect(&snapshot, &[], &mut |progress| {
        seen.push(progress.done);
        continue_if(progress.done < 100)
    });
    assert!(people.unwrap().is_none());
    assert_eq!(seen, [64, 128]);
    assert!(Conversations::collect(&snapshot, &[], &mut |_| continue_if(false)).unwrap().is_none());
}

/// The story on disk.
fn on_disk() -> (tempfile::TempDir, String) {
    let vault = story();
    let snapshot = vault.archive().snapshot().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.cvault").to_str().unwrap().to_owned();
    let first = Draft::chat("19:d", AT).from_user("ann", "Ann Lee").text("Tee at four?");
    let versions = [
        first.json(),
        first.clone().edited(AT + 1_000, "Tea at four?").json(),
        first.clone().edited(AT + 1_000, "Tea at four?").deleted(AT + 2_000).json(),
    ];
    let lines: Vec<String> = kit::texts(&snapshot, &kit::everything());
    let lines: Vec<&str> = lines.iter().chain(&versions).map(String::as_str).collect();
    let text = lines.join("\n");
    let file = folder.path().join("pages.jsonl");
    files::write(&file, text.as_bytes());
    assert_eq!(chatvault(&["init", &archive]).code, 0);
    let ran = chatvault(&["import", &archive, "--custodian", "ann", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    (folder, archive)
}

#[test]
fn query_takes_filters_and_counts_in_groups() {
    let (_folder, archive) = on_disk();
    let events = "messageType eq 'systemEventMessage' and from/user/id eq null";
    assert_eq!(done(&["query", &archive, "--filter", events, "--count"])["count"], 7);
    let ran = chatvault(&["query", &archive, "--filter", events, "--limit", "5"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 5), "{ran:?}");
    let cursor = ran.err.trim().strip_prefix("next cursor: ").unwrap();
    let rest = chatvault(&["query", &archive, "--filter", events, "--cursor", cursor]);
    assert_eq!((rest.code, rest.out.lines().count()), (0, 2));
    let wrong = chatvault(&["query", &archive, "--filter", "chatId eq 19:a"]);
    assert!(wrong.code == 2 && wrong.err.contains("character 11"), "{wrong:?}");
    let groups = done(&["query", &archive, "--count-by", "sender"]);
    assert_eq!((&groups["by"], &groups["total"]), (&Value::from("sender"), &Value::from(12)));
    let first = &groups["groups"][0];
    assert_eq!((&first["key"], &first["count"]), (&Value::Null, &Value::from(7)));
    let people = chatvault(&["query", &archive, "--count-by", "month"]);
    assert!(
        people.out.contains("2023-11") && people.out.contains("12 messages in 1 group"),
        "{}",
        people.out
    );
    let wrong = chatvault(&["query", &archive, "--count-by", "month", "--limit", "3"]);
    assert_eq!(wrong.code, 2);
}

#[test]
fn chats_and_people_tell_what_is_known() {
    let (_folder, archive) = on_disk();
    let all = done(&["chats", &archive]);
    let chats = all["conversations"].as_array().unwrap();
    assert_eq!(chats.len(), 3);
    let chat = done(&["chats", &archive, "--chat", GROUP, "--at", "2023-11-14T22:17:25Z"]);
    let chat = &chat["conversations"][0];
    assert_eq!((&chat["kind"], &chat["topic"]), (&Value::from("group"), &Value::from("Tea")));
    let names: Vec<_> =
        chat["members"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["Ann Lee", "Ben Fox"]);
    assert_eq!(chat["topics"].as_array().unwrap().len(), 3);
    let shown = chatvault(&["chats", &archive, "--chat", GROUP]);
    assert!(
        shown.code == 0 && shown.out.contains("Lunch") && shown.out.contains("Ben Fox"),
        "{}",
        shown.out
    );
    assert!(chatvault(&["chats", &archive]).out.contains("3 conversations"));
    assert_eq!(chatvault(&["chats", &archive, "--chat", "19:none"]).code, 1);
    assert_eq!(chatvault(&["chats", &archive, "--at", "2024"]).code, 2);

    let people = done(&["people", &archive, "ann"]);
    let ann = &people["people"][0];
    assert_eq!((&ann["id"], ann["names"].as_array().unwrap().len()), (&Value::from("ann"), 2));
    let then = done(&["people", &archive, "ann", "--at", "2023-11-14T22:19:20Z"]);
    assert_eq!(then["people"][0]["name"], "Ann Lee-Fox");
    let shown = chatvault(&["people", &archive, "dan"]);
    assert!(shown.code == 0 && shown.out.contains("dan@contoso.com"), "{}", shown.out);
    let nobody = chatvault(&["people", &archive, "nobody"]);
    assert_eq!((nobody.code, nobody.out.trim()), (1, "nobody is found"));
}

#[test]
fn history_tells_what_each_version_changed() {
    let (_folder, archive) = on_disk();
    let id = AT.to_string();
    let key = ["history", &archive, "--chat", "19:d", "--id", &id];
    let told = done(&[&key[..], &["--diff"]].concat());
    let versions = told["versions"].as_array().unwrap();
    let changed: Vec<String> = versions.iter().map(|one| one["changed"].to_string()).collect();
    assert_eq!(changed, [r#"["created"]"#, r#"["edited"]"#, r#"["deleted"]"#]);
    assert_eq!(versions[1]["diff"][0]["text"], "Tee");
    assert_eq!((&versions[0]["diff"], &versions[2]["diff"]), (&Value::Null, &Value::Null));
    let shown = chatvault(&[&key[..], &["--diff"]].concat());
    assert!(shown.out.contains("[-Tee-]{+Tea+} at four?"), "{}", shown.out);
    let plain = chatvault(&key);
    assert!(
        plain.out.contains("changed       text edited") && !plain.out.contains("[-"),
        "{}",
        plain.out
    );
}

#[test]
fn times_in_filters_and_options_are_the_same() {
    let (_folder, archive) = on_disk();
    let time = "2023-11-14T22:17:20Z";
    assert_eq!(parse_time("x", time).unwrap(), at(4));
    let filter = format!("createdDateTime ge {time}");
    let by_filter = chatvault(&["query", &archive, "--filter", &filter]);
    let by_option = chatvault(&["query", &archive, "--created-from", time]);
    assert_eq!((by_filter.code, &by_filter.out), (0, &by_option.out));
    assert_eq!(by_filter.out.lines().count(), 7);
}
