//! The rows that answer a query, one at a time: those of the engine that meet the filter and the search.
//!
//! Invariants: memory is that of the engine's rows; a limit counts rows that are given, and the
//! cursor never lies behind a row that was not looked at.

use chatvault_engine::{Cursor, Row, Rows};

use crate::error::{Error, Result};
use crate::rest::Rest;

/// The rows that answer a query. It stays on its snapshot.
#[derive(Debug)]
pub struct Answer {
    /// None if no row can answer.
    rows: Option<Rows>,
    rest: Option<Rest>,
    left: u64,
}

impl Answer {
    /// `limit` counts the rows that meet the rest.
    pub(crate) fn new(rows: Rows, rest: Option<Rest>, limit: Option<u64>) -> Self {
        Self { rows: Some(rows), rest, left: limit.unwrap_or(u64::MAX) }
    }

    /// No row.
    pub(crate) fn empty() -> Self {
        Self { rows: None, rest: None, left: 0 }
    }

    /// The next row, or `None` at the end or limit. After an error there are only errors.
    #[expect(clippy::should_implement_trait, reason = "a row is lent, which no iterator can do")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        if !self.advance()? {
            return Ok(None);
        }
        self.left -= 1;
        Ok(self.rows.as_ref().and_then(Rows::last))
    }

    /// The place behind the last row that was looked at: a query that goes on there misses nothing
    /// and repeats nothing. `None` before the first.
    pub fn cursor(&self) -> Option<Cursor> {
        self.rows.as_ref()?.cursor()
    }

    /// Goes to the next row that meets the rest; false at the end.
    fn advance(&mut self) -> Result<bool> {
        let Some(rows) = self.rows.as_mut().filter(|_| self.left > 0) else { return Ok(false) };
        while let Some(row) = rows.next().map_err(Error::Archive)? {
            if self.rest.as_ref().is_none_or(|rest| rest.passes(&row)) {
                return Ok(true);
            }
        }
        self.left = 0;
        Ok(false)
    }
}
