//! What is in the files of an archive: the tables of FORMAT.md as data.
//!
//! A change of bytes changes this file, and forgers, hostile files and fuzz targets follow.

use super::shape::Shape::{
    self, Block, Chain, Choice, Fixed, Frame, Inside, List, Number, Pages, Repeat, Rest, Signed,
};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// `FORMAT`.
    Format,
    /// A manifest.
    Manifest,
    /// A journal file.
    Journal,
    /// A segment.
    Segment,
    /// A ledger.
    Ledger,
    /// A quarantine.
    Quarantine,
    /// A pack of objects.
    Pack,
    /// A dictionary.
    Dictionary,
}

/// A kind of piece: what it is called and what is in it.
pub(super) type Kind = (&'static str, &'static [Shape]);

impl FileKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Format,
        Self::Manifest,
        Self::Journal,
        Self::Segment,
        Self::Ledger,
        Self::Quarantine,
        Self::Pack,
        Self::Dictionary,
    ];

    /// The kind of the file at a path; `None` for one that nobody has to read.
    pub fn of(path: &str) -> Option<Self> {
        let suffix = path.rsplit_once('.').map_or(path, |(_, suffix)| suffix);
        let suffixes = ["FORMAT", "mft", "log", "seg", "led", "qtn", "pack", "dic"];
        Self::ALL
            .into_iter()
            .zip(suffixes)
            .find_map(|(kind, known)| (known == suffix).then_some(kind))
    }

    /// Bytes before the first frame, without their checksum.
    pub(super) fn head_bytes(self) -> usize {
        match self {
            Self::Format => 0,
            Self::Manifest => 24,
            Self::Journal => 4092,
            Self::Segment | Self::Ledger | Self::Quarantine | Self::Dictionary => 32,
            Self::Pack => 44,
        }
    }

    /// Bytes behind the last frame, without their checksum.
    pub(super) fn tail_bytes(self) -> usize {
        match self {
            Self::Segment | Self::Ledger | Self::Quarantine => 16,
            Self::Pack => 56,
            _ => 0,
        }
    }

    /// What is before the first frame.
    pub(super) fn head(self) -> Kind {
        match self {
            Self::Manifest => ("head", &[Fixed(8), Fixed(4), Fixed(4), Fixed(8)]),
            Self::Journal => ("head", JOURNAL_HEAD),
            Self::Pack => ("head", &[Fixed(8), Fixed(4), Fixed(4), Fixed(4), Fixed(16), Fixed(8)]),
            _ => ("head", &[Fixed(8), Fixed(16), Fixed(8)]),
        }
    }

    /// What is behind the last frame.
    pub(super) fn tail(self) -> Kind {
        match self {
            Self::Pack => ("trailer", &[Fixed(8), Fixed(8), Fixed(32), Fixed(8)]),
            _ => ("trailer", &[Fixed(4), Fixed(4), Fixed(8)]),
        }
    }

    /// A frame's header without its checksums.
    pub(super) fn frame_head(self) -> Kind {
        match self {
            Self::Journal => ("frame", JOURNAL_FRAME),
            _ => ("frame", &[Fixed(4), Fixed(4), Fixed(1), Fixed(1), Fixed(1), Fixed(1)]),
        }
    }

    /// What a frame holds, by the kind in its header. What has no frames has one, of kind 0.
    pub(super) fn contents(self, frame: u8) -> Kind {
        match (self, frame) {
            (Self::Format, _) => ("lines", &[Rest]),
            (Self::Manifest, _) => ("body", MANIFEST),
            (Self::Journal, 1) => ("commit", COMMIT),
            (Self::Journal, 4) => ("record of a manifest", &[Fixed(8), Fixed(32)]),
            (Self::Segment, 1) => ("keys", KEYS),
            (Self::Segment, 2) => ("columns", COLUMNS),
            (Self::Segment, 3) => ("text", &[Rest]),
            (Self::Segment, 4) => ("templates", TEMPLATES),
            (Self::Segment, 5) => ("tables", TABLES),
            (Self::Segment, 6) => (
                "conversations",
                &[List("conversations", &[Block]), List("conversations", &[Number])],
            ),
            (Self::Segment, 7) => ("senders", &[List("senders", &[Block])]),
            (Self::Segment, 8) => ("sets", SETS),
            (Self::Segment, 10) => ("footer", FOOTER),
            (Self::Segment, 11) => ("custodians", CUSTODIANS),
            (Self::Segment, 12) => ("entries", &[List(ENTRIES, &[Block])]),
            (Self::Segment, 13) => ("predictions", &[List(PREDICTIONS, &[Block])]),
            (Self::Segment, 14) => ("facts", FACTS),
            (Self::Ledger, 1) => ("custodians", &[List(ITEMS, &[Inside(&[Fixed(4)]), Block])]),
            (Self::Ledger, 2) => ("names", &[List(ITEMS, &[Inside(&[Block, Fixed(4)]), Block])]),
            (Self::Ledger, 3) => {
                ("runs", &[List(ITEMS, &[Inside(&[Fixed(4)]), Inside(&[Block, Signed])])])
            }
            (Self::Ledger, 4) => ("counters", &[List(ITEMS, &[Inside(&[Fixed(8)]), COUNTS])]),
            (Self::Ledger, 5) => ("checkpoints", &[List(ITEMS, &[Block, Block])]),
            (Self::Ledger, 6) => ("links", &[List(ITEMS, &[Inside(MESSAGE), LINKS])]),
            (Self::Ledger, 7) => {
                ("commits", &[List(ITEMS, &[Inside(&[Fixed(8)]), Inside(&[Number, Fixed(8)])])])
            }
            (Self::Ledger, 8) => ("ranges", &[List(ITEMS, &[Inside(&[Fixed(16)]), RANGES])]),
            (Self::Ledger, 9) => ("blocks", &[List(ITEMS, &[Inside(&[Fixed(12)]), BLOCKS])]),
            (Self::Ledger | Self::Quarantine, DIRECTORY) => {
                ("directory", &[List(ITEMS, &[Block, Inside(&[Frame])])])
            }
            (Self::Ledger, _) => ("footer of a ledger", LEDGER_FOOTER),
            (Self::Quarantine, 1) => {
                ("copies", &[List(ITEMS, &[Inside(&[Fixed(40)]), Inside(&[Number, Number])])])
            }
            (Self::Quarantine, 2) => ("kept", &[List(ITEMS, &[Inside(&[Fixed(12)]), KEPT])]),
            (Self::Quarantine, _) => {
                ("footer of a quarantine", &[Number, STRETCHES, Number, STRETCHES])
            }
            (Self::Pack, 2) => ("entry", ENTRY),
            (Self::Pack, 3) => ("directory", &[Repeat(ENTRY)]),
            (Self::Pack, _) => ("chunk", &[Rest]),
            (Self::Dictionary, _) => ("piece", &[Rest]),
            (Self::Journal, _) => ("nothing", &[Rest]),
            (Self::Segment, _) => ("unknown", &[Rest]),
        }
    }
}

