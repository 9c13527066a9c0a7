//! Jobs on threads up to a limit, which many owners share.
//!
//! Invariants: threads are started for work and end soon after none is left. Jobs of one urgency begin in the
//! order in which they were given; on one thread they are done in it. Nobody waits for a job of
//! [`Jobs::run`] to begin: all threads can be busy for long, or none may be had.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// So long a thread waits for another job before it ends: to start one takes longer than many a job.
const LINGER: Duration = Duration::from_millis(20);
/// Jobs with a promise that wait for each thread before the one who gives them has to.
const WAITING_PER_THREAD: usize = 64;

/// What comes first when threads are short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits for it soon.
    Soon,
    /// Nobody waits for it.
    Late,
}

struct Job {
    owner: u64,
    work: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// Threads up to a limit; with a limit of 0, whoever gives a job does it.
#[derive(Debug)]
pub struct Pool {
    name: &'static str,
    limit: usize,
    /// Held for a moment, never over work.
    state: Mutex<State>,
    /// Signalled whenever a job was given or has ended.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    soon: VecDeque<Job>,
    late: VecDeque<Job>,
    threads: usize,
    /// The owner of each job that runs, and where.
    running: Vec<(u64, ThreadId)>,
    owners: u64,
}

impl State {
    fn take(&mut self) -> Option<Job> {
        let job = self.soon.pop_front().or_else(|| self.late.pop_front())?;
        self.running.push((job.owner, thread::current().id()));
        Some(job)
    }

    fn waiting(&self) -> usize {
        self.soon.len() + self.late.len()
    }

    /// Does something of the owner's run on another thread?
    fn is_at_work(&self, owner: u64) -> bool {
        let own = thread::current().id();
        self.running.iter().any(|(running, place)| *running == owner && *place != own)
    }
}

impl Pool {
    /// A pool whose threads have this name. Costs nothing before it gets jobs.
    pub fn new(name: &'static str, limit: usize) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Arc::new(Self { name, limit, state, changed })
    }

    /// A new owner of jobs.
    pub fn jobs(self: &Arc<Self>) -> Jobs {
        let mut state = self.state();
        state.owners += 1;
        Jobs { pool: Arc::clone(self), owner: state.owners }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's life.
    fn live(&self) {
        loop {
            let state = self.work(self.state());
            let nothing = |state: &mut State| state.waiting() == 0;
            let waited = self.changed.wait_timeout_while(state, LINGER, nothing);
            let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() && state.waiting() == 0 {
                state.threads -= 1;
                return;
            }
        }
    }

    /// Works until nothing waits.
    fn work<'p>(&'p self, mut state: MutexGuard<'p, State>) -> MutexGuard<'p, State> {
        let here = thread::current().id();
        while let Some(Job { owner, work }) = state.take() {
            drop(state);
            // Whoever gave the work tells of its panics; the thread is needed by others.
            drop(catch_unwind(AssertUnwindSafe(work)));
            state = self.state();
            // The last one: work may have given work, and done that here.
            if let Some(at) = state.running.iter().rposition(|running| *running == (owner, here)) {
                let _ = state.running.swap_remove(at);
            }
            self.changed.notify_all();
        }
        state
    }
}

/// The jobs of one owner. Dropping it is [`Jobs::finish`].
#[derive(Debug)]
pub struct Jobs {
    pool: Arc<Pool>,
    owner: u64,
}

impl Jobs {
    /// How many threads there are at most.
    pub fn threads(&self) -> usize {
        self.pool.limit
    }

    /// Has something done by a thread of the pool, once one is free. False if there is no thread, and the
    /// system gives none: the job waits for the next one that gets one.
    pub fn run(&self, urgency: Urgency, work: impl FnOnce() + Send + 'static) -> bool {
        self.give(self.pool.state(), urgency, Box::new(work))
    }

    /// Has something done, and gives the result when it is waited for. Waits while many jobs do, and does it
    /// here if there is no thread.
    pub fn promise<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Promise<T> {
        let (answer, promise) = sync_channel(1);
        let most = WAITING_PER_THREAD * self.pool.limit.max(1);
        let many = |state: &mut State| state.waiting() >= most;
        let state = self.pool.changed.wait_while(self.pool.state(), many);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        // Nobody may want it any more.
        if !self.give(state, Urgency::Soon, Box::new(move || drop(answer.send(work())))) {
            drop(self.pool.work(self.pool.state()));
        }
        Promise(promise)
    }

    fn give(
        &self,
        mut state: MutexGuard<'_, State>,
        urgency: Urgency,
        work: Box<dyn FnOnce() + Send>,
    ) -> bool {
        let job = Job { owner: self.owner, work };
        match urgency {
            Urgency::Soon => state.soon.push_back(job),
            Urgency::Late => state.late.push_back(job),
        }
        let free = state.threads.saturating_sub(state.running.len());
        if state.threads >= self.pool.limit || free >= state.waiting() {
            let is_there = state.threads > 0;
            drop(state);
            self.pool.changed.notify_all();
            return is_there;
        }
        state.threads += 1;
        drop(state);
        let pool = Arc::clone(&self.pool);
        if super::start(self.pool.name, move || pool.live()).is_ok() {
            return true;
        }
        let mut state = self.pool.state();
        state.threads -= 1;
        state.threads > 0
    }

