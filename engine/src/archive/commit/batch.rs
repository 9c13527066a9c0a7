//! Copies on their way into the archive.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use tracing::{debug, debug_span};

use super::committing::Compare;
use super::moves::Holder;
use super::recall::Fingerprint;
use super::slab::{RowRef, SlabRow};
use crate::archive::accounts::book::Counts;
use crate::archive::{CommitReport, Shared};
use crate::count::narrow;
use crate::error::Result;
use crate::format::limits::decoded;
use crate::row::{Canonical, Limits, Parser, Shape, identify};
use crate::types::{ContentAddress, Custodian, MessageKey, RecordKind, RunId};

/// Where a copy came from, for the quarantine and for people.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// File or request name.
    pub source: &'a str,
    /// Byte offset of the copy in it.
    pub offset: u64,
}

/// Takes documents apart; kept for the next batch, because it knows the templates by then.
#[derive(Debug, Default)]
pub(crate) struct Preparer {
    parser: Parser,
    shape: Shape,
    canonical: Canonical,
    compare: Compare,
    /// What the last batch had: bytes of documents, and new rows.
    last: (usize, usize),
}

/// A copy whose bytes were not known: a new row, unless the archive has it after all.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) row: SlabRow,
    /// Of the copies that are this row.
    pub(crate) prints: Vec<Fingerprint>,
    /// Copies by custodian index, the first one first.
    pub(crate) copies: Vec<u32>,
}

/// Equal copies that cannot be keyed; where the first one came from.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) address: ContentAddress,
    /// By custodian index.
    pub(crate) copies: BTreeMap<u32, u64>,
    pub(crate) first: u32,
    pub(crate) reason: String,
    pub(crate) source: String,
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What a batch holds; custodians by their index in `custodians`.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) custodians: Vec<Custodian>,
    pub(crate) counts: Vec<Counts>,
    pub(crate) documents: Vec<u8>,
    pub(crate) fresh: Vec<Fresh>,
    pub(crate) known: Vec<(RowRef, u32)>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) checkpoints: Vec<(String, Vec<u8>)>,
    pub(crate) links: Vec<(MessageKey, String, ContentAddress)>,
}

impl Contents {
    /// Bytes of the commit's payload at most.
    pub(crate) fn payload_bytes(&self) -> usize {
        let row = |fresh: &Fresh| 64 + fresh.copies.len() * 5 + fresh.row.conversation.len();
        let refused = |rejected: &Rejected| {
            64 + rejected.bytes.len() + rejected.reason.len() + rejected.source.len()
        };
        let link = |(key, attachment, _): &(MessageKey, String, ContentAddress)| {
            let root = key.reply_to.as_ref().map_or(0, String::len);
            128 + key.conversation.len() + root + key.id.len() + attachment.len()
        };
        let checkpoints = self.checkpoints.iter().map(|(name, value)| name.len() + value.len());
        self.documents.len()
            + self.fresh.iter().map(row).sum::<usize>()
            + self.rejected.iter().map(refused).sum::<usize>()
            + self.links.iter().map(link).sum::<usize>()
            + self.custodians.iter().map(|name| name.as_str().len() + 96).sum::<usize>()
            + checkpoints.map(|bytes| bytes + 16).sum::<usize>()
            + self.known.len() * 26
            + 256
    }
}

/// Copies on their way into the archive.
///
/// Nothing in it is visible or durable before [`Batch::commit`] returns; dropping it forgets it.
/// Fill several batches on several threads and commit them in any order. Memory is what the
/// copies that are not yet known take: commit before it grows.
#[derive(Debug)]
pub struct Batch {
    shared: Arc<Shared>,
    run: RunId,
    contents: Contents,
    /// For the places of rows in the contents.
    #[expect(dead_code, reason = "it holds by living")]
    holder: Holder,
    preparer: Box<Preparer>,
    prints: HashMap<Fingerprint, u32, RandomState>,
    addresses: HashMap<(RecordKind, ContentAddress), u32, RandomState>,
    outcasts: HashMap<ContentAddress, usize, RandomState>,
    last: u32,
}

impl Batch {
    pub(crate) fn new(shared: Arc<Shared>, run: RunId) -> Self {
        let preparer = shared.take_preparer();
        let holder = shared.moves.holder();
        // The next one is about as large: growing step by step would copy it twice.
        let (bytes, rows) = preparer.last;
        let contents = Contents {
            documents: Vec::with_capacity(bytes),
            fresh: Vec::with_capacity(rows),
            ..Contents::default()
        };
        Self {
            shared,
            run,
            contents,
            holder,
            preparer,
            prints: HashMap::with_capacity_and_hasher(rows, RandomState::default()),
            addresses: HashMap::with_capacity_and_hasher(rows, RandomState::default()),
            outcasts: HashMap::default(),
            last: 0,
        }
    }

