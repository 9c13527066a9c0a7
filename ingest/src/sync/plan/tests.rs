//! Windows that cover all time, whatever happened in between.

use super::*;

const NOW: i64 = 1_000 * DAY_MS;

fn pace() -> Pace {
    Pace {
        overlap_ms: 2 * DAY_MS,
        settle_ms: 5 * 60 * 1000,
        width_ms: 7 * DAY_MS,
        rescan_ms: 21 * DAY_MS,
        rescan_every_ms: 7 * DAY_MS,
        rows: 250,
    }
}

/// The first day that is asked for.
const START: i64 = 900 * DAY_MS;

fn from(from_ms: i64) -> Scope {
    Scope { filter: String::new(), from_ms }
}

fn new() -> Position {
    Position::new(from(START))
}

/// Reads a feed as a run does and gives its windows; each chain has `pages`.
fn run(position: &mut Position, now_ms: i64, pages: u32) -> Vec<(i64, i64)> {
    let pace = pace();
    let mut windows = Vec::new();
    loop {
        let mut round = position.begin(&pace, now_ms);
        while let Some(window) = position.next_window(&mut round, &pace) {
            window.pages = pages;
            windows.push((window.from_ms, window.to_ms));
            position.close(&pace);
        }
        if !round.resumed {
            return windows;
        }
    }
}

fn assert_gapless(windows: &[(i64, i64)], from: i64, to: i64) {
    assert_eq!(windows.first().map(|window| window.0), Some(from));
    assert_eq!(windows.last().map(|window| window.1), Some(to));
    assert!(windows.windows(2).all(|pair| pair[0].1 == pair[1].0), "{windows:?}");
}

#[test]
fn windows_cover_all_time_without_a_gap_and_grow_while_they_are_short() {
    let mut position = new();
    let windows = run(&mut position, NOW, 1);
    assert_gapless(&windows, START, NOW - pace().settle_ms);
    assert_eq!(windows.len(), 3, "7 days, 56 and the rest: {windows:?}");
    assert_eq!(position.up_to_ms, Some(NOW - pace().settle_ms));
}

#[test]
fn windows_shrink_when_their_chains_are_long() {
    let windows = run(&mut new(), NOW, LONG_CHAIN);
    assert_gapless(&windows, START, NOW - pace().settle_ms);
    let widths: Vec<_> = windows.iter().map(|(from, to)| to - from).collect();
    assert!(widths.windows(2).all(|pair| pair[1] <= pair[0]));
    assert!(
        widths.iter().all(|width| *width >= NARROWEST_MS || *width == widths[widths.len() - 1])
    );
}

#[test]
fn the_next_day_reads_the_overlap_again_and_a_week_later_all_of_late() {
    let mut position = new();
    drop(run(&mut position, NOW, 1));
    let goal = |day: i64| NOW + day * DAY_MS - pace().settle_ms;
    let next = run(&mut position, NOW + DAY_MS, 1);
    assert_gapless(&next, goal(0) - pace().overlap_ms, goal(1));
    for day in 2..7 {
        let again = run(&mut position, NOW + day * DAY_MS, 1);
        assert_gapless(&again, goal(day - 1) - pace().overlap_ms, goal(day));
    }
    let late = run(&mut position, NOW + 7 * DAY_MS, 1);
    assert_gapless(&late, goal(7) - pace().rescan_ms, goal(7));
    let after = run(&mut position, NOW + 8 * DAY_MS, 1);
    assert_gapless(&after, goal(7) - pace().overlap_ms, goal(8));
}

/// A position that was killed with pages of its first window in, as it is kept.
fn killed() -> Position {
    let pace = pace();
    let mut position = new();
    let mut round = position.begin(&pace, NOW);
    let window = position.next_window(&mut round, &pace).unwrap();
    (window.next, window.pages) = (Some("link".to_owned()), 3);
    let kept = serde_json::to_vec(&position).unwrap();
    serde_json::from_slice(&kept).unwrap()
}

