//! Runs an export: one thread hands slices out, some make them, the caller's places them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use chatvault_base::threads::{Ended, Jobs, Pool, beside};
use chatvault_engine::Storage;
use tracing::debug_span;

use super::attach::Attachments;
use super::dispatch::{Dispatcher, Step};
use super::place::Placer;
use super::plan::Survey;
use super::render::Workshop;
use super::scene::{Known, NamesAt, Scene, Stage, Stored};
use super::{Export, OnProgress, OpenPart, Phase, Run, Watch, text_of};
use crate::entry::{Window, Zone};
use crate::error::{Error, Result};
use crate::format::{html, pdf};
use crate::manifest::{Index, PartRecord};
use crate::part::{self, Writer};
use crate::request::{Format, Request, day};
use crate::zip::read::Section;

/// Slices between reading and placing, beside one for each thread.
const AHEAD: usize = 4;
/// Threads that lay out a PDF of a conversation that is more than a slice.
const THREADS_OF_CHAT: usize = 2;

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
        let start = if how.resume { Writer::resume } else { Writer::create };
        let writer = start(folder, self.settings(how.threads), self.head.clone())?;
        self.write(writer, self.survey()?, how, on_progress)
    }

    /// Writes the parts into writers that `open` gives, one after the other.
    ///
    /// A part is in `scratch` until it is whole, as its length and hash are in its record: `Memory`,
    /// or a folder where parts are too large for that. Nothing stays there, so an export that was
    /// stopped begins anew, and [`Run::resume`] has no meaning.
    ///
    /// ```
    /// # use std::{io, ops::ControlFlow, sync::Arc};
    /// # use chatvault_engine::{Archive, Host, Memory, Options, Timestamp};
    /// # use chatvault_export::{Export, Format, Request, Run};
    /// # let host = Host::new(Arc::new(Memory::default()));
    /// # let snapshot = Archive::create(host, Options::default())?.snapshot()?;
    /// let request = Request { format: Format::Jsonl, all_time: true, ..Request::default() };
    /// let export = Export::new(&snapshot, request, Timestamp::from_ms(1_463_000_000_000))?;
    /// let index = export.write_to(
    ///     Memory::default(),
    ///     &mut |part| {
    ///         println!("an upload of {} with {} bytes begins", part.name, part.bytes);
    ///         Ok(Box::new(io::sink()))
    ///     },
    ///     Run::default(),
    ///     &mut |_| ControlFlow::Continue(()),
    /// )?;
    /// assert!(index.finished);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_to(
        &self,
        scratch: impl Storage + 'static,
        open: OpenPart<'_>,
        how: Run<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<Index> {
        let scratch: Arc<dyn Storage> = Arc::new(scratch);
        let settings = self.settings(how.threads);
        let mut writer = Writer::create(Arc::clone(&scratch), settings, self.head.clone())?;
        writer.on_part(|part| hand_over(&*scratch, part, &mut *open(part)?));
        let index = self.write(writer, self.survey()?, how, on_progress);
        let own = [Index::file_name(self.name()), Index::sums_name(self.name())];
        for name in own {
            drop(scratch.remove(&name));
        }
        index
    }

    /// Gives a writer everything that a survey has found.
    pub(super) fn write(
        &self,
        mut writer: Writer<'_>,
        mut survey: Survey,
        how: Run<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<Index> {
        let format = self.request.format.name();
        let _span = debug_span!("export", format, id = self.id()).entered();
        let mut watch = Watch::new(on_progress);
        writer.cancel_when(watch.cancel.clone());
        if writer.is_finished() {
            return writer.finish();
        }
        let windows: Vec<Window> = survey.windows.iter().map(|one| one.window).collect();
        watch.progress.windows = u32::try_from(windows.len()).unwrap_or(u32::MAX);
        let known = Known::collect(&self.snapshot, &self.request, &survey, &mut watch)?;
        let known = known.ok_or(Error::Cancelled)?;
        let mut options = self.request.options(self.head.export_id.clone())?;
        options.made_with = format!("{} {}", self.head.tool.name, self.head.tool.version);
        let known = Arc::new(known);
        options.tell(&self.request, &NamesAt::new(&known, options.as_of));
        let options = Arc::new(options);
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
            request: Arc::new(self.request.clone()),
            label: self.label(),
            known,
            stage: Stage {
                tenant: self.request.tenant.as_deref().unwrap_or_default().into(),
                options,
                objects: Arc::new(Stored(self.snapshot.clone())),
                parts_windows: self.request.parts_windows(),
            },
            fonts: fonts.map(Arc::new),
            jobs: Pool::new("export", how.threads).jobs(),
            attachments: Attachments::new(&self.snapshot, how.reasons, self.request.text_only),
            watch,
        };
        for window in windows {
            work.window(&mut writer, window, &mut survey)?;
        }
        work.watch.tell();
        writer.finish()
    }
}

