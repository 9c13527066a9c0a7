//! What an export will be, before anything is written: counts from the index, sizes from a sample.
//!
//! One walk over the keys counts an export: for a few hundred thousand rows. Of more a plan can be
//! had that looks at a sample, within a bounded number of rows: `estimate`.

use std::collections::{BTreeMap, BTreeSet};

use chatvault_engine::{MessageKind, RowKeys, Scan};
use chatvault_query::Record;

use super::Export;
use super::slice::{Slice, Slicer};
use crate::entry::Window;
use crate::error::Result;
use crate::request::{Range, archive, wrong};

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
    /// Of a sample: so many rows were looked at, of so many that may be in it, and every count is an
    /// estimate. `None`: all were counted.
    pub sampled: Option<(u64, u64)>,
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
    conversations: u64,
}

/// What the index says about an export.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Its conversations by kind, sorted.
    pub(super) chats: BTreeMap<Record, Vec<String>>,
    /// How many there are of each kind.
    pub(super) counts: BTreeMap<Record, u64>,
    pub(super) windows: Vec<PlannedWindow>,
    /// Of the first window: of many, all slices could be too much to remember.
    pub(super) first_slices: Vec<Slice>,
    pub(super) attachments: u64,
    pub(super) is_exact: bool,
    pub(super) sampled: Option<(u64, u64)>,
}

/// What was counted of an export so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) chats: BTreeMap<Record, BTreeSet<String>>,
    pub(super) counts: BTreeMap<Record, u64>,
    /// By the place of a window in the grid.
    pub(super) places: BTreeMap<i64, Counted>,
    pub(super) attachments: u64,
    /// The first place that has messages, and the slices of it.
    first: Option<(i64, Vec<Slice>)>,
}

/// What was counted of a window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) messages: u64,
    pub(super) events: u64,
    pub(super) attachment_bytes: u64,
    /// That have something in it.
    pub(super) conversations: u64,
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

    pub(super) fn messages_of(&self, window: Window) -> u64 {
        let planned = self.windows.iter().find(|planned| planned.window == window);
        planned.map_or(0, |planned| planned.messages)
    }
}

impl Tally {
    /// Adds the slices of the first place of a kind, if no kind begins earlier.
    fn begin(&mut self, place: i64, slices: Vec<Slice>) {
        match &mut self.first {
            Some((first, _)) if *first < place => {}
            Some((first, own)) if *first == place => own.extend(slices),
            first => *first = Some((place, slices)),
        }
    }
}

