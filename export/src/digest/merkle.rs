//! A Merkle tree hash of RFC 6962, section 2.1, over SHA-256, that never holds its leaves.
//!
//! A tree of n leaves is a row of perfect subtrees, one for each bit of n, the largest first. Their
//! roots, the peaks, are all that is kept.

use super::{Hash, Sha256, sha256};

/// The byte before a leaf's data.
pub(super) const LEAF: u8 = 0;
/// The byte before a node's two children.
const NODE: u8 = 1;

/// Takes hashes of leaves in order and gives their root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Merkle {
    peaks: Vec<Hash>,
    leaves: u64,
}

impl Merkle {
    /// Adds a leaf: SHA-256 of a zero byte and its data.
    pub(crate) fn push(&mut self, mut hash: Hash) {
        // Adding one carries through the low bits that are set: each is a subtree as large as
        // the one in hand, and to its left.
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.leaves += 1;
    }

    /// How many leaves there are.
    pub(crate) fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root of all leaves; that of none is the hash of nothing.
    pub(crate) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return sha256(b"") };
        peaks.fold(*last, |right, left| node(left, &right))
    }

    /// The roots of the perfect subtrees, the largest first.
    pub(crate) fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The tree with these peaks; `None` if so many leaves have another number of them.
    pub(crate) fn restore(leaves: u64, peaks: Vec<Hash>) -> Option<Self> {
        let fits = u32::try_from(peaks.len()).is_ok_and(|count| count == leaves.count_ones());
        fits.then_some(Self { peaks, leaves })
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::default();
    hasher.update(&[NODE]);
    hasher.update(left);
    hasher.update(right);
    hasher.finish()
}