const MANIFEST: &[Shape] = &[
    Fixed(16),
    Fixed(32),
    Number,
    Signed,
    Number,
    Number,
    Number,
    Number,
    Number,
    List("features", &[Block]),
    List("features", &[Block]),
    List("files", FILE),
    List("replaced files", REPLACED),
    List("disposed rows", &[Fixed(1), Number, Fixed(32), Number]),
    List("records", &[Choice(&[(1, &[Inside(REPAIRED)]), (2, &[Inside(FOLDED)])], &[Block])]),
];

/// An entry of the list of files. The binding of a file to its manifest counts on this order.
pub(super) const FILE: &[Shape] =
    &[Fixed(1), Fixed(1), Number, Number, Number, Number, Number, Fixed(32), Fixed(32)];

const REPLACED: &[Shape] = &[
    Fixed(1),
    Number,
    Number,
    Fixed(32),
    Choice(&[(1, &[List("files that took the rows of one", &[Number])]), (2, &[Number])], &[]),
];

const REPAIRED: &[Shape] = &[
    Fixed(16),
    Number,
    Number,
    Number,
    List("linked objects lost", &[Fixed(32)]),
    List("quarantined copies lost", &[Number, Number, Number]),
];

const FOLDED: &[Shape] = &[
    Number,
    Number,
    Number,
    Number,
    Fixed(32),
    List("counters that a fold moved", &[Number, Number, Number]),
];

