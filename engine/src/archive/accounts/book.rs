//! What an archive knows beside its rows: custodians, runs, counters, checkpoints, links.
//!
//! A [`Book`] is what commits add. It is written to the journal with its commit and later to a ledger.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::known::Known;
use super::ranges::Ranges;
use crate::archive::state::State;
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_block, put_signed, put_varint};
use crate::format::limits::{self, list};
use crate::journal::Chain;
use crate::types::{
    CommitId, ContentAddress, Custodian, MessageKey, RecordKind, RunId, Sequence, Timestamp,
};

/// Counters of copies; `offered = stored + variants + duplicates + quarantined` always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Copies offered.
    pub offered: u64,
    /// New versions stored.
    pub stored: u64,
    /// New variants of a version that was there.
    pub variants: u64,
    /// Copies of what was there.
    pub duplicates: u64,
    /// Copies that cannot be keyed.
    pub quarantined: u64,
}

impl Counts {
    /// Does the conservation law hold?
    pub fn balance(&self) -> bool {
        let parts = [self.stored, self.variants, self.duplicates, self.quarantined];
        self.offered == parts.into_iter().fold(0, u64::saturating_add)
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        for count in [self.offered, self.stored, self.variants, self.duplicates, self.quarantined] {
            put_varint(out, count);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Self::read_sum(reader).filter(|counts| {
            let Self { offered, stored, variants, duplicates, quarantined } = *counts;
            let all = [offered, stored, variants, duplicates, quarantined];
            all.iter().all(|count| *count <= limits::COUNTER)
        })
    }

    /// The same of counters of many runs and custodians.
    pub(crate) fn read_sum(reader: &mut Reader<'_>) -> Option<Self> {
        let mut count = || reader.varint();
        Some(Self {
            offered: count()?,
            stored: count()?,
            variants: count()?,
            duplicates: count()?,
            quarantined: count()?,
        })
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.offered = self.offered.saturating_add(other.offered);
        self.stored = self.stored.saturating_add(other.stored);
        self.variants = self.variants.saturating_add(other.variants);
        self.duplicates = self.duplicates.saturating_add(other.duplicates);
        self.quarantined = self.quarantined.saturating_add(other.quarantined);
    }
}

/// An ingest run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) label: String,
    pub(crate) started: Timestamp,
}

/// A run, and what was offered under it by all custodians.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunSummary {
    /// Its number.
    pub run: RunId,
    /// What it was called when it began.
    pub label: String,
    /// When it began.
    pub started: Timestamp,
    /// All its copies so far.
    pub counts: Counts,
    /// Its last commit so far; number 0 if it has none.
    pub last_commit: CommitId,
}

/// An object that belongs to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) attachment: String,
    pub(crate) object: ContentAddress,
    /// The commit that added it.
    pub(crate) sequence: u64,
}

/// A commit as later ones remember it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) sequence: u64,
    pub(crate) run: u32,
    pub(crate) chain: [u8; 8],
}

impl Committed {
    pub(crate) fn new(sequence: Sequence, run: RunId, chain: Chain) -> Self {
        let chain = *chain.0.first_chunk().unwrap_or(&[0; 8]);
        Self { sequence: sequence.0, run: run.0, chain }
    }

    pub(crate) fn id(self) -> CommitId {
        CommitId { sequence: Sequence(self.sequence), chain: self.chain }
    }
}

/// See the module's description.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Book {
    /// By number.
    pub(crate) custodians: BTreeMap<u32, Custodian>,
    pub(crate) runs: BTreeMap<u32, Run>,
    /// By run and custodian.
    pub(crate) counts: BTreeMap<(u32, u32), Counts>,
    pub(crate) checkpoints: BTreeMap<String, Vec<u8>>,
    pub(crate) links: BTreeMap<MessageKey, Vec<Link>>,
    /// In order of sequence.
    pub(crate) commits: Vec<Committed>,
}

