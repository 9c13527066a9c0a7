//! What an export is asked for, as plain data: what people and programs write, checked and pinned.
//!
//! A [`Request`] has only names, texts and numbers, so it can come from a command line or a JSON
//! file. [`Request::pin`] replaces everything that depends on the moment (now, the newest commit,
//! the first message) by what it is now: a pinned request and the archive decide about every byte.
//! It lies in the manifest, so an export can be resumed and checked without being told again.

use chatvault_base::time::calendar::write_date;
use chatvault_engine::{CommitId, Custodian, Order, RowKeys, Scan, Sequence, Snapshot, Timestamp};
use chatvault_query::{Commit, Query, Record, parse_time, record};
use serde::{Deserialize, Serialize};

use crate::entry::{Guard, RenderOptions, SystemEvents, Window, Zone};
use crate::error::{Error, Result};
use crate::part::Settings;
use crate::zone::rfc3339;

pub use crate::format::list::Format;
pub use crate::told::Collected;

/// How long the range is that an export has if none is given.
const DEFAULT_DAYS: u32 = 90;
const DAY_MS: i64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z.
const LAST_MS: i64 = 253_402_300_799_999;

/// Which of a message's times decides whether it is in the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeField {
    /// When it was sent.
    #[default]
    Created,
    /// When its chosen version was made.
    Modified,
}

/// What an export is asked for. Everything may be left out. Unknown fields are refused.
///
/// Times are text: RFC 3339 with a zone, or a date, month or year (its first midnight UTC). Ranges are
/// half-open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Request {
    /// What is written.
    pub format: Format,
    /// What is handed out: messages, and what is stored beside them. When pinned, those of which the
    /// archive has any. A text that does not say it means messages, as before there were others.
    #[serde(default = "only_messages", skip_serializing_if = "is_only_messages")]
    pub records: Vec<Record>,
    /// Those that the archive has, too, and that nobody asked for: told when pinned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_records: Vec<Record>,
    /// The export's name, that of its index; empty: made of scope, range and format.
    pub name: String,
    /// Conversations; none: all.
    pub chats: Vec<String>,
    /// Whose exports delivered it: `user:ID`, `team:ID`, or a bare id for a user; none: anybody's.
    pub custodians: Vec<String>,
    /// Ids of the users or apps that sent it; none: anybody.
    pub senders: Vec<String>,
    /// A condition in the service's `$filter` language.
    pub filter: Option<String>,
    /// The range starts here; the last 90 days if neither end is given.
    pub from: Option<String>,
    /// The range ends before this.
    pub to: Option<String>,
    /// From the first message to the last, whatever the range says. When pinned, that tells theirs in
    /// milliseconds; its end bounds nothing, so that a message of the last moment of time is in it.
    pub all_time: bool,
    /// Which time the range is about.
    pub time_field: TimeField,
    /// A longer range is cut into windows of so many days, each with files of its own; 0: never.
    pub window_days: u32,
    /// Only versions that were not modified after this time.
    pub as_of: Option<String>,
    /// Only what the archive held after this commit.
    pub as_of_sequence: Option<Commit>,
    /// Only messages whose chosen version arrived after this commit; with custodians, that none of
    /// them had delivered by then.
    pub since: Option<Commit>,
    /// The time of the export, which its texts and default range speak of; nothing else is a clock.
    pub at: Option<String>,
    /// Every version, not only the latest with its history.
    pub all_versions: bool,
    /// Every content that came under one version, too.
    #[serde(skip_serializing_if = "is_not")]
    pub all_variants: bool,
    /// What becomes of system events.
    pub system_events: SystemEvents,
    /// No attachments, only their list.
    pub text_only: bool,
    /// In which zone people read times: `UTC`, `+02:00` or a name such as `Europe/Berlin`.
    pub zone: String,
    /// No part has more bytes.
    pub part_bytes: u64,
    /// Mails: the stored JSON goes along.
    pub raw_json: bool,
    /// Mails: one for each conversation and day.
    pub chat_day: bool,
    /// CSV: a byte order mark at the start of each file.
    pub bom: bool,
    /// CSV: how cells that look like formulas are made harmless.
    pub guard: Guard,
    /// CSV and Parquet: attachments have rows of their own.
    pub attachment_rows: bool,
    /// Load files: days as `YYYY-MM-DD`.
    pub iso_dates: bool,
    /// The tenant's id; none: what the messages say.
    pub tenant: Option<String>,
    /// Who asked, as the host says; stands on covers and in the manifest.
    pub requested_by: Option<String>,
    /// How far custodians' messages were collected, as the host says; stands there, too.
    pub collected: Vec<Collected>,
    /// What the service never exports, as the host says; stands there, too.
    pub known_gaps: Vec<String>,
    /// Messages of the same conversations, custodians and time that senders, filter and commit leave out;
    /// pinning counts them.
    pub others: Option<u64>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            format: Format::default(),
            records: Record::CONTENTS.to_vec(),
            other_records: Vec::new(),
            name: String::new(),
            chats: Vec::new(),
            custodians: Vec::new(),
            senders: Vec::new(),
            filter: None,
            from: None,
            to: None,
            all_time: false,
            time_field: TimeField::default(),
            window_days: DEFAULT_DAYS,
            as_of: None,
            as_of_sequence: None,
            since: None,
            at: None,
            all_versions: false,
            all_variants: false,
            system_events: SystemEvents::default(),
            text_only: false,
            zone: "UTC".to_owned(),
            part_bytes: Settings::PART_BYTES,
            raw_json: false,
            chat_day: false,
            bom: true,
            guard: Guard::default(),
            attachment_rows: false,
            iso_dates: false,
            tenant: None,
            requested_by: None,
            collected: Vec::new(),
            known_gaps: Vec::new(),
            others: None,
        }
    }
}

