//! How messages come to pages: turning, names, threads, links.

use chatvault_query::people::ConversationKind;
use serde_json::{Value, json};

use super::kit::{
    Pages, always, attributes, chat, entry, message, render, summarised, texts, window, with,
};
use super::safe::{assert_complete, assert_links_resolve, assert_safe};
use crate::entry::{Content, Context, Entry, NoObjects, Piece, RenderOptions, Window};
use crate::format::html::index::INDEX_CHATS;
use crate::format::html::transcript::PAGE_CARDS;
use crate::format::html::{Index, Scene, Summary, Transcript};

const FOLDER: &str = "meetings_1a2b3c4d";

/// Messages a second apart.
fn many(start: &str, count: usize) -> Vec<Entry> {
    let start = super::kit::at(start).ms();
    (0..count)
        .map(|index| {
            let ms = start + 1_000 * i64::try_from(index).unwrap();
            let time = chatvault_query::format_time(chatvault_engine::Timestamp::from_ms(ms));
            entry(&[message(&time, &format!("number {index}"))])
        })
        .collect()
}

fn group(window: Window, entries: &[Entry]) -> Pages {
    let mut pages =
        render(&chat(ConversationKind::Group, "Plans"), &RenderOptions::default(), window, entries);
    assert_safe(&pages);
    assert_links_resolve(&pages);
    assert_complete(&pages, entries);
    let _index = pages.remove("index.html").unwrap();
    pages
}

fn files(pages: &Pages) -> Vec<&str> {
    pages.keys().filter_map(|name| name.strip_prefix("meetings_1a2b3c4d/")).collect()
}

#[test]
fn a_page_has_a_thousand_messages_at_most_and_pages_are_chained() {
    let pages = group(always(), &many("2021-06-03T08:00:00Z", 2 * PAGE_CARDS + 1));
    assert_eq!(files(&pages), ["2021-06.html", "2021-06_p2.html", "2021-06_p3.html"]);
    let counts: Vec<usize> =
        pages.values().map(|page| attributes(page, "article", "id").len()).collect();
    assert_eq!(counts, [PAGE_CARDS, PAGE_CARDS, 1]);
    let links = |rel: &str| -> Vec<Vec<String>> {
        let selector = format!("header a[rel={rel}]");
        pages.values().map(|page| attributes(page, &selector, "href")).collect()
    };
    assert_eq!(links("next"), [vec!["2021-06_p2.html"], vec!["2021-06_p3.html"], vec![]]);
    assert_eq!(links("prev"), [vec![], vec!["2021-06.html"], vec!["2021-06_p2.html"]]);
}

#[test]
fn exactly_a_thousand_messages_are_one_page() {
    assert_eq!(
        files(&group(always(), &many("2021-06-03T08:00:00Z", PAGE_CARDS))),
        ["2021-06.html"]
    );
}

#[test]
fn a_new_month_is_a_new_page() {
    let pages = group(always(), &many("2021-06-30T23:59:58Z", 4));
    assert_eq!(files(&pages), ["2021-06.html", "2021-07.html"]);
}

#[test]
fn windows_that_meet_inside_a_month_share_no_file_name() {
    let first = group(window("2021-05-01", "2021-06-15"), &many("2021-06-14T00:00:00Z", 2));
    let second = group(window("2021-06-15", "2021-07-30"), &many("2021-06-15T00:00:00Z", 2));
    assert_eq!((files(&first), files(&second)), (vec!["2021-06.html"], vec!["2021-06-15.html"]));
    let whole = group(window("2021-06-01", "2021-07-01"), &many("2021-06-15T00:00:00Z", 2));
    assert_eq!(files(&whole), ["2021-06.html"]);
}

