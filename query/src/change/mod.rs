//! What a version of a message changed against the one before it.
//!
//! The service changes a message's version for edits, reactions, deletions and for reasons of its
//! own. What happened is read from the two versions, not from their times: members that differ,
//! where `null`, an empty text and an empty list are the same nothing.

mod log;
mod version;
mod words;

use chatvault_engine::{Document, Value};

use crate::body;
use crate::message::Message;
use version::{Version, differ};

pub use log::{LoggedReaction, reaction_log};
pub use words::{Mark, Piece, words};

/// What happened to a message; several may hold of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The first version that the archive has.
    Created,
    /// The text or the subject changed. Of a first version: it was edited before it was archived.
    Edited,
    /// Somebody reacted, or took a reaction back.
    Reacted,
    /// Attachments came, went or changed.
    Attachments,
    /// It was deleted. That the service blanks a deleted message is no edit.
    Deleted,
    /// It was deleted before and is not any more.
    Restored,
    /// Anything else: a policy, a name filled in, or nothing that can be seen.
    Updated,
}

impl What {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Edited => "edited",
            Self::Reacted => "reacted",
            Self::Attachments => "attachments",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Updated => "updated",
        }
    }
}

/// How one thing in a list differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// It is there now and was not before.
    Added,
    /// It was there before and is not now.
    Removed,
    /// It is there in both, and differs.
    Changed,
}

/// A reaction that came or went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ReactionChange {
    /// Added or removed.
    pub side: Side,
    /// `like`, an emoji, or the name of a custom one.
    pub kind: String,
    /// The id of who reacted, if the message says.
    pub who: Option<String>,
}

/// An attachment that came, went or changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct AttachmentChange {
    /// How it differs.
    pub side: Side,
    /// Its id in the message.
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
}

/// What one version changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// What happened; never empty, in order.
    pub what: Vec<What>,
    /// Reactions that came and went.
    pub reactions: Vec<ReactionChange>,
    /// Attachments that came, went and changed.
    pub attachments: Vec<AttachmentChange>,
    /// Other members that differ, by name.
    pub fields: Vec<String>,
}

impl Change {
    /// What a version changed against the one before it; `None`: it is the first.
    ///
    /// ```
    /// use chatvault_engine::Document;
    /// use chatvault_query::change::{Change, What};
    ///
    /// let first = Document::parse(br#"{"id":"1","etag":"1","body":{"content":"Tee?"}}"#)?;
    /// let second = Document::parse(br#"{"id":"1","etag":"2","body":{"content":"Tea?"}}"#)?;
    /// assert_eq!(Change::between(None, &first).what, [What::Created]);
    /// assert_eq!(Change::between(Some(&first), &second).what, [What::Edited]);
    /// # chatvault_engine::Result::Ok(())
    /// ```
    pub fn between(before: Option<&Document<'_>>, after: &Document<'_>) -> Self {
        let after = Version::of(after);
        match before.map(|before| Version::of(before)) {
            None => first(&after),
            Some(before) => second(&before, &after),
        }
    }

    /// Did the text or the subject change, so that [`text_change`] has something to show?
    pub fn is_edit(&self) -> bool {
        self.what.contains(&What::Edited) && !self.what.contains(&What::Created)
    }
}

/// The words that an edit changed in subject and body; the body is read as text without markup.
/// Nothing changed there if only the formatting did.
pub fn text_change(before: &Document<'_>, after: &Document<'_>) -> Vec<Piece> {
    words(&plain(before), &plain(after))
}

/// Subject and body as text.
fn plain(version: &Document<'_>) -> String {
    let message = Message::of(version);
    let body = body::plain_text(&message);
    match message.subject.as_deref().filter(|subject| !subject.is_empty()) {
        Some(subject) => format!("{subject}\n{body}"),
        None => body.into_owned(),
    }
}

fn first(version: &Version<'_>) -> Change {
    let mut what = vec![What::Created];
    if version.has("lastEditedDateTime") {
        what.push(What::Edited);
    }
    if version.has("deletedDateTime") {
        what.push(What::Deleted);
    }
    Change { what, ..Change::default() }
}

