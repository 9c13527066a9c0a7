//! How many answers may be on their way at once: as many as the allowed rate needs at the latency
//! that is measured, and no more than memory has room for.
//!
//! A rate of 166 a second at a second an answer needs 166 requests in flight; 16 of them reach 16 a
//! second. Fewer than the configured number are never allowed, more only while they are needed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::limits::Limits;

/// Answers in memory, together, where they are large.
const MOST_BYTES: f64 = 268_435_456.0;
/// What is needed on top of latency times rate, for answers that are slower than others.
const ROOM: f64 = 1.25;
/// How much one answer counts in the mean.
const WEIGHT: f64 = 0.05;

/// The permits of answers.
#[derive(Debug)]
pub(super) struct Slots {
    permits: Arc<Semaphore>,
    least: usize,
    most: usize,
    /// Requests a second that may leave, together.
    rate: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    count: usize,
    mean: Mean,
}

/// What answers are like, the last ones most.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    seconds: f64,
    bytes: f64,
}

impl Mean {
    fn add(&mut self, seconds: f64, bytes: f64) {
        let weight = if self.seconds > 0.0 { WEIGHT } else { 1.0 };
        self.seconds += (seconds - self.seconds) * weight;
        self.bytes += (bytes - self.bytes) * weight;
    }
}

impl Slots {
    pub(super) fn new(limits: &Limits) -> Self {
        let least = limits.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let most = limits.most_concurrency.clamp(least, Semaphore::MAX_PERMITS);
        // Chats, channels and retained versions have a limit each, and one together.
        let rate = limits.app_per_second.min(3.0 * limits.export_per_second) * limits.sustained;
        let state = State { count: least, mean: Mean::default() };
        Self {
            permits: Arc::new(Semaphore::new(least)),
            least,
            most,
            rate,
            state: Mutex::new(state),
        }
    }

    pub(super) fn permits(&self) -> &Arc<Semaphore> {
        &self.permits
    }

    /// Answers that may be on their way now.
    pub(super) fn count(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// An answer took so long and was so large.
    pub(super) fn observe(&self, took: Duration, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        state.mean.add(took.as_secs_f64().max(1e-6), bytes);
        let wanted = wanted(self.rate, state.mean).clamp(self.least, self.most);
        if wanted > state.count {
            self.permits.add_permits(wanted - state.count);
            state.count = wanted;
        } else if wanted * 2 < state.count {
            // Only permits that nobody holds can go; the rest goes with a later answer.
            state.count -= self.permits.forget_permits(state.count - wanted);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of requests: small, positive and clamped by who asks"
)]
fn wanted(rate: f64, mean: Mean) -> usize {
    // Without a limit there is no rate to reach.
    if !rate.is_finite() {
        return 0;
    }
    let needed = rate * mean.seconds * ROOM;
    needed.min(MOST_BYTES / mean.bytes.max(1.0)).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(limits: &Limits, took_ms: u64, bytes: usize) -> usize {
        let slots = Slots::new(limits);
        for _ in 0..200 {
            slots.observe(Duration::from_millis(took_ms), bytes);
        }
        assert_eq!(slots.count(), slots.permits().available_permits());
        slots.count()
    }

    #[test]
    fn slow_answers_have_more_at_once_up_to_the_allowed_rate_and_the_room_in_memory() {
        let limits = Limits { export_per_second: 50.0, ..Limits::default() };
        let least = limits.concurrency;
        assert_eq!(slots(&limits, 20, 50_000), least, "quick: a few reach the rate");
        let slow = slots(&limits, 1_000, 50_000);
        assert!((150..=160).contains(&slow), "3 × 50 × 0.83 a second, and a quarter: {slow}");
        assert_eq!(slots(&limits, 60_000, 50_000), limits.most_concurrency);
        assert_eq!(
            slots(&limits, 60_000, 16 << 20),
            least,
            "16 of 16 MiB are what there is room for"
        );
        let endless =
            Limits { export_per_second: f64::INFINITY, app_per_second: f64::INFINITY, ..limits };
        assert_eq!(slots(&endless, 60_000, 1), least, "no rate, nothing to reach");
    }

    #[test]
    fn permits_go_when_answers_are_quick_again_and_only_those_that_nobody_holds() {
        let slots = Slots::new(&Limits::default());
        slots.observe(Duration::from_secs(10), 1_000);
        let many = slots.count();
        assert_eq!(many, Limits::default().most_concurrency);
        let held = Arc::clone(slots.permits()).try_acquire_many_owned(100).unwrap();
        for _ in 0..200 {
            slots.observe(Duration::from_millis(1), 1_000);
        }
        assert!(slots.count() >= 100);
        drop(held);
        slots.observe(Duration::from_millis(1), 1_000);
        assert_eq!(slots.count(), Limits::default().concurrency);
    }
}
