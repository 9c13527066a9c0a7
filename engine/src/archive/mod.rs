//! An open archive: who may write, what readers see, and what goes on in the background.
//!
//! Locks, in the order in which they are taken: `merging`, `sealing`, `writer` (commits, seals and
//! merges publish under it), `packing` (packs change and are published under it), `catalog` (while
//! it is brought up to date), then `state`, `preparers` (each held for a moment, never together).
//!
//! Durability, in order: rows and sightings are synced in a journal frame, then acknowledged;
//! later a segment, a ledger and a quarantine file are synced under their names, then named by a
//! synced manifest, and only then the journal files that held the same are removed.

mod accounts;
mod commit;
mod copy;
mod held;
mod maintain;
mod open;
mod repair;
mod report;
mod state;
mod stranded;
#[cfg(test)]
mod tests;
mod verify;

pub use accounts::book::{Counts, RunSummary};
pub use accounts::outcasts::{Quarantine, Quarantined};
pub use commit::batch::{Batch, Origin};
pub use copy::{CopyOptions, CopyReport};
pub use maintain::folded::Folded;
pub use maintain::health::{Health, Trouble, Work};
pub use repair::repaired::Repaired;
pub use repair::{RepairReport, Spare, repair};
pub use report::{CommitReport, CompactReport, Damage, Depth, Stat, VerifyReport};
pub use verify::verify;

pub(crate) use accounts::book::Committed;
pub(crate) use accounts::known::Known;
pub(crate) use accounts::late::Block;
#[cfg(test)]
pub(crate) use accounts::ledger::tests::memory;
pub(crate) use accounts::sightings::{Delivered, SetReaders};
pub(crate) use commit::batch::Preparer;
pub(crate) use commit::committing::Compare;
pub(crate) use commit::slab::{Key, Slab, SlabRow};
pub(crate) use held::{Missing, in_gap};
pub(crate) use maintain::merge::Limits as MergeLimits;
pub(crate) use state::{Live, RowId, State};

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tracing::debug_span;

use crate::cache::Cache;
use crate::catalog::Catalog;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind, Result};
use crate::format::names::LOCK;
use crate::journal::{DroppedTail, Unproven};
use crate::options::{Host, Options};
use crate::snapshot::Snapshot;
use crate::storage::LockGuard;
use crate::types::RunId;
use commit::committing::{self, Writer};
use commit::moves::Moves;
use commit::put_object::Packing;
use commit::recall::Recall;
use maintain::{background, health};

/// An open archive: its one writer, or one of any number of readers. Cloning shares it.
///
/// What [`Batch::commit`] acknowledged survives a crash or power cut at any moment. Dropping the
/// last clone of a writer gives the lock back and leaves what is not yet in segments in the
/// journal; [`Archive::close`] also seals that and reports errors.
#[derive(Clone, Debug)]
pub struct Archive {
    shared: Arc<Shared>,
    /// Stops the background work when the last handle goes.
    keeper: Arc<background::Keeper>,
}

/// What all handles, batches and snapshots of an open archive share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) host: Host,
    pub(crate) options: Options,
    pub(crate) environment: Environment,
    pub(crate) archive: [u8; 16],
    pub(crate) cache: Arc<Cache>,
    /// Counted where they go to the storage.
    bytes_written: Arc<AtomicU64>,
    recall: Recall,
    moves: Moves,
    /// Segments of generations before this one were there when a writer was opened: what came later its
    /// recall knows.
    opened_at: u32,
    /// What there is, unacknowledged commits included; replaced as a whole.
    state: RwLock<Arc<State>>,
    /// `None` for a reader.
    writer: Option<Mutex<Writer>>,
    /// Held while a seal is built and published: a merge publishes before or after, not between.
    sealing: Mutex<()>,
    /// Segments that a merge found damaged; held for a moment.
    damaged: Mutex<BTreeSet<u64>>,
    /// Held by whoever merges.
    merging: Mutex<()>,
    /// What failed in the background.
    troubles: Mutex<health::Troubles>,
    background: background::Background,
    catalog: Mutex<Option<Catalog>>,
    /// Packs that are being filled.
    packing: Mutex<Packing>,
    #[expect(clippy::vec_box, reason = "a preparer is large, and moves between threads")]
    preparers: Mutex<Vec<Box<Preparer>>>,
    lock: Mutex<Option<Box<dyn LockGuard>>>,
    /// What opening left out, and what a reader does not show yet.
    dropped_tail: Mutex<Option<DroppedTail>>,
    unproven: Mutex<Option<Unproven>>,
}

impl Archive {
    /// Makes a new archive and opens it for writing; `Exists` if there is one.
    pub fn create(host: Host, options: Options) -> Result<Self> {
        let _span = debug_span!("open", how = "create").entered();
        let (host, options) = within(host, options);
        open::create(host, options).map(Self::start)
    }

    /// Opens an archive for writing. `NotFound` without one, `Locked` if somebody else writes.
    ///
    /// Recovers what a crash left: every acknowledged commit is there afterwards, or the error is
    /// `Corrupt` and says what is lost.
    pub fn open(host: Host, options: Options) -> Result<Self> {
        let _span = debug_span!("open", how = "write").entered();
        let (host, options) = within(host, options);
        open::open(host, options).map(Self::start)
    }

