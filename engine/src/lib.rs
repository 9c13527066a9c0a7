//! The archive itself: rows in, rows out, durable and ordered.

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
mod document;
mod environment;
mod error;
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

pub use archive::*;
pub use cache::CacheUse;
pub use document::{Document, Elements, Members, Path, Value};
pub use environment::{Environment, EnvironmentOptions};
pub use error::{Error, ErrorKind, Result};
pub use journal::{DroppedTail, Unproven};
pub use options::{Clock, Host, Options, SystemClock};
pub use scan::{Cursor, Explain, Order, Row, RowKeys, Rows, Scan, Stretch, TimeRange, Versions};
pub use snapshot::{Snapshot, Stored};
pub use storage::{Disk, FileName, LockGuard, Memory, ReadFile, Storage, WriteFile};
pub use types::*;
