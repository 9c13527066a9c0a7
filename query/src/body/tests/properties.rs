//! What holds for any body.

use proptest::prelude::*;

use super::*;

/// Tags that have a place in bodies, and some that have none.
const TAGS: [&str; 40] = [
    "p",
    "div",
    "b",
    "i",
    "u",
    "s",
    "sup",
    "strong",
    "em",
    "span",
    "a href=\"https://x.example\"",
    "a",
    "ul",
    "ol",
    "li",
    "table",
    "tbody",
    "tr",
    "td",
    "th",
    "blockquote",
    "h1",
    "h6",
    "code",
    "pre",
    "codeblock",
    "at id=\"0\"",
    "font",
    "center",
    "o:p",
    "svg",
    "iframe",
    "object",
    "textarea",
    "button",
    "noscript",
    "custom-tag",
    "body",
    "dl",
    "label",
];

#[derive(Clone, Debug)]
enum Piece {
    Word,
    Space,
    Break,
    Start(usize),
    End(usize),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        6 => Just(Piece::Word),
        2 => Just(Piece::Space),
        1 => Just(Piece::Break),
        5 => (0..TAGS.len()).prop_map(Piece::Start),
        4 => (0..TAGS.len()).prop_map(Piece::End),
    ]
}

/// The HTML of pieces, and how many words it has: `w0w`, `w1w`, ….
fn html_of(pieces: &[Piece]) -> (String, usize) {
    let (mut html, mut words) = (String::new(), 0);
    for piece in pieces {
        match piece {
            Piece::Word => {
                html.push_str(&["w", &words.to_string(), "w"].concat());
                words += 1;
            }
            Piece::Space => html += " &nbsp;\n",
            Piece::Break => html += "<br>",
            Piece::Start(tag) => html.push_str(&["<", TAGS[*tag], ">"].concat()),
            Piece::End(tag) => {
                let name = TAGS[*tag].split(' ').next().unwrap();
                html.push_str(&["</", name, ">"].concat());
            }
        }
    }
    (html, words)
}

/// The numbers of the words in a text, in its order.
fn words_of(text: &str) -> Vec<usize> {
    let numbers = text.split('w').filter(|part| !part.is_empty());
    numbers.filter_map(|part| part.parse().ok()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_word_is_lost_whatever_tags_are_around(pieces in prop::collection::vec(piece(), 0..60)) {
        let (html, words) = html_of(&pieces);
        let said = said(&html);
        prop_assert_eq!(words_of(&said), (0..words).collect::<Vec<_>>(), "{} {}", html, said);
    }

    #[test]
    fn no_word_is_lost_behind_the_last_node(pieces in prop::collection::vec(piece(), 0..60), max in 0..40_usize) {
        let (html, words) = html_of(&pieces);
        let mut builder = Builder::new(&[], &[], max);
        html::feed(&html, &mut builder);
        let document = builder.finish();
        let said = text(&document, &Message::default());
        prop_assert_eq!(words_of(&said), (0..words).collect::<Vec<_>>(), "{} {}", html, said);
    }

    #[test]
    fn no_source_makes_it_panic_or_lets_an_address_through(
        source in "(<|>|/|\"|'|=|&|;|#|x|a|p|at|img|src|href|javascript:|script|style|!--|\\PC|\u{0}| ){0,80}"
    ) {
        let document = Document::of_html(&source);
        let shown = format!("{document:?}");
        prop_assert!(!shown.contains("url: \"javascript"), "{}", source);
        drop(card_text(&source));
    }

    #[test]
    fn the_fast_way_says_what_the_document_says(
        content in "(<p>|</p>|<div>|</div>| |  |\n|\t|\u{a0}|a|b|ü|&amp;|<|\r\n|\u{1}|。){0,14}",
        kind in 0..3_u8,
    ) {
        let kind = [BodyKind::Text, BodyKind::Html, BodyKind::Markdown][usize::from(kind)];
        let body = crate::message::Body { kind, content: content.as_str().into() };
        let message = Message { body, ..Message::default() };
        prop_assert_eq!(plain_text(&message), text(&Document::of(&message), &message));
    }
}
