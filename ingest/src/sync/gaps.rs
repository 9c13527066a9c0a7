//! What no run can bring in, although nothing failed: named in every report, so that nobody takes
//! "complete" for more than it is.

use chatvault_graph::Feed;

/// When private channels had moved to their teams' mailboxes: 2026-01-01.
const MOVED_MS: i64 = 1_767_225_600_000;

const SELF_CHATS: &str = "chats of people with themselves: the service does not export them";
const PRIVATE_CHANNELS: &str = "private channels before their move to the team's mailbox (end of \
    2025): the team's export lacks what was edited or deleted there before; export the members' \
    chats to have what their mailboxes hold";

/// The known gaps of these feeds, when they are read from this time on.
pub(super) fn gaps(feeds: &[Feed], start_ms: i64) -> Vec<String> {
    let chats = [Feed::Chats, Feed::ChatsDelta, Feed::RetainedChats];
    let has = |some: &[Feed]| some.iter().any(|feed| feeds.contains(feed));
    let mut gaps = Vec::new();
    if has(&chats) {
        gaps.push(SELF_CHATS.to_owned());
    }
    if has(&[Feed::Channels, Feed::RetainedChannels]) && start_ms < MOVED_MS {
        gaps.push(PRIVATE_CHANNELS.to_owned());
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_named_where_it_is() {
        assert_eq!(gaps(&[Feed::Copilot], 0), [""; 0]);
        assert_eq!(gaps(&[Feed::Chats], 0), [SELF_CHATS]);
        assert_eq!(gaps(&[Feed::Channels, Feed::Chats], 0), [SELF_CHATS, PRIVATE_CHANNELS]);
        assert_eq!(gaps(&[Feed::Channels], MOVED_MS), [""; 0]);
    }
}
