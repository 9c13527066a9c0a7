//! Verifying: is what the archive says about itself true, down to the last byte?
//!
//! Everything is read from the storage again, nothing from what this process has in memory, so a
//! writer and a reader see the same. Damage is reported and never ends the verification; only a
//! storage that fails does. A writer may go on meanwhile: what is verified is the newest manifest
//! and the journal behind it, and a file that a merge replaces in the middle is read in the trash.
//!
//! - [`accounts`]: ledgers, quarantine and journal, and the conservation law between them and the
//!   rows.
//! - [`files`]: length and hash of every file; what segments and packs say about themselves.
//! - [`deep`]: every row of every segment, on all cores; [`rows`] is what is asked of a row.

mod accounts;
mod deep;
mod files;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::report::{Damage, Depth, VerifyReport};
use super::state::State;
use super::{Archive, Shared};
use crate::error::{Error, Result};
use crate::format::head::{self, Head};
use crate::format::names::{JOURNAL, MANIFEST, Name};
use crate::manifest::{self, Manifest};
use crate::storage::Storage;
use accounts::Accounts;

/// A busy writer that overtakes the verification is followed at most so often.
const MAX_LOOKS: usize = 20;
/// Where the archive's own files are.
const FOLDERS: [&str; 5] = ["", MANIFEST, JOURNAL, "segments", "objects"];

impl Archive {
    /// Checks the archive against itself; the report has every damage that was found.
    ///
    /// `progress` is told (rows done, all rows) and stops it by saying false. An error is a
    /// storage that fails, never damage.
    pub fn verify(
        &self,
        depth: Depth,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<VerifyReport> {
        self.shared.verify(depth, progress)
    }
}

impl Shared {
    fn verify(&self, depth: Depth, tell: &mut dyn FnMut(u64, u64) -> bool) -> Result<VerifyReport> {
        let state = self.acknowledged();
        let storage = &*self.host.storage;
        let mut findings = Findings::default();
        check_head(storage, self.archive, &mut findings)?;
        let (manifest, accounts) = self.settle(&state, depth)?;
        for damage in manifest::check(storage, self.archive)? {
            findings.add(damage)?;
        }
        let mut verification = Verification {
            storage,
            archive: self.archive,
            depth,
            cache_bytes: self.options.cache_bytes,
            progress: Progress { tell, done: 0, total: rows(&manifest), stopped: false },
            manifest,
            findings,
            report: VerifyReport::default(),
            overtaken: false,
        };
        verification.run(accounts, &state)?;
        Ok(verification.into_report())
    }

    /// The newest manifest and the accounts that belong to it.
    fn settle(&self, state: &State, depth: Depth) -> Result<(Arc<Manifest>, Accounts)> {
        let storage = &*self.host.storage;
        let mut looks = 0;
        loop {
            let newest = manifest::numbers(storage)?.last().copied();
            let (manifest, damage) = match manifest::load(storage, self.archive) {
                Ok((manifest, _)) => (Arc::new(manifest), None),
                Err(error) => (Arc::clone(&state.manifest), Some(error)),
            };
            let mut accounts = Accounts::read(storage, &manifest, state.sequence, depth)?;
            if let Some(damage) = damage {
                accounts.findings.add(damage)?;
            }
            looks += 1;
            let overtaken = manifest::numbers(storage)?.last().copied() != newest;
            let sound = accounts.findings.damages.is_empty();
            if sound || !overtaken || looks == MAX_LOOKS {
                return Ok((manifest, accounts));
            }
        }
    }
}

/// Rows in segments.
fn rows(manifest: &Manifest) -> u64 {
    let segments = manifest.files.iter().filter(|file| file.kind == manifest::FileKind::Segment);
    segments.map(|file| file.rows).sum()
}

fn check_head(storage: &dyn Storage, archive: [u8; 16], findings: &mut Findings) -> Result<()> {
    match Head::load(storage) {
        Ok(head) if head.archive == archive => Ok(()),
        Ok(_) => {
            let message = "names another archive than the one that is open";
            findings.add(Error::corrupt(message).in_file(head::PATH))
        }
        Err(error) => findings.add(error.in_file(head::PATH)),
    }
}

/// How far it is, for whoever waits.
struct Progress<'t> {
    tell: &'t mut dyn FnMut(u64, u64) -> bool,
    done: u64,
    total: u64,
    stopped: bool,
}

