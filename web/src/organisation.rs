//! One archive as pages use it: snapshots, who is who in it, and a writer while something is written.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};
use std::time::Duration;

use chatvault_base::threads;
use chatvault_engine::{Archive, Environment, FileName, Host, Options, RunSummary, Snapshot};
use chatvault_ingest::sync;
use chatvault_query::search::Index;

use crate::failure::Result;
use crate::fields::step;
use crate::known::{Cache, Known};
use crate::pages::archive::Numbers;
use crate::pages::downloads::Planned;
use crate::pages::search::Counts;
use crate::slow::{Answer, Slow};

/// One archive.
#[derive(Debug)]
pub(crate) struct Organisation {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) downloads: PathBuf,
    environment: Environment,
    reader: Mutex<Option<Arc<Archive>>>,
    /// A thread opens it.
    is_opening: AtomicBool,
    writer: Mutex<Weak<Archive>>,
    known: Cache,
    /// What the archive holds, counted.
    pub(crate) numbers: Slow<Numbers>,
    /// Hits of searches, counted.
    pub(crate) counts: Slow<Counts>,
    /// Plans of downloads.
    pub(crate) plans: Slow<Planned>,
    runs: Slow<Vec<RunSummary>>,
    /// The search index that was opened last.
    index: Mutex<Option<Opened>>,
}

/// A search index, and its files: it is opened anew when they changed. It knows itself where the rows
/// are that came since.
#[derive(Debug)]
struct Opened {
    files: Vec<FileName>,
    index: Option<Index>,
}

/// So long a page waits for an archive that is being opened, and so often it looks.
const PATIENCE: Duration = Duration::from_millis(5);
const LOOKS: u32 = 4;
/// Where the search index lies in an archive.
const SEARCH: &str = "search";

impl Organisation {
    pub(crate) fn new(
        name: &str,
        folder: PathBuf,
        downloads: PathBuf,
        environment: Environment,
    ) -> Self {
        let (reader, writer, index) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (name, known) = (name.to_owned(), Cache::default());
        let (numbers, counts) = (Slow::default(), Slow::default());
        let (plans, runs) = (Slow::default(), Slow::default());
        Self {
            name,
            folder,
            downloads,
            environment,
            reader,
            is_opening: AtomicBool::new(false),
            writer,
            known,
            numbers,
            counts,
            plans,
            runs,
            index,
        }
    }

    /// Where its pages are.
    pub(crate) fn link(&self) -> String {
        format!("/a/{}", step(&self.name))
    }

    /// The archive, for reading. A writer elsewhere goes on meanwhile.
    pub(crate) fn reader(&self) -> Result<Arc<Archive>> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*reader {
            return Ok(Arc::clone(open));
        }
        let open = Archive::open_read_only(Host::disk(&self.folder), self.options())?;
        Ok(Arc::clone(reader.insert(Arc::new(open))))
    }

    /// Is it open, or within a moment? A thread opens it meanwhile, and reads what its pages need: of a
    /// large archive, or from a cold disk, that takes longer than a page may.
    pub(crate) fn opens_soon(self: &Arc<Self>) -> bool {
        if self.is_open() {
            return true;
        }
        if !self.is_opening.swap(true, Ordering::AcqRel) {
            let own = Arc::clone(self);
            let started = threads::start("chatvault-open", move || {
                // What fails here fails again where a page asks, which tells it.
                let opened = own.snapshot();
                own.is_opening.store(false, Ordering::Release);
                if let Ok(snapshot) = opened {
                    // The index first: that is short, and names take all the time that there is.
                    drop(own.index().map(|index| index.map(|index| index.warm())));
                    let _known = own.known(&snapshot);
                }
            });
            if started.is_err() {
                self.is_opening.store(false, Ordering::Release);
            }
        }
        for _ in 0..LOOKS {
            std::thread::sleep(PATIENCE);
            if self.is_open() || !self.is_opening.load(Ordering::Acquire) {
                return true;
            }
        }
        false
    }

    /// Whoever opens it holds the lock.
    fn is_open(&self) -> bool {
        match self.reader.try_lock() {
            Ok(open) => open.is_some(),
            Err(TryLockError::Poisoned(open)) => open.into_inner().is_some(),
            Err(TryLockError::WouldBlock) => false,
        }
    }

    /// What it holds now.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.reader()?.snapshot()?)
    }

    /// Does something with the archive open for writing. Several may at once, on one opening; the last
    /// closes it.
    pub(crate) fn write<T>(&self, what: impl FnOnce(&Archive) -> Result<T>) -> Result<T> {
        let archive = {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(open) = writer.upgrade() {
                open
            } else {
                let open = Arc::new(Archive::open(Host::disk(&self.folder), self.options())?);
                *writer = Arc::downgrade(&open);
                open
            }
        };
        let done = what(&archive);
        // The lock keeps others from opening it anew before it is closed.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = Arc::into_inner(archive) {
            let closed = last.close();
            return done.and_then(|value| Ok(closed.map(|()| value)?));
        }
        done
    }

    /// Makes the folder for downloads; the storage of an export makes only its own.
    #[expect(clippy::disallowed_methods, reason = "downloads are outside of any archive")]
    pub(crate) fn make_downloads(&self) -> Result<()> {
        Ok(std::fs::create_dir_all(&self.downloads)?)
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        options.environment = Some(self.environment.clone());
        options
    }

    /// People and conversations, as far as they were read.
    pub(crate) fn known(&self, snapshot: &Snapshot) -> Arc<Known> {
        self.known.of(snapshot)
    }

    /// What ran, once that is read: what everybody was delivered is summed up for it.
    pub(crate) fn runs(&self) -> Result<Option<Answer<Vec<RunSummary>>>> {
        let archive = self.reader()?;
        let at = archive.snapshot()?.sequence().0;
        Ok(self.runs.of("", at, move || Ok(archive.runs()?)))
    }

    /// The search index, if there is one, for snapshots that are taken after this call.
    pub(crate) fn index(&self) -> Result<Option<Index>> {
        let storage = Host::disk(&self.folder).storage;
        let archive = self.reader()?;
        let files = storage.list(SEARCH)?;
        let mut opened = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = opened.as_ref().filter(|one| one.files == files) {
            return Ok(same.index.clone());
        }
        let index = Index::open(&storage, &archive)?;
        *opened = Some(Opened { files, index: index.clone() });
        Ok(index)
    }

    /// Are private chats backed up?
    pub(crate) fn private_chats(&self) -> Result<bool> {
        Ok(sync::private_chats(&*self.reader()?)?)
    }
}

/// Is an archive in a folder?
#[expect(clippy::disallowed_methods, reason = "looks whether there is an archive to be opened")]
pub(crate) fn is_archive(folder: &Path) -> bool {
    folder.join("FORMAT").is_file()
}

#[cfg(test)]
mod tests {
    use chatvault_engine::EnvironmentOptions;

    use super::*;

    #[test]
    fn a_page_does_not_wait_for_an_archive_that_is_being_opened() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("team");
        Archive::create(Host::disk(&place), Options::default()).unwrap().close().unwrap();
        let environment = Environment::new(EnvironmentOptions::default());
        let downloads = folder.path().join("downloads");
        let org = Arc::new(Organisation::new("team", place, downloads, environment));
        // As if opening took long.
        let held = org.reader.lock().unwrap();
        assert!(!org.opens_soon() && !org.opens_soon());
        drop(held);
        while !org.opens_soon() {}
        assert!(org.is_open());
    }
}
