//! Threads that work on what their caller has borrowed, and end before he goes on.

use std::collections::BTreeMap;
use std::io;
use std::iter::{Enumerate, Fuse};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

/// Does something with each item, on a thread each, while the caller does something else; both results, those
/// of the items in their order.
///
/// The caller can see whether all items are done. With fewer threads than that, they take the items in turn.
/// An error is the system's, which gives no thread at all: then nothing was done.
pub fn beside<I: Send, R: Send, T>(
    name: &str,
    items: Vec<I>,
    work: impl Fn(I) -> R + Sync,
    here: impl FnOnce(&Ended) -> T,
) -> io::Result<(Vec<R>, T)> {
    let count = items.len();
    let items = Mutex::new(items.into_iter().enumerate());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || -> Vec<(usize, R)> {
        std::iter::from_fn(next).map(|(number, item)| (number, work(item))).collect()
    };
    let (at_work, ended) = channel::<()>();
    thread::scope(|scope| {
        let mut threads = Vec::with_capacity(count);
        for _ in 0..count {
            let at_work = at_work.clone();
            let run = move || {
                let _at_work = at_work;
                run()
            };
            match Builder::new().name(name.to_owned()).spawn_scoped(scope, run) {
                Ok(thread) => threads.push(thread),
                Err(cause) if threads.is_empty() => return Err(cause),
                Err(_fewer) => break,
            }
        }
        drop(at_work);
        let here = here(&Ended(ended));
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        let mut done: Vec<(usize, R)> = ended.flatten().collect();
        done.sort_unstable_by_key(|(number, _)| *number);
        Ok((done.into_iter().map(|(_, result)| result).collect(), here))
    })
}

/// Whether the threads beside the caller have ended. A channel to which they all have the other end, and nobody
/// sends anything.
#[derive(Debug)]
pub struct Ended(Receiver<()>);

impl Ended {
    /// Waits until all have ended, so long at most. True if they have.
    pub fn wait(&self, at_most: Duration) -> bool {
        self.0.recv_timeout(at_most) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Gives what each item becomes to `take`, in the order of the items, on the calling thread, until that breaks.
///
/// Each of `workers` has a thread, one alone the caller's. No more than twice as many items are on their way at
/// once, those included that wait for the ones before them.
///
/// ```
/// use std::ops::ControlFlow;
/// use chatvault_base::threads::in_order;
///
/// let mut squares = Vec::new();
/// let take = |square: u64| {
///     squares.push(square);
///     if square < 100 { ControlFlow::Continue(()) } else { ControlFlow::Break("enough") }
/// };
/// let ended = in_order("squares", &mut [(), ()], 0_u64.., |(), number| number * number, take);
/// assert_eq!((ended, squares.len()), (ControlFlow::Break("enough"), 11));
/// ```
pub fn in_order<S: Send, I: Iterator<Item: Send> + Send, R: Send, B>(
    name: &str,
    workers: &mut [S],
    items: I,
    map: impl Fn(&mut S, I::Item) -> R + Sync,
    mut take: impl FnMut(R) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if let [only] = workers {
        return { items }.try_for_each(|item| take(map(only, item)));
    }
    let turns =
        Turns { items: items.enumerate().fuse(), begun: 0, end: 2 * workers.len(), is_over: false };
    let line = Line { turns: Mutex::new(turns), changed: Condvar::new() };
    let (send, made) = channel();
    let work = |(worker, send): (&mut S, Sender<(usize, R)>)| {
        let _over = Over(&line);
        while let Some((number, item)) = line.next() {
            // Gone if nobody wants it.
            drop(send.send((number, map(worker, item))));
        }
    };
    let here = |_: &Ended| {
        let _over = Over(&line);
        let (mut early, mut number) = (BTreeMap::new(), 0);
        for (at, result) in made {
            drop(early.insert(at, result));
            while let Some(result) = early.remove(&number) {
                number += 1;
                line.change(|turns| turns.end += 1);
                take(result)?;
            }
        }
        ControlFlow::Continue(())
    };
    let threads = workers.iter_mut().map(|worker| (worker, send.clone())).collect();
    drop(send);
    if let Ok((_, ended)) = beside(name, threads, work, here) {
        return ended;
    }
    let turns = line.turns.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Some(only) = workers.first_mut() else { return ControlFlow::Continue(()) };
    { turns.items }.try_for_each(|(_, item)| take(map(only, item)))
}

/// Items that wait, and how many of them may be begun.
struct Line<I: Iterator> {
    turns: Mutex<Turns<I>>,
    changed: Condvar,
}

struct Turns<I: Iterator> {
    items: Fuse<Enumerate<I>>,
    begun: usize,
    /// Items before this one may be begun.
    end: usize,
    /// None is begun any more.
    is_over: bool,
}

impl<I: Iterator> Line<I> {
    fn turns(&self) -> MutexGuard<'_, Turns<I>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Turns<I>)) {
        change(&mut self.turns());
        self.changed.notify_all();
    }

    fn next(&self) -> Option<(usize, I::Item)> {
        let is_far = |turns: &mut Turns<I>| turns.begun >= turns.end && !turns.is_over;
        let turns = self.changed.wait_while(self.turns(), is_far);
        let mut turns = turns.unwrap_or_else(PoisonError::into_inner);
        turns.begun += 1;
        if turns.is_over { None } else { turns.items.next() }
    }
}

/// Begins no other item once it is dropped: there is none, nobody wants one, or a thread panicked.
struct Over<'l, I: Iterator>(&'l Line<I>);

