//! A column that grows downwards: paragraphs, grounds and bars, one below the other.

use std::fmt::Write as _;
use std::sync::Arc;

use super::line::{Ink, Line, Mark, Reach, Style, Target};
use super::paragraph::{Align, Column, Span, paragraph};
use super::shape::Shaper;
use super::tag::{Elements, Role, Tag};

/// Size of running text, in points.
pub(super) const SIZE: f32 = 9.5;

/// From line to line, as a multiple of the size.
pub(super) const LEADING: f32 = 1.36;

/// Where quotes, lists and code stop to move right: a line keeps at least this width.
const NARROWEST: f32 = 160.0;

/// Lines in the making.
pub(super) struct Flow<'s, 'f> {
    pub(super) shaper: &'s mut Shaper<'f>,
    pub(super) lines: Vec<Line>,
    /// What the lines are of.
    pub(super) elements: Elements,
    left: f32,
    width: f32,
    /// Drawn beside or below every line while they are in force, outermost first.
    backs: Vec<Mark>,
    /// Asked for above the next line.
    gap: f32,
}

impl<'s, 'f> Flow<'s, 'f> {
    pub(super) fn new(shaper: &'s mut Shaper<'f>, left: f32, width: f32) -> Self {
        let (lines, elements) = (Vec::new(), Elements::default());
        Self { shaper, lines, elements, left, width, backs: Vec::new(), gap: 0.0 }
    }

    /// The lines, and what they are of.
    pub(super) fn into_parts(self) -> (Vec<Line>, Elements) {
        (self.lines, self.elements)
    }

    pub(super) fn left(&self) -> f32 {
        self.left
    }

    pub(super) fn width(&self) -> f32 {
        self.width
    }

    /// At least this much room above the next line.
    pub(super) fn gap(&mut self, points: f32) {
        self.gap = self.gap.max(points);
    }

