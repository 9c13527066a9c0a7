//! Messages become groups for the part writer, or what a document is made of: on any thread.
//!
//! Where one group ends and the next begins depends on the messages and the cap alone, so parts come
//! out the same whatever the number of threads.

use std::sync::Arc;

use chatvault_engine::{RecordKind, Snapshot};
use chatvault_query::Record as Kind;
use chatvault_query::record::Texts;

use super::attach::Attachments;
use super::bind::Binder;
use super::facts::{Facts, member};
use super::made::{Chat, Made};
use super::parent::Parents;
use super::read::Entries;
use super::scene::{Known, Scene, Stage};
use super::slice::{Extent, Slice};
use super::window::named;
use crate::entry::{Entry, Piece, RenderOptions, Version, Window};
use crate::error::Result;
use crate::format::{Item, csv, dat, eml, html, jsonl, mbox, parquet, pdf};
use crate::name::{path, safe};
use crate::part::{Content, Group, Member, Record, RecordFile, Settings};
use crate::request::{Format, Request, wrong};
use crate::zone::file_stamp;

/// The most records that lie in one group, in bytes.
const GROUP_BYTES: u64 = 256 << 10;
/// A group's records have at most this share of a part, so that parts become full.
const GROUP_SHARE: u64 = 256;
/// A mail that is larger than this is a mailbox of its own: records are made in memory.
const RECORD_BYTES: u64 = 16 << 20;

/// What reads and renders one window. Shared by the threads that do.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) snapshot: Snapshot,
    pub(super) request: Arc<Request>,
    pub(super) window: Window,
    pub(super) stage: Stage,
    known: Arc<Known>,
    fonts: Option<Arc<pdf::Fonts>>,
    pub(super) files: Files,
    pub(super) group_bytes: u64,
}

/// The running files of a window.
#[derive(Debug)]
pub(super) struct Files {
    main: Arc<RecordFile>,
    /// Stored documents that are no messages: a file for each kind.
    others: [(RecordKind, Arc<RecordFile>); 3],
    breaks: Arc<RecordFile>,
    attachments: Arc<RecordFile>,
}

/// Neighbours of one conversation.
pub(super) type Stretch = (Arc<Scene>, Vec<Entry>);

/// Messages of a slice that are read and rendered together: they stay in a processor's cache.
const SOME: usize = 64;

/// The messages of a slice, as they are read.
pub(super) struct Reading<'w> {
    shop: &'w Workshop,
    record: Kind,
    texts: Texts,
    entries: Entries,
    parents: Parents,
    /// Of the conversation that is read.
    scene: Option<Arc<Scene>>,
}

impl Reading<'_> {
    /// Everything.
    pub(super) fn all(&mut self, attachments: &mut Attachments<'_>) -> Result<Vec<Stretch>> {
        self.some(usize::MAX, attachments)
    }

    /// The next messages, so many at most.
    fn some(&mut self, most: usize, attachments: &mut Attachments<'_>) -> Result<Vec<Stretch>> {
        let names_people = self.shop.request.format.nature().names_people;
        let mut stretches: Vec<Stretch> = Vec::new();
        for _ in 0..most {
            let Some(mut entry) = self.entries.next()? else { break };
            attachments.find(&mut entry)?;
            if self.record == Kind::Transcript && names_people {
                entry.say(&self.texts.of(&entry.key).map_err(wrong)?);
            }
            let chat = &entry.key.conversation;
            let same = self.scene.take().filter(|scene| scene.conversation == *chat);
            let scene = if let Some(scene) = same {
                scene
            } else {
                self.parents.enter();
                self.shop.scene((self.record, chat))
            };
            self.parents.find(&mut entry)?;
            match stretches.last_mut().filter(|(last, _)| Arc::ptr_eq(last, &scene)) {
                Some((_, all)) => all.push(entry),
                None => stretches.push((Arc::clone(&scene), vec![entry])),
            }
            self.scene = Some(scene);
        }
        Ok(stretches)
    }
}

