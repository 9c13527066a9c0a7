//! The words of cards: what somebody who sees one reads, line by line.
//!
//! Cards are JSON of many kinds: adaptive, hero, thumbnail, sign-in, list, receipt, announcement,
//! connector, Loop, code. Texts, facts, alternative texts and buttons are found in all of them by
//! the names of their fields, so that a new kind of element shows its words, too.

use std::fmt;

use serde_json::{Map, Value};

use super::{Block, Document, address, write};
use crate::event::one_line;
use crate::message::Attachment;

type Object = Map<String, Value>;

/// Fields with words, in the order in which they are read.
const WORDS: [&str; 13] = [
    "title",
    "subtitle",
    "activityTitle",
    "activitySubtitle",
    "activityText",
    "text",
    "label",
    "description",
    "altText",
    "alt",
    "codeSnippet",
    "price",
    "total",
];

/// Fields with elements inside, in the order in which they are shown.
const INSIDE: [&str; 20] = [
    "header",
    "body",
    "items",
    "columns",
    "content",
    "facts",
    "sections",
    "rows",
    "cells",
    "inlines",
    "images",
    "heroImage",
    "pages",
    "choices",
    "card",
    "actions",
    "buttons",
    "potentialAction",
    "selectAction",
    "inlineAction",
];

/// Fields that stand in for a card where it cannot be shown.
const INSTEAD: [&str; 3] = ["fallbackText", "summary", "speak"];

/// A part of a card as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardPart {
    /// One line or more.
    Text(String),
    /// A fact: its name and what it says.
    Fact(String, String),
    /// A button: its words, and where it leads.
    Button(String, Option<String>),
}

impl fmt::Display for CardPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(words) => f.write_str(words),
            Self::Fact(name, value) => write!(f, "{name}: {value}"),
            Self::Button(words, Some(target)) if target != words => {
                write!(f, "[{words}] <{target}>")
            }
            Self::Button(words, _) => write!(f, "[{words}]"),
        }
    }
}

/// Readable text of a card's content: titles, texts, facts, buttons. Empty if it has none.
pub fn card_text(content: &str) -> String {
    text_of_parts(&card_parts(content))
}

fn text_of_parts(parts: &[CardPart]) -> String {
    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The same, part by part; the first is the title of nearly every card.
pub fn card_parts(content: &str) -> Vec<CardPart> {
    let content = content.trim();
    if !content.starts_with(['{', '[']) {
        let words = write::blocks_text(&Document::of_html(content).blocks);
        return if words.is_empty() { Vec::new() } else { vec![CardPart::Text(words)] };
    }
    let Some(card) = parsed(content) else { return Vec::new() };
    let is_adaptive = text_of(&card, "type") == Some("AdaptiveCard");
    let mut reader = Reader { out: Vec::new(), is_html: !is_adaptive };
    reader.element(&card);
    for field in INSTEAD {
        if reader.out.is_empty() {
            reader.line(text_of(&card, field).unwrap_or_default());
        }
    }
    if reader.out.is_empty() {
        reader.add(&component(&card));
    }
    reader.out
}

/// The lines of a code snippet that came as a card; `None` if its code is not in it.
pub(super) fn snippet(content: &str) -> Option<Block> {
    let card = parsed(content)?;
    let lines = code_lines(card.as_object()?)?;
    let language = text_of(&card, "language").map(one_line).filter(|name| !name.is_empty());
    Some(Block::Code { language, text: lines })
}

/// Code that a message shows and that is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnippetAt {
    /// The message's hosted content that has the lines.
    pub hosted: String,
    /// What it was named by the sender; may be empty.
    pub name: String,
}

/// Where the lines of a code snippet are, if an attachment is one and they are not in it.
pub fn snippet_at(attachment: &Attachment<'_>) -> Option<SnippetAt> {
    let kind = attachment.content_type.as_deref()?;
    let _code = kind.strip_suffix(".card.codesnippet")?;
    let card = parsed(attachment.content.as_deref()?)?;
    let hosted = address::hosted(text_of(&card, "codeSnippetUrl")?)?;
    let name = text_of(&card, "name").map(one_line).unwrap_or_default();
    Some(SnippetAt { hosted, name })
}

