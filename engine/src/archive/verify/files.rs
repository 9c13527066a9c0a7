//! Every file that the manifest names: its length, its hash, and what it says about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::super::accounts::book::{Link, read_key};
use super::super::accounts::ledger::{List, read_links};
use super::super::maintain::disposal::TRASH;
use super::super::repair::repaired::Repaired;
use super::super::state::State;
use super::accounts::Accounts;
use super::arrivals::Arrivals;
use super::{Damage, Depth, Verification};
use crate::cache::Cache;
use crate::error::{Error, Result, Touched};
use crate::format::multiset::Multiset;
use crate::format::names;
use crate::manifest::{self, FileEntry, FileKind};
use crate::objects::Pack;
use crate::segment::{Dictionary, Segment, Tables};
use crate::types::{ContentAddress, MessageKey};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// A segment whose rows can be read.
#[derive(Debug)]
pub(super) struct Readable {
    pub(super) segment: Arc<Segment>,
    /// Row groups whose damage is known already.
    pub(super) damaged: BTreeSet<usize>,
    pub(super) arrivals: Arc<Arrivals>,
}

/// Where a file of the manifest is by now.
enum Found {
    At(String),
    /// It was replaced since, and is gone.
    Replaced,
    Missing,
}

impl Verification<'_> {
    /// Checks all files; gives the segments whose rows can be read.
    pub(super) fn check_files(
        &mut self,
        accounts: &Accounts,
        state: Option<&State>,
    ) -> Vec<Readable> {
        let mut readable = Vec::new();
        let manifest = Arc::clone(&self.manifest);
        let cache = Arc::new(Cache::new(self.cache_bytes));
        for entry in &manifest.files {
            if self.progress.add(0).is_break() {
                break;
            }
            match self.check_entry(entry, accounts, &cache) {
                Ok(segment) => readable.extend(segment),
                Err(error) => self.cannot_read(entry, error, state),
            }
        }
        readable
    }

    /// Checks a file where it is by now: a merge may move it between one look and the next.
    fn check_entry(
        &mut self,
        entry: &FileEntry,
        accounts: &Accounts,
        cache: &Arc<Cache>,
    ) -> Result<Option<Readable>> {
        let mut before = None;
        loop {
            let path = match self.find(entry)? {
                Found::At(path) => path,
                Found::Missing => {
                    return Err(Error::corrupt("file is missing").in_file(entry.path()));
                }
                Found::Replaced => {
                    self.overtaken = true;
                    return Ok(None);
                }
            };
            if before.is_none() {
                self.report.files += 1;
                self.report.bytes += entry.bytes;
            }
            let checked = self.check_file(entry, &path, accounts, cache);
            let is_gone = |cause: io::Error| cause.kind() == io::ErrorKind::NotFound;
            let moved = checked.is_err() && self.storage.open(&path).is_err_and(is_gone);
            if !moved || before.as_ref() == Some(&path) {
                return checked;
            }
            before = Some(path);
        }
    }

    /// Nothing of a file can be read.
    fn cannot_read(&mut self, entry: &FileEntry, error: Error, state: Option<&State>) {
        let told = |there: &Damage| there.file == entry.path();
        self.lost_packs |= entry.kind == FileKind::Pack;
        // Whoever summed up ledgers and quarantines has told it with its place.
        let accounted = matches!(entry.kind, FileKind::Ledger | FileKind::Quarantine);
        if !(accounted && self.findings.damages.iter().any(told)) {
            let conversations = state.map(|state| conversations_of(state, entry));
            let conversations = conversations.unwrap_or_default();
            self.findings.add(&error.touching(Touched { conversations, ..entry.touched() }));
        }
    }

    /// Does every link lead to an object?
    pub(super) fn check_links(&mut self, accounts: &Accounts) {
        let mut lost: BTreeMap<ContentAddress, BTreeSet<String>> = BTreeMap::new();
        let repaired = Repaired::of(&self.manifest);
        let gone = |object: &ContentAddress| {
            let told = repaired.iter().any(|repaired| repaired.linked_lost.contains(object));
            !self.objects.contains(object) && !told
        };
        let mut take = |key: &MessageKey, links: &[Link]| {
            for link in links.iter().filter(|link| gone(&link.object)) {
                let _ = lost.entry(link.object).or_default().insert(key.conversation.clone());
            }
        };
        let read = accounts.merged(List::Links, &mut |ledger, items| {
            for item in items {
                let (key, links) =
                    ledger.said(item, |key, value| read_key(key).zip(read_links(value)))?;
                take(&key, &links);
            }
            Ok(())
        });
        accounts.book.links.iter().for_each(|(key, links)| take(key, links));
        if let Err(error) = read {
            self.findings.add(&error);
        }
        let place = names::manifest(self.manifest.number);
        if self.lost_packs && !lost.is_empty() {
            let message = format!(
                "{} objects that messages link to are in no pack that can be read",
                lost.len()
            );
            let conversations: BTreeSet<String> = lost.into_values().flatten().collect();
            return self.findings.add(&lost_objects(message, conversations, &place));
        }
        for (object, conversations) in lost {
            let message = format!("object {object}, which messages link to, is in no pack");
            self.findings.add(&lost_objects(message, conversations, &place));
        }
    }

    /// Checks a file that is there; an error is one that leaves nothing of it to be read.
    fn check_file(
        &mut self,
        entry: &FileEntry,
        path: &str,
        accounts: &Accounts,
        cache: &Arc<Cache>,
    ) -> Result<Option<Readable>> {
        if entry.kind == FileKind::Pack {
            return self.check_pack(entry).map(|()| None);
        }
        let damage = self.differs(entry, path)?;
        if entry.kind == FileKind::Dictionary && damage.is_none() {
            let dictionary = Dictionary::find(self.storage, entry.number);
            return dictionary.check(self.archive, entry.number).map(|()| None);
        }
        if entry.kind != FileKind::Segment {
            return damage.map_or(Ok(None), Err);
        }
        if self.depth == Depth::Structure {
            self.report.rows += entry.rows;
            let _stopped = self.progress.add(entry.rows);
        }
        let segment = self.open_segment(entry, path, damage.is_some(), Arc::clone(cache))?;
        Ok(self.check_segment(entry, segment, damage, accounts))
    }

    fn find(&self, entry: &FileEntry) -> Result<Found> {
        let path = entry.path();
        match self.storage.open(&path) {
            Ok(_) => return Ok(Found::At(path)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(Error::io("open", &path, cause)),
        }
        let newest = manifest::load(self.storage, self.archive);
        if newest.is_ok_and(|(newest, _)| newest.file(entry.number).is_none()) {
            return Ok(self.find_in_trash(entry)?.map_or(Found::Replaced, Found::At));
        }
        Ok(Found::Missing)
    }

    fn find_in_trash(&self, entry: &FileEntry) -> Result<Option<String>> {
        let suffix = format!(".{}", entry.kind.name(entry.number));
        let files = self.storage.list(TRASH).map_err(|cause| Error::io("list", TRASH, cause))?;
        let file = files.iter().find(|file| file.name.ends_with(&suffix));
        Ok(file.map(|file| format!("{TRASH}/{}", file.name)))
    }

    /// Has a file another length or hash than the manifest says?
    fn differs(&mut self, entry: &FileEntry, path: &str) -> Result<Option<Error>> {
        let file = self.storage.open(path).map_err(|cause| Error::io("open", path, cause))?;
        let bytes = file.bytes().map_err(|cause| Error::io("measure", path, cause))?;
        if bytes != entry.bytes {
            let message = format!("file has {bytes} bytes, should have {}", entry.bytes);
            return Ok(Some(Error::corrupt(message).in_file(path).at(bytes.min(entry.bytes))));
        }
        let (mut hasher, mut chunk, mut offset) = (blake3::Hasher::new(), Vec::new(), 0_u64);
        while offset < bytes && self.progress.add(0).is_continue() {
            let rest = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
            chunk.resize(rest.min(READ_BYTES), 0);
            let read = file.read_at(offset, &mut chunk);
            read.map_err(|cause| Error::io("read", path, cause).at(offset))?;
            let _ = hasher.update(&chunk);
            offset += chunk.len() as u64;
        }
        let found = hasher.finalize();
        if self.progress.stopped || *found.as_bytes() == entry.hash {
            return Ok(None);
        }
        let expected = blake3::Hash::from_bytes(entry.hash);
        let message = format!("BLAKE3 is {}, should be {}", found.to_hex(), expected.to_hex());
        Ok(Some(Error::corrupt(message).in_file(path)))
    }

    /// Opens a segment anew, so that nothing is taken from what is in memory.
    fn open_segment(
        &self,
        entry: &FileEntry,
        path: &str,
        damaged: bool,
        cache: Arc<Cache>,
    ) -> Result<Segment> {
        let segment = Segment::open(self.storage, self.archive, entry.number, path, cache)?;
        let meta = &segment.meta;
        let said = (
            u64::from(meta.rows),
            Multiset(meta.multiset),
            meta.sequence.low.cast_unsigned(),
            meta.sequence.high.cast_unsigned(),
        );
        if damaged || said == (entry.rows, entry.multiset, entry.first.0, entry.last.0) {
            return Ok(segment);
        }
        Err(Error::corrupt("footer says another thing than the manifest").in_file(path))
    }

    fn check_segment(
        &mut self,
        entry: &FileEntry,
        segment: Segment,
        damage: Option<Error>,
        accounts: &Accounts,
    ) -> Option<Readable> {
        self.report.stored_beside += u64::from(segment.meta.beside);
        let dictionary = segment.meta.dictionary;
        let is_named = |entry: &FileEntry| entry.kind == FileKind::Dictionary;
        if dictionary != 0 && !self.manifest.file(dictionary).is_some_and(is_named) {
            let message =
                format!("names dictionary {dictionary}, which the manifest does not name");
            self.findings.add(&Error::corrupt(message).in_file(segment.path()));
        }
        let mut damaged = BTreeSet::new();
        let located = damage.is_some();
        if let Some(whole) = damage {
            let frames = segment.damaged_frames();
            // A file of another length is told beside the frames that went with its end.
            if frames.is_empty() || whole.offset().is_some() {
                self.findings.add(&whole);
            }
            for frame in frames {
                damaged.extend(frame.group);
                self.findings.add(&frame.error);
            }
        }
        let checked = segment.tables().and_then(|tables| check_tables(&tables, entry, accounts));
        match checked {
            Ok(()) => {
                let arrivals = Arc::clone(&accounts.arrivals);
                Some(Readable { segment: Arc::new(segment), damaged, arrivals })
            }
            // The frames say already what is wrong.
            Err(_) if located => None,
            Err(error) => {
                self.findings.add(&error.in_file(segment.path()));
                None
            }
        }
    }

    fn check_pack(&mut self, entry: &FileEntry) -> Result<()> {
        let pack = Arc::new(Pack::open(self.storage, entry.number, self.archive)?);
        self.objects.extend(pack.objects().iter().map(|object| object.address));
        let addresses = pack.objects().iter().map(|object| Multiset(object.address.0));
        let said = (pack.hash(), pack.objects().len() as u64, addresses.sum());
        if said != (entry.hash, entry.rows, entry.multiset) {
            let message = "directory is not the one that the manifest names";
            self.findings.add(&Error::corrupt(message).in_file(entry.path()));
        }
        for damage in pack.verify(self.depth == Depth::Deep) {
            self.findings.add(&damage);
        }
        Ok(())
    }
}

