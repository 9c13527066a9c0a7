//! Recordings and transcripts of meetings, and of calls that were none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatvault_support::{Random, quoted, stamp, stamp_ticks};

use super::extra::{Extra, Maker};
use super::places::{Conversation, Kind};
use super::types::{CLOUD_ORIGIN, Content, ContentPath, Feed, Ms, Sender, TruthObject};
use super::words;

/// A transcript that the list names and nobody can have: a known defect of the service.
const NO_TRANSCRIPT: Content =
    Content::Refused { status: 404, code: "NotFound", message: "The transcript has no content." };

/// One recorded meeting or call.
struct Meeting {
    organizer: usize,
    user: String,
    /// `meetingId`; empty of a call.
    id: String,
    /// Where it is below its organizer.
    of: String,
    created: Ms,
    ended: Ms,
    /// What both artefacts say: call, correlation, times, organizer.
    shared: String,
}

pub(super) fn make(maker: &mut Maker<'_>) {
    let places = maker.places;
    let chats: Vec<&Conversation> =
        places.conversations.iter().filter(|one| one.kind == Kind::Meeting).collect();
    for number in 0..maker.setup.recordings as usize {
        let created = maker.time();
        let organizer = maker.user(created, |user| user.meetings);
        let chat = number.checked_rem(chats.len()).and_then(|index| chats.get(index));
        if let (Some(organizer), Some(chat)) = (organizer, chat) {
            let meeting = hold(maker, (organizer, chat, number % 3 == 2), created);
            recording(maker, &meeting);
            transcript(maker, &meeting, number);
        }
    }
}

fn hold(
    maker: &mut Maker<'_>,
    (organizer, chat, is_call): (usize, &Conversation, bool),
    created: Ms,
) -> Meeting {
    let user = maker.people.users.get(organizer).map_or(String::new(), |user| user.id.clone());
    let ended = created + 600_000 + maker.up_to(3_000_000);
    let fine = maker.up_to(10_000);
    let (call, correlation) = (maker.random.guid(), maker.random.guid());
    let meeting = STANDARD.encode(format!("1*{user}*0**{}", chat.id));
    let (id, of) = if is_call {
        (String::new(), format!("adhocCalls/{call}"))
    } else {
        (meeting.clone(), format!("onlineMeetings/{meeting}"))
    };
    let shared = format!(
        r##""callId":"{call}","createdDateTime":"{}","endDateTime":"{}","contentCorrelationId":"{correlation}","meetingOrganizer":{{"application":null,"device":null,"user":{{"@odata.type":"#Microsoft.Teams.GraphSvc.teamworkUserIdentity","id":"{user}","displayName":null,"userIdentityType":"aadUser","tenantId":"{}"}}}}"##,
        stamp_ticks(created * 10_000 + fine),
        stamp(ended),
        maker.tenant,
    );
    Meeting { organizer, user, id, of, created, ended, shared }
}

/// Ids come in an old and a new form.
fn artefact_id(maker: &mut Maker<'_>, user: &str) -> String {
    let guid = maker.random.guid();
    if maker.random.chance(30) {
        return guid;
    }
    let calendar = words::hex(&mut maker.random);
    STANDARD.encode(format!("V2##1{user}{}{calendar}##{guid}", maker.tenant))
}

fn recording(maker: &mut Maker<'_>, meeting: &Meeting) {
    let id = artefact_id(maker, &meeting.user);
    let wanted = maker.setup.recording_bytes;
    let len = wanted - maker.random.below(wanted / 8 + 1);
    let (media_type, seed) = ("video/mp4".to_owned(), maker.random.next_u64());
    let content = match &maker.setup.film {
        Some(film) => Content::Bytes { media_type, bytes: film.clone() },
        None => Content::Generated { media_type, seed, len },
    };
    let path = ContentPath::Recording {
        user: meeting.user.clone(),
        of: meeting.of.clone(),
        id: id.clone(),
    };
    put(maker, meeting, Feed::Recordings, &id);
    object(maker, meeting, (path, content), &id);
}

fn transcript(maker: &mut Maker<'_>, meeting: &Meeting, number: usize) {
    let id = artefact_id(maker, &meeting.user);
    let mut random = maker.random.split();
    let cues = cues(maker, &mut random);
    let text = Content::Bytes { media_type: "text/vtt".to_owned(), bytes: spoken(&cues) };
    let content = if number % 8 == 7 { NO_TRANSCRIPT } else { text };
    let details = Content::Bytes {
        media_type: "text/vtt".to_owned(),
        bytes: described(&cues, meeting.created),
    };
    let (user, of) = (meeting.user.clone(), meeting.of.clone());
    let path = ContentPath::Transcript { user: user.clone(), of: of.clone(), id: id.clone() };
    let more = ContentPath::TranscriptMetadata { user, of, id: id.clone() };
    put(maker, meeting, Feed::Transcripts, &id);
    object(maker, meeting, (path, content), &id);
    object(maker, meeting, (more, details), &id);
}

