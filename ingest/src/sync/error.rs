//! What stops a sync. What concerns one account is in the [`SyncReport`](super::SyncReport).

use std::io;
use std::path::PathBuf;

use chatvault_engine::ErrorKind;

use chatvault_graph::{Failure, FailureKind};

/// Why nothing more can be done. What was committed before stays; running again goes on there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The archive refused: its error says what to do.
    #[error("the archive took no more")]
    Archive(#[from] chatvault_engine::Error),
    /// The service refused, or could not be reached.
    #[error(transparent)]
    Service(#[from] Failure),
    /// The archive holds another tenant: use an archive for each.
    #[error(
        "this archive belongs to tenant {archive}, not to {asked}: use an archive for each tenant"
    )]
    WrongTenant {
        /// Whose messages it holds.
        archive: String,
        /// Whose were asked for.
        asked: String,
    },
    /// An option or name makes no sense; says which and why.
    #[error("{0}")]
    Input(String),
    /// A value that `sync` keeps in the archive is none that this version wrote: upgrade, or start
    /// that account afresh.
    #[error("{name}: not what this version of sync keeps there")]
    Kept {
        /// The checkpoint.
        name: String,
        /// Why it cannot be read.
        #[source]
        cause: serde_json::Error,
    },
    /// Something on this machine failed: a file, a thread, the network stack.
    #[error("{}: {action}", .path.display())]
    Local {
        /// The file or folder, if there is one.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl SyncError {
    /// What the caller can do, in the engine's words; of the service its [`Failure`] tells more.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Archive(error) => error.kind(),
            Self::Service(failure) => in_engines_words(failure.kind),
            Self::WrongTenant { .. } | Self::Input(_) => ErrorKind::InvalidInput,
            Self::Kept { .. } => ErrorKind::Unsupported,
            Self::Local { cause, .. } => ErrorKind::of(cause).unwrap_or(ErrorKind::Io),
        }
    }
}

fn in_engines_words(kind: FailureKind) -> ErrorKind {
    match kind {
        FailureKind::TimedOut
        | FailureKind::Throttled
        | FailureKind::Service
        | FailureKind::Network
        | FailureKind::Local => ErrorKind::Io,
        FailureKind::Credentials
        | FailureKind::Permission
        | FailureKind::Payment
        | FailureKind::Licence
        | FailureKind::Delegated
        | FailureKind::Hostile => ErrorKind::Denied,
        _ => ErrorKind::InvalidInput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_service_is_worth_a_retry_and_a_refusal_is_not() {
        let kind = |kind| {
            let (status, code, request_id, at) = (None, None, None, None);
            let message = String::new();
            let failure = Failure { kind, status, code, message, request_id, at };
            SyncError::from(failure).kind()
        };
        assert!(kind(FailureKind::Throttled).is_retryable());
        assert!(kind(FailureKind::Network).is_retryable());
        assert_eq!(kind(FailureKind::Permission), ErrorKind::Denied);
        assert!(!kind(FailureKind::Credentials).is_retryable());
    }
}
