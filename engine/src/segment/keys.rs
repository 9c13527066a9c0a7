//! The keys of a row group: what rows are found, ordered and chosen by.
//!
//! Invariant: ids and reply ids are numbers only where their text is the number's shortest decimal
//! form, so every id comes back as it was; the others are kept as texts.
//!
//! Bytes: FORMAT.md, "Keys".

use chatvault_base::decimal::put_decimal;

use super::layout::{Bounds, Times};
use super::stream::{self, Numbers};
use super::{NewRow, TAG_BYTES};
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_block, put_varint, unzigzag, zigzag};
use crate::format::limits::list;
use crate::types::{ContentAddress, MessageKind, RecordKind, TICKS_PER_MS, Timestamp};

/// An id that is a number's shortest decimal form, as nearly all are.
pub(crate) fn numeric(id: &str) -> Option<i64> {
    let digits = id.as_bytes();
    let plain = digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit);
    let shortest = matches!(digits, [_] | [b'1'..=b'9', ..]);
    if plain && shortest { id.parse().ok() } else { None }
}

/// Record kind and message kind in one byte.
pub(crate) fn kind_code(record: RecordKind, kind: MessageKind) -> u8 {
    let kind = match kind {
        MessageKind::Message => 0,
        MessageKind::System => 1,
        MessageKind::Other => 2,
    };
    record.code() * 4 + kind
}

pub(crate) fn kind_of(code: u8) -> Option<(RecordKind, MessageKind)> {
    let kind = match code % 4 {
        0 => MessageKind::Message,
        1 => MessageKind::System,
        2 => MessageKind::Other,
        _ => return None,
    };
    Some((RecordKind::from_code(code / 4)?, kind))
}

/// Collects the keys of a group.
#[derive(Debug, Default)]
pub(crate) struct KeysBuilder {
    created: Vec<i64>,
    /// Minus the creation time.
    modified: Vec<i64>,
    version: Vec<i64>,
    id: Vec<i64>,
    id_texts: Vec<(u32, Box<str>)>,
    reply: Vec<u64>,
    reply_texts: Vec<(u32, Box<str>)>,
    pub(crate) senders: Vec<u64>,
    pub(crate) kinds: Vec<u64>,
    sequence: Vec<i64>,
    pub(crate) sets: Vec<u64>,
    siblings: Vec<u32>,
    beside: Vec<u32>,
    tags: Vec<u8>,
}

impl KeysBuilder {
    pub(crate) fn push(
        &mut self,
        (row, address): (&NewRow<'_>, &ContentAddress),
        sender: u64,
        set: u64,
    ) {
        let number = u32::try_from(self.created.len()).unwrap_or(u32::MAX);
        let created_ms = row.created.ms();
        self.created.push(row.created.ticks());
        self.modified.push(row.modified.ticks().wrapping_sub(row.created.ticks()));
        self.version.push(row.version.cast_signed().wrapping_sub(row.modified.ms()));
        self.id.push(numeric(row.id).map_or(0, |id| id.wrapping_sub(created_ms)));
        if numeric(row.id).is_none() {
            self.id_texts.push((number, row.id.into()));
        }
        self.reply.push(match row.reply_to.map(|reply| (reply, numeric(reply))) {
            None => 0,
            Some((_, Some(id))) => zigzag(created_ms.wrapping_sub(id)).saturating_add(2),
            Some((text, None)) => {
                self.reply_texts.push((number, text.into()));
                1
            }
        });
        self.senders.push(sender);
        self.kinds.push(u64::from(kind_code(row.record, row.kind)));
        self.sequence.push(row.sequence.0.cast_signed());
        self.sets.push(set);
        if row.sibling {
            self.siblings.push(number);
        }
        if row.beside {
            self.beside.push(number);
        }
        self.tags.extend_from_slice(&address.0[..TAG_BYTES]);
    }

    pub(crate) fn rows(&self) -> usize {
        self.created.len()
    }

    /// Is some id not its row's creation time in milliseconds?
    pub(crate) fn odd_ids(&self) -> bool {
        !self.id_texts.is_empty() || self.id.iter().any(|distance| *distance != 0)
    }

    /// When rows were created or modified.
    pub(crate) fn times(&self, within: Bounds) -> Times {
        let mut times = Times::default();
        for (created, later) in self.created.iter().zip(&self.modified) {
            times.add(within, *created);
            times.add(within, created.wrapping_add(*later));
        }
        times
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let whole = |ticks: &i64| ticks % TICKS_PER_MS == 0;
        let in_ms = self.created.iter().chain(&self.modified).all(whole);
        let unit = if in_ms { TICKS_PER_MS } else { 1 };
        put_varint(out, unit.cast_unsigned());
        stream::put_signed(out, &steps(self.created.iter().map(|ticks| ticks / unit)));
        let modified: Vec<i64> = self.modified.iter().map(|ticks| ticks / unit).collect();
        stream::put_signed(out, &modified);
        stream::put_signed(out, &self.version);
        stream::put_signed(out, &self.id);
        put_texts(out, &self.id_texts);
        stream::put_numbers(out, &self.reply);
        put_texts(out, &self.reply_texts);
        stream::put_numbers(out, &self.senders);
        stream::put_numbers(out, &self.kinds);
        stream::put_signed(out, &steps(self.sequence.iter().copied()));
        stream::put_numbers(out, &self.sets);
        for marked in [&self.siblings, &self.beside] {
            put_varint(out, marked.len() as u64);
            put_gaps(out, marked.iter().copied());
        }
        put_block(out, &self.tags);
    }
}

fn steps(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut before = 0;
    numbers.map(|number| number.wrapping_sub(std::mem::replace(&mut before, number))).collect()
}

fn put_gaps(out: &mut Vec<u8>, rows: impl Iterator<Item = u32>) {
    let mut before = 0;
    rows.for_each(|row| put_varint(out, u64::from(row - std::mem::replace(&mut before, row))));
}

fn put_texts(out: &mut Vec<u8>, texts: &[(u32, Box<str>)]) {
    put_varint(out, texts.len() as u64);
    let mut before = 0;
    for (row, text) in texts {
        put_varint(out, u64::from(row - std::mem::replace(&mut before, *row)));
        put_block(out, text.as_bytes());
    }
}

/// The keys of a group, decoded.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) created: Vec<i64>,
    /// Ticks of a unit of time.
    unit: i64,
    /// How much later than it was created a row was modified, in units: mostly not at all.
    later: Numbers,
    /// How far it is from the modified time: likewise.
    version: Numbers,
    /// How far it is from the created time: likewise.
    id: Numbers,
    id_texts: Vec<(u32, Box<str>)>,
    reply: Numbers,
    reply_texts: Vec<(u32, Box<str>)>,
    senders: Numbers,
    kinds: Numbers,
    /// The lowest, and how far each row's is above it.
    sequence: (u64, Numbers),
    sets: Numbers,
    siblings: Vec<u32>,
    beside: Vec<u32>,
    tags: Vec<u8>,
}

