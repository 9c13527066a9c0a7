//! A server over archives that a test started, and a client that knows just enough of HTTP.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use chatvault_web::{Listening, Site, serve};
use serde_json::Value;

/// A server that stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// What is printed for a person.
    pub(crate) link: String,
    /// What lets a browser in, and every client's secret.
    pub(crate) token: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// Serves on this machine; port 0 is one that is free.
    pub(crate) fn start(site: Site, port: u16) -> Self {
        let (token, site) = (site.token().to_owned(), Arc::new(site));
        let stop = Arc::new(AtomicBool::new(false));
        let (told, listening) = channel::<Listening>();
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let at = (SocketAddr::from(([127, 0, 0, 1], port)), None);
            let ready = |listening: &Listening| told.send(listening.clone()).unwrap();
            serve(&site, at, ready, &|| asked.load(Ordering::Relaxed)).unwrap();
        });
        let Listening { address, link } = listening.recv().unwrap();
        Self { address, link, token, stop, thread: Some(thread) }
    }

    /// A request with no header but those given, and what every one needs.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let (host, length) = (self.address.to_string(), body.len().to_string());
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in [("Host", host.as_str()), ("Content-Length", length.as_str())] {
            if !headers.iter().any(|(own, _)| *own == name) {
                write!(text, "{name}: {value}\r\n").unwrap();
            }
        }
        for (name, value) in headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        text.push_str("\r\n");
        self.raw(&[text.as_bytes(), body].concat())
    }

    /// Bytes as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        // A server that has refused may hang up before it has read everything.
        drop(stream.write_all(bytes));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        Answer::of(&answer)
    }

    /// Ends it, and waits until it has.
    pub(crate) fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = end.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 4..]));
        let head = String::from_utf8_lossy(head).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        let pairs = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: BTreeMap<String, String> =
            pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let is_chunked = headers.get("transfer-encoding").is_some_and(|how| how == "chunked");
        let body = if is_chunked { joined(body) } else { body.to_vec() };
        Self { status, headers, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of an error, as Graph has it.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(at) = chunked.windows(2).position(|two| two == b"\r\n") {
        let length = String::from_utf8_lossy(&chunked[..at]);
        let length = usize::from_str_radix(&length, 16).unwrap_or_default();
        let from = at + 2;
        let Some(chunk) = chunked.get(from..from + length).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        body.extend_from_slice(chunk);
        chunked = chunked.get(from + length + 2..).unwrap_or_default();
    }
    body
}

/// Every byte of a text, as an address may have it.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02X}").unwrap();
        text
    })
}