    /// A paragraph in the column.
    pub(super) fn text(&mut self, spans: &[Span<'_>]) {
        self.aligned(spans, Align::Start);
    }

    pub(super) fn aligned(&mut self, spans: &[Span<'_>], align: Align) {
        let size = spans.iter().map(|span| span.style.size).fold(0.0, f32::max);
        let leading = if size > 0.0 { size * LEADING } else { SIZE * LEADING };
        let column = Column { left: self.left, width: self.width, leading, align };
        let paragraph_tag = self.elements.leaf();
        let tags = if spans.iter().any(|span| span.style.link.is_some()) {
            self.link_tags(spans, paragraph_tag)
        } else {
            vec![paragraph_tag]
        };
        let lines = paragraph(self.shaper, (spans, &tags), column);
        self.extend(lines);
    }

    /// An element for each link of a paragraph; a link can have spans of several styles.
    fn link_tags(&mut self, spans: &[Span<'_>], paragraph: Tag) -> Vec<Tag> {
        let mut last = None;
        let mut tags = Vec::with_capacity(spans.len());
        for span in spans {
            let role = match &span.style.link {
                None => None,
                Some(Target::Web(_)) => Some(Role::Link),
                Some(Target::Message(_)) => Some(Role::Reference),
            };
            last = match (role, last) {
                (None, _) => None,
                (Some(_), Some((target, tag))) if target == &span.style.link => Some((target, tag)),
                (Some(role), _) => Some((&span.style.link, self.elements.inside(paragraph, role))),
            };
            tags.push(last.map_or(paragraph, |(_target, tag)| tag));
        }
        tags
    }

    /// Runs `fill` for an element that has others in it.
    pub(super) fn within(&mut self, role: Role, fill: impl FnOnce(&mut Self)) {
        let before = self.elements.open(role, false);
        fill(self);
        self.elements.close(before);
    }

    /// Runs `fill` for an element that has all of its text.
    pub(super) fn only(&mut self, role: Role, fill: impl FnOnce(&mut Self)) {
        let before = self.elements.open(role, true);
        fill(self);
        self.elements.close(before);
    }

    /// A line of the transcript's own, whatever names stand in it.
    pub(super) fn label(&mut self, spans: &[Span<'_>]) {
        self.aligned(spans, Align::Left);
    }

    /// The same in one style.
    pub(super) fn note(&mut self, text: &str, style: &Style) {
        self.label(&[Span { text, style: style.clone() }]);
    }

    /// A paragraph of one style.
    pub(super) fn plain(&mut self, text: &str, style: &Style) {
        self.text(&[Span { text, style: style.clone() }]);
    }

    /// Appends lines made elsewhere for this column.
    pub(super) fn extend(&mut self, lines: Vec<Line>) {
        for mut line in lines {
            line.gap = line.gap.max(std::mem::take(&mut self.gap));
            let marks = self.backs.iter().copied().chain(line.marks);
            line.marks = marks.collect();
            self.lines.push(line);
        }
    }

    /// A thin line across the column.
    pub(super) fn rule(&mut self, above: f32, below: f32) {
        self.gap(above);
        let reach = Reach::At(0.0, 0.5);
        let mark = Mark { x: self.left, width: self.width, ink: Ink::Rule, reach };
        self.extend(vec![Line { height: below, marks: vec![mark], ..Line::default() }]);
    }

    /// Runs `fill` in a column that begins further right.
    pub(super) fn indented(&mut self, by: f32, fill: impl FnOnce(&mut Self)) {
        let (left, width) = (self.left, self.width);
        let by = by.min((width - NARROWEST).max(0.0));
        self.left += by;
        self.width -= by;
        fill(self);
        self.left = left;
        self.width = width;
    }

    /// Runs `fill` beside a bar.
    pub(super) fn barred(&mut self, ink: Ink, fill: impl FnOnce(&mut Self)) {
        self.backs.push(Mark { x: self.left, width: 1.6, ink, reach: Reach::Full });
        self.indented(9.0, fill);
        let _mark = self.backs.pop();
    }

    /// Runs `fill` on a coloured ground.
    pub(super) fn grounded(&mut self, ink: Ink, fill: impl FnOnce(&mut Self)) {
        const PADDING: f32 = 3.0;
        let mark = Mark { x: self.left, width: self.width, ink, reach: Reach::Line };
        let (left, width) = (self.left, self.width);
        self.pad(mark, PADDING);
        // Grounds touch: between lines the gap is coloured, above the first it is not.
        self.backs.push(Mark { reach: Reach::Full, ..mark });
        self.left += 5.0;
        self.width -= 10.0;
        let start = self.lines.len();
        fill(self);
        if let Some([first, rest @ ..]) = self.lines.get_mut(start..) {
            // Neither the first line nor the ground below the last one stands alone.
            first.keep = true;
            if let Some(last) = rest.last_mut() {
                last.keep = true;
            }
        }
        (self.left, self.width) = (left, width);
        let _mark = self.backs.pop();
        self.gap = 0.0;
        self.pad(mark, PADDING);
    }

    fn pad(&mut self, mark: Mark, height: f32) {
        self.extend(vec![Line { height, marks: vec![mark], keep: true, ..Line::default() }]);
    }

    /// The last line must not be parted from what comes next.
    pub(super) fn keep_last(&mut self) {
        if let Some(line) = self.lines.last_mut() {
            line.keep = true;
        }
    }

    /// Lays out in a column of its own, for tables.
    pub(super) fn beside(
        &mut self,
        left: f32,
        width: f32,
        fill: impl FnOnce(&mut Flow<'_, 'f>),
    ) -> Vec<Line> {
        let mut column = Flow::new(self.shaper, left, width);
        column.elements = std::mem::take(&mut self.elements);
        fill(&mut column);
        let Flow { lines, elements, .. } = column;
        self.elements = elements;
        lines
    }
}

/// Text as it can be set: controls become spaces or line ends, tabs four spaces.
pub(super) fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    let is_odd = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(is_odd) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => clean.push_str("    "),
            '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\r' | '\0'..='\u{9}' | '\u{E}'..='\u{1F}' | '\u{7F}' => {}
            c => clean.push(c),
        }
    }
    clean.into()
}

/// Only what a reader may follow: `http`, `https` and `mailto`, in printable ASCII, of sane length.
pub(super) fn safe_url(url: &str) -> Option<Arc<str>> {
    const LONGEST: usize = 2_000;
    let scheme = url.split_once(':').map(|(scheme, _)| scheme)?;
    let is_known =
        ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let is_plain = !url.contains(|c: char| c.is_control() || c.is_whitespace());
    if !is_known || !is_plain || url.len() > LONGEST {
        return None;
    }
    let mut ascii = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '!'..='~' => ascii.push(c),
            other => {
                for byte in other.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a `String` cannot fail.
                    let _written = write!(ascii, "%{byte:02X}");
                }
            }
        }
    }
    Some(ascii.into())
}

#[cfg(test)]
mod tests;
