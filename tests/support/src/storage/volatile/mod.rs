//! A disk in memory that knows what it has not synced, and can lose it: a power cut.
//!
//! A file's writes are durable after its `sync`, names after `sync_folder`. A cut keeps the durable
//! part and, if asked, some of the rest in any order, as real disks do.

mod content;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatvault_engine::{FileName, LockGuard, ReadFile, Storage, WriteFile};

use crate::Random;
use content::{Content, Data};
use names::{Kept, Names, Node, folder_of};

/// What outlives a power cut beside what was synced.
#[derive(Clone, Debug)]
pub enum Survival {
    /// Nothing.
    OnlySynced,
    /// Everything, as if the system had written it back just in time.
    Everything,
    /// Names up to some step, with any of their data.
    NamesInOrder(Random),
    /// Any subset of names, pages, sectors and lengths.
    Some(Random),
    /// Every name and length, and zeros or old bytes in them.
    NamesWithoutData,
    /// Every page, in files that kept their names and lengths.
    DataWithoutNames,
}

impl Survival {
    /// How many models there are.
    pub const MODELS: u64 = 6;

    /// A model by number, with chance for those that need it.
    pub fn model(number: u64, random: Random) -> Self {
        match number % Self::MODELS {
            0 => Self::OnlySynced,
            1 => Self::Everything,
            2 => Self::NamesInOrder(random),
            3 => Self::Some(random),
            4 => Self::NamesWithoutData,
            _ => Self::DataWithoutNames,
        }
    }

    fn parts(self) -> (Kept, Data, Random) {
        let none = Random::new(0);
        match self {
            Self::OnlySynced => (Kept::Synced, Data::Synced, none),
            Self::Everything => (Kept::All, Data::All, none),
            Self::NamesInOrder(random) => (Kept::InOrder, Data::Some, random),
            Self::Some(random) => (Kept::Some, Data::Some, random),
            Self::NamesWithoutData => (Kept::All, Data::Length, none),
            Self::DataWithoutNames => (Kept::Synced, Data::Pages, none),
        }
    }
}

/// A disk in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Volatile(Arc<Mutex<Place>>);

#[derive(Debug, Default)]
struct Place {
    disk: Disk,
    /// The disk behind each operation, once somebody records.
    moments: Option<Vec<Disk>>,
    loses_next_sync: bool,
}

/// Everything that a disk is. A clone shares the pages, so one behind each operation is cheap.
#[derive(Clone, Debug, Default)]
struct Disk {
    names: Names,
    /// Removed ones too: somebody may have them open.
    files: BTreeMap<u64, Arc<Content>>,
    locks: BTreeSet<String>,
}

impl Volatile {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a machine finds after the power came back. Locks are gone; this disk stays as it is.
    #[must_use]
    pub fn after_power_cut(&self, survival: Survival) -> Self {
        let (kept, data, mut random) = survival.parts();
        let place = self.place();
        let names = place.disk.names.after_power_cut(kept, &mut random);
        let survive = |content: &Content| content.after_power_cut(data, &mut random);
        Self::around(place.disk.with(names, survive))
    }

    /// A copy with all bytes as they are now, as if all was synced, and no locks.
    #[must_use]
    pub fn fork(&self) -> Self {
        let place = self.place();
        Self::around(place.disk.with(place.disk.names.synced(), Content::synced))
    }

