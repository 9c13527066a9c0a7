//! Requests and messages that mean harm do nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::kit::{Server, encoded, message};

fn server() -> Server {
    Server::with(&[message("19:a@thread.v2", 1, "ada", "<p>hello</p>")])
}

#[test]
fn nobody_is_let_in_without_the_token() {
    let server = server();
    for path in ["/", "/a/team", "/a/team/chats", "/a/team/jobs/1/events", "/a/team/objects/00/x"] {
        let answer = server.send("GET", path, &[], b"");
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.text().contains("team/"), "{path} tells nothing");
    }
    for token in ["", "0", &"0".repeat(32), "%00"] {
        assert_eq!(server.send("GET", &format!("/?token={token}"), &[], b"").status, 401);
    }
    let other = [("Cookie", "chatvault-1=x; chatvault=y")];
    assert_eq!(server.send("GET", "/a/team", &other, b"").status, 401);
    assert_eq!(
        server.send("GET", "/assets/page.css", &[], b"").status,
        200,
        "a style is no secret"
    );
}

#[test]
fn every_answer_says_what_a_browser_may_do() {
    let server = server();
    for path in ["/a/team/chats", "/nowhere", "/assets/page.js"] {
        let answer = server.get(path);
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
    }
}

#[test]
fn another_name_that_leads_here_is_refused() {
    let server = server();
    let port = server.address.port();
    for host in
        ["evil.example".to_owned(), format!("evil.example:{port}"), "localhost:1".to_owned()]
    {
        let headers = [("Host", host.as_str()), ("Cookie", server.cookie())];
        assert_eq!(server.send("GET", "/a/team", &headers, b"").status, 421, "{host}");
    }
    let local = format!("localhost:{port}");
    let headers = [("Host", local.as_str()), ("Cookie", server.cookie())];
    let _open = server.page("/a/team");
    assert_eq!(server.send("GET", "/a/team", &headers, b"").status, 200);
}

#[test]
fn another_sites_form_is_refused() {
    let server = server();
    let (own, key) = (format!("http://{}", server.address), server.key());
    let body = format!("key={key}&on=1");
    let cases: [(Option<&str>, &str, u16); 5] = [
        (None, &body, 403),
        (Some("http://evil.example"), &body, 403),
        (Some("null"), &body, 403),
        (Some(&own), "on=1", 403),
        (Some(&own), &body, 303),
    ];
    for (origin, body, expected) in cases {
        let mut headers = vec![("Cookie", server.cookie())];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        let answer = server.send("POST", "/a/team/private-chats", &headers, body.as_bytes());
        assert_eq!(answer.status, expected, "{origin:?} {body}");
    }
    // Without the cookie a good origin and key are of no use.
    let headers = [("Origin", own.as_str())];
    let answer = server.send("POST", "/a/team/private-chats", &headers, body.as_bytes());
    assert_eq!(answer.status, 401);
}

#[test]
fn no_address_leads_out_of_a_place() {
    let server = server();
    std::fs::write(server.folder.path().join("secret.zip"), "secret").unwrap();
    let up = encoded("../");
    for path in [
        format!("/a/{up}"),
        format!("/a/team/downloads/{up}/secret.zip"),
        format!("/a/team/downloads/-/x/parts/{up}secret.zip"),
        "/a/team/downloads/../secret.zip".to_owned(),
        format!("/assets/{up}Cargo.toml"),
        format!("/a/team/objects/{up}/x"),
        format!("/a/team/objects/{}/x", "0".repeat(64)),
        "/a/%00/chats".to_owned(),
        "/a/team/quarantine/0".to_owned(),
        "/a/team/quarantine/99999999999999999999".to_owned(),
        "/a/team/messages/message/x/y".to_owned(),
        "/a/team/runs/-1".to_owned(),
    ] {
        let answer = server.get(&path);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.text().contains("secret\n") && answer.body != b"secret", "{path}");
    }
    let refused = server.post("/a/team/downloads/folders", &[("folder", "relative")]);
    assert_eq!(refused.status, 400);
}

#[test]
fn a_token_in_an_address_leads_nowhere_else() {
    let server = server();
    let token = server.token.clone();
    for path in ["//evil.example/", "/%5Cevil.example", "/\\evil.example"] {
        let answer = server.send("GET", &format!("{path}?token={token}"), &[], b"");
        let place = answer.header("location");
        let leads_out =
            place.starts_with("//") || place.starts_with("/\\") || place.contains("://");
        assert!(!leads_out, "{path} leads to {place}");
    }
}

#[test]
fn huge_and_slow_requests_cost_nothing() {
    let server = server();
    let origin = format!("http://{}", server.address);
    let headers = [
        ("Cookie", server.cookie()),
        ("Origin", origin.as_str()),
        ("Content-Length", "1000000000"),
    ];
    let answer = server.send("POST", "/a/team/private-chats", &headers, &vec![b'a'; 2 << 20]);
    assert_eq!(answer.status, 413, "a gigabyte is announced, two megabytes were sent");
    let long = "a".repeat(100 << 10);
    let answer = server.send("GET", &format!("/?{long}"), &[], b"");
    assert!([0, 414, 431].contains(&answer.status), "{}", answer.status);
    let many: Vec<(String, String)> =
        (0..500).map(|n| (format!("X-{n}"), "x".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (&**name, &**value)).collect();
    let answer = server.send("GET", "/", &many, b"");
    assert!([0, 400, 431].contains(&answer.status), "{}", answer.status);
    // Connections that say nothing keep nobody from being answered.
    let idle: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    assert_eq!(server.get("/a/team/search").status, 200);
    drop(idle);
    let mut garbage = TcpStream::connect(server.address).unwrap();
    garbage.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    garbage.write_all(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    drop(garbage.read_to_end(&mut answer));
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"));
    assert_eq!(server.get("/a/team/search").status, 200);
}

const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<iframe src=\"https://evil.example\"></iframe>",
    "<svg/onload=alert(1)>",
    "</div></article></main><form action=\"https://evil.example\"><input name=key></form>",
    "<style>@import url(https://evil.example)</style>",
    "<img src=\"https://evil.example/pixel.gif\">",
];

#[test]
fn what_a_message_says_never_becomes_markup() {
    let name = "<b onclick=alert(1)>\"'&{{7*7}}";
    let bodies = HOSTILE.iter().zip(1..);
    let mut messages: Vec<String> =
        bodies.map(|(body, minute)| message("19:\"<x>@thread.v2", minute, name, body)).collect();
    messages.push(message("19:\"<x>@thread.v2", 99, "ada", "needle"));
    let server = Server::with(&messages);
    let list = server.page_with("/a/team/chats", "<tbody>");
    let chat = list.split("th scope=\"row\"><a href=\"").nth(1).unwrap();
    let chat = chat.split('"').next().unwrap().to_owned();
    let page = server.page(&chat);
    let opened = page.split("class=\"t\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let search = server.page("/a/team/search?q=%22%3E%3Cscript%3E+needle");
    let found = server.page("/a/team/search?q=needle&person=%3Cscript%3E");
    for page in [&list, &page, &server.page(opened), &search, &found] {
        let own = "<script src=\"/assets/page.js\" defer></script>";
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(page.contains(own));
        let lower = page.to_lowercase();
        for harm in ["<iframe", "<svg", "<style", "<b onclick", "<img src=x", "src=\"http"] {
            assert!(!lower.contains(harm), "{harm}: {page}");
        }
        assert!(!lower.contains("href=\"javascript") && !lower.contains("action=\"http"), "{page}");
    }
}
