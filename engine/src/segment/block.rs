//! A row group's columns decoded, and rows rendered from them.
//!
//! Invariant: `decode` walks all rows once and checks that every column has exactly the values
//! its templates ask for; rendering relies on that. Marks every few rows, and at the start of
//! each text chunk, let any row be reached in a few steps.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use chatvault_base::time::text::Printer;

use super::bind::Context;
use super::bound::Bound;
use super::columns::INLINE;
use super::keys::Keys;
use super::layout::Chunk;
use super::program::{Column, Made, Move, Own, Program, Programs, Reduced, Step, Use};
use super::recent::Recent;
use super::stream::{self, Numbers};
use super::walk::Walk;
use crate::error::{Error, Result};
use crate::format::bytes::Reader;
use crate::format::limits::decoded;

/// A mark every so many rows: a row is reached by walking half as many on average.
const MARK_ROWS: u32 = 32;

/// A group may always have so many numbers: uniform ones take hardly a byte.
const MIN_NUMBERS: usize = 1 << 20;
/// No group has more: they are counted in 32 bits.
const MAX_NUMBERS: usize = 1 << 31;
/// Places in columns that the marks of a group remember at most.
const MAX_MARKED: usize = 1 << 22;
/// Of a column whose numbers do not differ.
const NO_SLOT: u32 = u32::MAX;
/// Arrays nested deeper than any parsed document could be.
pub(super) const MAX_DEPTH: usize = 256;

/// A conversation's name in a list, and its rows in the segment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spot {
    pub(crate) number: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Literal text, as row groups share it.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    pub(super) text: Arc<[u8]>,
    /// Its number among those that are shared, from 1 on; 0 if it is its group's own.
    pub(super) number: u32,
}

/// What rendering needs of a segment besides the row group. While a segment is built it is in
/// memory; afterwards it is read by page.
pub(crate) trait Lookup {
    fn templates(&self) -> &[Bound];
    /// What each column's predictions go with.
    fn contexts(&self) -> &[Context];
    /// Does what some column predicts go with this one?
    fn is_context(&self, column: u32) -> bool;
    /// The program that is made so, shared if another group has it; is it new?
    fn program(&self, made: &Made) -> Result<(Arc<Program>, bool)>;
    /// An entry of a column by its code.
    fn entry(&self, column: u32, code: u64) -> Result<&[u8]>;
    /// These bytes, shared if they were asked for before.
    fn literal(&self, bytes: &[u8]) -> Literal;
    /// The number that a run of such steps has in every group; `None` if it is to be none.
    fn run(&self, steps: &[u32]) -> Option<u32>;
    /// The code that goes with a context; 0 if none does.
    fn prediction(&self, column: u32, context: u64) -> Result<u64>;
    /// The conversation of a row.
    fn spot(&self, row: u32) -> Result<Spot>;
    fn conversation(&self, number: u32) -> Result<&[u8]>;
    fn sender(&self, number: u32) -> Result<&[u8]>;
}

/// The own text of a chunk's rows, and where each piece ends.
#[derive(Debug)]
pub(crate) struct Text {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Text {
    /// Every piece ends with a zero byte.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let ends = memchr::memchr_iter(0, &bytes).map(narrow).collect();
        Self { bytes, ends }
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * 4
    }

    pub(super) fn piece(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)? as usize;
        let before = number.checked_sub(1).and_then(|before| self.ends.get(before));
        self.bytes.get(before.map_or(0, |end| *end as usize + 1)..end)
    }
}

/// A row group's columns.
#[derive(Debug)]
pub(crate) struct Block {
    pub(super) first_row: u32,
    roots: Numbers,
    inner: Numbers,
    /// Columns whose numbers differ, by slot.
    pub(super) varying: Vec<Numbers>,
    /// The slot of each column that has one, by column; `u32::MAX` for none.
    slots: Vec<u32>,
    chunks: Vec<Chunk>,
    marks: Vec<Mark>,
    /// Numbers of each slot before each mark.
    marked: Vec<u32>,
    pub(super) programs: Programs,
    /// Literal bytes that its programs may still take.
    pub(super) room: AtomicUsize,
}

/// Where a row's values are, but for those of slots.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub(super) row: u32,
    pub(super) chunk: u32,
    pub(super) chunk_end: u32,
    /// Pieces of the chunk's text before it.
    pub(super) text: u32,
    pub(super) inner: u32,
}

/// Where the next row's values are, and what was rendered lately of the segment.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    pub(super) at: Mark,
    /// Numbers of each slot before it.
    pub(super) next: Vec<u32>,
    pub(super) conversation: Spot,
    /// The row's codes so far in columns that are a context.
    pub(super) last: Vec<(u32, u64)>,
    pub(super) printer: Printer,
    pub(super) recent: Recent,
    /// A row wanted text that it was not given.
    pub(crate) wants_text: bool,
}

