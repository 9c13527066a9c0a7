//! Messages for somebody who looks at an archive: read as an export reads them, a few at a time.
//!
//! What an export would write beside its pages is linked where it lies: a file's path is
//! `objects/ADDRESS/NAME`. Its bytes are not read, so nothing says their SHA-256.

use std::sync::Arc;

use chatvault_engine::{MessageKey, Snapshot, TimeRange, Timestamp};
use chatvault_query::Record;
use chatvault_query::record::Texts;

use super::attach::{Attachments, Reasons};
use super::read::Entries;
use super::slice::{Extent, Slice};
use crate::entry::{Entry, Window};
use crate::error::Result;
use crate::request::{Format, Request, wrong};

/// Reads messages of a snapshot.
pub struct Viewer<'v> {
    snapshot: Snapshot,
    attachments: Attachments<'v>,
    request: Arc<Request>,
}

impl std::fmt::Debug for Viewer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewer").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

impl<'v> Viewer<'v> {
    /// `reasons` says why contents are missing.
    pub fn new(snapshot: &Snapshot, reasons: Reasons<'v>) -> Self {
        let attachments = Attachments::where_they_lie(snapshot, reasons);
        let request = Request { format: Format::Html, all_time: true, ..Request::default() };
        Self { snapshot: snapshot.clone(), attachments, request: Arc::new(request) }
    }

    /// What was created in a range of a conversation, each with all of its versions, in export order.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn between(
        &mut self,
        (record, conversation): (Record, &str),
        created: TimeRange,
    ) -> Result<Vec<Entry>> {
        let all = Window { start: Timestamp::MIN, end: Timestamp::MAX, number: 1, of: 1 };
        let chats = vec![conversation.to_owned()];
        let slice = Slice { record, chats, created, place: Extent::Whole };
        let mut entries =
            Entries::of(&self.snapshot, &self.request, (record, all, Some(&slice)), true)?;
        let texts = Texts::new(&self.snapshot);
        let mut found = Vec::new();
        while let Some(mut entry) = entries.next()? {
            self.attachments.find(&mut entry)?;
            if record == Record::Transcript {
                entry.say(&texts.of(&entry.key).map_err(wrong)?);
            }
            for version in &mut entry.versions {
                version.address = version.document.address();
            }
            found.push(entry);
        }
        Ok(found)
    }

    /// One message with all of its versions, by when it was created.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn one(
        &mut self,
        key: &MessageKey,
        record: Record,
        at: Timestamp,
    ) -> Result<Option<Entry>> {
        let behind = Timestamp::from_ticks(at.ticks().saturating_add(1));
        let range = TimeRange { from: Some(at), to: Some(behind) };
        let there = self.between((record, &key.conversation), range)?;
        Ok(there.into_iter().find(|entry| entry.key == *key))
    }
}
