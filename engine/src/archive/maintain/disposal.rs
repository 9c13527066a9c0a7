//! Files that are not needed any more: kept in `trash/` for a while, then removed.
//!
//! A reader in another process may be about to open a file that a merge has just replaced; so
//! may a person who wants to look. The name says when the file came: FORMAT.md, "Names".

use std::collections::BTreeSet;

use crate::archive::Shared;
use crate::archive::commit::committing::Writer;
use crate::error::{Error, Result};
use crate::format::names::{Name, parse_file};
use crate::manifest::Manifest;
use crate::storage::Storage;
use crate::types::Timestamp;

pub(crate) use crate::format::names::TRASH;
/// So many manifests more must have come before a file in the trash is removed.
const KEPT_MANIFESTS: u64 = 2;

impl Shared {
    /// Moves files that the newest manifest does not name to the trash, once the journal records
    /// that manifest.
    pub(crate) fn clear_out(&self, writer: &Writer) -> Result<()> {
        writer.journal.settle_records()?;
        self.need_lock()?;
        let (now, manifest) = (self.host.clock.now(), &self.state().manifest);
        let storage = &*self.host.storage;
        for folder in ["segments", "objects"] {
            move_unnamed(storage, folder, (manifest, &writer.outputs), now)?;
        }
        self.empty_trash(now, manifest.number)
    }

    /// Removes from the trash what is past its grace, without moving anything into it.
    pub(crate) fn free_trash(&self) -> Result<()> {
        let writer = self.writer()?;
        writer.journal.settle_records()?;
        self.need_lock()?;
        self.empty_trash(self.host.clock.now(), self.state().manifest.number)
    }

    /// Removes what came before the grace time and before the last two manifests: a clock that
    /// jumps ahead does not empty the trash at once. Without a grace time all of it goes.
    pub(crate) fn empty_trash(&self, now: Timestamp, newest: u64) -> Result<()> {
        let storage = &*self.host.storage;
        let grace = i64::try_from(self.options.grace_seconds).unwrap_or(i64::MAX / 1000);
        let limit = now.ms().saturating_sub(grace.saturating_mul(1000));
        let files = storage.list(TRASH).map_err(|cause| Error::io("list", TRASH, cause))?;
        for file in files {
            let old = |(ms, manifest): (i64, u64)| {
                ms <= limit && (grace == 0 || manifest.saturating_add(KEPT_MANIFESTS) <= newest)
            };
            if came(&file.name).is_some_and(old) || planted!("empty the trash at once") {
                let path = format!("{TRASH}/{}", file.name);
                storage.remove(&path).map_err(|cause| Error::io("remove", &path, cause))?;
            }
        }
        Ok(())
    }
}

/// When a file came into the trash: the time and the manifest then.
fn came(name: &str) -> Option<(i64, u64)> {
    let (ms, rest) = name.split_once('.')?;
    let (manifest, name) = rest.split_once('.')?;
    let _ours = parse_file(name)?;
    Some((ms.parse().ok()?, manifest.parse().ok()?))
}

fn move_unnamed(
    storage: &dyn Storage,
    folder: &str,
    (manifest, outputs): (&Manifest, &BTreeSet<u64>),
    now: Timestamp,
) -> Result<()> {
    let mut moved = false;
    for file in storage.list(folder).map_err(|cause| Error::io("list", folder, cause))? {
        let path = format!("{folder}/{}", file.name);
        let Name::File(kind, number) = Name::parse(&path) else { continue };
        // A higher number than any that was named: a manifest that names it may be about to come,
        // or have gone missing. It goes once a later file is named.
        let begun = number >= manifest.next_file || outputs.contains(&number);
        if begun || manifest.file(number).is_some_and(|entry| entry.kind == kind) {
            continue;
        }
        let (ms, came) = (now.ms().max(0), manifest.number);
        let to = format!("{TRASH}/{ms:016}.{came:016}.{}", file.name);
        storage.rename(&path, &to).map_err(|cause| Error::io("move to trash", &path, cause))?;
        moved = true;
    }
    if !moved {
        return Ok(());
    }
    let sync = |folder: &str| {
        storage.sync_folder(folder).map_err(|cause| Error::io("sync folder", folder, cause))
    };
    sync(TRASH)?;
    sync(folder)
}
