//! Storages that tests bend: what a test does not bend goes to the storage below.

use std::fmt::Debug;
use std::io::Result;
use std::path::PathBuf;
use std::sync::Arc;

use super::{FileName, LockGuard, ReadFile, Storage, WriteFile};

/// What a test may bend.
pub(crate) trait Bend: Debug + Send + Sync {
    /// The storage that does what is asked.
    fn below(&self) -> &dyn Storage;
    /// A new file.
    fn created(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        self.below().create(path)
    }
    /// A file that is read.
    fn opened(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        self.below().open(path)
    }
    /// A file that a reader syncs.
    fn synced(&self, path: &str) -> Result<()> {
        self.below().sync_file(path)
    }
}

impl<B: Bend> Storage for B {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        self.created(path)
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        self.opened(path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.below().rename(from, to)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.below().remove(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<FileName>> {
        self.below().list(folder)
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        self.below().make_folder(folder)
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        self.below().sync_folder(folder)
    }

    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        self.below().try_lock(path, holder)
    }

    fn is_locked(&self, path: &str) -> Result<bool> {
        self.below().is_locked(path)
    }

    fn sync_file(&self, path: &str) -> Result<()> {
        self.synced(path)
    }

    fn local_folder(&self, folder: &str) -> Option<PathBuf> {
        self.below().local_folder(folder)
    }
}
