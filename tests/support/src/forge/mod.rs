//! A forger: archives with right checksums and wrong contents.
//!
//! It takes a healthy archive apart into *pieces*, puts other contents into some of them, and puts the
//! archive together again: packed, with lengths and checksums that hold and, if asked, with every
//! proof that binds one file to another. What the files are made of stands in `format`, which is
//! FORMAT.md as data; nothing of the engine is used to write.
//!
//! Invariants: an archive of which nothing is forged comes out byte for byte; what is forged is
//! never changed by the making of proofs.

#![expect(
    clippy::indexing_slicing,
    reason = "takes apart what it knows to be healthy, and a test that cannot go on should stop"
)]

mod bind;
mod bytes;
mod file;
mod format;
mod mutate;
mod shape;
mod specimen;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Result;

use chatvault_engine::{Memory, Storage};

use crate::storage::{files_in, read_whole, write_whole};
use bind::Said;
use file::{File, Frame};

pub use bytes::{Packing, put_block, put_varint};
pub use format::FileKind;
pub use mutate::mutated;
pub use shape::{Field, Shape, Style, fields, put_item, with_field};
pub use specimen::{Specimen, filled, host};
pub use trial::{Step, Trial};

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What is before the first frame.
    Head,
    /// The header of a frame.
    FrameHead(usize),
    /// What a frame holds.
    Contents(usize),
    /// What is behind the last frame.
    Tail,
}

/// A part of a file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// The file.
    pub path: String,
    /// Which part.
    pub part: Part,
}

/// What is made to hold around a forged piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proofs {
    /// The checksums of its own file.
    File,
    /// Whatever binds files to each other, too.
    All,
}

/// An archive taken apart.
#[derive(Clone, Debug)]
pub struct Forge {
    /// By path, with the bytes that they had.
    files: BTreeMap<String, (File, Vec<u8>)>,
    forged: BTreeSet<Piece>,
}

impl Forge {
    /// Takes a healthy archive apart.
    pub fn take(storage: &dyn Storage) -> Result<Self> {
        let (mut files, mut dictionaries) = (BTreeMap::new(), BTreeMap::new());
        for folder in ["", "manifest", "journal", "segments", "objects"] {
            let found = files_in(storage, folder)?.into_iter();
            let mut found: Vec<(FileKind, String)> =
                found.filter_map(|(path, _)| Some((FileKind::of(&path)?, path))).collect();
            // What segments need comes first.
            found.sort_by_key(|(kind, _)| *kind != FileKind::Dictionary);
            for (kind, path) in found {
                let bytes = read_whole(storage, &path)?;
                let file = File::take(kind, &bytes, &dictionaries);
                if kind == FileKind::Dictionary {
                    let number = path.chars().filter(char::is_ascii_digit).collect::<String>();
                    drop(dictionaries.insert(number.parse().unwrap_or(0), file.dictionary()));
                }
                drop(files.insert(path, (file, bytes)));
            }
        }
        Ok(Self { files, forged: BTreeSet::new() })
    }

    /// Every piece of every file.
    pub fn pieces(&self) -> Vec<Piece> {
        self.files.keys().flat_map(|path| self.pieces_of(path)).collect()
    }

    fn pieces_of(&self, path: &str) -> Vec<Piece> {
        let (file, _) = &self.files[path];
        let mut parts = Vec::new();
        if !file.head.is_empty() {
            parts.push(Part::Head);
        }
        // The second footer goes with the first.
        let frames = file.frames.len() - usize::from(file.kind == FileKind::Segment);
        for (index, frame) in file.frames.iter().enumerate().take(frames) {
            if !frame.head.is_empty() {
                parts.push(Part::FrameHead(index));
            }
            parts.push(Part::Contents(index));
        }
        if file.kind.tail_bytes() > 0 {
            parts.push(Part::Tail);
        }
        parts.into_iter().map(|part| Piece { path: path.to_owned(), part }).collect()
    }

    /// The pieces of a kind of file that have this name in `format`.
    pub fn named(&self, kind: FileKind, name: &str) -> Vec<Piece> {
        let is_it =
            |piece: &Piece| FileKind::of(&piece.path) == Some(kind) && self.name(piece) == name;
        self.pieces().into_iter().filter(is_it).collect()
    }

