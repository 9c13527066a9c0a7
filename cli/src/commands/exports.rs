//! `exports`: which exports lie in folders, and how far they are.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use chatvault_engine::Disk;
use chatvault_export::folder::{Listed, list};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::table::{Column, Listing};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault exports all/
  chatvault exports case-17/ case-18/ --json

States: finished; running (a process is writing it now); stopped (go on with `chatvault export ARCHIVE \
--resume --out DIR`); damaged (its index cannot be read: `chatvault export check DIR` says why).

JSON fields: exports (list of folder, name, state, format, start, end, messages, parts, bytes, \
requested_by, problem).";

/// List the exports in folders and how far they are
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Folders that parts were written to
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Print the list as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct All {
    exports: Vec<One>,
}

#[derive(Default, Serialize)]
struct One {
    folder: String,
    name: String,
    state: &'static str,
    format: String,
    start: String,
    end: String,
    messages: u64,
    parts: u64,
    bytes: u64,
    requested_by: Option<String>,
    problem: Option<String>,
}

const COLUMNS: [Column; 6] = [
    Column::text("STATE", 8),
    Column::text("FORMAT", 7),
    Column::number("MESSAGES", 12),
    Column::number("PARTS", 6),
    Column::number("SIZE", 10),
    Column::rest("NAME"),
];

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let mut exports = Vec::new();
    for folder in &arguments.folders {
        ensure!(is_folder(folder), "{} is no folder", folder.display());
        let listed = list(&Disk::new(folder))?;
        exports.extend(listed.into_iter().map(|one| shown(folder.display().to_string(), one)));
    }
    if arguments.json {
        console.json(&All { exports })?;
        return Ok(Outcome::Done);
    }
    if exports.is_empty() {
        console.remark("there is no export in there")?;
        return Ok(Outcome::Done);
    }
    let mut listing = Listing::new(&COLUMNS, console.width());
    for one in exports {
        let row = vec![
            one.state.to_owned(),
            one.format,
            text::count(one.messages),
            text::count(one.parts),
            text::size(one.bytes),
            one.problem.unwrap_or(one.name),
        ];
        console.lines(listing.push(row))?;
    }
    console.lines(Some(listing.lines()))?;
    Ok(Outcome::Done)
}

#[expect(clippy::disallowed_methods, reason = "what the user names is outside of any archive")]
fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

fn shown(folder: String, listed: Listed) -> One {
    let Listed { name, index, is_running, open_bytes } = listed;
    let index = match index {
        Ok(index) => index,
        Err(error) => {
            let problem = Some(error.to_string());
            return One { folder, name, state: "damaged", problem, ..One::default() };
        }
    };
    let selection = &index.head.selection;
    let request = selection.more.get("request");
    let format = request.and_then(|request| request.get("format")?.as_str());
    One {
        folder,
        name,
        state: match (index.finished, is_running) {
            (true, _) => "finished",
            (false, true) => "running",
            (false, false) => "stopped",
        },
        format: format.unwrap_or_default().to_owned(),
        start: selection.start.clone(),
        end: selection.end.clone(),
        messages: index.counts.entries(),
        parts: index.parts.len() as u64,
        bytes: index.parts.iter().map(|part| part.bytes).sum::<u64>() + open_bytes,
        requested_by: index.head.requested_by,
        problem: None,
    }
}
