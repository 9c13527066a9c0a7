//! A clock that moves one millisecond at each look, and chance that a seed decides.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, Ordering};

use chatvault_engine::{Clock, Timestamp};

use crate::Random;

/// Gives the same times and the same randomness in every run.
#[derive(Debug)]
pub struct SteppingClock {
    now_ms: AtomicI64,
    random: Mutex<Random>,
}

impl SteppingClock {
    /// Starts at 2024-01-01 with the randomness of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { now_ms: AtomicI64::new(1_704_067_200_000), random: Mutex::new(Random::new(seed)) }
    }

    /// Goes to a time, in milliseconds since 1970.
    pub fn set_ms(&self, ms: i64) {
        self.now_ms.store(ms, Ordering::SeqCst);
    }

    /// Moves the clock on, for what waits a day.
    pub fn advance_ms(&self, ms: i64) {
        let _ = self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for SteppingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.now_ms.fetch_add(1, Ordering::SeqCst))
    }

    fn random(&self) -> [u8; 16] {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = [0; 16];
        for half in bytes.chunks_mut(8) {
            half.copy_from_slice(&random.next_u64().to_le_bytes());
        }
        bytes
    }
}
