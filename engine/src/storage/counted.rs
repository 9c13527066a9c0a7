//! A storage that counts the bytes written to it.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{FileName, LockGuard, ReadFile, Storage, WriteFile};

/// What is written through it is counted; everything goes to the storage below.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    below: Arc<dyn Storage>,
    written: Arc<AtomicU64>,
}

impl Counted {
    pub(crate) fn new(below: Arc<dyn Storage>, written: Arc<AtomicU64>) -> Self {
        Self { below, written }
    }
}

#[derive(Debug)]
struct CountedFile {
    below: Box<dyn WriteFile>,
    written: Arc<AtomicU64>,
}

impl WriteFile for CountedFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let _before = self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.below.write_at(offset, bytes)
    }

    fn sync(&self) -> Result<()> {
        self.below.sync()
    }
}

impl Storage for Counted {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        let (below, written) = (self.below.create(path)?, Arc::clone(&self.written));
        Ok(Box::new(CountedFile { below, written }))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        self.below.open(path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.below.rename(from, to)
    }

    fn publish(&self, from: &str, to: &str) -> Result<()> {
        self.below.publish(from, to)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.below.remove(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<FileName>> {
        self.below.list(folder)
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        self.below.make_folder(folder)
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        self.below.sync_folder(folder)
    }

    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        self.below.try_lock(path, holder)
    }

    fn link(&self, file: &Path, path: &str) -> Result<()> {
        self.below.link(file, path)
    }

    fn is_locked(&self, path: &str) -> Result<bool> {
        self.below.is_locked(path)
    }

    fn sync_file(&self, path: &str) -> Result<()> {
        self.below.sync_file(path)
    }

    fn local_folder(&self, folder: &str) -> Option<PathBuf> {
        self.below.local_folder(folder)
    }
}
