//! Walks the frames of one journal file, in bounded memory and with every check.

use std::sync::Arc;

use super::frames::{
    ALIGNMENT, Chain, FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, FrameHeader, Kind, Packed,
    Recorded, chain_behind, checksum, unpack,
};
use crate::error::{Error, Result};
use crate::format::{limits, names};
use crate::storage::{ReadFile, Storage};
use crate::types::Sequence;

/// Read at once when frames are small.
const WINDOW_BYTES: usize = 256 << 10;

/// A journal file that is being read, and how far.
pub(super) struct Walk {
    window: Window,
    pub(super) path: String,
    pub(super) header: FileHeader,
    /// Where the next frame begins.
    pub(super) offset: u64,
    /// The last commit read, or what the header goes on behind.
    pub(super) last: Sequence,
    /// The chain value behind it.
    pub(super) chain: Chain,
    /// The highest sequence that this file shows to be durable.
    pub(super) acknowledged: Sequence,
    /// The newest manifest that this file records so far.
    pub(super) recorded: Recorded,
    codec: zstd::bulk::Decompressor<'static>,
    raw: Vec<u8>,
}

/// What is at the walk's offset.
#[derive(Debug)]
pub(super) enum Step {
    /// A whole commit; its bytes are in the walk's hands until the next step.
    Commit(FrameHeader),
    /// A whole frame beside the chain: it says something about commits or manifests.
    Aside,
    /// The archive was closed in order.
    Closed,
    /// The journal goes on in the next file.
    GoesOn,
    /// No valid frame.
    Bad,
}

impl Walk {
    /// Opens a file and checks its header.
    pub(super) fn open(storage: &dyn Storage, archive: [u8; 16], number: u64) -> Result<Self> {
        let path = names::journal(number);
        let mut window = Window::open(storage, &path)?;
        let header = window.header().map_err(|error| error.in_file(&path))?;
        if header.archive != archive || header.number != number {
            let message = "journal file belongs to another archive or has another number";
            return Err(Error::corrupt(message).in_file(path).at(0));
        }
        let (last, chain) = (header.last, header.chain);
        let (offset, raw) = (FILE_HEADER_BYTES as u64, Vec::new());
        let codec = zstd::bulk::Decompressor::new()
            .map_err(|cause| Error::io("start unpacking", &path, cause))?;
        let (acknowledged, recorded) = (last, header.manifest);
        #[rustfmt::skip]
        let walk = Self { window, path, header, offset, last, chain, acknowledged, recorded, codec, raw };
        Ok(walk)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.window.bytes
    }

    /// Corruption at this walk's offset.
    pub(super) fn corrupt(&self, message: impl Into<String>) -> Error {
        Error::corrupt(message).in_file(&self.path).at(self.offset)
    }

    /// Reads the frame at the offset and moves behind it, unless it is bad.
    pub(super) fn step(&mut self) -> Result<Step> {
        let Some((header, chain)) = self.window.frame(self.offset, &self.header.nonce)? else {
            return Ok(Step::Bad);
        };
        if header.sequence.0 > limits::SEQUENCE {
            return Err(self.corrupt("sequence of a frame is over the limit"));
        }
        let ascending = match header.kind {
            Kind::Commit => header.sequence > self.last,
            _ => header.sequence == self.last,
        };
        // The checksums hold, so this is no torn frame but a history that was never written.
        if header.chain != self.chain || !ascending || header.acknowledged > self.last {
            return Err(self.corrupt("frame does not follow the one before it"));
        }
        self.acknowledged = self.acknowledged.max(header.acknowledged);
        if header.kind == Kind::Manifest {
            self.record(&header)?;
        }
        self.offset += header.frame_bytes() as u64;
        Ok(match header.kind {
            Kind::Commit => {
                (self.last, self.chain) = (header.sequence, chain);
                Step::Commit(header)
            }
            Kind::Proof | Kind::Manifest => Step::Aside,
            Kind::Closed => Step::Closed,
            Kind::GoesOn => Step::GoesOn,
        })
    }

    /// Reads the frame at the offset once more: it may have been written since.
    pub(super) fn step_again(&mut self) -> Result<Step> {
        self.window.forget()?;
        self.step()
    }

