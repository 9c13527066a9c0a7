//! Runs an export: one thread reads, some render, the caller's places.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use chatvault_engine::Storage;

use super::attach::Attachments;
use super::parent::Parents;
use super::place::{Document, Pending, Placer, Table, Tail, Twins, failed};
use super::read::Entries;
use super::render::{Made, Stretch, Workshop, named};
use super::scene::{Known, Scene, Stage, Stored};
use super::{Export, OnProgress, Phase, Run, Watch, text_of};
use crate::entry::{Entry, Piece, Window};
use crate::error::{Error, Result};
use crate::format::{html, pdf};
use crate::manifest::{Counts, Index};
use crate::part::{self, Group, RecordFile, Writer, window_name};
use crate::pool::{Pool, Promise};
use crate::request::{Format, day};

/// Messages that are rendered together: at most so many, of at most so many bytes.
const BATCH_ENTRIES: usize = 256;
const BATCH_BYTES: usize = 1 << 20;
/// Batches between reading and placing.
const AHEAD: usize = 12;

/// What reading hands to placing, in order.
enum Step {
    /// A conversation begins.
    Chat(Arc<Scene>),
    /// Messages of it.
    Batch(Promise<Result<Made>>),
    /// It ends.
    EndOfChat,
    /// Reading failed.
    Failed(Error),
}

impl Export {
    /// Writes the parts into a folder, which may hold other exports.
    ///
    /// Stopped or killed at any moment, it leaves finished parts and an index; run again with
    /// [`Run::resume`], it comes to the same bytes as if it had never stopped.
    pub fn run(
        &self,
        folder: Arc<dyn Storage>,
        how: Run<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<Index> {
        let mut watch = Watch::new(on_progress);
        let start = if how.resume { Writer::resume } else { Writer::create };
        let mut writer = start(folder, self.settings(how.threads), self.head.clone())?;
        let stopped = Arc::clone(&watch.stopped);
        writer.cancel_when(move || stopped.load(std::sync::atomic::Ordering::Relaxed));
        if writer.is_finished() {
            return writer.finish();
        }
        let survey = self.survey()?;
        watch.progress.windows = u32::try_from(self.windows.len()).unwrap_or(u32::MAX);
        let known = Known::collect(&self.snapshot, &self.request, &survey.chats, &mut watch)?;
        let known = known.ok_or(Error::Cancelled)?;
        let options = Arc::new(self.request.options(self.head.export_id.clone())?);
        let fonts = (self.request.format == Format::Pdf).then(pdf::Fonts::builtin);
        let fonts = fonts.transpose().map_err(|cause| Error::Archive(Box::new(cause)))?;
        watch.progress = super::Progress {
            phase: Phase::Writing,
            of: survey.messages(),
            messages: 0,
            ..watch.progress
        };
        let mut work = Work {
            export: self,
            known: Arc::new(known),
            stage: Stage {
                tenant: self.request.tenant.as_deref().unwrap_or_default().into(),
                options,
                objects: Arc::new(Stored(self.snapshot.clone())),
                parts_windows: self.request.parts_windows(),
            },
            fonts,
            pool: Pool::new(how.threads),
            attachments: Attachments::new(&self.snapshot, how.reasons, self.request.text_only),
            watch,
        };
        for (window, planned) in self.windows.iter().zip(&survey.windows) {
            work.window(&mut writer, *window, planned.messages)?;
        }
        work.watch.tell();
        writer.finish()
    }
}

/// What all windows share.
struct Work<'e, 'f> {
    export: &'e Export,
    known: Arc<Known>,
    stage: Stage,
    fonts: Option<pdf::Fonts>,
    pool: Pool,
    attachments: Attachments<'e>,
    watch: Watch<'f>,
}

impl Work<'_, '_> {
    fn window(&mut self, writer: &mut Writer<'_>, window: Window, messages: u64) -> Result<()> {
        let request = &self.export.request;
        self.watch.progress.window = window.number;
        let days = (day(window.start), day(window.end));
        let name = window_name(&request.scope(), (&days.0, &days.1), request.format.name());
        writer.begin_window(part::Window { name, text: text_of(window) })?;
        if let Some(group) = writer.window_end(window.number) {
            writer.skip_to(group)?;
            self.watch.progress.messages += messages;
            return writer.finish_window();
        }
        let prefix = if window.of > 1 { format!("{}_", day(window.start)) } else { String::new() };
        self.attachments.begin_window((!request.format.embeds()).then_some(prefix));
        let shop = Workshop::new(&self.export.snapshot, request, &self.stage.options, window);
        let shop = Arc::new(shop);
        let history = request.format != Format::Jsonl || request.all_versions;
        let entries = Entries::of(&self.export.snapshot, request, window, history)?;
        let reader = Reader {
            entries,
            attachments: &mut self.attachments,
            parents: Parents::new(&self.export.snapshot, request, request.format.names_people()),
            shop: Arc::clone(&shop),
            pool: &self.pool,
            stage: &self.stage,
            known: &self.known,
            window,
            is_by_chat: request.is_by_chat(),
        };
        let mut desk = Desk {
            request,
            window,
            shop: &shop,
            stage: &self.stage,
            fonts: self.fonts.as_ref(),
            watch: &mut self.watch,
        };
        std::thread::scope(|scope| {
            let (steps, queue) = sync_channel(AHEAD);
            let _reading = scope.spawn(move || reader.read(&steps));
            desk.place_all(writer, &queue)
        })?;
        writer.finish_window()
    }
}

/// Reads messages and hands them out to be rendered.
struct Reader<'r, 'e> {
    entries: Entries,
    attachments: &'r mut Attachments<'e>,
    parents: Parents,
    shop: Arc<Workshop>,
    pool: &'r Pool,
    stage: &'r Stage,
    known: &'r Arc<Known>,
    window: Window,
    /// Is there a document, or a file of records, for each conversation?
    is_by_chat: bool,
}

/// Nobody takes what was read any more: placing has failed, and says so.
struct Gone;

impl Reader<'_, '_> {
    fn read(mut self, steps: &SyncSender<Step>) {
        let result = self.read_all(steps);
        if let Err(error) = result {
            drop(steps.send(Step::Failed(error)));
        }
    }

