//! Going through a list of a table in order, and through those of several tables at once.
//!
//! Invariant: behind an error a cursor goes on with what comes after the part that cannot be read.

use std::sync::Arc;

use super::{Page, Table};
use crate::error::Result;

/// An item, as long as somebody has it.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(super) page: Arc<Page>,
    pub(super) index: usize,
}

impl Item {
    pub(crate) fn key(&self) -> &[u8] {
        self.page.key(self.index)
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.page.value(self.index)
    }
}

/// A place in a list.
#[derive(Debug)]
pub(crate) struct Cursor {
    table: Arc<Table>,
    list: u8,
    from: Vec<u8>,
    keep: bool,
    stretch: usize,
    directory: Option<Arc<Page>>,
    page: usize,
    items: Option<Arc<Page>>,
    index: usize,
}

impl Cursor {
    /// From the first key that is not below `from`; pages are kept in the cache.
    pub(crate) fn kept(table: &Arc<Table>, list: u8, from: &[u8]) -> Self {
        Self::new(table, list, from, true)
    }

    /// The whole list, past the cache.
    pub(crate) fn once(table: &Arc<Table>, list: u8) -> Self {
        Self::new(table, list, b"", false)
    }

    fn new(table: &Arc<Table>, list: u8, from: &[u8], keep: bool) -> Self {
        let stretches = table.root(list).map_or(&[][..], |root| &root.stretches);
        let stretch = stretches.partition_point(|stretch| &*stretch.border <= from);
        Self {
            table: Arc::clone(table),
            list,
            from: from.to_vec(),
            keep,
            stretch: stretch.saturating_sub(1),
            directory: None,
            page: 0,
            items: None,
            index: 0,
        }
    }

    /// The next item.
    pub(crate) fn next(&mut self) -> Result<Option<Item>> {
        loop {
            if let Some(page) = &self.items {
                if self.index < page.len() {
                    let item = Item { page: Arc::clone(page), index: self.index };
                    self.index += 1;
                    return Ok(Some(item));
                }
                (self.items, self.page) = (None, self.page + 1);
            }
            let Some(directory) = self.directory()? else { return Ok(None) };
            if self.page >= directory.len() {
                (self.directory, self.stretch) = (None, self.stretch + 1);
                continue;
            }
            let place = (self.stretch, self.page);
            match self.table.page(self.list, place, &directory, self.keep) {
                Ok(page) => {
                    self.index = page.partition_point(|key| key < &*self.from);
                    self.items = Some(page);
                }
                Err(error) => {
                    self.page += 1;
                    return Err(error);
                }
            }
        }
    }

    /// The next item, if its key starts so.
    pub(crate) fn next_with(&mut self, prefix: &[u8]) -> Result<Option<Item>> {
        Ok(self.next()?.filter(|item| item.key().starts_with(prefix)))
    }

    fn directory(&mut self) -> Result<Option<Arc<Page>>> {
        if let Some(directory) = &self.directory {
            return Ok(Some(Arc::clone(directory)));
        }
        if self.table.root(self.list).is_none_or(|root| self.stretch >= root.stretches.len()) {
            return Ok(None);
        }
        match self.table.directory(self.list, self.stretch, self.keep) {
            Ok(directory) => {
                let pages = directory.partition_point(|border| border <= &*self.from);
                self.page = pages.saturating_sub(1);
                self.directory = Some(Arc::clone(&directory));
                Ok(Some(directory))
            }
            Err(error) => {
                self.stretch += 1;
                Err(error)
            }
        }
    }
}

/// Several tables' items in one order, a page of each in memory.
#[derive(Debug)]
pub(crate) struct Merge {
    /// Older ones first, each with its next item until it has ended.
    heads: Vec<(Cursor, Option<Item>)>,
}

impl Merge {
    /// Goes through a list of each table, past the cache.
    pub(crate) fn of<'t>(tables: impl IntoIterator<Item = &'t Arc<Table>>, list: u8) -> Self {
        let heads = tables.into_iter().map(|table| (Cursor::once(table, list), None));
        Self { heads: heads.collect() }
    }

    /// Puts the items of the least key into `out`, older ones first; none at the end.
    pub(crate) fn next(&mut self, out: &mut Vec<Item>) -> Result<()> {
        out.clear();
        let mut at = 0;
        while let Some((cursor, head)) = self.heads.get_mut(at) {
            if head.is_none() {
                *head = cursor.next()?;
            }
            if head.is_some() {
                at += 1;
            } else {
                drop(self.heads.remove(at));
            }
        }
        let heads = self.heads.iter().filter_map(|(_, head)| head.as_ref());
        if let Some(least) = heads.min_by(|a, b| a.key().cmp(b.key())).cloned() {
            let same = |item: &mut Item| item.key() == least.key();
            out.extend(self.heads.iter_mut().filter_map(|(_, head)| head.take_if(same)));
        }
        Ok(())
    }
}