    /// What a piece is called.
    pub fn name(&self, piece: &Piece) -> &'static str {
        self.kind(piece).0
    }

    /// What is in a piece.
    pub fn shape(&self, piece: &Piece) -> &'static [Shape] {
        self.kind(piece).1
    }

    fn kind(&self, piece: &Piece) -> format::Kind {
        let (file, _) = &self.files[&piece.path];
        match piece.part {
            Part::Head => file.kind.head(),
            Part::FrameHead(_) => file.kind.frame_head(),
            Part::Contents(at) => file.kind.contents(file.frames[at].kind()),
            Part::Tail => file.kind.tail(),
        }
    }

    /// The decoded contents of a piece.
    pub fn contents(&self, piece: &Piece) -> &[u8] {
        let (file, _) = &self.files[&piece.path];
        match piece.part {
            Part::Head => &file.head,
            Part::FrameHead(at) => &file.frames[at].head,
            Part::Contents(at) => &file.frames[at].contents,
            Part::Tail => &file.tail,
        }
    }

    /// Puts other contents into a piece. Of a head or tail, whose length is fixed, as many bytes
    /// count as it has.
    pub fn put(&mut self, piece: &Piece, contents: &[u8], packing: Packing) {
        let Some((file, _)) = self.files.get_mut(&piece.path) else { return };
        let overwrite = |place: &mut Vec<u8>| {
            let count = place.len().min(contents.len());
            place[..count].copy_from_slice(&contents[..count]);
        };
        match piece.part {
            Part::Head => overwrite(&mut file.head),
            Part::FrameHead(at) => overwrite(&mut file.frames[at].head),
            Part::Contents(at) => {
                file.frames[at].fill(contents, packing);
                let is_footer = file.kind == FileKind::Segment && file.frames[at].kind() == 10;
                if is_footer && at + 1 < file.frames.len() {
                    file.frames[at + 1] = file.frames[at].clone();
                }
            }
            Part::Tail => overwrite(&mut file.tail),
        }
        let _ = self.forged.insert(piece.clone());
    }

    /// Puts so many row groups of 4,096 rows into a segment in place of its own: three frames
    /// each with nothing in them. Its tables stay.
    pub fn widen(&mut self, path: &str, groups: usize) {
        let Some((file, _)) = self.files.get_mut(path) else { return };
        file.frames.retain(|frame| frame.kind() > 3);
        let group = [1, 2, 3].map(Frame::empty);
        let all = std::iter::repeat_n(group, groups).flatten();
        drop(file.frames.splice(..0, all));
        let footer = file.frames.len() - 2;
        let contents = specimen::wide_footer(&file.frames[footer].contents, groups);
        for at in [footer, footer + 1] {
            file.frames[at].fill(&contents, Packing::Padded);
        }
    }

    /// The archive, put together again.
    pub fn make(&self, proofs: Proofs) -> Result<Memory> {
        let mut made = self.clone();
        for (path, (file, _)) in &mut made.files {
            bind::bind_file(path, file, &self.forged);
        }
        if proofs == Proofs::All {
            made.bind();
        }
        let touched = |path: &String| self.forged.iter().any(|piece| piece.path == *path);
        let storage = Memory::new();
        for folder in ["", "manifest", "journal", "segments", "objects", "trash"] {
            storage.make_folder(folder)?;
        }
        for (path, (file, before)) in &made.files {
            let whole = proofs == Proofs::All || touched(path);
            let bytes = if whole { file.join() } else { before.clone() };
            write_whole(&storage, path, &bytes)?;
        }
        Ok(storage)
    }

    /// Has every file of a storage the bytes that it had before anything was forged?
    pub fn is_as_it_was(&self, storage: &dyn Storage) -> Result<bool> {
        for (path, (_, before)) in &self.files {
            if read_whole(storage, path)? != *before {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Binds sealed files to manifests, those to each other, and them and every commit to the journal.
    fn bind(&mut self) {
        let mut said = Vec::new();
        for (path, (file, before)) in &self.files {
            if matches!(file.kind, FileKind::Format | FileKind::Manifest | FileKind::Journal) {
                continue;
            }
            let joined = file.join();
            if joined != *before {
                said.extend(Said::of(path, file, &joined));
            }
        }
        let mut hashes = bind::Hashes::new();
        for (path, (manifest, before)) in &mut self.files {
            if manifest.kind != FileKind::Manifest {
                continue;
            }
            let body = Piece { path: path.clone(), part: Part::Contents(0) };
            if !self.forged.contains(&body) {
                bind::bind_previous(manifest, &hashes);
                bind::bind_manifest(manifest, &said);
                bind::bind_file(path, manifest, &self.forged);
            }
            let hash = |bytes: &[u8]| *bytes.last_chunk().unwrap_or(&[0; 32]);
            let _ = hashes.insert(hash(before), hash(&manifest.join()));
        }
        let journal = self.files.iter_mut().filter(|(_, (file, _))| file.kind == FileKind::Journal);
        let mut journal: Vec<_> = journal.map(|(path, (file, _))| (path, file)).collect();
        bind::bind_journal(&mut journal, &hashes, &self.forged);
    }
}
