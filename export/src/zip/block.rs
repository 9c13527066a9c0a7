//! Where the last block of a deflated stream lies, without inflating it.
//!
//! libdeflate makes whole streams only. Once the last block of one is found its mark can be taken
//! away, and another stream can follow. Codes are read, and skipped with the bits that belong to
//! them: that costs a small share of what deflating does.

use std::ops::Range;

/// Codes of a block, of symbols and of distances together: at most so many.
const MOST_CODES: usize = 320;
/// The longest code, in bits.
const CODE_BITS: usize = 15;
/// The order in which the lengths of the code of lengths stand.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The symbol that ends a block; smaller ones are bytes, larger ones matches.
const END: u16 = 256;
/// Bits of a match at most: its code with 5 more, and the code of its distance with 13 more.
const MATCH_BITS: u16 = 48;
/// Bits that a word of 64 has at least, from any bit of its first byte on.
const WORD_BITS: u16 = 57;

/// Finds last blocks; keeps its tables for the next stream.
#[derive(Debug, Default)]
pub(super) struct Finder {
    lengths: Code,
    symbols: Code,
    distances: Code,
}

impl Finder {
    /// The bits of the last block. `stream` has eight more bytes behind its end.
    pub(super) fn last_block(&mut self, stream: &[u8]) -> Option<Range<usize>> {
        let mut bits = Bits { stream, at: 0 };
        loop {
            let start = bits.at;
            let is_last = bits.take(1)? == 1;
            match bits.take(2)? {
                0 => bits.skip_stored()?,
                1 => {
                    let of_symbols = std::array::from_fn::<u16, 288, _>(fixed_length);
                    self.set(&of_symbols, &[5; 30]);
                    self.skip(&mut bits)?;
                }
                2 => {
                    self.read(&mut bits)?;
                    self.skip(&mut bits)?;
                }
                _ => return None,
            }
            if is_last {
                return Some(start..bits.at);
            }
        }
    }

    /// Reads the codes of a block.
    fn read(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let symbols = bits.take(5)? + 257;
        let end = symbols + bits.take(5)? + 1;
        let mut lengths = [0; ORDER.len()];
        let count = bits.take(4)? + 4;
        for place in ORDER.iter().take(count) {
            *lengths.get_mut(*place)? = u16::try_from(bits.take(3)?).ok()?;
        }
        self.lengths.set(&lengths, |_| 0);
        let mut all = [0; MOST_CODES];
        let mut at = 0;
        while at < end {
            let (symbol, taken) = self.lengths.next(bits.word()?)?;
            bits.at += usize::from(taken);
            let (length, count) = match symbol {
                16 => (*all.get(at.checked_sub(1)?)?, 3 + bits.take(2)?),
                17 => (0, 3 + bits.take(3)?),
                18 => (0, 11 + bits.take(7)?),
                length => (length, 1),
            };
            all.get_mut(at..at + count)?.fill(length);
            at += count;
        }
        let (symbols, distances) = all.get(..end)?.split_at_checked(symbols)?;
        self.set(symbols, distances);
        Some(())
    }

    fn set(&mut self, symbols: &[u16], distances: &[u16]) {
        self.symbols.set(symbols, |symbol| match symbol {
            265..285 => (symbol - 261) / 4,
            _ => 0,
        });
        self.distances.set(distances, |symbol| (symbol / 2).saturating_sub(1));
    }

    /// Skips what is coded up to the end of the block.
    fn skip(&self, bits: &mut Bits<'_>) -> Option<()> {
        loop {
            let mut word = bits.word()?;
            let (mut symbol, mut used) = (0, 0);
            while symbol < END && used <= WORD_BITS - MATCH_BITS {
                let (next, taken) = self.symbols.next(word)?;
                (symbol, word, used) = (next, word >> taken, used + taken);
            }
            if symbol > END {
                used += self.distances.next(word)?.1;
            }
            bits.at += usize::from(used);
            if symbol == END {
                return Some(());
            }
        }
    }
}

/// The length of a symbol's code in a block that has no codes of its own.
fn fixed_length(symbol: usize) -> u16 {
    match symbol {
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    }
}

/// A Huffman code: for each value of the next bits a symbol, and how many bits its code takes with
/// those that belong to it.
#[derive(Debug, Default)]
struct Code {
    table: Vec<(u16, u16)>,
}

impl Code {
    /// Takes over a code from the lengths of its symbols' codes; `more` bits follow a symbol's.
    fn set(&mut self, lengths: &[u16], more: impl Fn(u16) -> u16) {
        let mut counts = [0_u16; CODE_BITS + 1];
        for length in lengths.iter().filter(|length| **length > 0) {
            counts[usize::from(*length)] += 1;
        }
        let mut codes = [0_u16; CODE_BITS + 1];
        for length in 1..codes.len() {
            codes[length] = (codes[length - 1] + counts[length - 1]) << 1;
        }
        let longest = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        self.table.clear();
        self.table.resize(1 << longest, (0, 0));
        for (symbol, length) in (0..).zip(lengths).filter(|(_, length)| **length > 0) {
            let code = &mut codes[usize::from(*length)];
            let first = usize::from(code.reverse_bits() >> (u16::BITS - u32::from(*length)));
            *code += 1;
            let places = self.table.iter_mut().skip(first).step_by(1 << *length);
            places.for_each(|place| *place = (symbol, length + more(symbol)));
        }
    }

    /// The symbol that a word begins with, and its bits.
    fn next(&self, word: u64) -> Option<(u16, u16)> {
        let low = usize::from((word & 0xffff) as u16) & self.table.len().wrapping_sub(1);
        self.table.get(low).copied().filter(|(_, bits)| *bits > 0)
    }
}

/// The bits of a stream, the lowest of each byte first.
struct Bits<'s> {
    stream: &'s [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next [`WORD_BITS`] bits or more, zeros above them.
    fn word(&self) -> Option<u64> {
        let bytes = self.stream.get(self.at / 8..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes) >> (self.at % 8))
    }

    fn take(&mut self, bits: u32) -> Option<usize> {
        let value = self.word()? & ((1 << bits) - 1);
        self.at += bits as usize;
        usize::try_from(value).ok()
    }

    fn skip_stored(&mut self) -> Option<()> {
        self.at = self.at.next_multiple_of(8);
        let bytes = self.take(16)?;
        self.at += 16 + 8 * bytes;
        Some(())
    }
}
