//! Moments, and the forms in which they are written.

pub mod calendar;
mod people;
pub mod text;

use std::fmt;
use std::str::FromStr;

pub use people::{ACCEPTED, format_time, parse_time};

/// A point in time, UTC, in ticks of 100 ns since 1970-01-01: what Graph's seven digits can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Ticks in a millisecond.
pub const TICKS_PER_MS: i64 = 10_000;
const TICKS_PER_SECOND: i64 = 10_000_000;
const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;

impl Timestamp {
    /// The earliest and latest times that an archive can hold.
    pub const MIN: Self = Self(i64::MIN);
    /// See [`Timestamp::MIN`].
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since 1970.
    pub fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(TICKS_PER_MS))
    }

    /// Whole milliseconds since 1970, rounded down.
    pub fn ms(self) -> i64 {
        self.0.div_euclid(TICKS_PER_MS)
    }

    /// Ticks of 100 ns since 1970.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// From ticks of 100 ns since 1970.
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// Year, month and day of the Gregorian calendar, in UTC.
    pub fn date(self) -> (i64, i64, i64) {
        calendar::civil_from_days(self.day())
    }

    /// The first moment of a day, in UTC; `None` if the year is none of 0 to 9999 or the day is none.
    pub fn midnight(year: i64, month: i64, day: i64) -> Option<Self> {
        if !(0..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let midnight = Self(calendar::days_from_civil(year, month, day) * TICKS_PER_DAY);
        (midnight.date() == (year, month, day)).then_some(midnight)
    }

    /// Days since 1970-01-01 in UTC, a Thursday.
    pub fn day(self) -> i64 {
        self.0.div_euclid(TICKS_PER_DAY)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::rendered(*self, text::Fraction::Trimmed))
    }
}

/// A text that is no time of the service's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTime(String);

impl fmt::Display for InvalidTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no timestamp such as 2026-01-31T12:00:00.5Z", self.0)
    }
}

impl std::error::Error for InvalidTime {}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        text::parse(text.as_bytes()).ok_or_else(|| InvalidTime(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_comes_back() {
        for day in -150_000..150_000 {
            let (year, month, date) = calendar::civil_from_days(day);
            let midnight = Timestamp::midnight(year, month, date).unwrap();
            assert_eq!((midnight.day(), midnight.date()), (day, (year, month, date)));
        }
    }

    #[test]
    fn a_day_that_is_none_has_no_midnight() {
        for (year, month, day) in
            [(2021, 2, 29), (1900, 2, 29), (2021, 4, 31), (2021, 0, 1), (2021, 13, 1), (2021, 1, 0)]
        {
            assert_eq!(Timestamp::midnight(year, month, day), None, "{year}-{month}-{day}");
        }
        assert_eq!(Timestamp::midnight(i64::MAX, 1, 1), None);
        assert_eq!(Timestamp::midnight(-1, 1, 1), None);
    }
}
