//! Every command: what it prints, for people and as JSON, and its exit code.

use std::path::{Path, PathBuf};

use chatvault_engine::{Archive, Host};
use chatvault_support::generate::JsonLines;
use chatvault_support::{Draft, Random};
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::command::{Ran, chatvault, done, json};
use crate::kit::{files, small};

const AT: i64 = 1_700_000_000_000;
const COMMANDS: [&[&str]; 29] = [
    &["init"],
    &["import"],
    &["sync"],
    &["account"],
    &["account", "list"],
    &["account", "activate"],
    &["account", "deactivate"],
    &["account", "missing"],
    &["runs"],
    &["query"],
    &["chats"],
    &["people"],
    &["get"],
    &["history"],
    &["export"],
    &["export", "check"],
    &["exports"],
    &["stat"],
    &["verify"],
    &["compact"],
    &["copy"],
    &["repair"],
    &["quarantine"],
    &["index"],
    &["catalog"],
    &["catalog", "rebuild"],
    &["demo"],
    &["completions"],
    &["man"],
];

/// An archive with an edited message, ten others, an event and a broken copy.
struct Sample {
    folder: TempDir,
    archive: String,
    documents: Vec<String>,
}

fn sample() -> Sample {
    let first = Draft::chat("19:a", AT).from_user("ada", "Ada").text("Tee?");
    let mut documents = vec![first.json(), first.edited(AT + 9_000, "Tea?").json()];
    let other = |at: i64| Draft::chat("19:b", AT + at).from_user("ben", "Ben").text("Hello").json();
    documents.extend((1..=10).map(other));
    documents.push(Draft::chat("19:b", AT + 50).event("membersJoined", "\"members\":[]").json());
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.cvault").to_str().unwrap().to_owned();
    assert_eq!(chatvault(&["init", &archive]).code, 0);
    let lines = documents.iter().map(String::as_bytes).chain([&b"{broken"[..]]);
    let file = folder.path().join("ann.jsonl");
    files::write(&file, JsonLines::of(lines).bytes());
    let ran = chatvault(&["import", &archive, "--custodian", "ann", file.to_str().unwrap()]);
    assert_eq!(ran.code, 3, "{ran:?}");
    Sample { folder, archive, documents }
}

impl Sample {
    fn run(&self, command: &str, options: &[&str]) -> Ran {
        chatvault(&[&[command, &self.archive], options].concat())
    }

    fn done(&self, command: &str, options: &[&str]) -> Value {
        done(&[&[command, &self.archive], options].concat())
    }

    /// The lines that a query prints.
    fn lines(&self, options: &[&str]) -> Vec<String> {
        let ran = self.run("query", options);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out.lines().map(str::to_owned).collect()
    }
}

#[test]
fn every_command_teaches_and_refuses_what_it_does_not_know() {
    for command in COMMANDS {
        let help = chatvault(&[command, &["--help"]].concat());
        assert_eq!((help.code, &*help.err), (0, ""), "{command:?}");
        assert!(help.out.contains("Examples:") && help.out.contains("Usage:"), "{}", help.out);
        let wrong = chatvault(&[command, &["--no-such-option"]].concat());
        assert_eq!((wrong.code, &*wrong.out), (2, ""), "{command:?}");
        assert!(wrong.err.contains("--no-such-option"), "{}", wrong.err);
    }
    let all = chatvault(&["--help"]);
    assert_eq!(all.code, 0);
    let named = |command: &&[&str]| all.out.contains(command[0]);
    assert!(COMMANDS.iter().all(named) && all.out.contains("Exit codes"), "{}", all.out);
}

#[test]
fn wrong_usage_is_told_with_exit_code_two() {
    let sample = sample();
    let table: [&[&str]; 12] = [
        &[],
        &["frobnicate"],
        &["import", &sample.archive],
        &["get", &sample.archive],
        &["get", &sample.archive, "not-an-address"],
        &["history", &sample.archive, "--chat", "19:a"],
        &["query", &sample.archive, "--created-from", "noon"],
        &["query", &sample.archive, "--kind", "song"],
        &["query", &sample.archive, "--limit", "-1"],
        &["query", &sample.archive, "--created-from", "2024-02", "--created-to", "2024-01"],
        &["query", &sample.archive, "--as-of", "2024-02", "--versions", "all"],
        &["query", &sample.archive, "--cursor", "nonsense"],
    ];
    for arguments in table {
        let ran = chatvault(arguments);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{arguments:?}: {ran:?}");
        assert!(!ran.err.is_empty());
    }
}

