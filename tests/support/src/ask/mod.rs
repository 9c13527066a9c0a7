//! Random questions over every field at once, and their answers by looking at every row.
//!
//! A question has a filter and a search as trees of their own. They are written as text for the
//! archive, and decided here on the documents: a mistake has to be made twice to go unseen. Values
//! come from few, so that conditions often contradict each other, and often do not.

mod condition;
mod words;

use chatvault_engine::{
    Custodian, MessageKind, Order, Scan, Sequence, TimeRange, Timestamp, Versions,
};
use chatvault_query as query;

use condition::Condition;
use words::Words;

use crate::model::{Model, Row};
use crate::{Draft, Random, json, quoted, stamp_ticks};

/// When the first message is made.
const AT: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;
/// Messages are made within so many hours.
const HOURS: u64 = 60;
const CHATS: [&str; 4] =
    ["19:a", "19:b@thread.v2", "19:ann_ben@unq.gbl.spaces", "19:c@thread.tacv2"];
const PEOPLE: [&str; 4] = ["ann", "ben", "cyd", "bot"];
const SUBJECTS: [&str; 3] = ["", "Tea", "it's"];
const IMPORTANCES: [&str; 2] = ["normal", "high"];
const KINDS: [MessageKind; 3] = [MessageKind::Message, MessageKind::System, MessageKind::Other];

/// A question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What the engine can be asked; the model answers it.
    scan: Scan,
    filter: Option<Condition>,
    search: Option<Words>,
}

