//! What a file may hold at most: every limit by its name, in one place.
//!
//! Invariants: a writer refuses to write what a reader refuses to read; a reader compares with a
//! limit before it takes memory. Bytes: FORMAT.md, "Limits".

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// A kind of list: how many items it has at most, and the least bytes of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

impl Limit {
    const fn new(items: usize, bytes: usize) -> Self {
        Self { items, bytes }
    }

    /// The same with at most so many items: another field says how many there can be.
    pub(crate) fn within(self, items: usize) -> Self {
        Self { items: self.items.min(items), ..self }
    }
}

/// Items that room is made for before the first is read; more room comes with the items.
pub(crate) const FIRST_ITEMS: usize = 256;

/// What a payload decodes to, in bytes.
pub(crate) mod decoded {
    use super::MIB;

    /// No frame of any file decodes to more.
    pub(crate) const FRAME: usize = 256 * MIB;
    pub(crate) const KEYS: usize = 128 * MIB;
    pub(crate) const TEMPLATES: usize = 64 * MIB;
    pub(crate) const DICTIONARY: usize = 2 * MIB;
    pub(crate) const FOOTER: usize = 16 * MIB;
    /// The facts of a conversation, unpacked.
    pub(crate) const FACTS: usize = 16 * MIB;
    /// One document, rendered.
    pub(crate) const DOCUMENT: usize = 32 * MIB;
    /// The literal text of a row group's templates.
    pub(crate) const LITERALS: usize = 16 * MIB;
}

/// How many items a list has.
pub(crate) mod list {
    use super::Limit;

    pub(crate) const FEATURES: Limit = Limit::new(64, 2);
    pub(crate) const FILES: Limit = Limit::new(1 << 20, 71);
    pub(crate) const REPLACED: Limit = Limit::new(1 << 20, 37);
    pub(crate) const REPLACEMENTS: Limit = Limit::new(1 << 16, 1);
    pub(crate) const DISPOSED: Limit = Limit::new(1 << 20, 35);
    pub(crate) const RECORDS: Limit = Limit::new(1 << 16, 2);
    pub(crate) const LOST_OBJECTS: Limit = Limit::new(1 << 24, 32);
    pub(crate) const LOST_COPIES: Limit = Limit::new(1 << 24, 3);
    pub(crate) const MOVED: Limit = Limit::new(1 << 24, 3);

    pub(crate) const CUSTODIANS: Limit = Limit::new(1 << 20, 7);
    pub(crate) const RUNS: Limit = Limit::new(1 << 22, 3);
    pub(crate) const COUNTERS: Limit = Limit::new(1 << 25, 7);
    pub(crate) const CHECKPOINTS: Limit = Limit::new(1 << 22, 2);
    pub(crate) const LINKED: Limit = Limit::new(1 << 25, 6);
    pub(crate) const LINKS: Limit = Limit::new(1 << 16, 33);

    pub(crate) const ROWS: Limit = Limit::new(1 << 23, 37);
    pub(crate) const ROW_CUSTODIANS: Limit = Limit::new(1 << 20, 1);
    pub(crate) const REFUSED: Limit = Limit::new(1 << 23, 36);
    pub(crate) const HOMES: Limit = Limit::new(1 << 20, 3);
    pub(crate) const SIGHTINGS: Limit = Limit::new(1 << 27, 2);
    /// Of a page of a table, and of a directory.
    pub(crate) const ITEMS: Limit = Limit::new(1 << 14, 2);
    pub(crate) const STRETCHES: Limit = Limit::new(1 << 16, 4);
    pub(crate) const LEDGER_SEGMENTS: Limit = Limit::new(1 << 20, 1);
    /// Of a custodian in a block of rows.
    pub(crate) const RANGES: Limit = Limit::new(1 << 10, 3);
    /// Of a custodian in a segment.
    pub(crate) const BLOCKS: Limit = Limit::new(1 << 22, 3);

