//! Where the splitter puts what it found.

use chatvault_engine::{Batch, Custodian, Origin, RecordKind};

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

/// Puts the documents of one page into a batch, whose commit is somebody else's.
#[derive(Debug)]
pub(crate) struct BatchSink<'a> {
    pub(crate) batch: &'a mut Batch,
    pub(crate) custodian: &'a Custodian,
    pub(crate) record: RecordKind,
    /// Where the page starts.
    pub(crate) origin: Origin<'a>,
}

impl<'a> BatchSink<'a> {
    fn origin(&self, offset: u64) -> Origin<'a> {
        Origin { offset: self.origin.offset.saturating_add(offset), ..self.origin }
    }
}

impl Sink for BatchSink<'_> {
    fn offer(&mut self, json: &[u8], offset: u64) {
        self.batch.offer(self.custodian, self.record, json, self.origin(offset));
    }

    fn offer_if_known(&mut self, candidate: &[u8]) -> bool {
        self.record == RecordKind::Message && self.batch.offer_if_known(self.custodian, candidate)
    }

    fn quarantine(&mut self, bytes: &[u8], reason: &str, offset: u64) {
        self.batch.quarantine(self.custodian, bytes, reason, self.origin(offset));
    }

    fn keep_going(&mut self) -> bool {
        true
    }
}
