//! Bodies of all kinds, and what they say.

mod cards;
mod hostile;
mod properties;
mod references;
mod structure;

use serde_json::{Value, json};

use super::*;

/// A message with an HTML body and attachments.
fn message_json(html: &str, attachments: &Value) -> String {
    json!({
        "messageType": "message",
        "body": {"contentType": "html", "content": html},
        "attachments": attachments,
        "mentions": [
            {"id": 0, "mentionText": "Ann Grün", "mentioned": {"user": {"id": "u-ann"}}},
            {"id": 7, "mentionText": "Bob", "mentioned": {"user": {"id": "u-bob"}}},
        ],
    })
    .to_string()
}

/// The text of an HTML body.
fn said(html: &str) -> String {
    said_with(html, &json!([]))
}

fn said_with(html: &str, attachments: &Value) -> String {
    let json = message_json(html, attachments);
    let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
    let message = Message::of(&stored);
    let said = text(&Document::of(&message), &message);
    assert_eq!(plain_text(&message), said, "the fast way says the same: {html}");
    said
}

fn check(cases: &[(&str, &str)]) {
    for (html, expected) in cases {
        assert_eq!(said(html), *expected, "{html}");
    }
}

/// The blocks of an HTML body.
fn blocks(html: &str) -> Vec<Block> {
    let json = message_json(html, &json!([]));
    let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
    let message = Message::of(&stored);
    Document::of(&message).blocks
}

fn plain(text: &str) -> Inline {
    Inline::Text(text.to_owned())
}

fn paragraph(text: &str) -> Block {
    Block::Paragraph(vec![plain(text)])
}
