//! Text into lines: where a line may break, in which direction its words run, where each stands.
//!
//! Breaks follow UAX 14 and directions UAX 9. A piece without a break that is wider than the line (a
//! link, base64) is cut between grapheme clusters. Nothing here depends on anything but the text, the
//! fonts and the width, so any thread lays out the same lines.

use std::sync::Arc;

use unicode_bidi::{BidiInfo, Level};
use unicode_linebreak::linebreaks;
use unicode_segmentation::UnicodeSegmentation;

use super::line::{Area, Ink, Item, Line, Mark, Reach, Style, Target};
use super::shape::{Shaper, Word};
use super::tag::Tag;

/// A piece longer than this is shaped in parts, so that no word costs more than a line.
const LONGEST_PIECE: usize = 96;

/// A piece of text in one style. A `\n` in it ends the line.
#[derive(Clone, Debug)]
pub(super) struct Span<'a> {
    pub(super) text: &'a str,
    pub(super) style: Style,
}

/// Where a paragraph goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) left: f32,
    pub(super) width: f32,
    /// From line to line.
    pub(super) leading: f32,
    pub(super) align: Align,
}

/// To which side lines lean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Where reading starts: right for right-to-left text.
    Start,
    /// To the left; the paragraph is the transcript's own, so it runs from left to right.
    Left,
    /// In the middle, likewise.
    Middle,
    /// To the right, likewise.
    End,
}

impl Align {
    /// The direction of a paragraph, where its text does not decide.
    fn direction(self) -> Option<Level> {
        (self != Self::Start).then(Level::ltr)
    }
}

/// The baseline of a line, as a part of its height.
const BASELINE: f32 = 0.74;

/// What stays together, with the spaces behind it.
#[derive(Clone)]
struct Piece {
    start: usize,
    end: usize,
    style: usize,
    level: Level,
    word: Arc<Word>,
    width: f32,
    spaces: u16,
    space: f32,
    may_break: bool,
}

impl Piece {
    fn full_width(&self) -> f32 {
        self.width + f32::from(self.spaces) * self.space
    }
}

/// Lays out a paragraph. `tags`: what each span is of; the last one counts for those that follow.
pub(super) fn paragraph(
    shaper: &mut Shaper<'_>,
    (spans, tags): (&[Span<'_>], &[Tag]),
    column: Column,
) -> Vec<Line> {
    let mut text = String::new();
    let mut ends = Vec::with_capacity(spans.len());
    for span in spans {
        text.push_str(span.text);
        ends.push(text.len());
    }
    let mut setter = Setter { shaper, spans, tags, ends: &ends, column, lines: Vec::new() };
    let mut start = 0;
    for part in text.split('\n') {
        setter.part(&text, start, part);
        start += part.len() + 1;
    }
    setter.lines
}

struct Setter<'s, 'f, 'a> {
    shaper: &'s mut Shaper<'f>,
    spans: &'a [Span<'a>],
    tags: &'a [Tag],
    ends: &'a [usize],
    column: Column,
    lines: Vec<Line>,
}

