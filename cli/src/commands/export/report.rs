//! What `export` prints: what it will be, and what it was.

use chatvault_engine::Damage;
use chatvault_export::manifest::{Counts, Index};
use chatvault_export::{Export, Plan};
use chatvault_query::format_time;
use serde::Serialize;

use super::Arguments;
use crate::console::Console;
use crate::failure::Outcome;
use crate::missing::Finding;
use crate::text;

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    id: &'a str,
    commit: String,
    finished: bool,
    parts: Vec<Part<'a>>,
    bytes: u64,
    messages: u64,
    events: u64,
    copilot: u64,
    recordings: u64,
    transcripts: u64,
    versions: u64,
    edited: u64,
    deleted: u64,
    attachments: u64,
    unavailable: u64,
    omitted: u64,
    missing_glyphs: u64,
    long_cells: u64,
    subject_sum: &'a str,
    merkle_root: &'a str,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<Finding>>,
}

#[derive(Serialize)]
struct Part<'a> {
    file: &'a str,
    bytes: u64,
    sha256: &'a str,
}

/// The documented fields of a plan.
#[derive(Serialize)]
struct Planned<'a> {
    name: &'a str,
    id: &'a str,
    windows: Vec<Window>,
    conversations: u64,
    messages: u64,
    events: u64,
    copilot: u64,
    recordings: u64,
    transcripts: u64,
    attachments: u64,
    attachment_bytes: u64,
    estimated_bytes: u64,
    estimated_parts: u64,
    exact: bool,
}

#[derive(Serialize)]
struct Window {
    start: String,
    end: String,
    messages: u64,
    events: u64,
}

/// Prints what an export will be.
pub(super) fn plan(
    export: &Export,
    plan: &Plan,
    as_json: bool,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    if as_json {
        console.json(&planned(export, plan))?;
        return Ok(Outcome::Done);
    }
    let at_most = if plan.is_exact { "" } else { "at most " };
    let beside = beside((plan.copilot, plan.recordings, plan.transcripts));
    let counts = [
        format!("export         {}", export.name()),
        format!("conversations  {}", text::count(plan.conversations)),
        format!("messages       {at_most}{}", text::count(plan.messages)),
        format!("system events  {at_most}{}", text::count(plan.events)),
    ];
    let sizes = [
        format!(
            "attachments    {} ({})",
            text::count(plan.attachments),
            text::size(plan.attachment_bytes)
        ),
        format!(
            "size           about {} in {}",
            text::size(plan.estimated_bytes),
            text::plural(plan.estimated_parts, "part")
        ),
        format!("windows        {}", text::count(plan.windows.len() as u64)),
    ];
    for line in counts.into_iter().chain(beside).chain(sizes) {
        console.line(line)?;
    }
    for one in plan.windows.iter().filter(|_| plan.windows.len() > 1) {
        let window = one.window;
        console.line(format!(
            "  {} to {}  {}",
            format_time(window.start),
            format_time(window.end),
            text::plural(one.messages, "message")
        ))?;
    }
    Ok(Outcome::Done)
}

fn planned<'a>(export: &'a Export, plan: &Plan) -> Planned<'a> {
    let window = |one: &chatvault_export::PlannedWindow| Window {
        start: format_time(one.window.start),
        end: format_time(one.window.end),
        messages: one.messages - one.events,
        events: one.events,
    };
    Planned {
        name: export.name(),
        id: export.id(),
        windows: plan.windows.iter().map(window).collect(),
        conversations: plan.conversations,
        messages: plan.messages,
        events: plan.events,
        copilot: plan.copilot,
        recordings: plan.recordings,
        transcripts: plan.transcripts,
        attachments: plan.attachments,
        attachment_bytes: plan.attachment_bytes,
        estimated_bytes: plan.estimated_bytes,
        estimated_parts: plan.estimated_parts,
        exact: plan.is_exact,
    }
}

/// Lines for what is stored beside messages, where there is any.
fn beside((copilot, recordings, transcripts): (u64, u64, u64)) -> impl Iterator<Item = String> {
    let all = [("copilot", copilot), ("recordings", recordings), ("transcripts", transcripts)];
    let some = all.into_iter().filter(|(_, number)| *number > 0);
    some.map(|(label, number)| format!("{label:<14} {}", text::count(number)))
}

