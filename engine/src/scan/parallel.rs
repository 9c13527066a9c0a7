//! A scan in conversation order on several threads: each renders a stretch of conversations at a time,
//! and the stretches are given in order.
//!
//! Memory is bounded: nobody begins a stretch that is far ahead of the one being given, and what is
//! rendered of each waits in a channel with few places.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::Scan;
use super::plan::Query;
use super::render::{Batch, Readers};
use super::rows::Rows;
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::View;

/// Batches of a stretch that wait to be given.
const WAITING: usize = 4;

/// Rows of a stretch; `None` behind the last.
type Given = Result<Option<Batch>>;

/// Threads that render, and what they have rendered.
#[derive(Debug)]
pub(super) struct Parallel {
    work: Arc<Work>,
    threads: Vec<JoinHandle<()>>,
    /// Of each stretch, until it was given.
    stretches: std::vec::IntoIter<Receiver<Given>>,
    open: Option<Receiver<Given>>,
}

#[derive(Debug)]
struct Work {
    view: Arc<View>,
    stretches: Vec<Scan>,
    turns: Mutex<Turns>,
    changed: Condvar,
}

#[derive(Debug)]
struct Turns {
    /// The stretch to begin next, and those that are not begun.
    next: usize,
    senders: std::vec::IntoIter<SyncSender<Given>>,
    /// Stretches before this one may be begun.
    end: usize,
}

impl Parallel {
    pub(super) fn start(view: &Arc<View>, scan: &Scan, threads: usize) -> Result<Self> {
        let stretches = super::split(view.state(), scan, view.limits().stretch_rows);
        let (senders, receivers): (Vec<_>, Vec<_>) =
            stretches.iter().map(|_| sync_channel(WAITING)).unzip();
        let turns = Turns { next: 0, senders: senders.into_iter(), end: threads * 2 };
        let work = Arc::new(Work {
            view: Arc::clone(view),
            stretches,
            turns: Mutex::new(turns),
            changed: Condvar::new(),
        });
        let stretches = receivers.into_iter();
        let mut parallel = Self { work, threads: Vec::new(), stretches, open: None };
        for _ in 0..threads {
            let work = Arc::clone(&parallel.work);
            let thread = std::thread::Builder::new().name("chatvault-scan".to_owned());
            let thread = thread.spawn(move || work.go_on());
            let thread = thread.map_err(|cause| Error::io("start a thread", "", cause))?;
            parallel.threads.push(thread);
        }
        Ok(parallel)
    }

    /// The next rows, rendered; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Batch>> {
        loop {
            if self.open.is_none() {
                self.open = self.stretches.next();
            }
            let Some(open) = &self.open else { return Ok(None) };
            match open.recv() {
                Ok(Ok(None)) => {}
                Ok(batch) => return batch,
                // Its end was not told: rows would be missing.
                Err(_) => return Err(Error::new(ErrorKind::Stopped, "a thread of the scan ended")),
            }
            self.open = None;
            self.work.turns().end += 1;
            self.work.changed.notify_one();
        }
    }
}

impl Drop for Parallel {
    fn drop(&mut self) {
        self.work.turns().end = 0;
        self.work.changed.notify_all();
        // Whoever waits with rows learns that nobody wants them.
        self.open = None;
        self.stretches = Vec::new().into_iter();
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Work {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn go_on(&self) {
        let mut readers = Readers::default();
        while let Some((number, send)) = self.next_turn() {
            let work = AssertUnwindSafe(|| self.render(number, &send, &mut readers));
            let rendered = catch_unwind(work);
            let failed = |_| Err(Error::corrupt("a scan failed in a way that nobody foresaw"));
            let end = rendered.unwrap_or_else(failed).map(|()| None);
            // Gone if nobody reads on.
            drop(send.send(end));
        }
    }

    fn next_turn(&self) -> Option<(usize, SyncSender<Given>)> {
        let wait = |turns: &mut Turns| {
            turns.next >= turns.end && turns.end > 0 && turns.next < self.stretches.len()
        };
        let turns = self.changed.wait_while(self.turns(), wait);
        let mut turns = turns.unwrap_or_else(PoisonError::into_inner);
        if turns.end == 0 {
            return None;
        }
        let send = turns.senders.next()?;
        turns.next += 1;
        Some((turns.next - 1, send))
    }

    /// Renders a stretch with the readers of the one before, which know what it needs by now.
    fn render(&self, number: usize, send: &SyncSender<Given>, readers: &mut Readers) -> Result<()> {
        let Some(scan) = self.stretches.get(number) else { return Ok(()) };
        let query = Query::new(Arc::clone(&self.view), scan)?;
        let mut rows = Rows::of(query, true)?;
        std::mem::swap(rows.readers(), readers);
        while let Some(batch) = rows.next_batch()? {
            if send.send(Ok(Some(batch))).is_err() {
                break;
            }
        }
        std::mem::swap(rows.readers(), readers);
        Ok(())
    }
}