impl Setter<'_, '_, '_> {
    /// The text between two forced breaks.
    fn part(&mut self, text: &str, start: usize, part: &str) {
        if part.is_empty() {
            return self.blank();
        }
        let levels = levels(part, self.column.align.direction());
        let base = levels.as_ref().map_or(Level::ltr(), |(base, _levels)| *base);
        let mut pieces = Vec::new();
        let mut from = start;
        for (to, may_break) in self.cuts(start, part, levels.as_ref().map(|(_, levels)| levels)) {
            let level = levels.as_ref().and_then(|(_, levels)| levels.get(from - start)).copied();
            pieces.push(self.piece(text, (from, to), level.unwrap_or(base), may_break));
            from = to;
        }
        self.fill(text, pieces, base);
    }

    fn blank(&mut self) {
        let height = self.column.leading;
        self.lines.push(Line { height, baseline: height * BASELINE, ..Line::default() });
    }

    /// Where pieces end, and whether a line may.
    fn cuts(&self, start: usize, part: &str, levels: Option<&Vec<Level>>) -> Vec<(usize, bool)> {
        let end = start + part.len();
        let mut cuts: Vec<(usize, bool)> =
            linebreaks(part).map(|(at, _)| (start + at, true)).collect();
        let inner = self.ends.iter().filter(|at| (start + 1..end).contains(at));
        let before = cuts.len();
        cuts.extend(inner.map(|at| (*at, false)));
        if let Some(levels) = levels {
            cuts.extend(direction_cuts(part, levels).map(|at| (start + at, false)));
        }
        let is_merged = cuts.len() == before;
        long_cuts(start, part, &mut cuts);
        if !is_merged || cuts.len() != before {
            cuts.sort_unstable_by_key(|(at, may_break)| (*at, !may_break));
            cuts.dedup_by_key(|(at, _)| *at);
        }
        cuts
    }

    fn piece(&mut self, text: &str, range: (usize, usize), level: Level, may_break: bool) -> Piece {
        let (start, end) = range;
        let style = self.ends.partition_point(|end| *end <= start).min(self.spans.len() - 1);
        let whole = text.get(start..end).unwrap_or_default();
        let shown = whole.trim_end_matches(' ');
        let spaces = u16::try_from(whole.len() - shown.len()).unwrap_or(u16::MAX);
        let look = &self.spans[style].style;
        let word = match shown {
            "" => Arc::new(Word::default()),
            shown => self.shaper.word(shown, look.slot, level.is_rtl()),
        };
        let width = points(word.width, look.size);
        let space = points(self.shaper.space(look.slot), look.size);
        Piece { start, end, style, level, word, width, spaces, space, may_break }
    }

    /// Puts pieces on lines, as many as fit.
    fn fill(&mut self, text: &str, pieces: Vec<Piece>, base: Level) {
        let mut line: Vec<Piece> = Vec::new();
        let mut used = 0.0;
        let mut rest = pieces.into_iter();
        while let Some(piece) = rest.next() {
            // Nearly every word is a unit by itself and has room.
            if piece.may_break && used + piece.width <= self.column.width {
                used += piece.full_width();
                line.push(piece);
                continue;
            }
            let mut is_whole = piece.may_break;
            let mut unit = vec![piece];
            while !is_whole && let Some(piece) = rest.next() {
                is_whole = piece.may_break;
                unit.push(piece);
            }
            let trailing = unit.last().map_or(0.0, |last| f32::from(last.spaces) * last.space);
            let width: f32 = unit.iter().map(Piece::full_width).sum();
            if used + width - trailing > self.column.width && !line.is_empty() {
                self.close(std::mem::take(&mut line), base);
                used = 0.0;
            }
            if width - trailing > self.column.width {
                used = self.force(text, unit, &mut line, base);
            } else {
                used += width;
                line.extend(unit);
            }
        }
        if !line.is_empty() {
            self.close(line, base);
        }
    }

    /// Breaks a unit that is wider than a line where it must.
    fn force(&mut self, text: &str, unit: Vec<Piece>, line: &mut Vec<Piece>, base: Level) -> f32 {
        let mut used = 0.0;
        for mut piece in unit {
            while used + piece.width > self.column.width {
                let room = self.column.width - used;
                match self.chop(text, &piece, room, line.is_empty()) {
                    Some((head, tail)) => {
                        line.push(head);
                        piece = tail;
                    }
                    None if line.is_empty() => break,
                    None => {}
                }
                self.close(std::mem::take(line), base);
                used = 0.0;
            }
            used += piece.full_width();
            line.push(piece);
        }
        used
    }

    /// Cuts a piece so that its head fits. `None`: it has no place to cut that fits.
    fn chop(&mut self, text: &str, piece: &Piece, room: f32, must: bool) -> Option<(Piece, Piece)> {
        let whole = text.get(piece.start..piece.end)?;
        let places: Vec<usize> =
            whole.trim_end_matches(' ').grapheme_indices(true).map(|(at, _)| at).skip(1).collect();
        let (mut low, mut high) = (0, places.len());
        while low < high {
            let middle = (low + high).div_ceil(2);
            let at = piece.start + places.get(middle - 1)?;
            if self.piece(text, (piece.start, at), piece.level, false).width <= room {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let count = if low == 0 && must { 1 } else { low };
        let at = piece.start + places.get(count.checked_sub(1)?)?;
        let head = self.piece(text, (piece.start, at), piece.level, true);
        let tail = self.piece(text, (at, piece.end), piece.level, piece.may_break);
        Some((head, tail))
    }

    /// Gives the pieces of a line their places.
    fn close(&mut self, mut pieces: Vec<Piece>, base: Level) {
        let had_space = pieces.last().is_some_and(|last| last.spaces > 0);
        while pieces.len() > 1
            && pieces.last().is_some_and(|last| last.end == last.start + usize::from(last.spaces))
        {
            drop(pieces.pop());
        }
        if let Some(last) = pieces.last_mut() {
            last.spaces = 0;
        }
        reorder(&mut pieces);
        let width: f32 = pieces.iter().map(Piece::full_width).sum();
        let slack = (self.column.width - width).max(0.0);
        let indent = match self.column.align {
            Align::Start if base.is_rtl() => slack,
            Align::Start | Align::Left => 0.0,
            Align::Middle => slack / 2.0,
            Align::End => slack,
        };
        let height = self.column.leading;
        let mut line = Line { height, baseline: height * BASELINE, ..Line::default() };
        let mut x = self.column.left + indent;
        for piece in pieces {
            let width = piece.full_width();
            self.place(&mut line, piece, x);
            x += width;
        }
        // Nobody sees it, but whoever reads lines one behind the other needs it between two words.
        if let Some(last) = line.items.last_mut().filter(|_| had_space && !base.is_rtl()) {
            last.spaces = 1;
        }
        self.lines.push(line);
    }

    fn place(&self, line: &mut Line, piece: Piece, x: f32) {
        let style = &self.spans[piece.style].style;
        let width = piece.full_width();
        let middle = line.baseline - style.rise;
        if style.is_underlined || matches!(style.link, Some(Target::Web(_))) {
            stretch(line, x, width, style.ink, Reach::At(middle + style.size * 0.12, 0.45));
        }
        if style.is_struck {
            stretch(line, x, width, style.ink, Reach::At(middle - style.size * 0.28, 0.5));
        }
        let tag = self.tags.get(piece.style).or(self.tags.last()).copied().unwrap_or_default();
        if let Some(target) = &style.link {
            extend_area(line, Area { x, width, target: target.clone(), tag });
        }
        let (slot, size, ink, rise) = (style.slot, style.size, style.ink, style.rise);
        if !piece.word.runs.is_empty() || piece.spaces > 0 {
            let (word, spaces) = (piece.word, piece.spaces);
            line.items.push(Item { x, word, spaces, slot, size, ink, rise, tag });
        }
    }
}

/// Two ends that are closer than this are one.
const TOUCHING: f32 = 0.05;

/// Adds a mark, or lengthens the one that it touches.
fn stretch(line: &mut Line, x: f32, width: f32, ink: Ink, reach: Reach) {
    let is_next = |mark: &&mut Mark| {
        mark.ink == ink && mark.reach == reach && (mark.x + mark.width - x).abs() < TOUCHING
    };
    match line.marks.iter_mut().rev().take(2).find(is_next) {
        Some(mark) => mark.width = x + width - mark.x,
        None => line.marks.push(Mark { x, width, ink, reach }),
    }
}

fn extend_area(line: &mut Line, area: Area) {
    let touches = |last: &&mut Area| {
        last.tag == area.tag
            && last.target == area.target
            && (last.x + last.width - area.x).abs() < TOUCHING
    };
    match line.areas.last_mut().filter(touches) {
        Some(last) => last.width = area.x + area.width - last.x,
        None => line.areas.push(area),
    }
}

/// Thousandths of the type size as points.
#[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
pub(super) fn points(thousandths: i32, size: f32) -> f32 {
    thousandths as f32 * size / 1000.0
}

/// The direction level of every byte, and of the paragraph; `None`: all of it runs left to right.
fn levels(part: &str, base: Option<Level>) -> Option<(Level, Vec<Level>)> {
    if part.is_ascii() || !part.chars().any(is_directed) {
        return None;
    }
    let info = BidiInfo::new(part, base);
    let base = info.paragraphs.first()?.level;
    (info.levels.len() == part.len()).then_some((base, info.levels))
}

/// Characters that can make text run from right to left.
fn is_directed(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8FF}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

/// Where the direction changes; and around spaces, which in such text stand for themselves.
fn direction_cuts(part: &str, levels: &[Level]) -> impl Iterator<Item = usize> {
    let mut before: Option<(Option<Level>, bool)> = None;
    part.char_indices().filter_map(move |(at, c)| {
        let now = (levels.get(at).copied(), c == ' ');
        let is_cut = before.is_some_and(|before| before != now);
        before = Some(now);
        is_cut.then_some(at)
    })
}

/// Cuts what is very long between grapheme clusters.
fn long_cuts(start: usize, part: &str, cuts: &mut Vec<(usize, bool)>) {
    let mut from = start;
    let mut extra = Vec::new();
    for (to, _may_break) in cuts.iter() {
        if to.saturating_sub(from) > LONGEST_PIECE {
            let piece = part.get(from - start..to - start).unwrap_or_default();
            let mut last = 0;
            for (at, _) in piece.grapheme_indices(true) {
                if at - last >= LONGEST_PIECE {
                    extra.push((from + at, false));
                    last = at;
                }
            }
        }
        from = (*to).max(from);
    }
    cuts.extend(extra);
}

/// The order in which pieces stand from left to right (UAX 9, L2).
fn reorder(pieces: &mut [Piece]) {
    let highest = pieces.iter().map(|piece| piece.level.number()).max().unwrap_or(0);
    let odd = pieces.iter().map(|piece| piece.level.number()).filter(|level| level % 2 == 1);
    let Some(lowest) = odd.min() else { return };
    for level in (lowest..=highest).rev() {
        for run in
            pieces.chunk_by_mut(|a, b| (a.level.number() >= level) == (b.level.number() >= level))
        {
            if run.first().is_some_and(|piece| piece.level.number() >= level) {
                run.reverse();
            }
        }
    }
}

#[cfg(test)]
mod tests;
