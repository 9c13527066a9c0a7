//! Where a command's results, remarks and questions go, and what it may assume about them.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::sync::Arc;

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use crate::args::Arguments;
use crate::failure;
use crate::log;
use crate::progress::Show;
use crate::stop::Stop;
use crate::text;

/// Results are written in pieces of this size.
const OUT_BYTES: usize = 1 << 20;

/// The streams of one command.
pub struct Console<'a> {
    /// Results, buffered.
    pub(crate) out: BufWriter<Pipe<'a>>,
    /// Remarks and errors.
    pub(crate) err: &'a mut dyn Write,
    /// Somebody looks at the results as they come.
    pub(crate) out_is_terminal: bool,
    /// Somebody looks at the remarks as they come, on a terminal that can draw.
    pub(crate) err_is_terminal: bool,
    /// How progress is shown.
    pub(crate) progress: Show,
    /// Advice is not wanted.
    quiet: bool,
    /// Ctrl-C.
    pub(crate) stop: Arc<Stop>,
}

impl fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("out_is_terminal", &self.out_is_terminal)
            .field("err_is_terminal", &self.err_is_terminal)
            .finish_non_exhaustive()
    }
}

impl<'a> Console<'a> {
    /// Streams that nobody watches: no progress is shown.
    pub fn of_files(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self {
            out: BufWriter::with_capacity(OUT_BYTES, Pipe { inner: out, is_closed: false }),
            err,
            out_is_terminal: false,
            err_is_terminal: false,
            progress: Show::None,
            quiet: false,
            stop: Arc::default(),
        }
    }

    /// The process's own standard streams, with Ctrl-C.
    pub fn of_process(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        let mut console = Self::of_files(out, err);
        console.out_is_terminal = io::stdout().is_terminal();
        // A dumb terminal cannot go back in a line, as a bar has to.
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        console.err_is_terminal = io::stderr().is_terminal() && !is_dumb;
        console.progress = Show::Auto;
        console.stop = Stop::on_ctrl_c();
        console
    }

    /// Runs one command line, its name first, and gives the exit code.
    pub fn run<A>(mut self, args: A) -> u8
    where
        A: IntoIterator,
        A::Item: Into<OsString> + Clone,
    {
        let result = match Arguments::of(args) {
            Ok(arguments) => {
                self.quiet = arguments.quiet;
                arguments.log.into_iter().for_each(log::start);
                if self.quiet {
                    self.progress = Show::None;
                } else if self.progress != Show::None {
                    self.progress = arguments.progress;
                }
                arguments.command.run(&mut self)
            }
            Err(usage) => return self.teach(&usage),
        };
        let result = result.and_then(|outcome| Ok(self.out.flush().map(|()| outcome)?));
        match result {
            Ok(outcome) => outcome.code(),
            // Whoever read our results has seen enough, as in `| head`.
            Err(_) if self.out.get_ref().is_closed => failure::DONE,
            Err(error) => {
                // Nobody is left to tell when standard error is gone.
                drop(failure::explain(&error, self.err));
                failure::code(&error)
            }
        }
    }

    /// Help is a result; a wrong command line is an error. Colours are for terminals that want them:
    /// `NO_COLOR`, `CLICOLOR` and `TERM` are heeded.
    fn teach(mut self, usage: &clap::Error) -> u8 {
        let may = |choice| choice != ColorChoice::Never;
        let watched = if usage.use_stderr() {
            self.err_is_terminal && may(AutoStream::choice(&io::stderr()))
        } else {
            self.out_is_terminal && may(AutoStream::choice(&io::stdout()))
        };
        let styled = usage.render();
        let text = if watched { styled.ansi().to_string() } else { styled.to_string() };
        if usage.use_stderr() {
            drop(self.err.write_all(text.as_bytes()));
            return failure::WRONG_USAGE;
        }
        drop(self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()));
        failure::DONE
    }

    /// How wide results are shown, if somebody looks at them.
    pub(crate) fn width(&self) -> Option<u16> {
        let table = comfy_table::Table::new();
        self.out_is_terminal.then(|| table.width()).flatten()
    }

    /// Writes one line of results for people.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", text::clean(line.as_ref()))
    }

    /// Writes lines of a listing, which are clean already.
    pub(crate) fn lines(&mut self, lines: Option<String>) -> anyhow::Result<()> {
        Ok(self.out.write_all(lines.unwrap_or_default().as_bytes())?)
    }

    /// Writes one line of results for programs.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// Writes a report: for programs, or as `print` does for people.
    pub(crate) fn show(
        &mut self,
        is_json: bool,
        report: &impl Serialize,
        print: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if is_json { self.json(report) } else { print(self) }
    }

    /// Writes a report: for programs, or in lines for people.
    pub(crate) fn report<L: AsRef<str>>(
        &mut self,
        is_json: bool,
        report: &impl Serialize,
        lines: impl IntoIterator<Item = L>,
    ) -> anyhow::Result<()> {
        let print = |own: &mut Self| lines.into_iter().try_for_each(|line| own.line(line));
        self.show(is_json, report, |own| Ok(print(own)?))
    }

    /// Writes one line of advice, if that is wanted.
    pub(crate) fn remark(&mut self, line: impl AsRef<str>) -> io::Result<()> {
        if self.quiet { Ok(()) } else { self.warn(line) }
    }

    /// Writes one line beside the results that nobody may miss.
    pub(crate) fn warn(&mut self, line: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.err, "{}", text::clean(line.as_ref()))
    }
}

/// An output that remembers that its reader went away.
pub(crate) struct Pipe<'a> {
    inner: &'a mut dyn Write,
    is_closed: bool,
}

impl Pipe<'_> {
    fn seen<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        let broken = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
        self.is_closed |= result.as_ref().is_err_and(broken);
        result
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.seen(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.seen(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_remembered() {
        let (mut out, mut err) = (Closed, Vec::new());
        let mut console = Console::of_files(&mut out, &mut err);
        console.line("x").unwrap();
        assert!(console.out.flush().is_err() && console.out.get_ref().is_closed);
    }

    #[test]
    fn wrong_usage_is_told_on_the_error_stream() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = Console::of_files(&mut out, &mut err).run(["chatvault", "frobnicate"]);
        assert_eq!((code, out.len()), (failure::WRONG_USAGE, 0));
        assert!(String::from_utf8(err).unwrap().starts_with("error: unrecognized subcommand"));
    }
}
