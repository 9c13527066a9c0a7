//! Whether a message is an event, was edited or deleted, without the rest of it.

use chatvault_engine::{Document, Value};

use super::EVENT_MARK;

/// What a message is, as [`Message`](super::Message) would say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// [`Message::is_system`](super::Message::is_system).
    pub is_system: bool,
    /// [`Message::is_edited`](super::Message::is_edited).
    pub is_edited: bool,
    /// [`Message::is_deleted`](super::Message::is_deleted).
    pub is_deleted: bool,
}

impl Flags {
    /// Those of a document.
    pub fn of(document: &Document<'_>) -> Self {
        let root = document.root();
        let has_time = |name| root.get(name).and_then(Value::time).is_some();
        Self {
            is_system: is_system(root),
            is_edited: has_time("lastEditedDateTime"),
            is_deleted: has_time("deletedDateTime"),
        }
    }
}

fn is_system(root: Value<'_>) -> bool {
    match root.get("messageType").and_then(Value::text).as_deref() {
        Some("message") => false,
        Some("systemEventMessage") => true,
        _ => {
            let content = root.get("body").and_then(|body| body.get("content")?.text());
            root.get("eventDetail").is_some_and(Value::is_object)
                || content.is_some_and(|content| content.trim() == EVENT_MARK)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Message;
    use super::*;

    #[test]
    fn flags_are_those_of_the_whole_message() {
        for json in [
            r#"{"messageType":"message","deletedDateTime":null,"lastEditedDateTime":null}"#,
            r#"{"messageType":"message","deletedDateTime":"2020-01-01T00:00:00Z"}"#,
            r#"{"messageType":"message","lastEditedDateTime":"2020-01-01T00:00:00Z"}"#,
            r#"{"messageType":"message","deletedDateTime":7}"#,
            r#"{"messageType":"systemEventMessage"}"#,
            r#"{"messageType":"unknownFutureValue","body":{"content":" <systemEventMessage/>"}}"#,
            r#"{"messageType":"unknownFutureValue","eventDetail":null}"#,
            r#"{"messageType":"message","eventDetail":{"@odata.type":"graph.x"}}"#,
            r#"{"messageType":7,"eventDetail":{}}"#,
            r#"{"deletedDateTime":"2020-01-01T00:00:00Z","deletedDateTime":null}"#,
            r#"{"message\u0054ype":"systemEventMessage"}"#,
            "{}",
        ] {
            let document = Document::parse(json.as_bytes()).unwrap();
            let message = Message::of(&document);
            let whole = Flags {
                is_system: message.is_system(),
                is_edited: message.is_edited(),
                is_deleted: message.is_deleted(),
            };
            assert_eq!(Flags::of(&document), whole, "{json}");
        }
    }
}
