//! `import`: an export's files into an archive.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, ensure};
use chatvault_engine::{Archive, Custodian, Environment, EnvironmentOptions, Options};
use chatvault_ingest::{ImportOptions, Notice, Source, Summary, import};
use clap::Args;
use serde::Serialize;

use crate::console::Console;
use crate::failure::{Outcome, WrongUsage};
use crate::progress::{Bar, now};
use crate::report::{Copies, Tail, beside_line, by_custodian, print_custodians};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  chatvault import team.cvault pages/
  chatvault import team.cvault --custodian ann page-1.json page-2.json.zst
  chatvault import team.cvault --custodian team:sales channel.jsonl.gz
  curl … | chatvault import team.cvault --custodian ann -

Without --custodian each PATH is a folder with a folder per custodian, named after it: ID or user_ID \
for a user, team_ID for a team; every file below is that custodian's. With --custodian each PATH is a \
file, a folder of files, or - for standard input.

Files are what the service returned: pages (a JSON object with `value`), answers to $batch, arrays of \
these, single messages, or JSON lines, in one file one behind the other if need be; each file may be \
compressed (gzip, zstd), which is told by content. Replies that came in their post ($expand=replies) are \
messages, too. What is not readable goes to quarantine with its file and offset, and the rest is imported.

Import again whenever you like: what is there already is only counted, so an import that was stopped \
(Ctrl-C, a power cut) is finished by starting it again. Everything reported is durable.

Exit codes: 0 done; 1 a file could not be read, or stopped before the end; 2 wrong usage; 3 done, with \
copies in quarantine (see `chatvault quarantine`), or a file says that the service has more than is in it.

JSON fields: finished, run, files, hidden_files (not read), bytes, commits, copies, stored (new \
versions), variants, duplicates, quarantined, stored_beside (of these stored though they may equal a row that \
could not be read, see `verify`), failures (not read to the end), missing (the service has more) and \
warnings (lists of file, message), seconds, \
copies_per_second, dropped_tail (what an earlier crash left behind the last commit, never acknowledged: \
file, offset, bytes; or null), and with --by-custodian: by_custodian \
(custodian to copies, stored, variants, duplicates, quarantined). Sizes are in bytes.";

/// Import an export: page files or JSON lines
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder; `chatvault init` makes one
    archive: PathBuf,
    /// Folders with a folder per custodian; with --custodian files, folders, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Whose export the files are: a user's id, user:ID or team:ID
    #[arg(long, value_name = "ID")]
    custodian: Option<String>,
    /// Threads that read, split and encode; as many as there are processors if left out
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Memory in MiB for rows on their way, duplicates' fingerprints and caches; each thread takes
    /// some more
    #[arg(long, value_name = "MIB", default_value_t = 224)]
    #[arg(value_parser = clap::value_parser!(u32).range(32..=1_048_576))]
    memory: u32,
    /// Also report each custodian's copies
    #[arg(long)]
    by_custodian: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Paths that a run's label names.
const LABEL_PATHS: usize = 3;

/// The documented fields.
#[derive(Debug, Default, Serialize)]
struct Report {
    finished: bool,
    run: u32,
    files: u64,
    hidden_files: u64,
    bytes: u64,
    commits: u64,
    #[serde(flatten)]
    counts: Copies,
    stored_beside: u64,
    failures: Vec<Remark>,
    missing: Vec<Remark>,
    warnings: Vec<Remark>,
    seconds: f64,
    copies_per_second: f64,
    dropped_tail: Option<Tail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_custodian: Option<BTreeMap<String, Copies>>,
}

/// Something to know about a file.
#[derive(Clone, Debug, Serialize)]
struct Remark {
    file: String,
    message: String,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let sources = sources(arguments)?;
    let folder = &arguments.archive;
    let archive = super::open_to_write(folder, options(arguments.memory))?;
    let known = archive.snapshot()?.custodians()?;
    let dropped_tail = archive.dropped_tail().map(Tail::from);
    let start = now();
    let summary = deliver(&archive, sources, &import_options(arguments), console)?;
    // Sealing belongs to the time: what is reported is in its place.
    super::close(archive, folder, console)?;
    let new = summary.by_custodian.keys().filter(|name| !known.contains_key(*name));
    let odd: Vec<String> = new.filter(|name| !is_guid(name)).map(ToString::to_string).collect();
    let report =
        Report { dropped_tail, ..report(summary, start.elapsed(), arguments.by_custodian) };
    console.show(arguments.json, &report, |console| print(&report, console))?;
    advise(&report, arguments, console)?;
    if let Some(note) = unfamiliar(&odd) {
        console.remark(note)?;
    }
    Ok(outcome(&report))
}

