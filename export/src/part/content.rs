//! Contents of members, made ready: deflated or not, with a size that is known or has a bound.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use chatvault_base::threads::{Jobs, Promise};
use chatvault_engine::{ReadFile, Storage};

use super::file::Spool;
use super::group::Slot;
use crate::digest::{Hash, Sha256, hex, sha256};
use crate::error::{Error, Result};
use crate::zip::deflate::{CHUNK_BYTES, ChunkPlace, Inflater, LAST_BLOCK, chunk};
use crate::zip::read::Section;
use crate::zip::{Method, is_compressed};

/// Deflated bytes that stay in memory before they go to a spool file.
pub(super) const MEMORY_BYTES: usize = 8 << 20;
/// A stream whose first so many bytes do not shrink is stored without trying the rest.
const TRIAL_BYTES: u64 = 1 << 20;
/// A text so small is deflated where it is: handing it to a thread would cost more.
const HANDED_OVER_BYTES: usize = 512;

/// What is in a member.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Bytes at hand.
    Bytes(Vec<u8>),
    /// Bytes that are made ready already.
    Pressed(Pressed),
    /// Bytes to be read when there is a place for them.
    Stream(Stream<'a>),
}

/// Bytes that were deflated and hashed where they were made.
#[derive(Debug)]
pub(crate) struct Pressed {
    pub(super) level: u32,
    pub(super) slot: Box<Slot<'static>>,
}

impl Content<'_> {
    /// Its length.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pressed(pressed) => pressed.slot.raw,
            Self::Stream(stream) => stream.bytes,
        }
    }
}

/// Opens a content; called more than once, it gives the same bytes from their start.
pub(crate) type Open<'a> = Box<dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + 'a>;

/// A content that is read when it is needed, never held as a whole.
pub(crate) struct Stream<'a> {
    /// Its length; a reader that gives fewer or more is an error.
    pub bytes: u64,
    /// Its SHA-256, if that is known; other bytes are an error.
    pub sha256: Option<Hash>,
    /// Opens it.
    pub open: Open<'a>,
}

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.sha256.map(|hash| hex(&hash));
        f.debug_struct("Stream").field("bytes", &self.bytes).field("sha256", &hash).finish()
    }
}

/// Checksum and hash of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) crc: u32,
    pub(super) sha256: Hash,
}

/// A content with its final size.
#[derive(Debug)]
pub(super) struct Packed<'a> {
    pub(super) method: Method,
    pub(super) bytes: u64,
    /// `None`: found out while it is written.
    pub(super) sums: Option<Sums>,
    pub(super) body: Body<'a>,
}

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Body<'a> {
    Bytes(Vec<u8>),
    Spool(Spool),
    Stream(Stream<'a>),
    /// With whoever places the content: it is a slice of a larger one.
    Elsewhere,
}

/// A content that is being made ready.
#[derive(Debug)]
pub(super) enum Ready<'a> {
    Soon(Promise<Packed<'static>>),
    Now(Packed<'a>),
}

/// What contents are made ready with.
#[derive(Debug)]
pub(super) struct Press<'s> {
    pub(super) storage: &'s Arc<dyn Storage>,
    pub(super) jobs: &'s Jobs,
    pub(super) level: u32,
    /// The name of the next spool.
    pub(super) spool: String,
}

impl Press<'_> {
    /// Makes a content ready: texts on another thread, streams here.
    pub(super) fn ready<'a>(self, path: &str, content: Content<'a>) -> Result<Ready<'a>> {
        let store = is_compressed(path);
        match content {
            Content::Bytes(raw) => Ok(self.bytes(raw, store)),
            Content::Pressed(pressed) if pressed.level == self.level => Ok(pressed.slot.content),
            Content::Pressed(_) => Err(Error::Order("a content was deflated at another level")),
            Content::Stream(stream) if store => Ok(Ready::Now(as_is(stream, None))),
            Content::Stream(stream) => self.stream(path, stream).map(Ready::Now),
        }
    }

    fn bytes(&self, raw: Vec<u8>, store: bool) -> Ready<'static> {
        let level = self.level;
        if raw.len() < HANDED_OVER_BYTES {
            return Ready::Now(pack(raw, level, store));
        }
        Ready::Soon(self.jobs.promise(move || pack(raw, level, store)))
    }

    /// Deflates a stream chunk by chunk: the first pass, which tells its size.
    fn stream<'a>(self, path: &str, stream: Stream<'a>) -> Result<Packed<'a>> {
        let mut reader = (stream.open)().map_err(Error::content(path))?;
        let mut meter = Meter::default();
        let mut out = Store::new(self.storage, self.spool);
        let mut buffer = Vec::with_capacity(CHUNK_BYTES);
        loop {
            buffer.clear();
            let read = reader.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut buffer);
            if read.map_err(Error::content(path))? == 0 {
                break;
            }
            meter.update(&buffer);
            out.append(&chunk(&buffer, self.level, ChunkPlace::Inside))?;
            if meter.bytes >= TRIAL_BYTES && out.bytes() >= meter.bytes / 64 * 63 {
                return Ok(as_is(stream, None));
            }
        }
        out.append(&LAST_BLOCK)?;
        let sums = meter.finish(path, &stream)?;
        if out.bytes() >= stream.bytes {
            return Ok(as_is(stream, Some(sums)));
        }
        let (bytes, body) = out.into_body()?;
        Ok(Packed { method: Method::Deflated, bytes, sums: Some(sums), body })
    }
}

