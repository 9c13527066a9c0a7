//! What could not be had, why, and until when it is tried again.
//!
//! One checkpoint for each: `graph/missing/` + 16 hexadecimal digits of the conversation's hash + 32
//! of the whole key's. So the names of a conversation stand together, and a list of all can be
//! read in parts. The value is JSON. It is written with the commit that follows the try, and
//! removed (made empty) with the commit that links the content.

use std::collections::BTreeMap;

use chatvault_engine::{Archive, Custodian, MessageKey, RecordKind};
use serde::{Deserialize, Serialize};

use crate::sync::SyncError;

const PREFIX: &str = "graph/missing/";
const CONVERSATION_DIGITS: usize = 16;
const KEY_DIGITS: usize = 32;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Runs do not begin at the same second each night.
const SLACK_MS: i64 = DAY_MS / 2;

/// Content of a message that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Whose export delivered the message.
    pub custodian: Custodian,
    /// Of which kind the row is that names it.
    pub record: RecordKind,
    /// The message's conversation.
    pub conversation: String,
    /// The root message in a channel's thread.
    pub reply_to: Option<String>,
    /// The message's id.
    pub message: String,
    /// The name that its link would have.
    pub content: String,
    /// The name of the file, if it is one.
    pub title: Option<String>,
    /// Why, in one line.
    pub reason: String,
    /// The HTTP status that said so.
    pub status: Option<u16>,
    /// When it was tried first.
    pub first_ms: i64,
    /// When it was tried last.
    pub last_ms: i64,
    /// How many runs have tried.
    pub tries: u32,
    /// It is not tried any more.
    pub given_up: bool,
}

/// What could not be had of a custodian's messages, or of all; by conversation.
///
/// `Archive` if the archive cannot be read.
pub fn missing(
    archive: &Archive,
    custodian: Option<&Custodian>,
) -> Result<Vec<Missing>, SyncError> {
    let mut all = Vec::new();
    visit(archive, &mut |_, record| {
        if custodian.is_none_or(|custodian| custodian.as_str() == record.custodian) {
            all.push(record.into_missing());
        }
    })?;
    Ok(all)
}

/// How much is missing of each custodian's messages, what was given up included.
pub(crate) fn missing_counts(archive: &Archive) -> Result<BTreeMap<String, u64>, SyncError> {
    let mut counts = BTreeMap::new();
    visit(archive, &mut |_, record| *counts.entry(record.custodian).or_default() += 1)?;
    Ok(counts)
}

/// As it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) custodian: String,
    #[serde(rename = "record")]
    pub(super) kind: String,
    pub(super) conversation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reply_to: Option<String>,
    pub(super) message: String,
    pub(super) content: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    pub(super) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) tries: u32,
    #[serde(default)]
    pub(super) given_up: bool,
    /// The run of the last try: one run tries once.
    pub(super) run: u32,
}

/// A run, when it looks what is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) run: u32,
    pub(super) ms: i64,
    pub(super) content_days: u32,
}

/// A try that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try<'a> {
    pub(super) reason: &'a str,
    pub(super) status: Option<u16>,
    pub(super) now_ms: i64,
    pub(super) run: u32,
    pub(super) content_days: u32,
}

impl Record {
    /// What to remember after a failed try; `before` is what was remembered.
    pub(super) fn after(
        before: Option<Self>,
        (custodian, key, content): (&Custodian, &MessageKey, &str),
        failed: Try<'_>,
    ) -> Self {
        let first_ms = before.as_ref().map_or(failed.now_ms, |before| before.first_ms);
        let tried_by_this_run = before.as_ref().is_some_and(|before| before.run == failed.run);
        let tries = before.map_or(0, |before| before.tries);
        let age_ms = failed.now_ms.saturating_sub(first_ms);
        Self {
            custodian: custodian.as_str().to_owned(),
            kind: record_name(key.record).to_owned(),
            conversation: key.conversation.clone(),
            reply_to: key.reply_to.clone(),
            message: key.id.clone(),
            content: content.to_owned(),
            title: None,
            reason: failed.reason.to_owned(),
            status: failed.status,
            first_ms,
            last_ms: failed.now_ms,
            tries: tries.saturating_add(u32::from(!tried_by_this_run)),
            given_up: age_ms >= i64::from(failed.content_days) * DAY_MS,
            run: failed.run,
        }
    }

