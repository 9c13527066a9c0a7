//! Connections: so many, each with limits on time and size, until somebody stops the server.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::guard::Gate;
use crate::routes;
use crate::site::Site;

/// Connections at once; more are closed as they come.
const CONNECTIONS: usize = 256;
/// A request's head arrives within this time, and an idle connection is closed after it.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// A request's head has no more bytes.
const HEAD_BYTES: usize = 64 << 10;
/// Nor more fields.
const HEAD_FIELDS: usize = 100;
/// What is being answered when the server stops may end within this time.
const LAST_TIME: Duration = Duration::from_secs(3);
/// What goes on in the background may come to a safe place within this time; it is safe without, too.
const WORK_TIME: Duration = Duration::from_secs(10);
/// How often it is asked whether to stop.
const LOOK: Duration = Duration::from_millis(100);
/// Threads that wait for the network: work is done on others.
const THREADS: usize = 2;

/// What proves who the server is, for another address than this machine's own.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate and those that signed it, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub struct Listening {
    /// With the port that was free, if none was named.
    pub address: SocketAddr,
    /// What opens it, with the token.
    pub link: String,
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.link)
    }
}

/// Serves until `stop` says so, which is asked ten times a second. Blocks, and owns its threads.
///
/// `ready` is told where it listens. Work in the background is asked to stop at the end, and goes on
/// when it is resumed. An address that others can reach needs `tls`.
pub fn serve(
    site: &Arc<Site>,
    (address, tls): (SocketAddr, Option<&Tls>),
    ready: impl FnOnce(&Listening),
    stop: &(dyn Fn() -> bool + Sync),
) -> io::Result<()> {
    if !address.ip().is_loopback() && tls.is_none() {
        let line = "an address that others can reach needs a certificate and its key";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, line));
    }
    let acceptor = tls.map(acceptor).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(crate::work::ROOM + THREADS)
        .thread_name("chatvault-web")
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        // A certificate is for a name, not for an address.
        let name = site.hosts().first().filter(|_| acceptor.is_some());
        let host = name.map_or(address.to_string(), |name| format!("{name}:{}", address.port()));
        let link = format!("{scheme}://{host}/?token={}", site.token());
        ready(&Listening { address, link });
        let warm = Arc::clone(site);
        drop(tokio::task::spawn_blocking(move || warm.warm()));
        let gate = Gate { site: Arc::clone(site), address, is_tls: acceptor.is_some() };
        accept(&listener, (routes::all(gate), acceptor), stop).await;
        Ok(())
    });
    site.works.stop_all(WORK_TIME);
    runtime.shutdown_timeout(LAST_TIME);
    served
}

async fn accept(
    listener: &TcpListener,
    (router, acceptor): (Router, Option<TlsAcceptor>),
    stop: &(dyn Fn() -> bool + Sync),
) {
    let (room, closing) = (Arc::new(Semaphore::new(CONNECTIONS)), GracefulShutdown::new());
    while !stop() {
        let next = tokio::time::timeout(LOOK, listener.accept());
        let Ok(Ok((stream, _))) = next.await else { continue };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (router, watcher) = (router.clone(), closing.watcher());
        let connection = Connection { router, watcher, _permit: permit };
        match acceptor.clone() {
            None => drop(tokio::spawn(connection.run(stream))),
            Some(acceptor) => drop(tokio::spawn(async move {
                let agreed = tokio::time::timeout(HEAD_TIME, acceptor.accept(stream));
                if let Ok(Ok(stream)) = agreed.await {
                    connection.run(stream).await;
                }
            })),
        }
    }
    // Streams of events have no end of their own.
    drop(tokio::time::timeout(LAST_TIME, closing.shutdown()).await);
}

struct Connection {
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let mut http = http1::Builder::new();
        let _ = http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
        let _ = http.max_buf_size(HEAD_BYTES).max_headers(HEAD_FIELDS);
        let service = TowerToHyperService::new(self.router);
        let served = http.serve_connection(TokioIo::new(stream), service);
        // A browser that went away is nobody's trouble.
        drop(self.watcher.watch(served).await);
    }
}

fn acceptor(tls: &Tls) -> io::Result<TlsAcceptor> {
    let wrong = |what: &Path, cause: String| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {cause}", what.display()))
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| wrong(&tls.certificate, cause.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|cause| wrong(&tls.key, cause.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|cause| wrong(&tls.certificate, cause.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
