//! `/a/{org}/quarantine`: what could not be kept as a row, and why.

use askama::Template;
use axum::response::Response;

use crate::call::{Call, page};
use crate::failure::{Failure, Result};
use crate::files;
use crate::frame::Frame;
use crate::text::{count, size};

/// Entries of a page.
const ENTRIES: usize = 100;

#[derive(Template)]
#[template(path = "quarantine.html")]
struct View {
    frame: Frame,
    link: String,
    rows: Vec<Row>,
    later: Option<u64>,
    earlier: Option<u64>,
}

struct Row {
    number: u64,
    copies: String,
    who: String,
    source: String,
    offset: String,
    size: String,
    reason: String,
}

/// `GET /a/{org}/quarantine`, oldest first.
pub(crate) fn list(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let snapshot = org.snapshot()?;
    let known = org.known(&snapshot);
    let from = call.query.number("from").unwrap_or_default();
    let skip = usize::try_from(from).unwrap_or(usize::MAX);
    let mut rows = Vec::new();
    for (number, entry) in (from + 1..).zip(snapshot.quarantine()?.skip(skip).take(ENTRIES + 1)) {
        let entry = entry?;
        rows.push(Row {
            number,
            copies: count(entry.copies.values().sum()),
            who: known.name(entry.custodian.as_str()),
            source: entry.source,
            offset: count(entry.offset),
            size: size(entry.bytes.len() as u64),
            reason: entry.reason,
        });
    }
    let has_more = rows.len() > ENTRIES;
    rows.truncate(ENTRIES);
    page(&View {
        frame: call.frame("Quarantine", &org, "archive"),
        link: org.link(),
        rows,
        later: has_more.then_some(from + ENTRIES as u64),
        earlier: (from > 0).then(|| from.saturating_sub(ENTRIES as u64)),
    })
}

/// `GET /a/{org}/quarantine/{number}`: the bytes, to be saved.
pub(crate) fn one(call: &Call) -> Result<Response> {
    let missing = || Failure::missing("entry");
    let number: usize =
        call.step("number").parse().ok().filter(|at| *at > 0).ok_or_else(missing)?;
    let mut quarantine = call.organisation()?.snapshot()?.quarantine()?;
    let entry = quarantine.nth(number - 1).transpose()?.ok_or_else(missing)?;
    Ok(files::whole(&format!("quarantine-{number}.bin"), "application/octet-stream", entry.bytes))
}
