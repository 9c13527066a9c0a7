//! The candidates of a question in order of time, a stretch at a time: whoever reads a page of hits waits
//! for the candidates of that page, not for all of them.
//!
//! The documents of a segment of the index are in order of time, so only those of the stretch are
//! looked at. Few candidates are looked up in the archive each at its own time: the rows between them
//! are not read.
//!
//! Invariants: stretches follow each other in the order of the scan without a gap, and candidates of
//! the same time are in the same one; memory is that of the longest stretch.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use chatvault_engine::{Order, RecordKind, Scan, Snapshot, TimeRange, Timestamp};
use tantivy::DocId;
use tantivy::query::{EnableScoring, Weight};

use super::ask::{Asked, Candidates, Compiler};
use super::columns::Columns;
use super::later::Later;
use super::{Index, failed, guarded};
use crate::error::Result;
use crate::search::Search;

/// So many times more candidates has each next stretch: what is read to its end is read in few.
const GROWTH: usize = 8;

/// What an index is asked for beside what a scan says.
#[derive(Clone, Debug)]
pub(crate) struct Sought {
    pub(crate) search: Option<Search>,
    pub(crate) has_file: bool,
}

/// Goes through the candidates of a question.
#[derive(Debug)]
pub(crate) struct Stretches {
    index: Index,
    sought: Sought,
    /// What else is asked, in the times that are left.
    scan: Scan,
    later: Arc<Later>,
    /// Those of its rows that are asked for: their times, and the places of their conversations.
    behind: Vec<(i64, u32)>,
    rows: usize,
    is_over: bool,
    /// Stretches of one time each that come next.
    next: VecDeque<Stretch>,
}

/// A part of a question: where its rows are, and which of them may meet it.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub(crate) scan: Scan,
    pub(crate) candidates: Candidates,
}

/// Where a candidate is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In a segment of the index.
    Known(usize, DocId),
    /// Behind it, in a conversation.
    Later(u32),
}

impl Index {
    /// The candidates in order of time; `None` if the question is answered sooner, or only, without.
    pub(crate) fn stretches(
        &self,
        sought: Sought,
        snapshot: &Snapshot,
        scan: &Scan,
    ) -> Result<Option<Box<Stretches>>> {
        let is_known = scan.custodians.is_empty()
            && scan.modified == TimeRange::default()
            && scan.since.is_none();
        let is_of_use = sought.search.is_some() || sought.has_file || is_known;
        // A text can come long after its transcript: these are looked at wherever they are.
        let has_texts = scan.record == RecordKind::CallTranscript;
        if scan.order != Order::Created || has_texts || !is_of_use {
            return Ok(None);
        }
        self.check(snapshot)?;
        let mut scan = scan.clone();
        if let Some(cursor) = &scan.cursor {
            let from = TimeRange { from: Some(cursor.time()), to: None };
            let up_to = TimeRange { from: None, to: behind(cursor.time()) };
            scan.created = both(scan.created, if scan.backwards { up_to } else { from });
        }
        let Some(later) = self.later(snapshot, scan.record)? else { return Ok(None) };
        let mut behind = later.of(&scan.conversations);
        behind.retain(|(time, _)| is_in(scan.created, *time));
        let (index, rows, next) = (self.clone(), self.limits.first_rows, VecDeque::new());
        let stretches =
            Stretches { index, sought, scan, later, behind, rows, is_over: false, next };
        Ok(Some(Box::new(stretches)))
    }
}

