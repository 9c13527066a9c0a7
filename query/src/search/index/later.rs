//! Where the rows are that arrived behind the index: a search looks for them there, in the archive.
//!
//! What is known stays known: another commit adds its own rows, and only these are read. A snapshot
//! that is older than what is known is told of rows that it does not have, and looks there in vain.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chatvault_engine::{RecordKind, RowKeys, Scan, Sequence, Snapshot, Versions};

use super::Index;
use crate::error::{Error, Result};

/// What is behind an index, by kind.
#[derive(Debug, Default)]
pub(super) struct Behind(Mutex<HashMap<RecordKind, Arc<Later>>>);

/// When and where rows of a kind were created that the index does not have.
#[derive(Clone, Debug, Default)]
pub(super) struct Later {
    /// The last commit whose rows are in it.
    up_to: Sequence,
    /// The time of each row, and the place of its conversation in `names`.
    rows: Vec<(i64, u32)>,
    names: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u32>,
    /// More rows than are kept arrived.
    is_full: bool,
}

impl Index {
    /// What arrived behind the index, up to a snapshot; `None` if that is too much to be kept.
    pub(super) fn later(
        &self,
        snapshot: &Snapshot,
        record: RecordKind,
    ) -> Result<Option<Arc<Later>>> {
        let mut all = self.behind.0.lock().unwrap_or_else(PoisonError::into_inner);
        let later = all
            .entry(record)
            .or_insert_with(|| Arc::new(Later { up_to: self.sequence(), ..Later::default() }));
        if later.up_to < snapshot.sequence() && !later.is_full {
            let _rows = Arc::make_mut(later).read((snapshot, record), self.limits.behind_rows)?;
        }
        Ok(Some(Arc::clone(later)).filter(|later| !later.is_full))
    }
}

impl Later {
    /// Adds what arrived since, and gives how many rows were read for it.
    fn read(&mut self, (snapshot, record): (&Snapshot, RecordKind), most: usize) -> Result<u64> {
        let last = snapshot.sequence();
        // One row more than are kept shows that there are more.
        let room = (most + 1).saturating_sub(self.rows.len()) as u64;
        let scan = Scan { record, limit: Some(room), ..arrived(self.up_to.0, last.0) };
        let mut on = |row: RowKeys<'_>| self.add(row.created().ticks(), row.conversation());
        let read = snapshot.keys(&scan, &mut on).map_err(Error::Archive)?;
        self.up_to = last;
        if self.rows.len() > most {
            *self = Self { is_full: true, up_to: last, ..Self::default() };
        }
        Ok(read)
    }

    fn add(&mut self, time: i64, conversation: &str) {
        let place = self.places.get(conversation).copied().unwrap_or_else(|| {
            let name: Arc<str> = conversation.into();
            let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
            self.names.push(Arc::clone(&name));
            let _ = self.places.insert(name, place);
            place
        });
        self.rows.push((time, place));
    }

    /// Time and conversation of each.
    pub(super) fn rows(&self) -> impl Iterator<Item = (i64, &str)> {
        self.rows.iter().map(|(time, place)| (*time, self.name(*place)))
    }

    /// The rows of some conversations, or of all if none is named: their times, and the places of
    /// their conversations.
    pub(super) fn of(&self, conversations: &[String]) -> Vec<(i64, u32)> {
        if conversations.is_empty() {
            return self.rows.clone();
        }
        let places: HashSet<u32> =
            conversations.iter().filter_map(|name| self.places.get(&**name).copied()).collect();
        self.rows.iter().filter(|(_, place)| places.contains(place)).copied().collect()
    }

    pub(super) fn name(&self, place: u32) -> &str {
        self.names.get(place as usize).map_or("", |name| name)
    }
}

/// Every row of messages that arrived after a commit, up to another.
pub(super) fn arrived(since: u64, until: u64) -> Scan {
    Scan {
        versions: Versions::EveryVariant,
        // No commit has the number 0.
        since: (since > 0).then_some(Sequence(since)),
        as_of_sequence: Some(Sequence(until)),
        ..Scan::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{AT, Sample};
    use super::*;

    #[test]
    fn what_arrived_behind_an_index_is_read_once_however_often_commits_and_questions_come() {
        let sample = Sample::new(11);
        sample.commit(20);
        drop(sample.update());
        let index = sample.index();
        let mut own = Later { up_to: index.sequence(), ..Later::default() };
        for round in 1..=5 {
            sample.put_at(AT + round as u64, &format!("word{round}"));
            assert_eq!(own.read((&sample.snapshot(), RecordKind::Message), 40).unwrap(), 1);
            for _ in 0..3 {
                let later = index.later(&sample.snapshot(), RecordKind::Message).unwrap().unwrap();
                assert_eq!(later.rows().count(), round);
            }
        }
        let later = index.later(&sample.snapshot(), RecordKind::Message).unwrap().unwrap();
        assert_eq!(later.of(&["19:z".to_owned()]).len(), 5);
        assert_eq!(later.of(&["19:a".to_owned()]).len(), 0);
        sample.commit(3 * index.limits.behind_rows);
        assert!(index.later(&sample.snapshot(), RecordKind::Message).unwrap().is_none());
        assert!(sample.check(&["offer", "word3"]) > 0, "too much to be kept");
    }
}
