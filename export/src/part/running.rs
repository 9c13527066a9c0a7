//! A file of records while it grows: deflated chunk by chunk, its size known or bounded at any time.

use std::collections::VecDeque;
use std::sync::Arc;

use chatvault_base::threads::{Jobs, Promise};

use super::accounts::{Listed, Load};
use super::content::{Packed, Ready, Store, Sums};
use super::file::LaneHash;
use super::group::{RecordFile, Slot};
use crate::error::Result;
use crate::manifest::more_digits;
use crate::name;
use crate::zip::deflate::{CHUNK_BYTES, ChunkPlace, LAST_BLOCK, chunk, stored_bytes};
use crate::zip::{Method, member_bytes};

/// A chunk of records, deflated.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    raw: Arc<Vec<u8>>,
    crc: crc32fast::Hasher,
}

impl Chunk {
    pub(super) fn new(raw: Arc<Vec<u8>>, level: u32) -> Self {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&raw);
        Self { bytes: chunk(&raw, level, ChunkPlace::Inside), raw, crc }
    }
}

/// A file of records in the part that is being written.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) file: Arc<RecordFile>,
    pub(super) number: u32,
    path: String,
    /// What an empty one adds to the lists.
    listed: Listed,
    /// All records' bytes, and the header's.
    raw: u64,
    /// Records that are not deflated yet.
    pending: Vec<u8>,
    /// Chunks that are being deflated, and how large they can become.
    flying: VecDeque<(Promise<Chunk>, u64)>,
    flying_bytes: u64,
    crc: crc32fast::Hasher,
    sha256: LaneHash,
    store: Store,
}

/// The path of the `number`th file.
pub(super) fn numbered(file: &RecordFile, number: u32) -> String {
    match number {
        0 | 1 => file.path.clone(),
        _ => name::with_mark(&file.path, &format!("_{number:03}")),
    }
}

impl Running {
    /// An empty one; the caller adds the header with the first record.
    pub(super) fn new(file: Arc<RecordFile>, number: u32, sha256: LaneHash, store: Store) -> Self {
        let path = numbered(&file, number);
        let listed = Listed::plain(&path);
        Self {
            file,
            number,
            path,
            listed,
            raw: 0,
            pending: Vec::new(),
            flying: VecDeque::new(),
            flying_bytes: 0,
            crc: crc32fast::Hasher::new(),
            sha256,
            store,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What it costs with so many more bytes of records: at most, and exactly once
    /// everything is deflated.
    pub(super) fn load_with(&self, more: usize) -> Load {
        let packed = self.deflated_bytes() + stored_bytes(self.pending.len() + more);
        load(&self.path, self.listed, self.raw + more as u64, packed)
    }

    /// What it costs with one more chunk.
    pub(super) fn load_with_chunk(&self, chunk: &Chunk) -> Load {
        let packed = self.deflated_bytes() + stored_bytes(self.pending.len());
        let raw = self.raw + chunk.raw.len() as u64;
        load(&self.path, self.listed, raw, packed + chunk.bytes.len() as u64)
    }

    fn deflated_bytes(&self) -> u64 {
        self.store.bytes() + self.flying_bytes
    }

    /// Adds a record. Chunks end where the records that are waiting have become many.
    pub(super) fn add(&mut self, record: &[u8], jobs: &Jobs, level: u32) -> Result<()> {
        self.raw += record.len() as u64;
        self.pending.extend_from_slice(record);
        if self.pending.len() >= CHUNK_BYTES { self.launch(jobs, level) } else { Ok(()) }
    }

    fn launch(&mut self, jobs: &Jobs, level: u32) -> Result<()> {
        let room = Vec::with_capacity(self.pending.len());
        let raw = Arc::new(std::mem::replace(&mut self.pending, room));
        let most = stored_bytes(raw.len());
        self.flying.push_back((jobs.promise(move || Chunk::new(raw, level)), most));
        self.flying_bytes += most;
        while self.flying.len() > 2 * jobs.threads() {
            self.land()?;
        }
        Ok(())
    }

    /// Takes in the oldest chunk that is being deflated.
    fn land(&mut self) -> Result<()> {
        let Some((promise, most)) = self.flying.pop_front() else { return Ok(()) };
        let chunk = promise.wait()?;
        self.flying_bytes -= most;
        self.take_in(chunk)
    }

    fn take_in(&mut self, chunk: Chunk) -> Result<()> {
        self.store.append(&chunk.bytes)?;
        self.crc.combine(&chunk.crc);
        self.sha256.update(chunk.raw);
        Ok(())
    }

    /// Waits until the sizes of all whole chunks are exact.
    pub(super) fn settle(&mut self) -> Result<()> {
        while !self.flying.is_empty() {
            self.land()?;
        }
        Ok(())
    }

    /// Makes everything exact, by ending the chunk that is not whole.
    pub(super) fn end_chunk(&mut self, jobs: &Jobs, level: u32) -> Result<()> {
        if !self.pending.is_empty() {
            self.launch(jobs, level)?;
        }
        self.settle()
    }

    /// Adds a record that is deflated already, behind [`Running::end_chunk`].
    pub(super) fn add_chunk(&mut self, chunk: Chunk) -> Result<()> {
        self.raw += chunk.raw.len() as u64;
        self.take_in(chunk)
    }

    /// The finished file.
    pub(super) fn into_slot(mut self, jobs: &Jobs, level: u32) -> Result<Slot<'static>> {
        self.end_chunk(jobs, level)?;
        self.store.append(&LAST_BLOCK)?;
        let sums = Sums { crc: self.crc.finalize(), sha256: self.sha256.finish().wait()? };
        let (bytes, body) = self.store.into_body()?;
        let packed = Packed { method: Method::Deflated, bytes, sums: Some(sums), body };
        Slot::new(self.path, None, self.raw, Ready::Now(packed))
    }
}

/// What a file of records costs that has these deflated bytes, if an empty one adds `listed`.
fn load(path: &str, listed: Listed, raw: u64, packed: u64) -> Load {
    let container = member_bytes(path, packed + LAST_BLOCK.len() as u64);
    Load::one(container, Listed { manifest: listed.manifest + more_digits(raw), ..listed })
}

/// What a file of records costs that is not there yet, with at most these deflated bytes.
pub(super) fn new_load(path: &str, raw: u64, packed: u64) -> Load {
    load(path, Listed::plain(path), raw, packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_go_on_are_numbered_before_their_extension() {
        let name = |path: &str, number| {
            numbered(&RecordFile { path: path.to_owned(), header: Vec::new() }, number)
        };
        assert_eq!(name("chat.v2/messages.csv", 1), "chat.v2/messages.csv");
        assert_eq!(name("chat.v2/messages.csv", 2), "chat.v2/messages_002.csv");
        assert_eq!(name("chat.v2/messages", 1234), "chat.v2/messages_1234");
    }
}