impl Request {
    /// Fixes everything that depends on the moment, and checks every field.
    ///
    /// `now` is the time of the export if neither [`Request::at`] nor [`Request::as_of`] says it.
    ///
    /// `Setting` or `Request` names a field that is not accepted.
    pub fn pin(mut self, snapshot: &Snapshot, now: Timestamp) -> Result<Self> {
        let at = match self.at.as_deref().or(self.as_of.as_deref()) {
            Some(text) => time("at", text)?,
            None => now,
        };
        let at = Timestamp::from_ms(at.ms());
        self.at = Some(rfc3339(at));
        self.check_commits(snapshot)?;
        let newest = snapshot.sequence();
        let until = self.as_of_sequence.map_or(newest, |wanted| wanted.sequence().min(newest));
        self.as_of_sequence = commit_id(snapshot, until)?.map(Commit::from);
        self.since = self.since.map(|since| exact(since, snapshot)).transpose()?;
        let snapshot = &snapshot.as_of(until);
        self.all_versions |= self.all_variants;
        self.pin_records(snapshot)?;
        let (start, end) = self.range(snapshot, at)?;
        (self.from, self.to) = (Some(rfc3339(start)), Some(rfc3339(end)));
        if self.tenant.as_deref().is_none_or(str::is_empty) {
            self.tenant = Some(self.sniffed_tenant(snapshot)?);
        }
        drop(self.options(String::new())?);
        let any = Self { since: None, ..self.clone() };
        drop(any.query(Record::Message, Range::ALL).scan().map_err(wrong)?);
        self.others = self.count_others(snapshot)?;
        if self.name.is_empty() {
            self.name = self.own_name(start, end);
        }
        Ok(self)
    }

    /// See [`Self::others`]; none where nothing chooses among messages.
    fn count_others(&self, snapshot: &Snapshot) -> Result<Option<u64>> {
        if !self.chooses_rows() {
            return Ok(None);
        }
        let count = |query: Query| query.count(snapshot).map_err(wrong);
        let mut others = 0;
        for chosen in self.questions()? {
            let all = Query { senders: Vec::new(), filter: None, since: None, ..chosen.clone() };
            let chosen = if self.is_empty() { 0 } else { count(chosen)? };
            others += count(all)?.saturating_sub(chosen);
        }
        Ok(Some(others))
    }

