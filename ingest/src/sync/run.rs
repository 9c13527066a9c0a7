//! What everything in one run shares: the service, the archive, the stop sign, the counters.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatvault_engine::{Archive, Clock, Custodian, RunId};
use chatvault_graph::{Client, Failure, FailureKind, Feed};
use tokio::sync::watch;

use super::commit::{Committer, Work};
use super::plan::Pace;
use super::progress::Counters;
use super::report::Trouble;
use super::{Service, SyncError, SyncOptions};

/// So many failures to reach the service, with no answer between them: the network is gone.
const UNREACHABLE: u32 = 4;

/// A run while it goes on.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) archive: Archive,
    pub(super) client: Arc<Client>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: SyncOptions,
    pub(super) pace: Pace,
    pub(super) started_ms: i64,
    pub(super) committer: Committer,
    pub(super) progress: Counters,
    stop: watch::Sender<bool>,
    /// Feeds that nobody may read, since the app lacks a permission.
    off: Mutex<BTreeMap<Feed, Failure>>,
    unreachable: AtomicU32,
}

/// Why a run ends before its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// The caller asked for it.
    Stopped,
    /// The archive took no more; its error is with the committer.
    Refused,
    /// Nothing more can be done.
    Error(SyncError),
}

impl From<SyncError> for Halt {
    fn from(error: SyncError) -> Self {
        Self::Error(error)
    }
}

impl Run {
    pub(super) fn new(
        (id, archive): (RunId, Archive),
        service: &Service,
        client: Client,
        options: SyncOptions,
        committer: Committer,
    ) -> Self {
        Self {
            id,
            archive,
            client: Arc::new(client),
            clock: Arc::clone(&service.clock),
            pace: Pace::of(&options),
            options,
            started_ms: service.clock.now().ms(),
            committer,
            progress: Counters::default(),
            stop: watch::Sender::new(false),
            off: Mutex::default(),
            unreachable: AtomicU32::new(0),
        }
    }

    /// Accounts that have their turns at the same time: more than there are requests in flight, so
    /// that one whose page is being committed leaves no gap.
    pub(super) fn at_once(&self) -> usize {
        self.client.at_once().saturating_mul(2).max(1)
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now().ms()
    }

    /// Asks everything to end at its next safe place.
    pub(super) fn stop(&self) {
        let _before = self.stop.send_replace(true);
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// What the sign to stop can be watched by.
    pub(super) fn stop_sign(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Waits for something that may be dropped, or for the sign to stop.
    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        let mut sign = self.stop.subscribe();
        tokio::select! {
            biased;
            _stopped = sign.wait_for(|stopped| *stopped) => Err(Halt::Stopped),
            done = work => Ok(done),
        }
    }

    pub(super) async fn commit(&self, work: Work) -> Result<(), Halt> {
        self.committer.commit(work).await.map_err(|_refused| Halt::Refused)
    }

    /// The feeds of an account, in the order in which they were asked for.
    pub(super) fn feeds_of(&self, custodian: &Custodian) -> impl Iterator<Item = Feed> + use<> {
        let is_team = custodian.as_str().starts_with("team:");
        let feeds = self.options.feeds.clone();
        feeds.into_iter().filter(move |feed| feed.of_team() == is_team)
    }

    /// Why nobody may read a feed, if that is so.
    pub(super) fn switched_off(&self, feed: Feed) -> Option<Trouble> {
        self.off().get(&feed).map(|failure| Trouble::new(feed.name(), failure))
    }

    /// Every feed that was switched off, once for the whole run.
    pub(super) fn all_switched_off(&self) -> Vec<Trouble> {
        self.off().iter().map(|(feed, failure)| Trouble::new(feed.name(), failure)).collect()
    }

    /// Does an account's failure concern others too?
    pub(super) fn consider(&self, feed: Feed, failure: Failure) -> Result<(), Halt> {
        match failure.kind {
            FailureKind::Credentials | FailureKind::Delegated | FailureKind::Local => {
                Err(SyncError::Service(failure).into())
            }
            FailureKind::Network if self.is_unreachable() => {
                Err(SyncError::Service(failure).into())
            }
            FailureKind::Permission if failure.names_a_role() => {
                drop(self.off().insert(feed, failure));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The service answered: the network is there.
    pub(super) fn answered(&self) {
        self.unreachable.store(0, Ordering::Relaxed);
    }

    fn is_unreachable(&self) -> bool {
        self.unreachable.fetch_add(1, Ordering::Relaxed) + 1 >= UNREACHABLE
    }

    fn off(&self) -> MutexGuard<'_, BTreeMap<Feed, Failure>> {
        self.off.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
