//! What is stored beside messages, as messages: so that whatever reads a message, a search or an
//! export, reads them, too. This is the one place that knows how they look.
//!
//! A Copilot interaction says its links and contexts below its text. A recording says who organized
//! the meeting, when it was and which it was; its film is its attachment. A transcript says the same,
//! and then every line that was spoken; the file with them is its attachment.

mod interaction;
mod meeting;
#[cfg(test)]
mod tests;
mod text;
mod vtt;

use std::sync::Arc;

use chatvault_engine::{Document, RecordKind, Value};

use crate::message::Message;
pub use text::{MOST_TEXT_BYTES, Texts};
pub use vtt::{Cue, cues};

/// The text of a transcript, which is a file beside its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Text {
    /// There is none to look for.
    #[default]
    None,
    /// The file, as `WebVTT`.
    Here(Arc<str>),
    /// The archive does not have the file.
    Missing,
    /// It has more bytes than [`MOST_TEXT_BYTES`]: so many.
    TooLong(u64),
}

/// A stored record of any kind as a message.
pub fn message<'a>(record: RecordKind, document: &'a Document<'_>, text: &Text) -> Message<'a> {
    match record {
        RecordKind::CopilotInteraction => interaction::message(document),
        RecordKind::CallRecording | RecordKind::CallTranscript => {
            meeting::message(record, document, text)
        }
        _ => Message::of(document),
    }
}

/// Has a message a file, or a picture in its text?
pub(crate) fn has_file(document: &Document<'_>) -> bool {
    let root = document.root();
    let is_file = |one: Value<'_>| {
        let kind = one.get("contentType").and_then(Value::text);
        kind.is_some_and(|kind| kind == "reference")
    };
    let body = root.get("body").and_then(|body| body.get("content")?.text());
    root.get("attachments").is_some_and(|list| list.elements().any(is_file))
        || body.is_some_and(|body| body.contains("hostedContents"))
}
