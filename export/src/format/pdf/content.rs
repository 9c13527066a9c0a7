//! Lines into the drawing commands of a page.

use super::embed::Embedded;
use super::file::{File, push_integer, push_literal, push_number, push_thousandths, push_utf16};
use super::font::Slot;
use super::line::{Ink, Item, Line, Mark, Reach};
use super::paragraph::points;
use super::shape::Run;

/// The commands of a page, and the missing characters met on it.
#[derive(Debug, Default)]
pub(super) struct Commands {
    pub(super) bytes: Vec<u8>,
    pub(super) missing: Vec<char>,
    /// Glyphs that are not written yet.
    shown: Vec<u8>,
    /// The numbers of a run's glyphs.
    codes: Vec<u16>,
}

/// What the text commands so far left behind.
#[derive(Clone, Copy, Default, PartialEq)]
struct Pen {
    face: Option<u16>,
    size: f32,
    ink: Option<Ink>,
    is_heavy: bool,
    rise: f32,
    /// Where the text line begins and where the next glyph would stand.
    start: (f32, f32),
    x: f32,
    /// Glyphs are being shown.
    is_open: bool,
}

impl Commands {
    /// Draws a line whose top is at `top` (PDF counts upwards) and whose text area begins at `left`.
    pub(super) fn line(
        &mut self,
        (file, fonts): (&mut File, &mut Embedded<'_>),
        line: &Line,
        (left, top): (f32, f32),
        is_first: bool,
    ) {
        for mark in &line.marks {
            self.mark(mark, line, (left, top), is_first);
        }
        if line.items.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(b"BT\n");
        let mut pen = Pen::default();
        for item in &line.items {
            let place = (left + item.x, top - line.baseline + item.rise);
            self.item((&mut *file, &mut *fonts), item, place, &mut pen);
        }
        self.close(&mut pen);
        if pen.is_heavy {
            self.bytes.extend_from_slice(b"0 Tr\n");
        }
        self.bytes.extend_from_slice(b"ET\n");
    }

    fn mark(&mut self, mark: &Mark, line: &Line, (left, top): (f32, f32), is_first: bool) {
        let (above, height) = match mark.reach {
            Reach::Full if is_first => (0.0, line.height),
            Reach::Full => (line.gap, line.height + line.gap),
            Reach::Line => (0.0, line.height),
            Reach::At(below, thickness) => (-below, thickness),
        };
        self.fill(mark.ink);
        self.numbers(&[left + mark.x, top + above - height, mark.width, height]);
        self.bytes.extend_from_slice(b"re f\n");
    }

    fn fill(&mut self, ink: Ink) {
        for part in ink.rgb() {
            push_thousandths(&mut self.bytes, i32::from(part));
            self.bytes.push(b' ');
        }
        self.bytes.extend_from_slice(b"rg\n");
    }

    fn numbers(&mut self, values: &[f32]) {
        for value in values {
            push_number(&mut self.bytes, *value);
            self.bytes.push(b' ');
        }
    }

    /// Draws an image object in a box.
    pub(super) fn picture(&mut self, name: usize, [x, y, width, height]: [f32; 4]) {
        self.bytes.extend_from_slice(b"q ");
        self.numbers(&[width, 0.0, 0.0, height, x, y]);
        self.bytes.extend_from_slice(format!("cm /I{name} Do Q\n").as_bytes());
    }

    /// Draws a form object at a place.
    pub(super) fn form(&mut self, name: &str, (x, y): (f32, f32)) {
        self.bytes.extend_from_slice(b"q 1 0 0 1 ");
        self.numbers(&[x, y]);
        self.bytes.extend_from_slice(format!("cm /{name} Do Q\n").as_bytes());
    }

    fn item(
        &mut self,
        (file, fonts): (&mut File, &mut Embedded<'_>),
        item: &Item,
        (mut x, y): (f32, f32),
        pen: &mut Pen,
    ) {
        for run in &item.word.runs {
            let tells = fonts.number(file, run, &mut self.codes);
            self.missing.extend(run.missing);
            self.style(item, run.face, pen);
            self.weight(item, fonts.lacks_bold(run.face), pen);
            self.go(x, y, pen);
            if tells {
                self.glyphs(fonts, run, pen);
            } else {
                self.close(pen);
                self.span_begin(run);
                self.glyphs(fonts, run, pen);
                self.close(pen);
                self.bytes.extend_from_slice(b"EMC\n");
            }
            x += points(run.width(), item.size);
        }
        if item.spaces > 0 {
            self.spaces((file, fonts), item, (x, y), pen);
        }
    }

    /// What the reader would copy is not what the glyphs say.
    fn span_begin(&mut self, run: &Run) {
        let mut hex = String::from("/Span<</ActualText<FEFF");
        match run.missing {
            Some(missing) => push_utf16(&mut hex, missing.encode_utf8(&mut [0; 4])),
            None => push_utf16(&mut hex, &run.text),
        }
        hex.push_str(">>>BDC\n");
        self.bytes.extend_from_slice(hex.as_bytes());
    }

    /// Spaces are glyphs: text that is copied has them.
    fn spaces(
        &mut self,
        (file, fonts): (&mut File, &mut Embedded<'_>),
        item: &Item,
        (x, y): (f32, f32),
        pen: &mut Pen,
    ) {
        let face = item.slot as u16;
        let space = fonts.space(file, face);
        self.style(item, face, pen);
        self.go(x, y, pen);
        self.open(pen);
        for _ in 0..item.spaces {
            self.shown.extend_from_slice(&[(space >> 8) as u8, (space & 0xFF) as u8]);
        }
        pen.x += points(fonts.width(face, space), item.size) * f32::from(item.spaces);
    }

    fn style(&mut self, item: &Item, face: u16, pen: &mut Pen) {
        if pen.face != Some(face) || (pen.size - item.size).abs() > f32::EPSILON {
            self.close(pen);
            self.bytes.extend_from_slice(b"/F");
            push_integer(&mut self.bytes, u32::from(face));
            self.bytes.push(b' ');
            self.numbers(&[item.size]);
            self.bytes.extend_from_slice(b"Tf\n");
            (pen.face, pen.size) = (Some(face), item.size);
        }
        if pen.ink != Some(item.ink) {
            self.close(pen);
            self.fill(item.ink);
            pen.ink = Some(item.ink);
        }
    }

    /// Thickens what has no bold face of its own.
    fn weight(&mut self, item: &Item, lacks_bold: bool, pen: &mut Pen) {
        const STROKE: f32 = 0.028;
        let is_heavy = lacks_bold && matches!(item.slot, Slot::Bold | Slot::BoldItalic);
        if is_heavy == pen.is_heavy {
            return;
        }
        self.close(pen);
        if is_heavy {
            for part in item.ink.rgb() {
                push_thousandths(&mut self.bytes, i32::from(part));
                self.bytes.push(b' ');
            }
            self.bytes.extend_from_slice(b"RG ");
            push_number(&mut self.bytes, item.size * STROKE);
            self.bytes.extend_from_slice(b" w 2 Tr\n");
        } else {
            self.bytes.extend_from_slice(b"0 Tr\n");
        }
        pen.is_heavy = is_heavy;
    }

    /// Moves to a place, if the pen is not there.
    fn go(&mut self, x: f32, y: f32, pen: &mut Pen) {
        const NEAR: f32 = 0.02;
        if (pen.x - x).abs() < NEAR && (pen.start.1 - y).abs() < NEAR {
            return;
        }
        self.close(pen);
        self.numbers(&[x - pen.start.0, y - pen.start.1]);
        self.bytes.extend_from_slice(b"Td\n");
        pen.start = (x, y);
        pen.x = x;
    }

    /// Shows glyphs, and moves them where they do not stand one behind the other by themselves.
    fn glyphs(&mut self, fonts: &Embedded<'_>, run: &Run, pen: &mut Pen) {
        let mut rise = 0;
        // By how much the pen stands too far left, in thousandths.
        let mut behind = 0;
        self.open(pen);
        let codes = std::mem::take(&mut self.codes);
        for (glyph, number) in run.glyphs.iter().zip(codes.iter().copied()) {
            let (dx, dy) = (i32::from(glyph.offset.0), i32::from(glyph.offset.1));
            if dy != rise {
                self.rise(points(dy, pen.size), pen);
                rise = dy;
            }
            if behind + dx != 0 {
                self.shift(behind + dx);
            }
            self.shown.extend_from_slice(&[(number >> 8) as u8, (number & 0xFF) as u8]);
            behind = i32::from(glyph.advance) - fonts.width(run.face, number) - dx;
        }
        self.codes = codes;
        if behind != 0 {
            self.shift(behind);
        }
        if rise != 0 {
            self.rise(0.0, pen);
        }
        pen.x += points(run.width(), pen.size);
    }

    /// Lifts what follows above the baseline.
    fn rise(&mut self, by: f32, pen: &mut Pen) {
        self.close(pen);
        push_number(&mut self.bytes, by);
        self.bytes.extend_from_slice(b" Ts\n");
        self.open(pen);
    }

    /// Moves the pen right by thousandths of the type size.
    fn shift(&mut self, by: i32) {
        self.flush();
        push_thousandths(&mut self.bytes, -by * 1000);
    }

    /// Begins to show glyphs.
    fn open(&mut self, pen: &mut Pen) {
        if !pen.is_open {
            self.bytes.push(b'[');
            pen.is_open = true;
        }
    }

    /// Ends what [`Commands::open`] began.
    fn close(&mut self, pen: &mut Pen) {
        if pen.is_open {
            self.flush();
            self.bytes.extend_from_slice(b"]TJ\n");
            pen.is_open = false;
        }
    }

    fn flush(&mut self) {
        if !self.shown.is_empty() {
            push_literal(&mut self.bytes, self.shown.iter().copied());
            self.shown.clear();
        }
    }
}
