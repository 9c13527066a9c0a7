//! An export in a folder, held against the archive.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chatvault_engine::{MessageKey, Storage};

use super::attach::{name_of_link, or_never};
use super::{Export, Run};
use crate::check::{self, Again, CheckReport, Proof, Reasons, Step, Watch};
use crate::error::Result;

impl Export {
    /// Reads an export in a folder back and holds it against the archive: every byte must be what
    /// the archive gives.
    ///
    /// Everything is made again as [`Export::run`] would, into nothing: `scratch` takes what has no
    /// place in a part yet, and keeps nothing. An export of another renderer is compared by its
    /// versions only: see [`Proof`].
    ///
    /// What does not agree is in the report; an error is what keeps it from looking, and `Cancelled` a `Break`.
    pub fn check(
        &self,
        (folder, scratch): (&Arc<dyn Storage>, &Arc<dyn Storage>),
        how: Run<'_>,
        watch: Watch<'_>,
    ) -> Result<CheckReport> {
        let read = check::read(&**folder, self.name(), watch)?;
        let check::Read { mut report, index, reasons } = read;
        if index.head.tool != self.head.tool {
            report.proof = Proof::Versions;
            check::compare_subjects(&index, &mut self.subjects(), &mut report)?;
            return Ok(report);
        }
        report.proof = Proof::Bytes;
        if let Some(problem) = check::other_head(&self.head, &index.head) {
            report.add(None, None, problem);
        }
        let told = Told { reasons: &reasons, archive: how.reasons, others: AtomicU64::new(0) };
        let again = Again::new((folder, scratch), (self.name(), &index));
        let writer = again.writer(self.settings(how.threads))?;
        let how = Run { reasons: &|key, link| told.reason(key, link), ..how };
        let mut on_progress =
            |progress: &super::Progress| -> ControlFlow<()> { watch(Step::Rendering(progress)) };
        let made = self.write(writer, self.survey()?, how, &mut on_progress)?;
        again.compare(&made, &mut report);
        report.other_reasons = told.others.load(Ordering::Relaxed);
        Ok(report)
    }
}

/// Why contents are missing: as an export tells it, since the archive knows only what it was told
/// last.
struct Told<'r> {
    reasons: &'r Reasons,
    archive: super::Reasons<'r>,
    others: AtomicU64,
}

impl Told<'_> {
    fn reason(&self, key: &MessageKey, link: &str) -> Option<String> {
        let message = format!("{} {}", key.conversation, key.id);
        let told = self.reasons.get(&(message, name_of_link(link))).cloned();
        let now = (self.archive)(key, link);
        let others = u64::from(told.as_ref().is_some_and(|told| *told != or_never(now)));
        let _before = self.others.fetch_add(others, Ordering::Relaxed);
        told
    }
}
