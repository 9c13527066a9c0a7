//! Reading: everything, a conversation, a day, one message; and opening.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;
use std::time::Duration;

use chatvault_benches::{Export, Trial};
use chatvault_engine::{Scan, Snapshot, Stored, TimeRange, Timestamp, Versions};
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, SamplingMode, Throughput};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Rows that the questions are made of.
const SAMPLES: u64 = 1_000;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let trial = Trial::new();
    let counts = trial.import(Export::find().pages());
    let snapshot = trial.open().snapshot().unwrap();
    let samples = samples(&snapshot, counts.stored + counts.variants);
    let mut group = criterion.benchmark_group("read");
    scan_everything(&mut group, &snapshot);
    conversation(&mut group, &trial, &snapshot, &samples);
    day(&mut group, &snapshot, &samples);
    one_message(&mut group, &snapshot, &samples);
    open(&mut group, &trial);
    group.finish();
    criterion.final_summary();
}

/// Rows spread over the whole archive, in an order that jumps about.
fn samples(snapshot: &Snapshot, rows: u64) -> Vec<Stored> {
    let step = (rows / SAMPLES).max(1);
    let mut scan = snapshot.scan(&everything()).unwrap();
    let (mut samples, mut at) = (Vec::new(), 0_u64);
    while let Some(row) = scan.next().unwrap() {
        if at.is_multiple_of(step) {
            samples.push(row.to_stored().unwrap());
        }
        at += 1;
    }
    // A content address is as good as chance.
    samples.sort_unstable_by_key(|row| row.address);
    assert!(!samples.is_empty(), "nothing was imported");
    samples
}

fn everything() -> Scan {
    Scan { versions: Versions::All, ..Scan::default() }
}

/// Makes JSON lines of what a scan gives; gives rows and bytes.
fn run(snapshot: &Snapshot, scan: &Scan) -> (u64, u64) {
    let mut rows = snapshot.scan(scan).unwrap();
    let mut line = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = rows.next().unwrap() {
        line.clear();
        line.extend_from_slice(row.json());
        line.push(b'\n');
        count += 1;
        bytes += black_box(&line).len() as u64;
    }
    (count, bytes)
}

fn scan_everything(group: &mut Group<'_>, snapshot: &Snapshot) {
    let scan = everything();
    let (rows, bytes) = run(snapshot, &scan);
    let _ = group.sampling_mode(SamplingMode::Flat).sample_size(10);
    let _ = group.measurement_time(Duration::from_secs(10));
    for (what, throughput) in
        [("all rows", Throughput::Elements(rows)), ("all bytes", Throughput::Bytes(bytes))]
    {
        let _ = group.throughput(throughput);
        let _ = group.bench_function(what, |bencher| bencher.iter(|| run(snapshot, &scan)));
    }
    let _ = group.sampling_mode(SamplingMode::Auto).sample_size(50);
    let _ = group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(5));
}

fn conversation(group: &mut Group<'_>, trial: &Trial, snapshot: &Snapshot, samples: &[Stored]) {
    let conversation = |row: &Stored| vec![row.key.conversation.clone()];
    let scans: Vec<_> = samples
        .iter()
        .map(|row| Scan { conversations: conversation(row), ..everything() })
        .collect();
    let mut next = scans.iter().cycle();
    let _ = group.bench_function("a random conversation, warm", |bencher| {
        bencher.iter(|| next.next().map(|scan| run(snapshot, scan)));
    });
    // The archive is opened anew for each, so its caches are empty; the system's are not.
    let _ = group.bench_function("a random conversation, first touch", |bencher| {
        let fresh = || trial.open().snapshot().unwrap();
        let first = |snapshot| (next.next().map(|scan| run(&snapshot, scan)), snapshot);
        bencher.iter_batched(fresh, first, BatchSize::PerIteration);
    });
}

fn day(group: &mut Group<'_>, snapshot: &Snapshot, samples: &[Stored]) {
    let scan = |row: &Stored| {
        let from = row.modified.ms().div_euclid(DAY_MS) * DAY_MS;
        let [from, to] = [from, from + DAY_MS].map(|ms| Some(Timestamp::from_ms(ms)));
        Scan { modified: TimeRange { from, to }, ..everything() }
    };
    let scans: Vec<_> = samples.iter().map(scan).collect();
    let mut next = scans.iter().cycle();
    let _ = group.bench_function("a day by modified time", |bencher| {
        bencher.iter(|| next.next().map(|scan| run(snapshot, scan)));
    });
}

fn one_message(group: &mut Group<'_>, snapshot: &Snapshot, samples: &[Stored]) {
    let mut next = samples.iter().cycle();
    let _ = group.bench_function("get by address", |bencher| {
        bencher.iter(|| next.next().map(|row| snapshot.get(&row.address).unwrap().unwrap()));
    });
    let _ = group.bench_function("get by key", |bencher| {
        bencher.iter(|| next.next().map(|row| snapshot.latest(&row.key).unwrap().unwrap()));
    });
}

fn open(group: &mut Group<'_>, trial: &Trial) {
    let _ = group.bench_function("open to read", |bencher| {
        bencher.iter_batched(|| (), |()| trial.open(), BatchSize::PerIteration);
    });
    // The lock is given back between two openings, outside of what is measured.
    let _ = group.bench_function("open to write, closed cleanly", |bencher| {
        bencher.iter_batched(|| (), |()| trial.open_to_write(), BatchSize::PerIteration);
    });
}
