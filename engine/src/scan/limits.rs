//! How much a scan takes at once. Values, so that a test can have small ones.

/// See the module's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Marked rows of a conversation up to which it is looked through as a whole.
    pub(super) small_conversation: u64,
    /// Rows that a pass selects: 65,536 take up to 8 MiB while they are being selected.
    pub(super) pass_rows: usize,
    /// Rows that the first pass selects if nobody says how many are wanted: zone maps soon rule out most
    /// of an archive for these.
    pub(super) first_rows: usize,
    /// Rows of a stretch that a thread takes, about: conversations are not cut.
    pub(super) stretch_rows: u64,
    /// Rows that a thread of several renders at once, and their bytes.
    pub(super) batch_rows: usize,
    pub(super) share_bytes: usize,
    /// Bytes of documents rendered ahead.
    pub(super) batch_bytes: usize,
    /// Segments whose readers are kept; each holds about a megabyte.
    pub(super) open_readers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            small_conversation: 32_768,
            pass_rows: 65_536,
            first_rows: 512,
            stretch_rows: 2_048,
            batch_rows: 256,
            share_bytes: 512 << 10,
            batch_bytes: 48 << 20,
            open_readers: 32,
        }
    }
}

#[cfg(test)]
impl Limits {
    /// So small that a test with a few hundred rows meets each of them.
    pub(super) fn small() -> Self {
        Self {
            small_conversation: 40,
            pass_rows: 50,
            first_rows: 5,
            stretch_rows: 20,
            batch_rows: 7,
            share_bytes: 42,
            batch_bytes: 4 << 10,
            open_readers: 2,
        }
    }
}
