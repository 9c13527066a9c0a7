//! Words into glyphs: which face shows which character, and where each glyph stands.
//!
//! A word is shaped once and kept: a chat uses the same few thousand words again and again, so the
//! shaper is asked rarely. What is kept never changes what comes out: a [`Word`] is a function of its
//! text, slot and direction. A character that no face has becomes `[U+XXXX]`, and remembers which
//! character it stands for.

use std::sync::Arc;

use foldhash::fast::RandomState;
use harfrust::{
    Buffer, ClusterLevel, Direction, Feature, Script, ShapeOptions, ShapePlan, ShaperFont, Tag,
    shape,
};
use unicode_segmentation::UnicodeSegmentation;

use super::font::{Fonts, SLOTS, Slot};

/// Only looked into, never walked: its order does not matter.
type Map<K, V> = hashbrown::HashMap<K, V, RandomState>;

/// Words kept by one shaper. At about 300 bytes each this is some 20 MB.
const KEPT_WORDS: usize = 60_000;

/// Longer words are rarely seen twice: links, base64.
const LONGEST_KEPT: usize = 40;

/// The number of a glyph that shows nothing and takes no room, in every face.
pub(super) const BLANK: u16 = u16::MAX;

/// A glyph at its place. Distances are thousandths of the type size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glyph {
    /// Its number in the face.
    pub(super) id: u16,
    /// To the next glyph's place.
    pub(super) advance: i16,
    /// From its place to where it is drawn.
    pub(super) offset: (i16, i16),
    /// Which bytes of the run's text it shows; empty when another glyph shows them too.
    pub(super) shows: (u16, u16),
}

/// Glyphs of one face, in the order in which they stand on paper, from left to right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Which face.
    pub(super) face: u16,
    /// What stands there.
    pub(super) glyphs: Box<[Glyph]>,
    /// What it says, in reading order.
    pub(super) text: Box<str>,
    /// The glyphs alone do not tell the text: they are reordered, or several show one character.
    pub(super) is_complex: bool,
    /// A character no face has: the glyphs spell its number.
    pub(super) missing: Option<char>,
}

impl Run {
    /// Thousandths of the type size.
    pub(super) fn width(&self) -> i32 {
        self.glyphs.iter().map(|glyph| i32::from(glyph.advance)).sum()
    }
}

/// A shaped piece of text: a word, or less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Thousandths of the type size.
    pub(super) width: i32,
    /// From left to right.
    pub(super) runs: Vec<Run>,
}

/// Shapes words, and remembers them. One for each thread.
pub(super) struct Shaper<'f> {
    fonts: &'f Fonts,
    plans: Map<(u16, Option<Script>, bool), ShapePlan>,
    /// By slot and direction.
    words: [[Map<Box<str>, Arc<Word>>; 2]; SLOTS],
    kept: usize,
    found: Map<(Slot, bool, char), Option<u16>>,
    spaces: [i32; SLOTS],
    /// The glyphs of the ten digits and the colon, with their widths.
    figures: [[(u16, i16); 11]; SLOTS],
    buffer: Buffer,
}

impl<'f> Shaper<'f> {
    pub(super) fn new(fonts: &'f Fonts) -> Self {
        let mut shaper = Self {
            fonts,
            plans: Map::default(),
            words: Default::default(),
            kept: 0,
            found: Map::default(),
            spaces: [0; SLOTS],
            figures: [Slot::Regular, Slot::Bold, Slot::Italic, Slot::BoldItalic, Slot::Mono]
                .map(|slot| figures(fonts, slot)),
            buffer: Buffer::new(),
        };
        let slots = [Slot::Regular, Slot::Bold, Slot::Italic, Slot::BoldItalic, Slot::Mono];
        shaper.spaces = slots.map(|slot| shaper.word(" ", slot, false).width);
        shaper
    }

    /// The width of a space.
    pub(super) fn space(&self, slot: Slot) -> i32 {
        self.spaces.get(slot as usize).copied().unwrap_or(250)
    }

    /// Times and ids: digits and colons, which stand beside one another as they are. They are many,
    /// and none comes twice, so they are neither shaped nor kept.
    fn figures(&self, text: &str, slot: Slot) -> Option<Word> {
        if !text.bytes().all(|byte| matches!(byte, b'0'..=b':')) {
            return None;
        }
        let known = self.figures.get(slot as usize)?;
        let mut glyphs = Vec::with_capacity(text.len());
        for (at, byte) in (0_u16..).zip(text.bytes()) {
            let (id, advance) = *known.get(usize::from(byte - b'0'))?;
            glyphs.push(Glyph { id, advance, offset: (0, 0), shows: (at, at + 1) });
        }
        let (face, glyphs) = (slot as u16, glyphs.into());
        let run = Run { face, glyphs, text: text.into(), is_complex: false, missing: None };
        Some(Word { width: run.width(), runs: vec![run] })
    }

