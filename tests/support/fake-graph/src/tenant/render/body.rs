//! The text of a message, with what its markup points at.

use chatvault_support::{Random, quoted, stamp};

use super::super::life::What;
use super::super::media;
use super::super::words::{self, escaped};
use super::Scene;
use super::attached;

/// Body, attachments and mentions.
pub(super) struct Body {
    kind: &'static str,
    content: String,
    pub(super) attachments: Vec<String>,
    pub(super) mentions: Vec<String>,
}

impl Body {
    /// Of a message whose text is withheld.
    pub(super) fn empty(kind: &'static str) -> Self {
        Self { kind, content: String::new(), attachments: Vec::new(), mentions: Vec::new() }
    }

    fn html(content: String) -> Self {
        Self { kind: "html", content, attachments: Vec::new(), mentions: Vec::new() }
    }

    fn with(mut self, attachment: String) -> Self {
        self.attachments.push(attachment);
        self
    }

    pub(super) fn json(&self) -> String {
        format!(r#"{{"contentType":"{}","content":{}}}"#, self.kind, quoted(&self.content))
    }
}

/// Writes the text of a message in its state.
pub(super) fn write(scene: &Scene<'_>) -> Body {
    // Every edit writes anew; pictures and files stay.
    let mut random = scene.message.random(100 + scene.state.edits);
    let text = words::passage(&mut random);
    let html = escaped(&text);
    match scene.message.what {
        What::Text => Body { kind: "text", ..Body::html(text) },
        What::Html => Body::html(dressed(&html, &mut random)),
        What::Mention => mention(scene, &html, &mut random),
        What::Everyone => everyone(scene, &html),
        What::Emoji => Body::html(format!("<p>{html} {}</p>", emoji(&mut random))),
        What::CustomEmoji => Body::html(custom_emoji(scene, &html)),
        What::Image => Body::html(images(scene, &html)),
        What::Code => placed(&html, attached::code(scene)),
        What::Card => placed(&html, attached::card(scene, None)),
        What::PictureCard => {
            placed(&html, attached::card(scene, media::hosted_ids(scene.message).first()))
        }
        What::File => placed(&html, attached::file(scene)),
        What::Tab => placed(&html, attached::tab(scene)),
        What::Meeting => placed("", attached::meeting(scene)),
        What::Reference => placed(&html, attached::reply(scene)),
        What::Forwarded => placed(&html, attached::forwarded(scene)),
        What::OldReply => Body::html(old_reply(scene, &html)),
        What::Future => placed(&html, attached::future(scene)),
        What::Event(_) => Body::html("<systemEventMessage/>".to_owned()),
    }
}

/// Markup around text as clients of several ages wrote it.
fn dressed(html: &str, random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("<div>\n<div itemprop=\"copy-paste-block\">{html}&nbsp;ok</div>\n</div>"),
        1 => format!("<p>{html}</p>\n<p>&nbsp;</p>\n<ul>\n<li>a</li>\n<li>b&amp;c</li>\n</ul>"),
        2 => format!("<div><div><div>{html}</div></div></div>"),
        3 => format!(
            "<p>{html} <a href=\"https://contoso.example/?q=1&amp;r=2\" rel=\"noreferrer\">link</a></p>"
        ),
        _ => format!("<p>{html}</p>"),
    }
}

/// Text and an attachment with its place in the text.
fn placed(html: &str, (id, attachment): (String, String)) -> Body {
    let text = if html.is_empty() { String::new() } else { format!("<p>{html}</p>") };
    Body::html(format!("{text}<attachment id=\"{id}\"></attachment>")).with(attachment)
}

