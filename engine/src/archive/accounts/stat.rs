//! Counts and sizes of an archive.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use crate::archive::maintain::disposal::TRASH;
use crate::archive::maintain::folded::Folded;
use crate::archive::repair::repaired::Repaired;
use crate::archive::state::State;
use crate::archive::{Archive, Committed, Known, Shared, Stat};
use crate::catalog;
use crate::error::{Error, Result};
use crate::format::names::{FileKind, JOURNAL, MANIFEST, Name};

impl Archive {
    /// Counts and sizes of everything committed so far.
    ///
    /// Reads the tables of every segment for the distinct conversations and senders; takes eight
    /// bytes of memory for each of these.
    ///
    /// `Corrupt`, or an error of the storage, if a list of a segment or a ledger cannot be read.
    pub fn stat(&self) -> Result<Stat> {
        let shared = &*self.shared;
        let state = shared.newest()?;
        state.need_ledgers()?;
        let known = Known::of(&state);
        let (counts, (custodians, runs)) = (known.total()?, known.sizes());
        let mut open = Vec::new();
        for live in &state.segments {
            open.extend(state.missing.pass(live.segment())?.map(|segment| &segment.meta));
        }
        let metas = || open.iter().copied();
        let rows = || state.slabs.iter().flat_map(|slab| &slab.rows);
        let journal_rows = rows().count() as u64;
        let fresh = rows().filter(|row| !row.sibling).count() as u64;
        let beside = rows().filter(|row| row.beside).count() as u64;
        let journal_bytes: u64 = rows().map(|row| row.document.len() as u64).sum();
        let (conversations, senders) = distinct(&state)?;
        let mut objects = 0;
        for pack in &state.packs {
            objects += state.missing.pass(pack.get())?.map_or(0, |pack| pack.objects().len());
        }
        let bytes_by_part = shared.bytes_by_part()?;
        let bytes_written = if shared.writer.is_some() {
            shared.bytes_written.load(Ordering::Relaxed)
        } else {
            let journal = bytes_by_part.get("journal").unwrap_or(&0);
            state.manifest.bytes_written.saturating_add(*journal)
        };
        Ok(Stat {
            counts,
            versions: counts.stored,
            variants: counts.variants,
            messages: metas().map(|meta| u64::from(meta.messages)).sum::<u64>() + fresh,
            conversations,
            senders,
            custodians,
            segments: state.segments.len() as u64,
            runs,
            journal_rows,
            stored_beside: metas().map(|meta| u64::from(meta.beside)).sum::<u64>() + beside,
            raw_rows: metas().map(|meta| u64::from(meta.whole_rows)).sum(),
            commit: state.commit_at(state.sequence)?.map_or_else(Default::default, Committed::id),
            objects: objects as u64 + shared.unsealed_objects(),
            repaired: Repaired::of(&state.manifest),
            folded: Folded::of(&state.manifest),
            bytes_by_part,
            bytes_written,
            dropped_tail: shared.dropped_tail(),
            unproven: shared.unproven(),
            raw_bytes: metas().map(|meta| meta.raw_bytes).sum::<u64>() + journal_bytes,
            health: shared.health(),
            cache: shared.environment.cache_use(),
        })
    }
}

/// Distinct conversations and senders.
fn distinct(state: &State) -> Result<(u64, u64)> {
    let (mut conversations, mut senders) = (Distinct::default(), Distinct::default());
    for live in &state.segments {
        let tables = live.segment().and_then(|segment| segment.tables());
        let Some(tables) = state.missing.pass(tables)? else { continue };
        for (list, seen) in
            [(&tables.conversations, &mut conversations), (&tables.senders, &mut senders)]
        {
            (0..list.len()).filter_map(|at| list.get(at)).for_each(|id| seen.add(id));
        }
    }
    for row in state.slabs.iter().flat_map(|slab| &slab.rows) {
        conversations.add(row.conversation.as_bytes());
        row.sender.iter().for_each(|sender| senders.add(sender.as_bytes()));
    }
    Ok((conversations.count(), senders.count()))
}

