//! A message as a line of plain text: who wrote it, and its first words.
//!
//! Reading is lenient: a message that is not what the service documents still gives some line.

use serde_json::Value;

/// Enough words for the widest terminal; the rest of a long body is not looked at.
const MOST_CHARS: usize = 400;

/// The display name of whoever sent it, if the message says.
pub(crate) fn sender_name(message: &Value) -> Option<&str> {
    let from = message.get("from")?;
    let named = |who: &str| from.get(who)?.get("displayName")?.as_str();
    ["user", "application", "device"].into_iter().find_map(named).filter(|name| !name.is_empty())
}

/// What it says: its body as plain text, or what stands for it.
pub(crate) fn words(message: &Value) -> String {
    if message.get("deletedDateTime").is_some_and(Value::is_string) {
        return "(deleted)".to_owned();
    }
    if let Some(event) = event(message) {
        return event;
    }
    let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
    if ["body", "subject", "attachments"].iter().all(|key| message.get(key).is_none()) {
        // What is stored beside messages: when a call was, or how somebody or something is called.
        let call = (text("createdDateTime"), text("endDateTime"));
        let names = ["displayName", "topic", "userPrincipalName", "mail", "email"].map(text);
        let names =
            names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
        let is_call = message.get("meetingId").is_some() || message.get("callId").is_some();
        return if is_call { format!("call {} to {}", call.0, call.1) } else { names };
    }
    let subject = text("subject");
    let body = body(message);
    match (subject.is_empty(), body.is_empty()) {
        (false, false) => format!("{subject}: {body}"),
        (false, true) => subject.to_owned(),
        (true, false) => body,
        (true, true) => attachments(message),
    }
}

fn body(message: &Value) -> String {
    let Some(body) = message.get("body") else { return String::new() };
    let content = body.get("content").and_then(Value::as_str).unwrap_or_default();
    match body.get("contentType").and_then(Value::as_str) {
        Some("html") => of_html(content),
        _ => squeezed(content),
    }
}

/// `#microsoft.graph.membersAddedEventMessageDetail` is "(members added)".
fn event(message: &Value) -> Option<String> {
    let name = message.get("eventDetail")?.get("@odata.type")?.as_str()?;
    let name = name.rsplit('.').next()?;
    let name = name.strip_suffix("EventMessageDetail").unwrap_or(name);
    let mut spaced = String::from("(");
    for c in name.chars().take(MOST_CHARS) {
        if c.is_uppercase() {
            spaced.push(' ');
        }
        spaced.extend(c.to_lowercase());
    }
    Some(spaced + ")")
}

fn attachments(message: &Value) -> String {
    let Some(first) = message.get("attachments").and_then(|list| list.get(0)) else {
        return String::new();
    };
    match first.get("name").and_then(Value::as_str) {
        Some(name) => format!("(attachment: {name})"),
        None => "(attachment)".to_owned(),
    }
}

/// The text of HTML: no tags, entities as characters, white space squeezed.
fn of_html(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('>') else {
            rest = &rest[at..];
            break;
        };
        push_tag(&mut text, &rest[at + 1..at + end]);
        rest = &rest[at + end + 1..];
        // Entities and white space only shrink, so this many bytes may still give too few words.
        if text.len() > 16 * MOST_CHARS {
            rest = "";
        }
    }
    text.push_str(rest);
    squeezed(&unescaped(&text))
}

/// What a tag leaves in the text.
fn push_tag(text: &mut String, tag: &str) {
    let name = tag.trim_start_matches('/').split([' ', '/', '\n', '\t']).next().unwrap_or_default();
    let left = match name.to_ascii_lowercase().as_str() {
        "emoji" if !tag.starts_with('/') => attribute(tag, "alt").unwrap_or_default(),
        "img" => attribute(tag, "alt").filter(|alt| !alt.is_empty()).unwrap_or("(image)"),
        "p" | "div" | "br" | "li" | "tr" | "td" | "th" | "h1" | "h2" | "h3" | "pre" | "hr"
        | "blockquote" | "codeblock" | "attachment" => " ",
        _ => "",
    };
    text.push_str(left);
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// Entities as the characters that they stand for; unknown ones stay as they are.
fn unescaped(text: &str) -> String {
    /// The longest that is looked at: `&#x10ffff;` without `&` and `;`.
    const MOST_ENTITY_BYTES: usize = 10;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        out.push_str(before);
        let end = entity.bytes().take(MOST_ENTITY_BYTES).position(|byte| byte == b';');
        let found = end.and_then(|end| Some((entity_char(entity.get(1..end)?)?, end + 1)));
        let (c, bytes) = found.unwrap_or(('&', 1));
        out.push(c);
        rest = &entity[bytes..];
    }
    out + rest
}