    pub(crate) const GROUPS: Limit = Limit::new(1 << 16, 16);
    pub(crate) const CHUNKS: Limit = Limit::new(1 << 12, 2);
    pub(crate) const GROUP_CODES: Limit = Limit::new(1 << 12, 1);
    pub(crate) const KEY_TEXTS: Limit = Limit::new(1 << 12, 2);
    pub(crate) const SIBLINGS: Limit = Limit::new(1 << 12, 1);
    pub(crate) const TEMPLATES: Limit = Limit::new(1 << 16, 2);
    pub(crate) const HOLES: Limit = Limit::new(1 << 22, 1);
    pub(crate) const COLUMNS: Limit = Limit::new(1 << 18, 4);
    pub(crate) const ENTRIES: Limit = Limit::new(1 << 22, 1);
    pub(crate) const CONVERSATIONS: Limit = Limit::new(1 << 28, 1);
    pub(crate) const SENDERS: Limit = Limit::new(1 << 28, 1);
    pub(crate) const SETS: Limit = Limit::new(1 << 22, 2);
    pub(crate) const SETS_OF_CUSTODIAN: Limit = Limit::new(1 << 22, 1);
    pub(crate) const CUSTODIANS_OF_ROWS: Limit = Limit::new(1 << 20, 6);
    pub(crate) const PREDICTIONS: Limit = Limit::new(1 << 21, 4);
    pub(crate) const SET_CUSTODIANS: Limit = Limit::new(1 << 20, 2);
    pub(crate) const FACTS: Limit = Limit::new(1 << 20, 4);
}

/// Sequences of commits end here: what comes behind one can always be counted.
pub(crate) const SEQUENCE: u64 = 1 << 56;
/// Numbers in names of files have 16 digits.
pub(crate) const FILE_NUMBER: u64 = 9_999_999_999_999_999;
/// Numbers of custodians: some are left out behind a ledger that cannot be read.
pub(crate) const CUSTODIAN: u32 = 1 << 30;
/// Ingest runs of an archive.
pub(crate) const RUN: u32 = 1 << 31;
/// A counter of copies: sums of counters never overflow. Nor do those of files, below.
pub(crate) const COUNTER: u64 = 1 << 36;
/// Rows of a file.
pub(crate) const FILE_ROWS: u64 = 1 << 40;
/// Bytes of a file, or of the documents in it.
pub(crate) const FILE_BYTES: u64 = 1 << 43;

/// A frame decodes to so many times its stored bytes at most …
const RATIO: usize = 64;
/// … and one that stores less may decode to as much as one that stores this.
const LEAST_STORED: usize = KIB;

/// What so many stored bytes decode to at most: memory is bounded by the size of the file, too.
pub(crate) fn room(stored: usize) -> usize {
    stored.max(LEAST_STORED).saturating_mul(RATIO)
}

