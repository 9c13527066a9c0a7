//! Addresses taken apart: path segments and query, percent-decoded.

/// The part of an address behind the question mark, decoded; names without their dollar sign.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&$b=2`; a plus is a space.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, true).to_ascii_lowercase();
            (name.trim_start_matches('$').to_owned(), decode(value, true))
        });
        Self(pairs.collect())
    }

    /// The value of an option, whatever its case and with or without a dollar sign.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// An option that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.parse().ok()
    }
}

/// Percent-decodes; what is not a valid escape stays, and bytes that are not text are replaced.
pub(crate) fn decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = if byte == b'%' { bytes.get(at + 1..at + 3).and_then(hex) } else { None };
        at += if escaped.is_some() { 3 } else { 1 };
        out.push(match (escaped, byte) {
            (None, b'+') if plus_is_space => b' ',
            (Some(byte), _) | (None, byte) => byte,
        });
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u8::from_str_radix(text, 16).ok())?
}

/// Encodes a query value as the service does in its links: lower-case escapes, plus for a space.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'(' | b')' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.extend(["%", format!("{byte:02x}").as_str()]),
        }
    }
    out
}

/// The decoded segments of a path, `users('x')` taken apart into `users` and `x`.
pub(crate) fn segments(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !part.is_empty()).map(|part| decode(part, false));
    parts.flat_map(keyed).collect()
}

fn keyed(segment: String) -> Vec<String> {
    let key = segment.strip_suffix("')").and_then(|open| open.split_once("('"));
    match key {
        Some((name, key)) if !name.contains('(') => vec![name.to_owned(), key.replace("''", "'")],
        _ => vec![segment],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_however_they_are_written() {
        let query = Query::parse("$Top=5&%24filter=a%20eq+%27b%2bc%27&model=A&&x");
        assert_eq!(query.number("top"), Some(5));
        assert_eq!(query.get("filter"), Some("a eq 'b+c'"));
        assert_eq!(
            (query.get("model"), query.get("x"), query.get("y")),
            (Some("A"), Some(""), None)
        );
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let text = "a gt 2020-01-01T00:00:00Z and ü='x%y+z'&";
        assert_eq!(decode(&encode(text), true), text);
        assert_eq!(decode("100%zz%4", false), "100%zz%4");
    }

    #[test]
    fn keys_in_brackets_become_segments() {
        assert_eq!(
            segments("/v1.0/users('a%40b''c')/chats/x"),
            ["v1.0", "users", "a@b'c", "chats", "x"]
        );
        assert_eq!(segments("/f(a='1')/delta"), ["f(a='1')", "delta"]);
    }
}
