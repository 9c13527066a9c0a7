//! A page that is in memory, into a batch: as one from a file goes.

use std::ops::ControlFlow;

use chatvault_engine::{Batch, Custodian, Origin, RecordKind};

use crate::cut::Cutter;
use crate::sink::BatchSink;
use crate::split::{Remarks, split};
use crate::window::ByteWindow;

/// Offers the messages of a page that was fetched, as [`import`](crate::import) offers those of a file.
///
/// `page` is an answer of the service, an array, one message or lines of messages; plain, gzip or
/// zstd. It is split without parsing it. Nothing of it is dropped in silence: what cannot be kept as
/// a row goes to the quarantine with its offset, and what did not come in whole is in the
/// [`Remarks`]. `origin` says where the page came from and at which offset there it starts.
///
/// Nothing is durable before [`Batch::commit`] returns, so the place behind the page can be one
/// [`Batch::checkpoint`] of the same commit. Works on the calling thread, without a file, lock or
/// runtime; takes a megabyte of memory beside what the batch holds.
///
/// ```
/// use std::sync::Arc;
///
/// use chatvault_engine::{Archive, Custodian, Host, Memory, Options, Origin};
/// use chatvault_ingest::{Remarks, offer_page};
///
/// let archive = Archive::create(Host::new(Arc::new(Memory::default())), Options::default())?;
/// let page = br#"{"@odata.nextLink":"https://graph.microsoft.com/next","value":[
///     {"id":"1772438400000","etag":"1772438400000","chatId":"19:a@thread.v2",
///      "createdDateTime":"2026-03-02T08:00:00Z","lastModifiedDateTime":"2026-03-02T08:00:00Z"},
///     {"id":"of no chat"}]}"#;
/// let mut batch = archive.batch(archive.begin_run("my fetcher")?);
/// let origin = Origin { source: "getAllMessages, page 1", offset: 0 };
/// let remarks = offer_page(&mut batch, &Custodian::user("ada"), page, origin);
/// assert_eq!(remarks, Remarks::default());
/// batch.checkpoint("ada", b"https://graph.microsoft.com/next");
/// let counts = batch.commit()?.counts;
/// assert_eq!((counts.offered, counts.stored, counts.quarantined), (2, 1, 1));
/// # Ok::<(), chatvault_engine::Error>(())
/// ```
pub fn offer_page(
    batch: &mut Batch,
    custodian: &Custodian,
    page: &[u8],
    origin: Origin<'_>,
) -> Remarks {
    let mut window = ByteWindow::open(Box::new(page), Vec::new());
    let mut sink = BatchSink { batch, custodian, record: RecordKind::Message, origin };
    let take_none = &mut |_: &mut ByteWindow<'_>, _| ControlFlow::Continue(false);
    let mut remarks = split(&mut window, &mut Cutter::new(), &mut sink, take_none);
    remarks.cut_short(&mut window);
    remarks
}
