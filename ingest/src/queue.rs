//! Work for the threads: places to list, groups of files to read, pieces of lines to offer.
//!
//! A thread that takes a place or a group may bring more work; the others wait for it. The lock is
//! held only to move a job in or out. Pieces are few and their buffers go round, so that memory
//! stays bounded however long a file is.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use chatvault_engine::Custodian;

use crate::source::Input;

/// Files of one custodian that are read by one thread, so that a small custodian's copies share
/// batches.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) custodian: Custodian,
    pub(crate) files: Vec<PathBuf>,
}

/// Whole lines of one file.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) custodian: Custodian,
    pub(crate) file: Arc<str>,
    pub(crate) offset: u64,
    pub(crate) buffer: Vec<u8>,
    pub(crate) lines: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum Job {
    Input(Input),
    Group(Group),
    Piece(Piece),
}

#[derive(Debug)]
pub(crate) struct Queue {
    places: Vec<Input>,
    state: Mutex<State>,
    changed: Condvar,
    /// Pieces that may wait; none if there is nobody to take them.
    pieces_most: usize,
}

#[derive(Debug)]
struct State {
    /// The first place that nobody took.
    next_place: usize,
    groups: VecDeque<Group>,
    pieces: VecDeque<Piece>,
    spare: Vec<Vec<u8>>,
    /// Threads whose job may bring more jobs.
    bringing: usize,
    stopped: bool,
}

impl Queue {
    pub(crate) fn new(places: Vec<Input>, threads: usize) -> Self {
        let state = State {
            next_place: 0,
            groups: VecDeque::new(),
            pieces: VecDeque::new(),
            spare: Vec::new(),
            bringing: 0,
            stopped: false,
        };
        let pieces_most = if threads > 1 { 2 * threads } else { 0 };
        Self { places, state: Mutex::new(state), changed: Condvar::new(), pieces_most }
    }

    /// All places, taken or not.
    pub(crate) fn places(&self) -> &[Input] {
        &self.places
    }

    /// The next job, or `None` when all is done or stopped. Every job but a piece has to be
    /// reported with [`Queue::finished`].
    pub(crate) fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(job) = state.take(&self.places) {
                return Some(job);
            }
            if state.bringing == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn finished(&self) {
        self.lock().bringing -= 1;
        self.changed.notify_all();
    }

    pub(crate) fn add_groups(&self, groups: impl Iterator<Item = Group>) {
        self.lock().groups.extend(groups);
        self.changed.notify_all();
    }

    /// Is there room for a piece? Gives a buffer to cut it with.
    pub(crate) fn room(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let room = state.pieces.len() < self.pieces_most;
        room.then(|| state.spare.pop().unwrap_or_default())
    }

    pub(crate) fn add_piece(&self, piece: Piece) {
        self.lock().pieces.push_back(piece);
        self.changed.notify_one();
    }

    /// Takes a buffer back.
    pub(crate) fn give_back(&self, buffer: Vec<u8>) {
        let mut state = self.lock();
        if state.spare.len() < self.pieces_most {
            state.spare.push(buffer);
        }
    }

    /// No more jobs are given out.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere reaches the caller when the threads are joined.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Pieces first, for their buffers are wanted; new places last, so that lists stay short.
    fn take(&mut self, places: &[Input]) -> Option<Job> {
        if let Some(piece) = self.pieces.pop_front() {
            return Some(Job::Piece(piece));
        }
        self.bringing += 1;
        if let Some(group) = self.groups.pop_front() {
            return Some(Job::Group(group));
        }
        if let Some(place) = places.get(self.next_place) {
            self.next_place += 1;
            return Some(Job::Input(place.clone()));
        }
        self.bringing -= 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn place(path: &str) -> Input {
        Input { custodian: Custodian::user("a"), path: path.into(), is_folder: true }
    }

    fn group() -> Group {
        Group { custodian: Custodian::user("a"), files: Vec::new() }
    }

    fn piece(buffer: Vec<u8>) -> Piece {
        let (custodian, lines) = (Custodian::user("a"), 0..buffer.len());
        Piece { custodian, file: "f".into(), offset: 0, buffer, lines }
    }

    /// Places bring groups, groups bring pieces; counts every piece until the queue is empty.
    fn drain(queue: &Queue, pieces: &AtomicU64) {
        while let Some(job) = queue.next() {
            match job {
                Job::Input(_) => {
                    queue.add_groups((0..5).map(|_| group()));
                    queue.finished();
                }
                Job::Group(_) => {
                    for _ in 0..7 {
                        let spare = queue.room().unwrap_or_default();
                        queue.add_piece(piece(spare));
                    }
                    queue.finished();
                }
                Job::Piece(piece) => {
                    let _before = pieces.fetch_add(1, Ordering::Relaxed);
                    queue.give_back(piece.buffer);
                }
            }
        }
    }

    #[test]
    fn all_work_is_done_once_by_any_number_of_threads() {
        for threads in [1, 2, 4] {
            let places = (0..30).map(|n| place(&n.to_string())).collect();
            let (queue, pieces) = (Queue::new(places, threads), AtomicU64::new(0));
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    let _joined_by_the_scope = scope.spawn(|| drain(&queue, &pieces));
                }
            });
            assert_eq!(pieces.load(Ordering::Relaxed), 30 * 5 * 7);
        }
    }

    #[test]
    fn pieces_have_room_only_where_somebody_else_can_take_them() {
        assert!(Queue::new(Vec::new(), 1).room().is_none());
        let queue = Queue::new(Vec::new(), 2);
        for _ in 0..4 {
            let spare = queue.room().unwrap();
            queue.add_piece(piece(spare));
        }
        assert!(queue.room().is_none());
    }

    #[test]
    fn a_stopped_queue_wakes_those_who_wait() {
        let queue = Queue::new(vec![place("a")], 2);
        let job = queue.next();
        assert!(matches!(job, Some(Job::Input(_))));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.next().is_none());
            queue.stop();
            assert!(waiting.join().unwrap());
        });
    }
}
