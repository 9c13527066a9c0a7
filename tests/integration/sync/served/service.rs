//! What clients see: pages, documents as they came, errors, and links that stay good.

use chatvault_engine::{Archive, Custodian, Host, MessageKey, Options, Origin, RecordKind};
use serde_json::Value;
use tempfile::TempDir;

use super::kit::Server;

pub(super) const CHAT: &str = "19:a@thread.v2";
const CHANNEL: &str = "19:c@thread.tacv2";

/// A document with spaces that a program would not write.
fn message(place: &str, id: u64, etag: u64, text: &str) -> String {
    let at = |ms: u64| {
        chatvault_query::format_time(chatvault_engine::Timestamp::from_ms(ms.cast_signed()))
    };
    format!(
        r#"{{ "id":"{id}", "etag" : "{etag}",{place},"messageType":"message","createdDateTime":"{}","lastModifiedDateTime":"{}","from":{{"user":{{"id":"ada"}}}},"body":{{"content":"{text}"}} }}"#,
        at(id),
        at(etag)
    )
}

fn in_chat() -> String {
    format!(r#""chatId":"{CHAT}""#)
}

fn offer(archive: &Archive, documents: &[(&str, String)]) {
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    for (whose, json) in documents {
        let origin = Origin { source: "test", offset: 0 };
        batch.offer(&Custodian::parse(whose), RecordKind::Message, json.as_bytes(), origin);
    }
    assert_eq!(batch.commit().unwrap().counts.quarantined, 0);
}

pub(super) const FIRST: u64 = 1_700_000_000_000;

/// Ten messages of a chat that two people have, one of them edited, and a thread of a channel.
fn documents() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for number in 0..10 {
        let id = FIRST + number * 1000;
        all.push(("user:ada", message(&in_chat(), id, id, &format!("m{number}"))));
        all.push(("user:ben", message(&in_chat(), id, id, &format!("m{number}"))));
    }
    all.push(("user:ada", message(&in_chat(), FIRST, FIRST + 50_000, "edited")));
    let channel = format!(r#""channelIdentity":{{"teamId":"t","channelId":"{CHANNEL}"}}"#);
    let reply = format!(r#"{channel},"replyToId":"{FIRST}""#);
    all.push(("team:t", message(&channel, FIRST, FIRST, "root")));
    all.push(("team:t", message(&reply, FIRST + 1, FIRST + 1, "reply")));
    all
}

pub(super) fn served() -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let archive = Archive::create(Host::disk(&place), Options::default()).unwrap();
    offer(&archive, &documents());
    archive.close().unwrap();
    let server = Server::start(&place, 0);
    (folder, server)
}

/// All documents of a chain of pages, as they stand there.
fn chain(server: &Server, token: &str, path: &str) -> Vec<String> {
    let (mut all, mut page) = (Vec::new(), server.get(token, path));
    loop {
        assert_eq!(page.status, 200, "{}", String::from_utf8_lossy(&page.body));
        let read = chatvault_ingest::graph::read_page(&page.body).unwrap();
        let items = read.items.iter().map(|item| String::from_utf8(item.to_vec()).unwrap());
        all.extend(items);
        let json = page.json();
        assert_eq!(json["@odata.count"], read.items.len());
        if json["@odata.nextLink"].is_null() {
            return all;
        }
        page = server.follow(token, &json["@odata.nextLink"]);
    }
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort_unstable();
    all
}

#[test]
fn pages_hold_the_exact_documents_that_an_account_received() {
    let (_folder, server) = served();
    let token = server.token();
    let of = |whose: &str, keep: &dyn Fn(&str) -> bool| {
        let all = documents().into_iter().filter(|(own, json)| *own == whose && keep(json));
        sorted(all.map(|(_, json)| json).collect())
    };
    let is_now = |json: &str| !json.contains("m0\"");
    for (path, expected) in [
        ("/v1.0/users/ada/chats/getAllMessages?$top=3", of("user:ada", &is_now)),
        ("/beta/users('ada')/chats/getallMessages?$top=100", of("user:ada", &is_now)),
        ("/v1.0/users/ben/chats/getAllMessages?$top=4", of("user:ben", &|_| true)),
        ("/v1.0/users/ada/chats/getAllRetainedMessages?$top=1", of("user:ada", &|_| true)),
        ("/v1.0/teams/t/channels/getAllMessages", of("team:t", &|_| true)),
        ("/v1.0/teamwork/deletedTeams/t/channels/getAllMessages", of("team:t", &|_| true)),
        ("/v1.0/chats/19:a@thread.v2/messages?$top=2", of("user:ada", &is_now)),
        ("/v1.0/users/ben/chats/19%3Aa%40thread.v2/messages", of("user:ada", &is_now)),
        (
            "/v1.0/teams/t/channels/19:c@thread.tacv2/messages",
            of("team:t", &|it| it.contains("root")),
        ),
        (
            "/v1.0/teams/t/channels/19:c@thread.tacv2/messages/1700000000000/replies",
            of("team:t", &|it| it.contains("reply\"")),
        ),
        (
            "/v1.0/users/ada/chats/getAllMessages?$filter=lastModifiedDateTime+gt+2023-11-14T22:13:24.000Z+and+lastModifiedDateTime+lt+2023-11-14T22:13:26.000Z",
            of("user:ada", &|json| json.contains("m5")),
        ),
    ] {
        assert_eq!(sorted(chain(&server, &token, path)), expected, "{path}");
    }
    let one = server.get(&token, "/v1.0/chats/19:a@thread.v2/messages/1700000000000");
    assert!(String::from_utf8(one.body).unwrap().contains("edited"));
    let users = server.get(&token, "/v1.0/users").json();
    let ids: Vec<_> = users["value"].as_array().unwrap().iter().map(|user| &user["id"]).collect();
    assert_eq!(ids, ["ada", "ben"]);
    let chats = server.get(&token, "/v1.0/users/ben/chats").json();
    assert_eq!(chats["value"][0]["id"], CHAT);
}

#[test]
fn a_page_says_what_the_service_cannot() {
    let (_folder, server) = served();
    let page = server.get(&server.token(), "/v1.0/chats/19:a@thread.v2/messages?$top=50").json();
    let beyond = &page["@chatvault"];
    assert_eq!(beyond["items"].as_array().unwrap().len(), 10);
    let oldest = &beyond["items"][9];
    assert_eq!(oldest["version"], FIRST + 50_000);
    let names = |item: &Value| -> Vec<String> {
        let name = |at: &Value| {
            let at = usize::try_from(at.as_u64().unwrap()).unwrap();
            beyond["custodians"][at].as_str().unwrap().to_owned()
        };
        sorted(item["custodians"].as_array().unwrap().iter().map(name).collect())
    };
    assert_eq!(names(oldest), ["user:ada"]);
    assert_eq!(names(&beyond["items"][0]), ["user:ada", "user:ben"]);
}

#[test]
fn a_chain_is_of_one_commit_and_outlives_the_server() {
    let (folder, server) = served();
    let (place, port, token) = (folder.path().join("a"), server.address.port(), server.token());
    let first = server.get(&token, "/v1.0/users/ben/chats/getAllMessages?$top=4").json();
    let delta = server.get(&token, "/v1.0/users/ben/chats/getAllMessages/delta").json();
    assert_eq!(delta["value"].as_array().unwrap().len(), 10);
    drop(server);
    let archive = Archive::open(Host::disk(&place), Options::default()).unwrap();
    let late = message(&in_chat(), FIRST + 500, FIRST + 500, "late");
    let edit = message(&in_chat(), FIRST + 9000, FIRST + 90_000, "edit");
    offer(&archive, &[("user:ben", late), ("user:ben", edit)]);
    archive.close().unwrap();
    let server = Server::start(&place, port);
    assert_eq!(server.get(&token, "/v1.0/users").code(), "InvalidAuthenticationToken");
    let token = server.token();
    let (mut page, mut count) = (first, 4);
    while !page["@odata.nextLink"].is_null() {
        page = server.follow(&token, &page["@odata.nextLink"]).json();
        count += page["value"].as_array().unwrap().len();
        assert!(!page.to_string().contains("late") && !page.to_string().contains("\"edit\""));
    }
    assert_eq!(count, 10, "what came in is in the next chain");
    let next = server.follow(&token, &delta["@odata.deltaLink"]).json();
    let texts: Vec<_> =
        next["value"].as_array().unwrap().iter().map(|it| &it["body"]["content"]).collect();
    assert_eq!(texts, ["late", "edit"]);
    let after = server.follow(&token, &next["@odata.deltaLink"]).json();
    assert_eq!(after["value"].as_array().unwrap().len(), 0);
}

#[test]
fn a_link_that_was_changed_leads_nowhere() {
    let (_folder, server) = served();
    let token = server.token();
    let first = server.get(&token, "/v1.0/users/ada/chats/getAllMessages?$top=4").json();
    let link = first["@odata.nextLink"].as_str().unwrap();
    let path = link.strip_prefix(&server.origin()).unwrap();
    for at in (path.find("token=").unwrap() + 6)..path.len() {
        let mut other = path.to_owned().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let answer = server.get(&token, &String::from_utf8(other).unwrap());
        assert_eq!((answer.status, answer.code().as_str()), (400, "BadRequest"), "byte {at}");
    }
    let of_another = path.replace("/users/ada/", "/users/ben/");
    assert_eq!(server.get(&token, &of_another).status, 400);
    let delta = server.get(&token, "/v1.0/users/ada/chats/getAllMessages/delta?$deltatoken=x");
    assert_eq!((delta.status, delta.code().as_str()), (410, "syncStateNotFound"));
    assert!(delta.headers["location"].ends_with("/chats/getAllMessages/delta"));
}

#[test]
fn errors_are_the_services() {
    let (_folder, server) = served();
    let token = server.token();
    for (path, status, code) in [
        ("/v1.0/users/eve/chats/getAllMessages", 404, "NotFound"),
        ("/v1.0/nothing", 404, "NotFound"),
        ("/v1.0/chats/19:a@thread.v2", 404, "NotFound"),
        ("/v1.0/chats/19:a@thread.v2/messages?$top=51", 400, "BadRequest"),
        ("/v1.0/users/ada/chats/getAllMessages?$filter=nonsense", 400, "BadRequest"),
        ("/v1.0/users/ada/chats/getAllMessages?$top=0", 400, "BadRequest"),
        ("/v1.0/chats/19:a@thread.v2/messages/7", 404, "NotFound"),
        ("/v1.0/users?$search=ada", 400, "BadRequest"),
        ("/v1.0/shares/u!x/driveItem", 400, "invalidRequest"),
        ("/v1.0/shares/u!aHR0cHM6Ly94/driveItem/content", 404, "itemNotFound"),
        ("/v1.0/users/%ff/chats/getAllMessages", 400, "BadRequest"),
    ] {
        let answer = server.get(&token, path);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
        let id = &answer.json()["error"]["innerError"]["request-id"];
        assert_eq!(id.as_str(), Some(answer.headers["request-id"].as_str()));
    }
    let bearer = format!("Bearer {token}");
    let bearer = ("Authorization", bearer.as_str());
    let own = ("client-request-id", "0d9b4e4c-1");
    let answer = server.send("GET", "/v1.0/users", &[bearer, own], b"");
    assert_eq!(answer.headers["client-request-id"], "0d9b4e4c-1");
    assert_eq!(server.send("POST", "/v1.0/users", &[bearer], b"{}").status, 405);
}

#[test]
fn nobody_is_let_in_without_the_secret_or_by_another_name() {
    let (_folder, server) = served();
    let token = server.token();
    let refused = server.token_of("any", "wrong");
    let code = refused.json()["error"].as_str().unwrap().to_owned();
    assert_eq!((refused.status, code.as_str()), (401, "invalid_client"));
    let mut changed = token.clone().into_bytes();
    let middle = changed.len() / 2;
    changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
    for other in ["", "x", "a.b.c", &server.token, &String::from_utf8(changed).unwrap()] {
        let answer = server.get(other, "/v1.0/users");
        assert_eq!((answer.status, answer.code().as_str()), (401, "InvalidAuthenticationToken"));
        assert!(answer.headers["www-authenticate"].starts_with("Bearer"));
    }
    let bearer = format!("Bearer {token}");
    let elsewhere = [("Authorization", bearer.as_str()), ("Host", "graph.example")];
    assert_eq!(server.send("GET", "/v1.0/users", &elsewhere, b"").status, 421);
    // The pages stay behind their own door.
    assert_eq!(server.send("GET", "/", &elsewhere[..1], b"").status, 401);
}

#[test]
fn each_organisation_has_its_own_tokens() {
    let folder = tempfile::tempdir().unwrap();
    for (name, whose) in [("one", "user:ada"), ("two", "user:ben")] {
        let place = folder.path().join(name);
        let archive = Archive::create(Host::disk(place), Options::default()).unwrap();
        offer(&archive, &[(whose, message(&in_chat(), FIRST, FIRST, name))]);
        archive.close().unwrap();
    }
    let server = Server::start(folder.path(), 0);
    for (name, has, has_not) in [("one", "ada", "ben"), ("two", "ben", "ada")] {
        let token = server.token_of(name, &server.token).json();
        let token = token["access_token"].as_str().unwrap();
        let of = |whose| server.get(token, &format!("/v1.0/users/{whose}/chats/getAllMessages"));
        assert_eq!((of(has).status, of(has_not).status), (200, 404), "{name}");
    }
    let unknown = server.token_of("three", &server.token);
    assert_eq!((unknown.status, &unknown.json()["error_codes"][0]), (400, &90_002.into()));
}

#[test]
fn contents_come_whole_and_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let archive = Archive::create(Host::disk(&place), Options::default()).unwrap();
    let file = "https://contoso.sharepoint.com/a b/50%#1.txt";
    let attached = format!(
        r#"{},"attachments":[{{"id":"f","contentType":"reference","contentUrl":"{file}","name":"1.txt"}}]"#,
        in_chat()
    );
    let quoting =
        "<img src='https://graph.microsoft.com/v1.0/chats/x/messages/1/hostedContents/h/$value'>";
    let documents = [
        ("user:ada", message(&attached, FIRST, FIRST, quoting)),
        ("user:ada", message(&in_chat(), FIRST + 1, FIRST + 1, "plain")),
    ];
    offer(&archive, &documents);
    let text = archive.put_object(&mut &b"0123456789"[..]).unwrap();
    let image = archive.put_object(&mut &b"\x89PNG...."[..]).unwrap();
    let key = MessageKey {
        record: RecordKind::Message,
        conversation: CHAT.to_owned(),
        reply_to: None,
        id: FIRST.to_string(),
    };
    let mut batch = archive.batch(archive.begin_run("test").unwrap());
    batch.link(&key, "f", text);
    batch.link(&key, "hostedContents/h", image);
    drop(batch.commit().unwrap());
    archive.close().unwrap();
    let server = Server::start(&place, 0);
    let token = server.token();
    let messages = "/v1.0/chats/19:a@thread.v2/messages";
    let image = server.get(&token, &format!("{messages}/{FIRST}/hostedContents/h/$value"));
    assert_eq!((image.headers["content-type"].as_str(), image.body.len()), ("image/png", 8));
    let quoted = server.get(&token, &format!("{messages}/{}/hostedContents/h/$value", FIRST + 1));
    assert_eq!(quoted.body, image.body, "the address is in another message of the chat");
    let list = server.get(&token, &format!("{messages}/{FIRST}/hostedContents")).json();
    assert_eq!(list["value"][0]["id"], "h");
    for url in [file, "https://contoso.sharepoint.com/a b/50%25%231.txt"] {
        let share = format!("/v1.0/shares/u!{}/driveItem", share_of(url));
        let item = server.get(&token, &share).json();
        assert_eq!((&item["name"], &item["size"]), (&"1.txt".into(), &10.into()), "{url}");
        let whole = server.get(&token, &format!("{share}/content"));
        assert_eq!((whole.status, whole.body.as_slice()), (200, &b"0123456789"[..]));
        let bearer = format!("Bearer {token}");
        let part = |if_range: &str| {
            let headers =
                [("Authorization", bearer.as_str()), ("Range", "bytes=7-"), ("If-Range", if_range)];
            server.send("GET", &format!("{share}/content"), &headers, b"")
        };
        let same = part(&whole.headers["etag"]);
        assert_eq!((same.status, same.body.as_slice()), (206, &b"789"[..]));
        assert_eq!(same.headers["content-range"], "bytes 7-9/10");
        assert_eq!(part("\"another\"").status, 200);
    }
}

/// An address as a sharing id.
fn share_of(url: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in url.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=three.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}
