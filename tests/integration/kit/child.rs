//! This program once more as another process, running one of its ignored tests.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const FOLDER: &str = "CHATVAULT_TEST_FOLDER";
const NUMBER: &str = "CHATVAULT_TEST_NUMBER";

/// A process that runs one test of this program.
#[derive(Debug)]
pub(crate) struct Other {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Other {
    /// Starts the ignored test of that name with a folder and a number.
    pub(crate) fn start(test: &str, folder: &Path, number: u64) -> Self {
        Self::start_with_input(test, folder, number, b"")
    }

    /// The same with something to read on its standard input.
    pub(crate) fn start_with_input(test: &str, folder: &Path, number: u64, input: &[u8]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .env(NUMBER, number.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Taken out of the process and dropped here: its reader sees the end.
        child.stdin.take().unwrap().write_all(input).unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Waits for the next line that the other process told.
    pub(crate) fn listen(&mut self) -> Option<u64> {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            // A line cut off by a kill has no end: it was not told.
            let told = line.strip_suffix('\n').and_then(|line| line.strip_prefix("told "));
            if let Some(number) = told {
                return Some(number.parse().unwrap());
            }
            line.clear();
        }
        None
    }

    /// Kills it without a warning and gives all that it had told.
    pub(crate) fn kill(mut self) -> Vec<u64> {
        self.child.kill().unwrap();
        let told = std::iter::from_fn(|| self.listen()).collect();
        let _status = self.child.wait().unwrap();
        told
    }

    /// Waits for its end and says whether its test passed.
    pub(crate) fn has_passed(mut self) -> bool {
        while self.listen().is_some() {}
        self.child.wait().unwrap().success()
    }
}

/// The folder that the parent gave.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os(FOLDER).unwrap().into()
}

/// The number that the parent gave.
pub(crate) fn number() -> u64 {
    std::env::var(NUMBER).unwrap().parse().unwrap()
}

/// Tells the parent a number, at once.
pub(crate) fn tell(number: u64) {
    let mut out = std::io::stdout().lock();
    // The test runner leaves its own line open.
    out.write_all(format!("\ntold {number}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
