//! Sorted tables: files of items by key, found and read by page.
//!
//! A table has a few lists. The items of a list are cut into pages, pages into stretches with a
//! *directory* behind each, and the footer says where the directories are. So whoever looks for a key
//! reads a directory and a page, and whoever opens the file reads a footer that hardly grows with it.
//!
//! Invariants: keys of a list ascend; no offset is stored, a frame begins where the one before ends;
//! a table never changes. What cannot be read costs the items that are in it.
//!
//! Bytes: FORMAT.md, "Table".

mod cursor;
mod page;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use cursor::{Cursor, Item, Merge};
pub(crate) use page::Page;
pub(crate) use write::TableWriter;

use std::sync::Arc;

use crate::cache::{Cache, CacheKey, Cached, Part};
use crate::count::narrow;
use crate::error::{Error, Result};
use crate::format::bytes::Reader;
use crate::format::frame::{self, Codec};
use crate::format::limits::{decoded, list};
use crate::format::names::FileKind;
use crate::format::unpack;
use crate::storage::{ReadFile, Storage};

const HEADER_BYTES: usize = 32;
const TRAILER_BYTES: usize = 16;
const END_MAGIC: &[u8; 8] = b"CVTABEND";
/// Read at once from a file's end: the footer of most files is in it, and so are small files whole.
const TAIL_BYTES: u64 = 2 << 10;
/// Pages of lists are frames of the list's number.
const DIRECTORY: u8 = 30;
const FOOTER: u8 = 31;

/// What a kind of table has.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) kind: FileKind,
    pub(crate) magic: [u8; 8],
    /// Lists have the numbers from 1.
    pub(crate) lists: u8,
    /// A page is full once its items have so many bytes.
    pub(crate) page_bytes: [usize; MAX_LISTS],
}

pub(crate) const MAX_LISTS: usize = 9;
/// A page of items that are looked up.
pub(crate) const PAGE_BYTES: usize = 8 << 10;

/// Pages with a directory behind them.
#[derive(Debug)]
struct Stretch {
    border: Box<[u8]>,
    start: u64,
    /// Where the directory is, and how long.
    directory: (u64, u32),
}

/// A list as the footer has it.
#[derive(Debug, Default)]
struct Root {
    items: u64,
    stretches: Vec<Stretch>,
}

/// An open table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) number: u64,
    path: String,
    file: Arc<dyn ReadFile>,
    cache: Arc<Cache>,
    roots: Vec<Root>,
    /// What the writer put behind the lists of the footer.
    pub(crate) more: Vec<u8>,
}

