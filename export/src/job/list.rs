//! Which exports lie in a folder, and how far they are.

use chatvault_engine::Storage;

use crate::error::{Error, Result};
use crate::manifest::Index;
use crate::part::{is_named_after, is_zip, lock_name};

/// What the names of indexes end with.
const ENDING: &str = ".index.json";

/// An export in a folder.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its index, or why that cannot be read.
    pub index: Result<Index>,
    /// Is a process writing it now?
    pub is_running: bool,
    /// Bytes of the part that is being written.
    pub open_bytes: u64,
}

/// The exports in a folder, by name.
///
/// `Folder` if the folder cannot be listed; an index that cannot be read is in its place.
pub fn list(folder: &dyn Storage) -> Result<Vec<Listed>> {
    let files = folder.list("").map_err(Error::folder("list", "the folder"))?;
    let mut all = Vec::new();
    for file in &files {
        let Some(name) = file.name.strip_suffix(ENDING) else { continue };
        let index = match Index::read(folder, name) {
            Ok(Some(index)) => Ok(index),
            // It went between listing and reading.
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        let lock = lock_name(name);
        let has_lock = files.iter().any(|file| file.name == lock);
        let is_running =
            has_lock && folder.is_locked(&lock).map_err(Error::folder("ask", &lock))?;
        let temporary = format!(".{name}.tmp-");
        let open = files.iter().filter(|file| file.name.starts_with(&temporary));
        let open_bytes = open.map(|file| file.bytes).sum();
        all.push(Listed { name: name.to_owned(), index, is_running, open_bytes });
    }
    Ok(all)
}

/// The zip files in a folder that none of its exports has.
///
/// `Folder` if the folder cannot be listed.
pub fn foreign(folder: &dyn Storage, exports: &[Listed]) -> Result<Vec<String>> {
    let files = folder.list("").map_err(Error::folder("list", "the folder"))?;
    let is_own = |name: &str| {
        exports.iter().filter_map(|one| one.index.as_ref().ok()).any(|index| {
            index.parts.iter().any(|part| part.name == name)
                || is_named_after(name, &index.head.export_id)
        })
    };
    let names = files.into_iter().map(|file| file.name);
    Ok(names.filter(|name| is_zip(name) && !is_own(name)).collect())
}
