//! Tokens: fetched once for all who wait, renewed before they expire.
//!
//! Invariants: at most one request for a token is under way; whoever came while it failed gets its
//! failure instead of asking again. While a token is still good, nobody waits for the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatvault_base::Clock;
use reqwest::header::{self, HeaderValue};
use tokio::sync::Mutex as Flight;
use tokio::time::{Instant, sleep};

use super::assertion::{Claims, signed};
use super::body;
use super::client::App;
use super::connection::{Connections, broken};
use super::course::host;
use super::credential::{Credential, Secret};
use super::failure::{Failure, FailureKind};
use super::retry::{Next, Outcome, Policy, Tried, pause_of};
use super::sign_in::{Granted, granted, refused};

/// A new token is fetched so long before the old one expires, or at half its life.
const AHEAD: Duration = Duration::from_mins(5);

/// After a renewal that failed the old token serves so long before the next try.
const RENEW_AGAIN: Duration = Duration::from_secs(30);

/// A token with hundreds of roles has some thousand bytes.
const MOST_BYTES: usize = 256 << 10;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token in use.
#[derive(Debug)]
pub(crate) struct Token {
    secret: Secret,
    header: HeaderValue,
    renew: Mutex<Instant>,
    expires: Instant,
}

impl Token {
    fn new(granted: Granted, asked: Instant) -> Result<Self, Failure> {
        let Granted { token, life } = granted;
        let mut header =
            HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_invalid| {
                Failure::new(FailureKind::Service, "the token service gave an odd token")
            })?;
        header.set_sensitive(true);
        let expires = asked + life;
        let renew = Mutex::new(expires - AHEAD.min(life / 2));
        Ok(Self { secret: token, header, renew, expires })
    }

    /// `Bearer …`, marked so that nobody shows it.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    pub(crate) fn expose(&self) -> &str {
        self.secret.expose()
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < *self.renew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_good(&self) -> bool {
        Instant::now() < self.expires
    }

    fn put_off(&self) {
        *self.renew.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + RENEW_AGAIN;
    }
}

/// Where tokens come from and the one in use.
#[derive(Debug)]
pub(crate) struct Tokens {
    app: App,
    http: Arc<Connections>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    held: Mutex<Held>,
    flight: Flight<()>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Arc<Token>>,
    /// How many requests for a token have ended, and how the last one failed.
    ended: u64,
    failed: Option<Failure>,
}

impl Tokens {
    pub(crate) fn new(
        app: App,
        http: Arc<Connections>,
        clock: Arc<dyn Clock>,
        policy: Policy,
    ) -> Self {
        Self { app, http, clock, policy, held: Mutex::default(), flight: Flight::new(()) }
    }

    /// A token that is good for a while.
    pub(crate) async fn get(&self) -> Result<Arc<Token>, Failure> {
        let (held, ended) = self.state();
        let Some(old) = held else { return self.wait(ended).await };
        if old.is_fresh() {
            return Ok(old);
        }
        if !old.is_good() {
            return self.wait(ended).await;
        }
        // It still serves. One renews it, the others do not wait.
        let Ok(_flight) = self.flight.try_lock() else { return Ok(old) };
        if let Some(newer) = self.state().0.filter(|token| token.is_fresh()) {
            return Ok(newer);
        }
        self.fetch().await.or_else(|_failure| {
            old.put_off();
            Ok(old)
        })
    }

    /// The service did not take this token: nobody shall use it again.
    pub(crate) fn discard(&self, token: &Arc<Token>) {
        let mut held = self.lock();
        if held.token.as_ref().is_some_and(|current| Arc::ptr_eq(current, token)) {
            held.token = None;
        }
    }

    /// Waits for the request under way, or makes one.
    async fn wait(&self, ended: u64) -> Result<Arc<Token>, Failure> {
        let _flight = self.flight.lock().await;
        {
            let held = self.lock();
            if let Some(token) = held.token.as_ref().filter(|token| token.is_good()) {
                return Ok(Arc::clone(token));
            }
            if held.ended != ended
                && let Some(failure) = &held.failed
            {
                return Err(failure.clone());
            }
        }
        self.fetch().await
    }

