//! Paragraphs, lists, tables, code and quotes.

use super::*;

#[test]
fn paragraphs_and_white_space_read_as_in_a_browser() {
    check(&[
        ("", ""),
        ("plain", "plain"),
        ("<p>one</p>", "one"),
        ("<div><div>Test</div></div>", "Test"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<div>a\n  b\t c</div>\n<div>d</div>", "a b c\nd"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<div>a<br>\n</div><div>b</div>", "a\nb"),
        ("<p>a</p>\n<p>&nbsp;</p>\n<p>b</p>", "a\n\nb"),
        ("<p>a</p><p><br></p><p>b</p>", "a\n\nb"),
        ("<p></p><p>&nbsp;</p><p>a</p><p>&nbsp;</p>", "a"),
        ("a&nbsp; b&nbsp;&nbsp;c", "a b c"),
        ("a <b> b</b> c", "a b c"),
        ("<div itemprop=\"copy-paste-block\">reply 9&nbsp;to</div>", "reply 9 to"),
        ("<systemEventMessage/>", ""),
        ("<p>  lone  </p>", "lone"),
        ("<p>a  b</p>", "a b"),
    ]);
}

#[test]
fn entities_are_decoded_once_in_any_form() {
    check(&[
        ("&lt;b&gt; &amp;lt; &quot;q&quot;", "<b> &lt; \"q\""),
        ("&#65;&#x42;&#X43;&#0068", "ABCD"),
        ("&copy &eacute; &notit; &notin;", "© é ¬it; ∉"),
        ("&unknown; & &; &#; &#x;", "&unknown; & &; &#; &#x;"),
        ("&#0;&#xD800;&#x110000;", "\u{fffd}\u{fffd}\u{fffd}"),
        ("&#128;", "€"),
        ("<p title=\"&lt;p&gt;\">a &#8207;b</p>", "a \u{200f}b"),
    ]);
}

#[test]
fn formats_nest_and_close_by_name() {
    let strong = |inner: Vec<Inline>| Inline::Strong(inner);
    assert_eq!(
        blocks("<p>a <strong>b <em>c</em></strong><u>d</u><s>e</s>x<sup>2</sup><sub>3</sub></p>"),
        [Block::Paragraph(vec![
            plain("a "),
            strong(vec![plain("b "), Inline::Emphasis(vec![plain("c")])]),
            Inline::Underline(vec![plain("d")]),
            Inline::Strike(vec![plain("e")]),
            plain("x"),
            Inline::Superscript(vec![plain("2")]),
            Inline::Subscript(vec![plain("3")]),
        ])]
    );
    // Ends in the wrong order, and a format that goes on in the next paragraph.
    assert_eq!(
        blocks("<p><b>a<i>b</b>c</p><p>d</i>e</p>"),
        [
            Block::Paragraph(vec![
                strong(vec![plain("a"), Inline::Emphasis(vec![plain("b")])]),
                Inline::Emphasis(vec![plain("c")]),
            ]),
            Block::Paragraph(vec![Inline::Emphasis(vec![plain("d")]), plain("e")]),
        ]
    );
    assert_eq!(
        blocks("<b><b>a</b>b</b>c"),
        [Block::Paragraph(vec![strong(vec![plain("ab")]), plain("c")])]
    );
    assert_eq!(
        blocks("<table><tr><td><b>a<td>b</table>c"),
        [
            Block::Table {
                rows: vec![vec![
                    Cell {
                        header: false,
                        blocks: vec![Block::Paragraph(vec![strong(vec![plain("a")])])]
                    },
                    Cell { header: false, blocks: vec![paragraph("b")] },
                ]]
            },
            paragraph("c"),
        ],
        "a format ends with its cell"
    );
}

