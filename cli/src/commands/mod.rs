//! One file per command: its arguments, what it does, how it tells the result.

pub(crate) mod account;
pub(crate) mod catalog;
pub(crate) mod chats;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod exports;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod people;
pub(crate) mod quarantine;
pub(crate) mod query;
pub(crate) mod repair;
pub(crate) mod runs;
pub(crate) mod serve;
mod sessions;
pub(crate) mod stat;
pub(crate) mod sync;
pub(crate) mod verify;

use std::path::Path;

use anyhow::Context;
use chatvault_engine::{Archive, Damage, Host, Options};
use clap::Args;

use crate::missing::{self, Finding};

/// What to do about damage.
#[derive(Clone, Copy, Debug, Default, Args)]
struct Salvage {
    /// Go on without what is damaged or missing: name it on standard error, end with exit code 3
    #[arg(long)]
    salvage: bool,
}

impl Salvage {
    /// Opens an archive for a command that only looks.
    fn open(self, folder: &Path) -> anyhow::Result<Archive> {
        let mut options = Options::default();
        options.salvage = self.salvage;
        Archive::open_read_only(Host::disk(folder), options)
            .with_context(|| format!("cannot open {}", folder.display()))
    }

    /// What an answer lacks, as a field of its JSON; no field without the option.
    fn findings(self, damages: &[Damage]) -> Option<Vec<Finding>> {
        self.salvage.then(|| missing::findings(damages))
    }
}

use crate::console::Console;

/// Opens an archive for a command that only looks; a writer may be at work beside it.
fn open_to_read(folder: &Path) -> anyhow::Result<Archive> {
    Salvage::default().open(folder)
}

/// Opens an archive for a command that changes it.
fn open_to_write(folder: &Path, options: Options) -> anyhow::Result<Archive> {
    Archive::open(Host::disk(folder), options)
        .with_context(|| format!("cannot open {} for writing", folder.display()))
}

/// Tells what went wrong in the background, in this command or in one before.
fn tell_health(archive: &Archive, console: &mut Console<'_>) -> anyhow::Result<()> {
    for trouble in archive.health().troubles {
        console.warn(format!("note: {trouble}; nothing is lost: `chatvault verify` shows more"))?;
    }
    Ok(())
}

/// Gives the archive back, with the errors that dropping it would swallow.
fn close(archive: Archive, folder: &Path, console: &mut Console<'_>) -> anyhow::Result<()> {
    tell_health(&archive, console)?;
    archive.close().with_context(|| format!("cannot close {}", folder.display()))
}
