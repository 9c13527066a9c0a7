//! A segment file opened: its footer in memory, everything else read when asked for.

use std::ops::Range;
use std::sync::Arc;

use super::block::{Block, Text};
use super::bound::Bound;
use super::columns::read_heads;
use super::dictionary::{Decoder, Dictionary};
use super::footer;
use super::keys::Keys;
use super::layout::{Group, Kind, Meta, Place, Strings};
use super::lists::{Forming, Forms, Lists};
use super::pages::{LISTS, List, ListPage, number_name};
use super::sets::Sets;
use crate::cache::{Cache, CacheKey, Cached, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::facts::Gathering;
use crate::format::bytes::Reader;
use crate::format::frame::{self, Codec, Frame};
use crate::format::limits::{FIRST_ITEMS, list};
use crate::format::unpack;
use crate::storage::{ReadFile, Storage};

/// The names and sets of a segment, whole: for who goes through all of it.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) conversations: Strings,
    pub(crate) starts: Vec<u32>,
    pub(crate) senders: Strings,
    pub(crate) sets: Sets,
}

impl Tables {
    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.conversations.bytes()
            + self.senders.bytes()
            + self.starts.len() * 4
            + self.sets.bytes()
    }

    /// The number of a row's conversation.
    pub(crate) fn number_of(&self, row: u32) -> usize {
        self.starts.partition_point(|start| *start <= row).saturating_sub(1)
    }

    /// The conversation of a row.
    pub(crate) fn conversation(&self, row: u32) -> &str {
        self.conversations.text(self.number_of(row))
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
    dictionary: Option<Dictionary>,
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
        let footer::Found { meta, edges } = found;
        // Opened at once: it may be on its way out with a segment that a snapshot still reads.
        let dictionary = meta.dictionary;
        let dictionary = (dictionary != 0).then(|| Dictionary::find(storage, dictionary));
        Ok(Self { meta, path: path.to_owned(), file, edges, dictionary, cache })
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

    pub(super) fn forms(&self) -> Result<Arc<Forms>> {
        let made = || self.read_forms().map(|forms| Cached::Forms(Arc::new(forms)));
        match self.cached(Part::Forms, made)? {
            Cached::Forms(forms) => Ok(forms),
            _ => Err(mixed_up()),
        }
    }

    /// A page of a list.
    pub(crate) fn page(&self, list: List, number: usize) -> Result<Arc<ListPage>> {
        let made = || self.read_page(list, number).map(|page| Cached::Page(Arc::new(page)));
        match self.cached(Part::Page(list, narrow(number)), made)? {
            Cached::Page(page) => Ok(page),
            _ => Err(mixed_up()),
        }
    }

    fn read_page(&self, list: List, number: usize) -> Result<ListPage> {
        let directory = self.meta.list(list);
        let place = directory.pages.get(number).ok_or_else(mixed_up)?.place;
        let bytes = self.frame(place, list.kind())?;
        ListPage::read(list, directory, number, (&bytes, self.meta.rows))
            .map_err(|error| error.in_file(&*self.path).at(place.offset))
    }

    /// The page that has an item with a name, and its index in there.
    pub(crate) fn find(&self, list: List, name: &[u8]) -> Result<Option<(Arc<ListPage>, u32)>> {
        let Some(number) = self.meta.list(list).page_of(name) else { return Ok(None) };
        let page = self.page(list, number)?;
        let index = page.search(list, name).ok();
        Ok(index.map(|index| (page, narrow(number) * list.page_items() + narrow(index))))
    }

    /// Adds the facts of the conversation that begins with a row; false if it has none here.
    pub(crate) fn add_facts(&self, first: u32, facts: &mut Gathering) -> Result<bool> {
        let Some((page, number)) = self.find(List::Facts, &number_name(first))? else {
            return Ok(false);
        };
        let local = (number % List::Facts.page_items()) as usize;
        let item = page.get(local).and_then(|item| item.get(4..)).unwrap_or_default();
        facts.add_item(item).map(|()| true).ok_or_else(mixed_up)
    }

    /// The rows of a conversation.
    pub(crate) fn rows_of(&self, conversation: &str) -> Result<Option<(u32, u32)>> {
        let page = self.page_with(conversation).map(|(number, _)| number);
        page.map_or(Ok(None), |number| self.rows_on(number, conversation))
    }

    /// The page of conversations that has one, if any has, and the rows of that page.
    pub(crate) fn page_with(&self, conversation: &str) -> Option<(usize, (u32, u32))> {
        let number = self.meta.list(List::Conversations).page_of(conversation.as_bytes())?;
        Some((number, (self.start_of_page(number), self.start_of_page(number + 1))))
    }

    /// The rows of a conversation that is on this page, if on any.
    pub(crate) fn rows_on(&self, number: usize, conversation: &str) -> Result<Option<(u32, u32)>> {
        let list = List::Conversations;
        let page = self.page(list, number)?;
        let index = page.search(list, conversation.as_bytes()).ok();
        let first = narrow(number) * list.page_items();
        Ok(index.map(|index| self.rows_at(&page, first + narrow(index))))
    }

    /// [`Segment::rows_of`] for conversations asked for in order: the page that the last one was on
    /// is kept.
    pub(crate) fn rows_of_next(
        &self,
        conversation: &str,
        kept: &mut Option<(usize, Arc<ListPage>)>,
    ) -> Result<Option<(u32, u32)>> {
        let list = List::Conversations;
        let Some(number) = self.meta.list(list).page_of(conversation.as_bytes()) else {
            return Ok(None);
        };
        let page = match kept.take().filter(|(there, _)| *there == number) {
            Some((_, page)) => page,
            None => self.page(list, number)?,
        };
        let (_, page) = kept.insert((number, page));
        let index = page.search(list, conversation.as_bytes()).ok();
        let first = narrow(number) * list.page_items();
        Ok(index.map(|index| self.rows_at(page, first + narrow(index))))
    }

    /// The rows of a conversation by its number, which is on a page.
    fn rows_at(&self, page: &ListPage, number: u32) -> (u32, u32) {
        let per_page = List::Conversations.page_items();
        let local = (number % per_page) as usize;
        let start = page.starts.get(local).copied().unwrap_or(0);
        let next = page.starts.get(local + 1).copied();
        (start, next.unwrap_or_else(|| self.start_of_page((number / per_page + 1) as usize)))
    }

    /// The first row of a page of conversations, or the end.
    fn start_of_page(&self, page: usize) -> u32 {
        let pages = &self.meta.list(List::Conversations).pages;
        pages.get(page).map_or(self.meta.rows, |page| page.row)
    }

    /// Where each page of conversations begins, as far as that is text, and the rows of the page.
    pub(crate) fn rows_by_page(&self) -> impl Iterator<Item = (&str, u64)> {
        let pages = self.meta.list(List::Conversations).pages.iter().enumerate();
        pages.filter_map(|(number, page)| {
            let rows = self.start_of_page(number + 1) - page.row;
            Some((std::str::from_utf8(&page.border).ok()?, u64::from(rows)))
        })
    }

    /// The first row of the first conversation that has this name or a higher one.
    pub(crate) fn first_from(&self, conversation: &str) -> Result<u32> {
        let directory = self.meta.list(List::Conversations);
        let Some(number) = directory.page_of(conversation.as_bytes()) else { return Ok(0) };
        let page = self.page(List::Conversations, number)?;
        let (Ok(local) | Err(local)) = page.search(List::Conversations, conversation.as_bytes());
        Ok(page.starts.get(local).copied().unwrap_or_else(|| self.start_of_page(number + 1)))
    }

    pub(super) fn block(
        &self,
        group: usize,
        lists: &Lists,
        forms: &Forms,
        keys: &Keys,
    ) -> Result<Arc<Block>> {
        let made = || {
            let (group, place) = self.group(group).map(|group| (group, group.columns))?;
            let view = &Forming { lists, forms };
            let (first, chunks) = (group.first_row, &group.chunks);
            let read = self.frame(place, Kind::Columns);
            read.and_then(|bytes| Block::decode(&bytes, first, chunks, keys, view))
                .map(|block| Cached::Block(Arc::new(block)))
                .map_err(|error| self.locate(error, group, place.offset))
        };
        match self.cached(Part::Block(narrow(group)), made)? {
            Cached::Block(block) => Ok(block),
            _ => Err(mixed_up()),
        }
    }

    pub(super) fn text(&self, group: usize, chunk: usize, forms: &Forms) -> Result<Arc<Text>> {
        let made = || {
            let place = self.text_place(group, chunk)?;
            let text = self.read_text(place, forms);
            let text = text.map_err(|error| match self.group(group) {
                Ok(group) => self.locate(error, group, place.offset),
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
    pub(super) fn locate(&self, error: Error, group: &Group, offset: u64) -> Error {
        let names = self.conversations(group.first_row..group.end_row());
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
        let group = self.group(group)?;
        let rows = group.rows as usize;
        let [senders, sets] = [List::Senders, List::Sets].map(|list| self.meta.list(list).items);
        let read = self.frame(group.keys, Kind::Keys);
        read.and_then(|bytes| Keys::read(&bytes, rows, senders as usize, sets as usize))
            .map_err(|error| self.locate(error, group, group.keys.offset))
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

    fn bytes(&self, place: Place) -> Result<Arc<Vec<u8>>> {
        let read = || read_at(&*self.file, place).map_err(|error| error.in_file(&*self.path));
        self.cache.stored((self.meta.number, place.offset), read)
    }

    fn read_text(&self, place: Place, forms: &Forms) -> Result<Vec<u8>> {
        let bytes = self.bytes(place)?;
        let frame = self.whole_frame(&bytes, place, Kind::Text)?;
        match frame.codec {
            Codec::ZstdDictionary => {
                let dictionary = &self.decoder(forms)?.zstd;
                unpack::unpack(frame.payload, frame.raw_bytes, Some(dictionary), "text")
            }
            _ => unpack(&frame),
        }
    }

    /// The dictionary of the text: one for all segments that name it.
    fn decoder<'f>(&self, forms: &'f Forms) -> Result<&'f Decoder> {
        if let Some(decoder) = forms.dictionary.get() {
            return Ok(decoder);
        }
        let gone = || Error::corrupt("text wants a dictionary, and the footer names none");
        let dictionary = self.dictionary.as_ref().ok_or_else(gone)?;
        let key = CacheKey { segment: self.meta.dictionary, part: Part::Dictionary };
        let made = || Ok(Cached::Dictionary(Arc::new(dictionary.decoder()?)));
        match self.cache.get(key, made)? {
            Cached::Dictionary(decoder) => Ok(forms.dictionary.get_or_init(|| decoder)),
            _ => Err(mixed_up()),
        }
    }

    /// A section, read by a function whose error is about its frame.
    fn section<T>(&self, kind: Kind, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let place = self.meta.section(kind);
        let bytes = self.frame(place, kind)?;
        read(&bytes).map_err(|error| error.in_file(&*self.path).at(place.offset))
    }

    fn read_forms(&self) -> Result<Forms> {
        let templates = self.section(Kind::Templates, read_templates)?;
        let items = |list| self.meta.list(list).items;
        let lists = (items(List::Entries), items(List::Predictions));
        let heads = |bytes: &[u8]| read_heads(bytes, items(List::Senders), lists);
        let (columns, contexts) = self.section(Kind::Tables, heads)?;
        Ok(Forms::new(templates, (columns, contexts)))
    }

    /// All of a list, read past the cache.
    pub(super) fn whole_list(
        &self,
        list: List,
        each: &mut dyn FnMut(&ListPage) -> Result<()>,
    ) -> Result<()> {
        (0..self.meta.list(list).pages.len())
            .try_for_each(|number| each(&self.read_page(list, number)?))
    }

    /// Fails if what all rows share cannot be read.
    pub(crate) fn look_at_lists(&self) -> Result<()> {
        self.forms().map(drop)?;
        LISTS.iter().try_for_each(|list| self.whole_list(*list, &mut |_| Ok(())))
    }

    fn read_tables(&self) -> Result<Tables> {
        let (mut conversations, mut starts) = (Strings::default(), Vec::new());
        self.whole_list(List::Conversations, &mut |page| {
            page.iter().for_each(|name| conversations.push(name));
            starts.extend_from_slice(&page.starts);
            Ok(())
        })?;
        let (mut senders, mut sets) = (Strings::default(), Sets::default());
        self.whole_list(List::Senders, &mut |page| {
            page.iter().for_each(|name| senders.push(name));
            Ok(())
        })?;
        self.whole_list(List::Sets, &mut |page| page.iter().try_for_each(|set| sets.add(set)))?;
        Ok(Tables { conversations, starts, senders, sets })
    }

    /// The conversations of some rows, as far as their names can be read.
    pub(crate) fn conversations(&self, rows: Range<u32>) -> Vec<String> {
        let mut names = Vec::new();
        let mut number = self.meta.list(List::Conversations).page_of_row(rows.start);
        while number == 0 || self.start_of_page(number) < rows.end {
            let Ok(page) = self.page(List::Conversations, number) else { break };
            for (local, name) in page.iter().enumerate() {
                let next = page.starts.get(local + 1).copied();
                let end = next.unwrap_or_else(|| self.start_of_page(number + 1));
                if page.starts.get(local).is_some_and(|start| *start < rows.end) && end > rows.start
                {
                    names.push(String::from_utf8_lossy(name).into_owned());
                }
            }
            number += 1;
        }
        names
    }
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
