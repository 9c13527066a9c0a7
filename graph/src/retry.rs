//! What to do after an attempt: pure decisions from what came back.
//!
//! Invariant: whatever comes back, the attempts are bounded.

use std::time::Duration;

use chatvault_base::Clock;
use chrono::DateTime;
use reqwest::header::{self, HeaderMap};

use super::failure::FailureKind;

/// No pause is longer: a service that names a day is asked again all the same.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// How waits grow when nobody says how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_mins(1) }
    }
}

impl Backoff {
    /// Full jitter: anything from nothing to the doubled wait, so that clients do not come back
    /// together.
    fn after(self, attempt: u32, random: u64) -> Duration {
        let doubled = self.first.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let most = u64::try_from(doubled.min(self.most).as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(random % (most + 1))
    }
}

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer that is no success, and the pause that it asks for.
    Status(u16, Option<Duration>),
    /// No connection, or one that broke before the whole answer was here.
    Broken,
}

/// What was tried before, the attempt at hand included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) attempts: u32,
    pub(crate) timed_out: u32,
    pub(crate) renewed: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask again after a wait of this request alone.
    Again(Duration),
    /// Ask again after a pause of all requests of the class.
    Pause(Duration),
    /// Ask again with a new token.
    NewToken,
    /// It has failed for good.
    GiveUp(FailureKind),
}

/// The limits of deciding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) attempts: u32,
    pub(crate) backoff: Backoff,
}

impl Policy {
    /// What to do after an attempt. Updates what was tried.
    pub(crate) fn decide(self, tried: &mut Tried, outcome: Outcome, random: u64) -> Next {
        tried.attempts = tried.attempts.saturating_add(1);
        let last = tried.attempts >= self.attempts;
        let backoff = self.backoff.after(tried.attempts, random);
        let again = |wait, kind| if last { Next::GiveUp(kind) } else { wait };
        match outcome {
            Outcome::Broken => again(Next::Again(backoff), FailureKind::Network),
            Outcome::Status(401, _) if !tried.renewed => {
                tried.renewed = true;
                Next::NewToken
            }
            Outcome::Status(429 | 509, pause) => {
                again(Next::Pause(pause.unwrap_or(backoff)), FailureKind::Throttled)
            }
            Outcome::Status(503, Some(pause)) => again(Next::Pause(pause), FailureKind::Service),
            Outcome::Status(504, pause) => {
                tried.timed_out += 1;
                let last = last || tried.timed_out > 1;
                if last {
                    return Next::GiveUp(FailureKind::TimedOut);
                }
                Next::Again(pause.unwrap_or(backoff))
            }
            Outcome::Status(status @ (408 | 409 | 423 | 425 | 500 | 502 | 503), pause) => {
                again(Next::Again(pause.unwrap_or(backoff)), FailureKind::of_status(status))
            }
            Outcome::Status(status, _) => Next::GiveUp(FailureKind::of_status(status)),
        }
    }
}

/// The pause that the headers of an answer ask for.
pub(crate) fn pause_of(headers: &HeaderMap, clock: &dyn Clock) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let now = clock.now().ms().div_euclid(1000);
    pause(text(header::RETRY_AFTER)?, text(header::DATE), now)
}

/// The pause that a `Retry-After` asks for: seconds, or a date, which is meant by the clock of the
/// service (`date`) or, without one, by ours (`now`, seconds since 1970).
fn pause(text: &str, date: Option<&str>, now: i64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are as long as the longest pause.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_PAUSE));
    }
    let until = seconds(text)?;
    let from = date.and_then(seconds).unwrap_or(now);
    let wait = u64::try_from(until.saturating_sub(from)).unwrap_or(0);
    Some(Duration::from_secs(wait).min(LONGEST_PAUSE))
}

