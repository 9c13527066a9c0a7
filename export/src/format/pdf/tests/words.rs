//! What the pages say.

use super::*;
use crate::entry::{Answered, SystemEvents};

#[test]
fn a_transcript_says_who_when_and_what_in_order() {
    let scene = Scene::new();
    let file = scene.file(vec![
        text(0, "Good morning"),
        text(61, "Second message"),
        html(7_300, "<p>next <b>day</b></p>"),
    ]);
    assert_order(
        &all_text(&file),
        &[
            "CHAT TRANSCRIPT",
            "Budget 2021",
            "19:chat@thread.v2",
            "Messages",
            "3",
            "Participants (2)",
            "Ann Lee",
            "ann@example.com",
            "Bob Ray",
            "Thursday, 3 June 2021",
            "22:00:00 Ann Lee 1622757600000",
            "Good morning",
            "22:01:01",
            "Second message",
            "Friday, 4 June 2021",
            "00:01:40",
            "next day",
            "Page 2",
        ],
    );
}

#[test]
fn times_stand_in_the_zone_that_was_asked_for() {
    let mut scene = Scene::new();
    scene.options.zone = "Europe/Berlin".parse().unwrap();
    let text = all_text(&scene.file(vec![text(0, "x")]));
    assert_order(&text, &["Europe/Berlin", "Friday, 4 June 2021", "00:00:00"]);
}

#[test]
fn an_edit_says_when_and_what_it_was_before() {
    let first = message(0, &json!({"body": {"contentType": "text", "content": "the first words"}}));
    let edited = message(
        0,
        &json!({
        "body": {"contentType": "text", "content": "the last words"},
        "lastEditedDateTime": "2021-06-03T22:05:00Z", "lastModifiedDateTime": "2021-06-03T22:05:00Z"}),
    );
    let reacted = message(
        0,
        &json!({
        "body": {"contentType": "text", "content": "the last words"},
        "lastEditedDateTime": "2021-06-03T22:05:00Z", "lastModifiedDateTime": "2021-06-03T22:06:00Z",
        "reactions": [{"reactionType": "like", "createdDateTime": "2021-06-03T22:06:00Z",
            "user": {"user": {"id": "bob", "displayName": "Bob Ray"}}}]}),
    );
    let mut scene = Scene::new();
    let versions = [first, edited, reacted];
    let latest = all_text(&scene.file(vec![entry(&versions)]));
    assert_order(
        &latest,
        &[
            "(edited 22:05, 3 versions)",
            "the last words",
            "1 (Bob Ray)",
            "Edit history (1 earlier version)",
            "Version 1 of 3, 2021-06-03 22:00:00 UTC",
            "the first words",
        ],
    );
    scene.options.versions = true;
    let all = all_text(&scene.file(vec![entry(&versions)]));
    assert_order(&all, &["Edit history (2 earlier versions)", "Version 2 of 3", "Version 1 of 3"]);
}

#[test]
fn a_deleted_message_keeps_its_last_words_under_a_notice() {
    let kept = message(0, &json!({"body": {"contentType": "text", "content": "regretted words"}}));
    let gone = message(
        0,
        &json!({
        "body": {"contentType": "html", "content": ""}, "deletedDateTime": "2021-06-03T22:09:00Z"}),
    );
    let mut scene = Scene::new();
    let entries = vec![entry(&[kept, gone.clone()]), {
        let mut other = gone;
        other["id"] = json!((START_MS + 5_000).to_string());
        entry(&[other])
    }];
    let (pieces, summary) = scene.make(entries.clone());
    assert_eq!((summary.counts.deleted, summary.counts.messages), (2, 2));
    let words = all_text(&bytes(&pieces[0]));
    assert_eq!(words.matches("regretted words").count(), 1, "they are not said twice");
    assert_order(
        &words,
        &[
            "This message was deleted on 2021-06-03 22:09:00 UTC. Its last archived text:",
            "regretted words",
            "This message was deleted on",
            "[message deleted; content not captured]",
        ],
    );
    scene.options.versions = true;
    let words = all_text(&scene.file(entries));
    assert_order(&words, &["regretted words", "Edit history", "Version 1 of 2", "regretted words"]);
}

