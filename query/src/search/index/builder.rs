//! An update on a thread of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use chatvault_engine::{Snapshot, Storage};

use super::{Index, Update, unfit, unreadable};
use crate::error::Result;

/// Brings the index of an archive up to a snapshot, in the background.
///
/// It takes nothing that a commit waits for. Dropping it stops it and waits for that.
pub struct Builder {
    thread: Option<JoinHandle<Result<Update>>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    added: AtomicU64,
    total: AtomicU64,
    stop: AtomicBool,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Builder {
    /// Starts.
    ///
    /// `Index` if the system starts no thread.
    pub fn start(storage: Arc<dyn Storage>, snapshot: Snapshot) -> Result<Self> {
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let work = move || {
            Index::update(&storage, &snapshot, &mut |added, total| {
                shared.added.store(added, Ordering::Relaxed);
                shared.total.store(total, Ordering::Relaxed);
                !shared.stop.load(Ordering::Relaxed)
            })
        };
        let thread = std::thread::Builder::new().name("chatvault-search".to_owned()).spawn(work);
        Ok(Self { thread: Some(thread.map_err(unreadable)?), state })
    }

    /// How many rows were added, and how many there are to be added.
    pub fn progress(&self) -> (u64, u64) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (read(&self.state.added), read(&self.state.total))
    }

    /// Asks it to stop; what it has committed stays.
    pub fn stop(&self) {
        self.state.stop.store(true, Ordering::Relaxed);
    }

    /// Is it done, stopped or failed?
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end.
    ///
    /// Errors are those of [`Index::update`].
    pub fn wait(mut self) -> Result<Update> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Err(unfit("could not be built")),
        }
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // Nobody is left to be told.
            drop(thread.join());
        }
    }
}
