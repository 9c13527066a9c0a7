//! The run as a whole: starts the threads, watches them, sums up.

use std::time::{Duration, Instant};

use chatvault_base::OnProgress;
use chatvault_base::threads::{Ended, beside};
use chatvault_engine::Archive;
use tracing::debug_span;

use crate::error::Error;
use crate::queue::Queue;
use crate::report::{ImportOptions, Progress, Summary};
use crate::shared::{Leaving, Shared};
use crate::source::{self, Source};
use crate::worker::Worker;

/// Time between two calls of the progress callback.
const TICK: Duration = Duration::from_millis(50);

/// Imports all `sources` in one run.
///
/// `progress` is called from the calling thread, at most twenty times a second and once at the end;
/// when it breaks, the threads commit what they have and [`Summary::finished`] is false. What was
/// committed survives a power cut, also when an error ends the import. Running it again is safe:
/// what is in already is counted as duplicates.
pub fn import(
    archive: &Archive,
    sources: Vec<Source>,
    options: &ImportOptions,
    progress: OnProgress<'_, Progress>,
) -> Result<Summary, Error> {
    let span = debug_span!("import", label = options.label).entered();
    let (places, rest) = source::places(sources)?;
    let run = archive.begin_run(&options.label).map_err(Error::Archive)?;
    let shared = Shared::new(archive, run, options, Queue::new(places, options.threads.get()));
    shared.unread(rest);
    let work = |_| {
        let _span = span.clone().entered();
        let _leaving = Leaving(&shared);
        Worker::new(&shared).run();
    };
    let watch = |ended: &Ended| Watch::new((&shared, ended), progress).run();
    let workers = (0..options.threads.get()).collect();
    let ended = beside("chatvault-import", workers, work, watch);
    let _all = ended.map_err(Error::Thread)?;
    shared.into_summary()
}

/// Counts what there is to do while it is being done, and tells the caller.
struct Watch<'a> {
    shared: &'a Shared<'a>,
    ended: &'a Ended,
    report: OnProgress<'a, Progress>,
    told: Instant,
    total_files: Option<u64>,
    total_bytes: Option<u64>,
}

impl<'a> Watch<'a> {
    fn new((shared, ended): (&'a Shared<'a>, &'a Ended), report: OnProgress<'a, Progress>) -> Self {
        Self { shared, ended, report, told: real_time(), total_files: None, total_bytes: None }
    }

    fn run(mut self) {
        self.count();
        while !self.ended.wait(TICK) {
            self.tell();
        }
        self.tell();
    }

    fn count(&mut self) {
        let (mut files, mut bytes, mut bounded) = (0, 0, true);
        for place in self.shared.queue.places() {
            let (more_files, more_bytes) = source::measure(place);
            files += more_files;
            bytes += more_bytes;
            bounded &= !source::is_standard_input(&place.path);
            if self.told.elapsed() >= TICK {
                if self.ended.wait(Duration::ZERO) {
                    return;
                }
                self.tell();
            }
        }
        self.total_files = Some(files);
        self.total_bytes = bounded.then_some(bytes);
    }

    fn tell(&mut self) {
        self.told = real_time();
        let (total_files, total_bytes) = (self.total_files, self.total_bytes);
        let progress = Progress { total_files, total_bytes, ..self.shared.progress() };
        if (self.report)(&progress).is_break() && !self.ended.wait(Duration::ZERO) {
            self.shared.stop();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "paces the caller's display; nothing stored depends on it"
)]
fn real_time() -> Instant {
    Instant::now()
}
