//! A small healthy archive with everything in it that files can hold: what a forger begins with.

use std::collections::BTreeMap;
use std::io::{Error, Result};
use std::sync::Arc;

use chatvault_engine::{
    Archive, ContentAddress, Custodian, Host, Memory, MessageKey, Options, Origin, RecordKind,
    Scan, Versions, go_on,
};

use super::{
    FileKind, Forge, Packing, Proofs, Shape, Style, fields, put_block, put_item, put_varint,
    with_field,
};
use crate::{Draft, Random, SteppingClock};

/// The archive, and what it holds.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// Taken apart.
    pub forge: Forge,
    /// How many rows there are of each content.
    pub rows: BTreeMap<ContentAddress, u64>,
    /// Its messages.
    pub keys: Vec<MessageKey>,
    /// Its objects.
    pub objects: Vec<ContentAddress>,
}

/// A chat of so many messages that its segment has facts of it.
pub(super) const TALK: &str = "19:talk";
/// Rows that one commit brings.
const ROWS: i64 = 48;

impl Specimen {
    /// Makes it: the same in every run.
    ///
    /// A segment with a dictionary that a compaction made of earlier ones, a sealed commit with who
    /// delivered its rows again, and behind them commits with a bit of everything.
    pub fn make() -> Result<Self> {
        let storage = Arc::new(Memory::new());
        let host = host(Arc::clone(&storage));
        let archive = Archive::create(host, options()).map_err(Error::other)?;
        let mut maker = Maker { archive, random: Random::new(11), objects: Vec::new() };
        maker.object(&vec![7; 300_000])?;
        maker.commit("ada", 0)?;
        maker.talk("ada")?;
        maker.archive.seal().map_err(Error::other)?;
        maker.object(b"hello")?;
        maker.commit("ben", 1)?;
        maker.commit("eve", 0)?;
        let done = maker.archive.compact(&mut go_on).map_err(Error::other)?;
        if !done.finished {
            return Err(Error::other("the compaction was stopped"));
        }
        maker.commit("gil", 1)?;
        maker.commit("gil", 3)?;
        maker.archive.seal().map_err(Error::other)?;
        maker.commit("eve", 1)?;
        maker.commit("fay", 2)?;
        let objects = std::mem::take(&mut maker.objects);
        let (rows, keys) = maker.contents().map_err(Error::other)?;
        drop(maker);
        let forge = with_records(Forge::take(&*storage)?)?;
        Ok(Self { forge, rows, keys, objects })
    }
}

/// Few bytes, and nothing in the background.
pub(super) fn options() -> Options {
    let mut options = Options::default();
    options.environment = Some(crate::with_cache(32 << 20));
    options.memtable_bytes = 1 << 20;
    options.recall_bytes = 1 << 16;
    options.document_bytes = 1 << 20;
    options.background_compaction = false;
    options
}

/// An archive in memory, whose time goes in steps.
pub fn host(storage: Arc<Memory>) -> Host {
    Host { storage, clock: Arc::new(SteppingClock::new(1)) }
}

struct Maker {
    archive: Archive,
    random: Random,
    objects: Vec<ContentAddress>,
}

impl Maker {
    fn object(&mut self, bytes: &[u8]) -> Result<()> {
        let object = self.archive.put_object(&mut { bytes }).map_err(Error::other)?;
        self.objects.push(object);
        Ok(())
    }

