//! The `chatvault` command: arguments in, text and an exit code out.
//!
//! ```
//! let (mut out, mut err) = (Vec::new(), Vec::new());
//! let code = chatvault_cli::run(["chatvault", "--version"], &mut out, &mut err);
//! assert_eq!((code, out.starts_with(b"chatvault ")), (0, true));
//! ```
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done, but something is
//! missing or in quarantine.

mod address;
mod advice;
mod args;
mod commands;
mod console;
mod demo_data;
mod empty;
mod failure;
mod log;
mod meant;
mod missing;
mod progress;
mod report;
mod stop;
mod sync_report;
mod table;
mod text;
mod when;

use std::ffi::OsString;
use std::io::Write;

pub use console::Console;

/// Runs one command line, its name first, and gives the exit code.
///
/// `out` and `err` are treated as files: no progress bars, no fitting to a terminal's width.
pub fn run<A>(args: A, out: &mut dyn Write, err: &mut dyn Write) -> u8
where
    A: IntoIterator,
    A::Item: Into<OsString> + Clone,
{
    Console::of_files(out, err).run(args)
}
