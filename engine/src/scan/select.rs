//! Rows in order of a time: each pass over the sources selects the next ones, in bounded memory.
//!
//! Invariant: a pass keeps every row up to the last key that it keeps, so rows that only their
//! addresses tell apart are never parted, and the next pass starts behind that key.

use std::cmp::Ordering;

use super::Order;
use super::choose::Chooser;
use super::cursor::Cursor;
use super::filter::{Span, Window};
use super::key::Id;
use super::merge::sort_by_address;
use super::page::Page;
use super::plan::Query;
use super::walk::Walk;
use crate::archive::RowId;
use crate::error::Result;
use crate::types::ContentAddress;

/// So many times more selects each next pass.
const GROWTH: usize = 16;

/// Gives the rows of a scan in order of a time.
#[derive(Debug)]
pub(super) struct Selection {
    behind: Option<Cursor>,
    /// The next one last.
    ready: Vec<RowId>,
    done: bool,
    /// Rows that the next pass selects.
    most: usize,
}

/// A row that may be among the next. Its order is that of `Ord`, but for the address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    time: i64,
    /// Counts conversations in their order.
    conversation: u32,
    id: Id,
    version: u64,
    at: RowId,
}

impl Candidate {
    fn ties(&self, other: &Self) -> bool {
        let key = |one: &Self| (one.time, one.conversation, one.version);
        key(self) == key(other) && self.id == other.id
    }
}

impl Selection {
    pub(super) fn new(query: &Query) -> Self {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let limits = query.view.limits();
        let most = if limit < limits.pass_rows { limit.max(1) } else { limits.first_rows };
        Self { behind: query.cursor.clone(), ready: Vec::new(), done: false, most }
    }

    pub(super) fn next(&mut self, query: &Query, chooser: &mut Chooser) -> Result<Option<RowId>> {
        while self.ready.is_empty() && !self.done {
            self.pass(query, chooser)?;
        }
        Ok(self.ready.pop())
    }

    fn pass(&mut self, query: &Query, chooser: &mut Chooser) -> Result<()> {
        let mut walk = Walk::new(query, false)?;
        narrow_window(
            &mut walk.window,
            query,
            self.behind.as_ref().map(|cursor| cursor.time),
            true,
        );
        let mut best = Best::new(self.most, query.backwards);
        self.most = self.most.saturating_mul(GROWTH).min(query.view.limits().pass_rows);
        let mut conversation = 0;
        while let Some(name) = walk.next_conversation(query)? {
            chooser.enter(name.text());
            for source in 0..walk.sources() {
                self.look_at(query, chooser, (&mut walk, source), (conversation, &mut best))?;
            }
            conversation += 1;
        }
        self.done = !best.cut;
        let mut rows = best.rows;
        sort(query, chooser, &mut rows)?;
        if let Some(last) = rows.first() {
            self.behind = Some(past(query, last)?);
        }
        self.ready = rows.into_iter().map(|row| row.at).collect();
        Ok(())
    }

    /// Looks at the rows of a conversation in one of its sources.
    fn look_at(
        &self,
        query: &Query,
        chooser: &mut Chooser,
        (walk, source): (&mut Walk, usize),
        (conversation, best): (u32, &mut Best),
    ) -> Result<()> {
        while let Some((page, at)) = walk.peek(query, source)? {
            let time = query.time(page, at.row);
            let may_be = best.may_be(time)
                && self.is_behind(query, chooser, (page, at))?
                && chooser.accepts(query, page, at)?;
            if may_be {
                let (id, version) = (page.id(at.row), page.version(at.row));
                best.push(Candidate { time, conversation, id, version, at });
            }
            walk.take(source);
            narrow_window(&mut walk.window, query, best.bound(), false);
        }
        Ok(())
    }

    fn is_behind(&self, query: &Query, chooser: &mut Chooser, row: (&Page, RowId)) -> Result<bool> {
        match &self.behind {
            Some(cursor) => query.is_behind(cursor, row, &mut chooser.addresses),
            None => Ok(true),
        }
    }
}

/// Sorts rows so that the next one is last.
fn sort(query: &Query, chooser: &mut Chooser, rows: &mut [Candidate]) -> Result<()> {
    rows.sort_unstable();
    if !query.backwards {
        rows.reverse();
    }
    let state = query.view.state();
    for ties in rows.chunk_by_mut(Candidate::ties).filter(|ties| ties.len() > 1) {
        sort_by_address(ties, !query.backwards, &mut |row| {
            Ok(chooser.addresses.of(state, row.at)?.0)
        })?;
    }
    Ok(())
}

