//! The frame of every page: head, style, policy, and the words around the content.

use super::clock::{self, Shown};
use super::write::Html;
use crate::entry::{Chat, Person, RenderOptions, Window};
use chatvault_query::people::ConversationKind;

/// The whole look of the pages. No `url()`, no font, no image: nothing is fetched.
pub const STYLE: &str = include_str!("style.css");

/// What a browser may do with a page: show it, its style, and pictures and sounds beside it.
pub(crate) const POLICY: &str =
    "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'";

/// Everything before the body.
pub(super) fn begin(html: &mut Html, title: &str) {
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"").raw(POLICY).raw("\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"referrer\" content=\"no-referrer\">\n");
    html.raw("<title>")
        .text(title)
        .raw("</title>\n<style>\n")
        .raw(STYLE)
        .raw("</style>\n</head>\n");
}

/// The end of a page.
pub(super) fn end(html: &mut Html) {
    html.raw("</body>\n</html>\n");
}

/// What sort of conversation it is.
pub(super) fn kind(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::OneOnOne => "One-to-one chat",
        ConversationKind::Group => "Group chat",
        ConversationKind::Meeting => "Meeting chat",
        ConversationKind::Channel => "Channel",
        ConversationKind::Copilot => "Copilot conversation",
        ConversationKind::Other => "Conversation",
    }
}

/// `<dt>` and `<dd>` with a text.
pub(super) fn fact(html: &mut Html, name: &'static str, value: &str) {
    html.raw("<dt>").raw(name).raw("</dt><dd><bdi>").text(value).raw("</bdi></dd>\n");
}

/// What the export is: the same lines at the end of every page.
pub(super) fn write_export_facts(html: &mut Html, options: &RenderOptions, tenant: &str) {
    for (label, words) in &options.told {
        fact(html, label, words);
    }
    fact(html, "Export", &options.export_id);
    html.raw("<dt>Export made at</dt><dd>");
    clock::write_time(html, options.zone, options.as_of, Shown::Full);
    html.raw("</dd>\n");
    fact(html, "Times shown in", &options.zone.to_string());
    fact(html, "Tenant", tenant);
    fact(html, "Written by", &options.made_with);
}

/// From when to when: the first instant in it and the first behind it.
pub(super) fn write_window(html: &mut Html, options: &RenderOptions, window: &Window) {
    fact(html, "Period", &window.words(options.zone));
    if window.of > 1 {
        let words = format!("{} of {}", window.number, window.of);
        fact(html, "Part of a longer period", &words);
    }
}

/// Who takes part: folded away, as a table.
pub(super) fn write_people(html: &mut Html, chat: &Chat, options: &RenderOptions) {
    let count = chat.participants.len() as u64;
    if count == 0 {
        return;
    }
    html.raw("<details class=\"people\"><summary>").count(count);
    html.raw(if count == 1 { " participant" } else { " participants" });
    html.raw(
        "</summary>\n<table class=\"list\"><thead><tr><th scope=\"col\">Name</th>\
        <th scope=\"col\">Address</th><th scope=\"col\">Id</th><th scope=\"col\">Joined</th>\
        <th scope=\"col\">Left</th></tr></thead><tbody>\n",
    );
    for person in &chat.participants {
        write_person(html, person, options);
    }
    html.raw("</tbody></table></details>\n");
}

fn write_person(html: &mut Html, person: &Person, options: &RenderOptions) {
    html.raw("<tr><th scope=\"row\"><bdi>").text(person.label()).raw("</bdi>");
    if !person.other_names.is_empty() {
        html.raw("<span class=\"k\">also known as <bdi>").text(&person.other_names.join(", "));
        html.raw("</bdi></span>");
    }
    html.raw("</th><td data-label=\"Address\"><bdi>")
        .text(person.address.as_deref().unwrap_or_default());
    html.raw("</bdi></td><td data-label=\"Id\" class=\"x\"><bdi>").text(&person.id);
    html.raw("</bdi></td>");
    for (label, time) in [("Joined", person.joined), ("Left", person.left)] {
        html.raw("<td").attribute("data-label", label).raw(">");
        if let Some(time) = time {
            clock::write_time(html, options.zone, time, Shown::Full);
        }
        html.raw("</td>");
    }
    html.raw("</tr>\n");
}
