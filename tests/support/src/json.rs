//! A small strict JSON reader and writer that loses nothing: number tokens, key order, duplicate
//! keys and lone surrogates stay.
//!
//! Written for clearness, not speed, and apart from the engine's: it is what the engine is
//! compared with.

use crate::Random;

/// Containers inside containers, the outermost counted.
pub const MAX_DEPTH: usize = 128;

/// A string as code points, lone surrogates among them.
pub type Text = Vec<u32>;

/// A JSON value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`, `true`, `false` or a number, as its token.
    Token(String),
    /// A string.
    Text(Text),
    /// An array.
    List(Vec<Value>),
    /// An object's members in their order, equal keys included.
    Object(Vec<(Text, Value)>),
}

/// Reads one document with white space around it; `None` if it is not JSON, or nested too deeply.
pub fn parse(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = Reader { rest: text };
    let value = reader.value(1)?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

/// A document without the white space around it: what counts as its exact bytes.
pub fn trim(bytes: &[u8]) -> &[u8] {
    let space = |byte: &u8| !b" \t\r\n".contains(byte);
    let Some(from) = bytes.iter().position(space) else { return &[] };
    let to = bytes.iter().rposition(space).map_or(from, |last| last + 1);
    bytes.get(from..to).unwrap_or(&[])
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn eat(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn next(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        self.rest = self.rest.get(first.len_utf8()..)?;
        Some(first)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.space();
        match self.rest.chars().next()? {
            '{' if depth <= MAX_DEPTH => self.object(depth),
            '[' if depth <= MAX_DEPTH => self.list(depth),
            '"' => self.text().map(Value::Text),
            '-' | '0'..='9' => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<Value> {
        for word in ["null", "true", "false"] {
            if self.eat(word).is_some() {
                return Some(Value::Token(word.to_owned()));
            }
        }
        None
    }

    fn digits(&mut self) -> Option<usize> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        self.rest = self.rest.get(length..)?;
        (length > 0).then_some(length)
    }

    fn number(&mut self) -> Option<Value> {
        let start = self.rest;
        let _ = self.eat("-");
        let zero = self.rest.starts_with('0');
        let whole = self.digits()?;
        if zero && whole > 1 {
            return None;
        }
        if self.eat(".").is_some() {
            let _ = self.digits()?;
        }
        if self.eat("e").or_else(|| self.eat("E")).is_some() {
            let _ = self.eat("+").or_else(|| self.eat("-"));
            let _ = self.digits()?;
        }
        let length = start.len().checked_sub(self.rest.len())?;
        Some(Value::Token(start.get(..length)?.to_owned()))
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.eat("[")?;
        let mut items = Vec::new();
        self.space();
        if self.eat("]").is_some() {
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat("]").is_some() {
                return Some(Value::List(items));
            }
            self.eat(",")?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.eat("{")?;
        let mut members = Vec::new();
        self.space();
        if self.eat("}").is_some() {
            return Some(Value::Object(members));
        }
        loop {
            self.space();
            let key = self.text()?;
            self.space();
            self.eat(":")?;
            members.push((key, self.value(depth + 1)?));
            self.space();
            if self.eat("}").is_some() {
                return Some(Value::Object(members));
            }
            self.eat(",")?;
        }
    }

    fn text(&mut self) -> Option<Text> {
        self.eat("\"")?;
        let mut text = Text::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => self.escape(&mut text)?,
                '\0'..='\u{1f}' => return None,
                other => text.push(other.into()),
            }
        }
    }

    fn escape(&mut self, text: &mut Text) -> Option<()> {
        let code = match self.next()? {
            same @ ('"' | '\\' | '/') => same.into(),
            'b' => 8,
            't' => 9,
            'n' => 10,
            'f' => 12,
            'r' => 13,
            'u' => self.hex()?,
            _ => return None,
        };
        text.push(if (0xd800..0xdc00).contains(&code) { self.low_half(code) } else { code });
        Some(())
    }

    fn hex(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        let valid = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.rest = rest;
        valid.then(|| u32::from_str_radix(digits, 16).ok())?
    }

    /// What a high surrogate becomes: a character if its other half follows, else itself.
    fn low_half(&mut self, high: u32) -> u32 {
        let before = self.rest;
        let low = self.eat("\\u").and_then(|()| self.hex());
        if let Some(low @ 0xdc00..0xe000) = low {
            return 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        }
        self.rest = before;
        high
    }
}

impl Value {
    /// The last member of that name, as JSON readers take it.
    pub fn member(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let wanted: Text = key.chars().map(u32::from).collect();
        members.iter().rev().find(|(name, _)| *name == wanted).map(|(_, value)| value)
    }

    /// A string without lone surrogates.
    pub fn text(&self) -> Option<String> {
        let Self::Text(text) = self else { return None };
        text.iter().map(|code| char::from_u32(*code)).collect()
    }

    /// The canonical form: see design's "content address".
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Token(token) => out.push_str(token),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => separated(out, ['[', ']'], items, Self::write),
            Self::Object(members) => {
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_by(|left, right| left.0.cmp(&right.0));
                separated(out, ['{', '}'], &sorted, |(key, value), out| {
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                });
            }
        }
    }

    /// The same document in another dress: key order, white space and escapes by chance.
    pub fn redressed(&self, random: &mut Random) -> String {
        let mut out = String::new();
        self.redress(random, &mut out);
        out
    }

    fn redress(&self, random: &mut Random, out: &mut String) {
        match self {
            Self::Token(token) => out.push_str(token),
            Self::Text(text) => redress_text(text, random, out),
            Self::List(items) => {
                separated(out, ['[', ']'], items, |item, out| {
                    space(random, out);
                    item.redress(random, out);
                    space(random, out);
                });
            }
            Self::Object(members) => {
                separated(out, ['{', '}'], &reordered(members, random), |(key, value), out| {
                    space(random, out);
                    redress_text(key, random, out);
                    space(random, out);
                    out.push(':');
                    value.redress(random, out);
                    space(random, out);
                });
            }
        }
    }
}