    fn read_all(&mut self, steps: &SyncSender<Step>) -> Result<()> {
        let mut batch = Batch::default();
        let mut scene: Option<Arc<Scene>> = None;
        while let Some(mut entry) = self.entries.next()? {
            let chat = &entry.key.conversation;
            if scene.as_ref().is_none_or(|scene| scene.chat.id != *chat) {
                let next = Arc::new(Scene::new(self.stage, self.known, chat, self.window));
                if self.turn(&mut batch, scene.replace(Arc::clone(&next)), (next, steps)).is_err() {
                    return Ok(());
                }
                self.parents.enter();
            } else if batch.is_full() && self.hand_out(&mut batch, steps).is_err() {
                return Ok(());
            }
            self.attachments.find(&mut entry)?;
            self.parents.find(&mut entry)?;
            if let Some(scene) = &scene {
                batch.add(scene, entry);
            }
        }
        let is_gone = self.hand_out(&mut batch, steps).is_err();
        if !is_gone && scene.is_some() && self.is_by_chat {
            drop(steps.send(Step::EndOfChat));
        }
        Ok(())
    }

    /// Goes to the next conversation. Formats with a document for each are told.
    fn turn(
        &self,
        batch: &mut Batch,
        before: Option<Arc<Scene>>,
        (next, steps): (Arc<Scene>, &SyncSender<Step>),
    ) -> std::result::Result<(), Gone> {
        if !self.is_by_chat {
            return if batch.is_full() { self.hand_out(batch, steps) } else { Ok(()) };
        }
        self.hand_out(batch, steps)?;
        let ended = before.map(|_| Step::EndOfChat);
        let mut sent = ended.into_iter().chain([Step::Chat(next)]);
        sent.try_for_each(|step| steps.send(step)).map_err(|_gone| Gone)
    }

    fn hand_out(
        &self,
        batch: &mut Batch,
        steps: &SyncSender<Step>,
    ) -> std::result::Result<(), Gone> {
        let Batch { stretches, .. } = std::mem::take(batch);
        if stretches.is_empty() {
            return Ok(());
        }
        let shop = Arc::clone(&self.shop);
        let promise = self.pool.run(move || shop.render(stretches));
        steps.send(Step::Batch(promise)).map_err(|_gone| Gone)
    }
}

/// Messages that are rendered together.
#[derive(Default)]
struct Batch {
    stretches: Vec<Stretch>,
    entries: usize,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.entries >= BATCH_ENTRIES || self.bytes >= BATCH_BYTES
    }

    fn add(&mut self, scene: &Arc<Scene>, entry: Entry) {
        self.entries += 1;
        self.bytes += entry.versions.iter().map(|version| version.json.len()).sum::<usize>();
        match self.stretches.last_mut() {
            Some((last, entries)) if Arc::ptr_eq(last, scene) => entries.push(entry),
            _ => self.stretches.push((Arc::clone(scene), vec![entry])),
        }
    }
}