#[test]
fn system_events_are_words_or_a_placeholder_or_left_out_but_counted() {
    let event = message(
        0,
        &json!({
        "messageType": "systemEventMessage", "from": null,
        "body": {"contentType": "html", "content": "<systemEventMessage/>"},
        "eventDetail": {"@odata.type": "#microsoft.graph.chatRenamedEventMessageDetail",
            "chatDisplayName": "Plans", "initiator": {"user": {"id": "ann", "displayName": "Ann Lee"}}}}),
    );
    for (mode, words, is_there) in [
        (SystemEvents::Text, "Ann Lee renamed the chat to", true),
        (SystemEvents::Placeholder, "System Event Message can't be previewed", true),
        (SystemEvents::Omit, "renamed", false),
    ] {
        let mut scene = Scene::new();
        scene.options.system_events = mode;
        let (pieces, summary) = scene.make(vec![entry(std::slice::from_ref(&event))]);
        assert_eq!(summary.counts.events, 1);
        assert_eq!(all_text(&bytes(&pieces[0])).contains(words), is_there, "{mode:?}");
    }
}

#[test]
fn files_say_what_and_where_they_are_or_why_not() {
    let mut scene = Scene::new();
    let with_file = message(
        0,
        &json!({"attachments": [
        {"id": "a", "contentType": "reference", "name": "report (final).pdf", "contentUrl": "https://x/"},
        {"id": "b", "contentType": "reference", "name": "lost.xlsx", "contentUrl": "https://y/"}]}),
    );
    let mut entry = entry(&[with_file]);
    entry.attached = vec![
        stored(&mut scene.store, "file:a", Some(0), b"hello".to_vec()),
        Attached {
            attachment: "file:b".to_owned(),
            index: Some(1),
            versions: Vec::new(),
            name: "lost.xlsx".to_owned(),
            media_type: String::new(),
            state: AttachedState::Unavailable { reason: "404 itemNotFound".to_owned() },
        },
    ];
    let (pieces, summary) = scene.make(vec![entry]);
    assert_eq!((summary.counts.attachments, summary.counts.unavailable), (1, 1));
    assert_order(
        &all_text(&bytes(&pieces[0])),
        &[
            "Attachment: report (final).pdf",
            "5 bytes, sha256 2cf24dba5fb0a30e, Attachments/0001_report.pdf",
            "lost.xlsx UNAVAILABLE: 404 itemNotFound",
        ],
    );
}

#[test]
fn bodies_keep_their_structure() {
    let scene = Scene::new();
    let body = "<h2>Plan</h2><p>Hello <at id=\"0\">Bob</at> <b>now</b></p><ul><li>one</li><li>two</li></ul>\
        <table><tr><th>Item</th><th>Price</th></tr><tr><td>Tea</td><td>3.50</td></tr></table>\
        <blockquote>quoted</blockquote><codeblock><code>let x = 1;<br>  y()</code></codeblock>\
        <p><a href=\"https://example.com/\">a link</a> <a href=\"javascript:alert(1)\">a trap</a></p>";
    let file = scene.file(vec![html(0, body)]);
    assert_order(
        &all_text(&file),
        &[
            "Plan",
            "@Bob",
            "now",
            "\u{2022}",
            "one",
            "two",
            "Item",
            "Price",
            "Tea",
            "3.50",
            "quoted",
            "let x = 1;",
            "y()",
            "a link",
            "a trap",
        ],
    );
    let raw = unpacked(&file);
    assert!(raw.contains("https://example.com/"));
    assert!(!raw.to_lowercase().contains("javascript"));
}

fn commands(file: &[u8], page: u32) -> String {
    let document = open(file);
    let page = document.get_pages()[&page];
    String::from_utf8_lossy(&document.get_page_content(page)).into_owned()
}

#[test]
fn names_are_bold_in_every_script() {
    let scene = Scene::new();
    let from = |name: &str| json!({"user": {"id": "x", "displayName": name}});
    for (name, is_thickened) in [("田中 太郎", true), ("محمد", true), ("Ann Lee", false)] {
        let entry = entry(&[message(0, &json!({"from": from(name)}))]);
        let commands = commands(&scene.file(vec![entry]), 2);
        assert_eq!(commands.contains(" w 2 Tr\n"), is_thickened, "{name}");
        // What follows is not.
        assert_eq!(commands.matches("2 Tr\n").count(), commands.matches("0 Tr\n").count());
    }
}

#[test]
fn names_stand_at_the_left_in_every_script() {
    let scene = Scene::new();
    let from = json!({"user": {"id": "x", "displayName": "דנה כהן"}});
    let entry = entry(&[message(0, &json!({"from": from, "importance": "urgent"}))]);
    let words = all_text(&scene.file(vec![entry]));
    // In the order of the page, from left to right.
    assert_order(&words, &["22:00:00", "ןהכ", "הנד", "URGENT", "1622757600000"]);
}

