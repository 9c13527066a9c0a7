//! Open files of many archives: those that were used last, up to a limit.
//!
//! A file that was closed is opened again by its name when it is used, also where it went in
//! `trash/`. Invariants: it is the file that was opened first, by its device and inode, and no other
//! one in its place; nobody's handle is closed while he uses it; a file is closed only once all that
//! was written into it is synced; one that is removed stays open until nobody has it.

#![expect(clippy::disallowed_methods, reason = "this is where `Storage` meets the file system")]

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{ReadFile, WriteFile};
use crate::format::names::TRASH;

/// Fewer would be closed while a merge goes from one to the next.
const LEAST_FILES: usize = 8;

/// The device and inode of a file.
type Identity = (u64, u64);

/// The open files of an environment.
#[derive(Debug)]
pub(crate) struct FileTable {
    limit: usize,
    clock: AtomicU64,
    /// Held for a moment, never over I/O but that of closing. Taken before a file's own lock.
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// Those that may be closed.
    open: Vec<Arc<TabledFile>>,
    /// Those that somebody has, open or not.
    known: HashMap<Identity, Vec<Weak<TabledFile>>>,
}

#[derive(Debug)]
struct TabledFile {
    identity: Identity,
    writes: bool,
    /// When it was used last, by the table's clock.
    used: AtomicU64,
    /// Held over opening, never over reading or writing.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    path: PathBuf,
    file: Option<Arc<File>>,
    /// How often it was written and, of these, how often when it was synced last.
    written: u64,
    synced: u64,
    /// It has no name any more: what is closed cannot be opened again.
    removed: bool,
    /// Why its last sync failed, which nobody was told.
    failed: Option<Error>,
}

