//! The place behind a row, as the keys that rows are ordered by.
//!
//! ```text
//! text   := base64 (URL-safe, no padding) of bytes, CRC-32 of bytes
//! bytes  := version 1 u8, order u8 (0 conversation, 1 created, 2 modified, + 4 if backwards),
//!           time ticks signed, conversation block, id block, version varint, address 32,
//!           first 8 bytes of the archive's id, commit varint, its chain 8
//! ```

use super::Order;
use super::key::Id;
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_block, put_signed, put_varint};
use crate::snapshot::View;
use crate::types::{CommitId, ContentAddress, Sequence, Timestamp};

const FORMAT: u8 = 2;
const BACKWARDS: u8 = 4;
const SUM_BYTES: usize = 4;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The place behind a row of a scan: its order key, never a position.
///
/// It stays good over compaction, reopening and new rows: a scan that goes on behind it neither
/// repeats nor leaves out a row that was there. It belongs to one order and direction, and to an
/// archive that has the commit it was made as of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) order: Order,
    pub(super) backwards: bool,
    /// The time that the order goes by.
    pub(super) time: i64,
    pub(super) conversation: String,
    pub(super) id: Id,
    pub(super) version: u64,
    pub(super) address: ContentAddress,
    /// The archive that it is of, and the commit of its snapshot.
    pub(super) archive: [u8; 8],
    pub(super) commit: CommitId,
}

impl Cursor {
    /// Is it of this archive's past?
    pub(super) fn check(&self, view: &View) -> Result<()> {
        if self.archive != view.archive_prefix() {
            let message = "the cursor is of another archive: ask this one without a cursor";
            return Err(Error::invalid(message));
        }
        view.check_commit(&self.commit)
    }

    /// The time that the order goes by, of the row that it is behind.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_ticks(self.time)
    }

    /// As text for people and scripts: URL-safe, and checked when it is read back.
    pub fn to_text(&self) -> String {
        let order = match self.order {
            Order::Conversation => 0,
            Order::Created => 1,
            Order::Modified => 2,
        };
        let mut bytes = vec![FORMAT, order + if self.backwards { BACKWARDS } else { 0 }];
        put_signed(&mut bytes, self.time);
        put_block(&mut bytes, self.conversation.as_bytes());
        put_block(&mut bytes, self.id.text().as_bytes());
        put_varint(&mut bytes, self.version);
        bytes.extend_from_slice(&self.address.0);
        bytes.extend_from_slice(&self.archive);
        put_varint(&mut bytes, self.commit.sequence.0);
        bytes.extend_from_slice(&self.commit.chain);
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        to_base64(&bytes)
    }

    /// Reads what [`Cursor::to_text`] gave; `InvalidInput` if a character was changed or lost.
    pub fn from_text(text: &str) -> Result<Self> {
        let bytes = from_base64(text.as_bytes());
        bytes.and_then(|bytes| Self::read(&bytes)).ok_or_else(|| Error::invalid("no cursor"))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (bytes, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM_BYTES)?)?;
        if crc32fast::hash(bytes).to_le_bytes() != sum {
            return None;
        }
        let reader = &mut Reader::new(bytes);
        let _ = reader.u8().filter(|format| *format == FORMAT)?;
        let order = reader.u8()?;
        let cursor = Self {
            backwards: order & BACKWARDS != 0,
            order: match order & !BACKWARDS {
                0 => Order::Conversation,
                1 => Order::Created,
                2 => Order::Modified,
                _ => return None,
            },
            time: reader.signed()?,
            conversation: reader.text()?.to_owned(),
            id: Id::of(reader.text()?),
            version: reader.varint()?,
            address: ContentAddress(reader.array()?),
            archive: reader.array()?,
            commit: CommitId { sequence: Sequence(reader.varint()?), chain: reader.array()? },
        };
        reader.is_empty().then_some(cursor)
    }
}

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=three.len() {
            let place = (bits >> (18 - 6 * digit)) & 63;
            text.push(char::from(ALPHABET[place as usize]));
        }
    }
    text
}

fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for four in text.chunks(4) {
        let mut bits = 0;
        for digit in four {
            bits = bits << 6 | u32::try_from(ALPHABET.iter().position(|at| at == digit)?).ok()?;
        }
        bits <<= 6 * (4 - four.len());
        let [low, middle, high, _] = bits.to_le_bytes();
        let three = [high, middle, low];
        let (given, spare) = three.split_at(four.len().checked_sub(1).filter(|count| *count > 0)?);
        // Bits that stand for nothing must be zero, or two texts would be the same cursor.
        if spare.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(given);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn cursor(id: &str) -> Cursor {
        Cursor {
            order: Order::Modified,
            backwards: true,
            time: -5,
            conversation: "19:é@thread.v2".into(),
            id: Id::of(id),
            version: u64::MAX,
            address: ContentAddress([7; 32]),
            archive: [8; 8],
            commit: CommitId { sequence: Sequence(300), chain: [9; 8] },
        }
    }

    #[test]
    fn a_cursor_comes_back_from_its_text() {
        for id in ["1417390479613", "", "a", "ab", "abc", "007"] {
            let text = cursor(id).to_text();
            assert!(text.bytes().all(|digit| ALPHABET.contains(&digit)), "{text}");
            assert_eq!(Cursor::from_text(&text).unwrap(), cursor(id));
        }
    }

    #[test]
    fn a_changed_or_lost_character_is_no_cursor() {
        for id in ["a", "ab", "abc"] {
            let text = cursor(id).to_text();
            for at in 0..text.len() {
                let (before, after) = (&text[..at], &text[at + 1..]);
                let other = if &text[at..=at] == "A" { "B" } else { "A" };
                for bad in
                    [format!("{before}{after}"), format!("{before}{other}{after}"), before.into()]
                {
                    let error = Cursor::from_text(&bad).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
                }
            }
            assert!(Cursor::from_text(&format!("{text}A")).is_err());
            assert!(Cursor::from_text(&format!("{text}=")).is_err());
        }
    }
}
