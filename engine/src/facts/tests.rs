//! Facts of made-up messages, and that ledgers and rows tell the same.

use super::*;
use crate::document::Document;
use crate::format::limits::decoded;

type Row<'r> = (i64, i64, Option<&'r str>, &'r str);

/// What rows say: created, modified, sender and document of each; without a sender it is an event.
fn facts(rows: &[Row<'_>]) -> Facts {
    let mut gathering = Gathering::default();
    for (created, modified, sender, json) in rows {
        let (created, modified) = (Timestamp::from_ms(*created), Timestamp::from_ms(*modified));
        let message = Document::parse(json.as_bytes()).unwrap();
        let kind = if sender.is_none() { MessageKind::System } else { MessageKind::Message };
        gathering.add(&Saying { sender: *sender, created, modified, kind }, &message);
    }
    gathering.finish()
}

fn told(facts: &Facts) -> Vec<(&str, Said<'_>, i64, i64)> {
    let began = facts.iter().find(|fact| fact.said == Said::Began).unwrap();
    assert_eq!(began.times, facts.iter().map(|fact| fact.times).max().unwrap());
    facts.iter().map(|fact| (fact.id, fact.said, fact.first.ms(), fact.last.ms())).collect()
}

const MESSAGE: &str = r#"{"from":{"user":{"id":"ada","displayName":"Ada","userIdentityType":"aadUser"}},
    "mentions":[{"mentioned":{"user":{"id":"bob","displayName":" "}}}],
    "reactions":[{"user":{"user":{"id":"cy","displayName":"Cy"}}}]}"#;

const EVENT: &str = r##"{"eventDetail":{"@odata.type":"#microsoft.graph.membersAddedEventMessageDetail",
    "members":[{"id":"bob"}],"initiator":{"user":{"id":"ada","displayName":"Ada L."}}}}"##;

const RENAMED: &str = r##"{"eventDetail":{"@odata.type":"#microsoft.graph.chatRenamedEventMessageDetail",
    "chatDisplayName":" Tea "}}"##;

#[test]
fn a_message_says_who_sent_it_who_is_named_in_it_and_who_reacted() {
    let facts = facts(&[(10, 12, Some("ada"), MESSAGE)]);
    let expected = [
        ("", Said::Began, 10, 10),
        ("cy", Said::Name("Cy"), 12, 12),
        ("ada", Said::Sent, 10, 10),
        ("ada", Said::Name("Ada"), 10, 10),
        ("ada", Said::Kind("aadUser"), 10, 10),
        ("bob", Said::Seen, 10, 10),
    ];
    assert_eq!(told(&facts), expected);
}

#[test]
fn events_say_who_came_and_what_it_is_called_each_at_its_time() {
    let rows = [(30, 30, None, RENAMED), (10, 10, None, EVENT), (20, 20, None, EVENT)];
    let facts = facts(&rows);
    let expected = [
        ("", Said::Began, 10, 30),
        ("", Said::Topic("Tea"), 30, 30),
        ("ada", Said::Name("Ada L."), 10, 20),
        ("bob", Said::Seen, 10, 20),
        ("bob", Said::Came, 10, 10),
        ("bob", Said::Came, 20, 20),
    ];
    assert_eq!(told(&facts), expected);
}

