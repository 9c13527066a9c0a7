//! `man`: the command line as manual pages.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::args;
use crate::console::Console;
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  chatvault man | man -l -
  chatvault man ~/.local/share/man/man1      a page for each command: man chatvault-export";

/// Print the manual page, or write those of all commands into a folder
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The folder, which must be there
    folder: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let command = args::command();
    if let Some(folder) = &arguments.folder {
        clap_mangen::generate_to(command, folder)
            .with_context(|| format!("cannot write into {}", folder.display()))?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        console.out.write_all(&page)?;
    }
    Ok(Outcome::Done)
}
