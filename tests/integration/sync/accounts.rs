//! Accounts, runs and reports as a person sees them.

use std::ops::ControlFlow;

use chatvault_engine::Custodian;
use chatvault_fake_graph::{Behaviour, Setup};
use chatvault_ingest::graph::Feed;
use chatvault_ingest::sync::{self, Outcome, Rule, SyncError, Which};

use super::kit::{World, empty_archive, holdings};

fn world() -> World {
    let world = World::new(Setup { days: 12, ..Setup::default() }, Behaviour::default());
    world.set_day(12);
    world
}

#[test]
fn only_what_is_active_is_asked_for() {
    let world = world();
    let archive = empty_archive();
    let first = world.sync(&archive, &world.options());
    let accounts = sync::accounts(&archive).unwrap();
    assert_eq!((first.discovered, first.inactive), (accounts.len() as u64, accounts.len() as u64));
    assert!(accounts.iter().all(|account| account.last.is_none() && !account.active));
    assert_eq!(holdings(&archive).len(), 0);
    let user =
        accounts.iter().find(|account| account.custodian.as_str().starts_with("user:")).unwrap();
    let chosen = Which::These(vec![user.custodian.clone()]);
    let changed = sync::activate(&archive, &chosen, true).unwrap();
    assert_eq!(changed, std::slice::from_ref(&user.custodian));
    let second = world.sync(&archive, &world.options());
    assert_eq!(second.accounts.keys().collect::<Vec<_>>(), [user.custodian.as_str()]);
    assert!(holdings(&archive).values().all(|who| who.iter().eq([user.custodian.as_str()])));
    drop(sync::activate(&archive, &Which::All, false).unwrap());
    assert_eq!(world.sync(&archive, &world.options()).accounts.len(), 0);
}

#[test]
fn a_run_can_be_for_some_accounts_only() {
    let world = world();
    let archive = world.archive_of_all();
    let team = sync::accounts(&archive).unwrap().remove(0).custodian;
    assert!(team.as_str().starts_with("team:"));
    let mut some = world.options();
    some.accounts = vec![team.clone()];
    let report = world.sync(&archive, &some);
    assert_eq!(report.accounts.keys().collect::<Vec<_>>(), [team.as_str()]);
    let mut stranger = world.options();
    stranger.accounts = vec![Custodian::user("nobody")];
    let refused = world.try_sync(&archive, &stranger).unwrap_err().to_string();
    assert!(refused.contains("user:nobody is not active"), "{refused}");
}

#[test]
fn runs_and_their_reports_are_kept_in_the_archive() {
    let world = world();
    let archive = world.archive_of_all();
    let report = world.sync(&archive, &world.options());
    let runs = sync::runs(&archive).unwrap();
    assert_eq!(runs.len(), 2, "the one that found the accounts, too");
    assert_eq!((runs[0].run, runs[0].outcome), (report.run, Some(report.outcome())));
    assert_eq!(runs[0].tally, report.total);
    assert_eq!(sync::report(&archive, report.run).unwrap(), Some(report.clone()));
    assert_eq!(sync::report(&archive, 999).unwrap(), None);
    let accounts = sync::accounts(&archive).unwrap();
    for account in accounts {
        let last = account.last.unwrap();
        assert_eq!(last.run, report.run);
        assert_eq!(last.outcome, report.accounts[account.custodian.as_str()].outcome);
    }
}

#[test]
fn a_run_inside_of_a_callers_runtime_is_the_same_run() {
    let world = world();
    let archive = world.archive_of_all();
    let (ours, service, options) = (archive.clone(), world.service(), world.options());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (checks, report) = runtime.block_on(async {
        let checks = sync::check_async(&service, &options, &[]).await.unwrap();
        // A task of its own, as a server starts them: the future can be sent between threads.
        let run = tokio::spawn(async move {
            let go_on = |_: &sync::SyncProgress| ControlFlow::Continue(());
            sync::sync_async(&ours, &service, &options, go_on).await
        });
        (checks, run.await.unwrap().unwrap())
    });
    assert!(checks.iter().all(|check| check.outcome.is_ok()), "{checks:?}");
    super::kit::assert_complete(&report);
    super::kit::assert_holds(&archive, &world.visible(&world.options().feeds));
}

#[test]
fn a_run_whose_caller_is_gone_ends_and_the_next_goes_on() {
    let world = world();
    let archive = world.archive_of_all();
    let mut options = world.options();
    options.page_rows = 1;
    let (service, enough) = (world.service(), tokio::sync::Notify::new());
    let progress = |now: &sync::SyncProgress| {
        if now.pages > 5 {
            enough.notify_one();
        }
        ControlFlow::Continue(())
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::select! {
            report = sync::sync_async(&archive, &service, &options, progress) => panic!("{report:?}"),
            () = enough.notified() => {}
        }
    });
    drop(runtime);
    let rest = world.sync(&archive, &options);
    assert!(rest.total.stored > 0, "{:?}", rest.total);
    super::kit::assert_holds(&archive, &world.visible(&options.feeds));
}

