//! The text of a message, without making a document where its body has no markup to speak of.

use std::borrow::Cow;

use super::{Document, text};
use crate::message::{BodyKind, Message};

/// The plain text of a message: what [`text`] makes of its [`Document`], sooner.
///
/// Most bodies are a plain text, or one paragraph of it: they are not copied.
pub fn plain_text<'m>(message: &'m Message<'_>) -> Cow<'m, str> {
    let body = &message.body;
    let plain = match body.kind {
        _ if !message.attachments.is_empty() => None,
        BodyKind::Text => plain_lines(&body.content),
        BodyKind::Html => plain_paragraph(&body.content),
        BodyKind::Markdown => None,
    };
    match plain {
        Some(plain) => Cow::Borrowed(plain),
        None => Cow::Owned(text(&Document::of(message), message)),
    }
}

/// A text that is its own plain text but for the blanks around it.
fn plain_lines(text: &str) -> Option<&str> {
    let mut before = b'\n';
    for byte in text.bytes() {
        let ends_in_blank = byte == b'\n' && matches!(before, b' ' | b'\t');
        // The first byte of a hard space, and of a few other characters.
        let is_plain = byte >= b' ' && byte != 0xc2 || matches!(byte, b'\n' | b'\t');
        if ends_in_blank || !is_plain {
            return None;
        }
        before = byte;
    }
    Some(text.trim_end_matches([' ', '\t', '\n']).trim_start_matches('\n'))
}

/// What is in one paragraph, or in none, if nothing in it has to be read or changed.
fn plain_paragraph(html: &str) -> Option<&str> {
    let mut inside = html;
    while let Some(deeper) =
        unwrapped(inside, "<p>", "</p>").or_else(|| unwrapped(inside, "<div>", "</div>"))
    {
        inside = deeper;
    }
    let mut before = 0;
    for byte in inside.bytes() {
        let is_plain = byte >= b' ' && !matches!(byte, b'<' | b'&' | 0xc2);
        if !is_plain || (byte == b' ' && before == b' ') {
            return None;
        }
        before = byte;
    }
    Some(inside.trim_matches(' '))
}

fn unwrapped<'h>(html: &'h str, start: &str, end: &str) -> Option<&'h str> {
    html.strip_prefix(start)?.strip_suffix(end)
}
