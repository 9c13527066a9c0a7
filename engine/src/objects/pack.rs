//! A sealed pack: what is in it, where, and whether it is sound.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::bytes::Reader;
use crate::format::frame::{self, Codec};
use crate::storage::{ReadFile, Storage};
use crate::types::ContentAddress;

use super::layout::{self, HEADER_BYTES, PackedObject, TRAILER_BYTES, Trailer, kind};
use super::{CHUNK_BYTES, ObjectReader, pack_path};

/// No frame before the directory stores more: chunks are kept compressed only if that is smaller.
const MAX_STORED_BYTES: usize = CHUNK_BYTES;
/// Read at once where a frame is looked for byte by byte.
const SEARCH_BYTES: usize = 1 << 20;

/// An open pack. Holds its file and its directory, 48 bytes for each object.
#[derive(Debug)]
pub(crate) struct Pack {
    path: String,
    file: Arc<dyn ReadFile>,
    trailer: Trailer,
    /// By ascending address.
    entries: Vec<PackedObject>,
}

/// A frame that was read and checked: its kind, its payload decoded, and where the next one is.
type Checked = (u8, Vec<u8>, u64);

impl Pack {
    /// Opens pack `number` of `archive`; reads its header, trailer and directory only.
    pub(crate) fn open(storage: &dyn Storage, number: u64, archive: [u8; 16]) -> Result<Self> {
        let path = pack_path(number);
        Self::open_at(storage, &path, (number, archive)).map_err(|error| error.in_file(path))
    }

    fn open_at(
        storage: &dyn Storage,
        path: &str,
        (number, archive): (u64, [u8; 16]),
    ) -> Result<Self> {
        let file = storage.open(path).map_err(|cause| Error::opening(path, cause))?;
        let length = file.bytes().map_err(|cause| Error::io("measure", path, cause))?;
        let end =
            length.checked_sub(TRAILER_BYTES as u64).filter(|end| *end >= HEADER_BYTES as u64);
        let end = end.ok_or_else(|| Error::corrupt("the pack is cut short").at(length))?;
        let mut header = [0; HEADER_BYTES];
        read_at(file.as_ref(), 0, &mut header)?;
        layout::check_header(&header, number, archive)?;
        let mut bytes = [0; TRAILER_BYTES];
        read_at(file.as_ref(), end, &mut bytes)?;
        let trailer = layout::parse_trailer(&bytes, &header, end).map_err(|error| error.at(end))?;
        let entries =
            read_directory(file.as_ref(), &trailer).map_err(|error| error.at(trailer.directory))?;
        Ok(Self { path: path.to_owned(), file, trailer, entries })
    }

