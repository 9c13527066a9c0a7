//! Merging segments: rows of several in one order, with everything that ledgers add to them.
//!
//! Invariants: an output is cut where `created` changes, between conversations if it can be, so
//! memory is bounded by one output whatever the inputs; rows that may be one stand in one output.
//! Rows that were stored beside an unreadable one are folded into it ([`Twins`]), if it is among the
//! inputs now.

mod choose;
mod input;
#[cfg(test)]
mod tests;
mod twins;

use std::cmp::Ordering;
use std::sync::Arc;

use super::folded::Folding;
use crate::archive::accounts::sightings::Sweep;
use crate::archive::commit::committing::Compare;
use crate::archive::commit::slab::RowRef;
use crate::archive::held::Missing;
use crate::archive::state::Live;
use crate::count::narrow;
use crate::error::{ErrorKind, Result};
use crate::segment::{Keys, NewRow, RowReader, Source, Visit};
use crate::types::{Sequence, Timestamp};
use input::{Head, Input};
use twins::Twins;

#[cfg(test)]
pub(crate) use choose::tests::SMALL;
pub(crate) use choose::{Limits, Place, Span, TOP_LEVEL, groups, newest, pick};

/// Where a segment's rows lie.
pub(crate) fn span(live: &Arc<Live>) -> Result<Span> {
    Input::of(live)?.span()
}

/// Places that cut the largest of some inputs into so many parts.
pub(crate) fn cuts(lives: &[Arc<Live>], parts: u64) -> Result<Vec<Place>> {
    let largest = lives.iter().max_by_key(|live| live.entry.rows);
    let Some(input) = largest.map(Input::of).transpose()? else { return Ok(Vec::new()) };
    let row = |part| u64::from(input.rows()) * part / parts;
    let places = (1..parts).map(|part| input.place(u32::try_from(row(part)).unwrap_or(0)));
    let mut places = places.collect::<Result<Vec<Place>>>()?;
    places.dedup();
    Ok(places)
}

/// Where outputs end.
#[derive(Clone, Debug)]
pub(crate) struct Cuts {
    /// An output has about so many rows.
    pub(crate) rows: u64,
    /// Places in order where an output should end too: segments of a level that are cut alike are
    /// merged part by part.
    pub(crate) places: Vec<Place>,
    /// An output of fewer rows goes on over such a place.
    pub(crate) least: u64,
}

/// Segments to be merged.
#[derive(Debug)]
pub(crate) struct Merge {
    inputs: Vec<Input>,
    missing: Arc<Missing>,
}

impl Merge {
    /// What `missing` lets pass is left out.
    pub(crate) fn of(lives: &[Arc<Live>], missing: &Arc<Missing>) -> Result<Self> {
        let inputs = lives.iter().map(Input::of).collect::<Result<Vec<Input>>>()?;
        Ok(Self { inputs, missing: Arc::clone(missing) })
    }

    /// The rows in outputs, in order.
    pub(crate) fn outputs(&self, cuts: Cuts) -> Result<Outputs<'_>> {
        let (heads, compare) = (Vec::new(), [Compare::default(), Compare::default()]);
        let mut outputs = Outputs { merge: self, heads, cuts, compare };
        for (number, input) in self.inputs.iter().enumerate() {
            if let Some(head) = Head::of(number, input, &self.missing)? {
                outputs.insert(head)?;
            }
        }
        outputs.cuts.places.reverse();
        Ok(outputs)
    }
}

/// A row's place in the order of an output.
#[derive(Clone, Copy, Debug)]
struct Entry {
    conversation: u32,
    created: i64,
    version: u64,
    input: u32,
    row: u32,
    beside: bool,
    /// It is one with the row before it in the order.
    folded: bool,
}

/// The outputs of a merge that are still to come.
#[derive(Debug)]
pub(crate) struct Outputs<'m> {
    merge: &'m Merge,
    /// The next row of each input, the first of all at the end.
    heads: Vec<Head<'m>>,
    cuts: Cuts,
    compare: [Compare; 2],
}

