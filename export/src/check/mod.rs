//! Reads an export back and says what is wrong with it, if anything is.
//!
//! Everything is read again: each part's size and SHA-256 against the index, each member's bytes
//! against the manifest and the sums, the counts and fingerprints of parts, windows and the whole
//! against each other, the chain from part to part, and cut contents joined from their slices. That
//! proves that the files agree with each other: whoever changes all of them together is not found.
//!
//! With the archive at hand ([`crate::Export::check`]) the whole export is made again, since the
//! same archive and request give the same bytes, and each part is compared byte for byte: any
//! change in any file is found. An export of another renderer cannot be made again; then the
//! fingerprints are recomputed: exactly the selected versions are there, or the parts that differ
//! are named, but what their files say of them is not compared.
//!
//! Nothing in the files is trusted: they can be cut off, damaged or made up, and the worst they get
//! is a finding.

mod again;
mod answer;
mod part;
mod problem;
mod report;
#[cfg(test)]
mod tests;
mod whole;

pub use again::{Step, Watch};
pub use problem::{Finding, Problem};
pub use report::{CheckReport, Proof};

use chatvault_engine::Storage;

use crate::digest::Subject;
use crate::error::{Error, Result};
use crate::manifest::Index;

pub(crate) use again::Again;
pub(crate) use answer::compare as compare_subjects;
pub(crate) use part::{Reasons, other_head};

/// An archive's answer: the versions of an export's selection, in export order.
pub type Answer<'a> = &'a mut dyn Iterator<Item = Result<Subject>>;

/// Checks that the files of the export of this name in a folder agree with each other.
///
/// `watch` is told each part before it is read.
///
/// # Errors
///
/// If there is no index, the folder cannot be read, or `Cancelled` after a `Break`. What is wrong with the export is no error but
/// a finding.
pub fn check(storage: &dyn Storage, export: &str, watch: Watch<'_>) -> Result<CheckReport> {
    read(storage, export, watch).map(|read| read.report)
}

/// What was read of an export.
pub(crate) struct Read {
    pub(crate) report: CheckReport,
    pub(crate) index: Index,
    /// Why contents are missing, as its parts say.
    pub(crate) reasons: Reasons,
}

/// Reads everything that an export has.
pub(crate) fn read(storage: &dyn Storage, export: &str, watch: Watch<'_>) -> Result<Read> {
    let mut report = CheckReport::default();
    let Some(index) = Index::read(storage, export)? else {
        let problem = "there is none".to_owned();
        return Err(Error::Index { file: Index::file_name(export), problem });
    };
    whole::check_lists(storage, export, &index, &mut report)?;
    whole::check_totals(&index, &mut report);
    whole::check_names(storage, &index, &mut report)?;
    let mut parts = part::Parts::new(storage, &index);
    for record in &index.parts {
        if watch(Step::Reading(&record.name, record.bytes)).is_break() {
            return Err(Error::Cancelled);
        }
        parts.check(record, &mut report)?;
    }
    let reasons = parts.finish(&mut report);
    Ok(Read { report, index, reasons })
}
