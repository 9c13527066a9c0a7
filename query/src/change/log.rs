//! The service's own log of reactions: who reacted and took it back when, between versions, too.

use chatvault_engine::{Document, Value};

use super::Side;

/// An entry of a message's `messageHistory`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedReaction {
    /// When, as the service writes it.
    pub at: Option<String>,
    /// Added or removed; `None`: another action.
    pub side: Option<Side>,
    /// The action's own name.
    pub action: String,
    /// `like`, an emoji, or the name of a custom one.
    pub kind: Option<String>,
    /// The id of who reacted.
    pub who: Option<String>,
    /// Their name, if the log says.
    pub name: Option<String>,
}

/// The log of reactions in a version, as the service orders it.
pub fn reaction_log(version: &Document<'_>) -> Vec<LoggedReaction> {
    let entries = version.root().get("messageHistory").into_iter().flat_map(Value::elements);
    entries.map(entry).collect()
}

fn entry(entry: Value<'_>) -> LoggedReaction {
    let text = |value: Option<Value<'_>>| Some(value?.text()?.into_owned());
    let action = text(entry.get("actions")).unwrap_or_default();
    let reaction = entry.get("reaction");
    let of_reaction = |name| text(reaction.and_then(|reaction| reaction.get(name)));
    let kind = of_reaction("reactionType");
    let is_custom = kind.as_deref() == Some("custom");
    let user = ["user", "application", "device"]
        .into_iter()
        .find_map(|who| reaction?.get("user")?.get(who).filter(|who| who.is_object()));
    LoggedReaction {
        at: text(entry.get("modifiedDateTime")),
        side: match action.as_str() {
            "reactionAdded" => Some(Side::Added),
            "reactionRemoved" => Some(Side::Removed),
            _ => None,
        },
        kind: if is_custom { of_reaction("displayName").or(kind) } else { kind },
        who: text(user.and_then(|user| user.get("id"))),
        name: text(user.and_then(|user| user.get("displayName"))),
        action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_who_reacted_and_took_it_back_when() {
        let version = br#"{"id":"1","messageHistory":[
            {"modifiedDateTime":"2024-05-01T10:00:00Z","actions":"reactionAdded","reaction":{
                "reactionType":"like","user":{"user":{"id":"u1","displayName":"Ann"}}}},
            {"modifiedDateTime":"2024-05-01T10:01:00Z","actions":"reactionRemoved","reaction":{
                "reactionType":"custom","displayName":"Party","user":{"application":{"id":"b1"}}}},
            {"actions":"actionUndefined","reaction":null}, 7]}"#;
        let logged = |at: &str, side, action: &str, kind: &str, who: &str, name: Option<&str>| {
            let text = |text: &str| Some(text.to_owned());
            let (at, kind, who) = (text(at), text(kind), text(who));
            LoggedReaction {
                at,
                side,
                action: action.to_owned(),
                kind,
                who,
                name: name.and_then(text),
            }
        };
        let log = reaction_log(&Document::parse(version).unwrap());
        let added = logged(
            "2024-05-01T10:00:00Z",
            Some(Side::Added),
            "reactionAdded",
            "like",
            "u1",
            Some("Ann"),
        );
        let removed = logged(
            "2024-05-01T10:01:00Z",
            Some(Side::Removed),
            "reactionRemoved",
            "Party",
            "b1",
            None,
        );
        assert_eq!(log[..2], [added, removed]);
        assert_eq!((log[2].side, &*log[2].action, &log[2].at), (None, "actionUndefined", &None));
        assert_eq!(log.len(), 4, "what is no entry is one that says nothing");
        for nothing in [&b"{}"[..], br#"{"messageHistory":null}"#] {
            assert_eq!(reaction_log(&Document::parse(nothing).unwrap()), []);
        }
    }
}
