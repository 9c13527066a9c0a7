//! How far a command is: on standard error, never among results. A bar where somebody watches, a line
//! now and then for a log, or an object a second for a program.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chatvault_engine::Progress;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::console::Console;
use crate::text;

/// Between two pictures of a line that turns by itself.
const TICK: Duration = Duration::from_millis(150);
/// Between two lines of a log.
const LOG: Duration = Duration::from_mins(1);
/// Between two objects for a program.
const JSON: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "how long a command took is the command's business")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Show {
    /// A bar on a terminal, else as `log`
    #[default]
    Auto,
    /// A line a minute
    Log,
    /// A JSON object a second: doing, done, total (null: not known), unit, seconds
    Json,
    /// Nothing
    None,
}

/// How far a command is. What is shown on a terminal is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    lines: Option<Lines>,
}

impl Bar {
    /// A bar over `unit`s whose number is told as it goes.
    pub(crate) fn start(console: &Console<'_>, doing: &'static str, unit: &'static str) -> Self {
        let numbers = match unit {
            "bytes" => "{binary_bytes}/{binary_total_bytes}, {binary_bytes_per_sec}".to_owned(),
            _ => format!("{{human_pos}}/{{human_len}} {unit}"),
        };
        let template = format!("{{msg}} {{wide_bar}} {numbers}, {{eta}} left");
        Self::new(console, ProgressBar::no_length(), &template, (doing, unit))
    }

    /// A line that says in words what goes on, for work whose end nobody knows.
    pub(crate) fn in_words(console: &Console<'_>) -> Self {
        let shown = Self::new(console, ProgressBar::no_length(), "{spinner} {wide_msg}", ("", ""));
        if !shown.bar.is_hidden() {
            // It turns by itself: waiting for a service must not look like hanging.
            shown.bar.enable_steady_tick(TICK);
        }
        shown
    }

    fn new(
        console: &Console<'_>,
        bar: ProgressBar,
        template: &str,
        (doing, unit): (&'static str, &'static str),
    ) -> Self {
        let hidden = |lines| Self { bar: ProgressBar::hidden(), lines };
        match console.progress {
            Show::None => hidden(None),
            Show::Auto if console.err_is_terminal => {
                let plain = |_| ProgressStyle::default_bar();
                let style = ProgressStyle::with_template(template).unwrap_or_else(plain);
                Self { bar: bar.with_style(style).with_message(doing), lines: None }
            }
            Show::Auto | Show::Log => hidden(Some(Lines::new(false, doing, unit))),
            Show::Json => hidden(Some(Lines::new(true, doing, unit))),
        }
    }

    /// Is it seen at all? If not, nobody needs to find words.
    pub(crate) fn is_seen(&self) -> bool {
        self.lines.is_some() || !self.bar.is_hidden()
    }

    /// What goes on.
    pub(crate) fn say(&self, words: String) {
        match &self.lines {
            Some(lines) => lines.tell(|state| state.doing = words),
            None => self.bar.set_message(words),
        }
    }

    /// How far it is.
    pub(crate) fn set(&self, Progress { done, of, .. }: Progress) {
        if let Some(lines) = &self.lines {
            return lines
                .tell(|state| (state.done, state.total) = (Some(done), of.or(state.total)));
        }
        if let Some(of) = of {
            self.bar.set_length(of);
        }
        self.bar.set_position(done);
    }

    /// Shows how far an operation is, and stops it when that is asked for.
    pub(crate) fn follow(&self, console: &Console<'_>) -> impl FnMut(&Progress) -> ControlFlow<()> {
        console.stop.heed();
        |done| {
            self.set(*done);
            console.stop.flow()
        }
    }

    /// Says how many of something were read.
    pub(crate) fn count(&self, what: &str) -> impl FnMut(&Progress) -> ControlFlow<()> {
        move |done| {
            self.say(format!("reading {what}: {}", text::count(done.done)));
            ControlFlow::Continue(())
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some(lines) = self.lines.as_ref().filter(|lines| lines.json) {
            lines.last();
        }
    }
}

/// Progress as lines.
#[derive(Debug)]
struct Lines {
    json: bool,
    start: Instant,
    told: Mutex<(Duration, State)>,
}

/// How far a command is, as programs read it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct State {
    doing: String,
    done: Option<u64>,
    total: Option<u64>,
    unit: &'static str,
    seconds: u64,
}

