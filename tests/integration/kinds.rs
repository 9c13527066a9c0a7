//! Kinds of errors: a read that fails is `Io`, whatever was read; a file that is missing or short
//! is `Corrupt`; a full disk and a denied path are told as such.

use std::error::Error as Cause;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chatvault_engine::{
    Archive, ContentAddress, Depth, Error, ErrorKind, FileName, LockGuard, ReadFile, RecordKind,
    Result, Storage, WriteFile, verify,
};
use chatvault_support::Draft;
use chatvault_support::storage::{Faulty, Volatile, files_in, read_whole, write_whole};

use crate::kit::{ORIGIN, Vault, ada, ben, everything, go_on, host, rows, small};

/// One of the next reads fails: of a file, of its length, of a name, of a list.
#[derive(Debug)]
struct Reads {
    left: AtomicU64,
    failed: AtomicBool,
}

impl Reads {
    fn pass(&self) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        self.failed.store(true, Ordering::SeqCst);
        Err(io::Error::from_raw_os_error(5))
    }
}

#[derive(Clone, Debug)]
struct Unreadable {
    below: Arc<dyn Storage>,
    reads: Arc<Reads>,
}

impl Storage for Unreadable {
    fn create(&self, path: &str) -> io::Result<Box<dyn WriteFile>> {
        self.below.create(path)
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadFile>> {
        self.reads.pass()?;
        let file = self.below.open(path)?;
        Ok(Arc::new(UnreadableFile { file, reads: Arc::clone(&self.reads) }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.below.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.below.remove(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<FileName>> {
        self.reads.pass()?;
        self.below.list(folder)
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        self.below.make_folder(folder)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.below.sync_folder(folder)
    }

    fn try_lock(&self, path: &str, holder: &str) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.below.try_lock(path, holder)
    }

    fn local_folder(&self, folder: &str) -> Option<PathBuf> {
        self.below.local_folder(folder)
    }
}

#[derive(Debug)]
struct UnreadableFile {
    file: Arc<dyn ReadFile>,
    reads: Arc<Reads>,
}

impl ReadFile for UnreadableFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.reads.pass()?;
        self.file.read_at(offset, out)
    }

    fn bytes(&self) -> io::Result<u64> {
        self.reads.pass()?;
        self.file.bytes()
    }
}

fn documents(from: i64) -> Vec<(chatvault_engine::Custodian, Vec<u8>)> {
    let document = |at| Draft::chat(&format!("19:c{}", at % 3), at).text("some words").json();
    (from..from + 30).map(|at| (ada(), document(at * 1_000).into_bytes())).collect()
}

/// Every kind of file: two segments, ledgers, a quarantine, a pack, a journal that is needed.
fn specimen() -> (Volatile, ContentAddress) {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    drop(vault.commit(&documents(1)));
    drop(vault.put(&ada(), "no json"));
    vault.archive().seal().unwrap();
    let object = vault.archive().put_object(&mut &vec![7; 300_000][..]).unwrap();
    drop(vault.commit(&documents(20)));
    let late: Vec<_> = documents(1).into_iter().map(|(_, json)| (ben(), json)).collect();
    drop(vault.commit(&late));
    vault.archive().seal().unwrap();
    drop(vault.commit(&documents(45)));
    drop(vault.put(&ben(), "no json either"));
    (disk.fork(), object)
}

fn ask(archive: &Archive, object: ContentAddress) -> Result<()> {
    let snapshot = archive.snapshot()?;
    let all = rows(&snapshot, &everything())?;
    for row in all.iter().step_by(25) {
        drop(snapshot.get(&row.address)?);
        drop(snapshot.history(&row.key)?);
    }
    let _ = snapshot.keys(&everything(), &mut |_| {})?;
    drop(archive.stat()?);
    for entry in snapshot.quarantine()? {
        drop(entry?);
    }
    if let Some(mut reader) = snapshot.object(&object)? {
        let read = io::copy(&mut reader, &mut io::sink());
        let _ = read.map_err(|error| error.downcast::<Error>().unwrap())?;
    }
    Ok(())
}

/// Opens, asks, verifies, adds, seals and merges; did the verification tell of failed reads?
fn live(storage: &Arc<dyn Storage>, object: ContentAddress) -> Result<bool> {
    let archive = Archive::open(host(storage), small())?;
    ask(&archive, object)?;
    let report = archive.verify(Depth::Deep, &mut go_on)?;
    let are_reads = report.damages.iter().all(|damage| damage.kind == ErrorKind::Io);
    assert!(are_reads, "a read that fails is no damage: {:?}", report.damages);
    let mut batch = archive.batch(archive.begin_run("again")?);
    for (custodian, json) in documents(40) {
        batch.offer(&custodian, RecordKind::Message, &json, ORIGIN);
    }
    drop(batch.commit()?);
    archive.seal()?;
    let _ = archive.compact(&mut go_on)?;
    archive.close()?;
    ask(&Archive::open_read_only(host(storage), small())?, object)?;
    Ok(!report.damages.is_empty())
}

/// The kinds of the archive's errors, the outermost first.
fn kinds(error: &Error) -> Vec<ErrorKind> {
    let mut kinds = Vec::new();
    let mut next: Option<&(dyn Cause + 'static)> = Some(error);
    while let Some(link) = next {
        kinds.extend(link.downcast_ref::<Error>().map(Error::kind));
        next = link.source();
    }
    kinds
}

#[test]
fn a_read_that_fails_is_told_as_a_failed_read_wherever_it_happens() {
    let (disk, object) = specimen();
    let run = |after: u64| {
        let reads = Reads { left: AtomicU64::new(after), failed: AtomicBool::new(false) };
        let (below, reads) = (disk.fork().storage(), Arc::new(reads));
        let storage: Arc<dyn Storage> = Arc::new(Unreadable { below, reads: Arc::clone(&reads) });
        let lived = live(&storage, object);
        (lived, (u64::MAX / 2).saturating_sub(reads.left.load(Ordering::SeqCst)), reads)
    };
    let (lived, reads, _) = run(u64::MAX / 2);
    assert!(!lived.unwrap());
    let mut told = 0;
    for after in 0..reads {
        let (lived, _, reads) = run(after);
        // Other threads may have read the catalog's part meanwhile, so not every number is met.
        let error = match lived {
            Ok(verified) => {
                told += u64::from(verified);
                continue;
            }
            Err(error) => error,
        };
        let kinds = kinds(&error);
        assert!(reads.failed.load(Ordering::SeqCst), "read {after}: {error}");
        assert_eq!(kinds.last(), Some(&ErrorKind::Io), "read {after}: {error:?}");
        assert!(!kinds.contains(&ErrorKind::Corrupt), "read {after}: {error:?}");
        told += 1;
    }
    // The others are made up for: by the other footer of a segment, by asking without the catalog, or
    // by storing a copy beside the row that cannot be compared.
    assert!(told * 4 > reads * 3, "{told} of {reads} failed reads were told");
}

#[test]
fn a_missing_or_short_file_is_damage_and_is_named() {
    let (disk, object) = specimen();
    let folders = ["segments", "objects", "manifest", "journal"];
    let files: Vec<_> =
        folders.iter().flat_map(|folder| files_in(&disk, folder).unwrap()).collect();
    for (path, bytes) in files {
        for keep in [None, Some(0), Some(bytes / 2), Some(bytes - 1)] {
            let storage = disk.fork().storage();
            let whole = read_whole(&*storage, &path).unwrap();
            match keep {
                None => storage.remove(&path).unwrap(),
                Some(keep) => {
                    let keep = usize::try_from(keep).unwrap();
                    write_whole(&*storage, &path, &whole[..keep]).unwrap();
                }
            }
            let opened = Archive::open_read_only(host(&storage), small());
            let asked = opened.and_then(|archive| ask(&archive, object));
            let Err(error) = asked else {
                // What an older manifest or the end of the journal held may be nobody's loss, and a
                // segment that lost its last bytes has its footer twice: then `verify` tells it.
                let sealed = path.starts_with("segments") || path.starts_with("objects");
                let checked = verify(&host(&storage), &small(), Depth::Structure, &mut go_on);
                let told = checked.unwrap().damages.iter().any(|damage| damage.file == path);
                assert!(told || !sealed, "{path} with {keep:?} of {bytes} bytes");
                continue;
            };
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{path} with {keep:?}: {error}");
            // Without its newest manifest an archive misses what the one before names.
            let is_named = error.file() == Some(&*path) || keep.is_none();
            assert!(is_named, "{path} with {keep:?}: {error}");
        }
    }
}

#[test]
fn a_full_disk_is_told_when_opening_and_below_every_later_stop() {
    let (disk, _) = specimen();
    let faulty = Faulty::over(disk.fork().storage());
    faulty.fill_after(0);
    let error = Archive::open(host(&faulty.storage()), small()).unwrap_err();
    assert_eq!(kinds(&error).last(), Some(&ErrorKind::NoSpace), "{error:?}");
    faulty.release();
    let archive = Archive::open(host(&faulty.storage()), small()).unwrap();
    faulty.fill_after(0);
    for _ in 0..2 {
        let mut batch = archive.batch(archive.begin_run("full").unwrap_or_default());
        batch.checkpoint("a", b"b");
        let error = batch.commit().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stopped);
        assert_eq!(kinds(&error).last(), Some(&ErrorKind::NoSpace), "{error:?}");
    }
}

#[test]
fn a_place_without_an_archive_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    crate::kit::files::write(&file, b"no folder");
    for place in [folder.path().join("nowhere"), file.clone()] {
        let host = || chatvault_engine::Host::disk(&place);
        for opened in [Archive::open(host(), small()), Archive::open_read_only(host(), small())] {
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert_eq!(error.to_string(), "not found: there is no archive here");
        }
    }
    let error = Archive::create(chatvault_engine::Host::disk(&file), small()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    let odd = folder.path().join("a\0b");
    let error = Archive::create(chatvault_engine::Host::disk(&odd), small()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}
