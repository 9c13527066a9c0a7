//! RSMF 2.0: a conversation in slices of a day, each a file that review platforms take as one document.
//!
//! - A slice is a UTC day. One with more than [`Limits::events`] events is cut at noon, or else at the
//!   thirds of the day; what is still too dense is cut by count. So no file holds two days, and where
//!   the cuts are depends on the messages alone.
//! - Memory is bounded by one slice without its files: they are streamed into the container when the
//!   file is written.
//! - A message is one event. Members who come or go are one event each; any other system event has
//!   the type `unknown` and says in words what happened.
//! - An edit is the pair of texts before and after; a deleted message has no body, and its last text
//!   is in its edits. What has no field in the schema is a custom property.
//! - A parent is named only if it is in the same file; else `parent_not_rendered` has its id.
//! - A file that the archive does not have becomes a text with the reason. One that is too large for
//!   an RSMF file goes beside it, and the text says where.

mod container;
mod event;
mod mail;
mod manifest;
mod people;
mod slice;
#[cfg(test)]
mod tests;
mod transcript;

use std::io;

use chatvault_engine::Timestamp;

use self::event::Unit;
use self::slice::Slice;
use crate::entry::{Context, Entry};
use crate::format::{Item, Renderer, Sink, Tail};
use crate::zone::rfc3339;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The mail, its head and its manifest take the rest of [`Limits::file_bytes`].
const FRAME_BYTES: u64 = 8 << 10;

/// How much may be in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Events: more make review platforms slow.
    pub events: usize,
    /// Texts and custom properties: what a slice takes in memory.
    pub text_bytes: usize,
    /// Files of messages, more than which no container should have.
    pub files: usize,
    /// The finished file, as near as can be told before. Platforms take no more than 2 GB; a part of
    /// the export may be smaller.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: 10_000, text_bytes: 16 << 20, files: 20_000, file_bytes: 900_000_000 }
    }
}

/// Takes the messages of one conversation in the order of their creation and gives files.
#[derive(Debug)]
pub(crate) struct Builder<'a> {
    context: Context<'a>,
    limits: Limits,
    span: Slot,
    units: Vec<Unit>,
    load: Load,
}

/// The stretch of a day that is being filled.
#[derive(Clone, Copy, Debug)]
struct Slot {
    start: i64,
    hours: i64,
    /// Which file of the stretch it is, from 1; more than one only when cut by count.
    part: u32,
}

/// What the units of a slice take together.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    events: usize,
    weight: usize,
    files: usize,
    file_bytes: u64,
}

impl Load {
    fn of(unit: &Unit) -> Self {
        Self {
            events: unit.events.len(),
            weight: unit.weight,
            files: unit.files.len(),
            // A text is in the mail and in the manifest, both in base64.
            file_bytes: unit.file_bytes().saturating_add(3 * unit.weight as u64),
        }
    }

    fn and(self, more: Self) -> Self {
        Self {
            events: self.events + more.events,
            weight: self.weight + more.weight,
            files: self.files + more.files,
            file_bytes: self.file_bytes.saturating_add(more.file_bytes),
        }
    }

    fn fits(self, limits: &Limits) -> bool {
        self.events <= limits.events
            && self.weight <= limits.text_bytes
            && self.files <= limits.files
            && self.file_bytes.saturating_add(FRAME_BYTES) <= limits.file_bytes
    }
}

impl Slot {
    fn day_of(ms: i64) -> Self {
        Self { start: ms.div_euclid(DAY_MS) * DAY_MS, hours: 24, part: 1 }
    }

    fn end(self) -> i64 {
        self.start + self.hours * HOUR_MS
    }

    /// The stretch behind this one that a time is in.
    fn next_for(self, ms: i64) -> Self {
        let width = self.hours * HOUR_MS;
        let day = Self::day_of(ms);
        if self.hours < 24 && day.start == Self::day_of(self.start).start {
            return Self { start: self.start + (ms - self.start) / width * width, part: 1, ..self };
        }
        day
    }

