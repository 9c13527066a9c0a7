//! JSON answers over a real connection.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::server::{Server, named, reply};
use super::{SECRET, app, client, client_of, limits};
use crate::client::{Answer, App, Client, Request};
use crate::cloud::Cloud;
use crate::failure::{Failure, FailureKind};
use crate::limits::{Class, Limits};
use crate::link::Link;
use crate::meter::{Meter, Traffic};

const PAGE: &str = r#"{"value":[]}"#;

async fn get(client: &Client, meter: &Meter) -> Result<Answer, Failure> {
    let link = Link::own(client.cloud(), "/users/x/chats/getAllMessages?$skiptoken=s1").unwrap();
    let request = Request { link: &link, class: Class::Chats, resource: None };
    client.get(&request, meter).await
}

/// The failure or the body of one request, and what it cost.
async fn course(server: &Server) -> (Result<String, Failure>, Traffic) {
    let meter = Meter::default();
    let answer = get(&client(server), &meter).await;
    let body = answer.map(|answer| String::from_utf8(answer.body.to_vec()).unwrap());
    (body, meter.traffic())
}

#[tokio::test]
async fn a_page_comes_whole_and_is_asked_for_with_all_headers() {
    let server = Server::start(|_, _| reply(200, &[("request-id", "ab-12")], PAGE)).await;
    let meter = Meter::default();
    let answer = get(&client(&server), &meter).await.unwrap();
    assert_eq!((&answer.body[..], answer.request_id.as_deref()), (PAGE.as_bytes(), Some("ab-12")));
    let asked = &server.content()[0];
    assert_eq!(asked.path, "/v1.0/users/x/chats/getAllMessages?$skiptoken=s1");
    for (name, value) in [
        ("authorization", "Bearer token-number-0"),
        ("accept", "application/json"),
        ("prefer", "include-unknown-enum-members"),
        ("accept-encoding", "gzip"),
    ] {
        assert_eq!(asked.header(name), Some(value));
    }
    let id = asked.header("client-request-id").unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "{id}");
    assert!(asked.header("cookie").is_none() && asked.header("referer").is_none());
    let expected = Traffic { requests: 1, bytes: PAGE.len() as u64, ..Traffic::default() };
    assert_eq!(meter.traffic(), expected);
}

#[tokio::test]
async fn a_packed_page_is_unpacked() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(PAGE.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let server = Server::start(move |_, _| reply(200, &[("Content-Encoding", "gzip")], &packed));
    assert_eq!(course(&server.await).await.0.unwrap(), PAGE);
}

/// The first answer is bad; what comes then is good.
#[tokio::test]
async fn what_may_pass_is_asked_again_and_counted() {
    let half = || named(200, &[], 999, &PAGE.as_bytes()[..5]);
    for (what, bad) in [
        ("401", reply(401, &[], "{}")),
        ("409", reply(409, &[], "")),
        ("429", reply(429, &[("Retry-After", "0")], "{}")),
        ("429 without a pause", reply(429, &[], "{}")),
        ("500", reply(500, &[], "<html>")),
        ("503", reply(503, &[("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")], "")),
        ("504", reply(504, &[], "")),
        ("a cut body", half()),
        ("a length too small", named(200, &[], 5, PAGE.as_bytes())),
        ("an empty body", reply(200, &[], "")),
        ("a part", reply(206, &[], PAGE)),
        ("nothing", Vec::new()),
        ("no HTTP", b"SSH-2.0\r\n\r\n".to_vec()),
        (
            "a broken chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"va".to_vec(),
        ),
    ] {
        let server =
            Server::start(move |_, n| if n == 0 { bad.clone() } else { reply(200, &[], PAGE) });
        let server = server.await;
        let (body, traffic) = course(&server).await;
        assert_eq!(body.as_deref(), Ok(PAGE), "{what}");
        assert_eq!((traffic.requests, traffic.retries), (2, 1), "{what}");
        let tokens = if what == "401" { 2 } else { 1 };
        assert_eq!(server.tokens(), tokens, "{what}");
        let again = server.content()[1].header("authorization").map(str::to_owned);
        assert_eq!(again, Some(format!("Bearer token-number-{}", tokens - 1)), "{what}");
    }
}

#[tokio::test]
async fn what_does_not_pass_fails_with_its_kind_after_bounded_attempts() {
    use FailureKind as K;
    for (bad, kind, requests) in [
        (reply(400, &[], "{}"), K::Refused, 1),
        (reply(401, &[], "{}"), K::Credentials, 2),
        (reply(402, &[], "{}"), K::Payment, 1),
        (reply(403, &[], "{}"), K::Permission, 1),
        (reply(404, &[], "{}"), K::NotFound, 1),
        (reply(410, &[], "{}"), K::Gone, 1),
        (reply(412, &[], "{}"), K::Delegated, 1),
        (reply(429, &[("Retry-After", "0")], "{}"), K::Throttled, 4),
        (reply(500, &[], "{}"), K::Service, 4),
        (reply(504, &[], "{}"), K::TimedOut, 2),
        (Vec::new(), K::Network, 4),
        (named(200, &[], 99, b"{}"), K::Network, 4),
        (reply(302, &[("Location", "https://evil.example/?x")], ""), K::Hostile, 1),
    ] {
        let server = Server::start(move |_, _| bad.clone()).await;
        let (body, traffic) = course(&server).await;
        let failure = body.unwrap_err();
        assert_eq!((failure.kind, traffic.requests), (kind, requests), "{failure}");
        let line = failure.to_string();
        assert!(line.contains("/v1.0/users/x/chats/getAllMessages"), "{line}");
        assert!(!line.contains("skiptoken") && !line.contains('\n'), "{line}");
    }
}

