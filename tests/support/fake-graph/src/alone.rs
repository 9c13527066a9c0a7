//! The command line of the fake: what to serve, how badly, and what to type to try it.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::Context;
use chatvault_fake_graph::{
    Behaviour, CLIENT_ID, DAY_MS, FakeGraph, Faults, Folders, Foreign, Hostile, Paging, ROLES,
    SECRET, Seen, Setup, Source, Tenant, Throttle,
};
use chatvault_support::{parse_time, stamp};
use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  fake-graph                                        a small made-up tenant on a free port
  fake-graph --users 200 --days 60 --throttle       a larger one, with the documented limits
  fake-graph --pages corpus/pages --port 8080       page folders, as fast as they can be copied
  fake-graph --faults 0.1 --untidy                  one request in ten goes wrong, untidy pages
  fake-graph --hostile endless-empty                a service that never comes to an end

It listens on 127.0.0.1 only, prints the command that archives it, and ends on Ctrl-C with what it saw.";

/// A fake of the Graph export APIs, to try `chatvault sync` without a tenant
#[derive(Debug, Parser)]
#[command(name = "fake-graph", version, after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Serve page folders: a folder per custodian, page files in it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["users", "teams", "days", "messages_per_day"])]
    pages: Option<PathBuf>,
    /// Give the items of page folders in a scattered order instead of by time
    #[arg(long, requires = "pages")]
    scattered: bool,
    /// Users of the made-up tenant
    #[arg(long, default_value_t = 12)]
    users: u32,
    /// Teams of the made-up tenant
    #[arg(long, default_value_t = 2)]
    teams: u32,
    /// Days of messages, the last of them today
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Messages written in a day in the whole tenant
    #[arg(long, default_value_t = 20)]
    messages_per_day: u32,
    /// Decides everything that looks like chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The tenant's time, as 2025-09-30T12:00:00Z, instead of the real one
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Refuse requests above the documented limits
    #[arg(long)]
    throttle: bool,
    /// Part of the requests that meet an accident, between 0 and 1
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    faults: f64,
    /// Short, empty, repeated and overlapping pages
    #[arg(long)]
    untidy: bool,
    /// Life of an access token in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3599)]
    token_seconds: u64,
    /// A permission that the app does not have. Repeat for more
    #[arg(long, value_name = "ROLE", value_parser = PossibleValuesParser::new(ROLES))]
    without: Vec<String>,
    /// Without a retention policy: retained versions are empty
    #[arg(long)]
    no_retention: bool,
    /// Size of each recording of a meeting of the made-up tenant
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    recording_bytes: u64,
    /// What every recording of the made-up tenant is
    #[arg(long, value_name = "FILE")]
    film: Option<PathBuf>,
    /// A certificate in PEM that the app may sign in with, besides the secret
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Answer exports as no honest service does
    #[arg(long, value_name = "KIND")]
    hostile: Option<Malice>,
    /// Write the client secret into this file, for --client-secret-file
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// Hostile answers by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Malice {
    ForeignHost,
    ForeignPort,
    EndlessEmpty,
    EndlessRows,
    RepeatingLink,
    HugePage,
    DeepNesting,
    LengthTooLong,
    LengthTooShort,
    RedirectElsewhere,
    RedirectLoop,
    NotJson,
    BrokenText,
}

impl Malice {
    fn hostile(self) -> Hostile {
        match self {
            Self::ForeignHost => Hostile::ForeignLink(Foreign::Host),
            Self::ForeignPort => Hostile::ForeignLink(Foreign::Port),
            Self::EndlessEmpty => Hostile::EndlessEmpty,
            Self::EndlessRows => Hostile::EndlessRows,
            Self::RepeatingLink => Hostile::RepeatingLink,
            Self::HugePage => Hostile::HugePage(100 << 20),
            Self::DeepNesting => Hostile::DeepNesting(100_000),
            Self::LengthTooLong => Hostile::LengthTooLong,
            Self::LengthTooShort => Hostile::LengthTooShort,
            Self::RedirectElsewhere => Hostile::RedirectElsewhere,
            Self::RedirectLoop => Hostile::RedirectLoop,
            Self::NotJson => Hostile::NotJson,
            Self::BrokenText => Hostile::BrokenText,
        }
    }
}

/// Serves until Ctrl-C.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    anyhow::ensure!((0.0..=1.0).contains(&arguments.faults), "--faults must be between 0 and 1");
    let mut out = io::stdout().lock();
    let now = match &arguments.now {
        Some(text) => {
            Some(parse_time(text).with_context(|| format!("--now: {text} is no time"))?.ms())
        }
        None => None,
    };
    let fake = FakeGraph::start_at(
        arguments.port,
        source(arguments, now, &mut out)?,
        behaviour(arguments)?,
    )
    .with_context(|| format!("cannot listen on 127.0.0.1:{}", arguments.port))?;
    fake.set_now(now);
    if let Some(file) = &arguments.secret_file {
        write_secret(file)?;
    }
    introduce(&mut out, arguments, &fake)?;
    watch(&mut out, &fake)
}

