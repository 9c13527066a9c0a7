//! Copying an archive, also while it is written: the copy opens, verifies and goes on as this one.
//!
//! A copy is one moment: the newest manifest, every file that it names, and the journal up to the
//! last acknowledged commit. Sealed files never change and are checked by the manifest's hashes on
//! the way; one that a merge replaces meanwhile is read in the trash. If a manifest is published
//! before the journal was read, it begins again with that one: what is there is not copied twice.
//!
//! Invariants: every file has its name in the copy only when it is whole and synced; `FORMAT` comes
//! last, so a copy that was cut off is no archive, and copying again finishes it. A copy is only
//! brought up to date from what it is an earlier state of.

use std::io::ErrorKind as IoKind;
use std::sync::Arc;

use chatvault_base::{OnProgress, Progress, Unit};
use tracing::debug_span;

use super::maintain::disposal::TRASH;
use super::open::{FOLDERS, in_the_way, lock};
use super::{Archive, Shared, State};
use crate::error::{Error, ErrorKind, Result};
use crate::format::head::{self, Head};
use crate::format::names::{self, JOURNAL, MANIFEST, Name};
use crate::journal;
use crate::manifest::{self, FileEntry, FileKind, Manifest};
use crate::objects::Pack;
use crate::options::Host;
use crate::storage::{ReadFile, Storage, whole};
use crate::types::Sequence;

/// A busy writer that publishes one manifest after the other is followed at most so often.
const MAX_LOOKS: usize = 20;
const READ_BYTES: usize = 1 << 20;
const MAX_FORMAT_BYTES: u64 = 64 << 10;

/// How to copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Give sealed files a second name instead of copying them; both archives must be folders of
    /// one file system. Damage to the medium then hits both.
    pub link: bool,
}

/// What a copy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyReport {
    /// Sealed files of the archive.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Sealed files that were not there yet.
    pub copied_files: u64,
    /// Bytes of them, and of the journal.
    pub copied_bytes: u64,
    /// The last commit in the copy.
    pub sequence: Sequence,
    /// False: it was asked to stop. Copying again goes on from there.
    pub finished: bool,
}

impl Archive {
    /// Copies the archive to another place, beside its writer if there is one, or brings an
    /// earlier copy up to date; `progress` is told of bytes, and a `Break` stops it. Nothing here changes.
    /// What is derived (catalog, search index) is not copied.
    ///
    /// The copy has this archive's id and commits and is durable on return. `Exists` if another
    /// archive, other files or one that went its own way is there; `Locked` if the place is being
    /// written.
    pub fn copy_to(
        &self,
        to: &Host,
        options: CopyOptions,
        progress: OnProgress<'_>,
    ) -> Result<CopyReport> {
        let _span = debug_span!("copy").entered();
        self.shared.copy_to(to, options, progress)
    }
}

impl Shared {
    fn copy_to(
        &self,
        to: &Host,
        options: CopyOptions,
        progress: OnProgress<'_>,
    ) -> Result<CopyReport> {
        let place = &*to.storage;
        check_place(place, self.archive)?;
        place.make_folder("").map_err(in_the_way).map_err(in_copy)?;
        for folder in FOLDERS {
            let made = place.make_folder(folder);
            made.map_err(|cause| in_copy(Error::io("make folder", folder, cause)))?;
        }
        let _lock = lock(place).map_err(in_copy)?;
        for _ in 0..MAX_LOOKS {
            self.refresh()?;
            let state = self.acknowledged();
            let earlier = self.earlier(to, &state)?;
            let mut copy = Copy {
                from: &*self.host.storage,
                to: place,
                state: &state,
                earlier,
                link: options.link,
                progress,
                stopped: false,
                report: CopyReport::default(),
            };
            match copy.run() {
                Ok(true) => return Ok(copy.report),
                Err(error) if !copy.is_overtaken()? => return Err(error),
                // There is a newer manifest; a file that is gone was replaced twice since.
                Ok(false) | Err(_) => {}
            }
        }
        let message = "the archive changes faster than it can be copied: copy it again later";
        Err(Error::new(ErrorKind::Io, message))
    }

