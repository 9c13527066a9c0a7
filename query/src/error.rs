//! What can be wrong with a query.

use chatvault_engine::ErrorKind;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can be wrong with a query, or with answering it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field has a value that it cannot have: write what is accepted.
    #[error("{field}: {value:?} is not accepted: {accepted}")]
    Value {
        /// The query's field.
        field: &'static str,
        /// What it had, shortened.
        value: String,
        /// What it takes.
        accepted: &'static str,
    },
    /// Two fields contradict each other: change one.
    #[error("{field} {conflict}")]
    Conflict {
        /// The query's field.
        field: &'static str,
        /// What contradicts it.
        conflict: &'static str,
    },
    /// The filter is not in the `$filter` language: correct it at the character named.
    #[error(transparent)]
    Filter(#[from] chatvault_base::filter::Unexpected),
    /// The search is not in our language: correct it at the character named.
    #[error(transparent)]
    Search(chatvault_base::reader::Unexpected),
    /// The full-text index cannot be used: bring it up to date, which builds it anew if needed.
    #[error("the search index {reason}")]
    Index {
        /// What is wrong with it.
        reason: &'static str,
        /// What the index's own library says.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The cursor is none of ours: pass the text of an earlier answer unchanged.
    #[error("cursor: not a cursor of this program: pass the text that an earlier query printed")]
    Cursor(#[source] chatvault_engine::Error),
    /// The commit is none of this archive's: begin anew without it.
    #[error("{field} is no commit of this archive")]
    Commit {
        /// The query's field.
        field: &'static str,
        /// What the archive has instead.
        #[source]
        cause: chatvault_engine::Error,
    },
    /// The file of a transcript is damaged: `verify` says what of it.
    #[error("the object {object} cannot be read")]
    Object {
        /// Its address.
        object: String,
        /// What is wrong with it.
        #[source]
        cause: std::io::Error,
    },
    /// The archive could not answer.
    #[error("cannot answer the query")]
    Archive(#[source] chatvault_engine::Error),
}

impl Error {
    /// What the caller can do, in the engine's words: `NotFound` is about the search index, which is
    /// to be built or brought up to date.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Archive(error) => error.kind(),
            Self::Object { .. } => ErrorKind::of(self).unwrap_or(ErrorKind::Io),
            Self::Index { cause, .. } => {
                let cause = cause.as_deref().and_then(|cause| ErrorKind::of(cause));
                cause.filter(|kind| *kind != ErrorKind::Corrupt).unwrap_or(ErrorKind::NotFound)
            }
            _ => ErrorKind::InvalidInput,
        }
    }

    /// Is the query wrong, rather than the archive?
    pub fn is_wrong_query(&self) -> bool {
        !matches!(self, Self::Archive(_) | Self::Object { .. } | Self::Index { .. })
    }

    pub(crate) fn value(field: &'static str, value: &str, accepted: &'static str) -> Self {
        /// Enough to recognise a value; an error stays one line.
        const SHOWN_CHARS: usize = 80;
        let value = value.chars().take(SHOWN_CHARS).collect();
        Self::Value { field, value, accepted }
    }
}
