//! A file taken apart, and put together again with checksums that hold.

use std::collections::BTreeMap;

use super::bytes::{FRAME_HEAD, Packing, crc, packed, set_u32, u32_at, unpacked, varint};
use super::format::FileKind;

/// Bytes of the header of a journal frame, and where its fields are.
const JOURNAL_FRAME: usize = 56;
const JOURNAL_NONCE: std::ops::Range<usize> = 32..48;
const JOURNAL_ALIGNMENT: usize = 8;
const HASH_BYTES: usize = 32;
const CRC_BYTES: usize = 4;
/// What is larger is packed tight also where the writer packs nothing.
const TIGHT_BYTES: usize = 1 << 20;

/// Dictionaries by the number of their file.
pub(super) type Dictionaries = BTreeMap<u64, Vec<u8>>;

/// A frame: its header without what the forger makes anew, its payload, and what that holds.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) head: Vec<u8>,
    pub(super) stored: Vec<u8>,
    pub(super) contents: Vec<u8>,
    /// Where it began before anything was forged.
    pub(super) offset: usize,
    /// A journal frame's hash then.
    pub(super) before: [u8; 16],
}

/// A file as its parts.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) kind: FileKind,
    pub(super) head: Vec<u8>,
    pub(super) frames: Vec<Frame>,
    pub(super) tail: Vec<u8>,
}

impl Frame {
    /// The kind in the header; 0 of what has none.
    pub(super) fn kind(&self) -> u8 {
        match self.head.len() {
            FRAME_HEAD => self.head[8],
            JOURNAL_FRAME => self.head[16],
            _ => 0,
        }
    }

    /// Puts other contents in.
    pub(super) fn fill(&mut self, contents: &[u8], packing: Packing) {
        contents.clone_into(&mut self.contents);
        let (codec, sizes) = match self.head.len() {
            FRAME_HEAD => (9, Some((0, 4))),
            JOURNAL_FRAME => (17, Some((8, 12))),
            _ => (0, None),
        };
        let Some((stored, raw)) = sizes else {
            contents.clone_into(&mut self.stored);
            return;
        };
        // Nobody needs the dictionary to unpack what was packed without one.
        let tight = packing == Packing::Tight && contents.len() > TIGHT_BYTES;
        self.head[codec] = if tight { 1 } else { self.head[codec].min(1) };
        self.stored = packed(self.head[codec], contents, packing);
        set_u32(&mut self.head, stored, self.stored.len());
        set_u32(&mut self.head, raw, contents.len());
    }

    /// An empty frame of a segment.
    pub(super) fn empty(kind: u8) -> Self {
        let mut head = vec![0; FRAME_HEAD];
        head[8] = kind;
        Self { head, stored: Vec::new(), contents: Vec::new(), offset: 0, before: [0; 16] }
    }

    /// Bytes in a file that has frames of 16 bytes and a payload.
    pub(super) fn bytes(&self) -> usize {
        FRAME_HEAD + CRC_BYTES + self.stored.len()
    }

    /// A journal frame's hash, which the next one carries.
    pub(super) fn chain(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        let _ = hasher.update(&self.head[8..32]).update(&self.head[40..56]).update(&self.stored);
        *hasher.finalize().as_bytes().first_chunk().unwrap_or(&[0; 16])
    }
}

impl File {
    /// Takes a healthy file apart.
    pub(super) fn take(kind: FileKind, bytes: &[u8], dictionaries: &Dictionaries) -> Self {
        let (head, rest) = bytes.split_at(kind.head_bytes());
        let mut file = Self { kind, head: head.to_vec(), frames: Vec::new(), tail: Vec::new() };
        match kind {
            FileKind::Format => {
                let end = bytes.windows(9).position(|found| found == b"checksum ").unwrap_or(0);
                file.add_plain(&bytes[..end], 0);
            }
            FileKind::Manifest => file.add_plain(&rest[..rest.len() - HASH_BYTES], head.len()),
            FileKind::Journal => file.take_journal(bytes),
            _ => file.take_frames(bytes, dictionaries),
        }
        file
    }

    fn add_plain(&mut self, contents: &[u8], offset: usize) {
        let (stored, contents) = (contents.to_vec(), contents.to_vec());
        self.frames.push(Frame { head: Vec::new(), stored, contents, offset, before: [0; 16] });
    }

    fn take_journal(&mut self, bytes: &[u8]) {
        let mut at = self.head.len() + CRC_BYTES;
        while bytes.get(at + 16).is_some_and(|kind| *kind != 0) {
            let head = bytes[at..at + JOURNAL_FRAME].to_vec();
            let (stored, raw) = (u32_at(&head, 8), u32_at(&head, 12));
            let from = at + JOURNAL_FRAME;
            let stored = bytes[from..from + stored].to_vec();
            let contents = unpacked(head[17], &stored, raw, &[]);
            let next = (from + stored.len()).next_multiple_of(JOURNAL_ALIGNMENT);
            let mut frame = Frame { head, stored, contents, offset: at, before: [0; 16] };
            frame.before = frame.chain();
            self.frames.push(frame);
            at = next;
        }
        self.tail = bytes[at..].to_vec();
    }

