//! What a corpus is asked: drawn by chance from its versions, the same for all peers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::survey::Survey;
use crate::document::Facts;
use crate::peer::{Key, Question};

const DAY_MS: i64 = 86_400_000;
const TICKS_PER_MS: i64 = 10_000;

/// Questions of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// 500 conversations of random versions.
    Conversation,
    /// 100 days on which random versions were modified.
    Day,
    /// 100 senders of random versions.
    Sender,
    /// 30 custodians with few versions.
    SmallCustodian,
    /// The 30 custodians with most versions.
    LargeCustodian,
    /// 1,000 messages that are there.
    Present,
    /// 1,000 messages that are not, in conversations that are.
    Absent,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Conversation,
        Self::Day,
        Self::Sender,
        Self::SmallCustodian,
        Self::LargeCustodian,
        Self::Present,
        Self::Absent,
    ];

    /// Its name in results and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Day => "day",
            Self::Sender => "sender",
            Self::SmallCustodian => "small-custodian",
            Self::LargeCustodian => "large-custodian",
            Self::Present => "present",
            Self::Absent => "absent",
        }
    }

    /// Several of them, for the report.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Conversation => "conversations",
            Self::Day => "days",
            Self::Sender => "senders",
            Self::SmallCustodian => "small custodians",
            Self::LargeCustodian => "large custodians",
            Self::Present => "messages that are there",
            Self::Absent => "messages that are not",
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Conversation => 500,
            Self::Day | Self::Sender => 100,
            Self::SmallCustodian | Self::LargeCustodian => 30,
            Self::Present | Self::Absent => 1_000,
        }
    }
}

/// A corpus's questions, and its counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Questions {
    /// Documents of its pages.
    pub copies: u64,
    /// Distinct ones.
    pub versions: u64,
    /// Bytes of its page files.
    pub bytes: u64,
    /// By kind.
    pub by_kind: BTreeMap<Kind, Vec<Question>>,
}

impl Questions {
    /// Draws them.
    pub fn of(survey: &Survey) -> Self {
        let facts = || survey.samples.iter().map(|(facts, _)| facts);
        let question = |kind| match kind {
            Kind::Conversation => {
                distinct(kind, facts().map(|facts| facts.key.conversation.clone()))
                    .into_iter()
                    .map(Question::Conversation)
                    .collect()
            }
            Kind::Day => distinct(kind, facts().map(day))
                .into_iter()
                .map(|from| Question::Modified(from, from + DAY_MS))
                .collect(),
            Kind::Sender => distinct(kind, facts().filter_map(|facts| facts.sender.clone()))
                .into_iter()
                .map(Question::Sender)
                .collect(),
            Kind::SmallCustodian | Kind::LargeCustodian => custodians(survey, kind),
            Kind::Present => messages(kind, facts().map(|facts| facts.key.clone())),
            Kind::Absent => messages(kind, facts().map(|facts| absent(&facts.key))),
        };
        Self {
            copies: survey.copies,
            versions: survey.versions.len() as u64,
            bytes: survey.bytes,
            by_kind: Kind::ALL.into_iter().map(|kind| (kind, question(kind))).collect(),
        }
    }
}

fn day(facts: &Facts) -> i64 {
    (facts.modified / TICKS_PER_MS).div_euclid(DAY_MS) * DAY_MS
}

/// The first different ones, in the order of chance.
fn distinct<T: Ord + Clone>(kind: Kind, drawn: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    drawn.filter(|each| seen.insert(each.clone())).take(kind.most()).collect()
}

fn messages(kind: Kind, keys: impl Iterator<Item = Key>) -> Vec<Question> {
    let mut seen = BTreeSet::new();
    let mut is_new =
        |key: &Key| seen.insert((key.conversation.clone(), key.reply_to.clone(), key.id.clone()));
    keys.filter(|key| is_new(key)).take(kind.most()).map(Question::Message).collect()
}

/// The message of a millisecond later, which is hardly there; if it is, all peers must find it.
fn absent(key: &Key) -> Key {
    let later =
        key.id.parse().map_or_else(|_| format!("{}x", key.id), |id: u64| (id + 1).to_string());
    Key { id: later, ..key.clone() }
}

/// The largest, or of the smaller half some that are spread over it.
fn custodians(survey: &Survey, kind: Kind) -> Vec<Question> {
    let mut by_size: Vec<_> = survey.custodians.iter().map(|(name, rows)| (*rows, name)).collect();
    by_size.sort_unstable();
    let chosen: Vec<_> = if kind == Kind::LargeCustodian {
        by_size.into_iter().rev().take(kind.most()).collect()
    } else {
        let half = by_size.len().div_ceil(2);
        by_size
            .into_iter()
            .take(half)
            .step_by((half / kind.most()).max(1))
            .take(kind.most())
            .collect()
    };
    chosen.into_iter().map(|(_, name)| Question::Custodian(name.clone())).collect()
}
