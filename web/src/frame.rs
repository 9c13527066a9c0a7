//! What stands around the content of every page: where one is, where one can go, what goes on.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

use crate::call::Call;
use crate::failure::{Failure, Result};
use crate::organisation::Organisation;

/// What every template is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) org: Option<Place>,
    pub(crate) section: &'static str,
    /// Carried by each form.
    pub(crate) key: String,
    /// There is a list of organisations to go back to.
    pub(crate) is_folder: bool,
    /// What goes on in the background.
    pub(crate) running: Vec<Running>,
    /// A page without scripts asks again after so many seconds.
    pub(crate) refresh: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) link: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) title: String,
    pub(crate) link: String,
}

impl Frame {
    pub(crate) fn new(
        call: &Call,
        title: &str,
        org: Option<&Organisation>,
        section: &'static str,
    ) -> Self {
        let place = |org: &Organisation| Place { name: org.name.clone(), link: org.link() };
        let works = call.site.works.running();
        let running =
            works.iter().map(|work| Running { title: work.title.clone(), link: work.link() });
        Self {
            title: title.to_owned(),
            org: org.map(place),
            section,
            key: call.site.keys.form.clone(),
            is_folder: call.site.is_folder(),
            running: running.collect(),
            refresh: None,
        }
    }
}

#[derive(Template)]
#[template(path = "failed.html")]
struct Failed<'a> {
    frame: Frame,
    failure: &'a Failure,
}

/// A page that says what went wrong, in the frame of the page that was asked for.
pub(crate) fn failed(call: &Call, failure: &Failure) -> Result<Response> {
    let org = call.organisation().ok();
    let frame = Frame::new(call, title_of(failure), org.as_deref(), "");
    let html = Failed { frame, failure }.render()?;
    Ok((failure.status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

fn title_of(failure: &Failure) -> &'static str {
    match failure.status {
        StatusCode::UNAUTHORIZED => "Not let in",
        StatusCode::NOT_FOUND => "Nothing here",
        _ => "Not possible",
    }
}

#[derive(Template)]
#[template(path = "opening.html")]
struct Opening {
    frame: Frame,
}

/// The frame of any page of an archive that is not open yet; it asks again by itself.
pub(crate) fn opening(call: &Call) -> Result<Response> {
    let org = call.organisation().ok();
    let frame = Frame::new(call, "One moment", org.as_deref(), "");
    let html = Opening { frame: Frame { refresh: Some(1), ..frame } }.render()?;
    let head = [(CONTENT_TYPE, "text/html; charset=utf-8"), (RETRY_AFTER, "1")];
    // A browser shows it and asks again; a program that is told 200 would take it for the page.
    let accepted = call.headers.get(ACCEPT).and_then(|kinds| kinds.to_str().ok());
    let is_shown = accepted.is_some_and(|kinds| kinds.contains("text/html"));
    let status = if is_shown { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, head, html).into_response())
}

/// The same for somebody of whom nothing is known.
pub(crate) fn alone(failure: &Failure) -> Response {
    let frame = Frame { title: title_of(failure).to_owned(), ..Frame::default() };
    let html = Failed { frame, failure }.render().unwrap_or_else(|_| failure.line.clone());
    (failure.status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}
