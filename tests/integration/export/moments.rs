//! A pinned export is of one commit: whatever arrives later changes no byte of it, and it and those
//! since it hold everything once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Custodian, Memory, Scan, Sequence, Storage, Timestamp};
use chatvault_export::manifest::Index;
use chatvault_export::{Export, Format, Request, Run};
use chatvault_query::Commit;
use chatvault_support::storage::Volatile;
use chatvault_support::{Draft, Random};

use super::{AT, CHATS, DAY, FORMATS, PEOPLE, check, export, files, joined, request, run, vault};
use crate::kit::{Vault, ada, ben, seeds};

/// Copies of a small pool: edits, people who deliver late, names that change.
fn deliver(random: &mut Random, vault: &mut Vault) {
    let copies = 1 + random.below(12);
    let copy = |random: &mut Random| {
        let number = i64::try_from(random.below(60)).unwrap();
        let sender = random.word(&PEOPLE);
        let draft = Draft::chat(CHATS[usize::try_from(number % 2).unwrap()], AT + number * DAY);
        let draft = draft.from_user(sender, sender).text(&format!("message {number}"));
        let draft = match random.below(3) {
            0 => draft.edited(AT + number * DAY + 5_000, "edited"),
            _ => draft,
        };
        (Custodian::user(random.word(&PEOPLE)), draft.json().into_bytes())
    };
    let copies: Vec<_> = (0..copies).map(|_| copy(random)).collect();
    drop(vault.commit(&copies));
}

/// What happens to an archive between two looks at it.
pub(super) fn live_on(random: &mut Random, vault: &mut Vault) {
    for _ in 0..=random.below(4) {
        match random.below(10) {
            0 => vault.archive().seal().unwrap(),
            1 => vault.compact(),
            2 => vault.reopen(),
            _ => deliver(random, vault),
        }
    }
}

/// What the model says that a custodian had at a commit: the latest version of each message, and the
/// commit that brought it to him.
fn had(vault: &Vault, custodians: &[Custodian], until: Sequence) -> BTreeMap<Vec<u8>, Sequence> {
    let as_of_sequence = Some(until);
    let scan = Scan { custodians: custodians.to_vec(), as_of_sequence, ..Scan::default() };
    let rows = vault.model.scan(&scan).into_iter();
    rows.map(|row| (row.json.clone(), row.arrival(custodians).unwrap())).collect()
}

fn lines(folder: &dyn Storage) -> Vec<Vec<u8>> {
    let bytes = joined(folder, ".jsonl");
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut lines: Vec<_> = lines.map(<[u8]>::to_vec).collect();
    lines.sort();
    lines
}

struct Made {
    custodians: Vec<Custodian>,
    folder: Arc<dyn Storage>,
    index: Index,
    request: Request,
}

