//! Templates compiled for a row group.
//!
//! A column that has the same value in the whole group is literal text, so a row takes a handful
//! of steps instead of forty.

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
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Bytes of `literals`.
    Literal(u32, u32),
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
    /// By template; empty for one that is not used.
    list: Vec<Box<[Step]>>,
    literals: Vec<u8>,
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
        programs.list.resize_with(view.templates().len(), Box::default);
        for (number, how) in used {
            if how == Use::Root || number < view.templates().len() as u64 {
                programs.compile(view, number, known)?;
            }
        }
        Ok(programs)
    }

    pub(super) fn get(&self, number: u64) -> Result<&[Step]> {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let program = self.list.get(place).filter(|steps| !steps.is_empty());
        program.map(|steps| &**steps).ok_or_else(|| Error::corrupt("row of an unknown template"))
    }

    /// The bytes of a literal step.
    pub(super) fn literal(&self, start: u32, end: u32) -> &[u8] {
        &self.literals[start as usize..end as usize]
    }

    /// Bytes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let steps = self.list.iter().map(|steps| steps.len() * size_of::<Step>() + 16);
        steps.sum::<usize>() + self.literals.len()
    }

    fn compile(&mut self, view: &impl Lookup, number: u64, known: Known<'_>) -> Result<()> {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let unknown = || Error::corrupt("row of an unknown template");
        let template = view.templates().get(place).ok_or_else(unknown)?;
        if !self.list.get(place).ok_or_else(unknown)?.is_empty() {
            return Ok(());
        }
        let mut steps = Vec::with_capacity(template.holes.len() * 2 + 1);
        for (index, hole) in template.holes.iter().enumerate() {
            self.add_literal(template.piece(index), &mut steps)?;
            self.compile_hole(view, *hole, known, &mut steps)?;
        }
        self.add_literal(template.piece(template.holes.len()), &mut steps)?;
        if steps.is_empty() {
            steps.push(Step::Literal(0, 0));
        }
        self.list[place] = steps.into();
        Ok(())
    }

    fn compile_hole(
        &mut self,
        view: &impl Lookup,
        hole: Binding,
        known: Known<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<()> {
        steps.push(match hole {
            Binding::Text(column) => return self.compile_text(view, column, known, steps),
            Binding::Time(column, fraction) => match known.column(column)? {
                Column::Varying(slot) => Step::Time(Varying { column, slot }, fraction),
                Column::Same(ticks) => Step::Ticks(unzigzag(ticks), fraction),
                Column::Absent => return Err(Error::corrupt("time without ticks")),
            },
            Binding::Created(fraction) => Step::Created(fraction),
            Binding::Modified(fraction) => Step::Modified(fraction),
            Binding::Id => Step::Id,
            Binding::Version => Step::Version,
            Binding::Conversation => Step::Conversation,
            Binding::ReplyTo => Step::ReplyTo,
            Binding::Sender => Step::Sender,
            Binding::Array => Step::Array,
        });
        Ok(())
    }

    fn compile_text(
        &mut self,
        view: &impl Lookup,
        column: u32,
        known: Known<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<()> {
        let context = known.is_context.get(column as usize).copied().unwrap_or(false);
        match known.column(column)? {
            Column::Same(INLINE) | Column::Absent => steps.push(Step::Own(column, context)),
            Column::Same(PREDICTED) => steps.push(Step::Predicted(column)),
            Column::Same(code) => {
                self.add_literal(view.entry(column, code)?, steps)?;
                if context {
                    steps.push(Step::Remember(column, code));
                }
            }
            Column::Varying(slot) => steps.push(Step::Text(Varying { column, slot }, context)),
        }
        Ok(())
    }

    /// Adds literal bytes, to the step before if that is literal too.
    fn add_literal(&mut self, bytes: &[u8], steps: &mut Vec<Step>) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.literals.len().saturating_add(bytes.len()) > decoded::LITERALS {
            return Err(Error::corrupt("templates are over the limit"));
        }
        let start = narrow(self.literals.len());
        self.literals.extend_from_slice(bytes);
        let end = narrow(self.literals.len());
        match steps.last_mut() {
            Some(Step::Literal(_, last)) if *last == start => *last = end,
            _ => steps.push(Step::Literal(start, end)),
        }
        Ok(())
    }
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
