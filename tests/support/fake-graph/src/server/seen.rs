//! What the fake saw of its clients: counters a test asks afterwards.

use std::collections::BTreeMap;

/// What is asked for; limits and counters go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The token endpoint.
    Token,
    /// `users/{id}/chats/getAllMessages`, its delta too.
    Chats,
    /// `teams/{id}/channels/getAllMessages`, of deleted teams too.
    Channels,
    /// Both `getAllRetainedMessages`.
    Retained,
    /// Targeted messages.
    Targeted,
    /// Copilot interactions.
    Copilot,
    /// Lists of recordings and transcripts.
    Meetings,
    /// Content of recordings and transcripts.
    MeetingContent,
    /// Lists of a chat message's hosted contents.
    HostedList,
    /// A chat message's hosted contents.
    Hosted,
    /// Hosted contents of channel messages, and their lists.
    ChannelHosted,
    /// A chat and its members.
    Chat,
    /// Shared files.
    Files,
    /// Users and teams.
    Directory,
    /// The second origin, where downloads lead without a token.
    Elsewhere,
    /// No endpoint of the service.
    Unknown,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests by what they asked for.
    pub requests: BTreeMap<Class, u64>,
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// Requests above a documented limit, by what they asked for. Only counted while throttling.
    pub above_limit: BTreeMap<Class, u64>,
    /// Requests in each second since the start, by what they asked for.
    pub per_second: BTreeMap<Class, Vec<u32>>,
    /// Faults and hostile answers given, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Items in all pages.
    pub items: u64,
    /// Bytes of bodies sent.
    pub bytes: u64,
    /// Tokens given out.
    pub tokens_issued: u64,
    /// Requests for a token that were refused.
    pub tokens_refused: u64,
    /// Requests with a token where none belongs: the second origin.
    pub bearer_elsewhere: u64,
    /// Continuations that were never handed out like this.
    pub altered_links: u64,
    /// The first of them.
    pub altered_samples: Vec<String>,
    /// Windows with only one bound.
    pub one_sided_windows: u64,
    /// Exports asked without `Prefer: include-unknown-enum-members`.
    pub without_prefer: u64,
    /// Most requests under way at once, their bodies included.
    pub in_flight_most: u32,
    pub(crate) in_flight: u32,
}

/// Most altered links that are kept as they came.
const SAMPLES: usize = 16;

impl Seen {
    /// All requests but those for tokens and on the second origin.
    pub fn graph_requests(&self) -> u64 {
        let outside = |class: &Class| matches!(class, Class::Token | Class::Elsewhere);
        self.requests.iter().filter(|(class, _)| !outside(class)).map(|(_, count)| count).sum()
    }

    /// Requests above any limit.
    pub fn all_above_limit(&self) -> u64 {
        self.above_limit.values().sum()
    }

    /// Requests of one class.
    pub fn of(&self, class: Class) -> u64 {
        self.requests.get(&class).copied().unwrap_or(0)
    }

    pub(crate) fn arrive(&mut self, class: Class, second: usize) {
        *self.requests.entry(class).or_default() += 1;
        let seconds = self.per_second.entry(class).or_default();
        if seconds.len() <= second {
            seconds.resize(second + 1, 0);
        }
        if let Some(count) = seconds.get_mut(second) {
            *count += 1;
        }
        self.in_flight += 1;
        self.in_flight_most = self.in_flight_most.max(self.in_flight);
    }

    pub(crate) fn leave(&mut self, bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.bytes += bytes;
    }

    pub(crate) fn altered(&mut self, link: &str) {
        self.altered_links += 1;
        if self.altered_samples.len() < SAMPLES {
            self.altered_samples.push(link.to_owned());
        }
    }
}