/// Appends an empty zstd frame that readers skip where zstd did better than [`room`] allows.
pub(crate) fn pad(packed: &mut Vec<u8>, raw: usize) {
    const SKIPPABLE: [u8; 4] = 0x184d_2a50_u32.to_le_bytes();
    const SKIPPABLE_HEADER_BYTES: usize = 8;
    if raw <= room(packed.len()) {
        return;
    }
    let missing = raw.div_ceil(RATIO).saturating_sub(packed.len());
    let zeros = u32::try_from(missing.saturating_sub(SKIPPABLE_HEADER_BYTES)).unwrap_or(u32::MAX);
    packed.extend_from_slice(&SKIPPABLE);
    packed.extend_from_slice(&zeros.to_le_bytes());
    packed.resize(packed.len().saturating_add(zeros as usize), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::unpack::unpack;

    /// The rows of the tables of FORMAT.md, "Limits": the first cell and the numbers behind it.
    fn shown() -> Vec<(String, Vec<usize>)> {
        let section = crate::format::document::DOCUMENT.split("\n## ");
        let section = section.into_iter().find(|text| text.starts_with("Limits\n")).unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
        let numbers = |cells: std::str::Split<'_, &str>| {
            let number = |cell: &str| cell.trim_matches(['|', ' ']).replace(',', "").parse().ok();
            cells.filter_map(number).collect::<Vec<usize>>()
        };
        let row = |line: &str| {
            let mut cells = line.split(" | ");
            (cells.next().unwrap().to_owned(), numbers(cells))
        };
        rows.map(row).filter(|(_, numbers)| !numbers.is_empty()).collect()
    }

    #[test]
    fn the_format_document_says_every_limit() {
        use decoded as d;
        let narrow = |number: u64| usize::try_from(number).unwrap();
        let values = [
            ("any frame", vec![d::FRAME]),
            ("keys", vec![d::KEYS]),
            ("templates", vec![d::TEMPLATES]),
            ("dictionary", vec![d::DICTIONARY]),
            ("footer", vec![d::FOOTER]),
            ("facts of a conversation, unpacked", vec![d::FACTS]),
            ("a document, rendered", vec![d::DOCUMENT]),
            ("literal text of a row group", vec![d::LITERALS]),
            ("sequence of a commit", vec![narrow(SEQUENCE)]),
            ("number of a file", vec![narrow(FILE_NUMBER)]),
            ("run", vec![narrow(u64::from(RUN))]),
            ("custodian's number", vec![CUSTODIAN as usize - 1]),
            ("counter of copies", vec![narrow(COUNTER)]),
            ("rows of a file", vec![narrow(FILE_ROWS)]),
            ("bytes of a file, or of its documents", vec![narrow(FILE_BYTES)]),
        ];
        let lists = [
            ("features", list::FEATURES),
            ("files", list::FILES),
            ("replaced files", list::REPLACED),
            ("files that took the rows of one", list::REPLACEMENTS),
            ("disposed rows", list::DISPOSED),
            ("records", list::RECORDS),
            ("linked objects lost", list::LOST_OBJECTS),
            ("quarantined copies lost", list::LOST_COPIES),
            ("counters that a fold moved", list::MOVED),
            ("custodians", list::CUSTODIANS),
            ("runs", list::RUNS),
            ("counters", list::COUNTERS),
            ("checkpoints", list::CHECKPOINTS),
            ("messages with links", list::LINKED),
            ("links of a message", list::LINKS),
            ("rows of a commit", list::ROWS),
            ("custodians of a row", list::ROW_CUSTODIANS),
            ("records of refused copies", list::REFUSED),
            ("homes", list::HOMES),
            ("sightings of a home", list::SIGHTINGS),
            ("items of a page", list::ITEMS),
            ("stretches of a list", list::STRETCHES),
            ("segments of a ledger", list::LEDGER_SEGMENTS),
            ("ranges of a block", list::RANGES),
            ("blocks of a custodian", list::BLOCKS),
            ("row groups", list::GROUPS),
            ("text chunks of a group", list::CHUNKS),
            ("sender codes of a group; set numbers of a group", list::GROUP_CODES),
            ("ids of a group that are no numbers; roots likewise", list::KEY_TEXTS),
            ("siblings of a group", list::SIBLINGS),
            ("templates", list::TEMPLATES),
            ("holes of a template", list::HOLES),
            ("columns", list::COLUMNS),
            ("conversations", list::CONVERSATIONS),
            ("senders", list::SENDERS),
            ("custodian sets", list::SETS),
            ("sets of a custodian", list::SETS_OF_CUSTODIAN),
            ("custodians of a set", list::SET_CUSTODIANS),
            ("custodians of all sets", list::CUSTODIANS_OF_ROWS),
            ("entries of all columns", list::ENTRIES),
            ("items of predictions", list::PREDICTIONS),
            ("facts of a conversation", list::FACTS),
        ];
        let lists = lists.map(|(name, limit)| (name, vec![limit.items, limit.bytes]));
        let all = values.into_iter().chain(lists).map(|(name, numbers)| (name.to_owned(), numbers));
        assert_eq!(shown(), all.collect::<Vec<_>>());
    }

    #[test]
    fn what_packs_too_well_is_padded_and_unpacks_to_the_same() {
        for raw in [0, 10, 64 * KIB, 64 * KIB + 1, 100 * KIB, MIB, 5 * MIB] {
            let text = vec![b'a'; raw];
            let mut packed = zstd::bulk::compress(&text, 3).unwrap();
            pad(&mut packed, raw);
            assert!(raw <= room(packed.len()), "{raw} bytes in {}", packed.len());
            assert!(packed.len() <= raw.div_ceil(RATIO).max(LEAST_STORED) + 8);
            assert_eq!(unpack(&packed, raw, None, "it").unwrap(), text);
        }
    }
}
