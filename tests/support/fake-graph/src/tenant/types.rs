//! What a tenant is asked for and what it answers: plain values, no behaviour.

use std::sync::Arc;

/// Milliseconds since 1970, UTC.
pub type Ms = i64;

/// One day.
pub const DAY_MS: Ms = 86_400_000;
/// How long `getAllMessages` still returns a deleted message.
pub const DELETED_VISIBLE_MS: Ms = 21 * DAY_MS;
/// How long `getAllRetainedMessages` returns a version after it was superseded or deleted.
pub const RETAINED_VISIBLE_MS: Ms = 30 * DAY_MS;
/// How long a deleted user or team can still be exported.
pub const RECYCLE_BIN_MS: Ms = 30 * DAY_MS;
/// The longest that an export may trail behind what was written.
pub const LONGEST_LAG_MS: Ms = DAY_MS;
/// What links inside documents start with unless a [`Form`] says otherwise.
pub const CLOUD_ORIGIN: &str = "https://graph.microsoft.com";

/// How large a tenant to make, and which of the service's habits it has.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// People with an account in the tenant, deleted ones and guests included.
    pub users: u32,
    /// Teams, deleted ones included.
    pub teams: u32,
    /// When the simulated life begins.
    pub from: Ms,
    /// How many days messages are written.
    pub days: u32,
    /// Messages written in a day in the whole tenant; changes to them come on top.
    pub messages_per_day: u32,
    /// A retention policy: the retained endpoints give every version. Without one they are empty.
    pub retention: bool,
    /// Exports trail behind by up to a day, and participants' copies apart from each other.
    pub lag: bool,
    /// Some participants' copies of a version lack the sender's name (a *look* of the version).
    pub looks: bool,
    /// Meetings with a recording and a transcript.
    pub recordings: u32,
    /// Size of a recording; each is up to an eighth smaller.
    pub recording_bytes: u64,
    /// What every recording is, instead of made-up bytes of that size.
    pub film: Option<Vec<u8>>,
    /// Copilot prompts in a day, each with its answer.
    pub prompts_per_day: u32,
    /// Messages for one recipient only, in all the days together.
    pub targeted: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 1,
            users: 12,
            teams: 2,
            from: 1_756_684_800_000,
            days: 30,
            messages_per_day: 20,
            retention: true,
            lag: true,
            looks: true,
            recordings: 3,
            recording_bytes: 1 << 20,
            film: None,
            prompts_per_day: 3,
            targeted: 6,
        }
    }
}

/// What an export endpoint lists. Users and teams by object id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Collection {
    /// `/users/{id}/chats/getAllMessages`.
    Chats(String),
    /// The same by `/delta`: the same rows in the delta's key order, without `@odata.type`.
    ChatsDelta(String),
    /// `/users/{id}/chats/getAllRetainedMessages`.
    RetainedChats(String),
    /// `/users/{id}/teamwork/getAllRetainedTargetedMessages`.
    Targeted(String),
    /// `/teams/{id}/channels/getAllMessages`.
    Channels(String),
    /// `/teams/{id}/channels/getAllRetainedMessages`.
    RetainedChannels(String),
    /// `/teamwork/deletedTeams/{id}/channels/getAllMessages`.
    DeletedTeamChannels(String),
    /// `/teamwork/deletedTeams/{id}/channels/getAllRetainedMessages`.
    DeletedTeamRetained(String),
    /// `/users/{id}/onlineMeetings/getAllRecordings`.
    Recordings(String),
    /// `/users/{id}/onlineMeetings/getAllTranscripts`.
    Transcripts(String),
    /// `/users/{id}/adhocCalls/getAllRecordings`.
    AdhocRecordings(String),
    /// `/users/{id}/adhocCalls/getAllTranscripts`.
    AdhocTranscripts(String),
    /// `/copilot/users/{id}/interactionHistory/getAllEnterpriseInteractions`.
    Copilot(String),
}

/// Exclusive bounds of `lastModifiedDateTime` (of `createdDateTime` where there is no other).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Window {
    /// Only rows later than this.
    pub after: Option<Ms>,
    /// Only rows earlier than this.
    pub before: Option<Ms>,
}

/// What of a request shows in the documents it gets.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// `Prefer: include-unknown-enum-members` was sent: system events are named as such.
    pub unknown_members: bool,
    /// Asked under `/beta`: links say so and `onBehalfOf` is there.
    pub beta: bool,
    /// What links to Graph in the documents start with, without a slash at the end.
    pub origin: &'a str,
}

impl Default for Form<'_> {
    /// v1.0, with the Prefer header, on the real host.
    fn default() -> Self {
        Self { unknown_members: true, beta: false, origin: CLOUD_ORIGIN }
    }
}

/// Who wrote a message, as `$filter` sees it. Kinds are the service's enum names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Nobody: a system event.
    None,
    /// `from/user`.
    User {
        /// `from/user/id`.
        id: String,
        /// `from/user/userIdentityType`.
        kind: &'static str,
    },
    /// `from/application`.
    Application {
        /// `from/application/id`.
        id: String,
        /// `from/application/applicationIdentityType`.
        kind: &'static str,
    },
}