    /// The manifest of an earlier copy of this archive, if there is one. It need not open: it may
    /// have been cut off while its files got their names.
    fn earlier(&self, to: &Host, state: &State) -> Result<Option<Manifest>> {
        let place = &*to.storage;
        if !is_there(place, head::PATH)? {
            return Ok(None);
        }
        let (manifest, hash) = manifest::load(place, self.archive).map_err(in_copy)?;
        self.check_past(place, (&manifest, hash), state)?;
        if let Ok(copy) = Archive::open_read_only(to.clone(), self.options.clone()) {
            check_commit(&copy.shared.state(), state)?;
        }
        Ok(Some(manifest))
    }

    /// Is what is there an earlier state of this archive?
    fn check_past(
        &self,
        to: &dyn Storage,
        (old, hash): (&Manifest, [u8; 32]),
        here: &State,
    ) -> Result<()> {
        let (from, new) = (&*self.host.storage, &here.manifest);
        if old.number > new.number || old.sequence > here.sequence {
            return Err(strange("it is ahead of it"));
        }
        let kept = match manifest::read(from, self.archive, old.number) {
            Ok((_, hash)) => Some(hash),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if kept.is_some_and(|kept| kept != hash) {
            return Err(strange("it has another manifest of the same number"));
        }
        for file in &old.files {
            if new.file(file.number).is_some_and(|now| now.hash != file.hash) {
                return Err(strange(&format!("{} differs", file.path())));
            }
        }
        let numbers = journal::numbers(from)?;
        for number in journal::numbers(to).map_err(in_copy)? {
            let path = names::journal(number);
            if number > numbers.last().copied().unwrap_or(0) {
                return Err(strange(&format!("it was written to: {path}")));
            }
            if numbers.contains(&number) && !begins_with(from, to, &path)? {
                return Err(strange(&format!("{path} differs")));
            }
        }
        Ok(())
    }
}

/// Is the last commit of an earlier copy one of this archive's past?
fn check_commit(there: &State, here: &State) -> Result<()> {
    let last = there.commit_at(there.sequence)?;
    let same = last.map(|last| here.commit_at(Sequence(last.sequence))).transpose()?.flatten();
    if same == last {
        return Ok(());
    }
    Err(strange(&format!("its commit {} is another one", there.sequence.0)))
}

/// Only an archive of this id, an unfinished copy or nothing may be there.
fn check_place(to: &dyn Storage, archive: [u8; 16]) -> Result<()> {
    match Head::load(to) {
        Ok(head) if head.archive == archive => return Ok(()),
        Ok(_) => {
            let message = "another archive is there: copy to another place";
            return Err(Error::new(ErrorKind::Exists, message));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(in_copy(error)),
    }
    let list = to.list("").map_err(|cause| match cause.kind() {
        IoKind::NotADirectory => in_copy(in_the_way(cause)),
        _ => in_copy(Error::io("list", "", cause)),
    })?;
    let other = |name: &str| {
        let name = whole::temporary_of(name).unwrap_or(name);
        !matches!(Name::parse(name), Name::Format | Name::Lock | Name::Health)
    };
    match list.into_iter().find(|file| other(&file.name)) {
        None => Ok(()),
        Some(file) => {
            let message = format!("{:?} is there: copy to an empty or new folder", file.name);
            Err(Error::new(ErrorKind::Exists, message))
        }
    }
}

fn strange(why: &str) -> Error {
    let message =
        format!("what is there is no earlier copy of this archive ({why}): copy to another place");
    Error::new(ErrorKind::Exists, message)
}

/// Paths in errors are inside one of two archives.
fn in_copy(error: Error) -> Error {
    Error::new(error.kind(), "the copy").caused_by(error)
}

fn is_there(storage: &dyn Storage, path: &str) -> Result<bool> {
    match storage.open(path) {
        Ok(_) => Ok(true),
        Err(cause) if cause.kind() == IoKind::NotFound => Ok(false),
        Err(cause) => Err(Error::io("open", path, cause)),
    }
}

/// Is a file of the copy the beginning of the archive's own?
fn begins_with(from: &dyn Storage, to: &dyn Storage, path: &str) -> Result<bool> {
    let whole = from.open(path).map_err(|cause| Error::opening(path, cause))?;
    let part = to.open(path).map_err(|cause| in_copy(Error::opening(path, cause)))?;
    let length =
        |file: &dyn ReadFile| file.bytes().map_err(|cause| Error::io("measure", path, cause));
    let end = length(&*part)?;
    if end > length(&*whole)? {
        return Ok(false);
    }
    let (mut ours, mut theirs, mut offset) = (Vec::new(), Vec::new(), 0);
    while offset < end {
        let count = usize::try_from(end - offset).unwrap_or(usize::MAX).min(READ_BYTES);
        ours.resize(count, 0);
        theirs.resize(count, 0);
        let failed = |cause| Error::io("read", path, cause).at(offset);
        whole.read_at(offset, &mut ours).map_err(failed)?;
        part.read_at(offset, &mut theirs).map_err(|cause| in_copy(failed(cause)))?;
        if ours != theirs {
            return Ok(false);
        }
        offset += count as u64;
    }
    Ok(true)
}

/// One attempt to copy one state.
struct Copy<'a> {
    from: &'a dyn Storage,
    to: &'a dyn Storage,
    state: &'a State,
    earlier: Option<Manifest>,
    link: bool,
    progress: OnProgress<'a>,
    stopped: bool,
    report: CopyReport,
}

impl Copy<'_> {
    /// False if a newer manifest was published meanwhile.
    fn run(&mut self) -> Result<bool> {
        let manifest = Arc::clone(&self.state.manifest);
        self.report.files = manifest.files.len() as u64;
        self.report.bytes = manifest.files.iter().map(|file| file.bytes).sum();
        self.report.sequence = self.state.sequence;
        let mut done = 0;
        for entry in &manifest.files {
            self.copy_sealed(entry, done)?;
            if self.stopped {
                return Ok(true);
            }
            done += entry.bytes;
        }
        self.sync("segments")?;
        self.sync("objects")?;
        let journals = self.copy_journals(done)?;
        let manifests = self.copy_manifests()?;
        if self.stopped {
            return Ok(true);
        }
        if self.is_overtaken()? {
            return Ok(false);
        }
        self.publish(&journals, &manifests)?;
        self.tidy()?;
        self.report.finished = true;
        Ok(true)
    }

