//! What a run was asked for, for people and for programs.

use std::path::PathBuf;

use chatvault_engine::Timestamp;
use chatvault_ingest::graph::Feed;
use chatvault_ingest::sync::{Asked, Plan, SyncOptions};
use chatvault_query::format_time;
use serde::Serialize;

use super::{minute, time};

/// As `--json` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct AskedFacts<'a> {
    feeds: Vec<&'static str>,
    accounts: &'a [String],
    plan: Plan,
    filter: Option<&'a str>,
    app_classes: &'a [String],
    start: String,
    from: Option<String>,
    to: Option<String>,
}

impl<'a> From<&'a Asked> for AskedFacts<'a> {
    fn from(asked: &'a Asked) -> Self {
        Self {
            feeds: asked.feeds.iter().map(|feed| feed.name()).collect(),
            accounts: &asked.accounts,
            plan: asked.plan,
            filter: asked.filter.as_deref(),
            app_classes: &asked.app_classes,
            start: time(asked.start_ms),
            from: asked.range_ms.map(|(from, _)| time(from)),
            to: asked.range_ms.and_then(end).map(time),
        }
    }
}

/// All of it: `chats, channels; every copy; from 2017-03-01`.
pub(crate) fn in_words(asked: &Asked) -> String {
    let plan = match asked.plan {
        Plan::EveryCopy => "every copy",
        Plan::FetchOnce => "fetch once",
    };
    let mut parts = vec![feeds(&asked.feeds), plan.to_owned()];
    if asked.range_ms.is_none() {
        parts.push(format!("from {}", day(asked.start_ms)));
    }
    parts.extend(narrowing(asked));
    if !asked.accounts.is_empty() {
        parts.push(format!("only {}", asked.accounts.join(", ")));
    }
    parts.join("; ")
}

/// What of an account it was: nothing if that is all of the usual feeds.
pub(crate) fn part(asked: &Asked) -> Option<String> {
    let usual = SyncOptions::new(PathBuf::new());
    let mut parts = Vec::new();
    if usual.feeds.iter().any(|feed| !asked.feeds.contains(feed)) {
        parts.push(feeds(&asked.feeds));
    }
    if asked.plan != usual.plan {
        parts.push("fetch once".to_owned());
    }
    if asked.range_ms.is_none() && asked.start_ms > usual.start.ms() {
        parts.push(format!("from {}", day(asked.start_ms)));
    }
    parts.extend(narrowing(asked));
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn narrowing(asked: &Asked) -> impl Iterator<Item = String> {
    let range = asked.range_ms.map(|range| {
        let to = end(range).map(|to| format!(" to {}", minute(to)));
        format!("only {}{}", minute(range.0), to.unwrap_or_else(|| " to now".to_owned()))
    });
    let filter = asked.filter.iter().map(|filter| format!("filter {filter}"));
    range
        .into_iter()
        .chain(filter)
        .chain(asked.app_classes.iter().map(|class| format!("app class {class}")))
}

/// The end of a range, if it has one.
fn end((_, to): (i64, i64)) -> Option<i64> {
    (to < Timestamp::MAX.ms()).then_some(to)
}

fn feeds(feeds: &[Feed]) -> String {
    feeds.iter().map(|feed| feed.name()).collect::<Vec<_>>().join(", ")
}

/// The day of a time.
pub(crate) fn day(ms: i64) -> String {
    format_time(Timestamp::from_ms(ms)).chars().take(10).collect()
}

/// The first day that is read if nothing else is asked for.
pub(crate) fn first_day_ms() -> i64 {
    SyncOptions::new(PathBuf::new()).start.ms()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_told_in_full_and_what_is_unusual_in_short() {
        let usual = SyncOptions::new(PathBuf::new());
        let mut asked = Asked {
            feeds: usual.feeds,
            accounts: Vec::new(),
            plan: Plan::EveryCopy,
            filter: None,
            app_classes: Vec::new(),
            start_ms: first_day_ms(),
            range_ms: None,
        };
        let all = "chats, retained-chats, channels, retained-channels; every copy; from 2017-03-01";
        assert_eq!((in_words(&asked).as_str(), part(&asked)), (all, None));
        asked.start_ms += 86_400_000;
        assert_eq!(part(&asked).unwrap(), "from 2017-03-02");
        asked.start_ms = first_day_ms();
        asked.feeds.push(Feed::Copilot);
        assert_eq!(part(&asked), None, "more than usual is no part");
        asked.range_ms = Some((1_704_067_200_000, 1_706_745_600_000));
        assert_eq!(part(&asked).unwrap(), "only 2024-01-01 00:00 to 2024-02-01 00:00");
        asked.range_ms = None;
        asked.feeds = vec![Feed::Chats];
        asked.plan = Plan::FetchOnce;
        asked.filter = Some("from/user/id eq 'a'".to_owned());
        asked.accounts = vec!["user:a".to_owned()];
        assert_eq!(
            in_words(&asked),
            "chats; fetch once; from 2017-03-01; filter from/user/id eq 'a'; only user:a"
        );
        assert_eq!(part(&asked).unwrap(), "chats; fetch once; filter from/user/id eq 'a'");
    }
}
