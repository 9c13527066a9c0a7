//! A range cut into windows: pure.

use std::collections::BTreeSet;

use chatvault_engine::Timestamp;

use crate::entry::{Window, Zone};
use crate::error::{Error, Result};
use crate::request::day;

const DAY_MS: i64 = 86_400_000;
/// More windows than this are a mistake in their length.
const MOST_WINDOWS: usize = 10_000;

/// A range cut into windows of so many days from its start on, the last one shorter; 0 days: one
/// window. Days have 24 hours, whatever calendars and zones say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    start: Timestamp,
    end: Timestamp,
    length_ms: i64,
}

impl Grid {
    /// Of a pinned range.
    pub(super) fn new(start: Timestamp, end: Timestamp, days: u32) -> Self {
        let length = i64::from(days) * DAY_MS;
        let whole = end.ms().saturating_sub(start.ms()).max(1);
        Self { start, end, length_ms: if length == 0 { whole } else { length.min(whole) } }
    }

    /// Is it one window?
    pub(super) fn is_whole(self) -> bool {
        self.start.ms().saturating_add(self.length_ms) >= self.end.ms()
    }

    /// The place of the window that a time is in. What is behind the last millisecond is in the last.
    pub(super) fn place_of(self, at: Timestamp) -> i64 {
        let last = (self.end.ms() - self.start.ms() - 1).max(0);
        let from_start = at.ms().saturating_sub(self.start.ms()).clamp(0, last);
        from_start.div_euclid(self.length_ms)
    }

    /// The windows at some places, in order. One without messages is none: a date that is far off
    /// makes no row of empty ones.
    pub(super) fn windows(self, places: &BTreeSet<i64>) -> Result<Vec<Window>> {
        if places.len() > MOST_WINDOWS {
            let value = places.len().to_string();
            let accepted =
                "at most 10000: a shorter range, or a larger --window-days (0: one window)";
            return Err(Error::Setting { field: "windows", value, accepted });
        }
        let of = u32::try_from(places.len()).unwrap_or(u32::MAX);
        let window = |(place, number): (&i64, u32)| {
            let start = self.start.ms() + place * self.length_ms;
            let behind = Timestamp::from_ms(start + self.length_ms).min(self.end);
            Window { start: Timestamp::from_ms(start), end: behind, number, of }
        };
        Ok(places.iter().zip(1..).map(window).collect())
    }
}

/// The name of something of a window: all windows can be unpacked into one folder. Days are UTC's:
/// a window of one day never begins twice on one, as it can where clocks are put back.
pub(super) fn named(name: &str, window: Window) -> String {
    if window.of > 1 { format!("{name}_{}", day(Zone::Utc, window.start)) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows that have a message at some times.
    fn cut((start, end, days): (i64, i64, u32), times: &[i64]) -> Vec<(i64, i64)> {
        let grid = Grid::new(Timestamp::from_ms(start), Timestamp::from_ms(end), days);
        let places = times.iter().map(|ms| grid.place_of(Timestamp::from_ms(*ms)));
        let windows = grid.windows(&places.collect()).unwrap();
        let of = u32::try_from(windows.len()).unwrap();
        assert!(windows.iter().zip(1..).all(|(one, number)| (one.number, one.of) == (number, of)));
        assert_eq!(grid.is_whole(), grid.place_of(Timestamp::from_ms(end)) == 0);
        windows.iter().map(|window| (window.start.ms(), window.end.ms())).collect()
    }

    const D: i64 = DAY_MS;

    #[test]
    fn windows_meet_exactly_and_end_with_the_range() {
        for (range, times, expected) in [
            ((0, 90 * D, 90), &[0][..], vec![(0, 90 * D)]),
            ((0, 90 * D + 1, 90), &[0, 90 * D], vec![(0, 90 * D), (90 * D, 90 * D + 1)]),
            (
                (5, 5 + 3 * D, 1),
                &[5, 5 + D, 4 + 3 * D],
                vec![(5, 5 + D), (5 + D, 5 + 2 * D), (5 + 2 * D, 5 + 3 * D)],
            ),
            ((-D - 1, D, 1), &[-D - 1, 0, D - 1], vec![(-D - 1, -1), (-1, D - 1), (D - 1, D)]),
            ((0, 1, 90), &[0], vec![(0, 1)]),
            ((0, 4000 * D, 0), &[3 * D], vec![(0, 4000 * D)]),
        ] {
            assert_eq!(cut(range, times), expected, "{range:?}");
        }
    }

    #[test]
    fn windows_without_messages_do_not_count() {
        let far = 3_000_000 * D;
        let windows = cut((0, far + 1, 1), &[5, far, 6]);
        assert_eq!(windows, [(0, D), (far, far + 1)]);
        assert_eq!(cut((0, 10 * D, 1), &[]), []);
        let last = cut((0, 10 * D, 3), &[10 * D + 7]);
        assert_eq!(last, [(9 * D, 10 * D)], "what is behind the last millisecond is in the last");
    }

    #[test]
    fn too_many_windows_are_an_error_that_names_the_option() {
        let grid = Grid::new(Timestamp::from_ms(0), Timestamp::from_ms(20_000 * D), 1);
        let error = grid.windows(&(0..20_000).collect()).unwrap_err();
        assert!(error.to_string().starts_with("windows: 20000 is not accepted"), "{error}");
        assert!(error.to_string().contains("--window-days"), "{error}");
    }
}
