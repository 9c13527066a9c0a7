//! Whatever is done to a part, a check says so and says where.

use std::io::{Cursor, Write};
use std::ops::ControlFlow;

use chatvault_engine::{Memory, Storage};
use proptest::prelude::*;

use super::*;
use crate::part::tests::{Blob, EXPORT, Message, Plan, folder, members, read, subject};

fn plan() -> Plan {
    let blob = |bytes, deflates, extension| Blob { bytes, deflates, streams: false, extension };
    let message = |number: usize| Message {
        records: vec![(0, 500)],
        files: vec![blob(3_000, true, "txt"), blob(9_000, false, "jpg")],
        unavailable: usize::from(number == 2),
        closes: None,
    };
    let mut groups: Vec<Message> = (0..15).map(message).collect();
    groups[4].files.push(blob(200_000, false, "bin"));
    Plan { groups }
}

fn put(storage: &dyn Storage, name: &str, bytes: &[u8]) {
    drop(storage.remove(name));
    storage.create(name).unwrap().write_at(0, bytes).unwrap();
}

fn findings(memory: &Memory) -> Vec<String> {
    let report = check(memory, EXPORT, &mut |_| ControlFlow::Continue(())).unwrap();
    report.findings.iter().map(ToString::to_string).collect()
}

/// A part with these members, made by another tool.
fn rezip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        let options = ::zip::write::SimpleFileOptions::default();
        writer.start_file(name.as_str(), options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The part with the most members.
fn fullest(index: &Index) -> String {
    index.parts.iter().max_by_key(|part| part.members).unwrap().name.clone()
}

/// What a check says about the fullest part after its members were changed so.
fn after(change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> (String, Vec<String>) {
    let (memory, index) = plan().export(65_536, 0);
    let name = fullest(&index);
    let mut inside = members(&read(&memory, &name));
    change(&mut inside);
    put(&memory, &name, &rezip(&inside));
    (name, findings(&memory))
}

#[track_caller]
fn assert_found((part, findings): (String, Vec<String>), expected: &str) {
    let expected = format!("{part}: {expected}");
    assert!(findings.iter().any(|finding| finding.starts_with(&expected)), "{findings:#?}");
    let hash = format!("{part}: its SHA-256 is");
    assert!(findings.iter().any(|finding| finding.starts_with(&hash)), "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.starts_with(&part)), "{findings:#?}");
}

#[test]
fn an_untouched_export_is_good() {
    let (memory, index) = plan().export(65_536, 0);
    let mut watched = Vec::new();
    let report = check(&memory, EXPORT, &mut |step| {
        if let Step::Reading(part, bytes) = step {
            watched.push((part.to_owned(), bytes));
        }
        ControlFlow::Continue(())
    });
    let report = report.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.parts, index.parts.len() as u64);
    assert_eq!(report.bytes, index.parts.iter().map(|part| part.bytes).sum::<u64>());
    assert!(report.proof == Proof::Sums && report.subjects == 15 && report.members > 31);
    assert_eq!(watched.len(), index.parts.len());
}

#[test]
fn a_lost_member_is_found() {
    let mut lost = String::new();
    let found = after(|members| lost = members.remove(1).0);
    assert_found(found, &format!("{lost}: lost"));
}

#[test]
fn a_foreign_member_is_found() {
    let found = after(|members| members.insert(2, ("foreign.txt".to_owned(), b"x".to_vec())));
    assert_found(found, "foreign.txt: foreign");
}

#[test]
fn an_altered_member_is_found() {
    let mut altered = String::new();
    let found = after(|members| {
        altered.clone_from(&members[1].0);
        members[1].1[7] ^= 1;
    });
    assert_found(found, &format!("{altered}: its SHA-256 is"));
    let found = after(|members| members[1].1.push(b'x'));
    assert_found(found, &format!("{altered}: its size is"));
}

#[test]
fn a_doubled_member_is_found() {
    let (memory, index) = plan().export(65_536, 0);
    let name = fullest(&index);
    // Another tool refuses to write a name twice: write one of the same length and rename it.
    let mut inside = members(&read(&memory, &name));
    let (path, content) = inside[1].clone();
    let other = format!("{}X", &path[..path.len() - 1]);
    inside.insert(2, (other.clone(), content));
    let mut bytes = rezip(&inside);
    while let Some(at) = bytes.windows(other.len()).position(|found| found == other.as_bytes()) {
        bytes[at..at + path.len()].copy_from_slice(path.as_bytes());
    }
    put(&memory, &name, &bytes);
    assert_found((name, findings(&memory)), &format!("{path}: there more than once"));
}

#[test]
fn a_manifest_and_sums_that_were_made_to_fit_do_not_fit_the_index() {
    let found = after(|members| {
        let at = members.len() - 2;
        let text = String::from_utf8(members[at].1.clone()).unwrap();
        members[at].1 = text.replace("\"messages\":", "\"messages\":1").into_bytes();
    });
    assert_found(found.clone(), "manifest.json: its counts is");
    assert_found(found, "SHA256SUMS: was rewritten");
}

#[test]
fn a_part_that_is_gone_cut_or_no_zip_is_found() {
    let (memory, index) = plan().export(65_536, 0);
    let names: Vec<&str> = index.parts.iter().map(|part| part.name.as_str()).collect();
    let whole = read(&memory, names[1]);
    memory.remove(names[0]).unwrap();
    put(&memory, names[1], &whole[..whole.len() - 5]);
    put(&memory, names[2], b"PK");
    let findings = findings(&memory);
    let expected = [
        format!("{}: missing", names[0]),
        format!("{}: its size is", names[1]),
        format!("{}: cannot be read: no end record", names[1]),
        format!("{}: cannot be read: too short", names[2]),
    ];
    for expected in expected {
        assert!(findings.iter().any(|finding| finding.starts_with(&expected)), "{findings:#?}");
    }
}

#[test]
fn parts_that_changed_places_are_found() {
    let (memory, index) = plan().export(65_536, 0);
    let [first, second] = [&index.parts[0].name, &index.parts[1].name];
    let (a, b) = (read(&memory, first), read(&memory, second));
    put(&memory, first, &b);
    put(&memory, second, &a);
    let findings = findings(&memory);
    let expected = format!("{first}: manifest.json: its number is");
    assert!(findings.iter().any(|finding| finding.starts_with(&expected)), "{findings:#?}");
}

#[test]
fn a_manifest_of_another_export_is_told_by_its_field() {
    let found = after(|members| {
        let at = members.len() - 2;
        let text = String::from_utf8(members[at].1.clone()).unwrap();
        members[at].1 = text.replace("\"log_size\":0", "\"log_size\":7").into_bytes();
    });
    assert_found(found, "manifest.json: its archive.log_size is 7, should be 0");
}

#[test]
fn a_part_with_the_export_s_id_that_the_index_does_not_list_is_found() {
    let (memory, index) = plan().export(65_536, 0);
    let id = &index.head.export_id[..8];
    put(&memory, "other_part001.zip", b"PK");
    assert_eq!(findings(&memory), [""; 0]);
    let name = format!("ann-{id}_20210101-20210401_jsonl_part099.zip");
    put(&memory, &name, b"PK");
    let expected = format!("{name}: it has this export's id, and the index does not list it");
    assert_eq!(findings(&memory), [expected]);
}

#[test]
fn an_index_that_was_changed_is_found() {
    let (memory, _index) = plan().export(65_536, 0);
    let name = Index::file_name(EXPORT);
    let text = String::from_utf8(read(&memory, &name)).unwrap();
    let changes = [
        ("\"messages\":15", "\"messages\":16", "export: the sum of the parts' counts"),
        ("\"finished\":true", "\"finished\":false", "export: the export is not finished"),
        ("\"finished\":true", "\"finished\": true", "not in the form that it is written in"),
        ("\"part_bytes\":65536", "\"part_bytes\":60000", "more than the cap of 60000"),
    ];
    for (from, to, expected) in changes {
        assert!(text.contains(from), "{from}");
        put(&memory, &name, text.replace(from, to).as_bytes());
        let findings = findings(&memory);
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{findings:#?}");
        let sums = findings.iter().any(|finding| finding.contains("SHA256SUMS: was rewritten"));
        assert!(sums || to.contains(' '), "{findings:#?}");
    }
    put(&memory, &name, b"{}");
    assert!(check(&memory, EXPORT, &mut |_| ControlFlow::Continue(())).is_err());
    memory.remove(&name).unwrap();
    assert!(check(&memory, EXPORT, &mut |_| ControlFlow::Continue(())).is_err());
}

#[test]
fn another_answer_of_the_archive_is_found_and_located() {
    let (memory, index) = plan().export(65_536, 0);
    let ask = |numbers: Vec<usize>| {
        let mut subjects = numbers.into_iter().map(|number| Ok(subject(number)));
        let mut report = check(&memory, EXPORT, &mut |_| ControlFlow::Continue(())).unwrap();
        compare_subjects(&index, &mut subjects, &mut report).unwrap();
        report
            .findings
            .into_iter()
            .map(|finding| (finding.part, finding.problem))
            .collect::<Vec<_>>()
    };
    let all: Vec<usize> = (0..15).collect();
    assert_eq!(ask(all.clone()), []);
    let mut swapped = all.clone();
    swapped.swap(3, 9);
    assert_eq!(ask(swapped), [(None, Problem::OtherOrder)]);
    let fewer = ask(all[..14].to_vec());
    assert_eq!(fewer[0], (None, Problem::OtherSubjects { here: 15, archive: 14 }));
    assert_eq!(fewer[1].0.as_ref(), Some(&index.parts.last().unwrap().name));
    let more = ask((0..16).collect());
    assert_eq!(more, [(None, Problem::OtherSubjects { here: 15, archive: 16 })]);
    let mut doubled = all;
    doubled[14] = 13;
    assert_eq!(ask(doubled)[0], (None, Problem::OtherSubjects { here: 15, archive: 15 }));
}

#[test]
fn a_slice_that_is_not_the_next_is_found() {
    let (memory, index) = plan().export(65_536, 0);
    let has_slice = |part: &&crate::manifest::PartRecord| {
        members(&read(&memory, &part.name)).iter().any(|(name, _)| name.ends_with(".part002"))
    };
    let part = index.parts.iter().find(has_slice).unwrap();
    memory.remove(&part.name).unwrap();
    let findings = findings(&memory);
    assert!(
        findings.iter().any(|finding| finding.contains("slice 3 comes where")),
        "{findings:#?}"
    );
}

#[test]
fn findings_of_a_folder_of_garbage_are_bounded() {
    let mut report = CheckReport::default();
    (0..report::MOST_FINDINGS + 5).for_each(|_| report.add(None, None, Problem::Missing));
    assert_eq!((report.findings.len(), report.more_findings), (report::MOST_FINDINGS, 5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_change_of_any_byte_is_found(file in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let (memory, _index) = plan().export(131_072, 0);
        let files: Vec<(String, Vec<u8>)> = folder(&memory).into_iter().collect();
        let (name, bytes) = file.get(&files);
        let mut bytes = bytes.clone();
        let at = bit.index(bytes.len() * 8);
        bytes[at / 8] ^= 1 << (at % 8);
        put(&memory, name, &bytes);
        if let Ok(report) = check(&memory, EXPORT, &mut |_| ControlFlow::Continue(())) {
            prop_assert!(!report.is_good(), "bit {at} of {name}");
        }
    }

    #[test]
    fn made_up_parts_are_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (memory, index) = plan().export(1_000_000, 0);
        put(&memory, &index.parts[0].name, &bytes);
        let report = check(&memory, EXPORT, &mut |_| ControlFlow::Continue(())).unwrap();
        prop_assert!(!report.is_good());
    }
}
