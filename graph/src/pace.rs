//! Pacing: no request leaves before it may.
//!
//! Invariants: in any second at most `limit` requests of a class leave, and of all exports together;
//! over a long time at most the sustained part of it. Two requests to one chat are never closer than
//! its interval. A pause that the service asks for holds the whole class.
//!
//! Each limit is a bucket with one number, the time at which the next request is due (GCRA). Due
//! times advance by a fixed interval from the last due time, not from when a timer woke, so a late
//! timer loses nothing as long as it is late by less than the tolerance. Whoever wants to send first
//! queues at its class (a fair lock); only the first in the queue looks at the buckets, and takes
//! from both at the same moment or from none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Mutex as Queue, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::limits::{Class, Limits};

/// What is left unused below the sustained rate, for clocks that differ and counts that start late.
const MARGIN: f64 = 0.98;

/// How far a late request may catch up, at most.
const TOLERANCE: Duration = Duration::from_millis(100);

/// Chats whose next time is remembered before the past ones are forgotten.
const MOST_CHATS: usize = 4096;

/// All limits of one app in one tenant.
#[derive(Debug)]
pub(crate) struct Pacer {
    queues: [Queue<()>; Class::COUNT],
    buckets: Mutex<Buckets>,
    chats: Mutex<HashMap<String, Arc<Queue<Option<Instant>>>>>,
    chat_interval: Duration,
}

#[derive(Debug)]
struct Buckets {
    classes: [Bucket; Class::COUNT],
    exports: Bucket,
}

/// The turn of a request that concerns one chat: nobody else's until the request has left.
#[derive(Debug)]
pub(crate) struct ChatTurn {
    next: Option<OwnedMutexGuard<Option<Instant>>>,
    interval: Duration,
}

impl ChatTurn {
    /// The request leaves now.
    pub(crate) fn leave(self) {
        if let Some(mut next) = self.next {
            *next = Some(Instant::now() + self.interval);
        }
    }
}

impl Pacer {
    pub(crate) fn new(limits: &Limits) -> Self {
        let bucket = |per_second| Bucket::new(per_second, limits.sustained);
        Self {
            queues: std::array::from_fn(|_| Queue::new(())),
            buckets: Mutex::new(Buckets {
                classes: Class::ALL.map(|class| bucket(class.per_second(limits))),
                exports: bucket(limits.app_per_second),
            }),
            chats: Mutex::default(),
            chat_interval: interval(limits.chat_per_second, limits.sustained),
        }
    }

    /// Waits until a chat may be asked again. Holds nothing but the chat meanwhile.
    pub(crate) async fn chat(&self, resource: Option<&str>) -> ChatTurn {
        let interval = self.chat_interval;
        let (Some(resource), false) = (resource, interval.is_zero()) else {
            return ChatTurn { next: None, interval };
        };
        let chat = self.remembered(resource);
        let next = chat.lock_owned().await;
        if let Some(due) = *next {
            sleep_until(due).await;
        }
        ChatTurn { next: Some(next), interval }
    }

    /// Waits until a request of the class may leave, and for its permit: at the last moment, so that
    /// nobody holds one while it waits for its turn. Gives how long a pause held it.
    pub(crate) async fn turn(
        &self,
        class: Class,
        permits: &Arc<Semaphore>,
    ) -> Result<(Duration, OwnedSemaphorePermit), AcquireError> {
        let came = Instant::now();
        let _first = self.queues[class as usize].lock().await;
        loop {
            let (now, due) = self.now_and_due(class);
            if due > now {
                sleep_until(due).await;
            }
            let permit = Arc::clone(permits).acquire_owned().await?;
            let mut buckets = self.buckets();
            if buckets.take(class, Instant::now()).is_ok() {
                return Ok((buckets.classes[class as usize].paused_since(came), permit));
            }
        }
    }

    /// No request of the class leaves for so long: the service asked for it.
    pub(crate) fn pause(&self, class: Class, wait: Duration) {
        self.buckets().classes[class as usize].pause(Instant::now(), wait);
    }

    /// Does a pause hold requests of any class now?
    pub(crate) fn is_paused(&self) -> bool {
        let now = Instant::now();
        self.buckets().classes.iter().any(|bucket| bucket.is_paused(now))
    }

    fn now_and_due(&self, class: Class) -> (Instant, Instant) {
        let now = Instant::now();
        (now, self.buckets().due(class, now))
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, resource: &str) -> Arc<Queue<Option<Instant>>> {
        let mut chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chat) = chats.get(resource) {
            return Arc::clone(chat);
        }
        if chats.len() >= MOST_CHATS {
            let now = Instant::now();
            chats.retain(|_, chat| is_needed(chat, now));
        }
        let chat = Arc::default();
        drop(chats.insert(resource.to_owned(), Arc::clone(&chat)));
        chat
    }
}

/// Somebody waits for the chat, or would have to.
fn is_needed(chat: &Arc<Queue<Option<Instant>>>, now: Instant) -> bool {
    Arc::strong_count(chat) > 1
        || chat.try_lock().is_ok_and(|next| next.is_some_and(|due| due > now))
}

