//! What stops an import. What concerns one file is in the [`Summary`](crate::Summary) instead.

use std::io;
use std::path::PathBuf;

use chatvault_engine::ErrorKind;

/// Why an import stopped. What was committed before stays; running it again is safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive refused: its error says what to do.
    #[error("the archive took no more")]
    Archive(#[source] chatvault_engine::Error),
    /// A source that was named cannot be read: check the name.
    #[error("{}: cannot be read", .path.display())]
    Source {
        /// As it was given.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A source's custodian has no id: say whose export it is.
    #[error(transparent)]
    Custodian(chatvault_engine::Error),
    /// Standard input was named more than once: name it once.
    #[error("standard input can be read only once")]
    InputTwice,
    /// The system starts no thread: end something else, and run it again.
    #[error("no thread can be started")]
    Thread(#[source] io::Error),
}

impl Error {
    /// What the caller can do, in the engine's words.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Archive(error) | Self::Custodian(error) => error.kind(),
            Self::Thread(cause) => ErrorKind::of(cause).unwrap_or(ErrorKind::Io),
            Self::Source { cause, .. } if cause.kind() != io::ErrorKind::NotFound => {
                ErrorKind::of(cause).unwrap_or(ErrorKind::Io)
            }
            Self::Source { .. } | Self::InputTwice => ErrorKind::InvalidInput,
        }
    }
}
