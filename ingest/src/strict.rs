//! Is a piece of bytes one valid JSON value?
//!
//! The fast scanner trusts brackets and quotes. Where that trust could swallow good messages (a
//! broken one may reach over its neighbours) this slower check decides. It does not recurse; what
//! is open is one bit a level.

use crate::scan::{Step, space};

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

/// Is `bytes` one JSON value with nothing but white space around it?
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    let mut check = Check { rest: bytes, open: Open::default() };
    check.run().is_some() && check.rest.is_empty()
}

/// The containers that are open: a one is an object.
#[derive(Default)]
struct Open {
    words: Vec<u64>,
    depth: usize,
}

impl Open {
    fn push(&mut self, object: bool) {
        let (word, bit) = (self.depth / 64, self.depth % 64);
        if word == self.words.len() {
            self.words.push(0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word = (*word & !(1 << bit)) | (u64::from(object) << bit);
        }
        self.depth += 1;
    }

    /// Closes the innermost one if it is of this kind.
    fn pop(&mut self, object: bool) -> Option<()> {
        (self.innermost()? == object).then(|| self.depth -= 1)
    }

    fn innermost(&self) -> Option<bool> {
        let last = self.depth.checked_sub(1)?;
        self.words.get(last / 64).map(|word| word >> (last % 64) & 1 == 1)
    }
}

struct Check<'a> {
    rest: &'a [u8],
    open: Open,
}

impl Check<'_> {
    /// Eats one value and the white space after it; `None` where it is not valid.
    fn run(&mut self) -> Option<()> {
        let mut expect = Expect::Value;
        loop {
            self.skip_space();
            expect = self.token(expect)?;
            if expect == Expect::CommaOrEnd && self.open.depth == 0 {
                self.skip_space();
                return Some(());
            }
        }
    }

    fn token(&mut self, expect: Expect) -> Option<Expect> {
        let first = *self.rest.first()?;
        match (expect, first) {
            (Expect::Value | Expect::ValueOrEnd, b'{') => {
                self.open.push(true);
                self.take(1).map(|()| Expect::KeyOrEnd)
            }
            (Expect::Value | Expect::ValueOrEnd, b'[') => {
                self.open.push(false);
                self.take(1).map(|()| Expect::ValueOrEnd)
            }
            (Expect::ValueOrEnd | Expect::CommaOrEnd, b']') => self.close(false),
            (Expect::KeyOrEnd | Expect::CommaOrEnd, b'}') => self.close(true),
            (Expect::Key | Expect::KeyOrEnd, b'"') => self.key(),
            (Expect::CommaOrEnd, b',') => {
                let object = self.open.innermost()?;
                self.take(1).map(|()| if object { Expect::Key } else { Expect::Value })
            }
            (Expect::Value | Expect::ValueOrEnd, _) => {
                self.leaf(first).map(|()| Expect::CommaOrEnd)
            }
            _ => None,
        }
    }

    fn close(&mut self, object: bool) -> Option<Expect> {
        self.open.pop(object)?;
        self.take(1).map(|()| Expect::CommaOrEnd)
    }

    fn key(&mut self) -> Option<Expect> {
        self.string()?;
        self.skip_space();
        (self.rest.first() == Some(&b':')).then_some(())?;
        self.take(1).map(|()| Expect::Value)
    }

    fn leaf(&mut self, first: u8) -> Option<()> {
        match first {
            b'"' => self.string(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let Step::End(end) = crate::scan::Scanner::new().feed(self.rest) else { return None };
        let body = self.rest.get(1..end.checked_sub(1)?)?;
        (std::str::from_utf8(body).is_ok() && escapes_are_valid(body)).then_some(())?;
        self.take(end)
    }

    fn number(&mut self) -> Option<()> {
        let bytes = self.rest.strip_prefix(b"-").unwrap_or(self.rest);
        let (whole, mut bytes) = digits(bytes)?;
        (whole.len() == 1 || whole.first() != Some(&b'0')).then_some(())?;
        if let Some(fraction) = bytes.strip_prefix(b".") {
            bytes = digits(fraction)?.1;
        }
        if let [b'e' | b'E', exponent @ ..] = bytes {
            let unsigned = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-"));
            bytes = digits(unsigned.unwrap_or(exponent))?.1;
        }
        self.rest = bytes;
        Some(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.get(space(self.rest)..).unwrap_or_default();
    }

    fn take(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }
}

/// At least one digit, and what follows.
fn digits(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let count = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    if count == 0 { None } else { bytes.split_at_checked(count) }
}

/// No bare control characters, and only escapes that JSON knows. Lone surrogates are let through:
/// the service sends them.
fn escapes_are_valid(body: &[u8]) -> bool {
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        let valid = match byte {
            0..0x20 => false,
            b'\\' => match bytes.next() {
                Some(b'u') => (0..4).all(|_| bytes.next().is_some_and(u8::is_ascii_hexdigit)),
                escape => escape.is_some_and(|escape| b"\"\\/bfnrt".contains(escape)),
            },
            _ => true,
        };
        if !valid {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[&str] = &[
        "",
        " ",
        "{}",
        " [ ] ",
        "[[],{}]",
        "{]",
        "[}",
        "{}}",
        "[1,2",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "{\"a\" : [ 1 , { \"b\" : null } ] }",
        "[1 2]",
        "1",
        "-0",
        "01",
        "-",
        "1.",
        ".5",
        "1.5E-3",
        "1e",
        "1e+",
        "2e5",
        "12345678901234567890",
        "tru",
        "trueish",
        "null null",
        "\"a\"",
        "\"a",
        "\"\\\"\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12e4\"",
        "\"a\tb\"",
        "\"a\\tb\"",
        "{\"a\":\"x\"\"b\":1}",
        "[\"a\":1]",
        "{\"a\",\"b\"}",
    ];

    #[test]
    fn it_agrees_with_serde_json() {
        for case in CASES {
            let expected = serde_json::from_str::<Box<serde_json::value::RawValue>>(case).is_ok();
            assert_eq!(is_valid(case.as_bytes()), expected, "{case}");
        }
    }

    #[test]
    fn lone_surrogates_and_any_depth_pass_but_not_broken_utf8() {
        assert!(is_valid(br#"{"a":"\ud83d"}"#));
        let deep = 1_000_000;
        let input = ["[".repeat(deep), "]".repeat(deep)].concat();
        assert!(is_valid(input.as_bytes()));
        assert!(!is_valid(input.as_bytes().split_at(2 * deep - 1).0));
        assert!(!is_valid(b"\"\xff\""));
    }
}
