//! `fake-graph`: the fake service alone, for a person who wants to try `chatvault sync`.

mod alone;

use std::process::ExitCode;

use clap::Parser;

#[expect(clippy::print_stderr, reason = "a program says why it failed")]
fn main() -> ExitCode {
    match alone::run(&alone::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("fake-graph: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
