//! Checked reading of little-endian fields and varints, and their writing.
//!
//! A [`Reader`] never panics and never reads past its slice: every short read is `None`.

use super::limits::{FIRST_ITEMS, Limit};

/// Reads fields off the front of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// LEB128, at most ten bytes.
    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        // Most have one byte or two.
        match self.rest {
            [byte @ ..0x80, rest @ ..] => {
                self.rest = rest;
                Some(u64::from(*byte))
            }
            [low, high @ ..0x80, rest @ ..] => {
                self.rest = rest;
                Some(u64::from(low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        while shift < u64::BITS {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
            shift += 7;
        }
        None
    }

    pub(crate) fn varint32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    /// A varint that counts the items of a list: no more than its kind has, and no more than
    /// there can be in what is left.
    pub(crate) fn count(&mut self, limit: Limit) -> Option<usize> {
        let count = usize::try_from(self.varint()?).ok()?;
        let fits = count <= limit.items && count.checked_mul(limit.bytes)? <= self.rest.len();
        fits.then_some(count)
    }

    /// A count and so many items. Memory grows with the items that are there.
    pub(crate) fn list<T>(
        &mut self,
        limit: Limit,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = self.count(limit)?;
        let mut list = Vec::with_capacity(count.min(FIRST_ITEMS));
        for _ in 0..count {
            list.push(item(self)?);
        }
        Some(list)
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        self.varint().map(unzigzag)
    }

    /// A varint length and that many bytes.
    pub(crate) fn block(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    /// A block that is UTF-8.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.block()?).ok()
    }
}

/// Appends a LEB128 varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// Appends a zigzag varint.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Appends a varint length and the bytes.
pub(crate) fn put_block(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_at_every_width() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                put_signed(&mut out, value.cast_signed());
                let mut reader = Reader::new(&out);
                assert_eq!(reader.varint(), Some(value));
                assert_eq!(reader.signed(), Some(value.cast_signed()));
                assert!(reader.is_empty());
            }
        }
    }

    #[test]
    fn an_endless_varint_and_a_block_beyond_the_input_are_refused() {
        assert_eq!(Reader::new(&[0xff; 11]).varint(), None);
        assert_eq!(Reader::new(&[5, 1, 2]).block(), None);
    }

    #[test]
    fn a_list_beyond_its_kind_or_the_input_is_refused_before_an_item_is_read() {
        let read = |bytes: &[u8], items, least| {
            Reader::new(bytes).list(Limit { items, bytes: least }, Reader::u8)
        };
        assert_eq!(read(&[2, 7, 8], 2, 1), Some(vec![7, 8]));
        assert_eq!(read(&[2, 7, 8], 1, 1), None, "more than its kind has");
        assert_eq!(read(&[2, 7, 8], 2, 2), None, "more than there is room for");
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f], usize::MAX, usize::MAX), None);
    }
}
