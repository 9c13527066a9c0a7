//! `/a/{org}/downloads`: every export below the downloads folder and in folders that were added; what
//! `chatvault export` wrote there, too.

mod form;
mod kept;
mod one;

use askama::Template;
use axum::response::Response;
use chatvault_engine::{Clock, Disk, SystemClock};
use chatvault_export::folder::{Listed, list as list_folder};

pub(crate) use form::{Planned, form, generate};
pub(crate) use one::{act, one, part};

use crate::call::{Call, go, page};
use crate::failure::{Failure, Result};
use crate::fields::step;
use crate::frame::Frame;
use crate::organisation::Organisation;
use crate::text::{When, count, size};
use crate::work::Kind;
use kept::{Folder, Kept, folders, is_folder};

#[derive(Template)]
#[template(path = "downloads.html")]
struct View {
    frame: Frame,
    link: String,
    rows: Vec<Row>,
    added: Vec<String>,
    place: String,
}

/// An export in the list.
struct Row {
    link: String,
    name: String,
    format: String,
    class: &'static str,
    state: &'static str,
    range: Option<(When, When)>,
    messages: String,
    parts: String,
    size: String,
    expires: Option<When>,
    /// To order by: the export's own time.
    at: String,
}

/// `GET /a/{org}/downloads`, the latest first.
pub(crate) fn list(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let kept = kept::sweep(&org, SystemClock.now().ms())?;
    let mut rows = Vec::new();
    for folder in folders(&org, &kept)? {
        for listed in list_folder(&Disk::new(&folder.path))? {
            rows.push(row(call, (&org, &kept), &folder, listed));
        }
    }
    rows.sort_by(|one, other| other.at.cmp(&one.at));
    let has_running = rows.iter().any(|row| row.state == RUNNING);
    let frame = call.frame("Downloads", &org, "downloads");
    page(&View {
        frame: Frame { refresh: has_running.then_some(3), ..frame },
        link: org.link(),
        rows,
        added: kept.folders,
        place: org.downloads.display().to_string(),
    })
}

const RUNNING: &str = "Running";

/// How far an export is.
fn state(
    call: &Call,
    org: &Organisation,
    folder: &Folder,
    listed: &Listed,
) -> (&'static str, &'static str) {
    let kind = Kind::Export(folder.key(&listed.name));
    let is_ours = call.site.works.last(org, &kind).is_some_and(|work| work.is_running());
    match &listed.index {
        Err(_) => ("bad", "Damaged"),
        // Its sums are written last.
        Ok(_) if is_ours || listed.is_running => ("idle", RUNNING),
        Ok(index) if index.finished && index.counts.unavailable > 0 => {
            ("warn", "Finished, files missing")
        }
        Ok(index) if index.finished => ("good", "Finished"),
        Ok(_) => ("warn", "Stopped"),
    }
}

fn row(call: &Call, (org, kept): (&Organisation, &Kept), folder: &Folder, listed: Listed) -> Row {
    let (class, state) = state(call, org, folder, &listed);
    let link = folder.link(org, &listed.name);
    let expires = kept.expires.get(&folder.id).map(|ms| When::of_ms(call.zone, *ms));
    let Listed { name, index, open_bytes, .. } = listed;
    let Ok(index) = index else {
        let (none, at) = (String::new(), String::new());
        let (messages, parts, size) = (none.clone(), none.clone(), none.clone());
        let format = none;
        return Row {
            link,
            name,
            format,
            class,
            state,
            range: None,
            messages,
            parts,
            size,
            expires,
            at,
        };
    };
    let selection = &index.head.selection;
    let format = selection.more.get("request").and_then(|request| request.get("format")?.as_str());
    let bytes: u64 = index.parts.iter().map(|part| part.bytes).sum();
    Row {
        link,
        name,
        format: format.unwrap_or_default().to_uppercase(),
        class,
        state,
        range: range(call, &selection.start, &selection.end),
        messages: count(index.counts.entries()),
        parts: count(index.parts.len() as u64),
        size: size(bytes + open_bytes),
        expires,
        at: index.head.asof.clone(),
    }
}

fn range(call: &Call, start: &str, end: &str) -> Option<(When, When)> {
    let time = |text| chatvault_query::parse_time("range", text).ok();
    let day = |time| When::day(call.zone, time);
    Some((day(time(start)?), day(time(end)?)))
}

/// `POST /a/{org}/downloads/folders`: adds a folder in which exports lie, or takes one away.
pub(crate) fn add_folder(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let named = call.form.get("folder").unwrap_or_default().to_owned();
    let is_whole = std::path::Path::new(&named).is_absolute();
    let is_known = call.form.has("remove") || (is_whole && is_folder(&named));
    if !is_known {
        return Err(Failure::wrong("Name a folder that is there, from its root on"));
    }
    kept::change(&org, |kept| {
        kept.folders.retain(|folder| *folder != named);
        if !call.form.has("remove") {
            kept.folders.push(named);
        }
    })?;
    go(format!("{}/downloads", org.link()))
}

impl Folder {
    /// What a work calls an export in it.
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.id)
    }

    /// The page of an export in it.
    fn link(&self, org: &Organisation, name: &str) -> String {
        format!("{}/downloads/{}/{}", org.link(), step(&self.id), step(name))
    }
}