/// The content of a code snippet's attachment with the lines in it.
pub fn with_lines(content: &str, lines: &str) -> String {
    let mut card = parsed(content).filter(Value::is_object).unwrap_or_default();
    card["lines"] = lines.into();
    card.to_string()
}

fn parsed(content: &str) -> Option<Value> {
    let tolerant =
        || Some(json_of(chatvault_engine::Document::parse(content.trim().as_bytes()).ok()?.root()));
    serde_json::from_str(content).ok().or_else(tolerant)
}

/// What serde refuses to read: half a surrogate pair becomes U+FFFD, a number that is too large 0.
fn json_of(value: chatvault_engine::Value<'_>) -> Value {
    if let Some(text) = value.text() {
        return text.into();
    }
    if let Some(number) = value.number() {
        return serde_json::from_str(number).unwrap_or_else(|_| 0.into());
    }
    if value.is_list() {
        return value.elements().map(json_of).collect();
    }
    if value.is_object() {
        let members = value.members().map(|(name, value)| (name.to_owned(), json_of(value)));
        return Value::Object(members.collect());
    }
    value.boolean().into()
}

fn text_of<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field)?.as_str()
}

/// Code as an array of its lines, or as one text.
fn code_lines(object: &Object) -> Option<String> {
    let lines = match object.get("lines")? {
        Value::Array(lines) => {
            let lines: Option<Vec<&str>> = lines.iter().map(Value::as_str).collect();
            lines?.join("\n")
        }
        Value::String(lines) => lines.clone(),
        _ => return None,
    };
    let is_shown = |c: &char| matches!(c, '\n' | '\t') || *c >= ' ';
    let lines: String = lines.chars().filter(is_shown).collect();
    let lines = lines.trim_end().to_owned();
    (!lines.is_empty()).then_some(lines)
}

/// A card whose content is elsewhere.
fn component(card: &Value) -> String {
    if let Some(address) = text_of(card, "componentUrl") {
        return format!("[Loop component: {}]", one_line(address));
    }
    if card.get("codeSnippetUrl").is_none() {
        return String::new();
    }
    let words =
        ["name", "language"].map(|field| one_line(text_of(card, field).unwrap_or_default()));
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("[code: {}]", words.join(", "))
}

/// Collects parts. Its recursion is as deep as the JSON, which the JSON reader bounds.
struct Reader {
    out: Vec<CardPart>,
    /// Texts can be HTML: in all cards but adaptive ones.
    is_html: bool,
}

impl Reader {
    /// Adds what a text of the card says.
    fn line(&mut self, text: &str) {
        let words = self.words(text);
        self.add(&words);
    }

    /// Adds lines that are words already.
    fn add(&mut self, words: &str) {
        if !words.is_empty() {
            self.out.push(CardPart::Text(words.to_owned()));
        }
    }

    fn words(&self, text: &str) -> String {
        if self.is_html && text.contains(['<', '&']) {
            return write::blocks_text(&Document::of_html(text).blocks);
        }
        // Mentions are the only tags of an adaptive card.
        let text = text.replace("<at>", "@").replace("</at>", "");
        let lines: Vec<String> = text.lines().map(one_line).collect();
        lines.join("\n").trim().to_owned()
    }

    fn element(&mut self, element: &Value) {
        match element {
            Value::Array(elements) => elements.iter().for_each(|inner| self.element(inner)),
            Value::Object(object) => self.object(object),
            _ => {}
        }
    }

    fn object(&mut self, object: &Object) {
        let kind = object.get("type").or_else(|| object.get("@type")).and_then(Value::as_str);
        let kind = kind.unwrap_or_default();
        match kind {
            "Image" | "Media" => self.image(object),
            "RichTextBlock" => self.line(&runs(object.get("inlines"))),
            "Table" => self.table(object),
            _ => self.any(object),
        }
    }

