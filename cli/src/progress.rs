//! Progress bars: on a terminal only, on standard error, never among results.

use indicatif::{ProgressBar, ProgressStyle};

use crate::console::Console;

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
