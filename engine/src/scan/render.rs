//! Renders a few rows at a time, each source's in order, and hands them out in the scan's order.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::page::Page;
use super::plan::Query;
use crate::archive::{RowId, SlabRow};
use crate::count::narrow;
use crate::document::{Parts, Path, Reducer};
use crate::error::Result;
use crate::segment::{Lists, RowReader, Spot};
use crate::types::{MessageKind, RecordKind, Sequence, Timestamp};

/// A row's keys and where its texts are in its batch.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    pub(super) at: RowId,
    pub(super) record: RecordKind,
    pub(super) kind: MessageKind,
    pub(super) version: u64,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) sequence: Sequence,
    pub(super) json: Range<usize>,
    pub(super) conversation: Range<usize>,
    pub(super) sender: Option<Range<usize>>,
    pub(super) id: Range<usize>,
    pub(super) reply_to: Option<Range<usize>>,
    /// Its document taken apart, once somebody asks.
    pub(super) parts: OnceLock<Arc<Parts>>,
}

/// Rows rendered ahead.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) json: Vec<u8>,
    /// Names and ids.
    pub(super) texts: Vec<u8>,
    pub(super) rows: Vec<Rendered>,
    order: Vec<u32>,
    pub(super) readers: Readers,
    most_bytes: usize,
}

impl Batch {
    /// One of so many bytes of documents.
    pub(super) fn within(most_bytes: usize) -> Self {
        Self { most_bytes, ..Self::default() }
    }

    /// The rows alone, to be given elsewhere.
    pub(super) fn take(&mut self) -> Self {
        // The next ones are about as large: growing step by step would copy them twice.
        fn taken<T>(from: &mut Vec<T>) -> Vec<T> {
            let next = Vec::with_capacity(from.len() + from.len() / 8);
            std::mem::replace(from, next)
        }
        let (json, texts) = (taken(&mut self.json), taken(&mut self.texts));
        Self { json, texts, rows: taken(&mut self.rows), ..Self::default() }
    }

    /// Renders rows. If they are too many for the batch's bytes it is empty, and says how many it
    /// could have taken; one row always fits.
    pub(super) fn fill(&mut self, query: &Query, rows: &[RowId]) -> Result<Option<usize>> {
        self.json.clear();
        self.texts.clear();
        self.rows.clear();
        self.order.clear();
        self.order.extend(0..narrow(rows.len()));
        self.order.sort_unstable_by_key(|place| rows[*place as usize]);
        for place in 0..self.order.len() {
            let at = rows[self.order[place] as usize];
            let rendered = self.readers.render(query, at, &mut self.json, &mut self.texts)?;
            self.rows.push(rendered);
            if self.json.len() > self.most_bytes && rows.len() > 1 {
                let fit = self.rows.len() - 1;
                self.rows.clear();
                return Ok(Some(fit));
            }
        }
        // `order[n]` says where the n-th rendered row belongs.
        for place in 0..self.rows.len() {
            while self.order[place] as usize != place {
                let target = self.order[place] as usize;
                self.rows.swap(place, target);
                self.order.swap(place, target);
            }
        }
        Ok(None)
    }

    /// How many more rows like these would fit, these included.
    pub(super) fn room(&self) -> usize {
        let bytes = (self.json.len() / self.rows.len().max(1)).max(1);
        self.most_bytes / 4 * 3 / bytes
    }
}

/// Readers of segments, the most recently used ones.
#[derive(Debug, Default)]
pub(super) struct Readers {
    open: Vec<Open>,
    clock: u64,
    /// Of rows in memory.
    reducer: Option<Reducer>,
}

#[derive(Debug)]
struct Open {
    source: u32,
    reader: RowReader,
    page: Page,
    /// The conversation of the row before.
    spot: Spot,
    used: u64,
}

