//! Where the rows of a process's slabs and segments went when they were sealed and merged.
//!
//! Who holds places of rows (a [`RowRef`] names one as it was) has a [`Holder`], or is the recall, whose
//! places can be renewed. Invariant: a place can be followed to where its row is now as long as its holder
//! lives. What nobody needs is given back: a process that writes for years remembers a bounded number of
//! moves, but for what a snapshot of that age still holds.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::recall::Recall;
use super::slab::RowRef;

/// Where the rows of generations are now.
#[derive(Debug)]
pub(crate) struct Moves {
    table: RwLock<Table>,
    /// Of so many rows moves are remembered before some are given back.
    most: u64,
}

#[derive(Debug, Default)]
struct Table {
    next: u32,
    moved: HashMap<u32, Arc<[RowRef]>, RandomState>,
    rows: u64,
    holder: Holder,
    leaving: Option<Leaving>,
}

/// Keeps what its owner's places need to be followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holder(Arc<()>);

/// Generations that only holders of before need: whoever came later has places of after these moves.
#[derive(Debug)]
struct Leaving {
    generations: Vec<u32>,
    holders: Weak<()>,
}

impl Moves {
    pub(crate) fn new(most: u64) -> Self {
        Self { table: RwLock::default(), most }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A generation that nothing has yet.
    pub(crate) fn generation(&self) -> u32 {
        let table = &mut *self.write();
        table.next += 1;
        table.next
    }

    /// For places that are got from now on.
    pub(crate) fn holder(&self) -> Holder {
        self.read().holder.clone()
    }

    /// The rows of a generation are somewhere else from now on.
    pub(crate) fn record(&self, generation: u32, to: Vec<RowRef>) {
        let table = &mut *self.write();
        table.rows += to.len() as u64;
        if let Some(before) = table.moved.insert(generation, to.into()) {
            table.rows -= before.len() as u64;
        }
    }

    /// Gives back moves that nobody needs, once there are many. Nobody commits or records meanwhile.
    pub(crate) fn give_back(&self, recall: &Recall) {
        let is_due = {
            let table = &mut *self.write();
            table.let_go();
            table.leaving.is_none() && table.rows > self.most
        };
        if !is_due {
            return;
        }
        recall.renew(|row| self.resolve(row));
        let table = &mut *self.write();
        // Only now: who has one of the new holders finds no place of before.
        let before = std::mem::take(&mut table.holder);
        let generations = table.moved.keys().copied().collect();
        table.leaving = Some(Leaving { generations, holders: Arc::downgrade(&before.0) });
        drop(before);
        table.let_go();
    }

    /// Of how many rows it is remembered where they went.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> u64 {
        self.read().rows
    }

    /// Where a row is now.
    pub(crate) fn resolve(&self, row: RowRef) -> RowRef {
        self.read().resolve(row)
    }

    /// Where rows are now.
    pub(crate) fn resolve_all(&self, sightings: &mut [(RowRef, u32)]) {
        let table = &*self.read();
        for (row, _) in sightings.iter_mut() {
            *row = table.resolve(*row);
        }
    }

    /// Where rows were when there were only these generations: a state does not change, though
    /// its rows move on.
    pub(crate) fn resolve_within(&self, sightings: &mut [(RowRef, u32)], there: &BTreeSet<u32>) {
        let table = &*self.read();
        for (row, _) in sightings {
            while !there.contains(&row.generation)
                && let Some(place) = table.step(*row)
            {
                *row = place;
            }
        }
    }
}

impl Table {
    fn resolve(&self, mut row: RowRef) -> RowRef {
        while let Some(place) = self.step(row) {
            row = place;
        }
        row
    }

    fn step(&self, row: RowRef) -> Option<RowRef> {
        self.moved.get(&row.generation)?.get(row.index as usize).copied()
    }

    /// Gives back what is leaving once its last holder is gone.
    fn let_go(&mut self) {
        let Some(leaving) = self.leaving.take_if(|it| it.holders.strong_count() == 0) else {
            return;
        };
        for generation in leaving.generations {
            let rows = self.moved.remove(&generation);
            self.rows -= rows.map_or(0, |rows| rows.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RecordKind;

    fn row(generation: u32) -> RowRef {
        RowRef { generation, index: 1 }
    }

    #[test]
    fn a_place_is_followed_as_long_as_its_holder_lives_and_moves_are_bounded() {
        let (moves, recall) = (Moves::new(8), Recall::new([7; 16], 1 << 20));
        let print = recall.fingerprint(RecordKind::Message, b"copy");
        recall.insert(print, || row(1));
        let mut held = Vec::new();
        for generation in 1..200_u32 {
            // Each is held over the next twenty moves.
            held.push((moves.holder(), row(generation)));
            if held.len() > 20 {
                drop(held.remove(0));
            }
            moves.record(generation, vec![row(generation + 1); 2]);
            moves.give_back(&recall);
            for (_, place) in &held {
                assert_eq!(moves.resolve(*place), row(generation + 1), "of {place:?}");
            }
            let found = recall.get(print).unwrap();
            assert_eq!(moves.resolve(found), row(generation + 1), "of the recall");
            assert!(moves.rows() <= 2 * (3 * 21 + 8), "{} rows", moves.rows());
        }
        held.clear();
        moves.give_back(&recall);
        moves.give_back(&recall);
        let table = &*moves.read();
        assert!(table.rows <= 8 && table.moved.len() as u64 * 2 == table.rows, "{}", table.rows);
    }
}
