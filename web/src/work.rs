//! What goes on in the background: a thread each, watched by whoever wants to, stopped on wish.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chatvault_base::{Cancel, Progress, threads};
use chatvault_engine::{Clock, SystemClock, Timestamp};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::failure::{Failure, Result};
use crate::organisation::Organisation;
use crate::text;

/// Pages that are made at once; others wait. Each takes some ten megabytes at most while it is made, and
/// more of them than a few for each core make none sooner.
pub(crate) const ROOM: usize = 8;
/// So much goes on in the background at once: each takes all cores that it can have.
const AT_ONCE: usize = 4;
/// So many works are remembered after their end.
const REMEMBERED: usize = 100;

/// Everything that goes on or did.
#[derive(Debug)]
pub(crate) struct Works {
    all: Mutex<Vec<Arc<Work>>>,
    next: AtomicU64,
    room: Arc<Semaphore>,
}

/// What is done. Of some only one may go on in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Verify,
    Index,
    Sync,
    /// The export in a folder.
    Export(String),
    Check(String),
}

/// Something that goes on, or ended.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) title: String,
    pub(crate) started: Timestamp,
    /// The organisation's name, and where its pages are.
    org: (String, String),
    stop: Cancel,
    seen: watch::Sender<Seen>,
}

/// How far it is, or what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Seen {
    pub(crate) state: State,
    /// What it does now.
    pub(crate) line: String,
    /// From 0 to 100, if that is known.
    pub(crate) percent: Option<u64>,
    /// What came of it.
    pub(crate) lines: Vec<String>,
    /// Where one goes on.
    pub(crate) next: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    #[default]
    Running,
    Done,
    /// Done, but something is missing or wrong.
    Warned,
    Failed,
    Stopped,
}

/// What came of a work.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) state: State,
    pub(crate) lines: Vec<String>,
    pub(crate) next: Option<String>,
}

impl Default for Works {
    fn default() -> Self {
        let room = Arc::new(Semaphore::new(ROOM));
        Self { all: Mutex::default(), next: AtomicU64::new(1), room }
    }
}

impl Works {
    /// Waits until a page may be made.
    pub(crate) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Starts something, unless it goes on already: then that is given.
    pub(crate) fn start(
        &self,
        org: &Organisation,
        (kind, title): (Kind, String),
        job: impl FnOnce(&Work) -> Result<Ended> + Send + 'static,
    ) -> Result<Arc<Work>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same =
            |work: &&Arc<Work>| work.kind == kind && work.org.0 == org.name && work.is_running();
        if let Some(same) = all.iter().find(is_same) {
            return Ok(Arc::clone(same));
        }
        if all.iter().filter(|work| work.is_running()).count() >= AT_ONCE {
            let advice =
                "Wait until something has ended, or stop it: it is listed under Running now.";
            return Err(Failure::first("Enough goes on at once", advice));
        }
        let work = Arc::new(Work {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            kind,
            title,
            started: SystemClock.now(),
            org: (org.name.clone(), org.link()),
            stop: Cancel::default(),
            seen: watch::Sender::new(Seen::default()),
        });
        let own = Arc::clone(&work);
        let _detached = threads::start("chatvault-work", move || {
            let done = catch_unwind(AssertUnwindSafe(|| job(&own)));
            own.end(done.unwrap_or_else(|_panic| {
                Err(Failure::wrong("It ended early: that is a fault of chatvault"))
            }));
        })?;
        if all.len() >= REMEMBERED
            && let Some(at) = all.iter().position(|old| !old.is_running())
        {
            drop(all.remove(at));
        }
        all.push(Arc::clone(&work));
        Ok(work)
    }

    /// What goes on now.
    pub(crate) fn running(&self) -> Vec<Arc<Work>> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|work| work.is_running()).cloned().collect()
    }

    /// One of an organisation.
    pub(crate) fn get(&self, org: &Organisation, id: u64) -> Option<Arc<Work>> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|work| work.id == id && work.org.0 == org.name).cloned()
    }

    /// The last of a kind in an organisation.
    pub(crate) fn last(&self, org: &Organisation, kind: &Kind) -> Option<Arc<Work>> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |work: &&Arc<Work>| work.kind == *kind && work.org.0 == org.name;
        all.iter().rev().find(fits).cloned()
    }

    /// Asks everything to stop, and waits for that, so long at most.
    pub(crate) fn stop_all(&self, at_most: Duration) {
        const LOOK: Duration = Duration::from_millis(20);
        let mut left = at_most;
        loop {
            let running = self.running();
            for work in &running {
                work.ask_to_stop();
            }
            let Some(rest) = left.checked_sub(LOOK).filter(|_| !running.is_empty()) else { return };
            left = rest;
            std::thread::sleep(LOOK);
        }
    }
}

impl Work {
    /// Its page.
    pub(crate) fn link(&self) -> String {
        format!("{}/jobs/{}", self.org.1, self.id)
    }

    /// How far it is now.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Tells whoever holds it of each change.
    pub(crate) fn watch(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.seen.borrow().state == State::Running
    }

    pub(crate) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Shall it stop at its next safe place?
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// What an operation is told: `Break` if it shall stop.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        self.stop.flow()
    }

    /// Says how many rows are done, and stops it when that is asked for.
    pub(crate) fn follow(&self, rows: &Progress) -> ControlFlow<()> {
        let of = text::plural(rows.of.unwrap_or(rows.done), "row");
        self.tell(format!("{} of {of}", text::count(rows.done)), *rows);
        self.flow()
    }

    /// Says how far it is.
    pub(crate) fn tell(&self, line: String, Progress { done, of, .. }: Progress) {
        let share = |of: u64| done.saturating_mul(100).checked_div(of).map(|share| share.min(100));
        let left = of.and_then(|of| self.left(done, of)).map(|left| format!(", {left} left"));
        self.seen.send_modify(|seen| {
            seen.line = line + left.as_deref().unwrap_or_default();
            seen.percent = of.and_then(share);
        });
    }

    /// The time that is left, once there is something to tell it by.
    fn left(&self, done: u64, of: u64) -> Option<String> {
        let spent = u64::try_from(SystemClock.now().ms() - self.started.ms()).ok()?;
        let rest = u128::from(of.checked_sub(done)?) * u128::from(spent);
        let left = rest.checked_div(u128::from(done))?;
        let is_sure = spent >= 2_000 && done > 0;
        is_sure.then(|| text::span(u64::try_from(left / 1_000).unwrap_or(u64::MAX)))
    }

    fn end(&self, result: Result<Ended>) {
        let ended = result.unwrap_or_else(|Failure { line, advice, .. }| Ended {
            state: if self.is_stopped() { State::Stopped } else { State::Failed },
            lines: std::iter::once(line).chain(advice).collect(),
            next: None,
        });
        self.seen.send_modify(|seen| {
            let Ended { state, lines, next } = ended;
            *seen = Seen { state, lines, next, line: String::new(), percent: None };
        });
    }
}
