//! A body's blocks as lines: paragraphs, quotes, code, lists, tables, cards, pictures.
//!
//! Nesting costs at most [`DEEPEST`] levels; what lies deeper is set at that level's place.

use chatvault_query::body::{
    Block, Cell, ImageAt, Inline, QuoteKind, QuoteOf, card_parts, hidden_address,
};
use chatvault_query::message::Message;

use super::card;
use super::entry::Measure;
use super::flow::{Flow, clean, safe_url};
use super::font::Slot;
use super::line::{Ink, Line, Mark, Picture, Reach, Style, Target};
use super::paragraph::{Align, Span};
use super::tag::{Role, Tag};
use crate::answer::sent_of;
use crate::entry::{AttachedState, Context, Entry};

/// Deeper blocks and inlines are not followed.
const DEEPEST: u8 = 48;

/// The largest size in which a picture is shown, in points.
const LARGEST_PICTURE: (f32, f32) = (320.0, 280.0);

/// The least width of a column.
const NARROWEST: f32 = 38.0;

/// A table with more columns is set as lines.
const MOST_COLUMNS: usize = 9;

/// What blocks are made with.
pub(super) struct Writer<'a> {
    pub(super) message: &'a Message<'a>,
    pub(super) entry: &'a Entry,
    pub(super) context: &'a Context<'a>,
    /// The size in points in which a stored picture can be shown, or none if it cannot.
    pub(super) measure: Measure<'a>,
}

/// A stretch of a paragraph: text, or a picture that stands for itself.
enum Stretch {
    Text(String, Style),
    /// With what it is called.
    Picture(Picture, String),
}