#[test]
fn what_fails_is_told_with_its_cause_and_what_to_do() {
    let sample = sample();
    let nowhere = sample.folder.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    for command in ["query", "stat", "verify", "compact", "quarantine"] {
        let ran = chatvault(&[command, nowhere]);
        assert_eq!((ran.code, &*ran.out), (1, ""), "{command}");
        assert!(ran.err.contains("nowhere") && ran.err.contains("chatvault init"), "{}", ran.err);
    }
    let exists = chatvault(&["init", &sample.archive]);
    assert!(exists.code == 1 && exists.err.contains("exists"), "{exists:?}");
    let missing = sample.run("get", &["--chat", "19:a", "--id", "1"]);
    assert!(missing.code == 1 && missing.err.contains("no such message"), "{missing:?}");
    let history = sample.run("history", &["--chat", "19:a", "--id", "1"]);
    assert_eq!(history.code, 1);
}

#[test]
fn writing_commands_wait_for_nobody_and_reading_ones_do_not_care() {
    let sample = sample();
    let writer = Archive::open(Host::disk(Path::new(&sample.archive)), small()).unwrap();
    let rebuild = chatvault(&["catalog", "rebuild", &sample.archive]);
    for ran in [sample.run("compact", &[]), rebuild] {
        assert!(ran.code == 1 && ran.err.contains("locked"), "{ran:?}");
    }
    assert_eq!(sample.lines(&[]).len(), 12);
    assert_eq!(sample.run("stat", &[]).code, 0);
    assert_eq!(sample.run("verify", &["--deep"]).code, 0);
    writer.close().unwrap();
    assert_eq!(sample.run("compact", &[]).code, 0);
}

#[test]
fn stat_has_all_its_documented_fields() {
    let sample = sample();
    let stat = sample.done("stat", &["--by-custodian"]);
    let numbers = [
        ("copies", 14),
        ("stored", 13),
        ("versions", 13),
        ("variants", 0),
        ("duplicates", 0),
        ("quarantined", 1),
        ("messages", 12),
        ("conversations", 2),
        ("senders", 2),
        ("custodians", 1),
    ];
    for (field, number) in numbers {
        assert_eq!(stat[field].as_u64(), Some(number), "{field}: {stat}");
    }
    for field in ["segments", "bytes", "raw_bytes", "sequence", "runs"] {
        assert!(stat[field].as_u64().unwrap() > 0, "{field}: {stat}");
    }
    assert!(stat["bytes_per_version"].as_f64().unwrap() > 0.0);
    let parts = stat["bytes_by_part"].as_object().unwrap().iter();
    let in_use = parts.filter(|(part, _)| *part != "trash");
    assert_eq!(
        in_use.map(|(_, bytes)| bytes.as_u64().unwrap()).sum::<u64>(),
        stat["bytes"].as_u64().unwrap()
    );
    assert_eq!(stat["by_custodian"]["user:ann"]["copies"], 14);
    let people = sample.run("stat", &[]);
    assert!(people.code == 0 && people.out.contains("per version"), "{}", people.out);
}

#[test]
fn query_prints_the_exact_messages_a_line_each() {
    let sample = sample();
    let documents = &sample.documents;
    assert_eq!(sample.lines(&["--versions", "all"]), *documents);
    assert_eq!(sample.lines(&[]), documents[1..]);
    let table: [(&[&str], &[String]); 14] = [
        (&["--chat", "19:a"], &documents[1..2]),
        (&["--chat", "19:a", "--versions", "variants"], &documents[..2]),
        (&["--sender", "ben", "--limit", "3"], &documents[2..5]),
        (&["--sender", "ben", "--sender", "ada", "--chat", "19:a"], &documents[1..2]),
        (&["--kind", "system"], &documents[12..]),
        (&["--kind", "other"], &[]),
        (&["--custodian", "ann", "--kind", "system"], &documents[12..]),
        (&["--custodian", "ann", "--sender", "ada", "--chat", "19:b"], &[]),
        (&["--created-from", "2023-11-14T22:13:20.05Z"], &documents[12..]),
        (&["--created-to", "2023-11-14T22:13:20.002Z"], &documents[1..3]),
        (&["--modified-from", "2023-11-14T22:13:29Z"], &documents[1..2]),
        (&["--modified-to", "2023-11-14T22:13:20.003Z"], &documents[2..4]),
        (&["--as-of", "2023-11-14T22:13:28Z", "--chat", "19:a"], &documents[..1]),
        (&["--since", "1000000"], &[]),
    ];
    for (options, expected) in table {
        assert_eq!(sample.lines(options), expected, "{options:?}");
        let count = sample.done("query", &[options, &["--count"]].concat());
        if !options.contains(&"--limit") {
            assert_eq!(count["count"].as_u64(), Some(expected.len() as u64), "{options:?}");
        }
    }
    let mut reversed = documents[1..].to_vec();
    reversed.sort_by_key(|text| text.contains("Tea?"));
    reversed.reverse();
    assert_eq!(sample.lines(&["--order", "modified", "--reverse"]).first(), reversed.first());
    let shown = sample.run("query", &["--format", "table", "--chat", "19:a"]);
    assert!(shown.code == 0 && shown.out.contains("Tea?"), "{}", shown.out);
}

