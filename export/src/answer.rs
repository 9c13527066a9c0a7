//! Which message another one answers, and when that one was sent.

use std::borrow::Cow;

use chatvault_engine::Timestamp;
use chatvault_query::body::{Block, Document, QuoteKind};
use chatvault_query::message::Message;

/// The id of the message that a message answers, in the same conversation: the thread's root in a
/// channel, the first quoted message in a chat.
pub(crate) fn answered<'a>(message: &'a Message<'_>) -> Option<Cow<'a, str>> {
    let root = message.reply_to.as_deref().filter(|id| !id.is_empty() && *id != message.id);
    let of_attachment = || {
        let is_quote = |kind: Option<&str>| kind == Some("messageReference");
        let mut quotes = message.attachments.iter();
        quotes.find(|quote| is_quote(quote.content_type.as_deref()))?.id.as_deref()
    };
    let known = root.or_else(of_attachment).filter(|id| !id.is_empty());
    known.map(Cow::Borrowed).or_else(|| quoted(message).map(Cow::Owned))
}

/// What a body of an older client quotes.
fn quoted(message: &Message<'_>) -> Option<String> {
    if !message.body.content.contains("schema.skype.com/Reply") {
        return None;
    }
    Document::of(message).blocks.iter().find_map(|block| match block {
        Block::Quote { of: Some(of), .. } if of.kind == QuoteKind::Reply => of.message.clone(),
        _ => None,
    })
}

/// When the message with an id was sent: the service's ids are milliseconds.
pub(crate) fn sent_of(id: &str) -> Option<Timestamp> {
    let ms = id.parse().ok().filter(|ms| (1..253_402_300_800_000).contains(ms))?;
    Some(Timestamp::from_ms(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered_by(json: &str) -> Option<String> {
        let document = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
        answered(&Message::of(&document)).map(Cow::into_owned)
    }

    #[test]
    fn an_answer_is_a_reply_in_a_channel_or_a_quote_in_a_chat() {
        for (json, expected) in [
            (r#"{"id":"2","replyToId":"1"}"#, Some("1")),
            (r#"{"id":"1","replyToId":"1"}"#, None),
            (r#"{"id":"1","replyToId":null}"#, None),
            (
                r#"{"id":"2","attachments":[{"id":"f","contentType":"reference"},
                {"id":"7","contentType":"messageReference"}]}"#,
                Some("7"),
            ),
            (
                r#"{"id":"2","body":{"contentType":"html","content":
                "<blockquote itemscope itemtype=\"http://schema.skype.com/Reply\" itemid=\"5\"><p itemprop=\"preview\">x</p></blockquote><p>y</p>"}}"#,
                Some("5"),
            ),
            (
                r#"{"id":"2","body":{"contentType":"html","content":"<blockquote>x</blockquote>"}}"#,
                None,
            ),
        ] {
            assert_eq!(answered_by(json).as_deref(), expected, "{json}");
        }
    }
}