fn as_is(stream: Stream<'_>, sums: Option<Sums>) -> Packed<'_> {
    Packed { method: Method::Stored, bytes: stream.bytes, sums, body: Body::Stream(stream) }
}

/// Bytes as they become a member: deflated if that makes them smaller.
pub(super) fn pack(raw: Vec<u8>, level: u32, store: bool) -> Packed<'static> {
    let sums = Some(Sums { crc: crc32fast::hash(&raw), sha256: sha256(&raw) });
    if !store && !raw.is_empty() {
        let mut deflated = Vec::new();
        let mut chunks = raw.chunks(CHUNK_BYTES).peekable();
        while let Some(next) = chunks.next() {
            let place = if chunks.peek().is_some() { ChunkPlace::Inside } else { ChunkPlace::Last };
            deflated.extend_from_slice(&chunk(next, level, place));
        }
        if deflated.len() < raw.len() {
            let bytes = deflated.len() as u64;
            return Packed { method: Method::Deflated, bytes, sums, body: Body::Bytes(deflated) };
        }
    }
    let bytes = raw.len() as u64;
    Packed { method: Method::Stored, bytes, sums, body: Body::Bytes(raw) }
}

impl Packed<'_> {
    /// The bytes as they lie in the part.
    pub(super) fn packed(&self, path: &str) -> Result<Reader<'_>> {
        Ok(match &self.body {
            Body::Bytes(bytes) => Reader::Bytes(bytes),
            Body::Spool(spool) => Reader::Spool { file: spool.open()?, at: 0, end: spool.bytes() },
            Body::Stream(stream) => Reader::Stream((stream.open)().map_err(Error::content(path))?),
            Body::Elsewhere => Reader::Bytes(&[]),
        })
    }

    /// The content's own bytes.
    pub(super) fn raw(&self, path: &str) -> Result<Box<dyn Read + '_>> {
        let packed = self.packed(path)?;
        Ok(match self.method {
            Method::Stored => Box::new(packed),
            Method::Deflated => Box::new(Inflater::new(packed)),
        })
    }

    /// What the content must hash to, if somebody knows.
    pub(super) fn sha256(&self) -> Option<Hash> {
        let promised = match &self.body {
            Body::Stream(stream) => stream.sha256,
            _ => None,
        };
        self.sums.map(|sums| sums.sha256).or(promised)
    }
}

/// Reads a content from wherever it is.
pub(super) enum Reader<'a> {
    Bytes(&'a [u8]),
    Spool { file: Arc<dyn ReadFile>, at: u64, end: u64 },
    Stream(Box<dyn Read + Send>),
}

impl Read for Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(out),
            Self::Stream(stream) => stream.read(out),
            Self::Spool { file, at, end } => {
                let read = Section::new(file, *at, *end - *at).read(out)?;
                *at += read as u64;
                Ok(read)
            }
        }
    }
}

/// Counts and hashes what passes.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) bytes: u64,
    crc: crc32fast::Hasher,
    sha256: Sha256,
}

impl Meter {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.crc.update(bytes);
        self.sha256.update(bytes);
    }

    /// The sums of all bytes, if they are as many as were announced and hash to what was.
    pub(super) fn finish(self, path: &str, announced: &Stream<'_>) -> Result<Sums> {
        self.check(path, announced.bytes, announced.sha256)
    }

    /// As [`Meter::finish`], for what is no stream.
    pub(super) fn check(self, path: &str, bytes: u64, expected: Option<Hash>) -> Result<Sums> {
        let problem = |problem| Err(Error::OtherContent { path: path.to_owned(), problem });
        if self.bytes != bytes {
            return problem(format!("has {} bytes, not {bytes} as announced", self.bytes));
        }
        let sha256 = self.sha256.finish();
        match expected {
            Some(expected) if expected != sha256 => {
                problem(format!("has SHA-256 {}, not {}", hex(&sha256), hex(&expected)))
            }
            _ => Ok(Sums { crc: self.crc.finalize(), sha256 }),
        }
    }
}

/// Deflated bytes on their way to a part: in memory while they are few.
#[derive(Debug)]
pub(super) struct Store {
    storage: Arc<dyn Storage>,
    spool_path: String,
    spool: Option<Spool>,
    memory: Vec<u8>,
}

impl Store {
    pub(super) fn new(storage: &Arc<dyn Storage>, spool_path: String) -> Self {
        Self { storage: Arc::clone(storage), spool_path, spool: None, memory: Vec::new() }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::bytes) + self.memory.len() as u64
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.memory.extend_from_slice(bytes);
        if self.memory.len() >= MEMORY_BYTES { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none => none.insert(Spool::create(&self.storage, self.spool_path.clone())?),
        };
        spool.append(&self.memory)?;
        self.memory.clear();
        Ok(())
    }

    /// Everything, and how much it is.
    pub(super) fn into_body(mut self) -> Result<(u64, Body<'static>)> {
        if self.spool.is_some() && !self.memory.is_empty() {
            self.spill()?;
        }
        let bytes = self.bytes();
        let body = self.spool.map_or(Body::Bytes(self.memory), Body::Spool);
        Ok((bytes, body))
    }
}
