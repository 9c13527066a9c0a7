//! Background work: one thread seals what is frozen, one merges segments once there are enough.
//!
//! A failed seal stops the writer. A failed merge changes nothing: the segments that it met damage
//! in are left alone while this process has the archive, and the others are merged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::commit::Writer;
use super::health::Work;
use super::state::Live;
use super::{Archive, Shared};
use crate::error::{Error, Result};

/// A command that opens the archive for a moment begins no merge.
const BEFORE_MERGES: Duration = Duration::from_millis(500);
/// After a merge for which the storage failed, which may be over soon.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Runs the background work of an open archive; dropping it stops that and gives the lock back.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Keeper {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self> {
        let (stop, threads) = (Arc::default(), Mutex::default());
        let keeper = Self { shared: Arc::clone(shared), stop, threads };
        if shared.writer.is_some() {
            keeper.spawn("chatvault-seal", Shared::keep_sealing)?;
            if shared.options.background_compaction {
                keeper.spawn("chatvault-merge", Shared::keep_merging)?;
            }
        }
        Ok(keeper)
    }

    fn spawn(&self, name: &str, work: fn(&Shared, &AtomicBool)) -> Result<()> {
        let (shared, stop) = (Arc::clone(&self.shared), Arc::clone(&self.stop));
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || work(&shared, &stop));
        let thread = thread.map_err(|cause| Error::io("start a thread", "", cause))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.shared.wake();
        let threads = &mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // What panics in there is caught and told by `health`.
            drop(thread.join());
        }
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
    fn wake(&self) {
        // Taking the lock makes sure that nobody is between looking and waiting.
        if let Some(writer) = &self.writer {
            drop(writer.lock().unwrap_or_else(PoisonError::into_inner));
        }
        self.changed.notify_all();
    }

    fn keep_sealing(&self, stop: &AtomicBool) {
        loop {
            let Ok(mut writer) = self.writer() else { return };
            while writer.frozen.is_none() && writer.stopped.is_none() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                writer = self.wait(writer);
            }
            drop(writer);
            match self.attempt(Work::Seal, || self.seal_frozen()) {
                Ok(_) => self.recovered(Work::Seal),
                Err(error) => {
                    // Whoever waits for the seal would wait for ever.
                    return self.stop_writer(&error);
                }
            }
        }
    }

    fn stop_writer(&self, error: &Error) {
        if let Some(writer) = &self.writer {
            writer.lock().unwrap_or_else(PoisonError::into_inner).stop(error);
        }
        self.changed.notify_all();
    }

    fn keep_merging(&self, stop: &AtomicBool) {
        let go_on = || !stop.load(Ordering::SeqCst);
        let mut unreadable = BTreeSet::new();
        let mut pause = Some(BEFORE_MERGES);
        while let Ok(writer) = self.writer()
            && go_on()
        {
            match pause.take() {
                Some(pause) => drop(self.changed.wait_timeout_while(writer, pause, |writer| {
                    go_on() && writer.stopped.is_none()
                })),
                None if self.next_merge(&unreadable).is_none() => drop(self.wait(writer)),
                None => drop(writer),
            }
            let Some(inputs) = self.next_merge(&unreadable).filter(|_| go_on()) else { continue };
            let merged =
                self.attempt(Work::Merge, || self.merge_some(&inputs, &mut |_, _| go_on()));
            match merged {
                Ok(true) if unreadable.is_empty() && self.next_merge(&unreadable).is_none() => {
                    self.recovered(Work::Merge);
                }
                Ok(_) => {}
                Err(error) if error.kind().is_of_storage() => pause = Some(AFTER_FAILURE),
                Err(error) => unreadable.extend(to_blame(&inputs, &error)),
            }
        }
    }

    fn wait<'w>(&self, writer: MutexGuard<'w, Writer>) -> MutexGuard<'w, Writer> {
        self.changed.wait(writer).unwrap_or_else(PoisonError::into_inner)
    }

    /// Freezes what is in the journal and waits until it is sealed.
    pub(super) fn seal_now(&self) -> Result<()> {
        let mut writer = self.wait_until_sealed()?;
        self.seal_pack(&mut writer)?;
        if self.state().slabs.is_empty() {
            return Ok(());
        }
        self.freeze(&mut writer)?;
        drop(writer);
        self.changed.notify_all();
        self.wait_until_sealed().map(drop)
    }

    fn wait_until_sealed(&self) -> Result<MutexGuard<'_, Writer>> {
        let mut writer = self.writer()?;
        while writer.frozen.is_some() {
            writer = self.wait(writer);
            if writer.stopped.is_some() {
                drop(writer);
                writer = self.writer()?;
            }
        }
        Ok(writer)
    }

    fn finish(&self) -> Result<()> {
        self.writer()?.closing = true;
        // Commits that wait for room learn that they need not.
        self.changed.notify_all();
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
        self.update_catalog();
        closed
    }

    /// Gives the lock back; whoever still has a batch cannot commit it.
    fn let_go(&self) {
        if let Some(writer) = &self.writer {
            writer.lock().unwrap_or_else(PoisonError::into_inner).close();
        }
        self.changed.notify_all();
        self.close_catalog();
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
