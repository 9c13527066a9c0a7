//! Every row of every segment: rendered, its address recomputed, its keys compared.
//!
//! Threads share the row groups; the calling thread sums them up per segment, in order. What waits for its
//! turn is a few groups' addresses.

use std::cmp::Ordering as Order;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use chatvault_base::threads::in_order;

use super::super::accounts::late::InOrder;
use super::Verification;
use super::arrivals::Arrivals;
use super::files::Readable;
use super::rows::{Kept, RowCheck};
use super::told::{self, Said};
use crate::count::narrow;
use crate::error::{Error, Result, Touched};
use crate::facts::Facts;
use crate::format::merkle;
use crate::format::multiset::Multiset;
use crate::segment::{Bounds, Group, Keys, RowReader, Segment, Tables, Times};
use crate::types::{ContentAddress, RecordKind};

/// More threads than this wait for the disk, and each takes memory.
const MAX_THREADS: usize = 8;

/// What was found in a row group.
#[derive(Debug, Default)]
pub(super) struct GroupRead {
    rows: u32,
    /// Of all rows in order, unless something is damaged.
    pub(super) addresses: Vec<ContentAddress>,
    messages: u32,
    raw_bytes: u64,
    /// Order of the first and the last row.
    edges: Option<(SortKey, SortKey)>,
    /// The facts of its rows in long conversations.
    said: Vec<(u32, Facts)>,
    pub(super) damage: Option<Error>,
    /// All rows were read.
    pub(super) whole: bool,
}

/// A row's place in the order of its segment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SortKey {
    conversation: usize,
    created: i64,
    id: Vec<u8>,
    version: u64,
    address: ContentAddress,
    record: RecordKind,
}

impl SortKey {
    fn of(kept: Kept<'_>, address: ContentAddress) -> Self {
        let Kept { tables, keys, row, local } = kept;
        let mut id = Vec::new();
        keys.put_id(local, &mut id);
        Self {
            conversation: tables.number_of(row),
            created: keys.created.get(local).copied().unwrap_or_default(),
            id,
            version: keys.version(local),
            address,
            record: keys.kind(local).0,
        }
    }

    /// May this row stand right before the other? Equal ones differ in their kind of record.
    fn precedes(&self, other: &Self) -> bool {
        let key = |place: &Self| (place.conversation, place.created);
        let order = key(self)
            .cmp(&key(other))
            .then_with(|| self.id.cmp(&other.id))
            .then_with(|| (self.version, self.address).cmp(&(other.version, other.address)));
        match order {
            Order::Less => true,
            Order::Equal => self.record != other.record,
            Order::Greater => false,
        }
    }
}

impl Verification<'_> {
    pub(super) fn read_segments(&mut self, segments: &[Readable]) {
        let groups = |(number, one): (usize, &Readable)| {
            (0..one.segment.meta.groups.len()).map(move |group| (number, group))
        };
        let tasks = segments.iter().enumerate().flat_map(groups);
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut readers: Vec<Reader> = Vec::new();
        readers.resize_with(cores.min(MAX_THREADS).min(tasks.clone().count()), Reader::default);
        let read = |reader: &mut Reader, (segment, group)| {
            (segment, group, reader.read(&segments[segment], segment, group))
        };
        let mut sums = Sums { verification: self, segments, sum: Sum::default() };
        let take = |(segment, group, read)| sums.take((segment, group), read);
        // Stopped, the report says so.
        let _stopped = in_order("chatvault-verify", &mut readers, tasks, read, take);
    }
}

/// A thread's reader: goes on in the segment that it has open.
#[derive(Default)]
pub(super) struct Reader {
    open: Option<(usize, RowReader, Arc<Tables>)>,
    check: RowCheck,
    document: Vec<u8>,
}

impl Reader {
    pub(super) fn read(&mut self, readable: &Readable, number: usize, group: usize) -> GroupRead {
        let segment = &readable.segment;
        let mut read = GroupRead { rows: rows(segment, group), ..GroupRead::default() };
        if readable.damaged.contains(&group) {
            return read;
        }
        let arrivals = &readable.arrivals;
        if let Err(error) = self.try_read((segment, arrivals), number, group, &mut read) {
            read.damage = Some(error.in_file(segment.path()));
        }
        read
    }

