//! Whoever changes an export and makes every sum, list and length fit again is found with the archive.

use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Memory, Storage};
use chatvault_export::check::Proof;
use chatvault_export::manifest::{Index, canonical};
use chatvault_export::{Export, Format, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{FORMATS, check, export, files, request, run, vault};

type Members = Vec<(String, Vec<u8>)>;
/// Changes the members of a part, but for manifest and sums; false if there is nothing to change.
type Change = fn(&mut Members) -> bool;

const CHANGES: [(&str, Change); 8] = [
    ("a byte of a text", |members| {
        let Some((_, bytes)) = members.iter_mut().find(|(name, _)| is_document(name)) else {
            return false;
        };
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        true
    }),
    ("a document is lost", |members| {
        let documents = members.iter().filter(|(name, _)| is_document(name)).count();
        let at = members.iter().position(|(name, _)| is_document(name));
        at.filter(|_| documents > 1).map(|at| members.remove(at)).is_some()
    }),
    ("a document is cut", |members| {
        let document = members.iter_mut().rev().find(|(name, _)| is_document(name));
        document.map(|(_, bytes)| bytes.truncate(bytes.len() - 40)).is_some()
    }),
    ("a conversation is lost", |members| {
        let folder = |name: &str| name.split_once('/').map(|(folder, _)| folder.to_owned());
        let first = members.iter().find_map(|(name, _)| folder(name).filter(|_| is_document(name)));
        let before = members.len();
        members.retain(|(name, _)| folder(name) != first || first.is_none());
        members.len() < before && !members.is_empty()
    }),
    ("an attachment is another one", |members| {
        let file = members.iter_mut().find(|(name, _)| !is_document(name));
        file.map(|(_, bytes)| *bytes = b"something else".to_vec()).is_some()
    }),
    ("an attachment is lost", |members| {
        let at = members.iter().position(|(name, _)| !is_document(name));
        at.map(|at| members.remove(at)).is_some()
    }),
    ("a file is added", |members| {
        members.push(("zz.txt".to_owned(), b"one more".to_vec()));
        true
    }),
    ("two files are exchanged", |members| {
        let (Some(last), true) = (members.len().checked_sub(1), members.len() > 1) else {
            return false;
        };
        let (first, other) = (members[0].1.clone(), members[last].1.clone());
        (members[0].1, members[last].1) = (other, first);
        true
    }),
];

fn is_document(name: &str) -> bool {
    !name.starts_with("Attachments/")
}

fn members_of(zip: &[u8]) -> Members {
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let count = zip.len();
    let read = |at| {
        let mut member = zip.by_index(at).unwrap();
        let mut content = Vec::new();
        let _length = std::io::Read::read_to_end(&mut member, &mut content).unwrap();
        (String::from(member.name().unwrap()), content)
    };
    (0..count).map(read).collect()
}

/// The sums of some files, as GNU's program writes them.
fn sums(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort();
    files
        .iter()
        .flat_map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes)).into_bytes())
        .collect()
}