/// Copies a finished part to its writer; then it goes.
fn hand_over(scratch: &dyn Storage, part: &PartRecord, out: &mut dyn Write) -> io::Result<()> {
    let file = scratch.open(&part.name)?;
    let mut content = Section::new(&file, 0, part.bytes);
    let _bytes = io::copy(&mut content, out)?;
    out.flush()?;
    scratch.remove(&part.name)
}

/// What all windows share.
struct Work<'e, 'f> {
    export: &'e Export,
    request: Arc<Request>,
    /// What the names of all parts begin with.
    label: String,
    known: Arc<Known>,
    stage: Stage,
    fonts: Option<Arc<pdf::Fonts>>,
    jobs: Jobs,
    attachments: Attachments<'e>,
    watch: Watch<'f>,
}

impl Work<'_, '_> {
    fn window(
        &mut self,
        writer: &mut Writer<'_>,
        window: Window,
        survey: &mut Survey,
    ) -> Result<()> {
        let request = &self.export.request;
        self.watch.progress.window = window.number;
        let name = request.window_name(&self.label, window.start, window.end);
        writer.begin_window(part::Window { name, text: text_of(window) })?;
        if let Some(group) = writer.window_end(window.number) {
            writer.skip_to(group)?;
            self.watch.progress.messages += survey.messages_of(window);
            return writer.finish_window();
        }
        let prefix = if window.of > 1 {
            format!("{}_", day(Zone::Utc, window.start))
        } else {
            String::new()
        };
        self.attachments.begin_window((!request.format.nature().embeds).then_some(prefix));
        let (snapshot, slices) = (&self.export.snapshot, self.export.slices(window, survey)?);
        let known = (&self.known, self.fonts.as_ref());
        let shop = Workshop::new(snapshot, (&self.request, window), &self.stage, known);
        let shop = Arc::new(shop);
        let desk = Desk { placer: Placer::new(writer, &shop), shop: &shop, watch: &mut self.watch };
        let (steps, queue) = sync_channel(AHEAD + self.jobs.threads());
        let (jobs, attachments, shop) = (&self.jobs, &mut self.attachments, Arc::clone(&shop));
        let reader = Dispatcher { shop, jobs, attachments, steps, scene: None };
        let read = |(reader, slices): (Dispatcher<'_, '_>, _)| reader.run(slices);
        // The queue goes with the one who places: then the reader ends, too.
        let place = move |_: &Ended| desk.place_all(&queue);
        let placed = beside("export-read", vec![(reader, slices)], read, place);
        placed.map_err(|_no_thread| Error::Worker)?.1?;
        writer.finish_window()
    }
}

/// Where a window's messages are placed.
struct Desk<'d, 'w, 'f> {
    placer: Placer<'d, 'w>,
    shop: &'d Workshop,
    watch: &'d mut Watch<'f>,
}

impl Desk<'_, '_, '_> {
    fn place_all(mut self, queue: &Receiver<Step>) -> Result<()> {
        while let Ok(step) = queue.recv() {
            match step {
                Step::Chat(scene) => self.chat(&scene, queue)?,
                Step::Failed(error) => return Err(error),
                Step::Slice(promise) => {
                    let count = self.placer.place(promise.wait()??)?;
                    self.tell(count);
                }
                Step::EndOfChat => {}
            }
        }
        self.placer.finish()
    }

    fn tell(&mut self, messages: u64) {
        let (done, progress) = (self.placer.progress(), &mut self.watch.progress);
        progress.messages += messages;
        (progress.parts, progress.bytes) = (done.parts, done.bytes);
        self.watch.tell();
    }

    /// Places a conversation that comes in several slices.
    fn chat(&mut self, scene: &Arc<Scene>, queue: &Receiver<Step>) -> Result<()> {
        let cards = html::Scene::new(scene.context());
        let mut binder = self.shop.binder(scene, &cards, self.shop.kit(THREADS_OF_CHAT));
        let mut groups = Vec::new();
        loop {
            match queue.recv() {
                Ok(Step::Slice(promise)) => {
                    binder.take(promise.wait()??, &mut groups)?;
                    let count = self.placer.groups(std::mem::take(&mut groups))?;
                    self.tell(count);
                }
                Ok(Step::EndOfChat) => break,
                Ok(Step::Failed(error)) => return Err(error),
                // The reader is gone without an end: it has failed in a way of its own.
                Ok(Step::Chat(_)) | Err(_) => return Err(Error::Worker),
            }
        }
        let (ended, _kit) = binder.finish(&mut groups)?;
        let count = self.placer.groups(groups)?;
        self.tell(count);
        self.placer.end(ended)
    }
}
