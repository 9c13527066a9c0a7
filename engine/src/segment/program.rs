//! Templates compiled for a row group.
//!
//! A column that has the same value in the whole group is literal text, so a row takes a handful
//! of steps instead of forty.

use std::sync::Arc;

use super::bind::Context;
use super::block::Lookup;
use super::bound::Binding;
use super::columns::{INLINE, PREDICTED};
use crate::error::{Error, Result};
use crate::format::bytes::unzigzag;
use crate::format::limits::decoded;
use crate::row::time::Fraction;

/// A column whose numbers differ in the group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Varying {
    pub(super) column: u32,
    pub(super) slot: u32,
}

/// A step of rendering a node.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// These bytes; row groups of a segment mostly have the same.
    Literal(Arc<[u8]>),
    /// The next value of a text column; is the column a context?
    Text(Varying, bool),
    /// Text of the row's own, of a column where nothing else occurs.
    Own(u32, bool),
    /// A column where everything is as its context predicts.
    Predicted(u32),
    /// A column that is a context has this code in every row.
    Remember(u32, u64),
    Time(Varying, Fraction),
    /// A time column where all ticks are the same.
    Ticks(i64, Fraction),
    Created(Fraction),
    Modified(Fraction),
    Id,
    Version,
    Conversation,
    ReplyTo,
    Sender,
    Array,
    /// Steps whose text follows from the row's sender and codes of columns. The conversation is none
    /// of them: that would be another text for each sender in each conversation.
    Run(Box<Run>),
}

/// Slots that a run has at most.
pub(super) const RUN_SLOTS: usize = 8;

/// See [`Step::Run`].
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Its number among those of the group.
    pub(super) number: u32,
    /// It takes the next numbers of these slots, each another one; where one of them says that text
    /// of the row's own follows there is nothing to keep.
    pub(super) slots: Box<[u32]>,
    pub(super) steps: Box<[Step]>,
}

/// What a row takes of the group's streams, so that it can be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A number of this slot, and a piece of text if that says so.
    Text(u32),
    /// A number of this slot.
    Time(u32),
    /// So many pieces of text.
    Own(u32),
    Array,
}

/// A template, compiled.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Box<[Step]>,
    pub(super) moves: Box<[Move]>,
}

/// What a column has in this group.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    Absent,
    Same(u64),
    /// The slot of its numbers.
    Varying(u32),
}

/// What compiling knows of the columns.
#[derive(Clone, Copy)]
struct Known<'k> {
    columns: &'k [Column],
    is_context: &'k [bool],
}

impl Known<'_> {
    fn column(&self, column: u32) -> Result<Column> {
        let known = self.columns.get(column as usize).copied();
        known.ok_or_else(|| Error::corrupt("template of an unknown column"))
    }
}

/// How a number names a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Root,
    /// It may be a count.
    Perhaps,
}

/// The steps of every template that a group uses.
#[derive(Debug, Default)]
pub(super) struct Programs {
    /// By template: 1 + its place in the list, 0 for one that is not used.
    places: Vec<u32>,
    list: Vec<Program>,
    /// Runs of all programs.
    runs: u32,
    /// Bytes of all literals, of those that other groups have too as well.
    literal_bytes: usize,
    /// Bytes of the literals that no group had before.
    own_bytes: usize,
}

/// A template while it is compiled.
#[derive(Default)]
struct Compiling {
    steps: Vec<Step>,
    /// Literal bytes behind the last step.
    literal: Vec<u8>,
}

impl Programs {
    /// Compiles the templates that are named; a group's columns are by number.
    pub(super) fn of(
        view: &impl Lookup,
        columns: &[Column],
        used: impl Iterator<Item = (u64, Use)>,
    ) -> Result<Self> {
        let mut is_context = vec![false; view.contexts().len()];
        for context in view.contexts() {
            if let Context::Column(id) = context
                && let Some(flag) = is_context.get_mut(*id as usize)
            {
                *flag = true;
            }
        }
        let known = Known { columns, is_context: &is_context };
        let mut programs = Self::default();
        programs.places.resize(view.templates().len(), 0);
        for (number, how) in used {
            if how == Use::Root || number < view.templates().len() as u64 {
                programs.compile(view, number, known)?;
            }
        }
        Ok(programs)
    }

    pub(super) fn get(&self, number: u64) -> Result<&Program> {
        let place = self.places.get(usize::try_from(number).unwrap_or(usize::MAX));
        let program = place.and_then(|place| self.list.get(place.checked_sub(1)? as usize));
        program.ok_or_else(|| Error::corrupt("row of an unknown template"))
    }

