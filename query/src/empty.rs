//! Why a question has no answer: which of its conditions leaves nothing.

use chatvault_engine::Snapshot;

use crate::error::Result;
use crate::query::Query;
use crate::search::Index;

/// How many rows there would be without one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Without {
    /// The query's field; of a range `created` or `modified`.
    pub field: &'static str,
    /// So many rows meet all the others.
    pub rows: u64,
}

type Ease = fn(&mut Query);

const CONDITIONS: [(&str, Ease); 11] = [
    ("chats", |query| query.chats.clear()),
    ("senders", |query| query.senders.clear()),
    ("custodians", |query| query.custodians.clear()),
    ("kinds", |query| query.kinds.clear()),
    ("created", |query| (query.created_from, query.created_to) = (None, None)),
    ("modified", |query| (query.modified_from, query.modified_to) = (None, None)),
    ("filter", |query| query.filter = None),
    ("search", |query| query.search = None),
    ("has_file", |query| query.has_file = false),
    ("as_of", |query| query.as_of = None),
    ("since", |query| query.since = None),
];

impl Query {
    /// For a query that nothing answers: each condition without which something would, with how
    /// much. Nothing if it takes more than one away, or if the archive is empty. Counts once for
    /// each condition that is set.
    ///
    /// Errors are those of [`Query::count_with`].
    pub fn why_empty(&self, snapshot: &Snapshot, index: Option<&Index>) -> Result<Vec<Without>> {
        let whole = Self { limit: None, cursor: None, ..self.clone() };
        let mut found = Vec::new();
        for (field, ease) in CONDITIONS {
            let mut eased = whole.clone();
            ease(&mut eased);
            if eased == whole {
                continue;
            }
            let rows = eased.count_with(snapshot, index)?;
            found.extend((rows > 0).then_some(Without { field, rows }));
        }
        Ok(found)
    }
}
