//! How much the index takes at once. Values, so that a test can have small ones.

/// See the module's description.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Rows held as candidates; a search for more looks at every row instead. 4 Mi take 32 MiB.
    pub(super) rows: usize,
    /// Conversations that a scan is narrowed to.
    pub(super) conversations: usize,
    /// Values of a list that the index is asked for.
    pub(super) facts: usize,
    /// Rows of a kind that are kept of what arrived behind the index; one that is behind by more narrows
    /// nothing. 1 Mi take 16 MiB.
    pub(super) behind_rows: usize,
    /// Candidates of the first stretch: those of a page of hits, and versions that are not the chosen ones.
    pub(super) first_rows: usize,
    /// Candidates of a stretch, but for those of the same time.
    pub(super) stretch_rows: usize,
    /// So many candidates are looked up one by one; more are read in one scan.
    pub(super) few_rows: usize,
    /// Documents that are looked at together from the first time on: they are stored from the last.
    pub(super) part_docs: u32,
    /// Rows after which a step ends, about: less than that is lost by a crash.
    pub(super) step_rows: usize,
    /// Of so many rows one is looked at to find the ends of steps.
    pub(super) sample: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 4 << 20,
            conversations: 10_000,
            facts: 1_000,
            behind_rows: 1 << 20,
            first_rows: 32,
            stretch_rows: 65_536,
            few_rows: 256,
            part_docs: 4_096,
            step_rows: 1_000_000,
            sample: 1_000,
        }
    }
}

#[cfg(test)]
impl Limits {
    /// So small that a test with a few hundred rows meets each of them.
    pub(super) fn small() -> Self {
        Self {
            rows: 40,
            conversations: 3,
            facts: 2,
            behind_rows: 40,
            first_rows: 3,
            stretch_rows: 60,
            few_rows: 24,
            part_docs: 4,
            step_rows: 20,
            sample: 1,
        }
    }
}
