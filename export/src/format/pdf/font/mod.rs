//! The fonts a transcript is set in: those that travel with the program.
//!
//! Nothing is ever taken from the system: two machines with the same program make the same bytes. Every face that a file uses is embedded in it as a subset, and
//! [`FontUsed`] names it for the manifest.

mod builtin;
mod face;

use std::fmt;

pub(super) use face::Face;

/// In which hand a text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    /// Running text.
    Regular,
    /// Names and headings.
    Bold,
    /// Events and emphasis.
    Italic,
    /// Both.
    BoldItalic,
    /// Code.
    Mono,
}

/// How many slots there are; a slot's number is its face's number in [`Fonts`].
pub(super) const SLOTS: usize = 5;

/// Where an embedded font comes from and which bytes it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FontUsed {
    /// Its full name, as the font says.
    pub name: String,
    /// Its version, as the font says.
    pub version: String,
    /// The SHA-256 of the font file.
    pub sha256: [u8; 32],
}

/// Why a font cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FontError {
    /// It is no TrueType or OpenType font, or a damaged one.
    Unreadable,
    /// It has no outlines: a bitmap or colour font.
    NoOutlines,
    /// Its licence bits forbid to embed it, or to embed a part of it.
    Forbidden,
    /// There are more fonts than a document can name.
    TooMany,
}

impl fmt::Display for FontError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "is no readable TrueType or OpenType font",
            Self::NoOutlines => "has no outlines (a bitmap or colour font)",
            Self::Forbidden => "forbids to be embedded in documents",
            Self::TooMany => "is one font too many",
        })
    }
}

impl std::error::Error for FontError {}

/// More faces than anyone needs, and few enough that looking through them stays cheap.
const MAX_FACES: usize = 512;

/// The fonts of an export, in the order in which they are asked for a character.
#[derive(Debug)]
pub(crate) struct Fonts {
    faces: Vec<Face>,
    /// Behind the face of the slot itself: who is asked next.
    order: Vec<u16>,
    emoji: Option<u16>,
}

impl Fonts {
    /// The fonts that travel with the program.
    ///
    /// They cover Latin, Greek, Cyrillic, Arabic, Hebrew, Han, Kana, Hangul, the large scripts of
    /// India, Thai, Lao, Khmer, Burmese, Sinhala, Ethiopic, Armenian, Georgian, symbols and emoji
    /// (in one colour).
    pub(crate) fn builtin() -> Result<Self, FontError> {
        let mut fonts = Self { faces: Vec::new(), order: Vec::new(), emoji: None };
        for bytes in builtin::SLOT_FONTS {
            fonts.faces.push(Face::packed(bytes)?);
        }
        fonts.order.push(Slot::Regular as u16);
        for bytes in builtin::FALLBACK_FONTS {
            let face = fonts.push(Face::packed(bytes)?)?;
            fonts.order.push(face);
        }
        let emoji = fonts.push(Face::packed(builtin::EMOJI_FONT)?)?;
        fonts.order.push(emoji);
        // Boxes and blocks, which are drawn with in text.
        fonts.order.push(Slot::Mono as u16);
        fonts.emoji = Some(emoji);
        Ok(fonts)
    }

    fn push(&mut self, face: Face) -> Result<u16, FontError> {
        if self.faces.len() >= MAX_FACES {
            return Err(FontError::TooMany);
        }
        let number = u16::try_from(self.faces.len()).map_err(|_cause| FontError::TooMany)?;
        self.faces.push(face);
        Ok(number)
    }

    /// A face by its number.
    pub(super) fn face(&self, number: u16) -> Option<&Face> {
        self.faces.get(usize::from(number))
    }

    /// How many faces there are.
    pub(super) fn len(&self) -> usize {
        self.faces.len()
    }

    /// Which faces may show a character in this slot, best first.
    pub(super) fn candidates(&self, slot: Slot, emoji: bool) -> impl Iterator<Item = u16> {
        let first = self.emoji.filter(|_| emoji);
        first.into_iter().chain([slot as u16]).chain(self.order.iter().copied())
    }

    /// Whether a face has no bold one beside it and is made of letters.
    pub(super) fn lacks_bold(&self, face: u16) -> bool {
        usize::from(face) >= SLOTS && Some(face) != self.emoji
    }

    /// What the manifest says about a face.
    pub(super) fn used(&self, number: u16) -> Option<FontUsed> {
        let face = self.face(number)?;
        Some(FontUsed {
            name: face.name().to_owned(),
            version: face.version().to_owned(),
            sha256: face.sha256(),
        })
    }
}

#[cfg(test)]
mod tests;