    fn try_read(
        &mut self,
        (segment, arrivals): (&Arc<Segment>, &Arrivals),
        number: usize,
        index: usize,
        read: &mut GroupRead,
    ) -> Result<()> {
        let group = segment.group(index)?;
        let open = self.open.take().filter(|(open, ..)| *open == number).map_or_else(
            || {
                let rows = RowReader::new(Arc::clone(segment))?;
                Ok((number, rows, segment.tables()?))
            },
            Ok,
        );
        let (_, rows, tables) = self.open.insert(open?);
        let names = || segment.conversations(group.first_row..group.end_row());
        let touching = |error: Error| error.touching(group.touched(names()));
        let keys = segment.keys(index).map_err(touching)?;
        check_zone(group, &keys).map_err(touching)?;
        let (mut first, mut last) = (None, None::<SortKey>);
        let (mut wrong, mut said) = (Wrong::default(), Said::default());
        let late = arrivals.late(segment.meta.number);
        let mut late = InOrder::of(&late);
        for local in 0..keys.rows() {
            let row = group.first_row + narrow(local);
            let kept = Kept { tables, keys: &keys, row, local };
            let (check, document) = (&mut self.check, &mut self.document);
            document.clear();
            rows.render(row, document).map_err(touching)?;
            let one = |error: Error| {
                let conversations = vec![tables.conversation(row).to_owned()];
                error.touching(Touched { rows: Some(1), ..group.touched(conversations) })
            };
            let (address, differs) = check.check(kept, document).map_err(one)?;
            said.add((kept, segment.meta.rows), || check.document(document));
            let place = SortKey::of(kept, address);
            let ordered = last.as_ref().is_none_or(|last| last.precedes(&place));
            let differs = differs.or((!ordered).then_some("place in the order"));
            let differs =
                differs.map(|key| format!("{key} of row {row} is not that of its document"));
            let set = tables.sets.get(keys.set(local)).unwrap_or_default();
            let unlikely = || arrivals.wrong((&mut late, row), keys.sequence(local), set);
            wrong.add(kept, differs.or_else(unlikely));
            read.addresses.push(address);
            read.messages += u32::from(!keys.is_sibling(local));
            read.raw_bytes += document.len() as u64;
            let _ = first.get_or_insert_with(|| place.clone());
            last = Some(place);
        }
        read.edges = first.zip(last);
        read.said = said.finish();
        read.whole = true;
        wrong.into_damage(group).map_or(Ok(()), Err)
    }
}

fn rows(segment: &Segment, group: usize) -> u32 {
    segment.group(group).map_or(0, |group| group.rows)
}

/// Does the zone map that queries skip groups by fit the keys?
fn check_zone(group: &Group, keys: &Keys) -> Result<()> {
    let bounds = |values: &mut dyn Iterator<Item = i64>| {
        let mut bounds = Bounds::EMPTY;
        values.for_each(|value| bounds.add(value));
        bounds
    };
    let sequences = (0..keys.rows()).map(|row| keys.sequence(row).cast_signed());
    let mut times = Times::default();
    let all = Group::all_times(group.created, group.modified);
    let rows = 0..keys.rows();
    let modified = || rows.clone().map(|row| keys.modified(row));
    keys.created.iter().copied().chain(modified()).for_each(|time| times.add(all, time));
    let numbers =
        |of_row: &dyn Fn(usize) -> u32| rows.clone().map(of_row).collect::<BTreeSet<u32>>();
    let senders = numbers(&|row| keys.sender(row));
    let sets = numbers(&|row| u32::try_from(keys.set(row)).unwrap_or(u32::MAX));
    let same = bounds(&mut keys.created.iter().copied()) == group.created
        && bounds(&mut modified()) == group.modified
        && bounds(&mut { sequences }) == group.sequence
        && times == group.times
        && senders.iter().eq(&group.senders)
        && sets.iter().eq(&group.sets);
    if same { Ok(()) } else { Err(Error::corrupt("zone map of a row group does not fit its rows")) }
}

