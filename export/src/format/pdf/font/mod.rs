//! The fonts a transcript may be set in: those that travel with the program, and those a host adds.
//!
//! Nothing is ever taken from the system by itself: two machines with the same program and the same
//! added fonts make the same bytes. Every face that a file uses is embedded in it as a subset, and
//! [`FontUsed`] names it for the manifest.

mod builtin;
mod face;
mod folder;

use std::fmt;

pub(super) use face::Face;
pub use folder::{FontFolder, FontSkipped};

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
pub struct FontUsed {
    /// Its full name, as the font says.
    pub name: String,
    /// Its version, as the font says.
    pub version: String,
    /// The SHA-256 of the font file.
    pub sha256: [u8; 32],
    /// Added by the host, not part of the program.
    pub added: bool,
}

/// Why a font cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FontError {
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
pub struct Fonts {
    faces: Vec<Face>,
    /// Behind the face of the slot itself: who is asked next, host fonts first.
    order: Vec<u16>,
    /// How many of `order` the host added.
    added: usize,
    emoji: Option<u16>,
}

impl Fonts {
    /// The fonts that travel with the program.
    ///
    /// They cover Latin, Greek, Cyrillic, Arabic, Hebrew, Han, Kana, Hangul, the large scripts of
    /// India, Thai, Lao, Khmer, Burmese, Sinhala, Ethiopic, Armenian, Georgian, symbols and emoji
    /// (in one colour).
    pub fn builtin() -> Result<Self, FontError> {
        let mut fonts = Self { faces: Vec::new(), order: Vec::new(), added: 0, emoji: None };
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

    /// Adds the upright faces of normal weight in a font file or collection; they are asked before
    /// the built-in ones for what running text's own font lacks. Returns how many were added.
    pub fn add(&mut self, bytes: Vec<u8>) -> Result<usize, FontError> {
        let mut added = 0;
        for face in Face::all_of(bytes)? {
            let is_only = added == 0;
            if !face.is_plain() && !is_only {
                continue;
            }
            let face = self.push(face)?;
            self.order.insert(self.added, face);
            self.added += 1;
            added += 1;
        }
        Ok(added)
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
        let added = self.order.iter().take(self.added).any(|added| *added == number);
        Some(FontUsed {
            name: face.name().to_owned(),
            version: face.version().to_owned(),
            sha256: face.sha256(),
            added,
        })
    }
}

#[cfg(test)]
mod tests;
