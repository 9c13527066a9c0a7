//! `stat`: what an archive holds and what it takes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chatvault_engine::{CacheUse, Repaired, Snapshot, Stat};
use chatvault_query::{Query, Record};
use clap::Args;
use serde::Serialize;

use crate::commands::Salvage;
use crate::console::Console;
use crate::failure::Outcome;
use crate::missing::{self, Finding};
use crate::report::{
    Copies, TRASH, Tail, beside_line, by_custodian, bytes_in_use, print_custodians,
};
use crate::text;

/// Parts of an archive that are made of the others.
const DERIVED: [&str; 2] = ["catalog", "search"];

const EXAMPLES: &str = "\
Examples:
  chatvault stat team.cvault
  chatvault stat team.cvault --json
  chatvault stat team.cvault --json --by-custodian

Words: a copy is what an export delivered; a version is one state of a message; a variant is different \
content under the same version; a duplicate is a copy of what was there. Always: \
copies = versions and variants stored + duplicates + quarantined. Trash is what merges have replaced and \
the archive will remove by itself; `on disk` does not count it. Ratios leave out what is derived, too, and can \
be built anew: catalog and search.

JSON fields: copies, stored, versions, variants, duplicates, quarantined, messages, \
records (of each kind, how many: message, copilot, recording, transcript, chat, member, user, team), conversations, \
senders, custodians, segments, runs, sequence (number of the last commit), commit (its number and hash, for \
--since and --as-of-seq), journal_rows (not yet in a segment), stored_beside (stored though they may equal a \
row that could not be read), raw_rows (kept as raw JSON because their columns did not give them back exactly), objects, \
bytes (on disk, without trash), bytes_by_part (segments, journal, manifest, ledger, objects, quarantine, \
catalog, search, trash, other), raw_bytes (JSON before compression), \
bytes_per_version, compression_ratio (raw_bytes / bytes without catalog and search), bytes_written (about, \
by all who ever wrote to it), write_amplification (bytes_written / the same), troubles (list of work, since, message: \
seals and merges that fail in the background), dropped_tail (what a crash left behind the last \
commit, never acknowledged: file, offset, bytes; or null), unproven (commits that are not shown, since they \
may not be durable: file, commits, bytes; or null), repaired (list of from, commit, rows_lost, objects_lost: \
the repairs that the archive came from), folded (list of commit, rows: rows that were stored twice beside damage \
and that a merge made one again), cache (of this command: bytes held, hits, misses), and with --by-custodian: by_custodian \
(custodian to copies, stored, variants, duplicates, quarantined), with --salvage missing (as damages of \
`verify`). Sizes are in bytes.";

/// Show what an archive holds and how much space it takes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// Also show each custodian's copies
    #[arg(long)]
    by_custodian: bool,
    #[command(flatten)]
    salvage: Salvage,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct Report {
    copies: u64,
    stored: u64,
    versions: u64,
    variants: u64,
    duplicates: u64,
    quarantined: u64,
    messages: u64,
    records: BTreeMap<&'static str, u64>,
    conversations: u64,
    senders: u64,
    custodians: u64,
    segments: u64,
    runs: u64,
    sequence: u64,
    commit: String,
    journal_rows: u64,
    stored_beside: u64,
    raw_rows: u64,
    objects: u64,
    bytes: u64,
    bytes_by_part: BTreeMap<String, u64>,
    raw_bytes: u64,
    bytes_per_version: f64,
    compression_ratio: f64,
    bytes_written: u64,
    write_amplification: f64,
    troubles: Vec<Trouble>,
    dropped_tail: Option<Tail>,
    unproven: Option<Tail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_custodian: Option<BTreeMap<String, Copies>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<Finding>>,
    repaired: Vec<Repair>,
    folded: Vec<Fold>,
    cache: Cache,
}

/// What the cache did while the command ran.
#[derive(Serialize)]
struct Cache {
    bytes: u64,
    hits: u64,
    misses: u64,
}

