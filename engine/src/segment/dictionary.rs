//! Dictionaries: text that many rows repeat, as a file that the segments of an archive share.
//!
//! Invariant: a dictionary is stored as eight pieces and their exclusive or, so any one of the nine may
//! be damaged: no other file takes so many rows with it.
//!
//! Bytes: FORMAT.md, "Dictionary".

use std::io;
use std::sync::Arc;

use super::layout::HEADER_BYTES;
use zstd::zstd_safe::{
    CCtx, CDict, CParameter, DDict, DictAttachPref, compress_bound, get_error_name,
};

use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::{Reader, put_block, put_varint};
use crate::format::frame::{self, Codec, Frame};
use crate::format::limits::{self, decoded};
use crate::format::names::{FileKind, TRASH};
use crate::format::unpack;
use crate::storage::{ReadFile, Storage};

const MAGIC: &[u8; 8] = b"CVDICT01";
/// Pieces without the last, which is the exclusive or of the others.
const PIECES: usize = 8;
const LEVEL: i32 = 12;
/// What a training reads at most.
const SAMPLE_BYTES: usize = 8 << 20;
/// Of a long text only the beginning is sampled.
const TEXT_BYTES: usize = 2048;
/// Texts are joined to samples of so many bytes, about, as chunks join them: single ones take twice as long
/// to train on, and pack 1 % worse.
const JOINED_BYTES: usize = 1 << 10;
/// A dictionary is this part of the text that it was trained for: it has to pay for itself.
const PART: usize = 32;
/// Smaller ones save nothing.
const MIN_BYTES: usize = 1 << 10;
const MAX_BYTES: usize = 1 << 20;

/// A dictionary to pack with, at one level, by any number of threads.
pub(crate) struct Trained {
    /// Of its file.
    pub(crate) number: u64,
    zstd: CDict<'static>,
}

impl std::fmt::Debug for Trained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trained").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Trained {
    /// `None` if zstd refuses its bytes.
    pub(crate) fn new(number: u64, bytes: &[u8], level: i32) -> Option<Self> {
        Some(Self { number, zstd: CDict::try_create(bytes, level)? })
    }
}

/// Packs text, with a dictionary if there is one.
pub(super) struct TextPacker<'d> {
    zstd: CCtx<'d>,
}

impl<'d> TextPacker<'d> {
    pub(super) fn new(level: i32, dictionary: Option<&'d Trained>) -> Result<Self> {
        let mut zstd = CCtx::create();
        // Used where it is: zstd would copy its tables for each text, 20 MB of them at level 19.
        let attach = CParameter::ForceAttachDict(DictAttachPref::ForceAttach);
        let set = match dictionary {
            None => zstd.set_parameter(CParameter::CompressionLevel(level)),
            Some(Trained { zstd: dictionary, .. }) => {
                zstd.set_parameter(attach).and_then(|_| zstd.ref_cdict(dictionary))
            }
        };
        let _done = set.map_err(refused)?;
        Ok(Self { zstd })
    }

    pub(super) fn pack(&mut self, text: &[u8]) -> Result<Vec<u8>> {
        let mut packed = Vec::with_capacity(compress_bound(text.len()));
        let _bytes = self.zstd.compress2(&mut packed, text).map_err(refused)?;
        Ok(packed)
    }
}

fn refused(code: usize) -> Error {
    Error::new(ErrorKind::Io, format!("compression failed: {}", get_error_name(code)))
}

/// A dictionary to unpack with.
pub(crate) struct Decoder {
    pub(super) zstd: DDict<'static>,
    bytes: usize,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Decoder {
    /// Bytes in memory, about: zstd keeps a copy and its tables.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + (32 << 10)
    }
}

/// A dictionary's file.
#[derive(Debug)]
pub(crate) struct Dictionary {
    path: String,
    file: io::Result<Arc<dyn ReadFile>>,
}