/// Counts different texts by 64-bit hashes: two of a million agree once in 40 million archives.
#[derive(Debug, Default)]
struct Distinct {
    seen: HashSet<u64, RandomState>,
    hasher: RandomState,
}

impl Distinct {
    fn add(&mut self, text: &[u8]) {
        let _ = self.seen.insert(self.hasher.hash_one(text));
    }

    fn count(&self) -> u64 {
        self.seen.len() as u64
    }
}

const FOLDERS: [&str; 8] =
    ["", MANIFEST, JOURNAL, "segments", "objects", "quarantine", SEARCH, TRASH];
/// The full-text index of the query crate.
const SEARCH: &str = "search";
const PARTS: [&str; 10] = [
    "segments",
    "ledger",
    "journal",
    "manifest",
    "objects",
    "quarantine",
    "catalog",
    SEARCH,
    "trash",
    "other",
];

impl Shared {
    /// Lengths of the files that are there now, temporary and foreign ones as `other`.
    fn bytes_by_part(&self) -> Result<BTreeMap<String, u64>> {
        let storage = &*self.host.storage;
        let mut parts: BTreeMap<String, u64> =
            PARTS.iter().map(|part| ((*part).to_owned(), 0)).collect();
        let mut add = |part: &str, bytes: u64| {
            *parts.entry(part.to_owned()).or_default() += bytes;
        };
        for folder in FOLDERS {
            let list = storage.list(folder);
            for file in list.map_err(|cause| Error::io("list", folder, cause))? {
                add(part(folder, &file.name), file.bytes);
            }
        }
        let below =
            |folder| storage.local_folder(folder).map_or(0, |path| catalog::disk_bytes(&path));
        add("catalog", below("catalog"));
        // Catalogs that were moved aside are folders in there.
        let in_trash = parts.get(TRASH).copied().unwrap_or(0);
        let _ = parts.insert(TRASH.to_owned(), below(TRASH).max(in_trash));
        Ok(parts)
    }
}

fn part(folder: &str, name: &str) -> &'static str {
    match (folder, Name::parse(&format!("{folder}/{name}"))) {
        ("quarantine", _) => "quarantine",
        (SEARCH, _) => SEARCH,
        (TRASH, _) => "trash",
        (_, Name::Manifest(_)) => "manifest",
        (_, Name::Journal(_)) => "journal",
        (_, Name::File(kind, _)) => match kind {
            FileKind::Segment | FileKind::Dictionary => "segments",
            FileKind::Ledger => "ledger",
            FileKind::Pack => "objects",
            FileKind::Quarantine => "quarantine",
        },
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_belongs_to_one_part() {
        let cases = [
            ("", "FORMAT", "other"),
            ("", "LOCK", "other"),
            ("manifest", "0000000000000001.mft", "manifest"),
            ("journal", "0000000000000001.log", "journal"),
            ("journal", "0000000000000001.log.tmp", "other"),
            ("segments", "0000000000000001.seg", "segments"),
            ("segments", "0000000000000001.dic", "segments"),
            ("segments", "0000000000000001.led", "ledger"),
            ("segments", "0000000000000001.qtn", "quarantine"),
            ("segments", "notes.txt", "other"),
            ("objects", "0000000000000001.pack", "objects"),
            ("quarantine", "0000000000000001.seg", "quarantine"),
            ("search", "meta.json", "search"),
            ("trash", "0000000000000001.0000000000000001.seg", "trash"),
        ];
        for (folder, name, expected) in cases {
            assert_eq!(part(folder, name), expected, "{folder}/{name}");
            assert!(PARTS.contains(&expected) && FOLDERS.contains(&folder));
        }
    }

    #[test]
    fn texts_are_counted_once() {
        let mut texts = Distinct::default();
        for text in ["a", "b", "a", "", "b"] {
            texts.add(text.as_bytes());
        }
        assert_eq!(texts.count(), 3);
    }
}