/// Prints what an export was.
pub(super) fn done(
    export: &Export,
    index: &Index,
    (seconds, lacks): (f64, &[Damage]),
    (arguments, console): (&Arguments, &mut Console<'_>),
) -> anyhow::Result<Outcome> {
    let bytes = index.parts.iter().map(|part| part.bytes).sum();
    let counts = index.counts;
    if arguments.json {
        let part = |part: &'_ chatvault_export::manifest::PartRecord| {
            (part.name.clone(), part.bytes, part.sha256.clone())
        };
        let parts: Vec<_> = index.parts.iter().map(part).collect();
        let parts = parts.iter().map(|(file, bytes, sha256)| Part { file, bytes: *bytes, sha256 });
        console.json(&Report {
            name: export.name(),
            id: export.id(),
            commit: commit(export),
            finished: index.finished,
            parts: parts.collect(),
            bytes,
            messages: counts.messages,
            events: counts.events,
            copilot: counts.copilot,
            recordings: counts.recordings,
            transcripts: counts.transcripts,
            versions: counts.versions,
            edited: counts.edited,
            deleted: counts.deleted,
            attachments: counts.attachments,
            unavailable: counts.unavailable,
            omitted: counts.omitted,
            missing_glyphs: counts.missing_glyphs,
            long_cells: counts.long_cells,
            subject_sum: &index.digest.subject_sum,
            merkle_root: &index.digest.merkle_root,
            seconds,
            missing: arguments.salvage.findings(lacks),
        })?;
    } else {
        lines(export, index, (bytes, seconds)).iter().try_for_each(|line| console.line(line))?;
    }
    if counts.long_cells > 0 {
        let count = text::plural(counts.long_cells, "cell");
        console.remark(format!(
            "{count} of the table hold more than 32,767 characters: Excel cuts or spreads them"
        ))?;
    }
    if counts.unavailable > 0 {
        let count = text::plural(counts.unavailable, "attachment");
        console
            .remark(format!("{count} could not be had: the manifests list them with reasons"))?;
        return Ok(Outcome::Incomplete);
    }
    Ok(Outcome::Done)
}

/// The commit that it is as of.
fn commit(export: &Export) -> String {
    export.request().as_of_sequence.map(|commit| commit.to_string()).unwrap_or_default()
}

fn lines(export: &Export, index: &Index, (bytes, seconds): (u64, f64)) -> Vec<String> {
    let Counts { messages, events, versions, edited, deleted, attachments, .. } = index.counts;
    let Counts { unavailable, omitted, missing_glyphs, long_cells, .. } = index.counts;
    let count = text::count;
    #[expect(clippy::cast_precision_loss, reason = "a speed for people")]
    let speed = if seconds > 0.0 { index.counts.entries() as f64 / seconds } else { 0.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed for people"
    )]
    let speed = count(speed as u64);
    let mut lines = vec![
        format!("export         {} ({})", export.name(), export.id()),
        format!("messages       {}", count(messages)),
        format!("  edited       {}", count(edited)),
        format!("  deleted      {}", count(deleted)),
        format!("system events  {}", count(events)),
    ];
    lines.extend(beside((index.counts.copilot, index.counts.recordings, index.counts.transcripts)));
    lines.extend([
        format!("versions       {}", count(versions)),
        format!("attachments    {}", count(attachments)),
    ]);
    for (label, number) in [
        ("  not had      ", unavailable),
        ("left out       ", omitted),
        ("unshown glyphs ", missing_glyphs),
        ("long cells     ", long_cells),
    ] {
        if number > 0 {
            lines.push(format!("{label}{}", count(number)));
        }
    }
    let commit = commit(export);
    lines.push(format!("up to commit   {commit} (what comes later: --since {commit})"));
    let parts = text::plural(index.parts.len() as u64, "part");
    lines.push(format!("written        {parts}, {}", text::size(bytes)));
    lines.push(format!("fingerprint    {}", index.digest.subject_sum));
    lines.push(format!("time           {seconds:.1} s, {speed} messages/s"));
    lines
}
