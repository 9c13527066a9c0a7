//! Storage that fails when told to: the n-th operation of a sort, all writing once it is full, or
//! everything once the machine is off.

use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatvault_engine::{FileName, LockGuard, ReadFile, Storage, WriteFile};

use super::Volatile;

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
    /// Making a folder.
    MakeFolder,
    /// Opening a file for reading.
    Open,
    /// Reading from a file.
    Read,
    /// Listing a folder.
    List,
    /// Taking the lock.
    Lock,
}

impl Operation {
    /// All of them, for tables of tests.
    pub const ALL: [Self; 11] = [
        Self::Create,
        Self::Write,
        Self::Sync,
        Self::Rename,
        Self::SyncFolder,
        Self::Remove,
        Self::MakeFolder,
        Self::Open,
        Self::Read,
        Self::List,
        Self::Lock,
    ];
    /// Those that change what is on the disk.
    pub const CHANGING: [Self; 7] = [
        Self::Create,
        Self::Write,
        Self::Sync,
        Self::Rename,
        Self::SyncFolder,
        Self::Remove,
        Self::MakeFolder,
    ];

    fn changes(self) -> bool {
        Self::CHANGING.contains(&self)
    }
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and says so, once.
    Fails,
    /// It and all later ones of its sort.
    FailsForEver,
    /// It does its work and then says that it failed, once.
    FailsDone,
    /// A write takes the front half.
    Short,
    /// A failed sync makes the system forget what it should have written; later ones say yes.
    LosesPages,
}

impl Fault {
    /// All of them, for tables of tests.
    pub const ALL: [Self; 5] =
        [Self::Fails, Self::FailsForEver, Self::FailsDone, Self::Short, Self::LosesPages];

    /// Does it mean something for this operation?
    pub fn fits(self, operation: Operation) -> bool {
        match self {
            Self::Fails | Self::FailsForEver => true,
            Self::FailsDone => operation.changes(),
            Self::Short => operation == Operation::Write,
            Self::LosesPages => operation == Operation::Sync,
        }
    }
}

/// A storage with faults. Clones share them.
#[derive(Clone, Debug)]
pub struct Faulty {
    below: Arc<dyn Storage>,
    faults: Arc<Faults>,
}

#[derive(Debug)]
struct Faults {
    planned: Mutex<[Planned; Operation::ALL.len()]>,
    /// The disk that can forget what it has not synced.
    disk: Option<Volatile>,
    room: AtomicI64,
    steps: AtomicU64,
    last_step: AtomicU64,
}

/// What is planned for a sort of operation.
#[derive(Clone, Copy, Debug)]
struct Planned {
    seen: u64,
    at: u64,
    fault: Fault,
}

impl Faulty {
    /// A storage that does all it is asked, so far.
    pub fn over(below: Arc<dyn Storage>) -> Self {
        Self::new(below, None)
    }

    /// The same over a disk that can lose pages.
    pub fn over_disk(disk: &Volatile) -> Self {
        Self::new(disk.storage(), Some(disk.clone()))
    }

    fn new(below: Arc<dyn Storage>, disk: Option<Volatile>) -> Self {
        let none = Planned { seen: 0, at: u64::MAX, fault: Fault::Fails };
        let faults = Faults {
            planned: Mutex::new([none; Operation::ALL.len()]),
            disk,
            room: AtomicI64::new(i64::MAX),
            steps: AtomicU64::new(0),
            last_step: AtomicU64::new(u64::MAX),
        };
        Self { below, faults: Arc::new(faults) }
    }

    /// Fails one operation: the one after `after` more of its sort.
    pub fn fail_after(&self, operation: Operation, after: u64) {
        self.plan(operation, after, Fault::Fails);
    }

    /// The operation after `after` more of its sort meets a fault.
    pub fn plan(&self, operation: Operation, after: u64, fault: Fault) {
        let planned = &mut self.faults.planned()[operation as usize];
        planned.at = planned.seen.saturating_add(after);
        planned.fault = fault;
    }

    /// Did the fault happen?
    pub fn has_failed(&self, operation: Operation) -> bool {
        let planned = self.faults.planned()[operation as usize];
        planned.seen > planned.at
    }

    /// How many operations of a sort there were.
    pub fn seen(&self, operation: Operation) -> u64 {
        self.faults.planned()[operation as usize].seen
    }

    /// After `steps` more operations that change something no such one works any more: the
    /// machine is off.
    pub fn stop_after(&self, steps: u64) {
        let last = self.faults.steps.load(Ordering::SeqCst).saturating_add(steps);
        self.faults.last_step.store(last, Ordering::SeqCst);
    }

    /// Is the machine off?
    pub fn has_stopped(&self) -> bool {
        let faults = &self.faults;
        faults.steps.load(Ordering::SeqCst) > faults.last_step.load(Ordering::SeqCst)
    }

    /// Takes no more than `bytes` of further writing, until [`Faulty::release`]. A file that is
    /// removed makes room again.
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

fn failed(operation: Operation) -> Error {
    Error::other(format!("{operation:?} made to fail"))
}

impl Faults {
    fn planned(&self) -> MutexGuard<'_, [Planned; Operation::ALL.len()]> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation; gives the fault that it meets.
    fn meet(&self, operation: Operation) -> Result<Option<Fault>> {
        let last_step = self.last_step.load(Ordering::SeqCst);
        if operation.changes() && self.steps.fetch_add(1, Ordering::SeqCst) >= last_step {
            return Err(Error::other("the machine is off"));
        }
        let planned = &mut self.planned()[operation as usize];
        planned.seen += 1;
        let is_met = match planned.fault {
            Fault::FailsForEver => planned.seen > planned.at,
            _ => planned.seen == planned.at.saturating_add(1),
        };
        Ok(is_met.then_some(planned.fault))
    }

