//! Tokens over a real connection.

use std::sync::Arc;

use super::server::{Server, reply, token};
use super::{SECRET, app, certificate, client, client_of, limits};
use crate::client::App;
use crate::failure::FailureKind;

#[tokio::test]
async fn callers_at_the_same_time_share_one_token() {
    let server = Server::start(|_, _| reply(404, &[], "")).await;
    let client = Arc::new(client(&server));
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.tokens.get().await.unwrap().expose().to_owned() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "token-number-0");
    }
    assert_eq!(server.tokens(), 1);
    let old = client.tokens.get().await.unwrap();
    client.tokens.discard(&old);
    let new = client.tokens.get().await.unwrap();
    client.tokens.discard(&old);
    assert_eq!(client.tokens.get().await.unwrap().expose(), new.expose(), "discarded once");
    assert_eq!((new.expose(), server.tokens()), ("token-number-1", 2));
}

#[tokio::test]
async fn a_refusal_is_shared_too_and_names_what_to_fix_without_the_secret() {
    let refuse = |_: &super::server::Asked, _| {
        let text = format!("AADSTS7000215: Invalid client secret '{SECRET}' provided.");
        let body = serde_json::json!({
            "error": "invalid_client", "error_description": text, "error_codes": [7_000_215],
            "trace_id": "tr-1", "correlation_id": SECRET,
        });
        reply(401, &[], body.to_string())
    };
    let server = Server::raw(refuse).await;
    let client = client(&server);
    let (a, b, c) = tokio::join!(client.sign_in(), client.sign_in(), client.sign_in());
    assert_eq!(server.asked().len(), 1, "those who waited do not ask again");
    for failure in [a, b, c].map(Result::unwrap_err) {
        let line = failure.to_string();
        assert!(line.starts_with("sign-in failed: the client secret is wrong"), "{line}");
        assert!(line.contains("code AADSTS7000215, request id tr-1"), "{line}");
        assert!(!format!("{failure:?}{line}{client:?}").contains(SECRET), "{failure:?}");
    }
    assert!(client.sign_in().await.is_err());
    assert_eq!(server.asked().len(), 2, "who comes later does");
}

#[tokio::test]
async fn the_form_holds_the_secret_escaped() {
    let server = Server::start(|_, _| reply(404, &[], "")).await;
    assert!(client(&server).sign_in().await.unwrap().is_none());
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/tenant/oauth2/v2.0/token");
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(asked.header("authorization").is_none());
    let scope = format!("{}/.default", server.origin());
    let expected = [
        ("client_id", "app"),
        ("scope", scope.as_str()),
        ("grant_type", "client_credentials"),
        ("client_secret", SECRET),
    ];
    let form: Vec<_> = url::form_urlencoded::parse(asked.body.as_bytes()).collect();
    assert_eq!(form.iter().map(|(k, v)| (&**k, &**v)).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_certificate_signs_a_new_statement_for_each_request() {
    let server =
        Server::raw(|_, n| if n == 0 { reply(503, &[], "") } else { token("t", 60) }).await;
    let app = App { credential: Arc::new(certificate()), ..app(&server) };
    assert!(client_of(app, &limits()).sign_in().await.is_ok());
    let statements = server.asked().into_iter().map(|asked| {
        let form: Vec<_> =
            url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
        let value = |name: &str| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone());
        assert_eq!(value("client_secret"), None);
        assert!(value("client_assertion_type").unwrap().ends_with(":jwt-bearer"));
        value("client_assertion").unwrap()
    });
    let statements: Vec<_> = statements.collect();
    assert_eq!(statements.len(), 2);
    assert_ne!(statements[0], statements[1]);
    assert_eq!(statements[0].split('.').count(), 3);
}

#[tokio::test]
async fn a_token_that_expires_is_renewed_and_the_old_one_serves_while_that_fails() {
    let server = Server::raw(|_, n| match n {
        0 => token("short", 0),
        1 => token("long", 3600),
        _ => reply(400, &[], "{}"),
    });
    let server = server.await;
    let client = client(&server);
    assert_eq!(client.tokens.get().await.unwrap().expose(), "short");
    let long = client.tokens.get().await.unwrap();
    assert_eq!(long.expose(), "long", "a life of nothing is over at once");
    assert_eq!(client.tokens.get().await.unwrap().expose(), "long");
    assert_eq!(server.asked().len(), 2);
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(3600 - 299)).await;
    tokio::time::resume();
    assert_eq!(client.tokens.get().await.unwrap().expose(), "long", "five minutes are left");
    assert_eq!(server.asked().len(), 3, "and a new one was asked for");
    assert_eq!(client.tokens.get().await.unwrap().expose(), "long");
    assert_eq!(server.asked().len(), 3, "but not again at once");
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_mins(5)).await;
    tokio::time::resume();
    assert_eq!(client.sign_in().await.unwrap_err().kind, FailureKind::Credentials);
}

#[tokio::test]
async fn trouble_of_the_token_service_passes_or_is_named() {
    for (bad, kind, requests) in [
        (reply(500, &[], ""), FailureKind::Service, 4),
        (reply(429, &[("Retry-After", "0")], ""), FailureKind::Throttled, 4),
        (Vec::new(), FailureKind::Network, 4),
        (reply(302, &[("Location", "https://evil.example")], ""), FailureKind::Hostile, 1),
        (reply(200, &[], "{}"), FailureKind::Service, 1),
        (token("bad\\ntoken", 60), FailureKind::Service, 1),
    ] {
        let server = Server::raw(move |_, _| bad.clone()).await;
        let failure = client(&server).sign_in().await.unwrap_err();
        assert_eq!((failure.kind, server.asked().len()), (kind, requests), "{failure}");
        let host = server.origin().replace("http://", "");
        assert!(failure.to_string().contains(&host), "{failure}");
    }
    let server = Server::raw(|_, n| if n == 0 { Vec::new() } else { token("t", 60) }).await;
    assert!(client(&server).sign_in().await.is_ok());
}