    /// Bytes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let all =
            self.list.iter().map(|program| steps_bytes(&program.steps) + program.moves.len() * 8);
        all.sum::<usize>() + size_of_val(&*self.list) + size_of_val(&*self.places) + self.own_bytes
    }

    fn compile(&mut self, view: &impl Lookup, number: u64, known: Known<'_>) -> Result<()> {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let unknown = || Error::corrupt("row of an unknown template");
        let template = view.templates().get(place).ok_or_else(unknown)?;
        if self.places.get(place).is_some_and(|place| *place > 0) {
            return Ok(());
        }
        let mut compiling = Compiling::default();
        for (index, hole) in template.holes.iter().enumerate() {
            compiling.literal.extend_from_slice(template.piece(index));
            self.compile_hole(view, *hole, known, &mut compiling)?;
        }
        compiling.literal.extend_from_slice(template.piece(template.holes.len()));
        self.end_literal(view, &mut compiling, true)?;
        let moves = moves(&compiling.steps);
        let steps = self.join_runs(view, compiling.steps);
        self.list.push(Program { steps, moves });
        self.places[place] = u32::try_from(self.list.len()).unwrap_or(0);
        Ok(())
    }

    /// Makes one step of those that follow from the sender and codes.
    fn join_runs(&mut self, view: &impl Lookup, steps: Vec<Step>) -> Box<[Step]> {
        let context = |column: u32| view.contexts().get(column as usize);
        let mut joined = Vec::with_capacity(steps.len());
        let (mut start, mut slots) = (0, Vec::new());
        for step in steps {
            let slot = match &step {
                // What follows from another column's code, or is what others follow from, is not kept.
                Step::Text(place, false)
                    if !matches!(context(place.column), Some(Context::Column(_))) =>
                {
                    Some(place.slot)
                }
                _ => None,
            };
            let follows = slot.is_some()
                || matches!(step, Step::Literal(_) | Step::Sender)
                || matches!(&step, Step::Predicted(column) if context(*column) == Some(&Context::Sender));
            let is_full =
                slot.is_some_and(|slot| slots.len() == RUN_SLOTS || slots.contains(&slot));
            if !follows || is_full {
                self.join(&mut joined, start, &mut slots);
                start = joined.len();
            }
            joined.push(step);
            slots.extend(slot);
            if !follows {
                start = joined.len();
            }
        }
        self.join(&mut joined, start, &mut slots);
        joined.into()
    }

    fn join(&mut self, joined: &mut Vec<Step>, start: usize, slots: &mut Vec<u32>) {
        // A step alone, or one and its literal, are as fast as a look for the text of both.
        if joined.len() - start > 2 {
            let steps: Box<[Step]> = joined.drain(start..).collect();
            let slots = slots.as_slice().into();
            joined.push(Step::Run(Box::new(Run { number: self.runs, slots, steps })));
            self.runs += 1;
        }
        slots.clear();
    }

    /// Makes a step of the literal bytes so far. A program has at least one step.
    fn end_literal(&mut self, view: &impl Lookup, open: &mut Compiling, last: bool) -> Result<()> {
        if open.literal.is_empty() && !(last && open.steps.is_empty()) {
            return Ok(());
        }
        self.literal_bytes = self.literal_bytes.saturating_add(open.literal.len());
        if self.literal_bytes > decoded::LITERALS {
            return Err(Error::corrupt("templates are over the limit"));
        }
        let (literal, is_new) = view.literal(&open.literal);
        self.own_bytes += if is_new { literal.len() } else { 0 };
        open.steps.push(Step::Literal(literal));
        open.literal.clear();
        Ok(())
    }

    fn compile_hole(
        &mut self,
        view: &impl Lookup,
        hole: Binding,
        known: Known<'_>,
        open: &mut Compiling,
    ) -> Result<()> {
        let step = match hole {
            Binding::Text(column) => {
                let context = known.is_context.get(column as usize).copied().unwrap_or(false);
                match known.column(column)? {
                    Column::Same(INLINE) | Column::Absent => Step::Own(column, context),
                    Column::Same(PREDICTED) => Step::Predicted(column),
                    Column::Same(code) => {
                        open.literal.extend_from_slice(view.entry(column, code)?);
                        // It puts nothing out, so the literal goes on behind it.
                        open.steps.extend(context.then_some(Step::Remember(column, code)));
                        return Ok(());
                    }
                    Column::Varying(slot) => Step::Text(Varying { column, slot }, context),
                }
            }
            Binding::Time(column, fraction) => match known.column(column)? {
                Column::Varying(slot) => Step::Time(Varying { column, slot }, fraction),
                Column::Same(ticks) => Step::Ticks(unzigzag(ticks), fraction),
                // No row has the template, or it would have values: a count is taken for its number.
                Column::Absent => Step::Ticks(0, fraction),
            },
            Binding::Created(fraction) => Step::Created(fraction),
            Binding::Modified(fraction) => Step::Modified(fraction),
            Binding::Id => Step::Id,
            Binding::Version => Step::Version,
            Binding::Conversation => Step::Conversation,
            Binding::ReplyTo => Step::ReplyTo,
            Binding::Sender => Step::Sender,
            Binding::Array => Step::Array,
        };
        self.end_literal(view, open, false)?;
        open.steps.push(step);
        Ok(())
    }
}

fn moves(steps: &[Step]) -> Box<[Move]> {
    let mut moves = Vec::new();
    for step in steps {
        match (step, moves.last_mut()) {
            (Step::Own(..), Some(Move::Own(count))) => *count += 1,
            (Step::Own(..), _) => moves.push(Move::Own(1)),
            (Step::Text(place, _), _) => moves.push(Move::Text(place.slot)),
            (Step::Time(place, _), _) => moves.push(Move::Time(place.slot)),
            (Step::Array, _) => moves.push(Move::Array),
            _ => {}
        }
    }
    moves.into()
}

fn steps_bytes(steps: &[Step]) -> usize {
    let inner = |step: &Step| match step {
        Step::Run(run) => size_of::<Run>() + run.slots.len() * 4 + steps_bytes(&run.steps),
        _ => 0,
    };
    size_of_val(steps) + steps.iter().map(inner).sum::<usize>()
}
