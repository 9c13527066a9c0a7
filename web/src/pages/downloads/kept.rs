//! Which folders hold exports, and what is remembered of them beside the exports themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chatvault_engine::{Disk, Storage};
use chatvault_export::folder::list;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};
use crate::organisation::Organisation;

/// What the page keeps in the downloads folder.
const FILE: &str = "page.json";
const ASIDE: &str = "page.json.tmp";
/// The downloads folder itself.
const ROOT: &str = "-";

/// What is remembered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// Folders that were added by hand.
    pub(super) folders: Vec<String>,
    /// When the exports of a folder are removed, in milliseconds since 1970.
    pub(super) expires: BTreeMap<String, i64>,
}

/// A folder with exports.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    /// In addresses: a name below the downloads folder, or `+` and the number of an added one.
    pub(super) id: String,
    pub(super) path: PathBuf,
}

/// Every folder that may hold exports.
#[expect(clippy::disallowed_methods, reason = "downloads are outside of any archive")]
pub(super) fn folders(org: &Organisation, kept: &Kept) -> Result<Vec<Folder>> {
    let mut all = vec![Folder { id: ROOT.to_owned(), path: org.downloads.clone() }];
    for entry in std::fs::read_dir(&org.downloads).into_iter().flatten() {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        let name = entry.file_name().into_string().ok();
        let name = name.filter(|name| is_folder && !name.starts_with(['.', '+', '-']));
        all.extend(name.map(|id| Folder { path: entry.path(), id }));
    }
    let added = kept.folders.iter().enumerate();
    all.extend(added.map(|(at, path)| Folder { id: format!("+{at}"), path: path.into() }));
    Ok(all)
}

/// The folder that an address names: one of those that there are, and no other.
pub(super) fn folder(org: &Organisation, id: &str) -> Result<Folder> {
    let found = folders(org, &read(org))?.into_iter().find(|folder| folder.id == id);
    found.ok_or_else(|| Failure::missing("folder of this name"))
}

/// The folder of a new export.
pub(super) fn new_folder(org: &Organisation, name: &str) -> Folder {
    Folder { id: name.to_owned(), path: org.downloads.join(name) }
}

#[expect(clippy::disallowed_methods, reason = "what the user names is outside of any archive")]
pub(super) fn is_folder(path: &str) -> bool {
    Path::new(path).is_dir()
}

pub(super) fn read(org: &Organisation) -> Kept {
    let read = || {
        let file = Disk::new(&org.downloads).open(FILE).ok()?;
        let mut bytes = vec![0; usize::try_from(file.bytes().ok()?.min(1 << 20)).ok()?];
        file.read_at(0, &mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    read().unwrap_or_default()
}

/// Changes what is remembered.
pub(super) fn change(org: &Organisation, how: impl FnOnce(&mut Kept)) -> Result<()> {
    let mut kept = read(org);
    how(&mut kept);
    org.make_downloads()?;
    let folder = Disk::new(&org.downloads);
    // What is left of a try that was cut short.
    drop(folder.remove(ASIDE));
    let file = folder.create(ASIDE)?;
    file.write_at(0, &serde_json::to_vec(&kept).unwrap_or_default())?;
    file.sync()?;
    folder.rename(ASIDE, FILE)?;
    Ok(folder.sync_folder("")?)
}

/// Removes what has expired; gives what is remembered then.
pub(super) fn sweep(org: &Organisation, now_ms: i64) -> Result<Kept> {
    let kept = read(org);
    let over = kept.expires.iter().filter(|(_, ms)| **ms <= now_ms);
    let over: Vec<String> = over.map(|(id, _)| id.clone()).collect();
    if over.is_empty() {
        return Ok(kept);
    }
    for id in &over {
        remove(org, id)?;
    }
    Ok(read(org))
}

/// Removes a folder below the downloads folder with the exports in it. One that is being written stays.
#[expect(clippy::disallowed_methods, reason = "downloads are outside of any archive")]
pub(super) fn remove(org: &Organisation, id: &str) -> Result<()> {
    if !is_own(id) {
        return Err(Failure::wrong("Only what this page made can be removed here"));
    }
    let Ok(folder) = folder(org, id) else {
        return forget(org, id);
    };
    if list(&Disk::new(&folder.path))?.iter().any(|one| one.is_running) {
        return Err(Failure::first("It is being written", "Stop it first."));
    }
    std::fs::remove_dir_all(&folder.path)?;
    forget(org, id)
}

fn forget(org: &Organisation, id: &str) -> Result<()> {
    change(org, |kept| {
        let _ = kept.expires.remove(id);
    })
}

/// Is it a folder of its own below the downloads folder?
pub(super) fn is_own(id: &str) -> bool {
    id != ROOT && !id.starts_with('+')
}

/// A folder for a check, which is empty and goes with it.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(org: &Organisation, id: u64) -> Self {
        Self(org.downloads.join(format!(".check-{}-{id}", std::process::id())))
    }

    pub(super) fn disk(&self) -> Disk {
        Disk::new(&self.0)
    }
}

impl Drop for Scratch {
    #[expect(clippy::disallowed_methods, reason = "downloads are outside of any archive")]
    fn drop(&mut self) {
        // One that was never made is not there.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
