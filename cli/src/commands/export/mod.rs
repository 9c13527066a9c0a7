//! `export`: messages as files, in zip parts with proof.

mod arguments;
mod check;
mod report;
mod resume;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use chatvault_engine::{Archive, Clock, Disk, MessageKey, Storage, SystemClock};
use chatvault_export::manifest::Index;
use chatvault_export::{Error, Export, Phase, Progress as Done, Run};
use chatvault_ingest::sync;

use arguments::Action;
pub(crate) use arguments::Arguments;

use crate::console::Console;
use crate::failure::{Outcome, WrongUsage};
use crate::missing;
use crate::progress::Progress;
use crate::text;

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    if let Some(Action::Check(arguments)) = &arguments.action {
        return check::run(arguments, console);
    }
    let archive = arguments.salvage.open(arguments.archive()?)?;
    let snapshot = archive.snapshot()?;
    let now = SystemClock.now();
    if arguments.plan {
        let export = Export::new(&snapshot, arguments.request(), now)?;
        let plan = export.plan()?;
        let planned = report::plan(&export, &plan, arguments.json, console)?;
        return Ok(planned.and(missing::tell(&archive.missing(), console)?));
    }
    let Some(out) = &arguments.out else {
        return Err(WrongUsage("name the folder for the parts with --out DIR".to_owned()).into());
    };
    let folder: Arc<dyn Storage> = Arc::new(Disk::new(out));
    let begun = if arguments.resume { resume::find(&*folder, arguments)? } else { None };
    let export = match &begun {
        Some(index) => Export::of_index(&snapshot, index)?,
        None => Export::new(&snapshot, arguments.request(), now)?,
    };
    write(&archive, &export, (folder, begun.is_some()), (arguments, console))
}

fn write(
    archive: &Archive,
    export: &Export,
    (folder, resume): (Arc<dyn Storage>, bool),
    (arguments, console): (&Arguments, &mut Console<'_>),
) -> anyhow::Result<Outcome> {
    let start = crate::commands::import::now();
    // Looked up when the first content is missing: most exports lack none.
    let missing = OnceLock::new();
    let why = |key: &MessageKey, content: &str| {
        let place = (key.conversation.clone(), key.id.clone(), content.to_owned());
        missing.get_or_init(|| reasons(archive)).get(&place).cloned()
    };
    let defaults = Run::default();
    let threads = arguments.threads.map_or(defaults.threads, usize::from);
    let how = Run { threads, resume, reasons: &why };
    match with_progress(export, folder, how, console) {
        Ok(index) => {
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

fn with_progress(
    export: &Export,
    folder: Arc<dyn Storage>,
    how: Run<'_>,
    console: &Console<'_>,
) -> chatvault_export::Result<Index> {
    let bar = Progress::start(console, "reading names", "messages");
    console.stop.heed();
    export.run(folder, how, &mut |done| {
        show(&bar, done);
        if console.stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

fn show(bar: &Progress, done: &Done) {
    if !bar.is_seen() {
        return;
    }
    if done.phase == Phase::Writing {
        let window = match done.windows {
            0 | 1 => String::new(),
            of => format!("window {} of {of}, ", done.window),
        };
        let parts = text::plural(done.parts, "part");
        bar.say(format!("exporting: {window}{parts}, {}", text::size(done.bytes)));
        bar.set(done.messages, Some(done.of));
    } else {
        bar.set(done.messages, None);
    }
}

/// Why contents are not in the archive, by conversation, message and link. Without them, as where the
/// list cannot be read, a manifest says that they were never fetched.
fn reasons(archive: &Archive) -> HashMap<(String, String, String), String> {
    let missing = sync::missing(archive, None).unwrap_or_default();
    let entry = |one: sync::Missing| ((one.conversation, one.message, one.content), one.reason);
    missing.into_iter().map(entry).collect()
}
