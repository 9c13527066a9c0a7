//! `sync`: brings an archive up to date with a tenant.

mod arguments;
mod checks;
mod connection;
mod estimate;
mod help;
mod options;
mod watch;

use std::path::Path;

use anyhow::Context;
use chatvault_engine::{Archive, Custodian};
use chatvault_ingest::sync::{self, Account, Service, SyncError, SyncOptions, SyncReport};

pub(crate) use arguments::Arguments;

use super::import;
use crate::console::Console;
use crate::failure::{Outcome, WrongUsage};
use crate::progress::{Bar, now};
use crate::sync_report::Told;
use watch::Speed;

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let connection = connect(arguments)?;
    let (service, remarks) = connection::service(&connection, &arguments.pace)?;
    for remark in remarks {
        console.remark(remark)?;
    }
    if arguments.test {
        return test(arguments, (&connection, &service), console);
    }
    if arguments.estimate {
        let known = known(arguments)?;
        let options = options::options(arguments, &known)?;
        let found = sync::estimate(&service, &options, &known)?;
        estimate::tell(&found, arguments.json, console)?;
        return Ok(Outcome::Done);
    }
    let folder = arguments.archive.as_deref().context("say which archive")?;
    let archive = super::open_to_write(folder, import::options(arguments.memory))?;
    let options = options::options(arguments, &sync::accounts(&archive)?)?;
    let report = deliver(&archive, &service, &options, console)?;
    if arguments.connection.save {
        save(&archive, &connection, console)?;
    }
    let accounts = sync::accounts(&archive)?;
    super::close(archive, folder, console)?;
    let told = Told::new(&report, &accounts);
    console.show(arguments.json, &told.as_json(), |console| told.print(console))?;
    advise(&report, &told, folder, console)?;
    Ok(told.outcome())
}

/// What is said on the command line, and for the rest what the archive keeps.
fn connect(arguments: &Arguments) -> anyhow::Result<sync::Connection> {
    // What must not be said is refused before anything is opened.
    let said = connection::named(&arguments.connection, None)?;
    let proves = said.client_secret_file.is_some() || said.certificate.is_some();
    let is_whole = said.tenant.is_some() && said.client_id.is_some() && proves;
    match &arguments.archive {
        Some(folder) if !is_whole => {
            let saved = sync::connection(&super::open_to_read(folder)?)?;
            connection::named(&arguments.connection, saved)
        }
        _ => Ok(said),
    }
}

fn save(
    archive: &Archive,
    connection: &sync::Connection,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    sync::save_connection(archive, connection)?;
    let proof = connection.client_secret_file.as_ref().or(connection.certificate.as_ref());
    let proof = proof.map_or_else(
        || "CHATVAULT_CLIENT_SECRET has to be set each time".to_owned(),
        |file| format!("what proves the app stays in {}", file.display()),
    );
    Ok(console.remark(format!("saved the connection in the archive; {proof}"))?)
}

fn test(
    arguments: &Arguments,
    (connection, service): (&sync::Connection, &Service),
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    let options = options::options(arguments, &known(arguments)?)?;
    let asked = asked(arguments, &options);
    if let Some(nobody) = asked.iter().find(|custodian| custodian.check().is_err()) {
        return Err(WrongUsage(format!("{nobody} names nobody: give an id or an address")).into());
    }
    let checks = sync::check(service, &options, &asked)?;
    let outcome = checks::tell(&checks, arguments.json, console)?;
    if let (true, Outcome::Done, Some(folder)) =
        (arguments.connection.save, outcome, &arguments.archive)
    {
        let archive = super::open_to_write(folder, import::options(arguments.memory))?;
        save(&archive, connection, console)?;
        super::close(archive, folder, console)?;
    }
    Ok(outcome)
}

/// The accounts that the archive knows. It is not needed, but one that is named should be there.
fn known(arguments: &Arguments) -> anyhow::Result<Vec<Account>> {
    match &arguments.archive {
        Some(folder) => Ok(sync::accounts(&super::open_to_read(folder)?)?),
        None => Ok(Vec::new()),
    }
}

/// Whose pages a test asks for; nobody's in particular if it is not said.
fn asked(arguments: &Arguments, options: &SyncOptions) -> Vec<Custodian> {
    let user = arguments.user.as_deref().map(Custodian::parse);
    let team = |id: &str| Custodian::team(id.strip_prefix("team:").unwrap_or(id));
    let team = arguments.team.as_deref().map(team);
    options.accounts.iter().cloned().chain(user).chain(team).collect()
}

