//! What stands on one line: words, and the marks, links and pictures around them.
//!
//! Distances are points, from the left edge of the text area and from the top of the line.

use std::sync::Arc;

use chatvault_engine::ContentAddress;

use super::font::Slot;
use super::shape::Word;
use super::tag::Tag;

/// The few colours of a transcript. All text keeps a contrast of 4.5 to 1 or better on white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// Running text.
    Text,
    /// Times, notes.
    Muted,
    /// What can be followed.
    Link,
    /// Deleted, unavailable, urgent.
    Alert,
    /// Lines between things.
    Rule,
    /// The ground of code and cards.
    Shade,
    /// The ground of a warning.
    AlertShade,
}

impl Ink {
    /// Red, green and blue, in thousandths.
    pub(super) fn rgb(self) -> [u16; 3] {
        match self {
            Self::Text => [100, 100, 110],
            Self::Muted => [380, 380, 400],
            Self::Link => [40, 270, 620],
            Self::Alert => [650, 90, 90],
            Self::Rule => [780, 780, 800],
            Self::Shade => [950, 953, 960],
            Self::AlertShade => [990, 935, 930],
        }
    }
}

/// How a piece of text looks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Style {
    pub(super) slot: Slot,
    pub(super) size: f32,
    pub(super) ink: Ink,
    /// How far above the baseline.
    pub(super) rise: f32,
    pub(super) is_underlined: bool,
    pub(super) is_struck: bool,
    pub(super) link: Option<Target>,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// Away from the file; marked as links are.
    Web(Arc<str>),
    /// To the message with this id, if it is in the file; looks like what is around it.
    Message(u64),
}

impl Style {
    pub(super) fn new(slot: Slot, size: f32, ink: Ink) -> Self {
        let (is_underlined, is_struck) = (false, false);
        Self { slot, size, ink, rise: 0.0, is_underlined, is_struck, link: None }
    }

    pub(super) fn bold(mut self) -> Self {
        self.slot = match self.slot {
            Slot::Regular => Slot::Bold,
            Slot::Italic => Slot::BoldItalic,
            other => other,
        };
        self
    }

    pub(super) fn italic(mut self) -> Self {
        self.slot = match self.slot {
            Slot::Regular => Slot::Italic,
            Slot::Bold => Slot::BoldItalic,
            other => other,
        };
        self
    }

    pub(super) fn mono(mut self) -> Self {
        self.slot = Slot::Mono;
        self.size *= 0.92;
        self
    }

    pub(super) fn raised(mut self, by: f32) -> Self {
        self.rise += by * self.size;
        self.size *= 0.7;
        self
    }
}

/// A word at its place.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) x: f32,
    pub(super) word: Arc<Word>,
    /// How many spaces stand behind it.
    pub(super) spaces: u16,
    pub(super) slot: Slot,
    pub(super) size: f32,
    pub(super) ink: Ink,
    pub(super) rise: f32,
    pub(super) tag: Tag,
}

impl Item {
    /// Without the spaces behind it.
    pub(super) fn width(&self) -> f32 {
        super::paragraph::points(self.word.width, self.size)
    }
}

/// A filled box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mark {
    pub(super) x: f32,
    pub(super) width: f32,
    pub(super) ink: Ink,
    pub(super) reach: Reach,
}

/// From where to where a mark reaches, downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reach {
    /// The whole line, and the gap above it: bars and grounds run on from line to line.
    Full,
    /// The line without the gap above it.
    Line,
    /// This far below the line's top, this thick.
    At(f32, f32),
}

/// Where a link can be clicked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) x: f32,
    pub(super) width: f32,
    pub(super) target: Target,
    pub(super) tag: Tag,
}

/// A picture of the archive, with the size in which it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) x: f32,
    pub(super) width: f32,
    pub(super) height: f32,
    pub(super) address: ContentAddress,
    pub(super) tag: Tag,
}

/// One line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// The gap above, left out at the top of a page.
    pub(super) gap: f32,
    pub(super) height: f32,
    /// Of the text, below the top.
    pub(super) baseline: f32,
    pub(super) items: Vec<Item>,
    pub(super) marks: Vec<Mark>,
    pub(super) areas: Vec<Area>,
    pub(super) picture: Option<Picture>,
    /// Never the last on a page: what it introduces follows.
    pub(super) keep: bool,
}

impl Line {
    /// Words and nothing else: no picture, no ground, no bar.
    pub(super) fn is_plain(&self) -> bool {
        let is_thin = |mark: &Mark| matches!(mark.reach, Reach::At(..));
        self.picture.is_none() && !self.items.is_empty() && self.marks.iter().all(is_thin)
    }

    /// Where its last word ends.
    pub(super) fn right(&self) -> f32 {
        self.items.iter().map(|item| item.x + item.width()).fold(0.0, f32::max)
    }

    /// What its words are of.
    pub(super) fn set_tag(&mut self, tag: Tag) {
        for item in &mut self.items {
            item.tag = tag;
        }
    }

    /// A line of another column beside this one. What stands further left comes first in the file,
    /// too: tools that copy text go by that order.
    pub(super) fn join(&mut self, mut other: Self) {
        let baseline = self.baseline.max(other.baseline);
        let below = (self.height - self.baseline).max(other.height - other.baseline);
        self.gap = self.gap.max(other.gap);
        self.baseline = baseline;
        self.height = baseline + below;
        let left = |line: &Self| line.items.first().map_or(f32::INFINITY, |item| item.x);
        if left(&other) < left(self) {
            std::mem::swap(&mut self.items, &mut other.items);
        }
        if let Some(last) = self.items.last_mut().filter(|_| !other.items.is_empty()) {
            // Columns are apart also for those who hear them.
            last.spaces = last.spaces.max(1);
        }
        self.items.append(&mut other.items);
        self.marks.extend(other.marks);
        self.areas.extend(other.areas);
        self.keep |= other.keep;
    }
}