/// One row of an answer.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// `lastModifiedDateTime`; of a document without one, `createdDateTime`.
    pub modified: Ms,
    /// `createdDateTime`.
    pub created: Ms,
    /// For sender filters.
    pub sender: &'a Sender,
    /// What `$filter=messageType` compares: the true type, whatever the form shows; empty of
    /// things that are no messages.
    pub message_type: &'static str,
    /// `appClass` of a Copilot interaction.
    pub app_class: Option<&'static str>,
    /// The document, without white space around it.
    pub json: Arc<str>,
}

/// Where a message lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A chat.
    Chat(String),
    /// A channel.
    Channel {
        /// The team that hosts it.
        team: String,
        /// The channel.
        channel: String,
        /// The root message's id if the message is a reply.
        reply_to: Option<String>,
    },
}

/// What can be downloaded, or listed for download.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContentPath {
    /// `…/messages/{message}/hostedContents/{id}/$value`.
    Hosted {
        /// The message's chat or channel.
        place: Place,
        /// The message's id.
        message: String,
        /// The hosted content's id, percent-decoded.
        id: String,
    },
    /// `…/messages/{message}/hostedContents`.
    HostedList {
        /// The message's chat or channel.
        place: Place,
        /// The message's id.
        message: String,
    },
    /// `/shares/{id}/driveItem/content`.
    File {
        /// What the share id decodes to: an attachment's `contentUrl` as it stands in the message.
        content_url: String,
    },
    /// `/users/{user}/{of}/recordings/{id}/content`.
    Recording {
        /// The organizer.
        user: String,
        /// `onlineMeetings/{meetingId}` or `adhocCalls/{callId}`.
        of: String,
        /// The recording.
        id: String,
    },
    /// `…/transcripts/{id}/content`.
    Transcript {
        /// The organizer.
        user: String,
        /// `onlineMeetings/{meetingId}` or `adhocCalls/{callId}`.
        of: String,
        /// The transcript.
        id: String,
    },
    /// `…/transcripts/{id}/metadataContent`.
    TranscriptMetadata {
        /// The organizer.
        user: String,
        /// `onlineMeetings/{meetingId}` or `adhocCalls/{callId}`.
        of: String,
        /// The transcript.
        id: String,
    },
}

/// What a download gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes {
        /// `Content-Type`.
        media_type: String,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// Bytes that [`super::fill`] makes, any part at any time.
    Generated {
        /// `Content-Type`.
        media_type: String,
        /// Which bytes.
        seed: u64,
        /// How many.
        len: u64,
    },
    /// An error answer.
    Refused {
        /// HTTP status.
        status: u16,
        /// `error.code`.
        code: &'static str,
        /// `error.message`.
        message: &'static str,
    },
    /// A JSON array: the `value` of a list answer.
    List(String),
}

/// Which kind of question shows a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feed {
    /// `getAllMessages` of a user, a team or a deleted team.
    Current,
    /// `getAllRetainedMessages` of the same.
    Retained,
    /// Targeted messages.
    Targeted,
    /// Recordings.
    Recordings,
    /// Transcripts.
    Transcripts,
    /// Recordings of calls without a meeting.
    AdhocRecordings,
    /// Transcripts of calls without a meeting.
    AdhocTranscripts,
    /// Copilot interactions.
    Copilot,
}

/// Through whose export something could be seen, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// `user:ID` or `team:ID`.
    pub custodian: String,
    /// Which kind of question.
    pub feed: Feed,
    /// From this moment on.
    pub from: Ms,
    /// Until before this moment; `None` for ever.
    pub until: Option<Ms>,
}

/// One look of one version of something, that some export showed.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The document in the default [`Form`] (Prefer header sent) of the asked origin. Other key
    /// orders mean the same; only the delta's items lack `@odata.type`.
    pub json: Arc<str>,
    /// `chatId`, `channelIdentity.channelId`, or a Copilot `sessionId`, or a `meetingId`.
    pub conversation: String,
    /// The team of a channel message.
    pub team: Option<String>,
    /// `replyToId`.
    pub reply_to: Option<String>,
    /// `id`.
    pub id: String,
    /// `etag`; empty of recordings and transcripts, which have none.
    pub etag: String,
    /// `lastModifiedDateTime` or what stands for it.
    pub modified: Ms,
    /// Never empty.
    pub sightings: Vec<Sighting>,
}

/// One thing to download, whether or not it can be had.
#[derive(Clone, Debug)]
pub struct TruthObject {
    /// How it is asked for.
    pub path: ContentPath,
    /// What the answer is while it can be had, or the refusal.
    pub content: Content,
    /// The conversation (or meeting) and the message (or recording, transcript) it belongs to.
    pub conversation: String,
    /// `id` of that message or artefact.
    pub message: String,
    /// It can be had from here on …
    pub from: Ms,
    /// … until before this moment; `None` for ever.
    pub until: Option<Ms>,
}
