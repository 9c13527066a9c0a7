//! A fake tenant, an archive that is kept up to date with it, and what the archive should hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use chatvault_engine::{Archive, Clock, Memory, RecordKind, Scan, Storage, Versions};
use chatvault_fake_graph::{
    Behaviour, CLIENT_ID, DAY_MS, FakeGraph, Feed as Shown, Ms, SECRET, Setup, Sighting, Source,
    Tenant,
};
use chatvault_ingest::graph::{App, Cloud, Credential, Feed, Limits, Secret};
use chatvault_ingest::sync::{self, Service, SyncError, SyncOptions, SyncReport, Which};
use chatvault_support::SteppingClock;
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::{host, small};

/// An hour of the tenant's time.
pub(super) const HOUR_MS: Ms = 3_600_000;

/// A row as it is compared: its custodians by the canonical text of its document.
pub(super) type Holdings = BTreeMap<String, BTreeSet<String>>;

/// A tenant behind a fake service, at a time.
#[derive(Debug)]
pub(super) struct World {
    pub(super) tenant: Arc<Tenant>,
    pub(super) fake: FakeGraph,
    pub(super) clock: Arc<SteppingClock>,
    pub(super) setup: Setup,
    spool: TempDir,
}

/// Limits that a test has the time for.
pub(super) fn unlimited() -> Limits {
    let none = f64::INFINITY;
    Limits {
        export_per_second: none,
        app_per_second: none,
        hosted_per_second: none,
        copilot_per_second: none,
        other_per_second: none,
        chat_per_second: none,
        backoff: Duration::from_millis(2),
        ..Limits::default()
    }
}

/// Every feed that reads windows.
pub(super) fn windowed() -> Vec<Feed> {
    Feed::ALL.into_iter().filter(|feed| feed.windowed()).collect()
}

pub(super) fn empty_archive() -> Archive {
    let storage: Arc<dyn Storage> = Arc::new(Memory::default());
    Archive::create(host(&storage), small()).unwrap()
}

impl World {
    pub(super) fn new(setup: Setup, behaviour: Behaviour) -> Self {
        let tenant = Arc::new(Tenant::new(&setup));
        let fake = FakeGraph::start(Source::Tenant(Arc::clone(&tenant)), behaviour).unwrap();
        let clock = Arc::new(SteppingClock::new(setup.seed));
        let world = Self { tenant, fake, clock, setup, spool: tempfile::tempdir().unwrap() };
        world.set_day(0);
        world
    }

    /// Moves to the morning of a day of the tenant's life.
    pub(super) fn set_day(&self, day: u32) {
        self.set_now(self.setup.from + i64::from(day) * DAY_MS + 7 * HOUR_MS);
    }

    pub(super) fn set_now(&self, now: Ms) {
        self.clock.set_ms(now);
        self.fake.set_now(Some(now));
    }

    pub(super) fn now(&self) -> Ms {
        self.fake.now()
    }

    pub(super) fn app(&self) -> App {
        App {
            tenant: self.fake.tenant_id(),
            client_id: CLIENT_ID.to_owned(),
            credential: Arc::new(Credential::Secret(Secret::new(SECRET.to_owned()))),
            cloud: Cloud::custom(&self.fake.origin(), &self.fake.origin()).unwrap(),
        }
    }

    pub(super) fn service(&self) -> Service {
        let clock: Arc<dyn Clock> = Arc::<SteppingClock>::clone(&self.clock);
        Service { limits: unlimited(), clock, ..Service::new(self.app()) }
    }

    /// From the first day of the tenant's life on, without contents and without the directory's records.
    pub(super) fn options(&self) -> SyncOptions {
        let mut options = SyncOptions::new(self.spool.path());
        options.start = chatvault_engine::Timestamp::from_ms(self.setup.from);
        options.directory = false;
        options.content = sync::Content { hosted: false, files: false, meetings: false };
        options
    }

    /// An archive whose accounts are all known and active.
    pub(super) fn archive_of_all(&self) -> Archive {
        let archive = empty_archive();
        let first = self.sync(&archive, &self.options());
        assert!(first.accounts.is_empty() && first.inactive > 0, "nothing without being asked");
        drop(sync::activate(&archive, &Which::All, true).unwrap());
        archive
    }

    pub(super) fn try_sync(
        &self,
        archive: &Archive,
        options: &SyncOptions,
    ) -> Result<SyncReport, SyncError> {
        sync::sync(archive, &self.service(), options, &mut |_| ControlFlow::Continue(()))
    }

    /// A run that must come to its end, with a report that balances.
    pub(super) fn sync(&self, archive: &Archive, options: &SyncOptions) -> SyncReport {
        let report = self.try_sync(archive, options).unwrap();
        assert!(report.finished, "{report:?}");
        assert_balances(&report);
        report
    }

