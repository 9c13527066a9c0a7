//! What a row names that is kept apart from it: pictures, files, recordings. Pure.
//!
//! Hosted contents are looked for in the whole document and not in the members that are known to
//! hold them (body, cards inside strings, reactions, emoji sources, forwarded messages): a member
//! that the service adds tomorrow is then covered today. Nothing here panics or recurses, whatever
//! the bytes are, and a document brings a name once.

use std::borrow::Cow;
use std::collections::HashSet;

use chatvault_engine::RecordKind;
use chatvault_graph::{
    Cloud,
    route::{self, Event, HostedContent},
};
use serde_json::value::RawValue;

use super::lenient;

/// What is fetched, in the words of the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Inline pictures, code, emoji.
    Hosted,
    /// Attached files.
    Files,
    /// Recordings and transcripts.
    Meetings,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Hosted, Self::Files, Self::Meetings];

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hosted => "hosted contents",
            Self::Files => "files",
            Self::Meetings => "recordings and transcripts",
        }
    }

    /// Can rows of this record name such things?
    pub(super) fn is_of(self, record: RecordKind) -> bool {
        match self {
            Self::Hosted => record == RecordKind::Message,
            Self::Files => {
                matches!(record, RecordKind::Message | RecordKind::CopilotInteraction)
            }
            Self::Meetings => {
                matches!(record, RecordKind::CallRecording | RecordKind::CallTranscript)
            }
        }
    }
}

/// One thing that a row names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// Its link's name, unique in the row's message.
    pub(super) name: String,
    /// What people call it: the name of a file.
    pub(super) title: Option<String>,
    pub(super) source: Source,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Hosted(HostedContent),
    /// A file of somebody's drive or of a site, by the address that a browser opens.
    File(String),
    Meeting(Meeting),
    /// Nowhere: the row says too little. This is why.
    Nowhere(Kind, &'static str),
}

/// Content of a recording or transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    pub(super) part: Part,
    /// If the row names one.
    pub(super) organizer: Option<String>,
    pub(super) of: Event,
    pub(super) id: String,
}

/// Which content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Recording,
    Transcript,
    TranscriptMetadata,
}

impl Source {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Hosted(_) => Kind::Hosted,
            Self::File(_) => Kind::Files,
            Self::Meeting(_) => Kind::Meetings,
            Self::Nowhere(kind, _) => *kind,
        }
    }
}

/// What a row names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    pub(super) found: Vec<Reference>,
    /// Things elsewhere, which the service cannot give: pictures of other sites, files of other
    /// storage services.
    pub(super) external: u64,
}

impl References {
    /// Leaves out hosted contents of other conversations. Anybody can write their address into a
    /// message; to fetch it would show it to people who never were in that conversation.
    pub(super) fn of_conversation(mut self, conversation: &str) -> Self {
        let before = self.found.len();
        self.found.retain(|reference| match &reference.source {
            Source::Hosted(content) => content.place.conversation() == conversation,
            _ => true,
        });
        self.external += (before - self.found.len()) as u64;
        self
    }
}

/// Storage services of others, and addresses that are pages and no files.
const ELSEWHERE: [&str; 9] = [
    "box.com",
    "dropbox.com",
    "egnyte.com",
    "giphy.com",
    "google.com",
    "microsoft.teams.com",
    "sharefile.com",
    "teams.cloud.microsoft",
    "teams.microsoft.com",
];

/// Could this row name anything? Quick, and never wrongly false.
pub(super) fn may_name_something(record: RecordKind, json: &[u8]) -> bool {
    match record {
        RecordKind::CallRecording | RecordKind::CallTranscript => true,
        // A letter of a key or of an address may be an escape.
        _ => ["hostedContents", "\"reference\"", "http", "\\u00"]
            .iter()
            .any(|trace| memchr::memmem::find(json, trace.as_bytes()).is_some()),
    }
}

/// What a row names of these kinds, in the order of the document. A deleted message counts: what it
/// names is there as long as the service keeps it, and wanted more than anything else.
pub(super) fn references(
    cloud: &Cloud,
    record: RecordKind,
    json: &[u8],
    kinds: &[Kind],
) -> References {
    let json = String::from_utf8_lossy(json);
    let wants = |kind: Kind| kind.is_of(record) && kinds.contains(&kind);
    let mut references = References::default();
    if wants(Kind::Meetings) {
        references.found = meeting(record, &json);
        return references;
    }
    let [attachments] = lenient::members(&json, ["attachments"]);
    if wants(Kind::Hosted) {
        hosted(cloud, &json, &mut references);
    }
    if wants(Kind::Files) {
        lenient::each(attachments, |attachment| file(attachment, &mut references));
    }
    // The same name in another conversation is another thing: it must not stand in for one's own.
    let mut names = HashSet::with_capacity(references.found.len());
    references.found.retain(|reference| {
        let conversation = match &reference.source {
            Source::Hosted(content) => Some(content.place.conversation().to_owned()),
            _ => None,
        };
        names.insert((reference.name.clone(), conversation))
    });
    references
}

