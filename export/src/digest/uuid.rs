//! Ids that are made from a name: version 5 of RFC 9562, so the same name always has the same id.

use sha1::{Digest as _, Sha1};

/// The name space of the ids that are made here: a fixed number of ours.
const NAMESPACE: u128 = 0x8c5f_2b1e_63d4_4a97_b0e8_41f7_9d26_c3aa;

/// The UUID of a name.
#[expect(clippy::big_endian_bytes, reason = "RFC 9562 hashes the name space in network order")]
pub(crate) fn name_uuid(name: &[u8]) -> String {
    let hash = Sha1::new_with_prefix(NAMESPACE.to_be_bytes()).chain_update(name).finalize();
    let bits = hash.iter().take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let bits = bits & !(0xF << 76 | 0x3 << 62) | 0x5 << 76 | 0x2 << 62;
    hyphened(bits)
}

/// A 128-bit number in the form of a UUID.
pub(crate) fn hyphened(bits: u128) -> String {
    let digits = format!("{bits:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups.map(|group| digits.get(group).unwrap_or_default()).join("-")
}
