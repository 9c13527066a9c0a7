//! Building a segment: two passes over sorted rows, one file in memory.
//!
//! The first pass parses documents and counts which values repeat; the second encodes row groups,
//! renders every row of a group back and compares. A row that differs is kept whole.

use std::cell::RefCell;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::bind::{Binder, Context};
use super::block::{self, Block, Literal, Lookup, Spot, Text};
use super::bound::Bound;
use super::columns::{self, Columns, Counts, put_heads};
use super::dictionary::{TextPacker, Trained};
use super::keys::{Keys, KeysBuilder};
use super::layout::{self, Bounds, Chunk, Group, Kind, Meta, Place, Strings};
use super::pages::{self, Directory, LISTS, List, number_name};
use super::program::{Made, Program};
use super::senders::Senders;
use super::sets::put_set;
use super::tell::{Long, Telling};
use super::{NewRow, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::put_varint;
use crate::format::frame::{self, Codec};
use crate::format::limits;
use crate::format::merkle;
use crate::format::multiset::Multiset;

/// Documents of a group together: bounds memory where documents are huge.
const GROUP_DOCUMENT_BYTES: usize = 32 << 20;
/// Programs that are kept for the next groups.
const KEPT_PROGRAMS: usize = 4096;

/// How hard to pack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Rows of a group: one row is read by decoding its group's keys and columns. Groups of 1,024 take
    /// 3.5 bytes a row less than those of 256, and one row of them costs twice as much.
    pub(crate) group_rows: u32,
    /// zstd level of keys, columns and tables.
    pub(crate) level: i32,
    /// zstd level of text.
    pub(crate) text_level: i32,
    /// Text of this many bytes shares a frame, and is unpacked to read one row.
    pub(crate) chunk_bytes: usize,
}

impl Effort {
    /// For what was just ingested: fast.
    pub(crate) const FRESH: Self =
        Self { group_rows: 256, level: 3, text_level: 5, chunk_bytes: 16 << 10 };
    /// For background merges.
    pub(crate) const MERGE: Self =
        Self { group_rows: 256, level: 9, text_level: 9, chunk_bytes: 16 << 10 };
    /// For a compaction that was asked for: small.
    pub(crate) const HARD: Self =
        Self { group_rows: layout::GROUP_ROWS, level: 19, text_level: 19, chunk_bytes: 32 << 10 };
}

/// A segment file in memory.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) file: Vec<u8>,
    pub(crate) meta: Meta,
}

/// Builds a segment of at least one row; its text is packed with the dictionary, if there is one.
pub(crate) fn build(
    archive: [u8; 16],
    number: u64,
    (effort, dictionary): (Effort, Option<&Trained>),
    source: &mut dyn Source,
) -> Result<Built> {
    let surveyed = survey(source)?;
    let mut writer = Writer::new(archive, number, effort, surveyed, dictionary)?;
    source.visit(&mut |row| writer.push(row))?;
    writer.finish()
}

type Names = HashSet<Box<str>, RandomState>;

fn survey(source: &mut dyn Source) -> Result<(Binder, Counts, Senders, Telling)> {
    let (mut binder, mut counts, mut senders) =
        (Binder::new(), Counts::default(), Names::default());
    let mut long = Long::default();
    source.visit(&mut |row| {
        if !binder.bind(row, &mut counts) {
            Binder::bind_whole(row.document, &mut counts);
        }
        long.add(row.conversation);
        if let Some(sender) = row.sender {
            let _ = senders.get_or_insert_with(sender, |sender| sender.into());
        }
        Ok(())
    })?;
    binder.restart();
    Ok((binder, counts, Senders::of(senders), Telling::of(long)))
}

struct Writer<'d> {
    file: Vec<u8>,
    effort: Effort,
    text_packer: TextPacker<'d>,
    /// Of keys and columns.
    packer: zstd::bulk::Compressor<'static>,
    /// Of lists, sections and footers.
    list_packer: zstd::bulk::Compressor<'static>,
    binder: Binder,
    columns: Columns,
    conversations: Strings,
    starts: Vec<u32>,
    senders: Senders,
    telling: Telling,
    set_lists: Vec<Vec<(u32, u64)>>,
    set_numbers: HashMap<Vec<(u32, u64)>, u32, RandomState>,
    /// The set of the row being added.
    set: Vec<(u32, u64)>,
    keys: KeysBuilder,
    documents: Vec<u8>,
    document_ends: Vec<usize>,
    whole_rows: u32,
    /// (rows, end in the group's text) of each chunk.
    chunks: Vec<(u32, usize)>,
    bounds: [Bounds; 3],
    meta: Meta,
    multiset: Multiset,
    tree: merkle::Builder,
    /// Of the groups so far.
    programs: RefCell<HashMap<(u32, u64), Arc<Program>, RandomState>>,
}

