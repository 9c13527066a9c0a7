//! `account activate` and `deactivate`: which accounts `sync` exports.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chatvault_engine::{Custodian, Options};
use chatvault_ingest::sync::{self, Account, Rule, Which};
use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;

use chatvault_query::resolve::Unresolved;

use super::pick::pick;
use crate::console::Console;
use crate::failure::{Outcome, WrongUsage};
use crate::text;

pub(super) const ACTIVATE_EXAMPLES: &str = "\
Examples:
  chatvault account activate team.cvault --all
  chatvault account activate team.cvault --users --without disabled
  chatvault account activate team.cvault ann@contoso.com team:0f3c8a52-… \"Sales\"
  chatvault account activate team.cvault --from-file accounts.txt

An ID is user:ID or team:ID as `chatvault account list` shows it, the bare id, an address, or a name \
that only one account has. user:ID and team:ID need not be known yet: this way a list can take the \
place of the directory (`chatvault sync --no-discover`). --all, --users and --teams mean those that are \
known now; accounts found later are inactive again, unless `chatvault sync --activate-new` says otherwise. \
They leave out guests and users without a licence (rooms, shared mailboxes), of whom the service exports \
nothing, as far as the directory says: --with guests,unlicensed takes them too.

JSON fields: active (true), left_out (accounts that the rule left out), changed (list of accounts; those that were active already are not in it).";

pub(super) const DEACTIVATE_EXAMPLES: &str = "\
Examples:
  chatvault account deactivate team.cvault ann@contoso.com
  chatvault account deactivate team.cvault --teams
  chatvault account deactivate team.cvault --deleted       when the service has nothing more of them
  chatvault account deactivate team.cvault --from-file accounts.txt

What the archive holds of an account stays. Activated again, its export goes on where it was; what the \
service has removed meanwhile is lost.

JSON fields: active (false), left_out (0), changed (list of accounts; those that were inactive already are not in it).";

/// Which accounts.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").args(["ids", "all", "users", "teams", "deleted", "from_file"]).required(true)))]
pub(super) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// user:ID, team:ID, a bare id, an address, or a name that only one account has
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    kinds: Kinds,
    /// The accounts that a file names, one a line; - for standard input. Empty lines and lines that
    /// start with # are skipped
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Many at once.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Kinds {
    /// Every account
    #[arg(long)]
    all: bool,
    /// Every user
    #[arg(long)]
    users: bool,
    /// Every team
    #[arg(long)]
    teams: bool,
    /// With `deactivate`: every account that was deleted, or is not in the directory any more
    #[arg(long)]
    deleted: bool,
    /// With --all and --users: guests or users without a licence too, with commas between
    #[arg(long, value_name = "KINDS", value_delimiter = ',', conflicts_with_all = ["ids", "from_file"])]
    with: Vec<LeftOut>,
    /// With --all and --users: not those users who cannot sign in any more
    #[arg(long, value_name = "KINDS", value_delimiter = ',', conflicts_with_all = ["ids", "from_file"])]
    without: Vec<Disabled>,
}

/// Users that are left out unless they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LeftOut {
    /// Users of other tenants
    Guests,
    /// Users without any licence
    Unlicensed,
}

/// Users that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Disabled {
    /// Users who cannot sign in any more
    Disabled,
}

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    active: bool,
    left_out: u64,
    changed: Vec<&'a str>,
}

/// Accounts that are named for people; of more only the number is told.
const NAMED_ACCOUNTS: usize = 20;

pub(super) fn run(
    arguments: &Arguments,
    active: bool,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    // A list that cannot be read is told before the archive is touched.
    let (rule, names) = (which(arguments, active)?, names(arguments)?);
    let folder = &arguments.archive;
    let archive = super::super::open_to_write(folder, Options::default())?;
    let which = match rule {
        Some(rule) => rule,
        None => Which::These(meant(&names, &sync::accounts(&archive)?, active)?),
    };
    let changed = sync::activate(&archive, &which, active)?;
    let left_out = match which {
        Which::By(rule) => left_out(rule, &sync::accounts(&archive)?),
        _ => 0,
    };
    super::super::close(archive, folder, console)?;
    if arguments.json {
        let changed = changed.iter().map(Custodian::as_str).collect();
        console.json(&Report { active, left_out, changed })?;
        return Ok(Outcome::Done);
    }
    lines(&changed, active).iter().try_for_each(|line| console.line(line))?;
    if left_out > 0 {
        let accounts = text::plural(left_out, "account");
        console
            .remark(format!("{accounts} left out: see `account list` for guests and unlicensed"))?;
    }
    Ok(Outcome::Done)
}

/// Users and teams that a rule would mean if it left out nobody.
fn left_out(rule: Rule, accounts: &[Account]) -> u64 {
    let every = Rule { guests: true, unlicensed: true, disabled: true, ..rule };
    let is_left = |account: &&Account| every.fits(account) && !rule.fits(account);
    accounts.iter().filter(is_left).count() as u64
}

/// Whom the names mean. A custodian that is written out need not be known to be activated.
fn meant(names: &[String], accounts: &[Account], active: bool) -> anyhow::Result<Vec<Custodian>> {
    let is_written_out = |name: &str| {
        let id = name.strip_prefix("user:").or_else(|| name.strip_prefix("team:"));
        id.is_some_and(|id| !id.is_empty() && !id.contains(char::is_whitespace))
    };
    let custodian = |name: &String| match pick(accounts, name) {
        Err(Unresolved::Nobody { .. }) if active && is_written_out(name) => {
            Ok(Custodian::parse(name))
        }
        found => Ok(found.map(|account| account.custodian.clone())?),
    };
    names.iter().map(custodian).collect()
}

