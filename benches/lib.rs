//! What the benchmarks share: an export to import, and an archive made of it.
//!
//! The export is `pages/` (a folder of page files for each custodian) and `dev.jsonl` (every distinct
//! version, a line each) in the folder that `CHATVAULT_CORPUS` names; without it, the same of a
//! made-up tenant. Memory is allocated as the command does it.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on should stop, and its files are its own"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chatvault_engine::{Archive, Counts, Custodian, Host, Options};
use chatvault_ingest::{ImportOptions, Progress, Source};
use chatvault_support::generate::{Shape, Tenant, page_files};
use mimalloc::MiMalloc;
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The made-up tenant: about 40,000 versions, each in some ten exports.
const SHAPE: Shape =
    Shape { users: 24, conversations: 120, messages: 30_000, redressed_percent: 0 };
const PAGE_ITEMS: usize = 50;

/// An export on disk.
#[derive(Debug)]
pub struct Export {
    folder: PathBuf,
    /// Holds a made-up export until the benchmark ends.
    _made_up: Option<TempDir>,
}

impl Export {
    /// The one that `CHATVAULT_CORPUS` names, or a made-up one.
    pub fn find() -> Self {
        if let Some(folder) = std::env::var_os("CHATVAULT_CORPUS") {
            return Self { folder: folder.into(), _made_up: None };
        }
        let made_up = tempfile::tempdir().unwrap();
        write_made_up(made_up.path());
        Self { folder: made_up.path().to_owned(), _made_up: Some(made_up) }
    }

    /// As the service delivers it: a folder for each custodian, every copy.
    pub fn pages(&self) -> Source {
        Source::Folders(self.page_folder())
    }

    /// Where these are.
    pub fn page_folder(&self) -> PathBuf {
        self.folder.join("pages")
    }

    /// Every distinct version once.
    pub fn versions(&self) -> Source {
        let paths = vec![self.folder.join("dev.jsonl")];
        Source::Files { custodian: Custodian::user("everybody"), paths }
    }
}

fn write_made_up(folder: &Path) {
    let tenant = Tenant::new(1, &SHAPE);
    let mut lines = BufWriter::new(File::create(folder.join("dev.jsonl")).unwrap());
    for document in tenant.documents() {
        writeln!(lines, "{document}").unwrap();
    }
    lines.flush().unwrap();
    for page in page_files(&tenant, PAGE_ITEMS) {
        let path = folder.join("pages").join(page.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, page.json).unwrap();
    }
}

/// An archive on disk that goes when it is dropped.
#[derive(Debug)]
pub struct Trial {
    folder: TempDir,
}

impl Trial {
    /// An empty place for one.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn host(&self) -> Host {
        Host::disk(self.folder.path().join("trial.cvault"))
    }

    /// Makes the archive.
    pub fn create(&self) -> Archive {
        Archive::create(self.host(), options()).unwrap()
    }

    /// Opens it as its writer.
    pub fn open_to_write(&self) -> Archive {
        Archive::open(self.host(), options()).unwrap()
    }

    /// Opens it as its writer, as a command does.
    pub fn open_as_default(&self) -> Archive {
        Archive::open(self.host(), Options::default()).unwrap()
    }

    /// Opens it for reading.
    pub fn open(&self) -> Archive {
        Archive::open_read_only(self.host(), options()).unwrap()
    }

    /// Imports into a new archive and closes it: all of it durable and sealed.
    pub fn import(&self, source: Source) -> Counts {
        let archive = self.create();
        let counts = import(&archive, source);
        archive.close().unwrap();
        counts
    }
}

impl Default for Trial {
    fn default() -> Self {
        Self::new()
    }
}

/// Options of every benchmark: the defaults, without merges at unexpected moments.
fn options() -> Options {
    let mut options = Options::default();
    options.background_compaction = false;
    options
}

fn import(archive: &Archive, source: Source) -> Counts {
    let options = ImportOptions::default();
    let go_on = &mut |_: &Progress| ControlFlow::Continue(());
    let summary = chatvault_ingest::import(archive, vec![source], &options, go_on).unwrap();
    assert_eq!(summary.failures, [], "files that did not come in");
    summary.counts
}
