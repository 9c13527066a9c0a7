//! Where lines break, in every direction.

use super::*;
use crate::format::pdf::font::{Fonts, Slot};

const COLUMN: Column = Column { left: 10.0, width: 120.0, leading: 13.0, align: Align::Start };

fn set(text: &str, column: Column) -> Vec<Line> {
    let fonts = Fonts::builtin().unwrap();
    let mut shaper = Shaper::new(&fonts);
    let style = Style::new(Slot::Regular, 10.0, Ink::Text);
    paragraph(&mut shaper, (&[Span { text, style }], &[]), column)
}

/// The words of a line from left to right.
fn words(line: &Line) -> Vec<String> {
    line.items.iter().map(|item| item.word.runs.iter().map(|run| &*run.text).collect()).collect()
}

fn right(line: &Line) -> f32 {
    line.items.iter().map(|item| item.x + item.width()).fold(0.0, f32::max)
}

#[test]
fn no_line_is_wider_than_its_column_and_no_text_is_lost() {
    let long = "x".repeat(900);
    let texts = [
        "The quick brown fox jumps over the lazy dog, again and again and again.",
        &long,
        "https://example.com/a/very/long/path?with=parameters&and=more#and-a-fragment-behind-it",
        "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
        "שלום עולם זה משפט ארוך מאוד שצריך כמה שורות כדי להיכנס",
        "👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻",
    ];
    for text in texts {
        let lines = set(text, COLUMN);
        assert!(lines.len() > 1, "{text}");
        for line in &lines {
            assert!(right(line) <= COLUMN.left + COLUMN.width + 0.1, "{text}");
        }
        let mut found: Vec<char> =
            lines.iter().flat_map(words).collect::<String>().chars().collect();
        let mut expected: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
        found.retain(|c| *c != ' ');
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_column_narrower_than_a_letter_ends_too() {
    let lines = set("abc 漢字", Column { width: 1.0, ..COLUMN });
    assert_eq!(lines.len(), 5);
}

#[test]
fn right_to_left_text_leans_right_and_reads_from_there() {
    let lines = set("שלום עולם", COLUMN);
    let words: Vec<String> = words(&lines[0]).into_iter().filter(|word| !word.is_empty()).collect();
    assert_eq!(words, ["עולם", "שלום"]);
    assert!((right(&lines[0]) - (COLUMN.left + COLUMN.width)).abs() < 0.1);
}

#[test]
fn numbers_and_latin_inside_right_to_left_text_keep_their_order() {
    let lines = set("אני abc 12 כן", COLUMN);
    let words: Vec<String> = words(&lines[0]).into_iter().filter(|word| !word.is_empty()).collect();
    assert_eq!(words, ["כן", "abc", "12", "אני"]);
}

#[test]
fn line_ends_are_kept_and_empty_lines_have_a_height() {
    let lines = set("a\n\nb", COLUMN);
    let words: Vec<usize> = lines.iter().map(|line| line.items.len()).collect();
    assert_eq!(words, [1, 0, 1]);
    assert!(lines.iter().all(|line| line.height > 10.0));
}

#[test]
fn links_cover_their_words_on_every_line() {
    let fonts = Fonts::builtin().unwrap();
    let mut shaper = Shaper::new(&fonts);
    let style = Style::new(Slot::Regular, 10.0, Ink::Link);
    let link = Style { link: Some(Target::Web("https://example.com/".into())), ..style.clone() };
    let spans = [
        Span { text: "see ", style },
        Span { text: "this page about a great many things", style: link },
    ];
    let lines = paragraph(&mut shaper, (&spans, &[]), COLUMN);
    assert!(lines.len() > 1);
    for line in &lines {
        assert_eq!(line.areas.len(), 1);
        assert!(line.areas[0].width > 10.0 && line.areas[0].width <= COLUMN.width);
    }
}

#[test]
fn words_of_two_lines_or_columns_are_apart() {
    let spaces = |line: &Line| line.items.last().map(|item| item.spaces);
    let mut lines = set("words and words and words", Column { width: 60.0, ..COLUMN });
    assert!(lines.len() > 1, "{}", lines.len());
    let last = lines.pop().unwrap();
    assert!(lines.iter().all(|line| spaces(line) == Some(1)));
    assert_eq!(spaces(&last), Some(0));
    let mut row = last.clone();
    row.join(last);
    let words = row.items.len() / 2;
    assert_eq!(row.items[words - 1].spaces, 1);
}
