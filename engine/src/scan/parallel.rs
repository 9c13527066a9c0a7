//! A scan in conversation order on several threads: each renders a stretch of conversations at a time,
//! and the stretches are given in order.
//!
//! Memory is bounded: no stretch is begun that is far ahead of the one being given, and what is
//! rendered of each waits in a channel with few places.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use chatvault_base::threads::{Jobs, Pool, Urgency};

use super::Scan;
use super::plan::Query;
use super::render::{Batch, Readers};
use super::rows::Rows;
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::View;

/// Batches of a stretch that wait to be given.
const WAITING: usize = 4;

/// Rows of a stretch; `None` behind the last.
type Given = Result<Option<Batch>>;

/// Stretches that are rendered, and those that will be.
#[derive(Debug)]
pub(super) struct Parallel {
    view: Arc<View>,
    stretches: std::vec::IntoIter<Scan>,
    /// Of each stretch that is begun, until it was given. They go before `jobs`: who waits with rows learns
    /// that nobody wants them.
    begun: VecDeque<Receiver<Given>>,
    jobs: Jobs,
    /// A thread takes the readers of a stretch before, which know what it needs by now.
    spare: Arc<Mutex<Vec<Readers>>>,
}

impl Parallel {
    pub(super) fn start(view: &Arc<View>, scan: &Scan, threads: usize) -> Result<Self> {
        let stretches = super::split(view.state(), scan, view.limits().stretch_rows).into_iter();
        let (view, jobs) = (Arc::clone(view), Pool::new("chatvault-scan", threads).jobs());
        let (begun, spare) = (VecDeque::new(), Arc::default());
        let mut parallel = Self { view, stretches, begun, jobs, spare };
        (0..threads * 2).try_for_each(|_| parallel.begin())?;
        Ok(parallel)
    }

    fn begin(&mut self) -> Result<()> {
        let Some(scan) = self.stretches.next() else { return Ok(()) };
        let (send, receive) = sync_channel(WAITING);
        let (view, spare) = (Arc::clone(&self.view), Arc::clone(&self.spare));
        let work = move || {
            let end = render(&view, &scan, &send, &spare).map(|()| None);
            // Gone if nobody reads on.
            drop(send.send(end));
        };
        self.begun.push_back(receive);
        let refused = || Error::new(ErrorKind::Io, "the system starts no thread for a scan");
        self.jobs.run(Urgency::Soon, work).then_some(()).ok_or_else(refused)
    }

    /// The next rows, rendered; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Batch>> {
        while let Some(open) = self.begun.front() {
            match open.recv() {
                Ok(Ok(None)) => {}
                Ok(batch) => return batch,
                // Its end was not told: rows would be missing.
                Err(_) => return Err(Error::new(ErrorKind::Stopped, "a thread of the scan ended")),
            }
            drop(self.begun.pop_front());
            self.begin()?;
        }
        Ok(None)
    }
}

fn render(
    view: &Arc<View>,
    scan: &Scan,
    send: &SyncSender<Given>,
    spare: &Mutex<Vec<Readers>>,
) -> Result<()> {
    let mut rows = Rows::of(Query::new(Arc::clone(view), scan)?, true)?;
    let spares = || spare.lock().unwrap_or_else(PoisonError::into_inner);
    *rows.readers() = spares().pop().unwrap_or_default();
    while let Some(batch) = rows.next_batch()? {
        if send.send(Ok(Some(batch))).is_err() {
            break;
        }
    }
    spares().push(std::mem::take(rows.readers()));
    Ok(())
}
