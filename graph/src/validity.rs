//! Until when a certificate is valid, read from its DER and nothing else of it.
//!
//! Nothing here panics, whatever the bytes are: what cannot be read has no end that is known.

use chatvault_base::Timestamp;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The explicit tag of a version.
const VERSION: u8 = 0xa0;

/// The `notAfter` of an X.509 certificate.
pub(super) fn ends(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = content(der, SEQUENCE)?;
    let (mut fields, _) = content(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = skip(fields)?;
    }
    // Serial number, algorithm and issuer stand before it.
    for _ in 0..3 {
        fields = skip(fields)?;
    }
    let (validity, _) = content(fields, SEQUENCE)?;
    let end = skip(validity)?;
    match *end.first()? {
        UTC_TIME => {
            let text = text(content(end, UTC_TIME)?.0)?;
            // Years of two digits are those of 1950 to 2049.
            let century = if text.get(..2)? < "50" { "20" } else { "19" };
            time(&format!("{century}{text}"))
        }
        GENERALIZED_TIME => time(text(content(end, GENERALIZED_TIME)?.0)?),
        _ => None,
    }
}

/// `YYYYMMDDHHMMSSZ`.
fn time(text: &str) -> Option<Timestamp> {
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}

fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

/// What is behind an element.
fn skip(der: &[u8]) -> Option<&[u8]> {
    content(der, *der.first()?).map(|(_, rest)| rest)
}

/// The content of an element of this kind, and what is behind it.
fn content(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let add = |sum: usize, digit: &u8| sum << 8 | usize::from(*digit);
            (digits.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[tag, 0x81, length], content].concat()
    }

    fn certificate(end: &[u8]) -> Vec<u8> {
        let validity = [element(UTC_TIME, b"250101000000Z"), end.to_vec()].concat();
        let fields = [
            element(VERSION, &[2, 1, 2]),
            element(2, &[7]),
            element(SEQUENCE, &[]),
            element(SEQUENCE, b"issuer"),
            element(SEQUENCE, &validity),
        ];
        element(SEQUENCE, &element(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn the_end_is_read_in_both_forms_and_anything_else_has_none() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let utc = certificate(&element(UTC_TIME, b"261231235959Z"));
        assert_eq!(ends(&utc), at("2026-12-31T23:59:59Z"));
        let general = certificate(&element(GENERALIZED_TIME, b"20510101000000Z"));
        assert_eq!(ends(&general), at("2051-01-01T00:00:00Z"));
        assert_eq!(ends(&certificate(&element(2, b"x"))), None);
        for length in 0..utc.len() {
            assert_eq!(ends(&utc[..length]), None, "{length}");
        }
    }
}