impl<'m> Outputs<'m> {
    /// The rows of the next output in segment order; can be gone through again. With `folding` a
    /// marked row that equals an earlier one is folded into it.
    pub(crate) fn next(&mut self, folding: Option<&mut Folding>) -> Result<Option<MergedRows<'m>>> {
        let mut order: Vec<Entry> = Vec::new();
        let (mut conversation, mut number) = (&b""[..], 0);
        while let Some(head) = self.heads.last() {
            let is_other = head.conversation != conversation;
            let last = order.last().map(|entry| entry.created);
            let is_new = is_other || last != Some(head.created()?);
            let at_cut = if is_new && self.passes_cut()? { self.cuts.least } else { u64::MAX };
            let full = self.cuts.rows.saturating_add(if is_other { 0 } else { self.cuts.rows / 4 });
            if last.is_some() && is_new && order.len() as u64 >= full.min(at_cut) {
                break;
            }
            let Some(head) = self.heads.pop() else { break };
            if is_other && last.is_some() {
                number += 1;
            }
            conversation = head.conversation;
            order.push(head.entry(number)?);
            if let Some(head) = head.next(&self.merge.missing)? {
                self.insert(head)?;
            }
        }
        if order.is_empty() {
            return Ok(None);
        }
        let inputs = &self.merge.inputs[..];
        if let Some(folding) = folding {
            Twins::of(inputs, folding).fold(&mut order)?;
        }
        Ok(Some(MergedRows { inputs, order }))
    }

    /// Is the next row behind another place to cut at than the one before?
    fn passes_cut(&mut self) -> Result<bool> {
        let Some(head) = self.heads.last() else { return Ok(false) };
        let place = (head.conversation, head.created()?);
        let before = self.cuts.places.len();
        while let Some(cut) = self.cuts.places.last()
            && (&cut.conversation[..], cut.created) <= place
        {
            drop(self.cuts.places.pop());
        }
        Ok(self.cuts.places.len() < before)
    }

    /// Puts a head where it belongs.
    fn insert(&mut self, head: Head<'m>) -> Result<()> {
        let (mut low, mut high) = (0, self.heads.len());
        // Mostly it stays the first of all.
        let mut at = high.saturating_sub(1);
        while low < high {
            match head.compare(&self.heads[at], &mut self.compare)? {
                Ordering::Less => low = at + 1,
                _ => high = at,
            }
            at = low.midpoint(high);
        }
        self.heads.insert(low, head);
        Ok(())
    }
}

/// Rows of several segments in one order.
#[derive(Debug)]
pub(crate) struct MergedRows<'m> {
    inputs: &'m [Input],
    order: Vec<Entry>,
}

/// An input while its rows are gone through.
struct Reading<'m> {
    input: &'m Input,
    rows: RowReader,
    sweep: Sweep<'m>,
    group: Option<(u32, u32, Arc<Keys>)>,
}

impl MergedRows<'_> {
    /// How many rows it takes, those that are folded too.
    pub(crate) fn count(&self) -> u64 {
        self.order.len() as u64
    }

    /// Where the rows of each input went, given the generation of the output.
    pub(crate) fn moves(&self, generation: u32, moves: &mut [Vec<RowRef>]) {
        for (index, twins) in self.order.chunk_by(|_, next| next.folded).enumerate() {
            let place = RowRef { generation, index: narrow(index) };
            for entry in twins {
                moves[entry.input as usize][entry.row as usize] = place;
            }
        }
    }
}

impl Source for MergedRows<'_> {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        let mut inputs = Vec::new();
        for input in self.inputs {
            let rows = RowReader::new(Arc::clone(&input.segment))?;
            let sweep = Sweep::new(&input.live.late);
            inputs.push(Reading { input, rows, sweep, group: None });
        }
        let mut row = RowBuffers::default();
        // Each row, with those that are folded into it behind it.
        for twins in self.order.chunk_by(|_, next| next.folded) {
            let Some((entry, folded)) = twins.split_first() else { continue };
            row.set.clear();
            for twin in folded {
                self.inputs[twin.input as usize].deliveries(twin.row, &mut row.set)?;
            }
            inputs[entry.input as usize].visit(entry.row, &mut row, each)?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct RowBuffers {
    document: Vec<u8>,
    id: Vec<u8>,
    reply_to: Vec<u8>,
    set: Vec<(u32, u64)>,
}

impl Reading<'_> {
    fn visit(&mut self, row: u32, buffers: &mut RowBuffers, each: &mut Visit<'_>) -> Result<()> {
        let (keys, local) = self.keys(row)?;
        let RowBuffers { document, id, reply_to, set } = buffers;
        [&mut *document, &mut *id, &mut *reply_to].into_iter().for_each(Vec::clear);
        self.rows.render(row, document)?;
        keys.put_id(local, id);
        let is_reply = keys.put_reply_to(local, reply_to);
        let of_twins = !set.is_empty();
        self.input.put_set(&keys, local, set);
        self.sweep.add(row, set)?;
        if of_twins {
            set.sort_unstable();
            set.dedup_by_key(|(custodian, _)| *custodian);
        }
        let (record, kind) = keys.kind(local);
        each(&NewRow {
            document,
            record,
            conversation: self.input.conversation(row),
            reply_to: is_reply.then(|| text(reply_to)),
            id: text(id),
            version: keys.version(local),
            created: Timestamp::from_ticks(keys.created[local]),
            modified: Timestamp::from_ticks(keys.modified(local)),
            sender: self.input.sender(&keys, local),
            kind,
            sequence: Sequence(keys.sequence(local)),
            // An address is in no segment.
            address: None,
            sightings: set,
            sibling: keys.is_sibling(local),
            beside: keys.is_beside(local),
        })
        .map_err(|error| match error.file() {
            None if error.kind() == ErrorKind::Corrupt => {
                error.in_file(self.input.live.entry.path())
            }
            _ => error,
        })
    }

    fn keys(&mut self, row: u32) -> Result<(Arc<Keys>, usize)> {
        if let Some((first, end, keys)) = &self.group
            && (*first..*end).contains(&row)
        {
            return Ok((Arc::clone(keys), (row - first) as usize));
        }
        let (keys, local) = self.input.keys(row)?;
        let first = row - narrow(local);
        self.group = Some((first, first + narrow(keys.rows()), Arc::clone(&keys)));
        Ok((keys, local))
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
