//! Questions to an archive as plain data: what people and scripts write, checked and run.
//!
//! A [`Query`] has only names, texts and numbers, so it can come from a command line, a JSON file
//! or a request. It is checked once and becomes an [`engine scan`](chatvault_engine::Scan); what is
//! wrong is an [`Error`] that names the field and says what is accepted.
//!
//! ```
//! use std::sync::Arc;
//!
//! use chatvault_engine::{Archive, Custodian, Host, Memory, Options, Origin, RecordKind};
//! use chatvault_query::Query;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let archive = Archive::create(Host::new(Arc::new(Memory::default())), Options::default())?;
//! let mut batch = archive.batch(archive.begin_run("example")?);
//! let message = br#"{"id":"1462096800000","chatId":"19:ann_bob","etag":"1462096800000",
//!     "messageType":"message","createdDateTime":"2016-05-01T10:00:00Z",
//!     "lastModifiedDateTime":"2016-05-01T10:00:00Z","body":{"content":"hello"}}"#;
//! let origin = Origin { source: "example", offset: 0 };
//! batch.offer(&Custodian::user("ann"), RecordKind::Message, message, origin);
//! batch.commit()?;
//!
//! let may = Query {
//!     chats: vec!["19:ann_bob".to_owned()],
//!     created_from: Some("2016-05".to_owned()),
//!     created_to: Some("2016-06".to_owned()),
//!     ..Query::default()
//! };
//! let snapshot = archive.snapshot()?;
//! let mut rows = may.run(&snapshot)?;
//! while let Some(row) = rows.next()? {
//!     assert_eq!(row.json(), message);
//! }
//! assert_eq!(may.count(&snapshot)?, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Types
//!
//! | to | |
//! |---|---|
//! | ask | [`Query`]; its [`Plan`] is an engine scan and what is left for each row, its [`Answer`] the rows |
//! | find | [`Filter`], the service's `$filter`; [`search`], words by an index beside the archive, with hits |
//! | count | [`statistics`] by conversation, sender, day and more |
//! | name | [`people`]: persons and conversations over time; [`resolve`]: what somebody typed |
//! | read | [`message`], [`event`], [`record`] and [`body`]: a row's document as values; [`change`]: what an edit changed |
//! | tell what went wrong | [`Error`], whose `kind` is an engine's [`ErrorKind`] |
//!
//! # What it costs
//!
//! Every call works on the calling thread and may wait for the disk; nothing is async. A query of
//! everything reads on all cores, building an index takes as many threads. An answer holds what its scan
//! holds: blocks of the engine's cache and rows rendered ahead, not the rows behind or before.
//! [`people`] hold every person and name. An index is files of tantivy beside the archive, derived and
//! bound to the contents that it was built of.

mod answer;
pub mod body;
pub mod change;
mod commit;
mod empty;
mod error;
pub mod event;
mod filter;
pub mod message;
mod names;
pub mod people;
mod plan;
mod query;
pub mod record;
pub mod resolve;
mod rest;
pub mod search;
pub mod statistics;
mod time;

pub use answer::{Answer, Unread};
pub use chatvault_base::time::format_time;
pub use chatvault_engine::ErrorKind;
pub use commit::Commit;
pub use empty::Without;
pub use error::{Error, Result};
pub use filter::{Facts, Filter};
pub use names::{Kind, Order, Record, Versions};
pub use plan::Plan;
pub use query::Query;
pub use rest::Rest;
pub use time::parse_time;

/// What other threads may have.
const _: fn() = || {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    shared::<(Query, Filter, Plan, people::People, people::Conversations, Error)>();
    shared::<search::Index>();
    sent::<Answer>();
};
