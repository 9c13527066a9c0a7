//! Lists of a segment that are read by page: names, custodian sets, entries and predictions.
//!
//! A list is cut into pages of so many items, each a frame of its own, so what a question decodes of a
//! list does not grow with the segment. The footer has a directory of the pages; lists that are looked
//! up by name stand in order, and their directory has a border before each page.
//!
//! Bytes: FORMAT.md, "Pages".

use super::columns::{MAX_ENTRY_BYTES, is_predictions};
use super::layout::{Kind, Place, Strings, put_rising, read_rising};
use crate::error::{Error, Result};
use crate::facts::{self, LONG_ROWS};
use crate::format::bytes::{Reader, put_block, put_varint};
use crate::format::limits::{Limit, list};

/// A list that is kept in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum List {
    /// Names, ascending, and the first row of each.
    Conversations,
    /// Names, ascending.
    Senders,
    /// Custodian sets, in order of their first row.
    Sets,
    /// Custodians, ascending, each with its sets.
    Custodians,
    /// What stands in columns more than once, by column.
    Entries,
    /// Codes that go with a context, by column.
    Predictions,
    /// First rows of long conversations, ascending, each with what its messages say of people.
    Facts,
}

pub(crate) const LISTS: [List; 7] = [
    List::Conversations,
    List::Senders,
    List::Sets,
    List::Custodians,
    List::Entries,
    List::Predictions,
    List::Facts,
];

impl List {
    /// Items of a page; the last one may have fewer.
    pub(crate) const fn page_items(self) -> u32 {
        match self {
            Self::Conversations | Self::Senders | Self::Entries => 128,
            Self::Sets | Self::Custodians => 64,
            Self::Predictions => 32,
            Self::Facts => 4,
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Conversations => Kind::Conversations,
            Self::Senders => Kind::Senders,
            Self::Sets => Kind::Sets,
            Self::Custodians => Kind::Custodians,
            Self::Entries => Kind::Entries,
            Self::Predictions => Kind::Predictions,
            Self::Facts => Kind::Facts,
        }
    }

    /// Is it looked up by name?
    fn is_sorted(self) -> bool {
        matches!(self, Self::Conversations | Self::Senders | Self::Custodians | Self::Facts)
    }

    /// The most items of a segment of so many rows.
    fn limit(self, rows: u32) -> Limit {
        match self {
            Self::Conversations => list::CONVERSATIONS.within(rows as usize),
            Self::Senders => list::SENDERS.within(rows as usize),
            Self::Sets => list::SETS.within(rows as usize),
            Self::Custodians => list::CUSTODIANS_OF_ROWS,
            Self::Entries => list::ENTRIES,
            Self::Predictions => list::PREDICTIONS,
            Self::Facts => list::CONVERSATIONS.within((rows / LONG_ROWS) as usize),
        }
    }
}

/// A custodian, or a row, as items are in order: four bytes, the highest first.
#[expect(clippy::big_endian_bytes, reason = "names are compared by their bytes")]
pub(crate) fn number_name(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// What the footer says of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageEntry {
    pub(crate) place: Place,
    /// In a list that is looked up by name: above all names of the pages before, and not above its
    /// own. As short as can be, for a name may be as long as a document.
    pub(crate) border: Box<[u8]>,
    /// The first row of its first conversation.
    pub(crate) row: u32,
}

/// The pages of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) items: u32,
    pub(crate) pages: Vec<PageEntry>,
}

impl Directory {
    /// Items of a page.
    fn items_of(&self, list: List, page: usize) -> usize {
        let before = page.saturating_mul(list.page_items() as usize);
        (self.items as usize).saturating_sub(before).min(list.page_items() as usize)
    }

    /// The page that has a name if any has.
    pub(crate) fn page_of(&self, name: &[u8]) -> Option<usize> {
        self.pages.partition_point(|page| &*page.border <= name).checked_sub(1)
    }

    /// The page of conversations that has a row.
    pub(crate) fn page_of_row(&self, row: u32) -> usize {
        self.pages.partition_point(|page| page.row <= row).saturating_sub(1)
    }

    pub(super) fn put(&self, list: List, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.items));
        let mut row = 0;
        for page in &self.pages {
            put_varint(out, u64::from(page.place.bytes));
            if list.is_sorted() {
                put_block(out, &page.border);
            }
            if list == List::Conversations {
                put_varint(out, u64::from(page.row - std::mem::replace(&mut row, page.row)));
            }
        }
    }

    /// Reads the directory of a list whose pages begin at `offset`; gives where they end.
    pub(super) fn read(
        list: List,
        reader: &mut Reader<'_>,
        offset: &mut u64,
        rows: u32,
    ) -> Option<Self> {
        let items = reader.varint32().filter(|items| *items as usize <= list.limit(rows).items)?;
        // Every row is in a conversation.
        if list == List::Conversations && items == 0 && rows > 0 {
            return None;
        }
        let count = items.div_ceil(list.page_items());
        let mut directory = Self { items, pages: Vec::new() };
        for _ in 0..count {
            let bytes = super::layout::frame_bytes(reader)?;
            let place = Place { offset: *offset, bytes };
            *offset += u64::from(bytes);
            let border = if list.is_sorted() { reader.block()? } else { &[] };
            let before = directory.pages.last();
            let mut row = before.map_or(0, |page| page.row);
            if list == List::Conversations {
                row = row.checked_add(reader.varint32()?)?;
                let behind = before.map_or(row == 0, |page| page.row < row);
                let _ = Some(row).filter(|row| behind && *row < rows)?;
            }
            if list.is_sorted() && before.is_some_and(|page| &*page.border >= border) {
                return None;
            }
            directory.pages.push(PageEntry { place, border: border.into(), row });
        }
        Some(directory)
    }
}

