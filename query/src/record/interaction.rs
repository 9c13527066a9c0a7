//! Prompts to Copilot and its answers.

use std::borrow::Cow;
use std::fmt::Write as _;

use chatvault_engine::{Document, Value};

use crate::message::{BodyKind, Fill, Message, MessageType, list, object};

/// What an interaction says beside what a message says.
#[derive(Default)]
struct Interaction<'a> {
    kind: Option<Cow<'a, str>>,
    app: Option<Cow<'a, str>>,
    contexts: Vec<Named<'a>>,
    links: Vec<Named<'a>>,
}

/// A link, or a context.
#[derive(Default)]
struct Named<'a> {
    name: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    address: Option<Cow<'a, str>>,
}

impl<'a> Fill<'a> for Interaction<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "interactionType" => self.kind = value.text(),
            "appClass" => self.app = value.text(),
            "contexts" => self.contexts = list(value),
            "links" => self.links = list(value),
            _ => {}
        }
    }
}

impl<'a> Fill<'a> for Named<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "displayName" => self.name = value.text(),
            "linkType" | "contextType" => self.kind = value.text(),
            "linkUrl" | "contextReference" => self.address = value.text(),
            _ => {}
        }
    }
}

pub(super) fn message<'a>(document: &'a Document<'_>) -> Message<'a> {
    let mut message = Message::of(document);
    let read: Interaction<'_> = object(document.root()).unwrap_or_default();
    // Whatever its text looks like, it is no event of the service.
    message.event = None;
    message.message_type = MessageType::Other(read.kind.clone().unwrap_or_default());
    if let Some(from) = &mut message.from {
        // The service writes an id in the place of a person's name.
        from.name = from.name.take().filter(|name| !name.starts_with("8:orgid:"));
    }
    let lines = read.lines();
    let body = &mut message.body;
    if body.kind == BodyKind::Text {
        body.content = without_places(&body.content).into();
    }
    let content = body.content.to_mut();
    for line in lines {
        match body.kind {
            BodyKind::Html => {
                let _written = write!(content, "<p>{}</p>", escaped(&line));
            }
            BodyKind::Text | BodyKind::Markdown => {
                content.push_str(if content.is_empty() { "" } else { "\n\n" });
                content.push_str(&line);
            }
        }
    }
    message
}

impl Interaction<'_> {
    fn lines(&self) -> Vec<String> {
        let app = self.app.as_deref().and_then(|app| app.rsplit('.').next());
        let app = app.filter(|app| !app.is_empty()).map(|app| format!("Asked in: {app}"));
        let contexts = self.contexts.iter().map(|one| one.line("Context"));
        let links = self.links.iter().map(|one| one.line("Link"));
        app.into_iter().chain(contexts).chain(links).collect()
    }
}

impl Named<'_> {
    /// `Link: Plan B.docx (File): https://…`
    fn line(&self, what: &str) -> String {
        let mut line = format!("{what}: {}", self.name.as_deref().unwrap_or("(no name)"));
        if let Some(kind) = self.kind.as_deref().filter(|kind| !kind.is_empty()) {
            let _written = write!(line, " ({kind})");
        }
        if let Some(address) = self.address.as_deref().filter(|address| !address.is_empty()) {
            let _written = write!(line, ": {address}");
        }
        line
    }
}

/// A plain text without the places of attachments, which are markup in it.
fn without_places(text: &str) -> String {
    const END: &str = "</attachment>";
    let mut parts = text.split("<attachment id=");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(END) {
            Some((_place, behind)) => out.push_str(behind),
            None => out.extend(["<attachment id=", part]),
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
