//! A fixed view of an archive: messages, rows by address, scans, and what is known beside rows.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::archive::{Counts, Delivered, Key, Known, Quarantine, RowId, Shared, State};
use crate::error::{Error, Result};
use crate::format::multiset::Multiset;
use crate::scan::{self, Addresses, Explain, RowKeys, Rows, Scan, SlabSiblings};
use crate::segment::tag_number;
use crate::types::{
    ContentAddress, Custodian, MessageKey, MessageKind, RunId, Sequence, Timestamp,
};

/// A fixed view of an archive. Cheap to clone; may be used on any thread.
///
/// What is committed, merged or sealed later does not change it, and files that it needs stay
/// readable as long as it lives.
#[derive(Clone, Debug)]
pub struct Snapshot {
    view: Arc<View>,
}

/// A row that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The message that it is a version of.
    pub key: MessageKey,
    /// The version's number: its etag.
    pub version: u64,
    /// `createdDateTime`.
    pub created: Timestamp,
    /// `lastModifiedDateTime`.
    pub modified: Timestamp,
    /// Who sent it, if that is known.
    pub sender: Option<String>,
    /// What kind of message it is.
    pub kind: MessageKind,
    /// The commit that stored it.
    pub sequence: Sequence,
    /// Its content address.
    pub address: ContentAddress,
    /// The exact bytes that came in first.
    pub json: Vec<u8>,
    /// Whose exports delivered it, each with the run that did so first.
    pub sightings: Vec<(Custodian, RunId)>,
}

/// A state, and what was derived from it so far.
#[derive(Debug)]
pub(crate) struct View {
    shared: Arc<Shared>,
    state: Arc<State>,
    known: OnceLock<Known>,
    delivered: OnceLock<Delivered>,
    slab_siblings: OnceLock<SlabSiblings>,
    slab_addresses: OnceLock<HashMap<ContentAddress, RowId, RandomState>>,
    /// They know the templates of documents by now. Held for a moment, never with another lock.
    spare: Mutex<Vec<Addresses>>,
}

impl Snapshot {
    /// Everything acknowledged so far; a reader looks again at what there is.
    pub(crate) fn take(shared: &Arc<Shared>) -> Result<Self> {
        let view = View {
            shared: Arc::clone(shared),
            state: shared.newest()?,
            known: OnceLock::new(),
            delivered: OnceLock::new(),
            slab_siblings: OnceLock::new(),
            slab_addresses: OnceLock::new(),
            spare: Mutex::default(),
        };
        Ok(Self { view: Arc::new(view) })
    }

    /// The last commit in it.
    pub fn sequence(&self) -> Sequence {
        self.view.state.sequence
    }

    /// The id that the archive got when it was made: what is derived from an archive keeps it.
    pub fn archive(&self) -> [u8; 16] {
        self.view.shared.archive
    }

    /// The row with a content address.
    pub fn get(&self, address: &ContentAddress) -> Result<Option<Stored>> {
        let Some(at) = self.view.find(address)? else { return Ok(None) };
        Ok(scan::stored(&self.view, &[at])?.pop())
    }

    /// Every stored row of a message, variants too: versions in order, then by modified time and
    /// address. Empty if there is none.
    pub fn history(&self, key: &MessageKey) -> Result<Vec<Stored>> {
        let mut rows = scan::stored(&self.view, &self.view.state.rows_of(&borrow(key))?)?;
        rows.sort_by_key(|row| (row.version, row.modified, row.address));
        Ok(rows)
    }

    /// The row that stands for a message: its latest version, of variants the longest.
    pub fn latest(&self, key: &MessageKey) -> Result<Option<Stored>> {
        let Some(at) = scan::latest(&self.view, &borrow(key))? else { return Ok(None) };
        Ok(scan::stored(&self.view, &[at])?.pop())
    }

    /// Streams the rows of a scan.
    ///
    /// `InvalidInput` if the scan's cursor is of another order or direction.
    pub fn scan(&self, scan: &Scan) -> Result<Rows> {
        scan::rows(Arc::clone(&self.view), scan)
    }

    /// The number of rows that a scan gives, without rendering them.
    pub fn count(&self, scan: &Scan) -> Result<u64> {
        scan::count(Arc::clone(&self.view), scan)
    }

