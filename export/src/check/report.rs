//! What a check came to.

use super::{Finding, Problem};

/// Findings that are kept; a folder of garbage has more, and they say nothing new.
pub(super) const MOST_FINDINGS: usize = 10_000;

/// What a check without findings proves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// The files agree with each other. Nothing speaks for what is in them.
    #[default]
    Sums,
    /// And exactly the versions that the archive has are named: another renderer wrote them, so the
    /// files were not made again.
    Versions,
    /// Every byte is what the archive gives.
    Bytes,
}

/// What was read, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Parts that were read.
    pub parts: u64,
    /// Members that were read.
    pub members: u64,
    /// Bytes of parts that were read.
    pub bytes: u64,
    /// Versions that the parts say they have.
    pub subjects: u64,
    /// What it proves if nothing is wrong.
    pub proof: Proof,
    /// Reasons for missing contents that the archive no longer has, or has never had, as the export
    /// tells them: those were taken as they stand.
    pub other_reasons: u64,
    /// What is wrong, part by part.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub more_findings: u64,
}

impl CheckReport {
    /// Is nothing wrong?
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    pub(crate) fn add(&mut self, part: Option<&str>, member: Option<&str>, problem: Problem) {
        if self.findings.len() >= MOST_FINDINGS {
            self.more_findings += 1;
            return;
        }
        let (part, member) = (part.map(str::to_owned), member.map(str::to_owned));
        self.findings.push(Finding { part, member, problem });
    }
}
