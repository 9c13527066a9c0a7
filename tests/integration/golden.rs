//! Archives whose bytes stand in the repository: what was written stays readable, and whoever
//! changes a byte on disk notices.
//!
//! `tests/golden/NAME/` is an archive, `tests/golden/NAME.jsonl` everything in it, a line each in
//! the words of `tests/decoder/reader.py`, which reads the same files knowing FORMAT.md only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chatvault_engine::{
    Archive, Clock, Counts, Custodian, Depth, Host, Memory, MessageKey, RecordKind, RunId, Scan,
    Sequence, Snapshot, Storage, Stored, Timestamp,
};
use chatvault_support::fixtures::{self, START_MS};
use chatvault_support::storage::{AUTHORITATIVE, files_in, read_whole, write_whole};
use chatvault_support::{Draft, Random, SteppingClock, quoted, stamp};
use serde_json::{Value, json};

use crate::kit::{ORIGIN, ada, ben, files, go_on, host, rows, small};

const NAMES: [&str; 4] = ["journal", "sealed", "compacted", "folded"];
/// Longer samples would fill the repository.
const MOST_SAMPLE_BYTES: usize = 1_100;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// A committed archive, put into memory.
fn stored(name: &str) -> Arc<dyn Storage> {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    for folder in AUTHORITATIVE.iter().chain(&["", "trash", "quarantine"]) {
        storage.make_folder(folder).unwrap();
    }
    let folder = golden(name);
    for path in files::below(&folder) {
        let inside = path.strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/");
        write_whole(&*storage, &inside, &files::read(&path)).unwrap();
    }
    storage
}

#[test]
fn what_golden_archives_hold_is_read_as_it_was_written() {
    for name in NAMES {
        let archive = Archive::open_read_only(host(&stored(name)), small()).unwrap();
        let text = String::from_utf8(files::read(&golden(&format!("{name}.jsonl")))).unwrap();
        let expected: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let found = lines(&archive);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(found.len(), expected.len(), "{name}");
        let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
        assert_eq!((report.damages, report.finished), (Vec::new(), true), "{name}");
    }
}

#[test]
fn golden_archives_can_be_written_on() {
    for name in NAMES {
        let storage = stored(name);
        let archive = Archive::open(host(&storage), small()).unwrap();
        let before = archive.stat().unwrap().counts;
        let mut batch = archive.batch(archive.begin_run("later").unwrap());
        for sample in samples() {
            batch.offer(&Custodian::user("eve"), RecordKind::Message, &sample, ORIGIN);
        }
        let report = batch.commit().unwrap();
        assert_eq!((report.counts.duplicates, report.counts.stored), (report.counts.offered, 0));
        assert!(archive.compact(&mut go_on).unwrap().finished);
        assert_eq!(archive.stat().unwrap().counts.stored, before.stored, "{name}");
        let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
        assert_eq!(report.damages, [], "{name}");
    }
}

#[test]
fn the_program_writes_the_bytes_of_the_golden_archives() {
    for name in NAMES {
        let (written, golden) = (written(name), contents(&*stored(name)));
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&written), names(&golden), "{name}");
        for (path, bytes) in &written {
            let same = bytes == golden.get(path).unwrap();
            assert!(same, "{name}: {path} changed: see CONTRIBUTING.md, \"Commits\"");
        }
    }
}

#[test]
#[ignore = "writes the golden archives anew"]
fn write_golden_archives() {
    for name in NAMES {
        let folder = golden(name);
        if !files::is_missing(&folder) {
            files::remove_folder(&folder);
        }
        for (path, bytes) in written(name) {
            files::write(&folder.join(path), &bytes);
        }
        let archive = Archive::open_read_only(host(&stored(name)), small()).unwrap();
        let text = lines(&archive).iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        files::write(&golden(&format!("{name}.jsonl")), (text + "\n").as_bytes());
        assert!(archive.verify(Depth::Deep, &mut go_on).unwrap().damages.is_empty());
    }
}

/// The files of an archive that counts; a journal without the zeros that are written ahead.
fn contents(storage: &dyn Storage) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::from([("FORMAT".into(), read_whole(storage, "FORMAT").unwrap())]);
    for (path, _) in AUTHORITATIVE.iter().flat_map(|folder| files_in(storage, folder).unwrap()) {
        let mut bytes = read_whole(storage, &path).unwrap();
        if path.starts_with("journal/") {
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes.truncate(used.next_multiple_of(8).max(4096));
        }
        drop(found.insert(path, bytes));
    }
    found
}

