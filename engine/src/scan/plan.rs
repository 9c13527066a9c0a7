//! What a scan has to look at: the rows of each source that its conversations and cursor leave.
//! Zone maps are asked when a row group's turn comes, because time orders learn on the way.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use super::choose::Addresses;
use super::cursor::Cursor;
use super::filter::{Filter, Local};
use super::page::Page;
use super::stretch::Stretch;
use super::{Order, Scan, Versions};
use crate::archive::{Missing, RowId, SetReaders, Slab, SlabRow};
use crate::count::narrow;
use crate::document::Path;
use crate::error::{Error, Result};
use crate::segment::Segment;
use crate::snapshot::View;

/// A scan of a snapshot, ready to be answered.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) view: Arc<View>,
    pub(super) filter: Filter,
    pub(super) order: Order,
    pub(super) backwards: bool,
    pub(super) cursor: Option<Cursor>,
    pub(super) limit: u64,
    /// In order; `None` for all.
    pub(super) conversations: Option<Vec<String>>,
    stretch: Stretch,
    /// What is wanted of each document; `None` for all.
    pub(super) paths: Option<Arc<[Path]>>,
    /// What the filter means in each segment, once that was touched.
    locals: Vec<OnceLock<Option<Local>>>,
    /// For those who ask who delivered its rows.
    pub(super) sets: SetReaders,
}

impl Query {
    /// The same question, whose rows are chosen by other versions.
    pub(super) fn choosing(&self, versions: Versions) -> Self {
        Self {
            view: Arc::clone(&self.view),
            filter: self.filter.choosing(versions),
            cursor: None,
            conversations: None,
            stretch: Stretch::default(),
            paths: None,
            locals: self.locals.iter().map(|_| OnceLock::new()).collect(),
            sets: SetReaders::new(self.filter.until()),
            ..*self
        }
    }

    pub(super) fn new(view: Arc<View>, scan: &Scan) -> Result<Self> {
        if let Some(cursor) = &scan.cursor
            && (cursor.order, cursor.backwards) != (scan.order, scan.backwards)
        {
            return Err(Error::invalid("the cursor is of another order or direction"));
        }
        if let Some(cursor) = &scan.cursor {
            cursor.check(&view)?;
        }
        if !scan.custodians.is_empty() {
            view.state().need_ledgers()?;
        }
        let by_custodian = !scan.custodians.is_empty();
        let custodians = by_custodian.then(|| view.numbers(&scan.custodians)).transpose()?;
        let filter = Filter::new(scan, custodians, &view);
        let locals = view.state().segments.iter().map(|_| OnceLock::new()).collect();
        let conversations = (!scan.conversations.is_empty()).then(|| {
            let mut names = scan.conversations.clone();
            names.sort_unstable();
            names.dedup();
            names
        });
        Ok(Self {
            sets: SetReaders::new(filter.until()),
            filter,
            order: scan.order,
            backwards: scan.backwards,
            cursor: scan.cursor.clone(),
            limit: scan.limit.unwrap_or(u64::MAX),
            conversations,
            stretch: scan.stretch.clone(),
            paths: (!scan.paths.is_empty()).then(|| scan.paths.clone().into()),
            locals,
            view,
        })
    }

    /// What the filter means in a segment; `None` if it cannot be read and is left out.
    pub(super) fn local(&self, source: u32) -> Result<Option<&Local>> {
        let state = self.view.state();
        let place = self.locals.get(source as usize).zip(state.segments.get(source as usize));
        let Some((place, live)) = place else { return Ok(None) };
        if let Some(local) = place.get() {
            return Ok(local.as_ref());
        }
        let local = self.filter.local(live, self.view.delivered());
        let local = state.missing.pass(local)?;
        Ok(place.get_or_init(|| local).as_ref())
    }

    /// The same of a segment that was touched before.
    pub(super) fn local_if_touched(&self, source: u32) -> Option<&Local> {
        self.locals.get(source as usize)?.get()?.as_ref()
    }

    /// The time that a row is ordered by.
    pub(super) fn time(&self, page: &Page, row: u32) -> i64 {
        match self.order {
            Order::Conversation | Order::Created => page.created(row),
            Order::Modified => page.modified(row),
        }
    }

    /// Does a row come behind a cursor?
    pub(super) fn is_behind(
        &self,
        cursor: &Cursor,
        (page, at): (&Page, RowId),
        addresses: &mut Addresses,
    ) -> Result<bool> {
        let by_time = self.time(page, at.row).cmp(&cursor.time);
        let by_conversation = page.conversation(at.row)?.cmp(&*cursor.conversation);
        let mut order = match self.order {
            Order::Conversation => by_conversation.then(by_time),
            Order::Created | Order::Modified => by_time.then(by_conversation),
        };
        order = order.then_with(|| page.id(at.row).cmp(&cursor.id));
        order = order.then_with(|| page.version(at.row).cmp(&cursor.version));
        if order == Ordering::Equal {
            order = addresses.of(self.view.state(), at)?.0.cmp(&cursor.address);
        }
        Ok(order == if self.backwards { Ordering::Less } else { Ordering::Greater })
    }

