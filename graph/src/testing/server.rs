//! A real HTTP server on loopback that answers as a test's closure says, mistakes included.
//!
//! Each connection serves one request and is closed, so that a reply may be any bytes at all.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    head: String,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn is_for_token(&self) -> bool {
        self.path.ends_with("/oauth2/v2.0/token")
    }
}

type Script = dyn Fn(&Asked, usize) -> Vec<u8> + Send + Sync;

/// The server; its requests are kept.
pub(super) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `script` gets each request that is not for a token, and how many came before it.
    pub(super) async fn start(
        script: impl Fn(&Asked, usize) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let count = AtomicUsize::new(0);
        let tokens = AtomicUsize::new(0);
        Self::raw(move |asked, _| {
            if asked.is_for_token() {
                let number = tokens.fetch_add(1, Ordering::Relaxed);
                return token(&format!("token-number-{number}"), 3599);
            }
            script(asked, count.fetch_add(1, Ordering::Relaxed))
        })
        .await
    }

    /// `script` gets every request, and how many came before it.
    pub(super) async fn raw(
        script: impl Fn(&Asked, usize) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, script): (_, Arc<Script>) = (Arc::clone(&asked), Arc::new(script));
        drop(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&script))));
            }
        }));
        Self { address, asked }
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The ones that were not for a token.
    pub(super) fn content(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| !asked.is_for_token()).collect()
    }

    pub(super) fn tokens(&self) -> usize {
        self.asked().iter().filter(|asked| asked.is_for_token()).count()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Asked>>>, script: Arc<Script>) {
    let Some(asked) = read(&mut stream).await else { return };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(asked.clone());
        seen.len() - 1
    };
    let reply = script(&asked, before);
    drop(stream.write_all(&reply).await);
    drop(stream.shutdown().await);
    // Reads to the end: closing with unread bytes would reset what was written.
    drop(stream.read_to_end(&mut Vec::new()).await);
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    let mut asked = Asked { path, head, body: String::new() };
    let length = asked.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    asked.body = String::from_utf8(bytes[end..].to_vec()).ok()?;
    Some(asked)
}

/// A whole answer.
pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    named(status, headers, body.len(), body)
}

/// An answer that names a length of its own.
pub(super) fn named(status: u16, headers: &[(&str, &str)], length: usize, body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Odd\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    write!(text, "Content-Length: {length}\r\n\r\n").unwrap();
    [text.as_bytes(), body].concat()
}

/// An answer of the token endpoint.
pub(super) fn token(text: &str, seconds: u32) -> Vec<u8> {
    let body =
        format!(r#"{{"token_type":"Bearer","expires_in":{seconds},"access_token":"{text}"}}"#);
    reply(200, &[], body)
}
