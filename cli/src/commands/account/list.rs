//! `account list`: the accounts as a backup product shows them.

use std::path::PathBuf;

use chatvault_ingest::sync::{self, Account, FeedState, LastTurn, Outcome as RunOutcome};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;
use crate::sync_report::{
    AskedFacts, TroubleFacts, Work, day, first_day_ms, minute, outcome_name, part, time,
};
use crate::table::{Column, Listing};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault account list team.cvault
  chatvault account list team.cvault --inactive
  chatvault account list team.cvault --failed --json

`up to` is the time before which everything that the service had, `from` the first day that was asked for, \
is in the archive, of every feed that was read without a filter; empty: nobody can tell, and the next run \
reads from the start. `result` is of what the last run asked for: `of` says what, if that was not all of \
the usual feeds; a narrow table has a * there. `missing` counts images, files and the like that could not \
be had: see `chatvault account missing`. Copies are those of the last run.

`kind` is what the directory says: guest, unlicensed (a room, a shared mailbox), disabled (cannot sign in). \
`gone`: not even in the recycle bin any more; `chatvault account deactivate --deleted` ends its export.

JSON fields: accounts (list of account, name, address, active, deleted (from the directory), gone, guest, \
enabled, licensed (true, false or null: not known), up_to, \
feeds (list of feed, filter (null: all of it), from, up_to), missing, last: null or run, ended, outcome \
(complete, partial, failed, stopped), asked (null or what `chatvault sync --json` says), the numbers of \
`chatvault sync --json`, troubles (list of what, reason, advice, known)).";

/// List the accounts: active or not, last run, its result, up to when they are complete
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    #[command(flatten)]
    only: Only,
    /// Print the list as one JSON object
    #[arg(long)]
    json: bool,
}

/// What an account must be to be listed.
#[derive(Debug, Args)]
struct Only {
    /// Only accounts that are exported
    #[arg(long, conflicts_with = "inactive")]
    active: bool,
    /// Only accounts that are not exported
    #[arg(long)]
    inactive: bool,
    /// Only accounts whose last run failed or is partial
    #[arg(long)]
    failed: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct List<'a> {
    accounts: Vec<AccountRow<'a>>,
}

#[derive(Serialize)]
struct AccountRow<'a> {
    account: &'a str,
    name: Option<&'a str>,
    address: Option<&'a str>,
    active: bool,
    deleted: bool,
    gone: bool,
    guest: Option<bool>,
    enabled: Option<bool>,
    licensed: Option<bool>,
    up_to: Option<String>,
    feeds: Vec<State<'a>>,
    missing: u64,
    last: Option<Last<'a>>,
}

#[derive(Serialize)]
struct State<'a> {
    feed: &'static str,
    filter: Option<&'a str>,
    from: Option<String>,
    up_to: Option<String>,
}

#[derive(Serialize)]
struct Last<'a> {
    run: u32,
    ended: String,
    outcome: &'static str,
    asked: Option<AskedFacts<'a>>,
    #[serde(flatten)]
    tally: Work,
    troubles: Vec<TroubleFacts<'a>>,
}

impl<'a> From<&'a Account> for AccountRow<'a> {
    fn from(account: &'a Account) -> Self {
        Self {
            account: account.custodian.as_str(),
            name: account.name.as_deref(),
            address: account.address.as_deref(),
            active: account.active,
            deleted: account.deleted,
            gone: account.gone,
            guest: account.guest,
            enabled: account.enabled,
            licensed: account.licensed,
            up_to: account.up_to_ms.map(time),
            feeds: account.feeds.iter().map(State::from).collect(),
            missing: account.missing,
            last: account.last.as_ref().map(Last::from),
        }
    }
}

impl<'a> From<&'a FeedState> for State<'a> {
    fn from(state: &'a FeedState) -> Self {
        Self {
            feed: state.feed.name(),
            filter: state.filter.as_deref(),
            from: state.from_ms.map(time),
            up_to: state.up_to_ms.map(time),
        }
    }
}

impl<'a> From<&'a LastTurn> for Last<'a> {
    fn from(last: &'a LastTurn) -> Self {
        Self {
            run: last.run,
            ended: time(last.ended_ms),
            outcome: outcome_name(last.outcome),
            asked: last.asked.as_ref().map(Into::into),
            tally: (&last.tally).into(),
            troubles: last.troubles.iter().map(Into::into).collect(),
        }
    }
}

