//! A segment file opened: its footer in memory, everything else read when asked for.

use std::sync::Arc;

use super::block::{Block, Cursor, Text, View};
use super::bound::Bound;
use super::columns::{ColumnTable, read_tables};
use super::footer;
use super::keys::Keys;
use super::layout::{self, Group, Kind, Meta, Place, Strings};
use super::sets::Sets;
use crate::cache::{Cache, CacheKey, Cached, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::Reader;
use crate::format::frame::{self, Codec, Frame};
use crate::format::limits::{FIRST_ITEMS, list};
use crate::format::unpack;
use crate::storage::{ReadFile, Storage};

/// What all row groups of a segment share.
pub(crate) struct Tables {
    templates: Vec<Bound>,
    columns: Vec<ColumnTable>,
    pub(crate) conversations: Strings,
    pub(crate) starts: Vec<u32>,
    pub(crate) senders: Strings,
    pub(crate) sets: Sets,
    dictionary: Option<zstd::dict::DecoderDictionary<'static>>,
    bytes: usize,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables")
            .field("conversations", &self.conversations.len())
            .finish_non_exhaustive()
    }
}

impl Tables {
    pub(crate) fn view(&self) -> View<'_> {
        View {
            templates: &self.templates,
            columns: &self.columns,
            conversations: &self.conversations,
            starts: &self.starts,
            senders: &self.senders,
        }
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows of a conversation.
    pub(crate) fn rows_of(&self, conversation: &str, rows: u32) -> Option<(u32, u32)> {
        let number = self.conversations.search(conversation.as_bytes()).ok()?;
        let start = *self.starts.get(number)?;
        Some((start, self.starts.get(number + 1).copied().unwrap_or(rows)))
    }

    /// The conversation of a row.
    pub(crate) fn conversation(&self, row: u32) -> &str {
        self.conversations.text(self.view().conversation(row))
    }
}

/// A segment file, open for reading.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) meta: Meta,
    pub(super) path: String,
    pub(super) file: Arc<dyn ReadFile>,
    /// Wrong bytes at the file's ends that hide nothing.
    pub(super) edges: Vec<Error>,
    cache: Arc<Cache>,
}