    fn record(&mut self, header: &FrameHeader) -> Result<()> {
        let payload = self.window.payload(self.offset, header)?;
        let recorded = Recorded::decode(payload);
        let next = recorded.filter(|recorded| recorded.number > self.recorded.number);
        self.recorded = next.ok_or_else(|| self.corrupt("record of a manifest is damaged"))?;
        Ok(())
    }

    /// The payload of the commit just stepped over, decoded.
    pub(super) fn payload(&mut self, header: &FrameHeader) -> Result<&[u8]> {
        let start = self.offset - header.frame_bytes() as u64;
        let stored = self.window.payload(start, header)?;
        unpack(header, stored, &mut self.codec, &mut self.raw)
            .map_err(|error| error.in_file(&self.path).at(start))?;
        Ok(&self.raw)
    }

    /// The payload of the commit just stepped over, as it is stored.
    pub(super) fn packed(&mut self, header: &FrameHeader) -> Result<Packed<'_>> {
        let start = self.offset - header.frame_bytes() as u64;
        let stored = self.window.payload(start, header)?;
        Ok(Packed { codec: header.codec, raw_bytes: header.raw_bytes, stored })
    }

    /// Looks past a bad frame for one that shows that it was durable: its offset and header.
    pub(super) fn proof_later(&mut self) -> Result<Option<(u64, FrameHeader)>> {
        let mut offset = self.offset + ALIGNMENT as u64;
        while let Some(bytes) = self.window.up_to(offset, WINDOW_BYTES)? {
            let count = bytes.len().saturating_sub(FRAME_HEADER_BYTES - ALIGNMENT) / ALIGNMENT;
            // No frame begins in zeros: it has a kind.
            let used = without_zeros(bytes).div_ceil(ALIGNMENT);
            let starts =
                bytes.windows(FRAME_HEADER_BYTES).step_by(ALIGNMENT).take(used).zip(0_u64..);
            for (start, index) in starts {
                let Some(later) = FrameHeader::decode(&self.header.nonce, start) else { continue };
                if later.acknowledged > self.last || later.kind.ends() {
                    return Ok(Some((offset + index * ALIGNMENT as u64, later)));
                }
            }
            if count == 0 {
                return Ok(None);
            }
            offset += (count * ALIGNMENT) as u64;
        }
        Ok(None)
    }

    /// How many bytes from the offset on are more than preallocated zeros.
    pub(super) fn bytes_left(&mut self) -> Result<u64> {
        let (mut offset, mut end) = (self.offset, self.offset);
        while let Some(bytes) = self.window.up_to(offset, WINDOW_BYTES)? {
            let used = without_zeros(bytes);
            if used > 0 {
                end = offset + used as u64;
            }
            offset += bytes.len() as u64;
        }
        Ok(end - self.offset)
    }
}

