//! Which rows a scan may see, which of them it wants, and what zone maps say beforehand.
//!
//! The *universe* of a scan (record kind, arrival, custodians, "as of" time) decides which
//! version is the latest; what is *wanted* of the chosen rows comes after.
//!
//! A row *arrives* with the commit that stored it or, for a scan that names custodians, with the
//! first commit in which one of them delivered it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::page::Page;
use super::{Scan, TimeRange, Versions};
use crate::archive::{Block, Delivered, Live, RowId, Slab, State};
use crate::error::Result;
use crate::segment::{Bounds, Group, Keys, Lists, kind_code};
use crate::snapshot::View;
use crate::types::{MessageKind, RecordKind, Sequence, Timestamp};

/// Times from the first to the last, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Span {
    const NONE: Self = Self { first: i64::MAX, last: i64::MIN };

    pub(super) fn of(range: TimeRange) -> Self {
        let first = range.from.map_or(i64::MIN, Timestamp::ticks);
        match range.to.map(Timestamp::ticks) {
            None => Self { first, last: i64::MAX },
            Some(to) => to.checked_sub(1).map_or(Self::NONE, |last| Self { first, last }),
        }
    }

    fn has(self, time: i64) -> bool {
        self.first <= time && time <= self.last
    }

    fn meets(self, bounds: Bounds) -> bool {
        bounds.low <= self.last && self.first <= bounds.high
    }

    fn holds(self, bounds: Bounds) -> bool {
        self.first <= bounds.low && bounds.high <= self.last
    }
}

/// The times that are still of interest; they shrink while the best rows are being looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) created: Span,
    pub(super) modified: Span,
}

/// Why rows are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    Conversation,
    Cursor,
    Kind,
    Created,
    Modified,
    Sequence,
    Sender,
    Custodian,
}

impl Reason {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Conversation => "no row of the conversations",
            Self::Cursor => "before the cursor",
            Self::Kind => "no row of the kinds",
            Self::Created => "outside the created range",
            Self::Modified => "outside the modified range",
            Self::Sequence => "outside the commits",
            Self::Sender => "no row of the senders",
            Self::Custodian => "no row of the custodians",
        }
    }
}

/// A scan's conditions on single rows.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) record: RecordKind,
    pub(super) versions: Versions,
    /// What is wanted, what the universe allows of it included.
    pub(super) window: Window,
    as_of: i64,
    /// The commits that wanted rows arrive with; the universe has the earlier ones too.
    commits: RangeInclusive<u64>,
    /// All that segments hold came with one of these.
    every_commit: bool,
    kinds: Vec<MessageKind>,
    /// The kinds as a row group's zone map has them.
    zone_kinds: u32,
    senders: Vec<String>,
    custodians: Option<Vec<u32>>,
}

/// What a filter means in one segment.
#[derive(Debug, Default)]
pub(super) struct Local {
    /// Codes of the senders, in order.
    senders: Vec<u32>,
    /// Custodian sets with one of the custodians, ascending: how many commits behind a row's own one of
    /// them delivered it first.
    ages: Vec<(u32, u64)>,
    /// Sightings beside the sets count as well, and in which blocks of rows ledgers have them.
    beside: bool,
    blocks: Vec<Block>,
}

/// A segment, with what is needed to ask who delivered its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) live: &'a Live,
    pub(super) local: &'a Local,
    pub(super) delivered: &'a Delivered,
}

impl Filter {
    /// `custodians` are the numbers of the scan's custodians, `None` if it names none.
    pub(super) fn new(scan: &Scan, custodians: Option<Vec<u32>>, view: &View) -> Self {
        let snapshot = view.until();
        let as_of = match scan.versions {
            Versions::AsOf(time) => time.ticks(),
            _ => i64::MAX,
        };
        let first = scan.since.map_or(0, |since| since.0.saturating_add(1));
        let last = scan.as_of_sequence.map_or(snapshot.0, |last| last.0.min(snapshot.0));
        let mut modified = Span::of(scan.modified);
        modified.last = modified.last.min(as_of);
        Self {
            record: scan.record,
            versions: scan.versions,
            window: Window { created: Span::of(scan.created), modified },
            as_of,
            commits: first..=last,
            every_commit: first == 0 && last >= view.state().manifest.sequence.0,
            kinds: scan.kinds.clone(),
            zone_kinds: zone_kinds(scan.record, &scan.kinds),
            senders: scan.senders.clone(),
            custodians,
        }
    }

