//! A small HTTP server on loopback: tokens, contents with ranges and tags, and what tests break.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is at an address.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    /// So many bytes that follow from a seed, under this tag.
    Made {
        seed: u64,
        bytes: u64,
        tag: &'static str,
    },
    /// An answer without content.
    Status(u16),
    /// A redirect to another path of this server.
    Elsewhere(&'static str),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) range: Option<String>,
    pub(super) if_range: Option<String>,
    pub(super) bearer: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// By a part of the path.
    pub(super) contents: BTreeMap<String, Content>,
    pub(super) asked: Vec<Asked>,
    /// Every content says nothing more after so many bytes.
    pub(super) silent_after: Option<u64>,
    /// Every connection is closed at once.
    pub(super) down: bool,
    /// The token endpoint refuses.
    pub(super) stranger: bool,
    at_once: BTreeMap<String, u32>,
    /// Most requests of one chat at the same time.
    pub(super) most_at_once: u32,
    /// Bytes of contents that were sent.
    pub(super) sent: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// The bytes of [`Content::Made`].
pub(super) fn made(seed: u64, from: u64, out: &mut [u8]) {
    let mut stream = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    stream.set_position(from);
    stream.fill(out);
}

impl Service {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = Self { address, state: Arc::default() };
        let serving = service.clone();
        drop(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = serving.clone();
                drop(tokio::spawn(async move { drop(service.serve(stream).await) }));
            }
        }));
        service
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn set(&self, part: &str, content: Content) {
        drop(self.state().contents.insert(part.to_owned(), content));
    }

    /// Requests for paths with this part.
    pub(super) fn asked_for(&self, part: &str) -> Vec<Asked> {
        self.state().asked.iter().filter(|asked| asked.path.contains(part)).cloned().collect()
    }

    async fn serve(&self, mut stream: TcpStream) -> Result<()> {
        let head = head(&mut stream).await?;
        let path = head.split(' ').nth(1).unwrap_or_default();
        let path = path.replace("%3A", ":").replace("%3a", ":").replace("%40", "@");
        if self.state().down {
            return Ok(());
        }
        if path.ends_with("/token") {
            return self.token(&mut stream).await;
        }
        let asked = Asked {
            range: header(&head, "range"),
            if_range: header(&head, "if-range"),
            bearer: header(&head, "authorization").is_some(),
            path: path.clone(),
        };
        let content = {
            let mut state = self.state();
            state.asked.push(asked.clone());
            let found = state.contents.iter().find(|(part, _)| path.contains(*part));
            found.map_or(Content::Status(404), |(_, content)| content.clone())
        };
        let chat = path.split("/messages/").next().unwrap_or_default().to_owned();
        self.count(&chat, true);
        // Time enough for another to come beside it. Whoever waits for this answer asks later.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.count(&chat, false);
        self.answer(&mut stream, content, &asked).await?;
        stream.shutdown().await
    }

    fn count(&self, chat: &str, comes: bool) {
        let mut state = self.state();
        let now = state.at_once.entry(chat.to_owned()).or_default();
        *now = if comes { *now + 1 } else { *now - 1 };
        let now = *now;
        if chat.contains("/chats/") {
            state.most_at_once = state.most_at_once.max(now);
        }
    }

    async fn token(&self, stream: &mut TcpStream) -> Result<()> {
        let (status, body) = if self.state().stranger {
            (401, r#"{"error":"invalid_client","error_description":"AADSTS7000215: wrong"}"#)
        } else {
            (200, r#"{"token_type":"Bearer","expires_in":3599,"access_token":"bearer-of-the-run"}"#)
        };
        send(stream, status, "", body.len() as u64).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await
    }

    async fn answer(&self, stream: &mut TcpStream, content: Content, asked: &Asked) -> Result<()> {
        match content {
            Content::Bytes(bytes) => {
                send(stream, 200, "Content-Type: image/png\r\n", bytes.len() as u64).await?;
                stream.write_all(&bytes).await
            }
            Content::Status(status) => {
                let body = r#"{"error":{"code":"Said","message":"by the test"}}"#;
                send(stream, status, "", body.len() as u64).await?;
                stream.write_all(body.as_bytes()).await
            }
            Content::Elsewhere(path) => {
                let location = format!("Location: {}{path}\r\n", self.origin());
                send(stream, 302, &location, 0).await
            }
            Content::Made { seed, bytes, tag } => {
                let from = asked.range.as_deref().and_then(|range| {
                    let same = asked.if_range.as_deref().is_none_or(|there| there == tag);
                    let from = range.strip_prefix("bytes=")?.strip_suffix('-')?;
                    from.parse::<u64>().ok().filter(|from| same && *from > 0)
                });
                let (status, range) = match from {
                    Some(from) => {
                        (206, format!("Content-Range: bytes {from}-{}/{bytes}\r\n", bytes - 1))
                    }
                    None => (200, String::new()),
                };
                let from = from.unwrap_or(0);
                send(stream, status, &format!("ETag: {tag}\r\n{range}"), bytes - from).await?;
                self.stream(stream, seed, from, bytes).await
            }
        }
    }

    async fn stream(&self, stream: &mut TcpStream, seed: u64, from: u64, to: u64) -> Result<()> {
        let mut at = from;
        let mut part = vec![0; 64 << 10];
        while at < to {
            let silent = self.state().silent_after.is_some_and(|most| at >= most);
            if silent {
                std::future::pending::<()>().await;
            }
            let count = usize::try_from((to - at).min(part.len() as u64)).unwrap();
            made(seed, at, &mut part[..count]);
            stream.write_all(&part[..count]).await?;
            at += count as u64;
            self.state().sent += count as u64;
        }
        Ok(())
    }
}

async fn send(stream: &mut TcpStream, status: u16, headers: &str, length: u64) -> Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Said\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await
}

/// Head of a request; its body is read and forgotten.
async fn head(stream: &mut TcpStream) -> Result<String> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).map_err(Error::other)?;
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
