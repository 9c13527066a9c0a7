//! The catalog's folder: found, judged, opened or moved aside.

#![expect(
    clippy::disallowed_methods,
    reason = "the catalog is sled's folder: derived, and outside `Storage`"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::seal::{self, Verdict};
use super::store::{self, Key, Refusal, Store};
use super::{Opened, Stamp, codec};

/// Moved-aside catalogs that are kept: enough to look into, and a bound whatever happens.
const KEPT_ASIDE: usize = 3;
const ASIDE_PREFIX: &str = "catalog-";

/// Where a catalog is, and where it goes when it is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CatalogFolder {
    pub(crate) folder: PathBuf,
    pub(crate) trash: PathBuf,
}

impl CatalogFolder {
    /// Opens what is there; if it is of no use, moves it aside and starts anew. An error means
    /// that this folder cannot be used at all for now.
    pub(super) fn open(&self, stamp: &Stamp) -> Result<(Store, Opened), String> {
        let reason = match self.try_open(stamp) {
            Ok(opened) => return Ok(opened),
            Err(Refusal::Busy(reason)) => return Err(reason),
            Err(Refusal::Broken(reason)) => reason,
        };
        self.move_aside().map_err(|cause| format!("{reason}; and moving it aside: {cause}"))?;
        match Store::open(&self.folder) {
            Ok(store) => Ok((store, Opened::MovedAside(reason))),
            Err(again) => Err(format!("{reason}; and anew: {}", String::from(again))),
        }
    }

    fn try_open(&self, stamp: &Stamp) -> Result<(Store, Opened), Refusal> {
        let broken = |cause: io::Error| Refusal::Broken(cause.to_string());
        if fs::exists(store::files(&self.folder)).map_err(broken)? {
            let verdict = seal::check(&self.folder, &store::files(&self.folder)).map_err(broken)?;
            if verdict == Verdict::Broken {
                return Err(Refusal::Broken("its files changed since it was closed".to_owned()));
            }
        }
        seal::lift(&self.folder).map_err(broken)?;
        let store = Store::open(&self.folder)?;
        match judge(&store, stamp) {
            Ok(opened) => Ok((store, opened)),
            Err(reason) => {
                // Not abandoned: the folder is about to move, so sled must be done with it.
                store.release().map_err(Refusal::Busy)?;
                Err(Refusal::Broken(reason))
            }
        }
    }

    /// Deletes what is there and starts anew.
    pub(super) fn renew(&self) -> Result<Store, String> {
        store::remove_folder(&self.folder)?;
        Store::open(&self.folder).map_err(String::from)
    }

    /// Makes sure that the next opening moves the folder aside.
    pub(super) fn condemn(&self, reason: &str) {
        // Should this fail, the next opening finds no seal and looks for itself.
        seal::condemn(&self.folder, reason).unwrap_or_default();
    }

    fn move_aside(&self) -> io::Result<()> {
        fs::create_dir_all(&self.trash)?;
        let mut numbers = aside_numbers(&self.trash)?;
        let number = numbers.last().map_or(0, |last| last.saturating_add(1));
        let to = aside(&self.trash, number);
        fs::rename(&self.folder, to).or_else(|_| fs::remove_dir_all(&self.folder))?;
        numbers.push(number);
        let surplus = numbers.len().saturating_sub(KEPT_ASIDE);
        numbers
            .iter()
            .take(surplus)
            .try_for_each(|old| fs::remove_dir_all(aside(&self.trash, *old)))
    }
}

/// Compares the stamp that was found with the one that was asked for.
fn judge(store: &Store, stamp: &Stamp) -> Result<Opened, String> {
    let Some(value) = store.get(&Key::Stamp)? else {
        return Ok(if store.segments().is_empty() { Opened::Fresh } else { Opened::Stale });
    };
    let found = codec::decode_stamp(Key::Stamp.name().as_bytes(), &value);
    match found.ok_or("its stamp is damaged")? {
        found if found == *stamp => Ok(Opened::Current),
        found if found.archive != stamp.archive => Err("it belongs to another archive".to_owned()),
        _ => Ok(Opened::Stale),
    }
}

fn aside(trash: &Path, number: u64) -> PathBuf {
    trash.join(format!("{ASIDE_PREFIX}{number}"))
}

/// Numbers of the catalogs in the trash, ascending.
fn aside_numbers(trash: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for item in fs::read_dir(trash)? {
        let name = item?.file_name().to_string_lossy().into_owned();
        numbers.extend(name.strip_prefix(ASIDE_PREFIX).and_then(|n| n.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