    /// The last time at which a row of the universe was modified.
    pub(super) fn as_of(&self) -> i64 {
        self.as_of
    }

    /// The same universe, of which other versions are chosen.
    pub(super) fn choosing(&self, versions: Versions) -> Self {
        let as_of = match versions {
            Versions::AsOf(time) => time.ticks(),
            _ => i64::MAX,
        };
        Self { versions, as_of, ..self.clone() }
    }

    pub(super) fn local(&self, live: &Live, delivered: &Delivered) -> Result<Local> {
        let mut local = Local::default();
        let lists = Lists::new(Arc::clone(live.segment()?));
        for sender in &self.senders {
            local.senders.extend(lists.code_of(sender)?);
        }
        local.senders.sort_unstable();
        if let Some(custodians) = &self.custodians {
            for custodian in custodians {
                local.ages.extend(self.ages(&lists, *custodian)?);
            }
            local.ages.sort_unstable();
            local.ages.dedup_by_key(|(set, _)| *set);
            local.blocks = live.late.blocks_of(custodians, self.until())?;
            let (place, until) = ((live, &*local.blocks), 0..=self.until());
            local.beside = delivered.may_be_beside(place, (0, u32::MAX), (custodians, &until));
        }
        Ok(local)
    }

    /// The sets that a custodian is in, each with his age there. Of all commits it does not matter in
    /// which one he delivered a row first.
    fn ages(&self, lists: &Lists, custodian: u32) -> Result<Vec<(u32, u64)>> {
        let age = |set: u32| if self.every_commit { Ok(0) } else { age(lists, set, custodian) };
        let sets = lists.sets_of(custodian)?.into_iter();
        sets.map(|set| Ok((set, age(set)?))).collect()
    }

    /// The last commit that the scan knows of.
    pub(super) fn until(&self) -> u64 {
        *self.commits.end()
    }

    fn outside(&self, window: &Window, group: &Group) -> Option<Reason> {
        let may_have = |span: Span| group.may_have((span.first, span.last));
        if !window.created.meets(group.created) || !may_have(window.created) {
            return Some(Reason::Created);
        }
        if !window.modified.meets(group.modified) || !may_have(window.modified) {
            return Some(Reason::Modified);
        }
        self.outside_commits(commits_of(group)).then_some(Reason::Sequence)
    }

    /// Can no row that these commits stored have arrived with one that is wanted? A custodian may
    /// have delivered any row later than it was stored, but never earlier.
    fn outside_commits(&self, [low, high]: [u64; 2]) -> bool {
        low > self.until() || (self.custodians.is_none() && high < *self.commits.start())
    }

    /// Can one of the custodians have delivered a row of a group in these commits first?
    fn may_arrive(&self, place: &Place<'_>, group: &Group) -> bool {
        let Some(custodians) = &self.custodians else { return true };
        let [low, high] = commits_of(group);
        let in_time = |age: u64| {
            let (low, high) = (low.saturating_add(age), high.saturating_add(age));
            low <= self.until() && *self.commits.start() <= high
        };
        let rows = (group.first_row, group.end_row());
        place.local.any_age(group, in_time)
            || (place.local.beside
                && place.delivered.may_be_beside(
                    (place.live, &place.local.blocks),
                    rows,
                    (custodians, &self.commits),
                ))
    }

    /// The commit that a row of a segment arrived with; `None` if no custodian delivered it.
    fn arrival(
        &self,
        place: &Place<'_>,
        (sequence, set): (u64, usize),
        row: u32,
    ) -> Result<Option<u64>> {
        let Some(custodians) = &self.custodians else { return Ok(Some(sequence)) };
        let own = place.local.age(set).map(|age| sequence.saturating_add(age));
        let theirs = if place.local.beside { &custodians[..] } else { &[] };
        let beside = place.delivered.beside(place.live, row, theirs)?;
        Ok(own.into_iter().chain(beside).min())
    }

