//! `export check`: reads an export back and says what is wrong with it, if anything is.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use chatvault_engine::{Archive, Disk, Progress, Storage, Unit};
use chatvault_export::check::{CheckReport, Proof, Step, check};
use chatvault_export::folder::{Listed, foreign, list};
use chatvault_export::sign::{PublicKey, is_signed};
use chatvault_export::{Export, Run};
use chatvault_ingest::sync::Why;
use clap::Args;
use serde::Serialize;

use crate::commands::Salvage;
use crate::console::Console;
use crate::failure::Outcome;
use crate::progress::Bar;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault export check all/                 do parts, members, sums and lists agree?
  chatvault export check all/ team.cvault     is every byte what the archive gives?
  chatvault export check all/ --public-key public.pem     is it what the key's owner signed?

Without the archive: every part, member and checksum is read, and all lists are held against each other. That \
finds damage and loss. It cannot find a change by somebody who made all of them fit again; a signature does \
(`export --sign-with`), as do the archive and an index's SHA-256 that was written down elsewhere.

With the archive: the export is made again from it, without being written, and every part is compared byte for \
byte, so that any change in any file is found. What arrived after the export is not in it. An export of another \
renderer version cannot be made again: then it is checked that exactly the archive's versions are named in it, \
and told that its files were not compared. Why contents are missing is compared with what the archive says now, \
and told if that is something else.

Exit code 0: everything is as it should be. 1: something is not, each finding on a line. 3: nothing is wrong, \
but not everything could be compared.

JSON fields: sound, exports (list of name, sound, proof (sums, versions or bytes), signed (good, unchecked, none), \
parts, members, bytes, versions, other_reasons, findings), foreign (zip files there that belong to no export).";

/// Check the exports in a folder: every byte against its lists, and with the archive against that
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The folder that holds the parts
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The archive that they were made of
    archive: Option<PathBuf>,
    /// Only the export of this name
    #[arg(long)]
    name: Option<String>,
    /// The Ed25519 public key (PEM) of whoever must have signed the index
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    #[command(flatten)]
    salvage: Salvage,
    /// Threads that render and compress; as many as there are processors if left out
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct All {
    sound: bool,
    exports: Vec<One>,
    foreign: Vec<String>,
}

#[derive(Serialize)]
struct One {
    name: String,
    sound: bool,
    proof: &'static str,
    signed: &'static str,
    parts: u64,
    members: u64,
    bytes: u64,
    versions: u64,
    other_reasons: u64,
    findings: Vec<String>,
}

/// What exports are held against.
struct Against {
    archive: Option<Archive>,
    key: Option<PublicKey>,
    threads: usize,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let folder: Arc<dyn Storage> = Arc::new(Disk::new(&arguments.folder));
    let listed = list(&*folder)?;
    let foreign = foreign(&*folder, &listed)?;
    let wanted = |one: &Listed| arguments.name.as_ref().is_none_or(|name| *name == one.name);
    let listed: Vec<Listed> = listed.into_iter().filter(wanted).collect();
    ensure!(!listed.is_empty(), "{}: there is no such export", arguments.folder.display());
    let archive = arguments.archive.as_ref();
    let key = arguments.public_key.as_deref().map(super::key::public).transpose()?;
    let threads = arguments.threads.map_or(Run::default().threads, usize::from);
    let archive = archive.map(|archive| arguments.salvage.open(archive)).transpose()?;
    let against = Against { archive, key, threads };
    let mut exports = Vec::new();
    for one in listed {
        exports.push(against.check(&folder, one, console)?);
    }
    let all = All { sound: exports.iter().all(|one| one.sound), exports, foreign };
    console.show(arguments.json, &all, |console| print(&all, console))?;
    let is_whole = |one: &One| {
        one.other_reasons == 0 && (against.archive.is_none() || one.proof == proof(Proof::Bytes))
    };
    Ok(match (all.sound, all.exports.iter().all(is_whole)) {
        (false, _) => Outcome::Failed,
        (true, false) => Outcome::Incomplete,
        (true, true) => Outcome::Done,
    })
}

