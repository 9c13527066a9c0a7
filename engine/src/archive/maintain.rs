//! Background work: sealing what is frozen, and merging segments once there are enough.
//!
//! Both are jobs on the threads of the environment, begun when there is something to do. Nobody waits
//! for a job to begin: who needs a seal does it on his own thread, unless another one is at it.
//!
//! A failed seal stops the writer. A failed merge changes nothing: the segments that it met damage
//! in are left alone while this process has the archive, and the others are merged. One for which the
//! storage failed is tried again after the next seal.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::commit::Writer;
use super::health::Work;
use super::state::Live;
use super::{Archive, Shared};
use crate::environment::{Jobs, Urgency};
use crate::error::{Error, Result};

/// The background work of an open archive.
#[derive(Debug)]
pub(super) struct Background {
    jobs: Jobs,
    /// Nothing is begun any more, and merges give up.
    stop: AtomicBool,
    /// A merge waits for a thread or runs.
    merging: AtomicBool,
    /// Segments that merges met damage in; held for a moment.
    unreadable: Mutex<BTreeSet<u64>>,
}

impl Background {
    pub(super) fn new(jobs: Jobs) -> Self {
        Self {
            jobs,
            stop: AtomicBool::new(false),
            merging: AtomicBool::new(false),
            unreadable: Mutex::default(),
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn unreadable(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dropping it ends the background work of an open archive and gives the lock back.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
}

impl Keeper {
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        shared.merge_in_background();
        Self { shared: Arc::clone(shared) }
    }

    fn stop(&self) {
        self.shared.background.stop.store(true, Ordering::SeqCst);
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

impl Shared {
    /// Has what is frozen sealed by another thread, once one is free.
    pub(super) fn seal_in_background(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        self.background.jobs.run(Urgency::Soon, move || {
            if shared.background.goes_on() {
                shared.seal_frozen_here();
            }
        });
    }

    /// Seals what is frozen, or waits for the thread that is at it. If that fails the writer is
    /// stopped afterwards.
    pub(super) fn seal_frozen_here(self: &Arc<Self>) {
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

    /// Has segments merged by another thread, if there are enough and no thread is at it.
    fn merge_in_background(self: &Arc<Self>) {
        let background = &self.background;
        let wanted = self.writer.is_some()
            && self.options.background_compaction
            && background.goes_on()
            && self.next_merge(&background.unreadable()).is_some();
        if !wanted || background.merging.swap(true, Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(self);
        background.jobs.run(Urgency::Late, move || {
            let merged = shared.merge_next();
            shared.background.merging.store(false, Ordering::SeqCst);
            // There may be more to merge by now: other archives get their turn in between.
            if merged {
                shared.merge_in_background();
            }
        });
    }

    /// Merges what is next; false if the storage failed.
    fn merge_next(&self) -> bool {
        let background = &self.background;
        let without = background.unreadable().clone();
        let Some(inputs) = self.next_merge(&without) else { return true };
        let merge = || self.merge_some(&inputs, &mut |_, _| background.goes_on());
        match self.attempt(Work::Merge, merge) {
            Ok(merged) => {
                if merged && without.is_empty() && self.next_merge(&without).is_none() {
                    self.recovered(Work::Merge);
                }
                true
            }
            Err(error) if error.kind().is_of_storage() => false,
            Err(error) => {
                background.unreadable().extend(to_blame(&inputs, &error));
                true
            }
        }
    }

    /// Freezes what is in the journal and waits until it is sealed.
    pub(super) fn seal_now(self: &Arc<Self>) -> Result<()> {
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
