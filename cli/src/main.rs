//! Starts the command on the process's own streams.

use std::io::{stderr, stdout};
use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Exports make and free millions of small texts on several threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let (mut out, mut err) = (stdout().lock(), stderr());
    let console = chatvault_cli::Console::of_process(&mut out, &mut err);
    ExitCode::from(console.run(std::env::args_os()))
}
