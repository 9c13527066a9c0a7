//! Page files, JSON lines and standard input into an archive.
//!
//! [`import`] reads what the Graph service delivered (pages, arrays, single messages, JSON lines;
//! plain, gzip or zstd; told by content), splits it into documents without parsing them, and offers
//! each to the archive from several threads. Nothing is dropped in silence: a document that cannot
//! be kept as a row goes to quarantine with file and offset, and a file that did not come in whole
//! is named in the [`Summary`] with what to do.
//!
//! An import that was stopped is simply run again. No list of finished files is kept: every file is
//! read again and what is known already is told apart at several million copies a second, so a
//! changed file can never be skipped by mistake.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use chatvault_engine::{Archive, Host, Options};
//! use chatvault_ingest::{ImportOptions, Source, import};
//!
//! let archive = Archive::open(Host::disk("archive"), Options::default())?;
//! let sources = vec![Source::Folders("pages".into())];
//! let summary = import(&archive, sources, &ImportOptions::default(), &mut |progress| {
//!     eprintln!("{} copies", progress.copies);
//!     ControlFlow::Continue(())
//! })?;
//! for failure in &summary.failures {
//!     eprintln!("{}: {}", failure.file, failure.message);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod copies;
mod cut;
mod decode;
mod error;
pub mod graph;
mod import;
mod queue;
mod report;
mod scan;
mod shared;
mod sink;
mod source;
mod split;
mod strict;
pub mod sync;
mod window;
mod worker;

pub use error::Error;
pub use import::import;
pub use report::{ImportOptions, Notice, Progress, Summary};
pub use source::Source;