#[test]
fn a_run_that_was_killed_goes_on_in_its_window_and_then_behind_it() {
    let pace = pace();
    let mut position = killed();
    let mut round = position.begin(&pace, NOW + STALE_MS - 1);
    let window = position.next_window(&mut round, &pace).unwrap().clone();
    assert_eq!((window.next.as_deref(), window.from_ms), (Some("link"), START));
    position.close(&pace);
    let rest = position.next_window(&mut round, &pace).unwrap();
    assert_eq!(rest.from_ms, window.to_ms);
}

#[test]
fn what_a_killed_run_had_read_is_read_again_behind_its_goal() {
    let goal = |now_ms: i64| now_ms - pace().settle_ms;
    let mut position = killed();
    let later = NOW + 5 * DAY_MS;
    let windows = run(&mut position, later, 1);
    let behind = windows.iter().position(|(_, to)| *to == goal(NOW)).unwrap() + 1;
    let (first, second) = windows.split_at(behind);
    assert_gapless(first, START, goal(NOW));
    assert_gapless(second, goal(NOW) - pace().overlap_ms, goal(later));
}

#[test]
fn a_chain_of_long_ago_is_begun_anew() {
    let mut position = killed();
    let mut round = position.begin(&pace(), NOW + STALE_MS);
    let window = position.next_window(&mut round, &pace()).unwrap();
    assert_eq!((window.next.as_deref(), window.pages), (None, 0));
    assert_eq!(window.began_ms, NOW + STALE_MS);
}

#[test]
fn what_was_read_is_never_forgotten_by_a_rescan() {
    let pace = pace();
    let mut position = new();
    drop(run(&mut position, NOW, 1));
    let up_to = position.up_to_ms;
    position.width_ms = Some(DAY_MS);
    let mut round = position.begin(&pace, NOW + 8 * DAY_MS);
    assert!(position.next_window(&mut round, &pace).is_some());
    position.close(&pace);
    assert_eq!(position.up_to_ms, up_to, "an old window moves nothing back");
    assert!(position.rescanned_ms.unwrap() < NOW, "and the rescan is not over");
}

#[test]
fn less_is_asked_for_until_there_is_nothing_to_halve() {
    let pace = pace();
    let mut position = new();
    let mut round = position.begin(&pace, NOW);
    position.next_window(&mut round, &pace).unwrap().next = Some("link".to_owned());
    let mut rows = Vec::new();
    while position.rows != Some(1) {
        assert!(position.ask_for_less(&pace, true, NOW));
        rows.extend(position.rows);
    }
    assert_eq!(rows, [125, 62, 31, 15, 7, 3, 1]);
    assert_eq!(position.open.as_ref().unwrap().next, None, "from its first page");
    let mut halvings = 0;
    while position.ask_for_less(&pace, true, NOW) {
        halvings += 1;
        assert!(halvings < 20);
    }
    let open = position.open.unwrap();
    assert!(open.to_ms - open.from_ms < 2 * NARROWEST_MS);
    assert_eq!(open.from_ms, START);
}

