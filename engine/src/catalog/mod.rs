//! The catalog: which segments a conversation can be in, for archives of many segments.
//!
//! Derived from the segments and never the only place of anything: deleting it costs a rebuild.
//! It is small (a value for each segment) and kept in sled, which is not to be trusted with more.
//!
//! Invariants:
//! - No call fails and none panics. When sled errs, the catalog goes on in memory, empty, and
//!   [`Catalog::fault`] says why; whoever asks finds nothing and takes the path without a catalog.
//! - A value is given only if its checksum fits and it is about exactly the segment file that was
//!   asked for: a stale or misplaced value is no value.
//! - Only the holder of the archive's writer lock opens it.
//!
//! In the catalog's folder: `sled/`, the database; `SEAL`, when it was closed in order. A folder
//! that is of no use moves to `catalog-<n>` in the trash, where the newest three are kept.

mod codec;
mod place;
mod seal;
mod set;
mod store;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use roaring::RoaringBitmap;

pub(crate) use place::CatalogFolder;
pub(crate) use store::disk_bytes;
use store::{Key, Store};

/// What a segment holds, as far as looking for a row needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    /// Identity of the segment file.
    pub(crate) hash: [u8; 32],
    /// Hashes of conversation ids.
    pub(crate) conversations: RoaringBitmap,
}

/// Which state of which archive a catalog tells about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) archive: [u8; 16],
    /// Number of the manifest.
    pub(crate) manifest: u64,
    /// Hash of the manifest.
    pub(crate) hash: [u8; 32],
}

/// How a catalog was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// There was none: everything is to be put.
    Fresh,
    /// It tells about the state that was asked for.
    Current,
    /// It tells about another state: retain and put what differs.
    Stale,
    /// What was there is of no use, for this reason, and was moved aside; now it is fresh.
    MovedAside(String),
}

/// An open catalog. Calls may come from several threads.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// Held for a value's reading or writing, never while one is packed or unpacked. Not a
    /// reader-writer lock: readers keep what they got, so calls are few.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    place: Option<CatalogFolder>,
    keeper: Keeper,
    fault: Option<String>,
}

/// Who keeps the values.
#[derive(Debug)]
enum Keeper {
    Sled(Store),
    Memory(BTreeMap<Key, Vec<u8>>),
}

impl Catalog {
    /// Opens the catalog at a place, or one in memory. Never fails: see [`Opened`].
    pub(crate) fn open(place: Option<CatalogFolder>, stamp: &Stamp) -> (Self, Opened) {
        let (keeper, opened, fault) = match place.as_ref().map(|place| place.open(stamp)) {
            None => (Keeper::memory(), Opened::Fresh, None),
            Some(Ok((store, opened))) => (Keeper::Sled(store), opened, None),
            Some(Err(reason)) => (Keeper::memory(), Opened::Fresh, Some(reason)),
        };
        (Self { state: Mutex::new(State { place, keeper, fault }) }, opened)
    }

    /// What is known about the segment file of this number and identity.
    pub(crate) fn get(&self, segment: u64, hash: &[u8; 32]) -> Option<Summary> {
        let summary = self.read(&Key::Segment(segment), codec::decode_summary)?;
        (summary.hash == *hash || planted!("trust a stale catalog")).then_some(summary)
    }

    /// Remembers a segment.
    pub(crate) fn put(&self, segment: u64, summary: &Summary) {
        self.write(&Key::Segment(segment), |key| codec::encode_summary(key, summary));
    }

    /// Forgets all segments but these.
    pub(crate) fn retain(&self, live: &[u64]) {
        self.state().run(|keeper| keeper.retain(live));
    }

    /// Says that the catalog tells about this state now, and hands it to the operating system.
    pub(crate) fn stamp(&self, stamp: &Stamp) {
        self.write(&Key::Stamp, |key| codec::encode_stamp(key, stamp));
        self.state().run(Keeper::flush);
    }

