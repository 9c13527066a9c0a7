//! What the service says when it does not answer: `{"error":{"code","message","innerError":{…}}}`.

use axum::http::header::{LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chatvault_engine::{Clock, Error as EngineError, ErrorKind, SystemClock};
use chatvault_query::format_time;
use serde_json::json;

use crate::failure::Failure;

/// The result of everything behind an answer.
pub(super) type Result<T> = std::result::Result<T, Refusal>;

/// A request that is not answered.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Where to begin anew.
    location: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), location: None }
    }

    /// There is no such thing.
    pub(super) fn missing(what: &str) -> Self {
        let message = format!("The archive has no such {what}.");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// What was asked for cannot be.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// The token is none of ours, or its time is over.
    pub(super) fn token(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    }

    /// A link that this archive did not give.
    pub(super) fn stale() -> Self {
        Self::bad("Invalid continuation token")
    }

    /// A delta link that this archive did not give: everything is to be read anew, from there.
    pub(super) fn resync(start: String) -> Self {
        let message = "The sync state generation is not found. Please resync.";
        Self { location: Some(start), ..Self::new(StatusCode::GONE, "syncStateNotFound", message) }
    }

    pub(super) fn answer(&self, id: &str, theirs: Option<&HeaderValue>) -> Response {
        let date = format_time(SystemClock.now());
        let theirs = theirs.and_then(|id| id.to_str().ok()).unwrap_or(id);
        let inner = json!({
            "date": date.get(..19), "request-id": id, "client-request-id": theirs,
        });
        let error = json!({"code": self.code, "message": self.message, "innerError": inner});
        let body = json!({ "error": error }).to_string();
        let kind = (axum::http::header::CONTENT_TYPE, "application/json");
        let mut response = (self.status, [kind], body).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"\"")));
        }
        let location = self.location.as_deref().and_then(|text| text.parse().ok());
        drop(location.map(|value: HeaderValue| headers.insert(LOCATION, value)));
        response
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let code = match failure.status {
            StatusCode::NOT_FOUND => "NotFound",
            status if status.is_client_error() => "BadRequest",
            _ => "generalException",
        };
        Self::new(failure.status, code, failure.line)
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        match error.kind() {
            ErrorKind::InvalidInput => Self::bad(error.to_string()),
            _ => Failure::from(error).into(),
        }
    }
}

impl From<chatvault_query::Error> for Refusal {
    fn from(error: chatvault_query::Error) -> Self {
        match error {
            chatvault_query::Error::Archive(cause) => cause.into(),
            chatvault_query::Error::Commit { .. } | chatvault_query::Error::Cursor(_) => {
                Self::stale()
            }
            chatvault_query::Error::Filter(_) => {
                Self::bad(format!("Invalid $filter query. {error}"))
            }
            other => Failure::from(other).into(),
        }
    }
}

/// An id that nobody else has.
pub(super) fn guid() -> String {
    let digits = format!("{:032x}", u128::from_le_bytes(SystemClock.random()));
    let part = |from, to| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
