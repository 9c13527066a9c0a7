//! A document moved into another life: other people, conversations and years, the same text and length.
//!
//! Whatever looks like a guid, a conversation's 32 hexadecimal digits, a time stamp or an id of epoch
//! milliseconds is changed, everywhere in the same way. So ids still follow from times, replies still
//! meet their roots, and the member of a chat is still in it.

use chatvault_support::{parse_time, stamp};

/// A year of whole weeks.
const SHIFT_DAYS: i64 = 364;
const DAY_MS: i64 = 86_400_000;
/// Spreads the number of a life over the digits that are changed.
const SPREAD: u32 = 0x0911_1111;

/// The document in life `life`; 0 is its own.
pub fn shift(document: &[u8], life: u32) -> Vec<u8> {
    let mut out = document.to_vec();
    if life == 0 {
        return out;
    }
    let mut at = 0;
    while at < out.len() {
        let begins = at == 0 || !out[at - 1].is_ascii_alphanumeric();
        let length = if begins { shift_word(&mut out[at..], life) } else { 0 };
        at += length.max(1);
    }
    out
}

/// Changes the word at the start if it is one of those; gives its length.
fn shift_word(rest: &mut [u8], life: u32) -> usize {
    if is_guid(rest) {
        shift_hex(rest, life);
        return 36;
    }
    match rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count() {
        32 if rest[..32].iter().all(u8::is_ascii_hexdigit) => shift_hex(rest, life),
        13 if rest[0] == b'1' && rest[..13].iter().all(u8::is_ascii_digit) => shift_ms(rest, life),
        4 => shift_date(rest, life),
        _ => return 0,
    }
    4
}

fn is_guid(rest: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    rest.len() >= 36
        && rest[..36].iter().enumerate().all(fits)
        && !rest.get(36).is_some_and(u8::is_ascii_alphanumeric)
}

fn shift_hex(rest: &mut [u8], life: u32) {
    let digits = std::str::from_utf8(&rest[..8]).unwrap_or_default();
    let upper = digits.bytes().any(|byte| byte.is_ascii_uppercase());
    let Ok(number) = u32::from_str_radix(digits, 16) else { return };
    let number = number ^ life.wrapping_mul(SPREAD);
    let digits = if upper { format!("{number:08X}") } else { format!("{number:08x}") };
    rest[..8].copy_from_slice(digits.as_bytes());
}

fn shift_ms(rest: &mut [u8], life: u32) {
    let number =
        std::str::from_utf8(&rest[..13]).ok().and_then(|digits| digits.parse::<i64>().ok());
    let shifted = number.map(|ms| format!("{:013}", ms - i64::from(life) * SHIFT_DAYS * DAY_MS));
    if let Some(digits) = shifted.filter(|digits| digits.len() == 13) {
        rest[..13].copy_from_slice(digits.as_bytes());
    }
}

fn shift_date(rest: &mut [u8], life: u32) {
    let text = rest.get(..11).and_then(|text| std::str::from_utf8(text).ok());
    let Some(date) = text.and_then(|text| text.strip_suffix('T')) else { return };
    let Some(time) = parse_time(&format!("{date}T00:00:00Z")) else { return };
    let shifted = stamp(time.ms() - i64::from(life) * SHIFT_DAYS * DAY_MS);
    if let Some(date) = shifted.as_bytes().get(..10) {
        rest[..10].copy_from_slice(date);
    }
}

#[cfg(test)]
mod tests {
    use super::shift;

    #[test]
    fn ids_follow_their_times_into_another_life() {
        let document = r#"{"id":"1704067200123","chatId":"19:0ada0000-1111-4222-8333-444455556666_0000000B-1111-4222-8333-444455556666@unq.gbl.spaces",
            "createdDateTime":"2024-01-01T00:00:00.123Z","x":"19:00112233445566778899aabbccddeeff@thread.v2","text":"call 12345 1234, zoë"}"#;
        let shifted = String::from_utf8(shift(document.as_bytes(), 1)).unwrap();
        let wanted = document
            .replace("1704067200123", "1672617600123")
            .replace("2024-01-01T", "2023-01-02T")
            .replace("0ada0000-", "03cb1111-")
            .replace("0000000B-", "0911111A-")
            .replace("00112233", "09003322");
        assert_eq!(shifted, wanted);
        assert_eq!(shift(document.as_bytes(), 0), document.as_bytes());
        assert_ne!(shift(document.as_bytes(), 2), shifted.as_bytes());
    }
}
