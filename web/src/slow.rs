//! What takes longer to read than a page may: read in the background, and shown once it is there.
//!
//! A page that asks waits a moment, and shows what was read last meanwhile, or says that it is being read.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chatvault_base::threads;

use crate::failure::{Failure, Result};

/// So long a page waits for what it asks for. Of a small archive it is there by then.
const PATIENCE: Duration = Duration::from_millis(25);
/// Questions whose answers are kept.
const KEPT: usize = 32;
/// Questions that are answered at once; another is begun when its page asks again.
const AT_ONCE: usize = 2;

/// Answers by question.
pub(crate) struct Slow<T>(Arc<Mutex<Vec<Entry<T>>>>);

/// A question, the one that was asked last at the end.
struct Entry<T> {
    question: String,
    is_busy: bool,
    answer: Option<Answer<T>>,
}

/// What was read, and the commit that it is of.
pub(crate) struct Answer<T> {
    pub(crate) sequence: u64,
    pub(crate) read: Arc<Result<T>>,
}

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Self {
        Self { sequence: self.sequence, read: Arc::clone(&self.read) }
    }
}

impl<T> Default for Slow<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> fmt::Debug for Slow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slow").finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Slow<T> {
    /// The answer as of a commit, or the one before while that is read; `None` if there is none yet.
    pub(crate) fn of(
        &self,
        question: &str,
        sequence: u64,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Option<Answer<T>> {
        let (known, is_own) = self.ask(question, sequence);
        if !is_own {
            return known;
        }
        let (own, asked) = (Self(Arc::clone(&self.0)), question.to_owned());
        let (done, wait) = std::sync::mpsc::sync_channel::<()>(0);
        let started = threads::start("chatvault-slow", move || {
            let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
            let fault = || Failure::wrong("This could not be read: that is a fault of chatvault");
            let read = Arc::new(read.unwrap_or_else(|_panic| Err(fault())));
            own.end(&asked, Some(Answer { sequence, read }));
            drop(done);
        });
        match started {
            // The other end never sends: it hangs up when it is done.
            Ok(_detached) => drop(wait.recv_timeout(PATIENCE)),
            Err(_too_many_threads) => self.end(question, None),
        }
        self.answer(question)
    }

    fn answer(&self, question: &str) -> Option<Answer<T>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|one| one.question == question)?.answer.clone()
    }

    /// What is known, and whether this caller is to read it: one look, so that nothing is read twice.
    fn ask(&self, question: &str, sequence: u64) -> (Option<Answer<T>>, bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|one| one.question == question);
        let known = at.and_then(|at| all.get(at));
        let answer = known.and_then(|one| one.answer.clone());
        let is_fresh = answer.as_ref().is_some_and(|answer| answer.sequence == sequence);
        let is_busy = known.is_some_and(|one| one.is_busy);
        if is_fresh || is_busy || all.iter().filter(|one| one.is_busy).count() >= AT_ONCE {
            return (answer, false);
        }
        let question = question.to_owned();
        let mut entry = match at {
            Some(at) => all.remove(at),
            None => Entry { question, is_busy: true, answer: None },
        };
        entry.is_busy = true;
        if all.len() >= KEPT
            && let Some(old) = all.iter().position(|one| !one.is_busy)
        {
            drop(all.remove(old));
        }
        all.push(entry);
        (answer, true)
    }

    fn end(&self, question: &str, answer: Option<Answer<T>>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.iter_mut().find(|one| one.question == question) {
            own.is_busy = false;
            own.answer = answer.or_else(|| own.answer.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn number(answer: Option<&Answer<u32>>) -> Option<(u64, u32)> {
        answer.map(|one| (one.sequence, *one.read.as_ref().as_ref().unwrap()))
    }

    #[test]
    fn a_page_does_not_wait_and_finds_it_later() {
        let slow = Slow::<u32>::default();
        let (go, wait) = channel::<()>();
        let first = slow.of("a", 1, move || {
            wait.recv().unwrap();
            Ok(7)
        });
        assert_eq!(number(first.as_ref()), None);
        assert!(slow.of("a", 1, || Ok(8)).is_none(), "it is being read already");
        go.send(()).unwrap();
        let mut found = None;
        while found.is_none() {
            found = slow.of("a", 1, || Ok(9));
        }
        assert_eq!(number(found.as_ref()), Some((1, 7)));
    }

    #[test]
    fn what_is_quick_is_there_at_once_and_read_again_for_a_later_commit() {
        let slow = Slow::<u32>::default();
        let of = |asked: &str, at, value| {
            let mut found = slow.of(asked, at, move || Ok(value));
            // A thread may take its time on a busy machine.
            while found.as_ref().is_none_or(|found| found.sequence != at) {
                found = slow.of(asked, at, move || Ok(value));
            }
            number(found.as_ref())
        };
        assert_eq!(
            [of("a", 1, 1), of("a", 1, 2), of("a", 2, 3)],
            [Some((1, 1)), Some((1, 1)), Some((2, 3))]
        );
        for other in 0..100 {
            assert_eq!(of(&other.to_string(), 1, other), Some((1, other)));
        }
        assert!(slow.0.lock().unwrap().len() <= KEPT);
    }
}
