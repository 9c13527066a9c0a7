//! Which files belong to which message: the lines beside the stored documents, which do not know.

use serde::Serialize;

use crate::digest::hex;
use crate::entry::{AttachedState, Entry};

/// One line: keys are sorted, and what is not known is not there.
#[derive(Debug, Serialize)]
struct Line<'a> {
    attachment: &'a str,
    chat: &'a str,
    message: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    status: String,
}

/// Appends a line for each attachment of a message.
pub fn attachments(entry: &Entry, out: &mut Vec<u8>) {
    for attached in &entry.attached {
        let (path, sha256, size) = match &attached.state {
            AttachedState::Stored { path, sha256, size, .. } => {
                (path.as_deref(), Some(hex(sha256)), Some(*size))
            }
            AttachedState::Unavailable { .. } | AttachedState::Omitted => (None, None, None),
        };
        let line = Line {
            attachment: &attached.attachment,
            chat: &entry.key.conversation,
            message: &entry.key.id,
            name: &attached.name,
            path,
            reply_to: entry.key.reply_to.as_deref(),
            sha256,
            size,
            status: attached.state.words(),
        };
        // Texts and numbers always have a JSON form.
        out.extend_from_slice(&serde_json::to_vec(&line).unwrap_or_default());
        out.push(b'\n');
    }
}
