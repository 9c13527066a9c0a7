//! Which window of time a feed reads next: decisions only, no requests.
//!
//! A feed's time is cut into closed windows, `from <= t < to`, each read to the end of its chain of
//! pages. A window that is open is part of the position, with the link that comes next, so a killed
//! run goes on in the middle of it.
//!
//! Windows follow one another in a [`Stretch`]: from some time behind what is in, since exports lag,
//! to a goal shortly before the run began. A killed run's stretch is read to *its* goal first, and
//! then a new one begins behind that goal: what became visible late in a window that was read
//! before the kill is read again.
//!
//! Invariant: everything before [`Position::up_to_ms`] is in, except the [`Position::gaps`]. A gap
//! is a window whose chain did not come to its end, while others behind it did: one bad window must
//! not keep newer messages out until the service has forgotten them. Every run tries gaps again.

use serde::{Deserialize, Serialize};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A window is never narrower.
const NARROWEST_MS: i64 = 60 * 1000;
/// Nor wider: all time there is.
const WIDEST_MS: i64 = 36_600 * DAY_MS;
/// A chain of so few pages: the next window may be wider.
const SHORT_CHAIN: u32 = 4;
/// A chain of so many pages: the next window should be narrower. Pages are numbered by offset, and
/// the longer a chain, the more a folder that changes can shift under it.
const LONG_CHAIN: u32 = 64;
/// A chain that was begun so long ago is not gone on with: its pages are numbered by offset in a
/// folder that has changed since.
const STALE_MS: i64 = HOUR_MS;
/// A window that failed in the middle is read again from its start so often in one run.
const RESTARTS: u32 = 3;

/// How far a feed of an account is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Position {
    /// Windows up to here have had their turn.
    pub(super) up_to_ms: Option<i64>,
    /// Those of them that are not in.
    pub(super) gaps: Vec<Gap>,
    /// What is being read, window by window.
    pub(super) stretch: Option<Stretch>,
    /// The window of it, or of the gaps, that is being read.
    pub(super) open: Option<Window>,
    /// Width of the next window.
    pub(super) width_ms: Option<i64>,
    /// Rows asked for at once, if the service could not answer for more.
    pub(super) rows: Option<u32>,
    /// When everything of late was last read again.
    pub(super) rescanned_ms: Option<i64>,
    /// Where a delta feed goes on.
    pub(super) delta: Option<String>,
}

/// Time that is not in although later time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gap {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

/// A window that is being read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// It is one of the gaps, or a part of one.
    #[serde(default)]
    pub(super) gap: bool,
    /// Where it goes on; `None`: at its first page.
    pub(super) next: Option<String>,
    /// Pages that are in.
    pub(super) pages: u32,
    /// When its chain was begun.
    #[serde(default)]
    pub(super) began_ms: i64,
}

/// What of [`SyncOptions`](super::SyncOptions) decides about windows, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) start_ms: i64,
    pub(super) overlap_ms: i64,
    pub(super) settle_ms: i64,
    pub(super) width_ms: i64,
    pub(super) rescan_ms: i64,
    pub(super) rescan_every_ms: i64,
    pub(super) rows: u32,
}

impl Pace {
    pub(super) fn of(options: &super::SyncOptions) -> Self {
        Self {
            start_ms: options.start.ms(),
            overlap_ms: i64::from(options.overlap_hours) * HOUR_MS,
            settle_ms: i64::from(options.settle_minutes) * 60 * 1000,
            width_ms: i64::from(options.window_days.max(1)) * DAY_MS,
            rescan_ms: i64::from(options.rescan_days) * DAY_MS,
            rescan_every_ms: i64::from(options.rescan_every_days) * DAY_MS,
            rows: options.page_rows.max(1),
        }
    }
}

/// Windows one behind the other, up to a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// The next window starts here.
    pub(super) at_ms: i64,
    /// The last one ends here.
    pub(super) goal_ms: i64,
    /// It reads again everything of late.
    pub(super) rescan: bool,
}

/// One look at a feed: a stretch, and then the gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    now_ms: i64,
    /// The stretch is one that an earlier run began.
    pub(super) resumed: bool,
    /// Gaps that have not had their turn.
    gaps: Vec<Gap>,
}

impl Position {
    /// Everything before this is in.
    pub(super) fn complete_up_to_ms(&self) -> Option<i64> {
        let first_gap = self.gaps.iter().map(|gap| gap.from_ms).min();
        self.up_to_ms.map(|up_to| first_gap.map_or(up_to, |gap| gap.min(up_to)))
    }