    fn is_overtaken(&self) -> Result<bool> {
        Ok(manifest::numbers(self.from)?.last() != Some(&self.state.manifest.number))
    }

    /// Copies a file that the manifest names, unless the copy has it.
    fn copy_sealed(&mut self, entry: &FileEntry, done: u64) -> Result<()> {
        let path = entry.path();
        if self.has(entry, &path, done)? {
            return Ok(());
        }
        let temporary = whole::temporary(&path);
        whole::discard(self.to, &temporary).map_err(in_copy)?;
        let source = self.source(entry)?;
        let file = self.from.open(&source).map_err(|cause| Error::opening(&source, cause))?;
        let target = if self.link { None } else { Some(temporary.as_str()) };
        let hash = self.pour((&*file, &source, entry.bytes), target, done)?;
        if self.stopped {
            return whole::discard(self.to, &temporary).map_err(in_copy);
        }
        if entry.kind != FileKind::Pack && *hash.as_bytes() != entry.hash {
            let expected = blake3::Hash::from_bytes(entry.hash);
            let message = format!("BLAKE3 is {}, should be {}", hash.to_hex(), expected.to_hex());
            return Err(Error::corrupt(message).in_file(source));
        }
        if self.link {
            self.link(&source, &temporary)?;
        }
        self.name(&path)?;
        if entry.kind == FileKind::Pack {
            self.check_pack(entry, &source)?;
        }
        self.report.copied_files += 1;
        self.report.copied_bytes += entry.bytes;
        Ok(())
    }

