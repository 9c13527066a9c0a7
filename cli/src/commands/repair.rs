//! `repair`: a new, healthy archive from what is whole in a damaged one and in copies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use chatvault_engine::{Disk, Host, RepairReport, Spare, Storage, repair};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::missing::{self, Finding};
use crate::progress::Bar;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault repair team.cvault healthy.cvault
  chatvault repair team.cvault healthy.cvault --from backup/team.cvault
  chatvault repair team.cvault healthy.cvault --from old/0000000000000017.seg --from march.cvault --json

Damaged and missing parts are taken from the copies, file by file or in pieces: what was damaged in different \
places here and there is whole again. The damaged archive is only read. The new one has an id of its own, \
keeps the messages' commits and who delivered them, and remembers what it came from (`stat`). Search index \
and catalog are built anew when they are wanted. Nobody should write to the damaged archive meanwhile.

Stopped, by Ctrl-C or a power cut, it is run again: the unfinished new archive is emptied first.

Exit code 0: nothing is lost. 3: something is in no copy; each loss is on a line. 1: failed or stopped.

JSON fields: finished, archive and from (ids), commit (the last one that could be read), rows, objects, \
rows_lost, objects_lost, recounted (copies whose counters were lost and were counted again), from_copies \
(files taken from copies, whole or in part), lost (as damages of `verify`).";

/// Make a healthy archive from a damaged one, and say exactly what is lost
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The damaged archive's folder
    archive: PathBuf,
    /// The folder of the new archive
    new: PathBuf,
    /// A copy of the archive, or of one of its files (may be given several times)
    #[arg(long, value_name = "COPY")]
    from: Vec<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    finished: bool,
    archive: String,
    from: String,
    commit: u64,
    rows: u64,
    objects: u64,
    rows_lost: u64,
    objects_lost: u64,
    recounted: u64,
    from_copies: &'a [String],
    lost: Vec<Finding>,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let spares = arguments.from.iter().map(|path| spare(path));
    let spares = spares.collect::<anyhow::Result<Vec<Spare>>>()?;
    let (source, target) = (Host::disk(&arguments.archive), Host::disk(&arguments.new));
    let report = {
        let progress = Bar::start(console, "repairing", "rows");
        let repaired = repair(&source, &target, &spares, &mut progress.follow(console));
        repaired.with_context(|| format!("cannot repair {}", arguments.archive.display()))?
    };
    console.show(arguments.json, &as_json(&report), |console| print(&report, console))?;
    Ok(match (report.finished, report.lost.is_empty()) {
        (false, _) => Outcome::Failed,
        (true, false) => Outcome::Incomplete,
        (true, true) => Outcome::Done,
    })
}

/// A folder is an archive, anything else a file of one.
fn spare(path: &Path) -> anyhow::Result<Spare> {
    let archive = Disk::new(path);
    let has_files = |folder: &&str| archive.list(folder).is_ok_and(|files| !files.is_empty());
    if ["", "manifest", "segments"].iter().any(has_files) {
        return Ok(Spare::Archive(Arc::new(archive)));
    }
    let folder = Disk::new(path.parent().unwrap_or(Path::new("")));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = folder.open(&name).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Spare::File(file))
}

fn as_json(report: &RepairReport) -> Report<'_> {
    Report {
        finished: report.finished,
        archive: text::hex(&report.archive),
        from: text::hex(&report.repaired.archive),
        commit: report.repaired.commit.0,
        rows: report.rows,
        objects: report.objects,
        rows_lost: report.repaired.rows_lost,
        objects_lost: report.repaired.objects_lost,
        recounted: report.recounted,
        from_copies: &report.from_copies,
        lost: missing::findings(&report.lost),
    }
}

fn print(report: &RepairReport, console: &mut Console<'_>) -> anyhow::Result<()> {
    if !report.finished {
        return Ok(
            console.remark("stopped; run it again: the unfinished archive is emptied first")?
        );
    }
    for file in &report.from_copies {
        console.line(format!("from a copy: {file}"))?;
    }
    for damage in &report.lost {
        console.line(format!("lost: {}", missing::line(damage)))?;
    }
    let kept =
        format!("{}, {}", text::plural(report.rows, "row"), text::plural(report.objects, "object"));
    if report.recounted > 0 {
        let rows = text::plural(report.recounted, "row");
        console.line(format!("counters of {rows} were lost, and were counted again"))?;
    }
    Ok(console.line(if report.lost.is_empty() {
        format!("repaired, nothing is lost: {kept}")
    } else {
        let (rows, objects) = (report.repaired.rows_lost, report.repaired.objects_lost);
        let lost = format!("{}, {}", text::plural(rows, "row"), text::plural(objects, "object"));
        format!("repaired: {kept}; lost: {lost}")
    })?)
}
