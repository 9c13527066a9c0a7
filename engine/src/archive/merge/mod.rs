//! Merging segments: rows of several in one order, with everything that ledgers add to them.
//!
//! Which segments: of similar size, once there are enough; large ones only when asked. Outputs
//! are cut between conversations, so memory is bounded by one output, whatever the inputs. Rows that
//! were stored beside an unreadable one are folded into it ([`Twins`]), if it is among the inputs now.

mod twins;

use std::cmp::Ordering;
use std::sync::Arc;

use crate::archive::commit::Compare;
use crate::archive::folded::Folding;
use crate::archive::held::{Missing, in_gap};
use crate::archive::sightings::Sweep;
use crate::archive::slab::RowRef;
use crate::archive::state::Live;
use crate::error::Result;
use crate::segment::{Keys, NewRow, RowReader, Segment, Source, Tables, Visit};
use crate::types::{ContentAddress, Sequence, Timestamp};
use twins::Twins;

/// So many segments of a size are merged into one.
const FANOUT: usize = 8;
/// A segment of so many rows is not merged in the background any more.
const FULL_ROWS: u64 = 256 << 10;
/// Outputs are cut at the first conversation behind so many rows.
const OUTPUT_ROWS: u64 = 512 << 10;

/// The segments to merge next, by index; `None` if there is nothing to gain.
pub(crate) fn pick(rows: &[u64]) -> Option<Vec<usize>> {
    let tier = |rows: u64| (rows / 512 + 1).ilog2() / 3;
    let small = |at: &usize| rows[*at] < FULL_ROWS;
    (0..=6).find_map(|wanted| {
        let of_tier = (0..rows.len()).filter(small).filter(|at| tier(rows[*at]) == wanted);
        let picked: Vec<usize> = of_tier.collect();
        (picked.len() >= FANOUT).then_some(picked)
    })
}

/// A segment that is merged, with what is needed all the time.
#[derive(Debug)]
struct Input {
    live: Arc<Live>,
    segment: Arc<Segment>,
    tables: Arc<Tables>,
}

/// A range of conversations that becomes one segment: rows of each input.
#[derive(Debug)]
pub(crate) struct Output {
    rows: Vec<(u32, u32)>,
    pub(crate) count: u64,
}

/// Segments to be merged.
#[derive(Debug)]
pub(crate) struct Merge {
    inputs: Vec<Input>,
    missing: Arc<Missing>,
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

impl Merge {
    /// What `missing` lets pass is left out.
    pub(crate) fn of(lives: &[Arc<Live>], missing: &Arc<Missing>) -> Result<Self> {
        let input = |live: &Arc<Live>| {
            let segment = Arc::clone(live.segment()?);
            Ok(Input { live: Arc::clone(live), tables: segment.tables()?, segment })
        };
        let inputs = lives.iter().map(input).collect::<Result<Vec<Input>>>()?;
        Ok(Self { inputs, missing: Arc::clone(missing) })
    }

    /// Cuts the inputs into outputs, in order of conversation.
    pub(crate) fn outputs(&self) -> Vec<Output> {
        let mut next: Vec<usize> = vec![0; self.inputs.len()];
        let mut outputs = Vec::new();
        let mut open = Output { rows: self.starts(&next), count: 0 };
        while let Some(conversation) = self.least(&next) {
            for (input, next) in self.inputs.iter().zip(&mut next) {
                if input.tables.conversations.get(*next) == Some(conversation) {
                    open.count += u64::from(input.start(*next + 1) - input.start(*next));
                    *next += 1;
                }
            }
            if open.count >= OUTPUT_ROWS {
                let starts = self.starts(&next);
                let after = Output { rows: starts.clone(), count: 0 };
                outputs.push(close(std::mem::replace(&mut open, after), &starts));
            }
        }
        if open.count > 0 {
            outputs.push(close(open, &self.starts(&next)));
        }
        outputs
    }

    fn least(&self, next: &[usize]) -> Option<&[u8]> {
        let heads = self.inputs.iter().zip(next);
        heads.filter_map(|(input, next)| input.tables.conversations.get(*next)).min()
    }

    fn starts(&self, next: &[usize]) -> Vec<(u32, u32)> {
        let starts = self.inputs.iter().zip(next).map(|(input, next)| input.start(*next));
        starts.map(|start| (start, start)).collect()
    }

