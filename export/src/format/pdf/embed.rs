//! Which glyphs a file uses, what they say, and the fonts that are embedded for them.
//!
//! A glyph gets a number in the file when it is first used, in reading order, so the numbers do not
//! depend on threads. Where it stands for something else than before it gets another number, which
//! says so and looks the same. Where numbers cannot tell the text, the page carries the text itself
//! (`ActualText`).

use std::fmt::Write as _;

use foldhash::fast::RandomState;
use subsetter::GlyphRemapper;

use super::file::{File, Id, push_utf16};
use super::font::{Face, FontError, FontUsed, Fonts};
use super::shape::{BLANK, Glyph, Run};

/// The fonts of one file.
pub(super) struct Embedded<'f> {
    fonts: &'f Fonts,
    faces: Vec<Option<Used>>,
}

/// A face that a file uses.
struct Used {
    id: Id,
    /// A glyph's first number, by the glyph's number in the face; 0: none yet.
    numbers: Vec<u16>,
    /// Its other numbers, by what they say. Only looked into, never walked.
    others: hashbrown::HashMap<(u16, Box<str>), u16, RandomState>,
    glyphs: GlyphRemapper,
    /// By the number in the file: the glyph in the embedded font, what it says, how wide it is.
    shapes: Vec<u16>,
    says: Vec<Box<str>>,
    /// What it says, if that is one letter of ASCII, else 0.
    letters: Vec<u8>,
    widths: Vec<i32>,
}

impl<'f> Embedded<'f> {
    pub(super) fn new(fonts: &'f Fonts) -> Self {
        Self { fonts, faces: (0..fonts.len()).map(|_| None).collect() }
    }

    /// Puts the numbers of a run's glyphs into `numbers`. Returns whether they tell its text.
    pub(super) fn number(&mut self, file: &mut File, run: &Run, numbers: &mut Vec<u16>) -> bool {
        numbers.clear();
        let Some(face) = self.fonts.face(run.face) else { return false };
        let Some(slot) = self.faces.get_mut(usize::from(run.face)) else { return false };
        let used = slot.get_or_insert_with(|| Used::new(file.take(), face));
        let mut tells = !run.is_complex && run.missing.is_none();
        for glyph in &run.glyphs {
            let says = says(glyph, &run.text);
            let first = used.first(glyph.id);
            // Most glyphs show one letter of ASCII: this is asked for every glyph on every page.
            if let [byte] = says.as_bytes()
                && first != 0
                && used.letters.get(usize::from(first)) == Some(byte)
            {
                numbers.push(first);
                continue;
            }
            let is_it = used.says.get(usize::from(first)).is_some_and(|known| **known == *says);
            let number = match first {
                _ if glyph.id == BLANK => used.other(face, BLANK, says),
                0 => used.add(face, glyph.id, says),
                first if is_it || run.is_complex || run.missing.is_some() => first,
                first if face.is_cff() => {
                    tells = false;
                    first
                }
                _ => used.other(face, glyph.id, says),
            };
            numbers.push(number);
        }
        tells
    }

    /// The number of a face's space.
    pub(super) fn space(&mut self, file: &mut File, number: u16) -> u16 {
        let Some(face) = self.fonts.face(number) else { return 0 };
        let Some(slot) = self.faces.get_mut(usize::from(number)) else { return 0 };
        let used = slot.get_or_insert_with(|| Used::new(file.take(), face));
        let space = face.glyph(' ').unwrap_or(0);
        match used.first(space) {
            0 => used.add(face, space, " "),
            first if used.says.get(usize::from(first)).is_some_and(|says| **says == *" ") => first,
            first if face.is_cff() => first,
            _ => used.other(face, space, " "),
        }
    }

    /// Whether a face has no bold one beside it.
    pub(super) fn lacks_bold(&self, face: u16) -> bool {
        self.fonts.lacks_bold(face)
    }

    /// The width that the file says a glyph has, in thousandths of the type size.
    pub(super) fn width(&self, face: u16, number: u16) -> i32 {
        let used = self.faces.get(usize::from(face)).and_then(Option::as_ref);
        used.and_then(|used| used.widths.get(usize::from(number))).copied().unwrap_or(0)
    }

    /// About how many bytes the fonts will take.
    pub(super) fn estimate(&self) -> usize {
        const FIXED: usize = 3_000;
        let faces = self.faces.iter().enumerate();
        faces
            .filter_map(|(number, used)| {
                let face = self.fonts.face(u16::try_from(number).ok()?)?;
                let used = used.as_ref()?;
                let outlines = usize::from(used.glyphs.num_gids()) * face.bytes_per_glyph();
                Some(FIXED + outlines + used.says.len() * 14)
            })
            .sum()
    }

    /// The entries of a resource dictionary's `Font`: `/F0 7 0 R/F3 9 0 R`.
    pub(super) fn resources(&self) -> String {
        let mut entries = String::new();
        for (number, used) in self.faces.iter().enumerate() {
            if let Some(used) = used {
                // Writing to a `String` cannot fail.
                let _written = write!(entries, "/F{number} {}", used.id);
            }
        }
        entries
    }

    /// Writes the fonts into the file and says which they are.
    pub(super) fn write(&self, file: &mut File) -> Result<Vec<FontUsed>, FontError> {
        let mut named = Vec::new();
        for (number, used) in self.faces.iter().enumerate() {
            let (Some(used), Ok(number)) = (used, u16::try_from(number)) else { continue };
            self.write_face(file, number, used)?;
            named.extend(self.fonts.used(number));
        }
        Ok(named)
    }

