//! The same job on chatvault and on other embedded stores, measured side by side.
//!
//! One run: corpora are made ready, then in each round every task is done by every peer in turn, each in
//! a process of its own, and `BENCHMARKS.md` is written with its plots. `README.md` beside this says how.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program that measures: it tells its progress, and its files are its own"
)]

mod answers;
mod args;
mod corpus;
mod document;
mod front;
mod measure;
mod peer;
mod report;
mod rounds;
mod stores;
mod task;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// As the command has it, for all peers.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The first argument of a process that does one job.
const JOB: &str = "--job";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> peer::Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == JOB).is_some() {
        let job: task::Job = serde_json::from_str(&words.next().unwrap_or_default())?;
        println!("{}", serde_json::to_string(&job.run()?)?);
        return Ok(());
    }
    if words.peek().is_some_and(|word| word == "--help") {
        print!("{}", args::USAGE);
        return Ok(());
    }
    let options = args::Options::of(words)?;
    let source = corpus::Source::find(options.messages);
    let results = rounds::run(&options, &source)?;
    report::write(&options, &source, &results)
}