/// Where a row's names stand.
enum Names<'a> {
    Slab(&'a SlabRow),
    /// The conversation's number and the sender's code.
    Lists(&'a Lists, u32, u32),
}

impl Readers {
    fn render(
        &mut self,
        query: &Query,
        at: RowId,
        json: &mut Vec<u8>,
        texts: &mut Vec<u8>,
    ) -> Result<Rendered> {
        let start = json.len();
        if let Some(slab) = query.slab(at.source) {
            let document = slab.document(&slab.rows[at.row as usize]);
            match &query.paths {
                None => json.extend_from_slice(document),
                Some(paths) => {
                    let reducer =
                        self.reducer.get_or_insert_with(|| Reducer::new(Arc::clone(paths)));
                    reducer.reduce(document, json)?;
                }
            }
            let page = Page::Slab(Arc::clone(slab));
            let names = Names::Slab(&slab.rows[at.row as usize]);
            return describe(&page, at, start..json.len(), (names, texts));
        }
        let open = self.reader(query, at, query.paths.as_ref())?;
        open.reader.render(at.row, json)?;
        let lists = open.reader.lists();
        if !(open.spot.start..open.spot.end).contains(&at.row) {
            open.spot = lists.spot(at.row)?;
        }
        let names = Names::Lists(lists, open.spot.number, open.page.sender_code(at.row));
        describe(&open.page, at, start..json.len(), (names, texts))
    }

    /// Appends the whole document of a row. Who asks for this asks for nothing else.
    pub(super) fn document(&mut self, query: &Query, at: RowId, out: &mut Vec<u8>) -> Result<()> {
        if let Some(slab) = query.slab(at.source) {
            out.extend_from_slice(slab.document(&slab.rows[at.row as usize]));
            return Ok(());
        }
        self.reader(query, at, None)?.reader.render(at.row, out)
    }

    fn reader(
        &mut self,
        query: &Query,
        at: RowId,
        paths: Option<&Arc<[Path]>>,
    ) -> Result<&mut Open> {
        self.clock += 1;
        let state = query.view.state();
        let found = self.open.iter().position(|open| open.source == at.source);
        let place = if let Some(place) = found {
            place
        } else {
            if self.open.len() >= query.view.limits().open_readers {
                let oldest = (0..self.open.len()).min_by_key(|place| self.open[*place].used);
                drop(self.open.swap_remove(oldest.unwrap_or(0)));
            }
            let segment = Arc::clone(state.segments[at.source as usize].segment()?);
            let reader = match paths {
                None => RowReader::new(segment)?,
                Some(paths) => RowReader::of_paths(segment, paths)?,
            };
            let page = Page::of_segment(reader.lists(), at.row)?;
            self.open.push(Open {
                source: at.source,
                reader,
                page,
                spot: Spot::default(),
                used: 0,
            });
            self.open.len() - 1
        };
        let open = &mut self.open[place];
        open.used = self.clock;
        if !open.page.holds(at.row) {
            open.page = Page::of_segment(open.reader.lists(), at.row)?;
        }
        Ok(open)
    }
}

fn describe(
    page: &Page,
    at: RowId,
    json: Range<usize>,
    (names, texts): (Names<'_>, &mut Vec<u8>),
) -> Result<Rendered> {
    let (record, kind) = page.kind(at.row);
    let mut put = |text: &[u8]| {
        let start = texts.len();
        texts.extend_from_slice(text);
        start..texts.len()
    };
    let (conversation, sender) = match names {
        Names::Slab(row) => {
            let sender = row.sender.as_ref();
            (put(row.conversation.as_bytes()), sender.map(|sender| put(sender.as_bytes())))
        }
        Names::Lists(lists, conversation, sender) => {
            let sender = lists.sender_bytes(sender)?;
            (put(lists.conversation_bytes(conversation)?), sender.map(put))
        }
    };
    let start = texts.len();
    page.put_id(at.row, texts);
    let id = start..texts.len();
    let is_reply = page.put_reply_to(at.row, texts);
    Ok(Rendered {
        at,
        record,
        kind,
        version: page.version(at.row),
        created: Timestamp::from_ticks(page.created(at.row)),
        modified: Timestamp::from_ticks(page.modified(at.row)),
        sequence: Sequence(page.sequence(at.row)),
        json,
        conversation,
        sender,
        reply_to: is_reply.then_some(id.end..texts.len()),
        id,
        parts: OnceLock::new(),
    })
}
