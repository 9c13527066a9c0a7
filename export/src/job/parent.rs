//! Which message another one answers, with the version of it that is exported.
//!
//! The latest messages of a conversation are remembered, by the hash of root and id; one further
//! back is looked up. A mail's `In-Reply-To` depends on it.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use chatvault_engine::{Custodian, MessageKey, RecordKind, Snapshot, Stored, Timestamp};
use chatvault_query::event::{NoNames, who};
use chatvault_query::message::Message;
use foldhash::fast::FixedState;

use crate::answer::answered;
use crate::entry::{Answered, Entry};
use crate::error::Result;
use crate::request::{Request, archive};

/// Two generations of so many are remembered: some megabytes.
const GENERATION: usize = 100_000;

/// Finds what messages answer. They come in export order.
pub(super) struct Parents {
    snapshot: Snapshot,
    custodians: Vec<Custodian>,
    until: Option<Timestamp>,
    is_wanted: bool,
    young: HashMap<u64, Known>,
    old: HashMap<u64, Known>,
}

/// What is remembered of a message: its version, and its subject if it has one.
#[derive(Clone, Debug)]
struct Known {
    version: u64,
    subject: Option<Arc<str>>,
}

impl Parents {
    pub(super) fn new(snapshot: &Snapshot, request: &Request, is_wanted: bool) -> Self {
        let until = request.as_of.as_deref();
        Self {
            snapshot: snapshot.clone(),
            custodians: request.custodians.iter().map(|id| Custodian::parse(id)).collect(),
            until: until.and_then(|text| chatvault_query::parse_time("as_of", text).ok()),
            is_wanted,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// Goes to the next conversation.
    pub(super) fn enter(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    /// Finds what a message answers, and remembers it for those that answer it.
    pub(super) fn find(&mut self, entry: &mut Entry) -> Result<()> {
        let is_wanted = self.is_wanted && entry.key.record == RecordKind::Message;
        let Some(latest) = entry.latest().filter(|_| is_wanted) else { return Ok(()) };
        let hash = hash(entry.key.reply_to.as_deref(), &entry.key.id);
        let message = Message::of(&latest.document);
        let known = Known { version: latest.version, subject: subject(&message) };
        if let Some(id) = answered(&message).map(String::from) {
            entry.parent = Some(self.answered(&entry.key, id)?);
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        drop(self.young.insert(hash, known));
        Ok(())
    }

    /// The message with an id, in the thread of another one or beside it.
    fn answered(&self, of: &MessageKey, id: String) -> Result<Answered> {
        let own = of.reply_to.as_deref();
        // A thread's root first: it is what nearly every reply answers.
        let mut roots = vec![None];
        roots.extend(own.map(Some));
        for reply_to in &roots {
            let hash = hash(*reply_to, &id);
            if let Some(Known { version, subject }) =
                self.young.get(&hash).or_else(|| self.old.get(&hash)).cloned()
            {
                return Ok(Answered { id, version: Some(version), subject, sender: None });
            }
        }
        for reply_to in roots {
            let key = MessageKey {
                record: RecordKind::Message,
                conversation: of.conversation.clone(),
                reply_to: reply_to.map(str::to_owned),
                id: id.clone(),
            };
            let rows = self.snapshot.history(&key).map_err(archive)?;
            let seen = rows.iter().filter(|row| self.sees(row)).max_by_key(|row| row.version);
            if let Some(row) = seen {
                let document = row.document().map_err(archive)?;
                let message = Message::of(&document);
                let sender = message.from.as_ref().map(|from| who(from, &NoNames));
                let (version, subject) = (Some(row.version), subject(&message));
                return Ok(Answered { id, version, subject, sender });
            }
        }
        Ok(Answered { id, ..Answered::default() })
    }

    fn sees(&self, row: &Stored) -> bool {
        let delivered =
            |custodian: &Custodian| row.sightings.iter().any(|one| one.custodian == *custodian);
        self.until.is_none_or(|until| row.modified <= until)
            && (self.custodians.is_empty() || self.custodians.iter().any(delivered))
    }
}

/// The subject line of a message.
fn subject(message: &Message<'_>) -> Option<Arc<str>> {
    message.subject.as_deref().filter(|subject| !subject.is_empty()).map(Arc::from)
}

fn hash(reply_to: Option<&str>, id: &str) -> u64 {
    FixedState::default().hash_one((reply_to, id))
}
