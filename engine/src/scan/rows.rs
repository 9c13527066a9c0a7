//! The rows of a scan, one at a time, and rows as values of their own.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use super::choose::Chooser;
use super::cursor::Cursor;
use super::merge::Merge;
use super::page::Page;
use super::parallel::Parallel;
use super::plan::Query;
use super::render::{Batch, Readers, Rendered};
use super::select::Selection;
use super::stretch::Stretch;
use super::{Order, Scan, Versions};
use crate::archive::{Key, RowId};
use crate::document::{Document, Parts};
use crate::error::{Error, ErrorKind, Result};
use crate::segment::RowReader;
use crate::snapshot::{Stored, View};
use crate::types::{ContentAddress, MessageKey, MessageKind, Sequence, Sighting, Timestamp};

/// Rows rendered ahead at first, so that the first one comes soon.
const FIRST_AHEAD: usize = 64;
/// Rows rendered ahead at most: in a time order many rows share a text chunk only if many are
/// rendered together.
const MOST_AHEAD: usize = 65_536;

/// The rows of a scan, one at a time, in bounded memory.
///
/// It stays on its snapshot. After an error it gives no more rows, only errors.
#[derive(Debug)]
pub struct Rows {
    query: Query,
    chooser: Chooser,
    order: Ordered,
    batch: Batch,
    /// Chosen and not yet rendered, in order.
    ahead: Vec<RowId>,
    /// Rows of the batch that were given.
    given: usize,
    /// How many rows to render at once, and how many that may become.
    at_once: (usize, usize),
    left: u64,
    failed: Option<(ErrorKind, String)>,
    asked: Option<Box<Asked>>,
    /// Reads what of a row was left out.
    rest: Readers,
}

/// Asks of rows whether another scan would choose them.
#[derive(Debug)]
struct Asked {
    query: Query,
    chooser: Chooser,
    /// The page asked about last, and its source.
    page: Option<(u32, Page)>,
}

#[derive(Debug)]
enum Ordered {
    Conversation(Merge),
    Parallel(Parallel),
    Time(Selection),
}

/// Starts a scan.
pub(crate) fn rows(view: Arc<View>, scan: &Scan) -> Result<Rows> {
    Rows::of(Query::new(view, scan)?, false)
}

/// Starts a scan on several threads, where its order lets them share the work.
pub(crate) fn rows_on(view: &Arc<View>, scan: &Scan, threads: usize) -> Result<Rows> {
    let in_order = scan.order == Order::Conversation && !scan.backwards;
    let everything = scan.conversations.is_empty()
        && scan.senders.is_empty()
        && scan.custodians.is_empty()
        && (scan.created, scan.modified) == Default::default()
        && scan.stretch == Stretch::default()
        && scan.cursor.is_none();
    let alone = threads < 2 || !in_order || !everything || scan.limit.is_some();
    let mut rows = rows(Arc::clone(view), scan)?;
    if !alone {
        rows.order = Ordered::Parallel(Parallel::start(view, scan, threads)?);
    }
    Ok(rows)
}

impl Rows {
    /// `in_batches`: many rows are wanted at once.
    pub(super) fn of(query: Query, in_batches: bool) -> Result<Self> {
        let limits = *query.view.limits();
        let (order, at_once) = match query.order {
            // Forwards this is the order in which rows are stored, and rendering ahead gains nothing.
            Order::Conversation => {
                let rows = match (query.backwards, in_batches) {
                    (true, _) => (FIRST_AHEAD, MOST_AHEAD),
                    (false, true) => (limits.batch_rows, limits.batch_rows),
                    (false, false) => (1, 1),
                };
                (Ordered::Conversation(Merge::new(&query)?), rows)
            }
            Order::Created | Order::Modified => {
                (Ordered::Time(Selection::new(&query)), (FIRST_AHEAD, MOST_AHEAD))
            }
        };
        Ok(Self {
            left: query.limit,
            query,
            chooser: Chooser::default(),
            order,
            batch: Batch::within(if in_batches { limits.share_bytes } else { limits.batch_bytes }),
            ahead: Vec::new(),
            given: 0,
            at_once,
            failed: None,
            asked: None,
            rest: Readers::default(),
        })
    }

    /// Its readers of segments.
    pub(super) fn readers(&mut self) -> &mut Readers {
        &mut self.batch.readers
    }