    /// A word's glyphs.
    pub(super) fn word(&mut self, text: &str, slot: Slot, rtl: bool) -> Arc<Word> {
        if let Some(figures) = self.figures(text, slot) {
            return Arc::new(figures);
        }
        let kept = self.kept_words(slot, rtl).and_then(|words| words.get(text));
        if let Some(word) = kept {
            return Arc::clone(word);
        }
        let word = Arc::new(self.shape(text, slot, rtl));
        if text.len() <= LONGEST_KEPT {
            self.keep(text, slot, rtl, &word);
        }
        word
    }

    fn keep(&mut self, text: &str, slot: Slot, rtl: bool, word: &Arc<Word>) {
        if self.kept >= KEPT_WORDS {
            self.words = Default::default();
            self.kept = 0;
        }
        self.kept += 1;
        if let Some(words) = self.kept_words(slot, rtl) {
            drop(words.insert(text.into(), Arc::clone(word)));
        }
    }

    fn kept_words(&mut self, slot: Slot, rtl: bool) -> Option<&mut Map<Box<str>, Arc<Word>>> {
        self.words.get_mut(slot as usize)?.get_mut(usize::from(rtl))
    }

    fn shape(&mut self, text: &str, slot: Slot, rtl: bool) -> Word {
        if !rtl && text.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
            let run = self.run(text, slot as u16, rtl);
            return Word { width: run.width(), runs: vec![run] };
        }
        let mut runs = Vec::new();
        for (face, text) in self.itemise(text, slot) {
            match face {
                Some(face) => runs.push(self.run(text, face, rtl)),
                None => runs.extend(text.chars().map(|c| self.spell(c, slot))),
            }
        }
        if rtl {
            runs.reverse();
        }
        Word { width: runs.iter().map(Run::width).sum(), runs }
    }

    /// Cuts a word where the face changes. No face: none has these characters.
    fn itemise<'t>(&mut self, text: &'t str, slot: Slot) -> Vec<(Option<u16>, &'t str)> {
        let mut items: Vec<(Option<u16>, &'t str)> = Vec::new();
        let mut start = 0;
        let mut current = None;
        for (at, cluster) in text.grapheme_indices(true) {
            let Cover::By(face) = self.face_of(cluster, slot) else { continue };
            if current.is_some_and(|current| current != face) {
                items.extend(current.map(|current| (current, &text[start..at])));
                start = at;
            }
            current = Some(face);
        }
        items.extend(current.map(|current| (current, &text[start..])));
        items
    }

    /// Which face shows all of a grapheme cluster.
    fn face_of(&mut self, cluster: &str, slot: Slot) -> Cover {
        let Some(first) = cluster.chars().find(|c| !is_ignorable(*c)) else {
            return Cover::Invisible;
        };
        let emoji = is_emoji(cluster);
        let face = self.find(first, slot, emoji);
        let fonts = self.fonts;
        let whole = |face: u16| {
            let face = fonts.face(face);
            face.is_some_and(|face| cluster.chars().all(|c| is_ignorable(c) || face.has(c)))
        };
        if face.is_some_and(whole) || cluster.len() == first.len_utf8() {
            return Cover::By(face);
        }
        Cover::By(fonts.candidates(slot, emoji).find(|face| whole(*face)))
    }

    fn find(&mut self, c: char, slot: Slot, emoji: bool) -> Option<u16> {
        let fonts = self.fonts;
        let search = || {
            let mut faces = fonts.candidates(slot, emoji);
            faces.find(|face| fonts.face(*face).is_some_and(|face| face.has(c)))
        };
        *self.found.entry((slot, emoji, c)).or_insert_with(search)
    }

    /// `[U+1F9FF]` in the place of a character that no face has.
    fn spell(&mut self, c: char, slot: Slot) -> Run {
        if is_ignorable(c) {
            let glyphs = Box::default();
            return Run { face: 0, glyphs, text: "".into(), is_complex: false, missing: None };
        }
        let face = self.find(c, slot, is_emoji_by_itself(c));
        if let Some(face) = face {
            return self.run(c.encode_utf8(&mut [0; 4]), face, false);
        }
        let mut run = self.run(&format!("[U+{:04X}]", u32::from(c)), Slot::Regular as u16, false);
        run.missing = Some(c);
        run
    }

    fn run(&mut self, text: &str, face: u16, rtl: bool) -> Run {
        let glyphs = self.glyphs(text, face, rtl).unwrap_or_default();
        let is_complex = !tells_text(&glyphs, text, rtl);
        Run { face, glyphs: glyphs.into(), text: text.into(), is_complex, missing: None }
    }

    fn glyphs(&mut self, text: &str, number: u16, rtl: bool) -> Option<Vec<Glyph>> {
        let face = self.fonts.face(number)?;
        let prepared = ShaperFont::new(face.font());
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        // Where tools that copy text turn words around, accents and vowel signs stand for themselves.
        buffer.set_cluster_level(if rtl {
            ClusterLevel::MonotoneCharacters
        } else {
            ClusterLevel::MonotoneGraphemes
        });
        buffer.push_str(text);
        let direction = if rtl { Direction::RightToLeft } else { Direction::LeftToRight };
        buffer.set_direction(direction);
        buffer.guess_segment_properties();
        let script = buffer.script();
        let features: &[Feature] = if usize::from(number) < SLOTS { &PLAIN } else { &[] };
        let plan = self
            .plans
            .entry((number, script, rtl))
            .or_insert_with(|| ShapePlan::new(face.font(), direction, script, None, features));
        let options = ShapeOptions::new().plan(Some(plan)).features(features);
        let shaped = shape(&prepared, &mut buffer, options);
        let glyphs = shaped.is_ok().then(|| {
            let scale = |units: i32| narrow(face.scale(clip(units)));
            collect(&buffer, text, scale)
        });
        self.buffer = buffer;
        let space = face.glyph(' ').filter(|_| !face.is_cff());
        glyphs.map(|glyphs| with_blanks(glyphs, text, rtl, space))
    }
}

