//! Skeletons reduced to what some paths name.
//!
//! Always holds: a document that was filled into a reduced skeleton has the same at each of the paths
//! as the whole document, by the rule that of members with equal names the last one counts.

use super::PathId;
use super::template::{Outline, Templates, Tree};

/// A piece of a reduced skeleton. Every hole of the skeleton is in one, in reading order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Bytes(Box<[u8]>),
    Hole(usize),
    /// A hole whose value is left out.
    Dropped(usize),
}

/// What is left of a root's skeleton; `None` if that is no object.
pub(crate) fn reduce(skeleton: &[u8], paths: &[&[Box<str>]]) -> Option<Vec<Piece>> {
    let mut templates = Templates::default();
    let tree = Outline::new(&mut templates, skeleton)?.value(PathId::ROOT)?;
    let Tree::Object(_) = tree else { return None };
    let mut reducing = Reducing { text: Vec::new(), pieces: Vec::new() };
    reducing.some(&tree, paths);
    reducing.flush();
    Some(reducing.pieces)
}

struct Reducing {
    text: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Reducing {
    /// What is behind some paths from here on; `null` for what is no object, as paths lead through
    /// objects only.
    fn some(&mut self, tree: &Tree<'_>, paths: &[&[Box<str>]]) {
        let Tree::Object(members) = tree else {
            self.text.extend_from_slice(b"null");
            return self.nothing(tree);
        };
        let mut before: &[u8] = b"{";
        for member in members {
            let name = String::from_utf8_lossy(&member.name);
            let below = paths.iter().filter(|path| path.first().is_some_and(|own| **own == *name));
            let below: Vec<&[Box<str>]> = below.filter_map(|path| path.get(1..)).collect();
            if below.is_empty() {
                self.nothing(&member.value);
                continue;
            }
            self.text.extend_from_slice(before);
            self.text.push(b'"');
            self.text.extend_from_slice(&member.spelled);
            self.text.extend_from_slice(b"\":");
            before = b",";
            if below.iter().any(|path| path.is_empty()) {
                self.all(&member.value);
            } else {
                self.some(&member.value, &below);
            }
        }
        self.text.extend_from_slice(if before == b"{" { b"{}" } else { b"}" });
    }

    fn all(&mut self, tree: &Tree<'_>) {
        match tree {
            Tree::Literal(bytes) => self.text.extend_from_slice(bytes),
            Tree::Scalar { hole, quoted: true } => self.hole(b"\"", *hole, b"\""),
            Tree::Scalar { hole, quoted: false } => self.hole(b"", *hole, b""),
            Tree::Array { hole } => self.hole(b"[", *hole, b"]"),
            Tree::Object(members) => {
                for (at, member) in members.iter().enumerate() {
                    self.text.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
                    self.text.extend_from_slice(&member.spelled);
                    self.text.extend_from_slice(b"\":");
                    self.all(&member.value);
                }
                self.text.extend_from_slice(if members.is_empty() { b"{}" } else { b"}" });
            }
        }
    }

    fn nothing(&mut self, tree: &Tree<'_>) {
        match tree {
            Tree::Literal(_) => {}
            Tree::Scalar { hole, .. } | Tree::Array { hole } => {
                self.flush();
                self.pieces.push(Piece::Dropped(*hole));
            }
            Tree::Object(members) => members.iter().for_each(|one| self.nothing(&one.value)),
        }
    }

    fn hole(&mut self, before: &[u8], hole: usize, behind: &[u8]) {
        self.text.extend_from_slice(before);
        self.flush();
        self.pieces.push(Piece::Hole(hole));
        self.text.extend_from_slice(behind);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Bytes(std::mem::take(&mut self.text).into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(path: &str) -> Vec<Box<str>> {
        path.split('/').map(Into::into).collect()
    }

    #[test]
    fn what_is_nested_deeper_than_any_document_is_no_object() {
        let nested = |levels: usize| [b"{\"a\":".repeat(levels), b"}".repeat(levels)].concat();
        let path = names("a/a");
        assert!(reduce(&nested(1_000_000), &[&path]).is_none());
        assert!(reduce(br#"{"a":{"b":null}}"#, &[&path]).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_stands_in_a_segment_for_a_skeleton_is_no_panic(
            bytes in prop::collection::vec(prop::sample::select(b"{}[]\"\\:, ua0\0\x01\xff".to_vec()), 0..60),
        ) {
            let skeleton = [b"{", &bytes[..]].concat();
            prop_assert!(reduce(&skeleton, &[&names("a/u")]).is_none_or(|pieces| pieces.len() <= skeleton.len()));
        }
    }
}
