//! Conditions of the `$filter` language: a tree, its text, and whether a message meets it.

use std::cmp::Ordering;
use std::fmt;

use chatvault_engine::{MessageKind, Timestamp};

use super::{CHATS, IMPORTANCES, PEOPLE, SUBJECTS, time};
use crate::json::Value;
use crate::model::Row;
use crate::{Random, parse_time, stamp_ticks};

#[derive(Clone, Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// A field, an operator, and what it is compared with; the sides may be changed.
    Compare {
        field: &'static str,
        operator: &'static str,
        with: With,
        mirrored: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) enum With {
    Null,
    Text(String),
    Time(Timestamp),
    Field(&'static str),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scalar {
    Null,
    Text(String),
    Time(Timestamp),
}

const OPERATORS: [&str; 6] = ["eq", "ne", "gt", "ge", "lt", "le"];
const TIMES: [&str; 4] =
    ["createdDateTime", "lastModifiedDateTime", "lastEditedDateTime", "deletedDateTime"];
const TYPES: [&str; 4] = ["message", "systemEventMessage", "typing", "chatEvent"];
const TEAMS: [&str; 2] = ["team", "other"];
/// Fields of text, each with values that it often has.
const TEXTS: [(&str, &[&str]); 8] = [
    ("from/user/id", &PEOPLE),
    ("from/application/id", &PEOPLE),
    ("chatId", &CHATS),
    ("channelIdentity/channelId", &CHATS),
    ("channelIdentity/teamId", &TEAMS),
    ("messageType", &TYPES),
    ("subject", &SUBJECTS),
    ("importance", &IMPORTANCES),
];

impl Condition {
    /// With at most so many levels.
    pub(super) fn random(random: &mut Random, levels: u64) -> Self {
        let some = |random: &mut Random| {
            (0..2 + random.below(2)).map(|_| Self::random(random, levels - 1)).collect()
        };
        match random.below(if levels > 1 { 6 } else { 3 }) {
            3 => Self::All(some(random)),
            4 => Self::Any(some(random)),
            5 => Self::Not(Box::new(Self::random(random, levels - 1))),
            _ => Self::compare(random),
        }
    }

    fn compare(random: &mut Random) -> Self {
        let is_time = random.chance(30);
        let (field, values) = match random.pick(&TEXTS) {
            Some((field, values)) if !is_time => (*field, *values),
            _ => (random.word(&TIMES), &[][..]),
        };
        let with = match random.below(8) {
            0 => With::Null,
            1 if is_time => With::Field(random.word(&TIMES)),
            _ if is_time => With::Time(time(random)),
            _ => With::Text(random.word(values).to_owned()),
        };
        let operator = if random.chance(60) { "eq" } else { random.word(&OPERATORS) };
        Self::Compare { field, operator, with, mirrored: random.chance(15) }
    }

    pub(super) fn is_met(&self, row: &Row, document: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.is_met(row, document)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met(row, document)),
            Self::Not(inside) => !inside.is_met(row, document),
            Self::Compare { field, operator, with, mirrored } => {
                let left = scalar(field, row, document);
                let right = match with {
                    With::Null => Scalar::Null,
                    With::Text(text) => Scalar::Text(text.clone()),
                    With::Time(time) => Scalar::Time(*time),
                    With::Field(field) => scalar(field, row, document),
                };
                let (left, right) = if *mirrored { (right, left) } else { (left, right) };
                holds(&left, operator, &right)
            }
        }
    }
}

/// Null equals only itself, and nothing is before or behind it.
fn holds(left: &Scalar, operator: &str, right: &Scalar) -> bool {
    let has_null = *left == Scalar::Null || *right == Scalar::Null;
    let order = left.cmp(right);
    match operator {
        "eq" => left == right,
        "ne" => left != right,
        _ if has_null => false,
        "gt" => order == Ordering::Greater,
        "ge" => order != Ordering::Less,
        "lt" => order == Ordering::Less,
        _ => order != Ordering::Greater,
    }
}

fn scalar(field: &str, row: &Row, document: &Value) -> Scalar {
    let text = |path: &str| {
        let value = path.split('/').try_fold(document, |value, key| value.member(key));
        value.and_then(Value::text)
    };
    let is_of_chat = text("chatId").is_some_and(|chat| !chat.is_empty());
    let found = match (field, row.identity.kind) {
        ("createdDateTime", _) => return Scalar::Time(row.identity.created),
        ("lastModifiedDateTime", _) => return Scalar::Time(row.identity.modified),
        ("messageType", MessageKind::Message) => Some("message".to_owned()),
        ("messageType", MessageKind::System) => Some("systemEventMessage".to_owned()),
        (field, _) if field.starts_with("channelIdentity") && is_of_chat => None,
        (field, _) => text(field),
    };
    match found {
        None => Scalar::Null,
        Some(text) if TIMES.contains(&field) => {
            parse_time(&text).map_or(Scalar::Null, Scalar::Time)
        }
        Some(text) => Scalar::Text(text),
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<String> = parts.iter().map(|part| format!("({part})")).collect();
            parts.join(word)
        };
        match self {
            Self::All(parts) => f.write_str(&joined(parts, " and ")),
            Self::Any(parts) => f.write_str(&joined(parts, " or ")),
            Self::Not(inside) => write!(f, "not ({inside})"),
            Self::Compare { field, operator, with, mirrored: true } => {
                write!(f, "{with} {operator} {field}")
            }
            Self::Compare { field, operator, with, .. } => write!(f, "{field} {operator} {with}"),
        }
    }
}

impl fmt::Display for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Time(time) => f.write_str(&stamp_ticks(time.ticks())),
            Self::Field(field) => f.write_str(field),
        }
    }
}
