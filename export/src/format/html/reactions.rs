//! The line of reactions: each kind once, how often, and by whom.

use chatvault_query::event;
use chatvault_query::message::{Message, Reaction};

use super::card::Draft;

/// Appends the line; nothing for a message without reactions.
pub(super) fn write(draft: &mut Draft<'_>, message: &Message<'_>) {
    if message.reactions.is_empty() {
        return;
    }
    let mut groups: Vec<(&str, Vec<&Reaction<'_>>)> = Vec::new();
    for reaction in &message.reactions {
        let shown = symbol(reaction);
        match groups.iter_mut().find(|(kind, _)| *kind == shown) {
            Some((_, group)) => group.push(reaction),
            None => groups.push((shown, vec![reaction])),
        }
    }
    draft.html.raw("<ul class=\"r\" aria-label=\"Reactions\">");
    for (shown, group) in groups {
        draft.html.raw("<li><bdi>").text(shown).raw("</bdi> ").count(group.len() as u64);
        let people = people(draft, &group);
        draft.html.raw(" <span>(<bdi>").text(&people).raw("</bdi>)</span></li>");
    }
    draft.html.raw("</ul>");
}

fn people(draft: &Draft<'_>, group: &[&Reaction<'_>]) -> String {
    let name = |reaction: &&Reaction<'_>| {
        let who = reaction.who.as_ref();
        who.map_or_else(|| "unknown".to_owned(), |who| event::who(who, &draft.names()))
    };
    group.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The emoji of a reaction; the service still writes the six oldest by name.
fn symbol<'r>(reaction: &'r Reaction<'_>) -> &'r str {
    match &*reaction.kind {
        "like" => "👍",
        "heart" => "❤️",
        "laugh" => "😆",
        "surprised" => "😮",
        "sad" => "🙁",
        "angry" => "😠",
        "custom" | "" => reaction.display_name.as_deref().unwrap_or("custom reaction"),
        emoji => emoji,
    }
}
