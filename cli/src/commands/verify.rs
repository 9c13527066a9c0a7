//! `verify`: proves that an archive is whole, or names what is damaged.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chatvault_engine::{Depth, Host, Options, VerifyReport};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::missing::{self, Finding};
use crate::progress::Bar;
use crate::report::{Copies, Tail, beside_line};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault verify team.cvault            every file: name, checksums, chain, counts
  chatvault verify team.cvault --deep     also every message: given back, its address recomputed

Works from the files, on an archive that does not open, too, and beside a process that writes to it. \
With --deep it also proves that every delivered copy is accounted for, custodian by custodian.

Exit code 0: sound. 1: damaged (each damage on a line), or stopped by Ctrl-C before the end. \
Files that are none of the archive's are listed; they are no damage and are never read.

JSON fields: sound, finished, deep, files, bytes, rows, custodians, copies, stored, variants, \
duplicates, quarantined, stored_beside (rows stored though they may equal one that could not be read), folded (such rows that were made \
one with their equal since), \
damages (list of kind, corrupt or io; file, offset, message, conversations, \
rows, created_from, created_to, first_commit, last_commit: null where not known), dropped_tail (what a \
crash left behind the last commit, never acknowledged and no damage: file, offset, bytes; or null), strangers.";

const KEEP: &str = "keep the damaged files: put them back from a copy of the archive, or make a healthy archive \
                    with `chatvault repair ARCHIVE NEW --from COPY`; meanwhile --salvage reads what is whole";

/// Check that an archive is whole, and name what is damaged
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// Also render every row and recompute every content address (reads everything, takes longer)
    #[arg(long)]
    deep: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    sound: bool,
    finished: bool,
    deep: bool,
    files: u64,
    bytes: u64,
    rows: u64,
    custodians: u64,
    #[serde(flatten)]
    counts: Copies,
    stored_beside: u64,
    folded: u64,
    damages: Vec<Finding>,
    dropped_tail: Option<Tail>,
    strangers: &'a [String],
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let depth = if arguments.deep { Depth::Deep } else { Depth::Structure };
    let report = check(&arguments.archive, depth, console)?;
    console.show(arguments.json, &as_json(&report, arguments.deep), |console| {
        print(&report, console)
    })?;
    let is_sound = report.finished && report.damages.is_empty();
    Ok(if is_sound { Outcome::Done } else { Outcome::Failed })
}

/// Verifies with a bar, until the end or Ctrl-C.
pub(super) fn check(
    folder: &Path,
    depth: Depth,
    console: &Console<'_>,
) -> anyhow::Result<VerifyReport> {
    let progress = Bar::start(console, "verifying", "rows");
    let (host, options) = (Host::disk(folder), Options::default());
    chatvault_engine::verify(&host, &options, depth, &mut progress.follow(console))
        .with_context(|| format!("cannot verify {}", folder.display()))
}

fn as_json(report: &VerifyReport, deep: bool) -> Report<'_> {
    Report {
        sound: report.finished && report.damages.is_empty(),
        finished: report.finished,
        deep,
        files: report.files,
        bytes: report.bytes,
        rows: report.rows,
        custodians: report.custodians,
        counts: report.counts.into(),
        stored_beside: report.stored_beside,
        folded: report.folded,
        damages: missing::findings(&report.damages),
        dropped_tail: report.dropped_tail.clone().map(Tail::from),
        strangers: &report.strangers,
    }
}

/// The result for people.
pub(super) fn print(report: &VerifyReport, console: &mut Console<'_>) -> anyhow::Result<()> {
    for damage in &report.damages {
        console.line(format!("damage: {}", missing::line(damage)))?;
    }
    if let Some(tail) = report.dropped_tail.clone() {
        console.line(Tail::from(tail).line())?;
    }
    if let Some(line) = beside_line(report.stored_beside) {
        console.line(line)?;
    }
    for stranger in &report.strangers {
        console.line(format!("not part of the archive, never read: {stranger}"))?;
    }
    let checked = format!(
        "{} with {}, {}",
        text::plural(report.files, "file"),
        text::plural(report.rows, "row"),
        text::size(report.bytes)
    );
    if !report.finished {
        console.line(format!("stopped before the end; checked so far: {checked}"))?;
        console.remark("not finished: start it again to check the rest")?;
    } else if report.damages.is_empty() {
        console.line(format!("sound: {checked}"))?;
    } else {
        let count = u64::try_from(report.damages.len())?;
        console.line(format!("damaged: {} found in {checked}", text::plural(count, "damage")))?;
        console.remark(KEEP)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_check_is_not_called_sound() {
        let mut report = VerifyReport::default();
        report.finished = false;
        assert!(!as_json(&report, false).sound);
    }
}
