//! `runs`: what each run of `sync` did.

use std::path::PathBuf;

use anyhow::bail;
use chatvault_engine::{Archive, RunSummary};
use chatvault_ingest::sync::{self, SyncRun};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::{Outcome, WrongUsage};
use crate::report::Copies;
use crate::sync_report::{AskedFacts, Told, Work, minute, outcome_name, part, span, time, took_ms};
use crate::table::{Column, Listing};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault runs team.cvault
  chatvault runs team.cvault --run 12
  chatvault runs team.cvault --run 12 --json
  chatvault runs team.cvault --all

Lists runs of `chatvault sync`, newest first. With --run one run in full: its numbers, how they balance \
(copies = new versions + variants + duplicates + quarantined), and every account with troubles. A run \
without a report is still going, or was killed; what it committed is in the archive, and the next run \
goes on from there. `not had` counts feeds, windows and contents. Numbers may skip: imports and \
`account activate` take some, too. With --all every run that brought copies, imports too, and its last commit: \
which one the archive was at on a day, for --as-of-seq and --since.

JSON fields: runs (list of run, label, asked (null: not kept; what `chatvault sync --json` says), started, ended (null: no report), outcome, accounts, incomplete \
(accounts that are not complete), and the numbers of `chatvault sync \
--json`). With --run: the fields of `chatvault sync --json`. With --all: runs (list of run, label, started, commit \
(the last one), copies, stored, variants, duplicates, quarantined).";

/// List the runs of `sync`, or show one in full
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// Show this run in full
    #[arg(long, value_name = "NUMBER")]
    run: Option<u32>,
    /// List imports, too, and the last commit of each run
    #[arg(long, conflicts_with = "run")]
    all: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct List<'a> {
    runs: Vec<RunRow<'a>>,
}

#[derive(Serialize)]
struct RunRow<'a> {
    run: u32,
    label: &'a str,
    asked: Option<AskedFacts<'a>>,
    started: String,
    ended: Option<String>,
    outcome: Option<&'static str>,
    accounts: u64,
    incomplete: u64,
    #[serde(flatten)]
    tally: Work,
}

impl<'a> From<&'a SyncRun> for RunRow<'a> {
    fn from(run: &'a SyncRun) -> Self {
        Self {
            run: run.run,
            label: &run.label,
            asked: run.asked.as_ref().map(Into::into),
            started: time(run.started_ms),
            ended: run.ended_ms.map(time),
            outcome: run.outcome.map(outcome_name),
            accounts: run.accounts,
            incomplete: run.incomplete,
            tally: (&run.tally).into(),
        }
    }
}

const COLUMNS: &[Column] = &[
    Column::number("run", 5),
    Column::text("started", 16),
    Column::text("took", 12),
    Column::text("result", 9),
    Column::number("accounts", 8),
    Column::number("copies", 12),
    Column::number("new", 10),
    Column::number("objects", 9),
    Column::number("not had", 7),
    Column::number("quarantined", 11),
    Column::rest("what"),
];

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let archive = super::open_to_read(&arguments.archive)?;
    match arguments.run {
        Some(number) => one(&archive, number, arguments.json, console)?,
        None if arguments.all => every(&archive.runs()?, arguments.json, console)?,
        None => all(&sync::runs(&archive)?, arguments.json, console)?,
    }
    Ok(Outcome::Done)
}

fn one(
    archive: &Archive,
    number: u32,
    json: bool,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let Some(report) = sync::report(archive, number)? else {
        let runs = sync::runs(archive)?;
        if runs.iter().any(|run| run.run == number) {
            bail!("run {number} has no report: it is still going, or was killed");
        }
        return Err(WrongUsage(format!("there is no run {number} of sync")).into());
    };
    let accounts = sync::accounts(archive)?;
    let told = Told::new(&report, &accounts);
    if json { console.json(&told.as_json()) } else { told.print_all(console) }
}

fn all(runs: &[SyncRun], json: bool, console: &mut Console<'_>) -> anyhow::Result<()> {
    if json {
        return console.json(&List { runs: runs.iter().map(RunRow::from).collect() });
    }
    if runs.is_empty() {
        return Ok(console.line("no run of `chatvault sync` yet")?);
    }
    list(COLUMNS, runs.iter().map(row).collect(), console)
}

fn list(
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let mut listing = Listing::new(columns, console.width());
    for row in rows {
        console.lines(listing.push(row))?;
    }
    console.lines(Some(listing.lines()))
}

