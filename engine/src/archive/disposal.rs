//! Files that are not needed any more: kept in `trash/` for a while, then removed.
//!
//! A reader in another process may be about to open a file that a merge has just replaced; so
//! may a person who wants to look. The name says when the file came: FORMAT.md, "Names".

use super::Shared;
use crate::error::{Error, Result};
use crate::format::names::{Name, parse_file};
use crate::manifest::Manifest;
use crate::storage::Storage;
use crate::types::Timestamp;

pub(crate) const TRASH: &str = "trash";

impl Shared {
    /// Moves files that the newest manifest does not name to the trash.
    pub(crate) fn clear_out(&self, manifest: &Manifest) -> Result<()> {
        let now = self.host.clock.now();
        let storage = &*self.host.storage;
        for folder in ["segments", "objects"] {
            move_unnamed(storage, folder, manifest, now)?;
        }
        self.empty_trash(now)
    }

    fn empty_trash(&self, now: Timestamp) -> Result<()> {
        let storage = &*self.host.storage;
        let grace = i64::try_from(self.options.grace_seconds).unwrap_or(i64::MAX / 1000);
        let limit = now.ms().saturating_sub(grace.saturating_mul(1000));
        let files = storage.list(TRASH).map_err(|cause| Error::io("list", TRASH, cause))?;
        for file in files {
            let came = file.name.split_once('.').filter(|(_, name)| parse_file(name).is_some());
            let came = came.and_then(|(ms, _)| ms.parse::<i64>().ok());
            if came.is_some_and(|came| came <= limit) {
                let path = format!("{TRASH}/{}", file.name);
                storage.remove(&path).map_err(|cause| Error::io("remove", &path, cause))?;
            }
        }
        Ok(())
    }
}

fn move_unnamed(
    storage: &dyn Storage,
    folder: &str,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<()> {
    let mut moved = false;
    for file in storage.list(folder).map_err(|cause| Error::io("list", folder, cause))? {
        let path = format!("{folder}/{}", file.name);
        let Name::File(kind, number) = Name::parse(&path) else { continue };
        if manifest.file(number).is_some_and(|entry| entry.kind == kind) {
            continue;
        }
        let to = format!("{TRASH}/{:016}.{}", now.ms().max(0), file.name);
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
