//! What is stored beside messages comes out again: listed, counted apart, with its history and files.

use std::sync::Arc;

use chatvault_engine::{
    Archive, Custodian, Depth, Host, Memory, MessageKey, Options, Origin, RecordKind, Scan, Storage,
};
use chatvault_support::SteppingClock;
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::command::{Ran, chatvault, done};
use crate::kit::go_on;

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
fn a_transcript_is_found_by_who_says_what_with_an_index_and_without() {
    let (_folder, archive) = sample();
    let ask = |words: &str, options: &[&str]| {
        let record = ["--record", "transcript", "--search", words];
        run(&archive, "query", &[&record[..], options].concat())
    };
    for indexed in [false, true] {
        let found = ask("speaker:ann \"good morning\"", &["--format", "table"]);
        let line = found.out.lines().nth(1).unwrap_or_default();
        assert!(line.contains("Ann Lee") && line.contains("spoken"), "{found:?}");
        assert!(line.contains("0:00:00 Good morning"), "{found:?}");
        assert_eq!(ask("morning", &[]).out.trim_end(), TRANSCRIPT);
        assert_eq!(ask("morning", &["--count"]).out, "1\n");
        assert_eq!(ask("evening", &["--count"]).out, "0\n");
        if !indexed {
            let built = done(&["index", &archive]);
            assert_eq!(built["rows"], Value::from(2), "the message and the transcript: {built}");
        }
    }
}

#[test]
fn a_transcript_without_a_text_is_told_and_not_passed_over() {
    let (_folder, archive) = sample();
    let opened = Archive::open(Host::disk(&archive), Options::default()).unwrap();
    let mut batch = opened.batch(opened.begin_run("test").unwrap());
    let origin = Origin { source: "test", offset: 0 };
    let other = TRANSCRIPT.replace("\"t1\"", "\"t2\"");
    batch.offer(&Custodian::user("u1"), RecordKind::CallTranscript, other.as_bytes(), origin);
    drop(batch.commit().unwrap());
    opened.close().unwrap();
    for options in [&["--count"][..], &[]] {
        let record = ["--record", "transcript", "--search", "morning"];
        let found = run(&archive, "query", &[&record[..], options].concat());
        assert!(found.code == 0 && found.err.contains("not searched: 1 transcript,"), "{found:?}");
    }
}