impl Book {
    /// Adds what another book added.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.custodians.extend(other.custodians);
        self.runs.extend(other.runs);
        for (place, counts) in other.counts {
            *self.counts.entry(place).or_default() += counts;
        }
        self.checkpoints.extend(other.checkpoints);
        for (key, links) in other.links {
            unite(self.links.entry(key).or_default(), links);
        }
        self.commits.extend(other.commits);
        if !self.commits.is_sorted_by_key(|commit| commit.sequence) {
            self.commits.sort_by_key(|commit| commit.sequence);
        }
    }

    /// The book of one commit, of which its bytes do not say the sequence.
    pub(crate) fn added_by(&mut self, sequence: Sequence) {
        self.links.values_mut().flatten().for_each(|link| link.sequence = sequence.0);
    }

    /// The checkpoints whose names start with `prefix`, in name order.
    pub(crate) fn checkpoints_of(&self, prefix: &str) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        let from = self.checkpoints.range(prefix.to_owned()..);
        from.take_while(move |(name, _)| name.starts_with(prefix))
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let named = self.checkpoints.iter().map(|(name, value)| name.len() + value.len() + 64);
        let links = self.links.values().map(|links| 256 + links.len() * 96);
        (self.custodians.len() + self.runs.len() + self.counts.len()) * 128
            + named.sum::<usize>()
            + links.sum::<usize>()
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Bytes: FORMAT.md, "Payload of a commit".
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.custodians.len() as u64);
        let mut before = 0;
        for (number, name) in &self.custodians {
            put_varint(out, u64::from(number - std::mem::replace(&mut before, *number)));
            put_block(out, name.as_str().as_bytes());
        }
        put_varint(out, self.runs.len() as u64);
        for (number, run) in &self.runs {
            put_varint(out, u64::from(*number));
            put_block(out, run.label.as_bytes());
            put_signed(out, run.started.ticks());
        }
        put_varint(out, self.counts.len() as u64);
        let mut before = 0;
        for ((run, custodian), counts) in &self.counts {
            put_varint(out, u64::from(*run));
            let number = i64::from(*custodian);
            put_signed(out, number - std::mem::replace(&mut before, number));
            counts.put(out);
        }
        put_varint(out, self.checkpoints.len() as u64);
        for (name, value) in &self.checkpoints {
            put_block(out, name.as_bytes());
            put_block(out, value);
        }
        put_varint(out, self.links.len() as u64);
        for (key, links) in &self.links {
            put_key(out, key);
            put_varint(out, links.len() as u64);
            for link in links {
                put_link(out, link);
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Self::try_read(reader).ok_or_else(|| Error::corrupt("book is damaged or over a limit"))
    }

    fn try_read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut book = Self::default();
        let mut number = 0_u32;
        for first in once_true(reader.count(list::CUSTODIANS)?) {
            let step = reader.varint32().filter(|step| first || *step > 0)?;
            number = number.checked_add(step).filter(|number| is_custodian(*number))?;
            drop(book.custodians.insert(number, Custodian::stored(reader.text()?)?));
        }
        for _ in 0..reader.count(list::RUNS)? {
            let number = reader.varint32().filter(|run| *run <= limits::RUN)?;
            let label = reader.text()?.to_owned();
            let started = Timestamp::from_ticks(reader.signed()?);
            drop(book.runs.insert(number, Run { label, started }));
        }
        let mut custodian = 0_i64;
        for _ in 0..reader.count(list::COUNTERS)? {
            let run = reader.varint32()?;
            custodian = custodian.checked_add(reader.signed()?)?;
            let counts = Counts::read(reader)?;
            let place = (run, u32::try_from(custodian).ok()?);
            let _ = book.counts.insert(place, counts);
        }
        for _ in 0..reader.count(list::CHECKPOINTS)? {
            let name = reader.text()?.to_owned();
            drop(book.checkpoints.insert(name, reader.block()?.to_vec()));
        }
        for _ in 0..reader.count(list::LINKED)? {
            let key = read_key(reader)?;
            let links = reader.list(list::LINKS, |reader| read_link(reader, |_| Some(0)))?;
            drop(book.links.insert(key, links));
        }
        Some(book)
    }
}