/// A part whose manifest and sums fit its members.
fn forged(mut members: Members, manifest: &mut Value, previous: Option<&String>) -> Vec<u8> {
    let known = manifest["files"].as_array().unwrap().clone();
    let record = |(path, bytes): &(String, Vec<u8>)| {
        let known = known.iter().find(|file| file["path"] == path.as_str());
        let mut record = known.cloned().unwrap_or_else(|| json!({ "path": path }));
        (record["sha256"], record["size"]) = (json!(sha256(bytes)), json!(bytes.len()));
        record
    };
    manifest["files"] = members.iter().map(record).collect();
    manifest["previous_part_sha256"] = json!(previous);
    members.push(("manifest.json".to_owned(), canonical(manifest).unwrap()));
    members.push(("SHA256SUMS".to_owned(), sums(&members)));
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The export with a part changed; `None` if that has nothing to change.
fn forge(folder: &dyn Storage, index: &Index, change: Change) -> Option<Arc<dyn Storage>> {
    let mut files = files(folder);
    let (mut index, mut previous, mut is_changed) = (index.clone(), None, false);
    for part in &mut index.parts {
        let mut members = members_of(&files[&part.name]);
        let (_sums, manifest) = (members.pop().unwrap(), members.pop().unwrap().1);
        is_changed = is_changed || change(&mut members);
        part.members = u32::try_from(members.len() + 2).unwrap();
        let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
        manifest["tool"] = serde_json::to_value(&index.head.tool).unwrap();
        let bytes = forged(members, &mut manifest, previous.as_ref());
        (part.bytes, part.sha256) = (bytes.len() as u64, sha256(&bytes));
        previous = Some(part.sha256.clone());
        drop(files.insert(part.name.clone(), bytes));
    }
    let mut text = canonical(&index).unwrap();
    text.push(b'\n');
    drop(files.insert("test.index.json".to_owned(), text));
    let beside: Vec<_> = files
        .iter()
        .filter(|(name, _)| !name.ends_with("SHA256SUMS"))
        .map(|(name, bytes)| (name.clone(), bytes.clone()))
        .collect();
    drop(files.insert("test.SHA256SUMS".to_owned(), sums(&beside)));
    let forged = Memory::new();
    forged.make_folder("").unwrap();
    for (name, bytes) in files {
        forged.create(&name).unwrap().write_at(0, &bytes).unwrap();
    }
    is_changed.then(|| -> Arc<dyn Storage> { Arc::new(forged) })
}

fn asked(format: Format) -> Request {
    Request { part_bytes: 65_536, all_versions: format == Format::Jsonl, ..request(format) }
}

#[test]
fn any_change_that_was_made_to_fit_is_found_in_every_format() {
    let vault = vault(60);
    for format in FORMATS {
        let export = export(&vault, asked(format));
        let (folder, index) = run(&export, 2);
        let mut tried = 0;
        for (what, change) in CHANGES {
            let Some(forged) = forge(&*folder, &index, change) else { continue };
            let alone =
                chatvault_export::check::check(
                    &*forged,
                    "test",
                    &mut |_| ControlFlow::Continue(()),
                )
                .unwrap();
            let sums: Vec<_> = alone.findings.iter().map(ToString::to_string).collect();
            let fits = |finding: &String| finding.contains("was rewritten");
            assert!(sums.iter().all(fits), "{format:?}: {what} was not made to fit: {sums:#?}");
            let report = check(&export, &forged);
            let found =
                |text: &str| report.findings.iter().any(|one| one.to_string().contains(text));
            assert!(found("not what the archive gives"), "{format:?}: {what} was not found");
            tried += 1;
        }
        assert!(tried >= 3, "{format:?}: {tried}");
    }
}

#[test]
fn a_difference_is_named_by_the_member_that_has_it() {
    let vault = vault(60);
    let export = export(&vault, asked(Format::Csv));
    let (folder, index) = run(&export, 1);
    let part = &index.parts[0].name;
    let mut bytes = files(&*folder).remove(part).unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes.clone())).unwrap();
    let at = zip.by_name("messages.csv").unwrap().data_start().unwrap() + 100;
    bytes[usize::try_from(at).unwrap()] ^= 1;
    folder.remove(part).unwrap();
    folder.create(part).unwrap().write_at(0, &bytes).unwrap();
    let findings = check(&export, &folder).findings;
    let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
    let expected =
        format!("{part}: messages.csv: not what the archive gives, from byte {at} of the part on");
    assert!(findings.contains(&expected), "{findings:#?}");
}

#[test]
fn what_the_index_alone_says_is_held_against_the_archive() {
    let vault = vault(30);
    let export = export(&vault, asked(Format::Csv));
    let (folder, mut index) = run(&export, 1);
    index.parts[0].counts.deleted += 1;
    index.counts.deleted += 1;
    index.windows[0].counts.deleted += 1;
    let forged = forge(&*folder, &index, |_| true).unwrap();
    let report = check(&export, &forged);
    assert!(!report.is_good(), "another number of deleted messages");
}

#[test]
fn an_export_of_another_renderer_is_not_made_again_and_that_is_told() {
    let vault = vault(30);
    let first = export(&vault, asked(Format::Csv));
    let (folder, mut index) = run(&first, 1);
    index.head.tool.renderer_version = "0".to_owned();
    let forged = forge(&*folder, &index, |_| true).unwrap();
    let again = Export::of_index(&vault.archive().snapshot().unwrap(), &index).unwrap();
    let report = check(&again, &forged);
    assert_eq!(report.proof, Proof::Versions);
    let text = |one: &chatvault_export::check::Finding| one.to_string();
    let rewritten = |finding: String| finding.contains("was rewritten");
    assert!(report.findings.iter().map(text).all(rewritten), "{:?}", report.findings);
}

fn sha256(bytes: &[u8]) -> String {
    let halves = Sha256::digest(bytes).into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.filter_map(|half| char::from_digit(half.into(), 16)).collect()
}
