//! Starts the command on the process's own streams.

use std::io::{stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut out, mut err) = (stdout().lock(), stderr());
    let console = chatvault_cli::Console::of_process(&mut out, &mut err);
    ExitCode::from(console.run(std::env::args_os()))
}
