//! Tags and texts to blocks, one after the other.

use std::collections::HashMap;
use std::mem::replace;

use super::attribute::{Attribute, Attributes};
use super::frames::Frames;
use super::line::{Line, visible};
use super::reference::{self, Placed};
use super::tag::{Format, Tag};
use super::{Block, Document, Inline, address};
use crate::event::one_line;
use crate::message::{Attachment, Mention};

/// Text that is not running text, while it is being read.
#[derive(Debug)]
enum Capture {
    /// It is running text.
    None,
    /// Somebody's name.
    Mention { mention: Option<usize>, text: String },
    /// The name of a quote's sender.
    Sender(String),
    /// Preformatted text inside of running text.
    Span(String),
    /// Preformatted lines, and how many of their tags are open.
    Code { language: Option<String>, text: String, tags: usize },
    /// All that comes behind the last node that there may be.
    Rest(String),
}

/// Makes a [`Document`] of tags and texts.
#[derive(Debug)]
pub(super) struct Builder<'m> {
    mentions: &'m [Mention<'m>],
    mention_of: HashMap<i64, usize>,
    attachments: &'m [Attachment<'m>],
    attachment_of: HashMap<&'m str, usize>,
    is_placed: Vec<bool>,
    frames: Frames,
    line: Line,
    heading: Option<u8>,
    capture: Capture,
    /// Nodes that quoted messages have, or that may not be made for another reason.
    made_elsewhere: usize,
    max_nodes: usize,
}

