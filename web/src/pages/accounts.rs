//! `/a/{org}/accounts`: who is backed up, since when, what is missing and why; and the steps to begin.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;
use chatvault_engine::Custodian;
use chatvault_ingest::sync::{self, Account, Outcome, SyncOptions, SyncProgress, Which};

use crate::call::{Call, go, page};
use crate::failure::{Failure, Result};
use crate::frame::Frame;
use crate::pages::runs::outcome;
use crate::text::{When, count, plural, size};
use crate::work::{Ended, Kind, State, Work};

/// Accounts of a page.
const ROWS: usize = 200;
/// Accounts that a confirmation names.
const NAMED: usize = 20;

#[derive(Template)]
#[template(path = "accounts.html")]
struct View {
    frame: Frame,
    link: String,
    steps: [Step; 4],
    /// Some of them are to be taken yet.
    has_steps: bool,
    is_on: bool,
    words: String,
    only: String,
    choices: [(&'static str, &'static str); 9],
    found: String,
    query: String,
    rows: Vec<Row>,
    earlier: Option<String>,
    later: Option<String>,
    running: Option<String>,
    done: Option<String>,
}

/// A step of the first use.
struct Step {
    title: &'static str,
    hint: &'static str,
    is_done: bool,
    /// It is the next one to take.
    is_next: bool,
}

struct Row {
    id: String,
    name: String,
    address: String,
    kind: String,
    active: bool,
    success: Option<When>,
    tried: Option<When>,
    outcome: Option<(&'static str, &'static str)>,
    why: Option<(String, String)>,
    copies: String,
    missing: u64,
}

const CHOICES: [(&str, &str); 9] = [
    ("", "All"),
    ("active", "Active"),
    ("inactive", "Inactive"),
    ("people", "People"),
    ("teams", "Teams"),
    ("guests", "Guests"),
    ("disabled", "Disabled"),
    ("deleted", "Deleted"),
    ("failed", "Failed or missing files"),
];

/// `GET /a/{org}/accounts`.
pub(crate) fn list(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let archive = org.reader()?;
    let accounts = sync::accounts(&archive)?;
    let words = call.query.get("find").unwrap_or_default();
    let only = call.query.get("only").unwrap_or_default();
    let found = fitting(&accounts, words, only);
    let from = call.query.number("from").and_then(|from| usize::try_from(from).ok());
    let from = from.unwrap_or_default();
    let at = |from: usize| format!("?{}", call.query.with("from", Some(&from.to_string())));
    let running = call.site.works.last(&org, &Kind::Sync).filter(|work| work.is_running());
    let is_connected = sync::connection(&archive)?.is_some();
    let is_on = org.private_chats()?;
    let steps = steps(is_connected, &accounts);
    page(&View {
        frame: call.frame("Accounts", &org, "accounts"),
        link: org.link(),
        has_steps: steps.iter().any(|step| !step.is_done),
        steps,
        is_on,
        words: words.to_owned(),
        only: only.to_owned(),
        choices: CHOICES,
        found: plural(found.len() as u64, "account"),
        query: call.query.with("from", None),
        rows: found.iter().skip(from).take(ROWS).map(|one| row(call, one)).collect(),
        earlier: (from > 0).then(|| at(from.saturating_sub(ROWS))),
        later: (from + ROWS < found.len()).then(|| at(from + ROWS)),
        running: running.map(|work| work.link()),
        done: call.query.get("done").map(str::to_owned),
    })
}

fn steps(is_connected: bool, accounts: &[Account]) -> [Step; 4] {
    let (is_listed, is_chosen) = (!accounts.is_empty(), accounts.iter().any(|one| one.active));
    let is_backed_up = accounts.iter().any(|one| one.active && one.last.is_some());
    let mut steps = [
        ("Connect", "Name the app registration, test it, save it.", is_connected),
        ("Read the directory", "Back up now lists people and teams first.", is_listed),
        ("Choose", "Select accounts and activate them.", is_chosen),
        ("Back up", "Back up now; then daily, with chatvault sync.", is_backed_up),
    ]
    .map(|(title, hint, is_done)| Step { title, hint, is_done, is_next: false });
    if let Some(next) = steps.iter_mut().find(|step| !step.is_done) {
        next.is_next = true;
    }
    steps
}

