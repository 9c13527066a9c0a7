//! The columns of a row group: codes of text columns, ticks of time columns, and text of its own.
//!
//! Invariant: entries and predictions belong to the segment and only grow while it is built, so a
//! code written for one group stays right. Bytes: FORMAT.md, "Templates and columns".

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::bind::{Context, Sink};
use super::layout::Strings;
use super::stream;
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_varint, zigzag};
use crate::format::limits::list;

/// Code of a value whose text stands in the row's text.
pub(crate) const INLINE: u64 = 0;
/// Code of the value that goes with the context.
pub(crate) const PREDICTED: u64 = 1;
/// Code of the first dictionary entry.
pub(crate) const FIRST_ENTRY: u64 = 2;
/// Longer values never become dictionary entries.
pub(super) const MAX_ENTRY_BYTES: usize = 512;
/// Bytes of the entries of all columns: they are in memory while a segment is built.
const MAX_ENTRIES_BYTES: usize = 128 << 20;
/// Predictions of all columns, likewise.
const MAX_PREDICTIONS: usize = 1 << 21;

/// How often each value of each column occurs.
///
/// Most columns say the same row after row: a value like the one before is not looked up again.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// By column, by the value's hash.
    seen: Vec<HashMap<u64, u32, RandomState>>,
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
    /// Which columns keep their entries together, and what becomes an entry. A column joins a larger
    /// one that has at least half of its values: persons stand in many columns.
    fn settle(self, columns: usize) -> Repeated {
        let Self { mut seen, hasher, .. } = self;
        seen.resize_with(columns, HashMap::default);
        let mut homes: Vec<usize> = (0..columns).collect();
        let mut order = homes.clone();
        order.sort_by_key(|column| std::cmp::Reverse(seen[*column].len()));
        let mut owners: Vec<usize> = Vec::new();
        for column in order {
            let values = std::mem::take(&mut seen[column]);
            let joins = |owner: &&usize| {
                let strangers = values.keys().filter(|value| !seen[**owner].contains_key(*value));
                strangers.take(values.len() / 2 + 1).count() <= values.len() / 2
            };
            let owner = owners.iter().find(joins).filter(|_| values.len() >= MIN_SHARED);
            if let Some(owner) = owner {
                homes[column] = *owner;
                for (value, count) in values {
                    *seen[*owner].entry(value).or_insert(0) += count;
                }
            } else {
                seen[column] = values;
                owners.push(column);
            }
        }
        let repeated = seen.into_iter().map(|values| {
            let repeated = values.into_iter().filter(|(_, count)| *count > 1);
            repeated.map(|(value, _)| value).collect()
        });
        Repeated { values: repeated.collect(), homes, hasher }
    }
}

/// Columns of fewer values keep their entries to themselves.
const MIN_SHARED: usize = 32;

/// What becomes an entry.
#[derive(Debug, Default)]
struct Repeated {
    /// By the column that the entries belong to.
    values: Vec<HashSet<u64, RandomState>>,
    /// The column that each column's entries belong to.
    homes: Vec<usize>,
    hasher: RandomState,
}

impl Repeated {
    fn has(&self, home: usize, value: &[u8]) -> bool {
        value.len() <= MAX_ENTRY_BYTES && self.values[home].contains(&self.hasher.hash_one(value))
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
            self.seen.resize_with(place + 1, HashMap::default);
        }
        let before = &self.before[place];
        let same = before.known && before.value == value;
        if same && before.repeated {
            return;
        }
        let count = self.seen[place].entry(self.hasher.hash_one(value)).or_insert(0);
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
    /// The column whose entries it takes, if they are not its own.
    pub(crate) shared: Option<u32>,
    pub(crate) entries: Strings,
    /// By context code, below 2^24; 0 where nothing is known.
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
    repeated: Repeated,
    #[expect(clippy::struct_field_names, reason = "they are the columns")]
    columns: Vec<Column>,
    pub(crate) tables: Vec<ColumnTable>,
    roots: Vec<u64>,
    inner: Vec<u64>,
    pub(crate) text: Vec<u8>,
    /// Entries of all tables, and their bytes.
    entries: (usize, usize),
    /// Predictions of all tables.
    predicted: usize,
    row: u32,
    sender: u64,
}

