//! Exports in memory, read back by somebody else's zip reader.

mod brittle;
mod cap;
mod crash;
mod records;
mod shape;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

use chatvault_engine::{Memory, Storage};

use super::*;
use crate::digest::{Subject, sha256};
use crate::manifest::{ArchiveState, Counts, Head, Index, Key, Selection, Tool, Unavailable};

pub(crate) const EXPORT: &str = "ann_20210101-20210401_jsonl";

/// What an export is made of, small enough to be made again and again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) groups: Vec<Message>,
}

/// A message of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// Lengths of records, and which file they go to.
    pub(crate) records: Vec<(usize, usize)>,
    /// Contents of files.
    pub(crate) files: Vec<Blob>,
    pub(crate) unavailable: usize,
    /// Is its first file of records closed behind it?
    pub(crate) closes: Option<usize>,
}

/// A content that is made from few numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blob {
    pub(crate) bytes: usize,
    pub(crate) deflates: bool,
    pub(crate) streams: bool,
    pub(crate) extension: &'static str,
}

impl Blob {
    pub(crate) fn make(self, seed: usize) -> Vec<u8> {
        make(seed, self.bytes, self.deflates)
    }
}

/// Bytes from a seed.
pub(crate) fn make(seed: usize, bytes: usize, deflates: bool) -> Vec<u8> {
    if deflates {
        let line = format!("{seed} some text that is there again and again\n");
        return line.bytes().cycle().take(bytes).collect();
    }
    let blocks = (0..bytes.div_ceil(32)).flat_map(|n| sha256(format!("{seed} {n}").as_bytes()));
    blocks.take(bytes).collect()
}

pub(crate) fn head() -> Head {
    Head {
        archive: ArchiveState::default(),
        asof: "2021-06-03T00:00:00Z".to_owned(),
        export_id: "00000000-0000-5000-8000-000000000001".to_owned(),
        requested_by: None,
        selection: Selection::default(),
        tool: Tool::default(),
    }
}

pub(crate) fn settings(part_bytes: u64, threads: usize) -> Settings {
    Settings { part_bytes, threads, ..Settings::new(EXPORT) }
}

pub(crate) fn window(k: u32, of: u32) -> Window {
    let name = window_name("ann", (&format!("2021010{k}"), &format!("2021040{k}")), "jsonl");
    let (start, end) = (format!("2021-01-0{k}"), format!("2021-04-0{k}"));
    Window { name, text: WindowText { end, k, of, start } }
}

pub(crate) fn record_file(number: usize) -> Arc<RecordFile> {
    let header = format!("header of {number}\n").into_bytes();
    Arc::new(RecordFile { path: format!("chat.{number}/messages.csv"), header })
}

/// A record: a line with its own number, so that order and loss show.
pub(crate) fn record(message: usize, bytes: usize) -> Vec<u8> {
    let mut line = format!("{message}:").into_bytes();
    line.extend(
        make(message, bytes, !message.is_multiple_of(3)).into_iter().map(|byte| byte | 0x20),
    );
    line.push(b'\n');
    line
}

pub(crate) fn file_path(message: usize, number: usize, blob: Blob) -> String {
    format!("Attachments/{message:04}_{number}ü.{}", blob.extension)
}

pub(crate) fn subject(message: usize) -> Subject {
    Subject::new("19:a", &message.to_string(), "1")
}

fn key(message: usize) -> Key {
    let (chat, created) = ("19:a".to_owned(), format!("2021-01-01T00:00:{message:04}Z"));
    Key { chat, created, id: message.to_string() }
}

impl Message {
    pub(crate) fn group(&self, message: usize, files: &[Arc<RecordFile>]) -> Group<'static> {
        let record = |(file, bytes): &(usize, usize)| Record {
            file: Arc::clone(&files[*file]),
            bytes: record(message, *bytes),
        };
        let member = |(number, blob): (usize, &Blob)| Member {
            path: file_path(message, number, *blob),
            content: content(message * 10 + number, *blob),
            source: (number % 2 == 1).then(|| format!("blake3:{message}")),
        };
        let unavailable = |number| Unavailable {
            attachment: format!("file:{number}"),
            message: message.to_string(),
            reason: "gone".to_owned(),
        };
        Group {
            keys: Some((key(message), key(message))),
            subjects: vec![subject(message)],
            counts: Counts {
                messages: 1,
                versions: 1,
                attachments: self.files.len() as u64,
                unavailable: self.unavailable as u64,
                ..Counts::default()
            },
            unavailable: (0..self.unavailable).map(unavailable).collect(),
            records: self.records.iter().map(record).collect(),
            members: self.files.iter().enumerate().map(member).collect(),
        }
    }
}

