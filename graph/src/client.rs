//! A client of the Graph service: one app in one tenant, polite and bounded.
//!
//! Invariants: the bearer token leaves only for the cloud's own Graph, for that is what a [`Link`]
//! proves; every answer in memory holds a permit; nothing is tried without end.

use std::sync::Arc;

use bytes::Bytes;
use chatvault_base::Clock;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::body::{self, Body, Fault};
use super::cloud::Cloud;
use super::connection::{Connections, broken};
use super::course::{Course, Stumble, Style, host, request_id};
use super::credential::Credential;
use super::failure::{Failure, FailureKind};
use super::limits::{Class, Limits};
use super::link::Link;
use super::meter::Meter;
use super::pace::Pacer;
use super::retry::{Backoff, Outcome, Policy};
use super::sign_in::roles;
use super::slots::Slots;
use super::token::Tokens;

/// An app registration in a tenant, as it signs in.
#[derive(Clone, Debug)]
pub struct App {
    /// The tenant's id or one of its domain names.
    pub tenant: String,
    /// The id of the app (client).
    pub client_id: String,
    /// What the app proves itself with.
    pub credential: Arc<Credential>,
    /// The cloud that the tenant belongs to.
    pub cloud: Cloud,
}

/// A client of the Graph service.
#[derive(Debug)]
pub struct Client {
    pub(super) cloud: Cloud,
    pub(super) http: Arc<Connections>,
    pub(super) tokens: Tokens,
    pub(super) pacer: Pacer,
    /// For answers, each until whoever works on it lets go of it.
    pub(super) slots: Slots,
    /// For downloads, which can take minutes: pages do not wait for them.
    pub(super) downloads: Arc<Semaphore>,
    pub(super) policy: Policy,
    pub(super) clock: Arc<dyn Clock>,
    large: Arc<Mutex<()>>,
    answer_bytes: usize,
}

/// What is asked for, and what limits it counts against.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is asked for.
    pub link: &'a Link,
    /// What it counts against.
    pub class: Class,
    /// The chat that the request concerns, where the service counts requests by chat.
    pub resource: Option<&'a str>,
}

/// A whole answer. So many exist at once as there are permits, and one of them may be large: let go
/// of it before asking for the next, or at least do not wait for the next with it in hand.
#[derive(Debug)]
pub struct Answer {
    /// Its bytes, unpacked.
    pub body: Bytes,
    /// How the service calls the request, for its support.
    pub request_id: Option<String>,
    _permit: OwnedSemaphorePermit,
    _large: Option<OwnedMutexGuard<()>>,
}

impl Client {
    /// Sets up a client; asks nothing yet. Installs no global state. The clock is for the times of
    /// statements and for chance.
    ///
    /// A [`Failure`] if the system gives no TLS, or the app's address is none.
    pub fn new(app: App, limits: &Limits, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let backoff = Backoff { first: limits.backoff, ..Backoff::default() };
        Self::with_backoff(app, limits, clock, backoff)
    }

    /// With other waits, for tests that cannot wait.
    pub(crate) fn with_backoff(
        app: App,
        limits: &Limits,
        clock: Arc<dyn Clock>,
        backoff: Backoff,
    ) -> Result<Self, Failure> {
        check(&app)?;
        let cloud = app.cloud.clone();
        let http = Arc::new(Connections::new(&cloud, limits.patience)?);
        let policy = Policy { attempts: limits.attempts, backoff };
        let downloads = limits.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            cloud,
            tokens: Tokens::new(app, Arc::clone(&http), Arc::clone(&clock), policy),
            http,
            pacer: Pacer::new(limits),
            slots: Slots::new(limits),
            downloads: Arc::new(Semaphore::new(downloads)),
            policy,
            clock,
            large: Arc::default(),
            answer_bytes: limits.answer_bytes,
        })
    }

    /// The cloud that is asked.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Answers that may be on their way at once, now.
    pub fn at_once(&self) -> usize {
        self.slots.count()
    }

    /// Has the service asked for a pause that is not over?
    pub fn is_paused(&self) -> bool {
        self.pacer.is_paused()
    }

    /// One JSON answer, whole.
    ///
    /// A token that is not taken is renewed once. Throttling, trouble of the service, broken
    /// connections and short bodies are tried again, within the attempts; what times out twice is
    /// [`FailureKind::TimedOut`], so that the caller can ask for less.
    ///
    /// Any other answer than the one asked for is a [`Failure`], whose kind says what the caller can do.
    pub async fn get(&self, request: &Request<'_>, meter: &Meter) -> Result<Answer, Failure> {
        let mut course = Course::new(self, *request, meter);
        loop {
            match self.answer(&mut course).await {
                Ok(answer) => return Ok(answer),
                Err(stumble) => course.recover(stumble).await?,
            }
        }
    }

    /// Gets a token and nothing else. Gives the permissions that are named in it, if it can be read.
    ///
    /// A [`Failure`] if the service gives no token.
    pub async fn sign_in(&self) -> Result<Option<Vec<String>>, Failure> {
        Ok(roles(self.tokens.get().await?.expose()))
    }

    async fn answer(&self, course: &mut Course<'_>) -> Result<Answer, Stumble> {
        let (answer, permit) = course.send(Style::Json).await?;
        let status = answer.status().as_u16();
        if answer.status().is_redirection() {
            return Err(Stumble::Final(Course::redirected(&answer)));
        }
        // A part was not asked for: whoever sends one is confused.
        if status == 206 {
            let failure = Failure::new(FailureKind::Network, "a part came instead of the whole");
            return Err(Stumble::Passing(Outcome::Broken, failure));
        }
        if !answer.status().is_success() {
            return Err(course.refusal(answer).await);
        }
        let (at, request_id) = (host(answer.url()), request_id(&answer));
        match body::whole(answer, self.answer_bytes, &self.large, course.meter).await {
            Ok(Body { bytes, right }) => {
                self.slots.observe(course.since_sent(), bytes.len());
                Ok(Answer { body: bytes, request_id, _permit: permit, _large: right })
            }
            Err(Fault::Broken(error)) => {
                Err(Stumble::Passing(Outcome::Broken, broken(&error, &at)))
            }
            Err(Fault::Cut) => {
                let failure = Failure::new(FailureKind::Network, format!("{at} sent half a JSON"));
                Err(Stumble::Passing(Outcome::Broken, Failure { request_id, ..failure }))
            }
            Err(Fault::TooLarge) => {
                let message = format!("more than {} bytes", self.answer_bytes);
                let failure = Failure::new(FailureKind::TooLarge, message);
                Err(Stumble::Final(Failure { request_id, ..failure }))
            }
        }
    }
}

/// Tenant and client id go into an address and a statement: nothing else may be in them.
fn check(app: &App) -> Result<(), Failure> {
    let wrong = |message| Err(Failure::new(FailureKind::Credentials, message));
    let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let tenant = app.tenant.as_str();
    if tenant.is_empty() || !tenant.chars().all(name) || tenant.starts_with('.') {
        return wrong("the tenant must be its id or one of its domain names");
    }
    if ["common", "organizations", "consumers"].contains(&tenant) {
        return wrong("the tenant must be a certain one: give its id or one of its domain names");
    }
    if app.client_id.is_empty() || !app.client_id.chars().all(|c| c.is_ascii_graphic()) {
        return wrong("the client id must be the id of the app registration");
    }
    Ok(())
}
