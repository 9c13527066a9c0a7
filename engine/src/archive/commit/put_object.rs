//! Binary objects on their way into packs.
//!
//! Small objects share the *open* pack; a large one has a pack of its own, so that its stream,
//! however slow, holds no lock. Packs that hold an object are sealed (complete and synced under
//! their names, then named by a synced manifest) when
//! - a batch commits that links to an object in them, before its rows go into the journal: what a
//!   durable link names is durable,
//! - they hold [`FULL_BYTES`] together,
//! - the archive seals or closes.
//!
//! Until then their objects are in memory and in `objects/*.tmp`, which a crash leaves behind
//! unread: whoever put them puts them again, as an ingest does whose batch was not committed.
//!
//! Invariant: an object is in one pack only. It is looked for, and packs change, under the lock
//! `packing`, which is taken after `writer` and never before it.

use std::io::{Cursor, Read};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::committing::Writer;
use crate::archive::held::Held;
use crate::archive::state::State;
use crate::archive::{Archive, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::format::multiset::Multiset;
use crate::manifest::{Change, FileEntry, FileKind};
use crate::objects::{ObjectReader, Pack, PackSummary, PackWriter};
use crate::storage::Storage;
use crate::types::{ContentAddress, Sequence};

/// An object of at least so many bytes has a pack of its own; a smaller one is read into memory.
const LARGE_BYTES: u64 = 8 << 20;
/// Packs are sealed when they hold so much together: what a crash can ask to be put again.
const FULL_BYTES: u64 = 64 << 20;
/// Or so many objects: half of what a pack can hold.
const FULL_OBJECTS: usize = 1 << 19;

/// Packs that no manifest names yet.
#[derive(Debug, Default)]
pub(crate) struct Packing {
    /// The one that takes small objects.
    open: Option<PackWriter>,
    /// Packs of one large object each, complete but for their directory.
    large: Vec<PackWriter>,
}

impl Packing {
    fn all(&self) -> impl Iterator<Item = &PackWriter> {
        self.large.iter().chain(&self.open)
    }

    fn contains(&self, address: &ContentAddress) -> bool {
        self.all().any(|pack| pack.contains(address))
    }

    fn is_full(&self) -> bool {
        let bytes: u64 = self.all().map(PackWriter::bytes).sum();
        bytes >= FULL_BYTES || self.count() >= FULL_OBJECTS
    }

    fn count(&self) -> usize {
        self.all().map(PackWriter::count).sum()
    }

    fn take(&mut self) -> Vec<PackWriter> {
        let packs = self.large.drain(..).chain(self.open.take());
        packs.filter(|pack| pack.count() > 0).collect()
    }
}

impl Archive {
    /// Stores a binary object, streamed; the same bytes are stored once. Gives its address.
    ///
    /// The object is durable once a batch that links to it is committed, or once the archive is
    /// sealed or closed; one that nothing links to and that is not sealed is gone after a crash
    /// or when the last handle is dropped without closing. At most 8 MiB of it are in memory.
    ///
    /// If reading `bytes` fails nothing is stored. `InvalidInput` on a reader.
    pub fn put_object(&self, bytes: &mut dyn Read) -> Result<ContentAddress> {
        drop(self.shared.taking()?);
        let start = read_start(bytes)?;
        let address = if (start.len() as u64) < LARGE_BYTES {
            self.shared.put_small(&start)?
        } else {
            self.shared.put_large(&mut Cursor::new(start).chain(bytes))?
        };
        if self.shared.packing().is_full() {
            let mut writer = self.shared.taking()?;
            self.shared.seal_pack(&mut writer)?;
        }
        Ok(address)
    }
}

/// The first [`LARGE_BYTES`], or everything if that is less.
fn read_start(bytes: &mut dyn Read) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let read = bytes.take(LARGE_BYTES).read_to_end(&mut start);
    let failed = |cause| Error::new(ErrorKind::Io, "reading the object failed").caused_by(cause);
    read.map(|_| start).map_err(failed)
}

impl Shared {
    fn put_small(&self, mut bytes: &[u8]) -> Result<ContentAddress> {
        let address = ContentAddress(*blake3::hash(bytes).as_bytes());
        let mut spare = None;
        loop {
            let mut packing = self.packing();
            if self.is_stored(&packing, &address) {
                return Ok(address);
            }
            if packing.open.is_none() {
                packing.open = spare.take();
            }
            if let Some(pack) = &mut packing.open {
                // A pack whose write failed stays and cannot be sealed: no commit can then link
                // to an object that was in it.
                return pack.put(&mut bytes).map(|(address, _)| address);
            }
            drop(packing);
            spare = Some(self.start_pack()?);
        }
    }

    fn put_large(&self, bytes: &mut dyn Read) -> Result<ContentAddress> {
        let mut pack = self.start_pack()?;
        let (address, _) = pack.put(bytes)?;
        let mut packing = self.packing();
        if !self.is_stored(&packing, &address) {
            packing.large.push(pack);
        }
        Ok(address)
    }

