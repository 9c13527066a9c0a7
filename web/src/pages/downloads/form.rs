//! `/a/{org}/downloads/new`: what to download, the plan of it, and the button that makes it.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;
use chatvault_engine::{Archive, Clock, Custodian, Snapshot, SystemClock, Timestamp};
use chatvault_export::entry::{SystemEvents, Zone};
use chatvault_export::request::Collected;
use chatvault_export::{Export, Format, Plan, Request};
use chatvault_ingest::sync::{self, Account};
use chatvault_query::resolve::{Candidate, resolve};
use chatvault_query::{Record, format_time};

use super::kept::{self, new_folder};
use super::one::start;
use crate::call::{Call, go, page};
use crate::failure::{Failure, Result};
use crate::fields::Fields;
use crate::frame::Frame;
use crate::known::Known;
use crate::organisation::Organisation;
use crate::pages::chat::moment;
use crate::slow::Answer;
use crate::text::{When, count, plural, size};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// The days that are filled in, today among them.
const USUAL_DAYS: i64 = 90;
const MB: u64 = 1_000_000;
/// Names that a browser offers.
const OFFERED: usize = 500;
/// Rows that a plan counts at most; of more it is an estimate.
const PLAN_ROWS: u64 = 200_000;

#[derive(Template)]
#[template(path = "download_new.html")]
struct View {
    frame: Frame,
    link: String,
    formats: [(&'static str, &'static str); 9],
    records: [(&'static str, &'static str); 4],
    set: Set,
    people: Vec<String>,
    /// The fields of a plan that can be made.
    carried: Vec<(String, String)>,
    plan: Option<Planned>,
    is_planning: bool,
    problem: Option<Failure>,
}

/// What the form is set to.
#[expect(clippy::struct_excessive_bools, reason = "each is a box of the form")]
struct Set {
    format: String,
    who: String,
    chat: String,
    from: String,
    to: String,
    all: bool,
    text_only: bool,
    versions: bool,
    placeholder: bool,
    zone: String,
    part_mb: u64,
    days: String,
    records: Vec<String>,
}

/// What an export would be.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    name: String,
    range: (When, When),
    facts: Vec<(&'static str, String)>,
    /// What an estimate is made of.
    estimate: Option<String>,
    left_out: Vec<String>,
    is_empty: bool,
}

const FORMATS: [(&str, &str); 9] = [
    ("html", "HTML: pages to read"),
    ("pdf", "PDF: a transcript for each chat"),
    ("eml", "EML: a mail for each message"),
    ("mbox", "mbox: a mailbox for each chat"),
    ("csv", "CSV: a table for spreadsheets"),
    ("jsonl", "JSON lines: the stored messages"),
    ("rsmf", "RSMF: for review platforms"),
    ("dat", "Load file: Concordance"),
    ("parquet", "Parquet: for data tools"),
];
const RECORDS: [(&str, &str); 4] = [
    ("message", "Messages"),
    ("copilot", "Copilot interactions"),
    ("recording", "Recordings"),
    ("transcript", "Transcripts"),
];

/// `GET /a/{org}/downloads/new`; with `?plan=1` the plan of what the other fields say.
pub(crate) fn form(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let snapshot = org.snapshot()?;
    let known = org.known(&snapshot);
    let archive = org.reader()?;
    let accounts = sync::accounts(&archive)?;
    let now = SystemClock.now();
    let is_asked = call.query.has("plan");
    let (plan, problem) = match asked_plan(call, (&org, &known), &accounts, now) {
        Ok(Some(made)) => match &*made.read {
            Ok(plan) => (Some(plan.clone()), None),
            Err(failure) => (None, Some(failure.clone())),
        },
        Ok(None) => (None, None),
        Err(failure) => (None, Some(failure)),
    };
    let is_planning = is_asked && plan.is_none() && problem.is_none();
    let mut people: Vec<String> =
        accounts.iter().filter_map(|one| one.address.clone().or(one.name.clone())).collect();
    if people.is_empty() {
        people.clone_from(&known.custodians);
    }
    people.truncate(OFFERED);
    let frame = call.frame("New download", &org, "downloads");
    page(&View {
        frame: Frame { refresh: is_planning.then_some(1), ..frame },
        is_planning,
        link: org.link(),
        formats: FORMATS,
        records: RECORDS,
        set: Set::of(&call.query, call, now),
        people,
        carried: call
            .query
            .pairs()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        plan,
        problem,
    })
}

/// The plan that an address asks for, once it is made: it counts what it is of, maybe the whole archive.
fn asked_plan(
    call: &Call,
    (org, known): (&Organisation, &Known),
    accounts: &[Account],
    now: Timestamp,
) -> Result<Option<Answer<Planned>>> {
    if !call.query.has("plan") {
        return Ok(None);
    }
    let (archive, snapshot) = (org.reader()?, org.snapshot()?);
    let request = request(&call.query, (call, known), (&archive, &snapshot), accounts)?;
    let (zone, at) = (call.zone, snapshot.sequence().0);
    let asked = format!("{zone} {}", call.query.with("", None));
    let plan = move || planned(zone, &Export::new(&snapshot, request, now)?);
    Ok(org.plans.of(&asked, at, plan))
}

