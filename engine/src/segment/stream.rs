//! Streams of integers and bytes inside a frame: constant, bytes, or varints, packed if it helps.
//!
//! How many numbers there are is known to the reader and checked. Bytes: FORMAT.md, "Segment".

use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_block, put_varint, unzigzag, zigzag};
use crate::format::unpack::unpack_bare;

/// Fewer bytes do not get smaller.
const MIN_PACKED: usize = 24;

/// Forms of numbers that differ.
const BYTES: u8 = 1;
const BYTES_PACKED: u8 = 2;
const VARINTS: u8 = 3;
const VARINTS_PACKED: u8 = 4;

/// Packs streams at one compression level.
pub(crate) struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    pub(crate) fn new(level: i32) -> Result<Self> {
        let mut zstd = zstd::bulk::Compressor::new(level).map_err(compression)?;
        // A group has many small streams: what each of them can do without counts.
        zstd.include_magicbytes(false).map_err(compression)?;
        zstd.include_contentsize(false).map_err(compression)?;
        Ok(Self { zstd })
    }

    /// Appends bytes, packed if that saves something.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
        if let Some(packed) = self.pack(bytes)? {
            out.push(1);
            put_varint(out, bytes.len() as u64);
            put_block(out, &packed);
        } else {
            out.push(0);
            put_block(out, bytes);
        }
        Ok(())
    }

    /// The bytes packed; `None` if that saves nothing.
    fn pack(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        if bytes.len() < MIN_PACKED {
            return Ok(None);
        }
        let packed = self.zstd.compress(bytes).map_err(compression)?;
        Ok((packed.len() < bytes.len()).then_some(packed))
    }

    /// Appends numbers in the cheapest of the forms.
    pub(crate) fn put_numbers(&mut self, out: &mut Vec<u8>, numbers: &[u64]) -> Result<()> {
        let first = numbers.first().copied().unwrap_or(0);
        if numbers.iter().all(|number| *number == first) {
            out.push(0);
            put_varint(out, first);
            return Ok(());
        }
        let narrow = numbers
            .iter()
            .map(|number| u8::try_from(*number))
            .collect::<std::result::Result<Vec<u8>, _>>();
        let (plain, packed, bytes) = match narrow {
            Ok(bytes) => (BYTES, BYTES_PACKED, bytes),
            Err(_) => (VARINTS, VARINTS_PACKED, varints(numbers)),
        };
        let Some(smaller) = self.pack(&bytes)? else {
            out.push(plain);
            put_block(out, &bytes);
            return Ok(());
        };
        out.push(packed);
        if packed == VARINTS_PACKED {
            put_varint(out, bytes.len() as u64);
        }
        put_block(out, &smaller);
        Ok(())
    }

    /// Appends signed numbers.
    pub(crate) fn put_signed(&mut self, out: &mut Vec<u8>, numbers: &[i64]) -> Result<()> {
        let unsigned: Vec<u64> = numbers.iter().map(|number| zigzag(*number)).collect();
        self.put_numbers(out, &unsigned)
    }
}

fn varints(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() * 2);
    for number in numbers {
        put_varint(&mut bytes, *number);
    }
    bytes
}

fn compression(cause: std::io::Error) -> Error {
    Error::new(crate::error::ErrorKind::Io, "compression failed").caused_by(cause)
}

/// Numbers as read back, each as wide as the widest needs to be: decoded groups are what caches
/// hold, and most numbers are small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Same(u64),
    Bytes(Vec<u8>),
    Words(Vec<u32>),
    Longs(Vec<u64>),
}

impl Numbers {
    pub(crate) fn at(&self, index: usize) -> u64 {
        match self {
            Self::Same(number) => *number,
            several => several.get(index).unwrap_or(0),
        }
    }

    /// A number of a stream that has several.
    pub(crate) fn get(&self, index: usize) -> Option<u64> {
        match self {
            Self::Same(_) => None,
            Self::Bytes(numbers) => numbers.get(index).map(|number| u64::from(*number)),
            Self::Words(numbers) => numbers.get(index).map(|number| u64::from(*number)),
            Self::Longs(numbers) => numbers.get(index).copied(),
        }
    }