#[test]
fn pages_of_a_query_join_up_by_their_cursors() {
    let sample = sample();
    for order in ["conversation", "created", "modified"] {
        for reverse in [false, true] {
            let flags: &[&str] = if reverse { &["--reverse"] } else { &[] };
            let all = sample.lines(&[&["--order", order], flags].concat());
            let mut cursor = String::new();
            let mut found = Vec::new();
            for _ in 0..4 {
                let page =
                    ["--order", order, "--limit", "5", "--print-cursor", "--cursor", &cursor];
                let ran = sample.run("query", &[&page, flags].concat());
                assert_eq!(ran.code, 0, "{ran:?}");
                found.extend(ran.out.lines().map(str::to_owned));
                cursor = ran.err.lines().last().unwrap_or_default().to_owned();
            }
            assert_eq!(found, all, "{order}, reverse: {reverse}");
        }
    }
}

#[test]
fn explain_says_what_is_touched_and_why() {
    let sample = sample();
    let explain = sample.done("query", &["--chat", "19:a", "--explain"]);
    for field in
        ["segments", "segments_touched", "groups", "groups_touched", "rows", "rows_touched"]
    {
        assert!(explain[field].is_u64(), "{field}: {explain}");
    }
    let took = ["parts_decoded", "bytes_read"].map(|field| explain[field].as_u64().unwrap());
    assert!(took[0] > 0 && took[1] > took[0], "{explain}");
    assert!(explain["rows_touched"].as_u64() <= explain["rows"].as_u64());
    assert!(!explain["lines"].as_array().unwrap().is_empty());
    let people = sample.run("query", &["--chat", "19:a", "--explain"]);
    assert!(people.code == 0 && !people.out.is_empty());
}

#[test]
fn get_and_history_give_a_message_its_facts_and_its_exact_bytes() {
    let sample = sample();
    let id = AT.to_string();
    let key = ["--chat", "19:a", "--id", &id];
    assert_eq!(sample.run("get", &key).out, sample.documents[1]);
    let first = sample.run("get", &[&key[..], &["--version", &id]].concat());
    assert_eq!((first.code, first.out), (0, sample.documents[0].clone()));
    let facts = sample.done("get", &key);
    assert_eq!(facts["version"].as_i64(), Some(AT + 9_000));
    assert_eq!((&facts["sender"], &facts["kind"]), (&Value::from("ada"), &Value::from("message")));
    assert_eq!(facts["sightings"][0]["custodian"], "user:ann");
    let address = facts["address"].as_str().unwrap();
    assert_eq!(sample.run("get", &[address]).out, sample.documents[1]);
    assert_eq!(sample.run("get", &[&address[..9].to_uppercase()]).out, sample.documents[1]);
    assert_eq!(sample.run("get", &["0123456789"]).code, 1, "no address begins so");
    let history = sample.done("history", &key);
    let versions = history["versions"].as_array().unwrap();
    let numbers: Vec<_> = versions.iter().map(|version| version["version"].as_i64()).collect();
    assert_eq!(numbers, [Some(AT), Some(AT + 9_000)]);
    assert!(sample.run("history", &key).out.contains(address));
}

#[test]
fn quarantine_lists_and_gives_back_what_could_not_be_stored() {
    let sample = sample();
    let list = sample.done("quarantine", &[]);
    assert_eq!(list["quarantined"], 1);
    let entry = &list["entries"][0];
    assert_eq!((&entry["custodian"], &entry["bytes"]), (&Value::from("user:ann"), &Value::from(7)));
    let before: usize = sample.documents.iter().map(|text| text.len() + 1).sum();
    assert_eq!(entry["offset"].as_u64(), Some(before as u64));
    assert!(entry["source"].as_str().unwrap().ends_with("ann.jsonl"));
    assert_eq!(sample.run("quarantine", &["--show", "1"]).out, "{broken");
    assert_eq!(sample.run("quarantine", &["--show", "2"]).code, 1);
    assert!(sample.run("quarantine", &[]).out.contains("ann.jsonl"));
}