impl FileTable {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.max(LEAST_FILES);
        Self { limit, clock: AtomicU64::new(0), entries: Mutex::default() }
    }

    /// Takes a file in that was opened just now.
    pub(super) fn take(
        self: &Arc<Self>,
        file: File,
        path: PathBuf,
        writes: bool,
    ) -> Result<TableFile> {
        let identity = identity(&file.metadata()?);
        let file = Some(Arc::new(file));
        let state = State { path, file, written: 0, synced: 0, removed: false, failed: None };
        let entry = Arc::new(TabledFile {
            identity,
            writes,
            used: AtomicU64::new(0),
            state: Mutex::new(state),
        });
        self.entries().known.entry(identity).or_default().push(Arc::downgrade(&entry));
        self.enter(&entry);
        Ok(TableFile { table: Arc::clone(self), entry })
    }

    /// A file has another name now.
    pub(super) fn renamed(&self, path: &Path) {
        let Ok(there) = fs::metadata(path) else { return };
        for entry in self.known(identity(&there)) {
            path.clone_into(&mut entry.state().path);
        }
    }

    /// A name is about to be removed: whoever has the file keeps it open from now on.
    pub(super) fn removing(&self, path: &Path) -> Result<()> {
        let Ok(there) = fs::metadata(path) else { return Ok(()) };
        for entry in self.known(identity(&there)) {
            let mut state = entry.state();
            drop(entry.open(&mut state)?);
            state.removed = true;
            drop(state);
            self.leave(&entry);
        }
        Ok(())
    }

    fn known(&self, identity: Identity) -> Vec<Arc<TabledFile>> {
        let entries = self.entries();
        let known = entries.known.get(&identity).into_iter().flatten();
        known.filter_map(Weak::upgrade).collect()
    }

    /// Counts an open file, and closes others that were not used for longest.
    fn enter(&self, entry: &Arc<TabledFile>) {
        self.touch(entry);
        let mut entries = self.entries();
        if !entries.open.iter().any(|there| Arc::ptr_eq(there, entry)) {
            entries.open.push(Arc::clone(entry));
        }
        let mut surplus = entries.open.len().saturating_sub(self.limit);
        if surplus == 0 {
            return;
        }
        // Each time is read once: they change meanwhile.
        entries.open.sort_by_cached_key(|entry| entry.used.load(Ordering::Relaxed));
        entries.open.retain(|there| {
            let closed = surplus > 0 && !Arc::ptr_eq(there, entry) && there.close_if_clean();
            surplus -= usize::from(closed);
            !closed
        });
        let unsynced: Vec<Arc<TabledFile>> = entries.open.iter().take(surplus).cloned().collect();
        drop(entries);
        for other in unsynced.iter().filter(|other| !Arc::ptr_eq(other, entry)) {
            if other.sync_and_close() {
                self.leave(other);
            }
        }
    }

    fn leave(&self, entry: &Arc<TabledFile>) {
        self.entries().open.retain(|there| !Arc::ptr_eq(there, entry));
    }

    fn touch(&self, entry: &TabledFile) {
        entry.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TabledFile {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handle, and whether the file had to be opened for it.
    fn open(&self, state: &mut State) -> Result<(Arc<File>, bool)> {
        if let Some(file) = &state.file {
            return Ok((Arc::clone(file), false));
        }
        let found = match self.open_at(&state.path)? {
            Some(file) => file,
            None => self.open_in_trash(&state.path)?,
        };
        let file = Arc::new(found);
        state.file = Some(Arc::clone(&file));
        Ok((file, true))
    }

    /// The file at a path, if it is this one.
    fn open_at(&self, path: &Path) -> Result<Option<File>> {
        let opened = OpenOptions::new().read(!self.writes).write(self.writes).open(path);
        let file = match opened {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        Ok((identity(&file.metadata()?) == self.identity).then_some(file))
    }

    /// Another process may have moved it there.
    fn open_in_trash(&self, path: &Path) -> Result<File> {
        let folder = path.parent().and_then(Path::parent).filter(|_| !self.writes);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let names = folder.and_then(|folder| fs::read_dir(folder.join(TRASH)).ok());
        for item in names.into_iter().flatten() {
            let item = item?;
            if item.file_name().to_string_lossy().ends_with(&*name)
                && let Some(file) = self.open_at(&item.path())?
            {
                return Ok(file);
            }
        }
        Err(Error::other("the file was moved, removed or replaced since it was opened first"))
    }

    /// Closes the file, unless somebody uses it or has written into it.
    fn close_if_clean(&self) -> bool {
        let mut state = self.state();
        let free = state.file.as_ref().is_none_or(|file| Arc::strong_count(file) == 1);
        let closes = free && !state.removed && state.written == state.synced;
        if closes {
            state.file = None;
        }
        closes
    }

    /// The same, once what was written is durable. Should that fail, whoever syncs is told.
    fn sync_and_close(&self) -> bool {
        let mut state = self.state();
        let free = |file: &Arc<File>| Arc::strong_count(file) == 2;
        let Some(file) = state.file.clone().filter(free) else { return false };
        if state.removed || state.failed.is_some() {
            return false;
        }
        match file.sync_data() {
            Ok(()) => {
                state.synced = state.written;
                state.file = None;
                true
            }
            Err(cause) => {
                state.failed = Some(cause);
                false
            }
        }
    }
}

/// A file of a table.
#[derive(Debug)]
pub(super) struct TableFile {
    table: Arc<FileTable>,
    entry: Arc<TabledFile>,
}

impl TableFile {
    /// The handle, open as long as the caller has it.
    fn file(&self, with: impl FnOnce(&mut State) -> Result<()>) -> Result<Arc<File>> {
        let mut state = self.entry.state();
        with(&mut state)?;
        let (file, opened) = self.entry.open(&mut state)?;
        drop(state);
        if opened {
            self.table.enter(&self.entry);
        } else {
            self.table.touch(&self.entry);
        }
        Ok(file)
    }
}

impl Drop for TableFile {
    fn drop(&mut self) {
        self.table.leave(&self.entry);
        let mut entries = self.table.entries();
        if let Some(known) = entries.known.get_mut(&self.entry.identity) {
            known.retain(|there| !std::ptr::eq(there.as_ptr(), Arc::as_ptr(&self.entry)));
            if known.is_empty() {
                drop(entries.known.remove(&self.entry.identity));
            }
        }
    }
}

impl ReadFile for TableFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.file(|_| Ok(()))?.read_exact_at(out, offset)
    }

    fn bytes(&self) -> Result<u64> {
        self.file(|_| Ok(()))?.metadata().map(|about| about.len())
    }
}

impl WriteFile for TableFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let file = self.file(|state| {
            state.written += 1;
            Ok(())
        })?;
        file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> Result<()> {
        let mut written = 0;
        let file = self.file(|state| {
            written = state.written;
            state.failed.take().map_or(Ok(()), Err)
        })?;
        file.sync_data()?;
        let mut state = self.entry.state();
        state.synced = state.synced.max(written);
        Ok(())
    }
}

