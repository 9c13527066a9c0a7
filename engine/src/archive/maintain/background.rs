//! Background work: sealing what is frozen, and merging files once there are enough.
//!
//! Both are jobs on the threads of the environment, begun when there is something to do. Nobody waits
//! for a job to begin: who needs a seal does it on his own thread, unless another one is at it. What is
//! due when a process that sealed something closes the archive is merged then, so files stay few
//! however short processes live.
//!
//! A failed seal stops the writer. A failed merge changes nothing: the segments that it met damage
//! in are left alone while this process has the archive, and the others are merged. One for which the
//! storage failed is tried again after the next seal.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatvault_base::threads::{Jobs, Urgency};
use chatvault_base::{Cancel, OnProgress, go_on};
use tracing::{debug, debug_span};

use super::health::Work;
use crate::archive::commit::committing::Writer;
use crate::archive::state::Live;
use crate::archive::{Archive, Shared};
use crate::error::{Error, Result};

/// `close` begins no other step once it wrote so many rows anew: the next process goes on.
const MERGED_AT_CLOSE: u64 = 1 << 20;

/// The background work of an open archive.
#[derive(Debug)]
pub(crate) struct Background {
    jobs: Jobs,
    /// Nothing is begun any more, and merges give up.
    stop: Cancel,
    /// A merge waits for a thread or runs.
    merging: AtomicBool,
    /// Held for a moment.
    unmergeable: Mutex<Unmergeable>,
}

/// What merges leave alone while this process has the archive.
#[derive(Clone, Debug, Default)]
struct Unmergeable {
    /// Segments that they met damage in.
    segments: BTreeSet<u64>,
    /// There is a sum that could not be made.
    sums: bool,
}

impl Background {
    pub(crate) fn new(jobs: Jobs) -> Self {
        Self {
            jobs,
            stop: Cancel::default(),
            merging: AtomicBool::new(false),
            unmergeable: Mutex::default(),
        }
    }

    fn unmergeable(&self) -> MutexGuard<'_, Unmergeable> {
        self.unmergeable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dropping it ends the background work of an open archive and gives the lock back.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
}

impl Keeper {
    pub(crate) fn start(shared: &Arc<Shared>) -> Self {
        shared.merge_in_background();
        Self { shared: Arc::clone(shared) }
    }