fn is_custodian(number: u32) -> bool {
    number < limits::CUSTODIAN
}

/// True once and then false, so many in all.
fn once_true(count: usize) -> impl Iterator<Item = bool> {
    (0..count).map(|at| at == 0)
}

/// Adds links that are not there yet; of equal ones the first counts.
pub(crate) fn unite(known: &mut Vec<Link>, links: Vec<Link>) {
    known.extend(links);
    let place = |link: &Link| (link.attachment.clone(), link.object);
    let mut first: BTreeMap<(String, ContentAddress), u64> = BTreeMap::new();
    for link in known.iter() {
        let sequence = first.entry(place(link)).or_insert(link.sequence);
        *sequence = link.sequence.min(*sequence);
    }
    known.retain_mut(|link| {
        let sequence = first.remove(&place(link));
        sequence.is_some_and(|sequence| {
            link.sequence = sequence;
            true
        })
    });
}

pub(crate) fn put_key(out: &mut Vec<u8>, key: &MessageKey) {
    out.push(key.record.code());
    put_block(out, key.conversation.as_bytes());
    out.push(u8::from(key.reply_to.is_some()));
    put_block(out, key.reply_to.as_deref().unwrap_or_default().as_bytes());
    put_block(out, key.id.as_bytes());
}

pub(crate) fn read_key(reader: &mut Reader<'_>) -> Option<MessageKey> {
    let record = RecordKind::from_code(reader.u8()?)?;
    let conversation = reader.text()?.to_owned();
    let is_reply = reader.u8()? == 1;
    let root = reader.text()?.to_owned();
    let id = reader.text()?.to_owned();
    Some(MessageKey { record, conversation, reply_to: is_reply.then_some(root), id })
}

pub(crate) fn put_link(out: &mut Vec<u8>, link: &Link) {
    put_block(out, link.attachment.as_bytes());
    out.extend_from_slice(&link.object.0);
}

pub(crate) fn read_link<'r>(
    reader: &mut Reader<'r>,
    sequence: impl FnOnce(&mut Reader<'r>) -> Option<u64>,
) -> Option<Link> {
    let (attachment, object) = (reader.text()?.to_owned(), ContentAddress(reader.array()?));
    Some(Link { attachment, object, sequence: sequence(reader)? })
}

/// Numbers of custodians by name, as far as they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashMap<Custodian, u32, RandomState>,
    /// The number that the next new one gets.
    next: u32,
}

impl Names {
    pub(crate) fn of(known: &Known) -> Self {
        Self { known: HashMap::default(), next: known.next_custodian() }
    }

    /// The number of a custodian. Where damage hides it he gets another one: both have his name.
    pub(crate) fn get(&mut self, name: &Custodian, state: &State) -> Result<Option<u32>> {
        if let Some(number) = self.known.get(name) {
            return Ok(Some(*number));
        }
        let number = match state.number_of(name) {
            Err(error) if !error.kind().is_of_storage() => None,
            number => number?,
        };
        self.known.extend(number.map(|number| (name.clone(), number)));
        Ok(number)
    }

    /// The number that is free behind `more` others.
    pub(crate) fn free(&self, more: usize) -> u32 {
        self.next.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
    }

    /// These are in the journal now.
    pub(crate) fn learn(&mut self, book: &Book) {
        self.known.extend(book.custodians.iter().map(|(number, name)| (name.clone(), *number)));
        let last = book.custodians.keys().next_back().map_or(0, |last| last.saturating_add(1));
        self.next = self.next.max(last);
    }

    /// Leaves numbers to those whose names cannot be read.
    pub(crate) fn skip(&mut self, numbers: u32) {
        self.next = self.next.saturating_add(numbers);
    }
}

/// Ranges of a segment, by the segment's file number.
pub(crate) type SegmentRanges = BTreeMap<u64, Ranges>;