    /// Drops what waits and returns when nothing of this owner runs on another thread.
    pub fn finish(&self) {
        let mut state = self.pool.state();
        let mut dropped: Vec<VecDeque<Job>> = Vec::new();
        loop {
            let State { soon, late, .. } = &mut *state;
            for queue in [soon, late] {
                let (mine, others) = queue.drain(..).partition(|job| job.owner == self.owner);
                *queue = others;
                dropped.push(mine);
            }
            if !state.is_at_work(self.owner) {
                break;
            }
            state = self.pool.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // What jobs hold may do anything when it goes: not under the lock.
        drop(state);
        drop(dropped);
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A result that is there, or will be.
#[derive(Debug)]
pub struct Promise<T>(Receiver<T>);

impl<T> Promise<T> {
    /// Of a result that is there.
    pub fn kept(value: T) -> Self {
        let (answer, promise) = sync_channel(1);
        // It holds the other end, and has room for one.
        drop(answer.send(value));
        Self(promise)
    }

    /// Waits for the result.
    ///
    /// An error if the job panicked, or its owner finished before it began.
    pub fn wait(self) -> Result<T, RecvError> {
        self.0.recv()
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
        let pool = Pool::new("test", 3);
        let archives: Vec<Jobs> = (0..50).map(|_| pool.jobs()).collect();
        assert_eq!(threads(&pool), 0);
        let (now, most, done) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), mpsc::channel());
        for jobs in &archives {
            let (now, most, done) = (Arc::clone(&now), Arc::clone(&most), done.0.clone());
            let _ = jobs.run(Urgency::Late, move || {
                let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                let _ = most.fetch_max(running, Ordering::SeqCst);
                thread::yield_now();
                let _ = now.fetch_sub(1, Ordering::SeqCst);
                done.send(()).unwrap();
            });
            assert!(threads(&pool) <= 3);
        }
        (0..50).for_each(|_| done.1.recv().unwrap());
        archives.iter().for_each(Jobs::finish);
        assert!(most.load(Ordering::SeqCst) <= 3);
        while threads(&pool) > 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn urgent_work_comes_first_and_a_panic_ends_no_thread() {
        let pool = Pool::new("test", 1);
        let jobs = pool.jobs();
        let ((go, wait), (tell, told)) = (mpsc::channel::<()>(), mpsc::channel());
        let _ = jobs.run(Urgency::Late, move || wait.recv().unwrap());
        for (urgency, name) in [(Urgency::Late, "merge"), (Urgency::Soon, "seal")] {
            let tell = tell.clone();
            let _ = jobs.run(urgency, move || {
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
        let pool = Pool::new("test", 1);
        let (first, second) = (pool.jobs(), pool.jobs());
        let ((go, wait), (tell, told)) = (mpsc::channel::<()>(), mpsc::channel());
        let (started, start) = mpsc::channel();
        let _ = first.run(Urgency::Soon, move || {
            started.send(()).unwrap();
            wait.recv().unwrap();
        });
        start.recv().unwrap();
        let (held, kept) = (Arc::new(()), Arc::new(()));
        let (in_first, in_second) = (Arc::clone(&held), Arc::clone(&kept));
        let _ = first.run(Urgency::Late, move || panic!("{in_first:?} was dropped"));
        let _ = second.run(Urgency::Late, move || {
            drop(in_second);
            tell.send(()).unwrap();
        });
        let ender = thread::spawn(move || {
            first.finish();
            first
        });
        while pool.state().late.len() > 1 {
            thread::yield_now();
        }
        assert!(!ender.is_finished(), "the first job runs");
        go.send(()).unwrap();
        drop(ender.join().unwrap());
        assert_eq!(Arc::strong_count(&held), 1, "what waited is dropped");
        told.recv().unwrap();
        second.finish();
        assert_eq!(Arc::strong_count(&kept), 1, "others' work is done");
    }

    #[test]
    fn results_are_the_same_with_any_number_of_threads() {
        for threads in [0, 1, 2, 5] {
            let jobs = Pool::new("test", threads).jobs();
            let promises: Vec<Promise<usize>> =
                (0..1000).map(|number| jobs.promise(move || number * number)).collect();
            let results: Vec<usize> = promises.into_iter().map(|p| p.wait().unwrap()).collect();
            assert_eq!(results, (0..1000).map(|n| n * n).collect::<Vec<_>>(), "{threads}");
        }
    }

    #[test]
    fn one_thread_keeps_the_order() {
        let jobs = Pool::new("test", 1).jobs();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for number in 0..500 {
            let seen = Arc::clone(&seen);
            drop(jobs.promise(move || seen.lock().unwrap().push(number)));
        }
        jobs.promise(|| ()).wait().unwrap();
        assert_eq!(*seen.lock().unwrap(), (0..500).collect::<Vec<_>>());
    }

    #[test]
    fn a_job_that_panics_is_an_error_for_who_waits() {
        let jobs = Pool::new("test", 1).jobs();
        let promise: Promise<()> = jobs.promise(|| std::panic::resume_unwind(Box::new("died")));
        assert_eq!(promise.wait(), Err(RecvError));
        assert_eq!(jobs.promise(|| 7).wait(), Ok(7));
    }
}