impl From<CacheUse> for Cache {
    fn from(CacheUse { bytes, hits, misses, .. }: CacheUse) -> Self {
        Self { bytes, hits, misses }
    }
}

/// Rows that a merge made one again.
#[derive(Serialize)]
struct Fold {
    commit: u64,
    rows: u64,
}

/// A repair that the archive came from.
#[derive(Serialize)]
struct Repair {
    from: String,
    commit: u64,
    rows_lost: u64,
    objects_lost: u64,
}

impl From<&Repaired> for Repair {
    fn from(repaired: &Repaired) -> Self {
        Self {
            from: text::hex(&repaired.archive),
            commit: repaired.commit.0,
            rows_lost: repaired.rows_lost,
            objects_lost: repaired.objects_lost,
        }
    }
}

/// Background work that failed and did not succeed since.
#[derive(Serialize)]
struct Trouble {
    work: &'static str,
    since: String,
    message: String,
}

impl Report {
    fn new(stat: Stat) -> Self {
        let bytes = bytes_in_use(&stat);
        let derived = DERIVED.iter().filter_map(|part| stat.bytes_by_part.get(*part)).sum();
        let own = bytes.saturating_sub(derived);
        Self {
            copies: stat.counts.offered,
            stored: stat.counts.stored,
            versions: stat.versions,
            variants: stat.variants,
            duplicates: stat.counts.duplicates,
            quarantined: stat.counts.quarantined,
            messages: stat.messages,
            records: BTreeMap::new(),
            conversations: stat.conversations,
            senders: stat.senders,
            custodians: stat.custodians,
            segments: stat.segments,
            runs: stat.runs,
            sequence: stat.commit.sequence.0,
            commit: stat.commit.to_string(),
            journal_rows: stat.journal_rows,
            stored_beside: stat.stored_beside,
            raw_rows: stat.raw_rows,
            objects: stat.objects,
            bytes,
            bytes_by_part: stat.bytes_by_part,
            raw_bytes: stat.raw_bytes,
            bytes_per_version: text::ratio(own, stat.versions),
            compression_ratio: text::ratio(stat.raw_bytes, own),
            bytes_written: stat.bytes_written,
            write_amplification: text::ratio(stat.bytes_written, own),
            troubles: stat.health.troubles.into_iter().map(trouble).collect(),
            dropped_tail: stat.dropped_tail.map(Tail::from),
            unproven: stat.unproven.map(Tail::from),
            by_custodian: None,
            missing: None,
            repaired: stat.repaired.iter().map(Repair::from).collect(),
            folded: stat
                .folded
                .iter()
                .map(|fold| Fold { commit: fold.commit.0, rows: fold.rows })
                .collect(),
            cache: stat.cache.into(),
        }
    }

    /// Tells messages from what is stored beside them.
    fn count_records(&mut self, snapshot: &Snapshot) -> anyhow::Result<()> {
        for record in Record::ALL.into_iter().filter(|record| *record != Record::Message) {
            let rows = Query { record, ..Query::default() }.count(snapshot)?;
            self.messages = self.messages.saturating_sub(rows);
            let _ = self.records.insert(record.name(), rows);
        }
        let _ = self.records.insert(Record::Message.name(), self.messages);
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let mut rows: Vec<(&str, String)> = [
            ("copies delivered", self.copies),
            ("  versions", self.versions),
            ("  variants", self.variants),
            ("  duplicates", self.duplicates),
            ("  quarantined", self.quarantined),
            ("messages", self.messages),
            ("conversations", self.conversations),
            ("senders", self.senders),
            ("custodians", self.custodians),
            ("objects", self.objects),
            ("import runs", self.runs),
            ("segments", self.segments),
            ("rows in journal", self.journal_rows),
        ]
        .map(|(name, number)| (name, text::count(number)))
        .into();
        let others =
            self.records.iter().filter(|(record, rows)| **record != "message" && **rows > 0);
        rows.extend(others.map(|(record, number)| (*record, text::count(*number))));
        rows.push(("last commit", self.commit.clone()));
        rows.push(("on disk", text::size(self.bytes)));
        let in_use = self.bytes_by_part.iter().filter(|(part, _)| *part != TRASH);
        let parts: Vec<(String, &u64)> =
            in_use.map(|(part, bytes)| (format!("  {part}"), bytes)).collect();
        rows.extend(parts.iter().map(|(part, bytes)| (part.as_str(), text::size(**bytes))));
        let trash = self.bytes_by_part.get(TRASH).copied().unwrap_or_default();
        rows.push(("in trash", text::size(trash)));
        let amplification = format!("{:.1} times what is there", self.write_amplification);
        let written = text::size(self.bytes_written);
        rows.push(("written in all", format!("{written}, {amplification}")));
        rows.push(("as JSON", text::size(self.raw_bytes)));
        rows.push(("per version", format!("{:.1} bytes", self.bytes_per_version)));
        rows.push(("compression", format!("{:.1} to 1", self.compression_ratio)));
        let troubles = self.troubles.iter().map(|trouble| {
            (trouble.work, format!("fails since {}: {}", trouble.since, trouble.message))
        });
        rows.extend(troubles);
        text::aligned(&rows)
    }
}

