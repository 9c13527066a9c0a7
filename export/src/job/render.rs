//! Messages become groups for the part writer, or what a document is made of: on any thread.
//!
//! Where one group ends and the next begins depends on the messages and the cap alone, so parts come
//! out the same whatever the number of threads.

use std::sync::Arc;

use chatvault_engine::Snapshot;

use super::facts::{Facts, member};
use super::scene::Scene;
use crate::entry::{Entry, Piece, RenderOptions, Window};
use crate::error::Result;
use crate::format::{csv, dat, eml, html, jsonl, mbox, parquet};
use crate::name::{path, safe};
use crate::part::{Group, Member, Record, RecordFile};
use crate::request::{Format, Request, archive, day};
use crate::zone::file_stamp;

/// The most records that lie in one group, in bytes.
const GROUP_BYTES: u64 = 256 << 10;
/// A group's records have at most this share of a part, so that parts become full.
const GROUP_SHARE: u64 = 256;
/// A mail that is larger than this is a mailbox of its own: records are made in memory.
const RECORD_BYTES: u64 = 16 << 20;

/// What renders one window. Shared by the threads that do.
#[derive(Debug)]
pub(super) struct Workshop {
    snapshot: Snapshot,
    format: Format,
    options: Arc<RenderOptions>,
    files: Files,
    group_bytes: u64,
    attachment_rows: bool,
    dates: dat::Dates,
}

/// The running files of a window.
#[derive(Debug)]
pub(super) struct Files {
    main: Arc<RecordFile>,
    breaks: Arc<RecordFile>,
    attachments: Arc<RecordFile>,
}

/// Neighbours of one conversation.
pub(super) type Stretch = (Arc<Scene>, Vec<Entry>);

/// What messages became.
#[derive(Debug)]
pub(super) enum Made {
    /// Ready for the part writer.
    Groups(Vec<Group<'static>>),
    /// For a document that takes them one by one.
    Items(Vec<(Item, Facts)>),
}

/// A message for a document.
#[derive(Debug)]
pub(super) enum Item {
    /// Of a transcript in HTML.
    Card(Box<html::Card>),
    /// Of a typed table.
    Rows(parquet::Rows),
    /// As it is.
    Entry(Box<Entry>),
}

impl Workshop {
    pub(super) fn new(
        snapshot: &Snapshot,
        request: &Request,
        options: &Arc<RenderOptions>,
        window: Window,
    ) -> Self {
        Self {
            snapshot: snapshot.clone(),
            format: request.format,
            options: Arc::clone(options),
            files: Files::of(request.format, options, window),
            group_bytes: GROUP_BYTES.min(request.part_bytes / GROUP_SHARE),
            attachment_rows: request.attachment_rows,
            dates: if request.iso_dates { dat::Dates::Iso } else { dat::Dates::Compact },
        }
    }

    /// The files that end with the window.
    pub(super) fn records(&self) -> [&RecordFile; 3] {
        [&self.files.main, &self.files.breaks, &self.files.attachments]
    }

    /// Renders some neighbours in export order.
    pub(super) fn render(&self, stretches: Vec<Stretch>) -> Result<Made> {
        let mut made: Option<Made> = None;
        for (scene, entries) in stretches {
            let next = self.stretch(&scene, entries)?;
            match (&mut made, next) {
                (Some(Made::Groups(all)), Made::Groups(more)) => join(all, more, self.group_bytes),
                (Some(Made::Items(all)), Made::Items(more)) => all.extend(more),
                (made, next) => *made = Some(next),
            }
        }
        Ok(made.unwrap_or(Made::Items(Vec::new())))
    }

    /// Renders messages of one conversation.
    fn stretch(&self, scene: &Arc<Scene>, mut entries: Vec<Entry>) -> Result<Made> {
        if self.format.names_people() {
            self.add_addresses(&mut entries)?;
        }
        let with_facts = |entry: Entry| {
            let facts = Facts::of(&entry, scene);
            (entry, facts)
        };
        let entries: Vec<(Entry, Facts)> = entries.into_iter().map(with_facts).collect();
        Ok(match self.format {
            Format::Eml if !self.options.chat_day => Made::Groups(Self::mails(scene, entries)),
            Format::Mbox => Made::Groups(self.mailbox(scene, entries)?),
            Format::Csv => Made::Groups(self.table(scene, entries)),
            Format::Dat => Made::Groups(self.load_file(scene, entries)),
            Format::Jsonl => Made::Groups(self.lines(scene, entries)),
            _ => Made::Items(self.items(scene, entries)),
        })
    }

