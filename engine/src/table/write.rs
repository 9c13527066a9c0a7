//! Writing a table: items come in order, pages go to the file as they are full.

use super::page::Items;
use super::{DIRECTORY, END_MAGIC, FOOTER, Form, MAX_LISTS, header};
use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::put_varint;
use crate::format::frame::{self, Codec};
use crate::format::limits::{self, decoded, list};
use crate::format::multiset::Multiset;
use crate::manifest::FileEntry;
use crate::segment::border;
use crate::storage::{Storage, WriteFile, whole};
use crate::types::Sequence;

const LEVEL: i32 = 12;
/// Less stays as it is.
const PACKED_FROM: usize = 128;
/// Pages of a stretch.
const STRETCH_PAGES: usize = 256;
/// What waits in memory to be written.
const WRITE_BYTES: usize = 1 << 20;

/// A table that is being written under its temporary name.
pub(crate) struct TableWriter<'s> {
    storage: &'s dyn Storage,
    form: &'static Form,
    number: u64,
    path: String,
    file: Box<dyn WriteFile>,
    packer: zstd::bulk::Compressor<'static>,
    hasher: blake3::Hasher,
    out: Vec<u8>,
    written: u64,
    list: u8,
    page: Items,
    /// The border of the page, and the last key before it.
    border: Vec<u8>,
    before: Vec<u8>,
    stretch: Items,
    stretch_border: Vec<u8>,
    stretch_bytes: u64,
    /// Items of each list, and its stretches.
    roots: [(u64, Items); MAX_LISTS],
}

impl<'s> TableWriter<'s> {
    pub(crate) fn start(
        storage: &'s dyn Storage,
        form: &'static Form,
        (archive, number): ([u8; 16], u64),
    ) -> Result<Self> {
        let path = form.kind.path(number);
        let temporary = whole::temporary(&path);
        whole::discard(storage, &temporary)?;
        let file = storage.create(&temporary).map_err(|cause| Error::io("create", &path, cause))?;
        let packer = zstd::bulk::Compressor::new(LEVEL).map_err(failed)?;
        Ok(Self {
            storage,
            form,
            number,
            path,
            file,
            packer,
            hasher: blake3::Hasher::new(),
            out: header(form, archive, number),
            written: 0,
            list: 1,
            page: Items::default(),
            border: Vec::new(),
            before: Vec::new(),
            stretch: Items::default(),
            stretch_border: Vec::new(),
            stretch_bytes: 0,
            roots: Default::default(),
        })
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.written + self.out.len() as u64
    }

    /// Puts an item behind the others of its list, and of the lists before.
    pub(crate) fn put(&mut self, list: u8, key: &[u8], value: &[u8]) -> Result<()> {
        assert!(list <= self.form.lists, "a table has the lists of its form");
        if list != self.list {
            assert!(list > self.list, "lists come in order");
            self.end_list()?;
            self.list = list;
        }
        let root = &mut self.roots[usize::from(list) - 1];
        assert!(root.0 == 0 || *key > *self.before, "keys ascend");
        root.0 += 1;
        if self.page.count == 0 {
            let is_first = root.0 == 1;
            self.border = if is_first { Vec::new() } else { border(&self.before, key).to_vec() };
        }
        self.page.push(key, value);
        key.clone_into(&mut self.before);
        let full = self.form.page_bytes[usize::from(list) - 1];
        if self.page.bytes() >= full || self.page.count == list::ITEMS.items {
            self.end_page()?;
        }
        Ok(())
    }

    fn end_page(&mut self) -> Result<()> {
        if self.page.count == 0 {
            return Ok(());
        }
        let mut payload = Vec::new();
        self.page.take(&mut payload);
        let bytes = self.put_frame(self.list, &payload)?;
        if self.stretch.count == 0 {
            self.stretch_border.clone_from(&self.border);
        }
        let mut place = Vec::new();
        put_varint(&mut place, bytes);
        self.stretch.push(&self.border, &place);
        self.stretch_bytes += bytes;
        if self.stretch.count == STRETCH_PAGES { self.end_stretch() } else { Ok(()) }
    }

    fn end_stretch(&mut self) -> Result<()> {
        if self.stretch.count == 0 {
            return Ok(());
        }
        let mut payload = Vec::new();
        self.stretch.take(&mut payload);
        let bytes = self.put_frame(DIRECTORY, &payload)?;
        let mut place = Vec::new();
        put_varint(&mut place, std::mem::take(&mut self.stretch_bytes));
        put_varint(&mut place, bytes);
        self.roots[usize::from(self.list) - 1].1.push(&self.stretch_border, &place);
        Ok(())
    }

    fn end_list(&mut self) -> Result<()> {
        self.end_page()?;
        self.end_stretch()?;
        self.before.clear();
        Ok(())
    }

    /// Seals the file and names it, durably; `more` goes into the footer, `rows` into the entry.
    pub(crate) fn finish(mut self, more: &[u8], rows: (u64, Multiset)) -> Result<FileEntry> {
        self.end_list()?;
        let mut footer = Vec::new();
        for (items, stretches) in &mut self.roots[..usize::from(self.form.lists)] {
            put_varint(&mut footer, *items);
            stretches.take(&mut footer);
        }
        footer.extend_from_slice(more);
        let bytes = u32::try_from(self.put_frame(FOOTER, &footer)?).unwrap_or(u32::MAX);
        let sum = crc32fast::hash(&bytes.to_le_bytes());
        for part in [&bytes.to_le_bytes()[..], &sum.to_le_bytes(), END_MAGIC] {
            self.out.extend_from_slice(part);
        }
        self.write()?;
        self.file.sync().map_err(|cause| Error::io("sync", &self.path, cause))?;
        whole::publish(self.storage, &whole::temporary(&self.path), &self.path)?;
        Ok(FileEntry {
            kind: self.form.kind,
            number: self.number,
            level: 0,
            bytes: self.written,
            hash: *self.hasher.finalize().as_bytes(),
            rows: rows.0,
            multiset: rows.1,
            first: Sequence(0),
            last: Sequence(0),
        })
    }

    fn put_frame(&mut self, kind: u8, payload: &[u8]) -> Result<u64> {
        let limit = if kind == FOOTER { decoded::FOOTER } else { decoded::FRAME };
        if payload.len() > limit {
            let message = format!("{} bytes at once are over the limit of a frame", payload.len());
            return Err(Error::invalid(message));
        }
        let before = self.bytes();
        let mut packed = Vec::new();
        if payload.len() >= PACKED_FROM {
            packed = self.packer.compress(payload).map_err(failed)?;
            limits::pad(&mut packed, payload.len());
        }
        let saves = !packed.is_empty() && packed.len() < payload.len();
        let (codec, stored) = if saves { (Codec::Zstd, &*packed) } else { (Codec::None, payload) };
        frame::put(&mut self.out, kind, codec, payload.len(), stored);
        let bytes = self.bytes() - before;
        if self.out.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(bytes)
    }

    fn write(&mut self) -> Result<()> {
        let written = self.file.write_at(self.written, &self.out);
        written.map_err(|cause| Error::io("write", &self.path, cause))?;
        let _ = self.hasher.update(&self.out);
        self.written += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }
}

fn failed(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "compression failed").caused_by(cause)
}
