//! The mail around a container: seven bits, folded, and with no header that its values could add to.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatvault_engine::Timestamp;

use super::people::is_address;
use crate::content::{LineEnd, base64_lines};
use crate::zone::calendar::mail_date;

/// The longest value that stands as it is; a longer one becomes encoded words, which can be folded.
const PLAIN_CHARS: usize = 60;
/// A name and its address go on two lines if they are longer than this together.
const LINE_CHARS: usize = 70;
/// Bytes in an encoded word: with its frame it stays below the 75 characters that are allowed.
const WORD_BYTES: usize = 42;

/// Somebody to write to.
#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    pub(super) name: String,
    pub(super) address: String,
}

impl Mailbox {
    /// With an address that is none, one is made that can never be delivered to.
    pub(super) fn new(name: &str, address: Option<&str>, id: &str, tenant: &str) -> Self {
        let known = address.filter(|address| address.is_ascii() && is_address(address));
        let made = || format!("{}@{}.teams.invalid", atom(id), atom(tenant));
        // Headers are ASCII: an international address stands in the name.
        let odd = address.filter(|address| !address.is_ascii() && is_address(address));
        let name = odd.map_or_else(|| name.to_owned(), |address| format!("{name} ({address})"));
        Self { name, address: known.map_or_else(made, str::to_owned) }
    }

    fn header(&self) -> String {
        let phrase = phrase(&self.name);
        let last = phrase.len() - phrase.rfind('\n').map_or(0, |at| at + 1);
        let between = if last + self.address.len() > LINE_CHARS { "\r\n " } else { " " };
        format!("{phrase}{between}<{}>", self.address)
    }
}

/// Letters, digits and a few signs; whatever else becomes a hyphen.
fn atom(text: &str) -> String {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let atom: String = text.chars().take(64).map(|c| if is_fine(c) { c } else { '-' }).collect();
    if atom.is_empty() { "unknown".to_owned() } else { atom }
}

/// The head of the mail.
#[derive(Debug, Default)]
pub(super) struct Head(String);

impl Head {
    /// A header with free text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &unstructured(value));
    }

    /// A header whose value is ours.
    pub(super) fn raw(&mut self, name: &str, value: &str) {
        // Writing to a string does not fail.
        let _written = write!(self.0, "{name}: {value}\r\n");
    }

    /// A header with people, one a line.
    pub(super) fn people(&mut self, name: &str, people: &[Mailbox]) {
        if people.is_empty() {
            return self.raw(name, "undisclosed-recipients:;");
        }
        let people: Vec<String> = people.iter().map(Mailbox::header).collect();
        self.raw(name, &people.join(",\r\n "));
    }

    /// The date, if it has a year that a mail can say.
    pub(super) fn date(&mut self, time: Timestamp) {
        if let Some(date) = mail_date(time) {
            self.raw("Date", &date);
        }
    }

    /// The mail up to the first line of the container.
    pub(super) fn finish(mut self, text: &str, boundary: &str) -> Vec<u8> {
        self.raw("MIME-Version", "1.0");
        self.raw("Content-Type", &format!("multipart/mixed;\r\n boundary=\"{boundary}\""));
        let mut mail = self.0.into_bytes();
        mail.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        mail.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
        mail.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n\r\n");
        base64_lines(text.as_bytes(), LineEnd::Crlf, &mut mail);
        mail.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        mail.extend_from_slice(b"Content-Type: application/zip; name=\"rsmf.zip\"\r\n");
        mail.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n");
        mail.extend_from_slice(b"Content-Disposition: attachment; filename=\"rsmf.zip\"\r\n\r\n");
        mail
    }
}

/// What closes the mail.
pub(super) fn tail(boundary: &str) -> Vec<u8> {
    format!("--{boundary}--\r\n").into_bytes()
}

fn is_plain(text: &str) -> bool {
    // Text that looks like an encoded word has to be encoded, or readers would decode it.
    text.len() <= PLAIN_CHARS
        && text.bytes().all(|byte| (0x20..0x7F).contains(&byte))
        && !text.contains("=?")
        && text.trim() == text
}

/// Free text as a header value.
fn unstructured(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { words(text) }
}

/// A name in front of an address.
fn phrase(text: &str) -> String {
    if !is_plain(text) {
        return words(text);
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// Encoded words of RFC 2047, one a line, cut between characters.
fn words(text: &str) -> String {
    let mut lines = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if word.len() + c.len_utf8() > WORD_BYTES {
            lines.push(encoded(&word));
            word.clear();
        }
        word.push(c);
    }
    lines.push(encoded(&word));
    lines.join("\r\n ")
}

fn encoded(word: &str) -> String {
    format!("=?utf-8?B?{}?=", STANDARD.encode(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_add_a_header_or_a_long_line() {
        let long = "é".repeat(500);
        for value in ["a\r\nBcc: x@y", "\n\nbody", "=?utf-8?B?eA==?=", &long, " x ", "\u{0}"] {
            let mut head = Head::default();
            head.text("Subject", value);
            head.people("To", &[Mailbox::new(value, Some(value), value, value)]);
            for line in head.0.lines() {
                let is_ours = line.starts_with("Subject: ") || line.starts_with("To: ");
                assert!(is_ours || line.starts_with(' '), "{line}");
                assert!(line.is_ascii() && line.len() < 160, "{line}");
            }
        }
    }
}
