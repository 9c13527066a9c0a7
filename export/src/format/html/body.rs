//! What somebody wrote, as HTML of ours.
//!
//! Always holds: the elements are `p br div span strong em u s code pre ul ol li table tbody tr td th
//! blockquote a img` and no others; a link goes to `http`, `https`, `mailto` or a file of the part; an
//! image is a file of the part. Whatever else the writer used was left behind when the
//! [`Document`] was made, which also bounds the depth of the calls here.
//!
//! Mails have a writer of their own (`format/markup.rs`): they want plain elements that every mail
//! program styles, and know no other messages to link to.

use chatvault_query::body::{
    Block, CardPart, Cell, Document, ImageAt, Inline, QuoteKind, QuoteOf, card_parts,
};
use chatvault_query::event::Names;
use chatvault_query::message::{Attachment, Message};

use super::card::{Draft, Hole};
use super::clock;
use super::write::{relative_link, web_link};
use crate::answer::sent_of;
use crate::entry::{Attached, AttachedState, NOT_READ};

/// What a browser may take for an image. No SVG: it is a document, not a picture.
const PICTURES: [&str; 8] = [
    "image/png",
    "image/jpeg",
    "image/jpg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/avif",
    "application/octet-stream",
];

/// Larger than any screen; what asks for more is not believed.
const LARGEST_SIDE: u32 = 8_192;

/// Appends the blocks, then the attachments that the body does not place and no file stands for.
pub(super) fn write(draft: &mut Draft<'_>, message: &Message<'_>, document: &Document) {
    let mut body = Body { draft, message, in_link: false };
    body.blocks(&document.blocks);
    for &index in &document.unplaced {
        if body.draft.entry.file(index).is_none() {
            body.attachment(index);
        }
    }
}

struct Body<'d, 'a, 'm> {
    draft: &'d mut Draft<'a>,
    message: &'m Message<'m>,
    /// Inside a link, where no other link can be.
    in_link: bool,
}

