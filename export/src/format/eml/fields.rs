//! The fields of a mail, in the order of the format: who, to whom, when, what, and every fact of the
//! message as an `X-Teams-` field.

use std::borrow::Cow;

use chatvault_base::time::calendar;
use chatvault_engine::{ContentAddress, Timestamp};
use chatvault_query::message::{Identity as Sender, IdentityKind, Importance, Message};

use super::body::{View, grouped};
use super::header::{Headers, clean, mailbox};
use super::identity::{Identity, thread_index};
use crate::entry::{AttachedState, Context, Person, Version, holding};
use crate::format::table::chat_type;
use crate::zone::rfc3339;

/// How many recipients a mail names: as many as mail servers take. How many more there are is said.
const RECIPIENTS: usize = 1_000;
/// The longest subject, in bytes, before its mark.
const SUBJECT_BYTES: usize = 2 << 10;

/// What all mails of a conversation share, made once.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) identity: Identity,
    /// The root that all mails refer to.
    thread: String,
    thread_index: Option<String>,
    recipients: Vec<Recipient>,
    /// How the conversation was called, and since when.
    titles: Vec<(Timestamp, Title)>,
}

/// What depends on how a conversation was called.
#[derive(Clone, Debug)]
struct Title {
    /// The subject of messages that have none.
    words: String,
    /// `Subject` and `Thread-Topic` of those, written.
    fields: [Vec<u8>; 2],
    /// `X-Teams-Tenant-Id` to `X-Teams-Chat-Topic`, written.
    chat: Vec<u8>,
}

impl Title {
    fn of(words: String, topic: Option<&str>, context: &Context<'_>) -> Self {
        let written = |name: &str| {
            let mut field = Headers::default();
            field.text(name, &clean(&words, SUBJECT_BYTES));
            field.into_bytes()
        };
        let fields = [written("Subject"), written("Thread-Topic")];
        Self { fields, chat: chat_fields(context, topic), words }
    }
}

#[derive(Clone, Debug)]
struct Recipient {
    person: Person,
    mailbox: String,
}

impl Fields {
    pub(super) fn of(context: &Context<'_>) -> Self {
        let chat = context.chat;
        let identity = Identity::of(context.tenant, &chat.id);
        let recipients = chat.participants.iter().map(|person| Recipient {
            mailbox: person_mailbox(person, &identity, context),
            person: person.clone(),
        });
        let titles = chat.titles().into_iter();
        let titles =
            titles.map(|(since, words)| (since, Title::of(words, chat.topic_at(since), context)));
        Self {
            titles: titles.collect(),
            thread: identity.thread(),
            thread_index: chat.started.map(|started| thread_index(&chat.id, started)),
            recipients: recipients.collect(),
            identity,
        }
    }

    /// The fields of one version's mail, without those of its content.
    pub(super) fn write(&self, view: &View<'_>, context: &Context<'_>) -> Headers {
        let names = context.names_at(view.entry);
        let context = &Context { names: &names, ..*context };
        let message = &view.message;
        let mut to = Headers::with_capacity(2 << 10);
        if let Some(sent) = view.entry.sent() {
            to.word("Date", &mail_date(sent));
        }
        self.people(&mut to, view, message, context);
        self.threading(&mut to, view, message, context);
        to.word("MIME-Version", "1.0");
        to_priority(&mut to, message);
        if view.is_system() {
            to.word("Auto-Submitted", "auto-generated");
        }
        to.append(self.title(view.entry.created).map_or(&[][..], |title| title.chat.as_slice()));
        facts(&mut to, view, message);
        counts(&mut to, view, message, context);
        to
    }

    fn title(&self, at: Timestamp) -> Option<&Title> {
        holding(&self.titles, at)
    }

    fn people(
        &self,
        to: &mut Headers,
        view: &View<'_>,
        message: &Message<'_>,
        context: &Context<'_>,
    ) {
        let from = self.sender(view, message, context);
        to.mailboxes("From", std::iter::once(from.as_str()));
        let sender = message.from.as_ref().map(|from| &*from.id);
        let others = self.recipients.iter().filter(|recipient| {
            recipient.person.is_there(view.entry.created) && Some(&*recipient.person.id) != sender
        });
        recipients(to, others.map(|recipient| recipient.mailbox.as_str()));
    }

    /// The mailbox of a version's sender. Nobody is made the sender of an event: the service is.
    fn sender(&self, view: &View<'_>, message: &Message<'_>, context: &Context<'_>) -> String {
        let Some(from) = &message.from else {
            return if view.is_system() {
                mailbox(Some("Microsoft Teams"), &self.identity.service())
            } else {
                mailbox(Some("Unknown sender"), &self.identity.user("", None))
            };
        };
        let name = from.name.as_deref().or_else(|| context.names.name(&from.id));
        if from.kind == IdentityKind::Application {
            return mailbox(name, &self.identity.app(&from.id));
        }
        let person = || context.chat.person(&from.id).and_then(|person| person.address.as_deref());
        user_mailbox(
            &self.identity,
            &from.id,
            name,
            context.names.address(&from.id).or_else(person),
        )
    }

