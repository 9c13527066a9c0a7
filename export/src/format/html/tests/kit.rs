//! Builds chats for the tests of the pages, and reads the pages back with an independent parser.

use std::collections::BTreeMap;

use chatvault_engine::{ContentAddress, MessageKey, RecordKind, Timestamp};
pub(super) use chatvault_query::event::NoNames;
use chatvault_query::parse_time;
use chatvault_query::people::ConversationKind;
use scraper::{ElementRef, Html, Selector};
use serde_json::{Value, json};

use crate::entry::{
    Attached, AttachedState, Chat, Content, Context, Entry, NoObjects, Person, Piece,
    RenderOptions, Version, Window,
};
use crate::format::html::{Index, Scene, Summary, Transcript};

/// Pages by their path in the part.
pub(super) type Pages = BTreeMap<String, String>;

pub(super) fn at(text: &str) -> Timestamp {
    parse_time("time", text).unwrap()
}

pub(super) fn chat(kind: ConversationKind, topic: &str) -> Chat {
    let person = |id: &str, name: &str| Person {
        id: id.to_owned(),
        name: Some(name.to_owned()),
        ..Person::default()
    };
    Chat {
        id: "19:meetings@thread.v2".to_owned(),
        kind,
        topic: Some(topic.to_owned()).filter(|topic| !topic.is_empty()),
        topics: Vec::new(),
        team: None,
        started: None,
        participants: vec![person("u-ann", "Ann Example"), person("u-bob", "Bob Sample")],
        slug: "meetings_1a2b3c4d".to_owned(),
    }
}

/// All of time.
pub(super) fn always() -> Window {
    Window { start: Timestamp::MIN, end: Timestamp::MAX, number: 1, of: 1 }
}

pub(super) fn window(start: &str, end: &str) -> Window {
    Window { start: at(start), end: at(end), number: 1, of: 1 }
}

/// A message of Ann's as the service writes it.
pub(super) fn message(time: &str, body: &str) -> Value {
    let ms = at(time).ms().to_string();
    json!({
        "id": ms, "etag": ms, "messageType": "message", "chatId": "19:meetings@thread.v2",
        "createdDateTime": time, "lastModifiedDateTime": time, "importance": "normal",
        "from": {"user": {"id": "u-ann", "displayName": "Ann Example", "userIdentityType": "aadUser"}},
        "body": {"contentType": "html", "content": body},
        "attachments": [], "mentions": [], "reactions": [],
    })
}

/// A value with some members replaced.
pub(super) fn with(mut value: Value, change: Value) -> Value {
    let Value::Object(change) = change else { panic!("an object is expected") };
    value.as_object_mut().unwrap().extend(change);
    value
}

/// An entry of some versions of one message, the first being the original.
pub(super) fn entry(versions: &[Value]) -> Entry {
    let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
    let first = &versions[0];
    let last = &versions[versions.len() - 1];
    let number = |index: usize| index as u64 + 1;
    let version = |(index, value): (usize, &Value)| Version {
        document: chatvault_engine::Document::parse(value.to_string().as_bytes())
            .unwrap()
            .into_owned(),
        address: ContentAddress([u8::try_from(index).unwrap(); 32]),
        version: text(value, "etag").and_then(|etag| etag.parse().ok()).unwrap_or(number(index)),
        sequence: number(index),
        snippets: Vec::new(),
        record: RecordKind::Message,
        text: chatvault_query::record::Text::None,
        variant: (1, 1),
    };
    let time =
        |value: &Value, name| text(value, name).map_or(Timestamp::from_ms(0), |time| at(&time));
    Entry {
        key: MessageKey {
            record: RecordKind::Message,
            conversation: "19:meetings@thread.v2".to_owned(),
            reply_to: text(first, "replyToId"),
            id: text(first, "id").unwrap(),
        },
        created: time(first, "createdDateTime"),
        modified: time(last, "lastModifiedDateTime"),
        versions: versions.iter().enumerate().map(version).collect(),
        attached: Vec::new(),
        parent: None,
        custodians: ["user:u-ann".to_owned()].into(),
        is_context: false,
    }
}

pub(super) fn stored(index: Option<usize>, link: &str, name: &str, path: &str) -> Attached {
    let media_type = match name.rsplit_once('.') {
        Some((_, "png")) => "image/png",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let (address, sha256) = (ContentAddress([7; 32]), [0xab; 32]);
    let path = Some(path.to_owned());
    let state = AttachedState::Stored { address, size: 1_234_567, sha256, path };
    let attachment = link.to_owned();
    Attached {
        attachment,
        index,
        versions: Vec::new(),
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        state,
    }
}

/// The pages of one chat, and the index.
pub(super) fn render(
    chat: &Chat,
    options: &RenderOptions,
    window: Window,
    entries: &[Entry],
) -> Pages {
    summarised(chat, options, window, entries).0
}

pub(super) fn summarised(
    chat: &Chat,
    options: &RenderOptions,
    window: Window,
    entries: &[Entry],
) -> (Pages, Summary) {
    let context = Context { tenant: "t-1", chat, names: &NoNames, options, objects: &NoObjects };
    let scene = Scene::new(context);
    let mut pages = Pages::new();
    let mut sink = |piece: Piece| {
        let Content::Bytes(bytes) = piece.content else { panic!("pages are bytes") };
        let earlier = pages.insert(piece.name.clone(), String::from_utf8(bytes).unwrap());
        assert_eq!(earlier, None, "{} came twice", piece.name);
        Ok(())
    };
    let mut transcript = Transcript::new(&scene, window);
    for entry in entries {
        transcript.push(entry, &mut sink).unwrap();
    }
    let summary = transcript.finish(&mut sink).unwrap();
    let mut index = Index::new("t-1", options, window);
    index.add(chat, &summary, &mut sink).unwrap();
    index.finish(&mut sink).unwrap();
    (pages, summary)
}

/// The only page of a chat with these entries.
pub(super) fn page(entries: &[Entry]) -> String {
    let chat = chat(ConversationKind::Group, "Plans");
    let mut pages = render(&chat, &RenderOptions::default(), always(), entries);
    pages.remove("index.html").unwrap();
    assert_eq!(pages.len(), 1);
    pages.into_values().next().unwrap()
}

/// The text of everything that a selector finds, white space joined.
pub(super) fn texts(page: &str, selector: &str) -> Vec<String> {
    let words = |element: ElementRef<'_>| {
        let text: String = element.text().collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    Html::parse_document(page).select(&Selector::parse(selector).unwrap()).map(words).collect()
}

/// An attribute of everything that a selector finds.
pub(super) fn attributes(page: &str, selector: &str, name: &str) -> Vec<String> {
    let page = Html::parse_document(page);
    let selector = Selector::parse(selector).unwrap();
    page.select(&selector).filter_map(|found| found.attr(name)).map(str::to_owned).collect()
}