/// A run of any command.
#[derive(Serialize)]
struct Any<'a> {
    run: u32,
    label: &'a str,
    started: String,
    commit: String,
    #[serde(flatten)]
    counts: Copies,
}

impl<'a> From<&'a RunSummary> for Any<'a> {
    fn from(run: &'a RunSummary) -> Self {
        Self {
            run: run.run.0,
            label: &run.label,
            started: time(run.started.ms()),
            commit: run.last_commit.to_string(),
            counts: run.counts.into(),
        }
    }
}

const ANY: &[Column] = &[
    Column::number("run", 5),
    Column::text("started", 16),
    Column::text("last commit", 25),
    Column::number("copies", 12),
    Column::number("new", 10),
    Column::rest("what"),
];

fn every(runs: &[RunSummary], json: bool, console: &mut Console<'_>) -> anyhow::Result<()> {
    let with_copies = || runs.iter().rev().filter(|run| run.counts.offered > 0);
    if json {
        let runs: Vec<Any<'_>> = with_copies().map(Any::from).collect();
        return console.json(&serde_json::json!({ "runs": runs }));
    }
    let row = |run: &RunSummary| {
        vec![
            run.run.0.to_string(),
            minute(run.started.ms()),
            run.last_commit.to_string(),
            text::count(run.counts.offered),
            text::count(run.counts.stored),
            run.label.clone(),
        ]
    };
    list(ANY, with_copies().map(row).collect(), console)
}

fn row(run: &SyncRun) -> Vec<String> {
    let tally = &run.tally;
    let took = run.ended_ms.map(|ended| span(took_ms(run.started_ms, ended)));
    let mut row = vec![
        run.run.to_string(),
        minute(run.started_ms),
        took.unwrap_or_default(),
        run.outcome.map_or("no report", outcome_name).to_owned(),
    ];
    let counts = [
        run.accounts,
        tally.copies,
        tally.stored,
        tally.objects,
        tally.failures,
        tally.quarantined,
    ];
    row.extend(counts.map(text::count));
    let of = run.asked.as_ref().and_then(part).map(|part| format!(": {part}"));
    row.push(run.label.clone() + &of.unwrap_or_default());
    row
}

#[cfg(test)]
mod tests {
    use chatvault_ingest::sync::{Outcome as RunOutcome, Tally};

    use super::*;

    fn summary(ended_ms: Option<i64>) -> SyncRun {
        SyncRun {
            run: 12,
            label: "sync contoso.com".to_owned(),
            asked: None,
            started_ms: 1_772_438_400_000,
            ended_ms,
            outcome: ended_ms.map(|_| RunOutcome::Partial),
            tally: Tally { copies: 310_000, stored: 1_000, failures: 4, ..Tally::default() },
            accounts: 13,
            incomplete: 1,
        }
    }

    #[test]
    fn a_run_is_a_line() {
        let ended = row(&summary(Some(1_772_438_645_000)));
        assert_eq!(
            ended,
            [
                "12",
                "2026-03-02 08:00",
                "4 min 05 s",
                "partial",
                "13",
                "310,000",
                "1,000",
                "0",
                "4",
                "0",
                "sync contoso.com",
            ]
        );
        assert_eq!(row(&summary(None))[2..4], ["", "no report"], "killed");
        assert_eq!(ended.len(), COLUMNS.len());
    }

    #[test]
    fn programs_get_times_and_numbers() {
        let killed = summary(None);
        let value = serde_json::to_value(RunRow::from(&killed)).unwrap();
        assert_eq!((&value["run"], &value["copies"]), (&12.into(), &310_000.into()));
        assert_eq!(value["started"], "2026-03-02T08:00:00Z");
        assert!(value["ended"].is_null() && value["outcome"].is_null());
    }

    #[test]
    fn a_run_that_never_was_is_wrong_usage() {
        let host =
            chatvault_engine::Host::new(std::sync::Arc::new(chatvault_engine::Memory::default()));
        let archive = Archive::create(host, chatvault_engine::Options::default()).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::of_files(&mut out, &mut err);
        let error = one(&archive, 99, false, &mut console).unwrap_err();
        assert!(error.is::<WrongUsage>(), "{error}");
        all(&[], false, &mut console).unwrap();
        drop(console);
        assert!(out.starts_with(b"no run of `chatvault sync` yet"));
    }
}