#[test]
fn compact_verify_and_rebuild_leave_every_answer_as_it_was() {
    let sample = sample();
    let report = sample.done("compact", &[]);
    assert_eq!(
        (&report["finished"], &report["segments_after"]),
        (&Value::from(true), &Value::from(1))
    );
    assert_eq!(report["rows"], 13);
    let rebuilt = done(&["catalog", "rebuild", &sample.archive]);
    assert_eq!(rebuilt["segments"], 1);
    let verified = sample.done("verify", &["--deep"]);
    assert_eq!((&verified["sound"], &verified["rows"]), (&Value::from(true), &Value::from(13)));
    assert_eq!(
        (&verified["copies"], &verified["quarantined"]),
        (&Value::from(14), &Value::from(1))
    );
    assert_eq!(sample.lines(&["--versions", "all"]), sample.documents);
}

#[test]
fn replaced_files_wait_in_the_trash_and_do_not_count_until_no_hour_of_grace_is_left() {
    let sample = sample();
    let folder = Path::new(&sample.archive).join("trash");
    assert_eq!(sample.done("compact", &[])["finished"], true);
    let kept: u64 = files::below(&folder).iter().map(|path| files::read(path).len() as u64).sum();
    let stat = sample.done("stat", &[]);
    assert!(kept > 0);
    assert_eq!(stat["bytes_by_part"]["trash"].as_u64(), Some(kept));
    assert_eq!(sample.done("compact", &["--grace-hours", "0"])["finished"], true);
    assert_eq!(files::below(&folder), Vec::<PathBuf>::new());
    let after = sample.done("stat", &[]);
    assert_eq!(after["bytes_by_part"]["trash"], 0);
    assert_eq!(sample.lines(&["--versions", "all"]), sample.documents);
}

#[test]
fn verify_fails_on_a_flipped_bit_and_names_the_file() {
    let sample = sample();
    let segments = files::below(&Path::new(&sample.archive).join("segments"));
    let path = &segments[0];
    let sound = files::read(path);
    let mut random = Random::new(2);
    for _ in 0..5 {
        let mut bytes = sound.clone();
        let at = random.index(bytes.len());
        bytes[at] ^= 4;
        files::write(path, &bytes);
        let name = path.file_name().unwrap().to_str().unwrap();
        let people = sample.run("verify", &["--deep"]);
        assert!(people.code == 1 && (people.out + &people.err).contains(name), "byte {at}");
        let ran = sample.run("verify", &["--deep", "--json"]);
        assert_eq!(ran.code, 1);
        if let Ok(report) = serde_json::from_str::<Value>(&ran.out) {
            assert_eq!(report["sound"], false);
            assert!(report["damages"][0]["file"].as_str().unwrap().contains(name), "{report}");
        }
    }
    files::write(path, &sound);
    assert_eq!(json(&["verify", &sample.archive]).0, 0);
}

#[test]
fn init_makes_an_archive_that_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("deep/er/a.cvault");
    let archive = archive.to_str().unwrap();
    let made = done(&["init", archive]);
    assert_eq!(made["created"], true);
    assert_eq!(done(&["stat", archive])["copies"], 0);
    assert_eq!(done(&["query", archive, "--count"])["count"], 0);
    assert_eq!(chatvault(&["query", archive]).out, "");
    assert_eq!(done(&["verify", archive, "--deep"])["sound"], true);
    assert_eq!(done(&["quarantine", archive])["quarantined"], 0);
    assert_eq!(done(&["compact", archive])["finished"], true);
}

/// Where a server says that it is: it ends when its address cannot be told.
fn served(words: &[&str]) -> String {
    struct Told(Vec<u8>);

    impl std::io::Write for Told {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }

    let (mut told, mut err) = (Told(Vec::new()), Vec::new());
    let code = chatvault_cli::run(["chatvault"].iter().chain(words), &mut told, &mut err);
    // As for any reader that went away.
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&err));
    String::from_utf8(told.0).unwrap()
}

