//! Progress bars: on a terminal only, on standard error, never among results.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::console::Console;

/// Between two pictures of a line that turns by itself.
const TICK: Duration = Duration::from_millis(150);

/// How far a command is, for somebody who watches. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar over `unit`s whose number is told as it goes.
    pub(crate) fn start(console: &Console<'_>, doing: &'static str, unit: &str) -> Self {
        if !console.err_is_terminal {
            return Self(ProgressBar::hidden());
        }
        let template =
            format!("{{msg}} {{wide_bar}} {{human_pos}}/{{human_len}} {unit}, {{eta}} left");
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::no_length().with_style(style).with_message(doing))
    }

    /// A line that says in words what goes on, for work whose end nobody knows.
    pub(crate) fn in_words(console: &Console<'_>) -> Self {
        if !console.err_is_terminal {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{spinner} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style);
        // It turns by itself: waiting for a service must not look like hanging.
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Is it seen at all? If not, nobody needs to find words.
    pub(crate) fn is_seen(&self) -> bool {
        !self.0.is_hidden()
    }

    /// What goes on.
    pub(crate) fn say(&self, words: String) {
        self.0.set_message(words);
    }

    /// `done` of `total`, if that is known.
    pub(crate) fn set(&self, done: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
