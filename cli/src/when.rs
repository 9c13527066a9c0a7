//! Times as people type them: instants, days, times by the clock of a zone, and those that count
//! back from now.

use chatvault_engine::{Clock, SystemClock, Timestamp};
use chatvault_export::entry::Zone;
use chatvault_query::{format_time, parse_time};
use chrono::{
    DateTime, Days, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, Timelike,
};

use crate::failure::WrongUsage;

/// What a time may be, for help texts.
pub(crate) const TIMES: &str = "\
Times (TIME): a day, month or year (2024-05-01, 2024-05, 2024: the first midnight of it), today, yesterday, \
days or weeks before today (30d, 2w), hours before now (12h), a time by the clock (2024-05-01T09:30), all of \
them in the zone of --tz, UTC if left out; or RFC 3339 with a zone of its own \
(2024-05-01T09:30:00.25+02:00). Ranges are half-open: `from` is in, `to` is not, so from 2024-05 to 2024-06 \
is the whole of May.";

const EXPECTED: &str = "no time; write 2024-05-01, 2024-05, 2024, 2024-05-01T09:30, 2024-05-01T09:30:00Z, yesterday or 30d";

/// Midnights that clocks leave out are followed by their first time within so many minutes.
const LONGEST_GAP_MINUTES: i64 = 24 * 60;

/// From when and where people speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here {
    pub(crate) now: Timestamp,
    pub(crate) zone: Zone,
}

impl Here {
    /// Now, in a zone.
    pub(crate) fn in_zone(zone: Zone) -> Self {
        Self { now: SystemClock.now(), zone }
    }

    /// The instant that is meant, as queries take it.
    pub(crate) fn instant(self, text: &str) -> Result<String, String> {
        let text = text.trim();
        if DateTime::parse_from_rfc3339(text).is_ok() {
            return parse_time("time", text).map(format_time).map_err(|_cause| EXPECTED.to_owned());
        }
        let wrong = || EXPECTED.to_owned();
        let time = match (self.hours_ago(text), self.day(text), clock(text)) {
            (Some(time), _, _) => Some(time),
            (_, Some(day), _) => self.midnight(day),
            (_, _, Some(clock)) => Some(self.of_clock(clock)?),
            (None, None, None) => None,
        };
        time.and_then(|time| parse_time("time", &time.to_rfc3339()).ok())
            .map(format_time)
            .ok_or_else(wrong)
    }

    /// The instant that an option names.
    pub(crate) fn option(
        self,
        option: &str,
        text: Option<&str>,
    ) -> Result<Option<String>, WrongUsage> {
        let wrong = |error| WrongUsage(format!("{option}: {error}"));
        text.map(|text| self.instant(text).map_err(wrong)).transpose()
    }

    fn local(self) -> Option<DateTime<FixedOffset>> {
        self.zone.local(self.now)
    }

    fn hours_ago(self, text: &str) -> Option<DateTime<FixedOffset>> {
        let hours = TimeDelta::try_hours(number(text.strip_suffix('h')?)?.into())?;
        self.local()?.with_nanosecond(0)?.checked_sub_signed(hours)
    }

    /// The day of a word, of a number of days before today, or of a date.
    fn day(self, text: &str) -> Option<NaiveDate> {
        let today = self.local()?.date_naive();
        let ago = |days: u32| today.checked_sub_days(Days::new(days.into()));
        match text {
            "today" => ago(0),
            "yesterday" => ago(1),
            _ if text.ends_with('d') => ago(number(text.strip_suffix('d')?)?),
            _ if text.ends_with('w') => ago(number(text.strip_suffix('w')?)?.checked_mul(7)?),
            _ => {
                let whole = match text.len() {
                    4 => format!("{text}-01-01"),
                    7 => format!("{text}-01"),
                    _ => text.to_owned(),
                };
                // The reader of queries is strict about digits.
                parse_time("time", &whole).ok().and_then(|_| whole.parse().ok())
            }
        }
    }

