//! One face of a font file: what it can show, how wide, and what a document says about it.
//!
//! All measures are in thousandths of the type size, as PDF counts. Nothing here panics on a font's
//! bytes, and a face that cannot be embedded is refused when it is loaded, not on page 900.

use std::fmt;
use std::io::Read as _;
use std::sync::{Arc, OnceLock};

use harfrust::GlyphId;
use harfrust::font::name::NameId;
use harfrust::font::{Blob, Font};
use subsetter::GlyphRemapper;

use super::FontError;

/// What a PDF font descriptor says, in thousandths of the type size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Descriptor {
    /// Left, bottom, right and top of a box around every glyph.
    pub(in super::super) bounds: [i32; 4],
    /// Above the baseline.
    pub(in super::super) ascent: i32,
    /// Below it, negative.
    pub(in super::super) descent: i32,
    /// Of a capital.
    pub(in super::super) cap_height: i32,
    /// In whole degrees, negative when it leans right.
    pub(in super::super) italic_angle: i32,
}

/// A face, ready to shape and embed.
pub(in super::super) struct Face {
    font: Font,
    bytes: Arc<Vec<u8>>,
    index: u32,
    name: String,
    post_script: String,
    version: String,
    descriptor: Descriptor,
    is_cff: bool,
    /// Of the file: found out when somebody asks, since most faces are never shown.
    sha256: OnceLock<[u8; 32]>,
}

impl Face {
    /// The face in a compressed font file of the program.
    pub(super) fn packed(gzip: &[u8]) -> Result<Self, FontError> {
        Self::new(Arc::new(unpack(gzip)?), 0)
    }

    pub(super) fn new(bytes: Arc<Vec<u8>>, index: u32) -> Result<Self, FontError> {
        let shared: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::<Vec<u8>>::clone(&bytes);
        let font = Font::new(Blob::from(shared), index).ok_or(FontError::Unreadable)?;
        let tables = Tables::new(&bytes, index).ok_or(FontError::Unreadable)?;
        let is_cff = tables.table(*b"CFF ").is_some();
        if !is_cff && tables.table(*b"glyf").is_none_or(<[u8]>::is_empty) {
            return Err(FontError::NoOutlines);
        }
        tables.may_embed()?;
        let name = |id| font.names().get(id).and_then(|name| name.english_or_first());
        let text = |id| name(id).map(|name| name.name().to_string()).unwrap_or_default();
        let (name, version) = (text(NameId::FULL_NAME), text(NameId::VERSION_STRING));
        let post_script = safe_name(&text(NameId::POSTSCRIPT_NAME), &name);
        let descriptor = tables.descriptor();
        let face = Self {
            font,
            bytes,
            index,
            name,
            post_script,
            version,
            descriptor,
            is_cff,
            sha256: OnceLock::new(),
        };
        // What cannot be cut down cannot be embedded: find out now.
        drop(face.subset(&GlyphRemapper::new_from_glyphs_sorted(&[0]))?);
        Ok(face)
    }

