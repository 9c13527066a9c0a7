//! Messages of a window, in export order, each with all of its versions.
//!
//! Which messages: those whose chosen version answers the request's query, exactly as `query` would
//! give them. Their other versions are those that the request may see (delivered by its custodians,
//! arrived by its commit, not modified after its time). One scan of every version gives both and says
//! which version is the chosen one; if conditions leave few messages, theirs are read one by one.
//!
//! The versions of a message are looked for at its `createdDateTime`, which the service never
//! changes.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use chatvault_engine::{
    ContentAddress, MessageKey, RecordKind, Row, Rows, Scan, Snapshot, TimeRange, Timestamp,
    Versions,
};
use chatvault_query::record::Text;
use chatvault_query::{Answer, Query, Record};

use super::slice::Slice;
use crate::entry::{Entry, Version, Window};
use crate::error::Result;
use crate::request::{Request, archive, time, wrong};

/// The messages of a window, or what is stored beside them.
pub(super) struct Entries {
    record: RecordKind,
    snapshot: Snapshot,
    source: Source,
    until: Option<Timestamp>,
    /// Whether anybody wants to know who delivered a message.
    sighted: bool,
    custodians: Names,
}

/// Where messages and their versions come from.
enum Source {
    /// No row can answer.
    Nothing,
    /// Chosen versions alone.
    Chosen(Answer),
    /// Chosen versions, and a scan for the others of each.
    Each(Answer, Box<Scan>),
    /// A scan of every version.
    Every(Box<Every>),
}

/// A scan of every version, message by message.
struct Every {
    rows: Rows,
    /// The row that `rows` gave last was not looked at yet.
    is_waiting: bool,
    record: RecordKind,
    sighted: bool,
    /// Which version stands for a message, and when it has to be modified.
    versions: Versions,
    modified: TimeRange,
    /// Messages of the place read last, in order.
    ready: VecDeque<(MessageKey, Timestamp, Vec<Past>)>,
}

/// A row that was copied.
struct Past {
    reply_to: Option<String>,
    modified: Timestamp,
    is_chosen: bool,
    version: Version,
    /// Numbers of those who delivered it.
    custodians: Vec<u32>,
}

impl Entries {
    /// Starts with the first message of a window, or of a slice of it. Without `history` every message has its chosen version only.
    pub(super) fn of(
        snapshot: &Snapshot,
        request: &Request,
        (record, window, slice): (Record, Window, Option<&Slice>),
        history: bool,
    ) -> Result<Self> {
        let until = request.as_of.as_deref().map(|text| time("as_of", text)).transpose()?;
        let query = request.query(record, request.range_of(window));
        let sighted = history && request.format.nature().names_people;
        let past = if request.is_empty() { None } else { past(&query, request.all_variants)? };
        let record = record.into();
        let narrow = |scan: &mut Scan| slice.into_iter().for_each(|slice| slice.narrow(scan));
        let answer = || query.run_narrowed(snapshot, narrow).map_err(wrong);
        let source = match past {
            None => Source::Nothing,
            Some(_) if !history => Source::Chosen(answer()?),
            Some(mut past) => {
                narrow(&mut past);
                let chosen = query.scan().map_err(wrong)?.filter(|_| !request.chooses_rows());
                match chosen {
                    None => Source::Each(answer()?, Box::new(past)),
                    Some(Scan { versions, modified, .. }) => {
                        let rows = snapshot.scan(&past).map_err(archive)?;
                        let (is_waiting, ready) = (false, VecDeque::new());
                        let every =
                            Every { rows, is_waiting, record, sighted, versions, modified, ready };
                        Source::Every(Box::new(every))
                    }
                }
            }
        };
        let (snapshot, custodians) = (snapshot.clone(), Names::default());
        Ok(Self { record, snapshot, source, until, sighted, custodians })
    }