pub(super) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let archive = super::super::open_to_read(&arguments.archive)?;
    let accounts = sync::accounts(&archive)?;
    let chosen: Vec<&Account> =
        accounts.iter().filter(|account| is_wanted(account, &arguments.only)).collect();
    if arguments.json {
        let accounts = chosen.into_iter().map(AccountRow::from).collect();
        console.json(&List { accounts })?;
    } else if accounts.is_empty() {
        console.line("no accounts yet: the first `chatvault sync` finds them")?;
    } else if chosen.is_empty() {
        console.line("no such account")?;
    } else {
        print(&chosen, console)?;
    }
    Ok(Outcome::Done)
}

fn is_wanted(account: &Account, only: &Only) -> bool {
    let outcome = account.last.as_ref().map(|last| last.outcome);
    let is_short = matches!(outcome, Some(RunOutcome::Failed | RunOutcome::Partial));
    (account.active || !only.active)
        && (!account.active || !only.inactive)
        && (is_short || !only.failed)
}

/// From this width on a line has room for ids and names.
const WIDE_CELLS: u16 = 200;

const WIDE: &[Column] = &[
    Column::id("account", 41),
    Column::text("kind", 10),
    Column::text("active", 7),
    Column::text("last run", 16),
    Column::text("result", 8),
    Column::text("of", 20),
    Column::number("copies", 11),
    Column::number("missing", 7),
    Column::text("from", 10),
    Column::text("up to", 16),
    Column::rest("name and address"),
];

const NARROW: &[Column] = &[
    Column::text("active", 7),
    Column::text("last run", 10),
    Column::text("result", 9),
    Column::number("copies", 11),
    Column::number("missing", 7),
    Column::text("up to", 10),
    Column::rest("account"),
];

fn print(accounts: &[&Account], console: &mut Console<'_>) -> anyhow::Result<()> {
    let is_wide = console.width().is_none_or(|cells| cells >= WIDE_CELLS);
    let columns = if is_wide { WIDE } else { NARROW };
    let mut listing = Listing::new(columns, console.width());
    for row in accounts.iter().map(|account| if is_wide { wide(account) } else { narrow(account) })
    {
        console.lines(listing.push(row))?;
    }
    console.lines(Some(listing.lines()))
}

fn wide(account: &Account) -> Vec<String> {
    let last = account.last.as_ref();
    let of = last.and_then(|last| part(last.asked.as_ref()?)).unwrap_or_default();
    let [active, last, result, copies, missing, up_to] = facts(account);
    let name = [account.name.as_deref(), account.address.as_deref()];
    let name = name.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let from = from(account).unwrap_or_default();
    let (account_id, kind) = (account.custodian.to_string(), kind(account).to_owned());
    vec![account_id, kind, active, last, result, of, copies, missing, from, up_to, name]
}

/// What makes a user one of whom there is nothing, or nothing more, to export.
fn kind(account: &Account) -> &'static str {
    match (account.guest, account.licensed, account.enabled) {
        (Some(true), ..) => "guest",
        (_, Some(false), _) => "unlicensed",
        (_, _, Some(false)) => "disabled",
        _ => "",
    }
}

/// The first day that is in, if that is not the usual one.
fn from(account: &Account) -> Option<String> {
    let whole = account.feeds.iter().filter(|state| state.filter.is_none());
    let latest = whole.filter_map(|state| state.from_ms).max()?;
    (latest > first_day_ms()).then(|| day(latest))
}

/// Dates without the time of day, and one name to call it by.
fn narrow(account: &Account) -> Vec<String> {
    let mut row: Vec<String> = facts(account).into();
    for at in [1, 5] {
        if let Some((date, _)) = row[at].split_once(' ') {
            row[at] = date.into();
        }
    }
    if account.last.as_ref().is_some_and(|last| last.asked.as_ref().and_then(part).is_some()) {
        row[2].push('*');
    }
    row.push(account.address.clone().unwrap_or_else(|| account.custodian.to_string()));
    row
}

