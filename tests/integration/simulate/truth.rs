//! What an archive must hold behind a commit, and whether it does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::RangeInclusive;
use std::sync::Arc;

use chatvault_engine::{
    Archive, ContentAddress, Custodian, Depth, Error, ErrorKind, MessageKey, RunId, Sequence,
    Snapshot, Stored,
};
use chatvault_support::model::Model;

use crate::kit::{assert_rows, everything, expected, go_on, rows};

/// The name of the checkpoint that says which commit was the last.
const STEP: &str = "step";

/// What one batch holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    pub(super) copies: Vec<(Custodian, Vec<u8>)>,
    /// An object that is linked to a message.
    pub(super) object: Option<(MessageKey, Vec<u8>)>,
    /// A named value; an empty one takes the earlier one back.
    pub(super) checkpoint: Option<(String, Vec<u8>)>,
}

/// Everything that an archive holds behind a commit.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    /// Which commit that is: no two commits of any history have the same.
    pub(super) step: u64,
    model: Model,
    checkpoints: BTreeMap<String, Vec<u8>>,
    links: BTreeMap<MessageKey, BTreeSet<(String, ContentAddress)>>,
    objects: BTreeMap<ContentAddress, Vec<u8>>,
    rows: Vec<Stored>,
}

impl Truth {
    /// An empty archive.
    pub(super) fn new(document_bytes: usize) -> Self {
        Self {
            step: 0,
            model: Model::new(document_bytes),
            checkpoints: BTreeMap::new(),
            links: BTreeMap::new(),
            objects: BTreeMap::new(),
            rows: Vec::new(),
        }
    }

    /// What a commit makes of it.
    pub(super) fn with(&self, offer: &Offer, step: u64, sequence: Sequence, run: RunId) -> Self {
        let mut next = self.clone();
        next.step = step;
        for (custodian, json) in &offer.copies {
            let _ = next.model.offer(sequence, run, custodian, json);
        }
        if let Some((key, object)) = &offer.object {
            let address = ContentAddress(*blake3::hash(object).as_bytes());
            let _ = next.links.entry(key.clone()).or_default().insert((name_of(step), address));
            drop(next.objects.insert(address, object.clone()));
        }
        next.set(STEP, &step.to_le_bytes());
        if let Some((name, value)) = &offer.checkpoint {
            next.set(name, value);
        }
        next.rows = next.model.scan(&everything()).into_iter().map(expected).collect();
        next
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        drop(self.checkpoints.insert(name.to_owned(), value.to_vec()));
        self.checkpoints.retain(|_, value| !value.is_empty());
    }

    /// Is it what a snapshot shows?
    fn check_rows(&self, snapshot: &Snapshot, place: &str) {
        assert_rows(&rows(snapshot, &everything()).unwrap(), &self.rows, place);
        assert_eq!(snapshot.custodians().unwrap(), self.model.by_custodian, "counters, {place}");
        for (key, links) in &self.links {
            let found: BTreeSet<_> = snapshot.links(key).unwrap().into_iter().collect();
            assert_eq!(&found, links, "links of {key:?}, {place}");
        }
    }

    /// Is it everything that an archive holds, and is that sound?
    pub(super) fn check(&self, archive: &Archive, place: &str) {
        let snapshot = archive.snapshot().unwrap();
        self.check_rows(&snapshot, place);
        let found: BTreeMap<_, _> = archive.checkpoints("").unwrap().into_iter().collect();
        assert_eq!(found, self.checkpoints, "checkpoints, {place}");
        let mut refused: BTreeMap<_, BTreeMap<Custodian, u64>> = BTreeMap::new();
        for copy in &self.model.quarantine {
            let copies = refused.entry(copy.bytes.clone()).or_default();
            *copies.entry(copy.custodian.clone()).or_default() += 1;
        }
        let listed = snapshot.quarantine().unwrap().map(Result::unwrap);
        let listed: BTreeMap<_, _> = listed.map(|copy| (copy.bytes, copy.copies)).collect();
        assert_eq!(listed, refused, "quarantine, {place}");
        for (address, object) in &self.objects {
            let mut bytes = Vec::new();
            let reader = snapshot.object(address).unwrap();
            let _ = reader.map(|mut reader| reader.read_to_end(&mut bytes).unwrap());
            assert!(bytes == *object, "object {address} is lost, {place}");
        }
        let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
        assert_eq!(report.damages, [], "{place}");
        assert_eq!((report.counts, report.rows), (self.model.counts, self.rows.len() as u64));
    }
}

/// The attachment that an object is linked to.
fn name_of(step: u64) -> String {
    format!("attachment {step}")
}

/// Offers a batch, puts its object, and commits.
pub(super) fn commit(
    archive: &Archive,
    run: RunId,
    offer: &Offer,
    step: u64,
) -> Result<Sequence, Error> {
    let mut batch = archive.batch(run);
    for (custodian, json) in &offer.copies {
        let record = chatvault_engine::RecordKind::Message;
        batch.offer(custodian, record, json, crate::kit::ORIGIN);
    }
    if let Some((key, object)) = &offer.object {
        let address = archive.put_object(&mut &object[..])?;
        batch.link(key, &name_of(step), address);
    }
    batch.checkpoint(STEP, &step.to_le_bytes());
    if let Some((name, value)) = &offer.checkpoint {
        batch.checkpoint(name, value);
    }
    batch.commit().map(|report| report.sequence)
}

/// The last commit that an archive shows.
pub(super) fn step_of(archive: &Archive) -> u64 {
    let value = archive.checkpoint(STEP).unwrap();
    value.map_or(0, |value| u64::from_le_bytes(value.try_into().unwrap()))
}

/// What may be found on a disk: states in the order in which they came to be.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    pub(super) truths: Vec<Arc<Truth>>,
    /// Nobody was told that there is an archive.
    pub(super) or_none: bool,
}

impl Allowed {
    pub(super) fn of(truths: &[Arc<Truth>], range: RangeInclusive<usize>) -> Self {
        Self { truths: truths[range].to_vec(), or_none: false }
    }

    /// The state that an archive shows, fully compared.
    pub(super) fn find(&self, archive: &Archive, place: &str) -> Arc<Truth> {
        let truth = self.with_step(step_of(archive), place);
        truth.check(archive, place);
        truth
    }

    /// What a reader shows, rows and counters compared: the step, and the sequence it says.
    pub(super) fn look(&self, reader: &Archive, place: &str) -> (u64, Sequence) {
        let snapshot = reader.snapshot().unwrap();
        let truth = self.with_step(step_of(reader), place);
        truth.check_rows(&snapshot, place);
        (truth.step, snapshot.sequence())
    }

    /// The state behind a commit.
    pub(super) fn with_step(&self, step: u64, place: &str) -> Arc<Truth> {
        let truth = self.truths.iter().find(|truth| truth.step == step);
        let steps = || self.truths.iter().map(|truth| truth.step).collect::<Vec<_>>();
        let message = || format!("{place}: shows commit {step}, may be {:?}", steps());
        Arc::clone(truth.ok_or_else(message).unwrap())
    }

    /// May opening end with this error?
    pub(super) fn assert_none(&self, error: &Error, place: &str) {
        assert!(self.or_none && error.kind() == ErrorKind::NotFound, "{place}: {error:?}");
    }
}
