//! What an export is of, in words: whom, which messages, what was left out, who asked, how far the
//! archive was. It stands on covers and pages, in every manifest and in the index, so that nobody
//! takes a part of a conversation for the whole.

use chatvault_engine::{Custodian, Timestamp};
use chatvault_query::Record;
use chatvault_query::event::Names;

use crate::entry::{RenderOptions, SystemEvents, Zone};
use crate::request::{Request, TimeField, time};

/// More people than this are counted.
const NAMED: usize = 20;

/// The lines of a cover: what each is about, and what it says.
pub(crate) fn rows(request: &Request, names: &dyn Names) -> Vec<(&'static str, String)> {
    let zone: Zone = request.zone.parse().unwrap_or_default();
    let mut rows = vec![
        ("Custodians", custodians(request, names)),
        ("Selection", chosen(request, names, zone)),
        ("Left out on request", left_out(request)),
    ];
    if let Some(who) = request.requested_by.as_deref().filter(|who| !who.trim().is_empty()) {
        rows.push(("Requested by", who.to_owned()));
    }
    rows.push(("Collected", collected(request, zone)));
    if !request.known_gaps.is_empty() {
        rows.push(("Never exported by the service", request.known_gaps.join("; ")));
    }
    let commit = request.as_of_sequence.map_or_else(|| "0".to_owned(), |commit| commit.to_string());
    rows.push(("State of the archive", format!("as of commit {commit}")));
    rows
}

/// What a running foot says of a transcript that may lack messages; `None`: it has all.
pub(crate) fn mark(request: &Request) -> Option<&'static str> {
    let is_whole = request.senders.is_empty()
        && request.filter.is_none()
        && request.since.is_none()
        && request.custodians.is_empty()
        && request.system_events != SystemEvents::Omit;
    (!is_whole).then_some("a selection: see the cover")
}

impl RenderOptions {
    /// Adds what the words and marks of pages say.
    pub(crate) fn tell(&mut self, request: &Request, names: &dyn Names) {
        self.told = rows(request, names);
        self.mark = mark(request);
    }
}

fn custodians(request: &Request, names: &dyn Names) -> String {
    if request.custodians.is_empty() {
        return "everybody whose export is in the archive".to_owned();
    }
    let words = |id: &String| {
        let custodian = Custodian::parse(id);
        let known = request.collected.iter().find(|one| one.custodian == custodian.as_str());
        let user = custodian.as_str().strip_prefix("user:");
        let name = user.and_then(|user| names.name(user));
        let name = name.or_else(|| known?.name.as_deref());
        let address = user.and_then(|user| names.address(user));
        let address = address.or_else(|| known?.address.as_deref());
        let address = address.filter(|text| Some(*text) != name);
        let known: Vec<&str> = [name, address].into_iter().flatten().collect();
        match known.as_slice() {
            [] => custodian.to_string(),
            known => format!("{} ({custodian})", known.join(", ")),
        }
    };
    list(&request.custodians, words)
}

fn chosen(request: &Request, names: &dyn Names, zone: Zone) -> String {
    let name =
        |id: &String| names.name(id).map_or_else(|| id.clone(), |name| format!("{name} ({id})"));
    let mut words = Vec::new();
    match request.chats.as_slice() {
        [] => {}
        [_] => words.push("one conversation that was named".to_owned()),
        chats => words.push(format!("{} conversations that were named", chats.len())),
    }
    if !request.senders.is_empty() {
        words.push(format!("only messages sent by {}", list(&request.senders, name)));
    }
    if let Some(filter) = &request.filter {
        words.push(format!("only messages that meet the condition: {filter}"));
    }
    if let Some(since) = request.since {
        words.push(format!("only what arrived after commit {since}"));
    }
    if let Some(as_of) = &request.as_of {
        let shown = time("as_of", as_of).map_or_else(|_| as_of.clone(), |time| zone.show(time));
        words.push(format!("only versions that were not modified after {shown}"));
    }
    if request.time_field == TimeField::Modified {
        words.push("by the time of a message's last change, not of its sending".to_owned());
    }
    if request.all_versions {
        let variants = if request.all_variants { " and variant" } else { "" };
        words.push(format!("every archived version{variants}"));
    }
    match (words.is_empty(), request.custodians.is_empty()) {
        (false, _) => words.join("; "),
        (true, true) => "every message in the period".to_owned(),
        (true, false) => "every message in the period that these custodians received".to_owned(),
    }
}

fn left_out(request: &Request) -> String {
    let events = request.system_events == SystemEvents::Omit;
    let events = events.then_some("events of the service (counted below)");
    let files = request.text_only.then_some("files and images (listed, not included)");
    let records = request.other_records.iter().map(|record| match record {
        Record::Copilot => "Copilot interactions",
        Record::Recording => "recordings",
        Record::Transcript => "transcripts",
        _ => "messages",
    });
    let others = request.others.map(|others| match others {
        1 => "1 message of the period that the selection does not name".to_owned(),
        count => format!("{count} messages of the period that the selection does not name"),
    });
    let words = [events, files].into_iter().flatten().chain(records).map(str::to_owned);
    let words: Vec<String> = others.into_iter().chain(words).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join("; ") }
}