    /// Leaves the kinds of which the archive has any, and notes those that were not asked for.
    fn pin_records(&mut self, snapshot: &Snapshot) -> Result<()> {
        let mut there = Vec::new();
        for record in Record::CONTENTS {
            let one = Scan { record: record.into(), limit: Some(1), ..Scan::default() };
            if snapshot.count(&one).map_err(archive)? > 0 {
                there.push(record);
            }
        }
        let (asked, other) = there.into_iter().partition(|one| self.records.contains(one));
        self.other_records = other;
        // An export of nothing is one of no messages.
        self.records = if Vec::is_empty(&asked) { only_messages() } else { asked };
        Ok(())
    }

    /// Its custodians with what they are.
    fn typed_custodians(&self) -> Vec<String> {
        self.custodians.iter().map(|id| Custodian::parse(id).as_str().to_owned()).collect()
    }

    /// Are its commits of this archive's past?
    pub(crate) fn check_commits(&self, snapshot: &Snapshot) -> Result<()> {
        self.query(Record::Message, Range::ALL).check_commits(snapshot).map_err(wrong)
    }

    /// What the archive held at the commit that it is pinned to.
    pub(crate) fn moment(&self, snapshot: &Snapshot) -> Snapshot {
        self.as_of_sequence.map_or_else(|| snapshot.clone(), |at| snapshot.as_of(at.sequence()))
    }

