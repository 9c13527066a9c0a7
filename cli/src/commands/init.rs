//! `init`: makes an empty archive.

use std::path::PathBuf;

use anyhow::Context;
use chatvault_engine::{Archive, Host, Options};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  chatvault init team.cvault
  chatvault init /backup/2024/team.cvault --json

JSON fields: archive (the path), created (true).";

/// Make an empty archive
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The folder to make; it must not hold an archive yet
    archive: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Made {
    archive: String,
    created: bool,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let folder = &arguments.archive;
    let archive = Archive::create(Host::disk(folder), Options::default())
        .with_context(|| format!("cannot make an archive in {}", folder.display()))?;
    super::close(archive, folder, console)?;
    let shown = folder.display().to_string();
    let lines = [
        format!("made an empty archive in {shown}"),
        format!("next: chatvault sync {shown}, which exports a tenant: help sync"),
        format!("or:   chatvault import {shown} PAGES_FOLDER"),
    ];
    console.report(arguments.json, &Made { archive: shown, created: true }, lines)?;
    Ok(Outcome::Done)
}
