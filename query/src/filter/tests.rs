//! Filters read, refused, and decided as a plain evaluator over the JSON decides them.

use std::fmt::Write as _;

use chatvault_engine::{Document, MessageKind, Scan, TimeRange, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::time::parse_time;

fn at(filter: &str) -> (usize, String) {
    match filter.parse::<Filter>() {
        Err(Error::Filter(error)) => (error.at, error.expected.into_owned()),
        other => panic!("{filter}: {other:?}"),
    }
}

fn facts<'a>(document: &'a Document<'a>) -> Facts<'a> {
    let time = |text| parse_time("x", text).unwrap();
    let kind =
        match serde_json::from_slice::<Value>(document.json()).unwrap()["messageType"].as_str() {
            Some("message") => MessageKind::Message,
            Some("systemEventMessage" | "unknownFutureValue") => MessageKind::System,
            _ => MessageKind::Other,
        };
    Facts {
        created: time("2020-06-04T18:03:11.591Z"),
        modified: time("2020-06-05T00:00:00Z"),
        kind,
        document,
    }
}

fn parsed(json: &str) -> Document<'_> {
    Document::parse(json.as_bytes()).unwrap()
}

fn meets(filter: &str, message: &Value) -> bool {
    let json = message.to_string();
    filter.parse::<Filter>().unwrap().matches(facts(&parsed(&json)))
}

#[test]
fn every_documented_form_is_read_and_decided() {
    let user = json!({"messageType": "message", "chatId": "19:a", "subject": "it's",
        "deletedDateTime": null, "lastEditedDateTime": "2020-06-04T20:00:00.1Z",
        "from": {"user": {"id": "u1", "userIdentityType": "aadUser"}, "application": null}});
    let bot = json!({"messageType": "message", "channelIdentity": {"teamId": "t", "channelId": "19:c"},
        "from": {"user": null, "application": {"id": "b1", "applicationIdentityType": "bot"}}});
    let event = json!({"messageType": "unknownFutureValue", "from": null, "chatId": "19:a"});
    let range = "lastModifiedDateTime gt 2020-06-04T18:03:11.591Z and \
        lastModifiedDateTime lt 2020-06-05T21:00:09.413Z";
    let both =
        format!("(from/user/id eq 'u1' or messageType eq 'systemEventMessage') and ({range})");
    for (filter, expected) in [
        (range, [true, true, true]),
        (&*both, [true, false, true]),
        ("from/user/id eq 'u1'", [true, false, false]),
        ("from/user/id eq 'U1'", [false, false, false]),
        ("from/user/id eq 'u1' or from/user/id eq 'u2'", [true, false, false]),
        ("from/user/userIdentityType eq 'aadUser'", [true, false, false]),
        ("from/user/userIdentityType ne 'aadUser'", [false, true, true]),
        ("from/application/applicationIdentityType eq 'bot'", [false, true, false]),
        ("from/application/id eq 'b1'", [false, true, false]),
        ("messageType eq 'systemEventMessage'", [false, false, true]),
        ("messageType ne 'systemEventMessage'", [true, true, false]),
        ("messageType eq 'unknownFutureValue'", [false, false, false]),
        ("from/user/id eq null", [false, true, true]),
        ("not (from/user/id eq null)", [true, false, false]),
        ("null ne from/user/id", [true, false, false]),
        ("from/user/id gt null", [false, false, false]),
        ("not (from/user/id gt 'a')", [false, true, true]),
        ("subject eq 'it''s'", [true, false, false]),
        ("subject ge 'a' and subject lt 'j'", [true, false, false]),
        (
            "channelIdentity/teamId eq 't' and channelIdentity/channelId eq '19:c'",
            [false, true, false],
        ),
        ("chatId ne '19:a'", [false, true, false]),
        ("deletedDateTime eq null", [true, true, true]),
        ("lastEditedDateTime gt createdDateTime", [true, false, false]),
        ("lastEditedDateTime le 2020-06-04T20:00:00.100Z", [true, false, false]),
        ("2020-06-05 eq lastModifiedDateTime", [true, true, true]),
        ("createdDateTime lt 2020-06-04t20:03+02:00", [false, false, false]),
        (
            "createdDateTime+lt+2020-06-04T20:04:00+02:00+and+messageType+eq+'message'",
            [true, true, false],
        ),
        (
            "messageType eq 'message' and from/user/id eq 'u1' or chatId eq null",
            [true, true, false],
        ),
        (
            "messageType eq 'message' and (from/user/id eq 'u1' or chatId eq null)",
            [true, true, false],
        ),
        (
            "chatId eq null or messageType eq 'systemEventMessage' and subject eq 'x'",
            [false, true, false],
        ),
        ("not not (messageType eq 'message')", [true, true, false]),
        (
            "importance eq null and replyToId eq null and body/contentType eq null",
            [true, true, true],
        ),
    ] {
        let found = [&user, &bot, &event].map(|message| meets(filter, message));
        assert_eq!(found, expected, "{filter}");
    }
}