impl Workshop {
    pub(super) fn new(
        snapshot: &Snapshot,
        (request, window): (&Arc<Request>, Window),
        stage: &Stage,
        (known, fonts): (&Arc<Known>, Option<&Arc<pdf::Fonts>>),
    ) -> Self {
        Self {
            snapshot: snapshot.clone(),
            request: Arc::clone(request),
            window,
            stage: stage.clone(),
            known: Arc::clone(known),
            fonts: fonts.map(Arc::clone),
            files: Files::of(request.format, &stage.options, window),
            group_bytes: GROUP_BYTES.min(request.part_bytes / GROUP_SHARE),
        }
    }

    /// The files that end with the window.
    pub(super) fn records(&self) -> impl Iterator<Item = &RecordFile> {
        let Files { main, others, breaks, attachments } = &self.files;
        let others = others.iter().map(|(_, file)| file);
        [main].into_iter().chain(others).chain([breaks, attachments]).map(|file| &**file)
    }

    /// How a conversation looks in this window.
    pub(super) fn scene(&self, chat: (Kind, &str)) -> Arc<Scene> {
        Arc::new(Scene::new(&self.stage, &self.known, chat, self.window))
    }

    /// The document of a conversation that is being made, if it has one.
    pub(super) fn binder<'c>(
        &self,
        scene: &'c Arc<Scene>,
        cards: &'c html::Scene<'c>,
        kit: Option<pdf::Kit<'c>>,
    ) -> Binder<'c> {
        Binder::new((&self.request, self.window), scene, (cards, kit))
    }

    /// What PDFs are made with.
    pub(super) fn kit(&self, threads: usize) -> Option<pdf::Kit<'_>> {
        self.fonts.as_deref().map(|fonts| pdf::Kit::new(fonts, threads))
    }

    /// For an export without attachments.
    pub(super) fn no_attachments(&self) -> Attachments<'static> {
        Attachments::new(&self.snapshot, &|_, _| None, true)
    }

    /// Reads the messages of a slice. `scene` is that of its conversation if it has one alone.
    pub(super) fn read(&self, slice: &Slice, scene: Option<Arc<Scene>>) -> Result<Reading<'_>> {
        let (request, names_people) = (&*self.request, self.request.format.nature().names_people);
        let at = (slice.record, self.window, Some(slice));
        Ok(Reading {
            shop: self,
            record: slice.record,
            texts: Texts::new(&self.snapshot),
            entries: Entries::of(&self.snapshot, request, at, true)?,
            parents: Parents::new(&self.snapshot, request, names_people),
            scene,
        })
    }

    /// Reads and renders a slice: a few messages at a time, if a conversation has no document.
    pub(super) fn make(
        &self,
        slice: &Slice,
        scene: Option<Arc<Scene>>,
        attachments: &mut Attachments<'_>,
    ) -> Result<Made> {
        if self.is_of_lines() {
            return self.lines_of(slice, attachments);
        }
        let mut reading = self.read(slice, scene)?;
        if self.request.is_by_chat() {
            return self.render(reading.all(attachments)?, slice.place);
        }
        let mut made = Made::Items(Vec::new());
        loop {
            let some = reading.some(SOME, attachments)?;
            if some.is_empty() {
                return Ok(made);
            }
            made.join(self.render(some, slice.place)?, self.group_bytes);
        }
    }

    /// Renders what [`Workshop::read`] gave of whole conversations, or of a part of one.
    pub(super) fn render(&self, stretches: Vec<Stretch>, place: Extent) -> Result<Made> {
        if self.request.is_by_chat() && place == Extent::Whole {
            return self.chats(stretches).map(Made::Chats);
        }
        let mut made = Made::Items(Vec::new());
        for (scene, entries) in stretches {
            made.join(self.stretch(&scene, entries)?, self.group_bytes);
        }
        Ok(made)
    }

    /// Makes all files of some conversations.
    fn chats(&self, stretches: Vec<Stretch>) -> Result<Vec<Chat>> {
        let (scenes, entries): (Vec<_>, Vec<_>) = stretches.into_iter().unzip();
        let cards: Vec<_> = scenes.iter().map(|scene| html::Scene::new(scene.context())).collect();
        let mut kit = self.kit(1);
        let mut chats = Vec::with_capacity(scenes.len());
        for ((scene, cards), entries) in scenes.iter().zip(&cards).zip(entries) {
            let mut binder = self.binder(scene, cards, kit);
            let mut groups = Vec::new();
            binder.take(self.stretch(scene, entries)?, &mut groups)?;
            let (ended, used) = binder.finish(&mut groups)?;
            kit = used.or_else(|| self.kit(1));
            for group in &mut groups {
                let members = std::mem::take(&mut group.members).into_iter();
                group.members = members.map(|member| member.pressed(Settings::LEVEL)).collect();
            }
            chats.push(Chat { groups, ended });
        }
        Ok(chats)
    }

    /// Renders messages of one conversation.
    fn stretch(&self, scene: &Arc<Scene>, mut entries: Vec<Entry>) -> Result<Made> {
        self.add_addresses(&mut entries);
        let with_facts = |entry: Entry| {
            let facts = Facts::of(&entry, &scene.options, &scene.objects);
            (entry, facts)
        };
        let entries: Vec<(Entry, Facts)> = entries.into_iter().map(with_facts).collect();
        Ok(match self.request.format {
            Format::Eml if !self.request.chat_day => Made::Groups(Self::mails(scene, entries)),
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
        let records =
            if self.request.attachment_rows { records.with_attachment_rows() } else { records };
        let item = |(entry, facts): (Entry, Facts)| {
            let item = match self.request.format {
                Format::Html => Item::Card(Box::new(cards.card(&entry))),
                Format::Parquet => Item::Rows(records.record(&entry)),
                _ => Item::Entry(Box::new(entry)),
            };
            (item, facts)
        };
        entries.into_iter().map(item).collect()
    }

    fn add_addresses(&self, entries: &mut [Entry]) {
        // A stored line is its own proof; only a note about it has to name it.
        let is_named = |version: &Version| {
            self.request.format.nature().names_people || jsonl::has_breaks(version.document.json())
        };
        let versions = entries.iter_mut().flat_map(|entry| &mut entry.versions);
        for version in versions.filter(|version| is_named(version)) {
            version.address = version.document.address();
        }
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
                    let member = member(piece, source, &scene.objects);
                    group.members.push(member.pressed(Settings::LEVEL));
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
                groups.add(facts, &[], Vec::new());
                continue;
            }
            let content = mailbox.record(&entry);
            if content.size() <= RECORD_BYTES {
                let read = content.to_vec(&*scene.objects);
                let bytes = read.map_err(crate::error::Error::content(&file.path))?;
                groups.add(facts, &[(&file, &bytes)], Vec::new());
            } else {
                let file = format!("{}_{}.mbox", file_stamp(entry.created), entry.key.id);
                let name = path(&[slug], &safe(&file, "mail.mbox"));
                let piece = Piece { name, content, messages: 1 };
                let alone = member(piece, None, &scene.objects);
                groups.add(facts, &[], vec![alone]);
            }
        }
        Ok(groups.all)
    }

    fn table(&self, scene: &Arc<Scene>, entries: Vec<(Entry, Facts)>) -> Vec<Group<'static>> {
        let records = csv::Records::new(scene.context());
        let records =
            if self.request.attachment_rows { records.with_attachment_rows() } else { records };
        let mut groups = Groups::new(self.group_bytes);
        let mut bytes = Vec::new();
        for (entry, mut facts) in entries {
            bytes.clear();
            if !facts.is_left_out {
                facts.counts.long_cells = records.record(&entry, &mut bytes);
            }
            groups.add(facts, &[(&self.files.main, &bytes)], Vec::new());
        }
        groups.all
    }

    fn load_file(&self, scene: &Arc<Scene>, entries: Vec<(Entry, Facts)>) -> Vec<Group<'static>> {
        let dates = if self.request.iso_dates { dat::Dates::Iso } else { dat::Dates::Compact };
        let records = dat::Records::new(scene.context(), dates);
        let mut groups = Groups::new(self.group_bytes);
        let mut bytes = Vec::new();
        for (entry, facts) in entries {
            bytes.clear();
            let mut natives = Vec::new();
            if !facts.is_left_out {
                let _written = records.record(&entry, &mut bytes);
                natives = records.natives(&entry);
            }
            let natives = natives.into_iter().map(|(path, version)| Member {
                path,
                content: Content::Bytes(version.document.json().to_vec()),
                source: Some(format!("blake3:{}", version.address)),
            });
            groups.add(facts, &[(&self.files.main, &bytes)], natives.collect());
        }
        groups.all
    }

    fn lines(&self, scene: &Arc<Scene>, entries: Vec<(Entry, Facts)>) -> Vec<Group<'static>> {
        let context = scene.context();
        let mut groups = Groups::new(self.group_bytes);
        let (mut lines, mut attachments) = (jsonl::Lines::default(), Vec::new());
        for (entry, facts) in entries {
            lines.lines.clear();
            lines.breaks.clear();
            attachments.clear();
            if !facts.is_left_out {
                jsonl::record(&entry, &context, &mut lines);
                jsonl::attachments(&entry, &mut attachments);
            }
            let records = self.files.of_lines(entry.key.record, &lines, &attachments);
            groups.add(facts, &records, Vec::new());
        }
        groups.all
    }
}

