//! The documents of chat messages: the same meaning in the key order of each endpoint.

mod attached;
mod body;

use chatvault_support::{quoted, stamp};

use self::body::Body;
use super::changes::{CUSTOM, REACTIONS, Reaction, State};
use super::events;
use super::life::{Message, What};
use super::media::{self, SharedFile};
use super::people::{Author, People};
use super::places::{Conversation, Kind, Places};
use super::types::Sender;

/// Everything that documents are made from.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) tenant: String,
    pub(super) people: People,
    pub(super) places: Places,
    pub(super) messages: Vec<Message>,
}

/// Which endpoint's key order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Current,
    Retained,
    Delta,
}

/// One message with all around it.
pub(super) struct Scene<'a> {
    pub(super) life: &'a Story,
    pub(super) message: &'a Message,
    pub(super) place: &'a Conversation,
    pub(super) state: State,
}

const KEYS: [&str; 24] = [
    "@odata.type",
    "id",
    "replyToId",
    "etag",
    "messageType",
    "createdDateTime",
    "lastModifiedDateTime",
    "lastEditedDateTime",
    "deletedDateTime",
    "subject",
    "summary",
    "chatId",
    "importance",
    "locale",
    "webUrl",
    "channelIdentity",
    "policyViolation",
    "eventDetail",
    "from",
    "body",
    "attachments",
    "mentions",
    "reactions",
    "messageHistory",
];
const CHATS: [usize; 24] =
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23];
/// `channelIdentity` comes behind the body.
const CHANNELS: [usize; 24] =
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 15, 20, 21, 22, 23];
/// `eventDetail` comes last, too.
const RETAINED: [usize; 24] =
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 19, 15, 20, 21, 22, 23, 17];
/// No type, and the id late.
const DELTA: [usize; 23] =
    [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 1, 18, 19, 20, 21, 22, 23];
const NULL: &str = "null";

impl Story {
    pub(super) fn author(&self, number: usize) -> &Author {
        // Numbers come from the list itself; somebody is always there: programs are.
        &self.people.authors[number.min(self.people.authors.len() - 1)]
    }

    /// Who wrote a message, for filters.
    pub(super) fn sender(&self, message: &Message) -> &Sender {
        if matches!(message.what, What::Event(_)) {
            return &Sender::None;
        }
        &self.author(message.author as usize).sender
    }

    /// The file that a message shares.
    pub(super) fn file(&self, message: &Message) -> Option<SharedFile> {
        let place = self.places.conversations.get(message.conversation as usize)?;
        media::file(message, place, &self.places.teams)
    }

    /// The document of a version, links on the real host under v1.0.
    pub(super) fn document(
        &self,
        message: &Message,
        step: usize,
        layout: Layout,
        bare: bool,
    ) -> String {
        let Some(place) = self.places.conversations.get(message.conversation as usize) else {
            return String::new();
        };
        let state = State::after(message, step);
        let scene = Scene { life: self, message, place, state };
        scene.document(message.modified(step), layout, bare)
    }
}

