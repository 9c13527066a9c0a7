//! Writing one journal file: appending, sharing syncs, stopping for ever after a failure.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::MAX_IN_FLIGHT;
use super::frames::{
    self, Chain, FILE_HEADER_BYTES, FileHeader, FrameLabel, Kind, Packed, Recorded,
};
use super::recover::{Recovery, Wanted};
use super::walk::{Step, Walk};
use crate::error::{Error, ErrorKind, Result};
use crate::format::frame::Codec;
use crate::format::limits::{self, decoded};
use crate::format::names;
use crate::storage::{Storage, WriteFile, whole};
use crate::types::Sequence;

/// From this size on a file has zeros written ahead of small frames: a sync that need not grow the
/// file takes half the time. A short life writes each byte once instead.
pub(super) const AHEAD_FROM_BYTES: u64 = 1 << 20;
/// Zeros are a quarter of what is there, but at most this.
const MAX_AHEAD_BYTES: u64 = 1 << 20;
/// Frames from this size on grow the file themselves; zeros would only be written twice.
const LARGE_FRAME_BYTES: usize = 256 << 10;
/// Buffers keep at most this between commits.
const KEPT_BYTES: usize = 4 << 20;
/// So many commits of a process, whatever the archive, find their buffers made.
const KEPT_SCRATCHES: usize = 4;
/// Payloads below this are stored as they are.
const MIN_PACKED_BYTES: usize = 64;
const ZSTD_LEVEL: i32 = 1;
const NOTHING: Packed<'static> = Packed { codec: 0, raw_bytes: 0, stored: &[] };

/// What it takes to make a frame. A process keeps a few: one for each archive would hold more than
/// the archive itself.
struct Scratch {
    codec: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
    frame: Vec<u8>,
}

/// Held for a moment.
static SCRATCHES: Mutex<Vec<Scratch>> = Mutex::new(Vec::new());

impl Scratch {
    fn take() -> std::io::Result<Self> {
        if let Some(kept) = Self::kept().pop() {
            return Ok(kept);
        }
        let codec = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
        Ok(Self { codec, packed: Vec::new(), frame: Vec::new() })
    }

    fn give_back(mut self) {
        for buffer in [&mut self.packed, &mut self.frame] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
        let mut kept = Self::kept();
        if kept.len() < KEPT_SCRATCHES {
            kept.push(self);
        }
    }

    fn kept() -> MutexGuard<'static, Vec<Self>> {
        SCRATCHES.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One journal file that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Box<dyn WriteFile>,
    header: FileHeader,
    path: String,
    /// Held over building and writing a frame, never over a sync, so that appending goes on
    /// meanwhile. Always taken before `progress`, never while that is held.
    tail: Mutex<Tail>,
    /// What is written and durable. Never held over a write or sync.
    progress: Mutex<Progress>,
    /// Signalled when `progress` gets further, or will never.
    moved: Condvar,
}

#[derive(Debug)]
struct Tail {
    offset: u64,
    /// The file's length: zeros from `offset` to here.
    allocated: u64,
    chain: Chain,
    last: Sequence,
    /// The highest sequence that a frame says is durable.
    proved: Sequence,
    /// Where the last record of a manifest ends.
    record_end: u64,
    sealed: bool,
}

#[derive(Debug)]
struct Progress {
    appended: Sequence,
    durable: Sequence,
    /// Where the last frame written ends, and how far the file is durable.
    written: u64,
    synced: u64,
    /// One thread syncs for everybody.
    syncing: bool,
    /// Why nothing can be written any more.
    failed: Option<(std::io::ErrorKind, String)>,
}

impl Journal {
    /// Makes a journal file that goes on behind `last`, which must be durable, and `chain`.
    ///
    /// On return its name and header are durable.
    pub(crate) fn start(storage: &dyn Storage, header: FileHeader) -> Result<Self> {
        Self::build(storage, header, |_| Ok(()))
    }

    /// Makes the file that goes on after a recovery, once its commits are in good hands.
    ///
    /// Whole commits that nobody had acknowledged may sit in the system's cache only, and a sync
    /// that failed there is not reported again. They are written anew and synced here before the
    /// file gets its name, so on return everything recovered is durable.
    pub(crate) fn resume(
        storage: &dyn Storage,
        wanted: &Wanted,
        nonce: [u8; 16],
        recovery: &Recovery,
    ) -> Result<Self> {
        let header = FileHeader {
            archive: wanted.archive,
            nonce,
            number: recovery.highest + 1,
            last: recovery.last,
            chain: recovery.chain,
            base: recovery.next_base(),
            manifest: wanted.manifest,
        };
        if recovery.unproven.is_none() {
            return Self::start(storage, header);
        }
        let mut walk = Walk::open(storage, wanted.archive, recovery.highest)?;
        let first = skip_durable(&mut walk, recovery.acknowledged)?;
        let header = FileHeader { last: first.last, chain: first.chain, ..header };
        Self::build(storage, header, |journal| {
            journal.copy(&mut walk, first)?;
            if walk.chain == recovery.chain { Ok(()) } else { Err(changed(&walk)) }
        })
    }

