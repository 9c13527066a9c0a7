//! One request, read: what a page is made of. And the way from the network to a page.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use chatvault_export::entry::{SystemEvents, Zone};
use tokio::task::spawn_blocking;

use crate::failure::{Failure, Result};
use crate::fields::Fields;
use crate::frame::{self, Frame};
use crate::guard::{cookies, is_equal};
use crate::organisation::Organisation;
use crate::site::Site;

/// A form has no more bytes.
const FORM_BYTES: usize = 1 << 20;
/// A form is sent within this time.
const FORM_TIME: Duration = Duration::from_secs(20);

/// A request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) site: Arc<Site>,
    /// What stands behind the `?`.
    pub(crate) query: Fields,
    /// What a form sent.
    pub(crate) form: Fields,
    pub(crate) headers: HeaderMap,
    /// The viewer's.
    pub(crate) zone: Zone,
    steps: Vec<(String, String)>,
    is_read: bool,
}

/// What makes a page. It may block: so many run at once.
pub(crate) type Handler = fn(&Call) -> Result<Response>;

/// A page to be read.
pub(crate) fn get(handler: Handler) -> MethodRouter<Arc<Site>> {
    route(MethodFilter::GET, handler)
}

/// Something to be done.
pub(crate) fn post(handler: Handler) -> MethodRouter<Arc<Site>> {
    route(MethodFilter::POST, handler)
}

fn route(method: MethodFilter, handler: Handler) -> MethodRouter<Arc<Site>> {
    on(
        method,
        async move |State(site): State<Arc<Site>>, steps: RawPathParams, request: Request| {
            let steps = steps.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            let steps: Vec<(String, String)> = steps.collect();
            match Call::read(site, steps, request).await {
                Ok(call) => call.answer(handler).await,
                Err(failure) => frame::alone(&failure),
            }
        },
    )
}

impl Call {
    async fn read(site: Arc<Site>, steps: Vec<(String, String)>, request: Request) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let form = if parts.method == Method::POST { form(body).await? } else { Fields::default() };
        let key = form.get("key").unwrap_or_default();
        if parts.method == Method::POST && !is_equal(key, &site.keys.form) {
            let line = "This form is from before the server was started again";
            let advice = Some("Go back, reload the page, and send it once more.".to_owned());
            return Err(Failure { status: StatusCode::FORBIDDEN, line: line.to_owned(), advice });
        }
        let query = Fields::of(parts.uri.query().unwrap_or_default().as_bytes());
        let named = cookies(&parts.headers, "zone").next().map(|zone| zone.replace("%2F", "/"));
        let zone = named.and_then(|zone| zone.parse().ok()).unwrap_or_default();
        let is_read = parts.method != Method::POST;
        Ok(Self { site, query, form, headers: parts.headers, zone, steps, is_read })
    }

    async fn answer(self, handler: Handler) -> Response {
        let room = self.site.works.room().await;
        let made = spawn_blocking(move || {
            let made = if self.is_early() { frame::opening(&self) } else { handler(&self) };
            let made = made.or_else(|failure| frame::failed(&self, &failure));
            drop(room);
            made
        });
        match made.await {
            Ok(Ok(response)) => response,
            Ok(Err(failure)) => frame::alone(&failure),
            Err(_panicked) => frame::alone(&Failure {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                line: "This page could not be made: that is a fault of chatvault".to_owned(),
                advice: None,
            }),
        }
    }

    /// Is the archive that it is about still being opened?
    fn is_early(&self) -> bool {
        let has_org = self.steps.iter().any(|(own, _)| own == "org");
        self.is_read && has_org && self.organisation().is_ok_and(|org| !org.opens_soon())
    }

    /// A step of the path, decoded.
    pub(crate) fn step(&self, name: &str) -> &str {
        let found = self.steps.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// How system events are shown: as the address says, or else as the server was told.
    pub(crate) fn system_events(&self) -> SystemEvents {
        match self.query.get("events") {
            Some("placeholder") => SystemEvents::Placeholder,
            Some("text") => SystemEvents::Text,
            _ => self.site.system_events(),
        }
    }

    /// The conversation that the path names.
    pub(crate) fn conversation(&self) -> &str {
        match self.step("chat") {
            "-" => "",
            id => id,
        }
    }

    /// The organisation that the path names.
    pub(crate) fn organisation(&self) -> Result<Arc<Organisation>> {
        self.site.organisation(self.step("org"))
    }

    /// The frame of a page of an organisation.
    pub(crate) fn frame(&self, title: &str, org: &Organisation, section: &'static str) -> Frame {
        Frame::new(self, title, Some(org), section)
    }
}

pub(crate) async fn form(body: Body) -> Result<Fields> {
    let failure = |status, line: &str| Failure { status, line: line.to_owned(), advice: None };
    let late = |_late| failure(StatusCode::REQUEST_TIMEOUT, "The form took too long to arrive");
    let read = tokio::time::timeout(FORM_TIME, axum::body::to_bytes(body, FORM_BYTES));
    let large = |_cause| failure(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large");
    Ok(Fields::of(&read.await.map_err(late)?.map_err(large)?))
}

/// A page of a template.
pub(crate) fn page(template: &impl Template) -> Result<Response> {
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8")], template.render()?).into_response())
}

/// Go on there.
#[expect(clippy::unnecessary_wraps, reason = "it is the last line of handlers, as `page` is")]
pub(crate) fn go(place: impl Into<String>) -> Result<Response> {
    Ok((StatusCode::SEE_OTHER, [(LOCATION, place.into())]).into_response())
}