#[test]
fn what_is_older_than_the_window_goes_on_its_first_page() {
    let mut old = many("2021-03-01T08:00:00Z", 1);
    old[0].is_context = true;
    old.extend(many("2021-06-02T08:00:00Z", 1));
    let pages = group(window("2021-06-01", "2021-07-01"), &old);
    assert_eq!(files(&pages), ["2021-06.html"]);
    let page = &pages["meetings_1a2b3c4d/2021-06.html"];
    assert_eq!(texts(page, "h2"), ["Monday, 1 March 2021", "Wednesday, 2 June 2021"]);
    assert_eq!(texts(page, ".context header .f"), ["shown for context, not part of the selection"]);
}

#[test]
fn a_page_is_turned_before_it_becomes_too_large_to_hold() {
    let text = format!("<p>{}</p>", "word ".repeat(100_000));
    let entries: Vec<Entry> = many("2021-06-03T08:00:00Z", 20)
        .iter()
        .map(|one| entry(&[message(&chatvault_query::format_time(one.created), &text)]))
        .collect();
    let pages = group(always(), &entries);
    assert!(pages.len() > 1);
    assert!(pages.values().all(|page| page.len() < 6 << 20));
}

/// A reply as clients write it in chats: with a reference to what it answers.
fn reply(time: &str, to: &str) -> Value {
    let content = json!({"messageId": to, "messagePreview": "number 0",
        "messageSender": {"user": {"id": "u-ann", "displayName": "Ann Example", "userIdentityType": "aadUser"}}});
    with(
        message(time, &format!("<attachment id=\"{to}\"></attachment><p>yes</p>")),
        json!({"attachments": [{"id": to, "contentType": "messageReference", "content": content.to_string()}]}),
    )
}

#[test]
fn a_reply_quotes_and_links_what_it_answers() {
    let mut entries = many("2021-06-30T08:00:00Z", 1);
    let first = entries[0].key.id.clone();
    entries.push(entry(&[reply("2021-06-30T09:00:00Z", &first)]));
    entries.push(entry(&[reply("2021-07-01T09:00:00Z", &first)]));
    entries.push(entry(&[reply("2021-07-01T10:00:00Z", "42")]));
    let pages = group(always(), &entries);
    let links =
        |file: &str| attributes(&pages[&format!("{FOLDER}/{file}")], "blockquote a", "href");
    assert_eq!(links("2021-06.html"), [format!("#m{first}")]);
    assert_eq!(links("2021-07.html"), [format!("2021-06.html#m{first}")]);
    let quotes = texts(&pages[&format!("{FOLDER}/2021-07.html")], "blockquote");
    assert_eq!(quotes.len(), 2);
    assert!(
        quotes.iter().all(|quote| quote.contains("Ann Example") && quote.contains("number 0")),
        "{quotes:?}"
    );
}

/// A post or a reply in a channel.
fn post(time: &str, root: Option<&str>, text: &str) -> Entry {
    entry(&[with(
        message(time, text),
        json!({"chatId": null, "replyToId": root,
        "channelIdentity": {"teamId": "t", "channelId": "19:meetings@thread.v2"}}),
    )])
}

#[test]
fn replies_in_a_channel_stand_under_their_post() {
    let (a, b) = ("2021-06-03T08:00:00Z", "2021-06-03T09:00:00Z");
    let id = |time: &str| super::kit::at(time).ms().to_string();
    let entries = [
        post(a, None, "post a"),
        post(b, None, "post b"),
        post("2021-06-03T10:00:00Z", Some(&id(a)), "reply a1"),
        post("2021-06-04T10:00:00Z", Some(&id(b)), "reply b1"),
        post("2021-06-05T10:00:00Z", Some(&id(a)), "reply a2"),
        post("2021-07-01T10:00:00Z", Some(&id(a)), "reply a3"),
        post("2021-07-02T10:00:00Z", Some("42"), "reply to nothing"),
    ];
    let pages = render(
        &chat(ConversationKind::Channel, "General"),
        &RenderOptions::default(),
        always(),
        &entries,
    );
    assert_safe(&pages);
    assert_links_resolve(&pages);
    assert_complete(&pages, &entries);
    let (june, july) =
        (&pages["meetings_1a2b3c4d/2021-06.html"], &pages["meetings_1a2b3c4d/2021-07.html"]);
    assert_eq!(texts(june, ".b"), ["post a", "reply a1", "reply a2", "post b", "reply b1"]);
    assert_eq!(texts(june, ".thread").len(), 2);
    assert_eq!(texts(june, ".replies .b"), ["reply a1", "reply a2", "reply b1"]);
    let stubs = texts(july, ".stub");
    assert_eq!(
        stubs,
        [
            "Replies to a post on an earlier page: Ann Example: “post a”",
            "Replies to a post that is not on these pages (message 42)",
        ]
    );
    assert_eq!(attributes(july, ".stub a", "href"), [format!("2021-06.html#m{}", id(a))]);
}

