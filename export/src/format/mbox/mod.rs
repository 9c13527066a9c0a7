//! Mails in one file, as mail programs keep them: mboxrd.
//!
//! Each mail has a line `From teams-archive Thu Jun  3 23:22:47 2021` before it and an empty line
//! behind it. A line of a mail that starts with `From `, or with that behind any number of `>`, gets
//! one more `>`, which readers take away again. Lines end in LF, as RFC 4155 has it.
//!
//! A file is records one behind the other, without a head: it can end after any of them.

use chatvault_base::time::calendar;
use chatvault_engine::Timestamp;
use memchr::memchr;

use crate::content::LineEnd;
use crate::entry::{Content, Context, Entry, Span};
use crate::format::eml::Mails;

/// Writes the records of one conversation.
#[derive(Debug)]
pub(crate) struct Mailbox<'a> {
    mails: Mails<'a>,
}

impl<'a> Mailbox<'a> {
    /// For one conversation.
    pub(crate) fn new(context: Context<'a>) -> Self {
        Self { mails: Mails::new(context) }
    }

    /// A message's mails as records. Without bytes for a system event that is to be left out.
    pub(crate) fn record(&self, entry: &Entry) -> Content {
        let mut spans = Vec::new();
        let mut bytes = Vec::new();
        for piece in self.mails.pieces(entry) {
            bytes.extend_from_slice(from_line(entry.created).as_bytes());
            let parts = match piece.content {
                Content::Bytes(mail) => vec![Span::Bytes(mail)],
                Content::Spans(parts) => parts,
                // A mail is never a bare object.
                Content::Object { .. } => Vec::new(),
            };
            for part in parts {
                match part {
                    Span::Bytes(part) => quote(&part, &mut bytes),
                    Span::Base64 { address, size, .. } => {
                        spans.push(Span::Bytes(std::mem::take(&mut bytes)));
                        spans.push(Span::Base64 { address, size, end: LineEnd::Lf });
                    }
                    // Only RSMF has these; base64 needs no quoting.
                    row @ Span::Base64Row(_) => {
                        spans.push(Span::Bytes(std::mem::take(&mut bytes)));
                        spans.push(row);
                    }
                }
            }
            bytes.push(b'\n');
        }
        if spans.is_empty() {
            return Content::Bytes(bytes);
        }
        spans.push(Span::Bytes(bytes));
        Content::Spans(spans)
    }
}

/// The line before a mail, with the time in the form of C's `asctime`.
fn from_line(time: Timestamp) -> String {
    let text = calendar::mbox_date(time).unwrap_or_else(|| "Thu Jan  1 00:00:00 1970".to_owned());
    format!("From teams-archive {text}\n")
}

/// Appends whole lines that end in CRLF: with LF, and quoted where a reader would see a new mail.
fn quote(mail: &[u8], out: &mut Vec<u8>) {
    out.reserve(mail.len());
    let mut rest = mail;
    while !rest.is_empty() {
        let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, later) = rest.split_at(end);
        let marks = line.iter().take_while(|&&byte| byte == b'>').count();
        if line.get(marks..).is_some_and(|line| line.starts_with(b"From ")) {
            out.push(b'>');
        }
        match line.strip_suffix(b"\r\n") {
            Some(line) => {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            None => out.extend_from_slice(line),
        }
        rest = later;
    }
}

#[cfg(test)]
mod tests;
