//! What can go wrong, by what the caller can do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::types::{Sequence, Timestamp};

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
    /// The disk, or a quota on it, is full and nothing was changed: free space, then retry.
    NoSpace,
    /// The system refused access, or the place is read-only: change permissions or the mount.
    Denied,
    /// Stored bytes are wrong, cut short or missing: run `verify`; read what is whole with salvage,
    /// repair the archive into a new one, or put the files back from a copy.
    Corrupt,
    /// An earlier write or sync failed: reopen to see what survived. The error's sources say what
    /// failed: free space first if one of them is `NoSpace`.
    Stopped,
    /// This handle, or another of the same opening, was closed: open the archive again if more is
    /// to be done.
    Closed,
    /// The caller asked to stop: what was done before is kept.
    Cancelled,
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
            Self::NoSpace => "no space",
            Self::Denied => "access denied",
            Self::Corrupt => "corrupt",
            Self::Stopped => "stopped",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Can the same call succeed later, though nobody changes it or mends the archive? Then wait and
    /// retry; all others come back until somebody does what the kind says.
    ///
    /// ```
    /// use chatvault_engine::ErrorKind;
    ///
    /// assert!(ErrorKind::Locked.is_retryable() && !ErrorKind::Corrupt.is_retryable());
    /// ```
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Locked | Self::Io | Self::NoSpace)
    }

    /// What the caller can do about any error: what the first error of this crate says among it and
    /// its sources, or else what the system said. `None` if neither is among them.
    pub fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut links = std::iter::successors(Some(error), |error| (**error).source());
        links.find_map(|error| match error.downcast_ref::<io::Error>() {
            // An error inside of the system's is not among its sources.
            Some(system) => {
                let inside = system.get_ref().and_then(|inside| Self::of(inside));
                Some(inside.unwrap_or_else(|| Self::of_system(system.kind())))
            }
            None => error.downcast_ref::<Error>().map(Error::kind),
        })
    }

    /// Did the storage fail? Then nothing is known about the bytes that it was asked for.
    pub(crate) fn is_of_storage(self) -> bool {
        matches!(self, Self::Io | Self::NoSpace | Self::Denied)
    }

    fn of_system(cause: io::ErrorKind) -> Self {
        use io::ErrorKind as Cause;
        match cause {
            Cause::StorageFull | Cause::QuotaExceeded | Cause::FileTooLarge => Self::NoSpace,
            Cause::PermissionDenied | Cause::ReadOnlyFilesystem => Self::Denied,
            // The only call that says so is a read behind the end of a file.
            Cause::UnexpectedEof => Self::Corrupt,
            Cause::InvalidInput | Cause::InvalidFilename => Self::InvalidInput,
            _ => Self::Io,
        }
    }
}