    /// Is the file in the copy? One that no finished copy vouches for is read to see.
    fn has(&mut self, entry: &FileEntry, path: &str, done: u64) -> Result<bool> {
        let file = match self.to.open(path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == IoKind::NotFound => return Ok(false),
            Err(cause) => return Err(in_copy(Error::io("open", path, cause))),
        };
        let bytes = file.bytes().map_err(|cause| in_copy(Error::io("measure", path, cause)))?;
        if bytes != entry.bytes {
            return Ok(false);
        }
        let earlier = self.earlier.as_ref().and_then(|earlier| earlier.file(entry.number));
        if earlier == Some(entry) {
            let _ = self.tell(done + bytes);
            return Ok(true);
        }
        if entry.kind == FileKind::Pack {
            return Ok(self.check_pack(entry, path).is_ok());
        }
        let hash = self.pour((&*file, path, bytes), None, done)?;
        Ok(self.stopped || *hash.as_bytes() == entry.hash)
    }

    /// Where the archive has a file of the manifest: a merge may have moved it to the trash.
    fn source(&self, entry: &FileEntry) -> Result<String> {
        let path = entry.path();
        if is_there(self.from, &path)? {
            return Ok(path);
        }
        let suffix = format!(".{}", entry.kind.name(entry.number));
        let files = self.from.list(TRASH).map_err(|cause| Error::io("list", TRASH, cause))?;
        let moved = files.into_iter().find(|file| file.name.ends_with(&suffix));
        Ok(moved.map_or(path, |file| format!("{TRASH}/{}", file.name)))
    }

    /// Reads so many bytes of a file, and writes them to a synced file of the copy if one is
    /// named; gives their hash. Stops between two pieces if it is asked to.
    fn pour(
        &mut self,
        (file, path, bytes): (&dyn ReadFile, &str, u64),
        target: Option<&str>,
        done: u64,
    ) -> Result<blake3::Hash> {
        let failed = |name: &str, cause| in_copy(Error::io("write", name, cause));
        let made = target
            .map(|name| Ok((name, self.to.create(name).map_err(|cause| failed(name, cause))?)));
        let made = made.transpose()?;
        let (mut hasher, mut piece, mut offset) = (blake3::Hasher::new(), Vec::new(), 0);
        while offset < bytes && self.tell(done + offset) {
            let left = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
            piece.resize(left.min(READ_BYTES), 0);
            let read = file.read_at(offset, &mut piece);
            read.map_err(|cause| Error::io("read", path, cause).at(offset))?;
            let _ = hasher.update(&piece);
            if let Some((name, out)) = &made {
                out.write_at(offset, &piece).map_err(|cause| failed(name, cause))?;
            }
            offset += piece.len() as u64;
        }
        if let Some((name, out)) = &made {
            out.sync().map_err(|cause| failed(name, cause))?;
        }
        Ok(hasher.finalize())
    }

    fn link(&self, source: &str, temporary: &str) -> Result<()> {
        let place = self.from.local_folder(source);
        let place = place.ok_or_else(|| Error::invalid("this archive is in no folder: copy it"))?;
        self.to.link(&place, temporary).map_err(|cause| {
            let message = "no second name for a file: both archives must be on one file system \
                           that has hard links; copy without linking";
            Error::invalid(message).in_file(source).caused_by(cause)
        })
    }

    /// A pack's hash is that of its directory: its frames have checksums of their own.
    fn check_pack(&self, entry: &FileEntry, source: &str) -> Result<()> {
        let pack = Pack::open(self.to, entry.number, self.state.manifest.archive);
        let pack = Arc::new(pack.map_err(in_copy)?);
        let damage = pack.verify(false).into_iter().next();
        match damage {
            None if pack.hash() == entry.hash => Ok(()),
            None => {
                let message = "directory is not the one that the manifest names";
                Err(Error::corrupt(message).in_file(source))
            }
            Some(damage) => Err(damage),
        }
    }

    /// Copies the journal up to the last acknowledged commit, under temporary names.
    fn copy_journals(&mut self, done: u64) -> Result<Vec<String>> {
        let Manifest { archive, journal_from, journal_to, sequence, .. } = *self.state.manifest;
        let (through, mut last, mut paths) = (self.state.sequence, sequence, Vec::new());
        for number in journal::numbers(self.from)? {
            if number < journal_from {
                continue;
            }
            // The writer went on in it after this moment: it goes on behind later commits.
            if number > journal_to && last >= through {
                break;
            }
            let (bytes, reached) = journal::prefix(self.from, archive, number, through)?;
            last = last.max(reached);
            let path = names::journal(number);
            let temporary = whole::temporary(&path);
            whole::discard(self.to, &temporary).map_err(in_copy)?;
            let file = self.from.open(&path).map_err(|cause| Error::opening(&path, cause))?;
            let _ = self.pour((&*file, &path, bytes), Some(&temporary), done)?;
            self.report.copied_bytes += bytes;
            paths.push(path);
        }
        if last >= through {
            return Ok(paths);
        }
        let message = format!(
            "lost acknowledged data: the journal ends behind commit {}, {} was acknowledged",
            last.0, through.0
        );
        Err(Error::corrupt(message).in_file(JOURNAL))
    }

