//! `sync` from the fake service over loopback, beside the import of the same pages from files.
//!
//! The service runs in this process and shares its cores, so the figure is a lower bound.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use chatvault_benches::{Export, Trial};
use chatvault_engine::{Archive, Timestamp};
use chatvault_fake_graph::{Behaviour, CLIENT_ID, FakeGraph, Folders, SECRET, Source};
use chatvault_ingest::graph::{App, Cloud, Credential, Feed, Limits, Secret};
use chatvault_ingest::sync::{self, Service, SyncOptions, SyncProgress, Which};
use criterion::{BatchSize, Criterion, SamplingMode, Throughput};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let export = Export::find();
    let folders = Folders::load(&export.page_folder()).unwrap();
    let copies = folders.items() as u64;
    let fake = FakeGraph::start(Source::Folders(folders), Behaviour::default()).unwrap();
    let mut group = criterion.benchmark_group("sync");
    let _ = group.sampling_mode(SamplingMode::Flat).sample_size(10);
    let _ = group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(20));
    let _ = group.throughput(Throughput::Elements(copies));
    let _ = group.bench_function("from the service", |bencher| {
        let ready = || {
            let trial = Trial::new();
            let archive = with_accounts(&trial, &fake);
            (trial, archive)
        };
        let run = |(trial, archive): (Trial, Archive)| {
            let report = read(&archive, &fake);
            archive.close().unwrap();
            assert_eq!(report.total.copies, copies, "every copy came in");
            trial
        };
        bencher.iter_batched(ready, run, BatchSize::PerIteration);
    });
    let _ = group.bench_function("from files", |bencher| {
        let import = |trial: Trial| (trial.import(export.pages()), trial);
        bencher.iter_batched(Trial::new, import, BatchSize::PerIteration);
    });
    group.finish();
    criterion.final_summary();
}

/// An archive that knows all accounts and has them active.
fn with_accounts(trial: &Trial, fake: &FakeGraph) -> Archive {
    let archive = trial.create();
    drop(read(&archive, fake));
    assert!(!sync::activate(&archive, &Which::All, true).unwrap().is_empty(), "nobody is there");
    archive
}

/// Pages of 250, one window for all time, no limits: what client and archive can do.
fn read(archive: &Archive, fake: &FakeGraph) -> sync::SyncReport {
    let app = App {
        tenant: fake.tenant_id(),
        client_id: CLIENT_ID.to_owned(),
        credential: Arc::new(Credential::Secret(Secret::new(SECRET.to_owned()))),
        cloud: Cloud::custom(&fake.origin(), &fake.origin()).unwrap(),
    };
    let none = f64::INFINITY;
    let limits = Limits {
        export_per_second: none,
        app_per_second: none,
        other_per_second: none,
        ..Limits::default()
    };
    let service = Service { limits, ..Service::new(app) };
    let mut options = SyncOptions::new("unused");
    options.feeds = vec![Feed::Chats];
    options.content = sync::Content { hosted: false, files: false, meetings: false };
    options.start = Timestamp::from_ms(0);
    options.window_days = 36_600;
    let go_on = &mut |_: &SyncProgress| ControlFlow::Continue(());
    sync::sync(archive, &service, &options, go_on).unwrap()
}
