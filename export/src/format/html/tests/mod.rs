//! What the pages say, whether they are safe, and whether everything is on them.

mod kit;
mod look;
mod pages;
mod properties;
mod safe;
mod story;

use chatvault_query::people::ConversationKind;
use serde_json::json;

use crate::entry::{Attached, AttachedState, RenderOptions, SystemEvents};
use kit::{always, attributes, chat, entry, message, page, render, stored, texts, with};

const NOON: &str = "2021-06-03T12:00:00.123Z";

#[test]
fn a_message_is_shown_with_sender_time_and_text() {
    let page = page(&[entry(&[message(NOON, "<p>Shall we <b>meet</b> at &lt;10&gt;?</p>")])]);
    assert_eq!(texts(&page, "h1"), ["Plans"]);
    assert_eq!(texts(&page, "h2"), ["Thursday, 3 June 2021"]);
    assert_eq!(texts(&page, "article h3"), ["Ann Example"]);
    assert_eq!(texts(&page, "article .a"), ["AE"]);
    assert_eq!(texts(&page, "article .t time"), ["12:00:00"]);
    assert_eq!(attributes(&page, "article .t time", "datetime"), [NOON]);
    assert_eq!(texts(&page, "article .b p"), ["Shall we meet at <10>?"]);
    assert_eq!(texts(&page, "article .b strong"), ["meet"]);
    assert_eq!(attributes(&page, "article", "data-sender"), ["u-ann"]);
    assert_eq!(attributes(&page, "article", "id"), ["m1622721600123"]);
    assert_eq!(attributes(&page, "article .b", "dir"), ["auto"]);
}

#[test]
fn times_are_shown_in_the_zone_and_days_change_with_it() {
    let entries = [
        entry(&[message("2021-06-03T21:59:59Z", "before")]),
        entry(&[message("2021-06-03T22:00:00Z", "after")]),
    ];
    let options =
        RenderOptions { zone: "Europe/Berlin".parse().unwrap(), ..RenderOptions::default() };
    let chat = chat(ConversationKind::Group, "Plans");
    let pages = render(&chat, &options, always(), &entries);
    let page = &pages["meetings_1a2b3c4d/2021-06.html"];
    assert_eq!(texts(page, "h2"), ["Thursday, 3 June 2021", "Friday, 4 June 2021"]);
    assert_eq!(texts(page, ".t time"), ["23:59:59", "00:00:00"]);
    assert_eq!(
        attributes(page, ".t time", "datetime"),
        ["2021-06-03T21:59:59.000Z", "2021-06-03T22:00:00.000Z"]
    );
}

#[test]
fn an_edit_is_flagged_and_its_words_are_marked() {
    let first = message(NOON, "pay 100 now");
    let second = with(
        first.clone(),
        json!({
        "etag": "1622721660000", "lastModifiedDateTime": "2021-06-03T12:01:00Z",
        "lastEditedDateTime": "2021-06-03T12:01:00Z",
        "body": {"contentType": "html", "content": "pay 150 now"}}),
    );
    let page = page(&[entry(&[first, second])]);
    assert_eq!(texts(&page, "article .b"), ["pay 150 now"]);
    assert_eq!(texts(&page, "article .f"), ["edited 12:01:00"]);
    assert_eq!(texts(&page, "details.o > summary"), ["History: 2 entries"]);
    assert_eq!(texts(&page, "details.o .v"), ["pay 100 now", "pay 100150 now"]);
    assert_eq!(texts(&page, "del"), ["100"]);
    assert_eq!(texts(&page, "ins"), ["150"]);
    assert_eq!(attributes(&page, "article", "data-etag"), ["1622721660000"]);
    assert_eq!(attributes(&page, "article", "data-versions"), ["2"]);
}

#[test]
fn a_change_of_reactions_is_history_only_when_all_versions_are_wanted() {
    let first = message(NOON, "hello");
    let second = with(
        first.clone(),
        json!({"etag": "1622721660000", "reactions": [
        {"reactionType": "like", "createdDateTime": NOON, "user": {"user": {"id": "u-bob", "displayName": "Bob Sample"}}}]}),
    );
    let entries = [entry(&[first, second])];
    assert_eq!(texts(&page(&entries), "details.o"), Vec::<String>::new());
    let options = RenderOptions { versions: true, ..RenderOptions::default() };
    let pages = render(&chat(ConversationKind::Group, "Plans"), &options, always(), &entries);
    let page = &pages["meetings_1a2b3c4d/2021-06.html"];
    assert_eq!(attributes(page, "details.o", "open"), [""]);
    let said = texts(page, "details.o li").join("|");
    assert!(
        said.contains("first archived texthello|") && said.ends_with("reactions changed"),
        "{said}"
    );
}

