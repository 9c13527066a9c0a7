//! Every system event in words.

use std::collections::BTreeMap;

use super::*;
use crate::message::{IdentityKind, Message};

struct Known(BTreeMap<&'static str, &'static str>);

impl Names for Known {
    fn name(&self, id: &str) -> Option<&str> {
        self.0.get(id).copied()
    }

    fn address(&self, _id: &str) -> Option<&str> {
        None
    }
}

fn known() -> Known {
    Known(BTreeMap::from([("u-ann", "Ann"), ("u-bob", "Bob"), ("u-cho", "Cho")]))
}

const ANN: &str = r#"{"application":null,"device":null,"user":{"id":"u-ann","displayName":null}}"#;
const BOB: &str = r#"{"id":"u-bob","displayName":null,"userIdentityType":"aadUser"}"#;
const CHO: &str = r#"{"id":"u-cho","displayName":null,"userIdentityType":"aadUser"}"#;

/// An event as the service writes it: the type first, the initiator last.
fn event_json(name: &str, fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { "," };
    format!(
        r##"{{"messageType":"systemEventMessage","from":null,
            "body":{{"contentType":"html","content":"<systemEventMessage/>"}},
            "eventDetail":{{"@odata.type":"#microsoft.graph.{name}EventMessageDetail",
            {fields}{comma}"initiator":{ANN}}}}}"##
    )
}

fn said(name: &str, fields: &str) -> String {
    let json = event_json(name, fields);
    let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
    let message = Message::of(&stored);
    let event = message.event.unwrap();
    assert_eq!(event.name, name);
    words(&event, &known())
}

fn check(cases: &[(&str, String, &str)]) {
    for (name, fields, expected) in cases {
        assert_eq!(said(name, fields), *expected, "{name}");
    }
}