/// Runs until the end, or until Ctrl-C at the next safe place.
fn deliver(
    archive: &Archive,
    service: &Service,
    options: &SyncOptions,
    console: &Console<'_>,
) -> Result<SyncReport, SyncError> {
    let (line, start) = (Bar::in_words(console), now());
    let mut speed = Speed::default();
    console.stop.heed();
    sync::sync(archive, service, options, &mut |progress| {
        if line.is_seen() {
            let now = speed.at(start.elapsed(), progress.copies);
            line.say(watch::words(progress, now));
        }
        console.stop.flow()
    })
}

fn advise(
    report: &SyncReport,
    told: &Told<'_>,
    folder: &Path,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let archive = folder.display();
    if !report.finished {
        let note = "stopped; what is reported is durable: start the same again to go on";
        console.remark(note)?;
    }
    if report.accounts.is_empty() && report.inactive > 0 {
        console.remark(format!(
            "no account is active, so nothing was exported: choose with `chatvault account \
             activate {archive} --all` (or IDs; `chatvault account list {archive}` shows them), then \
             start the same again"
        ))?;
    }
    if told.has_more_than_printed() {
        let run = report.run;
        console.remark(format!("all of it: chatvault runs {archive} --run {run}"))?;
    }
    if told.missing() > 0 {
        console.remark(format!("what is missing and why: chatvault account missing {archive}"))?;
    }
    if report.total.quarantined > 0 {
        console.remark(format!("see what went to quarantine: chatvault quarantine {archive}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chatvault_ingest::sync::AccountReport;
    use clap::Parser;

    use super::*;
    use crate::failure;

    /// What a command line says, `sync` left out.
    pub(super) fn parsed(line: &[&str]) -> Arguments {
        let line = ["chatvault", "sync"].into_iter().chain(line.iter().copied());
        match crate::args::Arguments::try_parse_from(line).unwrap().command {
            crate::args::Command::Sync(arguments) => *arguments,
            other => panic!("parsed as {other:?}"),
        }
    }

    fn remarks(report: &SyncReport) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::of_files(&mut out, &mut err);
        advise(report, &Told::new(report, &[]), Path::new("a.cvault"), &mut console).unwrap();
        drop(console);
        String::from_utf8(err).unwrap()
    }

    #[test]
    fn a_first_run_says_how_to_choose_accounts() {
        let mut report = SyncReport { inactive: 13, ..crate::sync_report::tests::empty() };
        let said = remarks(&report);
        assert!(said.contains("chatvault account activate a.cvault --all"), "{said}");
        drop(report.accounts.insert("user:ann".to_owned(), AccountReport::default()));
        assert_eq!(remarks(&report), "");
        report.finished = false;
        assert!(remarks(&report).contains("start the same again to go on"));
    }

    #[test]
    fn a_test_asks_for_the_pages_of_whom_it_is_told() {
        let asked_for = |line: &[&str]| {
            let arguments = parsed(line);
            let asked = asked(&arguments, &SyncOptions::new(""));
            asked.iter().map(Custodian::to_string).collect::<Vec<_>>()
        };
        assert_eq!(asked_for(&["--test"]), [""; 0]);
        let line = ["--test", "--user", "ann@contoso.com", "--team", "1f"];
        assert_eq!(asked_for(&line), ["user:ann@contoso.com", "team:1f"]);
        assert_eq!(asked_for(&["--test", "--team", "team:1f"]), ["team:1f"]);
    }

    #[test]
    fn what_cannot_be_is_refused_before_anything_is_asked() {
        let table: [&[&str]; 9] = [
            &["sync"],
            &["sync", "a", "--user", "x"],
            &["sync", "a", "--feeds", "chats,songs"],
            &["sync", "a", "--content", "hosted", "--no-content"],
            &["sync", "a", "--export-rate", "0"],
            &["sync", "a", "--sustained", "1.5"],
            &["sync", "a", "--cloud", "germany"],
            &["sync", "a", "--client-secret-file", "x", "--certificate", "y"],
            &["sync", "a", "--filter", "nonsense"],
        ];
        for line in table {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let line = [&["chatvault"], line].concat();
            let code = Console::of_files(&mut out, &mut err).run(line.clone());
            assert_eq!((code, out.len()), (failure::WRONG_USAGE, 0), "{line:?}");
        }
    }
}
