//! The command line as a whole; each command's own arguments stand beside what it does.

use std::ffi::OsString;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing::Level;

use crate::commands::{
    account, catalog, chats, compact, completions, copy, demo, export, exports, get, history,
    import, index, init, man, people, quarantine, query, repair, runs, serve, stat, sync, verify,
};
use crate::console::Console;
use crate::failure::Outcome;
use crate::log;
use crate::progress::Show;

const EXAMPLES: &str = "\
Examples:
  chatvault demo                                    see it work on a small made-up export
  chatvault init team.cvault                        make an empty archive
  chatvault import team.cvault pages/               a folder with a folder per custodian
  chatvault sync team.cvault --tenant ID --client-id ID --client-secret-file FILE
                                                    bring it up to date from Microsoft Graph
  chatvault account activate team.cvault --all      choose whose messages sync exports
  chatvault stat team.cvault                        what is in it, and how much space it takes
  chatvault query team.cvault --created-from 2024-05 --limit 20 --format table
  chatvault query team.cvault --count-by month      how many messages there are, in groups
  chatvault index team.cvault                       make its words searchable: query --search
  chatvault people team.cvault lee                  who is meant, and what they were called when
  chatvault get team.cvault --chat 19:abc@thread.v2 --id 1714556400000
  chatvault export team.cvault --format pdf --custodian ann --all --out ann/
                                                    hand out a person's chats, with proof
  chatvault verify team.cvault --deep               prove that everything is there
  chatvault copy team.cvault /backup/team.cvault    back it up, also while it is written
  chatvault repair team.cvault new.cvault           after damage: a healthy archive of what is whole
  chatvault completions bash                        what makes the shell complete all this

An archive is a folder. One process at a time may write to it (import, sync, account activate, compact, \
catalog rebuild); any number may read from it at the same time.

Exit codes: 0 done; 1 failed, damaged or stopped before the end; 2 wrong usage; 3 done, but something is \
missing or in quarantine. Results go to standard output, everything else to standard error.";

/// Keeps Microsoft Teams messages for years: stores each one once and gives it back byte for byte
#[derive(Debug, Parser)]
#[command(name = "chatvault", version, after_help = EXAMPLES, disable_help_subcommand = false)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How progress is shown on standard error
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "HOW",
        display_order = 990
    )]
    pub(crate) progress: Show,
    /// No progress and no advice: results, what is missing and errors only
    #[arg(short, long, global = true, display_order = 991)]
    pub(crate) quiet: bool,
    /// What the program says of its work on standard error: debug tells every commit, scan and request
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "CHATVAULT_LOG",
        hide_env_values = true,
        value_parser = PossibleValuesParser::new(log::LEVELS).try_map(|name| name.parse::<Level>()),
        display_order = 992
    )]
    pub(crate) log: Option<Level>,
}

impl Arguments {
    /// Those of a command line, its name first.
    pub(crate) fn of<A>(line: A) -> clap::error::Result<Self>
    where
        A: IntoIterator,
        A::Item: Into<OsString> + Clone,
    {
        Self::from_arg_matches(&command().try_get_matches_from(line)?)
    }
}

/// The command line as it is explained.
pub(crate) fn command() -> clap::Command {
    in_brief(Arguments::command())
}

/// `-h` shows the examples behind a command's options, `--help` what follows them, too.
fn in_brief(command: clap::Command) -> clap::Command {
    let command = command.mut_subcommands(in_brief);
    let whole = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    match whole.split_once("\n\n") {
        Some((examples, _)) => {
            let brief = format!("{examples}\n\nMore: --help");
            command.after_help(brief).after_long_help(whole)
        }
        None => command,
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Arguments),
    Import(import::Arguments),
    Sync(Box<sync::Arguments>),
    Account(account::Arguments),
    Runs(runs::Arguments),
    Query(Box<query::Arguments>),
    Chats(chats::Arguments),
    People(people::Arguments),
    Get(get::Arguments),
    History(history::Arguments),
    Export(Box<export::Arguments>),
    Exports(exports::Arguments),
    Serve(serve::Arguments),
    Stat(stat::Arguments),
    Verify(verify::Arguments),
    Repair(repair::Arguments),
    Compact(compact::Arguments),
    Copy(copy::Arguments),
    Quarantine(quarantine::Arguments),
    Index(index::Arguments),
    Catalog(catalog::Arguments),
    Demo(demo::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

impl Command {
    /// Does what was asked, and says how it ended.
    pub(crate) fn run(&self, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
        match self {
            Self::Init(arguments) => init::run(arguments, console),
            Self::Import(arguments) => import::run(arguments, console),
            Self::Sync(arguments) => sync::run(arguments, console),
            Self::Account(arguments) => account::run(arguments, console),
            Self::Runs(arguments) => runs::run(arguments, console),
            Self::Query(arguments) => query::run(arguments, console),
            Self::Chats(arguments) => chats::run(arguments, console),
            Self::People(arguments) => people::run(arguments, console),
            Self::Get(arguments) => get::run(arguments, console),
            Self::History(arguments) => history::run(arguments, console),
            Self::Export(arguments) => export::run(arguments, console),
            Self::Exports(arguments) => exports::run(arguments, console),
            Self::Serve(arguments) => serve::run(arguments, console),
            Self::Stat(arguments) => stat::run(arguments, console),
            Self::Verify(arguments) => verify::run(arguments, console),
            Self::Repair(arguments) => repair::run(arguments, console),
            Self::Compact(arguments) => compact::run(arguments, console),
            Self::Copy(arguments) => copy::run(arguments, console),
            Self::Quarantine(arguments) => quarantine::run(arguments, console),
            Self::Index(arguments) => index::run(arguments, console),
            Self::Catalog(arguments) => catalog::run(arguments, console),
            Self::Demo(arguments) => demo::run(arguments, console),
            Self::Completions(arguments) => completions::run(arguments, console),
            Self::Man(arguments) => man::run(arguments, console),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_short_help_ends_with_the_examples() {
        let help = |option| Arguments::of(["chatvault", "import", option]).unwrap_err().to_string();
        let (brief, whole) = (help("-h"), help("--help"));
        assert!(brief.contains("Examples:") && !brief.contains("Exit codes"), "{brief}");
        assert!(whole.contains("Exit codes"), "{whole}");
    }

    #[test]
    fn every_command_teaches_with_an_example_of_itself() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let call = format!("chatvault {}", command.get_name());
            assert!(help.contains(&call), "{} has no example", command.get_name());
            assert!(command.get_about().is_some(), "{} has no description", command.get_name());
        }
    }
}
