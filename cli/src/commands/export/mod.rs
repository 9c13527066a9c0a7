//! `export`: messages as files, in zip parts with proof.

mod arguments;
mod check;
mod key;
mod report;
mod resume;
mod selection;

use std::path::Path;
use std::sync::Arc;

use chatvault_engine::{
    Archive, Clock, Custodian, Disk, Snapshot, Storage, SystemClock, Timestamp,
};
use chatvault_export::folder::{foreign, list};
use chatvault_export::manifest::Index;
use chatvault_export::request::Collected;
use chatvault_export::{Error, Export, Phase, Progress, Request, Run};
use chatvault_ingest::sync::{self, Why};

use arguments::Action;
pub(crate) use arguments::Arguments;

use crate::console::Console;
use crate::failure::{Outcome, WrongUsage};
use crate::meant::Meant;
use crate::missing;
use crate::progress::Bar;
use crate::text;

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    if let Some(Action::Check(arguments)) = &arguments.action {
        return check::run(arguments, console);
    }
    let archive = arguments.salvage.open(arguments.archive()?)?;
    let snapshot = archive.snapshot()?;
    let now = SystemClock.now();
    let request = request(arguments, (&archive, &snapshot), console)?;
    if arguments.plan {
        let export = Export::new(&snapshot, request, now)?;
        let plan = export.plan()?;
        let planned = report::plan(&export, &plan, arguments.json, console)?;
        let selected = selection::tell(&export, &snapshot, arguments.has_range(), console)?;
        return Ok(planned.and(selected).and(missing::tell(&archive.missing(), console)?));
    }
    let Some(out) = &arguments.out else {
        return Err(WrongUsage("name the folder for the parts with --out DIR".to_owned()).into());
    };
    let folder: Arc<dyn Storage> = Arc::new(Disk::new(out));
    let begun = if arguments.resume { resume::find(&*folder, arguments, &request)? } else { None };
    let export = match &begun {
        Some(index) => Export::of_index(&snapshot, index)?,
        None => Export::new(&snapshot, request, now)?,
    };
    let has_range = begun.is_some() || arguments.has_range();
    let selected = selection::tell(&export, &snapshot, has_range, console)?;
    let written = write(&archive, &export, (folder, begun.is_some()), (arguments, console))?;
    Ok(selected.and(written))
}

/// What is asked for, and how far the asked custodians were collected by `sync`.
fn request(
    arguments: &Arguments,
    (archive, snapshot): (&Archive, &Snapshot),
    console: &mut Console<'_>,
) -> anyhow::Result<Request> {
    let mut request = arguments.request()?;
    let asked = (&mut request.custodians, &mut request.senders, &mut request.chats);
    let record = request.records.first().copied().unwrap_or_default();
    Meant { archive, snapshot, record }.settle_kinds(&request.records, asked, console)?;
    let asked: Vec<Custodian> = request.custodians.iter().map(|id| Custodian::parse(id)).collect();
    let accounts = sync::accounts(archive)?.into_iter();
    let is_asked = |one: &sync::Account| asked.is_empty() || asked.contains(&one.custodian);
    let collected = accounts.filter(is_asked).map(|account| Collected {
        name: account.name,
        address: account.address,
        ..Collected::until(&account.custodian, account.up_to_ms.map(Timestamp::from_ms))
    });
    request.collected = collected.collect();
    request.known_gaps = sync::known_gaps(archive)?;
    Ok(request)
}

fn write(
    archive: &Archive,
    export: &Export,
    (folder, resume): (Arc<dyn Storage>, bool),
    (arguments, console): (&Arguments, &mut Console<'_>),
) -> anyhow::Result<Outcome> {
    let key = arguments.sign_with.as_deref().map(key::signing).transpose()?;
    let start = crate::progress::now();
    let why = Why::of(archive);
    let reason = |key: &_, content: &str| why.reason(key, content);
    let defaults = Run::default();
    let threads = arguments.threads.map_or(defaults.threads, usize::from);
    let how = Run { threads, resume, reasons: &reason };
    tell_foreign(&*folder, console)?;
    match with_progress(export, Arc::clone(&folder), how, console) {
        Ok(index) => {
            if let Some(key) = key {
                key.sign(&folder, export.name())?;
            }
            let seconds = start.elapsed().as_secs_f64();
            let lacks = archive.missing();
            let done = report::done(export, &index, (seconds, &lacks), (arguments, console))?;
            Ok(done.and(missing::tell(&lacks, console)?))
        }
        Err(Error::Cancelled) => {
            let out = arguments.out.as_deref().unwrap_or(Path::new("")).display();
            console.remark(format!(
                "stopped; finished parts stay. Go on with: chatvault export {} --resume --out {out}",
                arguments.archive()?.display()
            ))?;
            Ok(Outcome::Failed)
        }
        Err(error) => Err(error.into()),
    }
}

/// Names what lies in the folder and is of no export there.
fn tell_foreign(folder: &dyn Storage, console: &mut Console<'_>) -> anyhow::Result<()> {
    for name in foreign(folder, &list(folder)?)? {
        console.remark(format!("{name} is in the folder, too, and belongs to no export there"))?;
    }
    Ok(())
}

fn with_progress(
    export: &Export,
    folder: Arc<dyn Storage>,
    how: Run<'_>,
    console: &Console<'_>,
) -> chatvault_export::Result<Index> {
    let bar = Bar::start(console, "reading names", "messages");
    console.stop.heed();
    export.run(folder, how, &mut |done| {
        show(&bar, "exporting", done);
        console.stop.flow()
    })
}

fn show(bar: &Bar, what: &str, done: &Progress) {
    if !bar.is_seen() {
        return;
    }
    if done.phase == Phase::Writing {
        let window = match done.windows {
            0 | 1 => String::new(),
            of => format!("window {} of {of}, ", done.window),
        };
        let parts = text::plural(done.parts, "part");
        bar.say(format!("{what}: {window}{parts}, {}", text::size(done.bytes)));
    }
    bar.set(done.share());
}