impl Dictionary {
    /// The file of a number, in the trash too: it goes there with the last segment that names it.
    /// That there is none is an error for who reads it.
    pub(crate) fn find(storage: &dyn Storage, number: u64) -> Self {
        let path = FileKind::Dictionary.path(number);
        let file = storage.open(&path);
        if file.as_ref().is_err_and(|cause| cause.kind() == io::ErrorKind::NotFound) {
            let suffix = format!(".{}", FileKind::Dictionary.name(number));
            let files = storage.list(TRASH).unwrap_or_default();
            if let Some(kept) = files.iter().find(|file| file.name.ends_with(&suffix)) {
                let path = format!("{TRASH}/{}", kept.name);
                return Self { file: storage.open(&path), path };
            }
        }
        Self { path, file }
    }

    /// The dictionary, also where one of its pieces is damaged.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        read(self.file()?).map_err(|error| error.in_file(&*self.path))
    }

    /// Fails unless every byte is right, those included that a reader can do without.
    pub(crate) fn check(&self, archive: [u8; 16], number: u64) -> Result<()> {
        let _dictionary = self.read()?;
        check(self.file()?, archive, number).map_err(|error| error.in_file(&*self.path))
    }

    fn file(&self) -> Result<&dyn ReadFile> {
        self.file.as_deref().map_err(|cause| {
            let cause = io::Error::new(cause.kind(), cause.to_string());
            Error::opening(&self.path, cause)
        })
    }

    pub(super) fn decoder(&self) -> Result<Decoder> {
        let bytes = self.read()?;
        let zstd = DDict::try_create(&bytes);
        let no_dictionary = || Error::corrupt("dictionary is damaged").in_file(&*self.path);
        Ok(Decoder { zstd: zstd.ok_or_else(no_dictionary)?, bytes: bytes.len() })
    }
}

/// Encodes a dictionary's file.
pub(crate) fn encode(archive: [u8; 16], number: u64, dictionary: &[u8]) -> Result<Vec<u8>> {
    let mut packed = zstd::bulk::compress(dictionary, LEVEL)
        .map_err(|cause| Error::new(ErrorKind::Io, "compression failed").caused_by(cause))?;
    limits::pad(&mut packed, dictionary.len());
    let mut content = Vec::with_capacity(packed.len() + 16);
    put_varint(&mut content, dictionary.len() as u64);
    put_block(&mut content, &packed);
    content.resize(content.len().next_multiple_of(PIECES), 0);
    let mut file = header(archive, number);
    let mut last = vec![0; content.len() / PIECES];
    for piece in content.chunks(content.len() / PIECES) {
        frame::put(&mut file, 1, Codec::None, piece.len(), piece);
        add(&mut last, piece);
    }
    frame::put(&mut file, 1, Codec::None, last.len(), &last);
    Ok(file)
}

fn add(sum: &mut [u8], piece: &[u8]) {
    sum.iter_mut().zip(piece).for_each(|(sum, byte)| *sum ^= byte);
}

fn header(archive: [u8; 16], number: u64) -> Vec<u8> {
    [&MAGIC[..], &archive, &number.to_le_bytes()].concat()
}

/// What a frame holds, if it is a piece.
fn piece<'b>(frame: &Frame<'b>) -> Option<&'b [u8]> {
    let plain = frame.codec == Codec::None && frame.raw_bytes == frame.payload.len();
    (frame.kind == 1 && plain).then_some(frame.payload)
}

