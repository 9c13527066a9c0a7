//! A body as HTML that is safe to open: for mails and for pages.
//!
//! Always holds: every tag and attribute comes from the tables here, every text and every attribute
//! value is escaped, so nothing that somebody wrote becomes markup. Links go to `http`, `https` and
//! `mailto` only. Nothing remote is ever loaded: an image has the address that [`Places`] gives for
//! its stored content, or it is shown as its name.
//!
//! The depth of a [`Document`] is bounded where it is made, and so is the depth of calls here.

use std::borrow::Cow;

use chatvault_query::body::{
    Block, Cell, Document, ImageAt, Inline, QuoteKind, QuoteOf, card_text,
};
use chatvault_query::message::{Attachment, Message};

/// Where the page that is written finds what a body names.
pub(crate) trait Places {
    /// The address of an inline content's bytes; `None`: it is not here.
    fn hosted(&self, id: &str) -> Option<Cow<'_, str>>;

    /// The address of the bytes of `attachments[index]`; `None`: they are not a file beside the page.
    fn file(&self, index: usize) -> Option<Cow<'_, str>>;
}

/// [`Places`] where nothing is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nowhere;

impl Places for Nowhere {
    fn hosted(&self, _id: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn file(&self, _index: usize) -> Option<Cow<'_, str>> {
        None
    }
}

/// Appends a body as HTML: its blocks, then what it does not place.
pub(crate) fn write_body(
    document: &Document,
    message: &Message<'_>,
    places: &dyn Places,
    out: &mut String,
) {
    let mut writer = Writer { message, places, out };
    writer.blocks(&document.blocks);
    document.unplaced.iter().for_each(|&index| writer.attachment(index));
}

/// Whether a body has more to show than paragraphs of text.
pub(crate) fn is_rich(document: &Document) -> bool {
    let is_plain =
        |inline: &Inline| matches!(inline, Inline::Text(_) | Inline::Break | Inline::Emoji(_));
    document.blocks.iter().any(|block| match block {
        Block::Paragraph(inlines) => !inlines.iter().all(is_plain),
        _ => true,
    })
}

/// What becomes of each byte: kept (0), dropped (1), or the number of a replacement.
const FATE: [u8; 256] = {
    let mut fate = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        fate[byte] = 1;
        byte += 1;
    }
    fate[0x7f] = 1;
    fate[b'\t' as usize] = 0;
    fate[b'\n' as usize] = 0;
    fate[b'&' as usize] = 2;
    fate[b'<' as usize] = 3;
    fate[b'>' as usize] = 4;
    fate[b'"' as usize] = 5;
    fate[b'\'' as usize] = 6;
    fate
};

/// Appends a text, escaped for text and for quoted attributes; control characters are no text in HTML.
pub(crate) fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| FATE[usize::from(byte)] != 0) {
        // Only ASCII has a fate, so both cuts are on character bounds.
        let (kept, tail) = rest.split_at(at);
        out.push_str(kept);
        let mut tail = tail.chars();
        out.push_str(match tail.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('"') => "&quot;",
            Some('\'') => "&#39;",
            _ => "",
        });
        rest = tail.as_str();
    }
    out.push_str(rest);
}

/// Whether a link may go there: `http`, `https` and `mailto` only.
pub(crate) fn is_safe_link(url: &str) -> bool {
    let starts = |scheme: &str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    ["http://", "https://", "mailto:"].into_iter().any(starts) && !url.chars().any(char::is_control)
}

struct Writer<'a> {
    message: &'a Message<'a>,
    places: &'a dyn Places,
    out: &'a mut String,
}

