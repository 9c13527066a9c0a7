//! What happens in a conversation: messages one after the other, each with all its later states.

use super::cast::{Conversation, Person, Venue, only};
use super::chance::Chance;
use super::graph::{Body, ChannelIdentity, Event, IdentitySet, Message, Participant};
use super::time::{self, DAY, HOUR, MINUTE, SECOND};
use super::{draft, fate};

/// A message from its first state to its last; every one has a later `modified`.
pub(super) struct Told {
    pub(super) states: Vec<State>,
}

/// A message as it was from `modified` on.
#[derive(Clone)]
pub(super) struct State {
    pub(super) modified: u64,
    pub(super) message: Message,
}

impl State {
    /// The same message changed at a later time.
    pub(super) fn later(&self, modified: u64) -> Self {
        let mut next = self.clone();
        next.modified = modified;
        next.message.etag = modified.to_string();
        next.message.last_modified_date_time = time::text(modified);
        next
    }
}

/// A message that others can answer: its id, its author and how it began.
pub(super) struct Earlier {
    pub(super) id: u64,
    pub(super) author: usize,
    pub(super) preview: String,
}

/// Somebody who saw everything in a conversation and tells it in order.
pub(super) struct Teller<'a> {
    pub(super) people: &'a [Person],
    pub(super) conversation: &'a Conversation,
    pub(super) chance: Chance,
    pub(super) earlier: Vec<Earlier>,
    clock: u64,
}

/// Tells a whole conversation.
pub(super) fn tell(people: &[Person], conversation: &Conversation, chance: Chance) -> Vec<Told> {
    let earlier = Vec::new();
    let mut teller = Teller { people, conversation, chance, earlier, clock: time::START };
    teller.clock += 7 * HOUR + teller.chance.below(2 * DAY);
    let mut told = teller.opening();
    while told.len() < conversation.messages {
        let happened = match &conversation.place {
            Venue::Meeting { .. } if teller.chance.one_in(18) => teller.call(),
            _ => vec![teller.message()],
        };
        told.extend(happened);
    }
    if matches!(conversation.place, Venue::Chat { .. }) && conversation.title.is_some() {
        told.push(teller.farewell());
    }
    told
}

