//! Puts what was rendered where it belongs: groups into the part writer, messages into documents,
//! finished documents into the part writer together with the files of the messages in them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::facts::{Facts, member};
use super::render::{Item, Made};
use super::scene::{Scene, Stored};
use crate::entry::{Piece, RenderOptions, Window};
use crate::error::{Error, Result};
use crate::format::{eml, html, parquet, pdf, rsmf};
use crate::manifest::Counts;
use crate::part::{Group, Writer};
use crate::request::{Format, Request};

/// A document becomes so large at most, and never more than half of a part.
const FILE_BYTES: u64 = 64 << 20;

/// Messages whose document is not finished.
#[derive(Debug, Default)]
pub(super) struct Pending {
    facts: VecDeque<Facts>,
    /// Of messages that are in no document.
    left_out: Counts,
}

impl Pending {
    fn add(&mut self, facts: Facts) {
        if facts.is_left_out {
            self.left_out = self.left_out.plus(facts.counts);
        } else {
            self.facts.push_back(facts);
        }
    }

    /// A document with the messages that are in it.
    fn group(&mut self, piece: Piece, objects: &Arc<Stored>) -> Group<'static> {
        let messages = usize::try_from(piece.messages).unwrap_or(usize::MAX);
        let mut group = self.take(messages);
        group.members.insert(0, member(piece, None, objects));
        group
    }

    fn take(&mut self, messages: usize) -> Group<'static> {
        let counts = std::mem::take(&mut self.left_out);
        let mut group = Group { counts, ..Group::default() };
        for facts in self.facts.drain(..messages.min(self.facts.len())) {
            facts.join(&mut group);
        }
        group
    }

    /// Whatever is left: nothing but what was left out, unless a renderer forgot something.
    pub(super) fn rest(&mut self) -> Option<Group<'static>> {
        let is_empty = self.facts.is_empty() && self.left_out == Counts::default();
        (!is_empty).then(|| self.take(usize::MAX))
    }
}

