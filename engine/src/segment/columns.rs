//! The columns of a row group: codes of text columns, ticks of time columns, and text of its own.
//!
//! Invariant: entries and predictions belong to the segment and only grow while it is built, so a
//! code written for one group stays right. Bytes: FORMAT.md, "Templates and columns".

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::bind::{Context, Sink};
use super::layout::Strings;
use super::stream::{self, Numbers, Packer};
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_varint, zigzag};
use crate::format::limits::{self, list};

/// Code of a value whose text stands in the row's text.
pub(crate) const INLINE: u64 = 0;
/// Code of the value that goes with the context.
pub(crate) const PREDICTED: u64 = 1;
/// Code of the first dictionary entry.
pub(crate) const FIRST_ENTRY: u64 = 2;
/// Longer values never become dictionary entries.
const MAX_ENTRY_BYTES: usize = 512;
/// Entries of all columns: half of what a section decodes to at most.
const MAX_ENTRIES_BYTES: usize = limits::decoded::FRAME / 2;

/// How often each value of each column occurs.
///
/// Most columns say the same row after row: a value like the one before is not looked up again.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    seen: HashMap<u64, u32, RandomState>,
    hasher: RandomState,
    before: Vec<Before>,
}

/// The value that a column had last.
#[derive(Debug, Default)]
struct Before {
    value: Vec<u8>,
    known: bool,
    /// Counted twice already, which is all that matters.
    repeated: bool,
}

impl Counts {
    fn key(&self, column: u32, value: &[u8]) -> u64 {
        use std::hash::BuildHasher;
        self.hasher.hash_one((column, value))
    }

    fn repeated(&self, column: u32, value: &[u8]) -> bool {
        value.len() <= MAX_ENTRY_BYTES
            && self.seen.get(&self.key(column, value)).is_some_and(|count| *count > 1)
    }
}

impl Sink for Counts {
    fn reserve(&mut self) -> usize {
        0
    }
    fn fill(&mut self, _: usize, _: u32) {}
    fn root(&mut self, _: u32) {}
    fn time(&mut self, _: u32, _: i64) {}
    fn text(&mut self, column: u32, value: &[u8]) {
        if value.len() > MAX_ENTRY_BYTES {
            return;
        }
        let place = column as usize;
        if self.before.len() <= place {
            self.before.resize_with(place + 1, Before::default);
        }
        let before = &self.before[place];
        let same = before.known && before.value == value;
        if same && before.repeated {
            return;
        }
        let count = self.seen.entry(self.key(column, value)).or_insert(0);
        *count += 1;
        let repeated = *count > 1;
        let before = &mut self.before[place];
        (before.known, before.repeated) = (true, repeated);
        if !same {
            before.value.clear();
            before.value.extend_from_slice(value);
        }
    }
}

/// One column as the segment keeps it: its dictionary, and what its context predicts.
#[derive(Clone, Debug)]
pub(crate) struct ColumnTable {
    pub(crate) time: bool,
    pub(crate) context: Context,
    pub(crate) entries: Strings,
    /// By context code; 0 where nothing is known.
    pub(crate) predictions: Vec<u32>,
}

/// One column while a segment is built.
#[derive(Debug, Default)]
struct Column {
    entries: HashMap<Box<[u8]>, u64, RandomState>,
    codes: Vec<u64>,
    last: u64,
    last_row: u32,
    /// A value that was looked up last, and its code.
    before: Option<(Vec<u8>, u64)>,
}

/// Collects the values of row groups; keeps dictionaries over the whole segment.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    counts: Counts,
    #[expect(clippy::struct_field_names, reason = "they are the columns")]
    columns: Vec<Column>,
    pub(crate) tables: Vec<ColumnTable>,
    roots: Vec<u64>,
    inner: Vec<u64>,
    pub(crate) text: Vec<u8>,
    /// Bytes of the entries of all tables.
    entry_bytes: usize,
    /// Predictions of all tables.
    predicted: usize,
    row: u32,
    sender: u64,
}

