//! A plan within a bounded number of rows: of a large export a sample is counted.
//!
//! ```text
//! rows that may be in it, by zone maps ─▶ few: all are counted
//!                                      └▶ many: cut into stretches of whole conversations, evenly chosen
//!                                         ones counted, and scaled by rows looked at
//! ```
//!
//! Always holds: what is looked at is bounded by the caller and by constants here, whatever the
//! archive has, and a plan that is an estimate says so.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Memory, Scan, TimeRange, Timestamp};
use chatvault_query::Record;

use super::plan::{Counted, Plan, Survey, Tally, scaled};
use super::slice::{Extent, Slice};
use super::{Export, Run};
use crate::error::Result;
use crate::part::Writer;
use crate::request::{Request, archive, wrong};

/// Conversations of which the sample for sizes is made, evenly over all.
const SAMPLE_CHATS: usize = 8;
/// Messages of each of them, about.
const SAMPLE_MESSAGES: u64 = 256;
/// Stored rows of a stretch, about, of those that are counted for an estimate.
const STRETCH_ROWS: u64 = 2_048;
/// Rows of a stretch that are counted at most: a conversation can have any number.
const STRETCH_MOST: u64 = 4 * STRETCH_ROWS;

impl Export {
    /// What it will be, from a look at about so many rows at most: counts are exact if no more can be
    /// in it, and else estimated from conversations all over the archive ([`Plan::sampled`]).
    pub fn plan_within(&self, rows: u64) -> Result<Plan> {
        let plans = self.plans()?;
        let mut touched = 0;
        for (_, plan) in &plans {
            if let chatvault_query::Plan::Rows(asked) = plan {
                touched += self.touched(&asked.0)?;
            }
        }
        if touched <= rows {
            return self.plan();
        }
        let (mut all, mut looked_at, mut is_exact) = (Tally::default(), 0, true);
        for (record, plan) in plans {
            is_exact &= plan.is_exact();
            let chatvault_query::Plan::Rows(asked) = plan else { continue };
            let (of_kind, share) = self.sample((record, &asked.0), rows)?;
            looked_at += share.0;
            all.add(of_kind, share);
        }
        let places: BTreeSet<i64> = all.places.keys().copied().collect();
        let windows = self.grid.windows(&places)?;
        let mut survey = self.surveyed(all, &windows, is_exact);
        survey.sampled = Some((looked_at, touched));
        self.plan_of(survey)
    }

    /// Rows that zone maps leave.
    fn touched(&self, scan: &Scan) -> Result<u64> {
        Ok(self.snapshot.explain(scan).map_err(archive)?.rows_touched)
    }

    /// Counts a kind in stretches all over it; and how many rows were looked at, of how many.
    fn sample(&self, (record, scan): (Record, &Scan), rows: u64) -> Result<(Tally, (u64, u64))> {
        let mut tally = Tally::default();
        let of = self.touched(scan)?;
        if of <= rows / 8 {
            let _rows = self.tally(record, scan, &mut tally)?;
            return Ok((tally, (of, of)));
        }
        let stretches = self.snapshot.split(scan, STRETCH_ROWS).map_err(archive)?;
        let many = usize::try_from(rows / STRETCH_ROWS).unwrap_or(usize::MAX).max(1);
        let step = stretches.len().div_ceil(many).max(1);
        let mut looked_at = 0;
        for stretch in stretches.into_iter().skip(step / 2).step_by(step) {
            let here = self.touched(&stretch)?;
            let some = Scan { limit: Some(STRETCH_MOST), ..stretch };
            let found = self.tally(record, &some, &mut tally)?;
            // A conversation that is larger than a stretch stands for as much as was counted of it.
            looked_at += if found == STRETCH_MOST { found } else { here };
        }
        Ok((tally, (looked_at.min(of), of)))
    }

    /// Bytes of 64 messages in finished parts without attachments, by rendering a few.
    pub(super) fn sampled_bytes(&self, survey: &Survey) -> Result<u64> {
        if survey.chats().is_empty() {
            return Ok(0);
        }
        let step = survey.chats().len().div_ceil(SAMPLE_CHATS).max(1);
        let chats: Vec<String> = survey.chats().iter().step_by(step).cloned().collect();
        let request = Request {
            records: vec![Record::Message],
            text_only: true,
            part_bytes: crate::part::Settings::PART_BYTES,
            window_days: 0,
            chats,
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
        let survey = sample.first_messages()?;
        let index = sample.write(writer, survey, how, &mut |_| ControlFlow::Continue(()))?;
        let bytes: u64 = index.parts.iter().map(|part| part.bytes).sum();
        let counts = index.counts;
        let messages = (counts.messages + counts.events + counts.omitted).max(1);
        Ok((bytes.saturating_mul(64) / messages).max(1))
    }

    /// The first messages of each of its chats, as if they were all.
    fn first_messages(&self) -> Result<Survey> {
        let mut tally = Tally::default();
        let mut slices = Vec::new();
        let windows = self.grid.windows(&BTreeSet::from([0]))?;
        for chat in &self.request.chats {
            let query = self.request.query(Record::Message, self.request.whole_range()?);
            let Some(scan) = query.scan().map_err(wrong)? else { continue };
            let scan =
                Scan { conversations: vec![chat.clone()], limit: Some(SAMPLE_MESSAGES), ..scan };
            let Some(last) = self.last_created(&scan)? else { continue };
            let _is_new = tally.chats.entry(Record::Message).or_default().insert(chat.clone());
            let to = Timestamp::from_ticks(last.ticks().saturating_add(1));
            slices.push(Slice {
                record: Record::Message,
                chats: vec![chat.clone()],
                created: TimeRange { from: None, to: Some(to) },
                place: Extent::Whole,
            });
        }
        Ok(Survey { first_slices: slices, ..self.surveyed(tally, &windows, false) })
    }

    /// When the last of a scan's rows was created: they come in order.
    fn last_created(&self, scan: &Scan) -> Result<Option<Timestamp>> {
        let mut rows = self.snapshot.scan(scan).map_err(archive)?;
        let mut last = None;
        while let Some(row) = rows.next().map_err(archive)? {
            last = Some(row.created());
        }
        Ok(last)
    }
}

impl Tally {
    /// Adds what a share of all rows has, scaled to all of them.
    fn add(&mut self, other: Self, share: (u64, u64)) {
        self.chats.extend(other.chats);
        for (record, count) in other.counts {
            *self.counts.entry(record).or_default() += scaled(count, share);
        }
        for (place, Counted { messages, events, attachment_bytes }) in other.places {
            let own = self.places.entry(place).or_default();
            own.messages += scaled(messages, share);
            own.events += scaled(events, share);
            own.attachment_bytes += scaled(attachment_bytes, share);
        }
        self.attachments += scaled(other.attachments, share);
    }
}