    /// Starts a pack; dropping it removes what it has written.
    fn start_pack(&self) -> Result<PackWriter> {
        let mut writer = self.taking()?;
        let number = writer.next_file;
        writer.next_file += 1;
        drop(writer);
        PackWriter::start(Arc::clone(&self.host.storage), number, self.archive)
    }

    fn is_stored(&self, packing: &Packing, address: &ContentAddress) -> bool {
        // What cannot be read is stored again.
        let sealed = |pack: &Held<Pack>| pack.get().is_ok_and(|pack| pack.find(address).is_some());
        packing.contains(address) || self.state().packs.iter().any(sealed)
    }

    /// An object to be read. One that waits in an open pack is made durable first.
    pub(crate) fn find_object(
        &self,
        state: &State,
        address: &ContentAddress,
    ) -> Result<Option<ObjectReader>> {
        let find = |state: &State| {
            state.packs.iter().find_map(|pack| pack.get().ok().and_then(|pack| pack.read(address)))
        };
        if let Some(reader) = find(state) {
            return Ok(Some(reader));
        }
        if self.packing().contains(address) {
            self.seal_pack(&mut *self.writer()?)?;
        }
        if let Some(reader) = find(&self.state()) {
            return Ok(Some(reader));
        }
        // Nobody knows what was in a pack that cannot be read.
        for pack in &state.packs {
            let _ = state.missing.pass(pack.get().map(drop))?;
        }
        Ok(None)
    }

    /// Objects that no manifest names yet.
    pub(crate) fn unsealed_objects(&self) -> u64 {
        self.packing().count() as u64
    }

    /// Makes the objects durable that a commit is about to link to; `InvalidInput` if one was
    /// never put.
    pub(crate) fn seal_linked<'a>(
        &self,
        writer: &mut Writer,
        linked: impl Iterator<Item = &'a ContentAddress>,
    ) -> Result<()> {
        let packing = self.packing();
        let mut waits = false;
        for object in linked {
            if !self.is_stored(&packing, object) {
                let message = format!("link to object {object}, which is not stored: put it first");
                return Err(Error::invalid(message));
            }
            waits |= packing.contains(object);
        }
        drop(packing);
        if waits { self.seal_pack(writer) } else { Ok(()) }
    }

    /// Seals the packs that hold something: on return their objects survive a power cut.
    pub(crate) fn seal_pack(&self, writer: &mut Writer) -> Result<()> {
        let mut packing = self.packing();
        let packs = packing.take();
        if packs.is_empty() {
            return Ok(());
        }
        let sealed = self.publish_packs(writer, packs);
        drop(packing);
        if let Err(error) = &sealed {
            writer.stop(error);
        }
        sealed
    }

    fn publish_packs(&self, writer: &Writer, packs: Vec<PackWriter>) -> Result<()> {
        self.need_lock()?;
        let state = self.state();
        let mut change = Change::none(&state.manifest, self.host.clock.now());
        for pack in packs {
            change.added.push(entry(&pack.finish()?));
        }
        let mut next = open_packs(self, &state, &change.added)?;
        let named = self.publish(writer, &state, change)?;
        (next.manifest, next.manifest_hash) = (named.manifest, named.manifest_hash);
        self.set_state(next);
        Ok(())
    }

    fn packing(&self) -> MutexGuard<'_, Packing> {
        self.packing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the pack that a manifest names, and no other one in its place.
pub(crate) fn open_pack(
    storage: &dyn Storage,
    archive: [u8; 16],
    entry: &FileEntry,
) -> Result<Pack> {
    let opened = Pack::open(storage, entry.number, archive).and_then(|pack| {
        if pack.hash() == entry.hash && pack.objects().len() as u64 == entry.rows {
            return Ok(pack);
        }
        let message = "directory is not the one that the manifest names";
        Err(Error::corrupt(message).in_file(entry.path()))
    });
    opened.map_err(|error| error.touching(entry.touched()))
}

/// The state with more packs; they are read back before a manifest names them.
fn open_packs(shared: &Shared, state: &State, added: &[FileEntry]) -> Result<State> {
    let mut next = state.clone();
    for entry in added {
        let pack = open_pack(&*shared.host.storage, shared.archive, entry)?;
        next.packs.push(Held::of(Ok(pack)));
    }
    Ok(next)
}

/// A pack in a manifest. Its hash is that of its directory, which has the address of every
/// object: the packs' own checksums do the rest, and recordings are not hashed twice.
pub(crate) fn entry(pack: &PackSummary) -> FileEntry {
    let addresses = pack.objects.iter().map(|(address, _)| Multiset(address.0));
    FileEntry {
        kind: FileKind::Pack,
        number: pack.number,
        level: 0,
        bytes: pack.bytes,
        hash: pack.hash,
        rows: pack.objects.len() as u64,
        multiset: addresses.sum(),
        first: Sequence(0),
        last: Sequence(0),
    }
}
