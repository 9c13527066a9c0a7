//! Templates compiled for a row group.
//!
//! A column that has the same value in the whole group is literal text, so a row takes a handful
//! of steps instead of forty.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chatvault_base::time::text::Fraction;

use super::bind::Context;
use super::block::Lookup;
use super::bound::Binding;
use super::columns::{INLINE, PREDICTED};
use crate::error::{Error, Result};
use crate::format::bytes::unzigzag;
use crate::format::limits::decoded;

/// A column whose numbers differ in the group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Varying {
    pub(super) column: u32,
    pub(super) slot: u32,
    pub(super) own: Own,
}

/// How often numbers of a column say that text of the row's own follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    Never,
    Seldom,
    Often,
}

/// A step of rendering a node.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// These bytes, and their number among those that row groups of the segment share, or 0.
    Literal(Arc<[u8]>, u32),
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

/// A text column of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunSlot {
    pub(super) slot: u32,
    pub(super) column: u32,
    /// Others are predicted by it.
    pub(super) is_context: bool,
    /// What predicts it is not in the run.
    pub(super) is_apart: bool,
}

/// Bytes that the runs of a program take, about, few of them being joined ever.
const JOINED_BYTES: usize = 48;
/// Slots that a run has at most.
pub(super) const RUN_SLOTS: usize = 8;

/// See [`Step::Run`].
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Its number in the segment.
    pub(super) number: u32,
    /// Does its text follow from the sender?
    pub(super) by_sender: bool,
    /// It takes the next numbers of these slots, each another one; where one of them says that text
    /// of the row's own follows there is nothing to keep.
    pub(super) slots: Box<[RunSlot]>,
    pub(super) steps: Box<[Step]>,
}

/// What a row takes of the group's streams, so that it can be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A number of this slot, and a piece of text if that says so.
    Text(u32),
    /// A number of this slot, which says no such thing.
    Number(u32),
    /// So many pieces of text.
    Own(u32),
    Array,
}

/// A template, compiled.
#[derive(Debug)]
pub(super) struct Program {
    /// As compiled, until a row is rendered: of most templates of a group few questions render one.
    compiled: Mutex<Vec<Step>>,
    joined: OnceLock<Box<[Step]>>,
    pub(super) moves: Box<[Move]>,
}

impl Program {
    fn new(steps: Vec<Step>) -> Self {
        let moves = moves(&steps);
        Self { compiled: Mutex::new(steps), joined: OnceLock::new(), moves }
    }

    /// Its steps, with runs.
    pub(super) fn steps(&self, view: &impl Lookup) -> &[Step] {
        self.joined.get_or_init(|| {
            let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
            join_runs(view, std::mem::take(&mut *compiled))
        })
    }
}

