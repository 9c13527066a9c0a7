//! Finds where a string ends.

use memchr::memchr2;

/// Most strings of a message are keys, ids and times: for those, words beat a call of `memchr`.
const SHORT_WORDS: usize = 5;

const WORD_BYTES: usize = size_of::<u64>();

/// How a string went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Its closing quote stands in front of this offset.
    Ended(usize),
    /// The input ends inside it.
    CutOff,
    /// The input ends between a backslash and what it escapes.
    Escape,
}

/// Goes on from `at`, which is inside a string.
pub(super) fn skip_text(bytes: &[u8], mut at: usize) -> Text {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(index) = quote_or_backslash(rest) else { return Text::CutOff };
        at += index + 1;
        if rest.get(index) == Some(&b'"') {
            return Text::Ended(at);
        }
        if at == bytes.len() {
            return Text::Escape;
        }
        at += 1;
    }
}

fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<WORD_BYTES>();
    for (index, word) in words.iter().take(SHORT_WORDS).enumerate() {
        let word = u64::from_le_bytes(*word);
        let hits = zero_bytes(word ^ repeated(b'"')) | zero_bytes(word ^ repeated(b'\\'));
        if hits != 0 {
            return Some(index * WORD_BYTES + hits.trailing_zeros() as usize / 8);
        }
    }
    let searched = words.len().min(SHORT_WORDS) * WORD_BYTES;
    let rest = bytes.get(searched..).unwrap_or_default();
    memchr2(b'"', b'\\', rest).map(|index| searched + index)
}

const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; WORD_BYTES])
}

/// Marks the bytes that are zero; exact up to the first one, which is all that is asked for.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(repeated(1)) & !word & repeated(0x80)
}
