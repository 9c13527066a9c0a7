//! A frame: the checked unit of every authoritative file. Bytes: FORMAT.md, "Frame".

use super::bytes::Reader;
use super::limits::{self, decoded};
use crate::error::{Error, ErrorKind, Result};

/// Bytes before a frame's payload.
pub(crate) const HEADER_BYTES: usize = 16;

/// How a payload was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Zstd,
    ZstdDictionary,
}

impl Codec {
    pub(crate) fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Zstd => 1,
            Self::ZstdDictionary => 2,
        }
    }

    pub(crate) fn from_id(id: u8) -> Result<Self> {
        match id {
            0 => Ok(Self::None),
            1 => Ok(Self::Zstd),
            2 => Ok(Self::ZstdDictionary),
            _ => Err(Error::new(ErrorKind::Unsupported, format!("codec {id} of a newer version"))),
        }
    }
}

/// A frame's checked header and its stored payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) codec: Codec,
    pub(crate) raw_bytes: usize,
    pub(crate) payload: &'a [u8],
}

impl Frame<'_> {
    /// Before it is unpacked: a limit of its kind.
    pub(crate) fn check_decoded(&self, limit: usize) -> Result<()> {
        let (raw, stored) = (self.raw_bytes, self.payload.len());
        if raw <= limit {
            return Ok(());
        }
        let message = format!("{stored} bytes decode to {raw}, over the limit of {limit}");
        Err(Error::corrupt(message))
    }
}

/// Appends a frame around a payload that was packed already.
pub(crate) fn put(out: &mut Vec<u8>, kind: u8, codec: Codec, raw_bytes: usize, payload: &[u8]) {
    assert!(raw_bytes <= limits::room(payload.len()), "packed too well: pad it");
    let start = out.len();
    let (stored, raw) = (width(payload.len()), width(raw_bytes));
    out.extend_from_slice(&stored.to_le_bytes());
    out.extend_from_slice(&raw.to_le_bytes());
    out.extend_from_slice(&[kind, codec.id(), 0, 0]);
    let sum = checksum(&out[start..], payload);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(payload);
}

/// Splits the first frame off `bytes`; gives it and what follows.
pub(crate) fn split(bytes: &[u8]) -> Result<(Frame<'_>, &[u8])> {
    let short = || Error::corrupt("frame is cut short");
    let mut reader = Reader::new(bytes);
    let head = bytes.get(..12).ok_or_else(short)?;
    let stored = reader.u32().ok_or_else(short)? as usize;
    let raw_bytes = reader.u32().ok_or_else(short)? as usize;
    let [kind, codec, cipher, _] = reader.array::<4>().ok_or_else(short)?;
    let sum = reader.u32().ok_or_else(short)?;
    let payload = reader.take(stored).ok_or_else(short)?;
    let found = checksum(head, payload);
    if found != sum {
        return Err(Error::corrupt(format!("checksum is {found:08x}, should be {sum:08x}")));
    }
    if cipher != 0 {
        return Err(Error::new(ErrorKind::Unsupported, format!("cipher {cipher}: newer version")));
    }
    let frame = Frame { kind, codec: Codec::from_id(codec)?, raw_bytes, payload };
    frame.check_decoded(decoded::FRAME.min(limits::room(stored)))?;
    Ok((frame, reader.rest()))
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(payload);
    hasher.finalize()
}

fn width(bytes: usize) -> u32 {
    assert!(bytes <= decoded::FRAME, "a frame of {bytes} bytes is over our own limit");
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_decodes_to_too_much_for_its_size_is_refused_by_its_header() {
        let mut bytes = Vec::new();
        put(&mut bytes, 7, Codec::Zstd, limits::room(5), b"hello");
        assert!(split(&bytes).unwrap().0.check_decoded(100).is_err());
        let raw = u32::try_from(limits::room(5)).unwrap() + 1;
        bytes[4..8].copy_from_slice(&raw.to_le_bytes());
        let sum = checksum(&bytes[..12], b"hello");
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        let error = split(&bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("over the limit"), "{error}");
    }

    #[test]
    fn a_frame_comes_back_and_any_flipped_bit_is_noticed() {
        let mut bytes = Vec::new();
        put(&mut bytes, 7, Codec::None, 5, b"hello");
        let (frame, rest) = split(&bytes).unwrap();
        assert_eq!((frame.kind, frame.raw_bytes, frame.payload), (7, 5, &b"hello"[..]));
        assert!(rest.is_empty());
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(split(&damaged).is_err(), "bit {bit}");
        }
    }
}