impl Teller<'_> {
    /// Somebody says something; what becomes of it is decided at once.
    fn message(&mut self) -> Told {
        self.pass();
        let author = *self.chance.pick(&self.conversation.members);
        let drafted = draft::write(self, author);
        let preview = drafted.preview.chars().take(60).collect();
        let mut message = self.blank();
        message.from = Some(only(self.people[author].user()));
        message.body = drafted.body;
        message.attachments = drafted.attachments;
        message.mentions = drafted.mentions;
        message.importance = if self.chance.one_in(60) { "high" } else { "normal" };
        self.thread(&mut message, author, preview);
        let first = State { modified: self.clock, message };
        Told { states: fate::of(self, author, first) }
    }

    /// In a channel most messages answer a root post; the others are root posts with a subject.
    fn thread(&mut self, message: &mut Message, author: usize, preview: String) {
        let post = Earlier { id: self.clock, author, preview };
        let Venue::Channel { team, channel } = &self.conversation.place else {
            return self.earlier.push(post);
        };
        let recent = self.earlier.len().saturating_sub(4);
        let root = match self.earlier.get(recent..) {
            Some(roots) if !roots.is_empty() && !self.chance.one_in(5) => {
                self.chance.pick(roots).id
            }
            _ => self.clock,
        };
        let id = self.clock;
        message.web_url = Some(format!(
            "https://teams.microsoft.com/l/message/{}/{id}?groupId={team}&createdTime={id}\
             &parentMessageId={root}",
            channel.replace(':', "%3A").replace('@', "%40")
        ));
        if root == id {
            message.subject = Some(post.preview.clone());
            self.earlier.push(post);
        } else {
            message.reply_to_id = Some(root.to_string());
        }
    }

    /// Lets time go by: seconds inside an exchange, hours between two.
    fn pass(&mut self) {
        let gap = match self.chance.below(7) {
            0 => self.chance.between(HOUR, 30 * HOUR),
            1 => self.chance.between(4 * MINUTE, 50 * MINUTE),
            _ => self.chance.between(3 * SECOND, 4 * MINUTE),
        };
        self.clock = time::working(self.clock + gap);
    }

    /// Group chats start with their members and a name; channels and pairs with the first message.
    fn opening(&mut self) -> Vec<Told> {
        let Some(title) = self.conversation.title else { return Vec::new() };
        if matches!(self.conversation.place, Venue::Channel { .. }) {
            return Vec::new();
        }
        let members = self.conversation.members.iter().map(|&at| self.people[at].nameless());
        let added = Event::MembersAdded {
            visible_history_start_date_time: "0001-01-01T00:00:00Z",
            members: members.collect(),
            initiator: self.host(),
        };
        let renamed = Event::ChatRenamed {
            chat_id: self.chat_id().unwrap_or_default(),
            chat_display_name: title,
            initiator: self.host(),
        };
        vec![self.report(added), self.report(renamed)]
    }

    /// A call from start to end, with something said meanwhile.
    fn call(&mut self) -> Vec<Told> {
        let call_id = self.chance.guid();
        let started = self.report(Event::CallStarted {
            call_id: call_id.clone(),
            call_event_type: "meeting",
            initiator: self.host(),
        });
        let said = self.message();
        let seconds = self.chance.between(300, 3_000);
        self.clock += seconds * SECOND;
        let members = self.conversation.members.iter();
        let ended = Event::CallEnded {
            call_id,
            call_duration: format!("PT{}M{}S", seconds / 60, seconds % 60),
            call_event_type: "meeting",
            call_participants: members
                .map(|&at| Participant { participant: only(self.people[at].nameless()) })
                .collect(),
            initiator: self.host(),
        };
        vec![started, said, self.report(ended)]
    }

    fn farewell(&mut self) -> Told {
        let leaver = *self.chance.pick(&self.conversation.members);
        let user = self.people[leaver].nameless();
        self.report(Event::MembersLeft { members: vec![user.clone()], initiator: only(user) })
    }

    /// A message of the service itself.
    fn report(&mut self, event: Event) -> Told {
        self.clock += self.chance.between(200, 900);
        let mut message = self.blank();
        message.message_type = "systemEventMessage";
        message.event_detail = Some(event);
        message.body = Body { content_type: "html", content: "<systemEventMessage/>".to_owned() };
        Told { states: vec![State { modified: self.clock, message }] }
    }

    /// Whoever comes first in a conversation started it.
    fn host(&self) -> IdentitySet {
        only(self.people[self.conversation.members[0]].nameless())
    }

    pub(super) fn chat_id(&self) -> Option<String> {
        match &self.conversation.place {
            Venue::Chat { id } | Venue::Meeting { id } => Some(id.clone()),
            Venue::Channel { .. } => None,
        }
    }

    fn channel_identity(&self) -> Option<ChannelIdentity> {
        match &self.conversation.place {
            Venue::Channel { team, channel } => {
                Some(ChannelIdentity { team_id: team.clone(), channel_id: channel.clone() })
            }
            Venue::Chat { .. } | Venue::Meeting { .. } => None,
        }
    }

    /// A message created now, with nothing in it.
    fn blank(&self) -> Message {
        let now = time::text(self.clock);
        Message {
            odata_type: "#microsoft.graph.chatMessage",
            id: self.clock.to_string(),
            reply_to_id: None,
            etag: self.clock.to_string(),
            message_type: "message",
            created_date_time: now.clone(),
            last_modified_date_time: now,
            last_edited_date_time: None,
            deleted_date_time: None,
            subject: None,
            summary: None,
            chat_id: self.chat_id(),
            importance: "normal",
            locale: "en-us",
            web_url: None,
            channel_identity: self.channel_identity(),
            policy_violation: None,
            event_detail: None,
            from: None,
            body: Body { content_type: "text", content: String::new() },
            attachments: Vec::new(),
            mentions: Vec::new(),
            reactions: Vec::new(),
            message_history: Vec::new(),
        }
    }
}
