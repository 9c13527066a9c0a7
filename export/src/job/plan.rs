//! What an export will be, before anything is written: counts from the index, sizes from a sample.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Memory, MessageKind, RowKeys, Snapshot};
use chatvault_query::Record;

use super::slice::{Extent, Slice, Slicer};
use super::window::Grid;
use super::{Export, Run};
use crate::entry::Window;
use crate::error::Result;
use crate::part::Writer;
use crate::request::{Range, Request, archive, wrong};

/// Conversations of which the sample is made, evenly over all: of each a slice at most.
const SAMPLE_CHATS: usize = 8;
/// What a part holds beside its files, about: manifest, sums and directory for each message.
const PART_BYTES: u64 = 4 << 10;

/// What an export will be.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// Its windows, also those without messages.
    pub windows: Vec<PlannedWindow>,
    /// Conversations with messages in it.
    pub conversations: u64,
    /// Messages of people and apps. At most so many if a filter has to look at them.
    pub messages: u64,
    /// System events.
    pub events: u64,
    /// Copilot interactions.
    pub copilot: u64,
    /// Recordings.
    pub recordings: u64,
    /// Transcripts.
    pub transcripts: u64,
    /// Contents that the archive has for them.
    pub attachments: u64,
    /// Their bytes.
    pub attachment_bytes: u64,
    /// About how many bytes all parts together will have.
    pub estimated_bytes: u64,
    /// About how many parts there will be.
    pub estimated_parts: u64,
    /// Is every count exact? A filter that looks into messages makes them upper bounds.
    pub is_exact: bool,
}

/// What will be in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedWindow {
    /// From when to when.
    pub window: Window,
    /// Messages and events in it, and what is stored beside them.
    pub messages: u64,
    /// Events among them.
    pub events: u64,
    attachment_bytes: u64,
}

/// What the index says about an export.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Its conversations by kind, sorted.
    pub(super) chats: BTreeMap<Record, Vec<String>>,
    /// How many there are of each kind.
    counts: BTreeMap<Record, u64>,
    pub(super) windows: Vec<PlannedWindow>,
    /// Of the first window: of many, all slices could be too much to remember.
    first_slices: Vec<Slice>,
    attachments: u64,
    is_exact: bool,
}

impl Survey {
    /// The conversations with messages in it.
    pub(super) fn chats(&self) -> &[String] {
        self.chats.get(&Record::Message).map_or(&[], Vec::as_slice)
    }

    /// Messages and events, and what is stored beside them.
    pub(super) fn messages(&self) -> u64 {
        self.windows.iter().map(|window| window.messages).sum()
    }

    /// Only the first slice of each conversation, as if it were all of it.
    fn for_a_sample(mut self) -> Self {
        self.first_slices.retain(|slice| matches!(slice.place, Extent::Whole | Extent::First));
        self.first_slices.iter_mut().for_each(|slice| slice.place = Extent::Whole);
        self
    }

    pub(super) fn messages_of(&self, window: Window) -> u64 {
        let planned = self.windows.iter().find(|planned| planned.window == window);
        planned.map_or(0, |planned| planned.messages)
    }
}

/// The windows of a range that have messages; one alone may have none.
pub(super) fn windows(snapshot: &Snapshot, request: &Request, grid: Grid) -> Result<Vec<Window>> {
    if grid.is_whole() {
        return grid.windows(&BTreeSet::from([0]));
    }
    let mut places = BTreeSet::new();
    for question in if request.is_empty() { Vec::new() } else { request.questions()? } {
        let Some(scan) = question.scan().map_err(wrong)? else { continue };
        let mut on = |row: RowKeys<'_>| {
            let _is_new = places.insert(grid.place_of(request.time_of(row)));
        };
        let _rows = snapshot.keys(&scan, &mut on).map_err(archive)?;
    }
    grid.windows(&places)
}