    /// What some export has shown by now, as the feeds show it.
    pub(super) fn truth(&self, feeds: &[Feed]) -> Holdings {
        self.shown(feeds, |_, _| true)
    }

    /// What one run reads that starts now.
    pub(super) fn visible(&self, feeds: &[Feed]) -> Holdings {
        let (now, settled) = (self.now(), self.now() - 5 * 60 * 1000);
        self.shown(feeds, |modified, sighting| {
            let lasts = sighting.until.is_none_or(|until| now < until);
            modified < settled && sighting.from <= now && lasts
        })
    }

    fn shown(&self, feeds: &[Feed], counts: impl Fn(Ms, &Sighting) -> bool) -> Holdings {
        let mut all = Holdings::new();
        let shown = shown_by(feeds);
        for truth in self.tenant.truth(self.now(), &self.fake.origin()) {
            let asked = |sighting: &&Sighting| {
                shown.contains(&sighting.feed) && counts(truth.modified, sighting)
            };
            let seen = truth.sightings.iter().filter(asked);
            let custodians: BTreeSet<String> = seen.map(|seen| seen.custodian.clone()).collect();
            if !custodians.is_empty() {
                all.entry(canonical(truth.json.as_bytes())).or_default().extend(custodians);
            }
        }
        all
    }
}

/// Which of the fake's collections feeds read.
fn shown_by(feeds: &[Feed]) -> Vec<Shown> {
    let shown = |feed: &Feed| match feed {
        Feed::RetainedChats | Feed::RetainedChannels => Shown::Retained,
        Feed::Targeted => Shown::Targeted,
        Feed::Recordings | Feed::RecordingsDelta => Shown::Recordings,
        Feed::Transcripts | Feed::TranscriptsDelta => Shown::Transcripts,
        Feed::AdhocRecordings => Shown::AdhocRecordings,
        Feed::AdhocTranscripts => Shown::AdhocTranscripts,
        Feed::Copilot => Shown::Copilot,
        _ => Shown::Current,
    };
    feeds.iter().map(shown).collect()
}

/// The same text for the same document, however it is spelled.
pub(super) fn canonical(json: &[u8]) -> String {
    let value: Value = serde_json::from_slice(json).unwrap();
    value.to_string()
}

/// Everything that an archive holds.
pub(super) fn holdings(archive: &Archive) -> Holdings {
    let snapshot = archive.snapshot().unwrap();
    let mut all = Holdings::new();
    for record in [
        RecordKind::Message,
        RecordKind::CopilotInteraction,
        RecordKind::CallRecording,
        RecordKind::CallTranscript,
    ] {
        let scan = Scan { record, versions: Versions::EveryVariant, ..Scan::default() };
        let mut rows = snapshot.scan(&scan).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let stored = row.to_stored().unwrap();
            let custodians = stored.sightings.iter().map(|one| one.custodian.to_string());
            all.entry(canonical(&stored.json)).or_default().extend(custodians);
        }
    }
    all
}

/// Says what is missing or too much in words that can be read.
pub(super) fn assert_holds(archive: &Archive, expected: &Holdings) {
    let held = holdings(archive);
    let lost: Vec<_> = expected.keys().filter(|row| !held.contains_key(*row)).collect();
    let strange: Vec<_> = held.keys().filter(|row| !expected.contains_key(*row)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} rows are not there: {:.2000}",
        lost.len(),
        expected.len(),
        lost[0]
    );
    assert!(strange.is_empty(), "{} rows never existed: {:.2000}", strange.len(), strange[0]);
    for (row, custodians) in expected {
        assert_eq!(&held[row], custodians, "whose exports showed {row:.2000}");
    }
}

/// Everybody who has a mailbox is complete; the service does not know the others.
pub(super) fn assert_complete(report: &SyncReport) {
    for (custodian, account) in &report.accounts {
        let unknown = |trouble: &sync::Trouble| trouble.reason.contains("not found");
        let complete = account.outcome == sync::Outcome::Complete;
        let has_no_mailbox = !account.troubles.is_empty() && account.troubles.iter().all(unknown);
        assert!(complete || has_no_mailbox, "{custodian}: {account:?}");
    }
    assert!(report.finished && report.troubles.is_empty(), "{report:?}");
}

pub(super) fn assert_balances(report: &SyncReport) {
    let mut sum = sync::Tally::default();
    for (custodian, account) in &report.accounts {
        assert!(account.tally.balances(), "{custodian}: {account:?}");
        sum += account.tally;
    }
    assert!(report.total.balances(), "{:?}", report.total);
    assert_eq!((sum.pages, sum.copies), (report.total.pages, report.total.copies));
    assert!(sum.requests <= report.total.requests, "the directory's come on top");
}
