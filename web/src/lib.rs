//! The page: archives in a browser, on one's own machine.
//!
//! [`serve`] answers a browser over HTTP: who is backed up, what was written, each version of it, who
//! received it, and downloads. It shows what [`chatvault_query`] finds as [`chatvault_export`] renders
//! it, and starts what [`chatvault_ingest`] does; it decides nothing of its own about an archive.
//!
//! ```text
//! browser ─▶ server: connections, limits ─▶ guard: host, origin, token ─▶ routes
//!              pages: one blocking function each, bounded ─▶ snapshot ─▶ template
//!              work: one thread each, watched by server-sent events
//! ```
//!
//! What always holds:
//! - Nothing is loaded from elsewhere and nothing leaves but what `sync` asks the configured cloud for.
//! - What a message says becomes HTML by `export`'s writer or a template, which both escape.
//! - A page reads one snapshot; an archive is opened for writing only while something is written.

mod call;
mod failure;
mod fields;
mod files;
mod frame;
mod graph;
mod guard;
mod known;
mod organisation;
mod pages;
mod routes;
mod server;
mod site;
mod slow;
mod text;
mod work;

pub use server::{Listening, Tls, serve};
pub use site::{Settings, Site};