    /// The chosen version of the next message, as it is stored; without history only.
    pub(super) fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        match &mut self.source {
            Source::Chosen(answer) | Source::Each(answer, _) => answer.next().map_err(wrong),
            Source::Nothing | Source::Every(_) => Ok(None),
        }
    }

    /// A message with its chosen version only, whoever delivered it.
    pub(super) fn alone(record: RecordKind, row: &Row<'_>) -> Result<Entry> {
        Ok(Entry {
            key: row.key(),
            created: row.created(),
            modified: row.modified(),
            versions: vec![Past::of(record, row, (false, true))?.version],
            attached: Vec::new(),
            parent: None,
            custodians: Arc::default(),
            is_context: false,
        })
    }

    /// The next message. Addresses are zeros and there are no attachments yet: both are found where
    /// there is time for it.
    pub(super) fn next(&mut self) -> Result<Option<Entry>> {
        let (key, created, mut rows) = match &mut self.source {
            Source::Nothing => return Ok(None),
            Source::Chosen(answer) => {
                let Some(row) = answer.next().map_err(wrong)? else { return Ok(None) };
                return Self::alone(self.record, &row).map(Some);
            }
            Source::Each(answer, scan) => {
                let Some(row) = answer.next().map_err(wrong)? else { return Ok(None) };
                let (key, created) = (row.key(), row.created());
                let mut rows = each(&self.snapshot, scan, &key, created)?;
                let own = row.json();
                for past in &mut rows {
                    past.is_chosen = past.version.document.json() == own;
                }
                if rows.is_empty() {
                    // The chosen row is among its message's rows; should it not be, it is not lost.
                    rows.push(Past::of(self.record, &row, (self.sighted, true))?);
                }
                (key, created, rows)
            }
            Source::Every(every) => match every.next()? {
                Some(message) => message,
                None => return Ok(None),
            },
        };
        if let Some(until) = self.until {
            rows.retain(|row| row.modified <= until);
        }
        let modified = number_variants(&mut rows).unwrap_or(created);
        let custodians = self.custodians.of(&self.snapshot, &rows)?;
        let versions = rows.into_iter().map(|row| row.version).collect();
        let (attached, parent, is_context) = (Vec::new(), None, false);
        let entry =
            Entry { key, created, modified, versions, attached, parent, custodians, is_context };
        Ok(Some(entry))
    }
}

/// Every version that the request may see. Only the range of created times bounds it: another one
/// is about the chosen version alone.
fn past(query: &Query, variants: bool) -> Result<Option<Scan>> {
    let all = chatvault_query::Versions::All;
    let every = Query {
        senders: Vec::new(),
        filter: None,
        since: None,
        as_of: None,
        modified_from: None,
        modified_to: None,
        versions: if variants { chatvault_query::Versions::Variants } else { all },
        ..query.clone()
    };
    every.scan().map_err(wrong)
}

impl Every {
    /// The next message that has a chosen version, and its rows in order.
    fn next(&mut self) -> Result<Option<(MessageKey, Timestamp, Vec<Past>)>> {
        while self.ready.is_empty() {
            let Some((key, created)) = self.next_place()? else { return Ok(None) };
            let mut rows = Vec::new();
            while let Some(row) = self.next_at(&key, created)? {
                rows.push(row);
            }
            self.sort_out(&key, created, rows);
        }
        Ok(self.ready.pop_front())
    }

    /// Goes to the next row, whose place all versions of its message have.
    fn next_place(&mut self) -> Result<Option<(MessageKey, Timestamp)>> {
        if !self.is_waiting && self.rows.next().map_err(archive)?.is_none() {
            return Ok(None);
        }
        self.is_waiting = true;
        let place = |row: Row<'_>| (row.key(), row.created());
        Ok(self.rows.last().map(place))
    }

    /// The next row, if it is at a place.
    fn next_at(&mut self, key: &MessageKey, created: Timestamp) -> Result<Option<Past>> {
        if !mem::take(&mut self.is_waiting) && self.rows.next().map_err(archive)?.is_none() {
            return Ok(None);
        }
        let is_chosen = self.rows.is_chosen(self.versions).map_err(archive)?;
        let Some(row) = self.rows.last() else { return Ok(None) };
        let is_there = row.created() == created
            && row.id() == key.id
            && row.conversation() == key.conversation;
        if !is_there {
            self.is_waiting = true;
            return Ok(None);
        }
        let fits = self.modified.from.is_none_or(|from| from <= row.modified())
            && self.modified.to.is_none_or(|to| row.modified() < to);
        Past::of(self.record, &row, (self.sighted, is_chosen && fits)).map(Some)
    }