impl Table {
    pub(crate) fn open(
        storage: &dyn Storage,
        form: &Form,
        (archive, number): ([u8; 16], u64),
        path: &str,
        cache: &Arc<Cache>,
    ) -> Result<Self> {
        let file = storage.open(path).map_err(|cause| Error::opening(path, cause))?;
        let mut table = Self {
            number,
            path: path.to_owned(),
            file,
            cache: Arc::clone(cache),
            roots: Vec::new(),
            more: Vec::new(),
        };
        table.read_footer(form, archive).map_err(|error| error.in_file(path))?;
        Ok(table)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Items of a list.
    pub(crate) fn items(&self, list: u8) -> u64 {
        self.root(list).map_or(0, |root| root.items)
    }

    /// The item with a key.
    pub(crate) fn get(self: &Arc<Self>, list: u8, key: &[u8]) -> Result<Option<Item>> {
        let found = Cursor::kept(self, list, key).next()?;
        Ok(found.filter(|item| item.key() == key))
    }

    /// The last item whose key is not above `key`.
    pub(crate) fn floor(&self, list: u8, key: &[u8]) -> Result<Option<Item>> {
        let Some(root) = self.root(list) else { return Ok(None) };
        let mut end = root.stretches.partition_point(|stretch| &*stretch.border <= key);
        while let Some(at) = end.checked_sub(1) {
            let directory = self.directory(list, at, true)?;
            let mut pages = directory.partition_point(|border| border <= key);
            while let Some(number) = pages.checked_sub(1) {
                let page = self.page(list, (at, number), &directory, true)?;
                let items = page.partition_point(|there| there <= key);
                if let Some(index) = items.checked_sub(1) {
                    return Ok(Some(Item { page, index }));
                }
                // A border is as short as can be: the page may begin above the key.
                pages = number;
            }
            end = at;
        }
        Ok(None)
    }

    fn root(&self, list: u8) -> Option<&Root> {
        self.roots.get(usize::from(list).checked_sub(1)?)
    }

    fn stretch(&self, list: u8, at: usize) -> Result<&Stretch> {
        let stretch = self.root(list).and_then(|root| root.stretches.get(at));
        stretch.ok_or_else(|| Error::corrupt("table has no such stretch").in_file(&*self.path))
    }

    /// A directory; `keep` it in the cache unless everything is gone through once.
    fn directory(&self, list: u8, at: usize, keep: bool) -> Result<Arc<Page>> {
        self.kept(Part::Directory(list, narrow(at)), keep, || {
            let stretch = self.stretch(list, at)?;
            let (offset, bytes) = stretch.directory;
            let raw = self.frame(DIRECTORY, offset, bytes)?;
            let page = Page::read_directory(raw).filter(|page| {
                page.ends.last() == Some(&(offset - stretch.start))
                    && page.partition_point(|border| border <= &*stretch.border) == 1
            });
            page.ok_or_else(|| self.damaged("directory is damaged", offset))
        })
    }

    fn page(
        &self,
        list: u8,
        (at, number): (usize, usize),
        directory: &Page,
        keep: bool,
    ) -> Result<Arc<Page>> {
        self.kept(Part::Items(list, narrow(at), narrow(number)), keep, || {
            let start = number.checked_sub(1).map_or(0, |before| directory.ends[before]);
            let end = directory.ends.get(number).copied().unwrap_or(start);
            let offset = self.stretch(list, at)?.start + start;
            let bytes = u32::try_from(end - start).unwrap_or(u32::MAX);
            let raw = self.frame(list, offset, bytes)?;
            let next = if number + 1 < directory.len() {
                Some(directory.key(number + 1))
            } else {
                self.stretch(list, at + 1).ok().map(|next| &*next.border)
            };
            let page = Page::read(raw).filter(|page| {
                directory.key(number) <= page.key(0)
                    && next.is_none_or(|border| page.key(page.len() - 1) < border)
            });
            page.ok_or_else(|| self.damaged("page is damaged", offset))
        })
    }

    fn kept(
        &self,
        part: Part,
        keep: bool,
        make: impl FnOnce() -> Result<Page>,
    ) -> Result<Arc<Page>> {
        if !keep {
            return make().map(Arc::new);
        }
        let key = CacheKey { segment: self.number, part };
        match self.cache.get(key, || Ok(Cached::Items(Arc::new(make()?))))? {
            Cached::Items(page) => Ok(page),
            _ => Err(Error::corrupt("cache holds another thing").in_file(&*self.path)),
        }
    }

    fn frame(&self, kind: u8, offset: u64, bytes: u32) -> Result<Vec<u8>> {
        let mut stored = vec![0; bytes as usize];
        self.read_at(offset, &mut stored)?;
        unpacked(&stored, kind).map_err(|error| error.in_file(&*self.path).at(offset))
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.cache.was_read(out.len());
        let read = self.file.read_at(offset, out);
        read.map_err(|cause| Error::io("read", &self.path, cause).at(offset))
    }

    fn damaged(&self, message: &str, offset: u64) -> Error {
        Error::corrupt(message).in_file(&*self.path).at(offset)
    }

    fn read_footer(&mut self, form: &Form, archive: [u8; 16]) -> Result<()> {
        let size = self.file.bytes().map_err(|cause| Error::io("measure", &self.path, cause))?;
        let least = (HEADER_BYTES + TRAILER_BYTES) as u64;
        let trailer_at = size.saturating_sub(TRAILER_BYTES as u64);
        if size < least {
            return Err(self.damaged("file is cut short", size));
        }
        let mut tail_at = size.saturating_sub(TAIL_BYTES);
        let mut tail = vec![0; usize::try_from(size - tail_at).unwrap_or(usize::MAX)];
        self.read_at(tail_at, &mut tail)?;
        let mut head = vec![0; HEADER_BYTES];
        match tail.get(..HEADER_BYTES).filter(|_| tail_at == 0) {
            Some(bytes) => head.copy_from_slice(bytes),
            None => self.read_at(0, &mut head)?,
        }
        if head != header(form, archive, self.number) {
            return Err(self.damaged("header is not that of this file", 0));
        }
        let bytes = footer_bytes(&tail[tail.len() - TRAILER_BYTES..]);
        let place = bytes.and_then(|bytes| Some((trailer_at.checked_sub(bytes.into())?, bytes)));
        let place = place.filter(|(at, _)| *at >= HEADER_BYTES as u64);
        let (at, bytes) = place.ok_or_else(|| self.damaged("trailer is damaged", trailer_at))?;
        if at < tail_at {
            tail = vec![0; bytes as usize];
            tail_at = at;
            self.read_at(at, &mut tail)?;
        }
        let start = usize::try_from(at - tail_at).unwrap_or(usize::MAX);
        let stored = tail.get(start..).and_then(|rest| rest.get(..bytes as usize));
        let raw = unpacked(stored.unwrap_or_default(), FOOTER).map_err(|error| error.at(at))?;
        let (roots, more) = read_roots(&raw, form.lists, at)
            .ok_or_else(|| self.damaged("footer is damaged", at))?;
        (self.roots, self.more) = (roots, more.to_vec());
        Ok(())
    }
}

fn header(form: &Form, archive: [u8; 16], number: u64) -> Vec<u8> {
    [&form.magic[..], &archive, &number.to_le_bytes()].concat()
}

/// The bytes of the footer's frame, from the trailer.
fn footer_bytes(trailer: &[u8]) -> Option<u32> {
    let reader = &mut Reader::new(trailer);
    let (bytes, sum) = reader.u32().zip(reader.u32())?;
    let right = sum == crc32fast::hash(&bytes.to_le_bytes()) && reader.rest() == END_MAGIC;
    right.then_some(bytes)
}

/// The lists of a footer whose frame begins at `end`, and what is behind them.
fn read_roots(raw: &[u8], lists: u8, end: u64) -> Option<(Vec<Root>, &[u8])> {
    let reader = &mut Reader::new(raw);
    let (mut roots, mut offset) = (Vec::new(), HEADER_BYTES as u64);
    for _ in 0..lists {
        let mut root = Root { items: reader.varint()?, stretches: Vec::new() };
        let _items = page::read_items(reader, list::STRETCHES, raw.len(), |(border, place)| {
            let place = &mut Reader::new(place);
            let (pages, directory) = (place.varint()?, frame_bytes(place)?);
            let start = offset;
            let at = start.checked_add(pages).filter(|at| *at <= end && place.is_empty())?;
            offset = at.checked_add(directory.into())?;
            root.stretches.push(Stretch {
                border: border.into(),
                start,
                directory: (at, directory),
            });
            Some(())
        })?;
        if (root.items == 0) != root.stretches.is_empty() {
            return None;
        }
        roots.push(root);
    }
    (offset == end).then_some((roots, reader.rest()))
}

/// The bytes of a frame, with its header.
fn frame_bytes(reader: &mut Reader<'_>) -> Option<u32> {
    reader.varint32().filter(|bytes| *bytes as usize >= frame::HEADER_BYTES)
}

fn unpacked(stored: &[u8], kind: u8) -> Result<Vec<u8>> {
    let (frame, rest) = frame::split(stored)?;
    if frame.kind != kind || !rest.is_empty() {
        return Err(Error::corrupt("frame is of another kind"));
    }
    frame.check_decoded(if kind == FOOTER { decoded::FOOTER } else { decoded::FRAME })?;
    match frame.codec {
        Codec::None if frame.raw_bytes == frame.payload.len() => Ok(frame.payload.to_vec()),
        Codec::Zstd => unpack::unpack(frame.payload, frame.raw_bytes, None, "frame"),
        _ => Err(Error::corrupt("frame is under another codec")),
    }
}

/// A number as keys have it: the highest byte first, so that bytes are in the order of numbers.
#[expect(clippy::big_endian_bytes, reason = "keys are compared by their bytes")]
pub(crate) fn ordered32(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// The same of 64 bits.
#[expect(clippy::big_endian_bytes, reason = "keys are compared by their bytes")]
pub(crate) fn ordered64(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// Takes a number off the front of a key.
pub(crate) fn take32(key: &mut Reader<'_>) -> Option<u32> {
    key.array().map(u32::from_be_bytes)
}

/// The same of 64 bits.
pub(crate) fn take64(key: &mut Reader<'_>) -> Option<u64> {
    key.array().map(u64::from_be_bytes)
}