    /// Begins to read at `now_ms`, or goes on with what an earlier run had begun.
    pub(super) fn begin(&mut self, pace: &Pace, now_ms: i64) -> Round {
        if self.open.as_ref().is_some_and(|open| now_ms - open.began_ms >= STALE_MS) {
            self.restart(now_ms);
        }
        let resumed = self.stretch.is_some();
        if !resumed {
            self.stretch = Some(self.next_stretch(pace, now_ms));
        }
        Round { now_ms, resumed, gaps: self.gaps.clone() }
    }

    fn next_stretch(&self, pace: &Pace, now_ms: i64) -> Stretch {
        let goal_ms = now_ms - pace.settle_ms;
        let late = self.rescanned_ms.is_none_or(|at| goal_ms - at >= pace.rescan_every_ms);
        let rescan = late && pace.rescan_ms > 0;
        let back_ms = if rescan { pace.rescan_ms.max(pace.overlap_ms) } else { pace.overlap_ms };
        let at_ms = match self.up_to_ms {
            None => pace.start_ms,
            // Of late counts from now, what has lagged from where the last run ended.
            Some(up_to) => (up_to - pace.overlap_ms).min(goal_ms - back_ms).max(pace.start_ms),
        };
        Stretch { at_ms, goal_ms, rescan }
    }

    /// The window to read next: the open one, or one that is opened here. `None`: done.
    pub(super) fn next_window(&mut self, round: &mut Round, pace: &Pace) -> Option<&mut Window> {
        if self.open.is_none() {
            let stretch = self.stretch.filter(|stretch| stretch.at_ms < stretch.goal_ms);
            let (gap, from_ms, end_ms) = if let Some(stretch) = stretch {
                (false, stretch.at_ms, stretch.goal_ms)
            } else {
                self.stretch = None;
                let gap = round.gaps.pop()?;
                (true, gap.from_ms, gap.to_ms)
            };
            let width = self.width_ms.unwrap_or(pace.width_ms).clamp(NARROWEST_MS, WIDEST_MS);
            let to_ms = from_ms.saturating_add(width).min(end_ms);
            if gap && to_ms < end_ms {
                round.gaps.push(Gap { from_ms: to_ms, to_ms: end_ms });
            }
            let began_ms = round.now_ms;
            self.open = Some(Window { from_ms, to_ms, gap, next: None, pages: 0, began_ms });
        }
        self.open.as_mut()
    }

    /// The open window's chain has ended: its time is in.
    pub(super) fn close(&mut self, pace: &Pace) {
        let Some(window) = self.leave() else { return };
        self.fill(window.from_ms, window.to_ms);
        let width = (window.to_ms - window.from_ms).max(self.width_ms.unwrap_or(pace.width_ms));
        self.width_ms = Some(match window.pages {
            // Years without a message should not cost a request a week.
            0..=1 => width.saturating_mul(8).min(WIDEST_MS),
            2..=SHORT_CHAIN => width.saturating_mul(2).min(WIDEST_MS),
            LONG_CHAIN.. => (window.to_ms - window.from_ms).max(2 * NARROWEST_MS) / 2,
            _ => width,
        });
        self.rows = self.rows.map(|rows| rows.saturating_mul(2)).filter(|rows| *rows < pace.rows);
    }

    /// The open window cannot be read to its end: it is a gap, and later ones have their turn.
    pub(super) fn skip(&mut self) {
        let Some(window) = self.leave() else { return };
        self.fill(window.from_ms, window.to_ms);
        self.gaps.push(Gap { from_ms: window.from_ms, to_ms: window.to_ms });
        self.gaps.sort_unstable_by_key(|gap| gap.from_ms);
        self.gaps.dedup_by(|later, earlier| {
            let touch = later.from_ms <= earlier.to_ms;
            if touch {
                earlier.to_ms = earlier.to_ms.max(later.to_ms);
            }
            touch
        });
    }

    /// Moves on behind the open window.
    fn leave(&mut self) -> Option<Window> {
        let window = self.open.take()?;
        let Some(stretch) = self.stretch.as_mut().filter(|_| !window.gap) else {
            return Some(window);
        };
        self.up_to_ms = Some(self.up_to_ms.unwrap_or(i64::MIN).max(window.to_ms));
        stretch.at_ms = window.to_ms;
        if stretch.at_ms >= stretch.goal_ms {
            if stretch.rescan {
                self.rescanned_ms = Some(stretch.goal_ms);
            }
            self.stretch = None;
        }
        Some(window)
    }

