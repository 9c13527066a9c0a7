//! Files of the archive that may not be readable, and what salvage leaves out because of that.
//!
//! Invariant: a file that cannot be read never ends the opening. Its error stays in its place, and
//! every question that needs the file gets it; with [`Options::salvage`](crate::Options::salvage)
//! the question goes on without that part, and the part is named once in `missing`.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::report::Damage;
use crate::error::{Error, Result};
use crate::segment::Segment;

/// An open file, or why it cannot be read.
#[derive(Debug)]
pub(crate) struct Held<T>(Result<Arc<T>>);

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Ok(file) => Ok(Arc::clone(file)),
            Err(error) => Err(error.clone()),
        })
    }
}

impl<T> Held<T> {
    /// Keeps what opening a file gave, the error too.
    pub(crate) fn of(opened: Result<T>) -> Self {
        Self(opened.map(Arc::new))
    }

    pub(crate) fn get(&self) -> Result<&Arc<T>> {
        self.0.as_ref().map_err(Error::clone)
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.0.is_ok()
    }
}

/// Rows of a group that cannot be read.
pub(crate) type Gaps = Arc<[Range<u32>]>;

/// What could not be read so far, if the archive was opened for salvage.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    salvage: bool,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    damages: Vec<Damage>,
    /// By segment and group.
    gaps: HashMap<(u64, usize), Gaps, RandomState>,
}

impl Missing {
    pub(crate) fn new(salvage: bool) -> Self {
        Self { salvage, found: Mutex::default() }
    }

    /// Goes on without a part that cannot be read, if that is wanted: the part is named.
    pub(crate) fn pass<T>(&self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.salvage && error.is_unreadable() => {
                self.name(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn name(&self, error: &Error) {
        let damage = Damage::of(error);
        let damages = &mut self.found().damages;
        // One place is named once, whoever met it.
        let place = |one: &Damage| (one.file.clone(), one.offset);
        if !damages.iter().any(|there| place(there) == place(&damage)) {
            damages.push(damage);
        }
    }

    /// The rows of a group to be left out: none unless for salvage.
    pub(crate) fn gaps(&self, segment: &Segment, group: usize) -> Gaps {
        if !self.salvage {
            return Gaps::default();
        }
        let place = (segment.meta.number, group);
        if let Some(gaps) = self.found().gaps.get(&place) {
            return Arc::clone(gaps);
        }
        let unreadable = segment.unreadable(group);
        for (_, error) in &unreadable {
            self.name(error);
        }
        let gaps: Gaps = unreadable.into_iter().map(|(rows, _)| rows).collect();
        drop(self.found().gaps.insert(place, Arc::clone(&gaps)));
        gaps
    }

    /// Everything that was left out so far.
    pub(crate) fn damages(&self) -> Vec<Damage> {
        self.found().damages.clone()
    }

    pub(crate) fn salvage(&self) -> bool {
        self.salvage
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is a row in one of these?
pub(crate) fn in_gap(gaps: &[Range<u32>], row: u32) -> bool {
    gaps.iter().any(|gap| gap.contains(&row))
}
