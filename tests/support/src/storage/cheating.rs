//! Storage that says yes and does something else: faults planted to see that tests find them.

use std::collections::BTreeMap;
use std::io::Result;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chatvault_engine::{FileName, LockGuard, ReadFile, Storage, WriteFile};

/// A promise of storage that is broken without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    /// Syncs of files do nothing.
    SkipsFileSync,
    /// Syncs of journal files do nothing.
    SkipsJournalSync,
    /// Syncs of files that are about to be sealed do nothing.
    SkipsSealedSync,
    /// Syncs of folders do nothing.
    SkipsFolderSync,
    /// Syncs of the folder of manifests do nothing.
    SkipsManifestFolderSync,
    /// Listing a folder leaves out the last name.
    ForgetsName,
    /// Listing a folder gives what it gave the first time.
    ListsStale,
    /// An opened file reads as it was when it was first opened under that name.
    ReadsStale,
    /// Every 7th read has a wrong bit.
    FlipsBit,
    /// Every 5th write goes nowhere.
    LosesWrite,
    /// Every 5th write takes its front half only.
    CutsWrite,
    /// Every 5th write lands a sector later.
    MisplacesWrite,
    /// Everybody gets the lock.
    LendsLock,
}

impl Cheat {
    /// All of them, for tables of tests.
    pub const ALL: [Self; 13] = [
        Self::SkipsFileSync,
        Self::SkipsJournalSync,
        Self::SkipsSealedSync,
        Self::SkipsFolderSync,
        Self::SkipsManifestFolderSync,
        Self::ForgetsName,
        Self::ListsStale,
        Self::ReadsStale,
        Self::FlipsBit,
        Self::LosesWrite,
        Self::CutsWrite,
        Self::MisplacesWrite,
        Self::LendsLock,
    ];
}

/// A storage that cheats in one way. Clones share what it remembers.
#[derive(Clone, Debug)]
pub struct Cheating {
    below: Arc<dyn Storage>,
    cheat: Cheat,
    memory: Arc<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    operations: AtomicU64,
    listed: Mutex<BTreeMap<String, Vec<FileName>>>,
    read: Mutex<BTreeMap<String, Arc<Vec<u8>>>>,
}

impl Memory {
    /// Is it the turn of one in `every`?
    fn is_turn(&self, every: u64) -> bool {
        (self.operations.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(every)
    }
}

impl Cheating {
    /// As the engine takes it.
    pub fn over(below: Arc<dyn Storage>, cheat: Cheat) -> Arc<dyn Storage> {
        Arc::new(Self { below, cheat, memory: Arc::default() })
    }

    fn skips_sync_of(&self, path: &str) -> bool {
        match self.cheat {
            Cheat::SkipsFileSync => true,
            Cheat::SkipsJournalSync => path.starts_with("journal/"),
            Cheat::SkipsSealedSync => !path.starts_with("journal/"),
            _ => false,
        }
    }
}

impl Storage for Cheating {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        let (below, memory) = (self.below.create(path)?, Arc::clone(&self.memory));
        let skips_sync = self.skips_sync_of(path);
        Ok(Box::new(CheatingFile { below, cheat: self.cheat, memory, skips_sync }))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        let below = self.below.open(path)?;
        if self.cheat != Cheat::ReadsStale {
            let memory = Arc::clone(&self.memory);
            return Ok(Arc::new(CheatingReader { below, cheat: self.cheat, memory }));
        }
        let mut read = self.memory.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = read.get(path) {
            return Ok(Arc::new(Stale(Arc::clone(bytes))));
        }
        let bytes = Arc::new(super::read_whole(&*self.below, path)?);
        drop(read.insert(path.to_owned(), Arc::clone(&bytes)));
        Ok(Arc::new(Stale(bytes)))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.below.rename(from, to)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.below.remove(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<FileName>> {
        let mut files = self.below.list(folder)?;
        match self.cheat {
            Cheat::ForgetsName if files.len() > 1 => drop(files.pop()),
            Cheat::ListsStale if !files.is_empty() => {
                let mut listed = self.memory.listed.lock().unwrap_or_else(PoisonError::into_inner);
                return Ok(listed.entry(folder.to_owned()).or_insert(files).clone());
            }
            _ => {}
        }
        Ok(files)
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        self.below.make_folder(folder)
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        match (self.cheat, folder) {
            (Cheat::SkipsFolderSync, _) | (Cheat::SkipsManifestFolderSync, "manifest") => Ok(()),
            _ => self.below.sync_folder(folder),
        }
    }

    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        match self.below.try_lock(path, holder)? {
            None if self.cheat == Cheat::LendsLock => Ok(Some(Box::new(NoLock))),
            lock => Ok(lock),
        }
    }

    fn is_locked(&self, path: &str) -> Result<bool> {
        self.below.is_locked(path)
    }

    fn sync_file(&self, path: &str) -> Result<()> {
        if self.skips_sync_of(path) { Ok(()) } else { self.below.sync_file(path) }
    }

    fn local_folder(&self, folder: &str) -> Option<PathBuf> {
        self.below.local_folder(folder)
    }
}

#[derive(Debug)]
struct NoLock;

impl LockGuard for NoLock {}

#[derive(Debug)]
struct CheatingFile {
    below: Box<dyn WriteFile>,
    cheat: Cheat,
    memory: Arc<Memory>,
    skips_sync: bool,
}

impl WriteFile for CheatingFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let cheats = [Cheat::LosesWrite, Cheat::CutsWrite, Cheat::MisplacesWrite];
        if !cheats.contains(&self.cheat) || !self.memory.is_turn(5) {
            return self.below.write_at(offset, bytes);
        }
        match self.cheat {
            Cheat::LosesWrite => Ok(()),
            Cheat::CutsWrite => self.below.write_at(offset, &bytes[..bytes.len() / 2]),
            _ => self.below.write_at(offset + 512, bytes),
        }
    }

    fn sync(&self) -> Result<()> {
        if self.skips_sync { Ok(()) } else { self.below.sync() }
    }
}

#[derive(Debug)]
struct CheatingReader {
    below: Arc<dyn ReadFile>,
    cheat: Cheat,
    memory: Arc<Memory>,
}

impl ReadFile for CheatingReader {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.below.read_at(offset, out)?;
        if self.cheat == Cheat::FlipsBit && self.memory.is_turn(7) {
            let middle = out.len() / 2;
            out.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 4);
        }
        Ok(())
    }

    fn bytes(&self) -> Result<u64> {
        self.below.bytes()
    }
}

/// A file as it once was.
#[derive(Debug)]
struct Stale(Arc<Vec<u8>>);

impl ReadFile for Stale {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).map_err(std::io::Error::other)?;
        let bytes = self.0.get(start..start.saturating_add(out.len()));
        out.copy_from_slice(bytes.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn bytes(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }
}
