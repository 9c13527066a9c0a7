//! The tree of parts, written out: `mixed(related(alternative(text, html), images), files)`.
//!
//! Levels with one child collapse. Boundaries are derived from the content address: `=_` and its
//! first 24 digits for `mixed`, `=_r…` and `=_t…` for the inner levels. None starts with another
//! (a digit is never `r` or `t`), and no body can hold one, since every body is in quoted-printable
//! or base64 (see [`super::encode`]): proof instead of search.

use chatvault_engine::ContentAddress;

use crate::entry::{Content, LineEnd, Span};

use super::encode::Encoding;
use super::header::Headers;

/// A part, or a level of parts.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Leaf(Leaf),
    Many(Level, Vec<Part>),
}

/// A part with bytes.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// Its fields.
    pub(super) head: Vec<u8>,
    pub(super) body: LeafBody,
}

/// The bytes of a part, in seven bits.
#[derive(Clone, Debug)]
pub(super) enum LeafBody {
    Encoded(Vec<u8>),
    /// Becomes base64 when it is written.
    Object {
        address: ContentAddress,
        size: u64,
    },
}

/// What the children of a level are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Mixed,
    Related,
    Alternative,
}

impl Level {
    fn boundary(self, address: &str) -> String {
        let digits = address.get(..24).unwrap_or(address);
        match self {
            Self::Mixed => format!("=_{digits}"),
            Self::Related => format!("=_r{digits}"),
            Self::Alternative => format!("=_t{digits}"),
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Mixed => "multipart/mixed;",
            Self::Related => "multipart/related;",
            Self::Alternative => "multipart/alternative;",
        }
    }
}

impl Part {
    /// A text in UTF-8.
    pub(super) fn text(subtype: &str, text: &str) -> Self {
        let encoding = Encoding::for_text(text);
        let mut head = Headers::with_capacity(96);
        head.word("Content-Type", &format!("text/{subtype}; charset=utf-8"));
        head.word("Content-Transfer-Encoding", encoding.name());
        let mut body = Vec::new();
        encoding.encode(text, &mut body);
        Self::Leaf(Leaf { head: head.into_bytes(), body: LeafBody::Encoded(body) })
    }

    /// A part and its companions at one level; alone it is what it is.
    pub(super) fn with(self, level: Level, others: impl IntoIterator<Item = Self>) -> Self {
        let mut others = others.into_iter().peekable();
        match others.peek() {
            None => self,
            Some(_) => Self::Many(level, std::iter::once(self).chain(others).collect()),
        }
    }

    fn media_type(&self) -> &'static str {
        match self {
            Self::Leaf(_) => "text/html",
            Self::Many(level, _) => level.media_type().trim_end_matches(';'),
        }
    }
}

/// A mail: its fields, which end in those of its part, and its bodies.
pub(super) fn content(fields: Headers, part: &Part, address: &str) -> Content {
    let mut writer = Writer { spans: Vec::new(), bytes: fields.into_bytes(), address };
    writer.part(part);
    writer.finish()
}

struct Writer<'a> {
    spans: Vec<Span>,
    /// What stands behind the last span.
    bytes: Vec<u8>,
    address: &'a str,
}

impl Writer<'_> {
    /// The tree is three levels deep at most, and so are the calls.
    fn part(&mut self, part: &Part) {
        match part {
            Part::Leaf(leaf) => self.leaf(leaf),
            Part::Many(level, parts) => self.level(*level, parts),
        }
    }

    fn leaf(&mut self, leaf: &Leaf) {
        self.bytes.extend_from_slice(&leaf.head);
        self.bytes.extend_from_slice(b"\r\n");
        match &leaf.body {
            LeafBody::Encoded(body) => self.bytes.extend_from_slice(body),
            LeafBody::Object { address, size } => {
                self.spans.push(Span::Bytes(std::mem::take(&mut self.bytes)));
                self.spans.push(Span::Base64 {
                    address: *address,
                    size: *size,
                    end: LineEnd::Crlf,
                });
            }
        }
    }

    fn level(&mut self, level: Level, parts: &[Part]) {
        let boundary = level.boundary(self.address);
        let quoted = format!("boundary=\"{boundary}\"");
        let mut head = Headers::default();
        if level == Level::Related {
            let main = format!("type=\"{}\";", parts.first().map_or("text/html", Part::media_type));
            head.words("Content-Type", [level.media_type(), main.as_str(), quoted.as_str()]);
        } else {
            head.words("Content-Type", [level.media_type(), quoted.as_str()]);
        }
        self.bytes.extend(head.into_bytes());
        for part in parts {
            self.line(&["\r\n--", &boundary, "\r\n"]);
            self.part(part);
        }
        self.line(&["\r\n--", &boundary, "--\r\n"]);
    }

    fn line(&mut self, pieces: &[&str]) {
        for piece in pieces {
            self.bytes.extend_from_slice(piece.as_bytes());
        }
    }

    fn finish(mut self) -> Content {
        if self.spans.is_empty() {
            return Content::Bytes(self.bytes);
        }
        self.spans.push(Span::Bytes(self.bytes));
        Content::Spans(self.spans)
    }
}
