//! What the token service answers, read without trust.
//!
//! Invariant: nothing of a refusal is shown that repeats what was sent to prove who we are.

use serde_json::Value;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::credential::Secret;
use super::failure::{Failure, FailureKind, clean, reveals};

/// What the service names when it names no life, and the longest that is believed.
const SHORT_LIFE: Duration = Duration::from_mins(5);
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// A token as it was given.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) token: Secret,
    pub(crate) life: Duration,
}

/// Reads a token. What is none is a failure that names no part of it.
pub(crate) fn granted(body: &[u8]) -> Result<Granted, Failure> {
    let broken =
        |what| Failure::new(FailureKind::Service, format!("the token service gave {what}"));
    let Ok(mut answer) = serde_json::from_slice::<Value>(body) else {
        return Err(broken("an answer that is no JSON"));
    };
    let bearer = |kind: &Value| kind.as_str().is_some_and(|k| k.eq_ignore_ascii_case("Bearer"));
    if answer.get("token_type").is_some_and(|kind| !bearer(kind)) {
        return Err(broken("a token that is no bearer token"));
    }
    let life = answer.get("expires_in").and_then(seconds).map_or(SHORT_LIFE, Duration::from_secs);
    let Some(Value::String(token)) = answer.get_mut("access_token").map(Value::take) else {
        return Err(broken("no token"));
    };
    let token = Secret::new(token);
    if token.expose().is_empty() || !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(broken("a token that cannot be sent"));
    }
    Ok(Granted { token, life: life.min(LONGEST_LIFE) })
}

/// A number, or a text of digits as older endpoints give it.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The application permissions in a token; `None` if it cannot be read, as it is not meant for us.
pub(crate) fn roles(token: &str) -> Option<Vec<String>> {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())?;
    let claims = serde_json::from_slice::<Value>(&payload).ok().filter(Value::is_object)?;
    // A token of an app without any consent has no such claim.
    let roles = claims.get("roles").and_then(Value::as_array).into_iter().flatten();
    Some(roles.filter_map(Value::as_str).map(clean).collect())
}

/// Number of an error of the token service, what kind it is and what to fix.
const ADVICE: [(u64, &str); 21] = [
    (7_000_215, "the client secret is wrong: give its value, not its id"),
    (7_000_222, "the client secret has expired: make a new one in the app registration"),
    (7_000_216, "the app must prove itself: give a client secret or a certificate"),
    (7_000_218, "the app must prove itself: give a client secret or a certificate"),
    (7_000_112, "the app is disabled in this tenant: an administrator must enable it"),
    (7_000_229, "the app has no service principal in this tenant: grant admin consent there first"),
    (700_016, "the client id is wrong, or the app is not registered in this tenant"),
    (700_024, "the clock of this machine is wrong: the statement's time is not accepted"),
    (700_027, "the certificate is not registered with the app: upload it there, or check the file"),
    (700_030, "the certificate is not valid: it must be in force and of a known algorithm"),
    (90_002, "the tenant is wrong: there is none of this name or id in this cloud"),
    (90_023, "the request is not valid for this tenant: check tenant and client id"),
    (900_023, "the tenant is wrong: give its id or one of its domain names"),
    (900_382, "the tenant belongs to another cloud: choose the cloud by name"),
    (900_432, "the tenant belongs to another cloud: choose the cloud by name"),
    (90_038, "the tenant belongs to another cloud: choose the cloud by name"),
    (50_034, "the tenant is wrong: what is asked for does not exist in it"),
    (50_194, "the app is for one tenant only: give that tenant"),
    (53_003, "a conditional access policy blocks the app: an administrator must let it pass"),
    (500_011, "Graph is unknown in this tenant: check the cloud and the tenant"),
    (70_011, "the scope is wrong: check the cloud's Graph address"),
];

