//! The server asked over real connections, by a client that knows just enough HTTP.

mod access;
mod badly;
mod downloads;
mod pages;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::tenant::{DAY_MS, Setup, Tenant};

/// An answer as it came over the wire.
struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    /// Whether the body came to the end its headers promised.
    whole: bool,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }

    fn read(raw: &[u8]) -> Option<Self> {
        let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(raw[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let rest = &raw[end + 4..];
        let (body, whole) = match headers.get("content-length") {
            Some(length) => (rest.to_vec(), length.parse() == Ok(rest.len())),
            None => dechunk(rest),
        };
        Some(Self { status, headers, body, whole })
    }
}

fn dechunk(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = raw.windows(2).position(|two| two == b"\r\n") else { return (body, false) };
        let length = usize::from_str_radix(std::str::from_utf8(&raw[..end]).unwrap(), 16).unwrap();
        raw = &raw[end + 2..];
        body.extend_from_slice(&raw[..length.min(raw.len())]);
        if length == 0 || raw.len() < length + 2 {
            return (body, length == 0);
        }
        raw = &raw[length + 2..];
    }
}

/// Sends one request and reads until the connection ends.
fn send(origin: &str, request: &str) -> Option<Reply> {
    let mut stream = TcpStream::connect(origin.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut raw = Vec::new();
    // A reset is an end as well.
    drop(stream.read_to_end(&mut raw));
    Reply::read(&raw)
}

/// A fake over a small tenant, 40 days after its life began, and a token for it.
struct Bench {
    fake: FakeGraph,
    tenant: Arc<Tenant>,
    token: String,
}

impl Bench {
    fn new(behaviour: Behaviour) -> Self {
        let setup = Setup { recording_bytes: 200_000, ..Setup::default() };
        let tenant = Arc::new(Tenant::new(&setup));
        let fake = FakeGraph::start(Source::Tenant(Arc::clone(&tenant)), behaviour).unwrap();
        fake.set_now(Some(setup.from + 32 * DAY_MS));
        let token = sign_in(&fake);
        Self { fake, tenant, token }
    }

    fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        let mut behaviour = self.fake.behaviour();
        change(&mut behaviour);
        self.fake.set(behaviour);
    }

    fn ask(&self, target: &str, headers: &str) -> Option<Reply> {
        let target = target.strip_prefix(&self.fake.origin()).unwrap_or(target);
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Prefer: include-unknown-enum-members\r\n{headers}\r\n",
            self.token
        );
        send(&self.fake.origin(), &request)
    }

    fn get(&self, target: &str) -> Reply {
        self.ask(target, "").unwrap()
    }

    /// Every item of a chain and the number of its pages.
    fn chain(&self, target: &str) -> (Vec<String>, usize) {
        let (mut items, mut pages) = (Vec::new(), 0);
        let mut next = Some(target.to_owned());
        while let Some(link) = next {
            let reply = self.get(&link);
            assert_eq!(reply.status, 200, "{link}: {}", String::from_utf8_lossy(&reply.body));
            let page = reply.json();
            items.extend(page["value"].as_array().unwrap().iter().map(Value::to_string));
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
            pages += 1;
        }
        (items, pages)
    }

    /// A member with a mailbox who has many rows.
    fn somebody(&self) -> String {
        let users = self.tenant.users(self.fake.now());
        let rows = |id: &str| self.rows(&crate::Collection::Chats(id.to_owned())).len();
        users.iter().max_by_key(|user| rows(&user.id)).unwrap().id.clone()
    }

    fn rows(&self, collection: &crate::Collection) -> Vec<String> {
        let origin = self.fake.origin();
        let form = crate::Form { origin: &origin, ..crate::Form::default() };
        let rows = self.tenant.rows(collection, crate::Window::default(), self.fake.now(), form);
        let value =
            |row: &crate::Item<'_>| serde_json::from_str::<Value>(&row.json).unwrap().to_string();
        rows.iter().map(value).collect()
    }
}

fn ask_token(fake: &FakeGraph, tenant: &str, form: &str) -> Reply {
    let request = format!(
        "POST /{tenant}/oauth2/v2.0/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    send(&fake.origin(), &request).unwrap()
}

fn form(fake: &FakeGraph, client: &str, secret: &str) -> String {
    let scope = query::encode(&format!("{}/.default", fake.origin()));
    let secret = query::encode(secret);
    format!("grant_type=client_credentials&client_id={client}&scope={scope}&client_secret={secret}")
}

fn sign_in(fake: &FakeGraph) -> String {
    let reply = ask_token(fake, &fake.tenant_id(), &form(fake, CLIENT_ID, SECRET));
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

fn sorted(mut items: Vec<String>) -> Vec<String> {
    items.sort_unstable();
    items
}
