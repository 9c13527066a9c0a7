//! A page of a table: items in order of their keys.

use crate::format::bytes::{Reader, put_block, put_varint};
use crate::format::limits::{Limit, list};

/// A page, decoded. Its items stay where they were unpacked.
#[derive(Debug)]
pub(crate) struct Page {
    raw: Vec<u8>,
    /// Where each item starts.
    items: Vec<u32>,
    /// Of a directory: where each page ends, counted from the first.
    pub(super) ends: Vec<u64>,
}

impl Page {
    /// A page of keys and values.
    pub(super) fn read(raw: Vec<u8>) -> Option<Self> {
        let reader = &mut Reader::new(&raw);
        let items = read_items(reader, list::ITEMS, raw.len(), |_| Some(()))?;
        let whole = reader.is_empty() && !items.is_empty();
        whole.then_some(Self { raw, items, ends: Vec::new() })
    }

    /// A page whose values are the bytes of further pages.
    pub(super) fn read_directory(raw: Vec<u8>) -> Option<Self> {
        let (mut end, mut ends) = (0_u64, Vec::new());
        let page = Self::read(raw)?;
        for index in 0..page.len() {
            let reader = &mut Reader::new(page.value(index));
            end += u64::from(super::frame_bytes(reader).filter(|_| reader.is_empty())?);
            ends.push(end);
        }
        Some(Self { ends, ..page })
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    fn item(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let start = *self.items.get(index)? as usize;
        let reader = &mut Reader::new(self.raw.get(start..)?);
        reader.block().zip(reader.block())
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        self.item(index).unwrap_or_default().0
    }

    pub(crate) fn value(&self, index: usize) -> &[u8] {
        self.item(index).unwrap_or_default().1
    }

    /// How many items come before the first one whose key is not `below`.
    pub(crate) fn partition_point(&self, below: impl Fn(&[u8]) -> bool) -> usize {
        self.items.partition_point(|start| {
            let key = self.raw.get(*start as usize..).and_then(|rest| Reader::new(rest).block());
            below(key.unwrap_or_default())
        })
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.raw.capacity() + self.items.capacity() * 4 + self.ends.capacity() * 8
    }
}

/// Reads a list of items whose keys ascend: where each starts, in `bytes` that the reader ends with.
pub(super) fn read_items(
    reader: &mut Reader<'_>,
    limit: Limit,
    bytes: usize,
    mut each: impl FnMut((&[u8], &[u8])) -> Option<()>,
) -> Option<Vec<u32>> {
    let mut before: Option<&[u8]> = None;
    let count = reader.count(limit)?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        items.push(u32::try_from(bytes.checked_sub(reader.rest().len())?).ok()?);
        let (key, value) = (reader.block()?, reader.block()?);
        if before.is_some_and(|before| before >= key) {
            return None;
        }
        before = Some(key);
        each((key, value))?;
    }
    Some(items)
}

/// Items on their way into a page.
#[derive(Debug, Default)]
pub(super) struct Items {
    bytes: Vec<u8>,
    pub(super) count: usize,
}

impl Items {
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        put_block(&mut self.bytes, key);
        put_block(&mut self.bytes, value);
        self.count += 1;
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The list of them; starts anew.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) {
        put_varint(out, self.count as u64);
        out.append(&mut self.bytes);
        self.count = 0;
    }
}
