//! The part that is being written: what is in it, what waits to be written, how large it would be.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::Read;

use chatvault_base::threads::Jobs;
use foldhash::fast::RandomState;

use super::accounts::{Load, Size};
use super::content::{Body, Meter, Packed, Ready, Sums};
use super::file::{BUFFER_BYTES, PartFile};
use super::group::{Prepared, RecordFile, Slot, slot_load};
use super::running::{Chunk, Running, new_load};
use crate::digest::{Hash, sha256};
use crate::error::{Error, Result};
use crate::manifest::{Draft, Facts, Key, Last, MANIFEST, PartRecord, SUMS, sums_text};
use crate::name::fold;
use crate::zip::deflate::stored_bytes;
use crate::zip::record::{End, ZipEntry};
use crate::zip::{Method, member_bytes};

/// Members whose contents may wait in memory for their turn.
const WAITING_BYTES: u64 = 16 << 20;
/// Members that may wait, however small.
const WAITING_MEMBERS: usize = 4_096;
/// A stored content so small is read before its header is written, which then needs no gap.
const READ_FIRST_BYTES: u64 = 1 << 20;

/// The part that is being written.
#[derive(Debug)]
pub(super) struct OpenPart<'a> {
    pub(super) name: String,
    pub(super) k: u32,
    pub(super) draft: Draft,
    pub(super) keys: Option<(Key, Key)>,
    file: PartFile,
    directory: Vec<u8>,
    sums: Vec<(String, Hash)>,
    /// Folded paths: no file system may take two members for one.
    taken: HashSet<String, RandomState>,
    /// Files of records, by the path of their first.
    running: BTreeMap<String, Running>,
    waiting: VecDeque<Slot<'a>>,
    /// What the waiting ones cost, at most.
    waiting_load: Load,
    /// What the written ones cost.
    sealed: Load,
}

/// How a group's records would be added.
#[derive(Debug)]
pub(super) enum Records {
    /// To the records that wait to be deflated.
    Pending,
    /// As chunks that are deflated already: one for each record.
    Chunks(Vec<Chunk>),
}

impl<'a> OpenPart<'a> {
    pub(super) fn new(name: String, k: u32, draft: Draft, file: PartFile) -> Self {
        Self {
            name,
            k,
            draft,
            keys: None,
            file,
            directory: Vec::new(),
            sums: Vec::new(),
            taken: HashSet::default(),
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            waiting_load: Load::default(),
            sealed: Load::default(),
        }
    }

    /// The size of the finished part with a group added: at most, and exactly once everything is
    /// settled and deflated.
    pub(super) fn size_with(
        &self,
        group: &Prepared<'_>,
        records: &Records,
        next: &dyn Fn(&RecordFile) -> String,
    ) -> Size {
        let slots = group.slots.iter();
        let mut more = slots.fold(self.waiting_load, |sum, slot| sum.plus(slot_load(slot)));
        let grows = |path: &str| group.records.iter().any(|record| record.file.path == path);
        for (path, running) in &self.running {
            if !grows(path) {
                more = more.plus(running.load_with(0));
            }
        }
        for (number, record) in group.records.iter().enumerate() {
            let chunk = match records {
                Records::Pending => None,
                Records::Chunks(chunks) => chunks.get(number),
            };
            let load = match (self.running.get(&record.file.path), chunk) {
                (Some(running), None) => running.load_with(record.bytes.len()),
                (Some(running), Some(chunk)) => running.load_with_chunk(chunk),
                (None, chunk) => {
                    let raw = record.file.header.len() + record.bytes.len();
                    let packed = chunk.map_or(stored_bytes(raw), |chunk| chunk.bytes.len() as u64);
                    new_load(&next(&record.file), raw as u64, packed)
                }
            };
            more = more.plus(load);
        }
        Size::of(&self.draft, &group.facts(), self.sealed, more)
    }