    /// Writes a file under a temporary name, has it filled, syncs it and names it.
    fn build(
        storage: &dyn Storage,
        header: FileHeader,
        fill: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        let path = names::journal(header.number);
        let temporary = whole::temporary(&path);
        whole::discard(storage, &temporary)?;
        let created = storage.create(&temporary);
        let created = created.map_err(|cause| Error::io("create", &path, cause))?;
        let journal = Self::around(created, header, path);
        journal.file.write_at(0, &header.encode()).map_err(|cause| journal.stop(&cause))?;
        fill(&journal)?;
        journal.file.sync().map_err(|cause| journal.stop(&cause))?;
        whole::publish(storage, &temporary, &journal.path)?;
        let mut progress = journal.progress();
        (progress.durable, progress.synced) = (progress.appended, progress.written);
        drop(progress);
        Ok(journal)
    }

    fn around(file: Box<dyn WriteFile>, header: FileHeader, path: String) -> Self {
        let tail = Tail {
            offset: FILE_HEADER_BYTES as u64,
            allocated: FILE_HEADER_BYTES as u64,
            chain: header.chain,
            last: header.last,
            proved: header.last,
            record_end: 0,
            sealed: false,
        };
        let (appended, durable) = (header.last, header.last);
        let (written, synced) = (tail.offset, 0);
        let progress =
            Progress { appended, durable, written, synced, syncing: false, failed: None };
        let (tail, progress) = (Mutex::new(tail), Mutex::new(progress));
        Self { file, header, path, tail, progress, moved: Condvar::new() }
    }

    /// Writes a commit; it is durable only after [`Journal::wait`]. Gives the chain value behind it.
    ///
    /// Sequences ascend strictly. Any failure stops the journal for ever.
    pub(crate) fn append(&self, sequence: Sequence, payload: &[u8]) -> Result<Chain> {
        if payload.len() > decoded::FRAME {
            let limit = decoded::FRAME;
            let message = format!("a commit of {} bytes is over {limit}", payload.len());
            return Err(Error::invalid(message));
        }
        self.make_room(sequence)?;
        let mut tail = self.tail();
        let scratch = Scratch::take();
        let mut scratch =
            scratch.map_err(|cause| Error::io("start compressing", &self.path, cause))?;
        let (codec, stored) = pack(&mut scratch.codec, payload, &mut scratch.packed);
        let payload = Packed { codec: codec.id(), raw_bytes: payload.len(), stored };
        let frame = &mut scratch.frame;
        let written = self.write((&mut tail, frame), Kind::Commit, sequence, payload);
        scratch.give_back();
        written.map(|()| tail.chain)
    }

    /// Waits until so few commits are in flight that one more may be.
    fn make_room(&self, sequence: Sequence) -> Result<()> {
        let base = self.header.base;
        self.wait_for(|progress| {
            let ahead = sequence.0.saturating_sub(progress.durable.max(base).0);
            ahead <= MAX_IN_FLIGHT || progress.appended == progress.durable
        })
    }

    /// Writes a frame, which is made in an empty buffer.
    fn write(
        &self,
        (tail, frame): (&mut Tail, &mut Vec<u8>),
        kind: Kind,
        at: Sequence,
        payload: Packed<'_>,
    ) -> Result<()> {
        assert!(!tail.sealed, "nothing follows the closing frame");
        assert!(kind != Kind::Commit || at > tail.last, "sequences ascend");
        let acknowledged = self.healthy()?.durable;
        let place = FrameLabel { kind, sequence: at, acknowledged, chain: tail.chain };
        let chain = frames::put(frame, &self.header.nonce, place, payload);
        let end = tail.offset + frame.len() as u64;
        if end > tail.allocated {
            let ahead = if kind == Kind::Commit { write_ahead(frame, tail.offset) } else { 0 };
            tail.allocated = end + ahead;
        }
        self.file.write_at(tail.offset, frame).map_err(|cause| self.stop(&cause))?;
        tail.offset = end;
        tail.proved = acknowledged;
        tail.sealed = kind.ends();
        let mut progress = self.healthy()?;
        progress.written = end;
        if kind == Kind::Commit {
            (tail.chain, tail.last) = (chain, at);
            progress.appended = at;
        }
        Ok(())
    }

