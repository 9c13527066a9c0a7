//! A run of `sync` as it is told: lines for people, and in `facts` what programs get.

mod asked;
mod facts;
mod full;

use std::collections::{BTreeMap, BTreeSet};

use chatvault_engine::Timestamp;
use chatvault_ingest::sync::{Account, AccountReport, Outcome, SyncReport, Tally, Trouble};
use chatvault_query::format_time;

pub(crate) use asked::{AskedFacts, day, first_day_ms, part};
pub(crate) use facts::{TroubleFacts, Work};

use crate::console::Console;
use crate::failure;
use crate::text;

/// Accounts with troubles that a report for people names; the rest is told on request.
const NAMED_ACCOUNTS: usize = 20;

/// How much of a trouble's two texts stands on an account's line.
const WHAT_CHARS: usize = 40;
const REASON_CHARS: usize = 180;

/// A run's report with what the archive knows of its accounts.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    report: &'a SyncReport,
    names: BTreeMap<&'a str, &'a str>,
    missing: u64,
}

impl<'a> Told<'a> {
    pub(crate) fn new(report: &'a SyncReport, accounts: &'a [Account]) -> Self {
        let name = |account: &'a Account| Some((account.custodian.as_str(), name(account)?));
        let names = accounts.iter().filter_map(name).collect();
        let missing = accounts.iter().map(|account| account.missing).sum();
        Self { report, names, missing }
    }

    /// Contents that the archive lacks, of this and all runs before.
    pub(crate) fn missing(&self) -> u64 {
        self.missing
    }

    /// How the command that made this run ended.
    pub(crate) fn outcome(&self) -> failure::Outcome {
        match self.report.outcome() {
            Outcome::Stopped | Outcome::Failed => failure::Outcome::Failed,
            _ if self.report.news() == 0 => failure::Outcome::Done,
            _ => failure::Outcome::Incomplete,
        }
    }

    /// Does [`Told::print`] leave something out?
    pub(crate) fn has_more_than_printed(&self) -> bool {
        let has_more = |(_, account): (&str, &AccountReport)| {
            account.troubles.len() > 1 || account.troubles.iter().any(is_cut)
        };
        self.troubled().count() > NAMED_ACCOUNTS || self.troubled().any(has_more)
    }

    /// The report of a run that just ended: numbers, then the accounts that are not complete.
    pub(crate) fn print(&self, console: &mut Console<'_>) -> anyhow::Result<()> {
        for line in self.lines() {
            console.line(line)?;
        }
        self.print_troubles(console)
    }

    fn lines(&self) -> Vec<String> {
        let SyncReport { run, total, started_ms, ended_ms, .. } = self.report;
        let took = took_ms(*started_ms, *ended_ms);
        let speed = format!("{}, {} copies/s", span(took), text::count(speed(total.copies, took)));
        let objects =
            format!("{} ({})", text::count(total.objects), text::size(total.object_bytes));
        let mut rows = vec![
            (
                "run",
                format!("{run}, {}", if self.report.finished { "finished" } else { "stopped" }),
            ),
            ("accounts", self.accounts()),
            ("pages", text::count(total.pages)),
            ("copies delivered", text::count(total.copies)),
            ("  new versions", text::count(total.stored)),
            ("  new variants", text::count(total.variants)),
            ("  duplicates", text::count(total.duplicates)),
            ("  quarantined", text::count(total.quarantined)),
            ("objects", objects),
            ("  not to be had", not_had(total)),
            ("requests", requests(total)),
            ("time", speed),
        ];
        if self.missing > 0 {
            rows.insert(10, ("  missing in all", text::count(self.missing)));
        }
        rows.extend(self.report.gaps.iter().map(|gap| ("known gap", gap.clone())));
        rows.extend(self.report.notes.iter().map(|note| ("note", note.clone())));
        if let Some(asked) = &self.report.asked {
            rows.insert(1, ("asked for", asked::in_words(asked)));
        }
        text::aligned(&rows)
    }

    /// `13: 11 complete, 2 failed; 4 new, 20 inactive`.
    fn accounts(&self) -> String {
        let accounts = &self.report.accounts;
        let ways = [Outcome::Complete, Outcome::Partial, Outcome::Failed, Outcome::Stopped];
        let ended = ways.into_iter().map(|way| (self.ended(way), outcome_name(way)));
        let also = [(self.report.discovered, "new"), (self.report.inactive, "inactive")];
        let part = |(number, name): (u64, &str)| format!("{} {name}", text::count(number));
        let join = |parts: &mut dyn Iterator<Item = (u64, &str)>| {
            let parts: Vec<String> = parts.filter(|(number, _)| *number > 0).map(part).collect();
            parts.join(", ")
        };
        let (ended, also) = (join(&mut ended.into_iter()), join(&mut also.into_iter()));
        let number = text::count(u64::try_from(accounts.len()).unwrap_or(u64::MAX));
        match (ended.as_str(), also.as_str()) {
            ("", "") => number,
            (ended, "") => format!("{number}: {ended}"),
            ("", also) => format!("{number}; {also}"),
            (ended, also) => format!("{number}: {ended}; {also}"),
        }
    }

