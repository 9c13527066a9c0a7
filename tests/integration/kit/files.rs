//! Real files, for what only exists on a real disk.
#![expect(clippy::disallowed_methods, reason = "these tests are about files that people have")]

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

/// Writes a file and makes the folders above it.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub(crate) fn is_missing(path: &Path) -> bool {
    !path.exists()
}

pub(crate) fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

pub(crate) fn remove_folder(path: &Path) {
    fs::remove_dir_all(path).unwrap();
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for path in below(from) {
        write(&to.join(path.strip_prefix(from).unwrap()), &read(&path));
    }
}

/// How many names a folder has.
pub(crate) fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// All files below a folder, in name order.
pub(crate) fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let list = if entry.file_type().unwrap().is_dir() { &mut folders } else { &mut found };
            list.push(entry.path());
        }
    }
    found.sort();
    found
}

/// Has a file of two folders the same bytes on disk?
#[cfg(unix)]
pub(crate) fn are_one(one: &Path, other: &Path, name: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |folder: &Path| fs::metadata(folder.join(name)).unwrap().ino();
    number(one) == number(other)
}

#[cfg(not(unix))]
pub(crate) fn are_one(one: &Path, other: &Path, name: &str) -> bool {
    read(&one.join(name)) == read(&other.join(name))
}