/// The glyphs of the ten digits and the colon, with their widths.
fn figures(fonts: &Fonts, slot: Slot) -> [(u16, i16); 11] {
    let face = fonts.face(slot as u16);
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':'].map(|c| {
        let known =
            face.and_then(|face| Some((face.glyph(c)?, narrow(face.advance(face.glyph(c)?)))));
        known.unwrap_or_default()
    })
}

/// Which face shows a grapheme cluster.
enum Cover {
    /// There is nothing to show.
    Invisible,
    /// This one; `None`: no face has all of it.
    By(Option<u16>),
}

/// Ligatures of running text join letters that a reader may search for one by one.
static PLAIN: [Feature; 2] = [
    Feature { tag: Tag::new(b"liga"), value: 0, start: 0, end: u32::MAX },
    Feature { tag: Tag::new(b"clig"), value: 0, start: 0, end: u32::MAX },
];

#[expect(clippy::cast_precision_loss, reason = "font units are far below 2^24")]
fn clip(units: i32) -> f32 {
    units.clamp(-32_000, 32_000) as f32
}

fn narrow(value: i32) -> i16 {
    i16::try_from(value).unwrap_or(if value < 0 { i16::MIN } else { i16::MAX })
}

/// The shaper's answer. The bytes that a glyph shows go to the first glyph of its cluster.
fn collect(buffer: &Buffer, text: &str, scale: impl Fn(i32) -> i16) -> Vec<Glyph> {
    let infos = buffer.glyph_infos();
    let mut starts: Vec<u32> = infos.iter().map(|info| info.cluster).collect();
    starts.sort_unstable();
    starts.dedup();
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let end_of = |cluster: u32| {
        let next = starts.partition_point(|start| *start <= cluster);
        starts.get(next).map_or(length, |next| u16::try_from(*next).unwrap_or(u16::MAX))
    };
    let mut before = None;
    let mut glyphs = Vec::with_capacity(infos.len());
    for (info, position) in infos.iter().zip(buffer.glyph_positions()) {
        let from = u16::try_from(info.cluster).unwrap_or(u16::MAX);
        let is_first = before != Some(info.cluster);
        before = Some(info.cluster);
        glyphs.push(Glyph {
            id: u16::try_from(info.glyph_id).unwrap_or(0),
            advance: scale(position.x_advance),
            offset: (scale(position.x_offset), scale(position.y_offset)),
            shows: if is_first { (from, end_of(info.cluster)) } else { (from, from) },
        });
    }
    glyphs
}

