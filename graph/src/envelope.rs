//! What the service says went wrong: `{"error":{"code","message","innerError":{…}}}`.
//!
//! The inner part may be nested, spelled in two ways, or missing; the body may be no JSON at all.
//! Nothing here panics or recurses on it.

use serde_json::Value;

use super::failure::{Failure, FailureKind, clean, reveals};

/// Error bodies are small; of a longer one only the beginning is read.
pub(crate) const MOST_BYTES: usize = 64 << 10;

/// Codes that say more than the ones around them.
const KNOWN: [&str; 29] = [
    "AccessDenied",
    "ApplicationAccessPolicyNotFound",
    "Authorization_RequestDenied",
    "BadRequest",
    "Forbidden",
    "Gone",
    "GraphAccessToTranscriptsDisabled",
    "InvalidAuthenticationToken",
    "MailboxNotEnabledForRESTAPI",
    "NotFound",
    "PaymentRequired",
    "PreconditionFailed",
    "Proxy_InternalServerError",
    "Request_ResourceNotFound",
    "Request_UnsupportedQuery",
    "ResourceNotFound",
    "ServiceUnavailable",
    "SyncStateNotFound",
    "TooManyRequests",
    "UnknownError",
    "UpstreamServerError",
    "accessDenied",
    "activityLimitReached",
    "generalException",
    "invalidRequest",
    "itemNotFound",
    "notAllowed",
    "resyncRequired",
    "syncStateNotFound",
];

/// More levels than any service nests.
const MOST_LEVELS: usize = 16;

#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

/// A refusal with a body becomes a failure. `token` must not come back in its text.
pub(crate) fn failure(kind: FailureKind, status: u16, body: &[u8], token: &str) -> Failure {
    let mut said = read(body);
    if reveals(&said.message, token) {
        said.message = String::from("(its text is left out: it repeats the token)");
    }
    let code = said.code.filter(|code| !reveals(code, token));
    let kind = sharper(kind, status, code.as_deref(), &said.message);
    let message = explained(kind, code.as_deref(), said.message);
    Failure { kind, status: Some(status), code, message, request_id: said.request_id, at: None }
}

/// Some refusals are named by code or text, not by status.
fn sharper(kind: FailureKind, status: u16, code: Option<&str>, message: &str) -> FailureKind {
    let expired = code.is_some_and(|code| {
        ["syncstatenotfound", "resyncrequired", "gone"]
            .iter()
            .any(|known| code.eq_ignore_ascii_case(known))
    });
    let licence = status == 403 && message.to_ascii_lowercase().contains(" license");
    if licence && kind == FailureKind::Permission {
        return FailureKind::Licence;
    }
    let stale = status == 400 && message.to_ascii_lowercase().contains("continuation token");
    if (400..=410).contains(&status) && (expired || stale) { FailureKind::Gone } else { kind }
}

/// What the text about a permission that the app lacks starts with.
pub(super) const GRANT: &str = "grant the app one of ";

/// Says what to grant where the service says what is missing.
fn explained(kind: FailureKind, code: Option<&str>, message: String) -> String {
    if code == Some("GraphAccessToTranscriptsDisabled") {
        return "the tenant has switched off transcripts for Graph: an administrator of Teams \
                must allow them"
            .to_owned();
    }
    if kind != FailureKind::Permission {
        return message;
    }
    if let Some(needed) = quoted_after(&message, "requires one of ") {
        let has = quoted_after(&message, "Roles on the request ").filter(|has| !has.is_empty());
        let has = has.map_or("it has none".to_owned(), |has| format!("it has {has}"));
        return format!("{GRANT}{needed}, with admin consent; {has}");
    }
    if message.to_ascii_lowercase().contains("application access policy") {
        return "no application access policy lets the app read this user's meetings: grant one \
                with New-CsApplicationAccessPolicy and Grant-CsApplicationAccessPolicy"
            .to_owned();
    }
    message
}

fn quoted_after(text: &str, lead: &str) -> Option<String> {
    let (_, rest) = text.split_once(lead)?;
    let (quoted, _) = rest.strip_prefix('\'')?.split_once('\'')?;
    Some(quoted.to_owned())
}

fn read(body: &[u8]) -> Said {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Said { message: of_text(body), ..Said::default() };
    };
    let Some(error) = value.get("error") else { return Said::default() };
    let levels = levels(error);
    let codes = || levels.iter().filter_map(|level| text(level, "code"));
    let known = codes().rev().find(|code| KNOWN.contains(code));
    let code = known.or_else(|| codes().next()).map(clean);
    let messages = || levels.iter().filter_map(|level| text(level, "message"));
    let message = messages().find(|message| !message.trim().is_empty()).map(clean);
    let request_id = levels.iter().rev().find_map(|level| text(level, "request-id")).and_then(id);
    Said { code, message: message.unwrap_or_default(), request_id }
}

