//! The candidates of a search in order of time, a stretch at a time: whoever reads a page of hits waits
//! for the candidates of that page, not for all of them.
//!
//! Invariants: stretches follow each other in the order of the scan without a gap, and candidates of
//! the same time are in the same one; memory is that of the longest stretch.

use std::collections::HashSet;

use chatvault_engine::{
    Order, RecordKind, RowKeys, Scan, Snapshot, TimeRange, Timestamp, Versions,
};
use tantivy::query::EnableScoring;
use tantivy::{DocId, SegmentReader};

use super::ask::{Asked, Candidates, Compiler, MOST_CONVERSATIONS, MOST_ROWS};
use super::schema::{CONVERSATION, CREATED, RECORD, ROW, record_number};
use super::{Index, failed, guarded, unreadable};
use crate::error::{Error, Result};
use crate::search::Search;

/// Candidates of the first stretch: those of a page of hits, and versions that are not the chosen ones.
const FIRST_ROWS: usize = if cfg!(test) { 3 } else { 32 };
/// So many times more has each next one: what is read to its end is read in few.
const GROWTH: usize = 8;
/// Candidates of a stretch, but for those of the same time.
const STRETCH_ROWS: usize = if cfg!(test) { 20 } else { 65_536 };

/// Goes through the candidates of a search.
#[derive(Debug)]
pub(crate) struct Stretches {
    index: Index,
    search: Search,
    /// What is asked beside the search, in the times that are left.
    scan: Scan,
    later: Later,
    rows: usize,
    is_over: bool,
}

/// How a search is answered.
#[derive(Debug)]
pub(crate) enum Way {
    /// By candidates of the index, in order of time.
    Stretches(Box<Stretches>),
    /// By looking at each row: most of them may meet it.
    EachRow,
    /// By all candidates of the index together.
    Together,
}

/// A part of a search: where its rows are, and which of them may meet it.
pub(crate) struct Stretch {
    pub(crate) scan: Scan,
    pub(crate) candidates: Candidates,
}

/// Rows that the index does not have yet.
#[derive(Debug, Default)]
struct Later {
    /// When each was created, and in which conversation.
    rows: Vec<(i64, usize)>,
    conversations: Vec<String>,
}

/// Where a candidate is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In a segment of the index.
    Known(usize, DocId),
    Later(usize),
}

impl Index {
    /// How rows are found that meet a search.
    pub(crate) fn way(&self, search: &Search, snapshot: &Snapshot, scan: &Scan) -> Result<Way> {
        // A text can come long after its transcript: these are looked at wherever they are.
        if scan.order != Order::Created || scan.record == RecordKind::CallTranscript {
            return Ok(Way::Together);
        }
        self.check(snapshot)?;
        if guarded(|| Ok(matches!(self.compiler().compile(&search.tree), Asked::Everything)))? {
            return Ok(Way::EachRow);
        }
        let mut scan = scan.clone();
        if let Some(cursor) = &scan.cursor {
            let from = TimeRange { from: Some(cursor.time()), to: None };
            let up_to = TimeRange { from: None, to: behind(cursor.time()) };
            scan.created = both(scan.created, if scan.backwards { up_to } else { from });
        }
        let Some(later) = self.later(snapshot, &scan)? else { return Ok(Way::Together) };
        let (index, search, rows) = (self.clone(), search.clone(), FIRST_ROWS);
        let stretches = Stretches { index, search, scan, later, rows, is_over: false };
        Ok(Way::Stretches(Box::new(stretches)))
    }

    fn compiler(&self) -> Compiler<'_> {
        Compiler { fields: &self.fields, excludes: true, common: Some(&self.searcher) }
    }

    /// What arrived behind the index; `None` if that is too much to be held.
    fn later(&self, snapshot: &Snapshot, scan: &Scan) -> Result<Option<Later>> {
        let mut later = Later::default();
        let sequence = self.sequence();
        if snapshot.sequence() <= sequence {
            return Ok(Some(later));
        }
        let behind = Scan {
            record: scan.record,
            conversations: scan.conversations.clone(),
            created: scan.created,
            since: (sequence.0 > 0).then_some(sequence),
            versions: Versions::EveryVariant,
            ..Scan::default()
        };
        let mut on = |row: RowKeys<'_>| {
            // Rows come conversation by conversation.
            if later.conversations.last().is_none_or(|last| last != row.conversation()) {
                later.conversations.push(row.conversation().to_owned());
            }
            if later.rows.len() <= MOST_ROWS {
                later.rows.push((row.created().ticks(), later.conversations.len() - 1));
            }
        };
        let _rows = snapshot.keys(&behind, &mut on).map_err(Error::Archive)?;
        Ok(Some(later).filter(|later| later.rows.len() <= MOST_ROWS))
    }
}