    /// How many are held: none of a stream of equal ones.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Same(_) => 0,
            Self::Bytes(numbers) => numbers.len(),
            Self::Words(numbers) => numbers.len(),
            Self::Longs(numbers) => numbers.len(),
        }
    }

    pub(crate) fn signed(&self, index: usize) -> i64 {
        unzigzag(self.at(index))
    }

    /// Makes something of each of so many numbers and its place.
    pub(crate) fn map<T>(&self, count: usize, mut make: impl FnMut(usize, u64) -> T) -> Vec<T> {
        // Asked once and not for each number, which is what most of decoding keys would be.
        match self {
            Self::Same(number) => (0..count).map(|at| make(at, *number)).collect(),
            Self::Bytes(numbers) => each(numbers, count, |at, number| make(at, u64::from(*number))),
            Self::Words(numbers) => each(numbers, count, |at, number| make(at, u64::from(*number))),
            Self::Longs(numbers) => each(numbers, count, |at, number| make(at, *number)),
        }
    }

    /// How often a number is among those held.
    pub(crate) fn count(&self, number: u64) -> usize {
        match self {
            Self::Same(_) => 0,
            Self::Bytes(all) => all.iter().filter(|one| u64::from(**one) == number).count(),
            Self::Words(all) => all.iter().filter(|one| u64::from(**one) == number).count(),
            Self::Longs(all) => all.iter().filter(|one| **one == number).count(),
        }
    }

    /// Are all below a limit?
    pub(crate) fn are_below(&self, limit: u64) -> bool {
        match self {
            Self::Same(number) => *number < limit,
            Self::Bytes(numbers) => numbers.iter().all(|number| u64::from(*number) < limit),
            Self::Words(numbers) => numbers.iter().all(|number| u64::from(*number) < limit),
            Self::Longs(numbers) => numbers.iter().all(|number| *number < limit),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Same(_) => 0,
            Self::Bytes(numbers) => numbers.len(),
            Self::Words(numbers) => numbers.len() * 4,
            Self::Longs(numbers) => numbers.len() * 8,
        }
    }
}

fn each<N, T>(numbers: &[N], count: usize, mut make: impl FnMut(usize, &N) -> T) -> Vec<T> {
    numbers.iter().take(count).enumerate().map(|(at, number)| make(at, number)).collect()
}

/// Reads a stream of at most `limit` bytes.
pub(crate) fn read(reader: &mut Reader<'_>, limit: usize) -> Result<Vec<u8>> {
    let damaged = || Error::corrupt("stream is damaged");
    let packing = reader.u8().ok_or_else(damaged)?;
    let raw = usize::try_from(reader.varint().ok_or_else(damaged)?).unwrap_or(usize::MAX);
    if raw > limit {
        return Err(Error::corrupt(format!("stream of {raw} bytes is over {limit}")));
    }
    match packing {
        0 => Ok(reader.take(raw).ok_or_else(damaged)?.to_vec()),
        1 => {
            let packed = reader.block().ok_or_else(damaged)?;
            unpack_bare(packed, raw, "stream")
        }
        _ => Err(damaged()),
    }
}

/// Reads exactly `count` numbers.
pub(crate) fn read_numbers(reader: &mut Reader<'_>, count: usize) -> Result<Numbers> {
    let damaged = || Error::corrupt("numbers are damaged");
    let form = reader.u8().ok_or_else(damaged)?;
    if form == 0 {
        return Ok(Numbers::Same(reader.varint().ok_or_else(damaged)?));
    }
    let limit = count.saturating_mul(10);
    let raw = if form == VARINTS_PACKED {
        let raw = reader.varint().and_then(|raw| usize::try_from(raw).ok());
        raw.filter(|raw| *raw <= limit).ok_or_else(damaged)?
    } else {
        count
    };
    let stored = reader.block().ok_or_else(damaged)?;
    match form {
        BYTES if stored.len() == count => Ok(Numbers::Bytes(stored.to_vec())),
        VARINTS => read_varints(stored, count).ok_or_else(damaged),
        BYTES_PACKED => Ok(Numbers::Bytes(unpack_bare(stored, raw, "stream")?)),
        VARINTS_PACKED => {
            read_varints(&unpack_bare(stored, raw, "stream")?, count).ok_or_else(damaged)
        }
        _ => Err(damaged()),
    }
}

/// These bytes as `count` numbers: of 32 bits up to the first that does not fit.
fn read_varints(bytes: &[u8], count: usize) -> Option<Numbers> {
    let (room, mut varints) = (count.min(bytes.len()), Reader::new(bytes));
    let mut words: Vec<u32> = Vec::with_capacity(room);
    for at in 0..count {
        let number = varints.varint()?;
        let Ok(word) = u32::try_from(number) else {
            let mut longs: Vec<u64> = Vec::with_capacity(room);
            longs.extend(words.into_iter().map(u64::from));
            longs.push(number);
            for _ in at + 1..count {
                longs.push(varints.varint()?);
            }
            return varints.is_empty().then_some(Numbers::Longs(longs));
        };
        words.push(word);
    }
    varints.is_empty().then_some(Numbers::Words(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_form_come_back() {
        let mut packer = Packer::new(3).unwrap();
        for numbers in [
            vec![],
            vec![7; 100],
            (0..256).collect::<Vec<u64>>(),
            (0..1000).map(|n| n * 97).collect(),
            vec![u64::MAX, 0],
            vec![1, 300, 70_000, u64::from(u32::MAX), 1 << 32, 2],
            vec![300, 1 << 40, u64::MAX],
        ] {
            let mut out = Vec::new();
            packer.put_numbers(&mut out, &numbers).unwrap();
            let mut reader = Reader::new(&out);
            let back = read_numbers(&mut reader, numbers.len()).unwrap();
            let each: Vec<u64> = (0..numbers.len()).map(|at| back.at(at)).collect();
            assert_eq!(each, numbers);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn a_stream_that_claims_more_than_its_limit_is_refused_before_memory_is_taken() {
        let mut out = vec![0];
        put_varint(&mut out, u64::MAX);
        assert!(read(&mut Reader::new(&out), 1 << 20).is_err());
    }
}