impl Scene<'_> {
    pub(super) fn author(&self) -> &Author {
        self.life.author(self.message.author as usize)
    }

    pub(super) fn team_id(&self) -> &str {
        let team = self.place.team.and_then(|team| self.life.places.teams.get(team));
        team.map_or("", |team| &team.id)
    }

    fn document(&self, modified: i64, layout: Layout, bare: bool) -> String {
        let values = self.values(modified, bare);
        let order: &[usize] = match layout {
            Layout::Delta => &DELTA,
            Layout::Retained => &RETAINED,
            Layout::Current if self.place.kind == Kind::Channel => &CHANNELS,
            Layout::Current => &CHATS,
        };
        let mut out = String::with_capacity(1200);
        for at in order {
            let (Some(key), Some(value)) = (KEYS.get(*at), values.get(*at)) else { continue };
            if !value.is_empty() {
                out.push_str(if out.is_empty() { "{\"" } else { ",\"" });
                out.push_str(key);
                out.push_str("\":");
                out.push_str(value);
            }
        }
        out.push_str(self.unknown());
        out.push('}');
        out
    }

    /// Values in the order of [`KEYS`]; an empty one is left out.
    fn values(&self, modified: i64, bare: bool) -> [String; 24] {
        let message = self.message;
        let body = self.body();
        let event = matches!(message.what, What::Event(_));
        let time = |at: Option<i64>| at.map_or(NULL.to_owned(), |at| quoted(&stamp(at)));
        let channel = self.place.kind == Kind::Channel;
        let detail = match message.what {
            What::Event(number) => events::detail(self, number),
            _ => NULL.to_owned(),
        };
        [
            quoted("#microsoft.graph.chatMessage"),
            quoted(&message.created.to_string()),
            message.root.map_or(NULL.to_owned(), |root| quoted(&root.to_string())),
            quoted(&modified.to_string()),
            quoted(self.message_type()),
            quoted(&stamp(message.created)),
            quoted(&stamp(modified)),
            time(self.state.edited),
            time(self.state.deleted),
            self.subject(),
            NULL.to_owned(),
            if channel { NULL.to_owned() } else { quoted(&self.place.id) },
            quoted(self.importance()),
            quoted("en-us"),
            self.web_url(),
            self.channel_identity(),
            self.policy(),
            detail,
            if event { NULL.to_owned() } else { self.author().json(!bare) },
            body.json(),
            list(&body.attachments),
            list(&body.mentions),
            list(&self.reactions()),
            self.history(),
        ]
    }

    pub(super) fn message_type(&self) -> &'static str {
        message_type(self.message.what)
    }

    fn body(&self) -> Body {
        if self.state.blocked {
            return Body::empty("text");
        }
        // Most exports keep what was deleted, some show it as clients do.
        if self.state.deleted.is_some() && self.message.seed.is_multiple_of(4) {
            return Body::empty("html");
        }
        body::write(self)
    }

    fn subject(&self) -> String {
        let post = self.place.kind == Kind::Channel && self.message.root.is_none();
        match self.message.seed % 10 {
            0..3 => quoted(""),
            3..6 if post => quoted(self.message.random(40).word(&super::words::TOPICS)),
            _ => NULL.to_owned(),
        }
    }

    fn importance(&self) -> &'static str {
        match (self.message.what, self.message.seed % 50) {
            // Newer than any documented value.
            (What::Future, 0..20) => "critical",
            (_, 0) => "urgent",
            (_, 1..4) => "high",
            _ => "normal",
        }
    }

    /// Keys that no documentation names, with numbers that no double holds.
    fn unknown(&self) -> &'static str {
        match (self.message.what, self.message.seed % 3) {
            (What::Future, 0) => {
                r##","origin":{"@odata.type":"#microsoft.graph.futureOrigin","weight":1.50,"serial":12345678901234567890}"##
            }
            (What::Future, 1) => r#","labels":[null,{"state":"someday"},[]],"isPinned":false"#,
            _ => "",
        }
    }

    fn web_url(&self) -> String {
        if self.place.kind != Kind::Channel {
            return NULL.to_owned();
        }
        let channel = self.place.id.replace(':', "%3A").replace('@', "%40");
        let (id, root) = (self.message.created, self.message.root.unwrap_or(self.message.created));
        quoted(&format!(
            "https://teams.microsoft.com/l/message/{channel}/{id}?groupId={}&tenantId={}&createdTime={id}&parentMessageId={root}",
            self.team_id(),
            self.life.tenant
        ))
    }

    fn channel_identity(&self) -> String {
        if self.place.kind != Kind::Channel {
            return NULL.to_owned();
        }
        let channel = quoted(&self.place.id);
        format!(r#"{{"teamId":"{}","channelId":{channel}}}"#, self.team_id())
    }

    fn policy(&self) -> String {
        let tip = r#"{"generalText":"This message looks like it holds an account number.","complianceUrl":"https://contoso.example/rules","matchedConditionDescriptions":["Account numbers"]}"#;
        if self.state.blocked {
            return format!(
                r#"{{"dlpAction":"notifySender,blockAccess","justificationText":null,"userAction":"none","verdictDetails":"none","policyTip":{tip}}}"#
            );
        }
        if self.state.lifted {
            return r#"{"dlpAction":"none","justificationText":"It is our own number","userAction":"override","verdictDetails":"allowOverrideWithJustification","policyTip":null}"#.to_owned();
        }
        NULL.to_owned()
    }

    fn reactions(&self) -> Vec<String> {
        let write = |one: &Reaction| {
            let user = self.life.author(one.author as usize).json(false);
            let (kind, name) = reaction(one);
            let url = self.picture(one);
            format!(
                r#"{{"reactionType":{kind},"displayName":{name},"reactionContentUrl":{url},"createdDateTime":"{}","user":{user}}}"#,
                stamp(one.at)
            )
        };
        self.state.reactions.iter().map(write).collect()
    }

    /// The picture of a custom reaction is the last hosted content of its message.
    fn picture(&self, one: &Reaction) -> String {
        if one.kind != CUSTOM {
            return NULL.to_owned();
        }
        let hosted = media::hosted_ids(self.message);
        hosted.last().map_or(NULL.to_owned(), |id| quoted(&self.address(id)))
    }

    fn address(&self, id: &str) -> String {
        media::address(self.message, self.place, &self.life.places.teams, id)
    }

    fn history(&self) -> String {
        // Some answers have the key without need, others only if there is something to tell.
        if self.state.history.is_empty() && !self.message.seed.is_multiple_of(3) {
            return String::new();
        }
        let write = |(added, one): &(bool, Reaction)| {
            let user = self.life.author(one.author as usize).json(false);
            let action = if *added { "reactionAdded" } else { "reactionRemoved" };
            format!(
                r#"{{"modifiedDateTime":"{}","actions":"{action}","reaction":{{"reactionType":{},"user":{user}}}}}"#,
                stamp(one.at),
                reaction(one).0
            )
        };
        let items: Vec<String> = self.state.history.iter().map(write).collect();
        list(&items)
    }
}

/// `messageType` as it is when the client asks for unknown members.
pub(super) fn message_type(what: What) -> &'static str {
    if matches!(what, What::Event(_)) { "systemEventMessage" } else { "message" }
}

fn reaction(one: &Reaction) -> (String, String) {
    let (kind, name) = REACTIONS.get(usize::from(one.kind)).copied().unwrap_or(REACTIONS[0]);
    (quoted(kind), name.map_or(NULL.to_owned(), quoted))
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}