#[test]
fn the_demo_shows_what_was_saved_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("demo.cvault");
    let archive = archive.to_str().unwrap();
    for _ in 0..2 {
        let demo = chatvault(&["demo", archive]);
        assert_eq!(demo.code, 0, "{demo:?}");
        for word in ["duplicates", "sound", "What to try next"] {
            assert!(demo.out.contains(word), "no {word:?} in:\n{}", demo.out);
        }
    }
    let demo = chatvault(&["demo", archive]).out;
    let next: Vec<&str> = demo
        .lines()
        .filter_map(|line| line.trim().strip_prefix("cargo run --release -- "))
        .collect();
    assert!(next.len() > 5, "{demo}");
    for line in next {
        let words: Vec<&str> = line.split(' ').map(|word| word.trim_matches('\'')).collect();
        if words[0] == "serve" {
            let address = served(&[&words[..], &["--port", "0"]].concat());
            assert!(address.starts_with("http://127.0.0.1:"), "{line}: {address}");
            continue;
        }
        let ran = chatvault(&words);
        // 3: the files that the made-up messages name are nowhere.
        assert!(matches!((words[0], ran.code), (_, 0) | ("export", 3)), "{line}: {ran:?}");
    }
    let stat = done(&["stat", archive]);
    assert!(stat["messages"].as_u64().unwrap() > 1_000 && stat["custodians"].as_u64().unwrap() > 2);
    assert!(stat["duplicates"].as_u64().unwrap() > stat["versions"].as_u64().unwrap());
    assert!(stat["versions"].as_u64() > stat["messages"].as_u64());
    let foreign = folder.path().join("mine");
    files::write(&foreign.join("notes.txt"), b"keep me");
    assert_eq!(chatvault(&["demo", foreign.to_str().unwrap()]).code, 1);
    assert_eq!(files::read(&foreign.join("notes.txt")), b"keep me");
}

#[test]
fn shells_and_readers_of_manuals_learn_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = chatvault(&["completions", shell]);
        let names = COMMANDS.iter().all(|command| script.out.contains(command[0]));
        assert!(script.code == 0 && names && script.out.contains("--custodian"), "{shell}");
    }
    let page = chatvault(&["man"]);
    assert!(page.code == 0 && page.out.contains(".TH chatvault 1"), "{page:?}");
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(chatvault(&["man", folder.path().to_str().unwrap()]).code, 0);
    for command in COMMANDS {
        let name = format!("chatvault-{}.1", command.join("-"));
        assert!(files::read(&folder.path().join(&name)).starts_with(b".ie"), "{name}");
    }
}

