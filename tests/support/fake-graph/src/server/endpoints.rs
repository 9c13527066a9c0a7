//! From a request to its answer: counted, authorized, throttled, and then whatever it asked for.

use super::answer::{Answer, Outcome, Refusal};
use super::content;
use super::directory;
use super::exports;
use super::faults::{self, Accident};
use super::hostile;
use super::listen::Place;
use super::request::{Asked, Burden};
use super::route::Endpoint;
use super::seen::Class;
use super::service::Service;
use super::token;

/// The answer to a request; `form` is its body.
pub(crate) fn answer(service: &Service, asked: &Asked, place: Place, form: &[u8]) -> Answer {
    if place == Place::Elsewhere {
        return elsewhere(service, asked);
    }
    if asked.post && asked.segments.get(1..).is_some_and(|path| path == ["oauth2", "v2.0", "token"])
    {
        arrive(service, Class::Token);
        return token::issue(service, asked, &String::from_utf8_lossy(form));
    }
    let endpoint = Endpoint::of(&asked.segments);
    let burden = endpoint.burden();
    arrive(service, burden.0);
    let mut chance = faults::chance(service, asked);
    let accident = faults::before(service, asked, chance.as_mut());
    let outcome = admit(service, asked, &endpoint, &burden).and_then(|()| match accident {
        Some(Accident::HangUp) => Ok(Answer::hang_up()),
        Some(Accident::Refused(refusal)) => Err(refusal),
        None => give(service, asked, &endpoint),
    });
    let mut answer = outcome.unwrap_or_else(|refusal| refusal.into_answer(asked));
    if let Some(chance) = &mut chance {
        faults::after(service, &mut answer, chance);
    }
    answer
}

fn arrive(service: &Service, class: Class) {
    let second = usize::try_from(service.uptime().as_secs()).unwrap_or(0);
    service.note(|seen| seen.arrive(class, second));
}

/// Method, token and limits, in this order: what is refused for its token still counts.
fn admit(
    service: &Service,
    asked: &Asked,
    endpoint: &Endpoint,
    burden: &Burden,
) -> Result<(), Refusal> {
    if asked.post {
        return Err(Refusal::new(405, "MethodNotAllowed", "Only reading is possible."));
    }
    throttle(service, burden)?;
    token::authorize(service, asked, endpoint)
}

fn throttle(service: &Service, (class, resource): &Burden) -> Result<(), Refusal> {
    let behaviour = service.behaviour();
    let Some(rules) = &behaviour.throttle else { return Ok(()) };
    // The time is taken under the lock, so that times in a bucket never go back.
    let mut limiter = service.limiter();
    let at = service.uptime();
    if limiter.admit(rules, (*class, resource.as_deref()), at) {
        return Ok(());
    }
    drop(limiter);
    service.note(|seen| *seen.above_limit.entry(*class).or_default() += 1);
    Err(faults::too_many(rules.retry_after))
}

fn give(service: &Service, asked: &Asked, endpoint: &Endpoint) -> Outcome {
    if let Some(hostile) = hostile::answer(service, asked, endpoint) {
        return hostile;
    }
    match endpoint {
        Endpoint::Export(export) => exports::answer(service, asked, export),
        Endpoint::Users | Endpoint::DeletedUsers | Endpoint::Groups | Endpoint::DeletedTeams => {
            directory::list(service, asked, endpoint)
        }
        Endpoint::Application => Ok(directory::application(service)),
        Endpoint::User(id) => directory::user(service, asked, id),
        Endpoint::Chat(id) => directory::chat(service, asked, id),
        Endpoint::ChatMembers(_) | Endpoint::TeamChannels(_) => {
            directory::parts(service, asked, endpoint)
        }
        Endpoint::Content { path, deleted_team } => {
            content::of_team_as_it_is(service, asked, path, *deleted_team)?;
            content::answer(service, asked, path)
        }
        Endpoint::Share { id, bytes } => content::share(service, asked, id, *bytes),
        Endpoint::TenantWide => Err(Refusal::bad("Requested API is not supported.")),
        Endpoint::Unknown => {
            let text = format!("Resource not found for the segment '{}'.", asked.path());
            Err(Refusal::bad(&text))
        }
    }
}

/// The second origin, where no token belongs.
fn elsewhere(service: &Service, asked: &Asked) -> Answer {
    arrive(service, Class::Elsewhere);
    if asked.header("authorization").is_some() {
        service.note(|seen| seen.bearer_elsewhere += 1);
    }
    if let Some(round) = hostile::redirect_loop(service, asked) {
        return round;
    }
    let mut chance = faults::chance(service, asked);
    let accident = faults::before(service, asked, chance.as_mut());
    let outcome = match accident {
        Some(Accident::HangUp) => Ok(Answer::hang_up()),
        Some(Accident::Refused(refusal)) if refusal.status != 401 => Err(refusal),
        _ => content::elsewhere(service, asked),
    };
    let mut answer = outcome.unwrap_or_else(|refusal| refusal.into_answer(asked));
    if let Some(chance) = &mut chance {
        faults::after(service, &mut answer, chance);
    }
    answer
}
