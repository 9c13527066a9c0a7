//! How the fake behaves: limits, page sizes, faults and malice. Everything here can change while it runs.

use std::collections::BTreeMap;

use crate::Ms;

/// The application that may sign in. A made-up one, the same for every run.
pub const CLIENT_ID: &str = "5b1f6a0c-3d0e-4a53-9f0b-8a7d2c4e6f10";
/// Its secret, unless [`Access::secret`] says otherwise.
pub const SECRET: &str = "fake~8Q~graph-secret/with+odd=characters&co";

/// Every permission the fake knows, as an administrator would consent to them.
pub const ROLES: [&str; 15] = [
    "AiEnterpriseInteraction.Read.All",
    "Application.Read.All",
    "CallRecordings.Read.All",
    "CallTranscripts.Read.All",
    "Channel.ReadBasic.All",
    "ChannelMessage.Read.All",
    "Chat.Read.All",
    "ChatMember.Read.All",
    "Files.Read.All",
    "GroupMember.Read.All",
    "OnlineMeetingRecording.Read.All",
    "OnlineMeetingTranscript.Read.All",
    "Team.ReadBasic.All",
    "TeamworkTargetedMessage.Read.All",
    "User.Read.All",
];

/// How the service answers.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Decides everything that looks like chance.
    pub seed: u64,
    /// Who may sign in, and as what.
    pub access: Access,
    /// How lists are cut into pages.
    pub paging: Paging,
    /// What goes wrong by accident.
    pub faults: Faults,
    /// The documented limits; `None` lets everything through.
    pub throttle: Option<Throttle>,
    /// What goes wrong on purpose.
    pub hostile: Option<Hostile>,
    /// Only requests whose path contains this text meet the hostile answers. `None`: all exports do.
    pub hostile_for: Option<String>,
    /// Days of the tenant's time until an unused delta token is forgotten.
    pub delta_days: u32,
    /// What the directory says otherwise from now on: fields of users, teams, chats, channels and
    /// members, by id; a member's by the user's.
    pub edits: BTreeMap<String, serde_json::Value>,
    /// Retained versions are refused, as perhaps in a tenant without a retention policy.
    pub retained_refused: bool,
    /// Milliseconds of the tenant's time until a continuation is refused. `None`: never.
    pub continuation_ms: Option<Ms>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            seed: 1,
            access: Access::default(),
            paging: Paging::default(),
            faults: Faults::default(),
            throttle: None,
            edits: BTreeMap::new(),
            hostile: None,
            hostile_for: None,
            delta_days: 7,
            continuation_ms: None,
            retained_refused: false,
        }
    }
}

/// The app registration.
#[derive(Clone)]
pub struct Access {
    /// Application id.
    pub client_id: String,
    /// Client secret.
    pub secret: String,
    /// The registered certificate, as PEM. Without one, every assertion is refused.
    pub certificate: Option<String>,
    /// When the secret ends, as the registration shows it.
    pub secret_ends: Option<Ms>,
    /// Permissions that were consented to.
    pub roles: Vec<String>,
    /// Life of a token, in seconds of real time.
    pub token_seconds: u64,
    /// Tokens are a user's: exports answer 412.
    pub delegated: bool,
    /// A 403 does not say which permission is missing.
    pub silent: bool,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            client_id: CLIENT_ID.to_owned(),
            secret: SECRET.to_owned(),
            certificate: None,
            secret_ends: None,
            roles: ROLES.map(str::to_owned).to_vec(),
            token_seconds: 3599,
            delegated: false,
            silent: false,
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Access")
            .field("client_id", &self.client_id)
            .field("roles", &self.roles)
            .field("token_seconds", &self.token_seconds)
            .field("delegated", &self.delegated)
            .finish_non_exhaustive()
    }
}

/// How lists are cut into pages. Chances are between 0 and 1.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own, on or off")]
pub struct Paging {
    /// Items in a page when `$top` is not given.
    pub default_page: usize,
    /// Most items in a page, whatever `$top` says.
    pub page_cap: usize,
    /// Chance that a page holds fewer items than it could, and goes on.
    pub short: f64,
    /// Chance that an empty page comes first, with a link to the real one.
    pub empty: f64,
    /// Chance that a page comes twice in a chain.
    pub repeated: f64,
    /// Chance that a page begins with the last item of the page before.
    pub overlapping: f64,
    /// The end of a chain is `"@odata.nextLink": null` instead of no link.
    pub null_link: bool,
    /// `@odata.count` is left out.
    pub no_count: bool,
    /// Pages are offsets into what is there when the page is asked for, not when the chain began.
    pub moving: bool,
    /// Known issue of the service: recordings asked with `$top` end after the first page.
    pub top_loses_recordings: bool,
    /// Page folders only: items in a scattered order instead of by their time.
    pub scattered: bool,
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            default_page: 10,
            page_cap: 250,
            short: 0.0,
            empty: 0.0,
            repeated: 0.0,
            overlapping: 0.0,
            null_link: false,
            no_count: false,
            moving: false,
            top_loses_recordings: true,
            scattered: false,
        }
    }
}

