//! What went wrong, as a page: the causes on one line, and what to do about it.

use std::error::Error as Cause;

use axum::http::StatusCode;
use chatvault_engine::{Error as EngineError, ErrorKind};
use chatvault_ingest::sync::{ConnectionError, SyncError};

/// A page that could not be made.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) line: String,
    pub(crate) advice: Option<String>,
}

/// The result of everything behind a page.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// There is nothing at an address.
    pub(crate) fn missing(what: &str) -> Self {
        let line = format!("There is no {what} here");
        Self { status: StatusCode::NOT_FOUND, line, advice: None }
    }

    /// What was asked for cannot be.
    pub(crate) fn wrong(line: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, line: line.into(), advice: None }
    }

    /// Something has to be done first.
    pub(crate) fn first(line: &str, advice: &str) -> Self {
        let advice = Some(advice.to_owned());
        Self { status: StatusCode::CONFLICT, line: line.to_owned(), advice }
    }

    /// What an error says, for people.
    pub(crate) fn of(error: &(dyn Cause + 'static)) -> Self {
        let mut line = String::new();
        let mut kind = None;
        let mut advice = None;
        for link in chain(error) {
            let text = link.to_string();
            if line.is_empty() {
                line = text;
            } else if !line.contains(&text) {
                line = format!("{line}: {text}");
            }
            kind = kind.or_else(|| engine(link).map(EngineError::kind));
            if let Some(SyncError::Service(failure)) = link.downcast_ref() {
                advice = Some(failure.kind.advice().to_owned());
            }
            if let Some(SyncError::Archive(cause)) = link.downcast_ref() {
                kind = kind.or_else(|| engine(cause).map(EngineError::kind));
            }
        }
        let advice = advice.or_else(|| kind.map(|kind| advice_of(kind).to_owned()));
        Self { status: status_of(kind), line, advice }
    }
}

fn chain<'e>(error: &'e (dyn Cause + 'static)) -> impl Iterator<Item = &'e (dyn Cause + 'static)> {
    std::iter::successors(Some(error), |link| {
        let link: &'e (dyn Cause + 'static) = *link;
        link.source()
    })
}

fn engine<'e>(link: &'e (dyn Cause + 'static)) -> Option<&'e EngineError> {
    link.downcast_ref()
}

fn status_of(kind: Option<ErrorKind>) -> StatusCode {
    match kind {
        Some(ErrorKind::NotFound) => StatusCode::NOT_FOUND,
        Some(ErrorKind::Locked | ErrorKind::Exists) => StatusCode::CONFLICT,
        Some(ErrorKind::NoSpace) => StatusCode::INSUFFICIENT_STORAGE,
        Some(_) => StatusCode::INTERNAL_SERVER_ERROR,
        None => StatusCode::BAD_REQUEST,
    }
}

fn advice_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "Check the folder that `chatvault serve` was started with.",
        ErrorKind::Exists => "There is an archive of this name already: choose another name.",
        ErrorKind::Locked => {
            "Another process writes this archive. Wait until it has ended, or stop it; reading \
             goes on meanwhile."
        }
        ErrorKind::Unsupported => "A newer chatvault wrote it: use that version.",
        ErrorKind::InvalidInput => "Change what was asked for.",
        ErrorKind::NoSpace => "Free space on the disk, then try again. Nothing was lost.",
        ErrorKind::Denied => "Let this user read and write there, then try again.",
        ErrorKind::Corrupt => {
            "Verify the archive (Archive, Verify): it names what is damaged. `chatvault repair` keeps \
             what is whole."
        }
        ErrorKind::Stopped | ErrorKind::Closed => "Start `chatvault serve` again.",
        _ => "Try again; nothing was changed.",
    }
}

macro_rules! told {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(&error)
            }
        }
    )*};
}

told!(
    EngineError,
    SyncError,
    ConnectionError,
    chatvault_query::Error,
    chatvault_query::resolve::Unresolved,
    chatvault_export::Error,
    std::io::Error,
    askama::Error
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_archive_is_told_with_what_to_do() {
        use chatvault_engine::{Archive, Host, Memory, Options};
        let host = Host::new(std::sync::Arc::new(Memory::default()));
        let _writer = Archive::create(host.clone(), Options::default()).unwrap();
        let failure = Failure::from(Archive::open(host, Options::default()).unwrap_err());
        assert_eq!(failure.status, StatusCode::CONFLICT);
        assert!(failure.line.contains("locked"), "{}", failure.line);
        assert!(failure.advice.unwrap().contains("Another process"));
    }
}
