//! A damaged archive's files, each from wherever it is whole.
//!
//! Invariant: a sealed file is taken from a copy only if its hash is the one that the manifest names;
//! single frames of it only at their place in the file, and only if their own checksums hold.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Spare;
use crate::archive::maintain::disposal::TRASH;
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::format::head::{self, Head};
use crate::format::names;
use crate::journal;
use crate::manifest::{self, FileEntry, FileKind, Manifest};
use crate::segment::Segment;
use crate::storage::{FileName, LockGuard, ReadFile, Storage, WriteFile};

/// Read at once where the storage does not give a whole file.
const BLOCK_BYTES: usize = 4096;

/// A storage that is only read, with other files in the place of damaged ones.
#[derive(Debug)]
pub(super) struct Mended {
    base: Arc<dyn Storage>,
    instead: BTreeMap<String, Arc<dyn ReadFile>>,
}

/// Finds whole files for damaged ones; gives the names of those that were replaced.
pub(super) fn mend(source: &Arc<dyn Storage>, spares: &[Spare]) -> Result<(Mended, Vec<String>)> {
    let mut mending = Mending {
        source: Arc::clone(source),
        archives: Vec::new(),
        files: Vec::new(),
        instead: BTreeMap::new(),
    };
    for spare in spares {
        match spare {
            Spare::Archive(storage) => mending.archives.push(Arc::clone(storage)),
            Spare::File(file) => mending.files.push(read_all(&**file)?),
        }
    }
    let manifest = mending.identify()?;
    for entry in manifest.files.iter().filter(|entry| entry.kind != FileKind::Pack) {
        mending.mend_file(&manifest, entry);
    }
    mending.mend_journal(manifest.journal_from);
    let names = mending.instead.keys().cloned().collect();
    Ok((Mended { base: Arc::clone(source), instead: mending.instead }, names))
}

struct Mending {
    source: Arc<dyn Storage>,
    archives: Vec<Arc<dyn Storage>>,
    /// Bytes of single files.
    files: Vec<Vec<u8>>,
    instead: BTreeMap<String, Arc<dyn ReadFile>>,
}

impl Mending {
    /// The newest manifest that can be read anywhere.
    fn identify(&mut self) -> Result<Manifest> {
        let heads = std::iter::once(&self.source).chain(&self.archives);
        let head =
            heads.clone().find_map(|place| Some((place, Head::load(&**place).ok()?.archive)));
        let archive = head.as_ref().map(|(_, archive)| *archive);
        let other = head.filter(|(place, _)| !Arc::ptr_eq(place, &self.source));
        let file = other.and_then(|(place, _)| place.open(head::PATH).ok());
        self.instead.extend(file.map(|file| (head::PATH.to_owned(), file)));
        let manifests = heads.filter_map(|place| {
            let (manifest, _) = manifest::newest_readable(&**place, archive)?;
            Some((manifest, place))
        });
        // Of equal ones the archive's own counts: `max_by_key` gives the last.
        let all: Vec<_> = manifests.collect();
        let newest = all.into_iter().rev().max_by_key(|(manifest, _)| manifest.number);
        let none = || Error::corrupt("no manifest can be read").in_file(names::MANIFEST);
        let (manifest, place) = newest.ok_or_else(none)?;
        if !Arc::ptr_eq(place, &self.source) {
            let path = names::manifest(manifest.number);
            if let Ok(file) = place.open(&path) {
                drop(self.instead.insert(path, file));
            }
        }
        Ok(manifest)
    }

    fn mend_file(&mut self, manifest: &Manifest, entry: &FileEntry) {
        let is_whole = |bytes: &Vec<u8>| *blake3::hash(bytes).as_bytes() == entry.hash;
        let own = bytes_of(&*self.source, entry);
        if own.as_ref().is_some_and(is_whole) {
            return;
        }
        let copies = self.archives.iter().filter_map(|place| bytes_of(&**place, entry));
        let copies: Vec<Vec<u8>> = copies.chain(self.files.iter().cloned()).collect();
        let found = match copies.iter().find(|copy| is_whole(copy)) {
            Some(copy) => Some(copy.clone()),
            None if entry.kind == FileKind::Segment => {
                assemble(manifest.archive, entry, own, copies)
            }
            None => None,
        };
        if let Some(bytes) = found {
            drop(self.instead.insert(entry.path(), Arc::new(Bytes(bytes))));
        }
    }

