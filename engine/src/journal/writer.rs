//! Writing one journal file: appending, sharing syncs, stopping for ever after a failure.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::frames::{self, Chain, FILE_HEADER_BYTES, FileHeader, Kind, Packed, Place};
use super::recover::Recovery;
use super::walk::{Step, Walk};
use crate::error::{Error, ErrorKind, Result};
use crate::format::frame::{Codec, MAX_RAW_BYTES};
use crate::format::names;
use crate::storage::{Storage, WriteFile, whole};
use crate::types::Sequence;

/// Zeros written ahead of small frames: a sync that need not grow the file takes half the time.
pub(super) const AHEAD_BYTES: u64 = 1 << 20;
/// Frames from this size on grow the file themselves; zeros would only be written twice.
const LARGE_FRAME_BYTES: usize = 256 << 10;
/// Buffers keep at most this between commits.
const KEPT_BYTES: usize = 4 << 20;
/// Payloads below this are stored as they are.
const MIN_PACKED_BYTES: usize = 64;
const ZSTD_LEVEL: i32 = 1;

/// One journal file that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Box<dyn WriteFile>,
    header: FileHeader,
    path: String,
    /// Held over building and writing a frame. Always taken before `progress`, never while it is
    /// held, so that appending goes on while a sync runs.
    tail: Mutex<Tail>,
    /// What is written and durable. Never held over a write or sync.
    progress: Mutex<Progress>,
    /// Signalled when `progress` gets further, or will never.
    moved: Condvar,
}

struct Tail {
    offset: u64,
    /// The file's length: zeros from `offset` to here.
    allocated: u64,
    chain: Chain,
    last: Sequence,
    sealed: bool,
    codec: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
    frame: Vec<u8>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail")
            .field("offset", &self.offset)
            .field("last", &self.last)
            .field("sealed", &self.sealed)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Progress {
    appended: Sequence,
    durable: Sequence,
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
        archive: [u8; 16],
        nonce: [u8; 16],
        recovery: &Recovery,
    ) -> Result<Self> {
        let number = recovery.highest + 1;
        if !recovery.unproven {
            let (last, chain) = (recovery.last, recovery.chain);
            return Self::start(storage, FileHeader { archive, nonce, number, last, chain });
        }
        let mut walk = Walk::open(storage, archive, recovery.highest)?;
        let first = skip_durable(&mut walk, recovery.acknowledged)?;
        let header = FileHeader { archive, nonce, number, last: first.last, chain: first.chain };
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
        whole::need_free(storage, &path)?;
        whole::discard(storage, &temporary)?;
        let created = storage.create(&temporary);
        let created = created.map_err(|cause| Error::io("create", &path, cause))?;
        let journal = Self::around(created, header, path)?;
        journal.file.write_at(0, &header.encode()).map_err(|cause| journal.stop(&cause))?;
        fill(&journal)?;
        journal.file.sync().map_err(|cause| journal.stop(&cause))?;
        whole::publish(storage, &temporary, &journal.path)?;
        let mut progress = journal.progress();
        progress.durable = progress.appended;
        drop(progress);
        Ok(journal)
    }

    fn around(file: Box<dyn WriteFile>, header: FileHeader, path: String) -> Result<Self> {
        let codec = zstd::bulk::Compressor::new(ZSTD_LEVEL)
            .map_err(|cause| Error::io("start compressing", &path, cause))?;
        let tail = Tail {
            offset: FILE_HEADER_BYTES as u64,
            allocated: FILE_HEADER_BYTES as u64,
            chain: header.chain,
            last: header.last,
            sealed: false,
            codec,
            packed: Vec::new(),
            frame: Vec::new(),
        };
        let (appended, durable) = (header.last, header.last);
        let progress = Progress { appended, durable, syncing: false, failed: None };
        let (tail, progress) = (Mutex::new(tail), Mutex::new(progress));
        Ok(Self { file, header, path, tail, progress, moved: Condvar::new() })
    }

    /// Writes a commit; it is durable only after [`Journal::wait`]. Gives the chain value behind it.
    ///
    /// Sequences ascend strictly. Any failure stops the journal for ever.
    pub(crate) fn append(&self, sequence: Sequence, payload: &[u8]) -> Result<Chain> {
        if payload.len() > MAX_RAW_BYTES {
            let message = format!("a commit of {} bytes is over {MAX_RAW_BYTES}", payload.len());
            return Err(Error::invalid(message));
        }
        let mut tail = self.tail();
        let mut packed = std::mem::take(&mut tail.packed);
        let (codec, stored) = pack(&mut tail.codec, payload, &mut packed);
        let payload = Packed { codec: codec.id(), raw_bytes: payload.len(), stored };
        let written = self.write(&mut tail, Kind::Commit, sequence, payload);
        packed.clear();
        packed.shrink_to(KEPT_BYTES);
        tail.packed = packed;
        written.map(|()| tail.chain)
    }

