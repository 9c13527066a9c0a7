//! What every contestant can do, and what an ordered store must be able to do to become one.

use std::error::Error;
use std::path::{Path, PathBuf};

/// Any failure: a benchmark stops at the first one.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What each store that has a page or block cache of its own gets for it: chatvault's default.
pub const CACHE_BYTES: usize = 64 << 20;

/// Where a peer keeps its data, and what it needs to read it.
#[derive(Clone, Debug)]
pub struct Place {
    /// A folder of its own.
    pub folder: PathBuf,
    /// The zstd dictionary that the corpus was trained for; chatvault trains its own.
    pub dictionary: PathBuf,
}

/// One contestant.
pub trait Peer: Sync {
    /// Its name in tables and on the command line.
    fn name(&self) -> &'static str;

    /// How it is set up and why, and where it has it easier or harder than others.
    fn settings(&self) -> &'static str;

    /// Can bytes that it reads be counted at system calls?
    fn reads_by_calls(&self) -> bool {
        true
    }

    /// Makes a new store of all page files, durable and closed at the end.
    ///
    /// With `abort_after` the process aborts once it has taken that many copies.
    fn import(&self, place: &Place, pages: &Path, abort_after: Option<u64>) -> Result<()>;

    /// Opens what is there.
    fn open(&self, place: &Place, mode: Mode) -> Result<Box<dyn Session>>;

    /// Makes the store as small as it gets by its own means.
    fn compact(&self, place: &Place) -> Result<()>;

    /// Folders that are kept for a while only and do not count.
    fn passing_folders(&self) -> &'static [&'static str] {
        &[]
    }
}

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Questions only.
    Read,
    /// Questions and commits.
    Write,
}

/// A question whose answer is documents.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Question {
    /// Every version in a conversation.
    Conversation(String),
    /// Every version from a sender.
    Sender(String),
    /// Every version that a user's export delivered.
    Custodian(String),
    /// Every version modified in a half-open range of epoch milliseconds.
    Modified(i64, i64),
    /// The newest version of a message.
    Message(Key),
}

/// Identifies a message across its versions.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Key {
    /// `chatId`, or the channel's id.
    pub conversation: String,
    /// The root message in a channel's thread.
    pub reply_to: Option<String>,
    /// The message's `id`.
    pub id: String,
}

/// An open store.
pub trait Session {
    /// Gives each document of the answer, its exact bytes, in any order.
    fn ask(&mut self, question: &Question, give: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// Gives every version; false if it has no way to do so on that many threads.
    fn scan(&mut self, threads: usize, give: &(dyn Fn(&[u8]) + Sync)) -> Result<bool>;

    /// How many versions there are.
    fn count(&mut self) -> Result<u64>;

    /// Adds documents, durable on return.
    fn commit(&mut self, custodian: &str, documents: &[Vec<u8>]) -> Result<()>;

    /// Ends it, with what the store does then.
    fn close(self: Box<Self>) -> Result<()>;
}

/// The maps that the front end keeps in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Row number -> packed document.
    Rows,
    /// Message, version, what decides between variants -> row number.
    Messages,
    /// Conversation, created, row number.
    Conversations,
    /// Sender, modified, row number.
    Senders,
    /// Modified, row number.
    Modified,
    /// Custodian, page -> row numbers.
    Sightings,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Rows,
        Self::Messages,
        Self::Conversations,
        Self::Senders,
        Self::Modified,
        Self::Sightings,
    ];

    /// Its name in a store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Messages => "messages",
            Self::Conversations => "conversations",
            Self::Senders => "senders",
            Self::Modified => "modified",
            Self::Sightings => "sightings",
        }
    }
}

/// What one commit adds: keys and values in one buffer, ordered by table and key when it is sealed.
#[derive(Debug, Default)]
pub struct Puts {
    bytes: Vec<u8>,
    puts: Vec<(Table, usize, usize, usize)>,
}

impl Puts {
    /// Adds an entry.
    pub fn put(&mut self, table: Table, key: &[&[u8]], value: &[u8]) {
        let from = self.bytes.len();
        for part in key {
            self.bytes.extend_from_slice(part);
        }
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.puts.push((table, from, middle, self.bytes.len()));
    }

    /// Trees are filled with fewer touched pages in the order of their keys.
    pub fn sort(&mut self) {
        let bytes = &self.bytes;
        self.puts.sort_unstable_by_key(|&(table, from, middle, _)| (table, &bytes[from..middle]));
    }

    /// The entries of a table.
    pub fn of(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mine = self.puts.iter().filter(move |put| put.0 == table);
        mine.map(|&(_, from, middle, to)| (&self.bytes[from..middle], &self.bytes[middle..to]))
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Takes a key and a value.
pub type OnEntry<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// A store of ordered maps from bytes to bytes, with durable commits over several maps.
pub trait Tables: Sized {
    /// Its name in tables and on the command line.
    const NAME: &'static str;
    /// See [`Peer::settings`].
    const SETTINGS: &'static str;
    /// See [`Peer::reads_by_calls`].
    const READS_BY_CALLS: bool = true;

    /// Reads a fixed state.
    type Reader: Reader + Send;

    /// Makes a new one in an empty folder.
    fn create(folder: &Path) -> Result<Self>;

    /// Opens one.
    fn open(folder: &Path, mode: Mode) -> Result<Self>;

    /// Reads what is committed by now.
    fn reader(&self) -> Result<Self::Reader>;

    /// Writes all or nothing, durable on return.
    fn write(&mut self, puts: &Puts) -> Result<()>;

    /// Brings what is durable into the form that is read from, if the store leaves that for later.
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// Ends it in order; readers are gone by then.
    fn close(self) -> Result<()>;

    /// Makes a closed one as small as it gets by its own means.
    fn compact(folder: &Path) -> Result<()>;
}

/// A fixed state of the maps.
pub trait Reader {
    /// The value of a key, to `on`; false if there is none.
    fn get(&mut self, table: Table, key: &[u8], on: &mut OnEntry<'_>) -> Result<bool>;

    /// All entries with `from <= key < to`, in order.
    fn range(&mut self, table: Table, range: (&[u8], &[u8]), on: &mut OnEntry<'_>) -> Result<()>;

    /// The last entry with `from <= key < to`.
    fn last(&mut self, table: Table, range: (&[u8], &[u8])) -> Result<Option<Entry>>;

    /// The number of entries.
    fn len(&mut self, table: Table) -> Result<u64>;
}
