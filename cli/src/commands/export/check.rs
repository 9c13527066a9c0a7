//! `export check`: reads an export back and says what is wrong with it, if anything is.

use std::path::PathBuf;

use anyhow::ensure;
use chatvault_engine::Disk;
use chatvault_export::Export;
use chatvault_export::check::{Report, check};
use chatvault_export::job::{Listed, list};
use clap::Args;
use serde::Serialize;

use crate::commands::Salvage;
use crate::console::Console;
use crate::failure::Outcome;
use crate::progress::Progress;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault export check all/                 every part, member and checksum
  chatvault export check all/ team.cvault     also: exactly the selected versions are there

With the archive the selection is asked again and its fingerprint compared with the one in the manifests, \
so a version that is missing or there twice is found. What arrived after the export is not in it.

Exit code 0: everything is as it should be. 1: something is not, each finding on a line.

JSON fields: sound, exports (list of name, sound, compared, parts, members, bytes, versions, findings).";

/// Check the exports in a folder: every byte, and with the archive every version
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The folder that holds the parts
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The archive that they were made of
    archive: Option<PathBuf>,
    /// Only the export of this name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    salvage: Salvage,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct All {
    sound: bool,
    exports: Vec<One>,
}

#[derive(Serialize)]
struct One {
    name: String,
    sound: bool,
    compared: bool,
    parts: u64,
    members: u64,
    bytes: u64,
    versions: u64,
    findings: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let folder = Disk::new(&arguments.folder);
    let listed = list(&folder)?;
    let wanted = |one: &Listed| arguments.name.as_ref().is_none_or(|name| *name == one.name);
    let listed: Vec<Listed> = listed.into_iter().filter(wanted).collect();
    ensure!(!listed.is_empty(), "{}: there is no such export", arguments.folder.display());
    let mut exports = Vec::new();
    for one in listed {
        let (name, report) = report(&folder, one, arguments, console)?;
        exports.push(as_json(name, &report));
    }
    let all = All { sound: exports.iter().all(|one| one.sound), exports };
    if arguments.json {
        console.json(&all)?;
    } else {
        all.exports.iter().try_for_each(|one| print(one, console))?;
    }
    Ok(if all.sound { Outcome::Done } else { Outcome::Failed })
}

fn report(
    folder: &Disk,
    listed: Listed,
    arguments: &Arguments,
    console: &Console<'_>,
) -> anyhow::Result<(String, Report)> {
    let Listed { name, index, .. } = listed;
    let index = index?;
    let total: u64 = index.parts.iter().map(|part| part.bytes).sum();
    let bar = Progress::start(console, "checking", "bytes");
    let mut done = 0;
    let mut watch = |_: &str, bytes: u64| {
        bar.set(done, Some(total));
        done += bytes;
    };
    let report = match &arguments.archive {
        None => check(folder, &name, None, &mut watch)?,
        Some(archive) => {
            let snapshot = arguments.salvage.open(archive)?.snapshot()?;
            Export::of_index(&snapshot, &index)?.check(folder, &mut watch)?
        }
    };
    Ok((name, report))
}

fn as_json(name: String, report: &Report) -> One {
    let mut findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    if report.more_findings > 0 {
        findings.push(format!("and {} more", report.more_findings));
    }
    One {
        name,
        sound: report.is_good(),
        compared: report.compared,
        parts: report.parts,
        members: report.members,
        bytes: report.bytes,
        versions: report.subjects,
        findings,
    }
}

fn print(one: &One, console: &mut Console<'_>) -> anyhow::Result<()> {
    for finding in &one.findings {
        console.line(format!("wrong: {finding}"))?;
    }
    let state = if one.sound { "sound" } else { "damaged" };
    let compared =
        if one.compared { "exactly what the archive has" } else { "not compared with an archive" };
    console.line(format!(
        "{state}: {}: {} with {}, {}, {}; {compared}",
        one.name,
        text::plural(one.parts, "part"),
        text::plural(one.members, "file"),
        text::plural(one.versions, "version"),
        text::size(one.bytes),
    ))?;
    Ok(())
}
