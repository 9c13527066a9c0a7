//! The proofs that bind files and their parts to each other, made anew around what was forged.
//!
//! Invariant: what the forger put in himself stays as he wrote it.

use std::collections::{BTreeMap, BTreeSet};

use super::bytes::{put_varint, set_u32, u64_at, varint};
use super::file::File;
use super::format::{DIRECTORY, FILE, FileKind, TABLE_FOOTER};
use super::shape::{Field, Shape, fields, with_field};
use super::{Part, Piece};

/// Fields of a footer that the manifest repeats, and of an entry of the manifest.
mod place {
    pub(super) const ROWS: usize = 2;
    pub(super) const MULTISET: usize = 7;
    pub(super) const FIRST: usize = 13;
    pub(super) const SPAN: usize = 14;

    pub(super) const ENTRY_NUMBER: usize = 2;
    pub(super) const ENTRY_BYTES: usize = 3;
    pub(super) const ENTRY_ROWS: usize = 4;
    pub(super) const ENTRY_FIRST: usize = 5;
    pub(super) const ENTRY_LAST: usize = 6;
    pub(super) const ENTRY_HASH: usize = 7;
    pub(super) const ENTRY_MULTISET: usize = 8;
}

/// Bytes of an entry of a pack, and where the offset is in it.
const ENTRY: usize = 48;
const ENTRY_OFFSET: usize = 40;

/// Makes the proofs inside one sealed file.
pub(super) fn bind_file(path: &str, file: &mut File, forged: &BTreeSet<Piece>) {
    let is_forged = |part: Part| forged.contains(&Piece { path: path.to_owned(), part });
    match file.kind {
        FileKind::Segment => bind_segment(file, &is_forged),
        FileKind::Ledger | FileKind::Quarantine => bind_table(file, &is_forged),
        FileKind::Pack => bind_pack(file, &is_forged),
        FileKind::Manifest if !is_forged(Part::Head) => {
            let bytes = file.frames[0].stored.len() as u64;
            file.head[16..24].copy_from_slice(&bytes.to_le_bytes());
        }
        _ => {}
    }
}

fn bind_segment(file: &mut File, is_forged: &dyn Fn(Part) -> bool) {
    let footers = [file.frames.len() - 2, file.frames.len() - 1];
    if !footers.iter().any(|at| is_forged(Part::Contents(*at))) {
        let lengths: Vec<usize> =
            file.frames[..footers[0]].iter().map(super::file::Frame::bytes).collect();
        if let Some(contents) = with_lengths(file, footers[0], &lengths) {
            for at in footers {
                file.frames[at].fill(&contents, super::Packing::Padded);
            }
        }
    }
    if !is_forged(Part::Tail) {
        let bytes = file.frames[footers[1]].bytes();
        set_u32(&mut file.tail, 0, bytes);
    }
}

/// Has the directories of a table, and its footer, say the bytes of the frames before them.
fn bind_table(file: &mut File, is_forged: &dyn Fn(Part) -> bool) {
    let (mut pages, mut stretches): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for at in 0..file.frames.len() {
        let lengths = match file.frames[at].kind() {
            DIRECTORY => std::mem::take(&mut pages),
            TABLE_FOOTER => std::mem::take(&mut stretches),
            _ => {
                pages.push(file.frames[at].bytes());
                continue;
            }
        };
        if !is_forged(Part::Contents(at))
            && let Some(contents) = with_lengths(file, at, &lengths)
        {
            file.frames[at].fill(&contents, super::Packing::Padded);
        }
        stretches.extend([lengths.iter().sum(), file.frames[at].bytes()]);
    }
    if let Some(footer) = file.frames.last().filter(|_| !is_forged(Part::Tail)) {
        let bytes = footer.bytes();
        set_u32(&mut file.tail, 0, bytes);
    }
}

/// A footer or directory with the bytes of the frames before it; `None` if it has them already.
fn with_lengths(file: &File, footer: usize, lengths: &[usize]) -> Option<Vec<u8>> {
    let mut contents = file.frames[footer].contents.clone();
    let shape = file.kind.contents(file.frames[footer].kind()).1;
    let found = fields(shape, &contents)?;
    let frames = found.iter().enumerate().filter(|(_, field)| matches!(field.shape, Shape::Frame));
    let frames: Vec<usize> = frames.map(|(at, _)| at).collect();
    if frames.len() != lengths.len() {
        return None;
    }
    for (at, length) in frames.iter().zip(lengths).rev() {
        contents = with_field(&contents, &found, *at, &number(*length as u64));
    }
    (contents != file.frames[footer].contents).then_some(contents)
}

fn bind_pack(file: &mut File, is_forged: &dyn Fn(Part) -> bool) {
    let mut moved = BTreeMap::new();
    let (mut at, mut directory) = (file.head.len() + 4, 0);
    for frame in &file.frames {
        let _ = moved.insert(frame.offset as u64, at as u64);
        directory = at;
        at += frame.bytes();
    }
    for index in 0..file.frames.len() {
        let frame = &mut file.frames[index];
        if !matches!(frame.kind(), 2 | 3) || is_forged(Part::Contents(index)) {
            continue;
        }
        let mut contents = frame.contents.clone();
        for entry in contents.chunks_exact_mut(ENTRY) {
            let place = moved.get(&u64_at(entry, ENTRY_OFFSET)).copied();
            let place = place.unwrap_or_else(|| u64_at(entry, ENTRY_OFFSET));
            entry[ENTRY_OFFSET..].copy_from_slice(&place.to_le_bytes());
        }
        if contents != frame.contents {
            frame.fill(&contents, super::Packing::Padded);
        }
    }
    if let Some(last) = file.frames.last().filter(|_| !is_forged(Part::Tail)) {
        file.tail[..8].copy_from_slice(&(directory as u64).to_le_bytes());
        file.tail[8..16].copy_from_slice(&(last.bytes() as u64).to_le_bytes());
        file.tail[16..48].copy_from_slice(blake3::hash(&last.contents).as_bytes());
    }
}

