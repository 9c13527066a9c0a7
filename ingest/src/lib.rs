//! What comes into an archive: page files and JSON lines, pages in memory, a tenant over Graph.
//!
//! | from | |
//! |---|---|
//! | files, folders, standard input | [`import`] of [`Source`]s gives a [`Summary`] |
//! | a page that your own client fetched | [`offer_page`] into a batch gives [`Remarks`] |
//! | the service | [`sync`](mod@sync), by way of [`graph`], the service as a client sees it |
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
//!
//! # What it costs
//!
//! [`import`] blocks; it works on [`ImportOptions::threads`] threads, each of which holds a batch, a
//! megabyte of its file, and a document of up to 32 MiB if there is one. One file a thread is open.
//! [`offer_page`] works on the calling thread. [`sync::sync`] blocks and owns a tokio runtime;
//! [`sync::sync_async`] runs inside of yours. Whatever ends a run, what was committed is durable and
//! the next run goes on. [`Error::kind`] and [`sync::SyncError::kind`] say what to do, in an engine's
//! [`ErrorKind`], and whether a retry can help.

mod copies;
mod cut;
mod decode;
mod error;
mod import;
mod page;
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

pub use chatvault_engine::ErrorKind;
pub use chatvault_graph as graph;
pub use error::Error;
pub use import::import;
pub use page::offer_page;
pub use report::{ImportOptions, Notice, Progress, Summary};
pub use source::Source;
pub use split::Remarks;

/// What other threads may have.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<(Source, ImportOptions, Summary, Remarks, Error)>();
    shared::<(sync::Service, sync::SyncOptions, sync::SyncReport, sync::SyncError)>();
};