/// How many bytes are in front of the zeros at the end. Preallocated files are zeros for the most
/// part, so whole blocks are compared first.
fn without_zeros(bytes: &[u8]) -> usize {
    static ZEROS: [u8; 4096] = [0; 4096];
    let is_used = |block: &[u8]| ZEROS.get(..block.len()) != Some(block);
    let Some(last) = bytes.chunks(ZEROS.len()).rposition(is_used) else { return 0 };
    let end = bytes.len().min((last + 1) * ZEROS.len());
    let used = bytes.get(..end).unwrap_or_default();
    used.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// A file seen through a buffer. Its length is the one at opening: a writer may be adding to it.
#[derive(Debug)]
pub(super) struct Window {
    file: Arc<dyn ReadFile>,
    path: String,
    bytes: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl Window {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The nonce of a file whose header is damaged, perhaps elsewhere.
    pub(super) fn nonce(&mut self, offset: u64) -> Result<[u8; 16]> {
        let nonce = self.get(offset, 16)?.and_then(|bytes| bytes.first_chunk().copied());
        nonce.ok_or_else(|| Error::corrupt("journal header is cut short").at(0))
    }

    /// Are these bytes zero, as far as there are any?
    pub(super) fn is_zero(&mut self, offset: u64, count: usize) -> Result<bool> {
        let bytes = self.up_to(offset, count)?;
        Ok(bytes.is_none_or(|bytes| without_zeros(bytes) == 0))
    }

    pub(super) fn open(storage: &dyn Storage, path: &str) -> Result<Self> {
        let file = storage.open(path).map_err(|cause| Error::opening(path, cause))?;
        let bytes = file.bytes().map_err(|cause| Error::io("measure", path, cause))?;
        Ok(Self { file, path: path.to_owned(), bytes, start: 0, buffer: Vec::new() })
    }

    /// Forgets what was read, the length too.
    fn forget(&mut self) -> Result<()> {
        self.buffer.clear();
        let bytes = self.file.bytes();
        self.bytes = bytes.map_err(|cause| Error::io("measure", &self.path, cause))?;
        Ok(())
    }

    pub(super) fn header(&mut self) -> Result<FileHeader> {
        let bytes = self.get(0, FILE_HEADER_BYTES)?.and_then(|bytes| bytes.first_chunk());
        FileHeader::decode(bytes.ok_or_else(|| Error::corrupt("journal header is cut short"))?)
    }

    /// The frame at an offset if all of it is valid, and the chain value behind it.
    pub(super) fn frame(
        &mut self,
        offset: u64,
        nonce: &[u8; 16],
    ) -> Result<Option<(FrameHeader, Chain)>> {
        let Some(head) = self.get(offset, FRAME_HEADER_BYTES)?.and_then(|head| head.first_chunk())
        else {
            return Ok(None);
        };
        let Some(header) = FrameHeader::decode(nonce, head) else { return Ok(None) };
        let head = *head;
        let Some(frame) = self.get(offset, header.frame_bytes())? else { return Ok(None) };
        let body = frame.get(FRAME_HEADER_BYTES..).unwrap_or_default();
        let Some((payload, padding)) = body.split_at_checked(header.stored_bytes) else {
            return Ok(None);
        };
        let valid =
            checksum(nonce, payload) == header.payload_sum && padding.iter().all(|byte| *byte == 0);
        Ok(valid.then(|| (header, chain_behind(&head, payload))))
    }

    /// The payload of a frame that was read just before.
    pub(super) fn payload(&mut self, start: u64, header: &FrameHeader) -> Result<&[u8]> {
        let path = self.path.clone();
        let payload = self.get(start + FRAME_HEADER_BYTES as u64, header.stored_bytes)?;
        payload.ok_or_else(|| Error::corrupt("frame is cut short").in_file(path).at(start))
    }

    /// Exactly these bytes; `None` if the file ends before.
    fn get(&mut self, offset: u64, count: usize) -> Result<Option<&[u8]>> {
        if offset.checked_add(count as u64).is_none_or(|end| end > self.bytes) {
            return Ok(None);
        }
        self.load(offset, count)?;
        Ok(self.loaded(offset).and_then(|bytes| bytes.get(..count)))
    }

    /// At most these bytes; `None` at the file's end.
    fn up_to(&mut self, offset: u64, count: usize) -> Result<Option<&[u8]>> {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        if left == 0 { Ok(None) } else { self.get(offset, count.min(left)) }
    }

    fn loaded(&self, offset: u64) -> Option<&[u8]> {
        self.buffer.get(usize::try_from(offset.checked_sub(self.start)?).ok()?..)
    }

    fn load(&mut self, offset: u64, count: usize) -> Result<()> {
        if self.loaded(offset).is_some_and(|bytes| bytes.len() >= count) {
            return Ok(());
        }
        let left = usize::try_from(self.bytes - offset).unwrap_or(usize::MAX);
        self.buffer.resize(count.max(WINDOW_BYTES).min(left), 0);
        self.start = offset;
        let read = self.file.read_at(offset, &mut self.buffer);
        read.map_err(|cause| {
            self.buffer.clear();
            Error::io("read", &self.path, cause).at(offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::without_zeros;

    #[test]
    fn zeros_at_the_end_are_told_from_bytes_wherever_blocks_begin() {
        for length in [0, 1, 4095, 4096, 4097, 12_289] {
            let mut bytes = vec![0; length];
            assert_eq!(without_zeros(&bytes), 0, "{length}");
            for at in [0, 1, 4094, 4095, 4096, 8191, 8192, 12_288] {
                if at < length {
                    bytes[at] = 1;
                    assert_eq!(without_zeros(&bytes), at + 1, "{at} of {length}");
                }
            }
        }
    }
}