fn separated<T>(
    out: &mut String,
    [open, close]: [char; 2],
    things: &[T],
    mut write: impl FnMut(&T, &mut String),
) {
    out.push(open);
    for (at, thing) in things.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(thing, out);
    }
    out.push(close);
}

fn write_text(text: &[u32], out: &mut String) {
    out.push('"');
    for &code in text {
        match (code, char::from_u32(code)) {
            (8, _) => out.push_str("\\b"),
            (9, _) => out.push_str("\\t"),
            (10, _) => out.push_str("\\n"),
            (12, _) => out.push_str("\\f"),
            (13, _) => out.push_str("\\r"),
            (_, Some(mark @ ('"' | '\\'))) => out.extend(['\\', mark]),
            (32.., Some(character)) => out.push(character),
            _ => out.push_str(&unit(code)),
        }
    }
    out.push('"');
}

/// Members in a random order in which equal keys keep theirs: it is part of the content.
fn reordered<'a>(members: &'a [(Text, Value)], random: &mut Random) -> Vec<&'a (Text, Value)> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    random.shuffle(&mut order);
    let shuffled: Vec<_> = order.iter().filter_map(|at| members.get(*at)).collect();
    let nth = |at: usize| {
        let key = &shuffled.get(at)?.0;
        let before = shuffled.iter().take(at).filter(|member| member.0 == *key).count();
        members.iter().filter(|member| member.0 == *key).nth(before)
    };
    (0..members.len()).filter_map(nth).collect()
}

fn space(random: &mut Random, out: &mut String) {
    if random.chance(20) {
        out.push_str(random.word(&[" ", "  ", "\n", "\r\n    ", "\t"]));
    }
}

fn redress_text(text: &[u32], random: &mut Random, out: &mut String) {
    out.push('"');
    for &code in text {
        match char::from_u32(code) {
            Some('/') if random.chance(30) => out.push_str("\\/"),
            Some(character) if code >= 32 && random.chance(3) => hex_escape(character, random, out),
            None => out.push_str(&hex(code, random)),
            _ if code < 32 && random.chance(50) => out.push_str(&hex(code, random)),
            _ => out.push_str(&inside_quotes(&[code])),
        }
    }
    out.push('"');
}

/// The escape of a UTF-16 unit.
pub(crate) fn unit(code: u32) -> String {
    format!("\\u{code:04x}")
}

fn inside_quotes(text: &[u32]) -> String {
    let mut out = String::new();
    write_text(text, &mut out);
    out.get(1..out.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

fn hex_escape(character: char, random: &mut Random, out: &mut String) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.push_str(&hex(u32::from(*unit), random));
    }
}

fn hex(code: u32, random: &mut Random) -> String {
    if random.chance(50) { format!("\\u{code:04X}") } else { unit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<String> {
        parse(text.as_bytes()).map(|value| value.canonical())
    }

    #[test]
    fn the_canonical_form_of_a_table_of_documents() {
        let table = [
            (r#" { "b" : 1.0 , "a" : [ ] } "#, Some(r#"{"a":[],"b":1.0}"#)),
            (r#"{"a":2,"b":0,"a":1}"#, Some(r#"{"a":2,"a":1,"b":0}"#)),
            (r#""\u0041\/\u001F\n\"\u00e9""#, Some("\"A/\\u001f\\n\\\"é\"")),
            (r#""\uD83D\uDE00 \ud83d \uDE00""#, Some("\"😀 \\ud83d \\ude00\"")),
            (
                r#"{"\ue000":1,"\ud800":2,"\ud800\udc00":3}"#,
                Some("{\"\\ud800\":2,\"\u{e000}\":1,\"𐀀\":3}"),
            ),
            ("[-0,1E400,1.0e+5]", Some("[-0,1E400,1.0e+5]")),
            ("01", None),
            ("[1,]", None),
            ("{\"a\":1,}", None),
            ("\"\t\"", None),
            (r#""\x""#, None),
            ("nul", None),
            ("1.", None),
            ("+1", None),
            ("1 2", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(canonical(text).as_deref(), expected, "{text}");
        }
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(canonical(&nested(MAX_DEPTH)).is_some());
        assert!(canonical(&nested(MAX_DEPTH + 1)).is_none());
    }

    #[test]
    fn another_dress_has_the_same_canonical_form() {
        let text = r#"{"a/b":["\ud83d","é\n\u0000\"",{"x":1,"y":2,"x":3}],"k":"","a/b":null}"#;
        let value = parse(text.as_bytes()).unwrap();
        for seed in 0..200 {
            let dressed = value.redressed(&mut Random::new(seed));
            assert_eq!(canonical(&dressed), Some(value.canonical()), "seed {seed}: {dressed}");
        }
    }

    #[test]
    fn what_is_json_is_what_another_reader_takes_for_json() {
        use crate::generate::{broken, odd_document};
        let mut random = Random::new(8);
        let mut taken = 0;
        for round in 0..4_000 {
            let document = odd_document(&mut random);
            let bytes = broken(&mut random, &document);
            let text = std::str::from_utf8(&bytes);
            // A value that is skipped is checked for its form alone: lone surrogates pass.
            let theirs = text.is_ok_and(|text| {
                serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
            });
            assert_eq!(parse(&bytes).is_some(), theirs, "round {round}: {bytes:?}");
            taken += u32::from(theirs);
        }
        assert!((100..3_900).contains(&taken), "{taken} of 4,000 were JSON");
    }
}
