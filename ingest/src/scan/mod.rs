//! Finds where a JSON value ends, without parsing it.
//!
//! The scanner knows strings, escapes and open brackets, and stops where a value cannot go on:
//! whether what it let through is valid JSON is decided by [`crate::strict`] or by the engine.
//! Stopping early matters where a closing brace or quote is missing, for then the rest of the file
//! would be taken for the inside of one broken item. The scanner keeps its state between pieces of
//! input, so a value may be longer than any buffer, and it never recurses, so depth costs nothing.

mod text;

use text::{Text, skip_text};

/// What a piece of input told about the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The piece ended first.
    More,
    /// The value ends before this offset of the piece.
    End(usize),
    /// No JSON value goes on like this; so much of the piece was looked at.
    Bad(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Between,
    Text,
    Escape,
    Scalar,
}

/// What a byte outside of strings does.
#[derive(Clone, Copy)]
enum Class {
    Inside,
    Quote,
    OpenObject,
    OpenArray,
    CloseObject,
    CloseArray,
    Stranger,
}

/// Looked up for every byte between strings: faster than comparing, and most of keys and words
/// are strangers, so a lost quote, which turns strings inside out, shows at once.
static CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Stranger; 256];
    let inside = b" \t\r\n,:+-.0123456789eEtruefalsn";
    let mut at = 0;
    while at < inside.len() {
        table[inside[at] as usize] = Class::Inside;
        at += 1;
    }
    table[b'"' as usize] = Class::Quote;
    table[b'{' as usize] = Class::OpenObject;
    table[b'[' as usize] = Class::OpenArray;
    table[b'}' as usize] = Class::CloseObject;
    table[b']' as usize] = Class::CloseArray;
    table
}

/// The state of a scan over one value; the first byte fed is the first of the value.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    open: Open,
}

/// The brackets that are open. The kind of the innermost 64 is known; deeper ones are trusted.
#[derive(Debug, Default)]
struct Open {
    depth: usize,
    deepest: usize,
    /// One bit a level, the innermost lowest; a one is an object.
    kinds: u64,
}

impl Open {
    fn push(&mut self, object: bool) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        self.kinds = self.kinds << 1 | u64::from(object);
    }

    /// Could the innermost one be of this kind?
    fn may_be(&self, object: bool) -> bool {
        self.deepest - self.depth >= 64 || (self.kinds & 1 == 1) == object
    }

    /// Closes the innermost one; false if it is of the other kind.
    fn pop(&mut self, object: bool) -> bool {
        let fits = self.may_be(object);
        self.depth = self.depth.saturating_sub(1);
        self.kinds >>= 1;
        fits
    }
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { state: State::Start, open: Open::default() }
    }

    /// Is a value that ends here complete? Only numbers and literals can be.
    pub(crate) fn may_end(&self) -> bool {
        self.state == State::Scalar
    }

    /// Takes the next piece of input.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Step {
        match self.state {
            State::Start => self.start(bytes),
            State::Between => self.between(bytes, 0),
            State::Text => self.text(bytes, 0),
            // The escaped byte is skipped, whatever it is.
            State::Escape if bytes.is_empty() => Step::More,
            State::Escape => self.text(bytes, 1),
            State::Scalar => scalar(bytes, 0),
        }
    }

    fn start(&mut self, bytes: &[u8]) -> Step {
        let Some(first) = bytes.first() else { return Step::More };
        match first {
            b'{' | b'[' => {
                self.open.push(*first == b'{');
                self.between(bytes, 1)
            }
            b'"' => self.text(bytes, 1),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.state = State::Scalar;
                scalar(bytes, 1)
            }
            _ => Step::Bad(0),
        }
    }

    /// The hot loop: goes on from `at`, which is in no string.
    fn between(&mut self, bytes: &[u8], mut at: usize) -> Step {
        self.state = State::Between;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            let fits = match CLASSES[usize::from(byte)] {
                Class::Inside => continue,
                Class::Quote => match skip_text(bytes, at) {
                    Text::Ended(end) => {
                        at = end;
                        continue;
                    }
                    cut_off => return self.cut_off(&cut_off),
                },
                Class::OpenObject => self.opens(bytes, at, true),
                Class::OpenArray => self.opens(bytes, at, false),
                Class::CloseObject => self.open.pop(true),
                Class::CloseArray => self.open.pop(false),
                Class::Stranger => false,
            };
            if !fits {
                return Step::Bad(at);
            }
            if self.open.depth == 0 {
                return Step::End(at);
            }
        }
        Step::More
    }

    /// A bracket opens in front of `at`. In an object only a member's value can do that: if a
    /// comma stands before it, the object was never closed and this is the next item.
    fn opens(&mut self, bytes: &[u8], at: usize, object: bool) -> bool {
        let before = bytes.get(..at - 1).unwrap_or_default();
        let last = before.iter().rev().find(|byte| !is_space(**byte));
        let fits = self.open.may_be(false) || last.is_none_or(|last| *last == b':');
        self.open.push(object);
        fits
    }

    /// Goes on from `at`, which is in a string.
    fn text(&mut self, bytes: &[u8], at: usize) -> Step {
        match skip_text(bytes, at) {
            Text::Ended(end) if self.open.depth == 0 => Step::End(end),
            Text::Ended(end) => self.between(bytes, end),
            cut_off => self.cut_off(&cut_off),
        }
    }

    fn cut_off(&mut self, text: &Text) -> Step {
        self.state = if *text == Text::Escape { State::Escape } else { State::Text };
        Step::More
    }
}

fn scalar(bytes: &[u8], at: usize) -> Step {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.iter().position(|byte| {
        matches!(byte, b',' | b']' | b'}' | b'{' | b'[' | b'"' | b' ' | b'\t' | b'\r' | b'\n')
    });
    end.map_or(Step::More, |end| Step::End(at + end))
}

/// The end of the value at the start of `bytes`, or `None` if it does not end in them.
pub(crate) fn end_of_value(bytes: &[u8]) -> Option<usize> {
    let mut scanner = Scanner::new();
    match scanner.feed(bytes) {
        Step::End(end) => Some(end),
        Step::More if scanner.may_end() => Some(bytes.len()),
        Step::More | Step::Bad(_) => None,
    }
}

/// JSON's white space.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// How many bytes of white space `bytes` starts with.
pub(crate) fn space(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_space(byte)).unwrap_or(bytes.len())
}

/// Without the white space around it.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(bytes.get(space(bytes)..).unwrap_or_default())
}

/// Without the white space behind it.
pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| !is_space(byte)).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
