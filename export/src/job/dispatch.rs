//! Hands slices out to be made, in order.
//!
//! Slices without files are read where they are made. Files are numbered in the order of their
//! messages, so slices with files are read here, on one thread. Where a format takes files into
//! memory, no job gets many bytes of them, and a conversation that has many goes through its
//! document piece by piece, as one that is more than a slice does.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use chatvault_base::threads::{Jobs, Promise};

use super::attach::Attachments;
use super::made::Made;
use super::render::{Stretch, Workshop};
use super::scene::Scene;
use super::slice::{Extent, Slice};
use crate::entry::{AttachedState, Entry};
use crate::error::{Error, Result};
use crate::request::Format;

/// What one job takes into memory of files, about.
const FILE_BYTES: u64 = 16 << 20;

/// What is handed to placing, in order.
pub(super) enum Step {
    /// Messages that are being made.
    Slice(Promise<Result<Made>>),
    /// A conversation begins that comes in several slices, and has files of its own.
    Chat(Arc<Scene>),
    /// It ends.
    EndOfChat,
    /// Reading failed.
    Failed(Error),
}

/// Hands slices out.
pub(super) struct Dispatcher<'r, 'e> {
    pub(super) shop: Arc<Workshop>,
    pub(super) jobs: &'r Jobs,
    pub(super) attachments: &'r mut Attachments<'e>,
    pub(super) steps: SyncSender<Step>,
    /// Of a conversation that is more than a slice.
    pub(super) scene: Option<Arc<Scene>>,
}

/// Nobody takes what was read any more: placing has failed, and says so.
struct Gone;

type Sent = std::result::Result<(), Gone>;

impl Dispatcher<'_, '_> {
    pub(super) fn run(mut self, slices: Vec<Slice>) {
        for slice in slices {
            let sent = match self.slice(slice) {
                Ok(sent) => sent,
                Err(error) => self.send(Step::Failed(error)).and(Err(Gone)),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    fn send(&self, step: Step) -> Sent {
        self.steps.send(step).map_err(|_gone| Gone)
    }

    fn slice(&mut self, slice: Slice) -> Result<Sent> {
        let place = slice.place;
        if matches!(place, Extent::Whole | Extent::First) {
            let chat = slice.chats.first().filter(|_| place == Extent::First);
            self.scene = chat.map(|chat| self.shop.scene((slice.record, chat)));
        }
        let scene = self.scene.clone();
        if self.shop.request.text_only {
            let shop = Arc::clone(&self.shop);
            let made =
                self.jobs.promise(move || shop.make(&slice, scene, &mut shop.no_attachments()));
            return Ok(self.framed(place, |own| own.send(Step::Slice(made))));
        }
        if self.shop.is_of_lines() {
            let made = self.shop.lines_of(&slice, self.attachments);
            return Ok(self.send(Step::Slice(Promise::kept(made))));
        }
        let stretches = self.shop.read(&slice, scene)?.all(self.attachments)?;
        Ok(self.framed(place, |own| own.pieces(stretches, place)))
    }

    /// Says where a conversation begins and ends that has files of its own.
    fn framed(&self, place: Extent, send: impl FnOnce(&Self) -> Sent) -> Sent {
        let is_by_chat = self.shop.request.is_by_chat();
        if let Some(scene) = self.scene.clone().filter(|_| is_by_chat && place == Extent::First) {
            self.send(Step::Chat(scene))?;
        }
        send(self)?;
        if is_by_chat && place == Extent::Last { self.send(Step::EndOfChat) } else { Ok(()) }
    }

    /// Hands out what was read: at once, unless it has many bytes of files.
    fn pieces(&self, stretches: Vec<Stretch>, place: Extent) -> Sent {
        if !matches!(self.shop.request.format, Format::Pdf | Format::Mbox) {
            return self.make(stretches, place);
        }
        let (mut light, mut bytes) = (Vec::new(), 0);
        for (scene, entries) in stretches {
            let own = entries.iter().map(file_bytes).fold(0, u64::saturating_add);
            if bytes + own.min(FILE_BYTES) > FILE_BYTES {
                self.make(std::mem::take(&mut light), place)?;
                bytes = 0;
            }
            if own <= FILE_BYTES {
                bytes += own;
                light.push((scene, entries));
            } else {
                self.heavy(&scene, entries, place)?;
            }
        }
        self.make(light, place)
    }

    /// Hands out messages of one conversation that have many bytes of files.
    fn heavy(&self, scene: &Arc<Scene>, entries: Vec<Entry>, place: Extent) -> Sent {
        if place == Extent::Whole {
            self.send(Step::Chat(Arc::clone(scene)))?;
        }
        let (mut some, mut bytes) = (Vec::new(), 0_u64);
        for entry in entries {
            let own = file_bytes(&entry);
            if bytes.saturating_add(own) > FILE_BYTES {
                self.make(vec![(Arc::clone(scene), std::mem::take(&mut some))], Extent::Inside)?;
                bytes = 0;
            }
            bytes = bytes.saturating_add(own);
            some.push(entry);
        }
        self.make(vec![(Arc::clone(scene), some)], Extent::Inside)?;
        if place == Extent::Whole { self.send(Step::EndOfChat) } else { Ok(()) }
    }

    fn make(&self, stretches: Vec<Stretch>, place: Extent) -> Sent {
        if stretches.iter().all(|(_, entries)| entries.is_empty()) {
            return Ok(());
        }
        let shop = Arc::clone(&self.shop);
        self.send(Step::Slice(self.jobs.promise(move || shop.render(stretches, place))))
    }
}

/// The bytes of a message's files that the archive has.
fn file_bytes(entry: &Entry) -> u64 {
    let sizes = entry.attached.iter().map(|attached| match &attached.state {
        AttachedState::Stored { size, .. } => *size,
        AttachedState::Unavailable { .. } | AttachedState::Omitted => 0,
    });
    sizes.fold(0, u64::saturating_add)
}