#[test]
fn an_edit_that_was_never_archived_is_said_to_be_missing() {
    let edited =
        with(message(NOON, "pay 150 now"), json!({"lastEditedDateTime": "2021-06-03T12:01:00Z"}));
    let page = page(&[entry(&[edited])]);
    assert_eq!(texts(&page, "details.o p").len(), 1);
    assert!(texts(&page, "details.o p")[0].contains("is not in the archive"));
}

#[test]
fn a_deleted_message_keeps_its_last_text_under_a_clear_mark() {
    let first = message(NOON, "the secret plan");
    let gone = with(
        first.clone(),
        json!({
        "etag": "1622721720000", "deletedDateTime": "2021-06-04T08:00:00Z",
        "lastModifiedDateTime": "2021-06-04T08:00:00Z", "body": {"contentType": "html", "content": ""}}),
    );
    let page = page(&[entry(&[first, gone.clone()])]);
    assert_eq!(texts(&page, ".n"), ["Deleted on 4 June 2021, 08:00:00. Its last archived text:"]);
    assert_eq!(texts(&page, ".b.was"), ["the secret plan"]);
    let page = kit::page(&[entry(&[gone])]);
    assert_eq!(
        texts(&page, ".n"),
        ["Deleted on 4 June 2021, 08:00:00. No text of it was archived."]
    );
    assert_eq!(texts(&page, ".b"), Vec::<String>::new());
}

#[test]
fn a_message_that_says_nothing_says_so() {
    let page = page(&[entry(&[message(NOON, "")])]);
    assert_eq!(texts(&page, "article > p"), ["No text"]);
}

#[test]
fn reactions_are_grouped_with_names() {
    let by = |kind: &str, id: &str, name: &str| {
        json!({"reactionType": kind, "createdDateTime": NOON,
        "user": {"user": {"id": id, "displayName": name}}})
    };
    let reacted = with(
        message(NOON, "x"),
        json!({"reactions": [
        by("like", "u-ann", "Ann Example"), by("🎉", "u-bob", "Bob Sample"), by("👍", "u-bob", "Bob Sample")]}),
    );
    let page = page(&[entry(&[reacted])]);
    assert_eq!(texts(&page, ".r li"), ["👍 2 (Ann Example, Bob Sample)", "🎉 1 (Bob Sample)"]);
}

#[test]
fn files_are_linked_with_size_and_hash_or_say_why_they_are_missing() {
    let mut entry = entry(&[with(
        message(NOON, "see files"),
        json!({"attachments": [
        {"id": "a", "contentType": "reference", "contentUrl": "https://s.example/a", "name": "a b.pdf"},
        {"id": "b", "contentType": "reference", "contentUrl": "https://s.example/b", "name": "b.pdf"},
        {"id": "c", "contentType": "reference", "contentUrl": "https://s.example/c", "name": "c.pdf"}]}),
    )]);
    let other = |index: usize, name: &str, state| Attached {
        state,
        ..stored(Some(index), "file:x", name, "")
    };
    entry.attached = vec![
        stored(Some(0), "file:a", "a b.pdf", "Attachments/0001_a b.pdf"),
        other(1, "b.pdf", AttachedState::Unavailable { reason: "404 <gone>".to_owned() }),
        other(2, "c.pdf", AttachedState::Omitted),
    ];
    let page = page(&[entry]);
    assert_eq!(attributes(&page, ".files a", "href"), ["../Attachments/0001_a%20b.pdf"]);
    let files = texts(&page, ".files li");
    let hash = "ab".repeat(32);
    assert_eq!(
        files,
        [
            format!("a b.pdf 1.2 MB (1,234,567 bytes)SHA-256 {hash}"),
            "b.pdf UNAVAILABLE: 404 <gone>".to_owned(),
            "c.pdf not part of this text-only export".to_owned(),
        ]
    );
}

