//! Days and clocks from instants, and times as machines read them.
//!
//! Written without a general formatter: that would be most of a record's time.

use super::Timestamp;
use crate::decimal::put_digits;

const MS_PER_DAY: i64 = 86_400_000;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// From 0 to 9999.
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// From 1.
    pub day: i64,
}

/// A time in its parts, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Its day.
    pub date: Date,
    /// Milliseconds since its midnight.
    pub ms_of_day: i64,
}

impl Date {
    /// `June`.
    pub fn month_name(self) -> &'static str {
        let index = usize::try_from(self.month - 1).ok();
        index.and_then(|index| MONTHS.get(index)).copied().unwrap_or_default()
    }

    /// `Thursday`.
    pub fn weekday(self) -> &'static str {
        let midnight = Timestamp::midnight(self.year, self.month, self.day);
        // 1970-01-01 was a Thursday.
        let index = midnight.and_then(|at| usize::try_from((at.day() + 3).rem_euclid(7)).ok());
        index.and_then(|index| WEEKDAYS.get(index)).copied().unwrap_or_default()
    }
}

impl Parts {
    /// The hour, the minute and the second.
    pub fn clock(self) -> [i64; 3] {
        let seconds = self.ms_of_day / 1_000;
        [seconds / 3_600, seconds / 60 % 60, seconds % 60]
    }
}

/// The parts of a time; `None` outside the years 0 to 9999, which are all that RFC 3339 has.
pub fn parts(time: Timestamp) -> Option<Parts> {
    let ms_of_day = time.ms().rem_euclid(MS_PER_DAY);
    let (year, month, day) = time.date();
    let date = Date { year, month, day };
    (0..10_000).contains(&year).then_some(Parts { date, ms_of_day })
}

/// Appends `YYYY-MM-DDTHH:MM:SS.mmmZ`. A time that RFC 3339 cannot say is written in words.
pub fn write_time(time: Timestamp, out: &mut Vec<u8>) {
    let Some(Parts { date, ms_of_day }) = parts(time) else {
        out.extend_from_slice(format!("{} ticks", time.ticks()).as_bytes());
        return;
    };
    write_date(date, b"-", out);
    let fields = [
        (b'T', ms_of_day / 3_600_000, 2),
        (b':', ms_of_day / 60_000 % 60, 2),
        (b':', ms_of_day / 1_000 % 60, 2),
        (b'.', ms_of_day % 1_000, 3),
    ];
    for (before, value, width) in fields {
        out.push(before);
        write_digits(value, width, out);
    }
    out.push(b'Z');
}

/// Appends a day with `between` its parts.
pub fn write_date(date: Date, between: &[u8], out: &mut Vec<u8>) {
    write_digits(date.year, 4, out);
    out.extend_from_slice(between);
    write_digits(date.month, 2, out);
    out.extend_from_slice(between);
    write_digits(date.day, 2, out);
}

/// `Thu, 03 Jun 2021 23:22:47 +0000`. Mail has no years before 1900: such a time has no date there.
pub fn mail_date(time: Timestamp) -> Option<String> {
    let parts = parts(time).filter(|parts| parts.date.year >= 1_900)?;
    let short = |name: &'static str| name.as_bytes().get(..3).unwrap_or_default();
    let mut text = Vec::with_capacity(31);
    text.extend_from_slice(short(parts.date.weekday()));
    text.extend_from_slice(b", ");
    write_digits(parts.date.day, 2, &mut text);
    text.push(b' ');
    text.extend_from_slice(short(parts.date.month_name()));
    text.push(b' ');
    write_digits(parts.date.year, 4, &mut text);
    write_clock(parts, &mut text);
    text.extend_from_slice(b" +0000");
    String::from_utf8(text).ok()
}

/// `Thu Jun  3 23:22:47 2021`, as C's `asctime` has it; from 1900 on.
pub fn mbox_date(time: Timestamp) -> Option<String> {
    let parts = parts(time).filter(|parts| parts.date.year >= 1_900)?;
    let short = |name: &'static str| name.get(..3).unwrap_or_default();
    let (Date { year, day, .. }, [hour, minute, second]) = (parts.date, parts.clock());
    let (weekday, month) = (short(parts.date.weekday()), short(parts.date.month_name()));
    Some(format!("{weekday} {month} {day:>2} {hour:02}:{minute:02}:{second:02} {year}"))
}

/// Appends ` 23:22:47`.
fn write_clock(parts: Parts, out: &mut Vec<u8>) {
    for (before, value) in [b' ', b':', b':'].into_iter().zip(parts.clock()) {
        out.push(before);
        write_digits(value, 2, out);
    }
}

/// Appends a number that is not negative, with leading zeros.
pub fn write_digits(value: i64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    let places = out.get_mut(start..).unwrap_or_default();
    put_digits(places, u32::try_from(value).unwrap_or(0));
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (Hinnant's `days_from_civil`).
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

pub(super) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(time: Timestamp) -> String {
        let mut text = Vec::new();
        write_time(time, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn times_have_milliseconds_and_a_zone() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_622_762_567_120, "2021-06-03T23:22:47.120Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(Timestamp::from_ms(ms)), text);
        }
        assert!(utc(Timestamp::MAX).ends_with(" ticks"));
        assert!(utc(Timestamp::from_ms(253_402_300_800_000)).ends_with(" ticks"));
    }

    proptest! {
        #[test]
        fn the_parts_are_those_of_the_general_formatter(
            ms in -62_167_219_200_000_i64..253_402_300_800_000,
        ) {
            let ours = utc(Timestamp::from_ms(ms));
            let theirs = chrono::DateTime::from_timestamp_millis(ms).unwrap();
            prop_assert_eq!(ours, theirs.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
            let date = parts(Timestamp::from_ms(ms)).unwrap().date;
            prop_assert_eq!(date.weekday(), theirs.format("%A").to_string());
            prop_assert_eq!(date.month_name(), theirs.format("%B").to_string());
            let mail = theirs.format("%a, %d %b %Y %H:%M:%S +0000").to_string();
            let is_late = date.year >= 1_900;
            prop_assert_eq!(mail_date(Timestamp::from_ms(ms)), is_late.then_some(mail));
            let mbox = theirs.format("%a %b %e %H:%M:%S %Y").to_string();
            prop_assert_eq!(mbox_date(Timestamp::from_ms(ms)), is_late.then_some(mbox));
        }
    }
}
