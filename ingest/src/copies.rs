//! One thread's batch: fills it, commits it when it is big enough, keeps the counters.

use chatvault_engine::{Batch, Custodian, Origin};

use crate::shared::{Shared, add};
use crate::sink::Sink;

/// Copies between two looks at the stop sign, the batch's size and the counters.
const SETTLE_COPIES: u64 = 64;

/// Or bytes, so that a few huge documents cannot outgrow the batch.
const SETTLE_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Copies<'a> {
    shared: &'a Shared<'a>,
    batch: Batch,
    unsettled: u64,
    unsettled_bytes: usize,
}

impl<'a> Copies<'a> {
    pub(crate) fn new(shared: &'a Shared<'a>) -> Self {
        let batch = shared.archive.batch(shared.run);
        Self { shared, batch, unsettled: 0, unsettled_bytes: 0 }
    }

    /// What one file's documents are offered to.
    pub(crate) fn of<'s>(
        &'s mut self,
        custodian: &'s Custodian,
        file: &'s str,
    ) -> FileSink<'s, 'a> {
        FileSink { copies: self, custodian, file }
    }

    /// False if the import is to stop.
    fn settle(&mut self) -> bool {
        add(&self.shared.copies, self.unsettled);
        (self.unsettled, self.unsettled_bytes) = (0, 0);
        let options = self.shared.options;
        if self.batch.len() >= options.batch_copies || self.batch.bytes() >= options.batch_bytes {
            self.commit();
        }
        !self.shared.stopped()
    }

    /// Makes durable what is in the batch.
    fn commit(&mut self) {
        let fresh = self.shared.archive.batch(self.shared.run);
        match std::mem::replace(&mut self.batch, fresh).commit() {
            Ok(report) => self.shared.committed(report),
            Err(error) => self.shared.fail(error),
        }
    }

    /// Commits the rest, unless the archive refused a commit already.
    pub(crate) fn finish(mut self) {
        add(&self.shared.copies, self.unsettled);
        if !self.batch.is_empty() && !self.shared.failed() {
            self.commit();
        }
    }
}

/// Offers the documents of one file.
#[derive(Debug)]
pub(crate) struct FileSink<'s, 'a> {
    copies: &'s mut Copies<'a>,
    custodian: &'s Custodian,
    file: &'s str,
}

impl Sink for FileSink<'_, '_> {
    fn offer(&mut self, json: &[u8], offset: u64) {
        let origin = Origin { source: self.file, offset };
        let record = self.copies.shared.options.record;
        self.copies.batch.offer(self.custodian, record, json, origin);
        self.copies.unsettled_bytes += json.len();
    }

    fn offer_if_known(&mut self, candidate: &[u8]) -> bool {
        self.copies.batch.offer_if_known(self.custodian, candidate)
    }

    fn quarantine(&mut self, bytes: &[u8], reason: &str, offset: u64) {
        let origin = Origin { source: self.file, offset };
        self.copies.batch.quarantine(self.custodian, bytes, reason, origin);
        self.copies.unsettled_bytes += bytes.len();
    }

    fn keep_going(&mut self) -> bool {
        self.copies.unsettled += 1;
        let due =
            self.copies.unsettled >= SETTLE_COPIES || self.copies.unsettled_bytes >= SETTLE_BYTES;
        !due || self.copies.settle()
    }
}
