//! Microsoft Graph's export of Teams as a client sees it. Knows no archive.
//!
//! | | |
//! |---|---|
//! | [`Client`] | asks as an [`App`] of a tenant: tokens, pace, retries, downloads; answers are [`read_page`]'s |
//! | [`route`] | every address: a [`Feed`]'s first page, lists of the directory, contents |
//! | [`Filter`] | what of an account is asked for, as the service documents it |
//! | [`Link`] | an address that is on the cloud's own Graph: the token goes nowhere else |
//! | [`Failure`] | what the service refused, and what to do about it |
//!
//! A client is asynchronous and belongs to a tokio runtime, starts no thread, writes no file and keeps
//! as many answers in memory as its [`Limits`] permit.
//!
//! ```
//! use chatvault_graph::{Cloud, Filter, check_link};
//!
//! let filter: Filter = "messageType ne 'systemEventMessage'".parse()?;
//! assert_eq!(filter.senders().len(), 1);
//! let cloud = Cloud::global();
//! assert!(check_link(&cloud, "https://graph.microsoft.com/v1.0/users").is_ok());
//! assert!(check_link(&cloud, "https://graph.microsoft.com.evil.example/v1.0/users").is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assertion;
mod body;
mod client;
mod cloud;
mod connection;
mod course;
mod credential;
pub mod download;
mod envelope;
mod failure;
mod filter;
mod limits;
mod link;
mod meter;
mod pace;
mod page;
mod retry;
pub mod route;
mod sign_in;
mod slots;
mod token;
mod validity;

#[cfg(test)]
mod testing;

pub use client::{Answer, App, Client, Request};
pub use cloud::{Cloud, InvalidCloud};
pub use credential::{Certificate, Credential, CredentialError, Secret};
pub use failure::{Failure, FailureKind};
pub use filter::{
    ApplicationKind, Filter, FilterError, Sender, SentRange, TimeField, UserKind, fetch_once, time,
};
pub use limits::{Class, Limits};
pub use link::{Link, check_link};
pub use meter::{Meter, Traffic};
pub use page::{Broken, Page, read as read_page};
pub use route::{Feed, Items, Model};

/// What other threads may have.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<(App, Client, Answer, Link, Filter, Failure, Meter, Traffic)>();
};