impl Columns {
    pub(crate) fn new(counts: Counts, contexts: &[Context]) -> Self {
        let repeated = counts.settle(contexts.len());
        let table = |(column, context): (usize, &Context)| ColumnTable {
            time: false,
            context: *context,
            shared: Some(repeated.homes[column]).filter(|home| *home != column).map(narrow),
            entries: Strings::default(),
            predictions: Vec::new(),
        };
        let mut columns = Vec::new();
        columns.resize_with(contexts.len(), Column::default);
        let tables = contexts.iter().enumerate().map(table).collect();
        Self { repeated, columns, tables, ..Self::default() }
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
        let home = self.repeated.homes[column as usize];
        if !self.repeated.has(home, value) {
            return INLINE;
        }
        let known = &mut self.columns[home].entries;
        if let Some(code) = known.get(value) {
            return *code;
        }
        let entries = &mut self.tables[home].entries;
        let (count, bytes) = self.entries;
        if count >= list::ENTRIES.items || bytes >= MAX_ENTRIES_BYTES {
            return INLINE;
        }
        self.entries = (count + 1, bytes + value.len() + 2);
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
        if more > MAX_PREDICTIONS - self.predicted {
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
    pub(crate) fn put_group(&mut self, out: &mut Vec<u8>) {
        stream::put_numbers(out, &self.roots);
        put_varint(out, self.inner.len() as u64);
        stream::put_numbers(out, &self.inner);
        let mut before = 0;
        for (number, column) in self.columns.iter_mut().enumerate() {
            if column.codes.is_empty() {
                continue;
            }
            put_varint(out, (number + 1 - before) as u64);
            before = number + 1;
            put_varint(out, column.codes.len() as u64);
            stream::put_numbers(out, &column.codes);
            column.codes.clear();
        }
        put_varint(out, 0);
        self.roots.clear();
        self.inner.clear();
    }

    /// Forgets the group's values without writing them: it is encoded again.
    pub(crate) fn drop_group(&mut self) {
        self.columns.iter_mut().for_each(|column| column.codes.clear());
        self.roots.clear();
        self.inner.clear();
        self.text.clear();
    }
}

/// Predictions of an item of their list.
const PREDICTIONS_OF_ITEM: usize = 64;
/// Bytes of a predicted code.
const CODE_BYTES: usize = 3;
// What a writer makes is no more than a reader takes: each column begins an item.
const _: () =
    assert!(MAX_PREDICTIONS / PREDICTIONS_OF_ITEM + list::COLUMNS.items <= list::PREDICTIONS.items);

/// What the section of tables says of a column. Its entries and predictions are in lists, behind those
/// of the columns before it, or its entries are those of another column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnHead {
    first_entry: u32,
    entries: u32,
    first_prediction: u32,
    predictions: u32,
}

impl ColumnHead {
    /// The place of an entry in its list.
    pub(super) fn entry(&self, code: u64) -> Option<u32> {
        let number = u32::try_from(code.checked_sub(FIRST_ENTRY)?).ok()?;
        (number < self.entries).then(|| self.first_entry.saturating_add(number))
    }

    /// The place of a prediction's item in its list, and its place in there.
    pub(super) fn prediction(&self, context: u64) -> Option<(u32, usize)> {
        let context = u32::try_from(context).ok().filter(|context| *context < self.predictions)?;
        let item = context / narrow(PREDICTIONS_OF_ITEM);
        let at = context as usize % PREDICTIONS_OF_ITEM * CODE_BYTES;
        Some((self.first_prediction.saturating_add(item), at))
    }

