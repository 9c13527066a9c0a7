//! A document as plain text.
//!
//! `@Name`, an emoji as itself, a link as `words <address>`, `[image: name]`, `[attachment: name]`, cards by their words; a line
//! for each line, `> ` before quotes, `- ` or a number before items, tabs between cells.

use super::{Block, Cell, Document, ImageAt, Inline, QuoteKind, QuoteOf, card_text};
use crate::event::one_line;
use crate::message::{Attachment, Message};

/// How much can stand before a line: deeper quotes and lists are not moved in further.
const MAX_PREFIX_BYTES: usize = 16;

/// The plain text of a document that was made of `message`, without spaces around it.
///
/// What the body does not place stands behind it.
pub fn text<'m>(document: &'m Document, message: &'m Message<'m>) -> String {
    let mut writer = Writer::new(&message.attachments, message.body.content.len());
    writer.blocks(&document.blocks);
    for index in &document.unplaced {
        if !writer.out.is_empty() {
            writer.new_line();
        }
        writer.attachment(*index);
    }
    writer.finish()
}

/// The plain text of blocks that belong to no message.
pub(super) fn blocks_text(blocks: &[Block]) -> String {
    let mut writer = Writer::new(&[], 0);
    writer.blocks(blocks);
    writer.finish()
}

/// How an attachment reads: a card by its words, anything else as `[attachment: name]`.
pub fn attachment_text(attachment: &Attachment<'_>) -> String {
    let words = attachment.content.as_deref().map(card_text).unwrap_or_default();
    if !words.is_empty() {
        return words;
    }
    match attachment.name.as_deref().map(one_line).filter(|name| !name.is_empty()) {
        Some(name) => format!("[attachment: {name}]"),
        None => "[attachment]".to_owned(),
    }
}

struct Writer<'m> {
    attachments: &'m [Attachment<'m>],
    out: String,
    /// What stands before each line of the block that is being written.
    prefix: String,
    /// Nothing is on the line yet, not even the prefix.
    is_fresh: bool,
    /// Where the last link led whose address was written: one over many paragraphs says it once.
    told: &'m str,
}

