//! Makes groups of what a conversation's messages became: as they are, or of the document that takes
//! them, together with the files of the messages in it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::facts::{Facts, member};
use super::made::{Ended, Made};
use super::scene::{Scene, Stored};
use crate::entry::{Piece, Window};
use crate::error::{Error, Result};
use crate::format::{Item, Renderer, eml, html, pdf, rsmf};
use crate::manifest::Counts;
use crate::part::{Group, RecordFile};
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
    pub(super) fn add(&mut self, facts: Facts) {
        if facts.is_left_out {
            self.left_out = self.left_out.plus(facts.counts);
        } else {
            self.facts.push_back(facts);
        }
    }

    /// A document with the messages that are in it.
    pub(super) fn group(&mut self, piece: Piece, objects: &Arc<Stored>) -> Group<'static> {
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

/// Makes groups of a conversation's messages: as they are, or of the document that takes them.
pub(super) struct Binder<'c> {
    scene: &'c Arc<Scene>,
    is_mailbox: bool,
    renderer: Option<Box<dyn Renderer<'c> + 'c>>,
    pending: Pending,
    has_messages: bool,
}

impl<'c> Binder<'c> {
    pub(super) fn new(
        (request, window): (&Request, Window),
        scene: &'c Arc<Scene>,
        with: (&'c html::Scene<'c>, Option<pdf::Kit<'c>>),
    ) -> Self {
        let renderer = renderer(request, window, scene, with);
        let is_mailbox = request.format == Format::Mbox;
        Self { scene, is_mailbox, renderer, pending: Pending::default(), has_messages: false }
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
        if let (true, Some(renderer)) = (facts.is_left_out, &mut self.renderer) {
            renderer.leave_out_event();
        }
        self.pending.add(facts);
        let Some(renderer) = self.renderer.as_mut().filter(|_| is_shown) else { return Ok(()) };
        let (pending, objects) = (&mut self.pending, &self.scene.objects);
        let mut sink = |piece| {
            groups.push(pending.group(piece, objects));
            Ok(())
        };
        renderer.push(item, &mut sink).map_err(failed)
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
        let tail = self.renderer.map(|renderer| renderer.finish(&mut sink));
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

/// What makes the files of a conversation, if the format has some for each.
fn renderer<'c>(
    request: &Request,
    window: Window,
    scene: &'c Scene,
    (cards, kit): (&'c html::Scene<'c>, Option<pdf::Kit<'c>>),
) -> Option<Box<dyn Renderer<'c> + 'c>> {
    let context = scene.context();
    let most = FILE_BYTES.min(request.part_bytes / 2);
    Some(match (request.format, kit) {
        (Format::Html, _) => Box::new(html::Transcript::new(cards, window)),
        (Format::Pdf, Some(kit)) => {
            let bytes_per_file = usize::try_from(most).unwrap_or(usize::MAX);
            let limits = pdf::Limits { bytes_per_file, ..pdf::Limits::default() };
            Box::new(pdf::Transcript::with(kit, context, window, limits))
        }
        (Format::Rsmf, _) => {
            let limits = rsmf::Limits::default();
            let file_bytes = limits.file_bytes.min(request.part_bytes / 10 * 9);
            Box::new(rsmf::Builder::new(context, rsmf::Limits { file_bytes, ..limits }))
        }
        (Format::Eml, _) if request.chat_day => Box::new(eml::Days::new(context)),
        _ => return None,
    })
}

/// A renderer fails only if a content cannot be read.
pub(super) fn failed(cause: io::Error) -> Error {
    Error::Content { path: "a document".to_owned(), cause }
}