    /// Rows of a source that the conversations leave, and the cursor if rows are ordered by
    /// conversation. Ascending.
    pub(super) fn ranges(&self, source: u32) -> Result<Vec<(u32, u32)>> {
        let live = self.view.state().segments.get(source as usize);
        if let Some(live) = live
            && (!self.filter.may_want(live) || self.local(source)?.is_none())
        {
            return Ok(Vec::new());
        }
        let mut ranges = self.ranges_of_conversations(source)?;
        let first = self.stretch.from.as_ref().map(|from| self.first_from(source, from));
        let end = self.stretch.to.as_ref().map(|to| self.first_from(source, to));
        let (first, end) = (first.transpose()?.unwrap_or(0), end.transpose()?.unwrap_or(u32::MAX));
        for range in &mut ranges {
            *range = (range.0.max(first), range.1.min(end));
        }
        if let (Order::Conversation, Some(cursor)) = (self.order, &self.cursor) {
            let cut = self.cut(source, cursor)?;
            for (start, end) in &mut ranges {
                if self.backwards {
                    *end = cut.min(*end);
                } else {
                    *start = cut.max(*start);
                }
            }
        }
        ranges.retain(|(start, end)| start < end);
        // Neighbours are read as one.
        ranges.dedup_by(|next, last| {
            let adjoins = last.1 == next.0;
            if adjoins {
                last.1 = next.1;
            }
            adjoins
        });
        Ok(ranges)
    }

    pub(super) fn slab(&self, source: u32) -> Option<&Arc<Slab>> {
        let state = self.view.state();
        state.slabs.get((source as usize).checked_sub(state.segments.len())?)
    }

    fn ranges_of_conversations(&self, source: u32) -> Result<Vec<(u32, u32)>> {
        let state = self.view.state();
        if let Some(slab) = self.slab(source) {
            let rows = |range: std::ops::Range<usize>| (narrow(range.start), narrow(range.end));
            return Ok(match &self.conversations {
                None => vec![rows(0..slab.rows.len())],
                Some(names) => names.iter().map(|name| rows(slab.rows_of(name))).collect(),
            });
        }
        let live = &state.segments[source as usize];
        let Some(names) = &self.conversations else {
            return Ok(vec![(0, narrow64(live.entry.rows))]);
        };
        let mut ranges = Vec::new();
        for name in names {
            let rows = live.segment().and_then(|segment| segment.rows_of(name));
            ranges.extend(state.missing.pass(rows)?.flatten());
        }
        Ok(ranges)
    }

    /// The first row of a source that is certainly not before the cursor; backwards, the first
    /// that certainly is behind it.
    fn cut(&self, source: u32, cursor: &Cursor) -> Result<u32> {
        let passed = |created: i64| {
            if self.backwards { created <= cursor.time } else { created < cursor.time }
        };
        if let Some(slab) = self.slab(source) {
            let before = slab.rows.partition_point(|row| {
                let by_conversation = (*row.conversation).cmp(&*cursor.conversation);
                by_conversation.is_lt() || (by_conversation.is_eq() && passed(row.created.ticks()))
            });
            return Ok(narrow(before));
        }
        let state = self.view.state();
        let segment = state.segments[source as usize].segment()?;
        if let Some(rows) = state.missing.pass(segment.rows_of(&cursor.conversation))?.flatten() {
            return partition(segment, rows, &passed, &state.missing);
        }
        self.first_from(source, &cursor.conversation)
    }

    /// The first row of a source whose conversation has this name or a higher one.
    fn first_from(&self, source: u32, conversation: &str) -> Result<u32> {
        if let Some(slab) = self.slab(source) {
            let before = |row: &SlabRow| *row.conversation < *conversation;
            return Ok(narrow(slab.rows.partition_point(before)));
        }
        let state = self.view.state();
        let live = &state.segments[source as usize];
        let first = live.segment().and_then(|segment| segment.first_from(conversation));
        Ok(state.missing.pass(first)?.unwrap_or(0))
    }
}

/// The first row of a conversation that was not passed, by its created time.
fn partition(
    segment: &Segment,
    (start, end): (u32, u32),
    passed: &dyn Fn(i64) -> bool,
    missing: &Missing,
) -> Result<u32> {
    let mut row = start;
    while row < end {
        let number = segment.group_of(row);
        let group = segment.group(number)?;
        let part_end = group.end_row().min(end);
        if !passed(group.created.high) {
            let Some(keys) = missing.pass(segment.keys(number))? else { return Ok(row) };
            let local = |row: u32| (row - group.first_row) as usize;
            let created = keys.created.get(local(row)..local(part_end)).unwrap_or_default();
            let at = row + narrow(created.partition_point(|created| passed(*created)));
            if at < part_end {
                return Ok(at);
            }
        }
        row = part_end;
    }
    Ok(end)
}

fn narrow64(rows: u64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
