//! The mail around a container. No header is open to what a name or a title may hold: [`Headers`].

use super::people::is_address;
use crate::content::{LineEnd, base64_lines};
use crate::format::eml::header::{Headers, mailbox};

/// An address to write to; of one that is none, one is made that can never be delivered to.
pub(super) fn address(address: Option<&str>, id: &str, tenant: &str) -> String {
    let known = address.filter(|address| address.is_ascii() && is_address(address));
    let made = || format!("{}@{}.teams.invalid", atom(id), atom(tenant));
    known.map_or_else(made, str::to_owned)
}

/// Somebody to write to.
pub(super) fn person(name: &str, said: Option<&str>, id: &str, tenant: &str) -> String {
    // Headers are ASCII: an international address stands in the name.
    let odd = said.filter(|said| !said.is_ascii() && is_address(said));
    let name = odd.map_or_else(|| name.to_owned(), |odd| format!("{name} ({odd})"));
    mailbox(Some(&name), &address(said, id, tenant))
}

/// Letters, digits and a few signs; whatever else becomes a hyphen.
fn atom(text: &str) -> String {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let atom: String = text.chars().take(64).map(|c| if is_fine(c) { c } else { '-' }).collect();
    if atom.is_empty() { "unknown".to_owned() } else { atom }
}

/// A field with people.
pub(super) fn people(head: &mut Headers, name: &str, people: &[String]) {
    if people.is_empty() {
        return head.word(name, "undisclosed-recipients:;");
    }
    head.mailboxes(name, people.iter().map(String::as_str));
}

/// The mail up to the first line of the container.
pub(super) fn start(mut head: Headers, text: &str, boundary: &str) -> Vec<u8> {
    head.word("MIME-Version", "1.0");
    head.words("Content-Type", ["multipart/mixed;", &format!("boundary=\"{boundary}\"")]);
    let mut mail = head.into_bytes();
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

/// What closes the mail.
pub(super) fn tail(boundary: &str) -> Vec<u8> {
    format!("--{boundary}--\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_add_a_header_or_a_long_line() {
        let long = "é".repeat(500);
        for value in ["a\r\nBcc: x@y", "\n\nbody", "=?utf-8?B?eA==?=", &long, " x ", "\u{0}"] {
            let mut head = Headers::default();
            head.text("Subject", value);
            people(&mut head, "To", &[person(value, Some(value), value, value)]);
            for line in String::from_utf8(head.into_bytes()).unwrap().lines() {
                let is_ours = line.starts_with("Subject: ") || line.starts_with("To: ");
                assert!(is_ours || line.starts_with(' '), "{line}");
                assert!(line.is_ascii() && line.len() < 160, "{line}");
            }
        }
    }
}
