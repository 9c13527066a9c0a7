//! Puts what was rendered where it belongs: groups into the part writer, rows into tables.

use std::io;

use super::bind::{Pending, failed};
use super::facts::{Facts, member};
use super::made::{Ended, Made};
use super::render::Workshop;
use super::scene::Stage;
use super::window::named;
use crate::entry::Piece;
use crate::error::Result;
use crate::format::{Item, html, parquet};
use crate::part::{self, Group, Writer};
use crate::request::Format;

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
        let named_by_message = self.shop.request.format.nature().is_by_message;
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
