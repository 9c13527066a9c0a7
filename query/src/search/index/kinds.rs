//! What is stored beside messages is found with the index as it is without.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chatvault_base::go_on;
use chatvault_engine::{
    Archive, Custodian, Host, Memory, MessageKey, Options, Origin, RecordKind, Snapshot, Storage,
};

use super::Index;
use super::limits::Limits;
use super::tests::{AT, Chance, pages, rows};
use crate::answer::Unread;
use crate::names::{Record, Versions};
use crate::query::Query;
use crate::record::{MOST_TEXT_BYTES, Text};
use crate::search::Search;

const WORDS: [&str; 6] = ["budget", "offer", "letter", "Résumé", "预算", "tea"];
const SPEAKERS: [&str; 3] = ["Ada Able", "Ben O&amp;Neill", "Cyd"];
const SEARCHES: [&str; 14] = [
    "budget",
    "\"offer letter\"",
    "resume",
    "预",
    "budget -tea",
    "-budget",
    "ada",
    "speaker:ada budget",
    "speaker:\"ben o\" -tea",
    "-speaker:ada offer",
    "speaker:(ada OR cyd) let*",
    "subject:offer OR ada",
    "attachment:mp4",
    "link",
];

struct Sample {
    storage: Arc<dyn Storage>,
    archive: Archive,
    chance: Chance,
}

impl Sample {
    fn new(seed: u64) -> Self {
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let mut options = Options::default();
        options.background_compaction = false;
        let archive = Archive::create(Host::new(Arc::clone(&storage)), options).unwrap();
        Self { storage, archive, chance: Chance(AtomicU64::new(seed)) }
    }

    fn words(&self) -> String {
        let words: Vec<&str> =
            (0..self.chance.below(6)).map(|_| self.chance.pick(&WORDS)).collect();
        words.join(" ")
    }

    fn offer(&self, record: RecordKind, json: &serde_json::Value) {
        let mut batch = self.archive.batch(self.archive.begin_run("test").unwrap());
        let origin = Origin { source: "test", offset: 0 };
        batch.offer(&Custodian::user("ada"), record, json.to_string().as_bytes(), origin);
        assert_eq!(batch.commit().unwrap().counts.quarantined, 0);
    }

    /// One row of each kind, with ids of which some come again.
    fn commit(&self) {
        let (id, words) = (AT + self.chance.below(30) as u64, self.words());
        let meeting = format!("m{}", self.chance.below(3));
        let person =
            serde_json::json!({"user": {"id": "ada", "displayName": self.chance.pick(&SPEAKERS)}});
        self.offer(
            RecordKind::Message,
            &serde_json::json!({"id": id.to_string(), "chatId": "19:a", "messageType": "message",
                "body": {"content": words}}),
        );
        self.offer(
            RecordKind::CopilotInteraction,
            &serde_json::json!({"id": id.to_string(), "sessionId": "19:s", "etag": id.to_string(),
                "from": person, "body": {"contentType": "text", "content": words},
                "links": [{"displayName": self.chance.pick(&WORDS), "linkUrl": "https://a.example/b"}]}),
        );
        for (record, id) in [(RecordKind::CallRecording, "r"), (RecordKind::CallTranscript, "t")] {
            self.offer(
                record,
                &serde_json::json!({"id": format!("{id}{}", self.chance.below(12)), "meetingId": meeting,
                    "createdDateTime": "2023-11-14T22:20:00Z", "meetingOrganizer": person}),
            );
        }
    }

    fn spoken(&self) -> String {
        let cue = |second: usize| {
            let (speaker, words) = (self.chance.pick(&SPEAKERS), self.words());
            format!("0:0:{second}.0 --> 0:0:{second}.900\r\n<v {speaker}>{words}</v>\r\n\r\n")
        };
        let cues: Vec<String> = (0..self.chance.below(6)).map(cue).collect();
        format!("WEBVTT\r\n\r\n{}", cues.concat())
    }

    /// The text of one transcript arrives, whether its row is there or not.
    fn link(&self, id: &str, text: &[u8]) {
        let object = self.archive.put_object(&mut &*text).unwrap();
        for meeting in 0..3 {
            let key = MessageKey {
                record: RecordKind::CallTranscript,
                conversation: format!("m{meeting}"),
                reply_to: None,
                id: id.to_owned(),
            };
            let mut batch = self.archive.batch(self.archive.begin_run("test").unwrap());
            batch.link(&key, "content", object);
            let _done = batch.commit().unwrap();
        }
    }

    fn snapshot(&self) -> Snapshot {
        self.archive.snapshot().unwrap()
    }

    fn update(&self) -> super::Update {
        Index::update_within(&self.storage, &self.snapshot(), Limits::small(), &mut go_on).unwrap()
    }

