//! In which zone people read times, and the forms in which times are written.
//!
//! A zone never decides what is selected or how things are ordered: that is UTC. It only moves the
//! clock times that people read.

use std::fmt;
use std::str::FromStr;

use chatvault_base::time::calendar;
use chatvault_engine::Timestamp;
use chrono::{
    DateTime, Datelike, FixedOffset, LocalResult, NaiveDateTime, Offset, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;

/// A time zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// Coordinated universal time.
    #[default]
    Utc,
    /// The same distance from it all year.
    Fixed(FixedOffset),
    /// A place of the IANA database, with its summer times.
    Named(Tz),
}

/// What is neither `UTC`, nor an offset, nor a place of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownZone(String);

impl fmt::Display for UnknownZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no time zone: UTC, +02:00 or a name such as Europe/Berlin", self.0)
    }
}

impl std::error::Error for UnknownZone {}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        if matches!(text, "UTC" | "utc" | "Z") {
            return Ok(Self::Utc);
        }
        let offset = text.parse::<FixedOffset>().ok().filter(|_| text.starts_with(['+', '-']));
        match offset {
            Some(offset) => Ok(Self::Fixed(offset)),
            None => text.parse().map(Self::Named).map_err(|_cause| UnknownZone(text.to_owned())),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Fixed(offset) => write!(f, "UTC{offset}"),
            Self::Named(place) => f.write_str(place.name()),
        }
    }
}

impl Zone {
    /// The distance from UTC at a time.
    fn offset(self, utc: &NaiveDateTime) -> FixedOffset {
        match self {
            Self::Utc => Utc.fix(),
            Self::Fixed(offset) => offset,
            Self::Named(place) => place.offset_from_utc_datetime(utc).fix(),
        }
    }

    /// The calendar and clock there at a time. `None` outside the years 0 to 9999.
    pub fn local(&self, time: Timestamp) -> Option<DateTime<FixedOffset>> {
        let utc = utc(time)?;
        Some(utc.with_timezone(&self.offset(&utc.naive_utc())))
    }

    /// The moments at which the clocks there show this: one, two when they are put back, none when
    /// they are put on.
    pub fn instants(&self, clock: NaiveDateTime) -> LocalResult<DateTime<FixedOffset>> {
        match self {
            Self::Utc => Utc.fix().from_local_datetime(&clock),
            Self::Fixed(offset) => offset.from_local_datetime(&clock),
            Self::Named(place) => place.from_local_datetime(&clock).map(|time| time.fixed_offset()),
        }
    }

    /// The day and the clock there at a time. `None` outside the years 0 to 9999.
    pub(crate) fn parts(self, time: Timestamp) -> Option<calendar::Parts> {
        let offset = match self {
            Self::Utc => return calendar::parts(time),
            Self::Fixed(offset) => offset,
            Self::Named(_) => *self.local(time)?.offset(),
        };
        let moved = time.ms().saturating_add(i64::from(offset.local_minus_utc()) * 1_000);
        calendar::parts(Timestamp::from_ms(moved))
    }

    /// The distance from UTC, if it changes on that day there: a clock time alone says too little.
    pub(crate) fn mark(self, time: Timestamp) -> Option<FixedOffset> {
        const DAY_MS: i64 = 86_400_000;
        let Self::Named(_) = self else { return None };
        let (own, parts) = (self.local(time)?, self.parts(time)?);
        let midnight = time.ms().saturating_sub(parts.ms_of_day);
        let offset_at = |ms: i64| self.local(Timestamp::from_ms(ms)).map(|local| *local.offset());
        let changes = offset_at(midnight)? != offset_at(midnight.saturating_add(DAY_MS))?;
        changes.then(|| *own.offset())
    }

    /// As [`Zone::show`], or that it is not known.
    pub(crate) fn show_known(self, time: Option<Timestamp>) -> String {
        time.map_or_else(|| UNKNOWN_TIME.to_owned(), |time| self.show(time))
    }

    /// As [`Zone::show`], to the millisecond.
    pub(crate) fn show_ms(self, time: Timestamp) -> String {
        let shown = self.show(time);
        let ms = format!(".{:03}", time.ms().rem_euclid(1_000));
        match (self.local(time), shown.rfind(' ')) {
            (Some(_), Some(at)) => {
                [shown.get(..at), Some(&ms), shown.get(at..)].into_iter().flatten().collect()
            }
            _ => shown,
        }
    }

