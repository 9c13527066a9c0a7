//! Which of a message's rows a scan gives.
//!
//! The highest version of the universe; of its variants the one with the longest canonical form,
//! ties by the smallest content address. Nearly every message has one row, and that must cost
//! nothing: a row that arrived when another row of its message was there is marked as a sibling,
//! so the messages with several rows are known from the marked rows of their conversation.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::Versions;
use super::key::Id;
use super::page::Page;
use super::plan::Query;
use crate::archive::{Compare, Key, Live, RowId, State};
use crate::error::Result;
use crate::segment::{Group, ListPage};
use crate::types::{ContentAddress, Sequence, TICKS_PER_MS, Timestamp};

/// Choices remembered in one conversation.
const MAX_CHOICES: usize = 4096;

/// Ids of marked rows that are not in segments, by conversation.
pub(crate) type SlabSiblings = HashMap<Box<str>, Vec<Id>, RandomState>;

/// Looks through the slabs of a state.
pub(crate) fn slab_siblings(state: &State) -> SlabSiblings {
    let mut siblings = SlabSiblings::default();
    let rows = state.slabs.iter().flat_map(|slab| &slab.rows).filter(|row| row.sibling);
    rows.for_each(|row| {
        siblings.entry_ref(&*row.conversation).or_default().push(Id::of(&row.id));
    });
    siblings
}

/// Recomputes content addresses of rows wherever they are.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    compare: Compare,
}

impl Addresses {
    /// A row's content address, and the length of its canonical form.
    pub(crate) fn of(&mut self, state: &State, at: RowId) -> Result<(ContentAddress, usize)> {
        let source = at.source as usize;
        if let Some(live) = state.segments.get(source) {
            return self.compare.row(live, at.row);
        }
        let row = &state.slabs[source - state.segments.len()].rows[at.row as usize];
        Ok((row.address, row.canonical_bytes as usize))
    }

    /// The content address of a row's document.
    pub(crate) fn of_document(&mut self, document: &[u8]) -> Result<ContentAddress> {
        self.compare.document(document).map(|(address, _)| address)
    }
}

/// Chooses rows, one conversation after the other.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    pub(super) addresses: Addresses,
    conversation: Option<Box<str>>,
    /// The page of conversations looked at last, of each segment.
    pages: Vec<Option<(usize, Arc<ListPage>)>>,
    /// Marked rows up to this commit may be where nothing can be read; 0 if all can.
    blind: u64,
    /// Source and rows of the conversation in segments.
    places: Option<Vec<(u32, u32, u32)>>,
    /// Not all places of the conversation could be read.
    unsure: bool,
    /// The page of a row looked at last, of each source.
    looked_at: Vec<Option<Page>>,
    /// Ids that are numbers from the first to the last were looked through.
    seen: Option<(i64, i64)>,
    numbers: HashSet<i64, RandomState>,
    texts: HashSet<Box<str>, RandomState>,
    chosen: HashMap<(Id, Option<Box<str>>), Vec<RowId>, RandomState>,
}

impl Chooser {
    /// Goes to a conversation.
    pub(super) fn enter(&mut self, conversation: &str) {
        if self.conversation.as_deref() == Some(conversation) {
            return;
        }
        self.conversation = Some(conversation.into());
        (self.places, self.seen, self.blind, self.unsure) = (None, None, 0, false);
        self.numbers.clear();
        self.texts.clear();
        self.chosen.clear();
    }

    /// Does the scan give this row of the conversation, which is wanted otherwise?
    pub(super) fn gives(&mut self, query: &Query, page: &Page, at: RowId) -> Result<bool> {
        let is_behind = match &query.cursor {
            Some(cursor) => query.is_behind(cursor, (page, at), &mut self.addresses)?,
            None => true,
        };
        Ok(is_behind && self.accepts(query, page, at)?)
    }

    /// The same of a row behind the cursor.
    pub(super) fn accepts(&mut self, query: &Query, page: &Page, at: RowId) -> Result<bool> {
        if query.filter.versions == Versions::EveryVariant {
            return Ok(true);
        }
        let id = page.id(at.row);
        if !self.may_have_siblings(query, (page, at), &id)? {
            return Ok(true);
        }
        let key = (id, page.reply_to(at.row));
        if let Some(chosen) = self.chosen.get(&key) {
            return Ok(chosen.contains(&at));
        }
        let id = key.0.text();
        let message = Key {
            record: query.filter.record,
            conversation: page.conversation(at.row)?,
            reply_to: key.1.as_deref(),
            id: &id,
        };
        let (state, until) = (query.view.state(), Sequence(query.filter.until()));
        let rows = match self.places.as_deref().filter(|_| !self.unsure) {
            Some(places) => state.rows_among(&message, until, places)?,
            None => state.rows_of(&message, until)?,
        };
        let chosen = self.choose(query, rows)?;
        let accepted = chosen.contains(&at);
        if self.chosen.len() >= MAX_CHOICES {
            self.chosen.clear();
        }
        drop(self.chosen.insert(key, chosen));
        Ok(accepted)
    }