    /// The next rows together; `None` at the end.
    pub(super) fn next_batch(&mut self) -> Result<Option<Batch>> {
        let more = self.render()?;
        Ok(more.then(|| self.batch.take()))
    }

    /// The next row, or `None` at the end or limit.
    ///
    /// `Corrupt`, with file, offset and conversations, if a part that it needs is damaged, or an error of the
    /// storage; from then on every call says that the scan has failed.
    #[expect(clippy::should_implement_trait, reason = "a row is lent, which no iterator can do")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        if let Some((kind, message)) = &self.failed {
            return Err(Error::new(*kind, format!("the scan failed before: {message}")));
        }
        match self.advance() {
            Ok(true) => Ok(self.last()),
            Ok(false) => Ok(None),
            Err(error) => {
                self.failed = Some((error.kind(), error.to_string()));
                Err(error)
            }
        }
    }

    /// Reads what [`Scan::paths`] left out of the row given last: from then on it has its whole document.
    /// False before the first row, and if the rest of it is damaged and left out.
    ///
    /// Errors are those of [`Rows::next`].
    pub fn complete(&mut self) -> Result<bool> {
        let last = self.given.checked_sub(1).and_then(|last| self.batch.rows.get_mut(last));
        let Some(row) = last else { return Ok(false) };
        if self.query.paths.is_some() {
            let start = self.batch.json.len();
            let read = self.rest.document(&self.query, row.at, &mut self.batch.json);
            if self.query.view.state().missing.pass(read)?.is_none() {
                return Ok(false);
            }
            (row.json, row.parts) = (start..self.batch.json.len(), OnceLock::new());
        }
        Ok(true)
    }

    /// Would the same scan with these versions choose the row given last to stand for its message?
    /// So one scan of every version tells which of them a reader gets. False before the first row.
    ///
    /// Errors are those of [`Rows::next`].
    pub fn is_chosen(&mut self, versions: Versions) -> Result<bool> {
        let Some(row) = self.last() else { return Ok(false) };
        let (at, conversation) = (row.keys.at, row.conversation().to_owned());
        let known = self.asked.take().filter(|asked| asked.query.filter.versions == versions);
        let asked = self.asked.insert(known.unwrap_or_else(|| {
            let (query, chooser) = (self.query.choosing(versions), Chooser::default());
            Box::new(Asked { query, chooser, page: None })
        }));
        asked.chooses(at, &conversation)
    }

    /// The place behind the last row given; `None` before the first.
    ///
    /// Computes that row's content address.
    pub fn cursor(&self) -> Option<Cursor> {
        let row = self.last()?;
        Some(Cursor {
            order: self.query.order,
            backwards: self.query.backwards,
            time: match self.query.order {
                Order::Modified => row.modified().ticks(),
                Order::Conversation | Order::Created => row.created().ticks(),
            },
            conversation: row.conversation().to_owned(),
            id: super::key::Id::of(row.id()),
            version: row.version(),
            address: row.address().ok()?,
            archive: self.query.view.archive_prefix(),
            commit: self.query.view.commit(),
        })
    }

    /// The row given last, once more; `None` before the first.
    pub fn last(&self) -> Option<Row<'_>> {
        let row = self.batch.rows.get(self.given.checked_sub(1)?)?;
        Some(Row { query: &self.query, batch: &self.batch, keys: row })
    }

    fn advance(&mut self) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        while self.given == self.batch.rows.len() {
            if !self.render()? {
                // The last row stays where `cursor` finds it.
                self.left = 0;
                return Ok(false);
            }
        }
        self.given += 1;
        self.left -= 1;
        Ok(true)
    }

    /// Renders the next rows; false at the end.
    fn render(&mut self) -> Result<bool> {
        if let Ordered::Parallel(parallel) = &mut self.order {
            let Some(batch) = parallel.next()? else { return Ok(false) };
            (self.batch, self.given) = (batch, 0);
            return Ok(true);
        }
        let (rows, most) = self.at_once;
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(rows);
        while self.ahead.len() < wanted {
            let (query, chooser) = (&self.query, &mut self.chooser);
            let next = match &mut self.order {
                Ordered::Conversation(merge) => merge.next(query, chooser)?,
                Ordered::Time(selection) => selection.next(query, chooser)?,
                Ordered::Parallel(_) => None,
            };
            let Some(at) = next else { break };
            self.ahead.push(at);
        }
        if self.ahead.is_empty() {
            return Ok(false);
        }
        let mut count = self.ahead.len().min(wanted);
        self.given = 0;
        while let Some(fit) = self.fill(&mut count)? {
            count = (fit / 4 * 3).max(1);
        }
        drop(self.ahead.drain(..count));
        if most > rows {
            let most = most.min(self.batch.room()).max(2);
            self.at_once.0 = (count.max(1) * 4).min(most);
        }
        Ok(true)
    }
}

