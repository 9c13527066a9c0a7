//! A Merkle tree hash in the shape of RFC 6962, section 2.1, over BLAKE3-256.
//!
//! ```text
//! leaf(d)     = H(0x00 || d)
//! node(l, r)  = H(0x01 || l || r)
//! root()      = H()
//! root(d0)    = leaf(d0)
//! root(D[n])  = node(root(D[0..k]), root(D[k..n])), k the largest power of two below n
//! ```
//!
//! The prefixes keep a node from being passed off as a leaf. The shape is the RFC's, so that its
//! published roots check ours; the hash is a type parameter for that reason alone.
//!
//! A tree of n leaves is a row of perfect subtrees, one for each bit of n, the largest first.
//! [`Builder`] keeps only their roots: O(log n) memory.

use std::fmt::Debug;
use std::marker::PhantomData;

/// A hash value: of a leaf, of a node, of a tree.
pub(crate) type Hash = [u8; 32];

const LEAF: [u8; 1] = [0x00];
const NODE: [u8; 1] = [0x01];

/// A hash function of 32 bytes over the parts, one after the other.
pub(crate) trait HashFunction: Debug + Default {
    fn hash(parts: &[&[u8]]) -> Hash;
}

/// What archives use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Blake3;

impl HashFunction for Blake3 {
    fn hash(parts: &[&[u8]]) -> Hash {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            let _ = hasher.update(part);
        }
        hasher.finalize().into()
    }
}

/// The hash of one leaf's bytes.
pub(crate) fn leaf<H: HashFunction>(bytes: &[u8]) -> Hash {
    H::hash(&[&LEAF, bytes])
}

fn node<H: HashFunction>(left: &Hash, right: &Hash) -> Hash {
    H::hash(&[&NODE, left, right])
}

/// Takes leaves in order and gives their root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Builder<H = Blake3> {
    /// Roots of perfect subtrees, the largest first: one for each bit set in `leaves`.
    roots: Vec<Hash>,
    leaves: u64,
    function: PhantomData<H>,
}

impl<H: HashFunction> Builder<H> {
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a leaf by its bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.push_leaf(leaf::<H>(bytes));
    }

    /// Adds a leaf that was hashed by [`leaf`] already.
    pub(crate) fn push_leaf(&mut self, mut hash: Hash) {
        // Adding one carries through the low bits that are set: each is a subtree as large as
        // the one in hand, and to its left.
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node::<H>(&left, &hash);
            }
        }
        self.roots.push(hash);
        self.leaves = self.leaves.saturating_add(1);
        debug_assert_eq!(self.roots.len(), self.leaves.count_ones() as usize);
    }

    #[cfg(test)]
    pub(crate) fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root of what was pushed so far; more may follow.
    pub(crate) fn root(&self) -> Hash {
        let joined =
            self.roots.iter().rev().copied().reduce(|right, left| node::<H>(&left, &right));
        joined.unwrap_or_else(|| H::hash(&[]))
    }
}

/// The root of a whole list of leaf hashes.
#[cfg(test)]
pub(crate) fn root<H: HashFunction>(leaves: &[Hash]) -> Hash {
    let mut builder = Builder::<H>::new();
    for hash in leaves {
        builder.push_leaf(*hash);
    }
    builder.root()
}

/// The siblings from leaf `index` up to the root, lowest first; `None` if there is no such leaf.
#[cfg(test)]
pub(crate) fn audit_path<H: HashFunction>(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    let _ = leaves.get(index)?;
    let (mut part, mut index, mut path) = (leaves, index, Vec::new());
    while part.len() > 1 {
        let (left, right) = part.split_at_checked(split(part.len()))?;
        let in_right = index.checked_sub(left.len());
        path.push(root::<H>(if in_right.is_some() { left } else { right }));
        part = if in_right.is_some() { right } else { left };
        index = in_right.unwrap_or(index);
    }
    path.reverse();
    Some(path)
}

/// The largest power of two below `count`, which is at least two.
#[cfg(test)]
fn split(count: usize) -> usize {
    count.div_ceil(2).next_power_of_two()
}

/// Does `path` lead from leaf `index` of `leaves` leaves to `root`?
///
/// Walks the bits of the index (RFC 9162, section 2.1.3.2): a set bit has its sibling on the
/// left; so has the last leaf of a level once levels where it stands alone are skipped.
#[cfg(test)]
pub(crate) fn verify<H: HashFunction>(
    leaf: Hash,
    (index, leaves): (u64, u64),
    path: &[Hash],
    root: &Hash,
) -> bool {
    let Some(mut last) = leaves.checked_sub(1).filter(|last| index <= *last) else { return false };
    let (mut index, mut hash) = (index, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            hash = node::<H>(sibling, &hash);
            let alone = if index & 1 == 1 { 0 } else { index.trailing_zeros() };
            index = index.checked_shr(alone).unwrap_or(0);
            last = last.checked_shr(alone).unwrap_or(0);
        } else {
            hash = node::<H>(&hash, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

#[cfg(test)]
mod tests;
