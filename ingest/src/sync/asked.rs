//! What a run was asked for, as its report keeps it: "complete" is true of this and of no more.

use chatvault_graph::Feed;
use serde::{Deserialize, Serialize};

use super::options::{Plan, SyncOptions};

/// What a run was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What of each account.
    pub feeds: Vec<Feed>,
    /// Only these accounts; empty is every active one.
    pub accounts: Vec<String>,
    /// Whose copies.
    pub plan: Plan,
    /// Only what passes this, in the service's words.
    pub filter: Option<String>,
    /// Only Copilot interactions of these classes; empty is all.
    pub app_classes: Vec<String>,
    /// Nothing before it, in milliseconds since 1970.
    pub start_ms: i64,
    /// Only this time, from and before.
    pub range_ms: Option<(i64, i64)>,
}

impl Asked {
    pub(super) fn of(options: &SyncOptions) -> Self {
        Self {
            feeds: options.feeds.clone(),
            accounts: options.accounts.iter().map(ToString::to_string).collect(),
            plan: options.plan,
            filter: options.filter.as_ref().map(ToString::to_string),
            app_classes: options.app_classes.clone(),
            start_ms: options.start.ms(),
            range_ms: options.range.map(|(from, to)| (from.ms(), to.ms())),
        }
    }
}