#[test]
fn tables_stand_in_columns_as_long_as_these_have_room() {
    let scene = Scene::new();
    let row = |cells: usize| {
        let cells: Vec<String> = (0..cells).map(|cell| format!("<td>cell{cell}</td>")).collect();
        let cells = cells.concat();
        format!(
            "<table><tr>{cells}</tr><tr><td>a much longer text than in all others</td></tr></table>"
        )
    };
    for (cells, is_table) in [(4, true), (9, true), (12, false)] {
        let words = all_text(&scene.file(vec![html(0, &row(cells))]));
        assert_eq!(words.contains("Row 1"), !is_table, "{cells} cells");
        assert_order(&words, &["cell0", "cell1", "cell2", "cell3", "a much"]);
    }
}

#[test]
fn what_no_font_can_show_is_spelled_counted_and_kept() {
    let scene = Scene::new();
    let (pieces, summary) = scene.make(vec![text(0, "eye \u{13080} and \u{13080}")]);
    assert_eq!(summary.missing.get(&'\u{13080}'), Some(&2));
    let file = bytes(&pieces[0]);
    assert_order(
        &all_text(&file),
        &["Characters without a glyph", "2 (U+13080)", "eye", "[U+13080]"],
    );
    let commands = commands(&file, 2);
    assert_eq!(commands.matches("/ActualText<FEFFD80CDC80>").count(), 2);
}

#[test]
fn scripts_of_the_world_can_be_read_back() {
    let scene = Scene::new();
    let samples = ["Ελληνικά", "Русский", "漢字かな", "한국어", "Հայերեն", "ไทย", "→", "✓", "★"];
    let entries = samples.iter().zip(0..).map(|(sample, at)| text(at, sample)).collect();
    let (pieces, summary) = scene.make(entries);
    assert_eq!(summary.missing.len(), 0);
    assert_order(&all_text(&bytes(&pieces[0])), &samples);
    let names: Vec<&str> = summary.fonts.iter().map(|font| font.name.as_str()).collect();
    assert!(names.iter().any(|name| name.contains("Droid")), "{names:?}");
}

fn reply(seconds: i64, root: &Entry, content: &str) -> Entry {
    let mut reply = text(seconds, content);
    reply.key.reply_to = Some(root.key.id.clone());
    reply.parent = Some(Answered { id: root.key.id.clone(), ..Answered::default() });
    reply
}

#[test]
fn replies_stand_under_their_post_with_author_and_day() {
    let mut scene = Scene::new();
    scene.chat.kind = ConversationKind::Channel;
    let (first, second) = (text(0, "first post"), text(10, "second post"));
    let late = reply(90_000, &first, "late answer");
    let soon = reply(20, &second, "soon answer");
    let missing = text(-90_000, "not here");
    let mut lost = reply(30, &missing, "answer to what is not here");
    lost.parent.as_mut().unwrap().sender = Some("Cyd Doe".to_owned());
    let file = scene.file(vec![first, second, soon, lost, late]);
    let order = ["first post", "Ann Lee 2021-06-04", "late answer", "second post", "soon answer"];
    let text = all_text(&file);
    assert_order(&text, &order);
    let told = "In reply to a post of Cyd Doe, 2021-06-02 21:00:00 UTC (message";
    assert_order(&text, &["soon answer", told, "answer to what is not here"]);
}

#[test]
fn where_a_link_leads_stands_on_the_page() {
    let link = "<p><a href=\"https://phish.example/login\">sign in</a> and \
                <a href=\"https://x.example/\">x.example</a></p>";
    let text = all_text(&Scene::new().file(vec![html(0, link)]));
    assert_order(&text, &["sign in", "<https://phish.example/login>", "and", "x.example"]);
    assert!(!text.contains("<https://x.example"), "{text}");
}

#[test]
fn a_page_on_which_a_day_goes_on_says_which() {
    let entries = (0..200).map(|at| text(at * 30, &format!("message {at}"))).collect();
    let document = open(&Scene::new().file(entries));
    let pages: Vec<u32> = document.get_pages().into_keys().skip(1).collect();
    assert!(pages.len() > 2, "{pages:?}");
    for page in pages {
        assert_order(&page_text(&document, page), &["Thursday, 3 June 2021", "Times in UTC"]);
    }
    let entries = vec![text(0, "one day"), text(7_300, "and the next")];
    let both = all_text(&Scene::new().file(entries));
    assert_order(&both, &["Thursday, 3 June 2021 to Friday, 4 June 2021", "Times in UTC"]);
}

