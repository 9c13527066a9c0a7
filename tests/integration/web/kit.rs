//! A server over an archive, and a browser that knows just enough of HTTP.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use chatvault_engine::{Archive, Custodian, Host, Options, Origin, RecordKind};
use chatvault_web::{Listening, Settings, Site, serve};
use tempfile::TempDir;

/// A server that a test started, with what it serves.
pub(super) struct Server {
    pub(super) folder: TempDir,
    pub(super) address: SocketAddr,
    link: String,
    /// What a browser keeps once it was let in.
    cookie: String,
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

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A new archive in a folder, with copies of messages that `ada` received.
pub(super) fn archive(folder: &TempDir, name: &str, messages: &[String]) -> PathBuf {
    let place = folder.path().join(name);
    let archive = Archive::create(Host::disk(&place), Options::default()).unwrap();
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    for json in messages {
        let origin = Origin { source: "test", offset: 0 };
        batch.offer(&Custodian::user("ada"), RecordKind::Message, json.as_bytes(), origin);
    }
    assert_eq!(batch.commit().unwrap().counts.quarantined, 0);
    archive.close().unwrap();
    place
}

/// A message as the service writes it, created so many minutes after a day began.
pub(super) fn message(chat: &str, minute: u32, sender: &str, body: &str) -> String {
    let id = 1_772_438_400_000_u64 + u64::from(minute) * 60_000;
    let at = chatvault_query::format_time(chatvault_engine::Timestamp::from_ms(
        i64::try_from(id).unwrap(),
    ));
    serde_json::json!({
        "id": id.to_string(), "etag": id.to_string(), "chatId": chat, "messageType": "message",
        "createdDateTime": at, "lastModifiedDateTime": at,
        "from": {"user": {"id": sender, "displayName": sender, "userIdentityType": "aadUser"}},
        "body": {"contentType": "html", "content": body},
    })
    .to_string()
}

impl Server {
    /// Serves what lies in a folder: an archive there, or the folder itself.
    pub(super) fn start(folder: TempDir, place: PathBuf) -> Self {
        let downloads = Some(folder.path().join("downloads"));
        let settings = Settings { place, downloads, hosts: Vec::new() };
        let site = Arc::new(Site::open(settings).unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let (told, listening) = channel::<Listening>();
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let at = ("127.0.0.1:0".parse().unwrap(), None);
            let ready = |listening: &Listening| told.send(listening.clone()).unwrap();
            serve(&site, at, ready, &|| asked.load(Ordering::Relaxed)).unwrap();
        });
        let Listening { address, link } = listening.recv().unwrap();
        let thread = Some(thread);
        let mut server = Self { folder, address, link, cookie: String::new(), stop, thread };
        server.enter();
        server
    }

    /// Over one archive of these messages.
    pub(super) fn with(messages: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = archive(&folder, "team", messages);
        Self::start(folder, place)
    }

    fn enter(&mut self) {
        let (_, path) = self.link.split_once(&self.address.to_string()).unwrap();
        let let_in = self.send("GET", path, &[], b"");
        assert_eq!((let_in.status, let_in.header("location")), (303, "/"));
        let cookie = let_in.header("set-cookie");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        cookie.split(';').next().unwrap().clone_into(&mut self.cookie);
    }

    /// Ends it, and starts another on the same place.
    pub(super) fn restart(mut self) -> Self {
        self.end();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let place = folder.path().join("team");
        Self::start(folder, place)
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// A request with no header but those given.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            write!(text, "Host: {}\r\n", self.address).unwrap();
        }
        for (name, value) in headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        if !headers.iter().any(|(name, _)| *name == "Content-Length") {
            write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        text.push_str("\r\n");
        self.raw(&[text.as_bytes(), body].concat())
    }

    /// Bytes as they are.
    pub(super) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        // A server that has refused may hang up before it has read everything.
        drop(stream.write_all(bytes));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        parse(&answer)
    }

    /// A page, as the browser that was let in gets it.
    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[("Cookie", &self.cookie)], b"")
    }

    /// A page that is there.
    pub(super) fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    /// A page once it says something.
    pub(super) fn page_with(&self, path: &str, words: &str) -> String {
        let mut page = self.page(path);
        for _ in 0..600 {
            if page.contains(words) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
            page = self.page(path);
        }
        assert!(page.contains(words), "{path} never says {words}: {page}");
        page
    }

    /// The key that each form carries.
    pub(super) fn key(&self) -> String {
        let page = self.page("/a/team/connection");
        let rest = page.split("name=\"key\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// A form that a page of this server sends; gives where it leads to.
    pub(super) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let key = self.key();
        let fields = fields.iter().copied().chain([("key", key.as_str())]);
        let pairs: Vec<String> =
            fields.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let origin = format!("http://{}", self.address);
        let headers = [
            ("Cookie", self.cookie.as_str()),
            ("Origin", &origin),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        self.send("POST", path, &headers, pairs.join("&").as_bytes())
    }

    /// A form that is taken; the page where it leads to.
    pub(super) fn done(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(path, fields);
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
        answer.header("location").to_owned()
    }

    pub(super) fn link(&self) -> &str {
        &self.link
    }

    pub(super) fn cookie(&self) -> &str {
        &self.cookie
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02X}").unwrap();
        text
    })
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = end.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 4..]));
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let pairs = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let is_chunked = headers.get("transfer-encoding").is_some_and(|how| how == "chunked");
    let body = if is_chunked { joined(body) } else { body.to_vec() };
    Answer { status, headers, body }
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
