//! What is left of a damaged journal: every commit whose frame is whole, wherever it stands.
//!
//! For telling and saving only. A frame is taken on its own checksums, which the file's nonce is part
//! of; that the one before it is gone is told, and does not count against it.

use super::frames::{ALIGNMENT, Chain, FILE_HEADER_BYTES, FileHeader, FrameHeader, Kind, unpack};
use super::numbers;
use super::recover::{Visit, Wanted};
use super::walk::Window;
use crate::error::{Error, Result, Touched};
use crate::format::names::journal;
use crate::storage::Storage;
use crate::types::Sequence;

/// Where the nonce stands in a file's header.
const NONCE_OFFSET: u64 = 32;
/// What is skipped where the storage does not give the bytes.
const BLOCK_BYTES: u64 = 4096;

/// Visits every commit wanted that is whole, in order; gives what is damaged or missing.
pub(crate) fn salvage(
    storage: &dyn Storage,
    wanted: Wanted,
    visit: &mut Visit<'_>,
) -> Result<Vec<Error>> {
    let mut numbers = numbers(storage)?;
    numbers.retain(|number| *number >= wanted.from);
    let codec =
        zstd::bulk::Decompressor::new().map_err(|cause| Error::io("start unpacking", "", cause))?;
    let mut reading =
        Reading { wanted, last: wanted.after, damages: Vec::new(), codec, raw: Vec::new(), visit };
    let mut expected = wanted.from;
    if let Some(first) = numbers.first()
        && goes_on_behind(storage, *first).is_some_and(|last| last <= wanted.after)
    {
        // What was before it is in sealed files.
        expected = expected.max(*first);
    }
    for (at, number) in numbers.iter().enumerate() {
        for gone in expected..*number {
            reading.damages.push(Error::corrupt("journal file is missing").in_file(journal(gone)));
        }
        expected = number + 1;
        let next = numbers.get(at + 1).and_then(|next| goes_on_behind(storage, *next));
        if let Err(error) = reading.file(storage, *number, next) {
            reading.damages.push(error.in_file(journal(*number)));
        }
    }
    if expected == wanted.from {
        reading.damages.push(Error::corrupt("journal file is missing").in_file(journal(expected)));
    }
    Ok(reading.damages)
}

/// The commit that a file goes on behind: what an earlier file holds beyond it was never acknowledged.
fn goes_on_behind(storage: &dyn Storage, number: u64) -> Option<Sequence> {
    let header = Window::open(storage, &journal(number)).ok()?.header().ok()?;
    Some(header.last)
}

/// Where a copy of a journal file is whole: header and frames. Nothing if it is a copy of another one
/// than that whose bytes begin with `own`.
pub(crate) fn whole_frames(
    storage: &dyn Storage,
    path: &str,
    own: &[u8],
) -> Result<Vec<std::ops::Range<usize>>> {
    let mut window = Window::open(storage, path)?;
    let nonce = window.header()?.nonce;
    let start = usize::try_from(NONCE_OFFSET).unwrap_or(0);
    let header = own.first_chunk().and_then(|bytes| FileHeader::decode(bytes).ok());
    if own.get(start..start + nonce.len()) != Some(&nonce) && header.is_some() {
        return Ok(Vec::new());
    }
    let mut whole: Vec<_> = std::iter::once(0..FILE_HEADER_BYTES).collect();
    let mut offset = FILE_HEADER_BYTES as u64;
    while offset < window.bytes() {
        let found = window.frame(offset, &nonce)?;
        let bytes = found.map_or(ALIGNMENT, |(header, _)| header.frame_bytes());
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        if found.is_some() {
            whole.push(start..start.saturating_add(bytes));
        }
        offset += bytes as u64;
    }
    Ok(whole)
}

struct Reading<'r, 'v> {
    wanted: Wanted,
    /// The last commit taken.
    last: Sequence,
    damages: Vec<Error>,
    codec: zstd::bulk::Decompressor<'static>,
    raw: Vec<u8>,
    visit: &'r mut Visit<'v>,
}

impl Reading<'_, '_> {
    fn file(&mut self, storage: &dyn Storage, number: u64, until: Option<Sequence>) -> Result<()> {
        let path = journal(number);
        let mut window = Window::open(storage, &path)?;
        let nonce = match window.header() {
            Ok(header) if (header.archive, header.number) == (self.wanted.archive, number) => {
                header.nonce
            }
            Ok(_) => return Err(Error::corrupt("journal file is another archive's").at(0)),
            Err(error) => {
                self.damages.push(error.in_file(&path));
                window.nonce(NONCE_OFFSET)?
            }
        };
        let (mut offset, mut bad) = (FILE_HEADER_BYTES as u64, None);
        while offset < window.bytes() {
            match window.frame(offset, &nonce) {
                Ok(Some((header, chain))) => {
                    if let Some(start) = bad.take() {
                        // Other frames name the last commit before them.
                        let is_commit = header.kind == Kind::Commit;
                        let next = header.sequence.0.saturating_add(u64::from(!is_commit));
                        self.lose(&path, start, Sequence(next));
                    }
                    self.take((&mut window, offset), (&header, chain), until);
                    offset += header.frame_bytes() as u64;
                }
                Ok(None) => {
                    if bad.is_none() && !window.is_zero(offset, ALIGNMENT)? {
                        bad = Some(offset);
                    }
                    offset += ALIGNMENT as u64;
                }
                Err(error) => {
                    self.damages.push(error);
                    offset += BLOCK_BYTES;
                }
            }
        }
        // A tail that nothing proves was never acknowledged.
        if let (Some(start), Some(until)) = (bad, until.filter(|until| *until > self.last)) {
            self.lose(&path, start, Sequence(until.0 + 1));
            self.last = until;
        }
        Ok(())
    }

    /// Frames from an offset up to the commit `next` cannot be read.
    fn lose(&mut self, path: &str, offset: u64, next: Sequence) {
        let first = Sequence(self.last.0 + 1);
        let commits = (first < next).then(|| (first, Sequence(next.0 - 1)));
        let error = Error::corrupt("frames are damaged").in_file(path).at(offset);
        self.damages.push(error.touching(Touched { commits, ..Touched::default() }));
    }

    fn take(
        &mut self,
        (window, offset): (&mut Window, u64),
        (header, chain): (&FrameHeader, Chain),
        until: Option<Sequence>,
    ) {
        let is_wanted = header.kind == Kind::Commit
            && header.sequence > self.last
            && until.is_none_or(|until| header.sequence <= until);
        if !is_wanted {
            return;
        }
        let Self { codec, raw, visit, .. } = self;
        let taken = window
            .payload(offset, header)
            .and_then(|stored| unpack(header, stored, codec, raw))
            .and_then(|()| visit(header.sequence, chain, raw));
        self.last = header.sequence;
        if let Err(error) = taken {
            let commits = Some((header.sequence, header.sequence));
            let error = error.in_file(window.path()).at(offset);
            self.damages.push(error.touching(Touched { commits, ..Touched::default() }));
        }
    }
}