impl Set {
    fn of(fields: &Fields, call: &Call, now: Timestamp) -> Self {
        let zone = call.zone;
        let text = |name: &str| fields.get(name).unwrap_or_default().to_owned();
        let day = |at: Timestamp| {
            let local = zone.local(at).map(|local| local.format("%Y-%m-%d").to_string());
            local.unwrap_or_default()
        };
        // A form that was sent says which ends it has.
        let end = |name: &str, at: i64| match fields.get(name) {
            Some(text) => text.to_owned(),
            None if fields.has("plan") => String::new(),
            None => day(Timestamp::from_ms(at)),
        };
        let records: Vec<String> = fields.all("record").map(str::to_owned).collect();
        Self {
            format: fields.get("format").unwrap_or("html").to_owned(),
            who: fields.all("who").collect::<Vec<_>>().join(", "),
            chat: fields.all("chat").collect::<Vec<_>>().join(", "),
            from: end("from", now.ms() - (USUAL_DAYS - 1) * DAY_MS),
            to: end("to", now.ms()),
            all: fields.has("all"),
            text_only: fields.get("content") == Some("text"),
            versions: fields.has("versions"),
            placeholder: match fields.get("events") {
                Some(choice) => choice == "placeholder",
                None if fields.has("plan") => false,
                None => call.site.system_events() == SystemEvents::Placeholder,
            },
            zone: fields.get("zone").map_or_else(|| zone.to_string(), str::to_owned),
            part_mb: fields.number("part").unwrap_or(1_000),
            days: text("days"),
            records: if records.is_empty() {
                RECORDS.iter().map(|(name, _)| (*name).to_owned()).collect()
            } else {
                records
            },
        }
    }

    fn has_record(&self, name: &str) -> bool {
        self.records.iter().any(|own| own == name)
    }
}

/// What is asked for, and how far the asked accounts were collected.
fn request(
    fields: &Fields,
    (call, known): (&Call, &Known),
    (archive, snapshot): (&Archive, &Snapshot),
    accounts: &[Account],
) -> Result<Request> {
    let set = Set::of(fields, call, SystemClock.now());
    let zone: Zone = set.zone.parse().map_err(|_wrong| {
        Failure::wrong(
            "The time zone is UTC, an offset such as +02:00, or a name such as Europe/Berlin",
        )
    })?;
    let time = |field, text: &str, days: i64| -> Result<Option<String>> {
        if text.is_empty() || set.all {
            return Ok(None);
        }
        let at = moment(field, text, zone)?;
        Ok(Some(format_time(Timestamp::from_ms(at.ms() + days * DAY_MS))))
    };
    let names = |field: &str| -> Vec<String> {
        let all = fields.all(field).flat_map(|text| text.split([',', ';', '\n']));
        all.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
    };
    let asked = names("who");
    let custodians: Vec<String> = if asked.is_empty() {
        Vec::new()
    } else {
        let people = people(snapshot, known, accounts)?;
        let meant = |text: &String| Ok(resolve("person", text, &people)?.id.clone());
        asked.iter().map(meant).collect::<Result<_>>()?
    };
    let chats = names("chat").into_iter().map(|text| known.chat_meant(&text));
    let asked: Vec<Custodian> = custodians.iter().map(|id| Custodian::parse(id)).collect();
    let is_asked = |one: &&Account| asked.is_empty() || asked.contains(&one.custodian);
    let collected = accounts.iter().filter(is_asked).map(|account| Collected {
        name: account.name.clone(),
        address: account.address.clone(),
        ..Collected::until(&account.custodian, account.up_to_ms.map(Timestamp::from_ms))
    });
    let records = set.records.iter().map(|name| Ok(name.parse::<Record>()?));
    Ok(Request {
        format: set.format.parse::<Format>()?,
        records: records.collect::<Result<Vec<_>>>()?,
        chats: chats.collect::<Result<_>>()?,
        custodians,
        from: time("from", &set.from, 0)?,
        to: time("to", &set.to, 1)?,
        all_time: set.all || (set.from.is_empty() && set.to.is_empty()),
        all_versions: set.versions,
        system_events: if set.placeholder { SystemEvents::Placeholder } else { SystemEvents::Text },
        text_only: set.text_only,
        zone: set.zone.clone(),
        part_bytes: set.part_mb.saturating_mul(MB),
        collected: collected.collect(),
        known_gaps: sync::known_gaps(archive)?,
        ..Request::default()
    })
}

