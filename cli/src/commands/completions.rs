//! `completions`: the command line, as a shell learns it.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use crate::args;
use crate::console::Console;
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  chatvault completions bash > ~/.local/share/bash-completion/completions/chatvault
  chatvault completions zsh > ~/.zfunc/_chatvault        a folder of $fpath
  chatvault completions fish > ~/.config/fish/completions/chatvault.fish
  chatvault completions powershell >> $PROFILE";

/// Print what makes a shell complete this command
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// For which shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut args::command(), "chatvault", &mut script);
    console.out.write_all(&script)?;
    Ok(Outcome::Done)
}
