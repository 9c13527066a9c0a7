//! `POST /$batch`: several questions in one request, each answered as if it had come by itself.
//!
//! One after the other, in the order in which they stand; what depends on one that failed is not asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::refusal::{Refusal, Result, guid};
use super::state::Graph;

/// Questions in a batch, as the service has it.
const MOST: usize = 20;
/// Bytes that ask.
const ASKING_BYTES: usize = 1 << 20;
/// Bytes of all answers together: what is larger is asked for by itself.
const ANSWER_BYTES: usize = 16 << 20;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    depends_on: Vec<String>,
}

/// What a request is of: the version of the service, who asks, and with which headers.
pub(super) struct Envelope<'e> {
    pub(super) version: &'e str,
    pub(super) organisation: &'e str,
    pub(super) headers: &'e HeaderMap,
}

/// Answers all of them.
pub(super) async fn answer(
    graph: &Arc<Graph>,
    envelope: Envelope<'_>,
    body: Body,
) -> Result<Response> {
    let body = to_bytes(body, ASKING_BYTES);
    let body = body.await.map_err(|_large| Refusal::bad("The batch is too large."))?;
    let asked: Batch = serde_json::from_slice(&body)
        .map_err(|cause| Refusal::bad(format!("Invalid batch payload format: {cause}.")))?;
    check(&asked.requests)?;
    let (mut answers, mut left) = (Vec::new(), ANSWER_BYTES);
    let mut failed: BTreeSet<&str> = BTreeSet::new();
    for one in &asked.requests {
        let answered = if one.depends_on.iter().any(|other| failed.contains(other.as_str())) {
            let message = "A request that this one depends on has failed.";
            Err(Refusal::new(StatusCode::FAILED_DEPENDENCY, "FailedDependency", message))
        } else {
            one.answer(graph, &envelope).await
        };
        let id = guid();
        let response = answered.unwrap_or_else(|refusal| refusal.answer(&id, None));
        let told = Told::read(response, &mut left).await;
        if told.status.is_client_error() || told.status.is_server_error() {
            let _new = failed.insert(&one.id);
        }
        answers.push(told.text(&one.id));
    }
    let text = format!("{{\"responses\":[{}]}}", answers.join(","));
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

fn check(asked: &[Asked]) -> Result<()> {
    if asked.is_empty() || asked.len() > MOST {
        let message = format!("A batch has 1 to {MOST} requests.");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "MaximumValueExceeded", message));
    }
    let mut before: BTreeSet<&str> = BTreeSet::new();
    for one in asked {
        if !one.depends_on.iter().all(|other| before.contains(other.as_str())) {
            let message = format!("Request '{}' depends on one that is not before it.", one.id);
            return Err(Refusal::bad(message));
        }
        if !before.insert(&one.id) {
            return Err(Refusal::bad(format!("Request id '{}' is there twice.", one.id)));
        }
    }
    Ok(())
}

impl Asked {
    async fn answer(&self, graph: &Arc<Graph>, envelope: &Envelope<'_>) -> Result<Response> {
        if !self.method.eq_ignore_ascii_case(Method::GET.as_str()) {
            return Err(super::only_read());
        }
        let path = self.url.trim_start_matches('/');
        let uri: Uri = format!("/{}/{path}", envelope.version)
            .parse()
            .map_err(|_strange| Refusal::bad("The url is none that stands behind the version."))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let pair = (name.parse::<HeaderName>().ok(), value.parse::<HeaderValue>().ok());
            if let (Some(name), Some(value)) = pair {
                drop(headers.insert(name, value));
            }
        }
        // Links lead to where the batch came from.
        drop(envelope.headers.get(HOST).map(|host| headers.insert(HOST, host.clone())));
        super::read(graph, envelope.organisation, &uri, headers).await
    }
}

/// An answer inside of a batch.
struct Told {
    status: StatusCode,
    headers: serde_json::Map<String, serde_json::Value>,
    /// As JSON: what is none is a text in base64.
    body: Vec<u8>,
}

impl Told {
    async fn read(response: Response, left: &mut usize) -> Self {
        let (parts, body) = response.into_parts();
        let length =
            parts.headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
        let is_small = length.is_none_or(|length: usize| length <= *left);
        let read = if is_small { to_bytes(body, *left).await.ok() } else { None };
        let Some(bytes) = read else {
            let message =
                "The answers of the batch are too large together: ask for this by itself.";
            let large = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "ResponseTooLarge", message);
            let body = to_bytes(large.answer(&guid(), None).into_body(), usize::MAX).await;
            let headers = serde_json::Map::from_iter([kind("application/json")]);
            let body = body.map(Vec::from).unwrap_or_default();
            return Self { status: StatusCode::PAYLOAD_TOO_LARGE, headers, body };
        };
        *left -= bytes.len();
        let own = |name: HeaderName| {
            let value = parts.headers.get(&name)?.to_str().ok()?;
            Some((name, value.to_owned()))
        };
        let headers = [CONTENT_TYPE, LOCATION].into_iter().filter_map(own);
        let headers: serde_json::Map<_, _> = headers
            .map(|(name, value)| match name {
                CONTENT_TYPE => kind(&value),
                _ => ("Location".to_owned(), json!(value)),
            })
            .collect();
        let is_json = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| {
            kind.to_str().is_ok_and(|kind| kind.starts_with("application/json"))
        });
        let body = if is_json {
            Vec::from(bytes)
        } else {
            json!(STANDARD.encode(bytes)).to_string().into_bytes()
        };
        Self { status: parts.status, headers, body }
    }

    fn text(&self, id: &str) -> String {
        let (status, headers) = (self.status.as_u16(), json!(self.headers));
        let body = String::from_utf8_lossy(&self.body);
        let id = json!(id);
        format!("{{\"id\":{id},\"status\":{status},\"headers\":{headers},\"body\":{body}}}")
    }
}

fn kind(text: &str) -> (String, serde_json::Value) {
    ("Content-Type".to_owned(), json!(text))
}
