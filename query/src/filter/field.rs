//! The fields of a message that a filter can name.

use chatvault_base::filter::{self, Type};

/// A scalar field of a chatMessage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Created,
    Modified,
    Edited,
    Deleted,
    MessageType,
    Id,
    Etag,
    ReplyTo,
    Chat,
    Team,
    Channel,
    Subject,
    Summary,
    Importance,
    Locale,
    WebUrl,
    BodyType,
    User,
    UserName,
    UserType,
    Application,
    ApplicationName,
    ApplicationType,
    Device,
    AppClass,
}

/// Every field under its path in a message. In the order of [`Field`].
const PATHS: [(Field, &str); Field::COUNT] = [
    (Field::Created, "createdDateTime"),
    (Field::Modified, "lastModifiedDateTime"),
    (Field::Edited, "lastEditedDateTime"),
    (Field::Deleted, "deletedDateTime"),
    (Field::MessageType, "messageType"),
    (Field::Id, "id"),
    (Field::Etag, "etag"),
    (Field::ReplyTo, "replyToId"),
    (Field::Chat, "chatId"),
    (Field::Team, "channelIdentity/teamId"),
    (Field::Channel, "channelIdentity/channelId"),
    (Field::Subject, "subject"),
    (Field::Summary, "summary"),
    (Field::Importance, "importance"),
    (Field::Locale, "locale"),
    (Field::WebUrl, "webUrl"),
    (Field::BodyType, "body/contentType"),
    (Field::User, "from/user/id"),
    (Field::UserName, "from/user/displayName"),
    (Field::UserType, "from/user/userIdentityType"),
    (Field::Application, "from/application/id"),
    (Field::ApplicationName, "from/application/displayName"),
    (Field::ApplicationType, "from/application/applicationIdentityType"),
    (Field::Device, "from/device/id"),
    (Field::AppClass, "appClass"),
];

impl filter::Field for Field {
    const EXPECTED: &'static str = "a field: lastModifiedDateTime, createdDateTime, \
        lastEditedDateTime, deletedDateTime, messageType, from/user/id, from/user/displayName, \
        from/user/userIdentityType, from/application/id, from/application/displayName, \
        from/application/applicationIdentityType, from/device/id, chatId, channelIdentity/teamId, \
        channelIdentity/channelId, replyToId, id, etag, subject, summary, importance, locale, \
        webUrl, body/contentType or appClass (upper and lower case matter)";

    fn named(path: &str) -> Option<Self> {
        PATHS.iter().find(|(_, known)| *known == path).map(|(field, _)| *field)
    }

    fn path(self) -> &'static str {
        PATHS.get(self as usize).map_or("", |(_, path)| path)
    }

    fn value_type(self) -> Type {
        match self {
            Self::Created | Self::Modified | Self::Edited | Self::Deleted => Type::Time,
            _ => Type::Text,
        }
    }
}

impl Field {
    pub(super) const COUNT: usize = Self::AppClass as usize + 1;

    /// The archive knows these of every row, whatever the message says.
    pub(super) fn is_never_null(self) -> bool {
        matches!(self, Self::Created | Self::Modified)
    }

    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        PATHS.iter().map(|(field, _)| *field)
    }
}

#[cfg(test)]
mod tests {
    use filter::Field as _;

    use super::*;

    #[test]
    fn every_field_is_found_by_its_path_and_listed_in_the_error() {
        for (at, field) in Field::all().enumerate() {
            assert_eq!((field as usize, Field::named(field.path())), (at, Some(field)));
            assert!(Field::EXPECTED.contains(field.path()), "{field:?}");
        }
        assert_eq!(Field::named("messsageType"), None);
        assert_eq!(Field::named("lastmodifieddatetime"), None);
    }
}
