//! Exports of whole archives: what is handed out is exactly what was selected, whatever the format,
//! the cap, the threads and the interruptions, and it can be proved.

mod bytes;
mod directory;
mod formats;
mod interrupted;
mod moments;
mod names;
mod selection;
mod tampered;
mod told;
mod variants;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Custodian, Memory, Snapshot, Storage, Timestamp};
use chatvault_export::check::{CheckReport, Proof};
use chatvault_export::manifest::{Index, Manifest};
use chatvault_export::{Error, Export, Format, Request, Run};
use chatvault_support::{Draft, Random};

use crate::kit::Vault;

/// 2023-11-14T22:13:20Z.
const AT: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const CHATS: [&str; 3] = ["19:a@thread.v2", "19:ann_ben@unq.gbl.spaces", "19:c@thread.tacv2"];
const PEOPLE: [&str; 4] = ["ann", "ben", "cyd", "dan"];
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n no picture at all, but bytes that were stored";
pub(super) const FORMATS: [Format; 9] = [
    Format::Eml,
    Format::Mbox,
    Format::Pdf,
    Format::Csv,
    Format::Html,
    Format::Jsonl,
    Format::Rsmf,
    Format::Dat,
    Format::Parquet,
];

/// A year of chats: edits, deletions, events, replies, files that are there and files that are not.
fn vault(messages: u64) -> Vault {
    let random = &mut Random::new(7);
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let mut copies = Vec::new();
    for number in 0..messages {
        let at = AT
            + i64::try_from(number * 350 / messages.max(1)).unwrap() * DAY
            + i64::try_from(number).unwrap() * 1_001;
        for draft in versions(random, number, at) {
            for who in PEOPLE.iter().take(1 + usize::try_from(number % 3).unwrap()) {
                copies.push((Custodian::user(who), draft.json().into_bytes()));
            }
        }
        if number == messages / 2 {
            drop(vault.commit(&std::mem::take(&mut copies)));
            vault.archive().seal().unwrap();
        }
    }
    drop(vault.commit(&copies));
    link_files(&mut vault);
    vault
}

fn versions(random: &mut Random, number: u64, at: i64) -> Vec<Draft> {
    let chat = CHATS[usize::try_from(number % 3).unwrap()];
    let draft = match chat.strip_suffix("@thread.tacv2") {
        None => Draft::chat(chat, at),
        Some(_) => Draft::channel("team", chat, at, None),
    };
    let who = random.word(&PEOPLE);
    let text = format!("message {number} of {who}: <b>déjà</b> =1+1, \"quoted\"\n漢字 😀");
    let draft = draft.from_user(who, &format!("{who} O'Hara, \"the\" {who}")).text(&text);
    match number % 10 {
        0 => vec![draft.event("chatRenamed", "\"chatDisplayName\":\"Tea & <Biscuits>\"")],
        3 => vec![draft.clone(), draft.edited(at + HOUR, "edited since")],
        5 => vec![draft.clone(), draft.deleted(at + HOUR)],
        7 => {
            let file = r#"[{"id":"f1","contentType":"reference","contentUrl":"https://contoso.sharepoint.com/r.pdf","name":"a/b: report?.pdf"}]"#;
            let html = r#"<p>see</p><attachment id="f1"></attachment>"#;
            vec![draft.html(html).set("attachments", file)]
        }
        _ => vec![draft],
    }
}

/// Half of the messages that name a file have it.
fn link_files(vault: &mut Vault) {
    let object = vault.archive().put_object(&mut Cursor::new(PICTURE)).unwrap();
    let snapshot = vault.archive().snapshot().unwrap();
    let mut batch = vault.archive().batch(vault.run);
    let mut is_there = false;
    for row in crate::kit::rows(&snapshot, &crate::kit::everything()).unwrap() {
        if row.json.windows(4).any(|part| part == b"\"f1\"") {
            is_there = !is_there;
            if is_there {
                batch.link(&row.key, "f1", object);
            }
        }
    }
    let _report = batch.commit().unwrap();
}

pub(super) fn request(format: Format) -> Request {
    let name = "test".to_owned();
    Request { format, name, all_time: true, window_days: 0, ..Request::default() }
}

fn export(vault: &Vault, request: Request) -> Export {
    Export::new(&vault.archive().snapshot().unwrap(), request, Timestamp::from_ms(AT + 400 * DAY))
        .unwrap()
}

/// An export into memory, checked against the archive.
pub(super) fn run(export: &Export, threads: usize) -> (Arc<dyn Storage>, Index) {
    let folder: Arc<dyn Storage> = Arc::new(Memory::new());
    let how = Run { threads, ..Run::default() };
    let index = export.run(Arc::clone(&folder), how, &mut |_| ControlFlow::Continue(())).unwrap();
    let report = check(export, &folder);
    assert!(report.is_good() && report.proof == Proof::Bytes, "{:?}", report.findings);
    (folder, index)
}

/// What an archive has to say about an export.
pub(super) fn check(export: &Export, folder: &Arc<dyn Storage>) -> CheckReport {
    let scratch: Arc<dyn Storage> = Arc::new(Memory::new());
    let how = Run { threads: 2, ..Run::default() };
    export.check((folder, &scratch), how, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Every file of a folder.
pub(super) fn files(folder: &dyn Storage) -> BTreeMap<String, Vec<u8>> {
    let names = folder.list("").unwrap();
    let read = |name: String| {
        let file = folder.open(&name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        (name, bytes)
    };
    names
        .into_iter()
        .map(|file| file.name)
        .filter(|name| !name.starts_with('.'))
        .map(read)
        .collect()
}

/// Is this the name of a part?
pub(super) fn is_part(name: &str) -> bool {
    name.ends_with("zip")
}

/// Has a member's name this ending?
pub(super) fn is_a(name: &str, ending: &str) -> bool {
    name.rsplit('.').next() == Some(ending)
}

/// The members of all parts, read by another program's code, in order.
pub(super) fn members(folder: &dyn Storage) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (name, bytes) in files(folder) {
        if !is_part(&name) {
            continue;
        }
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        for at in 0..zip.len() {
            let mut member = zip.by_index(at).unwrap();
            let mut content = Vec::new();
            let _length = member.read_to_end(&mut content).unwrap();
            all.push((String::from(member.name().unwrap()), content));
        }
    }
    all
}

/// Members with an ending, one behind the other.
pub(super) fn joined(folder: &dyn Storage, ending: &str) -> Vec<u8> {
    let fits = |(name, _): &(String, Vec<u8>)| name.ends_with(ending) && !name.contains('/');
    members(folder).into_iter().filter(fits).flat_map(|(_, bytes)| bytes).collect()
}

pub(super) fn manifests(folder: &dyn Storage) -> Vec<Manifest> {
    let members = members(folder).into_iter().filter(|(name, _)| name == "manifest.json");
    members.map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap()).collect()
}

/// The messages that a query gives, as they are stored.
fn rows(snapshot: &Snapshot, query: &chatvault_query::Query) -> Vec<Vec<u8>> {
    let mut answer = query.run(snapshot).unwrap();
    let mut all = Vec::new();
    while let Some(row) = answer.next().unwrap() {
        all.push(row.json().to_vec());
    }
    all
}

fn is_cancelled(error: &Error) -> bool {
    matches!(error, Error::Cancelled)
}
