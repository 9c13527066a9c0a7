//! Writing a pack: objects stream in, one file comes out, complete or not at all.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::frame::{self, Codec};
use crate::format::limits;
use crate::storage::{Storage, WriteFile, whole};
use crate::types::ContentAddress;

use super::layout::{self, HEADER_BYTES, MAX_OBJECTS, PackedObject, Trailer, kind};
use super::{CHUNK_BYTES, FOLDER, pack_path, temporary_path};

/// The level that keeps up with a disk; what chunks hold is mostly compressed already.
const ZSTD_LEVEL: i32 = 3;
/// Frames are gathered up to this before they are written: small objects share a write.
const GATHER_BYTES: usize = 1 << 20;

/// A pack that is being written. Dropped unfinished, it removes its file.
#[derive(Debug)]
pub(crate) struct PackWriter {
    storage: Arc<dyn Storage>,
    /// `None` once the pack is sealed.
    file: Option<Box<dyn WriteFile>>,
    number: u64,
    header: [u8; HEADER_BYTES],
    objects: BTreeMap<ContentAddress, PackedObject>,
    /// Frames that wait to be written at `written`.
    gathered: Vec<u8>,
    written: u64,
    /// A write failed: what the file holds is not known.
    failed: bool,
}

/// A sealed pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackSummary {
    pub(crate) number: u64,
    /// Length of the file.
    pub(crate) bytes: u64,
    /// BLAKE3 of the directory.
    pub(crate) hash: [u8; 32],
    /// Address and length of each object, by ascending address.
    pub(crate) objects: Vec<(ContentAddress, u64)>,
}

impl PackWriter {
    /// Starts pack `number`; `Exists` if it was sealed before. A temporary file of that number is
    /// what a crash left: it is replaced.
    pub(crate) fn start(storage: Arc<dyn Storage>, number: u64, archive: [u8; 16]) -> Result<Self> {
        storage.make_folder(FOLDER).map_err(|cause| Error::io("make folder", FOLDER, cause))?;
        let path = pack_path(number);
        if storage.open(&path).is_ok() {
            return Err(Error::new(ErrorKind::Exists, "the pack was sealed before").in_file(path));
        }
        let file = Some(create(storage.as_ref(), &temporary_path(number))?);
        let header = layout::header(number, archive);
        let gathered = header.to_vec();
        let objects = BTreeMap::new();
        Ok(Self { storage, file, number, header, objects, gathered, written: 0, failed: false })
    }

    /// Stores what the reader gives, up to its end; gives the address and the length.
    ///
    /// An error of the reader leaves the pack as if the call had not been made; after an error of
    /// the storage the pack refuses everything.
    pub(crate) fn put(&mut self, bytes: &mut dyn Read) -> Result<(ContentAddress, u64)> {
        self.put_unless(bytes, &|_| false)
    }

    /// Like [`PackWriter::put`], but an object that `elsewhere` knows is not kept in this pack.
    pub(crate) fn put_unless(
        &mut self,
        bytes: &mut dyn Read,
        elsewhere: &dyn Fn(&ContentAddress) -> bool,
    ) -> Result<(ContentAddress, u64)> {
        self.check_usable()?;
        let first = self.end();
        let (mut hasher, mut length) = (blake3::Hasher::new(), 0_u64);
        let mut chunk = read_chunk(bytes)?;
        loop {
            let _ = hasher.update(&chunk);
            length += chunk.len() as u64;
            let following = if chunk.len() < CHUNK_BYTES { Vec::new() } else { read_chunk(bytes)? };
            if following.is_empty() {
                break;
            }
            self.put_chunk(&chunk)?;
            chunk = following;
        }
        let address = ContentAddress(hasher.finalize().into());
        if !self.objects.contains_key(&address) && !elsewhere(&address) {
            self.put_chunk(&chunk)?;
            self.put_entry(PackedObject { address, bytes: length, first })?;
        }
        Ok((address, length))
    }

    /// Has nothing been stored?
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// How many objects were stored.
    pub(crate) fn count(&self) -> usize {
        self.objects.len()
    }

    /// Was this object stored here?
    pub(crate) fn contains(&self, address: &ContentAddress) -> bool {
        self.objects.contains_key(address)
    }

