//! An archive behind a server that answers as Graph does, and a client that knows little of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use chatvault_ingest::graph::{App, Cloud, Credential, Secret};
use chatvault_web::{Listening, Settings, Site, serve};
use serde_json::Value;

/// A server that stops when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// The token that was printed: every client's secret.
    pub(super) secret: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Server {
    /// Serves an archive, or a folder of them; port 0 is one that is free.
    pub(super) fn start(place: &Path, port: u16) -> Self {
        let settings = Settings { place: place.to_owned(), downloads: None, hosts: Vec::new() };
        let site = Arc::new(Site::open(settings).unwrap().as_graph());
        let secret = site.token().to_owned();
        let stop = Arc::new(AtomicBool::new(false));
        let (told, listening) = channel::<Listening>();
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let at = (SocketAddr::from(([127, 0, 0, 1], port)), None);
            let ready = |listening: &Listening| told.send(listening.clone()).unwrap();
            serve(&site, at, ready, &|| asked.load(Ordering::Relaxed)).unwrap();
        });
        let address = listening.recv().unwrap().address;
        Self { address, secret, stop, thread: Some(thread) }
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `sync` is told to read it.
    pub(super) fn app(&self) -> App {
        App {
            tenant: "any".to_owned(),
            client_id: "any".to_owned(),
            credential: Arc::new(Credential::Secret(Secret::new(self.secret.clone()))),
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
        let answer = self.token_of("any", &self.secret);
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
        let host = self.address.to_string();
        let length = body.len().to_string();
        let mut all = vec![("Connection", "close"), ("Content-Length", length.as_str())];
        if !headers.iter().any(|(name, _)| *name == "Host") {
            all.push(("Host", host.as_str()));
        }
        all.extend(headers);
        let all = all.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let text = format!("{method} {path} HTTP/1.1\r\n{}\r\n", all.collect::<Vec<_>>().concat());
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream.write_all(&[text.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        let _length = stream.read_to_end(&mut answer).unwrap();
        Answer::of(&answer)
    }
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_lowercase(), value.to_owned())
        };
        let headers: BTreeMap<String, String> = lines.map(header).collect();
        assert!(!headers.contains_key("transfer-encoding"), "its length is known");
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of an error.
    pub(super) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
