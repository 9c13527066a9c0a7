//! Rows of one source, read the same way whether they are in a segment or still in a slab.

use std::cmp::Ordering;
use std::sync::Arc;

use super::key::{Id, RowKey};
use crate::archive::{RowId, Slab, SlabRow, State};
use crate::error::Result;
use crate::segment::{Keys, Lists};
use crate::types::{MessageKind, RecordKind};

/// The keys of a row group, or a slab. Rows go by their number in the source.
#[derive(Clone, Debug)]
pub(super) enum Page {
    Group { keys: Arc<Keys>, lists: Arc<Lists>, first: u32, end: u32 },
    Slab(Arc<Slab>),
}

impl Page {
    /// The page that holds a row.
    pub(super) fn open(state: &State, at: RowId) -> Result<Self> {
        let source = at.source as usize;
        let Some(live) = state.segments.get(source) else {
            return Ok(Self::Slab(Arc::clone(&state.slabs[source - state.segments.len()])));
        };
        Self::of_segment(&Arc::new(Lists::new(Arc::clone(live.segment()?))), at.row)
    }

    /// The page of a segment that holds a row.
    pub(super) fn of_segment(lists: &Arc<Lists>, row: u32) -> Result<Self> {
        let segment = lists.segment();
        let number = segment.group_of(row);
        let (group, keys) = (segment.group(number)?, segment.keys(number)?);
        let (first, end) = (group.first_row, group.end_row());
        Ok(Self::Group { keys, lists: Arc::clone(lists), first, end })
    }

    pub(super) fn holds(&self, row: u32) -> bool {
        match self {
            Self::Group { first, end, .. } => (*first..*end).contains(&row),
            Self::Slab(slab) => (row as usize) < slab.rows.len(),
        }
    }

    fn row(slab: &Slab, row: u32) -> &SlabRow {
        &slab.rows[row as usize]
    }

    pub(super) fn created(&self, row: u32) -> i64 {
        match self {
            Self::Group { keys, first, .. } => keys.created[(row - first) as usize],
            Self::Slab(slab) => Self::row(slab, row).created.ticks(),
        }
    }

    pub(super) fn modified(&self, row: u32) -> i64 {
        match self {
            Self::Group { keys, first, .. } => keys.modified((row - first) as usize),
            Self::Slab(slab) => Self::row(slab, row).modified.ticks(),
        }
    }

    pub(super) fn version(&self, row: u32) -> u64 {
        match self {
            Self::Group { keys, first, .. } => keys.version((row - first) as usize),
            Self::Slab(slab) => Self::row(slab, row).version,
        }
    }

    pub(super) fn sequence(&self, row: u32) -> u64 {
        match self {
            Self::Group { keys, first, .. } => keys.sequence((row - first) as usize),
            Self::Slab(slab) => slab.sequence.0,
        }
    }

    pub(super) fn kind(&self, row: u32) -> (RecordKind, MessageKind) {
        match self {
            Self::Group { keys, first, .. } => keys.kind((row - first) as usize),
            Self::Slab(slab) => {
                let row = Self::row(slab, row);
                (row.record, row.kind)
            }
        }
    }

    /// Had another row of its message come before it?
    pub(super) fn is_sibling(&self, row: u32) -> bool {
        match self {
            Self::Group { keys, first, .. } => keys.is_sibling((row - first) as usize),
            Self::Slab(slab) => Self::row(slab, row).sibling,
        }
    }

    pub(super) fn id(&self, row: u32) -> Id {
        match self {
            Self::Group { keys, first, .. } => {
                let local = (row - first) as usize;
                keys.numeric_id(local).map_or_else(
                    || {
                        let mut text = Vec::new();
                        keys.put_id(local, &mut text);
                        Id::Text(String::from_utf8_lossy(&text).into())
                    },
                    Id::Number,
                )
            }
            Self::Slab(slab) => Id::of(&Self::row(slab, row).id),
        }
    }

    pub(super) fn put_id(&self, row: u32, out: &mut Vec<u8>) {
        match self {
            Self::Group { keys, first, .. } => keys.put_id((row - first) as usize, out),
            Self::Slab(slab) => out.extend_from_slice(Self::row(slab, row).id.as_bytes()),
        }
    }

    /// Puts the thread's root into `out`; false if the row is no reply.
    pub(super) fn put_reply_to(&self, row: u32, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Group { keys, first, .. } => keys.put_reply_to((row - first) as usize, out),
            Self::Slab(slab) => {
                let reply_to = Self::row(slab, row).reply_to.as_deref();
                out.extend_from_slice(reply_to.unwrap_or_default().as_bytes());
                reply_to.is_some()
            }
        }
    }

    pub(super) fn reply_to(&self, row: u32) -> Option<Box<str>> {
        let mut text = Vec::new();
        let is_reply = self.put_reply_to(row, &mut text);
        is_reply.then(|| String::from_utf8_lossy(&text).into())
    }

    /// The sender's code in its segment: 0 for none, or in a slab.
    pub(super) fn sender_code(&self, row: u32) -> u32 {
        match self {
            Self::Group { keys, first, .. } => keys.sender((row - first) as usize),
            Self::Slab(_) => 0,
        }
    }

    pub(super) fn sender(&self, row: u32) -> Result<Option<&str>> {
        match self {
            Self::Group { lists, .. } => lists.sender(self.sender_code(row)),
            Self::Slab(slab) => Ok(Self::row(slab, row).sender.as_deref()),
        }
    }

    pub(super) fn conversation(&self, row: u32) -> Result<&str> {
        match self {
            Self::Group { lists, .. } => lists.conversation_of(row),
            Self::Slab(slab) => Ok(&Self::row(slab, row).conversation),
        }
    }

    /// The conversation of a row, and its rows in the source.
    pub(super) fn directory(&self, row: u32) -> Result<(Name, (u32, u32))> {
        Ok(match self {
            Self::Group { lists, .. } => {
                let spot = lists.spot(row)?;
                // It can be read from now on, whatever happens.
                let _name = lists.conversation(spot.number)?;
                (Name::Segment(Arc::clone(lists), spot.number), (spot.start, spot.end))
            }
            Self::Slab(slab) => {
                let range = slab.rows_of(&Self::row(slab, row).conversation);
                let narrow = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
                let range = (narrow(range.start), narrow(range.end));
                (Name::Slab(Arc::clone(slab), row), range)
            }
        })
    }

    pub(super) fn key(&self, row: u32) -> RowKey {
        RowKey { created: self.created(row), id: self.id(row), version: self.version(row) }
    }
}

/// A conversation's name where it stands.
#[derive(Clone, Debug)]
pub(super) enum Name {
    Segment(Arc<Lists>, u32),
    Slab(Arc<Slab>, u32),
}

impl Name {
    pub(super) fn text(&self) -> &str {
        match self {
            // Its page was read when the name was taken, and is held.
            Self::Segment(lists, number) => lists.conversation(*number).unwrap_or_default(),
            Self::Slab(slab, row) => &Page::row(slab, *row).conversation,
        }
    }
}

impl Name {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Segment(lists, number) => lists.conversation_bytes(*number).unwrap_or_default(),
            Self::Slab(..) => self.text().as_bytes(),
        }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Name {}
