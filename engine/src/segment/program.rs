//! Templates compiled for row groups.
//!
//! A column that has the same value in the whole group is literal text, so a row takes a handful
//! of steps instead of forty. What a template becomes follows from what its columns have in the group,
//! and mostly that is the same in many groups of a segment: such groups share the program, and none is
//! compiled before a row is rendered by it.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use chatvault_base::time::text::Fraction;

use super::bind::Context;
use super::block::Lookup;
use super::bound::{Binding, Bound};
use super::columns::{INLINE, PREDICTED};
use crate::document::{Path, Reducer};
use crate::error::{Error, Result};
use crate::format::bytes::unzigzag;
use crate::format::limits::decoded;
use crate::row::{Piece, reduce};

/// A column whose numbers differ in the group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Varying {
    pub(super) column: u32,
    pub(super) own: Own,
}

/// How often numbers of a column say that text of the row's own follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Values that are not wanted.
    Pass(Move),
    /// The next value of a text column that is a context, which is not wanted.
    Hidden(u32),
    /// Steps whose text follows from the row's sender and codes of columns. The conversation is none
    /// of them: that would be another text for each sender in each conversation.
    Run(Box<Run>),
}

/// A text column of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunColumn {
    pub(super) column: u32,
    /// Others are predicted by it.
    pub(super) is_context: bool,
    /// What predicts it is not in the run.
    pub(super) is_apart: bool,
}

/// Reduced programs that are remembered; of more, all are forgotten.
const MOST_REDUCED: usize = 4_096;

/// Columns that a run has at most.
pub(super) const RUN_COLUMNS: usize = 8;

/// See [`Step::Run`].
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Its number in the segment.
    pub(super) number: u32,
    /// Does its text follow from the sender?
    pub(super) by_sender: bool,
    /// It takes the next numbers of these columns, each another one; where one of them says that text
    /// of the row's own follows there is nothing to keep.
    pub(super) columns: Box<[RunColumn]>,
    pub(super) steps: Box<[Step]>,
}

/// What a row takes of the group's streams, so that it can be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A number of this column, and a piece of text if that says so.
    Text(u32),
    /// A number of this column, which says no such thing.
    Number(u32),
    /// So many pieces of text.
    Own(u32),
    Array,
}

/// What a column has in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Column {
    Absent,
    Same(u64),
    Varying(Own),
}

/// What a program is made of: a template, and what the columns of its holes have in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    template: u32,
    columns: Box<[Column]>,
}

impl Made {
    /// Of a group whose columns are given by number.
    pub(super) fn of(view: &impl Lookup, number: u64, columns: &[Column]) -> Result<Self> {
        let template = bound(view, number)?;
        let there = template.holes.iter().filter_map(|hole| column_of(*hole));
        let columns = there.map(|column| columns.get(column as usize).copied());
        let columns = columns.collect::<Option<Box<[Column]>>>();
        let columns = columns.ok_or_else(|| Error::corrupt("template of an unknown column"))?;
        // `bound` found it, so it is a number of a list.
        Ok(Self { template: u32::try_from(number).unwrap_or(u32::MAX), columns })
    }

    /// What it is found by among those of its segment.
    pub(super) fn hash(&self) -> (u32, u64) {
        (self.template, FixedState::default().hash_one(&self.columns))
    }

    /// Each hole with what its column has.
    fn holes<'m>(&'m self, bound: &'m Bound) -> impl Iterator<Item = (Binding, Column)> + 'm {
        let mut columns = self.columns.iter().copied();
        bound.holes.iter().map(move |hole| {
            let column = column_of(*hole).and_then(|_| columns.next());
            (*hole, column.unwrap_or(Column::Absent))
        })
    }

    fn moves(&self, bound: &Bound) -> Box<[Move]> {
        let mut moves = Vec::new();
        for step in self.holes(bound).filter_map(|(hole, there)| move_of(hole, there)) {
            match (moves.last_mut(), step) {
                (Some(Move::Own(count)), Move::Own(more)) => *count += more,
                _ => moves.push(step),
            }
        }
        moves.into()
    }
}

/// What a hole takes of the group's streams.
fn move_of(hole: Binding, there: Column) -> Option<Move> {
    Some(match (hole, there) {
        (Binding::Text(_), Column::Absent | Column::Same(INLINE)) => Move::Own(1),
        (Binding::Text(column), Column::Varying(Own::Seldom | Own::Often)) => Move::Text(column),
        (Binding::Text(column) | Binding::Time(column, _), Column::Varying(_)) => {
            Move::Number(column)
        }
        (Binding::Array, _) => Move::Array,
        _ => return None,
    })
}

fn column_of(hole: Binding) -> Option<u32> {
    match hole {
        Binding::Text(column) | Binding::Time(column, _) => Some(column),
        _ => None,
    }
}

fn bound(view: &impl Lookup, number: u64) -> Result<&Bound> {
    let place = usize::try_from(number).unwrap_or(usize::MAX);
    view.templates().get(place).ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::corrupt("row of an unknown template")
}

