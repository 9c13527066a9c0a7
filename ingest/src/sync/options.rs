//! What a caller of `sync` chooses.

use std::path::PathBuf;
use std::sync::Arc;

use chatvault_engine::{Clock, Custodian, SystemClock, Timestamp};
use chatvault_graph::{App, Feed, Filter, Limits, Model};
use serde::{Deserialize, Serialize};

use super::account::Rule;

/// The day before which no Teams message can have been written: 2017-03-01.
const FIRST_DAY_MS: i64 = 1_488_326_400_000;

/// Where to ask, as whom and how fast.
#[derive(Clone, Debug)]
pub struct Service {
    /// The app registration that signs in.
    pub app: App,
    /// How fast and how much at once.
    pub limits: Limits,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    /// When a client secret ends, if somebody knows.
    pub secret_expires: Option<Timestamp>,
}

impl Service {
    /// An app with the documented limits and the system's clock.
    pub fn new(app: App) -> Self {
        let (limits, clock) = (Limits::default(), Arc::new(SystemClock));
        Self { app, limits, clock, secret_expires: None }
    }
}

/// Which binary content is fetched for what is in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Inline images, code snippets, custom emoji. Needs no permission beyond the messages'.
    pub hosted: bool,
    /// Attached files, from where they are shared. Needs `Files.Read.All`.
    pub files: bool,
    /// Recordings and transcripts whose entries a feed brought.
    pub meetings: bool,
}

/// Whose copies of a chat's messages are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plan {
    /// Every participant's: complete, and the archive knows whose exports delivered what.
    #[default]
    EveryCopy,
    /// Of each user's export only what that user wrote and what no user wrote. Each message is
    /// delivered about once; messages of people whose accounts are not active are missed.
    FetchOnce,
}

/// What to keep up to date, and how thoroughly: [`SyncOptions::new`], then assign.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub struct SyncOptions {
    /// What of each account is exported. Messages and their retained versions.
    pub feeds: Vec<Feed>,
    /// Only these of the active accounts; empty is all of them.
    pub accounts: Vec<Custodian>,
    /// Accounts that the directory names and nobody has decided about become active if this fits. None.
    pub activate_new: Option<Rule>,
    /// Keep what the directory says of users and teams, and ask for the names and members of
    /// conversations with new messages. Yes.
    pub directory: bool,
    /// Ask the directory for users and teams first. Yes.
    pub discover: bool,
    /// Deleted users and teams too, as long as the service keeps them (30 days). Yes.
    pub deleted: bool,
    /// Which binary content is fetched. All.
    pub content: Content,
    /// Content that could not be had is tried again in later runs for so long. 21 days.
    pub content_days: u32,
    /// Where unfinished downloads are kept, so that they go on where they were cut.
    pub spool: PathBuf,
    /// What an account is asked for starts here. 2017-03-01, before the first Teams message. An
    /// earlier start than in the last run brings in the time between; a later one changes nothing.
    pub start: Timestamp,
    /// Only this time, from and before: once, and no position moves. When messages were changed last;
    /// when recordings, transcripts and Copilot interactions were made.
    pub range: Option<(Timestamp, Timestamp)>,
    /// What was read in the last run is read again this far back: exports lag. 48 hours.
    pub overlap_hours: u32,
    /// Windows end so long before now. 5 minutes.
    pub settle_minutes: u32,
    /// Width of an account's first window. It grows while windows hold little, and is
    /// halved when they hold a lot. 7 days.
    pub window_days: u32,
    /// From time to time this much is read again, for late deletes and long lag. 21 days.
    pub rescan_days: u32,
    /// How often that is. Every 7 days.
    pub rescan_every_days: u32,
    /// Rows asked for at once; the service answers with fewer when it likes. 250.
    pub page_rows: u32,
    /// Whose copies are asked for.
    pub plan: Plan,
    /// Only what passes this. It has positions of its own: what it leaves out is read by the next
    /// run without it. A range of time in it is the run's. A feed that does not know it is refused.
    pub filter: Option<Filter>,
    /// Only Copilot interactions of these classes; empty is all.
    pub app_classes: Vec<String>,
    /// The service's former licensing parameter, passed on as it is. It is ignored since 2025.
    pub model: Option<Model>,
    /// Forget how far each account is, and read everything again.
    pub fresh: bool,
}

impl SyncOptions {
    /// The usual: messages and their retained versions of every active account.
    pub fn new(spool: impl Into<PathBuf>) -> Self {
        Self {
            feeds: vec![Feed::Chats, Feed::RetainedChats, Feed::Channels, Feed::RetainedChannels],
            accounts: Vec::new(),
            activate_new: None,
            directory: true,
            discover: true,
            deleted: true,
            content: Content { hosted: true, files: true, meetings: true },
            content_days: 21,
            spool: spool.into(),
            start: Timestamp::from_ms(FIRST_DAY_MS),
            range: None,
            overlap_hours: 48,
            settle_minutes: 5,
            window_days: 7,
            rescan_days: 21,
            rescan_every_days: 7,
            page_rows: 250,
            plan: Plan::EveryCopy,
            filter: None,
            app_classes: Vec::new(),
            model: None,
            fresh: false,
        }
    }
}
