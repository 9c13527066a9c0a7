//! What the server knows of each archive between two requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode};
use chatvault_engine::Snapshot;

use super::directory::Directory;
use super::refusal::{Refusal, Result};
use super::shares::Shares;
use crate::guard::Gate;
use crate::organisation::Organisation;
use crate::site::Site;

/// The server, as requests find it.
pub(super) struct Graph {
    gate: Gate,
    known: Mutex<HashMap<String, Arc<State>>>,
}

/// An archive, and what was read of it.
pub(super) struct State {
    pub(super) organisation: Arc<Organisation>,
    directory: Mutex<Arc<Directory>>,
    pub(super) shares: Shares,
}

impl Graph {
    pub(super) fn new(gate: Gate) -> Self {
        Self { gate, known: Mutex::default() }
    }

    pub(super) fn site(&self) -> &Site {
        &self.gate.site
    }

    /// Where the server is, in the words of whoever asked: links lead to where they came from.
    pub(super) fn origin(&self, headers: &HeaderMap) -> Result<String> {
        let scheme = if self.gate.is_tls { "https" } else { "http" };
        let host = self.gate.own_host(headers).ok_or_else(|| {
            let message = "This server does not go by that name.";
            Refusal::new(StatusCode::MISDIRECTED_REQUEST, "Request_BadRequest", message)
        })?;
        Ok(format!("{scheme}://{host}"))
    }

    /// The archive of an organisation; the only one has no name.
    pub(super) fn known(&self, organisation: &str) -> Result<Arc<State>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = known.get(organisation) {
            return Ok(Arc::clone(state));
        }
        let found = if self.site().is_folder() {
            self.site().organisation(organisation)?
        } else {
            self.site().organisations()?.pop().ok_or_else(|| Refusal::missing("tenant"))?
        };
        let state =
            State { organisation: found, directory: Mutex::default(), shares: Shares::default() };
        let state = Arc::new(state);
        drop(known.insert(organisation.to_owned(), Arc::clone(&state)));
        Ok(state)
    }
}

impl State {
    pub(super) fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.organisation.snapshot()?)
    }

    /// Who is there, read again when there is more.
    pub(super) fn directory(&self, snapshot: &Snapshot) -> Result<Arc<Directory>> {
        let mut directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner);
        if directory.commit != Some(snapshot.commit()) {
            let archive = self.organisation.reader()?;
            *directory = Arc::new(Directory::read(&archive, snapshot)?);
        }
        Ok(Arc::clone(&directory))
    }
}