/// A document of one conversation that is being made.
pub(super) enum Document<'c> {
    Html(Box<html::Transcript<'c>>),
    Pdf(Box<pdf::Transcript<'c>>),
    Rsmf(Box<rsmf::Builder<'c>>),
    Days(Box<eml::Days<'c>>),
}

/// What is left when a document is finished.
#[derive(Default)]
pub(super) struct Tail {
    pub(super) html: Option<html::Summary>,
    /// Code points that no font could show.
    pub(super) missing_glyphs: u64,
}

type Sink<'s> = &'s mut dyn FnMut(Piece) -> io::Result<()>;

impl<'c> Document<'c> {
    /// The document of a conversation, if the format has one for each.
    pub(super) fn of(
        request: &Request,
        window: Window,
        scene: &'c Scene,
        (cards, fonts): (&'c html::Scene<'c>, Option<&'c pdf::Fonts>),
    ) -> Option<Self> {
        let context = scene.context();
        let most = FILE_BYTES.min(request.part_bytes / 2);
        Some(match (request.format, fonts) {
            (Format::Html, _) => Self::Html(Box::new(html::Transcript::new(cards, window))),
            (Format::Pdf, Some(fonts)) => {
                let bytes_per_file = usize::try_from(most).unwrap_or(usize::MAX);
                let limits = pdf::Limits { bytes_per_file, ..pdf::Limits::default() };
                Self::Pdf(Box::new(pdf::Transcript::new(fonts, context, window, limits)))
            }
            (Format::Rsmf, _) => {
                let limits = rsmf::Limits::default();
                let file_bytes = limits.file_bytes.min(request.part_bytes / 10 * 9);
                let limits = rsmf::Limits { file_bytes, ..limits };
                Self::Rsmf(Box::new(rsmf::Builder::new(context, limits)))
            }
            (Format::Eml, _) if request.chat_day => Self::Days(Box::new(eml::Days::new(context))),
            _ => return None,
        })
    }

    fn push(&mut self, item: Item, sink: Sink<'_>) -> io::Result<()> {
        match (self, item) {
            (Self::Html(transcript), Item::Card(card)) => transcript.place(*card, sink),
            (Self::Pdf(transcript), Item::Entry(entry)) => transcript.push(*entry, sink),
            (Self::Rsmf(builder), Item::Entry(entry)) => builder.push(&entry, sink),
            (Self::Days(days), Item::Entry(entry)) => days.push(&entry, sink),
            _ => Err(io::Error::other("a message was rendered for another format")),
        }
    }

    pub(super) fn finish(self, sink: Sink<'_>) -> io::Result<Tail> {
        Ok(match self {
            Self::Html(transcript) => {
                Tail { html: Some(transcript.finish(sink)?), ..Tail::default() }
            }
            Self::Pdf(transcript) => {
                let summary = transcript.finish(sink)?;
                Tail { missing_glyphs: summary.missing.values().sum(), ..Tail::default() }
            }
            Self::Rsmf(builder) => builder.finish(sink).map(|()| Tail::default())?,
            Self::Days(days) => days.finish(sink).map(|()| Tail::default())?,
        })
    }
}

/// A table's file that is being made, over all conversations of a window.
pub(super) struct Table {
    tenant: Arc<str>,
    options: Arc<RenderOptions>,
    name: String,
    file: Option<parquet::File>,
    messages: u64,
    finished: u32,
    most_bytes: u64,
}

impl Table {
    pub(super) fn new(name: String, part_bytes: u64, stage: &super::scene::Stage) -> Self {
        Self {
            tenant: Arc::clone(&stage.tenant),
            options: Arc::clone(&stage.options),
            name,
            file: None,
            messages: 0,
            finished: 0,
            most_bytes: part_bytes / 10 * 9,
        }
    }

    fn push(&mut self, rows: &parquet::Rows, sink: Sink<'_>) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|file| file.size_with(rows) > self.most_bytes) {
            self.end_file(sink)?;
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => parquet::File::new(&self.tenant, &self.options)?,
        };
        file.push(rows)?;
        self.messages += 1;
        let is_full = file.is_full();
        self.file = Some(file);
        if is_full { self.end_file(sink) } else { Ok(()) }
    }

    pub(super) fn end_file(&mut self, sink: Sink<'_>) -> io::Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        self.finished += 1;
        let name = match self.finished {
            1 => format!("{}.parquet", self.name),
            number => format!("{}_{number:03}.parquet", self.name),
        };
        let messages = std::mem::take(&mut self.messages);
        let content = crate::entry::Content::Bytes(file.finish()?);
        sink(Piece { name, content, messages })
    }
}

/// Takes what was rendered of a conversation.
pub(super) struct Placer<'p, 'w> {
    pub(super) writer: &'p mut Writer<'w>,
    pub(super) pending: &'p mut Pending,
    pub(super) table: &'p mut Option<Table>,
    pub(super) objects: &'p Arc<Stored>,
    pub(super) twins: Twins,
}

/// Files of messages that were sent in the same millisecond under the same id, in two threads of a
/// channel: neighbours in export order, and of one name.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// Paths of the messages before that share one.
    recent: Vec<String>,
}

impl Twins {
    /// Gives later ones a number.
    fn tell_apart(&mut self, group: &mut Group<'_>) {
        let is_taken = |path: &String, recent: &[String]| recent.contains(path);
        if !group.members.iter().any(|member| is_taken(&member.path, &self.recent)) {
            self.recent.clear();
        }
        for member in &mut group.members {
            let wanted = member.path.clone();
            for number in 2_u32.. {
                if !is_taken(&member.path, &self.recent) {
                    break;
                }
                let (stem, ending) = wanted.rsplit_once('.').unwrap_or((&wanted, ""));
                member.path = format!("{stem}-{number}.{ending}");
            }
            self.recent.push(member.path.clone());
        }
    }
}

impl Placer<'_, '_> {
    /// Places messages; gives how many they were.
    pub(super) fn place(&mut self, made: Made, document: &mut Option<Document<'_>>) -> Result<u64> {
        let items = match made {
            Made::Groups(groups) => {
                let count = groups.iter().map(messages_of).sum();
                for mut group in groups {
                    self.twins.tell_apart(&mut group);
                    self.writer.add(group)?;
                }
                return Ok(count);
            }
            Made::Items(items) => items,
        };
        let count = items.len() as u64;
        let mut finished = Vec::new();
        for (item, facts) in items {
            let is_left_out = facts.is_left_out;
            self.pending.add(facts);
            let sink: Sink<'_> = &mut |piece| {
                finished.push(piece);
                Ok(())
            };
            let pushed = match (document.as_mut(), self.table.as_mut(), item) {
                (Some(document), _, item) if !is_left_out || matches!(item, Item::Card(_)) => {
                    document.push(item, sink)
                }
                (_, Some(table), Item::Rows(rows)) if !is_left_out => table.push(&rows, sink),
                _ => Ok(()),
            };
            pushed.map_err(failed)?;
            self.add(&mut finished)?;
        }
        Ok(count)
    }

    /// Hands finished documents over.
    pub(super) fn add(&mut self, finished: &mut Vec<Piece>) -> Result<()> {
        for piece in finished.drain(..) {
            let group = self.pending.group(piece, self.objects);
            self.writer.add(group)?;
        }
        Ok(())
    }
}

fn messages_of(group: &Group<'_>) -> u64 {
    group.counts.messages + group.counts.events
}

/// A renderer fails only if a content cannot be read.
pub(super) fn failed(cause: io::Error) -> Error {
    Error::Content { path: "a document".to_owned(), cause }
}
