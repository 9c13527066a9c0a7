//! Verifying: is what the archive says about itself true, down to the last byte?
//!
//! Everything is read from the storage, nothing from what a process has in memory, so an archive that
//! cannot be opened any more is verified like any other, and a writer and a reader see the same.
//! Damage and failing reads are listed and never end the verification. A writer may go on meanwhile:
//! what is verified is the newest manifest and the journal behind it, and a file that a merge replaces
//! in the middle is read in the trash.
//!
//! - [`accounts`]: ledgers, quarantine and journal, and the conservation law between them and the
//!   rows; [`ledgers`] is what is asked of a ledger.
//! - [`arrivals`]: who delivered rows, and in which commits.
//! - [`files`]: length and hash of every file; what segments and packs say about themselves; links.
//! - [`deep`]: every row of every segment, on all cores; [`rows`] is what is asked of a row.

mod accounts;
mod arrivals;
mod deep;
mod files;
mod ledgers;
mod rows;
#[cfg(test)]
mod tests;
mod told;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use foldhash::fast::RandomState;

use chatvault_base::{OnProgress, Progress, Unit, continue_if};
use tracing::debug_span;

use super::report::{Damage, Depth, VerifyReport};
use super::state::State;
use super::{Archive, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::format::head::{self, Head};
use crate::format::names::{self, JOURNAL, LOCK, MANIFEST, Name};
use crate::journal::DroppedTail;
use crate::manifest::{self, Manifest};
use crate::options::{Host, Options};
use crate::storage::Storage;
use crate::types::{ContentAddress, Sequence};
use accounts::Accounts;

/// A busy writer that overtakes the verification is followed at most so often.
const MAX_LOOKS: usize = 20;
/// Where the archive's own files are.
const FOLDERS: [&str; 5] = ["", MANIFEST, JOURNAL, "segments", "objects"];

/// Checks an archive from its files alone, whether it can be opened or not; a writer may be at work
/// beside it. The report has everything that is damaged, missing, or cannot be read.
///
/// `progress` is told of rows, and a `Break` stops it. `NotFound` if there is no
/// archive, `Unsupported` if a newer version wrote it; damage is never an error.
pub fn verify(
    host: &Host,
    options: &Options,
    depth: Depth,
    progress: OnProgress<'_>,
) -> Result<VerifyReport> {
    let environment = options.environment.clone().unwrap_or_default();
    let (storage, cache_bytes) = (&*host.storage, environment.options().cache_bytes);
    Check { storage, cache_bytes, depth, open: None, writing: None }.run(progress)
}

impl Archive {
    /// Checks the archive against itself, as [`verify`] does, and also that nothing is gone which this
    /// process knows to be acknowledged.
    ///
    /// What is wrong is in the report; an error is what keeps it from looking at all.
    pub fn verify(&self, depth: Depth, progress: OnProgress<'_>) -> Result<VerifyReport> {
        let (shared, state) = (&*self.shared, self.shared.acknowledged());
        let cache_bytes = shared.environment.options().cache_bytes;
        let storage = &*shared.host.storage;
        let open = Some((shared.archive, &*state));
        Check { storage, cache_bytes, depth, open, writing: shared.writing() }.run(progress)
    }
}

impl Shared {
    fn writing(&self) -> Option<Writing> {
        let writer = self.writer.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let end = (names::journal(writer.journal.number()), writer.journal.bytes());
        Some(Writing { end, dropped_tail: self.dropped_tail() })
    }
}

/// What is to be checked.
struct Check<'a> {
    storage: &'a dyn Storage,
    cache_bytes: usize,
    depth: Depth,
    /// Id and state, if the archive is open.
    open: Option<([u8; 16], &'a State)>,
    /// If it is this process that writes.
    writing: Option<Writing>,
}

/// What a writer knows of its journal.
struct Writing {
    /// The file, and how far it is written.
    end: (String, u64),
    dropped_tail: Option<DroppedTail>,
}

/// The newest manifest that can be read, and the accounts that belong to it.
struct Settled {
    manifest: Arc<Manifest>,
    accounts: Accounts,
}

impl Check<'_> {
    fn run(&self, tell: OnProgress<'_>) -> Result<VerifyReport> {
        let _span = debug_span!("verify", depth = ?self.depth).entered();
        let storage = self.storage;
        let mut findings = Findings::default();
        let archive = self.check_head(&mut findings)?;
        let settled = archive.and_then(|archive| self.settle(archive));
        if let Some(archive) = archive {
            for error in manifest::check(storage, archive) {
                findings.add(&error);
            }
        }
        let (Some(archive), Some(Settled { manifest, accounts })) = (archive, settled) else {
            let nothing = Error::corrupt("no manifest can be read").in_file(MANIFEST);
            findings.add(&nothing);
            let damages = findings.damages;
            return Ok(VerifyReport { damages, finished: true, ..VerifyReport::default() });
        };
        let mut verification = Verification {
            storage,
            archive,
            depth: self.depth,
            cache_bytes: self.cache_bytes,
            progress: Told { tell, done: 0, total: rows(&manifest), stopped: false },
            manifest,
            findings,
            report: VerifyReport::default(),
            overtaken: false,
            objects: HashSet::default(),
            lost_packs: false,
        };
        verification.take_tail(self.writing.as_ref(), &accounts);
        verification.run(&accounts, self.open.map(|(_, state)| state));
        Ok(verification.into_report())
    }

    /// The archive's id: what `FORMAT` says, else what the newest readable manifest says.
    fn check_head(&self, findings: &mut Findings) -> Result<Option<[u8; 16]>> {
        let error = match (Head::load(self.storage), self.open) {
            (Ok(head), None) => return Ok(Some(head.archive)),
            (Ok(head), Some((archive, _))) if head.archive == archive => return Ok(Some(archive)),
            (Ok(_), Some(_)) => Error::corrupt("names another archive than the one that is open"),
            (Err(error), None) if error.kind() == ErrorKind::NotFound => {
                if manifest::numbers(self.storage).is_ok_and(|numbers| numbers.is_empty()) {
                    return Err(error);
                }
                Error::corrupt("file is missing")
            }
            (Err(error), None) if error.kind() == ErrorKind::Unsupported => return Err(error),
            (Err(error), _) => error,
        };
        findings.add(&error.in_file(head::PATH));
        let by_manifest = || manifest::newest_readable(self.storage, None);
        let open = self.open.map(|(archive, _)| archive);
        Ok(open.or_else(|| by_manifest().map(|(manifest, _)| manifest.archive)))
    }

    fn settle(&self, archive: [u8; 16]) -> Option<Settled> {
        let storage = self.storage;
        let acknowledged = self.open.map_or(Sequence(0), |(_, state)| state.sequence);
        let mut looks = 0;
        loop {
            let newest = newest(storage);
            let (named, damage) = match manifest::load(storage, archive) {
                Ok((manifest, hash)) => (Some((Arc::new(manifest), hash)), None),
                Err(error) => (self.older(archive), Some(error)),
            };
            let (manifest, hash) = named?;
            let named = (&*manifest, hash);
            let mut accounts = Accounts::read(storage, named, acknowledged, self.depth);
            if let Some(damage) = damage {
                accounts.findings.add(&damage);
            }
            looks += 1;
            let sound = accounts.findings.damages.is_empty();
            if sound || newest == self::newest(storage) || looks == MAX_LOOKS {
                return Some(Settled { manifest, accounts });
            }
        }
    }

    /// What stands in for a newest manifest that cannot be read.
    fn older(&self, archive: [u8; 16]) -> Option<(Arc<Manifest>, [u8; 32])> {
        let open = |(_, state): (_, &State)| (Arc::clone(&state.manifest), state.manifest_hash);
        let readable = || manifest::newest_readable(self.storage, Some(archive));
        self.open.map(open).or_else(|| readable().map(|(found, hash)| (Arc::new(found), hash)))
    }
}

