//! The conversations of what is stored beside messages: sessions with Copilot, and meetings.

use std::collections::BTreeMap;

use chatvault_engine::{Scan, Snapshot};
use chatvault_query::Record;
use chatvault_query::event::Names;
use chatvault_query::people::ConversationKind;
use chatvault_query::record::{Text, message};

use super::plan::Survey;
use crate::entry::{Chat, Person};
use crate::error::Result;
use crate::request::archive;

/// What stands for the meeting of a call that was none.
const CALLS: &str = "calls";

/// Whose sessions and meetings these are: id, and name if a row says it.
#[derive(Debug, Default)]
pub(super) struct Beside(BTreeMap<(Record, String), (String, Option<String>)>);

impl Beside {
    /// Asks the rows of meetings who organized them; an id tells whose session it is.
    pub(super) fn collect(snapshot: &Snapshot, survey: &Survey) -> Result<Self> {
        let mut all = Self::default();
        for record in [Record::Recording, Record::Transcript] {
            let Some(chats) = survey.chats.get(&record).filter(|chats| !chats.is_empty()) else {
                continue;
            };
            // Calls have many organizers and no meeting.
            for chat in chats.iter().filter(|chat| !chat.is_empty()) {
                let organizer = organizer(snapshot, record, chat)?;
                let known = organizer.map(|person| ((record, chat.clone()), person));
                all.0.extend(known);
            }
        }
        Ok(all)
    }

    /// A conversation; its folder has no name yet.
    pub(super) fn chat(&self, (record, id): (Record, &str), names: &dyn Names) -> Chat {
        let session = id.strip_prefix("user:").and_then(|id| id.split_once('/'));
        let (person, said) = match (session, self.0.get(&(record, id.to_owned()))) {
            (Some((user, _)), _) => (Some(user), None),
            (None, Some((user, name))) => (Some(user.as_str()), name.as_deref()),
            (None, None) => (None, None),
        };
        let known = |id: &str| names.name(id).or(said).map(str::to_owned);
        let person = person.map(|id| Person {
            id: id.to_owned(),
            name: known(id),
            address: names.address(id).map(str::to_owned),
            ..Person::default()
        });
        let what = match record {
            Record::Copilot => "Copilot",
            Record::Recording => "Recordings",
            _ => "Transcripts",
        };
        let kind = match record {
            Record::Copilot => ConversationKind::Copilot,
            _ if id.is_empty() => ConversationKind::Other,
            _ => ConversationKind::Meeting,
        };
        let whose = person.as_ref().map_or(CALLS, Person::label);
        Chat {
            id: if id.is_empty() { CALLS } else { id }.to_owned(),
            kind,
            topic: Some(format!("{what}: {whose}")),
            topics: Vec::new(),
            team: None,
            started: None,
            participants: person.into_iter().collect(),
            slug: String::new(),
        }
    }
}

/// Who organized a meeting: id, and name if the row says it. The first row that names somebody counts.
fn organizer(
    snapshot: &Snapshot,
    record: Record,
    chat: &str,
) -> Result<Option<(String, Option<String>)>> {
    let conversations = vec![chat.to_owned()];
    let scan = Scan { record: record.into(), conversations, ..Scan::default() };
    let mut rows = snapshot.scan(&scan).map_err(archive)?;
    while let Some(row) = rows.next().map_err(archive)? {
        let document = row.document().map_err(archive)?;
        if let Some(from) = message(record.into(), &document, &Text::None).from {
            return Ok(Some((from.id.into_owned(), from.name.map(String::from))));
        }
    }
    Ok(None)
}