#[test]
fn headings_rules_and_code_are_blocks() {
    assert_eq!(
        blocks("<h2>Title</h2>text<hr>more"),
        [
            Block::Heading(2, vec![plain("Title")]),
            paragraph("text"),
            Block::Rule,
            paragraph("more"),
        ]
    );
    let code = |language: Option<&str>, text: &str| Block::Code {
        language: language.map(str::to_owned),
        text: text.to_owned(),
    };
    for (html, expected) in [
        (
            "<codeblock class=\"Python\"><code>def f():<br>&nbsp; return 1<br></code></codeblock>",
            code(Some("Python"), "def f():\n  return 1"),
        ),
        ("<pre>\na\n  b\n</pre>", code(None, "a\n  b")),
        (
            "<pre><code class=\"language-rust\">let x = &lt;y&gt;;</code></pre>",
            code(Some("rust"), "let x = <y>;"),
        ),
        ("<pre><div>a</div><div>b<b>c</b></div></pre>", code(None, "a\nbc")),
        ("<pre>a<pre>b</pre>c</pre>", code(None, "abc")),
        (
            "<pre>a <emoji alt=\"👀\"></emoji><img src=\"x\" alt=\"cat\"></pre>",
            code(None, "a 👀[image: cat]"),
        ),
    ] {
        assert_eq!(blocks(html), [expected], "{html}");
    }
    assert_eq!(
        blocks("x <code>a  &lt;b&gt;</code> y"),
        [Block::Paragraph(vec![plain("x "), Inline::CodeSpan("a  <b>".into()), plain(" y")])]
    );
    check(&[("<code>a<br>b</code>", "a\nb"), ("<pre>  </pre>x", "x")]);
}

#[test]
fn lists_keep_their_structure_even_if_tags_are_missing() {
    check(&[
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<ol><li>a<li>b</ol>after", "1. a\n2. b\nafter"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<ul><li>a</li><ul><li>b</li></ul><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<li>alone", "- alone"),
        ("<ul>\n text <li>a</li>\n</ul>", "- text\n- a"),
        ("<ol><li><p>a</p><p>b</p></li><li>c<br>d</li></ol>", "1. a\n  b\n2. c\n  d"),
        ("x<ul></ul>y", "x\ny"),
        ("a</ul></li></ol>b", "a\nb"),
        ("<ul><li>a<blockquote>q<li>deep</blockquote></ul>", "- a\n  > q\n  > - deep"),
    ]);
}