    fn items(&self, scene: &Scene, entries: Vec<(Entry, Facts)>) -> Vec<(Item, Facts)> {
        let cards = html::Scene::new(scene.context());
        let records = parquet::Records::new(scene.context());
        let records = if self.attachment_rows { records.with_attachment_rows() } else { records };
        let item = |(entry, facts): (Entry, Facts)| {
            let item = match self.format {
                Format::Html => Item::Card(Box::new(cards.card(&entry))),
                Format::Parquet => Item::Rows(records.record(&entry)),
                _ => Item::Entry(Box::new(entry)),
            };
            (item, facts)
        };
        entries.into_iter().map(item).collect()
    }

    fn add_addresses(&self, entries: &mut [Entry]) -> Result<()> {
        for version in entries.iter_mut().flat_map(|entry| &mut entry.versions) {
            version.address = self.snapshot.address_of(&version.json).map_err(archive)?;
        }
        Ok(())
    }

    fn mails(scene: &Arc<Scene>, entries: Vec<(Entry, Facts)>) -> Vec<Group<'static>> {
        let mails = eml::Mails::new(scene.context());
        let group = |(entry, facts): (Entry, Facts)| {
            let is_left_out = facts.is_left_out;
            let mut group = facts.into_group();
            if !is_left_out {
                let first = entry.versions.len().saturating_sub(group.subjects.len());
                let versions = entry.versions.iter().skip(first);
                for (piece, version) in mails.pieces(&entry).into_iter().zip(versions) {
                    let source = Some(format!("blake3:{}", version.address));
                    group.members.push(member(piece, source, &scene.objects));
                }
            }
            group
        };
        entries.into_iter().map(group).collect()
    }

    fn mailbox(
        &self,
        scene: &Arc<Scene>,
        entries: Vec<(Entry, Facts)>,
    ) -> Result<Vec<Group<'static>>> {
        let slug = &scene.chat.slug;
        let file = Arc::new(RecordFile { path: format!("{slug}.mbox"), header: Vec::new() });
        let mailbox = mbox::Mailbox::new(scene.context());
        let mut groups = Groups::new(self.group_bytes);
        for (entry, facts) in entries {
            if facts.is_left_out {
                groups.add(facts, Vec::new(), Vec::new());
                continue;
            }
            let content = mailbox.record(&entry);
            if content.size() <= RECORD_BYTES {
                let read = content.to_vec(&*scene.objects);
                let bytes = read.map_err(crate::error::Error::content(&file.path))?;
                groups.add(facts, vec![Record { file: Arc::clone(&file), bytes }], Vec::new());
            } else {
                let file = format!("{}_{}.mbox", file_stamp(entry.created), entry.key.id);
                let name = path(&[slug], &safe(&file, "mail.mbox"));
                let piece = Piece { name, content, messages: 1 };
                let alone = member(piece, None, &scene.objects);
                groups.add(facts, Vec::new(), vec![alone]);
            }
        }
        Ok(groups.all)
    }

    fn table(&self, scene: &Arc<Scene>, entries: Vec<(Entry, Facts)>) -> Vec<Group<'static>> {
        let records = csv::Records::new(scene.context());
        let records = if self.attachment_rows { records.with_attachment_rows() } else { records };
        self.records_of(entries, |entry, out| {
            let _lines = records.record(entry, out);
        })
    }

    fn load_file(&self, scene: &Arc<Scene>, entries: Vec<(Entry, Facts)>) -> Vec<Group<'static>> {
        let records = dat::Records::new(scene.context(), self.dates);
        self.records_of(entries, |entry, out| {
            let _written = records.record(entry, out);
        })
    }

    /// Messages as records of the main file.
    fn records_of(
        &self,
        entries: Vec<(Entry, Facts)>,
        write: impl Fn(&Entry, &mut Vec<u8>),
    ) -> Vec<Group<'static>> {
        let mut groups = Groups::new(self.group_bytes);
        for (entry, facts) in entries {
            let mut bytes = Vec::new();
            if !facts.is_left_out {
                write(&entry, &mut bytes);
            }
            groups.add(
                facts,
                vec![Record { file: Arc::clone(&self.files.main), bytes }],
                Vec::new(),
            );
        }
        groups.all
    }

    fn lines(&self, scene: &Arc<Scene>, entries: Vec<(Entry, Facts)>) -> Vec<Group<'static>> {
        let context = scene.context();
        let mut groups = Groups::new(self.group_bytes);
        for (entry, facts) in entries {
            let mut lines = jsonl::Lines::default();
            let mut attachments = Vec::new();
            if !facts.is_left_out {
                jsonl::record(&entry, &context, &mut lines);
                jsonl::attachments(&entry, &mut attachments);
            }
            let files = &self.files;
            let records = [
                (&files.main, lines.lines),
                (&files.breaks, lines.breaks),
                (&files.attachments, attachments),
            ];
            let records = records.map(|(file, bytes)| Record { file: Arc::clone(file), bytes });
            groups.add(facts, records.into(), Vec::new());
        }
        groups.all
    }
}

