//! From the bytes of a file to the documents in it.
//!
//! Three shapes of input, told by content: pages and arrays ([`documents`]), lines ([`lines`]),
//! and what is neither. Lines that turn into something else go on as documents. Every byte of the
//! first two ends in exactly one place: in a document that was offered, in the quarantine, or in
//! the frame around them (brackets, commas, white space and a page's own members). Replies in a
//! post are offered beside it: they are messages, and the post's bytes stay as they came.

mod documents;
mod envelope;
mod lines;
mod recover;
mod replies;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use crate::cut::Cutter;
use crate::decode::explain_stranger;
use crate::sink::Sink;
use crate::window::ByteWindow;
use envelope::Top;

use lines::{Lead, lead, may_be_page, quarantine_overlong};

pub(crate) use lines::offer_lines;

/// What is to be known about a file or page beside its rows. Offsets are in the decompressed bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remarks {
    /// Why not all of it came in.
    pub failure: Option<String>,
    /// What the service has beside it, by its own word.
    pub missing: Option<String>,
    /// What looks odd though everything came in, the quarantine included.
    pub warning: Option<String>,
}

impl Remarks {
    /// Only the first of a kind is kept: what follows is mostly its consequence.
    pub(crate) fn fail(&mut self, message: impl FnOnce() -> String) {
        let _first = self.failure.get_or_insert_with(message);
    }

    pub(crate) fn miss(&mut self, message: impl FnOnce() -> String) {
        let _first = self.missing.get_or_insert_with(message);
    }

    /// What was said of a later part of the file.
    pub(crate) fn join(&mut self, later: Self) {
        self.failure = self.failure.take().or(later.failure);
        self.missing = self.missing.take().or(later.missing);
        self.warning = self.warning.take().or(later.warning);
    }

    /// Says so if reading failed: that is the cause of whatever the splitter found missing.
    pub(crate) fn cut_short(&mut self, window: &mut ByteWindow<'_>) {
        if let Some(cause) = window.take_failure() {
            let offset = window.offset() + window.bytes().len() as u64;
            self.failure = Some(format!(
                "offset {offset}: reading failed ({cause}): what came before is in, fetch it again"
            ));
        }
    }

    pub(crate) fn warn(&mut self, message: impl FnOnce() -> String) {
        let _first = self.warning.get_or_insert_with(message);
    }
}

/// How a file is to be split.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One document a line.
    Lines,
    /// Pages, arrays or documents one after the other.
    Documents,
    /// Nothing in it.
    Empty,
    /// No JSON; why, and what to do.
    Stranger(&'static str),
}

/// Looks at the first document of a file, consuming only white space.
pub(crate) fn shape(window: &mut ByteWindow<'_>, cutter: &Cutter) -> Shape {
    match window.next_token() {
        None => Shape::Empty,
        Some(b'[') => Shape::Documents,
        Some(b'{') => object_shape(window),
        Some(_) if recover::has_item(window.bytes(), cutter) => first_line_shape(window),
        Some(_) => Shape::Stranger(explain_stranger(window.bytes())),
    }
}

fn object_shape(window: &mut ByteWindow<'_>) -> Shape {
    match envelope::top(window) {
        Top::Page { .. } | Top::Batch { .. } | Top::Error { .. } => Shape::Documents,
        Top::Broken => first_line_shape(window),
        Top::Document { bytes } => {
            let rest = window.bytes().get(bytes..).unwrap_or_default();
            let after = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b','));
            let one_line = window.line_end().is_none_or(|end| end > bytes);
            if one_line && matches!(after, None | Some(b'\n')) {
                Shape::Lines
            } else {
                Shape::Documents
            }
        }
    }
}

/// The first document is broken: if the second line starts like a document, these are lines.
fn first_line_shape(window: &ByteWindow<'_>) -> Shape {
    let second = window.line_end().and_then(|end| window.bytes().get(end..));
    match second {
        Some([b'{', b'"', ..]) => Shape::Lines,
        _ => Shape::Documents,
    }
}

/// A file with nothing but white space.
pub(crate) const EMPTY: &str = "is empty";

/// What may take whole lines, as many bytes as are named, in the place of the sink: true if it did.
pub(crate) type HandOver<'f> =
    &'f mut dyn FnMut(&mut ByteWindow<'_>, usize) -> ControlFlow<(), bool>;

/// Splits a file of any shape until its end, or until the sink or `hand_over` says stop.
pub(crate) fn split(
    window: &mut ByteWindow<'_>,
    cutter: &mut Cutter,
    sink: &mut dyn Sink,
    hand_over: HandOver<'_>,
) -> Remarks {
    let mut remarks = Remarks::default();
    match shape(window, cutter) {
        Shape::Lines => return split_lines(window, cutter, sink, hand_over),
        Shape::Documents => return split_documents(window, cutter, sink),
        Shape::Empty => remarks.warn(|| EMPTY.to_owned()),
        Shape::Stranger(why) => remarks.fail(|| format!("offset {}: {why}", window.offset())),
    }
    remarks
}

fn split_lines(
    window: &mut ByteWindow<'_>,
    cutter: &mut Cutter,
    sink: &mut dyn Sink,
    hand_over: HandOver<'_>,
) -> Remarks {
    let mut remarks = Remarks::default();
    loop {
        let whole = window.whole_lines();
        let lines = window.bytes().get(..whole).unwrap_or_default();
        let is_last = window.ended() && whole == window.bytes().len();
        let count = match lead(lines, is_last) {
            Lead::Lines(count) => count,
            Lead::Other => {
                remarks.join(split_documents(window, cutter, sink));
                break;
            }
            Lead::ReadOn if window.more() => continue,
            Lead::ReadOn => whole,
        };
        if count == 0 {
            if window.bytes().is_empty() || !quarantine_overlong(window, sink) {
                break;
            }
            continue;
        }
        match hand_over(window, count) {
            ControlFlow::Break(()) => break,
            ControlFlow::Continue(true) => {}
            ControlFlow::Continue(false) => {
                let lines = window.bytes().get(..count).unwrap_or_default();
                let goes_on = offer_lines(lines, window.offset(), (sink, &mut remarks));
                window.consume(count);
                if !goes_on {
                    break;
                }
            }
        }
    }
    remarks
}

/// Splits a file of [`Shape::Documents`] until its end or until the sink says stop.
pub(crate) fn split_documents(
    window: &mut ByteWindow<'_>,
    cutter: &mut Cutter,
    sink: &mut dyn Sink,
) -> Remarks {
    documents::Splitter::new(window, cutter, sink).run()
}