impl Stretches {
    /// The next one that has candidates; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Stretch>> {
        while !self.is_over {
            let mut best = Best::new(self.rows, self.scan.backwards);
            guarded(|| self.collect(&mut best))?;
            for (at, (time, _)) in self.later.rows.iter().enumerate() {
                if is_in(self.scan.created, *time) {
                    best.push(*time, Place::Later(at));
                }
            }
            best.finish();
            self.rows = (self.rows * GROWTH).min(STRETCH_ROWS);
            let scan = self.cut(&best);
            if let Some(stretch) = guarded(|| self.stretch(scan, &best))? {
                return Ok(Some(stretch));
            }
        }
        Ok(None)
    }

    /// The candidates of the index that may be among the best.
    fn collect(&self, best: &mut Best) -> Result<()> {
        let query = self.index.compiler().compile(&self.search.tree).into_query();
        let searcher = &self.index.searcher;
        let weight = query.weight(EnableScoring::disabled_from_searcher(searcher));
        let weight = weight.map_err(failed)?;
        let record = Some(record_number(self.scan.record));
        for (segment, reader) in searcher.segment_readers().iter().enumerate() {
            let fast = reader.fast_fields();
            let records = fast.u64(RECORD).map_err(failed)?;
            let created = fast.i64(CREATED).map_err(failed)?;
            let chats = Chats::of(&self.scan, reader)?;
            let mut on = |docs: &[DocId]| {
                for doc in docs {
                    let time = created.first(*doc).unwrap_or(0);
                    let is_in_time = best.may_be(time) && is_in(self.scan.created, time);
                    let is_wanted = is_in_time && records.first(*doc) == record && chats.has(*doc);
                    best.offer(is_wanted, time, Place::Known(segment, *doc));
                }
            };
            weight.for_each_no_score(reader, &mut on).map_err(failed)?;
        }
        Ok(())
    }

    /// Takes the times of a stretch from those that are left, and gives its scan.
    fn cut(&mut self, best: &Best) -> Scan {
        let mut scan = self.scan.clone();
        let last = best.bound.filter(|_| best.is_cut).map(Timestamp::from_ticks);
        match last.map(|last| (last, behind(last))) {
            Some((last, _)) if scan.backwards => {
                scan.created.from = Some(last);
                self.scan.created.to = Some(last);
            }
            Some((_, Some(end))) => {
                scan.created.to = Some(end);
                self.scan.created.from = Some(end);
            }
            _ => self.is_over = true,
        }
        scan
    }

    /// Narrows a scan to where its candidates are; `None` if there are none.
    fn stretch(&self, mut scan: Scan, best: &Best) -> Result<Option<Stretch>> {
        let known = self.index.sequence();
        if best.is_too_many {
            return Ok(Some(Stretch { scan, candidates: Candidates::all(known) }));
        }
        let (mut rows, mut names) = (Vec::new(), HashSet::new());
        for (segment, reader) in self.index.searcher.segment_readers().iter().enumerate() {
            let own = |(_, place): &(i64, Place)| match place {
                Place::Known(of, doc) if *of == segment => Some(*doc),
                _ => None,
            };
            let docs: Vec<DocId> = best.rows.iter().filter_map(own).collect();
            if !docs.is_empty() {
                read(reader, &docs, (&mut rows, &mut names))?;
            }
        }
        for (_, place) in &best.rows {
            if let Place::Later(at) = place
                && let Some((_, name)) = self.later.rows.get(*at)
            {
                names.extend(self.later.conversations.get(*name).cloned());
            }
        }
        if names.is_empty() {
            return Ok(None);
        }
        if names.len() <= MOST_CONVERSATIONS {
            // Those that were asked for are the only ones that were looked at.
            scan.conversations = names.into_iter().collect();
        }
        Ok(Some(Stretch { scan, candidates: Candidates::some(rows, known) }))
    }
}

