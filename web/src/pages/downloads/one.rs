//! `/a/{org}/downloads/{folder}/{name}`: one export: how far it is, its parts, whether it is what the
//! archive gives.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;
use chatvault_engine::{Clock, Disk, Storage, SystemClock};
use chatvault_export::check::{CheckReport, Proof, Step};
use chatvault_export::folder::{Listed, list};
use chatvault_export::manifest::Index;
use chatvault_export::sign::is_signed;
use chatvault_export::{Error, Export, Phase, Progress, Run};
use chatvault_ingest::sync::Why;

use super::kept::{self, Folder, Scratch, folder};
use super::{range, state};
use crate::call::{Call, go, page};
use crate::failure::{Failure, Result};
use crate::fields::step;
use crate::files;
use crate::frame::Frame;
use crate::organisation::Organisation;
use crate::text::{When, count, plural, size};
use crate::work::{Ended, Kind, Seen, State, Work};

#[derive(Template)]
#[template(path = "download.html")]
struct View {
    frame: Frame,
    link: String,
    name: String,
    id: String,
    class: &'static str,
    state: &'static str,
    problem: Option<String>,
    range: Option<(When, When)>,
    facts: Vec<(&'static str, String)>,
    /// A label, and what it says in one line or several.
    words: Vec<(String, Vec<String>)>,
    parts: Vec<Part>,
    work: Option<(String, Seen)>,
    checked: Option<(When, Seen)>,
    failed: Option<Seen>,
    can_resume: bool,
    is_own: bool,
    expires: Option<When>,
    place: String,
}

struct Part {
    link: String,
    name: String,
    size: String,
    sha256: String,
    entries: String,
}

struct Found {
    org: Arc<Organisation>,
    folder: Folder,
    name: String,
    listed: Option<Listed>,
}

fn found(call: &Call) -> Result<Found> {
    let org = call.organisation()?;
    let name = call.step("name").to_owned();
    let (folder, listed) = match folder(&org, call.step("folder")) {
        Ok(folder) => {
            let all = list(&Disk::new(&folder.path))?;
            (folder, all.into_iter().find(|one| one.name == name))
        }
        // One that was just started may have no folder yet.
        Err(failure) => {
            let folder = kept::new_folder(&org, call.step("folder"));
            let kind = Kind::Export(folder.key(&name));
            let work = call.site.works.last(&org, &kind);
            let is_there =
                |work: &Arc<Work>| work.is_running() || work.seen().state == State::Failed;
            let _work = work.filter(is_there).ok_or(failure)?;
            (folder, None)
        }
    };
    Ok(Found { org, folder, name, listed })
}

impl Found {
    fn index(&self) -> Result<&Index> {
        match &self.listed {
            Some(Listed { index: Ok(index), .. }) => Ok(index),
            Some(Listed { index: Err(error), .. }) => Err(Failure::of(error)),
            None => Err(Failure::missing("export of this name")),
        }
    }
}

/// `GET /a/{org}/downloads/{folder}/{name}`.
pub(crate) fn one(call: &Call) -> Result<Response> {
    let found = found(call)?;
    let Found { org, folder, name, listed } = &found;
    let last = |kind: Kind| call.site.works.last(org, &kind);
    let export = last(Kind::Export(folder.key(name)));
    let check = last(Kind::Check(folder.key(name)));
    let is_known = listed.is_some() || export.is_some();
    if !is_known {
        return Err(Failure::missing("export of this name"));
    }
    let running = [&export, &check].into_iter().flatten().find(|work| work.is_running());
    let work = running.map(|work| (work.link(), work.seen()));
    let (class, state) = match listed {
        Some(listed) => state(call, org, folder, listed),
        None => ("idle", "Starting"),
    };
    let index = found.index().ok();
    let link = folder.link(org, name);
    let failed = export.filter(|work| !work.is_running()).map(|work| work.seen());
    let can_resume = index.is_some_and(|index| !index.finished) && state == "Stopped";
    let checked = check.filter(|work| !work.is_running());
    let frame = call.frame(name, org, "downloads");
    page(&View {
        frame: Frame { refresh: work.is_some().then_some(2), ..frame },
        id: index.map(|index| index.head.export_id.clone()).unwrap_or_default(),
        problem: listed.as_ref().and(found.index().err()).map(|failure| failure.line),
        range: index
            .and_then(|index| range(call, &index.head.selection.start, &index.head.selection.end)),
        facts: index.map(facts).unwrap_or_default(),
        words: index.map(words).unwrap_or_default(),
        parts: index.map(|index| parts(index, &link)).unwrap_or_default(),
        checked: checked.map(|work| (When::new(call.zone, work.started), work.seen())),
        failed: failed.filter(|seen| seen.state == State::Failed),
        can_resume,
        is_own: kept::is_own(&folder.id) && work.is_none(),
        expires: kept::read(org).expires.get(&folder.id).map(|ms| When::of_ms(call.zone, *ms)),
        place: folder.path.display().to_string(),
        name: name.clone(),
        link,
        work,
        class,
        state,
    })
}

fn facts(index: &Index) -> Vec<(&'static str, String)> {
    let counts = &index.counts;
    let all = [
        ("Messages", counts.messages),
        ("Edited", counts.edited),
        ("Deleted", counts.deleted),
        ("System events", counts.events),
        ("Copilot interactions", counts.copilot),
        ("Recordings", counts.recordings),
        ("Transcripts", counts.transcripts),
        ("Files and pictures", counts.attachments),
        ("Files that could not be had", counts.unavailable),
        ("Left out", counts.omitted),
    ];
    let some = all.into_iter().filter(|(label, number)| *number > 0 || *label == "Messages");
    some.map(|(label, number)| (label, count(number))).collect()
}

/// What it is of, as its manifest has it: what is a list there has a line for each.
fn words(index: &Index) -> Vec<(String, Vec<String>)> {
    const LISTS: [&str; 3] = ["Collected", "Custodians", "Never exported by the service"];
    let words = index.head.selection.more.get("words").and_then(serde_json::Value::as_object);
    let pairs = words.into_iter().flatten();
    let lines = |label: &str, words: &str| {
        let between = if LISTS.contains(&label) { "; " } else { "\n" };
        words.split(between).map(str::to_owned).collect()
    };
    let said = pairs.filter_map(|(label, words)| Some((label, words.as_str()?)));
    said.map(|(label, words)| (label.clone(), lines(label, words))).collect()
}

fn parts(index: &Index, link: &str) -> Vec<Part> {
    let part = |part: &chatvault_export::manifest::PartRecord| Part {
        link: format!("{link}/parts/{}", step(&part.name)),
        name: part.name.clone(),
        size: size(part.bytes),
        sha256: part.sha256.clone(),
        entries: count(part.counts.entries()),
    };
    index.parts.iter().map(part).collect()
}

/// `GET …/parts/{part}`: a finished part, its index or its sums.
pub(crate) fn part(call: &Call) -> Result<Response> {
    let found = found(call)?;
    let (index, asked) = (found.index()?, call.step("part"));
    let own = [Index::file_name(&found.name), Index::sums_name(&found.name)];
    let is_part = index.parts.iter().any(|part| part.name == asked);
    if !is_part && !own.iter().any(|name| name == asked) {
        return Err(Failure::missing("part of this name"));
    }
    files::saved(call, asked, Disk::new(&found.folder.path).open(asked)?)
}

/// `POST …/{action}`: `resume`, `check`, `expire` or `remove`.
pub(crate) fn act(call: &Call) -> Result<Response> {
    let found = found(call)?;
    let Found { org, folder, name, .. } = &found;
    let link = folder.link(org, name);
    match call.step("action") {
        "resume" => {
            let export = Export::of_index(&org.snapshot()?, found.index()?)?;
            let _work = start(call, (org, folder), export, true)?;
        }
        "check" => {
            let export = Export::of_index(&org.snapshot()?, found.index()?)?;
            check(call, &found, export)?;
        }
        "expire" => {
            let days = call.form.number("days").unwrap_or_default().min(3_650);
            let ms = i64::try_from(days).unwrap_or_default() * 24 * 60 * 60 * 1_000;
            let until = SystemClock.now().ms() + ms;
            kept::change(org, |kept| {
                let _ = kept.expires.remove(&folder.id);
                if days > 0 && kept::is_own(&folder.id) {
                    let _ = kept.expires.insert(folder.id.clone(), until);
                }
            })?;
        }
        "remove" => {
            kept::remove(org, &folder.id)?;
            return go(format!("{}/downloads", org.link()));
        }
        _ => return Err(Failure::missing("action of this name")),
    }
    go(link)
}

/// Writes an export in the background.
pub(super) fn start(
    call: &Call,
    (org, folder): (&Arc<Organisation>, &Folder),
    export: Export,
    resume: bool,
) -> Result<Arc<Work>> {
    let kind = Kind::Export(folder.key(export.name()));
    let title = format!("Download {}", export.name());
    let (own, link) = (Arc::clone(org), folder.link(org, export.name()));
    let place: Arc<dyn Storage> = Arc::new(Disk::new(&folder.path));
    let job = move |work: &Work| {
        own.make_downloads()?;
        let archive = own.reader()?;
        let why = Why::of(&archive);
        let reason = |key: &_, content: &str| why.reason(key, content);
        let how = Run { resume, reasons: &reason, ..Run::default() };
        let mut on = |done: &Progress| {
            tell(work, "", done);
            work.flow()
        };
        match export.run(place, how, &mut on) {
            Ok(index) => Ok(ended(&index, link)),
            Err(Error::Cancelled) => Ok(Ended {
                state: State::Stopped,
                lines: vec!["Stopped; finished parts stay".to_owned()],
                next: Some(link),
            }),
            Err(error) => Err(error.into()),
        }
    };
    call.site.works.start(org, (kind, title), job)
}

fn tell(work: &Work, before: &str, done: &Progress) {
    if done.phase == Phase::Reading {
        return work.tell(format!("{before}Reading names"), done.share());
    }
    let parts = match done.parts {
        0 => String::new(),
        parts => format!(", {}, {}", plural(parts, "finished part"), size(done.bytes)),
    };
    let line = format!("{before}{} of {}{parts}", count(done.messages), plural(done.of, "message"));
    work.tell(line, done.share());
}

fn ended(index: &Index, link: String) -> Ended {
    let bytes: u64 = index.parts.iter().map(|part| part.bytes).sum();
    let parts = plural(index.parts.len() as u64, "part");
    let mut lines = vec![format!(
        "{} in {parts}, {}",
        plural(index.counts.entries(), "entry").replace("entrys", "entries"),
        size(bytes)
    )];
    let missing = index.counts.unavailable;
    if missing > 0 {
        lines.push(format!("{} could not be had", plural(missing, "file")));
    }
    let state = if missing > 0 { State::Warned } else { State::Done };
    Ended { state, lines, next: Some(link) }
}

/// Makes it again from the archive, and compares every byte.
fn check(call: &Call, found: &Found, export: Export) -> Result<()> {
    let Found { org, folder, name, .. } = found;
    let kind = Kind::Check(folder.key(name));
    let title = format!("Checking {name}");
    let (own, link) = (Arc::clone(org), folder.link(org, name));
    let place: Arc<dyn Storage> = Arc::new(Disk::new(&folder.path));
    let signed = is_signed(&*place, name);
    let job = move |work: &Work| {
        own.make_downloads()?;
        let archive = own.reader()?;
        let why = Why::of(&archive);
        let reason = |key: &_, content: &str| why.reason(key, content);
        let aside = Scratch::new(&own, work.id);
        let scratch: Arc<dyn Storage> = Arc::new(aside.disk());
        let how = Run { reasons: &reason, ..Run::default() };
        let report = export.check((&place, &scratch), how, &mut |step| {
            match step {
                Step::Reading(part, _) => {
                    work.tell(format!("Reading {part}"), chatvault_engine::Progress::default());
                }
                Step::Rendering(done) => tell(work, "Making it again: ", done),
            }
            work.flow()
        })?;
        Ok(proved(&report, signed, link))
    };
    call.site.works.start(org, (kind, title), job).map(drop)
}

fn proved(report: &CheckReport, signed: bool, link: String) -> Ended {
    let said = match (report.is_good(), report.proof) {
        (false, _) => "Damaged".to_owned(),
        (true, Proof::Bytes) => "Sound: every byte is what the archive gives".to_owned(),
        (true, Proof::Versions) => {
            "Sound: exactly the archive's versions are named; another version of chatvault wrote the files"
                .to_owned()
        }
        (true, _) => "Sound: parts, sums and lists agree".to_owned(),
    };
    let mut lines = vec![said];
    lines.extend(report.findings.iter().map(ToString::to_string));
    if report.other_reasons > 0 {
        lines.push(format!(
            "{} for missing files: the archive says others now",
            plural(report.other_reasons, "reason")
        ));
    }
    if signed {
        lines.push(
            "It is signed; `chatvault export check --public-key` holds that against a key"
                .to_owned(),
        );
    }
    let state = match (report.is_good(), report.other_reasons) {
        (false, _) => State::Failed,
        (true, 0) => State::Done,
        (true, _) => State::Warned,
    };
    Ended { state, lines, next: Some(link) }
}
