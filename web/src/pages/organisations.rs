//! `/`: the organisations of a folder, and a place to make one.

use askama::Template;
use axum::response::Response;
use chatvault_ingest::sync;

use crate::call::{Call, go, page};
use crate::failure::Result;
use crate::frame::Frame;
use crate::organisation::Organisation;
use crate::pages::archive::disk_bytes;
use crate::text::{When, count, size};

#[derive(Template)]
#[template(path = "organisations.html")]
struct View {
    frame: Frame,
    rows: Vec<Row>,
}

#[derive(Default)]
struct Row {
    name: String,
    link: String,
    class: &'static str,
    status: &'static str,
    problem: Option<String>,
    last: Option<When>,
    accounts: String,
    rows: String,
    size: String,
    is_on: bool,
}

/// `GET /`; of a single archive its chats.
pub(crate) fn list(call: &Call) -> Result<Response> {
    let all = call.site.organisations()?;
    if !call.site.is_folder() {
        return go(all.first().map_or_else(String::new, |one| format!("{}/chats", one.link())));
    }
    let row = |org: &Organisation| {
        fill(call, org).unwrap_or_else(|failure| Row {
            class: "bad",
            status: "Cannot be read",
            problem: Some(failure.line),
            ..named(org)
        })
    };
    let rows = all.iter().map(|org| row(org)).collect();
    page(&View { frame: Frame::new(call, "Organisations", None, ""), rows })
}

fn named(org: &Organisation) -> Row {
    Row { name: org.name.clone(), link: org.link(), ..Row::default() }
}

fn fill(call: &Call, org: &Organisation) -> Result<Row> {
    let archive = org.reader()?;
    let (rows, _) = archive.snapshot()?.content();
    let accounts = sync::accounts(&archive)?;
    let active = accounts.iter().filter(|account| account.active);
    let health = archive.health();
    let is_connected = sync::connection(&archive)?.is_some();
    let last = active.clone().filter_map(|account| account.up_to_ms).max();
    let number = active.count() as u64;
    let (class, status) = match () {
        () if !health.troubles.is_empty() => ("bad", "Background work fails"),
        () if !is_connected && rows == 0 => ("idle", "Not connected"),
        () if number == 0 && rows == 0 => ("idle", "No account is active"),
        () => ("good", "Ready"),
    };
    Ok(Row {
        class,
        status,
        problem: health.troubles.first().map(|trouble| trouble.message.clone()),
        last: last.map(|ms| When::of_ms(call.zone, ms)),
        accounts: format!("{} of {}", count(number), count(accounts.len() as u64)),
        rows: count(rows),
        size: size(disk_bytes(&org.folder)),
        is_on: org.private_chats()?,
        ..named(org)
    })
}

/// `POST /`.
pub(crate) fn create(call: &Call) -> Result<Response> {
    let name = call.form.get("name").unwrap_or_default();
    call.site.create(name)?;
    go(format!("{}/connection", call.site.organisation(name)?.link()))
}

/// `POST /a/{org}/private-chats`.
pub(crate) fn switch(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    org.write(|archive| Ok(sync::set_private_chats(archive, call.form.has("on"))?))?;
    go(if call.site.is_folder() { "/".to_owned() } else { format!("{}/accounts", org.link()) })
}
