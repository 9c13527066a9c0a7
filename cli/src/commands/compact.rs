//! `compact`: merges an archive's segments and compresses them hard.

use std::path::PathBuf;

use chatvault_engine::{CompactReport, Options};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::progress::Bar;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault compact team.cvault
  chatvault compact team.cvault --grace-hours 0     nobody else reads: free the space now
  chatvault compact team.cvault --json

Run it after a large import; it takes all cores. Reading goes on beside it, from this and other \
processes. It may be stopped at any time, by Ctrl-C or a power cut: nothing is lost, and of a large \
archive what is compacted by then stays so.

The files that it replaced move to the archive's trash/, and are removed when something next clears it: \
a merge, or opening the archive for writing. `stat` shows them apart. With --grace-hours 0 they go at \
once; a reader in another process that was about to open one then fails and has to start again.

On a full disk, --grace-hours 0 first empties the trash; then it merges as much at once as there is room for.

JSON fields: finished, segments_before, segments_after, rows (rewritten), bytes_before, bytes_after (of \
the segments).";

const GRACE_HOURS: u32 = 24;
const HOUR_SECONDS: u64 = 60 * 60;

/// Merge an archive's segments and compress them hard
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// How long replaced files stay in trash/ for readers elsewhere
    #[arg(long, value_name = "HOURS", default_value_t = GRACE_HOURS)]
    grace_hours: u32,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct Report {
    finished: bool,
    segments_before: u64,
    segments_after: u64,
    rows: u64,
    bytes_before: u64,
    bytes_after: u64,
}

impl From<CompactReport> for Report {
    fn from(report: CompactReport) -> Self {
        Self {
            finished: report.finished,
            segments_before: report.segments_before,
            segments_after: report.segments_after,
            rows: report.rows,
            bytes_before: report.bytes_before,
            bytes_after: report.bytes_after,
        }
    }
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let grace_seconds = u64::from(arguments.grace_hours) * HOUR_SECONDS;
    let mut options = Options::default();
    options.grace_seconds = grace_seconds;
    let archive = super::open_to_write(&arguments.archive, options)?;
    let report = {
        let progress = Bar::start(console, "compacting", "rows");
        archive.compact(&mut progress.follow(console))?
    };
    super::close(archive, &arguments.archive, console)?;
    let report = Report::from(report);
    console.report(arguments.json, &report, lines(&report))?;
    if report.finished {
        return Ok(Outcome::Done);
    }
    console.remark("stopped; nothing is lost: start it again to compact the rest")?;
    Ok(Outcome::Failed)
}

fn lines(report: &Report) -> Vec<String> {
    let side =
        |segments, bytes| format!("{} in {}", text::size(bytes), text::plural(segments, "segment"));
    let saved = 1.0 - text::ratio(report.bytes_after, report.bytes_before);
    let rows = text::plural(report.rows, "row");
    let saved = if report.rows == 0 {
        "already compact".to_owned()
    } else if report.bytes_after < report.bytes_before {
        format!("{:.0} % smaller, {rows} rewritten", saved * 100.0)
    } else {
        format!("not smaller, {rows} rewritten")
    };
    let before = side(report.segments_before, report.bytes_before);
    let after = side(report.segments_after, report.bytes_after);
    text::aligned(&[("before", before), ("after", after), ("result", saved)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_as_long_as_the_engine_would() {
        let engine = Options::default().grace_seconds;
        assert_eq!(u64::from(GRACE_HOURS) * HOUR_SECONDS, engine);
    }

    #[test]
    fn before_and_after_stand_side_by_side() {
        let report = Report {
            finished: true,
            segments_before: 12,
            segments_after: 1,
            rows: 2_000,
            bytes_before: 4_096,
            bytes_after: 3_072,
        };
        assert_eq!(
            lines(&report),
            [
                "before  4.0 KiB in 12 segments",
                "after   3.0 KiB in 1 segment",
                "result  25 % smaller, 2,000 rows rewritten",
            ]
        );
        let again = Report { segments_before: 1, rows: 0, bytes_before: 3_072, ..report };
        assert_eq!(lines(&again)[2], "result  already compact");
    }
}