impl Export {
    /// What it will be. Reads the index, and renders a small sample for the sizes.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn plan(&self) -> Result<Plan> {
        let survey = self.survey()?;
        let (messages, events) =
            (survey.messages(), survey.windows.iter().map(|one| one.events).sum());
        let attachment_bytes = survey.windows.iter().map(|one| one.attachment_bytes).sum();
        let per_message = self.sampled_bytes(&survey)?;
        let bytes = |messages: u64, attachments: u64| {
            attachments.saturating_add(messages.saturating_mul(per_message) / 64)
        };
        let parts = |one: &PlannedWindow| {
            let room = self.request.part_bytes.saturating_sub(PART_BYTES).max(1);
            bytes(one.messages, one.attachment_bytes).div_ceil(room)
        };
        let of = |record| survey.counts.get(&record).copied().unwrap_or_default();
        Ok(Plan {
            conversations: survey.chats.values().map(|chats| chats.len() as u64).sum(),
            messages: of(Record::Message) - events,
            events,
            copilot: of(Record::Copilot),
            recordings: of(Record::Recording),
            transcripts: of(Record::Transcript),
            attachments: survey.attachments,
            attachment_bytes,
            estimated_bytes: bytes(messages, attachment_bytes),
            estimated_parts: survey.windows.iter().map(parts).sum(),
            is_exact: survey.is_exact,
            windows: survey.windows,
        })
    }

    /// Looks at the index only.
    pub(super) fn survey(&self) -> Result<Survey> {
        let empty = |window: &Window| PlannedWindow {
            window: *window,
            messages: 0,
            events: 0,
            attachment_bytes: 0,
        };
        let mut survey =
            Survey { windows: self.windows.iter().map(empty).collect(), ..Survey::default() };
        if self.request.is_empty() {
            survey.is_exact = true;
            return Ok(survey);
        }
        let Some((first, last)) = self.windows.first().zip(self.windows.last()) else {
            survey.is_exact = true;
            return Ok(survey);
        };
        let range = Range { start: Some(first.start), ..self.request.range_of(*last) };
        survey.is_exact = true;
        for record in &self.request.records {
            self.survey_kind(*record, range, &mut survey)?;
        }
        Ok(survey)
    }

    fn survey_kind(&self, record: Record, range: Range, survey: &mut Survey) -> Result<()> {
        let plan = self.request.query(record, range).plan().map_err(wrong)?;
        survey.is_exact &= plan.is_exact();
        let chatvault_query::Plan::Rows(rows) = plan else { return Ok(()) };
        let mut chats: BTreeSet<String> = BTreeSet::new();
        let mut slicer = Slicer::of(record);
        let (mut count, mut failed) = (0, Ok(()));
        let with_files = !self.request.text_only && self.snapshot.has_links();
        let mut on = |row: RowKeys<'_>| {
            let Some(number) = self.window_of(row) else { return };
            let Some(window) = survey.windows.get_mut(number) else { return };
            window.messages += 1;
            count += 1;
            if number == 0 {
                slicer.add(row.conversation(), row.created());
            }
            let is_message = record == Record::Message;
            window.events += u64::from(is_message && row.kind() == MessageKind::System);
            if chats.last().is_none_or(|last| last != row.conversation()) {
                let _ = chats.insert(row.conversation().to_owned());
            }
            if with_files && failed.is_ok() {
                match self.files_of(row) {
                    Ok((files, bytes)) => {
                        survey.attachments += files;
                        window.attachment_bytes += bytes;
                    }
                    Err(error) => failed = Err(error),
                }
            }
        };
        let _rows = self.snapshot.keys(&rows.0, &mut on).map_err(archive)?;
        failed?;
        survey.first_slices.extend(slicer.finish());
        drop(survey.chats.insert(record, chats.into_iter().collect()));
        let _ = survey.counts.insert(record, count);
        Ok(())
    }

    /// The messages of a window, cut into slices.
    pub(super) fn slices(&self, window: Window, survey: &mut Survey) -> Result<Vec<Slice>> {
        if window.number == 1 || self.request.is_empty() {
            return Ok(std::mem::take(&mut survey.first_slices));
        }
        let mut slices = Vec::new();
        for record in &self.request.records {
            let query = self.request.query(*record, self.request.range_of(window));
            let Some(scan) = query.scan().map_err(wrong)? else { continue };
            let mut cutter = Slicer::of(*record);
            let mut on = |row: RowKeys<'_>| cutter.add(row.conversation(), row.created());
            let _rows = self.snapshot.keys(&scan, &mut on).map_err(archive)?;
            slices.extend(cutter.finish());
        }
        Ok(slices)
    }

    /// The place of the window that a row is in.
    fn window_of(&self, row: RowKeys<'_>) -> Option<usize> {
        let at = self.request.time_of(row);
        let behind = self.windows.partition_point(|window| window.start <= at);
        behind.checked_sub(1)
    }

    fn files_of(&self, row: RowKeys<'_>) -> Result<(u64, u64)> {
        let (mut files, mut bytes) = (0, 0);
        for (_, object) in self.snapshot.links(&row.key()).map_err(archive)? {
            if let Some(size) = self.snapshot.object_bytes(&object).map_err(archive)? {
                files += 1;
                bytes += size;
            }
        }
        Ok((files, bytes))
    }

    /// Bytes of 64 messages in finished parts without attachments, by rendering a few.
    fn sampled_bytes(&self, survey: &Survey) -> Result<u64> {
        if survey.chats().is_empty() {
            return Ok(0);
        }
        let step = survey.chats().len().div_ceil(SAMPLE_CHATS).max(1);
        let request = Request {
            chats: survey.chats().iter().step_by(step).cloned().collect(),
            records: vec![Record::Message],
            text_only: true,
            part_bytes: crate::part::Settings::PART_BYTES,
            window_days: 0,
            ..self.request.clone()
        };
        let sample = Self::pinned(
            self.snapshot.clone(),
            request,
            (self.head.archive.clone(), Vec::new()),
            self.head.tool.clone(),
        )?;
        let folder = Arc::new(Memory::default());
        let how = Run::default();
        let writer = Writer::create(folder, sample.settings(how.threads), sample.head.clone())?;
        let survey = sample.survey()?.for_a_sample();
        let index = sample.write(writer, survey, how, &mut |_| ControlFlow::Continue(()))?;
        let bytes: u64 = index.parts.iter().map(|part| part.bytes).sum();
        let counts = index.counts;
        let messages = (counts.messages + counts.events + counts.omitted).max(1);
        Ok((bytes.saturating_mul(64) / messages).max(1))
    }
}