const JOURNAL_HEAD: &[Shape] = &[
    Fixed(8),
    Fixed(4),
    Fixed(4),
    Fixed(16),
    Fixed(16),
    Fixed(8),
    Fixed(8),
    Fixed(16),
    Fixed(8),
    Fixed(8),
    Fixed(32),
    Fixed(3964),
];

const JOURNAL_FRAME: &[Shape] = &[
    Fixed(4),
    Fixed(4),
    Fixed(4),
    Fixed(4),
    Fixed(1),
    Fixed(1),
    Fixed(1),
    Fixed(5),
    Fixed(8),
    Fixed(8),
    Fixed(16),
];

const COMMIT: &[Shape] = &[
    Number,
    List("custodians", CUSTODIAN),
    List("runs", RUN),
    List("counters", COUNTERS),
    List("checkpoints", &[Block, Block]),
    List("messages with links", LINKED_IN_COMMIT),
    List("rows of a commit", &[Choice(&[(1, COPILOT)], ROW)]),
    List("records of refused copies", REFUSED_IN_COMMIT),
    List("homes", &[Fixed(1), Number, Number, List("sightings of a home", &[Signed, Signed])]),
];

const CUSTODIAN: &[Shape] = &[Number, Block];
const RUN: &[Shape] = &[Number, Block, Signed];
const COUNTERS: &[Shape] = &[Number, Signed, Number, Number, Number, Number, Number];

const LINKED_IN_COMMIT: &[Shape] =
    &[Fixed(1), Block, Fixed(1), Block, Block, List("links of a message", &[Block, Fixed(32)])];

const ROW: &[Shape] = &[Fixed(1), Number, Fixed(32), List("custodians of a row", &[Number]), Block];
const COPILOT: &[Shape] =
    &[Fixed(1), Number, Fixed(32), List("custodians of a row", &[Number]), Block, Block];

const REFUSED_IN_COMMIT: &[Shape] = &[
    Fixed(32),
    Number,
    Number,
    Number,
    Choice(&[(1, &[Number, Block, Block, Number, Block])], &[]),
];

/// Frames of a table beside the pages of its lists.
pub(super) const DIRECTORY: u8 = 30;
pub(super) const TABLE_FOOTER: u8 = 31;
const ITEMS: &str = "items of a page";

const COUNTS: Shape = Inside(&[Number, Number, Number, Number, Number]);
const MESSAGE: &[Shape] = &[Fixed(1), Block, Fixed(1), Block, Block];
const LINKS: Shape = Inside(&[List("links of a message", &[Block, Fixed(32), Number])]);
const RANGES: Shape = Inside(&[List("ranges of a block", &[Number, Number, Signed])]);
const BLOCKS: Shape = Inside(&[List("blocks of a custodian", &[Number, Number, Number])]);
const KEPT: Shape = Inside(&[Fixed(32), Number, Number, Block, Block, Number, Block]);
/// The bytes of a stretch's pages, and of its directory.
const STRETCHES: Shape = List("stretches of a list", &[Block, Inside(&[Frame, Frame])]);

