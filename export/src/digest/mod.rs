//! The fingerprint of *which* messages an export holds, in two forms.
//!
//! A subject is one version of one message: `chatId NUL id NUL etag`. Their **sum** is the sum of
//! SHA-256(subject) modulo 2^256: it does not depend on order, adds over parts, and, unlike an
//! exclusive or, changes when a subject is there twice. The **Merkle root** is that of RFC 6962
//! over the subjects in export order: equal roots mean the same subjects in the same order.

mod merkle;
mod sha;
#[cfg(test)]
mod tests;
mod uuid;

pub(crate) use merkle::Merkle;
pub(crate) use sha::{Hash, Sha256, hex, sha256, unhex};
pub(crate) use uuid::{hyphened, name_uuid};

/// One version of one message, hashed for both forms; made wherever the message is at hand, on any
/// thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    sum: Hash,
    leaf: Hash,
}

impl Subject {
    /// The subject of a version; an etag that is missing is empty.
    pub fn new(chat: &str, id: &str, etag: &str) -> Self {
        let mut bytes = Vec::with_capacity(1 + chat.len() + 1 + id.len() + 1 + etag.len());
        bytes.push(merkle::LEAF);
        bytes.extend_from_slice(chat.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(id.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(etag.as_bytes());
        Self { sum: sha256(bytes.get(1..).unwrap_or_default()), leaf: sha256(&bytes) }
    }
}

/// The fingerprint of a row of subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The sum, least significant limb first.
    sum: [u64; 4],
    tree: Merkle,
}

impl Digest {
    /// Adds the next subject of the export.
    pub fn add(&mut self, subject: &Subject) {
        self.sum = sum(self.sum, limbs(&subject.sum));
        self.tree.push(subject.leaf);
    }

    /// How many subjects there are.
    pub fn subjects(&self) -> u64 {
        self.tree.leaves()
    }

    /// The sum, as 32 bytes, most significant first.
    pub fn subject_sum(&self) -> Hash {
        let mut out = [0; 32];
        for (place, limb) in out.rchunks_exact_mut(8).zip(self.sum) {
            for (byte, shift) in place.iter_mut().rev().zip((0..64).step_by(8)) {
                *byte = u8::try_from((limb >> shift) & 0xff).unwrap_or_default();
            }
        }
        out
    }

    /// The Merkle root.
    pub fn merkle_root(&self) -> Hash {
        self.tree.root()
    }

    /// What the Merkle tree is carried on with: see [`Merkle::peaks`].
    pub(crate) fn peaks(&self) -> &[Hash] {
        self.tree.peaks()
    }

    /// A digest as an earlier run left it; `None` if the peaks are not those of so many subjects.
    pub(crate) fn restore(subjects: u64, sum: &Hash, peaks: Vec<Hash>) -> Option<Self> {
        Some(Self { sum: limbs(sum), tree: Merkle::restore(subjects, peaks)? })
    }
}

/// The sum of two subject sums, modulo 2^256.
pub(crate) fn add_sums(left: &Hash, right: &Hash) -> Hash {
    Digest { sum: sum(limbs(left), limbs(right)), tree: Merkle::default() }.subject_sum()
}

fn limbs(hash: &Hash) -> [u64; 4] {
    let mut out = [0; 4];
    for (limb, bytes) in out.iter_mut().zip(hash.rchunks_exact(8)) {
        *limb = bytes.iter().fold(0, |limb, byte| (limb << 8) | u64::from(*byte));
    }
    out
}

fn sum(left: [u64; 4], right: [u64; 4]) -> [u64; 4] {
    let mut out = [0; 4];
    let mut carry = false;
    for ((place, left), right) in out.iter_mut().zip(left).zip(right) {
        let (partial, first) = left.overflowing_add(right);
        let (whole, second) = partial.overflowing_add(u64::from(carry));
        *place = whole;
        carry = first || second;
    }
    out
}
