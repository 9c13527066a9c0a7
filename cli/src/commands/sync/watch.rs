//! One line that says how far a run is, for somebody who watches.

use std::time::Duration;

use chatvault_ingest::sync::SyncProgress;

use crate::text;

/// Copies a second, measured over the last seconds and not since the start.
#[derive(Debug, Default)]
pub(super) struct Speed {
    since: Duration,
    copies: u64,
    per_second: Option<u64>,
}

/// A speed is measured over at least this long.
const SPAN: Duration = Duration::from_secs(2);

impl Speed {
    /// The speed now, `at` so long after the start; none in the first seconds.
    pub(super) fn at(&mut self, at: Duration, copies: u64) -> Option<u64> {
        let span = at.saturating_sub(self.since);
        if span >= SPAN {
            let arrived = u128::from(copies.saturating_sub(self.copies));
            let speed = arrived * 1_000 / span.as_millis().max(1);
            self.per_second = u64::try_from(speed).ok();
            (self.since, self.copies) = (at, copies);
        }
        self.per_second
    }
}

/// What goes on, in words.
pub(super) fn words(progress: &SyncProgress, speed: Option<u64>) -> String {
    if progress.total_accounts == 0 {
        return "signing in and reading the directory".to_owned();
    }
    let speed = speed.map(|speed| format!(" ({}/s)", text::count(speed))).unwrap_or_default();
    let (done, all) = (text::count(progress.accounts), text::count(progress.total_accounts));
    let mut parts = vec![
        format!("{done} of {all} accounts"),
        text::plural(progress.pages, "page"),
        format!("{} copies{speed}", text::count(progress.copies)),
    ];
    if progress.objects > 0 {
        let bytes = text::size(progress.object_bytes);
        parts.push(format!("{} ({bytes})", text::plural(progress.objects, "object")));
    }
    if progress.missing > 0 {
        parts.push(format!("{} missing", text::count(progress.missing)));
    }
    if progress.throttled {
        parts.push("waiting: the service asked for a pause".to_owned());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_the_last_seconds() {
        let mut speed = Speed::default();
        let at = Duration::from_millis;
        assert_eq!(speed.at(at(500), 1_000), None);
        assert_eq!(speed.at(at(2_000), 10_000), Some(5_000));
        assert_eq!(speed.at(at(3_000), 90_000), Some(5_000), "not measured long enough");
        assert_eq!(speed.at(at(12_000), 10_000), Some(0));
    }

    #[test]
    fn the_line_says_what_is_worth_saying() {
        let mut progress = SyncProgress::default();
        assert_eq!(words(&progress, None), "signing in and reading the directory");
        progress = SyncProgress { accounts: 3, total_accounts: 1_234, ..progress };
        (progress.pages, progress.copies) = (1, 250);
        assert_eq!(words(&progress, None), "3 of 1,234 accounts, 1 page, 250 copies");
        (progress.objects, progress.object_bytes, progress.missing) = (2, 2_048, 1);
        let end = "250 copies (90,000/s), 2 objects (2.0 KiB), 1 missing";
        let line = words(&progress, Some(90_000));
        assert!(line.ends_with(end), "{line}");
        progress.throttled = true;
        let line = words(&progress, None);
        assert!(line.ends_with("1 missing, waiting: the service asked for a pause"), "{line}");
    }
}
