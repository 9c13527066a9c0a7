//! Texts and numbers made fit for people's eyes and for lines.

use std::borrow::Cow;
use std::fmt::Display;

use chatvault_engine::Timestamp;
use chatvault_query::format_time;

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |bits: u8| char::from_digit(u32::from(bits), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Replaces what a terminal would obey instead of show: control characters and changes of the
/// writing direction. White space of any kind becomes a space.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(must_go) {
        return Cow::Owned(text.chars().map(shown).collect());
    }
    Cow::Borrowed(text)
}

fn shown(c: char) -> char {
    match c {
        '\t' | '\n' | '\x0b' | '\x0c' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        c if must_go(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

fn must_go(c: char) -> bool {
    let turns_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A JSON document on one line: raw line ends become spaces.
///
/// A JSON string cannot hold a raw line end, so only white space between tokens changes.
pub(crate) fn one_line(json: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', json).is_none() {
        return Cow::Borrowed(json);
    }
    let is_line_end = |byte: u8| byte == b'\n' || byte == b'\r';
    Cow::Owned(json.iter().map(|&byte| if is_line_end(byte) { b' ' } else { byte }).collect())
}

/// A number with thousands separators: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 file`, `2 files`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// The UTC day of a time: `2016-05-01`.
pub(crate) fn day(at: Timestamp) -> String {
    format_time(at).chars().take(10).collect()
}

/// A size in the largest unit that leaves a number of at least one: `12 B`, `3.4 MiB`.
#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1023.95 {
        value /= 1024.0;
        unit = units.next();
    }
    format!("{value:.1} {}", unit.unwrap_or(&"EiB"))
}

/// `part` per `whole` as a number; nothing for nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio for people and reports")]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Keeps both ends of a text that is too long: ids differ at either.
pub(crate) fn middle_cut(text: &str, most_chars: usize) -> Cow<'_, str> {
    let chars = text.chars().count();
    if chars <= most_chars {
        return Cow::Borrowed(text);
    }
    let kept = most_chars.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let start = text.chars().take(head);
    Cow::Owned(start.chain(['…']).chain(text.chars().skip(chars - tail)).collect())
}

/// Lines of `name  value` with the values in one column.
pub(crate) fn aligned<N: AsRef<str>, V: Display>(rows: &[(N, V)]) -> Vec<String> {
    let width = rows.iter().map(|(name, _)| name.as_ref().chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{:width$}  {value}", name.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(clean("a\u{1b}[2Jb\u{9b}c\u{7f}"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(clean("a\r\nb\tc\u{2028}d\u{85}e"), "a  b c d e");
        assert_eq!(clean("evil\u{202e}gpj.exe"), "evil\u{fffd}gpj.exe");
        assert_eq!(clean("Zoë 👩‍👩‍👧 naïve"), "Zoë 👩‍👩‍👧 naïve");
    }

    #[test]
    fn line_ends_between_tokens_become_spaces_and_bytes_keep_their_places() {
        let json = b"{\r\n  \"a\": \"x\\ny\",\n\"b\":1\n}";
        assert_eq!(one_line(json).as_ref(), b"{    \"a\": \"x\\ny\", \"b\":1 }");
        assert!(matches!(one_line(b"{\"a\":1}"), Cow::Borrowed(_)));
    }

    #[test]
    fn numbers_have_separators() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(
            (plural(1, "file"), plural(2_000, "file")),
            ("1 file".into(), "2,000 files".into())
        );
    }

    #[test]
    fn sizes_have_one_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (3_565_158, "3.4 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn a_long_id_keeps_both_ends() {
        assert_eq!(middle_cut("0123456789", 10), "0123456789");
        assert_eq!(middle_cut("0123456789", 6), "012…89");
        assert_eq!(middle_cut("ümlaut", 3), "ü…t");
        assert_eq!(middle_cut("abc", 1), "…");
    }

    #[test]
    fn values_stand_in_one_column() {
        assert_eq!(aligned(&[("a", 1), ("long", 22)]), ["a     1", "long  22"]);
    }
}