    /// The range in milliseconds: as given, as the archive has it, or the last days.
    fn range(&self, snapshot: &Snapshot, at: Timestamp) -> Result<(Timestamp, Timestamp)> {
        let given = |field, text: &Option<String>| {
            text.as_deref().map(|text| time(field, text)).transpose()
        };
        let (from, to) = if self.all_time {
            (None, None)
        } else {
            (given("from", &self.from)?, given("to", &self.to)?)
        };
        let before = |end: Timestamp| {
            Timestamp::from_ms(end.ms().saturating_sub(i64::from(DEFAULT_DAYS) * DAY_MS))
        };
        let range = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            (Some(from), None) => (from, at),
            (None, None) if !self.all_time => (before(at), at),
            (None, to) => {
                let (first, last) = self.ends(snapshot)?.unwrap_or((before(at), at));
                // The last millisecond that has a text.
                let behind_last = last.ms().saturating_add(1).min(LAST_MS);
                let behind_last = Timestamp::from_ms(behind_last);
                (Timestamp::from_ms(first.ms()).min(to.unwrap_or(first)), to.unwrap_or(behind_last))
            }
        };
        if range.0 >= range.1 && !self.all_time {
            let value = format!("{} to {}", rfc3339(range.0), rfc3339(range.1));
            return Err(setting("range", value, "a start before its end"));
        }
        Ok(range)
    }

    /// The times of the first and last selected message.
    fn ends(&self, snapshot: &Snapshot) -> Result<Option<(Timestamp, Timestamp)>> {
        let unbounded = Self { from: None, to: None, ..self.clone() };
        let order = match self.time_field {
            TimeField::Created => Order::Created,
            TimeField::Modified => Order::Modified,
        };
        let mut ends: Option<(Timestamp, Timestamp)> = None;
        for scan in unbounded.scans()? {
            for backwards in [false, true] {
                let end = Scan { order, backwards, limit: Some(1), ..scan.clone() };
                let mut rows = snapshot.scan(&end).map_err(archive)?;
                let Some(row) = rows.next().map_err(archive)? else { continue };
                let at = match self.time_field {
                    TimeField::Created => row.created(),
                    TimeField::Modified => row.modified(),
                };
                let (first, last) = ends.unwrap_or((at, at));
                ends = Some((first.min(at), last.max(at)));
            }
        }
        Ok(ends)
    }

    /// The tenant of some sender.
    fn sniffed_tenant(&self, snapshot: &Snapshot) -> Result<String> {
        /// Events and apps have none; so many messages are looked at.
        const LOOKED_AT: u64 = 200;
        for scan in (Self { from: None, to: None, ..self.clone() }).scans()? {
            let scan = Scan { limit: Some(LOOKED_AT), ..scan };
            let mut rows = snapshot.scan(&scan).map_err(archive)?;
            while let Some(row) = rows.next().map_err(archive)? {
                let document = row.document().map_err(archive)?;
                let message = record::message(scan.record, &document, &record::Text::None);
                let tenant = message.from.and_then(|from| from.tenant.map(String::from));
                if let Some(tenant) = tenant.filter(|tenant| !tenant.is_empty()) {
                    return Ok(tenant);
                }
            }
        }
        Ok("unknown".to_owned())
    }

    /// `{scope}_{start}-{end}_{format}`.
    fn own_name(&self, start: Timestamp, end: Timestamp) -> String {
        self.window_name(&self.scope(), start, end)
    }

    /// What the names of a window's parts begin with, of all windows with `label`. Days are those
    /// that people read.
    pub(crate) fn window_name(&self, label: &str, start: Timestamp, end: Timestamp) -> String {
        let zone: Zone = self.zone.parse().unwrap_or_default();
        let days = (day(zone, start), day(zone, end));
        crate::part::window_name(label, (&days.0, &days.1), self.format.name())
    }

    /// What the names of all parts begin with: the export's name if it was given one, else what is
    /// in them.
    pub(crate) fn label(&self, export_id: &str) -> String {
        let end = |text: &Option<String>| time("range", text.as_deref()?).ok();
        let ends = end(&self.from).zip(end(&self.to));
        let has_own_name = ends.is_some_and(|(start, end)| self.name == self.own_name(start, end));
        let word = if has_own_name { self.scope() } else { self.name.clone() };
        crate::part::label(&word, export_id)
    }

    /// What an export without a name is named after: the one person or chat, else what it is.
    fn scope(&self) -> String {
        match (self.custodians.as_slice(), self.chats.as_slice()) {
            ([one], _) => one.rsplit(':').next().unwrap_or(one).to_owned(),
            (_, [one]) => crate::name::slug("chat", one),
            ([], []) => "archive".to_owned(),
            _ => "selection".to_owned(),
        }
    }

    /// Its range, once that is pinned.
    pub(crate) fn whole_range(&self) -> Result<Range> {
        let end = |field, text: &Option<String>| time(field, text.as_deref().unwrap_or_default());
        let (start, end) = (end("from", &self.from)?, end("to", &self.to)?);
        Ok(Range { start: Some(start), end: (!self.all_time).then_some(end) })
    }

    /// The time of a row that its range is about.
    pub(crate) fn time_of(&self, row: RowKeys<'_>) -> Timestamp {
        match self.time_field {
            TimeField::Created => row.created(),
            TimeField::Modified => row.modified(),
        }
    }

    /// The part of its range that is a window's. One from the start of all time has no bound there.
    pub(crate) fn range_of(&self, window: Window) -> Range {
        let is_open = self.all_time && window.number == window.of;
        let start = Some(window.start).filter(|start| *start != Timestamp::MIN);
        Range { start, end: (!is_open).then_some(window.end) }
    }

    /// What a pinned request asks the archive: a question for each kind.
    ///
    /// `Setting` if a time of its range is none.
    pub fn questions(&self) -> Result<Vec<Query>> {
        let range = self.whole_range()?;
        Ok(self.records.iter().map(|record| self.query(*record, range)).collect())
    }

    /// The question to the archive for a kind, in a range.
    pub(crate) fn query(&self, record: Record, range: Range) -> Query {
        let ends = (range.start.map(ticks), range.end.map(ticks));
        let (created, modified) = match self.time_field {
            TimeField::Created => (ends, (None, None)),
            TimeField::Modified => ((None, None), ends),
        };
        Query {
            record,
            chats: self.chats.clone(),
            senders: self.senders.clone(),
            custodians: self.custodians.clone(),
            filter: self.filter.clone(),
            created_from: created.0,
            created_to: created.1,
            modified_from: modified.0,
            modified_to: modified.1,
            as_of: self.as_of.clone(),
            as_of_sequence: self.as_of_sequence,
            since: self.since,
            ..Query::default()
        }
    }

    /// The engine's forms of it, in all time; none for what no row can answer.
    fn scans(&self) -> Result<Vec<Scan>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let scan = |record: &Record| self.query(*record, Range::ALL).scan().map_err(wrong);
        self.records.iter().filter_map(|record| scan(record).transpose()).collect()
    }

    /// Must a conversation's folder or file have another name in each window? All windows can be
    /// unpacked into one folder; others have times in their names.
    pub(crate) fn parts_windows(&self) -> bool {
        self.is_by_chat() && !matches!(self.format, Format::Html | Format::Pdf)
    }

    /// Is there a document, or a file of records, for each conversation?
    pub(crate) fn is_by_chat(&self) -> bool {
        self.format.nature().is_by_chat || (self.format == Format::Eml && self.chat_day)
    }

    /// Can nothing have arrived since the commit that is named?
    pub(crate) fn is_empty(&self) -> bool {
        let ends = self.since.zip(self.as_of_sequence);
        ends.is_some_and(|(since, until)| since.sequence() >= until.sequence())
    }

    /// Do conditions beside conversation, custodian and time choose among messages?
    pub(crate) fn chooses_rows(&self) -> bool {
        !self.senders.is_empty() || self.filter.is_some() || self.since.is_some()
    }

    /// What renderers are told.
    pub(crate) fn options(&self, export_id: String) -> Result<RenderOptions> {
        let zone: Zone = self.zone.parse().map_err(|_cause: crate::zone::UnknownZone| {
            setting("zone", self.zone.clone(), "UTC, +02:00 or a name such as Europe/Berlin")
        })?;
        Ok(RenderOptions {
            as_of: time("at", self.at.as_deref().unwrap_or("1970-01-01"))?,
            zone,
            versions: self.all_versions,
            system_events: self.system_events,
            text_only: self.text_only,
            raw_json: self.raw_json,
            bom: self.bom,
            chat_day: self.chat_day,
            guard: self.guard,
            custodians: self.typed_custodians(),
            export_id,
            ..RenderOptions::default()
        })
    }
}

