//! Pages with damage in them: what comes in, what goes to quarantine, and from which byte on.

use super::*;
use crate::window::WINDOW_BYTES;

/// A page's damage, written down: `$3` is a good item, `@3` the beginning of one that is not, `;`
/// what separates items, `$e` the page's end. `«…»` goes to quarantine in one piece; `‹…›` is
/// offered whole, for the engine to judge. All else is frame.
const DAMAGE: &[(&str, &str)] = &[
    ("nothing", "$1;$2;$3$e"),
    ("missing closing brace", r#"$1;$2;«@3,"body":{"content":"x"}»;$4;$5$e"#),
    ("and another opening", r#"$1;$2;«{"id":"3","chatId":"19:a"»;$4;$5$e"#),
    ("missing inner brace", r#"$1;$2;«@3,"body":{"content":"x","mentions":[]}»;$4;$5$e"#),
    ("missing bracket", r#"$1;$2;«@3,"mentions":[{"id":"0"}}»;$4;$5$e"#),
    ("missing closing quote", r#"$1;$2;«@3,"chatId":"19:a}»;$4;$5$e"#),
    ("missing opening quote", r#"$1;$2;«@3,"chatId":19:a"}»;$4;$5$e"#),
    ("missing quote of a key", r#"$1;$2;«@3,chatId":"19:a"}»;$4;$5$e"#),
    ("missing comma between items", "$1;$2$3;$4$e"),
    ("missing comma in an item", r#"$1;$2;‹@3"body":{"content":"x"}}›;$4;$5$e"#),
    ("missing colon", r#"$1;$2;‹@3,"subject" null}›;$4;$5$e"#),
    ("missing opening brace", r#"$1;$2;«"id":"3","etag":"3"}»;$4;$5$e"#),
    ("two commas", "$1;$2;;$3;$4$e"),
    ("extra brace behind an item", "$1;$2;$3«}»;$4;$5$e"),
    ("extra brace in an item", r#"$1;$2;«@3,"body":{"content":"x"}},"mentions":[]}»;$4;$5$e"#),
    ("extra opening brace", r#"$1;$2;«@3,"body":{{"content":"x"}}»;$4;$5$e"#),
    ("extra bracket", r#"$1;$2;«@3,"mentions":[]],"body":{}}»;$4;$5$e"#),
    ("garbage between items", "$1;$2;«garbage»;$3;$4$e"),
    ("garbage behind an item", "$1;$2«garbage»;$3;$4$e"),
    ("garbage with quotes and braces", "$1;$2;«x\"{[}\"}{»$3;$4$e"),
    ("a quote in front of an item", r#"$1;$2;«"»$3;$4$e"#),
    ("zeros between items", "$1;$2;«\0\0\0\0»;$3;$4$e"),
    ("zeros in an item", "$1;$2;«@3,\"body\":{\0\0\0\0»;$4;$5$e"),
    ("truncated in a string", r#"$1;$2;«@3,"body":{"con»;$4;$5$e"#),
    ("truncated in an escape", r#"$1;$2;«@3,"body":{"content":"\»;$4;$5$e"#),
    ("truncated behind a colon", r#"$1;$2;«@3,"body":»;$4;$5$e"#),
    ("truncated in a nested array", r#"$1;$2;«@3,"mentions":[»;$4;$5$e"#),
    ("truncated with its comma", r#"$1;$2;«@3,"body":{"content":"x»$4;$5$e"#),
    ("two broken ones alike", r#"$1;«@2,"body":{"content":"x"};@3,"body":{»;$4;$5$e"#),
    ("two broken ones", r#"$1;«@2,"chatId":"19:a};@3,"chatId":"19:a"»;$4;$5$e"#),
    ("two broken ones apart", r#"$1;«@2,"a":"x"»;$3;«@4,"a":"x}»;$5;$6$e"#),
    ("a broken one and an invalid one", r#"$1;«@2,"a":"x"»;‹@3,"a":nul}›;$4;$5$e"#),
    ("broken first item", r#"«@1,"a":"x"»;$2;$3$e"#),
    ("lost quote in the first item", r#"«@1,"a":"x}»;$2;$3$e"#),
    ("broken last item", r#"$1;$2;«@3,"a":"x"$e»"#),
    ("broken first and last item", r#"«@1,"a":{»;$2;$3;«@4,"a":"x$e»"#),
    ("no good item", r#"«@1,"a":"x"$e»"#),
    ("valid with its neighbours", r#"$1;«@2,"mentions":[{"id":"0"}»;$3;$4$e"#),
    ("valid with all", r#"«@1,"mentions":[»$2;$3$e"#),
    ("a page that ends before an item", r#"$1;$2],«"mentions":[1]»};$3;$4$e"#),
    ("a bracket for a comma", "$1;$2]$3;$4$e"),
    ("a colon in front of an item", "$1;$2;«:»$3;$4$e"),
    ("nested items in a valid one", r#"$1;‹@2,"others":[$3;$4],"last":$5}›;$6$e"#),
    ("nested items in an invalid one", r#"$1;«@2,"last":$3,"x":nul,"replies":[»$4;$5]};$6;$7$e"#),
    (
        "an invalid item without any inside",
        r#"$1;$2;‹@3,"x":[1,],"at":[{"id":"0"},{"id":"1"}]}›;$4$e"#,
    ),
];

const END: &str = "],\"@odata.nextLink\":\"n\"}";

/// How the items of a page may open, and what may stand between them.
const BEGINNINGS: [&str; 3] = [
    r##"{"@odata.type":"#microsoft.graph.chatMessage","id":"%","etag":"%""##,
    r#"{"id":"%","etag":"%""#,
    "{\n  \"id\" : \"%\",\n  \"etag\" : \"%\"",
];
const SEPARATORS: [&str; 2] = [",", " ,\r\n\t"];

/// Braces, quotes and whole items in a text are no damage.
const REST: &str =
    r#","body":{"content":"}],{\"id\":\"9\",\"etag\":\"9\"} é😀 \\"},"mentions":[]}"#;

/// A page as written down in [`DAMAGE`], and what is to come of it.
fn damaged(text: &str, start: String, beginning: &str, separator: &str) -> (String, Taken) {
    let (mut page, mut expected) = (start, Taken::default());
    let mut mark = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let start = page.len();
        match character {
            '$' | '@' => {
                let name = characters.next().unwrap().to_string();
                page += &piece(character, &name, beginning);
                if character == '$' && name != "e" && mark.is_none() {
                    expected.offered.push((start as u64, page[start..].to_owned()));
                }
            }
            ';' => page += separator,
            '«' | '‹' => mark = Some(start),
            '»' | '›' => {
                let start = mark.take().unwrap();
                let piece = (start as u64, page[start..].to_owned());
                let list = if character == '»' {
                    &mut expected.quarantined
                } else {
                    &mut expected.offered
                };
                list.push(piece);
            }
            other => page.push(other),
        }
    }
    (page, expected)
}

fn piece(kind: char, name: &str, beginning: &str) -> String {
    match (kind, name) {
        ('$', "e") => END.to_owned(),
        ('$', _) => beginning.replace('%', name) + REST,
        _ => beginning.replace('%', name),
    }
}

#[test]
fn what_is_good_comes_in_and_only_the_rest_is_quarantined() {
    for (name, text) in DAMAGE {
        for beginning in BEGINNINGS {
            for separator in SEPARATORS {
                let start = r#"{"@odata.context":"c","value":["#.to_owned();
                let (page, expected) = damaged(text, start, beginning, separator);
                let mut notes = Notes::default();
                let remarks = notes.read(page.as_bytes());
                assert_eq!(notes.taken, expected, "{name}: {page}");
                let told = remarks != Remarks::default();
                assert!(told || expected.quarantined.is_empty(), "{name}: nothing was told");
            }
        }
    }
}

/// Pieces that lie side by side as one, for where the window's end cuts is no promise.
fn joined(pieces: &[(u64, String)]) -> Vec<(u64, String)> {
    let mut joined: Vec<(u64, String)> = Vec::new();
    for (offset, text) in pieces {
        match joined.last_mut() {
            Some((start, last)) if *start + last.len() as u64 == *offset => *last += text,
            _ => joined.push((*offset, text.clone())),
        }
    }
    joined
}

#[test]
fn the_end_of_the_window_makes_no_difference() {
    for (name, text) in DAMAGE {
        let (page, _) = damaged(text, String::new(), BEGINNINGS[0], ",");
        // The window ends at many places of the damage, at others in each case.
        for shift in (name.len()..page.len()).step_by(37) {
            let start = " ".repeat(WINDOW_BYTES - 10 - shift) + r#"{"value":["#;
            let (page, expected) = damaged(text, start, BEGINNINGS[0], ",");
            let mut notes = Notes::default();
            let _remarks = notes.read(page.as_bytes());
            assert_eq!(notes.taken.offered, expected.offered, "{name}, {shift}");
            let quarantined = joined(&notes.taken.quarantined);
            assert_eq!(quarantined, expected.quarantined, "{name}, {shift}");
        }
    }
}

#[test]
fn thousands_of_broken_items_harm_no_good_one() {
    let good = |id: usize| format!(r#"{{"id":"{id}","etag":"{id}"}}"#);
    let broken = |id: usize| format!(r#"{{"id":"{id}","etag":"{id}","body":{{"a":"x"}}"#);
    let items: Vec<_> =
        (0..40_000).map(|id| if id % 2 == 0 { good(id) } else { broken(id) }).collect();
    let mut notes = Notes::default();
    let _remarks = notes.read(format!("[{}]", items.join(",")).as_bytes());
    let whole: Vec<_> = items.iter().step_by(2).collect();
    assert_eq!(notes.documents(), whole);
    assert_eq!(notes.taken.quarantined.len(), 20_000);
}