#[test]
fn a_window_that_cannot_be_read_is_a_gap_until_it_can() {
    let pace = pace();
    let mut position = new();
    let mut round = position.begin(&pace, NOW);
    let bad = position.next_window(&mut round, &pace).unwrap().clone();
    position.skip();
    while position.next_window(&mut round, &pace).is_some() {
        position.close(&pace);
    }
    let gap = Gap { from_ms: bad.from_ms, to_ms: bad.to_ms };
    assert_eq!(position.gaps, [gap], "it is not tried twice in a run");
    assert_eq!(position.up_to_ms, Some(NOW - pace.settle_ms));
    assert_eq!(position.complete_up_to_ms(), Some(bad.from_ms));

    let mut round = position.begin(&pace, NOW + DAY_MS);
    position.width_ms = Some(3 * DAY_MS);
    let mut parts = Vec::new();
    while let Some(window) = position.next_window(&mut round, &pace) {
        window.pages = SHORT_CHAIN + 1;
        let part = (window.from_ms, window.to_ms);
        if window.gap && parts.is_empty() {
            parts.push(part);
            position.skip();
            continue;
        }
        if window.gap {
            parts.push(part);
        }
        position.close(&pace);
    }
    assert!(parts.len() > 1, "{parts:?}");
    assert_gapless(&parts, gap.from_ms, gap.to_ms);
    let (from_ms, to_ms) = parts[0];
    assert_eq!(position.gaps, [Gap { from_ms, to_ms }], "the rest of it came in");
    drop(run(&mut position, NOW + 2 * DAY_MS, 1));
    assert_eq!(position.gaps, []);
    assert_eq!(position.complete_up_to_ms(), position.up_to_ms);
}

#[test]
fn nothing_is_read_when_the_settling_time_is_not_over() {
    let mut position = Position { up_to_ms: Some(NOW), ..new() };
    position.rescanned_ms = Some(NOW);
    let quick = Pace { overlap_ms: 0, ..pace() };
    let mut round = position.begin(&quick, NOW);
    assert_eq!(position.next_window(&mut round, &quick), None);
}

#[test]
fn a_position_from_before_scopes_were_kept_is_none() {
    let mut position = new();
    drop(run(&mut position, NOW, 1));
    let old = Position { scope: None, ..position.clone() };
    assert_eq!(old.complete_up_to_ms(), None, "of what it is complete, nobody knows");
    let (position, is_known) = Position::resume(old, from(START), true);
    assert_eq!((position, is_known), (new(), false));
}

#[test]
fn time_before_the_start_of_an_earlier_run_is_read_when_it_is_asked_for() {
    let late = NOW - 10 * DAY_MS;
    let mut position = Position::new(from(late));
    assert_gapless(&run(&mut position, NOW, 1), late, NOW - pace().settle_ms);
    let (mut position, _) = Position::resume(position, from(START), true);
    assert_eq!(position.complete_up_to_ms(), Some(START), "it is not in yet");
    let windows = run(&mut position, NOW + DAY_MS, 1);
    let (recent, earlier): (Vec<_>, Vec<_>) =
        windows.into_iter().partition(|(from, _)| *from >= late);
    assert_eq!(recent.first().map(|window| window.0), Some(NOW - pace().settle_ms - 2 * DAY_MS));
    assert_gapless(&earlier, START, late);
    assert_eq!(position.complete_up_to_ms(), Some(NOW + DAY_MS - pace().settle_ms));
}

#[test]
fn a_later_start_leaves_no_hole_behind_what_was_read() {
    let mut position = new();
    drop(run(&mut position, NOW, 1));
    let later = NOW + 30 * DAY_MS;
    let (mut position, _) = Position::resume(position, from(later - DAY_MS), true);
    let windows = run(&mut position, later, 1);
    assert_eq!(windows[0].0, NOW - pace().settle_ms - pace().overlap_ms);
    assert_eq!(position.scope, Some(from(START)));
}

#[test]
fn a_chain_that_is_too_long_is_begun_anew_in_a_narrower_window() {
    let pace = pace();
    let mut position = Position { width_ms: Some(80 * DAY_MS), ..new() };
    let mut round = position.begin(&pace, NOW);
    assert!(position.next_window(&mut round, &pace).is_some());
    for page in 1..LONGEST_CHAIN {
        assert!(!position.follow("next", true, NOW), "page {page}");
    }
    assert!(position.follow("next", true, NOW));
    let window = position.next_window(&mut round, &pace).unwrap();
    assert_eq!((window.from_ms, window.to_ms), (START, START + 10 * DAY_MS));
    assert_eq!((window.next.as_deref(), window.pages), (None, 0));
}
