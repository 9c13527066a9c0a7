//! Ctrl-C: the first asks a command that can stop at a commit to do so, the next one kills. SIGTERM and
//! SIGHUP count as one.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chatvault_engine::Cancel;

/// Shared by the signal handler and the command that runs.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    heeded: AtomicBool,
    asked: Cancel,
}

impl Stop {
    /// A stop that Ctrl-C asks for. Without a handler (there can be one per process) Ctrl-C kills.
    pub(crate) fn on_ctrl_c() -> Arc<Self> {
        let stop = Arc::new(Self::default());
        let shared = Arc::clone(&stop);
        // A failed commit is as safe as a kill: what was acknowledged is there.
        drop(ctrlc::set_handler(move || shared.pressed()));
        stop
    }

    /// The command promises to look at [`Stop::asked`] from now on.
    pub(crate) fn heed(&self) {
        self.heeded.store(true, Ordering::SeqCst);
    }

    /// Should the command stop at its next commit?
    pub(crate) fn asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// What an operation is told: `Break` if it was asked for.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        self.asked.flow()
    }

    fn pressed(&self) {
        let is_first = !self.asked();
        self.asked.cancel();
        if !is_first || !self.heeded.load(Ordering::SeqCst) {
            std::process::exit(i32::from(crate::failure::FAILED));
        }
        let note = "stopping at the next safe place; Ctrl-C again stops at once";
        // Nobody is left to tell when standard error is gone.
        drop(writeln!(std::io::stderr(), "\n{note}"));
    }
}
