//! An archive behind a server that answers as Graph does, and a client that knows little of it.

use std::path::Path;
use std::sync::Arc;

use chatvault_ingest::graph::{App, Cloud, Credential, Secret};
use chatvault_web::{Settings, Site};
use serde_json::Value;

use crate::kit::server::Answer;

/// A server of archives as Graph.
#[derive(Debug)]
pub(super) struct Server(crate::kit::server::Server);

impl std::ops::Deref for Server {
    type Target = crate::kit::server::Server;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Server {
    /// Serves an archive, or a folder of them; port 0 is one that is free.
    pub(super) fn start(place: &Path, port: u16) -> Self {
        let settings = Settings { place: place.to_owned(), ..Settings::default() };
        let site = Site::open(settings).unwrap().as_graph();
        Self(crate::kit::server::Server::start(site, port))
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `sync` is told to read it.
    pub(super) fn app(&self) -> App {
        App {
            tenant: "any".to_owned(),
            client_id: "any".to_owned(),
            credential: Arc::new(Credential::Secret(Secret::new(self.token.clone()))),
            cloud: Cloud::custom(&self.origin(), &self.origin()).unwrap(),
        }
    }

    /// A token, as the service gives it for a tenant.
    pub(super) fn token_of(&self, tenant: &str, secret: &str) -> Answer {
        let body = format!("grant_type=client_credentials&client_id=any&client_secret={secret}");
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        self.send("POST", &format!("/{tenant}/oauth2/v2.0/token"), &[kind], body.as_bytes())
    }

    pub(super) fn token(&self) -> String {
        let answer = self.token_of("any", &self.token);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Asks with a token.
    pub(super) fn get(&self, token: &str, path: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send("GET", path, &[("Authorization", &bearer)], b"")
    }

    /// A link of an answer, which leads to this server.
    pub(super) fn follow(&self, token: &str, link: &Value) -> Answer {
        let link = link.as_str().unwrap();
        self.get(token, link.strip_prefix(&self.origin()).unwrap())
    }

    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let answer = self.0.send(method, path, headers, body);
        assert!(answer.status > 0, "it answers");
        assert_eq!(answer.header("transfer-encoding"), "", "its length is known");
        answer
    }
}
