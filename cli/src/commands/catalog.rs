//! `catalog rebuild`: throws the derived catalog away and builds it anew.

use std::path::PathBuf;

use chatvault_engine::Options;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault catalog rebuild team.cvault";

const REBUILD_EXAMPLES: &str = "\
Examples:
  chatvault catalog rebuild team.cvault
  chatvault catalog rebuild team.cvault --json

The catalog only makes answers faster; it holds nothing that is not in the segments and the journal. \
A damaged or old one is noticed and rebuilt by itself, so this is rarely needed.

JSON fields: segments (how many were catalogued).";

/// Look after the catalog, which is derived from the segments and can always be rebuilt
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Rebuild(Rebuild),
}

/// Throw the catalog away and build it anew
#[derive(Debug, Args)]
#[command(after_help = REBUILD_EXAMPLES)]
struct Rebuild {
    /// The archive's folder
    archive: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Rebuilt {
    segments: u64,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let Action::Rebuild(rebuild) = &arguments.action;
    let archive = super::open_to_write(&rebuild.archive, Options::default())?;
    let segments = archive.rebuild_catalog()?;
    super::close(archive, &rebuild.archive, console)?;
    let line = format!("rebuilt the catalog from {}", text::plural(segments, "segment"));
    console.report(rebuild.json, &Rebuilt { segments }, [line])?;
    Ok(Outcome::Done)
}
