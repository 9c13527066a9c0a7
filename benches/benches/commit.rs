//! A small batch on disk, durable when `commit` returns: what a live feed waits for.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use chatvault_benches::Trial;
use chatvault_engine::{Archive, Batch, Custodian, Origin, RecordKind, RunId};
use chatvault_support::Draft;
use criterion::{BatchSize, Criterion, Throughput};

const BATCH: u64 = 100;
/// 2 March 2026: the first message's time and id; every message has its own millisecond.
const START_MS: i64 = 1_772_438_400_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let trial = Trial::new();
    let archive = trial.create();
    let run = archive.begin_run("bench").unwrap();
    let mut now_ms = START_MS;
    let mut group = criterion.benchmark_group("commit");
    let _ = group.throughput(Throughput::Elements(BATCH)).sample_size(50);
    let _ = group.bench_function("100 messages, on disk", |bencher| {
        bencher.iter_batched(
            || batch(&archive, run, &mut now_ms),
            |batch| {
                let report = batch.commit().unwrap();
                assert_eq!(report.counts.stored, BATCH, "all of them are new");
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
    archive.close().unwrap();
    criterion.final_summary();
}

/// Messages that nobody has seen before, in ten chats.
fn batch(archive: &Archive, run: RunId, now_ms: &mut i64) -> Batch {
    let mut batch = archive.batch(run);
    let custodian = Custodian::user("ada");
    for offset in 0..BATCH {
        *now_ms += 1;
        let chat = format!("19:{:032x}@thread.v2", offset % 10);
        let text = format!("Order {now_ms} is packed and leaves at eight, who takes it?");
        let message = Draft::chat(&chat, *now_ms).from_user("ada", "Ada Brandt").text(&text);
        let origin = Origin { source: "feed", offset };
        batch.offer(&custodian, RecordKind::Message, message.json().as_bytes(), origin);
    }
    batch
}
