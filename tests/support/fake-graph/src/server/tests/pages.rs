//! Chains of pages: everything once, links as the service writes them, deltas, page folders.

use std::collections::BTreeSet;

use crate::{Collection, Folders};

use super::*;

#[test]
fn a_chain_gives_every_row_once() {
    let bench = Bench::new(Behaviour::default());
    let id = bench.somebody();
    let rows = bench.rows(&Collection::Chats(id.clone()));
    assert!(rows.len() > 20, "{}", rows.len());
    let (items, pages) = bench.chain(&format!("/v1.0/users/{id}/chats/getAllMessages"));
    assert_eq!(items, rows);
    assert_eq!(pages, rows.len().div_ceil(10));
    let retained = bench.rows(&Collection::RetainedChats(id.clone()));
    let target =
        format!("/v1.0/users('{id}')/chats/microsoft.graph.getAllRetainedMessages()?$top=7");
    assert_eq!(bench.chain(&target).0, retained);
    let team = bench.tenant.teams(bench.fake.now())[0].id.clone();
    let channels = bench.rows(&Collection::Channels(team.clone()));
    assert_eq!(
        bench.chain(&format!("/v1.0/teams/{team}/channels/allMessages?$top=999")).0,
        channels
    );
    assert_eq!(bench.fake.seen().altered_links, 0);
}

#[test]
fn untidy_pages_and_accidents_lose_nothing() {
    let bench = Bench::new(Behaviour { paging: Paging::untidy(), ..Behaviour::default() });
    let id = bench.somebody();
    let rows: BTreeSet<String> = bench.rows(&Collection::Chats(id.clone())).into_iter().collect();
    let (items, _) = bench.chain(&format!("/v1.0/users/{id}/chats/getAllMessages"));
    assert!(items.len() > rows.len());
    assert_eq!(items.into_iter().collect::<BTreeSet<_>>(), rows);
}

#[test]
fn links_are_rewritten_and_only_good_as_they_are() {
    let bench = Bench::new(Behaviour::default());
    let id = bench.somebody();
    let first = bench.ask(
        &format!("/v1.0/users/{id}/chats/getAllMessages?$top=2"),
        "Accept: application/json;IEEE754Compatible=true\r\n",
    );
    let page = first.unwrap().json();
    assert_eq!(page["@odata.count"], "2");
    let next = page["@odata.nextLink"].as_str().unwrap();
    let start = format!(
        "{}/v1.0/users('{id}')/chats/getallMessages?$top=2&$skiptoken=",
        bench.fake.origin()
    );
    assert!(next.starts_with(&start), "{next}");
    assert_eq!(
        bench.get(&next.replace("getallMessages", "getAllMessages")).message(),
        "Invalid continuation token"
    );
    assert_eq!(bench.fake.seen().altered_links, 1);
    assert_eq!(bench.get(next).status, 200);
    bench.set(|behaviour| behaviour.continuation_ms = Some(DAY_MS));
    bench.fake.set_now(Some(bench.fake.now() + 2 * DAY_MS));
    assert_eq!(bench.get(next).status, 400);
    assert_eq!(bench.fake.seen().altered_links, 1);
}

#[test]
fn a_window_needs_both_bounds() {
    let bench = Bench::new(Behaviour::default());
    let chats = format!("/v1.0/users/{}/chats/getAllMessages?$filter=", bench.somebody());
    let lower = format!("{chats}lastModifiedDateTime+gt+2025-09-05T00:00:00Z");
    let reply = bench.get(&lower);
    assert_eq!((reply.status, reply.message().as_str()), (400, "Invalid $filter query."));
    assert_eq!(bench.fake.seen().one_sided_windows, 1);
    let (both, _) =
        bench.chain(&format!("{lower}+and+lastModifiedDateTime+lt+2025-09-10T00:00:00Z"));
    let inside = |item: &String| {
        let item: Value = serde_json::from_str(item).unwrap();
        let modified = item["lastModifiedDateTime"].as_str().unwrap().to_owned();
        modified.as_str() > "2025-09-05T00:00:00Z" && modified.as_str() < "2025-09-10T00:00:00Z"
    };
    assert!(!both.is_empty() && both.iter().all(inside));
    let quoted = format!("{chats}lastModifiedDateTime%20gt%20'2025-09-05T00:00:00Z'");
    assert_eq!(bench.get(&quoted).message(), "Invalid filter clause");
}