/// Whose exports there are, by what people call them.
fn people(snapshot: &Snapshot, known: &Known, accounts: &[Account]) -> Result<Vec<Candidate>> {
    let account = |one: &Account| Candidate {
        id: one.custodian.to_string(),
        addresses: one.address.iter().cloned().collect(),
        names: one.name.iter().cloned().collect(),
    };
    let mut all: Vec<Candidate> = accounts.iter().map(account).collect();
    for custodian in snapshot.custodians()?.into_keys() {
        let id = custodian.to_string();
        if all.iter().any(|one| one.id == id) {
            continue;
        }
        let person = known.people.get(id.strip_prefix("user:").unwrap_or(&id));
        let addresses = person.and_then(|one| one.address()).map(str::to_owned);
        let names = person.and_then(|one| one.name()).map(str::to_owned);
        let (addresses, names) = (addresses.into_iter().collect(), names.into_iter().collect());
        all.push(Candidate { id, addresses, names });
    }
    Ok(all)
}

fn planned(zone: Zone, export: &Export) -> Result<Planned> {
    let plan: Plan = export.plan_within(PLAN_ROWS)?;
    let about = if plan.sampled.is_some() { "about " } else { "" };
    let at_most = if plan.is_exact || plan.sampled.is_some() { about } else { "at most " };
    let count = |number: u64| match plan.sampled {
        Some(_) => count(rounded(number)),
        None => count(number),
    };
    let mut facts = vec![
        ("Conversations", format!("{about}{}", count(plan.conversations))),
        ("Messages", format!("{at_most}{}", count(plan.messages))),
        ("System events", format!("{at_most}{}", count(plan.events))),
    ];
    for (label, number) in [
        ("Copilot interactions", plan.copilot),
        ("Recordings", plan.recordings),
        ("Transcripts", plan.transcripts),
    ] {
        facts.extend((number > 0).then(|| (label, format!("{at_most}{}", count(number)))));
    }
    facts.extend([
        (
            "Files and pictures",
            match plan.attachments {
                0 => "none".to_owned(),
                some => format!("{about}{}, {}", count(some), size(plan.attachment_bytes)),
            },
        ),
        ("Size", format!("about {}", size(plan.estimated_bytes))),
        ("Parts", format!("about {}", plural(plan.estimated_parts, "zip file"))),
    ]);
    let request = export.request();
    let time = |text: &Option<String>| {
        let parsed = text.as_deref().map(|text| chatvault_query::parse_time("range", text));
        Ok::<_, Failure>(When::new(zone, parsed.transpose()?.unwrap_or_default()))
    };
    let mut left_out = request.known_gaps.clone();
    if request.text_only {
        left_out.push("files and pictures: text only was asked for".to_owned());
    }
    for record in &request.other_records {
        left_out.push(format!("{}s, which the archive has and were not asked for", record.name()));
    }
    for one in request.collected.iter().filter(|one| one.until.is_none()) {
        let who = one.name.as_deref().or(one.address.as_deref()).unwrap_or(&one.custodian);
        left_out.push(format!("{who}: not backed up completely yet"));
    }
    Ok(Planned {
        name: export.name().to_owned(),
        estimate: plan.sampled.map(|(looked_at, of)| estimate(looked_at, of)),
        range: (time(&request.from)?, time(&request.to)?),
        is_empty: plan.messages + plan.copilot + plan.recordings + plan.transcripts == 0,
        facts,
        left_out,
    })
}

/// What is said about numbers that were not counted.
fn estimate(looked_at: u64, of: u64) -> String {
    format!(
        "These numbers are an estimate: {} of up to {} stored messages were looked at, in chats all over \
         the archive. Which messages are in the download is not decided by it: all that fit are, and its \
         own page tells the exact numbers.",
        count(looked_at),
        count(of)
    )
}

/// To two digits: an estimate has no more.
fn rounded(number: u64) -> u64 {
    let step = 10_u64.pow(number.checked_ilog10().unwrap_or(0).saturating_sub(1));
    number.saturating_add(step / 2) / step * step
}

/// `POST /a/{org}/downloads`: makes it.
pub(crate) fn generate(call: &Call) -> Result<Response> {
    let org: Arc<Organisation> = call.organisation()?;
    let (archive, snapshot) = (org.reader()?, org.snapshot()?);
    let known = org.known(&snapshot);
    let accounts = sync::accounts(&archive)?;
    let now = SystemClock.now();
    let request = request(&call.form, (call, &known), (&archive, &snapshot), &accounts)?;
    let export = Export::new(&snapshot, request, now)?;
    let short: String = export.id().chars().take(8).collect();
    let folder = new_folder(&org, &format!("{}_{short}", export.name()));
    if let Some(days) = call.form.get("days").and_then(|days| days.parse::<i64>().ok()) {
        let until = now.ms().saturating_add(days.clamp(1, 3_650) * DAY_MS);
        kept::change(&org, |kept| {
            let _ = kept.expires.insert(folder.id.clone(), until);
        })?;
    }
    let link = folder.link(&org, export.name());
    let _work = start(call, (&org, &folder), export, false)?;
    go(link)
}
