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
const SAMPLE_CHATS: usize = 48;
/// First messages of each of them, about: the sample is rendered with many and with few, which
/// tells what a conversation costs from what a message costs.
const SAMPLE_MESSAGES: [u64; 2] = [192, 12];
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
        survey.sampled = (looked_at < touched).then_some((looked_at, touched));
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
        let (mut looked_at, mut is_whole) = (0, step == 1);
        for stretch in stretches.into_iter().skip(step / 2).step_by(step) {
            let here = self.touched(&stretch)?;
            let some = Scan { limit: Some(STRETCH_MOST), ..stretch };
            let found = self.tally(record, &some, &mut tally)?;
            // A conversation that is larger than a stretch stands for as much as was counted of it.
            looked_at += if found == STRETCH_MOST { found } else { here };
            is_whole &= found < STRETCH_MOST;
        }
        // A row group that two stretches share is counted for both.
        let looked_at = if is_whole { of } else { looked_at.min(of.saturating_sub(1)) };
        Ok((tally, (looked_at, of)))
    }

    /// What its parts cost without attachments, by rendering a few messages of a few conversations.
    pub(super) fn costs(&self, survey: &Survey) -> Result<Costs> {
        if survey.chats().is_empty() {
            return Ok(Costs::default());
        }
        let step = survey.chats().len().div_ceil(SAMPLE_CHATS).max(1);
        let chats: Vec<String> = survey.chats().iter().step_by(step).cloned().collect();
        let number = chats.len() as u64;
        let [many, few] = SAMPLE_MESSAGES.map(|most| self.rendered(&chats, most));
        Ok(Costs::of(number, self.rendered(&[], 0)?.1, many?, few?))
    }

    /// The first messages of some of its conversations: how many, and the bytes of their parts.
    fn rendered(&self, chats: &[String], most: u64) -> Result<(u64, u64)> {
        let request = Request {
            records: vec![Record::Message],
            text_only: true,
            part_bytes: crate::part::Settings::PART_BYTES,
            window_days: 0,
            chats: chats.to_vec(),
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
        let survey = sample.first_messages(most)?;
        let index = sample.write(writer, survey, how, &mut |_| ControlFlow::Continue(()))?;
        let counts = index.counts;
        let messages = counts.messages + counts.events + counts.omitted;
        Ok((messages, index.parts.iter().map(|part| part.bytes).sum()))
    }

    /// The first messages of each of its chats, as if they were all.
    fn first_messages(&self, most: u64) -> Result<Survey> {
        let mut tally = Tally::default();
        let mut slices = Vec::new();
        let windows = self.grid.windows(&BTreeSet::from([0]))?;
        for chat in &self.request.chats {
            let query = self.request.query(Record::Message, self.request.whole_range()?);
            let Some(scan) = query.scan().map_err(wrong)? else { continue };
            let scan = Scan { conversations: vec![chat.clone()], limit: Some(most), ..scan };
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

/// What parts cost without attachments, in 64ths of a byte.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Costs {
    chat: u64,
    message: u64,
}

impl Costs {
    /// Of a number of conversations, rendered with many and with few messages (how many, and the
    /// bytes), and the bytes of a part without any.
    fn of(chats: u64, empty: u64, many: (u64, u64), few: (u64, u64)) -> Self {
        let each = |bytes: u64, number: u64| bytes.saturating_mul(64) / number.max(1);
        let of_many = many.1.saturating_sub(empty);
        let message = if many.0 > few.0 {
            each(many.1.saturating_sub(few.1), many.0 - few.0)
        } else {
            each(of_many, many.0)
        };
        let of_messages = message.saturating_mul(many.0) / 64;
        Self { chat: each(of_many.saturating_sub(of_messages), chats), message }
    }

    pub(super) fn bytes(self, chats: u64, messages: u64) -> u64 {
        let of_chats = self.chat.saturating_mul(chats);
        of_chats.saturating_add(self.message.saturating_mul(messages)) / 64
    }
}

impl Tally {
    /// Adds what a share of all rows has, scaled to all of them.
    fn add(&mut self, other: Self, share: (u64, u64)) {
        self.chats.extend(other.chats);
        for (record, count) in other.counts {
            *self.counts.entry(record).or_default() += scaled(count, share);
        }
        for (place, Counted { messages, events, attachment_bytes, conversations }) in other.places {
            let own = self.places.entry(place).or_default();
            own.messages += scaled(messages, share);
            own.events += scaled(events, share);
            own.attachment_bytes += scaled(attachment_bytes, share);
            own.conversations += scaled(conversations, share);
        }
        self.attachments += scaled(other.attachments, share);
    }
}