/// The place behind every row with the key of this one.
fn past(query: &Query, row: &Candidate) -> Result<Cursor> {
    let page = Page::open(query.view.state(), row.at)?;
    Ok(Cursor {
        order: query.order,
        backwards: query.backwards,
        time: row.time,
        conversation: page.conversation(row.at.row)?.to_owned(),
        id: row.id.clone(),
        version: row.version,
        address: ContentAddress(if query.backwards { [0; 32] } else { [u8::MAX; 32] }),
        archive: query.view.archive_prefix(),
        commit: query.view.commit(),
    })
}

/// Leaves only times from a bound on, or up to it, in the direction of the scan.
pub(super) fn narrow_window(window: &mut Window, query: &Query, bound: Option<i64>, from: bool) {
    let Some(bound) = bound else { return };
    let span: &mut Span = match query.order {
        Order::Modified => &mut window.modified,
        Order::Conversation | Order::Created => &mut window.created,
    };
    if from == query.backwards {
        span.last = span.last.min(bound);
    } else {
        span.first = span.first.max(bound);
    }
}

/// The first rows so far; at times more than were asked for, but never fewer.
#[derive(Debug)]
struct Best {
    rows: Vec<Candidate>,
    most: usize,
    /// When to cut.
    full: usize,
    backwards: bool,
    /// Have rows been left out?
    cut: bool,
    /// The worst that was kept by the last cut.
    worst: Option<Candidate>,
}

impl Best {
    fn new(most: usize, backwards: bool) -> Self {
        let full = most.saturating_mul(2);
        Self { rows: Vec::new(), most, full, backwards, cut: false, worst: None }
    }

    fn order(&self, a: &Candidate, b: &Candidate) -> Ordering {
        if self.backwards { b.cmp(a) } else { a.cmp(b) }
    }

    /// The time behind which no row can be among the best.
    fn bound(&self) -> Option<i64> {
        self.worst.as_ref().map(|worst| worst.time)
    }

    fn may_be(&self, time: i64) -> bool {
        self.bound().is_none_or(|bound| if self.backwards { time >= bound } else { time <= bound })
    }

    fn push(&mut self, row: Candidate) {
        if let Some(worst) = &self.worst
            && self.order(&row, worst).is_gt()
            && !row.ties(worst)
        {
            return;
        }
        self.rows.push(row);
        if self.rows.len() >= self.full {
            self.cut();
        }
    }

    /// Keeps the first `most`, and what ties with the last of them.
    fn cut(&mut self) {
        let backwards = self.backwards;
        let order = |a: &Candidate, b: &Candidate| if backwards { b.cmp(a) } else { a.cmp(b) };
        let (_, worst, _) = self.rows.select_nth_unstable_by(self.most - 1, order);
        let worst = worst.clone();
        let mut kept = self.most;
        for index in self.most..self.rows.len() {
            if self.rows[index].ties(&worst) {
                self.rows.swap(kept, index);
                kept += 1;
            }
        }
        self.cut |= kept < self.rows.len();
        self.rows.truncate(kept);
        self.full = kept + self.most;
        self.worst = Some(worst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(time: i64, version: u64, row: u32) -> Candidate {
        let at = RowId { source: 0, row };
        Candidate { time, conversation: 0, id: Id::Number(1), version, at }
    }

    /// Times 0, 7, 14, … modulo 101, and a tie of five in the middle.
    fn rows() -> Vec<Candidate> {
        let mut rows: Vec<Candidate> =
            (0..101).map(|row| candidate(i64::from(row * 7 % 101), 0, row)).collect();
        rows.extend((0..5).map(|row| candidate(50, 1, 200 + row)));
        rows
    }

    #[test]
    fn the_best_are_all_there_and_ties_stay_together() {
        for backwards in [false, true] {
            for most in 1..120 {
                let mut best = Best::new(most, backwards);
                for row in rows() {
                    assert!(best.rows.len() <= 2 * most + 5, "bounded");
                    best.push(row);
                }
                if best.rows.len() > most {
                    best.cut();
                }
                let mut wanted = rows();
                wanted.sort();
                if backwards {
                    wanted.reverse();
                }
                let last = wanted[most.min(wanted.len()) - 1].clone();
                let reached = |row: &&Candidate| best.order(row, &last).is_le() || row.ties(&last);
                let wanted: Vec<_> = wanted.iter().filter(reached).cloned().collect();
                let mut found = best.rows.clone();
                found.sort();
                if backwards {
                    found.reverse();
                }
                assert_eq!(found, wanted, "{most} {backwards}");
                assert_eq!(best.cut, wanted.len() < rows().len(), "{most} {backwards}");
            }
        }
    }
}