impl Against {
    fn check(
        &self,
        folder: &Arc<dyn Storage>,
        listed: Listed,
        console: &Console<'_>,
    ) -> anyhow::Result<One> {
        let Listed { name, index, .. } = listed;
        let index = index?;
        let total: u64 = index.parts.iter().map(|part| part.bytes).sum();
        let bar = Bar::start(console, "checking", "bytes");
        let mut done = 0;
        let mut report = match &self.archive {
            None => check(&**folder, &name, &mut |step| {
                bar.set(Progress::new(done, total, Unit::Bytes));
                if let Step::Reading(_, bytes) = step {
                    done += bytes;
                }
                console.stop.flow()
            })?,
            Some(archive) => {
                let export = Export::of_index(&archive.snapshot()?, &index)?;
                drop(bar);
                self.make_again((archive, &export), folder, console)?
            }
        };
        let signed = match &self.key {
            Some(key) => {
                let finding = key.check(&**folder, &name)?;
                let is_good = finding.is_none();
                report.findings.extend(finding);
                if is_good { "good" } else { "none" }
            }
            None if is_signed(&**folder, &name) => "unchecked",
            None => "none",
        };
        Ok(as_json(name, &report, signed))
    }

    fn make_again(
        &self,
        (archive, export): (&Archive, &Export),
        folder: &Arc<dyn Storage>,
        console: &Console<'_>,
    ) -> anyhow::Result<CheckReport> {
        let place = tempfile::tempdir().context("cannot make a temporary folder")?;
        let scratch: Arc<dyn Storage> = Arc::new(Disk::new(place.path()));
        let why = Why::of(archive);
        let reason = |key: &_, content: &str| why.reason(key, content);
        let how = Run { threads: self.threads, reasons: &reason, ..Run::default() };
        let bar = Bar::start(console, "checking", "messages");
        console.stop.heed();
        let report = export.check((folder, &scratch), how, &mut |step| {
            match step {
                Step::Reading(part, _) => bar.say(format!("checking: {part}")),
                Step::Rendering(done) => super::show(&bar, "making again", done),
            }
            console.stop.flow()
        })?;
        Ok(report)
    }
}

fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Sums => "sums",
        Proof::Versions => "versions",
        Proof::Bytes => "bytes",
    }
}

fn as_json(name: String, report: &CheckReport, signed: &'static str) -> One {
    let mut findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    if report.more_findings > 0 {
        findings.push(format!("and {} more", report.more_findings));
    }
    One {
        name,
        sound: report.is_good(),
        proof: proof(report.proof),
        signed,
        parts: report.parts,
        members: report.members,
        bytes: report.bytes,
        versions: report.subjects,
        other_reasons: report.other_reasons,
        findings,
    }
}

fn print(all: &All, console: &mut Console<'_>) -> anyhow::Result<()> {
    for name in &all.foreign {
        console.line(format!("foreign: {name}: belongs to no export in this folder"))?;
    }
    for one in &all.exports {
        for finding in &one.findings {
            console.line(format!("wrong: {finding}"))?;
        }
        let state = if one.sound { "sound" } else { "damaged" };
        console.line(format!(
            "{state}: {}: {} with {}, {}, {}; {}",
            one.name,
            text::plural(one.parts, "part"),
            text::plural(one.members, "file"),
            text::plural(one.versions, "version"),
            text::size(one.bytes),
            proved(one),
        ))?;
    }
    Ok(())
}

/// What was proved, in words.
fn proved(one: &One) -> String {
    let mut words = match (one.sound, one.proof) {
        (false, _) => text::plural(one.findings.len() as u64, "finding"),
        (true, "bytes") => "every byte is what the archive gives".to_owned(),
        (true, "versions") => {
            "exactly the archive's versions are named; its files were not made again, \
            since another renderer wrote them"
                .to_owned()
        }
        (true, _) => {
            "parts, members, sums and lists agree; not compared with an archive".to_owned()
        }
    };
    if one.other_reasons > 0 {
        let reasons = text::plural(one.other_reasons, "reason");
        let told = ["; ", &reasons, " for missing contents: the archive says others now"];
        words.extend(told);
    }
    match one.signed {
        "good" => words.push_str("; signed by this key"),
        "unchecked" => words.push_str("; signed, not checked (--public-key)"),
        _ => {}
    }
    words
}
