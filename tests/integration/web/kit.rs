//! The page over an archive, and a browser that was let in.

use std::path::PathBuf;
use std::time::Duration;

use chatvault_engine::{Archive, Custodian, Host, Options, Origin, RecordKind};
use chatvault_web::{Settings, Site};
use tempfile::TempDir;

pub(super) use crate::kit::server::{Answer, encoded};

/// A server that a test started, with what it serves.
pub(super) struct Server {
    pub(super) folder: TempDir,
    running: crate::kit::server::Server,
    settings: Settings,
    /// What a browser keeps once it was let in.
    cookie: String,
}

impl std::ops::Deref for Server {
    type Target = crate::kit::server::Server;

    fn deref(&self) -> &Self::Target {
        &self.running
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
        Self::start_as(folder, Settings { place, ..Settings::default() })
    }

    pub(super) fn start_as(folder: TempDir, settings: Settings) -> Self {
        let downloads = Some(folder.path().join("downloads"));
        let settings = Settings { downloads, ..settings };
        let site = Site::open(settings.clone()).unwrap();
        let running = crate::kit::server::Server::start(site, 0);
        let (_, path) = running.link.split_once(&running.address.to_string()).unwrap();
        let let_in = running.send("GET", path, &[], b"");
        assert_eq!((let_in.status, let_in.header("location")), (303, "/"));
        let cookie = let_in.header("set-cookie");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { folder, running, settings, cookie }
    }

    /// Over one archive of these messages.
    pub(super) fn with(messages: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = archive(&folder, "team", messages);
        Self::start(folder, place)
    }

    /// Ends it, and starts another on the same place.
    pub(super) fn restart(mut self) -> Self {
        self.running.end();
        Self::start_as(self.folder, self.settings)
    }

    /// A page, as the browser that was let in gets it.
    pub(super) fn get(&self, path: &str) -> Answer {
        let ask = || self.send("GET", path, &[("Cookie", &self.cookie)], b"");
        let mut answer = ask();
        // The archive is being opened.
        while answer.status == 503 && !answer.header("retry-after").is_empty() {
            std::thread::sleep(Duration::from_millis(20));
            answer = ask();
        }
        answer
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

    pub(super) fn cookie(&self) -> &str {
        &self.cookie
    }
}
