//! The thirty kinds of system events and what each tells.

use chatvault_support::{Random, quoted, stamp};

use super::render::Scene;
use super::words;

/// Names before `EventMessageDetail`. The first that fit chats, and channels, stand in `life`.
pub(super) const NAMES: [&str; 30] = [
    "callStarted",
    "callEnded",
    "callRecording",
    "callTranscript",
    "channelAdded",
    "channelDeleted",
    "channelRenamed",
    "channelDescriptionUpdated",
    "channelSetAsFavoriteByDefault",
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
    "teamUnarchived",
    "teamJoiningEnabled",
    "teamJoiningDisabled",
    "teamCreated",
    "teamDescriptionUpdated",
    "teamRenamed",
    "teamsAppInstalled",
    "teamsAppRemoved",
    "teamsAppUpgraded",
];

/// The `eventDetail` of a message.
pub(super) fn detail(scene: &Scene<'_>, number: u8) -> String {
    let name = NAMES.get(usize::from(number)).copied().unwrap_or(NAMES[0]);
    let mut random = scene.message.random(30);
    let mut fields = match number {
        0..4 => call(scene, name, &mut random),
        4..11 => named(scene, name, &mut random),
        11..17 => members(scene, name, &mut random),
        17 | 18 => vec![("eventDateTime", quoted(&stamp(scene.message.created - 40)))],
        19 => vec![("tabId", quoted(&format!("tab::{}", random.guid())))],
        20..27 => team(scene, name, &mut random),
        _ => vec![
            ("teamsAppId", quoted(&random.guid())),
            ("teamsAppDisplayName", quoted(random.word(&["Polls & more", "Whiteboard", "Kudos"]))),
        ],
    };
    // Recordings and transcripts have an organizer; a transcript starts by itself.
    if matches!(number, 2 | 3) {
        fields.push(("meetingOrganizer", scene.author().json(false)));
    }
    if number != 3 {
        fields.push(("initiator", scene.author().json(false)));
    }
    let fields: Vec<String> =
        fields.iter().map(|(key, value)| format!(r#""{key}":{value}"#)).collect();
    format!(
        r##"{{"@odata.type":"#microsoft.graph.{name}EventMessageDetail",{}}}"##,
        fields.join(",")
    )
}

type Fields = Vec<(&'static str, String)>;

fn call(scene: &Scene<'_>, name: &str, random: &mut Random) -> Fields {
    let kind = quoted(random.word(&["call", "meeting", "screenShare"]));
    let mut fields = vec![("callId", quoted(&random.guid()))];
    match name {
        "callStarted" => fields.push(("callEventType", kind)),
        "callEnded" => {
            let participant = format!(r#"[{{"participant":{}}}]"#, scene.author().json(true));
            let duration = format!("PT{}M{}S", random.below(90), random.below(60));
            fields.push(("callDuration", quoted(&duration)));
            fields.push(("callEventType", kind));
            fields.push(("callParticipants", participant));
        }
        "callRecording" => {
            let title = format!("{} {}.mp4", random.word(&words::TOPICS), random.below(1000));
            let url =
                format!("https://contoso-my.sharepoint.com/personal/recordings/{title}?web=1");
            let status = random.word(&["success", "failure", "initial", "chunkFinished"]);
            fields.push(("callRecordingDisplayName", quoted(&title)));
            fields.push(("callRecordingUrl", quoted(&url)));
            fields.push(("callRecordingDuration", quoted("PT31M4.52S")));
            fields.push(("callRecordingStatus", quoted(status)));
        }
        _ => fields.push(("callTranscriptICalUid", quoted(&words::hex(random).to_uppercase()))),
    }
    fields
}

fn named(scene: &Scene<'_>, name: &str, random: &mut Random) -> Fields {
    let id = quoted(&scene.place.id);
    let title = quoted(&format!("{} / \"{}\"", random.word(&words::TOPICS), random.below(100)));
    match name {
        "chatRenamed" => vec![("chatId", id), ("chatDisplayName", title)],
        "channelDescriptionUpdated" => {
            let text = words::sentence(random);
            let text = if random.chance(30) { "null".to_owned() } else { quoted(&text) };
            vec![("channelId", id), ("channelDescription", text)]
        }
        "channelAdded" | "channelDeleted" | "channelRenamed" => {
            vec![("channelId", id), ("channelDisplayName", title)]
        }
        _ => vec![("channelId", id)],
    }
}

fn members(scene: &Scene<'_>, name: &str, random: &mut Random) -> Fields {
    let mut some = || {
        let one = random.pick(&scene.place.members).map_or(0, |one| one.author);
        scene.life.author(one).identity(false)
    };
    match name {
        "conversationMemberRoleUpdated" => {
            let roles = if scene.message.seed.is_multiple_of(2) { r#"["Owner"]"# } else { "[]" };
            vec![("conversationMemberRoles", roles.to_owned()), ("conversationMemberUser", some())]
        }
        "meetingPolicyUpdated" => {
            let enabled = scene.message.seed.is_multiple_of(2).to_string();
            vec![("meetingChatId", quoted(&scene.place.id)), ("meetingChatEnabled", enabled)]
        }
        "membersAdded" => {
            let whole = !scene.message.seed.is_multiple_of(3);
            let since = if whole {
                "0001-01-01T00:00:00Z".to_owned()
            } else {
                stamp(scene.message.created)
            };
            let both = format!("[{},{}]", some(), some());
            vec![("visibleHistoryStartDateTime", quoted(&since)), ("members", both)]
        }
        _ => vec![("members", format!("[{}]", some()))],
    }
}

fn team(scene: &Scene<'_>, name: &str, random: &mut Random) -> Fields {
    let mut fields = vec![("teamId", quoted(scene.team_id()))];
    if matches!(name, "teamCreated" | "teamRenamed") {
        fields.push(("teamDisplayName", quoted(random.word(&words::TOPICS))));
    }
    if matches!(name, "teamCreated" | "teamDescriptionUpdated") {
        fields.push(("teamDescription", quoted(&format!("{}\r\n", words::sentence(random)))));
    }
    fields
}