impl Columns {
    pub(crate) fn new(counts: Counts, contexts: &[Context]) -> Self {
        let table = |context: &Context| ColumnTable {
            time: false,
            context: *context,
            entries: Strings::default(),
            predictions: Vec::new(),
        };
        let mut columns = Vec::new();
        columns.resize_with(contexts.len(), Column::default);
        Self { counts, columns, tables: contexts.iter().map(table).collect(), ..Self::default() }
    }

    /// Starts a row; `sender` is its code, 0 for none.
    pub(crate) fn row(&mut self, sender: u64) {
        self.row += 1;
        self.sender = sender;
    }

    fn context_code(&self, column: u32) -> u64 {
        match self.tables[column as usize].context {
            Context::Sender => self.sender,
            Context::Column(id) => {
                let id = &self.columns[id as usize];
                if id.last_row == self.row { id.last } else { 0 }
            }
            Context::None => 0,
        }
    }

    fn code(&mut self, column: u32, value: &[u8]) -> u64 {
        if let Some((before, code)) = &self.columns[column as usize].before
            && before == value
        {
            return *code;
        }
        let code = self.look_up(column, value);
        if code != INLINE {
            self.columns[column as usize].before = Some((value.to_vec(), code));
        }
        code
    }

    fn look_up(&mut self, column: u32, value: &[u8]) -> u64 {
        if !self.counts.repeated(column, value) {
            return INLINE;
        }
        let known = &mut self.columns[column as usize].entries;
        if let Some(code) = known.get(value) {
            return *code;
        }
        let entries = &mut self.tables[column as usize].entries;
        let full = entries.len() >= list::ENTRIES.items || self.entry_bytes >= MAX_ENTRIES_BYTES;
        if full {
            return INLINE;
        }
        self.entry_bytes += value.len() + 2;
        let code = FIRST_ENTRY + entries.len() as u64;
        entries.push(value);
        let _ = known.insert(value.into(), code);
        code
    }

    /// The code to write for a dictionary entry: `PREDICTED` if the context says so.
    fn predict(&mut self, column: u32, code: u64) -> u64 {
        let context = usize::try_from(self.context_code(column)).unwrap_or(0);
        if context == 0 {
            return code;
        }
        let predictions = &mut self.tables[column as usize].predictions;
        let more = (context + 1).saturating_sub(predictions.len());
        if more > limits::PREDICTIONS - self.predicted {
            return code;
        }
        self.predicted += more;
        predictions.resize(predictions.len() + more, 0);
        if predictions[context] == 0 {
            predictions[context] = u32::try_from(code).unwrap_or(0);
        }
        if u64::from(predictions[context]) == code { PREDICTED } else { code }
    }

    /// Appends the group's columns and forgets its values.
    pub(crate) fn put_group(&mut self, packer: &mut Packer, out: &mut Vec<u8>) -> Result<()> {
        packer.put_numbers(out, &self.roots)?;
        put_varint(out, self.inner.len() as u64);
        packer.put_numbers(out, &self.inner)?;
        let mut before = 0;
        for (number, column) in self.columns.iter_mut().enumerate() {
            if column.codes.is_empty() {
                continue;
            }
            put_varint(out, (number + 1 - before) as u64);
            before = number + 1;
            put_varint(out, column.codes.len() as u64);
            packer.put_numbers(out, &column.codes)?;
            column.codes.clear();
        }
        put_varint(out, 0);
        self.roots.clear();
        self.inner.clear();
        Ok(())
    }

    /// Forgets the group's values without writing them: it is encoded again.
    pub(crate) fn drop_group(&mut self) {
        self.columns.iter_mut().for_each(|column| column.codes.clear());
        self.roots.clear();
        self.inner.clear();
        self.text.clear();
    }
}

/// Appends the columns' dictionaries and predictions.
pub(crate) fn put_tables(
    tables: &[ColumnTable],
    packer: &mut Packer,
    out: &mut Vec<u8>,
) -> Result<()> {
    put_varint(out, tables.len() as u64);
    for table in tables {
        out.push(u8::from(table.time));
        put_varint(
            out,
            match table.context {
                Context::None => 0,
                Context::Sender => 1,
                Context::Column(id) => 2 + u64::from(id),
            },
        );
        table.entries.put(out);
        put_varint(out, table.predictions.len() as u64);
        let predictions: Vec<u64> = table.predictions.iter().map(|code| u64::from(*code)).collect();
        packer.put_numbers(out, &predictions)?;
    }
    Ok(())
}

