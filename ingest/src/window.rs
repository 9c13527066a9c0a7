//! A moving window over a decompressed stream, the only place that reads input.
//!
//! The window holds what is not yet consumed and grows only when one value needs it, so memory is
//! bounded by [`VALUE_BYTES`] and not by the file. Offsets count decompressed bytes from the start
//! of the file. A read error ends the stream like its end does and is kept for the report.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use memchr::{memchr, memrchr};

use crate::decode::{MAGIC_BYTES, Packing, unpack};
use crate::scan::{Scanner, Step, space};

/// Bytes read at a time: a page file fits, and so does the second-level cache.
pub(crate) const WINDOW_BYTES: usize = 1 << 20;

/// The longest value that is handed on as one: above the engine's own limit (16 MiB by default),
/// so that the engine refuses it with its own reason.
pub(crate) const VALUE_BYTES: usize = 32 << 20;

/// Some editors and shells put this in front of UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A value that has no end: the input ends first, or it is longer than [`VALUE_BYTES`], or no JSON
/// value goes on like it. So many bytes were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endless(pub(crate) usize);

pub(crate) struct ByteWindow<'r> {
    reader: Box<dyn Read + 'r>,
    buffer: Vec<u8>,
    filled: Range<usize>,
    offset: u64,
    ended: bool,
    failure: Option<io::Error>,
}

impl<'r> ByteWindow<'r> {
    /// A window at the start of `reader`, unpacked if it is compressed. `buffer` is reused.
    pub(crate) fn open(reader: Box<dyn Read + 'r>, mut buffer: Vec<u8>) -> Self {
        if buffer.len() < WINDOW_BYTES {
            buffer.resize(WINDOW_BYTES, 0);
        }
        let mut window =
            Self { reader, buffer, filled: 0..0, offset: 0, ended: false, failure: None };
        while window.bytes().len() < MAGIC_BYTES && window.more() {}
        window.unpacked();
        window.skip_byte_order_mark();
        window
    }

    fn unpacked(&mut self) {
        let packing = Packing::of(self.bytes());
        if packing == Packing::Plain {
            return;
        }
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        match unpack(packing, self.bytes(), rest) {
            Ok(reader) => self.reader = reader,
            Err(cause) => self.failure = Some(cause),
        }
        self.ended = self.failure.is_some();
        self.filled = 0..0;
        while self.bytes().len() < MAGIC_BYTES && self.more() {}
    }

    fn skip_byte_order_mark(&mut self) {
        if self.bytes().starts_with(BYTE_ORDER_MARK) {
            self.consume(BYTE_ORDER_MARK.len());
        }
    }

