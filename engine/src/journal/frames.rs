//! A journal file's header and frames as bytes: FORMAT.md, "Journal".

use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::Reader;
use crate::format::frame::Codec;
use crate::format::limits::{self, decoded};
use crate::types::Sequence;

/// The header has a disk sector of its own, which no later write touches.
pub(super) const FILE_HEADER_BYTES: usize = 4096;
/// Bytes before a frame's payload.
pub(super) const FRAME_HEADER_BYTES: usize = 56;
/// Frames begin at multiples of this, so that a search for one can step by it.
pub(super) const ALIGNMENT: usize = 8;
const MAGIC: [u8; 8] = *b"CVLTJRNL";
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 4;
const RECORD_BYTES: usize = 8 + 32;

const _: () = assert!(FRAME_HEADER_BYTES.is_multiple_of(ALIGNMENT));
const _: () = assert!(FILE_HEADER_BYTES.is_multiple_of(ALIGNMENT));

/// The hash of a frame, which the next one carries: BLAKE3 cut to 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain(pub(crate) [u8; 16]);

/// A manifest as the journal records it: the proof that it was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) number: u64,
    pub(crate) hash: [u8; 32],
}

impl Recorded {
    /// The payload of a manifest frame.
    pub(super) fn encode(&self) -> [u8; RECORD_BYTES] {
        let mut out = [0; RECORD_BYTES];
        let (number, hash) = out.split_at_mut(8);
        number.copy_from_slice(&self.number.to_le_bytes());
        hash.copy_from_slice(&self.hash);
        out
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let recorded = Self { number: reader.u64()?, hash: reader.array()? };
        reader.is_empty().then_some(recorded)
    }
}

/// What a journal file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) archive: [u8; 16],
    /// Chance that goes into every checksum, so that no other file's frame is taken for ours.
    pub(crate) nonce: [u8; 16],
    pub(crate) number: u64,
    /// Everything up to it is durable in earlier journal files or in sealed files.
    pub(crate) last: Sequence,
    /// The hash of the frame in an earlier file that this one goes on behind.
    pub(crate) chain: Chain,
    /// Numbers up to this one may have been given to commits of earlier files, lost ones too: no
    /// commit of this file has one of them.
    pub(crate) base: Sequence,
    /// The newest manifest when the file was made.
    pub(crate) manifest: Recorded,
}

impl FileHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FILE_HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.archive);
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.last.0.to_le_bytes());
        out.extend_from_slice(&self.chain.0);
        out.extend_from_slice(&self.base.0.to_le_bytes());
        out.extend_from_slice(&self.manifest.encode());
        out.resize(FILE_HEADER_BYTES - CHECKSUM_BYTES, 0);
        let sum = crc32fast::hash(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8; FILE_HEADER_BYTES]) -> Result<Self> {
        let damaged = || Error::corrupt("journal header is damaged").at(0);
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(damaged)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) || !body.starts_with(&MAGIC) {
            return Err(damaged());
        }
        let mut reader = Reader::new(body.get(MAGIC.len()..).unwrap_or_default());
        let version = reader.u32().ok_or_else(damaged)?;
        if version != VERSION {
            let message = format!("journal version {version}, this program knows {VERSION}");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Self::fields(&mut reader).ok_or_else(damaged)
    }

    fn fields(reader: &mut Reader<'_>) -> Option<Self> {
        let _reserved = reader.u32()?;
        Some(Self {
            archive: reader.array()?,
            nonce: reader.array()?,
            number: reader.u64()?,
            last: Sequence(reader.u64()?),
            chain: Chain(reader.array()?),
            base: Sequence(reader.u64()?),
            manifest: Recorded { number: reader.u64()?, hash: reader.array()? },
        })
    }
}

/// What a frame is for. Only commits are part of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One commit.
    Commit,
    /// The archive was closed in order: nothing is in flight, and no other file follows yet.
    Closed,
    /// Proof of what is durable, for readers beside the writer.
    Proof,
    /// The newest manifest.
    Manifest,
    /// The journal goes on in the file with the next number, which is there.
    GoesOn,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Commit, Self::Closed, Self::Proof, Self::Manifest, Self::GoesOn];

    fn id(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Closed => 2,
            Self::Proof => 3,
            Self::Manifest => 4,
            Self::GoesOn => 5,
        }
    }

    /// The bytes of payload, unless it is a commit's.
    fn payload_bytes(self) -> Option<usize> {
        match self {
            Self::Commit => None,
            Self::Manifest => Some(RECORD_BYTES),
            Self::Closed | Self::Proof | Self::GoesOn => Some(0),
        }
    }

    /// Does nothing follow such a frame?
    pub(super) fn ends(self) -> bool {
        matches!(self, Self::Closed | Self::GoesOn)
    }
}

