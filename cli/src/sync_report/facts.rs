//! A run of `sync` for programs: the fields that `--json` documents.

use chatvault_ingest::sync::{AccountReport, Outcome, Tally, Trouble};
use serde::Serialize;

use super::{AskedFacts, Told, outcome_name, time, took_ms};
use crate::text;

/// A run as `--json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct RunFacts<'a> {
    run: u32,
    asked: Option<AskedFacts<'a>>,
    finished: bool,
    started: String,
    ended: String,
    seconds: f64,
    copies_per_second: f64,
    complete: u64,
    partial: u64,
    failed: u64,
    stopped: u64,
    discovered: u64,
    inactive: u64,
    external: u64,
    missing: u64,
    #[serde(flatten)]
    total: Work,
    balanced: bool,
    troubles: Vec<TroubleFacts<'a>>,
    newly_quarantined: u64,
    gaps: &'a [String],
    notes: &'a [String],
    accounts: Vec<AccountFacts<'a>>,
}

/// An account's part of a run as `--json` shows it.
#[derive(Debug, Serialize)]
struct AccountFacts<'a> {
    account: &'a str,
    name: Option<&'a str>,
    outcome: &'static str,
    #[serde(flatten)]
    tally: Work,
    troubles: Vec<TroubleFacts<'a>>,
}

/// Why something could not be had, as `--json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct TroubleFacts<'a> {
    what: &'a str,
    reason: &'a str,
    advice: &'a str,
    known: bool,
}

impl<'a> From<&'a Trouble> for TroubleFacts<'a> {
    fn from(trouble: &'a Trouble) -> Self {
        let Trouble { what, reason, advice, known } = trouble;
        Self { what, reason, advice, known: *known }
    }
}

/// The numbers of a run as `--json` shows them.
#[derive(Debug, Serialize)]
pub(crate) struct Work {
    pages: u64,
    copies: u64,
    stored: u64,
    variants: u64,
    duplicates: u64,
    quarantined: u64,
    objects: u64,
    object_bytes: u64,
    failures: u64,
    known: u64,
    requests: u64,
    retries: u64,
    throttled_ms: u64,
}

impl From<&Tally> for Work {
    fn from(tally: &Tally) -> Self {
        Self {
            pages: tally.pages,
            copies: tally.copies,
            stored: tally.stored,
            variants: tally.variants,
            duplicates: tally.duplicates,
            quarantined: tally.quarantined,
            objects: tally.objects,
            object_bytes: tally.object_bytes,
            failures: tally.failures,
            known: tally.known,
            requests: tally.requests,
            retries: tally.retries,
            throttled_ms: tally.throttled_ms,
        }
    }
}

impl<'a> Told<'a> {
    /// What `--json` says.
    pub(crate) fn as_json(&self) -> RunFacts<'_> {
        let report = self.report;
        let took = took_ms(report.started_ms, report.ended_ms);
        RunFacts {
            run: report.run,
            asked: report.asked.as_ref().map(Into::into),
            finished: report.finished,
            started: time(report.started_ms),
            ended: time(report.ended_ms),
            seconds: text::ratio(took, 1_000),
            copies_per_second: text::ratio(report.total.copies.saturating_mul(1_000), took),
            complete: self.ended(Outcome::Complete),
            partial: self.ended(Outcome::Partial),
            failed: self.ended(Outcome::Failed),
            stopped: self.ended(Outcome::Stopped),
            discovered: report.discovered,
            inactive: report.inactive,
            external: report.external,
            missing: self.missing,
            total: (&report.total).into(),
            balanced: self.balances(),
            troubles: report.troubles.iter().map(Into::into).collect(),
            newly_quarantined: report.newly_quarantined,
            gaps: &report.gaps,
            notes: &report.notes,
            accounts: report
                .accounts
                .iter()
                .map(|(id, each)| self.account_facts(id, each))
                .collect(),
        }
    }

    fn account_facts(&self, custodian: &'a str, account: &'a AccountReport) -> AccountFacts<'a> {
        AccountFacts {
            account: custodian,
            name: self.names.get(custodian).copied(),
            outcome: outcome_name(account.outcome),
            tally: (&account.tally).into(),
            troubles: account.troubles.iter().map(Into::into).collect(),
        }
    }
}
