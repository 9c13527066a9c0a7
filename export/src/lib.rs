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
//! - [`job`] reads messages, has them rendered and placed: an [`Export`] plans, runs and resumes.
//! - [`part`] writes parts: it is given files and records in export order and decides where one
//!   part ends and the next begins.
//! - [`check`] reads them back and says what is wrong, if anything is; with the archive it makes them
//!   again and compares every byte.
//! - [`digest`] is the fingerprint of *which* messages are there, to hold against an archive.
//! - [`entry`] is what renderers are given and [`format`](mod@format) has them: pure functions of messages.
//! - [`manifest`] is the text about it all, [`name`] makes names that every system can store, and
//!   [`zip`] knows the container's bytes.

mod answer;
pub mod check;
pub mod content;
pub mod digest;
pub mod entry;
mod error;
pub mod format;
pub mod job;
pub mod manifest;
pub mod name;
pub mod part;
mod pool;
mod request;
mod sign;
mod told;
pub mod zip;
pub mod zone;

pub use answer::answered;
pub use error::{Error, Result};
pub use job::{Export, OnProgress, OpenPart, Phase, Plan, Progress, Run};
pub use request::{Format, Request, TimeField};
pub use sign::{PublicKey, SigningKey, is_signed};
pub use told::Collected;
