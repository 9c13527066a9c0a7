//! The files that a writer makes: a part that grows, and spools for what has no size yet.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};

use chatvault_base::threads::{Jobs, Promise};
use chatvault_engine::{ReadFile, Storage, WriteFile};

use super::folder::hash_file;
use crate::digest::{Hash, Sha256, hex};
use crate::error::{Error, Result};

/// How much is handed to the system at a time.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// A SHA-256 that another thread computes, in the order in which bytes are handed over.
#[derive(Debug)]
pub(super) struct LaneHash {
    /// A pool of at most one thread: more would not keep the order.
    lane: Arc<Jobs>,
    state: Arc<Mutex<Sha256>>,
}

impl LaneHash {
    pub(super) fn new(lane: &Arc<Jobs>) -> Self {
        Self { lane: Arc::clone(lane), state: Arc::default() }
    }

    pub(super) fn update(&self, bytes: Arc<Vec<u8>>) {
        let state = Arc::clone(&self.state);
        let work = move || state.lock().unwrap_or_else(PoisonError::into_inner).update(&bytes);
        drop(self.lane.promise(work));
    }

    pub(super) fn finish(self) -> Promise<Hash> {
        let state = self.state;
        self.lane.promise(move || {
            std::mem::take(&mut *state.lock().unwrap_or_else(PoisonError::into_inner)).finish()
        })
    }
}

/// A part under its temporary name. Dropping it unfinished removes it.
#[derive(Debug)]
pub(super) struct PartFile {
    temporary: Temporary,
    buffer: Vec<u8>,
    flushed: u64,
    hash: LaneHash,
    /// Off while bytes are written whose header comes later.
    hashing: bool,
}

impl PartFile {
    pub(super) fn create(
        storage: &Arc<dyn Storage>,
        path: String,
        lane: &Arc<Jobs>,
    ) -> Result<Self> {
        let temporary = Temporary::create(storage, path)?;
        let hash = LaneHash::new(lane);
        Ok(Self { temporary, buffer: Vec::new(), flushed: 0, hash, hashing: true })
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        self.temporary.write_at(self.flushed, &buffer)?;
        self.flushed += buffer.len() as u64;
        if self.hashing {
            self.hash.update(Arc::new(buffer));
        }
        Ok(())
    }

    /// Leaves room for a header that is not known yet; [`PartFile::fill_gap`] writes it.
    pub(super) fn leave_gap(&mut self, bytes: usize) -> Result<u64> {
        self.flush()?;
        self.hashing = false;
        let start = self.position();
        self.flushed += bytes as u64;
        Ok(start)
    }

    /// Writes the header that was left out, and lets the hash catch up by reading what it missed.
    pub(super) fn fill_gap(&mut self, start: u64, header: &[u8]) -> Result<()> {
        self.flush()?;
        self.temporary.write_at(start, header)?;
        let file = self.temporary.open()?;
        let mut at = start;
        while at < self.flushed {
            let length = usize::try_from(self.flushed - at).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            let mut bytes = vec![0; length];
            file.read_at(at, &mut bytes).map_err(Error::folder("read", &self.temporary.path))?;
            at += length as u64;
            self.hash.update(Arc::new(bytes));
        }
        self.hashing = true;
        Ok(())
    }

    /// Makes the part durable under its name: its hash. A file that has the name stays: it must be
    /// the same part.
    pub(super) fn finish(mut self, name: &str) -> Result<Hash> {
        self.flush()?;
        let Self { temporary, hash, .. } = self;
        let hash = hash.finish();
        let there = temporary.publish_new(name)?;
        let hash = hash.wait()?;
        let Some(there) = there else { return Ok(hash) };
        let bytes = there.bytes().map_err(Error::folder("measure", name))?;
        let before = hash_file(&there, bytes).map_err(Error::folder("read", name))?;
        if before != hash {
            let (expected, found) = (hex(&before), hex(&hash));
            return Err(Error::Differs { part: name.to_owned(), expected, found });
        }
        Ok(hash)
    }
}

/// Bytes that are put away until there is a place for them. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct Spool {
    temporary: Temporary,
    bytes: u64,
}

impl Spool {
    pub(super) fn create(storage: &Arc<dyn Storage>, path: String) -> Result<Self> {
        Ok(Self { temporary: Temporary::create(storage, path)?, bytes: 0 })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.temporary.write_at(self.bytes, bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn open(&self) -> Result<Arc<dyn ReadFile>> {
        self.temporary.open()
    }
}

/// A file under a temporary name, which goes when this is dropped.
#[derive(Debug)]
struct Temporary {
    storage: Arc<dyn Storage>,
    path: String,
    file: Box<dyn WriteFile>,
    published: bool,
}

impl Temporary {
    fn create(storage: &Arc<dyn Storage>, path: String) -> Result<Self> {
        let file = storage.create(&path).map_err(Error::folder("create", &path))?;
        Ok(Self { storage: Arc::clone(storage), path, file, published: false })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_at(offset, bytes).map_err(Error::folder("write", &self.path))
    }

    fn open(&self) -> Result<Arc<dyn ReadFile>> {
        self.storage.open(&self.path).map_err(Error::folder("open", &self.path))
    }

    /// Replaces what has the name. Syncs before the rename: otherwise a crash could leave the name
    /// on a torn file.
    fn publish(mut self, name: &str) -> Result<()> {
        self.file.sync().map_err(Error::folder("sync", &self.path))?;
        self.storage.rename(&self.path, name).map_err(Error::folder("rename", &self.path))?;
        self.published(name)
    }

    /// Takes a name that nobody has; gives the file that has it, if there is one, and goes.
    fn publish_new(mut self, name: &str) -> Result<Option<Arc<dyn ReadFile>>> {
        self.file.sync().map_err(Error::folder("sync", &self.path))?;
        match self.storage.publish(&self.path, name) {
            Ok(()) => self.published(name).map(|()| None),
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
                self.storage.open(name).map(Some).map_err(Error::folder("open", name))
            }
            Err(cause) => Err(Error::folder("rename", &self.path)(cause)),
        }
    }

    fn published(&mut self, name: &str) -> Result<()> {
        self.published = true;
        self.storage.sync_folder("").map_err(Error::folder("sync the folder of", name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed now goes when the export is resumed.
            drop(self.storage.remove(&self.path));
        }
    }
}

/// Replaces a small file as a whole.
pub(crate) fn replace(
    storage: &Arc<dyn Storage>,
    temporary: &str,
    name: &str,
    content: &[u8],
) -> Result<()> {
    match storage.remove(temporary) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => {
            return Err(Error::folder("remove", temporary)(cause));
        }
        _ => {}
    }
    let file = Temporary::create(storage, temporary.to_owned())?;
    file.write_at(0, content)?;
    file.publish(name)
}