    /// What is read and not consumed.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.filled.clone()).unwrap_or_default()
    }

    /// Offset of [`ByteWindow::bytes`] in the decompressed file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Nothing more can be read.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Why the stream ended before its end.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Moves the start of the window on.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.filled.len());
        self.filled.start += count;
        self.offset += count as u64;
    }

    /// Reads on until the window is full or the stream ends; grows the window if it is full
    /// already. False if not a byte came.
    pub(crate) fn more(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.make_room();
        let before = self.filled.end;
        while self.filled.end < self.buffer.len() && !self.ended {
            self.read_once();
        }
        self.filled.end > before
    }

    fn make_room(&mut self) {
        if self.filled.start > 0 {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        if self.filled.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    fn read_once(&mut self) {
        let room = self.buffer.get_mut(self.filled.end..).unwrap_or_default();
        match self.reader.read(room) {
            Ok(0) => self.ended = true,
            Ok(count) => self.filled.end += count,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => {
                self.failure = Some(cause);
                self.ended = true;
            }
        }
    }

    /// Consumes white space; the byte behind it, or `None` at the end.
    pub(crate) fn next_token(&mut self) -> Option<u8> {
        loop {
            let skipped = space(self.bytes());
            self.consume(skipped);
            if let Some(&byte) = self.bytes().first() {
                return Some(byte);
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// The first place at or behind `at` that is no white space, and what stands there.
    pub(crate) fn token_at(&mut self, mut at: usize) -> Option<(usize, u8)> {
        loop {
            let rest = self.bytes().get(at..).unwrap_or_default();
            at += space(rest);
            if let Some(&byte) = self.bytes().get(at) {
                return Some((at, byte));
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Where the value that starts at `at` ends, reading on as needed.
    pub(crate) fn value_end(&mut self, at: usize) -> Result<usize, Endless> {
        let mut scanner = Scanner::new();
        let mut fed = at;
        loop {
            let piece = self.bytes().get(fed..).unwrap_or_default();
            match scanner.feed(piece) {
                Step::End(end) => return Ok(fed + end),
                Step::Bad(seen) => return Err(Endless(fed + seen - at)),
                Step::More => fed += piece.len(),
            }
            if fed - at >= VALUE_BYTES {
                return Err(Endless(fed - at));
            }
            if !self.more() {
                return if scanner.may_end() { Ok(fed) } else { Err(Endless(fed - at)) };
            }
        }
    }

    /// How many bytes of whole lines the window holds, after filling it; at the end of the stream
    /// a last line needs no line end. Zero if a line is longer than [`VALUE_BYTES`], or at the end.
    pub(crate) fn whole_lines(&mut self) -> usize {
        if self.bytes().len() < WINDOW_BYTES / 2 {
            let _grew = self.more();
        }
        let mut searched = 0;
        loop {
            let fresh = self.bytes().get(searched..).unwrap_or_default();
            if let Some(last) = memrchr(b'\n', fresh) {
                return searched + last + 1;
            }
            searched = self.bytes().len();
            if self.ended {
                return searched;
            }
            if searched >= VALUE_BYTES {
                return 0;
            }
            let _grew = self.more();
        }
    }

    /// Where the first line ends, its line end included, as far as the window can tell.
    pub(crate) fn line_end(&self) -> Option<usize> {
        memchr(b'\n', self.bytes()).map(|end| end + 1)
    }

    /// Gives the first `count` bytes away without copying them; `spare` takes the rest.
    pub(crate) fn cut(&mut self, count: usize, mut spare: Vec<u8>) -> (Vec<u8>, Range<usize>) {
        let count = count.min(self.filled.len());
        let cut = self.filled.start..self.filled.start + count;
        let rest = self.buffer.get(cut.end..self.filled.end).unwrap_or_default();
        let length = rest.len();
        if spare.len() < WINDOW_BYTES.max(length) {
            spare.resize(WINDOW_BYTES.max(length), 0);
        }
        if let Some(front) = spare.get_mut(..length) {
            front.copy_from_slice(rest);
        }
        self.filled = 0..length;
        self.offset += count as u64;
        (std::mem::replace(&mut self.buffer, spare), cut)
    }

    /// The buffer, to be used again; one that a huge value made grow is let go.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        if self.buffer.len() > 4 * WINDOW_BYTES { Vec::new() } else { self.buffer }
    }
}

impl fmt::Debug for ByteWindow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ByteWindow({} bytes at {})", self.filled.len(), self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a time, so that every boundary is met.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let count = room.len().min(1);
            self.0.read(room.get_mut(..count).unwrap())
        }
    }

    fn window(bytes: &[u8]) -> ByteWindow<'_> {
        ByteWindow::open(Box::new(Trickle(bytes)), Vec::new())
    }

    #[test]
    fn the_byte_order_mark_is_skipped_and_counted() {
        let mut window = window(b"\xef\xbb\xbf {}");
        assert_eq!(window.next_token(), Some(b'{'));
        assert_eq!((window.offset(), window.bytes()), (4, b"{}".as_slice()));
    }

    #[test]
    fn a_value_longer_than_the_window_makes_it_grow() {
        let text = format!("  [\"{}\"] ,", "x".repeat(3 * WINDOW_BYTES));
        let mut window = ByteWindow::open(Box::new(text.as_bytes()), Vec::new());
        assert_eq!(window.next_token(), Some(b'['));
        assert_eq!(window.value_end(0), Ok(text.len() - 4));
        assert_eq!(window.token_at(text.len() - 4), Some((text.len() - 3, b',')));
    }

    #[test]
    fn a_value_beyond_the_limit_has_no_end() {
        let text = format!("\"{}\"", "x".repeat(2 * VALUE_BYTES));
        let mut window = ByteWindow::open(Box::new(text.as_bytes()), Vec::new());
        let seen = window.value_end(0).unwrap_err().0;
        assert!((VALUE_BYTES..=text.len()).contains(&seen), "{seen}");
    }

    #[test]
    fn a_value_that_cannot_go_on_is_looked_at_no_further() {
        let mut window = window(b" [{\"a\":1,{\"b\":2}]");
        assert_eq!(window.value_end(1), Err(Endless(9)));
    }

    #[test]
    fn lines_are_cut_off_whole_and_the_last_needs_no_end() {
        let text = "0123456789abcde\n".repeat(WINDOW_BYTES / 8) + "last";
        let mut window = ByteWindow::open(Box::new(text.as_bytes()), Vec::new());
        let (mut joined, mut spare) = (Vec::new(), Vec::new());
        loop {
            let count = window.whole_lines();
            if count == 0 {
                break;
            }
            assert_eq!(window.offset(), joined.len() as u64);
            let (buffer, range) = window.cut(count, spare);
            joined.extend_from_slice(&buffer[range]);
            assert!(joined.ends_with(b"\n") || joined.ends_with(b"last"));
            spare = buffer;
        }
        assert!(joined == text.as_bytes());
    }

    #[test]
    fn a_read_error_ends_the_stream_and_is_kept() {
        let packed = zstd::encode_all(b"[1,2,3]".as_slice(), 1).unwrap();
        let mut window = window(packed.split_at(packed.len() - 2).0);
        while window.more() {}
        assert!(window.ended());
        assert!(window.take_failure().is_some());
    }
}
