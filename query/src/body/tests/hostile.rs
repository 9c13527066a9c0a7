//! Bodies that were written to break something.

use super::*;

#[test]
fn programs_are_dropped_and_unknown_tags_unwrapped() {
    check(&[
        ("a<script>alert('<p>x</p>')</script>b", "ab"),
        ("a<style>p{color:red}</style>b", "ab"),
        ("a<SCRIPT src=//x.example>x</ScRiPt >b", "ab"),
        ("a<script><!-- </p> --></script>b", "ab"),
        ("<svg><script/>kept<style>no</style></svg>", "kept"),
        ("<svg onload=alert(1)><text>words</text></svg>", "words"),
        ("<iframe src=https://x.example><b>in</b></iframe>out", "in\nout"),
        ("<object data=x><embed src=y>inner</object>", "inner"),
        ("<base href=//x.example><meta http-equiv=refresh content=0><link rel=stylesheet>t", "t"),
        ("<form action=x><input value=secret><button>go</button></form>", "go"),
        ("<textarea><b>t</b></textarea><noscript>n</noscript><template>m</template>", "t\nnm"),
        ("<math><mi>x</mi></math><video><source src=x>v</video>", "xv"),
        ("<p onclick=\"x\" style=\"background:url(//x.example)\">t</p>", "t"),
        ("a<!-- comment <b>x</b> -->b<!doctype html><?php x ?>c", "abc"),
        ("a<![CDATA[hidden]]>b", "ab"),
        ("<script>never closed <p>text", ""),
        ("1 < 2 && 3 > 2 <3", "1 < 2 && 3 > 2 <3"),
        ("a<b", "a"),
        ("a</", "a</"),
        ("</p></div></b>x", "x"),
        ("<plaintext>a</plaintext>b", "a\nb"),
    ]);
}

#[test]
fn control_characters_go_and_bidi_controls_stay() {
    check(&[
        ("a\u{0}b\u{1}c\u{7f}", "abc\u{7f}"),
        ("a\u{b}b\u{c}c", "a b c"),
        ("<p\u{0}>a</p><b\u{0}id=x>b</b>", "a\nb"),
        ("\u{202e}evil\u{202c} \u{2067}x\u{2069}", "\u{202e}evil\u{202c} \u{2067}x\u{2069}"),
        ("<at id=\"0\">A\u{0}nn\n\tX</at>", "@A nn X"),
        ("<img src=x alt=\"a\u{0}\nb\">", "[image: a\u{fffd} b]"),
    ]);
}

fn depth(blocks: &[Block]) -> usize {
    let inside = |block: &Block| match block {
        Block::Quote { blocks, .. } => depth(blocks),
        Block::List { items, .. } => items.iter().map(|item| depth(item)).max().unwrap_or(0),
        Block::Table { rows } => {
            rows.iter().flatten().map(|cell| depth(&cell.blocks)).max().unwrap_or(0)
        }
        _ => 0,
    };
    1 + blocks.iter().map(inside).max().unwrap_or(0)
}

#[test]
fn a_hundred_thousand_nested_tags_are_shallow_and_lose_no_text() {
    for tag in [
        "blockquote",
        "ul",
        "ul><li",
        "ol",
        "li",
        "table",
        "table><tr><td",
        "td",
        "b",
        "div",
        "a href=https://x.example",
        "p",
        "at",
        "code",
        "pre",
        "h1",
        "font",
        "span",
        "emoji alt=x",
        "codeblock",
        "strong itemprop=mri",
        "blockquote itemtype=http://schema.skype.com/Reply",
    ] {
        let html = format!("first {} last", format!("<{tag}>").repeat(100_000));
        let found = Document::of_html(&html);
        assert!(depth(&found.blocks) <= MAX_DEPTH + 3, "{tag}");
        let text = text(&found, &Message::default());
        assert!(text.starts_with("first") && text.ends_with("last"), "{tag}: {text:.50}");
        let name = tag.split(' ').next().unwrap();
        let closed = format!("{html}{} end", format!("</{name}>").repeat(100_000));
        let closed = write::blocks_text(&Document::of_html(&closed).blocks);
        assert!(closed.ends_with("end"), "{tag}");
    }
}

#[test]
fn what_is_nested_too_deep_closes_where_it_should() {
    let deep = MAX_DEPTH + 10;
    let html = format!("{}in{}out", "<blockquote>".repeat(deep), "</blockquote>".repeat(deep));
    let found = blocks(&html);
    assert_eq!(found.last(), Some(&paragraph("out")));
    assert_eq!(found.len(), 2);
}

