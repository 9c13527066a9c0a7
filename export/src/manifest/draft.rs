//! A part's manifest while the part grows: its length is known at any time, its text at the end.

use serde::Serialize;

use super::{Counts, DigestText, FileRecord, Head, PartNumber, SCHEMA, WindowText, canonical};
use crate::digest::{Digest, Hash, hex};

/// A value of ours as canonical JSON. Ours always have one: their keys are texts.
pub(crate) fn text_of(value: &impl Serialize) -> String {
    let bytes = canonical(value).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// A member's entry in the manifest. Its fields are declared in sorted order, so that the many
/// entries of a part need no detour; the tests hold it against [`canonical`].
pub(crate) fn file_text(file: &FileRecord) -> String {
    serde_json::to_string(file).unwrap_or_default()
}

/// A part's manifest in the making.
#[derive(Debug)]
pub(crate) struct Draft {
    fixed: Fixed,
    pub(crate) counts: Counts,
    pub(crate) digest: Digest,
    /// Entries of members, with commas between them.
    files: String,
    /// Entries of attachments, with commas between them.
    unavailable: String,
    /// The length of an empty manifest that is the last of its window.
    empty_bytes: u64,
}

/// What does not change while the part grows, as JSON.
#[derive(Debug)]
struct Fixed {
    archive: String,
    asof: String,
    export_id: String,
    k: u32,
    previous: String,
    requested_by: String,
    selection: String,
    tool: String,
    window: String,
}

/// What a group would add to a manifest, beside its members.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) counts: Counts,
    pub(crate) subjects: u64,
    pub(crate) unavailable_bytes: u64,
}

impl Draft {
    /// An empty manifest.
    pub(crate) fn new(head: &Head, window: &WindowText, k: u32, previous: Option<&Hash>) -> Self {
        let fixed = Fixed {
            archive: text_of(&head.archive),
            asof: text_of(&head.asof),
            export_id: text_of(&head.export_id),
            k,
            previous: text_of(&previous.map(|hash| hex(hash))),
            requested_by: text_of(&head.requested_by),
            selection: text_of(&head.selection),
            tool: text_of(&head.tool),
            window: text_of(window),
        };
        let mut draft = Self {
            fixed,
            counts: Counts::default(),
            digest: Digest::default(),
            files: String::new(),
            unavailable: String::new(),
            empty_bytes: 0,
        };
        draft.empty_bytes = draft.text(Last::Yes).len() as u64;
        draft
    }

    /// How long the text would be with `facts` and members whose entries have `files_bytes`, each
    /// with a comma, added to what is here.
    ///
    /// As if the part were the last of its window: that is known only after it is full.
    pub(crate) fn bytes_with(&self, facts: &Facts, files_bytes: u64) -> u64 {
        let counts = self.counts.plus(facts.counts);
        let optional = counts.optional().into_iter().filter(|(_, count)| *count > 0);
        let optional = optional
            .map(|(name, count)| "\"\":0,".len() as u64 + name.len() as u64 + more_digits(count));
        let counts = counts.all().into_iter().map(more_digits).chain(optional).sum::<u64>();
        let subjects = more_digits(self.digest.subjects() + facts.subjects);
        let files = joined(self.files.len() as u64, files_bytes);
        let unavailable = joined(self.unavailable.len() as u64, facts.unavailable_bytes);
        self.empty_bytes + counts + subjects + files + unavailable
    }

    /// Adds a member's entry, as [`file_text`] makes it.
    pub(crate) fn add_file(&mut self, text: &str) {
        append(&mut self.files, text);
    }

    /// Adds an attachment that could not be had, as [`text_of`] makes it.
    pub(crate) fn add_unavailable(&mut self, text: &str) {
        append(&mut self.unavailable, text);
    }

    /// The manifest.
    pub(crate) fn text(&self, last: Last) -> String {
        let fixed = &self.fixed;
        let of = (last == Last::Yes).then_some(fixed.k);
        let (counts, digest) = (text_of(&self.counts), text_of(&DigestText::from(&self.digest)));
        let (part, schema) = (text_of(&PartNumber { k: fixed.k, of }), text_of(&SCHEMA));
        // Lists of many megabytes: they are copied once.
        let listed = |entries| ["[", entries, "]"];
        let one = |text| ["", text, ""];
        let fields = [
            ("archive", one(&fixed.archive)),
            ("asof", one(&fixed.asof)),
            ("counts", one(&counts)),
            ("digest", one(&digest)),
            ("export_id", one(&fixed.export_id)),
            ("files", listed(&self.files)),
            ("part", one(&part)),
            ("previous_part_sha256", one(&fixed.previous)),
            ("requested_by", one(&fixed.requested_by)),
            ("schema", one(&schema)),
            ("selection", one(&fixed.selection)),
            ("tool", one(&fixed.tool)),
            ("unavailable", listed(&self.unavailable)),
            ("window", one(&fixed.window)),
        ];
        let bytes: usize = fields
            .iter()
            .map(|(name, value)| name.len() + value.map(str::len).iter().sum::<usize>() + 4)
            .sum();
        let mut text = String::with_capacity(bytes + 2);
        for (name, value) in fields {
            text.push_str(if text.is_empty() { "{\"" } else { ",\"" });
            text.push_str(name);
            text.push_str("\":");
            text.extend(value);
        }
        text.push('}');
        text
    }
}

/// Is a part the last of its window?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Yes,
    No,
}

fn append(list: &mut String, text: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(text);
}

/// The length of a list to which entries with a comma each are added; the first has none.
fn joined(there: u64, added: u64) -> u64 {
    if there == 0 { added.saturating_sub(1) } else { there + added }
}

/// Digits beyond the one that zero has.
pub(crate) fn more_digits(number: u64) -> u64 {
    number.checked_ilog10().unwrap_or(0).into()
}