/// Header, frames and what they add up to; the file's length is known to be right.
fn check(file: &dyn ReadFile, archive: [u8; 16], number: u64) -> Result<()> {
    let io = |cause| Error::io("read", "", cause);
    let bytes = usize::try_from(file.bytes().map_err(io)?).unwrap_or(usize::MAX);
    let mut all = vec![0; bytes];
    file.read_at(0, &mut all).map_err(io)?;
    let frames = all.strip_prefix(&header(archive, number)[..]);
    let frames = frames.ok_or_else(|| Error::corrupt("header is not that of this file").at(0))?;
    let stored = frames.len() / (PIECES + 1);
    let mut sum = vec![0; stored - frame::HEADER_BYTES];
    for (number, bytes) in frames.chunks(stored).enumerate() {
        let offset = (HEADER_BYTES + number * stored) as u64;
        let (frame, _) = frame::split(bytes).map_err(|error| error.at(offset))?;
        let other = || Error::corrupt("frame is no piece of a dictionary").at(offset);
        add(&mut sum, piece(&frame).ok_or_else(other)?);
    }
    let other = || Error::corrupt("ninth frame does not follow from the others");
    sum.iter().all(|byte| *byte == 0).then_some(()).ok_or_else(other)
}

/// A wrong header is damage that `verify` tells, and hides nothing.
fn read(file: &dyn ReadFile) -> Result<Vec<u8>> {
    let io = |what, cause| Error::io(what, "", cause);
    let bytes = file.bytes().map_err(|cause| io("measure", cause))?;
    let damaged = || Error::corrupt("dictionary is damaged");
    let length = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_sub(HEADER_BYTES);
    let limit = (decoded::DICTIONARY / PIECES + frame::HEADER_BYTES) * (PIECES + 1);
    let stored = Some(length / (PIECES + 1)).filter(|_| length.is_multiple_of(PIECES + 1));
    let stored = stored.filter(|stored| *stored > frame::HEADER_BYTES && length <= limit);
    let stored = stored.ok_or_else(damaged)?;
    let mut all = vec![0; length];
    file.read_at(HEADER_BYTES as u64, &mut all).map_err(|cause| io("read", cause))?;
    let whole = |bytes| frame::split(bytes).ok().filter(|(_, rest)| rest.is_empty());
    let whole = |bytes| whole(bytes).and_then(|(frame, _)| piece(&frame));
    let mut pieces: Vec<Option<&[u8]>> = all.chunks(stored).map(whole).collect();
    let mut lost = vec![0; stored - frame::HEADER_BYTES];
    pieces.iter().flatten().for_each(|piece| add(&mut lost, piece));
    let mut gone = pieces.iter_mut().filter(|piece| piece.is_none());
    if let Some(gone) = gone.next() {
        *gone = Some(&lost);
    }
    if gone.next().is_some() {
        return Err(damaged());
    }
    let content: Vec<u8> = pieces.into_iter().take(PIECES).flatten().flatten().copied().collect();
    let reader = &mut Reader::new(&content);
    let raw = reader.varint().and_then(|raw| usize::try_from(raw).ok());
    let packed = reader.block().ok_or_else(damaged)?;
    let raw = raw.filter(|raw| *raw <= limits::room(packed.len()).min(decoded::DICTIONARY));
    let raw = raw.ok_or_else(damaged)?;
    let padding = reader.rest();
    if padding.len() >= PIECES || padding.iter().any(|byte| *byte != 0) {
        return Err(damaged());
    }
    unpack::unpack(packed, raw, None, "dictionary")
}

/// Texts here and there, to train a dictionary on: bounded, however many rows there are.
#[derive(Debug)]
pub(crate) struct Samples {
    bytes: Vec<u8>,
    sizes: Vec<usize>,
    /// Every so many texts one is taken.
    step: usize,
    skipped: usize,
    /// Bytes of all texts that were offered.
    offered: usize,
}

impl Default for Samples {
    fn default() -> Self {
        Self { bytes: Vec::new(), sizes: Vec::new(), step: 1, skipped: 0, offered: 0 }
    }
}

impl Samples {
    /// Takes from a document what mostly has no other place than text: contents.
    pub(crate) fn offer(&mut self, document: &[u8]) {
        for at in memchr::memmem::find_iter(document, b"\"content\":\"") {
            let text = text(&document[at + 11..]);
            self.offered += text.len();
            self.skipped += 1;
            if self.skipped < self.step {
                continue;
            }
            self.skipped = 0;
            let text = &text[..text.len().min(TEXT_BYTES)];
            self.bytes.extend_from_slice(text);
            // As in a chunk.
            self.bytes.push(0);
            match self.sizes.last_mut().filter(|size| **size < JOINED_BYTES) {
                Some(size) => *size += text.len() + 1,
                None => self.sizes.push(text.len() + 1),
            }
            if self.bytes.len() > SAMPLE_BYTES {
                self.thin();
            }
        }
    }

