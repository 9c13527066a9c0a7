//! A few threads that run ahead: work is handed over in order and its results are asked for later.
//!
//! With no threads, or if the system gives none, work is done at once where it is handed over.
//! Nothing that is computed here depends on which of the two it was.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Jobs that wait for each thread before the one who hands them over has to.
const WAITING_PER_THREAD: usize = 64;

/// Some threads. Dropping it waits for what was handed over.
pub(crate) struct Pool {
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of so many threads, or fewer if the system refuses.
    pub(crate) fn new(threads: usize) -> Self {
        let (jobs, queue) = sync_channel::<Job>(WAITING_PER_THREAD * threads.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let start = |number| {
            let queue = Arc::clone(&queue);
            let name = format!("export-{number}");
            std::thread::Builder::new().name(name).spawn(move || work(&queue)).ok()
        };
        let threads: Vec<JoinHandle<()>> = (0..threads).map_while(start).collect();
        let jobs = (!threads.is_empty()).then_some(jobs);
        Self { jobs, threads }
    }

    /// How many threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Hands work over. With one thread, work is done in the order it was handed over.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Promise<T> {
        let Some(jobs) = &self.jobs else { return Promise(State::Ready(work())) };
        let (answer, promise) = sync_channel(1);
        let job: Job = Box::new(move || drop(answer.send(work())));
        match jobs.send(job) {
            Ok(()) => {}
            // Every thread is gone, which only a panic in a job can do: do it here.
            Err(refused) => (refused.0)(),
        }
        Promise(State::Waiting(promise))
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(job) => job(),
            Err(_closed) => return,
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            // A job's panic was seen by whoever waited for its promise.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}

/// A result that is there, or will be.
#[derive(Debug)]
pub(crate) struct Promise<T>(State<T>);

#[derive(Debug)]
enum State<T> {
    Ready(T),
    Waiting(Receiver<T>),
}

impl<T> Promise<T> {
    /// Of a result that is there.
    pub(crate) fn kept(value: T) -> Self {
        Self(State::Ready(value))
    }

    /// Waits for the result; an error if the thread that had it is gone.
    pub(crate) fn wait(self) -> Result<T> {
        match self.0 {
            State::Ready(value) => Ok(value),
            State::Waiting(answer) => answer.recv().map_err(|_gone| Error::Worker),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_the_same_with_any_number_of_threads() {
        for threads in [0, 1, 2, 5] {
            let pool = Pool::new(threads);
            let promises: Vec<Promise<usize>> =
                (0..1000).map(|number| pool.run(move || number * number)).collect();
            let results: Vec<usize> = promises.into_iter().map(|p| p.wait().unwrap()).collect();
            assert_eq!(results, (0..1000).map(|n| n * n).collect::<Vec<_>>(), "{threads}");
        }
    }

    #[test]
    fn one_thread_keeps_the_order() {
        let pool = Pool::new(1);
        let seen = Arc::new(Mutex::new(Vec::new()));
        for number in 0..500 {
            let seen = Arc::clone(&seen);
            drop(pool.run(move || seen.lock().unwrap().push(number)));
        }
        drop(pool);
        assert_eq!(*seen.lock().unwrap(), (0..500).collect::<Vec<_>>());
    }

    #[test]
    fn a_job_that_panics_is_an_error_for_who_waits() {
        let pool = Pool::new(1);
        let promise: Promise<()> = pool.run(|| panic!("on purpose"));
        assert!(matches!(promise.wait(), Err(Error::Worker)));
        assert!(matches!(pool.run(|| 7).wait(), Ok(7) | Err(Error::Worker)));
    }
}