/// Reads the columns' tables of a segment that has so many senders.
pub(crate) fn read_tables(bytes: &[u8], senders: usize) -> Result<Vec<ColumnTable>> {
    let damaged = || Error::corrupt("column tables are damaged or over their limit");
    let reader = &mut Reader::new(bytes);
    let count = reader.count(list::COLUMNS).ok_or_else(damaged)?;
    let (mut tables, mut predictions) = (Vec::new(), Vec::new());
    for _ in 0..count {
        tables.push(read_table(reader, count).ok_or_else(damaged)?);
        let length = reader.varint().and_then(|length| usize::try_from(length).ok());
        predictions.push((length.ok_or_else(damaged)?, reader.clone()));
        stream::skip_numbers(reader).ok_or_else(damaged)?;
    }
    if !reader.is_empty() {
        return Err(damaged());
    }
    // Only now it is known what a context can be, and so how many predictions there can be.
    let mut left = limits::PREDICTIONS;
    for (number, (length, mut numbers)) in predictions.into_iter().enumerate() {
        let limit = contexts(&tables, number, senders).min(left);
        let length = Some(length).filter(|length| *length <= limit).ok_or_else(damaged)?;
        left -= length;
        let list = match stream::read_numbers(&mut numbers, length)? {
            Numbers::Same(_) if length == 0 => Vec::new(),
            // Context 0 is never predicted and the last one is: they differ.
            Numbers::Same(_) => return Err(damaged()),
            several => {
                let codes = (0..length).map(|at| u32::try_from(several.at(at)).ok());
                codes.collect::<Option<Vec<u32>>>().ok_or_else(damaged)?
            }
        };
        if let Some(table) = tables.get_mut(number) {
            table.predictions = list;
        }
    }
    Ok(tables)
}

/// A table of one among `count` columns, without its predictions.
fn read_table(reader: &mut Reader<'_>, count: usize) -> Option<ColumnTable> {
    let time = reader.u8().filter(|time| *time <= 1)? == 1;
    let context = match reader.varint32()? {
        0 => Context::None,
        1 => Context::Sender,
        id if (id as usize) < count + 2 => Context::Column(id - 2),
        _ => return None,
    };
    let short = |_: Option<&[u8]>, entry: &[u8]| entry.len() <= MAX_ENTRY_BYTES;
    let entries = Strings::read(reader, list::ENTRIES, short)?;
    Some(ColumnTable { time, context, entries, predictions: Vec::new() })
}

/// How many context codes there are for a column.
fn contexts(tables: &[ColumnTable], number: usize, senders: usize) -> usize {
    match tables.get(number).map(|table| table.context) {
        Some(Context::Sender) => senders + 1,
        Some(Context::Column(id)) => {
            let entries = tables.get(id as usize).map_or(0, |table| table.entries.len());
            // INLINE and PREDICTED are codes too.
            entries + 2
        }
        Some(Context::None) | None => 0,
    }
}

impl Sink for Columns {
    fn reserve(&mut self) -> usize {
        self.inner.push(0);
        self.inner.len() - 1
    }

    fn fill(&mut self, slot: usize, number: u32) {
        self.inner[slot] = u64::from(number);
    }

    fn root(&mut self, template: u32) {
        self.roots.push(u64::from(template));
    }

    fn text(&mut self, column: u32, value: &[u8]) {
        let code = self.code(column, value);
        let written = if code == INLINE {
            self.text.extend_from_slice(value);
            self.text.push(0);
            INLINE
        } else {
            self.predict(column, code)
        };
        let row = self.row;
        let column = &mut self.columns[column as usize];
        column.codes.push(written);
        column.last = code;
        column.last_row = row;
    }

    fn time(&mut self, column: u32, ticks: i64) {
        self.tables[column as usize].time = true;
        self.columns[column as usize].codes.push(zigzag(ticks));
    }
}
