//! What the parts of the program say while they work, on standard error.

use std::io;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, format::FmtSpan};
use tracing_subscriber::layer::SubscriberExt;

/// The names of the levels, for the command line.
pub(crate) const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// From now on every span is told when it ends, with the time that it took, and every event.
pub(crate) fn start(level: Level) {
    let lines = fmt::layer().with_writer(io::stderr).with_span_events(FmtSpan::CLOSE);
    // Ours name no text of a message and no secret. What libraries say of their requests could.
    let ours = Targets::new().with_target("chatvault", level);
    let subscriber = tracing_subscriber::registry().with(lines).with(ours);
    // A process has one; the first stays.
    drop(tracing::subscriber::set_global_default(subscriber));
}
