//! The folder of the index, as tantivy wants to see one: over the archive's own storage.
//!
//! So the index is on whatever the archive is on, its files are read by position and not mapped, and
//! tests can take the power away from both. Locks are not tantivy's business: who builds holds the
//! lock of the folder, and a reader that a file was taken from opens the index again.

use std::io::{self, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chatvault_engine::Storage;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, WatchCallback, WatchHandle, WritePtr,
};

use super::file::{Reader, Writer, encoded};

/// The folder's name in the archive.
pub(super) const FOLDER: &str = "search";
/// The name of the lock in it.
pub(super) const LOCK: &str = "LOCK";
/// What tantivy calls the file that names all others.
pub(super) const META: &str = "meta.json";

/// The index's files.
#[derive(Clone, Debug)]
pub(super) struct Folder(pub(super) Arc<dyn Storage>);

impl Folder {
    fn open(&self, path: &Path) -> Result<Reader, OpenReadError> {
        let fail = |cause: io::Error| match cause.kind() {
            ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_owned()),
            _ => OpenReadError::wrap_io_error(cause, path.to_owned()),
        };
        let name = place(path).map_err(fail)?;
        let file = self.0.open(&name).map_err(fail)?;
        Reader::new(name, file).map_err(fail)
    }

    /// Removes everything but the lock.
    pub(super) fn clear(&self) -> io::Result<bool> {
        // First what makes an index of it: the rest is then of no use to anybody.
        let mut names: Vec<String> =
            self.0.list(FOLDER)?.into_iter().map(|file| file.name).collect();
        names.retain(|name| name != LOCK);
        names.sort_by_key(|name| name != META);
        for name in &names {
            remove(&*self.0, &format!("{FOLDER}/{name}"))?;
            if name == META {
                self.0.sync_folder(FOLDER)?;
            }
        }
        Ok(!names.is_empty())
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.list(FOLDER)?.iter().map(|file| file.bytes).sum())
    }
}

/// The storage's path of a file; tantivy's names are plain ones.
fn place(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some(name) if !name.contains(['/', '\\']) => Ok(format!("{FOLDER}/{name}")),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "not the name of a file")),
    }
}

fn remove(storage: &dyn Storage, path: &str) -> io::Result<()> {
    match storage.remove(path) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

impl Directory for Folder {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(self.open(path)?))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let removed = place(path).and_then(|name| self.0.remove(&name));
        removed.map_err(|cause| match cause.kind() {
            ErrorKind::NotFound => DeleteError::FileDoesNotExist(path.to_owned()),
            _ => DeleteError::IoError { io_error: Arc::new(cause), filepath: path.to_owned() },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        match self.open(path) {
            Ok(_) => Ok(true),
            Err(OpenReadError::FileDoesNotExist(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let created = place(path).and_then(|name| self.0.create(&name));
        let file = created.map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.to_owned()),
            _ => OpenWriteError::wrap_io_error(cause, path.to_owned()),
        })?;
        Ok(BufWriter::new(Box::new(Writer::new(file))))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let fail = |cause| OpenReadError::wrap_io_error(cause, path.to_owned());
        self.open(path)?.read_all().map_err(fail)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let name = place(path)?;
        let temporary = format!("{name}.tmp");
        remove(&*self.0, &temporary)?;
        let file = self.0.create(&temporary)?;
        file.write_at(0, &encoded(data))?;
        file.sync()?;
        self.0.rename(&temporary, &name)?;
        self.0.sync_folder(FOLDER)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_folder(FOLDER)
    }

    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(PathBuf::new())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
