//! Pages into the archive: threads that take what has been fetched and commit it.
//!
//! A page's rows and the position that follows it are one commit, so a kill at any moment leaves a
//! position whose rows are in. Pages of several accounts that wait together share a commit and its
//! sync. A page is answered for only when it is durable, and its chain asks for the page after the
//! next only then: that is the backpressure that keeps memory flat.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatvault_engine::{Archive, Batch, Counts, Custodian, Origin, RecordKind, RunId};
use chatvault_graph::Answer;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::cut::Cutter;
use crate::sink::{BatchSink, Sink};
use crate::split::{Shape, shape, split_documents};
use crate::window::ByteWindow;

/// A batch is committed when it has taken so many bytes of pages.
const BATCH_BYTES: usize = 8 << 20;

/// What is to be committed together.
pub(super) struct Work {
    pub(super) page: Option<Page>,
    /// Names and values, in the same commit.
    pub(super) checkpoints: Vec<(String, Vec<u8>)>,
}

/// An answer with rows in it.
pub(super) struct Page {
    pub(super) custodian: Custodian,
    pub(super) record: RecordKind,
    /// Where members belong.
    pub(super) conversation: Option<String>,
    /// Names the request in the quarantine.
    pub(super) source: String,
    pub(super) answer: Answer,
    /// Where the documents are; `None`: it is no page, and what can be saved of it is looked for.
    pub(super) items: Option<Vec<Range<usize>>>,
}

pub(super) type Reply = oneshot::Sender<bool>;
pub(super) type Job = (Work, Reply);

/// What waits for the threads. Every page holds one of the client's permits, so it stays short.
pub(super) type Queue = Mutex<UnboundedReceiver<Job>>;

/// The way to the threads. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Committer {
    queue: UnboundedSender<Job>,
    tallies: Arc<Tallies>,
}

/// What was counted, and the first error.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_custodian: BTreeMap<Custodian, Counts>,
    total: Counts,
    error: Option<chatvault_engine::Error>,
}

/// The archive took no more: the error is with [`Tallies::take_error`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused;

impl Committer {
    /// The way in, and what the threads serve.
    pub(super) fn new() -> (Self, Queue) {
        let (queue, receiver) = unbounded_channel();
        (Self { queue, tallies: Arc::default() }, Mutex::new(receiver))
    }

    pub(super) fn tallies(&self) -> &Arc<Tallies> {
        &self.tallies
    }

    /// Returns when it is durable.
    pub(super) async fn commit(&self, work: Work) -> Result<(), Refused> {
        let (reply, answer) = oneshot::channel();
        if self.queue.send((work, reply)).is_err() {
            return Err(Refused);
        }
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Refused),
        }
    }
}

impl Tallies {
    /// What was counted of one custodian so far.
    pub(super) fn of(&self, custodian: &Custodian) -> Counts {
        self.kept().by_custodian.get(custodian).copied().unwrap_or_default()
    }

    pub(super) fn total(&self) -> Counts {
        self.kept().total
    }

    pub(super) fn take_error(&self) -> Option<chatvault_engine::Error> {
        self.kept().error.take()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Commits until nobody is left who could ask for it.
pub(super) fn serve(archive: &Archive, run: RunId, queue: &Queue, tallies: &Tallies) {
    let mut cutter = Cutter::new();
    loop {
        let jobs = next_jobs(queue);
        if jobs.is_empty() {
            return;
        }
        let mut batch = archive.batch(run);
        let mut replies = Vec::with_capacity(jobs.len());
        for (work, reply) in jobs {
            if let Some(page) = &work.page {
                offer(&mut batch, page, &mut cutter);
            }
            for (name, value) in &work.checkpoints {
                batch.checkpoint(name, value);
            }
            replies.push(reply);
        }
        let done = finish(batch, tallies);
        for reply in replies {
            // Whoever asked may have been stopped meanwhile.
            let _gone = reply.send(done);
        }
    }
}

/// One job, and those that wait behind it as long as the batch stays small.
fn next_jobs(queue: &Queue) -> Vec<Job> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    let mut jobs: Vec<Job> = queue.blocking_recv().into_iter().collect();
    let size = |(work, _): &Job| work.page.as_ref().map_or(0, |page| page.answer.body.len());
    let mut bytes: usize = jobs.iter().map(size).sum();
    while bytes < BATCH_BYTES && !jobs.is_empty() {
        let Ok(job) = queue.try_recv() else { break };
        bytes += size(&job);
        jobs.push(job);
    }
    jobs
}

/// False: the archive refused.
fn finish(batch: Batch, tallies: &Tallies) -> bool {
    let committed = batch.commit();
    let mut kept = tallies.kept();
    match committed {
        Ok(report) => {
            kept.total += report.counts;
            for (custodian, counts) in report.by_custodian {
                *kept.by_custodian.entry(custodian).or_default() += counts;
            }
            true
        }
        Err(error) => {
            let _first = kept.error.get_or_insert(error);
            false
        }
    }
}

fn offer(batch: &mut Batch, page: &Page, cutter: &mut Cutter) {
    let body = &page.answer.body;
    let Some(items) = &page.items else { return salvage(batch, page, cutter) };
    for item in items {
        let Some(json) = body.get(item.clone()) else { continue };
        let origin = Origin { source: &page.source, offset: item.start as u64 };
        let place = (page.record, page.conversation.as_deref());
        batch.offer_in(&page.custodian, place, json, origin);
    }
}

/// What is no page may still have whole documents in it; the rest goes to quarantine.
fn salvage(batch: &mut Batch, page: &Page, cutter: &mut Cutter) {
    let mut window = ByteWindow::open(Box::new(Cursor::new(page.answer.body.clone())), Vec::new());
    let origin = Origin { source: &page.source, offset: 0 };
    let (custodian, record) = (&page.custodian, page.record);
    let mut sink = BatchSink { batch, custodian, record, origin };
    match shape(&mut window, cutter) {
        Shape::Documents | Shape::Lines => {
            drop(split_documents(&mut window, cutter, &mut sink));
        }
        Shape::Empty => {}
        Shape::Stranger(why) => sink.quarantine(&page.answer.body, why, 0),
    }
}