impl Body<'_, '_, '_> {
    fn raw(&mut self, markup: &'static str) {
        self.draft.html.raw(markup);
    }

    fn text(&mut self, text: &str) {
        self.draft.html.text(text);
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

    fn between(&mut self, open: &'static str, inlines: &[Inline], close: &'static str) {
        self.raw(open);
        self.inlines(inlines);
        self.raw(close);
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(inlines) if inlines.is_empty() => self.raw("<p><br></p>"),
            Block::Paragraph(inlines) => self.between("<p>", inlines, "</p>"),
            // No heading: the headings of the page are days and senders.
            Block::Heading(_, inlines) => self.between("<p><strong>", inlines, "</strong></p>"),
            Block::Quote { of, blocks } => self.quote(of.as_ref(), blocks),
            Block::Code { language, text } => self.code(language.as_deref(), text),
            Block::List { ordered: true, items } => self.items("<ol>", items, "</ol>"),
            Block::List { ordered: false, items } => self.items("<ul>", items, "</ul>"),
            Block::Table { rows } => self.table(rows),
            Block::Rule => self.raw("<div class=\"rule\"></div>"),
            Block::Attachment(index) => self.attachment(*index),
        }
    }

    fn quote(&mut self, of: Option<&QuoteOf>, blocks: &[Block]) {
        self.raw("<blockquote>");
        if let Some(of) = of {
            self.quoted(of);
        }
        self.blocks(blocks);
        self.raw("</blockquote>");
    }

    /// Which message is quoted: a link to it when it is of this chat and on these pages.
    fn quoted(&mut self, of: &QuoteOf) {
        self.raw("<div class=\"q\">");
        let names = self.draft.names();
        let known = of.sender_id.as_deref().and_then(|id| names.name(id));
        let sender = of.sender.as_deref().or(known).unwrap_or("an earlier message");
        match (of.kind, of.message.as_deref()) {
            (QuoteKind::Reply, Some(id)) => {
                self.raw("In reply to ");
                self.draft.message_link(id, |draft| {
                    draft.html.text(sender);
                });
            }
            (QuoteKind::Reply, None) => {
                self.raw("In reply to ");
                self.text(sender);
            }
            (QuoteKind::Forward, _) => {
                self.raw("Forwarded from ");
                self.text(of.sender.as_deref().or(known).unwrap_or("another message"));
            }
        }
        if let Some(sent) = of.sent.or_else(|| sent_of(of.message.as_deref()?)) {
            self.raw(", ");
            let zone = self.draft.scene.context.options.zone;
            clock::write_plain_time(&mut self.draft.html, zone, sent);
        }
        self.raw("</div>");
    }

    fn code(&mut self, language: Option<&str>, text: &str) {
        self.raw("<pre>");
        if let Some(language) = language.filter(|language| !language.is_empty()) {
            self.raw("<span class=\"k\">");
            self.text(language);
            self.raw("</span>");
        }
        self.raw("<code>");
        self.text(text);
        self.raw("</code></pre>");
    }

    fn items(&mut self, open: &'static str, items: &[Vec<Block>], close: &'static str) {
        self.raw(open);
        for item in items {
            self.raw("<li>");
            self.tight(item);
            self.raw("</li>");
        }
        self.raw(close);
    }

    /// A single paragraph without its element, as cells and items usually have it.
    fn tight(&mut self, blocks: &[Block]) {
        match blocks {
            [Block::Paragraph(inlines)] => self.inlines(inlines),
            [Block::Paragraph(inlines), rest @ ..] if rest.iter().all(is_list) => {
                self.inlines(inlines);
                self.blocks(rest);
            }
            _ => self.blocks(blocks),
        }
    }

    fn table(&mut self, rows: &[Vec<Cell>]) {
        self.raw("<div class=\"w\"><table><tbody>");
        for row in rows {
            self.raw("<tr>");
            for cell in row {
                self.raw(if cell.header { "<th>" } else { "<td>" });
                self.tight(&cell.blocks);
                self.raw(if cell.header { "</th>" } else { "</td>" });
            }
            self.raw("</tr>");
        }
        self.raw("</tbody></table></div>");
    }

    fn inline(&mut self, inline: &Inline) {
        match inline {
            Inline::Text(text) | Inline::Emoji(text) => self.text(text),
            Inline::Break => self.raw("<br>"),
            Inline::Strong(inner) => self.between("<strong>", inner, "</strong>"),
            Inline::Emphasis(inner) => self.between("<em>", inner, "</em>"),
            Inline::Underline(inner) => self.between("<u>", inner, "</u>"),
            Inline::Strike(inner) => self.between("<s>", inner, "</s>"),
            Inline::Superscript(inner) => self.between("<span class=\"sup\">", inner, "</span>"),
            Inline::Subscript(inner) => self.between("<span class=\"sub\">", inner, "</span>"),
            Inline::CodeSpan(text) => {
                self.raw("<code>");
                self.text(text);
                self.raw("</code>");
            }
            Inline::Link { url, inlines } => {
                let is_open = self.open_link(url);
                self.inlines(inlines);
                self.close_link(is_open);
            }
            Inline::Mention { text, .. } => {
                self.raw("<span class=\"at\">@");
                self.text(text.strip_prefix('@').unwrap_or(text));
                self.raw("</span>");
            }
            Inline::Image { content, name, width, height } => {
                self.image(content, name, [*width, *height]);
            }
        }
    }

    fn open_link(&mut self, url: &str) -> bool {
        let Some(url) = web_link(url).filter(|_| !self.in_link) else { return false };
        self.draft.html.raw("<a").attribute("href", url).raw(" rel=\"noreferrer noopener\">");
        self.in_link = true;
        true
    }

    fn open_file(&mut self, link: &str) -> bool {
        if !self.in_link {
            self.draft.html.raw("<a").attribute("href", link).raw(">");
        }
        !std::mem::replace(&mut self.in_link, true)
    }

    fn close_link(&mut self, is_open: bool) {
        if is_open {
            self.raw("</a>");
            self.in_link = false;
        }
    }

    fn image(&mut self, content: &ImageAt, name: &str, sides: [Option<u32>; 2]) {
        match content {
            ImageAt::Hosted(id) => {
                let found = self.draft.entry.hosted(id);
                match found.and_then(|found| Some((found, self.draft.picture(found)?))) {
                    Some((found, link)) => {
                        self.draft.seen.push(found.attachment.clone());
                        self.picture(&link, (found, name), sides);
                    }
                    None => self.no_image(name, found),
                }
            }
            ImageAt::Remote(url) => {
                self.raw("<span class=\"chip\">");
                let is_open = self.open_link(url);
                self.raw("[image: ");
                self.text(name);
                self.raw("]");
                self.close_link(is_open);
                self.raw(" <span class=\"q\">elsewhere on the web, not loaded</span></span>");
            }
        }
    }

    /// A picture of the part, with what the list of files says of others.
    fn picture(&mut self, link: &str, (file, name): (&Attached, &str), sides: [Option<u32>; 2]) {
        let is_open = self.open_file(link);
        self.raw("<img");
        let html = &mut self.draft.html;
        html.attribute("src", link).attribute("alt", name);
        if let AttachedState::Stored { size, sha256, .. } = &file.state {
            html.raw(" title=\"").text(&file.name).raw(", ").count(*size).raw(" bytes");
            if *sha256 != NOT_READ {
                html.raw(", SHA-256 ").hex(sha256);
            }
            html.raw("\"");
        }
        for (side, pixels) in ["width", "height"].into_iter().zip(sides) {
            if let Some(pixels) = pixels.filter(|pixels| (1..=LARGEST_SIDE).contains(pixels)) {
                self.draft.html.attribute(side, &pixels.to_string());
            }
        }
        self.raw(" loading=\"lazy\">");
        self.close_link(is_open);
    }

    fn no_image(&mut self, name: &str, found: Option<&Attached>) {
        self.raw("<span class=\"chip\">[image: ");
        self.text(name);
        self.raw("]");
        let why = match found.map(|found| &found.state) {
            Some(AttachedState::Stored { .. }) => " <span class=\"q\">listed below</span>",
            Some(AttachedState::Unavailable { .. }) => " <span class=\"q\">unavailable</span>",
            Some(AttachedState::Omitted) => " <span class=\"q\">not part of this export</span>",
            None => " <span class=\"q\">not archived</span>",
        };
        self.raw(why);
        self.raw("</span>");
    }

    /// A card as its text; a file as its name, which is listed with its proof below the text.
    fn attachment(&mut self, index: usize) {
        let message = self.message;
        let Some(attachment) = message.attachments.get(index) else { return };
        let parts = attachment.content.as_deref().map(card_parts).unwrap_or_default();
        if parts.is_empty() {
            self.chip(index, attachment);
            return;
        }
        self.raw("<div class=\"card\"><span class=\"k\">Card</span>");
        // The first line is the title of nearly every card.
        let mut is_title = true;
        for parts in parts.chunk_by(|a, b| is_fact(a) && is_fact(b)) {
            self.card_parts(parts, std::mem::take(&mut is_title));
        }
        self.raw("</div>");
    }

    /// One part, or all of a set of facts.
    fn card_parts(&mut self, parts: &[CardPart], mut is_title: bool) {
        match parts {
            [CardPart::Text(words)] => {
                for line in words.lines() {
                    let is_bold = std::mem::take(&mut is_title);
                    self.raw(if is_bold { "<p><strong>" } else { "<p>" });
                    self.text(line);
                    self.raw(if is_bold { "</strong></p>" } else { "</p>" });
                }
            }
            [CardPart::Button(words, target)] => {
                self.raw("<p>");
                let is_open = target.as_deref().is_some_and(|url| self.open_link(url));
                self.raw("[");
                self.text(words);
                self.raw("]");
                self.close_link(is_open);
                self.raw("</p>");
            }
            facts => {
                self.raw("<table class=\"fact\"><tbody>");
                for part in facts {
                    let CardPart::Fact(name, value) = part else { continue };
                    self.raw("<tr><th>");
                    self.text(name);
                    self.raw("</th><td>");
                    self.text(value);
                    self.raw("</td></tr>");
                }
                self.raw("</tbody></table>");
            }
        }
    }

    /// What is not in the list of files below.
    fn chip(&mut self, index: usize, attachment: &Attachment<'_>) {
        if self.draft.entry.file(index).is_some() {
            return;
        }
        self.raw("<p><span class=\"chip\">");
        let is_open = attachment.url.as_deref().is_some_and(|url| self.open_link(url));
        self.raw("[attachment: ");
        self.text(attachment.name.as_deref().unwrap_or("without a name"));
        self.raw("]");
        self.close_link(is_open);
        self.raw("</span></p>");
    }
}

fn is_fact(part: &CardPart) -> bool {
    matches!(part, CardPart::Fact(..))
}

fn is_list(block: &Block) -> bool {
    matches!(block, Block::List { .. })
}

impl Draft<'_> {
    /// The link to a file of the part, from the page.
    pub(super) fn file_link(&self, file: &Attached) -> Option<String> {
        match &file.state {
            AttachedState::Stored { path: Some(path), .. } => relative_link(&self.scene.up, path),
            _ => None,
        }
    }

    /// The link to a file that can be shown as a picture.
    fn picture(&self, file: &Attached) -> Option<String> {
        let is_picture = PICTURES.iter().any(|kind| file.media_type.eq_ignore_ascii_case(kind));
        is_picture.then(|| self.file_link(file)).flatten()
    }

    /// A link to another message of this chat around what `inside` writes; only its text when the
    /// message is on no page.
    pub(super) fn message_link(&mut self, id: &str, inside: impl FnOnce(&mut Self)) {
        self.html.raw("<a");
        self.hole(Hole::To(id.to_owned()));
        self.html.raw(">");
        inside(self);
        self.html.raw("</a>");
    }
}