fn mention(scene: &Scene<'_>, html: &str, random: &mut Random) -> Body {
    let mut body = Body::html(String::from("<div>"));
    for number in 0..=random.below(2) {
        let who = random.pick(&scene.place.members).map_or(0, |one| one.author);
        let program = random.chance(10).then(|| random.pick(&scene.life.people.programs)).flatten();
        let who = scene.life.author(program.copied().unwrap_or(who));
        let name = quoted(&who.name);
        let tag = format!("<at id=\"{number}\">{}</at>&nbsp;", escaped(&who.name));
        body.content += &tag;
        let set = who.json(true);
        let set = set.strip_suffix('}').unwrap_or_default();
        body.mentions.push(format!(
            r#"{{"id":{number},"mentionText":{name},"mentioned":{set},"conversation":null,"tag":null}}}}"#
        ));
    }
    body.content += html;
    body.content += "</div>";
    body
}

/// Everybody in a chat, a team, a channel, or those with a tag.
fn everyone(scene: &Scene<'_>, html: &str) -> Body {
    let team = scene.place.team.and_then(|team| scene.life.places.teams.get(team));
    let channel = scene.message.seed.is_multiple_of(2);
    let (id, name, kind) = match team {
        None => (scene.place.id.as_str(), "Everyone", "chat"),
        Some(_) if channel => (scene.place.id.as_str(), scene.place.name.as_str(), "channel"),
        Some(team) => (team.id.as_str(), team.name.as_str(), "team"),
    };
    let name_json = quoted(name);
    let conversation = format!(
        r#"{{"id":{},"displayName":{name_json},"conversationIdentityType":"{kind}"}}"#,
        quoted(id)
    );
    let mut body = Body::html(format!("<p><at id=\"0\">{}</at>&nbsp;{html}</p>", escaped(name)));
    body.mentions.push(format!(
        r#"{{"id":0,"mentionText":{name_json},"mentioned":{{"application":null,"device":null,"user":null,"tag":null,"conversation":{conversation}}}}}"#
    ));
    body
}

fn emoji(random: &mut Random) -> &'static str {
    random.word(&[
        "<emoji id=\"smile\" alt=\"🙂\" title=\"Smile\"></emoji>",
        "<emoji id=\"1f389_partypopper\" alt=\"🎉\" title=\"Party popper\"></emoji>",
        "<emoji id=\"heart\" alt=\"❤️\" title=\"Heart\"></emoji>",
    ])
}

fn custom_emoji(scene: &Scene<'_>, html: &str) -> String {
    let ids = media::hosted_ids(scene.message);
    let source = ids.first().map_or(String::new(), |id| scene.address(id));
    format!(
        "<p>{html} <customemoji id=\"dGVhbV9tYXNjb3Q=\" alt=\"team_mascot\" source=\"{source}\"></customemoji></p>"
    )
}

fn images(scene: &Scene<'_>, html: &str) -> String {
    let image = |id: &String| {
        let source = scene.address(id);
        format!(
            "<span><img height=\"250\" src=\"{source}\" width=\"424.6575342465753\" style=\"vertical-align:bottom; width:424px; height:250px\"></span>"
        )
    };
    let count = 1 + usize::from(scene.message.seed % 2 == 1);
    let ids = media::hosted_ids(scene.message);
    let mut images: Vec<String> = ids.iter().take(count).map(image).collect();
    if scene.message.seed.is_multiple_of(5) {
        // Not Graph's: nobody can fetch it with our token.
        images.push(String::from(
            "<img src=\"https://media.giphy.example/media/3o7/giphy.gif\" alt=\"GIF\">",
        ));
    }
    format!("<div><p>{html}</p>{}</div>", images.concat())
}

fn old_reply(scene: &Scene<'_>, html: &str) -> String {
    let Some(other) = attached::other(scene) else { return format!("<p>{html}</p>") };
    let id = other.message.created;
    let author = other.author();
    format!(
        "<div>\n<blockquote itemscope=\"\" itemtype=\"http://schema.skype.com/Reply\" itemid=\"{id}\">\n<strong itemprop=\"mri\" itemid=\"8:orgid:{}\">{}</strong><span itemprop=\"time\" itemid=\"{id}\" title=\"{}\"></span>\n<p itemprop=\"preview\">{}</p>\n</blockquote>\n<p>{html}</p>\n</div>",
        author.id(),
        escaped(&author.name),
        stamp(id),
        escaped(&attached::preview(&other)),
    )
}
