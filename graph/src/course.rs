//! The course of one request: its attempts, what came of them, and what is done in between.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, Url};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::assertion::uuid;
use super::body;
use super::client::{Client, Request};
use super::connection::{Pools, broken};
use super::envelope;
use super::failure::{Failure, FailureKind, clean};
use super::meter::Meter;
use super::retry::{Next, Outcome, Tried, pause_of};
use super::token::{Token, random};

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Without it system events come as an unknown type. It must stand on every page's request.
const ALL_MEMBERS: HeaderValue = HeaderValue::from_static("include-unknown-enum-members");

/// How an answer is taken.
#[derive(Debug)]
pub(super) enum Style {
    /// JSON, compressed if the service likes.
    Json,
    /// Bytes as they are, perhaps from an offset on.
    Bytes(HeaderMap),
}

/// What kept an attempt from success.
#[derive(Debug)]
pub(super) enum Stumble {
    /// No other attempt can help.
    Final(Failure),
    /// This came back; the failure stands if it was the last attempt.
    Passing(Outcome, Failure),
}

/// The attempts of one request.
pub(super) struct Course<'a> {
    pub(super) meter: &'a Meter,
    pub(super) client: &'a Client,
    request: Request<'a>,
    tried: Tried,
    token: Option<Arc<Token>>,
    pools: Option<Pools>,
    sent: Option<Instant>,
}

impl<'a> Course<'a> {
    pub(super) fn new(client: &'a Client, request: Request<'a>, meter: &'a Meter) -> Self {
        Self {
            meter,
            client,
            request,
            tried: Tried::default(),
            token: None,
            pools: None,
            sent: None,
        }
    }

    /// Waits for its turn and sends the request to Graph, with the token.
    pub(super) async fn send(
        &mut self,
        style: Style,
    ) -> Result<(Response, OwnedSemaphorePermit), Stumble> {
        let chat = self.client.pacer.chat(self.request.resource).await;
        let token = self.client.tokens.get().await.map_err(Stumble::Final)?;
        let permits = match style {
            Style::Json => self.client.slots.permits(),
            Style::Bytes(_) => &self.client.downloads,
        };
        let turn = self.client.pacer.turn(self.request.class, permits).await;
        let (paused, permit) = turn.map_err(|closed| {
            Stumble::Final(Failure::new(FailureKind::Local, closed.to_string()))
        })?;
        self.meter.throttled(paused);
        let pools = self.client.http.current();
        let (pool, accept, more) = match style {
            Style::Json => (&pools.json, "application/json", HeaderMap::new()),
            Style::Bytes(more) => (&pools.raw, "*/*", more),
        };
        let id = uuid(self.client.clock.random());
        let request = pool
            .get(self.request.link.url().clone())
            .header(header::AUTHORIZATION, token.header())
            .header(header::ACCEPT, accept)
            .header(PREFER, ALL_MEMBERS)
            .header(CLIENT_REQUEST_ID, id)
            .headers(more);
        self.token = Some(token);
        self.pools = Some(pools.clone());
        self.meter.request();
        debug!(path = self.request.link.path(), attempt = self.tried.attempts + 1, "request");
        chat.leave();
        self.sent = Some(Instant::now());
        let answer = request.send().await.map_err(|error| self.broken(&error))?;
        Ok((answer, permit))
    }

    /// How long ago the last attempt was sent.
    pub(super) fn since_sent(&self) -> Duration {
        self.sent.map_or(Duration::ZERO, |sent| sent.elapsed())
    }

    /// A connection that could not be made or broke.
    pub(super) fn broken(&self, error: &reqwest::Error) -> Stumble {
        let host = error.url().map_or_else(|| host(self.request.link.url()), host);
        Stumble::Passing(Outcome::Broken, broken(error, &host))
    }

    /// An answer that says why not.
    pub(super) async fn refusal(&self, answer: Response) -> Stumble {
        let foreign = answer.url() != self.request.link.url();
        // The refusal of whoever never saw our token says nothing about it.
        let status = match answer.status().as_u16() {
            401 if foreign => 403,
            status => status,
        };
        let pause = pause_of(answer.headers(), &*self.client.clock);
        let (id, place) = (request_id(&answer), host(answer.url()));
        let body = body::beginning(answer, envelope::MOST_BYTES).await.unwrap_or_default();
        let token = self.token.as_ref().map_or("", |token| token.expose());
        let kind = FailureKind::of_status(status);
        let mut failure = envelope::failure(kind, status, &body, token);
        failure.request_id = id.or(failure.request_id);
        failure.at = foreign.then_some(place);
        Stumble::Passing(Outcome::Status(status, pause), failure)
    }

    /// A JSON request is never redirected by the service itself.
    pub(super) fn redirected(answer: &Response) -> Failure {
        let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let to = to.and_then(|to| answer.url().join(to).ok());
        let message = match to.as_ref().map(host) {
            Some(host) => format!("redirected to {}, which is not followed", clean(&host)),
            None => "redirected to nowhere".to_owned(),
        };
        let status = Some(answer.status().as_u16());
        Failure { status, ..Failure::new(FailureKind::Hostile, message) }
    }

    /// Does what has to be done before the next attempt, or gives the failure that stands.
    pub(super) async fn recover(&mut self, stumble: Stumble) -> Result<(), Failure> {
        let (outcome, failure) = match stumble {
            Stumble::Final(failure) => return Err(self.placed(failure)),
            Stumble::Passing(outcome, failure) => (outcome, failure),
        };
        debug!(path = self.request.link.path(), %failure, "attempt failed");
        let client = self.client;
        if let Outcome::Broken | Outcome::Status(503, _) = outcome
            && let Some(pools) = self.pools.take()
        {
            client.http.renew(&pools);
        }
        match client.policy.decide(&mut self.tried, outcome, random(&*client.clock)) {
            Next::Again(wait) => sleep(wait).await,
            Next::Pause(wait) => client.pacer.pause(self.request.class, wait),
            Next::NewToken => {
                if let Some(token) = self.token.take() {
                    client.tokens.discard(&token);
                }
            }
            Next::GiveUp(kind) => return Err(self.given_up(outcome, failure, kind)),
        }
        self.meter.retry();
        Ok(())
    }

    /// Bytes were gained: what failed before is forgotten.
    pub(super) fn progressed(&mut self) {
        self.tried = Tried::default();
    }

    fn given_up(&self, outcome: Outcome, mut failure: Failure, kind: FailureKind) -> Failure {
        // Others wait even if this request does not.
        if let Outcome::Status(429 | 503 | 509, Some(pause)) = outcome {
            self.client.pacer.pause(self.request.class, pause);
        }
        // What is read from the text knows better than the status.
        if !matches!(failure.kind, FailureKind::Gone | FailureKind::Licence) {
            failure.kind = kind;
        }
        if kind == FailureKind::Credentials && failure.message.is_empty() {
            failure.message.push_str("Graph does not take a fresh token");
        }
        if self.tried.attempts > 1 && kind != FailureKind::Credentials {
            let gap = if failure.message.is_empty() { "" } else { "; " };
            failure.message =
                format!("{}{gap}tried {} times", failure.message, self.tried.attempts);
        }
        self.placed(failure)
    }

    fn placed(&self, mut failure: Failure) -> Failure {
        if failure.at.is_none() {
            failure.at = Some(clean(self.request.link.path()));
        }
        failure
    }
}

/// Host and port, if that is not the usual one.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// By this Microsoft's support finds the request.
pub(super) fn request_id(answer: &Response) -> Option<String> {
    envelope::id(answer.headers().get("request-id")?.to_str().ok()?)
}