/// A template, for the groups whose columns have the same.
#[derive(Debug)]
pub(crate) struct Program {
    pub(super) made: Made,
    pub(super) moves: Box<[Move]>,
    /// How many of them are arrays.
    pub(super) arrays: usize,
    /// Once a row was rendered: of most templates few questions render one.
    steps: OnceLock<Box<[Step]>>,
    /// Bytes in memory, about, steps included.
    bytes: usize,
}

impl Program {
    pub(super) fn new(view: &impl Lookup, made: Made) -> Result<Self> {
        let bound = bound(view, u64::from(made.template))?;
        let moves = made.moves(bound);
        let held = size_of_val(&*made.columns) + size_of_val(&*moves);
        let arrays = moves.iter().filter(|step| **step == Move::Array).count();
        let is_step = |(hole, there): &(Binding, Column)| match (hole, there) {
            (Binding::Text(_), Column::Same(code)) => *code <= PREDICTED,
            _ => true,
        };
        // A step, and the literal in front of it, whose text groups share.
        let steps = 2 * made.holes(bound).filter(is_step).count() + 1;
        let bytes = held + steps * size_of::<Step>();
        Ok(Self { made, moves, arrays, steps: OnceLock::new(), bytes })
    }

    /// Its steps, with runs. What is compiled now takes its literal text from `room`.
    pub(super) fn steps(&self, view: &impl Lookup, room: &AtomicUsize) -> Result<&[Step]> {
        if let Some(steps) = self.steps.get() {
            return Ok(steps);
        }
        let steps = join_runs(view, self.compile(view, room)?);
        Ok(self.steps.get_or_init(|| steps))
    }

    fn compile(&self, view: &impl Lookup, room: &AtomicUsize) -> Result<Vec<Step>> {
        let bound = bound(view, u64::from(self.made.template))?;
        let mut open = Compiling { steps: Vec::new(), literal: Vec::new(), room };
        for (index, (hole, column)) in self.made.holes(bound).enumerate() {
            open.literal.extend_from_slice(bound.piece(index));
            open.hole(view, hole, column)?;
        }
        open.literal.extend_from_slice(bound.piece(bound.holes.len()));
        open.end_literal(view)?;
        Ok(open.steps)
    }

    /// Steps that give only what some paths name; `None` if the template is no object.
    pub(super) fn reduced(
        &self,
        view: &impl Lookup,
        paths: &[Path],
    ) -> Result<Option<Box<[Step]>>> {
        let bound = bound(view, u64::from(self.made.template))?;
        let names: Vec<&[Box<str>]> = paths.iter().map(Path::names).collect();
        let Some(pieces) = reduce(bound.skeleton(), &names) else { return Ok(None) };
        let room = AtomicUsize::new(decoded::LITERALS);
        let mut open = Compiling { steps: Vec::new(), literal: Vec::new(), room: &room };
        let mut holes = self.made.holes(bound);
        for piece in pieces {
            // All holes are there, in their order.
            match piece {
                Piece::Bytes(bytes) => open.literal.extend_from_slice(&bytes),
                Piece::Hole(_) => {
                    let (hole, column) = holes.next().ok_or_else(unknown)?;
                    open.hole(view, hole, column)?;
                }
                Piece::Dropped(_) => {
                    let (hole, column) = holes.next().ok_or_else(unknown)?;
                    open.pass(view, hole, column);
                }
            }
        }
        open.end_literal(view)?;
        Ok(Some(join_runs(view, open.steps)))
    }
}

/// The programs of the templates that a group uses, by template.
#[derive(Debug, Default)]
pub(super) struct Programs {
    list: Box<[(u32, Arc<Program>)]>,
    /// Bytes in memory, about, of those that no group had before.
    new_bytes: usize,
}

impl Programs {
    /// Of the templates that are named; a group's columns are by number.
    pub(super) fn of(
        view: &impl Lookup,
        columns: &[Column],
        used: impl Iterator<Item = (u64, Use)>,
    ) -> Result<Self> {
        let mut seen = vec![false; view.templates().len()];
        let (mut list, mut new_bytes) = (Vec::new(), 0);
        for (number, how) in used {
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            match (seen.get_mut(place), how) {
                (None, Use::Perhaps) | (Some(true), _) => {}
                (None, Use::Root) => return Err(unknown()),
                (Some(seen), _) => {
                    *seen = true;
                    let (program, is_new) = view.program(&Made::of(view, number, columns)?)?;
                    new_bytes += if is_new { size_of::<Program>() + program.bytes } else { 0 };
                    list.push((program.made.template, program));
                }
            }
        }
        list.sort_unstable_by_key(|(template, _)| *template);
        Ok(Self { list: list.into(), new_bytes })
    }

    pub(super) fn get(&self, number: u64) -> Result<&Program> {
        Ok(self.shared(number)?)
    }

    pub(super) fn shared(&self, number: u64) -> Result<&Arc<Program>> {
        Ok(&self.list[self.place(number)?].1)
    }

    /// The place of a template's program among them.
    pub(super) fn place(&self, number: u64) -> Result<usize> {
        let place = self.list.binary_search_by_key(&number, |(template, _)| u64::from(*template));
        place.map_err(|_place| unknown())
    }