impl<'m> Writer<'m> {
    fn new(attachments: &'m [Attachment<'m>], bytes: usize) -> Self {
        let out = String::with_capacity(bytes);
        Self { attachments, out, prefix: String::new(), is_fresh: true, told: "" }
    }

    fn finish(mut self) -> String {
        self.out.truncate(self.out.trim_end_matches([' ', '\t', '\n']).len());
        let blank = self.out.len() - self.out.trim_start_matches('\n').len();
        if blank > 0 {
            drop(self.out.drain(..blank));
        }
        self.out
    }

    fn word(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.is_fresh {
            self.out.push_str(&self.prefix);
            self.is_fresh = false;
        }
        self.out.push_str(text);
    }

    fn new_line(&mut self) {
        if self.is_fresh {
            self.out.push_str(&self.prefix);
        }
        self.out.truncate(self.out.trim_end_matches([' ', '\t']).len());
        self.out.push('\n');
        self.is_fresh = true;
    }

    fn lines(&mut self, text: &str) {
        for (number, line) in text.lines().enumerate() {
            if number > 0 {
                self.new_line();
            }
            self.word(line);
        }
    }

    fn blocks(&mut self, blocks: &'m [Block]) {
        for (number, block) in blocks.iter().enumerate() {
            if number > 0 {
                self.new_line();
            }
            self.block(block);
        }
    }

    fn block(&mut self, block: &'m Block) {
        match block {
            Block::Paragraph(inlines) | Block::Heading(_, inlines) => self.inlines(inlines),
            Block::Quote { of, blocks } => self.within("> ", |writer| {
                let title = of.as_ref().map(quote_title).unwrap_or_default();
                writer.word(&title);
                if !title.is_empty() && !blocks.is_empty() {
                    writer.new_line();
                }
                writer.blocks(blocks);
            }),
            Block::Code { text, .. } => self.lines(text),
            Block::List { ordered, items } => self.items(*ordered, items),
            Block::Table { rows } => self.rows(rows),
            Block::Rule => self.word("---"),
            Block::Attachment(index) => self.attachment(*index),
        }
    }

    /// Writes with more before each line, unless that is too much already.
    fn within(&mut self, prefix: &str, write: impl FnOnce(&mut Self)) {
        let before = self.prefix.len();
        if before + prefix.len() <= MAX_PREFIX_BYTES {
            self.prefix.push_str(prefix);
        }
        write(self);
        self.prefix.truncate(before);
    }

    fn items(&mut self, ordered: bool, items: &'m [Vec<Block>]) {
        for (number, blocks) in items.iter().enumerate() {
            if number > 0 {
                self.new_line();
            }
            if ordered {
                self.word(&format!("{}. ", number + 1));
            } else {
                self.word("- ");
            }
            self.within("  ", |writer| writer.blocks(blocks));
        }
    }

    fn rows(&mut self, rows: &'m [Vec<Cell>]) {
        for (number, cells) in rows.iter().enumerate() {
            if number > 0 {
                self.new_line();
            }
            for (place, cell) in cells.iter().enumerate() {
                if place > 0 {
                    self.word("\t");
                }
                let mut inner = Writer::new(self.attachments, 0);
                inner.blocks(&cell.blocks);
                self.word(&inner.finish().replace(['\n', '\t'], " "));
            }
        }
    }

    fn attachment(&mut self, index: usize) {
        match self.attachments.get(index) {
            Some(attachment) => self.lines(&attachment_text(attachment)),
            None => self.word("[attachment]"),
        }
    }

    fn inlines(&mut self, inlines: &'m [Inline]) {
        for inline in inlines {
            match inline {
                Inline::Text(text) | Inline::CodeSpan(text) | Inline::Emoji(text) => {
                    self.word(text);
                }
                Inline::Break => self.new_line(),
                Inline::Strong(inner)
                | Inline::Emphasis(inner)
                | Inline::Underline(inner)
                | Inline::Strike(inner)
                | Inline::Superscript(inner)
                | Inline::Subscript(inner) => self.inlines(inner),
                Inline::Link { url, inlines: inner } => self.link(url, inner),
                Inline::Mention { text, .. } => {
                    self.word("@");
                    self.word(text);
                }
                Inline::Image { name, content, .. } => {
                    self.word("[image: ");
                    self.word(name);
                    self.word("]");
                    if let ImageAt::Remote(url) = content {
                        self.address(url);
                    }
                }
            }
        }
    }

    /// The words of a link, and behind them where it leads if they do not say so.
    fn link(&mut self, url: &'m str, inner: &'m [Inline]) {
        let before = self.out.len();
        self.inlines(inner);
        if self.told != url && !says(self.out.get(before..).unwrap_or_default(), url) {
            self.address(url);
            self.told = url;
        }
    }

    fn address(&mut self, url: &str) {
        if !url.is_empty() {
            self.word(" <");
            self.word(url);
            self.word(">");
        }
    }
}

/// Where a link leads, if its words do not say so: what a reader of the words alone would miss.
pub fn hidden_address<'d>(url: &'d str, inlines: &[Inline]) -> Option<&'d str> {
    let mut writer = Writer::new(&[], 0);
    writer.inlines(inlines);
    (!url.is_empty() && !says(&writer.out, url)).then_some(url)
}

/// Are the words of a link its address, but for the scheme and a slash at the end?
fn says(words: &str, url: &str) -> bool {
    let bare = |text: &str| {
        let schemes = ["https://", "http://", "mailto:"];
        let text = text.trim();
        let rest = schemes.iter().find_map(|scheme| {
            let start = text.get(..scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then(|| text.get(scheme.len()..))?
        });
        rest.unwrap_or(text).trim_end_matches('/').to_owned()
    };
    bare(words) == bare(url)
}

fn quote_title(of: &QuoteOf) -> String {
    match (of.kind, &of.sender) {
        (QuoteKind::Reply, Some(sender)) => format!("{sender}:"),
        (QuoteKind::Reply, None) => String::new(),
        (QuoteKind::Forward, Some(sender)) => format!("Forwarded from {sender}:"),
        (QuoteKind::Forward, None) => "Forwarded:".to_owned(),
    }
}