    /// Tells the messages of a place apart by the thread that they are in.
    fn sort_out(&mut self, place: &MessageKey, created: Timestamp, mut rows: Vec<Past>) {
        while let Some(chosen) = rows.iter().find(|row| row.is_chosen) {
            let reply_to = chosen.reply_to.clone();
            let (own, others) = rows.into_iter().partition(|row| row.reply_to == reply_to);
            self.ready.push_back((MessageKey { reply_to, ..place.clone() }, created, own));
            rows = others;
        }
    }
}

/// The versions of one message.
fn each(
    snapshot: &Snapshot,
    scan: &Scan,
    key: &MessageKey,
    created: Timestamp,
) -> Result<Vec<Past>> {
    let behind = Timestamp::from_ticks(created.ticks().saturating_add(1));
    let scan = Scan {
        conversations: vec![key.conversation.clone()],
        created: TimeRange { from: Some(created), to: Some(behind) },
        ..scan.clone()
    };
    let mut rows = snapshot.scan(&scan).map_err(archive)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(archive)? {
        if row.id() == key.id && row.reply_to() == key.reply_to.as_deref() {
            all.push(Past::of(scan.record, &row, (true, false))?);
        }
    }
    Ok(all)
}

/// Contents that came under one version become neighbours with numbers: they come in the order of
/// their addresses, and the one that was chosen, of the last version, goes behind the others.
/// Says when the chosen one was modified.
fn number_variants(rows: &mut Vec<Past>) -> Option<Timestamp> {
    let at = rows.iter().position(|row| row.is_chosen)?;
    let modified = rows.get(at)?.modified;
    if rows.get(at).map(|row| row.version.version) == rows.last().map(|row| row.version.version) {
        let row = rows.remove(at);
        rows.push(row);
    }
    for group in rows.chunk_by_mut(|one, next| one.version.version == next.version.version) {
        let of = u32::try_from(group.len()).unwrap_or(u32::MAX);
        for (row, number) in group.iter_mut().zip(1..) {
            row.version.variant = (number, of);
        }
    }
    Some(modified)
}

impl Past {
    fn of(record: RecordKind, row: &Row<'_>, (sighted, is_chosen): (bool, bool)) -> Result<Self> {
        let custodians = if sighted { row.custodians().map_err(archive)? } else { Vec::new() };
        Ok(Self {
            reply_to: row.reply_to().map(str::to_owned),
            modified: row.modified(),
            is_chosen,
            version: Version {
                document: row.document().map_err(archive)?.into_owned(),
                address: ContentAddress([0; 32]),
                version: row.version(),
                sequence: row.sequence().0,
                snippets: Vec::new(),
                record,
                text: Text::None,
                variant: (1, 1),
            },
            custodians,
        })
    }
}

/// Custodians as text. Neighbours mostly have the same.
#[derive(Default)]
struct Names {
    last: Vec<u32>,
    texts: Arc<[String]>,
}

impl Names {
    /// Everybody who delivered one of the rows, sorted.
    fn of(&mut self, snapshot: &Snapshot, rows: &[Past]) -> Result<Arc<[String]>> {
        let mut all: Vec<u32> =
            rows.iter().flat_map(|row| row.custodians.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        if all != self.last {
            let text = |number: &u32| {
                let custodian = snapshot.custodian(*number).map_err(archive)?;
                Ok(custodian.as_str().to_owned())
            };
            let mut texts = all.iter().map(text).collect::<Result<Vec<String>>>()?;
            texts.sort_unstable();
            (self.last, self.texts) = (all, texts.into());
        }
        Ok(Arc::clone(&self.texts))
    }
}
