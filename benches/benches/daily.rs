//! A year of daily life: a process a day that opens the archive, commits and closes.
//!
//! Prints what each month cost, and what the archive is like at the end; times are this process's.
//! `CHATVAULT_DAYS` says how many days, `CHATVAULT_BASE` names lines to import first.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]
#![expect(clippy::print_stderr, reason = "it is not measured by criterion")]

use std::time::Instant;

use chatvault_benches::{Export, Trial};
use chatvault_engine::{Archive, Custodian, Origin, RecordKind};
use chatvault_support::generate::{Shape, Tenant};

const COMMITS: usize = 30;
const MESSAGES: usize = 100;
const MONTH: usize = 30;

fn main() {
    let days = std::env::var("CHATVAULT_DAYS").map_or(64, |days| days.parse().unwrap());
    let trial = Trial::new();
    let counts = trial.import(Export::find().versions());
    let messages = days * COMMITS * MESSAGES;
    let shape = Shape { users: 400, conversations: 1_500, messages, redressed_percent: 0 };
    let documents: Vec<String> =
        Tenant::new(7, &shape).documents().into_iter().map(|it| it.to_string()).collect();
    let rows = (counts.stored + counts.variants) as usize + messages;
    eprintln!("{} versions before, {} messages in {days} days", counts.stored, documents.len());
    let (mut cost, mut dearest, mut written) = (0.0, 0.0_f64, bytes_written());
    let first = written;
    for (day, documents) in documents.chunks(COMMITS * MESSAGES).take(days).enumerate() {
        let (start, ahead) = (cpu_seconds(), Instant::now());
        let archive = trial.open_as_default();
        live(&archive, documents);
        archive.close().unwrap();
        let seconds = cpu_seconds() - start;
        (cost, dearest) = (cost + seconds, dearest.max(seconds));
        if day == 0 || (day + 1) % MONTH == 0 || day + 1 == days {
            let stat = trial.open().stat().unwrap();
            let now = bytes_written();
            eprintln!(
                "day {}: {:.0} ms CPU a day, dearest {:.0}; {} segments, {} KB written; wall {:.0} ms",
                day + 1,
                cost * 1e3 / if day == 0 { 1.0 } else { MONTH as f64 },
                dearest * 1e3,
                stat.segments,
                (now - written) / 1000,
                ahead.elapsed().as_secs_f64() * 1e3,
            );
            (cost, dearest, written) = (0.0, 0.0, now);
        }
    }
    let stat = trial.open().stat().unwrap();
    let parts = &stat.bytes_by_part;
    let kept: u64 = parts
        .iter()
        .filter(|(part, _)| !matches!(&***part, "trash" | "catalog" | "search"))
        .map(|(_, bytes)| bytes)
        .sum();
    eprintln!("{parts:?}");
    eprintln!(
        "{:.1} bytes a version; {:.1} MB written in all",
        kept as f64 / rows as f64,
        (bytes_written() - first) as f64 / 1e6
    );
}

fn live(archive: &Archive, documents: &[String]) {
    let run = archive.begin_run("a day").unwrap();
    for commit in documents.chunks(MESSAGES) {
        let mut batch = archive.batch(run);
        for document in commit {
            let origin = Origin { source: "day.json", offset: 0 };
            batch.offer(
                &Custodian::user("everybody"),
                RecordKind::Message,
                document.as_bytes(),
                origin,
            );
        }
        let _report = batch.commit().unwrap();
    }
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks as f64 / 100.0
}

fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find(|line| line.starts_with("wchar")).unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}