/// Groups of records: of several messages, unless files belong to one.
pub(super) struct Groups {
    pub(super) all: Vec<Group<'static>>,
    most_bytes: u64,
    bytes: u64,
    /// What a record is given at once.
    room: usize,
}

impl Groups {
    pub(super) fn new(most_bytes: u64) -> Self {
        Self { all: Vec::new(), most_bytes, bytes: u64::MAX, room: 0 }
    }

    pub(super) fn add(
        &mut self,
        facts: Facts,
        records: &[(&Arc<RecordFile>, &[u8])],
        members: Vec<Member<'static>>,
    ) {
        let bytes: u64 = records.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let has_files = !facts.members.is_empty() || !members.is_empty();
        let sum = self.bytes.saturating_add(bytes);
        if has_files || sum > self.most_bytes || self.all.is_empty() {
            // A full group is followed by one that becomes full, too.
            let is_full = self.bytes <= self.most_bytes;
            self.room = usize::try_from(self.bytes).ok().filter(|_| is_full).unwrap_or(0);
            self.all.push(Group::default());
            self.bytes = 0;
        }
        let Some(group) = self.all.last_mut() else { return };
        facts.join(group);
        group.members.extend(members);
        for (file, bytes) in records.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let same = |other: &&mut Record| Arc::ptr_eq(&other.file, file);
            if let Some(other) = group.records.iter_mut().find(same) {
                other.bytes.extend_from_slice(bytes);
            } else {
                let mut own = Vec::with_capacity(bytes.len().max(self.room));
                own.extend_from_slice(bytes);
                group.records.push(Record { file: Arc::clone(file), bytes: own });
            }
        }
        // Nobody joins a message that has files.
        self.bytes = if has_files { u64::MAX } else { self.bytes.saturating_add(bytes) };
    }
}

