//! A few threads for the background work of many archives.
//!
//! Invariants: threads are started for work and end once none is left, so an idle archive costs
//! none. Nobody may wait for a job to begin: all threads can be busy for long, or none may be had.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What comes first when threads are short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Commits wait for it soon.
    Soon,
    /// Nobody waits for it.
    Late,
}

struct Job {
    owner: u64,
    work: Box<dyn FnOnce() + Send>,
}

/// Threads up to a limit.
#[derive(Debug)]
pub(crate) struct Pool {
    limit: usize,
    /// Held for a moment, never over work.
    state: Mutex<State>,
    /// Signalled whenever a job has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    soon: VecDeque<Job>,
    late: VecDeque<Job>,
    threads: usize,
    /// The owner of each job that runs.
    running: Vec<u64>,
    owners: u64,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("threads", &self.threads)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl State {
    fn take(&mut self) -> Option<Job> {
        let job = self.soon.pop_front().or_else(|| self.late.pop_front())?;
        self.running.push(job.owner);
        Some(job)
    }

    fn waiting(&self) -> usize {
        self.soon.len() + self.late.len()
    }
}

impl Pool {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), state: Mutex::default(), ended: Condvar::new() }
    }

    /// Works until nothing waits.
    fn work(&self) {
        let mut state = self.state();
        while let Some(Job { owner, work }) = state.take() {
            drop(state);
            // Whoever gave the work tells of its panics; the thread is needed by others.
            drop(catch_unwind(AssertUnwindSafe(work)));
            state = self.state();
            if let Some(at) = state.running.iter().position(|running| *running == owner) {
                let _ = state.running.swap_remove(at);
            }
            self.ended.notify_all();
        }
        state.threads -= 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work of one archive.
#[derive(Debug)]
pub(crate) struct Jobs {
    pool: Arc<Pool>,
    owner: u64,
}

impl Jobs {
    pub(crate) fn within(pool: &Arc<Pool>) -> Self {
        let mut state = pool.state();
        state.owners += 1;
        Self { pool: Arc::clone(pool), owner: state.owners }
    }

    /// Has something done by a thread of the pool, once one is free.
    pub(crate) fn run(&self, urgency: Urgency, work: impl FnOnce() + Send + 'static) {
        let job = Job { owner: self.owner, work: Box::new(work) };
        let mut state = self.pool.state();
        match urgency {
            Urgency::Soon => state.soon.push_back(job),
            Urgency::Late => state.late.push_back(job),
        }
        let free = state.threads - state.running.len();
        if state.threads == self.pool.limit || free >= state.waiting() {
            return;
        }
        state.threads += 1;
        drop(state);
        let pool = Arc::clone(&self.pool);
        let thread = std::thread::Builder::new().name("chatvault-work".to_owned());
        if thread.spawn(move || pool.work()).is_err() {
            // The job waits for the next one that gets a thread.
            self.pool.state().threads -= 1;
        }
    }

    /// Drops what waits and returns when nothing of this archive runs.
    pub(crate) fn finish(&self) {
        let mut state = self.pool.state();
        let mut dropped: Vec<VecDeque<Job>> = Vec::new();
        loop {
            let State { soon, late, running, .. } = &mut *state;
            for queue in [soon, late] {
                let (mine, others) = queue.drain(..).partition(|job| job.owner == self.owner);
                *queue = others;
                dropped.push(mine);
            }
            if !running.contains(&self.owner) {
                break;
            }
            state = self.pool.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // What jobs hold may do anything when it goes: not under the lock.
        drop(state);
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    fn threads(pool: &Pool) -> usize {
        pool.state().threads
    }

    #[test]
    fn threads_are_bounded_and_end_when_nothing_is_left() {
        let pool = Arc::new(Pool::new(3));
        let archives: Vec<Jobs> = (0..50).map(|_| Jobs::within(&pool)).collect();
        assert_eq!(threads(&pool), 0);
        let (now, most, done) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), mpsc::channel());
        for jobs in &archives {
            let (now, most, done) = (Arc::clone(&now), Arc::clone(&most), done.0.clone());
            jobs.run(Urgency::Late, move || {
                let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                let _ = most.fetch_max(running, Ordering::SeqCst);
                std::thread::yield_now();
                let _ = now.fetch_sub(1, Ordering::SeqCst);
                done.send(()).unwrap();
            });
            assert!(threads(&pool) <= 3);
        }
        (0..50).for_each(|_| done.1.recv().unwrap());
        archives.iter().for_each(Jobs::finish);
        assert!(most.load(Ordering::SeqCst) <= 3);
        while threads(&pool) > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn urgent_work_comes_first_and_a_panic_ends_no_thread() {
        let pool = Arc::new(Pool::new(1));
        let jobs = Jobs::within(&pool);
        let ((go, wait), (tell, told)) = (mpsc::channel::<()>(), mpsc::channel());
        jobs.run(Urgency::Late, move || wait.recv().unwrap());
        for (urgency, name) in [(Urgency::Late, "merge"), (Urgency::Soon, "seal")] {
            let tell = tell.clone();
            jobs.run(urgency, move || {
                tell.send(name).unwrap();
                // Unwinds as a panic does, without the hook's message.
                std::panic::resume_unwind(Box::new("died"));
            });
        }
        go.send(()).unwrap();
        assert_eq!([told.recv(), told.recv()], [Ok("seal"), Ok("merge")]);
        jobs.finish();
    }

    #[test]
    fn finishing_waits_for_what_runs_and_drops_what_waits() {
        let pool = Arc::new(Pool::new(1));
        let (first, second) = (Jobs::within(&pool), Jobs::within(&pool));
        let ((go, wait), (tell, told)) = (mpsc::channel::<()>(), mpsc::channel());
        let (started, start) = mpsc::channel();
        first.run(Urgency::Soon, move || {
            started.send(()).unwrap();
            wait.recv().unwrap();
        });
        start.recv().unwrap();
        let (held, kept) = (Arc::new(()), Arc::new(()));
        let (in_first, in_second) = (Arc::clone(&held), Arc::clone(&kept));
        first.run(Urgency::Late, move || panic!("{in_first:?} was dropped"));
        second.run(Urgency::Late, move || {
            drop(in_second);
            tell.send(()).unwrap();
        });
        let ender = std::thread::spawn(move || {
            first.finish();
            first
        });
        while pool.state().late.len() > 1 {
            std::thread::yield_now();
        }
        assert!(!ender.is_finished(), "the first job runs");
        go.send(()).unwrap();
        drop(ender.join().unwrap());
        assert_eq!(Arc::strong_count(&held), 1, "what waited is dropped");
        told.recv().unwrap();
        second.finish();
        assert_eq!(Arc::strong_count(&kept), 1, "others' work is done");
    }
}