    /// Does an operation, unless a fault says otherwise.
    fn pass<T>(&self, operation: Operation, work: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.meet(operation)? {
            None => work(),
            Some(Fault::FailsDone) => work().and_then(|_| Err(failed(operation))),
            Some(_) => Err(failed(operation)),
        }
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

    fn give_room(&self, bytes: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let grow = |room: i64| (room != i64::MAX).then(|| room.saturating_add(bytes));
        let _before = self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, grow);
    }
}

impl Storage for Faulty {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        let file = self.faults.pass(Operation::Create, || self.below.create(path))?;
        Ok(Box::new(FaultyFile { below: file, faults: Arc::clone(&self.faults) }))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        let file = self.faults.pass(Operation::Open, || self.below.open(path))?;
        Ok(Arc::new(FaultyReader { below: file, faults: Arc::clone(&self.faults) }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.faults.pass(Operation::Rename, || self.below.rename(from, to))
    }

    fn remove(&self, path: &str) -> Result<()> {
        let bytes = self.below.open(path).and_then(|file| file.bytes()).unwrap_or(0);
        self.faults.pass(Operation::Remove, || self.below.remove(path))?;
        self.faults.give_room(bytes);
        Ok(())
    }

    fn list(&self, folder: &str) -> Result<Vec<FileName>> {
        self.faults.pass(Operation::List, || self.below.list(folder))
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        self.faults.pass(Operation::MakeFolder, || self.below.make_folder(folder))
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        self.faults.pass(Operation::SyncFolder, || self.below.sync_folder(folder))
    }

    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        self.faults.pass(Operation::Lock, || self.below.try_lock(path, holder))
    }

    fn is_locked(&self, path: &str) -> Result<bool> {
        self.below.is_locked(path)
    }

    fn sync_file(&self, path: &str) -> Result<()> {
        self.faults.pass(Operation::Sync, || self.below.sync_file(path))
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
        let fault = self.faults.meet(Operation::Write)?;
        let taken = match fault {
            Some(Fault::Fails | Fault::FailsForEver) => return Err(failed(Operation::Write)),
            Some(Fault::Short) => bytes.len() / 2,
            _ => self.faults.take_room(bytes.len()),
        };
        // A full disk takes the front of a write and refuses the rest.
        self.below.write_at(offset, bytes.get(..taken).unwrap_or(bytes))?;
        match fault {
            Some(_) => Err(failed(Operation::Write)),
            None if taken < bytes.len() => Err(ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }

    fn sync(&self) -> Result<()> {
        match (self.faults.meet(Operation::Sync)?, &self.faults.disk) {
            (None, _) => self.below.sync(),
            (Some(Fault::FailsDone), _) => {
                self.below.sync().and_then(|()| Err(failed(Operation::Sync)))
            }
            (Some(Fault::LosesPages), Some(disk)) => {
                disk.lose_next_sync();
                self.below.sync()
            }
            _ => Err(failed(Operation::Sync)),
        }
    }
}

#[derive(Debug)]
struct FaultyReader {
    below: Arc<dyn ReadFile>,
    faults: Arc<Faults>,
}

impl ReadFile for FaultyReader {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.faults.pass(Operation::Read, || self.below.read_at(offset, out))
    }

    fn bytes(&self) -> Result<u64> {
        self.below.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Survival, read_whole};

    fn on_a_disk() -> (Volatile, Faulty) {
        let disk = Volatile::new();
        let faulty = Faulty::over_disk(&disk);
        (disk, faulty)
    }

    #[test]
    fn a_fault_meets_the_operation_that_it_was_planned_for_and_no_other() {
        for (fault, later_works) in [(Fault::Fails, true), (Fault::FailsForEver, false)] {
            for operation in Operation::ALL {
                let (_, faulty) = on_a_disk();
                let try_it = || faulty.faults.pass(operation, || Ok(()));
                faulty.plan(operation, 1, fault);
                assert!(try_it().is_ok() && !faulty.has_failed(operation));
                assert!(try_it().is_err() && faulty.has_failed(operation));
                assert_eq!(try_it().is_ok(), later_works, "{operation:?} {fault:?}");
            }
        }
    }

    #[test]
    fn an_operation_may_be_done_and_say_that_it_failed() {
        let (disk, faulty) = on_a_disk();
        faulty.plan(Operation::Create, 0, Fault::FailsDone);
        assert!(faulty.create("x").is_err() && disk.open("x").is_ok());
        let file = faulty.create("y").unwrap();
        faulty.plan(Operation::Write, 0, Fault::Short);
        assert!(file.write_at(0, b"abcd").is_err());
        assert_eq!(read_whole(&disk, "y").unwrap(), b"ab");
    }

    #[test]
    fn a_sync_that_loses_pages_is_told_once_and_never_made_good() {
        let (disk, faulty) = on_a_disk();
        let file = faulty.create("x").unwrap();
        file.write_at(0, b"ab").unwrap();
        disk.sync_folder("").unwrap();
        faulty.plan(Operation::Sync, 0, Fault::LosesPages);
        assert!(file.sync().is_err() && file.sync().is_ok());
        assert_eq!(read_whole(&disk, "x").unwrap(), b"ab");
        let after = disk.after_power_cut(Survival::Everything);
        assert_eq!(read_whole(&after, "x").unwrap(), [0, 0]);
    }
}
