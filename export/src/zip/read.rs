//! Reads a part's container back, trusting nothing in it.
//!
//! Memory is bounded by the number of entries and the length of names that a part can have; what a
//! header claims about sizes is checked against the file before anything is read.

use std::io::{self, Read};
use std::sync::Arc;

use chatvault_engine::ReadFile;

use super::deflate::Inflater;
use super::record::{Central, End, Local, ZipEntry};
use super::{CENTRAL_BYTES, END_BYTES, LOCAL_BYTES, Method};

/// The longest name that is read, in bytes: twice what we write.
const MOST_NAME_BYTES: usize = 2_048;
/// How much is read at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// A part, opened.
#[derive(Debug)]
pub(crate) struct Archive {
    file: Arc<dyn ReadFile>,
    pub(crate) entries: Vec<ZipEntry>,
    /// What is not as a part writer leaves it, though readable: one line each.
    pub(crate) oddities: Vec<String>,
}

impl Archive {
    /// Reads the directory; `InvalidData` if there is none that can be trusted.
    pub(crate) fn open(file: Arc<dyn ReadFile>) -> io::Result<Self> {
        let bytes = file.bytes()?;
        let end = read_end(&file, bytes)?;
        let mut archive = Self { file, entries: Vec::new(), oddities: Vec::new() };
        archive.read_directory(end)?;
        archive.check_layout(end);
        Ok(archive)
    }

    fn read_directory(&mut self, end: End) -> io::Result<()> {
        let start = u64::from(end.directory_offset);
        let section = Section::new(&self.file, start, u64::from(end.directory_bytes));
        let mut directory = io::BufReader::with_capacity(64 << 10, section);
        for _ in 0..end.entries {
            let (entry, odd) = read_entry(&mut directory)?;
            if odd {
                self.oddities.push(format!("{}: extra fields or a comment", entry.name));
            }
            self.entries.push(entry);
        }
        match directory.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(invalid("the directory is longer than its entries")),
        }
    }

    /// Are the members one behind the other, with nothing before, between or after them?
    fn check_layout(&mut self, end: End) {
        let mut at = 0;
        for entry in &self.entries {
            if u64::from(entry.offset) != at {
                self.oddities.push(format!("{}: not where the member before ends", entry.name));
                return;
            }
            at += LOCAL_BYTES + entry.name.len() as u64 + u64::from(entry.packed);
        }
        if at != u64::from(end.directory_offset) {
            self.oddities
                .push("there are bytes between the last member and the directory".to_owned());
        }
    }

    /// Do members share bytes? A part whose members do would take far longer to read than it is
    /// large.
    pub(crate) fn overlaps(&self) -> bool {
        let span = |entry: &ZipEntry| {
            let start = u64::from(entry.offset);
            let header = LOCAL_BYTES + entry.name.len() as u64;
            (start, start + header + u64::from(entry.packed))
        };
        let mut spans: Vec<(u64, u64)> = self.entries.iter().map(span).collect();
        spans.sort_unstable();
        spans.windows(2).any(|pair| matches!(pair, [(_, end), (start, _)] if end > start))
    }

    /// The bytes of a member, unpacked; at most as many as the directory says, and an error if the
    /// member would have more.
    pub(crate) fn content(&self, entry: &ZipEntry) -> io::Result<Box<dyn Read + '_>> {
        let mut local = Section::new(&self.file, u64::from(entry.offset), LOCAL_BYTES);
        let mut fixed = [0; Local::FIXED];
        local.read_exact(&mut fixed)?;
        let local = Local::read(&fixed).ok_or_else(|| invalid("the local header is missing"))?;
        let header = LOCAL_BYTES + (local.name_bytes + local.extra_bytes) as u64;
        self.check_name(entry, &local)?;
        let start = u64::from(entry.offset) + header;
        let packed = Section::new(&self.file, start, u64::from(entry.packed));
        match entry.method {
            Some(Method::Stored) if entry.packed != entry.raw => {
                Err(invalid("a stored member has two sizes"))
            }
            Some(Method::Stored) => Ok(Box::new(packed)),
            Some(Method::Deflated) => {
                Ok(Box::new(Limited { from: Inflater::new(packed), left: u64::from(entry.raw) }))
            }
            None => Err(invalid("the member is encrypted or packed in an unknown way")),
        }
    }

    /// A reader that goes by local headers must see the name that the directory has.
    fn check_name(&self, entry: &ZipEntry, local: &Local) -> io::Result<()> {
        let mut name = vec![0; entry.name.len()];
        let start = u64::from(entry.offset) + LOCAL_BYTES;
        Section::new(&self.file, start, name.len() as u64).read_exact(&mut name)?;
        let same = local.name_bytes == name.len() && name == entry.name.as_bytes();
        if same { Ok(()) } else { Err(invalid("its two headers have different names")) }
    }
}

fn read_end(file: &Arc<dyn ReadFile>, bytes: u64) -> io::Result<End> {
    let at = bytes.checked_sub(END_BYTES).ok_or_else(|| invalid("too short for a zip file"))?;
    let mut tail = [0; 22];
    file.read_at(at, &mut tail)?;
    let end = End::read(&tail).ok_or_else(|| invalid("no end record as parts have it"))?;
    let directory = u64::from(end.directory_offset) + u64::from(end.directory_bytes);
    let least = u64::from(end.entries) * CENTRAL_BYTES;
    if directory != at || u64::from(end.directory_bytes) < least {
        return Err(invalid("the end record does not fit the file"));
    }
    Ok(end)
}

fn read_entry(directory: &mut impl Read) -> io::Result<(ZipEntry, bool)> {
    let mut fixed = [0; Central::FIXED];
    directory.read_exact(&mut fixed)?;
    let central = Central::read(&fixed).ok_or_else(|| invalid("the directory is damaged"))?;
    if central.name_bytes > MOST_NAME_BYTES {
        return Err(invalid("a name is longer than any of ours"));
    }
    let mut name = vec![0; central.name_bytes];
    directory.read_exact(&mut name)?;
    let other = central.other_bytes as u64;
    if io::copy(&mut directory.take(other), &mut io::sink())? < other {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let name = String::from_utf8(name).map_err(io::Error::other)?;
    Ok((ZipEntry { name, ..central.entry }, other > 0))
}

/// Some bytes of a file, read in order.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    file: &'a Arc<dyn ReadFile>,
    at: u64,
    left: u64,
}

impl<'a> Section<'a> {
    pub(crate) fn new(file: &'a Arc<dyn ReadFile>, at: u64, bytes: u64) -> Self {
        Self { file, at, left: bytes }
    }
}

impl Read for Section<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(BUFFER_BYTES);
        let length = out.len().min(most);
        let out = out.get_mut(..length).unwrap_or_default();
        self.file.read_at(self.at, out)?;
        self.at += length as u64;
        self.left -= length as u64;
        Ok(length)
    }
}

/// Lets exactly so many bytes through; more is an error, so that a bomb ends where it lied.
#[derive(Debug)]
struct Limited<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            let more = self.from.read(&mut [0])? > 0;
            return if more { Err(invalid("more bytes than it says")) } else { Ok(0) };
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let read = self.from.read(out.get_mut(..most).unwrap_or_default())?;
        self.left -= read as u64;
        Ok(read)
    }
}

fn invalid(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
