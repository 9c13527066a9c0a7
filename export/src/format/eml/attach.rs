//! Attachments as parts: their names, their types, and which of them the body shows in its text.
//!
//! A type or a name comes from outside, so neither can add a field or a path: what is no plain media
//! type becomes `application/octet-stream`, and a name has no separators and no control characters.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Read;

use chatvault_engine::ContentAddress;

use crate::content::{LineEnd, base64_lines};
use crate::entry::{Attached, AttachedState, Objects};
use crate::name::safe;

use super::header::{Headers, quoted};
use super::mime::{Leaf, LeafBody};

/// What a part is when nobody knows.
const UNKNOWN: &str = "application/octet-stream";
/// How many bytes at the start tell what an image is.
const MAGIC_BYTES: u64 = 12;

/// An attached file: `Content-Disposition: attachment`.
pub(super) fn file(attached: &Attached, objects: &dyn Objects) -> Option<Leaf> {
    let (address, size) = stored(attached)?;
    let head = described(attached, "attachment", objects);
    Some(Leaf { head: head.into_bytes(), body: LeafBody::Object { address, size } })
}

/// An image that the body shows in its place: `Content-Disposition: inline`.
pub(super) fn inline(attached: &Attached, id: &str, objects: &dyn Objects) -> Option<Leaf> {
    let (address, size) = stored(attached)?;
    let mut head = described(attached, "inline", objects);
    head.word("Content-ID", &format!("<{id}>"));
    Some(Leaf { head: head.into_bytes(), body: LeafBody::Object { address, size } })
}

/// The stored JSON, byte for byte.
pub(super) fn json(json: &[u8]) -> Leaf {
    let mut head = Headers::default();
    head.word("Content-Type", "application/json");
    head.word("Content-Transfer-Encoding", "base64");
    head.word("Content-Disposition", "attachment; filename=\"message.json\"");
    let mut body = Vec::with_capacity(json.len() / 3 * 4 + json.len() / 28 + 8);
    base64_lines(json, LineEnd::Crlf, &mut body);
    Leaf { head: head.into_bytes(), body: LeafBody::Encoded(body) }
}

/// Where an attachment's bytes are; `None`: not here.
pub(super) fn stored(attached: &Attached) -> Option<(ContentAddress, u64)> {
    match &attached.state {
        AttachedState::Stored { address, size, .. } => Some((*address, *size)),
        _ => None,
    }
}

/// The type it is sent as.
pub(super) fn media_type<'a>(attached: &'a Attached, objects: &dyn Objects) -> Cow<'a, str> {
    let named = attached.media_type.trim();
    if is_media_type(named) && named != UNKNOWN {
        return Cow::Borrowed(named);
    }
    // Inline contents have no name that would tell, but a picture says what it is itself.
    let image = stored(attached).and_then(|(address, _)| image_type(&address, objects));
    Cow::Borrowed(image.unwrap_or(UNKNOWN))
}

fn image_type(address: &ContentAddress, objects: &dyn Objects) -> Option<&'static str> {
    let mut start = Vec::with_capacity(12);
    let _read = objects.read(address).ok()?.take(MAGIC_BYTES).read_to_end(&mut start).ok()?;
    match start.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Some("image/webp"),
        [b'B', b'M', ..] => Some("image/bmp"),
        _ => None,
    }
}

/// `type/subtype` of plain characters, and none that would have to be a tree of parts.
fn is_media_type(text: &str) -> bool {
    let is_token = |token: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        (1..=127).contains(&token.len()) && token.bytes().all(fits)
    };
    text.split_once('/').is_some_and(|(kind, sub)| {
        let is_tree = ["multipart", "message"].iter().any(|tree| kind.eq_ignore_ascii_case(tree));
        is_token(kind) && is_token(sub) && !is_tree
    })
}