#[test]
fn a_table_in_a_file_has_ids_whole() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.cvault").to_str().unwrap().to_owned();
    assert_eq!(chatvault(&["init", &archive]).code, 0);
    let chat = format!("19:{}@thread.v2", "0123456789".repeat(12));
    let message = Draft::chat(&chat, AT).from_user(&"a-very-long-id-".repeat(9), "").json();
    let file = folder.path().join("ann.jsonl");
    files::write(&file, JsonLines::of([message.as_bytes()]).bytes());
    let ran = chatvault(&["import", &archive, "--custodian", "ann", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for command in [&["query", &archive, "--format", "table"][..], &["chats", &archive]] {
        let table = chatvault(command).out;
        assert!(table.contains(&chat) && !table.contains('…'), "{table}");
    }
}

#[test]
fn copy_makes_a_backup_brings_it_up_to_date_and_refuses_other_folders() {
    let sample = sample();
    let at = |name: &str| sample.folder.path().join(name);
    let (to, linked, foreign) = (at("copy.cvault"), at("linked.cvault"), at("foreign"));
    let copy = |to: &Path, options: &[&str]| {
        let (code, report) =
            json(&[&["copy", &sample.archive, to.to_str().unwrap()], options].concat());
        assert_eq!((code, &report["finished"]), (0, &Value::Bool(true)), "{report}");
        report
    };
    let first = copy(&to, &[]);
    assert!(first["files"].as_u64() > Some(1), "{first}");
    assert_eq!(first["copied_files"], first["files"]);
    let messages = |archive: &str| chatvault(&["query", archive, "--versions", "variants"]).out;
    assert_eq!(messages(to.to_str().unwrap()), messages(&sample.archive));
    let verified = done(&["verify", to.to_str().unwrap(), "--deep"]);
    assert_eq!(verified["sound"], Value::Bool(true));
    assert_eq!(copy(&to, &[])["copied_files"], 0, "nothing is new");
    let more = at("more.jsonl");
    files::write(&more, Draft::chat("19:c", AT).text("More").json().as_bytes());
    let import = ["import", &sample.archive, "--custodian", "ben", more.to_str().unwrap()];
    assert_eq!(chatvault(&import).code, 0);
    let again = copy(&to, &[]);
    let copied = again["copied_files"].as_u64().unwrap();
    assert!(copied > 0 && Some(copied) < again["files"].as_u64(), "new files only: {again}");
    assert_eq!(messages(to.to_str().unwrap()), messages(&sample.archive));
    drop(copy(&linked, &["--link"]));
    let segment = "segments/0000000000000001.seg";
    assert!(files::are_one(Path::new(&sample.archive), &linked, segment));
    assert!(!files::are_one(Path::new(&sample.archive), &to, segment));
    files::write(&foreign.join("notes.txt"), b"mine");
    let refused = chatvault(&["copy", &sample.archive, foreign.to_str().unwrap()]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("notes.txt"), "{}", refused.err);
    assert_eq!(files::below(&foreign), [foreign.join("notes.txt")]);
}

#[test]
fn a_message_is_printed_though_the_ledger_that_knew_who_delivered_it_is_lost() {
    let sample = sample();
    let archive = Path::new(&sample.archive);
    let is_ledger = |path: &PathBuf| path.extension().is_some_and(|end| end == "led");
    let ledger = files::below(archive).into_iter().rfind(is_ledger).unwrap();
    files::write(&ledger, &vec![0x55; files::read(&ledger).len()]);
    let of_message = ["--chat", "19:a", "--id", &AT.to_string()];
    let got = sample.run("get", &of_message);
    assert_eq!((got.code, got.out.as_bytes()), (0, sample.documents[1].as_bytes()), "{got:?}");
    let asked = sample.run("get", &[&of_message[..], &["--json"]].concat());
    assert_eq!((asked.code, &*asked.out), (1, ""), "{asked:?}");
    for way in ["--salvage", "chatvault repair ARCHIVE NEW", "chatvault verify ARCHIVE"] {
        assert!(asked.err.contains(way), "{way}: {}", asked.err);
    }
    let salvaged = sample.run("get", &[&of_message[..], &["--json", "--salvage"]].concat());
    assert_eq!(salvaged.code, 3, "{salvaged:?}");
}

#[test]
fn rows_stored_beside_damage_are_told_by_import_and_verify() {
    let sample = sample();
    let archive = Path::new(&sample.archive);
    let segment = archive.join("segments/0000000000000001.seg");
    let mut bytes = files::read(&segment);
    bytes[32 + 16 + 5] ^= 1;
    files::write(&segment, &bytes);
    let file = sample.folder.path().join("ann.jsonl");
    let import = ["import", &sample.archive, "--custodian", "ann", file.to_str().unwrap()];
    let (code, report) = json(&import);
    assert_eq!(code, 3, "{report}");
    let beside = report["stored_beside"].as_u64().unwrap();
    assert_eq!((beside, &report["stored"]), (13, &Value::from(13)), "{report}");
    let (code, verified) = json(&["verify", &sample.archive]);
    assert_eq!((code, &verified["stored_beside"]), (1, &Value::from(13)), "{verified}");
    let line = "stored beside others that could not be read: 13 rows";
    let told = chatvault(&["verify", &sample.archive]).out;
    assert!(told.contains(line), "{told}");
    // Those that were stored now are known again.
    assert_eq!(done_or_quarantined(&import)["stored_beside"], 0);
    let plain = chatvault(&import).out;
    assert!(!plain.contains("stored beside"), "{plain}");
}

/// The report of an import that has refused copies.
fn done_or_quarantined(arguments: &[&str]) -> Value {
    let (code, report) = json(arguments);
    assert_eq!(code, 3, "{report}");
    report
}

#[test]
fn runs_say_at_which_commit_the_archive_was() {
    let sample = sample();
    let listed = done(&["runs", &sample.archive, "--all"]);
    let newest = &listed["runs"][0];
    let commit = newest["commit"].as_str().unwrap();
    assert_eq!(commit, done(&["stat", &sample.archive])["commit"], "{listed}");
    assert!(newest["started"].is_string() && newest["copies"].as_u64() > Some(0), "{listed}");
    let counted = ["query", &sample.archive, "--as-of-seq", commit, "--count"];
    assert_eq!(chatvault(&counted).code, 0);
    let shown = chatvault(&["runs", &sample.archive, "--all"]);
    assert!(shown.code == 0 && shown.out.contains(commit), "{shown:?}");
}