#[tokio::test]
async fn a_missing_permission_is_one_line_that_names_it() {
    let body = r#"{"error":{"code":"Forbidden","message":"Missing role permissions on the request. API requires one of 'Chat.Read.All'. Roles on the request ''."}}"#;
    let server = Server::start(move |_, _| reply(403, &[("request-id", "r-1")], body)).await;
    assert_eq!(
        course(&server).await.0.unwrap_err().to_string(),
        "permission is missing: grant the app one of Chat.Read.All, with admin consent; it has none \
         (/v1.0/users/x/chats/getAllMessages, status 403, code Forbidden, request id r-1)"
    );
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_before_and_while_it_is_read() {
    let large = format!(r#"{{"value":"{}"}}"#, "x".repeat(5000));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    for answer in [reply(200, &[], &large), chunked.into_bytes()] {
        let server = Server::start(move |_, _| answer.clone()).await;
        let limits = Limits { answer_bytes: 5000, ..limits() };
        let failure = get(&client_of(app(&server), &limits), &Meter::default()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::TooLarge, "{failure}");
        assert_eq!(server.content().len(), 1);
        let limits = Limits { answer_bytes: large.len(), ..limits };
        let answer = get(&client_of(app(&server), &limits), &Meter::default()).await.unwrap();
        assert_eq!(answer.body, large);
    }
}

#[tokio::test]
async fn so_many_answers_are_in_memory_and_one_of_them_is_large() {
    let large = format!(r#"{{"value":"{}"}}"#, "x".repeat(5 << 20));
    let server = Server::start(move |_, n| reply(200, &[], if n < 2 { &large } else { PAGE }));
    let server = server.await;
    let limits = Limits { concurrency: 2, ..limits() };
    let client = Arc::new(client_of(app(&server), &limits));
    let meter = Meter::default();
    let first = get(&client, &meter).await.unwrap();
    let mut second = Box::pin(get(&client, &meter));
    let wait = Duration::from_millis(80);
    assert!(tokio::time::timeout(wait, &mut second).await.is_err(), "a second large one waits");
    drop(first);
    let second = second.await.unwrap();
    let small = get(&client, &meter).await.unwrap();
    assert!(tokio::time::timeout(wait, get(&client, &meter)).await.is_err(), "two are held");
    drop((second, small));
    assert!(get(&client, &meter).await.is_ok());
}

#[tokio::test]
async fn a_dead_network_is_one_line_that_names_the_host() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let server = Server::start(|_, _| reply(200, &[], PAGE)).await;
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let speaks_no_tls = plain.local_addr().unwrap();
    drop(tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            drop(stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").await);
        }
    }));
    for (origin, expected) in [
        (format!("http://{closed}"), "no connection to"),
        (format!("https://{speaks_no_tls}"), "no TLS with"),
    ] {
        let cloud = Cloud::custom(&origin, &origin).unwrap();
        let app = App { cloud, ..app(&server) };
        let failure = client_of(app, &limits()).sign_in().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Network);
        let host = origin.split_once("//").unwrap().1;
        assert!(failure.to_string().contains(&format!("{expected} {host}")), "{failure}");
    }
}

#[tokio::test]
async fn nothing_that_can_be_formatted_shows_a_secret() {
    let echo = |asked: &super::server::Asked, _: usize| {
        let bearer = asked.header("authorization").unwrap_or_default();
        let error = serde_json::json!({"error": {"code": bearer, "message": bearer}});
        reply(403, &[("request-id", "token-number-0")], error.to_string())
    };
    let server = Server::start(echo).await;
    let app = app(&server);
    let client = client_of(app.clone(), &limits());
    let failure = get(&client, &Meter::default()).await.unwrap_err();
    let seen = format!("{client:?} {app:?} {failure:?} {failure}");
    assert!(!seen.contains("Bearer"), "{seen}");
    for part in SECRET.split('/').chain(["token-number"]) {
        let told =
            seen.replace("request id token-number-0", "").replace(r#"Some("token-number-0")"#, "");
        assert!(!told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn an_app_that_cannot_be_asked_for_is_refused_at_once() {
    let server = Server::start(|_, _| reply(200, &[], PAGE)).await;
    for (tenant, client_id) in
        [("", "app"), ("a/b", "app"), ("common", "app"), ("t", ""), ("t", "a b"), ("..", "app")]
    {
        let app = App { tenant: tenant.into(), client_id: client_id.into(), ..app(&server) };
        let clock = Arc::new(chatvault_base::SystemClock);
        let failure = Client::new(app, &limits(), clock).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Credentials, "{tenant} {client_id}");
    }
}

#[tokio::test]
async fn time_that_a_pause_costs_is_counted() {
    let server = Server::start(|_, _| reply(200, &[], PAGE)).await;
    let (client, meter) = (client(&server), Meter::default());
    client.pacer.pause(Class::Chats, Duration::from_millis(500));
    assert!(get(&client, &meter).await.is_ok());
    let waited = meter.traffic().throttled_ms;
    assert!((1..=500).contains(&waited), "{waited}");
    assert!(get(&client, &meter).await.is_ok());
    assert_eq!(meter.traffic().throttled_ms, waited, "a pause that is over costs nothing");
}