impl<'d> Writer<'d> {
    fn new(
        archive: [u8; 16],
        number: u64,
        effort: Effort,
        (binder, counts, senders, telling): (Binder, Counts, Senders, Telling),
        dictionary: Option<&'d Trained>,
    ) -> Result<Self> {
        let mut file = layout::MAGIC.to_vec();
        file.extend_from_slice(&archive);
        file.extend_from_slice(&number.to_le_bytes());
        let text_packer = TextPacker::new(effort.text_level, dictionary)?;
        let mut meta = Meta::empty(number);
        meta.dictionary = dictionary.map_or(0, |dictionary| dictionary.number);
        let columns = Columns::new(counts, &binder.contexts);
        Ok(Self {
            file,
            effort,
            packer: zstd::bulk::Compressor::new(effort.level).map_err(compression)?,
            text_packer,
            list_packer: zstd::bulk::Compressor::new(effort.level.max(9)).map_err(compression)?,
            binder,
            columns,
            conversations: Strings::default(),
            starts: Vec::new(),
            senders,
            telling,
            set_lists: Vec::new(),
            set_numbers: HashMap::default(),
            set: Vec::new(),
            keys: KeysBuilder::default(),
            documents: Vec::new(),
            document_ends: Vec::new(),
            whole_rows: 0,
            chunks: Vec::new(),
            bounds: [Bounds::EMPTY; 3],
            meta,
            multiset: Multiset::default(),
            tree: merkle::Builder::default(),
            programs: RefCell::default(),
        })
    }

    fn push(&mut self, row: &NewRow<'_>) -> Result<()> {
        let number = self.meta.rows;
        let last = self.conversations.len().checked_sub(1);
        if last.is_none_or(|last| self.conversations.text(last) != row.conversation) {
            self.conversations.push(row.conversation.as_bytes());
            self.starts.push(number);
            self.telling.begin(number);
        }
        let sender = self.senders.code(row.sender);
        let set = self.set(row);
        self.columns.row(u64::from(sender));
        if !self.binder.bind(row, &mut self.columns) {
            Binder::bind_whole(row.document, &mut self.columns);
            self.whole_rows += 1;
        }
        let address = self.binder.address(row)?;
        self.keys.push((row, &address), u64::from(sender), u64::from(set));
        self.telling.add(row, &self.binder);
        self.documents.extend_from_slice(row.document);
        self.document_ends.push(self.documents.len());
        for (bounds, value) in self.bounds.iter_mut().zip([
            row.created.ticks(),
            row.modified.ticks(),
            row.sequence.0.cast_signed(),
        ]) {
            bounds.add(value);
        }
        self.multiset.insert(&address.0);
        self.tree.push(&address.0);
        self.meta.rows += 1;
        self.meta.messages += u32::from(!row.sibling);
        self.meta.beside += u32::from(row.beside);
        self.meta.raw_bytes += row.document.len() as u64;
        self.cut_chunk(false);
        let full = self.keys.rows() >= self.effort.group_rows as usize
            || self.documents.len() >= GROUP_DOCUMENT_BYTES;
        if full { self.finish_group() } else { Ok(()) }
    }

    /// Sets count from the row's own commit, so that rows of many commits share them.
    fn set(&mut self, row: &NewRow<'_>) -> u32 {
        let age = |sequence: u64| sequence.saturating_sub(row.sequence.0);
        self.set.clear();
        self.set.extend(row.sightings.iter().map(|(custodian, first)| (*custodian, age(*first))));
        if let Some(number) = self.set_numbers.get(&self.set[..]) {
            return *number;
        }
        let number = narrow(self.set_lists.len());
        self.set_lists.push(self.set.clone());
        let _ = self.set_numbers.insert(self.set.clone(), number);
        number
    }

    /// Ends a text chunk behind the row just added, if it is big enough or the last.
    fn cut_chunk(&mut self, last: bool) {
        let (rows, start) =
            self.chunks.iter().fold((0, 0), |sum, chunk| (sum.0 + chunk.0, chunk.1));
        let end = self.columns.text.len();
        let open = u32::try_from(self.document_ends.len()).unwrap_or(u32::MAX) - rows;
        if open > 0 && (last || end - start >= self.effort.chunk_bytes) {
            self.chunks.push((open, end));
        }
    }