/// A clock that stands still: how often the program looks at it changes no byte.
#[derive(Debug)]
struct Still(SteppingClock);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(START_MS)
    }

    fn random(&self) -> [u8; 16] {
        self.0.random()
    }
}

/// An archive as the program writes it today, left as a crash would.
fn written(name: &str) -> BTreeMap<String, Vec<u8>> {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let host = |seed| Host {
        storage: Arc::clone(&storage),
        clock: Arc::new(Still(SteppingClock::new(seed))),
    };
    let archive = Archive::create(host(1), small()).unwrap();
    arrive(&archive);
    match name {
        "journal" => {
            drop(archive);
            let archive = Archive::open(host(2), small()).unwrap();
            come_again(&archive);
            drop(archive);
        }
        "sealed" => {
            archive.seal().unwrap();
            come_again(&archive);
            archive.seal().unwrap();
            come_late(&archive);
            drop(archive);
        }
        "folded" => {
            archive.close().unwrap();
            let (path, _) = files_in(&*storage, "segments").unwrap().remove(0);
            let whole = read_whole(&*storage, &path).unwrap();
            write_whole(&*storage, &path, &vec![0x55; whole.len()]).unwrap();
            let archive = Archive::open(host(2), small()).unwrap();
            come_again(&archive);
            archive.close().unwrap();
            write_whole(&*storage, &path, &whole).unwrap();
            let archive = Archive::open(host(3), small()).unwrap();
            assert!(archive.compact(&mut go_on).unwrap().finished);
            archive.close().unwrap();
        }
        _ => {
            for part in 0..3 {
                talk(&archive, part);
                archive.seal().unwrap();
            }
            chatter(&archive);
            assert!(archive.compact(&mut go_on).unwrap().finished);
            archive.close().unwrap();
        }
    }
    contents(&*storage)
}

fn samples() -> Vec<Vec<u8>> {
    let samples = fixtures::messages().into_iter().map(|sample| sample.json);
    samples.filter(|json| json.len() < MOST_SAMPLE_BYTES).step_by(5).collect()
}

/// Every `step`th of the short copies that cannot be keyed.
fn refused(step: usize) -> impl Iterator<Item = Vec<u8>> {
    let samples = fixtures::unkeyable().into_iter().map(|sample| sample.json);
    samples.filter(|json| json.len() < MOST_SAMPLE_BYTES).step_by(step)
}

fn dana() -> Custodian {
    Custodian::team("dana")
}

/// Everything that a commit can hold: rows of each kind, refused copies, objects, links, checkpoints.
fn arrive(archive: &Archive) {
    let run = archive.begin_run("march").unwrap();
    let picture = archive.put_object(&mut &b"a picture"[..]).unwrap();
    let mut batch = archive.batch(run);
    for sample in samples() {
        batch.offer(&ada(), RecordKind::Message, &sample, ORIGIN);
    }
    for sample in fixtures::copilot_interactions() {
        batch.offer(&ada(), RecordKind::CopilotInteraction, &sample.json, ORIGIN);
    }
    for (record, json) in others() {
        batch.offer(&dana(), record, json.as_bytes(), ORIGIN);
    }
    for copy in refused(6) {
        batch.offer(&ada(), RecordKind::Message, &copy, ORIGIN);
    }
    batch.link(&edited_key(), "picture.png", picture);
    batch.checkpoint("delta/ada", b"a token");
    batch.checkpoint("delta/ben", b"another");
    let _report = batch.commit().unwrap();
    let mut batch = archive.batch(run);
    for sample in samples().iter().step_by(2) {
        batch.offer(&ben(), RecordKind::Message, sample, ORIGIN);
    }
    batch.offer(&ben(), RecordKind::Message, edited().json().as_bytes(), ORIGIN);
    let _report = batch.commit().unwrap();
}