    /// Writes again what a walk still has, beginning with the commit it stands behind.
    fn copy(&self, walk: &mut Walk, first: Unproven) -> Result<()> {
        let (mut tail, mut frame) = (self.tail(), Vec::new());
        let mut next = Step::Commit(first.header);
        loop {
            match next {
                Step::Commit(header) => {
                    let payload = walk.packed(&header)?;
                    frame.clear();
                    self.write((&mut tail, &mut frame), Kind::Commit, header.sequence, payload)?;
                }
                Step::Aside => {}
                Step::Closed | Step::GoesOn | Step::Bad => return Ok(()),
            }
            next = walk.step()?;
        }
    }

    /// Returns when the commit is durable. Callers that wait together share one sync.
    pub(crate) fn wait(&self, sequence: Sequence) -> Result<()> {
        let appended = self.progress().appended;
        assert!(sequence <= appended, "only what was appended can become durable");
        if planted!("acknowledge before the sync") {
            return Ok(());
        }
        self.wait_for(|progress| progress.durable >= sequence)
    }

    fn wait_for(&self, reached: impl Fn(&Progress) -> bool) -> Result<()> {
        let mut progress = self.progress();
        loop {
            if reached(&progress) {
                return Ok(());
            }
            if let Some(why) = &progress.failed {
                return Err(self.stopped(why));
            }
            progress = if progress.syncing {
                self.moved.wait(progress).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.sync_for_all(progress)?
            };
        }
    }

    /// Syncs once for everything appended so far, without holding the lock.
    fn sync_for_all<'a>(
        &'a self,
        mut progress: MutexGuard<'a, Progress>,
    ) -> Result<MutexGuard<'a, Progress>> {
        let (appended, written) = (progress.appended, progress.written);
        progress.syncing = true;
        drop(progress);
        let synced = self.file.sync();
        let tail = synced.is_ok().then(|| self.tail());
        let mut progress = self.progress();
        progress.syncing = false;
        // Stopped under the same lock: a waiter in between would sync again, and a system that
        // forgets failed writes would tell it that all is well.
        synced.map_err(|cause| self.stop_with(&mut progress, &cause))?;
        // A write that failed meanwhile stopped the journal, but what was synced is durable.
        progress.durable = progress.durable.max(appended);
        progress.synced = progress.synced.max(written);
        drop(progress);
        // Readers beside this writer are told before whoever waits is.
        if let Some(tail) = tail {
            self.prove(tail);
        }
        self.moved.notify_all();
        Ok(self.progress())
    }

    /// Writes down what is durable, unless a frame says so already.
    fn prove(&self, mut tail: MutexGuard<'_, Tail>) {
        let (durable, last) = (self.progress().durable, tail.last);
        if tail.proved < durable && !tail.sealed {
            // A failure stops the journal. What was synced stays durable.
            drop(self.write((&mut tail, &mut Vec::new()), Kind::Proof, last, NOTHING));
        }
    }

    /// Writes down that a manifest is the newest; durable after [`Journal::settle_records`].
    pub(crate) fn record(&self, manifest: Recorded) -> Result<()> {
        let stored = &manifest.encode();
        let payload = Packed { codec: Codec::None.id(), raw_bytes: stored.len(), stored };
        let mut tail = self.tail();
        let last = tail.last;
        self.write((&mut tail, &mut Vec::new()), Kind::Manifest, last, payload)?;
        tail.record_end = tail.offset;
        Ok(())
    }

    /// Returns when every manifest recorded so far is durably so.
    pub(crate) fn settle_records(&self) -> Result<()> {
        let end = self.tail().record_end;
        self.wait_for(|progress| progress.synced >= end)
    }

    /// Closes the archive's journal in order: everything appended is durable and says so. Nothing
    /// may follow.
    pub(crate) fn close(&self) -> Result<()> {
        self.end(Kind::Closed)
    }

    /// Goes on in the next file: that is durable first, then this one says so and is closed.
    pub(crate) fn go_on(
        &self,
        storage: &dyn Storage,
        nonce: [u8; 16],
        manifest: Recorded,
    ) -> Result<Self> {
        let tail = self.settled()?;
        let (last, chain) = (tail.last, tail.chain);
        drop(tail);
        let (number, base) = (self.header.number + 1, self.header.base.max(last));
        let archive = self.header.archive;
        let header = FileHeader { archive, nonce, number, last, chain, base, manifest };
        let next = Self::start(storage, header)?;
        self.end(Kind::GoesOn)?;
        Ok(next)
    }

    fn end(&self, kind: Kind) -> Result<()> {
        let mut tail = self.settled()?;
        let last = tail.last;
        self.write((&mut tail, &mut Vec::new()), kind, last, NOTHING)?;
        let end = tail.offset;
        drop(tail);
        self.wait_for(|progress| progress.synced >= end)
    }

    /// Waits until all that was written is durable, so that an end frame proves what is before it.
    fn settled(&self) -> Result<MutexGuard<'_, Tail>> {
        loop {
            let tail = self.tail();
            let end = tail.offset;
            if self.healthy()?.synced >= end {
                return Ok(tail);
            }
            drop(tail);
            self.wait_for(|progress| progress.synced >= end)?;
        }
    }

    /// The last durable commit.
    pub(crate) fn acknowledged(&self) -> Sequence {
        self.progress().durable
    }

    /// What the numbers of this file's new commits go on behind.
    pub(crate) fn base(&self) -> Sequence {
        self.header.base
    }

    /// The chain value behind the last commit.
    #[cfg(test)]
    pub(crate) fn chain(&self) -> Chain {
        self.tail().chain
    }

    /// The file's number.
    pub(crate) fn number(&self) -> u64 {
        self.header.number
    }

    /// Bytes used, without the zeros written ahead.
    pub(crate) fn bytes(&self) -> u64 {
        self.tail().offset
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn healthy(&self) -> Result<MutexGuard<'_, Progress>> {
        let progress = self.progress();
        match &progress.failed {
            Some(why) => Err(self.stopped(why)),
            None => Ok(progress),
        }
    }

    /// Stops the journal for ever: after a failed write or sync nobody knows what the disk has.
    fn stop(&self, cause: &std::io::Error) -> Error {
        self.stop_with(&mut self.progress(), cause)
    }

    fn stop_with(&self, progress: &mut Progress, cause: &std::io::Error) -> Error {
        self.moved.notify_all();
        let why = || (cause.kind(), cause.to_string());
        if planted!("go on after a failed sync") {
            return self.stopped(&why());
        }
        self.stopped(progress.failed.get_or_insert_with(why))
    }

    fn stopped(&self, (kind, why): &(std::io::ErrorKind, String)) -> Error {
        let cause = std::io::Error::new(*kind, why.clone());
        let failed = Error::io("write or sync", &self.path, cause);
        Error::new(ErrorKind::Stopped, "the journal cannot be written any more").caused_by(failed)
    }
}

