//! A fixed view of an archive: messages, rows by address, scans, and what is known beside rows.

use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use tracing::debug;

use crate::archive::{
    Committed, Counts, Damage, Delivered, Folded, Key, Known, Quarantine, RowId, SetReaders,
    Shared, State,
};
use crate::cache::CacheUse;
use crate::document::Document;
use crate::error::{Error, Result};
use crate::facts::{self, Facts, Wanted};
use crate::format::multiset::Multiset;
use crate::scan::{self, Addresses, Explain, RowKeys, Rows, Scan, SlabSiblings};
use crate::segment::tag_number;
use crate::types::{
    CommitId, ContentAddress, Custodian, MessageKey, MessageKind, RunId, Sequence, Sighting,
    Timestamp,
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
    /// Whose exports delivered it.
    pub sightings: Vec<Sighting>,
}

impl Stored {
    /// What it says, parsed.
    ///
    /// `InvalidInput` if its bytes are not, or not any more, those of a document.
    pub fn document(&self) -> Result<Document<'_>> {
        Document::parse(&self.json)
    }
}

/// A state, and what was derived from it so far.
#[derive(Debug)]
pub(crate) struct View {
    shared: Arc<Shared>,
    state: Arc<State>,
    /// Commits up to this one are seen.
    until: Sequence,
    /// Rows come without their sightings.
    bare: bool,
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
        let state = shared.newest()?;
        let until = state.sequence;
        Ok(Self { view: Arc::new(View::new(Arc::clone(shared), state, until)) })
    }

    /// What the archive held after an earlier commit: the same rows, who had delivered them, and
    /// links, whatever came later. Counters, those of the quarantine too, are not kept by commit and
    /// are refused.
    #[must_use]
    pub fn as_of(&self, commit: Sequence) -> Self {
        let (shared, state) = (Arc::clone(&self.view.shared), Arc::clone(&self.view.state));
        Self { view: Arc::new(View::new(shared, state, commit.min(self.view.until))) }
    }

    /// The same rows without who delivered them, which a lost ledger may have known: a row that is
    /// whole can be read then.
    #[must_use]
    pub fn without_sightings(&self) -> Self {
        let (shared, state) = (Arc::clone(&self.view.shared), Arc::clone(&self.view.state));
        Self { view: Arc::new(View { bare: true, ..View::new(shared, state, self.view.until) }) }
    }

    /// The number of the last commit in it.
    pub fn sequence(&self) -> Sequence {
        self.view.until
    }

    /// The last commit in it, with what tells it from a commit of another past.
    pub fn commit(&self) -> CommitId {
        self.view.commit()
    }

    /// The last commit up to a number: what [`Scan::as_of_sequence`] means by it. `None` for a number
    /// behind the snapshot's last.
    ///
    /// `Corrupt`, or an error of the storage, if a ledger cannot be read.
    pub fn commit_id(&self, at: Sequence) -> Result<Option<CommitId>> {
        let commit = (at <= self.sequence()).then(|| self.view.commit_at(at)).transpose()?;
        let is_bare = planted!("bind an index to a number");
        Ok(commit.map(|commit| if is_bare { CommitId { chain: [0; 8], ..commit } } else { commit }))
    }

    /// Is it a commit of this archive's past? What is derived from an archive is good only with it.
    ///
    /// `InvalidInput` if it is not: the archive was put back from a copy since, or it is another.
    pub fn check_commit(&self, commit: &CommitId) -> Result<()> {
        self.view.check_commit(commit)
    }

    /// What answers lacked so far: see [`Archive::missing`](crate::Archive::missing).
    pub fn missing(&self) -> Vec<Damage> {
        self.view.state.missing.damages()
    }

    /// The id that the archive got when it was made: what is derived from an archive keeps it.
    pub fn archive(&self) -> [u8; 16] {
        self.view.shared.archive
    }

    /// The row with a content address.
    ///
    /// `Corrupt`, or an error of the storage, if a segment that may have it cannot be read.
    pub fn get(&self, address: &ContentAddress) -> Result<Option<Stored>> {
        let Some(at) = self.view.find(address)? else { return Ok(None) };
        let row = scan::stored(&self.view, &[at])?.pop();
        Ok(row.filter(|row| row.sequence <= self.view.until))
    }

    /// Every stored row of a message, variants too: versions in order, then by modified time and
    /// address. Empty if there is none.
    ///
    /// `Corrupt`, or an error of the storage, if a segment that may have one cannot be read.
    pub fn history(&self, key: &MessageKey) -> Result<Vec<Stored>> {
        let rows = self.view.state.rows_of(&borrow(key), self.view.until)?;
        let mut rows = scan::stored(&self.view, &rows)?;
        rows.retain(|row| row.sequence <= self.view.until);
        rows.sort_by_key(|row| (row.version, row.modified, row.address));
        Ok(rows)
    }

    /// The row that stands for a message: its latest version, of variants the longest.
    ///
    /// `Corrupt`, or an error of the storage, if a segment that may have it cannot be read.
    pub fn latest(&self, key: &MessageKey) -> Result<Option<Stored>> {
        let Some(at) = scan::latest(&self.view, &borrow(key))? else { return Ok(None) };
        Ok(scan::stored(&self.view, &[at])?.pop())
    }

    /// The bytes of the row that stands for a message: [`Snapshot::latest`] without what takes another
    /// look, its content address and who delivered it.
    ///
    /// Errors are those of [`Snapshot::latest`].
    pub fn latest_json(&self, key: &MessageKey) -> Result<Option<Vec<u8>>> {
        let Some(at) = scan::latest(&self.view, &borrow(key))? else { return Ok(None) };
        scan::document(&self.view, at)
    }

    /// What the cache of the archive's environment holds, and what was read and decoded so far.
    pub fn cache_use(&self) -> CacheUse {
        self.view.shared.environment.cache_use()
    }

    /// Streams the rows of a scan.
    ///
    /// `InvalidInput` if the scan's cursor is of another order or direction.
    pub fn scan(&self, scan: &Scan) -> Result<Rows> {
        debug!(?scan, "scan");
        scan::rows(Arc::clone(&self.view), scan)
    }

    /// The rows of a scan, as [`Snapshot::scan`] gives them, rendered on so many threads, but no more
    /// than the environment's `worker_threads`.
    ///
    /// They share the work of a scan in [`Order::Conversation`] that names no conversation, sender,
    /// custodian or time and has neither limit nor cursor; any other one is left to the calling thread. For each thread up to eight
    /// batches of half a MiB wait, or of a single larger document; all end when the rows are dropped.
    ///
    /// [`Order::Conversation`]: crate::Order::Conversation
    ///
    /// Errors are those of [`Snapshot::scan`].
    pub fn scan_on(&self, scan: &Scan, threads: NonZeroUsize) -> Result<Rows> {
        let most = self.view.shared.environment.options().worker_threads.max(1);
        scan::rows_on(&self.view, scan, threads.get().min(most))
    }

    /// Cuts a scan into scans of whole conversations, of so many stored rows each, about. Together they
    /// give its rows, once, and in [`Order::Conversation`] one after another in its order. Each may be
    /// read on a thread of its own, where [`Snapshot::scan_on`] hands all rows to one.
    ///
    /// `InvalidInput` if the scan has a limit or a cursor: they are of the whole.
    ///
    /// [`Order::Conversation`]: crate::Order::Conversation
    pub fn split(&self, scan: &Scan, rows: u64) -> Result<Vec<Scan>> {
        if scan.limit.is_some() || scan.cursor.is_some() {
            return Err(Error::invalid("a scan with a limit or a cursor cannot be split"));
        }
        let mut parts = scan::split(&self.view.state, scan, rows);
        if scan.backwards {
            parts.reverse();
        }
        Ok(parts)
    }

    /// The number of rows that a scan gives, without rendering them.
    ///
    /// Errors are those of [`Snapshot::keys`].
    pub fn count(&self, scan: &Scan) -> Result<u64> {
        scan::count(Arc::clone(&self.view), scan)
    }

    /// Calls `on` for each row that a scan gives, without reading any document: answers from the
    /// index alone. Conversations come in order, the rows of one in no particular order.
    ///
    /// Gives the number of rows.
    ///
    /// `InvalidInput` as from [`Snapshot::scan`]; `Corrupt`, or an error of the storage, if a segment or keys
    /// that it needs cannot be read.
    pub fn keys(&self, scan: &Scan, on: &mut dyn FnMut(RowKeys<'_>)) -> Result<u64> {
        scan::keys(Arc::clone(&self.view), scan, on)
    }

    /// What messages of each conversation say of people and of it, in any version. Rows are read of segments
    /// with few of its rows, or with commits behind the snapshot's. Many at a time cost less.
    ///
    /// `Corrupt`, or an error of the storage, if neither can be read.
    pub fn facts(&self, conversations: &[String], wanted: Wanted) -> Result<Vec<Facts>> {
        facts::of_conversations(&self.view, conversations, wanted)
    }

    /// What a scan looks at, and why it does not look at the rest.
    ///
    /// Errors are those of [`Snapshot::keys`].
    pub fn explain(&self, scan: &Scan) -> Result<Explain> {
        scan::explain(Arc::clone(&self.view), scan)
    }

    /// What is in quarantine, oldest first, file by file: equal copies are one entry, with their
    /// number.
    ///
    /// `InvalidInput` as of an earlier commit: counters are not kept by commit.
    pub fn quarantine(&self) -> Result<Quarantine> {
        self.whole()?;
        Ok(Quarantine::of(Known::of(&self.view.state), Arc::clone(&self.view.state)))
    }

    /// Counters are not kept by commit.
    fn whole(&self) -> Result<()> {
        if self.view.until == self.view.state.sequence {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "counters as of commit {} are not kept: ask for those of the newest snapshot",
            self.view.until.0
        )))
    }

    /// All custodians, with their counters over all runs so far.
    ///
    /// `InvalidInput` as of an earlier commit: counters are kept by run and custodian.
    pub fn custodians(&self) -> Result<BTreeMap<Custodian, Counts>> {
        self.whole()?;
        self.view.state.need_ledgers()?;
        self.view.known().by_custodian()
    }

    /// A custodian by the number that [`Row::custodians`](crate::Row::custodians) gives.
    ///
    /// `Corrupt` if no ledger has a name for the number.
    pub fn custodian(&self, number: u32) -> Result<Custodian> {
        self.view.name(number)
    }

    /// The content address that a document has, or would have if it were stored. Faster for many
    /// documents of the same shape; may be called on any thread.
    ///
    /// `InvalidInput` if it is no JSON object.
    pub fn address_of(&self, document: &[u8]) -> Result<ContentAddress> {
        self.view.with_addresses(|addresses| addresses.of_document(document))
    }

    /// How many rows were stored, and the sum of their content addresses: as little-endian numbers,
    /// modulo 2^256. Merging segments changes neither, so equal sums are equal contents. Rows that were
    /// folded since and rows behind the commit of [`Snapshot::as_of`] are counted too.
    pub fn content(&self) -> (u64, [u8; 32]) {
        let (mut rows, mut sum) = (0, Multiset::default());
        for live in &self.view.state.segments {
            rows += live.entry.rows;
            sum += live.entry.multiset;
        }
        for folded in Folded::of(&self.view.state.manifest) {
            rows += folded.rows;
            sum += folded.multiset;
        }
        for row in self.view.state.slabs.iter().flat_map(|slab| &slab.rows) {
            rows += 1;
            sum.insert(&row.address.0);
        }
        (rows, sum.0)
    }

    /// Does any message have an object? With a ledger that cannot be read, one may.
    pub fn has_links(&self) -> bool {
        !self.view.state.lost_ledgers.is_empty() || self.view.known().has_links(self.view.until)
    }

    /// The length of an object.
    ///
    /// `Corrupt`, or an error of the storage, if a pack that may have it cannot be read.
    pub fn object_bytes(&self, address: &ContentAddress) -> Result<Option<u64>> {
        let reader = self.view.shared.find_object(&self.view.state, address)?;
        Ok(reader.map(|reader| reader.object_bytes()))
    }

    /// The objects that belong to a message: (attachment, object).
    ///
    /// `Corrupt`, or an error of the storage, if a ledger cannot be read.
    pub fn links(&self, key: &MessageKey) -> Result<Vec<(String, ContentAddress)>> {
        self.view.state.need_ledgers()?;
        self.view.known().links(key, self.view.until)
    }

    /// Reads an object back, streamed and checked.
    ///
    /// For salvage it is read through first, and `None` if that fails.
    pub fn object(&self, address: &ContentAddress) -> Result<Option<Box<dyn Read + Send>>> {
        let find = || self.view.shared.find_object(&self.view.state, address);
        let missing = &self.view.state.missing;
        if missing.salvage() {
            let whole = find()?.map_or(Ok(()), |mut reader| reader.read_through());
            if missing.pass(whole)?.is_none() {
                return Ok(None);
            }
        }
        Ok(find()?.map(|reader| Box::new(reader) as Box<dyn Read + Send>))
    }

    /// Looks at everything that answers can need, so that [`Snapshot::missing`] has all of it, but for
    /// objects: these are read when they are asked for. Nothing to do unless opened for salvage.
    ///
    /// What cannot be read is in the answer. An error is what is no damage of the archive's files.
    pub fn look_for_damage(&self) -> Result<Vec<Damage>> {
        let state = &*self.view.state;
        if !state.missing.salvage() {
            return Ok(Vec::new());
        }
        state.need_ledgers()?;
        for live in &state.segments {
            let whole = live.segment().and_then(|segment| segment.look_at_lists());
            if state.missing.pass(whole)?.is_some() {
                let segment = live.segment()?;
                let groups = 0..segment.meta.groups.len();
                groups.for_each(|group| drop(state.missing.gaps(segment, group)));
            }
        }
        for pack in &state.packs {
            let _ = state.missing.pass(pack.get())?;
        }
        for entry in self.quarantine()? {
            drop(entry?);
        }
        let mut damages = self.missing();
        damages.sort_by(|a, b| (&a.file, a.offset).cmp(&(&b.file, b.offset)));
        Ok(damages)
    }
}