fn identity(about: &fs::Metadata) -> Identity {
    (about.dev(), about.ino())
}

#[cfg(test)]
mod tests {
    use super::super::{Disk, Storage};
    use super::*;

    fn disk(folder: &Path, table: &Arc<FileTable>) -> Disk {
        let disk = Disk::new(folder).with_table(Arc::clone(table));
        for name in ["", "segments", TRASH] {
            disk.make_folder(name).unwrap();
        }
        disk
    }

    fn open_files(table: &FileTable) -> usize {
        table.entries().open.len()
    }

    fn path(number: u8) -> String {
        format!("segments/{number}.seg")
    }

    fn read(file: &dyn ReadFile) -> Result<u8> {
        let mut byte = [0];
        file.read_at(0, &mut byte).map(|()| byte[0])
    }

    /// Files 0 to 39, each of one byte, open for reading.
    fn forty(disk: &Disk) -> Vec<Arc<dyn ReadFile>> {
        let make = |number: u8| {
            let file = disk.create(&path(number)).unwrap();
            file.write_at(0, &[number]).unwrap();
            file.sync().unwrap();
            disk.open(&path(number)).unwrap()
        };
        (0..40).map(make).collect()
    }

    #[test]
    fn few_files_are_open_and_all_can_be_read() {
        let (folder, table) = (tempfile::tempdir().unwrap(), Arc::new(FileTable::new(10)));
        let files = forty(&disk(folder.path(), &table));
        for round in 0..3_u8 {
            for (number, file) in (0_u8..).zip(&files) {
                assert_eq!(read(&**file).unwrap(), number, "round {round}");
                assert!(open_files(&table) <= 10);
            }
        }
        drop(files);
        assert_eq!((open_files(&table), table.entries().known.len()), (0, 0));
    }

    #[test]
    fn files_are_used_by_several_threads_while_others_are_closed() {
        let (folder, table) = (tempfile::tempdir().unwrap(), Arc::new(FileTable::new(30)));
        let files = forty(&disk(folder.path(), &table));
        let read_all = |step: u32| {
            for turn in 0..15_000_u32 {
                let number = u8::try_from(turn * step % 40).unwrap();
                assert_eq!(read(&*files[usize::from(number)]).unwrap(), number);
                // In use by each of the four at most.
                assert!(open_files(&table) <= 30 + 4);
            }
        };
        std::thread::scope(|scope| {
            for step in [1, 3, 7, 9] {
                let _reader = scope.spawn(move || read_all(step));
            }
        });
        assert!(open_files(&table) <= 30);
    }

    #[test]
    fn a_closed_file_is_found_where_it_went_and_stays_open_once_it_is_removed() {
        let (folder, table) = (tempfile::tempdir().unwrap(), Arc::new(FileTable::new(10)));
        let (ours, others) = (disk(folder.path(), &table), Disk::new(folder.path()));
        let files = forty(&ours);
        ours.rename(&path(1), "trash/1.1.1.seg").unwrap();
        // As another process does it.
        others.rename(&path(2), "trash/1.1.2.seg").unwrap();
        ours.remove("trash/1.1.1.seg").unwrap();
        others.rename(&path(4), &path(3)).unwrap();
        others.remove(&path(5)).unwrap();
        for (number, file) in (0_u8..).zip(&files) {
            let expected = if [3, 4, 5].contains(&number) { None } else { Some(number) };
            assert_eq!(read(&**file).ok(), expected, "no other file is taken for it");
        }
    }

    #[test]
    fn what_is_written_is_synced_before_it_is_closed_and_goes_on_behind() {
        let (folder, table) = (tempfile::tempdir().unwrap(), Arc::new(FileTable::new(10)));
        let disk = disk(folder.path(), &table);
        let files: Vec<_> =
            (0..40).map(|number| disk.create(&format!("{}.tmp", path(number))).unwrap()).collect();
        for (number, file) in (0_u8..).zip(&files) {
            file.write_at(0, &[number]).unwrap();
            disk.publish(&format!("{}.tmp", path(number)), &path(number)).unwrap();
            assert!(open_files(&table) <= 11, "the one that is about to be closed is counted");
        }
        for (number, file) in (0_u8..).zip(&files) {
            file.write_at(1, &[number, number]).unwrap();
            file.sync().unwrap();
            assert_eq!(fs::read(folder.path().join(path(number))).unwrap(), [number; 3]);
        }
    }
}