fn count(blocks: &[Block]) -> usize {
    fn inlines(all: &[Inline]) -> usize {
        let inside = |inline: &Inline| match inline {
            Inline::Strong(inner) | Inline::Emphasis(inner) | Inline::Underline(inner) => {
                inlines(inner)
            }
            Inline::Link { inlines: inner, .. } => inlines(inner),
            _ => 0,
        };
        all.len() + all.iter().map(inside).sum::<usize>()
    }
    let inside = |block: &Block| match block {
        Block::Paragraph(inner) | Block::Heading(_, inner) => inlines(inner),
        Block::Quote { blocks, .. } => count(blocks),
        Block::List { items, .. } => items.iter().map(|item| count(item)).sum(),
        Block::Table { rows } => rows.iter().flatten().map(|cell| 1 + count(&cell.blocks)).sum(),
        _ => 0,
    };
    blocks.len() + blocks.iter().map(inside).sum::<usize>()
}

#[test]
fn megabytes_of_anything_stay_small_and_complete() {
    for (piece, bytes) in [
        ("<p>x", 10_000_000),
        ("<br>", 1_000_000),
        ("<b><i><u><p>x", 1_000_000),
        ("<li>x", 1_000_000),
        ("<td>x", 1_000_000),
        ("<blockquote>x</blockquote>", 1_000_000),
        ("<at id=0>x</at>", 1_000_000),
        ("&amp;", 1_000_000),
        ("x ", 1_000_000),
        ("<a href=https://x.example/>x</a>", 1_000_000),
        ("<attachment id=x></attachment>", 1_000_000),
        ("<hr>", 1_000_000),
        ("<img src=x>", 1_000_000),
        ("<emoji alt=x>", 1_000_000),
        ("<pre>x</pre>", 1_000_000),
        ("\n", 1_000_000),
        ("<", 1_000_000),
        ("&", 1_000_000),
        ("</p>", 1_000_000),
        ("<!--", 1_000_000),
        ("<code>x</code>", 1_000_000),
    ] {
        let repeats = bytes / piece.len();
        let html = format!("{}<p>the end</p>", piece.repeat(repeats));
        let document = Document::of_html(&html);
        assert!(count(&document.blocks) <= MAX_NODES + 200, "{piece}");
        let text = text(&document, &Message::default());
        let is_comment = piece == "<!--";
        assert!(is_comment || text.ends_with("the end"), "{piece}");
        assert!(text.len() <= html.len() * 3, "{piece}: {}", text.len());
    }
}

#[test]
fn a_long_address_is_not_copied_into_every_paragraph() {
    let url = format!("https://x.example/{}", "a".repeat(1_000_000));
    let html = format!("<a href=\"{url}\">{}", "<p>x".repeat(50_000));
    let document = Document::of_html(&html);
    let held = |block: &Block| match block {
        Block::Paragraph(inlines) => inlines
            .iter()
            .map(|inline| if let Inline::Link { url, .. } = inline { url.len() } else { 0 })
            .sum::<usize>(),
        _ => 0,
    };
    assert!(document.blocks.iter().map(held).sum::<usize>() < 20_000_000);
    let said = text(&document, &Message::default());
    assert_eq!(said.matches("https://").count(), 1, "a link over many paragraphs says it once");
    assert_eq!(said.matches('x').count(), 50_000 + url.matches('x').count());
}

#[test]
fn many_attachments_in_many_places_take_linear_time() {
    let attachments: Vec<Value> = (0..20_000)
        .map(|n| json!({"id": format!("a{n}"), "contentType": "reference", "name": "f"}))
        .collect();
    let places: Vec<String> =
        (0..20_000).map(|n| format!("<attachment id=\"a{n}\"></attachment>")).collect();
    let html = places.concat();
    let json = message_json(&html, &Value::Array(attachments));
    let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
    let message = Message::of(&stored);
    let document = Document::of(&message);
    assert_eq!((document.blocks.len(), document.unplaced.len()), (20_000, 0));
}

#[test]
fn a_large_card_is_not_repeated_by_its_tags() {
    let card = json!({"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "w".repeat(100_000)}]});
    let attachments = json!([{"id": "C", "content": card.to_string(),
        "contentType": "application/vnd.microsoft.card.adaptive"}]);
    let html = "<attachment id=\"C\"></attachment>".repeat(10_000);
    assert!(said_with(&html, &attachments).len() < 300_000);
}

#[test]
fn plain_text_of_many_lines_is_bounded_and_complete() {
    let content = "line\n".repeat(300_000) + "the end";
    let message = Message {
        body: crate::message::Body { kind: BodyKind::Text, content: content.clone().into() },
        ..Message::default()
    };
    let document = Document::of(&message);
    assert!(count(&document.blocks) <= MAX_NODES + 10);
    assert_eq!(text(&document, &message), content);
}
