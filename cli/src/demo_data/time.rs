//! Times of the demo: milliseconds since 1970, written as the service writes them.

use chatvault_engine::Timestamp;

pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// Monday, 2 March 2026, midnight UTC.
pub(super) const START: u64 = 20_514 * DAY;

/// `2026-03-02T08:15:30.25Z`: zeros at the end of the fraction are left out.
pub(super) fn text(ms: u64) -> String {
    Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX)).to_string()
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
