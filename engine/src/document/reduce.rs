//! Documents reduced to some of their members.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{Document, Parts, Path, Slot};
use crate::error::Result;
use crate::row::{Piece, Template, reduce};

/// Templates that are remembered; of more, all are forgotten.
const MOST_KNOWN: usize = 4_096;

/// Reduces documents to what some paths name; knows the templates of those before.
#[derive(Debug)]
pub(crate) struct Reducer {
    paths: Arc<[Path]>,
    known: HashMap<usize, Known, RandomState>,
}

/// A template, kept so that no other one gets its place in memory, and its pieces.
type Known = (Arc<Template>, Box<[Piece]>);

impl Reducer {
    pub(crate) fn new(paths: Arc<[Path]>) -> Self {
        Self { paths, known: HashMap::default() }
    }

    pub(crate) fn paths(&self) -> &Arc<[Path]> {
        &self.paths
    }

    /// Appends what is left of a document.
    pub(crate) fn reduce(&mut self, json: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let document = Document::of(json, Arc::new(Parts::of(json)?))?;
        let Some(root) = document.parts.nodes.first() else { return Ok(()) };
        for piece in self.pieces(&root.template) {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                Piece::Hole(hole) => document.put_slot(root.slots + hole, out),
                Piece::Dropped(_) => {}
            }
        }
        Ok(())
    }

    fn pieces(&mut self, template: &Arc<Template>) -> &[Piece] {
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        let paths = &self.paths;
        let known = self.known.entry(Arc::as_ptr(template).addr()).or_insert_with(|| {
            let names: Vec<&[Box<str>]> = paths.iter().map(Path::names).collect();
            let pieces = reduce(&template.skeleton, &names).unwrap_or_default();
            (Arc::clone(template), pieces.into())
        });
        &known.1
    }
}

impl Document<'_> {
    /// Appends what fills a hole, as it is written.
    fn put_slot(&self, slot: usize, out: &mut Vec<u8>) {
        match self.parts.slots.get(slot) {
            Some(Slot::Scalar(span)) => out.extend_from_slice(span.of(self.json())),
            Some(Slot::Elements(first, count)) => {
                let mut at = *first as usize;
                for _ in 0..*count {
                    let Some(node) = self.parts.nodes.get(at) else { return };
                    let (skeleton, mut start) = (&node.template.skeleton, 0);
                    for (hole, slot) in node.template.holes.iter().zip(node.slots..) {
                        out.extend_from_slice(skeleton.get(start..hole.at).unwrap_or_default());
                        self.put_slot(slot, out);
                        start = hole.at + 1;
                    }
                    out.extend_from_slice(skeleton.get(start..).unwrap_or_default());
                    at = node.next;
                }
            }
            None => {}
        }
    }
}
