//! What messages become on their way to the part writer.

use std::sync::Arc;

use super::facts::Facts;
use super::scene::Scene;
use crate::format::{Item, html};
use crate::part::{Group, RecordFile};

/// What messages became.
#[derive(Debug)]
pub(super) enum Made {
    /// Ready for the part writer.
    Groups(Vec<Group<'static>>),
    /// Whole conversations, of which each has files of its own.
    Chats(Vec<Chat>),
    /// For a document that takes them one by one.
    Items(Vec<(Item, Facts)>),
}

/// A conversation that is ready for the part writer.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) groups: Vec<Group<'static>>,
    pub(super) ended: Option<Ended>,
}

/// A conversation has ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Its file of records.
    pub(super) records: Option<RecordFile>,
    /// What the list of conversations says about it.
    pub(super) listed: Option<(Arc<Scene>, html::Summary)>,
}

impl Made {
    /// Appends what the next messages became.
    pub(super) fn join(&mut self, next: Self, group_bytes: u64) {
        match (self, next) {
            (Self::Groups(all), Self::Groups(more)) => join(all, more, group_bytes),
            (Self::Items(all), Self::Items(more)) => all.extend(more),
            (made, next) => *made = next,
        }
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
