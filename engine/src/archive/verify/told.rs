//! The facts that a segment has, held against those of its rows.

use std::sync::Arc;

use super::rows::Kept;
use crate::document::Document;
use crate::error::{Error, Result};
use crate::facts::{self, Facts, Gathering, LONG_ROWS, Saying};
use crate::segment::{List, Segment, Tables};
use crate::types::{RecordKind, Timestamp};

/// What rows of a group say in long conversations, by the first row of each.
#[derive(Debug, Default)]
pub(super) struct Said {
    open: Option<u32>,
    gathering: Gathering,
    all: Vec<(u32, Facts)>,
}

impl Said {
    /// Adds a row of a segment of `rows`; `document` is asked for if its conversation is long.
    pub(super) fn add<'d>(
        &mut self,
        (kept, rows): (Kept<'_>, u32),
        document: impl FnOnce() -> Option<Document<'d>>,
    ) {
        let Kept { tables, keys, row, local } = kept;
        let Some(start) = long_start(tables, row, rows) else { return };
        if self.open != Some(start) {
            self.close();
            self.open = Some(start);
        }
        let (record, kind) = keys.kind(local);
        let is_message = record == RecordKind::Message;
        if let Some(document) = is_message.then(document).flatten() {
            let sender = (keys.sender(local) as usize).checked_sub(1);
            let sender = sender.map(|number| tables.senders.text(number));
            let times = [keys.created[local], keys.modified(local)];
            let [created, modified] = times.map(Timestamp::from_ticks);
            self.gathering.add(&Saying { sender, created, modified, kind }, &document);
        }
    }

    fn close(&mut self) {
        if let Some(start) = self.open.take() {
            self.all.push((start, self.gathering.finish()));
        }
    }

    pub(super) fn finish(mut self) -> Vec<(u32, Facts)> {
        self.close();
        self.all
    }
}

/// The first row of a row's conversation, if that is long; the segment has `rows` rows.
fn long_start(tables: &Tables, row: u32, rows: u32) -> Option<u32> {
    let number = tables.number_of(row);
    let start = *tables.starts.get(number)?;
    let end = tables.starts.get(number + 1).copied().unwrap_or(rows);
    (end.saturating_sub(start) >= LONG_ROWS).then_some(start)
}

/// Puts together what the groups of a segment say, in order.
#[derive(Debug, Default)]
pub(super) struct Sum {
    open: Option<u32>,
    gathering: Gathering,
    /// Conversations whose facts the segment has.
    found: u32,
    wrong: Option<Error>,
}

impl Sum {
    pub(super) fn take(&mut self, said: Vec<(u32, Facts)>, segment: &Arc<Segment>) {
        for (start, facts) in said {
            if self.open != Some(start) {
                self.close(segment);
                self.open = Some(start);
            }
            self.gathering.join_all(&facts);
        }
    }

    /// Behind the last group: what is wrong.
    pub(super) fn finish(&mut self, segment: &Arc<Segment>) -> Option<Error> {
        self.close(segment);
        let more = || Error::corrupt("segment has facts of conversations that are not long");
        let is_more = segment.meta.list(List::Facts).items != self.found;
        std::mem::take(self).wrong.or_else(|| is_more.then(more))
    }

    fn close(&mut self, segment: &Segment) {
        let Some(start) = self.open.take() else { return };
        let said = self.gathering.finish();
        if let Err(error) = self.compare(start, &said, segment) {
            let _first = self.wrong.get_or_insert(error);
        }
    }

    fn compare(&mut self, start: u32, said: &Facts, segment: &Segment) -> Result<()> {
        let wrong = || {
            let names = segment.conversations(start..start + LONG_ROWS);
            let name = names.first().map_or("a conversation", String::as_str);
            Error::corrupt(format!("facts of {name} are not what its rows say"))
        };
        let mut found = Gathering::default();
        if segment.add_facts(start, &mut found)? {
            self.found += 1;
            return if found.finish() == *said { Ok(()) } else { Err(wrong()) };
        }
        // Where they are too many there are none.
        if facts::put(said, &mut Vec::new()) { Err(wrong()) } else { Ok(()) }
    }
}