/// A copy of a message of some chat: from a user, an app or nobody, perhaps edited or deleted.
pub fn copy(random: &mut Random) -> (Custodian, Vec<u8>) {
    let at = AT + whole(random.below(HOURS)) * HOUR;
    let chat = random.word(&CHATS);
    let draft = match chat.strip_suffix("@thread.tacv2") {
        None => Draft::chat(chat, at),
        Some(_) => Draft::channel("team", chat, at, None),
    };
    let who = random.word(&PEOPLE);
    let draft = match random.below(8) {
        0 => draft.event("membersAdded", "\"members\":[]"),
        1 => draft.set("messageType", "\"typing\"").from_user(who, who),
        2 => {
            draft.set("from", &format!(r#"{{"application":{{"id":{}}},"user":null}}"#, quoted(who)))
        }
        3 => draft.set("from", random.word(&["7", "null", "{}", r#"{"user":{"id":7}}"#])),
        _ => draft.from_user(who, who),
    };
    let draft = draft.text(&words::text(random));
    let draft = draft.set("importance", &quoted(random.word(&IMPORTANCES)));
    let draft = if random.chance(40) {
        draft.set("subject", &quoted(random.word(&SUBJECTS)))
    } else {
        draft
    };
    let later = at + (1 + whole(random.below(3))) * HOUR;
    let draft = match random.below(6) {
        0 => draft.deleted(later),
        1 | 2 => draft.edited(later, &words::text(random)),
        _ => draft,
    };
    (Custodian::user(random.word(&PEOPLE)), draft.json().into_bytes())
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(0)
}

/// A time at which something happens, or near it.
fn time(random: &mut Random) -> Timestamp {
    let at = AT + whole(random.below(HOURS + 4)) * HOUR;
    let near = whole(random.below(3)) - 1;
    Timestamp::from_ticks(Timestamp::from_ms(at).ticks() + near)
}

fn some<T>(random: &mut Random, from: &[T], own: impl Fn(&T) -> T) -> Vec<T> {
    if random.chance(65) {
        return Vec::new();
    }
    let count = 1 + random.index(2);
    (0..count).filter_map(|_| random.pick(from).map(&own)).collect()
}

fn range(random: &mut Random) -> TimeRange {
    let (one, other) = (time(random), time(random));
    let open = |random: &mut Random, time| random.chance(25).then_some(time);
    let (from, to) = (open(random, one.min(other)), open(random, one.max(other)));
    if from == to { TimeRange { from, to: None } } else { TimeRange { from, to } }
}

impl Ask {
    /// A question to an archive with so many commits.
    pub fn random(random: &mut Random, last: Sequence) -> Self {
        let (chats, people) = (CHATS.map(str::to_owned), PEOPLE.map(str::to_owned));
        let custodians = PEOPLE.map(Custodian::user);
        let as_of_sequence = random.chance(15).then(|| Sequence(1 + random.below(last.0)));
        let before = as_of_sequence.unwrap_or(last).0;
        let scan = Scan {
            conversations: some(random, &chats, String::clone),
            senders: some(random, &people, String::clone),
            custodians: some(random, &custodians, Custodian::clone),
            kinds: some(random, &KINDS, |kind| *kind),
            created: range(random),
            modified: range(random),
            versions: match random.below(5) {
                0 => Versions::All,
                1 => Versions::EveryVariant,
                2 => Versions::AsOf(time(random)),
                _ => Versions::Latest,
            },
            as_of_sequence,
            since: random.chance(15).then(|| Sequence(random.below(before))),
            order: *random
                .pick(&[Order::Conversation, Order::Created, Order::Modified])
                .unwrap_or(&Order::Conversation),
            backwards: random.chance(50),
            limit: random.chance(20).then(|| random.below(12)),
            ..Scan::default()
        };
        let filter = random.chance(50).then(|| Condition::random(random, 3));
        let search = random.chance(50).then(|| Words::random(random, 3));
        Self { scan, filter, search }
    }

    /// Without what an export does not ask.
    #[must_use]
    pub fn for_export(&self) -> Self {
        let versions = match self.scan.versions {
            Versions::AsOf(time) => Versions::AsOf(time),
            _ => Versions::Latest,
        };
        let anytime = TimeRange::default();
        let scan = Scan {
            kinds: Vec::new(),
            created: anytime,
            modified: anytime,
            versions,
            limit: None,
            ..self.scan.clone()
        };
        Self { scan, filter: self.filter.clone(), search: None }
    }

    /// The same without a limit.
    #[must_use]
    pub fn without_limit(&self) -> Self {
        Self { scan: Scan { limit: None, ..self.scan.clone() }, ..self.clone() }
    }

    /// The question in the archive's words.
    pub fn query(&self) -> query::Query {
        let scan = &self.scan;
        let text = |time: Option<Timestamp>| time.map(|time| stamp_ticks(time.ticks()));
        let as_of = match scan.versions {
            Versions::AsOf(time) => Some(time),
            _ => None,
        };
        query::Query {
            record: query::Record::Message,
            chats: scan.conversations.clone(),
            senders: scan.senders.clone(),
            custodians: scan.custodians.iter().map(ToString::to_string).collect(),
            kinds: scan.kinds.iter().map(|kind| kind_of(*kind)).collect(),
            created_from: text(scan.created.from),
            created_to: text(scan.created.to),
            modified_from: text(scan.modified.from),
            modified_to: text(scan.modified.to),
            filter: self.filter.as_ref().map(ToString::to_string),
            search: self.search.as_ref().map(ToString::to_string),
            has_file: false,
            versions: match scan.versions {
                Versions::All => query::Versions::All,
                Versions::EveryVariant => query::Versions::Variants,
                Versions::Latest | Versions::AsOf(_) => query::Versions::Latest,
            },
            as_of: text(as_of),
            as_of_sequence: scan.as_of_sequence.map(|sequence| sequence.0.into()),
            since: scan.since.map(|sequence| sequence.0.into()),
            order: match scan.order {
                Order::Conversation => query::Order::Conversation,
                Order::Created => query::Order::Created,
                Order::Modified => query::Order::Modified,
            },
            reverse: scan.backwards,
            limit: scan.limit,
            cursor: None,
        }
    }

    /// The rows that answer it.
    pub fn rows<'m>(&self, model: &'m Model) -> Vec<&'m Row> {
        let mut rows = model.scan(&self.scan);
        rows.retain(|row| self.is_met(row));
        let limit = self.scan.limit.and_then(|limit| usize::try_from(limit).ok());
        rows.truncate(limit.unwrap_or(usize::MAX));
        rows
    }

    fn is_met(&self, row: &Row) -> bool {
        let Some(document) = json::parse(&row.json) else { return false };
        self.filter.as_ref().is_none_or(|filter| filter.is_met(row, &document))
            && self.search.as_ref().is_none_or(|search| search.is_met(&document))
    }
}

fn kind_of(kind: MessageKind) -> query::Kind {
    match kind {
        MessageKind::Message => query::Kind::Message,
        MessageKind::System => query::Kind::System,
        _ => query::Kind::Other,
    }
}