    /// A copy that another process finds after the one that held the locks was killed: nothing is
    /// lost, and nothing is synced that was not.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        Self::around(Disk { locks: BTreeSet::new(), ..self.place().disk.clone() })
    }

    /// Keeps the disk behind each operation that changes it, from now on.
    pub fn record(&self) {
        let mut place = self.place();
        place.moments = Some(vec![place.disk.clone()]);
    }

    /// How many moments there are: the one of now is the last.
    pub fn moments(&self) -> usize {
        self.place().moments.as_ref().map_or(0, Vec::len)
    }

    /// A disk as it was at a moment, locks included; the last one if there are fewer.
    #[must_use]
    pub fn at(&self, moment: usize) -> Self {
        let place = self.place();
        let moments = place.moments.as_deref().unwrap_or_default();
        Self::around(moments.get(moment).or(moments.last()).unwrap_or(&place.disk).clone())
    }

    /// Fails the next sync of a file, and forgets what it should have written: later syncs of it
    /// say yes.
    pub fn lose_next_sync(&self) {
        self.place().loses_next_sync = true;
    }

    /// As the engine takes it.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    fn around(disk: Disk) -> Self {
        Self(Arc::new(Mutex::new(Place { disk, ..Place::default() })))
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does an operation, and records what it made of the disk.
    fn change<T>(&self, operation: impl FnOnce(&mut Disk) -> Result<T>) -> Result<T> {
        let mut place = self.place();
        let done = operation(&mut place.disk)?;
        let Place { disk, moments, .. } = &mut *place;
        if let Some(moments) = moments {
            moments.push(disk.clone());
        }
        Ok(done)
    }
}

impl Disk {
    /// The files of these names, each changed.
    fn with(&self, names: Names, mut change: impl FnMut(&Content) -> Content) -> Self {
        let inside = names.now.values().filter_map(|node| match node {
            Node::File(number) => self.files.get(number).map(|content| (*number, content)),
            Node::Folder => None,
        });
        let files: BTreeMap<u64, &Arc<Content>> = inside.collect();
        let files = files.into_iter().map(|(number, content)| (number, Arc::new(change(content))));
        Self { files: files.collect(), names, locks: BTreeSet::new() }
    }

    fn add(&mut self, content: Content) -> u64 {
        let number = self.files.last_key_value().map_or(0, |(last, _)| last + 1);
        drop(self.files.insert(number, Arc::new(content)));
        number
    }