impl Rows {
    /// Renders the next rows; what cannot be rendered is left out if that is wanted.
    fn fill(&mut self, count: &mut usize) -> Result<Option<usize>> {
        let missing = &self.query.view.state().missing;
        let filled = self.batch.fill(&self.query, &self.ahead[..*count]);
        if let Some(fit) = missing.pass(filled)? {
            return Ok(fit);
        }
        let mut kept = Vec::with_capacity(*count);
        for at in &self.ahead[..*count] {
            if missing.pass(self.batch.fill(&self.query, &[*at]))?.is_some() {
                kept.push(*at);
            }
        }
        let whole = kept.len();
        drop(self.ahead.splice(..*count, kept));
        *count = whole;
        self.batch.fill(&self.query, &self.ahead[..*count])
    }
}

impl Asked {
    fn chooses(&mut self, at: RowId, conversation: &str) -> Result<bool> {
        let holds = |(source, page): &(u32, Page)| *source == at.source && page.holds(at.row);
        let page = match self.page.take().filter(holds) {
            Some((_, page)) => page,
            None => Page::open(self.query.view.state(), at)?,
        };
        let (_, page) = self.page.insert((at.source, page));
        self.chooser.enter(conversation);
        let is_early = page.modified(at.row) <= self.query.filter.as_of();
        Ok(is_early && self.chooser.accepts(&self.query, page, at)?)
    }
}

/// A row as a scan lends it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    query: &'a Query,
    batch: &'a Batch,
    keys: &'a Rendered,
}

