//! What of a query no scan can say: it is checked on each row that a scan gives.

use std::fmt;

use chatvault_engine::{Row, Scan, Snapshot};

use crate::error::Result;
use crate::filter::{Facts, Filter};
use crate::search::{Candidates, Index, Search};

/// What of a query is left to be checked row by row.
#[derive(Clone, Debug)]
pub struct Rest {
    filter: Option<Filter>,
    search: Option<Search>,
    /// Rows that may meet the search, if an index was asked.
    candidates: Option<Candidates>,
}

impl Rest {
    pub(crate) fn of(filter: Option<Filter>, search: Option<Search>) -> Option<Self> {
        let is_some = filter.is_some() || search.is_some();
        is_some.then_some(Self { filter, search, candidates: None })
    }

    /// Does a message meet it?
    pub fn matches<'a>(&self, message: impl Into<Facts<'a>>) -> bool {
        let facts = message.into();
        self.filter.as_ref().is_none_or(|filter| filter.matches(facts))
            && self.search.as_ref().is_none_or(|search| search.matches(facts.json))
    }

    /// Asks an index for the rows that may meet the search, and narrows the scan to where they are;
    /// false if there are none.
    pub(crate) fn ask(
        &mut self,
        index: &Index,
        snapshot: &Snapshot,
        scan: &mut Scan,
    ) -> Result<bool> {
        let Some(search) = &self.search else { return Ok(true) };
        let (candidates, is_some) = index.ask(search, snapshot, scan)?;
        self.candidates = Some(candidates);
        Ok(is_some)
    }

    /// Does a row meet it? Soon known, if an index was asked.
    pub(crate) fn passes(&self, row: &Row<'_>) -> bool {
        self.candidates.as_ref().is_none_or(|candidates| candidates.has(row))
            && self.matches(Facts::from(row))
    }

    /// What is looked at in each row, for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let filter = self.filter.as_ref();
        let filter =
            filter.map(|filter| format!("filter: each row's message is checked: {filter}"));
        let among = match &self.candidates {
            Some(candidates) => format!("{} and later ones", candidates.in_words()),
            None => "each row".to_owned(),
        };
        let search = self.search.as_ref();
        let search =
            search.map(|search| format!("search: the words of {among} are checked: {search}"));
        filter.into_iter().chain(search).collect()
    }
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.filter, &self.search) {
            (Some(filter), Some(search)) => write!(f, "{filter}; search {search}"),
            (Some(filter), None) => fmt::Display::fmt(filter, f),
            (None, Some(search)) => write!(f, "search {search}"),
            (None, None) => Ok(()),
        }
    }
}
