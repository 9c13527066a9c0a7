//! Texts from outside as parts of an address: encoded so that they stay the part they are.

use crate::cloud::Cloud;
use crate::failure::{Failure, FailureKind};

/// An id as one path segment. `:`, `@` and `=` stay, as the service writes its own ids.
///
/// Dots cannot be hidden behind `%2E`: a URL parser reads both as a step up, so they are refused.
pub(super) fn segment(cloud: &Cloud, id: &str) -> Result<String, Failure> {
    if matches!(id, "" | "." | "..") {
        return Err(Failure {
            kind: FailureKind::Hostile,
            status: None,
            code: None,
            message: format!("{id:?} is no id; nothing is asked of {}", cloud.graph()),
            request_id: None,
            at: None,
        });
    }
    Ok(encode(id, b":@="))
}

/// A text in single quotes, as a function takes it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", encode(&text.replace('\'', "''"), b":@="))
}

/// The value of a query option.
pub(super) fn query(value: &str) -> String {
    encode(value, b":@/(),$")
}

fn encode(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].map(|nibble| char::from(HEX[usize::from(nibble)])));
        }
    }
    out
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The text that an encoded part stands for; `None` if it is not UTF-8.
pub(super) fn decode(part: &str) -> Option<String> {
    let mut out = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let escaped = behind.split_first_chunk::<2>().and_then(|(digits, behind)| {
            let digits = str::from_utf8(digits).ok().filter(|_| byte == b'%')?;
            let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            Some((u8::from_str_radix(digits, 16).ok().filter(|_| hex)?, behind))
        });
        let (byte, behind) = escaped.unwrap_or((byte, behind));
        out.push(byte);
        rest = behind;
    }
    String::from_utf8(out).ok()
}
