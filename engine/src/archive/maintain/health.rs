//! What went wrong in the background, where nobody waits for an error.
//!
//! A trouble is remembered until the same work succeeds, in `HEALTH` too, so that readers and the
//! next opening can tell it. Nothing else depends on that file: one that cannot be written or read
//! is as none.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

use tracing::warn;

use crate::archive::{Archive, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::format::names::HEALTH;
use crate::storage::{Storage, whole};
use crate::types::Timestamp;

const MAX_BYTES: u64 = 64 << 10;

/// Work that goes on in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Work {
    /// Moving rows from the journal into a segment.
    Seal,
    /// Merging segments.
    Merge,
}

impl Work {
    const ALL: [Self; 2] = [Self::Seal, Self::Merge];

    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Merge => "merge",
        }
    }
}

/// Background work that failed and did not succeed since.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// What failed.
    pub work: Work,
    /// When it failed first.
    pub since: Timestamp,
    /// Why it failed last, with its causes, on one line.
    pub message: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "background {} failed: {}", self.work.word(), self.message)
    }
}

/// How the background work of an archive goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// What is wrong; nothing if all is well.
    pub troubles: Vec<Trouble>,
}

impl Archive {
    /// What went wrong in the background: in this process, or in one before whose work did not
    /// succeed since. A merge that fails leaves everything as it was and other segments are still
    /// merged; a seal that fails stops the writer.
    pub fn health(&self) -> Health {
        self.shared.health()
    }
}

impl Shared {
    pub(crate) fn health(&self) -> Health {
        let troubles = match &self.writer {
            Some(_) => self.troubles().values().cloned().collect(),
            None => load(&*self.host.storage).into_values().collect(),
        };
        Health { troubles }
    }

    /// Does some work, and remembers why it failed. It failed if it panicked, too.
    pub(crate) fn attempt<T>(&self, work: Work, what: impl FnOnce() -> Result<T>) -> Result<T> {
        let done = catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|panic| Err(died(&*panic)));
        if let Err(error) = &done
            // Otherwise it was told to end, or what stopped the writer is told already.
            && !matches!(error.kind(), ErrorKind::Closed | ErrorKind::Stopped)
        {
            let mut troubles = self.troubles();
            let since = troubles.get(&work).map(|before| before.since);
            let since = since.unwrap_or_else(|| self.host.clock.now());
            let trouble = Trouble { work, since, message: in_one_line(error) };
            warn!("{trouble}");
            if troubles.insert(work, trouble.clone()) != Some(trouble) {
                // In this process it is told in any case.
                store(&*self.host.storage, &troubles).unwrap_or_default();
            }
        }
        done
    }

    /// All of that work is done.
    pub(crate) fn recovered(&self, work: Work) {
        let mut troubles = self.troubles();
        if troubles.remove(&work).is_some() {
            store(&*self.host.storage, &troubles).unwrap_or_default();
        }
    }

    fn troubles(&self) -> std::sync::MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) type Troubles = BTreeMap<Work, Trouble>;

/// What the file says.
pub(crate) fn load(storage: &dyn Storage) -> Troubles {
    let bytes = whole::read(storage, HEALTH, MAX_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().filter_map(parse).map(|trouble| (trouble.work, trouble)).collect()
}

fn parse(line: &str) -> Option<Trouble> {
    let (name, rest) = line.split_once(' ')?;
    let (since, message) = rest.split_once(' ')?;
    let work = Work::ALL.into_iter().find(|kind| kind.word() == name)?;
    let since = Timestamp::from_ms(since.parse().ok()?);
    Some(Trouble { work, since, message: message.to_owned() })
}

fn store(storage: &dyn Storage, troubles: &Troubles) -> Result<()> {
    let line = |trouble: &Trouble| {
        format!("{} {} {}\n", trouble.work.word(), trouble.since.ms(), trouble.message)
    };
    let text: String = troubles.values().map(line).collect();
    whole::discard(storage, HEALTH)?;
    if text.is_empty() { Ok(()) } else { whole::write_new(storage, HEALTH, text.as_bytes()) }
}

fn in_one_line(error: &Error) -> String {
    let first: &(dyn std::error::Error + 'static) = error;
    let causes = std::iter::successors(Some(first), |cause| cause.source());
    let line = causes.map(ToString::to_string).collect::<Vec<String>>().join(": ");
    line.replace(['\n', '\r'], " ")
}

fn died(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    Error::new(ErrorKind::Io, format!("it panicked: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Memory;

    #[test]
    fn troubles_come_back_and_an_odd_file_is_as_none() {
        let storage = Memory::new();
        storage.make_folder("").unwrap();
        assert_eq!(load(&storage), Troubles::new());
        let since = Timestamp::from_ms(1_700_000_000_000);
        let trouble = |work| Trouble { work, since, message: "corrupt: a: b c".to_owned() };
        let both: Troubles = Work::ALL.map(|work| (work, trouble(work))).into();
        store(&storage, &both).unwrap();
        assert_eq!(load(&storage), both);
        store(&storage, &Troubles::new()).unwrap();
        assert!(storage.list("").unwrap().is_empty());
        whole::write_new(&storage, HEALTH, b"\xff\nmerge x y\nseal 1 z\nodd\n").unwrap();
        assert_eq!(load(&storage).keys().collect::<Vec<_>>(), [&Work::Seal]);
    }
}