impl Segment {
    /// Opens a segment and reads its footer.
    ///
    /// A wrong header or trailer is damage that [`Segment::damaged_frames`] tells, and hides no row:
    /// who opens a file that is not his own checks the footer against what the manifest says.
    pub(crate) fn open(
        storage: &dyn Storage,
        archive: [u8; 16],
        number: u64,
        path: &str,
        cache: Arc<Cache>,
    ) -> Result<Self> {
        let file = storage.open(path).map_err(|cause| Error::opening(path, cause))?;
        let found = footer::find(&*file, archive, number).map_err(|error| error.in_file(path))?;
        Ok(Self { meta: found.meta, path: path.to_owned(), file, edges: found.edges, cache })
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The group that holds a row.
    pub(crate) fn group_of(&self, row: u32) -> usize {
        self.meta.groups.partition_point(|group| group.end_row() <= row)
    }

    fn cached(&self, part: Part, make: impl FnOnce() -> Result<Cached>) -> Result<Cached> {
        let key = CacheKey { segment: self.meta.number, part };
        self.cache.get(key, || make().map_err(|error| error.in_file(&*self.path)))
    }

    pub(crate) fn tables(&self) -> Result<Arc<Tables>> {
        let made = || self.read_tables().map(|tables| Cached::Tables(Arc::new(tables)));
        match self.cached(Part::Tables, made)? {
            Cached::Tables(tables) => Ok(tables),
            _ => Err(mixed_up()),
        }
    }

    pub(crate) fn keys(&self, group: usize) -> Result<Arc<Keys>> {
        let made = || self.read_keys(group).map(|keys| Cached::Keys(Arc::new(keys)));
        match self.cached(Part::Keys(narrow(group)), made)? {
            Cached::Keys(keys) => Ok(keys),
            _ => Err(mixed_up()),
        }
    }

    fn block(&self, group: usize, tables: &Tables, keys: &Keys) -> Result<Arc<Block>> {
        let made = || {
            let (group, place) = self.group(group).map(|group| (group, group.columns))?;
            let bytes = self.frame(place, Kind::Columns)?;
            let view = tables.view();
            Block::decode(&bytes, group.first_row, &group.chunks, keys, view)
                .map(|block| Cached::Block(Arc::new(block)))
                .map_err(|error| self.locate(error, group, place.offset, tables))
        };
        match self.cached(Part::Block(narrow(group)), made)? {
            Cached::Block(block) => Ok(block),
            _ => Err(mixed_up()),
        }
    }

    fn text(&self, group: usize, chunk: usize, tables: &Tables) -> Result<Arc<Text>> {
        let made = || {
            let place = self.text_place(group, chunk)?;
            let text = self.read_text(place, tables);
            let text = text.map_err(|error| match self.group(group) {
                Ok(group) => self.locate(error, group, place.offset, tables),
                Err(_) => error,
            })?;
            Ok(Cached::Text(Arc::new(Text::new(text))))
        };
        match self.cached(Part::Text(narrow(group), narrow(chunk)), made)? {
            Cached::Text(text) => Ok(text),
            _ => Err(mixed_up()),
        }
    }

    /// Tag and row of every row, sorted: finds the candidates for a content address.
    fn tags(&self) -> Result<Arc<Vec<(u32, u32)>>> {
        let made = || {
            let mut tags = Vec::with_capacity((self.meta.rows as usize).min(FIRST_ITEMS));
            for group in 0..self.meta.groups.len() {
                let keys = self.keys(group)?;
                let first = self.group(group)?.first_row;
                for row in 0..keys.rows() {
                    tags.push((tag_number(keys.tag(row)), first + narrow(row)));
                }
            }
            tags.sort_unstable();
            Ok(Cached::Tags(Arc::new(tags)))
        };
        match self.cached(Part::Tags, made)? {
            Cached::Tags(tags) => Ok(tags),
            _ => Err(mixed_up()),
        }
    }

    /// The rows with a tag; groups that cannot be read are told in `unread`.
    pub(crate) fn tagged(&self, wanted: u32, unread: &mut Vec<Error>) -> Vec<u32> {
        if let Ok(tags) = self.tags() {
            let first = tags.partition_point(|(tag, _)| *tag < wanted);
            let rest = tags.get(first..).unwrap_or_default();
            return rest
                .iter()
                .take_while(|(tag, _)| *tag == wanted)
                .map(|(_, row)| *row)
                .collect();
        }
        let mut rows = Vec::new();
        // Without tables no group can be read: one error says it for all.
        if let Err(error) = self.tables() {
            unread.push(error);
            return rows;
        }
        for (number, group) in self.meta.groups.iter().enumerate() {
            match self.keys(number) {
                Ok(keys) => {
                    let tagged =
                        (0..keys.rows()).filter(|row| tag_number(keys.tag(*row)) == wanted);
                    rows.extend(tagged.map(|row| group.first_row + narrow(row)));
                }
                Err(error) => unread.push(error),
            }
        }
        rows
    }

    pub(crate) fn group(&self, group: usize) -> Result<&Group> {
        self.meta
            .groups
            .get(group)
            .ok_or_else(|| Error::corrupt(format!("no row group {group}")).in_file(&*self.path))
    }

    /// Names the conversations that a damaged row group touches; a read that failed is no damage.
    fn locate(&self, error: Error, group: &Group, offset: u64, tables: &Tables) -> Error {
        let names = conversations(tables, group);
        let count = names.len();
        let first: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
        let more = if count > 3 { format!(" and {} more", count - 3) } else { String::new() };
        let (kind, what) = if error.kind().is_of_storage() {
            (error.kind(), "cannot be read")
        } else {
            (ErrorKind::Corrupt, "is damaged")
        };
        Error::new(kind, format!("row group of {}{more} {what}", first.join(", ")))
            .in_file(&*self.path)
            .at(offset)
            .touching(group.touched(names))
            .caused_by(error)
    }

    fn text_place(&self, group: usize, chunk: usize) -> Result<Place> {
        let group = self.group(group)?;
        let before = group.chunks.get(..chunk).unwrap_or_default();
        let offset = group.text + before.iter().map(|chunk| u64::from(chunk.bytes)).sum::<u64>();
        let chunk = group.chunks.get(chunk).ok_or_else(mixed_up)?;
        Ok(Place { offset, bytes: chunk.bytes })
    }

    pub(crate) fn read_keys(&self, group: usize) -> Result<Keys> {
        let tables = self.tables()?;
        let group = self.group(group)?;
        let rows = group.rows as usize;
        let read = self.frame(group.keys, Kind::Keys);
        read.and_then(|bytes| Keys::read(&bytes, rows, tables.senders.len(), tables.sets.len()))
            .map_err(|error| self.locate(error, group, group.keys.offset, &tables))
    }

    /// The payload of a frame that is not packed, or packed without a dictionary.
    fn frame(&self, place: Place, kind: Kind) -> Result<Vec<u8>> {
        let bytes = self.bytes(place)?;
        let frame = self.whole_frame(&bytes, place, kind)?;
        unpack(&frame).map_err(|error| error.at(place.offset))
    }

    fn whole_frame<'b>(&self, bytes: &'b [u8], place: Place, kind: Kind) -> Result<Frame<'b>> {
        let located = |error: Error| error.in_file(&*self.path).at(place.offset);
        let (frame, rest) = frame::split(bytes).map_err(located)?;
        if !rest.is_empty() || frame.kind != kind as u8 {
            return Err(located(Error::corrupt(format!("frame is no {kind:?} frame"))));
        }
        frame.check_decoded(kind.decoded_bytes()).map_err(located)?;
        Ok(frame)
    }

    fn bytes(&self, place: Place) -> Result<Vec<u8>> {
        read_at(&*self.file, place).map_err(|error| error.in_file(&*self.path))
    }

    fn read_text(&self, place: Place, tables: &Tables) -> Result<Vec<u8>> {
        let bytes = self.bytes(place)?;
        let frame = self.whole_frame(&bytes, place, Kind::Text)?;
        match frame.codec {
            Codec::ZstdDictionary => {
                let dictionary = tables.dictionary.as_ref();
                unpack::unpack(frame.payload, frame.raw_bytes, dictionary, "text")
            }
            _ => unpack(&frame),
        }
    }

    /// A section, read by a function whose error is about its frame.
    fn section<T>(&self, kind: Kind, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let place = self.meta.section(kind);
        let bytes = self.frame(place, kind)?;
        read(&bytes).map_err(|error| error.in_file(&*self.path).at(place.offset))
    }

    fn read_tables(&self) -> Result<Tables> {
        let rows = self.meta.rows;
        let damaged =
            |what: &str| Error::corrupt(format!("{what} are damaged or over their limit"));
        let templates = self.section(Kind::Templates, read_templates)?;
        let (conversations, starts) = self.section(Kind::Conversations, |bytes| {
            read_conversations(bytes, rows).ok_or_else(|| damaged("conversations"))
        })?;
        let senders = self.section(Kind::Senders, |bytes| {
            read_senders(bytes, rows).ok_or_else(|| damaged("senders"))
        })?;
        let columns = self.section(Kind::Strings, |bytes| read_tables(bytes, senders.len()))?;
        let sets = self.section(Kind::Sets, |bytes| {
            Sets::read(bytes, rows).ok_or_else(|| damaged("custodian sets"))
        })?;
        let dictionary = self.section(Kind::Dictionary, |bytes| Ok(bytes.to_vec()))?;
        let used = [&conversations, &senders].iter().map(|list| list.bytes()).sum::<usize>();
        let entries = columns.iter().map(|c| c.entries.bytes() + c.predictions.len() * 4);
        let bytes = used
            + entries.sum::<usize>()
            + starts.len() * 4
            + sets.bytes()
            + templates.iter().map(|template| template.bytes() + 128).sum::<usize>()
            + dictionary.len() * 2;
        let dictionary =
            (!dictionary.is_empty()).then(|| zstd::dict::DecoderDictionary::copy(&dictionary));
        Ok(Tables { templates, columns, conversations, starts, senders, sets, dictionary, bytes })
    }
}

