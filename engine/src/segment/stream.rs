//! Streams of integers inside a frame: constant, bytes, or varints. The frame is packed as a whole: its
//! many small streams are alike.
//!
//! How many numbers there are is known to the reader and checked. Bytes: FORMAT.md, "Segment".

use std::ops::Range;

use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_block, put_varint, unzigzag, zigzag};

/// Forms of numbers.
const SAME: u8 = 0;
const BYTES: u8 = 1;
const VARINTS: u8 = 2;

/// Appends numbers in the shortest form.
pub(crate) fn put_numbers(out: &mut Vec<u8>, numbers: &[u64]) {
    let first = numbers.first().copied().unwrap_or(0);
    if numbers.iter().all(|number| *number == first) {
        out.push(SAME);
        return put_varint(out, first);
    }
    let narrow = numbers.iter().map(|number| u8::try_from(*number));
    if let Ok(bytes) = narrow.collect::<std::result::Result<Vec<u8>, _>>() {
        out.push(BYTES);
        put_block(out, &bytes);
    } else {
        out.push(VARINTS);
        put_block(out, &varints(numbers));
    }
}

/// Appends signed numbers.
pub(crate) fn put_signed(out: &mut Vec<u8>, numbers: &[i64]) {
    let unsigned: Vec<u64> = numbers.iter().map(|number| zigzag(*number)).collect();
    put_numbers(out, &unsigned);
}

fn varints(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() * 2);
    for number in numbers {
        put_varint(&mut bytes, *number);
    }
    bytes
}

/// Numbers as read back, each as wide as the widest needs to be: decoded groups are what caches
/// hold, and most numbers are small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Same(u64),
    Bytes(Vec<u8>),
    Halves(Vec<u16>),
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
            Self::Halves(numbers) => numbers.get(index).map(|number| u64::from(*number)),
            Self::Words(numbers) => numbers.get(index).map(|number| u64::from(*number)),
            Self::Longs(numbers) => numbers.get(index).copied(),
        }
    }

    /// How many are held: none of a stream of equal ones.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Same(_) => 0,
            Self::Bytes(numbers) => numbers.len(),
            Self::Halves(numbers) => numbers.len(),
            Self::Words(numbers) => numbers.len(),
            Self::Longs(numbers) => numbers.len(),
        }
    }

    /// These numbers, as narrow as they can be held.
    pub(crate) fn of(numbers: &[u64]) -> Self {
        let first = numbers.first().copied().unwrap_or(0);
        if numbers.iter().all(|number| *number == first) {
            return Self::Same(first);
        }
        match numbers.iter().map(|number| u32::try_from(*number)).collect() {
            Ok(words) => Self::of_words(words),
            Err(_) => Self::Longs(numbers.to_vec()),
        }
    }

    fn of_words(words: Vec<u32>) -> Self {
        match words.iter().map(|word| u16::try_from(*word)).collect() {
            Ok(halves) => Self::Halves(halves),
            Err(_) => Self::Words(words),
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
            Self::Halves(numbers) => {
                each(numbers, count, |at, number| make(at, u64::from(*number)))
            }
            Self::Words(numbers) => each(numbers, count, |at, number| make(at, u64::from(*number))),
            Self::Longs(numbers) => each(numbers, count, |at, number| make(at, *number)),
        }
    }

    /// How often a number is among those held.
    pub(crate) fn count(&self, number: u64) -> usize {
        self.count_in(0..self.len(), number).unwrap_or(0)
    }

    /// How often it is among some of them; `None` if there are not so many.
    pub(crate) fn count_in(&self, range: Range<usize>, number: u64) -> Option<usize> {
        Some(match self {
            Self::Same(_) => return range.is_empty().then_some(0),
            Self::Bytes(all) => count(all.get(range)?, u8::try_from(number).ok()),
            Self::Halves(all) => count(all.get(range)?, u16::try_from(number).ok()),
            Self::Words(all) => count(all.get(range)?, u32::try_from(number).ok()),
            Self::Longs(all) => count(all.get(range)?, Some(number)),
        })
    }

    /// Are all below a limit?
    pub(crate) fn are_below(&self, limit: u64) -> bool {
        match self {
            Self::Same(number) => *number < limit,
            Self::Bytes(numbers) => numbers.iter().all(|number| u64::from(*number) < limit),
            Self::Halves(numbers) => numbers.iter().all(|number| u64::from(*number) < limit),
            Self::Words(numbers) => numbers.iter().all(|number| u64::from(*number) < limit),
            Self::Longs(numbers) => numbers.iter().all(|number| *number < limit),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Same(_) => 0,
            Self::Bytes(numbers) => numbers.len(),
            Self::Halves(numbers) => numbers.len() * 2,
            Self::Words(numbers) => numbers.len() * 4,
            Self::Longs(numbers) => numbers.len() * 8,
        }
    }
}

fn count<N: PartialEq>(numbers: &[N], number: Option<N>) -> usize {
    number.map_or(0, |number| numbers.iter().filter(|one| **one == number).count())
}

fn each<N, T>(numbers: &[N], count: usize, mut make: impl FnMut(usize, &N) -> T) -> Vec<T> {
    numbers.iter().take(count).enumerate().map(|(at, number)| make(at, number)).collect()
}

/// Reads exactly `count` numbers.
pub(crate) fn read_numbers(reader: &mut Reader<'_>, count: usize) -> Result<Numbers> {
    try_read_numbers(reader, count).ok_or_else(|| Error::corrupt("numbers are damaged"))
}

fn try_read_numbers(reader: &mut Reader<'_>, count: usize) -> Option<Numbers> {
    match reader.u8()? {
        SAME => Some(Numbers::Same(reader.varint()?)),
        BYTES => {
            let bytes = reader.block().filter(|bytes| bytes.len() == count)?;
            Some(Numbers::Bytes(bytes.to_vec()))
        }
        VARINTS => read_varints(reader.block()?, count),
        _ => None,
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
    varints.is_empty().then(|| Numbers::of_words(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_form_come_back() {
        for numbers in [
            vec![],
            vec![7; 100],
            (0..256).collect::<Vec<u64>>(),
            (0..1000).map(|n| n * 97).collect(),
            vec![u64::MAX, 0],
            vec![1, 300, 70_000, u64::from(u32::MAX), 1 << 32, 2],
            vec![300, 1 << 40, u64::MAX],
        ] {
            let held = Numbers::of(&numbers);
            assert!((0..numbers.len()).map(|at| held.at(at)).eq(numbers.iter().copied()));
            let mut out = Vec::new();
            put_numbers(&mut out, &numbers);
            let mut reader = Reader::new(&out);
            let back = read_numbers(&mut reader, numbers.len()).unwrap();
            let each: Vec<u64> = (0..numbers.len()).map(|at| back.at(at)).collect();
            assert_eq!(each, numbers);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn a_stream_that_has_fewer_numbers_than_there_must_be_is_refused_before_memory_is_taken() {
        for form in [BYTES, VARINTS, 3] {
            let bytes = [form, 1, 1];
            assert!(read_numbers(&mut Reader::new(&bytes), usize::MAX).is_err(), "{form}");
        }
    }
}
