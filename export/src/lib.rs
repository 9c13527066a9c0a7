//! What people download: chats in the formats they use, in zip parts with proof.
//!
//! An export is a row of zip files, none larger than a hard cap, each whole in itself: the files of
//! a format, a `manifest.json` that says what they are and where they came from, and `SHA256SUMS`
//! for stock tools. Beside them an index names every finished part and where the work goes on, so
//! an interrupted export continues with the part it had not finished and comes to the same bytes.
//!
//! ```
//! use std::ops::ControlFlow;
//! use std::sync::Arc;
//!
//! use chatvault_engine::{
//!     Archive, Custodian, Host, Memory, Options, Origin, RecordKind, Storage, Timestamp,
//! };
//! use chatvault_export::check::{Proof, Step};
//! use chatvault_export::{Export, Format, Request, Run};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let archive = Archive::create(Host::new(Arc::new(Memory::default())), Options::default())?;
//! let mut batch = archive.batch(archive.begin_run("example")?);
//! let message = br#"{"id":"1462096800000","etag":"1462096800000","chatId":"19:ann_bob",
//!     "createdDateTime":"2016-05-01T10:00:00Z","lastModifiedDateTime":"2016-05-01T10:00:00Z",
//!     "messageType":"message","body":{"contentType":"text","content":"hello"}}"#;
//! let origin = Origin { source: "example", offset: 0 };
//! batch.offer(&Custodian::user("ann"), RecordKind::Message, message, origin);
//! batch.commit()?;
//!
//! let request = Request { format: Format::Csv, all_time: true, ..Request::default() };
//! let now = Timestamp::from_ms(1_463_000_000_000);
//! let export = Export::new(&archive.snapshot()?, request, now)?;
//! assert_eq!(export.plan()?.messages, 1);
//!
//! let folder = Arc::new(Memory::default()); // `Disk::new("ann")` is a folder
//! let index = export.run(folder.clone(), Run::default(), &mut |_| ControlFlow::Continue(()))?;
//! assert!(index.finished && index.parts.len() == 1);
//! let (folder, scratch): (Arc<dyn Storage>, Arc<dyn Storage>) = (folder, Arc::<Memory>::default());
//! let on_step = &mut |_: Step<'_>| ControlFlow::Continue(());
//! let report = export.check((&folder, &scratch), Run::default(), on_step)?;
//! assert!(report.is_good() && report.proof == Proof::Bytes);
//! # Ok(())
//! # }
//! ```
//!
//! # Types
//!
//! | to | |
//! |---|---|
//! | say what | [`Request`] with its [`Format`]; what it can choose is in [`request`] |
//! | make it | [`Export`] plans ([`Plan`]), runs and resumes ([`Run`]), to a folder or to any writer, and tells [`Progress`] |
//! | look after it | [`folder`] lists what lies there; [`check`](mod@check) reads it back, with the archive byte for byte; [`sign`] signs an index |
//! | understand it | [`manifest`]: what an index and the manifest of a part say |
//! | show a message | [`entry`] is what renderers get; [`format::html`] is one for pages |
//! | tell what went wrong | [`Error`], whose `kind` is an engine's [`ErrorKind`] |
//!
//! # What it costs
//!
//! An export blocks the calling thread, which reads and places, and renders on [`Run::threads`] others;
//! nothing is async. Memory is bounded by so many slices of a thousand messages, whatever the export's
//! size. One part is written at a time, aside, and named when it is synced: an export that was stopped
//! or killed resumes with the same bytes. The bytes are a function of the archive as of one commit and of
//! the request: not of threads, machine or time.

mod answer;
pub mod check;
mod content;
mod digest;
pub mod entry;
mod error;
pub mod format;
mod job;
pub mod manifest;
mod name;
mod part;
pub mod request;
pub mod sign;
mod told;
mod zip;
mod zone;

/// Which exports lie in a folder, and how far they are.
pub mod folder {
    pub use crate::job::{Listed, foreign, list};
}

pub use chatvault_engine::ErrorKind;
pub use error::{Error, Result};
pub use job::{Export, OnProgress, OpenPart, Phase, Plan, PlannedWindow, Progress, Run};
pub use request::{Format, Request};

/// What other threads may have.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<(Export, Request, Plan, Progress, manifest::Index, check::CheckReport, Error)>();
};
