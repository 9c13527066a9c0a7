//! Answers before they are sent: status, headers and the steps of a body.

use bytes::Bytes;

use super::body::Step;
use super::request::Asked;

/// What the service says about a page.
pub(crate) const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) steps: Vec<Step>,
    /// Sent instead, byte for byte, and then the connection ends.
    pub(crate) raw: Option<Bytes>,
    /// Ends the connection without an answer.
    pub(crate) dropped: bool,
    /// Items in it, for counting.
    pub(crate) items: u64,
}

impl Answer {
    /// An answer of any kind.
    pub(crate) fn new(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", media_type.to_owned())],
            steps: vec![Step::Bytes(body.into())],
            raw: None,
            dropped: false,
            items: 0,
        }
    }

    /// A document.
    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        Self::new(200, JSON, body).with("odata-version", "4.0".to_owned())
    }

    /// A redirect.
    pub(crate) fn redirect(to: String) -> Self {
        Self::new(302, "text/plain", Bytes::new()).with("location", to)
    }

    /// The connection ends without a word.
    pub(crate) fn hang_up() -> Self {
        Self { dropped: true, ..Self::new(500, "text/plain", Bytes::new()) }
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// An error answer that does not know its request yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// An error in the service's words.
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    pub(crate) fn bad(message: &str) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(404, "NotFound", format!("Resource '{what}' does not exist."))
    }

    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The error envelope, with the request's ids in it.
    pub(crate) fn into_answer(self, asked: &Asked) -> Answer {
        let body = serde_json::json!({"error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": asked.date.get(..19).unwrap_or_default(),
                "request-id": asked.request_id,
                "client-request-id": asked.client_request_id,
            },
        }});
        let mut answer = Answer::new(self.status, "application/json", body.to_string());
        answer.headers.extend(self.headers);
        answer
    }
}

/// What an endpoint gives.
pub(crate) type Outcome = Result<Answer, Refusal>;
