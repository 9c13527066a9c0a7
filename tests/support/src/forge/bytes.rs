//! Fields, checksums and frames, written and read as FORMAT.md says and by nothing of the engine's.

/// Bytes of a frame's header without its checksum.
pub(super) const FRAME_HEAD: usize = 12;
/// What zstd may make of a stored byte, and what it always may.
const RATIO: usize = 64;
const ALWAYS: usize = 65_536;
/// Skipped by every reader of zstd; its length is behind it.
const SKIPPABLE: u32 = 0x184d_2a50;

/// How contents are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As zstd packs them.
    Tight,
    /// With so much behind that a reader does not refuse them for their size.
    Padded,
}

/// A `v` at the start, and its bytes.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f).checked_shl(u32::try_from(at * 7).ok()?)?;
        if *byte < 0x80 {
            return Some((number, at + 1));
        }
    }
    None
}

/// Appends a `v`.
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a *block*.
pub fn put_block(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> usize {
    let four = bytes[at..at + 4].first_chunk().copied().unwrap_or_default();
    u32::from_le_bytes(four) as usize
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].first_chunk().copied().unwrap_or_default())
}

pub(super) fn set_u32(bytes: &mut [u8], at: usize, number: usize) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

pub(super) fn crc(parts: &[&[u8]]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_le_bytes()
}

/// The payload of a frame.
pub(super) fn packed(codec: u8, raw: &[u8], packing: Packing) -> Vec<u8> {
    if codec == 0 {
        return raw.to_vec();
    }
    let mut out = zstd::bulk::compress(raw, 3).unwrap_or_default();
    let least = raw.len().div_ceil(RATIO);
    if packing == Packing::Padded && raw.len() > ALWAYS && out.len() < least {
        let zeros = least.saturating_sub(out.len() + 8);
        out.extend_from_slice(&SKIPPABLE.to_le_bytes());
        out.extend_from_slice(&u32::try_from(zeros).unwrap_or(0).to_le_bytes());
        out.resize(out.len() + zeros, 0);
    }
    out
}

/// A payload's contents.
pub(super) fn unpacked(codec: u8, stored: &[u8], raw: usize, dictionary: &[u8]) -> Vec<u8> {
    let unpack = |mut zstd: zstd::bulk::Decompressor<'_>| zstd.decompress(stored, raw);
    let done = match codec {
        0 => Ok(stored.to_vec()),
        1 => zstd::bulk::Decompressor::new().and_then(unpack),
        _ => zstd::bulk::Decompressor::with_dictionary(dictionary).and_then(unpack),
    };
    done.unwrap_or_default()
}
