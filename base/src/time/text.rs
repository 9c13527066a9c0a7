//! Timestamps as the service writes them: read leniently, rendered exactly.
//!
//! Read: `YYYY-MM-DD`, an optional `T` (or space, or nothing), `HH:MM:SS`, zero to seven fraction
//! digits (more are cut), and `Z`, `z`, `±HH:MM` or nothing (UTC). Rendered: the service's own
//! form, `Z` with trailing zeros of the fraction cut, and the two fixed-width forms.

use super::calendar::{civil_from_days, days_from_civil};
use super::{TICKS_PER_MS, TICKS_PER_SECOND, Timestamp};
use crate::decimal::put_digits;

const SECONDS_PER_DAY: i64 = 86_400;

/// How many fraction digits a rendered time has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fraction {
    /// As few as are needed, none for a whole second.
    Trimmed,
    /// Always three.
    Three,
    /// Always seven.
    Seven,
}

impl Fraction {
    /// All forms, in the order of their codes on disk.
    pub const ALL: [Self; 3] = [Self::Trimmed, Self::Three, Self::Seven];
}

/// Reads a timestamp leniently; `None` if it is none.
pub fn parse(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    let (year, month, day) = parse_date(date)?;
    let rest = match rest.split_first()? {
        (b'T' | b't' | b' ', rest) => rest,
        _ => rest,
    };
    let (clock, rest) = rest.split_first_chunk::<8>()?;
    let seconds = parse_clock(*clock)?;
    let (fraction, rest) = parse_fraction(rest)?;
    let offset = parse_offset(rest)?;
    let total = days_from_civil(year, month, day) * SECONDS_PER_DAY + seconds - offset;
    Some(Timestamp(total * TICKS_PER_SECOND + fraction))
}

fn parse_date(text: &[u8; 10]) -> Option<(i64, i64, i64)> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text else { return None };
    let (year, month) = (digits(&[y0, y1, y2, y3])?, digits(&[m0, m1])?);
    let day = digits(&[d0, d1])?;
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month, day))
}

fn parse_clock(text: [u8; 8]) -> Option<i64> {
    let [h0, h1, b':', m0, m1, b':', s0, s1] = text else { return None };
    let (hour, minute) = (digits(&[h0, h1])?, digits(&[m0, m1])?);
    let second = digits(&[s0, s1])?;
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else { return Some((0, text)) };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = rest.split_at_checked(count)?;
    if count == 0 {
        return None;
    }
    let mut ticks = 0;
    for place in 0..7 {
        ticks = ticks * 10 + fraction.get(place).map_or(0, |byte| i64::from(byte - b'0'));
    }
    Some((ticks, rest))
}

fn parse_offset(text: &[u8]) -> Option<i64> {
    match *text {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let seconds = digits(&[h0, h1])? * 3600 + digits(&[m0, m1])? * 60;
            Some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

/// Appends the service's form of a time. Years outside 0..=9999 are clamped to the nearest
/// printable time: such a value never came out of [`parse`].
pub fn render(at: Timestamp, fraction: Fraction, out: &mut Vec<u8>) {
    Printer::default().print(at, fraction, out);
}

/// What [`render`] appends.
pub fn rendered(at: Timestamp, fraction: Fraction) -> String {
    let mut text = Vec::with_capacity(28);
    render(at, fraction, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Prints times of rows that follow each other: mostly they are of one day, and many stand in a row
/// twice. So it keeps the day and the text that it printed last.
#[derive(Clone, Debug)]
pub struct Printer {
    last: Option<(Timestamp, Fraction)>,
    day: i64,
    text: [u8; 28],
    bytes: usize,
}

impl Default for Printer {
    fn default() -> Self {
        Self { last: None, day: 0, text: *b"1970-01-01T00:00:00.0000000Z", bytes: 0 }
    }
}

impl Printer {
    /// Appends what [`render`] appends.
    pub fn print(&mut self, at: Timestamp, fraction: Fraction, out: &mut Vec<u8>) {
        if self.last != Some((at, fraction)) {
            self.set(at, fraction);
        }
        out.extend_from_slice(self.text.get(..self.bytes).unwrap_or_default());
    }

    fn set(&mut self, at: Timestamp, fraction: Fraction) {
        let seconds = at.0.div_euclid(TICKS_PER_SECOND).clamp(-62_167_219_200, 253_402_300_799);
        let (day, clock) =
            (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
        let text = &mut self.text;
        if day != self.day {
            let (year, month, of_month) = civil_from_days(day);
            put(&mut text[0..4], year);
            put(&mut text[5..7], month);
            put(&mut text[8..10], of_month);
        }
        put(&mut text[11..13], clock / 3600);
        put(&mut text[14..16], clock / 60 % 60);
        put(&mut text[17..19], clock % 60);
        let ticks = at.0.rem_euclid(TICKS_PER_SECOND);
        text[19] = b'.';
        put(&mut text[20..23], ticks / TICKS_PER_MS);
        put(&mut text[23..27], ticks % TICKS_PER_MS);
        let end = match fraction {
            Fraction::Three => 23,
            Fraction::Seven => 27,
            Fraction::Trimmed if ticks == 0 => 19,
            Fraction::Trimmed => {
                text[..27].iter().rposition(|byte| *byte != b'0').map_or(0, |at| at + 1)
            }
        };
        text[end] = b'Z';
        (self.last, self.day, self.bytes) = (Some((at, fraction)), day, end + 1);
    }
}

fn put(out: &mut [u8], value: i64) {
    put_digits(out, u32::try_from(value).unwrap_or(0));
}

/// Reads a timestamp that one of the [`Fraction`] forms renders back to exactly these bytes.
pub fn parse_exact(text: &[u8], scratch: &mut Vec<u8>) -> Option<(Timestamp, Fraction)> {
    let at = parse(text)?;
    Fraction::ALL.into_iter().find_map(|fraction| {
        scratch.clear();
        render(at, fraction, scratch);
        (scratch == text).then_some((at, fraction))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_leniently() {
        for (text, ticks) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.1Z", 1_000_000),
            ("1970-01-01T00:00:00.1234567Z", 1_234_567),
            ("1970-01-01T00:00:00.12345678Z", 1_234_567),
            ("1970-01-0100:00:01Z", TICKS_PER_SECOND),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1970-01-01 00:00:00", 0),
            ("0001-01-01T00:00:00Z", -621_355_968_000_000_000),
            ("2021-05-25T20:12:14.864Z", 16_219_735_348_640_000),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(Timestamp(ticks)), "{text}");
        }
        for text in [
            "",
            "2021",
            "2021-13-01T00:00:00Z",
            "2021-01-01T24:00:00Z",
            "x021-01-01T00:00:00Z",
            "2021-01-01T00:00:00.Z",
            "2021-01-01T00:00:00+1",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_renders_back_is_recognised_with_its_form() {
        let mut scratch = Vec::new();
        let mut form = |text: &str| parse_exact(text.as_bytes(), &mut scratch).map(|found| found.1);
        assert_eq!(form("2021-05-25T20:12:14.86Z"), Some(Fraction::Trimmed));
        assert_eq!(form("2021-05-25T20:12:14.860Z"), Some(Fraction::Three));
        assert_eq!(form("2021-05-25T20:12:14.8600000Z"), Some(Fraction::Seven));
        assert_eq!(form("2024-02-29T20:12:14Z"), Some(Fraction::Trimmed));
        assert_eq!(form("2021-02-31T20:12:14Z"), None);
        assert_eq!(form("2021-05-25T20:12:14z"), None);
        assert_eq!(form("2021-05-25T20:12:60Z"), None);
    }
}