impl View {
    fn new(shared: Arc<Shared>, state: Arc<State>, until: Sequence) -> Self {
        Self {
            shared,
            state,
            until,
            bare: false,
            known: OnceLock::new(),
            delivered: OnceLock::new(),
            slab_siblings: OnceLock::new(),
            slab_addresses: OnceLock::new(),
            spare: Mutex::default(),
        }
    }

    /// The same commits over a part of the files, without sightings.
    pub(crate) fn over(&self, state: State) -> Self {
        Self { bare: true, ..Self::new(Arc::clone(&self.shared), Arc::new(state), self.until) }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn limits(&self) -> &scan::Limits {
        &self.shared.options.scan
    }

    /// The last commit that is seen.
    pub(crate) fn until(&self) -> Sequence {
        self.until
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
    pub(crate) fn numbers(&self, custodians: &[Custodian]) -> Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for name in custodians {
            numbers.extend(self.state.numbers_of(name)?);
        }
        Ok(numbers)
    }

    /// Who delivered a row up to the readers' commit.
    pub(crate) fn sightings(&self, at: RowId, readers: &SetReaders) -> Result<Vec<Sighting>> {
        if self.bare {
            return Ok(Vec::new());
        }
        self.need_sightings(at)?;
        let sightings = self.delivered().of_row(&self.state, at, readers)?;
        let sighting = |(number, sequence): (u32, u64)| {
            let custodian = self.name(number)?;
            let sequence = Sequence(sequence);
            let commit = self.known().commit_at(sequence)?;
            let commit = commit.filter(|commit| commit.sequence == sequence.0);
            let run = match commit {
                Some(commit) => RunId(commit.run),
                // The ledger that knew it is lost.
                None if self.state.lost_runs() => RunId(0),
                None => return Err(unknown(sequence)),
            };
            Ok(Sighting { custodian, run, sequence })
        };
        sightings.into_iter().map(sighting).collect()
    }

    /// The numbers of those who delivered a row up to the readers' commit, ascending.
    pub(crate) fn custodians(&self, at: RowId, readers: &SetReaders) -> Result<Vec<u32>> {
        self.need_sightings(at)?;
        let sightings = self.delivered().of_row(&self.state, at, readers)?;
        Ok(sightings.into_iter().map(|(number, _)| number).collect())
    }

    /// The last commit; the one before the first where damage hides it, which nothing takes for it.
    pub(crate) fn commit(&self) -> CommitId {
        self.commit_at(self.until).unwrap_or_default()
    }

    fn commit_at(&self, at: Sequence) -> Result<CommitId> {
        Ok(self.state.commit_at(at)?.map_or_else(CommitId::default, Committed::id))
    }

    pub(crate) fn check_commit(&self, commit: &CommitId) -> Result<()> {
        let there = self.commit_at(commit.sequence.min(self.until))?;
        if there == *commit || planted!("believe a commit of another past") {
            return Ok(());
        }
        let here = if there.sequence == commit.sequence {
            format!("its commit of that number is {there}")
        } else if commit.sequence > self.until {
            format!("its last commit is {}", self.commit())
        } else {
            "it has no commit of that number".to_owned()
        };
        Err(Error::invalid(format!(
            "commit {commit} is none of this archive's ({here}): the archive was put back from a \
             copy, or the commit is of another archive; begin anew from commit {}",
            self.commit()
        )))
    }

    /// What cursors keep of the archive's id.
    pub(crate) fn archive_prefix(&self) -> [u8; 8] {
        *self.shared.archive.first_chunk().unwrap_or(&[0; 8])
    }

    /// A ledger has sightings of segments with smaller numbers only.
    fn need_sightings(&self, at: RowId) -> Result<()> {
        let live = self.state.segments.get(at.source as usize);
        let lost = self.state.lost_ledgers.last();
        let touched = live.zip(lost).is_some_and(|(live, lost)| live.entry.number < lost.0);
        if touched { self.state.need_ledgers() } else { Ok(()) }
    }

    fn name(&self, number: u32) -> Result<Custodian> {
        self.known().name(number)
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
        let mut unread = Vec::new();
        for (source, live) in (0_u32..).zip(&self.state.segments) {
            let rows = match live.segment() {
                Ok(segment) => segment.tagged(wanted, &mut unread),
                Err(error) => {
                    unread.push(error);
                    continue;
                }
            };
            for row in rows {
                let at = RowId { source, row };
                match addresses.of(&self.state, at) {
                    Ok((found, _)) if found == *address => return Ok(Some(at)),
                    Ok(_) => {}
                    Err(error) => unread.push(error),
                }
            }
        }
        let found = self.slab_addresses().get(address).copied();
        if found.is_none() {
            // It may be where nothing can be read.
            for error in unread {
                let _ = self.state.missing.pass::<()>(Err(error))?;
            }
        }
        Ok(found)
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

fn unknown(commit: Sequence) -> Error {
    Error::corrupt(format!("a sighting is of commit {}, which no ledger knows", commit.0))
}