/// What a manifest says of a sealed file.
pub(super) struct Said {
    number: u64,
    bytes: u64,
    hash: [u8; 32],
    /// Rows, multiset, first and last commit: of a segment whose footer was forged.
    rows: Option<(u64, Vec<u8>, u64, u64)>,
}

impl Said {
    pub(super) fn of(path: &str, file: &File, joined: &[u8]) -> Option<Self> {
        let name = path.rsplit_once('/')?.1;
        let number = name.split_once('.')?.0.parse().ok()?;
        let hash = match file.frames.last() {
            Some(directory) if file.kind == FileKind::Pack => blake3::hash(&directory.contents),
            _ => blake3::hash(joined),
        };
        let rows = if file.kind == FileKind::Segment { rows(file) } else { None };
        Some(Self { number, bytes: joined.len() as u64, hash: *hash.as_bytes(), rows })
    }
}

fn rows(file: &File) -> Option<(u64, Vec<u8>, u64, u64)> {
    let footer = file.frames.last()?;
    let found = fields(file.kind.contents(footer.kind()).1, &footer.contents)?;
    let value = |at: usize| varint(&footer.contents[found[at].at.clone()]).map(|(n, _)| n);
    let multiset = footer.contents[found[place::MULTISET].at.clone()].to_vec();
    let first = value(place::FIRST)?;
    let first = (first >> 1) ^ (first & 1).wrapping_neg();
    Some((value(place::ROWS)?, multiset, first, first.wrapping_add(value(place::SPAN)?)))
}

/// Has a manifest's entries say what the files are now.
pub(super) fn bind_manifest(manifest: &mut File, said: &[Said]) {
    for said in said {
        let body = &manifest.frames[0].contents;
        let shape = manifest.kind.contents(0).1;
        let Some(new) = fields(shape, body).and_then(|found| with_entry(body, &found, said)) else {
            continue;
        };
        manifest.frames[0].fill(&new, super::Packing::Tight);
    }
}

fn with_entry(body: &[u8], found: &[Field], said: &Said) -> Option<Vec<u8>> {
    let is_files = |field: &Field| matches!(field.shape, Shape::List("files", _));
    let list = found.iter().position(is_files)?;
    let end = found[list].body.end;
    let entries = found[list + 1..].chunks(FILE.len()).take_while(|entry| entry[0].at.end <= end);
    let value = |field: &Field| varint(&body[field.at.clone()]).map(|(number, _)| number);
    let mut entries = entries.enumerate();
    let is_it = |entry: &[Field]| value(&entry[place::ENTRY_NUMBER]) == Some(said.number);
    let (index, _) = entries.find(|(_, entry)| is_it(entry))?;
    let first = list + 1 + index * FILE.len();
    let mut new: Vec<(usize, Vec<u8>)> =
        vec![(place::ENTRY_BYTES, number(said.bytes)), (place::ENTRY_HASH, said.hash.to_vec())];
    if let Some((rows, multiset, low, high)) = &said.rows {
        new.push((place::ENTRY_ROWS, number(*rows)));
        new.push((place::ENTRY_FIRST, number(*low)));
        new.push((place::ENTRY_LAST, number(*high)));
        new.push((place::ENTRY_MULTISET, multiset.clone()));
    }
    // From behind, so that the places before stay right.
    new.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let put =
        |body: Vec<u8>, (at, bytes): (usize, Vec<u8>)| with_field(&body, found, first + at, &bytes);
    Some(new.into_iter().fold(body.to_vec(), put))
}

/// Hashes of manifests that are other ones now.
pub(super) type Hashes = BTreeMap<[u8; 32], [u8; 32]>;

/// Has a manifest name the one before by its hash.
pub(super) fn bind_previous(manifest: &mut File, hashes: &Hashes) {
    let mut contents = manifest.frames[0].contents.clone();
    rebind(&mut contents[16..48], hashes);
    manifest.frames[0].fill(&contents, super::Packing::Tight);
}

/// Binds the journal's files to manifests and to each other, in order.
pub(super) fn bind_journal(
    files: &mut [(&String, &mut File)],
    hashes: &Hashes,
    forged: &BTreeSet<Piece>,
) {
    let mut chains: BTreeMap<[u8; 16], [u8; 16]> = BTreeMap::new();
    for (path, file) in files {
        let is_forged = |part: Part| forged.contains(&Piece { path: (*path).clone(), part });
        if !is_forged(Part::Head) {
            rebind(&mut file.head[64..80], &chains);
            rebind(&mut file.head[96..128], hashes);
        }
        for (index, frame) in file.frames.iter_mut().enumerate() {
            if !is_forged(Part::FrameHead(index)) {
                rebind(&mut frame.head[40..56], &chains);
            }
            if frame.kind() == 4 && !is_forged(Part::Contents(index)) {
                let mut contents = frame.contents.clone();
                rebind(&mut contents[8..], hashes);
                frame.fill(&contents, super::Packing::Tight);
            }
            if frame.kind() == 1 {
                let _ = chains.insert(frame.before, frame.chain());
            }
        }
    }
}

fn rebind<const N: usize>(place: &mut [u8], changed: &BTreeMap<[u8; N], [u8; N]>) {
    if let Some(new) = place.first_chunk().and_then(|old| changed.get(old)) {
        place.copy_from_slice(new);
    }
}

fn number(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, value);
    out
}
