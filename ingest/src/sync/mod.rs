//! Keeps an archive up to date with a Microsoft 365 tenant: completely, politely, resumably.
//!
//! [`sync`] signs in, asks the directory who is there, and reads for every active [`Account`] what
//! its feeds show, window of time by window of time ([`plan`](self)). A page's rows and the place
//! behind it are one commit, so a run can be killed at any moment and the next one goes on there.
//! Binary content is fetched beside it. The [`SyncReport`] says what came in and what did not.
//!
//! [`sync`], [`check`] and [`estimate`] block, and each owns a tokio runtime while it does; inside of
//! a runtime use [`sync_async`], [`check_async`] and [`estimate_async`]. Everything else here reads or
//! writes the archive on the calling thread.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use std::sync::Arc;
//! use chatvault_engine::{Archive, Custodian, Host, Options};
//! use chatvault_ingest::graph::{App, Cloud, Credential};
//! use chatvault_ingest::sync::{Service, SyncOptions, Which, activate, sync};
//!
//! let archive = Archive::open(Host::disk("team.cvault"), Options::default())?;
//! let credential = Arc::new(Credential::secret_file("secret.txt".as_ref())?);
//! let app = App {
//!     tenant: "contoso.onmicrosoft.com".to_owned(),
//!     client_id: "0d9b4e4c-…".to_owned(),
//!     credential,
//!     cloud: Cloud::global(),
//! };
//! let options = SyncOptions::new("team.cvault/incoming");
//! drop(activate(&archive, &Which::These(vec![Custodian::user("8f3a…")]), true)?);
//! let report = sync(&archive, &Service::new(app), &options, &mut |progress| {
//!     eprintln!("{} of {} accounts", progress.accounts, progress.total_accounts);
//!     ControlFlow::Continue(())
//! })?;
//! assert!(report.total.balances());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod asked;
mod beside;
mod chain;
mod check;
mod commit;
mod connection;
mod content;
mod directory;
mod drive;
mod error;
mod estimate;
mod gaps;
mod history;
mod options;
mod places;
mod plan;
mod progress;
mod report;
mod run;
mod settle;
mod store;
mod switch;
mod turn;

pub use account::{Account, FeedState, LastTurn, Rule, Which, accounts, activate};
pub use asked::Asked;
pub use check::{Check, check, check_async};
pub use connection::{Connection, ConnectionError, connection, save_connection};
pub use content::{Missing, Why, missing};
pub use drive::{sync, sync_async};
pub use error::SyncError;
pub use estimate::{Bounds, Estimate, estimate, estimate_async};
pub use history::{known_gaps, report, runs};
pub use options::{Content, Plan, Service, SyncOptions};
pub use progress::SyncProgress;
pub use report::{AccountReport, Outcome, SyncReport, SyncRun, Tally, Trouble};
pub use switch::{private_chats, set_private_chats};