    /// The header and a record, or only a record: what adding it would write.
    pub(super) fn bytes_of<'r>(&self, file: &RecordFile, record: &'r [u8]) -> Cow<'r, [u8]> {
        match self.running.get(&file.path) {
            Some(_) => Cow::Borrowed(record),
            None => Cow::Owned([file.header.as_slice(), record].concat()),
        }
    }

    /// Waits until all sizes are exact but those of records that are not deflated yet.
    pub(super) fn settle(&mut self) -> Result<()> {
        self.write_waiting(0, 0)?;
        self.running.values_mut().try_for_each(Running::settle)
    }

    /// Deflates all records that wait for it.
    pub(super) fn end_chunks(&mut self, jobs: &Jobs, level: u32) -> Result<()> {
        self.running.values_mut().try_for_each(|running| running.end_chunk(jobs, level))
    }

    /// Adds what is said about messages.
    pub(super) fn add_facts(&mut self, group: &Prepared<'_>) {
        self.draft.counts = self.draft.counts.plus(group.counts);
        group.subjects.iter().for_each(|subject| self.draft.digest.add(subject));
        group.unavailable.iter().for_each(|text| self.draft.add_unavailable(text));
        if let Some((first, last)) = &group.keys {
            let first = self.keys.take().map_or_else(|| first.clone(), |(first, _)| first);
            self.keys = Some((first, last.clone()));
        }
    }

    /// Lets a member wait for its turn, which may be now.
    pub(super) fn add_slot(&mut self, mut slot: Slot<'a>) -> Result<()> {
        self.take_path(&slot.path, std::mem::take(&mut slot.folded))?;
        self.waiting_load = self.waiting_load.plus(slot_load(&slot));
        self.waiting.push_back(slot);
        self.write_waiting(WAITING_BYTES, WAITING_MEMBERS)
    }

    /// Writes a member whose content its caller has, behind all that wait.
    pub(super) fn add_now(&mut self, slot: &Slot<'_>, content: &mut dyn Read) -> Result<()> {
        self.take_path(&slot.path, slot.folded.clone())?;
        self.write_waiting(0, 0)?;
        self.write_unknown(slot, None, content)
    }

    /// Begins a file of records.
    pub(super) fn begin_records(&mut self, running: Running) -> Result<()> {
        self.take_path(running.path(), fold(running.path()))?;
        let _none = self.running.insert(running.file.path.clone(), running);
        Ok(())
    }

    pub(super) fn records(&mut self, path: &str) -> Option<&mut Running> {
        self.running.get_mut(path)
    }

    /// The number of a file of records that is open.
    pub(super) fn record_number(&self, path: &str) -> Option<u32> {
        self.running.get(path).map(|running| running.number)
    }

    /// Ends a file of records: its number, if it was there.
    pub(super) fn end_records(
        &mut self,
        path: &str,
        jobs: &Jobs,
        level: u32,
    ) -> Result<Option<u32>> {
        let Some(running) = self.running.remove(path) else { return Ok(None) };
        let number = running.number;
        let slot = running.into_slot(jobs, level)?;
        self.waiting_load = self.waiting_load.plus(slot_load(&slot));
        self.waiting.push_back(slot);
        self.write_waiting(WAITING_BYTES, WAITING_MEMBERS)?;
        Ok(Some(number))
    }

    /// The paths of the files of records that are open.
    pub(super) fn open_records(&self) -> Vec<String> {
        self.running.keys().cloned().collect()
    }

    fn take_path(&mut self, path: &str, folded: String) -> Result<()> {
        if self.taken.insert(folded) {
            return Ok(());
        }
        let problem = "another member has it, as far as some file systems can tell";
        Err(Error::MemberName { path: path.to_owned(), problem })
    }

    /// Writes members from the front until few enough wait.
    fn write_waiting(&mut self, bytes: u64, members: usize) -> Result<()> {
        while self.waiting_load.container > bytes || self.waiting.len() > members {
            let Some(slot) = self.waiting.pop_front() else { break };
            self.waiting_load = self.waiting_load.minus(slot_load(&slot));
            let slot = slot.settle()?;
            let Ready::Now(packed) = &slot.content else { return Err(Error::Worker) };
            match (packed.sums, &packed.body) {
                (None, _) => {
                    let mut content = packed.raw(&slot.path)?;
                    self.write_unknown(&slot, packed.sha256(), &mut content)?;
                }
                (Some(sums), Body::Bytes(bytes)) => self.write_known(&slot, packed, sums, bytes)?,
                (Some(sums), _) => {
                    self.write_header(&slot, packed.method, packed.bytes, sums)?;
                    self.copy(&slot.path, packed, sums)?;
                    self.seal(&slot, packed.bytes, &sums.sha256);
                }
            }
        }
        Ok(())
    }

    fn write_known(
        &mut self,
        slot: &Slot<'_>,
        packed: &Packed<'_>,
        sums: Sums,
        bytes: &[u8],
    ) -> Result<()> {
        self.write_header(slot, packed.method, packed.bytes, sums)?;
        self.file.write(bytes)?;
        self.seal(slot, packed.bytes, &sums.sha256);
        Ok(())
    }

    /// Copies a content whose sums were found before; a stream is read a second time and must
    /// give the same.
    fn copy(&mut self, path: &str, packed: &Packed<'_>, sums: Sums) -> Result<()> {
        let expected = (packed.method == Method::Stored).then_some(sums.sha256);
        let meter = self.pour(path, &mut packed.packed(path)?, packed.bytes)?;
        meter.check(path, packed.bytes, expected).map(drop)
    }

    /// Writes a stored content whose sums nobody knows yet.
    fn write_unknown(
        &mut self,
        slot: &Slot<'_>,
        expected: Option<Hash>,
        content: &mut dyn Read,
    ) -> Result<()> {
        if slot.raw <= READ_FIRST_BYTES {
            let mut bytes = Vec::new();
            let most = slot.raw + 1;
            let read = content.take(most).read_to_end(&mut bytes);
            let _length = read.map_err(Error::content(&slot.path))?;
            let mut meter = Meter::default();
            meter.update(&bytes);
            let sums = meter.check(&slot.path, slot.raw, expected)?;
            self.write_header(slot, Method::Stored, slot.raw, sums)?;
            self.file.write(&bytes)?;
            self.seal(slot, slot.raw, &sums.sha256);
            return Ok(());
        }
        let nothing = Sums { crc: 0, sha256: [0; 32] };
        let room = self.entry(slot, Method::Stored, slot.raw, nothing)?.local().len();
        let start = self.file.leave_gap(room)?;
        let sums =
            self.pour(&slot.path, content, slot.raw)?.check(&slot.path, slot.raw, expected)?;
        let entry = ZipEntry {
            offset: narrow(start)?,
            ..self.entry(slot, Method::Stored, slot.raw, sums)?
        };
        self.file.fill_gap(start, &entry.local())?;
        entry.put_central(&mut self.directory);
        self.seal(slot, slot.raw, &sums.sha256);
        Ok(())
    }

    /// Copies a content to its end; never more than a byte beyond what was announced is read.
    fn pour(&mut self, path: &str, content: &mut dyn Read, bytes: u64) -> Result<Meter> {
        let mut meter = Meter::default();
        let mut buffer =
            vec![0; BUFFER_BYTES.min(usize::try_from(bytes).unwrap_or(usize::MAX) + 1)];
        loop {
            let read = content.read(&mut buffer).map_err(Error::content(path))?;
            let filled = buffer.get(..read).unwrap_or_default();
            if filled.is_empty() {
                return Ok(meter);
            }
            meter.update(filled);
            if meter.bytes > bytes {
                return Ok(meter);
            }
            self.file.write(filled)?;
        }
    }

    fn entry(&self, slot: &Slot<'_>, method: Method, packed: u64, sums: Sums) -> Result<ZipEntry> {
        Ok(ZipEntry {
            name: slot.path.clone(),
            method: Some(method),
            crc: sums.crc,
            packed: narrow(packed)?,
            raw: narrow(slot.raw)?,
            offset: narrow(self.file.position())?,
        })
    }

    fn write_header(
        &mut self,
        slot: &Slot<'_>,
        method: Method,
        packed: u64,
        sums: Sums,
    ) -> Result<()> {
        let entry = self.entry(slot, method, packed, sums)?;
        self.file.write(&entry.local())?;
        entry.put_central(&mut self.directory);
        Ok(())
    }

    /// Enters a written member in the lists.
    fn seal(&mut self, slot: &Slot<'_>, packed: u64, hash: &Hash) {
        match &slot.text {
            Some(text) => self.draft.add_file(text),
            None => self.draft.add_file(&slot.text_of(hash)),
        }
        self.sums.push((slot.path.clone(), *hash));
        let container = member_bytes(&slot.path, packed);
        self.sealed = self.sealed.plus(Load::one(container, slot.listed));
    }

    /// Ends the part: the lists about its members, the directory, the end record. Nothing may be
    /// open or waiting any more.
    pub(super) fn finish(mut self, last: Last, part_bytes: u64) -> Result<PartRecord> {
        self.settle()?;
        let size = Size::of(&self.draft, &Facts::default(), self.sealed, Load::default());
        let manifest = self.draft.text(last);
        self.write_own(MANIFEST, manifest.as_bytes())?;
        let sums = self.sums.iter().map(|(path, hash)| (path.as_str(), *hash)).collect();
        self.write_own(SUMS, sums_text(sums).as_bytes())?;
        let members = u16::try_from(size.entries).unwrap_or(u16::MAX);
        let end = End {
            entries: members,
            directory_bytes: narrow(self.directory.len() as u64)?,
            directory_offset: narrow(self.file.position())?,
        };
        let directory = std::mem::take(&mut self.directory);
        self.file.write(&directory)?;
        self.file.write(&end.bytes())?;
        let bytes = self.file.position();
        assert!(bytes <= size.bytes && size.bytes <= part_bytes, "a part is as large as foretold");
        assert!(last == Last::No || bytes == size.bytes, "a part is as large as foretold");
        Ok(PartRecord {
            bytes,
            counts: self.draft.counts,
            digest: (&self.draft.digest).into(),
            first: self.keys.as_ref().map(|(first, _)| first.clone()),
            k: self.k,
            last: self.keys.as_ref().map(|(_, last)| last.clone()),
            members: members.into(),
            sha256: crate::digest::hex(&self.file.finish(&self.name)?),
            name: self.name,
            resume: crate::manifest::Resume::default(),
            window: 0,
        })
    }

    fn write_own(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let hash = sha256(bytes);
        let length = narrow(bytes.len() as u64)?;
        let entry = ZipEntry {
            name: name.to_owned(),
            method: Some(Method::Stored),
            crc: crc32fast::hash(bytes),
            packed: length,
            raw: length,
            offset: narrow(self.file.position())?,
        };
        self.file.write(&entry.local())?;
        self.file.write(bytes)?;
        entry.put_central(&mut self.directory);
        self.sums.push((name.to_owned(), hash));
        Ok(())
    }
}

/// A size or offset as the container has it; what is larger never fits a part.
fn narrow(bytes: u64) -> Result<u32> {
    u32::try_from(bytes).map_err(|_too_large| Error::TooSmall {
        part_bytes: u32::MAX.into(),
        what: "a member".to_owned(),
        needed: bytes,
    })
}
