//! A set of 32-bit numbers in few bits: the gaps between them under a Rice code.
//!
//! ```text
//! varint  count of members
//! u8      k, the bits of each gap that are written as they are; only if count > 0
//! bits    for each member in ascending order, from the lowest bit of each byte on:
//!         gap >> k ones, a zero, then the low k bits of gap
//!         gap = the first member itself; afterwards member - previous member - 1
//! ```
//!
//! Hashes spread over 32 bits are what a catalog holds most of. Roaring's own layout pays a
//! container for nearly each (10 bytes, 5 under zstd); their gaps have 2.5 bytes of entropy, and
//! this code spends that and 2 % more. A dense set costs one bit a member.

use roaring::RoaringBitmap;

use crate::format::bytes::{Reader, put_varint};

const MAX_K: u32 = 31;

/// Packs a set.
pub(super) fn pack(set: &RoaringBitmap) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, set.len());
    let Some(last) = set.max() else { return out };
    let k = (u64::from(last) / set.len()).checked_ilog2().unwrap_or(0).min(MAX_K);
    out.extend_from_slice(&k.to_le_bytes()[..1]);
    let (mut bits, mut next) = (Bits { out, pending: 0, filled: 0 }, 0_u32);
    for member in set {
        let gap = member - next;
        bits.put_unary(gap >> k);
        bits.put(u64::from(gap) & ((1 << k) - 1), k);
        next = member.saturating_add(1);
    }
    bits.finish()
}

/// Unpacks what [`pack`] made. `None` for anything else that cannot be read as a set; allocates
/// no more than a small multiple of the input.
pub(super) fn unpack(bytes: &[u8]) -> Option<RoaringBitmap> {
    let mut reader = Reader::new(bytes);
    let count = reader.varint()?;
    if count == 0 {
        return reader.is_empty().then(RoaringBitmap::new);
    }
    let k = u32::from(reader.u8()?);
    // Each member takes at least one bit: a count beyond that is not worth starting on.
    if k > MAX_K || count > reader.rest().len() as u64 * 8 {
        return None;
    }
    let (mut bits, mut next, mut set) =
        (BitReader::new(reader.rest()), 0_u64, RoaringBitmap::new());
    for _ in 0..count {
        let high = bits.unary()?.checked_shl(k)?;
        let member = next.checked_add(high)?.checked_add(bits.take(k)?)?;
        set.try_push(u32::try_from(member).ok()?).ok()?;
        next = member + 1;
    }
    Some(set)
}

/// Gathers bits, the lowest first.
struct Bits {
    out: Vec<u8>,
    pending: u64,
    filled: u32,
}

impl Bits {
    /// Appends the low `count` bits of `value`, at most 32.
    fn put(&mut self, value: u64, count: u32) {
        self.pending |= value << self.filled;
        self.filled += count;
        while self.filled >= 8 {
            self.out.extend_from_slice(&self.pending.to_le_bytes()[..1]);
            self.pending >>= 8;
            self.filled -= 8;
        }
    }

    fn put_unary(&mut self, mut ones: u32) {
        while ones >= 31 {
            self.put((1 << 31) - 1, 31);
            ones -= 31;
        }
        self.put((1 << ones) - 1, ones + 1);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.filled > 0 {
            self.put(0, 8 - self.filled);
        }
        self.out
    }
}

struct BitReader<'a> {
    rest: Reader<'a>,
    pending: u64,
    filled: u32,
}

impl<'a> BitReader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: Reader::new(bytes), pending: 0, filled: 0 }
    }

    /// The next `count` bits, at most 32.
    fn take(&mut self, count: u32) -> Option<u64> {
        while self.filled < count {
            self.pending |= u64::from(self.rest.u8()?) << self.filled;
            self.filled += 8;
        }
        let value = self.pending & ((1 << count) - 1);
        self.pending >>= count;
        self.filled -= count;
        Some(value)
    }

    fn unary(&mut self) -> Option<u64> {
        let mut ones = 0_u64;
        while self.take(1)? == 1 {
            ones += 1;
        }
        Some(ones)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hashes(count: u32) -> RoaringBitmap {
        let hash = |n: u32| crc32fast::hash(&n.to_le_bytes());
        (0..count).map(hash).collect()
    }

    #[test]
    fn edges_come_back() {
        let sets: [&[u32]; 6] =
            [&[], &[0], &[u32::MAX], &[0, u32::MAX], &[0, 1, 2, 3], &[7, 8, 1 << 31]];
        for members in sets {
            let set: RoaringBitmap = members.iter().copied().collect();
            assert_eq!(unpack(&pack(&set)), Some(set), "{members:?}");
        }
    }

    #[test]
    fn scattered_hashes_cost_close_to_their_entropy_and_runs_a_bit() {
        // log2 of (2^32 choose 12,000) is 29.8 KB.
        assert!(pack(&hashes(12_000)).len() < 30_600, "{}", pack(&hashes(12_000)).len());
        let days: RoaringBitmap = (20_000..20_730).collect();
        assert!(pack(&days).len() < 1_000, "{}", pack(&days).len());
    }

    #[test]
    fn foreign_bytes_are_no_set() {
        for bytes in [&[][..], &[1], &[1, 32, 0], &[200, 0, 1], &[0, 0], &[1, 0, 0xff, 0xff]] {
            assert_eq!(unpack(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_set_comes_back(members in prop::collection::vec(any::<u32>(), 0..300), keep in 0..33_u32) {
            let shrink = |member: u32| member.checked_shr(keep).unwrap_or(0);
            let set: RoaringBitmap = members.into_iter().map(shrink).collect();
            prop_assert_eq!(unpack(&pack(&set)), Some(set));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(set) = unpack(&bytes) {
                prop_assert!(set.len() <= bytes.len() as u64 * 8);
            }
        }
    }
}