/// The numbers and conversations of documents.
fn read(
    reader: &SegmentReader,
    docs: &[DocId],
    (rows, names): (&mut Vec<u64>, &mut HashSet<String>),
) -> Result<()> {
    let fast = reader.fast_fields();
    let numbers = fast.u64(ROW).map_err(failed)?;
    rows.extend(docs.iter().map(|doc| numbers.first(*doc).unwrap_or(0)));
    let Some(column) = fast.str(CONVERSATION).map_err(failed)? else { return Ok(()) };
    let ordinals: HashSet<u64> =
        docs.iter().filter_map(|doc| column.term_ords(*doc).next()).collect();
    for ordinal in ordinals {
        let mut name = String::new();
        let _is_there = column.ord_to_str(ordinal, &mut name).map_err(unreadable)?;
        let _is_new = names.insert(name);
    }
    Ok(())
}

/// The conversations that are asked for, in a segment of the index.
enum Chats {
    All,
    Some(tantivy::columnar::StrColumn, HashSet<u64>),
    None,
}

impl Chats {
    fn of(scan: &Scan, reader: &SegmentReader) -> Result<Self> {
        if scan.conversations.is_empty() {
            return Ok(Self::All);
        }
        let column = reader.fast_fields().str(CONVERSATION).map_err(failed)?;
        let Some(column) = column else { return Ok(Self::None) };
        let mut ordinals = HashSet::new();
        for name in &scan.conversations {
            ordinals.extend(column.dictionary().term_ord(name.as_bytes()).map_err(unreadable)?);
        }
        Ok(Self::Some(column, ordinals))
    }

    fn has(&self, doc: DocId) -> bool {
        match self {
            Self::All => true,
            Self::Some(column, asked) => {
                column.term_ords(doc).next().is_some_and(|ordinal| asked.contains(&ordinal))
            }
            Self::None => false,
        }
    }
}

fn is_in(range: TimeRange, time: i64) -> bool {
    range.from.is_none_or(|from| from.ticks() <= time)
        && range.to.is_none_or(|to| time < to.ticks())
}

/// The first time behind a time; `None` behind the last of all.
fn behind(time: Timestamp) -> Option<Timestamp> {
    time.ticks().checked_add(1).map(Timestamp::from_ticks)
}

fn both(left: TimeRange, right: TimeRange) -> TimeRange {
    let from = left.from.max(right.from);
    let to = left.to.into_iter().chain(right.to).min();
    TimeRange { from, to }
}

/// The first candidates so far in the direction of a scan, and what has the time of the last of them.
struct Best {
    rows: Vec<(i64, Place)>,
    most: usize,
    /// When to cut.
    full: usize,
    is_backwards: bool,
    /// The time of the worst that the last cut kept.
    bound: Option<i64>,
    /// Has anything been left out?
    is_cut: bool,
    /// More have the same time than are held.
    is_too_many: bool,
}

impl Best {
    fn new(most: usize, is_backwards: bool) -> Self {
        let (full, bound) = (most * 2, None);
        let rows = Vec::new();
        Self { rows, most, full, is_backwards, bound, is_cut: false, is_too_many: false }
    }

    /// Counts up in the direction of the scan.
    fn order(&self, time: i64) -> i64 {
        if self.is_backwards { !time } else { time }
    }

    fn may_be(&mut self, time: i64) -> bool {
        let may_be = self.bound.is_none_or(|bound| self.order(time) <= self.order(bound));
        self.is_cut |= !may_be;
        may_be
    }

    fn push(&mut self, time: i64, place: Place) {
        let may_be = self.may_be(time);
        self.offer(may_be, time, place);
    }

    /// Takes a candidate whose time may be among the best, if it is wanted.
    fn offer(&mut self, is_wanted: bool, time: i64, place: Place) {
        if !is_wanted {
            return;
        }
        if self.rows.len() >= self.full {
            self.cut();
        }
        if self.rows.len() < MOST_ROWS {
            self.rows.push((time, place));
        } else {
            self.is_too_many = true;
        }
    }

    fn finish(&mut self) {
        if self.rows.len() > self.most {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        let (_, worst, _) =
            rows.select_nth_unstable_by_key(self.most - 1, |(time, _)| self.order(*time));
        let worst = worst.0;
        self.bound = Some(worst);
        let before = rows.len();
        rows.retain(|(time, _)| self.order(*time) <= self.order(worst));
        self.is_cut |= rows.len() < before;
        self.full = rows.len().max(self.most) * 2;
        self.rows = rows;
    }
}