    fn threading(
        &self,
        to: &mut Headers,
        view: &View<'_>,
        message: &Message<'_>,
        context: &Context<'_>,
    ) {
        let subject = message.subject.as_deref().map(|subject| clean(subject, SUBJECT_BYTES));
        let own = subject.filter(|subject| !subject.is_empty());
        // A reply has the subject of its post, as mails have.
        let post = view.entry.parent.as_ref().and_then(|parent| parent.subject.as_deref());
        let post = post.map(|subject| clean(subject, SUBJECT_BYTES)).filter(|_| own.is_none());
        let reply = post.as_ref().map(|subject| format!("Re: {subject}").into());
        let own_or_post = own.clone().or_else(|| post.clone());
        let own: Option<Cow<'_, str>> = own.or(reply);
        let title = self.title(view.entry.created);
        let words = || title.map_or("", |title| title.words.as_str());
        let topic = || own.clone().unwrap_or_else(|| clean(words(), SUBJECT_BYTES));
        let written = |at: usize| title.and_then(|title| title.fields.get(at));
        let written = |at: usize| written(at).map_or(&[][..], Vec::as_slice);
        match (&own, subject_mark(view)) {
            (None, "") => to.append(written(0)),
            (Some(own), "") => to.text("Subject", own),
            (_, mark) => to.text("Subject", &format!("{mark}{}", topic())),
        }
        let id = &view.entry.key.id;
        to.word("Message-ID", &self.own(id, view.version));
        let parent = view.entry.parent.as_ref().map(|parent| {
            // A message that never changed has its id as its version.
            let version = parent.version.or_else(|| parent.id.parse().ok()).unwrap_or_default();
            self.identity.message(&parent.id, version)
        });
        if let Some(parent) = &parent {
            to.word("In-Reply-To", parent);
        }
        let before = view.at.checked_sub(1).filter(|_| context.options.versions);
        let before = before.and_then(|at| view.entry.versions.get(at));
        let before = before.map(|version| self.own(id, version));
        let known = [Some(&self.thread), before.as_ref(), parent.as_ref()];
        to.words("References", known.into_iter().flatten().map(String::as_str));
        match &own_or_post {
            None => to.append(written(1)),
            Some(own) => to.text("Thread-Topic", own),
        }
        if let Some(index) = &self.thread_index {
            to.word("Thread-Index", index);
        }
    }

    /// The message id of a version.
    fn own(&self, id: &str, version: &Version) -> String {
        match version.variant_words() {
            Some(_) => self.identity.variant(id, version.version, &version.address.to_string()),
            None => self.identity.message(id, version.version),
        }
    }

    /// The fields of a digest, up to the conversation's own: `Date`, people, subject, thread.
    pub(super) fn digest(
        &self,
        mail: &DigestFields<'_>,
        members: impl Fn(&Person) -> bool,
    ) -> Headers {
        let mut to = Headers::with_capacity(2 << 10);
        to.word("Date", &mail_date(mail.last));
        let service = || mailbox(Some("Microsoft Teams"), &self.identity.service());
        let from = mail.sender.clone().unwrap_or_else(service);
        to.mailboxes("From", std::iter::once(from.as_str()));
        let all = self.recipients.iter().filter(|recipient| members(&recipient.person));
        recipients(&mut to, all.map(|recipient| recipient.mailbox.as_str()));
        let title = self.title(mail.last);
        let words = title.map_or("", |title| title.words.as_str());
        to.text("Subject", &format!("Teams chat: {} {}", clean(words, 512), mail.part));
        to.word("Message-ID", &mail.id);
        to.word("References", &self.thread);
        to.text("Thread-Topic", words);
        if let Some(index) = &self.thread_index {
            to.word("Thread-Index", index);
        }
        to.word("MIME-Version", "1.0");
        to.word("Auto-Submitted", "auto-generated");
        to.append(title.map_or(&[][..], |title| title.chat.as_slice()));
        to
    }

    /// The mailbox of a version's sender, if a person or an app sent it.
    pub(super) fn sender_of(&self, view: &View<'_>, context: &Context<'_>) -> Option<String> {
        view.message.from.as_ref().map(|_| self.sender(view, &view.message, context))
    }
}

/// What makes one digest differ from another.
pub(super) struct DigestFields<'a> {
    /// When its last message was sent.
    pub(super) last: Timestamp,
    /// The mailbox of its first sender.
    pub(super) sender: Option<String>,
    /// The day and the part: `2021-06-03 part 1 of 2`.
    pub(super) part: &'a str,
    /// Its `Message-ID`.
    pub(super) id: String,
}