fn source(arguments: &Arguments, now: Option<i64>, out: &mut impl Write) -> anyhow::Result<Source> {
    if let Some(pages) = &arguments.pages {
        let folders =
            Folders::load(pages).with_context(|| format!("cannot read {}", pages.display()))?;
        writeln!(out, "{} items of {} users in memory", folders.items(), folders.len())?;
        return Ok(Source::Folders(folders));
    }
    let film = arguments.film.as_ref().map(film).transpose()?;
    let setup = Setup {
        film,
        seed: arguments.seed,
        users: arguments.users,
        teams: arguments.teams,
        days: arguments.days,
        from: now.unwrap_or_else(real_time) - i64::from(arguments.days) * DAY_MS,
        messages_per_day: arguments.messages_per_day,
        recording_bytes: arguments.recording_bytes,
        retention: !arguments.no_retention,
        ..Setup::default()
    };
    writeln!(out, "a tenant whose life begins at {}", stamp(setup.from))?;
    Ok(Source::Tenant(Arc::new(Tenant::new(&setup))))
}

#[expect(clippy::disallowed_methods, reason = "a film is outside of any archive")]
fn film(file: &PathBuf) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

#[expect(clippy::disallowed_methods, reason = "a person expects messages up to today")]
fn real_time() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))
}

fn behaviour(arguments: &Arguments) -> anyhow::Result<Behaviour> {
    let mut paging = if arguments.untidy { Paging::untidy() } else { Paging::default() };
    paging.scattered = arguments.scattered;
    let mut behaviour = Behaviour {
        seed: arguments.seed,
        paging,
        throttle: arguments.throttle.then(Throttle::default),
        hostile: arguments.hostile.map(Malice::hostile),
        ..Behaviour::default()
    };
    if arguments.faults > 0.0 {
        behaviour.faults = Faults::of_all_kinds(arguments.faults);
    }
    behaviour.access.token_seconds = arguments.token_seconds;
    behaviour.access.roles.retain(|role| !arguments.without.contains(role));
    behaviour.access.certificate = arguments.certificate.as_deref().map(read_pem).transpose()?;
    Ok(behaviour)
}

fn read_pem(file: &Path) -> anyhow::Result<String> {
    #[expect(clippy::disallowed_methods, reason = "the file a person named; not an archive")]
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn write_secret(file: &Path) -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the file a person asked for; not an archive")]
    std::fs::write(file, SECRET).with_context(|| format!("cannot write {}", file.display()))
}

fn introduce(out: &mut impl Write, arguments: &Arguments, fake: &FakeGraph) -> io::Result<()> {
    let (origin, tenant) = (fake.origin(), fake.tenant_id());
    let file = arguments.secret_file.as_deref().unwrap_or(Path::new("SECRET-FILE"));
    writeln!(out, "origin         {origin}")?;
    writeln!(out, "tenant         {tenant}")?;
    writeln!(out, "client id      {CLIENT_ID}")?;
    writeln!(out, "client secret  {SECRET}")?;
    if arguments.secret_file.is_none() {
        writeln!(out, "\n--secret-file FILE writes the secret into a file, which sync asks for.")?;
    }
    writeln!(
        out,
        "\nTo archive it:\n  chatvault sync ARCHIVE --cloud custom --login-url {origin} --graph-url {origin} \
         --tenant {tenant} --client-id {CLIENT_ID} --client-secret-file {}\n",
        file.display()
    )?;
    out.flush()
}

/// Says what happens every few seconds on a terminal, and all of it at the end.
fn watch(out: &mut impl Write, fake: &FakeGraph) -> anyhow::Result<()> {
    let (stop, stopped) = mpsc::channel();
    ctrlc::set_handler(move || {
        let _gone = stop.send(());
    })
    .context("cannot listen for Ctrl-C")?;
    let lively = io::stdout().is_terminal();
    let mut before = 0;
    while stopped.recv_timeout(Duration::from_secs(3)) == Err(RecvTimeoutError::Timeout) {
        let seen = fake.seen();
        let requests = seen.requests.values().sum();
        if lively && requests != before {
            writeln!(out, "{}", line(&seen))?;
            before = requests;
        }
    }
    summary(out, &fake.seen()).context("cannot write")
}

fn line(seen: &Seen) -> String {
    let requests: u64 = seen.requests.values().sum();
    let refused: u64 =
        seen.answers.iter().filter(|(status, _)| **status >= 400).map(|(_, count)| count).sum();
    format!(
        "{requests} requests, {} items, {} MB, {refused} refused, {} above a limit",
        seen.items,
        seen.bytes >> 20,
        seen.all_above_limit()
    )
}

fn summary(out: &mut impl Write, seen: &Seen) -> io::Result<()> {
    writeln!(out, "\n{}", line(seen))?;
    for (class, count) in &seen.requests {
        let busiest = seen.per_second.get(class).and_then(|seconds| seconds.iter().max());
        let above = seen.above_limit.get(class).copied().unwrap_or(0);
        let busiest = busiest.copied().unwrap_or(0);
        let class = format!("{class:?}");
        writeln!(out, "  {class:<14} {count:>9}   at most {busiest}/s, {above} above a limit")?;
    }
    for (status, count) in &seen.answers {
        writeln!(out, "  status {status}     {count:>9}")?;
    }
    for (fault, count) in &seen.faults {
        writeln!(out, "  fault {fault:<9}{count:>9}")?;
    }
    writeln!(out, "  tokens given   {:>9}", seen.tokens_issued)?;
    writeln!(out, "  at once        {:>9}", seen.in_flight_most)?;
    for (wrong, count) in [
        ("tokens on the wrong host", seen.bearer_elsewhere),
        ("links not followed byte for byte", seen.altered_links),
        ("windows with one bound", seen.one_sided_windows),
    ] {
        if count > 0 {
            writeln!(out, "  WRONG: {count} {wrong}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
