//! The archive itself: rows in, rows out, durable and ordered.
//!
//! A row is one state of a message of Microsoft Teams, kept byte for byte as it came, with who
//! received it. Rows are never changed.
//!
//! # Types
//!
//! | to | |
//! |---|---|
//! | open | [`Archive`], with [`Options`], on a [`Host`]: a [`Disk`], [`Memory`] or a [`Storage`] of yours; many archives share an [`Environment`] |
//! | write | [`Batch`]: documents are offered to it with their [`Custodian`] and [`Origin`], its commit gives a [`CommitReport`] |
//! | read | [`Snapshot`]: one commit, for good; a [`Scan`] of it gives [`Rows`], a [`Row`] its bytes or a [`Document`], a [`Cursor`] the place to go on |
//! | know who is who | [`Snapshot::facts`]: what messages of a conversation say of people and of it, as [`Fact`]s |
//! | look after | [`verify`], [`repair`], [`Archive::compact`], [`Archive::copy_to`], [`Archive::health`], [`Archive::stat`] |
//! | tell what went wrong | [`Error`], whose [`ErrorKind`] says what to do and whether a retry can help |
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use chatvault_engine::{
//!     Archive, Custodian, Host, Memory, Options, Origin, RecordKind, Scan, Versions,
//! };
//!
//! let mut options = Options::default();
//! options.memtable_bytes = 8 << 20;
//! // `Host::disk("team.cvault")` keeps it on disk.
//! let archive = Archive::create(Host::new(Arc::new(Memory::default())), options)?;
//! let state = |etag: u64| {
//!     format!(
//!         r#"{{"id":"1772438400000","etag":"{etag}","chatId":"19:a@thread.v2",
//!         "createdDateTime":"2026-03-02T08:00:00Z","lastModifiedDateTime":"2026-03-02T08:00:00Z"}}"#
//!     )
//! };
//! let mut batch = archive.batch(archive.begin_run("first export")?);
//! for (person, etag) in [("ada", 1), ("yuki", 1), ("yuki", 2)] {
//!     let origin = Origin { source: "page-00001.json", offset: 0 };
//!     let json = state(etag);
//!     batch.offer(&Custodian::user(person), RecordKind::Message, json.as_bytes(), origin);
//! }
//! let counts = batch.commit()?.counts; // survives a power cut from here on
//! assert_eq!((counts.stored, counts.duplicates), (2, 1));
//!
//! let snapshot = archive.snapshot()?;
//! let all = Scan { versions: Versions::All, ..Scan::default() };
//! let (mut latest, mut all) = (snapshot.scan(&Scan::default())?, snapshot.scan(&all)?);
//! assert_eq!(latest.next()?.map(|row| row.json().to_vec()), Some(state(2).into_bytes()));
//! assert_eq!(all.next()?.map(|row| row.sightings().map(|who| who.len())).transpose()?, Some(2));
//! # Ok::<(), chatvault_engine::Error>(())
//! ```
//!
//! # What it costs
//!
//! - **Blocking.** Every call works on the calling thread and may wait for the disk; there is no async
//!   runtime. From async code call it on a blocking thread.
//! - **Threads.** Archives, snapshots and scans can be sent and shared between threads; a batch belongs
//!   to one thread at a time, and several batches fill at once. Sealing and merging go on threads of the
//!   [`Environment`], which end when there is nothing to do: an idle archive has none.
//! - **Files.** A writer holds `LOCK`; what else stays open is bounded by
//!   [`EnvironmentOptions::open_files`]. One process writes, any number reads.
//! - **Memory.** Bounded by [`Options`] and [`EnvironmentOptions`], not by the archive: what was not
//!   sealed yet, the cache, fingerprints; a batch holds what is new in it until it is committed.
//! - **Damage.** Bytes from disk or caller never panic. What is damaged is an error that names file and
//!   offset, never a shorter answer; with [`Options::salvage`] it is left out and named.
//!
//! - **Traces.** Opening, committing, sealing, merging, compacting, copying, verifying and repairing are
//!   `tracing` spans of level `debug`, of targets that begin with `chatvault`, as are the other crates';
//!   background work that fails is a `warn`. None has the text of a message. Without a subscriber they
//!   cost a look at a number.
//!
//! The bytes on disk are described in `FORMAT.md`.

/// Is a fault planted here? Only in a build whose tests must find it: see `planted.rs`.
macro_rules! planted {
    ($fault:literal) => {{
        #[cfg(chatvault_planted)]
        let chosen = crate::planted::is_chosen($fault);
        #[cfg(not(chatvault_planted))]
        let chosen = false;
        chosen
    }};
}

mod archive;
mod cache;
mod catalog;
mod count;
mod document;
mod environment;
mod error;
mod facts;
mod format;
mod journal;
mod manifest;
mod objects;
mod options;
#[cfg(chatvault_planted)]
mod planted;
mod row;
mod scan;
mod segment;
mod snapshot;
mod storage;
mod table;
mod types;

/// The examples of FORMAT.md, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../FORMAT.md")]
mod format_document {}

/// The examples of README.md, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

pub use archive::{
    Archive, Batch, CommitReport, CompactReport, CopyOptions, CopyReport, Counts, Damage, Depth,
    Folded, Health, Origin, Quarantine, Quarantined, RepairReport, Repaired, RunSummary, Spare,
    Stat, Trouble, VerifyReport, Work, repair, verify,
};
pub use cache::CacheUse;
pub use chatvault_base::{Cancel, OnProgress, Progress, Unit, continue_if, go_on};
pub use document::{Document, Elements, Members, Path, Value};
pub use environment::{Environment, EnvironmentOptions};
pub use error::{Error, ErrorKind, Result};
pub use facts::{Fact, Facts, Said, Wanted};
pub use journal::{DroppedTail, Unproven};
pub use options::{Clock, Host, Options, SystemClock};
pub use scan::{Cursor, Explain, Order, Row, RowKeys, Rows, Scan, Stretch, TimeRange, Versions};
pub use snapshot::{Snapshot, Stored};
pub use storage::{Disk, FileName, LockGuard, Memory, ReadFile, Storage, WriteFile};
pub use types::{
    CommitId, ContentAddress, Custodian, MessageKey, MessageKind, RecordKind, RunId, Sequence,
    Sighting, Timestamp,
};

/// What other threads may have.
const _: fn() = || {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    shared::<(Archive, Environment, Snapshot, Host, Options)>();
    shared::<(Scan, Cursor, Document<'static>, Facts, Error)>();
    sent::<(Batch, Rows, Quarantine)>();
};