impl Buckets {
    /// When a request of the class may leave: now, or later.
    fn due(&self, class: Class, now: Instant) -> Instant {
        let due = self.classes[class as usize].due(now);
        if class.is_export() { due.max(self.exports.due(now)) } else { due }
    }

    /// Takes from all buckets of a class, or says when to look again.
    fn take(&mut self, class: Class, now: Instant) -> Result<(), Instant> {
        let due = self.due(class, now);
        if due > now {
            return Err(due);
        }
        self.classes[class as usize].take(now);
        if class.is_export() {
            self.exports.take(now);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Bucket {
    interval: Duration,
    tolerance: Duration,
    next: Option<Instant>,
    /// From when until when the service wants none.
    pause: Option<(Instant, Instant)>,
}

impl Bucket {
    fn new(per_second: f64, sustained: f64) -> Self {
        let interval = interval(per_second, sustained);
        // With this much caught up, a second holds at most `limit` requests:
        // (1 + tolerance) / interval < per_second.
        let room = (interval.as_secs_f64() * per_second - 1.0).clamp(0.0, 1.0) * 0.9;
        let room = if room.is_nan() { 0.0 } else { room };
        let tolerance = TOLERANCE.min(Duration::from_secs_f64(room));
        Self { interval, tolerance, next: None, pause: None }
    }

    fn due(&self, now: Instant) -> Instant {
        let due = self.next.map_or(now, |next| next.max(now));
        self.pause.map_or(due, |(_, until)| due.max(until))
    }

    fn take(&mut self, now: Instant) {
        let due = self.next.map_or(now, |next| next.max(now - self.tolerance));
        self.next = Some(due + self.interval);
    }

    fn pause(&mut self, now: Instant, wait: Duration) {
        let until = now + wait;
        self.pause = Some(match self.pause {
            Some((from, before)) if before >= now => (from, before.max(until)),
            _ => (now, until),
        });
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.pause.is_some_and(|(_, until)| until > now)
    }

    /// How much of the time since `came` was a pause.
    fn paused_since(&self, came: Instant) -> Duration {
        self.pause.map_or(Duration::ZERO, |(from, until)| {
            until.min(Instant::now()).saturating_duration_since(from.max(came))
        })
    }
}

/// The time between two requests, zero for a limit that is none.
fn interval(per_second: f64, sustained: f64) -> Duration {
    let pace = per_second * sustained.min(1.0) * MARGIN;
    if !pace.is_finite() {
        return Duration::ZERO;
    }
    // A limit of nothing, or one that is no number, is one request an hour: slow, but it ends.
    Duration::from_secs_f64(1.0 / pace.max(1.0 / 3600.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Option<&str> = None;

    async fn pace(pacer: &Pacer, class: Class) -> Duration {
        pacer.turn(class, &Arc::new(Semaphore::new(1))).await.unwrap().0
    }

    /// When `count` requests from `tasks` tasks leave, in milliseconds, by the paused clock.
    async fn departures(pacer: Pacer, classes: &[Class], tasks: usize, count: usize) -> Vec<f64> {
        let (pacer, start) = (Arc::new(pacer), Instant::now());
        let left = Arc::new(Mutex::new(Vec::new()));
        let running: Vec<_> = (0..tasks)
            .map(|task| {
                let (pacer, left) = (Arc::clone(&pacer), Arc::clone(&left));
                let class = classes[task % classes.len()];
                tokio::spawn(async move {
                    for _ in 0..count / tasks {
                        let _paused = pace(&pacer, class).await;
                        left.lock().unwrap().push(start.elapsed().as_secs_f64() * 1e3);
                    }
                })
            })
            .collect();
        for task in running {
            task.await.unwrap();
        }
        let mut left = Arc::into_inner(left).unwrap().into_inner().unwrap();
        left.sort_by(f64::total_cmp);
        left
    }

    /// The most that left in any second.
    fn busiest(left: &[f64]) -> usize {
        let within = |from: &f64| left.iter().filter(|at| (*from..from + 1e3).contains(at)).count();
        left.iter().map(within).max().unwrap_or(0)
    }

    fn rate(left: &[f64]) -> f64 {
        f64::from(u32::try_from(left.len() - 1).unwrap()) / (left[left.len() - 1] - left[0]) * 1e3
    }

    #[tokio::test(start_paused = true)]
    async fn every_class_keeps_its_limit_and_uses_what_it_may() {
        for (class, limit) in [
            (Class::Chats, 200_u8),
            (Class::Hosted, 60),
            (Class::HostedList, 50),
            (Class::Copilot, 30),
            (Class::Directory, 30),
        ] {
            let left = departures(Pacer::new(&Limits::default()), &[class], 16, 3200).await;
            let allowed = f64::from(limit) * 0.83;
            assert!(busiest(&left) <= usize::from(limit), "{class:?}: {}", busiest(&left));
            let rate = rate(&left);
            assert!((allowed * 0.95..=allowed).contains(&rate), "{class:?}: {rate} of {allowed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_exports_together_keep_the_limit_of_the_app() {
        let limits = Limits { app_per_second: 300.0, ..Limits::default() };
        let classes = [Class::Chats, Class::Channels, Class::Retained];
        let left = departures(Pacer::new(&limits), &classes, 15, 3000).await;
        assert!(busiest(&left) <= 300, "{}", busiest(&left));
        assert!((300.0 * 0.83 * 0.95..=300.0 * 0.83).contains(&rate(&left)), "{}", rate(&left));
        let mixed = [Class::Chats, Class::Copilot];
        let left = departures(Pacer::new(&Limits::default()), &mixed, 2, 1000).await;
        assert!(rate(&left[..500]) > 40.0, "a slow class holds up no other: {}", rate(&left));
    }

    #[tokio::test(start_paused = true)]
    async fn late_timers_lose_no_capacity_and_a_long_halt_gives_no_burst() {
        let pacer = Pacer::new(&Limits::default());
        let start = Instant::now();
        for _ in 0..1000 {
            let _paused = pace(&pacer, Class::Chats).await;
            tokio::time::advance(Duration::from_millis(9)).await;
        }
        let late = 1000.0 / start.elapsed().as_secs_f64();
        assert!(late > 110.0, "9 ms apart by themselves: {late}");
        tokio::time::advance(Duration::from_mins(1)).await;
        let left = departures(pacer, &[Class::Chats], 16, 320).await;
        assert!(busiest(&left) <= 200, "{}", busiest(&left));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody_of_its_class_and_is_counted() {
        let pacer = Pacer::new(&Limits::default());
        assert_eq!(pace(&pacer, Class::Chats).await, Duration::ZERO);
        assert!(!pacer.is_paused());
        pacer.pause(Class::Chats, Duration::from_secs(7));
        assert!(pacer.is_paused());
        let start = Instant::now();
        assert_eq!(pace(&pacer, Class::Copilot).await, Duration::ZERO);
        assert_eq!(start.elapsed(), Duration::ZERO, "another class goes on");
        let (one, two) = tokio::join!(pace(&pacer, Class::Chats), pace(&pacer, Class::Chats));
        assert_eq!((one, two), (Duration::from_secs(7), Duration::from_secs(7)));
        assert!(start.elapsed() >= Duration::from_secs(7));
        assert_eq!(pace(&pacer, Class::Chats).await, Duration::ZERO, "and it is over");
        assert!(!pacer.is_paused());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_its_turn_holds_nothing_that_others_need() {
        let pacer = Pacer::new(&Limits::default());
        let permits = Arc::new(Semaphore::new(1));
        pacer.pause(Class::Chats, Duration::from_mins(10));
        let start = Instant::now();
        let paused = pacer.turn(Class::Chats, &permits);
        let other = async {
            for _ in 0..10 {
                drop(pacer.turn(Class::Channels, &permits).await.unwrap());
            }
            start.elapsed()
        };
        let (held, other) = tokio::join!(paused, other);
        assert!(other < Duration::from_secs(1), "{other:?}");
        assert_eq!(held.unwrap().0, Duration::from_mins(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_chat_is_asked_once_a_second_and_no_other_waits_for_it() {
        let pacer = Pacer::new(&Limits::default());
        let (start, mut left) = (Instant::now(), Vec::new());
        for _ in 0..20 {
            let turn = pacer.chat(Some("19:a@thread.v2")).await;
            left.push(start.elapsed().as_secs_f64() * 1e3);
            turn.leave();
            let before = start.elapsed();
            pacer.chat(Some(&format!("19:{}@thread.v2", left.len()))).await.leave();
            pacer.chat(NONE).await.leave();
            assert_eq!(before, start.elapsed());
        }
        assert_eq!(busiest(&left), 1);
        assert!((0.83 * 0.95..=0.83).contains(&rate(&left)), "{}", rate(&left));
    }

    #[tokio::test(start_paused = true)]
    async fn chats_of_the_past_are_forgotten() {
        let pacer = Pacer::new(&Limits::default());
        for chat in 0..3 * MOST_CHATS {
            pacer.chat(Some(&chat.to_string())).await.leave();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(pacer.chats.lock().unwrap().len() <= MOST_CHATS);
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_means_no_wait_and_a_limit_of_nothing_still_ends() {
        let limits = Limits {
            export_per_second: f64::INFINITY,
            app_per_second: f64::INFINITY,
            chat_per_second: f64::INFINITY,
            ..Limits::default()
        };
        let left = departures(Pacer::new(&limits), &[Class::Chats], 4, 1000).await;
        assert!(left[999] <= 0.0, "{}", left[999]);
        for odd in [0.0, -1.0, f64::NAN] {
            assert!(interval(odd, 0.83) <= Duration::from_hours(1), "{odd}");
            assert!(Bucket::new(odd, 0.83).tolerance <= TOLERANCE, "{odd}");
            assert!(Bucket::new(200.0, odd).tolerance <= TOLERANCE, "{odd}");
        }
        assert!(Bucket::new(f64::INFINITY, 0.83).tolerance <= TOLERANCE);
    }
}