    fn finish_group(&mut self) -> Result<()> {
        if self.keys.rows() == 0 {
            return Ok(());
        }
        self.cut_chunk(true);
        let mut payload = Vec::new();
        self.columns.put_group(&mut payload);
        let mut keys = Vec::new();
        self.keys.put(&mut keys);
        if !self.renders_back(&keys, &payload)? {
            payload = self.keep_whole();
        }
        self.put_group(&keys, &payload)?;
        self.columns.text.clear();
        self.documents.clear();
        self.document_ends.clear();
        self.chunks.clear();
        self.keys = KeysBuilder::default();
        self.bounds = [Bounds::EMPTY; 3];
        self.meta.whole_rows += std::mem::take(&mut self.whole_rows);
        Ok(())
    }

    /// Encodes the group again with every document as one text: what nothing else gives back.
    fn keep_whole(&mut self) -> Vec<u8> {
        self.columns.drop_group();
        self.chunks.clear();
        self.whole_rows = u32::try_from(self.document_ends.len()).unwrap_or(u32::MAX);
        let ends = std::mem::take(&mut self.document_ends);
        let mut start = 0;
        for end in ends {
            self.columns.row(0);
            Binder::bind_whole(&self.documents[start..end], &mut self.columns);
            self.document_ends.push(end);
            self.cut_chunk(false);
            start = end;
        }
        self.cut_chunk(true);
        let mut payload = Vec::new();
        self.columns.put_group(&mut payload);
        payload
    }

    /// Decodes the group as a reader will and compares every row with its document.
    fn renders_back(&self, keys: &[u8], payload: &[u8]) -> Result<bool> {
        let rows = self.keys.rows();
        let keys = Keys::read(keys, rows, self.senders.names.len(), self.set_lists.len())?;
        let view = &Building(self);
        let chunks = self.chunk_list(&[]);
        let first_row = self.meta.rows - u32::try_from(rows).unwrap_or(0);
        let Ok(block) = Block::decode(payload, first_row, &chunks, &keys, view) else {
            return Ok(false);
        };
        let (mut cursor, mut out, mut start) = (block::Cursor::default(), Vec::new(), 0);
        let texts = (0..self.chunks.len()).map(|chunk| Text::new(self.chunk_text(chunk).to_vec()));
        let texts: Vec<Text> = texts.collect();
        for (row, end) in self.document_ends.iter().enumerate() {
            out.clear();
            let rendered = block.seek(row, &mut cursor).is_ok()
                && texts.get(cursor.chunk()).is_some_and(|text| {
                    block.render(view, &keys, text, &mut cursor, &mut out).is_ok()
                });
            if !rendered || out != self.documents[start..*end] {
                return Ok(false);
            }
            start = *end;
        }
        Ok(true)
    }

    fn chunk_text(&self, chunk: usize) -> &[u8] {
        let start = chunk.checked_sub(1).map_or(0, |before| self.chunks[before].1);
        &self.columns.text[start..self.chunks[chunk].1]
    }

    fn chunk_list(&self, bytes: &[u32]) -> Vec<Chunk> {
        let chunks = self.chunks.iter().enumerate();
        chunks
            .map(|(at, (rows, _))| Chunk {
                rows: *rows,
                bytes: bytes.get(at).copied().unwrap_or(0),
            })
            .collect()
    }

    fn put_group(&mut self, keys: &[u8], payload: &[u8]) -> Result<()> {
        let offset = self.file.len() as u64;
        let keys_bytes = self.put_frame(Kind::Keys, keys)?;
        let columns_bytes = self.put_frame(Kind::Columns, payload)?;
        let mut sizes = Vec::new();
        for chunk in 0..self.chunks.len() {
            sizes.push(self.put_text(chunk)?);
        }
        let [created, modified, sequence] = self.bounds;
        let rows = u32::try_from(self.keys.rows()).unwrap_or(u32::MAX);
        let columns_at = offset + u64::from(keys_bytes);
        let sets = distinct(&self.keys.sets);
        let times = self.keys.times(Group::all_times(created, modified));
        self.meta.groups.push(Group {
            first_row: self.meta.rows - rows,
            rows,
            keys: Place { offset, bytes: keys_bytes },
            columns: Place { offset: columns_at, bytes: columns_bytes },
            text: columns_at + u64::from(columns_bytes),
            chunks: self.chunk_list(&sizes),
            created,
            modified,
            sequence,
            times,
            odd_ids: self.keys.odd_ids(),
            kinds: self.keys.kinds.iter().fold(0, |bits, kind| bits | (1 << (kind & 31))),
            senders: distinct(&self.keys.senders),
            set_bounds: layout::bounds_of(&sets),
            sets,
        });
        self.meta.created.join(created);
        self.meta.modified.join(modified);
        self.meta.sequence.join(sequence);
        Ok(())
    }