#[test]
fn tables_keep_their_structure_even_if_tags_are_missing() {
    check(&[
        (
            "<table><thead><tr><th>n</th><th>v</th></tr></thead><tbody><tr><td>a</td><td>1</td></tr></tbody></table>",
            "n\tv\na\t1",
        ),
        ("<table><tr><td>a<td>b<tr><td>c</table>d", "a\tb\nc\nd"),
        ("x<table><tr><td></td><td>b</td></tr></table>", "x\n\tb"),
        ("<table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table>", "a b\tc"),
        ("<table>text<tr><td>a</table>", "text\na"),
        ("<td>a</td><td>b</td>", "a\tb"),
        ("<tr><td>a</tr>b", "a\nb"),
        ("<table><tr><td><table><tr><td>i<td>j</table></td><td>k</table>", "i j\tk"),
        ("<table><tr><td><ul><li>a</td><td>b</table>", "- a\tb"),
    ]);
    let Some(Block::Table { rows }) = blocks("<table><tr><th>h</th><td>c</td></table>").pop()
    else {
        panic!("no table");
    };
    assert_eq!(rows[0].iter().map(|cell| cell.header).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_table_with_an_empty_first_cell_keeps_its_columns_in_the_text() {
    let message = Message::default();
    let row = |a: &str, b: &str| {
        [a, b].map(|text| Cell { header: false, blocks: vec![paragraph(text)] }).into()
    };
    let table = Block::Table { rows: vec![row("x", "y"), row("", "b")] };
    let document = Document { blocks: vec![table], unplaced: Vec::new() };
    assert_eq!(text(&document, &message), "x\ty\n\tb");
}

#[test]
fn links_lead_to_pages_and_mailboxes_only() {
    let link = |html: &str| match blocks(html).as_slice() {
        [Block::Paragraph(inlines)] => match inlines.as_slice() {
            [Inline::Link { url, inlines }] => Some((url.clone(), inlines.clone())),
            _ => None,
        },
        _ => None,
    };
    for (href, expected) in [
        ("https://x.example/?a=1&amp;b=2", Some("https://x.example/?a=1&b=2")),
        (" HTTP://X.example/ ", Some("HTTP://X.example/")),
        ("mailto:ann@x.example", Some("mailto:ann@x.example")),
        ("ht\ntps://x.example/a\tb", Some("https://x.example/ab")),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("&#106;avascript:alert(1)", None),
        ("\u{1}javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("vbscript:x", None),
        ("file:///etc/passwd", None),
        ("https:x", None),
        ("//x.example", None),
        ("/page", None),
        ("", None),
    ] {
        let html = format!("<a href=\"{href}\" onclick=\"x()\">text</a>");
        let found = link(&html);
        assert_eq!(found.as_ref().map(|link| link.0.as_str()), expected, "{href}");
        let words = expected.map_or_else(|| "text".to_owned(), |url| format!("text <{url}>"));
        assert_eq!(said(&html), words);
    }
    check(&[
        ("<a href=\"https://x.example/\"></a> y", "https://x.example/ y"),
        (
            "<a href=\"https://a.example/\">a<a href=\"https://b.example/\">b</a>c",
            "a <https://a.example/>b <https://b.example/>c",
        ),
        ("<a href=\"https://x.example/\">x.example</a>", "x.example"),
        ("<a href=\"HTTPS://x.example\">http://x.example/</a>", "http://x.example/"),
        ("<a href=\"mailto:a@x.example\">a@x.example</a>", "a@x.example"),
        (
            "<a href=\"https://phish.example/login\"><b>sign in</b> here</a>",
            "sign in here <https://phish.example/login>",
        ),
        ("<a name=\"x\"></a>y", "y"),
    ]);
}

#[test]
fn mentions_are_names_and_know_whom_they_mean() {
    let mention =
        |mention: Option<usize>, text: &str| Inline::Mention { mention, text: text.into() };
    assert_eq!(
        blocks(
            "<div><at id=\"0\">Ann Grün</at>&nbsp;and <at id=\"7\"></at>, <at id=\"9\">Eve</at></div>"
        ),
        [Block::Paragraph(vec![
            mention(Some(0), "Ann Grün"),
            plain(" and "),
            mention(Some(1), "Bob"),
            plain(", "),
            mention(None, "Eve"),
        ])]
    );
    check(&[
        ("Hello World <at id=\"0\">Jane <b>Smith</b></at>!", "Hello World @Jane Smith!"),
        ("<at id=0>Ann </at>you", "@Ann you"),
        ("<at>@team</at>", "@team"),
        ("<at id=0>Ann<p>not closed</p>", "@Ann\nnot closed"),
        ("<at id=0>Ann<at id=7>Bob</at>", "@Ann@Bob"),
        ("<at id=5></at>x", "x"),
    ]);
}

#[test]
fn emoji_are_text() {
    check(&[
        ("<emoji id=\"1f440_eyes\" alt=\"👀\" title=\"Eyes\"></emoji>", "👀"),
        ("a<emoji title=\"Eyes\"/>b", "aEyesb"),
        (
            "<customemoji id=\"x\" alt=\"teams_logo\" source=\"https://graph.microsoft.com/v1.0/chats/c/messages/1/hostedContents/a/$value\"></customemoji>",
            ":teams_logo:",
        ),
        (
            "<span title=\"Smile\"><img itemscope itemtype=\"http://schema.skype.com/Emoji\" src=\"https://x.example/s.png\" alt=\"🙂\"></span>",
            "🙂",
        ),
        ("<emoji></emoji>x", "x"),
    ]);
}

#[test]
fn pictures_say_where_they_are_and_are_never_loaded() {
    let picture = |html: &str| match blocks(html).as_slice() {
        [Block::Paragraph(inlines)] => match inlines.as_slice() {
            [Inline::Image { content, name, width, height }] => {
                Some((content.clone(), name.clone(), *width, *height))
            }
            _ => None,
        },
        _ => None,
    };
    let hosted = |id: &str| ImageAt::Hosted(id.into());
    let value = "https://graph.microsoft.com/v1.0/chats/19:c@thread.v2/messages/1/hostedContents";
    assert_eq!(
        picture(&format!(
            "<p><img alt=\"\" src=\"{value}/aWQ9eA==/$value\" width=\"424.65\" height=\"250px\"></p>"
        )),
        Some((hosted("aWQ9eA=="), "image".into(), Some(424), Some(250)))
    );
    for (source, expected) in [
        (format!("{value}/a%2Bb/$value"), hosted("a+b")),
        ("../hostedContents/1/$value".to_owned(), hosted("1")),
        (
            "https://x.example/cat.gif".to_owned(),
            ImageAt::Remote("https://x.example/cat.gif".into()),
        ),
        ("data:image/png;base64,AAAA".to_owned(), ImageAt::Remote(String::new())),
        ("file:///etc/passwd".to_owned(), ImageAt::Remote(String::new())),
        ("javascript:x".to_owned(), ImageAt::Remote(String::new())),
        ("mailto:x@x.example".to_owned(), ImageAt::Remote(String::new())),
        (format!("{value}/a/b/$value"), ImageAt::Remote(format!("{value}/a/b/$value"))),
    ] {
        let found = picture(&format!("<img src=\"{source}\" alt=\"a\ncat\" width=\"x\">"));
        assert_eq!(found, Some((expected, "a cat".into(), None, None)), "{source}");
    }
    check(&[
        (
            "see <img src=\"https://x.example/c.png\" title=\"Plan\">",
            "see [image: Plan] <https://x.example/c.png>",
        ),
        ("<img>x", "x"),
    ]);
}

#[test]
fn plain_text_keeps_its_lines_and_spaces() {
    for (content, expected) in [
        ("hello", "hello"),
        ("<p>no markup</p> &amp;", "<p>no markup</p> &amp;"),
        ("a\r\n\r\n  b  c \nd\t\n", "a\n\n  b  c\nd"),
        ("\n\n a\u{0}b\u{1b}c\n", " abc"),
        ("  \n x", " x"),
        ("", ""),
    ] {
        let message = Message {
            body: crate::message::Body { kind: BodyKind::Text, content: content.into() },
            ..Message::default()
        };
        assert_eq!(text(&Document::of(&message), &message), expected, "{content:?}");
        assert_eq!(plain_text(&message), expected, "{content:?}");
    }
}

#[test]
fn markdown_is_read_as_its_html() {
    let source = "# Title\n\nSome **bold** and `code`, <at id=\"0\">Ann</at>\n\n- a\n- b\n\n```rust\nlet x = 1;\n```\n\n| n | v |\n|---|---|\n| a | 1 |\n\n[bad](javascript:x) <script>alert(1)</script>";
    let message = Message {
        body: crate::message::Body { kind: BodyKind::Markdown, content: source.into() },
        ..Message::default()
    };
    let document = Document::of(&message);
    assert_eq!(document.blocks[0], Block::Heading(1, vec![plain("Title")]));
    let code = Block::Code { language: Some("rust".into()), text: "let x = 1;".into() };
    assert_eq!(document.blocks[3], code);
    assert_eq!(
        text(&document, &message),
        "Title\nSome bold and code, @Ann\n- a\n- b\nlet x = 1;\nn\tv\na\t1\nbad"
    );
}

#[test]
fn a_text_that_needs_no_change_is_not_copied() {
    for (kind, content, expected) in [
        (BodyKind::Text, "\n two\nlines\n", " two\nlines"),
        (BodyKind::Html, "<p>Grüße, wie geht's?</p>", "Grüße, wie geht's?"),
        (BodyKind::Html, "<div><div> 5 > 3 </div></div>", "5 > 3"),
    ] {
        let body = crate::message::Body { kind, content: content.into() };
        let message = Message { body, ..Message::default() };
        let plain = plain_text(&message);
        assert!(matches!(plain, std::borrow::Cow::Borrowed(_)), "{content}");
        assert_eq!(plain, expected);
    }
}
