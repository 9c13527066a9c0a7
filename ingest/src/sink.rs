//! Where the splitter puts what it found.

/// Takes copies one after the other. The archive's batches are one kind, tests have another.
pub(crate) trait Sink {
    /// One whole document.
    fn offer(&mut self, json: &[u8], offset: u64);

    /// Counts `candidate` and says true if exactly these bytes were a whole document before.
    fn offer_if_known(&mut self, candidate: &[u8]) -> bool;

    /// Bytes that are no document.
    fn quarantine(&mut self, bytes: &[u8], reason: &str, offset: u64);

    /// Called after each document; false asks the splitter to stop here.
    fn keep_going(&mut self) -> bool;
}