#[test]
fn an_event_can_name_another_channel() {
    let json = r##"{"eventDetail":{"@odata.type":"#microsoft.graph.channelAddedEventMessageDetail",
        "channelId":"19:new","channelDisplayName":"News","members":[{"id":""}]}}"##;
    let facts = facts(&[(10, 10, None, json), (11, 11, None, r#"{"eventDetail":{}}"#)]);
    let expected = [("", Said::Began, 10, 11), ("19:new", Said::Topic("News"), 10, 10)];
    assert_eq!(told(&facts), expected);
}

#[test]
fn facts_are_joined_in_any_order() {
    let rows =
        [(10, 12, Some("ada"), MESSAGE), (20, 20, None, EVENT), (5, 40, Some("ada"), MESSAGE)];
    let all = facts(&rows);
    let backwards: Vec<_> = rows.iter().rev().copied().collect();
    assert_eq!(facts(&backwards), all);
    let mut joined = Gathering::default();
    joined.join_all(&facts(&rows[1..]));
    let mut item = Vec::new();
    assert!(put(&facts(&rows[..1]), &mut item));
    joined.add_item(&item).unwrap();
    assert_eq!(joined.finish(), all);
}

#[test]
fn what_is_too_long_for_a_key_is_no_fact() {
    let named = |letters: usize| {
        let name = "x".repeat(letters);
        format!(r#"{{"from":{{"user":{{"id":"ada","displayName":"{name}"}}}}}}"#)
    };
    let (just, over) = (named(4_096 - 3), named(4_096 - 2));
    let facts = facts(&[(10, 10, None, &just), (11, 11, None, &over)]);
    let kept = facts.iter().filter(|fact| matches!(fact.said, Said::Name(_)));
    assert_eq!(kept.map(|fact| fact.last.ms()).collect::<Vec<_>>(), [10]);
}

fn item(facts: &Facts) -> Vec<u8> {
    let mut item = Vec::new();
    assert!(put(facts, &mut item));
    item
}

fn read_back(item: &[u8]) -> Option<Facts> {
    let mut gathering = Gathering::default();
    gathering.add_item(item)?;
    Some(gathering.finish())
}

#[test]
fn an_item_gives_its_facts_back_and_a_cut_one_none() {
    let rows = [(10, 12, Some("ada"), MESSAGE), (20, 20, None, EVENT), (30, 30, None, RENAMED)];
    for all in [&rows[..0], &rows[..1], &rows] {
        let (facts, item) = (facts(all), item(&facts(all)));
        assert_eq!(read_back(&item), Some(facts));
        for end in 0..item.len() {
            assert!(!is_whole(&item[..end]), "{end} bytes of {}", item.len());
        }
        assert!(!is_whole(&[&item[..], &[0]].concat()), "something behind the last");
    }
}

#[test]
fn times_that_are_no_whole_milliseconds_come_back() {
    let mut gathering = Gathering::default();
    let document = Document::parse(MESSAGE.as_bytes()).unwrap();
    for ticks in [i64::MIN, -7, 10_001, i64::MAX] {
        let at = Timestamp::from_ticks(ticks);
        let kind = MessageKind::Message;
        gathering.add(&Saying { sender: Some("ada"), created: at, modified: at, kind }, &document);
    }
    let facts = gathering.finish();
    assert_eq!(read_back(&item(&facts)), Some(facts));
}

#[test]
fn damaged_facts_are_none() {
    let began = |rest: &[u8]| [&[0, 1, 1][..], rest].concat();
    assert!(is_whole(&began(&[0, 2, 0, 0, 5, 6, 7])), "began at 5, last at 11, seven rows");
    for (item, what) in [
        (vec![0, 2, 1, 0, 2, 0, 0, 5, 6, 7], "an unknown unit"),
        (began(&[1, 2, 0, 0, 5, 6, 7]), "it shares a byte with nothing"),
        (began(&[0, 2, 0, 77, 5, 6, 7]), "an unknown code"),
        (began(&[0, 3, 0, 0, b'x', 5, 6, 7]), "a text of what has none"),
        (began(&[0, 2, 3, 0, 5, 6, 7]), "an id beyond the key"),
        (began(&[0, 3, 0, 3, 0xff, 5, 6, 7]), "no text"),
        (began(&[0, 2, 0, 6, 5, 6, 7]), "a step that lasts"),
        (vec![0, 1, 2, 0, 2, 0, 0, 5, 6, 7, 2, 0, 5, 6, 7], "the same again"),
        (vec![0, 1, 2, 0, 2, 0, 1, 5, 6, 7, 1, 1, 0, 5, 6, 7], "no order"),
        ([&[0][..], &[0xff; 9], &[1, 1, 0, 2, 0, 0, 5, 6, 7]].concat(), "a time beyond all"),
    ] {
        assert!(!is_whole(&item), "{what}");
    }
}

#[test]
fn too_many_facts_are_no_item() {
    let named = |number: usize| {
        let id = "x".repeat(4_000);
        format!(r#"{{"from":{{"user":{{"id":"{number}{id}"}}}}}}"#)
    };
    let most = decoded::FACTS / 4_000;
    let rows: Vec<String> = (0..=most).map(named).collect();
    let rows: Vec<Row<'_>> = rows.iter().map(|json| (1, 1, None, &**json)).collect();
    assert!(!put(&facts(&rows), &mut Vec::new()));
    let shared: Vec<u8> = item(&facts(&rows[..10]));
    assert!(shared.len() < 50_000, "{} bytes", shared.len());
}
