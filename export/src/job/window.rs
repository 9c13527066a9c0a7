//! A range cut into windows: pure.

use chatvault_engine::Timestamp;

use crate::entry::Window;
use crate::error::{Error, Result};

const DAY_MS: i64 = 86_400_000;
/// More windows than this are a mistake in a date.
const MOST_WINDOWS: i64 = 10_000;

/// Windows of so many days from the start on, the last one shorter; 0 days: one window. Days have 24
/// hours, whatever calendars and zones say.
pub(super) fn windows(start: Timestamp, end: Timestamp, days: u32) -> Result<Vec<Window>> {
    let length = i64::from(days) * DAY_MS;
    let whole = end.ms().saturating_sub(start.ms()).max(1);
    if length == 0 || length >= whole {
        return Ok(vec![Window { start, end, number: 1, of: 1 }]);
    }
    let count = whole.div_euclid(length) + i64::from(whole.rem_euclid(length) > 0);
    if count > MOST_WINDOWS {
        let value = count.to_string();
        let accepted = "at most 10000: a shorter range or more days in each";
        return Err(Error::Setting { field: "windows", value, accepted });
    }
    let of = u32::try_from(count).unwrap_or(u32::MAX);
    let window = |number: u32| {
        let start_ms = start.ms() + i64::from(number) * length;
        let (start, behind) = (Timestamp::from_ms(start_ms), Timestamp::from_ms(start_ms + length));
        Window { start, end: behind.min(end), number: number + 1, of }
    };
    Ok((0..of).map(window).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(start: i64, end: i64, days: u32) -> Vec<(i64, i64)> {
        let windows = windows(Timestamp::from_ms(start), Timestamp::from_ms(end), days).unwrap();
        let of = u32::try_from(windows.len()).unwrap();
        assert!(windows.iter().zip(1..).all(|(one, number)| (one.number, one.of) == (number, of)));
        windows.iter().map(|window| (window.start.ms(), window.end.ms())).collect()
    }

    #[test]
    fn windows_meet_exactly_and_end_with_the_range() {
        const D: i64 = DAY_MS;
        for (start, end, days, expected) in [
            (0, 90 * D, 90, vec![(0, 90 * D)]),
            (0, 90 * D + 1, 90, vec![(0, 90 * D), (90 * D, 90 * D + 1)]),
            (5, 5 + 3 * D, 1, vec![(5, 5 + D), (5 + D, 5 + 2 * D), (5 + 2 * D, 5 + 3 * D)]),
            (-D - 1, D, 1, vec![(-D - 1, -1), (-1, D - 1), (D - 1, D)]),
            (0, 1, 90, vec![(0, 1)]),
            (0, 4000 * D, 0, vec![(0, 4000 * D)]),
        ] {
            assert_eq!(cut(start, end, days), expected, "{start} {end} {days}");
        }
    }

    #[test]
    fn a_mistaken_year_is_an_error_and_no_flood() {
        let far = Timestamp::from_ms(DAY_MS * 20_000);
        let error = windows(Timestamp::from_ms(0), far, 1).unwrap_err();
        assert!(error.to_string().starts_with("windows: 20000 is not accepted"), "{error}");
    }
}