/// Divides the memory as the engine's own defaults do.
pub(super) fn options(mebibytes: u32) -> Options {
    let share = |sevenths: u64| {
        usize::try_from((u64::from(mebibytes) << 20) * sevenths / 7).unwrap_or(usize::MAX)
    };
    let mut environment = EnvironmentOptions::default();
    environment.cache_bytes = share(2);
    let mut options = Options::default();
    options.environment = Some(Environment::new(environment));
    options.memtable_bytes = share(2);
    options.recall_bytes = share(3);
    options
}

fn outcome(report: &Report) -> Outcome {
    if !report.finished || !report.failures.is_empty() {
        Outcome::Failed
    } else if report.counts.quarantined > 0 || !report.missing.is_empty() {
        Outcome::Incomplete
    } else {
        Outcome::Done
    }
}

fn report(summary: Summary, time: Duration, with_custodians: bool) -> Report {
    let seconds = time.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a speed for people and reports")]
    let copies = summary.counts.offered as f64;
    Report {
        finished: summary.finished,
        run: summary.run.0,
        files: summary.files,
        hidden_files: summary.hidden_files,
        bytes: summary.bytes,
        commits: summary.commits,
        counts: summary.counts.into(),
        stored_beside: summary.stored_beside,
        failures: remarks(summary.failures),
        missing: remarks(summary.missing),
        warnings: remarks(summary.warnings),
        seconds,
        copies_per_second: if seconds > 0.0 { copies / seconds } else { 0.0 },
        dropped_tail: None,
        by_custodian: with_custodians.then(|| by_custodian(&summary.by_custodian)),
    }
}

fn remarks(notices: Vec<Notice>) -> Vec<Remark> {
    let remark = |notice: Notice| Remark { file: notice.file, message: notice.message };
    notices.into_iter().map(remark).collect()
}

fn print(report: &Report, console: &mut Console<'_>) -> anyhow::Result<()> {
    for line in lines(report) {
        console.line(line)?;
    }
    if let Some(tail) = &report.dropped_tail {
        console.line(tail.line())?;
    }
    if let Some(line) = beside_line(report.stored_beside) {
        console.line(line)?;
    }
    tell("not read", &report.failures, console)?;
    tell("missing", &report.missing, console)?;
    tell("odd", &report.warnings, console)?;
    print_custodians(console, report.by_custodian.as_ref())
}

/// Files of which the same is to be said are named up to this number.
const NAMED_FILES: usize = 3;

/// What is to be known of files: what is said of many, once.
fn tell(word: &str, remarks: &[Remark], console: &mut Console<'_>) -> anyhow::Result<()> {
    let mut unnamed: Vec<(&str, u64)> = Vec::new();
    let mut named: HashMap<&str, usize> = HashMap::new();
    for Remark { file, message } in remarks {
        let count = named.entry(message).or_default();
        *count += 1;
        if *count <= NAMED_FILES {
            console.line(format!("{word}: {file}: {message}"))?;
        } else if let Some((_, more)) = unnamed.iter_mut().find(|(other, _)| other == message) {
            *more += 1;
        } else {
            unnamed.push((message, 1));
        }
    }
    for (message, more) in unnamed {
        console.line(format!("{word}: {}: {message}", text::plural(more, "more file")))?;
    }
    Ok(())
}