    fn any(&mut self, object: &Object) {
        if let Some(code) = code_lines(object) {
            self.add(&code);
        }
        for field in WORDS {
            match object.get(field) {
                Some(Value::String(text)) => self.line(text),
                Some(inner @ (Value::Object(_) | Value::Array(_))) => self.element(inner),
                _ => {}
            }
        }
        for field in INSIDE {
            match (field, object.get(field)) {
                ("facts", Some(Value::Array(facts))) => {
                    for fact in facts {
                        self.fact(fact);
                    }
                }
                ("images", Some(Value::Array(images))) => {
                    images.iter().filter_map(Value::as_object).for_each(|image| self.image(image));
                }
                ("actions" | "buttons" | "potentialAction", Some(Value::Array(buttons))) => {
                    for button in buttons {
                        self.button(button);
                    }
                }
                ("selectAction" | "inlineAction", Some(button)) => self.button(button),
                ("content", Some(Value::String(text))) => self.line(text),
                (_, Some(inner)) => self.element(inner),
                (_, None) => {}
            }
        }
    }

    fn fact(&mut self, fact: &Value) {
        let names = ["title", "name", "key"];
        let name = names.iter().find_map(|name| text_of(fact, name)).unwrap_or_default();
        let value = text_of(fact, "value").unwrap_or_default();
        let (name, value) = (self.words(name), self.words(value));
        let name = name.trim_end_matches(':');
        match (name.is_empty(), value.is_empty()) {
            (false, false) => self.out.push(CardPart::Fact(name.to_owned(), value)),
            _ => self.add(&format!("{name}{value}")),
        }
    }

    fn image(&mut self, image: &Object) {
        let name = ["altText", "alt", "title"].iter().find_map(|name| image.get(*name)?.as_str());
        let name = name.map(one_line).filter(|name| !name.is_empty());
        if let Some(name) = name {
            self.add(&format!("[image: {name}]"));
        }
    }

    fn button(&mut self, button: &Value) {
        let name = text_of(button, "title").or_else(|| text_of(button, "name")).map(one_line);
        let name = name.filter(|name| !name.is_empty());
        match (name, target(button)) {
            (Some(name), target) => self.out.push(CardPart::Button(name, target)),
            (None, Some(target)) => self.add(&format!("<{target}>")),
            (None, None) => {}
        }
        for field in ["card", "inputs", "actions"] {
            button.get(field).into_iter().for_each(|inner| self.element(inner));
        }
    }

    fn table(&mut self, table: &Object) {
        let rows = table.get("rows").and_then(Value::as_array);
        for row in rows.into_iter().flatten() {
            let cells = row.get("cells").and_then(Value::as_array);
            let cells: Vec<String> =
                cells.into_iter().flatten().map(|cell| self.cell(cell)).collect();
            let is_empty = cells.iter().all(String::is_empty);
            if !is_empty {
                self.add(cells.join("\t").trim_end());
            }
        }
    }

    fn cell(&self, cell: &Value) -> String {
        let mut inner = Self { out: Vec::new(), is_html: self.is_html };
        inner.element(cell);
        text_of_parts(&inner.out).replace(['\n', '\t'], " ")
    }
}

/// Where a button leads: in adaptive cards, in older ones, in those of connectors.
fn target(button: &Value) -> Option<String> {
    let targets = button.get("targets").and_then(Value::as_array);
    let first = targets.and_then(|targets| text_of(targets.first()?, "uri"));
    let older = || match button.get("target") {
        Some(Value::Array(all)) => all.first()?.as_str(),
        Some(Value::String(one)) => Some(one.as_str()),
        _ => None,
    };
    let is_address = |text: &&str| {
        let starts = |scheme: &str| {
            text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        ["https://", "http://", "mailto:"].into_iter().any(starts)
    };
    let found =
        text_of(button, "url").or(first).or_else(older).or_else(|| text_of(button, "value"));
    found.filter(is_address).map(one_line)
}

/// Text runs, each a text or an object with one.
fn runs(inlines: Option<&Value>) -> String {
    let runs = inlines.and_then(Value::as_array).into_iter().flatten();
    runs.filter_map(|run| run.as_str().or_else(|| text_of(run, "text"))).collect()
}