    pub(in super::super) fn font(&self) -> &Font {
        &self.font
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// A name without spaces or delimiters.
    pub(in super::super) fn post_script(&self) -> &str {
        &self.post_script
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        *self.sha256.get_or_init(|| crate::digest::sha256(&self.bytes))
    }

    /// Its outlines are PostScript ones.
    pub(in super::super) fn is_cff(&self) -> bool {
        self.is_cff
    }

    pub(in super::super) fn descriptor(&self) -> Descriptor {
        self.descriptor
    }

    pub(in super::super) fn has(&self, c: char) -> bool {
        self.glyph(c).is_some()
    }

    /// The glyph that shows a character by itself.
    pub(in super::super) fn glyph(&self, c: char) -> Option<u16> {
        let glyph = self.font.charmap().map_unicode(c)?.to_u32();
        u16::try_from(glyph).ok().filter(|glyph| *glyph != 0)
    }

    /// A glyph that shows nothing: one that takes no room, if there is one. What a file says of a
    /// glyph's width has to be what the font says.
    pub(in super::super) fn blank(&self) -> u16 {
        let joiners = ['\u{200D}', '\u{200C}', '\u{200B}'].into_iter();
        let blank = joiners.filter_map(|c| self.glyph(c)).find(|glyph| self.advance(*glyph) == 0);
        blank.or_else(|| self.glyph(' ')).unwrap_or(0)
    }

    /// In thousandths of the type size.
    #[expect(clippy::cast_possible_truncation, reason = "a saturating cast is wanted")]
    pub(in super::super) fn scale(&self, units: f32) -> i32 {
        let units_per_em = f32::from(self.font.units_per_em().max(1));
        (units * 1000.0 / units_per_em).round() as i32
    }

    /// The width of a glyph, in thousandths of the type size.
    pub(in super::super) fn advance(&self, glyph: u16) -> i32 {
        self.scale(self.font.glyph_metrics().h_advance(GlyphId::new(u32::from(glyph))))
    }

    /// About how many bytes one more glyph of this face costs in a document.
    pub(in super::super) fn bytes_per_glyph(&self) -> usize {
        let glyphs = usize::try_from(self.font.num_glyphs()).unwrap_or(1).max(1);
        (self.bytes.len() / glyphs).clamp(16, 4096)
    }

    /// The font file with only these glyphs in it.
    pub(in super::super) fn subset(&self, glyphs: &GlyphRemapper) -> Result<Vec<u8>, FontError> {
        subsetter::subset(&self.bytes, self.index, glyphs).map_err(|_cause| FontError::Unreadable)
    }
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Face").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The bytes of a compressed font file of the program.
pub(super) fn unpack(gzip: &[u8]) -> Result<Vec<u8>, FontError> {
    let mut bytes = Vec::with_capacity(gzip.len() * 2);
    let read = flate2::read::GzDecoder::new(gzip).read_to_end(&mut bytes);
    let _length = read.map_err(|_cause| FontError::Unreadable)?;
    Ok(bytes)
}

/// A PDF name made of what a font calls itself.
fn safe_name(post_script: &str, full: &str) -> String {
    const LONGEST: usize = 63;
    let source = if post_script.is_empty() { full } else { post_script };
    let kept = source.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-');
    let name: String = kept.take(LONGEST).collect();
    if name.is_empty() { "Font".to_owned() } else { name }
}

/// The tables of one face in a file.
struct Tables<'a> {
    file: &'a [u8],
    records: &'a [u8],
}

impl<'a> Tables<'a> {
    fn new(file: &'a [u8], index: u32) -> Option<Self> {
        let start = match file.first_chunk::<4>()? {
            b"ttcf" => {
                usize::try_from(u32_at(file, usize::try_from(index).ok()? * 4 + 12)?).ok()?
            }
            _ => 0,
        };
        let count = usize::from(u16_at(file, start.checked_add(4)?)?);
        let records = file.get(start.checked_add(12)?..)?.get(..count.checked_mul(16)?)?;
        Some(Self { file, records })
    }

    fn table(&self, tag: [u8; 4]) -> Option<&'a [u8]> {
        let record = self.records.chunks_exact(16).find(|record| record.starts_with(&tag))?;
        let start = usize::try_from(u32_at(record, 8)?).ok()?;
        let length = usize::try_from(u32_at(record, 12)?).ok()?;
        self.file.get(start..start.checked_add(length)?)
    }

    /// The licence bits of `OS/2`: 2 in the low four is "restricted", bit 8 "not as a subset", bit 9
    /// "bitmaps only".
    fn may_embed(&self) -> Result<(), FontError> {
        let bits = self.table(*b"OS/2").and_then(|table| u16_at(table, 8)).unwrap_or(0);
        if bits & 0xF == 2 || bits & 0x300 != 0 { Err(FontError::Forbidden) } else { Ok(()) }
    }

    fn descriptor(&self) -> Descriptor {
        let of = |tag: &[u8; 4], at| self.table(*tag).and_then(|table| u16_at(table, at));
        let em = i32::from(of(b"head", 18).unwrap_or(1000).max(1));
        let signed = |tag: &[u8; 4], at| i32::from(of(tag, at).unwrap_or(0).cast_signed());
        let scaled = |tag: &[u8; 4], at| signed(tag, at) * 1000 / em;
        let ascent = scaled(b"hhea", 4);
        let has_caps = of(b"OS/2", 0).is_some_and(|version| version >= 2);
        let cap_height = if has_caps { scaled(b"OS/2", 88) } else { ascent * 7 / 10 };
        Descriptor {
            bounds: [36, 38, 40, 42].map(|at| scaled(b"head", at)),
            ascent,
            descent: scaled(b"hhea", 6),
            cap_height,
            italic_angle: signed(b"post", 4),
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let (field, _rest) = bytes.get(at..)?.split_first_chunk::<2>()?;
    Some(u16::from(field[0]) << 8 | u16::from(field[1]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16_at(bytes, at)?) << 16 | u32::from(u16_at(bytes, at.checked_add(2)?)?))
}