/// Where a window's messages are placed.
struct Desk<'d, 'f> {
    request: &'d crate::request::Request,
    window: Window,
    shop: &'d Workshop,
    stage: &'d Stage,
    fonts: Option<&'d pdf::Fonts>,
    watch: &'d mut Watch<'f>,
}

impl Desk<'_, '_> {
    fn place_all(&mut self, writer: &mut Writer<'_>, queue: &Receiver<Step>) -> Result<()> {
        let mut pending = Pending::default();
        let mut table = (self.request.format == Format::Parquet).then(|| {
            Table::new(named("messages", self.window), self.request.part_bytes, self.stage)
        });
        let (tenant, options) = (&*self.stage.tenant, &*self.stage.options);
        let mut index = html::Index::new(tenant, options, self.window);
        let objects = Arc::clone(&self.stage.objects);
        let mut placer = Placer {
            writer,
            pending: &mut pending,
            table: &mut table,
            objects: &objects,
            twins: Twins::default(),
        };
        let mut has_messages = false;
        while let Ok(step) = queue.recv() {
            let scene = match step {
                Step::Chat(scene) => scene,
                Step::Failed(error) => return Err(error),
                Step::Batch(promise) => {
                    self.batch(promise, &mut placer, &mut None)?;
                    continue;
                }
                Step::EndOfChat => continue,
            };
            has_messages = true;
            let tail = self.chat(&scene, queue, &mut placer)?;
            if let Some(summary) = tail.html {
                let mut pages = Vec::new();
                let sink = &mut |piece| kept(&mut pages, piece);
                index.add(&scene.chat, &summary, sink).map_err(failed)?;
                placer.add(&mut pages)?;
            }
        }
        let mut last = Vec::new();
        if let Some(table) = placer.table.as_mut() {
            table.end_file(&mut |piece| kept(&mut last, piece)).map_err(failed)?;
        }
        if has_messages && self.request.format == Format::Html {
            index.finish(&mut |piece| kept(&mut last, piece)).map_err(failed)?;
        }
        placer.add(&mut last)?;
        let rest = placer.pending.rest();
        rest.into_iter().try_for_each(|group| placer.writer.add(group))?;
        self.shop.records().into_iter().try_for_each(|file| placer.writer.close_records(file))
    }

    /// Places some messages.
    fn batch(
        &mut self,
        promise: Promise<Result<Made>>,
        placer: &mut Placer<'_, '_>,
        document: &mut Option<Document<'_>>,
    ) -> Result<()> {
        let made = promise.wait()??;
        let progress = &mut self.watch.progress;
        progress.messages += placer.place(made, document)?;
        let done = placer.writer.progress();
        (progress.parts, progress.bytes) = (done.parts, done.bytes);
        self.watch.tell();
        Ok(())
    }

    /// Places a conversation.
    fn chat(
        &mut self,
        scene: &Arc<Scene>,
        queue: &Receiver<Step>,
        placer: &mut Placer<'_, '_>,
    ) -> Result<Tail> {
        let cards = html::Scene::new(scene.context());
        let mut document = Document::of(self.request, self.window, scene, (&cards, self.fonts));
        loop {
            match queue.recv() {
                Ok(Step::Batch(promise)) => self.batch(promise, placer, &mut document)?,
                Ok(Step::EndOfChat) => break,
                Ok(Step::Failed(error)) => return Err(error),
                // The reader is gone without an end: it has failed in a way of its own.
                Ok(Step::Chat(_)) | Err(_) => return Err(Error::Worker),
            }
        }
        if self.request.format == Format::Mbox {
            let path = format!("{}.mbox", scene.chat.slug);
            placer.writer.close_records(&RecordFile { path, header: Vec::new() })?;
        }
        let Some(document) = document else { return Ok(Tail::default()) };
        let mut finished = Vec::new();
        let tail = document.finish(&mut |piece| kept(&mut finished, piece)).map_err(failed)?;
        placer.add(&mut finished)?;
        if tail.missing_glyphs > 0 {
            let counts = Counts { missing_glyphs: tail.missing_glyphs, ..Counts::default() };
            placer.writer.add(Group { counts, ..Group::default() })?;
        }
        Ok(tail)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a sink of files can fail")]
fn kept(finished: &mut Vec<Piece>, piece: Piece) -> std::io::Result<()> {
    finished.push(piece);
    Ok(())
}
