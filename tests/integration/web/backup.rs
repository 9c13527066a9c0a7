//! From nothing to a backup: connect, test, save, read the directory, choose, back up, read.

use std::io::Write;
use std::sync::Arc;

use chatvault_engine::{Clock, SystemClock};
use chatvault_fake_graph::{
    Behaviour, CLIENT_ID, DAY_MS, FakeGraph, SECRET, Setup, Source, Tenant,
};
use tempfile::NamedTempFile;

use super::kit::Server;

#[test]
fn a_person_goes_from_an_empty_archive_to_a_backup() {
    let from = SystemClock.now().ms() - 3 * DAY_MS;
    let setup = Setup { seed: 3, from, days: 3, messages_per_day: 5, ..Setup::default() };
    let tenant = Source::Tenant(Arc::new(Tenant::new(&setup)));
    let fake = FakeGraph::start(tenant, Behaviour::default()).unwrap();
    let mut secret = NamedTempFile::new().unwrap();
    secret.write_all(SECRET.as_bytes()).unwrap();
    let server = Server::with(&[]);

    let accounts = server.page("/a/team/accounts");
    assert!(
        accounts.contains("class=\"next\" aria-current=\"step\"><strong>Connect"),
        "{accounts}"
    );
    let early = server.post("/a/team/accounts/backup", &[]);
    assert_eq!(early.status, 409, "nothing is saved yet");
    let (origin, tenant) = (fake.origin().clone(), fake.tenant_id().clone());
    let file = secret.path().to_str().unwrap();
    let form = |secret| {
        [
            ("tenant", tenant.as_str()),
            ("client_id", CLIENT_ID),
            ("cloud", "custom"),
            ("login_url", origin.as_str()),
            ("graph_url", origin.as_str()),
            ("secret", secret),
        ]
    };
    let missing = server.post("/a/team/connection", &form("/nowhere/secret"));
    assert!(missing.text().contains("role=\"alert\""), "{}", missing.text());
    let tested = server.post("/a/team/connection", &form(file));
    assert_eq!(tested.status, 200);
    assert!(tested.text().contains("The connection is good"), "{}", tested.text());
    assert!(!tested.text().contains(SECRET), "only the file is named");
    let saved = server.done("/a/team/connection", &[&form(file)[..], &[("save", "1")]].concat());
    assert_eq!(saved, "/a/team/accounts");

    // The first run lists who is there; nobody is active yet.
    let work = server.done("/a/team/accounts/backup", &[]);
    let listed = server.page_with(&work, "none is active");
    assert!(listed.contains("/a/team/accounts"), "{listed}");
    let asked = server.post("/a/team/accounts", &[("everyone", "1"), ("action", "activate")]);
    assert_eq!(asked.status, 200, "it asks first");
    let text = asked.text();
    assert!(text.contains("Activate ") && text.contains("name=\"confirmed\""), "{text}");
    let ids: Vec<&str> = text.split("name=\"id\" value=\"").skip(1).collect();
    let ids: Vec<&str> = ids.iter().map(|rest| rest.split('"').next().unwrap()).collect();
    let mut fields = vec![("action", "activate"), ("confirmed", "1")];
    fields.extend(ids.iter().take(2).map(|id| ("id", *id)));
    let done = server.done("/a/team/accounts", &fields);
    assert!(server.page(&done).contains("2 accounts now active"));

    let work = server.done("/a/team/accounts/backup", &[]);
    let page = server.page_with(&work, "Go on");
    let run = page.split("class=\"button\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let report = server.page(run);
    assert!(report.contains("<dt>New versions</dt>"), "{report}");
    let active = server.page("/a/team/accounts?only=active");
    assert!(
        active.contains("2 accounts") && !active.contains("<td data-label=\"Last success\">never")
    );
    assert!(server.page("/a/team/runs").contains(&format!("{run}\"")));
    let chats = server.page_with("/a/team/chats", "<tbody>");
    assert!(chats.contains("/a/team/chats/"), "{chats}");
}
