//! An update on a thread of its own.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use chatvault_base::{Cancel, Progress, threads};
use chatvault_engine::{Snapshot, Storage};

use super::{Index, Update, unfit, unreadable};
use crate::error::Result;

/// Brings the index of an archive up to a snapshot, in the background.
///
/// It takes nothing that a commit waits for. Dropping it stops it and waits for that.
pub struct Builder {
    thread: Option<JoinHandle<Result<Update>>>,
    now: Arc<Mutex<Progress>>,
    stop: Cancel,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Builder {
    /// Starts.
    ///
    /// `Index` if the system starts no thread.
    pub fn start(storage: Arc<dyn Storage>, snapshot: Snapshot) -> Result<Self> {
        let (now, stop) = (Arc::<Mutex<Progress>>::default(), Cancel::default());
        let (told, asked) = (Arc::clone(&now), stop.clone());
        let work = move || {
            Index::update(&storage, &snapshot, &mut |progress| {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = *progress;
                asked.flow()
            })
        };
        let thread = threads::start("chatvault-search", work).map_err(unreadable)?;
        Ok(Self { thread: Some(thread), now, stop })
    }

    /// How many rows were added, and how many there are to be added.
    pub fn progress(&self) -> Progress {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks it to stop; what it has committed stays.
    pub fn stop(&self) {
        self.stop.cancel();
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
