//! The service's `$filter` language, asked of an archive.
//!
//! The filter of the ingest crate writes and reads the few forms that the export service takes, to
//! send them there. This one is the language itself over what is stored: any field of a message,
//! any nesting, and an answer that does not depend on what the service would have refused.
//!
//! A filter is parsed into a tree (`parse`, `tree`), what a plain query can say of it becomes part
//! of the query (`narrow`), and what is left is decided on each row's JSON (`evaluate`).
//!
//! Always: narrowing never leaves out a row that meets the filter.

mod evaluate;
mod field;
mod narrow;
mod parse;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;
use std::str::FromStr;

pub use evaluate::Facts;

use crate::error::{Error, Result};
use crate::query::Query;
use evaluate::Wanted;
use tree::Tree;

/// A condition on messages in the service's `$filter` language.
///
/// Comparisons `eq ne gt ge lt le` between fields, texts in single quotes (two inside stand for
/// one), times without quotes, and `null`; joined by `and`, `or`, `not (…)` and brackets, at most
/// 32 inside each other. `and` binds closer than `or`. Upper and lower case matter everywhere but
/// in the `T` and `Z` of a time. A `+` may stand for a space, as in a link.
///
/// As in OData a missing value is null, equals only `null`, and is neither before nor behind
/// anything. Where the archive's index knows better than the message it is asked: `createdDateTime`
/// and `lastModifiedDateTime` always have a value, and `messageType` of an event is
/// `systemEventMessage` even if the service wrote `unknownFutureValue`.
///
/// ```
/// use chatvault_query::{Filter, Query};
///
/// let filter: Filter = "(from/user/id eq 'ann' or from/user/id eq 'ben') \
///     and lastModifiedDateTime gt 2020-06-04T18:03:11.591Z".parse()?;
/// let mut query = Query::default();
/// let left = filter.narrow(&mut query).unwrap();
/// assert_eq!(query.senders, ["ann", "ben"]);
/// assert_eq!(query.modified_from.as_deref(), Some("2020-06-04T18:03:11.5910001Z"));
/// // An app could have one of these ids: each row is asked whether a user sent it.
/// assert_eq!(left.to_string(), "from/user/id eq 'ann' or from/user/id eq 'ben'");
///
/// let error = "from/user/id = 'ann'".parse::<Filter>().unwrap_err();
/// assert!(error.to_string().starts_with("filter: character 14: expected eq, ne,"));
/// # Ok::<(), chatvault_query::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    tree: Tree,
    wanted: Wanted,
}

impl Filter {
    /// Does a message meet it?
    pub fn matches<'a>(&self, message: impl Into<Facts<'a>>) -> bool {
        evaluate::meets(&self.tree, &self.wanted, message.into())
    }

    /// Puts as much of it as a query's own fields can say into the query; what is left has to be
    /// checked row by row. `None` if the query says it all.
    ///
    /// The query's `filter` is not looked at.
    #[must_use = "what is left has to be checked row by row"]
    pub fn narrow(&self, query: &mut Query) -> Option<Self> {
        narrow::narrow(&self.tree, query).map(Self::of)
    }

    fn of(tree: Tree) -> Self {
        Self { wanted: Wanted::of(&tree), tree }
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse::parse(text).map(Self::of)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.tree, f)
    }
}
