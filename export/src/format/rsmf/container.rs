//! `rsmf.zip`: stored entries, sorted by name, dated 1980, without extra fields.
//!
//! Large files are not read into it: it is a row of stretches, some bytes, some objects, and its
//! length is known before an object is read for good. An object's checksum stands in front of it, so
//! each is read once before.

use std::io::{self, Read};

use chatvault_engine::ContentAddress;

use crate::content::{Objects, Stretch};
use crate::zip::Method;
use crate::zip::record::{End, ZipEntry};

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
}

/// The container of these files.
pub(super) fn container(mut files: Vec<File>) -> io::Result<Vec<Stretch>> {
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let entries = u16::try_from(files.len()).map_err(io::Error::other)?;
    let mut stretches = Vec::new();
    let (mut open, mut directory) = (Vec::new(), Vec::new());
    let mut offset = 0_u64;
    for File { name, size, checksum: crc, content } in files {
        let _fits = u16::try_from(name.len()).map_err(io::Error::other)?;
        let (method, place) = (Some(Method::Stored), narrow(offset)?);
        let entry = ZipEntry { name, method, crc, packed: size, raw: size, offset: place };
        entry.put_central(&mut directory);
        let header = entry.local();
        offset += header.len() as u64 + u64::from(size);
        open.extend_from_slice(&header);
        match content {
            Stretch::Bytes(bytes) => open.extend_from_slice(&bytes),
            object @ Stretch::Object { .. } => {
                stretches.push(Stretch::Bytes(std::mem::take(&mut open)));
                stretches.push(object);
            }
        }
    }
    let directory_bytes = narrow(directory.len() as u64)?;
    open.append(&mut directory);
    let end = End { entries, directory_bytes, directory_offset: narrow(offset)? };
    open.extend_from_slice(&end.bytes());
    stretches.push(Stretch::Bytes(open));
    Ok(stretches)
}

/// Slices are far below 4 GiB; a container that is not would need another format.
fn narrow(size: u64) -> io::Result<u32> {
    u32::try_from(size).map_err(io::Error::other)
}
