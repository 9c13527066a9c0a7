//! Reads `.rsmf` files as a review platform does: a mail parser, a zip reader, and the rules of the
//! schema 2.0.0 with those that its validator adds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use mail_parser::{MessageParser, MimeHeaders};
use serde_json::Value;

/// What is in a file.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) manifest: Value,
    /// The files of the container, without the manifest.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) text: String,
    pub(super) headers: BTreeMap<String, String>,
}

impl Document {
    pub(super) fn read(bytes: &[u8]) -> Self {
        assert!(bytes.is_ascii(), "a mail has seven bits");
        assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
        let mail = MessageParser::default().parse(bytes).unwrap();
        let attachments: Vec<_> = mail.attachments().collect();
        assert_eq!(attachments.len(), 1, "one attachment and no other");
        assert_eq!(attachments[0].attachment_name(), Some("rsmf.zip"));
        let (manifest, files) = container(attachments[0].contents());
        let names = [
            "From",
            "To",
            "Subject",
            "Date",
            "X-RSMF-Version",
            "X-RSMF-EventCount",
            "X-RSMF-BeginDate",
            "X-RSMF-EndDate",
            "X-RSMF-AttachmentCount",
            "X-RSMF-Custodian",
            "X-RSMF-EventCollectionID",
        ];
        let header = |name: &str| Some((name.to_owned(), mail.header_raw(name)?.trim().to_owned()));
        let headers = names.into_iter().filter_map(header).collect();
        let text = mail.body_text(0).unwrap_or_default().into_owned();
        let document = Self { manifest, files, text, headers };
        check(&document);
        document
    }

    pub(super) fn events(&self) -> &[Value] {
        self.manifest["events"].as_array().unwrap()
    }
}

fn container(bytes: &[u8]) -> (Value, BTreeMap<String, Vec<u8>>) {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = BTreeMap::new();
    let mut names = Vec::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        assert_eq!(file.compression(), zip::CompressionMethod::Stored);
        assert_eq!(file.last_modified().map(|date| (date.year(), date.hour())), Some((1980, 0)));
        let mut content = Vec::new();
        let _size = file.read_to_end(&mut content).unwrap();
        let name = file.name().unwrap().into_owned();
        names.push(name.clone());
        drop(files.insert(name, content));
    }
    assert!(names.is_sorted() && names.len() == files.len(), "{names:?}");
    assert!(names.iter().all(|name| !name.contains(['/', '\\', ':'])), "{names:?}");
    let manifest = files.remove("rsmf_manifest.json").unwrap();
    let value: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(serde_json::to_vec(&value).unwrap(), manifest, "keys in order, no white space");
    (value, files)
}

/// The fields of each thing: name, type, and whether it has to be there.
const ROOT: &str = "version:s! participants:a! conversations:a! events:a! eventcollectionid:s";
const PARTICIPANT: &str = "id:s! display:s email:s avatar:s account_id:s custom:a";
const CONVERSATION: &str =
    "id:s! platform:s! participants:a! display:s type:s custodian:s custom:a icon:s";
const EVENT: &str = "type:s! id:s parent:s body:s participant:s conversation:s timestamp:s \
    deleted:b importance:s reactions:a attachments:a edits:a custom:a direction:s read_receipts:a";
const REACTION: &str = "value:s! count:i participants:a";
const ATTACHMENT: &str = "id:s! display:s size:i";
const EDIT: &str = "participant:s! timestamp:s previous:s new:s";
const CUSTOM: &str = "name:s! value:s!";

fn check(document: &Document) {
    let manifest = &document.manifest;
    fields(manifest, ROOT);
    assert!(manifest["version"].as_str().unwrap().len() >= 5);
    let ids = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let people = ids(&manifest["participants"]);
    assert_eq!(people.len(), list(manifest, "participants").len(), "ids are told apart");
    let is_known = |id: &Value| people.contains(id.as_str().unwrap());
    for participant in list(manifest, "participants") {
        fields(participant, PARTICIPANT);
    }
    for conversation in list(manifest, "conversations") {
        fields(conversation, CONVERSATION);
        assert!(["direct", "channel"].contains(&conversation["type"].as_str().unwrap()));
        let members = list(conversation, "participants");
        assert!(members.iter().all(is_known), "{conversation}");
        let custodian = conversation.get("custodian");
        assert!(custodian.is_none_or(|custodian| members.contains(custodian)));
    }
    let events = ids(&manifest["events"]);
    assert_eq!(events.len(), list(manifest, "events").len(), "ids are told apart");
    let mut named = BTreeSet::new();
    for event in list(manifest, "events") {
        check_event(event);
        assert_eq!(event["conversation"], manifest["conversations"][0]["id"]);
        let mut who: Vec<&Value> = event.get("participant").into_iter().collect();
        who.extend(list(event, "edits").iter().map(|edit| &edit["participant"]));
        who.extend(list(event, "reactions").iter().flat_map(|one| list(one, "participants")));
        assert!(who.into_iter().all(is_known), "{event}");
        assert!(event.get("parent").is_none_or(|id| events.contains(id.as_str().unwrap())));
        for attachment in list(event, "attachments") {
            let id = attachment["id"].as_str().unwrap();
            assert_eq!(document.files[id].len() as u64, attachment["size"], "{id}");
            assert!(named.insert(id.to_owned()), "one file, one attachment");
        }
    }
    assert_eq!(named.len(), document.files.len(), "no file without an event");
    let times = list(manifest, "events").iter().map(|event| event["timestamp"].as_str());
    assert!(times.is_sorted());
}

fn check_event(event: &Value) {
    fields(event, EVENT);
    let kinds = ["message", "disclaimer", "join", "leave", "history", "unknown"];
    assert!(kinds.contains(&event["type"].as_str().unwrap()));
    assert!(event.get("importance").is_none_or(|one| one == "normal" || one == "high"));
    assert!(event.get("direction").is_none_or(|one| one == "incoming" || one == "outgoing"));
    for one in list(event, "reactions") {
        fields(one, REACTION);
    }
    for one in list(event, "attachments") {
        fields(one, ATTACHMENT);
    }
    for one in list(event, "edits") {
        fields(one, EDIT);
    }
    let reactions = list(event, "reactions").iter();
    assert!(reactions.clone().all(|one| one["value"].as_str().unwrap().chars().count() <= 30));
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).map_or(&[], |list| list.as_array().unwrap())
}

/// Every field has its type, none is missing, empty where that is forbidden, or unknown.
fn fields(value: &Value, known: &str) {
    let known: BTreeMap<&str, (char, bool)> = known
        .split_whitespace()
        .map(|field| {
            let (name, kind) = field.split_once(':').unwrap();
            (name, (kind.chars().next().unwrap(), kind.ends_with('!')))
        })
        .collect();
    let object = value.as_object().unwrap();
    for (name, (kind, is_required)) in &known {
        let Some(value) = object.get(*name) else {
            assert!(!is_required, "{name} is missing");
            continue;
        };
        let fits = match kind {
            's' => value.as_str().is_some_and(|text| !is_required || !text.is_empty()),
            'a' => value.is_array(),
            'b' => value.is_boolean(),
            _ => value.is_u64(),
        };
        assert!(fits, "{name}: {value}");
    }
    assert!(object.keys().all(|name| known.contains_key(name.as_str())), "{object:?}");
    for one in list(value, "custom") {
        fields(one, CUSTOM);
    }
}
