//! A folder that is written by comparing: what would be written into a part must be there already.
//!
//! Nothing in the compared folder changes. Reading a part back gives what is there, so what is
//! written behind a difference means nothing; the first difference of a part is kept.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chatvault_engine::{FileName, LockGuard, ReadFile, Storage, WriteFile};

use super::folder::part_number;
use crate::manifest::Index;

/// How much is compared at a time.
const BUFFER_BYTES: usize = 1 << 18;

/// Writes an export against the parts in a folder.
#[derive(Debug)]
pub(crate) struct Twin {
    folder: Arc<dyn Storage>,
    /// For what has no place in a part yet.
    scratch: Arc<dyn Storage>,
    export: String,
    parts: Vec<String>,
    open: Mutex<BTreeMap<String, Arc<Part>>>,
    differences: Mutex<BTreeMap<String, u64>>,
}

impl Twin {
    /// For the parts that an index lists.
    pub(crate) fn new(
        folder: &Arc<dyn Storage>,
        scratch: &Arc<dyn Storage>,
        (export, index): (&str, &Index),
    ) -> Self {
        Self {
            folder: Arc::clone(folder),
            scratch: Arc::clone(scratch),
            export: export.to_owned(),
            parts: index.parts.iter().map(|part| part.name.clone()).collect(),
            open: Mutex::default(),
            differences: Mutex::default(),
        }
    }

    /// Where each part that is there differs first from what was written.
    pub(crate) fn differences(&self) -> BTreeMap<String, u64> {
        self.differences.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, path: &str) -> Option<Arc<Part>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(path).map(Arc::clone)
    }

    /// The part is whole: it must end where the file does.
    fn close(&self, path: &str) -> Option<Result<()>> {
        let part = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(path)?;
        Some(part.end().map(|first| {
            let mut all = self.differences.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(first.map(|first| (part.name.clone(), first)));
        }))
    }
}

/// A part while it is compared.
#[derive(Debug)]
struct Part {
    name: String,
    /// `None`: there is none to compare with.
    there: Option<Arc<dyn ReadFile>>,
    bytes: AtomicU64,
    first_difference: AtomicU64,
}

impl Part {
    /// Compares; gives where the bytes differ first.
    fn compare(there: &dyn ReadFile, offset: u64, bytes: &[u8]) -> Result<Option<u64>> {
        let mut buffer = vec![0; BUFFER_BYTES.min(bytes.len())];
        let mut at = offset;
        for piece in bytes.chunks(BUFFER_BYTES) {
            let room = usize::try_from(there.bytes()?.saturating_sub(at)).unwrap_or(usize::MAX);
            let read = buffer.get_mut(..piece.len().min(room)).unwrap_or_default();
            if !read.is_empty() {
                there.read_at(at, read)?;
            }
            if read != piece {
                let same = read.iter().zip(piece).take_while(|(left, right)| left == right);
                return Ok(Some(at + same.count() as u64));
            }
            at += piece.len() as u64;
        }
        Ok(None)
    }

    fn end(&self) -> Result<Option<u64>> {
        let Some(there) = &self.there else { return Ok(None) };
        let (written, found) = (self.bytes.load(Ordering::Acquire), there.bytes()?);
        let first = self.first_difference.load(Ordering::Acquire);
        let first = if written == found { first } else { first.min(written.min(found)) };
        Ok((first < u64::MAX).then_some(first))
    }
}

/// A handle on a part.
#[derive(Debug)]
struct Handle(Arc<Part>);

