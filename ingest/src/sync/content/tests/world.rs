//! An archive, a service and a clock, and runs between them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chatvault_engine::{
    Archive, Clock, ContentAddress, Custodian, Host, MessageKey, Options, Origin, RecordKind,
    Timestamp,
};
use chatvault_graph::{App, Client, Cloud, Credential, Limits, Secret};
use tokio::sync::watch;

use super::super::{Contents, Kind, Missing, Pass, Settings, missing};
use super::service::Service;
use crate::sync::SyncError;

pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A clock that a test sets.
#[derive(Debug)]
pub(super) struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::Relaxed))
    }

    fn random(&self) -> [u8; 16] {
        [7; 16]
    }
}

pub(super) struct World {
    pub(super) service: Service,
    pub(super) archive: Archive,
    pub(super) stop: watch::Sender<bool>,
    pub(super) deleted_teams: HashSet<String>,
    clock: Arc<Hands>,
    folder: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::disk(folder.path().join("archive"));
        Self {
            service: Service::start().await,
            archive: Archive::create(host, Options::default()).unwrap(),
            stop: watch::Sender::new(false),
            deleted_teams: HashSet::new(),
            clock: Arc::new(Hands(AtomicI64::new(1_700_000_000_000))),
            folder,
        }
    }

    pub(super) fn pass_days(&self, days: i64) {
        let _ = self.clock.0.fetch_add(days * DAY_MS, Ordering::Relaxed);
    }

    /// Rows as an export delivered them.
    pub(super) fn offer(&self, record: RecordKind, custodian: &str, rows: &[String]) {
        let mut batch = self.archive.batch(self.archive.begin_run("feed").unwrap());
        for row in rows {
            let origin = Origin { source: "test", offset: 0 };
            batch.offer(&Custodian::user(custodian), record, row.as_bytes(), origin);
        }
        let report = batch.commit().unwrap();
        assert_eq!(report.counts.quarantined, 0);
    }

    /// A run that fetches these kinds.
    pub(super) fn begin(&self, kinds: &[Kind]) -> Arc<Contents> {
        let cloud = Cloud::custom(&self.service.origin(), &self.service.origin()).unwrap();
        let credential = Arc::new(Credential::Secret(Secret::new("secret".to_owned())));
        let (tenant, client_id) = ("tenant".to_owned(), "app".to_owned());
        let app = App { tenant, client_id, credential, cloud };
        let endless = f64::INFINITY;
        let limits = Limits {
            hosted_per_second: endless,
            other_per_second: endless,
            chat_per_second: endless,
            attempts: 2,
            backoff: Duration::from_millis(1),
            ..Limits::default()
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let client = Client::new(app, &limits, Arc::clone(&clock)).unwrap();
        Contents::new(Settings {
            archive: self.archive.clone(),
            client: Arc::new(client),
            run: self.archive.begin_run("sync").unwrap(),
            kinds: kinds.to_vec(),
            deleted_teams: self.deleted_teams.clone(),
            content_days: 21,
            spool: self.folder.path().join("incoming"),
            clock,
            stop: self.stop.subscribe(),
        })
    }

    /// A whole run of all kinds.
    pub(super) async fn run(&self) -> Arc<Contents> {
        self.run_of(&Kind::ALL).await.unwrap()
    }

    pub(super) async fn run_of(&self, kinds: &[Kind]) -> Result<Arc<Contents>, SyncError> {
        let contents = self.begin(kinds);
        let _ = finish(&contents).await?;
        Ok(contents)
    }

    pub(super) fn links(&self, key: &MessageKey) -> Vec<(String, ContentAddress)> {
        let mut links = self.archive.snapshot().unwrap().links(key).unwrap();
        links.sort();
        links
    }

    pub(super) fn names(&self, key: &MessageKey) -> Vec<String> {
        self.links(key).into_iter().map(|(name, _)| name).collect()
    }

    pub(super) fn missing(&self) -> Vec<Missing> {
        missing(&self.archive, None).unwrap()
    }

    pub(super) fn object(&self, address: &ContentAddress) -> Vec<u8> {
        let mut out = Vec::new();
        let mut reader = self.archive.snapshot().unwrap().object(address).unwrap().unwrap();
        let _ = std::io::Read::read_to_end(&mut reader, &mut out).unwrap();
        out
    }

    /// Puts a file where the spool folder would be, or takes it away.
    #[expect(clippy::disallowed_methods, reason = "the test gets in the way of the spool folder")]
    pub(super) fn occupy_spool(&self, occupied: bool) {
        let place = self.folder.path().join("incoming");
        if occupied {
            std::fs::write(place, b"").unwrap();
        } else {
            std::fs::remove_file(place).unwrap();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the test looks at the spool folder")]
    pub(super) fn spooled(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("incoming")).map_or(0, Iterator::count)
    }
}

/// Passes until nothing is new, which must not take many.
pub(super) async fn finish(contents: &Arc<Contents>) -> Result<Pass, SyncError> {
    let mut first = None;
    for _ in 0..4 {
        let pass = contents.pass().await?;
        let first = *first.get_or_insert(pass);
        if pass.rows == 0 || pass.stopped {
            return Ok(first);
        }
    }
    panic!("passes without end");
}

pub(super) fn key(record: RecordKind, conversation: &str, id: &str) -> MessageKey {
    let (conversation, id) = (conversation.to_owned(), id.to_owned());
    MessageKey { record, conversation, reply_to: None, id }
}

/// The address of a hosted content, as the service writes it.
pub(super) fn picture(chat: &str, message: &str, id: &str) -> String {
    format!(
        r#"<img src=\"https://graph.microsoft.com/v1.0/chats/{chat}/messages/{message}/hostedContents/{id}/$value\">"#
    )
}

/// A chat message with this body and these attachments.
pub(super) fn message(chat: &str, id: &str, body: &str, attachments: &str) -> String {
    format!(
        r#"{{"id":"{id}","etag":"{id}","messageType":"message","createdDateTime":"2023-11-14T22:13:20.123Z","lastModifiedDateTime":"2023-11-14T22:13:20.123Z","deletedDateTime":null,"chatId":"{chat}","body":{{"contentType":"html","content":"{body}"}},"attachments":[{attachments}]}}"#
    )
}

pub(super) fn file(id: &str, name: &str) -> String {
    format!(
        r#"{{"id":"{id}","contentType":"reference","contentUrl":"https://x.sharepoint.com/a b/{name}","name":"{name}"}}"#
    )
}

/// The path part of a file's request.
pub(super) fn share(name: &str) -> String {
    use base64::Engine as _;
    let address = format!("https://x.sharepoint.com/a b/{name}");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(address)
}

/// An entry of a recording or transcript.
pub(super) fn meeting(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","meetingId":"meet","createdDateTime":"2023-12-02T06:59:34.7411768Z","meetingOrganizer":{{"user":{{"id":"boss"}}}}}}"#
    )
}