    /// Chooses among all rows of one message.
    pub(super) fn choose(&mut self, query: &Query, rows: Vec<RowId>) -> Result<Vec<RowId>> {
        let state = query.view.state();
        let mut versions = Vec::with_capacity(rows.len());
        self.looked_at.resize(state.segments.len() + state.slabs.len(), None);
        for at in rows {
            let looked_at = &mut self.looked_at[at.source as usize];
            let page = match looked_at.take().filter(|page| page.holds(at.row)) {
                Some(page) => page,
                None => Page::open(state, at)?,
            };
            let page = looked_at.insert(page);
            let local = query.local(at.source)?;
            let delivered = query.view.delivered();
            if query.filter.in_universe(state, local, (page, at), delivered)? {
                versions.push((page.version(at.row), at));
            }
        }
        let addresses = &mut self.addresses;
        pick(versions, query.filter.versions, &mut |at| addresses.of(state, at))
    }

    fn may_have_siblings(
        &mut self,
        query: &Query,
        (page, at): (&Page, RowId),
        id: &Id,
    ) -> Result<bool> {
        let seen = |seen: &(i64, i64)| match id {
            Id::Number(number) => (seen.0..=seen.1).contains(number),
            // Ids that are no numbers are only where every look goes.
            Id::Text(_) => true,
        };
        if !self.seen.as_ref().is_some_and(seen) {
            let window = self.survey(query, page, at)?;
            self.gather(query, window)?;
            // A full look-up is always right.
            if !seen(&window) {
                return Ok(true);
            }
        }
        // The first row of a message has none before it, and knows none behind it.
        if self.blind > 0 && (page.is_sibling(at.row) || page.sequence(at.row) <= self.blind) {
            return Ok(true);
        }
        Ok(match id {
            Id::Number(number) => !self.numbers.is_empty() && self.numbers.contains(number),
            Id::Text(text) => !self.texts.is_empty() && self.texts.contains(text),
        })
    }

    /// Finds the conversation in all segments, and says which ids to look through for a row.
    fn survey(&mut self, query: &Query, page: &Page, at: RowId) -> Result<(i64, i64)> {
        let state = query.view.state();
        let name = page.conversation(at.row)?;
        if self.places.is_none() {
            let mut places = Vec::new();
            self.pages.resize(state.segments.len(), None);
            for (source, live) in (0_u32..).zip(&state.segments) {
                let kept = &mut self.pages[source as usize];
                let found = live.segment().and_then(|segment| segment.rows_of_next(name, kept));
                self.unsure |= found.is_err();
                let found = if has_marked(live) {
                    self.or_blind(state, found, live.entry.last.0)?
                } else {
                    found.ok()
                };
                places.extend(found.flatten().map(|(start, end)| (source, start, end)));
            }
            self.places = Some(places);
        }
        let places = self.places.iter().flatten();
        let marked = places.filter(|(source, ..)| has_marked(&state.segments[*source as usize]));
        let rows: u64 = marked.map(|(_, start, end)| u64::from(end - start)).sum();
        if rows <= query.view.limits().small_conversation {
            return Ok((i64::MIN, i64::MAX));
        }
        let (first, last) = match page {
            Page::Group { .. } => {
                let segment = state.segments[at.source as usize].segment()?;
                let group: &Group = segment.group(segment.group_of(at.row))?;
                (group.created.low, group.created.high)
            }
            Page::Slab(slab) => {
                let rows = slab.rows.get(slab.rows_of(name)).unwrap_or_default();
                let created = |at: usize| rows.get(at).map_or(0, |row| row.created.ticks());
                (created(0), created(rows.len().saturating_sub(1)))
            }
        };
        Ok((Timestamp::from_ticks(first).ms(), Timestamp::from_ticks(last).ms()))
    }

    /// What cannot be read may have marked rows up to a commit: each row's message is then looked
    /// up, which meets the damage only where it matters.
    fn or_blind<T>(&mut self, state: &State, found: Result<T>, last: u64) -> Result<Option<T>> {
        match state.missing.pass(found) {
            Err(error) if error.is_unreadable() => {
                self.blind = self.blind.max(last);
                Ok(None)
            }
            other => other,
        }
    }