    /// Bytes of each of its items of predictions.
    pub(super) fn prediction_bytes(&self) -> impl Iterator<Item = usize> {
        let all = self.predictions as usize;
        let items = (0..all).step_by(PREDICTIONS_OF_ITEM);
        items.map(move |first| (all - first).min(PREDICTIONS_OF_ITEM) * CODE_BYTES)
    }
}

/// Can this be an item of predictions?
pub(super) fn is_predictions(item: &[u8]) -> bool {
    let whole = item.len().is_multiple_of(CODE_BYTES);
    whole && (1..=PREDICTIONS_OF_ITEM).contains(&(item.len() / CODE_BYTES))
}

/// A code in an item of predictions; 0 where there is none.
pub(super) fn predicted_code(item: &[u8], at: usize) -> u64 {
    let Some([low, middle, high]) = item.get(at..at + CODE_BYTES) else { return 0 };
    u64::from(u32::from_le_bytes([*low, *middle, *high, 0]))
}

/// Appends what the section of tables says of the columns.
pub(crate) fn put_heads(tables: &[ColumnTable], out: &mut Vec<u8>) {
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
        put_varint(out, table.shared.map_or(0, |column| 1 + u64::from(column)));
        if table.shared.is_none() {
            put_varint(out, table.entries.len() as u64);
        }
        put_varint(out, table.predictions.len() as u64);
    }
}

/// The lists of entries and of predictions of all columns.
pub(crate) fn lists(tables: &[ColumnTable]) -> (Strings, Strings) {
    let (mut entries, mut predictions) = (Strings::default(), Strings::default());
    for table in tables {
        (0..table.entries.len())
            .filter_map(|at| table.entries.get(at))
            .for_each(|e| entries.push(e));
        for codes in table.predictions.chunks(PREDICTIONS_OF_ITEM) {
            let bytes =
                codes.iter().flat_map(|code| code.to_le_bytes().into_iter().take(CODE_BYTES));
            predictions.push(&bytes.collect::<Vec<u8>>());
        }
    }
    (entries, predictions)
}

/// What columns are and what their predictions go with.
pub(crate) type Heads = (Vec<ColumnHead>, Vec<Context>);

/// Reads the section of tables of a segment that has so many senders, entries and items of
/// predictions.
pub(crate) fn read_heads(bytes: &[u8], senders: u32, lists: (u32, u32)) -> Result<Heads> {
    let reader = &mut Reader::new(bytes);
    try_read_heads(reader, senders, lists)
        .filter(|_| reader.is_empty())
        .ok_or_else(|| Error::corrupt("columns' tables are damaged or over their limit"))
}

fn try_read_heads(reader: &mut Reader<'_>, senders: u32, lists: (u32, u32)) -> Option<Heads> {
    let count = reader.count(list::COLUMNS)?;
    let (mut heads, mut contexts) = (Vec::new(), Vec::new());
    let mut shares: Vec<(usize, usize)> = Vec::new();
    let (mut first_entry, mut first_prediction) = (0_u32, 0_u32);
    for _ in 0..count {
        let _is_time = reader.u8().filter(|time| *time <= 1)?;
        contexts.push(match reader.varint32()? {
            0 => Context::None,
            1 => Context::Sender,
            id if (id as usize) < count + 2 => Context::Column(id - 2),
            _ => return None,
        });
        let owner = (reader.varint32()? as usize).checked_sub(1);
        shares.extend(owner.map(|owner| (heads.len(), owner)));
        let entries = if owner.is_some() { 0 } else { reader.varint32()? };
        let predictions = reader.varint32()?;
        heads.push(ColumnHead { first_entry, entries, first_prediction, predictions });
        first_entry = first_entry.checked_add(entries)?;
        let items = predictions.div_ceil(narrow(PREDICTIONS_OF_ITEM));
        first_prediction = first_prediction.checked_add(items)?;
    }
    let borrows = |column| shares.binary_search_by_key(&column, |(column, _)| *column).is_ok();
    if shares.iter().any(|(_, owner)| borrows(*owner)) {
        return None;
    }
    for (column, owner) in shares {
        let ColumnHead { first_entry, entries, .. } = *heads.get(owner)?;
        (heads[column].first_entry, heads[column].entries) = (first_entry, entries);
    }
    let fits = |(head, context): (&ColumnHead, &Context)| {
        let most = match context {
            Context::Sender => senders.saturating_add(1),
            // INLINE and PREDICTED are codes too.
            Context::Column(id) => heads[*id as usize].entries.saturating_add(2),
            Context::None => 0,
        };
        head.predictions <= most
    };
    let all = heads.iter().zip(&contexts).all(fits) && (first_entry, first_prediction) == lists;
    all.then_some((heads, contexts))
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
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
