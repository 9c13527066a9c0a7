//! Accidents: which request meets one is decided by the seed, the address and how often it came.

use std::time::Duration;

use chatvault_support::Random;

use super::answer::{Answer, Refusal};
use super::behaviour::Faults;
use super::body::{Step, interrupt, length};
use super::request::Asked;
use super::service::{Service, happens};
use super::token;

/// How a connection ends badly.
pub(crate) enum Accident {
    HangUp,
    Refused(Refusal),
}

/// Long enough for what was written to leave before the connection is cut.
pub(crate) const LEAVE: Duration = Duration::from_millis(3);
/// Between the dribbles of a slow body.
const DRIBBLE: Duration = Duration::from_millis(15);
const DRIBBLES: u64 = 8;
/// Longer than any client should wait.
const STALL: Duration = Duration::from_hours(1);

impl Faults {
    fn any(&self) -> bool {
        let before = [self.p500, self.p502, self.p503, self.p504, self.p429, self.drop, self.p401];
        let after = [self.cut_body, self.slow, self.stall];
        before.iter().chain(&after).any(|chance| *chance > 0.0)
    }
}

/// The chance of this request, the same each time it is played; none without faults.
pub(crate) fn chance(service: &Service, asked: &Asked) -> Option<Random> {
    let behaviour = service.behaviour();
    behaviour.faults.any().then(|| {
        let attempt = service.attempt(&asked.target);
        service.chance(&asked.target, u64::from(attempt))
    })
}

/// What goes wrong before the request is looked at.
pub(crate) fn before(
    service: &Service,
    asked: &Asked,
    random: Option<&mut Random>,
) -> Option<Accident> {
    let behaviour = service.behaviour();
    let faults = &behaviour.faults;
    let top = asked.query.number("top").unwrap_or(0);
    if faults.p504_above_top.is_some_and(|most| top > most as usize) {
        return Some(named(service, "504 for $top", Accident::Refused(timed_out())));
    }
    let random = random?;
    if happens(random, faults.drop) {
        return Some(named(service, "hung up", Accident::HangUp));
    }
    let after = |seconds: u64| (seconds > 0).then(|| seconds.to_string());
    let with_wait = |refusal: Refusal, wait: Option<String>| match wait {
        Some(wait) => refusal.with("retry-after", wait),
        None => refusal,
    };
    let refusals = [
        ("401", faults.p401, token::expired()),
        (
            "500",
            faults.p500,
            Refusal::new(500, "Proxy_InternalServerError", "Failure in forwarding request."),
        ),
        ("502", faults.p502, Refusal::new(502, "UpstreamServerError", "Bad gateway.")),
        (
            "503",
            faults.p503,
            with_wait(
                Refusal::new(503, "generalException", "Service unavailable."),
                after(faults.p503_retry_after),
            ),
        ),
        ("504", faults.p504, timed_out()),
        ("429", faults.p429, too_many(1)),
    ];
    let (name, _, refusal) = refusals.into_iter().find(|(_, p, _)| happens(random, *p))?;
    Some(named(service, name, Accident::Refused(refusal)))
}

fn timed_out() -> Refusal {
    Refusal::new(504, "UnknownError", "")
}

/// The refusal of too many requests.
pub(crate) fn too_many(retry_after: u64) -> Refusal {
    let refusal = Refusal::new(429, "TooManyRequests", "Please retry again later.");
    if retry_after == 0 { refusal } else { refusal.with("retry-after", retry_after.to_string()) }
}

/// What goes wrong while a good answer is sent.
pub(crate) fn after(service: &Service, answer: &mut Answer, random: &mut Random) {
    let behaviour = service.behaviour();
    let faults = &behaviour.faults;
    let total = length(&answer.steps);
    if total == 0 || answer.status >= 300 {
        return;
    }
    let at = random.below(total);
    let steps = std::mem::take(&mut answer.steps);
    answer.steps = if happens(random, faults.cut_body) {
        named(service, "cut", interrupt(steps, at, &[Step::Wait(LEAVE), Step::Cut]))
    } else if happens(random, faults.stall) {
        named(service, "stalled", interrupt(steps, at, &[Step::Wait(STALL)]))
    } else if happens(random, faults.slow) {
        named(service, "slow", dribble(steps, total))
    } else {
        steps
    };
}

fn dribble(mut steps: Vec<Step>, total: u64) -> Vec<Step> {
    for piece in 1..DRIBBLES {
        steps = interrupt(steps, total * piece / DRIBBLES, &[Step::Wait(DRIBBLE)]);
    }
    steps
}

/// Counts a fault by its name.
pub(crate) fn named<T>(service: &Service, name: &'static str, what: T) -> T {
    service.note(|seen| *seen.faults.entry(name).or_default() += 1);
    what
}
