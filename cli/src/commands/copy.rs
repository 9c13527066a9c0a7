//! `copy`: an archive's backup, made beside its writer and brought up to date.

use std::path::PathBuf;

use anyhow::Context;
use chatvault_engine::{CopyOptions, CopyReport, Host};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::progress::Bar;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault copy team.cvault /backup/team.cvault
  chatvault copy team.cvault /backup/team.cvault      again, later: only what is new is copied
  chatvault copy team.cvault before.cvault --link     second names for the same sealed files

The copy is the archive at its last commit when this began or a little later: it has the same id and commits, \
opens and verifies. Import and sync may go on meanwhile. Every sealed file is checked on the way. What is \
derived (catalog, search index) is not copied. It may be stopped at any time; copying again finishes it. \
A folder with another archive, with other files, or with a copy that was written to is refused.

JSON fields: archive, copy, finished, sequence (number of the last commit), files, bytes (sealed files of the \
archive), copied_files, copied_bytes (what was not there yet, the journal included).";

/// Copy an archive, also while it is written, or bring a copy up to date
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// The folder of the copy; it may be new
    copy: PathBuf,
    /// Give sealed files a second name instead of copying them: on one file system, no protection
    /// from a bad disk
    #[arg(long)]
    link: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct Report {
    archive: String,
    copy: String,
    finished: bool,
    sequence: u64,
    files: u64,
    bytes: u64,
    copied_files: u64,
    copied_bytes: u64,
}

impl Report {
    fn new(arguments: &Arguments, report: CopyReport) -> Self {
        Self {
            archive: arguments.archive.display().to_string(),
            copy: arguments.copy.display().to_string(),
            finished: report.finished,
            sequence: report.sequence.0,
            files: report.files,
            bytes: report.bytes,
            copied_files: report.copied_files,
            copied_bytes: report.copied_bytes,
        }
    }

    fn lines(&self) -> Vec<String> {
        let side =
            |files, bytes| format!("{} ({})", text::plural(files, "file"), text::size(bytes));
        text::aligned(&[
            ("copy", self.copy.clone()),
            ("last commit", text::count(self.sequence)),
            ("sealed files", side(self.files, self.bytes)),
            ("copied now", side(self.copied_files, self.copied_bytes)),
        ])
    }
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let archive = super::open_to_read(&arguments.archive)?;
    let mut options = CopyOptions::default();
    options.link = arguments.link;
    let report = {
        let progress = Bar::start(console, "copying", "bytes");
        let to = Host::disk(&arguments.copy);
        let copied = archive.copy_to(&to, options, &mut progress.follow(console));
        copied.with_context(|| format!("cannot copy to {}", arguments.copy.display()))?
    };
    let report = Report::new(arguments, report);
    console.report(arguments.json, &report, report.lines())?;
    if report.finished {
        return Ok(Outcome::Done);
    }
    console.remark("stopped; start it again to copy the rest")?;
    Ok(Outcome::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_and_what_was_copied_stand_apart() {
        let report = Report {
            archive: "a".to_owned(),
            copy: "b".to_owned(),
            finished: true,
            sequence: 1_042,
            files: 12,
            bytes: 4_096,
            copied_files: 1,
            copied_bytes: 1_024,
        };
        assert_eq!(
            report.lines(),
            [
                "copy          b",
                "last commit   1,042",
                "sealed files  12 files (4.0 KiB)",
                "copied now    1 file (1.0 KiB)",
            ]
        );
    }
}
