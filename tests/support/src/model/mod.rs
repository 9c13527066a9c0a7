//! The archive as a list in memory: what the engine must agree with.
//!
//! Everything is decided by looking at all rows. Only messages are modelled.

mod identity;
mod select;

use std::collections::{BTreeMap, BTreeSet};

use chatvault_engine::{
    ContentAddress, Counts, Custodian, MessageKey, MessageKind, RunId, Sequence, Sighting,
    Timestamp,
};

pub use identity::{Identity, identify};

use crate::json::{self, Value};

/// One stored variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the document says about itself.
    pub identity: Identity,
    /// BLAKE3 of the canonical form.
    pub address: ContentAddress,
    /// Length of the canonical form without replies: the longest variant is shown.
    pub canonical_bytes: usize,
    /// Exactly what came first.
    pub json: Vec<u8>,
    /// The commit that stored it.
    pub sequence: Sequence,
    /// Who delivered it, and in which run and commit first.
    pub sightings: BTreeMap<Custodian, (RunId, Sequence)>,
}

impl Row {
    /// The message it is a version of.
    pub fn key(&self) -> &MessageKey {
        &self.identity.key
    }

    /// The commit that brought it: to the archive or, if there are custodians, by one of them.
    pub fn arrival(&self, custodians: &[Custodian]) -> Option<Sequence> {
        if custodians.is_empty() {
            return Some(self.sequence);
        }
        let theirs = custodians.iter().filter_map(|custodian| self.sightings.get(custodian));
        theirs.map(|(_, sequence)| *sequence).min()
    }

    /// Who had delivered it by a commit.
    pub fn sighted(&self, until: Sequence) -> impl Iterator<Item = Sighting> + '_ {
        let all = self.sightings.iter().map(|(custodian, (run, sequence))| Sighting {
            custodian: custodian.clone(),
            run: *run,
            sequence: *sequence,
        });
        all.filter(move |sighting| sighting.sequence <= until)
    }

    /// Its place in the order of a message's versions.
    fn version_order(&self) -> (u64, Timestamp, ContentAddress) {
        (self.identity.version, self.identity.modified, self.address)
    }
}

/// A copy that could not be keyed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcast {
    /// Whose export it came with.
    pub custodian: Custodian,
    /// What it was.
    pub bytes: Vec<u8>,
}

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A version not seen before.
    Stored,
    /// Other content of a version that was there.
    Variant,
    /// Content that was there.
    Duplicate,
    /// Nothing that can be keyed.
    Quarantined,
}

/// The reference archive.
#[derive(Clone, Debug)]
pub struct Model {
    /// Every stored row, in order of arrival.
    pub rows: Vec<Row>,
    /// Every copy in quarantine, in order of arrival.
    pub quarantine: Vec<Outcast>,
    /// What was offered so far.
    pub counts: Counts,
    /// The same for each custodian.
    pub by_custodian: BTreeMap<Custodian, Counts>,
    addresses: BTreeMap<ContentAddress, usize>,
    versions: BTreeSet<(MessageKey, u64)>,
    document_bytes: usize,
}

impl Model {
    /// An empty archive that takes documents of at most `document_bytes`.
    pub fn new(document_bytes: usize) -> Self {
        Self {
            rows: Vec::new(),
            quarantine: Vec::new(),
            counts: Counts::default(),
            by_custodian: BTreeMap::new(),
            addresses: BTreeMap::new(),
            versions: BTreeSet::new(),
            document_bytes,
        }
    }

    /// Takes one copy of a commit.
    pub fn offer(
        &mut self,
        sequence: Sequence,
        run: RunId,
        custodian: &Custodian,
        bytes: &[u8],
    ) -> Outcome {
        let outcome = self.place(sequence, run, custodian, json::trim(bytes));
        let counts = tally(outcome);
        self.counts += counts;
        *self.by_custodian.entry(custodian.clone()).or_default() += counts;
        outcome
    }

    fn place(
        &mut self,
        sequence: Sequence,
        run: RunId,
        custodian: &Custodian,
        bytes: &[u8],
    ) -> Outcome {
        let Some((identity, canonical, canonical_bytes)) = self.read(bytes) else {
            self.quarantine.push(Outcast { custodian: custodian.clone(), bytes: bytes.to_vec() });
            return Outcome::Quarantined;
        };
        let address = ContentAddress(*blake3::hash(canonical.as_bytes()).as_bytes());
        if let Some(row) = self.addresses.get(&address).and_then(|at| self.rows.get_mut(*at)) {
            let _ = row.sightings.entry(custodian.clone()).or_insert((run, sequence));
            return Outcome::Duplicate;
        }
        let _ = self.addresses.insert(address, self.rows.len());
        let new = self.versions.insert((identity.key.clone(), identity.version));
        self.rows.push(Row {
            identity,
            address,
            canonical_bytes,
            json: bytes.to_vec(),
            sequence,
            sightings: BTreeMap::from([(custodian.clone(), (run, sequence))]),
        });
        if new { Outcome::Stored } else { Outcome::Variant }
    }

    fn read(&self, bytes: &[u8]) -> Option<(Identity, String, usize)> {
        let value = (bytes.len() <= self.document_bytes).then(|| json::parse(bytes))??;
        Some((identify(&value)?, value.canonical(), without_replies(&value).canonical().len()))
    }

    /// The row with that address.
    pub fn get(&self, address: &ContentAddress) -> Option<&Row> {
        self.addresses.get(address).and_then(|at| self.rows.get(*at))
    }

    /// Every row of a message, versions in order, variants by address.
    pub fn history(&self, key: &MessageKey) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|row| row.key() == key).collect();
        rows.sort_by_key(|row| (row.identity.version, row.address));
        rows
    }

    /// All message keys.
    pub fn keys(&self) -> BTreeSet<&MessageKey> {
        self.rows.iter().map(Row::key).collect()
    }

    /// All kinds that occur, for questions about them.
    pub fn kinds(&self) -> BTreeSet<MessageKind> {
        self.rows.iter().map(|row| row.identity.kind).collect()
    }
}

fn tally(outcome: Outcome) -> Counts {
    let one = |wanted| u64::from(outcome == wanted);
    Counts {
        offered: 1,
        stored: one(Outcome::Stored),
        variants: one(Outcome::Variant),
        duplicates: one(Outcome::Duplicate),
        quarantined: one(Outcome::Quarantined),
    }
}

/// Replies that came with a post say nothing of the post.
fn without_replies(value: &Value) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    let key = |text: &str| -> Vec<u32> { text.chars().map(u32::from).collect() };
    let (replies, about) = (key("replies"), key("replies@"));
    let kept = members.iter().filter(|(name, _)| *name != replies && !name.starts_with(&about));
    Value::Object(kept.cloned().collect())
}
