//! Messages of a window, in export order, each with all of its versions.
//!
//! Which messages: those whose chosen version answers the request's query, exactly as `query` would
//! give them. Their other versions are those that the request may see (delivered by its custodians,
//! arrived by its commit, not modified after its time), read beside the answer in one pass, or one
//! by one if conditions leave few messages.
//!
//! The versions of a message are looked for at its `createdDateTime`, which the service never
//! changes.

use std::mem;
use std::sync::Arc;

use chatvault_engine::{
    ContentAddress, MessageKey, RecordKind, Row, Rows, Scan, Snapshot, TimeRange, Timestamp,
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
    answer: Option<Answer>,
    history: History,
    until: Option<Timestamp>,
    /// Whether anybody wants to know who delivered a message.
    sighted: bool,
    custodians: Names,
}

/// Where the other versions of a message come from.
enum History {
    /// They are not wanted.
    None,
    /// From a second scan in the same order.
    Beside(Box<Beside>),
    /// From a scan for each message.
    Each(Box<Scan>),
}

struct Beside {
    rows: Rows,
    /// The row that `rows` gave last was not looked at yet.
    is_waiting: bool,
    record: RecordKind,
    sighted: bool,
    /// Every row at the place of the message asked for last.
    group: Vec<Past>,
    place: Option<(String, Timestamp, String)>,
}

/// A row that was copied.
struct Past {
    reply_to: Option<String>,
    modified: Timestamp,
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
        let (sighted, custodians) = (history && request.format.names_people(), Names::default());
        let until = request.as_of.as_deref().map(|text| time("as_of", text)).transpose()?;
        let query = request.query(record, request.range_of(window));
        let past = if request.is_empty() { None } else { past(&query, request.all_variants)? };
        let record = record.into();
        let Some(mut past) = past else {
            let (answer, history, snapshot) = (None, History::None, snapshot.clone());
            return Ok(Self { record, snapshot, answer, history, until, sighted, custodians });
        };
        let narrow = |scan: &mut Scan| slice.into_iter().for_each(|slice| slice.narrow(scan));
        let answer = Some(query.run_narrowed(snapshot, narrow).map_err(wrong)?);
        narrow(&mut past);
        let history = match (history, request.chooses_rows()) {
            (false, _) => History::None,
            (true, true) => History::Each(Box::new(past)),
            (true, false) => {
                let rows = snapshot.scan(&past).map_err(archive)?;
                let (group, place) = (Vec::new(), None);
                let is_waiting = false;
                let beside = Beside { rows, is_waiting, record, sighted, group, place };
                History::Beside(Box::new(beside))
            }
        };
        let snapshot = snapshot.clone();
        Ok(Self { record, snapshot, answer, history, until, sighted, custodians })
    }

    /// The chosen version of the next message, as it is stored.
    pub(super) fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        self.answer.as_mut().map_or(Ok(None), |answer| answer.next().map_err(wrong))
    }

    /// A message with its chosen version only, whoever delivered it.
    pub(super) fn alone(record: RecordKind, row: &Row<'_>) -> Result<Entry> {
        Ok(Entry {
            key: key_of(record, row),
            created: row.created(),
            modified: row.modified(),
            versions: vec![Past::of(record, row, false)?.version],
            attached: Vec::new(),
            parent: None,
            custodians: Arc::default(),
            is_context: false,
        })
    }

    /// The next message. Addresses are zeros and there are no attachments yet: both are found where
    /// there is time for it.
    pub(super) fn next(&mut self) -> Result<Option<Entry>> {
        let Some(answer) = &mut self.answer else { return Ok(None) };
        let Some(row) = answer.next().map_err(wrong)? else { return Ok(None) };
        if matches!(self.history, History::None) {
            return Self::alone(self.record, &row).map(Some);
        }
        let key = key_of(self.record, &row);
        let (created, modified) = (row.created(), row.modified());
        let mut rows = match &mut self.history {
            History::None => Vec::new(),
            History::Beside(beside) => beside.versions(&key, created)?,
            History::Each(scan) => each(&self.snapshot, scan, &key, created)?,
        };
        if let Some(until) = self.until {
            rows.retain(|row| row.modified <= until);
        }
        if rows.is_empty() {
            // The chosen row is among its message's rows; should it not be, it is not lost.
            rows.push(Past::of(self.record, &row, self.sighted)?);
        }
        number_variants(&mut rows, row.json());
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

impl Beside {
    /// The versions of a message; messages are asked for in the order of the scan.
    fn versions(&mut self, key: &MessageKey, created: Timestamp) -> Result<Vec<Past>> {
        let is_here = self.place.as_ref().is_some_and(|(chat, at, id)| {
            *at == created && *id == key.id && *chat == key.conversation
        });
        if !is_here {
            self.go_to(key, created)?;
        }
        let group = mem::take(&mut self.group);
        let (own, others) = group.into_iter().partition(|row| row.reply_to == key.reply_to);
        self.group = others;
        Ok(own)
    }

    fn go_to(&mut self, key: &MessageKey, created: Timestamp) -> Result<()> {
        self.group.clear();
        self.place = Some((key.conversation.clone(), created, key.id.clone()));
        loop {
            let row = if mem::take(&mut self.is_waiting) {
                self.rows.last()
            } else {
                self.rows.next().map_err(archive)?
            };
            let Some(row) = row else { return Ok(()) };
            let is_there = row.created() == created
                && row.id() == key.id
                && row.conversation() == key.conversation;
            if is_there {
                self.group.push(Past::of(self.record, &row, self.sighted)?);
            } else if !self.group.is_empty() {
                self.is_waiting = true;
                return Ok(());
            }
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
            all.push(Past::of(scan.record, &row, true)?);
        }
    }
    Ok(all)
}

/// Contents that came under one version become neighbours with numbers: they come in the order of
/// their addresses, and the one that was chosen, of the last version, goes behind the others.
fn number_variants(rows: &mut Vec<Past>, chosen: &[u8]) {
    if let Some(at) = rows.iter().position(|row| row.version.document.json() == chosen)
        && rows.get(at).map(|row| row.version.version) == rows.last().map(|row| row.version.version)
    {
        let row = rows.remove(at);
        rows.push(row);
    }
    for group in rows.chunk_by_mut(|one, next| one.version.version == next.version.version) {
        let of = u32::try_from(group.len()).unwrap_or(u32::MAX);
        for (row, number) in group.iter_mut().zip(1..) {
            row.version.variant = (number, of);
        }
    }
}

fn key_of(record: RecordKind, row: &Row<'_>) -> MessageKey {
    MessageKey {
        record,
        conversation: row.conversation().to_owned(),
        reply_to: row.reply_to().map(str::to_owned),
        id: row.id().to_owned(),
    }
}

impl Past {
    fn of(record: RecordKind, row: &Row<'_>, sighted: bool) -> Result<Self> {
        let custodians = if sighted { row.custodians().map_err(archive)? } else { Vec::new() };
        Ok(Self {
            reply_to: row.reply_to().map(str::to_owned),
            modified: row.modified(),
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
