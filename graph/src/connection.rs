//! Connections: TLS by rustls, with the platform's certificate authorities and bundled ones.
//!
//! Invariants: no redirect is followed, no cookie kept and no referrer sent; nothing global is
//! installed, so another rustls in the same process is not disturbed. A cloud on this machine is
//! asked without a proxy, others as the environment says.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_platform_verifier::Verifier;
use tokio::time::Instant;

use super::cloud::Cloud;
use super::failure::{Failure, FailureKind, clean};

/// A connection is made within this time, or not at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// Connections are not thrown away more often: one broken answer among many is no reason.
const RENEW_AFTER: Duration = Duration::from_secs(1);

/// Connections that can be thrown away, all at once, when they turn out to be bad.
#[derive(Debug)]
pub(crate) struct Connections {
    tls: ClientConfig,
    patience: Duration,
    direct: bool,
    current: Mutex<Pools>,
}

/// The connections of now.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    /// Asks for gzip and unpacks it.
    pub(crate) json: reqwest::Client,
    /// Gives bytes as they come, so that parts of them can be asked for.
    pub(crate) raw: reqwest::Client,
    made: Instant,
}

impl Connections {
    pub(crate) fn new(cloud: &Cloud, patience: Duration) -> Result<Self, Failure> {
        let (tls, direct) = (tls(cloud)?, cloud.is_local());
        let current = Mutex::new(pools(&tls, patience, direct)?);
        Ok(Self { tls, patience, direct, current })
    }

    pub(crate) fn current(&self) -> Pools {
        self.lock().clone()
    }

    /// Next time new connections are made: the ones of `used` turned out to be bad.
    pub(crate) fn renew(&self, used: &Pools) {
        let mut current = self.lock();
        if current.made != used.made || current.made.elapsed() < RENEW_AFTER {
            return;
        }
        // What could be built once can be built again; if not, the old ones still serve.
        if let Ok(pools) = pools(&self.tls, self.patience, self.direct) {
            *current = pools;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pools> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tls(cloud: &Cloud) -> Result<ClientConfig, Failure> {
    let failed = |error: rustls::Error| {
        Failure::new(FailureKind::Local, format!("TLS cannot be set up: {error}"))
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().chain(cloud.authorities());
    let verifier = Verifier::new_with_extra_roots(bundled.cloned(), Arc::clone(&provider));
    let verifier = Arc::new(verifier.map_err(failed)?);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        // "Dangerous" in name only: this is the platform's own verifier.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn pools(tls: &ClientConfig, patience: Duration, direct: bool) -> Result<Pools, Failure> {
    let build = |gzip: bool| {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .gzip(gzip)
            .connect_timeout(CONNECT_WITHIN)
            .read_timeout(patience)
            .user_agent(concat!("chatvault/", env!("CARGO_PKG_VERSION")));
        let builder = if direct { builder.no_proxy() } else { builder };
        builder.build().map_err(|error| {
            let message = format!("HTTP cannot be set up: {}", innermost(&error.without_url()));
            Failure::new(FailureKind::Local, message)
        })
    };
    Ok(Pools { json: build(true)?, raw: build(false)?, made: Instant::now() })
}

/// A connection that could not be made or broke: which host, and why.
pub(crate) fn broken(error: &reqwest::Error, host: &str) -> Failure {
    let cause = innermost(error);
    let message = if error.is_dns() {
        format!("the host {host} cannot be found: check its name, DNS and the proxy ({cause})")
    } else if let Some(tls) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())
    {
        let tls = clean(&tls.to_string());
        format!("no TLS with {host}: {tls}; a proxy that opens TLS needs its authority trusted")
    } else if error.is_timeout() {
        format!("{host} does not answer in time")
    } else if error.is_connect() {
        format!("no connection to {host}: {cause}")
    } else {
        format!("the connection to {host} broke: {cause}")
    };
    Failure::new(FailureKind::Network, message)
}

/// What is behind an error, outermost first. An `io::Error` does not name what it carries as its
/// source, so it is opened here.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| behind(*error))
}

fn behind<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(carried) => Some(carried),
        None => error.source(),
    }
}

/// The first cause of all. The outer ones name addresses with their queries.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(|error| clean(&error.to_string())).unwrap_or_default()
}
