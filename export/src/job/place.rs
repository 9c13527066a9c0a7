//! Puts what was rendered where it belongs: groups into the part writer, messages into documents,
//! finished documents into the part writer together with the files of the messages in them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::facts::{Facts, member};
use super::render::{Item, Made, Workshop, named};
use super::scene::{Scene, Stage, Stored};
use crate::entry::{Piece, Window};
use crate::error::{Error, Result};
use crate::format::{eml, html, parquet, pdf, rsmf};
use crate::manifest::Counts;
use crate::part::{self, Group, RecordFile, Writer};
use crate::request::{Format, Request};

/// A document becomes so large at most, and never more than half of a part.
const FILE_BYTES: u64 = 64 << 20;

/// Messages whose document is not finished.
#[derive(Debug, Default)]
struct Pending {
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
    fn rest(&mut self) -> Option<Group<'static>> {
        let is_empty = self.facts.is_empty() && self.left_out == Counts::default();
        (!is_empty).then(|| self.take(usize::MAX))
    }
}

/// A document of one conversation that is being made.
enum Document<'c> {
    Html(Box<html::Transcript<'c>>),
    Pdf(Box<pdf::Transcript<'c>>),
    Rsmf(Box<rsmf::Builder<'c>>),
    Days(Box<eml::Days<'c>>),
}

/// What is left when a document is finished.
#[derive(Default)]
struct Tail<'c> {
    html: Option<html::Summary>,
    /// Code points that no font could show.
    missing_glyphs: u64,
    kit: Option<pdf::Kit<'c>>,
}

/// A conversation has ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Its file of records.
    records: Option<RecordFile>,
    /// What the list of conversations says about it.
    listed: Option<(Arc<Scene>, html::Summary)>,
}

/// Makes groups of a conversation's messages: as they are, or of the document that takes them.
pub(super) struct Binder<'c> {
    scene: &'c Arc<Scene>,
    is_mailbox: bool,
    document: Option<Document<'c>>,
    pending: Pending,
    has_messages: bool,
}

