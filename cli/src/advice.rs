//! What an error says to people, on one line, and what they can do about it, on another.
//!
//! The line is the chain of causes. A cause that says nothing new is left out, and so is the word
//! for an error's kind where the rest of the line says the same.

use std::error::Error as Cause;
use std::io::{Error as IoError, ErrorKind as IoKind};

use chatvault_engine::{Error as EngineError, ErrorKind};
use chatvault_ingest::sync::SyncError;
use chatvault_query::Error as QueryError;
use chatvault_query::resolve::Unresolved;

type Link<'e> = &'e (dyn Cause + 'static);

const FREE_SPACE: &str = "free space on the disk, then run the command again; \
                          `chatvault compact ARCHIVE --grace-hours 0` empties an archive's trash";
const STOPPED_FULL: &str = "free space on the disk, then run the command again: opening the archive shows what survived; \
     `chatvault compact ARCHIVE --grace-hours 0` empties an archive's trash";
const GIVE_ACCESS: &str = "let this user read and write there, or mount it for writing, \
                           then run the command again";
const TOO_MANY_FILES: &str =
    "raise the limit of open files (`ulimit -n`), then run the command again";

/// The causes on one line, the outermost first.
pub(crate) fn line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for link in error.chain() {
        let text = said(link);
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        // What is below is how the file system said the same.
        if engine_error(link).is_some_and(|error| error.kind() == ErrorKind::NotFound) {
            break;
        }
    }
    line
}

/// One cause without what is below it.
fn said(link: Link<'_>) -> String {
    let text = link.to_string();
    if let Some(QueryError::Value { field, .. } | QueryError::Conflict { field, .. }) =
        link.downcast_ref()
    {
        return text.replacen(field, &option(field), 1);
    }
    let Some(error) = link.downcast_ref::<EngineError>() else { return text };
    match error.kind() {
        kind @ (ErrorKind::NotFound | ErrorKind::InvalidInput) => {
            let rest = text.strip_prefix(kind.word()).unwrap_or(&text);
            rest.trim_start_matches(": ").to_owned()
        }
        _ => text,
    }
}

/// The option by which a command takes a field of a query.
fn option(field: &str) -> String {
    match field {
        "chats" | "senders" | "custodians" | "kinds" => {
            format!("--{}", field.trim_end_matches('s'))
        }
        "by" => "--count-by".to_owned(),
        "as_of_sequence" => "--as-of-seq".to_owned(),
        _ => format!("--{}", field.replace('_', "-")),
    }
}

/// What to do, if that is known.
pub(crate) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    let about = error.chain().find_map(of_link)?;
    let below = |kind| error.chain().filter_map(engine_error).any(|error| error.kind() == kind);
    Some(match () {
        () if about != of_kind(ErrorKind::Stopped) => about,
        () if below(ErrorKind::NoSpace) => STOPPED_FULL,
        () if below(ErrorKind::Denied) => GIVE_ACCESS,
        () => about,
    })
}

fn of_link(link: Link<'_>) -> Option<&'static str> {
    if let Some(error) = engine_error(link) {
        let limited = error.kind() == ErrorKind::Io && links(error).any(is_limit_of_files);
        return Some(if limited { TOO_MANY_FILES } else { of_kind(error.kind()) });
    }
    if let Some(error) = link.downcast_ref::<IoError>() {
        return of_system(error);
    }
    if let Some(unresolved) = link.downcast_ref::<Unresolved>() {
        return Some(of_unresolved(unresolved));
    }
    match link.downcast_ref::<SyncError>()? {
        SyncError::Service(failure) => Some(failure.kind.advice()),
        // The error may show its cause as its own text: then the chain does not hold it.
        SyncError::Archive(cause) => of_link(cause),
        SyncError::WrongTenant { .. } => Some(
            "an archive holds one tenant: name its own, or make another archive with \
             `chatvault init ARCHIVE`",
        ),
        SyncError::Local { cause, .. } => of_system(cause).or(Some(of_kind(ErrorKind::Io))),
        SyncError::Kept { .. } => Some(
            "a newer chatvault may have written it: use that version, or let sync read everything \
             again with --fresh",
        ),
        _ => None,
    }
}

fn of_unresolved(unresolved: &Unresolved) -> &'static str {
    match unresolved {
        Unresolved::Nobody { kind: "chat", .. } => "`chatvault chats ARCHIVE` lists them",
        Unresolved::Nobody { kind: "account", .. } => "`chatvault account list ARCHIVE` lists them",
        Unresolved::Nobody { kind: "custodian", .. } => {
            "`chatvault query ARCHIVE --count-by custodian` lists them"
        }
        Unresolved::Nobody { .. } => {
            "`chatvault people ARCHIVE` lists everybody whom messages name"
        }
        _ => "name one by its id",
    }
}