impl Export {
    /// What it will be. Reads the index, and renders a small sample for the sizes.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn plan(&self) -> Result<Plan> {
        self.plan_of(self.survey()?)
    }

    pub(super) fn plan_of(&self, survey: Survey) -> Result<Plan> {
        let events = survey.windows.iter().map(|one| one.events).sum();
        let attachment_bytes = survey.windows.iter().map(|one| one.attachment_bytes).sum();
        let chats = survey.chats.values().map(|chats| chats.len() as u64).sum();
        let chats = scaled(chats, survey.sampled.unwrap_or((1, 1)));
        let costs = self.costs(&survey)?;
        let bytes = |one: &PlannedWindow| {
            one.attachment_bytes.saturating_add(costs.bytes(one.conversations, one.messages))
        };
        let room = self.request.part_bytes.saturating_sub(PART_BYTES).max(1);
        let of = |record| survey.counts.get(&record).copied().unwrap_or_default();
        Ok(Plan {
            conversations: chats,
            messages: of(Record::Message).saturating_sub(events),
            events,
            copilot: of(Record::Copilot),
            recordings: of(Record::Recording),
            transcripts: of(Record::Transcript),
            attachments: survey.attachments,
            attachment_bytes,
            estimated_bytes: survey.windows.iter().map(bytes).sum(),
            estimated_parts: survey.windows.iter().map(|one| bytes(one).div_ceil(room)).sum(),
            is_exact: survey.is_exact && survey.sampled.is_none(),
            sampled: survey.sampled,
            windows: survey.windows,
        })
    }

    /// Looks at the index only: one walk over the keys of what is in it.
    pub(super) fn survey(&self) -> Result<Survey> {
        let (mut tally, mut is_exact) = (Tally::default(), true);
        for (record, plan) in self.plans()? {
            is_exact &= plan.is_exact();
            if let chatvault_query::Plan::Rows(rows) = plan {
                let _rows = self.tally(record, &rows.0, &mut tally)?;
            }
        }
        let places: BTreeSet<i64> = tally.places.keys().copied().collect();
        let windows = self.windows_at(&places)?;
        Ok(self.surveyed(tally, windows, is_exact))
    }

    /// How the archive is asked for each kind; for an export that is empty it is not.
    pub(super) fn plans(&self) -> Result<Vec<(Record, chatvault_query::Plan)>> {
        if self.request.is_empty() {
            return Ok(Vec::new());
        }
        let Range { start, end } = self.request.whole_range()?;
        // One from the start of all time has no bound there.
        let start = start.filter(|start| *start != chatvault_engine::Timestamp::MIN);
        let range = Range { start, end };
        let plan = |record: &Record| {
            Ok((*record, self.request.query(*record, range).plan().map_err(wrong)?))
        };
        self.request.records.iter().map(plan).collect()
    }

    pub(super) fn surveyed(&self, tally: Tally, windows: &[Window], is_exact: bool) -> Survey {
        let planned = |window: &Window| {
            let place = self.grid.place_of(window.start);
            let Counted { messages, events, attachment_bytes, conversations } =
                tally.places.get(&place).copied().unwrap_or_default();
            PlannedWindow { window: *window, messages, events, attachment_bytes, conversations }
        };
        Survey {
            windows: windows.iter().map(planned).collect(),
            chats: tally
                .chats
                .into_iter()
                .map(|(record, chats)| (record, chats.into_iter().collect()))
                .collect(),
            counts: tally.counts,
            first_slices: tally.first.map(|(_, slices)| slices).unwrap_or_default(),
            attachments: tally.attachments,
            is_exact,
            sampled: None,
        }
    }

    /// Counts the rows of a scan.
    pub(super) fn tally(&self, record: Record, scan: &Scan, tally: &mut Tally) -> Result<u64> {
        let mut first: Option<(i64, Slicer)> = None;
        let (mut count, mut failed) = (0, Ok(()));
        let with_files = !self.request.text_only && self.snapshot.has_links();
        let chats = tally.chats.entry(record).or_default();
        // Places of the conversation so far.
        let mut visited = BTreeSet::new();
        let mut on = |row: RowKeys<'_>| {
            let place = self.grid.place_of(self.request.time_of(row));
            let counted = tally.places.entry(place).or_default();
            counted.messages += 1;
            count += 1;
            // The conversations before this one have nothing in an earlier window.
            if first.as_ref().is_none_or(|(first, _)| place < *first) {
                first = Some((place, Slicer::of(record)));
            }
            if let Some((_, slicer)) = first.as_mut().filter(|(first, _)| *first == place) {
                slicer.add(row.conversation(), row.created());
            }
            let is_message = record == Record::Message;
            counted.events += u64::from(is_message && row.kind() == MessageKind::System);
            if chats.last().is_none_or(|last| last != row.conversation()) {
                let _ = chats.insert(row.conversation().to_owned());
                visited.clear();
            }
            counted.conversations += u64::from(visited.insert(place));
            if with_files && failed.is_ok() {
                match self.files_of(row) {
                    Ok((files, bytes)) => {
                        tally.attachments += files;
                        counted.attachment_bytes += bytes;
                    }
                    Err(error) => failed = Err(error),
                }
            }
        };
        let rows = self.snapshot.keys(scan, &mut on).map_err(archive)?;
        failed?;
        *tally.counts.entry(record).or_default() += count;
        if let Some((place, slicer)) = first {
            tally.begin(place, slicer.finish());
        }
        Ok(rows)
    }

    /// The places of the grid that have messages.
    pub(super) fn places(&self) -> Result<BTreeSet<i64>> {
        let mut places = BTreeSet::new();
        for (_, plan) in self.plans()? {
            let chatvault_query::Plan::Rows(rows) = plan else { continue };
            let mut on = |row: RowKeys<'_>| {
                let _is_new = places.insert(self.grid.place_of(self.request.time_of(row)));
            };
            let _rows = self.snapshot.keys(&rows.0, &mut on).map_err(archive)?;
        }
        Ok(places)
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
}

/// A count in a share of all rows, over all of them.
pub(super) fn scaled(count: u64, (looked_at, of): (u64, u64)) -> u64 {
    let all = u128::from(count) * u128::from(of) / u128::from(looked_at.max(1));
    u64::try_from(all).unwrap_or(u64::MAX)
}
