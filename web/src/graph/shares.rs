//! Files by the addresses that messages have of them.
//!
//! No index of the archive has these addresses. The first question for a file reads all messages with
//! attachments once; later ones read what has come in since. An address costs 48 bytes and a message
//! that names it 32, so memory grows with the number of attached files.
//!
//! An address can lead to several contents, when a file was changed between two messages. It is
//! answered with the content of the message that the archive got last.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chatvault_engine::{
    CommitId, ContentAddress, RecordKind, Scan, Snapshot, Stored, Value, Versions,
};

use super::refusal::Result;

/// More messages than these that name one file are not remembered.
const MOST_ROWS: usize = 64;

#[derive(Default)]
pub(super) struct Shares(Mutex<Index>);

#[derive(Default)]
struct Index {
    /// Up to this commit rows were read.
    until: CommitId,
    rows: HashMap<[u8; 16], Vec<ContentAddress>>,
}

impl Shares {
    /// The name and content of a file. An address whose `#` and `%` a client has encoded is one of
    /// a message that has them as they are.
    pub(super) fn find(
        &self,
        snapshot: &Snapshot,
        url: &str,
    ) -> Result<Option<(String, ContentAddress)>> {
        let plain = url.replace("%23", "#").replace("%25", "%");
        for url in [url, plain.as_str()] {
            let rows = {
                let mut index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                index.read(snapshot)?;
                index.rows.get(&mark(url)).cloned().unwrap_or_default()
            };
            let mut found = None;
            for address in rows {
                let Some(row) = snapshot.get(&address)? else { continue };
                let newest = found.as_ref().map(|(sequence, _)| *sequence);
                if let Some(content) = of_row(snapshot, &row, url)?
                    && newest.is_none_or(|newest| newest <= row.sequence)
                {
                    found = Some((row.sequence, content));
                }
            }
            if let Some((_, content)) = found {
                return Ok(Some(content));
            }
        }
        Ok(None)
    }
}

impl Index {
    fn read(&mut self, snapshot: &Snapshot) -> Result<()> {
        if self.until == snapshot.commit() {
            return Ok(());
        }
        if snapshot.check_commit(&self.until).is_err() {
            // The archive was put back from a copy.
            *self = Self::default();
        }
        for record in [RecordKind::Message, RecordKind::CopilotInteraction] {
            let since = Some(self.until.sequence).filter(|sequence| sequence.0 > 0);
            let versions = Versions::EveryVariant;
            let scan = Scan { record, since, versions, ..Scan::default() };
            let mut rows = snapshot.scan(&scan)?;
            while let Some(row) = rows.next()? {
                if may_have_files(row.json()) {
                    self.add(&row.to_stored()?)?;
                }
            }
        }
        self.until = snapshot.commit();
        Ok(())
    }

    fn add(&mut self, row: &Stored) -> Result<()> {
        let document = row.document()?;
        for file in files(document.root()) {
            let rows = self.rows.entry(mark(&file.url)).or_default();
            if rows.len() < MOST_ROWS && rows.last() != Some(&row.address) {
                rows.push(row.address);
            }
        }
        Ok(())
    }
}

/// An attached file, as a message has it.
struct File {
    url: String,
    name: String,
    /// What the archive calls its content.
    link: String,
}

/// Quick, and never wrongly false: a letter may be an escape.
fn may_have_files(json: &[u8]) -> bool {
    let text = String::from_utf8_lossy(json);
    text.contains("\"reference\"") || text.contains("\\u00")
}

fn files(root: Value<'_>) -> Vec<File> {
    let attachments = root.get("attachments");
    let file = |attachment: Value<'_>| {
        let text = |name| {
            let text = attachment.get(name).and_then(Value::text);
            text.filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned)
        };
        let url =
            text("contentUrl").filter(|_| text("contentType").as_deref() == Some("reference"))?;
        let unnamed = || format!("file/{}", blake3::hash(url.as_bytes()).to_hex());
        let link = text("id").or_else(|| text("attachmentId")).unwrap_or_else(unnamed);
        let last = || url.rsplit('/').next().unwrap_or_default().to_owned();
        let name = text("name").unwrap_or_else(last);
        Some(File { url, name, link })
    };
    attachments.into_iter().flat_map(Value::elements).filter_map(file).collect()
}

/// The content that a row's message has of an address.
fn of_row(
    snapshot: &Snapshot,
    row: &Stored,
    url: &str,
) -> Result<Option<(String, ContentAddress)>> {
    let document = row.document()?;
    let links = snapshot.links(&row.key)?;
    let mut files = files(document.root()).into_iter().filter(|file| file.url == url);
    Ok(files.find_map(|file| {
        let (_, address) = links.iter().find(|(name, _)| *name == file.link)?;
        Some((file.name, *address))
    }))
}

/// Stands for an address.
fn mark(url: &str) -> [u8; 16] {
    let hash = *blake3::hash(url.as_bytes()).as_bytes();
    let mut mark = [0; 16];
    mark.copy_from_slice(hash.split_at(16).0);
    mark
}
