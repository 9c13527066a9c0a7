//! What goes into a pack comes out, and damage is an error with a place.

use std::io::{self, Read};
use std::sync::Arc;

use super::layout::{HEADER_BYTES, TRAILER_BYTES};
use super::*;
use crate::error::{Error, ErrorKind};
use crate::storage::bent::Bend;
use crate::storage::{Memory, Storage, WriteFile};
use crate::types::ContentAddress;

const ARCHIVE: [u8; 16] = *b"an archive's uid";

fn memory() -> Arc<dyn Storage> {
    let storage = Memory::new();
    storage.make_folder("").unwrap();
    Arc::new(storage)
}

/// Bytes that no compressor makes smaller.
fn noise(count: usize, seed: u8) -> Vec<u8> {
    let mut out = vec![0; count];
    blake3::Hasher::new_derive_key("noise").update(&[seed]).finalize_xof().fill(&mut out);
    out
}

fn address(bytes: &[u8]) -> ContentAddress {
    ContentAddress(blake3::hash(bytes).into())
}

fn sealed(objects: &[Vec<u8>]) -> (Arc<dyn Storage>, PackSummary) {
    let storage = memory();
    let mut writer = PackWriter::start(Arc::clone(&storage), 1, ARCHIVE).unwrap();
    for bytes in objects {
        assert_eq!(writer.put(&mut &bytes[..]).unwrap(), (address(bytes), bytes.len() as u64));
    }
    let summary = writer.finish().unwrap();
    (storage, summary)
}

fn open(storage: &Arc<dyn Storage>) -> Result<Arc<Pack>, Error> {
    Pack::open(storage.as_ref(), 1, ARCHIVE).map(Arc::new)
}

fn read_back(pack: &Arc<Pack>, address: &ContentAddress) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    pack.read(address).unwrap().read_to_end(&mut out).map(|_| out)
}

fn names(storage: &Arc<dyn Storage>) -> Vec<String> {
    storage.list(FOLDER).unwrap().into_iter().map(|file| file.name).collect()
}

fn all_bytes(storage: &Arc<dyn Storage>, path: &str) -> Vec<u8> {
    let file = storage.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

fn with_bytes(bytes: &[u8]) -> Arc<dyn Storage> {
    let storage = memory();
    storage.make_folder(FOLDER).unwrap();
    storage.create(&pack_path(1)).unwrap().write_at(0, bytes).unwrap();
    storage
}

#[test]
fn objects_of_every_length_come_back() {
    let lengths = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES, 900_001];
    let mut objects: Vec<Vec<u8>> = lengths.iter().map(|count| noise(*count, 1)).collect();
    objects.push(b"the same words again and again ".repeat(40_000));
    let (storage, summary) = sealed(&objects);
    assert_eq!(names(&storage), ["0000000000000001.pack"]);
    let pack = open(&storage).unwrap();
    assert_eq!(pack.hash(), summary.hash);
    let listed: Vec<_> = pack.objects().iter().map(|entry| (entry.address, entry.bytes)).collect();
    assert_eq!(listed, summary.objects);
    for bytes in &objects {
        assert_eq!(pack.find(&address(bytes)).unwrap().bytes, bytes.len() as u64);
        assert!(read_back(&pack, &address(bytes)).unwrap() == *bytes, "{} bytes", bytes.len());
    }
    assert_eq!(pack.find(&address(b"never stored")), None);
    assert!(pack.verify(true).is_empty(), "{:?}", pack.verify(true));
    assert_eq!(summary.bytes, all_bytes(&storage, &pack_path(1)).len() as u64);
}

#[test]
fn chunks_are_compressed_only_where_it_saves() {
    let text = b"the same words again and again ".repeat(40_000);
    assert!(sealed(std::slice::from_ref(&text)).1.bytes < text.len() as u64 / 50);
    let random = noise(4 * CHUNK_BYTES, 7);
    let overhead = sealed(std::slice::from_ref(&random)).1.bytes - random.len() as u64;
    assert_eq!(overhead, (48 + 4 * 16 + (16 + 48) + (16 + 48) + 60) as u64);
}

#[test]
fn the_same_object_is_kept_once_and_a_small_one_costs_nothing() {
    let (small, large) = (noise(CHUNK_BYTES, 1), noise(3 * CHUNK_BYTES, 2));
    let once = sealed(&[small.clone(), large.clone()]).1;
    let again = sealed(&[small.clone(), large.clone(), small.clone()]).1;
    assert_eq!(again, once);
    let (storage, summary) = sealed(&[large.clone(), small, large.clone()]);
    assert_eq!(summary.objects, once.objects);
    let pack = open(&storage).unwrap();
    assert_eq!(read_back(&pack, &address(&large)).unwrap(), large);
    assert!(pack.verify(true).is_empty());
}

