//! What is asked of one row: its document is found under the right keys and address.

use std::borrow::Cow;
use std::sync::Arc;

use crate::document::{Document, Parts};
use crate::error::{Error, Result};
use crate::row::{Canonical, Identity, Limits, Parser, Shape, identify, stamped_modified};
use crate::segment::{Keys, Tables};
use crate::types::{ContentAddress, Custodian, RecordKind};

/// A row as its segment keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    pub(super) tables: &'a Tables,
    pub(super) keys: &'a Keys,
    /// In the segment, and in its group.
    pub(super) row: u32,
    pub(super) local: usize,
}

/// Takes documents apart and compares.
#[derive(Debug, Default)]
pub(super) struct RowCheck {
    parser: Parser,
    shape: Shape,
    canonical: Canonical,
    scratch: Vec<u8>,
}

impl RowCheck {
    /// The row's content address, and what about its keys does not agree with its document.
    pub(super) fn check(
        &mut self,
        kept: Kept<'_>,
        document: &[u8],
    ) -> Result<(ContentAddress, Option<&'static str>)> {
        self.parser.relax();
        let no_row = |what: &str, reason: String| {
            Error::corrupt(format!("row {} {what}: {reason}", kept.row))
        };
        self.parser
            .parse(document, Limits::of(usize::MAX), &mut self.shape)
            .map_err(|reason| no_row("is no document", reason))?;
        let templates = &self.parser.templates;
        let (address, _) = self.canonical.address(templates, document, &self.shape);
        let (record, _) = kept.keys.kind(kept.local);
        // Whose Copilot interaction it is, and of what a member, stands only in the conversation.
        let nobody = Custodian::user("");
        let identity = identify(templates, document, &self.shape, record, &nobody)
            .map_err(|reason| no_row("has no key any more", reason))?;
        let tag = kept.keys.tag(kept.local);
        let wrong = if address.0.starts_with(tag) {
            differing(kept, &identity, &mut self.scratch)
        } else {
            Some("tag")
        };
        Ok((address, wrong))
    }
}

impl RowCheck {
    /// The document of the row that was checked last.
    pub(super) fn document<'d>(&self, json: &'d [u8]) -> Option<Document<'d>> {
        Document::of(json, Arc::new(Parts::built(&self.parser, &self.shape))).ok()
    }
}

/// The first key that is not that of the document.
fn differing(kept: Kept<'_>, identity: &Identity<'_>, out: &mut Vec<u8>) -> Option<&'static str> {
    let Kept { tables, keys, row, local } = kept;
    out.clear();
    keys.put_id(local, out);
    let same_id = out == identity.id.as_bytes();
    out.clear();
    let is_reply = keys.put_reply_to(local, out);
    let reply_to = is_reply.then_some(&out[..]);
    let sender = (keys.sender(local) as usize).checked_sub(1);
    let sender = sender.map(|number| tables.senders.text(number));
    let modified = if identity.stamped {
        stamped_modified(identity.record, keys.version(local), identity.created)
    } else {
        identity.modified
    };
    let checks = [
        ("conversation", same_conversation(tables.conversation(row), identity)),
        ("id", same_id),
        ("reply_to", reply_to == identity.reply_to.as_deref().map(str::as_bytes)),
        ("version", identity.stamped || keys.version(local) == identity.version),
        ("created time", keys.created.get(local) == Some(&identity.created.ticks())),
        ("modified time", local < keys.rows() && keys.modified(local) == modified.ticks()),
        ("sender", sender == identity.sender.as_deref()),
        ("kind", keys.kind(local) == (identity.record, identity.kind)),
    ];
    checks.into_iter().find(|(_, same)| !same).map(|(key, _)| key)
}

fn same_conversation(kept: &str, identity: &Identity<'_>) -> bool {
    match identity.record {
        RecordKind::CopilotInteraction => {}
        RecordKind::Member => return true,
        _ => return kept == identity.conversation,
    }
    let named: &Cow<'_, str> = &identity.conversation;
    named.split_once('/').is_some_and(|(_, session)| {
        kept.strip_suffix(session).is_some_and(|user| user.ends_with('/'))
    })
}