impl Paging {
    /// Pages as untidy as they can get while every item still comes.
    pub fn untidy() -> Self {
        Self { short: 0.3, empty: 0.2, repeated: 0.1, overlapping: 0.1, ..Self::default() }
    }
}

/// Accidents, each with its chance between 0 and 1. Which request meets one depends on the seed, the
/// address and how often it was asked before, so that asking again helps.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// 500 `Proxy_InternalServerError`.
    pub p500: f64,
    /// 502 `UpstreamServerError`.
    pub p502: f64,
    /// 503 with `Retry-After`.
    pub p503: f64,
    /// Seconds in that `Retry-After`; 0 leaves the header out.
    pub p503_retry_after: u64,
    /// 504 with an empty message.
    pub p504: f64,
    /// 504 for every request whose `$top` is larger, each time.
    pub p504_above_top: Option<u32>,
    /// 429 without having asked too much; `Retry-After` is 1.
    pub p429: f64,
    /// The connection ends before any answer.
    pub drop: f64,
    /// The connection ends in the middle of the body.
    pub cut_body: f64,
    /// The body comes in dribbles.
    pub slow: f64,
    /// The body stops in the middle, and the connection stays.
    pub stall: f64,
    /// A delta round gives some items again.
    pub delta_replays: f64,
    /// The token endpoint answers 503.
    pub token: f64,
    /// A valid token is refused as expired.
    pub p401: f64,
}

impl Faults {
    /// Every accident a retry can mend, with one chance in all of about `chance`.
    pub fn of_all_kinds(chance: f64) -> Self {
        let each = chance / 8.0;
        Self {
            p500: each,
            p502: each,
            p503: each,
            p504: each,
            drop: each,
            cut_body: each * 2.0,
            slow: each,
            delta_replays: chance,
            ..Self::default()
        }
    }
}

/// The documented limits, in requests a second of one app in one tenant.
#[derive(Clone, Debug)]
pub struct Throttle {
    /// Each export endpoint.
    pub export: u32,
    /// Copilot interactions.
    pub copilot: u32,
    /// Lists of hosted contents.
    pub hosted_list: u32,
    /// Hosted contents themselves.
    pub hosted: u32,
    /// A chat, and its members.
    pub chat: u32,
    /// Whatever has no row of its own.
    pub other: u32,
    /// Of one chat or channel, where that is limited.
    pub resource: u32,
    /// The part of each limit that may be used for long.
    pub sustained: f64,
    /// How long "for long" is, in seconds.
    pub sustained_seconds: u32,
    /// `Retry-After` of a 429; 0 leaves the header out.
    pub retry_after: u64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            export: 200,
            copilot: 30,
            hosted_list: 50,
            hosted: 60,
            chat: 200,
            other: 30,
            resource: 1,
            sustained: 0.83,
            sustained_seconds: 10,
            retry_after: 1,
        }
    }
}

/// Answers no honest service gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hostile {
    /// The nextLink leads elsewhere.
    ForeignLink(Foreign),
    /// Every page, always empty, has a new nextLink.
    EndlessEmpty,
    /// Every page has a new nextLink and the rows of the first.
    EndlessRows,
    /// The nextLink is the address that was asked.
    RepeatingLink,
    /// A well-formed page of so many bytes.
    HugePage(u64),
    /// A page with arrays so deep.
    DeepNesting(usize),
    /// `Content-Length` promises more than comes.
    LengthTooLong,
    /// `Content-Length` promises less than comes.
    LengthTooShort,
    /// A redirect to another host, for JSON.
    RedirectElsewhere,
    /// A download that redirects for ever.
    RedirectLoop,
    /// A page of HTML under status 200.
    NotJson,
    /// One item holds bytes that are not UTF-8.
    BrokenText,
    /// An error body under status 200.
    ErrorUnder200,
}

/// Where a hostile nextLink leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Another name.
    Host,
    /// The same name, another port; the fake listens there and notes whether a token comes.
    Port,
    /// The same name over another scheme.
    Scheme,
    /// Looks like the right host, but that part is a user name.
    UserInfo,
}