/// The archive's error in a cause; streams wrap it into one of the system.
fn engine_error(link: Link<'_>) -> Option<&EngineError> {
    let wrapped = || link.downcast_ref::<IoError>()?.get_ref()?.downcast_ref::<EngineError>();
    link.downcast_ref::<EngineError>().or_else(wrapped)
}

fn links(error: &EngineError) -> impl Iterator<Item = Link<'_>> {
    let first: Link<'_> = error;
    std::iter::successors(Some(first), |link| {
        let link: Link<'_> = *link;
        link.source()
    })
}

/// The process, or the system, has as many files open as it may.
fn is_limit_of_files(link: Link<'_>) -> bool {
    let code = link.downcast_ref::<IoError>().and_then(IoError::raw_os_error);
    cfg!(unix) && matches!(code, Some(23 | 24))
}

fn of_system(error: &IoError) -> Option<&'static str> {
    match error.kind() {
        IoKind::StorageFull | IoKind::QuotaExceeded | IoKind::FileTooLarge => Some(FREE_SPACE),
        IoKind::PermissionDenied | IoKind::ReadOnlyFilesystem => Some(GIVE_ACCESS),
        _ if is_limit_of_files(error) => Some(TOO_MANY_FILES),
        _ => None,
    }
}

fn of_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => {
            "check the path, or run `chatvault init ARCHIVE` to make an archive there"
        }
        ErrorKind::Exists => "use the archive that is there, or choose another place",
        ErrorKind::Locked => {
            "another process is writing: wait for it or stop it; reading commands work beside it"
        }
        ErrorKind::Unsupported => "another version of chatvault wrote it: use that one",
        ErrorKind::InvalidInput => {
            "change what the command was given; its --help says what it takes"
        }
        ErrorKind::Io => "check the disk and the connection to it, then run the command again",
        ErrorKind::NoSpace => FREE_SPACE,
        ErrorKind::Denied => GIVE_ACCESS,
        ErrorKind::Corrupt => {
            "run `chatvault verify ARCHIVE` to see the damage; --salvage reads what is whole, and `chatvault \
             repair ARCHIVE NEW --from COPY` makes a healthy archive of it and of a copy"
        }
        ErrorKind::Stopped => "run the command again: opening the archive shows what survived",
        ErrorKind::Closed => "the archive was closed before the command was done: run it again",
        _ => "run the command again; if that fails too, run `chatvault verify ARCHIVE`",
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use chatvault_engine::{Archive, Host, Memory, Options};
    use chatvault_engine::{ContentAddress, Storage};
    use std::sync::Arc;

    use super::*;

    fn shown(error: impl Into<anyhow::Error>) -> (String, Option<&'static str>) {
        let error = error.into();
        (line(&error), advice(&error))
    }

    #[test]
    fn a_folder_without_an_archive_is_told_without_inner_words() {
        let nowhere: Arc<dyn Storage> = Arc::new(Memory::new());
        let error = Archive::open(Host::new(nowhere), Options::default())
            .context("cannot open x.cvault")
            .unwrap_err();
        let line = "cannot open x.cvault: there is no archive here".to_owned();
        assert_eq!(shown(error), (line, Some(of_kind(ErrorKind::NotFound))));
    }

    #[test]
    fn the_system_s_own_errors_have_advice_too() {
        let table = [
            (IoError::from(IoKind::StorageFull), Some(FREE_SPACE)),
            (IoError::from(IoKind::ReadOnlyFilesystem), Some(GIVE_ACCESS)),
            (IoError::other("odd"), None),
        ];
        for (error, advice) in table {
            let text = error.to_string();
            assert_eq!(shown(error), (text, advice));
        }
        #[cfg(unix)]
        assert_eq!(shown(IoError::from_raw_os_error(24)).1, Some(TOO_MANY_FILES));
    }

    #[test]
    fn an_archive_s_error_inside_a_stream_s_is_found() {
        let inner = "zz".parse::<ContentAddress>().unwrap_err();
        let error = IoError::new(IoKind::InvalidData, inner);
        assert_eq!(shown(error).1, Some(of_kind(ErrorKind::InvalidInput)));
    }

    #[test]
    fn what_a_cause_repeats_is_said_once() {
        let error = Err::<(), _>(anyhow::anyhow!("disk on fire")).context("it: disk on fire");
        assert_eq!(shown(error.unwrap_err()).0, "it: disk on fire");
    }
}
