//! What a message looks like: plain text, mentions, emoji, files, cards, quotes, pictures.

use super::cast::{Venue, only};
use super::graph::{Attachment, Body, Mention};
use super::story::Teller;

/// The contents of a message that is about to be sent.
pub(super) struct Draft {
    pub(super) body: Body,
    pub(super) attachments: Vec<Attachment>,
    pub(super) mentions: Vec<Mention>,
    /// Its text without markup.
    pub(super) preview: String,
}

impl Draft {
    fn html(content: String, preview: String) -> Self {
        Self::of(Body { content_type: "html", content }, preview)
    }

    fn of(body: Body, preview: String) -> Self {
        Self { body, attachments: Vec::new(), mentions: Vec::new(), preview }
    }

    fn with(mut self, attachment: Attachment) -> Self {
        self.attachments.push(attachment);
        self
    }
}

/// Writes a message in the language of the conversation.
pub(super) fn write(teller: &mut Teller<'_>, author: usize) -> Draft {
    let voice = teller.conversation.voice;
    let text = voice.say(&mut teller.chance);
    match teller.chance.below(100) {
        0..=4 => mention(teller, author, &text),
        5..=6 => file(teller, text),
        7 => card(teller, text),
        8..=12 => quote(teller, text),
        13..=14 => picture(teller, text),
        15..=17 => emoji(&text),
        18..=45 => Draft::html(format!("<p>{text}</p>"), text),
        _ => Draft::of(Body { content_type: "text", content: text.clone() }, text),
    }
}

fn mention(teller: &mut Teller<'_>, author: usize, text: &str) -> Draft {
    let others = teller.conversation.members.iter().filter(|&&member| member != author);
    let others: Vec<_> = others.copied().collect();
    let person = &teller.people[*teller.chance.pick(&others)];
    let content = format!("<p><at id=\"0\">{}</at>&nbsp;{text}</p>", person.name);
    let mut draft = Draft::html(content, format!("{} {text}", person.name));
    let mention_text = person.name.to_owned();
    draft.mentions.push(Mention { id: 0, mention_text, mentioned: only(person.user()) });
    draft
}

fn file(teller: &mut Teller<'_>, text: String) -> Draft {
    const NAMES: [&str; 6] = [
        "Frame drawing rev C.pdf",
        "Angebot Stadtwerke.docx",
        "Battery tests March.xlsx",
        "Facture 2026-118.pdf",
        "写真.zip",
        "Crash report Kiel.pptx",
    ];
    let (id, name) = (teller.chance.guid(), *teller.chance.pick(&NAMES));
    let content = format!("<p>{text}</p><attachment id=\"{id}\"></attachment>");
    let url = "https://kingfisherbikes.sharepoint.com/sites/General/Shared Documents";
    Draft::html(content, text).with(Attachment {
        content_type: "reference",
        content_url: Some(format!("{url}/{name}")),
        name: Some(name.to_owned()),
        ..empty(id)
    })
}

fn card(teller: &mut Teller<'_>, text: String) -> Draft {
    let id = teller.chance.hex();
    let card = serde_json::json!({
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            { "type": "TextBlock", "size": "Medium", "weight": "Bolder", "text": "Order board" },
            { "type": "TextBlock", "wrap": true, "text": text },
        ],
        "actions": [{ "type": "Action.Submit", "title": "Take it", "data": { "task": id } }],
    });
    let content = format!("<attachment id=\"{id}\"></attachment>");
    Draft::html(content, text).with(Attachment {
        content_type: "application/vnd.microsoft.card.adaptive",
        content: Some(format!("{card:#}").replace('\n', "\r\n")),
        ..empty(id)
    })
}

/// An answer that quotes; chats only, channels have threads for it.
fn quote(teller: &mut Teller<'_>, text: String) -> Draft {
    let recent = teller.earlier.len().saturating_sub(12);
    let recent = teller.earlier.get(recent..).unwrap_or_default();
    if recent.is_empty() || matches!(teller.conversation.place, Venue::Channel { .. }) {
        return Draft::html(format!("<p>{text}</p>"), text);
    }
    let earlier = teller.chance.pick(recent);
    let author = &teller.people[earlier.author];
    let reference = serde_json::json!({
        "messageId": earlier.id.to_string(),
        "messagePreview": earlier.preview,
        "messageSender": {
            "application": null,
            "device": null,
            "user": { "userIdentityType": "aadUser", "id": author.id, "displayName": author.name },
        },
    });
    let id = earlier.id.to_string();
    let content = format!("<attachment id=\"{id}\"></attachment>\n<p>{text}</p>");
    Draft::html(content, text).with(Attachment {
        content_type: "messageReference",
        content: Some(reference.to_string()),
        ..empty(id)
    })
}

fn picture(teller: &mut Teller<'_>, text: String) -> Draft {
    let hosted = teller.chance.hex();
    let place = match &teller.conversation.place {
        Venue::Chat { id } | Venue::Meeting { id } => format!("chats/{id}"),
        Venue::Channel { team, channel } => format!("teams/{team}/channels/{channel}"),
    };
    let (width, height) = (teller.chance.between(200, 900), teller.chance.between(150, 700));
    let content = format!(
        "<p>{text}</p><img src=\"https://graph.microsoft.com/v1.0/{place}/hostedContents/{hosted}\
         /$value\" width=\"{width}\" height=\"{height}\" style=\"vertical-align:bottom\">"
    );
    Draft::html(content, text)
}

fn emoji(text: &str) -> Draft {
    let content =
        format!("<p>{text}&nbsp;<emoji id=\"1f440_eyes\" alt=\"👀\" title=\"Eyes\"></emoji></p>");
    Draft::html(content, format!("{text} 👀"))
}

fn empty(id: String) -> Attachment {
    Attachment {
        id,
        content_type: "",
        content_url: None,
        content: None,
        name: None,
        thumbnail_url: None,
        teams_app_id: None,
    }
}
