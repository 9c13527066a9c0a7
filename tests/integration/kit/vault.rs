//! An archive under test, and the reference archive that was told the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_engine::{
    Archive, CommitReport, Custodian, Depth, Host, Options, RecordKind, RunId, Scan, Sequence,
    Storage, Stored,
};
use chatvault_support::model::Model;

use super::{ORIGIN, assert_rows, everything, expected_at, go_on, host, rows, small};

/// An archive and its reference.
#[derive(Debug)]
pub(crate) struct Vault {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) options: Options,
    archive: Option<Archive>,
    pub(crate) model: Model,
    pub(crate) run: RunId,
}

impl Vault {
    /// A new archive on a storage.
    pub(crate) fn create(storage: Arc<dyn Storage>) -> Self {
        let clock = host(&storage).clock;
        Self::on(Host { storage, clock })
    }

    /// A new archive on a host.
    pub(crate) fn on(host: Host) -> Self {
        let (storage, options) = (Arc::clone(&host.storage), small());
        let archive = Archive::create(host, options.clone()).unwrap();
        let run = archive.begin_run("test").unwrap();
        let model = Model::new(options.document_bytes);
        Self { storage, options, archive: Some(archive), model, run }
    }

    pub(crate) fn archive(&self) -> &Archive {
        self.archive.as_ref().unwrap()
    }

    /// Commits copies in one batch, in both archives, and compares the reports.
    pub(crate) fn commit(&mut self, copies: &[(Custodian, Vec<u8>)]) -> CommitReport {
        let mut batch = self.archive().batch(self.run);
        for (custodian, json) in copies {
            batch.offer(custodian, RecordKind::Message, json, ORIGIN);
        }
        assert_eq!(batch.len(), copies.len() as u64);
        let report = batch.commit().unwrap();
        self.accept(copies, &report);
        report
    }

    /// Tells the reference what a commit did, and compares.
    fn accept(&mut self, copies: &[(Custodian, Vec<u8>)], report: &CommitReport) {
        let counts = std::mem::take(&mut self.model.counts);
        let by_custodian = std::mem::take(&mut self.model.by_custodian);
        for (custodian, json) in copies {
            let _ = self.model.offer(report.sequence, self.run, custodian, json);
        }
        assert_eq!(report.counts, self.model.counts);
        assert_eq!(report.by_custodian, self.model.by_custodian);
        self.model.counts += counts;
        for (custodian, counts) in by_custodian {
            *self.model.by_custodian.entry(custodian).or_default() += counts;
        }
    }

    /// A shorter word for one copy in a commit of its own.
    pub(crate) fn put(&mut self, custodian: &Custodian, json: &str) -> CommitReport {
        self.commit(&[(custodian.clone(), json.as_bytes().to_vec())])
    }

    pub(crate) fn begin_run(&mut self) {
        self.run = self.archive().begin_run("another run").unwrap();
    }

    /// Closes and opens again.
    pub(crate) fn reopen(&mut self) {
        self.archive.take().unwrap().close().unwrap();
        self.open();
    }

    /// Goes on with what another storage holds, as after a crash.
    pub(crate) fn move_to(&mut self, storage: Arc<dyn Storage>) {
        self.storage = storage;
        self.open();
    }

    fn open(&mut self) {
        // The old one goes first: it may hold the lock.
        self.archive = None;
        self.archive = Some(Archive::open(host(&self.storage), self.options.clone()).unwrap());
        self.begin_run();
    }

    pub(crate) fn compact(&self) {
        assert!(self.archive().compact(&mut go_on).unwrap().finished);
    }

    /// What the reference says a scan gives, limit aside.
    pub(crate) fn expect(&self, scan: &Scan) -> Vec<Stored> {
        let until = scan.as_of_sequence.unwrap_or(Sequence(u64::MAX));
        self.model.scan(scan).into_iter().map(|row| expected_at(row, until)).collect()
    }

    /// Compares one scan, and its count.
    pub(crate) fn check_scan(&self, scan: &Scan) {
        let snapshot = self.archive().snapshot().unwrap();
        let question = format!("{scan:?}");
        let expected = self.expect(scan);
        assert_rows(&rows(&snapshot, scan).unwrap(), &expected, &question);
        assert_eq!(snapshot.count(scan).unwrap(), expected.len() as u64, "{question}");
    }

    /// Compares all rows, the quarantine and the counters.
    pub(crate) fn check(&self) {
        self.check_scan(&everything());
        let snapshot = self.archive().snapshot().unwrap();
        let listed: Vec<_> = snapshot.quarantine().unwrap().map(Result::unwrap).collect();
        let listed = listed.into_iter().map(|outcast| (outcast.bytes, outcast.copies)).collect();
        let mut outcasts: Vec<(Vec<u8>, BTreeMap<Custodian, u64>)> = Vec::new();
        for outcast in &self.model.quarantine {
            let known = outcasts.iter().position(|(bytes, _)| *bytes == outcast.bytes);
            let at = known.unwrap_or_else(|| {
                outcasts.push((outcast.bytes.clone(), BTreeMap::new()));
                outcasts.len() - 1
            });
            *outcasts[at].1.entry(outcast.custodian.clone()).or_default() += 1;
        }
        let in_order = |mut list: Vec<_>| {
            list.sort();
            list
        };
        assert!(in_order(listed) == in_order(outcasts), "the quarantines differ");
        assert_eq!(snapshot.custodians().unwrap(), self.model.by_custodian);
        let stat = self.archive().stat().unwrap();
        assert_eq!(stat.counts, self.model.counts);
        assert_eq!(stat.versions + stat.variants, self.model.rows.len() as u64);
    }

    /// Lets the archive check itself, all rows included.
    pub(crate) fn verify(&self) {
        let report = self.archive().verify(Depth::Deep, &mut go_on).unwrap();
        assert_eq!(report.damages, []);
        assert!(report.finished);
        assert_eq!(report.counts, self.model.counts);
        assert_eq!(report.rows, self.model.rows.len() as u64);
    }
}