    fn stop(&self) {
        self.shared.background.stop.cancel();
        self.shared.background.jobs.finish();
        self.shared.let_go();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Archive {
    /// Moves everything from the journal into segments; done when it returns.
    ///
    /// `Closed` or `Stopped` if the archive takes no commits any more; an error of the storage stops the writer.
    pub fn seal(&self) -> Result<()> {
        self.shared.seal_now()
    }

    /// Seals, stops the background work, gives the lock back; reports what dropping would swallow.
    ///
    /// A commit beside it on another thread is durable, or it is an error of the kind `Closed`.
    pub fn close(self) -> Result<()> {
        let sealed = if self.shared.writer.is_some() { self.shared.finish() } else { Ok(()) };
        self.keeper.stop();
        sealed
    }
}

/// The numbers of the segments that a merge failed for: the one that the error names, or all.
fn to_blame(inputs: &[Arc<Live>], error: &Error) -> Vec<u64> {
    let named = |live: &&Arc<Live>| error.file() == Some(&*live.entry.path());
    let one = inputs.iter().find(named).map(|live| vec![live.entry.number]);
    one.unwrap_or_else(|| inputs.iter().map(|live| live.entry.number).collect())
}

fn only_of_storage(error: Error) -> Result<u64> {
    if error.kind().is_of_storage() { Err(error) } else { Ok(0) }
}

impl Shared {
    /// Has what is frozen sealed by another thread, once one is free.
    pub(crate) fn seal_in_background(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let _ = self.background.jobs.run(Urgency::Soon, move || {
            if !shared.background.stop.is_cancelled() {
                shared.seal_frozen_here();
            }
        });
    }

    /// Seals what is frozen, or waits for the thread that is at it. If that fails the writer is
    /// stopped afterwards.
    pub(crate) fn seal_frozen_here(self: &Arc<Self>) {
        match self.attempt(Work::Seal, || self.seal_frozen()) {
            Ok(true) => {
                self.recovered(Work::Seal);
                self.merge_in_background();
            }
            Ok(false) => {}
            Err(error) => self.stop_writer(&error),
        }
    }

    fn stop_writer(&self, error: &Error) {
        if let Some(writer) = &self.writer {
            writer.lock().unwrap_or_else(PoisonError::into_inner).stop(error);
        }
    }

    /// Has files merged by another thread, if there are enough and no thread is at it.
    fn merge_in_background(self: &Arc<Self>) {
        let background = &self.background;
        let wanted = self.writer.is_some()
            && self.options.background_compaction
            && !background.stop.is_cancelled()
            && self.merge_is_due();
        if !wanted || background.merging.swap(true, Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(self);
        let _ = background.jobs.run(Urgency::Late, move || {
            // `close` merges what is due itself.
            let closing = shared.writer().map_or(true, |writer| writer.closing);
            let stop = &shared.background.stop;
            let merged = !closing && shared.merge_due(&mut |_| stop.flow()).is_ok();
            shared.background.merging.store(false, Ordering::SeqCst);
            // There may be more to merge by now: other archives get their turn in between.
            if merged {
                shared.merge_in_background();
            }
        });
    }

    fn merge_is_due(&self) -> bool {
        let without = self.background.unmergeable().clone();
        self.sums_are_due_without(&without) || self.next_merge(&without.segments).is_some()
    }

    fn sums_are_due_without(&self, without: &Unmergeable) -> bool {
        !without.sums && self.sums_are_due()
    }

    /// One step of the merges that are due; gives the rows that it wrote anew. An error is one of the
    /// storage, which may be over soon.
    fn merge_due(&self, progress: OnProgress<'_>) -> Result<u64> {
        let without = self.background.unmergeable().clone();
        if self.sums_are_due_without(&without) {
            let summed = self.attempt(Work::Merge, || {
                // What a merge has built and not named yet is nothing to clear out.
                let _turn = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
                self.sum_up(false)
            });
            self.background.unmergeable().sums = !matches!(summed, Ok(true));
            return summed.map(|_| 0).or_else(only_of_storage);
        }
        let Some((inputs, level)) = self.next_merge(&without.segments) else { return Ok(0) };
        let _span = debug_span!("merge", segments = inputs.len(), level).entered();
        let merged = self.attempt(Work::Merge, || self.merge_some((&inputs, level), progress));
        match merged {
            Ok(rows) => {
                if rows.is_some() && without.segments.is_empty() && !self.merge_is_due() {
                    self.recovered(Work::Merge);
                }
                let rows = rows.unwrap_or(0);
                debug!(rows, "merged");
                Ok(rows)
            }
            Err(error) => {
                if !error.kind().is_of_storage() {
                    self.background.unmergeable().segments.extend(to_blame(&inputs, &error));
                }
                only_of_storage(error)
            }
        }
    }

    /// Merges what this process made due, and at least a step of what ones before left.
    fn merge_at_close(&self) {
        let mut rows = 0;
        while rows < MERGED_AT_CLOSE && self.merge_is_due() {
            match self.merge_due(&mut go_on) {
                Ok(more) => rows += more,
                // It is told by `health`; what is sealed is sealed.
                Err(_) => return,
            }
        }
    }

    /// Freezes what is in the journal and waits until it is sealed.
    pub(crate) fn seal_now(self: &Arc<Self>) -> Result<()> {
        let mut writer = self.wait_until_sealed()?;
        self.seal_pack(&mut writer)?;
        if self.state().slabs.is_empty() {
            return Ok(());
        }
        self.freeze(&mut writer)?;
        drop(writer);
        self.wait_until_sealed().map(drop)
    }

    fn wait_until_sealed(self: &Arc<Self>) -> Result<MutexGuard<'_, Writer>> {
        let mut writer = self.writer()?;
        while writer.frozen.is_some() {
            drop(writer);
            self.seal_frozen_here();
            writer = self.writer()?;
        }
        Ok(writer)
    }

    fn finish(self: &Arc<Self>) -> Result<()> {
        self.writer()?.closing = true;
        self.seal_now()?;
        // Merges need the memory more than a commit that may still come.
        self.recall.forget();
        if self.options.background_compaction && self.writer()?.sealed {
            self.merge_at_close();
        }
        let mut writer = self.writer()?;
        self.seal_pack(&mut writer)?;
        // First what the last file must record, then its end; then nothing may follow.
        let forgotten = self.forget_empty_journals(&writer);
        let closed = forgotten.and_then(|()| writer.journal.close());
        match &closed {
            Ok(()) => writer.close(),
            Err(error) => writer.stop(error),
        }
        drop(writer);
        closed
    }

    /// Gives the lock back; whoever still has a batch cannot commit it.
    fn let_go(&self) {
        // Who still seals for a batch of his is waited for: he writes files.
        let turn = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = &self.writer {
            writer.lock().unwrap_or_else(PoisonError::into_inner).close();
        }
        drop(turn);
        self.close_catalog();
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
