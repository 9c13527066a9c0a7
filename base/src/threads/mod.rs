//! Threads: whatever chatvault does on another one is begun here.
//!
//! | | |
//! |---|---|
//! | [`Pool`], [`Jobs`] | jobs of many owners on a stated number of threads, each with a [`Promise`] of its result if one is wanted |
//! | [`in_order`] | what borrowed items become, in their order, with a bounded number of them on their way |
//! | [`beside`] | pieces of work beside what the calling thread does |
//! | [`start`] | a thread of its own, for work that waits for somebody else |
//!
//! A panic of a scoped thread goes on in the caller, that of a job is an error for who waits for it. A system
//! that gives fewer threads makes everything slower and nothing else.

mod pool;
mod scoped;

pub use pool::{Jobs, Pool, Promise, Urgency};
pub use scoped::{Ended, beside, in_order};

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread that nobody joins but who keeps the handle.
///
/// An error is the system's, which gives no thread.
pub fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(work)
}
