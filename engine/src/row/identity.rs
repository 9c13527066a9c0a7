//! What identifies a message, read leniently from its values.

use std::borrow::Cow;

use super::escape;
use super::parse::Shape;
use super::template::{Role, Template, TemplateId, Templates};
use crate::types::{Custodian, MessageKind, RecordKind, Timestamp};

/// The key, version and index values of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity<'d> {
    pub(crate) record: RecordKind,
    pub(crate) conversation: Cow<'d, str>,
    pub(crate) reply_to: Option<Cow<'d, str>>,
    pub(crate) id: Cow<'d, str>,
    pub(crate) version: u64,
    /// The document states no version: the commit that stores it gives it one.
    pub(crate) stamped: bool,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) sender: Option<Cow<'d, str>>,
    pub(crate) kind: MessageKind,
}

/// Reads the identity of a parsed document; the reason if it cannot be keyed.
pub(crate) fn identify<'d>(
    templates: &Templates,
    document: &'d [u8],
    shape: &Shape,
    record: RecordKind,
    custodian: &Custodian,
) -> Result<Identity<'d>, String> {
    let root = shape.nodes.first().ok_or("empty document")?;
    let fields = Fields { template: templates.get(TemplateId(*root)), document, shape, templates };
    let id = fields.text(Role::Id).filter(|id| !id.is_empty()).ok_or("no id")?;
    let (conversation, reply_to) = place(&fields, (record, &id), custodian)?;
    let etag = fields.text(Role::Etag).and_then(|etag| number(&etag));
    let stated = fields.time(Role::Modified);
    let known = etag.or(stated.map(|at| clamp(at.ms())));
    let stamped = known.is_none() && record != RecordKind::Message;
    let version = known.unwrap_or(0);
    let created = fields.time(Role::Created).or_else(|| epoch(number(&id)?)).unwrap_or_default();
    let modified = stated.or_else(|| epoch(etag?)).unwrap_or(created);
    let sender = [Role::User, Role::Application, Role::Device]
        .into_iter()
        .find_map(|role| fields.text(role).filter(|id| !id.is_empty()));
    let kind = kind(&fields);
    Ok(Identity {
        record,
        conversation,
        reply_to,
        id,
        version,
        stamped,
        created,
        modified,
        sender,
        kind,
    })
}

/// When a row was changed last whose version was given to it. Chats, members, users and teams change
/// and do not say when: then it is their version's time.
pub(crate) fn stamped_modified(record: RecordKind, version: u64, created: Timestamp) -> Timestamp {
    let changes = matches!(
        record,
        RecordKind::Chat | RecordKind::Member | RecordKind::User | RecordKind::Team
    );
    epoch(version).filter(|_| changes).unwrap_or(created)
}

type Text<'d> = Cow<'d, str>;

fn place<'d>(
    fields: &Fields<'_, 'd>,
    (record, id): (RecordKind, &Text<'d>),
    custodian: &Custodian,
) -> Result<(Text<'d>, Option<Text<'d>>), String> {
    let text = |role| fields.text(role).filter(|id| !id.is_empty());
    match record {
        RecordKind::Message => {
            if let Some(chat) = text(Role::Chat) {
                return Ok((chat, None));
            }
            let channel = text(Role::Channel).ok_or("no chatId and no channelIdentity")?;
            Ok((channel, text(Role::ReplyTo)))
        }
        RecordKind::CopilotInteraction => {
            let session = text(Role::Session).ok_or("no sessionId")?;
            Ok((format!("{custodian}/{session}").into(), None))
        }
        RecordKind::CallRecording | RecordKind::CallTranscript => {
            Ok((text(Role::Meeting).unwrap_or_default(), None))
        }
        RecordKind::Member => Ok((text(Role::Chat).unwrap_or_default(), None)),
        RecordKind::Chat | RecordKind::User | RecordKind::Team => Ok((id.clone(), None)),
    }
}

fn kind(fields: &Fields<'_, '_>) -> MessageKind {
    match fields.text(Role::MessageType).as_deref() {
        Some("message") => MessageKind::Message,
        Some("systemEventMessage") => MessageKind::System,
        Some("unknownFutureValue" | "chatEvent") if fields.template.has_event => {
            MessageKind::System
        }
        _ => MessageKind::Other,
    }
}

struct Fields<'t, 'd> {
    template: &'t Template,
    document: &'d [u8],
    shape: &'t Shape,
    templates: &'t Templates,
}

impl<'d> Fields<'_, 'd> {
    fn raw(&self, role: Role) -> Option<&'d [u8]> {
        let hole = self.template.hole(role)?;
        let at = value_at(self.templates, self.shape, hole)?;
        Some(self.shape.values.get(at)?.of(self.document))
    }

    fn text(&self, role: Role) -> Option<Cow<'d, str>> {
        let raw = self.raw(role)?;
        if memchr::memchr(b'\\', raw).is_some() {
            return Some(escape::decode_text(raw).into());
        }
        std::str::from_utf8(raw).ok().map(Cow::Borrowed)
    }

    fn time(&self, role: Role) -> Option<Timestamp> {
        chatvault_base::time::text::parse(self.raw(role)?)
    }
}

/// The value index of a root hole: arrays before it bring values of their own.
pub(crate) fn value_at(templates: &Templates, shape: &Shape, hole: usize) -> Option<usize> {
    let template = templates.get(TemplateId(*shape.nodes.first()?));
    if !template.arrays() {
        return Some(hole);
    }
    super::canonical::root_value(templates, shape, hole)
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn epoch(ms: u64) -> Option<Timestamp> {
    i64::try_from(ms).ok().map(Timestamp::from_ms)
}

fn clamp(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
