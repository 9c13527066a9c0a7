//! `demo`: makes a small export, imports it, looks at it, and says what to try next.
#![expect(
    clippy::disallowed_methods,
    reason = "replacing an earlier demo is about a whole folder, not about an archive's files"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chatvault_engine::{Archive, Custodian, Depth, ErrorKind, Host, Options, Snapshot, Stat};
use chatvault_query::{Kind, Order, Query, Versions};
use clap::Args;
use tempfile::TempDir;

use super::{import, query, verify};
use crate::console::Console;
use crate::demo_data::{self, DemoPage};
use crate::failure::Outcome;
use crate::report::bytes_in_use;
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault demo
  chatvault demo /tmp/try.cvault

The people and their messages are made up. An archive that an earlier demo made is replaced; anything \
else in that place is left alone, and the command fails.";

/// A named value that only a demo archive holds.
const MARK: &str = "chatvault demo";
/// What an archive's folder holds; anything else in it is not ours to remove.
const PARTS: [&str; 9] = [
    "FORMAT",
    "LOCK",
    "catalog",
    "journal",
    "manifest",
    "objects",
    "quarantine",
    "segments",
    "trash",
];

/// Make a small export, import it, look at it and say what to try next
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive to make
    #[arg(default_value = "demo.cvault")]
    archive: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let folder = &arguments.archive;
    remove_earlier(folder)?;
    let archive = import_export(folder, console)?;
    tell_savings(&archive.stat()?, console)?;
    let found = look_around(&archive, console)?;
    heading("3. Is everything there? (verify --deep)", console)?;
    let report = verify::check(folder, Depth::Deep, console)?;
    verify::print(&report, console)?;
    super::close(archive, folder, console)?;
    say_what_next(folder, &found, console)?;
    let is_sound = report.finished && report.damages.is_empty();
    Ok(if is_sound { Outcome::Done } else { Outcome::Failed })
}

fn heading(text: &str, console: &mut Console<'_>) -> anyhow::Result<()> {
    console.line("")?;
    Ok(console.line(text)?)
}

/// Makes room, if what is there came from a demo and nothing was added to it.
fn remove_earlier(folder: &Path) -> anyhow::Result<()> {
    let archive = match Archive::open(Host::disk(folder), Options::default()) {
        Ok(archive) => archive,
        Err(error) if error.kind() == ErrorKind::NotFound && is_free(folder)? => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("{} is not free", folder.display()));
        }
    };
    let is_ours = is_untouched_demo(&archive)?;
    archive.close().with_context(|| format!("cannot close {}", folder.display()))?;
    if !is_ours || !holds_only_parts(folder)? {
        bail!("{} holds more than a demo: choose another place", folder.display());
    }
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// Nothing there, or an empty folder.
fn is_free(folder: &Path) -> anyhow::Result<bool> {
    let is_empty = || fs::read_dir(folder).map(|mut names| names.next().is_none());
    Ok(!folder.try_exists()? || is_empty()?)
}

fn is_untouched_demo(archive: &Archive) -> anyhow::Result<bool> {
    let ours: Vec<Custodian> =
        demo_data::pages().iter().map(|page| Custodian::parse(&page.custodian)).collect();
    let has_mark = archive.checkpoint(MARK)?.is_some();
    Ok(has_mark && archive.snapshot()?.custodians()?.keys().all(|who| ours.contains(who)))
}

fn holds_only_parts(folder: &Path) -> anyhow::Result<bool> {
    let mut names = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name()));
    let is_part = |name: std::ffi::OsString| PARTS.iter().any(|part| name == *part);
    Ok(names.try_fold(true, |all, name| name.map(|name| all && is_part(name)))?)
}

fn import_export(folder: &Path, console: &mut Console<'_>) -> anyhow::Result<Archive> {
    let pages = demo_data::pages();
    let bytes = pages.iter().map(|page| page.bytes.len()).sum::<usize>();
    let (count, size) = (u64::try_from(pages.len())?, text::size(u64::try_from(bytes)?));
    console.line(format!(
        "1. Importing a made-up export: {}, {size}, as the service returns them",
        text::plural(count, "page")
    ))?;
    let archive = Archive::create(Host::disk(folder), Options::default())
        .with_context(|| format!("cannot make an archive in {}", folder.display()))?;
    // The mark comes first: an interrupted demo is recognised too.
    let run = archive.begin_run("demo")?;
    let mut batch = archive.batch(run);
    batch.checkpoint(MARK, b"1");
    drop(batch.commit()?);
    let export = write_export(&pages).context("cannot write the export's pages")?;
    import::folder(&archive, export.path().to_owned(), console)?;
    archive.seal()?;
    Ok(archive)
}