    fn mend_journal(&mut self, from: u64) {
        let places = std::iter::once(&self.source).chain(&self.archives);
        let numbers = places.filter_map(|place| journal::numbers(&**place).ok()).flatten();
        let numbers: BTreeSet<u64> = numbers.filter(|number| *number >= from).collect();
        for path in numbers.into_iter().map(names::journal) {
            let Some(mut bytes) = whole_file(&*self.source, &path) else {
                let copy = self.archives.iter().find_map(|place| place.open(&path).ok());
                self.instead.extend(copy.map(|file| (path, file)));
                continue;
            };
            let before = bytes.clone();
            self.archives.iter().for_each(|place| take_frames(&**place, &path, &mut bytes));
            if bytes != before {
                drop(self.instead.insert(path, Arc::new(Bytes(bytes))));
            }
        }
    }
}

/// Takes the frames of a journal file that are whole in a copy.
fn take_frames(copy: &dyn Storage, path: &str, bytes: &mut Vec<u8>) {
    let Some(whole) = whole_file(copy, path) else { return };
    for range in journal::whole_frames(copy, path, bytes).unwrap_or_default() {
        let Some(frame) = whole.get(range.clone()) else { continue };
        if bytes.len() < range.end {
            bytes.resize(range.end, 0);
        }
        bytes[range].copy_from_slice(frame);
    }
}

/// Puts a segment together from the frames that are whole in one copy or another.
fn assemble(
    archive: [u8; 16],
    entry: &FileEntry,
    own: Option<Vec<u8>>,
    copies: Vec<Vec<u8>>,
) -> Option<Vec<u8>> {
    let length = usize::try_from(entry.bytes).ok()?;
    let mut bytes = own.unwrap_or_default();
    bytes.resize(length, 0);
    let before = bytes.clone();
    for copy in copies.into_iter().filter(|copy| copy.len() == length) {
        let path = entry.path();
        let file: Arc<dyn ReadFile> = Arc::new(Bytes(copy.clone()));
        let base: Arc<dyn Storage> = Arc::new(crate::storage::Memory::new());
        let one = Mended { base, instead: [(path.clone(), file)].into() };
        let cache = Arc::new(Cache::new(0));
        let Ok(segment) = Segment::open(&one, archive, entry.number, &path, cache) else {
            continue;
        };
        for range in segment.whole_parts() {
            if let Some((to, from)) = bytes.get_mut(range.clone()).zip(copy.get(range)) {
                to.copy_from_slice(from);
            }
        }
    }
    (bytes != before).then_some(bytes)
}

/// The bytes of a sealed file, which may have gone to the trash since.
fn bytes_of(storage: &dyn Storage, entry: &FileEntry) -> Option<Vec<u8>> {
    whole_file(storage, &entry.path()).or_else(|| {
        let suffix = format!(".{}", entry.kind.name(entry.number));
        let files = storage.list(TRASH).ok()?;
        let file = files.into_iter().find(|file| file.name.ends_with(&suffix))?;
        whole_file(storage, &format!("{TRASH}/{}", file.name))
    })
}

/// The bytes of a file, with zeros where the storage does not give them.
fn whole_file(storage: &dyn Storage, path: &str) -> Option<Vec<u8>> {
    let file = storage.open(path).ok()?;
    if let Ok(bytes) = read_all(&*file) {
        return Some(bytes);
    }
    let mut bytes = vec![0; usize::try_from(file.bytes().ok()?).ok()?];
    for (block, out) in (0_u64..).zip(bytes.chunks_mut(BLOCK_BYTES)) {
        // What is not read stays zero, and no checksum fits it.
        drop(file.read_at(block * BLOCK_BYTES as u64, out));
    }
    Some(bytes)
}

fn read_all(file: &dyn ReadFile) -> Result<Vec<u8>> {
    let failed = |cause| Error::io("read a copy", "", cause);
    let length = file.bytes().map_err(failed)?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_at(0, &mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A file in memory.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl ReadFile for Bytes {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(out.len());
        let bytes = self.0.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}

fn read_only<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Storage for Mended {
    fn create(&self, _: &str) -> io::Result<Box<dyn WriteFile>> {
        read_only()
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadFile>> {
        self.instead.get(path).map_or_else(|| self.base.open(path), |file| Ok(Arc::clone(file)))
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn list(&self, folder: &str) -> io::Result<Vec<FileName>> {
        let mut files: BTreeMap<String, u64> =
            self.base.list(folder)?.into_iter().map(|file| (file.name, file.bytes)).collect();
        for (path, file) in &self.instead {
            let (place, name) = path.rsplit_once('/').unwrap_or(("", path));
            if place == folder {
                let _ = files.insert(name.to_owned(), file.bytes()?);
            }
        }
        Ok(files.into_iter().map(|(name, bytes)| FileName { name, bytes }).collect())
    }

    fn make_folder(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn sync_folder(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn try_lock(&self, _: &str, _: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        Ok(None)
    }

    fn local_folder(&self, _: &str) -> Option<PathBuf> {
        None
    }
}