impl Keys {
    /// Reads the keys of a group of `rows` rows whose segment has `senders` senders and `sets`
    /// custodian sets.
    pub(crate) fn read(bytes: &[u8], rows: usize, senders: usize, sets: usize) -> Result<Self> {
        let reader = &mut Reader::new(bytes);
        let unit = reader.varint().filter(|unit| matches!(unit, 1 | 10_000));
        let unit = unit.ok_or_else(damaged)?.cast_signed();
        let created = add_up(&stream::read_numbers(reader, rows)?, rows, unit);
        let later = stream::read_numbers(reader, rows)?;
        let version = stream::read_numbers(reader, rows)?;
        let id = stream::read_numbers(reader, rows)?;
        let id_texts = read_texts(reader, rows)?;
        let reply = stream::read_numbers(reader, rows)?;
        let reply_texts = read_texts(reader, rows)?;
        let mut with_text = reply_texts.iter().map(|(row, _)| *row as usize);
        // Where there is no text no row may say that there is one.
        let none = with_text.len() == 0 && matches!(reply, Numbers::Same(code) if code != 1);
        if !none && !with_text.by_ref().eq((0..rows).filter(|row| reply.at(*row) == 1)) {
            return Err(damaged());
        }
        let sender_codes = below(stream::read_numbers(reader, rows)?, rows, senders + 1)?;
        let kinds = stream::read_numbers(reader, rows)?;
        let sequence = above_lowest(&add_up(&stream::read_numbers(reader, rows)?, rows, 1));
        let set_numbers = below(stream::read_numbers(reader, rows)?, rows, sets)?;
        let siblings = read_gaps(reader, rows)?;
        let beside = read_gaps(reader, rows)?;
        let tags = reader.block().filter(|tags| tags.len() == rows * TAG_BYTES);
        let tags = tags.filter(|_| reader.is_empty()).ok_or_else(damaged)?.to_vec();
        Ok(Self {
            created,
            unit,
            later,
            version,
            id,
            id_texts,
            reply,
            reply_texts,
            senders: sender_codes,
            kinds,
            sequence,
            sets: set_numbers,
            siblings,
            beside,
            tags,
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.created.len()
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let Self { later, version, id, reply, senders, kinds, sequence, sets, .. } = self;
        let numbers = [later, version, id, reply, senders, kinds, &sequence.1, sets];
        let texts = self.id_texts.len() + self.reply_texts.len();
        self.rows() * (8 + TAG_BYTES)
            + numbers.iter().map(|numbers| numbers.bytes()).sum::<usize>()
            + texts * 64
            + (self.siblings.len() + self.beside.len()) * 4
    }

    pub(crate) fn modified(&self, row: usize) -> i64 {
        self.created[row].wrapping_add(self.later.signed(row).wrapping_mul(self.unit))
    }

    pub(crate) fn version(&self, row: usize) -> u64 {
        let ms = Timestamp::from_ticks(self.modified(row)).ms();
        self.version.signed(row).wrapping_add(ms).cast_unsigned()
    }

    fn id(&self, row: usize) -> i64 {
        self.id.signed(row).wrapping_add(Timestamp::from_ticks(self.created[row]).ms())
    }

    /// The id if it is a number.
    pub(crate) fn numeric_id(&self, row: usize) -> Option<i64> {
        text_at(&self.id_texts, row).is_none().then(|| self.id(row))
    }

    /// Puts the id's text into `out`.
    pub(crate) fn put_id(&self, row: usize, out: &mut Vec<u8>) {
        match text_at(&self.id_texts, row) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => put_decimal(out, self.id(row).cast_unsigned()),
        }
    }

    /// Puts the reply's root into `out`; false if the row is no reply.
    pub(crate) fn put_reply_to(&self, row: usize, out: &mut Vec<u8>) -> bool {
        match self.reply.at(row) {
            0 => return false,
            1 => {
                let text = text_at(&self.reply_texts, row).unwrap_or_default();
                out.extend_from_slice(text.as_bytes());
            }
            code => {
                let age = unzigzag(code - 2);
                let id = Timestamp::from_ticks(self.created[row]).ms().wrapping_sub(age);
                put_decimal(out, id.cast_unsigned());
            }
        }
        true
    }

    /// The sender's code: 0 for none, else 1 + its number.
    pub(crate) fn sender(&self, row: usize) -> u32 {
        u32::try_from(self.senders.at(row)).unwrap_or(0)
    }

    /// Record and message kind; a code of a newer version counts as another message kind.
    pub(crate) fn kind(&self, row: usize) -> (RecordKind, MessageKind) {
        let code = u8::try_from(self.kinds.at(row)).unwrap_or(u8::MAX);
        kind_of(code).unwrap_or((RecordKind::Message, MessageKind::Other))
    }

    pub(crate) fn sequence(&self, row: usize) -> u64 {
        self.sequence.0.wrapping_add(self.sequence.1.at(row))
    }

    /// The number of the row's custodian set.
    pub(crate) fn set(&self, row: usize) -> usize {
        usize::try_from(self.sets.at(row)).unwrap_or(0)
    }

    pub(crate) fn is_sibling(&self, row: usize) -> bool {
        self.siblings.binary_search(&narrow(row)).is_ok()
    }

    /// Rows that came when the archive had another row of their message.
    pub(crate) fn siblings(&self) -> &[u32] {
        &self.siblings
    }

    /// Was the row stored beside one that could not be read?
    pub(crate) fn is_beside(&self, row: usize) -> bool {
        self.beside.binary_search(&narrow(row)).is_ok()
    }

    pub(crate) fn tag(&self, row: usize) -> &[u8] {
        &self.tags[row * TAG_BYTES..(row + 1) * TAG_BYTES]
    }
}

fn damaged() -> Error {
    Error::corrupt("row group's keys are damaged")
}

fn narrow(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}

fn add_up(steps: &Numbers, rows: usize, unit: i64) -> Vec<i64> {
    let mut sum = 0_i64;
    steps.map(rows, |_, step| {
        sum = sum.wrapping_add(unzigzag(step));
        sum.wrapping_mul(unit)
    })
}

fn above_lowest(numbers: &[i64]) -> (u64, Numbers) {
    let numbers: Vec<u64> = numbers.iter().map(|number| number.cast_unsigned()).collect();
    let lowest = numbers.iter().min().copied().unwrap_or(0);
    let above: Vec<u64> = numbers.iter().map(|number| number - lowest).collect();
    (lowest, Numbers::of(&above))
}

fn below(numbers: Numbers, rows: usize, limit: usize) -> Result<Numbers> {
    if rows == 0 || numbers.are_below(limit as u64) { Ok(numbers) } else { Err(damaged()) }
}

fn text_at(texts: &[(u32, Box<str>)], row: usize) -> Option<&str> {
    if texts.is_empty() {
        return None;
    }
    let found = texts.binary_search_by_key(&narrow(row), |(row, _)| *row).ok()?;
    texts.get(found).map(|(_, text)| &**text)
}

fn read_texts(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<(u32, Box<str>)>> {
    let mut before = None;
    let texts = reader.list(list::KEY_TEXTS.within(rows), |reader| {
        let row = next_row(reader, before, rows)?;
        before = Some(row);
        Some((row, reader.text()?.into()))
    });
    texts.ok_or_else(damaged)
}

fn read_gaps(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<u32>> {
    let mut before = None;
    let gaps = reader.list(list::SIBLINGS.within(rows), |reader| {
        before = Some(next_row(reader, before, rows)?);
        before
    });
    gaps.ok_or_else(damaged)
}

/// The row that is a gap behind the row before: greater than that, and a row of the group.
fn next_row(reader: &mut Reader<'_>, before: Option<u32>, rows: usize) -> Option<u32> {
    let row = before.unwrap_or(0).checked_add(reader.varint32()?)?;
    (before.is_none_or(|before| before < row) && (row as usize) < rows).then_some(row)
}
