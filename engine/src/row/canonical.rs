//! The canonical JSON of a document, from its nodes, and its content address.
//!
//! Keys sorted by code point, no insignificant white space, shortest string escapes, number
//! tokens as written, members with equal keys in their order.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::escape;
use super::parse::{Shape, Span};
use super::template::{HoleKind, Step, TemplateId, Templates};
use crate::types::ContentAddress;

/// Renders canonical forms; keeps its buffers.
#[derive(Debug, Default)]
pub(crate) struct Canonical {
    out: Vec<u8>,
    places: Vec<Position>,
}

/// A position in both lists of a shape.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    node: usize,
    value: usize,
}

impl Canonical {
    /// The canonical JSON of a parsed document.
    pub(crate) fn render(
        &mut self,
        templates: &Templates,
        document: &[u8],
        shape: &Shape,
    ) -> &[u8] {
        self.out.clear();
        self.places.clear();
        let walk = Walk { templates, document, shape };
        self.node(&walk, Position::default());
        &self.out
    }

    /// The content address of a parsed document, and the length of its canonical form without the
    /// replies that may have come with a post: they say nothing of the post.
    pub(crate) fn address(
        &mut self,
        templates: &Templates,
        document: &[u8],
        shape: &Shape,
    ) -> (ContentAddress, usize) {
        let form = self.render(templates, document, shape);
        (ContentAddress(*blake3::hash(form).as_bytes()), form.len() - replies_bytes(form))
    }

    fn node(&mut self, walk: &Walk<'_>, at: Position) {
        let Some(template) = walk.shape.nodes.get(at.node) else { return };
        let template = walk.templates.get(TemplateId(*template));
        let base = self.places.len();
        let mut next = Position { node: at.node + 1, value: at.value };
        for hole in &template.holes {
            self.places.push(next);
            next = walk.behind(hole.kind, next);
        }
        for step in &template.canonical {
            match step {
                Step::Bytes(bytes) => self.out.extend_from_slice(bytes),
                Step::Hole(hole) => {
                    let place = self.places[base + hole];
                    match template.holes[*hole].kind {
                        HoleKind::Array => self.elements(walk, place),
                        HoleKind::Number => self.out.extend_from_slice(walk.value(place)),
                        HoleKind::Text => escape::canonical(walk.value(place), &mut self.out),
                    }
                }
            }
        }
        self.places.truncate(base);
    }

    fn elements(&mut self, walk: &Walk<'_>, at: Position) {
        let mut next = Position { node: at.node + 1, value: at.value };
        for element in 0..walk.count(at) {
            if element > 0 {
                self.out.push(b',');
            }
            self.node(walk, next);
            next = walk.behind_node(next);
        }
    }
}

/// Made once: making it takes as long as finding nothing in a short document.
static REPLIES: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"replies"));