/// Adds zeros behind a small frame at an offset of a long file; gives how many.
fn write_ahead(frame: &mut Vec<u8>, offset: u64) -> u64 {
    if offset < AHEAD_FROM_BYTES || frame.len() >= LARGE_FRAME_BYTES {
        return 0;
    }
    let zeros = (offset / 4).min(MAX_AHEAD_BYTES);
    frame.resize(frame.len() + usize::try_from(zeros).unwrap_or(0), 0);
    zeros
}

/// A commit that was read whole but is not known to be durable, and what is before it.
#[derive(Clone, Copy, Debug)]
struct Unproven {
    header: frames::FrameHeader,
    last: Sequence,
    chain: Chain,
}

/// Steps over everything durable, and over the first commit that is not.
fn skip_durable(walk: &mut Walk, durable: Sequence) -> Result<Unproven> {
    loop {
        let (last, chain) = (walk.last, walk.chain);
        match walk.step()? {
            Step::Commit(header) if header.sequence > durable => {
                return Ok(Unproven { header, last, chain });
            }
            Step::Commit(_) | Step::Aside => {}
            Step::Closed | Step::GoesOn | Step::Bad => return Err(changed(walk)),
        }
    }
}

fn changed(walk: &Walk) -> Error {
    walk.corrupt("journal changed since it was recovered")
}

/// Compresses a payload unless that does not pay.
fn pack<'a>(
    codec: &mut zstd::bulk::Compressor<'_>,
    payload: &'a [u8],
    out: &'a mut Vec<u8>,
) -> (Codec, &'a [u8]) {
    out.clear();
    out.reserve(zstd::zstd_safe::compress_bound(payload.len()));
    if payload.len() < MIN_PACKED_BYTES {
        return (Codec::None, payload);
    }
    match codec.compress_to_buffer(payload, out) {
        Ok(bytes) if bytes < payload.len() => {
            limits::pad(out, payload.len());
            (Codec::Zstd, out)
        }
        _ => (Codec::None, payload),
    }
}
