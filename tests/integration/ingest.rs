//! Files into an archive: folders of pages, lines, compressed or broken, and standard input.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use chatvault_engine::{Archive, Counts, Custodian, Host, Memory, Origin, Quarantined};
use chatvault_ingest::{ImportOptions, Notice, Progress, Remarks, Source, import, offer_page};
use chatvault_support::Draft;
use chatvault_support::generate::{JsonLines, Shape, Tenant, page_files};
use tempfile::TempDir;

use crate::kit::child::{self, Other};
use crate::kit::command::{chatvault, done, json};
use crate::kit::{everything, files, small, texts};

/// An empty archive in a folder that has room beside it.
fn place() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.cvault").to_str().unwrap().to_owned();
    assert_eq!(chatvault(&["init", &archive]).code, 0);
    (folder, archive)
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    files::write(&path, bytes);
    path.to_str().unwrap().to_owned()
}

fn read_only(archive: &str) -> Archive {
    Archive::open_read_only(Host::disk(Path::new(archive)), small()).unwrap()
}

fn stored(archive: &str) -> BTreeSet<String> {
    texts(&read_only(archive).snapshot().unwrap(), &everything()).into_iter().collect()
}

fn quarantine(archive: &str) -> Vec<Quarantined> {
    read_only(archive).snapshot().unwrap().quarantine().unwrap().map(Result::unwrap).collect()
}

fn documents(count: i64) -> Vec<String> {
    let text = |at: i64| format!("number {at} {{\"[,]\"}} é😀 \\ {}", "x".repeat(300));
    (1..=count)
        .map(|at| Draft::chat(&format!("19:{}", at % 3), at).text(&text(at)).json())
        .collect()
}

fn lines(documents: &[String]) -> Vec<u8> {
    JsonLines::of(documents.iter().map(String::as_bytes)).bytes().to_vec()
}

fn page(documents: &[String]) -> String {
    format!(
        "{{\"@odata.context\":\"x\",\"@odata.count\":{},\"value\":[{}],\"@odata.nextLink\":\"y\"}}",
        documents.len(),
        documents.join(",")
    )
}