    fn arrival_in_slab(&self, slab: &Slab, row: u32, delivered: &Delivered) -> Option<u64> {
        let Some(custodians) = &self.custodians else { return Some(slab.sequence.0) };
        delivered.of_slab(slab, row, custodians)
    }

    /// Can any row of a segment be wanted, by what its zone maps and the manifest say?
    pub(super) fn may_want(&self, live: &Live) -> bool {
        let commits = [live.entry.first.0, live.entry.last.0];
        if self.outside_commits(commits) {
            return false;
        }
        let wanted = |group: &Group| self.rules_out_zone(group, &self.window).is_none();
        live.segment().map_or(true, |segment| segment.meta.groups.iter().any(wanted))
    }

    /// Why no row of a group can be wanted, by its zone map alone.
    fn rules_out_zone(&self, group: &Group, window: &Window) -> Option<Reason> {
        if group.kinds & self.zone_kinds == 0 {
            return Some(Reason::Kind);
        }
        self.outside(window, group)
    }

    /// Why no row of a group can be wanted.
    pub(super) fn rules_out_group(
        &self,
        place: &Place<'_>,
        group: &Group,
        window: &Window,
    ) -> Option<Reason> {
        let by_zone = self.rules_out_zone(group, window);
        if by_zone.is_some() {
            return by_zone;
        }
        let there = |code: &u32| group.senders.binary_search(code).is_ok();
        if !self.senders.is_empty() && !place.local.senders.iter().any(there) {
            return Some(Reason::Sender);
        }
        (!self.may_arrive(place, group)).then_some(Reason::Custodian)
    }

    /// Appends the rows of a part of a group that are in the universe and wanted, but for the
    /// choice among versions.
    pub(super) fn push_hits(
        &self,
        place: &GroupPlace<'_>,
        (start, end): (u32, u32),
        window: &Window,
        hits: &mut Vec<u32>,
    ) -> Result<()> {
        let GroupPlace { segment, group, keys } = place;
        let local = segment.local;
        let tests = self.tests(local, group, window);
        if tests == Tests::default() {
            hits.extend(start..end);
            return Ok(());
        }
        let at = |row: u32| (row - group.first_row) as usize;
        let passes = |row: u32| {
            (!tests.created || window.created.has(keys.created[at(row)]))
                && (!tests.kinds || self.has_kind(keys.kind(at(row))))
                && (!tests.senders || local.has_sender(keys.sender(at(row))))
        };
        let in_time = |row: u32| !tests.modified || window.modified.has(keys.modified(at(row)));
        let Some(custodians) = self.custodians.as_ref().filter(|_| tests.arrival) else {
            let arrives = |row: u32| self.is_wanted(Some(keys.sequence(at(row))));
            let plain = !(tests.created || tests.kinds || tests.senders || tests.arrival);
            let rest = |row: &u32| plain || (passes(*row) && (!tests.arrival || arrives(*row)));
            if tests.modified {
                // Of most groups a day has few rows, so this decides nearly always.
                hits.extend((start..end).filter(|row| in_time(*row) && rest(row)));
            } else {
                hits.extend((start..end).filter(rest));
            }
            return Ok(());
        };
        let rows = (start, end);
        let beside = if local.beside { &custodians[..] } else { &[] };
        let mut beside = segment.delivered.sweep(segment.live, rows, beside)?;
        let ages = local.ages_in(group);
        // A row of no set that has one of them can still be delivered beside its set.
        let stretches = beside.stretches(rows);
        let mut stretches = stretches.iter().peekable();
        for row in start..end {
            let set = keys.set(at(row));
            let own = ages.binary_search_by_key(&set, |(number, _)| *number as usize);
            let own = own.ok().and_then(|place| ages.get(place));
            while stretches.next_if(|(_, to)| *to <= row).is_some() {}
            let may_be_beside = stretches.peek().is_some_and(|(from, _)| *from <= row);
            if own.is_none() && !may_be_beside {
                continue;
            }
            let own = own.map(|(_, age)| keys.sequence(at(row)).saturating_add(*age));
            let arrival = own.into_iter().chain(beside.first(row)).min();
            if self.is_wanted(arrival) && in_time(row) && passes(row) {
                hits.push(row);
            }
        }
        Ok(())
    }