    /// Forgets everything, a fault too, and starts over with an empty folder.
    pub(crate) fn clear(&self) {
        self.state().clear();
    }

    /// Why it no longer uses its folder.
    pub(crate) fn fault(&self) -> Option<String> {
        self.state().fault.clone()
    }

    /// Bytes on disk.
    #[cfg(test)]
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.state().place.as_ref().map_or(0, |place| disk_bytes(&place.folder))
    }

    /// Closes in order, as dropping does: on return the folder can be opened again.
    pub(crate) fn close(self) {
        drop(self);
    }

    fn read<T>(&self, key: &Key, decode: impl Fn(&[u8], &[u8]) -> Option<T>) -> Option<T> {
        let value = self.state().run(|keeper| keeper.get(key))?;
        let decoded = decode(key.name().as_bytes(), &value);
        if decoded.is_none() {
            self.state().degrade(format!("the value of {} is damaged", key.name()));
        }
        decoded
    }

    fn write(&self, key: &Key, encode: impl Fn(&[u8]) -> Option<Vec<u8>>) {
        // Over the codec's limit: not catalogued, so that readers take the path without.
        let Some(value) = encode(key.name().as_bytes()) else { return };
        self.state().run(|keeper| keeper.put(key, &value));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Catalog {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(reason)) = state.take_store().map(Store::close) {
            state.condemn(&reason);
        }
    }
}

impl State {
    /// Does something with the keeper; if sled errs, with one in memory from then on.
    fn run<T: Default>(&mut self, work: impl Fn(&mut Keeper) -> Result<T, String>) -> T {
        let done = work(&mut self.keeper);
        done.or_else(|reason| {
            self.degrade(reason);
            work(&mut self.keeper)
        })
        .unwrap_or_default()
    }

    /// Lets go of sled for now; the next opening moves its folder aside.
    fn degrade(&mut self, reason: String) {
        if let Some(store) = self.take_store() {
            self.condemn(&reason);
            store.abandon();
        }
        let _ = self.fault.get_or_insert(reason);
    }

    fn clear(&mut self) {
        let released = self.take_store().map_or(Ok(()), Store::release);
        self.keeper = Keeper::memory();
        let Some(place) = &self.place else { return };
        match released.and_then(|()| place.renew()) {
            Ok(store) => (self.keeper, self.fault) = (Keeper::Sled(store), None),
            Err(reason) => self.fault = Some(reason),
        }
    }

    fn take_store(&mut self) -> Option<Store> {
        match std::mem::replace(&mut self.keeper, Keeper::memory()) {
            Keeper::Sled(store) => Some(store),
            memory @ Keeper::Memory(_) => {
                self.keeper = memory;
                None
            }
        }
    }

    /// Makes sure that the next opening moves the folder aside.
    fn condemn(&self, reason: &str) {
        if let Some(place) = &self.place {
            place.condemn(reason);
        }
    }
}

impl Keeper {
    fn memory() -> Self {
        Self::Memory(BTreeMap::new())
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Sled(store) => store.get(key),
            Self::Memory(values) => Ok(values.get(key).cloned()),
        }
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), String> {
        match self {
            Self::Sled(store) => store.put(key, value),
            Self::Memory(values) => {
                drop(values.insert(key.clone(), value.to_vec()));
                Ok(())
            }
        }
    }

    fn retain(&mut self, live: &[u64]) -> Result<(), String> {
        match self {
            Self::Sled(store) => {
                let gone = store.segments().into_iter().filter(|number| !live.contains(number));
                gone.collect::<Vec<_>>().into_iter().try_for_each(|n| store.remove_segment(n))?;
                store.shrink()
            }
            Self::Memory(values) => {
                values.retain(|key, _| match key {
                    Key::Segment(number) => live.contains(number),
                    Key::Stamp => true,
                });
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        match self {
            Self::Sled(store) => store.flush(),
            Self::Memory(_) => Ok(()),
        }
    }
}
