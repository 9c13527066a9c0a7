//! `quarantine`: what could not be stored as a message, and why.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use chatvault_engine::{Quarantine, Quarantined};
use clap::Args;
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};

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
from. Entries are numbered from 1, oldest first. Equal copies are one entry: they are kept once, with the \
origin of the first, and counted. Sizes are in bytes.

JSON fields: quarantined (how many copies), entries (list of number, address (BLAKE3 of the bytes), \
copies, by_custodian (custodian to copies), custodian, run, sequence, source, offset, bytes, reason).";

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
    quarantined: u64,
    #[serde(serialize_with = "entries")]
    entries: &'a RefCell<Quarantine>,
}

/// Entries as they are read, none kept.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn entries<S: Serializer>(
    quarantine: &&RefCell<Quarantine>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    for (at, row) in quarantine.borrow_mut().by_ref().enumerate() {
        let row = row.map_err(S::Error::custom)?;
        list.serialize_element(&RefusedRow::new(at, &row))?;
    }
    list.end()
}

#[derive(Serialize)]
struct RefusedRow<'a> {
    number: usize,
    address: String,
    copies: u64,
    by_custodian: BTreeMap<&'a str, u64>,
    custodian: &'a str,
    run: u32,
    sequence: u64,
    source: &'a str,
    offset: u64,
    bytes: usize,
    reason: &'a str,
}

impl<'a> RefusedRow<'a> {
    fn new(at: usize, row: &'a Quarantined) -> Self {
        let by_custodian = row.copies.iter().map(|(name, copies)| (name.as_str(), *copies));
        Self {
            number: at + 1,
            address: row.address.to_string(),
            copies: row.copies.values().sum(),
            by_custodian: by_custodian.collect(),
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
    Column::number("copies", 8),
    Column::id("custodian", 24),
    Column::id("source", 28),
    Column::number("offset", 11),
    Column::number("bytes", 11),
    Column::rest("reason"),
];

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let snapshot = super::open_to_read(&arguments.archive)?.snapshot()?;
    let mut quarantine = snapshot.quarantine()?;
    if let Some(number) = arguments.show {
        let mut there = 0;
        let row = quarantine.inspect(|_| there += 1).nth(number.wrapping_sub(1)).transpose()?;
        let row =
            row.with_context(|| format!("there is no entry {number}: the quarantine has {there}"))?;
        console.out.write_all(&row.bytes)?;
    } else if arguments.json {
        let quarantined = snapshot.custodians()?.values().map(|counts| counts.quarantined).sum();
        let entries = RefCell::new(quarantine);
        console.json(&List { quarantined, entries: &entries })?;
    } else {
        list(&mut quarantine, console)?;
    }
    Ok(Outcome::Done)
}

fn list(quarantine: &mut Quarantine, console: &mut Console<'_>) -> anyhow::Result<()> {
    let mut rows = quarantine.enumerate().peekable();
    if rows.peek().is_none() {
        return Ok(console.line("the quarantine is empty")?);
    }
    let mut listing = Listing::new(COLUMNS, console.width());
    for (at, row) in rows {
        let row = row?;
        let entry = RefusedRow::new(at, &row);
        let line = vec![
            entry.number.to_string(),
            text::count(entry.copies),
            entry.custodian.to_owned(),
            entry.source.to_owned(),
            text::count(entry.offset),
            text::count(u64::try_from(entry.bytes)?),
            entry.reason.to_owned(),
        ];
        console.lines(listing.push(line))?;
    }
    console.lines(Some(listing.lines()))
}