impl<I: Iterator> Drop for Over<'_, I> {
    fn drop(&mut self) {
        self.0.change(|turns| turns.is_over = true);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn all(workers: usize, items: usize) -> Vec<usize> {
        let mut taken = Vec::new();
        let mut workers = vec![0_usize; workers];
        let ended = in_order(
            "test",
            &mut workers,
            0..items,
            |worker, item| {
                *worker += 1;
                item * 2
            },
            |made| {
                taken.push(made);
                ControlFlow::<()>::Continue(())
            },
        );
        assert!(ended.is_continue());
        assert_eq!(workers.iter().sum::<usize>(), taken.len());
        taken
    }

    #[test]
    fn results_come_in_order_with_any_number_of_threads() {
        for (workers, items) in [(1, 0), (1, 100), (2, 1), (3, 1_000), (8, 5)] {
            assert_eq!(all(workers, items), (0..items).map(|n| n * 2).collect::<Vec<_>>());
        }
        assert_eq!(all(0, 3), []);
    }

    #[test]
    fn few_items_are_on_their_way_and_none_is_begun_after_a_break() {
        let (begun, mut taken) = (AtomicUsize::new(0), 0);
        let work = |(): &mut (), item| {
            let _ = begun.fetch_add(1, Ordering::SeqCst);
            item
        };
        let ended = in_order("test", &mut [(); 3], 0..1_000, work, |item: usize| {
            let on_their_way = begun.load(Ordering::SeqCst) - taken;
            taken += 1;
            assert!(on_their_way <= 7, "{on_their_way} at once");
            if item < 500 { ControlFlow::Continue(()) } else { ControlFlow::Break(item) }
        });
        assert_eq!(ended, ControlFlow::Break(500));
        assert!(begun.load(Ordering::SeqCst) <= 507);
    }

    #[test]
    fn a_panic_anywhere_ends_all_threads_and_goes_on_in_the_caller() {
        let died = |at_work: usize, at_taking: usize| {
            let work = |(): &mut (), item: usize| {
                if item == at_work { resume_unwind(Box::new("work")) } else { item }
            };
            let take = |item: usize| {
                if item == at_taking {
                    resume_unwind(Box::new("take"))
                } else {
                    ControlFlow::<()>::Continue(())
                }
            };
            let run = || in_order("test", &mut [(); 4], 0..2_000, work, take);
            catch_unwind(AssertUnwindSafe(run)).unwrap_err().downcast_ref::<&str>().copied()
        };
        assert_eq!([died(700, 5_000), died(5_000, 700)], [Some("work"), Some("take")]);
    }

    #[test]
    fn what_is_done_beside_comes_back_in_order() {
        let both = beside(
            "test",
            (0..20).collect(),
            |n: i32| n * n,
            |ended| {
                while !ended.wait(Duration::from_millis(1)) {}
                "here"
            },
        );
        let (found, here) = both.unwrap();
        assert_eq!((found, here), ((0..20).map(|n| n * n).collect(), "here"));
        assert_eq!(beside("test", Vec::new(), |(): ()| (), |_| 7).unwrap(), (Vec::new(), 7));
    }
}
