//! What stops a sync. What concerns one account is in the [`SyncReport`](super::SyncReport).

use std::io;
use std::path::PathBuf;

use crate::graph::Failure;

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
