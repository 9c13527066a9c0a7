//! Facts of the long conversations of a segment, gathered while it is built.

use super::NewRow;
use super::bind::Binder;
use super::layout::Strings;
use super::pages::number_name;
use crate::facts::{self, Gathering, LONG_ROWS, Saying};
use crate::types::RecordKind;

/// The first rows of long conversations, ascending.
#[derive(Debug, Default)]
pub(super) struct Long {
    starts: Vec<u32>,
    /// The present one, its first row and its rows.
    conversation: String,
    start: u32,
    rows: u32,
}

impl Long {
    pub(super) fn add(&mut self, conversation: &str) {
        if self.conversation != conversation {
            conversation.clone_into(&mut self.conversation);
            (self.start, self.rows) = (self.start + self.rows, 0);
        }
        self.rows += 1;
        if self.rows == LONG_ROWS {
            self.starts.push(self.start);
        }
    }
}

/// Gathers facts, conversation by conversation.
#[derive(Debug)]
pub(super) struct Telling {
    long: std::vec::IntoIter<u32>,
    /// The first row of the present one, if it is long.
    open: Option<u32>,
    gathering: Gathering,
    items: Strings,
}

impl Telling {
    pub(super) fn of(long: Long) -> Self {
        let (long, gathering) = (long.starts.into_iter(), Gathering::default());
        Self { long, open: None, gathering, items: Strings::default() }
    }

    /// A conversation begins.
    pub(super) fn begin(&mut self, row: u32) {
        self.end();
        let is_long = self.long.as_slice().first() == Some(&row);
        self.open = if is_long { self.long.next() } else { None };
    }

    /// Takes a row that was bound last.
    pub(super) fn add(&mut self, row: &NewRow<'_>, binder: &Binder) {
        if self.open.is_none() || row.record != RecordKind::Message {
            return;
        }
        if let Some(document) = binder.document(row.document) {
            let NewRow { sender, created, modified, kind, .. } = *row;
            self.gathering.add(&Saying { sender, created, modified, kind }, &document);
        }
        if self.gathering.are_too_many() {
            (self.open, self.gathering) = (None, Gathering::default());
        }
    }

    fn end(&mut self) {
        let Some(start) = self.open.take() else { return };
        let mut item = number_name(start).to_vec();
        if facts::put(&self.gathering.finish(), &mut item) {
            self.items.push(&item);
        }
    }

    pub(super) fn finish(&mut self) -> Strings {
        self.end();
        std::mem::take(&mut self.items)
    }
}