impl<'m> Builder<'m> {
    pub(super) fn new(
        mentions: &'m [Mention<'m>],
        attachments: &'m [Attachment<'m>],
        max_nodes: usize,
    ) -> Self {
        // Of an id that comes twice, the first one is meant.
        let mention_ids = mentions.iter().enumerate().rev();
        let attachment_ids = attachments.iter().enumerate().rev();
        Self {
            mentions,
            mention_of: mention_ids.filter_map(|(at, one)| Some((one.id?, at))).collect(),
            attachments,
            attachment_of: attachment_ids
                .filter_map(|(at, one)| Some((one.id.as_deref()?, at)))
                .collect(),
            is_placed: vec![false; attachments.len()],
            frames: Frames::default(),
            line: Line::new(),
            heading: None,
            capture: Capture::None,
            made_elsewhere: 0,
            max_nodes,
        }
    }

    /// How many blocks and inlines there are.
    pub(super) fn made(&self) -> usize {
        self.frames.made + self.line.made + self.made_elsewhere
    }

    /// Takes plain text: a paragraph for each line.
    pub(super) fn lines(&mut self, text: &str) {
        let lines = text.lines().map(|line| line.trim_end_matches('\r'));
        // Some old clients end lines in a carriage return alone.
        for line in lines.flat_map(|line| line.split('\r')) {
            self.limit();
            let line = line.trim_end_matches([' ', '\t']);
            if let Capture::Rest(rest) = &mut self.capture {
                rest.extend(line.chars().filter_map(visible));
                rest.push('\n');
                continue;
            }
            self.line.verbatim(line);
            let line = self.line.finish().unwrap_or_default();
            self.frames.block(Block::Paragraph(line));
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.limit();
        match &mut self.capture {
            Capture::None if self.frames.is_between() && text.trim().is_empty() => {}
            Capture::None => self.line.text(text),
            Capture::Mention { text: name, .. } | Capture::Sender(name) => name.push_str(text),
            Capture::Span(code) => code.extend(text.chars().filter_map(visible)),
            Capture::Code { text: code, .. } | Capture::Rest(code) => push_lines(code, text),
        }
    }

    pub(super) fn open(&mut self, tag: Tag, attributes: &Attributes) {
        self.limit();
        match self.capture {
            Capture::None => self.open_plain(tag, attributes),
            Capture::Code { .. } | Capture::Rest(_) => self.open_in_code(tag, attributes),
            _ => self.open_in_name(tag, attributes),
        }
    }

    pub(super) fn close(&mut self, tag: Tag) {
        self.limit();
        match (&mut self.capture, tag) {
            (Capture::None, _) => self.close_plain(tag),
            (Capture::Code { tags, .. }, Tag::Preformatted) => {
                *tags = tags.saturating_sub(1);
                if *tags == 0 {
                    self.end_capture();
                }
            }
            (Capture::Code { text, .. } | Capture::Rest(text), block) if block.is_block() => {
                new_line(text);
            }
            (Capture::Code { .. } | Capture::Rest(_), _) => {}
            (Capture::Mention { .. }, Tag::Mention)
            | (Capture::Span(_), Tag::CodeSpan)
            | (Capture::Sender(_), Tag::Format(Format::Strong)) => self.end_capture(),
            (_, block) if block.is_block() => {
                self.end_capture();
                self.close_plain(block);
            }
            _ => {}
        }
    }

    /// All of the document, once everything was read.
    pub(super) fn finish(mut self) -> Document {
        self.end_all();
        let (mut before, mut behind) = (Vec::new(), Vec::new());
        let mut unplaced = Vec::new();
        for index in 0..self.attachments.len() {
            if self.is_placed.get(index) == Some(&true) {
                continue;
            }
            match self.resolve(index) {
                Placed::Before(block) => before.push(block),
                Placed::Behind(block) => behind.push(block),
                Placed::Attachment => unplaced.push(index),
            }
        }
        before.append(&mut self.frames.finish());
        before.append(&mut behind);
        Document { blocks: before, unplaced }
    }

    fn open_plain(&mut self, tag: Tag, attributes: &Attributes) {
        if !tag.is_block() {
            return self.open_inline(tag, attributes);
        }
        self.end_line();
        match tag {
            Tag::Heading(level) => self.heading = Some(level),
            Tag::Quote => self.within(|frames| frames.open_quote(reference::quoted(attributes))),
            Tag::Preformatted => {
                let language = language(attributes);
                self.capture = Capture::Code { language, text: String::new(), tags: 1 };
            }
            Tag::List { ordered } => self.within(|frames| frames.open_list(ordered)),
            Tag::Item => self.within(Frames::open_item),
            Tag::Table => self.within(Frames::open_table),
            Tag::Row => self.within(Frames::open_row),
            Tag::Cell { header } => self.within(|frames| frames.open_cell(header)),
            Tag::Rule => self.within(|frames| frames.block(Block::Rule)),
            _ => {}
        }
    }

    fn open_inline(&mut self, tag: Tag, attributes: &Attributes) {
        match tag {
            Tag::Break => self.line.inline(Inline::Break),
            Tag::Format(Format::Strong) if self.names_sender(attributes) => {
                self.capture = Capture::Sender(String::new());
            }
            Tag::Format(format) => self.line.open_format(format),
            Tag::Link => {
                let url = attributes.get(Attribute::Href).and_then(address::link);
                self.line.open_link(url);
            }
            Tag::CodeSpan => self.capture = Capture::Span(String::new()),
            Tag::Mention => {
                let id = attributes.get(Attribute::Id).and_then(|id| id.trim().parse::<i64>().ok());
                let mention = id.and_then(|id| self.mention_of.get(&id).copied());
                self.capture = Capture::Mention { mention, text: String::new() };
            }
            Tag::Emoji | Tag::CustomEmoji | Tag::Image => {
                if let Some(picture) = reference::picture(tag, attributes) {
                    self.line.inline(picture);
                }
            }
            Tag::Attachment => self.place(attributes.get(Attribute::Id).unwrap_or_default()),
            Tag::Span => self.note_quote_time(attributes),
            _ => {}
        }
    }

    /// Preformatted lines are nothing but text: pictures and names are words in them, and
    /// attachments are shown behind the body.
    fn open_in_code(&mut self, tag: Tag, attributes: &Attributes) {
        let (Capture::Code { text, .. } | Capture::Rest(text)) = &mut self.capture else { return };
        match tag {
            Tag::Break => text.push('\n'),
            Tag::Cell { .. } if !text.is_empty() && !text.ends_with('\n') => text.push('\t'),
            Tag::Emoji | Tag::CustomEmoji | Tag::Image => {
                text.push_str(&reference::picture_words(tag, attributes));
            }
            Tag::Preformatted | Tag::Cell { .. } => {}
            block if block.is_block() => new_line(text),
            _ => {}
        }
        if let Capture::Code { language: named, tags, .. } = &mut self.capture {
            *tags += usize::from(tag == Tag::Preformatted);
            if named.is_none() && matches!(tag, Tag::CodeSpan | Tag::Preformatted) {
                *named = language(attributes);
            }
        }
    }

    /// In somebody's name, or in preformatted text inside of running text.
    fn open_in_name(&mut self, tag: Tag, attributes: &Attributes) {
        let is_span = matches!(self.capture, Capture::Span(_));
        match tag {
            Tag::Emoji | Tag::CustomEmoji | Tag::Image => {
                self.text(&reference::picture_words(tag, attributes));
            }
            Tag::Break => {
                self.end_capture();
                self.line.inline(Inline::Break);
                if is_span {
                    self.capture = Capture::Span(String::new());
                }
            }
            Tag::Mention if is_span => self.text("@"),
            _ if tag.is_block() || matches!(tag, Tag::Mention | Tag::Attachment) => {
                self.end_capture();
                self.open_plain(tag, attributes);
            }
            _ => {}
        }
    }

    fn close_plain(&mut self, tag: Tag) {
        if tag.is_block() {
            self.end_line();
        }
        match tag {
            Tag::Heading(_) => self.heading = None,
            Tag::Quote => self.within(Frames::close_quote),
            Tag::List { .. } => self.within(Frames::close_list),
            Tag::Item => self.within(Frames::close_item),
            Tag::Table => self.within(Frames::close_table),
            Tag::Row => self.within(Frames::close_row),
            Tag::Cell { .. } => self.within(Frames::close_cell),
            Tag::Format(format) => self.line.close_format(format),
            Tag::Link => self.line.close_link(),
            // A browser breaks the line at this end tag, too.
            Tag::Break => self.line.inline(Inline::Break),
            _ => {}
        }
    }

    /// Does something with the frames, which know of the formats that are open.
    fn within(&mut self, act: impl FnOnce(&mut Frames)) {
        self.frames.formats = self.line.formats();
        act(&mut self.frames);
        self.line.close_formats(self.frames.formats);
    }

    fn end_line(&mut self) {
        let Some(inlines) = self.line.finish() else { return };
        let block = match self.heading {
            Some(level) if !inlines.is_empty() => Block::Heading(level, inlines),
            _ => Block::Paragraph(inlines),
        };
        self.within(|frames| frames.block(block));
    }

    fn end_all(&mut self) {
        self.end_capture();
        self.line.close_link();
        self.end_line();
        self.frames.close_all();
    }

    /// Behind the last node that there may be, everything is preformatted text.
    fn limit(&mut self) {
        if self.made() > self.max_nodes && !matches!(self.capture, Capture::Rest(_)) {
            self.end_all();
            self.capture = Capture::Rest(String::new());
        }
    }

    fn end_capture(&mut self) {
        match replace(&mut self.capture, Capture::None) {
            Capture::None => {}
            Capture::Mention { mention, text } => self.end_mention(mention, &text),
            Capture::Sender(name) => match self.frames.quoted() {
                Some(quoted) => quoted.sender = Some(one_line(&name)).filter(|it| !it.is_empty()),
                None => self.line.text(&name),
            },
            Capture::Span(code) if code.trim().is_empty() => self.line.text(&code),
            Capture::Span(code) => self.line.inline(Inline::CodeSpan(code)),
            Capture::Code { language, text, .. } => self.end_code(language, text),
            Capture::Rest(text) => self.end_code(None, text),
        }
    }

    fn end_mention(&mut self, mention: Option<usize>, text: &str) {
        let known = || self.mentions.get(mention?)?.text.as_deref().map(one_line);
        let written = Some(one_line(text)).filter(|name| !name.is_empty());
        let Some(name) = written.or_else(known) else { return };
        let is_space = |c: char| c.is_whitespace();
        if text.starts_with(is_space) {
            self.line.text(" ");
        }
        let name = name.strip_prefix('@').map_or_else(|| name.clone(), str::to_owned);
        self.line.inline(Inline::Mention { mention, text: name });
        if text.ends_with(is_space) {
            self.line.text(" ");
        }
    }

    fn end_code(&mut self, language: Option<String>, mut text: String) {
        text.truncate(text.trim_end().len());
        let is_broken_first = text.starts_with('\n');
        drop(text.drain(..usize::from(is_broken_first)));
        if !text.is_empty() {
            self.within(|frames| frames.block(Block::Code { language, text }));
        }
    }

    /// Puts an attachment where the body has it. One that is nowhere, or was put already, is a word.
    fn place(&mut self, id: &str) {
        let known = self.attachment_of.get(id).copied();
        let Some(index) = known.filter(|at| self.is_placed.get(*at) == Some(&false)) else {
            return self.line.text("[attachment]");
        };
        if let Some(is_placed) = self.is_placed.get_mut(index) {
            *is_placed = true;
        }
        let block = match self.resolve(index) {
            Placed::Before(block) | Placed::Behind(block) => block,
            Placed::Attachment => Block::Attachment(index),
        };
        self.end_line();
        self.within(|frames| frames.block(block));
    }

    fn resolve(&mut self, index: usize) -> Placed {
        let Some(attachment) = self.attachments.get(index) else { return Placed::Attachment };
        let left = self.max_nodes.saturating_sub(self.made());
        let (placed, made) = reference::resolve(attachment, index, left);
        self.made_elsewhere += made;
        placed
    }

    fn names_sender(&mut self, attributes: &Attributes) -> bool {
        if attributes.get(Attribute::ItemProp) != Some("mri") {
            return false;
        }
        let Some(quoted) = self.frames.quoted().filter(|quoted| quoted.sender.is_none()) else {
            return false;
        };
        quoted.sender_id = attributes.get(Attribute::ItemId).and_then(reference::account);
        true
    }

    fn note_quote_time(&mut self, attributes: &Attributes) {
        if attributes.get(Attribute::ItemProp) == Some("time")
            && let Some(quoted) = self.frames.quoted()
        {
            quoted.sent = attributes.get(Attribute::ItemId).and_then(reference::moment);
        }
    }
}

/// The language that a tag names: `Python`, or `language-python`.
fn language(attributes: &Attributes) -> Option<String> {
    let class = one_line(attributes.get(Attribute::Class)?);
    let language = class.strip_prefix("language-").unwrap_or(&class);
    (!language.is_empty()).then(|| language.to_owned())
}

/// Adds preformatted lines. Control characters are none of them.
fn push_lines(lines: &mut String, text: &str) {
    lines.extend(text.chars().filter_map(|c| if c == '\n' { Some(c) } else { visible(c) }));
}

fn new_line(lines: &mut String) {
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
}
