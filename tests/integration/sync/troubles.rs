//! What goes wrong is told in one line and counted, spoils nothing else, and is made up for.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use chatvault_fake_graph::{Access, Behaviour, Faults, Foreign, Hostile, ROLES, Setup};
use chatvault_ingest::graph::{App, Cloud, Credential, Failure, FailureKind, Feed, Limits, Secret};
use chatvault_ingest::sync::{self, Outcome, Service, SyncError};

use super::kit::{World, assert_balances, assert_complete, assert_holds, empty_archive};

fn calm() -> Setup {
    Setup { days: 12, ..Setup::default() }
}

/// The first user whose export has rows, as the service names it.
fn a_user(world: &World) -> String {
    let users = world.tenant.users(world.now());
    users.iter().find(|user| user.mailbox && !user.guest).unwrap().id.clone()
}

#[test]
fn a_hostile_answer_harms_one_account_and_is_made_up_for() {
    let cases = [
        Hostile::ForeignLink(Foreign::Host),
        Hostile::ForeignLink(Foreign::Port),
        Hostile::ForeignLink(Foreign::Scheme),
        Hostile::ForeignLink(Foreign::UserInfo),
        Hostile::EndlessEmpty,
        Hostile::EndlessRows,
        Hostile::HugePage(3 << 20),
        Hostile::LengthTooLong,
        Hostile::LengthTooShort,
        Hostile::RedirectElsewhere,
        Hostile::NotJson,
        Hostile::ErrorUnder200,
    ];
    for hostile in cases {
        let world = World::new(calm(), Behaviour::default());
        world.set_day(12);
        let archive = world.archive_of_all();
        let user = a_user(&world);
        let hostile_for = Some(user.clone());
        let evil =
            Behaviour { hostile: Some(hostile.clone()), hostile_for, ..Behaviour::default() };
        world.fake.set(evil);
        let patience = Duration::from_secs(1);
        let limits =
            Limits { answer_bytes: 1 << 20, attempts: 3, patience, ..super::kit::unlimited() };
        let service = Service { limits, ..world.service() };
        let mut options = world.options();
        options.feeds = vec![Feed::Chats, Feed::Channels];
        let go_on = &mut |_: &sync::SyncProgress| ControlFlow::Continue(());
        let report = sync::sync(&archive, &service, &options, go_on).unwrap();
        assert_balances(&report);
        for (custodian, account) in &report.accounts {
            let spoiled = *custodian == format!("user:{user}");
            let complete = account.outcome == Outcome::Complete;
            let has_no_mailbox = account.troubles.iter().any(|t| t.reason.contains("not found"));
            assert!(spoiled != complete || has_no_mailbox, "{hostile:?}: {custodian}: {account:?}");
        }
        world.fake.set(Behaviour::default());
        let again = world.sync(&archive, &options);
        assert_complete(&again);
        let seen = world.fake.seen();
        assert_eq!((seen.bearer_elsewhere, seen.altered_links), (0, 0), "{hostile:?}");
        assert_holds(&archive, &world.visible(&options.feeds));
    }
}

#[test]
fn odd_rows_and_links_cost_nothing() {
    for hostile in [Hostile::DeepNesting(100_000), Hostile::BrokenText, Hostile::RepeatingLink] {
        let world = World::new(calm(), Behaviour::default());
        world.set_day(12);
        let archive = world.archive_of_all();
        world.fake.set(Behaviour { hostile: Some(hostile.clone()), ..Behaviour::default() });
        let report = world.sync(&archive, &world.options());
        assert!(report.total.copies > 0, "{hostile:?}: {report:?}");
        world.fake.set(Behaviour::default());
        assert_complete(&world.sync(&archive, &world.options()));
    }
}

#[test]
fn a_service_that_cannot_answer_for_much_is_asked_for_less() {
    let world = World::new(calm(), Behaviour::default());
    world.set_day(12);
    let archive = world.archive_of_all();
    let faults = Faults { p504_above_top: Some(40), ..Faults::default() };
    world.fake.set(Behaviour { faults, ..Behaviour::default() });
    let mut options = world.options();
    options.feeds = vec![Feed::Chats, Feed::Channels];
    let report = world.sync(&archive, &options);
    assert_complete(&report);
    world.fake.set(Behaviour::default());
    let mut fresh = options;
    fresh.fresh = true;
    let more = world.sync(&archive, &fresh);
    assert_eq!((more.total.stored, more.total.variants), (0, 0), "it was all there");
}

