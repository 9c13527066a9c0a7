//! The catalog's values in sled, held at arm's length.
//!
//! What sled 0.34 does badly, and what is done about it here:
//!
//! - It panics on damaged files and after errors of its own: every call is behind `catch_unwind`.
//! - Opening can hang or take long: it runs on a thread of its own with a time limit. A thread
//!   that hangs is left alone, and its folder with it.
//! - It rewrites a leaf of up to sixteen values every ten changes, and leaves the old ones on
//!   disk: so each large value has a tree of its own, and a folder of more than twice its content
//!   is written anew, which takes milliseconds.
//! - Its background tasks can hold the file lock after the last handle is dropped: closing waits
//!   until the lock can be had.
//! - It leaves half a snapshot (`snap.*.generating`) that the next opening stumbles over: removed.
//!
//! The process's panic hook is not touched, since it belongs to the application and all threads:
//! a panic inside sled prints what the hook prints, and is then an error like any other. It is
//! rare, because files that changed since they were closed never get here (see [`super::seal`]).

#![expect(
    clippy::disallowed_methods,
    reason = "the catalog is sled's folder: derived, and outside `Storage`"
)]

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use chatvault_base::threads;

use super::seal;

/// Small, because values are few and large ones become files of their own.
const SEGMENT_BYTES: usize = 16 << 10;
/// Values are decoded at most once and cached by who asks: sled need not keep many.
const CACHE_BYTES: u64 = 1 << 20;
/// A hundred times what an opening takes, and less than the rebuild of a large catalog.
const OPEN_LIMIT: Duration = Duration::from_secs(3);
/// How often to look, and how long to wait in between, until sled's lock is free: two seconds.
const LOCK_TRIES: u32 = 2_000;
const LOCK_PAUSE: Duration = Duration::from_millis(1);
/// What sled needs whatever it holds: log, configuration, snapshot.
const FIXED_BYTES: u64 = 64 << 10;
/// What it needs for each value, however small: files and pages of its own.
const VALUE_BYTES: u64 = 16 << 10;

const SEGMENT_PREFIX: &str = "segment/";
const VALUE: &[u8] = b"v";

/// The name of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Segment(u64),
    Stamp,
}

impl Key {
    /// The bytes that stand for it, in sled and under checksums.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Segment(number) => format!("{SEGMENT_PREFIX}{number}"),
            Self::Stamp => "stamp".to_owned(),
        }
    }
}

/// Why sled could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// What is in the folder is of no use.
    Broken(String),
    /// Somebody still has it: leave the folder alone.
    Busy(String),
}

/// An open sled database below `sled/` of the catalog's folder.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    /// `None` once closed.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    db: sled::Db,
    /// Each segment's tree and the length of the value in it.
    segments: BTreeMap<u64, (sled::Tree, u64)>,
}

impl Store {
    /// Opens, or makes, the database of a catalog's folder.
    pub(super) fn open(folder: &Path) -> Result<Self, Refusal> {
        let files = files(folder);
        fs::create_dir_all(&files).map_err(|cause| broken(&cause))?;
        remove_folder(&next(folder)).map_err(Refusal::Broken)?;
        remove_half_snapshots(&files).map_err(|cause| broken(&cause))?;
        Ok(Self { folder: folder.to_owned(), open: Some(open(files)?) })
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, String> {
        let open = self.opened()?;
        let found = guarded("read", || match key {
            Key::Segment(number) => match open.segments.get(number) {
                Some((tree, _)) => tree.get(VALUE),
                None => Ok(None),
            },
            Key::Stamp => open.db.get(key.name()),
        });
        Ok(found?.map(|value| value.to_vec()))
    }

    pub(super) fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), String> {
        let open = self.open.as_mut().ok_or("closed")?;
        let Key::Segment(number) = key else {
            return guarded("write", || open.db.insert(key.name(), value).map(drop));
        };
        let tree = guarded("write", || {
            let tree = open.db.open_tree(key.name())?;
            let _old = tree.insert(VALUE, value)?;
            Ok(tree)
        })?;
        drop(open.segments.insert(*number, (tree, value.len() as u64)));
        Ok(())
    }

    pub(super) fn segments(&self) -> Vec<u64> {
        self.open.iter().flat_map(|open| open.segments.keys().copied()).collect()
    }

    pub(super) fn remove_segment(&mut self, number: u64) -> Result<(), String> {
        let open = self.open.as_mut().ok_or("closed")?;
        drop(open.segments.remove(&number));
        guarded("remove", || open.db.drop_tree(Key::Segment(number).name()).map(drop))
    }

    /// Hands everything to the operating system.
    pub(super) fn flush(&self) -> Result<(), String> {
        let open = self.opened()?;
        guarded("flush", || open.db.flush().map(drop))
    }

    /// Writes the folder anew if it is more than twice as large as what is in it.
    pub(super) fn shrink(&mut self) -> Result<(), String> {
        self.flush()?;
        let values = self.opened()?.segments.values();
        let live: u64 = values.map(|(_, bytes)| bytes + VALUE_BYTES / 2).sum();
        let used = disk_bytes(&files(&self.folder));
        if used <= live.saturating_mul(2).saturating_add(FIXED_BYTES) {
            return Ok(());
        }
        self.rewrite()
    }