/// A frame's header without its own checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) payload_sum: u32,
    pub(super) stored_bytes: usize,
    pub(super) raw_bytes: usize,
    pub(super) kind: Kind,
    pub(super) codec: u8,
    pub(super) cipher: u8,
    pub(super) sequence: Sequence,
    pub(super) acknowledged: Sequence,
    pub(super) chain: Chain,
}

impl FrameHeader {
    /// Reads a header; `None` if these bytes are no frame header of the file with this nonce.
    pub(super) fn decode(nonce: &[u8; 16], bytes: &[u8]) -> Option<Self> {
        let (head, _) = bytes.split_first_chunk::<FRAME_HEADER_BYTES>()?;
        let (sum, fields) = head.split_first_chunk::<CHECKSUM_BYTES>()?;
        let header = Self::fields(&mut Reader::new(fields))?;
        (checksum(nonce, fields) == u32::from_le_bytes(*sum)).then_some(header)
    }

    /// The cheap refusals come before the checksum: a search tries every eighth byte.
    fn fields(reader: &mut Reader<'_>) -> Option<Self> {
        let payload_sum = reader.u32()?;
        let stored_bytes = usize::try_from(reader.u32()?).ok()?;
        let raw_bytes = usize::try_from(reader.u32()?).ok()?;
        let [kind, codec, cipher, reserved] = reader.array()?;
        let kind = Kind::ALL.into_iter().find(|known| known.id() == kind)?;
        let fits = |bytes: usize| kind.payload_bytes().is_none_or(|only| only == bytes);
        let possible = stored_bytes.max(raw_bytes) <= decoded::FRAME
            && fits(stored_bytes)
            && fits(raw_bytes)
            && reserved == 0;
        if !possible || reader.u32()? != 0 {
            return None;
        }
        let (sequence, acknowledged) = (Sequence(reader.u64()?), Sequence(reader.u64()?));
        let chain = Chain(reader.array()?);
        #[rustfmt::skip]
        let header = Self { payload_sum, stored_bytes, raw_bytes, kind, codec, cipher, sequence, acknowledged, chain };
        Some(header)
    }

    pub(super) fn encode(&self, nonce: &[u8; 16]) -> [u8; FRAME_HEADER_BYTES] {
        assert!(self.stored_bytes <= decoded::FRAME && self.raw_bytes <= decoded::FRAME);
        assert!(self.raw_bytes <= limits::room(self.stored_bytes), "packed too well: pad it");
        let mut fields = Vec::with_capacity(FRAME_HEADER_BYTES);
        fields.extend_from_slice(&self.payload_sum.to_le_bytes());
        fields.extend_from_slice(&width(self.stored_bytes).to_le_bytes());
        fields.extend_from_slice(&width(self.raw_bytes).to_le_bytes());
        fields.extend_from_slice(&[self.kind.id(), self.codec, self.cipher, 0]);
        fields.extend_from_slice(&[0; 4]);
        fields.extend_from_slice(&self.sequence.0.to_le_bytes());
        fields.extend_from_slice(&self.acknowledged.0.to_le_bytes());
        fields.extend_from_slice(&self.chain.0);
        let mut out = [0; FRAME_HEADER_BYTES];
        let (sum, rest) = out.split_at_mut(CHECKSUM_BYTES);
        sum.copy_from_slice(&checksum(nonce, &fields).to_le_bytes());
        rest.copy_from_slice(&fields);
        out
    }

    /// Bytes from this frame's start to the next one's.
    pub(super) fn frame_bytes(&self) -> usize {
        (FRAME_HEADER_BYTES + self.stored_bytes).next_multiple_of(ALIGNMENT)
    }
}

