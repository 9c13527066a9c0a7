//! Which message another one answers, with the version of it that is exported.
//!
//! The latest messages of a conversation are remembered, by the hash of root and id; one further
//! back is looked up. A mail's `In-Reply-To` depends on it.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use chatvault_engine::{Custodian, MessageKey, RecordKind, Snapshot, Stored, Timestamp};
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
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
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
        let Some(latest) = entry.latest().filter(|_| self.is_wanted) else { return Ok(()) };
        let hash = hash(entry.key.reply_to.as_deref(), &entry.key.id);
        let version = latest.version;
        let may_answer = entry.key.reply_to.is_some()
            || SIGNS.iter().any(|sign| sign.find(&latest.json).is_some());
        if may_answer {
            let message = Message::stored(&latest.json).ok();
            let id = message.as_ref().and_then(answered).map(String::from);
            if let Some(id) = id {
                let version = self.version(&entry.key, &id)?;
                entry.parent = Some(Answered { id, version });
            }
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        let _ = self.young.insert(hash, version);
        Ok(())
    }

    /// The exported version of the message with an id, in the thread of another one or beside it.
    fn version(&self, of: &MessageKey, id: &str) -> Result<Option<u64>> {
        let own = of.reply_to.as_deref();
        // A thread's root first: it is what nearly every reply answers.
        let mut roots = vec![None];
        roots.extend(own.map(Some));
        for reply_to in &roots {
            let hash = hash(*reply_to, id);
            if let Some(version) = self.young.get(&hash).or_else(|| self.old.get(&hash)) {
                return Ok(Some(*version));
            }
        }
        for reply_to in roots {
            let key = MessageKey {
                record: RecordKind::Message,
                conversation: of.conversation.clone(),
                reply_to: reply_to.map(str::to_owned),
                id: id.to_owned(),
            };
            let rows = self.snapshot.history(&key).map_err(archive)?;
            let seen = rows.iter().filter(|row| self.sees(row)).map(|row| row.version).max();
            if seen.is_some() {
                return Ok(seen);
            }
        }
        Ok(None)
    }

    fn sees(&self, row: &Stored) -> bool {
        let delivered =
            |custodian: &Custodian| row.sightings.iter().any(|one| one.custodian == *custodian);
        self.until.is_none_or(|until| row.modified <= until)
            && (self.custodians.is_empty() || self.custodians.iter().any(delivered))
    }
}

fn hash(reply_to: Option<&str>, id: &str) -> u64 {
    FixedState::default().hash_one((reply_to, id))
}
