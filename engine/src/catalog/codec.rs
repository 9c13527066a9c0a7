//! How catalog values look in bytes: the only user of bincode.
//!
//! ```text
//! 0   16  first half of BLAKE3 of the key's length (u32), the key and the body
//! 16  n   body: bincode 2, standard() (little-endian, varints), at most 64 MiB
//! ```
//!
//! bincode takes about half of all damaged inputs for good ones, and sled can give an old value
//! or another key's: so the checksum comes first, and it covers the key.
//!
//! Bodies: a summary is its fields in the order of [`Wire`], sets as in [`super::set`]; a stamp
//! is its fields as they are.

use bincode::config::{Configuration, Limit, standard};
use bincode::{Decode, Encode};

use super::{Stamp, Summary, set};

const LIMIT_BYTES: usize = 64 << 20;
const CHECKSUM_BYTES: usize = 16;
const CONFIG: Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    Limit<LIMIT_BYTES>,
> = standard().with_limit::<LIMIT_BYTES>();

#[derive(Encode, Decode)]
struct Wire {
    hash: [u8; 32],
    conversations: Vec<u8>,
}

#[derive(Encode, Decode)]
struct StampWire {
    archive: [u8; 16],
    manifest: u64,
    hash: [u8; 32],
}

pub(super) fn encode_summary(key: &[u8], summary: &Summary) -> Option<Vec<u8>> {
    let wire = Wire { hash: summary.hash, conversations: set::pack(&summary.conversations) };
    encode(key, &wire)
}

pub(super) fn decode_summary(key: &[u8], value: &[u8]) -> Option<Summary> {
    let wire: Wire = decode(key, value)?;
    Some(Summary { hash: wire.hash, conversations: set::unpack(&wire.conversations)? })
}

pub(super) fn encode_stamp(key: &[u8], stamp: &Stamp) -> Option<Vec<u8>> {
    let Stamp { archive, manifest, hash } = *stamp;
    encode(key, &StampWire { archive, manifest, hash })
}

pub(super) fn decode_stamp(key: &[u8], value: &[u8]) -> Option<Stamp> {
    let StampWire { archive, manifest, hash } = decode(key, value)?;
    Some(Stamp { archive, manifest, hash })
}

/// `None` if the value is over the limit: such a thing is not catalogued.
fn encode(key: &[u8], value: &impl Encode) -> Option<Vec<u8>> {
    let mut out = vec![0; CHECKSUM_BYTES];
    let written = bincode::encode_into_std_write(value, &mut out, CONFIG).ok()?;
    if written > LIMIT_BYTES {
        return None;
    }
    let (sum, body) = out.split_first_chunk_mut::<CHECKSUM_BYTES>()?;
    *sum = checksum(key, body);
    Some(out)
}

/// `None` unless this is exactly what [`encode`] made for this key.
fn decode<T: Decode<()>>(key: &[u8], value: &[u8]) -> Option<T> {
    let (sum, body) = value.split_first_chunk::<CHECKSUM_BYTES>()?;
    if *sum != checksum(key, body) {
        return None;
    }
    let (value, used) = bincode::decode_from_slice(body, CONFIG).ok()?;
    (used == body.len()).then_some(value)
}

fn checksum(key: &[u8], body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hasher = blake3::Hasher::new();
    let _ = hasher.update(&length.to_le_bytes()).update(key).update(body);
    let mut out = [0; CHECKSUM_BYTES];
    hasher.finalize_xof().fill(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        Summary {
            hash: [7; 32],
            conversations: [1, 2, 1 << 30].into_iter().chain(5..900).collect(),
        }
    }

    #[test]
    fn values_come_back_under_their_own_key_only() {
        let value = encode_summary(b"segment/1", &summary()).unwrap();
        assert_eq!(decode_summary(b"segment/1", &value), Some(summary()));
        assert_eq!(decode_summary(b"segment/2", &value), None);
        let stamp = Stamp { archive: [1; 16], manifest: 300, hash: [2; 32] };
        let value = encode_stamp(b"stamp", &stamp).unwrap();
        assert_eq!(decode_stamp(b"stamp", &value), Some(stamp));
        assert_eq!(decode_stamp(b"segment/1", &value), None);
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed() {
        let value = encode_summary(b"k", &summary()).unwrap();
        for bit in 0..value.len() * 8 {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode_summary(b"k", &damaged), None, "bit {bit}");
        }
        for length in 0..value.len() {
            assert_eq!(decode_summary(b"k", &value[..length]), None, "{length} bytes");
        }
    }

    /// The layout is frozen: bincode's `standard()` as written out above.
    #[test]
    fn a_stamp_has_these_bytes() {
        let stamp = Stamp { archive: [0xaa; 16], manifest: 300, hash: [0xbb; 32] };
        let value = encode_stamp(b"stamp", &stamp).unwrap();
        let body = [&[0xaa; 16][..], &[251, 0x2c, 0x01], &[0xbb; 32]].concat();
        assert_eq!(value[CHECKSUM_BYTES..], body);
    }
}
