//! Is the connection good, how long will it be, and what will a first run cost?

use chatvault_engine::Timestamp;
use chatvault_fake_graph::{Access, Behaviour, DAY_MS, ROLES, Setup};
use chatvault_ingest::graph::Feed;
use chatvault_ingest::sync::{self, Check, Service};

use super::kit::{World, empty_archive};

fn world() -> World {
    let world = World::new(Setup { days: 12, ..Setup::default() }, Behaviour::default());
    world.set_day(12);
    world
}

/// All permissions but these.
fn without(roles: &[&str]) -> Behaviour {
    let left = ROLES.iter().filter(|role| !roles.contains(role)).map(|&role| role.to_owned());
    let access = Access { roles: left.collect(), ..Access::default() };
    Behaviour { access, ..Behaviour::default() }
}

fn check(world: &World, feeds: &[Feed]) -> Vec<Check> {
    let content = sync::Content { hosted: true, files: true, meetings: true };
    let mut options = world.options();
    options.feeds = feeds.to_vec();
    options.content = content;
    sync::check(&world.service(), &options, &[]).unwrap()
}

/// What failed, and what was said of it.
fn failed(checks: &[Check]) -> Vec<String> {
    let failed = checks.iter().filter_map(|check| {
        check.outcome.as_ref().err().map(|failure| format!("{}: {failure}", check.what))
    });
    failed.collect()
}

#[test]
fn a_healthy_tenant_passes_although_guests_and_rooms_come_first() {
    let world = world();
    let first = world.tenant.users(world.now())[0];
    assert!(!first.mailbox, "the worst order");
    let feeds = [Feed::Chats, Feed::Copilot, Feed::Recordings, Feed::Channels];
    let checks = check(&world, &feeds);
    assert_eq!(failed(&checks), [""; 0]);
    let names: Vec<_> = checks.iter().map(|check| check.what.as_str()).collect();
    for expected in [
        "token",
        "permission Chat.Read.All",
        "permission User.Read.All",
        "permission GroupMember.Read.All",
        "permission Team.ReadBasic.All",
        "permission Files.Read.All",
        "users of the directory",
    ] {
        assert!(names.contains(&expected), "{expected}: {names:?}");
    }
    for feed in feeds {
        let of = format!("{feed} of ");
        assert!(names.iter().any(|name| name.starts_with(&of)), "{of}: {names:?}");
    }
}

#[test]
fn each_missing_permission_is_named_and_no_consent_at_all_too() {
    let world = world();
    let files = ["Files.Read.All"];
    for missing in [&["User.Read.All"][..], &["Team.ReadBasic.All"], &files, &["Chat.Read.All"]] {
        world.fake.set(without(missing));
        let told = failed(&check(&world, &[Feed::Chats, Feed::Channels]));
        let name = format!("permission {}: ", missing[0]);
        assert!(told.iter().any(|line| line.starts_with(&name)), "{missing:?}: {told:?}");
    }
    world.fake.set(without(&ROLES));
    let told = failed(&check(&world, &[Feed::Chats]));
    assert!(told.len() == 1 && told[0].contains("admin consent"), "{told:?}");
}

#[test]
fn a_refusal_that_names_no_role_is_told_with_what_may_be_missing() {
    let world = world();
    let mut behaviour = without(&["Chat.Read.All"]);
    behaviour.access.silent = true;
    world.fake.set(behaviour);
    let told = failed(&check(&world, &[Feed::Chats]));
    assert!(told.iter().any(|line| line.contains("no permission Chat.Read.All")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("chats of user:")), "{told:?}");
}

#[test]
fn the_end_of_a_secret_is_told_thirty_days_ahead() {
    let world = world();
    let secret = |checks: &[Check]| {
        let of = |check: &&Check| check.what == "client secret" || check.what == "credential";
        checks.iter().find(of).unwrap().clone()
    };
    let unknown = secret(&check(&world, &[Feed::Chats]));
    assert!(unknown.outcome.unwrap().contains("--secret-expires") && unknown.warning.is_none());
    for (days, warned) in [(32, false), (29, true)] {
        let ends = world.now() + days * DAY_MS;
        let access = Access { secret_ends: Some(ends), ..Access::default() };
        world.fake.set(Behaviour { access, ..Behaviour::default() });
        let read = secret(&check(&world, &[Feed::Chats]));
        assert_eq!((read.outcome.is_ok(), read.warning.is_some()), (true, warned), "{days}");
    }
    // A run says it too, and asks nobody.
    let secret_expires = Some(Timestamp::from_ms(world.now() + 11 * DAY_MS));
    let service = Service { secret_expires, ..world.service() };
    let go_on = &mut |_: &sync::SyncProgress| std::ops::ControlFlow::Continue(());
    let report = sync::sync(&empty_archive(), &service, &world.options(), go_on).unwrap();
    assert!(report.notes.concat().contains("in 10 days"), "{:?}", report.notes);
    assert_eq!(report.news(), 0, "it is no failure");
}

#[test]
fn a_first_run_costs_what_was_estimated() {
    let setup = Setup { days: 12, messages_per_day: 10, ..Setup::default() };
    let world = World::new(setup, Behaviour::default());
    world.set_day(12);
    let archive = world.archive_of_all();
    let known = sync::accounts(&archive).unwrap();
    let options = world.options();
    let estimate = sync::estimate(&world.service(), &options, &known).unwrap();
    let active = known.iter().filter(|account| account.active).count() as u64;
    assert_eq!((estimate.accounts, estimate.sampled), (active, active), "all are asked");
    let run = world.sync(&archive, &options);
    assert_eq!((estimate.copies.low, estimate.copies.high), (run.total.copies, run.total.copies));
    assert!(estimate.requests.likely * 3 > run.total.pages, "{estimate:?}: {:?}", run.total);
    assert!(estimate.bytes.likely > 0 && estimate.without_mailbox > 0, "{estimate:?}");
    // Before there is an archive, the directory says who would be exported.
    let before = sync::estimate(&world.service(), &options, &[]).unwrap();
    assert!(before.accounts < estimate.accounts, "guests and rooms are left out: {before:?}");
    assert_eq!(before.without_mailbox, 0);
}
