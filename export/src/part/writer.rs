//! The writer: takes groups, decides where parts end, and keeps the index.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;

use chatvault_base::Cancel;
use chatvault_base::threads::{Jobs, Pool};
use chatvault_engine::Storage;
use tracing::debug;

use super::content::{Content, Press};
use super::file::PartFile;
use super::folder::Folder;
use super::group::{Group, Position, Prepared, RecordFile, Slot};
use super::open::OpenPart;
use super::{Settings, Window, part_name};
use crate::digest::{Digest, Hash, hex, unhex};
use crate::error::{Error, Result};
use crate::manifest::{
    Continued, Counts, Draft, Head, Index, Last, PartRecord, Resume, WindowRecord,
};

/// Writes the parts of an export. See the [module](super) for what it promises.
///
/// After an error nothing more can be written; what is finished stays and can be resumed from.
pub(crate) struct Writer<'a> {
    pub(super) settings: Settings,
    pub(super) folder: Folder,
    pub(super) jobs: Jobs,
    /// One thread that hashes in order.
    pub(super) lane: Arc<Jobs>,
    index: Index,
    /// Parts of an earlier run that are written again: they must come out the same.
    again: VecDeque<PartRecord>,
    from: Resume,
    pub(super) total: Digest,
    pub(super) window: Option<Window>,
    pub(super) part: Option<OpenPart<'a>>,
    /// The number that each file of records gets next, if it is not its first.
    pub(super) continued: BTreeMap<String, u32>,
    next_group: u64,
    state: State,
    /// Is told of parts that come out otherwise, which is then no error.
    on_other: Option<OnOther<'a>>,
    on_part: OnPart<'a>,
    cancel: Cancel,
}

/// Is told of a finished part.
type OnPart<'a> = Box<dyn FnMut(&PartRecord) -> io::Result<()> + 'a>;

/// Is told of a part that an index has, and as what it came out.
pub(crate) type OnOther<'a> = Box<dyn FnMut(&PartRecord, &PartRecord) + 'a>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Writing,
    Failed,
    Finished,
}

