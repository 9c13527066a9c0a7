//! A chain of pages: each is made durable together with the position behind it.
//!
//! While a page is committed the next one is asked for already, and no more than that one.

use std::collections::HashSet;
use std::ops::Range;

use chatvault_engine::RecordKind;
use chatvault_graph::{Answer, Failure, Feed, Items, Link, read_page};

use super::SyncError;
use super::commit::{Page, Work};
use super::plan::Position;
use super::run::Halt;
use super::turn::Turn;

/// An answer that is no page is asked for so often before what it holds is saved.
const BROKEN_TRIES: u32 = 3;
/// So many pages without a row, one behind the other, are a chain that leads nowhere.
const EMPTY_PAGES: u32 = 1_000;
/// So many pages with the rows of the one before are one, too.
const SAME_PAGES: u32 = 16;
/// A chain of so many pages has no end.
const ENDLESS_CHAIN: usize = 100_000;

/// What ends a feed before its end.
#[derive(Debug)]
pub(super) enum End {
    /// The whole run ends.
    Halt(Halt),
    /// This feed, or a window of it.
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Halt> for End {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<SyncError> for End {
    fn from(error: SyncError) -> Self {
        Self::Halt(Halt::Error(error))
    }
}

/// An answer, and where its rows and links are.
#[derive(Debug)]
pub(super) struct Fetched {
    answer: Answer,
    items: Option<Vec<Range<usize>>>,
    pub(super) next: Option<String>,
    pub(super) delta: Option<String>,
    /// Why it is no page.
    broken: Option<String>,
}

impl Fetched {
    fn of(answer: Answer) -> Self {
        let body = answer.body.clone();
        match read_page(&body) {
            Ok(page) => {
                let items = page.items.iter().map(|item| place(&body, item)).collect();
                let (next, delta) = (page.next, page.delta);
                Self { answer, items: Some(items), next, delta, broken: None }
            }
            Err(broken) => {
                let broken = Some(broken.to_string());
                Self { answer, items: None, next: None, delta: None, broken }
            }
        }
    }
}

impl Fetched {
    /// Is there a row in it?
    pub(super) fn has_rows(&self) -> bool {
        self.items.as_ref().is_some_and(|items| !items.is_empty())
    }

    /// How many rows there are, and what stands for them: the first.
    fn rows(&self) -> (usize, [u8; 16]) {
        let items = self.items.as_deref().unwrap_or_default();
        let first = items.first().and_then(|item| self.answer.body.get(item.clone()));
        (items.len(), mark(first.unwrap_or_default()))
    }
}

/// Where a part of a body is in it.
pub(super) fn place(body: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    start..start.saturating_add(part.len())
}

/// Notices a chain that does not come to an end.
#[derive(Debug, Default)]
struct Watch {
    seen: HashSet<[u8; 16]>,
    empty: u32,
    same: u32,
    /// Stands for the rows of the page before.
    rows: Option<(usize, [u8; 16])>,
}

impl Watch {
    fn check(&mut self, link: &Link, page: &Fetched) -> Result<(), Failure> {
        let rows = page.rows();
        self.empty = if rows.0 == 0 { self.empty + 1 } else { 0 };
        self.same = if rows.0 > 0 && self.rows == Some(rows) { self.same + 1 } else { 0 };
        self.rows = Some(rows);
        let is_new = self.seen.insert(mark(link.as_str().as_bytes()));
        let again =
            page.next.as_deref().is_some_and(|next| self.seen.contains(&mark(next.as_bytes())));
        if !is_new || again {
            return Err(Failure::astray(link, "the next link is one that was followed before"));
        }
        let leads_nowhere = self.empty > EMPTY_PAGES || self.same > SAME_PAGES;
        if leads_nowhere || self.seen.len() > ENDLESS_CHAIN {
            return Err(Failure::astray(link, "the chain of pages does not come to an end"));
        }
        Ok(())
    }
}

/// Stands for bytes.
fn mark(bytes: &[u8]) -> [u8; 16] {
    let hash = *blake3::hash(bytes).as_bytes();
    let mut mark = [0; 16];
    mark.copy_from_slice(hash.split_at(16).0);
    mark
}

impl Turn<'_> {
    /// Follows a chain to its end. `advance` moves the position behind a page, and may end the
    /// chain there by taking the page's link away.
    pub(super) async fn chain(
        &mut self,
        feed: Feed,
        first: Link,
        position: &mut Position,
        advance: &mut (dyn FnMut(&mut Position, &mut Fetched) + Send),
    ) -> Result<(), End> {
        let mut watch = Watch::default();
        let mut link = first;
        let mut page = self.page(feed, &link).await?;
        loop {
            if page.next.as_deref() == Some(link.as_str()) {
                // A known fault of the service: its last page leads to itself for ever.
                page.next = None;
            }
            let broken = page.broken.take();
            let trouble = match broken {
                Some(why) => Err(Failure::astray(&link, why)),
                None => watch.check(&link, &page),
            };
            if trouble.is_ok() {
                advance(position, &mut page);
            } else {
                // Its rows come in, but the position stays in front of it.
                page.next = None;
            }
            let following = match &page.next {
                Some(next) => Some(Link::follow(self.run.client.cloud(), next)?),
                None => None,
            };
            self.report.tally.pages += 1;
            let Some(following) = following else {
                self.commit(feed, position, page).await?;
                return Ok(trouble?);
            };
            // A failure to get the next one counts only when this one is in.
            let (committed, ahead) =
                tokio::join!(self.commit(feed, position, page), self.page(feed, &following),);
            committed?;
            (link, page) = (following, ahead?);
        }
    }

    /// Asks for a page, again if what comes is none.
    async fn page(&self, feed: Feed, link: &Link) -> Result<Fetched, End> {
        let request = self.request(feed, link);
        let mut tries = 0;
        loop {
            let answer = self.run.client.get(&request, &self.meter);
            let fetched = Fetched::of(self.run.unless_stopped(answer).await??);
            self.run.answered();
            tries += 1;
            if fetched.broken.is_none() || tries >= BROKEN_TRIES {
                return Ok(fetched);
            }
        }
    }

    /// Makes a page and the position behind it durable.
    async fn commit(&self, feed: Feed, position: &Position, page: Fetched) -> Result<(), End> {
        let checkpoints = position.checkpoint()?.into_iter().collect();
        let source = format!(
            "{} of {}, request {}",
            feed.name(),
            self.custodian,
            page.answer.request_id.as_deref().unwrap_or("without an id")
        );
        let page = Page {
            conversation: None,
            custodian: self.custodian.clone(),
            record: record_of(feed),
            source,
            items: page.items,
            answer: page.answer,
        };
        self.run.commit(Work { page: Some(page), checkpoints }).await?;
        self.run.progress.add_page();
        Ok(())
    }
}

/// What the archive calls the items of a feed.
fn record_of(feed: Feed) -> RecordKind {
    match feed.items() {
        Items::Messages => RecordKind::Message,
        Items::Interactions => RecordKind::CopilotInteraction,
        Items::Recordings => RecordKind::CallRecording,
        Items::Transcripts => RecordKind::CallTranscript,
    }
}
