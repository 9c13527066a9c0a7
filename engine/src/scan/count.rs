//! How many rows a scan gives. Where zone maps leave no question about a row group its footer tells its
//! rows, and only the others are looked at; no conversation is gone through unless versions must be
//! chosen.
//!
//! A message has one row that came first and is no sibling of another, so these count the messages.

use std::sync::Arc;

use super::explain::each;
use super::filter::{GroupPlace, Place, Window};
use super::plan::Query;
use super::{Scan, Versions};
use crate::archive::{Folded, State};
use crate::count::narrow;
use crate::error::Result;
use crate::snapshot::View;

/// The number of rows of a scan.
pub(crate) fn count(view: Arc<View>, scan: &Scan) -> Result<u64> {
    let query = Query::new(view, scan)?;
    let state = query.view.state();
    let firsts = match query.filter.versions {
        Versions::EveryVariant => Some(false),
        Versions::Latest => Some(true).filter(|_| {
            query.filter.wants_each_message(state.sequence) && first_rows_are_known(state)
        }),
        Versions::All | Versions::AsOf(_) => None,
    };
    // What salvage leaves out is found where rows are looked at.
    let by_rows = query.cursor.is_some() || state.missing.salvage();
    match firsts.filter(|_| !by_rows) {
        Some(firsts) => Ok(Counting { query: &query, firsts }.count()?.min(query.limit)),
        None => each(&query, |_, _| Ok(())),
    }
}

/// Is exactly one row of each message no sibling? What is stored beside a row that cannot be read
/// counts as its sibling, and need not be.
fn first_rows_are_known(state: &State) -> bool {
    let segments = || state.segments.iter().filter_map(|live| live.segment().ok());
    let slabs = || state.slabs.iter().flat_map(|slab| &slab.rows);
    segments().all(|segment| segment.meta.beside == 0)
        && !slabs().any(|row| row.beside)
        && Folded::of(&state.manifest).is_empty()
        && !state.is_repaired()
}

struct Counting<'q> {
    query: &'q Query,
    /// Only rows that came first of their message.
    firsts: bool,
}

impl Counting<'_> {
    fn count(&self) -> Result<u64> {
        let state = self.query.view.state();
        let mut rows = 0;
        for source in 0..narrow(state.segments.len() + state.slabs.len()) {
            for range in self.query.ranges(source)? {
                rows += match self.query.slab(source) {
                    Some(_) => self.in_slab(source, range),
                    None => self.in_segment(source, range)?,
                };
            }
        }
        Ok(rows)
    }

    fn window(&self) -> &Window {
        &self.query.filter.window
    }

    fn in_slab(&self, source: u32, range: (u32, u32)) -> u64 {
        let Some(slab) = self.query.slab(source) else { return 0 };
        let (with, mut hits) = ((self.window(), self.query.view.delivered()), Vec::new());
        self.query.filter.push_slab_hits(slab, range, with, &mut hits);
        hits.retain(|row| !(self.firsts && slab.rows[*row as usize].sibling));
        hits.len() as u64
    }

    fn in_segment(&self, source: u32, (start, end): (u32, u32)) -> Result<u64> {
        let (query, filter) = (self.query, &self.query.filter);
        let live = &query.view.state().segments[source as usize];
        let Some(local) = query.local(source)? else { return Ok(0) };
        let segment = live.segment()?;
        let place = Place { live, local, delivered: query.view.delivered() };
        let is_plain = |group| filter.wants_all(local, group, self.window());
        if self.firsts && (start, end) == (0, segment.meta.rows) {
            // Of messages alone: other records have rows that came first, too.
            if segment.meta.groups.iter().all(is_plain) {
                return Ok(u64::from(segment.meta.messages));
            }
        }
        let (mut rows, mut hits) = (0, Vec::new());
        let numbers = segment.group_of(start)..=segment.group_of(end.saturating_sub(1));
        for number in numbers {
            let group = segment.group(number)?;
            if filter.rules_out_group(&place, group, self.window()).is_some() {
                continue;
            }
            let part = (start.max(group.first_row), end.min(group.end_row()));
            if !self.firsts && is_plain(group) {
                rows += u64::from(part.1 - part.0);
                continue;
            }
            let keys = segment.keys(number)?;
            hits.clear();
            let group_place = GroupPlace { segment: place, group, keys: &keys };
            filter.push_hits(&group_place, part, self.window(), &mut hits)?;
            let local = |row: &u32| (row - group.first_row) as usize;
            hits.retain(|row| !(self.firsts && keys.is_sibling(local(row))));
            rows += hits.len() as u64;
        }
        Ok(rows)
    }
}