impl Writer<'_> {
    pub(super) fn blocks(
        &self,
        flow: &mut Flow<'_, '_>,
        blocks: &[Block],
        style: &Style,
        deep: u8,
    ) {
        if deep > DEEPEST {
            return;
        }
        for block in blocks {
            self.block(flow, block, style, deep);
        }
    }

    fn block(&self, flow: &mut Flow<'_, '_>, block: &Block, style: &Style, deep: u8) {
        match block {
            Block::Paragraph(inlines) => {
                flow.gap(2.0);
                self.inlines(flow, inlines, style);
            }
            Block::Heading(level, inlines) => {
                flow.gap(4.0);
                let mut style = style.clone().bold();
                style.size += f32::from(4_u8.saturating_sub(*level)) * 0.8;
                flow.only(Role::Subheading, |flow| self.inlines(flow, inlines, &style));
                flow.keep_last();
            }
            Block::Quote { of, blocks } => flow.within(Role::Quote, |flow| {
                self.quote(flow, of.as_ref(), blocks, (style, deep));
            }),
            Block::Code { text, .. } => code(flow, text),
            Block::List { ordered, items } => flow.within(Role::List, |flow| {
                self.list(flow, *ordered, items, (style, deep));
            }),
            Block::Table { rows } => self.table(flow, rows, (style, deep)),
            Block::Rule => flow.rule(4.0, 4.0),
            Block::Attachment(index) => self.attachment(flow, *index, style),
        }
    }

    fn quote(
        &self,
        flow: &mut Flow<'_, '_>,
        of: Option<&QuoteOf>,
        blocks: &[Block],
        (style, deep): (&Style, u8),
    ) {
        flow.gap(3.0);
        let mut quoted = style.clone();
        quoted.ink = Ink::Muted;
        flow.barred(Ink::Rule, |flow| {
            if let Some(of) = of {
                let name = of.sender.as_deref().unwrap_or("an earlier message");
                let mut small = quoted.clone();
                small.size *= 0.86;
                let sent = of.sent.or_else(|| sent_of(of.message.as_deref()?));
                let sent = sent.map(|sent| self.context.options.zone.show(sent));
                let sent = sent.map(|sent| format!(", {sent}")).unwrap_or_default();
                let verb = match of.kind {
                    QuoteKind::Reply => "In reply to",
                    QuoteKind::Forward => "Forwarded from",
                };
                small.link =
                    of.message.as_deref().and_then(|id| id.parse().ok()).map(Target::Message);
                flow.note(&clean(&format!("{verb} {name}{sent}")), &small);
                flow.keep_last();
            }
            self.blocks(flow, blocks, &quoted, deep + 1);
        });
        flow.gap(3.0);
    }

    fn list(
        &self,
        flow: &mut Flow<'_, '_>,
        ordered: bool,
        items: &[Vec<Block>],
        (style, deep): (&Style, u8),
    ) {
        for (number, item) in items.iter().enumerate() {
            flow.gap(1.5);
            let label = if ordered { format!("{}.", number + 1) } else { "\u{2022}".to_owned() };
            let (left, indent) = (flow.left(), if ordered { 18.0 } else { 11.0 });
            let span = [Span { text: &label, style: style.clone() }];
            let (mut marker, first) = (Vec::new(), flow.lines.len());
            flow.within(Role::Item, |flow| {
                flow.only(Role::Label, |flow| {
                    marker = flow.beside(left, indent, |flow| flow.text(&span));
                });
                flow.within(Role::Body, |flow| {
                    flow.indented(indent, |flow| self.blocks(flow, item, style, deep + 1));
                });
            });
            match (flow.lines.get_mut(first), marker.into_iter().next()) {
                (Some(line), Some(marker)) => line.join(marker),
                (None, Some(marker)) => flow.extend(vec![marker]),
                _ => {}
            }
        }
    }

    fn table(&self, flow: &mut Flow<'_, '_>, rows: &[Vec<Cell>], (style, deep): (&Style, u8)) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths = column_widths(rows, columns, flow.width());
        if columns > MOST_COLUMNS || widths.iter().sum::<f32>() > flow.width() + 0.5 {
            return self.rows_as_lines(flow, rows, (style, deep));
        }
        flow.within(Role::Table, |flow| self.rows(flow, rows, &widths, (style, deep)));
        flow.rule(2.0, 3.0);
    }

    fn rows(
        &self,
        flow: &mut Flow<'_, '_>,
        rows: &[Vec<Cell>],
        widths: &[f32],
        (style, deep): (&Style, u8),
    ) {
        let (left, width) = (flow.left(), flow.width());
        let mut style = style.clone();
        style.size *= 0.92;
        flow.gap(3.0);
        for row in rows {
            let mut lines = Vec::new();
            flow.within(Role::Row, |flow| lines = self.row(flow, row, widths, (&style, deep)));
            let reach = Reach::At(0.0, 0.5);
            let rule = Mark { x: left, width, ink: Ink::Rule, reach };
            flow.extend(vec![Line {
                height: 2.0,
                marks: vec![rule],
                keep: true,
                ..Line::default()
            }]);
            flow.extend(lines);
            flow.gap(2.0);
        }
    }

    /// The lines of a row: the first line of each cell beside one another, then the second, …
    fn row(
        &self,
        flow: &mut Flow<'_, '_>,
        row: &[Cell],
        widths: &[f32],
        (style, deep): (&Style, u8),
    ) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let mut left = flow.left();
        for (cell, width) in row.iter().zip(widths) {
            let style = if cell.header { style.clone().bold() } else { style.clone() };
            let role = if cell.header { Role::HeaderCell } else { Role::Cell };
            let column = flow.beside(left + 2.0, width - 6.0, |flow| {
                flow.within(role, |flow| self.blocks(flow, &cell.blocks, &style, deep + 1));
            });
            let mut column = column.into_iter();
            for (line, other) in lines.iter_mut().zip(column.by_ref()) {
                line.join(other);
            }
            lines.extend(column);
            left += width;
        }
        for line in &mut lines {
            line.gap = 0.0;
            line.keep = false;
        }
        lines
    }

    fn rows_as_lines(
        &self,
        flow: &mut Flow<'_, '_>,
        rows: &[Vec<Cell>],
        (style, deep): (&Style, u8),
    ) {
        for (number, row) in rows.iter().enumerate() {
            flow.gap(3.0);
            let mut small = style.clone();
            small.ink = Ink::Muted;
            flow.note(&format!("Row {}", number + 1), &small);
            flow.keep_last();
            flow.barred(Ink::Rule, |flow| {
                for cell in row {
                    self.blocks(flow, &cell.blocks, style, deep + 1);
                }
            });
        }
    }

    /// What the body places here: a card's words, or that a file belongs here.
    pub(super) fn attachment(&self, flow: &mut Flow<'_, '_>, index: usize, style: &Style) {
        let Some(attachment) = self.message.attachments.get(index) else { return };
        let parts = attachment.content.as_deref().map(card_parts).unwrap_or_default();
        card::write(flow, &parts, style);
    }

    fn inlines(&self, flow: &mut Flow<'_, '_>, inlines: &[Inline], style: &Style) {
        let mut stretches = Vec::new();
        self.gather(inlines, style, 0, &mut stretches);
        let is_picture = |stretch: &Stretch| matches!(stretch, Stretch::Picture(..));
        let mut is_behind_picture = false;
        for group in stretches.chunk_by(|a, b| !is_picture(a) && !is_picture(b)) {
            if let [Stretch::Picture(picture, name)] = group {
                show(flow, picture.clone(), name);
                is_behind_picture = true;
                continue;
            }
            let mut spans: Vec<Span<'_>> = group.iter().filter_map(Stretch::span).collect();
            if let Some(first) = spans.first_mut().filter(|_| is_behind_picture) {
                first.text = first.text.trim_start_matches(' ');
            }
            if spans.iter().any(|span| !span.text.is_empty()) {
                flow.text(&spans);
            }
            is_behind_picture = false;
        }
    }

    fn gather(&self, inlines: &[Inline], style: &Style, deep: u8, out: &mut Vec<Stretch>) {
        if deep > DEEPEST {
            return;
        }
        let text =
            |text: &str, style: &Style| Stretch::Text(clean(text).into_owned(), style.clone());
        for inline in inlines {
            let mut nested = |inlines: &[Inline], style: Style| {
                self.gather(inlines, &style, deep + 1, out);
            };
            match inline {
                Inline::Strong(inlines) => nested(inlines, style.clone().bold()),
                Inline::Emphasis(inlines) => nested(inlines, style.clone().italic()),
                Inline::Underline(inlines) => {
                    nested(inlines, Style { is_underlined: true, ..style.clone() });
                }
                Inline::Strike(inlines) => {
                    nested(inlines, Style { is_struck: true, ..style.clone() });
                }
                Inline::Superscript(inlines) => nested(inlines, style.clone().raised(0.36)),
                Inline::Subscript(inlines) => nested(inlines, style.clone().raised(-0.16)),
                Inline::Link { url, inlines } => {
                    nested(inlines, linked(url, style));
                    // On paper there is nothing to click.
                    if let Some(address) = hidden_address(url, inlines) {
                        let small =
                            Style { size: style.size * 0.86, ink: Ink::Muted, ..style.clone() };
                        out.push(text(&format!(" <{address}>"), &small));
                    }
                }
                Inline::Text(words) | Inline::Emoji(words) => out.push(text(words, style)),
                Inline::Break => out.push(text("\n", style)),
                Inline::CodeSpan(words) => out.push(text(words, &style.clone().mono())),
                Inline::Mention { text: name, .. } => {
                    let name =
                        if name.starts_with('@') { name.clone() } else { format!("@{name}") };
                    out.push(text(&name, &style.clone().bold()));
                }
                Inline::Image { content, name, width, .. } => {
                    out.push(self.image(content, (name, *width), style));
                }
            }
        }
    }

    fn image(&self, at: &ImageAt, (name, wanted): (&str, Option<u32>), style: &Style) -> Stretch {
        let attached = match at {
            ImageAt::Hosted(id) => self.entry.hosted(id),
            ImageAt::Remote(_) => None,
        };
        let words = |note: &str| {
            let name = clean(name).replace('\n', " ");
            Stretch::Text(format!("[image: {name}{note}]"), style.clone())
        };
        match (attached.map(|attached| &attached.state), at) {
            (Some(AttachedState::Stored { address, size, .. }), _)
                if !self.context.options.text_only =>
            {
                match (self.measure)(address, *size) {
                    Some(size) => {
                        let name = clean(name).replace('\n', " ");
                        Stretch::Picture(picture(address, size, wanted), name)
                    }
                    None => words(", not shown here"),
                }
            }
            (Some(AttachedState::Unavailable { .. }), _) => words(", unavailable"),
            (None, ImageAt::Remote(url)) => match safe_url(url) {
                // Never loaded: the reader may follow the link.
                Some(_) => {
                    let Stretch::Text(text, _) = words("") else { return words("") };
                    Stretch::Text(text, linked(url, style))
                }
                None => words(""),
            },
            _ => words(""),
        }
    }
}