/// Stops an export after its first part, and goes on with it from its index.
fn begin(vault: &Vault, request: &Request) -> Arc<dyn Storage> {
    let folder: Arc<dyn Storage> = Arc::new(Memory::new());
    let how = Run { threads: 1, ..Run::default() };
    let stop = &mut |done: &chatvault_export::Progress| match done.parts {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    drop(export(vault, request.clone()).run(Arc::clone(&folder), how, stop));
    folder
}

fn go_on(vault: &Vault, folder: &Arc<dyn Storage>) {
    let index = Index::read(&**folder, "test").unwrap().unwrap();
    let again = Export::of_index(&vault.archive().snapshot().unwrap(), &index).unwrap();
    let how = Run { resume: true, threads: 1, ..Run::default() };
    let done = again.run(Arc::clone(folder), how, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(done.finished);
}

#[test]
fn exports_of_a_custodian_and_those_since_hold_everything_once() {
    for seed in seeds(12) {
        let random = &mut Random::new(seed.0);
        let mut vault = Vault::create(Arc::new(Memory::new()));
        deliver(random, &mut vault);
        let custodians = match random.below(3) {
            0 => Vec::new(),
            1 => vec![Custodian::user("ann")],
            _ => vec![Custodian::user("ben"), Custodian::user("cyd")],
        };
        let mut since: Option<Commit> = None;
        let mut all: Vec<Made> = Vec::new();
        for _ in 0..5 {
            let asked = Request {
                custodians: custodians.iter().map(ToString::to_string).collect(),
                since,
                ..request(Format::Jsonl)
            };
            let made = export(&vault, asked);
            let (folder, index) = run(&made, 1);
            let until = made.request().as_of_sequence.unwrap();
            let from = since.map_or(Sequence(0), Commit::sequence);
            let mut expected: Vec<_> = had(&vault, &custodians, until.sequence())
                .into_iter()
                .filter(|(_, arrival)| *arrival > from)
                .map(|(json, _)| json)
                .collect();
            expected.sort();
            assert!(lines(&*folder) == expected, "since {since:?} until {until}");
            since = Some(until);
            let request = made.request().clone();
            all.push(Made { custodians: custodians.clone(), folder, index, request });
            live_on(random, &mut vault);
        }
        let mut handed_out: Vec<_> = all.iter().flat_map(|made| lines(&*made.folder)).collect();
        handed_out.sort();
        assert!(handed_out.windows(2).all(|pair| pair[0] != pair[1]), "once");
        let newest = had(&vault, &custodians, since.map_or(Sequence(0), Commit::sequence));
        let is_there = |json: &Vec<u8>| handed_out.binary_search(json).is_ok();
        assert!(newest.keys().all(is_there), "everything");
        for made in &all {
            check_again(&vault, made);
        }
    }
}

/// After all that came since it is sound, and made again it has the same bytes.
fn check_again(vault: &Vault, made: &Made) {
    let snapshot = vault.archive().snapshot().unwrap();
    let again = Export::of_index(&snapshot, &made.index).unwrap();
    let report = check(&again, &made.folder);
    assert!(report.is_good(), "{:?}: {:?}", made.custodians, report.findings);
    let now = Timestamp::from_ms(AT + 900 * DAY);
    let anew = Export::new(&snapshot, made.request.clone(), now).unwrap();
    let (folder, _) = run(&anew, 2);
    assert!(files(&*folder) == files(&*made.folder), "{:?}", made.request);
}

#[test]
fn an_export_that_was_stopped_goes_on_after_later_imports_to_the_same_bytes() {
    for format in FORMATS {
        let random = &mut Random::new(5);
        let mut vault = vault(80);
        let asked =
            Request { part_bytes: 65_536, window_days: 30, all_versions: true, ..request(format) };
        let (expected, index) = run(&export(&vault, asked.clone()), 1);
        let folder = begin(&vault, &asked);
        // Deliveries of messages that are there, new people, new names, links and quarantined copies.
        for _ in 0..6 {
            deliver(random, &mut vault);
        }
        let rows = vault.model.rows.clone();
        let late: Vec<_> = rows.iter().map(|row| (ben(), row.json.clone())).collect();
        drop(vault.commit(&late));
        super::link_files(&mut vault);
        vault.archive().seal().unwrap();
        deliver(random, &mut vault);
        go_on(&vault, &folder);
        assert!(files(&*folder) == files(&*expected), "{format:?} was resumed to other bytes");
        let custodians = Vec::new();
        let request =
            export(&vault, Request { as_of_sequence: as_of(&index), ..asked }).request().clone();
        let request = Request { at: Some(index.head.asof.clone()), ..request };
        check_again(&vault, &Made { custodians, folder: expected, index, request });
    }
}

/// The commit that an export is pinned to.
fn as_of(index: &Index) -> Option<Commit> {
    let request = index.head.selection.more.get("request").unwrap();
    let request: Request = serde_json::from_value(request.clone()).unwrap();
    assert!(matches!(request.as_of_sequence, Some(Commit::Exact(_))), "a commit with its hash");
    request.as_of_sequence
}

#[test]
fn an_archive_that_was_put_back_from_a_copy_does_not_go_on_with_an_export() {
    let disk = Volatile::new();
    let mut first = Vault::create(disk.storage());
    drop(first.put(&ada(), &Draft::chat("19:a", AT).json()));
    first.reopen();
    let copy = disk.fork();
    drop(first.put(&ada(), &Draft::chat("19:a", AT + 1).json()));
    let (_, index) = run(&export(&first, request(Format::Csv)), 1);
    let mut second = Vault::create(Arc::new(Memory::new()));
    second.move_to(copy.storage());
    for at in 2..5 {
        let archive = second.archive();
        crate::kit::commit(archive, &ada(), &[Draft::chat("19:a", AT + at).json().as_bytes()]);
        let snapshot = second.archive().snapshot().unwrap();
        let error = Export::of_index(&snapshot, &index).unwrap_err();
        assert!(error.is_wrong_request(), "{error}");
        let since = Request { since: as_of(&index), ..request(Format::Csv) };
        let error = Export::new(&snapshot, since, Timestamp::from_ms(AT)).unwrap_err();
        assert!(error.is_wrong_request() && error.to_string().starts_with("since"), "{error}");
    }
}

#[test]
fn indented_messages_come_back_to_their_exact_bytes_from_an_export() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let mut stored = Vec::new();
    for number in 0..20 {
        let json = Draft::chat("19:a", AT + number).text(&format!("text {number}")).json();
        let end = if number % 3 == 0 { "\r\n" } else { "\n" };
        let json = match number % 4 {
            0 => json,
            _ => json.replace("\",\"", &format!("\",{end}  \"")),
        };
        drop(vault.put(&ada(), &json));
        stored.push(json.into_bytes());
    }
    let (folder, _) = run(&export(&vault, request(Format::Jsonl)), 1);
    let mut notes = BTreeMap::new();
    for note in lines_of(&*folder, "line-breaks.jsonl") {
        let value: serde_json::Value = serde_json::from_slice(&note).unwrap();
        let address = value["content_address"].as_str().unwrap().to_owned();
        assert!(notes.insert(address, note).is_none(), "two notes name one message");
    }
    assert_eq!(notes.len(), 15);
    let snapshot = vault.archive().snapshot().unwrap();
    let mut restored: Vec<Vec<u8>> = Vec::new();
    for line in lines_of(&*folder, "messages.jsonl") {
        let address = snapshot.address_of(&line).unwrap().to_string();
        let exact = match notes.remove(&address) {
            None => line,
            Some(note) => chatvault_export::format::jsonl::restore(&line, &note).unwrap(),
        };
        restored.push(exact);
    }
    assert!(notes.is_empty() && restored == stored);
}

fn lines_of(folder: &dyn Storage, name: &str) -> Vec<Vec<u8>> {
    let members = super::members(folder).into_iter().filter(|(member, _)| member == name);
    let bytes: Vec<u8> = members.flat_map(|(_, bytes)| bytes).collect();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(<[u8]>::to_vec).collect()
}
