//! Cards as readable text.

use super::*;

fn check(card: &Value, expected: &str) {
    assert_eq!(card_text(&card.to_string()), expected, "{card}");
}

#[test]
fn an_adaptive_card_reads_from_top_to_bottom() {
    check(
        &json!({
            "type": "AdaptiveCard",
            "version": "1.4",
            "speak": "not said, as there is more",
            "body": [
                {"type": "TextBlock", "text": "Expense  report\r\nQ3 <draft> &amp; more"},
                {"type": "Container", "items": [
                    {"type": "ColumnSet", "columns": [
                        {"type": "Column", "items": [
                            {"type": "Image", "url": "https://x.example/a.png", "altText": "Logo"},
                            {"type": "TextBlock", "text": "SHADES"},
                        ]},
                        {"type": "Column", "items": [{"type": "TextBlock", "text": "40 - 7"}]},
                    ]},
                ]},
                {"type": "RichTextBlock", "inlines": [
                    "Hello ", {"type": "TextRun", "text": "<at>Ann</at>"}, {"type": "TextRun", "text": "!"},
                ]},
                {"type": "FactSet", "facts": [
                    {"title": "Who:", "value": "Bob"}, {"title": "Cost", "value": "5 €"},
                    {"title": "", "value": "alone"},
                ]},
                {"type": "Table", "rows": [
                    {"type": "TableRow", "cells": [
                        {"type": "TableCell", "items": [{"type": "TextBlock", "text": "n"}]},
                        {"type": "TableCell", "items": [{"type": "TextBlock", "text": "v"}]},
                    ]},
                    {"type": "TableRow", "cells": [
                        {"type": "TableCell", "items": [
                            {"type": "TextBlock", "text": "a"}, {"type": "TextBlock", "text": "b"},
                        ]},
                        {"type": "TableCell", "items": []},
                    ]},
                ]},
                {"type": "ImageSet", "images": [{"type": "Image", "url": "x", "altText": "Cat"}]},
                {"type": "Input.Text", "id": "i", "label": "Reason", "placeholder": "why"},
                {"type": "Input.ChoiceSet", "label": "Pick", "choices": [
                    {"title": "One", "value": "1"}, {"title": "Two", "value": "2"}]},
                {"type": "ActionSet", "actions": [{"type": "Action.Submit", "title": "Send"}]},
                {"type": "SomethingNew", "title": "New", "items": [{"text": "inside"}]},
            ],
            "actions": [
                {"type": "Action.OpenUrl", "title": "Open", "url": "https://x.example"},
                {"type": "Action.ShowCard", "title": "More", "card":
                    {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "hidden depth"}]}},
            ],
        }),
        "Expense report\nQ3 <draft> &amp; more\n[image: Logo]\nSHADES\n40 - 7\nHello @Ann!\n\
         Who: Bob\nCost: 5 €\nalone\nn\tv\na b\n[image: Cat]\nReason\nPick\nOne\nTwo\n[Send]\nNew\n\
         inside\n[Open] <https://x.example>\n[More]\nhidden depth",
    );
}

#[test]
fn hero_and_thumbnail_cards_say_their_html() {
    check(
        &json!({
            "title": "*title*",
            "subtitle": "<h3>A subtitle</h3>",
            "text": "Here is some text. <br>And a <a href=\"http://x.example/\">link</a> &amp; more.",
            "images": [{"url": "https://x.example/i.png", "alt": "Recipe"}, {"url": "y"}],
            "buttons": [
                {"type": "openUrl", "title": "😃 click me", "value": "http://x.example"},
                {"type": "messageBack", "title": "&back& <>", "value": {"text": "not shown"}},
            ],
        }),
        "*title*\nA subtitle\nHere is some text.\nAnd a link <http://x.example/> & more.\n\
         [image: Recipe]\n[😃 click me] <http://x.example>\n[&back& <>]",
    );
    check(
        &json!({"text": "Please sign in", "buttons": [{"type": "signin", "title": "Sign in"}]}),
        "Please sign in\n[Sign in]",
    );
}

