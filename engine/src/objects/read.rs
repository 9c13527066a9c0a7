//! Reading one object back: chunk by chunk, each checked, and the whole against its address.

use std::io::{self, Read};
use std::sync::Arc;

use crate::error::{Error, Result};

use super::CHUNK_BYTES;
use super::layout::PackedObject;
use super::pack::Pack;

/// Streams an object's bytes.
///
/// Damage is an `io::Error` around the archive's error, which names file and offset, of the kind
/// `InvalidData`; a read that failed is one of the kind `Other`. The last chunk is given only after the whole was found to hash to the object's address, so what was
/// read to the end is what was stored.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    pack: Arc<Pack>,
    entry: PackedObject,
    /// Offset of the next frame.
    next: u64,
    /// Bytes of the object that are not in `chunk` yet.
    left: u64,
    hasher: blake3::Hasher,
    checked: bool,
    chunk: Vec<u8>,
    /// How much of `chunk` was given.
    given: usize,
}

impl ObjectReader {
    pub(super) fn new(pack: Arc<Pack>, entry: PackedObject) -> Self {
        let (hasher, chunk) = (blake3::Hasher::new(), Vec::new());
        let (next, left) = (entry.first, entry.bytes);
        Self { pack, entry, next, left, hasher, checked: false, chunk, given: 0 }
    }

    /// The length of the object.
    pub(crate) fn object_bytes(&self) -> u64 {
        self.entry.bytes
    }

    /// Reads it to the end.
    pub(crate) fn read_through(&mut self) -> Result<()> {
        let read = io::copy(self, &mut io::sink());
        read.map(drop).map_err(|cause| match cause.downcast::<Error>() {
            Ok(error) => error,
            Err(cause) => Error::io("read", self.pack.path(), cause).at(self.entry.first),
        })
    }

    /// Takes the next chunk; nothing moves if it is damaged, so a second try meets it again.
    fn advance(&mut self) -> Result<()> {
        let length = self.left.min(CHUNK_BYTES as u64);
        let (mut hasher, mut chunk, mut next) = (self.hasher.clone(), Vec::new(), self.next);
        if length > 0 {
            (chunk, next) = self.pack.chunk(self.next, usize::try_from(length).unwrap_or(0))?;
            let _ = hasher.update(&chunk);
        }
        if length == self.left {
            self.check_whole(&hasher)?;
            self.checked = true;
        }
        (self.hasher, self.chunk, self.given, self.next) = (hasher, chunk, 0, next);
        self.left -= length;
        Ok(())
    }

    fn check_whole(&self, hasher: &blake3::Hasher) -> Result<()> {
        let found = hasher.finalize();
        if *found.as_bytes() == self.entry.address.0 {
            return Ok(());
        }
        let message = format!("object hashes to {found}, should be {}", self.entry.address);
        Err(Error::corrupt(message).in_file(self.pack.path()).at(self.entry.first))
    }
}

impl Read for ObjectReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.chunk.len() && !self.checked && !out.is_empty() {
            self.advance().map_err(|error| {
                if error.kind().is_of_storage() {
                    io::Error::other(error)
                } else {
                    io::Error::new(io::ErrorKind::InvalidData, error)
                }
            })?;
        }
        let count = self.chunk[self.given..].as_ref().read(out)?;
        self.given += count;
        Ok(count)
    }
}
