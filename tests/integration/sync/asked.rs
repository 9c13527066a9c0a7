//! What a run was asked for decides what its places mean: no run makes another incomplete.

use chatvault_engine::{Archive, Timestamp};
use chatvault_fake_graph::{Behaviour, DAY_MS, Setup};
use chatvault_ingest::graph::{Feed, Filter, Sender, UserKind};
use chatvault_ingest::sync::{self, Plan, SyncOptions};
use serde_json::Value;

use super::kit::{World, assert_complete, assert_holds, holdings};

const DAYS: u32 = 12;

fn world() -> World {
    let world = World::new(Setup { days: DAYS, ..Setup::default() }, Behaviour::default());
    world.set_day(DAYS);
    world
}

fn up_to(archive: &Archive) -> Option<i64> {
    let accounts = sync::accounts(archive).unwrap();
    let users = accounts.iter().filter(|account| account.custodian.as_str().starts_with("user:"));
    users.filter_map(|account| account.up_to_ms).max()
}

#[test]
fn a_complete_run_after_a_narrowed_one_reads_everything() {
    let narrowed: [fn(&mut SyncOptions, &World); 3] = [
        |options, _| {
            let federated = Sender::UserKind(UserKind::FEDERATED);
            options.filter = Some(Filter::from_sender(federated));
            options.feeds = vec![Feed::Chats, Feed::RetainedChats];
        },
        |options, _| options.plan = Plan::FetchOnce,
        |options, world| options.start = Timestamp::from_ms(world.now() - 2 * DAY_MS),
    ];
    for narrow in narrowed {
        let world = world();
        let archive = world.archive_of_all();
        let all = world.options();
        let mut part = all.clone();
        narrow(&mut part, &world);
        assert_complete(&world.sync(&archive, &part));
        let visible = world.visible(&all.feeds);
        assert!(holdings(&archive).len() < visible.len(), "{part:?}");
        let before = up_to(&archive);
        if part.start == all.start {
            assert_eq!(before, None, "nothing is known to be complete: {part:?}");
        }
        assert_complete(&world.sync(&archive, &all));
        assert_holds(&archive, &visible);
        assert!(up_to(&archive).unwrap() > world.now() - DAY_MS, "{part:?}");
        // Each goes on where it was.
        let again = [world.sync(&archive, &part), world.sync(&archive, &all)];
        assert!(again.iter().all(|run| run.total.stored == 0), "{again:?}");
    }
}

#[test]
fn the_filter_and_the_start_of_a_run_are_kept() {
    let world = world();
    let archive = world.archive_of_all();
    let start = Timestamp::from_ms(world.now() - 3 * DAY_MS);
    let filter = Filter::from_user("nobody");
    let (plan, feeds) = (Plan::EveryCopy, vec![Feed::Chats]);
    let mut options = world.options();
    options.filter = Some(filter.clone());
    options.start = start;
    options.plan = plan;
    options.feeds = feeds;
    let report = world.sync(&archive, &options);
    let asked = report.asked.clone().unwrap();
    assert_eq!((asked.feeds, asked.start_ms), (vec![Feed::Chats], start.ms()));
    assert_eq!(asked.filter, Some(filter.to_string()));
    let kept = sync::runs(&archive).unwrap().remove(0);
    assert_eq!(kept.asked, report.asked);
    for account in sync::accounts(&archive).unwrap() {
        let last = account.last.and_then(|last| last.asked);
        assert!(last.is_none() || last == report.asked);
        let filters: Vec<_> = account.feeds.iter().map(|state| state.filter.clone()).collect();
        assert!(filters.iter().all(|kept| *kept == Some(filter.to_string())), "{filters:?}");
        assert_eq!(account.up_to_ms, None);
    }
}

/// Takes away what an earlier version did not keep.
fn make_old(archive: &Archive) -> usize {
    let mut batch = archive.batch(archive.begin_run("an earlier version").unwrap());
    let kept = archive.checkpoints("graph/at/").unwrap();
    for (name, value) in &kept {
        let mut position: Value = serde_json::from_slice(value).unwrap();
        assert!(position.as_object_mut().unwrap().remove("scope").is_some());
        batch.checkpoint(name, position.to_string().as_bytes());
    }
    drop(batch.commit().unwrap());
    kept.len()
}

#[test]
fn a_position_of_which_nobody_knows_what_was_asked_is_read_from_the_start_and_told() {
    let world = world();
    let archive = world.archive_of_all();
    let mut options = world.options();
    options.feeds = vec![Feed::Chats];
    let first = world.sync(&archive, &options);
    let daily = world.sync(&archive, &options);
    assert!(daily.total.copies < first.total.copies && daily.notes.is_empty(), "{daily:?}");
    let positions = make_old(&archive);
    assert_eq!(up_to(&archive), None);
    let again = world.sync(&archive, &options);
    assert_eq!((again.total.copies, again.total.stored), (first.total.copies, 0));
    let note = again.notes.concat();
    let told = format!("chats: read from the start of {positions} accounts");
    assert!(note.starts_with(&told), "{note}");
    assert_eq!(world.sync(&archive, &options).notes, [""; 0]);
}

#[test]
fn a_range_of_time_is_exported_once_and_no_position_moves() {
    let world = world();
    let archive = world.archive_of_all();
    let feeds = vec![Feed::Chats, Feed::Channels, Feed::Copilot, Feed::Recordings];
    let mut all = world.options();
    all.feeds = feeds.clone();
    let day = |day: i64| Timestamp::from_ms(world.setup.from + day * DAY_MS);
    let (from, to) = (day(4), day(8));
    let mut part = all.clone();
    part.range = Some((from, to));
    let report = world.sync(&archive, &part);
    assert_eq!(report.asked.as_ref().unwrap().range_ms, Some((from.ms(), to.ms())));
    let changed = |row: &String| -> i64 {
        let row: Value = serde_json::from_str(row).unwrap();
        let time = row.get("lastModifiedDateTime").unwrap_or(&row["createdDateTime"]);
        time.as_str().unwrap().parse::<Timestamp>().unwrap().ms()
    };
    let visible = world.visible(&feeds);
    let is_in = |row: &String| (from.ms()..to.ms()).contains(&changed(row));
    let expected = visible.iter().filter(|(row, _)| is_in(row));
    let expected = expected.map(|(row, who)| (row.clone(), who.clone())).collect();
    assert_holds(&archive, &expected);
    let known = sync::accounts(&archive).unwrap();
    assert!(known.iter().all(|account| account.feeds.is_empty()), "{known:?}");
    let before = archive.checkpoints("graph/at/").unwrap();
    drop(world.sync(&archive, &all));
    assert_holds(&archive, &visible);
    let behind = archive.checkpoints("graph/at/").unwrap();
    assert!(before.is_empty() && !behind.is_empty());
    let again = world.sync(&archive, &part);
    assert_eq!((again.total.stored, again.total.copies), (0, report.total.copies));
    assert_eq!(archive.checkpoints("graph/at/").unwrap(), behind);
}
