//! Small files that are written once and whole: there under their name completely, or not at all.

use std::io::ErrorKind as IoKind;

use super::Storage;
use crate::error::{Error, ErrorKind, Result};

/// Writes a file that must not be there yet; it is durable under its name when this returns.
///
/// The bytes are synced under `*.tmp` before the rename: otherwise a crash could leave the name on
/// a torn file. What an earlier crash left under the `*.tmp` name was never named, and goes.
pub(crate) fn write_new(storage: &dyn Storage, path: &str, bytes: &[u8]) -> Result<()> {
    let temporary = temporary(path);
    discard(storage, &temporary)?;
    let fail = |action: &'static str| move |cause| Error::io(action, path, cause);
    let file = storage.create(&temporary).map_err(fail("create"))?;
    file.write_at(0, bytes).map_err(fail("write"))?;
    file.sync().map_err(fail("sync"))?;
    publish(storage, &temporary, path)
}

/// Gives a synced temporary file its real name, durably. A sealed file is never replaced.
pub(crate) fn publish(storage: &dyn Storage, temporary: &str, path: &str) -> Result<()> {
    if let Err(cause) = storage.publish(temporary, path) {
        if cause.kind() != IoKind::AlreadyExists {
            return Err(Error::io("rename", path, cause));
        }
        discard(storage, temporary)?;
        return Err(Error::new(ErrorKind::Exists, "file is there already").in_file(path));
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    storage.sync_folder(folder).map_err(|cause| Error::io("sync folder of", path, cause))
}

/// The name that a file has until it is whole.
pub(crate) fn temporary(path: &str) -> String {
    format!("{path}.tmp")
}

/// The name behind a temporary one.
pub(crate) fn temporary_of(path: &str) -> Option<&str> {
    path.strip_suffix(".tmp")
}

/// Removes a file if it is there.
pub(crate) fn discard(storage: &dyn Storage, path: &str) -> Result<()> {
    match storage.remove(path) {
        Err(cause) if cause.kind() != IoKind::NotFound => Err(Error::io("remove", path, cause)),
        _ => Ok(()),
    }
}

/// Reads a whole file of at most `limit` bytes; `NotFound` if there is none.
pub(crate) fn read(storage: &dyn Storage, path: &str, limit: u64) -> Result<Vec<u8>> {
    let file = storage.open(path).map_err(|cause| match cause.kind() {
        IoKind::NotFound | IoKind::NotADirectory => {
            Error::new(ErrorKind::NotFound, "no such file").in_file(path)
        }
        _ => Error::io("open", path, cause),
    })?;
    let bytes = file.bytes().map_err(|cause| Error::io("measure", path, cause))?;
    if bytes > limit {
        let message = format!("file has {bytes} bytes, at most {limit} are possible");
        return Err(Error::corrupt(message).in_file(path));
    }
    let mut out = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    file.read_at(0, &mut out).map_err(|cause| Error::io("read", path, cause))?;
    Ok(out)
}
