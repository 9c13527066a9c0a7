//! What is stored beside messages comes out again: listed, counted apart, with its history and files.

use chatvault_engine::{Archive, Custodian, Host, MessageKey, Options, Origin, RecordKind};
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::command::{Ran, chatvault, done};

const MEETING: &str = "MSo1N2Y5";
const TRANSCRIPT: &str = r#"{"id":"t1","meetingId":"MSo1N2Y5","callId":"c1","createdDateTime":"2024-05-01T10:00:00Z","endDateTime":"2024-05-01T10:30:00Z","meetingOrganizer":{"user":{"id":"u1"}}}"#;
const VOICES: &[u8] = b"WEBVTT\n\n0:0:0.0 --> 0:0:5.320\n<v Ann Lee>Good morning</v>\n";

/// A message, a transcript with its text, and a user.
fn sample() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cvault");
    let archive = Archive::create(Host::disk(&path), Options::default()).unwrap();
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    let message = r#"{"id":"1","etag":"1","chatId":"19:a","messageType":"message",
        "createdDateTime":"2024-05-01T10:00:00Z","lastModifiedDateTime":"2024-05-01T10:00:00Z"}"#;
    let user = r#"{"id":"u1","displayName":"Ann Lee","mail":"ann@contoso.com"}"#;
    for (record, json) in [
        (RecordKind::Message, message),
        (RecordKind::CallTranscript, TRANSCRIPT),
        (RecordKind::User, user),
    ] {
        let origin = Origin { source: "test", offset: 0 };
        batch.offer(&Custodian::user("u1"), record, json.as_bytes(), origin);
    }
    assert_eq!(batch.commit().unwrap().counts.stored, 3);
    let object = archive.put_object(&mut &*VOICES).unwrap();
    let key = MessageKey {
        record: RecordKind::CallTranscript,
        conversation: MEETING.to_owned(),
        reply_to: None,
        id: "t1".to_owned(),
    };
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    batch.link(&key, "content", object);
    drop(batch.commit().unwrap());
    archive.close().unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

fn run(archive: &str, command: &str, options: &[&str]) -> Ran {
    chatvault(&[&[command, archive], options].concat())
}

#[test]
fn what_is_stored_beside_messages_is_listed_and_counted_apart() {
    let (_folder, archive) = sample();
    let listed = run(&archive, "query", &["--record", "transcript"]);
    assert_eq!((listed.code, listed.out.trim_end()), (0, TRANSCRIPT));
    let shown = run(&archive, "query", &["--record", "transcript", "--format", "table"]);
    assert!(
        shown.out.contains("call 2024-05-01T10:00:00Z to 2024-05-01T10:30:00Z"),
        "{}",
        shown.out
    );
    let users = run(&archive, "query", &["--record", "user", "--format", "table"]);
    assert!(users.out.contains("Ann Lee, ann@contoso.com"), "{}", users.out);
    assert_eq!(run(&archive, "query", &["--count"]).out, "1\n");
    let stat = done(&["stat", &archive]);
    let records = &stat["records"];
    let counted = |name: &str| records[name].as_u64();
    let expected =
        [("message", 1), ("transcript", 1), ("user", 1), ("recording", 0), ("copilot", 0)];
    assert!(expected.iter().all(|(name, rows)| counted(name) == Some(*rows)), "{records}");
    assert_eq!(stat["messages"], Value::from(1));
    let wrong = run(&archive, "query", &["--record", "film"]);
    assert!(wrong.code == 2 && wrong.err.contains("recording, transcript"), "{wrong:?}");
}

#[test]
fn its_history_and_its_file_can_be_had() {
    let (_folder, archive) = sample();
    let which = ["--record", "transcript", "--chat", "MSo1", "--id", "t1"];
    let history = run(&archive, "history", &which);
    assert!(history.code == 0 && history.out.contains("changed       created"), "{history:?}");
    for file in [&["--file"][..], &["--file", "content"]] {
        let got = run(&archive, "get", &[&which, file].concat());
        assert_eq!((got.code, got.out.as_bytes()), (0, VOICES), "{got:?}");
    }
    let other = run(&archive, "get", &[&which[..], &["--file", "film"]].concat());
    assert!(other.code == 1 && other.err.contains("no file film, but content"), "{other:?}");
    let none = run(&archive, "get", &["--chat", "19:a", "--id", "1", "--file"]);
    assert!(none.code == 1 && none.err.contains("no file in the archive"), "{none:?}");
}