impl Files {
    /// Where the lines of a message go.
    pub(super) fn of_lines<'f>(
        &'f self,
        record: RecordKind,
        lines: &'f jsonl::Lines,
        attachments: &'f [u8],
    ) -> [(&'f Arc<RecordFile>, &'f [u8]); 3] {
        let other = self.others.iter().find(|(of, _)| *of == record);
        let main = other.map_or(&self.main, |(_, file)| file);
        [(main, &lines.lines), (&self.breaks, &lines.breaks), (&self.attachments, attachments)]
    }

    fn of(format: Format, options: &RenderOptions, window: Window) -> Self {
        let (main, ending, header) = match format {
            Format::Csv => ("messages", "csv", csv::header(options)),
            Format::Dat => ("loadfile", "dat", dat::header()),
            _ => ("messages", "jsonl", Vec::new()),
        };
        let file = |name: &str, ending: &str, header| {
            Arc::new(RecordFile { path: format!("{}.{ending}", named(name, window)), header })
        };
        let other = |record, name| (record, file(name, "jsonl", Vec::new()));
        Self {
            main: file(main, ending, header),
            others: [
                other(RecordKind::CopilotInteraction, "copilot"),
                other(RecordKind::CallRecording, "recordings"),
                other(RecordKind::CallTranscript, "transcripts"),
            ],
            breaks: file("line-breaks", "jsonl", Vec::new()),
            attachments: file("attachments", "jsonl", Vec::new()),
        }
    }
}
