//! Goes through the conversations of all sources in order, and through the rows of each that pass
//! the filter. A source is read one row group at a time; groups and conversations without a row
//! that passes cost nothing beyond their zone maps and keys.

use std::sync::Arc;

use super::filter::{GroupPlace, Place, Window};
use super::key::Heads;
use super::page::{Name, Page};
use super::plan::Query;
use crate::archive::{Missing, RowId, in_gap};
use crate::count::narrow;
use crate::error::Result;
use crate::segment::{List, Lists};

/// All sources on their way through the conversations.
#[derive(Debug)]
pub(super) struct Walk {
    lanes: Vec<Lane>,
    /// The next conversation of each lane that is not in `current`.
    heads: Heads<Name>,
    /// Lanes in the present conversation.
    current: Vec<usize>,
    /// Narrower than the filter's while the best rows are being looked for.
    pub(super) window: Window,
}

/// One source.
#[derive(Debug)]
pub(super) struct Lane {
    source: u32,
    /// Rows still to be looked at, the next ones last.
    ranges: Vec<(u32, u32)>,
    page: Option<Page>,
    /// Of a segment, once it is touched and until its last row.
    lists: Option<Arc<Lists>>,
    /// Rows of the page that pass the filter, the next one last.
    hits: Vec<u32>,
    /// The rows of the present conversation.
    conversation: (u32, u32),
    backwards: bool,
}

impl Walk {
    pub(super) fn new(query: &Query, backwards: bool) -> Result<Self> {
        let state = query.view.state();
        let mut lanes = Vec::new();
        for source in 0..narrow(state.segments.len() + state.slabs.len()) {
            let mut ranges = query.ranges(source)?;
            if !backwards {
                ranges.reverse();
            }
            let (page, lists, hits, conversation) = (None, None, Vec::new(), (0, 0));
            if !ranges.is_empty() {
                lanes.push(Lane { source, ranges, page, lists, hits, conversation, backwards });
            }
        }
        let current = (0..lanes.len()).collect();
        let window = query.filter.window;
        Ok(Self { lanes, heads: Heads::new(backwards), current, window })
    }

    /// Goes to the next conversation that has rows. Those of the present one have been taken.
    pub(super) fn next_conversation(&mut self, query: &Query) -> Result<Option<Name>> {
        for number in self.current.drain(..) {
            let lane = &mut self.lanes[number];
            if let Some(name) = lane.next_conversation(query, &self.window)? {
                self.heads.push(name, number);
            }
        }
        let Some((name, first)) = self.heads.pop() else { return Ok(None) };
        self.current.push(first);
        while let Some(number) = self.heads.pop_equal(&name) {
            self.current.push(number);
        }
        Ok(Some(name))
    }

    /// How many sources have rows of the present conversation.
    pub(super) fn sources(&self) -> usize {
        self.current.len()
    }

    /// The next row of the present conversation in one of its sources, which stays next.
    pub(super) fn peek(&mut self, query: &Query, source: usize) -> Result<Option<(&Page, RowId)>> {
        let lane = &mut self.lanes[self.current[source]];
        lane.peek(query, &self.window)
    }

    /// Takes the row that [`Walk::peek`] gave.
    pub(super) fn take(&mut self, source: usize) {
        let _ = self.lanes[self.current[source]].hits.pop();
    }
}

impl Lane {
    fn peek(&mut self, query: &Query, window: &Window) -> Result<Option<(&Page, RowId)>> {
        let row = self.hit(query, window)?.filter(|row| {
            let (start, end) = self.conversation;
            (start..end).contains(row)
        });
        let found = row.zip(self.page.as_ref());
        Ok(found.map(|(row, page)| (page, RowId { source: self.source, row })))
    }

    fn next_conversation(&mut self, query: &Query, window: &Window) -> Result<Option<Name>> {
        let row = self.hit(query, window)?;
        let Some((row, page)) = row.zip(self.page.as_ref()) else { return Ok(None) };
        let (name, conversation) = page.directory(row)?;
        self.conversation = conversation;
        Ok(Some(name))
    }

    fn hit(&mut self, query: &Query, window: &Window) -> Result<Option<u32>> {
        while self.hits.is_empty() {
            let Some(range) = self.ranges.pop() else {
                (self.page, self.lists) = (None, None);
                return Ok(None);
            };
            self.load(query, window, range)?;
        }
        Ok(self.hits.last().copied())
    }

    /// Looks at the next row group of a range that can have rows.
    fn load(&mut self, query: &Query, window: &Window, (start, end): (u32, u32)) -> Result<()> {
        if let Some(slab) = query.slab(self.source) {
            let with = (window, query.view.delivered());
            query.filter.push_slab_hits(slab, (start, end), with, &mut self.hits);
            self.page = Some(Page::Slab(Arc::clone(slab)));
        } else {
            self.load_group(query, window, (start, end))?;
        }
        if !self.backwards {
            self.hits.reverse();
        }
        Ok(())
    }

    fn load_group(&mut self, query: &Query, window: &Window, rows: (u32, u32)) -> Result<()> {
        let (start, end) = rows;
        let state = query.view.state();
        let live = &state.segments[self.source as usize];
        let Some(local) = query.local(self.source)? else { return Ok(()) };
        let segment = live.segment()?;
        let place = Place { live, local, delivered: query.view.delivered() };
        let [first, last] = [start, end - 1].map(|row| segment.group_of(row));
        let numbered = segment.meta.groups.iter().enumerate().skip(first).take(last + 1 - first);
        let mut wanted = numbered
            .filter(|(_, group)| query.filter.rules_out_group(&place, group, window).is_none());
        let next = if self.backwards { wanted.next_back() } else { wanted.next() };
        let Some((number, group)) = next else { return Ok(()) };
        let part = (start.max(group.first_row), end.min(group.end_row()));
        let rest = if self.backwards { (start, part.0) } else { (part.1, end) };
        if rest.0 < rest.1 {
            self.ranges.push(rest);
        }
        let gaps = state.missing.gaps(segment, number);
        let Some(keys) = state.missing.pass(segment.keys(number))? else { return Ok(()) };
        let place = GroupPlace { segment: place, group, keys: &keys };
        query.filter.push_hits(&place, part, window, &mut self.hits)?;
        if !gaps.is_empty() {
            self.hits.retain(|row| !in_gap(&gaps, *row));
        }
        let lists = self.lists.get_or_insert_with(|| Arc::new(Lists::new(Arc::clone(segment))));
        if state.missing.salvage() {
            leave_out_nameless(&state.missing, lists, &mut self.hits)?;
        }
        let (first, end) = (group.first_row, group.end_row());
        self.page = Some(Page::Group { keys, lists: Arc::clone(lists), first, end });
        Ok(())
    }
}

/// Leaves out rows whose conversations cannot be named.
fn leave_out_nameless(missing: &Missing, lists: &Lists, hits: &mut Vec<u32>) -> Result<()> {
    let directory = lists.segment().meta.list(List::Conversations);
    let mut pages: Vec<usize> = hits.iter().map(|row| directory.page_of_row(*row)).collect();
    pages.dedup();
    for page in pages {
        if missing.pass(lists.read_conversations(page))?.is_none() {
            hits.retain(|row| directory.page_of_row(*row) != page);
        }
    }
    Ok(())
}
