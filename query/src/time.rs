//! Times as people write them, to the archive's ticks and back. UTC unless an offset is given.

use chatvault_engine::Timestamp;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

use crate::error::{Error, Result};

/// What [`parse_time`] takes, for errors and help texts.
pub(crate) const ACCEPTED: &str = "RFC 3339 with up to 7 fraction digits and a zone, such as \
    2016-05-01T09:30:00Z or 2016-05-01T09:30:00.25+02:00; a date, month or year (its first \
    midnight UTC) 2016-05-01, 2016-05, 2016";

const TICKS_PER_SECOND: i64 = 10_000_000;
const NANOS_PER_TICK: u32 = 100;

/// Reads a time: RFC 3339 with a zone, or a date, month or year (its first midnight UTC).
///
/// `field` is named in the error. Ranges are half-open, so `2016-05` to `2016-06` is the whole of
/// May and nothing else.
pub fn parse_time(field: &'static str, text: &str) -> Result<Timestamp> {
    let wrong = || Error::value(field, text, ACCEPTED);
    let time = match text.len() {
        4 => midnight(&format!("{text}-01-01")),
        7 => midnight(&format!("{text}-01")),
        10 => midnight(text),
        _ => DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
    };
    time.and_then(ticks).ok_or_else(wrong)
}

fn midnight(date: &str) -> Option<DateTime<Utc>> {
    // chrono takes signs and short fields too; a date here has exactly its digits.
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let widths_fit = date.split('-').map(str::len).eq([4, 2, 2]) && date.split('-').all(digits);
    let day = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok().filter(|_| widths_fit)?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc())
}

/// `None` for a time finer than a tick: rounding it would move a bound unseen.
fn ticks(time: DateTime<Utc>) -> Option<Timestamp> {
    let nanos = time.timestamp_subsec_nanos();
    if !nanos.is_multiple_of(NANOS_PER_TICK) {
        return None;
    }
    let whole = time.timestamp().checked_mul(TICKS_PER_SECOND)?;
    whole.checked_add(i64::from(nanos / NANOS_PER_TICK)).map(Timestamp::from_ticks)
}

/// Writes a time as RFC 3339 in UTC, with 0, 3 or 7 fraction digits: what [`parse_time`] reads back.
///
/// A time outside the years that RFC 3339 can write is given as its number of ticks.
pub fn format_time(time: Timestamp) -> String {
    let seconds = time.ticks().div_euclid(TICKS_PER_SECOND);
    let fraction = time.ticks().rem_euclid(TICKS_PER_SECOND);
    let Some(date) = DateTime::<Utc>::from_timestamp(seconds, 0).filter(has_four_digit_year) else {
        return format!("{} ticks", time.ticks());
    };
    let text = date.to_rfc3339_opts(SecondsFormat::Secs, true);
    let text = text.trim_end_matches('Z');
    match (fraction, fraction % 10_000) {
        (0, _) => format!("{text}Z"),
        (_, 0) => format!("{text}.{:03}Z", fraction / 10_000),
        _ => format!("{text}.{fraction:07}Z"),
    }
}

fn has_four_digit_year(date: &DateTime<Utc>) -> bool {
    (0..10_000).contains(&chrono::Datelike::year(date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_becomes_the_same_instant() {
        for (text, written) in [
            ("2016", "2016-01-01T00:00:00Z"),
            ("2016-05", "2016-05-01T00:00:00Z"),
            ("2016-05-01", "2016-05-01T00:00:00Z"),
            ("2016-05-01T09:30:00Z", "2016-05-01T09:30:00Z"),
            ("2016-05-01T09:30:00+02:00", "2016-05-01T07:30:00Z"),
            ("2016-05-01T09:30:00.25Z", "2016-05-01T09:30:00.250Z"),
            ("2016-05-01T09:30:00.7411768Z", "2016-05-01T09:30:00.7411768Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
        ] {
            let time = parse_time("x", text).unwrap();
            assert_eq!(format_time(time), written, "{text}");
            assert_eq!(parse_time("x", written).unwrap(), time, "{written}");
        }
    }

    #[test]
    fn a_time_that_could_mean_two_things_is_refused() {
        for text in [
            "",
            "201",
            "2016-5-1",
            "2016-13",
            "2016-+5",
            "2016-02-30",
            "01.05.2016",
            "yesterday",
            "2016-05-01T09:30:00",
            "2016-05-01T09:30Z",
            "2016-05-01T09:30:00.12345678Z",
            "+016-05-01",
            "２016-05",
        ] {
            let error = parse_time("created_from", text).unwrap_err().to_string();
            assert!(error.starts_with("created_from: "), "{text}: {error}");
        }
    }

    #[test]
    fn every_tick_can_be_written() {
        assert_eq!(format_time(Timestamp::from_ticks(1)), "1970-01-01T00:00:00.0000001Z");
        assert_eq!(format_time(Timestamp::MIN), format!("{} ticks", i64::MIN));
        assert_eq!(format_time(Timestamp::MAX), format!("{} ticks", i64::MAX));
    }
}