#[test]
fn an_inline_picture_is_shown_only_when_it_is_a_file_of_the_part() {
    let content = "<p><img src=\"https://graph.microsoft.com/v1.0/chats/c/messages/1/hostedContents/pic/$value\" alt=\"plan\" width=\"300\" height=\"200\">\
        <img src=\"https://graph.microsoft.com/v1.0/chats/c/messages/1/hostedContents/draw/$value\" alt=\"drawing\">\
        <img src=\"https://tracker.example/x.gif\" alt=\"pixel\"></p>";
    let mut entry = entry(&[message(NOON, content)]);
    entry.attached = vec![
        stored(None, "hosted:pic", "image.png", "Attachments/0001_image.png"),
        stored(None, "hosted:draw", "image.svg", "Attachments/0002_image.svg"),
    ];
    let page = page(&[entry]);
    assert_eq!(attributes(&page, "img", "src"), ["../Attachments/0001_image.png"]);
    assert_eq!(attributes(&page, "img", "alt"), ["plan"]);
    let chips = texts(&page, ".chip").join("|");
    assert!(chips.contains("[image: drawing] listed below"), "{chips}");
    assert!(chips.contains("[image: pixel] elsewhere on the web, not loaded"), "{chips}");
    // What is shown says its name and proof itself: the list has the other one only.
    assert_eq!(texts(&page, ".files li bdi"), ["image.svg"]);
    assert!(attributes(&page, "img", "title")[0].starts_with("image.png, "));
}

#[test]
fn a_card_is_a_box_with_facts_in_columns_and_buttons_that_lead_somewhere() {
    let card = json!({"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "Report"},
        {"type": "FactSet", "facts": [
            {"title": "Who:", "value": "Bob"}, {"title": "Cost", "value": "5"}]}],
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": "https://x.example/"}]});
    let attachments = json!({"attachments": [{"id": "c", "content": card.to_string(),
        "contentType": "application/vnd.microsoft.card.adaptive"}]});
    let message = with(message(NOON, "<attachment id=\"c\"></attachment>"), attachments);
    let page = page(&[entry(&[message])]);
    assert_eq!(texts(&page, ".card p strong"), ["Report"]);
    assert_eq!(texts(&page, ".card th"), ["Who", "Cost"]);
    assert_eq!(texts(&page, ".card td"), ["Bob", "5"]);
    assert_eq!(attributes(&page, ".card a", "href"), ["https://x.example/"]);
}

#[test]
fn a_system_event_is_words_or_the_placeholder_or_left_out() {
    let event = with(
        message(NOON, "<systemEventMessage/>"),
        json!({
        "messageType": "systemEventMessage", "from": null,
        "eventDetail": {"@odata.type": "#microsoft.graph.chatRenamedEventMessageDetail",
            "chatDisplayName": "Plans <2>", "initiator": {"user": {"id": "u-bob", "displayName": "Bob Sample"}}}}),
    );
    let entries = [entry(&[event])];
    let chat = chat(ConversationKind::Group, "Plans");
    let said = |system_events| {
        let options = RenderOptions { system_events, ..RenderOptions::default() };
        let (pages, summary) = kit::summarised(&chat, &options, always(), &entries);
        let page = pages.get("meetings_1a2b3c4d/2021-06.html").cloned().unwrap_or_default();
        (texts(&page, "article.e p"), summary.tally.events, summary.tally.events_omitted)
    };
    let words = vec!["Bob Sample renamed the chat to Plans <2>".to_owned()];
    assert_eq!(said(SystemEvents::Text), (words, 1, 0));
    let placeholder = vec!["System Event Message can't be previewed".to_owned()];
    assert_eq!(said(SystemEvents::Placeholder), (placeholder, 1, 0));
    assert_eq!(said(SystemEvents::Omit), (Vec::new(), 0, 1));
}

#[test]
fn importance_subject_and_outsiders_are_marked() {
    let urgent = with(
        message(NOON, "now"),
        json!({"importance": "urgent", "subject": "Fire <drill>",
        "from": {"user": {"id": "x", "displayName": "Zoe", "userIdentityType": "anonymousGuest"}}}),
    );
    let page = page(&[entry(&[urgent])]);
    assert_eq!(texts(&page, ".i"), ["Urgent"]);
    assert_eq!(texts(&page, "article h4"), ["Fire <drill>"]);
    assert_eq!(texts(&page, "article header .f"), ["anonymous guest"]);
}

#[test]
fn the_stored_json_goes_along_when_it_is_wanted() {
    let value = message(NOON, "<p>x</p>");
    let options = RenderOptions { raw_json: true, ..RenderOptions::default() };
    let pages = render(
        &chat(ConversationKind::Group, ""),
        &options,
        always(),
        &[entry(std::slice::from_ref(&value))],
    );
    let shown = texts(&pages["meetings_1a2b3c4d/2021-06.html"], "details.raw pre");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown[0]).unwrap(), value);
}
