//! The hash of a bag of rows: the same whatever their order and however they are split over files.
//!
//! It is the sum of the rows' 32-byte hashes as little-endian numbers, modulo 2^256.

use std::iter::Sum;
use std::ops::{AddAssign, SubAssign};

/// A sum of row hashes. The empty bag is all zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Multiset(pub(crate) [u8; 32]);

impl AddAssign for Multiset {
    fn add_assign(&mut self, other: Self) {
        self.combine(other, u64::overflowing_add);
    }
}

impl SubAssign for Multiset {
    fn sub_assign(&mut self, other: Self) {
        self.combine(other, u64::overflowing_sub);
    }
}

impl Sum for Multiset {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |mut sum, part| {
            sum += part;
            sum
        })
    }
}

impl Multiset {
    /// Puts a row into the bag.
    pub(crate) fn insert(&mut self, row_hash: &[u8; 32]) {
        *self += Self(*row_hash);
    }

    /// The bag that has each row so many times.
    pub(crate) fn times(mut self, mut count: u64) -> Self {
        let mut sum = Self::default();
        while count > 0 {
            if count & 1 == 1 {
                sum += self;
            }
            self += self;
            count >>= 1;
        }
        sum
    }

    /// Applies `step` limb by limb, lowest first, carrying over.
    fn combine(&mut self, other: Self, step: fn(u64, u64) -> (u64, bool)) {
        let (limbs, _) = self.0.as_chunks_mut::<8>();
        let (others, _) = other.0.as_chunks::<8>();
        let mut carry = false;
        for (limb, other) in limbs.iter_mut().zip(others) {
            let (value, over) = step(u64::from_le_bytes(*limb), u64::from_le_bytes(*other));
            let (value, over_again) = step(value, u64::from(carry));
            *limb = value.to_le_bytes();
            carry = over || over_again;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(row: u8) -> [u8; 32] {
        *blake3::hash(&[row]).as_bytes()
    }

    fn bag(rows: impl IntoIterator<Item = u8>) -> Multiset {
        rows.into_iter().map(|row| Multiset(hash(row))).sum()
    }

    #[test]
    fn order_does_not_matter_but_every_row_and_its_count_does() {
        assert_eq!(bag(0..100), bag((0..100).rev()));
        assert_ne!(bag(0..100), bag(0..99));
        assert_ne!(bag([1, 1]), bag([1]));
        assert_ne!(bag([1, 2]), bag([1, 3]));
    }

    #[test]
    fn taking_rows_out_undoes_putting_them_in() {
        let mut all = bag(0..200);
        all -= bag(50..200);
        assert_eq!(all, bag(0..50));
        all -= bag(0..50);
        assert_eq!(all, Multiset::default());
    }

    #[test]
    fn many_times_is_one_by_one() {
        for count in [0_u8, 1, 2, 3, 100] {
            let one_by_one: Multiset = (0..count).map(|_| bag([1, 2])).sum();
            assert_eq!(bag([1, 2]).times(u64::from(count)), one_by_one);
        }
    }

    #[test]
    fn carries_run_through_all_limbs_and_wrap() {
        let mut one = [0; 32];
        one[0] = 1;
        let mut sum = Multiset([0xff; 32]);
        sum.insert(&one);
        assert_eq!(sum, Multiset::default());
        sum -= Multiset(one);
        assert_eq!(sum, Multiset([0xff; 32]));
    }
}
