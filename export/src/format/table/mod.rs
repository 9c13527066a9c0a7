//! The table that CSV and Parquet share: which columns it has, in which order, and what is in them.
//!
//! A [`Row`] is one version of a message, or one attachment. Its values are typed and untouched; each
//! format decides how to write them. The order of [`COLUMNS`] and of [`Row::cells`] is the same, and
//! a test holds them together.

#[cfg(test)]
pub(crate) mod fixture;
mod lists;
mod read;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;
use std::sync::Arc;

use chatvault_engine::Timestamp;

pub(crate) use self::lists::{Items, person_words, reactions_by_kind};
pub(crate) use self::read::Rows;
pub(crate) use self::text::{Parsed, body_text, chat_type, last_text};

/// What kind of values a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Words that came from people or from the service: never to be trusted.
    Words,
    /// Several such words.
    List,
    /// Text of ours, from a small fixed set.
    Fixed,
    /// An instant, or none.
    Time,
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
}

/// A column: its name and what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its heading.
    pub(crate) name: &'static str,
    /// What kind of values it has.
    pub(crate) kind: Kind,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

/// How many columns there are.
pub(crate) const WIDTH: usize = 37;

/// Where `participants` is: the same in most neighbouring rows, so it is prepared once.
pub(crate) const PARTICIPANTS: usize = 33;

/// All columns, in the order in which they are written.
pub(crate) const COLUMNS: [Column; WIDTH] = [
    column("commit", Kind::Number),
    column("record_type", Kind::Fixed),
    column("tenant_id", Kind::Words),
    column("chat_id", Kind::Words),
    column("chat_type", Kind::Fixed),
    column("chat_topic", Kind::Words),
    column("team_id", Kind::Words),
    column("channel_id", Kind::Words),
    column("message_id", Kind::Words),
    column("etag", Kind::Words),
    column("version_no", Kind::Number),
    column("version_count", Kind::Number),
    column("is_latest", Kind::Flag),
    column("message_type", Kind::Words),
    column("event_type", Kind::Words),
    column("created_utc", Kind::Time),
    column("last_modified_utc", Kind::Time),
    column("last_edited_utc", Kind::Time),
    column("deleted_utc", Kind::Time),
    column("sender_id", Kind::Words),
    column("sender_name", Kind::Words),
    column("sender_email", Kind::Words),
    column("sender_type", Kind::Words),
    column("reply_to_id", Kind::Words),
    column("subject", Kind::Words),
    column("body_text", Kind::Words),
    column("body_content_type", Kind::Fixed),
    column("importance", Kind::Words),
    column("mentions", Kind::List),
    column("reactions", Kind::List),
    column("attachment_names", Kind::List),
    column("attachment_files", Kind::List),
    column("attachment_status", Kind::List),
    column("participants", Kind::List),
    column("update_type", Kind::Fixed),
    column("custodians", Kind::List),
    column("content_address", Kind::Fixed),
];

/// A value of a row, as its column has it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'r> {
    /// [`Kind::Words`]; empty means that there are none.
    Words(&'r str),
    /// [`Kind::Fixed`]; empty means that there is none.
    Fixed(&'r str),
    /// [`Kind::List`].
    List(Items<'r>),
    /// [`Kind::Time`].
    Time(Option<Timestamp>),
    /// [`Kind::Number`].
    Number(u64),
    /// [`Kind::Flag`].
    Flag(bool),
}

/// One line of the table. The fields are the columns, see [`COLUMNS`].
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    pub(crate) sequence: u64,
    pub(crate) record: &'static str,
    pub(crate) tenant: &'a str,
    pub(crate) chat: &'a str,
    pub(crate) chat_type: &'static str,
    pub(crate) topic: &'a str,
    pub(crate) team: Cow<'a, str>,
    pub(crate) channel: Cow<'a, str>,
    pub(crate) message: &'a str,
    pub(crate) etag: Cow<'a, str>,
    pub(crate) number: u64,
    pub(crate) count: u64,
    pub(crate) is_latest: bool,
    pub(crate) message_type: Cow<'a, str>,
    pub(crate) event: Cow<'a, str>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) modified: Option<Timestamp>,
    pub(crate) edited: Option<Timestamp>,
    pub(crate) deleted: Option<Timestamp>,
    pub(crate) sender: Cow<'a, str>,
    pub(crate) sender_name: Cow<'a, str>,
    pub(crate) sender_email: Cow<'a, str>,
    pub(crate) sender_type: Cow<'a, str>,
    pub(crate) reply_to: Cow<'a, str>,
    pub(crate) subject: Cow<'a, str>,
    pub(crate) text: Cow<'a, str>,
    pub(crate) body_type: &'static str,
    pub(crate) importance: Cow<'a, str>,
    pub(crate) mentions: Vec<Cow<'a, str>>,
    pub(crate) reactions: Vec<Cow<'a, str>>,
    pub(crate) attachment_names: Vec<Cow<'a, str>>,
    pub(crate) attachment_files: Vec<Cow<'a, str>>,
    pub(crate) attachment_status: Vec<Cow<'a, str>>,
    pub(crate) participants: Arc<[String]>,
    pub(crate) update: &'static str,
    pub(crate) custodians: &'a [String],
    pub(crate) address: String,
}

impl Row<'_> {
    /// The values in the order of [`COLUMNS`].
    pub(crate) fn cells(&self) -> [Cell<'_>; WIDTH] {
        [
            Cell::Number(self.sequence),
            Cell::Fixed(self.record),
            Cell::Words(self.tenant),
            Cell::Words(self.chat),
            Cell::Fixed(self.chat_type),
            Cell::Words(self.topic),
            Cell::Words(&self.team),
            Cell::Words(&self.channel),
            Cell::Words(self.message),
            Cell::Words(&self.etag),
            Cell::Number(self.number),
            Cell::Number(self.count),
            Cell::Flag(self.is_latest),
            Cell::Words(&self.message_type),
            Cell::Words(&self.event),
            Cell::Time(self.created),
            Cell::Time(self.modified),
            Cell::Time(self.edited),
            Cell::Time(self.deleted),
            Cell::Words(&self.sender),
            Cell::Words(&self.sender_name),
            Cell::Words(&self.sender_email),
            Cell::Words(&self.sender_type),
            Cell::Words(&self.reply_to),
            Cell::Words(&self.subject),
            Cell::Words(&self.text),
            Cell::Fixed(self.body_type),
            Cell::Words(&self.importance),
            Cell::List(Items::Row(&self.mentions)),
            Cell::List(Items::Row(&self.reactions)),
            Cell::List(Items::Row(&self.attachment_names)),
            Cell::List(Items::Row(&self.attachment_files)),
            Cell::List(Items::Row(&self.attachment_status)),
            Cell::List(Items::Shared(&self.participants)),
            Cell::Fixed(self.update),
            Cell::List(Items::Shared(self.custodians)),
            Cell::Fixed(&self.address),
        ]
    }
}
