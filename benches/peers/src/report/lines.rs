//! What the report shows, in its order.

use super::table::{Line, Unit};

const fn line(title: &'static str, name: &'static str, unit: Unit) -> Line {
    Line { title, name, unit }
}

/// Processor time, user and system, all threads.
pub const CPU: &[Line] = &[
    line("import of every page", "import cpu", Unit::Seconds),
    line("import, every version once", "distinct cpu", Unit::Seconds),
    line("commit of 100, durable", "commit cpu", Unit::Millis),
    line("conversation, first touch", "conversation first cpu", Unit::Micros),
    line("conversation, warm", "conversation warm cpu", Unit::Micros),
    line("conversation, store just opened", "conversation cold cpu", Unit::Micros),
    line("day by modified time, first touch", "day first cpu", Unit::Micros),
    line("day by modified time, warm", "day warm cpu", Unit::Micros),
    line("sender, first touch", "sender first cpu", Unit::Micros),
    line("sender, warm", "sender warm cpu", Unit::Micros),
    line("small custodian, first touch", "small-custodian first cpu", Unit::Micros),
    line("small custodian, warm", "small-custodian warm cpu", Unit::Micros),
    line("large custodian, first touch", "large-custodian first cpu", Unit::Micros),
    line("large custodian, warm", "large-custodian warm cpu", Unit::Micros),
    line("get by key, present, store just opened", "present cold cpu", Unit::Micros),
    line("get by key, present, first touch", "present first cpu", Unit::Micros),
    line("get by key, present, warm", "present warm cpu", Unit::Micros),
    line("get by key, absent, first touch", "absent first cpu", Unit::Micros),
    line("get by key, absent, warm", "absent warm cpu", Unit::Micros),
    line("scan of everything, 1 thread, first touch", "scan-1 first cpu", Unit::Millis),
    line("scan of everything, 1 thread, warm", "scan-1 warm cpu", Unit::Millis),
    line("scan of everything, 2 threads, warm", "scan-2 warm cpu", Unit::Millis),
    line("count of everything", "count first cpu", Unit::Millis),
    line("open to read", "open-read cpu", Unit::Millis),
    line("open to write, closed in order", "open-write cpu", Unit::Millis),
    line("open to write, after an abort", "open-aborted cpu", Unit::Millis),
    line("compaction", "compact cpu", Unit::Seconds),
];

/// Time on the clock.
pub const WALL: &[Line] = &[
    line("import of every page", "import wall", Unit::Seconds),
    line("import, every version once", "distinct wall", Unit::Seconds),
    line("commit of 100, durable", "commit wall", Unit::Millis),
    line("conversation, first touch", "conversation first wall", Unit::Micros),
    line("conversation, warm", "conversation warm wall", Unit::Micros),
    line("day by modified time, warm", "day warm wall", Unit::Micros),
    line("sender, warm", "sender warm wall", Unit::Micros),
    line("small custodian, warm", "small-custodian warm wall", Unit::Micros),
    line("large custodian, warm", "large-custodian warm wall", Unit::Micros),
    line("get by key, present, warm", "present warm wall", Unit::Micros),
    line("get by key, absent, warm", "absent warm wall", Unit::Micros),
    line("scan of everything, 1 thread, first touch", "scan-1 first wall", Unit::Millis),
    line("scan of everything, 1 thread, warm", "scan-1 warm wall", Unit::Millis),
    line("scan of everything, 2 threads, first touch", "scan-2 first wall", Unit::Millis),
    line("scan of everything, 2 threads, warm", "scan-2 warm wall", Unit::Millis),
    line("count of everything", "count first wall", Unit::Millis),
    line("open to read", "open-read wall", Unit::Millis),
    line("open to write, closed in order", "open-write wall", Unit::Millis),
    line("open to write, after an abort", "open-aborted wall", Unit::Millis),
    line("compaction", "compact wall", Unit::Seconds),
];

/// Sizes, and what went through system calls.
pub const BYTES: &[Line] = &[
    line("size after the import", "import size", Unit::BytesPerVersion),
    line("size after the import, every version once", "distinct size", Unit::BytesPerVersion),
    line("size after compaction", "compact size", Unit::BytesPerVersion),
    line("written by the import", "import written", Unit::Megabytes),
    line("written by a commit of 100", "commit written", Unit::Kilobytes),
    line("read for a conversation", "conversation cold read", Unit::Kilobytes),
    line("read for a day", "day cold read", Unit::Kilobytes),
    line("read for a sender", "sender cold read", Unit::Kilobytes),
    line("read for a small custodian", "small-custodian cold read", Unit::Kilobytes),
    line("read for a large custodian", "large-custodian cold read", Unit::Kilobytes),
    line("read for a get, present", "present cold read", Unit::Kilobytes),
    line("read for a get, absent", "absent cold read", Unit::Kilobytes),
    line("most memory of the import", "import peak", Unit::Megabytes),
    line("most memory of the compaction", "compact peak", Unit::Megabytes),
];

/// What a number that is drawn is divided by, as questions of corpora give different numbers of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Nothing.
    One,
    /// Rows that a question gives.
    Row,
    /// Copies that came in.
    Copy,
}

/// What is drawn over the number of versions.
pub const GROWTH: &[(Line, Per)] = &[
    (line("Import, a copy", "import cpu", Unit::Micros), Per::Copy),
    (line("A conversation, first touch, a row", "conversation first cpu", Unit::Micros), Per::Row),
    (line("A conversation, warm, a row", "conversation warm cpu", Unit::Micros), Per::Row),
    (line("A day, warm, a row", "day warm cpu", Unit::Micros), Per::Row),
    (line("A sender, warm, a row", "sender warm cpu", Unit::Micros), Per::Row),
    (line("A small custodian, warm", "small-custodian warm cpu", Unit::Micros), Per::One),
    (line("A large custodian, warm, a row", "large-custodian warm cpu", Unit::Micros), Per::Row),
    (line("Get by key, present, warm", "present warm cpu", Unit::Micros), Per::One),
    (line("Scan on one thread, warm, a row", "scan-1 warm cpu", Unit::Micros), Per::Row),
    (line("Open to read", "open-read cpu", Unit::Millis), Per::One),
    (line("Size after the import", "import size", Unit::BytesPerVersion), Per::One),
];
