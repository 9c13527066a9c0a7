//! The seal of a closed catalog: one hash over all files that sled left.
//!
//! sled 0.34 meets damaged files with panics, and at times with silence. So a catalog that was
//! closed is compared with its seal first, and damage never reaches sled. A catalog without a
//! seal was not closed (a crash): its bytes are as sled wrote them, and sled may try.
//!
//! ```text
//! the file SEAL
//! 0   8   magic "CVSEAL01"
//! 8   32  BLAKE3 over every file below sled/, by ascending path:
//!         u32 length of the path, path, u64 length of the file, its bytes
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "the catalog is sled's folder: derived, and outside `Storage`"
)]

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

const NAME: &str = "SEAL";
const MAGIC: [u8; 8] = *b"CVSEAL01";
/// sled's own depth is two.
const MAX_DEPTH: usize = 4;

/// What the seal says about the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are as they were left.
    Intact,
    /// They were not left in order.
    Unsealed,
    /// They changed since.
    Broken,
}

/// Compares the files below `files` with the seal in `folder`.
pub(super) fn check(folder: &Path, files: &Path) -> io::Result<Verdict> {
    let seal = match fs::read(folder.join(NAME)) {
        Ok(seal) => seal,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Verdict::Unsealed),
        Err(cause) => return Err(cause),
    };
    let expected = [&MAGIC[..], &hash(files)?].concat();
    Ok(if seal == expected { Verdict::Intact } else { Verdict::Broken })
}

/// Seals the files below `files`, which nobody may have open.
pub(super) fn set(folder: &Path, files: &Path) -> io::Result<()> {
    let seal = [&MAGIC[..], &hash(files)?].concat();
    // Synced, so that a power cut does not turn an intact catalog into a broken one.
    let mut file = File::create(folder.join(NAME))?;
    file.write_all(&seal)?;
    file.sync_all()
}

/// Puts a seal on that no files fit, and says why.
pub(super) fn condemn(folder: &Path, reason: &str) -> io::Result<()> {
    fs::write(folder.join(NAME), format!("broken: {reason}\n"))
}

/// Takes the seal off, before sled gets the files.
pub(super) fn lift(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(NAME)) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

fn hash(folder: &Path) -> io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    for path in files_below(folder)? {
        let name = path.strip_prefix(folder).map_err(io::Error::other)?;
        let name = name.to_string_lossy();
        let length = u32::try_from(name.len()).map_err(io::Error::other)?;
        let mut file = File::open(&path)?;
        let _ = hasher.update(&length.to_le_bytes()).update(name.as_bytes());
        let _ = hasher.update(&file.metadata()?.len().to_le_bytes());
        let _ = hasher.update_reader(&mut file)?;
    }
    Ok(hasher.finalize().into())
}

/// Every file below a folder, by ascending path.
pub(super) fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(folder, MAX_DEPTH, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let item = item?;
        if !item.file_type()?.is_dir() {
            found.push(item.path());
        } else if depth > 0 {
            collect(&item.path(), depth - 1, found)?;
        }
    }
    Ok(())
}