    /// Length of the pack so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.end()
    }

    /// Seals the pack: on return it has its name and survives a power cut.
    pub(crate) fn finish(mut self) -> Result<PackSummary> {
        self.check_usable()?;
        let entries: Vec<PackedObject> = self.objects.values().copied().collect();
        let payload = layout::directory(&entries);
        let (directory, hash) = (self.end(), *blake3::hash(&payload).as_bytes());
        self.put_frame(kind::DIRECTORY, Codec::None, payload.len(), &payload)?;
        let trailer = Trailer { directory, directory_bytes: self.end() - directory, hash };
        self.gathered.extend_from_slice(&layout::trailer(&trailer, &self.header));
        self.write_gathered()?;
        self.seal()?;
        let objects = entries.iter().map(|entry| (entry.address, entry.bytes)).collect();
        Ok(PackSummary { number: self.number, bytes: self.written, hash, objects })
    }

    fn seal(&mut self) -> Result<()> {
        let (from, to) = (temporary_path(self.number), pack_path(self.number));
        // Sync before the rename: otherwise a crash can leave the name on missing bytes.
        if let Some(file) = &self.file {
            file.sync().map_err(|cause| Error::io("sync", &from, cause))?;
        }
        whole::publish(&*self.storage, &from, &to)?;
        self.file = None;
        Ok(())
    }

    /// The offset of the next frame.
    fn end(&self) -> u64 {
        self.written + self.gathered.len() as u64
    }

    fn check_usable(&self) -> Result<()> {
        if self.failed {
            let error = Error::new(ErrorKind::Stopped, "an earlier write to this pack failed");
            return Err(error.in_file(temporary_path(self.number)));
        }
        Ok(())
    }

    fn put_chunk(&mut self, chunk: &[u8]) -> Result<()> {
        if chunk.is_empty() {
            return Ok(());
        }
        match compress(chunk) {
            Some(packed) => self.put_frame(kind::CHUNK, Codec::Zstd, chunk.len(), &packed),
            None => self.put_frame(kind::CHUNK, Codec::None, chunk.len(), chunk),
        }
    }

    fn put_entry(&mut self, entry: PackedObject) -> Result<()> {
        if self.objects.len() >= MAX_OBJECTS {
            return Err(Error::invalid(format!("a pack holds at most {MAX_OBJECTS} objects")));
        }
        let mut payload = Vec::with_capacity(layout::ENTRY_BYTES);
        layout::put_entry(&mut payload, &entry);
        self.put_frame(kind::OBJECT, Codec::None, payload.len(), &payload)?;
        let _ = self.objects.insert(entry.address, entry);
        Ok(())
    }

    fn put_frame(
        &mut self,
        kind: u8,
        codec: Codec,
        raw_bytes: usize,
        payload: &[u8],
    ) -> Result<()> {
        frame::put(&mut self.gathered, kind, codec, raw_bytes, payload);
        if self.gathered.len() < GATHER_BYTES { Ok(()) } else { self.write_gathered() }
    }

    fn write_gathered(&mut self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let written = file.write_at(self.written, &self.gathered);
        self.failed = written.is_err();
        let place =
            |cause| Error::io("write", &temporary_path(self.number), cause).at(self.written);
        written.map_err(place)?;
        self.written += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }
}

impl Drop for PackWriter {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Should this fail, a `.tmp` stays, which is reported and never read.
            self.storage.remove(&temporary_path(self.number)).unwrap_or_default();
        }
    }
}

fn create(storage: &dyn Storage, path: &str) -> Result<Box<dyn WriteFile>> {
    let made = storage.create(path).or_else(|cause| match cause.kind() {
        std::io::ErrorKind::AlreadyExists => {
            storage.remove(path)?;
            storage.create(path)
        }
        _ => Err(cause),
    });
    made.map_err(|cause| Error::io("create", path, cause))
}

/// The next chunk: shorter than [`CHUNK_BYTES`] only at the reader's end.
fn read_chunk(bytes: &mut dyn Read) -> Result<Vec<u8>> {
    let mut chunk = Vec::new();
    let read = bytes.take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
    // Whoever gives the bytes fails here, not the storage: its kinds say nothing of the archive.
    let failed = |cause| Error::new(ErrorKind::Io, "reading the object failed").caused_by(cause);
    read.map(|_| chunk).map_err(failed)
}

/// The chunk under zstd, if that saves at least 5 %.
fn compress(chunk: &[u8]) -> Option<Vec<u8>> {
    let mut packed = zstd::bulk::compress(chunk, ZSTD_LEVEL).ok()?;
    limits::pad(&mut packed, chunk.len());
    (packed.len() <= chunk.len() - chunk.len().div_ceil(20)).then_some(packed)
}

#[cfg(test)]
impl PackWriter {
    /// Breaks the promise of addresses, to see that readers check it.
    pub(super) fn misname_first_object(&mut self, address: ContentAddress) {
        if let Some((_, entry)) = self.objects.pop_first() {
            let _ = self.objects.insert(address, PackedObject { address, ..entry });
        }
    }
}
