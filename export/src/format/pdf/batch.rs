//! The work that several threads share: laying entries out, and packing pages.
//!
//! Jobs are taken in turn and their results are put back in order, so what comes out is the same
//! with one thread or ten.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::entry::{Laid, Measure, lay_out};
use super::shape::Shaper;
use super::thread::Placed;
use super::volume::Page;
use crate::entry::Context;

/// Entries that one job lays out: enough that taking a job costs nothing beside it.
const ENTRIES_PER_JOB: usize = 16;

/// A piece of work with the place for its result.
enum Job<'a> {
    LayOut(&'a [Placed], Mutex<Vec<Laid>>),
    Pack(Mutex<&'a mut Page>),
}

/// Lays out entries and packs pages with as many threads as there are shapers.
pub(super) fn work(
    shapers: &mut [Shaper<'_>],
    entries: &[Placed],
    pages: &mut [Page],
    (context, measure): (&Context<'_>, Measure<'_>),
) -> Vec<Laid> {
    let lay = entries.chunks(ENTRIES_PER_JOB).map(|chunk| Job::LayOut(chunk, Mutex::default()));
    let pack = pages.iter_mut().map(|page| Job::Pack(Mutex::new(page)));
    let jobs: Vec<Job<'_>> = lay.chain(pack).collect();
    let next = AtomicUsize::new(0);
    let run = |shaper: &mut Shaper<'_>| {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            job.run(shaper, context, measure);
        }
    };
    let Some((first, others)) = shapers.split_first_mut() else { return Vec::new() };
    std::thread::scope(|scope| {
        for shaper in others {
            // Without more threads this one does everything.
            let builder = std::thread::Builder::new().name("export-pdf".to_owned());
            drop(builder.spawn_scoped(scope, || run(shaper)));
        }
        run(first);
    });
    let results = jobs.into_iter().filter_map(|job| match job {
        Job::LayOut(_, laid) => Some(laid.into_inner().unwrap_or_else(PoisonError::into_inner)),
        Job::Pack(_) => None,
    });
    results.flatten().collect()
}

impl Job<'_> {
    fn run(&self, shaper: &mut Shaper<'_>, context: &Context<'_>, measure: Measure<'_>) {
        match self {
            Self::LayOut(entries, out) => {
                let laid = entries.iter().map(|placed| lay_out(shaper, placed, context, measure));
                *out.lock().unwrap_or_else(PoisonError::into_inner) = laid.collect();
            }
            Self::Pack(page) => {
                page.lock().unwrap_or_else(PoisonError::into_inner).content.pack();
            }
        }
    }
}