impl Progress<'_> {
    /// So many rows more; false if it shall stop.
    fn add(&mut self, rows: u64) -> bool {
        self.done += rows;
        self.stopped = self.stopped || !(self.tell)(self.done, self.total);
        !self.stopped
    }
}

/// What is wrong.
#[derive(Debug, Default)]
struct Findings {
    damages: Vec<Damage>,
}

impl Findings {
    fn add(&mut self, error: Error) -> Result<()> {
        self.add_touching(error, Vec::new())
    }

    fn add_touching(&mut self, error: Error, conversations: Vec<String>) -> Result<()> {
        if is_storage_failure(&error) {
            return Err(error);
        }
        let file = error.file().unwrap_or_default().to_owned();
        let damage =
            Damage { file, offset: error.offset(), message: in_one_line(&error), conversations };
        // A manifest that cannot be loaded is damaged in the chain as well.
        if !self.damages.contains(&damage) {
            self.damages.push(damage);
        }
        Ok(())
    }
}

/// Did reading fail, here or at the bottom of it?
fn is_storage_failure(error: &Error) -> bool {
    causes(error).any(|cause| {
        cause.downcast_ref::<Error>().is_some_and(|error| error.kind().is_of_storage())
    })
}

fn in_one_line(error: &Error) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<String>>().join(": ")
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| error.source())
}

struct Verification<'a> {
    storage: &'a dyn Storage,
    archive: [u8; 16],
    depth: Depth,
    cache_bytes: usize,
    manifest: Arc<Manifest>,
    progress: Progress<'a>,
    findings: Findings,
    report: VerifyReport,
    /// A file was replaced and removed before it could be read.
    overtaken: bool,
}

impl Verification<'_> {
    fn run(&mut self, accounts: Accounts, state: &State) -> Result<()> {
        self.report.files = 1 + manifest::numbers(self.storage)?.len() as u64 + accounts.files;
        self.report.bytes = accounts.bytes;
        self.report.rows = accounts.journal_rows;
        self.report.counts = accounts.book.total();
        self.report.custodians = accounts.custodians();
        accounts.check(&self.manifest, &mut self.findings)?;
        let segments = self.check_files(&accounts, state)?;
        self.findings.damages.extend(accounts.findings.damages);
        if self.depth == Depth::Deep && !self.progress.stopped {
            self.read_segments(&segments)?;
        }
        self.report.strangers = self.strangers()?;
        Ok(())
    }

    fn into_report(mut self) -> VerifyReport {
        self.report.damages = self.findings.damages;
        self.report.finished = !self.progress.stopped && !self.overtaken;
        self.report
    }

    /// Files that are not the archive's, or that it does not need (any more or yet).
    fn strangers(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for folder in FOLDERS {
            let list = self.storage.list(folder);
            for file in list.map_err(|cause| Error::io("list", folder, cause))? {
                found.push(if folder.is_empty() {
                    file.name
                } else {
                    format!("{folder}/{}", file.name)
                });
            }
        }
        // The manifest after the files: what was named meanwhile is no stranger.
        let newest = manifest::load(self.storage, self.archive);
        let manifest =
            newest.map_or_else(|_| Arc::clone(&self.manifest), |(newest, _)| newest.into());
        found.retain(|path| is_stranger(path, &manifest) && self.storage.open(path).is_ok());
        Ok(found)
    }
}

fn is_stranger(path: &str, manifest: &Manifest) -> bool {
    match Name::parse(path) {
        Name::Format | Name::Lock | Name::Health | Name::Manifest(_) => false,
        Name::Journal(number) => number < manifest.journal_from,
        Name::File(kind, number) => manifest.file(number).is_none_or(|file| file.kind != kind),
        Name::Stranger => true,
    }
}
