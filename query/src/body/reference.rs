//! What a body points at: pictures, emoji, quoted and forwarded messages, attachments.

use std::borrow::Cow;

use chatvault_engine::{Timestamp, Value};

use super::attribute::{Attribute, Attributes};
use super::build::Builder;
use super::tag::Tag;
use super::{Block, ImageAt, Inline, QuoteKind, QuoteOf, address, card, html};
use crate::event::one_line;
use crate::message::{Attachment, Fill, Identity, identity, object};

/// What an attachment is shown as, and where if the body does not say.
pub(super) enum Placed {
    /// Before the body: what it answers.
    Before(Block),
    /// Behind the body.
    Behind(Block),
    /// It stays an attachment.
    Attachment,
}

/// What is shown for an attachment, and how many nodes it took of `max_nodes`.
pub(super) fn resolve(
    attachment: &Attachment<'_>,
    index: usize,
    max_nodes: usize,
) -> (Placed, usize) {
    let kind = attachment.content_type.as_deref().unwrap_or_default();
    let content = attachment.content.as_deref().unwrap_or_default();
    let quoted = |kind| {
        let document = chatvault_engine::Document::parse(content.trim().as_bytes()).ok()?;
        let quoted: Quoted<'_> = object(document.root())?;
        Some(quoted.block(kind, index, max_nodes))
    };
    let found = match kind {
        "messageReference" => {
            quoted(QuoteKind::Reply).map(|(block, made)| (Placed::Before(block), made))
        }
        "forwardedMessageReference" => {
            quoted(QuoteKind::Forward).map(|(block, made)| (Placed::Behind(block), made))
        }
        kind if kind.ends_with(".card.codesnippet") => {
            card::snippet(content).map(|block| (Placed::Behind(block), 1))
        }
        _ => None,
    };
    found.unwrap_or((Placed::Attachment, 0))
}

/// A message inside of an attachment.
#[derive(Default)]
struct Quoted<'a> {
    message: Option<Cow<'a, str>>,
    preview: Option<Cow<'a, str>>,
    content: Option<Cow<'a, str>>,
    sent: Option<Timestamp>,
    sender: Option<Identity<'a>>,
}

impl<'a> Fill<'a> for Quoted<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "messageId" | "originalMessageId" => self.message = value.text(),
            "messagePreview" => self.preview = value.text(),
            "originalMessageContent" => self.content = value.text(),
            "originalSentDateTime" | "messageCreatedDateTime" => self.sent = value.time(),
            "messageSender" | "originalMessageSender" => self.sender = identity(value),
            _ => {}
        }
    }
}

impl Quoted<'_> {
    fn block(self, kind: QuoteKind, index: usize, max_nodes: usize) -> (Block, usize) {
        let mut builder = Builder::new(&[], &[], max_nodes);
        match (&self.content, &self.preview) {
            (Some(content), _) => html::feed(content, &mut builder),
            (None, Some(preview)) => builder.lines(preview),
            (None, None) => {}
        }
        let made = builder.made() + 1;
        let sender = self.sender.as_ref();
        let of = QuoteOf {
            kind,
            message: self.message.map(Cow::into_owned),
            sender: sender.and_then(|one| one.name.as_deref()).map(one_line),
            sender_id: sender.map(|one| one.id.clone().into_owned()).filter(|id| !id.is_empty()),
            sent: self.sent,
            attachment: Some(index),
        };
        (Block::Quote { of: Some(of), blocks: builder.finish().blocks }, made)
    }
}

/// What an old `<blockquote>` says of the message that it quotes.
pub(super) fn quoted(attributes: &Attributes) -> Option<QuoteOf> {
    let (_, kind) = attributes.get(Attribute::ItemType)?.split_once("schema.skype.com/")?;
    let kind = match kind {
        "Reply" => QuoteKind::Reply,
        "Forward" => QuoteKind::Forward,
        _ => return None,
    };
    let message = attributes.get(Attribute::ItemId).map(one_line).filter(|id| !id.is_empty());
    Some(QuoteOf { kind, message, ..QuoteOf::default() })
}

/// The id of a person in the form that the service uses inside: `8:orgid:` and the object's id.
pub(super) fn account(id: &str) -> Option<String> {
    let id = id.trim();
    let id = id.strip_prefix("8:orgid:").unwrap_or(id);
    (!id.is_empty()).then(|| id.to_owned())
}

/// A time in milliseconds.
pub(super) fn moment(ms: &str) -> Option<Timestamp> {
    ms.trim().parse().ok().map(Timestamp::from_ms)
}

/// A picture or an emoji; `None` if it shows nothing.
pub(super) fn picture(tag: Tag, attributes: &Attributes) -> Option<Inline> {
    let alt = words_of(attributes, Attribute::Alt);
    let is_emoji = |kind: &str| kind.ends_with("schema.skype.com/Emoji");
    match tag {
        Tag::Image if !attributes.get(Attribute::ItemType).is_some_and(is_emoji) => {
            let title = || words_of(attributes, Attribute::Title);
            let source = attributes.get(Attribute::Src).unwrap_or_default();
            let content = address::image(source);
            let is_nowhere = content == ImageAt::Remote(String::new()) && source.is_empty();
            if is_nowhere && alt.is_none() {
                return None;
            }
            let name = alt.or_else(title).unwrap_or_else(|| "image".to_owned());
            let width = pixels(attributes, Attribute::Width);
            let height = pixels(attributes, Attribute::Height);
            Some(Inline::Image { content, name, width, height })
        }
        Tag::CustomEmoji => {
            let name = alt.or_else(|| words_of(attributes, Attribute::Title));
            Some(Inline::Emoji(format!(
                ":{}:",
                name.as_deref().unwrap_or("emoji").trim_matches(':')
            )))
        }
        _ => alt.or_else(|| words_of(attributes, Attribute::Title)).map(Inline::Emoji),
    }
}

/// A picture or an emoji where only text can be.
pub(super) fn picture_words(tag: Tag, attributes: &Attributes) -> String {
    match picture(tag, attributes) {
        Some(Inline::Emoji(text)) => text,
        Some(Inline::Image { name, .. }) => format!("[image: {name}]"),
        _ => String::new(),
    }
}

fn words_of(attributes: &Attributes, attribute: Attribute) -> Option<String> {
    attributes.get(attribute).map(one_line).filter(|words| !words.is_empty())
}

/// A size in pixels, its fraction cut.
fn pixels(attributes: &Attributes, attribute: Attribute) -> Option<u32> {
    let size = attributes.get(attribute)?.trim();
    let digits = size.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|size| *size > 0)
}