#[test]
fn meetings_are_listed_and_handed_out() {
    let (folder, archive) = sample();
    let listed = done(&["chats", &archive, "--record", "transcript"]);
    let [meeting] = listed["conversations"].as_array().unwrap().as_slice() else {
        panic!("{listed}");
    };
    assert_eq!((&meeting["id"], &meeting["person"]), (&Value::from(MEETING), &Value::from("u1")));
    assert_eq!(meeting["entries"], Value::from(1));
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let made = done(&["export", &archive, "--format", "jsonl", "--all", "--out", out]);
    let counted = |name: &str| made[name].as_u64();
    assert_eq!(
        (counted("messages"), counted("transcripts"), counted("copilot")),
        (Some(1), Some(1), Some(0))
    );
    let checked = chatvault(&["export", "check", out, &archive]);
    assert_eq!(checked.code, 0, "{checked:?}");
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

/// What became of some copies of one kind, each in a run of its own on a reopened archive.
fn come(
    disk: &Arc<dyn Storage>,
    clock: &Arc<SteppingClock>,
    record: RecordKind,
    copies: &[(Option<&str>, &str)],
) -> Vec<(u64, u64, u64)> {
    let host = || Host { storage: Arc::clone(disk), clock: Arc::<SteppingClock>::clone(clock) };
    let mut counts = Vec::new();
    for (day, (place, json)) in (1..).zip(copies) {
        clock.set_ms(day * 86_400_000);
        let archive = if day == 1 {
            Archive::create(host(), Options::default()).unwrap()
        } else {
            Archive::open(host(), Options::default()).unwrap()
        };
        let mut batch = archive.batch(archive.begin_run("test").unwrap());
        let origin = Origin { source: "test", offset: 0 };
        // The second copy of the same commit is a duplicate, whatever the first one is.
        for who in ["a", "b"] {
            batch.offer_in(&Custodian::user(who), (record, *place), json.as_bytes(), origin);
        }
        let came = batch.commit().unwrap().counts;
        counts.push((came.stored, came.variants, came.duplicates));
        if day % 2 == 0 {
            archive.seal().unwrap();
        }
        assert_eq!(archive.verify(Depth::Deep, &mut go_on).unwrap().damages, []);
        archive.close().unwrap();
    }
    counts
}

/// The versions of a record, in days.
fn versions(disk: &Arc<dyn Storage>, key: &MessageKey) -> Vec<u64> {
    let archive = Archive::open_read_only(Host::new(Arc::clone(disk)), Options::default()).unwrap();
    let history = archive.snapshot().unwrap().history(key).unwrap();
    let of = |row: &chatvault_engine::Stored| {
        assert_eq!(row.sightings.len(), 2, "both delivered it");
        assert_eq!(u64::try_from(row.modified.ms()).unwrap(), row.version);
        row.version / 86_400_000
    };
    history.iter().map(of).collect()
}

#[test]
fn a_record_that_states_no_version_is_one_of_the_run_that_first_saw_it() {
    let disk: Arc<dyn Storage> = Arc::new(Memory::new());
    let clock = Arc::new(SteppingClock::new(1));
    let (lee, fox) = (r#"{"id":"u","displayName":"Lee"}"#, r#"{ "displayName":"Fox","id":"u" }"#);
    let same = r#"{"displayName":"Fox", "id":"u"}"#;
    let copies = [lee, lee, fox, same, lee, lee].map(|json| (None, json));
    let counts = come(&disk, &clock, RecordKind::User, &copies);
    let (new, known) = ((1, 0, 1), (0, 0, 2));
    assert_eq!(counts, [new, known, new, known, new, known]);
    let key = |record, place: &str, id: &str| MessageKey {
        record,
        conversation: place.to_owned(),
        reply_to: None,
        id: id.to_owned(),
    };
    let user = key(RecordKind::User, "u", "u");
    assert_eq!(versions(&disk, &user), [1, 3, 5], "what comes back is a version again");
    let archive =
        Archive::open_read_only(Host::new(Arc::clone(&disk)), Options::default()).unwrap();
    let newest = archive.snapshot().unwrap().latest(&user).unwrap().unwrap();
    assert_eq!(newest.json, lee.as_bytes());
}

#[test]
fn a_clock_that_was_set_back_makes_no_older_version() {
    let disk: Arc<dyn Storage> = Arc::new(Memory::new());
    let clock = Arc::new(SteppingClock::new(1));
    let host = Host { storage: Arc::clone(&disk), clock: Arc::<SteppingClock>::clone(&clock) };
    let archive = Archive::create(host, Options::default()).unwrap();
    let put = |ms: i64, name: &str| {
        clock.set_ms(ms);
        let mut batch = archive.batch(archive.begin_run("test").unwrap());
        let json = format!(r#"{{"id":"t","displayName":"{name}"}}"#);
        let origin = Origin { source: "test", offset: 0 };
        batch.offer(&Custodian::user("a"), RecordKind::Team, json.as_bytes(), origin);
        assert_eq!(batch.commit().unwrap().counts.stored, 1);
    };
    put(5_000, "one");
    put(3_000, "two");
    let scan = Scan { record: RecordKind::Team, ..Scan::default() };
    let mut rows = archive.snapshot().unwrap().scan(&scan).unwrap();
    let row = rows.next().unwrap().unwrap();
    assert!(row.version() == 5_001 && row.json().ends_with(b"two\"}"), "{}", row.version());
}

#[test]
fn a_member_belongs_to_the_chat_that_was_asked() {
    let disk: Arc<dyn Storage> = Arc::new(Memory::new());
    let clock = Arc::new(SteppingClock::new(1));
    let member = r#"{"id":"m","userId":"u","roles":[]}"#;
    let copies = [(Some("19:a"), member), (Some("19:b"), member), (Some("19:a"), member)];
    let counts = come(&disk, &clock, RecordKind::Member, &copies);
    assert_eq!(counts, [(1, 0, 1), (1, 0, 1), (0, 0, 2)]);
    let archive = Archive::open_read_only(Host::new(disk), Options::default()).unwrap();
    let conversations = vec!["19:b".to_owned()];
    let scan = Scan { record: RecordKind::Member, conversations, ..Scan::default() };
    assert_eq!(archive.snapshot().unwrap().count(&scan).unwrap(), 1);
}