/// A refusal of the token service. `proofs` are what must not come back in its text.
pub(crate) fn refused(status: u16, body: &[u8], proofs: &[&str]) -> Failure {
    let answer = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let shown = |name: &str| {
        let text = answer.get(name).and_then(Value::as_str)?;
        (!proofs.iter().any(|proof| reveals(text, proof))).then(|| clean(text))
    };
    let description = shown("error_description").unwrap_or_default();
    let number = number(&answer, &description);
    let advice = ADVICE.iter().find(|known| Some(known.0) == number).map(|known| known.1);
    // What the service adds for its support is known by the request id.
    let description = description.split(" Trace ID:").next().unwrap_or_default();
    let message = match (advice, number) {
        (Some(advice), _) => advice.to_owned(),
        (None, _) if !description.is_empty() => description.to_owned(),
        (None, _) => "the token service refused".to_owned(),
    };
    let code = number.map(|number| format!("AADSTS{number}")).or_else(|| shown("error"));
    let kind = match status {
        429 | 500.. => FailureKind::of_status(status),
        300..=399 => FailureKind::Hostile,
        _ => FailureKind::Credentials,
    };
    let request_id = shown("trace_id").and_then(|text| super::envelope::id(&text));
    Failure { kind, status: Some(status), code, message, request_id, at: None }
}

fn number(answer: &Value, description: &str) -> Option<u64> {
    let listed = answer.get("error_codes").and_then(|codes| codes.get(0)?.as_u64());
    listed.or_else(|| {
        let (_, rest) = description.split_once("AADSTS")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_refusal_names_what_to_fix() {
        for (number, word) in [
            (7_000_215, "secret is wrong"),
            (7_000_222, "secret has expired"),
            (700_016, "client id"),
            (700_027, "certificate"),
            (90_002, "tenant"),
            (900_023, "tenant"),
            (50_034, "tenant"),
            (700_024, "clock"),
        ] {
            let listed = format!(r#"{{"error":"invalid_client","error_codes":[{number}]}}"#);
            let told = format!(r#"{{"error_description":"AADSTS{number}: so. Trace ID: 1-2"}}"#);
            for body in [listed, told] {
                let failure = refused(401, body.as_bytes(), &["p4ssw0rd"]);
                assert_eq!(failure.kind, FailureKind::Credentials);
                assert!(failure.message.contains(word), "{failure}");
                assert_eq!(failure.code, Some(format!("AADSTS{number}")));
            }
        }
    }

    #[test]
    fn an_unknown_refusal_is_quoted_unless_it_repeats_the_secret() {
        let body = br#"{"error":"odd","error_description":"AADSTS1: because.\r\nTrace ID: 7","trace_id":"7"}"#;
        let failure = refused(400, body, &["p4ssw0rd"]);
        assert_eq!(
            failure.to_string(),
            "sign-in failed: AADSTS1: because. (status 400, code AADSTS1, request id 7)"
        );
        let body = br#"{"error":"p4ssw0rd","error_description":"AADSTS7000215: p4ssw0rd is wrong","trace_id":"p4ssw0rd"}"#;
        let failure = refused(400, body, &["p4ssw0rd"]);
        assert!(!format!("{failure}{failure:?}").contains("p4ssw0rd"), "{failure:?}");
        for (status, kind) in [
            (429, FailureKind::Throttled),
            (503, FailureKind::Service),
            (302, FailureKind::Hostile),
        ] {
            assert_eq!(refused(status, b"<html>", &[]).kind, kind);
        }
    }

    #[test]
    fn a_token_is_read_leniently_and_what_is_none_is_refused() {
        for (body, expected) in [
            (r#"{"token_type":"Bearer","expires_in":3599,"access_token":"abc"}"#, Some(3599)),
            (r#"{"token_type":"bearer","expires_in":"60","access_token":"abc"}"#, Some(60)),
            (r#"{"access_token":"abc"}"#, Some(300)),
            (r#"{"access_token":"abc","expires_in":99999999999}"#, Some(86_400)),
            (r#"{"token_type":"pop","access_token":"abc"}"#, None),
            (r#"{"access_token":""}"#, None),
            (r#"{"access_token":"a\nb"}"#, None),
            (r#"{"access_token":7}"#, None),
            ("[]", None),
            ("<html>", None),
        ] {
            let life = granted(body.as_bytes()).ok().map(|granted| granted.life.as_secs());
            assert_eq!(life, expected, "{body}");
        }
    }

    #[test]
    fn roles_are_read_from_the_payload_if_there_is_one() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"roles":["Chat.Read.All",7,"User.Read.All"]}"#);
        assert_eq!(roles(&format!("h.{payload}.s")).unwrap(), ["Chat.Read.All", "User.Read.All"]);
        for opaque in ["", "abc", "a.b.c", "a.!!.c"] {
            assert_eq!(roles(opaque), None, "{opaque}");
        }
        assert_eq!(roles("a.e30.c"), Some(Vec::new()), "read, and there are none");
    }
}
