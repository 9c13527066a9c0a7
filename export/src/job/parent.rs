//! Which message another one answers, with the version of it that is exported.
//!
//! The latest messages of a conversation are remembered, by the hash of root and id; one further
//! back is looked up. A mail's `In-Reply-To` depends on it.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

use chatvault_engine::{Custodian, MessageKey, RecordKind, Snapshot, Stored, Timestamp};
use chatvault_query::event::{NoNames, who};
use chatvault_query::message::Message;
use foldhash::fast::FixedState;
use memchr::memmem::Finder;

use crate::answer::answered;
use crate::entry::{Answered, Entry};
use crate::error::Result;
use crate::request::{Request, archive};

/// Two generations of so many are remembered: some megabytes.
const GENERATION: usize = 100_000;

/// What stands in a message that answers another one of a chat.
static SIGNS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| [Finder::new(b"messageReference"), Finder::new(b"schema.skype.com/Reply")]);

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
        let known = Known { version: latest.version, subject: subject(&latest.json) };
        let may_answer = entry.key.reply_to.is_some()
            || SIGNS.iter().any(|sign| sign.find(&latest.json).is_some());
        if may_answer {
            let message = Message::stored(&latest.json).ok();
            let id = message.as_ref().and_then(answered).map(String::from);
            if let Some(id) = id {
                entry.parent = Some(self.answered(&entry.key, id)?);
            }
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
                let sender = sender(&row.json);
                return Ok(Answered {
                    id,
                    version: Some(row.version),
                    subject: subject(&row.json),
                    sender,
                });
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

/// The subject line of a stored message.
fn subject(json: &[u8]) -> Option<Arc<str>> {
    static SIGN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"subject\":\""));
    let _sign = SIGN.find(json)?;
    let message = Message::stored(json).ok()?;
    message.subject.as_deref().filter(|subject| !subject.is_empty()).map(Arc::from)
}

fn sender(json: &[u8]) -> Option<String> {
    let from = Message::stored(json).ok()?.from?;
    Some(who(&from, &NoNames))
}

fn hash(reply_to: Option<&str>, id: &str) -> u64 {
    FixedState::default().hash_one((reply_to, id))
}
