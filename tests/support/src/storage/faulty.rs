//! Storage that fails when told to: the n-th operation of a sort, all writing once it is full, or
//! everything once the machine is off.

use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chatvault_engine::{FileName, LockGuard, ReadFile, Storage, WriteFile};

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making a file.
    Create,
    /// Writing into a file.
    Write,
    /// Syncing a file.
    Sync,
    /// Giving a file its name.
    Rename,
    /// Syncing a folder.
    SyncFolder,
    /// Removing a file.
    Remove,
}

impl Operation {
    /// All of them, for tables of tests.
    pub const ALL: [Self; 6] =
        [Self::Create, Self::Write, Self::Sync, Self::Rename, Self::SyncFolder, Self::Remove];
}

/// A storage with faults. Clones share them.
#[derive(Clone, Debug)]
pub struct Faulty {
    below: Arc<dyn Storage>,
    faults: Arc<Faults>,
}

#[derive(Debug)]
struct Faults {
    seen: [AtomicU64; 6],
    fail_at: [AtomicU64; 6],
    room: AtomicI64,
    steps: AtomicU64,
    last_step: AtomicU64,
}

impl Faulty {
    /// A storage that does all it is asked, so far.
    pub fn over(below: Arc<dyn Storage>) -> Self {
        let faults = Faults {
            seen: Default::default(),
            fail_at: [const { AtomicU64::new(u64::MAX) }; 6],
            room: AtomicI64::new(i64::MAX),
            steps: AtomicU64::new(0),
            last_step: AtomicU64::new(u64::MAX),
        };
        Self { below, faults: Arc::new(faults) }
    }

    /// Fails one operation: the one after `after` more of its sort.
    pub fn fail_after(&self, operation: Operation, after: u64) {
        let index = operation as usize;
        if let (Some(seen), Some(at)) =
            (self.faults.seen.get(index), self.faults.fail_at.get(index))
        {
            at.store(seen.load(Ordering::SeqCst).saturating_add(after), Ordering::SeqCst);
        }
    }

    /// Did the fault happen?
    pub fn has_failed(&self, operation: Operation) -> bool {
        let index = operation as usize;
        let pair = self.faults.seen.get(index).zip(self.faults.fail_at.get(index));
        pair.is_some_and(|(seen, at)| seen.load(Ordering::SeqCst) > at.load(Ordering::SeqCst))
    }

    /// After `steps` more operations of any sort nothing works any more: the machine is off.
    pub fn stop_after(&self, steps: u64) {
        let last = self.faults.steps.load(Ordering::SeqCst).saturating_add(steps);
        self.faults.last_step.store(last, Ordering::SeqCst);
    }

    /// Is the machine off?
    pub fn has_stopped(&self) -> bool {
        let faults = &self.faults;
        faults.steps.load(Ordering::SeqCst) > faults.last_step.load(Ordering::SeqCst)
    }

    /// Takes no more than `bytes` of further writing, until [`Faulty::release`].
    pub fn fill_after(&self, bytes: i64) {
        self.faults.room.store(bytes, Ordering::SeqCst);
    }

    /// Room again.
    pub fn release(&self) {
        self.faults.room.store(i64::MAX, Ordering::SeqCst);
    }

    /// As the engine takes it.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }
}

impl Faults {
    fn pass(&self, operation: Operation) -> Result<()> {
        if self.steps.fetch_add(1, Ordering::SeqCst) >= self.last_step.load(Ordering::SeqCst) {
            return Err(Error::other("the machine is off"));
        }
        let index = operation as usize;
        let Some((seen, at)) = self.seen.get(index).zip(self.fail_at.get(index)) else {
            return Ok(());
        };
        if seen.fetch_add(1, Ordering::SeqCst) == at.load(Ordering::SeqCst) {
            return Err(Error::other(format!("{operation:?} made to fail")));
        }
        Ok(())
    }

    /// How many of so many bytes still find room.
    fn take_room(&self, bytes: usize) -> usize {
        let wanted = i64::try_from(bytes).unwrap_or(i64::MAX);
        let shrink = |room: i64| (room != i64::MAX).then(|| room.saturating_sub(wanted).max(0));
        match self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, shrink) {
            Ok(before) => usize::try_from(before.min(wanted)).unwrap_or(0),
            Err(_) => bytes,
        }
    }
}

impl Storage for Faulty {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        self.faults.pass(Operation::Create)?;
        let file = self.below.create(path)?;
        Ok(Box::new(FaultyFile { below: file, faults: Arc::clone(&self.faults) }))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        self.below.open(path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.faults.pass(Operation::Rename)?;
        self.below.rename(from, to)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.faults.pass(Operation::Remove)?;
        self.below.remove(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<FileName>> {
        self.below.list(folder)
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        self.below.make_folder(folder)
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        self.faults.pass(Operation::SyncFolder)?;
        self.below.sync_folder(folder)
    }

    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        self.below.try_lock(path, holder)
    }

    fn local_folder(&self, folder: &str) -> Option<PathBuf> {
        self.below.local_folder(folder)
    }
}

#[derive(Debug)]
struct FaultyFile {
    below: Box<dyn WriteFile>,
    faults: Arc<Faults>,
}

impl WriteFile for FaultyFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.faults.pass(Operation::Write)?;
        let fitting = self.faults.take_room(bytes.len());
        // A full disk takes the front of a write and refuses the rest.
        self.below.write_at(offset, bytes.get(..fitting).unwrap_or(bytes))?;
        if fitting < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self) -> Result<()> {
        self.faults.pass(Operation::Sync)?;
        self.below.sync()
    }
}