#[test]
fn odd_messages_have_nulls() {
    for message in [
        json!({"messageType": 7, "from": "ann", "subject": {"a": 1}, "deletedDateTime": "noon"}),
        json!({"from": {"user": [1], "application": 7}, "channelIdentity": null}),
        json!({"from": {"user": {"id": 7}}, "subject": true}),
        json!({}),
    ] {
        let nulls = "from/user/id eq null and subject eq null and deletedDateTime eq null \
            and messageType eq null and channelIdentity/channelId eq null";
        assert!(meets(nulls, &message), "{message}");
    }
    let twice = r#"{"subject":"a","subject":"b","from":{"user":{"id":"x"}},"from":{"user":null}}"#;
    let filter: Filter = "subject eq 'b' and from/user/id eq null".parse().unwrap();
    assert!(filter.matches(facts(&parsed(twice))), "of equal members the last one counts");
}

#[test]
fn an_error_names_the_character_and_what_could_stand_there() {
    for (filter, place, expected) in [
        ("", 1, "a field: lastModifiedDateTime"),
        ("messsageType eq 'x'", 1, "a field: "),
        ("é eq 'x'", 1, "a field: "),
        ("subject eq 'é' und chatId eq 'x'", 16, "and, or, or the end"),
        ("subject EQ 'x'", 9, "eq, ne, gt, ge, lt or le (in lower case)"),
        ("subject = 'x'", 9, "eq, ne"),
        ("subject eq x", 12, "a value in single quotes"),
        ("subject eq 'x", 12, "a closing single quote"),
        ("subject eq", 11, "a value in single quotes"),
        ("subject eq 2020-01-01T00:00:00Z", 12, "a value in single quotes"),
        ("createdDateTime gt '2020-01-01T00:00:00Z'", 20, "a time without quotes"),
        ("createdDateTime gt 2020-01-01T00:00:00", 20, "a time without quotes"),
        ("createdDateTime gt 2020-01", 20, "a time without quotes"),
        ("createdDateTime gt 2020-13-01T00:00:00Z", 20, "a time without quotes"),
        ("createdDateTime gt subject", 20, "two values of one kind"),
        ("'x' eq createdDateTime", 8, "two values of one kind"),
        ("'x' eq 'x'", 8, "a field: "),
        ("null eq null", 9, "a field: "),
        ("(subject eq 'x'", 16, "and, or, or a closing bracket"),
        ("(subject eq 'x'))", 17, "and, or, or the end"),
        ("()", 2, "a field: "),
        ("not subject eq 'x'", 5, "an opening bracket behind not"),
        ("subject eq 'x' and", 19, "a field: "),
        ("subject eq 'x' AND chatId eq 'y'", 16, "and, or, or the end"),
    ] {
        let (found, words) = at(filter);
        assert!(found == place && words.starts_with(expected), "{filter}: {found} {words}");
    }
    let error = "subject eq x".parse::<Filter>().unwrap_err();
    assert!(error.is_wrong_query() && error.to_string().ends_with(r#"found "x""#), "{error}");
    assert!("subject eq".parse::<Filter>().unwrap_err().to_string().ends_with("found the end"));
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = |depth: usize, open: &str| {
        format!("{}subject eq 'x'{}", open.repeat(depth), ")".repeat(depth))
    };
    assert!(deep(32, "(").parse::<Filter>().is_ok());
    assert_eq!(at(&deep(33, "(")).1, "at most 32 brackets inside each other");
    assert!(deep(1_000_000, "(").parse::<Filter>().is_err());
    assert!(format!("{}(subject eq 'x')", "not ".repeat(100_000)).parse::<Filter>().is_err());
    let many = vec!["from/user/id eq '0ada0000-1111-4222-8333-444455556666'"; 10_000].join(" or ");
    assert!(many.parse::<Filter>().is_ok());
    assert_eq!(at(&" ".repeat((1 << 20) + 1)).1, "at most 1 MiB of text");
}

/// A condition in the making: its text, and what it means, told without the code under test.
#[derive(Clone, Debug)]
enum Plain {
    Compare(&'static str, &'static str, Option<&'static str>),
    All(Vec<Plain>),
    Any(Vec<Plain>),
    Not(Box<Plain>),
}

const TEXT_PATHS: [&str; 6] = [
    "from/user/id",
    "from/application/id",
    "subject",
    "chatId",
    "importance",
    "channelIdentity/channelId",
];
const TIME_PATHS: [&str; 3] = ["createdDateTime", "lastModifiedDateTime", "deletedDateTime"];
const TEXTS: [&str; 5] = ["", "a", "b", "c'd", "é"];
const TIMES: [&str; 4] = [
    "2020-01-01T00:00:00Z",
    "2020-01-01T00:00:00.5Z",
    "2020-01-02T00:00:00Z",
    "2021-01-01T00:00:00Z",
];
const KINDS: [&str; 3] = ["message", "systemEventMessage", "typing"];
const OPERATORS: [&str; 6] = ["eq", "ne", "gt", "ge", "lt", "le"];

fn plain() -> impl Strategy<Value = Plain> {
    let value = |list: &'static [&'static str]| prop_oneof![4 => proptest::sample::select(list).prop_map(Some), 1 => Just(None)];
    let compare = |paths: &'static [&'static str], values: &'static [&'static str]| {
        (proptest::sample::select(paths), proptest::sample::select(&OPERATORS[..]), value(values))
            .prop_map(|(path, operator, value)| Plain::Compare(path, operator, value))
    };
    let leaf = prop_oneof![
        compare(&TEXT_PATHS, &TEXTS),
        compare(&TIME_PATHS, &TIMES),
        compare(&["messageType"], &KINDS)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Plain::All),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Plain::Any),
            inner.prop_map(|inside| Plain::Not(Box::new(inside))),
        ]
    })
}

