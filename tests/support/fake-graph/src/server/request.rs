//! One request as the endpoints see it.

use chatvault_support::stamp;
use hyper::HeaderMap;
use hyper::http::request::Parts;

use super::query::{Query, segments};
use super::seen::Class;
use crate::Ms;

/// A request, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `POST` to the token endpoint, `GET` everywhere else.
    pub(crate) post: bool,
    /// Path and query exactly as they came.
    pub(crate) target: String,
    /// Decoded segments of the path.
    pub(crate) segments: Vec<String>,
    /// Decoded options.
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    /// This answer's own id.
    pub(crate) request_id: String,
    /// What the client sent, or the same.
    pub(crate) client_request_id: String,
    /// The tenant's time, as the service writes it.
    pub(crate) date: String,
    /// The tenant's time.
    pub(crate) now: Ms,
}

impl Asked {
    pub(crate) fn new(parts: &Parts, request_id: String, now: Ms) -> Self {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let client_request_id = header(&parts.headers, "client-request-id");
        Self {
            post: parts.method == hyper::Method::POST,
            segments: segments(parts.uri.path()),
            query: Query::parse(parts.uri.query().unwrap_or_default()),
            headers: parts.headers.clone(),
            client_request_id: client_request_id.unwrap_or(&request_id).to_owned(),
            request_id,
            date: stamp(now),
            now,
            target,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The path as it came, without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// `v1.0` or `beta`.
    pub(crate) fn version(&self) -> &str {
        self.segments.first().map_or("v1.0", String::as_str)
    }

    /// Whether the client wants enum members by their true names.
    pub(crate) fn unknown_members(&self) -> bool {
        self.header("prefer").is_some_and(|text| text.contains("include-unknown-enum-members"))
    }

    /// Whether counts are to be texts.
    pub(crate) fn text_counts(&self) -> bool {
        self.header("accept").is_some_and(|text| text.contains("IEEE754Compatible=true"))
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a request counts as: its class, and the chat or channel it burdens.
pub(crate) type Burden = (Class, Option<String>);
