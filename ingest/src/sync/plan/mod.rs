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
//! Invariant: everything of the position's [`Scope`] before [`Position::up_to_ms`] is in, except the
//! [`Position::gaps`]. A gap is a window whose chain did not come to its end, while others behind it
//! did: one bad window must not keep newer messages out until the service has forgotten them. Time
//! before the scope's start becomes a gap when a run asks for it. Every run tries gaps again.

use serde::{Deserialize, Serialize};

use super::{SyncError, store};

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
/// A chain of so many pages is given up for one of a narrower window: a run that is killed later
/// would have to read all of it again.
const LONGEST_CHAIN: u32 = 256;
/// A chain that was begun so long ago is not gone on with: its pages are numbered by offset in a
/// folder that has changed since.
const STALE_MS: i64 = HOUR_MS;
/// A window that failed in the middle is read again from its start so often in one run.
const RESTARTS: u32 = 3;

/// How far a feed of an account is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Position {
    /// The checkpoint that it is kept in; empty: it is for one run.
    #[serde(skip)]
    pub(super) name: String,
    /// What it is a position in; `None`: an earlier version did not keep that.
    pub(super) scope: Option<Scope>,
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

/// What of a feed is read: what passes a filter, from a time on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scope {
    /// The service's own words, without a range of time. Empty: everything.
    pub(super) filter: String,
    /// Nothing before it was asked for.
    pub(super) from_ms: i64,
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
    /// Nothing is read yet.
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope: Some(scope), ..Self::default() }
    }

    /// Reads a range of time, and nothing before or behind it.
    pub(super) fn once(from_ms: i64, goal_ms: i64) -> Self {
        let stretch = Some(Stretch { at_ms: from_ms, goal_ms, rescan: false });
        Self { stretch, ..Self::default() }
    }

    /// Goes on where a run was that asked for the same, or for later time only. False: what that run
    /// asked for is not known, so this is a new position.
    pub(super) fn resume(kept: Self, scope: Scope, windowed: bool) -> (Self, bool) {
        let Some(before) = &kept.scope else { return (Self::new(scope), false) };
        let earlier = Gap { from_ms: scope.from_ms, to_ms: before.from_ms };
        if earlier.from_ms >= earlier.to_ms {
            return (kept, true);
        }
        if !windowed {
            return (Self::new(scope), true);
        }
        let mut position = Self { scope: Some(scope), ..kept };
        position.add_gap(earlier);
        (position, true)
    }

    /// The position as it is kept, if it is.
    pub(super) fn checkpoint(&self) -> Result<Option<(String, Vec<u8>)>, SyncError> {
        let name = Some(&self.name).filter(|name| !name.is_empty());
        name.map(|name| Ok((name.clone(), store::bytes(name, self)?))).transpose()
    }

    /// The time from which on this is read.
    fn start_ms(&self) -> i64 {
        self.scope.as_ref().map_or(0, |scope| scope.from_ms)
    }

    /// Everything of its scope before this is in.
    pub(super) fn complete_up_to_ms(&self) -> Option<i64> {
        let _known = self.scope.as_ref()?;
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
        let from_ms = self.start_ms();
        let at_ms = match self.up_to_ms {
            None => from_ms,
            // Of late counts from now, what has lagged from where the last run ended.
            Some(up_to) => (up_to - pace.overlap_ms).min(goal_ms - back_ms).max(from_ms),
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
        self.add_gap(Gap { from_ms: window.from_ms, to_ms: window.to_ms });
    }

    fn add_gap(&mut self, gap: Gap) {
        self.gaps.push(gap);
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

    /// The open window's chain goes on with this link. True: the chain has become too long, and its
    /// window is begun anew, narrower, if it `may` be.
    pub(super) fn follow(&mut self, next: &str, may: bool, now_ms: i64) -> bool {
        let Some(window) = &mut self.open else { return false };
        window.pages = window.pages.saturating_add(1);
        window.next = Some(next.to_owned());
        let width = (window.to_ms - window.from_ms) / 8;
        let too_long = may && window.pages >= LONGEST_CHAIN && width >= NARROWEST_MS;
        if too_long {
            window.to_ms = window.from_ms + width;
            self.width_ms = Some(width);
            self.restart(now_ms);
        }
        too_long
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
mod tests;