impl Stretch {
    fn span(&self) -> Option<Span<'_>> {
        match self {
            Self::Text(text, style) => Some(Span { text, style: style.clone() }),
            Self::Picture(..) => None,
        }
    }
}

pub(super) fn linked(url: &str, style: &Style) -> Style {
    match safe_url(url).map(Target::Web) {
        None => style.clone(),
        link => Style { ink: Ink::Link, link, ..style.clone() },
    }
}

/// Pixels are shown at 96 to the inch, as wide as the body asks, and no larger than the page bears.
#[expect(clippy::cast_precision_loss, reason = "pixels are far below 2^24")]
fn picture(
    address: &chatvault_engine::ContentAddress,
    (width, height): (f32, f32),
    wanted: Option<u32>,
) -> Picture {
    const POINTS_PER_PIXEL: f32 = 0.75;
    let wanted = wanted.filter(|wanted| (8..=4_000).contains(wanted)).map(|wanted| wanted as f32);
    let natural = wanted.unwrap_or(width) * POINTS_PER_PIXEL / width;
    let fit = (LARGEST_PICTURE.0 / width).min(LARGEST_PICTURE.1 / height).min(natural);
    let (width, height) = (width * fit, height * fit);
    Picture { x: 0.0, width, height, address: *address, tag: Tag::default() }
}