    /// Collects the ids of marked rows whose ids are in the window or are no creation times.
    fn gather(&mut self, query: &Query, window: (i64, i64)) -> Result<()> {
        let state = query.view.state();
        self.seen = Some(window);
        self.numbers.clear();
        self.texts.clear();
        let name = self.conversation.as_deref().unwrap_or_default();
        for id in query.view.slab_siblings().get(name).into_iter().flatten() {
            let _ = match id {
                Id::Number(number) => self.numbers.insert(*number),
                Id::Text(text) => self.texts.insert(text.clone()),
            };
        }
        let ticks = |ms: i64| ms.saturating_mul(TICKS_PER_MS);
        let (from, to) = (ticks(window.0), ticks(window.1.saturating_add(1)));
        for (source, start, end) in self.places.clone().iter().flatten() {
            let live = &state.segments[*source as usize];
            if !has_marked(live) {
                continue;
            }
            let segment = live.segment()?;
            let groups = segment.group_of(*start)..=segment.group_of(end.saturating_sub(1));
            for number in groups {
                let group = segment.group(number)?;
                if !group.odd_ids && !group.created.meets(from, to) {
                    continue;
                }
                let last = group.sequence.high.cast_unsigned();
                let keys = self.or_blind(state, segment.keys(number), last)?;
                let Some(keys) = keys else { continue };
                let marked = keys.siblings();
                let local = |row: u32| row.saturating_sub(group.first_row);
                let first = marked.partition_point(|row| *row < local(*start));
                let rest = marked.get(first..).unwrap_or_default();
                for row in rest.iter().take_while(|row| **row < local(*end)) {
                    let page_row = *row as usize;
                    let _ = match keys.numeric_id(page_row) {
                        Some(number) => self.numbers.insert(number),
                        None => self.texts.insert(text_id(&keys, page_row)),
                    };
                }
            }
        }
        Ok(())
    }
}

/// Can a segment have marked rows?
fn has_marked(live: &Live) -> bool {
    live.segment().map_or(true, |segment| segment.meta.messages < segment.meta.rows)
}

fn text_id(keys: &crate::segment::Keys, row: usize) -> Box<str> {
    let mut text = Vec::new();
    keys.put_id(row, &mut text);
    String::from_utf8_lossy(&text).into()
}

/// Picks among the rows of a message, given with their versions. `look` gives a row's content
/// address and the length of its canonical form, and is asked only where it decides.
fn pick(
    mut rows: Vec<(u64, RowId)>,
    versions: Versions,
    look: &mut dyn FnMut(RowId) -> Result<(ContentAddress, usize)>,
) -> Result<Vec<RowId>> {
    rows.sort_unstable();
    match versions {
        Versions::EveryVariant => Ok(rows.into_iter().map(|(_, at)| at).collect()),
        Versions::All => {
            let each = rows.chunk_by(|a, b| a.0 == b.0);
            each.map(|variants| best(variants, look)).collect()
        }
        Versions::Latest | Versions::AsOf(_) => {
            let last = rows.chunk_by(|a, b| a.0 == b.0).next_back();
            last.map(|variants| best(variants, look)).into_iter().collect()
        }
    }
}

fn best(
    variants: &[(u64, RowId)],
    look: &mut dyn FnMut(RowId) -> Result<(ContentAddress, usize)>,
) -> Result<RowId> {
    let mut best = variants[0].1;
    if variants.len() > 1 {
        let (mut address, mut bytes) = look(best)?;
        for (_, at) in &variants[1..] {
            let (other, length) = look(*at)?;
            if length > bytes || (length == bytes && other < address) {
                (best, address, bytes) = (*at, other, length);
            }
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    /// Row n has version, canonical length and address as listed.
    fn picked(rows: &[(u64, usize, u8)], versions: Versions) -> Vec<u32> {
        let all =
            (0_u32..).zip(rows).map(|(row, (version, ..))| (*version, RowId { source: 0, row }));
        let mut look = |at: RowId| {
            let (_, bytes, address) = rows[at.row as usize];
            Ok((ContentAddress([address; 32]), bytes))
        };
        let rows = pick(all.collect(), versions, &mut look).unwrap();
        rows.into_iter().map(|at| at.row).collect()
    }

    #[test]
    fn the_highest_version_then_the_longest_then_the_smallest_address() {
        let rows = [(5, 10, 9), (7, 20, 3), (7, 30, 5), (7, 30, 4), (6, 99, 1), (5, 9, 1)];
        assert_eq!(picked(&rows, Versions::Latest), [3]);
        assert_eq!(picked(&rows, Versions::AsOf(Timestamp::MAX)), [3]);
        assert_eq!(picked(&rows, Versions::All), [0, 4, 3]);
        assert_eq!(picked(&rows, Versions::EveryVariant).len(), rows.len());
        assert!(picked(&[], Versions::Latest).is_empty());
    }

    #[test]
    fn a_version_without_variants_is_not_rendered() {
        let rows = vec![(1, RowId { source: 0, row: 0 }), (2, RowId { source: 1, row: 0 })];
        let mut look = |_| Err(Error::corrupt("looked"));
        let latest = pick(rows, Versions::Latest, &mut look).unwrap();
        assert_eq!(latest, [RowId { source: 1, row: 0 }]);
    }
}