fn seconds(date: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc2822(date.trim()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        attempts: 4,
        backoff: Backoff { first: Duration::from_secs(1), most: Duration::from_mins(1) },
    };

    /// All that is done when the same comes back again and again.
    fn course(outcome: Outcome) -> Vec<Next> {
        let mut tried = Tried::default();
        let mut all = Vec::new();
        while !matches!(all.last(), Some(Next::GiveUp(_))) {
            // The longest wait of full jitter: the remainder of everything is the bound itself.
            let doubled = 1_000_000 << tried.attempts.min(20);
            all.push(POLICY.decide(&mut tried, outcome, doubled));
        }
        all
    }

    #[test]
    fn each_answer_has_its_course() {
        use FailureKind as K;
        use Next::{Again, GiveUp, NewToken, Pause};
        let second = Duration::from_secs;
        let waits = [Again(second(1)), Again(second(2)), Again(second(4))];
        let pauses = [Pause(second(1)), Pause(second(2)), Pause(second(4))];
        let long = [Again(second(9)); 3];
        let asked = [Pause(second(9)); 3];
        let nine = Some(second(9));
        for (outcome, before, end) in [
            (Outcome::Broken, &waits[..], K::Network),
            (Outcome::Status(400, None), &[], K::Refused),
            (Outcome::Status(401, None), &[NewToken], K::Credentials),
            (Outcome::Status(402, None), &[], K::Payment),
            (Outcome::Status(403, None), &[], K::Permission),
            (Outcome::Status(404, None), &[], K::NotFound),
            (Outcome::Status(405, None), &[], K::Refused),
            (Outcome::Status(408, None), &waits, K::Service),
            (Outcome::Status(409, None), &waits, K::Refused),
            (Outcome::Status(410, None), &[], K::Gone),
            (Outcome::Status(412, None), &[], K::Delegated),
            (Outcome::Status(423, nine), &long, K::Refused),
            (Outcome::Status(429, None), &pauses, K::Throttled),
            (Outcome::Status(429, nine), &asked, K::Throttled),
            (Outcome::Status(500, None), &waits, K::Service),
            (Outcome::Status(501, None), &[], K::Service),
            (Outcome::Status(502, nine), &long, K::Service),
            (Outcome::Status(503, None), &waits, K::Service),
            (Outcome::Status(503, nine), &asked, K::Service),
            (Outcome::Status(504, None), &waits[..1], K::TimedOut),
            (Outcome::Status(509, nine), &asked, K::Throttled),
            (Outcome::Status(302, None), &[], K::Hostile),
            (Outcome::Status(304, None), &[], K::Refused),
            (Outcome::Status(100, None), &[], K::Refused),
        ] {
            let mut expected = before.to_vec();
            expected.push(GiveUp(end));
            assert_eq!(course(outcome), expected, "{outcome:?}");
        }
    }

    #[test]
    fn a_new_token_is_fetched_once_whatever_happens_in_between() {
        let mut tried = Tried::default();
        let steps = [401, 503, 401]
            .map(|status| POLICY.decide(&mut tried, Outcome::Status(status, None), 0));
        assert_eq!(steps[0], Next::NewToken);
        assert_eq!(steps[1], Next::Again(Duration::ZERO));
        assert_eq!(steps[2], Next::GiveUp(FailureKind::Credentials));
    }

    #[test]
    fn waits_double_up_to_a_bound_with_full_jitter() {
        let backoff = Backoff::default();
        assert_eq!(backoff.after(1, 1_000_000), Duration::from_secs(1));
        assert_eq!(backoff.after(1, 1_000_001), Duration::ZERO);
        assert_eq!(backoff.after(3, 3_000_000), Duration::from_secs(3));
        for (attempt, random) in [(7, 60_000_000), (40, 60_000_000), (u32::MAX, u64::MAX)] {
            assert!(backoff.after(attempt, random) <= backoff.most, "{attempt}");
        }
        assert_eq!(backoff.after(40, 60_000_000), backoff.most);
    }

    #[test]
    fn a_pause_is_seconds_or_a_date_and_never_longer_than_ten_minutes() {
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        let now = 1_792_567_000_i64;
        for (text, date, expected) in [
            ("0", None, Some(0)),
            (" 17 ", None, Some(17)),
            ("99999", None, Some(600)),
            ("99999999999999999999999", None, Some(600)),
            ("Wed, 21 Oct 2026 07:28:30 GMT", date, Some(30)),
            ("Wed, 21 Oct 2026 07:27:30 GMT", date, Some(0)),
            ("Wed, 21 Oct 2099 07:28:30 GMT", date, Some(600)),
            ("Wed, 21 Oct 2026 07:28:30 GMT", None, Some(710)),
            ("Wed, 21 Oct 2026 07:28:30 GMT", Some("nonsense"), Some(710)),
            ("", None, None),
            ("-5", None, None),
            ("1.5", None, None),
            ("soon", None, None),
        ] {
            let expected = expected.map(|s: u64| Duration::from_secs(s.min(600)));
            assert_eq!(pause(text, date, now), expected, "{text}");
        }
    }
}