fn show(flow: &mut Flow<'_, '_>, mut picture: Picture, name: &str) {
    // The words before a picture are about it.
    flow.keep_last();
    flow.gap(4.0);
    picture.x = flow.left();
    picture.tag = flow.elements.figure(name);
    picture.width = picture.width.min(flow.width());
    let height = picture.height + 2.0;
    flow.extend(vec![Line { height, picture: Some(picture), ..Line::default() }]);
    flow.gap(3.0);
}

/// Code keeps its spaces and lines.
fn code(flow: &mut Flow<'_, '_>, text: &str) {
    let style = Style::new(Slot::Mono, 8.0, Ink::Text);
    let text = clean(text).into_owned();
    flow.gap(3.0);
    flow.grounded(Ink::Shade, |flow| {
        flow.aligned(&[Span { text: text.trim_end_matches('\n'), style }], Align::Start);
    });
    flow.gap(3.0);
}

/// Shares of the width by how much the cells hold, within bounds.
#[expect(clippy::cast_precision_loss, reason = "capped at a few dozen")]
fn column_widths(rows: &[Vec<Cell>], columns: usize, width: f32) -> Vec<f32> {
    const LEAST: usize = 5;
    const MOST: usize = 40;
    let mut weights = vec![LEAST; columns];
    for row in rows {
        for (weight, cell) in weights.iter_mut().zip(row) {
            *weight = (*weight).max(blocks_length(&cell.blocks, 0).min(MOST));
        }
    }
    let total: usize = weights.iter().sum::<usize>().max(1);
    let spare = (width - NARROWEST * columns as f32).max(0.0);
    weights.iter().map(|weight| NARROWEST + spare * *weight as f32 / total as f32).collect()
}

/// About how many characters blocks hold; counting stops early.
fn blocks_length(blocks: &[Block], deep: u8) -> usize {
    const ENOUGH: usize = 8;
    if deep > 4 {
        return 0;
    }
    let of = |block: &Block| match block {
        Block::Paragraph(inlines) | Block::Heading(_, inlines) => inlines_length(inlines, deep),
        Block::Quote { blocks, .. } => blocks_length(blocks, deep + 1),
        Block::Code { text, .. } => text.len(),
        _ => ENOUGH,
    };
    blocks.iter().take(ENOUGH).map(of).max().unwrap_or(0)
}

fn inlines_length(inlines: &[Inline], deep: u8) -> usize {
    const ENOUGH: usize = 16;
    if deep > 8 {
        return 0;
    }
    let of = |inline: &Inline| match inline {
        Inline::Text(text) | Inline::CodeSpan(text) | Inline::Emoji(text) => text.len(),
        Inline::Mention { text, .. } => text.len() + 1,
        Inline::Strong(inlines)
        | Inline::Emphasis(inlines)
        | Inline::Underline(inlines)
        | Inline::Strike(inlines)
        | Inline::Superscript(inlines)
        | Inline::Subscript(inlines)
        | Inline::Link { inlines, .. } => inlines_length(inlines, deep + 1),
        Inline::Image { .. } => 12,
        Inline::Break => 0,
    };
    inlines.iter().take(ENOUGH).map(of).sum()
}
