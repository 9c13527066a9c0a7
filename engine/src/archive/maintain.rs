//! Background work: one thread seals what is frozen, one merges segments while nothing arrives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::commit::Writer;
use super::{Archive, Shared};
use crate::error::Result;

/// How long nothing must arrive before a merge starts.
const QUIET: Duration = Duration::from_millis(500);

/// Runs the background work of an open archive; dropping it stops that and gives the lock back.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Keeper {
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        if shared.writer.is_some() {
            let (at, quit) = (Arc::clone(shared), Arc::clone(&stop));
            threads.push(std::thread::spawn(move || at.keep_sealing(&quit)));
            if shared.options.background_compaction {
                let (at, quit) = (Arc::clone(shared), Arc::clone(&stop));
                threads.push(std::thread::spawn(move || at.keep_merging(&quit)));
            }
        }
        Self { shared: Arc::clone(shared), stop, threads: Mutex::new(threads) }
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.shared.wake();
        let threads = &mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A panic in there left the archive as its files say; opening it again shows that.
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
            if self.seal_frozen().is_err() {
                return;
            }
        }
    }

    fn keep_merging(&self, stop: &AtomicBool) {
        let mut before = 0;
        loop {
            let Ok(writer) = self.writer() else { return };
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let quiet = writer.next_sequence == before;
            before = writer.next_sequence;
            let waited = self.changed.wait_timeout(writer, QUIET);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            let go_on = |_, _| !stop.load(Ordering::SeqCst);
            if quiet && !stop.load(Ordering::SeqCst) && self.merge_some(&mut { go_on }).is_err() {
                return;
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
        let closed = writer.journal.seal().and_then(|()| self.forget_empty_journals(&writer));
        // Under the same lock: nothing may follow the closing frame.
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