impl<'a> Row<'a> {
    /// The exact bytes that came in first; of a scan of [`Scan::paths`] an object that has what is at
    /// these paths, and nothing else.
    pub fn json(&self) -> &'a [u8] {
        self.batch.json.get(self.keys.json.clone()).unwrap_or_default()
    }

    /// What it says, parsed when it is first asked for.
    ///
    /// `Corrupt` if the stored bytes are no document.
    pub fn document(&self) -> Result<Document<'a>> {
        let json = self.json();
        let parts = if let Some(known) = self.keys.parts.get() {
            Arc::clone(known)
        } else {
            let unfit = |cause: Error| Error::corrupt("a stored document is none").caused_by(cause);
            let parts = Arc::new(Parts::of(json).map_err(unfit)?);
            Arc::clone(self.keys.parts.get_or_init(|| parts))
        };
        Document::of(json, parts)
    }

    /// Which message it is a row of.
    pub fn key(&self) -> MessageKey {
        MessageKey {
            record: self.keys.record,
            conversation: self.conversation().to_owned(),
            reply_to: self.reply_to().map(str::to_owned),
            id: self.id().to_owned(),
        }
    }

    /// `chatId`, or `channelIdentity.channelId`.
    pub fn conversation(&self) -> &'a str {
        self.text(&self.keys.conversation)
    }

    /// The root message in a channel's thread.
    pub fn reply_to(&self) -> Option<&'a str> {
        self.keys.reply_to.as_ref().map(|range| self.text(range))
    }

    /// The message's `id`.
    pub fn id(&self) -> &'a str {
        self.text(&self.keys.id)
    }

    /// The version's number: its etag.
    pub fn version(&self) -> u64 {
        self.keys.version
    }

    /// `createdDateTime`.
    pub fn created(&self) -> Timestamp {
        self.keys.created
    }

    /// `lastModifiedDateTime`.
    pub fn modified(&self) -> Timestamp {
        self.keys.modified
    }

    /// Who sent it, if that is known.
    pub fn sender(&self) -> Option<&'a str> {
        self.keys.sender.as_ref().map(|range| self.text(range))
    }

    /// What kind of message it is.
    pub fn kind(&self) -> MessageKind {
        self.keys.kind
    }

    /// The commit that stored it.
    pub fn sequence(&self) -> Sequence {
        self.keys.sequence
    }

    /// Who delivered it up to the commit that the scan is as of, in no particular order.
    ///
    /// `Corrupt`, or an error of the storage, if a ledger that can know of one cannot be read.
    pub fn sightings(&self) -> Result<Vec<Sighting>> {
        self.query.view.sightings(self.keys.at, &self.query.sets)
    }

    /// Who delivered it up to the commit that the scan is as of, ascending, as numbers of which [`Snapshot::custodian`] knows the names: for
    /// many rows that were delivered by the same.
    ///
    /// [`Snapshot::custodian`]: crate::Snapshot::custodian
    ///
    /// `Corrupt`, or an error of the storage, if a ledger that can know of one cannot be read.
    pub fn custodians(&self) -> Result<Vec<u32>> {
        self.query.view.custodians(self.keys.at, &self.query.sets)
    }

    /// The row as a value of its own, with its content address and who delivered it.
    ///
    /// Errors are those of [`Row::sightings`].
    pub fn to_stored(&self) -> Result<Stored> {
        Ok(Stored {
            key: self.key(),
            version: self.version(),
            created: self.created(),
            modified: self.modified(),
            sender: self.sender().map(str::to_owned),
            kind: self.kind(),
            sequence: self.sequence(),
            address: self.address()?,
            json: self.whole()?.into_owned(),
            sightings: self.sightings()?,
        })
    }

    /// Its exact bytes, whatever the scan reads of them.
    fn whole(&self) -> Result<Cow<'a, [u8]>> {
        if self.query.paths.is_none() {
            return Ok(self.json().into());
        }
        let whole = document(&self.query.view, self.keys.at)?;
        Ok(whole.ok_or_else(|| Error::corrupt("the rest of a row cannot be read"))?.into())
    }

    fn address(&self) -> Result<ContentAddress> {
        let RowId { source, row } = self.keys.at;
        if let Some(slab) = self.query.slab(source) {
            return Ok(slab.rows[row as usize].address);
        }
        let whole = self.whole()?;
        let address = self.query.view.with_addresses(|found| found.of_document(&whole));
        let live = self.query.view.state().segments.get(source as usize);
        let place = || live.map(|live| live.entry.path()).unwrap_or_default();
        address.map_err(|error| error.in_file(place()))
    }

    fn text(&self, range: &std::ops::Range<usize>) -> &'a str {
        let bytes = self.batch.texts.get(range.clone()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// Some rows as values, in the order given.
pub(crate) fn stored(view: &Arc<View>, rows: &[RowId]) -> Result<Vec<Stored>> {
    let query = Query::new(Arc::clone(view), &Scan::default())?;
    let mut batch = Batch::within(view.limits().batch_bytes);
    let mut all = Vec::with_capacity(rows.len());
    for at in rows {
        let Some(_) = view.state().missing.pass(batch.fill(&query, &[*at]))? else { continue };
        for row in &batch.rows {
            all.push(Row { query: &query, batch: &batch, keys: row }.to_stored()?);
        }
    }
    Ok(all)
}

/// A row's document; `None` if it cannot be read and is left out.
pub(crate) fn document(view: &Arc<View>, at: RowId) -> Result<Option<Vec<u8>>> {
    let state = view.state();
    let source = at.source as usize;
    let Some(live) = state.segments.get(source) else {
        let slab = &state.slabs[source - state.segments.len()];
        return Ok(Some(slab.document(&slab.rows[at.row as usize]).to_vec()));
    };
    let rendered = live.segment().and_then(|segment| {
        let mut document = Vec::new();
        RowReader::new(Arc::clone(segment))?.render(at.row, &mut document)?;
        Ok(document)
    });
    state.missing.pass(rendered)
}

/// The row that stands for a message.
pub(crate) fn latest(view: &Arc<View>, key: &Key<'_>) -> Result<Option<RowId>> {
    let rows = view.state().rows_of(key, view.until())?;
    match rows[..] {
        [] => Ok(None),
        // Nothing is to be chosen.
        [at] if view.state().came_by(at, view.until()) => Ok(Some(at)),
        _ => {
            let scan = Scan { record: key.record, ..Scan::default() };
            let query = Query::new(Arc::clone(view), &scan)?;
            Ok(Chooser::default().choose(&query, rows)?.first().copied())
        }
    }
}
