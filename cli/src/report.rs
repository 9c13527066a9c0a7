//! What several commands report, with the field names that `--json` documents.

use std::collections::BTreeMap;

use chatvault_engine::{Counts, Custodian, DroppedTail, Stat, Stored, Unproven};
use chatvault_query::{Kind, format_time};
use serde::Serialize;

use crate::console::Console;
use crate::table::{Column, Listing};
use crate::text;

/// The part of an archive's folder that it will remove by itself.
pub(crate) const TRASH: &str = "trash";

/// What an archive takes on disk, without its trash.
pub(crate) fn bytes_in_use(stat: &Stat) -> u64 {
    stat.bytes_by_part.iter().filter(|(part, _)| *part != TRASH).map(|(_, bytes)| bytes).sum()
}

/// Counters of copies as `--json` shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Copies {
    #[serde(rename = "copies")]
    pub(crate) offered: u64,
    pub(crate) stored: u64,
    pub(crate) variants: u64,
    pub(crate) duplicates: u64,
    pub(crate) quarantined: u64,
}

impl From<Counts> for Copies {
    fn from(counts: Counts) -> Self {
        Self {
            offered: counts.offered,
            stored: counts.stored,
            variants: counts.variants,
            duplicates: counts.duplicates,
            quarantined: counts.quarantined,
        }
    }
}

/// What stands at the end of the journal and is no part of any answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Tail {
    file: String,
    #[serde(flatten)]
    what: What,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum What {
    /// Torn bytes behind this offset: a crash left them.
    Offset(u64),
    /// Whole commits that a reader does not show yet.
    Commits(u64),
}

impl From<DroppedTail> for Tail {
    fn from(DroppedTail { file, offset, bytes, .. }: DroppedTail) -> Self {
        Self { file, what: What::Offset(offset), bytes }
    }
}

impl From<Unproven> for Tail {
    fn from(Unproven { file, commits, bytes, .. }: Unproven) -> Self {
        Self { file, what: What::Commits(commits), bytes }
    }
}

impl Tail {
    /// For people, in one line.
    pub(crate) fn line(&self) -> String {
        let Self { file, what, bytes } = self;
        match what {
            What::Offset(offset) => format!(
                "dropped: {file}: offset {offset}: {bytes} bytes behind the last commit, never \
                 acknowledged: a crash came before"
            ),
            What::Commits(commits) => format!(
                "not shown: {file}: {}, {bytes} bytes, not known to be durable: somebody writes, or \
                 this place lets no reader sync",
                text::plural(*commits, "commit"),
            ),
        }
    }
}

/// Rows that were stored though they may equal others: `None` without any.
pub(crate) fn beside_line(rows: u64) -> Option<String> {
    let rows = Some(rows).filter(|rows| *rows > 0).map(|rows| text::plural(rows, "row"));
    rows.map(|rows| format!("stored beside others that could not be read: {rows}"))
}

/// Each custodian's counters under its typed id.
pub(crate) fn by_custodian(counts: &BTreeMap<Custodian, Counts>) -> BTreeMap<String, Copies> {
    counts.iter().map(|(custodian, &counts)| (custodian.to_string(), counts.into())).collect()
}

const CUSTODIAN_COLUMNS: &[Column] = &[
    Column::id("custodian", 44),
    Column::number("copies", 13),
    Column::number("stored", 13),
    Column::number("variants", 10),
    Column::number("duplicates", 13),
    Column::number("quarantined", 11),
];

/// A table of custodians, if there is something to show.
pub(crate) fn print_custodians(
    console: &mut Console<'_>,
    custodians: Option<&BTreeMap<String, Copies>>,
) -> anyhow::Result<()> {
    let Some(custodians) = custodians else { return Ok(()) };
    let mut listing = Listing::new(CUSTODIAN_COLUMNS, None);
    console.line("")?;
    for (custodian, counts) in custodians {
        let Copies { offered, stored, variants, duplicates, quarantined } = *counts;
        let numbers = [offered, stored, variants, duplicates, quarantined].map(text::count);
        let row = std::iter::once(custodian.clone()).chain(numbers).collect();
        console.lines(listing.push(row))?;
    }
    console.lines(Some(listing.lines()))
}

/// Custodians and their runs as `--json` shows them.
#[derive(Serialize)]
pub(crate) struct Sighting<'a> {
    custodian: &'a str,
    run: u32,
    sequence: u64,
}

/// What `--json` says about a stored row, without its bytes.
#[derive(Serialize)]
pub(crate) struct RowFacts<'a> {
    address: String,
    conversation: &'a str,
    reply_to: Option<&'a str>,
    id: &'a str,
    version: u64,
    created: String,
    modified: String,
    sender: Option<&'a str>,
    kind: &'static str,
    sequence: u64,
    bytes: usize,
    sightings: Vec<Sighting<'a>>,
}

impl<'a> From<&'a Stored> for RowFacts<'a> {
    fn from(row: &'a Stored) -> Self {
        let sighting = |one: &'a chatvault_engine::Sighting| Sighting {
            custodian: one.custodian.as_str(),
            run: one.run.0,
            sequence: one.sequence.0,
        };
        Self {
            address: row.address.to_string(),
            conversation: &row.key.conversation,
            reply_to: row.key.reply_to.as_deref(),
            id: &row.key.id,
            version: row.version,
            created: format_time(row.created),
            modified: format_time(row.modified),
            sender: row.sender.as_deref(),
            kind: Kind::name_of(row.kind),
            sequence: row.sequence.0,
            bytes: row.json.len(),
            sightings: row.sightings.iter().map(sighting).collect(),
        }
    }
}