fn content(seed: usize, blob: Blob) -> Content<'static> {
    if !blob.streams {
        return Content::Bytes(blob.make(seed));
    }
    let sha256 = seed.is_multiple_of(2).then(|| sha256(&blob.make(seed)));
    let open = move || -> std::io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(blob.make(seed))))
    };
    Content::Stream(Stream { bytes: blob.bytes as u64, sha256, open: Box::new(open) })
}

impl Plan {
    /// Writes the whole plan in two windows, the second of which begins at the last fifth.
    pub(crate) fn write(&self, mut writer: Writer<'_>) -> Result<Index> {
        if writer.is_finished() {
            return writer.finish();
        }
        let files: Vec<Arc<RecordFile>> = (0..4).map(record_file).collect();
        let second = self.groups.len() - self.groups.len() / 5;
        writer.begin_window(window(1, 2))?;
        for (number, message) in self.groups.iter().enumerate() {
            if number == second {
                writer.finish_window()?;
                writer.begin_window(window(2, 2))?;
            }
            writer.add(message.group(number, &files))?;
            if let Some(file) = message.closes {
                writer.close_records(&files[file])?;
            }
        }
        if second == self.groups.len() {
            writer.finish_window()?;
            writer.begin_window(window(2, 2))?;
        }
        writer.finish_window()?;
        writer.finish()
    }

    /// Writes it to a new folder in memory.
    pub(crate) fn export(&self, part_bytes: u64, threads: usize) -> (Memory, Index) {
        let memory = Memory::new();
        let settings = settings(part_bytes, threads);
        let writer = Writer::create(Arc::new(memory.clone()), settings, head()).unwrap();
        let index = self.write(writer).unwrap();
        (memory, index)
    }
}

pub(crate) fn read(storage: &dyn Storage, name: &str) -> Vec<u8> {
    let file = storage.open(name).unwrap();
    let mut bytes = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Everything that a folder has, but for the lock.
pub(crate) fn folder(storage: &dyn Storage) -> BTreeMap<String, Vec<u8>> {
    let names = storage.list("").unwrap().into_iter().map(|file| file.name);
    let visible = names.filter(|name| !name.contains(".lock"));
    visible.map(|name| (name.clone(), read(storage, &name))).collect()
}

/// All members of a part in their order, as another reader sees them.
pub(crate) fn members(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ::zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let count = archive.len();
    let read = |at| {
        let mut member = archive.by_index(at).unwrap();
        let mut content = Vec::new();
        let _bytes = member.read_to_end(&mut content).unwrap();
        (member.name().unwrap().into_owned(), content)
    };
    (0..count).map(read).collect()
}

/// What all parts unpack to, with cut contents joined as their notes say.
pub(crate) fn unpack(storage: &dyn Storage, index: &Index) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for part in &index.parts {
        for (name, content) in members(&read(storage, &part.name)) {
            let own = ["manifest.json", "SHA256SUMS"].contains(&name.as_str());
            assert!(all.insert(name, content).is_none() || own, "{}", part.name);
        }
    }
    let notes: Vec<String> =
        all.keys().filter_map(|name| name.strip_suffix(".REJOIN.txt")).map(str::to_owned).collect();
    for stem in notes {
        let start = format!("{stem}.part");
        let slices = all.iter().filter(|(name, _)| name.starts_with(&start));
        let whole = slices.flat_map(|(_, slice)| slice.clone()).collect();
        all.retain(|name, _| !name.starts_with(&start));
        let _note = all.remove(&format!("{stem}.REJOIN.txt"));
        let _none = all.insert(stem, whole);
    }
    all
}
