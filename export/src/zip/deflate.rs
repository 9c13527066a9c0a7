//! Deflating in chunks whose sizes are known one by one, and the other way round with a limit.
//!
//! A deflated member is a row of chunks. Each but the last ends on a byte's border with an empty
//! stored block, none looks back into the one before, so chunks can be made on any thread and in
//! any order, and their sizes just add up. A chunk that would not shrink is written as stored
//! blocks: no chunk is ever larger than [`stored_bytes`] says.
//!
//! libdeflate makes whole streams, in half the time of zlib. The last chunk is one; of the others the
//! last block is found and made one that others follow.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::{CompressionLvl, Compressor};

use super::block::Finder;

/// How much is deflated at a time: large enough that starting anew costs little, small enough
/// that many threads have work and little is in memory.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// An empty last block: ends a row of chunks of which nobody knew the last.
pub(crate) const LAST_BLOCK: [u8; 2] = [0x03, 0x00];
/// The most bytes of a stored block.
const STORED_BLOCK_BYTES: usize = 0xffff;
/// What a stored block adds to its bytes: a byte with its kind, its length twice.
const STORED_BLOCK_COST: u64 = 5;

/// Where a chunk stands in its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChunkPlace {
    /// More follows.
    Inside,
    /// It ends the member.
    Last,
}

/// The size of a chunk that could not be made any smaller.
pub(crate) fn stored_bytes(raw: usize) -> u64 {
    let blocks = raw.div_ceil(STORED_BLOCK_BYTES) as u64;
    raw as u64 + STORED_BLOCK_COST * blocks
}

thread_local! {
    /// What a thread deflates with, by level: tables are large, and making them is slower than a
    /// message.
    static DEFLATERS: RefCell<BTreeMap<u32, Deflater>> = const { RefCell::new(BTreeMap::new()) };
}

/// Deflates a chunk.
pub(crate) fn chunk(raw: &[u8], level: u32, place: ChunkPlace) -> Vec<u8> {
    let deflated = DEFLATERS.with_borrow_mut(|kept| {
        kept.entry(level).or_insert_with(|| Deflater::new(level)).chunk(raw, place)
    });
    deflated.unwrap_or_else(|| stored(raw, place))
}

/// A whole zlib stream.
pub(crate) fn zlib(raw: &[u8], level: u32) -> Vec<u8> {
    DEFLATERS
        .with_borrow_mut(|kept| kept.entry(level).or_insert_with(|| Deflater::new(level)).zlib(raw))
}

struct Deflater {
    compressor: Compressor,
    finder: Finder,
    out: Vec<u8>,
}

impl Deflater {
    /// The lower ones of zlib's levels are slower than the one that is as good here.
    fn new(level: u32) -> Self {
        let level = i32::try_from(level.saturating_sub(1)).unwrap_or_default();
        let level = CompressionLvl::new(level).unwrap_or_default();
        Self { compressor: Compressor::new(level), finder: Finder::default(), out: Vec::new() }
    }

    /// `None` if the chunk would not be smaller than its stored form.
    fn chunk(&mut self, raw: &[u8], place: ChunkPlace) -> Option<Vec<u8>> {
        let limit = usize::try_from(stored_bytes(raw.len())).unwrap_or(usize::MAX);
        // A finder reads whole words, and a chunk that goes on ends with up to five bytes more.
        let room = limit.max(64) + 8;
        if self.out.len() < room {
            self.out.resize(room, 0);
        }
        let bytes =
            self.compressor.deflate_compress(raw, self.out.get_mut(..limit.max(64))?).ok()?;
        let bytes = if place == ChunkPlace::Inside { self.go_on(bytes)? } else { bytes };
        let is_smaller = bytes < limit || raw.is_empty();
        self.out.get(..bytes).filter(|_| is_smaller).map(<[u8]>::to_vec)
    }

    fn zlib(&mut self, raw: &[u8]) -> Vec<u8> {
        let most = self.compressor.zlib_compress_bound(raw.len());
        if self.out.len() < most {
            self.out.resize(most, 0);
        }
        // There is room for any stream.
        let bytes = self.compressor.zlib_compress(raw, &mut self.out).unwrap_or_default();
        self.out.get(..bytes).unwrap_or_default().to_vec()
    }

    /// Lets another block follow a whole stream of so many bytes: gives how many they are then.
    fn go_on(&mut self, bytes: usize) -> Option<usize> {
        self.out.get_mut(bytes..bytes + 8)?.fill(0);
        let last = self.finder.last_block(self.out.get(..bytes + 8)?)?;
        *self.out.get_mut(last.start / 8)? &= !(1 << (last.start % 8));
        // An empty stored block: three bits of zero, and from the next byte on its length.
        let end = (last.end + 3).div_ceil(8);
        self.out.get_mut(end..end + 4)?.copy_from_slice(&[0, 0, 0xff, 0xff]);
        Some(end + 4)
    }
}

/// A chunk as stored blocks.
fn stored(raw: &[u8], place: ChunkPlace) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 64);
    let blocks = raw.len().div_ceil(STORED_BLOCK_BYTES);
    for (number, block) in raw.chunks(STORED_BLOCK_BYTES).enumerate() {
        let last = place == ChunkPlace::Last && number + 1 == blocks;
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(last));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out
}

/// Inflates what a reader gives, in fixed memory. Reading ends at the stream's end; bytes behind
/// it, or a stream that is cut off or broken, are errors.
#[derive(Debug)]
pub(crate) struct Inflater<R> {
    packed: R,
    state: Decompress,
    buffer: Box<[u8]>,
    filled: std::ops::Range<usize>,
    ended: bool,
}

impl<R: Read> Inflater<R> {
    pub(crate) fn new(packed: R) -> Self {
        let buffer = vec![0; 32 << 10].into_boxed_slice();
        Self { packed, state: Decompress::new(false), buffer, filled: 0..0, ended: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        if self.filled.is_empty() {
            let read = self.packed.read(&mut self.buffer)?;
            self.filled = 0..read;
        }
        Ok(())
    }

    fn at_end(&mut self) -> io::Result<usize> {
        self.refill()?;
        if self.filled.is_empty() { Ok(0) } else { Err(broken("bytes follow the deflated ones")) }
    }
}

impl<R: Read> Read for Inflater<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while !self.ended {
            self.refill()?;
            let input = self.buffer.get(self.filled.clone()).unwrap_or_default();
            let before = (self.state.total_in(), self.state.total_out());
            let status = self
                .state
                .decompress(input, out, FlushDecompress::None)
                .map_err(|_error| broken("the deflated bytes are damaged"))?;
            let consumed = usize::try_from(self.state.total_in() - before.0).unwrap_or(0);
            let produced = usize::try_from(self.state.total_out() - before.1).unwrap_or(0);
            let starved = input.is_empty() && produced == 0;
            self.filled.start += consumed;
            self.ended = status == Status::StreamEnd;
            if starved && !self.ended {
                return Err(broken("the deflated bytes are cut off"));
            }
            if produced > 0 {
                return Ok(produced);
            }
        }
        self.at_end()
    }
}

fn broken(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
