//! Streams that others inflate, records that others read, and garbage that hurts nobody.

use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use chatvault_engine::{Memory, ReadFile, Storage};
use flate2::read::DeflateDecoder;
use proptest::prelude::*;

use super::deflate::{CHUNK_BYTES, ChunkPlace, Inflater, LAST_BLOCK, chunk, stored_bytes};
use super::read::Archive;
use super::record::{Central, End, Local, ZipEntry};
use super::*;
use crate::digest::{hex, sha256};

/// Text that deflates well, from a seed.
fn text(seed: u64, bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 8] =
        ["budget ", "lunch ", "<p>", "meeting ", "ok ", "&nbsp;", "later ", "→ "];
    let mut state = seed | 1;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = WORDS[usize::try_from(state >> 61).unwrap()];
        out.extend_from_slice(word.as_bytes());
    }
    out.truncate(bytes);
    out
}

/// Bytes that do not deflate at all, from a seed.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let blocks = (0..bytes.div_ceil(32)).flat_map(|n| sha256(format!("{seed} {n}").as_bytes()));
    blocks.take(bytes).collect()
}

fn inflate(packed: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _bytes = DeflateDecoder::new(packed).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn chunks_make_one_stream_that_anybody_inflates() {
    for level in [1, 2, 6, 9] {
        for (first, second) in [(text(1, 300_000), noise(2, 70_000)), (noise(3, 1), text(4, 5))] {
            let mut packed = chunk(&first, level, ChunkPlace::Inside);
            packed.extend(chunk(&second, level, ChunkPlace::Inside));
            packed.extend(LAST_BLOCK);
            let raw = [first.clone(), second.clone()].concat();
            assert_eq!(inflate(&packed), raw);
            let mut ours = Vec::new();
            let _bytes = Inflater::new(packed.as_slice()).read_to_end(&mut ours).unwrap();
            assert_eq!(ours, raw);
        }
        let last = chunk(&text(5, 9_000), level, ChunkPlace::Last);
        assert_eq!(inflate(&last), text(5, 9_000));
    }
}

#[test]
fn a_chunk_is_never_larger_than_its_bound() {
    for bytes in [1, 2, 100, 65_534, 65_535, 65_536, 131_070, CHUNK_BYTES, CHUNK_BYTES + 777] {
        for raw in [noise(bytes as u64, bytes), text(bytes as u64, bytes)] {
            for place in [ChunkPlace::Inside, ChunkPlace::Last] {
                let packed = chunk(&raw, 2, place);
                assert!(packed.len() as u64 <= stored_bytes(bytes), "{bytes} {place:?}");
                let end: &[u8] = if place == ChunkPlace::Inside { &LAST_BLOCK } else { &[] };
                assert_eq!(inflate(&[&packed, end].concat()), raw);
            }
        }
    }
}

#[test]
fn a_threads_earlier_chunks_leave_no_trace() {
    let fresh =
        std::thread::spawn(|| chunk(&text(7, 50_000), 2, ChunkPlace::Inside)).join().unwrap();
    let used = std::thread::spawn(|| {
        drop(chunk(&noise(1, 99_999), 2, ChunkPlace::Inside));
        drop(chunk(&text(2, 12_345), 9, ChunkPlace::Last));
        drop(chunk(&noise(3, 300_000), 2, ChunkPlace::Last));
        chunk(&text(7, 50_000), 2, ChunkPlace::Inside)
    });
    assert_eq!(used.join().unwrap(), fresh);
}

#[test]
fn inflating_ends_where_the_stream_does_or_is_an_error() {
    let packed = chunk(&text(1, 10_000), 2, ChunkPlace::Last);
    let read = |bytes: &[u8]| Inflater::new(bytes).read_to_end(&mut Vec::new());
    assert_eq!(read(&packed).unwrap(), 10_000);
    assert!(read(&packed[..packed.len() - 1]).is_err());
    assert!(read(&[&packed[..], b"x"].concat()).is_err());
    assert!(read(b"").is_err());
    assert!(read(&[7; 100]).is_err());
}

#[test]
fn records_are_read_back_and_the_last_32_bits_fit() {
    let name = "Attachments/0001_äöü.pdf".to_owned();
    let entry = ZipEntry {
        name,
        method: Some(Method::Deflated),
        crc: 0xdead_beef,
        packed: u32::MAX,
        raw: u32::MAX - 1,
        offset: u32::MAX - 2,
    };
    let mut central = Vec::new();
    entry.put_central(&mut central);
    let (fixed, name) = central.split_first_chunk::<46>().unwrap();
    let read = Central::read(fixed).unwrap();
    assert_eq!((read.name_bytes, read.other_bytes), (name.len(), 0));
    assert_eq!(ZipEntry { name: entry.name.clone(), ..read.entry }, entry);
    let local = Local::read(entry.local().first_chunk().unwrap()).unwrap();
    assert_eq!((local.name_bytes, local.extra_bytes), (name.len(), 0));
    let end = End { entries: 60_000, directory_bytes: 1 << 20, directory_offset: u32::MAX };
    assert_eq!(End::read(&end.bytes()), Some(end));
    assert_eq!(End::read(&[0; 22]), None);
}

#[test]
fn what_is_compressed_already_is_told_by_its_name() {
    for name in ["a.JPG", "b/c.docx", "x.tar.gz", "video.mp4", "p.pdf"] {
        assert!(is_compressed(name), "{name}");
    }
    for name in ["a.txt", "jpg", "a.", "a.b c", "message.eml", "a.csv", ".x y", "a.jpg "] {
        assert!(!is_compressed(name), "{name}");
    }
}

/// A zip file as another tool makes it.
fn foreign(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, ::zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn open(bytes: &[u8]) -> std::io::Result<Archive> {
    let memory = Memory::new();
    memory.make_folder("").unwrap();
    memory.create("x.zip").unwrap().write_at(0, bytes).unwrap();
    let file: Arc<dyn ReadFile> = memory.open("x.zip").unwrap();
    Archive::open(file)
}

/// Reads whatever can be read, and how much that was.
fn read_all(archive: &Archive) -> u64 {
    let read = |entry| match archive.content(entry) {
        Ok(mut content) => std::io::copy(&mut content, &mut std::io::sink()).unwrap_or(0),
        Err(_) => 0,
    };
    archive.entries.iter().map(read).sum()
}

#[test]
fn zip_files_of_others_are_read() {
    let long = text(3, 200_000);
    let bytes = foreign(&[("a.txt", b"hello"), ("b/ü.txt", &long), ("empty", b"")]);
    let archive = open(&bytes).unwrap();
    let names: Vec<&str> = archive.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a.txt", "b/ü.txt", "empty"]);
    let mut content = Vec::new();
    let _bytes = archive.content(&archive.entries[1]).unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, long);
    assert!(!archive.overlaps());
}

#[test]
fn a_member_that_lies_about_its_size_ends_where_it_lied() {
    let bomb = vec![0; 50 << 20];
    let mut bytes = foreign(&[("bomb", &bomb)]);
    // The size in the central directory, 24 bytes into its only entry.
    let central = bytes.windows(4).position(|at| at == [0x50, 0x4b, 1, 2]).unwrap();
    bytes[central + 24..central + 28].copy_from_slice(&1000_u32.to_le_bytes());
    let archive = open(&bytes).unwrap();
    let mut out = Vec::new();
    let error = archive.content(&archive.entries[0]).unwrap().read_to_end(&mut out).unwrap_err();
    assert_eq!(error.to_string(), "more bytes than it says");
    assert_eq!(out.len(), 1000);
}

#[test]
fn the_compressors_bytes_are_pinned() {
    // Other bytes here mean another compressor: exports that were begun with the old one cannot be
    // resumed. Then the renderer's version must go up too.
    let pinned = "8c6e8261a9c5a4fb8f4159ca32cad616f2503113f90111c66836d84e03ff88f3";
    let places = [ChunkPlace::Inside, ChunkPlace::Last];
    let packed = [2, 6].map(|level| places.map(|at| chunk(&text(42, 100_000), level, at)).concat());
    assert_eq!(hex(&sha256(&packed.concat())), pinned);
}

proptest! {
    #[test]
    fn whatever_a_chunk_is_others_follow(
        pieces in prop::collection::vec((any::<u64>(), 0..9_000_usize, any::<bool>()), 0..9),
        level in 1..10_u32,
    ) {
        let piece = |(seed, bytes, deflates)| {
            if deflates { text(seed, bytes) } else { noise(seed, bytes) }
        };
        let raw: Vec<u8> = pieces.into_iter().flat_map(piece).collect();
        let mut packed = chunk(&raw, level, ChunkPlace::Inside);
        packed.extend(chunk(b"and on", level, ChunkPlace::Last));
        prop_assert_eq!(inflate(&packed), [&raw[..], b"and on"].concat());
    }

    #[test]
    fn any_bytes_are_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(archive) = open(&bytes) {
            let _read = read_all(&archive);
            prop_assert!(archive.entries.len() <= bytes.len());
        }
    }

    #[test]
    fn damaged_files_are_no_danger(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        torn in any::<bool>(),
    ) {
        let mut bytes = foreign(&[("a.txt", &text(1, 3_000)), ("b", &noise(2, 50)), ("c", b"")]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if torn {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(archive) = open(&bytes) {
            prop_assert!(archive.entries.len() <= 3);
            let _read = read_all(&archive);
        }
    }
}