/// The bytes of the members of a canonical form that hold the replies to a post: `replies` and what
/// the service says of it.
fn replies_bytes(form: &[u8]) -> usize {
    if REPLIES.find(form).is_none() {
        return 0;
    }
    let (mut depth, mut at, mut start, mut bytes) = (0_usize, 0, None, 0);
    while let Some(byte) = form.get(at) {
        match byte {
            b'"' => {
                let text = form.get(at..).unwrap_or_default();
                let is_key = depth == 1 && matches!(form.get(at - 1), Some(b'{' | b','));
                let is_about =
                    [&b"\"replies\":"[..], b"\"replies@"].iter().any(|key| text.starts_with(key));
                if is_key && is_about && start.is_none() {
                    start = Some(at);
                }
                at += text_bytes(text);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        let ends = depth == 0 || (depth == 1 && *byte == b',');
        if let Some(first) = start.filter(|_| ends) {
            bytes += at - first;
            start = None;
        }
    }
    bytes
}

/// The bytes of a string with its quotes, of a text that starts with one.
fn text_bytes(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

struct Walk<'a> {
    templates: &'a Templates,
    document: &'a [u8],
    shape: &'a Shape,
}

impl<'a> Walk<'a> {
    fn value(&self, at: Position) -> &'a [u8] {
        self.shape.values.get(at.value).copied().map_or(b"", |span: Span| span.of(self.document))
    }

    fn count(&self, at: Position) -> u32 {
        self.shape.nodes.get(at.node).copied().unwrap_or(0)
    }

    fn behind(&self, kind: HoleKind, at: Position) -> Position {
        if kind != HoleKind::Array {
            return Position { node: at.node, value: at.value + 1 };
        }
        let first = Position { node: at.node + 1, value: at.value };
        (0..self.count(at)).fold(first, |next, _| self.behind_node(next))
    }

    fn behind_node(&self, at: Position) -> Position {
        let Some(template) = self.shape.nodes.get(at.node) else { return at };
        let holes = &self.templates.get(TemplateId(*template)).holes;
        let first = Position { node: at.node + 1, value: at.value };
        holes.iter().fold(first, |next, hole| self.behind(hole.kind, next))
    }
}

/// The index in `values` of a hole of the root.
pub(super) fn root_value(templates: &Templates, shape: &Shape, hole: usize) -> Option<usize> {
    let walk = Walk { templates, document: b"", shape };
    let holes = &templates.get(TemplateId(*shape.nodes.first()?)).holes;
    let first = Position { node: 1, value: 0 };
    let before = holes.get(..hole)?;
    Some(before.iter().fold(first, |next, hole| walk.behind(hole.kind, next)).value)
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Limits, Parser};
    use super::*;

    fn canonical(document: &str) -> Result<String, String> {
        let (mut parser, mut shape) = (Parser::default(), Shape::default());
        parser.parse(document.as_bytes(), Limits::of(1 << 20), &mut shape)?;
        let mut canonical = Canonical::default();
        let form = canonical.render(&parser.templates, document.as_bytes(), &shape);
        Ok(String::from_utf8(form.to_vec()).unwrap())
    }

    #[test]
    fn keys_are_sorted_space_is_gone_and_tokens_stay() {
        for (document, wanted) in [
            (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
            (" {}".trim(), "{}"),
            ("{ \"a\" : [ ] , \"b\":{ } }", r#"{"a":[],"b":{}}"#),
            (
                r#"{"a":[1, "x" ,{"d":[] , "c":[[3],[ ]]}]}"#,
                r#"{"a":[1,"x",{"c":[[3],[]],"d":[]}]}"#,
            ),
            (
                r#"{"n":[-0,1E400,1.0e+5,123456789012345678901]}"#,
                r#"{"n":[-0,1E400,1.0e+5,123456789012345678901]}"#,
            ),
            (r#"{"b":1,"a":2,"b":0}"#, r#"{"a":2,"b":1,"b":0}"#),
            (r#"{"\u0062":"\u0041\/","a":"\ud800"}"#, r#"{"a":"\ud800","b":"A/"}"#),
            (
                "{\"é\":1,\"z\":2,\"😀\":3,\"\u{ffff}\":4}",
                "{\"z\":2,\"é\":1,\"\u{ffff}\":4,\"😀\":3}",
            ),
            (
                r#"{"x":{"r":[{"u":{"n":"b","i":1}},{"u":{"i":2}}]},"t":true,"f":false,"n":null}"#,
                r#"{"f":false,"n":null,"t":true,"x":{"r":[{"u":{"i":1,"n":"b"}},{"u":{"i":2}}]}}"#,
            ),
        ] {
            assert_eq!(canonical(document).as_deref(), Ok(wanted), "{document}");
            assert_eq!(canonical(wanted).as_deref(), Ok(wanted), "the canonical form is its own");
        }
    }

    #[test]
    fn replies_that_came_with_a_post_do_not_make_it_longer() {
        let plain = r#"{"body":{"replies":[1],"t":"\"replies\":[2]"},"id":"1","repliesX":0,"z":1}"#;
        let with =
            |members: &str| plain.replace(r#""repliesX""#, &format!(r#"{members},"repliesX""#));
        assert_eq!(replies_bytes(plain.as_bytes()), 0);
        for members in [
            r#""replies":[]"#,
            r#""replies":[{"id":"2","body":{"t":"a\\\",]"}},{"replies":[]}]"#,
            r#""replies":null"#,
            r#""replies@odata.context":"c,}","replies@odata.count":2"#,
            r#""replies":[{"a":[]}],"replies@odata.nextLink":"n""#,
        ] {
            let form = canonical(&with(members)).unwrap();
            assert_eq!(form.len() - replies_bytes(form.as_bytes()), plain.len(), "{members}");
        }
        assert_eq!(replies_bytes(br#"{"id":"1","replies":[]}"#), 13);
        assert_eq!(replies_bytes(br#"{"id":"1","replies@"#), 0);
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for document in [
            "",
            "[]",
            "1",
            "{",
            "{}}",
            "{} {}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a":[,1]}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[1,,2]}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":+1}"#,
            r#"{"a":-}"#,
            r#"{"a":1e}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12g4"}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":"x}"#,
            r#"{"a":tru}"#,
            r#"{"a":nul}"#,
            r"{'a':1}",
            "{\"a\":\"\u{0}\"}",
            "{\u{1}}",
            r#"{"a":"x"#,
            r#"{"a":[}"#,
        ] {
            assert!(canonical(document).is_err(), "{document}");
        }
        let deep =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(canonical(&deep(127)).is_ok());
        assert!(canonical(&deep(128)).is_err());
        assert!(canonical(&deep(100_000)).is_err());
    }
}
