//! JSON string escapes: decoding for keys, shortest form for the canonical JSON.
//!
//! Works on the bytes between the quotes of a string that was checked by the parser. A lone
//! surrogate is no character: in keys and in the canonical JSON it stays an escape, in lower-case
//! hexadecimal; in a text for readers it becomes U+FFFD.

use std::borrow::Cow;

use memchr::memchr;

/// Appends the shortest spelling of a string's content.
pub(crate) fn canonical(content: &[u8], out: &mut Vec<u8>) {
    unescape(content, out, put_shortest, put_hex);
}

/// Appends the characters that a string's content stands for.
pub(crate) fn decode(content: &[u8], out: &mut Vec<u8>) {
    unescape(content, out, put_utf8, put_hex);
}

/// The decoded content for readers.
pub(crate) fn read(content: &str) -> Cow<'_, str> {
    if memchr(b'\\', content.as_bytes()).is_none() {
        return Cow::Borrowed(content);
    }
    let mut out = Vec::with_capacity(content.len());
    let lone = |_, out: &mut Vec<u8>| put_utf8(char::REPLACEMENT_CHARACTER, out);
    unescape(content.as_bytes(), &mut out, put_utf8, lone);
    Cow::Owned(into_text(out))
}

/// The decoded content as text.
pub(crate) fn decode_text(content: &[u8]) -> String {
    let mut out = Vec::with_capacity(content.len());
    decode(content, &mut out);
    into_text(out)
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into())
}

fn unescape(
    mut content: &[u8],
    out: &mut Vec<u8>,
    put: fn(char, &mut Vec<u8>),
    put_lone: fn(u16, &mut Vec<u8>),
) {
    while let Some(at) = memchr(b'\\', content) {
        let (plain, escape) = content.split_at(at);
        out.extend_from_slice(plain);
        let length = match read_escape(escape) {
            Escape::Character(character, length) => {
                put(character, out);
                length
            }
            Escape::Lone(unit) => {
                put_lone(unit, out);
                6
            }
        };
        content = escape.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(content);
}

enum Escape {
    Character(char, usize),
    Lone(u16),
}

fn read_escape(text: &[u8]) -> Escape {
    let character = match text.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return read_unit(text),
        Some(other) => char::from(*other),
        None => '\\',
    };
    Escape::Character(character, 2)
}

fn read_unit(text: &[u8]) -> Escape {
    let unit = hex4(text.get(2..6));
    if let Some(character) = char::from_u32(u32::from(unit)) {
        return Escape::Character(character, 6);
    }
    let follows = text.get(6..8) == Some(b"\\u");
    let pair = [unit, if follows { hex4(text.get(8..12)) } else { 0 }];
    match char::decode_utf16(pair).next() {
        Some(Ok(character)) => Escape::Character(character, 12),
        _ => Escape::Lone(unit),
    }
}

fn hex4(digits: Option<&[u8]>) -> u16 {
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

fn put_shortest(character: char, out: &mut Vec<u8>) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\0'..='\u{1f}' => return put_hex(u16::try_from(u32::from(character)).unwrap_or(0), out),
        _ => return put_utf8(character, out),
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn put_utf8(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn put_hex(unit: u16, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[usize::from((unit >> shift) & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortest(content: &str) -> String {
        let mut out = Vec::new();
        canonical(content.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_spelling_of_a_character_becomes_its_shortest() {
        for (spelled, wanted) in [
            (r"plain", r"plain"),
            (r"\/", r"/"),
            (r"\u0041\u00e9\u20ac", "Aé€"),
            (r"\uD83D\ude00", "😀"),
            (r"\u000a\u0009\u0008\u000C\u000d\u0000\u001F", r"\n\t\b\f\r\u0000\u001f"),
            (r"\u0022\u005c", r#"\"\\"#),
            (r"\uD800", r"\ud800"),
            (r"\uDC00\uD83D", r"\udc00\ud83d"),
            (r"\uD83D\u0041", r"\ud83dA"),
            (r"\ud83d\ud83d\ude00", r"\ud83d😀"),
        ] {
            assert_eq!(shortest(spelled), wanted, "{spelled}");
            assert_eq!(shortest(wanted), wanted, "the canonical form is its own");
        }
    }

    #[test]
    fn decoding_gives_characters_and_keeps_lone_surrogates_apart() {
        assert_eq!(decode_text(br#"a\"\n\u0041"#), "a\"\nA");
        assert_eq!(decode_text(br"\ud800"), r"\ud800");
        assert_eq!(read(r"a\ud800\ud83d\ude00"), "a\u{fffd}😀");
        assert!(matches!(read("plain"), Cow::Borrowed("plain")));
    }
}