impl Cursor {
    /// Goes to another block of the segment.
    pub(crate) fn leave(&mut self) {
        self.at = Mark::default();
    }

    /// The chunk that holds the row's text.
    pub(crate) fn chunk(&self) -> usize {
        self.at.chunk as usize
    }
}

impl Block {
    /// Decodes the payload of a columns frame.
    pub(crate) fn decode(
        bytes: &[u8],
        first_row: u32,
        chunks: &[Chunk],
        keys: &Keys,
        view: &impl Lookup,
    ) -> Result<Self> {
        let reader = &mut Reader::new(bytes);
        let rows = keys.rows();
        let roots = stream::read_numbers(reader, rows)?;
        let limit = bytes.len().saturating_mul(64).clamp(MIN_NUMBERS, MAX_NUMBERS);
        let mut left = limit;
        let counted = |reader: &mut Reader<'_>| {
            let count = reader.varint().and_then(|count| usize::try_from(count).ok());
            count.filter(|count| *count <= limit).ok_or_else(damaged)
        };
        let inner_count = counted(reader)?;
        let inner = stream::read_numbers(reader, inner_count)?;
        let mut columns = vec![Column::Absent; view.contexts().len()];
        let (mut varying, mut slots): (Vec<Numbers>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut number = 0_usize;
        loop {
            let gap = reader.varint32().ok_or_else(damaged)? as usize;
            if gap == 0 {
                break;
            }
            number += gap;
            let column = columns.get_mut(number - 1).ok_or_else(damaged)?;
            let count = counted(reader)?;
            *column = match stream::read_numbers(reader, count)? {
                Numbers::Same(number) => Column::Same(number),
                numbers => {
                    left = left.checked_sub(numbers.len()).ok_or_else(damaged)?;
                    let own = match numbers.count(INLINE) {
                        0 => Own::Never,
                        own if own > numbers.len() / 16 => Own::Often,
                        _ => Own::Seldom,
                    };
                    slots.resize(number - 1, NO_SLOT);
                    slots.push(narrow(varying.len()));
                    varying.push(numbers);
                    Column::Varying(own)
                }
            };
        }
        if varying.len().saturating_mul(rows.div_ceil(MARK_ROWS as usize) + chunks.len())
            > MAX_MARKED
        {
            return Err(Error::corrupt("row group has too many columns"));
        }
        let mut block = Self {
            first_row,
            roots,
            inner,
            varying,
            slots,
            chunks: chunks.to_vec(),
            marks: Vec::new(),
            marked: Vec::new(),
            programs: Programs::default(),
            room: AtomicUsize::new(decoded::LITERALS),
        };
        block.programs = Programs::of(view, &columns, block.templates(rows, inner_count))?;
        let end = block.mark(rows, inner_count)?;
        let all = |(next, numbers): (&u32, &Numbers)| *next as usize == numbers.len();
        let whole =
            end.next.iter().zip(&block.varying).all(all) && end.at.inner as usize == inner_count;
        if whole && reader.is_empty() { Ok(block) } else { Err(damaged()) }
    }

    /// Numbers of the templates that occur among the roots or the elements. Counts of elements
    /// are among them; a template compiled in vain does no harm.
    fn templates(&self, rows: usize, inner: usize) -> impl Iterator<Item = (u64, Use)> {
        let roots = if matches!(self.roots, Numbers::Same(_)) { rows.min(1) } else { rows };
        let roots = (0..roots).map(|row| (self.roots.at(row), Use::Root));
        roots.chain((0..inner).map(|at| (self.inner.at(at), Use::Perhaps)))
    }

    /// Walks all rows and leaves marks.
    fn mark(&mut self, rows: usize, inner: usize) -> Result<Cursor> {
        let mut cursor = Cursor { next: vec![0; self.varying.len()], ..Cursor::default() };
        let mut tally = Tally::new(self.programs.len(), self.varying.len());
        for chunk in 0..self.chunks.len() {
            cursor.at.chunk = narrow(chunk);
            cursor.at.chunk_end = cursor.at.row.saturating_add(self.chunks[chunk].rows);
            cursor.at.text = 0;
            let end = cursor.at.chunk_end.min(narrow(rows));
            while cursor.at.row < end {
                self.marks.push(cursor.at);
                self.marked.extend_from_slice(&cursor.next);
                let next = end.min(cursor.at.row + MARK_ROWS);
                for row in cursor.at.row..next {
                    let root = self.roots.at(row as usize);
                    self.tally(root, &mut cursor, (inner, MAX_DEPTH), &mut tally)?;
                }
                cursor.at.row = next;
                self.pass_tallied(&mut cursor, &mut tally)?;
            }
        }
        self.marks.shrink_to_fit();
        self.marked.shrink_to_fit();
        Ok(cursor)
    }