#[test]
fn a_card_has_its_facts_in_columns_and_says_where_buttons_lead() {
    let card = json!({"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "Report"},
        {"type": "FactSet", "facts": [
            {"title": "Who:", "value": "Bob"}, {"title": "Cost", "value": "5"}]}],
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": "https://x.example/"}]});
    let fields = json!({"body": {"contentType": "html", "content": "<attachment id=\"c\"></attachment>"},
        "attachments": [{"id": "c", "content": card.to_string(),
            "contentType": "application/vnd.microsoft.card.adaptive"}]});
    let text = all_text(&Scene::new().file(vec![entry(&[message(0, &fields)])]));
    let told = ["Report", "Who", "Bob", "Cost", "5", "[Open]", "<https://x.example/>"];
    assert_order(&text, &told);
}

fn by(seconds: i64, sender: &str, fields: &Value) -> Entry {
    let mut message = message(seconds, fields);
    message["from"]["user"]["id"] = json!(sender);
    message["from"]["user"]["displayName"] = json!(sender);
    entry(&[message])
}

#[test]
fn what_one_person_sent_within_five_minutes_stands_under_one_name() {
    let said = |words: &str| json!({"body": {"contentType": "text", "content": words}});
    let edited = json!({"body": {"contentType": "text", "content": "five"},
        "lastEditedDateTime": "2021-06-03T22:30:00Z"});
    let long = "A long message that takes more than one line of the page, ".repeat(4);
    let file = Scene::new().file(vec![
        by(0, "Ann", &said("one")),
        by(299, "Ann", &said("two")),
        by(310, "Ann", &said(&long)),
        by(611, "Ann", &said("three")),
        by(620, "Bob", &said("four")),
        by(630, "Bob", &edited),
        by(640, "Bob", &said("six")),
    ]);
    let text = page_text(&open(&file), 2);
    // Each has its time and its id, whether it is named or not.
    assert_order(
        &text,
        &[
            "22:00:00 Ann 1622757600000 one 22:04:59 two 1622757899000 22:05:10 A long message",
            "1622757910000 22:10:11 Ann 1622758211000 three 22:10:20 Bob 1622758220000 four",
            "22:10:30 Bob (edited 22:30, 1 version) 1622758230000 five",
            "22:10:40 six 1622758240000",
        ],
    );
}

#[test]
fn each_page_names_who_wrote_its_first_message() {
    let entries = (0..300).map(|at| text(at, &format!("message {at}"))).collect();
    let document = open(&Scene::new().file(entries));
    let pages = document.get_pages().len();
    assert!(pages > 3, "{pages}");
    for page in 2..=pages {
        let text = page_text(&document, u32::try_from(page).unwrap());
        assert_eq!(text.matches("Ann Lee").count(), 1, "{text}");
        assert!(text.find("Ann Lee") < text.find("message"), "{text}");
    }
}

#[test]
fn a_quote_leads_to_the_message_that_it_answers() {
    let quote = |id: i64| {
        let content = json!({"messageId": id.to_string(), "messagePreview": "one",
            "messageSender": {"user": {"id": "ann", "displayName": "Ann Lee"}}});
        json!({"body": {"contentType": "html", "content": "<attachment id=\"q\"></attachment><p>yes</p>"},
            "attachments": [{"id": "q", "contentType": "messageReference",
                "content": content.to_string()}]})
    };
    let file = Scene::new().file(vec![
        text(0, "one"),
        entry(&[message(5, &quote(START_MS))]),
        entry(&[message(9, &quote(START_MS - 1))]),
    ]);
    let document = open(&file);
    let told = "In reply to Ann Lee, 2021-06-03 22:00:00 UTC";
    assert_order(&page_text(&document, 2), &[told, "yes", "In reply to Ann Lee", "yes"]);
    let page = document.get_pages()[&2];
    let links = document.get_page_annotations(page).unwrap();
    // The second one leads nowhere: that message is not in the file.
    assert_eq!(links.len(), 1);
    let goal = links[0].get(b"Dest").unwrap().as_array().unwrap();
    assert_eq!(goal[0].as_reference().unwrap(), page);
    assert!(links[0].get(b"A").is_err());
}

#[test]
fn a_deletion_in_between_is_called_so() {
    let version = |more: Value| message(0, &more);
    let body = |text: &str| json!({"contentType": "text", "content": text});
    let deleted = json!({"body": body(""), "deletedDateTime": "2021-06-03T22:05:00Z"});
    let entry = entry(&[
        version(json!({"body": body("before")})),
        version(deleted),
        version(json!({"body": body("back again")})),
    ]);
    let text = all_text(&Scene::new().file(vec![entry]));
    assert_order(&text, &["back again", "Version 2 of 3", ": deleted", "before"]);
}