    /// `2021-06-03 23:22:47 UTC`, for people.
    pub fn show(&self, time: Timestamp) -> String {
        let Some(local) = self.local(time) else { return rfc3339(time) };
        let day = format_args!("{:04}-{:02}-{:02}", local.year(), local.month(), local.day());
        let clock = format_args!("{:02}:{:02}:{:02}", local.hour(), local.minute(), local.second());
        match self {
            Self::Utc => format!("{day} {clock} UTC"),
            _ => format!("{day} {clock} {}", local.offset()),
        }
    }
}

/// What is said of a time that nobody knows.
pub(crate) const UNKNOWN_TIME: &str = "time unknown";

/// The time as chrono has it, in milliseconds and finer; `None` outside the years 0 to 9999.
fn utc(time: Timestamp) -> Option<DateTime<Utc>> {
    let nanos = u32::try_from(time.ticks().rem_euclid(10_000_000) * 100).ok()?;
    let date = DateTime::<Utc>::from_timestamp(time.ticks().div_euclid(10_000_000), nanos)?;
    (0..=9_999).contains(&date.year()).then_some(date)
}

/// `2021-06-03T23:22:47.120Z`: UTC in milliseconds, the form for machines. A time outside the years
/// that RFC 3339 can write is given as its number of ticks.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    let mut text = Vec::with_capacity(24);
    calendar::write_time(time, &mut text);
    // Only ASCII was written.
    String::from_utf8(text).unwrap_or_default()
}

/// `20210603T232247120Z`: UTC in milliseconds, sorts as it reads, safe in file names.
pub(crate) fn file_stamp(time: Timestamp) -> String {
    let mut text = rfc3339(time);
    match calendar::parts(time) {
        Some(_) => text.retain(|c| !matches!(c, '-' | ':' | '.')),
        None => text.retain(|c| c != ' '),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        chatvault_query::parse_time("x", text).unwrap()
    }

    #[test]
    fn a_time_is_shown_as_the_clocks_of_its_zone_stand() {
        let winter = at("2021-01-03T23:22:47.129Z");
        let summer = at("2021-06-03T23:22:47Z");
        for (zone, shown) in [
            ("UTC", ["2021-01-03 23:22:47 UTC", "2021-06-03 23:22:47 UTC"]),
            ("+05:30", ["2021-01-04 04:52:47 +05:30", "2021-06-04 04:52:47 +05:30"]),
            ("Europe/Berlin", ["2021-01-04 00:22:47 +01:00", "2021-06-04 01:22:47 +02:00"]),
        ] {
            let zone: Zone = zone.parse().unwrap();
            assert_eq!([zone.show(winter), zone.show(summer)], shown);
        }
    }

    #[test]
    fn a_zone_is_written_as_it_is_read() {
        for (text, written) in [("Z", "UTC"), ("-03:30", "UTC-03:30"), ("Asia/Tokyo", "Asia/Tokyo")]
        {
            assert_eq!(text.parse::<Zone>().unwrap().to_string(), written);
        }
        for text in ["", "Berlin", "0200", "+99:99", "Europe/Nowhere"] {
            assert!(text.parse::<Zone>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_say_their_offset_on_days_on_which_clocks_change() {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let mark = |text| zone.mark(at(text)).map(|offset| offset.to_string());
        for (time, offset) in [
            ("2025-10-25T21:59:59Z", None),
            ("2025-10-25T22:00:00Z", Some("+02:00")),
            ("2025-10-26T00:30:00Z", Some("+02:00")),
            ("2025-10-26T01:30:00Z", Some("+01:00")),
            ("2025-10-26T22:59:59Z", Some("+01:00")),
            ("2025-10-26T23:00:00Z", None),
            ("2025-03-30T00:30:00Z", Some("+01:00")),
            ("2025-03-30T01:30:00Z", Some("+02:00")),
            ("2025-03-30T22:00:00Z", None),
            ("2025-06-01T00:00:00Z", None),
        ] {
            assert_eq!(mark(time).as_deref(), offset, "{time}");
        }
        assert_eq!(Zone::Utc.mark(at("2025-10-26T00:30:00Z")), None);
    }

    #[test]
    fn machines_get_utc_in_milliseconds() {
        let time = at("2021-06-03T23:22:47.1239999Z");
        assert_eq!(rfc3339(time), "2021-06-03T23:22:47.123Z");
        assert_eq!(file_stamp(time), "20210603T232247123Z");
        assert_eq!(rfc3339(at("1969-12-31T23:59:59.999Z")), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(Timestamp::MAX), format!("{} ticks", i64::MAX));
        assert_eq!(Zone::Utc.show_ms(time), "2021-06-03 23:22:47.123 UTC");
        assert_eq!(Zone::Utc.show(Timestamp::MIN), format!("{} ticks", i64::MIN));
    }
}