/// How far a writer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Finished parts.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Groups that were taken or skipped.
    pub groups: u64,
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("settings", &self.settings)
            .field("progress", &self.progress())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl<'a> Writer<'a> {
    /// Begins an export; an error if one of its name is there.
    pub(crate) fn create(
        storage: Arc<dyn Storage>,
        settings: Settings,
        head: Head,
    ) -> Result<Self> {
        settings.check()?;
        let folder = Folder::open(storage, &settings)?;
        if Index::read(folder.storage.as_ref(), &settings.export)?.is_some() {
            return Err(Error::Exists { file: Index::file_name(&settings.export) });
        }
        folder.check_is_free(&head)?;
        Self::begin(settings, folder, head)
    }

    /// Goes on with an export, or begins it if an earlier run left nothing.
    ///
    /// Every finished part is read and held against the index; a changed one is an error, and from
    /// the first missing one on all are written again, to the same bytes.
    pub(crate) fn resume(
        storage: Arc<dyn Storage>,
        settings: Settings,
        head: Head,
    ) -> Result<Self> {
        settings.check()?;
        let folder = Folder::open(storage, &settings)?;
        let Some((index, again)) = folder.resume(&settings, &head)? else {
            folder.check_is_free(&head)?;
            return Self::begin(settings, folder, head);
        };
        Self::go_on(settings, folder, index, again)
    }

    /// Writes a whole export again to hold it against the parts that its index has: each goes on
    /// behind the one before as the index has that.
    pub(crate) fn again(
        storage: Arc<dyn Storage>,
        settings: Settings,
        index: &Index,
        on_other: OnOther<'a>,
    ) -> Result<Self> {
        settings.check()?;
        let folder = Folder::open(storage, &settings)?;
        let empty = Index::new(index.head.clone(), settings.part_bytes);
        let writer = Self::go_on(settings, folder, empty, index.parts.clone())?;
        Ok(Self { on_other: Some(on_other), ..writer })
    }

    fn begin(settings: Settings, mut folder: Folder, head: Head) -> Result<Self> {
        let index = Index::new(head, settings.part_bytes);
        folder.publish(&index)?;
        Self::go_on(settings, folder, index, Vec::new())
    }

    fn go_on(
        settings: Settings,
        mut folder: Folder,
        mut index: Index,
        again: Vec<PartRecord>,
    ) -> Result<Self> {
        let problem = "its fingerprints are damaged".to_owned();
        let file = Index::file_name(&settings.export);
        let total = index.total_digest().ok_or(Error::Index { file, problem })?;
        let finished = index.finished && again.is_empty();
        let from = index.parts.last().map(|part| part.resume.clone()).unwrap_or_default();
        if finished {
            folder.publish_sums(&index)?;
        } else {
            index.finished = false;
            index.windows.clear();
        }
        let threads = settings.threads;
        Ok(Self {
            jobs: Pool::new("export-pack", threads).jobs(),
            lane: Arc::new(Pool::new("export-hash", threads.min(1)).jobs()),
            settings,
            folder,
            index,
            again: again.into(),
            continued: from.continued.iter().map(|file| (file.path.clone(), file.next)).collect(),
            from,
            total,
            window: None,
            part: None,
            next_group: 0,
            state: if finished { State::Finished } else { State::Writing },
            on_other: None,
            on_part: Box::new(|_| Ok(())),
            cancel: Cancel::default(),
        })
    }

    /// Calls `released` for every part that is finished from now on: it is durable, and will not be
    /// touched again. An error of it ends the export.
    pub(crate) fn on_part(&mut self, released: impl FnMut(&PartRecord) -> io::Result<()> + 'a) {
        self.on_part = Box::new(released);
    }

    /// Looks between pieces whether to stop.
    pub(crate) fn cancel_when(&mut self, cancel: Cancel) {
        self.cancel = cancel;
    }

    /// Is there nothing left to do?
    pub(crate) fn is_finished(&self) -> bool {
        self.state == State::Finished
    }

    /// The number of the first group that is still needed, counted from 0 over all windows: groups
    /// before it are taken and ignored. See [`Writer::skip_to`].
    #[cfg(test)]
    pub(crate) fn first_needed(&self) -> u64 {
        self.from.group
    }

    /// Tells that the next group is that of this number: the caller did not make those before it.
    pub(crate) fn skip_to(&mut self, group: u64) -> Result<()> {
        if group < self.next_group || group > self.from.group {
            return Err(Error::Order("only groups that are in finished parts can be skipped"));
        }
        self.next_group = group;
        Ok(())
    }

    /// The number of the first group behind a window, if all of the window's parts are finished:
    /// then its groups need not be made again, and [`Writer::skip_to`] may go there.
    pub(crate) fn window_end(&self, window: u32) -> Option<u64> {
        let parts = &self.index.parts;
        let is_over = parts.last().is_some_and(|last| last.window > window);
        let last_of_it = parts.iter().rev().find(|part| part.window <= window);
        is_over.then(|| last_of_it.map_or(0, |part| part.resume.group))
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        let parts = &self.index.parts;
        Progress {
            parts: parts.len() as u64,
            bytes: parts.iter().map(|part| part.bytes).sum(),
            groups: self.next_group,
        }
    }

    /// Begins a window.
    pub(crate) fn begin_window(&mut self, window: Window) -> Result<()> {
        self.need_writing()?;
        if self.window.is_some() {
            return Err(Error::Order("a window begins inside another"));
        }
        self.window = Some(window);
        Ok(())
    }

    /// Takes the next group.
    pub(crate) fn add(&mut self, group: Group<'a>) -> Result<()> {
        self.need_writing()?;
        let number = self.next_group;
        self.next_group += 1;
        if number < self.from.group {
            return Ok(());
        }
        let mut at = Position { group: number, ..Position::default() };
        if number == self.from.group {
            (at.step, at.slice) = (self.from.step, self.from.slice);
        }
        self.guarded(|writer| {
            let prepared = writer.prepare(group)?;
            writer.place(prepared, at)
        })
    }

    /// Ends a running file: nothing will be added to it any more.
    pub(crate) fn close_records(&mut self, file: &RecordFile) -> Result<()> {
        self.need_writing()?;
        if self.next_group < self.from.group {
            return Ok(());
        }
        let _number = self.continued.remove(&file.path);
        self.guarded(|writer| {
            let Some(part) = &mut writer.part else { return Ok(()) };
            part.end_records(&file.path, &writer.jobs, writer.settings.level).map(drop)
        })
    }

    /// Ends a window: its last part is finished and knows that it is the last.
    pub(crate) fn finish_window(&mut self) -> Result<()> {
        self.need_writing()?;
        let Some(window) = self.window.clone() else {
            return Err(Error::Order("no window was begun"));
        };
        self.guarded(|writer| {
            let group = writer.next_group;
            writer.finish_part(Last::Yes, Position { group, ..Position::default() })?;
            writer.window = None;
            let parts = writer.index.parts.iter().filter(|part| part.window == window.text.k);
            let (mut count, mut counts) = (0, Counts::default());
            for part in parts {
                count += 1;
                counts = counts.plus(part.counts);
            }
            writer.index.windows.push(WindowRecord { counts, parts: count, window: window.text });
            Ok(())
        })
    }

    /// Ends the export: its index is final.
    pub(crate) fn finish(mut self) -> Result<Index> {
        if self.state == State::Finished {
            self.folder.close();
            return Ok(self.index);
        }
        self.need_writing()?;
        if self.window.is_some() {
            return Err(Error::Order("the last window is not finished"));
        }
        self.index.finished = true;
        self.folder.publish(&self.index)?;
        self.folder.close();
        Ok(self.index)
    }

    fn need_writing(&self) -> Result<()> {
        match self.state {
            State::Writing => Ok(()),
            State::Failed => Err(Error::Order("an earlier call failed")),
            State::Finished => Err(Error::Order("the export is finished")),
        }
    }

    /// Runs something after which, if it fails, the open part cannot be trusted.
    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let result = self.check_cancelled().and_then(|()| work(self));
        if result.is_err() {
            self.state = State::Failed;
            self.part = None;
        }
        result
    }

    pub(super) fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn prepare(&mut self, mut group: Group<'a>) -> Result<Prepared<'a>> {
        let mut prepared = Prepared::without_members(&mut group)?;
        for member in group.members {
            self.check_cancelled()?;
            let (path, source) = (member.path, member.source);
            prepared.slots.push(match member.content {
                Content::Pressed(pressed) if pressed.level == self.settings.level => {
                    Slot::pressed(pressed, path, source)?
                }
                content => {
                    let raw = content.bytes();
                    let content = self.press().ready(&path, content)?;
                    Slot::new(path, source, raw, content)?
                }
            });
        }
        Ok(prepared)
    }

    pub(super) fn press(&mut self) -> Press<'_> {
        let spool = self.folder.temporary();
        let level = self.settings.level;
        Press { storage: &self.folder.storage, jobs: &self.jobs, level, spool }
    }

    /// Begins a part of the current window.
    pub(super) fn begin_part(&mut self) -> Result<()> {
        let window = self.window.as_ref().ok_or(Error::Order("no window was begun"))?;
        let k = self.next_k();
        let draft = self.next_draft()?;
        let name = part_name(&window.name, k);
        let temporary = self
            .folder
            .part_temporary(self.index.parts.len() + 1 + usize::from(self.part.is_some()));
        let file = PartFile::create(&self.folder.storage, temporary, &self.lane)?;
        self.part = Some(OpenPart::new(name, k, draft, file));
        Ok(())
    }

    /// The number in its window of the part after the finished ones and the open one.
    fn next_k(&self) -> u32 {
        let window = self.window.as_ref().map_or(0, |window| window.text.k);
        let finished = self.index.parts.iter().rev().take_while(|part| part.window == window);
        let before = finished.count() + usize::from(self.part.is_some());
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }

    /// The empty manifest of that part. As long as the part before is open its hash is not known;
    /// the length is.
    pub(super) fn next_draft(&self) -> Result<Draft> {
        let finished = self.index.parts.last().and_then(|part| unhex(&part.sha256));
        let previous = if self.part.is_some() { Some([0; 32]) } else { finished };
        self.draft(self.next_k(), previous.as_ref())
    }

    pub(super) fn draft(&self, k: u32, previous: Option<&Hash>) -> Result<Draft> {
        let window = self.window.as_ref().ok_or(Error::Order("no window was begun"))?;
        Ok(Draft::new(&self.index.head, &window.text, k, previous))
    }

    /// Finishes the open part, if there is one. The work goes on with a piece of a group.
    pub(super) fn finish_part(&mut self, last: Last, at: Position) -> Result<()> {
        let Some(mut part) = self.part.take() else { return Ok(()) };
        let window = self.window.as_ref().map_or(0, |window| window.text.k);
        for path in part.open_records() {
            let number = part.end_records(&path, &self.jobs, self.settings.level)?;
            let _before = self.continued.insert(path, number.unwrap_or(0) + 1);
        }
        let mut record = part.finish(last, self.settings.part_bytes)?;
        let continued = self.continued.iter();
        record.window = window;
        record.resume = Resume {
            continued: continued
                .map(|(path, next)| Continued { next: *next, path: path.clone() })
                .collect(),
            group: at.group,
            peaks: self.total.peaks().iter().map(|peak| hex(peak)).collect(),
            slice: at.slice,
            step: at.step,
        };
        let record = self.check_again(record)?;
        self.index.parts.push(record);
        self.index.counts = self.index.total_counts();
        self.index.digest = (&self.total).into();
        self.folder.publish(&self.index)?;
        let Some(part) = self.index.parts.last() else { return Ok(()) };
        debug!(name = part.name, bytes = part.bytes, "part is finished");
        (self.on_part)(part).map_err(Error::folder("hand over", &part.name))
    }

    /// A part that an earlier run had finished must come out as it was.
    fn check_again(&mut self, part: PartRecord) -> Result<PartRecord> {
        match (self.again.pop_front(), &mut self.on_other) {
            (Some(before), Some(on_other)) if before != part => {
                on_other(&before, &part);
                Ok(before)
            }
            (Some(before), None) if before != part => {
                Err(Error::Differs { part: part.name, expected: before.sha256, found: part.sha256 })
            }
            _ => Ok(part),
        }
    }
}