    /// Offers one copy: the exact bytes of one JSON document; white space around it is cut off.
    ///
    /// Never fails: what cannot be keyed (no JSON object, no id, no conversation, over a limit)
    /// goes to the quarantine with the reason, and is counted. A custodian without an id fails the
    /// whole batch when it is committed.
    ///
    /// Bytes that this process has met are told by a hash of them. Others are parsed, and the row of their
    /// version is read if the archive had it when it was opened.
    pub fn offer(
        &mut self,
        custodian: &Custodian,
        record: RecordKind,
        json: &[u8],
        origin: Origin<'_>,
    ) {
        self.offer_in(custodian, (record, None), json, origin);
    }

    /// The same for a member, whose document does not say of which conversation: a chat's, channel's or
    /// team's id. It counts for members only.
    pub fn offer_in(
        &mut self,
        custodian: &Custodian,
        (record, conversation): (RecordKind, Option<&str>),
        json: &[u8],
        origin: Origin<'_>,
    ) {
        let json = trim(json);
        let custodian = self.custodian(custodian);
        let print = self.shared.recall.fingerprint(record, json);
        if self.offer_print(custodian, print) {
            return;
        }
        if let Err(reason) = self.prepare(custodian, (record, conversation), json, print) {
            self.reject(custodian, json, reason, origin);
        }
    }

    /// If exactly these bytes were offered as a message before in this process, counts them as a duplicate
    /// that `custodian`'s export delivered, and says true; otherwise does nothing.
    ///
    /// Lets a splitter prove a guessed cut: a complete object is no proper prefix of another.
    pub fn offer_if_known(&mut self, custodian: &Custodian, candidate: &[u8]) -> bool {
        let print = self.shared.recall.fingerprint(RecordKind::Message, candidate);
        let custodian = self.custodian(custodian);
        self.offer_print(custodian, print)
    }

    /// Keeps bytes that are no document: counted as one offered and one quarantined copy. Equal
    /// bytes are kept once, with the reason and origin of the first.
    pub fn quarantine(
        &mut self,
        custodian: &Custodian,
        bytes: &[u8],
        reason: &str,
        origin: Origin<'_>,
    ) {
        let custodian = self.custodian(custodian);
        self.reject(custodian, bytes, reason.to_owned(), origin);
    }

    /// Stores a named value in the same commit, such as an ingest position, in the place of an
    /// earlier one. An empty value takes the earlier one back.
    ///
    /// All values are in memory while the archive is open: a name and a few hundred bytes each.
    pub fn checkpoint(&mut self, name: &str, value: &[u8]) {
        self.contents.checkpoints.push((name.to_owned(), value.to_vec()));
    }

    /// Links a stored object to a message and one of its attachments in the same commit.
    pub fn link(&mut self, key: &MessageKey, attachment: &str, object: ContentAddress) {
        self.contents.links.push((key.clone(), attachment.to_owned(), object));
    }

    /// Copies offered so far, quarantined ones included.
    pub fn len(&self) -> u64 {
        self.contents.counts.iter().map(|counts| counts.offered).sum()
    }

    /// Is nothing in it?
    pub fn is_empty(&self) -> bool {
        let Contents { counts, checkpoints, links, .. } = &self.contents;
        counts.iter().all(|counts| counts.offered == 0)
            && checkpoints.is_empty()
            && links.is_empty()
    }

    /// Bytes that it holds in memory, about.
    pub fn bytes(&self) -> usize {
        let contents = &self.contents;
        let rejected: usize = contents.rejected.iter().map(|rejected| rejected.bytes.len()).sum();
        contents.documents.len() + contents.fresh.len() * 512 + contents.known.len() * 12 + rejected
    }

    /// Makes the batch durable; on return it survives a power cut.
    ///
    /// After a failed write or sync the archive is `Stopped`: whether this batch survived shows
    /// when it is opened again, and offering it again is safe. Any other error changed nothing:
    /// `InvalidInput` names a custodian without an id or an object that was never put, `Closed`
    /// means that the archive was closed meanwhile, `Io` and `Corrupt` that what there is could
    /// not be compared.
    pub fn commit(mut self) -> Result<CommitReport> {
        let contents = std::mem::take(&mut self.contents);
        self.preparer.last = (contents.documents.len(), contents.fresh.len());
        let _span = debug_span!("commit", run = self.run.0).entered();
        let report = self.shared.commit(self.run, contents)?;
        debug!(sequence = report.sequence.0, stored = report.counts.stored, "committed");
        Ok(report)
    }

    fn custodian(&mut self, name: &Custodian) -> u32 {
        let custodians = &mut self.contents.custodians;
        if custodians.get(self.last as usize) != Some(name) {
            let place = custodians.iter().position(|there| there == name).unwrap_or_else(|| {
                custodians.push(name.clone());
                self.contents.counts.push(Counts::default());
                custodians.len() - 1
            });
            self.last = narrow(place);
        }
        self.last
    }

    fn offer_print(&mut self, custodian: u32, print: Fingerprint) -> bool {
        if let Some(row) = self.shared.recall.get(print) {
            self.contents.known.push((row, custodian));
        } else if let Some(fresh) = self.prints.get(&print) {
            self.contents.fresh[*fresh as usize].copies.push(custodian);
        } else {
            return false;
        }
        let counts = &mut self.contents.counts[custodian as usize];
        counts.offered += 1;
        true
    }

