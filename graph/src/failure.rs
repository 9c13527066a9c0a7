//! Why a request failed for good, in one line that names what to fix.
//!
//! Invariant: no query of an address, no token and no secret is in a [`Failure`]; text of the
//! service is cleaned and cut before it gets in.

use std::fmt;

/// Why a request failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is, and so what to do.
    pub kind: FailureKind,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The error code of the service.
    pub code: Option<String>,
    /// What happened and what to fix, for people.
    pub message: String,
    /// By this Microsoft's support finds the request.
    pub request_id: Option<String>,
    /// What was asked: a path without its query, or a host.
    pub at: Option<String>,
}

/// What kind of failure, and so what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The token service refused, or a fresh token was not taken: check tenant, client id, secret.
    Credentials,
    /// 403: the app lacks a permission, or is not let near this user.
    Permission,
    /// 402: the service wants to be paid, or a licence.
    Payment,
    /// 403: the user has no licence for what is asked.
    Licence,
    /// 412: the token belongs to a person, not to an app.
    Delegated,
    /// 404: no such user, team, message or content.
    NotFound,
    /// 410 and the like: a delta token or a continuation has expired; begin anew.
    Gone,
    /// 400 and other refusals: the request is wrong.
    Refused,
    /// 504 again and again: ask for less at once.
    TimedOut,
    /// 429 to the end of all attempts.
    Throttled,
    /// 5xx to the end of all attempts.
    Service,
    /// No connection, or cut in the middle, to the end of all attempts.
    Network,
    /// An answer above the largest size that is taken.
    TooLarge,
    /// A link or a redirect to where no token may go.
    Hostile,
    /// This machine: a file, or the set-up of TLS.
    Local,
}

impl FailureKind {
    /// What to do, in one line.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Credentials => "check tenant, client id and the secret or certificate of the app",
            Self::Permission => "grant the application permission and admin consent in Entra ID",
            Self::Payment => "check the tenant's licences; the export itself needs no billing",
            Self::Licence => {
                "nothing to do, or assign the licence: the permission is not the reason"
            }
            Self::Delegated => "use application permissions; delegated ones cannot export",
            Self::NotFound => {
                "nothing to do if it was deleted; deactivate an account that has no mailbox"
            }
            Self::Gone => "nothing to do: the next run reads this from its beginning",
            Self::Refused => "check the options; if they are right, report this as a bug",
            Self::TimedOut => "ask for smaller pages or narrower windows",
            Self::Throttled => "run again later, or lower the limits",
            Self::Service => "run again later; the service is in trouble",
            Self::Network => "check network, DNS, proxy and firewall of this machine",
            Self::TooLarge => "ask for smaller pages, or raise the largest answer",
            Self::Hostile => "check the cloud's addresses and whoever stands between",
            Self::Local => "check disk, rights and files of this machine",
        }
    }

    /// Does it come back with every run until somebody changes something?
    pub fn lasts(self) -> bool {
        matches!(self, Self::NotFound | Self::Permission | Self::Payment | Self::Licence)
    }

    /// What a status means when there is no more to try.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            301 | 302 | 303 | 307 | 308 => Self::Hostile,
            401 => Self::Credentials,
            402 => Self::Payment,
            403 => Self::Permission,
            404 => Self::NotFound,
            410 => Self::Gone,
            412 => Self::Delegated,
            429 | 509 => Self::Throttled,
            504 => Self::TimedOut,
            408 | 425 | 500.. => Self::Service,
            _ => Self::Refused,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Credentials => "sign-in failed",
            Self::Permission => "permission is missing",
            Self::Payment => "payment is required",
            Self::Licence => "no licence",
            Self::Delegated => "an application permission is needed",
            Self::NotFound => "not found",
            Self::Gone => "expired",
            Self::Refused => "request refused",
            Self::TimedOut => "the service took too long",
            Self::Throttled => "throttled",
            Self::Service => "the service failed",
            Self::Network => "network failed",
            Self::TooLarge => "answer too large",
            Self::Hostile => "answer not to be trusted",
            Self::Local => "this machine failed",
        }
    }
}

