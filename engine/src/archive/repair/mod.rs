//! Repairing: a new, healthy archive from what is whole in a damaged one and in copies of it.
//!
//! The damaged archive is never written to. Each of its files is taken from wherever it is whole, or
//! put together from frames that are ([`mend`]); what comes out is read as for salvage and written
//! down under a new id ([`write`]). Rows keep their commits, sightings their runs; what is lost is
//! listed, and counted in a record of the new archive ([`Repaired`]).

mod mend;
pub(super) mod repaired;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use chatvault_base::OnProgress;
use tracing::debug_span;

use super::maintain::disposal::TRASH;
use super::open::{self, FOLDERS};
use super::report::Damage;
use crate::error::{Error, ErrorKind, Result};
use crate::format::head::Head;
use crate::options::{Host, Options};
use crate::storage::{LockGuard, ReadFile, Storage, whole};
use repaired::Repaired;

/// Marks a folder in which a repair was begun; what is there may go.
const MARK: &str = "repair.tmp";

/// Where damaged or missing parts may be whole.
#[derive(Clone, Debug)]
pub enum Spare {
    /// A copy of the archive, older or newer.
    Archive(Arc<dyn Storage>),
    /// A copy of one of its files, whatever it is called.
    File(Arc<dyn ReadFile>),
}

/// What a repair did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RepairReport {
    /// The new archive's id.
    pub archive: [u8; 16],
    /// What it came from, and how much of that is lost.
    pub repaired: Repaired,
    /// Rows of the new archive.
    pub rows: u64,
    /// Objects of the new archive.
    pub objects: u64,
    /// Copies whose counters were lost with a ledger, and were counted again from the rows.
    pub recounted: u64,
    /// Files that were taken from copies, whole or in part.
    pub from_copies: Vec<String>,
    /// Everything that is in neither.
    pub lost: Vec<Damage>,
    /// False: it was asked to stop; the folder of the new archive is emptied by the next repair.
    pub finished: bool,
}

/// Makes a new archive in `target` from what is whole in `source` and in copies of it.
///
/// The source is only read; nobody may write to it meanwhile, or the result lacks what came last.
/// `progress` is told of rows, and a `Break` stops it. `Exists` if the target is not
/// empty, unless an earlier repair left it unfinished; `Corrupt` if no manifest can be read anywhere.
pub fn repair(
    source: &Host,
    target: &Host,
    spares: &[Spare],
    progress: OnProgress<'_>,
) -> Result<RepairReport> {
    let _span = debug_span!("repair").entered();
    let lock = claim(&*target.storage)?;
    let (mended, from_copies) = mend::mend(&source.storage, spares)?;
    let host = Host { storage: Arc::new(mended), clock: Arc::clone(&source.clock) };
    let options = Options { salvage: true, ..Options::default() };
    let shared = open::open_read_only(host, options)?;
    let mut writing = write::Writing::new(&shared, target);
    let finished = writing.run(spares, progress)?;
    let mut report = writing.into_report();
    (report.from_copies, report.finished) = (from_copies, finished);
    if finished {
        whole::discard(&*target.storage, MARK)?;
        let sync = target.storage.sync_folder("");
        sync.map_err(|cause| Error::io("sync folder", "", cause))?;
    }
    drop(lock);
    Ok(report)
}

/// Takes an empty folder, or one that an unfinished repair left.
fn claim(storage: &dyn Storage) -> Result<Box<dyn LockGuard>> {
    if Head::load(storage).is_ok() {
        return Err(Error::new(
            ErrorKind::Exists,
            "an archive is there already: choose another place",
        ));
    }
    for folder in [""].iter().chain(&FOLDERS) {
        storage.make_folder(folder).map_err(|cause| Error::io("make folder", folder, cause))?;
    }
    let lock = open::lock(storage)?;
    let mut left = Vec::new();
    for folder in FOLDERS.iter().chain(&[TRASH]) {
        let files = storage.list(folder).map_err(|cause| Error::io("list", folder, cause))?;
        left.extend(files.into_iter().map(|file| format!("{folder}/{}", file.name)));
    }
    match (storage.open(MARK).is_ok(), left.first()) {
        (false, Some(there)) => {
            let message = "files are there already: choose another place";
            return Err(Error::new(ErrorKind::Exists, message).in_file(there.clone()));
        }
        (true, _) => left.iter().try_for_each(|path| whole::discard(storage, path))?,
        (false, None) => {
            drop(storage.create(MARK).map_err(|cause| Error::io("create", MARK, cause))?);
        }
    }
    Ok(lock)
}
