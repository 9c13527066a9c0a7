//! What a sync did: per account and in total. Kept in the archive as JSON.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use chatvault_engine::Counts;
use chatvault_graph::{Failure, FailureKind, Feed, Traffic};
use serde::{Deserialize, Serialize};

use super::Asked;

/// Troubles that are kept of one account; more are only counted.
const TROUBLES: usize = 20;

/// How it ended for an account, or for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// Everything that was asked for is in.
    Complete,
    /// Stopped before its end; the next run goes on there.
    Stopped,
    /// Some of it is in; the troubles say what is not.
    Partial,
    /// Nothing could be had.
    Failed,
}

/// Sums of a run or of one account in it.
///
/// `copies = stored + variants + duplicates + quarantined`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Pages that came in.
    pub pages: u64,
    /// Copies in them.
    pub copies: u64,
    /// New versions.
    pub stored: u64,
    /// New variants of known versions.
    pub variants: u64,
    /// Copies of what was there.
    pub duplicates: u64,
    /// Copies that cannot be keyed.
    pub quarantined: u64,
    /// Binary contents that were fetched and linked.
    pub objects: u64,
    /// Bytes of them.
    pub object_bytes: u64,
    /// Feeds, windows and contents that could not be had.
    pub failures: u64,
    /// Those of them that an earlier run has told, or that nobody has a licence for.
    pub known: u64,
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests that were sent once more.
    pub retries: u64,
    /// Milliseconds spent waiting because the service said so.
    pub throttled_ms: u64,
}

impl Tally {
    /// Did every copy end somewhere?
    pub fn balances(&self) -> bool {
        self.copies == self.stored + self.variants + self.duplicates + self.quarantined
    }

    pub(crate) fn count(&mut self, counts: Counts) {
        self.copies += counts.offered;
        self.stored += counts.stored;
        self.variants += counts.variants;
        self.duplicates += counts.duplicates;
        self.quarantined += counts.quarantined;
    }

    pub(crate) fn spend(&mut self, traffic: Traffic) {
        self.requests += traffic.requests;
        self.retries += traffic.retries;
        self.throttled_ms += traffic.throttled_ms;
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.pages += other.pages;
        self.copies += other.copies;
        self.stored += other.stored;
        self.variants += other.variants;
        self.duplicates += other.duplicates;
        self.quarantined += other.quarantined;
        self.objects += other.objects;
        self.object_bytes += other.object_bytes;
        self.failures += other.failures;
        self.known += other.known;
        self.requests += other.requests;
        self.retries += other.retries;
        self.throttled_ms += other.throttled_ms;
    }
}

/// Something that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What: a feed's name, or a content's.
    pub what: String,
    /// Why, on one line.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
    /// An earlier run has told it, or there is no licence for it.
    #[serde(default)]
    pub known: bool,
}

impl Trouble {
    pub(crate) fn new(what: impl Into<String>, failure: &Failure) -> Self {
        let (reason, advice) = (failure.to_string(), failure.kind.advice().to_owned());
        let known = failure.kind == FailureKind::Licence;
        Self { what: what.into(), reason, advice, known }
    }
}

/// One account in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// How it ended.
    pub outcome: Outcome,
    /// Its sums.
    pub tally: Tally,
    /// The first twenty things that could not be had.
    pub troubles: Vec<Trouble>,
    /// Feeds that were read from the start, since it was not known what their positions were of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begun_anew: Vec<Feed>,
}

impl Default for AccountReport {
    fn default() -> Self {
        Self {
            outcome: Outcome::Complete,
            tally: Tally::default(),
            troubles: Vec::new(),
            begun_anew: Vec::new(),
        }
    }
}

impl AccountReport {
    /// Counts a trouble, and keeps it if there are not too many.
    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        self.tally.failures += 1;
        self.tally.known += u64::from(trouble.known);
        self.worsen(Outcome::Partial);
        if self.troubles.len() < TROUBLES {
            self.troubles.push(trouble);
        }
    }

    /// Takes the worse of two outcomes.
    pub(crate) fn worsen(&mut self, outcome: Outcome) {
        self.outcome = self.outcome.max(outcome);
    }
}