#[test]
fn an_object_known_elsewhere_is_named_but_not_kept() {
    let bytes = noise(10, 1);
    let mut writer = PackWriter::start(memory(), 1, ARCHIVE).unwrap();
    let known = |found: &ContentAddress| *found == address(&bytes);
    assert_eq!(writer.put_unless(&mut &bytes[..], &known).unwrap(), (address(&bytes), 10));
    assert!(writer.is_empty());
    assert_eq!(writer.bytes(), HEADER_BYTES as u64);
}

#[test]
fn an_unfinished_pack_leaves_nothing_and_a_left_over_is_replaced() {
    let storage = memory();
    let mut writer = PackWriter::start(Arc::clone(&storage), 1, ARCHIVE).unwrap();
    let _ = writer.put(&mut &noise(3 << 20, 1)[..]).unwrap();
    assert_eq!(names(&storage), ["0000000000000001.tmp"]);
    drop(writer);
    assert!(names(&storage).is_empty());
    let left = storage.create(&temporary_path(1)).unwrap();
    left.write_at(0, &noise(1 << 20, 3)).unwrap();
    let mut writer = PackWriter::start(Arc::clone(&storage), 1, ARCHIVE).unwrap();
    let _ = writer.put(&mut &b"x"[..]).unwrap();
    drop(writer.finish().unwrap());
    assert!(open(&storage).unwrap().verify(true).is_empty());
    let again = PackWriter::start(Arc::clone(&storage), 1, ARCHIVE).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Exists);
}

/// Gives its bytes, then an error.
#[derive(Debug)]
struct Breaks(io::Cursor<Vec<u8>>);

impl Read for Breaks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 => Err(io::Error::other("the line went dead")),
            count => Ok(count),
        }
    }
}

