//! Everything that the service ever showed is in the archive, with whose exports showed it.

use chatvault_engine::Depth;
use chatvault_fake_graph::{Behaviour, Faults, Paging, Setup};
use chatvault_ingest::graph::Feed;
use chatvault_ingest::sync::{self, Outcome, Plan, Which};

use serde_json::Value;

use super::kit::{World, assert_complete, assert_holds, empty_archive, holdings, windowed};
use crate::kit::go_on;

/// Days that the tenant's messages go on changing after the last was written.
const AFTERMATH: u32 = 12;

#[test]
fn a_run_a_day_keeps_every_version_that_any_export_showed() {
    let world = World::new(
        Setup::default(),
        Behaviour { paging: Paging::untidy(), ..Behaviour::default() },
    );
    let archive = world.archive_of_all();
    let mut options = world.options();
    options.feeds = windowed();
    for day in 1..=world.setup.days + AFTERMATH {
        world.set_day(day);
        let report = world.sync(&archive, &options);
        drop(sync::activate(&archive, &Which::All, true).unwrap());
        assert_eq!(report.troubles, [], "day {day}");
    }
    assert_holds(&archive, &world.truth(&options.feeds));
    let seen = world.fake.seen();
    assert_eq!((seen.altered_links, seen.one_sided_windows, seen.without_prefer), (0, 0, 0));
    assert_eq!(archive.verify(Depth::Deep, &mut go_on).unwrap().damages, []);
}

#[test]
fn running_twice_changes_nothing() {
    let world = World::new(Setup::default(), Behaviour::default());
    world.set_day(20);
    let archive = world.archive_of_all();
    let first = world.sync(&archive, &world.options());
    assert!(first.total.stored > 300, "{:?}", first.total);
    let (before, rows) = (archive.stat().unwrap(), holdings(&archive));
    let second = world.sync(&archive, &world.options());
    assert_eq!((second.total.stored, second.total.variants), (0, 0));
    assert_complete(&first);
    assert_complete(&second);
    let after = archive.stat().unwrap();
    assert_eq!((before.versions, before.variants), (after.versions, after.variants));
    assert_eq!(holdings(&archive), rows);
}

#[test]
fn accidents_of_the_service_lose_nothing() {
    let faults = Faults { p503_retry_after: 0, ..Faults::of_all_kinds(0.01) };
    let world = World::new(Setup::default(), Behaviour { faults, ..Behaviour::default() });
    let archive = empty_archive();
    let options = world.options();
    drop(world.try_sync(&archive, &options));
    drop(sync::activate(&archive, &Which::All, true).unwrap());
    for day in [10, 20, 30] {
        world.set_day(day);
        drop(world.try_sync(&archive, &options));
        drop(sync::activate(&archive, &Which::All, true).unwrap());
    }
    world.fake.set(Behaviour::default());
    let report = world.sync(&archive, &options);
    assert_complete(&report);
    let held = holdings(&archive);
    let visible = world.visible(&options.feeds);
    let lost: Vec<_> = visible.into_keys().filter(|row| !held.contains_key(row)).collect();
    assert_eq!(lost, Vec::<String>::new());
}

#[test]
fn fetching_once_gets_every_message_with_fewer_copies() {
    let setup = || Setup { lag: false, looks: false, ..Setup::default() };
    let run = |plan| {
        let world = World::new(setup(), Behaviour::default());
        world.set_day(25);
        let archive = world.archive_of_all();
        let feeds = vec![Feed::Chats];
        let mut options = world.options();
        options.plan = plan;
        options.feeds = feeds;
        let report = world.sync(&archive, &options);
        let complete =
            report.accounts.into_iter().filter(|(_, account)| account.outcome == Outcome::Complete);
        let complete: Vec<String> = complete.map(|(custodian, _)| custodian).collect();
        (holdings(&archive), (report.total, complete))
    };
    let (every, all) = run(Plan::EveryCopy);
    let (once, fewer) = run(Plan::FetchOnce);
    let lost: Vec<_> = every.keys().filter(|row| !once.contains_key(*row)).collect();
    // Nobody asks for what people wrote whose accounts are not exported, and nobody's own mailbox
    // follows a chat that they have left: of such a message only an earlier version is there.
    let message = |row: &String| {
        let row: Value = serde_json::from_str(row).unwrap();
        (row["chatId"].clone().to_string(), row["id"].to_string(), row["from"]["user"].clone())
    };
    let there: Vec<_> = once.keys().map(message).map(|(chat, id, _)| (chat, id)).collect();
    for (chat, id, user) in lost.into_iter().map(message) {
        let sender = format!("user:{}", user["id"].as_str().unwrap_or_default());
        let kinds = ["federatedUser", "anonymousGuest", "personalMicrosoftAccountUser"];
        let is_asked_for =
            all.1.contains(&sender) || kinds.iter().any(|kind| user["userIdentityType"] == *kind);
        assert!(!is_asked_for || there.contains(&(chat, id)), "{user}");
    }
    let (all, fewer) = (all.0, fewer.0);
    assert!(fewer.copies * 3 < all.copies * 2, "{} copies instead of {}", fewer.copies, all.copies);
}

#[test]
fn a_delta_feed_reads_what_changed_and_starts_anew_when_its_token_expired() {
    let setup = Setup { lag: false, looks: false, ..Setup::default() };
    let world = World::new(setup, Behaviour::default());
    let archive = world.archive_of_all();
    let feeds = vec![Feed::ChatsDelta];
    let mut options = world.options();
    options.feeds = feeds;
    world.set_day(10);
    let first = world.sync(&archive, &options);
    world.set_day(12);
    let second = world.sync(&archive, &options);
    assert!(
        second.total.copies < first.total.copies / 2,
        "{:?} after {:?}",
        second.total,
        first.total
    );
    assert!(second.total.stored > 0);
    world.set_day(25);
    let anew = world.sync(&archive, &options);
    assert!(anew.total.copies > first.total.copies, "everything again: {:?}", anew.total);
    assert_complete(&anew);
    assert!(anew.total.duplicates > 0 && anew.total.stored > 0, "{:?}", anew.total);
}
