//! Reads an export back and says what is wrong with it, if anything is.
//!
//! Everything is read again: each part's size and SHA-256 against the index, each member's bytes
//! against the manifest and the sums, the counts and fingerprints of parts, windows and the whole
//! against each other, the chain from part to part, and cut contents joined from their slices. With
//! the archive's answer to the same selection at hand, the fingerprints are recomputed from it:
//! then exactly the selected versions are there, or the parts that differ are named.
//!
//! Nothing in the files is trusted: they can be cut off, damaged or made up, and the worst they get
//! is a finding.

mod answer;
mod part;
mod problem;
#[cfg(test)]
mod tests;
mod whole;

pub use problem::{Finding, Problem};

use chatvault_engine::Storage;

use crate::digest::Subject;
use crate::error::{Error, Result};
use crate::manifest::Index;

/// Findings that are kept; a folder of garbage has more, and they say nothing new.
const MOST_FINDINGS: usize = 10_000;

/// What was read, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Parts that were read.
    pub parts: u64,
    /// Members that were read.
    pub members: u64,
    /// Bytes of parts that were read.
    pub bytes: u64,
    /// Versions that the parts say they have.
    pub subjects: u64,
    /// Was the archive asked too?
    pub compared: bool,
    /// What is wrong, part by part.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more_findings: u64,
}

impl Report {
    /// Is nothing wrong?
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, part: Option<&str>, member: Option<&str>, problem: Problem) {
        if self.findings.len() >= MOST_FINDINGS {
            self.more_findings += 1;
            return;
        }
        let (part, member) = (part.map(str::to_owned), member.map(str::to_owned));
        self.findings.push(Finding { part, member, problem });
    }
}

/// An archive's answer: the versions of an export's selection, in export order.
pub type Answer<'a> = &'a mut dyn Iterator<Item = Result<Subject>>;

/// Checks the export of this name in a folder.
///
/// `watch` is told each part before it is read, with its size.
///
/// # Errors
///
/// If there is no index, the folder cannot be read, or the archive's answer fails. What is wrong
/// with the export is no error but a finding.
pub fn check(
    storage: &dyn Storage,
    export: &str,
    answer: Option<Answer<'_>>,
    watch: &mut dyn FnMut(&str, u64),
) -> Result<Report> {
    let mut report = Report::default();
    let Some(index) = Index::read(storage, export)? else {
        let problem = "there is none".to_owned();
        return Err(Error::Index { file: Index::file_name(export), problem });
    };
    whole::check_lists(storage, export, &index, &mut report)?;
    whole::check_totals(&index, &mut report);
    let mut parts = part::Parts::new(storage, &index);
    for record in &index.parts {
        watch(&record.name, record.bytes);
        parts.check(record, &mut report)?;
    }
    parts.finish(&mut report);
    if let Some(answer) = answer {
        report.compared = true;
        answer::compare(&index, answer, &mut report)?;
    }
    Ok(report)
}