    fn prepare(
        &mut self,
        custodian: u32,
        (record, conversation): (RecordKind, Option<&str>),
        json: &[u8],
        print: Fingerprint,
    ) -> std::result::Result<(), String> {
        let Preparer { parser, shape, canonical, compare, .. } = &mut *self.preparer;
        parser.relax();
        let limit = self.shared.options.document_bytes.min(decoded::DOCUMENT);
        parser.parse(json, Limits::of(limit), shape)?;
        let name = &self.contents.custodians[custodian as usize];
        let mut identity = identify(&parser.templates, json, shape, record, name)?;
        if let Some(conversation) = conversation.filter(|_| record == RecordKind::Member) {
            identity.conversation = conversation.into();
        }
        self.contents.counts[custodian as usize].offered += 1;
        // Equal bytes may be rows of several keys, or of several versions.
        let shares = !record.is_keyed_outside() && !identity.stamped;
        let own = (&identity.key(), identity.version);
        if shares && let Some(row) = self.shared.stored_before(own, json, compare) {
            self.shared.recall.insert(print, || self.shared.moves.resolve(row));
            self.contents.known.push((row, custodian));
            return Ok(());
        }
        let address = canonical.address(&parser.templates, json, shape);
        let canonical = self.shared.recall.canonical(record, &address.0);
        let contents = &mut self.contents;
        if let Some(row) = self.shared.recall.get(canonical).filter(|_| shares) {
            self.shared.recall.insert(print, || self.shared.moves.resolve(row));
            contents.known.push((row, custodian));
            return Ok(());
        }
        if let Some(there) = self.addresses.get(&(record, address.0)).filter(|_| shares) {
            let fresh = &mut contents.fresh[*there as usize];
            fresh.copies.push(custodian);
            fresh.prints.push(print);
            let _ = self.prints.insert(print, *there);
            return Ok(());
        }
        let start = contents.documents.len();
        let row = SlabRow::new(identity, start..start + json.len(), address);
        contents.documents.extend_from_slice(json);
        let place = narrow(contents.fresh.len());
        let prints = if shares { vec![print, canonical] } else { Vec::new() };
        contents.fresh.push(Fresh { row, prints, copies: vec![custodian] });
        if shares {
            let _ = self.prints.insert(print, place);
            let _ = self.addresses.insert((record, address.0), place);
        }
        Ok(())
    }

    fn reject(&mut self, custodian: u32, bytes: &[u8], reason: String, origin: Origin<'_>) {
        let counts = &mut self.contents.counts[custodian as usize];
        counts.offered += 1;
        counts.quarantined += 1;
        let address = ContentAddress(*blake3::hash(bytes).as_bytes());
        let rejected = &mut self.contents.rejected;
        let place = *self.outcasts.entry(address).or_insert(rejected.len());
        if place == rejected.len() {
            let (source, offset) = (origin.source.to_owned(), origin.offset);
            let (copies, first, bytes) = (BTreeMap::new(), custodian, bytes.to_vec());
            rejected.push(Rejected { address, copies, first, reason, source, offset, bytes });
        }
        *rejected[place].copies.entry(custodian).or_default() += 1;
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // What it read is the cache's to keep.
        self.preparer.compare = Compare::default();
        self.shared.give_preparer(std::mem::take(&mut self.preparer));
    }
}

fn trim(json: &[u8]) -> &[u8] {
    let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    let Some(start) = json.iter().position(|byte| !space(byte)) else { return b"" };
    let end = json.iter().rposition(|byte| !space(byte)).map_or(start, |last| last + 1);
    &json[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Archive;
    use crate::archive::tests::{documents, offer, options, place};
    use crate::options::Host;

    #[test]
    fn a_copy_of_a_row_from_before_the_process_is_known_by_its_bytes() {
        let (place, documents) = (place(), documents(2, 40));
        let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
        let _ = offer(&archive, "anna", &documents);
        archive.close().unwrap();
        let archive = Archive::open(Host::new(Arc::clone(&place)), options()).unwrap();
        let mut batch = archive.batch(archive.begin_run("again").unwrap());
        let origin = Origin { source: "x", offset: 0 };
        let spelled = documents[7].replacen(':', ": ", 1);
        let edited = documents[8].replacen("\"etag\":\"", "\"etag\":\"9", 1);
        assert!(spelled != documents[7] && edited != documents[8]);
        for document in documents.iter().chain([&spelled, &edited]) {
            batch.offer(&Custodian::user("ben"), RecordKind::Message, document.as_bytes(), origin);
        }
        assert_eq!((batch.contents.known.len(), batch.contents.fresh.len()), (80, 2));
        let counts = batch.commit().unwrap().counts;
        assert_eq!((counts.offered, counts.duplicates, counts.stored), (82, 81, 1));
    }
}