/// The accounts that a filter means.
fn fitting<'a>(accounts: &'a [Account], words: &str, only: &str) -> Vec<&'a Account> {
    let lower = words.to_lowercase();
    let is_user = |one: &Account| one.custodian.as_str().starts_with("user:");
    let fits = |one: &&Account| {
        let names = [one.name.as_deref(), one.address.as_deref(), Some(one.custodian.as_str())];
        let has =
            |word: &str| names.iter().flatten().any(|name| name.to_lowercase().contains(word));
        let is_kind = match only {
            "active" => one.active,
            "inactive" => !one.active,
            "people" => is_user(one),
            "teams" => !is_user(one),
            "guests" => one.guest == Some(true),
            "disabled" => one.enabled == Some(false),
            "deleted" => one.deleted || one.gone,
            "failed" => one.missing > 0 || one.last.as_ref().is_some_and(is_bad),
            _ => true,
        };
        is_kind && lower.split_whitespace().all(has)
    };
    accounts.iter().filter(fits).collect()
}

fn is_bad(last: &sync::LastTurn) -> bool {
    last.outcome != Outcome::Complete
}

fn row(call: &Call, one: &Account) -> Row {
    let is_user = one.custodian.as_str().starts_with("user:");
    let mut kind = vec![if is_user { "person" } else { "team" }];
    let facts = [
        (one.guest == Some(true), "guest"),
        (one.enabled == Some(false), "disabled"),
        (one.licensed == Some(false) && one.guest != Some(true), "unlicensed"),
        (one.deleted, "deleted"),
        (one.gone, "gone"),
    ];
    kind.extend(facts.into_iter().filter(|(is, _)| *is).map(|(_, word)| word));
    let last = one.last.as_ref();
    let trouble = last.and_then(|last| last.troubles.first());
    Row {
        id: one.custodian.to_string(),
        name: one.name.clone().unwrap_or_else(|| one.custodian.to_string()),
        address: one.address.clone().unwrap_or_default(),
        kind: kind.join(", "),
        active: one.active,
        success: one.up_to_ms.map(|ms| When::of_ms(call.zone, ms)),
        tried: last.map(|last| When::of_ms(call.zone, last.ended_ms)),
        outcome: last.map(|last| outcome(Some(last.outcome))),
        why: trouble.map(|one| (format!("{}: {}", one.what, one.reason), one.advice.clone())),
        copies: last.map(|last| count(last.tally.copies)).unwrap_or_default(),
        missing: one.missing,
    }
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    frame: Frame,
    link: String,
    is_activation: bool,
    number: String,
    named: Vec<String>,
    more: usize,
    ids: Vec<String>,
    left_out: u64,
}

/// `POST /a/{org}/accounts`: activates or deactivates the ticked accounts, or all that a filter means;
/// asks first.
pub(crate) fn change(call: &Call) -> Result<Response> {
    let (org, form) = (call.organisation()?, &call.form);
    let is_activation = match form.get("action") {
        Some("activate") => true,
        Some("deactivate") => false,
        _ => return Err(Failure::wrong("Say whether to activate or to deactivate")),
    };
    let accounts = sync::accounts(&*org.reader()?)?;
    let chosen: Vec<&Account> = if form.has("everyone") {
        let (words, only) = (form.get("find"), form.get("only"));
        fitting(&accounts, words.unwrap_or_default(), only.unwrap_or_default())
    } else {
        let ids: Vec<&str> = form.all("id").collect();
        accounts.iter().filter(|one| ids.contains(&one.custodian.as_str())).collect()
    };
    let is_left =
        |one: &Account| form.has("everyone") && is_activation && !sync::Rule::ALL.fits(one);
    let left_out = chosen.iter().filter(|one| is_left(one)).count() as u64;
    let is_due = |one: &&&Account| one.active != is_activation && !is_left(one);
    let due: Vec<&Account> = chosen.iter().filter(is_due).copied().collect();
    if due.is_empty() {
        return Err(Failure::wrong("No account was chosen whose state would change"));
    }
    let ids: Vec<Custodian> = due.iter().map(|one| one.custodian.clone()).collect();
    if form.has("confirmed") {
        let which = Which::These(ids);
        let changed =
            org.write(|archive| Ok(sync::activate(archive, &which, is_activation)?))?.len();
        let word = if is_activation { "active" } else { "inactive" };
        let done = format!("{} now {word}", plural(changed as u64, "account"));
        let said = call.query.with("done", Some(&done));
        return go(format!("{}/accounts?{said}", org.link()));
    }
    let label = |one: &&Account| one.name.clone().unwrap_or_else(|| one.custodian.to_string());
    page(&Confirm {
        frame: call.frame("Sure?", &org, "accounts"),
        link: org.link(),
        is_activation,
        number: plural(due.len() as u64, "account"),
        named: due.iter().take(NAMED).map(label).collect(),
        more: due.len().saturating_sub(NAMED),
        ids: ids.iter().map(ToString::to_string).collect(),
        left_out,
    })
}

