//! What a renderer gives back: named files, whose length is known before large contents are read.
//!
//! A [`Content`] is bytes, an object as it is, or a row of [`Span`]s: bytes and objects in base64.
//! Base64 in lines has an exactly computable length, so a mail with a gigabyte attached needs no
//! memory, and the part writer still knows what it will cost.
//!
//! Always holds: what [`Content::open`] gives has exactly [`Content::size`] bytes, or ends in an
//! error.

use std::fmt;
use std::io::{self, Read};
use std::slice;
use std::sync::Arc;
use std::vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatvault_engine::ContentAddress;

/// The bytes of attachments.
pub trait Objects: Sync {
    /// Streams an object from its start.
    fn read(&self, address: &ContentAddress) -> io::Result<Box<dyn Read + Send>>;
}

/// A file of a part.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its path in the part, with `/` between folders.
    pub name: String,
    /// Its bytes.
    pub content: Content,
    /// How many messages are in it that were in none before: a transcript's file tells with it whose
    /// attachments belong beside it.
    pub messages: u64,
}

/// The bytes of a [`Piece`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// In memory.
    Bytes(Vec<u8>),
    /// An object as it is.
    Object {
        /// Where [`Objects`] finds it.
        address: ContentAddress,
        /// How many bytes it has.
        size: u64,
    },
    /// One behind the other.
    Spans(Vec<Span>),
}

/// A stretch of a [`Content`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Span {
    /// In memory.
    Bytes(Vec<u8>),
    /// An object in base64, in lines of 76 characters, the last of them ended too.
    Base64 {
        /// Where [`Objects`] finds it.
        address: ContentAddress,
        /// How many bytes it has, before base64.
        size: u64,
        /// What its lines end in.
        end: LineEnd,
    },
    /// Bytes and objects, one behind the other, in base64 as one, in lines ended by CRLF.
    Base64Row(Vec<Stretch>),
}

/// A part of what [`Span::Base64Row`] encodes as one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// In memory.
    Bytes(Vec<u8>),
    /// An object as it is.
    Object {
        /// Where [`Objects`] finds it.
        address: ContentAddress,
        /// How many bytes it has.
        size: u64,
    },
}

/// What lines end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// As in mails.
    Crlf,
    /// As in mailbox files.
    Lf,
}

impl LineEnd {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Crlf => b"\r\n",
            Self::Lf => b"\n",
        }
    }
}

/// Bytes in a full line of base64.
const LINE_BYTES: usize = 57;
/// Characters in a full line of base64, without its end.
const LINE_CHARS: usize = 76;
/// What is read of an object at a time: whole lines, 32 KiB or so.
const CHUNK_BYTES: usize = LINE_BYTES * 576;

impl Content {
    /// How many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Object { size, .. } => *size,
            Self::Spans(spans) => spans.iter().map(Span::size).fold(0, u64::saturating_add),
        }
    }

    /// Are all of its bytes in memory?
    pub(crate) fn is_at_hand(&self) -> bool {
        let is_bytes = |stretch: &Stretch| matches!(stretch, Stretch::Bytes(_));
        match self {
            Self::Bytes(_) => true,
            Self::Object { .. } => false,
            Self::Spans(spans) => spans.iter().all(|span| match span {
                Span::Bytes(_) => true,
                Span::Base64 { .. } => false,
                Span::Base64Row(row) => row.iter().all(is_bytes),
            }),
        }
    }

    /// Reads all of it from its start; opened again, it gives the same bytes.
    pub(crate) fn open<'o>(
        &'o self,
        objects: &'o dyn Objects,
    ) -> io::Result<Box<dyn Read + Send + 'o>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::Object { address, size } => Box::new(Exact::open(objects, address, *size)?),
            Self::Spans(spans) => Box::new(Row { objects, left: spans.iter(), current: None }),
        })
    }

    /// Reads all of it from its start, for as long as the reader lives.
    pub(crate) fn open_unbound(
        &self,
        objects: &Arc<dyn Objects + Send>,
    ) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(io::Cursor::new(bytes.clone())),
            Self::Object { address, size } => Box::new(Exact::open(&**objects, address, *size)?),
            Self::Spans(spans) => Box::new(Chain::of(spans.clone(), objects)),
        })
    }

    /// All of it in memory: for small contents and tests.
    pub(crate) fn to_vec(&self, objects: &dyn Objects) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let _length = self.open(objects)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Span {
    /// How many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Base64 { size, end, .. } => base64_size(*size, *end),
            Self::Base64Row(row) => {
                let size = row.iter().map(Stretch::size).fold(0, u64::saturating_add);
                base64_size(size, LineEnd::Crlf)
            }
        }
    }
}

