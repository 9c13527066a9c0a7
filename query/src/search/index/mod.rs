//! The full-text index beside an archive: derived, rebuildable, and only there if asked for.
//!
//! It lives in `search/` on the archive's storage and is a tantivy index in checked blocks (`file`,
//! `folder`). Each stored row of a message, Copilot interaction, recording or transcript is a document
//! with its words and with what leads back to the row (`schema`). It is built from scans of a snapshot, never in the way of a commit (`update`,
//! `builder`), and asked for rows that may meet a search (`ask`), in order of time for a few of them at once (`stretch`, `columns`).
//!
//! What always holds:
//! * Each commit of the index says up to which commit of which archive it has every row. What came
//!   later is searched in the archive itself, so an index that is behind gives the same answer.
//! * The text of a transcript can come long after its row, so it is known by the file that it was read
//!   from: one that the index has not read is searched in the archive.
//! * It is only asked which rows to look at; whether a row meets a search is decided on the row. So
//!   it can never add a wrong row, and everything read from it is checked by checksums.
//! * It is bound to a commit by number and hash. An index of another archive, of another past of it, of
//!   another format, and one that is damaged, is not used: opening it is an error, asking it too, and
//!   updating it builds it anew.
//! * Asking it takes time for what is new only: where the rows behind it are is read once (`later`).

mod ask;
mod builder;
mod columns;
mod file;
mod folder;
#[cfg(test)]
mod kinds;
mod later;
mod limits;
mod schema;
mod stretch;
#[cfg(test)]
mod tests;
mod update;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use chatvault_base::OnProgress;
use chatvault_engine::{Archive, Sequence, Snapshot, Storage};
use tantivy::directory::error::OpenReadError;
use tantivy::{ReloadPolicy, Searcher, TantivyError};

pub use builder::Builder;
pub use update::Update;

pub(crate) use ask::Candidates;
pub(crate) use stretch::{Sought, Stretches};

use crate::error::{Error, Result};
use columns::Columns;
use folder::{FOLDER, Folder, META};
use later::Behind;
use limits::Limits;
use schema::{About, FORMAT, Fields, tokenizers};

/// How often opening is tried while an update removes what it has replaced.
const TRIES: usize = 5;

/// The full-text index of an archive, as it was when it was opened.
#[derive(Clone)]
pub struct Index {
    searcher: Searcher,
    fields: Fields,
    about: About,
    /// Where the rows are that it does not have.
    behind: Arc<Behind>,
    /// Of each segment, once they were read.
    columns: Arc<[OnceLock<Columns>]>,
    limits: Limits,
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("about", &self.about).finish_non_exhaustive()
    }
}

impl Index {
    /// Opens the index beside an archive; `None` if there is none.
    ///
    /// Ask it about snapshots that are taken after this call: an earlier one may lack commits that the
    /// index has, and is refused. The error says why an index cannot be used: [`Index::update`]
    /// builds it anew.
    pub fn open(storage: &Arc<dyn Storage>, archive: &Archive) -> Result<Option<Self>> {
        Self::open_within(storage, archive, Limits::default())
    }

    fn open_within(
        storage: &Arc<dyn Storage>,
        archive: &Archive,
        limits: Limits,
    ) -> Result<Option<Self>> {
        let folder = Folder(Arc::clone(storage));
        if !is_there(&folder)? {
            return Ok(None);
        }
        let (_, index) = open(&folder, limits)?;
        index.check(&archive.snapshot().map_err(Error::Archive)?)?;
        Ok(Some(index))
    }

    /// Is it an index of what a snapshot holds, or of what it held at an earlier commit?
    fn check(&self, snapshot: &Snapshot) -> Result<()> {
        if self.about.archive != archive_of(snapshot) {
            return Err(unfit("is of another archive"));
        }
        match snapshot.commit_id(self.sequence()).map_err(Error::Archive)? {
            Some(commit) if commit.to_string() == self.about.commit => Ok(()),
            Some(_) => Err(unfit("is of another past of this archive")),
            None => Err(unfit("knows commits that this archive does not have")),
        }
    }

    /// Brings the index up to a snapshot, or builds it; one that is of no use is built anew.
    ///
    /// `on` is told how many of the new rows are in it. After its `Break`, or a crash, the index is what it
    /// was at its last commit.
    ///
    /// `Archive` if the archive cannot be read, `Index` if the index cannot be written.
    pub fn update(
        storage: &Arc<dyn Storage>,
        snapshot: &Snapshot,
        on: OnProgress<'_>,
    ) -> Result<Update> {
        Self::update_within(storage, snapshot, Limits::default(), on)
    }

