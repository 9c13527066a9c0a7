//! A service of scripted answers on loopback, and what else the tests of the client share.

mod client;
mod download;
mod server;
mod token;

use std::sync::Arc;
use std::time::Duration;

use chatvault_base::{Clock, SystemClock};

use super::client::{App, Client};
use super::cloud::Cloud;
use super::credential::{Credential, Secret};
use super::limits::Limits;
use super::retry::Backoff;
use server::Server;

/// A key and its certificate that open nothing.
pub(crate) const PEM: &str = include_str!("app.pem");

/// What no error and no log may show.
const SECRET: &str = "s3cr~t/of+this&app=";

/// The key and its certificate, read as an operator's file is.
pub(crate) fn certificate() -> Credential {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.pem");
    write(&path, PEM);
    Credential::certificate_file(&path).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test's own file")]
fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn app(server: &Server) -> App {
    let cloud = Cloud::custom(&server.origin(), &server.origin()).unwrap();
    let credential = Arc::new(Credential::Secret(Secret::new(SECRET.to_owned())));
    App { tenant: "tenant".to_owned(), client_id: "app".to_owned(), credential, cloud }
}

/// Limits that let tests run at once: no pacing, four attempts.
fn limits() -> Limits {
    Limits {
        export_per_second: f64::INFINITY,
        app_per_second: f64::INFINITY,
        hosted_per_second: f64::INFINITY,
        chat_per_second: f64::INFINITY,
        attempts: 4,
        ..Limits::default()
    }
}

fn client(server: &Server) -> Client {
    client_of(app(server), &limits())
}

fn client_of(app: App, limits: &Limits) -> Client {
    let backoff = Backoff { first: Duration::from_millis(1), most: Duration::from_millis(2) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Client::with_backoff(app, limits, clock, backoff).unwrap()
}
