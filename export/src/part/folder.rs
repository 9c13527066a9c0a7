//! The export's folder: its lock, its index, what an earlier run left there.

use std::sync::Arc;

use chatvault_engine::{LockGuard, ReadFile, Storage};

use super::file::{BUFFER_BYTES, replace};
use super::{Settings, is_named_after};
use crate::digest::{Hash, Sha256, hex};
use crate::error::{Error, Result};
use crate::manifest::{Head, Index, PartRecord, read_small};

/// The folder that an export is written to, held alone.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) storage: Arc<dyn Storage>,
    export: String,
    temporaries: u64,
    _lock: Box<dyn LockGuard>,
}

impl Folder {
    /// Makes the folder if it is not there, locks the export and clears away what a crash left.
    pub(super) fn open(storage: Arc<dyn Storage>, settings: &Settings) -> Result<Self> {
        let export = settings.export.clone();
        storage.make_folder("").map_err(Error::folder("make the folder of", &export))?;
        let name = lock_name(&export);
        let lock = storage.try_lock(&name, "export").map_err(Error::folder("lock", &name))?;
        // A process that ended removed its lock file; a lock on that one excludes nobody.
        let lock = lock.filter(|lock| lock.still_held().is_ok_and(|held| held));
        let lock = lock.ok_or_else(|| Error::Locked { export: export.clone() })?;
        let folder = Self { storage, export, temporaries: 0, _lock: lock };
        folder.clear_temporaries()?;
        Ok(folder)
    }

    fn clear_temporaries(&self) -> Result<()> {
        let start = temporary_start(&self.export);
        let files = self.storage.list("").map_err(Error::folder("list", &self.export))?;
        for file in files.iter().filter(|file| file.name.starts_with(&start)) {
            self.storage.remove(&file.name).map_err(Error::folder("remove", &file.name))?;
        }
        Ok(())
    }

    /// Are there parts under this export's names, which no index of it lists? Writing over them
    /// could destroy what somebody relies on.
    pub(super) fn check_is_free(&self, head: &Head) -> Result<()> {
        let files = self.storage.list("").map_err(Error::folder("list", &self.export))?;
        let taken = files.into_iter().find(|file| is_named_after(&file.name, &head.export_id));
        taken.map_or(Ok(()), |file| Err(Error::Taken { part: file.name }))
    }

    /// Removes the lock file: nothing of this program's stays in what is handed on.
    pub(super) fn close(self) {
        drop(self.storage.remove(&lock_name(&self.export)));
    }

    /// A name for something that goes when the work is done, or with the next run.
    pub(super) fn temporary(&mut self) -> String {
        self.temporaries += 1;
        format!("{}{}", temporary_start(&self.export), self.temporaries)
    }

    /// The name of the export's part of this number, counted from 1 over all windows, while it is
    /// being written.
    pub(super) fn part_temporary(&self, number: usize) -> String {
        format!("{}{PART_MARK}{number}", temporary_start(&self.export))
    }

    /// Writes the index and then the list of checksums; each is replaced as a whole.
    pub(super) fn publish(&mut self, index: &Index) -> Result<()> {
        let temporary = self.temporary();
        replace(
            &self.storage,
            &temporary,
            &Index::file_name(&self.export),
            index.text().as_bytes(),
        )?;
        let sums = index.sums(&self.export);
        replace(&self.storage, &temporary, &Index::sums_name(&self.export), sums.as_bytes())
    }

    /// Writes the list of checksums of a finished export, if a crash came between it and the index.
    pub(super) fn publish_sums(&mut self, index: &Index) -> Result<()> {
        let name = Index::sums_name(&self.export);
        let expected = index.sums(&self.export);
        let most = expected.len() as u64;
        let there = read_small(self.storage.as_ref(), &name, most.saturating_mul(2))?;
        if there.is_some_and(|sums| sums == expected.as_bytes()) {
            return Ok(());
        }
        let temporary = self.temporary();
        replace(&self.storage, &temporary, &name, expected.as_bytes())
    }

    /// The index of an earlier run with the same inputs, without the parts from the first missing
    /// one on; those are returned beside it. `None` if no run came so far as to have an index.
    pub(super) fn resume(
        &self,
        settings: &Settings,
        head: &Head,
    ) -> Result<Option<(Index, Vec<PartRecord>)>> {
        let Some(mut index) = Index::read(self.storage.as_ref(), &self.export)? else {
            return Ok(None);
        };
        self.check_inputs(&index, settings, head)?;
        let mut kept = 0;
        for part in &index.parts {
            if !self.is_there(part)? {
                break;
            }
            kept += 1;
        }
        let again = index.parts.split_off(kept);
        Ok(Some((index, again)))
    }

    fn check_inputs(&self, index: &Index, settings: &Settings, head: &Head) -> Result<()> {
        let file = Index::file_name(&self.export);
        let other = |problem: &str| {
            Err(Error::OtherExport { file: file.clone(), problem: problem.to_owned() })
        };
        if index.head.export_id != head.export_id {
            let problem = format!("its id is {}, not {}", index.head.export_id, head.export_id);
            return other(&problem);
        }
        if index.head != *head {
            return other("its selection, archive or tool is another one");
        }
        if index.part_bytes != settings.part_bytes {
            let (was, now) = (index.part_bytes, settings.part_bytes);
            return other(&format!("its parts have at most {was} bytes, not {now}"));
        }
        Ok(())
    }

    /// Is a finished part there? One that is there but is another is an error: writing over it
    /// could destroy what somebody relies on.
    fn is_there(&self, part: &PartRecord) -> Result<bool> {
        let file = match self.storage.open(&part.name) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(Error::folder("open", &part.name))?,
        };
        let changed = |problem| Err(Error::Changed { part: part.name.clone(), problem });
        let bytes = file.bytes().map_err(Error::folder("measure", &part.name))?;
        if bytes != part.bytes {
            return changed(format!("it has {bytes} bytes, should have {}", part.bytes));
        }
        let hash = hex(&hash_file(&file, bytes).map_err(Error::folder("read", &part.name))?);
        if hash != part.sha256 {
            return changed(format!("its SHA-256 is {hash}, should be {}", part.sha256));
        }
        Ok(true)
    }
}

/// The lock of the export of this name.
pub(crate) fn lock_name(export: &str) -> String {
    format!(".{export}.lock")
}

/// Tells a part that is being written from everything else temporary.
const PART_MARK: &str = "part";

/// The number of the part that is being written under a temporary name.
pub(super) fn part_number(export: &str, file: &str) -> Option<usize> {
    file.strip_prefix(&temporary_start(export))?.strip_prefix(PART_MARK)?.parse().ok()
}

fn temporary_start(export: &str) -> String {
    format!(".{export}.tmp-")
}

/// The SHA-256 of so many bytes of a file, in fixed memory.
pub(crate) fn hash_file(file: &Arc<dyn ReadFile>, bytes: u64) -> std::io::Result<Hash> {
    let mut hash = Sha256::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut at = 0;
    while at < bytes {
        let length = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(BUFFER_BYTES);
        let piece = buffer.get_mut(..length).unwrap_or_default();
        file.read_at(at, piece)?;
        hash.update(piece);
        at += length as u64;
    }
    Ok(hash.finish())
}
