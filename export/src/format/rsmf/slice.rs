//! One slice of a conversation becomes one `.rsmf` file.
//!
//! Here everything is settled that depends on the whole slice: who is in it and how they are called,
//! which answers have their question in it, what files are named, who the custodian is.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use chatvault_base::time::calendar::mail_date;
use chatvault_engine::Timestamp;
use chatvault_query::people::ConversationKind;

use super::container::{File, container};
use super::event::Unit;
use super::mail::{self, tail};
use super::manifest::{Conversation, Event, Manifest, Participant, VERSION, note};
use super::people::People;
use super::transcript::transcript;
use crate::content::{Content, Piece, Span};
use crate::digest::name_uuid;
use crate::entry::{Attached, AttachedState, Context, Person, holding};
use crate::format::eml::header::Headers;
use crate::format::table::chat_type;
use crate::name::safe;
use crate::zone::rfc3339;

/// A slice that is complete.
#[derive(Debug)]
pub(super) struct Slice<'s> {
    pub(super) context: &'s Context<'s>,
    /// Its name in the export, without the extension.
    pub(super) name: String,
    /// When it begins.
    pub(super) start: Timestamp,
    pub(super) units: Vec<Unit>,
    /// How many messages there are: as many as units, which are used up on the way.
    pub(super) messages: u64,
    /// Files that take more than this go beside the slice.
    pub(super) file_bytes: u64,
}

/// What the head of the mail needs besides the manifest.
struct About {
    collection: String,
    custodian: Option<String>,
    attachments: usize,
    begin: Timestamp,
    end: Timestamp,
}

