//! What the manifest says about a message, and the files that belong beside it.

use std::sync::Arc;

use chatvault_engine::{RecordKind, Row, Timestamp};

use super::scene::Stored;
use crate::content::Objects;
use crate::digest::{Subject, hex, sha256};
use crate::entry::{
    Attached, AttachedState, Content, Entry, NoObjects, Piece, RenderOptions, SystemEvents, Version,
};
use crate::manifest::{Counts, Key, Unavailable};
use crate::part::{self, Group, Member, Stream};
use crate::zone::rfc3339;

/// Everything about a message but its rendering.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The selected versions; none for an event that is left out.
    pub(super) subjects: Vec<Subject>,
    pub(super) counts: Counts,
    pub(super) unavailable: Vec<Unavailable>,
    /// Its attachments that are files of the part.
    pub(super) members: Vec<Member<'static>>,
    pub(super) key: Option<Key>,
    pub(super) is_left_out: bool,
}

impl Facts {
    /// Looks at a message.
    pub(super) fn of(entry: &Entry, options: &RenderOptions, objects: &Arc<Stored>) -> Self {
        let flags = entry.latest().map(Version::flags).unwrap_or_default();
        let is_event = flags.is_system;
        if is_event && options.system_events == SystemEvents::Omit {
            let counts = Counts { omitted: 1, ..Counts::default() };
            return Self { counts, is_left_out: true, ..Self::default() };
        }
        let mut facts = Self { subjects: subjects(entry, options.versions), ..Self::default() };
        facts.key = Some(key(&entry.key.conversation, &entry.key.id, entry.created));
        let counts = &mut facts.counts;
        *match entry.key.record {
            RecordKind::CopilotInteraction => &mut counts.copilot,
            RecordKind::CallRecording => &mut counts.recordings,
            RecordKind::CallTranscript => &mut counts.transcripts,
            _ if is_event => &mut counts.events,
            _ => &mut counts.messages,
        } = 1;
        counts.versions = facts.subjects.len() as u64;
        counts.edited = u64::from(flags.is_edited);
        counts.deleted = u64::from(flags.is_deleted);
        for attached in &entry.attached {
            facts.add(entry, attached, objects);
        }
        facts
    }

    /// Of a message without files that is no event, not edited and not deleted.
    pub(super) fn of_plain(row: &Row<'_>) -> Self {
        let version = row.version().to_string();
        Self {
            subjects: vec![Subject::new(row.conversation(), row.id(), &version)],
            counts: Counts { messages: 1, versions: 1, ..Counts::default() },
            key: Some(key(row.conversation(), row.id(), row.created())),
            ..Self::default()
        }
    }

    fn add(&mut self, entry: &Entry, attached: &Attached, objects: &Arc<Stored>) {
        match &attached.state {
            AttachedState::Omitted => self.counts.omitted += 1,
            AttachedState::Unavailable { reason } => {
                self.counts.unavailable += 1;
                self.unavailable.push(Unavailable {
                    attachment: attached.attachment.clone(),
                    message: format!("{} {}", entry.key.conversation, entry.key.id),
                    reason: reason.clone(),
                });
            }
            AttachedState::Stored { address, size, sha256, path } => {
                self.counts.attachments += 1;
                let Some(path) = path.clone() else { return };
                let (address, size) = (*address, *size);
                let stored = Arc::clone(objects);
                let open = Box::new(move || stored.read(&address));
                let stream = Stream { bytes: size, sha256: Some(*sha256), open };
                let source = Some(format!("blake3:{address}"));
                self.members.push(Member { path, content: part::Content::Stream(stream), source });
            }
        }
    }

    /// As a group, to which renderings are added.
    pub(super) fn into_group(self) -> Group<'static> {
        let mut group = Group::default();
        self.join(&mut group);
        group
    }

    /// Joins a group; messages come in export order.
    pub(super) fn join(self, group: &mut Group<'static>) {
        group.subjects.extend(self.subjects);
        group.counts = group.counts.plus(self.counts);
        group.unavailable.extend(self.unavailable);
        group.members.extend(self.members);
        if let Some(key) = self.key {
            let first = group.keys.take().map_or_else(|| key.clone(), |(first, _)| first);
            group.keys = Some((first, key));
        }
    }
}

/// The versions that an export of a message hands out.
pub(super) fn subjects(entry: &Entry, all_versions: bool) -> Vec<Subject> {
    let first = if all_versions { 0 } else { entry.versions.len().saturating_sub(1) };
    let versions = entry.versions.iter().skip(first);
    let subject = |version: &Version| {
        let number = version.version.to_string();
        let number = match version.variant_words() {
            Some(_) => format!("{number}~{}", hash_of(version.document.json())),
            None => number,
        };
        Subject::new(&entry.key.conversation, &entry.key.id, &number)
    };
    versions.map(subject).collect()
}

/// What tells a variant from the content that readers get. Addresses are not known everywhere.
fn hash_of(json: &[u8]) -> String {
    hex(sha256(json).get(..8).unwrap_or_default())
}

fn key(chat: &str, id: &str, created: Timestamp) -> Key {
    Key { chat: chat.to_owned(), created: rfc3339(created), id: id.to_owned() }
}

/// A file whose bytes are at hand is put together where it is made, unless it is larger than this.
const WHOLE_BYTES: u64 = 4 << 20;

/// A renderer's file as a member.
pub(super) fn member(
    piece: Piece,
    source: Option<String>,
    objects: &Arc<Stored>,
) -> Member<'static> {
    let path = piece.name;
    let small = |content: &Content| content.is_at_hand() && content.size() <= WHOLE_BYTES;
    let content = match piece.content {
        Content::Bytes(bytes) => part::Content::Bytes(bytes),
        other => {
            let whole = small(&other).then(|| other.to_vec(&NoObjects).ok()).flatten();
            match whole {
                Some(bytes) => part::Content::Bytes(bytes),
                None => part::Content::Stream(stream(other, objects)),
            }
        }
    };
    Member { path, content, source }
}

fn stream(content: Content, objects: &Arc<Stored>) -> Stream<'static> {
    let objects: Arc<dyn Objects + Send> = Arc::<Stored>::clone(objects);
    let bytes = content.size();
    let open = Box::new(move || content.open_unbound(&objects));
    Stream { bytes, sha256: None, open }
}
