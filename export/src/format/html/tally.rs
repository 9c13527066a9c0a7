//! What was counted: per page, per chat and for the whole index.

/// Counts of one chat, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Messages of people and applications, without those that are only context.
    pub messages: u64,
    /// System events that were written.
    pub events: u64,
    /// System events that were left out on request.
    pub events_omitted: u64,
    /// Messages whose text was edited.
    pub edited: u64,
    /// Messages that were deleted.
    pub deleted: u64,
    /// Files and inline contents whose bytes the archive has.
    pub files: u64,
    /// Files and inline contents that could not be had.
    pub unavailable: u64,
    /// Files and inline contents that were left out on request.
    pub files_omitted: u64,
    /// Messages that are only there because another needs them.
    pub context: u64,
}

impl Tally {
    /// Adds another one.
    pub(crate) fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.events += other.events;
        self.events_omitted += other.events_omitted;
        self.edited += other.edited;
        self.deleted += other.deleted;
        self.files += other.files;
        self.unavailable += other.unavailable;
        self.files_omitted += other.files_omitted;
        self.context += other.context;
    }
}
