//! Exports of everything, text only, in each format: reading, rendering, packing and proving; and of
//! one person's last 90 days as mails.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use chatvault_benches::{Export, Trial};
use chatvault_engine::{Disk, Snapshot, Timestamp};
use chatvault_export::{Format, Request, Run};
use criterion::{BatchSize, Criterion, SamplingMode, Throughput};

/// A fixed time of the exports, behind every message.
const AT_MS: i64 = 4_102_444_800_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let trial = Trial::new();
    let _counts = trial.import(Export::find().pages());
    let snapshot = trial.open().snapshot().unwrap();
    let messages = snapshot.count(&chatvault_engine::Scan::default()).unwrap();
    let mut group = criterion.benchmark_group("export");
    let _ = group.sampling_mode(SamplingMode::Flat).sample_size(10);
    let _ = group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(20));
    let _ = group.throughput(Throughput::Elements(messages));
    for name in Format::NAMES {
        let format: Format = name.parse().unwrap();
        let _ = group.bench_function(name, |bencher| {
            let run = |folder: tempfile::TempDir| {
                assert_eq!(written(&snapshot, everything(format), &folder), messages);
                folder
            };
            bencher.iter_batched(|| tempfile::tempdir().unwrap(), run, BatchSize::PerIteration);
        });
    }
    let _ = group.throughput(Throughput::Elements(1));
    let _ = group.bench_function("one person's last 90 days", |bencher| {
        let last = last_days(&snapshot);
        let run = |folder: tempfile::TempDir| {
            assert!(written(&snapshot, last.clone(), &folder) > 0);
            folder
        };
        bencher.iter_batched(|| tempfile::tempdir().unwrap(), run, BatchSize::PerIteration);
    });
    group.finish();
    criterion.final_summary();
}

fn everything(format: Format) -> Request {
    Request { format, all_time: true, window_days: 0, text_only: true, ..Request::default() }
}

/// The mails of whoever has most, for the 90 days before the last message.
fn last_days(snapshot: &Snapshot) -> Request {
    let custodians = snapshot.custodians().unwrap();
    let most = custodians.iter().max_by_key(|(_, counts)| counts.offered);
    let whose = most.map(|(custodian, _)| custodian.as_str().to_owned());
    let custodians: Vec<String> = whose.into_iter().collect();
    let newest = chatvault_query::Query {
        custodians: custodians.clone(),
        order: chatvault_query::Order::Created,
        reverse: true,
        limit: Some(1),
        ..chatvault_query::Query::default()
    };
    let mut rows = newest.run(snapshot).unwrap();
    let at = rows.next().unwrap().map(|row| chatvault_query::format_time(row.created()));
    Request { format: Format::Eml, custodians, at, ..Request::default() }
}

/// Exports and gives how many messages were written.
fn written(snapshot: &Snapshot, request: Request, folder: &tempfile::TempDir) -> u64 {
    let now = Timestamp::from_ms(AT_MS);
    let export = chatvault_export::Export::new(snapshot, request, now).unwrap();
    let storage = Arc::new(Disk::new(folder.path()));
    let go_on = &mut |_: &chatvault_export::Progress| ControlFlow::Continue(());
    let index = export.run(storage, Run::default(), go_on).unwrap();
    index.counts.messages + index.counts.events
}
