//! Times as people write them, to the archive's ticks and back. UTC unless an offset is given.

use super::{TICKS_PER_SECOND, Timestamp};

/// What [`parse_time`] takes, for errors and help texts.
pub const ACCEPTED: &str = "RFC 3339 with up to 7 fraction digits and a zone, such as \
    2016-05-01T09:30:00Z or 2016-05-01T09:30:00.25+02:00; a date, month or year (its first \
    midnight UTC) 2016-05-01, 2016-05, 2016";

/// Reads a time: RFC 3339 with a zone, or a date, month or year (its first midnight UTC).
/// `None` if it is none of [`ACCEPTED`].
///
/// Ranges are half-open, so `2016-05` to `2016-06` is the whole of
/// May and nothing else.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    match text.len() {
        4 => midnight(&format!("{text}-01-01")),
        7 => midnight(&format!("{text}-01")),
        10 => midnight(text),
        _ => instant(text),
    }
}

fn midnight(date: &str) -> Option<Timestamp> {
    let mut parts = date.split('-');
    let mut number = |digits| parts.next().and_then(|part| number(part, digits));
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    parts.next().is_none().then(|| Timestamp::midnight(year, month, day))?
}

/// RFC 3339. The engine reads more than that: here a zone is a must, and so are no digits behind a
/// tick, because rounding would move a bound unseen.
fn instant(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.split_at_checked(10)?;
    let clock = clock.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = clock.split_at_checked(clock.find(['Z', 'z', '+', '-'])?)?;
    let has_zone = match zone.get(1..).and_then(|offset| offset.split_once(':')) {
        None => matches!(zone, "Z" | "z"),
        Some((hours, minutes)) => number(hours, 2)? < 24 && number(minutes, 2)? < 60,
    };
    let beyond_ticks = clock.split_once('.').and_then(|(_, fraction)| fraction.get(7..));
    let is_exact = beyond_ticks.is_none_or(|rest| rest.bytes().all(|digit| digit == b'0'));
    let _is_a_day = midnight(date)?;
    (has_zone && is_exact).then(|| text.parse().ok())?
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

/// Writes a time as RFC 3339 in UTC, with 0, 3 or 7 fraction digits: what [`parse_time`] reads back.
///
/// A time outside the years that RFC 3339 can write is given as its number of ticks.
pub fn format_time(time: Timestamp) -> String {
    let (year, month, day) = time.date();
    if !(0..10_000).contains(&year) {
        return format!("{} ticks", time.ticks());
    }
    let seconds = time.ticks().div_euclid(TICKS_PER_SECOND).rem_euclid(86_400);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    let fraction = time.ticks().rem_euclid(TICKS_PER_SECOND);
    match (fraction, fraction % 10_000) {
        (0, _) => format!("{text}Z"),
        (_, 0) => format!("{text}.{:03}Z", fraction / 10_000),
        _ => format!("{text}.{fraction:07}Z"),
    }
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
            ("2016-05-01t09:30:00.741176800-23:59", "2016-05-02T09:29:00.7411768Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
        ] {
            let time = parse_time(text).unwrap();
            assert_eq!(format_time(time), written, "{text}");
            assert_eq!(parse_time(written).unwrap(), time, "{written}");
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
            "2016-05-01T09:30:00.Z",
            "2016-05-01T09:30:00+24:00",
            "2016-05-01T09:30:00+0200",
            "2016-05-01T09:30:00Zulu",
            "2016-05-0109:30:00Z",
            "2016-02-30T09:30:00Z",
            "2016-05-01T09:30:00.12345678Z",
            "+016-05-01",
            "２016-05",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn every_tick_can_be_written() {
        assert_eq!(format_time(Timestamp::from_ticks(1)), "1970-01-01T00:00:00.0000001Z");
        assert_eq!(format_time(Timestamp::MIN), format!("{} ticks", i64::MIN));
        assert_eq!(format_time(Timestamp::MAX), format!("{} ticks", i64::MAX));
    }
}
