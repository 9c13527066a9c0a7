//! The rows that answer a question, a page of them.

use axum::response::Response;
use chatvault_engine::{Row, Snapshot};
use chatvault_query::Query;

use super::Call;
use super::link::Question;
use super::page::Page;
use super::refusal::{Refusal, Result};

/// Which rows of a query are meant, if a query cannot say it.
pub(super) type Keep<'k> = &'k dyn Fn(&Row<'_>) -> Result<bool>;

/// A list of rows.
pub(super) struct Listing<'k> {
    /// What its items are, as the service's metadata calls it.
    pub(super) context: String,
    pub(super) question: Question,
    pub(super) query: Query,
    pub(super) keep: Option<Keep<'k>>,
    /// Its last page says where the next round begins.
    pub(super) is_delta: bool,
}

impl Listing<'_> {
    /// The next page of it.
    pub(super) fn page(self, call: &Call, snapshot: &Snapshot) -> Result<Response> {
        let question = &self.question;
        let mut page = Page::new(&self.context);
        if !question.is_over() {
            self.fill(call, snapshot, &mut page)?;
        }
        if self.is_delta && page.next.is_none() {
            page.delta = Some(question.delta(call, snapshot));
        }
        Ok(page.answer(call, &question.at))
    }

    fn fill(&self, call: &Call, snapshot: &Snapshot, page: &mut Page) -> Result<()> {
        let question = &self.question;
        let query = Query {
            as_of_sequence: question.as_of(),
            since: question.since(),
            cursor: question.behind.clone(),
            // One more, which tells whether there is a next page.
            limit: self.keep.is_none().then_some(question.top as u64 + 1),
            ..self.query.clone()
        };
        let mut rows = query.run(snapshot)?;
        let mut behind = None;
        while let Some(row) = rows.next()? {
            if !self.keep.map_or(Ok(true), |keep| keep(&row))? {
                continue;
            }
            if let Some(behind) = behind {
                page.next = Some(question.next(call, snapshot, behind));
                break;
            }
            page.push_row(&row.to_stored()?);
            if page.is_full(question.top) {
                let cursor = rows.cursor().ok_or_else(|| Refusal::missing("row"))?;
                behind = Some(cursor.to_text());
            }
        }
        Ok(())
    }
}
