//! A disk in memory that knows what it has not synced, and can lose it: a power cut.
//!
//! A file's writes are durable after its `sync`, names after `sync_folder`. A cut keeps the durable
//! part and, if asked, some of the rest in any order, as real disks do: whole writes or torn ones.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatvault_engine::{FileName, LockGuard, ReadFile, Storage, WriteFile};

use crate::Random;

/// What outlives a power cut beside what was synced.
#[derive(Clone, Debug)]
pub enum Survival {
    /// Nothing.
    OnlySynced,
    /// Some unsynced writes, some of them torn, and some names.
    Some(Random),
}

/// A disk in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Volatile(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    now: Names,
    durable: Names,
    folders: Vec<String>,
    locks: BTreeSet<String>,
}

type Names = BTreeMap<String, File>;
type File = Arc<Mutex<Content>>;

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset.saturating_add(bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

impl Volatile {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a machine finds after the power came back. Locks are gone; this disk stays as it is.
    #[must_use]
    pub fn after_power_cut(&self, mut survival: Survival) -> Self {
        let disk = locked(&self.0);
        let mut names = disk.durable.clone();
        if let Survival::Some(random) = &mut survival {
            change_some_names(&mut names, &disk.now, random);
        }
        let survive = |file: &File| Arc::new(Mutex::new(locked(file).survivor(&mut survival)));
        Self::with_names(&names, disk.folders.clone(), survive)
    }

    /// A copy with all bytes as they are now, written or synced, and no locks.
    #[must_use]
    pub fn fork(&self) -> Self {
        let disk = locked(&self.0);
        let copy = |file: &File| Arc::new(Mutex::new(Content::synced(locked(file).now.clone())));
        Self::with_names(&disk.now, disk.folders.clone(), copy)
    }

    fn with_names(
        names: &Names,
        folders: Vec<String>,
        mut copy: impl FnMut(&File) -> File,
    ) -> Self {
        let names: Names = names.iter().map(|(name, file)| (name.clone(), copy(file))).collect();
        let disk = Disk { durable: names.clone(), now: names, folders, ..Disk::default() };
        Self(Arc::new(Mutex::new(disk)))
    }

    /// As the engine takes it.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }
}

/// Folders that were not synced: some names made it, some did not.
fn change_some_names(durable: &mut Names, now: &Names, random: &mut Random) {
    for (name, file) in now {
        if random.chance(50) {
            drop(durable.insert(name.clone(), Arc::clone(file)));
        }
    }
    let gone = |name: &String| !now.contains_key(name);
    durable.retain(|name, _| !gone(name) || random.chance(50));
}

impl Content {
    fn synced(bytes: Vec<u8>) -> Self {
        Self { durable: bytes.clone(), now: bytes, unsynced: Vec::new() }
    }

    fn survivor(&self, survival: &mut Survival) -> Self {
        let mut bytes = self.durable.clone();
        if let Survival::Some(random) = survival {
            for (offset, written) in &self.unsynced {
                let kept = surviving_bytes(written.len(), random);
                overwrite(&mut bytes, *offset, written.get(..kept).unwrap_or_default());
            }
        }
        Self::synced(bytes)
    }
}

/// All of a write, the front of it, or nothing.
fn surviving_bytes(length: usize, random: &mut Random) -> usize {
    match random.below(3) {
        0 => 0,
        1 => random.index(length),
        _ => length,
    }
}

impl Storage for Volatile {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        let mut disk = locked(&self.0);
        if disk.now.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let folder = folder_of(path);
        if !folder.is_empty() && !disk.folders.iter().any(|known| known == folder) {
            return Err(Error::new(ErrorKind::NotFound, format!("no folder for {path}")));
        }
        let file = File::default();
        drop(disk.now.insert(path.to_owned(), Arc::clone(&file)));
        Ok(Box::new(Handle(file)))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        let disk = locked(&self.0);
        let file = disk.now.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(Handle(Arc::clone(file))))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut disk = locked(&self.0);
        let file = disk.now.remove(from).ok_or(ErrorKind::NotFound)?;
        drop(disk.now.insert(to.to_owned(), file));
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        let removed = locked(&self.0).now.remove(path);
        removed.map(|_| ()).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &str) -> Result<Vec<FileName>> {
        let disk = locked(&self.0);
        let inside = disk.now.iter().filter(|(path, _)| folder_of(path) == folder);
        let entry = |(path, file): (&String, &File)| FileName {
            name: path.rsplit('/').next().unwrap_or_default().to_owned(),
            bytes: locked(file).now.len() as u64,
        };
        Ok(inside.map(entry).collect())
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        let mut disk = locked(&self.0);
        if !disk.folders.iter().any(|known| known == folder) {
            disk.folders.push(folder.to_owned());
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        let mut disk = locked(&self.0);
        let inside = |path: &String| folder_of(path) == folder;
        disk.durable.retain(|path, _| !inside(path));
        let names: Vec<_> = disk.now.iter().filter(|(path, _)| inside(path)).collect();
        let names: Names =
            names.into_iter().map(|(path, file)| (path.clone(), Arc::clone(file))).collect();
        disk.durable.extend(names);
        Ok(())
    }

    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        let mut disk = locked(&self.0);
        if disk.locks.contains(path) {
            return Ok(None);
        }
        let content = Content::synced(holder.as_bytes().to_vec());
        drop(disk.now.insert(path.to_owned(), Arc::new(Mutex::new(content))));
        let _ = disk.locks.insert(path.to_owned());
        Ok(Some(Box::new(Lock { disk: self.clone(), path: path.to_owned() })))
    }

    fn local_folder(&self, _folder: &str) -> Option<PathBuf> {
        None
    }
}