    /// Enough text to train a dictionary on, and enough messages of a chat that it has facts.
    fn talk(&mut self, custodian: &str) -> Result<()> {
        let run = self.archive.begin_run("talk").map_err(Error::other)?;
        let mut batch = self.archive.batch(run);
        let origin = Origin { source: "talk.json", offset: 0 };
        for at in 0..256 {
            let words = if at < 96 { 60 } else { 1 };
            let text: Vec<&str> = (0..words).map(|_| self.random.word(&WORDS)).collect();
            let draft = Draft::chat(TALK, 1_600_000_000_000 + at * 1000);
            let draft = match at {
                0 => draft.event("membersAdded", r#""members":[{"id":"id 2"},{"id":"id 3"}]"#),
                1 => draft.event("chatRenamed", r#""chatDisplayName":"Talk""#),
                _ => draft.from_user(&format!("id {}", at % 3), "Name"),
            };
            let document = draft.text(&format!("{at} {}", text.join(" "))).json();
            let custodian = Custodian::user(custodian);
            batch.offer(&custodian, RecordKind::Message, document.as_bytes(), origin);
        }
        batch.commit().map(drop).map_err(Error::other)
    }

    /// Rows of a round, by some custodian: messages, replies, a Copilot interaction, what cannot
    /// be keyed, a link and a checkpoint.
    fn commit(&mut self, custodian: &str, round: i64) -> Result<()> {
        let run = self.archive.begin_run(&format!("run of {custodian}")).map_err(Error::other)?;
        let custodian = Custodian::user(custodian);
        let mut batch = self.archive.batch(run);
        let origin = Origin { source: "page.json", offset: 3 };
        for at in 0..ROWS {
            let document = document(round, at, &mut self.random);
            batch.offer(&custodian, RecordKind::Message, document.as_bytes(), origin);
        }
        let copilot = format!(r#"{{"id":"c{round}","sessionId":"s","etag":"1"}}"#);
        batch.offer(&custodian, RecordKind::CopilotInteraction, copilot.as_bytes(), origin);
        batch.offer(&custodian, RecordKind::Message, b"{}", origin);
        let refused = format!("refused {round}");
        batch.offer(&custodian, RecordKind::Message, refused.as_bytes(), origin);
        batch.checkpoint(&format!("position/{round}"), b"somewhere");
        let key = MessageKey {
            record: RecordKind::Message,
            conversation: "19:one".to_owned(),
            reply_to: None,
            id: (1_700_000_000_000 + round * 1_000_000).to_string(),
        };
        for (number, object) in self.objects.iter().enumerate() {
            batch.link(&key, &format!("attachment {number}"), *object);
        }
        batch.commit().map(drop).map_err(Error::other)
    }

    fn contents(
        &self,
    ) -> chatvault_engine::Result<(BTreeMap<ContentAddress, u64>, Vec<MessageKey>)> {
        let (mut contents, mut keys) = (BTreeMap::new(), Vec::new());
        let snapshot = self.archive.snapshot()?;
        let mut rows = snapshot.scan(&everything())?;
        while let Some(row) = rows.next()? {
            let stored = row.to_stored()?;
            *contents.entry(stored.address).or_default() += 1;
            keys.push(stored.key);
        }
        keys.sort();
        keys.dedup();
        Ok((contents, keys))
    }
}

/// Every row that is stored.
pub(super) fn everything() -> Scan {
    Scan { versions: Versions::EveryVariant, ..Scan::default() }
}

const WORDS: [&str; 7] = ["budget", "meeting", "tomorrow", "lunch", "release", "offer", "contract"];

/// A message of a round: of two chats or a channel, some with odd ids, some edited, some by nobody.
fn document(round: i64, at: i64, random: &mut Random) -> String {
    let time = 1_700_000_000_000 + round * 1_000_000 + at / 3 * 1000;
    let draft = match at % 3 {
        0 => Draft::chat("19:one", time),
        1 => Draft::chat("19:two", time).set("id", &format!("\"odd {round} {at}\"")),
        _ => {
            Draft::channel("team", "19:channel", time, Some(if at % 2 == 0 { "root" } else { "5" }))
        }
    };
    let draft = match at % 5 {
        0 => draft,
        1 => draft.modified(time + 12_345 + round),
        name => draft.from_user(&format!("id {name}"), &format!("Name {name}")),
    };
    // The text of a message does not change with who delivers it.
    let mut chance = Random::new(u64::try_from(round * 1000 + at).unwrap_or(0));
    let _ = random.next_u64();
    let text: Vec<&str> = (0..12).map(|_| chance.word(&WORDS)).collect();
    draft.text(&format!("{at} {}", text.join(" "))).json()
}

/// The newest manifest says that the archive was repaired, and lost nothing that is counted; and that
/// rows were folded, none of custodian 0 in run 0.
fn with_records(mut forge: Forge) -> Result<Forge> {
    let Some(body) = forge.named(FileKind::Manifest, "body").pop() else { return Ok(forge) };
    let mut record = vec![9; 16];
    // Commit 1, no rows and objects lost; an object, and no copies of custodian 0 in run 0.
    record.extend_from_slice(&[1, 0, 0, 1]);
    record.extend_from_slice(&[5; 32]);
    record.extend_from_slice(&[1, 0, 0, 0]);
    let mut folded = vec![1, 0, 0, 0];
    folded.extend_from_slice(&[0; 32]);
    folded.extend_from_slice(&[1, 0, 0, 0]);
    let mut list = vec![2, 1];
    put_block(&mut list, &record);
    list.push(2);
    put_block(&mut list, &folded);
    let contents = forge.contents(&body);
    let found = fields(forge.shape(&body), contents).unwrap_or_default();
    let records = found.iter().position(|field| matches!(field.shape, Shape::List("records", _)));
    let contents = with_field(contents, &found, records.unwrap_or(0), &list);
    forge.put(&body, &contents, Packing::Tight);
    Forge::take(&forge.make(Proofs::All)?)
}

/// A footer with so many groups of 4,096 rows in three frames of nothing.
pub(super) fn wide_footer(footer: &[u8], groups: usize) -> Vec<u8> {
    let shape = FileKind::Segment.contents(10).1;
    let found = fields(shape, footer).unwrap_or_default();
    let groups_at = found.iter().position(|field| matches!(field.shape, Shape::List(..)));
    let mut list = Vec::new();
    put_varint(&mut list, groups as u64);
    for _ in 0..groups {
        // Rows, keys, columns, one chunk; three bounds, times, odd ids, kinds, senders, sets.
        list.extend_from_slice(&[0x80, 0x20, 16, 16, 1, 0x80, 0x20, 16]);
        list.extend_from_slice(&[0; 74]);
    }
    let mut rows = Vec::new();
    put_varint(&mut rows, groups as u64 * 4096);
    let wide = with_field(footer, &found, groups_at.unwrap_or(0), &list);
    with_field(&wide, &found, 2, &rows)
}

/// A list of as many of the smallest entries as fit into so many bytes, and how many items there can be.
pub fn filled(list: Shape, style: Style, (items, bytes): (usize, usize)) -> Vec<u8> {
    let Some((_, entry, items_each)) = list.listed() else { return Vec::new() };
    let (mut list, mut count) = (Vec::new(), 0);
    while count < items / items_each && list.len() < bytes {
        put_item(&mut list, entry, style, count);
        count += 1;
    }
    let mut out = Vec::new();
    put_varint(&mut out, (count * items_each) as u64);
    out.extend_from_slice(&list);
    out
}
