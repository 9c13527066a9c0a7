//! How fast and how much at once: what the service allows, and what part of it is used.

use std::time::Duration;

/// How fast and how much at once. Defaults: the documented limits of the service.
/// `f64::INFINITY` switches a limit off.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests a second to each bulk export endpoint, of this app in this tenant. 200.
    pub export_per_second: f64,
    /// Requests a second to all bulk export endpoints together. 1,000, of this app over all
    /// tenants: a share of it, if several tenants are read at the same time.
    pub app_per_second: f64,
    /// Requests a second for hosted contents. 60.
    pub hosted_per_second: f64,
    /// Requests a second to the Copilot export. 30.
    pub copilot_per_second: f64,
    /// Requests a second to each kind of everything else. 30.
    pub other_per_second: f64,
    /// Requests a second that concern one chat. 1.
    pub chat_per_second: f64,
    /// Part of each limit that may be used for long. 0.83.
    pub sustained: f64,
    /// Answers in flight or in memory at least; as many downloads beside them. 16.
    pub concurrency: usize,
    /// At most so many answers, when they come so slowly that fewer do not reach the rates. 192.
    pub most_concurrency: usize,
    /// Tries of one request. 8.
    pub attempts: u32,
    /// The longest first wait before a request is sent again; doubled with each try, up to a minute.
    /// 1 second.
    pub backoff: Duration,
    /// The largest answer that is no download, in bytes. 64 MiB.
    pub answer_bytes: usize,
    /// How long a connection may be silent in the middle of an answer. 60 seconds.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            export_per_second: 200.0,
            app_per_second: 1000.0,
            hosted_per_second: 60.0,
            copilot_per_second: 30.0,
            other_per_second: 30.0,
            chat_per_second: 1.0,
            sustained: 0.83,
            concurrency: 16,
            most_concurrency: 192,
            attempts: 8,
            backoff: Duration::from_secs(1),
            answer_bytes: 64 << 20,
            patience: Duration::from_mins(1),
        }
    }
}

/// Requests that the service counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `users/…/chats/getAllMessages`.
    Chats,
    /// `teams/…/channels/getAllMessages`.
    Channels,
    /// `getAllRetainedMessages` of users and teams.
    Retained,
    /// The list of a message's hosted contents.
    HostedList,
    /// The bytes of a hosted content.
    Hosted,
    /// Copilot interactions.
    Copilot,
    /// Meetings, and whatever has no class of its own.
    Other,
    /// Files attached to messages.
    Files,
    /// Users and groups.
    Directory,
}

impl Class {
    pub(crate) const COUNT: usize = 9;

    /// Does it count against the limit of all export endpoints together?
    pub(crate) fn is_export(self) -> bool {
        matches!(self, Self::Chats | Self::Channels | Self::Retained)
    }

    /// Requests a second that are allowed.
    pub(crate) fn per_second(self, limits: &Limits) -> f64 {
        match self {
            Self::Chats | Self::Channels | Self::Retained => limits.export_per_second,
            // Documented as 50 where the bytes have 60.
            Self::HostedList => limits.hosted_per_second * (50.0 / 60.0),
            Self::Hosted => limits.hosted_per_second,
            Self::Copilot => limits.copilot_per_second,
            Self::Other | Self::Files | Self::Directory => limits.other_per_second,
        }
    }

    /// All, in the order of their discriminants.
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Chats,
        Self::Channels,
        Self::Retained,
        Self::HostedList,
        Self::Hosted,
        Self::Copilot,
        Self::Other,
        Self::Files,
        Self::Directory,
    ];
}