impl Slice<'_> {
    /// The `.rsmf` file, after files that are too large to be in it.
    pub(super) fn pieces(mut self) -> io::Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let files = self.files(&mut pieces)?;
        let about = self.about(files.len());
        let mut people = self.people();
        let custodian = about.custodian.as_deref().map(|id| self.seen(id, &mut people));
        let mut events = settled(std::mem::take(&mut self.units));
        if let Some(custodian) = &custodian {
            direct(&mut events, custodian);
        }
        let conversation = self.conversation(&mut people, (custodian, about.end), &events);
        let participants = people.participants(self.context.chat, self.context.names);
        let text = transcript(&events, &people);
        let manifest = Manifest {
            conversations: [conversation],
            eventcollectionid: &about.collection,
            events,
            participants,
            version: VERSION,
        };
        let head = self.head(&about, &manifest);
        pieces.push(self.mail(head, &text, &manifest, files)?);
        Ok(pieces)
    }

    /// Names the files of all units and makes what the container holds.
    fn files(&mut self, beside: &mut Vec<Piece>) -> io::Result<Vec<File>> {
        let mut files = Vec::new();
        for unit in &mut self.units {
            let Some(event) = unit.events.first_mut() else { continue };
            for (attachment, attached) in event.attachments.iter_mut().zip(&unit.files) {
                let name = format!("{:04}_{}", files.len() + 1, safe(&attached.name, "file"));
                let place = FilePlace { name, slice: &self.name, most: self.file_bytes };
                let (file, size) = place.file(attached, self.context, beside)?;
                (attachment.id, attachment.size) = (file.name().to_owned(), size);
                files.push(file);
            }
        }
        Ok(files)
    }

    fn people(&mut self) -> People {
        let mut people = People::default();
        self.units
            .iter_mut()
            .flat_map(|unit| unit.people.drain(..))
            .for_each(|one| people.see(one));
        people
    }

    fn about(&self, attachments: usize) -> About {
        let times = || self.units.iter().map(|unit| unit.time);
        let name = format!("{}|{}", self.context.chat.id, self.name);
        About {
            collection: name_uuid(name.as_bytes()),
            custodian: self.custodian(),
            attachments,
            begin: times().min().unwrap_or(self.start),
            end: times().max().unwrap_or(self.start),
        }
    }

    /// Whose export it is: of the users who were asked for, or else of the members, who delivered
    /// most of it. A team is no participant.
    fn custodian(&self) -> Option<String> {
        let asked = &self.context.options.custodians;
        let asked: Vec<&str> = asked.iter().filter_map(|one| one.strip_prefix("user:")).collect();
        let mut counts: BTreeMap<&str, usize> = asked.iter().map(|id| (*id, 0)).collect();
        for custodian in self.units.iter().flat_map(|unit| unit.custodians.iter()) {
            if let Some(user) = custodian.strip_prefix("user:") {
                *counts.entry(user).or_default() += 1;
            }
        }
        let is_one = |id: &str| match asked.as_slice() {
            [] => self.context.chat.person(id).is_some(),
            asked => asked.contains(&id),
        };
        let some = counts.into_iter().filter(|(id, _)| is_one(id));
        let most = some.max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(a.0)));
        most.map(|(id, _)| id.to_owned())
    }

    /// The id in the manifest of somebody who need not have done anything in the slice.
    fn seen(&self, account: &str, people: &mut People) -> String {
        let chat = self.context.chat;
        let unknown = || Person {
            id: account.to_owned(),
            name: self.context.names.name(account).map(str::to_owned),
            ..Person::default()
        };
        people.see_member(&chat.person(account).cloned().unwrap_or_else(unknown))
    }

    /// In a chat of two the participants do not change. Elsewhere they are those who were there when
    /// the slice began: members, and whoever does something without having come in it.
    fn conversation(
        &self,
        people: &mut People,
        (custodian, end): (Option<String>, Timestamp),
        events: &[Event],
    ) -> Conversation {
        let chat = self.context.chat;
        let is_direct = chat.kind == ConversationKind::OneOnOne;
        let came: BTreeSet<&str> = events
            .iter()
            .filter(|event| event.kind == "join")
            .filter_map(|event| event.participant.as_deref())
            .collect();
        let acted = events.iter().filter_map(|event| event.participant.as_deref());
        let mut there: BTreeSet<String> =
            acted.filter(|id| is_direct || !came.contains(id)).map(str::to_owned).collect();
        there.extend(custodian.clone());
        for person in &chat.participants {
            if is_direct || person.is_there(self.start) {
                let _is_new = there.insert(people.see_member(person));
            }
        }
        let mut custom = Vec::new();
        note(&mut custom, "tenantId", self.context.tenant);
        note(&mut custom, "chatType", chat_type(chat.kind));
        note(&mut custom, "topic", chat.topic_at(end).unwrap_or_default());
        note(&mut custom, "teamId", chat.team.as_deref().unwrap_or_default());
        Conversation {
            custodian,
            custom,
            display: holding(&chat.titles(), end).cloned().unwrap_or_default(),
            id: chat.id.clone(),
            participants: there.into_iter().collect(),
            platform: "teams",
            kind: if is_direct { "direct" } else { "channel" },
        }
    }

    fn head(&self, about: &About, manifest: &Manifest<'_>) -> Headers {
        let tenant = self.context.tenant;
        let mailbox =
            |one: &Participant| mail::person(&one.display, one.email.as_deref(), &one.id, tenant);
        let everybody: Vec<String> = manifest.participants.iter().map(mailbox).collect();
        let first = manifest.events.iter().find_map(|event| event.participant.as_ref());
        let [conversation] = &manifest.conversations;
        let from = conversation.custodian.as_ref().or(first);
        let from = manifest.participants.iter().find(|one| Some(&one.id) == from);
        let nobody = || mail::person("unknown", None, "unknown", tenant);
        let names = manifest.participants.iter().map(|one| one.display.as_str());
        let names: Vec<&str> = names.collect();
        let day = rfc3339(self.start);
        let title = format!("{} {}", conversation.display, day.get(..10).unwrap_or(&day));

        let mut head = Headers::default();
        if let Some(date) = mail_date(about.end) {
            head.word("Date", &date);
        }
        mail::people(&mut head, "From", &[from.map_or_else(nobody, mailbox)]);
        mail::people(&mut head, "To", &everybody);
        head.text("Subject", &title);
        let id = mail::address(None, &about.collection, tenant);
        head.word("Message-ID", &format!("<{id}>"));
        head.word("X-RSMF-Version", VERSION);
        head.word("X-RSMF-Generator", "chatvault");
        head.word("X-RSMF-BeginDate", &rfc3339(about.begin));
        head.word("X-RSMF-EndDate", &rfc3339(about.end));
        head.word("X-RSMF-EventCount", &manifest.events.len().to_string());
        head.word("X-RSMF-Application", "Microsoft Teams");
        if let Some(one) = from.filter(|_| about.custodian.is_some()) {
            head.text("X-RSMF-Custodian", &one.display);
        }
        head.text("X-RSMF-Participants", &names.join("; "));
        head.word("X-RSMF-AttachmentCount", &about.attachments.to_string());
        head.word("X-RSMF-EventCollectionID", &about.collection);
        head.text("X-RSMF-ConversationID", &conversation.id);
        head
    }

    fn mail(
        &self,
        head: Headers,
        text: &str,
        manifest: &Manifest<'_>,
        mut files: Vec<File>,
    ) -> io::Result<Piece> {
        let boundary = format!("=_rsmf_{}", manifest.eventcollectionid);
        let json = serde_json::to_vec(manifest).map_err(io::Error::other)?;
        files.push(File::bytes("rsmf_manifest.json".to_owned(), json)?);
        let spans = vec![
            Span::Bytes(mail::start(head, text, &boundary)),
            Span::Base64Row(container(files)?),
            Span::Bytes(tail(&boundary)),
        ];
        let (name, content) = (format!("{}.rsmf", self.name), Content::Spans(spans));
        Ok(Piece { name, content, messages: self.messages })
    }
}