impl<'c> Binder<'c> {
    pub(super) fn new(
        (request, window): (&Request, Window),
        scene: &'c Arc<Scene>,
        with: (&'c html::Scene<'c>, Option<pdf::Kit<'c>>),
    ) -> Self {
        let document = Document::of(request, window, scene, with);
        let is_mailbox = request.format == Format::Mbox;
        Self { scene, is_mailbox, document, pending: Pending::default(), has_messages: false }
    }

    /// Takes messages; adds the groups that are ready.
    pub(super) fn take(&mut self, made: Made, groups: &mut Vec<Group<'static>>) -> Result<()> {
        let before = groups.len();
        match made {
            Made::Groups(more) => groups.extend(more),
            Made::Chats(chats) => groups.extend(chats.into_iter().flat_map(|chat| chat.groups)),
            Made::Items(items) => {
                self.has_messages |= !items.is_empty();
                for (item, facts) in items {
                    self.push(item, facts, groups)?;
                }
            }
        }
        self.has_messages |= groups.len() > before;
        Ok(())
    }

    fn push(&mut self, item: Item, facts: Facts, groups: &mut Vec<Group<'static>>) -> Result<()> {
        let is_shown = !facts.is_left_out || matches!(item, Item::Card(_));
        if let (true, Some(Document::Pdf(transcript))) = (facts.is_left_out, &mut self.document) {
            transcript.leave_out_event();
        }
        self.pending.add(facts);
        let Some(document) = self.document.as_mut().filter(|_| is_shown) else { return Ok(()) };
        let (pending, objects) = (&mut self.pending, &self.scene.objects);
        let mut sink = |piece| {
            groups.push(pending.group(piece, objects));
            Ok(())
        };
        document.push(item, &mut sink).map_err(failed)
    }

    /// Adds what is left, and gives the kit back; `None` if no message was taken.
    pub(super) fn finish(
        mut self,
        groups: &mut Vec<Group<'static>>,
    ) -> Result<(Option<Ended>, Option<pdf::Kit<'c>>)> {
        if !self.has_messages {
            return Ok((None, None));
        }
        let (pending, objects) = (&mut self.pending, &self.scene.objects);
        let mut sink = |piece| {
            groups.push(pending.group(piece, objects));
            Ok(())
        };
        let tail = self.document.map(|document| document.finish(&mut sink));
        let tail = tail.transpose().map_err(failed)?.unwrap_or_default();
        if tail.missing_glyphs > 0 {
            self.pending.left_out.missing_glyphs += tail.missing_glyphs;
        }
        groups.extend(self.pending.rest());
        let path = format!("{}.mbox", self.scene.chat.slug);
        let records = self.is_mailbox.then(|| RecordFile { path, header: Vec::new() });
        let listed = tail.html.map(|summary| (Arc::clone(self.scene), summary));
        Ok((Some(Ended { records, listed }), tail.kit))
    }
}

type Sink<'s> = &'s mut dyn FnMut(Piece) -> io::Result<()>;

impl<'c> Document<'c> {
    /// The document of a conversation, if the format has one for each.
    fn of(
        request: &Request,
        window: Window,
        scene: &'c Scene,
        (cards, kit): (&'c html::Scene<'c>, Option<pdf::Kit<'c>>),
    ) -> Option<Self> {
        let context = scene.context();
        let most = FILE_BYTES.min(request.part_bytes / 2);
        Some(match (request.format, kit) {
            (Format::Html, _) => Self::Html(Box::new(html::Transcript::new(cards, window))),
            (Format::Pdf, Some(kit)) => {
                let bytes_per_file = usize::try_from(most).unwrap_or(usize::MAX);
                let limits = pdf::Limits { bytes_per_file, ..pdf::Limits::default() };
                Self::Pdf(Box::new(pdf::Transcript::with(kit, context, window, limits)))
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

    fn finish(self, sink: Sink<'_>) -> io::Result<Tail<'c>> {
        Ok(match self {
            Self::Html(transcript) => {
                Tail { html: Some(transcript.finish(sink)?), ..Tail::default() }
            }
            Self::Pdf(transcript) => {
                let (summary, kit) = transcript.finish_with(sink)?;
                let missing_glyphs = summary.missing.values().sum();
                Tail { missing_glyphs, kit: Some(kit), ..Tail::default() }
            }
            Self::Rsmf(builder) => builder.finish(sink).map(|()| Tail::default())?,
            Self::Days(days) => days.finish(sink).map(|()| Tail::default())?,
        })
    }
}

/// A table's file that is being made, over all conversations of a window.
struct Table {
    stage: Stage,
    name: String,
    file: Option<parquet::File>,
    messages: u64,
    finished: u32,
    most_bytes: u64,
    pending: Pending,
}

impl Table {
    fn new(shop: &Workshop) -> Self {
        Self {
            stage: shop.stage.clone(),
            name: named("messages", shop.window),
            file: None,
            messages: 0,
            finished: 0,
            most_bytes: shop.request.part_bytes / 10 * 9,
            pending: Pending::default(),
        }
    }

    /// Takes a message; gives the files that it filled.
    fn push(&mut self, item: &Item, facts: Facts) -> io::Result<Vec<Group<'static>>> {
        let is_left_out = facts.is_left_out;
        self.pending.add(facts);
        let Item::Rows(rows) = item else { return Ok(Vec::new()) };
        let mut full = Vec::new();
        if is_left_out {
            return Ok(full);
        }
        if self.file.as_ref().is_some_and(|file| file.size_with(rows) > self.most_bytes) {
            full.extend(self.end_file()?);
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => parquet::File::new(&self.stage.tenant, &self.stage.options)?,
        };
        file.push(rows)?;
        self.messages += 1;
        let is_full = file.is_full();
        self.file = Some(file);
        if is_full {
            full.extend(self.end_file()?);
        }
        Ok(full)
    }

    fn end_file(&mut self) -> io::Result<Option<Group<'static>>> {
        let Some(file) = self.file.take() else { return Ok(None) };
        self.finished += 1;
        let name = match self.finished {
            1 => format!("{}.parquet", self.name),
            number => format!("{}_{number:03}.parquet", self.name),
        };
        let messages = std::mem::take(&mut self.messages);
        let content = crate::entry::Content::Bytes(file.finish()?);
        Ok(Some(self.pending.group(Piece { name, content, messages }, &self.stage.objects)))
    }

    fn finish(mut self) -> io::Result<Vec<Group<'static>>> {
        let last = self.end_file()?;
        Ok(last.into_iter().chain(self.pending.rest()).collect())
    }
}

/// Puts what a window's messages became into the part writer, in order.
pub(super) struct Placer<'p, 'w> {
    writer: &'p mut Writer<'w>,
    shop: &'p Workshop,
    table: Option<Table>,
    /// The list of conversations of an export in HTML.
    index: Option<html::Index<'p>>,
    has_chats: bool,
    twins: Twins,
}

/// Files of messages that were sent in the same millisecond under the same id, in two threads of a
/// channel: neighbours in export order, and of one name.
#[derive(Debug, Default)]
struct Twins {
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

impl<'p, 'w> Placer<'p, 'w> {
    pub(super) fn new(writer: &'p mut Writer<'w>, shop: &'p Workshop) -> Self {
        let (tenant, options) = (&*shop.stage.tenant, &*shop.stage.options);
        Self {
            writer,
            shop,
            table: (shop.request.format == Format::Parquet).then(|| Table::new(shop)),
            index: Some(html::Index::new(tenant, options, shop.window)),
            has_chats: false,
            twins: Twins::default(),
        }
    }

    /// Places messages; gives how many they were.
    pub(super) fn place(&mut self, made: Made) -> Result<u64> {
        match made {
            Made::Groups(groups) => self.groups(groups),
            Made::Chats(chats) => chats.into_iter().try_fold(0, |sum, chat| {
                let count = self.groups(chat.groups)?;
                self.end(chat.ended).map(|()| sum + count)
            }),
            Made::Items(items) => {
                let count = items.len() as u64;
                for (item, facts) in items {
                    let Some(table) = &mut self.table else { continue };
                    let full = table.push(&item, facts).map_err(failed)?;
                    let _count = self.groups(full)?;
                }
                Ok(count)
            }
        }
    }

    /// Places groups; gives how many messages are in them.
    pub(super) fn groups(&mut self, groups: Vec<Group<'static>>) -> Result<u64> {
        let mut count = 0;
        let named_by_message = matches!(self.shop.request.format, Format::Eml | Format::Mbox);
        for mut group in groups {
            count += group.counts.entries();
            if named_by_message {
                self.twins.tell_apart(&mut group);
            }
            self.writer.add(group)?;
        }
        Ok(count)
    }

    /// A conversation has ended.
    pub(super) fn end(&mut self, ended: Option<Ended>) -> Result<()> {
        let Some(ended) = ended else { return Ok(()) };
        self.has_chats = true;
        if let Some(file) = ended.records {
            self.writer.close_records(&file)?;
        }
        if let Some((scene, summary)) = ended.listed {
            let mut pages = Vec::new();
            let sink = &mut |piece| kept(&mut pages, piece);
            let index = self.index.as_mut().map(|index| index.add(&scene.chat, &summary, sink));
            index.unwrap_or(Ok(())).map_err(failed)?;
            self.pages(pages)?;
        }
        Ok(())
    }

    fn pages(&mut self, pages: Vec<Piece>) -> Result<()> {
        pages.into_iter().try_for_each(|piece| {
            let page = member(piece, None, &self.shop.stage.objects);
            self.writer.add(Group { members: vec![page], ..Group::default() })
        })
    }

    /// The window has ended.
    pub(super) fn finish(mut self) -> Result<()> {
        if let Some(table) = self.table.take() {
            let _count = self.groups(table.finish().map_err(failed)?)?;
        }
        if self.has_chats && self.shop.request.format == Format::Html {
            let mut pages = Vec::new();
            let index = self.index.take();
            let sink = &mut |piece| kept(&mut pages, piece);
            index.map_or(Ok(()), |index| index.finish(sink)).map_err(failed)?;
            self.pages(pages)?;
        }
        let Self { writer, shop, .. } = &mut self;
        shop.records().try_for_each(|file| writer.close_records(file))
    }

    /// How far the writer is.
    pub(super) fn progress(&self) -> part::Progress {
        self.writer.progress()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a sink of files can fail")]
fn kept(finished: &mut Vec<Piece>, piece: Piece) -> io::Result<()> {
    finished.push(piece);
    Ok(())
}

/// A renderer fails only if a content cannot be read.
fn failed(cause: io::Error) -> Error {
    Error::Content { path: "a document".to_owned(), cause }
}
