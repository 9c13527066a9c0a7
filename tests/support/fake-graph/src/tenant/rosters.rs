//! Conversations as they are asked for one by one: what they are called now, who is in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatvault_support::stamp;
use serde_json::{Value, json};

use super::Tenant;
use super::people::Author;
use super::places::{Conversation, Kind, Membership};
use super::types::{Ms, Sender};

impl Tenant {
    /// A chat's own properties. `None` is a 404: nothing was written in it yet.
    pub fn chat(&self, id: &str, now: Ms) -> Option<Value> {
        let (number, chat) = self.place(id).filter(|(_, chat)| chat.kind != Kind::Channel)?;
        let (kind, topic) = match chat.kind {
            Kind::Direct => ("oneOnOne", Value::Null),
            Kind::Meeting => ("meeting", json!(chat.name)),
            _ => ("group", json!(chat.name)),
        };
        Some(json!({
            "id": id, "topic": topic, "createdDateTime": stamp(self.begun(number, now)?),
            "chatType": kind, "tenantId": self.id,
        }))
    }

    /// Who is in a chat now, people of other tenants too.
    pub fn members(&self, id: &str, now: Ms) -> Option<Vec<Value>> {
        let (number, chat) = self.place(id).filter(|(_, chat)| chat.kind != Kind::Channel)?;
        let begun = self.begun(number, now)?;
        let there = chat.members.iter().filter(|one| one.from <= now && now < one.until);
        Some(there.filter_map(|one| self.member(chat, *one, begun)).collect())
    }

    /// The channels of a team that is not deleted.
    pub fn channels(&self, team: &str, now: Ms) -> Option<Vec<Value>> {
        let created = stamp(self.team(team, now)?.created);
        let number = self.team_number(team);
        let all = self.story.places.conversations.iter().filter(|place| place.team == number);
        let channel = |place: &Conversation| {
            let kind = match place.name.as_str() {
                name if name.ends_with("(private)") => "private",
                name if name.ends_with("(shared)") => "shared",
                _ => "standard",
            };
            json!({
                "id": place.id, "createdDateTime": created, "displayName": place.name,
                "description": null, "isFavoriteByDefault": null, "email": "",
                "tenantId": self.id, "membershipType": kind, "isArchived": false,
            })
        };
        Some(all.map(channel).collect())
    }

    fn place(&self, id: &str) -> Option<(usize, &Conversation)> {
        self.story.places.conversations.iter().enumerate().find(|(_, place)| place.id == id)
    }

    /// When the first message was written that is there now.
    fn begun(&self, number: usize, now: Ms) -> Option<Ms> {
        let messages = self.story.messages.iter();
        let own = messages.filter(|message| message.conversation as usize == number);
        own.map(|message| message.created).filter(|created| *created <= now).min()
    }

    fn member(&self, chat: &Conversation, one: Membership, begun: Ms) -> Option<Value> {
        let author = self.story.people.authors.get(one.author)?;
        let Sender::User { id, .. } = &author.sender else { return None };
        let user = self.story.people.users.get(one.author);
        let late = one.from > begun && one.author % 2 == 1;
        let since = if late { stamp(one.from) } else { "0001-01-01T00:00:00Z".to_owned() };
        let membership = format!("2##{}##{}##{}", self.id, chat.id, Author::id(author));
        Some(json!({
            "@odata.type": "#microsoft.graph.aadUserConversationMember",
            "id": STANDARD.encode(membership), "roles": ["owner"], "displayName": author.name,
            "userId": id, "email": user.map(|user| user.upn.as_str()), "tenantId": self.id,
            "visibleHistoryStartDateTime": since,
        }))
    }
}
