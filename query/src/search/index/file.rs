//! A file of the index, in blocks with a checksum each.
//!
//! ```text
//! file  := block { block }       all but the last have BLOCK_BYTES of content
//! block := content, CRC-32 of (its number as u64, content)
//! ```
//!
//! Whatever is read is checked, and nothing else is read: damage is an error and never an answer.
//! A file that lost its end between two blocks is noticed by who reads the end.

use std::fmt;
use std::io::{Error, ErrorKind, Result, Write};
use std::ops::Range;
use std::sync::Arc;

use chatvault_engine::{ReadFile, WriteFile};
use tantivy::HasLen;
use tantivy::directory::{AntiCallToken, FileHandle, OwnedBytes, TerminatingWrite};

const BLOCK_BYTES: usize = 16 << 10;
const SUM_BYTES: usize = 4;
const STORED_BYTES: usize = BLOCK_BYTES + SUM_BYTES;

fn sum(number: usize, content: &[u8]) -> [u8; SUM_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(number as u64).to_le_bytes());
    hasher.update(content);
    hasher.finalize().to_le_bytes()
}

/// The blocks of a small file that is written whole.
pub(super) fn encoded(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + SUM_BYTES);
    for (number, block) in content.chunks(BLOCK_BYTES).enumerate() {
        out.extend_from_slice(block);
        out.extend_from_slice(&sum(number, block));
    }
    out
}

/// A file that is being written.
pub(super) struct Writer {
    file: Box<dyn WriteFile>,
    block: Vec<u8>,
    blocks: usize,
}

impl Writer {
    pub(super) fn new(file: Box<dyn WriteFile>) -> Self {
        Self { file, block: Vec::with_capacity(STORED_BYTES), blocks: 0 }
    }

    fn put_block(&mut self) -> Result<()> {
        let sum = sum(self.blocks, &self.block);
        self.block.extend_from_slice(&sum);
        self.file.write_at((self.blocks * STORED_BYTES) as u64, &self.block)?;
        self.blocks += 1;
        self.block.clear();
        Ok(())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let room = BLOCK_BYTES - self.block.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.block.extend_from_slice(taken);
        if self.block.len() == BLOCK_BYTES {
            self.put_block()?;
        }
        Ok(taken.len())
    }

    /// Blocks are written when they are full, the last one at the end.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Writer {
    fn terminate_ref(&mut self, _: AntiCallToken) -> Result<()> {
        if !self.block.is_empty() {
            self.put_block()?;
        }
        self.file.sync()
    }
}

/// A file that is being read.
pub(super) struct Reader {
    path: String,
    file: Arc<dyn ReadFile>,
    /// Of content.
    bytes: usize,
    stored: usize,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn new(path: String, file: Arc<dyn ReadFile>) -> Result<Self> {
        let stored = usize::try_from(file.bytes()?).map_err(Error::other)?;
        let (blocks, rest) = (stored / STORED_BYTES, stored % STORED_BYTES);
        let bytes = match rest {
            0 => Some(blocks * BLOCK_BYTES),
            _ => rest.checked_sub(SUM_BYTES).map(|rest| blocks * BLOCK_BYTES + rest),
        };
        match bytes {
            Some(bytes) => Ok(Self { path, file, bytes, stored }),
            None => Err(damaged(&path, "its length is impossible")),
        }
    }

    pub(super) fn read_all(&self) -> Result<Vec<u8>> {
        self.read(0..self.bytes)
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<u8>> {
        if range.start > range.end || range.end > self.bytes {
            return Err(damaged(&self.path, "something outside of it is referred to"));
        }
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let (first, last) = (range.start / BLOCK_BYTES, (range.end - 1) / BLOCK_BYTES);
        let from = first * STORED_BYTES;
        let to = ((last + 1) * STORED_BYTES).min(self.stored);
        let mut stored = vec![0; to - from];
        self.file.read_at(from as u64, &mut stored)?;
        let mut out = Vec::with_capacity(range.len());
        for (number, block) in (first..).zip(stored.chunks(STORED_BYTES)) {
            let content = self.checked(number, block)?;
            let start = number * BLOCK_BYTES;
            let within = range.start.saturating_sub(start)..(range.end - start).min(content.len());
            out.extend_from_slice(content.get(within).unwrap_or_default());
        }
        Ok(out)
    }

    fn checked<'b>(&self, number: usize, block: &'b [u8]) -> Result<&'b [u8]> {
        let split = block.len().checked_sub(SUM_BYTES).and_then(|at| block.split_at_checked(at));
        match split {
            Some((content, stored)) if sum(number, content) == stored => Ok(content),
            _ => Err(damaged(&self.path, "a checksum is wrong")),
        }
    }
}

fn damaged(path: &str, what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("{path}: {what}"))
}

impl HasLen for Reader {
    fn len(&self) -> usize {
        self.bytes
    }
}

impl FileHandle for Reader {
    fn read_bytes(&self, range: Range<usize>) -> Result<OwnedBytes> {
        self.read(range).map(OwnedBytes::new)
    }
}

#[cfg(test)]
mod tests {
    use chatvault_engine::{Memory, Storage};
    use proptest::prelude::*;

    use super::*;

    fn written(content: &[u8], piece: usize) -> Memory {
        let memory = Memory::new();
        memory.make_folder("").unwrap();
        let mut writer = Writer::new(memory.create("f").unwrap());
        content.chunks(piece).for_each(|bytes| writer.write_all(bytes).unwrap());
        writer.terminate().unwrap();
        memory
    }

    fn open(memory: &Memory) -> Result<Reader> {
        Reader::new("f".to_owned(), memory.open("f").unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn every_range_comes_back_and_every_flipped_bit_is_noticed(
            length in 1_usize..70_000, piece in 1_usize..40_000, a: usize, b: usize, flip: usize
        ) {
            let content: Vec<u8> = (0..length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect();
            let memory = written(&content, piece);
            let (a, b) = (a % (length + 1), b % (length + 1));
            let range = a.min(b)..a.max(b);
            let reader = open(&memory).unwrap();
            prop_assert_eq!(reader.len(), length);
            prop_assert_eq!(reader.read(range.clone()).unwrap(), &content[range]);
            prop_assert!(reader.read(0..length + 1).is_err());

            let stored = memory.open("f").unwrap();
            let mut bytes = vec![0; usize::try_from(stored.bytes().unwrap()).unwrap()];
            stored.read_at(0, &mut bytes).unwrap();
            prop_assert_eq!(&bytes, &encoded(&content));
            let flip = flip % (bytes.len() * 8);
            bytes[flip / 8] ^= 1 << (flip % 8);
            memory.remove("f").unwrap();
            memory.create("f").unwrap().write_at(0, &bytes).unwrap();
            prop_assert!(open(&memory).unwrap().read_all().is_err());
        }
    }

    #[test]
    fn a_cut_inside_a_block_is_noticed() {
        let content = vec![7; BLOCK_BYTES + 10];
        for length in [1, 3, 4, BLOCK_BYTES, STORED_BYTES + 2, STORED_BYTES + 9] {
            let memory = Memory::new();
            memory.make_folder("").unwrap();
            let bytes = encoded(&content);
            memory.create("f").unwrap().write_at(0, &bytes[..length]).unwrap();
            let read = open(&memory).and_then(|reader| reader.read_all());
            assert!(read.map_or(true, |read| read.is_empty()), "{length}");
        }
    }
}
