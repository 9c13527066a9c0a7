//! Creating and opening: what the manifest names, and what the journal holds beyond it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Shared;
use super::accounts::book::Committed;
use super::accounts::known::Known;
use super::accounts::late::Late;
use super::accounts::ledger::Ledger;
use super::accounts::quarantine::Outcasts;
use super::commit::committing::Writer;
use super::commit::moves::Moves;
use super::commit::put_object::open_pack;
use super::commit::recall::Recall;
use super::commit::record::{self, Home, HomeSighting};
use super::commit::slab::{RowRef, Seen, Slab};
use super::held::{Held, Missing};
use super::maintain::background::Background;
use super::maintain::disposal::TRASH;
use super::maintain::folded::Folded;
use super::maintain::health;
use super::repair::repaired::Repaired;
use super::state::{Live, State};
use super::stranded;
use crate::error::{Error, ErrorKind, Result};
use crate::format::head::{Head, PATH};
use crate::format::names::{self, FileKind};
use crate::journal::{self, Chain, FileHeader, Journal, Recorded, Recovery, Wanted};
use crate::manifest::{self, FileEntry, Manifest};
use crate::options::{Host, Options};
use crate::row::Parser;
use crate::storage::{Counted, LockGuard, Storage, whole};
use crate::types::Sequence;

/// A reader that a busy writer overtakes looks again at most this often.
const MAX_LOOKS: usize = 20;
/// A life of commits.
const SEQUENCES_LEFT: u64 = 1 << 48;
const LOCK_ATTEMPTS: usize = 8;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
pub(super) const FOLDERS: [&str; 6] =
    ["journal", "manifest", "segments", "objects", TRASH, "quarantine"];

fn refuse_salvage(options: &Options) -> Result<()> {
    if options.salvage {
        return Err(Error::invalid("salvage is for reading: open the archive read-only"));
    }
    Ok(())
}