fn all(documents: &[String]) -> BTreeSet<String> {
    documents.iter().cloned().collect()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

#[test]
fn a_folder_of_exports_is_stored_once() {
    let (folder, archive) = place();
    let tenant = Tenant::new(21, &Shape { messages: 800, ..Shape::SMALL });
    let pages = page_files(&tenant, 37);
    for page in &pages {
        drop(write(&folder, &format!("pages/{}", page.path), &page.json));
    }
    let copies = tenant.copies().count() as u64;
    let exports = folder.path().join("pages");
    let import = ["import", &archive, exports.to_str().unwrap()];
    let first = done(&import);
    assert_eq!(
        (first["copies"].as_u64(), first["files"].as_u64()),
        (Some(copies), Some(pages.len() as u64))
    );
    assert_eq!(first["quarantined"], 0);
    let versions = first["stored"].as_u64().unwrap();
    assert!(versions > 800 && versions <= tenant.version_count() as u64);
    let again = done(&import);
    assert_eq!((again["stored"].as_u64(), again["duplicates"].as_u64()), (Some(0), Some(copies)));
    let stat = done(&["stat", &archive, "--by-custodian"]);
    assert_eq!(stat["versions"].as_u64(), Some(versions));
    let custodians: BTreeSet<_> =
        stat["by_custodian"].as_object().unwrap().keys().cloned().collect();
    let expected: BTreeSet<_> = pages.iter().map(|page| page.custodian.to_string()).collect();
    assert_eq!(custodians, expected);
    assert_eq!(done(&["verify", &archive, "--deep"])["sound"], true);
}

#[test]
fn every_form_of_file_gives_the_same_messages() {
    let documents = documents(120);
    let (lines, page) = (lines(&documents), page(&documents).into_bytes());
    let crlf = documents.join("\r\n\r\n").into_bytes();
    let pretty =
        String::from_utf8(page.clone()).unwrap().replace("},{\"@odata", "}\n ,\r\n\t{\"@odata");
    let table = [
        ("a.jsonl", lines.clone()),
        ("a.json", page.clone()),
        ("crlf and empty lines.jsonl", crlf),
        ("pretty.json", pretty.into_bytes()),
        ("a.jsonl.gz", gz(&lines)),
        ("a.json.gz", gz(&page)),
        ("a.jsonl.zst", zst(&lines)),
        ("a.json.zst", zst(&page)),
        ("two members.jsonl.gz", [gz(&lines[..2_000]), gz(&lines[2_000..])].concat()),
        ("two frames.jsonl.zst", [zst(&lines[..2_000]), zst(&lines[2_000..])].concat()),
    ];
    for (name, bytes) in table {
        let (folder, archive) = place();
        let file = write(&folder, name, &bytes);
        let report = done(&["import", &archive, "--custodian", "ann", &file]);
        assert_eq!(report["stored"], 120, "{name}: {report}");
        assert_eq!(stored(&archive), all(&documents), "{name}");
    }
}

#[test]
fn several_files_and_custodians_meet_in_one_archive() {
    let (folder, archive) = place();
    let documents = documents(30);
    let early = write(&folder, "1.jsonl", &lines(&documents[..20]));
    let late = write(&folder, "2.json", page(&documents[10..]).as_bytes());
    let ann = done(&["import", &archive, "--custodian", "ann", &early, &late]);
    assert_eq!((ann["stored"].as_u64(), ann["duplicates"].as_u64()), (Some(30), Some(10)));
    let team = done(&["import", &archive, "--custodian", "team:sales", &late]);
    assert_eq!((team["stored"].as_u64(), team["duplicates"].as_u64()), (Some(0), Some(20)));
    let count = |who: &str| {
        done(&["query", &archive, "--custodian", who, "--count"])["count"].as_u64().unwrap()
    };
    assert_eq!(
        (count("ann"), count("user:ann"), count("team:sales"), count("sales")),
        (30, 30, 20, 20)
    );
}

#[test]
fn pages_without_messages_are_fine() {
    for text in
        [r#"{"value":[]}"#, r#"{ "@odata.count" : 0 , "value" : [ ] }"#, "{\"value\":[]}\r\n"]
    {
        let (folder, archive) = place();
        let file = write(&folder, "empty.json", text.as_bytes());
        let report = done(&["import", &archive, "--custodian", "ann", &file]);
        assert_eq!(
            (report["copies"].as_u64(), report["files"].as_u64()),
            (Some(0), Some(1)),
            "{text}"
        );
    }
}

/// What is in quarantine lies in the file exactly where it says.
fn assert_places(archive: &str, name: &str, file: &[u8]) {
    for outcast in quarantine(archive) {
        let from = usize::try_from(outcast.offset).unwrap();
        let there = file.get(from..from + outcast.bytes.len());
        assert_eq!(there, Some(&outcast.bytes[..]), "offset {from} of {name}");
        assert!(outcast.source.ends_with(name), "{} is not {name}", outcast.source);
        assert!(!outcast.reason.is_empty());
    }
}

/// Documents with some replaced by something broken.
fn damaged(count: i64, broken: &[(usize, &str)]) -> (Vec<String>, BTreeSet<String>) {
    let mut all = documents(count);
    for (at, text) in broken {
        (*text).clone_into(&mut all[*at]);
    }
    let is_broken = |at: usize| broken.iter().any(|(broken, _)| *broken == at);
    let good = (0..all.len()).filter(|at| !is_broken(*at)).map(|at| all[at].clone()).collect();
    (all, good)
}

const BROKEN: [&str; 10] = [
    r#"{"id":"1","chatId":"19:a}"#,
    r#"{"id":"1","chatId":nul}"#,
    r#"{"id":"1","chatId":"19:a""#,
    r#"{"id" "1"}"#,
    "{\"id\":\"\u{1}\"}",
    r#"{"chatId":"19:a"}"#,
    r#"{"id":"1"}"#,
    "17",
    r#""text""#,
    r#"{"id":"1","chatId":"19:a","x":[1,]}"#,
];

#[test]
fn a_broken_line_is_quarantined_and_all_others_are_stored() {
    for broken in BROKEN {
        for at in [0, 7, 39] {
            let (folder, archive) = place();
            let (documents, good) = damaged(40, &[(at, broken)]);
            let bytes = lines(&documents);
            let file = write(&folder, "broken.jsonl", &bytes);
            let (code, report) = json(&["import", &archive, "--custodian", "ann", &file]);
            assert_eq!((code, report["quarantined"].as_u64()), (3, Some(1)), "{broken} at {at}");
            assert_eq!(stored(&archive), good, "{broken} at {at}");
            assert_places(&archive, "broken.jsonl", &bytes);
            let start: usize = documents[..at].iter().map(|text| text.len() + 1).sum();
            let listed = &quarantine(&archive)[0];
            assert_eq!((listed.offset, &*listed.bytes), (start as u64, broken.as_bytes()));
        }
    }
}

#[test]
fn an_item_of_a_page_that_cannot_be_keyed_is_quarantined_alone() {
    for broken in [r#"{"chatId":"19:a"}"#, r#"{"id":"1"}"#, "17", "null", "[]", r#""a],}""#] {
        let (folder, archive) = place();
        let (documents, good) = damaged(40, &[(20, broken)]);
        let bytes = page(&documents);
        let file = write(&folder, "page.json", bytes.as_bytes());
        let (code, report) = json(&["import", &archive, "--custodian", "ann", &file]);
        assert_eq!((code, report["quarantined"].as_u64()), (3, Some(1)), "{broken}");
        assert_eq!(stored(&archive), good, "{broken}");
        assert_places(&archive, "page.json", bytes.as_bytes());
        assert_eq!(quarantine(&archive)[0].bytes, broken.as_bytes());
    }
}

#[test]
fn a_page_broken_in_the_middle_gives_what_is_good_before_and_after() {
    for broken in BROKEN {
        let (folder, archive) = place();
        let (documents, good) = damaged(60, &[(30, broken)]);
        let bytes = page(&documents);
        let file = write(&folder, "page.json", bytes.as_bytes());
        let (code, report) = json(&["import", &archive, "--custodian", "ann", &file]);
        // Also told as a file that did not come whole, if its end is not where it should be.
        assert!([1, 3].contains(&code), "{broken}: {report}");
        let stored = stored(&archive);
        let before: BTreeSet<_> = documents[..30].iter().cloned().collect();
        assert!(before.is_subset(&stored), "{broken}: something before it is missing");
        // The good item next to the damage may go with it; the rest may not.
        let after: BTreeSet<_> = documents[32..].iter().cloned().collect();
        assert!(after.is_subset(&stored), "{broken}: something after it is missing");
        assert!(stored.is_subset(&good));
        assert_places(&archive, "page.json", bytes.as_bytes());
        let kept: usize = quarantine(&archive).iter().map(|outcast| outcast.bytes.len()).sum();
        assert!(kept >= broken.len(), "{broken}: its bytes are not in quarantine");
    }
}

#[test]
fn a_page_that_is_cut_off_gives_what_is_whole() {
    let documents = documents(50);
    let whole = page(&documents);
    let start = whole.find(&documents[25]).unwrap();
    for cut in [start + 1, start + 100, start + documents[25].len() - 1] {
        let (folder, archive) = place();
        let bytes = &whole.as_bytes()[..cut];
        let file = write(&folder, "cut.json", bytes);
        let (code, report) = json(&["import", &archive, "--custodian", "ann", &file]);
        assert_eq!((code, report["stored"].as_u64()), (1, Some(25)), "cut at {cut}");
        assert_eq!(report["failures"].as_array().unwrap().len(), 1, "fetch it again: {report}");
        assert_eq!(stored(&archive), all(&documents[..25]));
        assert_places(&archive, "cut.json", bytes);
        let tail = &quarantine(&archive)[0];
        assert_eq!((tail.offset, tail.bytes.len()), (start as u64, cut - start));
    }
}

#[test]
fn what_the_service_has_beside_a_file_is_told_as_missing() {
    let documents = documents(3);
    let post = documents[0].replacen('{', r#"{"replies@odata.nextLink":"n","#, 1);
    let page = page(&documents);
    let short = page.replacen(r#""@odata.count":3"#, r#""@odata.count":4"#, 1);
    for (name, bytes, told) in [("post.json", &post, "more replies"), ("page.json", &short, "is 4")]
    {
        let (folder, archive) = place();
        let file = write(&folder, name, bytes.as_bytes());
        let (code, report) = json(&["import", &archive, "--custodian", "ann", &file]);
        assert_eq!((code, &report["failures"]), (3, &serde_json::json!([])), "{report}");
        assert!(report["missing"][0]["message"].as_str().unwrap().contains(told), "{report}");
        let brief = chatvault(&["import", &archive, "--custodian", "ann", &file, "--quiet"]);
        assert_eq!((brief.code, brief.err.as_str()), (3, ""), "advice is not wanted");
    }
}

#[test]
fn a_compressed_file_that_is_cut_off_gives_its_beginning_and_fails_or_quarantines() {
    let documents = documents(3_000);
    let bytes = lines(&documents);
    for (name, packed) in [("cut.jsonl.gz", gz(&bytes)), ("cut.jsonl.zst", zst(&bytes))] {
        let (folder, archive) = place();
        let file = write(&folder, name, &packed[..packed.len() - packed.len() / 4]);
        let ran = chatvault(&["import", &archive, "--custodian", "ann", &file]);
        assert!([1, 3].contains(&ran.code), "{name}: {ran:?}");
        let stored = stored(&archive);
        assert!(stored.len() < 3_000 && stored.is_subset(&all(&documents)), "{name}");
        assert!(!stored.is_empty(), "{name}: nothing of its beginning was kept");
        assert_eq!(done(&["verify", &archive, "--deep"])["sound"], true);
    }
}

#[test]
fn a_file_that_is_not_there_fails_and_the_others_are_imported() {
    let (folder, archive) = place();
    let documents = documents(5);
    let there = write(&folder, "there.jsonl", &lines(&documents));
    let ran = chatvault(&["import", &archive, "--custodian", "ann", "/no/such/file.jsonl", &there]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!((ran.out + &ran.err).contains("file.jsonl"));
    let nothing_or_all = stored(&archive);
    assert!(nothing_or_all.is_empty() || nothing_or_all == all(&documents));
}

#[test]
fn standard_input_is_read_like_a_file() {
    let documents = documents(40);
    let inputs = [
        lines(&documents),
        page(&documents).into_bytes(),
        gz(&lines(&documents)),
        zst(&lines(&documents)),
    ];
    for input in inputs {
        let (_folder, archive) = place();
        let test = "ingest::another_process_reads_standard_input";
        let other = Other::start_with_input(test, Path::new(&archive), 40, &input);
        assert!(other.has_passed());
        assert_eq!(stored(&archive), all(&documents));
    }
}

#[test]
#[ignore = "started by a test with something to read"]
fn another_process_reads_standard_input() {
    let archive = child::folder();
    let report = done(&["import", archive.to_str().unwrap(), "--custodian", "ann", "-"]);
    assert_eq!(report["stored"].as_u64(), Some(child::number()));
}

/// What became of a source: its counts, its quarantine, and what is to be known about it.
type Fate = (Counts, Vec<Quarantined>, Remarks);

fn of_a_file(bytes: &[u8]) -> Fate {
    let (folder, archive) = place();
    let path = write(&folder, "page", bytes);
    let archive = Archive::open(Host::disk(Path::new(&archive)), small()).unwrap();
    let source = Source::Files { custodian: Custodian::user("ann"), paths: vec![path.into()] };
    let go_on = &mut |_: &Progress| ControlFlow::Continue(());
    let summary = import(&archive, vec![source], &ImportOptions::default(), go_on).unwrap();
    let mut remarks = Remarks::default();
    let first = |notices: Vec<Notice>| notices.into_iter().map(|notice| notice.message).next();
    remarks.failure = first(summary.failures);
    remarks.missing = first(summary.missing);
    remarks.warning = first(summary.warnings);
    (summary.counts, quarantine_of(&archive), remarks)
}

fn of_memory(bytes: &[u8]) -> Fate {
    let archive = Archive::create(Host::new(Arc::new(Memory::default())), small()).unwrap();
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    let origin = Origin { source: "page", offset: 0 };
    let remarks = offer_page(&mut batch, &Custodian::user("ann"), bytes, origin);
    let counts = batch.commit().unwrap().counts;
    (counts, quarantine_of(&archive), remarks)
}

/// Without the names of sources.
fn quarantine_of(archive: &Archive) -> Vec<Quarantined> {
    let all = archive.snapshot().unwrap().quarantine().unwrap().map(Result::unwrap);
    let unnamed = all.map(|mut one| {
        one.source.clear();
        one
    });
    unnamed.collect()
}

#[test]
fn a_page_in_memory_fares_as_one_from_a_file() {
    let documents = documents(40);
    let (lines, page) = (lines(&documents), page(&documents).into_bytes());
    let (cut, broken) = (page[..page.len() / 2].to_vec(), page.repeat(2));
    let broken = [&broken[..page.len() - 900], &broken[page.len() - 700..]].concat();
    for (name, bytes, complete) in [
        ("page", page.clone(), true),
        ("lines", lines.clone(), true),
        ("lines and a page", [lines.clone(), page.clone()].concat(), true),
        ("packed page", gz(&page), true),
        ("packed and cut off", gz(&page)[..900].to_vec(), false),
        ("cut off", cut, false),
        ("broken", broken, false),
        ("an unkeyable item", br#"{"value":[{"id":"1"}]}"#.to_vec(), true),
        ("an error", br#"{"error":{"code":"Forbidden","message":"no"}}"#.to_vec(), false),
        ("empty", b" \n".to_vec(), false),
        ("no JSON", b"<html>".to_vec(), false),
    ] {
        let fate = of_memory(&bytes);
        assert_eq!(fate, of_a_file(&bytes), "{name}");
        assert_eq!(fate.2 == Remarks::default(), complete, "{name}: {fate:?}");
    }
}

#[test]
fn pages_in_memory_share_a_commit_and_its_checkpoint() {
    let archive = Archive::create(Host::new(Arc::new(Memory::default())), small()).unwrap();
    let documents = documents(40);
    let page = page(&documents[1..]).replace("\"value\":[", "\"value\":[{\"id\":\"1\"},");
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    for (person, offset) in [("ann", 5_000), ("bob", 7_000)] {
        let origin = Origin { source: "spool", offset };
        drop(offer_page(&mut batch, &Custodian::user(person), page.as_bytes(), origin));
    }
    batch.checkpoint("place", b"next");
    let counts = batch.commit().unwrap().counts;
    assert_eq!((counts.offered, counts.stored, counts.duplicates), (80, 39, 39));
    assert_eq!(archive.checkpoint("place").unwrap().as_deref(), Some(&b"next"[..]));
    let offset = page.find("{\"id\":\"1\"}").unwrap() as u64 + 5_000;
    let mut quarantined = archive.snapshot().unwrap().quarantine().unwrap();
    assert_eq!(quarantined.next().unwrap().unwrap().offset, offset);
}
