//! Tokens: whoever knows the server's token gets one that is good for an hour, as the service does it.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatvault_engine::{Clock, SystemClock};
use chatvault_ingest::graph::Feed;
use chatvault_query::format_time;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::refusal::{Refusal, Result, guid};
use super::state::Graph;
use crate::call::form;
use crate::guard::{harden, is_equal};

/// How long a token is good, in seconds.
const LIFE: i64 = 3599;
/// What it says that its owner may do, beside reading the feeds.
const ROLES: [&str; 7] = [
    "Channel.ReadBasic.All",
    "Files.Read.All",
    "Group.Read.All",
    "GroupMember.Read.All",
    "Team.ReadBasic.All",
    "TeamMember.Read.All",
    "User.Read.All",
];

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    appid: String,
    exp: i64,
    /// The organisation.
    tid: String,
    roles: Vec<String>,
}

/// `POST /{tenant}/oauth2/v2.0/token`. The tenant is the organisation's name, or any if there is one.
pub(super) async fn token(
    State(graph): State<Arc<Graph>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answered = match grant(&graph, &tenant, &headers, body).await {
        Ok(granted) => (StatusCode::OK, granted),
        Err(refused) => refused,
    };
    let kind = [(CONTENT_TYPE, "application/json; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    let mut response = (answered.0, kind, answered.1.to_string()).into_response();
    harden(response.headers_mut());
    response
}

type Told = (StatusCode, serde_json::Value);

async fn grant(
    graph: &Graph,
    tenant: &str,
    headers: &HeaderMap,
    body: Body,
) -> std::result::Result<serde_json::Value, Told> {
    let (bad, denied) = (StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED);
    let aud = graph
        .origin(headers)
        .map_err(|_stranger| told(bad, "invalid_request", 900_023, "Another host was asked."))?;
    let form = form(body)
        .await
        .map_err(|failure| told(failure.status, "invalid_request", 900_144, &failure.line))?;
    if form.get("grant_type") != Some("client_credentials") {
        let line = "Only client credentials are taken.";
        return Err(told(bad, "unsupported_grant_type", 70_003, line));
    }
    let secret = form.get("client_secret").unwrap_or_default();
    if !is_equal(secret, graph.site().token()) {
        let line = "Invalid client secret provided: it is the token that `serve` printed.";
        return Err(told(denied, "invalid_client", 7_000_215, line));
    }
    let site = graph.site();
    let tid = if site.is_folder() {
        let line = format!("Tenant '{tenant}' not found: it is the name of an organisation.");
        let unknown = |_missing| told(bad, "invalid_request", 90_002, &line);
        site.organisation(tenant).map_err(unknown)?.name.clone()
    } else {
        String::new()
    };
    let roles: BTreeSet<&str> =
        Feed::ALL.iter().map(|feed| feed.permission()).chain(ROLES).collect();
    let claims = Claims {
        aud,
        appid: form.get("client_id").unwrap_or_default().to_owned(),
        exp: now() + LIFE,
        tid,
        roles: roles.into_iter().map(str::to_owned).collect(),
    };
    let token = signed(&key(graph), &claims);
    Ok(json!({
        "token_type": "Bearer", "expires_in": LIFE, "ext_expires_in": LIFE, "access_token": token,
    }))
}

fn told(status: StatusCode, error: &str, code: u32, line: &str) -> Told {
    let (trace, correlation) = (guid(), guid());
    let body = json!({
        "error": error, "error_description": format!("AADSTS{code}: {line}"), "error_codes": [code],
        "timestamp": format_time(SystemClock.now()), "trace_id": trace, "correlation_id": correlation,
    });
    (status, body)
}

/// The organisation that a request's token opens.
pub(super) fn bearer(graph: &Graph, headers: &HeaderMap) -> Result<String> {
    let given = headers.get(AUTHORIZATION).and_then(|given| given.to_str().ok());
    let token = given.and_then(|given| given.split_once(' '));
    let token = token.filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        return Err(Refusal::token("Access token is empty."));
    };
    let claims = claims(&key(graph), token.trim())
        .ok_or_else(|| Refusal::token("Access token validation failure. Invalid signature."))?;
    if claims.exp < now() {
        return Err(Refusal::token("Access token has expired or is not yet valid."));
    }
    Ok(claims.tid)
}

/// Tokens end with the server that gave them.
fn key(graph: &Graph) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, graph.site().keys.session.as_bytes())
}

fn now() -> i64 {
    SystemClock.now().ms().div_euclid(1000)
}

/// A JSON web token: clients look into it for the roles.
fn signed(key: &hmac::Key, claims: &Claims) -> String {
    // A struct of texts and numbers always has a JSON form.
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    let text = [br#"{"typ":"JWT","alg":"HS256"}"#.as_slice(), &claims];
    let text = text.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let sign = URL_SAFE_NO_PAD.encode(hmac::sign(key, text.as_bytes()));
    format!("{text}.{sign}")
}

fn claims(key: &hmac::Key, token: &str) -> Option<Claims> {
    let (text, sign) = token.rsplit_once('.')?;
    hmac::verify(key, text.as_bytes(), &URL_SAFE_NO_PAD.decode(sign).ok()?).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(text.split_once('.')?.1).ok()?;
    serde_json::from_slice(&claims).ok()
}
