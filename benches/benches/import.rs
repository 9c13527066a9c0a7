//! Import of an export: every copy of it, and its distinct versions alone. Both end durable.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]
#![expect(clippy::print_stderr, reason = "sizes are printed beside the times")]

use std::time::Duration;

use chatvault_benches::{Export, Trial};
use chatvault_engine::{Archive, Counts, go_on};
use chatvault_ingest::Source;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, SamplingMode, Throughput};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let export = Export::find();
    let mut group = criterion.benchmark_group("import");
    let _ = group.sampling_mode(SamplingMode::Flat).sample_size(10);
    let _ = group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(20));
    import(&mut group, "copies", || export.pages());
    import(&mut group, "versions", || export.versions());
    group.finish();
    criterion.final_summary();
}

/// The first import is not measured: it brings the files into the page cache and says how many
/// copies there are and what they take.
fn import(group: &mut BenchmarkGroup<'_, WallTime>, what: &str, source: impl Fn() -> Source) {
    let trial = Trial::new();
    let counts = trial.import(source());
    print_size(&format!("{what}, after import"), &trial.open(), counts);
    let _ = group.throughput(Throughput::Elements(counts.offered));
    let _ = group.bench_function(what, |bencher| {
        let import = |trial: Trial| (trial.import(source()), trial);
        bencher.iter_batched(Trial::new, import, BatchSize::PerIteration);
    });
    let archive = trial.open_to_write();
    assert!(archive.compact(&mut go_on).unwrap().finished);
    archive.close().unwrap();
    print_size(&format!("{what}, after compact"), &trial.open(), counts);
}

fn print_size(when: &str, archive: &Archive, counts: Counts) {
    let parts = archive.stat().unwrap().bytes_by_part;
    let bytes: u64 = parts.values().sum();
    let versions = (counts.stored + counts.variants).max(1);
    let (whole, tenth) = (bytes / versions, bytes * 10 / versions % 10);
    let copies = counts.offered;
    eprintln!(
        "{when}: {whole}.{tenth} bytes a version ({copies} copies, {versions} versions, {parts:?})"
    );
}