    /// Asks for a token. Whoever calls holds the flight.
    async fn fetch(&self) -> Result<Arc<Token>, Failure> {
        let fetched = self.request().await;
        let mut held = self.lock();
        held.ended += 1;
        held.failed = fetched.as_ref().err().cloned();
        if let Ok(token) = &fetched {
            held.token = Some(Arc::clone(token));
        }
        fetched
    }

    async fn request(&self) -> Result<Arc<Token>, Failure> {
        let mut tried = Tried { renewed: true, ..Tried::default() };
        loop {
            let asked = Instant::now();
            let (outcome, failure) = match self.attempt().await {
                Ok(granted) => return Token::new(granted, asked).map(Arc::new),
                Err(Stumble::Final(failure)) => return Err(failure),
                Err(Stumble::Answered(outcome, failure)) => (outcome, failure),
            };
            let random = random(&*self.clock);
            match self.policy.decide(&mut tried, outcome, random) {
                Next::Again(wait) | Next::Pause(wait) => sleep(wait).await,
                Next::NewToken | Next::GiveUp(_) => return Err(failure),
            }
        }
    }

    async fn attempt(&self) -> Result<Granted, Stumble> {
        let address = self.app.cloud.token_address(&self.app.tenant);
        let url = reqwest::Url::parse(&address).map_err(|error| {
            Stumble::Final(Failure::new(FailureKind::Local, format!("token address: {error}")))
        })?;
        let host = host(&url);
        let proof = self.proof(&address).map_err(Stumble::Final)?;
        let pools = self.http.current();
        let failed = |error: &reqwest::Error| {
            self.http.renew(&pools);
            Stumble::Answered(Outcome::Broken, broken(error, &host))
        };
        let request = pools
            .json
            .post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(self.form(&proof));
        let answer = request.send().await.map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        let wait = pause_of(answer.headers(), &*self.clock);
        let body = body::beginning(answer, MOST_BYTES).await.map_err(|error| failed(&error))?;
        if status == 200 {
            return granted(&body).map_err(|failure| Stumble::Final(failure.at(&host)));
        }
        let failure = refused(status, &body, &[proof.text.expose()]).at(&host);
        Err(Stumble::Answered(Outcome::Status(status, wait), failure))
    }

    fn proof(&self, audience: &str) -> Result<Proof, Failure> {
        let certificate = match &*self.app.credential {
            Credential::Secret(secret) => {
                let text = Secret::new(secret.expose().to_owned());
                return Ok(Proof { text, signed: false });
            }
            Credential::Certificate(certificate) => certificate,
        };
        let claims = Claims {
            audience,
            client_id: &self.app.client_id,
            now: self.clock.now().ms().div_euclid(1000),
            id: self.clock.random(),
        };
        let text = signed(certificate, &claims).ok_or_else(|| {
            Failure::new(FailureKind::Local, "the private key of the app cannot sign")
        })?;
        Ok(Proof { text: Secret::new(text), signed: true })
    }

    fn form(&self, proof: &Proof) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let _ = form
            .append_pair("client_id", &self.app.client_id)
            .append_pair("scope", &self.app.cloud.scope())
            .append_pair("grant_type", "client_credentials");
        let _ = if proof.signed {
            form.append_pair("client_assertion_type", ASSERTION_TYPE)
                .append_pair("client_assertion", proof.text.expose())
        } else {
            form.append_pair("client_secret", proof.text.expose())
        };
        form.finish()
    }

    fn state(&self) -> (Option<Arc<Token>>, u64) {
        let held = self.lock();
        (held.token.clone(), held.ended)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What proves who we are: a secret, or a statement signed for this one request.
#[derive(Debug)]
struct Proof {
    text: Secret,
    signed: bool,
}

/// Why there is no token yet.
enum Stumble {
    Final(Failure),
    Answered(Outcome, Failure),
}

/// Chance for jitter.
pub(crate) fn random(clock: &dyn Clock) -> u64 {
    let bytes = clock.random();
    bytes.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
