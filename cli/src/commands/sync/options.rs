//! What to export, from the command line to the options of a run.

use std::path::PathBuf;

use anyhow::Context;
use chatvault_engine::{Custodian, Timestamp};
use chatvault_ingest::graph::{Feed, Model};
use chatvault_ingest::sync::{Account, Content, Plan, Rule, SyncOptions};
use chatvault_query::parse_time;

use super::arguments::{
    Arguments, ContentKind, DIRECTORY, ModelName, NewAccounts, PlanName, Selection,
};
use crate::commands::account;

/// Unfinished downloads wait here, inside the archive's folder: on the same disk, found again by
/// the next run.
const SPOOL: &str = "incoming";

/// The options of a run; `accounts` are those that the archive knows.
pub(super) fn options(arguments: &Arguments, accounts: &[Account]) -> anyhow::Result<SyncOptions> {
    let Arguments { selection, range, .. } = arguments;
    let spool = arguments.archive.as_ref().map_or_else(PathBuf::new, |folder| folder.join(SPOOL));
    let mut options = SyncOptions::new(spool);
    let start = time("start", range.start.as_deref())?.unwrap_or(options.start);
    let (from, to) = (time("from", range.from.as_deref())?, time("to", range.to.as_deref())?);
    let once = from.is_some() || to.is_some();
    options.feeds = feeds(selection)?;
    options.directory = selection.feeds.iter().any(|name| name == DIRECTORY);
    options.accounts = picked(selection, accounts)?;
    options.activate_new = selection.activate_new.map(|who| match who {
        NewAccounts::All => Rule::ALL,
        NewAccounts::Users => Rule::USERS,
        NewAccounts::Teams => Rule::TEAMS,
    });
    options.discover = !selection.no_discover;
    options.deleted = !selection.no_deleted;
    options.content = content(selection);
    options.start = start;
    options.range = once.then(|| (from.unwrap_or(start), to.unwrap_or(Timestamp::MAX)));
    options.overlap_hours = range.overlap_hours;
    options.rescan_days = range.rescan_days;
    options.page_rows = range.page_rows;
    options.plan = match selection.plan {
        PlanName::EveryCopy => Plan::EveryCopy,
        PlanName::FetchOnce => Plan::FetchOnce,
    };
    options.filter.clone_from(&selection.filter);
    options.app_classes.clone_from(&selection.app_classes);
    options.model = selection.model.map(|model| match model {
        ModelName::A => Model::A,
        ModelName::B => Model::B,
    });
    options.fresh = range.fresh;
    Ok(options)
}

fn time(option: &'static str, text: Option<&str>) -> anyhow::Result<Option<Timestamp>> {
    Ok(text.map(|text| parse_time(option, text)).transpose()?)
}

/// Each feed once, in the order given.
fn feeds(selection: &Selection) -> anyhow::Result<Vec<Feed>> {
    let mut feeds = Vec::new();
    for name in selection.feeds.iter().filter(|name| *name != DIRECTORY) {
        let feed = Feed::named(name).with_context(|| format!("there is no feed {name}"))?;
        if !feeds.contains(&feed) {
            feeds.push(feed);
        }
    }
    Ok(feeds)
}

fn picked(selection: &Selection, accounts: &[Account]) -> anyhow::Result<Vec<Custodian>> {
    let custodian = |text: &String| Ok(account::pick(accounts, text)?.custodian.clone());
    selection.accounts.iter().map(custodian).collect()
}

fn content(selection: &Selection) -> Content {
    let all = selection.content.is_empty();
    let wanted = |kind| !selection.no_content && (all || selection.content.contains(&kind));
    Content {
        hosted: wanted(ContentKind::Hosted),
        files: wanted(ContentKind::Files),
        meetings: wanted(ContentKind::Meetings),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parsed;
    use super::*;

    fn of(line: &[&str]) -> SyncOptions {
        options(&parsed(&[&["a.cvault"], line].concat()), &[]).unwrap()
    }

    #[test]
    fn without_options_a_run_is_what_the_library_takes_for_usual() {
        let usual = SyncOptions::new("a.cvault/incoming");
        assert_eq!(format!("{:?}", of(&[])), format!("{usual:?}"));
    }

    #[test]
    fn every_option_reaches_the_run() {
        let line = [
            "--feeds",
            "copilot,chats,copilot",
            "--no-discover",
            "--no-deleted",
            "--content",
            "files",
            "--start",
            "2024-05",
            "--overlap-hours",
            "24",
            "--rescan-days",
            "30",
            "--page-rows",
            "100",
            "--plan",
            "fetch-once",
            "--app-class",
            "x",
            "--model",
            "A",
            "--fresh",
            "--filter",
            "from/user/id eq 'ann'",
        ];
        let options = of(&line);
        let Content { hosted, files, meetings } = options.content;
        assert_eq!(options.feeds, [Feed::Copilot, Feed::Chats]);
        assert_eq!((hosted, files, meetings), (false, true, false));
        assert!(!options.discover && !options.deleted && options.fresh);
        assert_eq!(options.start, parse_time("start", "2024-05-01").unwrap());
        let numbers = (options.overlap_hours, options.rescan_days, options.page_rows);
        assert_eq!(numbers, (24, 30, 100));
        assert!(matches!(options.plan, Plan::FetchOnce));
        assert!(matches!(options.model, Some(Model::A)));
        assert!(options.filter.is_some());
        assert_eq!(options.app_classes, ["x"]);
    }

    #[test]
    fn a_range_is_from_and_before_and_starts_where_exports_do() {
        let at = |text| parse_time("x", text).unwrap();
        let range = |line: &[&str]| of(line).range;
        assert_eq!(range(&[]), None);
        let both = range(&["--from", "2024-01", "--to", "2024-02"]);
        assert_eq!(both, Some((at("2024-01-01"), at("2024-02-01"))));
        assert_eq!(range(&["--from", "2024-01"]), Some((at("2024-01-01"), Timestamp::MAX)));
        let first = SyncOptions::new("").start;
        assert_eq!(range(&["--to", "2024-02"]), Some((first, at("2024-02-01"))));
    }

    #[test]
    fn new_accounts_are_activated_by_kind() {
        let rule = |who| of(&["--activate-new", who]).activate_new.unwrap();
        assert_eq!(rule("all"), Rule::ALL);
        assert_eq!((rule("users"), rule("teams")), (Rule::USERS, Rule::TEAMS));
    }

    #[test]
    fn no_content_means_none_of_it() {
        let Content { hosted, files, meetings } = of(&["--no-content"]).content;
        assert_eq!((hosted, files, meetings), (false, false, false));
    }

    #[test]
    fn a_time_that_is_none_is_wrong_usage_and_an_account_that_is_none_a_failure() {
        for (line, code) in [
            (["a", "--start", "noon"], crate::failure::WRONG_USAGE),
            (["a", "--account", "nobody"], crate::failure::FAILED),
        ] {
            let error = options(&parsed(&line), &[]).unwrap_err();
            assert_eq!(crate::failure::code(&error), code, "{error}");
        }
    }
}
