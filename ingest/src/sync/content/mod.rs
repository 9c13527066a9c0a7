//! Hosted contents, attached files, recordings and transcripts: fetched at ingest, stored as objects,
//! linked to their message.
//!
//! No queue is stored. What is to be done follows from the archive: the rows that arrived since the
//! last pass (`positions`, `walk`) name contents (`references`); what is linked is done; what could
//! not be had is remembered (`missing`) and tried again by later runs. A pass that is killed is
//! repeated, and finds that most is linked.
//!
//! Invariants: memory does not grow with a conversation, a content or the archive; a position moves
//! only over rows whose contents are linked or recorded as missing; nothing is asked for twice in a
//! run that the service refused for good.

mod commit;
mod fetch;
mod flights;
mod gates;
mod lenient;
mod missing;
mod pass;
mod positions;
mod references;
mod spool;
#[cfg(test)]
mod tests;
mod walk;
mod why;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatvault_engine::{Archive, Clock, Custodian, MessageKey, RunId};
use chatvault_graph::{Client, Failure, Meter, Traffic};
use tokio::sync::watch;

use crate::sync::{SyncError, Trouble};
use flights::Flights;
use gates::Gates;
use spool::Spool;

pub(crate) use fetch::REFUSED_FILES;
pub(crate) use missing::missing_counts;
pub use missing::{Missing, missing};
pub(crate) use pass::Pass;
pub(crate) use positions::forget;
pub(crate) use references::{Kind, first_file};
pub use why::Why;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Failures of a custodian that are told; more are only counted.
const TROUBLES: usize = 20;

/// What a run says about its contents.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) archive: Archive,
    pub(crate) client: Arc<Client>,
    pub(crate) run: RunId,
    /// What is fetched; the rest catches up when it is switched on.
    pub(crate) kinds: Vec<Kind>,
    /// Teams that were deleted, by id: what they had is somewhere else.
    pub(crate) deleted_teams: HashSet<String>,
    /// How long what could not be had is tried again.
    pub(crate) content_days: u32,
    /// Unfinished downloads; made when it is needed.
    pub(crate) spool: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    /// True: stop soon.
    pub(crate) stop: watch::Receiver<bool>,
}

/// The contents of one run.
#[derive(Debug)]
pub(crate) struct Contents {
    settings: Settings,
    spool: Spool,
    flights: Flights,
    gates: Gates,
    tallies: Mutex<BTreeMap<Custodian, Arc<Tally>>>,
    /// Of all custodians.
    total: Tally,
    external: AtomicU64,
    tried_again: AtomicBool,
}

/// Counters of one custodian's messages.
#[derive(Debug, Default)]
struct Tally {
    meter: Meter,
    objects: AtomicU64,
    object_bytes: AtomicU64,
    failures: AtomicU64,
    known: AtomicU64,
    /// The first ones.
    troubles: Mutex<Vec<Trouble>>,
}

/// What was done so far for one custodian's messages, or for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContentTally {
    /// Contents linked.
    pub(crate) objects: u64,
    /// Bytes downloaded for them.
    pub(crate) object_bytes: u64,
    /// Contents that could not be had.
    pub(crate) failures: u64,
    /// Contents that could not be had in earlier runs either; they are not among the failures.
    pub(crate) known: u64,
    /// The first of them.
    pub(crate) troubles: Vec<Trouble>,
    /// What was spent on a custodian; of all it is left out.
    pub(crate) traffic: Traffic,
}

/// A message that contents belong to.
#[derive(Debug)]
struct Item {
    key: MessageKey,
    /// Whose export delivered it: the first, if several did.
    custodian: Custodian,
    tally: Arc<Tally>,
}

impl Contents {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            spool: Spool::new(&settings.spool),
            settings,
            flights: Flights::default(),
            gates: Gates::default(),
            tallies: Mutex::default(),
            total: Tally::default(),
            external: AtomicU64::new(0),
            tried_again: AtomicBool::new(false),
        })
    }

    /// Fetches what the rows name that arrived since the last pass; the first pass of a run also
    /// tries again what earlier runs did not get. Call it until [`Pass::rows`] is 0.
    ///
    /// May be dropped at any moment: what is lost is the work of some seconds. `Service` when
    /// the credentials fail or nothing can be reached, `Local` when the spool folder cannot take
    /// more (its downloads stay), `Archive` when the archive cannot.
    pub(crate) async fn pass(self: &Arc<Self>) -> Result<Pass, SyncError> {
        pass::run(self).await
    }

    /// So far, of all custodians.
    pub(crate) fn total(&self) -> ContentTally {
        self.total.now()
    }

    /// So far, by custodian.
    pub(crate) fn tallies(&self) -> BTreeMap<Custodian, ContentTally> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter().map(|(custodian, tally)| (custodian.clone(), tally.now())).collect()
    }

    /// Things that rows name and that are not the service's: pictures of other sites and the like.
    pub(crate) fn external(&self) -> u64 {
        self.external.load(Ordering::Relaxed)
    }

    /// Kinds that this run stopped fetching, because all of it was refused; each with why.
    pub(crate) fn closed(&self) -> Vec<(Kind, Failure)> {
        self.gates.closed()
    }

    /// At the end of a run: removes unfinished downloads that nobody went on with for as long as
    /// contents are tried again.
    pub(crate) fn sweep(&self) -> Result<u64, SyncError> {
        let days = i64::from(self.settings.content_days);
        let before_ms = self.settings.clock.now().ms().saturating_sub(days * DAY_MS);
        self.spool.sweep(before_ms).map_err(|cause| self.local(cause))
    }

    /// What this run fetches and nothing has closed.
    fn open_kinds(&self) -> Vec<Kind> {
        let kinds = self.settings.kinds.iter();
        kinds.filter(|kind| !self.gates.is_closed(**kind)).copied().collect()
    }

    fn item(&self, key: MessageKey, custodian: Custodian) -> Item {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = Arc::clone(tallies.entry(custodian.clone()).or_default());
        Item { key, custodian, tally }
    }

    fn count_object(&self, tally: &Tally, bytes: u64) {
        for tally in [tally, &self.total] {
            let _ = tally.objects.fetch_add(1, Ordering::Relaxed);
            let _ = tally.object_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn count_failure(&self, tally: &Tally, trouble: Trouble) {
        for tally in [tally, &self.total] {
            let _ = tally.failures.fetch_add(1, Ordering::Relaxed);
        }
        let mut troubles = tally.troubles();
        if troubles.len() < TROUBLES {
            troubles.push(trouble);
        }
    }

    /// What an earlier run has told is counted, and not told again.
    fn count_known(&self, tally: &Tally) {
        for tally in [tally, &self.total] {
            let _ = tally.known.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count_external(&self, more: u64) {
        let _ = self.external.fetch_add(more, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        *self.settings.stop.borrow()
    }

    /// Returns when the run is to stop.
    async fn stopped(&self) {
        let mut stop = self.settings.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// This machine cannot keep a download.
    fn local(&self, cause: io::Error) -> SyncError {
        let path = self.settings.spool.clone();
        SyncError::Local { path, action: "unfinished downloads cannot be kept here", cause }
    }
}

impl Tally {
    fn now(&self) -> ContentTally {
        ContentTally {
            objects: self.objects.load(Ordering::Relaxed),
            object_bytes: self.object_bytes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            known: self.known.load(Ordering::Relaxed),
            troubles: self.troubles().clone(),
            traffic: self.meter.traffic(),
        }
    }

    fn troubles(&self) -> MutexGuard<'_, Vec<Trouble>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    pass::joined(tokio::task::spawn_blocking(work).await)
}