pub(super) fn create(host: Host, options: Options) -> Result<Shared> {
    refuse_salvage(&options)?;
    let storage = Arc::clone(&host.storage);
    match Head::load(&*storage) {
        Ok(_) => return Err(Error::new(ErrorKind::Exists, "an archive is here already: open it")),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    storage.make_folder("").map_err(in_the_way)?;
    for folder in FOLDERS {
        storage.make_folder(folder).map_err(|cause| Error::io("make folder", folder, cause))?;
    }
    let lock = lock(&*storage)?;
    clear_unfinished(&*storage)?;
    let manifest = Manifest::first(host.clock.random(), host.clock.now(), 1);
    found(&host, &manifest, &mut |_| Ok(()))?;
    open_writer(host, options, lock)
}

/// Makes an archive of a folder: its first journal file, which `fill` puts commits into, its first
/// manifest, and `FORMAT` last: an archive is there completely or not at all.
pub(super) fn found(
    host: &Host,
    manifest: &Manifest,
    fill: &mut dyn FnMut(&Journal) -> Result<()>,
) -> Result<()> {
    let storage = &*host.storage;
    let header = FileHeader {
        archive: manifest.archive,
        nonce: host.clock.random(),
        number: manifest.journal_from,
        last: manifest.sequence,
        chain: Chain::default(),
        base: manifest.sequence,
        manifest: Recorded::default(),
    };
    let journal = Journal::start(storage, header)?;
    fill(&journal)?;
    journal.close()?;
    let _ = manifest::store(storage, manifest)?;
    storage.sync_folder("").map_err(|cause| Error::io("sync folder", "", cause))?;
    Head::new(manifest.archive).create(storage)
}

/// Making the archive's own folder failed.
pub(super) fn in_the_way(cause: std::io::Error) -> Error {
    use std::io::ErrorKind as Cause;
    match cause.kind() {
        Cause::AlreadyExists | Cause::NotADirectory => {
            Error::new(ErrorKind::Exists, "a file is in the place of the archive's folder")
                .caused_by(cause)
        }
        _ => Error::io("make the archive's folder", "", cause),
    }
}

/// What the archive says about itself; `NotFound` if there is none.
fn head(storage: &dyn Storage) -> Result<Head> {
    let error = match Head::load(storage) {
        Err(error) if error.kind() == ErrorKind::NotFound => error,
        other => return other,
    };
    // Manifest 1 alone is what a `create` that was cut off leaves.
    let manifests = manifest::numbers(storage).unwrap_or_default();
    if manifests.iter().all(|number| *number == 1) {
        return Err(Error::new(ErrorKind::NotFound, "there is no archive here").caused_by(error));
    }
    let message = "file is missing: put it back, finish the copy that was begun here, or repair the \
                   archive into a new one";
    Err(Error::corrupt(message).in_file(PATH))
}

/// Removes what a `create` that was cut off left; never rows.
fn clear_unfinished(storage: &dyn Storage) -> Result<()> {
    let mut left = Vec::new();
    for folder in FOLDERS {
        for file in storage.list(folder).map_err(|cause| Error::io("list", folder, cause))? {
            left.push(format!("{folder}/{}", file.name));
        }
    }
    let first = [names::journal(1), names::manifest(1)];
    let ours = |path: &String| {
        let path = path.strip_suffix(".tmp").unwrap_or(path);
        first.iter().any(|first| first == path)
    };
    if let Some(other) = left.iter().find(|path| !ours(path)) {
        let message = "files of an archive are here, but no FORMAT: put it back from a copy, or repair \
                       the archive into a new one";
        return Err(Error::new(ErrorKind::Exists, message).in_file(other.clone()));
    }
    left.iter().try_for_each(|path| whole::discard(storage, path))
}

pub(super) fn open(host: Host, options: Options) -> Result<Shared> {
    refuse_salvage(&options)?;
    drop(head(&*host.storage)?);
    let lock = lock(&*host.storage)?;
    open_writer(host, options, lock)
}

pub(super) fn lock(storage: &dyn Storage) -> Result<Box<dyn LockGuard>> {
    let holder = format!("pid {}\n", std::process::id());
    for attempt in 0..LOCK_ATTEMPTS {
        // A reader that asks whether somebody writes holds the lock for a moment.
        if attempt > 0 {
            std::thread::sleep(LOCK_PAUSE);
        }
        let taken = storage.try_lock(names::LOCK, &holder);
        if let Some(lock) = taken.map_err(|cause| Error::io("lock", names::LOCK, cause))? {
            return Ok(lock);
        }
    }
    let message = "another process (or handle) has the archive open for writing";
    Err(Error::new(ErrorKind::Locked, message).in_file(names::LOCK))
}

/// Makes every folder, and every name in it, durable before anything is believed: who wrote them
/// may have been killed between naming a file and syncing its folder.
fn settle_folders(storage: &dyn Storage) -> Result<()> {
    if planted!("believe names that are not durable") {
        return Ok(());
    }
    for folder in FOLDERS {
        let made = storage.make_folder(folder);
        made.map_err(|cause| Error::io("make folder", folder, cause))?;
    }
    for folder in [""].iter().chain(&FOLDERS) {
        let synced = storage.sync_folder(folder);
        synced.map_err(|cause| Error::io("sync folder", folder, cause))?;
    }
    Ok(())
}

fn open_writer(host: Host, options: Options, lock: Box<dyn LockGuard>) -> Result<Shared> {
    settle_folders(&*host.storage)?;
    let journal_bytes = bytes_in(&*host.storage, names::JOURNAL)?;
    let mut shared = Shared::empty(host, options)?;
    shared.lock = Mutex::new(Some(lock));
    let Loaded { state, wanted, recovery } = shared.load(false)?;
    let state = Arc::new(state);
    let storage = Arc::clone(&shared.host.storage);
    let nonce = shared.host.clock.random();
    let resume = || Journal::resume(&*storage, &wanted, nonce, &recovery);
    let journal = match resume() {
        // What is past its grace in the trash makes room: no state of the archive needs it.
        Err(error) if error.is_for_room() => {
            shared.empty_trash(shared.host.clock.now(), state.manifest.number)?;
            resume()?
        }
        other => other?,
    };
    if journal.base().0.checked_add(SEQUENCES_LEFT).is_none() {
        return Err(Error::corrupt("no commit number is left").in_file(names::JOURNAL));
    }
    let next_file = next_file(&*storage, &state.manifest)?;
    let before = state.manifest.bytes_written.saturating_add(journal_bytes);
    let _ = shared.bytes_written.fetch_add(before, Ordering::Relaxed);
    let mut writer = Writer::new(journal, next_file, &Known::of(&state));
    if !state.lost_ledgers.is_empty() {
        writer.leave_numbers();
    }
    for live in &state.segments {
        let _ = writer.homes.insert(live.generation, Home::Segment(live.entry.number));
    }
    state.slabs.iter().for_each(|slab| writer.remember(slab));
    shared.troubles = Mutex::new(health::load(&*storage));
    shared.dropped_tail = Mutex::new(recovery.torn);
    shared.opened_at = shared.moves.generation();
    shared.state = RwLock::new(state);
    // By now the journal records the manifest that says what is not needed.
    shared.clear_out(&writer)?;
    shared.writer = Some(Mutex::new(writer));
    Ok(shared)
}

fn bytes_in(storage: &dyn Storage, folder: &str) -> Result<u64> {
    let files = storage.list(folder).map_err(|cause| Error::io("list", folder, cause))?;
    Ok(files.iter().map(|file| file.bytes).sum())
}

/// The number of the next file: what a crash left unnamed keeps its number.
fn next_file(storage: &dyn Storage, manifest: &Manifest) -> Result<u64> {
    let mut next = manifest.next_file;
    for folder in ["segments", "objects"] {
        for file in storage.list(folder).map_err(|cause| Error::io("list", folder, cause))? {
            if let Some((_, number)) = names::parse_file(&file.name) {
                next = next.max(number + 1);
            }
        }
    }
    Ok(next)
}

pub(super) fn open_read_only(host: Host, options: Options) -> Result<Shared> {
    let mut shared = Shared::empty(host, options)?;
    let loaded = shared.look()?;
    shared.dropped_tail = Mutex::new(loaded.recovery.torn);
    shared.unproven = Mutex::new(loaded.recovery.unproven);
    shared.state = RwLock::new(Arc::new(loaded.state));
    Ok(shared)
}

/// The archive's id, which for salvage a manifest has as well.
fn identify(storage: &dyn Storage, missing: &Missing) -> Result<[u8; 16]> {
    let by_head = missing.pass(head(storage).map(|head| head.archive))?;
    let by_manifest = || manifest::newest_readable(storage, None);
    by_head.or_else(|| by_manifest().map(|(manifest, _)| manifest.archive)).ok_or_else(no_manifest)
}

fn no_manifest() -> Error {
    Error::corrupt("no manifest can be read").in_file(names::MANIFEST)
}

/// Ledgers that cannot be read, by file number.
type Lost = Vec<(u64, Error)>;

/// What was read at opening.
struct Loaded {
    state: State,
    wanted: Wanted,
    recovery: Recovery,
}

impl Shared {
    fn empty(mut host: Host, options: Options) -> Result<Self> {
        let bytes_written = Arc::default();
        host.storage = Arc::new(Counted::new(host.storage, Arc::clone(&bytes_written)));
        let missing = Missing::new(options.salvage);
        let archive = identify(&*host.storage, &missing)?;
        let environment = options.environment.clone().unwrap_or_default();
        let cache = Arc::new(environment.cache());
        let recall = Recall::new(host.clock.random(), options.recall_bytes);
        let moves = Moves::new(options.merge.moved_rows);
        let state = State {
            manifest: Arc::new(Manifest::first(archive, host.clock.now(), 1)),
            manifest_hash: [0; 32],
            segments: Vec::new(),
            ledgers: Vec::new(),
            slabs: Vec::new(),
            packs: Vec::new(),
            outcasts: Vec::new(),
            lost_ledgers: Vec::new(),
            missing: Arc::new(missing),
            sequence: Sequence(0),
        };
        Ok(Self {
            host,
            options,
            background: Background::new(environment.jobs()),
            environment,
            archive,
            cache,
            bytes_written,
            recall,
            moves,
            opened_at: 0,
            state: RwLock::new(Arc::new(state)),
            writer: None,
            sealing: Mutex::default(),
            merging: Mutex::default(),
            troubles: Mutex::default(),
            damaged: Mutex::default(),
            catalog: Mutex::default(),
            packing: Mutex::default(),
            preparers: Mutex::default(),
            lock: Mutex::default(),
            dropped_tail: Mutex::default(),
            unproven: Mutex::default(),
        })
    }

    /// A reader looks at what the writer has made durable by now; nothing to do for a writer.
    pub(crate) fn refresh(&self) -> Result<()> {
        if self.writer.is_some() {
            return Ok(());
        }
        let loaded = self.look()?;
        *self.dropped_tail.lock().unwrap_or_else(PoisonError::into_inner) = loaded.recovery.torn;
        *self.unproven.lock().unwrap_or_else(PoisonError::into_inner) = loaded.recovery.unproven;
        self.set_state(loaded.state);
        Ok(())
    }

    /// Loads beside a writer that may replace files under our hands.
    fn look(&self) -> Result<Loaded> {
        let mut looks = 0;
        loop {
            let newest = manifest::numbers(&*self.host.storage)?.last().copied();
            let found = match self.load(true) {
                Ok(loaded) if loaded.state.is_whole() => return Ok(loaded),
                // What is missing may just have been replaced.
                other => other,
            };
            looks += 1;
            let now = manifest::numbers(&*self.host.storage)?.last().copied();
            if now == newest || looks == MAX_LOOKS {
                return found;
            }
        }
    }

    fn load(&self, live: bool) -> Result<Loaded> {
        let storage = &*self.host.storage;
        let before = self.state();
        let newest = before.missing.pass(manifest::load(storage, self.archive))?;
        let readable = || manifest::newest_readable(storage, Some(self.archive));
        let is_damaged = newest.is_none();
        let (mut manifest, manifest_hash) = newest.or_else(readable).ok_or_else(no_manifest)?;
        if before.missing.salvage() {
            let recorded = journal::newest_recorded(storage, self.archive);
            // Otherwise a writer has published since, and it is not lost but loaded next.
            let is_newest = manifest::numbers(storage)?.last() == Some(&manifest.number);
            if is_damaged || (is_newest && recorded > Some(manifest.number)) {
                manifest = stranded::take_in(storage, manifest, &before.missing)?;
            }
        }
        if before.is_of(manifest_hash) {
            let wanted = Wanted::behind(&manifest, manifest_hash, live);
            return self.replay(before.without_slabs(), wanted);
        }
        let checked = Repaired::check(&manifest).and_then(|()| Folded::check(&manifest));
        let _ = before.missing.pass(checked)?;
        let (ledgers, lost_ledgers) = self.load_ledgers(&manifest, &before);
        let mut segments = Vec::new();
        let (mut packs, mut outcasts) = (Vec::new(), Vec::new());
        for entry in &manifest.files {
            match entry.kind {
                FileKind::Segment => {
                    let late = Late::of(entry.number, &ledgers, &before.missing);
                    let known = before.segments.iter().find(|live| live.entry == *entry);
                    let known = known.filter(|live| live.file.is_readable());
                    segments.push(Arc::new(match known {
                        Some(live) => Live { late, ..(**live).clone() },
                        None => self.hold_live(entry, late),
                    }));
                }
                FileKind::Pack => {
                    packs.push(Held::of(open_pack(storage, self.archive, entry)));
                }
                FileKind::Quarantine => {
                    let place = self.place_of(entry);
                    let known =
                        before.outcasts.iter().find(|it| it.entry == *entry && it.is_open());
                    outcasts.push(known.cloned().unwrap_or_else(|| {
                        let place = (entry, &*place);
                        Arc::new(Outcasts::open(storage, self.archive, place, &self.cache))
                    }));
                }
                FileKind::Ledger | FileKind::Dictionary => {}
            }
        }
        let sequence = manifest.sequence;
        // For salvage every bad frame is looked at, as a writer would.
        let wanted = Wanted::behind(&manifest, manifest_hash, live && !self.options.salvage);
        let manifest = Arc::new(manifest);
        let (slabs, missing) = (Vec::new(), Arc::clone(&before.missing));
        #[rustfmt::skip]
        let state = State { manifest, manifest_hash, segments, ledgers, slabs, packs, outcasts, lost_ledgers, missing, sequence };
        self.replay(state, wanted)
    }

    /// Ledgers of a manifest, and those that cannot be read.
    fn load_ledgers(&self, manifest: &Manifest, before: &State) -> (Vec<Arc<Ledger>>, Lost) {
        let (mut ledgers, mut lost) = (Vec::new(), Lost::new());
        for entry in manifest.files.iter().filter(|entry| entry.kind == FileKind::Ledger) {
            let same = before.manifest.file(entry.number).is_some_and(|there| there == entry);
            let known = before.ledgers.iter().find(|it| same && it.table.number == entry.number);
            match known.map_or_else(|| self.open_ledger(entry), |ledger| Ok(Arc::clone(ledger))) {
                Ok(ledger) => ledgers.push(ledger),
                Err(error) => lost.push((entry.number, error)),
            }
        }
        (ledgers, lost)
    }

    pub(crate) fn open_ledger(&self, entry: &FileEntry) -> Result<Arc<Ledger>> {
        let (storage, place) = (&*self.host.storage, (self.archive, entry.number));
        Ledger::open(storage, place, &self.place_of(entry), &self.cache).map(Arc::new)
    }

    fn replay(&self, mut state: State, wanted: Wanted) -> Result<Loaded> {
        let mut places: HashMap<Home, u32, RandomState> = HashMap::default();
        for live in &state.segments {
            let _ = places.insert(Home::Segment(live.entry.number), live.generation);
        }
        let mut parser = Parser::default();
        let storage = &*self.host.storage;
        let known = self.state();
        let missing = Arc::clone(&state.missing);
        let mut visit = |sequence: Sequence, chain: Chain, payload: &[u8]| {
            if sequence <= state.sequence {
                return Ok(());
            }
            let mut commit = record::read(sequence, payload, &mut parser)?;
            commit.book.commits.push(Committed::new(sequence, commit.run, chain));
            let same = known.slabs.iter().find(|slab| slab.sequence == sequence);
            let generation = same.map_or_else(|| self.moves.generation(), |slab| slab.generation);
            let _ = places.insert(Home::Slab(sequence.0), generation);
            state.slabs.push(Arc::new(Slab {
                generation,
                sequence,
                documents: commit.documents.into(),
                rows: commit.rows.into(),
                sightings: placed(&commit.sightings, &places),
                refused: commit.refused,
                book: commit.book,
                holder: self.moves.holder(),
            }));
            state.sequence = sequence;
            Ok(())
        };
        let recovery = match journal::recover(storage, wanted, &mut visit) {
            Err(error) if missing.salvage() && error.is_unreadable() => {
                if error.file().is_some_and(|file| file.starts_with(names::MANIFEST)) {
                    let _ = missing.pass::<()>(Err(error))?;
                }
                for damage in journal::salvage(storage, wanted, &mut visit)? {
                    let _ = missing.pass::<()>(Err(damage))?;
                }
                Recovery::default()
            }
            recovery => recovery?,
        };
        Ok(Loaded { state, wanted, recovery })
    }
}

/// The sightings of a commit whose rows are there: the others are void.
fn placed(sightings: &[HomeSighting], places: &HashMap<Home, u32, RandomState>) -> Vec<Seen> {
    let mut all: BTreeMap<u64, Vec<(RowRef, u32)>> = BTreeMap::new();
    for (home, first, index, custodian) in sightings {
        if let Some(generation) = places.get(home) {
            let row = RowRef { generation: *generation, index: *index };
            all.entry(*first).or_default().push((row, *custodian));
        }
    }
    all.into_iter().map(|(sequence, pairs)| Seen { sequence, pairs }).collect()
}