impl Writer<'_> {
    fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    fn text(&mut self, text: &str) {
        escape(text, self.out);
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            self.block(block);
        }
    }

    fn inlines(&mut self, inlines: &[Inline]) {
        for inline in inlines {
            self.inline(inline);
        }
    }

    /// What `inside` writes, between the tags of one element.
    fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.raw("<");
        self.raw(name);
        self.raw(">");
        inside(self);
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    fn block(&mut self, block: &Block) {
        match block {
            // A paragraph without text is a blank line; browsers would show nothing for it.
            Block::Paragraph(inlines) if inlines.is_empty() => self.raw("<p><br></p>"),
            Block::Paragraph(inlines) => self.element("p", |to| to.inlines(inlines)),
            Block::Heading(level, inlines) => {
                const NAMES: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];
                let at = usize::from(level.saturating_sub(1));
                self.element(NAMES.get(at).unwrap_or(&"h6"), |to| to.inlines(inlines));
            }
            Block::Quote { of, blocks } => self.element("blockquote", |to| {
                if let Some(of) = of {
                    to.quoted_from(of);
                }
                to.blocks(blocks);
            }),
            Block::Code { text, .. } => {
                self.element("pre", |to| to.element("code", |to| to.text(text)));
            }
            Block::List { ordered, items } => self.list(*ordered, items),
            Block::Table { rows } => self.element("table", |to| to.rows(rows)),
            Block::Rule => self.raw("<hr>"),
            Block::Attachment(index) => self.attachment(*index),
        }
        self.raw("\n");
    }

    /// Whose words a quote is.
    fn quoted_from(&mut self, of: &QuoteOf) {
        let sender = of.sender.as_deref().unwrap_or_default();
        let label = match of.kind {
            QuoteKind::Reply => "",
            QuoteKind::Forward if sender.is_empty() => "Forwarded",
            QuoteKind::Forward => "Forwarded: ",
        };
        if label.is_empty() && sender.is_empty() {
            return;
        }
        self.element("p", |to| {
            to.element("cite", |to| {
                to.raw(label);
                to.text(sender);
            });
        });
        self.raw("\n");
    }

    fn list(&mut self, ordered: bool, items: &[Vec<Block>]) {
        self.element(if ordered { "ol" } else { "ul" }, |to| {
            for item in items {
                to.element("li", |to| to.blocks(item));
            }
        });
    }

    fn rows(&mut self, rows: &[Vec<Cell>]) {
        for row in rows {
            self.element("tr", |to| row.iter().for_each(|cell| to.cell(cell)));
        }
    }

    fn cell(&mut self, cell: &Cell) {
        self.element(if cell.header { "th" } else { "td" }, |to| to.blocks(&cell.blocks));
    }

    fn inline(&mut self, inline: &Inline) {
        match inline {
            Inline::Text(text) | Inline::Emoji(text) => self.text(text),
            Inline::Break => self.raw("<br>\n"),
            Inline::Strong(inner) => self.element("strong", |to| to.inlines(inner)),
            Inline::Emphasis(inner) => self.element("em", |to| to.inlines(inner)),
            Inline::Underline(inner) => self.element("u", |to| to.inlines(inner)),
            Inline::Strike(inner) => self.element("s", |to| to.inlines(inner)),
            Inline::Superscript(inner) => self.element("sup", |to| to.inlines(inner)),
            Inline::Subscript(inner) => self.element("sub", |to| to.inlines(inner)),
            Inline::CodeSpan(text) => self.element("code", |to| to.text(text)),
            Inline::Link { url, inlines } => self.link(url, |to| to.inlines(inlines)),
            Inline::Mention { text, .. } => self.mention(text),
            Inline::Image { content, name, width, height } => {
                self.image(content, name, [*width, *height]);
            }
        }
    }

    fn mention(&mut self, text: &str) {
        self.element("strong", |to| {
            to.raw("@");
            to.text(text);
        });
    }

    fn link(&mut self, url: &str, inside: impl FnOnce(&mut Self)) {
        if !is_safe_link(url) {
            return inside(self);
        }
        self.anchor(url, inside);
    }

    fn anchor(&mut self, address: &str, inside: impl FnOnce(&mut Self)) {
        self.raw("<a href=\"");
        self.text(address);
        self.raw("\" rel=\"noreferrer\">");
        inside(self);
        self.raw("</a>");
    }

    fn image(&mut self, content: &ImageAt, name: &str, size: [Option<u32>; 2]) {
        let places = self.places;
        let found = match content {
            ImageAt::Hosted(id) => places.hosted(id),
            ImageAt::Remote(_) => None,
        };
        let Some(address) = found else { return self.image_name(content, name) };
        self.raw("<img src=\"");
        self.text(&address);
        self.raw("\" alt=\"");
        self.text(name);
        self.raw("\"");
        for (side, pixels) in ["width", "height"].into_iter().zip(size) {
            if let Some(pixels) = pixels {
                self.raw(&format!(" {side}=\"{pixels}\""));
            }
        }
        self.raw(">");
    }

    /// An image that is not here, or must not be loaded.
    fn image_name(&mut self, content: &ImageAt, name: &str) {
        let inside = |to: &mut Self| {
            to.raw("[image: ");
            to.text(name);
            to.raw("]");
        };
        match content {
            ImageAt::Remote(url) => self.link(url, inside),
            ImageAt::Hosted(_) => inside(self),
        }
    }

    fn attachment(&mut self, index: usize) {
        let message = self.message;
        let Some(attachment) = message.attachments.get(index) else { return };
        let card = attachment.content.as_deref().map(card_text).filter(|text| !text.is_empty());
        match card {
            Some(text) => self.card(&text),
            None => self.element("p", |to| to.file(index, attachment)),
        }
        self.raw("\n");
    }

    fn card(&mut self, text: &str) {
        self.raw("<blockquote class=\"card\">");
        for line in text.lines() {
            self.element("p", |to| to.text(line));
        }
        self.raw("</blockquote>");
    }

    fn file(&mut self, index: usize, attachment: &Attachment<'_>) {
        let places = self.places;
        let name = attachment.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let inside = |to: &mut Self| {
            to.raw("[attachment");
            if let Some(name) = name {
                to.raw(": ");
                to.text(name);
            }
            to.raw("]");
        };
        match (places.file(index), attachment.url.as_deref()) {
            (Some(address), _) => self.anchor(&address, inside),
            (None, Some(url)) => self.link(url, inside),
            (None, None) => inside(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bodies with one inline content, `pic`, and one file, the first attachment.
    struct Beside;

    impl Places for Beside {
        fn hosted(&self, id: &str) -> Option<Cow<'_, str>> {
            (id == "pic").then_some(Cow::Borrowed("cid:pic\"<"))
        }

        fn file(&self, index: usize) -> Option<Cow<'_, str>> {
            (index == 0).then_some(Cow::Borrowed("Attachments/a.pdf"))
        }
    }

    fn html(json: &str) -> String {
        let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
        let message = Message::of(&stored);
        let mut out = String::new();
        write_body(&Document::of(&message), &message, &Beside, &mut out);
        out
    }

    fn body(content: &str) -> String {
        let body = serde_json::json!({"contentType": "html", "content": content});
        html(&serde_json::json!({"id": "1", "body": body}).to_string())
    }

    fn inline(inline: Inline) -> String {
        let message = Message::default();
        let document =
            Document { blocks: vec![Block::Paragraph(vec![inline])], unplaced: Vec::new() };
        let mut out = String::new();
        write_body(&document, &message, &Beside, &mut out);
        out
    }

    #[test]
    fn every_inline_has_its_tag() {
        let text = || vec![Inline::Text("a<b".to_owned())];
        for (given, tag) in [
            (Inline::Strong(text()), "strong"),
            (Inline::Emphasis(text()), "em"),
            (Inline::Underline(text()), "u"),
            (Inline::Strike(text()), "s"),
            (Inline::Superscript(text()), "sup"),
            (Inline::Subscript(text()), "sub"),
            (Inline::CodeSpan("a<b".to_owned()), "code"),
        ] {
            assert_eq!(inline(given), format!("<p><{tag}>a&lt;b</{tag}></p>\n"));
        }
    }

    #[test]
    fn an_image_is_its_stored_content_or_its_name() {
        let image = |content| {
            let name = "n\"".to_owned();
            inline(Inline::Image { content, name, width: Some(3), height: None })
        };
        assert_eq!(
            image(ImageAt::Hosted("pic".to_owned())),
            "<p><img src=\"cid:pic&quot;&lt;\" alt=\"n&quot;\" width=\"3\"></p>\n"
        );
        assert_eq!(image(ImageAt::Hosted("gone".to_owned())), "<p>[image: n&quot;]</p>\n");
        let remote = image(ImageAt::Remote("https://example.com/a.png".to_owned()));
        assert!(!remote.contains("<img") && remote.contains("[image: n&quot;]"), "{remote}");
    }

    #[test]
    fn a_link_to_anything_but_the_web_and_mail_is_its_text() {
        for url in
            ["javascript:alert(1)", "data:text/html,x", "file:///etc", "http:/x\n", "ftp://x", ""]
        {
            let link =
                Inline::Link { url: url.to_owned(), inlines: vec![Inline::Text("t".into())] };
            assert_eq!(inline(link), "<p>t</p>\n", "{url}");
        }
        let url = "HTTPS://example.com/?a=1&b=\"2".to_owned();
        let link = Inline::Link { url, inlines: vec![Inline::Text("t".into())] };
        assert_eq!(
            inline(link),
            "<p><a href=\"HTTPS://example.com/?a=1&amp;b=&quot;2\" rel=\"noreferrer\">t</a></p>\n"
        );
    }

    #[test]
    fn blocks_keep_their_structure() {
        let written =
            body("<ul><li>a</li><li>b</li></ul><table><tr><td>c</td></tr></table><pre>x\n y</pre>");
        for part in ["<ul><li>", "</li></ul>", "<table><tr><td>", "</td></tr></table>", "x\n y"] {
            assert!(written.contains(part), "{part}: {written}");
        }
    }

    #[test]
    fn files_and_cards_are_shown_where_they_are_or_behind_the_body() {
        let written = html(
            r#"{"id":"1","body":{"contentType":"html","content":"<p>x</p>"},"attachments":[
            {"id":"f","contentType":"reference","contentUrl":"https://example.com/b","name":"<a>.pdf"},
            {"id":"g","contentType":"reference","contentUrl":"https://example.com/b","name":"b"},
            {"id":"c","contentType":"application/vnd.microsoft.card.hero","content":"{\"title\":\"T & t\"}"}]}"#,
        );
        assert!(written.contains("<a href=\"Attachments/a.pdf\""), "{written}");
        assert!(written.contains("[attachment: &lt;a&gt;.pdf]"), "{written}");
        assert!(written.contains("<a href=\"https://example.com/b\""), "{written}");
        assert!(written.contains("T &amp; t"), "{written}");
    }

    #[test]
    fn only_paragraphs_of_text_are_not_rich() {
        let rich = |content: &str| {
            let body = serde_json::json!({"contentType": "html", "content": content});
            let json = serde_json::json!({"id": "1", "body": body}).to_string();
            let stored = chatvault_engine::Document::parse(json.as_bytes()).unwrap();
            is_rich(&Document::of(&Message::of(&stored)))
        };
        assert!(!rich("<p>a<br>b</p><p>c</p>"));
        assert!(rich("<p>a <b>c</b></p>") && rich("<ul><li>a</li></ul>"));
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in "(\\PC|[<>&\"'=/]|<script>|<img src=x onerror=y>){0,60}") {
            for made in [
                inline(Inline::Text(text.clone())),
                inline(Inline::Mention { mention: None, text: text.clone() }),
                inline(Inline::CodeSpan(text.clone())),
            ] {
                let inside = made
                    .replace("<p>", "").replace("</p>", "")
                    .replace("<strong>", "").replace("</strong>", "")
                    .replace("<code>", "").replace("</code>", "");
                prop_assert!(!inside.contains(['<', '>', '"', '\'']), "{made}");
            }
        }
    }
}