impl WriteFile for Handle {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let part = &self.0;
        let _before = part.bytes.fetch_max(offset + bytes.len() as u64, Ordering::AcqRel);
        // A header is written after what is behind it, and can differ first.
        let first = part.first_difference.load(Ordering::Acquire);
        if let Some(there) = part.there.as_ref().filter(|_| offset < first) {
            let found = Part::compare(&**there, offset, bytes)?.unwrap_or(u64::MAX);
            let _first = part.first_difference.fetch_min(found, Ordering::AcqRel);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

impl ReadFile for Handle {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        // What is not there differs already: any bytes do.
        let whole = |there: &Arc<dyn ReadFile>| {
            there.bytes().is_ok_and(|bytes| offset + out.len() as u64 <= bytes)
        };
        if let Some(there) = self.0.there.as_ref().filter(|there| whole(there)) {
            return there.read_at(offset, out);
        }
        out.fill(0);
        Ok(())
    }

    fn bytes(&self) -> Result<u64> {
        Ok(self.0.bytes.load(Ordering::Acquire))
    }
}

/// Nothing is written, so nobody is excluded.
#[derive(Debug)]
struct NoLock;

impl LockGuard for NoLock {}

impl Storage for Twin {
    fn create(&self, path: &str) -> Result<Box<dyn WriteFile>> {
        let Some(number) = part_number(&self.export, path) else {
            return self.scratch.create(path);
        };
        let name = number.checked_sub(1).and_then(|at| self.parts.get(at));
        let there = name.map(|name| self.folder.open(name)).transpose();
        let there = match there {
            Err(cause) if cause.kind() == ErrorKind::NotFound => None,
            other => other?,
        };
        let part = Arc::new(Part {
            name: name.cloned().unwrap_or_default(),
            there,
            bytes: AtomicU64::new(0),
            first_difference: AtomicU64::new(u64::MAX),
        });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(open.insert(path.to_owned(), Arc::clone(&part)));
        Ok(Box::new(Handle(part)))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ReadFile>> {
        match self.find(path) {
            Some(part) => Ok(Arc::new(Handle(part))),
            None => self.scratch.open(path),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.close(from).unwrap_or_else(|| self.scratch.rename(from, to))
    }

    fn publish(&self, from: &str, to: &str) -> Result<()> {
        self.rename(from, to)
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.close(path).unwrap_or_else(|| self.scratch.remove(path))
    }

    fn list(&self, _folder: &str) -> Result<Vec<FileName>> {
        Ok(Vec::new())
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        self.scratch.make_folder(folder)
    }

    fn sync_folder(&self, _folder: &str) -> Result<()> {
        Ok(())
    }

    fn try_lock(&self, _path: &str, _holder: &str) -> Result<Option<Box<dyn LockGuard>>> {
        Ok(Some(Box::new(NoLock)))
    }

    fn local_folder(&self, _folder: &str) -> Option<PathBuf> {
        None
    }
}

#[cfg(test)]
mod tests {
    use chatvault_engine::Memory;

    use super::*;
    use crate::part::tests::{head, read};

    /// Where a part of these bytes differs first from what is written, piece by piece.
    fn differs(there: Option<&[u8]>, pieces: &[(u64, &[u8])]) -> Option<u64> {
        let memory = Memory::new();
        memory.make_folder("").unwrap();
        if let Some(there) = there {
            memory.create("p.zip").unwrap().write_at(0, there).unwrap();
        }
        let folder: Arc<dyn Storage> = Arc::new(memory.clone());
        let scratch: Arc<dyn Storage> = Arc::new(Memory::new());
        let index = Index::new(head(), 100_000);
        let twin = Twin::new(&folder, &scratch, ("x", &index));
        let twin = Twin { parts: vec!["p.zip".to_owned()], ..twin };
        let file = twin.create(".x.tmp-part1").unwrap();
        for (offset, bytes) in pieces {
            file.write_at(*offset, bytes).unwrap();
        }
        twin.publish(".x.tmp-part1", "any.zip").unwrap();
        assert_eq!(memory.list("").unwrap().len(), usize::from(there.is_some()));
        assert!(there.is_none_or(|there| read(&memory, "p.zip") == there), "nothing is written");
        twin.differences().get("p.zip").copied()
    }

    #[test]
    fn the_first_difference_is_found_whatever_is_written_first() {
        let same: &[(u64, &[u8])] = &[(3, b"def"), (0, b"abc")];
        assert_eq!(differs(Some(b"abcdef"), same), None);
        assert_eq!(differs(Some(b"abcdeX"), same), Some(5));
        assert_eq!(differs(Some(b"aXcdeX"), same), Some(1));
        assert_eq!(differs(Some(b"abcdefg"), same), Some(6));
        assert_eq!(differs(Some(b"abcde"), same), Some(5));
        assert_eq!(differs(Some(b""), same), Some(0));
        assert_eq!(differs(None, same), None);
        let long = vec![7_u8; 3 * BUFFER_BYTES];
        let mut other = long.clone();
        other[2 * BUFFER_BYTES + 1] = 8;
        assert_eq!(differs(Some(&long), &[(0, &long)]), None);
        assert_eq!(differs(Some(&other), &[(0, &long)]), Some(2 * BUFFER_BYTES as u64 + 1));
    }
}