    fn check(&self) -> usize {
        let index =
            Index::open_within(&self.storage, &self.archive, Limits::small()).unwrap().unwrap();
        let snapshot = self.snapshot();
        let mut found = 0;
        for record in Record::CONTENTS {
            for search in SEARCHES {
                let versions = [Versions::Latest, Versions::Variants][self.chance.below(2)];
                let search = Some(search.to_owned());
                let question = Query { record, search, versions, ..Query::default() };
                let expected = rows(&question, &snapshot, None);
                assert_eq!(rows(&question, &snapshot, Some(&index)), expected, "{question:?}");
                assert_eq!(pages(&question, &snapshot, &index), expected, "{question:?}");
                assert_eq!(
                    unread(&question, &snapshot, Some(&index)),
                    unread(&question, &snapshot, None)
                );
                found += expected.len();
            }
        }
        found
    }
}

fn unread(question: &Query, snapshot: &Snapshot, index: Option<&Index>) -> Unread {
    let mut answer = question.run_with(snapshot, index).unwrap();
    while answer.next().unwrap().is_some() {}
    answer.unread()
}

#[test]
fn every_kind_is_found_the_same_whenever_its_text_comes() {
    for seed in 0..3 {
        let sample = Sample::new(seed);
        (0..10).for_each(|_| sample.commit());
        (0..4).for_each(|id| sample.link(&format!("t{id}"), sample.spoken().as_bytes()));
        assert!(sample.update().finished);
        assert!(sample.check() > 50, "seed {seed}");
        (4..8).for_each(|id| sample.link(&format!("t{id}"), sample.spoken().as_bytes()));
        assert!(sample.check() > 50, "texts came, seed {seed}");
        (0..10).for_each(|_| sample.commit());
        sample.archive.seal().unwrap();
        assert!(sample.check() > 50, "rows came, seed {seed}");
        let update = sample.update();
        assert!(update.finished && update.rebuilt.is_none() && update.added > 30, "{update:?}");
        assert!(sample.check() > 50, "up to date, seed {seed}");
        assert_eq!(sample.update().added, 0, "nothing is added twice");
    }
}

fn transcripts(search: &str) -> Query {
    Query { record: Record::Transcript, search: Some(search.to_owned()), ..Query::default() }
}

#[test]
fn a_transcript_that_cannot_be_read_is_counted_with_the_index_and_without() {
    let sample = Sample::new(1);
    let row = |id: &str| serde_json::json!({"id": id, "meetingId": "m0"});
    for id in ["short", "long", "none"] {
        sample.offer(RecordKind::CallTranscript, &row(id));
    }
    sample.link("short", b"WEBVTT\n\n0:0:1.0 --> 0:0:2.0\n<v Ada>budget</v>\n");
    let bytes = usize::try_from(MOST_TEXT_BYTES).unwrap() + 1;
    sample.link("long", &vec![b'a'; bytes]);
    assert_eq!(sample.update().rows, 1, "what cannot be read is in no index");
    let snapshot = sample.snapshot();
    let index =
        Index::open_within(&sample.storage, &sample.archive, Limits::small()).unwrap().unwrap();
    for index in [None, Some(&index)] {
        let mut answer = transcripts("budget").run_with(&snapshot, index).unwrap();
        assert_eq!(answer.next().unwrap().map(|row| row.id().to_owned()).as_deref(), Some("short"));
        let Text::Here(text) = answer.text().clone() else { panic!("the text was read") };
        let said = "speaker:ada budget".parse::<Search>().unwrap().said(&text);
        assert_eq!(
            said.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["0:00:01 Ada: budget"]
        );
        assert!(answer.next().unwrap().is_none());
        assert_eq!(answer.unread(), Unread { missing: 1, too_long: 1 });
    }
}

#[test]
fn a_question_as_of_a_commit_knows_no_text_that_came_later() {
    let sample = Sample::new(2);
    sample.offer(RecordKind::CallTranscript, &serde_json::json!({"id": "t", "meetingId": "m0"}));
    let before = sample.snapshot().commit();
    sample.link("t", b"WEBVTT\n\n0:0:1.0 --> 0:0:2.0\n<v Ada>budget</v>\n");
    drop(sample.update());
    let snapshot = sample.snapshot();
    let index =
        Index::open_within(&sample.storage, &sample.archive, Limits::small()).unwrap().unwrap();
    let then = Query { as_of_sequence: Some(before.into()), ..transcripts("budget") };
    for index in [None, Some(&index)] {
        assert_eq!(then.count_with(&snapshot, index).unwrap(), 0);
        assert_eq!(transcripts("budget").count_with(&snapshot, index).unwrap(), 1);
    }
}