fn lost_objects(message: String, conversations: BTreeSet<String>, place: &str) -> Error {
    let conversations = conversations.into_iter().collect();
    let touched = Touched { conversations, ..Touched::default() };
    Error::corrupt(message).in_file(place).touching(touched)
}

/// What a segment that cannot be opened any more held, as far as this process still knows.
fn conversations_of(state: &State, entry: &FileEntry) -> Vec<String> {
    let live = state.segments.iter().find(|live| live.entry == *entry);
    let Some(tables) = live.and_then(|live| live.segment().ok()?.tables().ok()) else {
        return Vec::new();
    };
    let names = &tables.conversations;
    (0..names.len()).map(|number| names.text(number).to_owned()).collect()
}

/// Conversations stand in order, each with rows; sets in order, with custodians that have names.
fn check_tables(tables: &Tables, entry: &FileEntry, accounts: &Accounts) -> Result<()> {
    let names = &tables.conversations;
    let rising = (1..names.len()).all(|number| names.get(number - 1) < names.get(number));
    let starts = &tables.starts;
    let covering = starts.first() == Some(&0)
        && starts.is_sorted_by(|a, b| a < b)
        && starts.last().is_some_and(|last| u64::from(*last) < entry.rows);
    if !rising || !covering {
        return Err(Error::corrupt("conversations are out of order"));
    }
    for set in tables.sets.iter() {
        if !set.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(Error::corrupt("a custodian set is out of order"));
        }
        if let Some((custodian, _)) = set.iter().find(|(custodian, _)| !accounts.knows(*custodian))
        {
            let message = format!("names custodian {custodian}, who has no name");
            return Err(Error::corrupt(message));
        }
    }
    Ok(())
}