/// The address of the first attached file that a message names.
pub(crate) fn first_file(cloud: &Cloud, json: &[u8]) -> Option<String> {
    let named = references(cloud, RecordKind::Message, json, &[Kind::Files]);
    named.found.into_iter().find_map(|reference| match reference.source {
        Source::File(address) => Some(address),
        _ => None,
    })
}

/// Strings inside strings (cards, forwarded messages) are escaped again, so there are some levels.
const LEVELS: usize = 4;

fn hosted(cloud: &Cloud, json: &str, references: &mut References) {
    let mut text = lenient::unescape(json).map_or(Cow::Borrowed(json), Cow::Owned);
    for _ in 0..LEVELS {
        for content in route::hosted_in(cloud, &text) {
            let name = format!("hostedContents/{}", content.id);
            let source = Source::Hosted(content);
            references.found.push(Reference { name, title: None, source });
        }
        let Some(plain) = lenient::unescape(&text) else { break };
        text = Cow::Owned(plain);
    }
    references.external = pictures_elsewhere(&text);
}

/// `src` and `source` attributes with addresses that are no hosted contents.
fn pictures_elsewhere(html: &str) -> u64 {
    let mut count = 0;
    for attribute in ["src=\"http", "source=\"http"] {
        for at in memchr::memmem::find_iter(html.as_bytes(), attribute) {
            let address = html.get(at + attribute.len()..).unwrap_or_default();
            let end = memchr::memchr(b'"', address.as_bytes()).unwrap_or(address.len());
            let address = address.get(..end).unwrap_or_default();
            count += u64::from(!address.contains("/hostedContents/"));
        }
    }
    count
}

fn file(attachment: &RawValue, references: &mut References) {
    let names = ["contentType", "contentUrl", "id", "attachmentId", "name"];
    let [kind, address, id, other_id, title] =
        lenient::members(attachment.get(), names).map(lenient::text);
    if kind.as_deref() != Some("reference") {
        return;
    }
    let address = address.unwrap_or_default();
    let id = id.or(other_id).filter(|id| !id.is_empty());
    let name = id.unwrap_or_else(|| format!("file/{}", blake3::hash(address.as_bytes()).to_hex()));
    let source = match Whereabouts::of(&address) {
        Whereabouts::Drive => Source::File(address),
        Whereabouts::Elsewhere => {
            references.external += 1;
            return;
        }
        Whereabouts::Unknown => {
            Source::Nowhere(Kind::Files, "the attachment has no address that can be asked for")
        }
    };
    let title = title.filter(|title| !title.is_empty());
    references.found.push(Reference { name, title, source });
}

enum Whereabouts {
    Drive,
    Elsewhere,
    Unknown,
}

impl Whereabouts {
    /// Anything but the best known strangers is asked for: the service says what it does not have.
    fn of(address: &str) -> Self {
        let Ok(url) = url::Url::parse(address) else { return Self::Unknown };
        let (Some(host), "http" | "https") = (url.host_str(), url.scheme()) else {
            return Self::Unknown;
        };
        let is_of = |site: &str| {
            host.strip_suffix(site).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if ELSEWHERE.iter().any(|site| is_of(site)) { Self::Elsewhere } else { Self::Drive }
    }
}

fn meeting(record: RecordKind, json: &str) -> Vec<Reference> {
    let names = ["id", "meetingOrganizer", "meetingOrganizerId"];
    let [id, organizer, organizer_id] = lenient::members(json, names);
    let (id, event) = (lenient::text(id), event(json));
    let user = organizer.and_then(|set| lenient::members(set.get(), ["user"])[0]);
    let user = user.and_then(|user| lenient::text(lenient::members(user.get(), ["id"])[0]));
    let organizer = user.or_else(|| lenient::text(organizer_id)).filter(|id| !id.is_empty());
    let parts: &[(&str, Part)] = match record {
        RecordKind::CallRecording => &[("content", Part::Recording)],
        _ => &[("content", Part::Transcript), ("metadataContent", Part::TranscriptMetadata)],
    };
    let reference = |(name, part): &(&str, Part)| {
        let source = match (&id, &event) {
            (Some(id), Some(event)) => Source::Meeting(Meeting {
                part: *part,
                organizer: organizer.clone(),
                of: event.clone(),
                id: id.clone(),
            }),
            _ => Source::Nowhere(Kind::Meetings, "the entry does not say of which meeting it is"),
        };
        Reference { name: (*name).to_owned(), title: None, source }
    };
    parts.iter().map(reference).collect()
}

/// An entry of a call that was no meeting says so in its address, or by having no meeting.
fn event(json: &str) -> Option<Event> {
    let names = ["meetingId", "callId", "recordingContentUrl", "transcriptContentUrl"];
    let [meeting, call, recording, transcript] =
        lenient::members(json, names).map(|text| lenient::text(text).filter(|it| !it.is_empty()));
    let is_call = recording.or(transcript).is_some_and(|url| url.contains("/adhocCalls/"));
    match (meeting, call) {
        (_, Some(call)) if is_call => Some(Event::Call(call)),
        (Some(meeting), _) => Some(Event::Meeting(meeting)),
        (None, call) => call.map(Event::Call),
    }
}

#[cfg(test)]
mod tests;
