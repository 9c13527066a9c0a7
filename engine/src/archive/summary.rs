//! Summaries of segments: which conversations, senders and days certainly are not in one.
//!
//! A summary is a function of its segment's bytes. The writer keeps them in the catalog, which is
//! not to be trusted: why can its word not lose anything?
//! - A stale one is impossible: it is kept under the BLAKE3 of the whole segment file, as the
//!   manifest names it, and segment files never change.
//! - A damaged one is none: its checksum covers it and its key, and then it is made from the
//!   segment again.
//! - "It may be here" is never evidence: the row itself is looked up and its address compared.
//!   "It is not here", should it ever be wrong, stores a copy twice and drops none.
//!
//! Without a summary every question is answered by the segment's own tables.

use roaring::RoaringBitmap;

use super::state::{Live, State};
use super::{Archive, Shared};
use crate::catalog::{Catalog, Place, Stamp, Summary};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Manifest;
use crate::options::Host;
use crate::segment::Segment;
use crate::types::TICKS_PER_MS;
use std::sync::{MutexGuard, PoisonError};

/// The folder of the catalog.
const FOLDER: &str = "catalog";
/// Hashes keep so many bits: one segment in a hundred is then looked into for nothing at 10,000
/// conversations a segment, and a set costs a byte a member instead of three.
const HASH_BITS: u32 = 20;
const TICKS_PER_DAY: i64 = 24 * 60 * 60 * 1000 * TICKS_PER_MS;
/// Makes every day that a time can be on a positive number.
const FIRST_DAY: i64 = -(1 << 24);

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

/// The number of a day of UTC.
fn day(ticks: i64) -> u32 {
    u32::try_from(ticks.div_euclid(TICKS_PER_DAY) - FIRST_DAY).unwrap_or(0)
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
    fn summarize(&self, catalog: &Catalog) {
        let _ = self.summary.get_or_init(|| {
            let number = self.entry.number;
            catalog.get(number, &self.entry.hash).or_else(|| {
                // A damaged segment has none: its tables are asked, and say what is damaged.
                let segment = self.segment().ok()?;
                let summary = summarize(segment, self.entry.hash).ok()?;
                catalog.put(number, &summary);
                Some(summary)
            })
        });
    }
}

/// What is in a segment.
fn summarize(segment: &Segment, hash: [u8; 32]) -> Result<Summary> {
    let tables = segment.tables()?;
    let probes = |list: &crate::segment::Strings| -> RoaringBitmap {
        (0..list.len()).filter_map(|at| list.get(at)).map(|id| Probe::of(id).0).collect()
    };
    let meta = &segment.meta;
    let mut days = RoaringBitmap::new();
    for group in 0..meta.groups.len() {
        // Not through the cache: it would push out what readers need, for one use.
        let keys = segment.read_keys(group)?;
        days.extend(keys.modified.iter().map(|ticks| day(*ticks)));
    }
    Ok(Summary {
        hash,
        rows: u64::from(meta.rows),
        conversations: probes(&tables.conversations),
        senders: probes(&tables.senders),
        custodians: tables.sets.custodians().collect(),
        days,
        created: (meta.created.low, meta.created.high),
        modified: (meta.modified.low, meta.modified.high),
    })
}

impl Archive {
    /// Throws the derived catalog away and builds it anew from the segments; gives how many.
    ///
    /// `InvalidInput` on a reader; `Io` if the catalog's folder cannot be used, which nothing else
    /// needs.
    pub fn rebuild_catalog(&self) -> Result<u64> {
        let guard = self.shared.catalog();
        let closed = || Error::invalid("the catalog is the writer's: open the archive for writing");
        let catalog = guard.as_ref().ok_or_else(closed)?;
        catalog.clear();
        let state = self.shared.state();
        for live in &state.segments {
            let summary = live.segment().and_then(|segment| summarize(segment, live.entry.hash));
            match summary {
                Ok(summary) => catalog.put(live.entry.number, &summary),
                // Such a segment has no summary: whoever needs it meets the damage itself.
                Err(error) if error.is_unreadable() => {}
                Err(error) => return Err(error),
            }
        }
        catalog.stamp(&stamp(&state.manifest, state.manifest_hash));
        match catalog.fault() {
            None => Ok(state.segments.len() as u64),
            Some(reason) => Err(Error::new(ErrorKind::Io, reason).in_file(FOLDER)),
        }
    }
}

impl Shared {
    /// Opens the catalog for the writer; readers have none.
    pub(crate) fn open_catalog(&self, state: &State) {
        let stamp = stamp(&state.manifest, state.manifest_hash);
        let opened = open(&self.host, &stamp);
        *self.catalog() = Some(opened);
    }

    /// Brings the catalog up to date with the newest manifest; cannot fail.
    ///
    /// The state is read under the catalog's lock, so that of two updates the later one wins.
    pub(crate) fn update_catalog(&self) {
        let guard = self.catalog();
        let Some(catalog) = guard.as_ref() else { return };
        let state = self.state();
        state.segments.iter().for_each(|live| live.summarize(catalog));
        let live: Vec<u64> = state.segments.iter().map(|live| live.entry.number).collect();
        catalog.retain(&live);
        catalog.stamp(&stamp(&state.manifest, state.manifest_hash));
    }

    pub(crate) fn close_catalog(&self) {
        let catalog = self.catalog().take();
        if let Some(catalog) = catalog {
            catalog.close();
        }
    }

    pub(super) fn catalog(&self) -> MutexGuard<'_, Option<Catalog>> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(host: &Host, stamp: &Stamp) -> Catalog {
    let folder = |name| host.storage.local_folder(name);
    let place = folder(FOLDER).zip(folder(super::disposal::TRASH));
    let place = place.map(|(folder, trash)| Place { folder, trash });
    // However it was found, the update that follows puts what is missing.
    let (catalog, _opened) = Catalog::open(place, stamp);
    catalog
}

fn stamp(manifest: &Manifest, hash: [u8; 32]) -> Stamp {
    Stamp { archive: manifest.archive, manifest: manifest.number, hash }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_the_same_on_every_machine_and_day_numbers_do_not_overflow() {
        // The first bytes of BLAKE3 of nothing are af 13 49 b9.
        assert_eq!(Probe::of(b""), Probe(0xb949_13af >> 12));
        assert_ne!(Probe::of(b"19:a@thread.v2"), Probe::of(b"19:b@thread.v2"));
        let days = [i64::MIN, -1, 0, TICKS_PER_DAY - 1, TICKS_PER_DAY, i64::MAX].map(day);
        assert!(days.is_sorted() && days[0] > 0, "{days:?}");
        assert_eq!((days[2], days[3]), (1 << 24, 1 << 24));
        assert_eq!((days[1], days[4]), ((1 << 24) - 1, (1 << 24) + 1));
    }
}
