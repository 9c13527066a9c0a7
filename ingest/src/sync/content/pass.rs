//! A pass: one walk through what is new, many conversations at once, one task that commits.
//!
//! Channels are bounded, so the walk waits for the work and the work for the commits. Dropping the
//! future ends everything: the walk and the committer end when their channel does, workers at
//! once.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec;

use chatvault_engine::Sequence;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};

use super::commit::{self, Outcome};
use super::fetch::{self, Halt};
use super::references::Kind;
use super::walk::{Job, ResumePoint, Walk, Wanted};
use super::{Contents, blocking};
use crate::sync::SyncError;

/// Conversations worked on at once: enough to reach 60 requests a second at one a second each.
const CONVERSATIONS: usize = 64;
/// Contents of one conversation fetched at once besides its hosted ones.
const LANES: usize = 4;
/// Pieces read at once: rows are large while they are taken apart.
const READERS: usize = 4;
/// Digits that part what is missing of a conversation, so that it is not read at once.
const PARTS: u16 = 256;

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pass {
    /// Rows looked at: all that arrived since the last pass that ended. 0: it is at the end.
    pub(crate) rows: u64,
    /// Contents linked.
    pub(crate) linked: u64,
    /// Contents that could not be had.
    pub(crate) failures: u64,
    /// Everything up to this commit was looked at.
    pub(crate) through: Sequence,
    /// It was asked to stop, and the next pass begins where this one did.
    pub(crate) stopped: bool,
}

/// What the workers share.
struct Work {
    contents: Arc<Contents>,
    walk: Arc<Walk>,
    outcomes: mpsc::Sender<Outcome>,
    readers: Semaphore,
}

/// Runs one pass. After an error what was done before it is committed, and the position stays.
pub(super) async fn run(contents: &Arc<Contents>) -> Result<Pass, SyncError> {
    let here = Arc::clone(contents);
    let walk = Arc::new(blocking(move || Walk::new(&here)).await?);
    let (outcomes, receiver) = mpsc::channel(commit::BATCH);
    let committer = tokio::spawn(commit::run(Arc::clone(contents), receiver));
    let (offer, jobs) = mpsc::channel(CONVERSATIONS);
    let walker = {
        let (contents, walk) = (Arc::clone(contents), Arc::clone(&walk));
        tokio::task::spawn_blocking(move || look(&contents, &walk, &offer))
    };
    let readers = Semaphore::new(READERS);
    let work = Work { contents: Arc::clone(contents), walk: Arc::clone(&walk), outcomes, readers };
    let worked = distribute(Arc::new(work), jobs).await;
    let looked = joined(walker.await);
    let outcome = joined(committer.await);
    // Who commits knows best why nothing could be committed.
    let sums = outcome?;
    let stopped = match worked {
        Err(Halt::Failed(error)) => return Err(error),
        Err(Halt::NobodyCommits) => true,
        Ok(()) => contents.is_stopped(),
    };
    let rows = looked?;
    if !stopped && rows > 0 {
        let (contents, walk) = (Arc::clone(contents), Arc::clone(&walk));
        blocking(move || advance(&contents, &walk)).await?;
    }
    let (linked, failures) = (sums.linked, sums.failures);
    Ok(Pass { rows, linked, failures, through: walk.sequence(), stopped })
}

/// Offers every conversation with something to do.
fn look(contents: &Contents, walk: &Walk, offer: &mpsc::Sender<Job>) -> Result<u64, SyncError> {
    let mut open = true;
    let mut offer = |job| {
        open = open && offer.blocking_send(job).is_ok();
        open
    };
    // Once in a run.
    if !contents.tried_again.swap(true, Ordering::Relaxed) {
        walk.missing(&mut offer)?;
    }
    walk.conversations(&mut offer)
}

fn advance(contents: &Contents, walk: &Walk) -> Result<(), SyncError> {
    let mut batch = contents.settings.archive.batch(contents.settings.run);
    walk.positions_behind().put(&mut batch);
    batch.commit().map(drop).map_err(SyncError::Archive)
}

/// Gives every conversation a task, up to so many at once, until there are no more, one fails or
/// the pass is to stop. Tasks that still run are then ended.
async fn distribute(work: Arc<Work>, mut jobs: mpsc::Receiver<Job>) -> Result<(), Halt> {
    let mut tasks: JoinSet<Result<(), Halt>> = JoinSet::new();
    let mut more = true;
    let mut result = Ok(());
    while result.is_ok() && (more || !tasks.is_empty()) {
        tokio::select! {
            biased;
            () = work.contents.stopped() => break,
            Some(done) = tasks.join_next() => result = joined(done),
            job = jobs.recv(), if more && tasks.len() < CONVERSATIONS => match job {
                Some(job) => drop(tasks.spawn(conversation(Arc::clone(&work), job))),
                None => more = false,
            },
        }
    }
    tasks.shutdown().await;
    result
}

async fn conversation(work: Arc<Work>, job: Job) -> Result<(), Halt> {
    match job {
        Job::Rows { record, conversation } => {
            let mut place = Some(ResumePoint::default());
            while let Some(at) = place.take() {
                let conversation = conversation.clone();
                let read = move |walk: &Walk| walk.piece(record, &conversation, at);
                let (piece, next) = work.read(read).await?;
                work.fetch(piece).await?;
                place = next;
            }
        }
        Job::Again { part } => {
            for digits in 0..PARTS {
                let names = format!("{part}{digits:02x}");
                let piece = work.read(move |walk: &Walk| walk.again(&names)).await?;
                work.fetch(piece).await?;
            }
        }
    }
    Ok(())
}

impl Work {
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Walk) -> Result<T, SyncError> + Send + 'static,
    ) -> Result<T, Halt> {
        // It is never closed.
        let _permit = self.readers.acquire().await.ok();
        let walk = Arc::clone(&self.walk);
        blocking(move || read(&walk)).await.map_err(Halt::Failed)
    }

    /// Hosted contents one after the other, as the service counts them by chat; some of the rest
    /// beside them.
    async fn fetch(&self, piece: Vec<Wanted>) -> Result<(), Halt> {
        if piece.is_empty() {
            return Ok(());
        }
        let is_hosted = |wanted: &Wanted| wanted.reference.source.kind() == Kind::Hosted;
        let (hosted, rest): (Vec<_>, Vec<_>) = piece.into_iter().partition(is_hosted);
        let (hosted, rest) = (Queue::new(hosted), Queue::new(rest));
        let lanes: [_; LANES] = std::array::from_fn(|_| self.lane(&rest));
        let [a, b, c, d] = lanes;
        tokio::try_join!(self.lane(&hosted), a, b, c, d).map(drop)
    }

    async fn lane(&self, queue: &Queue) -> Result<(), Halt> {
        while let Some(wanted) = queue.next() {
            // On the heap, or each conversation would hold the space of five downloads all the time.
            Box::pin(fetch::one(&self.contents, wanted, &self.outcomes)).await?;
        }
        Ok(())
    }
}

struct Queue(Mutex<vec::IntoIter<Wanted>>);

impl Queue {
    fn new(wanted: Vec<Wanted>) -> Self {
        Self(Mutex::new(wanted.into_iter()))
    }

    fn next(&self) -> Option<Wanted> {
        let mut rest: MutexGuard<'_, _> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rest.next()
    }
}

/// The result of a task. A panic goes on here, where somebody waits for it.
pub(super) fn joined<T>(done: Result<T, JoinError>) -> T {
    match done {
        Ok(value) => value,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}
