//! The service's `$filter` language, asked of an archive.
//!
//! The filter of the graph crate writes and reads the few forms that the export service takes, to
//! send them there. This one is the language itself over what is stored: any field of a message,
//! any nesting, and an answer that does not depend on what the service would have refused.
//!
//! A filter is read as a tree (`chatvault_base::filter`), what a scan can say of it becomes part of
//! the scan (`narrow`), and what is left is decided on each row's document (`evaluate`).
//!
//! Always: narrowing never leaves out a row that meets the filter.

mod evaluate;
mod field;
mod narrow;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use chatvault_base::filter;
use chatvault_engine::{Path, Scan};
pub use evaluate::Facts;

use crate::error::{Error, Result};
use evaluate::Wanted;
use field::Field;

type Tree = filter::Tree<Field>;
type Comparison = filter::Comparison<Field>;
type Operand = filter::Operand<Field>;

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
/// use chatvault_query::{Filter, Plan, Query};
///
/// let filter = "(from/user/id eq 'ann' or from/user/id eq 'ben') \
///     and lastModifiedDateTime gt 2020-06-04T18:03:11.591Z";
/// let query = Query { filter: Some(filter.to_owned()), ..Query::default() };
/// let Plan::Rows(rows) = query.plan()? else { panic!("there may be such messages") };
/// assert_eq!(rows.0.senders, ["ann", "ben"]);
/// // An app could have one of these ids: each row is asked whether a user sent it.
/// let left = rows.1.unwrap();
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

/// What is left of a filter when a scan was narrowed to it.
#[derive(Debug)]
pub(crate) enum Left {
    /// No row can meet it.
    NoRow,
    /// Every row of the scan meets it.
    EveryRow,
    /// Those rows of the scan meet it that meet this one.
    Rows(Filter),
}

impl Filter {
    /// Does a message meet it?
    pub fn matches(&self, message: Facts<'_>) -> bool {
        evaluate::meets(&self.tree, &self.wanted, message)
    }

    /// What of a message it looks at.
    pub(crate) fn paths(&self) -> Vec<Path> {
        self.wanted.paths().cloned().collect()
    }

    /// Puts as much of it as a scan can say into the scan.
    pub(crate) fn narrow(&self, scan: &mut Scan) -> Left {
        narrow::narrow(&self.tree, scan)
    }

    fn of(tree: Tree) -> Self {
        Self { wanted: Wanted::of(&tree), tree }
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(Self::of(filter::read(text)?))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.tree, f)
    }
}
