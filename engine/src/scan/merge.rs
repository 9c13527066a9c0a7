//! Rows in conversation order: the sources of each conversation merged.

use super::choose::Chooser;
use super::key::{Heads, RowKey};
use super::plan::Query;
use super::walk::Walk;
use crate::archive::RowId;
use crate::error::Result;

/// Gives the rows of a scan in conversation order.
#[derive(Debug)]
pub(super) struct Merge {
    walk: Walk,
    heads: Heads<RowKey>,
    /// Rows that only their addresses tell apart, the next one last.
    ready: Vec<RowId>,
}

impl Merge {
    pub(super) fn new(query: &Query) -> Result<Self> {
        let walk = Walk::new(query, query.backwards)?;
        Ok(Self { walk, heads: Heads::new(query.backwards), ready: Vec::new() })
    }

    pub(super) fn next(&mut self, query: &Query, chooser: &mut Chooser) -> Result<Option<RowId>> {
        loop {
            if let Some(at) = self.ready.pop() {
                return Ok(Some(at));
            }
            if let Some((key, source)) = self.heads.pop() {
                self.collect(query, chooser, &key, source)?;
                continue;
            }
            if let Some(at) = self.next_of_one(query, chooser)? {
                return Ok(Some(at));
            }
            let Some(name) = self.walk.next_conversation(query)? else { return Ok(None) };
            chooser.enter(name.text());
            if self.walk.sources() > 1 {
                for source in 0..self.walk.sources() {
                    self.push_head(query, source)?;
                }
            }
        }
    }

    /// The next row of a conversation that is in one source alone, which has its rows in order.
    fn next_of_one(&mut self, query: &Query, chooser: &mut Chooser) -> Result<Option<RowId>> {
        if self.walk.sources() != 1 {
            return Ok(None);
        }
        while let Some((page, at)) = self.walk.peek(query, 0)? {
            let given = chooser.gives(query, page, at)?;
            self.walk.take(0);
            if given {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn push_head(&mut self, query: &Query, source: usize) -> Result<()> {
        if let Some((page, at)) = self.walk.peek(query, source)? {
            self.heads.push(page.key(at.row), source);
        }
        Ok(())
    }

    /// Takes all rows with one key.
    fn collect(
        &mut self,
        query: &Query,
        chooser: &mut Chooser,
        key: &RowKey,
        source: usize,
    ) -> Result<()> {
        let mut next = Some(source);
        while let Some(source) = next {
            if let Some((page, at)) = self.walk.peek(query, source)?
                && chooser.gives(query, page, at)?
            {
                self.ready.push(at);
            }
            self.walk.take(source);
            self.push_head(query, source)?;
            next = self.heads.pop_equal(key);
        }
        if self.ready.len() > 1 {
            let state = query.view.state();
            sort_by_address(&mut self.ready, !query.backwards, &mut |at| {
                Ok(chooser.addresses.of(state, *at)?.0)
            })?;
        }
        Ok(())
    }
}

/// Sorts rows by their content addresses, which may have to be computed.
pub(super) fn sort_by_address<T: Clone>(
    rows: &mut [T],
    descending: bool,
    address: &mut dyn FnMut(&T) -> Result<crate::types::ContentAddress>,
) -> Result<()> {
    let mut with = Vec::with_capacity(rows.len());
    for row in &*rows {
        with.push((address(row)?, row.clone()));
    }
    with.sort_by_key(|(address, _)| *address);
    if descending {
        with.reverse();
    }
    rows.iter_mut().zip(with).for_each(|(place, (_, row))| *place = row);
    Ok(())
}
