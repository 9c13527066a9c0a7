//! How far a long operation is, and how it is told to stop.
//!
//! Every long operation calls an [`OnProgress`] on its caller's thread, now and then, and at its end. What it
//! did before a `Break` stays, unless its own documentation says something else.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What an operation counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Stored rows.
    #[default]
    Rows,
    /// Bytes of files.
    Bytes,
    /// Messages.
    Messages,
    /// Conversations.
    Conversations,
    /// Accounts of a tenant.
    Accounts,
}

/// How far a long operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is done.
    pub done: u64,
    /// Of how much, if that is known.
    pub of: Option<u64>,
    /// What is counted.
    pub unit: Unit,
}

impl Progress {
    /// So much of so much.
    pub fn new(done: u64, of: impl Into<Option<u64>>, unit: Unit) -> Self {
        Self { done, of: of.into(), unit }
    }
}

/// Is told how far an operation is; `Break` stops it at its next safe place. An operation that has more to
/// tell than a [`Progress`] gives a type of its own, which contains one.
pub type OnProgress<'p, P = Progress> = &'p mut dyn FnMut(&P) -> ControlFlow<()>;

/// `Continue` if it shall go on, or else `Break`.
pub fn continue_if(is_wanted: bool) -> ControlFlow<()> {
    if is_wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

/// Is told of everything and stops nothing.
pub fn go_on<P>(_progress: &P) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The wish that something stops. Clones are the same wish.
///
/// ```
/// use chatvault_base::Cancel;
///
/// let cancel = Cancel::default();
/// let seen = cancel.clone();
/// assert!(seen.flow().is_continue());
/// cancel.cancel();
/// assert!(seen.is_cancelled() && seen.flow().is_break());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks for it.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Was it asked for?
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// What an [`OnProgress`] says: `Break` if it was asked for.
    pub fn flow(&self) -> ControlFlow<()> {
        continue_if(!self.is_cancelled())
    }
}
