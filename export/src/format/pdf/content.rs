//! Lines into the drawing commands of a page.

use super::embed::Embedded;
use super::file::{
    File, Id, push_integer, push_literal, push_number, push_thousandths, push_utf16,
};
use super::font::Slot;
use super::line::{Ink, Item, Line, Reach};
use super::paragraph::points;
use super::shape::Run;
use super::tag::Role;

/// The commands of a page, and the missing characters met on it.
#[derive(Debug, Default)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    /// Boxes: they lie below all texts and pictures, and belong to nothing.
    grounds: Vec<u8>,
    ground: Option<Ink>,
    missing: Vec<char>,
    /// Glyphs that are not written yet.
    shown: Vec<u8>,
    /// The numbers of a run's glyphs.
    codes: Vec<u16>,
    pen: Pen,
    stretch: Stretch,
}

/// What the commands belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stretch {
    #[default]
    None,
    /// Nothing that is read: heads and feet.
    Artifact,
    /// The element with this number in the file.
    Of(Id),
}

/// What the text commands so far left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pen {
    face: Option<u16>,
    size: f32,
    ink: Option<Ink>,
    /// With how thick a stroke, and in which ink.
    heavy: Option<(f32, Ink)>,
    /// Where the text line begins and where the next glyph would stand.
    start: (f32, f32),
    x: f32,
    /// Between the commands that begin and end text.
    is_text: bool,
    /// Glyphs are being shown.
    is_open: bool,
}

impl Commands {
    /// All of it: the grounds first.
    pub(super) fn finish(mut self) -> (Vec<u8>, Vec<char>) {
        self.end_stretch();
        if self.grounds.is_empty() {
            return (self.bytes, self.missing);
        }
        let mut bytes = b"/Artifact BMC\n".to_vec();
        bytes.append(&mut self.grounds);
        bytes.extend_from_slice(b"EMC\n");
        bytes.append(&mut self.bytes);
        (bytes, self.missing)
    }

    /// What follows is of an element, unless it is already; `number`: gives the stretch its number.
    pub(super) fn element(&mut self, id: Id, role: Role, number: impl FnOnce() -> usize) {
        if self.stretch == Stretch::Of(id) {
            return;
        }
        self.end_stretch();
        self.bytes.push(b'/');
        self.bytes.extend_from_slice(role.name().as_bytes());
        self.bytes.extend_from_slice(b"<</MCID ");
        push_integer(&mut self.bytes, u32::try_from(number()).unwrap_or(u32::MAX));
        self.bytes.extend_from_slice(b">>BDC\n");
        self.stretch = Stretch::Of(id);
    }

    /// What follows is read by nobody who does not see the page.
    pub(super) fn artifact(&mut self, kind: &str) {
        self.end_stretch();
        self.bytes.extend_from_slice(b"/Artifact<</Type/Pagination/Subtype/");
        self.bytes.extend_from_slice(kind.as_bytes());
        self.bytes.extend_from_slice(b">>BDC\n");
        self.stretch = Stretch::Artifact;
    }

    fn end_stretch(&mut self) {
        self.end_text();
        if self.stretch != Stretch::None {
            self.bytes.extend_from_slice(b"EMC\n");
            self.stretch = Stretch::None;
        }
    }

    fn begin_text(&mut self) {
        if !self.pen.is_text {
            self.bytes.extend_from_slice(b"BT\n");
            self.pen.is_text = true;
            (self.pen.start, self.pen.x) = ((0.0, 0.0), 0.0);
        }
    }

    fn end_text(&mut self) {
        if self.pen.is_text {
            let mut pen = self.pen;
            self.close(&mut pen);
            self.pen = pen;
            self.pen.is_text = false;
            self.bytes.extend_from_slice(b"ET\n");
        }
    }

