//! What is imported and asked: page files in a folder for each custodian, and what was learnt of them.

mod made_up;
mod prepare;
mod questions;
mod shift;
mod spread;
mod survey;

use std::fs;
use std::path::{Path, PathBuf};

pub use prepare::{Source, prepare};
pub use questions::{Kind, Questions};

use crate::document::split;
use crate::peer::Result;

/// How large a corpus is, beside the export that is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Size {
    /// One conversation in ten, every version once.
    Tenth,
    /// The export as it is: every copy.
    A,
    /// Ten times its distinct versions, each once: other people, conversations and years.
    B,
}

impl Size {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::Tenth, Self::A, Self::B];

    /// Its name in tables, on the command line and of its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenth => "tenth",
            Self::A => "A",
            Self::B => "B",
        }
    }
}

/// A corpus that is ready, in a folder.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Corpus {
    folder: PathBuf,
    /// Of one that was given by the user, its own pages.
    given: Option<PathBuf>,
}

impl Corpus {
    /// The page files.
    pub fn pages(&self) -> PathBuf {
        self.given.clone().unwrap_or_else(|| self.folder.join("pages"))
    }

    /// The same versions, each once.
    pub fn distinct_pages(&self) -> PathBuf {
        self.folder.join("distinct")
    }

    /// The zstd dictionary for the peers.
    pub fn dictionary(&self) -> PathBuf {
        self.folder.join("dictionary")
    }

    /// What it is asked, and its counts.
    pub fn questions(&self) -> Result<Questions> {
        Ok(serde_json::from_slice(&fs::read(self.folder.join("questions.json"))?)?)
    }

    /// Digests of all raw copies, sorted.
    pub fn copies(&self) -> Result<Vec<u64>> {
        let bytes = fs::read(self.folder.join("copies"))?;
        Ok(bytes.as_chunks().0.iter().map(|digest| u64::from_le_bytes(*digest)).collect())
    }

    /// Documents that are not in it and could be.
    pub fn fresh(&self) -> Result<Vec<Vec<u8>>> {
        let page = fs::read(self.folder.join("fresh.json"))?;
        Ok(split(&page)?.into_iter().map(Vec::from).collect())
    }
}

/// The digest that [`Corpus::copies`] has of a copy.
pub fn copy_digest(document: &[u8]) -> u64 {
    blake3::hash(document).as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// All page files with their custodians, in the order of their names.
pub fn page_files(pages: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for folder in sorted(pages)? {
        let name = folder.file_name().and_then(|name| name.to_str());
        let custodian = name.ok_or("a folder whose name is no text")?.to_owned();
        files.extend(sorted(&folder)?.into_iter().map(|file| (custodian.clone(), file)));
    }
    if files.is_empty() {
        return Err(format!("{}: no page files", pages.display()).into());
    }
    Ok(files)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Writes documents as pages of the service's size into a custodian's folder.
fn write_pages<D: AsRef<[u8]>>(folder: &Path, documents: &[D]) -> Result<()> {
    const PAGE_ITEMS: usize = 50;
    fs::create_dir_all(folder)?;
    for (at, page) in (1..).zip(documents.chunks(PAGE_ITEMS)) {
        fs::write(folder.join(format!("page-{at:05}.json")), page_json(page))?;
    }
    Ok(())
}

/// Documents as a page of the service, without its links.
fn page_json<D: AsRef<[u8]>>(documents: &[D]) -> Vec<u8> {
    let items: Vec<&[u8]> = documents.iter().map(AsRef::as_ref).collect();
    [b"{\"value\":[", &items.join(&b',')[..], b"]}"].concat()
}
