//! Tokens, the language, and what is found in messages.

use chatvault_engine::RecordKind;
use proptest::prelude::*;
use serde_json::json;

use chatvault_engine::Document;

use super::Search;
use super::content::{Content, Part};
use super::token::{Form, MAX_TERM_CHARS, tokens};
use crate::record::Text;

/// `term@position`, and `~` before one without accents.
fn told(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    tokens(text, &mut |term, position, form| {
        let mark = if form == Form::Plain { "~" } else { "" };
        all.push(format!("{mark}{term}@{position}"));
    });
    all
}

fn message(fields: serde_json::Value) -> Vec<u8> {
    let mut message = json!({"id": "1", "chatId": "19:a", "messageType": "message"});
    let (Some(all), serde_json::Value::Object(more)) = (message.as_object_mut(), fields) else {
        return Vec::new();
    };
    all.extend(more);
    serde_json::to_vec(&message).unwrap()
}

fn body(text: &str) -> Vec<u8> {
    message(json!({"body": {"contentType": "text", "content": text}}))
}

fn html(text: &str) -> Vec<u8> {
    message(json!({"body": {"contentType": "html", "content": text}}))
}

fn content(json: &[u8]) -> Content {
    Content::of(RecordKind::Message, &Document::parse(json).unwrap(), &Text::None)
}

fn finds(search: &str, json: &[u8]) -> bool {
    let search = search.parse::<Search>().unwrap_or_else(|error| panic!("{search}: {error}"));
    search.matches(&Document::parse(json).unwrap())
}

#[track_caller]
fn check_found(text: &str, found: &[&str], not: &[&str]) {
    for search in found {
        assert!(finds(search, &body(text)), "{search} should be found in {text}: {:?}", told(text));
    }
    for search in not {
        assert!(!finds(search, &body(text)), "{search} should not be in {text}: {:?}", told(text));
    }
}

#[test]
fn words_have_one_position_each_whatever_stands_between_them() {
    assert_eq!(
        told("The Q3_report.PDF, 3.14"),
        ["the@0", "q3@1", "report@2", "pdf@3", "3@4", "14@5"]
    );
    assert_eq!(told("Straße ΌΣΟΣ"), ["strasse@0", "όσοσ@1", "~οσοσ@1"]);
    assert_eq!(told("Café cafe\u{301}"), ["café@0", "~cafe@0", "café@1", "~cafe@1"]);
    assert_eq!(told("Łódź Ærø"), ["łódź@0", "~lodz@0", "ærø@1", "~aero@1"]);
    assert_eq!(told("ｆｕｌｌ ﬁne so\u{ad}ft"), ["full@0", "fine@1", "soft@2"]);
    assert_eq!(told("a\u{1e}b"), ["a@0", "b@2"]);
    assert!(told(" ,;.- \u{301} \u{200d} \u{fe0f}").is_empty());
}

#[test]
fn letters_of_dense_scripts_have_a_position_each_and_are_paired() {
    assert_eq!(told("会议室"), ["会@0", "议@1", "会议@0", "室@2", "议室@1"]);
    assert_eq!(told("iPhone手机 ok"), ["iphone@0", "手@1", "机@2", "手机@1", "ok@3"]);
    assert_eq!(told("ﾃﾞｰﾀ"), ["デ@0", "ー@1", "デー@0", "タ@2", "ータ@1"]);
    assert_eq!(told("ที่"), ["ที่@0"]);
}

#[test]
fn emoji_are_words_in_every_colour() {
    assert_eq!(told("ok👍🏽!"), ["ok@0", "👍🏽@1", "~👍@1"]);
    assert_eq!(told("❤️ 👩‍💻🇩🇪"), ["❤@0", "👩‍💻@1", "🇩🇪@2"]);
    check_found("done 👍🏽", &["👍", "👍🏽", "\"done 👍\""], &["👍🏿", "👎"]);
}

#[test]
fn long_words_are_cut_and_found() {
    let long = "x".repeat(MAX_TERM_CHARS) + &"y".repeat(MAX_TERM_CHARS) + "z";
    assert_eq!(told(&long).len(), 3);
    let shorter = &long[..long.len() - 1];
    check_found(shorter, &[shorter, &format!("{}*", &long[..70])], &[&long, &long[..64]]);
    check_found(&long, &[&long, &format!("{shorter}*"), "xxx*"], &[shorter, "y*"]);
}

