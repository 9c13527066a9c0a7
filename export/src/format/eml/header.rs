//! Header fields: ASCII, folded, and closed to whatever a name or a subject may hold.
//!
//! Always holds: a value cannot end its field. Every control character becomes a space before
//! anything else looks at the value, and the only line ends are the ones written here, each
//! followed by a space. No line is longer than 998 bytes, and none longer than 78 that could be
//! folded behind the first word of its value.
//!
//! Text that is not plain ASCII, or that a reader would change (runs of spaces, words as long as a
//! line, something that looks like an encoded word), goes as RFC 2047 words in base64, cut between
//! code points so that each word is valid by itself.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::{memchr, memrchr};

/// RFC 5322's recommended longest line.
const LINE: usize = 78;
/// RFC 2047's longest line with an encoded word in it.
const ENCODED_LINE: usize = 76;
/// `=?utf-8?B?` and `?=`.
const WORD_FRAME: usize = 12;
/// The most bytes that fit into an encoded word of 75 characters.
const WORD_BYTES: usize = 45;
/// The longest run of characters without a space that stays as it is.
const PLAIN_WORD: usize = 300;
/// The longest value, in bytes: mail servers refuse mails with larger headers, and what has no place
/// here is in the stored JSON.
const VALUE_BYTES: usize = 8 << 10;
/// The longest display name, in bytes.
const NAME_BYTES: usize = 512;

/// The fields of a mail or of a part, as they are written.
#[derive(Clone, Debug, Default)]
pub(in crate::format) struct Headers {
    out: Vec<u8>,
    /// Where the current line starts in `out`.
    line: usize,
    /// Where the field's value starts in `out`.
    value: usize,
}

impl Headers {
    pub(in crate::format) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), line: 0, value: 0 }
    }

    pub(in crate::format) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Fields that are written already.
    pub(in crate::format) fn append(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    /// A field of one word that this crate made: no control character, shorter than a line.
    pub(in crate::format) fn word(&mut self, name: &str, word: &str) {
        self.start(name);
        self.token(word);
        self.end();
    }

    /// A field of words that this crate made, folded between them.
    pub(in crate::format) fn words<'a>(
        &mut self,
        name: &str,
        words: impl IntoIterator<Item = &'a str>,
    ) {
        self.start(name);
        for word in words {
            self.token(word);
        }
        self.end();
    }

    /// A field of free text.
    pub(in crate::format) fn text(&mut self, name: &str, value: &str) {
        let value = clean(value, VALUE_BYTES);
        self.start(name);
        if is_plain(&value) {
            value.split(' ').for_each(|word| self.token(word));
        } else {
            self.encoded(&value);
        }
        self.end();
    }

    /// A field of free text, left out when there is none.
    pub(in crate::format) fn text_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.text(name, value);
        }
    }

    /// A field of mailboxes made by [`mailbox`].
    pub(in crate::format) fn mailboxes<'a>(
        &mut self,
        name: &str,
        boxes: impl Iterator<Item = &'a str>,
    ) {
        self.start(name);
        let mut is_first = true;
        for mailbox in boxes {
            if !is_first {
                self.out.push(b',');
            }
            self.mailbox(mailbox);
            is_first = false;
        }
        self.end();
    }

    /// A mailbox may be folded already; only its first line decides whether it still fits.
    fn mailbox(&mut self, mailbox: &str) {
        let bytes = mailbox.as_bytes();
        self.space_for(memchr(b'\r', bytes).unwrap_or(bytes.len()), LINE);
        self.out.extend_from_slice(bytes);
        if let Some(at) = memrchr(b'\n', bytes) {
            self.line = self.out.len() - (bytes.len() - at - 1);
        }
    }

    fn start(&mut self, name: &str) {
        self.line = self.out.len();
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
        self.value = self.out.len();
    }

    fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.line = self.out.len();
    }

    /// The first one stays on its field's line: readers take a line end behind the colon for a blank.
    fn token(&mut self, word: &str) {
        let is_first = self.out.len() == self.value;
        self.space_for(if is_first { 0 } else { word.len() }, LINE);
        self.out.extend_from_slice(word.as_bytes());
    }

    /// A space, after a line end if the next `length` characters would not fit.
    fn space_for(&mut self, length: usize, line: usize) {
        if self.out.len() - self.line + 1 + length > line {
            self.out.extend_from_slice(b"\r\n");
            self.line = self.out.len();
        }
        self.out.push(b' ');
    }

    fn encoded(&mut self, value: &str) {
        let mut rest = value;
        while !rest.is_empty() {
            let used = self.out.len() - self.line + 1 + WORD_FRAME;
            let fits = ENCODED_LINE.saturating_sub(used) / 4 * 3;
            // What is left of a line is used for a first word of some length, else for none.
            let bytes = if fits < 12 { WORD_BYTES } else { fits.min(WORD_BYTES) };
            let (head, tail) = split_at_most(rest, bytes);
            let word = encoded_word(head);
            self.space_for(word.len(), ENCODED_LINE);
            self.out.extend_from_slice(word.as_bytes());
            rest = tail;
        }
    }
}

fn encoded_word(text: &str) -> String {
    let mut word = String::with_capacity(75);
    word.push_str("=?utf-8?B?");
    STANDARD.encode_string(text, &mut word);
    word.push_str("?=");
    word
}

