//! Files in memory, with the manners of a real folder.
//!
//! Clones share their files, as two handles on one folder do. A name points to a content and an
//! open file holds the content, so renaming and removing leave open files as they are. Everything
//! is durable at once; tests of crashes take a [`Memory::fork`] of the moment they are about.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{FileName, LockGuard, ReadFile, Storage, WriteFile};

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Guards the names, never the bytes: those have a lock per file.
    names: Arc<Mutex<Names>>,
}

#[derive(Debug, Default)]
struct Names {
    folders: BTreeSet<String>,
    files: BTreeMap<String, Arc<MemoryFile>>,
}

#[derive(Debug, Default)]
struct MemoryFile {
    bytes: RwLock<Vec<u8>>,
    locked: AtomicBool,
}

impl Memory {
    /// An empty place, without even the archive's own folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of everything as it is now, which no open file reaches and nobody has locked.
    #[must_use]
    pub fn fork(&self) -> Self {
        let names = self.names();
        let files = names.files.iter().map(|(path, content)| (path.clone(), content.copy()));
        let copy = Names { folders: names.folders.clone(), files: files.collect() };
        Self { names: Arc::new(Mutex::new(copy)) }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for Memory {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        let mut names = self.names();
        names.need_folder_of(path)?;
        if names.files.contains_key(path) || names.folders.contains(path) {
            return Err(Error::from(ErrorKind::AlreadyExists));
        }
        Ok(Box::new(Open(names.add(path))))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        let content = self.names().files.get(path).map(Arc::clone).ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(Open(content)))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut names = self.names();
        names.need_folder_of(to)?;
        let content = names.files.remove(from).ok_or(ErrorKind::NotFound)?;
        let _replaced = names.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.names().files.remove(path).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &str) -> Result<Vec<FileName>> {
        let names = self.names();
        let inside = names.files.iter().filter_map(|(path, content)| {
            let (parent, name) = split(path);
            (parent == folder).then(|| FileName { name: name.to_owned(), bytes: content.len() })
        });
        let mut inside: Vec<FileName> = inside.collect();
        inside.sort();
        Ok(inside)
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        let mut names = self.names();
        let _ = names.folders.insert(String::new());
        let _ = names.folders.insert(folder.to_owned());
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        self.names().need_folder(folder)
    }

    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        let mut names = self.names();
        names.need_folder_of(path)?;
        let content = match names.files.get(path) {
            Some(content) => Arc::clone(content),
            None => names.add(path),
        };
        if content.locked.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        content.replace(holder.as_bytes());
        let (names, path) = (Arc::clone(&self.names), path.to_owned());
        Ok(Some(Box::new(Guard { content, names, path })))
    }

    fn is_locked(&self, path: &str) -> Result<bool> {
        let names = self.names();
        Ok(names.files.get(path).is_some_and(|content| content.locked.load(Ordering::Acquire)))
    }

    fn sync_file(&self, path: &str) -> Result<()> {
        self.open(path).map(drop)
    }

    fn local_folder(&self, _folder: &str) -> Option<PathBuf> {
        None
    }
}

impl Names {
    fn need_folder(&self, folder: &str) -> Result<()> {
        if self.folders.contains(folder) { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    fn need_folder_of(&self, path: &str) -> Result<()> {
        self.need_folder(split(path).0)
    }

    fn add(&mut self, path: &str) -> Arc<MemoryFile> {
        Arc::clone(self.files.entry(path.to_owned()).or_default())
    }
}

/// Folder and name.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl MemoryFile {
    fn copy(&self) -> Arc<Self> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner).clone();
        Arc::new(Self { bytes: RwLock::new(bytes), locked: AtomicBool::new(false) })
    }

    fn len(&self) -> u64 {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    fn replace(&self, bytes: &[u8]) {
        bytes.clone_into(&mut self.bytes.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[derive(Debug)]
struct Guard {
    content: Arc<MemoryFile>,
    names: Arc<Mutex<Names>>,
    path: String,
}

impl LockGuard for Guard {
    fn still_held(&self) -> Result<bool> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(names.files.get(&self.path).is_some_and(|there| Arc::ptr_eq(there, &self.content)))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.content.locked.store(false, Ordering::Release);
    }
}

#[derive(Debug)]
struct Open(Arc<MemoryFile>);

impl WriteFile for Open {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let start = usize::try_from(offset).map_err(Error::other)?;
        let end = start.checked_add(bytes.len()).ok_or(ErrorKind::FileTooLarge)?;
        let mut content = self.0.bytes.write().unwrap_or_else(PoisonError::into_inner);
        if content.len() < end {
            content.resize(end, 0);
        }
        if let Some(place) = content.get_mut(start..end) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

impl ReadFile for Open {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let content = self.0.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(Error::other)?;
        let end = start.checked_add(out.len()).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(content.get(start..end).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn bytes(&self) -> Result<u64> {
        Ok(self.0.len())
    }
}