    /// Counts the programs of a node and of its elements.
    fn tally(
        &self,
        node: u64,
        cursor: &mut Cursor,
        (inner, depth): (usize, usize),
        tally: &mut Tally,
    ) -> Result<()> {
        let place = self.programs.place(node)?;
        tally.add(place);
        for _ in 0..self.programs.at(place).arrays {
            let depth = depth.checked_sub(1).ok_or_else(damaged)?;
            for _ in 0..self.take_inner(cursor) {
                let there = Some(cursor.at.inner).filter(|at| (*at as usize) < inner);
                let _ = there.ok_or_else(damaged)?;
                let element = self.take_inner(cursor);
                self.tally(element, cursor, (inner, depth), tally)?;
            }
        }
        Ok(())
    }

    /// Passes the values of all nodes that were counted. Whose value of a column is text of its own does
    /// not matter here, only how many are.
    fn pass_tallied(&self, cursor: &mut Cursor, tally: &mut Tally) -> Result<()> {
        let Tally { times, found, kinds, before } = tally;
        before.clone_from(&cursor.next);
        for place in found.drain(..) {
            let times = std::mem::take(&mut times[place]);
            for step in &self.programs.at(place).moves {
                let (kind, column) = match *step {
                    Move::Text(column) => (Values::Text, column),
                    Move::Number(column) => (Values::Number, column),
                    Move::Own(pieces) => {
                        let pieces = pieces.saturating_mul(times);
                        cursor.at.text = cursor.at.text.saturating_add(pieces);
                        continue;
                    }
                    Move::Array => continue,
                };
                let slot = self.slot(column);
                let next = cursor.next.get_mut(slot).ok_or_else(damaged)?;
                *next = next.wrapping_add(times);
                let is_same = *kinds[slot].get_or_insert(kind) == kind;
                is_same.then_some(()).ok_or_else(damaged)?;
            }
        }
        for (slot, _) in kinds.iter().enumerate().filter(|(_, kind)| **kind == Some(Values::Text)) {
            let passed = before[slot] as usize..cursor.next[slot] as usize;
            let own = self.varying[slot].count_in(passed, INLINE).ok_or_else(damaged)?;
            cursor.at.text = cursor.at.text.saturating_add(narrow(own));
        }
        Ok(())
    }

    /// Passes the values of the cursor's row.
    fn pass(&self, cursor: &mut Cursor) -> Result<()> {
        let root = self.programs.get(self.roots.at(cursor.at.row as usize))?;
        self.pass_node(root, cursor, MAX_DEPTH)
    }

    fn pass_node(&self, node: &Program, cursor: &mut Cursor, depth: usize) -> Result<()> {
        node.moves.iter().try_for_each(|step| self.take(*step, cursor, depth))
    }

    /// Takes what a node takes of the streams.
    pub(super) fn take(&self, step: Move, cursor: &mut Cursor, depth: usize) -> Result<()> {
        match step {
            Move::Text(column) => {
                let code = self.code(column, cursor).ok_or_else(damaged)?;
                cursor.at.text = cursor.at.text.saturating_add(u32::from(code == INLINE));
            }
            Move::Own(pieces) => cursor.at.text = cursor.at.text.saturating_add(pieces),
            Move::Number(column) => {
                let next = cursor.next.get_mut(self.slot(column)).ok_or_else(damaged)?;
                *next = next.wrapping_add(1);
            }
            Move::Array => {
                let depth = depth.checked_sub(1).ok_or_else(damaged)?;
                for _ in 0..self.take_inner(cursor) {
                    let element = self.programs.get(self.take_inner(cursor))?;
                    self.pass_node(element, cursor, depth)?;
                }
            }
        }
        Ok(())
    }

    /// The slot of a column, above all slots if it has none.
    pub(super) fn slot(&self, column: u32) -> usize {
        self.slots.get(column as usize).copied().unwrap_or(NO_SLOT) as usize
    }

    /// The next number of a column.
    pub(super) fn code(&self, column: u32, cursor: &mut Cursor) -> Option<u64> {
        let slot = self.slot(column);
        let next = cursor.next.get_mut(slot)?;
        let code = self.varying.get(slot)?.get(*next as usize)?;
        *next += 1;
        Some(code)
    }

