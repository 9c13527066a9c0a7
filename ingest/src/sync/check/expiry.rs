//! Until when the app can prove itself: nothing stops a backup as silently as a secret that ended.

use std::fmt;

use chatvault_engine::Timestamp;
use chatvault_graph::{Credential, Failure, FailureKind};
use serde::Deserialize;

use crate::sync::{Check, Service};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// So long before its end a credential is told.
const AHEAD_DAYS: i64 = 30;

/// What proves the app, and its last moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Expiry {
    what: &'static str,
    ends: Timestamp,
}

impl Expiry {
    /// Of a certificate, or of a secret as the caller knows it.
    pub(in crate::sync) fn known(service: &Service) -> Option<Self> {
        match &*service.app.credential {
            Credential::Certificate(certificate) => {
                Some(Self { what: "certificate", ends: certificate.ends()? })
            }
            Credential::Secret(_) => {
                Some(Self { what: "client secret", ends: service.secret_expires? })
            }
        }
    }

    /// Of a secret as the app registration has it.
    pub(super) fn of_secret(ends: Timestamp) -> Self {
        Self { what: "client secret", ends }
    }

    /// What to do about it, when it is time.
    pub(in crate::sync) fn warning(self, now_ms: i64) -> Option<String> {
        let days = self.days(now_ms);
        (days <= AHEAD_DAYS)
            .then(|| format!("{self}, in {days} days: make a new one, and give it to this command"))
    }

    pub(super) fn check(self, now_ms: i64) -> Check {
        let outcome = if self.ends.ms() <= now_ms {
            Err(Failure::new(FailureKind::Credentials, format!("{self}: make a new one")))
        } else {
            Ok(self.to_string())
        };
        let warning = self.warning(now_ms).filter(|_| outcome.is_ok());
        Check { warning, ..Check::new(self.what, outcome) }
    }

    fn days(self, now_ms: i64) -> i64 {
        (self.ends.ms() - now_ms).div_euclid(DAY_MS)
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = chatvault_graph::time(self.ends);
        write!(f, "the {} ends on {}", self.what, ends.get(..10).unwrap_or_default())
    }
}

/// An app registration, as far as its secrets are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Registration {
    #[serde(default, rename = "passwordCredentials")]
    secrets: Vec<Registered>,
}

#[derive(Debug, Deserialize)]
struct Registered {
    #[serde(default)]
    hint: Option<String>,
    #[serde(rename = "endDateTime")]
    ends: String,
}

impl Registration {
    /// When the secret ends whose first characters are registered; of several the last, because
    /// nobody can tell them apart.
    pub(super) fn ends(&self, credential: &Credential) -> Option<Timestamp> {
        let Credential::Secret(secret) = credential else { return None };
        let fits =
            |one: &&Registered| one.hint.as_deref().is_none_or(|hint| secret.begins_with(hint));
        self.secrets.iter().filter(fits).filter_map(|one| one.ends.parse().ok()).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatvault_graph::Secret;

    #[test]
    fn an_end_is_told_thirty_days_ahead_and_fails_when_it_is_past() {
        let ends: Timestamp = "2026-12-31T12:00:00Z".parse().unwrap();
        let at = |days: i64| Expiry::of_secret(ends).check(ends.ms() - days * DAY_MS);
        assert_eq!(at(31).warning, None);
        assert_eq!(at(31).outcome.unwrap(), "the client secret ends on 2026-12-31");
        assert!(at(30).warning.unwrap().starts_with("the client secret ends on 2026-12-31, in 30"));
        let past = at(0);
        assert!(
            past.outcome.unwrap_err().kind == FailureKind::Credentials && past.warning.is_none()
        );
    }

    #[test]
    fn a_registered_secret_is_known_by_its_first_characters() {
        let registration: Registration = serde_json::from_str(
            r#"{"passwordCredentials":[
                {"hint":"abc","endDateTime":"2026-01-01T00:00:00Z"},
                {"hint":"xyz","endDateTime":"2028-01-01T00:00:00Z"},
                {"hint":"abc","endDateTime":"2027-01-01T00:00:00Z"}]}"#,
        )
        .unwrap();
        let of = |text: &str| registration.ends(&Credential::Secret(Secret::new(text.to_owned())));
        assert_eq!(of("abc~1"), "2027-01-01T00:00:00Z".parse().ok());
        assert_eq!(of("none"), None);
    }
}