#[derive(Debug)]
struct Handle(File);

impl WriteFile for Handle {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let offset = usize::try_from(offset).map_err(Error::other)?;
        let mut content = locked(&self.0);
        overwrite(&mut content.now, offset, bytes);
        content.unsynced.push((offset, bytes.to_vec()));
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut content = locked(&self.0);
        let Content { durable, unsynced, .. } = &mut *content;
        for (offset, bytes) in unsynced.drain(..) {
            overwrite(durable, offset, &bytes);
        }
        Ok(())
    }
}

impl ReadFile for Handle {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let content = locked(&self.0);
        let offset = usize::try_from(offset).map_err(Error::other)?;
        let range = offset..offset.saturating_add(out.len());
        out.copy_from_slice(content.now.get(range).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn bytes(&self) -> Result<u64> {
        Ok(locked(&self.0).now.len() as u64)
    }
}

#[derive(Debug)]
struct Lock {
    disk: Volatile,
    path: String,
}

impl LockGuard for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = locked(&self.disk.0).locks.remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::read_whole;

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_nothing_else() {
        let disk = Volatile::new();
        disk.make_folder("a").unwrap();
        let file = disk.create("a/kept").unwrap();
        file.write_at(0, b"synced").unwrap();
        file.sync().unwrap();
        disk.sync_folder("a").unwrap();
        file.write_at(6, b" and not").unwrap();
        let unnamed = disk.create("a/unnamed").unwrap();
        unnamed.sync().unwrap();
        let after = disk.after_power_cut(Survival::OnlySynced);
        assert_eq!(read_whole(&after, "a/kept").unwrap(), b"synced");
        assert_eq!(after.list("a").unwrap().len(), 1);
        assert_eq!(read_whole(&disk, "a/kept").unwrap(), b"synced and not");
    }

    #[test]
    fn a_lock_is_held_once_and_given_back() {
        let disk = Volatile::new();
        let held = disk.try_lock("LOCK", "me").unwrap();
        assert!(held.is_some() && disk.try_lock("LOCK", "you").unwrap().is_none());
        drop(held);
        assert!(disk.try_lock("LOCK", "you").unwrap().is_some());
    }
}