/// One opaque error; `kind` says what to do, `file` and `offset` where.
///
/// `Display` is one lower-case line without the cause; `source` has the cause. Clones share it.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    file: Option<String>,
    offset: Option<u64>,
    touched: Option<Touched>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What a damage takes with it, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) conversations: Vec<String>,
    pub(crate) rows: Option<u64>,
    /// The first and the last time of creation.
    pub(crate) created: Option<(Timestamp, Timestamp)>,
    /// The first and the last commit.
    pub(crate) commits: Option<(Sequence, Sequence)>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Inner {
            kind,
            message,
            file: None,
            offset: None,
            touched: None,
            source: None,
        }))
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// What the storage said when it was asked for `action`; a file that ends too early is damage.
    pub(crate) fn io(action: &str, file: &str, cause: io::Error) -> Self {
        let kind = ErrorKind::of_system(cause.kind());
        let action = if kind == ErrorKind::Corrupt { "file is cut short" } else { action };
        Self::new(kind, action).in_file(file).caused_by(cause)
    }

    /// What the storage said when it was asked for a file that the archive must have.
    pub(crate) fn opening(file: &str, cause: io::Error) -> Self {
        use io::ErrorKind as Cause;
        match cause.kind() {
            Cause::NotFound | Cause::NotADirectory | Cause::IsADirectory => {
                Self::corrupt("file is missing").in_file(file).caused_by(cause)
            }
            _ => Self::io("open", file, cause),
        }
    }

    /// Names the file, unless it is named already or "", the archive's own folder.
    #[must_use]
    pub(crate) fn in_file(mut self, file: impl Into<String>) -> Self {
        let file = file.into();
        if !file.is_empty() {
            let _ = self.0.file.get_or_insert(file);
        }
        self
    }

    #[must_use]
    pub(crate) fn at(mut self, offset: u64) -> Self {
        let _ = self.0.offset.get_or_insert(offset);
        self
    }

    #[must_use]
    pub(crate) fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(cause.into()));
        self
    }

    #[must_use]
    pub(crate) fn touching(mut self, touched: Touched) -> Self {
        let _ = self.0.touched.get_or_insert(touched);
        self
    }

    /// What the damage takes with it, as the innermost error that knows says.
    pub(crate) fn touched(&self) -> Touched {
        let ours = self.causes().filter_map(|cause| cause.downcast_ref::<Self>());
        ours.filter_map(|error| error.0.touched.as_ref()).last().cloned().unwrap_or_default()
    }

    /// The error and its causes, outermost first.
    pub(crate) fn causes(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        let first: &(dyn StdError + 'static) = self;
        std::iter::successors(Some(first), |error| (**error).source())
    }

    /// Did reading or writing fail, here or at the bottom of it? Else the bytes are wrong.
    pub(crate) fn is_storage_failure(&self) -> bool {
        self.is_or_was(ErrorKind::is_of_storage)
    }

    /// Was the disk full, here or at the bottom of it?
    pub(crate) fn is_for_room(&self) -> bool {
        self.is_or_was(|kind| kind == ErrorKind::NoSpace)
    }

    fn is_or_was(&self, wanted: impl Fn(ErrorKind) -> bool) -> bool {
        let mut ours = self.causes().filter_map(|cause| cause.downcast_ref::<Self>());
        ours.any(|error| wanted(error.kind()))
    }

    /// Can a part of the archive not be read: damaged, missing, or on a bad place of the disk?
    pub(crate) fn is_unreadable(&self) -> bool {
        self.kind() == ErrorKind::Corrupt || self.kind().is_of_storage()
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
        let cause = io::Error::other("disk on fire");
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
    fn what_the_system_says_becomes_what_the_caller_can_do() {
        use io::ErrorKind as Cause;
        let table = [
            (Cause::StorageFull, ErrorKind::NoSpace),
            (Cause::QuotaExceeded, ErrorKind::NoSpace),
            (Cause::FileTooLarge, ErrorKind::NoSpace),
            (Cause::PermissionDenied, ErrorKind::Denied),
            (Cause::ReadOnlyFilesystem, ErrorKind::Denied),
            (Cause::UnexpectedEof, ErrorKind::Corrupt),
            (Cause::InvalidFilename, ErrorKind::InvalidInput),
            (Cause::NotFound, ErrorKind::Io),
            (Cause::Interrupted, ErrorKind::Io),
        ];
        for (cause, kind) in table {
            assert_eq!(Error::io("do", "f", cause.into()).kind(), kind, "{cause:?}");
        }
        assert_eq!(Error::opening("f", Cause::NotFound.into()).kind(), ErrorKind::Corrupt);
        assert_eq!(Error::opening("f", Cause::PermissionDenied.into()).kind(), ErrorKind::Denied);
        let own = Error::io("make folder", "", Cause::Interrupted.into());
        assert_eq!((own.file(), &*own.to_string()), (None, "storage failed: make folder"));
    }

    #[test]
    fn a_kind_is_found_below_other_errors_and_inside_of_the_systems() {
        let ours = || Error::new(ErrorKind::Locked, "x");
        let system = |kind: io::ErrorKind| io::Error::from(kind);
        let wrapped = Error::invalid("x").caused_by(ours());
        assert_eq!(ErrorKind::of(&wrapped), Some(ErrorKind::InvalidInput), "the outermost");
        assert_eq!(ErrorKind::of(&io::Error::other(ours())), Some(ErrorKind::Locked));
        assert_eq!(ErrorKind::of(&io::Error::other("x")), Some(ErrorKind::Io));
        let full = io::Error::other(system(io::ErrorKind::StorageFull));
        assert_eq!(ErrorKind::of(&full), Some(ErrorKind::NoSpace));
        assert_eq!(ErrorKind::of(&fmt::Error), None);
    }

    #[test]
    fn the_innermost_place_wins() {
        let error = Error::corrupt("x").in_file("inner").in_file("outer").at(1).at(2);
        assert_eq!((error.file(), error.offset()), (Some("inner"), Some(1)));
    }
}