fn trouble(trouble: chatvault_engine::Trouble) -> Trouble {
    let since = chatvault_query::format_time(trouble.since);
    Trouble { work: trouble.work.word(), since, message: trouble.message }
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let archive = arguments.salvage.open(&arguments.archive)?;
    let mut report = Report::new(archive.stat()?);
    report.count_records(&archive.snapshot()?)?;
    if arguments.by_custodian {
        report.by_custodian = Some(by_custodian(&archive.snapshot()?.custodians()?));
    }
    report.missing = arguments.salvage.findings(&archive.missing());
    if arguments.json {
        console.json(&report)?;
        return missing::tell(&archive.missing(), console);
    }
    for line in report.lines() {
        console.line(line)?;
    }
    if let Some(line) = beside_line(report.stored_beside) {
        console.line(line)?;
    }
    for Repair { from, commit, rows_lost, objects_lost } in &report.repaired {
        let lost = format!("{rows_lost} rows and {objects_lost} objects were lost");
        console.line(format!("repaired from archive {from} as of commit {commit}; {lost}"))?;
    }
    for Fold { commit, rows } in &report.folded {
        let rows = text::plural(*rows, "row");
        console
            .line(format!("{rows} that had been stored twice made one behind commit {commit}"))?;
    }
    let dropped = report.dropped_tail.as_ref().map(Tail::line);
    for line in dropped.into_iter().chain(report.unproven.as_ref().map(Tail::line)) {
        console.line(line)?;
    }
    print_custodians(console, report.by_custodian.as_ref())?;
    missing::tell(&archive.missing(), console)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_come_from_all_bytes_on_disk_but_the_trash_and_what_is_derived() {
        let parts =
            [("segments", 900), ("ledger", 100), ("catalog", 70), ("search", 30), (TRASH, 5_000)];
        let bytes_by_part = parts.map(|(part, bytes)| (part.to_owned(), bytes)).into();
        let mut stat = Stat::default();
        (stat.versions, stat.raw_bytes) = (10, 12_000);
        stat.bytes_by_part = bytes_by_part;
        let report = Report::new(stat);
        assert_eq!(report.bytes, 1_100);
        assert!((report.bytes_per_version - 100.0).abs() < 1e-9);
        assert!((report.compression_ratio - 12.0).abs() < 1e-9);
        let lines = report.lines();
        assert!(lines.contains(&"  segments        900 B".to_owned()));
        assert!(lines.contains(&"in trash          4.9 KiB".to_owned()));
        assert_eq!(report.bytes_by_part[TRASH], 5_000);
    }

    #[test]
    fn an_empty_archive_has_no_ratios() {
        let report = Report::new(Stat::default());
        assert!(report.bytes_per_version.abs() < 1e-9 && report.compression_ratio.abs() < 1e-9);
    }
}