fn collected(request: &Request, zone: Zone) -> String {
    let until =
        |text: &str| time("until", text).map_or_else(|_| text.to_owned(), |at| zone.show(at));
    let words = |one: &Collected| {
        let who = one.name.as_deref().unwrap_or(&one.custodian);
        match &one.until {
            Some(at) => format!("{who}: complete up to {}", until(at)),
            None => format!("{who}: not complete yet"),
        }
    };
    match request.collected.as_slice() {
        [] => "by import; how far it reaches is not recorded".to_owned(),
        some if some.len() <= NAMED => some.iter().map(words).collect::<Vec<_>>().join("; "),
        many => {
            let ends = many.iter().filter_map(|one| one.until.as_deref());
            let least = ends.clone().min().map(until).unwrap_or_default();
            let most = ends.clone().max().map(until).unwrap_or_default();
            let open = many.len() - ends.count();
            let open = if open > 0 { format!("; {open} not complete yet") } else { String::new() };
            format!(
                "{} accounts, complete up to {least} at least, {most} at most{open}",
                many.len()
            )
        }
    }
}

fn list<T>(all: &[T], words: impl Fn(&T) -> String) -> String {
    let named: Vec<String> = all.iter().take(NAMED).map(words).collect();
    match all.len().saturating_sub(NAMED) {
        0 => named.join("; "),
        more => format!("{} and {more} more", named.join("; ")),
    }
}

/// How far a custodian's messages were collected when an export was made, as the host says.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Collected {
    /// Who: `user:ID` or `team:ID`.
    pub custodian: String,
    /// What they are called in the directory.
    pub name: Option<String>,
    /// Their address in the directory.
    pub address: Option<String>,
    /// Everything before this time was collected, RFC 3339; none: not everything, whatever the time.
    pub until: Option<String>,
}

impl Collected {
    /// Of a custodian who is complete up to a time.
    pub fn until(custodian: &Custodian, until: Option<Timestamp>) -> Self {
        let until = until.map(crate::zone::rfc3339);
        Self { custodian: custodian.to_string(), until, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use chatvault_query::event::NoNames;

    use super::*;

    fn said(request: &Request) -> Vec<String> {
        rows(request, &NoNames)
            .into_iter()
            .map(|(label, words)| format!("{label}: {words}"))
            .collect()
    }

    #[test]
    fn a_whole_conversation_and_a_selection_are_told_apart() {
        let whole = Request::default();
        assert_eq!(mark(&whole), None);
        assert_eq!(
            said(&whole)[..3],
            [
                "Custodians: everybody whose export is in the archive",
                "Selection: every message in the period",
                "Left out on request: nothing",
            ]
        );
        let list = |text: &str| vec![text.to_owned()];
        let some = Request {
            custodians: list("bob"),
            senders: list("ada"),
            filter: Some("importance eq 'high'".to_owned()),
            since: Some(3.into()),
            system_events: SystemEvents::Omit,
            text_only: true,
            requested_by: Some("A. Judge".to_owned()),
            known_gaps: list("chats of people with themselves"),
            others: Some(7),
            collected: vec![Collected {
                name: Some("Bob Müller".to_owned()),
                ..Collected::until(&Custodian::user("bob"), Some(Timestamp::from_ms(1_000)))
            }],
            ..Request::default()
        };
        assert!(mark(&some).is_some());
        let condition = "only messages that meet the condition: importance eq 'high'";
        assert_eq!(
            said(&some),
            [
                "Custodians: Bob Müller (user:bob)".to_owned(),
                format!("Selection: only messages sent by ada; {condition}; only what arrived after commit 3"),
                "Left out on request: 7 messages of the period that the selection does not name; events of \
                 the service (counted below); files and images (listed, not included)"
                    .to_owned(),
                "Requested by: A. Judge".to_owned(),
                "Collected: Bob Müller: complete up to 1970-01-01 00:00:01 UTC".to_owned(),
                "Never exported by the service: chats of people with themselves".to_owned(),
                "State of the archive: as of commit 0".to_owned(),
            ]
        );
    }

    #[test]
    fn many_people_are_counted() {
        let custodians: Vec<String> = (0..25).map(|number| format!("u{number}")).collect();
        let collected = custodians.iter().map(|id| {
            let end = (id != "u7").then(|| Timestamp::from_ms(0));
            Collected::until(&Custodian::user(id), end)
        });
        let collected = collected.collect();
        let said = said(&Request { custodians, collected, ..Request::default() });
        assert!(said[0].ends_with("user:u19 and 5 more"), "{said:?}");
        assert!(
            said[3].contains("25 accounts") && said[3].ends_with("1 not complete yet"),
            "{said:?}"
        );
    }
}
