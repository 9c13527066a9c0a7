//! Attachments: cards, files, and messages inside messages. Each comes as its id and its JSON.

use chatvault_support::{quoted, stamp};

use super::super::changes::State;
use super::super::media;
use super::super::people::Author;
use super::super::words;
use super::Scene;

const CARD: &str = "application/vnd.microsoft.card.adaptive";

/// What is not null in an attachment.
#[derive(Default)]
struct Parts<'a> {
    kind: &'a str,
    url: Option<&'a str>,
    content: Option<&'a str>,
    name: Option<&'a str>,
    app: Option<&'a str>,
}

fn attachment(id: String, parts: &Parts<'_>) -> (String, String) {
    let text = |value: Option<&str>| value.map_or("null".to_owned(), quoted);
    let json = format!(
        r#"{{"id":{},"contentType":{},"contentUrl":{},"content":{},"name":{},"thumbnailUrl":null,"teamsAppId":{}}}"#,
        quoted(&id),
        quoted(parts.kind),
        text(parts.url),
        text(parts.content),
        text(parts.name),
        text(parts.app),
    );
    (id, json)
}

/// A message that another one quotes, as it was written.
pub(super) fn other<'a>(scene: &Scene<'a>) -> Option<Scene<'a>> {
    let message = scene.life.messages.get(scene.message.other? as usize)?;
    let place = scene.life.places.conversations.get(message.conversation as usize)?;
    Some(Scene { life: scene.life, message, place, state: State::default() })
}

/// How a quoted message begins.
pub(super) fn preview(scene: &Scene<'_>) -> String {
    let text = words::passage(&mut scene.message.random(100));
    text.chars().take(60).collect()
}

fn sender(author: &Author) -> String {
    author.json(true)
}

pub(super) fn reply(scene: &Scene<'_>) -> (String, String) {
    let Some(other) = other(scene) else { return tab(scene) };
    let id = other.message.created.to_string();
    let content = format!(
        r#"{{"messageId":"{id}","messagePreview":{},"messageSender":{}}}"#,
        quoted(&preview(&other)),
        sender(other.author())
    );
    attachment(id, &Parts { kind: "messageReference", content: Some(&content), ..Parts::default() })
}

pub(super) fn forwarded(scene: &Scene<'_>) -> (String, String) {
    let Some(other) = other(scene) else { return tab(scene) };
    let id = other.message.created.to_string();
    let sent = stamp(other.message.created).replace('Z', "+00:00");
    let html = format!("\n<p>{}</p>\n", words::escaped(&preview(&other)));
    let content = format!(
        r#"{{"originalMessageId":"{id}","originalMessageContent":{},"originalConversationId":{},"originalSentDateTime":"{sent}","originalMessageSender":{}}}"#,
        quoted(&html),
        quoted(&other.place.id),
        sender(other.author())
    );
    let kind = "forwardedMessageReference";
    attachment(id, &Parts { kind, content: Some(&content), ..Parts::default() })
}

pub(super) fn tab(scene: &Scene<'_>) -> (String, String) {
    let id = format!("tab::{}", scene.message.random(50).guid());
    attachment(id, &Parts { kind: "tabReference", name: Some("Board"), ..Parts::default() })
}

pub(super) fn meeting(scene: &Scene<'_>) -> (String, String) {
    let mut random = scene.message.random(51);
    let content = format!(
        r#"{{"exchangeId":"AAMk{}","organizerId":{}}}"#,
        words::hex(&mut random),
        quoted(scene.author().id())
    );
    let name = random.word(&words::TOPICS);
    let id = (scene.message.created - 5_000).to_string();
    let kind = "meetingReference";
    attachment(id, &Parts { kind, content: Some(&content), name: Some(name), ..Parts::default() })
}

pub(super) fn file(scene: &Scene<'_>) -> (String, String) {
    let file = media::file(scene.message, scene.place, &scene.life.places.teams);
    let Some(file) = file else { return tab(scene) };
    let parts = Parts {
        kind: "reference",
        url: Some(&file.url),
        name: Some(&file.name),
        ..Parts::default()
    };
    attachment(file.guid, &parts)
}

/// A card as the service prints it, with a hosted picture if there is one.
pub(super) fn card(scene: &Scene<'_>, picture: Option<&String>) -> (String, String) {
    let mut random = scene.message.random(52 + scene.state.edits);
    let text = quoted(&words::sentence(&mut random));
    let image = picture.map_or(String::new(), |id| {
        let url = quoted(&scene.address(id));
        format!(",\r\n    {{\r\n      \"type\": \"Image\",\r\n      \"url\": {url}\r\n    }}")
    });
    let content = format!(
        "{{\r\n  \"type\": \"AdaptiveCard\",\r\n  \"version\": \"1.2\",\r\n  \"body\": [\r\n    {{\r\n      \"type\": \"TextBlock\",\r\n      \"text\": {text},\r\n      \"wrap\": true\r\n    }}{image}\r\n  ]\r\n}}"
    );
    let id = words::hex(&mut scene.message.random(51));
    let app = scene.message.random(53).guid();
    let app = scene.message.seed.is_multiple_of(2).then_some(app.as_str());
    attachment(id, &Parts { kind: CARD, content: Some(&content), app, ..Parts::default() })
}

pub(super) fn code(scene: &Scene<'_>) -> (String, String) {
    let ids = media::hosted_ids(scene.message);
    let url = ids.first().map_or(String::new(), |id| scene.address(id));
    let content =
        format!(r#"{{"name":"main.rs","language":"Rust","codeSnippetUrl":{}}}"#, quoted(&url));
    let id = words::hex(&mut scene.message.random(51));
    let kind = "application/vnd.microsoft.card.codesnippet";
    attachment(id, &Parts { kind, content: Some(&content), ..Parts::default() })
}

/// A kind of card that does not exist yet.
pub(super) fn future(scene: &Scene<'_>) -> (String, String) {
    let id = scene.message.random(51).guid();
    let kind = "application/vnd.microsoft.card.hologram";
    attachment(id, &Parts { kind, content: Some(r#"{"depth":3}"#), ..Parts::default() })
}