    fn ended(&self, outcome: Outcome) -> u64 {
        let accounts = self.report.accounts.values();
        accounts.map(|account| u64::from(account.outcome == outcome)).sum()
    }

    /// Are all copies accounted for, in total and for each account?
    fn balances(&self) -> bool {
        let accounts = self.report.accounts.values();
        self.report.total.balances() && accounts.into_iter().all(|each| each.tally.balances())
    }

    fn troubled(&self) -> impl Iterator<Item = (&'a str, &'a AccountReport)> {
        let accounts = self.report.accounts.iter();
        let accounts = accounts.map(|(custodian, account)| (custodian.as_str(), account));
        accounts.filter(|(_, account)| {
            account.outcome != Outcome::Complete || !account.troubles.is_empty()
        })
    }

    /// A line for each trouble of the whole run, one for each account, and then what to do.
    fn print_troubles(&self, console: &mut Console<'_>) -> anyhow::Result<()> {
        let mut advice = BTreeSet::new();
        for trouble in &self.report.troubles {
            console.line(format!("failed: {}: {}", trouble.what, trouble.reason))?;
            let _ = advice.insert(trouble.advice.as_str());
        }
        for (custodian, account) in self.troubled().take(NAMED_ACCOUNTS) {
            console.line(self.account_line(custodian, account))?;
            advice.extend(account.troubles.iter().map(|trouble| trouble.advice.as_str()));
        }
        print_advice(advice, console)
    }

    fn account_line(&self, custodian: &str, account: &AccountReport) -> String {
        let name = self.names.get(custodian).map(|name| format!(" ({name})")).unwrap_or_default();
        let outcome = outcome_name(account.outcome);
        let why = match account.troubles.as_slice() {
            [] => String::new(),
            [first] => format!(": {}", in_short(first)),
            [first, more @ ..] => {
                let more = text::count(u64::try_from(more.len()).unwrap_or(u64::MAX));
                format!(": {} (and {more} more)", in_short(first))
            }
        };
        format!("{outcome}: {custodian}{name}{why}")
    }
}

/// A trouble on one line. What is cut are the long ids in the middle of what was asked; what
/// happened and by which id support finds it are at the ends.
fn in_short(trouble: &Trouble) -> String {
    let what = text::middle_cut(&trouble.what, WHAT_CHARS);
    format!("{what}: {}", text::middle_cut(&trouble.reason, REASON_CHARS))
}

fn is_cut(trouble: &Trouble) -> bool {
    let is_longer = |text: &str, most: usize| text.chars().count() > most;
    is_longer(&trouble.what, WHAT_CHARS) || is_longer(&trouble.reason, REASON_CHARS)
}

/// What to do, once each.
fn print_advice(advice: BTreeSet<&str>, console: &mut Console<'_>) -> anyhow::Result<()> {
    for advice in advice.into_iter().filter(|advice| !advice.is_empty()) {
        console.line(format!("  to do: {advice}"))?;
    }
    Ok(())
}

/// What people call an account: its name, or else its address.
pub(crate) fn name(account: &Account) -> Option<&str> {
    account.name.as_deref().or(account.address.as_deref())
}

/// The word for an outcome.
pub(crate) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Partial => "partial",
        Outcome::Failed => "failed",
        Outcome::Stopped => "stopped",
        _ => "other",
    }
}

/// A time for programs.
pub(crate) fn time(ms: i64) -> String {
    format_time(Timestamp::from_ms(ms))
}

/// A time for tables: `2026-03-02 08:00`.
pub(crate) fn minute(ms: i64) -> String {
    time(ms).chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// How long it took, in milliseconds; nothing if a clock went back.
pub(crate) fn took_ms(started_ms: i64, ended_ms: i64) -> u64 {
    u64::try_from(ended_ms.saturating_sub(started_ms)).unwrap_or(0)
}

/// A length of time in the unit that fits: `12.3 s`, `4 min 05 s`, `7 h 30 min`.
pub(crate) fn span(ms: u64) -> String {
    let (seconds, tenths) = (ms / 1_000, ms % 1_000 / 100);
    match seconds {
        0..100 => format!("{seconds}.{tenths} s"),
        100..6_000 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// `5, 3 of them known`.
fn not_had(total: &Tally) -> String {
    let known = match total.known {
        0 => String::new(),
        known => format!(", {} of them known before", text::count(known)),
    };
    format!("{}{known}", text::count(total.failures))
}

fn speed(copies: u64, ms: u64) -> u64 {
    let speed = u128::from(copies) * 1_000 / u128::from(ms.max(1));
    u64::try_from(speed).unwrap_or(u64::MAX)
}

fn requests(total: &Tally) -> String {
    let again = match total.retries {
        0 => String::new(),
        retries => format!(", {} of them again", text::count(retries)),
    };
    let throttled = match total.throttled_ms {
        0 => String::new(),
        ms => format!("; throttled for {}", span(ms)),
    };
    format!("{}{again}{throttled}", text::count(total.requests))
}

#[cfg(test)]
pub(crate) mod tests;