#[test]
fn connector_list_and_receipt_cards_have_words() {
    check(
        &json!({
            "@type": "MessageCard", "@context": "http://schema.org/extensions",
            "summary": "not said, as there is more",
            "title": "Build <b>failed</b>",
            "sections": [{
                "activityTitle": "Ann pushed", "activitySubtitle": "to main", "text": "3 commits",
                "facts": [{"name": "Branch", "value": "main &lt;1&gt;"}],
            }],
            "potentialAction": [
                {"@type": "OpenUri", "name": "View build", "targets": [
                    {"os": "default", "uri": "https://ci.example/7"}]},
                {"@type": "ViewAction", "name": "Old", "target": ["https://ci.example/8"]},
                {"@type": "ActionCard", "name": "Comment", "inputs": [
                    {"@type": "TextInput", "title": "Your comment"}]},
            ],
        }),
        "Build failed\nAnn pushed\nto main\n3 commits\nBranch: main <1>\n[View build] <https://ci.example/7>\n[Old] <https://ci.example/8>\n[Comment]\n\
         Your comment",
    );
    check(
        &json!({"title": "Files", "items": [
            {"type": "file", "title": "a.docx", "subtitle": "teams > new"}, {"type": "section", "title": "Old"}]}),
        "Files\na.docx\nteams > new\nOld",
    );
    check(
        &json!({"title": "Receipt", "total": "$ 9", "facts": [{"key": "Order", "value": "7"}],
            "items": [{"title": "Tea", "price": "$ 9"}]}),
        "Receipt\n$ 9\nTea\n$ 9\nOrder: 7",
    );
}

#[test]
fn cards_whose_content_is_elsewhere_say_where() {
    check(
        &json!({"componentUrl": "https://x.sharepoint.com/:fl:/s/a?d=1", "sourceType": "Compose"}),
        "[Loop component: https://x.sharepoint.com/:fl:/s/a?d=1]",
    );
    check(&json!({"type": "AdaptiveCard", "fallbackText": "Use a newer app"}), "Use a newer app");
    check(&json!({"type": "AdaptiveCard", "body": [], "speak": "said"}), "said");
    check(&json!({"exchangeId": "AAMk", "organizerId": "8ea0"}), "");
    check(&json!([]), "");
}

#[test]
fn content_that_is_no_card_is_read_as_text_or_not_at_all() {
    assert_eq!(card_text(""), "");
    assert_eq!(card_text("(see <b>page</b>)"), "(see page)");
    assert_eq!(card_text("{\"title\":"), "");
    assert_eq!(card_text(r#"{"title":"half \ud83d","x":1e999}"#), "half \u{fffd}");
    let deep = format!("{}\"x\"{}", "{\"items\":[".repeat(50_000), "]}".repeat(50_000));
    assert_eq!(card_text(&deep), "");
    let odd =
        r#"{"title":["a",{"text":"b"}],"text":7,"facts":{"title":"c"},"items":null,"buttons":"d"}"#;
    assert_eq!(card_text(odd), "b\nc");
}

#[test]
fn a_card_stands_where_the_body_puts_it() {
    let content =
        json!({"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "one\ntwo"}]});
    let attachments = json!([{"id": "C", "content": content.to_string(), "name": null,
        "contentType": "application/vnd.microsoft.card.adaptive"}]);
    let html = "<p>before</p><attachment id=\"C\"></attachment><p>after</p>";
    assert_eq!(said_with(html, &attachments), "before\none\ntwo\nafter");
    assert_eq!(
        said_with("<ul><li>x<attachment id=\"C\"></attachment></ul>", &attachments),
        "- x\n  one\n  two"
    );
    assert_eq!(said_with("<p>before</p>", &attachments), "before\none\ntwo");
}

#[test]
fn a_card_is_also_had_part_by_part() {
    let card = json!({"type": "AdaptiveCard", "body": [
        {"type": "TextBlock", "text": "Expense report"},
        {"type": "FactSet", "facts": [{"title": "Who:", "value": "Bob"}, {"title": "", "value": "alone"}]},
        {"type": "ActionSet", "actions": [{"type": "Action.Submit", "title": "Send"}]}],
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": "https://x.example"}]});
    let text = |words: &str| CardPart::Text(words.to_owned());
    assert_eq!(
        card_parts(&card.to_string()),
        [
            text("Expense report"),
            CardPart::Fact("Who".to_owned(), "Bob".to_owned()),
            text("alone"),
            CardPart::Button("Send".to_owned(), None),
            CardPart::Button("Open".to_owned(), Some("https://x.example".to_owned())),
        ]
    );
}