fn newest(storage: &dyn Storage) -> Option<u64> {
    manifest::numbers(storage).ok()?.last().copied()
}

/// Rows in segments.
fn rows(manifest: &Manifest) -> u64 {
    let segments = manifest.files.iter().filter(|file| file.kind == manifest::FileKind::Segment);
    segments.map(|file| file.rows).sum()
}

/// How far it is, for whoever waits.
struct Told<'t> {
    tell: OnProgress<'t>,
    done: u64,
    total: u64,
    stopped: bool,
}

impl Told<'_> {
    /// So many rows more; `Break` if it shall stop.
    fn add(&mut self, rows: u64) -> ControlFlow<()> {
        self.done += rows;
        let progress = Progress::new(self.done, self.total, Unit::Rows);
        self.stopped = self.stopped || (self.tell)(&progress).is_break();
        continue_if(!self.stopped)
    }
}

/// What is wrong.
#[derive(Debug, Default)]
struct Findings {
    damages: Vec<Damage>,
    /// Their files, offsets and messages.
    told: HashSet<(String, Option<u64>, String), RandomState>,
}

impl Findings {
    /// Takes down what is wrong, once.
    fn add(&mut self, error: &Error) {
        self.take(Damage::of(error));
    }

    fn take(&mut self, damage: Damage) {
        // A manifest that cannot be loaded is damaged in the chain as well.
        if self.told.insert((damage.file.clone(), damage.offset, damage.message.clone())) {
            self.damages.push(damage);
        }
    }
}

