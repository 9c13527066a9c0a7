//! Faults planted on purpose, each of which a named test must find: `tests/integration/planted.rs`.
//!
//! Compiled with `--cfg chatvault_planted` only. Without it `planted!` is `false`, and what stands
//! behind it is not there.

use std::sync::OnceLock;

/// The process has one fault at most: the one that this variable names.
const VARIABLE: &str = "CHATVAULT_PLANTED";

/// Is this the fault of the process?
pub(crate) fn is_chosen(fault: &str) -> bool {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var(VARIABLE).ok()).as_deref() == Some(fault)
}