    /// Draws words of a line whose top is at `top` (PDF counts upwards) and whose text area begins at
    /// `left`.
    pub(super) fn items(
        &mut self,
        (file, fonts): (&mut File, &mut Embedded<'_>),
        (line, items): (&Line, &[Item]),
        (left, top): (f32, f32),
    ) {
        self.begin_text();
        let mut pen = self.pen;
        for item in items {
            let place = (left + item.x, top - line.baseline + item.rise);
            self.item((&mut *file, &mut *fonts), item, place, &mut pen);
        }
        self.pen = pen;
    }

    /// Draws the boxes of a line.
    pub(super) fn marks(&mut self, line: &Line, (left, top): (f32, f32), is_first: bool) {
        for mark in &line.marks {
            let (above, height) = match mark.reach {
                Reach::Full if is_first => (0.0, line.height),
                Reach::Full => (line.gap, line.height + line.gap),
                Reach::Line => (0.0, line.height),
                Reach::At(below, thickness) => (-below, thickness),
            };
            if self.ground != Some(mark.ink) {
                push_ink(&mut self.grounds, mark.ink, "rg");
                self.ground = Some(mark.ink);
            }
            for value in [left + mark.x, top + above - height, mark.width, height] {
                push_number(&mut self.grounds, value);
                self.grounds.push(b' ');
            }
            self.grounds.extend_from_slice(b"re f\n");
        }
    }

    fn numbers(&mut self, values: &[f32]) {
        for value in values {
            push_number(&mut self.bytes, *value);
            self.bytes.push(b' ');
        }
    }

    /// Draws an image object: `matrix` takes its unit square to its place.
    pub(super) fn picture(&mut self, name: usize, matrix: [f32; 6]) {
        self.end_text();
        self.bytes.extend_from_slice(b"q ");
        self.numbers(&matrix);
        self.bytes.extend_from_slice(format!("cm /I{name} Do Q\n").as_bytes());
    }

    /// Draws a form object at a place.
    pub(super) fn form(&mut self, name: &str, (x, y): (f32, f32)) {
        self.end_text();
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
        if space == 0 {
            return;
        }
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
            push_ink(&mut self.bytes, item.ink, "rg");
            pen.ink = Some(item.ink);
        }
    }

    /// Thickens what has no bold face of its own.
    fn weight(&mut self, item: &Item, lacks_bold: bool, pen: &mut Pen) {
        const STROKE: f32 = 0.028;
        let is_heavy = lacks_bold && matches!(item.slot, Slot::Bold | Slot::BoldItalic);
        let heavy = is_heavy.then_some((item.size * STROKE, item.ink));
        if heavy == pen.heavy {
            return;
        }
        self.close(pen);
        if let Some((width, ink)) = heavy {
            push_ink(&mut self.bytes, ink, "RG");
            push_number(&mut self.bytes, width);
            self.bytes.extend_from_slice(b" w 2 Tr\n");
        } else {
            self.bytes.extend_from_slice(b"0 Tr\n");
        }
        pen.heavy = heavy;
    }

    /// Moves to a place, if the pen is not there.
    fn go(&mut self, x: f32, y: f32, pen: &mut Pen) {
        const NEAR: f32 = 0.02;
        if (pen.x - x).abs() < NEAR && (pen.start.1 - y).abs() < NEAR {
            return;
        }
        self.close(pen);
        // As it is written, so that many lines do not add up what rounding takes.
        let written = |by: f32| (by * 1000.0).round() / 1000.0;
        let (dx, dy) = (written(x - pen.start.0), written(y - pen.start.1));
        self.numbers(&[dx, dy]);
        self.bytes.extend_from_slice(b"Td\n");
        pen.start = (pen.start.0 + dx, pen.start.1 + dy);
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
            let mut width = 0;
            // The glyph 0 says that something is missing: it may not be shown, not even unseen.
            if number != 0 {
                self.shown.extend_from_slice(&[(number >> 8) as u8, (number & 0xFF) as u8]);
                width = fonts.width(run.face, number);
            }
            behind = i32::from(glyph.advance) - width - dx;
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

/// Sets the colour of fills (`rg`) or strokes (`RG`).
fn push_ink(out: &mut Vec<u8>, ink: Ink, operator: &str) {
    for part in ink.rgb() {
        push_thousandths(out, i32::from(part));
        out.push(b' ');
    }
    out.extend_from_slice(operator.as_bytes());
    out.push(b'\n');
}
