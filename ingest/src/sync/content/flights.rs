//! One download per address at a time, and what came of the last ones.
//!
//! An emoji of the company is in a thousand messages, a file in ten chats: the first asks, the
//! others wait for its answer. What is remembered is bounded; forgetting costs a request.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatvault_engine::ContentAddress;
use tokio::sync::OwnedMutexGuard;

use super::commit::Refusal;

/// Answers that are remembered.
const REMEMBERED: usize = 16_384;

/// What came of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is in the archive.
    Stored(ContentAddress),
    /// The service does not have it, or does not give it.
    Refused(Refusal),
}

type Key = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct Flights {
    board: Mutex<Board>,
}

/// Held for a moment, never while waiting.
#[derive(Debug, Default)]
struct Board {
    active: HashMap<Key, Arc<tokio::sync::Mutex<()>>>,
    answers: HashMap<Key, Answer>,
    order: VecDeque<Key>,
}

/// The right to download an address; given back when dropped.
#[derive(Debug)]
pub(super) struct Flight<'a> {
    flights: &'a Flights,
    key: Key,
    lock: Arc<tokio::sync::Mutex<()>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Flights {
    /// The right to download an address, or what came of it when somebody else did.
    pub(super) async fn claim(&self, address: &str) -> Result<Flight<'_>, Answer> {
        let key = *blake3::hash(address.as_bytes()).as_bytes();
        let lock = {
            let mut board = self.board();
            if let Some(answer) = board.answers.get(&key) {
                return Err(answer.clone());
            }
            Arc::clone(board.active.entry(key).or_default())
        };
        // Made before waiting: who is dropped while waiting must leave no entry behind.
        let mut flight = Flight { flights: self, key, lock: Arc::clone(&lock), guard: None };
        flight.guard = Some(lock.lock_owned().await);
        let answer = self.board().answers.get(&key).cloned();
        answer.map_or(Ok(flight), Err)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight<'_> {
    /// Tells whoever asks for the address what came of it.
    pub(super) fn land(self, answer: Answer) {
        let mut board = self.flights.board();
        if board.answers.insert(self.key, answer).is_none() {
            board.order.push_back(self.key);
        }
        if board.order.len() > REMEMBERED
            && let Some(oldest) = board.order.pop_front()
        {
            drop(board.answers.remove(&oldest));
        }
        // Dropping `self` takes the board again.
        drop(board);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut board = self.flights.board();
        // The board's and this one: nobody else waits. Others are counted under the same lock.
        if Arc::strong_count(&self.lock) <= 2 {
            drop(board.active.remove(&self.key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: Answer = Answer::Stored(ContentAddress([7; 32]));

    #[tokio::test]
    async fn the_second_waits_and_gets_what_the_first_got() {
        let flights = Flights::default();
        let first = flights.claim("a").await.unwrap();
        let second = flights.claim("a");
        tokio::pin!(second);
        let waits = tokio::time::timeout(std::time::Duration::from_millis(5), &mut second).await;
        assert!(waits.is_err());
        first.land(STORED);
        assert_eq!(second.await.err(), Some(STORED));
        assert_eq!(flights.claim("a").await.err(), Some(STORED));
        assert!(flights.board().active.is_empty());
    }

    #[tokio::test]
    async fn one_that_gave_up_lets_the_next_try_and_leaves_nothing_behind() {
        let flights = Flights::default();
        drop(flights.claim("a").await.unwrap());
        let again = flights.claim("a").await;
        assert!(again.is_ok());
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(5), flights.claim("a"));
        assert!(waiting.await.is_err());
        drop(again);
        assert!(flights.board().active.is_empty());
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let flights = Flights::default();
        for number in 0..REMEMBERED + 10 {
            flights.claim(&number.to_string()).await.unwrap().land(STORED);
        }
        assert_eq!(flights.board().answers.len(), REMEMBERED);
        assert!(flights.claim("0").await.is_ok());
    }
}