impl Stretches {
    /// The next one that has candidates; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Stretch>> {
        while self.next.is_empty() && !self.is_over {
            let most = (self.rows, self.index.limits.rows);
            let mut best = Best::new(most, self.scan.backwards);
            guarded(|| self.collect(&mut best))?;
            for (time, name) in &self.behind {
                if is_in(self.scan.created, *time) {
                    best.push(*time, Place::Later(*name));
                }
            }
            best.finish();
            self.rows = (self.rows * GROWTH).min(self.index.limits.stretch_rows);
            let scan = self.cut(&best);
            self.next = guarded(|| self.cut_up(scan, &best))?;
        }
        Ok(self.next.pop_front())
    }

    /// The candidates of the index that may be among the best.
    fn collect(&self, best: &mut Best) -> Result<()> {
        let Index { fields, searcher, limits, .. } = &self.index;
        let (common, facts) = (Some(searcher), limits.facts);
        let compiler = Compiler { fields, excludes: true, common, facts };
        let words = self.sought.search.as_ref().map(|search| compiler.compile(&search.tree));
        let query =
            compiler.query((&self.scan, self.sought.has_file), words.unwrap_or(Asked::Everything));
        let weight = query.weight(EnableScoring::disabled_from_searcher(searcher));
        let weight = weight.map_err(failed)?;
        for segment in 0..searcher.segment_readers().len() {
            self.collect_in(segment, &*weight, best)?;
        }
        Ok(())
    }

    fn collect_in(&self, segment: usize, weight: &dyn Weight, best: &mut Best) -> Result<()> {
        let columns = self.index.columns(segment)?;
        let reader = self.index.searcher.segment_reader(u32::try_from(segment).unwrap_or(u32::MAX));
        let (docs, backwards) = (columns.docs_in(self.scan.created), self.scan.backwards);
        for part in parts(docs, self.index.limits.part_docs, backwards) {
            let next = if backwards { part.start } else { part.end - 1 };
            if !best.may_be(columns.time(next)) {
                break;
            }
            let mut docs = weight.scorer(reader, 1.0).map_err(failed)?;
            let mut doc = docs.doc();
            if doc < part.start {
                doc = docs.seek(part.start);
            }
            while doc < part.end {
                let time = columns.time(doc);
                if best.may_be(time) {
                    best.offer(time, Place::Known(segment, doc));
                } else if backwards {
                    break;
                }
                doc = docs.advance();
            }
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

    /// Narrows a scan to where its candidates are: to each time of few, to the conversations of more.
    fn cut_up(&self, scan: Scan, best: &Best) -> Result<VecDeque<Stretch>> {
        let known = self.index.sequence();
        if best.is_too_many {
            return Ok([Stretch { scan, candidates: Candidates::all(known) }].into());
        }
        let mut found = Found::default();
        for (time, place) in &best.rows {
            match place {
                Place::Known(segment, doc) => {
                    found.add_known((*segment, *doc), *time, self.index.columns(*segment)?)?;
                }
                Place::Later(name) => {
                    let _name = found.add(*time, self.later.name(*name));
                }
            }
        }
        let candidates = Candidates::some(std::mem::take(&mut found.numbers), known);
        let stretch = |scan| Stretch { scan, candidates: candidates.clone() };
        if best.rows.len() <= self.index.limits.few_rows {
            return Ok(found.by_time(&scan).map(stretch).collect());
        }
        Ok([stretch(found.together(scan, self.index.limits.conversations))].into())
    }
}

/// Documents in the order in which a scan asks for them: they are stored from the last time on, and so
/// the first times are at the end, in parts that grow.
fn parts(docs: Range<DocId>, mut size: u32, backwards: bool) -> Vec<Range<DocId>> {
    if backwards {
        return Some(docs).filter(|docs| !docs.is_empty()).into_iter().collect();
    }
    let (mut parts, mut end) = (Vec::new(), docs.end);
    while end > docs.start {
        let start = end.saturating_sub(size).max(docs.start);
        parts.push(start..end);
        (end, size) = (start, size.saturating_mul(8));
    }
    parts
}

/// Where candidates are.
#[derive(Debug, Default)]
struct Found {
    /// The numbers of those that the index has.
    numbers: Vec<u64>,
    /// Their times, and of each a place in `names`.
    times: Vec<(i64, usize)>,
    names: Vec<String>,
    places: HashMap<String, usize>,
    /// The places of names by segment and number in it: a name is read once.
    known: HashMap<(usize, u64), usize>,
}

impl Found {
    fn add_known(
        &mut self,
        (segment, doc): (usize, DocId),
        time: i64,
        columns: &Columns,
    ) -> Result<()> {
        self.numbers.push(columns.number(doc));
        let Some(ordinal) = columns.conversation(doc) else { return Ok(()) };
        if let Some(name) = self.known.get(&(segment, ordinal)) {
            self.times.push((time, *name));
            return Ok(());
        }
        let name = self.add(time, &columns.name(ordinal)?);
        let _ = self.known.insert((segment, ordinal), name);
        Ok(())
    }

    fn add(&mut self, time: i64, name: &str) -> usize {
        let place = self.places.get(name).copied().unwrap_or_else(|| {
            self.names.push(name.to_owned());
            let _ = self.places.insert(name.to_owned(), self.names.len() - 1);
            self.names.len() - 1
        });
        self.times.push((time, place));
        place
    }

    /// A scan for each time, in their order.
    fn by_time(mut self, scan: &Scan) -> impl Iterator<Item = Scan> {
        self.times.sort_unstable();
        self.times.dedup();
        let one = |same: &[(i64, usize)]| {
            let time = same.first().map(|(time, _)| Timestamp::from_ticks(*time));
            let names = same.iter().filter_map(|(_, name)| self.names.get(*name).cloned());
            let created = TimeRange { from: time, to: time.and_then(behind) };
            Scan { conversations: names.collect(), created, ..scan.clone() }
        };
        let mut scans: Vec<Scan> = self.times.chunk_by(|a, b| a.0 == b.0).map(one).collect();
        if scan.backwards {
            scans.reverse();
        }
        scans.into_iter()
    }

    /// One scan for all, of their conversations if these are few.
    fn together(self, mut scan: Scan, most: usize) -> Scan {
        if self.names.len() <= most {
            scan.conversations = self.names;
        }
        scan
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
    /// Those of the same time that are held.
    held: usize,
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
    fn new((most, held): (usize, usize), is_backwards: bool) -> Self {
        let (full, bound) = (most * 2, None);
        let rows = Vec::new();
        Self { rows, most, held, full, is_backwards, bound, is_cut: false, is_too_many: false }
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
        if self.may_be(time) {
            self.offer(time, place);
        }
    }

    /// Takes a candidate whose time may be among the best.
    fn offer(&mut self, time: i64, place: Place) {
        if self.rows.len() >= self.full {
            self.cut();
        }
        if self.rows.len() < self.held {
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