#[test]
fn scripts_are_searched_as_their_readers_would() {
    check_found(
        "我们明天在会议室讨论预算",
        &["会议", "预算", "议室", "\"会议室讨论\"", "会"],
        &["算预", "议会"],
    );
    check_found("プロジェクトの予算", &["予算", "プロジェクト", "ジェク", "ﾌﾟﾛ"], &["算予"]);
    check_found("회의는 내일입니다", &["회의", "내일"], &["일내"]);
    check_found("การประชุมพรุ่งนี้", &["ประชุม", "พรุ่งนี้"], &["ประชา"]);
    check_found("बैठक कल है", &["बैठक", "कल", "बैठ*"], &["बठक", "ब"]);
    check_found(
        "أُرسِل اجتماع الميزانيّة غدًا",
        &["اجتماع", "الميزانية", "الميزانيه", "غدا", "الميز*", "أرسل", "ارسل"],
        &["ميزانية", "إرسل"],
    );
    check_found("פגישת תַקְצִיב", &["תקציב", "פגישת"], &["קציב"]);
    check_found("Совещание по бюджету", &["совещание", "БЮДЖЕТУ", "бюдж*"], &["бюджет"]);
    check_found("Résumé naïve", &["resume", "résumé", "NAIVE"], &["rèsume"]);
    check_found("resume", &["resume"], &["résumé"]);
    check_found("Kỳ họp ngân sách", &["ngan sach", "\"ky hop\"", "họp"], &["ngán"]);
    check_found("İstanbul ışık", &["istanbul", "isik", "IŞIK"], &["istanbulu"]);
}

#[test]
fn phrases_starts_and_operators_say_what_is_meant() {
    let text = "The offer letter was sent to ann.lee@contoso.com, budget-2024.xlsx follows";
    check_found(
        text,
        &[
            "offer",
            "letter offer",
            "\"offer letter\"",
            "\u{201c}offer letter\u{201d}",
            "\"offer let*\"",
            "\"OFFER LETTER was\"",
            "contoso.com",
            "ann.lee@contoso.com",
            "budget-2024.xl*",
            "bud*",
            "tea OR letter",
            "tea OR (offer sent)",
            "offer NOT tea",
            "offer -tea -\"letter offer\"",
            "-tea",
            "NOT (tea AND offer)",
            "body:offer",
            "body:(offer letter)",
            "10:30 OR sent",
            "https://contoso.com OR sent",
        ],
        &[
            "\"letter offer\"",
            "off",
            "\"off letter\"",
            "\"offer lette\"",
            "offer tea",
            "offer -letter",
            "lee.ann",
            "subject:offer",
            "tea OR coffee",
            "tea offer OR coffee",
            "-offer",
        ],
    );
}

#[test]
fn every_part_of_a_message_is_found_by_its_name() {
    let json = message(json!({
        "subject": "Quarterly review",
        "body": {"contentType": "html", "content":
            "<p>Hi <at id=\"0\">Ann Lee</at> <emoji id=\"smile\" alt=\"🙂\" title=\"Smile\"></emoji> see \
             <a href=\"https://contoso.com/plan\">the plan</a> bud<b>get</b></p>\
             <attachment id=\"f\"></attachment><attachment id=\"c\"></attachment>"},
        "mentions": [{"id": 0, "mentionText": "Ann Lee"}],
        "attachments": [
            {"id": "f", "contentType": "reference", "name": "draft_offer.docx"},
            {"id": "c", "contentType": "application/vnd.microsoft.card.adaptive",
             "content": "{\"type\":\"AdaptiveCard\",\"body\":[{\"type\":\"TextBlock\",\"text\":\"Approve travel\"}]}"},
        ],
    }));
    for search in [
        "quarterly",
        "subject:\"quarterly review\"",
        "ann",
        "\"hi ann lee\"",
        "🙂",
        "body:🙂",
        "budget",
        "\"the plan\"",
        "contoso.com",
        "draft",
        "attachment:offer.docx",
        "attachment:(draft -final)",
        "card:\"approve travel\"",
        "travel quarterly",
    ] {
        assert!(finds(search, &json), "{search}: {:?}", content(&json));
    }
    for search in [
        "body:quarterly",
        "attachment:review",
        "card:draft",
        "\"budget quarterly\"",
        "smile",
        "\"review draft\"",
        "subject:(quarterly draft)",
        "\"docx approve\"",
    ] {
        assert!(!finds(search, &json), "{search}: {:?}", content(&json));
    }
    let event = message(json!({
        "messageType": "systemEventMessage",
        "body": {"contentType": "html", "content": "<systemEventMessage/>"},
        "eventDetail": {"@odata.type": "#microsoft.graph.chatRenamedEventMessageDetail",
            "chatDisplayName": "Apollo"},
    }));
    assert!(finds("event:apollo", &event) && finds("apollo", &event), "{:?}", content(&event));
    assert!(!finds("systemEventMessage", &event) && !finds("body:apollo", &event));
    assert!(!finds("tea", b"{}") && finds("-tea", b"{}"));
    assert!(!finds("script", &html("<script>script</script>tea")));
}

