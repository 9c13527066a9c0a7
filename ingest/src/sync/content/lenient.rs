//! Members of a JSON document whose shape nobody promises.
//!
//! What is not looked at cannot fail: unknown members are skipped without recursion, whatever their
//! depth; of members with equal keys the last one counts; half a surrogate pair becomes U+FFFD.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The values of some members of an object; `None` where there is no object or no such member.
pub(super) fn members<'j, const N: usize>(
    json: &'j str,
    names: [&str; N],
) -> [Option<&'j RawValue>; N] {
    let mut found = [None; N];
    let mut reader = serde_json::Deserializer::from_str(json);
    // A document that breaks off has the members before that place.
    let _broken = reader.deserialize_map(Members { names: &names, found: &mut found }).is_err();
    found
}

/// A string's text; `None` for any other value.
pub(super) fn text(value: Option<&RawValue>) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_str(value?.get());
    reader.deserialize_bytes(Text).ok()
}

/// Calls back for each item of an array.
pub(super) fn each<'j>(value: Option<&'j RawValue>, visit: impl FnMut(&'j RawValue)) {
    let Some(value) = value else { return };
    let mut reader = serde_json::Deserializer::from_str(value.get());
    let _broken = reader.deserialize_seq(Items(visit)).is_err();
}

/// The text with its JSON escapes resolved wherever they stand, as if all of it were one string.
///
/// `None` if there are none. For looking up addresses: where strings begin and end is lost.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut rest = text;
    let mut at = memchr::memchr(b'\\', rest.as_bytes())?;
    let mut out = String::with_capacity(text.len());
    loop {
        out.push_str(rest.get(..at).unwrap_or_default());
        let (character, length) = escape(rest.get(at..).unwrap_or_default());
        out.push(character);
        rest = rest.get(at + length..).unwrap_or_default();
        match memchr::memchr(b'\\', rest.as_bytes()) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.push_str(rest);
    Some(out)
}

/// The character that an escape stands for, and the escape's length. `text` starts with `\`.
fn escape(text: &str) -> (char, usize) {
    match text.as_bytes().get(1) {
        Some(b'u') => {
            let digits = text.get(2..6).filter(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
            let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
            // Halves of surrogate pairs do not occur in addresses.
            let character = code.map(|code| char::from_u32(code).unwrap_or('\u{fffd}'));
            character.map_or(('\\', 1), |character| (character, 6))
        }
        Some(b'n' | b'r' | b't' | b'b' | b'f') => (' ', 2),
        Some(known @ (b'"' | b'\\' | b'/')) => (char::from(*known), 2),
        _ => ('\\', 1),
    }
}

struct Members<'n, 'j, const N: usize> {
    names: &'n [&'n str; N],
    found: &'n mut [Option<&'j RawValue>; N],
}

impl<'j, const N: usize> Visitor<'j> for Members<'_, 'j, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Text)? {
            match self.names.iter().position(|wanted| *wanted == name) {
                Some(place) => self.found[place] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Items<F>(F);

impl<'j, F: FnMut(&'j RawValue)> Visitor<'j> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'j>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }
}

/// Reads a string by its bytes, which may hold halves of surrogate pairs.
struct Text;

impl<'j> DeserializeSeed<'j> for Text {
    type Value = String;

    fn deserialize<D: Deserializer<'j>>(self, reader: D) -> Result<String, D::Error> {
        reader.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_whatever_stands_around_them() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let json = format!(
            r#"{{"deep":{deep},"id":"first","half\ud800":1,"id":"last","list":[1,{{"a":2}}],"broken":"#
        );
        let [id, list, none] = members(&json, ["id", "list", "none"]);
        assert_eq!(text(id).as_deref(), Some("last"));
        let mut items = Vec::new();
        each(list, |item| items.push(item.get()));
        assert_eq!((items, none.is_none()), (vec!["1", r#"{"a":2}"#], true));
        assert!(members("[1]", ["id"])[0].is_none());
    }

    #[test]
    fn text_is_read_with_half_a_surrogate_pair_in_it() {
        let json = r#"{"a":"cut \ud83d here","b":7,"c":null}"#;
        let [a, b, c] = members(json, ["a", "b", "c"]).map(text);
        assert!(a.is_some_and(|a| a.starts_with("cut ") && a.ends_with(" here")));
        assert_eq!((b, c), (None, None));
    }

    #[test]
    fn escapes_are_resolved_one_level_at_a_time() {
        let cases = [
            (r"https:\/\/x\/y", Some("https://x/y")),
            (r#"a\"b\\\/c"#, Some(r#"a"b\/c"#)),
            ("\\u0068ost\\n", Some("host ")),
            (r"\u00zz \ud800 \q \", Some("\\u00zz \u{fffd} \\q \\")),
            (r"\u€", Some(r"\u€")),
            ("plain", None),
        ];
        for (escaped, expected) in cases {
            assert_eq!(unescape(escaped).as_deref(), expected, "{escaped}");
        }
    }
}
