//! `sync` against the fake service: completeness, resuming, troubles, limits, contents.

mod accounts;
mod asked;
mod connection;
mod contents;
mod directory;
mod exported;
mod files;
mod kills;
mod kit;
mod served;
mod troubles;
mod whole;