/// Rows of a group with which something is wrong: what it is with the first one, and how many.
#[derive(Debug, Default)]
struct Wrong {
    first: Option<String>,
    rows: u64,
    conversations: Vec<String>,
}

impl Wrong {
    fn add(&mut self, kept: Kept<'_>, wrong: Option<String>) {
        let Some(wrong) = wrong else { return };
        let _ = self.first.get_or_insert(wrong);
        self.rows += 1;
        let conversation = kept.tables.conversation(kept.row);
        if self.conversations.last().is_none_or(|last| last != conversation) {
            self.conversations.push(conversation.to_owned());
        }
    }

    fn into_damage(self, group: &Group) -> Option<Error> {
        let message = format!("{} ({} rows more)", self.first?, self.rows - 1);
        let touched = Touched { rows: Some(self.rows), ..group.touched(self.conversations) };
        Some(Error::corrupt(message).at(group.keys.offset).touching(touched))
    }
}

/// The sums of the segment whose groups come in.
#[derive(Default)]
struct Sum {
    multiset: Multiset,
    tree: merkle::Builder,
    messages: u64,
    raw_bytes: u64,
    last: Option<SortKey>,
    said: told::Sum,
    incomplete: bool,
}

struct Sums<'s, 'a> {
    verification: &'s mut Verification<'a>,
    segments: &'s [Readable],
    sum: Sum,
}

impl Sums<'_, '_> {
    /// Takes what was found, in the order of the groups.
    fn take(&mut self, (segment, group): (usize, usize), read: GroupRead) -> ControlFlow<()> {
        let rows = u64::from(read.rows);
        self.sum_up((segment, group), read);
        self.verification.report.rows += rows;
        self.verification.progress.add(rows)
    }

    fn sum_up(&mut self, (segment, group): (usize, usize), read: GroupRead) {
        let segment = &self.segments[segment].segment;
        let findings = &mut self.verification.findings;
        if let Some(error) = read.damage {
            findings.add(&error);
        }
        let sum = &mut self.sum;
        sum.incomplete |= !read.whole;
        sum.messages += u64::from(read.messages);
        sum.raw_bytes += read.raw_bytes;
        for address in &read.addresses {
            sum.multiset.insert(&address.0);
            sum.tree.push(&address.0);
        }
        if let Some((first, last)) = read.edges {
            let before = sum.last.replace(last);
            if read.whole && before.is_some_and(|before| !before.precedes(&first)) {
                let message = "row group does not follow the one before it in order";
                let offset = segment.meta.groups.get(group).map_or(0, |group| group.keys.offset);
                findings.add(&Error::corrupt(message).in_file(segment.path()).at(offset));
            }
        }
        sum.said.take(read.said, segment);
        if group + 1 < segment.meta.groups.len() {
            return;
        }
        let mut sum = std::mem::take(&mut self.sum);
        if let Some(error) = sum.said.finish(segment).filter(|_| !sum.incomplete) {
            findings.add(&error.in_file(segment.path()));
        }
        if let Some(message) = sum.differs(segment) {
            findings.add(&Error::corrupt(message).in_file(segment.path()));
        }
        if let Err(error) = segment.check_lists() {
            findings.add(&error.in_file(segment.path()));
        }
    }
}

impl Sum {
    /// What the footer says differently.
    fn differs(self, segment: &Segment) -> Option<String> {
        let meta = &segment.meta;
        let checks = [
            ("multiset of addresses", self.multiset.0 == meta.multiset),
            ("Merkle root of addresses", self.tree.root() == meta.root),
            ("number of messages", self.messages == u64::from(meta.messages)),
            ("number of document bytes", self.raw_bytes == meta.raw_bytes),
        ];
        let wrong: Vec<&str> =
            checks.into_iter().filter(|(_, same)| !same).map(|(what, _)| what).collect();
        let differs = !self.incomplete && !wrong.is_empty();
        differs.then(|| format!("footer does not fit the rows: {}", wrong.join(", ")))
    }
}