fn recipients<'a>(to: &mut Headers, others: impl Iterator<Item = &'a str> + Clone) {
    let mut named = others.clone().take(RECIPIENTS).peekable();
    if named.peek().is_none() {
        return to.word("To", "undisclosed-recipients:;");
    }
    to.mailboxes("To", named);
    let more = others.skip(RECIPIENTS).count();
    if more > 0 {
        to.word("X-Teams-Recipients-Omitted", &more.to_string());
    }
}

fn person_mailbox(person: &Person, identity: &Identity, context: &Context<'_>) -> String {
    let name = person.name.as_deref().or_else(|| context.names.name(&person.id));
    let known = person.address.as_deref().or_else(|| context.names.address(&person.id));
    user_mailbox(identity, &person.id, name, known)
}

fn user_mailbox(identity: &Identity, id: &str, name: Option<&str>, known: Option<&str>) -> String {
    let known = known.or(Some(id));
    mailbox(Identity::name(name, known).as_deref(), &identity.user(id, known))
}

fn chat_fields(context: &Context<'_>, topic: Option<&str>) -> Vec<u8> {
    let mut to = Headers::default();
    to.text_if("X-Teams-Tenant-Id", Some(context.tenant));
    to.text_if("X-Teams-Chat-Id", Some(&context.chat.id));
    to.word("X-Teams-Chat-Type", chat_type(context.chat.kind));
    to.text_if("X-Teams-Chat-Topic", topic);
    to.into_bytes()
}

fn subject_mark(view: &View<'_>) -> &'static str {
    if view.is_deleted() {
        "[Deleted] "
    } else if view.is_edited() {
        "[Edited] "
    } else {
        ""
    }
}

fn to_priority(to: &mut Headers, message: &Message<'_>) {
    if matches!(message.importance, Importance::High | Importance::Urgent) {
        to.word("Importance", "high");
    }
    if message.importance == Importance::Urgent {
        to.word("X-Priority", "1");
    }
}

fn facts(to: &mut Headers, view: &View<'_>, message: &Message<'_>) {
    to.text_if("X-Teams-Message-Id", Some(&view.entry.key.id));
    to.text_if("X-Teams-Etag", message.etag.as_deref());
    to.text_if("X-Teams-Message-Type", Some(message.message_type.name()));
    to.text_if("X-Teams-Reply-To-Id", message.reply_to.as_deref());
    if let Some(from) = &message.from {
        to.text_if("X-Teams-Sender-Id", Some(&from.id));
        to.text_if("X-Teams-Sender-Type", Some(sender_type(from)));
    }
    for (name, time) in [
        ("X-Teams-Created", view.entry.sent()),
        ("X-Teams-Last-Modified", message.modified),
        ("X-Teams-Last-Edited", message.edited),
        ("X-Teams-Deleted", message.deleted),
    ] {
        if let Some(time) = time {
            to.word(name, &rfc3339(time));
        }
    }
    to.word("X-Teams-Version", &format!("{}/{}", view.at + 1, view.entry.versions.len()));
    let (variant, of) = view.version.variant;
    if of > 1 {
        to.word("X-Teams-Variant", &format!("{variant}/{of}"));
    }
    to.text_if("X-Teams-Event", message.event.as_ref().map(|event| &*event.name));
}

fn sender_type<'n>(from: &'n Sender<'_>) -> &'n str {
    match (from.identity_type.as_deref(), from.kind) {
        (Some(known), _) => known,
        (None, IdentityKind::User) => "user",
        (None, IdentityKind::Application) => "application",
        (None, _) => "other",
    }
}

fn counts(to: &mut Headers, view: &View<'_>, message: &Message<'_>, context: &Context<'_>) {
    let reactions: Vec<String> = grouped(&message.reactions)
        .into_iter()
        .map(|(kind, given)| format!("{}={}", clean(kind, 64), given.len()))
        .collect();
    to.text_if("X-Teams-Reactions", Some(&reactions.join("; ")));
    let attached = &view.files;
    if !attached.is_empty() {
        let is_in = |state: &AttachedState| {
            matches!(state, AttachedState::Stored { .. }) && !context.options.text_only
        };
        let inside = attached.iter().filter(|attached| is_in(&attached.state)).count();
        to.word("X-Teams-Attachments", &attached.len().to_string());
        if inside < attached.len() {
            let omitted = (attached.len() - inside).to_string();
            to.word("X-Teams-Attachments-Omitted", &omitted);
        }
    }
    to.word("X-Archive-Address", &blake3_name(&view.version.address));
    to.word("X-Archive-Custodians", &view.entry.custodians.len().to_string());
}

fn blake3_name(address: &ContentAddress) -> String {
    format!("blake3:{address}")
}

/// Mail has no years before 1900 and none beyond 9999: such a time becomes 1970, and `X-Teams-Created` says which it was.
pub(super) fn mail_date(time: Timestamp) -> String {
    let epoch = || "Thu, 01 Jan 1970 00:00:00 +0000".to_owned();
    calendar::mail_date(time).unwrap_or_else(epoch)
}