    fn file(&self, path: &str) -> Result<u64> {
        match self.names.now.get(path) {
            Some(Node::File(number)) => Ok(*number),
            Some(Node::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn need_folder(&self, folder: &str) -> Result<()> {
        if self.names.is_folder(folder) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, format!("there is no folder {folder}")))
    }

    fn content(&mut self, file: u64) -> Result<&mut Content> {
        self.files.get_mut(&file).map(Arc::make_mut).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Storage for Volatile {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        let file = self.change(|disk| {
            disk.need_folder(folder_of(path))?;
            if disk.names.now.contains_key(path) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            let file = disk.add(Content::default());
            disk.names.change(vec![(path.to_owned(), Some(Node::File(file)))]);
            Ok(file)
        })?;
        Ok(Box::new(Handle { disk: self.clone(), file }))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        let file = self.place().disk.file(path)?;
        Ok(Arc::new(Handle { disk: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.change(|disk| {
            disk.need_folder(folder_of(to))?;
            let file = disk.file(from)?;
            let new = (to.to_owned(), Some(Node::File(file)));
            disk.names.change(vec![(from.to_owned(), None), new]);
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.change(|disk| {
            let _ = disk.file(path)?;
            disk.names.change(vec![(path.to_owned(), None)]);
            Ok(())
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<FileName>> {
        let place = self.place();
        let inside = place.disk.names.now.iter().filter(|(path, _)| folder_of(path) == folder);
        let file = |(path, node): (&String, &Node)| {
            let Node::File(number) = node else { return None };
            let bytes = place.disk.files.get(number)?.bytes() as u64;
            Some(FileName { name: path.rsplit('/').next().unwrap_or_default().to_owned(), bytes })
        };
        Ok(inside.filter_map(file).collect())
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        if self.place().disk.names.is_folder(folder) {
            return Ok(());
        }
        self.change(|disk| {
            disk.names.change(vec![(folder.to_owned(), Some(Node::Folder))]);
            Ok(())
        })
    }

    fn sync_folder(&self, folder: &str) -> Result<()> {
        self.change(|disk| {
            disk.need_folder(folder)?;
            disk.names.sync(folder);
            Ok(())
        })
    }

    fn try_lock(&self, path: &str, holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        let taken = self.change(|disk| {
            // Who removed the file of a held lock can take another: that is another file.
            let held = disk.names.now.contains_key(path) && disk.locks.contains(path);
            if held {
                return Ok(None);
            }
            let _ = disk.locks.insert(path.to_owned());
            let file = disk.add(Content::of(holder.as_bytes()));
            disk.names.change(vec![(path.to_owned(), Some(Node::File(file)))]);
            Ok(Some(file))
        })?;
        let lock = |file| -> Box<dyn LockGuard> {
            Box::new(Lock { disk: self.clone(), path: path.to_owned(), file })
        };
        Ok(taken.map(lock))
    }

    fn is_locked(&self, path: &str) -> Result<bool> {
        Ok(self.place().disk.locks.contains(path))
    }

    fn sync_file(&self, path: &str) -> Result<()> {
        let file = self.place().disk.file(path)?;
        Handle { disk: self.clone(), file }.sync()
    }

    fn local_folder(&self, _folder: &str) -> Option<PathBuf> {
        None
    }
}

/// An open file: it stays what it is, whatever becomes of its name.
#[derive(Debug)]
struct Handle {
    disk: Volatile,
    file: u64,
}

impl WriteFile for Handle {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let offset = usize::try_from(offset).map_err(Error::other)?;
        self.disk.change(|disk| {
            disk.content(self.file)?.write(offset, bytes);
            Ok(())
        })
    }

    fn sync(&self) -> Result<()> {
        let is_lost = std::mem::take(&mut self.disk.place().loses_next_sync);
        self.disk.change(|disk| {
            let content = disk.content(self.file)?;
            if is_lost {
                content.forget_unsynced();
            } else {
                content.sync();
            }
            Ok(())
        })?;
        if is_lost { Err(Error::other("the sync failed, and the pages are gone")) } else { Ok(()) }
    }
}

impl ReadFile for Handle {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let offset = usize::try_from(offset).map_err(Error::other)?;
        let place = self.disk.place();
        let content = place.disk.files.get(&self.file).ok_or(ErrorKind::NotFound)?;
        if content.read(offset, out) { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn bytes(&self) -> Result<u64> {
        let place = self.disk.place();
        Ok(place.disk.files.get(&self.file).ok_or(ErrorKind::NotFound)?.bytes() as u64)
    }
}

#[derive(Debug)]
struct Lock {
    disk: Volatile,
    path: String,
    file: u64,
}

impl LockGuard for Lock {
    fn still_held(&self) -> Result<bool> {
        Ok(self.disk.place().disk.file(&self.path).is_ok_and(|there| there == self.file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.disk.place().disk.locks.remove(&self.path);
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
        disk.sync_folder("").unwrap();
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
        assert!(disk.after_kill().try_lock("LOCK", "you").unwrap().is_some());
        drop(held);
        assert!(disk.try_lock("LOCK", "you").unwrap().is_some());
    }

    #[test]
    fn a_moment_is_the_disk_behind_one_operation_and_stays_so() {
        let disk = Volatile::new();
        disk.record();
        let file = disk.create("x").unwrap();
        for (at, byte) in (0..).zip(b"abc") {
            file.write_at(at, &[*byte]).unwrap();
        }
        assert_eq!(disk.moments(), 5);
        let seen: Vec<_> = (1..5).map(|at| read_whole(&disk.at(at), "x").unwrap()).collect();
        assert_eq!(seen, [&b""[..], b"a", b"ab", b"abc"]);
        assert!(disk.at(0).list("").unwrap().is_empty());
    }

    #[test]
    fn what_a_killed_process_wrote_is_there_until_the_power_goes() {
        let disk = Volatile::new();
        drop(disk.create("x").unwrap());
        let killed = disk.after_kill();
        assert_eq!(killed.list("").unwrap().len(), 1);
        assert!(killed.after_power_cut(Survival::OnlySynced).list("").unwrap().is_empty());
    }
}