struct Verification<'a> {
    storage: &'a dyn Storage,
    archive: [u8; 16],
    depth: Depth,
    cache_bytes: usize,
    manifest: Arc<Manifest>,
    progress: Told<'a>,
    findings: Findings,
    report: VerifyReport,
    /// A file was replaced and removed before it could be read.
    overtaken: bool,
    /// Those that some pack has.
    objects: HashSet<ContentAddress, RandomState>,
    /// A pack's directory could not be read.
    lost_packs: bool,
}

impl Verification<'_> {
    fn run(&mut self, accounts: &Accounts, state: Option<&State>) {
        let manifests = manifest::numbers(self.storage).map_or(0, |numbers| numbers.len() as u64);
        self.report.files = 1 + manifests + accounts.files;
        self.report.bytes = accounts.bytes;
        self.report.rows = accounts.journal_rows;
        self.report.stored_beside = accounts.stored_beside;
        self.report.folded = accounts.folded;
        self.report.counts = accounts.total;
        self.report.custodians = accounts.custodians.len() as u64;
        accounts.check(&self.manifest, &mut self.findings);
        accounts.findings.damages.iter().for_each(|damage| self.findings.take(damage.clone()));
        let segments = self.check_files(accounts, state);
        if !self.progress.stopped {
            self.check_links(accounts);
        }
        if self.depth == Depth::Deep && !self.progress.stopped {
            self.read_segments(&segments);
        }
        self.report.strangers = self.strangers();
    }

    /// Is what is torn at the end of the journal damage, dropped, or on its way?
    fn take_tail(&mut self, writing: Option<&Writing>, accounts: &Accounts) {
        let torn = accounts.dropped_tail.as_ref();
        if let (Some(Writing { end: (file, end), .. }), Some(torn)) = (writing, torn)
            && torn.file == *file
            && torn.offset < *end
        {
            let message = format!("damaged, whole frames were written up to {end}");
            self.findings.add(&Error::corrupt(message).in_file(file.clone()).at(torn.offset));
        }
        // Beside a writer, what looks torn may be a commit on its way.
        self.report.dropped_tail = match writing {
            Some(writing) => writing.dropped_tail.clone(),
            None if self.storage.is_locked(LOCK).unwrap_or(true) => None,
            None => torn.cloned(),
        };
    }

    fn into_report(mut self) -> VerifyReport {
        self.report.damages = self.findings.damages;
        self.report.finished = !self.progress.stopped && !self.overtaken;
        self.report
    }

    /// Files that are not the archive's, or that it does not need (any more or yet).
    fn strangers(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in FOLDERS {
            let list = self.storage.list(folder).unwrap_or_else(|cause| {
                self.findings.add(&Error::io("list", folder, cause));
                Vec::new()
            });
            for file in list {
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
        found
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