/// What can stand in a row.
trait Opens {
    fn open<'o>(&'o self, objects: &'o dyn Objects) -> io::Result<Box<dyn Read + Send + 'o>>;
}

impl Opens for Stretch {
    fn open<'o>(&'o self, objects: &'o dyn Objects) -> io::Result<Box<dyn Read + Send + 'o>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::Object { address, size } => Box::new(Exact::open(objects, address, *size)?),
        })
    }
}

impl Opens for Span {
    fn open<'o>(&'o self, objects: &'o dyn Objects) -> io::Result<Box<dyn Read + Send + 'o>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::Base64 { address, size, end } => {
                Box::new(Lines::of(Box::new(Exact::open(objects, address, *size)?), *end))
            }
            Self::Base64Row(row) => {
                let row = Row { objects, left: row.iter(), current: None };
                Box::new(Lines::of(Box::new(row), LineEnd::Crlf))
            }
        })
    }
}

impl Stretch {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Object { size, .. } => *size,
        }
    }
}

/// How long `size` bytes are in base64 with its line ends. Saturates: no file is that long.
pub(crate) fn base64_size(size: u64, end: LineEnd) -> u64 {
    let characters = size.div_ceil(3).saturating_mul(4);
    let lines = characters.div_ceil(LINE_CHARS as u64);
    characters.saturating_add(lines.saturating_mul(end.bytes().len() as u64))
}

/// Appends bytes as base64 in lines of 76 characters, the last of them ended too.
pub(crate) fn base64_lines(bytes: &[u8], end: LineEnd, out: &mut Vec<u8>) {
    let mut line = [0; LINE_CHARS];
    for chunk in bytes.chunks(LINE_BYTES) {
        // A chunk of at most 57 bytes always fits: it needs at most 76 characters.
        let length = STANDARD.encode_slice(chunk, &mut line).unwrap_or_default();
        out.extend_from_slice(line.get(..length).unwrap_or_default());
        out.extend_from_slice(end.bytes());
    }
}

/// Spans, one behind the other. An object is opened when its turn comes.
struct Row<'o, T> {
    objects: &'o dyn Objects,
    left: slice::Iter<'o, T>,
    current: Option<Box<dyn Read + Send + 'o>>,
}

impl<T: Opens> Read for Row<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(current) = &mut self.current {
                let length = current.read(buffer)?;
                if length > 0 || buffer.is_empty() {
                    return Ok(length);
                }
            }
            let Some(next) = self.left.next() else { return Ok(0) };
            self.current = Some(next.open(self.objects)?);
        }
    }
}

/// A content that is read without being borrowed: spans, one behind the other.
struct Chain<T> {
    objects: Arc<dyn Objects + Send>,
    left: vec::IntoIter<T>,
    current: Option<Box<dyn Read + Send>>,
}

/// What can stand in a [`Chain`].
trait Unbound: Sized + Send + 'static {
    fn open_unbound(self, objects: &Arc<dyn Objects + Send>) -> io::Result<Box<dyn Read + Send>>;
}

impl Unbound for Stretch {
    fn open_unbound(self, objects: &Arc<dyn Objects + Send>) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
            Self::Object { address, size } => Box::new(Exact::open(&**objects, &address, size)?),
        })
    }
}

impl Unbound for Span {
    fn open_unbound(self, objects: &Arc<dyn Objects + Send>) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
            Self::Base64 { address, size, end } => {
                Box::new(Lines::of(Box::new(Exact::open(&**objects, &address, size)?), end))
            }
            Self::Base64Row(row) => {
                Box::new(Lines::of(Box::new(Chain::of(row, objects)), LineEnd::Crlf))
            }
        })
    }
}

impl<T: Unbound> Chain<T> {
    fn of(parts: Vec<T>, objects: &Arc<dyn Objects + Send>) -> Self {
        Self { objects: Arc::clone(objects), left: parts.into_iter(), current: None }
    }
}

impl<T: Unbound> Read for Chain<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(current) = &mut self.current {
                let length = current.read(buffer)?;
                if length > 0 || buffer.is_empty() {
                    return Ok(length);
                }
            }
            let Some(next) = self.left.next() else { return Ok(0) };
            self.current = Some(next.open_unbound(&self.objects)?);
        }
    }
}