/// Active, last run, its result, copies, missing, up to.
fn facts(account: &Account) -> [String; 6] {
    let last = account.last.as_ref();
    let active = match account.active {
        false => "no",
        true if account.gone => "gone",
        true if account.deleted => "deleted",
        true => "yes",
    };
    [
        active.to_owned(),
        last.map_or_else(|| "never".to_owned(), |last| minute(last.ended_ms)),
        last.map(|last| outcome_name(last.outcome)).unwrap_or_default().to_owned(),
        last.map(|last| text::count(last.tally.copies)).unwrap_or_default(),
        text::count(account.missing),
        account.up_to_ms.map(minute).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use chatvault_engine::Custodian;
    use chatvault_ingest::graph::Feed;
    use chatvault_ingest::sync::{Asked, Plan, Tally};

    use super::*;

    fn account(active: bool, outcome: Option<RunOutcome>) -> Account {
        let last = |outcome| LastTurn {
            run: 3,
            ended_ms: 1_772_438_400_000,
            outcome,
            tally: Tally { copies: 12_345, ..Tally::default() },
            troubles: Vec::new(),
            asked: None,
        };
        let usual = FeedState {
            feed: Feed::Chats,
            filter: None,
            from_ms: Some(first_day_ms()),
            up_to_ms: Some(1_772_438_100_000),
        };
        Account {
            name: Some("Ann Lee".to_owned()),
            address: Some("ann@contoso.com".to_owned()),
            active,
            last: outcome.map(last),
            up_to_ms: usual.up_to_ms,
            feeds: vec![usual],
            missing: 2,
            ..Account::new(Custodian::user("1f"))
        }
    }

    fn arguments(line: &[&str]) -> Arguments {
        use clap::Parser;
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            arguments: Arguments,
        }
        let line = ["list", "a"].into_iter().chain(line.iter().copied());
        Alone::try_parse_from(line).unwrap().arguments
    }

    #[test]
    fn the_list_can_be_narrowed() {
        let accounts = [
            account(true, Some(RunOutcome::Complete)),
            account(true, Some(RunOutcome::Partial)),
            account(false, Some(RunOutcome::Failed)),
            account(false, None),
        ];
        let wanted = |line: &[&str]| {
            let only = arguments(line).only;
            accounts.iter().filter(|account| is_wanted(account, &only)).count()
        };
        assert_eq!((wanted(&[]), wanted(&["--active"]), wanted(&["--inactive"])), (4, 2, 2));
        assert_eq!((wanted(&["--failed"]), wanted(&["--failed", "--active"])), (2, 1));
    }

    #[test]
    fn a_row_has_what_a_backup_product_shows() {
        let account_run = account(true, Some(RunOutcome::Partial));
        let row = [
            "user:1f",
            "",
            "yes",
            "2026-03-02 08:00",
            "partial",
            "",
            "12,345",
            "2",
            "",
            "2026-03-02 07:55",
            "Ann Lee, ann@contoso.com",
        ];
        assert_eq!(wide(&account_run), row);
        let row = ["yes", "2026-03-02", "partial", "12,345", "2", "2026-03-02", "ann@contoso.com"];
        assert_eq!(narrow(&account_run), row);
        assert_eq!(wide(&account(false, None))[2..5], ["no", "never", ""]);
        assert_eq!(
            (wide(&account_run).len(), narrow(&account_run).len()),
            (WIDE.len(), NARROW.len())
        );
    }

    #[test]
    fn a_row_says_of_what_it_is_true() {
        let mut one = account(true, Some(RunOutcome::Complete));
        let asked = Asked {
            feeds: vec![Feed::Chats],
            accounts: Vec::new(),
            plan: Plan::EveryCopy,
            filter: None,
            app_classes: Vec::new(),
            start_ms: 0,
            range_ms: None,
        };
        one.last.as_mut().unwrap().asked = Some(asked);
        one.feeds[0].from_ms = Some(1_767_225_600_000);
        let row = wide(&one);
        assert_eq!((&*row[4], &*row[5], &*row[8]), ("complete", "chats", "2026-01-01"));
        assert_eq!(narrow(&one)[2], "complete*");
        assert_eq!(narrow(&account(true, Some(RunOutcome::Complete)))[2], "complete");
    }

    #[test]
    fn programs_get_times_and_numbers() {
        let account_run = account(true, Some(RunOutcome::Complete));
        let value = serde_json::to_value(AccountRow::from(&account_run)).unwrap();
        assert_eq!(value["up_to"], "2026-03-02T07:55:00Z");
        assert_eq!(
            (&value["last"]["outcome"], &value["last"]["copies"]),
            (&"complete".into(), &12_345.into())
        );
        let never = account(false, None);
        assert!(serde_json::to_value(AccountRow::from(&never)).unwrap()["last"].is_null());
    }
}