/// What a column has in this group.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    Absent,
    Same(u64),
    /// The slot of its numbers.
    Varying(u32, Own),
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
    /// Bytes of all steps and moves.
    step_bytes: usize,
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
        let mut before = None;
        for (number, how) in used {
            if before.replace(number) == Some(number) {
                continue;
            }
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
        let joined = self.list.len() * JOINED_BYTES;
        let held = size_of_val(&*self.list) + size_of_val(&*self.places);
        held + joined + self.step_bytes + self.own_bytes
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
        compiling.steps.shrink_to_fit();
        let steps = size_of_val(&*compiling.steps);
        let program = Program::new(compiling.steps);
        self.step_bytes += steps + size_of_val(&*program.moves);
        self.list.push(program);
        self.places[place] = u32::try_from(self.list.len()).unwrap_or(0);
        Ok(())
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
        let literal = view.literal(&open.literal);
        self.own_bytes += if literal.is_new { literal.text.len() } else { 0 };
        open.steps.push(Step::Literal(literal.text, literal.number));
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
                    Column::Varying(slot, own) => {
                        Step::Text(Varying { column, slot, own }, context)
                    }
                }
            }
            Binding::Time(column, fraction) => match known.column(column)? {
                Column::Varying(slot, own) => Step::Time(Varying { column, slot, own }, fraction),
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

/// Makes one step of those that follow from the sender and codes.
fn join_runs(view: &impl Lookup, steps: Vec<Step>) -> Box<[Step]> {
    let mut joined = Joined::default();
    for step in steps {
        if !joined.takes(view, &step) {
            joined.end_run(view);
        }
        let is_part = joined.takes(view, &step);
        joined.steps.push(step);
        if !is_part {
            joined.end_run(view);
        }
    }
    joined.end_run(view);
    joined.steps.into()
}

/// Steps, and the run at their end.
#[derive(Default)]
struct Joined {
    steps: Vec<Step>,
    start: usize,
}

impl Joined {
    /// The text columns of the run.
    fn slots<'s>(&'s self, view: &'s impl Lookup) -> impl Iterator<Item = RunSlot> + 's {
        let run = self.steps.get(self.start..).unwrap_or_default();
        run.iter().enumerate().filter_map(move |(at, step)| {
            let Step::Text(Varying { slot, column, .. }, is_context) = *step else { return None };
            let is_apart = match context(view, column) {
                Context::Column(id) => !has_context(&run[..at], id),
                Context::Sender | Context::None => false,
            };
            Some(RunSlot { slot, column, is_context, is_apart })
        })
    }

    /// Can a step be part of the run?
    fn takes(&self, view: &impl Lookup, step: &Step) -> bool {
        match step {
            Step::Literal(_, number) => *number > 0,
            Step::Sender => true,
            Step::Predicted(column) => match context(view, *column) {
                Context::Sender => true,
                Context::Column(id) => {
                    has_context(self.steps.get(self.start..).unwrap_or_default(), id)
                }
                Context::None => false,
            },
            Step::Text(place, _) if place.own != Own::Often => {
                self.slots(view).count() < RUN_SLOTS
                    && self.slots(view).all(|other| other.slot != place.slot)
            }
            _ => false,
        }
    }

    fn end_run(&mut self, view: &impl Lookup) {
        let run = self.steps.get(self.start..).unwrap_or_default();
        // A step alone, or one and its literal, are as fast as a look for the text of both.
        if run.len() > 2
            && let Some(number) = view.run(&run.iter().flat_map(part).collect::<Vec<_>>())
        {
            let by_sender = run.iter().any(|step| match step {
                Step::Sender => true,
                Step::Predicted(column) | Step::Text(Varying { column, .. }, _) => {
                    context(view, *column) == Context::Sender
                }
                _ => false,
            });
            let slots = self.slots(view).collect();
            let steps: Box<[Step]> = self.steps.drain(self.start..).collect();
            self.steps.push(Step::Run(Box::new(Run { number, by_sender, slots, steps })));
        }
        self.start = self.steps.len();
    }
}

/// What tells a step of a run from others.
fn part(step: &Step) -> [u32; 2] {
    match step {
        Step::Literal(_, number) => [0, *number],
        Step::Predicted(column) => [1, *column],
        Step::Text(place, _) => [2, place.column],
        _ => [3, 0],
    }
}

fn context(view: &impl Lookup, column: u32) -> Context {
    view.contexts().get(column as usize).copied().unwrap_or(Context::None)
}

/// Has one of the steps the column that predicts others?
fn has_context(steps: &[Step], id: u32) -> bool {
    steps.iter().any(|step| matches!(step, Step::Text(place, true) if place.column == id))
}

fn moves(steps: &[Step]) -> Box<[Move]> {
    let mut moves = Vec::new();
    for step in steps {
        match (step, moves.last_mut()) {
            (Step::Own(..), Some(Move::Own(count))) => *count += 1,
            (Step::Own(..), _) => moves.push(Move::Own(1)),
            (Step::Text(place, _), _) if place.own != Own::Never => {
                moves.push(Move::Text(place.slot));
            }
            (Step::Text(place, _) | Step::Time(place, _), _) => {
                moves.push(Move::Number(place.slot));
            }
            (Step::Array, _) => moves.push(Move::Array),
            _ => {}
        }
    }
    moves.into()
}
