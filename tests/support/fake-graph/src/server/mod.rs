//! The HTTP half: a server on loopback that answers as the service does, or worse.

mod answer;
mod assertion;
mod behaviour;
mod body;
mod content;
mod delta;
mod directory;
mod endpoints;
mod exports;
mod faults;
mod filter;
mod hostile;
mod links;
mod listen;
mod query;
mod render;
mod request;
mod route;
mod seen;
mod service;
mod throttle;
mod token;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use behaviour::{
    Access, Behaviour, CLIENT_ID, Faults, Foreign, Hostile, Paging, ROLES, SECRET, Throttle,
};
pub use seen::{Class, Seen};
pub use service::Source;

use crate::Ms;
use listen::{Place, listen};
use service::Service;

/// A running fake. It stops when this is dropped.
#[derive(Debug)]
pub struct FakeGraph {
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeGraph {
    /// Starts a fake on a free port of 127.0.0.1, in a thread of its own.
    pub fn start(source: Source, behaviour: Behaviour) -> io::Result<Self> {
        Self::start_at(0, source, behaviour)
    }

    /// Starts a fake on a port of 127.0.0.1; 0 takes a free one.
    pub fn start_at(port: u16, source: Source, behaviour: Behaviour) -> io::Result<Self> {
        let graph = bind(port)?;
        let elsewhere = bind(0)?;
        let origin = |listener: &TcpListener| {
            listener.local_addr().map(|address| format!("http://{address}"))
        };
        let origins = [origin(&graph)?, origin(&elsewhere)?];
        let service = Arc::new(Service::new(source, behaviour, origins));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&service);
        let listeners = [(graph, Place::Graph), (elsewhere, Place::Elsewhere)];
        let serve = move || runtime.block_on(serve(listeners, shared, stopped));
        let thread = std::thread::Builder::new().name("fake-graph".to_owned()).spawn(serve)?;
        Ok(Self { service, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:port`, of the token endpoint and of Graph.
    pub fn origin(&self) -> String {
        self.service.origin.clone()
    }

    /// The origin that downloads of files lead to, where no token belongs.
    pub fn elsewhere(&self) -> String {
        self.service.elsewhere.clone()
    }

    /// The tenant's id.
    pub fn tenant_id(&self) -> String {
        self.service.source.tenant_id().to_owned()
    }

    /// Sets the tenant's time; `None` is the real one. Limits and tokens go by real time all the same.
    pub fn set_now(&self, now: Option<Ms>) {
        self.service.set_now(now);
    }

    /// The tenant's time.
    pub fn now(&self) -> Ms {
        self.service.now()
    }

    /// Changes how the next requests are answered.
    pub fn set(&self, behaviour: Behaviour) {
        self.service.behave(behaviour);
    }

    /// How requests are answered now.
    pub fn behaviour(&self) -> Behaviour {
        (*self.service.behaviour()).clone()
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.service.seen()
    }
}

impl Drop for FakeGraph {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(
    listeners: [(TcpListener, Place); 2],
    service: Arc<Service>,
    stopped: oneshot::Receiver<()>,
) {
    for (listener, place) in listeners {
        if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
            drop(tokio::spawn(listen(listener, place, Arc::clone(&service))));
        }
    }
    drop(stopped.await);
}

fn bind(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests;
