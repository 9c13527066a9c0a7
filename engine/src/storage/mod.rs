//! The only door to a file system: what the archive asks of the place it lives in.
//!
//! Paths are relative to the archive, with `/` between folder and name, at most one folder deep.
//! Nothing here interprets bytes. [`Disk`] is a folder; [`Memory`] is for tests and trials, and
//! crash and fault tests wrap either.

#[cfg(test)]
pub(crate) mod bent;
mod counted;
mod disk;
mod memory;
#[cfg(unix)]
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod whole;

pub(crate) use counted::Counted;
pub use disk::Disk;
pub use memory::Memory;
#[cfg(unix)]
pub(crate) use table::FileTable;

use std::fmt::Debug;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::environment::Environment;

/// A place that holds an archive's files.
pub trait Storage: Send + Sync + Debug {
    /// Makes a new empty file for writing; `AlreadyExists` if the name is taken.
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>>;
    /// Opens a file for reading; it stays readable after a rename or removal.
    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>>;
    /// Gives a file another name, replacing what had it; durable after `sync_folder`.
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Gives a file a name that nobody has yet; `AlreadyExists` if somebody has. Durable after
    /// `sync_folder`. A storage that can look and name in one step overrides this.
    fn publish(&self, from: &str, to: &str) -> Result<()> {
        match self.open(to) {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(cause) if cause.kind() == ErrorKind::NotFound => self.rename(from, to),
            Err(cause) => Err(cause),
        }
    }
    /// Removes a file; durable after `sync_folder`.
    fn remove(&self, path: &str) -> Result<()>;
    /// The files of a folder in name order; an empty list if there is no such folder.
    fn list(&self, folder: &str) -> Result<Vec<FileName>>;
    /// Makes a folder (and the archive's own, for ""); not an error if it is there. A folder inside
    /// is durable after `sync_folder("")`, the archive's own when this returns. Everything
    /// but `list` and this says `NotFound` while the folder is missing.
    fn make_folder(&self, folder: &str) -> Result<()>;
    /// Makes the folder's names durable ("" is the archive's own folder).
    fn sync_folder(&self, folder: &str) -> Result<()>;
    /// Takes the exclusive lock on `path`, creating it and writing `holder` for people to read.
    /// `None`: somebody else has it. Dropping the guard gives it back, as does the process's end.
    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>>;
    /// Gives a file of the system's a second name in here; `Unsupported` if it cannot have one.
    fn link(&self, _file: &Path, _path: &str) -> Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
    /// Does somebody hold the lock on `path`? Asked by readers: writes nothing. `true` where it
    /// cannot be told.
    fn is_locked(&self, _path: &str) -> Result<bool> {
        Ok(true)
    }
    /// Makes what anybody wrote into a file before this call durable. Asked by readers, which
    /// cannot write; `Unsupported` where that takes a writer.
    fn sync_file(&self, _path: &str) -> Result<()> {
        Err(Error::from(ErrorKind::Unsupported))
    }
    /// The same place, whose open files count among those of an environment. `None` where an open
    /// file costs nothing, or where one cannot be told from another in its place.
    fn within(&self, _environment: &Environment) -> Option<Arc<dyn Storage>> {
        None
    }
    /// A real folder for the catalog, if this storage has folders; `None` keeps it in memory.
    fn local_folder(&self, folder: &str) -> Option<PathBuf>;
}

/// A file as [`Storage::list`] sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// The name inside its folder.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A file that is being written. Calls may come from several threads.
pub trait WriteFile: Send + Sync + Debug {
    /// Writes all bytes at an offset, growing the file as needed.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Makes what was written before this call durable. After an error nothing is known.
    fn sync(&self) -> Result<()>;
}

/// A file that is being read.
pub trait ReadFile: Send + Sync + Debug {
    /// Fills `out` from an offset; `UnexpectedEof` if the file is shorter.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()>;
    /// The length in bytes now.
    fn bytes(&self) -> Result<u64>;
}

/// Proof of holding a lock.
pub trait LockGuard: Send + Sync + Debug {
    /// Is the lock that is held still the one under its path? `false` once the archive was moved
    /// or replaced, or the file removed: then another writer may be in the archive at that path.
    fn still_held(&self) -> Result<bool> {
        Ok(true)
    }
}