/// A folder with a folder per custodian, gone when dropped.
fn write_export(pages: &[DemoPage]) -> std::io::Result<TempDir> {
    let export = tempfile::tempdir()?;
    for page in pages {
        // A colon is no part of a file name everywhere.
        let custodian = Custodian::parse(&page.custodian).as_str().replacen(':', "_", 1);
        let folder = export.path().join(custodian);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(&page.name), &page.bytes)?;
    }
    Ok(export)
}

fn tell_savings(stat: &Stat, console: &mut Console<'_>) -> anyhow::Result<()> {
    let counts = stat.counts;
    let rows = [
        ("copies delivered", text::count(counts.offered)),
        ("from exports of", text::plural(stat.custodians, "custodian")),
        ("messages", text::count(stat.messages)),
        ("versions of them", text::count(stat.versions)),
        ("duplicates", format!("{} not stored again", text::count(counts.duplicates))),
        ("quarantined", text::count(counts.quarantined)),
        ("stored JSON", text::size(stat.raw_bytes)),
        ("on disk", text::size(bytes_in_use(stat))),
    ];
    for line in text::aligned(&rows) {
        console.line(format!("   {line}"))?;
    }
    let all = stat.versions + stat.variants + counts.duplicates;
    let saved = text::ratio(counts.duplicates, all) * 100.0;
    Ok(console.line(format!("   {saved:.0} % of the copies were there already"))?)
}

/// Ids that the closing examples use.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    chat: String,
    id: String,
}

fn look_around(archive: &Archive, console: &mut Console<'_>) -> anyhow::Result<Found> {
    let snapshot = archive.snapshot()?;
    let first = Query { limit: Some(8), ..Query::default() };
    heading(
        "2. The first messages of the first conversation (query --limit 8 --format table)",
        console,
    )?;
    let _ = query::print_table(&mut first.run(&snapshot)?, (first.order, None), console)?;

    let changed = most_changed(&snapshot)?;
    let last = Query {
        chats: vec![changed.chat.clone()],
        kinds: vec![Kind::Message],
        order: Order::Modified,
        reverse: true,
        limit: Some(8),
        ..Query::default()
    };
    heading(
        "   The last changes in one chat (query --chat … --order modified --reverse)",
        console,
    )?;
    let _ = query::print_table(&mut last.run(&snapshot)?, (last.order, None), console)?;
    Ok(changed)
}

/// The message with the most versions; the export is small enough to look at all of it.
fn most_changed(snapshot: &Snapshot) -> anyhow::Result<Found> {
    let messages =
        Query { versions: Versions::All, kinds: vec![Kind::Message], ..Query::default() };
    let mut rows = messages.run(snapshot)?;
    let mut versions = BTreeMap::<Found, u64>::new();
    while let Some(row) = rows.next()? {
        if row.reply_to().is_none() {
            let key = Found { chat: row.conversation().to_owned(), id: row.id().to_owned() };
            *versions.entry(key).or_default() += 1;
        }
    }
    let most = versions.into_iter().max_by_key(|(_, versions)| *versions);
    Ok(most.map(|(key, _)| key).unwrap_or_default())
}

fn say_what_next(folder: &Path, found: &Found, console: &mut Console<'_>) -> anyhow::Result<()> {
    let (folder, out) = (folder.display(), folder.with_extension("export"));
    let Found { chat, id } = found;
    heading("4. What to try next", console)?;
    for rest in [
        format!("serve {folder}"),
        format!("stat {folder}"),
        format!("query {folder} --chat '{chat}' --format table"),
        format!("query {folder} --kind system --order created --reverse --limit 5 --format table"),
        format!("history {folder} --chat '{chat}' --id {id}"),
        format!("get {folder} --chat '{chat}' --id {id}"),
        format!("query {folder} --modified-from 2024 --explain"),
        format!("compact {folder}"),
        format!("export {folder} --format html --all --out {}", out.display()),
        "--help".to_owned(),
    ] {
        console.line(format!("   cargo run --release -- {rest}"))?;
    }
    Ok(())
}