const LEDGER_FOOTER: &[Shape] = &[
    Number,
    STRETCHES,
    Number,
    STRETCHES,
    Number,
    STRETCHES,
    Number,
    STRETCHES,
    Number,
    STRETCHES,
    Number,
    STRETCHES,
    Number,
    STRETCHES,
    Number,
    STRETCHES,
    Number,
    STRETCHES,
    Number,
    Number,
    Number,
    Number,
    Number,
    Number,
    Number,
    Number,
    Choice(&[(1, &[Number, Number, Number, Fixed(8)])], &[]),
    List("segments of a ledger", &[Number]),
];

const NUMBERS: Shape = Choice(&[(1, &[Block]), (2, &[Block])], &[Number]);
const KEY_TEXTS: Shape =
    List("ids of a group that are no numbers; roots likewise", &[Number, Block]);

const KEYS: &[Shape] = &[
    Number,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    KEY_TEXTS,
    NUMBERS,
    KEY_TEXTS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    List("siblings of a group", &[Number]),
    List("siblings of a group", &[Number]),
    Block,
];

const COLUMNS: &[Shape] = &[NUMBERS, Number, NUMBERS, Chain(&[Number, NUMBERS])];

const TEMPLATES: &[Shape] = &[List("templates", &[Block, List("holes of a template", BINDING)])];
const BINDING: &[Shape] =
    &[Choice(&[(1, &[Number]), (2, &[Number]), (3, &[Number]), (4, &[Number])], &[])];

const TABLES: &[Shape] = &[List("columns", &[Fixed(1), Number, OWN_OR_SHARED, Number])];

/// Entries of its own, or the column that has them.
const OWN_OR_SHARED: Shape = Choice(&[(0, &[Number])], &[]);

const SET_NUMBERS: &str = "custodian sets";
const CUSTODIANS_OF_SETS: &str = "custodians of all sets";
const ENTRIES: &str = "entries of all columns";
const PREDICTIONS: &str = "items of predictions";

const SETS: &[Shape] =
    &[List(SET_NUMBERS, &[Inside(&[List("custodians of a set", &[Number]), Repeat(&[Signed])])])];

const CUSTODIANS: &[Shape] =
    &[List(CUSTODIANS_OF_SETS, &[Inside(&[Fixed(4), List("sets of a custodian", &[Number])])])];

const FACTS: &[Shape] = &[List(
    "conversations",
    &[Inside(&[Fixed(4), Signed, Number, List("facts of a conversation", FACT)])],
)];
/// What its name shares with the one before, the rest of it, when and how often.
const FACT: &[Shape] = &[Number, Block, Number, Number, Number];

/// The binding of a segment to its manifest counts on the first fields.
const FOOTER: &[Shape] = &[
    Number,
    Number,
    Number,
    Number,
    Number,
    Number,
    Number,
    Fixed(32),
    Fixed(32),
    Signed,
    Number,
    Signed,
    Number,
    Signed,
    Number,
    List("row groups", GROUP),
    Pages("conversations", 128, &[Frame, Block, Number]),
    Pages("senders", 128, &[Frame, Block]),
    Pages(SET_NUMBERS, 64, &[Frame]),
    Pages(CUSTODIANS_OF_SETS, 64, &[Frame, Block]),
    Pages(ENTRIES, 128, &[Frame]),
    Pages(PREDICTIONS, 32, &[Frame]),
    Pages("conversations", 4, &[Frame, Block]),
    Frame,
    Frame,
];

const GROUP: &[Shape] = &[
    Number,
    Frame,
    Frame,
    List("text chunks of a group", &[Number, Frame]),
    Signed,
    Number,
    Signed,
    Number,
    Signed,
    Number,
    Fixed(64),
    Fixed(1),
    Number,
    List("sender codes of a group; set numbers of a group", &[Number]),
    List("sender codes of a group; set numbers of a group", &[Number]),
];

const ENTRY: &[Shape] = &[Fixed(32), Fixed(8), Fixed(8)];
