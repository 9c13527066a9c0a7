//! What of a record can be searched for: its parts, each as a text.

use chatvault_engine::{Document, RecordKind};

use crate::body::{self, Block, Inline, QuoteOf, card_text};
use crate::event::{NoNames, words};
use crate::message::{Attachment, Message};
use crate::record::{Cue, Text, cues, message};

use super::character::PART_BREAK;

/// A part of a message that can be searched by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    /// What was written, quoted messages included.
    Body,
    /// The subject line, and the summary that clients show.
    Subject,
    /// The names of files and of other things that are attached.
    Attachment,
    /// The words of cards.
    Card,
    /// The words for an event.
    Event,
    /// Who speaks in a transcript.
    Speaker,
}

impl Part {
    pub(super) const ALL: [Self; 6] =
        [Self::Body, Self::Subject, Self::Attachment, Self::Card, Self::Event, Self::Speaker];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Subject => "subject",
            Self::Attachment => "attachment",
            Self::Card => "card",
            Self::Event => "event",
            Self::Speaker => "speaker",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// The parts of a message. No phrase reaches over a [`PART_BREAK`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    body: String,
    subject: String,
    attachments: String,
    cards: String,
    event: String,
    speakers: String,
}

impl Content {
    /// What can be searched for in a record.
    pub(super) fn of(record: RecordKind, document: &Document<'_>, text: &Text) -> Self {
        let mut content = Self::default();
        content.fill(&message(record, document, &Text::None));
        if let Text::Here(text) = text {
            content.spoken(&cues(text));
        }
        content
    }

    /// What can be searched for in some words of a transcript.
    pub(super) fn of_cue(cue: &Cue) -> Self {
        let speakers = cue.speaker.clone().unwrap_or_default();
        Self { body: cue.words.clone(), speakers, ..Self::default() }
    }

    /// A phrase may go on in the next cue: where one ends says nothing.
    fn spoken(&mut self, cues: &[Cue]) {
        self.body.push(PART_BREAK);
        for cue in cues {
            self.body.push_str(&cue.words);
            self.body.push('\n');
        }
        let mut speakers: Vec<&str> =
            cues.iter().filter_map(|cue| cue.speaker.as_deref()).collect();
        speakers.sort_unstable();
        speakers.dedup();
        for speaker in speakers {
            add(&mut self.speakers, speaker);
        }
    }

    pub(super) fn part(&self, part: Part) -> &str {
        match part {
            Part::Body => &self.body,
            Part::Subject => &self.subject,
            Part::Attachment => &self.attachments,
            Part::Card => &self.cards,
            Part::Event => &self.event,
            Part::Speaker => &self.speakers,
        }
    }

    fn fill(&mut self, message: &Message<'_>) {
        match &message.event {
            Some(event) => self.event = words(event, &NoNames),
            None => self.blocks(&body::Document::of(message).blocks),
        }
        for text in [&message.subject, &message.summary].into_iter().flatten() {
            add(&mut self.subject, text);
        }
        message.attachments.iter().for_each(|attachment| self.attachment(attachment));
    }

    fn attachment(&mut self, attachment: &Attachment<'_>) {
        if let Some(name) = attachment.name.as_deref() {
            add(&mut self.attachments, name);
        }
        // Quoted messages are in the body.
        if attachment.content_type.as_deref() != Some("messageReference")
            && let Some(content) = attachment.content.as_deref()
        {
            add(&mut self.cards, &card_text(content));
        }
    }

    /// A document is at most twice [`crate::body::MAX_DEPTH`] deep, and so is this.
    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Paragraph(inlines) | Block::Heading(_, inlines) => self.inlines(inlines),
                Block::Quote { of, blocks } => {
                    self.quoted(of.as_ref());
                    self.blocks(blocks);
                }
                Block::Code { text, .. } => self.body.push_str(text),
                Block::List { items, .. } => items.iter().for_each(|item| self.blocks(item)),
                Block::Table { rows } => {
                    rows.iter().flatten().for_each(|cell| self.blocks(&cell.blocks));
                }
                Block::Rule | Block::Attachment(_) => {}
            }
            self.body.push('\n');
        }
    }

    fn quoted(&mut self, of: Option<&QuoteOf>) {
        if let Some(sender) = of.and_then(|of| of.sender.as_deref()) {
            self.body.push_str(sender);
            self.body.push('\n');
        }
    }

    fn inlines(&mut self, inlines: &[Inline]) {
        for inline in inlines {
            match inline {
                Inline::Text(text) | Inline::CodeSpan(text) | Inline::Emoji(text) => {
                    self.body.push_str(text);
                }
                Inline::Break => self.body.push('\n'),
                Inline::Strong(inside)
                | Inline::Emphasis(inside)
                | Inline::Underline(inside)
                | Inline::Strike(inside)
                | Inline::Superscript(inside)
                | Inline::Subscript(inside) => self.inlines(inside),
                Inline::Link { url, inlines } => self.link(url, inlines),
                Inline::Mention { text, .. } => self.body.push_str(text),
                Inline::Image { name, .. } => self.image(name),
            }
        }
    }

    /// Where a link leads to can be searched, too, if its text does not say it.
    fn link(&mut self, url: &str, inlines: &[Inline]) {
        let before = self.body.len();
        self.inlines(inlines);
        let is_said = self.body.get(before..).is_some_and(|said| said.trim() == url);
        if !is_said {
            self.body.push(' ');
            self.body.push_str(url);
            self.body.push(' ');
        }
    }

    /// A picture without a name of its own is called `image`.
    fn image(&mut self, name: &str) {
        if name != "image" {
            self.body.push(' ');
            self.body.push_str(name);
            self.body.push(' ');
        }
    }
}

fn add(part: &mut String, text: &str) {
    if !part.is_empty() {
        part.push(PART_BREAK);
    }
    part.push_str(text);
}
