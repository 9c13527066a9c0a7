//! What the threads of an import share: counters, the stop sign, the summary in the making.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chatvault_engine::{Archive, CommitReport, RunId};

use crate::error::Error;
use crate::queue::Queue;
use crate::report::{ImportOptions, Notice, Progress, Summary};
use crate::source::Listing;
use crate::split::Remarks;

#[derive(Debug)]
pub(crate) struct Shared<'a> {
    pub(crate) archive: &'a Archive,
    pub(crate) run: RunId,
    pub(crate) options: &'a ImportOptions,
    pub(crate) queue: Queue,
    pub(crate) files: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) copies: AtomicU64,
    /// Read often and by all; the lock below is taken only when something is to be written.
    stopped: AtomicBool,
    outcome: Mutex<Outcome>,
}

#[derive(Debug, Default)]
struct Outcome {
    summary: Summary,
    error: Option<chatvault_engine::Error>,
}

/// Counts up; only sums are read, so no order is needed.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    let _before = counter.fetch_add(count, Ordering::Relaxed);
}

impl<'a> Shared<'a> {
    pub(crate) fn new(
        archive: &'a Archive,
        run: RunId,
        options: &'a ImportOptions,
        queue: Queue,
    ) -> Self {
        let summary = Summary { run, finished: true, ..Summary::default() };
        Self {
            archive,
            run,
            options,
            queue,
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            copies: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            outcome: Mutex::new(Outcome { summary, error: None }),
        }
    }

    /// Should the threads come to an end?
    pub(crate) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Asks all threads to commit what they have and leave.
    pub(crate) fn stop(&self) {
        self.outcome().summary.finished = false;
        self.stopped.store(true, Ordering::Relaxed);
        self.queue.stop();
    }

    /// The archive refused a commit: the first error wins and ends the import.
    pub(crate) fn fail(&self, error: chatvault_engine::Error) {
        let _first = self.outcome().error.get_or_insert(error);
        self.stop();
    }

    /// Did the archive refuse a commit?
    pub(crate) fn failed(&self) -> bool {
        self.outcome().error.is_some()
    }

    pub(crate) fn committed(&self, report: CommitReport) {
        let summary = &mut self.outcome().summary;
        summary.commits += 1;
        summary.counts += report.counts;
        summary.stored_beside += report.stored_beside;
        for (custodian, counts) in report.by_custodian {
            *summary.by_custodian.entry(custodian).or_default() += counts;
        }
    }

    pub(crate) fn remark(&self, file: &str, remarks: Remarks) {
        if remarks == Remarks::default() {
            return;
        }
        let notice = |message| Notice { file: file.to_owned(), message };
        let summary = &mut self.outcome().summary;
        summary.failures.extend(remarks.failure.map(notice));
        summary.missing.extend(remarks.missing.map(notice));
        summary.warnings.extend(remarks.warning.map(notice));
    }

    /// Takes over what a listing found that is not read.
    pub(crate) fn unread(&self, listing: Listing) {
        let summary = &mut self.outcome().summary;
        summary.hidden_files += listing.hidden;
        let notices = listing.unread.into_iter();
        summary
            .failures
            .extend(notices.map(|(path, message)| Notice { file: name(&path), message }));
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            copies: self.copies.load(Ordering::Relaxed),
            ..Progress::default()
        }
    }

    pub(crate) fn into_summary(self) -> Result<Summary, Error> {
        let progress = self.progress();
        let outcome = self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = outcome.error {
            return Err(Error::Archive(error));
        }
        let mut summary = outcome.summary;
        (summary.files, summary.bytes) = (progress.files, progress.bytes);
        summary.failures.sort_unstable();
        summary.missing.sort_unstable();
        summary.warnings.sort_unstable();
        Ok(summary)
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a file is named to people and in the quarantine.
pub(crate) fn name(path: &Path) -> String {
    path.display().to_string()
}

/// A thread that panics stops the others: they would wait for what it does not bring.
#[derive(Debug)]
pub(crate) struct Leaving<'a>(pub(crate) &'a Shared<'a>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}