fn second(before: &Version<'_>, after: &Version<'_>) -> Change {
    let is_other = |name: &str| differ(before.member(name), after.member(name));
    let blanked = before.blanked() || after.blanked();
    let (was_deleted, is_deleted) = (before.has("deletedDateTime"), after.has("deletedDateTime"));
    let is_edit = (is_other("lastEditedDateTime") && after.has("lastEditedDateTime"))
        || (!blanked && (before.content() != after.content() || is_other("subject")));
    let attachments = if blanked || !is_other("attachments") {
        Vec::new()
    } else {
        attachment_changes(before, after)
    };
    let mut fields = before.names_with(after);
    fields.retain(|name| is_other(name));
    fields.retain(|name| match name.as_str() {
        "mentions" | "summary" => !(is_edit || blanked),
        "deletedDateTime" => was_deleted == is_deleted,
        name => !is_told(name),
    });
    let happened = [
        (What::Edited, is_edit),
        (What::Reacted, is_other("reactions") || is_other("messageHistory")),
        (What::Attachments, !attachments.is_empty()),
        (What::Deleted, is_deleted && !was_deleted),
        (What::Restored, was_deleted && !is_deleted),
        (What::Updated, !fields.is_empty()),
    ];
    let mut what: Vec<What> =
        happened.into_iter().filter(|(_, did)| *did).map(|(what, _)| what).collect();
    if what.is_empty() {
        what.push(What::Updated);
    }
    Change { what, reactions: reaction_changes(before, after), attachments, fields }
}

/// Is a member's change always told in another way?
fn is_told(name: &str) -> bool {
    match name {
        "etag"
        | "lastModifiedDateTime"
        | "lastEditedDateTime"
        | "subject"
        | "body"
        | "attachments"
        | "reactions"
        | "messageHistory" => true,
        name => name.contains("@odata."),
    }
}

type Reaction = (String, Option<String>);

fn reaction_changes(before: &Version<'_>, after: &Version<'_>) -> Vec<ReactionChange> {
    let (mut gone, mut come) = (reactions(before), reactions(after));
    // Equal ones cancel out one by one: the same person may react twice.
    gone.retain(|reaction| match come.iter().position(|other| other == reaction) {
        Some(at) => {
            drop(come.remove(at));
            false
        }
        None => true,
    });
    let told = |side| move |(kind, who): Reaction| ReactionChange { side, kind, who };
    let removed = gone.into_iter().map(told(Side::Removed));
    removed.chain(come.into_iter().map(told(Side::Added))).collect()
}

/// Lists are as long as people are many; a message cannot make comparing them slow.
fn listed<'d>(version: &Version<'d>, name: &str) -> impl Iterator<Item = Value<'d>> {
    version.member(name).into_iter().flat_map(Value::elements).take(MOST_LISTED)
}

fn reactions(version: &Version<'_>) -> Vec<Reaction> {
    listed(version, "reactions").map(reaction_of).collect()
}

/// Reactions and attachments of a version that are compared one by one.
const MOST_LISTED: usize = 2_000;

fn reaction_of(reaction: Value<'_>) -> Reaction {
    let text = |name| reaction.get(name).and_then(Value::text);
    let kind = text("reactionType");
    let is_custom = kind.as_deref() == Some("custom");
    let kind = if is_custom { text("displayName").or(kind) } else { kind };
    (kind.unwrap_or_default().into_owned(), reaction.get("user").and_then(user_id))
}

/// The id in an identity set: of the user, else of whoever is named.
fn user_id(set: Value<'_>) -> Option<String> {
    let id = |identity: Value<'_>| Some(identity.get("id")?.text()?.into_owned());
    let user = set.get("user").and_then(id);
    user.or_else(|| {
        let mut others = set.members().filter(|(name, _)| *name != "user");
        others.find_map(|(_, identity)| id(identity))
    })
}

fn attachment_changes(before: &Version<'_>, after: &Version<'_>) -> Vec<AttachmentChange> {
    let (old, new) = (attachments(before), attachments(after));
    let told = |side, (id, name, _): &Attachment<'_>| AttachmentChange {
        side,
        id: id.clone(),
        name: name.clone(),
    };
    let find = |list: &[Attachment<'_>], id: &str| list.iter().position(|(own, ..)| own == id);
    let mut all = Vec::new();
    for attachment in &old {
        if find(&new, &attachment.0).is_none() {
            all.push(told(Side::Removed, attachment));
        }
    }
    for attachment in &new {
        match find(&old, &attachment.0).and_then(|at| old.get(at)) {
            None => all.push(told(Side::Added, attachment)),
            Some(was) if differ(Some(was.2), Some(attachment.2)) => {
                all.push(told(Side::Changed, attachment));
            }
            Some(_) => {}
        }
    }
    all
}

type Attachment<'d> = (String, Option<String>, Value<'d>);

fn attachments<'d>(version: &Version<'d>) -> Vec<Attachment<'d>> {
    let listed = listed(version, "attachments");
    let known = listed.map(|attachment| {
        let text = |name| Some(attachment.get(name)?.text()?.into_owned());
        (text("id").unwrap_or_default(), text("name"), attachment)
    });
    known.collect()
}

#[cfg(test)]
mod tests;