/// Type, encoding and name, as every reader understands them. A name beyond ASCII is RFC 8187's
/// `filename*`; its ASCII form for old readers is the type's `name`, and not a second `filename`:
/// strict readers call that a duplicate, and some take the wrong one.
fn described(attached: &Attached, kind: &str, objects: &dyn Objects) -> Headers {
    let media_type = media_type(attached, objects);
    let name = file_name(&attached.name);
    let mut head = Headers::default();
    if name.is_ascii() {
        head.word("Content-Type", &media_type);
    } else {
        let ascii: String =
            name.chars().map(|each| if each.is_ascii() { each } else { '_' }).collect();
        let old = format!("name={}", quoted(&ascii));
        head.words("Content-Type", [format!("{media_type};").as_str(), old.as_str()]);
    }
    head.word("Content-Transfer-Encoding", "base64");
    let new = if name.is_ascii() {
        format!("filename={}", quoted(&name))
    } else {
        format!("filename*=UTF-8''{}", percent(&name))
    };
    head.words("Content-Disposition", [format!("{kind};").as_str(), new.as_str()]);
    head
}

/// A name that every system can store: nothing that a path or a field could be made of, at most 120
/// bytes, so that even percent-encoded it fits into a line.
pub(super) fn file_name(name: &str) -> String {
    safe(name, "attachment")
}

/// RFC 8187's `ext-value`, without its charset.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::NoObjects;

    fn attached(name: &str, media_type: &str) -> Attached {
        Attached {
            attachment: "file:1".to_owned(),
            index: Some(0),
            versions: Vec::new(),
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            state: AttachedState::Stored {
                address: ContentAddress([1; 32]),
                size: 3,
                sha256: [0; 32],
                path: None,
            },
        }
    }

    fn head(name: &str, media_type: &str) -> String {
        String::from_utf8(file(&attached(name, media_type), &NoObjects).unwrap().head).unwrap()
    }

    #[test]
    fn a_name_has_its_plain_and_its_full_form() {
        assert_eq!(
            head("Größe.pdf", "application/pdf"),
            "Content-Type: application/pdf; name=\"Gr__e.pdf\"\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe.pdf\r\n"
        );
        assert!(
            head("a b.pdf", "application/pdf").contains("attachment; filename=\"a b.pdf\"\r\n")
        );
    }

    #[test]
    fn names_and_types_from_outside_add_nothing() {
        for hostile in ["a\r\nX: y", "a\"; x=\"y", "../../etc/passwd", "", "...", "C:\\a\\b"] {
            let head = head(hostile, "text/plain\r\nX: y");
            assert_eq!(head.matches("\r\n").count(), 3, "{head:?}");
            assert!(head.starts_with("Content-Type: application/octet-stream\r\n"), "{head:?}");
            assert!(!head.contains(['/', '\\']) || head.matches('/').count() == 1, "{head:?}");
        }
        for tree in ["message/rfc822", "Multipart/mixed", "a", "a/", "/b", "a/b; c=d"] {
            assert!(head("a", tree).contains("application/octet-stream"), "{tree}");
        }
    }

    #[test]
    fn a_long_name_is_cut_before_its_ending() {
        let name = file_name(&format!("{}.docx", "漢".repeat(100)));
        assert!(name.len() <= 120 && name.ends_with("漢.docx"), "{name}");
        assert!(head(&name, "a/b").lines().all(|line| line.len() < 998));
    }

    #[test]
    fn a_picture_says_what_it_is() {
        struct Png;
        impl Objects for Png {
            fn read(&self, _: &ContentAddress) -> std::io::Result<Box<dyn Read + Send>> {
                Ok(Box::new(&b"\x89PNG\r\n\x1a\n rest of it"[..]))
            }
        }
        assert_eq!(media_type(&attached("image", UNKNOWN), &Png), "image/png");
        assert_eq!(media_type(&attached("image", UNKNOWN), &NoObjects), UNKNOWN);
    }
}
