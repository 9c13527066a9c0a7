//! Messages as the service writes them, field by field, for samples and tests.

use crate::{json, stamp};

/// A chat message in the making: members in the service's order, values as JSON text.
#[derive(Clone, Debug)]
pub struct Draft {
    members: Vec<(String, String)>,
}

/// A JSON string of some text.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => out.push_str(&json::unit(u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

impl Draft {
    /// A plain message of a chat, made at `created_ms`, which is its id and version too.
    pub fn chat(chat: &str, created_ms: i64) -> Self {
        let id = quoted(&created_ms.to_string());
        let time = quoted(&stamp(created_ms));
        let fields = [
            ("@odata.type", "\"#microsoft.graph.chatMessage\""),
            ("id", &id),
            ("replyToId", "null"),
            ("etag", &id),
            ("messageType", "\"message\""),
            ("createdDateTime", &time),
            ("lastModifiedDateTime", &time),
            ("lastEditedDateTime", "null"),
            ("deletedDateTime", "null"),
            ("subject", "null"),
            ("summary", "null"),
            ("chatId", &quoted(chat)),
            ("importance", "\"normal\""),
            ("locale", "\"en-us\""),
            ("webUrl", "null"),
            ("channelIdentity", "null"),
            ("policyViolation", "null"),
            ("eventDetail", "null"),
            ("from", "null"),
            ("body", r#"{"contentType":"text","content":""}"#),
            ("attachments", "[]"),
            ("mentions", "[]"),
            ("reactions", "[]"),
            ("messageHistory", "[]"),
        ];
        let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Self { members: fields.map(own).into() }
    }

    /// A post in a channel, a root or the reply to one.
    pub fn channel(team: &str, channel: &str, created_ms: i64, root: Option<&str>) -> Self {
        let place = format!(r#"{{"teamId":{},"channelId":{}}}"#, quoted(team), quoted(channel));
        let reply = root.map_or("null".to_owned(), quoted);
        Self::chat("", created_ms)
            .set("chatId", "null")
            .set("channelIdentity", &place)
            .set("replyToId", &reply)
    }

    /// A member's value as JSON text, in its place or at the end.
    #[must_use]
    pub fn set(mut self, key: &str, json: &str) -> Self {
        match self.members.iter_mut().find(|(name, _)| name == key) {
            Some((_, value)) => json.clone_into(value),
            None => return self.add(key, json),
        }
        self
    }

    /// One more member at the end, even if the key is there.
    #[must_use]
    pub fn add(mut self, key: &str, json: &str) -> Self {
        self.members.push((key.to_owned(), json.to_owned()));
        self
    }

    /// Without the members of that name.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.members.retain(|(name, _)| name != key);
        self
    }

    /// Changed at a time: a new version.
    #[must_use]
    pub fn modified(self, ms: i64) -> Self {
        self.set("etag", &quoted(&ms.to_string())).set("lastModifiedDateTime", &quoted(&stamp(ms)))
    }

    /// Text edited by its author.
    #[must_use]
    pub fn edited(self, ms: i64, text: &str) -> Self {
        self.modified(ms).set("lastEditedDateTime", &quoted(&stamp(ms - 97))).text(text)
    }

    /// Deleted by its author; the body is blanked.
    #[must_use]
    pub fn deleted(self, ms: i64) -> Self {
        self.modified(ms).set("deletedDateTime", &quoted(&stamp(ms - 36))).text("")
    }

    /// A plain text body.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.body("text", text)
    }

    /// An HTML body.
    #[must_use]
    pub fn html(self, text: &str) -> Self {
        self.body("html", text)
    }

    fn body(self, kind: &str, text: &str) -> Self {
        let body = format!(r#"{{"contentType":"{kind}","content":{}}}"#, quoted(text));
        self.set("body", &body)
    }

    /// Written by a user.
    #[must_use]
    pub fn from_user(self, id: &str, name: &str) -> Self {
        let user = format!(
            r##"{{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":{},"displayName":{},"userIdentityType":"aadUser"}}"##,
            quoted(id),
            quoted(name)
        );
        self.set("from", &format!(r#"{{"application":null,"device":null,"user":{user}}}"#))
    }

    /// An event that the service reports.
    #[must_use]
    pub fn event(self, name: &str, fields: &str) -> Self {
        let comma = if fields.is_empty() { "" } else { "," };
        let detail = format!(
            r##"{{"@odata.type":"#microsoft.graph.{name}EventMessageDetail"{comma}{fields}}}"##
        );
        self.set("messageType", "\"systemEventMessage\"")
            .set("eventDetail", &detail)
            .html("<systemEventMessage/>")
    }

    /// The document, without white space.
    pub fn json(&self) -> String {
        let members: Vec<String> =
            self.members.iter().map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
        format!("{{{}}}", members.join(","))
    }
}