    /// The one at a place.
    pub(super) fn at(&self, place: usize) -> &Program {
        &self.list[place].1
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Bytes in memory, about: what is shared weighs with the group that had it first.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.list) + self.new_bytes
    }
}

/// Programs reduced to what some paths name.
#[derive(Debug)]
pub(crate) struct Reduced {
    /// For documents that are kept whole.
    pub(super) of_json: Reducer,
    known: HashMap<usize, Known, RandomState>,
}

/// A program, kept so that no other one gets its place in memory, and its steps.
type Known = (Arc<Program>, Option<Box<[Step]>>);

impl Reduced {
    pub(crate) fn new(paths: Arc<[Path]>) -> Self {
        Self { of_json: Reducer::new(paths), known: HashMap::default() }
    }

    /// The steps of a program; `None` if its documents are kept whole.
    pub(super) fn steps(
        &mut self,
        view: &impl Lookup,
        program: &Arc<Program>,
    ) -> Result<Option<&[Step]>> {
        if self.known.len() >= MOST_REDUCED {
            self.known.clear();
        }
        let steps = match self.known.entry(Arc::as_ptr(program).addr()) {
            Entry::Occupied(entry) => &entry.into_mut().1,
            Entry::Vacant(entry) => {
                let steps = program.reduced(view, self.of_json.paths())?;
                &entry.insert((Arc::clone(program), steps)).1
            }
        };
        Ok(steps.as_deref())
    }
}

/// How a number names a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Root,
    /// It may be a count.
    Perhaps,
}

/// A template while it is compiled.
struct Compiling<'r> {
    steps: Vec<Step>,
    /// Literal bytes behind the last step.
    literal: Vec<u8>,
    /// Literal bytes that the group may still take.
    room: &'r AtomicUsize,
}

impl Compiling<'_> {
    /// Makes a step of the literal bytes so far.
    fn end_literal(&mut self, view: &impl Lookup) -> Result<()> {
        if self.literal.is_empty() {
            return Ok(());
        }
        let take = |room: usize| room.checked_sub(self.literal.len());
        let taken = self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        let _ = taken.map_err(|_room| over())?;
        let literal = view.literal(&self.literal);
        self.steps.push(Step::Literal(literal.text, literal.number));
        self.literal.clear();
        Ok(())
    }

    fn hole(&mut self, view: &impl Lookup, hole: Binding, there: Column) -> Result<()> {
        let step = match hole {
            Binding::Text(column) => {
                let context = view.is_context(column);
                match there {
                    Column::Same(INLINE) | Column::Absent => Step::Own(column, context),
                    Column::Same(PREDICTED) => Step::Predicted(column),
                    Column::Same(code) => {
                        self.literal.extend_from_slice(view.entry(column, code)?);
                        if self.literal.len() > decoded::LITERALS {
                            return Err(over());
                        }
                        // It puts nothing out, so the literal goes on behind it.
                        self.steps.extend(context.then_some(Step::Remember(column, code)));
                        return Ok(());
                    }
                    Column::Varying(own) => Step::Text(Varying { column, own }, context),
                }
            }
            Binding::Time(column, fraction) => match there {
                Column::Varying(own) => Step::Time(Varying { column, own }, fraction),
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
        self.end_literal(view)?;
        self.steps.push(step);
        Ok(())
    }

    /// Passes a hole, which puts nothing out: a literal goes on behind it.
    fn pass(&mut self, view: &impl Lookup, hole: Binding, there: Column) {
        let step = match (hole, there) {
            (Binding::Text(column), _) if view.is_context(column) => match there {
                Column::Varying(_) => Step::Hidden(column),
                Column::Same(code) if code != INLINE => Step::Remember(column, code),
                Column::Same(_) | Column::Absent => {
                    self.steps.push(Step::Remember(column, INLINE));
                    Step::Pass(Move::Own(1))
                }
            },
            _ => match move_of(hole, there) {
                Some(step) => Step::Pass(step),
                None => return,
            },
        };
        self.steps.push(step);
    }
}

fn over() -> Error {
    Error::corrupt("templates are over the limit")
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
    fn columns<'s>(&'s self, view: &'s impl Lookup) -> impl Iterator<Item = RunColumn> + 's {
        let run = self.steps.get(self.start..).unwrap_or_default();
        run.iter().enumerate().filter_map(move |(at, step)| {
            let Step::Text(Varying { column, .. }, is_context) = *step else { return None };
            let is_apart = match context(view, column) {
                Context::Column(id) => !has_context(&run[..at], id),
                Context::Sender | Context::None => false,
            };
            Some(RunColumn { column, is_context, is_apart })
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
                self.columns(view).count() < RUN_COLUMNS
                    && self.columns(view).all(|other| other.column != place.column)
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
            let columns = self.columns(view).collect();
            let steps: Box<[Step]> = self.steps.drain(self.start..).collect();
            self.steps.push(Step::Run(Box::new(Run { number, by_sender, columns, steps })));
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
