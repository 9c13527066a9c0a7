//! How a command ended: its exit code, and for people what went wrong.

use std::fmt;
use std::io::{self, Write};

use chatvault_ingest::sync::SyncError;

use crate::{advice, text};

/// Everything was done.
pub(crate) const DONE: u8 = 0;
/// It failed, or the archive is damaged, or it was stopped before the end.
pub(crate) const FAILED: u8 = 1;
/// The command line or the query is wrong.
pub(crate) const WRONG_USAGE: u8 = 2;
/// Everything was done, but something could not be had, or went to quarantine.
pub(crate) const INCOMPLETE: u8 = 3;

/// How a command that printed its result ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As asked.
    Done,
    /// The result says what is wrong.
    Failed,
    /// As asked, but something is missing or in quarantine: the result says what.
    Incomplete,
}

impl Outcome {
    /// The worse of two: failed, incomplete, done.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (Self::Incomplete, _) | (_, Self::Incomplete) => Self::Incomplete,
            (Self::Done, Self::Done) => Self::Done,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => DONE,
            Self::Failed => FAILED,
            Self::Incomplete => INCOMPLETE,
        }
    }
}

/// The command line contradicts itself in a way that the argument parser cannot see.
#[derive(Debug)]
pub(crate) struct WrongUsage(pub(crate) String);

impl fmt::Display for WrongUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUsage {}

/// The exit code of an error.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    let query = error.downcast_ref::<chatvault_query::Error>();
    let sync = error.downcast_ref::<SyncError>();
    let export = error.downcast_ref::<chatvault_export::Error>();
    let is_usage = error.is::<WrongUsage>()
        || export.is_some_and(chatvault_export::Error::is_wrong_request)
        || query.is_some_and(chatvault_query::Error::is_wrong_query)
        || sync.is_some_and(|error| matches!(error, SyncError::Input(_)))
        || matches!(error.downcast_ref(), Some(chatvault_ingest::Error::InputTwice));
    if is_usage { WRONG_USAGE } else { FAILED }
}

/// Writes the error with its causes on one line, and on the next what to do.
pub(crate) fn explain(error: &anyhow::Error, err: &mut dyn Write) -> io::Result<()> {
    writeln!(err, "error: {}", text::clean(&advice::line(error)))?;
    match advice::advice(error) {
        Some(advice) => writeln!(err, "  {advice}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use chatvault_engine::ContentAddress;
    use chatvault_ingest::graph::{Failure, FailureKind};

    use super::*;

    #[test]
    fn an_error_is_one_line_with_its_causes_and_one_with_what_to_do() {
        let cause = "zz".parse::<ContentAddress>().unwrap_err();
        let error = Err::<(), _>(cause).context("cannot read \u{1b}[31mx").unwrap_err();
        let mut shown = Vec::new();
        explain(&error, &mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        let lines: Vec<&str> = shown.lines().collect();
        let start = "error: cannot read \u{fffd}[31mx: a content address";
        assert!(lines[0].starts_with(start), "{shown}");
        assert_eq!(lines.len(), 2, "{shown}");
    }

    #[test]
    fn a_wrong_query_is_wrong_usage_and_a_broken_archive_is_not() {
        let query = chatvault_query::parse_time("created_from", "noon").unwrap_err();
        assert_eq!(code(&query.into()), WRONG_USAGE);
        assert_eq!(code(&WrongUsage("x".to_owned()).into()), WRONG_USAGE);
        assert_eq!(code(&SyncError::Input("no such feed".to_owned()).into()), WRONG_USAGE);
        assert_eq!(code(&anyhow::anyhow!("disk on fire")), FAILED);
    }

    #[test]
    fn a_service_that_refuses_is_told_with_what_to_fix() {
        let failure = Failure {
            kind: FailureKind::Credentials,
            status: Some(401),
            code: None,
            message: "the secret is wrong".to_owned(),
            request_id: None,
            at: None,
        };
        let wrong_tenant =
            SyncError::WrongTenant { archive: "t-1".to_owned(), asked: "t-2".to_owned() };
        let table = [
            (SyncError::Service(failure), FailureKind::Credentials.advice()),
            (wrong_tenant, "an archive holds one tenant"),
        ];
        for (error, advice) in table {
            let mut shown = Vec::new();
            let error = anyhow::Error::from(error);
            explain(&error, &mut shown).unwrap();
            let shown = String::from_utf8(shown).unwrap();
            let last = shown.lines().last().unwrap_or_default();
            assert!(shown.lines().count() == 2 && last.trim().starts_with(advice), "{shown}");
            assert_eq!(code(&error), FAILED);
        }
    }
}
