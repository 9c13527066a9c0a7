//! Whether a message is an event, was edited or deleted, without reading the rest of it.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Message;

/// What a message is, as [`Message`] would say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// [`Message::is_system`].
    pub is_system: bool,
    /// [`Message::is_edited`].
    pub is_edited: bool,
    /// [`Message::is_deleted`].
    pub is_deleted: bool,
}

impl Flags {
    /// Looks at a message's JSON; what is no JSON object has none.
    pub fn of(json: &[u8]) -> Self {
        if is_plain(json) {
            return Self::default();
        }
        Message::stored(json).map_or(Self::default(), |message| Self {
            is_system: message.is_system(),
            is_edited: message.is_edited(),
            is_deleted: message.is_deleted(),
        })
    }
}

/// Is it certainly written by somebody, alive and unedited? Nearly all messages are, and are seen to
/// be so without being read: inside a string a quotation mark has a backslash before it, so what is
/// found here stands outside of strings. Any doubt is a no.
fn is_plain(json: &[u8]) -> bool {
    static NAMES: LazyLock<[(Finder<'static>, &[u8]); 3]> = LazyLock::new(|| {
        [
            (Finder::new(b"\"messageType"), b"\":\"message\""),
            (Finder::new(b"\"deletedDateTime"), b"\":null"),
            (Finder::new(b"\"lastEditedDateTime"), b"\":null"),
        ]
    });
    let once = |(name, value): &(Finder<'static>, &[u8])| {
        let Some(at) = name.find(json) else { return false };
        let rest = json.get(at + name.needle().len()..).unwrap_or_default();
        rest.starts_with(value) && name.find(rest).is_none()
    };
    NAMES.iter().all(once) && !hides_a_letter(json)
}

/// Is a letter spelled with an escape? It could be one of a member's name.
fn hides_a_letter(json: &[u8]) -> bool {
    static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u00"));
    ESCAPE.find_iter(json).any(|at| {
        let hex = json.get(at + 4..at + 6).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        code.is_some_and(|code| code.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_of_the_whole_message() {
        for json in [
            r#"{"messageType":"message","deletedDateTime":null,"lastEditedDateTime":null}"#,
            r#"{"messageType":"message","deletedDateTime":"2020-01-01T00:00:00Z"}"#,
            r#"{"messageType":"message","lastEditedDateTime":"2020-01-01T00:00:00Z"}"#,
            r#"{"messageType":"message","deletedDateTime":7}"#,
            r#"{"messageType":"systemEventMessage"}"#,
            r#"{"messageType":"unknownFutureValue","body":{"content":"<systemEventMessage/>"}}"#,
            r#"{"messageType":"message","eventDetail":{"@odata.type":"graph.x"}}"#,
            r#"{"deletedDateTime":"2020-01-01T00:00:00Z","deletedDateTime":null}"#,
            r#"{"message\u0054ype":"message"}"#,
            r#"{"messageType":"message","deletedDateTime":null,"lastEditedDateTime":null,"x":"\u0041"}"#,
            r#"{"messageType":"message","deletedDateTime":null,"lastEditedDateTime":null,"d\u0065letedDateTime":"2020-01-01T00:00:00Z"}"#,
            r#"{"messageType":"message","deletedDateTime":null,"lastEditedDateTime":null,"deletedDateTime":"2020-01-01T00:00:00Z"}"#,
            r#"{"messageType" : "message","deletedDateTime": "2020-01-01T00:00:00Z","lastEditedDateTime":null}"#,
            r#"{"x":{"messageType":"message","deletedDateTime":null,"lastEditedDateTime":null}}"#,
            "{}",
            "[]",
            "no JSON",
        ] {
            let whole = Message::read(json.as_bytes()).map_or(Flags::default(), |message| Flags {
                is_system: message.is_system(),
                is_edited: message.is_edited(),
                is_deleted: message.is_deleted(),
            });
            assert_eq!(Flags::of(json.as_bytes()), whole, "{json}");
        }
    }
}
