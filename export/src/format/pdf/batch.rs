//! The work that several threads share: laying entries out, and packing pages.
//!
//! Jobs are taken in turn and their results are put back in order, so what comes out is the same
//! with one thread or ten.

use std::convert::Infallible;
use std::ops::ControlFlow;

use chatvault_base::threads::in_order;

use super::entry::{Laid, Measure, lay_out};
use super::shape::Shaper;
use super::thread::Placed;
use super::volume::Page;
use crate::entry::Context;

/// Entries that one job lays out: enough that taking a job costs nothing beside it.
const ENTRIES_PER_JOB: usize = 16;

enum Job<'a> {
    LayOut(&'a [Placed]),
    Pack(&'a mut Page),
}

/// Lays out entries and packs pages with as many threads as there are shapers.
pub(super) fn work(
    shapers: &mut [Shaper<'_>],
    entries: &[Placed],
    pages: &mut [Page],
    (context, measure): (&Context<'_>, Measure<'_>),
) -> Vec<Laid> {
    let run = |shaper: &mut Shaper<'_>, job: Job<'_>| match job {
        Job::LayOut(entries) => {
            entries.iter().map(|placed| lay_out(shaper, placed, context, measure)).collect()
        }
        Job::Pack(page) => {
            page.content.pack();
            Vec::new()
        }
    };
    let mut all = Vec::new();
    let take = |laid: Vec<Laid>| {
        all.extend(laid);
        ControlFlow::<Infallible>::Continue(())
    };
    let jobs = entries.chunks(ENTRIES_PER_JOB).map(Job::LayOut);
    let jobs = jobs.chain(pages.iter_mut().map(Job::Pack));
    let ControlFlow::Continue(()) = in_order("export-pdf", shapers, jobs, run, take);
    all
}