/// The conversations of a group.
pub(crate) fn conversations(tables: &Tables, group: &Group) -> Vec<String> {
    let view = tables.view();
    let last = group.end_row().saturating_sub(1);
    let numbers = view.conversation(group.first_row)..=view.conversation(last);
    numbers.map(|number| tables.conversations.text(number).to_owned()).collect()
}

/// The tag of an address as a number.
pub(crate) fn tag_number(tag: &[u8]) -> u32 {
    tag.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn read_templates(bytes: &[u8]) -> Result<Vec<Bound>> {
    let reader = &mut Reader::new(bytes);
    let templates = reader.list(list::TEMPLATES, Bound::read).filter(|_| reader.is_empty());
    templates.ok_or_else(|| Error::corrupt("templates are damaged or over their limit"))
}

/// The conversations and the first row of each, of a segment of so many rows.
pub(super) fn read_conversations(bytes: &[u8], rows: u32) -> Option<(Strings, Vec<u32>)> {
    let reader = &mut Reader::new(bytes);
    let limit = list::CONVERSATIONS.within(rows as usize);
    let conversations = Strings::read(reader, limit, |before, text| {
        before.is_none_or(|before| before < text) && std::str::from_utf8(text).is_ok()
    })?;
    let starts = layout::read_rising(reader, limit)?;
    let fit = reader.is_empty()
        && starts.len() == conversations.len()
        && starts.first() == Some(&0)
        && starts.is_sorted_by(|before, start| before < start)
        && starts.last().is_some_and(|last| *last < rows);
    fit.then_some((conversations, starts))
}

fn read_senders(bytes: &[u8], rows: u32) -> Option<Strings> {
    let reader = &mut Reader::new(bytes);
    let limit = list::SENDERS.within(rows as usize);
    let is_text = |_: Option<&[u8]>, text: &[u8]| std::str::from_utf8(text).is_ok();
    Strings::read(reader, limit, is_text).filter(|_| reader.is_empty())
}

pub(super) fn read_at(file: &dyn ReadFile, place: Place) -> Result<Vec<u8>> {
    let mut bytes = vec![0; place.bytes as usize];
    let read = file.read_at(place.offset, &mut bytes);
    read.map_err(|cause| Error::io("read", "", cause).at(place.offset))?;
    Ok(bytes)
}

pub(super) fn unpack(frame: &Frame<'_>) -> Result<Vec<u8>> {
    match frame.codec {
        Codec::None if frame.payload.len() == frame.raw_bytes => Ok(frame.payload.to_vec()),
        Codec::None => Err(Error::corrupt("frame has another length")),
        Codec::Zstd => unpack::unpack(frame.payload, frame.raw_bytes, None, "frame"),
        Codec::ZstdDictionary => Err(Error::corrupt("frame wants a dictionary")),
    }
}

fn mixed_up() -> Error {
    Error::corrupt("segment has no such part")
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Renders rows of one segment; rows in order are cheapest.
#[derive(Debug)]
pub(crate) struct RowReader {
    segment: Arc<Segment>,
    tables: Arc<Tables>,
    open: Option<OpenGroup>,
}

#[derive(Debug)]
struct OpenGroup {
    number: usize,
    keys: Arc<Keys>,
    block: Arc<Block>,
    chunk: usize,
    text: Arc<Text>,
    cursor: Cursor,
}

impl RowReader {
    pub(crate) fn new(segment: Arc<Segment>) -> Result<Self> {
        let tables = segment.tables()?;
        Ok(Self { segment, tables, open: None })
    }

    /// Appends a row's document.
    pub(crate) fn render(&mut self, row: u32, out: &mut Vec<u8>) -> Result<()> {
        let number = self.segment.group_of(row);
        let first = self.segment.group(number)?.first_row;
        let in_group = row.wrapping_sub(first) as usize;
        let open = match self.open.take().filter(|open| open.number == number) {
            Some(open) => open,
            None => self.open_group(number, in_group)?,
        };
        let open = self.open.insert(open);
        let chunk = open.block.chunk_of(in_group);
        if open.chunk != chunk {
            open.text = self.segment.text(number, chunk, &self.tables)?;
            open.chunk = chunk;
        }
        let (view, text) = (self.tables.view(), &*open.text);
        let seek = open.block.seek(in_group, &mut open.cursor);
        let rendered =
            seek.and_then(|()| open.block.render(view, &open.keys, text, &mut open.cursor, out));
        rendered.map_err(|error| match self.segment.group(number) {
            Ok(group) => self.segment.locate(error, group, group.columns.offset, &self.tables),
            Err(_) => error,
        })
    }

    fn open_group(&self, number: usize, row: usize) -> Result<OpenGroup> {
        let keys = self.segment.keys(number)?;
        let block = self.segment.block(number, &self.tables, &keys)?;
        let chunk = block.chunk_of(row);
        let text = self.segment.text(number, chunk, &self.tables)?;
        Ok(OpenGroup { number, keys, block, chunk, text, cursor: Cursor::default() })
    }
}