    /// Copies every value into a new database and puts it in the old one's place. A crash in
    /// between costs a rebuild.
    fn rewrite(&mut self) -> Result<(), String> {
        let (old, new) = (files(&self.folder), next(&self.folder));
        remove_folder(&new)?;
        let mut copy = Self { folder: self.folder.clone(), open: Some(open(new.clone())?) };
        for number in self.segments() {
            let key = Key::Segment(number);
            if let Some(value) = self.get(&key)? {
                copy.put(&key, &value)?;
            }
        }
        let (from, to) = (self.opened()?, copy.opened()?);
        guarded("copy", || {
            from.db.iter().try_for_each(|item| {
                let (key, value) = item?;
                to.db.insert(key, value).map(drop)
            })
        })?;
        release(copy.open.take(), &new)?;
        release(self.open.take(), &old)?;
        remove_folder(&old)?;
        fs::rename(&new, &old).map_err(|cause| cause.to_string())?;
        self.open = Some(open(old)?);
        Ok(())
    }

    /// Closes in order: on return nobody has the files, and they are sealed.
    pub(super) fn close(mut self) -> Result<(), String> {
        self.shrink()?;
        let files = files(&self.folder);
        release(self.open.take(), &files)?;
        seal::set(&self.folder, &files).map_err(|cause| cause.to_string())
    }

    /// Closes without a seal.
    pub(super) fn release(mut self) -> Result<(), String> {
        release(self.open.take(), &files(&self.folder))
    }

    /// Lets go of a database that misbehaved, on a thread of its own since dropping it may hang.
    pub(super) fn abandon(mut self) {
        let open = self.open.take();
        let dropped = move || {
            guarded("drop", || {
                drop(open);
                Ok(())
            })
        };
        drop(threads::start("catalog-drop", dropped));
    }

    fn opened(&self) -> Result<&Open, String> {
        self.open.as_ref().ok_or_else(|| "closed".to_owned())
    }
}

/// Where sled's own files are.
pub(super) fn files(folder: &Path) -> PathBuf {
    folder.join("sled")
}

/// Length of all files below a folder.
pub(crate) fn disk_bytes(folder: &Path) -> u64 {
    let lengths = seal::files_below(folder).unwrap_or_default().into_iter();
    // sled's tasks remove files meanwhile: what is gone takes no space.
    lengths.filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
}

fn open(files: PathBuf) -> Result<Open, Refusal> {
    if !wait_until_released(&files) {
        return Err(Refusal::Busy("the catalog's lock is taken".to_owned()));
    }
    let (send, receive) = mpsc::channel();
    // After the time limit nobody listens: the database is then dropped there.
    let opening = move || drop(send.send(guarded("open", || open_here(&files))));
    let opening = threads::start("catalog-open", opening);
    drop(opening.map_err(|cause| broken(&cause))?);
    match receive.recv_timeout(OPEN_LIMIT) {
        Ok(opened) => opened.map_err(Refusal::Broken),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err(Refusal::Busy(format!("sled did not open in {} s", OPEN_LIMIT.as_secs())))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(Refusal::Broken("sled's thread ended".to_owned()))
        }
    }
}

fn open_here(files: &Path) -> sled::Result<Open> {
    let config = sled::Config::new()
        .path(files)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(CACHE_BYTES)
        .mode(sled::Mode::LowSpace)
        // No thread that flushes: `stamp` does, and a thread would hold the lock for longer.
        .flush_every_ms(None);
    let db = config.open()?;
    let mut segments = BTreeMap::new();
    for name in db.tree_names() {
        let number =
            std::str::from_utf8(&name).ok().and_then(|name| name.strip_prefix(SEGMENT_PREFIX));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            let tree = db.open_tree(&name)?;
            let bytes = tree.get(VALUE)?.map_or(0, |value| value.len() as u64);
            drop(segments.insert(number, (tree, bytes)));
        }
    }
    Ok(Open { db, segments })
}

/// Runs something of sled's; a panic is an error like any other.
fn guarded<T>(action: &str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|cause| format!("sled: {action}: {cause}")),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said =
                said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason");
            Err(format!("sled: {action}: panicked: {said}"))
        }
    }
}

/// Drops all handles and waits until the lock is free.
fn release(open: Option<Open>, files: &Path) -> Result<(), String> {
    guarded("close", || {
        drop(open);
        Ok(())
    })?;
    let released = wait_until_released(files);
    released.then_some(()).ok_or_else(|| "sled does not give its lock back".to_owned())
}

fn wait_until_released(files: &Path) -> bool {
    (0..LOCK_TRIES).any(|_| {
        let taken = match File::open(files.join("db")) {
            Ok(file) => matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        };
        if taken {
            thread::sleep(LOCK_PAUSE);
        }
        !taken
    })
}

fn remove_half_snapshots(files: &Path) -> io::Result<()> {
    for item in fs::read_dir(files)? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(item.path())?;
        }
    }
    Ok(())
}

/// Where a database is written anew.
fn next(folder: &Path) -> PathBuf {
    folder.join("next")
}

pub(super) fn remove_folder(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause.to_string()),
        _ => Ok(()),
    }
}

fn broken(cause: &io::Error) -> Refusal {
    Refusal::Broken(cause.to_string())
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Broken(reason) | Refusal::Busy(reason) => reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_sled_is_an_error_with_its_words() {
        // Unwinds as a panic does, without the hook's message.
        let said = |words: Box<dyn std::any::Any + Send>| {
            guarded("read", || -> sled::Result<()> { std::panic::resume_unwind(words) })
        };
        assert_eq!(said(Box::new("boom")), Err("sled: read: panicked: boom".to_owned()));
        assert_eq!(said(Box::new(7)), Err("sled: read: panicked: no reason".to_owned()));
    }

    #[test]
    fn a_lock_that_is_held_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("db")).unwrap();
        file.lock().unwrap();
        let holder = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(file);
        });
        assert!(wait_until_released(folder.path()));
        holder.join().unwrap();
    }
}