impl Plain {
    fn text(&self) -> String {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<String> =
                parts.iter().map(|part| format!("({})", part.text())).collect();
            parts.join(word)
        };
        match self {
            Self::Compare(path, operator, value) => {
                let mut text = format!("{path} {operator} ");
                match value {
                    None => text.push_str("null"),
                    Some(time) if path.ends_with("DateTime") => text.push_str(time),
                    Some(value) => write!(text, "'{}'", value.replace('\'', "''")).unwrap(),
                }
                text
            }
            Self::All(parts) => joined(parts, " and "),
            Self::Any(parts) => joined(parts, " or "),
            Self::Not(inside) => format!("not ({})", inside.text()),
        }
    }

    /// By brute force over the JSON; times of one form compare as numbers.
    fn holds(&self, message: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(message)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(message)),
            Self::Not(inside) => !inside.holds(message),
            Self::Compare(path, operator, value) => {
                let field = path.split('/').try_fold(message, |at, key| at.get(key));
                let field = field.and_then(Value::as_str);
                let (Some(field), Some(value)) = (field, value) else {
                    return match *operator {
                        "eq" => field.is_none() && value.is_none(),
                        "ne" => field.is_some() || value.is_some(),
                        _ => false,
                    };
                };
                let order = if path.ends_with("DateTime") {
                    parse_time("x", field).unwrap().cmp(&parse_time("x", value).unwrap())
                } else {
                    field.cmp(value)
                };
                match *operator {
                    "eq" => order.is_eq(),
                    "ne" => order.is_ne(),
                    "gt" => order.is_gt(),
                    "ge" => order.is_ge(),
                    "lt" => order.is_lt(),
                    _ => order.is_le(),
                }
            }
        }
    }
}

