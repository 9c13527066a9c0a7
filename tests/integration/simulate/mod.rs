//! A simulated life of an archive, and a crash at every operation of it.
//!
//! A *life* is what processes do with an archive on a disk in memory that keeps its state behind
//! each operation (`life.rs`). A *cut* is what a crash leaves of one of these states, in one of six
//! models (`cuts.rs`). What is found afterwards is compared with the reference archive: everything
//! acknowledged, nothing that was not offered, all of it exact (`truth.rs`).

mod cuts;
mod life;
mod truth;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chatvault_support::storage::{Cheat, Cheating, Volatile};

use crate::kit::Seed;
use cuts::Tally;
use life::Plan;

/// Crashes that `cargo test` makes of each of the four kinds of lives: ten thousand together.
const STATES: u64 = 2_500;

/// After so many kills at a moment a second process goes on, and its machine loses power.
const SECOND_PROCESSES: usize = 2;

/// A sweep ends at this many moments that fail: the first ones say enough.
const MOST_FAILURES: u64 = 20;

/// Sweeps lives of one kind, from a seed on, until there are enough states; says what was done.
fn simulate(first: u64, states: u64) -> Tally {
    let mut tally = Tally::default();
    let mut seed = Seed(first);
    while tally.states < states && tally.failures == 0 {
        let plan = Plan::of(seed.0);
        let life = life::first(&plan, &|disk: &Volatile| disk.storage());
        tally += cuts::sweep(&plan, &life, MOST_FAILURES);
        seed.0 += life::KINDS;
    }
    assert_eq!(tally.failures, 0, "{tally:?}");
    let part = tally.states / 20;
    assert!(tally.in_recovery > part && tally.looked_at > part);
    assert!(tally.gone_on > part);
    tally
}

#[test]
fn a_crash_at_any_operation_leaves_what_was_acknowledged() {
    assert!(simulate(0, STATES).states >= STATES);
}

#[test]
fn a_crash_while_memory_is_sealed_beside_commits_leaves_what_was_acknowledged() {
    assert!(simulate(1, STATES).states >= STATES);
}

#[test]
fn a_crash_while_trash_is_emptied_leaves_what_was_acknowledged() {
    assert!(simulate(2, STATES).states >= STATES);
}

#[test]
fn a_crash_between_many_openings_leaves_what_was_acknowledged() {
    assert!(simulate(3, STATES).states >= STATES);
}

/// Is anything wrong with a life on a storage that cheats, or with what crashes leave of it?
fn finds(cheat: Cheat, seed: u64) -> bool {
    let plan = Plan::of(seed);
    let swept = catch_unwind(AssertUnwindSafe(|| {
        let life = life::first(&plan, &|disk: &Volatile| Cheating::over(disk.storage(), cheat));
        cuts::sweep(&plan, &life, 1)
    }));
    swept.map_or(true, |tally| tally.failures > 0)
}

#[test]
fn every_promise_of_storage_that_is_broken_is_found_out() {
    let missed: Vec<_> = Cheat::ALL
        .into_iter()
        .filter(|cheat| !(0..life::KINDS).any(|seed| finds(*cheat, seed)))
        .collect();
    assert_eq!(missed, [], "the simulator is blind to these");
}

/// The long form: `CHATVAULT_ROUNDS` times 10,000 states of lives that `cargo test` does not
/// live, from seed `CHATVAULT_SEED` on; what was done is printed.
#[test]
#[ignore = "takes as long as it is told to"]
fn simulate_for_long() {
    let from = number("CHATVAULT_SEED", 1_000);
    let mut all = Tally::default();
    for round in 0..number("CHATVAULT_ROUNDS", 1) {
        for kind in 0..life::KINDS {
            all += simulate(from + round * 1_000 + kind, STATES);
        }
        // A long run that shows nothing is not trusted.
        let line = format!("round {round}, seeds from {}: {all:?}\n", from + round * 1_000);
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
    assert!(all.states >= STATES * life::KINDS);
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
