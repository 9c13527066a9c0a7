//! Deflating in chunks whose sizes are known one by one, and the other way round with a limit.
//!
//! A deflated member is a row of chunks. Each but the last ends on a byte's border with an empty
//! stored block, none looks back into the one before, so chunks can be made on any thread and in
//! any order, and their sizes just add up. A chunk that would not shrink is written as stored
//! blocks: no chunk is ever larger than [`stored_bytes`] says.
//!
//! The last chunk is a whole stream, and of a small member it is the only one: libdeflate makes it
//! in half the time of zlib, which can end a chunk that is not the last.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use libdeflater::{CompressionLvl, Compressor};

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
pub(crate) enum Place {
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
    /// Compressors of a thread, by level: their tables are large, and making them is slower than a
    /// message.
    static COMPRESSORS: RefCell<BTreeMap<u32, Compress>> = const { RefCell::new(BTreeMap::new()) };
    /// The same for last chunks.
    static LAST_COMPRESSORS: RefCell<BTreeMap<u32, Compressor>> =
        const { RefCell::new(BTreeMap::new()) };
}

/// Deflates a chunk.
pub(crate) fn chunk(raw: &[u8], level: u32, place: Place) -> Vec<u8> {
    let limit = usize::try_from(stored_bytes(raw.len())).unwrap_or(usize::MAX);
    let deflated = match place {
        Place::Inside => COMPRESSORS.with_borrow_mut(|kept| {
            let make = || Compress::new(Compression::new(level), false);
            deflate(kept.entry(level).or_insert_with(make), raw, limit)
        }),
        Place::Last => LAST_COMPRESSORS.with_borrow_mut(|kept| {
            deflate_last(kept.entry(level).or_insert_with(|| compressor(level)), raw, limit)
        }),
    };
    match deflated {
        Some(deflated) if deflated.len() < limit || raw.is_empty() => deflated,
        _ => stored(raw, place),
    }
}

/// The lower ones of zlib's levels are slower than the one that is as good here.
fn compressor(level: u32) -> Compressor {
    let level = i32::try_from(level.saturating_sub(1)).unwrap_or_default();
    Compressor::new(CompressionLvl::new(level).unwrap_or_default())
}

fn deflate_last(compressor: &mut Compressor, raw: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; limit.max(64)];
    let bytes = compressor.deflate_compress(raw, &mut out).ok()?;
    out.truncate(bytes);
    out.shrink_to_fit();
    Some(out)
}

/// `None` if the chunk would not be smaller than `limit`.
fn deflate(compressor: &mut Compress, raw: &[u8], limit: usize) -> Option<Vec<u8>> {
    compressor.reset();
    let mut out = Vec::with_capacity(limit.max(64));
    loop {
        let consumed = usize::try_from(compressor.total_in()).unwrap_or(usize::MAX);
        let rest = raw.get(consumed..)?;
        let status = compressor.compress_vec(rest, &mut out, FlushCompress::Full).ok()?;
        let all_in = compressor.total_in() == raw.len() as u64;
        let room_left = out.len() < out.capacity();
        match status {
            _ if all_in && room_left => return Some(out),
            // The output is full: the chunk is at least as large as its stored form.
            _ if !room_left => return None,
            Status::BufError | Status::StreamEnd => return None,
            Status::Ok => {}
        }
    }
}

/// A chunk as stored blocks.
fn stored(raw: &[u8], place: Place) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 64);
    let blocks = raw.len().div_ceil(STORED_BLOCK_BYTES);
    for (number, block) in raw.chunks(STORED_BLOCK_BYTES).enumerate() {
        let last = place == Place::Last && number + 1 == blocks;
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
