//! The Graph service as a client sees it: tokens, links, limits, retries. Knows no archive.

mod assertion;
mod body;
pub(crate) mod client;
mod cloud;
mod connection;
mod course;
mod credential;
pub(crate) mod download;
mod envelope;
mod failure;
pub(crate) mod filter;
pub(crate) mod limits;
pub(crate) mod link;
pub(crate) mod meter;
mod pace;
mod page;
pub(crate) mod retry;
pub(crate) mod route;
mod sign_in;
mod slots;
mod token;
mod validity;

#[cfg(test)]
mod testing;

pub use client::App;
pub use cloud::{Cloud, InvalidCloud};
pub use credential::{Certificate, Credential, CredentialError, Secret};
pub use failure::{Failure, FailureKind};
pub use filter::{ApplicationKind, Filter, FilterError, Sender, UserKind};
pub use limits::Limits;
pub use link::check_link;
pub use meter::Traffic;
pub use page::{Broken, Page, read as read_page};
pub use route::{Feed, Model};