/// Records that are no messages.
fn others() -> [(RecordKind, String); 6] {
    let time = quoted(&stamp(START_MS));
    let own = |more: &str| format!(r#"{{"id":"7-{}","createdDateTime":{time}{more}}}"#, more.len());
    [
        (RecordKind::CallRecording, own(r#","meetingId":"MSo1","recordingContentUrl":null"#)),
        (RecordKind::CallTranscript, own(r#","meetingId":"MSo1","transcriptContentUrl":null"#)),
        (RecordKind::Chat, own(r#","topic":"Tea","chatType":"group""#)),
        (RecordKind::Member, own(r#","roles":["owner"],"displayName":"Ada""#)),
        (RecordKind::User, own(r#","userPrincipalName":"ada@contoso.com""#)),
        (RecordKind::Team, own(r#","displayName":"Operations""#)),
    ]
}

/// A message of its own chat, with versions, a variant and a link.
fn edited() -> Draft {
    Draft::chat("19:edited@thread.v2", START_MS).from_user(fixtures::BEN, "Ben").text("Tee?")
}

fn edited_key() -> MessageKey {
    MessageKey {
        record: RecordKind::Message,
        conversation: "19:edited@thread.v2".into(),
        reply_to: None,
        id: START_MS.to_string(),
    }
}

/// Edits, a variant, the same copies for others, one more object, and a checkpoint taken back.
fn come_again(archive: &Archive) {
    let file = archive.put_object(&mut &b"a file"[..]).unwrap();
    let mut batch = archive.batch(archive.begin_run("april").unwrap());
    let edit = edited().edited(START_MS + 9_000, "Tea?");
    for draft in [edit.clone(), edit.set("locale", "\"de-de\""), edited().deleted(START_MS + 9_999)]
    {
        batch.offer(&ben(), RecordKind::Message, draft.json().as_bytes(), ORIGIN);
    }
    for sample in samples().iter().rev().step_by(2) {
        batch.offer(&dana(), RecordKind::Message, sample, ORIGIN);
    }
    for copy in refused(3) {
        batch.offer(&ben(), RecordKind::Message, &copy, ORIGIN);
    }
    batch.link(&edited_key(), "plan.xlsx", file);
    batch.checkpoint("delta/ben", b"");
    let _report = batch.commit().unwrap();
}

/// Sightings of rows that are sealed, which only the journal has.
fn come_late(archive: &Archive) {
    let mut batch = archive.batch(archive.begin_run("may").unwrap());
    for sample in samples().iter().step_by(4) {
        batch.offer(&Custodian::user("eve"), RecordKind::Message, sample, ORIGIN);
    }
    let _report = batch.commit().unwrap();
}

/// Short messages of a few people, enough of them to train a dictionary on.
fn talk(archive: &Archive, part: u64) {
    let mut random = Random::new(part);
    let words =
        ["deploy", "review", "tonight", "Grüße", "the", "budget", "on Friday", "please", "✓"];
    let mut batch = archive.batch(archive.begin_run("talk").unwrap());
    for nth in 0..36 {
        let at = START_MS + i64::try_from(part * 100_000 + nth * 1_003).unwrap();
        let text: Vec<_> = (0..60).map(|_| random.word(&words)).collect();
        let (chat, sender) = (random.below(3), random.below(4));
        let json = format!(
            r#"{{"id":"{at}","etag":"{at}","chatId":"19:talk{chat}","createdDateTime":"{time}","lastModifiedDateTime":"{time}","from":{{"user":{{"id":"person-{sender}"}}}},"body":{{"contentType":"text","content":"{}"}}}}"#,
            text.join(" "),
            time = stamp(at),
        );
        batch.offer(&ada(), RecordKind::Message, json.as_bytes(), ORIGIN);
    }
    let _report = batch.commit().unwrap();
}

/// A chat of so many messages that its segment has facts of it.
fn chatter(archive: &Archive) {
    let mut batch = archive.batch(archive.begin_run("chatter").unwrap());
    for nth in 0..256 {
        let at = START_MS + nth * 60_000;
        let who = match nth {
            99 => r#"ada","displayName":"Ada L."#,
            _ if nth % 3 == 0 => r#"ben","displayName":"Ben"#,
            _ => r#"ada","displayName":"Ada"#,
        };
        let what = match nth {
            3 => event("membersAdded", r#""members":[{"id":"ben"}]"#),
            4 => event("chatRenamed", r#""chatDisplayName":"Grüße""#),
            _ => format!(r#""from":{{"user":{{"id":"{who}"}}}}"#),
        };
        let json = format!(
            r#"{{"id":"{at}","etag":"{at}","chatId":"19:long","createdDateTime":"{time}","lastModifiedDateTime":"{time}",{what}}}"#,
            time = stamp(at),
        );
        batch.offer(&ada(), RecordKind::Message, json.as_bytes(), ORIGIN);
    }
    let _report = batch.commit().unwrap();
}

fn event(name: &str, fields: &str) -> String {
    let kind = format!("#microsoft.graph.{name}EventMessageDetail");
    format!(
        r#""messageType":"systemEventMessage","eventDetail":{{"@odata.type":"{kind}",{fields}}}"#
    )
}

/// Everything in an archive, in the words of the Python reader, sorted.
fn lines(archive: &Archive) -> Vec<Value> {
    let snapshot = archive.snapshot().unwrap();
    let scan = |record| Scan { record, ..crate::kit::everything() };
    let all = RecordKind::ALL.map(|record| rows(&snapshot, &scan(record)).unwrap()).concat();
    let mut lines: Vec<Value> = all.iter().map(row_line).collect();
    for row in &all {
        lines.extend(link_lines(&snapshot, row));
    }
    lines.extend(snapshot.quarantine().unwrap().map(|refused| refused_line(&refused.unwrap())));
    for (custodian, counts) in snapshot.custodians().unwrap() {
        lines.push(with_counts(json!({"custodian": custodian.as_str()}), counts));
    }
    for run in archive.runs().unwrap() {
        let facts = json!({"run": run.run.0, "label": run.label, "started": run.started.ticks()});
        lines.push(with_counts(facts, run.counts));
    }
    for (name, value) in archive.checkpoints("").unwrap() {
        lines.push(json!({"checkpoint": name, "value": hex(&value)}));
    }
    let commit = snapshot.commit().to_string();
    lines.push(json!({"archive": hex(&snapshot.archive()), "commit": commit}));
    lines.sort_by_key(Value::to_string);
    lines.dedup();
    lines
}

fn row_line(row: &Stored) -> Value {
    let sighting = |(custodian, run, sequence): (&Custodian, RunId, Sequence)| {
        (custodian.as_str().to_owned(), json!([sequence.0, run.0]))
    };
    let of_row = row.sightings.iter().map(|one| (&one.custodian, one.run, one.sequence));
    let sightings: serde_json::Map<_, _> = of_row.map(sighting).collect();
    json!({
        "row": String::from_utf8(row.json.clone()).unwrap(),
        "record": name_of(row.key.record),
        "sequence": row.sequence.0,
        "sightings": sightings,
    })
}

fn name_of(record: RecordKind) -> &'static str {
    let names = ["message", "copilot", "recording", "transcript", "chat", "member", "user", "team"];
    names[RecordKind::ALL.iter().position(|one| *one == record).unwrap()]
}

/// The links of a row's message, and the objects behind them.
fn link_lines(snapshot: &Snapshot, row: &Stored) -> Vec<Value> {
    let key = &row.key;
    let mut lines = Vec::new();
    for (attachment, object) in snapshot.links(key).unwrap() {
        let there = |at: &u64| {
            let by_then = snapshot.as_of(Sequence(*at)).links(key).unwrap();
            by_then.contains(&(attachment.clone(), object))
        };
        let added = (0..=snapshot.sequence().0).find(there).unwrap();
        lines.push(json!({
            "link": attachment, "object": object.to_string(), "added": added,
            "record": name_of(key.record), "conversation": key.conversation,
            "reply_to": key.reply_to, "id": key.id,
        }));
        let bytes = snapshot.object_bytes(&object).unwrap().unwrap();
        lines.push(json!({"object": object.to_string(), "bytes": bytes}));
    }
    lines
}

fn refused_line(refused: &chatvault_engine::Quarantined) -> Value {
    let copies: BTreeMap<_, _> =
        refused.copies.iter().map(|(custodian, copies)| (custodian.as_str(), copies)).collect();
    json!({
        "refused": hex(&refused.bytes), "copies": copies, "source": refused.source,
        "offset": refused.offset, "reason": refused.reason, "first": refused.custodian.as_str(),
        "run": refused.run.0, "sequence": refused.sequence.0,
    })
}

fn with_counts(mut line: Value, counts: Counts) -> Value {
    line["offered"] = counts.offered.into();
    line["stored"] = counts.stored.into();
    line["variants"] = counts.variants.into();
    line["duplicates"] = counts.duplicates.into();
    line["quarantined"] = counts.quarantined.into();
    line
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