    fn write(&self, tail: &mut Tail, kind: Kind, at: Sequence, payload: Packed<'_>) -> Result<()> {
        assert!(!tail.sealed, "nothing follows the closing frame");
        assert!(kind == Kind::End || at > tail.last, "sequences ascend");
        let acknowledged = self.healthy()?.durable;
        let place = Place { kind, sequence: at, acknowledged, chain: tail.chain };
        tail.frame.clear();
        let chain = frames::put(&mut tail.frame, &self.header.nonce, place, payload);
        let end = tail.offset + tail.frame.len() as u64;
        if end > tail.allocated {
            // Nothing follows the closing frame, so nothing is written ahead for it.
            tail.allocated = end + if kind == Kind::End { 0 } else { tail.write_ahead() };
        }
        self.file.write_at(tail.offset, &tail.frame).map_err(|cause| self.stop(&cause))?;
        tail.offset = end;
        tail.frame.clear();
        tail.frame.shrink_to(KEPT_BYTES);
        if kind == Kind::Commit {
            (tail.chain, tail.last) = (chain, at);
            self.healthy()?.appended = at;
        }
        Ok(())
    }

    /// Writes again what a walk still has, beginning with the commit it stands behind.
    fn copy(&self, walk: &mut Walk, first: Unproven) -> Result<()> {
        let mut tail = self.tail();
        let mut next = Step::Commit(first.header);
        while let Step::Commit(header) = next {
            let payload = walk.packed(&header)?;
            self.write(&mut tail, Kind::Commit, header.sequence, payload)?;
            next = walk.step()?;
        }
        Ok(())
    }

    /// Returns when the commit is durable. Callers that wait together share one sync.
    pub(crate) fn wait(&self, sequence: Sequence) -> Result<()> {
        let mut progress = self.progress();
        assert!(sequence <= progress.appended, "only what was appended can become durable");
        loop {
            if progress.durable >= sequence {
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
        let target = progress.appended;
        progress.syncing = true;
        drop(progress);
        let synced = self.file.sync();
        let mut progress = self.progress();
        progress.syncing = false;
        // Stopped under the same lock: a waiter in between would sync again, and a system that
        // forgets failed writes would tell it that all is well.
        synced.map_err(|cause| self.stop_with(&mut progress, &cause))?;
        // A write that failed meanwhile stopped the journal, but what was synced is durable.
        progress.durable = progress.durable.max(target);
        self.moved.notify_all();
        Ok(progress)
    }

    /// Closes the file in order: everything appended is durable and says so. Nothing may follow.
    pub(crate) fn seal(&self) -> Result<()> {
        let mut tail = self.tail();
        let last = tail.last;
        self.wait(last)?;
        let empty = Packed { codec: Codec::None.id(), raw_bytes: 0, stored: &[] };
        self.write(&mut tail, Kind::End, last, empty)?;
        tail.sealed = true;
        self.file.sync().map_err(|cause| self.stop(&cause))
    }

    /// The last durable commit.
    pub(crate) fn acknowledged(&self) -> Sequence {
        self.progress().durable
    }

    /// The chain value that the next file goes on behind.
    pub(crate) fn chain(&self) -> Chain {
        self.tail().chain
    }

    /// The file's number.
    pub(crate) fn number(&self) -> u64 {
        self.header.number
    }

    /// Bytes used, without the zeros written ahead.
    #[cfg(test)]
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
        self.stopped(progress.failed.get_or_insert_with(why))
    }

    fn stopped(&self, (kind, why): &(std::io::ErrorKind, String)) -> Error {
        let cause = std::io::Error::new(*kind, why.clone());
        let failed = Error::io("write or sync", &self.path, cause);
        Error::new(ErrorKind::Stopped, "the journal cannot be written any more").caused_by(failed)
    }
}

impl Tail {
    /// Adds zeros behind a small frame; gives how many.
    fn write_ahead(&mut self) -> u64 {
        if self.frame.len() >= LARGE_FRAME_BYTES {
            return 0;
        }
        let zeros = usize::try_from(AHEAD_BYTES).unwrap_or(0);
        self.frame.resize(self.frame.len() + zeros, 0);
        AHEAD_BYTES
    }
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
            Step::Commit(_) => {}
            Step::End | Step::Bad => return Err(changed(walk)),
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
        Ok(bytes) if bytes < payload.len() => (Codec::Zstd, out),
        _ => (Codec::None, payload),
    }
}