/// Gives blanks their number; and where one glyph shows several letters of a word that runs from right
/// to left, puts a blank for each but the first, because tools that copy text turn such words around
/// glyph by glyph and would turn the letters of one glyph the wrong way.
fn with_blanks(glyphs: Vec<Glyph>, text: &str, rtl: bool, space: Option<u16>) -> Vec<Glyph> {
    let Some(space) = space else { return glyphs };
    let is_blank = |glyph: &Glyph| glyph.id == space && glyph.advance == 0;
    let joins = |glyph: &Glyph| rtl && letters(glyph, text).nth(1).is_some();
    if !glyphs.iter().any(|glyph| is_blank(glyph) || joins(glyph)) {
        return glyphs;
    }
    let mut blanked = Vec::with_capacity(glyphs.len() + 2);
    for glyph in glyphs {
        let id = if is_blank(&glyph) { BLANK } else { glyph.id };
        let mut shows = glyph.shows;
        if joins(&glyph) {
            let starts: Vec<u16> = letters(&glyph, text).skip(1).collect();
            for start in starts.into_iter().rev() {
                let blank =
                    Glyph { id: BLANK, advance: 0, offset: (0, 0), shows: (start, shows.1) };
                blanked.push(blank);
                shows.1 = start;
            }
        }
        blanked.push(Glyph { id, shows, ..glyph });
    }
    blanked
}

/// Where each character that a glyph shows begins in the text.
fn letters<'t>(glyph: &Glyph, text: &'t str) -> impl Iterator<Item = u16> + use<'t> {
    let (from, to) = glyph.shows;
    let shown = text.get(usize::from(from)..usize::from(to)).unwrap_or_default();
    shown.char_indices().filter_map(move |(at, _)| from.checked_add(u16::try_from(at).ok()?))
}

/// Whether the glyphs, each standing for its own bytes, read as the text from left to right, or for
/// a right-to-left word from right to left.
fn tells_text(glyphs: &[Glyph], text: &str, rtl: bool) -> bool {
    let mut expected = if rtl { text.len() } else { 0 };
    for glyph in glyphs {
        let (from, to) = (usize::from(glyph.shows.0), usize::from(glyph.shows.1));
        let (near, far) = if rtl { (to, from) } else { (from, to) };
        if glyph.id == 0 || from >= to || near != expected {
            return false;
        }
        expected = far;
    }
    expected == if rtl { 0 } else { text.len() }
}

/// Characters that are never drawn: joiners, selectors, direction marks.
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Drawn as an emoji by itself or by the selector behind it.
fn is_emoji(cluster: &str) -> bool {
    if cluster.is_ascii() || cluster.contains('\u{FE0E}') {
        return false;
    }
    cluster.contains('\u{FE0F}') || cluster.chars().next().is_some_and(is_emoji_by_itself)
}

fn is_emoji_by_itself(c: char) -> bool {
    matches!(c,
        '\u{231A}' | '\u{231B}' | '\u{23E9}'..='\u{23EC}' | '\u{23F0}' | '\u{23F3}'
        | '\u{25FD}' | '\u{25FE}' | '\u{2614}' | '\u{2615}' | '\u{2648}'..='\u{2653}'
        | '\u{267F}' | '\u{2693}' | '\u{26A1}' | '\u{26AA}' | '\u{26AB}' | '\u{26BD}'
        | '\u{26BE}' | '\u{26C4}' | '\u{26C5}' | '\u{26CE}' | '\u{26D4}' | '\u{26EA}'
        | '\u{26F2}' | '\u{26F3}' | '\u{26F5}' | '\u{26FA}' | '\u{26FD}' | '\u{2705}'
        | '\u{270A}' | '\u{270B}' | '\u{2728}' | '\u{274C}' | '\u{274E}'
        | '\u{2753}'..='\u{2755}' | '\u{2757}' | '\u{2795}'..='\u{2797}' | '\u{27B0}'
        | '\u{27BF}' | '\u{2B1B}' | '\u{2B1C}' | '\u{2B50}' | '\u{2B55}'
        | '\u{1F004}' | '\u{1F0CF}' | '\u{1F18E}' | '\u{1F191}'..='\u{1F19A}'
        | '\u{1F1E6}'..='\u{1F1FF}' | '\u{1F201}'..='\u{1F251}' | '\u{1F300}'..='\u{1F64F}'
        | '\u{1F680}'..='\u{1F6FF}' | '\u{1F7E0}'..='\u{1F7EB}' | '\u{1F90C}'..='\u{1FAFF}')
}

#[cfg(test)]
mod tests;