/// Where a file of the slice goes.
struct FilePlace<'p> {
    name: String,
    slice: &'p str,
    most: u64,
}

impl FilePlace<'_> {
    /// The file of the container that stands for an attachment, and its size.
    fn file(
        self,
        attached: &Attached,
        context: &Context<'_>,
        beside: &mut Vec<Piece>,
    ) -> io::Result<(File, u64)> {
        let reason = match &attached.state {
            AttachedState::Stored { address, size, .. } if *size <= self.most => {
                let file = File::object(self.name, *address, *size, context.objects)?;
                return Ok((file, *size));
            }
            AttachedState::Stored { address, size, .. } => {
                let object = Content::Object { address: *address, size: *size };
                let name = format!("{}_{}", self.slice, self.name);
                let reason = format!("{size} bytes do not fit into an RSMF file: see {name}");
                beside.push(Piece { name, content: object, messages: 0 });
                reason
            }
            AttachedState::Unavailable { reason } => reason.clone(),
            AttachedState::Omitted => "not asked for".to_owned(),
        };
        let text = format!("{}: {reason}\r\n", attached.name).into_bytes();
        let size = text.len() as u64;
        Ok((File::bytes(format!("{}.UNAVAILABLE.txt", self.name), text)?, size))
    }
}

/// All events in their order, each with an id of its own, answers pointing to what is here.
fn settled(units: Vec<Unit>) -> Vec<Event> {
    let mut taken = BTreeMap::new();
    let mut events = Vec::new();
    for mut unit in units {
        for event in &mut unit.events {
            let count: &mut u32 = taken.entry(event.id.clone()).or_default();
            *count += 1;
            // Two threads of a channel may have messages of one id.
            if *count > 1 {
                event.id = format!("{}~{count}", event.id);
            }
        }
        if let (Some(event), Some(answers)) = (unit.events.first_mut(), unit.answers) {
            event.parent = Some(answers);
        }
        events.append(&mut unit.events);
    }
    for event in &mut events {
        if let Some(missing) = event.parent.take_if(|parent| !taken.contains_key(parent)) {
            event.note("parent_not_rendered", missing);
        }
    }
    events.sort_by(|a, b| (&a.timestamp, &a.id).cmp(&(&b.timestamp, &b.id)));
    events
}

/// Which way each message went, as the custodian saw it.
fn direct(events: &mut [Event], custodian: &str) {
    for event in events.iter_mut().filter(|event| event.kind == "message") {
        let is_own = event.participant.as_deref() == Some(custodian);
        event.direction = Some(if is_own { "outgoing" } else { "incoming" });
    }
}
