//! What can go wrong, by what the caller can do about it.

use std::error::Error as StdError;
use std::fmt;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No archive here: create it.
    NotFound,
    /// `create` over an existing archive: open it, or choose another place.
    Exists,
    /// Another process has it: wait, or stop that one.
    Locked,
    /// Written by a newer version: upgrade.
    Unsupported,
    /// The caller broke a documented limit: fix the call.
    InvalidInput,
    /// The storage failed and nothing was changed: retry.
    Io,
    /// Stored bytes are wrong: run `verify`, restore from a copy.
    Corrupt,
    /// An earlier write or sync failed: reopen to see what survived.
    Stopped,
}

impl ErrorKind {
    /// The word that starts the error's line.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::Exists => "exists",
            Self::Locked => "locked",
            Self::Unsupported => "unsupported",
            Self::InvalidInput => "invalid input",
            Self::Io => "storage failed",
            Self::Corrupt => "corrupt",
            Self::Stopped => "stopped",
        }
    }
}

/// One opaque error; `kind` says what to do, `file` and `offset` where.
///
/// `Display` is one lower-case line without the cause; `source` has the cause.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    file: Option<String>,
    offset: Option<u64>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner { kind, message, file: None, offset: None, source: None }))
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn io(action: &str, file: &str, cause: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, action).in_file(file).caused_by(cause)
    }

    #[must_use]
    pub(crate) fn in_file(mut self, file: impl Into<String>) -> Self {
        let _ = self.0.file.get_or_insert_with(|| file.into());
        self
    }

    #[must_use]
    pub(crate) fn at(mut self, offset: u64) -> Self {
        let _ = self.0.offset.get_or_insert(offset);
        self
    }

    #[must_use]
    pub(crate) fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file inside the archive that the error is about.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The byte offset in [`Error::file`].
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.0.kind.word())?;
        if let Some(file) = &self.0.file {
            write!(f, "{file}: ")?;
        }
        if let Some(offset) = self.0.offset {
            write!(f, "offset {offset}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("file", &self.0.file)
            .field("offset", &self.0.offset)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_kind_file_offset_and_message_but_not_the_cause() {
        let cause = std::io::Error::other("disk on fire");
        let error = Error::corrupt("checksum is 1, should be 2")
            .in_file("segments/000017.seg")
            .at(4096)
            .caused_by(cause);
        assert_eq!(
            error.to_string(),
            "corrupt: segments/000017.seg: offset 4096: checksum is 1, should be 2"
        );
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("disk on fire"));
    }

    #[test]
    fn the_innermost_place_wins() {
        let error = Error::corrupt("x").in_file("inner").in_file("outer").at(1).at(2);
        assert_eq!((error.file(), error.offset()), (Some("inner"), Some(1)));
    }
}
