//! The token endpoint, and whether a request may do what it asks.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::answer::{Answer, Refusal};
use super::assertion;
use super::behaviour::{Access, Behaviour};
use super::query::Query;
use super::request::Asked;
use super::route::Endpoint;
use super::service::{Service, happens, held};

/// What a token stands for.
#[derive(Clone, Debug)]
struct Grant {
    /// Real time after the start of the service.
    ends: Duration,
    roles: Vec<String>,
    delegated: bool,
}

/// The tokens that were given out.
#[derive(Debug, Default)]
pub(crate) struct Tokens(HashMap<String, Grant>);

/// `POST /{tenant}/oauth2/v2.0/token`.
pub(crate) fn issue(service: &Service, asked: &Asked, form: &str) -> Answer {
    let behaviour = service.behaviour();
    if happens(&mut service.chance("token", service.next_serial()), behaviour.faults.token) {
        let busy = Refusal::new(503, "temporarily_unavailable", "The service is temporarily down.");
        return busy.with("retry-after", "1".to_owned()).into_answer(asked);
    }
    match checked(service, asked, &Query::parse(form), &behaviour.access) {
        Ok(()) => {
            service.note(|seen| seen.tokens_issued += 1);
            give(service, asked, &behaviour)
        }
        Err(denied) => {
            service.note(|seen| seen.tokens_refused += 1);
            denied.into_answer(asked)
        }
    }
}

/// Why no token is given, in the token endpoint's own form.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) number: u32,
    pub(crate) text: String,
}

impl Denied {
    pub(crate) fn new(error: &'static str, number: u32, text: impl Into<String>) -> Self {
        let status = if error == "invalid_client" { 401 } else { 400 };
        Self { status, error, number, text: text.into() }
    }

    fn into_answer(self, asked: &Asked) -> Answer {
        let (trace, date) = (&asked.request_id, &asked.date);
        let text = &self.text;
        let description = format!(
            "AADSTS{}: {text} Trace ID: {trace} Correlation ID: {trace} Timestamp: {date}",
            self.number
        );
        let body = json!({
            "error": self.error,
            "error_description": description,
            "error_codes": [self.number],
            "timestamp": date,
            "trace_id": trace,
            "correlation_id": trace,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.number),
        });
        Answer::new(self.status, "application/json; charset=utf-8", body.to_string())
    }
}

fn checked(service: &Service, asked: &Asked, form: &Query, access: &Access) -> Result<(), Denied> {
    let tenant = asked.segments.first().map_or("", String::as_str);
    if tenant != service.source.tenant_id() {
        let text = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        );
        return Err(Denied::new("invalid_request", 90_002, text));
    }
    if form.get("grant_type") != Some("client_credentials") {
        let text = "The app requested an unsupported grant type.";
        return Err(Denied::new("unsupported_grant_type", 70_003, text));
    }
    let client = form.get("client_id").unwrap_or_default();
    if client != access.client_id {
        let text =
            format!("Application with identifier '{client}' was not found in the directory.");
        return Err(Denied::new("unauthorized_client", 700_016, text));
    }
    let scope = form.get("scope").unwrap_or_default();
    if scope != format!("{}/.default", service.origin) {
        let text = format!("The provided request must include a valid 'scope', not '{scope}'.");
        return Err(Denied::new("invalid_scope", 70_011, text));
    }
    match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(secret), None) if secret == access.secret => Ok(()),
        (Some(_), None) => Err(Denied::new("invalid_client", 7_000_215, WRONG_SECRET)),
        (None, Some(assertion)) => {
            let kind = form.get("client_assertion_type").unwrap_or_default();
            let audience = format!("{}/{tenant}/oauth2/v2.0/token", service.origin);
            assertion::check(kind, assertion, &audience, asked.now, access)
        }
        _ => Err(Denied::new("invalid_client", 7_000_218, NO_SECRET)),
    }
}

const WRONG_SECRET: &str = "Invalid client secret provided. Ensure the secret being sent in the \
                            request is the client secret value, not the client secret ID.";