impl Lines {
    fn new(json: bool, doing: &str, unit: &'static str) -> Self {
        let first = if json { Duration::ZERO } else { LOG };
        let state = State { doing: doing.to_owned(), unit, ..State::default() };
        Self { json, start: now(), told: Mutex::new((first, state)) }
    }

    /// Takes over what is new, and tells it if the last line is long enough ago.
    fn tell(&self, change: impl FnOnce(&mut State)) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut told.1);
        let at = self.start.elapsed();
        if at >= told.0 {
            told.0 = at + if self.json { JSON } else { LOG };
            self.write(&mut told.1, at);
        }
    }

    fn last(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&mut told.1, self.start.elapsed());
    }

    fn write(&self, state: &mut State, at: Duration) {
        state.seconds = at.as_secs();
        let line = if self.json {
            serde_json::to_string(state).unwrap_or_default()
        } else {
            text::clean(&state.words(at)).into_owned()
        };
        // Nobody is left to tell when standard error is gone.
        drop(writeln!(io::stderr().lock(), "{line}"));
    }
}

impl State {
    /// The line for a log.
    fn words(&self, at: Duration) -> String {
        let number = |number| match self.unit {
            "bytes" => text::size(number),
            _ => text::count(number),
        };
        let unit = if self.unit == "bytes" { String::new() } else { format!(" {}", self.unit) };
        match (self.done, self.total) {
            (None, _) => self.doing.clone(),
            (Some(done), None) => format!("{}: {}{unit}", self.doing, number(done)),
            (Some(done), Some(total)) => {
                let (of, left) = (number(total), left(done, total, at));
                format!("{}: {} of {of}{unit}{left}", self.doing, number(done))
            }
        }
    }
}

/// How long the rest takes at the speed so far.
fn left(done: u64, total: u64, at: Duration) -> String {
    let rest = u128::from(total.saturating_sub(done));
    let Some(seconds) = (u128::from(at.as_secs()) * rest).checked_div(u128::from(done)) else {
        return String::new();
    };
    match seconds {
        0..60 => ", less than a minute left".to_owned(),
        60..7_200 => format!(", {} min left", seconds / 60),
        _ => format!(", {} h left", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_log_says_how_far_and_how_long() {
        let state = |unit, done, total| State {
            doing: "importing".to_owned(),
            done,
            total,
            unit,
            seconds: 0,
        };
        let at = Duration::from_mins(2);
        for (state, line) in [
            (
                state("bytes", Some(1 << 30), Some(4 << 30)),
                "importing: 1.0 GiB of 4.0 GiB, 6 min left",
            ),
            (
                state("rows", Some(1_000), Some(200_000)),
                "importing: 1,000 of 200,000 rows, 6 h left",
            ),
            (
                state("rows", Some(999), Some(1_000)),
                "importing: 999 of 1,000 rows, less than a minute left",
            ),
            (state("rows", Some(0), Some(10)), "importing: 0 of 10 rows"),
            (state("rows", Some(7), None), "importing: 7 rows"),
            (state("", None, None), "importing"),
        ] {
            assert_eq!(state.words(at), line);
        }
    }

    #[test]
    fn lines_are_due_by_time_and_keep_what_came_between() {
        let log = Lines::new(false, "verifying", "rows");
        log.tell(|state| state.done = Some(1));
        log.tell(|state| state.total = Some(2));
        let (next, state) = log.told.lock().unwrap().clone();
        assert_eq!(
            (next, state.done, state.total),
            (LOG, Some(1), Some(2)),
            "nothing was told yet"
        );
        let json = Lines::new(true, "verifying", "rows");
        json.tell(|state| state.done = Some(1));
        assert!(json.told.lock().unwrap().0 >= JSON, "the first object comes at once");
    }
}