    pub(super) fn take_inner(&self, cursor: &mut Cursor) -> u64 {
        cursor.at.inner += 1;
        self.inner.at(cursor.at.inner as usize - 1)
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let columns = self.varying.iter().map(Numbers::bytes).sum::<usize>();
        let checkpoints = size_of_val(&*self.marks) + size_of_val(&*self.marked);
        let columns = columns + self.slots.capacity() * 4;
        let programs = self.programs.bytes();
        columns + self.roots.bytes() + self.inner.bytes() + checkpoints + programs
    }

    fn mark_before(&self, row: usize) -> Option<(usize, &Mark)> {
        let after = self.marks.partition_point(|mark| mark.row as usize <= row);
        let place = after.checked_sub(1)?;
        Some((place, self.marks.get(place)?))
    }

    /// Moves a cursor to a row.
    pub(crate) fn seek(&self, row: usize, cursor: &mut Cursor) -> Result<()> {
        let (to, slots) = (narrow(row), self.varying.len());
        let begun = cursor.at.chunk_end > 0 && cursor.next.len() == slots;
        let near = begun && cursor.at.row <= to && to - cursor.at.row < MARK_ROWS;
        if !near {
            let gone = || Error::corrupt("no such row");
            let (place, mark) = self.mark_before(row).ok_or_else(gone)?;
            cursor.at = *mark;
            cursor.next.clear();
            let marked = self.marked.get(place * slots..(place + 1) * slots);
            cursor.next.extend_from_slice(marked.unwrap_or_default());
        }
        while cursor.at.row < to {
            self.pass(cursor)?;
            self.step_row(cursor);
        }
        Ok(())
    }

    fn step_row(&self, cursor: &mut Cursor) {
        let at = &mut cursor.at;
        at.row += 1;
        if at.row == at.chunk_end && at.chunk as usize + 1 < self.chunks.len() {
            at.chunk += 1;
            at.chunk_end = at.chunk_end.saturating_add(self.chunks[at.chunk as usize].rows);
            at.text = 0;
        }
    }

    /// Appends the document of the cursor's row and moves on to the next row; `text` is the chunk
    /// that [`Cursor::chunk`] names.
    #[expect(clippy::too_many_arguments, reason = "a row is rendered from five things at once")]
    pub(crate) fn render(
        &self,
        view: &impl Lookup,
        keys: &Keys,
        text: &Text,
        cursor: &mut Cursor,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let root = self.programs.get(self.roots.at(cursor.at.row as usize))?;
        self.follow(root.steps(view, &self.room)?, (view, keys, Some(text)), cursor, out)
    }

    /// The same of some members only. Text may be absent: if it is wanted that is an error, and
    /// the cursor says so.
    pub(crate) fn render_some(
        &self,
        (view, keys, text): (&impl Lookup, &Keys, Option<&Text>),
        reduced: &mut Reduced,
        cursor: &mut Cursor,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let root = self.programs.shared(self.roots.at(cursor.at.row as usize))?;
        if let Some(steps) = reduced.steps(view, root)? {
            return self.follow(steps, (view, keys, text), cursor, out);
        }
        let mut whole = Vec::new();
        self.follow(root.steps(view, &self.room)?, (view, keys, text), cursor, &mut whole)?;
        reduced.of_json.reduce(&whole, out)
    }

    fn follow<'w>(
        &'w self,
        steps: &'w [Step],
        (view, keys, text): (&'w impl Lookup, &'w Keys, Option<&'w Text>),
        cursor: &'w mut Cursor,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        cursor.last.clear();
        let row = cursor.at.row as usize;
        let limit = out.len() + decoded::DOCUMENT;
        let mut walk = Walk { block: self, view, keys, text, cursor, row, limit };
        walk.node(steps, out)?;
        self.step_row(walk.cursor);
        Ok(())
    }
}

/// Nodes of the rows between two marks, counted by their programs: most rows have the same few, so
/// that this is much less than to pass their values one by one.
struct Tally {
    /// By the program's place.
    times: Vec<u32>,
    found: Vec<usize>,
    /// By slot, once a program took of it.
    kinds: Vec<Option<Values>>,
    /// Numbers of each slot before these rows.
    before: Vec<u32>,
}

/// What the numbers of a column say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Some may say that text of the row's own follows.
    Text,
    Number,
}

impl Tally {
    fn new(programs: usize, slots: usize) -> Self {
        let (times, kinds) = (vec![0; programs], vec![None; slots]);
        Self { times, found: Vec::new(), kinds, before: Vec::new() }
    }

    fn add(&mut self, place: usize) {
        if self.times[place] == 0 {
            self.found.push(place);
        }
        self.times[place] += 1;
    }
}

fn damaged() -> Error {
    Error::corrupt("row group's columns are damaged")
}

pub(super) fn narrow(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}
