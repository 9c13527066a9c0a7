//! Sessions with Copilot, and the meetings of recordings and transcripts.

use chatvault_engine::{RowKeys, Scan, Snapshot, Timestamp};

use crate::error::{Error, Result};
use crate::names::Record;
use crate::record::{Text, message};

/// A session, or a meeting; all calls that were none are one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// What was stored of it.
    pub record: Record,
    /// Its conversation; empty for calls.
    pub id: String,
    /// How much of it there is.
    pub entries: u64,
    /// When its first entry was created.
    pub first: Timestamp,
    /// When its last entry was created.
    pub last: Timestamp,
}

/// What is said about a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// The id of the user whose it is. Calls have many organizers.
    pub person: Option<String>,
    /// What it is called.
    pub subject: Option<String>,
}

impl Session {
    /// All of one kind by id, or those with some ids; without reading entries.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn collect(snapshot: &Snapshot, record: Record, ids: Vec<String>) -> Result<Vec<Self>> {
        let mut all: Vec<Self> = Vec::new();
        let mut on = |row: RowKeys<'_>| {
            let (id, at) = (row.conversation(), row.created());
            // Rows come conversation by conversation.
            if let Some(last) = all.last_mut().filter(|last| last.id == id) {
                last.entries += 1;
                (last.first, last.last) = (last.first.min(at), last.last.max(at));
            } else {
                all.push(Self { record, id: id.to_owned(), entries: 1, first: at, last: at });
            }
        };
        let scan = Scan { record: record.into(), conversations: ids, ..Scan::default() };
        let _rows = snapshot.keys(&scan, &mut on).map_err(Error::Archive)?;
        Ok(all)
    }

    /// Whose it is and what it is called: an id tells whose session it is, the first entry the rest.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn about(&self, snapshot: &Snapshot) -> Result<About> {
        let scan = Scan {
            record: self.record.into(),
            conversations: vec![self.id.clone()],
            limit: Some(1),
            ..Scan::default()
        };
        let mut rows = snapshot.scan(&scan).map_err(Error::Archive)?;
        let Some(row) = rows.next().map_err(Error::Archive)? else { return Ok(About::default()) };
        let document = row.document().map_err(Error::Archive)?;
        let read = message(self.record.into(), &document, &Text::None);
        let organizer = || read.from.as_ref().map(|from| from.id.to_string());
        let user = Self::user_of(&self.id).map(str::to_owned);
        let subject = read.subject.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
        let person = if self.id.is_empty() { None } else { user.or_else(organizer) };
        Ok(About { person, subject })
    }

    /// The id of the user whose session an id is of.
    pub fn user_of(id: &str) -> Option<&str> {
        Some(id.strip_prefix("user:")?.split_once('/')?.0)
    }
}
