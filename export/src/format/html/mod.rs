//! Transcripts as HTML: pages that anyone can open, read, search, print and keep.
//!
//! One folder per chat with a page per month, at most 1,000 messages on a page, and an index of the
//! chats. No script, nothing remote, one style sheet inside each page; a content security policy says
//! the same to the browser. Every text is escaped by the type that writes it ([`write`]), so what a
//! message contains can be ugly but never markup.
//!
//! ```text
//! index.html                        Index
//! {chat}/2021-06.html               Transcript -> Leaf -> Card
//! {chat}/2021-06_p2.html
//! Attachments/0003_report.pdf       written by others; pages link to it
//! ```
//!
//! A `Card` is one message as HTML and needs nothing but its entry, so cards can be made on many
//! threads; `Transcript::place` then lays them on pages, in order. Memory is one page, what is needed
//! to link replies (bounded), and a note per page.

#![expect(
    unused_results,
    reason = "the writer returns itself so that a line of markup is one chain"
)]

mod body;
mod card;
mod clock;
mod colour;
mod files;
mod fragment;
mod history;
mod index;
mod leaf;
mod notes;
mod page;
mod places;
mod reactions;
mod tally;
mod transcript;
mod write;

#[cfg(test)]
mod tests;

pub use card::Scene;
pub use fragment::fragment;
pub use leaf::Elsewhere;
pub use page::STYLE;
pub use write::anchor;

pub(crate) use card::Card;
pub(crate) use index::Index;
pub(crate) use transcript::{Summary, Transcript};