/// The name that a directory shows of an item.
fn name_of(list: List, item: &[u8]) -> &[u8] {
    // Behind a custodian stand its sets, behind a row the facts.
    let is_numbered = matches!(list, List::Custodians | List::Facts);
    if is_numbered { item.get(..4).unwrap_or(item) } else { item }
}

/// The shortest start of a name that is above the one before it.
pub(crate) fn border<'n>(before: &[u8], name: &'n [u8]) -> &'n [u8] {
    let common = before.iter().zip(name).take_while(|(before, byte)| before == byte).count();
    name.get(..=common).unwrap_or(name)
}

/// A page, decoded.
#[derive(Debug)]
pub(crate) struct ListPage {
    items: Strings,
    /// The first row of each conversation.
    pub(crate) starts: Vec<u32>,
}

impl ListPage {
    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        self.items.get(index)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The index of the item with a name.
    pub(crate) fn search(&self, list: List, name: &[u8]) -> std::result::Result<usize, usize> {
        self.items.search_by(|item| name_of(list, item).cmp(name))
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.items.bytes() + self.starts.len() * 4
    }

    /// Reads page `number` of a list of a segment of so many rows.
    pub(super) fn read(
        list: List,
        directory: &Directory,
        number: usize,
        (payload, rows): (&[u8], u32),
    ) -> Result<Self> {
        Self::try_read(list, directory, number, (payload, rows))
            .ok_or_else(|| Error::corrupt(format!("page of {list:?} is damaged")))
    }

    fn try_read(
        list: List,
        directory: &Directory,
        number: usize,
        (payload, rows): (&[u8], u32),
    ) -> Option<Self> {
        let entry = directory.pages.get(number)?;
        let reader = &mut Reader::new(payload);
        let count = directory.items_of(list, number);
        let limit = list.limit(rows).within(count);
        let is_name = |name: &[u8]| match list {
            List::Conversations | List::Senders => std::str::from_utf8(name).is_ok(),
            List::Sets => true,
            List::Custodians => name.len() > 4,
            List::Entries => name.len() <= MAX_ENTRY_BYTES,
            List::Predictions => is_predictions(name),
            List::Facts => name.get(4..).is_some_and(facts::is_whole),
        };
        let items = Strings::read(reader, limit, |before, item| {
            let name = name_of(list, item);
            let rises = |before: &[u8]| name_of(list, before) < name;
            is_name(item) && (!list.is_sorted() || before.is_none_or(rises))
        })?;
        let next = directory.pages.get(number + 1);
        let is_whole = items.len() == count
            && (!list.is_sorted()
                || items.get(0).is_some_and(|first| &*entry.border <= name_of(list, first))
                    && next.is_none_or(|next| {
                        items.get(count - 1).is_some_and(|last| name_of(list, last) < &*next.border)
                    }));
        let mut starts = Vec::new();
        if list == List::Conversations {
            starts = read_rising(reader, limit)?;
            let end = next.map_or(rows, |next| next.row);
            let fit = starts.len() == count
                && starts.first() == Some(&entry.row)
                && starts.is_sorted_by(|before, start| before < start)
                && starts.last().is_some_and(|last| *last < end);
            if !fit {
                return None;
            }
        }
        (is_whole && reader.is_empty()).then_some(Self { items, starts })
    }
}

/// The pages of a list on their way into a file.
pub(super) fn payloads<'l>(
    list: List,
    items: &'l Strings,
    starts: &'l [u32],
) -> impl Iterator<Item = (PageEntry, Vec<u8>)> + 'l {
    let per_page = list.page_items() as usize;
    (0..items.len()).step_by(per_page).map(move |first| {
        let end = items.len().min(first + per_page);
        let mut payload = Vec::new();
        put_varint(&mut payload, (end - first) as u64);
        for index in first..end {
            put_block(&mut payload, items.get(index).unwrap_or_default());
        }
        let starts = starts.get(first..end).unwrap_or_default();
        if list == List::Conversations {
            put_rising(&mut payload, starts);
        }
        let name = |index: usize| name_of(list, items.get(index).unwrap_or_default());
        let before = first.checked_sub(1).filter(|_| list.is_sorted()).map(name);
        let entry = PageEntry {
            place: Place { offset: 0, bytes: 0 },
            border: before.map_or(&[][..], |before| border(before, name(first))).into(),
            row: starts.first().copied().unwrap_or(0),
        };
        (entry, payload)
    })
}
