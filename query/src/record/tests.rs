//! Records as messages, and transcripts as lines.

use chatvault_engine::{Document, RecordKind};
use proptest::prelude::*;

use super::{Cue, Text, cues, message};
use crate::body::plain_text;
use crate::message::MessageType;

fn lines(text: &str) -> Vec<String> {
    cues(text).iter().map(Cue::to_string).collect()
}

#[test]
fn a_transcript_gives_who_said_what_and_when() {
    let text = "\u{feff}WEBVTT\r\n\r\nNOTE a remark\r\n\r\n-0:0:1.250 --> 0:0:5.320\r\n<v Ada Able>Good \
                morning</v>\r\n\r\nid-2\r\n1:02:03.500 --> 1:02:04.000 align:start\r\n<v.loud Ben \
                &amp; Co>R&amp;D <i>is</i>\r\nnext &lt;3</v>\r\n\r\n00:07.000 --> 00:08.000\nno voice\n\n\
                x --> y\n<v Ada>one</v> <v Ben>two</v>\n\n5:00.0 --> 5:01.0\n<v Cyd></v>\n";
    assert_eq!(
        lines(text),
        [
            "-0:00:01 Ada Able: Good morning",
            "1:02:03 Ben & Co: R&D is next <3",
            "0:00:07 no voice",
            "Ada: one",
            "Ben: two",
        ]
    );
}

#[test]
fn no_bytes_make_a_transcript_panic() {
    for text in
        ["", "-->", "-->\n<v", "-->\n<v >&", "1:2:3:4:5 --> \n<v a>b", "99999999999:0.1 -->\nx"]
    {
        assert!(lines(text).len() <= 1, "{text}");
    }
    assert_eq!(lines("9999999999:0.0 --> \nx"), ["x"]);
    assert_eq!(lines("999999999:0:0.0009 --> \nx"), ["999999999:00:00 x"]);
}

proptest! {
    #[test]
    fn whatever_a_file_holds_its_cues_are_lines(
        parts in prop::collection::vec("[ -~\n\r<>v&;:.äß-]{0,12}|-->|\n\n|<v |</v>|0:0:1.0", 0..40)
    ) {
        for cue in cues(&parts.concat()) {
            prop_assert!(!cue.words.is_empty() && !cue.words.contains(['\n', '\r']), "{cue:?}");
        }
    }
}

fn parsed(json: &str) -> Document<'_> {
    Document::parse(json.as_bytes()).unwrap()
}

const MEETING: &str = r#"{"id":"r1","meetingId":"MSo","callId":null,"createdDateTime":"2023-04-10T08:13:17.5Z",
    "endDateTime":"2023-04-10T08:40:00Z","contentCorrelationId":"c-1","meetingOrganizer":{"application":null,
    "user":{"id":"ada","displayName":null}}}"#;

#[test]
fn a_recording_says_when_it_was_and_has_its_film_as_its_file() {
    let document = parsed(MEETING);
    let message = message(RecordKind::CallRecording, &document, &Text::None);
    assert_eq!(
        message.body.content,
        "Recording of a meeting\nStarted: 2023-04-10T08:13:17.500Z\nEnded: 2023-04-10T08:40:00Z\n\
         Organizer: ada\nMeeting: MSo\nRecording and transcript of one call share: c-1"
    );
    assert_eq!(message.from.as_ref().map(|from| &*from.id), Some("ada"));
    assert_eq!(message.message_type, MessageType::Other("callRecording".into()));
    assert_eq!(message.attachments[0].name.as_deref(), Some("recording.mp4"));
    assert!(!message.is_system());
}

#[test]
fn a_transcript_says_its_lines_or_why_it_has_none() {
    let ending = |text: Text| {
        let document = parsed(MEETING);
        let message = message(RecordKind::CallTranscript, &document, &text);
        message.body.content.lines().last().unwrap().to_owned()
    };
    let here = "0:0:1.0 --> 0:0:2.0\n<v Ada>hello</v>\n";
    assert_eq!(ending(Text::Here(here.into())), "0:00:01 Ada: hello");
    assert_eq!(ending(Text::Missing), "[the archive does not have the text]");
    assert!(ending(Text::TooLong(9)).starts_with("[the text has 9 bytes"));
}

#[test]
fn an_interaction_keeps_its_links_and_is_no_event_whatever_its_text() {
    let json = r#"{"id":"1","sessionId":"s","interactionType":"userPrompt","appClass":"IPM.Copilot.Word",
        "from":{"user":{"id":"ada","displayName":"8:orgid:ada"}},
        "body":{"contentType":"text","content":"<systemEventMessage/><attachment id=\"x\"></attachment>"},
        "contexts":[{"displayName":"Meeting","contextReference":"https://c.example/","contextType":"TeamsMeeting"}],
        "links":[{"displayName":"Plan <B>","linkUrl":"https://l.example/b","linkType":"File"}]}"#;
    let document = parsed(json);
    let read = message(RecordKind::CopilotInteraction, &document, &Text::None);
    assert!(!read.is_system() && read.from.as_ref().unwrap().name.is_none());
    assert_eq!(read.message_type.name(), "userPrompt");
    assert_eq!(
        read.body.content,
        "<systemEventMessage/>\n\nAsked in: Word\n\nContext: Meeting (TeamsMeeting): https://c.example/\n\n\
         Link: Plan <B> (File): https://l.example/b"
    );
    let html = json.replace("\"text\"", "\"html\"");
    let document = parsed(&html);
    let read = message(RecordKind::CopilotInteraction, &document, &Text::None);
    let plain = plain_text(&read);
    assert!(plain.ends_with("Link: Plan <B> (File): https://l.example/b"), "{plain}");
}