#[test]
fn calls_and_meetings_have_words() {
    check(&[
        (
            "callStarted",
            r#""callId":"9c","callEventType":"meeting""#.into(),
            "Ann started a meeting",
        ),
        ("callStarted", r#""callEventType":"screenShare""#.into(), "Ann started a screen share"),
        (
            "callEnded",
            format!(
                r#""callDuration":"PT59S","callEventType":"meeting","callParticipants":[
                {{"participant":{{"user":{{"id":"1f","displayName":"Adele Vance "}}}}}},
                {{"participant":{{"user":{BOB}}}}}]"#
            ),
            "Meeting ended (59 seconds); participants: Adele Vance, Bob",
        ),
        ("callEnded", r#""callDuration":"soon""#.into(), "Call ended (soon)"),
        (
            "callRecording",
            r#""callRecordingDisplayName":"Standup.mp4","callRecordingStatus":"success",
               "callRecordingUrl":"https://x.example/Standup.mp4?web=1""#
                .into(),
            "Recording success: Standup.mp4 https://x.example/Standup.mp4?web=1",
        ),
        (
            "callRecording",
            r#""callRecordingStatus":"chunkFinished""#.into(),
            "Recording chunk finished",
        ),
        ("callTranscript", r#""callTranscriptICalUid":"0400""#.into(), "Transcript available"),
        (
            "meetingPolicyUpdated",
            r#""meetingChatEnabled":true"#.into(),
            "Ann changed the meeting: chat enabled",
        ),
        (
            "meetingPolicyUpdated",
            r#""meetingChatEnabled":false"#.into(),
            "Ann changed the meeting: chat disabled",
        ),
    ]);
}

#[test]
fn members_have_words() {
    check(&[
        (
            "membersAdded",
            format!(
                r#""visibleHistoryStartDateTime":"0001-01-01T00:00:00Z","members":[{BOB},{CHO}]"#
            ),
            "Ann added Bob and Cho and shared all chat history",
        ),
        (
            "membersAdded",
            format!(
                r#""visibleHistoryStartDateTime":"2021-05-03T10:00:00Z","members":[{BOB},{CHO},{BOB}]"#
            ),
            "Ann added Bob, Cho and Bob and shared history from 2021-05-03T10:00:00Z",
        ),
        ("membersAdded", format!(r#""members":[{BOB}]"#), "Ann added Bob"),
        ("membersDeleted", format!(r#""members":[{BOB}]"#), "Ann removed Bob"),
        ("membersDeleted", r#""members":[{"id":"u-ann"}]"#.into(), "Ann left"),
        (
            "membersJoined",
            r#""members":[{"id":"2c","displayName":"Alex (Guest)"}]"#.into(),
            "Alex (Guest) joined",
        ),
        ("membersLeft", format!(r#""members":[{CHO}]"#), "Cho left"),
        (
            "conversationMemberRoleUpdated",
            format!(r#""conversationMemberRoles":["Owner"],"conversationMemberUser":{BOB}"#),
            "Ann made Bob Owner",
        ),
        (
            "conversationMemberRoleUpdated",
            format!(r#""conversationMemberRoles":[],"conversationMemberUser":{BOB}"#),
            "Ann made Bob member",
        ),
    ]);
}

#[test]
fn chats_channels_and_teams_have_words() {
    check(&[
        (
            "chatRenamed",
            r#""chatDisplayName":"Team\nLunch""#.into(),
            "Ann renamed the chat to Team Lunch",
        ),
        ("chatRenamed", r#""chatDisplayName":"""#.into(), "Ann removed the name of the chat"),
        ("channelAdded", r#""channelDisplayName":"News""#.into(), "Ann added the channel News"),
        ("channelDeleted", r#""channelDisplayName":"News""#.into(), "Ann deleted the channel News"),
        (
            "channelRenamed",
            r#""channelDisplayName":"Old""#.into(),
            "Ann renamed the channel to Old",
        ),
        (
            "channelDescriptionUpdated",
            r#""channelDescription":"All news""#.into(),
            "Ann changed the description of the channel to: All news",
        ),
        (
            "channelSetAsFavoriteByDefault",
            String::new(),
            "Ann set the channel as a favorite by default",
        ),
        (
            "channelUnsetAsFavoriteByDefault",
            String::new(),
            "Ann unset the channel as a favorite by default",
        ),
        (
            "channelSharingUpdated",
            r#""ownerTeamId":"t","ownerTenantId":"n","sharedChannelId":"c""#.into(),
            "Ann updated the sharing of the channel",
        ),
        (
            "teamCreated",
            r#""teamDisplayName":"Crew","teamDescription":"All of us""#.into(),
            "Ann created the team Crew",
        ),
        ("teamRenamed", r#""teamDisplayName":"Crew 2""#.into(), "Ann renamed the team to Crew 2"),
        (
            "teamDescriptionUpdated",
            r#""teamDescription":"We""#.into(),
            "Ann changed the description of the team to: We",
        ),
        ("teamArchived", String::new(), "Ann archived the team"),
        ("teamUnarchived", String::new(), "Ann unarchived the team"),
        ("teamJoiningEnabled", String::new(), "Ann enabled joining the team"),
        ("teamJoiningDisabled", String::new(), "Ann disabled joining the team"),
    ]);
}

#[test]
fn pins_tabs_and_apps_have_words() {
    check(&[
        (
            "messagePinned",
            r#""eventDateTime":"2022-05-02T20:11:08Z""#.into(),
            "Ann pinned a message",
        ),
        ("messageUnpinned", String::new(), "Ann unpinned a message"),
        ("tabUpdated", r#""tabId":"tab::e8""#.into(), "Ann updated a tab"),
        ("teamsAppInstalled", r#""teamsAppDisplayName":"Polls""#.into(), "Ann installed Polls"),
        ("teamsAppRemoved", r#""teamsAppDisplayName":"Polls""#.into(), "Ann removed Polls"),
        ("teamsAppUpgraded", r#""teamsAppDisplayName":"Polls""#.into(), "Ann upgraded Polls"),
        ("somethingNew", String::new(), "System event: somethingNew"),
    ]);
}

#[test]
fn every_type_has_words_and_a_detail_even_without_fields() {
    let types = [
        "callEnded",
        "callRecording",
        "callStarted",
        "callTranscript",
        "channelAdded",
        "channelDeleted",
        "channelDescriptionUpdated",
        "channelRenamed",
        "channelSetAsFavoriteByDefault",
        "channelSharingUpdated",
        "channelUnsetAsFavoriteByDefault",
        "chatRenamed",
        "conversationMemberRoleUpdated",
        "meetingPolicyUpdated",
        "membersAdded",
        "membersDeleted",
        "membersJoined",
        "membersLeft",
        "messagePinned",
        "messageUnpinned",
        "tabUpdated",
        "teamArchived",
        "teamCreated",
        "teamDescriptionUpdated",
        "teamJoiningDisabled",
        "teamJoiningEnabled",
        "teamRenamed",
        "teamUnarchived",
        "teamsAppInstalled",
        "teamsAppRemoved",
        "teamsAppUpgraded",
    ];
    assert_eq!(types.len(), 31);
    let mut all = std::collections::BTreeSet::new();
    for name in types {
        let json =
            format!(r##"{{"eventDetail":{{"@odata.type":"#x.{name}EventMessageDetail"}}}}"##);
        let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
        let message = Message::of(&stored);
        let event = message.event.unwrap();
        assert_ne!(event.detail, Detail::Other, "{name}");
        let text = words(&event, &NoNames);
        assert!(!text.starts_with("System event"), "{name}: {text}");
        assert!(all.insert(text.clone()), "two types say {text:?}");
    }
}

#[test]
fn an_event_without_a_type_is_unknown() {
    for detail in ["{}", r#"{"@odata.type":null}"#, r##"{"@odata.type":"#"}"##, "null"] {
        let json = format!(r#"{{"messageType":"systemEventMessage","eventDetail":{detail}}}"#);
        let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
        let message = Message::of(&stored);
        assert_eq!(words(&message.event.unwrap(), &NoNames), "System event: unknown");
    }
}

#[test]
fn the_name_of_somebody_is_the_best_that_is_known() {
    let someone = |id: &'static str, name: Option<&'static str>| Identity {
        id: id.into(),
        name: name.map(Into::into),
        ..Identity::default()
    };
    let names = known();
    assert_eq!(who(&someone("u-ann", Some(" A.\nGrün ")), &names), "A. Grün");
    assert_eq!(who(&someone("u-ann", None), &names), "Ann");
    assert_eq!(who(&someone("u-ann", Some("\u{0}")), &names), "Ann");
    assert_eq!(who(&someone("u-dan", None), &names), "u-dan");
    assert_eq!(who(&someone("", None), &names), "an unknown person");
    let app = Identity { kind: IdentityKind::Application, ..Identity::default() };
    assert_eq!(who(&app, &names), "an unknown app");
}

#[test]
fn durations_are_said_as_people_do() {
    for (duration, expected) in [
        ("PT59S", Some("59 seconds")),
        ("PT40M19.26S", Some("40 minutes 19 seconds")),
        ("PT1H", Some("1 hour")),
        ("P1DT2H0M1S", Some("1 day 2 hours 1 second")),
        ("P2W", Some("2 weeks")),
        ("PT0S", Some("0 seconds")),
        ("PT0.0004S", Some("less than a second")),
        ("P1Y2M", Some("1 year 2 months")),
        (" PT5M ", Some("5 minutes")),
        ("PT90061S", Some("90061 seconds")),
        ("", None),
        ("P", None),
        ("PT", None),
        ("P1", None),
        ("PTS", None),
        ("PT1S1M", None),
        ("-PT1S", None),
        ("PT1é", None),
        ("PT99999999999999999999999S", None),
    ] {
        assert_eq!(humanized(duration).as_deref(), expected, "{duration}");
    }
}

#[test]
fn the_placeholder_is_the_one_that_people_know() {
    assert_eq!(PLACEHOLDER, "System Event Message can't be previewed");
}
