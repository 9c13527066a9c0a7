//! `export`, `export check` and `exports`, as somebody would call them.

use chatvault_support::Draft;
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::command::{chatvault, done, json};
use crate::kit::files;

const AT: i64 = 1_700_000_000_000;
const DAY: i64 = 86_400_000;

struct Sample {
    folder: TempDir,
    archive: String,
}

/// Forty days of a chat.
fn sample() -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.cvault").display().to_string();
    let lines: Vec<String> = (0..40)
        .map(|day| {
            let draft = Draft::chat("19:a@thread.v2", AT + day * DAY).from_user("ann", "Ann Lee");
            draft.text(&format!("day {day}: {}", "so it was ".repeat(60))).json()
        })
        .collect();
    let file = folder.path().join("export.jsonl");
    files::write(&file, lines.join("\n").as_bytes());
    assert_eq!(chatvault(&["init", &archive]).code, 0);
    let import =
        chatvault(&["import", &archive, "--custodian", "ann", &file.display().to_string()]);
    assert_eq!(import.code, 0, "{}", import.err);
    Sample { folder, archive }
}

impl Sample {
    fn out(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[test]
fn an_export_is_written_listed_and_checked() {
    let sample = sample();
    let (archive, out) = (sample.archive.as_str(), sample.out("out"));
    let all = ["export", archive, "--format", "eml", "--all", "--out", &out];
    let made = done(&all);
    assert_eq!((&made["messages"], &made["finished"]), (&Value::from(40), &Value::from(true)));
    let part = made["parts"][0]["file"].as_str().unwrap();
    assert!(files::read(&sample.folder.path().join("out").join(part)).starts_with(b"PK"));
    let listed = done(&["exports", &out]);
    assert_eq!(listed["exports"][0]["state"], "finished");
    assert_eq!(listed["exports"][0]["messages"], 40);
    let checked = done(&["export", "check", &out, archive]);
    assert_eq!(checked["exports"][0]["proof"], "bytes");
    assert_eq!((&checked["sound"], &checked["exports"][0]["versions"]), (&true.into(), &40.into()));

    let twice = chatvault(&all);
    assert_eq!(twice.code, 1, "{}", twice.out);
    assert!(twice.err.contains("resume that export or choose another folder"), "{}", twice.err);
    let again = done(&[
        "export",
        archive,
        "--resume",
        "--out",
        &sample.out("out"),
        "--name",
        made["name"].as_str().unwrap(),
    ]);
    assert_eq!(again["subject_sum"], made["subject_sum"]);

    let path = sample.folder.path().join("out").join(part);
    let mut bytes = files::read(&path);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    files::write(&path, &bytes);
    let (code, broken) = json(&["export", "check", &out]);
    assert_eq!((code, &broken["sound"]), (1, &Value::from(false)));
    assert!(broken["exports"][0]["findings"][0].as_str().unwrap().starts_with(part), "{broken}");
}

#[test]
fn a_plan_says_what_will_be_written_and_writes_nothing() {
    let sample = sample();
    let plan = ["export", &sample.archive, "--format", "csv", "--all", "--window-days", "10"];
    let planned = done(&[&plan[..], &["--plan"]].concat());
    assert_eq!((&planned["messages"], &planned["exact"]), (&Value::from(40), &Value::from(true)));
    assert_eq!(planned["windows"].as_array().unwrap().len(), 4);
    assert!(planned["estimated_bytes"].as_u64() > Some(1000));
    let text = chatvault(&[&plan[..], &["--plan"]].concat());
    assert!(text.code == 0 && text.out.contains("messages       40"), "{}", text.out);
    assert_eq!(
        files::below(sample.folder.path()).iter().filter(|path| path.ends_with(".zip")).count(),
        0
    );
}

#[test]
fn what_cannot_be_exported_is_told_with_exit_code_two() {
    let sample = sample();
    let out = sample.out("out");
    let base = ["export", &sample.archive, "--out", &out];
    for (more, word) in [
        (&["--format", "docx"][..], "docx"),
        (&["--format", "eml", "--from", "noon"], "noon"),
        (&["--format", "eml", "--from", "2024-02", "--to", "2024-01"], "range"),
        (&["--format", "eml", "--filter", "subject"], "character"),
        (&["--format", "eml", "--part-bytes", "1000"], "65536"),
        (&["--resume"], "--format"),
        (&[], "--format"),
    ] {
        let ran = chatvault(&[&base[..], more].concat());
        assert_eq!((ran.code, &*ran.out), (2, ""), "{more:?}: {}", ran.err);
        assert!(ran.err.contains(word), "{more:?}: {}", ran.err);
    }
    let nothing = chatvault(&["export", "check", &out]);
    assert_eq!(nothing.code, 1, "{}", nothing.out);
}

#[test]
fn an_export_that_was_stopped_goes_on_with_what_it_was_asked() {
    let sample = sample();
    let (archive, out) = (sample.archive.as_str(), sample.out("out"));
    let call = ["export", archive, "--format", "jsonl", "--all", "--window-days", "10"];
    let whole = done(&[&call[..], &["--at", "2024-06", "--out", &sample.out("whole")]].concat());
    let made = done(&[&call[..], &["--at", "2024-06", "--out", &out]].concat());
    let lost = made["parts"][2]["file"].as_str().unwrap().to_owned();
    let path = sample.folder.path().join("out").join(&lost);
    files::remove(&path);
    let name = made["name"].as_str().unwrap();
    let other =
        chatvault(&["export", archive, "--resume", "--out", &out, "--name", name, "--text-only"]);
    assert!(other.code == 2 && other.err.contains("text-only"), "{}", other.err);
    let again = done(&["export", archive, "--resume", "--out", &out, "--name", name]);
    assert_eq!(again["parts"], whole["parts"]);
    assert_eq!(chatvault(&["export", "check", &out, archive]).code, 0);
}

#[test]
fn an_index_is_signed_and_checked_with_the_public_key() {
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";
    let sample = sample();
    let (archive, out) = (sample.archive.as_str(), sample.out("out"));
    let (private, public) = (sample.out("private.pem"), sample.out("public.pem"));
    files::write(private.as_ref(), PRIVATE.as_bytes());
    files::write(public.as_ref(), PUBLIC.as_bytes());
    let call = ["export", archive, "--format", "csv", "--all", "--out", &out, "--name", "x"];
    assert_eq!(chatvault(&call).code, 0);
    let check = ["export", "check", &out, "--public-key", &public];
    let unsigned = chatvault(&check);
    assert_eq!(unsigned.code, 1);
    assert!(unsigned.out.contains("wrong: x.index.json.sig: missing"), "{}", unsigned.out);
    let bad = chatvault(&[&call[..], &["--sign-with", &public]].concat());
    assert!(bad.code == 2 && bad.err.contains("PKCS#8"), "{}", bad.err);
    let signed =
        ["export", archive, "--resume", "--out", &out, "--name", "x", "--sign-with", &private];
    assert_eq!(chatvault(&signed).code, 0);
    let good = chatvault(&check);
    assert!(good.code == 0 && good.out.contains("signed by this key"), "{}", good.out);
    let unchecked = done(&["export", "check", &out]);
    assert_eq!(unchecked["exports"][0]["signed"], "unchecked");
}

#[test]
fn what_belongs_to_no_export_is_told_before_writing_and_by_a_check() {
    let sample = sample();
    let (archive, out) = (sample.archive.as_str(), sample.out("out"));
    let call = ["export", archive, "--format", "csv", "--all", "--out", &out];
    let made = done(&call);
    files::write(&sample.folder.path().join("out/strange.zip"), b"PK");
    let other = chatvault(&[&call[..], &["--name", "other"]].concat());
    assert!(other.code == 0 && other.err.contains("strange.zip"), "{}", other.err);
    let checked = chatvault(&["export", "check", &out]);
    assert_eq!(checked.code, 0, "{}", checked.out);
    assert!(
        checked.out.starts_with("foreign: strange.zip: belongs to no export"),
        "{}",
        checked.out
    );
    let names = files::below(&sample.folder.path().join("out"));
    let has_lock = names.iter().any(|name| name.to_string_lossy().contains(".lock"));
    assert!(!has_lock, "{names:?}");
    let part = made["parts"][0]["file"].as_str().unwrap();
    files::remove(&sample.folder.path().join("out").join(part));
    let broken = chatvault(&["export", "check", &out, archive]);
    let last = broken.out.lines().find(|line| line.starts_with("damaged: ")).unwrap();
    assert!(broken.code == 1 && broken.out.contains(": missing"), "{}", broken.out);
    let words = "what the archive gives";
    assert!(!last.contains(words), "damaged, and nothing is said to be proved: {last}");
}