/// `Name <address>`, folded where its name is long. `address` must be one of this crate's making.
pub(in crate::format) fn mailbox(name: Option<&str>, address: &str) -> String {
    let name = name.map(|name| clean(name, NAME_BYTES)).filter(|name| !name.is_empty());
    let Some(name) = name else { return format!("<{address}>") };
    if name.len() <= LINE && is_plain(&name) {
        return if name.bytes().all(is_atom) {
            format!("{name} <{address}>")
        } else {
            format!("{} <{address}>", quoted(&name))
        };
    }
    let mut folded = Headers::default();
    let mut line_has = 0;
    for (at, word) in encoded_words(&name).enumerate() {
        folded.append(if at == 0 { b"" } else { b"\r\n " });
        folded.append(word.as_bytes());
        line_has = word.len();
    }
    let gap = if line_has + address.len() + 4 > LINE { "\r\n " } else { " " };
    format!("{}{gap}<{address}>", String::from_utf8_lossy(&folded.into_bytes()))
}

fn encoded_words(text: &str) -> impl Iterator<Item = String> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (head, tail) = split_at_most(rest, WORD_BYTES);
        rest = tail;
        (!head.is_empty()).then(|| encoded_word(head))
    })
}

/// A quoted string: every byte is printable ASCII already.
pub(in crate::format) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

/// The text with its control characters as spaces, without spaces at its ends, cut to a length.
pub(in crate::format) fn clean(text: &str, most: usize) -> Cow<'_, str> {
    let is_control =
        |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    let text = text.trim_matches(|character| is_control(character) || character == ' ');
    if text.len() <= most && (is_printable(text) || !text.chars().any(is_control)) {
        return Cow::Borrowed(text);
    }
    let (head, tail) = split_at_most(text, most);
    let mut out: String =
        head.chars().map(|each| if is_control(each) { ' ' } else { each }).collect();
    if !tail.is_empty() {
        out.push('…');
    }
    Cow::Owned(out)
}

/// Cuts at a code point: the head has at most `most` bytes, but at least one code point.
pub(in crate::format) fn split_at_most(text: &str, most: usize) -> (&str, &str) {
    if text.len() <= most {
        return (text, "");
    }
    let first = text.chars().next().map_or(0, char::len_utf8);
    text.split_at(text.floor_char_boundary(most).max(first))
}

/// Whether a text can stand as it is: no reader changes it, and it can be folded.
fn is_plain(text: &str) -> bool {
    let changes = |pair: &[u8]| matches!(pair, b"=?" | b"  ");
    is_printable(text)
        && !text.as_bytes().windows(2).any(changes)
        && text.split(' ').all(|word| word.len() <= PLAIN_WORD)
}

/// ASCII without control characters.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// RFC 5322's atoms, and the space between them.
fn is_atom(byte: u8) -> bool {
    byte == b' ' || is_atext(byte)
}

/// RFC 5322's `atext`.
pub(in crate::format) fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(value: &str) -> String {
        let mut headers = Headers::default();
        headers.text("Subject", value);
        String::from_utf8(headers.into_bytes()).unwrap()
    }

    #[test]
    fn plain_text_is_folded_between_words() {
        assert_eq!(field("hello world"), "Subject: hello world\r\n");
        let long = "word ".repeat(30);
        let folded = field(&long);
        assert!(folded.lines().all(|line| line.len() <= 78), "{folded}");
        assert_eq!(folded.replace("\r\n", ""), format!("Subject: {}", long.trim_end()));
    }

    #[test]
    fn a_long_first_word_stays_behind_its_colon() {
        let id = format!("19:meeting_{}@thread.v2", "x".repeat(64));
        assert_eq!(field(&id), format!("Subject: {id}\r\n"));
    }

    #[test]
    fn nothing_in_a_value_ends_its_field() {
        for hostile in
            ["a\r\nBcc: x", "a\nBcc: x", "a\rBcc: x", "a\0\u{85}\u{2028}Bcc: x", "\r\n\r\nx"]
        {
            let written = field(hostile);
            assert_eq!(written.matches('\n').count(), 1, "{written:?}");
            assert!(!written.contains("\nBcc"), "{written:?}");
        }
    }

    #[test]
    fn other_text_goes_in_words_of_75_characters_cut_between_code_points() {
        let written = field(&"Größe 漢字 😀 ".repeat(20));
        for word in written.split_ascii_whitespace().skip(1) {
            assert!(word.len() <= 75, "{word}");
            let inner = word.strip_prefix("=?utf-8?B?").unwrap().strip_suffix("?=").unwrap();
            assert!(String::from_utf8(STANDARD.decode(inner).unwrap()).is_ok(), "{word}");
        }
        assert!(written.lines().all(|line| line.len() <= 76), "{written}");
    }

    #[test]
    fn what_a_reader_would_change_is_encoded() {
        for text in ["a  b", "=?utf-8?Q?x?=", &"x".repeat(999)] {
            assert!(field(text).contains("=?utf-8?B?"), "{text}");
        }
    }

    #[test]
    fn a_name_cannot_become_an_address() {
        let address = "a@example.com";
        for (name, written) in [
            (None, "<a@example.com>"),
            (Some(" \r\n"), "<a@example.com>"),
            (Some("Ann Lee"), "Ann Lee <a@example.com>"),
            (Some("Lee, Ann"), "\"Lee, Ann\" <a@example.com>"),
            (Some("Ann \"A\" <b@c>"), "\"Ann \\\"A\\\" <b@c>\" <a@example.com>"),
            (Some("Änn"), "=?utf-8?B?w4Rubg==?= <a@example.com>"),
        ] {
            assert_eq!(mailbox(name, address), written);
        }
    }
}
