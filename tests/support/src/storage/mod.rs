//! Storage that goes wrong on purpose.

mod cheating;
mod faulty;
mod volatile;

use std::io::Result;
use std::sync::Arc;

use chatvault_engine::Storage;

pub use cheating::{Cheat, Cheating};
pub use faulty::{Fault, Faulty, Operation};
pub use volatile::{Survival, Volatile};

/// The folders of an archive that hold what cannot be built anew.
pub const AUTHORITATIVE: [&str; 4] = ["journal", "manifest", "segments", "objects"];

/// A whole file.
pub fn read_whole(storage: &dyn Storage, path: &str) -> Result<Vec<u8>> {
    let file = storage.open(path)?;
    let length = usize::try_from(file.bytes()?).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// A file with these bytes and no others, whatever was there.
pub fn write_whole(storage: &dyn Storage, path: &str, bytes: &[u8]) -> Result<()> {
    if storage.open(path).is_ok() {
        storage.remove(path)?;
    }
    let file = storage.create(path)?;
    file.write_at(0, bytes)?;
    file.sync()?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    storage.sync_folder(folder)
}

/// Paths and lengths of a folder's files, in name order.
pub fn files_in(storage: &dyn Storage, folder: &str) -> Result<Vec<(String, u64)>> {
    let path = |name: &str| {
        if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
    };
    let files = storage.list(folder)?;
    Ok(files.into_iter().map(|file| (path(&file.name), file.bytes)).collect())
}

/// Turns one bit of a file over.
pub fn flip_bit(storage: &Arc<dyn Storage>, path: &str, bit: u64) -> Result<()> {
    let mut bytes = read_whole(storage.as_ref(), path)?;
    let at = usize::try_from(bit / 8).unwrap_or(usize::MAX);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << (bit % 8);
    }
    write_whole(storage.as_ref(), path, &bytes)
}
