//! Summaries of segments: which conversations certainly are not in one.
//!
//! A summary is a function of its segment's bytes, made when a commit first looks for rows. The writer
//! of an archive of many segments keeps them in the catalog, which is not to be trusted: why can its
//! word not lose anything?
//! - A stale one is impossible: it is kept under the BLAKE3 of the whole segment file, as the
//!   manifest names it, and segment files never change.
//! - A damaged one is none: its checksum covers it and its key, and then it is made from the
//!   segment again.
//! - "It may be here" is never evidence: the row itself is looked up and its address compared.
//!   "It is not here", should it ever be wrong, stores a copy twice and drops none.
//!
//! Without a summary every question is answered by the segment's own tables.

use std::sync::{Arc, MutexGuard, PoisonError};

use crate::archive::state::{Live, State};
use crate::archive::{Archive, Shared};
use crate::catalog::{Catalog, CatalogFolder, Stamp, Summary};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Host;

/// The folder of the catalog.
const FOLDER: &str = "catalog";
/// For fewer segments a catalog takes longer to open than their summaries to make.
const CATALOGUED_SEGMENTS: usize = 16;
/// Hashes keep so many bits: one segment in a hundred is then looked into for nothing at 10,000
/// conversations a segment, and a set costs a byte a member instead of three.
const HASH_BITS: u32 = 20;
/// An id as summaries know it: the upper 20 bits of the first four bytes of its BLAKE3, read as a
/// little-endian number. Made once and asked of every segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe(u32);

impl Probe {
    pub(crate) fn of(id: &[u8]) -> Self {
        let [a, b, c, d, ..] = *blake3::hash(id).as_bytes();
        Self(u32::from_le_bytes([a, b, c, d]) >> (u32::BITS - HASH_BITS))
    }
}

impl Live {
    /// False only if the segment certainly has no row of this conversation.
    ///
    /// Asked for every new row: never computes anything.
    pub(crate) fn may_have(&self, conversation: Probe) -> bool {
        self.known().is_none_or(|summary| summary.conversations.contains(conversation.0))
    }

    fn known(&self) -> Option<&Summary> {
        self.summary.get().and_then(Option::as_ref)
    }

    /// Makes the summary known, from the catalog or from the segment, and catalogues it.
    fn summarize(&self, catalog: Option<&Catalog>) {
        let _ = self.summary.get_or_init(|| {
            let number = self.entry.number;
            let known = catalog.and_then(|catalog| catalog.get(number, &self.entry.hash));
            known.or_else(|| {
                // A damaged segment has none: its tables are asked, and say what is damaged.
                let summary = summarize(self).ok()?;
                if let Some(catalog) = catalog {
                    catalog.put(number, &summary);
                }
                Some(summary)
            })
        });
    }
}

/// What is in a segment.
fn summarize(live: &Live) -> Result<Summary> {
    let tables = live.segment()?.tables()?;
    let ids = &tables.conversations;
    let ids = (0..ids.len()).filter_map(|at| ids.get(at));
    Ok(Summary { hash: live.entry.hash, conversations: ids.map(|id| Probe::of(id).0).collect() })
}

impl Archive {
    /// Throws the derived catalog away and builds it anew from the segments; gives how many.
    ///
    /// `InvalidInput` on a reader; `Io` if the catalog's folder cannot be used, which nothing else
    /// needs.
    pub fn rebuild_catalog(&self) -> Result<u64> {
        drop(self.shared.writer()?);
        let mut guard = self.shared.catalog();
        let state = self.shared.state();
        let catalog = guard.get_or_insert_with(|| open(&self.shared.host, &stamp(&state)));
        catalog.clear();
        for live in &state.segments {
            match summarize(live) {
                Ok(summary) => catalog.put(live.entry.number, &summary),
                // Such a segment has no summary: whoever needs it meets the damage itself.
                Err(error) if error.is_unreadable() => {}
                Err(error) => return Err(error),
            }
        }
        catalog.stamp(&stamp(&state));
        match catalog.fault() {
            None => Ok(state.segments.len() as u64),
            Some(reason) => Err(Error::new(ErrorKind::Io, reason).in_file(FOLDER)),
        }
    }
}

impl Shared {
    /// Makes the summaries of all segments known, before somebody looks for rows in them; cannot fail.
    pub(crate) fn summarize(&self, state: &State) {
        let is_known = |live: &Arc<Live>| live.summary.get().is_some();
        if state.segments.iter().all(is_known) {
            return;
        }
        let mut guard = self.catalog();
        if state.segments.len() >= CATALOGUED_SEGMENTS {
            let _ = guard.get_or_insert_with(|| open(&self.host, &stamp(state)));
        }
        let catalog = guard.as_ref();
        state.segments.iter().for_each(|live| live.summarize(catalog));
        if let Some(catalog) = catalog {
            let live: Vec<u64> = state.segments.iter().map(|live| live.entry.number).collect();
            catalog.retain(&live);
            catalog.stamp(&stamp(state));
        }
    }

    pub(crate) fn close_catalog(&self) {
        let catalog = self.catalog().take();
        if let Some(catalog) = catalog {
            catalog.close();
        }
    }

    pub(crate) fn catalog(&self) -> MutexGuard<'_, Option<Catalog>> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(host: &Host, stamp: &Stamp) -> Catalog {
    let folder = |name| host.storage.local_folder(name);
    let place = folder(FOLDER).zip(folder(crate::archive::maintain::disposal::TRASH));
    let place = place.map(|(folder, trash)| CatalogFolder { folder, trash });
    // However it was found, the update that follows puts what is missing.
    let (catalog, _opened) = Catalog::open(place, stamp);
    catalog
}

fn stamp(state: &State) -> Stamp {
    let State { manifest, manifest_hash, .. } = state;
    Stamp { archive: manifest.archive, manifest: manifest.number, hash: *manifest_hash }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_the_same_on_every_machine() {
        // The first bytes of BLAKE3 of nothing are af 13 49 b9.
        assert_eq!(Probe::of(b""), Probe(0xb949_13af >> 12));
        assert_ne!(Probe::of(b"19:a@thread.v2"), Probe::of(b"19:b@thread.v2"));
    }
}
