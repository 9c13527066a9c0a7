//! Everything that a program may ask of an archive, asked of a forged one.
//!
//! What must hold: nothing panics; an error is damage, or a newer version's, and names a file; what is
//! addressed by its hash is what it is addressed by; an archive that verifies to the bottom as sound
//! has all its rows.

#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a broken promise has to stop the test or the fuzzer"
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use chatvault_engine::{
    Archive, ContentAddress, Custodian, Depth, Error, ErrorKind, Memory, Options, Origin,
    RecordKind, Result, Snapshot, VerifyReport, Wanted, go_on, verify,
};

use super::FileKind;
use super::specimen::{Specimen, TALK, everything, host, options};
use crate::Draft;

/// What an error about wrong bytes is.
const KINDS: [ErrorKind; 2] = [ErrorKind::Corrupt, ErrorKind::Unsupported];

/// What a forged archive answered.
#[derive(Debug, Default)]
pub struct Trial {
    /// What was refused, and why.
    pub errors: Vec<(&'static str, Error)>,
    /// What verification to the bottom found.
    pub report: VerifyReport,
    /// How many rows there are of each content, if all were read.
    pub rows: Option<BTreeMap<ContentAddress, u64>>,
}

/// A part of a trial.
pub type Step = fn(&mut Trial, &Specimen, &Memory);

impl Trial {
    /// What is asked, one after the other.
    pub const STEPS: [(&str, Step); 4] = [
        ("verification", Self::verify),
        ("reading", Self::read),
        ("salvage", Self::salvage),
        ("writing", Self::write),
    ];

    /// Asks everything.
    pub fn of(specimen: &Specimen, storage: &Memory) -> Self {
        let mut trial = Self::default();
        for (_, ask) in Self::STEPS {
            ask(&mut trial, specimen, storage);
        }
        trial
    }

    /// Does everything that was asked say damage, or is all as it was?
    pub fn is_told(&self) -> bool {
        !self.errors.is_empty() || !self.report.damages.is_empty()
    }

    /// What verifies as sound has all its rows. A journal that another one wrote is another history,
    /// and as true as the first.
    pub fn check_sound(&self, specimen: &Specimen, forged: FileKind) {
        let is_sound = self.report.damages.is_empty() && self.report.finished;
        if is_sound && forged != FileKind::Journal {
            assert_eq!(self.rows.as_ref(), Some(&specimen.rows), "a sound archive of other rows");
        }
    }

    fn take<T>(&mut self, what: &'static str, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                // Damage that a merge finds when it publishes stops the writer.
                let stopped = error.kind() == ErrorKind::Stopped && !self.errors.is_empty();
                assert!(stopped || KINDS.contains(&error.kind()), "{what}: {error:?}");
                assert!(stopped || error.file().is_some(), "{what} names no file: {error:?}");
                self.errors.push((what, error));
                None
            }
        }
    }

    fn ask<T>(&mut self, what: &'static str, result: Result<T>) {
        let _done: Option<()> = self.take(what, result.map(|_| ()));
    }

    fn verify(&mut self, _: &Specimen, storage: &Memory) {
        let host = host(Arc::new(storage.clone()));
        let report = verify(&host, &options(), Depth::Deep, &mut go_on);
        if let Some(report) = self.take("verify", report) {
            for damage in &report.damages {
                assert!(KINDS.contains(&damage.kind) && !damage.file.is_empty(), "{damage:?}");
            }
            self.report = report;
        }
    }

    fn read(&mut self, specimen: &Specimen, storage: &Memory) {
        let opened = open_read_only(storage, options());
        let Some(archive) = self.take("open to read", opened) else { return };
        let Some(snapshot) = self.take("snapshot", archive.snapshot()) else { return };
        let rows = rows(&snapshot);
        self.rows = self.take("scan", rows);
        self.ask("count", snapshot.count(&everything()));
        let quarantine = snapshot.quarantine().and_then(|mut all| all.try_for_each(check_refused));
        self.ask("quarantine", quarantine);
        self.ask("custodians", snapshot.custodians());
        self.ask("runs", archive.runs());
        self.ask("checkpoints", archive.checkpoints(""));
        self.ask("stat", archive.stat());
        self.ask("facts", snapshot.facts(&[TALK.to_owned()], Wanted::Everything));
        for key in specimen.keys.iter().step_by(specimen.keys.len() / 3) {
            self.ask("history", snapshot.history(key));
            self.ask("links", snapshot.links(key));
        }
        for object in &specimen.objects {
            let read = read_object(&snapshot, object);
            self.ask("object", read);
        }
        for address in specimen.rows.keys().step_by(specimen.rows.len() / 3) {
            self.ask("get", snapshot.get(address));
        }
    }

    fn salvage(&mut self, _: &Specimen, storage: &Memory) {
        let mut salvaging = options();
        salvaging.salvage = true;
        let opened = open_read_only(storage, salvaging);
        let Some(archive) = self.take("open to salvage", opened) else { return };
        if let Some(snapshot) = self.take("snapshot to salvage", archive.snapshot()) {
            let whole = rows(&snapshot);
            self.ask("scan to salvage", whole);
        }
    }

    /// A writer takes copies, known ones among them, and merges what there is.
    fn write(&mut self, _: &Specimen, storage: &Memory) {
        let opened = Archive::open(host(Arc::new(storage.fork())), options());
        let Some(archive) = self.take("open to write", opened) else { return };
        let committed = archive.begin_run("behind").and_then(|run| {
            let mut batch = archive.batch(run);
            let origin = Origin { source: "behind.json", offset: 0 };
            for at in [1_700_000_000_000, 1_700_000_001_000, 1_800_000_000_000] {
                let copy = Draft::chat("19:one", at).json();
                let custodian = Custodian::user("gus");
                batch.offer(&custodian, RecordKind::Message, copy.as_bytes(), origin);
            }
            batch.commit()
        });
        self.ask("commit", committed);
        self.ask("seal", archive.seal());
        self.ask("compact", archive.compact(&mut go_on));
        self.ask("close", archive.close());
    }
}

fn open_read_only(storage: &Memory, options: Options) -> Result<Archive> {
    Archive::open_read_only(host(Arc::new(storage.fork())), options)
}

/// Every row, each with the address of its bytes.
fn rows(snapshot: &Snapshot) -> Result<BTreeMap<ContentAddress, u64>> {
    let mut found = BTreeMap::new();
    let mut rows = snapshot.scan(&everything())?;
    while let Some(row) = rows.next()? {
        let stored = row.to_stored()?;
        *found.entry(stored.address).or_default() += 1;
    }
    Ok(found)
}

fn check_refused(refused: Result<chatvault_engine::Quarantined>) -> Result<()> {
    let refused = refused?;
    assert_eq!(*blake3::hash(&refused.bytes).as_bytes(), refused.address.0, "{refused:?}");
    Ok(())
}

/// An object's bytes are what it is addressed by, or its reader says what is wrong.
fn read_object(snapshot: &Snapshot, address: &ContentAddress) -> Result<()> {
    let Some(mut object) = snapshot.object(address)? else { return Ok(()) };
    let mut bytes = Vec::new();
    match object.read_to_end(&mut bytes) {
        Ok(_) => assert_eq!(*blake3::hash(&bytes).as_bytes(), address.0, "an object is another"),
        Err(cause) => {
            let error = cause.downcast::<Error>();
            return Err(error.unwrap_or_else(|cause| panic!("{cause}")));
        }
    }
    Ok(())
}
