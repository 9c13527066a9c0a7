//! Makes JSON that is valid, but that the JSON reader refuses, acceptable.
//!
//! The archive keeps any valid JSON. The reader refuses texts with half a surrogate pair, and
//! numbers that no `f64` holds: the first become U+FFFD, the second 0, as nothing here reads them.

/// A copy of `json` without what the reader refuses. What is no JSON stays none.
pub(crate) fn repaired(json: &[u8]) -> Vec<u8> {
    let mut out = String::from_utf8_lossy(json).into_owned().into_bytes();
    let mut at = 0;
    while let Some(byte) = out.get(at) {
        at = match byte {
            b'"' => mend_text(&mut out, at + 1),
            b'-' | b'0'..=b'9' => mend_number(&mut out, at),
            _ => at + 1,
        };
    }
    out
}

/// Mends the text that starts at `at`, behind its quote; gives the place behind it.
fn mend_text(json: &mut [u8], mut at: usize) -> usize {
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at = mend_escape(json, at),
            _ => at += 1,
        }
    }
    at
}

fn mend_escape(json: &mut [u8], at: usize) -> usize {
    const HIGH: std::ops::Range<u16> = 0xd800..0xdc00;
    const LOW: std::ops::Range<u16> = 0xdc00..0xe000;
    let Some(unit) = unit(json, at) else { return at + 2 };
    let next = self::unit(json, at + 6);
    if HIGH.contains(&unit) && next.is_some_and(|next| LOW.contains(&next)) {
        return at + 12;
    }
    if (HIGH.start..LOW.end).contains(&unit)
        && let Some(escape) = json.get_mut(at..at + 6)
    {
        escape.copy_from_slice(br"\ufffd");
    }
    at + 6
}

/// The code unit of a `\uXXXX` at `at`.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(br"\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    let are_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if are_hex { u16::from_str_radix(digits, 16).ok() } else { None }
}

fn mend_number(json: &mut [u8], at: usize) -> usize {
    let is_number = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    let Some(rest) = json.get_mut(at..) else { return at };
    let length = rest.iter().take_while(|byte| is_number(byte)).count();
    let Some(digits) = rest.get_mut(..length) else { return at + length };
    let value = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<f64>().ok());
    if value.is_some_and(f64::is_infinite)
        && let Some((first, rest)) = digits.split_first_mut()
    {
        *first = b'0';
        rest.fill(b' ');
    }
    at + length
}