/// `None`: those that are named.
fn which(arguments: &Arguments, active: bool) -> anyhow::Result<Option<Which>> {
    let Kinds { all, users, teams, deleted, with, without } = &arguments.kinds;
    let (all, users, teams) = (*all, *users, *teams);
    if *deleted && active {
        return Err(WrongUsage("--deleted is for `account deactivate`".to_owned()).into());
    }
    let rule = Rule {
        guests: with.contains(&LeftOut::Guests),
        unlicensed: with.contains(&LeftOut::Unlicensed),
        disabled: without.is_empty(),
        users: all || users,
        teams: all || teams,
    };
    let narrows = !with.is_empty() || !without.is_empty();
    Ok(match () {
        () if *deleted => Some(Which::Deleted),
        () if (all || users || teams) && (active || narrows) => Some(Which::By(rule)),
        () if all => Some(Which::All),
        () if users => Some(Which::Users),
        () if teams => Some(Which::Teams),
        () => None,
    })
}

fn names(arguments: &Arguments) -> anyhow::Result<Vec<String>> {
    match &arguments.from_file {
        Some(file) => Ok(named(&read(file)?)?),
        None => Ok(arguments.ids.clone()),
    }
}

#[expect(clippy::disallowed_methods, reason = "what the user names is outside of any archive")]
fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    let _ = read.with_context(|| format!("cannot read the accounts in {}", file.display()))?;
    Ok(text)
}

fn named(text: &str) -> Result<Vec<String>, WrongUsage> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().map(str::trim);
    let ids = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned);
    let ids: Vec<String> = ids.collect();
    if ids.is_empty() {
        return Err(WrongUsage("the file names no account".to_owned()));
    }
    Ok(ids)
}

fn lines(changed: &[Custodian], active: bool) -> Vec<String> {
    let word = if active { "active" } else { "inactive" };
    let number = u64::try_from(changed.len()).unwrap_or(u64::MAX);
    if changed.is_empty() {
        return vec![format!("nothing changed: they were {word} already, or there are none")];
    }
    let mut lines = vec![format!("{} now {word}", text::plural(number, "account"))];
    if changed.len() <= NAMED_ACCOUNTS {
        lines.extend(changed.iter().map(|custodian| format!("  {custodian}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn parsed(line: &[&str]) -> Result<Arguments, clap::Error> {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            arguments: Arguments,
        }
        let line = ["activate", "a"].into_iter().chain(line.iter().copied());
        Alone::try_parse_from(line).map(|alone| alone.arguments)
    }

    #[test]
    fn accounts_are_named_one_by_one_or_many_at_once() {
        let wanted = |line: &[&str]| which(&parsed(line).unwrap(), true).unwrap().unwrap();
        assert_eq!(wanted(&["--all"]), Which::By(Rule::ALL));
        assert_eq!(wanted(&["--users"]), Which::By(Rule::USERS));
        assert_eq!(wanted(&["--teams"]), Which::By(Rule::TEAMS));
        let by_name = parsed(&["ann", "team:t"]).unwrap();
        assert_eq!(which(&by_name, true).unwrap(), None);
        assert_eq!(names(&by_name).unwrap(), ["ann", "team:t"]);
        let more = Rule { guests: true, disabled: false, ..Rule::USERS };
        let line = ["--users", "--with", "guests", "--without", "disabled"];
        assert_eq!(wanted(&line), Which::By(more));
        let unwanted = |line: &[&str]| which(&parsed(line).unwrap(), false).unwrap().unwrap();
        assert_eq!(unwanted(&["--all"]), Which::All, "nobody is left out of an end");
        assert_eq!(unwanted(&["--deleted"]), Which::Deleted);
        assert!(which(&parsed(&["--deleted"]).unwrap(), true).is_err());
        for line in
            [&[][..], &["--all", "--users"], &["ann", "--all"], &["ann", "--from-file", "f"]]
        {
            assert!(parsed(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn a_file_names_one_account_a_line() {
        let text = "\u{feff}# the board\r\nann@contoso.com\r\n\n  team:t  \n#user:x\n";
        assert_eq!(named(text).unwrap(), ["ann@contoso.com", "team:t"]);
        assert!(named("# nobody\n\n").is_err());
        let missing = parsed(&["--from-file", "no/such/file"]).unwrap();
        assert!(names(&missing).unwrap_err().to_string().contains("no/such/file"));
    }

    #[test]
    fn a_name_means_one_account_and_a_custodian_may_be_new() {
        let accounts = ["user:a1", "user:b2", "user:b3", "team:t1"].map(|id| Account {
            name: Some(if id.contains('b') { "Ben" } else { "Sales" }.to_owned()),
            ..Account::new(Custodian::parse(id))
        });
        let told = |name: &str, active| match meant(&[name.to_owned()], &accounts, active) {
            Ok(found) => found[0].to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(told("b2", true), "user:b2");
        assert_eq!(told("user:new", true), "user:new");
        assert!(told("user:new", false).starts_with("no account is called"));
        assert!(told("user:", true).starts_with("no account is called"));
        assert!(told("ben", true).contains("can be more than one account"));
    }

    #[test]
    fn a_few_are_named_and_many_are_counted() {
        let accounts = |number: u32| -> Vec<Custodian> {
            (0..number).map(|id| Custodian::user(&id.to_string())).collect()
        };
        assert_eq!(lines(&accounts(1), true), ["1 account now active", "  user:0"]);
        assert_eq!(lines(&accounts(1_000), false), ["1,000 accounts now inactive"]);
        assert!(lines(&[], true)[0].starts_with("nothing changed"));
    }
}