    /// Copies the manifests that the archive keeps, the newest under a temporary name.
    fn copy_manifests(&self) -> Result<Vec<u64>> {
        let newest = self.state.manifest.number;
        let mut numbers = manifest::numbers(self.from)?;
        numbers.retain(|number| *number <= newest);
        for number in &numbers {
            let path = names::manifest(*number);
            let bytes = whole::read(self.from, &path, manifest::MAX_BYTES)?;
            let temporary = whole::temporary(&path);
            whole::discard(self.to, &temporary).map_err(in_copy)?;
            let failed = |cause| in_copy(Error::io("write", &temporary, cause));
            let file = self.to.create(&temporary).map_err(failed)?;
            file.write_at(0, &bytes).map_err(failed)?;
            file.sync().map_err(failed)?;
        }
        Ok(numbers)
    }

    /// Names what is whole: from here on the copy has this state. Older manifests follow the
    /// newest downwards, so that there never is a gap between them.
    fn publish(&self, journals: &[String], manifests: &[u64]) -> Result<()> {
        journals.iter().try_for_each(|path| self.name(path))?;
        let newest = self.state.manifest.number;
        self.name(&names::manifest(newest))?;
        self.sync(JOURNAL)?;
        self.sync(MANIFEST)?;
        for number in manifest::numbers(self.to).map_err(in_copy)? {
            if number != newest {
                whole::discard(self.to, &names::manifest(number)).map_err(in_copy)?;
            }
        }
        let older = manifests.iter().rev().filter(|number| **number != newest);
        older.map(|number| names::manifest(*number)).try_for_each(|path| self.name(&path))?;
        self.sync(MANIFEST)?;
        self.sync("")?;
        if is_there(self.to, head::PATH)? {
            return Ok(());
        }
        let format = whole::read(self.from, head::PATH, MAX_FORMAT_BYTES)?;
        whole::write_new(self.to, head::PATH, &format).map_err(in_copy)
    }

    fn name(&self, path: &str) -> Result<()> {
        let named = self.to.rename(&whole::temporary(path), path);
        named.map_err(|cause| in_copy(Error::io("rename", path, cause)))
    }

    /// Removes what the manifest of the copy does not need any more, and what attempts that were
    /// overtaken or cut off have left under temporary names.
    fn tidy(&self) -> Result<()> {
        let manifest = &self.state.manifest;
        for folder in [JOURNAL, MANIFEST, "segments", "objects"] {
            let files = self.to.list(folder);
            for file in files.map_err(|cause| in_copy(Error::io("list", folder, cause)))? {
                let path = format!("{folder}/{}", file.name);
                let is_old = match Name::parse(&path) {
                    Name::Journal(number) => number < manifest.journal_from,
                    Name::File(_, number) => manifest.file(number).is_none(),
                    _ => whole::temporary_of(&path)
                        .is_some_and(|path| Name::parse(path) != Name::Stranger),
                };
                if is_old {
                    whole::discard(self.to, &path).map_err(in_copy)?;
                }
            }
            self.sync(folder)?;
        }
        Ok(())
    }

    fn sync(&self, folder: &str) -> Result<()> {
        let synced = self.to.sync_folder(folder);
        synced.map_err(|cause| in_copy(Error::io("sync folder", folder, cause)))
    }

    fn tell(&mut self, done: u64) -> bool {
        let progress = Progress::new(done, self.report.bytes, Unit::Bytes);
        self.stopped = self.stopped || (self.progress)(&progress).is_break();
        !self.stopped
    }
}