    /// Opens an archive for reading, beside a writer in this or another process if there is one.
    ///
    /// A damaged segment, ledger, quarantine or pack is no error here, nor in [`Archive::open`]: a
    /// question that needs it gets `Corrupt`, and every other one is answered. With
    /// [`Options::salvage`] all questions are answered from what is whole, and [`Archive::missing`]
    /// says what was left out.
    pub fn open_read_only(host: Host, options: Options) -> Result<Self> {
        let _span = debug_span!("open", how = "read").entered();
        let (host, options) = within(host, options);
        open::open_read_only(host, options).map(Self::start)
    }

    fn start(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let keeper = Arc::new(background::Keeper::start(&shared));
        Self { shared, keeper }
    }

    /// Starts a run: the counters of what is offered under it are kept by its number.
    ///
    /// It is on disk with the first commit under it. `InvalidInput` on a reader.
    pub fn begin_run(&self, label: &str) -> Result<RunId> {
        self.shared.begin_run(label)
    }

    /// An empty batch.
    pub fn batch(&self, run: RunId) -> Batch {
        Batch::new(Arc::clone(&self.shared), run)
    }

    /// A fixed view of everything acknowledged so far. A reader looks again at what the writer
    /// has made durable since.
    ///
    /// A reader may meet what is wrong with the newest files: `Corrupt`, or an error of the storage.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::take(&self.shared)
    }

    /// What answers lacked so far, each part named once: empty unless the archive was opened with
    /// [`Options::salvage`].
    pub fn missing(&self) -> Vec<Damage> {
        self.shared.state().missing.damages()
    }

    /// A value that a batch stored, by its name; `None` if there is none or it was taken back.
    ///
    /// `Corrupt`, or an error of the storage, if a ledger cannot be read.
    pub fn checkpoint(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let state = self.shared.newest()?;
        state.need_ledgers()?;
        state.checkpoint(name)
    }

    /// The values whose names start with `prefix`, in name order.
    ///
    /// `Corrupt`, or an error of the storage, if a ledger cannot be read.
    pub fn checkpoints(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let state = self.shared.newest()?;
        state.need_ledgers()?;
        state.checkpoints(prefix)
    }

    /// What opening the archive found torn behind the last whole commit, and left out: a crash
    /// came before it was acknowledged. A reader looks anew whenever it looks at the archive, and
    /// beside a writer there is none.
    pub fn dropped_tail(&self) -> Option<DroppedTail> {
        self.shared.dropped_tail()
    }

    /// Whole commits that this reader does not show, since nothing proves that they are durable.
    pub fn unproven(&self) -> Option<Unproven> {
        self.shared.unproven()
    }

    /// Every run under which something was committed, oldest first.
    ///
    /// `Corrupt`, or an error of the storage, if a ledger cannot be read.
    pub fn runs(&self) -> Result<Vec<RunSummary>> {
        let state = self.shared.newest()?;
        state.need_ledgers()?;
        Known::of(&state).run_summaries()
    }
}

/// Has the archive take part in its environment, or one of its own.
fn within(host: Host, options: Options) -> (Host, Options) {
    let environment = options.environment.unwrap_or_default();
    let storage = host.storage.within(&environment).unwrap_or(host.storage);
    (Host { storage, ..host }, Options { environment: Some(environment), ..options })
}

impl Shared {
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn dropped_tail(&self) -> Option<DroppedTail> {
        self.dropped_tail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn unproven(&self) -> Option<Unproven> {
        self.unproven.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sightings of a state.
    pub(crate) fn delivered(&self, state: &State) -> Delivered {
        Delivered::of(state, &self.moves)
    }

    fn set_state(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }

    /// The state that is acknowledged by now, also for a reader beside a writer.
    pub(crate) fn newest(&self) -> Result<Arc<State>> {
        self.refresh()?;
        Ok(self.acknowledged())
    }

    /// The state that is acknowledged.
    pub(crate) fn acknowledged(&self) -> Arc<State> {
        let state = self.state();
        let Some(writer) = &self.writer else { return state };
        let writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = writer.journal.acknowledged().max(state.manifest.sequence);
        drop(writer);
        if sequence >= state.sequence { state } else { Arc::new(state.until(sequence)) }
    }

    /// Asked before anything is appended or named: is the folder at our path still the archive
    /// that we hold the lock of?
    fn need_lock(&self) -> Result<()> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let held = lock.as_ref().ok_or_else(committing::closed)?.still_held();
        if held.map_err(|cause| Error::io("look at", LOCK, cause))? || planted!("write blindly") {
            return Ok(());
        }
        let message = "the archive was moved or replaced, or its LOCK was removed: open it where \
                       it is now";
        Err(Error::new(ErrorKind::Stopped, message).in_file(LOCK))
    }

    /// The writer, if this handle has it and nothing failed before.
    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer.as_ref().ok_or_else(|| {
            Error::invalid("the archive is open for reading: open it for writing")
        })?;
        let writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        match &writer.stopped {
            None => Ok(writer),
            Some(error) => Err(error.clone()),
        }
    }

    /// The writer, if it still takes what somebody offers.
    fn taking(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer()?;
        if writer.closing { Err(committing::closed()) } else { Ok(writer) }
    }

    fn take_preparer(&self) -> Box<Preparer> {
        let mut spare = self.preparers.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().unwrap_or_default()
    }

    fn give_preparer(&self, preparer: Box<Preparer>) {
        self.preparers.lock().unwrap_or_else(PoisonError::into_inner).push(preparer);
    }
}