fn lines(report: &Report) -> Vec<String> {
    let counts = &report.counts;
    let files = format!("{} ({})", text::count(report.files), text::size(report.bytes));
    let speed = format!("{:.0}", report.copies_per_second);
    let speed = text::count(speed.parse().unwrap_or_default());
    text::aligned(&[
        ("files", files),
        ("copies delivered", text::count(counts.offered)),
        ("  new versions", text::count(counts.stored)),
        ("  new variants", text::count(counts.variants)),
        ("  duplicates", text::count(counts.duplicates)),
        ("  quarantined", text::count(counts.quarantined)),
        ("time", format!("{:.1} s, {speed} copies/s", report.seconds)),
    ])
}

fn advise(report: &Report, arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<()> {
    if !report.finished {
        let note = "stopped; what is reported is durable: start the same import again to finish it";
        console.remark(note)?;
    }
    if !report.failures.is_empty() {
        let count = text::plural(u64::try_from(report.failures.len())?, "file");
        let rest = if report.counts.offered > 0 { "; the rest was imported" } else { "" };
        console.remark(format!("{count} could not be read to the end{rest}"))?;
    }
    if report.hidden_files > 0 {
        let count = text::plural(report.hidden_files, "hidden file");
        console.remark(format!("{count} not read: the names start with a dot"))?;
    }
    if report.counts.quarantined > 0 {
        let archive = arguments.archive.display();
        console.remark(format!("see what went to quarantine: chatvault quarantine {archive}"))?;
    }
    Ok(())
}

/// Is it an id of the directory?
fn is_guid(custodian: &Custodian) -> bool {
    let id = custodian.as_str().rsplit(':').next().unwrap_or_default();
    let parts: Vec<&str> = id.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What to know about custodians that are new and may be typing errors: they are there to stay.
fn unfamiliar(new: &[String]) -> Option<String> {
    let first = new.first()?;
    let whose = match new.len() {
        1 => format!("{first} is a new custodian and"),
        count => format!("{first} and {} more are new custodians and", count - 1),
    };
    Some(format!("note: {whose} no id of the directory; what they delivered stays under that name"))
}

/// Whose files are where. What is certainly meant otherwise is refused before anything is read.
fn sources(arguments: &Arguments) -> Result<Vec<Source>, WrongUsage> {
    if let Some(id) = &arguments.custodian {
        let custodian =
            Custodian::try_parse(id).map_err(|why| WrongUsage(format!("--custodian: {why}")))?;
        let paths = arguments.paths.clone();
        return Ok(vec![Source::Files { custodian, paths }]);
    }
    match arguments.paths.iter().find(|path| is_no_folder(path)) {
        Some(path) => Err(WrongUsage(format!(
            "{} is no folder of custodians' folders: say whose export it is with --custodian ID",
            path.display()
        ))),
        None => Ok(arguments.paths.iter().cloned().map(Source::Folders).collect()),
    }
}

#[expect(clippy::disallowed_methods, reason = "what the user names is outside of any archive")]
fn is_no_folder(path: &Path) -> bool {
    path.as_os_str() == "-" || path.is_file()
}

fn import_options(arguments: &Arguments) -> ImportOptions {
    let paths: Vec<String> =
        arguments.paths.iter().take(LABEL_PATHS).map(|path| path.display().to_string()).collect();
    let threads = arguments.threads.and_then(|number| NonZeroUsize::new(number.into()));
    let mut options = ImportOptions::default();
    options.label = format!("import {}", paths.join(" "));
    options.threads = threads.unwrap_or(options.threads);
    options
}

fn deliver(
    archive: &Archive,
    sources: Vec<Source>,
    options: &ImportOptions,
    console: &Console<'_>,
) -> Result<Summary, chatvault_ingest::Error> {
    let bar = Bar::start(console, "importing", "bytes");
    console.stop.heed();
    import(archive, sources, options, &mut |progress| {
        bar.set(progress.share());
        console.stop.flow()
    })
}

/// Imports a folder with a folder per custodian, for the demo.
pub(super) fn folder(
    archive: &Archive,
    folder: PathBuf,
    console: &Console<'_>,
) -> anyhow::Result<()> {
    let mut options = ImportOptions::default();
    options.label = String::from("demo");
    let summary = deliver(archive, vec![Source::Folders(folder)], &options, console)?;
    if let Some(failure) = summary.failures.first() {
        bail!("{}: {}", failure.file, failure.message);
    }
    ensure!(summary.finished, "stopped: start the demo again");
    Ok(())
}

#[cfg(test)]
mod tests {
    use chatvault_engine::Counts;

    use super::*;

    fn summary() -> Summary {
        let counts = Counts {
            offered: 2_000_000,
            stored: 400_000,
            duplicates: 1_600_000,
            ..Counts::default()
        };
        let mut summary = Summary::default();
        (summary.files, summary.bytes, summary.finished) = (46_351, 3 << 30, true);
        summary.counts = counts;
        summary
    }

    #[test]
    fn the_report_adds_up_for_people() {
        let report = report(summary(), Duration::from_secs(4), false);
        assert_eq!(
            lines(&report),
            [
                "files             46,351 (3.0 GiB)",
                "copies delivered  2,000,000",
                "  new versions    400,000",
                "  new variants    0",
                "  duplicates      1,600,000",
                "  quarantined     0",
                "time              4.0 s, 500,000 copies/s",
            ]
        );
    }

    #[test]
    fn a_new_custodian_that_is_no_id_of_the_directory_is_named() {
        assert!(is_guid(&Custodian::user("0b4f1c2d-aaaa-bbbb-cccc-0123456789ab")));
        let odd = ["ann", "0b4f1c2d-aaaa-bbbb-cccc-0123456789a", "0b4f1c2d_aaaa-bbbb-cccc-0123"];
        assert!(odd.iter().all(|id| !is_guid(&Custodian::team(id))));
        let names = ["user:ann".to_owned(), "user:ben".to_owned()];
        assert_eq!(unfamiliar(&[]), None);
        assert!(unfamiliar(&names[..1]).is_some_and(|note| note.contains("user:ann is a new")));
        assert!(unfamiliar(&names).is_some_and(|note| note.contains("user:ann and 1 more are")));
    }

    #[test]
    fn the_exit_code_tells_failure_before_quarantine() {
        let ended = |change: &dyn Fn(&mut Report)| {
            let mut report = report(summary(), Duration::from_secs(1), false);
            change(&mut report);
            outcome(&report)
        };
        let failure = Remark { file: "a".to_owned(), message: "b".to_owned() };
        let quarantined = |report: &mut Report| report.counts.quarantined = 1;
        assert_eq!(ended(&|_| {}), Outcome::Done);
        assert_eq!(ended(&quarantined), Outcome::Incomplete);
        let missing = |report: &mut Report| report.missing.push(failure.clone());
        assert_eq!(ended(&missing), Outcome::Incomplete);
        assert_eq!(ended(&|report| report.finished = false), Outcome::Failed);
        let both = |report: &mut Report| {
            quarantined(report);
            report.failures.push(failure.clone());
        };
        assert_eq!(ended(&both), Outcome::Failed);
    }

    #[test]
    fn standard_input_is_some_custodians() {
        use clap::Parser;
        let sources = |options: &[&str]| {
            let line = ["chatvault", "import", "a"].into_iter().chain(options.iter().copied());
            match crate::args::Arguments::try_parse_from(line).unwrap().command {
                crate::args::Command::Import(arguments) => sources(&arguments),
                other => panic!("parsed as {other:?}"),
            }
        };
        assert!(sources(&["-"]).is_err());
        let files = sources(&["--custodian", "team:t", "-", "x"]).unwrap();
        let expected = "[Files { custodian: Custodian(\"team:t\"), paths: [\"-\", \"x\"] }]";
        assert_eq!(format!("{files:?}"), expected);
        assert_eq!(format!("{:?}", sources(&["p"]).unwrap()), "[Folders(\"p\")]");
    }

    #[test]
    fn memory_is_divided_and_never_exceeded() {
        for mebibytes in [32, 224, 1_048_576] {
            let options = options(mebibytes);
            let environment = options.environment.as_ref().unwrap();
            let cache_bytes = environment.options().cache_bytes;
            let sum = cache_bytes + options.memtable_bytes + options.recall_bytes;
            assert!(sum <= usize::try_from(mebibytes).unwrap() << 20);
        }
        assert_eq!(options(224).memtable_bytes, Options::default().memtable_bytes);
    }
}
