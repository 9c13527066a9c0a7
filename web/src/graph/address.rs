//! The address of a request: steps and options.
//!
//! | written | read as |
//! |---|---|
//! | `users('ID')/chats` | `users/ID/chats` |
//! | `chats/microsoft.graph.getAllMessages()` | `chats/getAllMessages` |
//! | `users/ID/chats/CHAT/…` | `chats/CHAT/…` |
//! | `teamwork/deletedTeams/ID/…` | `teams/ID/…` |
//!
//! The service's own words are compared in lower case, since its links spell them in several ways.

use axum::http::Uri;

use super::refusal::{Refusal, Result};
use crate::fields::Fields;

/// More steps than any address has.
const MOST_STEPS: usize = 16;

pub(super) struct Address {
    /// As it came, for links that lead on.
    pub(super) path: String,
    /// `v1.0` or `beta`.
    pub(super) version: String,
    pub(super) options: Fields,
    steps: Vec<Step>,
    /// What stands in the brackets of a function.
    arguments: Vec<(String, String)>,
}

struct Step {
    text: String,
    /// The same as a word of the service.
    word: String,
}

impl Address {
    pub(super) fn of(uri: &Uri) -> Result<Self> {
        let mut parts = uri.path().split('/').skip(1);
        let version = parts.next().unwrap_or_default().to_owned();
        let (mut steps, mut arguments) = (Vec::new(), Vec::new());
        for part in parts {
            let part = decode(part).ok_or_else(|| Refusal::bad("The address is not UTF-8."))?;
            read(&part, &mut steps, &mut arguments);
        }
        if steps.len() > MOST_STEPS {
            return Err(Refusal::missing("resource"));
        }
        let options = Fields::of(uri.query().unwrap_or_default().as_bytes());
        let mut address = Self { path: uri.path().to_owned(), version, options, steps, arguments };
        address.shorten();
        Ok(address)
    }

    fn shorten(&mut self) {
        let front = match &self.words()[..] {
            ["users", _, "chats", chat, ..]
                if !chat.starts_with("getall") && *chat != "allmessages" =>
            {
                2
            }
            ["teamwork", "deletedteams", _, ..] => {
                if let Some(step) = self.steps.get_mut(1) {
                    "teams".clone_into(&mut step.word);
                }
                1
            }
            _ => 0,
        };
        drop(self.steps.drain(..front));
    }

    /// Its steps as the service's words.
    pub(super) fn words(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.word.as_str()).collect()
    }

    /// A step as it was written.
    pub(super) fn step(&self, at: usize) -> &str {
        self.steps.get(at).map_or("", |step| step.text.as_str())
    }

    /// An argument of its function.
    pub(super) fn argument(&self, name: &str) -> Option<&str> {
        let mut all = self.arguments.iter();
        all.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// `$name`, which may also be written without the sign.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let bare = |text: &str| text.trim_start_matches('$').eq_ignore_ascii_case(name);
        let mut all = self.options.pairs();
        all.find(|(own, value)| bare(own) && !value.is_empty()).map(|(_, value)| value)
    }
}

/// Adds a part of a path: a step, or a step and its key.
fn read(part: &str, steps: &mut Vec<Step>, arguments: &mut Vec<(String, String)>) {
    let bracketed = part.strip_suffix(')').and_then(|part| part.split_once('('));
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.');
    let Some((name, inside)) = bracketed.filter(|(name, _)| is_name(name)) else {
        return steps.push(Step::of(part));
    };
    steps.push(Step::of(name));
    if let Some(key) = literal(inside).filter(|_| inside.starts_with('\'')) {
        return steps.push(Step::of(&key));
    }
    for pair in split(inside, ',') {
        if let Some((name, value)) = pair.split_once('=') {
            let value = literal(value).unwrap_or_else(|| value.trim().to_owned());
            arguments.push((name.trim().to_owned(), value));
        }
    }
}

impl Step {
    fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let word = lower.strip_prefix("microsoft.graph.").unwrap_or(&lower).to_owned();
        Self { text: text.to_owned(), word }
    }
}

/// A text in single quotes, of which two inside stand for one.
pub(super) fn literal(text: &str) -> Option<String> {
    let inside = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inside.replace("''", "'"))
}

/// The parts between a sign that stands outside of quotes.
fn split(text: &str, sign: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c: char| {
        is_quoted ^= c == '\'';
        c == sign && !is_quoted
    })
}

fn decode(part: &str) -> Option<String> {
    let mut pieces = part.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let digits =
            piece.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(piece.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::of(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_services_ways_to_write_an_address_are_one() {
        for (text, words, id) in [
            ("/v1.0/users/Ann/chats/getAllMessages", "users/ann/chats/getallmessages", (1, "Ann")),
            (
                "/v1.0/users('A%27%27n')/chats/getallMessages?$top=2",
                "users/a'n/chats/getallmessages",
                (1, "A'n"),
            ),
            ("/beta/users/1/chats/19%3aX%40y/messages/2", "chats/19:x@y/messages/2", (1, "19:X@y")),
            (
                "/v1.0/teamwork/deletedTeams/T/channels/getAllMessages",
                "teams/t/channels/getallmessages",
                (1, "T"),
            ),
            ("/v1.0/teamwork/deletedTeams", "teamwork/deletedteams", (1, "deletedTeams")),
            (
                "/v1.0/users/1/chats/microsoft.graph.getAllMessages()/delta",
                "users/1/chats/getallmessages/delta",
                (1, "1"),
            ),
        ] {
            let read = address(text);
            assert_eq!(
                (read.words().join("/"), read.step(id.0)),
                (words.to_owned(), id.1),
                "{text}"
            );
        }
    }

    #[test]
    fn functions_have_arguments() {
        let read = address(
            "/v1.0/users/1/onlineMeetings/getAllRecordings(meetingOrganizerUserId='a,''b',startDateTime=2024-01-01T00:00:00.000Z)/delta?$top=3&%24filter=x+y",
        );
        assert_eq!(read.words(), ["users", "1", "onlinemeetings", "getallrecordings", "delta"]);
        assert_eq!(read.argument("meetingorganizeruserid"), Some("a,'b"));
        assert_eq!(read.argument("startDateTime"), Some("2024-01-01T00:00:00.000Z"));
        assert_eq!((read.option("top"), read.option("filter")), (Some("3"), Some("x y")));
        assert!(Address::of(&"/v1.0/users/%ff".parse().unwrap()).is_err());
    }
}
