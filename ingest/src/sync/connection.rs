//! How a tenant is reached, as an archive keeps it for later runs: everything but the secret.

use std::path::PathBuf;

use chatvault_engine::Archive;
use serde::{Deserialize, Serialize};

use super::{SyncError, store};

/// What a run has to be told to reach its tenant. A secret is none of it: only its file is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Connection {
    /// The tenant's id or one of its domains.
    pub tenant: Option<String>,
    /// The app registration's client id.
    pub client_id: Option<String>,
    /// The cloud's name.
    pub cloud: Option<String>,
    /// Of a cloud of one's own: where tokens come from.
    pub login_url: Option<String>,
    /// Of a cloud of one's own: where Graph is.
    pub graph_url: Option<String>,
    /// Certificate authorities to trust besides the usual ones.
    pub authorities: Option<PathBuf>,
    /// The file that holds the client secret.
    pub client_secret_file: Option<PathBuf>,
    /// The file that holds certificate and key.
    pub certificate: Option<PathBuf>,
    /// When the secret ends, in milliseconds since 1970.
    pub secret_expires_ms: Option<i64>,
}

/// The connection that the archive keeps.
pub fn connection(archive: &Archive) -> Result<Option<Connection>, SyncError> {
    store::get(archive, store::CONNECTION)
}

/// Keeps the connection in the archive, instead of the one before; durable on return.
pub fn save_connection(archive: &Archive, connection: &Connection) -> Result<(), SyncError> {
    let mut batch = archive.batch(archive.begin_run("connection")?);
    store::put(&mut batch, store::CONNECTION, connection)?;
    drop(batch.commit()?);
    Ok(())
}
