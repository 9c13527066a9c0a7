//! Processes that are killed in the middle of a run: the next one goes on, and nothing is lost.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chatvault_engine::{Archive, Depth, ErrorKind, Host, Options};
use chatvault_fake_graph::{Behaviour, Paging, Setup};
use chatvault_ingest::graph::{App, Cloud, Credential, Secret};
use chatvault_ingest::sync::{self, Outcome, Service, SyncOptions, Which};
use chatvault_support::{Random, SteppingClock};

use super::kit::{World, assert_holds, unlimited};
use crate::kit::child::{self, Other};
use crate::kit::{files, go_on};

/// Days until the last change of what was written is visible, and retained versions too.
const AFTERMATH: u32 = 12;

/// A tenant's life: it seals so often that kills meet every kind of work.
struct Life {
    setup: Setup,
    kills: u32,
    longest_ms: u64,
    memtable_bytes: usize,
}

fn open_or_create(folder: &Path, memtable_bytes: usize) -> Archive {
    let host = || Host::disk(folder.join("archive"));
    let options = || {
        let mut options = Options::default();
        options.memtable_bytes = memtable_bytes;
        options
    };
    match Archive::open(host(), options()) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Archive::create(host(), options()).unwrap()
        }
        opened => opened.unwrap(),
    }
}

/// What the other process has to know: a line each.
fn tell_about(world: &World, memtable_bytes: usize, folder: &Path) {
    let about = format!(
        "{}\n{}\n{}\n{}\n{memtable_bytes}\n",
        world.fake.origin(),
        world.fake.tenant_id(),
        world.now(),
        world.setup.from
    );
    files::write(&folder.join("world"), about.as_bytes());
}

#[test]
#[ignore = "started by a test and killed by it"]
fn another_process_syncs() {
    let folder = child::folder();
    let about = String::from_utf8(files::read(&folder.join("world"))).unwrap();
    let [origin, tenant, now, from, memtable] =
        about.lines().collect::<Vec<_>>().try_into().unwrap();
    let clock = SteppingClock::new(child::number());
    clock.set_ms(now.parse().unwrap());
    let secret = Secret::new(chatvault_fake_graph::SECRET.to_owned());
    let app = App {
        tenant: tenant.to_owned(),
        client_id: chatvault_fake_graph::CLIENT_ID.to_owned(),
        credential: Arc::new(Credential::Secret(secret)),
        cloud: Cloud::custom(origin, origin).unwrap(),
    };
    let service = Service { limits: unlimited(), clock: Arc::new(clock), ..Service::new(app) };
    let mut options = SyncOptions::new(folder.join("incoming"));
    options.start = chatvault_engine::Timestamp::from_ms(from.parse().unwrap());
    let archive = open_or_create(&folder, memtable.parse().unwrap());
    let go_on = &mut |_: &sync::SyncProgress| std::ops::ControlFlow::Continue(());
    let report = sync::sync(&archive, &service, &options, go_on).unwrap();
    archive.close().unwrap();
    assert!(report.total.balances());
    child::tell(u64::from(report.outcome() == Outcome::Complete));
}

/// Lives through the tenant's days with a run a day that ends and others that are killed, and
/// compares.
fn check_life(life: Life) {
    let Life { setup, kills, longest_ms, memtable_bytes } = life;
    let paging = Paging { default_page: 10, ..Paging::untidy() };
    let world = World::new(setup, Behaviour { paging, ..Behaviour::default() });
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(world.setup.seed);
    let days = world.setup.days + AFTERMATH;
    let mut killed = 0;
    let run = |random: &mut Random| {
        Other::start("sync::kills::another_process_syncs", folder.path(), random.next_u64())
    };
    for day in 0..=days {
        world.set_day(day);
        tell_about(&world, memtable_bytes, folder.path());
        while killed < kills * day.min(world.setup.days) / world.setup.days {
            let other = run(&mut random);
            std::thread::sleep(Duration::from_millis(random.below(longest_ms)));
            drop(other.kill());
            killed += 1;
        }
        let mut other = run(&mut random);
        let told = other.listen();
        assert!(told.is_some() && other.has_passed(), "day {day}: the run did not end well");
        let archive = open_or_create(folder.path(), memtable_bytes);
        drop(sync::activate(&archive, &Which::All, true).unwrap());
        archive.close().unwrap();
    }
    assert_eq!(killed, kills);
    let archive = open_or_create(folder.path(), memtable_bytes);
    let options = SyncOptions::new("unused");
    assert_holds(&archive, &world.truth(&options.feeds));
    assert_eq!(archive.verify(Depth::Deep, &mut go_on).unwrap().damages, []);
    let seen = world.fake.seen();
    assert_eq!((seen.altered_links, seen.one_sided_windows, seen.bearer_elsewhere), (0, 0, 0));
}

#[test]
fn a_tenant_is_complete_although_runs_were_killed_at_any_moment() {
    let setup =
        Setup { users: 10, days: 10, messages_per_day: 30, recordings: 0, ..Setup::default() };
    check_life(Life { setup, kills: 20, longest_ms: 400, memtable_bytes: 512 << 10 });
}

#[test]
#[ignore = "takes minutes: run it with --release before a version"]
fn a_thousand_users_are_complete_after_two_hundred_kills() {
    let setup = Setup {
        users: 1_000,
        teams: 40,
        days: 30,
        messages_per_day: 2_000,
        recordings: 0,
        ..Setup::default()
    };
    check_life(Life { setup, kills: 200, longest_ms: 4_000, memtable_bytes: 8 << 20 });
}