#[test]
fn ids_that_come_twice_in_a_channel_have_anchors_of_their_own() {
    let time = "2021-06-03T10:00:00Z";
    let entries = [post(time, Some("1"), "one"), post(time, Some("2"), "two")];
    let pages =
        render(&chat(ConversationKind::Channel, ""), &RenderOptions::default(), always(), &entries);
    assert_links_resolve(&pages);
    assert_complete(&pages, &entries);
    let ids = attributes(&pages["meetings_1a2b3c4d/2021-06.html"], "article", "id");
    assert_eq!(ids, ["m1622714400000", "m1622714400000__2"]);
}

#[test]
fn the_same_entries_give_the_same_bytes_also_when_cards_are_made_elsewhere() {
    let entries = many("2021-06-03T08:00:00Z", 1_200);
    let (chat, options) = (chat(ConversationKind::Group, "Plans"), RenderOptions::default());
    let context = Context {
        tenant: "t-1",
        chat: &chat,
        names: &super::kit::NoNames,
        options: &options,
        objects: &NoObjects,
    };
    let scene = Scene::new(context);
    let mut pages = Pages::new();
    let mut sink = |piece: Piece| {
        let bytes = piece.content.to_vec(&NoObjects)?;
        assert_eq!(pages.insert(piece.name, String::from_utf8(bytes).unwrap()), None);
        Ok(())
    };
    let mut transcript = Transcript::new(&scene, always());
    let cards: Vec<_> = std::thread::scope(|threads| {
        let (one, other) = entries.split_at(500);
        let work = [one, other].map(|part| {
            let scene = &scene;
            threads.spawn(move || part.iter().map(|entry| scene.card(entry)).collect::<Vec<_>>())
        });
        work.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    for card in cards {
        transcript.place(card, &mut sink).unwrap();
    }
    let _summary = transcript.finish(&mut sink).unwrap();
    let mut again = render(&chat, &options, always(), &entries);
    let _index = again.remove("index.html");
    assert_eq!(pages, again);
}

#[test]
fn a_sink_that_fails_stops_the_work() {
    let (chat, options) = (chat(ConversationKind::Group, "Plans"), RenderOptions::default());
    let context = Context {
        tenant: "t-1",
        chat: &chat,
        names: &super::kit::NoNames,
        options: &options,
        objects: &NoObjects,
    };
    let scene = Scene::new(context);
    let mut full = |_: Piece| Err(std::io::ErrorKind::StorageFull.into());
    let mut transcript = Transcript::new(&scene, always());
    let results: Vec<_> = many("2021-06-30T23:59:58Z", 3)
        .iter()
        .map(|entry| transcript.push(entry, &mut full))
        .collect();
    assert!(results[..2].iter().all(Result::is_ok));
    assert_eq!(results[2].as_ref().unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn the_index_has_a_line_for_each_chat() {
    let entries = many("2021-06-30T23:59:58Z", 4);
    let (pages, summary) = summarised(
        &chat(ConversationKind::Group, "Plans"),
        &RenderOptions::default(),
        always(),
        &entries,
    );
    assert_eq!((summary.tally.messages, summary.pages.len()), (4, 2));
    let index = &pages["index.html"];
    assert_eq!(texts(index, "tbody th bdi"), ["Plans"]);
    assert_eq!(
        texts(index, "tbody td")[..4],
        ["Group chat", "2: Ann Example, Bob Sample", "30 June 2021 to 1 July 2021", "4"]
    );
    assert_eq!(texts(index, "tbody li"), ["June 2021 (2)", "July 2021 (2)"]);
    assert_eq!(attributes(index, "tbody th > a", "href"), ["meetings_1a2b3c4d/2021-06.html"]);
    assert!(texts(index, ".about dd")[0].starts_with("1 chat, 4 messages"));
}

#[test]
fn chats_can_be_put_in_order_and_found_by_person_without_a_script() {
    let options = RenderOptions::default();
    let mut pages = Pages::new();
    let mut sink = |piece: Piece| {
        let Content::Bytes(bytes) = piece.content else { panic!("pages are bytes") };
        let _before = pages.insert(piece.name, String::from_utf8(bytes).unwrap());
        Ok(())
    };
    let mut index = Index::new("t-1", &options, always());
    for (topic, messages) in [("plans", 3), ("Budget", 70), ("Zoo", 9)] {
        let mut summary = Summary::default();
        summary.tally.messages = messages;
        let mut chat = chat(ConversationKind::Group, topic);
        if topic == "Zoo" {
            chat.participants = vec![chat.participants[0].clone(); 101];
        }
        index.add(&chat, &summary, &mut sink).unwrap();
    }
    index.finish(&mut sink).unwrap();
    assert_safe(&pages);
    let index = &pages["index.html"];
    let places = attributes(index, "table.list tbody tr", "style");
    assert_eq!(places, ["--n:2;--m:3;--l:1", "--n:1;--m:1;--l:2", "--n:3;--m:2;--l:3"]);
    assert_eq!(attributes(index, "main > input", "id"), ["o", "on", "om", "ol"]);
    let people = texts(index, ".who summary");
    assert_eq!(people, ["Chats by person (2)", "Ann Example (2 chats)", "Bob Sample (2 chats)"]);
    assert_eq!(texts(index, ".who li li")[..2], ["plans (3)", "Budget (70)"]);
    assert!(texts(index, ".who p")[0].contains("more than 100"));
}

#[test]
fn an_index_of_very_many_chats_has_several_pages() {
    let options = RenderOptions::default();
    let mut pages = Pages::new();
    let mut names = Vec::new();
    let mut sink = |piece: Piece| {
        let Content::Bytes(bytes) = piece.content else { panic!("pages are bytes") };
        names.push(piece.name.clone());
        assert_eq!(pages.insert(piece.name, String::from_utf8(bytes).unwrap()), None);
        Ok(())
    };
    let mut index = Index::new("t-1", &options, always());
    let summary = Summary::default();
    for number in 0..=2 * INDEX_CHATS {
        let chat = chat(ConversationKind::Group, &format!("Chat {number}"));
        index.add(&chat, &summary, &mut sink).unwrap();
    }
    index.finish(&mut sink).unwrap();
    assert_eq!(names, ["index_p2.html", "index_p3.html", "index.html"]);
    assert_safe(&pages);
    assert_links_resolve(&pages);
    let rows: usize = pages.values().map(|page| texts(page, "tbody tr").len()).sum();
    assert_eq!(rows as u64, 2 * INDEX_CHATS + 1);
}

#[test]
fn an_empty_period_says_so() {
    let options = RenderOptions::default();
    let mut shown = String::new();
    let mut sink = |piece: Piece| {
        shown = String::from_utf8(piece.content.to_vec(&NoObjects)?).unwrap();
        Ok(())
    };
    Index::new("t-1", &options, always()).finish(&mut sink).unwrap();
    assert_eq!(texts(&shown, "main"), ["There are no messages in this period."]);
}