    fn put_text(&mut self, chunk: usize) -> Result<u32> {
        let text = self.chunk_text(chunk).to_vec();
        check_decoded(Kind::Text, &text)?;
        let mut packed = self.text_packer.pack(&text)?;
        limits::pad(&mut packed, text.len());
        let codec = if self.meta.dictionary == 0 { Codec::Zstd } else { Codec::ZstdDictionary };
        let start = self.file.len();
        frame::put(&mut self.file, Kind::Text as u8, codec, text.len(), &packed);
        Ok(narrow(self.file.len() - start))
    }

    fn put_frame(&mut self, kind: Kind, payload: &[u8]) -> Result<u32> {
        check_decoded(kind, payload)?;
        let start = self.file.len();
        let mut packed = self.packer.compress(payload).map_err(compression)?;
        limits::pad(&mut packed, payload.len());
        let (codec, stored) = if packed.len() < payload.len() {
            (Codec::Zstd, &*packed)
        } else {
            (Codec::None, payload)
        };
        frame::put(&mut self.file, kind as u8, codec, payload.len(), stored);
        Ok(narrow(self.file.len() - start))
    }

    fn put_packed(&mut self, kind: Kind, payload: &[u8]) -> Result<Place> {
        check_decoded(kind, payload)?;
        let offset = self.file.len() as u64;
        let mut packed = self.list_packer.compress(payload).map_err(compression)?;
        limits::pad(&mut packed, payload.len());
        frame::put(&mut self.file, kind as u8, Codec::Zstd, payload.len(), &packed);
        Ok(Place {
            offset,
            bytes: narrow(self.file.len()) - narrow(usize::try_from(offset).unwrap_or(0)),
        })
    }

    fn finish(mut self) -> Result<Built> {
        self.finish_group()?;
        for list in LISTS {
            self.meta.lists[list as usize] = self.put_list(list)?;
        }
        let mut sections = Vec::new();
        for kind in layout::SECTIONS {
            let payload = self.section(kind);
            sections.push(self.put_packed(kind, &payload)?);
        }
        self.meta.sections.copy_from_slice(&sections);
        self.meta.multiset = self.multiset.0;
        self.meta.root = self.tree.root();
        let mut footer = Vec::new();
        self.meta.put(&mut footer);
        let place = self.put_packed(Kind::Footer, &footer)?;
        let copy = self.put_packed(Kind::Footer, &footer)?;
        assert!(place.bytes == copy.bytes, "both footers are the same bytes");
        let bytes = place.bytes.to_le_bytes();
        self.file.extend_from_slice(&bytes);
        self.file.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        self.file.extend_from_slice(layout::END_MAGIC);
        Ok(Built { file: self.file, meta: self.meta })
    }

    fn put_list(&mut self, list: List) -> Result<Directory> {
        let items = match list {
            List::Conversations => std::mem::take(&mut self.conversations),
            List::Senders => std::mem::take(&mut self.senders.names),
            List::Sets => self.sets(),
            List::Custodians => self.sets_of_custodians(),
            List::Entries => columns::lists(&self.columns.tables).0,
            List::Predictions => columns::lists(&self.columns.tables).1,
            List::Facts => self.telling.finish(),
        };
        let starts = std::mem::take(&mut self.starts);
        let mut directory = Directory { items: narrow(items.len()), pages: Vec::new() };
        for (mut entry, payload) in pages::payloads(list, &items, &starts) {
            entry.place = self.put_packed(list.kind(), &payload)?;
            directory.pages.push(entry);
        }
        Ok(directory)
    }

    fn sets(&self) -> Strings {
        let mut items = Strings::default();
        for set in &self.set_lists {
            let mut item = Vec::new();
            put_set(&mut item, set);
            items.push(&item);
        }
        items
    }