    /// Takes a range of time out of the gaps.
    fn fill(&mut self, from_ms: i64, to_ms: i64) {
        let parts = self.gaps.drain(..).flat_map(|gap| {
            let before = Gap { to_ms: gap.to_ms.min(from_ms), ..gap };
            let behind = Gap { from_ms: gap.from_ms.max(to_ms), ..gap };
            [before, behind].into_iter().filter(|part| part.from_ms < part.to_ms)
        });
        self.gaps = parts.collect();
    }

    /// The service could not answer for so many rows, or so much time, at once: asks for half.
    /// False if there is nothing left to halve.
    pub(super) fn ask_for_less(&mut self, pace: &Pace, can_choose_rows: bool, now_ms: i64) -> bool {
        let rows = self.rows.unwrap_or(pace.rows);
        self.restart(now_ms);
        let Some(window) = &mut self.open else { return false };
        if can_choose_rows && rows > 1 {
            self.rows = Some(rows / 2);
            return true;
        }
        let width = window.to_ms - window.from_ms;
        if width < 2 * NARROWEST_MS {
            return false;
        }
        window.to_ms = window.from_ms + width / 2;
        self.width_ms = Some(width / 2);
        true
    }

    /// A round of a delta feed goes on with this link.
    pub(super) fn follow_delta(&mut self, next: &str, now_ms: i64) {
        let new = Window {
            from_ms: now_ms,
            to_ms: now_ms,
            gap: false,
            next: None,
            pages: 0,
            began_ms: now_ms,
        };
        let window = self.open.get_or_insert(new);
        window.next = Some(next.to_owned());
        window.pages = window.pages.saturating_add(1);
    }

    /// A round of a delta feed has ended. Without a link for the next one, that starts anew.
    pub(super) fn end_delta(&mut self, delta: Option<&str>, now_ms: i64) {
        let began_ms = self.open.take().map_or(now_ms, |window| window.from_ms);
        self.up_to_ms = Some(self.up_to_ms.unwrap_or(i64::MIN).max(began_ms));
        self.delta = delta.map(str::to_owned);
    }

    /// The open window starts from its first page again.
    pub(super) fn restart(&mut self, now_ms: i64) {
        if let Some(window) = &mut self.open {
            (window.next, window.pages, window.began_ms) = (None, 0, now_ms);
        }
    }
}

/// Counts how often one window may start again in one run.
#[derive(Debug, Default)]
pub(super) struct Restarts(u32);

impl Restarts {
    pub(super) fn allow(&mut self) -> bool {
        self.0 += 1;
        self.0 <= RESTARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * DAY_MS;

    fn pace() -> Pace {
        Pace {
            start_ms: 900 * DAY_MS,
            overlap_ms: 2 * DAY_MS,
            settle_ms: 5 * 60 * 1000,
            width_ms: 7 * DAY_MS,
            rescan_ms: 21 * DAY_MS,
            rescan_every_ms: 7 * DAY_MS,
            rows: 250,
        }
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
        let mut position = Position::default();
        let windows = run(&mut position, NOW, 1);
        assert_gapless(&windows, pace().start_ms, NOW - pace().settle_ms);
        assert_eq!(windows.len(), 3, "7 days, 56 and the rest: {windows:?}");
        assert_eq!(position.up_to_ms, Some(NOW - pace().settle_ms));
    }

    #[test]
    fn windows_shrink_when_their_chains_are_long() {
        let windows = run(&mut Position::default(), NOW, LONG_CHAIN);
        assert_gapless(&windows, pace().start_ms, NOW - pace().settle_ms);
        let widths: Vec<_> = windows.iter().map(|(from, to)| to - from).collect();
        assert!(widths.windows(2).all(|pair| pair[1] <= pair[0]));
        assert!(
            widths.iter().all(|width| *width >= NARROWEST_MS || *width == widths[widths.len() - 1])
        );
    }

    #[test]
    fn the_next_day_reads_the_overlap_again_and_a_week_later_all_of_late() {
        let mut position = Position::default();
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
        let mut position = Position::default();
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
        assert_eq!((window.next.as_deref(), window.from_ms), (Some("link"), pace.start_ms));
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
        assert_gapless(first, pace().start_ms, goal(NOW));
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
        let mut position = Position::default();
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
        let mut position = Position::default();
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
        assert_eq!(open.from_ms, pace.start_ms);
    }

    #[test]
    fn a_window_that_cannot_be_read_is_a_gap_until_it_can() {
        let pace = pace();
        let mut position = Position::default();
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
        let mut position = Position { up_to_ms: Some(NOW), ..Position::default() };
        position.rescanned_ms = Some(NOW);
        let quick = Pace { overlap_ms: 0, ..pace() };
        let mut round = position.begin(&quick, NOW);
        assert_eq!(position.next_window(&mut round, &quick), None);
    }
}