    fn update_within(
        storage: &Arc<dyn Storage>,
        snapshot: &Snapshot,
        limits: Limits,
        on: OnProgress<'_>,
    ) -> Result<Update> {
        let _span = tracing::debug_span!("index").entered();
        update::update(&Folder(Arc::clone(storage)), snapshot, limits, on)
    }

    /// Removes the index; false if there was none.
    ///
    /// `Index` if a file of it cannot be removed.
    pub fn remove(storage: &Arc<dyn Storage>) -> Result<bool> {
        update::remove(&Folder(Arc::clone(storage)))
    }

    /// The last commit whose rows are in it.
    pub fn sequence(&self) -> Sequence {
        Sequence(self.about.sequence)
    }

    /// The columns of a segment.
    fn columns(&self, segment: usize) -> Result<&Columns> {
        let (Some(read), Some(reader)) =
            (self.columns.get(segment), self.searcher.segment_readers().get(segment))
        else {
            return Err(unfit("is damaged: it names a segment that it does not have"));
        };
        if let Some(columns) = read.get() {
            return Ok(columns);
        }
        let columns = Columns::read(reader)?;
        Ok(read.get_or_init(|| columns))
    }

    /// Reads what every question needs, so that the first one does not wait for it.
    ///
    /// `Index` if the index is damaged or cannot be read.
    pub fn warm(&self) -> Result<()> {
        guarded(|| {
            let segments = 0..self.searcher.segment_readers().len();
            segments.into_iter().try_for_each(|segment| self.columns(segment).map(drop))
        })
    }

    /// How many rows are in it.
    pub fn rows(&self) -> u64 {
        self.about.rows
    }
}

fn is_there(folder: &Folder) -> Result<bool> {
    let files = folder.0.list(FOLDER).map_err(unreadable)?;
    Ok(files.iter().any(|file| file.name == META))
}

/// The archive's id in hexadecimal digits.
fn archive_of(snapshot: &Snapshot) -> String {
    snapshot.archive().map(|byte| format!("{byte:02x}")).concat()
}

/// Opens an index that is there, and what tantivy writes with.
fn open(folder: &Folder, limits: Limits) -> Result<(tantivy::Index, Index)> {
    let mut opened = guarded(|| try_open(folder, limits));
    for _ in 1..TRIES {
        if !opened.as_ref().is_err_and(is_file_gone) {
            break;
        }
        opened = guarded(|| try_open(folder, limits));
    }
    let (tantivy, index) = opened?;
    if index.about.format != FORMAT {
        return Err(unfit("is of another version of this program"));
    }
    if index.searcher.num_docs() != index.about.rows {
        return Err(unfit("is damaged: it does not have the rows that it says it has"));
    }
    Ok((tantivy, index))
}

fn try_open(folder: &Folder, limits: Limits) -> Result<(tantivy::Index, Index)> {
    let mut index = tantivy::Index::open(folder.clone()).map_err(failed)?;
    // What has no commit of ours yet was stopped in its first step.
    let payload = index.load_metas().map_err(failed)?.payload;
    let payload = payload.ok_or_else(|| unfit("was never finished"))?;
    let about: About = serde_json::from_str(&payload).unwrap_or_default();
    let fields = Fields::new();
    if about.format == FORMAT && index.schema() != fields.schema {
        return Err(unfit("is damaged: its fields are not those of its format"));
    }
    index.set_tokenizers(tokenizers());
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into();
    let searcher = reader.map_err(failed)?.searcher();
    let columns = searcher.segment_readers().iter().map(|_| OnceLock::new()).collect();
    Ok((index, Index { searcher, fields, about, behind: Arc::default(), columns, limits }))
}

/// Tantivy trusts its files more than we do: a panic inside of it is a damaged index.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(unfit("is damaged")))
}

fn unfit(reason: &'static str) -> Error {
    Error::Index { reason, cause: None }
}

fn failed(error: TantivyError) -> Error {
    Error::Index { reason: "cannot be used", cause: Some(Box::new(error)) }
}

fn unreadable(cause: std::io::Error) -> Error {
    Error::Index { reason: "cannot be read or written", cause: Some(Box::new(cause)) }
}

/// Did an update remove a file before it could be opened?
fn is_file_gone(error: &Error) -> bool {
    let Error::Index { cause: Some(cause), .. } = error else { return false };
    let gone = |error: &TantivyError| {
        matches!(error, TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_)))
    };
    cause.downcast_ref().is_some_and(gone)
}