#[test]
fn mistakes_are_told_with_the_character_where_they_are() {
    for (text, at, part) in [
        ("", 1, "expected a word, a phrase"),
        ("   ", 4, "found the end"),
        ("tea AND", 8, "expected a word, a phrase"),
        ("tea OR OR milk", 8, "found \"OR milk\""),
        ("é (tea", 7, "a closing bracket, found the end"),
        ("tea) milk", 4, "found \") milk\""),
        ("\"tea", 1, "a closing double quote"),
        ("a \"\"", 4, "a letter, a digit or an emoji"),
        ("tea ...", 5, "a letter, a digit or an emoji"),
        ("tea - milk", 5, "a letter, a digit or an emoji"),
        ("*", 1, "a letter, a digit or an emoji"),
        ("te*a", 3, "a star only at the end"),
        ("\"te* milk\"", 4, "a star only at the end"),
        ("sbject:tea", 1, "body, subject, attachment, card or event"),
        ("tea sbject:\"x\"", 5, "body, subject, attachment, card or event"),
        ("subject: tea", 9, "expected a word, a phrase"),
        ("NOT", 4, "expected a word, a phrase"),
    ] {
        let error = text.parse::<Search>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("search: character {at}: ")), "{text}: {error}");
        assert!(error.contains(part), "{text}: {error}");
    }
    let deep = "(".repeat(40) + "a" + &")".repeat(40);
    assert!(deep.parse::<Search>().unwrap_err().to_string().contains("at most 32"));
    assert!(("-".repeat(5000) + "a").parse::<Search>().is_err());
    assert!("a ".repeat(40_000).parse::<Search>().unwrap_err().to_string().contains("64 KiB"));
}

/// Words and signs that mean something, in any order.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "(",
            ")",
            "\"",
            "-",
            "*",
            " ",
            " ",
            " OR ",
            " AND ",
            " NOT ",
            "subject:",
            "a",
            "b",
            "ab",
            "é",
            "会",
            "会议",
            "👍🏽",
            "\u{301}",
            "\u{1e}",
            "ที่",
            "\u{200d}",
            ".",
            "_",
            "ß",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ]
}

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_panics_and_a_search_is_the_same_when_it_is_read_back(text in pieces(), said in pieces()) {
        if let Ok(search) = text.parse::<Search>() {
            let again: Search = search.to_string().parse().map_err(|error| {
                TestCaseError::fail(format!("{search}: {error}"))
            })?;
            let json = body(&said);
            let document = Document::parse(&json).unwrap();
            let found = search.matches(&document);
            prop_assert_eq!(found, again.matches(&document));
            let not: Search = format!("NOT ({search})").parse().unwrap();
            prop_assert_eq!(not.matches(&document), !found);
        }
    }

    #[test]
    fn a_text_is_found_by_itself_and_terms_are_bounded(text in pieces()) {
        let (mut before, mut any) = (0, false);
        tokens(&text, &mut |term, position, _| {
            assert!(!term.is_empty() && term.chars().count() <= MAX_TERM_CHARS + 32);
            assert!(position + 1 >= before);
            (before, any) = (position, true);
        });
        let quoted = text.replace(['"', '*'], " ");
        // A body has no control characters; the search may ask for what they would part.
        let parts = content(&body(&text));
        let is_kept = told(parts.part(Part::Body)) == told(&text);
        if any && is_kept && told(&quoted) == told(&text) {
            prop_assert!(finds(&format!("\"{quoted}\""), &body(&text)), "{:?}", told(&text));
        }
    }
}