fn width(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// CRC-32 of the file's nonce and the bytes.
pub(super) fn checksum(nonce: &[u8; 16], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(nonce);
    hasher.update(bytes);
    hasher.finalize()
}

/// The chain value behind a frame: one value stands for the whole history.
///
/// It covers what stays the same when the frame is written anew in another file: sizes, kind,
/// codec, sequence, the chain value before it, and the payload. A commit's name is made of it.
pub(super) fn chain_behind(header: &[u8; FRAME_HEADER_BYTES], payload: &[u8]) -> Chain {
    let mut hasher = blake3::Hasher::new();
    let _ = hasher.update(&header[8..32]).update(&header[40..]).update(payload);
    let mut out = [0; 16];
    hasher.finalize_xof().fill(&mut out);
    Chain(out)
}

/// A payload as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    pub(super) codec: u8,
    pub(super) raw_bytes: usize,
    pub(super) stored: &'a [u8],
}

/// What a frame says beside its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameLabel {
    pub(super) kind: Kind,
    pub(super) sequence: Sequence,
    pub(super) acknowledged: Sequence,
    pub(super) chain: Chain,
}

/// Appends a frame, padded with zeros; gives the chain value behind it.
pub(super) fn put(
    out: &mut Vec<u8>,
    nonce: &[u8; 16],
    place: FrameLabel,
    payload: Packed<'_>,
) -> Chain {
    let header = FrameHeader {
        payload_sum: checksum(nonce, payload.stored),
        stored_bytes: payload.stored.len(),
        raw_bytes: payload.raw_bytes,
        kind: place.kind,
        codec: payload.codec,
        cipher: 0,
        sequence: place.sequence,
        acknowledged: place.acknowledged,
        chain: place.chain,
    };
    let end = out.len() + header.frame_bytes();
    let head = header.encode(nonce);
    out.extend_from_slice(&head);
    out.extend_from_slice(payload.stored);
    out.resize(end, 0);
    chain_behind(&head, payload.stored)
}

/// Undoes a frame's codec. The lengths were checked against the limit with the header.
pub(super) fn unpack(
    header: &FrameHeader,
    stored: &[u8],
    codec: &mut zstd::bulk::Decompressor<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    if header.cipher != 0 {
        let message = format!("cipher {} of a newer version", header.cipher);
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    if header.raw_bytes > limits::room(stored.len()) {
        let (raw, stored) = (header.raw_bytes, stored.len());
        let message = format!("{stored} bytes of payload decode to {raw}, which is over the limit");
        return Err(Error::corrupt(message));
    }
    out.clear();
    match Codec::from_id(header.codec)? {
        Codec::None => out.extend_from_slice(stored),
        Codec::Zstd => {
            out.reserve(header.raw_bytes);
            let _ = codec
                .decompress_to_buffer(stored, out)
                .map_err(|cause| Error::corrupt("payload does not unpack").caused_by(cause))?;
        }
        Codec::ZstdDictionary => {
            return Err(Error::corrupt("a journal frame has no dictionary"));
        }
    }
    if out.len() != header.raw_bytes {
        let message = format!("payload has {} bytes, should be {}", out.len(), header.raw_bytes);
        return Err(Error::corrupt(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 16] = [7; 16];

    fn header() -> FileHeader {
        let chain = Chain([3; 16]);
        let manifest = Recorded { number: 6, hash: [4; 32] };
        let (last, base) = (Sequence(4), Sequence(1004));
        FileHeader { archive: [1; 16], nonce: NONCE, number: 9, last, chain, base, manifest }
    }

    #[test]
    fn a_file_header_comes_back_and_any_flipped_bit_is_noticed() {
        let bytes: [u8; FILE_HEADER_BYTES] = header().encode().try_into().unwrap();
        assert_eq!(FileHeader::decode(&bytes).unwrap(), header());
        for bit in 0..FILE_HEADER_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            let kind = FileHeader::decode(&damaged).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::Corrupt, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_header_comes_back_only_under_its_files_nonce() {
        let mut out = Vec::new();
        let (sequence, acknowledged) = (Sequence(5), Sequence(3));
        let place =
            FrameLabel { kind: Kind::Commit, sequence, acknowledged, chain: Chain([2; 16]) };
        let payload = Packed { codec: 0, raw_bytes: 3, stored: b"abc" };
        let chain = put(&mut out, &NONCE, place, payload);
        assert_eq!(out.len(), 64, "padded to the alignment");
        let found = FrameHeader::decode(&NONCE, &out).unwrap();
        assert_eq!((found.sequence, found.acknowledged), (sequence, acknowledged));
        assert_eq!((found.frame_bytes(), found.chain), (64, Chain([2; 16])));
        assert_ne!(chain, found.chain);
        assert_eq!(FrameHeader::decode(&[8; 16], &out), None);
    }
}