#[test]
fn a_run_that_was_stopped_says_so_and_the_next_goes_on() {
    let world = world();
    let archive = world.archive_of_all();
    // Pages of one row: the run must take longer than the time between two calls for progress.
    let mut options = world.options();
    options.page_rows = 1;
    let stop = &mut |progress: &sync::SyncProgress| match progress.pages {
        0..5 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    let stopped = sync::sync(&archive, &world.service(), &options, stop).unwrap();
    assert_eq!((stopped.finished, stopped.outcome()), (false, Outcome::Stopped));
    super::kit::assert_balances(&stopped);
    let rest = world.sync(&archive, &options);
    assert!(rest.total.stored > 0, "{:?} after {:?}", rest.total, stopped.total);
    super::kit::assert_holds(&archive, &world.visible(&options.feeds));
}

#[test]
fn an_archive_holds_one_tenant() {
    let (one, other) =
        (world(), World::new(Setup { seed: 2, ..Setup::default() }, Behaviour::default()));
    let archive = one.archive_of_all();
    let ended = other.try_sync(&archive, &other.options());
    assert!(matches!(
        ended,
        Err(SyncError::WrongTenant { archive, asked })
            if archive.starts_with(&one.fake.tenant_id()) && asked.starts_with(&other.fake.tenant_id())
    ));
}

#[test]
fn new_accounts_are_activated_by_rule_and_deleted_ones_end() {
    let world = world();
    let archive = empty_archive();
    let rule = Some(Rule::USERS);
    let mut options = world.options();
    options.activate_new = rule;
    let report = world.sync(&archive, &options);
    assert!(report.accounts.keys().all(|custodian| custodian.starts_with("user:")), "{report:?}");
    let accounts = sync::accounts(&archive).unwrap();
    for account in &accounts {
        let is_user = account.custodian.as_str().starts_with("user:");
        let has_mailbox = account.guest != Some(true) && account.licensed != Some(false);
        assert_eq!(account.active, is_user && has_mailbox && !account.deleted, "{account:?}");
    }
    assert!(accounts.iter().any(|account| account.guest == Some(true)), "{accounts:?}");
    let who = report.accounts.keys().next().unwrap().clone();
    drop(sync::activate(&archive, &Which::These(vec![Custodian::parse(&who)]), false).unwrap());
    assert!(!world.sync(&archive, &options).accounts.contains_key(&who), "somebody has decided");
    // Names outlive their accounts, and who has left the recycle bin is gone.
    drop(sync::activate(&archive, &Which::All, true).unwrap());
    world.set_day(60);
    drop(world.sync(&archive, &world.options()));
    let later = sync::accounts(&archive).unwrap();
    let gone: Vec<_> = later.iter().filter(|account| account.gone).collect();
    assert!(!gone.is_empty() && gone.iter().all(|account| account.active), "{later:?}");
    for before in &accounts {
        let now = later.iter().find(|account| account.custodian == before.custodian).unwrap();
        assert_eq!((&now.name, &now.address), (&before.name, &before.address), "{before:?}");
    }
    let ended = sync::activate(&archive, &Which::Deleted, false).unwrap();
    assert!(gone.iter().all(|account| ended.contains(&account.custodian)), "{ended:?}");
}

#[test]
fn what_lasts_is_told_once_and_fails_no_later_run() {
    let world = world();
    let archive = world.archive_of_all();
    let feeds = vec![Feed::Chats, Feed::Channels, Feed::Copilot];
    let mut options = world.options();
    options.feeds = feeds;
    let first = world.sync(&archive, &options);
    let licences = first.accounts.values().flat_map(|account| &account.troubles);
    let licences: Vec<_> = licences.filter(|trouble| trouble.reason.contains("licence")).collect();
    assert!(!licences.is_empty() && licences.iter().all(|trouble| trouble.known), "{licences:?}");
    assert!(licences.iter().all(|trouble| !trouble.advice.contains("consent")), "{licences:?}");
    assert!(first.news() > 0, "accounts without a mailbox are news: {first:?}");
    let second = world.sync(&archive, &options);
    assert_eq!((second.news(), second.total.failures), (0, first.total.failures), "{second:?}");
    world.fake.set(Behaviour { retained_refused: true, ..Behaviour::default() });
    let mut retained = world.options();
    retained.feeds = vec![Feed::RetainedChats];
    assert!(world.sync(&archive, &retained).news() > 0, "another feed is news again");
    assert_eq!(world.sync(&archive, &retained).news(), 0);
}