    fn take_frames(&mut self, bytes: &[u8], dictionaries: &Dictionaries) {
        let is_pack = self.kind == FileKind::Pack;
        let checked = if is_pack { CRC_BYTES } else { 0 };
        let end = bytes.len() - self.kind.tail_bytes() - checked;
        let mut at = self.head.len() + checked;
        while at < end {
            let head = bytes[at..at + FRAME_HEAD].to_vec();
            let (from, stored) = (at + FRAME_HEAD + CRC_BYTES, u32_at(&head, 0));
            let stored = bytes[from..from + stored].to_vec();
            let offset = std::mem::replace(&mut at, from + stored.len());
            self.frames.push(Frame { head, stored, contents: Vec::new(), offset, before: [0; 16] });
        }
        self.tail = bytes[end..end + self.kind.tail_bytes()].to_vec();
        self.unpack(dictionaries);
    }

    /// The dictionary in the first eight of its nine frames.
    pub(super) fn dictionary(&self) -> Vec<u8> {
        let pieces: Vec<u8> =
            self.frames.iter().take(8).flat_map(|frame| frame.contents.clone()).collect();
        let block = || {
            let (raw, at) = varint(&pieces)?;
            let (stored, more) = varint(pieces.get(at..)?)?;
            let stored = pieces.get(at + more..)?.get(..usize::try_from(stored).ok()?)?;
            Some(unpacked(1, stored, usize::try_from(raw).ok()?, &[]))
        };
        block().unwrap_or_default()
    }

    /// Contents come last: text may need the dictionary that the footer names.
    fn unpack(&mut self, dictionaries: &Dictionaries) {
        let plain = |frame: &Frame, dictionary: &[u8]| {
            unpacked(frame.head[9], &frame.stored, u32_at(&frame.head, 4), dictionary)
        };
        let footer = self.frames.last().filter(|_| self.kind == FileKind::Segment);
        let named = footer.and_then(|footer| {
            let footer = plain(footer, &[]);
            let (_, at) = varint(&footer)?;
            dictionaries.get(&varint(footer.get(at..)?)?.0)
        });
        let dictionary = named.cloned().unwrap_or_default();
        for frame in &mut self.frames {
            frame.contents = plain(frame, &dictionary);
        }
    }

    /// The whole file, every checksum made anew.
    pub(super) fn join(&self) -> Vec<u8> {
        let mut out = self.head.clone();
        match self.kind {
            FileKind::Format => {
                out.extend_from_slice(&self.frames[0].stored);
                let sum = blake3::hash(&out).to_hex();
                out.extend_from_slice(format!("checksum {sum}\n").as_bytes());
            }
            FileKind::Manifest => {
                out.extend_from_slice(&self.frames[0].stored);
                let hash = blake3::hash(&out);
                out.extend_from_slice(hash.as_bytes());
            }
            FileKind::Journal => self.join_journal(&mut out),
            FileKind::Pack => {
                out.extend(crc(&[&self.head]));
                self.frames.iter().for_each(|frame| put_frame(&mut out, frame));
                out.extend_from_slice(&self.tail);
                out.extend(crc(&[&self.tail, &self.head]));
            }
            _ => {
                self.frames.iter().for_each(|frame| put_frame(&mut out, frame));
                out.extend_from_slice(&self.tail);
                if self.kind.tail_bytes() > 0 {
                    let at = out.len() - self.tail.len();
                    let sum = crc(&[&self.tail[..4]]);
                    out[at + 4..at + 8].copy_from_slice(&sum);
                }
            }
        }
        out
    }

    fn join_journal(&self, out: &mut Vec<u8>) {
        out.extend(crc(&[&self.head]));
        let nonce = &self.head[JOURNAL_NONCE];
        for frame in &self.frames {
            let mut head = frame.head.clone();
            head[4..8].copy_from_slice(&crc(&[nonce, &frame.stored]));
            let sum = crc(&[nonce, &head[4..]]);
            head[..4].copy_from_slice(&sum);
            out.extend_from_slice(&head);
            out.extend_from_slice(&frame.stored);
            out.resize(out.len().next_multiple_of(JOURNAL_ALIGNMENT), 0);
        }
        out.extend_from_slice(&self.tail);
    }
}

fn put_frame(out: &mut Vec<u8>, frame: &Frame) {
    out.extend_from_slice(&frame.head);
    out.extend(crc(&[&frame.head, &frame.stored]));
    out.extend_from_slice(&frame.stored);
}
