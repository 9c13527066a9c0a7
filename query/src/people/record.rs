//! What records say that are no messages: users and members; chats, channels and teams.

use std::borrow::Cow;

use chatvault_engine::{Document, Row, Scan, Snapshot, Timestamp, Value, Versions};

use crate::error::{Error, Result};
use crate::time::parse_time;

/// Somebody as the record of a user or a membership tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) name: Option<String>,
    /// The one that mail goes to stands first.
    pub(super) addresses: Vec<String>,
    /// From when on a member sees what is said; the year 1: from the start.
    pub(super) sees_from: Option<Timestamp>,
}

/// What members that are no users of the directory have in the place of `userId`.
const MEMBERS: [&str; 5] =
    ["userId", "anonymousGuestId", "skypeId", "azureCommunicationServicesId", "phoneNumber"];

/// The user of a record.
pub(super) fn user(record: &Document<'_>) -> Option<Told> {
    person(record, &["id"])
}

/// Whose membership a record is: its own id is nobody's.
pub(super) fn member(record: &Document<'_>) -> Option<Told> {
    person(record, &MEMBERS)
}

fn person(record: &Document<'_>, ids: &[&str]) -> Option<Told> {
    let mut told = Told::default();
    let (mut mail, mut principal) = (None, None);
    for (name, value) in record.root().members() {
        let text = || some_text(value);
        match name {
            name if ids.contains(&name) => {
                told.id = text().map_or(std::mem::take(&mut told.id), Cow::into_owned);
            }
            "displayName" => told.name = text().map(Cow::into_owned),
            "mail" | "email" => mail = text(),
            "userPrincipalName" => principal = text(),
            "visibleHistoryStartDateTime" => {
                told.sees_from = text().and_then(|text| parse_time("since", &text).ok());
            }
            _ => {}
        }
    }
    told.addresses = [mail, principal].into_iter().flatten().map(Cow::into_owned).collect();
    (!told.id.is_empty()).then_some(told)
}

/// A text that says something.
fn some_text(value: Value<'_>) -> Option<Cow<'_, str>> {
    value.text().filter(|text| !text.trim().is_empty())
}

/// What the record of a chat, a channel or a team says that it is called; empty: it has no name.
pub(super) fn name<'d>(record: &'d Document<'_>) -> Option<Cow<'d, str>> {
    let names =
        record.root().members().filter(|(name, _)| matches!(*name, "topic" | "displayName"));
    names.last().map(|(_, value)| value.text().unwrap_or_default())
}

/// What is called for each version of a record: its conversation, its document, its time and that of
/// the next one.
pub(super) type OnVersion<'f> =
    &'f mut dyn FnMut(&str, &Document<'_>, Timestamp, Option<Timestamp>);

/// Calls `on` for each version of each record, the versions of one in order.
pub(super) fn each(snapshot: &Snapshot, scan: Scan, on: OnVersion<'_>) -> Result<()> {
    let scan = Scan { versions: Versions::All, ..scan };
    let mut rows = snapshot.scan(&scan).map_err(Error::Archive)?;
    let mut before: Option<(String, String, Document<'static>, Timestamp)> = None;
    loop {
        let row = rows.next().map_err(Error::Archive)?;
        if let Some((conversation, id, document, at)) = &before {
            let same = |row: &&Row<'_>| row.conversation() == conversation && row.id() == id;
            on(conversation, document, *at, row.as_ref().filter(same).map(Row::modified));
        }
        let Some(row) = row else { return Ok(()) };
        let (conversation, id) = (row.conversation().to_owned(), row.id().to_owned());
        let document = row.document().map_err(Error::Archive)?.into_owned();
        before = Some((conversation, id, document, row.modified()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_is_of_a_user_or_of_whoever_has_no_account() {
        let member = |json: &str| member(&Document::parse(json.as_bytes()).unwrap());
        let told = member(
            r#"{"id":"MCMj","userId":"u1","displayName":"Ann","email":"ann@x.example","roles":[]}"#,
        );
        let told = told.unwrap();
        assert_eq!((&*told.id, told.name.as_deref()), ("u1", Some("Ann")));
        assert_eq!(told.addresses, ["ann@x.example"]);
        let guest = member(r#"{"id":"MCMj","anonymousGuestId":"g","displayName":null}"#).unwrap();
        assert_eq!((&*guest.id, guest.name), ("g", None));
        assert_eq!(member(r#"{"id":"MCMj","displayName":"Ann"}"#), None);
    }

    #[test]
    fn mail_goes_before_the_principal_name_and_an_empty_one_is_none() {
        let user = |json: &str| user(&Document::parse(json.as_bytes()).unwrap());
        let addresses = |json: &str| user(json).unwrap().addresses;
        let both = r#"{"id":"u","userPrincipalName":"u_x#EXT#@y.example","mail":"u@x.example"}"#;
        assert_eq!(addresses(both), ["u@x.example", "u_x#EXT#@y.example"]);
        assert_eq!(
            addresses(r#"{"id":"u","mail":"","userPrincipalName":"u@y.example"}"#),
            ["u@y.example"]
        );
        assert_eq!(user("{}"), None);
    }
}
