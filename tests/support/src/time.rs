//! The service's time stamps, written and read: plain calendar arithmetic, lenient as the archive.

use chatvault_engine::Timestamp;

const TICKS_PER_SECOND: i64 = 10_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Epoch milliseconds as the service writes them: UTC, zeros trimmed off the fraction.
pub fn stamp(ms: i64) -> String {
    stamp_ticks(Timestamp::from_ms(ms).ticks())
}

/// Ticks of 100 ns as the service writes them.
pub fn stamp_ticks(ticks: i64) -> String {
    let (seconds, fraction) =
        (ticks.div_euclid(TICKS_PER_SECOND), ticks.rem_euclid(TICKS_PER_SECOND));
    let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = civil(days);
    let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    let digits = format!("{fraction:07}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("{year:04}-{month:02}-{day:02}T{clock}{point}{digits}Z")
}

/// Reads a stamp: `T`, a space or nothing between date and time, any fraction (100 ns are kept),
/// `Z`, an offset `±hh:mm` or nothing behind. Every part has its own width.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let days = parse_date(date)?;
    let rest = rest.strip_prefix(['T', 't', ' ']).unwrap_or(rest);
    let (clock, rest) = rest.split_at_checked(8)?;
    let seconds = parse_clock(clock)?;
    let (fraction, zone) = parse_fraction(rest)?;
    let offset = parse_zone(zone)?;
    let seconds = days * SECONDS_PER_DAY + seconds - offset;
    Some(Timestamp::from_ticks(seconds * TICKS_PER_SECOND + fraction))
}

fn parse_date(text: &str) -> Option<i64> {
    let (year, rest) = (number(text.get(0..4)?)?, text.get(4..)?);
    let (month, day) = (number(rest.get(1..3)?)?, number(rest.get(4..6)?)?);
    let dashes = rest.starts_with('-') && rest.get(3..4)? == "-";
    let days = days(year, month, day);
    // A day that does not exist comes back as another one.
    (dashes && (1..=12).contains(&month) && civil(days) == (year, month, day)).then_some(days)
}

fn parse_clock(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split(':').filter(|part| part.len() == 2).collect();
    let [hour, minute, second] = parts[..] else { return None };
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then_some(hour * 3600 + minute * 60 + second)
}

fn parse_fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, zone) = rest.split_at_checked(length).filter(|(digits, _)| !digits.is_empty())?;
    let seven: String = digits.chars().chain("0000000".chars()).take(7).collect();
    Some((number(&seven)?, zone))
}

fn parse_zone(text: &str) -> Option<i64> {
    if matches!(text, "" | "Z" | "z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    if (hours.len(), minutes.len()) != (2, 2) {
        return None;
    }
    Some(sign * (number(hours)? * 3600 + number(minutes)? * 60))
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Days since 1970-01-01 of a date, by counting from March so that leap days come last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_come_back_over_four_thousand_years() {
        for day in (-719_162_i64..800_000).step_by(37) {
            let ms = day * 86_400_000 + day.rem_euclid(86_400) * 1000 + day.rem_euclid(1000);
            assert_eq!(parse_time(&stamp(ms)), Some(Timestamp::from_ms(ms)), "{}", stamp(ms));
        }
        assert_eq!(stamp(1_700_000_000_120), "2023-11-14T22:13:20.12Z");
        assert_eq!(stamp(1_700_000_000_000), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn odd_stamps_are_read_and_nonsense_is_not() {
        let ms = |text| parse_time(text).map(Timestamp::ms);
        assert_eq!(ms("2021-03-1706:47:05.123Z"), ms("2021-03-17T06:47:05.123Z"));
        assert_eq!(ms("2023-11-14T23:13:20+01:00"), Some(1_700_000_000_000));
        assert_eq!(ms("0001-01-01T00:00:00Z"), Some(-62_135_596_800_000));
        assert_eq!(
            parse_time("1970-01-01T00:00:00.7411768Z").map(Timestamp::ticks),
            Some(7_411_768)
        );
        for nonsense in [
            "",
            "yesterday",
            "2021-02-30T00:00:00Z",
            "2021-13-01T00:00:00Z",
            "2021-01-01T000:00:0Z",
            "2021-01-01T00:00:00.Z",
            "2021-01-01T00:00:00+1:00",
            "2021-01-01T00:00:00+01:0",
        ] {
            assert_eq!(parse_time(nonsense), None, "{nonsense}");
        }
    }
}