    /// The rows of an output in segment order; can be gone through again. With `folding` a marked row
    /// that equals an earlier one is folded into it.
    pub(crate) fn rows<'m>(
        &'m self,
        output: &Output,
        folding: Option<&mut Folding>,
    ) -> Result<MergedRows<'m>> {
        let mut order = Vec::with_capacity(usize::try_from(output.count).unwrap_or(0));
        let mut names: Vec<&[u8]> = Vec::new();
        for (input, (start, end)) in self.inputs.iter().zip(&output.rows) {
            if start < end {
                let numbers = input.tables.number_of(*start)..=input.tables.number_of(end - 1);
                names.extend(numbers.filter_map(|number| input.tables.conversations.get(number)));
            }
        }
        names.sort_unstable();
        names.dedup();
        for (number, (input, rows)) in self.inputs.iter().zip(&output.rows).enumerate() {
            input.entries(narrow(number), *rows, (&names, &self.missing), &mut order)?;
        }
        let mut comparing =
            Comparing { inputs: &self.inputs, compare: Compare::default(), failed: None };
        order.sort_by(|a, b| comparing.compare(a, b));
        if let Some(error) = comparing.failed {
            return Err(error);
        }
        if let Some(folding) = folding {
            Twins::of(&self.inputs, folding).fold(&mut order)?;
        }
        Ok(MergedRows { inputs: &self.inputs, order })
    }
}

fn close(mut output: Output, ends: &[(u32, u32)]) -> Output {
    output.rows.iter_mut().zip(ends).for_each(|(rows, end)| rows.1 = end.0);
    output
}

impl Input {
    /// The first row of a conversation, or the end.
    fn start(&self, conversation: usize) -> u32 {
        let starts = &self.tables.starts;
        starts.get(conversation).copied().unwrap_or(self.segment.meta.rows)
    }

    fn entries(
        &self,
        input: u32,
        (start, end): (u32, u32),
        (names, missing): (&[&[u8]], &Missing),
        out: &mut Vec<Entry>,
    ) -> Result<()> {
        let mut row = start;
        let mut number = self.tables.number_of(start);
        let mut rank = None;
        while row < end {
            let group_number = self.segment.group_of(row);
            let group = self.segment.group(group_number)?;
            let stop = end.min(group.end_row());
            let gaps = missing.gaps(&self.segment, group_number);
            let Some(keys) = missing.pass(self.segment.keys(group_number))? else {
                row = stop;
                continue;
            };
            while row < stop {
                if row >= self.start(number + 1) {
                    number += 1;
                    rank = None;
                    continue;
                }
                let place = *rank.get_or_insert_with(|| {
                    let name = self.tables.conversations.get(number).unwrap_or_default();
                    narrow(names.binary_search(&name).unwrap_or(0))
                });
                if in_gap(&gaps, row) {
                    row += 1;
                    continue;
                }
                let local = (row - group.first_row) as usize;
                out.push(Entry {
                    conversation: place,
                    created: keys.created[local],
                    version: keys.version(local),
                    input,
                    row,
                    beside: keys.is_beside(local),
                    folded: false,
                });
                row += 1;
            }
        }
        Ok(())
    }

    /// The keys of a row's group, and its place in there.
    fn keys(&self, row: u32) -> Result<(Arc<Keys>, usize)> {
        let number = self.segment.group_of(row);
        let first = self.segment.group(number)?.first_row;
        Ok((self.segment.keys(number)?, (row - first) as usize))
    }

    fn put_id(&self, row: u32, out: &mut Vec<u8>) -> Result<()> {
        let (keys, local) = self.keys(row)?;
        keys.put_id(local, out);
        Ok(())
    }

    /// Adds who delivered a row, and in which commit first, in no order.
    fn deliveries(&self, row: u32, out: &mut Vec<(u32, u64)>) -> Result<()> {
        let (keys, local) = self.keys(row)?;
        self.put_set(&keys, local, out);
        self.live.ranges.of_row(row, out);
        Ok(())
    }

    fn put_set(&self, keys: &Keys, local: usize, out: &mut Vec<(u32, u64)>) {
        let (own, sequence) = (self.tables.sets.get(keys.set(local)), keys.sequence(local));
        let absolute = |(custodian, age): &(u32, u64)| (*custodian, sequence.saturating_add(*age));
        out.extend(own.into_iter().flatten().map(absolute));
    }
}

struct Comparing<'m> {
    inputs: &'m [Input],
    compare: Compare,
    failed: Option<crate::error::Error>,
}

