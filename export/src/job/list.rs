//! Which exports lie in a folder, and how far they are.

use chatvault_engine::Storage;

use crate::error::{Error, Result};
use crate::manifest::Index;

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
        let lock = format!(".{name}.lock");
        let has_lock = files.iter().any(|file| file.name == lock);
        let is_running = has_lock
            && folder.try_lock(&lock, "list").map_err(Error::folder("lock", &lock))?.is_none();
        let temporary = format!(".{name}.tmp-");
        let open = files.iter().filter(|file| file.name.starts_with(&temporary));
        let open_bytes = open.map(|file| file.bytes).sum();
        all.push(Listed { name: name.to_owned(), index, is_running, open_bytes });
    }
    Ok(all)
}
