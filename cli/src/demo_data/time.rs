//! Times of the demo: milliseconds since 1970, written as the service writes them.

pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// Monday, 2 March 2026, midnight UTC.
pub(super) const START: u64 = 20_514 * DAY;

/// `2026-03-02T08:15:30.25Z`: zeros at the end of the fraction are left out.
pub(super) fn text(ms: u64) -> String {
    let (year, month, day) = date(ms / DAY);
    let (hour, minute, second) = (ms / HOUR % 24, ms / MINUTE % 60, ms / SECOND % 60);
    let whole = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    match ms % SECOND {
        0 => format!("{whole}Z"),
        fraction => format!("{whole}.{}Z", format!("{fraction:03}").trim_end_matches('0')),
    }
}

/// Year, month and day of a number of days since 1970 (Gregorian, counted from 1 March of year 0
/// so that the leap day comes last).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Pushes a time out of the night and the weekend.
pub(super) fn working(ms: u64) -> u64 {
    let mut at = ms;
    if at / HOUR % 24 < 7 || at / HOUR % 24 >= 18 {
        at = (at + 6 * HOUR) / DAY * DAY + 7 * HOUR + at % HOUR;
    }
    // 1 January 1970 was a Thursday.
    match (at / DAY + 3) % 7 {
        5 => at + 2 * DAY,
        6 => at + DAY,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_service_writes_them() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (START, "2026-03-02T00:00:00Z"),
            (951_782_400_120, "2000-02-29T00:00:00.12Z"),
            (1_600_457_965_467, "2020-09-18T19:39:25.467Z"),
        ];
        for (ms, expected) in cases {
            assert_eq!(text(ms), expected);
        }
    }

    #[test]
    fn work_happens_by_day_and_in_the_week() {
        for hours in 0..400 {
            let at = working(START + hours * HOUR + 17);
            assert!(at >= START + hours * HOUR - 12 * HOUR, "{hours}");
            assert!((7..18).contains(&(at / HOUR % 24)), "{hours}");
            assert!((at / DAY + 3) % 7 < 5, "{hours}");
        }
    }
}