impl Comparing<'_> {
    fn compare(&mut self, a: &Entry, b: &Entry) -> Ordering {
        let place = |entry: &Entry| (entry.conversation, entry.created);
        place(a).cmp(&place(b)).then_with(|| {
            if a.input == b.input {
                // Rows of one segment are in order already.
                return a.row.cmp(&b.row);
            }
            self.compare_ids(a, b)
                .then(a.version.cmp(&b.version))
                .then_with(|| self.address(a).cmp(&self.address(b)))
        })
    }

    fn compare_ids(&mut self, a: &Entry, b: &Entry) -> Ordering {
        let mut id = |entry: &Entry| {
            let mut out = Vec::new();
            let put = self.inputs[entry.input as usize].put_id(entry.row, &mut out);
            self.failed = self.failed.take().or(put.err());
            out
        };
        id(a).cmp(&id(b))
    }

    fn address(&mut self, entry: &Entry) -> Option<ContentAddress> {
        match self.compare.row(&self.inputs[entry.input as usize].live, entry.row) {
            Ok((address, _)) => Some(address),
            Err(error) => {
                let _ = self.failed.get_or_insert(error);
                None
            }
        }
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
    sweep: Sweep,
    group: Option<(u32, u32, Arc<Keys>)>,
}

impl MergedRows<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Where the rows of each input went, given the generation of the output.
    pub(crate) fn moves(&self, generation: u32, moves: &mut [Vec<RowRef>]) {
        for (index, twins) in self.twins().enumerate() {
            let place = RowRef { generation, index: narrow(index) };
            for entry in twins {
                moves[entry.input as usize][entry.row as usize] = place;
            }
        }
    }

    /// Each row, with those that are folded into it behind it.
    fn twins(&self) -> impl Iterator<Item = &[Entry]> {
        self.order.chunk_by(|_, next| next.folded)
    }
}

impl Source for MergedRows<'_> {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        let mut inputs = Vec::new();
        for input in self.inputs {
            let rows = RowReader::new(Arc::clone(&input.segment))?;
            let sweep = Sweep::new(&input.live.ranges);
            inputs.push(Reading { input, rows, sweep, group: None });
        }
        let mut row = RowBuffers::default();
        for twins in self.twins() {
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
    compare: Compare,
}

impl Reading<'_> {
    fn visit(&mut self, row: u32, buffers: &mut RowBuffers, each: &mut Visit<'_>) -> Result<()> {
        let (keys, local) = self.keys(row)?;
        let RowBuffers { document, id, reply_to, set, compare } = buffers;
        [&mut *document, &mut *id, &mut *reply_to].into_iter().for_each(Vec::clear);
        self.rows.render(row, document)?;
        keys.put_id(local, id);
        let is_reply = keys.put_reply_to(local, reply_to);
        let tables = &self.input.tables;
        let of_twins = !set.is_empty();
        self.input.put_set(&keys, local, set);
        self.sweep.add(row, set);
        if of_twins {
            set.sort_unstable();
            set.dedup_by_key(|(custodian, _)| *custodian);
        }
        let address = compare.document(document);
        let (address, _) = address.map_err(|error| error.in_file(self.input.live.entry.path()))?;
        let sender = (keys.sender(local) as usize).checked_sub(1);
        let (record, kind) = keys.kind(local);
        each(&NewRow {
            document,
            record,
            conversation: tables.conversation(row),
            reply_to: is_reply.then(|| text(reply_to)),
            id: text(id),
            version: keys.version(local),
            created: Timestamp(keys.created[local]),
            modified: Timestamp(keys.modified[local]),
            sender: sender.map(|number| tables.senders.text(number)),
            kind,
            sequence: Sequence(keys.sequence(local)),
            address,
            sightings: set,
            sibling: keys.is_sibling(local),
            beside: keys.is_beside(local),
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

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn segments_of_a_size_are_merged_once_there_are_enough() {
        assert_eq!(pick(&[40_000; 7]), None);
        assert_eq!(pick(&[40_000; 8]), Some((0..8).collect()));
        let mixed = [100, 40_000, 100, 100, 100, 40_000, 100, 100, 100, 300_000, 100];
        assert_eq!(pick(&mixed), Some(vec![0, 2, 3, 4, 6, 7, 8, 10]));
        assert_eq!(pick(&[300_000; 20]), None);
    }
}
