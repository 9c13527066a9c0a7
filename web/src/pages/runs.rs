//! `/a/{org}/runs`: what ran, how it ended, and the report of each.

use std::collections::BTreeSet;

use askama::Template;
use axum::response::Response;
use chatvault_engine::RunSummary;
use chatvault_ingest::sync::{self, Outcome, SyncRun};

use crate::call::{Call, page};
use crate::failure::{Failure, Result};
use crate::frame::Frame;
use crate::text::{When, count, size, span};

/// Runs of a page, and accounts of a report.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "runs.html")]
struct View {
    frame: Frame,
    link: String,
    rows: Vec<Row>,
    others: Vec<Other>,
    is_reading: bool,
    problem: Option<String>,
}

struct Row {
    run: u32,
    label: String,
    started: When,
    took: String,
    class: &'static str,
    outcome: &'static str,
    accounts: String,
    copies: String,
    stored: String,
    objects: String,
    failures: String,
}

/// An import, or any other command.
struct Other {
    run: u32,
    label: String,
    started: When,
    copies: String,
    stored: String,
}

/// How an outcome looks and what it is called.
pub(crate) fn outcome(outcome: Option<Outcome>) -> (&'static str, &'static str) {
    match outcome {
        Some(Outcome::Complete) => ("good", "Complete"),
        Some(Outcome::Partial) => ("warn", "Partial"),
        Some(Outcome::Stopped) => ("warn", "Stopped"),
        Some(_) => ("bad", "Failed"),
        None => ("idle", "No report"),
    }
}

/// `GET /a/{org}/runs`, the latest first.
pub(crate) fn list(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let archive = org.reader()?;
    let synced = sync::runs(&archive)?;
    let of_syncs: BTreeSet<u32> = synced.iter().map(|one| one.run).collect();
    let read = org.runs()?;
    let (runs, problem) = match read.as_ref().map(|read| read.read.as_ref()) {
        None => (&[][..], None),
        Some(Ok(runs)) => (runs.as_slice(), None),
        Some(Err(failure)) => (&[][..], Some(failure.line.clone())),
    };
    let is_other = |run: &&RunSummary| run.counts.offered > 0 && !of_syncs.contains(&run.run.0);
    let others = runs.iter().rev().filter(is_other);
    let other = |run: &RunSummary| Other {
        run: run.run.0,
        label: run.label.clone(),
        started: When::new(call.zone, run.started),
        copies: count(run.counts.offered),
        stored: count(run.counts.stored),
    };
    let frame = call.frame("Runs", &org, "runs");
    let is_reading = read.is_none();
    page(&View {
        frame: Frame { refresh: is_reading.then_some(1), ..frame },
        link: org.link(),
        is_reading,
        problem,
        others: others.take(ROWS).map(other).collect(),
        rows: synced.iter().take(ROWS).map(|run| row(call, run)).collect(),
    })
}

fn row(call: &Call, run: &SyncRun) -> Row {
    let (class, outcome) = outcome(run.outcome);
    let took = run.ended_ms.map(|ended| u64::try_from(ended - run.started_ms).unwrap_or_default());
    Row {
        run: run.run,
        label: run.label.clone(),
        started: When::of_ms(call.zone, run.started_ms),
        took: took.map(|ms| span(ms / 1_000)).unwrap_or_default(),
        class,
        outcome,
        accounts: count(run.accounts),
        copies: count(run.tally.copies),
        stored: count(run.tally.stored),
        objects: count(run.tally.objects),
        failures: count(run.tally.failures),
    }
}

#[derive(Template)]
#[template(path = "run.html")]
struct Report {
    frame: Frame,
    run: u32,
    class: &'static str,
    outcome: &'static str,
    started: When,
    ended: When,
    facts: Vec<(&'static str, String)>,
    troubles: Vec<(String, String, String)>,
    notes: Vec<String>,
    gaps: Vec<String>,
    accounts: Vec<Turn>,
    more: usize,
}

struct Turn {
    who: String,
    class: &'static str,
    outcome: &'static str,
    copies: String,
    stored: String,
    troubles: Vec<String>,
}

/// `GET /a/{org}/runs/{run}`.
pub(crate) fn one(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let archive = org.reader()?;
    let number: u32 = call.step("run").parse().map_err(|_wrong| Failure::missing("run"))?;
    let missing = || Failure::missing("report of this run: it is still going, or was killed");
    let report = sync::report(&archive, number)?.ok_or_else(missing)?;
    let accounts = sync::accounts(&archive)?;
    let name = |id: &str| {
        let known = accounts.iter().find(|one| one.custodian.as_str() == id);
        known.and_then(|one| one.name.clone().or(one.address.clone())).unwrap_or(id.to_owned())
    };
    let (class, word) = outcome(Some(report.outcome()));
    let total = &report.total;
    let facts = vec![
        ("Pages", count(total.pages)),
        ("Copies", count(total.copies)),
        ("New versions", count(total.stored)),
        ("Not stored again", count(total.duplicates)),
        ("In quarantine", count(total.quarantined)),
        ("Files and pictures", format!("{}, {}", count(total.objects), size(total.object_bytes))),
        ("Could not be had", count(total.failures)),
        ("Requests", count(total.requests)),
        ("Waited because the service asked", span(total.throttled_ms / 1_000)),
    ];
    let more = report.accounts.len().saturating_sub(ROWS);
    let mut turns: Vec<_> = report.accounts.iter().collect();
    turns.sort_by_key(|(_, account)| std::cmp::Reverse(account.outcome));
    let turn = |(id, account): (&String, &sync::AccountReport)| {
        let (class, outcome) = outcome(Some(account.outcome));
        let trouble =
            |one: &sync::Trouble| format!("{}: {} — {}", one.what, one.reason, one.advice);
        Turn {
            who: name(id),
            class,
            outcome,
            copies: count(account.tally.copies),
            stored: count(account.tally.stored),
            troubles: account.troubles.iter().map(trouble).collect(),
        }
    };
    let trouble = |one: &sync::Trouble| (one.what.clone(), one.reason.clone(), one.advice.clone());
    page(&Report {
        frame: call.frame(&format!("Run {number}"), &org, "runs"),
        run: number,
        class,
        outcome: word,
        started: When::of_ms(call.zone, report.started_ms),
        ended: When::of_ms(call.zone, report.ended_ms),
        facts,
        troubles: report.troubles.iter().map(trouble).collect(),
        notes: report.notes.clone(),
        gaps: report.gaps.clone(),
        accounts: turns.into_iter().take(ROWS).map(turn).collect(),
        more,
    })
}
