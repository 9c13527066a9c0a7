//! `rsmf.zip`: stored entries, sorted by name, dated 1980, without extra fields.
//!
//! Large files are not read into it: it is a row of stretches, some bytes, some objects, and its
//! length is known before an object is read for good. An object's checksum stands in front of it, so
//! each is read once before.

use std::io::{self, Read};

use chatvault_engine::ContentAddress;

use crate::content::{Objects, Stretch};

/// 1980-01-01, the first day that a zip knows.
const DATE: u16 = (1 << 5) | 1;
/// Stored: 1.0 is enough.
const VERSION_NEEDED: u16 = 10;
/// Made on Unix, so that the permissions mean something.
const VERSION_MADE_BY: u16 = (3 << 8) | 0x14;
/// The name is in UTF-8.
const UTF8_FLAG: u16 = 1 << 11;
/// An ordinary file that its owner may write.
const ATTRIBUTES: u32 = 0o100_644 << 16;
const CHUNK_BYTES: usize = 64 << 10;

/// A file of the container.
#[derive(Debug)]
pub(super) struct File {
    name: String,
    size: u32,
    checksum: u32,
    content: Stretch,
}

impl File {
    pub(super) fn bytes(name: String, bytes: Vec<u8>) -> io::Result<Self> {
        let (size, checksum) = (narrow(bytes.len() as u64)?, crc32fast::hash(&bytes));
        Ok(Self { name, size, checksum, content: Stretch::Bytes(bytes) })
    }

    /// Reads the object once, for its checksum.
    pub(super) fn object(
        name: String,
        address: ContentAddress,
        size: u64,
        objects: &dyn Objects,
    ) -> io::Result<Self> {
        let mut hash = crc32fast::Hasher::new();
        let mut object = objects.read(&address)?;
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut found = 0_u64;
        loop {
            let got = match object.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                got => got?,
            };
            let Some(bytes) = chunk.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
            hash.update(bytes);
            found += got as u64;
        }
        if found != size {
            let what = format!("object {address} should have {size} bytes and has {found}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let content = Stretch::Object { address, size };
        Ok(Self { name, size: narrow(size)?, checksum: hash.finalize(), content })
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What both headers of a file have in common, from the flags to the length of the name.
    fn common(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let flags = if self.name.is_ascii() { 0 } else { UTF8_FLAG };
        for field in [VERSION_NEEDED, flags, 0, 0, DATE] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for field in [self.checksum, self.size, self.size] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        let name = u16::try_from(self.name.len()).map_err(io::Error::other)?;
        for field in [name, 0] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        Ok(())
    }
}

/// The container of these files.
pub(super) fn container(mut files: Vec<File>) -> io::Result<Vec<Stretch>> {
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let count = u16::try_from(files.len()).map_err(io::Error::other)?;
    let mut stretches = Vec::new();
    let (mut open, mut directory) = (Vec::new(), Vec::new());
    let mut offset = 0_u64;
    for file in files {
        central(&file, narrow(offset)?, &mut directory)?;
        let before = open.len();
        open.extend_from_slice(b"PK\x03\x04");
        file.common(&mut open)?;
        open.extend_from_slice(file.name.as_bytes());
        offset += (open.len() - before) as u64 + u64::from(file.size);
        match file.content {
            Stretch::Bytes(bytes) => open.extend_from_slice(&bytes),
            object @ Stretch::Object { .. } => {
                stretches.push(Stretch::Bytes(std::mem::take(&mut open)));
                stretches.push(object);
            }
        }
    }
    let length = narrow(directory.len() as u64)?;
    open.append(&mut directory);
    end(count, length, narrow(offset)?, &mut open);
    stretches.push(Stretch::Bytes(open));
    Ok(stretches)
}

fn central(file: &File, offset: u32, out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(b"PK\x01\x02");
    out.extend_from_slice(&VERSION_MADE_BY.to_le_bytes());
    file.common(out)?;
    // No comment, on the first disk, binary.
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&ATTRIBUTES.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(file.name.as_bytes());
    Ok(())
}

fn end(count: u16, length: u32, offset: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
}

/// Slices are far below 4 GiB; a container that is not would need another format.
fn narrow(size: u64) -> io::Result<u32> {
    u32::try_from(size).map_err(io::Error::other)
}