fn only_messages() -> Vec<Record> {
    vec![Record::Message]
}

fn is_only_messages(records: &[Record]) -> bool {
    records == [Record::Message]
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about so")]
fn is_not(flag: &bool) -> bool {
    !flag
}

/// A half-open range; without an end it goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Range {
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
}

impl Range {
    /// All time.
    const ALL: Self = Self { start: None, end: None };
}

/// A commit with its hash, if the archive has one of just this number.
fn exact(commit: Commit, snapshot: &Snapshot) -> Result<Commit> {
    let id = commit_id(snapshot, commit.sequence())?;
    Ok(id.filter(|id| id.sequence == commit.sequence()).map_or(commit, Commit::from))
}

fn commit_id(snapshot: &Snapshot, at: Sequence) -> Result<Option<CommitId>> {
    snapshot.commit_id(at).map_err(|cause| Error::Archive(Box::new(cause)))
}

/// `YYYYMMDD`, on the calendar of a zone.
pub(crate) fn day(zone: Zone, time: Timestamp) -> String {
    let Some(parts) = zone.parts(time) else { return rfc3339(time).replace(' ', "-") };
    let mut text = Vec::with_capacity(8);
    write_date(parts.date, b"", &mut text);
    // Only ASCII was written.
    String::from_utf8(text).unwrap_or_default()
}

/// A time as a query reads it, to the tick.
fn ticks(time: Timestamp) -> String {
    chatvault_query::format_time(time)
}

/// A time of a request.
pub(crate) fn time(field: &'static str, text: &str) -> Result<Timestamp> {
    parse_time(field, text).map_err(wrong)
}

/// The query is wrong, or the archive cannot answer it.
pub(crate) fn wrong(error: chatvault_query::Error) -> Error {
    if error.is_wrong_query() { Error::Request(error) } else { Error::Archive(Box::new(error)) }
}

/// The archive cannot answer.
pub(crate) fn archive(error: chatvault_engine::Error) -> Error {
    Error::Archive(Box::new(error))
}

fn setting(field: &'static str, value: String, accepted: &'static str) -> Error {
    Error::Setting { field, value, accepted }
}
