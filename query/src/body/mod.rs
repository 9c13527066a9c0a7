//! What a body says, as a small document, whatever it was written in.
//!
//! Plain text, Markdown and the service's HTML become the same few kinds of blocks and inlines.
//! The document is safe by construction: it has no place for scripts, styles, event handlers or
//! anything that is loaded from elsewhere, and a link is to `http`, `https` or `mailto`.
//!
//! What always holds, for any input: it is read in one pass, without recursion; blocks nest at most
//! [`MAX_DEPTH`] deep, and twice that inside a forwarded message; there are at most about
//! [`MAX_NODES`] blocks and inlines, and what comes behind them is kept as preformatted text. No
//! text is dropped but the source of scripts and styles: an unknown tag goes, its text stays.

mod address;
mod attribute;
mod build;
mod card;
mod frames;
mod html;
mod line;
mod plain;
mod reference;
mod tag;
#[cfg(test)]
mod tests;
mod write;

use chatvault_engine::Timestamp;

use crate::message::{BodyKind, Message};
use build::Builder;

pub use card::{CardPart, SnippetAt, card_parts, card_text, snippet_at, with_lines};
pub use plain::plain_text;
pub use write::{attachment_text, hidden_address, text};

/// How deep blocks nest at most; deeper ones are unwrapped.
pub const MAX_DEPTH: usize = 32;

/// How many blocks and inlines a document has at most, about.
pub const MAX_NODES: usize = 100_000;

/// A body as blocks, in reading order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The blocks. Quoted and forwarded messages are in them even if the body does not place them.
    pub blocks: Vec<Block>,
    /// Attachments that the body does not place, by their indexes: to be shown behind it.
    pub unplaced: Vec<usize>,
}

/// A part of a body that has lines of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Running text; a blank line if it is empty.
    Paragraph(Vec<Inline>),
    /// A heading of level 1 to 6.
    Heading(u8, Vec<Inline>),
    /// Something quoted, and which message it is from.
    Quote {
        /// The message, if it is known to be one.
        of: Option<QuoteOf>,
        /// What is quoted.
        blocks: Vec<Self>,
    },
    /// Preformatted text.
    Code {
        /// As it was named by the sender.
        language: Option<String>,
        /// The lines, separated by `\n`.
        text: String,
    },
    /// A list.
    List {
        /// Is it numbered?
        ordered: bool,
        /// The blocks of each item.
        items: Vec<Vec<Self>>,
    },
    /// A table; its rows can have different lengths.
    Table {
        /// The cells of each row.
        rows: Vec<Vec<Cell>>,
    },
    /// A horizontal line.
    Rule,
    /// The attachment with this index, at its place; see [`attachment_text`].
    Attachment(usize),
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Is it a heading of its row or column?
    pub header: bool,
    /// What is in it.
    pub blocks: Vec<Block>,
}

/// Which message a quote is from. Everything can be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuoteOf {
    /// How it comes to be quoted.
    pub kind: QuoteKind,
    /// The message's id.
    pub message: Option<String>,
    /// The name of its sender.
    pub sender: Option<String>,
    /// The id of its sender.
    pub sender_id: Option<String>,
    /// When it was sent.
    pub sent: Option<Timestamp>,
    /// The attachment that it came as.
    pub attachment: Option<usize>,
}

/// How a message comes to be quoted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuoteKind {
    /// The message answers it.
    #[default]
    Reply,
    /// The message passes it on.
    Forward,
}

/// A part of running text.
#[derive(Clone, Debug, PartialEq)]
pub enum Inline {
    /// Text without line breaks.
    Text(String),
    /// A line break.
    Break,
    /// Bold.
    Strong(Vec<Self>),
    /// Italic.
    Emphasis(Vec<Self>),
    /// Underlined.
    Underline(Vec<Self>),
    /// Struck through.
    Strike(Vec<Self>),
    /// Raised.
    Superscript(Vec<Self>),
    /// Lowered.
    Subscript(Vec<Self>),
    /// Preformatted.
    CodeSpan(String),
    /// A link.
    Link {
        /// Begins with `http:`, `https:` or `mailto:`.
        url: String,
        /// What it is put on.
        inlines: Vec<Self>,
    },
    /// Somebody is named.
    Mention {
        /// The index in the message's mentions.
        mention: Option<usize>,
        /// The name, without `@`.
        text: String,
    },
    /// An emoji; a custom one is its name between colons.
    Emoji(String),
    /// A picture.
    Image {
        /// Where its bytes are.
        content: ImageAt,
        /// What it shows, else `image`.
        name: String,
        /// In pixels.
        width: Option<u32>,
        /// In pixels.
        height: Option<u32>,
    },
}

/// Where the bytes of a picture are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageAt {
    /// In the message's hosted content with this id.
    Hosted(String),
    /// Elsewhere, at this address, which must not be loaded. Empty if there is none.
    Remote(String),
}

impl Document {
    /// Reads the body of a message, with the messages that it quotes.
    pub fn of(message: &Message<'_>) -> Self {
        let mut builder = Builder::new(&message.mentions, &message.attachments, MAX_NODES);
        match message.body.kind {
            BodyKind::Text => builder.lines(&message.body.content),
            BodyKind::Html => html::feed(&message.body.content, &mut builder),
            BodyKind::Markdown => html::feed(&markdown(&message.body.content), &mut builder),
        }
        builder.finish()
    }

    /// Reads HTML that belongs to no message.
    pub fn of_html(html: &str) -> Self {
        let mut builder = Builder::new(&[], &[], MAX_NODES);
        html::feed(html, &mut builder);
        builder.finish()
    }

    /// Does it say nothing, and has no attachment?
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.unplaced.is_empty()
    }
}

/// Markdown as HTML: the service's own tags inside it are HTML already.
fn markdown(source: &str) -> String {
    use pulldown_cmark::{Options, Parser, html::push_html};
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut html = String::with_capacity(source.len() + source.len() / 2);
    push_html(&mut html, Parser::new_ext(source, options));
    html
}