#[test]
fn a_reader_that_breaks_in_the_middle_leaves_the_pack_usable() {
    let storage = memory();
    let mut writer = PackWriter::start(Arc::clone(&storage), 1, ARCHIVE).unwrap();
    let (before, broken, after) = (noise(500_000, 1), noise(700_000, 2), noise(600_000, 3));
    let _ = writer.put(&mut &before[..]).unwrap();
    let error = writer.put(&mut Breaks(io::Cursor::new(broken.clone()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let _ = writer.put(&mut &after[..]).unwrap();
    let _ = writer.put(&mut &broken[..]).unwrap();
    assert_eq!(writer.finish().unwrap().objects.len(), 3);
    let pack = open(&storage).unwrap();
    for bytes in [before, broken, after] {
        assert_eq!(read_back(&pack, &address(&bytes)).unwrap(), bytes);
    }
    assert!(pack.verify(true).is_empty());
}

/// What somebody meets who opens the pack, verifies it and reads all of it; every error has its
/// place. True if verification alone found something.
fn damage(bytes: &[u8], objects: &[Vec<u8>], label: &str) -> (bool, bool) {
    let place = |error: &Error| {
        assert_eq!(error.file(), Some("objects/0000000000000001.pack"), "{label}: {error}");
        assert!(error.offset().is_some(), "{label}: {error}");
    };
    let pack = match open(&with_bytes(bytes)) {
        Ok(pack) => pack,
        Err(error) => {
            place(&error);
            return (true, true);
        }
    };
    let damages = pack.verify(false);
    damages.iter().for_each(place);
    let mut unreadable = false;
    for object in objects {
        match read_back(&pack, &address(object)) {
            Ok(found) => assert!(found == *object, "{label}: wrong bytes without an error"),
            Err(error) => {
                unreadable = true;
                place(&error.downcast::<Error>().unwrap());
            }
        }
    }
    (!damages.is_empty(), unreadable)
}

#[test]
fn a_flipped_bit_anywhere_is_an_error_that_names_file_and_offset() {
    let objects = [Vec::new(), noise(40, 1), noise(CHUNK_BYTES + 9, 2), b"text ".repeat(1_000)];
    let (storage, _) = sealed(&objects);
    let good = all_bytes(&storage, &pack_path(1));
    let near_the_ends = (0..HEADER_BYTES + 400).chain(good.len() - TRAILER_BYTES - 900..good.len());
    let places = near_the_ends.chain((0..good.len()).step_by(9_973));
    for at in places {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        let (noticed, _) = damage(&bytes, &objects, &format!("byte {at}"));
        assert!(noticed, "byte {at} flipped, nothing noticed");
    }
    assert_eq!(damage(&good, &objects, "nothing flipped"), (false, false));
}

#[test]
fn a_pack_that_is_cut_or_grown_is_refused() {
    let (storage, _) = sealed(&[noise(2_000, 1)]);
    let good = all_bytes(&storage, &pack_path(1));
    for length in (0..good.len()).step_by(7) {
        let error = open(&with_bytes(&good[..length])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes: {error}");
    }
    assert!(open(&with_bytes(&[&good[..], &[0]].concat())).is_err());
}

#[test]
fn damage_in_one_object_leaves_the_others_readable() {
    let objects = [noise(300_000, 1), noise(300_000, 2), noise(300_000, 3)];
    let (storage, _) = sealed(&objects);
    let mut bytes = all_bytes(&storage, &pack_path(1));
    let second =
        usize::try_from(open(&storage).unwrap().find(&address(&objects[1])).unwrap().first);
    let second = second.unwrap();
    bytes[second + 100] ^= 1;
    let pack = open(&with_bytes(&bytes)).unwrap();
    assert!(read_back(&pack, &address(&objects[0])).is_ok());
    assert!(read_back(&pack, &address(&objects[1])).is_err());
    assert!(read_back(&pack, &address(&objects[2])).is_ok());
    let offsets: Vec<_> = pack.verify(true).iter().map(|error| error.offset().unwrap()).collect();
    assert_eq!(offsets, [second as u64; 3], "the frame, the entry behind it, the whole object");
}

#[test]
fn a_pack_whose_directory_is_damaged_is_rebuilt_from_its_frames() {
    let objects = [Vec::new(), noise(300_000, 1), b"text ".repeat(90_000), noise(300_000, 3)];
    let (storage, _) = sealed(&objects);
    let mut bytes = all_bytes(&storage, &pack_path(1));
    let sound = open(&storage).unwrap();
    let end = bytes.len();
    bytes[..HEADER_BYTES].fill(0x55);
    bytes[end - TRAILER_BYTES - 100..].fill(0x55);
    assert!(open(&with_bytes(&bytes)).is_err());
    let pack = Arc::new(Pack::rebuild(with_bytes(&bytes).as_ref(), 1).unwrap());
    assert_eq!(pack.objects(), sound.objects());
    for object in &objects {
        assert!(read_back(&pack, &address(object)).unwrap() == *object);
    }
    // A frame that is damaged as well costs its own object.
    let damaged = usize::try_from(sound.find(&address(&objects[1])).unwrap().first).unwrap();
    bytes[damaged..damaged + 40].fill(0x55);
    let pack = Arc::new(Pack::rebuild(with_bytes(&bytes).as_ref(), 1).unwrap());
    let is_whole = |object: &Vec<u8>| {
        pack.find(&address(object)).is_some() && read_back(&pack, &address(object)).is_ok()
    };
    assert_eq!(objects.each_ref().map(is_whole), [true, false, true, true]);
}

#[test]
fn chunks_under_a_wrong_address_are_noticed_at_the_last_one() {
    let storage = memory();
    let mut writer = PackWriter::start(Arc::clone(&storage), 1, ARCHIVE).unwrap();
    let bytes = noise(CHUNK_BYTES + 5, 1);
    let _ = writer.put(&mut &bytes[..]).unwrap();
    writer.misname_first_object(ContentAddress([7; 32]));
    drop(writer.finish().unwrap());
    let pack = open(&storage).unwrap();
    let mut reader = pack.read(&ContentAddress([7; 32])).unwrap();
    let mut out = vec![0; CHUNK_BYTES];
    reader.read_exact(&mut out).unwrap();
    for _ in 0..2 {
        let error = reader.read(&mut out).unwrap_err().downcast::<Error>().unwrap();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Corrupt, Some(48)));
    }
}

#[test]
fn a_pack_of_another_archive_or_number_is_refused() {
    let (storage, _) = sealed(&[noise(10, 1)]);
    let other = Pack::open(storage.as_ref(), 1, [0; 16]).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Corrupt);
    storage.rename(&pack_path(1), &pack_path(2)).unwrap();
    assert_eq!(Pack::open(storage.as_ref(), 2, ARCHIVE).unwrap_err().kind(), ErrorKind::Corrupt);
}

/// Memory whose files take only so many bytes: a full disk.
#[derive(Debug)]
struct Full(Memory, u64);

#[derive(Debug)]
struct FullFile(Box<dyn WriteFile>, u64);

impl WriteFile for FullFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if offset + bytes.len() as u64 > self.1 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Bend for Full {
    fn below(&self) -> &dyn Storage {
        &self.0
    }

    fn created(&self, path: &str) -> io::Result<Box<dyn WriteFile>> {
        Ok(Box::new(FullFile(self.0.create(path)?, self.1)))
    }
}

#[test]
fn a_full_disk_stops_the_pack_and_leaves_no_file() {
    let place = Memory::new();
    place.make_folder("").unwrap();
    let storage: Arc<dyn Storage> = Arc::new(Full(place, 1_500_000));
    let mut writer = PackWriter::start(Arc::clone(&storage), 1, ARCHIVE).unwrap();
    let error = writer.put(&mut &noise(3 << 20, 1)[..]).unwrap_err();
    assert_eq!((error.kind(), error.file()), (ErrorKind::NoSpace, Some(&*temporary_path(1))));
    let next = writer.put(&mut &b"x"[..]).unwrap_err();
    assert_eq!(next.kind(), ErrorKind::Stopped);
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Stopped);
    assert!(names(&storage).is_empty());
}