    /// Pack `number` with a directory that its frames make, where its own cannot be read: for a repair.
    ///
    /// Header, directory and trailer are not looked at. An object is named by the hash of its bytes,
    /// so what is read by such a directory is what was stored.
    pub(crate) fn rebuild(storage: &dyn Storage, number: u64) -> Result<Self> {
        let path = pack_path(number);
        let file = storage.open(&path).map_err(|cause| Error::opening(&path, cause))?;
        let end = file.bytes().map_err(|cause| Error::io("measure", &path, cause))?;
        let trailer = Trailer { directory: end, directory_bytes: 0, hash: [0; 32] };
        let mut pack = Self { path, file, trailer, entries: Vec::new() };
        let found = pack.walk(&mut Vec::new()).into_values();
        pack.entries = found.filter(|entry| layout::fits(entry, end)).collect();
        Ok(pack)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// BLAKE3 of the directory: what a manifest remembers the pack by.
    pub(crate) fn hash(&self) -> [u8; 32] {
        self.trailer.hash
    }

    /// Every object, by ascending address.
    pub(crate) fn objects(&self) -> &[PackedObject] {
        &self.entries
    }

    /// Where an object is, if it is here.
    pub(crate) fn find(&self, address: &ContentAddress) -> Option<PackedObject> {
        let at = self.entries.binary_search_by_key(address, |entry| entry.address).ok()?;
        self.entries.get(at).copied()
    }

    /// Streams an object, if it is here.
    pub(crate) fn read(self: &Arc<Self>, address: &ContentAddress) -> Option<ObjectReader> {
        self.find(address).map(|entry| ObjectReader::new(Arc::clone(self), entry))
    }

    /// The chunk of `length` bytes whose frame starts at `offset`, and the next frame's offset.
    pub(super) fn chunk(&self, offset: u64, length: usize) -> Result<(Vec<u8>, u64)> {
        let (kind, bytes, next) = self.frame(offset)?;
        if kind != kind::CHUNK || bytes.len() != length {
            let message = format!("frame of kind {kind} with {} bytes", bytes.len());
            let message = format!("{message} where a chunk of {length} bytes should be");
            return Err(Error::corrupt(message).in_file(self.path.as_str()).at(offset));
        }
        Ok((bytes, next))
    }

    fn frame(&self, offset: u64) -> Result<Checked> {
        self.frame_at(offset).map_err(|error| error.at(offset).in_file(self.path.as_str()))
    }

    fn frame_at(&self, offset: u64) -> Result<Checked> {
        let room = self.trailer.directory.saturating_sub(offset);
        let mut bytes = vec![0; frame::HEADER_BYTES];
        if room < frame::HEADER_BYTES as u64 {
            return Err(Error::corrupt("the frames end too early"));
        }
        read_at(self.file.as_ref(), offset, &mut bytes)?;
        let stored = Reader::new(&bytes).u32().unwrap_or(u32::MAX) as usize;
        let whole = frame::HEADER_BYTES.saturating_add(stored);
        if stored > MAX_STORED_BYTES || whole as u64 > room {
            return Err(Error::corrupt(format!("frame of {stored} bytes is over the limit")));
        }
        bytes.resize(whole, 0);
        read_at(self.file.as_ref(), offset, &mut bytes)?;
        let (frame, _) = frame::split(&bytes)?;
        Ok((frame.kind, decode(&frame)?, offset.saturating_add(whole as u64)))
    }

    /// Every damage of the pack, each with file and offset. Walks and checks all frames; `deep`
    /// also reads every object back and hashes it.
    pub(crate) fn verify(self: &Arc<Self>, deep: bool) -> Vec<Error> {
        let mut damages = Vec::new();
        let recorded = self.walk(&mut damages);
        // What a failed read kept back may be all there.
        let all_read = !damages.iter().any(|damage| damage.kind().is_of_storage());
        for entry in self.entries.iter().filter(|_| all_read) {
            if recorded.get(&entry.address) != Some(entry) {
                let message = format!("object {} has no entry among the frames", entry.address);
                damages.push(self.damage(message, entry.first));
            }
        }
        if recorded.len() > self.entries.len() {
            let message = "the frames have an object that the directory lacks";
            damages.push(self.damage(message.to_owned(), self.trailer.directory));
        }
        if deep {
            damages.extend(self.entries.iter().filter_map(|entry| self.read_through(*entry).err()));
        }
        damages
    }

    /// Checks the frames from the first to the directory; gives the entries that stand among them.
    fn walk(&self, damages: &mut Vec<Error>) -> BTreeMap<ContentAddress, PackedObject> {
        let (mut offset, mut recorded) = (HEADER_BYTES as u64, BTreeMap::new());
        while offset < self.trailer.directory {
            offset = match self.frame(offset) {
                Ok((kind, payload, next)) => {
                    if let Err(damage) = self.take_frame(offset, kind, &payload, &mut recorded) {
                        damages.push(damage);
                    }
                    next
                }
                Err(damage) => {
                    damages.push(damage);
                    self.resume_behind(offset)
                }
            };
        }
        recorded
    }

    fn take_frame(
        &self,
        offset: u64,
        kind: u8,
        payload: &[u8],
        recorded: &mut BTreeMap<ContentAddress, PackedObject>,
    ) -> Result<()> {
        match (kind, layout::parse_entry(payload)) {
            (kind::CHUNK, _) => Ok(()),
            (kind::OBJECT, Some(entry)) => {
                let _ = recorded.insert(entry.address, entry);
                Ok(())
            }
            _ => Err(self.damage(format!("frame of unknown kind {kind}"), offset)),
        }
    }

    /// Behind a damaged frame its length is not to be trusted: the next object's start is or, without
    /// a directory, the next frame that is whole.
    fn resume_behind(&self, offset: u64) -> u64 {
        if self.entries.is_empty() {
            return self.next_frame(offset.saturating_add(1));
        }
        let starts = self.entries.iter().map(|entry| entry.first).filter(|first| *first > offset);
        starts.min().unwrap_or(self.trailer.directory)
    }

    /// Where the first whole frame of an object begins, from an offset on.
    fn next_frame(&self, mut from: u64) -> u64 {
        let end = self.trailer.directory;
        let mut window = Vec::new();
        while end.saturating_sub(from) >= frame::HEADER_BYTES as u64 {
            let left = usize::try_from(end - from).unwrap_or(usize::MAX);
            window.resize(left.min(SEARCH_BYTES), 0);
            // What the storage does not give has no whole frame.
            if read_at(self.file.as_ref(), from, &mut window).is_ok() {
                let heads = window.windows(frame::HEADER_BYTES).zip(from..);
                let mut likely = heads.filter(|(head, _)| may_be_frame(head)).map(|(_, at)| at);
                if let Some(found) = likely.find(|at| self.frame_at(*at).is_ok()) {
                    return found;
                }
            }
            from += (window.len() - frame::HEADER_BYTES + 1) as u64;
        }
        end
    }

    fn read_through(self: &Arc<Self>, entry: PackedObject) -> Result<()> {
        ObjectReader::new(Arc::clone(self), entry).read_through()
    }

    fn damage(&self, message: String, offset: u64) -> Error {
        Error::corrupt(message).in_file(self.path.as_str()).at(offset)
    }
}

/// Can a chunk's or an object's frame have this header? Its checksum is another question.
fn may_be_frame(head: &[u8]) -> bool {
    let mut fields = Reader::new(head);
    let stored = fields.u32().map_or(usize::MAX, |stored| stored as usize);
    let (raw, kind) = (fields.u32(), fields.u8());
    raw.is_some_and(|raw| raw as usize <= CHUNK_BYTES)
        && stored <= MAX_STORED_BYTES
        && matches!(kind, Some(kind::CHUNK | kind::OBJECT))
}

fn read_directory(file: &dyn ReadFile, trailer: &Trailer) -> Result<Vec<PackedObject>> {
    // The trailer's checksum held and the frame ends where the trailer starts, so this is no more
    // than the file's own length; the limit is for a pack that somebody forged.
    let limit = (frame::HEADER_BYTES + layout::MAX_OBJECTS * layout::ENTRY_BYTES) as u64;
    let length = usize::try_from(trailer.directory_bytes.min(limit)).unwrap_or(0);
    let mut bytes = vec![0; length];
    read_at(file, trailer.directory, &mut bytes)?;
    layout::parse_directory(&bytes, trailer)
}

fn decode(frame: &frame::Frame<'_>) -> Result<Vec<u8>> {
    if frame.raw_bytes > CHUNK_BYTES {
        return Err(Error::corrupt(format!(
            "chunk of {} bytes is over the limit",
            frame.raw_bytes
        )));
    }
    let bytes = match frame.codec {
        Codec::None => frame.payload.to_vec(),
        Codec::Zstd => zstd::bulk::decompress(frame.payload, frame.raw_bytes)
            .map_err(|cause| Error::corrupt("a chunk does not decompress").caused_by(cause))?,
        Codec::ZstdDictionary => return Err(Error::corrupt("a pack has no dictionary")),
    };
    if bytes.len() != frame.raw_bytes {
        let found = bytes.len();
        let message = format!("frame decodes to {found} bytes, should be {}", frame.raw_bytes);
        return Err(Error::corrupt(message));
    }
    Ok(bytes)
}

fn read_at(file: &dyn ReadFile, offset: u64, out: &mut [u8]) -> Result<()> {
    file.read_at(offset, out).map_err(|cause| Error::io("read", "", cause).at(offset))
}
