//! Ways to ask: members by name, and several questions at once.

use serde_json::{Value, json};

use super::kit::Server;
use super::service::{CHAT, FIRST, served};
use crate::kit::server::Answer;

#[test]
fn named_members_are_given_as_they_came_on_every_page() {
    let (_folder, server) = served();
    let token = server.token();
    let path = format!("/v1.0/chats/{CHAT}/messages?$select=id,from&$top=4");
    let (mut page, mut pages) = (server.get(&token, &path), 0);
    loop {
        let text = String::from_utf8(page.body.clone()).unwrap();
        let json = page.json();
        let items = json["value"].as_array().unwrap();
        for item in items {
            let names: Vec<&String> = item.as_object().unwrap().keys().collect();
            assert_eq!(names, ["from", "id"], "{text}");
        }
        // In the order of the document, each with its own bytes.
        let exact = r#","from":{"user":{"id":"ada"}}}"#;
        assert_eq!(text.matches(exact).count(), items.len(), "{text}");
        assert_eq!(json["@chatvault"]["items"].as_array().unwrap().len(), items.len());
        pages += 1;
        if json["@odata.nextLink"].is_null() {
            break;
        }
        page = server.follow(&token, &json["@odata.nextLink"]);
    }
    assert_eq!(pages, 3);
    let one = server.get(&token, &format!("/v1.0/chats/{CHAT}/messages/{FIRST}?$select=etag"));
    assert_eq!(one.text(), format!(r#"{{"etag":"{}"}}"#, FIRST + 50_000));
    let users = server.get(&token, "/v1.0/users?$select=id").json();
    assert_eq!(users["value"], json!([{"id": "ada"}, {"id": "ben"}]));
    let wrong = server.get(&token, "/v1.0/users?$select=manager/id");
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "BadRequest"));
}

fn batch(server: &Server, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", server.token());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    server.send("POST", "/v1.0/$batch", &headers, body.to_string().as_bytes())
}

#[test]
fn a_batch_is_answered_as_its_requests_would_be_alone() {
    let (_folder, server) = served();
    let messages = format!("/chats/{CHAT}/messages");
    let asked = json!({"requests": [
        {"id": "a", "method": "GET", "url": format!("{messages}?$top=2")},
        {"id": "b", "method": "GET", "url": "users/eve/chats"},
        {"id": "c", "method": "GET", "url": format!("{messages}/{FIRST}"), "dependsOn": ["a"]},
        {"id": "d", "method": "GET", "url": "/users", "dependsOn": ["b"]},
        {"id": "e", "method": "POST", "url": messages, "body": {}},
        {"id": "f", "method": "GET", "url": "https://elsewhere.example/x"},
    ]});
    let answer = batch(&server, &asked);
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let all = answer.json();
    let told: Vec<(&str, u64)> = all["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("a", 200), ("b", 404), ("c", 200), ("d", 424), ("e", 405), ("f", 404)]);
    let token = server.token();
    for (at, path) in [(0, format!("{messages}?$top=2")), (2, format!("{messages}/{FIRST}"))] {
        let alone = server.get(&token, &format!("/v1.0{path}"));
        assert!(answer.text().contains(&alone.text()), "the very bytes: {path}");
        let headers = &all["responses"][at]["headers"];
        assert_eq!(headers["Content-Type"], alone.header("content-type"));
    }
    assert_eq!(all["responses"][1]["body"]["error"]["code"], "NotFound");
}

#[test]
fn a_batch_that_is_none_is_refused_as_a_whole() {
    let (_folder, server) = served();
    let get = |id: usize| json!({"id": id.to_string(), "method": "GET", "url": "/users?$top=1"});
    let most: Vec<Value> = (0..20).map(get).collect();
    let full = batch(&server, &json!({ "requests": most }));
    assert_eq!(full.json()["responses"].as_array().unwrap().len(), 20);
    let more: Vec<Value> = (0..21).map(get).collect();
    for (body, code) in [
        (json!({ "requests": more }), "MaximumValueExceeded"),
        (json!({ "requests": [] }), "MaximumValueExceeded"),
        (json!({ "requests": [get(1), get(1)] }), "BadRequest"),
        (
            json!({"requests": [{"id": "1", "method": "GET", "url": "/users", "dependsOn": ["2"]}]}),
            "BadRequest",
        ),
        (json!({"requests": [{"id": "1"}]}), "BadRequest"),
        (json!([1]), "BadRequest"),
    ] {
        let refused = batch(&server, &body);
        assert_eq!((refused.status, refused.code().as_str()), (400, code), "{body}");
    }
    let nobody = server.send("POST", "/v1.0/$batch", &[], b"{}");
    assert_eq!((nobody.status, nobody.code().as_str()), (401, "InvalidAuthenticationToken"));
}
