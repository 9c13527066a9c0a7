//! What a segment's dictionary is trained on.
//!
//! Invariant: samples take bounded memory, whatever the segment's size.

use super::{Effort, NewRow};

/// Rows taken here and there, to train a dictionary on.
#[derive(Debug)]
pub(super) struct Samples {
    limit: usize,
    bytes: Vec<u8>,
    sizes: Vec<usize>,
    step: usize,
    skipped: usize,
}

impl Samples {
    pub(super) fn new(dictionary_bytes: usize) -> Self {
        let limit = dictionary_bytes.saturating_mul(24);
        Self { limit, bytes: Vec::new(), sizes: Vec::new(), step: 1, skipped: 0 }
    }

    pub(super) fn offer(&mut self, row: &NewRow<'_>) {
        if self.limit == 0 {
            return;
        }
        self.skipped += 1;
        if self.skipped < self.step {
            return;
        }
        self.skipped = 0;
        // Only the text is packed with the dictionary; the body is nearly all of it.
        let text = body(row.document);
        self.bytes.extend_from_slice(text);
        self.sizes.push(text.len());
        if self.bytes.len() > self.limit {
            self.thin();
        }
    }

    /// Drops every other sample and takes half as many from now on.
    fn thin(&mut self) {
        let (mut kept, mut sizes) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (at, size) in self.sizes.iter().enumerate() {
            if at % 2 == 0 {
                kept.extend_from_slice(&self.bytes[start..start + size]);
                sizes.push(*size);
            }
            start += size;
        }
        (self.bytes, self.sizes) = (kept, sizes);
        self.step *= 2;
    }

    pub(super) fn train(&self, effort: Effort) -> Vec<u8> {
        if effort.dictionary_bytes == 0 || self.sizes.len() < 64 {
            return Vec::new();
        }
        let text = self.bytes.len().saturating_mul(self.step);
        let size = effort.dictionary_bytes.min(text / effort.dictionary_part);
        // Too little or too uniform text cannot be trained on: then none is used.
        zstd::dict::from_continuous(&self.bytes, &self.sizes, size).unwrap_or_default()
    }
}

/// The text between the quotes of the body's content, but not all of a long one.
fn body(document: &[u8]) -> &[u8] {
    let content = memchr::memmem::find(document, b"\"content\":\"");
    let text = &document[content.map_or(document.len(), |at| at + 11)..];
    let mut quotes = memchr::memchr_iter(b'"', text);
    let is_end =
        |at: &usize| text[..*at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 0;
    let end = quotes.find(is_end).unwrap_or(text.len());
    &text[..end.min(2048)]
}