/// Appends groups; records of two small neighbours become one group.
fn join(all: &mut Vec<Group<'static>>, more: Vec<Group<'static>>, most_bytes: u64) {
    let bytes = |group: &Group<'_>| -> u64 {
        group.records.iter().map(|record| record.bytes.len() as u64).sum()
    };
    let mut more = more.into_iter();
    let joins = |last: &Group<'_>, next: &Group<'_>| {
        last.members.is_empty()
            && next.members.is_empty()
            && bytes(last).saturating_add(bytes(next)) <= most_bytes
    };
    if let Some(next) = more.next() {
        match all.last_mut() {
            Some(last) if joins(last, &next) => last.join(next),
            _ => all.push(next),
        }
    }
    all.extend(more);
}

/// Groups of records: of several messages, unless files belong to one.
struct Groups {
    all: Vec<Group<'static>>,
    most_bytes: u64,
    bytes: u64,
}

impl Groups {
    fn new(most_bytes: u64) -> Self {
        Self { all: Vec::new(), most_bytes, bytes: u64::MAX }
    }

    fn add(&mut self, facts: Facts, records: Vec<Record>, members: Vec<Member<'static>>) {
        let bytes: u64 = records.iter().map(|record| record.bytes.len() as u64).sum();
        let has_files = !facts.members.is_empty() || !members.is_empty();
        let sum = self.bytes.saturating_add(bytes);
        if has_files || sum > self.most_bytes || self.all.is_empty() {
            self.all.push(Group::default());
            self.bytes = 0;
        }
        let Some(group) = self.all.last_mut() else { return };
        facts.join(group);
        group.members.extend(members);
        for record in records.into_iter().filter(|record| !record.bytes.is_empty()) {
            let same = |other: &&mut Record| Arc::ptr_eq(&other.file, &record.file);
            match group.records.iter_mut().find(same) {
                Some(other) => other.bytes.extend_from_slice(&record.bytes),
                None => group.records.push(record),
            }
        }
        // Nobody joins a message that has files.
        self.bytes = if has_files { u64::MAX } else { self.bytes.saturating_add(bytes) };
    }
}

impl Files {
    fn of(format: Format, options: &RenderOptions, window: Window) -> Self {
        let (main, ending, header) = match format {
            Format::Csv => ("messages", "csv", csv::header(options)),
            Format::Dat => ("loadfile", "dat", dat::header()),
            _ => ("messages", "jsonl", Vec::new()),
        };
        let file = |name: &str, ending: &str, header| {
            Arc::new(RecordFile { path: format!("{}.{ending}", named(name, window)), header })
        };
        Self {
            main: file(main, ending, header),
            breaks: file("line-breaks", "jsonl", Vec::new()),
            attachments: file("attachments", "jsonl", Vec::new()),
        }
    }
}

/// The name of something of a window: all windows can be unpacked into one folder.
pub(super) fn named(name: &str, window: Window) -> String {
    if window.of > 1 { format!("{name}_{}", day(window.start)) } else { name.to_owned() }
}