    /// Calls `on` for each row that a scan gives, without reading any document: answers from the
    /// index alone. Conversations come in order, the rows of one in no particular order.
    ///
    /// Gives the number of rows.
    pub fn keys(&self, scan: &Scan, on: &mut dyn FnMut(RowKeys<'_>)) -> Result<u64> {
        scan::keys(Arc::clone(&self.view), scan, on)
    }

    /// What a scan looks at, and why it does not look at the rest.
    pub fn explain(&self, scan: &Scan) -> Result<Explain> {
        scan::explain(Arc::clone(&self.view), scan)
    }

    /// What is in quarantine, oldest first, file by file: equal copies are one entry, with their
    /// number.
    pub fn quarantine(&self) -> Result<Quarantine> {
        Quarantine::of(Known::of(&self.view.state), Arc::clone(&self.view.state))
    }

    /// All custodians, with their counters over all runs so far.
    pub fn custodians(&self) -> Result<BTreeMap<Custodian, Counts>> {
        Ok(self.view.known().by_custodian())
    }

    /// A custodian by the number that [`Row::custodians`](crate::Row::custodians) gives.
    pub fn custodian(&self, number: u32) -> Result<Custodian> {
        self.view.known().custodian(number).cloned().ok_or_else(|| nameless(number))
    }

    /// The content address that a document has, or would have if it were stored. Faster for many
    /// documents of the same shape; may be called on any thread.
    ///
    /// `InvalidInput` if it is no JSON object.
    pub fn address_of(&self, document: &[u8]) -> Result<ContentAddress> {
        self.view.with_addresses(|addresses| addresses.of_document(document))
    }

    /// How many rows there are, and the sum of their content addresses: as little-endian numbers,
    /// modulo 2^256. Merging segments changes neither, so equal sums are equal contents.
    pub fn content(&self) -> (u64, [u8; 32]) {
        let (mut rows, mut sum) = (0, Multiset::default());
        for live in &self.view.state.segments {
            rows += u64::from(live.segment.meta.rows);
            sum += Multiset(live.segment.meta.multiset);
        }
        for row in self.view.state.slabs.iter().flat_map(|slab| &slab.rows) {
            rows += 1;
            sum.insert(&row.address.0);
        }
        (rows, sum.0)
    }

    /// Does any message have an object?
    pub fn has_links(&self) -> bool {
        self.view.known().has_links()
    }

    /// The length of an object.
    pub fn object_bytes(&self, address: &ContentAddress) -> Result<Option<u64>> {
        let reader = self.view.shared.find_object(&self.view.state, address)?;
        Ok(reader.map(|reader| reader.object_bytes()))
    }

    /// The objects that belong to a message: (attachment, object).
    pub fn links(&self, key: &MessageKey) -> Result<Vec<(String, ContentAddress)>> {
        Ok(self.view.known().links(key))
    }

    /// Reads an object back, streamed and checked.
    pub fn object(&self, address: &ContentAddress) -> Result<Option<Box<dyn Read + Send>>> {
        let reader = self.view.shared.find_object(&self.view.state, address)?;
        Ok(reader.map(|reader| Box::new(reader) as Box<dyn Read + Send>))
    }
}

impl View {
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    fn known(&self) -> &Known {
        self.known.get_or_init(|| Known::of(&self.state))
    }

    pub(crate) fn delivered(&self) -> &Delivered {
        self.delivered.get_or_init(|| self.shared.delivered(&self.state))
    }

    pub(crate) fn slab_siblings(&self) -> &SlabSiblings {
        self.slab_siblings.get_or_init(|| scan::slab_siblings(&self.state))
    }

    /// The numbers of those custodians that are known.
    pub(crate) fn numbers(&self, custodians: &[Custodian]) -> Vec<u32> {
        let known = self.known().names().filter(|(_, name)| custodians.contains(name));
        known.map(|(number, _)| number).collect()
    }

    /// Who delivered a row, and in which run first.
    pub(crate) fn sightings(&self, at: RowId) -> Result<Vec<(Custodian, RunId)>> {
        let sightings = self.delivered().of_row(&self.state, at)?;
        let name = |(number, run): (u32, u32)| {
            let name = self.known().custodian(number).cloned();
            Ok((name.ok_or_else(|| nameless(number))?, RunId(run)))
        };
        sightings.into_iter().map(name).collect()
    }

    /// The numbers of those who delivered a row, ascending.
    pub(crate) fn custodians(&self, at: RowId) -> Result<Vec<u32>> {
        let sightings = self.delivered().of_row(&self.state, at)?;
        Ok(sightings.into_iter().map(|(number, _run)| number).collect())
    }

    /// Computes content addresses.
    pub(crate) fn with_addresses<T>(&self, compute: impl FnOnce(&mut Addresses) -> T) -> T {
        let mut addresses = self.spare().pop().unwrap_or_default();
        let computed = compute(&mut addresses);
        self.spare().push(addresses);
        computed
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Addresses>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, address: &ContentAddress) -> Result<Option<RowId>> {
        self.with_addresses(|addresses| self.find_with(address, addresses))
    }

    fn find_with(
        &self,
        address: &ContentAddress,
        addresses: &mut Addresses,
    ) -> Result<Option<RowId>> {
        let wanted = tag_number(&address.0[..crate::segment::TAG_BYTES]);
        for (source, live) in (0_u32..).zip(&self.state.segments) {
            let tags = live.segment.tags()?;
            let first = tags.partition_point(|(tag, _)| *tag < wanted);
            let rest = tags.get(first..).unwrap_or_default();
            for (_, row) in rest.iter().take_while(|(tag, _)| *tag == wanted) {
                let at = RowId { source, row: *row };
                if addresses.of(&self.state, at)?.0 == *address {
                    return Ok(Some(at));
                }
            }
        }
        Ok(self.slab_addresses().get(address).copied())
    }

    fn slab_addresses(&self) -> &HashMap<ContentAddress, RowId, RandomState> {
        self.slab_addresses.get_or_init(|| {
            let first = u32::try_from(self.state.segments.len()).unwrap_or(u32::MAX);
            let slabs = (first..).zip(&self.state.slabs);
            let rows = slabs.flat_map(|(source, slab)| {
                let rows = (0..).zip(&slab.rows);
                rows.map(move |(row, stored)| (stored.address, RowId { source, row }))
            });
            rows.collect()
        })
    }
}

fn borrow(key: &MessageKey) -> Key<'_> {
    Key {
        record: key.record,
        conversation: &key.conversation,
        reply_to: key.reply_to.as_deref(),
        id: &key.id,
    }
}

fn nameless(custodian: u32) -> Error {
    Error::corrupt(format!("custodian {custodian} has no name"))
}
