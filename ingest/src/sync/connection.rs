//! How a tenant is reached, as an archive keeps it for later runs: everything but the secret.

use std::path::PathBuf;
use std::sync::Arc;

use chatvault_engine::{Archive, Timestamp};
use chatvault_graph::{App, Cloud, Credential, CredentialError, InvalidCloud, Secret};
use serde::{Deserialize, Serialize};

use super::{Service, SyncError, store};

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

/// Why a connection leads nowhere. Who reads one from options or a form says which of these is meant.
///
/// No value is repeated: it could be a secret in the wrong place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The tenant is missing, or none.
    #[error("name the tenant by its id or one of its domains: letters, digits, dots and hyphens")]
    Tenant,
    /// The client id is missing, or none.
    #[error("name the app registration's client id: letters, digits, dots and hyphens")]
    ClientId,
    /// There is no cloud of this name.
    #[error("there is no such cloud")]
    Cloud,
    /// A cloud of one's own needs both addresses.
    #[error("a cloud of your own needs both of its addresses")]
    Addresses,
    /// Addresses are given for a cloud that has its own.
    #[error("addresses are for a cloud of your own")]
    OwnAddresses,
    /// Nothing proves the app.
    #[error("name the file of the client secret, or of the certificate")]
    NoProof,
    /// What an address or a file of authorities says is of no use.
    #[error(transparent)]
    Unfit(#[from] InvalidCloud),
    /// The file of a secret or certificate is of no use.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

/// Where most tenants are.
const USUAL_CLOUD: &str = "global";

impl Connection {
    /// The name of a cloud whose addresses are given.
    pub const CUSTOM: &'static str = "custom";

    /// The service that it leads to, with the documented limits. `secret` proves the app if no file does.
    ///
    /// [`ConnectionError`] names what is missing or not accepted.
    pub fn service(&self, secret: Option<Secret>) -> Result<Service, ConnectionError> {
        let tenant = name(self.tenant.as_deref()).ok_or(ConnectionError::Tenant)?;
        let client_id = name(self.client_id.as_deref()).ok_or(ConnectionError::ClientId)?;
        let cloud = self.cloud()?;
        let credential = match (&self.certificate, &self.client_secret_file, secret) {
            (Some(file), _, _) => Credential::certificate_file(file)?,
            (None, Some(file), _) => Credential::secret_file(file)?,
            (None, None, Some(secret)) => Credential::Secret(secret),
            (None, None, None) => return Err(ConnectionError::NoProof),
        };
        let app = App { tenant, client_id, credential: Arc::new(credential), cloud };
        let secret_expires = self.secret_expires_ms.map(Timestamp::from_ms);
        Ok(Service { secret_expires, ..Service::new(app) })
    }

    fn cloud(&self) -> Result<Cloud, ConnectionError> {
        let name = self.cloud.as_deref().unwrap_or(USUAL_CLOUD);
        let cloud = match (&self.login_url, &self.graph_url) {
            (Some(login), Some(graph)) if name == Self::CUSTOM => Cloud::custom(login, graph)?,
            (None, None) if name != Self::CUSTOM => {
                Cloud::named(name).ok_or(ConnectionError::Cloud)?
            }
            (None, None) => return Err(ConnectionError::Addresses),
            _ if name == Self::CUSTOM => return Err(ConnectionError::Addresses),
            _ => return Err(ConnectionError::OwnAddresses),
        };
        Ok(match &self.authorities {
            Some(file) => cloud.with_authorities(file)?,
            None => cloud,
        })
    }
}

/// What stands in an address as it is.
fn name(value: Option<&str>) -> Option<String> {
    let value = value?.trim();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (!value.is_empty() && value.bytes().all(is_name)).then(|| value.to_owned())
}

/// The connection that the archive keeps.
///
/// `Archive` if the archive cannot be read.
pub fn connection(archive: &Archive) -> Result<Option<Connection>, SyncError> {
    store::get(archive, store::CONNECTION)
}

/// Keeps the connection in the archive, instead of the one before; durable on return.
///
/// `Archive` if the archive takes no commits.
pub fn save_connection(archive: &Archive, connection: &Connection) -> Result<(), SyncError> {
    let mut batch = archive.batch(archive.begin_run("connection")?);
    store::put(&mut batch, store::CONNECTION, connection)?;
    drop(batch.commit()?);
    Ok(())
}