/// A run of `sync`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// The run that everything was counted under.
    pub run: u32,
    /// What it was asked for; `None`: an earlier version did not keep it.
    #[serde(default)]
    pub asked: Option<Asked>,
    /// False: it was stopped before its end.
    pub finished: bool,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: i64,
    /// Every account that had its turn, by custodian.
    pub accounts: BTreeMap<String, AccountReport>,
    /// All of it together, the directory's requests too.
    pub total: Tally,
    /// What concerns more than one account, such as a permission that is missing.
    pub troubles: Vec<Trouble>,
    /// Accounts that the directory named for the first time.
    pub discovered: u64,
    /// Accounts that are not active, so nothing was asked for them.
    pub inactive: u64,
    /// Pictures and files that messages name and that are not the service's to give: other sites'.
    #[serde(default)]
    pub external: u64,
    /// Of the copies that went to quarantine, those that were not there before.
    #[serde(default)]
    pub newly_quarantined: u64,
    /// What the service does not export at all, of what was asked for.
    #[serde(default)]
    pub gaps: Vec<String>,
    /// What to know besides: nothing of it is a failure.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl SyncReport {
    /// How much is missing, unreadable or in quarantine that no earlier run has told.
    pub fn news(&self) -> u64 {
        let failures = self.total.failures.saturating_sub(self.total.known);
        failures + self.newly_quarantined + self.troubles.len() as u64
    }

    /// The run as a whole: as good as the worst of it, and failed only if nothing came of it.
    pub fn outcome(&self) -> Outcome {
        let worst = self.accounts.values().map(|account| account.outcome).max();
        let all_failed = self.accounts.values().all(|account| account.outcome == Outcome::Failed);
        match worst {
            _ if !self.finished => Outcome::Stopped,
            Some(Outcome::Failed) if all_failed => Outcome::Failed,
            Some(Outcome::Partial | Outcome::Failed | Outcome::Stopped) => Outcome::Partial,
            _ if !self.troubles.is_empty() => Outcome::Partial,
            _ => Outcome::Complete,
        }
    }
}

/// A run as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRun {
    /// Its number.
    pub run: u32,
    /// What it was called.
    pub label: String,
    /// What it was asked for; `None`: it was killed, or an earlier version did not keep it.
    #[serde(default)]
    pub asked: Option<Asked>,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended; `None`: it was killed, or goes on in another process.
    pub ended_ms: Option<i64>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Its sums; of a run that was killed only the copies.
    pub tally: Tally,
    /// Accounts that had their turn.
    pub accounts: u64,
    /// Accounts that are not complete.
    pub incomplete: u64,
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Complete, Failed, Partial, Stopped};
    use super::*;

    #[test]
    fn a_run_is_as_good_as_its_worst_account() {
        let report = |outcomes: &[Outcome]| {
            let account = |(n, outcome): (usize, &Outcome)| {
                (n.to_string(), AccountReport { outcome: *outcome, ..AccountReport::default() })
            };
            SyncReport {
                run: 1,
                finished: true,
                started_ms: 0,
                ended_ms: 0,
                accounts: outcomes.iter().enumerate().map(account).collect(),
                total: Tally::default(),
                troubles: Vec::new(),
                discovered: 0,
                inactive: 0,
                external: 0,
                asked: None,
                notes: Vec::new(),
                gaps: Vec::new(),
                newly_quarantined: 0,
            }
        };
        let cases: [(&[Outcome], Outcome); 5] = [
            (&[], Complete),
            (&[Complete, Complete], Complete),
            (&[Complete, Partial], Partial),
            (&[Complete, Failed], Partial),
            (&[Failed, Failed], Failed),
        ];
        for (outcomes, expected) in cases {
            assert_eq!(report(outcomes).outcome(), expected, "{outcomes:?}");
        }
        let stopped = SyncReport { finished: false, ..report(&[Failed]) };
        assert_eq!(stopped.outcome(), Stopped);
    }

    #[test]
    fn troubles_are_all_counted_and_the_first_are_kept() {
        let mut account = AccountReport::default();
        for number in 0..30 {
            let what = number.to_string();
            let known = number >= 20;
            account.trouble(Trouble { what, reason: "r".into(), advice: "a".into(), known });
        }
        assert_eq!((account.tally.failures, account.troubles.len()), (30, TROUBLES));
        assert_eq!(account.tally.known, 10);
        assert_eq!(account.outcome, Partial);
    }
}
