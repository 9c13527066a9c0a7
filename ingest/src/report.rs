//! What an import is told and what it tells.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use chatvault_base::Unit;
use chatvault_engine::{Counts, Custodian, RecordKind, RunId};

/// How to import.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImportOptions {
    /// Names the run for people.
    pub label: String,
    /// What the documents are. Messages.
    pub record: RecordKind,
    /// Worker threads. As many as the machine has cores.
    pub threads: NonZeroUsize,
    /// A batch is committed when it holds this many bytes. 8 MiB.
    pub batch_bytes: usize,
    /// A batch is committed when it holds this many copies. 16,384.
    pub batch_copies: u64,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            label: "import".to_owned(),
            record: RecordKind::Message,
            threads: available_parallelism().unwrap_or(NonZeroUsize::MIN),
            batch_bytes: 8 << 20,
            batch_copies: 16_384,
        }
    }
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Files read to their end.
    pub files: u64,
    /// Bytes read, as they are on disk.
    pub bytes: u64,
    /// Copies offered.
    pub copies: u64,
    /// All files, once they are counted.
    pub total_files: Option<u64>,
    /// All bytes, once they are counted; never known with standard input.
    pub total_bytes: Option<u64>,
}

impl Progress {
    /// The bytes, as every operation tells how far it is.
    pub fn share(&self) -> chatvault_base::Progress {
        chatvault_base::Progress::new(self.bytes, self.total_bytes, Unit::Bytes)
    }
}

/// Something to know about one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Notice {
    /// The file, or `-` for standard input.
    pub file: String,
    /// What and where, and what to do. Offsets are in the decompressed bytes.
    pub message: String,
}

/// What an import did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// The run that everything was counted under.
    pub run: RunId,
    /// False if the progress callback stopped it: the rest is still to be imported.
    pub finished: bool,
    /// Files read, those with failures included.
    pub files: u64,
    /// Bytes read, as they are on disk.
    pub bytes: u64,
    /// Hidden files (their names start with a dot), which are not read.
    pub hidden_files: u64,
    /// Commits made.
    pub commits: u64,
    /// All copies together.
    pub counts: Counts,
    /// Rows stored though they may equal one that could not be read.
    pub stored_beside: u64,
    /// The copies of each custodian.
    pub by_custodian: BTreeMap<Custodian, Counts>,
    /// Files that did not come in, or not to their end. In the order of their names.
    pub failures: Vec<Notice>,
    /// Files that came in whole and say that the service has more: replies of a post, items of a page.
    pub missing: Vec<Notice>,
    /// Files that came in whole and look odd: broken places, counts that do not agree.
    pub warnings: Vec<Notice>,
}