    /// The first moment of a day: where clocks are put on at midnight it is later than that.
    fn midnight(self, day: NaiveDate) -> Option<DateTime<FixedOffset>> {
        let midnight = day.and_hms_opt(0, 0, 0)?;
        (0..=LONGEST_GAP_MINUTES).step_by(15).find_map(|minutes| {
            let clock = midnight.checked_add_signed(TimeDelta::try_minutes(minutes)?)?;
            self.zone.instants(clock).earliest()
        })
    }

    /// The one moment at which the clocks show this.
    fn of_clock(self, clock: NaiveDateTime) -> Result<DateTime<FixedOffset>, String> {
        let zone = self.zone;
        match zone.instants(clock) {
            LocalResult::Single(time) => Ok(time),
            LocalResult::None => {
                Err(format!("the clocks of {zone} never showed {clock}: they were put on"))
            }
            LocalResult::Ambiguous(first, second) => Err(format!(
                "the clocks of {zone} showed {clock} twice: write {} or {}",
                first.to_rfc3339(),
                second.to_rfc3339()
            )),
        }
    }
}

/// Digits only.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `2024-05-01T09:30`, `2024-05-01 09:30:05`.
fn clock(text: &str) -> Option<NaiveDateTime> {
    let whole =
        if text.len() == "2024-05-01T09:30".len() { format!("{text}:00") } else { text.to_owned() };
    let whole = whole.replacen(' ', "T", 1);
    parse_time("time", &format!("{whole}Z")).ok().and_then(|_| whole.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(zone: &str, text: &str) -> Result<String, String> {
        let now = parse_time("now", "2024-05-10T22:30:15.5Z").unwrap();
        Here { now, zone: zone.parse().unwrap() }.instant(text)
    }

    #[test]
    fn what_people_type_is_the_instant_that_they_mean() {
        for (zone, text, instant) in [
            ("UTC", "2024", "2024-01-01T00:00:00Z"),
            ("UTC", "2024-05", "2024-05-01T00:00:00Z"),
            ("UTC", "2024-05-01", "2024-05-01T00:00:00Z"),
            ("UTC", "2024-05-01T09:30", "2024-05-01T09:30:00Z"),
            ("UTC", " 2024-05-01 09:30:05.25 ", "2024-05-01T09:30:05.250Z"),
            ("UTC", "today", "2024-05-10T00:00:00Z"),
            ("UTC", "yesterday", "2024-05-09T00:00:00Z"),
            ("UTC", "30d", "2024-04-10T00:00:00Z"),
            ("UTC", "0d", "2024-05-10T00:00:00Z"),
            ("UTC", "2w", "2024-04-26T00:00:00Z"),
            ("UTC", "24h", "2024-05-09T22:30:15Z"),
            // It is the next day there already.
            ("Europe/Berlin", "today", "2024-05-10T22:00:00Z"),
            ("Europe/Berlin", "yesterday", "2024-05-09T22:00:00Z"),
            ("Europe/Berlin", "24h", "2024-05-09T22:30:15Z"),
            ("Europe/Berlin", "2024", "2023-12-31T23:00:00Z"),
            ("Europe/Berlin", "2024-07-01T09:30", "2024-07-01T07:30:00Z"),
            ("Europe/Berlin", "2024-07-01T09:30:00Z", "2024-07-01T09:30:00Z"),
            ("+05:30", "2024-07-01", "2024-06-30T18:30:00Z"),
            // Clocks were put on at midnight: the day began at one.
            ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00:00Z"),
        ] {
            assert_eq!(at(zone, text).as_deref(), Ok(instant), "{zone} {text}");
        }
    }

    #[test]
    fn what_is_no_time_or_two_is_refused() {
        for text in
            ["", "noon", "2024-5-1", "30", "d", "-3d", "+3d", "3 d", "2024-13", "9h30", "２024"]
        {
            assert_eq!(at("UTC", text), Err(EXPECTED.to_owned()), "{text}");
        }
        let twice = at("Europe/Berlin", "2024-10-27T02:30").unwrap_err();
        assert!(twice.contains("write 2024-10-27T02:30:00+02:00 or 2024-10-27T02:30:00+01:00"));
        assert!(at("Europe/Berlin", "2024-03-31T02:30").unwrap_err().contains("never showed"));
        let huge = "4294967295w";
        assert!(at("UTC", huge).is_err() && at("UTC", "4294967295h").is_err());
    }
}