/// An object as lines of base64.
struct Lines<'o> {
    object: Box<dyn Read + Send + 'o>,
    end: LineEnd,
    chunk: Vec<u8>,
    /// Lines that are made, the first `taken` bytes of them read.
    made: Vec<u8>,
    taken: usize,
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken >= self.made.len() {
            self.refill()?;
        }
        let ready = self.made.get(self.taken..).unwrap_or_default();
        let length = ready.len().min(buffer.len());
        let (now, _later) = ready.split_at(length);
        buffer.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
        self.taken += length;
        Ok(length)
    }
}

impl<'o> Lines<'o> {
    fn of(object: Box<dyn Read + Send + 'o>, end: LineEnd) -> Self {
        Self { object, end, chunk: Vec::new(), made: Vec::new(), taken: 0 }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.chunk.clear();
        self.made.clear();
        self.taken = 0;
        let wanted = CHUNK_BYTES as u64;
        let _length = self.object.by_ref().take(wanted).read_to_end(&mut self.chunk)?;
        base64_lines(&self.chunk, self.end, &mut self.made);
        Ok(())
    }
}

/// An object that has as many bytes as was said; another one is an error, since the lengths around
/// it are already written.
struct Exact {
    object: Box<dyn Read + Send>,
    address: ContentAddress,
    size: u64,
    left: u64,
}

impl Exact {
    fn open(objects: &dyn Objects, address: &ContentAddress, size: u64) -> io::Result<Self> {
        Ok(Self { object: objects.read(address)?, address: *address, size, left: size })
    }

    fn wrong(&self, found: &str) -> io::Error {
        let what = format!("object {} should have {} bytes, has {found}", self.address, self.size);
        io::Error::new(io::ErrorKind::InvalidData, what)
    }
}

impl Read for Exact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return match self.object.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(self.wrong("more")),
            };
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let (head, _tail) = buffer.split_at_mut(most);
        let length = self.object.read(head)?;
        if length == 0 {
            return Err(self.wrong("fewer"));
        }
        self.left = self.left.saturating_sub(length as u64);
        Ok(length)
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.name, self.content)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.size())
    }
}

impl fmt::Debug for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.size())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(Vec<u8>);

    impl Objects for One {
        fn read(&self, _: &ContentAddress) -> io::Result<Box<dyn Read + Send>> {
            Ok(Box::new(io::Cursor::new(self.0.clone())))
        }
    }

    fn base64_of(size: usize, end: LineEnd) -> Content {
        let (address, size) = (ContentAddress([0; 32]), size as u64);
        let text = |text: &str| Span::Bytes(text.as_bytes().to_vec());
        Content::Spans(vec![text("<"), Span::Base64 { address, size, end }, text(""), text(">")])
    }

    #[test]
    fn base64_has_the_length_that_was_computed_and_is_the_object() {
        for length in [0, 1, 2, 3, 56, 57, 58, 113, 114, 115, CHUNK_BYTES, CHUNK_BYTES + 1, 99_999]
        {
            let bytes: Vec<u8> = (0..length).map(|at| b"content"[at * 31 % 7]).collect();
            for (end, line_end) in [(LineEnd::Crlf, "\r\n"), (LineEnd::Lf, "\n")] {
                let content = base64_of(length, end);
                let written = content.to_vec(&One(bytes.clone())).unwrap();
                assert_eq!(written.len() as u64, content.size(), "{length}");
                let text = String::from_utf8(written).unwrap();
                let text = text.strip_prefix('<').unwrap().strip_suffix('>').unwrap();
                assert!(text.is_empty() || text.ends_with(line_end));
                assert!(text.split(line_end).all(|line| line.len() <= 76));
                assert_eq!(STANDARD.decode(text.replace(line_end, "")).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn an_object_of_another_size_is_an_error() {
        for (promised, is) in [(3, 2), (2, 3), (0, 1), (1, 0)] {
            let object =
                Content::Object { address: ContentAddress([0; 32]), size: promised as u64 };
            for content in [base64_of(promised, LineEnd::Crlf), object] {
                let error = content.to_vec(&One(vec![7; is])).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{promised} {is}");
            }
        }
    }

    #[test]
    fn sizes_at_the_end_of_the_scale_do_not_overflow() {
        assert_eq!(base64_size(u64::MAX, LineEnd::Lf), u64::MAX);
        assert_eq!(base64_size(0, LineEnd::Crlf), 0);
    }
}
