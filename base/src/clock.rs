//! Time and chance, passed in so that tests can repeat a run.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// Time and chance.
pub trait Clock: Send + Sync + Debug {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;
    /// Sixteen bytes that nobody can guess.
    fn random(&self) -> [u8; 16];
}

/// The system's clock and randomness.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where `Clock` meets the system")]
    fn now(&self) -> Timestamp {
        let ms = |since: std::time::Duration| i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_ms(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => ms(since),
            Err(before) => -ms(before.duration()),
        })
    }

    /// # Panics
    ///
    /// If the system has no randomness: keys that can be guessed would be worse than none.
    #[expect(clippy::expect_used, reason = "nothing that depends on chance may go on without it")]
    fn random(&self) -> [u8; 16] {
        let mut out = [0; 16];
        getrandom::fill(&mut out).expect("the system gives random bytes");
        out
    }
}
