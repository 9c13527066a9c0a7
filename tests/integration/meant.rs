//! Whom and when people mean, the same in every command: by id, the start of one, address or name;
//! what means nobody or selects nothing is said.

use tempfile::TempDir;

use chatvault_support::Draft;
use chatvault_support::generate::JsonLines;

use crate::kit::command::{Ran, chatvault};
use crate::kit::files;

const AT: i64 = 1_700_000_000_000;
const ANN: &str = "0057ab97-0000-4000-8000-000000000001";
const BEN: &str = "1c57ab97-0000-4000-8000-000000000002";
const CHAT: &str = "19:0057ab97_1c57ab97@unq.gbl.spaces";

struct Sample {
    folder: TempDir,
    archive: String,
}

/// Ann's export: her chat with Ben, and a chat with a topic, where a second Ben writes.
fn sample() -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.cvault").to_str().unwrap().to_owned();
    let rename = r#""chatDisplayName":"Budget","chatId":"19:budget@thread.v2""#;
    let documents = [
        Draft::chat(CHAT, AT).from_user(ANN, "Ann Lee").text("Tea?").json(),
        Draft::chat(CHAT, AT + 1).from_user(BEN, "Ben Okri").text("Yes").json(),
        Draft::chat("19:budget@thread.v2", AT + 2).from_user("2d", "Ben Okri").text("Hi").json(),
        Draft::chat("19:budget@thread.v2", AT + 3).event("chatRenamed", rename).json(),
    ];
    assert_eq!(chatvault(&["init", &archive]).code, 0);
    let file = folder.path().join("ann.jsonl");
    files::write(&file, JsonLines::of(documents.iter().map(String::as_bytes)).bytes());
    let ran = chatvault(&["import", &archive, "--custodian", ANN, file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    Sample { folder, archive }
}

impl Sample {
    fn run(&self, command: &str, options: &[&str]) -> Ran {
        chatvault(&[&[command, &self.archive], options].concat())
    }

    fn export(&self, options: &[&str]) -> Ran {
        let out = self.folder.path().join("out");
        let out = out.to_str().unwrap();
        self.run("export", &[&["--format", "csv", "--out", out], options].concat())
    }
}

#[test]
fn people_and_chats_are_found_by_what_people_call_them() {
    let sample = sample();
    for (options, count) in [
        (["--sender", ANN], "1"),
        (["--sender", "ann lee"], "1"),
        (["--sender", "0057"], "1"),
        (["--sender", "0057ab9…0001"], "1"),
        (["--custodian", "Ann Lee"], "4"),
        (["--custodian", "user:0057"], "4"),
        (["--chat", "budget"], "2"),
        (["--chat", "19:0057"], "2"),
    ] {
        let ran = sample.run("query", &[&["--count"][..], &options].concat());
        assert_eq!((ran.code, ran.out.trim()), (0, count), "{options:?}: {ran:?}");
        let is_exact = options[1] == ANN;
        assert_eq!(ran.err.is_empty(), is_exact, "who is meant is said: {ran:?}");
    }
    let chats = sample.run("chats", &["--chat", "Budget"]);
    assert!(chats.code == 0 && chats.out.contains("19:budget@thread.v2"), "{chats:?}");
    let id = AT.to_string();
    let got = sample.run("get", &["--chat", "19:0057", "--id", &id]);
    assert!(got.code == 0 && got.out.contains("Tea?"), "{got:?}");
    let ran = sample.export(&["--all", "--custodian", "ann lee", "--sender", "ann lee"]);
    assert!(ran.code == 0 && ran.out.contains("messages       1"), "{ran:?}");
}

#[test]
fn what_means_nobody_or_several_is_an_error_with_candidates() {
    let sample = sample();
    for (options, told) in [
        (["--custodian", "Ann Leigh"], "did you mean Ann Lee (user:0057ab97"),
        (["--custodian", BEN], "no custodian is called"),
        (["--sender", "Ben Okri"], "can be more than one sender: Ben Okri (1c57ab97"),
        (["--sender", "nobody"], "no sender is called \"nobody\""),
        (["--chat", "19:nope"], "no chat is called \"19:nope\""),
    ] {
        for ran in [
            sample.run("query", &[&["--count"][..], &options].concat()),
            sample.export(&[&["--all"][..], &options].concat()),
        ] {
            assert_eq!((ran.code, &*ran.out), (1, ""), "{options:?}: {ran:?}");
            assert!(ran.err.contains(told) && ran.err.lines().count() == 2, "{told}: {}", ran.err);
        }
    }
    assert!(files::is_missing(&sample.folder.path().join("out")), "nothing was begun");
}

#[test]
fn an_empty_selection_says_which_condition_leaves_nothing() {
    let sample = sample();
    let ran = sample.export(&[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("(the last 90 days)"), "{}", ran.err);
    assert!(
        ran.err.contains("nothing is selected: 4 messages without --from and --to (--all)"),
        "{}",
        ran.err
    );
    let ran = sample.run("query", &["--count", "--sender", ANN, "--from", "2024"]);
    assert_eq!((ran.code, &*ran.out), (0, "0\n"));
    let told: Vec<&str> = ran.err.lines().collect();
    assert_eq!(told, ["nothing is selected: 1 message without --created-from and --created-to"]);
    let ran = sample.run("query", &["--sender", ANN, "--chat", "budget", "--kind", "other"]);
    assert!(
        ran.err.ends_with("nothing is selected: no one condition is the reason\n"),
        "{}",
        ran.err
    );
}

#[test]
fn times_are_those_of_the_zone_and_their_range_is_told() {
    let sample = sample();
    // It is 23:13:20 in Berlin, and the next day in the zone +02:00.
    for (options, count) in [
        (
            &["--from", "2023-11-14T23:13", "--to", "2023-11-14T23:14", "--tz", "Europe/Berlin"][..],
            "4",
        ),
        (&["--from", "2023-11-14T23:13", "--to", "2023-11-14T23:14"], "0"),
        (&["--created-from", "2023", "--created-to", "2024"], "4"),
        (&["--from", "2023-11-15", "--tz", "+02:00"], "4"),
        (&["--from", "30d"], "0"),
    ] {
        let ran = sample.run("query", &[&["--count"][..], options].concat());
        assert_eq!((ran.code, ran.out.trim()), (0, count), "{options:?}: {ran:?}");
    }
    let ran = sample.export(&["--from", "2023-11-15", "--to", "2023-11-16", "--tz", "+02:00"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let range = "range: 2023-11-15 00:00:00 +02:00 to 2023-11-16 00:00:00 +02:00\n";
    assert!(ran.err.contains(range), "{}", ran.err);
    let twice = ["--from", "2023-10-29T02:30", "--tz", "Europe/Berlin"];
    let ran = sample.run("query", &twice);
    assert!(
        ran.code == 2 && ran.err.contains("--created-from: the clocks of Europe/Berlin"),
        "{ran:?}"
    );
}