fn put(maker: &mut Maker<'_>, meeting: &Meeting, feed: Feed, id: &str) {
    let (kind, name) = match feed {
        Feed::Recordings => ("callRecording", "recording"),
        _ => ("callTranscript", "transcript"),
    };
    let feed = match (meeting.id.is_empty(), feed) {
        (false, feed) => feed,
        (true, Feed::Recordings) => Feed::AdhocRecordings,
        (true, _) => Feed::AdhocTranscripts,
    };
    let (user, of, shared) = (&meeting.user, &meeting.of, &meeting.shared);
    let place = if meeting.id.is_empty() { "null".to_owned() } else { quoted(&meeting.id) };
    let json = format!(
        r##"{{"@odata.type":"#microsoft.graph.{kind}","id":"{id}","meetingId":{place},{shared},"{name}ContentUrl":"{CLOUD_ORIGIN}/v1.0/users/{user}/{of}/{name}s/{id}/content"}}"##
    );
    let row = Extra {
        feed,
        user: meeting.organizer,
        id: id.to_owned(),
        etag: String::new(),
        conversation: meeting.id.clone(),
        created: meeting.created,
        modified: meeting.created,
        from: maker.shown_from(meeting.ended),
        until: maker.shown_until(meeting.organizer),
        sender: Sender::None,
        message_type: "",
        app_class: None,
        json: json.into(),
        order: maker.order(),
    };
    maker.rows.push(row);
}

fn object(
    maker: &mut Maker<'_>,
    meeting: &Meeting,
    (path, content): (ContentPath, Content),
    id: &str,
) {
    let until = maker.shown_until(meeting.organizer);
    maker.objects.push(TruthObject {
        path,
        content,
        conversation: meeting.id.clone(),
        message: id.to_owned(),
        from: meeting.ended,
        until: (until < Ms::MAX).then_some(until),
    });
}

/// Who said what, and when in the meeting.
struct Cue {
    from: Ms,
    to: Ms,
    speaker: String,
    text: String,
}

fn cues(maker: &Maker<'_>, random: &mut Random) -> Vec<Cue> {
    // The first words are sometimes older than the recording.
    let mut at: Ms = if random.chance(30) { -1_250 } else { 0 };
    let mut all = Vec::new();
    for _ in 0..20 + random.below(200) {
        let speaker =
            random.pick(&maker.people.users).map_or(String::new(), |user| user.name.clone());
        let to = at + 1_000 + Ms::try_from(random.below(9_000)).unwrap_or(0);
        all.push(Cue { from: at, to, speaker, text: words::sentence(random).replace('\n', " ") });
        at = to + Ms::try_from(random.below(2_000)).unwrap_or(0);
    }
    all
}

/// Hours, minutes and seconds as transcripts write them, without leading zeros.
fn offset(ms: Ms) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.abs();
    let fraction = match ms % 1000 {
        0 => "0".to_owned(),
        part => format!("{part:03}"),
    };
    format!("{sign}{}:{}:{}.{fraction}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60)
}

/// A transcript file of cues with some payload.
fn vtt(cues: &[Cue], payload: impl Fn(&Cue) -> String) -> Vec<u8> {
    let block = |cue: &Cue| {
        format!("{} --> {}\r\n{}\r\n\r\n", offset(cue.from), offset(cue.to), payload(cue))
    };
    let blocks: Vec<String> = cues.iter().map(block).collect();
    ["WEBVTT\r\n\r\n", &blocks.concat()].concat().into_bytes()
}

fn spoken(cues: &[Cue]) -> Vec<u8> {
    vtt(cues, |cue| format!("<v {}>{}</v>", cue.speaker, cue.text))
}

fn described(cues: &[Cue], start: Ms) -> Vec<u8> {
    vtt(cues, |cue| {
        format!(
            r#"{{"startDateTime":"{}","endDateTime":"{}","speakerName":{},"spokenText":{},"spokenLanguage":"en-us"}}"#,
            stamp(start + cue.from),
            stamp(start + cue.to),
            quoted(&cue.speaker),
            quoted(&cue.text),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn offsets_read_as_in_transcripts() {
        let read = [0, 5_320, -1_250, 14_033, 3_723_500].map(offset);
        assert_eq!(read, ["0:0:0.0", "0:0:5.320", "-0:0:1.250", "0:0:14.033", "1:2:3.500"]);
    }
}
