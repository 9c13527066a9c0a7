//! What kind of conversation an id stands for.

/// What kind of conversation it is, by the form of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConversationKind {
    /// A chat of two.
    OneOnOne,
    /// A chat of several.
    Group,
    /// The chat of a meeting.
    Meeting,
    /// A channel of a team.
    Channel,
    /// With Copilot.
    Copilot,
    /// An id of another form.
    Other,
}

impl ConversationKind {
    /// By the form of the id. Ids are opaque to the service's word, but their forms are stable.
    pub fn of(id: &str) -> Self {
        const COPILOT_CHARS: usize = 44;
        let Some((own, domain)) = id.strip_prefix("19:").and_then(|id| id.rsplit_once('@')) else {
            return Self::Other;
        };
        match domain {
            "unq.gbl.spaces" => Self::OneOnOne,
            "thread.tacv2" | "thread.skype" => Self::Channel,
            "thread.v2" if own.starts_with("meeting_") => Self::Meeting,
            "thread.v2" if own.len() == COPILOT_CHARS && own.ends_with('1') => Self::Copilot,
            "thread.v2" => Self::Group,
            _ => Self::Other,
        }
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneOnOne => "one-on-one",
            Self::Group => "group",
            Self::Meeting => "meeting",
            Self::Channel => "channel",
            Self::Copilot => "copilot",
            Self::Other => "other",
        }
    }

    /// Whom the id of a chat of two names.
    pub(super) fn pair(id: &str) -> Option<(&str, &str)> {
        let own = id.strip_prefix("19:")?.strip_suffix("@unq.gbl.spaces")?;
        let (left, right) = own.split_once('_')?;
        (!left.is_empty() && !right.is_empty()).then_some((left, right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_an_id_tells_the_kind() {
        let copilot = format!("19:{}1@thread.v2", "aB3-_".repeat(9).get(..43).unwrap());
        for (id, kind) in [
            ("19:0ada0000-1111_0ben0000-2222@unq.gbl.spaces", ConversationKind::OneOnOne),
            ("19:0123456789abcdef0123456789abcdef@thread.v2", ConversationKind::Group),
            ("19:meeting_MjdhNjM4YzUtYzExZi00@thread.v2", ConversationKind::Meeting),
            ("19:0123456789abcdef0123456789abcdef@thread.tacv2", ConversationKind::Channel),
            ("19:0123456789abcdef0123456789abcdef@thread.skype", ConversationKind::Channel),
            (&copilot, ConversationKind::Copilot),
            ("48:notes", ConversationKind::Other),
            ("", ConversationKind::Other),
        ] {
            assert_eq!(ConversationKind::of(id), kind, "{id}");
        }
        assert_eq!(ConversationKind::pair("19:a_b@unq.gbl.spaces"), Some(("a", "b")));
        assert_eq!(ConversationKind::pair("19:_b@unq.gbl.spaces"), None);
    }
}