prop_compose! {
    /// A message in a chat or in a channel, from a user or an app.
    fn message()(
        created in 0..TIMES.len(), modified in 0..TIMES.len(),
        deleted in proptest::option::of(0..TIMES.len()), kind in 0..KINDS.len(),
        sender in proptest::option::of((any::<bool>(), 1..TEXTS.len())),
        place in (any::<bool>(), 1..TEXTS.len()),
        subject in proptest::option::of(0..TEXTS.len()),
    ) -> Value {
        let mut message = json!({
            "createdDateTime": TIMES[created], "lastModifiedDateTime": TIMES[modified],
            "deletedDateTime": deleted.map(|at| TIMES[at]), "messageType": KINDS[kind],
            "subject": subject.map(|at| TEXTS[at]), "from": null, "importance": "b",
        });
        if let Some((is_user, id)) = sender {
            let who = if is_user { "user" } else { "application" };
            message["from"] = json!({ who: {"id": TEXTS[id]} });
        }
        match place {
            (true, id) => message["chatId"] = TEXTS[id].into(),
            (false, id) => message["channelIdentity"] = json!({"channelId": TEXTS[id]}),
        }
        message
    }
}

fn facts_of<'a>(message: &Value, document: &'a Document<'a>) -> Facts<'a> {
    let time = |name: &str| parse_time("x", message[name].as_str().unwrap()).unwrap();
    let created: Timestamp = time("createdDateTime");
    Facts { created, modified: time("lastModifiedDateTime"), ..facts(document) }
}

/// Does a scan let a message through? The engine's own scans are tested there.
fn passes(scan: &Scan, message: &Value) -> bool {
    let text = |path: &[&str]| {
        path.iter().try_fold(message, |at, key| at.get(key)).and_then(Value::as_str)
    };
    let sender = text(&["from", "user", "id"]).or(text(&["from", "application", "id"]));
    let place = text(&["chatId"]).or(text(&["channelIdentity", "channelId"]));
    let has = |list: &[String], value: Option<&str>| {
        list.is_empty() || list.iter().any(|one| Some(one.as_str()) == value)
    };
    let within = |name, range: TimeRange| {
        let at = parse_time("x", message[name].as_str().unwrap()).unwrap();
        range.from.is_none_or(|from| from <= at) && range.to.is_none_or(|to| at < to)
    };
    let kind = match text(&["messageType"]) {
        Some("message") => MessageKind::Message,
        Some("systemEventMessage") => MessageKind::System,
        _ => MessageKind::Other,
    };
    has(&scan.senders, sender)
        && has(&scan.conversations, place)
        && (scan.kinds.is_empty() || scan.kinds.contains(&kind))
        && within("createdDateTime", scan.created)
        && within("lastModifiedDateTime", scan.modified)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_decides_as_brute_force_does(plain in plain(), messages in proptest::collection::vec(message(), 1..12)) {
        let text = plain.text();
        let filter: Filter = text.parse().unwrap();
        let mut scan = Scan::default();
        let left = filter.narrow(&mut scan);
        for message in messages {
            let json = message.to_string();
            let document = parsed(&json);
            let (facts, expected) = (facts_of(&message, &document), plain.holds(&message));
            prop_assert_eq!(filter.matches(facts), expected, "{} of {}", text, json);
            let narrowed = match &left {
                Left::NoRow => false,
                Left::EveryRow => passes(&scan, &message),
                Left::Rows(rest) => passes(&scan, &message) && rest.matches(facts),
            };
            prop_assert_eq!(narrowed, expected, "{} narrowed, of {}", text, json);
        }
    }

    #[test]
    fn a_filter_is_read_back_from_its_text(plain in plain()) {
        let filter: Filter = plain.text().parse().unwrap();
        prop_assert_eq!(filter.to_string().parse::<Filter>().unwrap(), filter);
    }

    #[test]
    fn no_text_is_too_odd(text in "[a-z'() +éTZ0-9:./-]{0,60}", junk in ".{0,40}") {
        for text in [text.clone(), format!("subject eq {text}"), junk] {
            if let Err(error) = text.parse::<Filter>() {
                let is_named = matches!(&error, Error::Filter(error) if error.at <= text.chars().count() + 1);
                prop_assert!(is_named, "{}", error);
            }
        }
    }
}
