//! Messages as the service writes them, and as nobody should.

use super::*;

const CHAT: &str = "https://graph.microsoft.com/v1.0/chats/19:bcf8@thread.v2/messages/1706763669648/hostedContents";
const CHANNEL: &str = "https://graph.microsoft.com/beta/teams/fbe2/channels/19:4a95@thread.tacv2/messages/1614618259349/hostedContents";

fn named(record: RecordKind, json: &[u8], kinds: &[Kind]) -> References {
    references(&Cloud::global(), record, json, kinds)
}

fn names(record: RecordKind, json: &str) -> Vec<String> {
    let found = named(record, json.as_bytes(), &Kind::ALL).found;
    found.into_iter().map(|reference| reference.name).collect()
}

/// A message with these members besides the usual ones.
fn message(members: &str) -> String {
    format!(
        r#"{{"id":"1","etag":"1","chatId":"19:bcf8@thread.v2","deletedDateTime":null,{members},"mentions":[]}}"#
    )
}

fn body(html: &str) -> String {
    message(&format!(r#""body":{{"contentType":"html","content":{}}}"#, quoted(html)))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn attachment(members: &str) -> String {
    message(&format!(r#""attachments":[{{{members}}}]"#))
}

#[test]
fn contents_are_found_wherever_a_message_names_them() {
    let picture = format!(r#"<img src="{CHAT}/aWQ9/$value" width="1">"#);
    let card = format!(r#"{{"body":[{{"url":"{CHANNEL}/Y2FyZA==/$value"}}]}}"#);
    let code = format!(r#"{{"language":"c","codeSnippetUrl":"{CHAT}/Y29kZQ/$value"}}"#);
    let inner = format!(r#"{{"originalMessageContent":{}}}"#, quoted(&picture));
    let twice = format!(r#"{{"deeper":{}}}"#, quoted(&inner));
    let content = |content: &str| attachment(&format!(r#""id":"x","content":{}"#, quoted(content)));
    let emoji = format!(r#"<customemoji id="d" source="{CHAT}/ZW1v/$value"></customemoji>"#);
    let cases = [
        ("a picture", body(&picture), "hostedContents/aWQ9"),
        ("an emoji", body(&emoji), "hostedContents/ZW1v"),
        ("a card", content(&card), "hostedContents/Y2FyZA=="),
        ("a code snippet", content(&code), "hostedContents/Y29kZQ"),
        ("a forwarded picture", content(&inner), "hostedContents/aWQ9"),
        ("one level deeper", content(&twice), "hostedContents/aWQ9"),
        (
            "a reaction",
            message(&format!(
                r#""reactions":[{{"reactionType":"custom","reactionContentUrl":"{CHAT}/cmVh/$value"}}]"#
            )),
            "hostedContents/cmVh",
        ),
        (
            "a member of tomorrow",
            message(&format!(r#""hologram":["{CHAT}/aG9s/$value"]"#)),
            "hostedContents/aG9s",
        ),
        ("slashes escaped", body(&picture).replace('/', r"\/"), "hostedContents/aWQ9"),
        ("signs escaped", content(&card).replace("==", r"\u003d\u003d"), "hostedContents/Y2FyZA=="),
        ("signs escaped inside", content(&card.replace('=', r"\u003d")), "hostedContents/Y2FyZA=="),
        (
            "letters escaped",
            body(&picture).replace("hostedC", r"\u0068ostedC"),
            "hostedContents/aWQ9",
        ),
        (
            "half a character",
            body(&picture).replace(" width", r" \ud83d width"),
            "hostedContents/aWQ9",
        ),
    ];
    for (what, json, name) in cases {
        assert!(may_name_something(RecordKind::Message, json.as_bytes()), "{what}");
        assert_eq!(names(RecordKind::Message, &json), [name], "{what}: {json}");
    }
}

#[test]
fn a_name_comes_once_however_often_it_stands_there() {
    let picture = format!(r#"<img src="{CHAT}/aWQ9/$value">"#);
    let json = body(&format!(r#"{picture}{picture}<img src="{CHAT}/b/$value">"#));
    assert_eq!(names(RecordKind::Message, &json), ["hostedContents/aWQ9", "hostedContents/b"]);
}

#[test]
fn files_are_named_by_their_attachment() {
    let file = |address: &str| {
        format!(
            r#""id":"924D1F74","contentType":"reference","name":"color.png","contentUrl":{}"#,
            quoted(address)
        )
    };
    let spaced = "https://testing.sharepoint.com/sites/Samples/Shared Documents/General/color.png";
    let json = attachment(&file(spaced));
    let found = named(RecordKind::Message, json.as_bytes(), &Kind::ALL).found;
    let expected = Reference {
        name: "924D1F74".to_owned(),
        title: Some("color.png".to_owned()),
        source: Source::File(spaced.to_owned()),
    };
    assert_eq!(found, [expected]);
    for other in ["messageReference", "tabReference", "application/vnd.microsoft.card.adaptive"] {
        let json = attachment(&file(spaced).replace("reference", other));
        assert!(names(RecordKind::Message, &json).is_empty(), "{other}");
    }
    let nameless = attachment(&file(spaced).replace("924D1F74", ""));
    assert!(names(RecordKind::Message, &nameless)[0].starts_with("file/"));
}

#[test]
fn a_copilot_file_has_its_id_under_another_name() {
    let json = r#"{"id":"1","attachments":[{"attachmentId":"a1","contentType":"reference","contentUrl":"https://x-my.sharepoint.com/a.docx"},{"attachmentId":"19:meeting@thread.v2","contentType":"reference","contentUrl":"https://microsoft.teams.com/threads/19:meeting@thread.v2"}]}"#;
    assert_eq!(names(RecordKind::CopilotInteraction, json), ["a1"]);
}

#[test]
fn an_attachment_without_a_usable_address_is_known_to_be_nowhere() {
    for address in ["null", "\"\"", "\"color.png\"", "\"file:///etc/passwd\"", "7"] {
        let json =
            attachment(&format!(r#""id":"f","contentType":"reference","contentUrl":{address}"#));
        let found = named(RecordKind::Message, json.as_bytes(), &Kind::ALL).found;
        assert!(matches!(found[..], [Reference { source: Source::Nowhere(..), .. }]), "{address}");
    }
}

#[test]
fn what_is_elsewhere_is_counted_and_not_asked_for() {
    let pictures = r#"<img src="https://media.giphy.com/a.gif"><img alt="" src="https://urlp.asm.skype.com/v1/url/content?url=x"><img src="cid:1">"#;
    let pictures = format!(r#"{pictures}<img src="{CHAT}/aWQ9/$value">"#);
    let found = named(RecordKind::Message, body(&pictures).as_bytes(), &Kind::ALL);
    assert_eq!((found.external, found.found.len()), (2, 1));
    for address in ["https://www.dropbox.com/s/x/a.pdf", "https://docs.google.com/document/d/1"] {
        let json =
            attachment(&format!(r#""id":"f","contentType":"reference","contentUrl":"{address}""#));
        let found = named(RecordKind::Message, json.as_bytes(), &Kind::ALL);
        assert_eq!((found.external, found.found.len()), (1, 0), "{address}");
    }
}

#[test]
fn a_deleted_message_names_what_it_has_and_an_empty_one_nothing() {
    let picture = body(&format!(r#"<img src="{CHAT}/aWQ9/$value">"#));
    let deleted = picture
        .replace(r#""deletedDateTime":null"#, r#""deletedDateTime":"2023-11-14T22:14:20.42Z""#);
    assert_eq!(names(RecordKind::Message, &deleted), ["hostedContents/aWQ9"]);
    assert_eq!(names(RecordKind::Message, &body("")), [""; 0]);
}

#[test]
fn a_meeting_is_found_by_the_entrys_ids_and_never_by_its_address() {
    let entry = r#"{"id":"VjIj","meetingId":"MSox","recordingContentUrl":"https://graph.microsoft.com/v1.0/$metadata#users('b9')/x","meetingOrganizer":{"application":null,"user":{"id":"b935","displayName":null}}}"#;
    let meeting = |part, organizer: Option<&str>| {
        let of = Event::Meeting("MSox".into());
        let (organizer, id) = (organizer.map(str::to_owned), "VjIj".into());
        Source::Meeting(Meeting { part, organizer, of, id })
    };
    let of = |record, json: &str| named(record, json.as_bytes(), &Kind::ALL).found;
    let recording = of(RecordKind::CallRecording, entry);
    assert_eq!(recording[0].source, meeting(Part::Recording, Some("b935")));
    assert_eq!((recording[0].name.as_str(), recording.len()), ("content", 1));
    let transcript = of(RecordKind::CallTranscript, entry);
    assert_eq!(transcript[0].source, meeting(Part::Transcript, Some("b935")));
    assert_eq!(transcript[1].source, meeting(Part::TranscriptMetadata, Some("b935")));
    assert_eq!(names(RecordKind::CallTranscript, entry), ["content", "metadataContent"]);
    let older = r#"{"id":"VjIj","meetingId":"MSox","meetingOrganizerId":"u7"}"#;
    assert_eq!(
        of(RecordKind::CallRecording, older)[0].source,
        meeting(Part::Recording, Some("u7"))
    );
    let bare = r#"{"id":"VjIj","meetingId":"MSox"}"#;
    assert_eq!(of(RecordKind::CallRecording, bare)[0].source, meeting(Part::Recording, None));
    let calls = [
        r#"{"id":"VjIj","meetingId":"","callId":"c7"}"#,
        r#"{"id":"VjIj","meetingId":"MSox","callId":"c7","recordingContentUrl":"https://graph.microsoft.com/v1.0/users/u/adhocCalls/c7/x"}"#,
    ];
    for call in calls {
        let source = &of(RecordKind::CallRecording, call)[0].source;
        let is_call = |meeting: &Meeting| meeting.of == Event::Call("c7".into());
        assert!(matches!(source, Source::Meeting(meeting) if is_call(meeting)), "{call}");
    }
    let lost = &of(RecordKind::CallRecording, r#"{"id":"VjIj","meetingId":null}"#)[0].source;
    assert!(matches!(lost, Source::Nowhere(Kind::Meetings, _)));
}

#[test]
fn only_the_kinds_that_are_wanted_are_looked_for() {
    let json = message(&format!(
        r#""body":{{"content":"{CHAT}/aWQ9/$value"}},"attachments":[{{"id":"f","contentType":"reference","contentUrl":"https://x.sharepoint.com/a"}}]"#
    ));
    let of = |kinds: &[Kind]| {
        let found = named(RecordKind::Message, json.as_bytes(), kinds).found;
        found.iter().map(|reference| reference.source.kind()).collect::<Vec<_>>()
    };
    assert_eq!(of(&Kind::ALL), [Kind::Hosted, Kind::Files]);
    assert_eq!(of(&[Kind::Files]), [Kind::Files]);
    assert_eq!(of(&[Kind::Meetings]), []);
}

#[test]
fn a_megabyte_with_ten_thousand_pictures_is_read_and_nothing_hangs() {
    let pictures = (0..10_000).map(|number| format!(r#"<img src="{CHAT}/id{number}/$value">"#));
    let json = body(&pictures.collect::<String>());
    assert!(json.len() > 1 << 20);
    assert_eq!(names(RecordKind::Message, &json).len(), 10_000);
}

#[test]
fn bytes_that_are_no_message_name_nothing_and_do_no_harm() {
    let deep = "[".repeat(1 << 20);
    let backslashes = format!(r#"{{"body":"{}"}}"#, "\\".repeat(1 << 20));
    let endless = format!("{{\"body\":\"{}", format!("{CHAT}/").repeat(2_000));
    let broken = [
        b"".as_slice(),
        b"null",
        b"\xff\xfe{\"attachments\":[{\"contentType\":\"reference\"",
        b"{\"attachments\":{\"contentType\":\"reference\"},\"deletedDateTime\":[]}",
        b"{\"attachments\":[null,7,\"x\",[[]],{}]}",
        deep.as_bytes(),
        backslashes.as_bytes(),
        endless.as_bytes(),
    ];
    for bytes in broken {
        for record in [RecordKind::Message, RecordKind::CopilotInteraction] {
            assert_eq!(named(record, bytes, &Kind::ALL).found, [], "{:?}", bytes.get(..40));
        }
        let meetings = named(RecordKind::CallRecording, bytes, &Kind::ALL).found;
        assert!(meetings.iter().all(|it| matches!(it.source, Source::Nowhere(..))));
    }
}

#[test]
fn contents_of_other_conversations_are_left_out_whatever_a_message_says() {
    let foreign = CHAT.replace("19:bcf8", "19:other");
    let html = [&*foreign, CHANNEL, CHAT, CHAT];
    let html = html.map(|at| format!(r#"<img src="{at}/aWQ9/$value">"#));
    let json = body(&html.concat());
    let named = named(RecordKind::Message, json.as_bytes(), &Kind::ALL);
    assert_eq!(named.found.len(), 3, "once from each conversation");
    let own = named.of_conversation("19:bcf8@thread.v2");
    assert_eq!((own.found.len(), own.external), (1, 2));
}
