//! The formats: each a pure function of entries, and what several of them share.

pub(crate) mod csv;
pub(crate) mod dat;
pub(crate) mod eml;
pub mod html;
pub mod jsonl;
pub(crate) mod list;
pub(crate) mod markup;
pub(crate) mod mbox;
pub(crate) mod parquet;
pub(crate) mod pdf;
pub(crate) mod rsmf;
mod table;

use std::io;

use crate::entry::{Entry, Piece};

/// Takes the files of a conversation as they are finished.
pub(crate) type Sink<'s> = dyn FnMut(Piece) -> io::Result<()> + 's;

/// Makes the files of one conversation of its messages, which come in export order.
pub(crate) trait Renderer<'c> {
    /// Takes a message.
    fn push(&mut self, item: Item, sink: &mut Sink<'_>) -> io::Result<()>;

    /// A system event is left out here.
    fn leave_out_event(&mut self) {}

    /// Gives the rest of the files.
    fn finish(self: Box<Self>, sink: &mut Sink<'_>) -> io::Result<Tail<'c>>;
}

/// A message for a renderer, or for a table.
#[derive(Debug)]
pub(crate) enum Item {
    /// Of a transcript in HTML.
    Card(Box<html::Card>),
    /// Of a typed table.
    Rows(parquet::Rows),
    /// As it is.
    Entry(Box<Entry>),
}

impl Item {
    fn entry(self) -> io::Result<Entry> {
        if let Self::Entry(entry) = self { Ok(*entry) } else { Err(of_another()) }
    }

    fn card(self) -> io::Result<html::Card> {
        if let Self::Card(card) = self { Ok(*card) } else { Err(of_another()) }
    }
}

fn of_another() -> io::Error {
    io::Error::other("a message was rendered for another format")
}

/// What is left when the files of a conversation are finished.
#[derive(Default)]
pub(crate) struct Tail<'c> {
    /// What a list of conversations says of it.
    pub(crate) html: Option<html::Summary>,
    /// Code points that no font could show.
    pub(crate) missing_glyphs: u64,
    /// For the next conversation.
    pub(crate) kit: Option<pdf::Kit<'c>>,
}
