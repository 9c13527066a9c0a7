//! The second way in: the same tenant fetched by a plain client page by page into
//! files, and imported. It shares no code with `sync`; both ways must end in the same archive.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::path::Path;

use chatvault_engine::{Archive, Custodian};
use chatvault_fake_graph::{Behaviour, CLIENT_ID, Paging, SECRET, Setup};
use chatvault_ingest::graph::Feed;
use chatvault_ingest::{ImportOptions, Source, import};
use serde_json::Value;

use super::kit::{World, empty_archive, holdings};
use crate::kit::files;

/// A client that knows HTTP, a token and `@odata.nextLink`.
struct Plain {
    host: String,
    token: String,
}

impl Plain {
    fn sign_in(world: &World) -> Self {
        let host = world.fake.origin().strip_prefix("http://").unwrap().to_owned();
        let scope = format!("{}/.default", world.fake.origin());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT_ID),
            ("client_secret", SECRET),
            ("scope", &scope),
        ];
        let form = form.map(|(name, value)| format!("{name}={}", escaped(value))).join("&");
        let request = format!(
            "POST /{}/oauth2/v2.0/token HTTP/1.0\r\nhost: {host}\r\ncontent-type: \
             application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            world.fake.tenant_id(),
            form.len()
        );
        let answer: Value = serde_json::from_slice(&ask(&host, &request)).unwrap();
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Self { host, token }
    }

    /// Every page from this address on, as the service wrote it.
    fn pages(&self, address: &str) -> Vec<Vec<u8>> {
        let mut pages = Vec::new();
        let mut next = Some(format!("http://{}{address}", self.host));
        while let Some(link) = next {
            let path = link.strip_prefix(&format!("http://{}", self.host)).unwrap();
            let request = format!(
                "GET {path} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {}\r\nprefer: \
                 include-unknown-enum-members\r\n\r\n",
                self.host, self.token
            );
            let page = ask(&self.host, &request);
            let value: Value = serde_json::from_slice(&page).unwrap();
            if value["error"]["code"] == "ResourceNotFound" {
                // Who has no mailbox has no export.
                break;
            }
            next = value["@odata.nextLink"].as_str().map(str::to_owned);
            pages.push(page);
        }
        pages
    }

    fn ids(&self, address: &str) -> Vec<String> {
        let pages = self.pages(address).into_iter();
        let items = pages.flat_map(|page| {
            let page: Value = serde_json::from_slice(&page).unwrap();
            page["value"].as_array().unwrap().clone()
        });
        items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn escaped(value: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    value.bytes().map(escape).collect()
}

fn ask(host: &str, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _bytes = stream.read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    answer.split_off(head + 4)
}

/// Writes an export's pages and takes them into the archive.
fn bring_in(archive: &Archive, custodian: Custodian, pages: &[Vec<u8>], folder: &Path) {
    if pages.is_empty() {
        return;
    }
    for (number, page) in pages.iter().enumerate() {
        files::write(&folder.join(format!("{number}.json")), page);
    }
    let source = Source::Files { custodian, paths: vec![folder.to_owned()] };
    let options = ImportOptions::default();
    let summary =
        import(archive, vec![source], &options, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((summary.failures, summary.missing, summary.warnings), (vec![], vec![], vec![]));
}

#[test]
fn a_tenant_that_is_synced_and_one_that_is_fetched_and_imported_are_the_same_archive() {
    let behaviour = Behaviour { paging: Paging::untidy(), ..Behaviour::default() };
    let world = World::new(Setup::default(), behaviour);
    world.set_day(20);
    let synced = world.archive_of_all();
    let feeds = vec![Feed::Chats, Feed::Channels];
    let mut options = world.options();
    options.feeds = feeds;
    drop(world.sync(&synced, &options));

    let imported = empty_archive();
    let place = tempfile::tempdir().unwrap();
    let client = Plain::sign_in(&world);
    let export = |custodian: Custodian, address: &str| {
        let folder = place.path().join(custodian.as_str().replace(':', "-"));
        bring_in(&imported, custodian, &client.pages(address), &folder);
    };
    for directory in ["/v1.0/users", "/v1.0/directory/deletedItems/microsoft.graph.user"] {
        for id in client.ids(directory) {
            export(Custodian::user(&id), &format!("/v1.0/users/{id}/chats/getAllMessages"));
        }
    }
    let teams = "/v1.0/groups?$filter=resourceProvisioningOptions/Any(x:x%20eq%20'Team')";
    for (list, base) in [(teams, "teams"), ("/v1.0/teamwork/deletedTeams", "teamwork/deletedTeams")]
    {
        for id in client.ids(list) {
            export(Custodian::team(&id), &format!("/v1.0/{base}/{id}/channels/getAllMessages"));
        }
    }
    let (synced, imported) = (holdings(&synced), holdings(&imported));
    assert!(synced.len() > 300, "{}", synced.len());
    assert!(synced == imported, "{} rows by sync, {} by import", synced.len(), imported.len());
}