    /// Is it to be tried in this run? What the service refused is asked for again after ever more days,
    /// since a hundred thousand dead links would else cost an hour each night; what failed on the way,
    /// by every run.
    pub(super) fn is_due(&self, now: Now) -> bool {
        if self.given_up || self.run == now.run {
            return false;
        }
        let refused = self.status.is_some_and(|status| (400..429).contains(&status));
        let wait_ms = i64::from(self.tries.saturating_sub(1)) * DAY_MS - SLACK_MS;
        let is_last = now.ms - self.first_ms >= i64::from(now.content_days) * DAY_MS;
        !refused || is_last || now.ms - self.last_ms >= wait_ms
    }

    /// `None` if a later version wrote it.
    pub(super) fn key(&self) -> Option<MessageKey> {
        Some(MessageKey {
            record: record_of(&self.kind)?,
            conversation: self.conversation.clone(),
            reply_to: self.reply_to.clone(),
            id: self.message.clone(),
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A struct of texts and numbers always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn read(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }

    fn into_missing(self) -> Missing {
        Missing {
            custodian: Custodian::parse(&self.custodian),
            record: record_of(&self.kind).unwrap_or_default(),
            conversation: self.conversation,
            reply_to: self.reply_to,
            message: self.message,
            content: self.content,
            title: self.title,
            reason: self.reason,
            status: self.status,
            first_ms: self.first_ms,
            last_ms: self.last_ms,
            tries: self.tries,
            given_up: self.given_up,
        }
    }
}

/// The checkpoint of a message's content.
pub(super) fn name(key: &MessageKey, content: &str) -> String {
    let conversation = blake3::hash(key.conversation.as_bytes()).to_hex();
    let mut hasher = blake3::Hasher::new();
    let reply_to = key.reply_to.as_deref();
    let parts = [
        record_name(key.record),
        &key.conversation,
        // A thread's root and the absence of one differ.
        if reply_to.is_some() { "reply" } else { "" },
        reply_to.unwrap_or_default(),
        &key.id,
        content,
    ];
    for part in parts {
        let _ = hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let whole = hasher.finalize().to_hex();
    format!(
        "{PREFIX}{:.CONVERSATION_DIGITS$}{:.KEY_DIGITS$}",
        conversation.as_str(),
        whole.as_str()
    )
}

/// The part of a checkpoint's name that all of its conversation have.
pub(super) fn conversation_part(name: &str) -> &str {
    name.get(..PREFIX.len() + CONVERSATION_DIGITS).unwrap_or(name)
}

/// What is remembered of a message's content.
pub(super) fn find(archive: &Archive, name: &str) -> Result<Option<Record>, SyncError> {
    let value = archive.checkpoint(name)?;
    Ok(value.filter(|value| !value.is_empty()).and_then(|value| Record::read(&value)))
}

/// Calls back for everything that is missing, conversation by conversation.
pub(super) fn visit(
    archive: &Archive,
    found: &mut dyn FnMut(String, Record),
) -> Result<(), SyncError> {
    // All at once: beside a writer, each question looks at the archive anew.
    for (name, value) in archive.checkpoints(PREFIX)? {
        if let Some(record) = Record::read(&value) {
            found(name, record);
        }
    }
    Ok(())
}

const RECORDS: [(RecordKind, &str); 4] = [
    (RecordKind::Message, "message"),
    (RecordKind::CopilotInteraction, "copilot-interaction"),
    (RecordKind::CallRecording, "call-recording"),
    (RecordKind::CallTranscript, "call-transcript"),
];

fn record_name(record: RecordKind) -> &'static str {
    RECORDS.iter().find(|(kind, _)| *kind == record).map_or("other", |(_, name)| name)
}

fn record_of(name: &str) -> Option<RecordKind> {
    RECORDS.iter().find(|(_, there)| *there == name).map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(conversation: &str, id: &str) -> MessageKey {
        let (conversation, id) = (conversation.to_owned(), id.to_owned());
        MessageKey { record: RecordKind::Message, conversation, reply_to: None, id }
    }

    fn attempt(run: u32, day: i64, before: Option<Record>) -> Record {
        let now_ms = 1_000 + day * DAY_MS;
        let failed = Try { reason: "gone", status: Some(404), now_ms, run, content_days: 21 };
        Record::after(before, (&Custodian::user("ann"), &key("c", "1"), "file"), failed)
    }

    #[test]
    fn a_run_tries_once_and_the_first_try_after_its_days_is_the_last() {
        let first = attempt(1, 0, None);
        assert_eq!((first.tries, first.given_up, first.first_ms), (1, false, 1_000));
        assert!(!first.is_due(at(1, 0)) && first.is_due(at(2, 0)));
        let again = attempt(1, 0, Some(first));
        assert_eq!(again.tries, 1);
        let later = attempt(2, 20, Some(again));
        assert_eq!((later.tries, later.given_up, later.first_ms), (2, false, 1_000));
        let last = attempt(3, 21, Some(later));
        assert_eq!((last.tries, last.given_up, last.first_ms), (3, true, 1_000));
        assert!(!last.is_due(at(4, 40)));
        assert_eq!(last.last_ms, 1_000 + 21 * DAY_MS);
    }

    fn at(run: u32, day: i64) -> Now {
        Now { run, ms: 1_000 + day * DAY_MS, content_days: 21 }
    }

    /// The days of the tries of a run a day.
    fn tried(status: Option<u16>) -> Vec<i64> {
        let mut record = Record { status, ..attempt(1, 0, None) };
        let mut days = vec![0];
        for day in 1..=30 {
            let run = u32::try_from(day + 1).unwrap();
            if record.is_due(at(run, day)) {
                record = Record { status, ..attempt(run, day, Some(record)) };
                days.push(day);
            }
        }
        assert!(record.given_up);
        days
    }

    #[test]
    fn a_dead_link_is_asked_for_after_ever_more_days_and_what_failed_on_the_way_by_every_run() {
        assert_eq!(tried(Some(404)), [0, 1, 2, 4, 7, 11, 16, 21]);
        for passing in [None, Some(503), Some(429)] {
            assert_eq!(tried(passing), (0..=21).collect::<Vec<_>>(), "{passing:?}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_up() {
        let record = attempt(2, -400_000, Some(attempt(1, 0, None)));
        assert!(!record.given_up);
    }

    #[test]
    fn a_record_comes_back_as_it_was_and_unknown_members_do_not_matter() {
        let record = attempt(1, 0, None);
        assert_eq!(Record::read(&record.to_bytes()), Some(record.clone()));
        assert_eq!(record.key(), Some(key("c", "1")));
        let text = String::from_utf8(record.to_bytes()).unwrap();
        let newer = text.replacen('{', r#"{"tomorrow":[1],"#, 1);
        assert_eq!(Record::read(newer.as_bytes()), Some(record));
        assert_eq!(Record::read(b""), None);
    }

    #[test]
    fn names_differ_where_keys_do_and_stand_together_by_conversation() {
        let root = key("c", "1");
        let reply = MessageKey { reply_to: Some(String::new()), ..root.clone() };
        let recording = MessageKey { record: RecordKind::CallRecording, ..root.clone() };
        let names = [
            name(&root, "a"),
            name(&root, "b"),
            name(&reply, "a"),
            name(&recording, "a"),
            name(&key("c", "1a"), ""),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert!(names.iter().all(|one| conversation_part(one) == conversation_part(&names[0])));
        assert_ne!(conversation_part(&name(&key("d", "1"), "a")), conversation_part(&names[0]));
        assert_eq!(names[0].len(), PREFIX.len() + CONVERSATION_DIGITS + KEY_DIGITS);
    }
}
