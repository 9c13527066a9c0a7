//! `quarantine`: what could not be stored as a message, and why.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use chatvault_engine::Quarantined;
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::table::{Column, Listing};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault quarantine team.cvault
  chatvault quarantine team.cvault --show 3 > broken.json
  chatvault quarantine team.cvault --json

What was delivered and cannot be stored as a message (no id, no conversation, no JSON object, too large, \
a file that is broken in the middle) is kept here, byte for byte, with the reason and where it came \
from. Entries are numbered from 1, oldest first. Sizes are in bytes.

JSON fields: quarantined (how many), entries (list of number, custodian, run, sequence, source, offset, \
bytes, reason).";

/// List what could not be stored as a message, and why
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// Print exactly the bytes of the entry with this number
    #[arg(long, value_name = "NUMBER", conflicts_with = "json")]
    show: Option<usize>,
    /// Print the list as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct List<'a> {
    quarantined: usize,
    entries: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    number: usize,
    custodian: &'a str,
    run: u32,
    sequence: u64,
    source: &'a str,
    offset: u64,
    bytes: usize,
    reason: &'a str,
}

impl<'a> Entry<'a> {
    fn new((at, row): (usize, &'a Quarantined)) -> Self {
        Self {
            number: at + 1,
            custodian: row.custodian.as_str(),
            run: row.run.0,
            sequence: row.sequence.0,
            source: &row.source,
            offset: row.offset,
            bytes: row.bytes.len(),
            reason: &row.reason,
        }
    }
}

const COLUMNS: &[Column] = &[
    Column::number("no", 6),
    Column::text("custodian", 24),
    Column::text("source", 28),
    Column::number("offset", 11),
    Column::number("bytes", 11),
    Column::rest("reason"),
];

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let rows = super::open_to_read(&arguments.archive)?.snapshot()?.quarantine()?;
    if let Some(number) = arguments.show {
        let row = number.checked_sub(1).and_then(|at| rows.get(at));
        let row = row.with_context(|| {
            format!("there is no entry {number}: the quarantine has {}", rows.len())
        })?;
        console.out.write_all(&row.bytes)?;
        return Ok(Outcome::Done);
    }
    let entries = rows.iter().enumerate().map(Entry::new);
    if arguments.json {
        console.json(&List { quarantined: rows.len(), entries: entries.collect() })?;
    } else if rows.is_empty() {
        console.line("the quarantine is empty")?;
    } else {
        list(entries, console)?;
    }
    Ok(Outcome::Done)
}

fn list<'a>(
    entries: impl Iterator<Item = Entry<'a>>,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let mut listing = Listing::new(COLUMNS, console.width());
    for entry in entries {
        let row = vec![
            entry.number.to_string(),
            text::middle_cut(entry.custodian, 24).into_owned(),
            text::middle_cut(entry.source, 28).into_owned(),
            text::count(entry.offset),
            text::count(u64::try_from(entry.bytes)?),
            entry.reason.to_owned(),
        ];
        console.lines(listing.push(row))?;
    }
    console.lines(Some(listing.lines()))
}
