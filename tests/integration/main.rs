//! The test program of the workspace: one module per subject.
//!
//! Tests that take chances print their seed when they fail. `CHATVAULT_ROUNDS=20` makes them take
//! twenty times as many.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod arrival;
mod ask;
mod catalog;
mod cli;
mod cli_export;
mod cli_sync;
mod copies;
mod corrupt;
mod crash;
mod daily;
mod damage;
mod environment;
mod exact;
mod export;
mod facts;
mod faults;
mod folds;
mod format;
mod fuzz_corpus;
mod golden;
mod ingest;
mod kinds;
mod kit;
mod meant;
mod model;
mod moment;
mod objects;
mod open;
#[cfg(chatvault_planted)]
mod planted;
mod proof;
mod query;
mod questions;
mod readers;
mod records;
mod scan;
mod search;
mod simulate;
mod sync;
mod tidy;
mod traces;
mod versions;
mod web;
mod write;
