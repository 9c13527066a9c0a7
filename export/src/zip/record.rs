//! The container's own records, to bytes and back.
//!
//! Little-endian throughout. Reading takes what other tools write too (extra fields, comments,
//! data descriptors), so that a check can say what is in a part that somebody rewrote.

use super::{CENTRAL_BYTES, END_BYTES, LOCAL_BYTES, Method};

const LOCAL_MARK: u32 = 0x0403_4b50;
const CENTRAL_MARK: u32 = 0x0201_4b50;
const END_MARK: u32 = 0x0605_4b50;
/// The version of the specification that deflated members need; stored ones need 1.0.
const VERSION_DEFLATED: u16 = 20;
const VERSION_STORED: u16 = 10;
/// Written on a Unix system, by the rules of version 3.0.
const MADE_BY: u16 = (3 << 8) + 30;
/// The name is UTF-8.
const FLAG_UTF8: u16 = 1 << 11;
/// The member is encrypted.
const FLAG_ENCRYPTED: u16 = 1;
const METHOD_STORED: u16 = 0;
const METHOD_DEFLATED: u16 = 8;
/// 1980-01-01: the first day that the format has.
const DATE: u16 = (1 << 5) | 1;
/// A regular file that its owner may write and all may read.
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// A member, as its local header and the central directory describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ZipEntry {
    pub(crate) name: String,
    /// `None`: a method that we never use, or encryption.
    pub(crate) method: Option<Method>,
    pub(crate) crc: u32,
    pub(crate) packed: u32,
    pub(crate) raw: u32,
    pub(crate) offset: u32,
}

/// The end record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) entries: u16,
    pub(crate) directory_bytes: u32,
    pub(crate) directory_offset: u32,
}

impl ZipEntry {
    /// The local header; the member's bytes follow it.
    pub(crate) fn local(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(30 + self.name.len());
        put32(&mut out, LOCAL_MARK);
        self.put_common(&mut out);
        put16(&mut out, 0); // extra field
        out.extend_from_slice(self.name.as_bytes());
        debug_assert_eq!(out.len() as u64, LOCAL_BYTES + self.name.len() as u64);
        out
    }

    /// Appends the entry of the central directory.
    pub(crate) fn put_central(&self, out: &mut Vec<u8>) {
        put32(out, CENTRAL_MARK);
        put16(out, MADE_BY);
        self.put_common(out);
        put16(out, 0); // extra field
        put16(out, 0); // comment
        put16(out, 0); // disk
        put16(out, 0); // internal attributes
        put32(out, ATTRIBUTES);
        put32(out, self.offset);
        out.extend_from_slice(self.name.as_bytes());
    }

    /// From the version needed to the length of the name: alike in both headers.
    fn put_common(&self, out: &mut Vec<u8>) {
        let deflated = self.method == Some(Method::Deflated);
        put16(out, if deflated { VERSION_DEFLATED } else { VERSION_STORED });
        put16(out, if self.name.is_ascii() { 0 } else { FLAG_UTF8 });
        put16(out, if deflated { METHOD_DEFLATED } else { METHOD_STORED });
        put16(out, 0); // time
        put16(out, DATE);
        put32(out, self.crc);
        put32(out, self.packed);
        put32(out, self.raw);
        put16(out, u16::try_from(self.name.len()).unwrap_or(u16::MAX));
    }
}

impl End {
    /// The record's bytes, with no comment.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(22);
        put32(&mut out, END_MARK);
        put16(&mut out, 0); // this disk
        put16(&mut out, 0); // the directory's disk
        put16(&mut out, self.entries);
        put16(&mut out, self.entries);
        put32(&mut out, self.directory_bytes);
        put32(&mut out, self.directory_offset);
        put16(&mut out, 0); // comment
        debug_assert_eq!(out.len() as u64, END_BYTES);
        out
    }

    /// Reads the record from the last bytes of a file; `None` if they are something else.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        (fields.u32()? == END_MARK).then_some(())?;
        let disks = (fields.u16()?, fields.u16()?);
        let (here, entries) = (fields.u16()?, fields.u16()?);
        let (directory_bytes, directory_offset) = (fields.u32()?, fields.u32()?);
        let comment = fields.u16()?;
        let whole = disks == (0, 0) && here == entries && comment == 0 && fields.0.is_empty();
        whole.then_some(Self { entries, directory_bytes, directory_offset })
    }
}

/// The fixed part of a central directory entry, and how many bytes of name and of what we never
/// write follow it.
#[derive(Debug)]
pub(crate) struct Central {
    pub(crate) entry: ZipEntry,
    pub(crate) name_bytes: usize,
    pub(crate) other_bytes: usize,
}

impl Central {
    pub(crate) const FIXED: usize = 46;

    /// Reads the fixed part; the name is still empty.
    pub(crate) fn read(bytes: &[u8; Self::FIXED]) -> Option<Self> {
        let mut fields = Fields(bytes);
        (fields.u32()? == CENTRAL_MARK).then_some(())?;
        let _made_by = fields.u16()?;
        let (entry, name_bytes) = fields.common()?;
        let other_bytes = usize::from(fields.u16()?) + usize::from(fields.u16()?);
        let _disk_and_attributes = (fields.u16()?, fields.u16()?, fields.u32()?);
        let offset = fields.u32()?;
        Some(Self { entry: ZipEntry { offset, ..entry }, name_bytes, other_bytes })
    }
}

/// The fixed part of a local header: how many bytes of name and extra field follow.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) name_bytes: usize,
    pub(crate) extra_bytes: usize,
}

impl Local {
    pub(crate) const FIXED: usize = 30;

    /// Reads the fixed part.
    pub(crate) fn read(bytes: &[u8; Self::FIXED]) -> Option<Self> {
        let mut fields = Fields(bytes);
        (fields.u32()? == LOCAL_MARK).then_some(())?;
        let (_entry, name_bytes) = fields.common()?;
        Some(Self { name_bytes, extra_bytes: usize::from(fields.u16()?) })
    }
}

const _: () = assert!(Central::FIXED as u64 == CENTRAL_BYTES);
const _: () = assert!(Local::FIXED as u64 == LOCAL_BYTES);

/// The bytes that are still to be read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&mut self) -> Option<u16> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*field))
    }

    fn u32(&mut self) -> Option<u32> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*field))
    }

    fn common(&mut self) -> Option<(ZipEntry, usize)> {
        let _version = self.u16()?;
        let flags = self.u16()?;
        let method = match (self.u16()?, flags & FLAG_ENCRYPTED) {
            (METHOD_STORED, 0) => Some(Method::Stored),
            (METHOD_DEFLATED, 0) => Some(Method::Deflated),
            _ => None,
        };
        let _time_and_date = self.u32()?;
        let (crc, packed, raw) = (self.u32()?, self.u32()?, self.u32()?);
        let entry = ZipEntry { name: String::new(), method, crc, packed, raw, offset: 0 };
        Some((entry, usize::from(self.u16()?)))
    }
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}