#[test]
fn a_delta_gives_changes_until_its_token_is_forgotten() {
    let bench = Bench::new(Behaviour::default());
    let end = bench.fake.now();
    bench.fake.set_now(Some(end - 20 * DAY_MS));
    let id = bench.somebody();
    let delta = format!("/v1.0/users/{id}/chats/getAllMessages/delta");
    let too_much = bench.get(&format!("{delta}?$top=51"));
    assert_eq!(too_much.message(), "Limit of '50' for Top Query has been exceeded.");
    let round = |start: String| {
        let (mut items, mut link) = (Vec::new(), start);
        loop {
            let page = bench.get(&link).json();
            let value = page["value"].as_array().unwrap();
            assert!(value.len() <= 50);
            items.extend(value.iter().map(Value::to_string));
            match page["@odata.nextLink"].as_str() {
                Some(next) => link = next.to_owned(),
                None => return (items, page["@odata.deltaLink"].as_str().unwrap().to_owned()),
            }
        }
    };
    let (first, link) = round(format!("{delta}?$top=20"));
    assert_eq!(sorted(first.clone()), sorted(bench.rows(&Collection::ChatsDelta(id.clone()))));
    let (nothing, link) = round(link);
    assert!(nothing.is_empty());
    bench.fake.set_now(Some(end - 15 * DAY_MS));
    let (changed, link) = round(link);
    let now = bench.rows(&Collection::ChatsDelta(id));
    let expected: Vec<String> = now.into_iter().filter(|row| !first.contains(row)).collect();
    assert!(!expected.is_empty());
    assert_eq!(sorted(changed), sorted(expected));
    bench.fake.set_now(Some(end));
    let gone = bench.get(&link);
    assert_eq!(
        (gone.status, gone.json()["error"]["code"].as_str()),
        (410, Some("syncStateNotFound"))
    );
    assert!(gone.headers["location"].ends_with("/chats/getAllMessages/delta?$deltatoken="));
}

#[test]
fn the_directory_lists_users_and_teams_in_pages() {
    let bench = Bench::new(Behaviour::default());
    let now = bench.fake.now();
    let (users, pages) = bench.chain("/v1.0/users?$top=5&$select=id,displayName");
    assert_eq!(users.len(), bench.tenant.users(now).len());
    assert_eq!(pages, users.len().div_ceil(5));
    let teams =
        "/v1.0/groups?$filter=resourceProvisioningOptions/Any(x:x%20eq%20'Team')&$select=id";
    assert_eq!(bench.chain(teams).0.len(), bench.tenant.teams(now).len());
    assert_eq!(bench.get("/v1.0/groups").status, 400);
    let gone = bench.chain("/v1.0/directory/deletedItems/microsoft.graph.user").0;
    assert_eq!(gone.len(), bench.tenant.deleted_users(now).len());
    assert_eq!(bench.get("/v1.0/users/nobody/chats/getAllMessages").status, 404);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the fake reads page folders from disk")]
fn page_folders_give_every_item_once_over_two_windows() {
    let folder = tempfile::tempdir().unwrap();
    let user = folder.path().join("0a1b2c3d-0000-4000-8000-000000000001");
    std::fs::create_dir(&user).unwrap();
    for page in 0..4 {
        let item = |n: i64| {
            let time = chatvault_support::stamp((page * 25 + n) * 977_000);
            format!("{{\"id\":\"{page}-{n}\",\"lastModifiedDateTime\":\"{time}\"}}")
        };
        let items: Vec<String> = (0..25).map(item).collect();
        let text = format!("{{\"@odata.count\":25,\"value\":[{}]}}", items.join(","));
        std::fs::write(user.join(format!("page-{page}.json")), text).unwrap();
    }
    let paging = Paging { scattered: true, ..Paging::default() };
    let behaviour = Behaviour { paging, ..Behaviour::default() };
    let folders = Folders::load(folder.path()).unwrap();
    assert_eq!((folders.len(), folders.items()), (1, 100));
    let fake = FakeGraph::start(Source::Folders(folders), behaviour).unwrap();
    let token = sign_in(&fake);
    let bench = Bench { fake, token, tenant: Arc::new(Tenant::new(&Setup::default())) };
    let id = bench.get("/v1.0/users").json()["value"][0]["id"].as_str().unwrap().to_owned();
    let window = |from: &str, to: &str| {
        bench.chain(&format!(
            "/v1.0/users/{id}/chats/getAllMessages?$top=7&$filter=lastModifiedDateTime+gt+{from}+and+\
             lastModifiedDateTime+lt+{to}"
        ))
    };
    // Bounds are exclusive: the middle is a moment at which nothing was written.
    let (mut items, pages) = window("1969-12-31T00:00:00Z", "1970-01-01T12:00:00Z");
    assert_eq!(pages, items.len().div_ceil(7));
    assert!(items.len() > 10 && items.len() < 90);
    items.extend(window("1970-01-01T12:00:00Z", "1970-02-01T00:00:00Z").0);
    assert_eq!(items.len(), 100);
    assert_eq!(items.iter().collect::<BTreeSet<_>>().len(), 100);
}