    /// Drops every other sample and takes half as many from now on.
    fn thin(&mut self) {
        let (mut kept, mut sizes) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (at, size) in self.sizes.iter().enumerate() {
            if at % 2 == 0 {
                kept.extend_from_slice(&self.bytes[start..start + size]);
                sizes.push(*size);
            }
            start += size;
        }
        (self.bytes, self.sizes) = (kept, sizes);
        self.step *= 2;
    }

    /// A dictionary for so many times the text that was offered; `None` if it would not pay.
    pub(crate) fn train(&self, times: usize) -> Option<Vec<u8>> {
        let size = (self.offered.saturating_mul(times) / PART).min(MAX_BYTES);
        if size < MIN_BYTES {
            return None;
        }
        // Too uniform text cannot be trained on.
        zstd::dict::from_continuous(&self.bytes, &self.sizes, size).ok()
    }
}

/// The text up to the quote that ends it.
fn text(rest: &[u8]) -> &[u8] {
    let is_end =
        |at: &usize| rest[..*at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 0;
    let end = memchr::memchr_iter(b'"', rest).find(is_end);
    &rest[..end.unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Memory, whole};

    const ARCHIVE: [u8; 16] = [1; 16];

    fn stored(bytes: &[u8]) -> Dictionary {
        let storage = Memory::default();
        for folder in ["", "segments", TRASH] {
            storage.make_folder(folder).unwrap();
        }
        whole::write_new(&storage, &FileKind::Dictionary.path(3), bytes).unwrap();
        Dictionary::find(&storage, 3)
    }

    #[test]
    fn a_dictionary_comes_back_though_any_one_byte_is_wrong_and_not_with_two_pieces_lost() {
        let dictionary: Vec<u8> =
            (0..40_000_u32).map(|n| n.wrapping_mul(n).to_le_bytes()[1]).collect();
        let file = encode(ARCHIVE, 3, &dictionary).unwrap();
        assert_eq!(stored(&file).read().unwrap(), dictionary);
        stored(&file).check(ARCHIVE, 3).unwrap();
        assert!(stored(&file).check(ARCHIVE, 4).is_err());
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x10;
            let found = stored(&damaged);
            assert_eq!(found.read().unwrap(), dictionary, "byte {at}");
            assert!(found.check(ARCHIVE, 3).is_err(), "byte {at}");
        }
        let mut twice = file.clone();
        for at in [HEADER_BYTES + 20, file.len() - 20] {
            twice[at] ^= 1;
        }
        assert!(stored(&twice).read().is_err());
        for cut in 0..file.len() {
            assert!(stored(&file[..cut]).read().is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_trained_follows_what_was_offered() {
        let mut samples = Samples::default();
        let document = |n: u32| {
            format!(r#"{{"body":{{"content":"text {n} of \"many\" {}"}},"x":1}}"#, n * 977 % 541)
        };
        (0..1000).for_each(|n| samples.offer(document(n).as_bytes()));
        assert!(samples.train(1).is_none(), "{} bytes are too few", samples.offered);
        let trained = samples.train(100).unwrap();
        assert!((MIN_BYTES..=MAX_BYTES).contains(&trained.len()), "{}", trained.len());
        assert!(Samples::default().train(1000).is_none());
    }

    #[test]
    fn samples_take_bounded_memory() {
        let mut samples = Samples::default();
        let document = format!(r#"{{"content":"{}"}}"#, "long ".repeat(1000));
        (0..20_000).for_each(|_| samples.offer(document.as_bytes()));
        assert!(samples.bytes.len() <= SAMPLE_BYTES && samples.step > 1);
    }
}
