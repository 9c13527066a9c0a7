//! Manifests in their folder.

use super::{Manifest, check_step, codec};
use crate::error::{Error, ErrorKind, Result};
use crate::format::head::check_features;
use crate::format::names::{self, MANIFEST, Name};
use crate::storage::{Storage, whole};

/// So many of the newest are kept.
const KEPT: usize = 8;

/// Makes a manifest the newest, durably; gives its hash. All files it names must be durable.
pub(crate) fn store(storage: &dyn Storage, manifest: &Manifest) -> Result<[u8; 32]> {
    assert!(codec::is_orderly(manifest), "only an orderly manifest is written");
    let (bytes, hash) = codec::encode(manifest)?;
    whole::write_new(storage, &names::manifest(manifest.number), &bytes)?;
    Ok(hash)
}

/// The newest manifest and its hash. It is never another one: see the module above.
pub(crate) fn load(storage: &dyn Storage, archive: [u8; 16]) -> Result<(Manifest, [u8; 32])> {
    let mut number = newest(storage)?;
    loop {
        match read(storage, archive, number) {
            // A reader beside a busy writer may be so slow that its choice was removed.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let again = newest(storage)?;
                if again == number {
                    return Err(Error::corrupt("manifest is gone").in_file(names::manifest(number)));
                }
                number = again;
            }
            Err(error) if planted!("fall back to an older manifest") => {
                return newest_readable(storage, Some(archive)).ok_or(error);
            }
            other => return other,
        }
    }
}

/// One manifest and its hash; `NotFound` if it is not kept any more.
pub(crate) fn read(
    storage: &dyn Storage,
    archive: [u8; 16],
    number: u64,
) -> Result<(Manifest, [u8; 32])> {
    let path = names::manifest(number);
    let bytes = whole::read(storage, &path, codec::MAX_BYTES)?;
    let (manifest, hash) = codec::decode(&bytes).map_err(|error| error.in_file(&path))?;
    if manifest.archive != archive || manifest.number != number {
        let message = "manifest belongs to another archive or has another number";
        return Err(Error::corrupt(message).in_file(path));
    }
    check_features(&manifest.required_features).map_err(|error| error.in_file(path))?;
    Ok((manifest, hash))
}

/// The numbers of all manifests, ascending.
pub(crate) fn numbers(storage: &dyn Storage) -> Result<Vec<u64>> {
    let files = storage.list(MANIFEST).map_err(|cause| Error::io("list", MANIFEST, cause))?;
    let number = |name: &str| match Name::parse(&format!("{MANIFEST}/{name}")) {
        Name::Manifest(number) => Some(number),
        _ => None,
    };
    let mut numbers: Vec<u64> = files.iter().filter_map(|file| number(&file.name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn newest(storage: &dyn Storage) -> Result<u64> {
    let newest = numbers(storage)?.last().copied();
    newest.ok_or_else(|| Error::corrupt("no manifest is there").in_file(MANIFEST))
}

/// Removes all but the newest few; gives how many went.
pub(crate) fn prune(storage: &dyn Storage) -> Result<usize> {
    let numbers = numbers(storage)?;
    let old = numbers.len().saturating_sub(KEPT);
    for number in numbers.iter().take(old) {
        whole::discard(storage, &names::manifest(*number))?;
    }
    if old > 0 {
        let sync = storage.sync_folder(MANIFEST);
        sync.map_err(|cause| Error::io("sync folder", MANIFEST, cause))?;
    }
    Ok(old)
}

/// The newest manifest that can be read, of any archive if none is given. Not what the archive is:
/// only for telling and saving what is left.
pub(crate) fn newest_readable(
    storage: &dyn Storage,
    archive: Option<[u8; 16]>,
) -> Option<(Manifest, [u8; 32])> {
    let numbers = numbers(storage).ok()?;
    let readable = |number: &u64| {
        let path = names::manifest(*number);
        let found = codec::decode(&whole::read(storage, &path, codec::MAX_BYTES).ok()?).ok()?;
        let ours = archive.is_none_or(|archive| found.0.archive == archive);
        (ours && found.0.number == *number).then_some(found)
    };
    numbers.iter().rev().find_map(readable)
}

/// Everything that is wrong in the kept manifests and in the chain between them.
///
/// A power cut may bring back any of those that [`prune`] removed: behind the newest few the chain
/// has gaps.
pub(crate) fn check(storage: &dyn Storage, archive: [u8; 16]) -> Vec<Error> {
    let mut damages = Vec::new();
    let mut before: Option<(Manifest, [u8; 32])> = None;
    let numbers = match numbers(storage) {
        Ok(numbers) => numbers,
        Err(error) => return vec![error],
    };
    let mut reached = None;
    for (at, number) in numbers.iter().copied().enumerate() {
        let awaited = reached.replace(number).and_then(|last: u64| last.checked_add(1));
        if awaited.is_some_and(|awaited| awaited != number) && numbers.len() - at >= KEPT {
            before = None;
        }
        let found = read(storage, archive, number).and_then(|(manifest, hash)| {
            if let Some((previous, hash)) = &before {
                check_step(previous, *hash, &manifest)?;
            }
            Ok((manifest, hash))
        });
        match found {
            Ok(manifest) => before = Some(manifest),
            // Removed by a writer since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => before = None,
            Err(error) => {
                before = None;
                damages.push(error.in_file(names::manifest(number)));
            }
        }
    }
    damages
}
