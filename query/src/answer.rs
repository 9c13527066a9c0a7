//! The rows that answer a query, one at a time: those of the engine that meet the filter and the search.
//!
//! Invariants: memory is that of the engine's rows; a limit counts rows that are given, and the
//! cursor never lies behind a row that was not looked at.

use chatvault_engine::{Cursor, Row, Rows, Snapshot};

use crate::error::{Error, Result};
use crate::record::{Text, Texts};
use crate::rest::Rest;
use crate::search::Stretches;

/// The rows that answer a query. It stays on its snapshot.
#[derive(Debug)]
pub struct Answer {
    /// None if no row can answer.
    rows: Option<Rows>,
    /// Where the rows go on, if they are asked for in stretches.
    more: Option<(Snapshot, Box<Stretches>)>,
    /// The place behind the last row of the stretches before.
    behind: Option<Cursor>,
    rest: Option<Rest>,
    left: u64,
    /// Where the texts of transcripts are, if they are searched.
    texts: Option<Texts>,
    text: Text,
    unread: Unread,
    /// Are rows only counted? Then nobody reads more of them than the rest does.
    is_count: bool,
}

/// Transcripts that a search could not look into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// The archive does not have their texts.
    pub missing: u64,
    /// Their texts have more bytes than [`crate::record::MOST_TEXT_BYTES`].
    pub too_long: u64,
}

impl Answer {
    /// `limit` counts the rows that meet the rest.
    pub(crate) fn new(rows: Rows, rest: Option<Rest>, limit: Option<u64>, texts: Texts) -> Self {
        let texts = rest.as_ref().is_some_and(Rest::reads_texts).then_some(texts);
        let left = limit.unwrap_or(u64::MAX);
        Self { rows: Some(rows), rest, left, texts, ..Self::empty() }
    }

    /// The rows of one stretch after the other.
    pub(crate) fn in_stretches(
        (snapshot, stretches): (&Snapshot, Box<Stretches>),
        rest: Option<Rest>,
        limit: Option<u64>,
    ) -> Result<Self> {
        let left = limit.unwrap_or(u64::MAX);
        let more = Some((snapshot.clone(), stretches));
        let mut answer = Self { more, rest, left, ..Self::empty() };
        let _is_some = answer.go_on()?;
        Ok(answer)
    }

    /// No row.
    pub(crate) fn empty() -> Self {
        let (text, unread) = (Text::None, Unread::default());
        let (rows, more, behind, rest, texts) = (None, None, None, None, None);
        Self { rows, more, behind, rest, left: 0, texts, text, unread, is_count: false }
    }

    /// How many rows there are.
    pub(crate) fn count(mut self) -> Result<u64> {
        self.is_count = true;
        let mut rows = 0;
        while self.next()?.is_some() {
            rows += 1;
        }
        Ok(rows)
    }

    /// Goes to the next stretch; false if there is none.
    fn go_on(&mut self) -> Result<bool> {
        let Some((snapshot, stretches)) = &mut self.more else { return Ok(false) };
        let Some(mut next) = stretches.next()? else { return Ok(false) };
        if let Some(rest) = &mut self.rest {
            rest.narrow(next.candidates);
            next.scan.paths = rest.paths();
        }
        let rows = snapshot.scan(&next.scan).map_err(Error::Archive)?;
        if let Some(last) = self.rows.replace(rows).and_then(|rows| rows.cursor()) {
            self.behind = Some(last);
        }
        Ok(true)
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
        let last = self.rows.as_ref()?.cursor();
        last.or_else(|| self.behind.clone())
    }

    /// The text of the last row, if it is a transcript and was searched.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// The transcripts so far that a search could not look into.
    pub fn unread(&self) -> Unread {
        self.unread
    }

    /// Goes to the next row that meets the rest; false at the end.
    fn advance(&mut self) -> Result<bool> {
        while self.left > 0 {
            if self.advance_here()? {
                return Ok(true);
            }
            if !self.go_on()? {
                self.left = 0;
            }
        }
        Ok(false)
    }

    /// The same in the present stretch.
    fn advance_here(&mut self) -> Result<bool> {
        let Some(rows) = &mut self.rows else { return Ok(false) };
        while let Some(row) = rows.next().map_err(Error::Archive)? {
            let Some(rest) = &self.rest else { return Ok(true) };
            if !rest.may_pass(&row)? {
                continue;
            }
            let is_enough = self.is_count && !rest.needs_all();
            if !is_enough && !rows.complete().map_err(Error::Archive)? {
                continue;
            }
            let Some(row) = rows.last() else { continue };
            let passes = match &self.texts {
                None => rest.passes(&row)?,
                Some(texts) => {
                    let (passes, text) = rest.passes_with(&row, texts)?;
                    self.unread.missing += u64::from(text == Text::Missing);
                    self.unread.too_long += u64::from(matches!(text, Text::TooLong(_)));
                    self.text = text;
                    passes
                }
            };
            if passes {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