/// `POST /a/{org}/accounts/backup`: a run of `sync`, with the connection that is saved.
pub(crate) fn backup(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let connection = sync::connection(&*org.reader()?)?.ok_or_else(|| {
        Failure::first(
            "No connection is saved",
            "Connect this organisation first: Accounts, Connection.",
        )
    })?;
    let service = connection.service(None)?;
    let own = Arc::clone(&org);
    let job = move |work: &Work| {
        let options = SyncOptions::new(own.folder.join("incoming"));
        let mut on = |progress: &SyncProgress| {
            work.tell(said(progress), progress.share());
            work.flow()
        };
        let report = own.write(|archive| Ok(sync::sync(archive, &service, &options, &mut on)?))?;
        let state = match report.outcome() {
            Outcome::Complete => State::Done,
            Outcome::Stopped => State::Stopped,
            Outcome::Failed => State::Failed,
            _ => State::Warned,
        };
        let total = &report.total;
        let mut lines = vec![format!(
            "{}, {} new, {} of files and pictures",
            plural(total.copies, "copy").replace("copys", "copies"),
            count(total.stored),
            size(total.object_bytes)
        )];
        if report.accounts.is_empty() && report.inactive > 0 {
            let inactive = plural(report.inactive, "account");
            lines.push(format!("The directory has {inactive}: none is active. Choose some now."));
        }
        lines.extend(report.troubles.iter().map(|one| format!("{}: {}", one.what, one.reason)));
        lines.extend(report.notes.iter().cloned());
        let next = if report.accounts.is_empty() {
            format!("{}/accounts", own.link())
        } else {
            format!("{}/runs/{}", own.link(), report.run)
        };
        Ok(Ended { state, lines, next: Some(next) })
    };
    go(call.site.works.start(&org, (Kind::Sync, "Back up".to_owned()), job)?.link())
}

/// What goes on, in words.
fn said(progress: &SyncProgress) -> String {
    if progress.total_accounts == 0 {
        return "Signing in and reading the directory".to_owned();
    }
    let (done, of) = (count(progress.accounts), plural(progress.total_accounts, "account"));
    let mut parts = vec![format!("{done} of {of}"), format!("{} copies", count(progress.copies))];
    if progress.objects > 0 {
        let bytes = size(progress.object_bytes);
        parts.push(format!("{} ({bytes})", plural(progress.objects, "file")));
    }
    if progress.missing > 0 {
        parts.push(format!("{} missing", count(progress.missing)));
    }
    if progress.throttled {
        parts.push("waiting: the service asked for a pause".to_owned());
    }
    parts.join(", ")
}

#[derive(Template)]
#[template(path = "missing.html")]
struct MissingView {
    frame: Frame,
    link: String,
    rows: Vec<MissingRow>,
    more: usize,
}

struct MissingRow {
    who: String,
    what: String,
    message: String,
    reason: String,
    tries: String,
    last: When,
    state: &'static str,
}

/// `GET /a/{org}/accounts/missing`, with `?who=` of one account.
pub(crate) fn missing(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let (archive, snapshot) = (org.reader()?, org.snapshot()?);
    let known = org.known(&snapshot);
    let who = call.query.get("who").map(Custodian::parse);
    let all = sync::missing(&archive, who.as_ref())?;
    let more = all.len().saturating_sub(ROWS);
    let row = |one: sync::Missing| MissingRow {
        who: known.name(one.custodian.as_str()),
        what: one.title.unwrap_or(one.content),
        message: format!(
            "{}{}{}",
            crate::pages::chat::messages(&org, chatvault_query::Record::Message, &one.conversation),
            crate::fields::step(&one.message),
            one.reply_to
                .map(|root| format!("?in={}", crate::fields::step(&root)))
                .unwrap_or_default()
        ),
        reason: one.reason,
        tries: count(u64::from(one.tries)),
        last: When::of_ms(call.zone, one.last_ms),
        state: if one.given_up { "given up" } else { "tried again" },
    };
    page(&MissingView {
        frame: call.frame("Missing files", &org, "accounts"),
        link: org.link(),
        rows: all.into_iter().take(ROWS).map(row).collect(),
        more,
    })
}