    /// Each custodian with the sets that he is in.
    fn sets_of_custodians(&self) -> Strings {
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for (number, set) in (0..).zip(&self.set_lists) {
            pairs.extend(set.iter().map(|(custodian, _)| (*custodian, number)));
        }
        pairs.sort_unstable();
        let mut items = Strings::default();
        for theirs in pairs.chunk_by(|one, next| one.0 == next.0) {
            let mut item = number_name(theirs[0].0).to_vec();
            let sets: Vec<u32> = theirs.iter().map(|(_, set)| *set).collect();
            layout::put_rising(&mut item, &sets);
            items.push(&item);
        }
        items
    }

    fn section(&mut self, kind: Kind) -> Vec<u8> {
        let mut out = Vec::new();
        match kind {
            Kind::Templates => {
                put_varint(&mut out, self.binder.list.len() as u64);
                self.binder.list.iter().for_each(|template| template.put(&mut out));
            }
            _ => put_heads(&self.columns.tables, &mut out),
        }
        out
    }
}

/// What a writer has of its segment so far: rows are rendered back from it.
struct Building<'w>(&'w Writer<'w>);

impl Building<'_> {
    fn table(&self, column: u32) -> Result<&columns::ColumnTable> {
        let table = self.0.columns.tables.get(column as usize);
        table.ok_or_else(|| Error::corrupt("no such column"))
    }
}

impl Lookup for Building<'_> {
    fn templates(&self) -> &[Bound] {
        &self.0.binder.list
    }

    fn contexts(&self) -> &[Context] {
        &self.0.binder.contexts
    }

    fn is_context(&self, column: u32) -> bool {
        self.0.binder.contexts.contains(&Context::Column(column))
    }

    fn program(&self, made: &Made) -> Result<(Arc<Program>, bool)> {
        let (key, mut known) = (made.hash(), self.0.programs.borrow_mut());
        if let Some(program) = known.get(&key)
            && program.made == *made
        {
            return Ok((Arc::clone(program), false));
        }
        let program = Arc::new(Program::new(self, made.clone())?);
        if known.len() == KEPT_PROGRAMS {
            known.clear();
        }
        let _replaced = known.insert(key, Arc::clone(&program));
        Ok((program, true))
    }

    fn entry(&self, column: u32, code: u64) -> Result<&[u8]> {
        let place = code.checked_sub(columns::FIRST_ENTRY);
        let place = place.and_then(|place| usize::try_from(place).ok());
        let home = self.table(column)?.shared.unwrap_or(column);
        let entry = place.and_then(|place| Some(self.table(home).ok()?.entries.get(place)));
        entry.flatten().ok_or_else(|| Error::corrupt("value of an unknown entry"))
    }

    fn literal(&self, bytes: &[u8]) -> Literal {
        Literal { text: bytes.into(), number: 0 }
    }

    fn run(&self, _steps: &[u32]) -> Option<u32> {
        None
    }

    fn prediction(&self, column: u32, context: u64) -> Result<u64> {
        let place = usize::try_from(context).unwrap_or(usize::MAX);
        let code = self.table(column)?.predictions.get(place);
        Ok(code.map_or(0, |code| u64::from(*code)))
    }

    fn spot(&self, row: u32) -> Result<Spot> {
        let starts = &self.0.starts;
        let behind = starts.partition_point(|start| *start <= row);
        let start = behind.checked_sub(1).and_then(|number| starts.get(number));
        let end = starts.get(behind).copied().unwrap_or(self.0.meta.rows);
        Ok(Spot {
            number: narrow(behind.saturating_sub(1)),
            start: start.copied().unwrap_or(0),
            end,
        })
    }

    fn conversation(&self, number: u32) -> Result<&[u8]> {
        Ok(self.0.conversations.get(number as usize).unwrap_or_default())
    }

    fn sender(&self, number: u32) -> Result<&[u8]> {
        Ok(self.0.senders.names.get(number as usize).unwrap_or_default())
    }
}

/// A reader would refuse it: better no segment than one that nobody can read.
fn check_decoded(kind: Kind, payload: &[u8]) -> Result<()> {
    let (bytes, limit) = (payload.len(), kind.decoded_bytes());
    if bytes <= limit {
        return Ok(());
    }
    Err(Error::invalid(format!("{bytes} bytes of {kind:?} in a segment are over {limit}")))
}

fn compression(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "compression failed").caused_by(cause)
}

fn distinct(numbers: &[u64]) -> Vec<u32> {
    let mut list: Vec<u32> =
        numbers.iter().map(|number| narrow(usize::try_from(*number).unwrap_or(0))).collect();
    list.sort_unstable();
    list.dedup();
    list
}

fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
