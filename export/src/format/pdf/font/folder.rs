//! Fonts from the host's files and folders, when it names them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{FontError, Fonts};

/// A font file larger than this is not read: the largest collections have about 130 MB.
const LARGEST_BYTES: u64 = 256 << 20;

/// A font file, or a folder of them, that the host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FontFolder(PathBuf);

/// A file that was passed over, and why.
#[derive(Debug)]
pub struct FontSkipped {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub reason: FontError,
}

impl fmt::Display for FontSkipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.reason)
    }
}

impl FontFolder {
    /// A file, or a folder whose font files (not those in folders within) are meant.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Adds what is there, in the order of the file names. What is no usable font is passed over and
    /// returned; a folder or file that cannot be read is an error.
    pub fn add_to(&self, fonts: &mut Fonts) -> io::Result<Vec<FontSkipped>> {
        let mut skipped = Vec::new();
        for path in self.files()? {
            if let Err(reason) = fonts.add(read(&path)?) {
                skipped.push(FontSkipped { path, reason });
            }
        }
        Ok(skipped)
    }

    #[expect(clippy::disallowed_methods, reason = "the host names this folder; it is no archive")]
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        if !std::fs::metadata(&self.0)?.is_dir() {
            return Ok(vec![self.0.clone()]);
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let path = entry?.path();
            if is_font(&path) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

fn is_font(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["ttf", "otf", "ttc", "otc"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

#[expect(clippy::disallowed_methods, reason = "the host names this file; it is no archive")]
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > LARGEST_BYTES {
        let problem = format!("{} has {bytes} bytes, too many for a font", path.display());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    std::fs::read(path)
}
