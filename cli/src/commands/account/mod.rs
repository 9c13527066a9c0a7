//! `account`: whose messages `sync` exports, and how far each export is.

mod activate;
mod list;
mod missing;
mod pick;

use clap::{Args, Subcommand};

pub(super) use pick::pick;

use crate::console::Console;
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  chatvault account list team.cvault
  chatvault account activate team.cvault --users
  chatvault account deactivate team.cvault ann@contoso.com
  chatvault account missing team.cvault

An account is a user or a team whose export is kept up to date. `sync` finds accounts in the directory; \
each is inactive, and not exported, until it is activated.";

/// Choose whose messages `sync` exports, and see how far each export is
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::Arguments),
    /// Export these accounts from the next `sync` on
    #[command(after_help = activate::ACTIVATE_EXAMPLES)]
    #[command(
        override_usage = "chatvault account activate ARCHIVE <ID...|--all|--users|--teams|--from-file FILE>"
    )]
    Activate(activate::Arguments),
    /// Export these accounts no more; what the archive holds of them stays
    #[command(after_help = activate::DEACTIVATE_EXAMPLES)]
    #[command(
        override_usage = "chatvault account deactivate ARCHIVE <ID...|--all|--users|--teams|--deleted|--from-file FILE>"
    )]
    Deactivate(activate::Arguments),
    Missing(missing::Arguments),
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    match &arguments.action {
        Action::List(arguments) => list::run(arguments, console),
        Action::Activate(arguments) => activate::run(arguments, true, console),
        Action::Deactivate(arguments) => activate::run(arguments, false, console),
        Action::Missing(arguments) => missing::run(arguments, console),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_action_teaches_with_an_example_of_itself() {
        let whole = crate::args::Arguments::command();
        let command = whole.find_subcommand("account").unwrap();
        for action in command.get_subcommands() {
            let help = action.get_after_help().map(ToString::to_string).unwrap_or_default();
            let call = format!("chatvault account {}", action.get_name());
            assert!(help.contains(&call), "{} has no example", action.get_name());
            assert!(action.get_about().is_some(), "{} has no description", action.get_name());
        }
    }
}