#[test]
fn a_continuation_that_expires_costs_its_window_and_nothing_else() {
    let world = World::new(calm(), Behaviour::default());
    world.set_day(12);
    let archive = world.archive_of_all();
    let mut options = world.options();
    options.feeds = vec![Feed::Chats];
    options.page_rows = 5;
    world.fake.set(Behaviour { continuation_ms: Some(-1), ..Behaviour::default() });
    let report = world.sync(&archive, &options);
    assert_eq!(report.outcome(), Outcome::Partial, "no chain came to its end");
    world.fake.set(Behaviour::default());
    let again = world.sync(&archive, &options);
    assert_complete(&again);
    let accounts = sync::accounts(&archive).unwrap();
    let day = |account: &sync::Account| account.up_to_ms.unwrap_or(0) > world.now() - 3_600_000;
    let users = accounts.iter().filter(|account| account.custodian.as_str().starts_with("user:"));
    let users: Vec<_> = users
        .filter(|account| {
            account.last.as_ref().is_some_and(|last| last.outcome == Outcome::Complete)
        })
        .collect();
    assert!(!users.is_empty() && users.into_iter().all(day), "everything is in up to now");
}

/// How a run fails with another app or service.
#[expect(clippy::panic, reason = "the test's own failure")]
fn failure(world: &World, change: impl FnOnce(&mut App)) -> Failure {
    let mut service = world.service();
    change(&mut service.app);
    service.limits.attempts = 2;
    let go_on = &mut |_: &sync::SyncProgress| ControlFlow::Continue(());
    let ended = sync::sync(&empty_archive(), &service, &world.options(), go_on);
    match ended {
        Err(SyncError::Service(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_wrong_with_the_connection_is_one_line_that_names_it() {
    let world = World::new(calm(), Behaviour::default());
    let secret = |app: &mut App| {
        app.credential = Arc::new(Credential::Secret(Secret::new("wrong~secret".to_owned())));
    };
    let dead = |app: &mut App| {
        app.cloud = Cloud::custom("http://127.0.0.1:9", "http://127.0.0.1:9").unwrap();
    };
    for (failure, kind, word) in [
        (failure(&world, secret), FailureKind::Credentials, "secret"),
        (
            failure(&world, |app| app.client_id.replace_range(..1, "f")),
            FailureKind::Credentials,
            "client",
        ),
        (
            failure(&world, |app| app.tenant = "nobody.example".to_owned()),
            FailureKind::Credentials,
            "tenant",
        ),
        (failure(&world, dead), FailureKind::Network, "127.0.0.1"),
    ] {
        let line = failure.to_string();
        assert_eq!(failure.kind, kind, "{line}");
        assert!(line.contains(word) && line.lines().count() == 1, "{line}");
        assert!(!line.contains("wrong~secret"), "{line}");
    }
}

#[test]
fn a_missing_permission_is_told_once_and_named() {
    let roles = ROLES.iter().filter(|role| **role != "ChannelMessage.Read.All");
    let access =
        Access { roles: roles.map(|&role| role.to_owned()).collect(), ..Access::default() };
    let world = World::new(calm(), Behaviour { access, ..Behaviour::default() });
    world.set_day(12);
    let archive = world.archive_of_all();
    let report = world.sync(&archive, &world.options());
    let told: Vec<_> = report.troubles.iter().map(|trouble| &*trouble.what).collect();
    assert_eq!(told, ["channels", "retained-channels"], "{report:?}");
    assert!(report.troubles[0].reason.contains("ChannelMessage.Read.All"), "{report:?}");
    let users = report.accounts.iter().filter(|(custodian, _)| custodian.starts_with("user:"));
    assert!(users.clone().count() > 5);
    assert!(users.clone().any(|(_, account)| account.outcome == Outcome::Complete));
    assert!(report.total.copies > 100, "chats came in: {:?}", report.total);
    // With the permission everything is made up for.
    world.fake.set(Behaviour::default());
    let again = world.sync(&archive, &world.options());
    assert_complete(&again);
    assert_holds(&archive, &world.visible(&world.options().feeds));
}
