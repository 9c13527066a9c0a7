//! `sync --test`: is the connection good?

use chatvault_ingest::sync::Check;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Outcome;

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    good: bool,
    checks: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    what: &'a str,
    good: bool,
    seen: String,
    advice: Option<String>,
}

impl<'a> From<&'a Check> for Finding<'a> {
    fn from(check: &'a Check) -> Self {
        let (seen, advice) = match &check.outcome {
            Ok(seen) => (seen.clone(), check.warning.clone()),
            Err(failure) => (failure.to_string(), Some(failure.kind.advice().to_owned())),
        };
        Self { what: &check.what, good: check.outcome.is_ok(), seen, advice }
    }
}

impl Finding<'_> {
    fn line(&self, width: usize) -> String {
        let mark = match (self.good, &self.advice) {
            (true, None) => "ok  ",
            (true, Some(_)) => "NOTE",
            (false, _) => "FAIL",
        };
        format!("{mark}  {:width$}  {}", self.what, self.seen)
    }
}

/// Tells what was found; one bad check is a failure.
pub(super) fn tell(
    checks: &[Check],
    json: bool,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    let checks: Vec<Finding<'_>> = checks.iter().map(Finding::from).collect();
    let good = checks.iter().all(|check| check.good);
    if json {
        console.json(&Report { good, checks })?;
    } else {
        print(&checks, console)?;
    }
    Ok(if good { Outcome::Done } else { Outcome::Failed })
}

fn print(checks: &[Finding<'_>], console: &mut Console<'_>) -> anyhow::Result<()> {
    let width = checks.iter().map(|check| check.what.chars().count()).max().unwrap_or(0);
    for check in checks {
        console.line(check.line(width))?;
        if let Some(advice) = &check.advice {
            console.line(format!("        {advice}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chatvault_ingest::graph::{Failure, FailureKind};

    use super::*;

    fn checks() -> [Check; 2] {
        let failure = Failure {
            kind: FailureKind::Permission,
            status: Some(403),
            code: Some("Forbidden".to_owned()),
            message: "Missing role permissions".to_owned(),
            request_id: None,
            at: None,
        };
        let check = |what: &str, outcome| Check { what: what.to_owned(), outcome, warning: None };
        [check("token", Ok("good for an hour".to_owned())), check("a page of chats", Err(failure))]
    }

    fn told(checks: &[Check], json: bool) -> (Outcome, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::of_files(&mut out, &mut err);
        let outcome = tell(checks, json, &mut console).unwrap();
        drop(console);
        (outcome, String::from_utf8(out).unwrap())
    }

    #[test]
    fn each_check_has_a_line_and_a_bad_one_says_what_to_do() {
        let (outcome, text) = told(&checks(), false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(outcome, Outcome::Failed);
        assert_eq!(lines[0], "ok    token            good for an hour");
        assert!(lines[1].starts_with("FAIL  a page of chats  ") && lines[1].contains("Missing"));
        assert_eq!(lines[2].trim(), FailureKind::Permission.advice());
        assert_eq!(told(&checks()[..1], false).0, Outcome::Done);
        let mut soon = checks();
        soon[0].warning = Some("make a new one".to_owned());
        let (outcome, text) = told(&soon[..1], false);
        assert_eq!((outcome, text.starts_with("NOTE  token")), (Outcome::Done, true), "{text}");
        assert!(text.contains("make a new one"));
    }

    #[test]
    fn programs_get_the_documented_fields() {
        let (_, text) = told(&checks(), true);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["good"], false);
        assert_eq!(value["checks"][0]["seen"], "good for an hour");
        assert_eq!(value["checks"][1]["advice"], FailureKind::Permission.advice());
    }
}