    fn write_face(&self, file: &mut File, number: u16, used: &Used) -> Result<(), FontError> {
        let Some(face) = self.fonts.face(number) else { return Ok(()) };
        let subset = face.subset(&used.glyphs)?;
        let name = format!("{}+{}", tag(&subset), face.post_script());
        let (cid, descriptor, program, map) = (file.take(), file.take(), file.take(), file.take());
        file.object(
            used.id,
            &format!(
                "<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H\
                 /DescendantFonts[{cid}]/ToUnicode {map}>>"
            ),
        );
        let (kind, to_glyph) = if face.is_cff() {
            ("CIDFontType0", String::new())
        } else {
            ("CIDFontType2", format!("/CIDToGIDMap{}", used.shapes(file)))
        };
        let widths = used.widths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        file.object(
            cid,
            &format!(
                "<</Type/Font/Subtype/{kind}/BaseFont/{name}/CIDSystemInfo<</Registry(Adobe)\
                 /Ordering(Identity)/Supplement 0>>/FontDescriptor {descriptor}{to_glyph}\
                 /DW 0/W[0[{widths}]]>>"
            ),
        );
        let says = face.descriptor();
        let [left, bottom, right, top] = says.bounds;
        let key = if face.is_cff() { "FontFile3" } else { "FontFile2" };
        file.object(
            descriptor,
            &format!(
                "<</Type/FontDescriptor/FontName/{name}/Flags 4/FontBBox[{left} {bottom} {right} \
                 {top}]/ItalicAngle {}/Ascent {}/Descent {}/CapHeight {}/StemV 80/{key} {program}>>",
                says.italic_angle, says.ascent, says.descent, says.cap_height
            ),
        );
        let about = if face.is_cff() {
            "/Subtype/OpenType".to_owned()
        } else {
            format!("/Length1 {}", subset.len())
        };
        file.packed(program, &about, &subset);
        file.packed(map, "", to_unicode(&used.says).as_bytes());
        Ok(())
    }
}

impl Used {
    fn new(id: Id, face: &Face) -> Self {
        Self {
            id,
            numbers: Vec::new(),
            others: hashbrown::HashMap::default(),
            glyphs: GlyphRemapper::new(),
            shapes: vec![0],
            says: vec!["".into()],
            letters: vec![0],
            widths: vec![face.advance(0)],
        }
    }

    fn first(&self, glyph: u16) -> u16 {
        self.numbers.get(usize::from(glyph)).copied().unwrap_or(0)
    }

    /// A glyph's number where it says something else than at first.
    fn other(&mut self, face: &Face, glyph: u16, says: &str) -> u16 {
        let key = (glyph, says.into());
        if let Some(known) = self.others.get(&key) {
            return *known;
        }
        let number = self.add(face, glyph, says);
        let _before = self.others.insert(key, number);
        number
    }

    fn add(&mut self, face: &Face, glyph: u16, says: &str) -> u16 {
        let (shown, width) = match glyph {
            BLANK => (face.blank(), face.advance(face.blank())),
            glyph => (glyph, face.advance(glyph)),
        };
        let Ok(number) = u16::try_from(self.says.len()) else { return 0 };
        if shown == 0 {
            return 0;
        }
        if glyph != BLANK {
            let index = usize::from(glyph);
            if self.numbers.len() <= index {
                self.numbers.resize(index + 1, 0);
            }
            if self.numbers[index] == 0 {
                self.numbers[index] = number;
            }
        }
        self.shapes.push(self.glyphs.remap(shown));
        self.says.push(says.into());
        self.letters.push(if let [byte] = says.as_bytes() { *byte } else { 0 });
        self.widths.push(width);
        number
    }

    /// The map from numbers to glyphs, written into the file unless each is its own.
    fn shapes(&self, file: &mut File) -> String {
        if self.shapes.iter().enumerate().all(|(number, shape)| number == usize::from(*shape)) {
            return "/Identity".to_owned();
        }
        let map: Vec<u8> = self
            .shapes
            .iter()
            .flat_map(|shape| [(shape >> 8) as u8, (shape & 0xFF) as u8])
            .collect();
        let id = file.take();
        file.packed(id, "", &map);
        format!(" {id}")
    }
}

/// What a glyph says in its run.
fn says<'t>(glyph: &Glyph, text: &'t str) -> &'t str {
    text.get(usize::from(glyph.shows.0)..usize::from(glyph.shows.1)).unwrap_or_default()
}

/// Six letters that tell subsets of one font apart, made of what is in it.
fn tag(subset: &[u8]) -> String {
    let hash = crate::digest::sha256(subset);
    hash.iter().take(6).map(|byte| char::from(b'A' + byte % 26)).collect()
}

/// The map from glyphs to text.
fn to_unicode(says: &[Box<str>]) -> String {
    const PER_BLOCK: usize = 100;
    let mut map = String::from(
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo <</Registry \
         (Adobe)/Ordering (UCS)/Supplement 0>> def\n/CMapName /Adobe-Identity-UCS def\n\
         /CMapType 2 def\n1 begincodespacerange\n<0000><FFFF>\nendcodespacerange\n",
    );
    let told: Vec<_> = says.iter().enumerate().filter(|(_, says)| !says.is_empty()).collect();
    for block in told.chunks(PER_BLOCK) {
        // Writing to a `String` cannot fail.
        let _written = writeln!(map, "{} beginbfchar", block.len());
        for (number, says) in block {
            let _written = write!(map, "<{number:04X}><");
            push_utf16(&mut map, says);
            map.push_str(">\n");
        }
        map.push_str("endbfchar\n");
    }
    map.push_str("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n");
    map
}