    /// A shorter stretch of the same day that ends before a time: half of it, or a third.
    fn shorter(self, ms: i64) -> Option<Self> {
        let passed = |hours| ms >= self.start + hours * HOUR_MS;
        let is_whole = self.hours == 24 && self.part == 1;
        let hours = [12, 8].into_iter().find(|hours| is_whole && passed(*hours))?;
        Some(Self { hours, ..self })
    }
}

impl<'a> Renderer<'a> for Builder<'a> {
    fn push(&mut self, item: Item, sink: &mut Sink<'_>) -> io::Result<()> {
        self.push(&item.entry()?, sink)
    }

    fn finish(self: Box<Self>, sink: &mut Sink<'_>) -> io::Result<Tail<'a>> {
        (*self).finish(sink).map(|()| Tail::default())
    }
}

impl<'a> Builder<'a> {
    /// For one conversation.
    pub(crate) fn new(context: Context<'a>, limits: Limits) -> Self {
        let span = Slot::day_of(0);
        Self { context, limits, span, units: Vec::new(), load: Load::default() }
    }

    /// Takes a message; gives the files that are complete by it.
    pub(crate) fn push(&mut self, entry: &Entry, sink: &mut Sink<'_>) -> io::Result<()> {
        let Some(unit) = Unit::of(entry, &self.context) else { return Ok(()) };
        let (ms, load) = (unit.time.ms(), Load::of(&unit));
        if self.units.is_empty() && self.span.part == 1 {
            self.span = Slot::day_of(ms);
        } else if ms >= self.span.end() {
            self.close(sink)?;
            self.span = self.span.next_for(ms);
        }
        while !self.units.is_empty() && !self.load.and(load).fits(&self.limits) {
            self.cut(ms, sink)?;
        }
        self.load = self.load.and(load);
        self.units.push(unit);
        Ok(())
    }

    /// Gives the last file.
    pub(crate) fn finish(mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        self.close(sink)
    }

    /// Makes room for a message at a time: by a shorter stretch if that helps, else by count.
    fn cut(&mut self, ms: i64, sink: &mut Sink<'_>) -> io::Result<()> {
        let Some(shorter) = self.span.shorter(ms) else {
            let name = self.name(true);
            let units = std::mem::take(&mut self.units);
            self.load = Load::default();
            self.span.part += 1;
            return self.give(name, units, sink);
        };
        self.span = shorter;
        let end = self.span.end();
        let behind = self.units.partition_point(|unit| unit.time.ms() < end);
        let rest = self.units.split_off(behind);
        self.close(sink)?;
        self.load = rest.iter().map(Load::of).fold(Load::default(), Load::and);
        self.span = self.span.next_for(rest.first().map_or(ms, |unit| unit.time.ms()));
        self.units = rest;
        Ok(())
    }

    /// Gives the file of the stretch, if there is anything in it.
    fn close(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        let units = std::mem::take(&mut self.units);
        self.load = Load::default();
        if units.is_empty() {
            return Ok(());
        }
        let name = self.name(self.span.part > 1);
        self.give(name, units, sink)
    }

    fn give(&self, name: String, units: Vec<Unit>, sink: &mut Sink<'_>) -> io::Result<()> {
        let slice = Slice {
            context: &self.context,
            name,
            start: Timestamp::from_ms(self.span.start),
            messages: units.len() as u64,
            units,
            file_bytes: self.limits.file_bytes.saturating_sub(FRAME_BYTES) / 4 * 3,
        };
        slice.pieces()?.into_iter().try_for_each(sink)
    }

    /// `{chat}/20160501`, `{chat}/20160501T12`, `{chat}/20160501T12_p002`.
    fn name(&self, is_part: bool) -> String {
        let time = rfc3339(Timestamp::from_ms(self.span.start)).replace(['-', ':'], "");
        let stretch = if self.span.hours == 24 { 8 } else { 11 };
        let stretch = time.get(..stretch).unwrap_or(&time);
        let part = if is_part { format!("_p{:03}", self.span.part) } else { String::new() };
        format!("{}/{stretch}{part}", self.context.chat.slug)
    }
}