fn entity_char(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// Runs of white space as one space, none at the ends, at most [`MOST_CHARS`].
fn squeezed(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if out.len() > MOST_CHARS {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().take(MOST_CHARS));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn html(content: &str) -> String {
        words(&json!({"body": {"contentType": "html", "content": content}}))
    }

    #[test]
    fn html_becomes_the_words_that_people_see() {
        for (content, text) in [
            ("<p>one</p><p>two</p>", "one two"),
            ("<p>a &lt;b&gt; &amp;lt; &#39;c&#39;&nbsp;&#x1F600;</p>", "a <b> &lt; 'c' 😀"),
            ("hi <at id=\"0\">Ann B</at>, see", "hi Ann B, see"),
            ("<emoji id=\"smile\" alt=\"🙂\" title=\"Smile\"></emoji> ok", "🙂 ok"),
            (
                "<p>x<br/>y</p>\n<img alt=\"\" src=\"u\"><attachment id=\"1\"></attachment>",
                "x y (image)",
            ),
            ("5 < 6 and no tag", "5 < 6 and no tag"),
            ("&unknown; & &#xD800; &#999999999999;", "&unknown; & &#xD800; &#999999999999;"),
            ("&é;x", "&é;x"),
            ("", ""),
        ] {
            assert_eq!(html(content), text, "{content}");
        }
    }

    #[test]
    fn a_long_body_is_cut() {
        let length = |text: &str| html(text).chars().count();
        assert!((MOST_CHARS..2 * MOST_CHARS + 2).contains(&length(&"ab ".repeat(100_000))));
        assert_eq!(length(&"ü".repeat(100_000)), MOST_CHARS);
        assert!(length(&"<b>ü</b>".repeat(100_000)) <= MOST_CHARS);
    }

    #[test]
    fn what_has_no_body_is_told_by_what_it_has() {
        for (message, text) in [
            (
                json!({"deletedDateTime": "2016-05-01T00:00:00Z", "body": {"content": "x"}}),
                "(deleted)",
            ),
            (
                json!({"eventDetail": {"@odata.type": "#microsoft.graph.membersAddedEventMessageDetail"},
                       "body": {"contentType": "html", "content": "<systemEventMessage/>"}}),
                "(members added)",
            ),
            (
                json!({"body": null, "attachments": [{"name": "plan.docx"}]}),
                "(attachment: plan.docx)",
            ),
            (json!({"attachments": [{"name": null}]}), "(attachment)"),
            (
                json!({"subject": "Lunch", "body": {"contentType": "text", "content": " a <b> "}}),
                "Lunch: a <b>",
            ),
            (
                json!({"displayName": "Ann Lee", "mail": "ann@contoso.com"}),
                "Ann Lee, ann@contoso.com",
            ),
            (json!({"callId": "c", "createdDateTime": "a", "endDateTime": "b"}), "call a to b"),
            (json!([]), ""),
            (json!({"body": 7, "attachments": {}, "eventDetail": [], "subject": {}}), ""),
        ] {
            assert_eq!(words(&message), text, "{message}");
        }
    }

    #[test]
    fn the_sender_is_a_person_or_an_app() {
        let name = |from: Value| sender_name(&json!({ "from": from })).map(str::to_owned);
        assert_eq!(name(json!({"user": {"displayName": "Ann"}})).as_deref(), Some("Ann"));
        let app = json!({"user": null, "application": {"displayName": "Bot"}});
        assert_eq!(name(app).as_deref(), Some("Bot"));
        assert_eq!((name(Value::Null), name(json!({"user": {"displayName": null}}))), (None, None));
    }
}
