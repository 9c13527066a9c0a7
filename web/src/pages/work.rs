//! `/a/{org}/jobs/{id}`: how far something in the background is, live.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;

use crate::call::{Call, go, page};
use crate::failure::{Failure, Result};
use crate::frame::{self, Frame};
use crate::site::Site;
use crate::text::When;
use crate::work::{Seen, State, Work};

/// Events come no faster.
const PACE: Duration = Duration::from_millis(200);

#[derive(Template)]
#[template(path = "work.html")]
struct View {
    frame: Frame,
    link: String,
    title: String,
    started: When,
    seen: Seen,
    is_running: bool,
    is_stopping: bool,
}

fn found(call: &Call) -> Result<Arc<Work>> {
    let id = call.step("id").parse().unwrap_or_default();
    let missing = || Failure::missing("work of this number");
    call.site.works.get(&*call.organisation()?, id).ok_or_else(missing)
}

/// `GET /a/{org}/jobs/{id}`.
pub(crate) fn show(call: &Call) -> Result<Response> {
    let (org, work) = (call.organisation()?, found(call)?);
    let (seen, is_running) = (work.seen(), work.is_running());
    let frame = call.frame(&work.title, &org, "");
    page(&View {
        frame: Frame { refresh: is_running.then_some(2), ..frame },
        link: work.link(),
        title: work.title.clone(),
        started: When::new(call.zone, work.started),
        is_stopping: is_running && work.is_stopped(),
        seen,
        is_running,
    })
}

/// `POST /a/{org}/jobs/{id}`: stop.
pub(crate) fn stop(call: &Call) -> Result<Response> {
    let work = found(call)?;
    work.ask_to_stop();
    go(work.link())
}

/// `GET /a/{org}/jobs/{id}/events`.
pub(crate) async fn events(
    Shared(site): Shared<Arc<Site>>,
    Path((org, id)): Path<(String, u64)>,
) -> Response {
    let found = site.organisation(&org).ok().and_then(|org| site.works.get(&org, id));
    let Some(work) = found else { return frame::alone(&Failure::missing("work of this number")) };
    Sse::new(stream::unfold(Some(work.watch()), next))
        .keep_alive(KeepAlive::default())
        .into_response()
}

type Told = std::result::Result<Event, Infallible>;

/// What is seen now, then what is seen after each change, until the end.
async fn next(
    watched: Option<watch::Receiver<Seen>>,
) -> Option<(Told, Option<watch::Receiver<Seen>>)> {
    let mut watched = watched?;
    tokio::time::sleep(PACE).await;
    let seen = watched.borrow_and_update().clone();
    let json = serde_json::to_string(&seen).unwrap_or_default();
    if seen.state == State::Running {
        // An error means that the work is gone: what was seen is its end.
        let waited = tokio::time::timeout(Duration::from_secs(30), watched.changed()).await;
        drop(waited);
    }
    let rest = (seen.state == State::Running).then_some(watched);
    Some((Ok(Event::default().data(json)), rest))
}

impl State {
    /// How it looks.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Running => "idle",
            Self::Done => "good",
            Self::Warned | Self::Stopped => "warn",
            Self::Failed => "bad",
        }
    }

    /// What it is called.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Done => "Done",
            Self::Warned => "Done, with remarks",
            Self::Stopped => "Stopped",
            Self::Failed => "Failed",
        }
    }
}
