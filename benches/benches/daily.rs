//! Daily life: a process a day that opens the archive, commits and closes.
//!
//! Prints what each month cost this process and what it left, and at the end all bytes written and
//! those that stay. `CHATVAULT_DAYS` says how many days, `CHATVAULT_CORPUS` what is there before. It
//! reads `/proc`, so it needs Linux.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]
#![expect(clippy::print_stderr, reason = "counts are printed, nothing is timed by criterion")]
#![expect(clippy::disallowed_methods, reason = "it asks the system what this process did")]

use chatvault_benches::{Export, Trial};
use chatvault_engine::{Archive, Custodian, Origin, RecordKind, Stat};
use chatvault_support::generate::{Shape, Tenant};

const COMMITS: usize = 30;
const MESSAGES: usize = 100;
const MONTH: usize = 30;

fn main() {
    let days = std::env::var("CHATVAULT_DAYS").map_or(64, |days| days.parse().unwrap());
    let trial = Trial::new();
    let _before = trial.import(Export::find().versions());
    let messages = days * COMMITS * MESSAGES;
    let tenant =
        Tenant::new(7, &Shape { users: 400, conversations: 1_500, messages, redressed_percent: 0 });
    let documents: Vec<&str> = tenant.documents().collect();
    let before = trial.open().stat().unwrap();
    tell(0, &before);
    let (mut month, mut dearest, mut first, written) = (0, 0, 0, bytes_written());
    for (day, documents) in (1..=days).zip(documents.chunks(COMMITS * MESSAGES)) {
        let start = cpu_ms();
        live(&trial.open_as_default(), documents);
        let cost = cpu_ms() - start;
        (month, dearest) = (month + cost, dearest.max(cost));
        first = if day == 1 { cost } else { first };
        if day % MONTH == 0 || day == days {
            let of = if day % MONTH == 0 { MONTH } else { day % MONTH };
            eprintln!("{month} ms of CPU in {of} days, the dearest {dearest}, day 1 {first}");
            tell(day, &trial.open().stat().unwrap());
            (month, dearest) = (0, 0);
        }
    }
    let after = trial.open().stat().unwrap();
    let (written, more) = (bytes_written() - written, kept(&after).saturating_sub(kept(&before)));
    eprintln!(
        "{written} bytes written for {} more rows, {more} more bytes",
        after.versions - before.versions
    );
}

fn tell(day: usize, stat: &Stat) {
    let tenths = kept(stat) * 10 / (stat.versions + stat.variants);
    let (whole, tenth, segments) = (tenths / 10, tenths % 10, stat.segments);
    eprintln!("day {day}: {segments} segments, {whole}.{tenth} bytes a version");
}

/// What stays: nothing that is derived, and no trash.
fn kept(stat: &Stat) -> u64 {
    let parts = stat.bytes_by_part.iter();
    parts
        .filter(|(part, _)| !["trash", "catalog", "search"].contains(&&***part))
        .map(|(_, bytes)| bytes)
        .sum()
}

fn live(archive: &Archive, documents: &[&str]) {
    let run = archive.begin_run("a day").unwrap();
    let custodian = Custodian::user("everybody");
    for commit in documents.chunks(MESSAGES) {
        let mut batch = archive.batch(run);
        for document in commit {
            let origin = Origin { source: "day.json", offset: 0 };
            batch.offer(&custodian, RecordKind::Message, document.as_bytes(), origin);
        }
        drop(batch.commit().unwrap());
    }
    archive.clone().close().unwrap();
}

/// A tick of the system is ten milliseconds.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2);
    fields.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum()
}

/// By system calls, what the catalog writes included.
fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
    line.parse().unwrap()
}
