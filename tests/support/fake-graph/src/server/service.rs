//! What all connections share: the source of messages, how to behave, and what was seen.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chatvault_support::Random;

use super::behaviour::Behaviour;
use super::exports::RowCache;
use super::seen::Seen;
use super::throttle::Limiter;
use super::token::Tokens;
use crate::folders::Folders;
use crate::tenant::Tenant;
use crate::{FOLDER_TENANT, Ms};

/// Stands for "the real time".
const REAL_TIME: i64 = i64::MIN;

/// Where the messages come from.
#[derive(Debug)]
pub enum Source {
    /// A made-up tenant, which other threads may ask for the truth meanwhile.
    Tenant(Arc<Tenant>),
    /// Page files that were read into memory.
    Folders(Folders),
}

impl Source {
    /// The tenant's id.
    pub fn tenant_id(&self) -> &str {
        match self {
            Self::Tenant(tenant) => &tenant.id,
            Self::Folders(_) => FOLDER_TENANT,
        }
    }
}

/// The state of a fake.
pub(crate) struct Service {
    pub(crate) source: Source,
    /// `http://127.0.0.1:port` of token endpoint and Graph.
    pub(crate) origin: String,
    /// The origin downloads lead to.
    pub(crate) elsewhere: String,
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) cache: Mutex<RowCache>,
    behaviour: Mutex<Arc<Behaviour>>,
    limiter: Mutex<Limiter>,
    links: Mutex<HashSet<u64>>,
    attempts: Mutex<HashMap<u64, u32>>,
    seen: Mutex<Seen>,
    now: AtomicI64,
    serial: AtomicU64,
    started: Instant,
}

impl Service {
    #[expect(clippy::disallowed_methods, reason = "limits count real seconds")]
    pub(crate) fn new(source: Source, behaviour: Behaviour, origins: [String; 2]) -> Self {
        let [origin, elsewhere] = origins;
        Self {
            source,
            origin,
            elsewhere,
            tokens: Mutex::default(),
            cache: Mutex::default(),
            behaviour: Mutex::new(Arc::new(behaviour)),
            limiter: Mutex::default(),
            links: Mutex::default(),
            attempts: Mutex::default(),
            seen: Mutex::default(),
            now: AtomicI64::new(REAL_TIME),
            serial: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    pub(crate) fn behaviour(&self) -> Arc<Behaviour> {
        Arc::clone(&held(&self.behaviour))
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *held(&self.behaviour) = Arc::new(behaviour);
    }

    /// The tenant's time.
    pub(crate) fn now(&self) -> Ms {
        match self.now.load(Ordering::Relaxed) {
            REAL_TIME => real_time(),
            simulated => simulated,
        }
    }

    pub(crate) fn set_now(&self, now: Option<Ms>) {
        self.now.store(now.unwrap_or(REAL_TIME), Ordering::Relaxed);
    }

    /// Real time since the start.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn seen(&self) -> Seen {
        held(&self.seen).clone()
    }

    /// Writes something into the counters.
    pub(crate) fn note<T>(&self, what: impl FnOnce(&mut Seen) -> T) -> T {
        what(&mut held(&self.seen))
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        held(&self.limiter)
    }

    /// A number that never came before.
    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// How often this address was asked before; only counted while something depends on it.
    pub(crate) fn attempt(&self, target: &str) -> u32 {
        let mut attempts = held(&self.attempts);
        let count = attempts.entry(hash(target)).or_insert(0);
        *count += 1;
        *count - 1
    }

    /// Remembers a link as handed out. `link` is a path with a query.
    pub(crate) fn hand_out(&self, link: &str) {
        let _new = held(&self.links).insert(hash(link));
    }

    /// Whether a link was handed out exactly like this; if not, that is noted.
    pub(crate) fn recognise(&self, link: &str) -> bool {
        let known = held(&self.links).contains(&hash(link));
        if !known {
            self.note(|seen| seen.altered(link));
        }
        known
    }

    /// Chance that only depends on the seed, a text and a number.
    pub(crate) fn chance(&self, text: &str, salt: u64) -> Random {
        Random::new(hash(&(self.behaviour().seed, text, salt)))
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Service").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// A lock that a panic elsewhere does not spoil: counters stay readable.
pub(crate) fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// True with a chance between 0 and 1.
pub(crate) fn happens(random: &mut Random, chance: f64) -> bool {
    const STEPS: u32 = 1_000_000;
    let drawn = random.below(u64::from(STEPS));
    chance > 0.0 && f64::from(u32::try_from(drawn).unwrap_or(STEPS)) < chance * f64::from(STEPS)
}

fn hash<T: Hash + ?Sized>(thing: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}

#[expect(clippy::disallowed_methods, reason = "a person who tries the fake expects the real time")]
fn real_time() -> Ms {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ms::try_from(since.as_millis()).unwrap_or(0)
}
