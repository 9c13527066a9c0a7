//! A folder of a real file system.
//!
//! Syncs are `fdatasync` for files and `fsync` for folders, so a name is durable only after the
//! folder's own sync. The lock is the operating system's, tied to the open handle: it goes with
//! the process, however that ends.

#![expect(clippy::disallowed_methods, reason = "this is where `Storage` meets the file system")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(unix)]
use super::FileTable;
use super::{FileName, LockGuard, ReadFile, Storage, WriteFile};
#[cfg(unix)]
use crate::environment::Environment;

/// A folder of a real file system.
#[derive(Clone, Debug)]
pub struct Disk {
    folder: PathBuf,
    /// Where its open files are counted, if they are few.
    #[cfg(unix)]
    table: Option<Arc<FileTable>>,
}

impl Disk {
    /// The archive at `folder`; nothing is touched before it is used.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self {
            folder: folder.as_ref().to_owned(),
            #[cfg(unix)]
            table: None,
        }
    }

    /// The path of a file or folder; "" is the archive itself, without a slash at its end.
    fn place(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.folder.clone() } else { self.folder.join(path) }
    }
}

impl Storage for Disk {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        let place = self.place(path);
        let file = OpenOptions::new().write(true).create_new(true).open(&place)?;
        self.writer(file, place)
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        let place = self.place(path);
        let file = File::open(&place)?;
        if file.metadata()?.is_dir() {
            return Err(Error::from(ErrorKind::IsADirectory));
        }
        self.reader(file, place)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.place(from), self.place(to))?;
        self.renamed(&self.place(to));
        Ok(())
    }

    fn publish(&self, from: &str, to: &str) -> Result<()> {
        let (source, target) = (self.place(from), self.place(to));
        match fs::hard_link(&source, &target) {
            // Should this fail a `*.tmp` stays, which nobody reads.
            Ok(()) => drop(fs::remove_file(source)),
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => return Err(cause),
            // Not every file system has hard links.
            Err(_) if fs::symlink_metadata(&target).is_ok() => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Err(_) => fs::rename(source, &target)?,
        }
        self.renamed(&target);
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        let place = self.place(path);
        self.removing(&place)?;
        fs::remove_file(place)
    }

    fn list(&self, folder: &str) -> Result<Vec<FileName>> {
        let entries = match fs::read_dir(self.place(folder)) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(file_name(&entry?)?);
        }
        names.sort();
        Ok(names)
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        let place = self.place(folder);
        fs::create_dir_all(&place)?;
        // The archive's own name lives in a folder that `sync_folder` cannot reach.
        if folder.is_empty() { sync_parent(&place) } else { Ok(()) }
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        sync_names(&self.place(folder))
    }

    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        let mut options = OpenOptions::new();
        let _ = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(self.place(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(cause)) => return Err(cause),
        }
        // For people only: on a full disk the lock is held all the same, so that trash can go.
        let told = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
        told.unwrap_or_default();
        Ok(Some(Box::new(Guard { file, place: self.place(path) })))
    }

    fn is_locked(&self, path: &str) -> Result<bool> {
        let file = match File::open(self.place(path)) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(cause)) => Err(cause),
        }
    }

    fn sync_file(&self, path: &str) -> Result<()> {
        File::open(self.place(path))?.sync_all()
    }

    fn link(&self, file: &Path, path: &str) -> Result<()> {
        fs::hard_link(file, self.place(path))
    }

    #[cfg(unix)]
    fn within(&self, environment: &Environment) -> Option<Arc<dyn Storage>> {
        Some(Arc::new(self.with_table(environment.files())))
    }

    fn local_folder(&self, folder: &str) -> Option<PathBuf> {
        Some(self.place(folder))
    }
}

/// An entry that is a file; one that vanished since it was listed is none.
fn file_name(entry: &fs::DirEntry) -> Result<Option<FileName>> {
    let about = match entry.metadata() {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let name = entry.file_name().to_string_lossy().into_owned();
    Ok((!about.is_dir()).then_some(FileName { name, bytes: about.len() }))
}

fn sync_parent(place: &Path) -> Result<()> {
    match fs::canonicalize(place)?.parent() {
        Some(parent) => sync_names(parent),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn sync_names(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems have no handle to sync a folder by; their journals order names themselves.
#[cfg(not(unix))]
fn sync_names(folder: &Path) -> Result<()> {
    fs::metadata(folder).map(drop)
}

/// The open handle keeps the lock.
#[derive(Debug)]
struct Guard {
    file: File,
    place: PathBuf,
}

impl LockGuard for Guard {
    fn still_held(&self) -> Result<bool> {
        match fs::metadata(&self.place) {
            Ok(there) => Ok(is_same(&self.file.metadata()?, &there)),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(cause),
        }
    }
}

#[cfg(unix)]
fn is_same(held: &fs::Metadata, there: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

/// Other systems do not let an open file be moved or removed.
#[cfg(not(unix))]
fn is_same(_held: &fs::Metadata, _there: &fs::Metadata) -> bool {
    true
}

#[derive(Debug)]
struct Handle {
    file: File,
    /// Held over a seek and the read or write that needs it.
    #[cfg(not(unix))]
    position: std::sync::Mutex<()>,
}

impl WriteFile for Handle {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.write_all_at(offset, bytes)
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data()
    }
}

impl ReadFile for Handle {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.read_exact_at(offset, out)
    }

    fn bytes(&self) -> Result<u64> {
        self.file.metadata().map(|about| about.len())
    }
}

#[cfg(unix)]
impl Disk {
    pub(super) fn with_table(&self, table: Arc<FileTable>) -> Self {
        Self { table: Some(table), ..self.clone() }
    }

    fn reader(&self, file: File, place: PathBuf) -> Result<Arc<dyn ReadFile>> {
        Ok(match &self.table {
            Some(table) => Arc::new(table.take(file, place, false)?),
            None => Arc::new(Handle::new(file)),
        })
    }

    fn writer(&self, file: File, place: PathBuf) -> Result<Box<dyn WriteFile>> {
        Ok(match &self.table {
            Some(table) => Box::new(table.take(file, place, true)?),
            None => Box::new(Handle::new(file)),
        })
    }

    fn renamed(&self, place: &Path) {
        self.table.iter().for_each(|table| table.renamed(place));
    }

    fn removing(&self, place: &Path) -> Result<()> {
        self.table.iter().try_for_each(|table| table.removing(place))
    }
}

/// Other systems have no small limit of open files.
#[cfg(not(unix))]
impl Disk {
    fn reader(&self, file: File, _place: PathBuf) -> Result<Arc<dyn ReadFile>> {
        Ok(Arc::new(Handle::new(file)))
    }

    fn writer(&self, file: File, _place: PathBuf) -> Result<Box<dyn WriteFile>> {
        Ok(Box::new(Handle::new(file)))
    }

    fn renamed(&self, _place: &Path) {}

    fn removing(&self, _place: &Path) -> Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
impl Handle {
    fn new(file: File) -> Self {
        Self { file }
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, offset)
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, out, offset)
    }
}

#[cfg(not(unix))]
impl Handle {
    fn new(file: File) -> Self {
        Self { file, position: std::sync::Mutex::new(()) }
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let _turn = self.seek(offset)?;
        (&self.file).write_all(bytes)
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let _turn = self.seek(offset)?;
        std::io::Read::read_exact(&mut &self.file, out)
    }

    fn seek(&self, offset: u64) -> Result<std::sync::MutexGuard<'_, ()>> {
        let turn = self.position.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = std::io::Seek::seek(&mut &self.file, std::io::SeekFrom::Start(offset))?;
        Ok(turn)
    }
}