/// The error and what is nested in it, outermost first.
fn levels(error: &Value) -> Vec<&Value> {
    std::iter::successors(Some(error), |level| inner(level)).take(MOST_LEVELS).collect()
}

fn inner(value: &Value) -> Option<&Value> {
    value.get("innerError").or_else(|| value.get("innererror"))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// A body that is no JSON: a proxy's page, mostly. Its tags are of no use.
fn of_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..MOST_BYTES).unwrap_or(body));
    let text = text.trim_start();
    if text.starts_with('<') || text.is_empty() {
        return String::new();
    }
    clean(text)
}

/// The id of a request, if it looks like one.
pub(crate) fn id(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    ((1..=64).contains(&text.len()) && text.chars().all(fits)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_known_code_is_read_however_it_is_nested() {
        for (body, code, message) in [
            (
                r#"{"error":{"code":"BadRequest","message":"Invalid $filter query."}}"#,
                "BadRequest",
                "Invalid $filter query.",
            ),
            (
                r#"{"error":{"code":"UnknownError","message":"","innerError":{"code":"Forbidden","message":"no"}}}"#,
                "Forbidden",
                "no",
            ),
            (
                r#"{"error":{"code":"A","innererror":{"code":"generalException","innerError":{"code":"x9"}}}}"#,
                "generalException",
                "",
            ),
            (r#"{"error":{"code":"Odd","message":"m","innerError":{"code":"odder"}}}"#, "Odd", "m"),
            (r#"{"error":{"code":7,"message":null,"innerError":[]}}"#, "", ""),
            (r#"{"error":"invalid"}"#, "", ""),
            ("[]", "", ""),
            ("<html>502</html>", "", ""),
            ("upstream\r\nfailed", "", "upstream failed"),
            ("\u{fffd}", "", "\u{fffd}"),
            ("", "", ""),
        ] {
            let said = read(body.as_bytes());
            assert_eq!(
                (said.code.as_deref().unwrap_or(""), said.message.as_str()),
                (code, message)
            );
        }
        let deep = format!("{}1{}", "{\"error\":{\"innerError\":".repeat(9999), "}}".repeat(9999));
        assert_eq!(read(deep.as_bytes()).code, None);
    }

    #[test]
    fn a_missing_licence_is_no_missing_permission() {
        let said = |text: &str| {
            let body = format!(r#"{{"error":{{"code":"Forbidden","message":"{text}"}}}}"#);
            failure(FailureKind::Permission, 403, body.as_bytes(), "").kind
        };
        let licence = "The user does not have a valid Microsoft 365 Copilot license.";
        assert_eq!(said(licence), FailureKind::Licence);
        assert_eq!(said("Forbidden"), FailureKind::Permission);
    }

    #[test]
    fn a_missing_role_is_named() {
        let body = br#"{"error":{"code":"Forbidden","message":"Missing role permissions on the request. API requires one of 'Chat.Read.All, Chat.ReadWrite.All'. Roles on the request 'User.Read.All'.","innerError":{"date":"2026-05-14T17:36:50","request-id":"ab-1"}}}"#;
        let failure = failure(FailureKind::Permission, 403, body, "t0k3n-of-this-app");
        assert_eq!(
            failure.to_string(),
            "permission is missing: grant the app one of Chat.Read.All, Chat.ReadWrite.All, with \
             admin consent; it has User.Read.All (status 403, code Forbidden, request id ab-1)"
        );
        let none = body.to_vec();
        let none = String::from_utf8(none).unwrap().replace("'User.Read.All'", "''");
        let failure = super::failure(FailureKind::Permission, 403, none.as_bytes(), "");
        assert!(failure.message.ends_with("it has none"), "{failure}");
    }

    #[test]
    fn an_expired_continuation_is_gone_whatever_its_status() {
        for (status, code, message, expected) in [
            (400, "BadRequest", "Invalid continuation token", FailureKind::Gone),
            (404, "syncStateNotFound", "", FailureKind::Gone),
            (410, "resyncRequired", "", FailureKind::Gone),
            (400, "BadRequest", "Invalid $filter query.", FailureKind::Refused),
            (404, "NotFound", "", FailureKind::NotFound),
        ] {
            let body = serde_json::json!({"error": {"code": code, "message": message}}).to_string();
            let failure = failure(FailureKind::of_status(status), status, body.as_bytes(), "");
            assert_eq!(failure.kind, expected, "{status} {code}");
        }
    }

    #[test]
    fn a_token_that_comes_back_is_left_out() {
        let token = "eyJhbGciOi.secret.part";
        let body = format!(
            r#"{{"error":{{"code":"{token}","message":"bad {token}","innerError":{{"request-id":"{token}"}}}}}}"#
        );
        let failure = failure(FailureKind::Credentials, 401, body.as_bytes(), token);
        assert!(!format!("{failure} {failure:?}").contains("secret"), "{failure:?}");
    }
}
