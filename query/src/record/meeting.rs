//! Recordings and transcripts of meetings and calls.

use std::borrow::Cow;

use chatvault_base::time::format_time;
use chatvault_engine::{Document, RecordKind, Timestamp, Value};

use super::{Text, cues};
use crate::message::{
    Attachment, Body, BodyKind, Fill, Identity, Message, MessageType, identity, object,
};

/// A row of a recording or transcript.
#[derive(Default)]
struct Artefact<'a> {
    id: Cow<'a, str>,
    meeting: Option<Cow<'a, str>>,
    call: Option<Cow<'a, str>>,
    correlation: Option<Cow<'a, str>>,
    organizer: Option<Identity<'a>>,
    organizer_id: Option<Cow<'a, str>>,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
}

impl<'a> Fill<'a> for Artefact<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        let is_said = |text: &Cow<'a, str>| !text.is_empty();
        match name {
            "id" => self.id = value.text().unwrap_or_default(),
            "meetingId" => self.meeting = value.text().filter(is_said),
            "callId" => self.call = value.text().filter(is_said),
            "contentCorrelationId" => self.correlation = value.text().filter(is_said),
            "meetingOrganizer" => self.organizer = identity(value),
            "meetingOrganizerId" => self.organizer_id = value.text().filter(is_said),
            "createdDateTime" => self.started = value.time(),
            "endDateTime" => self.ended = value.time(),
            _ => {}
        }
    }
}

pub(super) fn message<'a>(
    record: RecordKind,
    document: &'a Document<'_>,
    text: &Text,
) -> Message<'a> {
    let read: Artefact<'a> = object(document.root()).unwrap_or_default();
    let is_recording = record == RecordKind::CallRecording;
    let mut content = read.facts(is_recording);
    if !is_recording {
        add_spoken(text, &mut content);
    }
    let (kind, name) = if is_recording {
        ("callRecording", "recording.mp4")
    } else {
        ("callTranscript", "transcript.vtt")
    };
    let file = Attachment {
        id: Some("content".into()),
        content_type: Some("reference".into()),
        name: Some(name.into()),
        ..Attachment::default()
    };
    let alone = |id| Identity { id, ..Identity::default() };
    Message {
        id: read.id,
        message_type: MessageType::Other(kind.into()),
        created: read.started,
        from: read.organizer.or(read.organizer_id.map(alone)),
        body: Body { kind: BodyKind::Text, content: content.into() },
        attachments: vec![file],
        ..Message::default()
    }
}

impl Artefact<'_> {
    /// A line for each thing that it says.
    fn facts(&self, is_recording: bool) -> String {
        let what = if is_recording { "Recording" } else { "Transcript" };
        let of = if self.meeting.is_some() { "a meeting" } else { "a call" };
        let name = self.organizer.as_ref().and_then(|one| one.name.as_deref());
        let id = self.organizer.as_ref().map(|one| &*one.id).or(self.organizer_id.as_deref());
        let organizer = match (name, id) {
            (Some(name), Some(id)) => Some(format!("{name} ({id})")),
            (name, id) => name.or(id).map(str::to_owned),
        };
        let time = |at: Option<Timestamp>| at.map(format_time);
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let facts = [
            ("Started", time(self.started)),
            ("Ended", time(self.ended)),
            ("Organizer", organizer),
            ("Meeting", text(&self.meeting)),
            ("Call", text(&self.call)),
            ("Recording and transcript of one call share", text(&self.correlation)),
        ];
        let mut lines = format!("{what} of {of}");
        for (label, fact) in facts {
            for part in fact.iter().flat_map(|fact| ["\n", label, ": ", fact]) {
                lines.push_str(part);
            }
        }
        lines
    }
}

fn add_spoken(text: &Text, content: &mut String) {
    let note = match text {
        Text::None => return,
        Text::Missing => "[the archive does not have the text]".to_owned(),
        Text::TooLong(bytes) => {
            format!("[the text has {bytes} bytes and is not shown: the file has all of it]")
        }
        Text::Here(text) => {
            content.push('\n');
            for cue in cues(text) {
                content.push('\n');
                content.push_str(&cue.to_string());
            }
            return;
        }
    };
    content.push_str("\n\n");
    content.push_str(&note);
}