impl Failure {
    /// A failure of ours, with text of ours.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, status: None, code: None, message, request_id: None, at: None }
    }

    /// The service answered in a way that cannot be right.
    pub fn astray(link: &crate::Link, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Hostile, message).at(link.path())
    }

    /// Is it the app that lacks a permission, and not one account that it may not see?
    pub fn names_a_role(&self) -> bool {
        self.kind == FailureKind::Permission && self.message.starts_with(super::envelope::GRANT)
    }

    /// Names what was asked: a path without its query, or a host.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.at = Some(clean(place));
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.title())?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        let status = self.status.map(|status| format!("status {status}"));
        let code = self.code.as_ref().map(|code| format!("code {code}"));
        let request = self.request_id.as_ref().map(|id| format!("request id {id}"));
        let context: Vec<String> =
            [self.at.clone(), status, code, request].into_iter().flatten().collect();
        if context.is_empty() { Ok(()) } else { write!(f, " ({})", context.join(", ")) }
    }
}

impl std::error::Error for Failure {}

/// Characters of the service's text that are kept.
const MOST_CHARS: usize = 300;

/// Text from outside, fit for one line of a log.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            let gap = if out.is_empty() { "" } else { " " };
            out.extend(gap.chars().chain(word.chars().filter(|c| !turns_text(*c))));
        }
        if out.len() > MOST_CHARS * 4 {
            break;
        }
    }
    out.char_indices().nth(MOST_CHARS).map(|(at, _)| out.truncate(at)).unwrap_or_default();
    out
}

/// Marks that let a line be shown in another order than it is written.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// So many characters of a secret in a row are no chance.
const TELLING_BYTES: usize = 8;

/// Does a text give away a secret, or a good part of it, as it is or percent-encoded?
pub(crate) fn reveals(text: &str, secret: &str) -> bool {
    let plain = url::form_urlencoded::parse(format!("x={text}").as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect::<Vec<_>>();
    let texts = std::iter::once(text).chain(plain.iter().map(String::as_str));
    let secret = secret.as_bytes();
    texts.into_iter().any(|text| shares(text.as_bytes(), secret))
}

fn shares(text: &[u8], secret: &[u8]) -> bool {
    let length = secret.len().min(TELLING_BYTES);
    length > 0 && secret.windows(length).any(|part| memchr::memmem::find(text, part).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_with_all_that_support_asks_for() {
        let failure = Failure {
            kind: FailureKind::Refused,
            status: Some(400),
            code: Some("BadRequest".into()),
            message: "Invalid $filter query.".into(),
            request_id: Some("1-2-3".into()),
            at: Some("/v1.0/users/x/chats/getAllMessages".into()),
        };
        assert_eq!(
            failure.to_string(),
            "request refused: Invalid $filter query. (/v1.0/users/x/chats/getAllMessages, status 400, \
             code BadRequest, request id 1-2-3)"
        );
        let bare = Failure::new(FailureKind::Network, "");
        assert_eq!(bare.to_string(), "network failed");
    }

    #[test]
    fn text_from_outside_is_one_clean_short_line() {
        assert_eq!(clean(" a\r\n\tb\u{0}c\u{1b}[31m \u{202e}d "), "a b c [31m d");
        assert_eq!(clean(&"é".repeat(9999)).chars().count(), MOST_CHARS);
        assert_eq!(clean(&"ab ".repeat(9999)).chars().count(), MOST_CHARS);
        assert_eq!(clean(""), "");
    }

    #[test]
    fn a_secret_is_recognised_in_part_and_in_disguise() {
        let secret = "a8Q~tR/+x=9&zPq%7";
        for text in [
            "your secret a8Q~tR/+x=9&zPq%7 is wrong",
            "a8Q%7EtR%2F%2Bx%3D9%26zPq%257",
            "begins with a8Q~tR/+ as you know",
            "…x=9&zPq%7",
        ] {
            assert!(reveals(text, secret), "{text}");
        }
        assert!(!reveals("AADSTS7000215: Invalid client secret provided.", secret));
        assert!(!reveals("a8Q~tR", secret), "a few characters are chance");
        assert!(reveals("is it pw1?", "pw1"), "a short one counts as a whole");
        assert!(!reveals("anything", ""));
    }
}
