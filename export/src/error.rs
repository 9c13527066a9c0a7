//! What can go wrong while parts are written, by what the caller can do about it.

use std::io;
use std::sync::mpsc::RecvError;

use chatvault_engine::ErrorKind;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong while parts are written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder of the export failed: mend it and resume.
    #[error("cannot {action} {file}")]
    Folder {
        /// What was tried.
        action: &'static str,
        /// On which file.
        file: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A content could not be read to its end: mend the archive, or list the content as unavailable.
    #[error("cannot read the content of {path}")]
    Content {
        /// The member it was for.
        path: String,
        /// What its reader said.
        #[source]
        cause: io::Error,
    },
    /// A content is not what was announced: the archive or the plan is wrong.
    #[error("the content of {path} {problem}")]
    OtherContent {
        /// The member it was for.
        path: String,
        /// In what way it differs.
        problem: String,
    },
    /// A size, level or name that cannot be: write what is accepted.
    #[error("{field}: {value} is not accepted: {accepted}")]
    Setting {
        /// Which setting.
        field: &'static str,
        /// What it had.
        value: String,
        /// What it takes.
        accepted: &'static str,
    },
    /// A field of the request is wrong: correct it.
    #[error(transparent)]
    Request(chatvault_query::Error),
    /// The cap leaves no room for what every part must have: choose a larger one.
    #[error("parts of {part_bytes} bytes are too small: {what} needs {needed}")]
    TooSmall {
        /// The cap.
        part_bytes: u64,
        /// What does not fit.
        what: String,
        /// How large a part would have to be.
        needed: u64,
    },
    /// A member's name that is unsafe, too long, or there already: a renderer is wrong.
    #[error("{path}: not a name for a member: {problem}")]
    MemberName {
        /// The name.
        path: String,
        /// Why not.
        problem: &'static str,
    },
    /// An export of this name is in the folder: resume it, or choose another folder.
    #[error("{file} is there already: resume that export or choose another folder")]
    Exists {
        /// Its index.
        file: String,
    },
    /// A part with this export's id is in the folder, and no index lists it: move it away, or choose
    /// another folder.
    #[error(
        "{part} is there already, and no index lists it: move it away or choose another folder"
    )]
    Taken {
        /// The part.
        part: String,
    },
    /// The folder's index belongs to other inputs: resume with the first call's selection.
    #[error("{file} is the index of another export: {problem}")]
    OtherExport {
        /// The index.
        file: String,
        /// What is different.
        problem: String,
    },
    /// The index cannot be understood: restore it, or start in another folder.
    #[error("{file}: not an index: {problem}")]
    Index {
        /// The index.
        file: String,
        /// Why not.
        problem: String,
    },
    /// A finished part is not what the index says: put the right file back, or remove it to have it
    /// written again.
    #[error("{part} was changed after it was finished: {problem}")]
    Changed {
        /// The part.
        part: String,
        /// What is different.
        problem: String,
    },
    /// A part that was written again has other bytes than the first time: the inputs changed.
    #[error(
        "{part} was written again with other bytes ({found}, was {expected}): the archive, the \
         options or the program changed since the export began"
    )]
    Differs {
        /// The part.
        part: String,
        /// Its first SHA-256.
        expected: String,
        /// The one it has now.
        found: String,
    },
    /// Another process writes this export: wait, or stop that one.
    #[error("{export} is being written by another process")]
    Locked {
        /// The export.
        export: String,
    },
    /// The archive could not answer.
    #[error("the archive cannot answer")]
    Archive(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Calls came in an order that makes no export.
    #[error("wrong use of the part writer: {0}")]
    Order(&'static str),
    /// The caller asked to stop; finished parts stay and can be resumed from.
    #[error("cancelled")]
    Cancelled,
    /// A thread of ours ended before its work did: a bug, or a system without threads.
    #[error("a worker thread ended early")]
    Worker,
}

impl From<RecvError> for Error {
    fn from(_: RecvError) -> Self {
        Self::Worker
    }
}

impl Error {
    /// What the caller can do, in the engine's words, which are about the folder of the export here
    /// where they are about an archive there.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Request(error) => error.kind(),
            Self::Folder { .. } | Self::Content { .. } | Self::Archive(_) | Self::Worker => {
                ErrorKind::of(self).unwrap_or(ErrorKind::Io)
            }
            Self::Exists { .. } | Self::Taken { .. } => ErrorKind::Exists,
            Self::OtherContent { .. }
            | Self::Index { .. }
            | Self::Changed { .. }
            | Self::Differs { .. } => ErrorKind::Corrupt,
            Self::Locked { .. } => ErrorKind::Locked,
            Self::Cancelled => ErrorKind::Cancelled,
            _ => ErrorKind::InvalidInput,
        }
    }

    /// Is the request wrong, rather than the archive or the folder?
    pub fn is_wrong_request(&self) -> bool {
        matches!(self, Self::Request(_) | Self::Setting { .. } | Self::TooSmall { .. })
    }

    /// For `map_err`: what was tried on which file.
    pub(crate) fn folder(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Folder { action, file: file.to_owned(), cause }
    }

    /// For `map_err`: whose content it was.
    pub(crate) fn content(path: &str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Content { path: path.to_owned(), cause }
    }
}