    /// Appends the rows of a part of a slab, as [`Filter::push_hits`].
    pub(super) fn push_slab_hits(
        &self,
        slab: &Slab,
        (start, end): (u32, u32),
        (window, delivered): (&Window, &Delivered),
        hits: &mut Vec<u32>,
    ) {
        let wanted = |sender: Option<&str>| {
            self.senders.is_empty()
                || sender.is_some_and(|name| self.senders.iter().any(|s| s == name))
        };
        let passes = |number: &u32| {
            let row = &slab.rows[*number as usize];
            window.created.has(row.created.ticks())
                && window.modified.has(row.modified.ticks())
                && self.has_kind((row.record, row.kind))
                && wanted(row.sender.as_deref())
                && self.is_wanted(self.arrival_in_slab(slab, *number, delivered))
        };
        hits.extend((start..end).filter(passes));
    }

    /// Is a row in the universe that versions are chosen from?
    pub(super) fn in_universe(
        &self,
        state: &State,
        local: Option<&Local>,
        (page, at): (&Page, RowId),
        delivered: &Delivered,
    ) -> Result<bool> {
        let segment = state.segments.get(at.source as usize).zip(local);
        let arrival = match (page, segment) {
            (Page::Slab(slab), _) => self.arrival_in_slab(slab, at.row, delivered),
            (Page::Group { keys, first, .. }, Some((live, local))) => {
                let place = Place { live, local, delivered };
                let local = (at.row - first) as usize;
                self.arrival(&place, (keys.sequence(local), keys.set(local)), at.row)?
            }
            (Page::Group { .. }, None) => None,
        };
        Ok(page.kind(at.row).0 == self.record
            && page.modified(at.row) <= self.as_of
            && arrival.is_some_and(|arrival| arrival <= self.until()))
    }

    fn has_kind(&self, (record, kind): (RecordKind, MessageKind)) -> bool {
        record == self.record && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }

    fn is_wanted(&self, arrival: Option<u64>) -> bool {
        arrival.is_some_and(|arrival| self.commits.contains(&arrival))
    }

    /// Does every row of a group arrive with a commit that is wanted?
    fn all_arrive(&self, local: &Local, group: &Group) -> bool {
        let [low, high] = commits_of(group);
        let inside = |age: u64| {
            let ends = [low.saturating_add(age), high.saturating_add(age)];
            ends.iter().all(|end| self.commits.contains(end))
        };
        if self.custodians.is_none() {
            return inside(0);
        }
        // What is beside a set can only be earlier, and then matters to a first commit.
        let by_set = !local.beside || *self.commits.start() == 0;
        by_set && group.sets.iter().all(|set| local.age(*set as usize).is_some_and(inside))
    }

    /// Is every row of a group in the universe and wanted, by its zone maps?
    pub(super) fn wants_all(&self, local: &Local, group: &Group, window: &Window) -> bool {
        self.tests(local, group, window) == Tests::default()
    }

    /// Is a row of each message wanted, whichever is chosen, at the newest commit?
    pub(super) fn wants_each_message(&self, newest: Sequence) -> bool {
        let whole = Span { first: i64::MIN, last: i64::MAX };
        let Window { created, modified } = self.window;
        (created, modified, self.as_of) == (whole, whole, i64::MAX)
            && self.commits == (0..=newest.0)
            && self.kinds.is_empty()
            && self.senders.is_empty()
            && self.custodians.is_none()
    }

    /// What the zone maps of a group leave to be tested row by row.
    fn tests(&self, local: &Local, group: &Group, window: &Window) -> Tests {
        let sender = |code: &u32| local.senders.binary_search(code).is_ok();
        let by_sender = !self.senders.is_empty();
        Tests {
            created: !window.created.holds(group.created),
            modified: !window.modified.holds(group.modified),
            kinds: group.kinds & !self.zone_kinds != 0,
            senders: by_sender && !group.senders.iter().all(sender),
            arrival: !self.all_arrive(local, group),
        }
    }
}