const NO_SECRET: &str = "The request body must contain the following parameter: 'client_assertion' \
                         or 'client_secret'.";

fn give(service: &Service, asked: &Asked, behaviour: &Behaviour) -> Answer {
    let access = &behaviour.access;
    let serial = service.next_serial();
    let seconds = access.token_seconds;
    let issued = asked.now.div_euclid(1000);
    let mut claims = json!({
        "aud": service.origin,
        "iss": format!("{}/{}/v2.0", service.origin, service.source.tenant_id()),
        "iat": issued,
        "nbf": issued,
        "exp": issued.saturating_add_unsigned(seconds),
        "appid": access.client_id,
        "tid": service.source.tenant_id(),
        "uti": serial.to_string(),
    });
    if access.delegated {
        claims["scp"] = json!(access.roles.join(" "));
    } else if !access.roles.is_empty() {
        // Without any consent a token has no such claim.
        claims["roles"] = json!(access.roles);
    }
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "fake"});
    let signature = service.chance("signature", serial).guid();
    let parts = [header.to_string(), claims.to_string(), signature];
    let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let grant = Grant {
        ends: service.uptime() + Duration::from_secs(seconds),
        roles: access.roles.clone(),
        delegated: access.delegated,
    };
    drop(held(&service.tokens).0.insert(token.clone(), grant));
    let body = json!({
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": token,
    });
    Answer::new(200, "application/json; charset=utf-8", body.to_string())
        .with("cache-control", "no-store, no-cache".to_owned())
}

/// Whether the request's token is good and has one of the endpoint's roles, if it asks for any.
pub(crate) fn authorize(
    service: &Service,
    asked: &Asked,
    endpoint: &Endpoint,
) -> Result<(), Refusal> {
    let roles = endpoint.roles();
    let Some(token) = bearer(asked) else { return Err(unauthorized("Access token is empty.")) };
    let grant = held(&service.tokens).0.get(token).cloned();
    let Some(grant) = grant else { return Err(unauthorized("Invalid Access token.")) };
    if grant.ends <= service.uptime() {
        return Err(expired());
    }
    if grant.delegated && !roles.is_empty() {
        let text = "Requested API is not supported in delegated context";
        return Err(Refusal::new(412, "PreconditionFailed", text));
    }
    let allowed = roles.is_empty() || grant.roles.iter().any(|role| roles.contains(&role.as_str()));
    if allowed {
        return Ok(());
    }
    let silent = service.behaviour().access.silent;
    Err(if silent { forbidden() } else { missing_role(endpoint, &grant.roles) })
}

/// The token of a request.
pub(crate) fn bearer(asked: &Asked) -> Option<&str> {
    asked.header("authorization")?.strip_prefix("Bearer ")
}

/// The refusal of a token that is too old.
pub(crate) fn expired() -> Refusal {
    unauthorized("Access token has expired or is not yet valid.")
}

fn unauthorized(message: &str) -> Refusal {
    let challenge = "Bearer realm=\"\", \
        authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
        client_id=\"00000003-0000-0000-c000-000000000000\"";
    Refusal::new(401, "InvalidAuthenticationToken", message)
        .with("www-authenticate", challenge.to_owned())
}

fn forbidden() -> Refusal {
    Refusal::new(403, "Forbidden", "Forbidden")
}

/// Only the Teams APIs name the roles; the directory and the drives do not.
fn missing_role(endpoint: &Endpoint, have: &[String]) -> Refusal {
    let needed = endpoint.roles();
    if endpoint.is_of_directory() {
        let text = "Insufficient privileges to complete the operation.";
        return Refusal::new(403, "Authorization_RequestDenied", text);
    }
    if matches!(endpoint, Endpoint::Share { .. }) {
        return Refusal::new(403, "accessDenied", "Access denied");
    }
    let text = format!(
        "Missing role permissions on the request. API requires one of '{}'. Roles on the request '{}'.",
        needed.join(", "),
        have.join(", ")
    );
    Refusal::new(403, "Forbidden", text)
}
