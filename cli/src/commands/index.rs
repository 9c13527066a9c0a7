//! `index`: builds the full-text index of an archive, or brings it up to date.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use chatvault_engine::{Archive, Host, Snapshot};
use chatvault_query::search::{Index, Update};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::progress::Bar;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault index team.cvault                       build it, or add what has arrived since
  chatvault query team.cvault --search 'budget \"offer letter\" pay*'
  chatvault index team.cvault --drop                remove it
  chatvault index team.cvault --json

The index makes `query --search` fast. An archive has none until this command makes one; it lives in the \
archive's search/ and holds nothing that is not in the archive, so it can be removed and built anew at any \
time. It holds the words of every version of every message, Copilot interaction, recording and transcript: who \
must not read the archive must not read it.

It is built beside everything else: imports, syncs and queries go on. What arrives afterwards is found, \
too, by looking at those messages one by one; run this command again to keep searching fast. It may be \
stopped at any time, by Ctrl-C or a power cut, and goes on from its last step (about a million rows). An \
index that is damaged, of another archive or version, or of another past of this archive (it was put back \
from a copy) is refused by `query --search` and built anew by this command.

JSON fields: finished, added, rows, sequence (the last commit whose rows are in it), bytes, rebuilt (why an \
index that was there was built anew, or null). With --drop: dropped (whether there was one).";

/// Build the full-text index that `query --search` asks, or bring it up to date
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// Remove the index
    #[arg(long)]
    drop: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct Report {
    finished: bool,
    added: u64,
    rows: u64,
    sequence: u64,
    bytes: u64,
    rebuilt: Option<String>,
}

#[derive(Serialize)]
struct Dropped {
    dropped: bool,
}

impl From<Update> for Report {
    fn from(update: Update) -> Self {
        Self {
            finished: update.finished,
            added: update.added,
            rows: update.rows,
            sequence: update.sequence,
            bytes: update.bytes,
            rebuilt: update.rebuilt,
        }
    }
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    // No archive, no index: this also keeps from making folders elsewhere.
    let snapshot = super::open_to_read(&arguments.archive)?.snapshot()?;
    if arguments.drop {
        return remove(arguments, console);
    }
    let report = update(arguments, &snapshot, console)?;
    console.report(arguments.json, &report, lines(&report))?;
    if report.finished {
        return Ok(Outcome::Done);
    }
    console.remark("stopped; nothing is lost: start it again to add the rest")?;
    Ok(Outcome::Failed)
}

fn update(
    arguments: &Arguments,
    snapshot: &Snapshot,
    console: &Console<'_>,
) -> anyhow::Result<Report> {
    let progress = Bar::start(console, "indexing", "rows");
    let storage = Host::disk(&arguments.archive).storage;
    Ok(Index::update(&storage, snapshot, &mut progress.follow(console))?.into())
}

fn remove(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let dropped = Index::remove(&Host::disk(&arguments.archive).storage)?;
    let line = if dropped { "removed the search index" } else { "there is no search index" };
    console.report(arguments.json, &Dropped { dropped }, [line])?;
    Ok(Outcome::Done)
}

fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(reason) = &report.rebuilt {
        lines.push(("built anew", reason.clone()));
    }
    lines.push(("added", text::plural(report.added, "row")));
    lines.push(("rows", text::count(report.rows)));
    lines.push(("up to commit", text::count(report.sequence)));
    lines.push(("on disk", text::size(report.bytes)));
    text::aligned(&lines)
}

/// Up to so many rows are read for a search without an index.
const FEW_ROWS: u64 = 50_000;

/// The index of an archive; without one, `None` for a small archive, else what to do.
///
/// To be asked about snapshots that are taken after this call.
pub(super) fn open(folder: &Path, archive: &Archive) -> anyhow::Result<Option<Index>> {
    open_unless_few(folder, archive, FEW_ROWS)
}

fn open_unless_few(folder: &Path, archive: &Archive, few: u64) -> anyhow::Result<Option<Index>> {
    let advice = || format!("build it with: chatvault index {}", folder.display());
    let index = Index::open(&Host::disk(folder).storage, archive).with_context(advice)?;
    let (rows, _) = archive.snapshot()?.content();
    let told = || format!("this archive has no search index: {}", advice());
    ensure!(index.is_some() || rows <= few, told());
    Ok(index)
}

#[cfg(test)]
mod tests {
    use chatvault_engine::{Custodian, Options, Origin, RecordKind};

    use super::*;

    #[test]
    fn only_a_small_archive_is_searched_without_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::create(Host::disk(folder.path()), Options::default()).unwrap();
        for (id, found) in [(1, "none is needed"), (2, "no search index: build it with")] {
            let mut batch = archive.batch(archive.begin_run("test").unwrap());
            let json = format!(
                r#"{{"id":"{id}","etag":"{id}","chatId":"19:a","messageType":"message",
                    "createdDateTime":"2024-05-01T10:00:00Z",
                    "lastModifiedDateTime":"2024-05-01T10:00:00Z"}}"#
            );
            let origin = Origin { source: "test", offset: 0 };
            batch.offer(&Custodian::user("ann"), RecordKind::Message, json.as_bytes(), origin);
            assert_eq!(batch.commit().unwrap().counts.stored, 1);
            let told = match open_unless_few(folder.path(), &archive, 1) {
                Ok(index) => {
                    index.map_or("none is needed".to_owned(), |_| "there is one".to_owned())
                }
                Err(error) => error.to_string(),
            };
            assert!(told.contains(found), "{told}");
        }
    }

    #[test]
    fn what_was_done_is_told_in_lines() {
        let report = Report {
            finished: true,
            added: 2_000,
            rows: 3_000,
            sequence: 17,
            bytes: 4_096,
            rebuilt: Some("the search index is of another archive".to_owned()),
        };
        assert_eq!(
            lines(&report),
            [
                "built anew    the search index is of another archive",
                "added         2,000 rows",
                "rows          3,000",
                "up to commit  17",
                "on disk       4.0 KiB",
            ]
        );
    }
}