impl Local {
    /// Is one of the custodians in a set of a group, with such an age? Whichever are fewer are gone
    /// through: the sets that matter or those of the group.
    fn any_age(&self, group: &Group, is_it: impl Fn(u64) -> bool) -> bool {
        let within = self.within(group);
        if within.len() > group.sets.len() {
            return group.sets.iter().any(|set| self.age(*set as usize).is_some_and(&is_it));
        }
        let there = |set: &u32| group.sets.binary_search(set).is_ok();
        within.iter().any(|(set, age)| is_it(*age) && there(set))
    }

    /// Those between a group's lowest and highest set: mostly none, without a look at its sets.
    fn within(&self, group: &Group) -> &[(u32, u64)] {
        let (low, high) = group.set_bounds;
        let first = self.ages.partition_point(|(set, _)| *set < low);
        let within = self.ages.get(first..).unwrap_or_default();
        within.get(..within.partition_point(|(set, _)| *set <= high)).unwrap_or_default()
    }

    /// The sets of a group that one of the custodians is in, each with his age there.
    fn ages_in(&self, group: &Group) -> Vec<(u32, u64)> {
        let there = |(set, _): &&(u32, u64)| group.sets.binary_search(set).is_ok();
        self.within(group).iter().filter(there).copied().collect()
    }

    fn has_sender(&self, code: u32) -> bool {
        match self.senders[..] {
            [one] => one == code,
            _ => self.senders.binary_search(&code).is_ok(),
        }
    }

    fn age(&self, set: usize) -> Option<u64> {
        let place = self.ages.binary_search_by_key(&set, |(set, _)| *set as usize).ok()?;
        self.ages.get(place).map(|(_, age)| *age)
    }
}

/// A group, with what is needed to test its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupPlace<'a> {
    pub(super) segment: Place<'a>,
    pub(super) group: &'a Group,
    pub(super) keys: &'a Keys,
}

/// How many commits behind the rows' own a custodian of a set delivered them first.
fn age(lists: &Lists, set: u32, custodian: u32) -> Result<u64> {
    let set = lists.set(set as usize)?;
    let place = set.binary_search_by_key(&custodian, |(there, _)| *there);
    Ok(place.map_or(0, |place| set[place].1))
}

/// The first and last commit that stored rows of a group.
fn commits_of(group: &Group) -> [u64; 2] {
    [group.sequence.low, group.sequence.high].map(i64::cast_unsigned)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each condition")]
struct Tests {
    created: bool,
    modified: bool,
    kinds: bool,
    senders: bool,
    arrival: bool,
}

fn zone_kinds(record: RecordKind, kinds: &[MessageKind]) -> u32 {
    let all = [MessageKind::Message, MessageKind::System, MessageKind::Other];
    let kinds = if kinds.is_empty() { &all[..] } else { kinds };
    let mut bits = kinds.iter().fold(0, |bits, kind| bits | 1 << (kind_code(record, *kind) & 31));
    // What a newer version wrote is read as another kind of message.
    if record == RecordKind::Message && kinds.contains(&MessageKind::Other) {
        bits |= 0x8888_8888_u32;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_ranges_are_half_open_to_the_ends_of_time() {
        let range = |from: Option<i64>, to: Option<i64>| {
            let (from, to) = (from.map(Timestamp::from_ticks), to.map(Timestamp::from_ticks));
            Span::of(TimeRange { from, to })
        };
        assert!(range(None, None).has(i64::MIN) && range(None, None).has(i64::MAX));
        assert!(range(Some(3), Some(5)).has(3) && range(Some(3), Some(5)).has(4));
        assert!(!range(Some(3), Some(5)).has(2) && !range(Some(3), Some(5)).has(5));
        assert!(!range(Some(3), Some(3)).has(3));
        assert!(!range(None, Some(i64::MIN)).has(i64::MIN));
        assert!(!range(None, Some(i64::MAX)).has(i64::MAX));
        let bounds = Bounds { low: 4, high: 9 };
        assert!(range(Some(9), None).meets(bounds) && !range(Some(10), None).meets(bounds));
        assert!(range(None, Some(5)).meets(bounds) && !range(None, Some(4)).meets(bounds));
        assert!(range(Some(4), Some(10)).holds(bounds) && !range(Some(4), Some(9)).holds(bounds));
    }
}
